//! The stream against what is possible: how long an event takes from the server's hands to the consumer's, how long an
//! order takes from the caller's hands to the server's, and how many events a second come through. Each beside a bare
//! loop over the same libraries, in turns within the same run.
//!
//! `cargo bench --bench stream`

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a benchmark")]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bitmax::model::{AccountCategory, Side};
use bitmax::{Authentication, Client, Credentials, Endpoint, Event, MessageLimits, NewOrder, Stream};
use tungstenite::{Message, WebSocket};

const ROUNDS: usize = 10;
const SAMPLES: usize = 2000;
const GREETING: &str = r#"{"m":"connected","type":"auth"}"#;
const BBO: &str = r#"{"m":"bbo","symbol":"BTC/USDT","data":{"ts":1573068442532,"bid":["9309.11","0.0197172"],"ask":["9309.12","0.8851266"]}}"#;

fn main() {
    events();
    orders();
    flood();
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

    fn print(&mut self) -> f64 {
        self.nanos.sort_unstable();
        let at = |share: f64| {
            let last = (self.nanos.len() - 1) as f64;
            self.nanos.get((last * share) as usize).copied().unwrap_or_default() as f64 / 1000.0
        };
        let (p50, p90, p99, max) = (at(0.5), at(0.9), at(0.99), at(1.0));
        println!("{:<28} {p50:>9.1} {p90:>9.1} {p99:>9.1} {max:>9.1}", self.name);
        p50
    }
}

fn head(title: &str) {
    println!("\n{title:<28} {:>9} {:>9} {:>9} {:>9}", "p50 µs", "p90 µs", "p99 µs", "max µs");
}

/// A server that hands each WebSocket to a function; REST's question for the account group is answered.
fn serve(script: impl Fn(WebSocket<TcpStream>) + Send + Sync + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let (script, mut socket) = (script.clone(), socket.unwrap());
            socket.set_nodelay(true).unwrap();
            thread::spawn(move || {
                let mut start = [0; 64];
                let n = socket.peek(&mut start).unwrap();
                if String::from_utf8_lossy(start.get(..n).unwrap()).contains("/stream") {
                    return script(tungstenite::accept(socket).unwrap());
                }
                let mut request = [0; 4096];
                let _ = socket.read(&mut request).unwrap();
                let body = include_str!("../tests/fixtures/rest/account-info.json");
                write!(socket, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
            });
        }
    });
    address
}

fn connect(address: SocketAddr) -> Stream {
    let endpoint = Endpoint::new(format!("http://{address}"), format!("ws://{address}")).unwrap();
    let client = Client::builder(endpoint).credentials(Credentials::new("k", "s").unwrap()).build().unwrap();
    let mut limits = MessageLimits::default();
    (limits.orders, limits.requests) = (u32::MAX, u32::MAX);
    let builder = client.stream().authenticate(Authentication::Header).limits(limits).max_queued(1 << 20);
    builder.connect().unwrap()
}

/// What there is without this crate: `mio` waits, `tungstenite` reads, the text goes through a channel.
fn bare_loop(address: SocketAddr) -> mpsc::Receiver<tungstenite::Utf8Bytes> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        let url = format!("ws://{address}/0/api/pro/v1/stream");
        let (mut websocket, _) = tungstenite::client(url, socket).unwrap();
        websocket.get_ref().set_nonblocking(true).unwrap();
        let mut poll = mio::Poll::new().unwrap();
        let mut events = mio::Events::with_capacity(8);
        let mut source = mio::net::TcpStream::from_std(websocket.get_ref().try_clone().unwrap());
        poll.registry().register(&mut source, mio::Token(0), mio::Interest::READABLE).unwrap();
        loop {
            match websocket.read() {
                Ok(Message::Text(text)) => {
                    if sender.send(text).is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(tungstenite::Error::Io(e)) if e.kind() == io::ErrorKind::WouldBlock => {
                    poll.poll(&mut events, None).unwrap();
                }
                Err(_) => return,
            }
        }
    });
    receiver
}

/// Event latency: a text is sent when the one before has arrived.
fn events() {
    /// Asks the server for the next text, and says when it was sent.
    struct Line {
        ask: mpsc::Sender<()>,
        sent: mpsc::Receiver<Instant>,
    }
    fn line() -> (SocketAddr, mpsc::Receiver<Line>) {
        let (lines, new_lines) = mpsc::channel();
        let lines = std::sync::Arc::new(std::sync::Mutex::new(lines));
        let address = serve(move |mut websocket| {
            let (ask, asked) = mpsc::channel();
            let (tell, sent) = mpsc::channel();
            websocket.send(Message::text(GREETING)).unwrap();
            lines.lock().unwrap().send(Line { ask, sent }).unwrap();
            while asked.recv().is_ok() {
                // The clock is read before the write: what the kernel takes counts for both ways.
                tell.send(Instant::now()).unwrap();
                websocket.send(Message::text(BBO)).unwrap();
            }
        });
        (address, new_lines)
    }

    let (address, lines) = line();
    let stream = connect(address);
    let ours = lines.recv().unwrap();
    assert!(matches!(stream.recv(), Ok(Event::Connected { .. })));
    let texts = bare_loop(address);
    let bare = lines.recv().unwrap();
    assert!(texts.recv().unwrap().contains("connected"));

    let (mut typed, mut forwarded) = (Latencies::new("typed event"), Latencies::new("text of a bare loop"));
    for round in 0..ROUNDS {
        for _ in 0..SAMPLES {
            ours.ask.send(()).unwrap();
            let Ok(Event::Bbo(bbo)) = stream.recv() else { panic!() };
            let arrived = Instant::now();
            std::hint::black_box(bbo);
            let sent = ours.sent.recv().unwrap();
            if round > 0 {
                typed.add(arrived - sent);
            }
        }
        for _ in 0..SAMPLES {
            bare.ask.send(()).unwrap();
            let text = texts.recv().unwrap();
            let arrived = Instant::now();
            std::hint::black_box(text);
            let sent = bare.sent.recv().unwrap();
            if round > 0 {
                forwarded.add(arrived - sent);
            }
        }
    }
    head("server's send to consumer");
    let ratio = typed.print() / forwarded.print();
    println!("ratio of p50: {ratio:.2} (at most 1.2)");
}

/// Command to wire: a caller's order to the server's receipt.
fn orders() {
    let (received, receipts) = mpsc::channel();
    let received = std::sync::Arc::new(std::sync::Mutex::new(received));
    let address = serve(move |mut websocket| {
        websocket.send(Message::text(GREETING)).unwrap();
        let received = received.lock().unwrap().clone();
        while let Ok(message) = websocket.read() {
            let now = Instant::now();
            if message.is_text() && received.send(now).is_err() {
                return;
            }
        }
    });
    let stream = connect(address);
    let order: NewOrder = NewOrder::limit("BTC/USDT", Side::Buy, "0.001", "50000").unwrap().into();
    let socket = TcpStream::connect(address).unwrap();
    socket.set_nodelay(true).unwrap();
    let (mut websocket, _) = tungstenite::client(format!("ws://{address}/0/api/pro/v1/stream"), socket).unwrap();
    // As many bytes as an order of the stream has.
    let text = r#"{"op":"req","id":"01234567890123456789012345678901","action":"place-order","account":"cash","args":{"id":"01234567890123456789012345678901","time":1573772908483,"symbol":"BTC/USDT","orderPrice":"50000","orderQty":"0.001","orderType":"limit","side":"buy"}}"#;

    let (mut ours, mut bare) = (Latencies::new("stream.place_later"), Latencies::new("bare blocking send"));
    for round in 0..ROUNDS {
        for _ in 0..SAMPLES / 4 {
            let sent = Instant::now();
            let reply = stream.place_later(AccountCategory::Cash, &order).unwrap();
            let arrived = receipts.recv().unwrap();
            drop(reply);
            if round > 0 {
                ours.add(arrived - sent);
            }
        }
        for _ in 0..SAMPLES / 4 {
            let sent = Instant::now();
            websocket.send(Message::text(text)).unwrap();
            let arrived = receipts.recv().unwrap();
            if round > 0 {
                bare.add(arrived - sent);
            }
        }
    }
    head("caller to server's receipt");
    let ratio = ours.print() / bare.print();
    println!("ratio of p50: {ratio:.2} (at most 1.5)");
}

/// Throughput: the server writes as fast as it can.
fn flood() {
    let address = serve(|mut websocket| {
        websocket.send(Message::text(GREETING)).unwrap();
        let mut frame = vec![0x81, u8::try_from(BBO.len()).unwrap()];
        frame.extend_from_slice(BBO.as_bytes());
        let many = frame.repeat(1000);
        while websocket.get_mut().write_all(&many).is_ok() {}
    });
    println!("\n{:<28} {:>14}", "flood of bbo", "events/s");
    let time = Duration::from_secs(3);
    for _ in 0..3 {
        let stream = connect(address);
        let (began, mut delivered, mut dropped) = (Instant::now(), 0u64, 0u64);
        while began.elapsed() < time {
            for _ in 0..1000 {
                match stream.recv() {
                    Ok(Event::Bbo(bbo)) => {
                        std::hint::black_box(bbo);
                        delivered += 1;
                    }
                    Ok(Event::Lagged(lag)) => dropped += lag.dropped.iter().map(|(_, n)| n).sum::<u64>(),
                    Ok(_) => {}
                    Err(e) => panic!("{e}"),
                }
            }
        }
        let rate = |n: u64| n as f64 / began.elapsed().as_secs_f64();
        println!("{:<28} {:>14.0}   and {:.0} dropped", "typed events", rate(delivered), rate(dropped));
        drop(stream);

        let texts = bare_loop(address);
        let (began, mut forwarded) = (Instant::now(), 0u64);
        while began.elapsed() < time {
            for _ in 0..1000 {
                std::hint::black_box(texts.recv().unwrap());
                forwarded += 1;
            }
        }
        println!("{:<28} {:>14.0}", "texts of a bare loop", forwarded as f64 / began.elapsed().as_secs_f64());
    }
}
