//! What goes over the stream: `watch` and `book`.

use std::io::{self, Write};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use bitmax::model::Level;
use bitmax::{Channel, Client, CloseReason, Error, Event, OrderBook, Stream, StreamBuilder, Symbol};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use crate::failure::Failure;
use crate::output::time;

#[derive(Subcommand)]
pub(crate) enum StreamCommand {
    /// Subscribe to channels and print events, one a line
    Watch {
        /// As on the wire: bbo:BTC/USDT, bar:1:BTC/USDT
        #[arg(required = true, value_name = "CHANNEL")]
        channels: Vec<Channel>,
        #[command(flatten)]
        end: End,
    },
    /// Follow the order book of a product
    Book {
        symbol: String,
        /// How many levels a side
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
        levels: u16,
        #[command(flatten)]
        end: End,
    },
}

/// When to stop, if not interrupted.
#[derive(Args)]
pub(crate) struct End {
    /// After so many data events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// After so many seconds
    #[arg(long = "for", value_name = "SECONDS", value_parser = crate::seconds)]
    time: Option<Duration>,
}

impl StreamCommand {
    /// `deadline` bounds the connecting.
    pub(crate) fn run(self, client: &Client, json: bool, deadline: Instant) -> Result<(), Failure> {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let builder = client.stream().connect_timeout(left);
        match self {
            Self::Watch { channels, end } => watch(builder, channels, &end, json),
            Self::Book { symbol, levels, end } => book(builder, symbol.parse()?, usize::from(levels), &end, json),
        }
    }
}

fn watch(builder: StreamBuilder, channels: Vec<Channel>, end: &End, json: bool) -> Result<(), Failure> {
    let stream = channels.into_iter().fold(builder, StreamBuilder::subscribe).connect()?;
    let mut out = io::stdout().lock();
    each(&stream, end, |event| {
        if json {
            writeln!(out, "{}", json_of(&event)?)?;
        } else if let Some(line) = line_of(&event) {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        Ok(is_data(&event))
    })
}

fn book(builder: StreamBuilder, symbol: Symbol, levels: usize, end: &End, json: bool) -> Result<(), Failure> {
    let stream = builder.subscribe(Channel::depth([symbol])).connect()?;
    let mut book = OrderBook::new(symbol);
    stream.request_snapshot(symbol)?;
    let mut out = io::stdout().lock();
    each(&stream, end, |event| {
        match &event {
            Event::Depth(depth) => {
                let asked = book.needs_snapshot();
                book.apply(depth)?;
                if book.needs_snapshot() && (!asked || depth.kind.is_snapshot()) {
                    stream.request_snapshot(symbol)?;
                }
            }
            Event::Disconnected(_) => book.restart(),
            Event::Reconnected { .. } => {
                stream.request_snapshot(symbol)?;
                return Ok(false);
            }
            _ => return Ok(false),
        }
        if json {
            writeln!(out, "{}", json_of_book(&book, levels)?)?;
        } else {
            write_book(&mut out, &book, levels)?;
        }
        out.flush()?;
        Ok(matches!(event, Event::Depth(_)))
    })
}

/// Hands every event over, until it is time to stop; `show` says whether it counts.
fn each(stream: &Stream, end: &End, mut show: impl FnMut(Event) -> Result<bool, Failure>) -> Result<(), Failure> {
    let until = end.time.map(|time| Instant::now() + time);
    let mut left = end.count;
    while left != Some(0) {
        let event = match until {
            None => stream.recv().map_err(|_| Error::Closed)?,
            Some(until) => match stream.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Closed.into()),
            },
        };
        match event {
            Event::Closed(CloseReason::GaveUp(error)) => return Err((*error).into()),
            Event::Closed(_) => return Err(Error::Closed.into()),
            Event::SubscriptionFailed(failed) if failed.refusal.is_some() => {
                let refusal = failed.refusal.into_iter().map(Box::new).map(Error::Refused);
                return refusal.map(|error| Err(error.into())).next().unwrap_or(Ok(()));
            }
            event => {
                if show(event)? {
                    left = left.map(|left| left - 1);
                }
            }
        }
    }
    Ok(())
}

fn is_data(event: &Event) -> bool {
    matches!(
        event,
        Event::Bbo(_)
            | Event::Depth(_)
            | Event::Trades(_)
            | Event::Bar(_)
            | Event::RefPrice(_)
            | Event::Unknown(_)
            | Event::Undecodable(_)
    )
}

/// `{"event":…}` with the fields of the wire's message beside it.
fn json_of(event: &Event) -> Result<String, Failure> {
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
        Event::Connected { authenticated } => {
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
        Event::Reconnected { attempts, down_for } => {
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
fn line_of(event: &Event) -> Option<String> {
    Some(match event {
        Event::Bbo(bbo) => format!("{} bbo {} {} | {}", time(bbo.ts), bbo.symbol, level(bbo.bid), level(bbo.ask)),
        Event::Depth(depth) => format!(
            "{} depth {} {} bids {} asks {}",
            time(depth.ts),
            depth.symbol,
            depth.seqnum,
            depth.bids.len(),
            depth.asks.len()
        ),
        Event::Trades(trades) => {
            let line = |trade: &bitmax::model::Trade| {
                let side = if trade.buyer_is_maker { "sell" } else { "buy" };
                format!("{} trade {} {side} {} @ {}", time(trade.ts), trades.symbol, trade.size, trade.price)
            };
            trades.trades.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        Event::Bar(bar) => format!(
            "{} bar {} {} o {} h {} l {} c {} v {}",
            time(bar.ts),
            bar.interval,
            bar.symbol,
            bar.open,
            bar.high,
            bar.low,
            bar.close,
            bar.volume
        ),
        Event::RefPrice(price) => format!("ref-px {} {} {}", price.asset, price.price, price.quote_asset),
        Event::Subscribed(_) | Event::Unsubscribed(_) => return None,
        Event::Connected { .. } => "connected".to_owned(),
        Event::Disconnected(outage) => format!("disconnected: {}; again in {:?}", outage.error, outage.retry_in),
        Event::ConnectFailed(outage) => format!("cannot connect: {}; again in {:?}", outage.error, outage.retry_in),
        Event::Reconnected { down_for, .. } => format!("reconnected after {down_for:?}"),
        Event::SubscriptionFailed(failed) => format!("{} is not acknowledged", failed.channel),
        Event::Refused(refusal) => refusal.to_string(),
        Event::Unknown(unknown) => format!("unknown: {}", unknown.text),
        Event::Undecodable(data) => format!("{}: {}", data.error, data.text),
        other => format!("{other:?}"),
    })
}

fn level(level: Option<Level>) -> String {
    level.map_or_else(|| "-".to_owned(), |level| format!("{} @ {}", level.size, level.price))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn json_of_book(book: &OrderBook, levels: usize) -> Result<String, Failure> {
    #[derive(Serialize)]
    struct Line {
        symbol: Symbol,
        seqnum: Option<u64>,
        ts: Option<u64>,
        synced: bool,
        bids: Vec<Level>,
        asks: Vec<Level>,
    }
    let line = Line {
        symbol: book.symbol(),
        seqnum: book.seqnum(),
        ts: book.ts(),
        synced: book.is_live(),
        bids: book.bids().take(levels).collect(),
        asks: book.asks().take(levels).collect(),
    };
    Ok(serde_json::to_string(&line).map_err(io::Error::from)?)
}

fn write_book(out: &mut impl Write, book: &OrderBook, levels: usize) -> io::Result<()> {
    let (Some(seqnum), true) = (book.seqnum(), book.is_live()) else {
        return writeln!(out, "{} {:?}", book.symbol(), book.status());
    };
    writeln!(out, "{} {} {seqnum}", time(book.ts().unwrap_or_default()), book.symbol())?;
    let asks: Vec<Level> = book.asks().take(levels).collect();
    for level in asks.iter().rev() {
        writeln!(out, "  ask {:>16} {:>16}", level.price, level.size)?;
    }
    for level in book.bids().take(levels) {
        writeln!(out, "  bid {:>16} {:>16}", level.price, level.size)?;
    }
    Ok(())
}
