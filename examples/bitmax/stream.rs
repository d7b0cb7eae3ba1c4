//! What goes over the stream: `watch`, `book` and `request`.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use bitmax::model::{AccountCategory, Level};
use bitmax::{
    Authentication, Book, Channel, Client, CloseReason, Error, Event, OrderBook, Stream, StreamBuilder, StreamHandle,
    Symbol,
};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::events::{Room, is_data, json_of, line_of};
use crate::failure::Failure;
use crate::interrupt::{closes, is_interrupted};
use crate::ladder::ladder;
use crate::output::{Output, or_dash, time};
use crate::record::RecordCommand;
use crate::request::RequestCommand;
use crate::screen::Screen;

#[derive(Subcommand)]
pub(crate) enum StreamCommand {
    /// Subscribe to channels and print events, one a line
    Watch {
        /// As on the wire: bbo, depth, depth-realtime, trades, summary (each with :SYMBOL,…), bar:INTERVAL:SYMBOL,
        /// ref-px:ASSET, order:cash, order:margin
        #[arg(required = true, value_name = "CHANNEL")]
        channels: Vec<Channel>,
        #[command(flatten)]
        auth: AuthArg,
        /// Have resting orders announced as Ready and failed cancels told; authenticates by a message
        #[arg(long)]
        ready_ack: bool,
        #[command(flatten)]
        end: End,
    },
    /// Follow the order book of a product
    Book {
        symbol: String,
        /// How many levels a side
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
        levels: u16,
        /// Each change as it happens; needs an account
        #[arg(long)]
        realtime: bool,
        #[command(flatten)]
        end: End,
    },
    Record(RecordCommand),
    /// Ask for data over the stream
    Request(RequestCommand),
}

/// Who the stream is for.
#[derive(Args, Clone, Copy)]
pub(crate) struct AuthArg {
    /// How to authenticate; by header if an account is needed and nothing else is said
    #[arg(long, value_enum, value_name = "WAY")]
    auth: Option<AuthWay>,
}

#[derive(Clone, Copy, ValueEnum)]
enum AuthWay {
    None,
    Header,
    Message,
}

impl AuthArg {
    /// The way to authenticate, for something that needs an account or not.
    pub(crate) fn way(self, needed: bool) -> Result<Option<Authentication>, Failure> {
        match self.auth {
            None => Ok(needed.then_some(Authentication::Header)),
            Some(AuthWay::None) if needed => Err(Failure::usage("--auth none: this needs an account")),
            Some(AuthWay::None) => Ok(None),
            Some(AuthWay::Header) => Ok(Some(Authentication::Header)),
            Some(AuthWay::Message) => Ok(Some(Authentication::Message)),
        }
    }
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
    /// How the command authenticates; not at all where it needs no account.
    pub(crate) fn way(&self) -> Result<Option<Authentication>, Failure> {
        match self {
            Self::Watch { channels, auth, ready_ack, .. } => {
                auth.way(*ready_ack || channels.iter().any(Channel::is_private))
            }
            Self::Book { realtime, .. } => Ok(realtime.then_some(Authentication::Header)),
            Self::Record(command) => Ok(command.is_private().then_some(Authentication::Header)),
            Self::Request(command) => command.way(),
        }
    }

    /// `deadline` bounds the connecting, and all of a request.
    pub(crate) fn run(self, client: &Client, json: bool, deadline: Instant) -> Result<(), Failure> {
        let way = self.way()?;
        match self {
            Self::Watch { channels, ready_ack, end, .. } => {
                let builder = stream_by(client, way, deadline)?;
                watch(if ready_ack { builder.ready_ack() } else { builder }, channels, &end, json)
            }
            Self::Book { symbol, levels, realtime, end } => {
                let symbol: Symbol = symbol.parse()?;
                let stream = stream_by(client, way, deadline)?.connect()?;
                let book = if realtime { stream.book_realtime(symbol) } else { stream.book(symbol) }?;
                follow(&stream, book, levels.into(), &end, json)
            }
            Self::Record(command) => command.run(stream_by(client, way, deadline)?, json),
            Self::Request(command) => command.run(client, &Output::new(json), deadline),
        }
    }
}

/// A stream that is to be connected by the deadline.
fn stream_by(client: &Client, way: Option<Authentication>, deadline: Instant) -> Result<StreamBuilder, Failure> {
    let builder = match way {
        None => client.stream(),
        Some(way) => {
            // The address has the account group in it: asked for now, so that all that is left is for connecting.
            client.account(AccountCategory::Cash)?;
            client.stream().authenticate(way)
        }
    };
    Ok(builder.connect_timeout(left(deadline)))
}

/// One request on a stream of its own, answered by the deadline.
pub(crate) fn ask<T>(
    client: &Client,
    way: Option<Authentication>,
    deadline: Instant,
    request: impl FnOnce(&StreamHandle) -> bitmax::Result<T>,
) -> Result<T, Failure> {
    let stream = stream_by(client, way, deadline)?.connect()?;
    Ok(request(&stream.with_request_timeout(left(deadline)))?)
}

/// The time that is left; never nothing, which no setting takes.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

fn watch(builder: StreamBuilder, channels: Vec<Channel>, end: &End, json: bool) -> Result<(), Failure> {
    let stream = channels.into_iter().fold(builder, StreamBuilder::subscribe).connect()?;
    closes(&stream);
    let begun = Instant::now();
    let (mut out, mut events) = (io::stdout().lock(), 0);
    let ended = each(&stream, end, |event| {
        if json {
            writeln!(out, "{}", json_of(&event)?)?;
        } else if let Some(line) = line_of(&event, Room::of_stdout()) {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        events += u64::from(is_data(&event));
        Ok(is_data(&event))
    });
    summary(events, "events", begun);
    ended
}

/// What there was, where somebody has interrupted it.
fn summary(count: u64, of: &str, begun: Instant) {
    if is_interrupted() {
        eprintln!("{count} {of} in {:.1} s", begun.elapsed().as_secs_f64());
    }
}

/// Prints a book at each change, until it is time to stop.
fn follow(stream: &Stream, mut book: Book, levels: usize, end: &End, json: bool) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let mut screen = (!json && out.is_terminal()).then(Screen::new);
    closes(stream);
    let (begun, mut changes) = (Instant::now(), 0);
    let until = end.time.map(|time| Instant::now() + time);
    let mut left = end.count;
    while left != Some(0) {
        let patience = until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
        match book.wait(patience) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            // Its last event says why.
            Err(Error::Closed) => {
                summary(changes, "changes", begun);
                return each(stream, &End { count: None, time: None }, |_| Ok(false));
            }
            Err(e) => return Err(e.into()),
        }
        changes += 1;
        if let Some(screen) = &mut screen {
            let (width, height) = screen.size();
            // A head of two lines, one between the sides, and the last is left for the cursor.
            let levels = levels.min(height.saturating_sub(4) / 2);
            screen.draw(ladder(&book.top(levels), levels, width))?;
            left = left.map(|left| left - 1);
            continue;
        }
        let book = book.top(levels);
        if json {
            writeln!(out, "{}", json_of_book(&book)?)?;
        } else {
            write_book(&mut out, &book)?;
        }
        out.flush()?;
        left = left.map(|left| left - 1);
    }
    Ok(())
}

/// Hands every event over, until it is time to stop; `show` says whether it counts.
pub(crate) fn each(
    stream: &Stream,
    end: &End,
    mut show: impl FnMut(Event) -> Result<bool, Failure>,
) -> Result<(), Failure> {
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
            Event::Closed(CloseReason::Requested) if is_interrupted() => return Ok(()),
            Event::Closed(CloseReason::GaveUp(error)) => return Err((*error).into()),
            Event::Closed(_) => return Err(Error::Closed.into()),
            Event::SubscriptionFailed(failed) if failed.retry_in.is_none() => {
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

fn json_of_book(book: &OrderBook) -> Result<String, Failure> {
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
        bids: book.bids().collect(),
        asks: book.asks().collect(),
    };
    Ok(serde_json::to_string(&line).map_err(io::Error::from)?)
}

fn write_book(out: &mut impl Write, book: &OrderBook) -> io::Result<()> {
    let (Some(seqnum), true) = (book.seqnum(), book.is_live()) else {
        return writeln!(out, "{} {:?}", book.symbol(), book.status());
    };
    // The snapshot of the realtime channel has no time.
    let when = or_dash(book.ts().filter(|ts| *ts > 0).map(time));
    writeln!(out, "{when} {} {seqnum}", book.symbol())?;
    let asks: Vec<Level> = book.asks().collect();
    for level in asks.iter().rev() {
        writeln!(out, "  ask {:>16} {:>16}", level.price, level.size)?;
    }
    for level in book.bids() {
        writeln!(out, "  bid {:>16} {:>16}", level.price, level.size)?;
    }
    Ok(())
}
