//! Data requests over the stream.

use std::time::Instant;

use bitmax::model::{AccountCategory, MarginState, OrderState};
use bitmax::{Authentication, Client, OrderId, StreamHandle, Symbol};
use clap::{Args, ValueEnum, value_parser};

use crate::account::{balances, parsed};
use crate::failure::Failure;
use crate::market::{depth, trades};
use crate::output::{Output, Table, or_dash, time};
use crate::stream::{AuthArg, ask};

#[derive(Args)]
pub(crate) struct RequestCommand {
    #[arg(value_enum)]
    action: Action,
    /// cash or margin: of balance, open-order and order-status
    #[arg(long, value_name = "AC")]
    account: Option<AccountCategory>,
    /// Of the depth-snapshots, market-trades and margin-risk; open-order takes one too
    #[arg(long, value_name = "S")]
    symbol: Option<String>,
    /// How many trades; 100 if not given
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    level: Option<u32>,
    /// Of order-status
    #[arg(long = "order-id", value_name = "ID", num_args = 1..)]
    order_ids: Vec<String>,
    #[command(flatten)]
    auth: AuthArg,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Action {
    DepthSnapshot,
    #[value(name = "depth-snapshot-top100")]
    DepthSnapshotTop100,
    DepthSnapshotRealtime,
    MarketTrades,
    Balance,
    OpenOrder,
    MarginRisk,
    OrderStatus,
}

use Action::{
    Balance, DepthSnapshot, DepthSnapshotRealtime, DepthSnapshotTop100, MarginRisk, MarketTrades, OpenOrder,
    OrderStatus,
};

impl RequestCommand {
    /// How the request authenticates; not at all where it needs no account.
    pub(crate) fn way(&self) -> Result<Option<Authentication>, Failure> {
        self.auth.way(!matches!(self.action, DepthSnapshot | DepthSnapshotTop100 | MarketTrades))
    }

    pub(crate) fn run(self, client: &Client, output: &Output, deadline: Instant) -> Result<(), Failure> {
        self.check()?;
        let way = self.way()?;
        let symbol = parsed::<Symbol>(self.symbol)?;
        let ids = self.order_ids.iter().map(|id| id.parse()).collect::<Result<Vec<OrderId>, _>>()?;
        let needed = |name: &str| Failure::usage(format!("{name}: this request needs one"));
        let of_product = || symbol.ok_or_else(|| needed("--symbol"));
        let of_account = || self.account.ok_or_else(|| needed("--account"));
        match self.action {
            DepthSnapshot | DepthSnapshotTop100 | DepthSnapshotRealtime => {
                let symbol = of_product()?;
                let snapshot = |stream: &StreamHandle| match self.action {
                    DepthSnapshotTop100 => stream.depth_snapshot_top100(symbol),
                    DepthSnapshotRealtime => stream.depth_snapshot_realtime(symbol),
                    _ => stream.depth_snapshot(symbol),
                };
                output.value(&ask(client, way, deadline, snapshot)?, depth)
            }
            MarketTrades => {
                let (symbol, level) = (of_product()?, self.level.unwrap_or(100));
                output.value(&ask(client, way, deadline, |stream| stream.market_trades(symbol, level))?, trades)
            }
            Balance => {
                let account = of_account()?;
                output.rows(&ask(client, way, deadline, |stream| stream.balances(account))?, balances)
            }
            OpenOrder => {
                let account = of_account()?;
                let open = ask(client, way, deadline, |stream| stream.open_orders(account, symbol.as_slice()))?;
                output.rows(&open, order_states)
            }
            MarginRisk => {
                let symbol = of_product()?;
                output.value(&ask(client, way, deadline, |stream| stream.margin_risk(symbol))?, margin_state)
            }
            OrderStatus => {
                let account = of_account()?;
                if ids.is_empty() {
                    return Err(needed("--order-id"));
                }
                output.rows(&ask(client, way, deadline, |stream| stream.order_status(account, &ids))?, order_states)
            }
        }
    }

    /// Refuses options that the request has no use for.
    fn check(&self) -> Result<(), Failure> {
        let action = self.action;
        for (name, given, used) in [
            ("--account", self.account.is_some(), matches!(action, Balance | OpenOrder | MarginRisk | OrderStatus)),
            ("--symbol", self.symbol.is_some(), !matches!(action, Balance | OrderStatus)),
            ("--level", self.level.is_some(), action == MarketTrades),
            ("--order-id", !self.order_ids.is_empty(), action == OrderStatus),
        ] {
            if given && !used {
                return Err(Failure::usage(format!("{name}: this request has none")));
            }
        }
        if action == MarginRisk && self.account == Some(AccountCategory::Cash) {
            return Err(Failure::usage("--account: margin-risk is of the margin account"));
        }
        Ok(())
    }
}

/// Orders as the stream tells them.
pub(crate) fn order_states(orders: &[OrderState]) -> Table {
    let mut table = Table::new([
        "ORDER ID",
        "SYMBOL",
        "SIDE",
        "TYPE",
        "PRICE",
        "STOP",
        "QUANTITY",
        "FILLED",
        "AVERAGE",
        "STATUS",
        "LAST (UTC)",
    ]);
    for order in orders {
        table.row([
            &order.order_id,
            &order.symbol,
            &or_dash(order.side.as_ref()),
            &or_dash(order.order_type.as_ref()),
            &or_dash(order.price),
            &or_dash(order.stop_price),
            &or_dash(order.order_qty),
            &or_dash(order.cum_filled_qty),
            &or_dash(order.avg_px),
            &order.status,
            &time(order.ts),
        ]);
    }
    table
}

fn margin_state(state: &MarginState) -> Table {
    let mut table = Table::of_pairs();
    table.row([&"total, USDT", &state.total_balance]);
    table.row([&"available, USDT", &state.available_balance]);
    table.row([&"net, USDT", &state.net_balance]);
    table.row([&"initial margin", &state.effective_initial_margin]);
    table.row([&"maintenance margin", &state.effective_maintenance_margin]);
    table.row([&"points", &or_dash(state.points_balance)]);
    table.row([&"leverage", &state.current_leverage]);
    table.row([&"highest leverage", &state.account_max_leverage]);
    table.row([&"cushion", &state.cushion]);
    table
}
