//! The account as a whole: who, what it costs, what there is, what moves it, and the wallet.

use std::str::FromStr;

use bitmax::model::{
    AccountCategory, AccountInfo, AccountKind, Balance, BalanceHistory, BalanceSnapshot, DepositAddresses, FeeSchedule,
    MarginRisk, SubuserTransferTaken, SubuserTransfers, SymbolFees, TransactionType, TransferMode, WalletTransactions,
};
use bitmax::{BalanceQuery, Client, Date, InvalidInput, SubuserTransfer, SubuserTransfersQuery, WalletQuery};
use clap::{Subcommand, value_parser};

use crate::failure::Failure;
use crate::output::{Output, Table, or_dash, time};

#[derive(Subcommand)]
pub(crate) enum AccountCommand {
    /// Who the key belongs to and what it may do
    Info,
    /// What trading costs
    Fees {
        /// Product by product
        #[arg(long)]
        by_symbol: bool,
    },
    /// What an account holds
    Balance {
        /// cash or margin
        category: AccountCategory,
        /// This asset alone
        #[arg(long)]
        asset: Option<String>,
        /// Also assets of which there is nothing
        #[arg(long)]
        show_all: bool,
    },
    /// How much the margin account can bear
    MarginRisk,
    /// Move an asset between one's own accounts
    Transfer {
        #[arg(allow_negative_numbers = true)]
        amount: String,
        asset: String,
        /// cash, margin or futures
        #[arg(value_parser = kind)]
        from: AccountKind,
        /// cash, margin or futures
        #[arg(value_parser = kind)]
        to: AccountKind,
    },
    /// Move an asset between sub-accounts
    SubuserTransfer {
        #[arg(allow_negative_numbers = true)]
        amount: String,
        asset: String,
        /// By id or name; parentUser is the parent account
        #[arg(long)]
        from_user: String,
        /// By id or name; parentUser is the parent account
        #[arg(long)]
        to_user: String,
        /// cash, margin or futures
        #[arg(long, value_parser = kind)]
        from_account: AccountKind,
        /// cash, margin or futures
        #[arg(long, value_parser = kind)]
        to_account: AccountKind,
        /// What the answer waits for: ack or accept
        #[arg(long, value_parser = mode)]
        mode: Option<TransferMode>,
    },
    /// Transfers between sub-accounts that were made
    SubuserTransfers {
        #[arg(long)]
        page: Option<u32>,
        /// At most 10
        #[arg(long)]
        page_size: Option<u32>,
        #[arg(long)]
        asset: Option<String>,
        #[arg(long, value_name = "ID")]
        sub_user: Option<String>,
        /// Not before, UTC milliseconds
        #[arg(long, value_name = "MS")]
        start: Option<u64>,
        /// Not after, UTC milliseconds
        #[arg(long, value_name = "MS")]
        end: Option<u64>,
    },
    /// What an account held at the start of a day
    BalanceSnapshot {
        /// cash or margin
        category: AccountCategory,
        /// YYYY-mm-dd, within the last 7 days
        date: String,
    },
    /// What changed an account's balances
    BalanceHistory {
        /// cash or margin
        category: AccountCategory,
        /// The number to start from
        #[arg(long)]
        sn: u64,
        /// At most 500
        #[arg(long, value_parser = value_parser!(u32).range(1..=500))]
        limit: Option<u32>,
    },
    /// Where an asset can be deposited to
    DepositAddresses {
        asset: String,
        /// As the exchange names it: ERC20, "Bitcoin Cash ABC"
        #[arg(long)]
        blockchain: Option<String>,
    },
    /// Deposits and withdrawals
    WalletTransactions {
        #[arg(long)]
        asset: Option<String>,
        /// deposit or withdrawal
        #[arg(long = "type", value_parser = transaction_type)]
        kind: Option<TransactionType>,
        #[arg(long)]
        page: Option<u32>,
        /// At most 50
        #[arg(long)]
        page_size: Option<u32>,
    },
}

fn kind(text: &str) -> Result<AccountKind, String> {
    Some(AccountKind::from_text(text)).filter(AccountKind::is_known).ok_or("not cash, margin or futures".to_owned())
}

fn mode(text: &str) -> Result<TransferMode, String> {
    Some(TransferMode::from_text(text)).filter(TransferMode::is_known).ok_or("not ack or accept".to_owned())
}

fn transaction_type(text: &str) -> Result<TransactionType, String> {
    Some(TransactionType::from_text(text))
        .filter(TransactionType::is_known)
        .ok_or("not deposit or withdrawal".to_owned())
}

/// Hands a value to a setter, where there is one.
pub(crate) fn set<Q, T>(query: Q, value: Option<T>, setter: impl FnOnce(Q, T) -> Q) -> Q {
    match value {
        Some(value) => setter(query, value),
        None => query,
    }
}

/// Takes an argument for what it is to be, where there is one.
pub(crate) fn parsed<T: FromStr<Err = InvalidInput>>(text: Option<String>) -> Result<Option<T>, Failure> {
    Ok(text.map(|text| text.parse()).transpose()?)
}

impl AccountCommand {
    pub(crate) fn run(self, client: &Client, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Info => output.value(&client.info()?, info),
            Self::Fees { by_symbol: false } => output.value(&client.fees()?, fees),
            Self::Fees { by_symbol: true } => {
                let fees = client.fees_by_symbol()?;
                output.unreadable(&fees.product_fee);
                output.value(&fees, symbol_fees)
            }
            Self::Balance { category, asset, show_all } => {
                let query = set(BalanceQuery::new(), parsed(asset)?, BalanceQuery::asset);
                let query = if show_all { query.show_all() } else { query };
                output.rows(&client.account(category)?.balances(&query)?, balances)
            }
            Self::MarginRisk => output.value(&client.account(AccountCategory::Margin)?.risk()?, margin_risk),
            Self::Transfer { amount, asset, from, to } => {
                client.transfer(amount, asset, from, to)?;
                output.done()
            }
            Self::SubuserTransfer { amount, asset, from_user, to_user, from_account, to_account, mode } => {
                let transfer = SubuserTransfer::new(amount, asset, (&from_user, from_account), (&to_user, to_account))?;
                output.value(&client.subuser_transfer(&set(transfer, mode, SubuserTransfer::mode))?, transfer_taken)
            }
            Self::SubuserTransfers { page, page_size, asset, sub_user, start, end } => {
                let query = set(SubuserTransfersQuery::new(), page, SubuserTransfersQuery::page);
                let query = set(query, page_size, SubuserTransfersQuery::page_size);
                let query = set(query, parsed(asset)?, SubuserTransfersQuery::asset);
                let query = set(query, sub_user, SubuserTransfersQuery::sub_user);
                let query = set(query, start, SubuserTransfersQuery::start_time);
                let query = set(query, end, SubuserTransfersQuery::end_time);
                let transfers = client.subuser_transfers(&query)?;
                output.unreadable(&transfers.data);
                output.value(&transfers, subuser_transfers)
            }
            Self::BalanceSnapshot { category, date } => {
                let date: Date = date.parse()?;
                let snapshot = client.account(category)?.balance_snapshot(date)?;
                output.unreadable(&snapshot.snapshot);
                output.value(&snapshot, balance_snapshot)
            }
            Self::BalanceHistory { category, sn, limit } => {
                let history = client.account(category)?.balance_history(sn, limit)?;
                output.unreadable(&history.order);
                output.unreadable(&history.balance);
                output.value(&history, balance_history)
            }
            Self::DepositAddresses { asset, blockchain } => {
                let addresses = client.wallet().deposit_addresses(asset, blockchain.as_deref())?;
                output.unreadable(&addresses.address);
                output.value(&addresses, deposit_addresses)
            }
            Self::WalletTransactions { asset, kind, page, page_size } => {
                let query = set(WalletQuery::new(), parsed(asset)?, WalletQuery::asset);
                let query = set(query, kind, WalletQuery::tx_type);
                let query = set(query, page, WalletQuery::page);
                let query = set(query, page_size, WalletQuery::page_size);
                let transactions = client.wallet().transactions(&query)?;
                output.unreadable(&transactions.data);
                output.value(&transactions, wallet_transactions)
            }
        }
    }
}

fn info(info: &AccountInfo) -> Table {
    let mut table = Table::of_pairs();
    let may = |allowed| if allowed { "yes" } else { "no" };
    table.row([&"account group", &info.account_group]);
    table.row([&"user", &info.user_uid]);
    table.row([&"mail", &info.email]);
    table.row([&"key expires", &u64::try_from(info.expire_time).map_or_else(|_| "never".to_owned(), time)]);
    table.row([&"allowed addresses", &info.allowed_ips.join(" ")]);
    table.row([&"cash account", &info.cash_account.join(" ")]);
    table.row([&"margin account", &info.margin_account.join(" ")]);
    table.row([&"may look", &may(info.view_permission)]);
    table.row([&"may trade", &may(info.trade_permission)]);
    table.row([&"may transfer", &may(info.transfer_permission)]);
    table
}

fn fees(fees: &FeeSchedule) -> Table {
    let mut table = Table::new(["VIP LEVEL", "CAPITALISATION", "MAKER", "TAKER"]);
    for (name, rates) in [("large", fees.generic_fee.large_cap), ("small", fees.generic_fee.small_cap)] {
        table.row([&fees.vip_level, &name, &rates.maker, &rates.taker]);
    }
    table
}

fn symbol_fees(fees: &SymbolFees) -> Table {
    let mut table = Table::new(["SYMBOL", "MAKER", "TAKER"]);
    for product in &fees.product_fee {
        table.row([&product.symbol, &product.fee.maker, &product.fee.taker]);
    }
    table
}

pub(crate) fn balances(balances: &[Balance]) -> Table {
    let mut table = Table::new(["ASSET", "TOTAL", "AVAILABLE", "BORROWED", "INTEREST"]);
    for balance in balances {
        table.row([
            &balance.asset,
            &balance.total_balance,
            &balance.available_balance,
            &or_dash(balance.borrowed),
            &or_dash(balance.interest),
        ]);
    }
    table
}

fn margin_risk(risk: &MarginRisk) -> Table {
    let mut table = Table::of_pairs();
    table.row([&"total, USDT", &risk.total_balance_in_usdt]);
    table.row([&"available, USDT", &risk.available_balance_in_usdt]);
    table.row([&"borrowed, USDT", &risk.total_borrowed_in_usdt]);
    table.row([&"interest, USDT", &risk.total_interest_in_usdt]);
    table.row([&"net, USDT", &risk.net_balance_in_usdt]);
    table.row([&"points", &or_dash(risk.points_balance)]);
    table.row([&"leverage", &risk.current_leverage]);
    table.row([&"highest leverage", &risk.account_max_leverage]);
    table.row([&"cushion", &risk.cushion]);
    table
}

fn transfer_taken(taken: &SubuserTransferTaken) -> Table {
    let mut table = Table::new(["AMOUNT", "ASSET", "FROM", "", "TO", ""]);
    table.row([&taken.amount, &taken.asset, &taken.user_from, &taken.ac_from, &taken.user_to, &taken.ac_to]);
    table
}

fn subuser_transfers(page: &SubuserTransfers) -> Table {
    let mut table = Table::new(["TIME (UTC)", "AMOUNT", "ASSET", "FROM", "", "TO", "", "STATUS"]);
    for row in &page.data {
        let users = (&row.user_from, &row.user_to);
        let accounts = (&row.ac_from, &row.ac_to);
        table.row([&time(row.time), &row.amount, &row.asset, users.0, accounts.0, users.1, accounts.1, &row.status]);
    }
    table
}

fn balance_snapshot(snapshot: &BalanceSnapshot) -> Table {
    let mut table = Table::new(["ASSET", "TOTAL"]);
    for balance in &snapshot.snapshot {
        table.row([&balance.asset, &balance.total_balance]);
    }
    table
}

fn balance_history(history: &BalanceHistory) -> Table {
    let mut table = Table::new(["SN", "TIME (UTC)", "WHAT", "ASSET", "CHANGE", "BALANCE"]);
    for row in &history.order {
        for change in &row.data {
            let what = format!("{} {} {}", row.side, row.order_id, or_dash(change.data_type.as_ref()));
            table.row([
                &row.sn,
                &time(row.transact_time),
                &what,
                &change.asset,
                &change.delta_qty,
                &change.cur_balance,
            ]);
        }
    }
    for row in &history.balance {
        for change in &row.data {
            table.row([
                &row.sn,
                &time(row.transact_time),
                &row.event_type,
                &change.asset,
                &change.delta_qty,
                &change.cur_balance,
            ]);
        }
    }
    table
}

fn deposit_addresses(addresses: &DepositAddresses) -> Table {
    let mut table = Table::new(["ASSET", "CHAIN", "ADDRESS", "TAG"]);
    for row in &addresses.address {
        table.row([&addresses.asset, &row.blockchain, &row.address, &row.dest_tag]);
    }
    table
}

fn wallet_transactions(page: &WalletTransactions) -> Table {
    let mut table = Table::new(["TIME (UTC)", "TYPE", "AMOUNT", "ASSET", "FEE", "STATUS", "CONFIRMED", "ADDRESS"]);
    for row in &page.data {
        let confirmed = format!("{}/{}", or_dash(row.num_confirmed), or_dash(row.num_confirmations));
        table.row([
            &time(row.time),
            &row.transaction_type,
            &row.amount,
            &row.asset,
            &or_dash(row.commission),
            &row.status,
            &confirmed,
            &row.dest_address.address,
        ]);
    }
    table
}
