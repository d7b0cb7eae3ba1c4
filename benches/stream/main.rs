//! The stream against what is possible, over plain sockets and over TLS: how long an order takes from the caller's hands
//! to the server's, how long an event takes from the server's hands to the consumer's, and how many events a second come
//! through. Each beside its alternative over the same libraries, in turns within the same run; the ratios stand last.
//!
//! `cargo bench --bench stream`

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a benchmark")]

#[path = "../common/mod.rs"]
mod common;
mod peers;

use std::hint::black_box;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use bitmax::model::{AccountCategory, Side};
use bitmax::{Event, NewOrder};
use peers::Server;
use tungstenite::Message;

/// How many times the contenders take turns, and how many samples each takes in a turn.
const TURNS: usize = 200;
const SAMPLES: usize = 50;
/// What comes before, and is not counted.
const WARMING: usize = 10;
/// How many floods each contender is in, and how long one is.
const FLOODS: usize = 5;
const FLOOD: Duration = Duration::from_millis(1200);

const GREETING: &str = r#"{"m":"connected","type":"auth"}"#;
const BBO: &str = r#"{"m":"bbo","symbol":"BTC/USDT","data":{"ts":1573068442532,"bid":["9309.11","0.0197172"],"ask":["9309.12","0.8851266"]}}"#;
/// An order's event, up to its number and after it.
const ORDER: [&str; 2] = [
    r#"{"m":"order","accountId":"cshQtyfq8XLAA9kcf19h8bXHbAwwoqDo","ac":"CASH","data":{"sn":"#,
    r#","orderId":"s1723273cc4dU9698887124KmD7JCk9K","s":"ASD/USDT","ot":"Limit","t":1589984349641,"p":"0.04","q":"150","sd":"Sell","st":"Filled","ap":"0.04054","cfq":"150","sp":"","err":"","btb":"500","bab":"500","qtb":"100","qab":"100","cf":"0.006081","fa":"USDT","ei":"NULL_VAL"}}"#,
];

/// The number of the order before the first. All have ten digits.
const FIRST: u64 = 1_000_000_000;
const PATIENCE: Duration = Duration::from_secs(10);

fn main() {
    if !common::measuring() {
        return;
    }
    common::report();
    let mut ratios = Vec::new();
    for secure in [false, true] {
        let way = if secure { "TLS" } else { "plain" };
        let mut add = |what: &str, ratio: f64, bound| ratios.push((format!("{what}, {way}"), ratio, bound));
        add("order to the server, p50: ours / bare send", orders(secure, way, SAMPLES), "≤ 1.5");
        add("the same, each after the answer to that before", orders(secure, way, 1), "");
        add("event to the consumer, p50: ours / bare loop", events(secure, way), "≤ 1.2");
        let (rate, bare) = flood(secure, way);
        add("flood, events a second: ours / bare loop's texts", rate / bare, "");
        add("flood of typed events a second / 1 000 000", rate / 1e6, "≥ 1.0");
    }
    for (what, ratio, bound) in ratios {
        common::ratio(&what, ratio, bound);
    }
}

/// Latencies of one way, with the name that it is printed by.
struct Latencies {
    name: &'static str,
    nanos: Vec<u64>,
}

impl Latencies {
    fn new(name: &'static str) -> Self {
        Self { name, nanos: Vec::new() }
    }

    fn add(&mut self, latency: Duration) {
        self.nanos.push(u64::try_from(latency.as_nanos()).unwrap());
    }

    /// Prints them, but those of the warming, and gives the median in microseconds.
    fn print(&mut self) -> f64 {
        let mut nanos = self.nanos.split_off(WARMING * SAMPLES);
        nanos.sort_unstable();
        let at = |share: f64| {
            let last = (nanos.len() - 1) as f64;
            nanos.get((last * share) as usize).copied().unwrap_or_default() as f64 / 1000.0
        };
        let (p50, p90, p99, max) = (at(0.5), at(0.9), at(0.99), at(1.0));
        println!("{:<34} {p50:>9.1} {p90:>9.1} {p99:>9.1} {max:>9.1}", self.name);
        p50
    }
}

fn compare(title: &str, way: &str, ours: &mut Latencies, bare: &mut Latencies) -> f64 {
    let title = format!("{title}, {way}");
    println!("\n{title:<34} {:>9} {:>9} {:>9} {:>9}", "p50 µs", "p90 µs", "p99 µs", "max µs");
    ours.print() / bare.print()
}

/// An order from the caller's call to the server's receipt, against a blocking send of as many bytes from the calling
/// thread. So many orders go out before the server answers them: all of a turn, so that nothing but the way out is
/// measured, or one, whose answer still keeps the stream's thread busy when the next goes out.
fn orders(secure: bool, way: &str, at_once: usize) -> f64 {
    let (received, receipts) = mpsc::channel();
    let received = Arc::new(Mutex::new(received));
    let server = Server::start(secure, move |mut websocket| {
        websocket.send(Message::text(GREETING)).unwrap();
        let received = received.lock().unwrap().clone();
        let mut answers = Vec::with_capacity(at_once);
        while let Ok(message) = websocket.read() {
            let now = Instant::now();
            let Message::Text(text) = message else { return };
            if received.send((now, text.len())).is_err() {
                return;
            }
            let id = text.split("\"id\":\"").nth(1).unwrap().split('"').next().unwrap();
            answers.push(format!(
                r#"{{"m":"order","accountId":"cash1","ac":"CASH","action":"place-order","status":"Ack","info":{{"symbol":"BTC/USDT","orderType":"Limit","timestamp":1573772908483,"id":"{id}","orderId":"s{id}"}}}}"#
            ));
            if answers.len() == at_once {
                answers.drain(..).for_each(|answer| websocket.send(Message::text(answer)).unwrap());
            }
        }
    });
    let stream = server.stream();
    let order: NewOrder = NewOrder::limit("BTC/USDT", Side::Buy, "0.001", "50000").unwrap().into();
    let (mut websocket, _) = server.socket();
    assert!(websocket.read().unwrap().is_text());
    let text = r#"{"op":"req","id":"01234567890123456789012345678901","action":"place-order","account":"cash","args":{"id":"01234567890123456789012345678901","time":1573772908483,"symbol":"BTC/USDT","orderPrice":"50000","orderQty":"0.001","orderType":"limit","side":"buy"}}"#;

    let (mut ours, mut bare) = (Latencies::new("stream.place_later"), Latencies::new("bare blocking send"));
    for _ in 0..WARMING + TURNS {
        for _ in 0..SAMPLES / at_once {
            let place = |_| {
                let sent = Instant::now();
                let reply = stream.place_later(AccountCategory::Cash, &order).unwrap();
                let (arrived, bytes) = receipts.recv().unwrap();
                ours.add(arrived - sent);
                assert!(text.len().abs_diff(bytes) < 16, "{bytes} bytes");
                reply
            };
            let replies: Vec<_> = (0..at_once).map(place).collect();
            replies.into_iter().for_each(|reply| drop(black_box(reply.wait().unwrap())));
        }
        for _ in 0..SAMPLES / at_once {
            for _ in 0..at_once {
                let sent = Instant::now();
                websocket.send(Message::text(text)).unwrap();
                let (arrived, _) = receipts.recv().unwrap();
                bare.add(arrived - sent);
            }
            (0..at_once).for_each(|_| drop(black_box(websocket.read().unwrap())));
        }
    }
    let title = if at_once > 1 { "caller to server's receipt" } else { "the same, answered one by one" };
    compare(title, way, &mut ours, &mut bare)
}

/// An event from the server's send to the consumer, against a bare loop's text: one is sent when that before has arrived.
fn events(secure: bool, way: &str) -> f64 {
    /// Asks the server for the next text, and says when it was sent.
    struct Line {
        ask: mpsc::Sender<()>,
        sent: mpsc::Receiver<Instant>,
    }
    let (lines, new_lines) = mpsc::channel();
    let lines = Arc::new(Mutex::new(lines));
    let server = Server::start(secure, move |mut websocket| {
        let (ask, asked) = mpsc::channel();
        let (tell, sent) = mpsc::channel();
        websocket.send(Message::text(GREETING)).unwrap();
        lines.lock().unwrap().send(Line { ask, sent }).unwrap();
        while asked.recv().is_ok() {
            // The clock is read before the write: what the kernel takes counts for both.
            tell.send(Instant::now()).unwrap();
            websocket.send(Message::text(BBO)).unwrap();
        }
    });
    let stream = server.stream();
    let ours = new_lines.recv().unwrap();
    assert!(matches!(stream.recv(), Ok(Event::Connected { .. })));
    let texts = server.bare_loop();
    let bare = new_lines.recv().unwrap();
    assert_eq!(texts.recv().unwrap(), GREETING);

    let (mut typed, mut forwarded) = (Latencies::new("typed event"), Latencies::new("bare loop's text"));
    for _ in 0..WARMING + TURNS {
        for _ in 0..SAMPLES {
            ours.ask.send(()).unwrap();
            let Ok(Event::Bbo(bbo)) = stream.recv() else { panic!() };
            let arrived = Instant::now();
            black_box(bbo);
            typed.add(arrived - ours.sent.recv().unwrap());
        }
        for _ in 0..SAMPLES {
            bare.ask.send(()).unwrap();
            let text = texts.recv().unwrap();
            let arrived = Instant::now();
            black_box(text);
            forwarded.add(arrived - bare.sent.recv().unwrap());
        }
    }
    compare("server's send to consumer", way, &mut typed, &mut forwarded)
}

/// Best bids and asks as fast as the server can write them, and an order's event after every 99 of them. All orders must
/// arrive. Gives the events a second, ours and the bare loop's.
fn flood(secure: bool, way: &str) -> (f64, f64) {
    let stop = Arc::new(AtomicBool::new(false));
    let (told, orders_sent) = mpsc::channel();
    let (told, until) = (Arc::new(Mutex::new(told)), Arc::clone(&stop));
    let server = Server::start(secure, move |mut websocket| {
        let told = told.lock().unwrap().clone();
        websocket.send(Message::text(GREETING)).unwrap();
        told.send(write_until(&until, websocket.get_mut())).unwrap();
        while websocket.read().is_ok() {}
    });
    let title = format!("flood, {way}");
    println!("\n{title:<34} {:>12} {:>12} {:>12} {:>18}", "events/s", "dropped/s", "CPU ns/event", "orders");
    let (mut typed, mut forwarded) = (Vec::new(), Vec::new());
    for _ in 0..FLOODS {
        let stream = server.stream();
        let next = || match stream.recv_timeout(PATIENCE).unwrap() {
            Event::Bbo(bbo) => {
                black_box(bbo);
                Arrival::Quote
            }
            Event::Order(order) => Arrival::Order(order.data.data.seqnum),
            Event::Lagged(lag) => Arrival::Dropped(lag.dropped.iter().map(|(_, n)| n).sum()),
            Event::Connected { .. } => Arrival::Dropped(0),
            other => panic!("{other:?}"),
        };
        typed.push(withstand("typed events", next, &stop, &orders_sent));
        drop(stream);

        let texts = server.bare_loop();
        assert_eq!(texts.recv().unwrap(), GREETING);
        let next = || {
            let text = texts.recv_timeout(PATIENCE).unwrap();
            match text.strip_prefix(ORDER[0]) {
                Some(order) => Arrival::Order(order.get(..10).unwrap().parse().unwrap()),
                None => {
                    black_box(text);
                    Arrival::Quote
                }
            }
        };
        forwarded.push(withstand("bare loop's texts", next, &stop, &orders_sent));
    }
    let median = |rates: &mut Vec<f64>| {
        rates.sort_unstable_by(f64::total_cmp);
        rates.get(FLOODS / 2).copied().unwrap()
    };
    (median(&mut typed), median(&mut forwarded))
}

/// Writes many frames at once until it is told to stop, and gives the number of orders among them.
fn write_until(stop: &AtomicBool, socket: &mut impl Write) -> u64 {
    let frame = |text: &str| {
        let length = u16::try_from(text.len()).unwrap();
        let mut frame = match u8::try_from(length) {
            Ok(short) if short < 126 => vec![0x81, short],
            _ => [&[0x81, 126][..], &length.to_be_bytes()].concat(),
        };
        frame.extend_from_slice(text.as_bytes());
        frame
    };
    let order = frame(&format!("{}{:010}{}", ORDER[0], 0, ORDER[1]));
    let hundred = [frame(BBO).repeat(99), order].concat();
    let number_at = hundred.len() - ORDER[1].len() - 10;
    let mut many = hundred.repeat(10);
    let mut orders = 0;
    while !stop.load(Ordering::Relaxed) {
        for hundred in many.chunks_mut(hundred.len()) {
            orders += 1;
            let number = format!("{:010}", FIRST + orders);
            hundred.get_mut(number_at..number_at + 10).unwrap().copy_from_slice(number.as_bytes());
        }
        socket.write_all(&many).unwrap();
    }
    socket.flush().unwrap();
    orders
}

enum Arrival {
    Quote,
    Order(u64),
    /// Told to be missing.
    Dropped(u64),
}

/// What has arrived.
#[derive(Default)]
struct Tally {
    delivered: u64,
    dropped: u64,
    orders: u64,
}

impl Tally {
    fn add(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Quote => self.delivered += 1,
            Arrival::Dropped(n) => self.dropped += n,
            Arrival::Order(number) => {
                self.orders += 1;
                self.delivered += 1;
                assert_eq!(number, FIRST + self.orders, "every order arrives, once and in its turn");
            }
        }
    }
}

/// Takes what arrives for a while, then what of the orders is still to come; gives the events a second.
fn withstand(
    name: &str,
    mut next: impl FnMut() -> Arrival,
    stop: &AtomicBool,
    orders_sent: &mpsc::Receiver<u64>,
) -> f64 {
    let (began, cpu, mut tally) = (Instant::now(), cpu_seconds(), Tally::default());
    while began.elapsed() < FLOOD {
        (0..1000).for_each(|_| tally.add(next()));
    }
    let seconds = began.elapsed().as_secs_f64();
    let cpu = (cpu_seconds() - cpu) * 1e9 / (tally.delivered + tally.dropped) as f64;
    let (rate, dropped) = (tally.delivered as f64 / seconds, tally.dropped as f64 / seconds);
    stop.store(true, Ordering::Relaxed);
    let sent = orders_sent.recv().unwrap();
    while tally.orders < sent {
        tally.add(next());
    }
    stop.store(false, Ordering::Relaxed);
    let orders = format!("{} of {sent}", tally.orders);
    println!("{name:<34} {rate:>12.0} {dropped:>12.0} {cpu:>12.0} {orders:>18}");
    rate
}

/// What all threads have used of the processors, the server's among them; not a number where the system does not say.
fn cpu_seconds() -> f64 {
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name, which may hold anything, the times of user and system are the 12th and the 13th.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let times: Vec<f64> = fields.skip(11).take(2).filter_map(|ticks| ticks.parse().ok()).collect();
    match times[..] {
        [user, system] => (user + system) / TICKS,
        _ => f64::NAN,
    }
}
