//! Orders: placing, cancelling, asking.

use std::io::Read;
use std::time::Instant;

use bitmax::model::{AccountCategory, Ack, HistoryOrder, Order, Outcome, Rows, Side};
use bitmax::{
    Authentication, CancelOrder, Client, ClientOrderId, Error, NewOrder, OrderHistoryQuery, OrderId, RecentOrdersQuery,
    Respond, Settled, StreamHandle, TimeInForce,
};
use clap::{Args, Subcommand, ValueEnum, value_parser};
use serde_json::json;

use crate::account::{parsed, set};
use crate::batch::{cancels_of, orders_of};
use crate::failure::Failure;
use crate::output::{Output, Table, or_dash, progress, time};
use crate::request::order_states;
use crate::stream::ask;

#[derive(Subcommand)]
pub(crate) enum OrderCommand {
    /// Place an order
    Place(Place),
    /// Place up to 10 orders at once
    PlaceBatch {
        /// cash or margin
        category: AccountCategory,
        /// A JSON array of orders, fields as on the wire; - is standard input
        file: String,
    },
    /// Cancel an order
    Cancel {
        /// cash or margin
        category: AccountCategory,
        order_id: String,
        symbol: String,
        /// The id of the cancel itself
        #[arg(long)]
        id: Option<String>,
        #[command(flatten)]
        over: OverArg,
    },
    /// Cancel up to 10 orders at once
    CancelBatch {
        /// cash or margin
        category: AccountCategory,
        /// A JSON array of cancels, fields as on the wire; - is standard input
        file: String,
    },
    /// Cancel all orders, or those of a product
    CancelAll {
        /// cash or margin
        category: AccountCategory,
        symbol: Option<String>,
        #[command(flatten)]
        over: OverArg,
    },
    /// Orders by their ids
    Order {
        /// cash or margin
        category: AccountCategory,
        #[arg(required = true, value_name = "ORDER_ID")]
        ids: Vec<String>,
    },
    /// Orders that are open
    OpenOrders {
        /// cash or margin
        category: AccountCategory,
        symbol: Option<String>,
        #[command(flatten)]
        over: OverArg,
    },
    /// Orders of late
    OrderHistoryCurrent {
        /// cash or margin
        category: AccountCategory,
        #[arg(long)]
        symbol: Option<String>,
        /// How many
        #[arg(long, value_parser = value_parser!(u32).range(1..))]
        n: Option<u32>,
        /// Only those of which something has traded
        #[arg(long)]
        executed_only: bool,
    },
    /// Orders of the past
    OrderHistory {
        /// cash, margin, or an account id
        account: String,
        #[arg(long)]
        symbol: Option<String>,
        /// From here on, oldest first, UTC milliseconds
        #[arg(long, value_name = "MS")]
        start: Option<u64>,
        /// Up to here, UTC milliseconds
        #[arg(long, value_name = "MS")]
        end: Option<u64>,
        /// From this record on, oldest first
        #[arg(long)]
        seq_num: Option<u64>,
        /// Of a page: at most 1000
        #[arg(long, value_parser = value_parser!(u32).range(1..=1000))]
        limit: Option<u32>,
        /// Page after page to the end
        #[arg(long)]
        all: bool,
    },
}

#[derive(Args)]
pub(crate) struct Place {
    /// cash or margin
    category: AccountCategory,
    symbol: String,
    /// buy or sell
    side: SideArg,
    /// The type
    #[arg(value_name = "TYPE")]
    order_type: TypeArg,
    /// In the base asset
    #[arg(value_name = "QTY", allow_negative_numbers = true)]
    quantity: String,
    /// Of limit and stop-limit orders, in the quote asset
    #[arg(long, allow_negative_numbers = true)]
    price: Option<String>,
    /// Of stop orders, in the quote asset
    #[arg(long, allow_negative_numbers = true)]
    stop_price: Option<String>,
    /// The client's id; drawn at random if not given
    #[arg(long)]
    id: Option<String>,
    /// Limit orders only: never take
    #[arg(long)]
    post_only: bool,
    /// Limit orders only: gtc, ioc or fok
    #[arg(long)]
    tif: Option<String>,
    /// What the answer waits for: ack, accept or done
    #[arg(long)]
    resp: Option<String>,
    /// Where the answer is lost, find out until the time-out what became of the order
    #[arg(long)]
    settle: bool,
    #[command(flatten)]
    over: OverArg,
}

/// The way that a call goes.
#[derive(Args, Clone, Copy)]
pub(crate) struct OverArg {
    /// REST, or the stream
    #[arg(long, value_enum, default_value = "rest")]
    over: Over,
}

#[derive(Clone, Copy, ValueEnum)]
enum Over {
    Rest,
    Ws,
}

#[derive(Clone, Copy, ValueEnum)]
enum SideArg {
    Buy,
    Sell,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TypeArg {
    Limit,
    Market,
    StopLimit,
    StopMarket,
}

/// An order in parts, as a command line or a file has it.
pub(crate) struct Parts<'a> {
    pub(crate) symbol: &'a str,
    pub(crate) side: Side,
    pub(crate) order_type: TypeArg,
    pub(crate) quantity: &'a str,
    pub(crate) price: Option<&'a str>,
    pub(crate) stop_price: Option<&'a str>,
    pub(crate) post_only: bool,
    pub(crate) tif: Option<TimeInForce>,
    pub(crate) respond: Option<Respond>,
    pub(crate) id: Option<&'a str>,
    pub(crate) time: Option<u64>,
}

impl Parts<'_> {
    /// The order, if the parts are those that its type needs and allows.
    pub(crate) fn order(self) -> Result<NewOrder, Failure> {
        use TypeArg::{Limit, Market, StopLimit, StopMarket};
        let Self { symbol, side, order_type, quantity, .. } = self;
        let needed = |name: &str, value: Option<_>, types: [TypeArg; 2]| match (types.contains(&order_type), value) {
            (true, None) => Err(Failure::usage(format!("{name}: this type of order needs one"))),
            (false, Some(_)) => Err(Failure::usage(format!("{name}: this type of order has none"))),
            (_, value) => Ok(value.unwrap_or_default()),
        };
        let price = needed("orderPrice", self.price, [Limit, StopLimit])?;
        let stop_price = needed("stopPrice", self.stop_price, [StopLimit, StopMarket])?;
        if order_type != Limit && (self.post_only || self.tif.is_some()) {
            return Err(Failure::usage("postOnly and timeInForce are for limit orders"));
        }
        if self.post_only && matches!(self.tif, Some(TimeInForce::Ioc | TimeInForce::Fok)) {
            return Err(Failure::usage("a post-only order stands: its timeInForce is GTC"));
        }
        let order = match order_type {
            Limit => {
                let order = NewOrder::limit(symbol, side, quantity, price)?;
                let order = if self.post_only { order.post_only() } else { order };
                match self.tif {
                    Some(tif) => order.time_in_force(tif).into(),
                    None => order.into(),
                }
            }
            Market => NewOrder::market(symbol, side, quantity)?,
            StopLimit => NewOrder::stop_limit(symbol, side, quantity, price, stop_price)?,
            StopMarket => NewOrder::stop_market(symbol, side, quantity, stop_price)?,
        };
        let order = set(order, self.respond, NewOrder::respond);
        let order = set(order, self.time, NewOrder::time);
        Ok(set(order, self.id.map(ClientOrderId::new).transpose()?, NewOrder::id))
    }
}

impl OrderCommand {
    /// `deadline` bounds what goes over the stream; the client has its own.
    pub(crate) fn run(self, client: &Client, output: &Output, deadline: Instant) -> Result<(), Failure> {
        let way = Some(Authentication::Header);
        match self {
            Self::Place(place) => {
                let category = place.category;
                let (over, settle) = (place.over.over, place.settle);
                let order = place.order()?;
                if settle {
                    return settled(
                        match over {
                            Over::Rest => client.account(category)?.place_settled(&order, deadline)?,
                            Over::Ws => {
                                ask(client, way, deadline, |stream| stream.place_settled(category, &order, deadline))?
                            }
                        },
                        output,
                    );
                }
                let answer = match over {
                    Over::Rest => client.account(category)?.place(&order)?,
                    Over::Ws => ask(client, way, deadline, |stream| stream.place(category, &order))?,
                };
                output.value(&answer, |answer| outcomes([&answer.info]))
            }
            Self::PlaceBatch { category, file } => {
                let orders = orders_of(&contents(&file)?)?;
                output.value(&client.account(category)?.place_batch(&orders)?, |answer| outcomes(&answer.info))
            }
            Self::Cancel { category, order_id, symbol, id, over } => {
                let cancel = set(CancelOrder::new(order_id, symbol)?, parsed(id)?, CancelOrder::id);
                let answer = match over.over {
                    Over::Rest => client.account(category)?.cancel(&cancel)?,
                    Over::Ws => Some(ask(client, way, deadline, |stream| stream.cancel(category, &cancel))?),
                };
                match answer {
                    Some(answer) => output.value(&answer, |answer| outcomes([&answer.info])),
                    None => output.done(),
                }
            }
            Self::CancelBatch { category, file } => {
                let cancels = cancels_of(&contents(&file)?)?;
                match client.account(category)?.cancel_batch(&cancels)? {
                    Some(answer) => output.value(&answer, |answer| outcomes(&answer.info)),
                    None => output.done(),
                }
            }
            Self::CancelAll { category, symbol, over } => {
                let symbol = parsed(symbol)?;
                let answer = match over.over {
                    Over::Rest => client.account(category)?.cancel_all(symbol)?,
                    Over::Ws => Some(ask(client, way, deadline, |stream| stream.cancel_all(category, symbol))?),
                };
                match answer {
                    Some(answer) => output.value(&answer, |answer| {
                        let mut table = Table::of_pairs();
                        table.row([&"taken", &or_dash(answer.info.timestamp.map(time))]);
                        table
                    }),
                    None => output.done(),
                }
            }
            Self::Order { category, ids } => {
                let ids = ids.iter().map(|id| id.parse()).collect::<Result<Vec<OrderId>, _>>()?;
                let account = client.account(category)?;
                match ids.as_slice() {
                    [id] => output.value(&account.order(id)?, |order| orders(order.as_slice())),
                    several => output.rows(&account.orders(several)?, orders),
                }
            }
            Self::OpenOrders { category, symbol, over } => {
                let symbol = parsed(symbol)?;
                match over.over {
                    Over::Rest => output.rows(&client.account(category)?.open_orders(symbol)?, orders),
                    Over::Ws => {
                        let open = |stream: &StreamHandle| stream.open_orders(category, symbol.as_slice());
                        output.rows(&ask(client, way, deadline, open)?, order_states)
                    }
                }
            }
            Self::OrderHistoryCurrent { category, symbol, n, executed_only } => {
                let query = set(RecentOrdersQuery::new(), parsed(symbol)?, RecentOrdersQuery::symbol);
                let query = set(query, n, RecentOrdersQuery::n);
                let query = if executed_only { query.executed_only() } else { query };
                output.rows(&client.account(category)?.recent_orders(&query)?, orders)
            }
            Self::OrderHistory { account, symbol, start, end, seq_num, limit, all } => {
                let query = set(OrderHistoryQuery::new(), parsed(symbol)?, OrderHistoryQuery::symbol);
                let query = set(query, start, OrderHistoryQuery::start_time);
                let query = set(query, end, OrderHistoryQuery::end_time);
                let query = set(query, seq_num, OrderHistoryQuery::seq_num);
                let query = set(query, limit, OrderHistoryQuery::limit);
                let (category, query) = match account.parse::<AccountCategory>() {
                    Ok(category) => (category, query),
                    Err(_) => (AccountCategory::Cash, query.account(account)),
                };
                let account = client.account(category)?;
                let rows =
                    if all { whole(account.order_history_iter(&query)?)? } else { account.order_history(&query)? };
                output.rows(&rows, history)
            }
        }
    }
}

impl Place {
    fn order(self) -> Result<NewOrder, Failure> {
        let side = match self.side {
            SideArg::Buy => Side::Buy,
            SideArg::Sell => Side::Sell,
        };
        Parts {
            symbol: &self.symbol,
            side,
            order_type: self.order_type,
            quantity: &self.quantity,
            price: self.price.as_deref(),
            stop_price: self.stop_price.as_deref(),
            post_only: self.post_only,
            tif: parsed(self.tif)?,
            respond: parsed(self.resp)?,
            id: self.id.as_deref(),
            time: None,
        }
        .order()
    }
}

/// Tells what became of an order. One that the exchange does not have, or may not have, is a failure.
fn settled(settled: Settled, output: &Output) -> Result<(), Failure> {
    match settled {
        Settled::Placed { order_id, order, .. } => {
            let placed = json!({"settled": "placed", "orderId": order_id, "order": order});
            output.value(&placed, |_| match order {
                Some(order) => orders(&[*order]),
                None => {
                    let mut table = Table::new(["ANSWER", "ORDER ID"]);
                    table.row([&"placed", &order_id]);
                    table
                }
            })
        }
        Settled::Refused(refusal) => Err(Error::Refused(refusal).into()),
        Settled::Absent => Err(Failure::Absent),
        Settled::Unknown { order_id, error, .. } => Err(Failure::Unknown(order_id, *error)),
        other => Err(Failure::usage(format!("{other:?}"))),
    }
}

/// All pages; a record that cannot be read is told and left out.
fn whole(orders: bitmax::OrderHistoryIter) -> Result<Rows<HistoryOrder>, Failure> {
    let (progress, mut rows) = (progress(None), Vec::new());
    for order in orders {
        match order {
            Ok(order) => rows.push(order),
            Err(bitmax::Error::Decode(e)) if e.is_of_row() => progress.suspend(|| eprintln!("{e}")),
            Err(e) => return Err(e.into()),
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(rows.into())
}

/// What a file holds; `-` is standard input.
fn contents(file: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = match file {
        "-" => std::io::stdin().read_to_string(&mut text).map(drop),
        path => std::fs::read_to_string(path).map(|contents| text = contents),
    };
    read.map_err(|e| Failure::usage(format!("{file}: {e}")))?;
    Ok(text)
}

fn outcomes<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Table {
    let mut table = Table::new(["ANSWER", "ORDER ID", "ID", "SYMBOL", "STATUS", "FILLED", "AVERAGE"]);
    for outcome in outcomes {
        match outcome {
            Outcome::Ack(Ack { id, order_id, symbol, .. }) => {
                table.row([&"acknowledged", order_id, id, &or_dash(*symbol)]);
            }
            Outcome::Accept(order) | Outcome::Done(order) => table.row([
                &if matches!(outcome, Outcome::Accept(_)) { "accepted" } else { "done" },
                &order.order_id,
                &order.id,
                &order.symbol,
                &order.status,
                &order.cum_filled_qty,
                &or_dash(order.avg_px),
            ]),
            Outcome::Refused(refused) => table.row([&"refused", refused]),
            other => table.row([&format!("{other:?}")]),
        }
    }
    table
}

fn orders(orders: &[Order]) -> Table {
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
            &order.side,
            &order.order_type,
            &or_dash(order.price),
            &or_dash(order.stop_price),
            &order.order_qty,
            &order.cum_filled_qty,
            &or_dash(order.avg_px),
            &order.status,
            &or_dash(order.last_exec_time.map(time)),
        ]);
    }
    table
}

fn history(orders: &[HistoryOrder]) -> Table {
    let mut table = Table::new([
        "SEQNUM",
        "CREATED (UTC)",
        "ORDER ID",
        "SYMBOL",
        "SIDE",
        "TYPE",
        "PRICE",
        "QUANTITY",
        "FILLED",
        "AVERAGE",
        "STATUS",
    ]);
    for order in orders {
        table.row([
            &order.seq_num,
            &time(order.create_time),
            &order.order_id,
            &order.symbol,
            &order.side,
            &order.order_type,
            &or_dash(order.price),
            &order.order_qty,
            &order.fill_qty,
            &or_dash(order.avg_fill_price),
            &order.status,
        ]);
    }
    table
}
