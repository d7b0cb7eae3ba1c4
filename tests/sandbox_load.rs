//! Many clients at once: fifty stream everything that there is while ten trade, and nobody starves.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bitmax::model::{AccountCategory, Side};
use bitmax::sandbox::{Sandbox, UserOptions};
use bitmax::{Asset, Authentication, CancelOrder, Channel, Client, Event, NewOrder, Stream, Symbol};

const WATCHERS: usize = 50;
const TRADERS: usize = 10;
const TIME: Duration = Duration::from_secs(15);

/// Run by `.ci/run`, optimised: what is measured is time passing.
#[test]
#[ignore = "takes half a minute and both cores, optimised"]
fn fifty_stream_everything_while_ten_trade() {
    let sandbox = Sandbox::start().unwrap();
    let public = Client::builder(sandbox.endpoint()).build().unwrap();
    let products = public.market().products(AccountCategory::Cash).unwrap();
    let symbols: Vec<Symbol> = products.iter().map(|product| product.symbol).collect();
    let assets: BTreeSet<Asset> =
        symbols.iter().flat_map(|s| [Some(s.base()), s.quote()]).flatten().map(|a| Asset::new(a).unwrap()).collect();
    let intervals = public.market().bar_intervals().unwrap();
    let [begun, over] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let clients: Vec<Client> = (0..TRADERS)
        .map(|_| {
            let user = sandbox.add_user(UserOptions::new());
            user.fund(AccountCategory::Cash, "USDT", 1000).unwrap();
            Client::builder(sandbox.endpoint()).credentials(user.credentials()).build().unwrap()
        })
        .collect();

    // Each sees the orders of one of the traders.
    let watchers: Vec<_> = (0..WATCHERS)
        .map(|n| {
            let mut stream = clients[n % TRADERS]
                .stream()
                .authenticate(Authentication::Header)
                .subscribe(Channel::bbo(&symbols))
                .subscribe(Channel::trades(&symbols))
                .subscribe(Channel::depth(&symbols))
                .subscribe(Channel::depth_realtime(&symbols))
                .subscribe(Channel::summary(&symbols))
                .subscribe(Channel::ref_px(&assets))
                .subscribe(Channel::orders(AccountCategory::Cash));
            for interval in &intervals {
                stream = stream.subscribe(Channel::bar(interval.name.clone(), &symbols));
            }
            let stream = stream.connect().unwrap();
            let (begun, over) = (Arc::clone(&begun), Arc::clone(&over));
            thread::spawn(move || {
                let (mut events, mut orders, mut longest, mut last) = (0u64, 0u64, Duration::ZERO, Instant::now());
                while !over.load(Ordering::Relaxed) {
                    match stream.recv_timeout(Duration::from_millis(200)) {
                        Ok(Event::Disconnected(outage)) => panic!("{:?}", outage.error),
                        Ok(
                            event @ (Event::Bbo(_)
                            | Event::Trades(_)
                            | Event::Depth(_)
                            | Event::Bar(_)
                            | Event::RefPrice(_)
                            | Event::Order(_)),
                        ) if begun.load(Ordering::Relaxed) => {
                            events += 1;
                            orders += u64::from(matches!(event, Event::Order(_)));
                            longest = longest.max(last.elapsed());
                            last = Instant::now();
                        }
                        Ok(_) | Err(_) => {}
                    }
                }
                (events, orders, longest)
            })
        })
        .collect();

    let streams: Vec<Stream> =
        clients.iter().map(|client| client.stream().authenticate(Authentication::Header).connect().unwrap()).collect();
    begun.store(true, Ordering::Relaxed);
    let traders: Vec<_> = streams
        .into_iter()
        .map(|stream| {
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
    let watched: Vec<(u64, u64, Duration)> = watchers.into_iter().map(|watcher| watcher.join().unwrap()).collect();

    let a_minute = trips.iter().sum::<u64>() as f64 * 60.0 / TIME.as_secs_f64();
    let events: Vec<u64> = watched.iter().map(|w| w.0).collect();
    let (least, most) = (events.iter().min().unwrap(), events.iter().max().unwrap());
    let longest = watched.iter().map(|w| w.2).max().unwrap();
    println!("{a_minute:.0} order round trips a minute, {trips:?} by trader");
    println!("{least} to {most} events by watcher, the longest wait for one {longest:?}");
    // Nobody starves: each trader has made at least a third of the trips that are usual, each watcher has seen about
    // what the others have.
    assert!(trips.iter().all(|n| *n > 0 && n * 3 >= median(&trips)), "{trips:?}");
    assert!(least * 2 > *most && watched.iter().all(|(_, orders, _)| *orders > 0), "{watched:?}");
}

/// What half of the figures are no more than.
fn median(figures: &[u64]) -> u64 {
    let mut sorted = figures.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}
