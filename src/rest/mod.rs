//! The REST interface: calls as data, one mechanism, one group of methods a file.

mod account;
mod answer;
mod balance;
mod check;
mod clock;
mod endpoint;
mod history;
mod ledger;
mod market;
mod orders;
mod pages;
mod request;
mod retry;
mod settle;
mod transport;
mod turns;
mod wallet;

pub use account::Account;
pub(crate) use account::Identities;
pub use balance::{BalanceQuery, SubuserTransfer, SubuserTransfersQuery};
pub(crate) use clock::ClockSetting;
pub use history::{OrderHistoryIter, OrderHistoryQuery, OrderHistoryV1Query, RecentOrdersQuery};
pub use ledger::{Ledger, LedgerEntry};
pub use market::{BarsIter, BarsQuery, Market};
pub(crate) use retry::Details;
pub(crate) use settle::RECENT_LOOKED_AT;
pub(crate) use transport::Transport;
pub use wallet::{Wallet, WalletQuery};
