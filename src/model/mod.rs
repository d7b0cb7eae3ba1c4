//! The nouns of the protocol: what calls answer and streams deliver, with the wire's names in JSON.

mod account;
mod level;
mod market;
mod rows;
mod update;

pub use account::AccountCategory;
pub use level::Level;
pub use market::*;
pub use update::{
    BalanceState, BalanceUpdate, CancelRejected, MarginState, OrderState, OrderUpdate, RejectedCancel,
};
pub use rows::{Rows, Unreadable};
