//! How an event of the stream is printed: as JSON with the names of the wire, or as a line for people.

use std::io;
use std::time::Duration;

use bitmax::Event;
use bitmax::model::{Bar, Level, OrderState, Side};
use console::{Style, Term};
use serde::Serialize;
use serde_json::json;

use crate::calendar::clock;
use crate::failure::Failure;
use crate::output::or_dash;

/// Whether an event counts: what the exchange has to say, and not how the connection is.
pub(crate) fn is_data(event: &Event) -> bool {
    matches!(
        event,
        Event::Bbo(_)
            | Event::Depth(_)
            | Event::Trades(_)
            | Event::Bar(_)
            | Event::RefPrice(_)
            | Event::Order(_)
            | Event::CancelRejected(_)
            | Event::Balance(_)
            | Event::Unknown(_)
            | Event::Undecodable(_)
    )
}

/// `{"event":…}` with the fields of the wire's message beside it.
pub(crate) fn json_of(event: &Event) -> Result<String, Failure> {
    fn message(name: &str, data: &impl Serialize) -> serde_json::Result<String> {
        let text = serde_json::to_string(data)?;
        Ok(format!(r#"{{"event":"{name}",{}"#, text.trim_start_matches('{')))
    }
    let text = match event {
        Event::Bbo(bbo) => message("bbo", &bbo.data),
        Event::Depth(depth) => message("depth", &depth.data),
        Event::Trades(trades) => message("trades", &trades.data),
        Event::Bar(bar) => message("bar", &bar.data),
        Event::RefPrice(price) => message("ref-px", &price.data),
        Event::Order(order) => message("order", &order.data),
        Event::CancelRejected(cancel) => message("cancel-rejected", &cancel.data),
        Event::Balance(balance) => message("balance", &balance.data),
        Event::LateAnswer(answer) => Ok(json!({"event": "late-answer", "text": answer.text}).to_string()),
        Event::Connected { authenticated, .. } => {
            Ok(json!({"event": "connected", "type": if *authenticated { "auth" } else { "unauth" }}).to_string())
        }
        Event::Disconnected(outage) => Ok(json!({
            "event": "disconnected", "message": outage.error.to_string(), "retryInMs": millis(outage.retry_in)
        })
        .to_string()),
        Event::ConnectFailed(outage) => Ok(json!({
            "event": "connect-failed", "message": outage.error.to_string(), "retryInMs": millis(outage.retry_in)
        })
        .to_string()),
        Event::Reconnected { attempts, down_for, .. } => {
            Ok(json!({"event": "reconnected", "attempts": attempts, "downForMs": millis(*down_for)}).to_string())
        }
        Event::Subscribed(channel) => Ok(json!({"event": "sub", "ch": channel}).to_string()),
        Event::Unsubscribed(channel) => Ok(json!({"event": "unsub", "ch": channel}).to_string()),
        Event::SubscriptionFailed(failed) => Ok(json!({"event": "sub-failed", "ch": failed.channel}).to_string()),
        Event::Lagged(lag) => {
            let dropped: serde_json::Map<_, _> =
                lag.dropped.iter().map(|(channel, n)| (channel.to_string(), (*n).into())).collect();
            Ok(json!({"event": "lagged", "dropped": dropped}).to_string())
        }
        Event::Refused(refusal) => {
            Ok(json!({"event": "error", "code": refusal.code, "reason": refusal.reason, "info": refusal.message})
                .to_string())
        }
        Event::Unknown(unknown) => Ok(json!({"event": "unknown", "text": unknown.text}).to_string()),
        Event::Undecodable(data) => {
            Ok(json!({"event": "undecodable", "text": data.text, "message": data.error.to_string()}).to_string())
        }
        other => Ok(json!({"event": "other", "message": format!("{other:?}")}).to_string()),
    };
    Ok(text.map_err(io::Error::from)?)
}

/// A line for people; nothing for what they need not see.
pub(crate) fn line_of(event: &Event, room: Room) -> Option<String> {
    Some(match event {
        Event::Bbo(bbo) => {
            let (bid, ask) = (green().apply_to(level(bbo.bid)), red().apply_to(level(bbo.ask)));
            room.line(bbo.ts, "bbo", bbo.symbol, format!("{bid} | {ask}"))
        }
        Event::Depth(depth) => {
            let (bids, asks) = (depth.bids.len(), depth.asks.len());
            room.line(depth.ts, "depth", depth.symbol, format!("{} bids {bids:>3} asks {asks:>3}", depth.seqnum))
        }
        Event::Trades(trades) => {
            let one = |trade: &bitmax::model::Trade| {
                let (side, style) = if trade.buyer_is_maker { ("sell", red()) } else { ("buy", green()) };
                let what = level(Some(Level { price: trade.price, size: trade.size }));
                room.line(trade.ts, "trade", trades.symbol, format!("{what} {}", style.apply_to(side)))
            };
            trades.trades.iter().map(one).collect::<Vec<_>>().join("\n")
        }
        Event::Bar(bar) => bar_line(bar, room),
        Event::RefPrice(price) => {
            let ts = price.ts.unwrap_or(price.received / 1_000_000);
            room.line(ts, "ref-px", price.asset, format!("{:>9} @ {} {}", "", price.price, price.quote_asset))
        }
        Event::Order(order) => order_line(&order.data.data, room),
        Event::CancelRejected(cancel) => {
            let cancel = &cancel.data.data;
            let reason = or_dash(cancel.text.as_ref());
            let what = format!("cancel of {} rejected: {} {reason}", cancel.orig_order_id, cancel.error);
            room.line(cancel.ts, "order", cancel.symbol, what)
        }
        Event::Balance(update) => {
            let (account, balance) = (or_dash(update.data.ac.as_ref()), &update.data.data);
            let (total, available) = (balance.total, balance.available);
            let what = room.first_that_fits(
                0,
                [
                    format!("{account} {total}, of it {available} available"),
                    format!("{account} {total}, {available} free"),
                ],
            );
            room.line(update.received / 1_000_000, "balance", balance.asset, what)
        }
        Event::LateAnswer(answer) => format!("late answer: {}", answer.text),
        Event::Lagged(lag) => {
            let dropped: Vec<String> = lag.dropped.iter().map(|(channel, n)| format!("{channel} {n}")).collect();
            format!("too slow, dropped: {}", dropped.join(", "))
        }
        Event::Subscribed(_) | Event::Unsubscribed(_) => return None,
        Event::Connected { .. } => "connected".to_owned(),
        Event::Disconnected(outage) => format!("disconnected: {}; again in {:?}", outage.error, outage.retry_in),
        Event::ConnectFailed(outage) => format!("cannot connect: {}; again in {:?}", outage.error, outage.retry_in),
        Event::Reconnected { down_for, .. } => format!("reconnected after {down_for:?}"),
        Event::SubscriptionFailed(failed) => match &failed.refusal {
            Some(refusal) => format!("{}: {refusal}", failed.channel),
            None => format!("{} is not acknowledged", failed.channel),
        },
        Event::Refused(refusal) => refusal.to_string(),
        Event::Unknown(unknown) => format!("unknown: {}", unknown.text),
        Event::Undecodable(data) => format!("{}: {}", data.error, data.text),
        other => format!("{other:?}"),
    })
}

/// How wide a line may be.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    columns: usize,
    is_terminal: bool,
}

impl Room {
    /// With less, times are without their milliseconds.
    const WIDE: usize = 100;

    /// Standard output as it is now. Where it is no terminal, 80 columns.
    pub(crate) fn of_stdout() -> Self {
        let terminal = Term::stdout().size_checked();
        Self { columns: terminal.map_or(80, |(_, columns)| columns.into()), is_terminal: terminal.is_some() }
    }

    /// Time, kind and name in columns, and what there is to say.
    fn line(self, ts: u64, kind: &str, name: impl ToString, what: String) -> String {
        let when = clock(ts);
        let when = if self.columns < Self::WIDE { when.get(..8).unwrap_or(&when) } else { &when };
        let head = Style::new().dim().apply_to(format!("{when} {kind:<7}"));
        format!("{head} {:<10} {what}", name.to_string())
    }

    /// The first of several ways to say something for which there is room beside the columns and so much else, or the
    /// last: figures are not cut.
    fn first_that_fits<const N: usize>(self, beside: usize, ways: [String; N]) -> String {
        let head = if self.columns < Self::WIDE { 28 } else { 32 };
        let room = self.columns.saturating_sub(head + beside);
        let last = ways.last().cloned().unwrap_or_default();
        ways.into_iter().find(|way| way.chars().count() <= room).unwrap_or(last)
    }
}

fn bar_line(bar: &Bar, room: Room) -> String {
    let Bar { open, high, low, close, volume, .. } = bar;
    let ways = [
        format!("o {open:<10}  h {high:<10}  l {low:<10}  c {close:<10}  v {volume}"),
        format!("o {open} h {high} l {low} c {close} v {volume}"),
        format!("o{open} h{high} l{low} c{close} v{volume}"),
        format!("{open} {high} {low} {close} {volume}"),
    ];
    room.line(bar.ts, &format!("bar {}", bar.interval), bar.symbol, room.first_that_fits(0, ways))
}

fn order_line(order: &OrderState, room: Room) -> String {
    let side = or_dash(order.side.as_ref());
    let [order_type, quantity, price] =
        [or_dash(order.order_type.as_ref()), or_dash(order.order_qty), or_dash(order.price)];
    let (status, id) = (&order.status, order.order_id);
    let filled = match (order.cum_filled_qty, order.avg_px) {
        (Some(filled), Some(price)) if !filled.is_zero() => format!("{filled} @ {price}"),
        (filled, _) => or_dash(filled),
    };
    let full = format!("{order_type:<6} {quantity} @ {price} {status}, filled {filled}  {id}");
    let limit = order.price.map_or(order_type, |price| format!("@ {price}"));
    let short = format!("{quantity} {limit} {status}, filled {filled}");
    // A file keeps the id, however long the line.
    let way = room.first_that_fits(side.len() + 1, if room.is_terminal { [full, short] } else { [full.clone(), full] });
    let style = if order.side == Some(Side::Buy) { green() } else { red() };
    room.line(order.ts, "order", order.symbol, format!("{} {way}", style.apply_to(side)))
}

/// Size and price of a level, in columns.
fn level(level: Option<Level>) -> String {
    let text =
        level.map_or_else(|| ("-".to_owned(), String::new()), |l| (l.size.to_string(), format!("@ {}", l.price)));
    format!("{:>9} {:<12}", text.0, text.1)
}

fn green() -> Style {
    Style::new().green()
}

fn red() -> Style {
    Style::new().red()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
