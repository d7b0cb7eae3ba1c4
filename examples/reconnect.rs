//! What goes wrong on the way to an exchange, and what a program sees of it: faults injected into an exchange inside
//! the program, one after another.
//!
//! ```text
//! cargo run --example reconnect
//! ```
//!
//! Prints each fault and the events and errors that come of it. It ends by itself, with an error if anything was not
//! mended.

use std::error::Error;
use std::time::{Duration, Instant};

use bitmax::model::{AccountCategory, Side};
use bitmax::sandbox::{Break, Fault, OrderRequest, Reply, Sandbox};
use bitmax::{BookChange, Channel, Client, Event, NewOrder, OrderBook, Settled, Stream};

const CASH: AccountCategory = AccountCategory::Cash;
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<(), Box<dyn Error>> {
    env_logger::init();
    let sandbox = Sandbox::start()?;
    let builder = Client::builder(sandbox.endpoint()).credentials(sandbox.credentials());
    let client = builder.read_timeout(Duration::from_secs(1)).build()?;
    let account = client.account(CASH)?;
    let stream = client
        .stream()
        .subscribe(Channel::depth(["BTC/USDT"]))
        .subscribe(Channel::orders(CASH))
        .backoff(Duration::from_millis(100), Duration::from_secs(1)) // the default begins with 250 ms
        .connect()?;
    let mut book = OrderBook::new("BTC/USDT".try_into()?);
    stream.request_snapshot(book.symbol())?;
    while !book.is_live() {
        step(&stream, &mut book)?;
    }

    println!("\n1. The connection breaks, and twice another cannot be had");
    sandbox.inject(Fault::Refuse(Reply::new(502)).at("UPGRADE *").times(2));
    for session in sandbox.sessions() {
        session.break_off(Break::After(0));
    }
    lose_and_mend(&stream, &mut book)?;
    // Subscriptions are restored by then: what happens to orders is told again.
    sandbox.user().place(&OrderRequest::buy("BTC/USDT", "0.01").limit("30000"))?;
    while !matches!(step(&stream, &mut book)?, Event::Order(_)) {}

    println!("\n2. A change of the book is lost on the way");
    sandbox.inject(Fault::LoseMessage.at("depth:BTC/USDT"));
    lose_and_mend(&stream, &mut book)?;

    println!("\n3. A proxy answers in the exchange's place, twice");
    let busy = sandbox.inject(Fault::Refuse(Reply::new(503)).at("GET */spot/ticker").times(2));
    println!("ticker: {}, after {} answers of 503", client.market().ticker("BTC/USDT")?.close, busy.hits());

    println!("\n4. An order is placed, but its answer is lost");
    sandbox.inject(Fault::LoseAnswer.at("POST */order"));
    let order = NewOrder::limit("BTC/USDT", Side::Buy, "0.01", "30001")?;
    match account.place(&order) {
        Err(error) => println!("error: {error}; may have executed: {}", error.may_have_executed()),
        Ok(answer) => return Err(format!("answered: {answer:?}").into()),
    }
    sandbox.inject(Fault::LoseAnswer.at("POST */order"));
    match account.place_settled(&order, Instant::now() + PATIENCE)? {
        Settled::Placed { .. } => println!("the same with place_settled: placed, once, and that is certain"),
        other => return Err(format!("not placed: {other:?}").into()),
    }
    println!("open orders: {}", account.open_orders(None)?.len());

    println!("\nreconnections of the stream: {}", stream.stats().reconnections);
    Ok(())
}

/// One event: into the book where it is of the book, else printed.
fn step(stream: &Stream, book: &mut OrderBook) -> Result<Event, Box<dyn Error>> {
    let event = stream.recv_timeout(PATIENCE)?;
    match &event {
        Event::Depth(depth) => match book.apply(depth)? {
            BookChange::Built => println!("book: live"),
            BookChange::Lost => {
                println!("book: {:?}", book.status());
                stream.request_snapshot(book.symbol())?;
            }
            _ => {}
        },
        Event::Disconnected(_) => book.restart(),
        Event::Reconnected { .. } => stream.request_snapshot(book.symbol())?,
        _ => {}
    }
    print(&event);
    Ok(event)
}

/// Until the book is no longer true, and then until it is again.
fn lose_and_mend(stream: &Stream, book: &mut OrderBook) -> Result<(), Box<dyn Error>> {
    while book.is_live() {
        step(stream, book)?;
    }
    while !book.is_live() {
        step(stream, book)?;
    }
    Ok(())
}

fn print(event: &Event) {
    match event {
        Event::Connected { authenticated, .. } => println!("connected, authenticated: {authenticated}"),
        Event::Subscribed(channel) => println!("subscribed: {channel}"),
        Event::Disconnected(outage) => println!("disconnected: {}; again in {:?}", outage.error, outage.retry_in),
        Event::ConnectFailed(outage) => println!("in vain: {}; again in {:?}", outage.error, outage.retry_in),
        Event::Reconnected { attempts, down_for, .. } => {
            println!("reconnected after {down_for:?}, {attempts} attempts")
        }
        Event::Order(update) => println!("order: {} {}", update.data.data.order_id, update.data.data.status),
        _ => {}
    }
}
