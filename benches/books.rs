//! Books that a stream keeps: how long a read of the top waits in another thread while changes come in as fast as they
//! can, and what 200 books of 500 levels a side cost in memory and time.
//!
//! `cargo bench --bench books`

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a benchmark")]

mod common;

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bitmax::{Book, Channel, Client, Endpoint, Stream};
use tungstenite::{Message, WebSocket};

/// Levels a side of a snapshot.
const LEVELS: u64 = 500;
const BOOKS: u64 = 200;

fn main() {
    let time = if common::measuring() { Duration::from_secs(4) } else { Duration::from_millis(50) };
    common::report();
    println!("{:<44} {:>9} {:>9} {:>9} {:>9}", "read beside a flood of changes, ns", "p50", "p90", "p99", "max");
    let (quiet, fed) = reads(time);
    println!();
    many(time);
    common::ratio("read of the top, p50: in a flood of changes / without", fed / quiet, "");
}

/// A server that acknowledges, answers with snapshots, and then sends changes of its books in turn, as fast as they are
/// taken, once it is told to.
fn serve(books: u64) -> (SocketAddr, mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (go, told) = mpsc::channel();
    thread::spawn(move || {
        let socket = listener.accept().unwrap().0;
        socket.set_nodelay(true).unwrap();
        let mut websocket = tungstenite::accept(socket).unwrap();
        websocket.send(Message::text(r#"{"m":"connected","type":"unauth"}"#)).unwrap();
        answer(&mut websocket, books);
        if told.recv().is_ok() {
            flood(websocket.get_mut(), books);
        }
    });
    (address, go)
}

fn symbol(book: u64) -> String {
    format!("S{book}/USDT")
}

fn answer(websocket: &mut WebSocket<TcpStream>, books: u64) {
    let side = |price: &dyn Fn(u64) -> u64| {
        let level = |n| format!(r#"["{}.{:02}","{}.5"]"#, price(n) / 100, price(n) % 100, n + 1);
        (0..LEVELS).map(level).collect::<Vec<_>>().join(",")
    };
    let (asks, bids) = (side(&|n| 1_000_001 + n), side(&|n| 1_000_000 - n));
    let mut answered = 0;
    while answered < books {
        let text = websocket.read().unwrap().into_text().unwrap();
        let message: serde_json::Value = serde_json::from_str(&text).unwrap();
        let answer = match message["ch"].as_str() {
            Some(channel) => format!(r#"{{"m":"sub","id":{},"ch":"{channel}","code":0}}"#, message["id"]),
            None => {
                answered += 1;
                let symbol = message["args"]["symbol"].as_str().unwrap();
                format!(
                    r#"{{"m":"depth-snapshot","symbol":"{symbol}","data":{{"ts":1,"seqnum":0,"asks":[{asks}],"bids":[{bids}]}}}}"#
                )
            }
        };
        websocket.send(Message::text(answer)).unwrap();
    }
}

fn flood(socket: &mut TcpStream, books: u64) {
    let (mut frames, mut text) = (Vec::new(), String::new());
    let mut n = 0;
    loop {
        frames.clear();
        for _ in 0..200 {
            let (book, seqnum) = (n % books, n / books + 1);
            // Of both sides a level near the top.
            let (step, size) = (n * 7 % 23, n % 89 + 1);
            let (ask, bid) = (1_000_001 + step, 1_000_000 - step);
            text.clear();
            write!(
                text,
                r#"{{"m":"depth","symbol":"S{book}/USDT","data":{{"ts":{n},"seqnum":{seqnum},"asks":[["{}.{:02}","{size}.5"]],"bids":[["{}.{:02}","{size}"]]}}}}"#,
                ask / 100, ask % 100, bid / 100, bid % 100,
            )
            .unwrap();
            match u8::try_from(text.len()) {
                Ok(short @ ..126) => frames.extend([0x81, short]),
                _ => {
                    frames.extend([0x81, 126]);
                    frames.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
                }
            }
            frames.extend(text.as_bytes());
            n += 1;
        }
        if socket.write_all(&frames).is_err() {
            return;
        }
    }
}

fn connect(address: SocketAddr) -> Stream {
    let endpoint = Endpoint::new(format!("http://{address}"), format!("ws://{address}")).unwrap();
    Client::builder(endpoint).build().unwrap().stream().connect().unwrap()
}

fn follow(stream: &Stream, books: u64) -> Vec<Book> {
    let mut books = stream.books(Channel::depth((0..books).map(symbol))).unwrap();
    for book in &mut books {
        assert!(book.wait_live(Duration::from_secs(30)).unwrap());
    }
    books
}

/// Reads one after another, each timed: the pair of best prices, and a copy of ten levels a side. Gives the medians of the
/// first, without changes and in a flood of them.
fn reads(time: Duration) -> (f64, f64) {
    let (address, go) = serve(1);
    let stream = connect(address);
    let book = follow(&stream, 1).pop().unwrap();
    let top = || {
        std::hint::black_box(book.bbo());
    };
    let ten = || {
        std::hint::black_box(book.top(10));
    };
    let quiet = measure("  best bid and ask, no feed", time / 4, &top);
    go.send(()).unwrap();
    let fed = [("  best bid and ask", &top as &dyn Fn()), ("  copy of ten levels a side", &ten)].map(|(name, read)| {
        let (from, began) = (book.top(1).seqnum().unwrap(), Instant::now());
        let median = measure(name, time, read);
        let applied = book.top(1).seqnum().unwrap() - from;
        println!("{:<44} {:>9.0} changes applied a second", "", applied as f64 / began.elapsed().as_secs_f64());
        median
    });
    (quiet, fed[0])
}

fn measure(name: &str, time: Duration, read: &dyn Fn()) -> f64 {
    let mut nanos: Vec<u64> = Vec::with_capacity(1 << 22);
    let end = Instant::now() + time;
    let mut before = Instant::now();
    while before < end && nanos.len() < nanos.capacity() {
        // A read every microsecond or so: as a strategy does, and not a flood of its own.
        while before.elapsed() < Duration::from_micros(1) {
            std::hint::spin_loop();
        }
        let began = Instant::now();
        read();
        before = Instant::now();
        nanos.push(u64::try_from((before - began).as_nanos()).unwrap());
    }
    nanos.sort_unstable();
    let at = |share: f64| nanos[((nanos.len() - 1) as f64 * share) as usize];
    println!("{name:<44} {:>9} {:>9} {:>9} {:>9}", at(0.5), at(0.9), at(0.99), at(1.0));
    at(0.5) as f64
}

/// Memory that this process has in use, in bytes; 0 where that cannot be told.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() * 1024
}

fn many(time: Duration) {
    // What the first of all costs is not the books'.
    drop(follow(&connect(serve(1).0), 1));
    let (address, go) = serve(BOOKS);
    let stream = connect(address);
    let (before, began) = (resident(), Instant::now());
    let books = follow(&stream, BOOKS);
    let built = began.elapsed();
    let memory = resident() - before;
    println!("{BOOKS} books of {LEVELS} levels a side on one stream, each:");
    println!("  memory              {:>9.1} kB", memory as f64 / 1000.0 / BOOKS as f64);
    println!("  snapshot to live    {:>9.1} µs", built.as_secs_f64() * 1e6 / BOOKS as f64);
    go.send(()).unwrap();
    let first = stream.stats().messages;
    thread::sleep(time);
    let messages = stream.stats().messages - first;
    println!("  change of two levels{:>9.2} µs, {} of them", time.as_secs_f64() * 1e6 / messages as f64, messages);
    assert!(books.iter().all(|book| book.top(1).seqnum() > Some(0)), "all move");
}
