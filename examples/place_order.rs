//! The life of orders: what the rules ask, one that rests and is cancelled, one that trades, and one whose answer is lost.
//!
//! ```text
//! cargo run --example place_order
//! ```
//!
//! Prints each step and what the exchange says of it, on an exchange inside the program. It ends by itself.

use std::error::Error;
use std::time::{Duration, Instant};

use bitmax::model::{AccountCategory, OrderState, OrderStatus, Outcome, Side};
use bitmax::sandbox::{Fault, Sandbox};
use bitmax::{
    CancelOrder, Channel, Client, Decimal, Event, NewOrder, OrderId, Respond, Settled, SettledCancel, Stream,
    TimeInForce,
};

const SYMBOL: &str = "BTC/USDT";
const CASH: AccountCategory = AccountCategory::Cash;
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<(), Box<dyn Error>> {
    env_logger::init();
    let sandbox = Sandbox::start()?;
    let client = Client::builder(sandbox.endpoint())
        .credentials(sandbox.credentials())
        .read_timeout(Duration::from_secs(1)) // so that the lost answer below is soon given up
        .build()?;
    let account = client.account(CASH)?;
    // What befalls orders is told here, whoever placed them and over whichever way.
    let stream = client.stream().subscribe(Channel::orders(CASH)).connect()?;
    wait(&stream, |event| matches!(event, Event::Subscribed(_)))?;

    println!("1. The rules");
    let rules = account.load_rules()?; // from now on orders are checked before they are sent
    let odd = NewOrder::limit(SYMBOL, Side::Buy, "0.0123456789", "30000.001")?;
    match account.place(&odd) {
        Err(error) => println!("   not sent: {error}"),
        Ok(answer) => return Err(format!("taken as it is: {answer:?}").into()),
    }
    let fitted = rules.fit(&odd)?;
    for change in &fitted.changes {
        println!("   {}: {} becomes {}", change.field, change.from, change.to);
    }
    if let Some(needs) = rules.required(&fitted.order) {
        println!("   it needs {} {}", needs.amount, needs.asset);
    }

    println!("2. An order that rests, and its cancel");
    let answer = account.place(&fitted.order.respond(Respond::Accept))?;
    let Some(order_id) = answer.info.order_id() else { return Err(format!("no id: {answer:?}").into()) };
    match answer.info {
        Outcome::Accept(order) | Outcome::Done(order) => println!("   {} at {}", order.status, show(order.price)),
        other => println!("   {other:?}"), // an acknowledgement: after 5 seconds the exchange says no more
    }
    account.cancel(&CancelOrder::new(order_id, SYMBOL)?)?;
    follow(&stream, order_id)?;

    println!("3. An order that trades at once");
    let best = client.market().ticker(SYMBOL)?.ask.ok_or("nobody sells")?.price;
    // A little above the best ask, and what does not trade at once is cancelled.
    let price = best * Decimal::new(101, 2);
    let taking = NewOrder::limit(SYMBOL, Side::Buy, "0.01", price)?.time_in_force(TimeInForce::Ioc);
    let order_id = account.place(&rules.fit(&taking)?.order)?.info.order_id().ok_or("no id")?;
    let done = follow(&stream, order_id)?;
    println!(
        "   {} at {} on average, for a fee of {} {}",
        show(done.cum_filled_qty),
        show(done.avg_px),
        show(done.cum_fee),
        done.fee_asset.map_or_else(String::new, |asset| asset.to_string())
    );

    println!("4. An order whose answer is lost");
    sandbox.inject(Fault::LoseAnswer.at("POST */order"));
    let order = NewOrder::limit(SYMBOL, Side::Buy, "0.01", "30000")?.post_only();
    let order_id = match account.place_settled(&order, Instant::now() + PATIENCE)? {
        Settled::Placed { order_id, .. } => order_id,
        other => return Err(format!("not placed: {other:?}").into()),
    };
    println!("   asked for by the id that it has to have: it is there, once");
    match account.cancel_settled(&CancelOrder::new(order_id, SYMBOL)?, Instant::now() + PATIENCE)? {
        SettledCancel::Taken(_) | SettledCancel::Closed(_) => println!("   cancelled"),
        other => return Err(format!("not cancelled: {other:?}").into()),
    }
    follow(&stream, order_id)?;
    println!("open orders: {}", account.open_orders(None)?.len());
    Ok(())
}

/// Prints what befalls an order until its end.
fn follow(stream: &Stream, order_id: OrderId) -> Result<OrderState, Box<dyn Error>> {
    loop {
        let is_it = |event: &Event| matches!(event, Event::Order(update) if update.data.data.order_id == order_id);
        if let Event::Order(update) = wait(stream, is_it)? {
            let state = update.data.data;
            println!("   stream: {}, {} of {} traded", state.status, show(state.cum_filled_qty), show(state.order_qty));
            if matches!(state.status, OrderStatus::Filled | OrderStatus::Canceled | OrderStatus::Rejected) {
                return Ok(state);
            }
        }
    }
}

/// The next event of a kind.
fn wait(stream: &Stream, wanted: impl Fn(&Event) -> bool) -> Result<Event, Box<dyn Error>> {
    let end = Instant::now() + PATIENCE;
    loop {
        let event = stream.recv_timeout(end.saturating_duration_since(Instant::now()))?;
        if wanted(&event) {
            return Ok(event);
        }
    }
}

fn show(value: Option<Decimal>) -> Decimal {
    value.unwrap_or_default().normalize()
}
