//! Many clients at once: fifty stream everything while ten trade, and nobody starves.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bitmax::model::{AccountCategory, BarInterval, Side};
use bitmax::sandbox::{Sandbox, UserOptions};
use bitmax::{Authentication, CancelOrder, Channel, Client, Event, NewOrder, Symbol};

const WATCHERS: usize = 50;
const TRADERS: usize = 10;
const TIME: Duration = Duration::from_secs(15);

/// Run by `.ci/run`: what is measured is time passing.
#[test]
#[ignore = "takes 15 s and both cores"]
fn fifty_stream_everything_while_ten_trade() {
    let sandbox = Sandbox::start().unwrap();
    let public = Client::builder(sandbox.endpoint()).build().unwrap();
    let products = public.market().products(AccountCategory::Cash).unwrap();
    let symbols: Vec<Symbol> = products.iter().map(|product| product.symbol).collect();
    let over = Arc::new(AtomicBool::new(false));

    let watchers: Vec<_> = (0..WATCHERS)
        .map(|_| {
            let stream = public
                .stream()
                .subscribe(Channel::bbo(&symbols))
                .subscribe(Channel::trades(&symbols))
                .subscribe(Channel::depth(&symbols))
                .subscribe(Channel::bar(BarInterval::Min1, &symbols))
                .connect()
                .unwrap();
            let over = Arc::clone(&over);
            thread::spawn(move || {
                let (mut events, mut longest, mut last) = (0u64, Duration::ZERO, Instant::now());
                while !over.load(Ordering::Relaxed) {
                    match stream.recv_timeout(Duration::from_millis(200)) {
                        Ok(Event::Disconnected(outage)) => panic!("{}", outage.error),
                        Ok(Event::Bbo(_) | Event::Trades(_) | Event::Depth(_) | Event::Bar(_)) => {
                            events += 1;
                            longest = longest.max(last.elapsed());
                            last = Instant::now();
                        }
                        Ok(_) | Err(_) => {}
                    }
                }
                (events, longest)
            })
        })
        .collect();

    let traders: Vec<_> = (0..TRADERS)
        .map(|_| {
            let user = sandbox.add_user(UserOptions::new());
            user.fund(AccountCategory::Cash, "USDT", 1000).unwrap();
            let client = Client::builder(sandbox.endpoint()).credentials(user.credentials()).build().unwrap();
            let stream = client.stream().authenticate(Authentication::Header).connect().unwrap();
            thread::spawn(move || {
                let (began, mut round_trips) = (Instant::now(), 0u64);
                while began.elapsed() < TIME {
                    let order = NewOrder::limit("BTC/USDT", Side::Buy, "0.1", "100").unwrap();
                    let placed = stream.place(AccountCategory::Cash, &order).unwrap();
                    let id = placed.info.order_id().unwrap();
                    stream.cancel(AccountCategory::Cash, &CancelOrder::new(id, "BTC/USDT").unwrap()).unwrap();
                    round_trips += 2;
                }
                round_trips
            })
        })
        .collect();

    let trips: Vec<u64> = traders.into_iter().map(|trader| trader.join().unwrap()).collect();
    over.store(true, Ordering::Relaxed);
    let watched: Vec<(u64, Duration)> = watchers.into_iter().map(|watcher| watcher.join().unwrap()).collect();

    let a_minute = trips.iter().sum::<u64>() as f64 * 60.0 / TIME.as_secs_f64();
    let (least, most) = (watched.iter().map(|w| w.0).min().unwrap(), watched.iter().map(|w| w.0).max().unwrap());
    let longest = watched.iter().map(|w| w.1).max().unwrap();
    println!("{a_minute:.0} order round trips a minute, {:?} by trader", trips);
    println!("{least} to {most} events by watcher, the longest wait for one {longest:?}");
    // Nobody starves: each watcher has seen about what the others have, each trader has traded.
    assert!(least * 2 > most, "{watched:?}");
    assert!(trips.iter().all(|trips| *trips > 0), "{trips:?}");
}
