//! Orders that do not outlive the program: on SIGINT (Ctrl-C) and SIGTERM it cancels all, waits until the exchange
//! confirms, and says what is left; on an error or a panic a guard does the same.
//!
//! ```text
//! cargo run --example guard                        # on an exchange inside the program
//! cargo run --example guard -- --fail              # ends by an error
//! cargo run --example guard -- --rest URL --ws URL # elsewhere; BITMAX_API_KEY and BITMAX_API_SECRET say who
//! ```

use std::error::Error;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use bitmax::model::{AccountCategory, Side};
use bitmax::sandbox::Sandbox;
use bitmax::{Client, CloseReason, Credentials, Endpoint, NewOrder, TrackerEvent};
use clap::Parser;

/// How long cancelling may take.
const WITHIN: Duration = Duration::from_secs(10);

#[derive(Parser)]
#[command(about = "Places orders, and cancels them when it is told to end")]
struct Options {
    /// Where REST is, in place of the exchange inside the program
    #[arg(long, value_name = "URL", requires = "ws")]
    rest: Option<String>,
    /// Where the stream is
    #[arg(long, value_name = "URL", requires = "rest")]
    ws: Option<String>,
    /// End by an error once the orders are placed
    #[arg(long)]
    fail: bool,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    env_logger::init();
    let options = Options::parse();
    let sandbox = if options.rest.is_none() { Some(Sandbox::start()?) } else { None };
    let (endpoint, credentials) = match (&sandbox, options.rest, options.ws) {
        (Some(sandbox), ..) => (sandbox.endpoint(), sandbox.credentials()),
        (None, rest, ws) => {
            (Endpoint::new(rest.unwrap_or_default(), ws.unwrap_or_default())?, Credentials::from_env()?)
        }
    };
    let client = Client::builder(endpoint).credentials(credentials).build()?;
    let tracker = client.stream().track(AccountCategory::Cash)?;
    if !tracker.wait_live(WITHIN) {
        return Err("the account's orders could not be had in time".into());
    }

    // For every way out of here but a signal.
    let guard = tracker.cancel_on_drop(WITHIN);
    // For a signal. The function runs in a thread of its own; the tracker ends when it has stopped.
    let (tell, told) = mpsc::channel();
    let handle = tracker.handle();
    ctrlc::set_handler(move || {
        if tell.send(handle.stop(WITHIN)).is_err() {
            eprintln!("the program has ended already");
        }
    })?;

    for price in ["10000", "10001", "10002"] {
        tracker.place(&NewOrder::limit("BTC/USDT", Side::Buy, "0.001", price)?.post_only())?;
    }
    if options.fail {
        return Err("on purpose: the guard cancels all".into());
    }
    for event in &tracker {
        match event {
            TrackerEvent::Order(transition) => {
                let order = transition.order;
                println!("{} {:?}, {} traded", order.order_id, order.stage, order.cum_filled_qty);
                if tracker.open_orders().len() == 3 {
                    println!("ready: end me");
                }
            }
            TrackerEvent::Closed(CloseReason::Requested) => break,
            TrackerEvent::Closed(reason) => return Err(format!("the stream is gone: {reason:?}").into()),
            _ => {}
        }
    }

    let stopped = told.recv()?;
    println!("{stopped}");
    for order in stopped.open.iter().chain(&stopped.unsettled) {
        println!("left: {} {} {:?}", order.order_id, order.symbol, order.stage);
    }
    if stopped.is_clean() {
        guard.keep();
        return Ok(ExitCode::SUCCESS);
    }
    // The guard tries once more.
    Ok(ExitCode::FAILURE)
}
