//! What an account has, what trading costs it, and what moved its balances today.
//!
//! ```text
//! cargo run --example account            # on an exchange inside the program
//! cargo run --example account -- --live  # AscendEX; BITMAX_API_KEY and BITMAX_API_SECRET say who
//! ```
//!
//! Prints who the key belongs to, balances, fees, and the day's ledger. It changes nothing, save that the account on the
//! exchange inside the program makes two trades first, so that there is a ledger to see.

#[path = "support/calendar.rs"]
#[allow(dead_code, reason = "what other examples need too")]
mod calendar;

use std::error::Error;

use bitmax::model::AccountCategory;
use bitmax::sandbox::{OrderRequest, Sandbox};
use bitmax::{BalanceQuery, Client, Credentials, Decimal, Endpoint, LedgerEntry, Symbol};
use clap::Parser;

#[derive(Parser)]
#[command(about = "Balances, fees and the day's ledger")]
struct Options {
    /// Ask AscendEX instead of an exchange inside the program
    #[arg(long)]
    live: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    env_logger::init();
    let sandbox = if Options::parse().live { None } else { Some(Sandbox::start()?) };
    let (endpoint, credentials) = match &sandbox {
        Some(sandbox) => {
            sandbox.user().place(&OrderRequest::buy("BTC/USDT", "0.1"))?;
            sandbox.user().place(&OrderRequest::sell("ETH/USDT", "1.5"))?;
            (sandbox.endpoint(), sandbox.credentials())
        }
        None => (Endpoint::ASCENDEX, Credentials::from_env()?),
    };
    let client = Client::builder(endpoint).credentials(credentials).build()?;
    let cash = client.account(AccountCategory::Cash)?;

    let info = client.info()?;
    let may =
        [("view", info.view_permission), ("trade", info.trade_permission), ("transfer", info.transfer_permission)];
    let may: Vec<&str> = may.into_iter().filter_map(|(name, granted)| granted.then_some(name)).collect();
    println!("account group {}; the key may {}", info.account_group, may.join(", "));

    println!("\n{:<8} {:>18} {:>18}", "balance", "total", "available");
    for balance in &cash.balances(&BalanceQuery::new())? {
        let (total, available) = (balance.total_balance.normalize(), balance.available_balance.normalize());
        println!("{:<8} {total:>18} {available:>18}", balance.asset);
    }

    println!("\n{:<8} {:>8} {:>8}", "fees", "maker", "taker");
    let fees = client.fees_by_symbol()?;
    for symbol in ["BTC/USDT", "ETH/USDT"].map(Symbol::new) {
        let symbol = symbol?;
        let Some(product) = fees.product_fee.iter().find(|product| product.symbol == symbol) else { continue };
        println!("{symbol:<8} {:>8} {:>8}", percent(product.fee.maker), percent(product.fee.taker));
    }

    // The day by the exchange's clock.
    let now = client.market().exchange_info(0)?.request_receive_at;
    let minute = calendar::minute(u64::try_from(now)?);
    let day = minute.split(' ').next().unwrap_or_default();
    println!("\nledger of {day}");
    let ledger = cash.ledger(day)?;
    for row in &ledger.snapshot().snapshot {
        println!("{:<14} {:<6} {:>18}", "at its start", row.asset, row.total_balance.normalize());
    }
    for entry in ledger {
        let entry = entry?;
        let what = match &entry {
            LedgerEntry::Order(change) => change.side.to_string(),
            LedgerEntry::Balance(change) => change.event_type.clone(),
            _ => String::new(),
        };
        for change in entry.changes() {
            let kind = change.data_type.as_ref().map_or_else(String::new, |kind| format!(" {kind}"));
            let (by, to) = (change.delta_qty.normalize(), change.cur_balance.normalize());
            println!("{:<14} {:<6} {by:>18} to {to}", format!("{what}{kind}"), change.asset);
        }
    }
    Ok(())
}

/// A share in a hundred: 0.001 is `0.1 %`.
fn percent(share: Decimal) -> String {
    format!("{} %", (share * Decimal::ONE_HUNDRED).normalize())
}
