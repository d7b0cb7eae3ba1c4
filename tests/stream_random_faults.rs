//! Random faults, many in one run: alone in its program, because it counts threads, descriptors and memory.
//!
//! The server numbers its order and balance events. An event was *sent on a live connection* when the client has
//! answered something that was sent after it: a ping, or the closing of the connection. Such an event is delivered
//! exactly once; any other, at most once; all of them in order.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![cfg(target_os = "linux")]

#[path = "support/ws.rs"]
mod ws;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use bitmax::model::{AccountCategory, OrderAnswer, Outcome, Side};
use bitmax::{Channel, ClientOrderId, Error, Event, MessageLimits, NewOrder, Reply, Stream};
use serde_json::{Value, json};
use tungstenite::Message;
use ws::{AUTHENTICATED, CLOSE, PATIENCE, PING, Peer, TEXT, account_client_of, bbo, frame};

const TOPICS: [&str; 5] = ["order:cash", "bbo:BTC/USDT", "bbo:ETH/USDT", "depth:BTC/USDT", "trades:BTC/USDT"];
const END: &str = r#"{"m":"the-end"}"#;

/// Splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// The server, and what it remembers.
struct Exchange {
    listener: TcpListener,
    random: Random,
    /// The number of the connection that is served, as the time of its market data.
    connection: u64,
    /// The number of the last event that was sent.
    sent: u64,
    /// The events sent since the client last answered.
    doubtful: Vec<u64>,
    /// The events that were sent on a live connection.
    confirmed: Vec<u64>,
    /// Every subscription was restored so often.
    restored: usize,
    /// Connections that the client ended though nothing was done to them.
    unplanned: usize,
    orders: BTreeSet<String>,
}

impl Exchange {
    fn start(listener: TcpListener, seed: u64) -> Self {
        socket2::SockRef::from(&listener).set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            listener,
            random: Random(seed),
            connection: 0,
            sent: 0,
            doubtful: Vec::new(),
            confirmed: Vec::new(),
            restored: 0,
            unplanned: 0,
            orders: BTreeSet::new(),
        }
    }

    /// Makes so many faults, then serves one connection to its end. After each connection that was broken, up to two
    /// attempts to connect again are broken too.
    fn run(mut self, faults: usize) -> Self {
        let (mut made, mut to_spoil) = (0, 0);
        loop {
            let (socket, _) = self.listener.accept().expect("the client connects again");
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket.set_nodelay(true).unwrap();
            if !ws::is_upgrade(&socket) {
                ws::answer_info(socket);
            } else if made < faults && to_spoil > 0 {
                to_spoil -= 1;
                made += 1;
                self.spoil(socket);
            } else {
                let last = made == faults;
                made += 1;
                to_spoil = self.random.below(3);
                self.connection += 1;
                let outcome = self.serve(socket, last);
                self.doubtful.clear();
                match outcome {
                    Some(()) if last => return self,
                    Some(()) => {}
                    None => {
                        made -= 1;
                        self.unplanned += 1;
                    }
                }
            }
        }
    }

    /// Breaks an attempt before every subscription is restored.
    fn spoil(&mut self, mut socket: TcpStream) {
        let by_reset = self.random.one_in(2);
        let step = self.random.below(9);
        let silent = self.random.one_in(60);
        if step < 5 {
            let mut request = [0; 4096];
            let n = socket.read(&mut request).unwrap_or(0);
            assert!(request[..n].ends_with(b"\r\n\r\n"));
            let answer: &[u8] = match step {
                0 => b"",
                1 => b"HTTP/1.1 429 Too Many\r\ncontent-length: 13\r\n\r\n<html>no</html",
                2 => b"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>",
                3 => b"SSH-2.0-OpenSSH\r\n\r\n",
                _ => {
                    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                       sec-websocket-accept: another\r\n\r\n"
                }
            };
            let to = self.random.below(answer.len() + 1);
            if socket.write_all(&answer[..to]).is_ok() && silent {
                wait_until_gone(&mut socket);
            }
            return if by_reset {
                ws::reset(&socket)
            };
        }
        let Ok(socket) = tungstenite::accept(socket) else { return };
        let mut peer = Peer(socket);
        let acks = self.random.below(TOPICS.len() - 1);
        let said = |peer: &mut Peer, text: &str| peer.0.send(Message::text(text)).is_ok();
        if step > 5 && said(&mut peer, AUTHENTICATED) && step > 6 {
            // Some subscriptions are asked for, and of those some acknowledged.
            let mut asked = Vec::new();
            while asked.len() <= acks {
                let Ok(Message::Text(text)) = peer.0.read() else { return };
                asked.extend(asked_for(&serde_json::from_str(&text).unwrap()));
            }
            if step > 7 {
                for ack in asked.iter().take(acks) {
                    if !said(&mut peer, ack) {
                        return;
                    }
                }
            }
        }
        if silent && step < 7 {
            wait_until_gone(peer.0.get_mut());
        }
        peer.leave(by_reset);
    }

    /// Restores every subscription, sends events, and breaks the connection. `None` when the client did that.
    fn serve(&mut self, socket: TcpStream, last: bool) -> Option<()> {
        let mut peer = Peer(tungstenite::accept(socket).ok()?);
        peer.0.send(Message::text(AUTHENTICATED)).ok()?;
        let mut open: BTreeSet<&str> = TOPICS.into();
        while !open.is_empty() {
            let said = self.hear(&mut peer)?;
            for ack in asked_for(&said) {
                peer.0.send(Message::text(ack)).ok()?;
            }
            let channel = said["ch"].as_str().unwrap_or_default();
            let (prefix, arguments) = channel.split_once(':').unwrap_or_default();
            for argument in arguments.split(',') {
                open.remove(&*format!("{prefix}:{argument}"));
            }
        }
        self.restored += 1;
        let first = bbo("BTC/USDT", self.connection);
        peer.0.send(Message::text(first)).ok()?;
        for _ in 0..=self.random.below(3) {
            let bytes = self.events(20);
            self.write(&mut peer, &bytes)?;
            peer.0.send(Message::text(r#"{"m":"ping","hp":3}"#)).ok()?;
            while self.hear(&mut peer)?["op"] != "pong" {}
            self.confirmed.append(&mut self.doubtful);
        }
        if last {
            peer.0.send(Message::text(END)).ok()?;
            drop(peer.wait_for_close());
            return Some(());
        }
        self.destroy(peer)
    }

    /// Breaks the connection in the midst of events.
    fn destroy(&mut self, mut peer: Peer) -> Option<()> {
        let mut bytes = self.events(20);
        let by_reset = self.random.one_in(2);
        match self.random.below(40) {
            0 => {
                // Nothing is said any more: the client must notice.
                self.write(&mut peer, &bytes)?;
                wait_until_gone(peer.0.get_mut());
                self.confirmed.append(&mut self.doubtful);
            }
            1..14 => {
                self.write(&mut peer, &bytes)?;
                peer.leave(by_reset);
            }
            14..20 => {
                // In the midst of a frame. What is whole of the others counts as doubtful.
                let cut = self.random.below(bytes.len().max(1));
                peer.0.get_mut().write_all(&bytes[..cut]).ok()?;
                peer.leave(by_reset);
            }
            20..24 => {
                bytes.extend(frame(TEXT, include_bytes!("fixtures/ws/disconnected.json")));
                self.write(&mut peer, &bytes)?;
                peer.leave(by_reset);
            }
            way => {
                // The client is told, or finds, that the connection is over, and closes it.
                let too_long = [&[TEXT, 127][..], &u64::to_be_bytes(1 << 40)].concat();
                let ends = [
                    frame(CLOSE, &1001u16.to_be_bytes()),
                    frame(CLOSE, &1012u16.to_be_bytes()),
                    frame(CLOSE, &4000u16.to_be_bytes()),
                    frame(0xc1, b"{}"),
                    frame(TEXT, b"\xff"),
                    frame(0x80, b"{}"),
                    vec![TEXT, 0x82, 0, 0, 0, 0, b'{', b'}'],
                    too_long,
                ];
                bytes.extend(&ends[way % ends.len()]);
                self.write(&mut peer, &bytes)?;
                peer.wait_for_close()?;
                self.confirmed.append(&mut self.doubtful);
            }
        }
        Some(())
    }

    /// Frames of events and market data, at most so many, whole or in pieces.
    fn events(&mut self, most: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..self.random.below(most) {
            let (at, sn) = (self.connection, self.sent + 1);
            let text = match self.random.below(6) {
                0 => bbo("ETH/USDT", at),
                1 => json!({"m": "depth", "symbol": "BTC/USDT",
                    "data": {"ts": at, "seqnum": at, "asks": [["2", "1"]], "bids": [["1", "0"]]}})
                .to_string(),
                2 => json!({"m": "trades", "symbol": "BTC/USDT",
                    "data": [{"p": "1", "q": "2", "ts": at, "bm": true, "seqnum": at}]})
                .to_string(),
                3 => {
                    self.sent = sn;
                    json!({"m": "balance", "accountId": "c", "ac": "CASH",
                        "data": {"a": "USDT", "sn": sn, "tb": "600", "ab": "600"}})
                    .to_string()
                }
                _ => {
                    self.sent = sn;
                    let mut order: Value = serde_json::from_str(include_str!("fixtures/ws/order.json")).unwrap();
                    order["data"]["sn"] = sn.into();
                    order.to_string()
                }
            };
            if self.sent == sn {
                self.doubtful.push(sn);
            }
            if self.random.one_in(8) {
                let (head, tail) = text.as_bytes().split_at(self.random.below(text.len()));
                bytes.extend([frame(0x01, head), frame(PING, b"?"), frame(0x80, tail)].concat());
            } else {
                bytes.extend(frame(TEXT, text.as_bytes()));
            }
        }
        bytes
    }

    /// Writes in segments of any size.
    fn write(&mut self, peer: &mut Peer, mut bytes: &[u8]) -> Option<()> {
        let most = *self.random.of(&[1 << 16, 1 << 16, 1000, 100, 20]);
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at((1 + self.random.below(most)).min(bytes.len()));
            peer.0.get_mut().write_all(now).ok()?;
            bytes = later;
        }
        Some(())
    }

    /// The next thing that the client says. Orders and pings are answered.
    fn hear(&mut self, peer: &mut Peer) -> Option<Value> {
        loop {
            let Message::Text(text) = peer.0.read().ok()? else { continue };
            let said: Value = serde_json::from_str(&text).unwrap();
            match said["op"].as_str().unwrap() {
                "ping" => peer.0.send(Message::text(r#"{"m":"pong","code":0,"hp":2}"#)).ok()?,
                "req" => {
                    let id = said["args"]["id"].as_str().unwrap();
                    assert!(self.orders.insert(id.to_owned()), "{id} twice");
                    let info =
                        json!({"symbol": "BTC/USDT", "orderType": "Limit", "timestamp": 1, "id": id, "orderId": "s1"});
                    let ack = json!({"m": "order", "accountId": "c", "ac": "CASH", "action": "place-order", "status": "Ack",
                        "info": info});
                    peer.0.send(Message::text(ack.to_string())).ok()?;
                }
                _ => return Some(said),
            }
        }
    }
}

/// The acknowledgements of a `sub`.
fn asked_for(said: &Value) -> Vec<String> {
    let Some((prefix, arguments)) = said["ch"].as_str().and_then(|ch| ch.rsplit_once(':')) else { return Vec::new() };
    assert_eq!(said["op"], "sub");
    let name = |argument| if prefix == "order" { "order:cshQ".to_owned() } else { format!("{prefix}:{argument}") };
    let ack = |argument| json!({"m": "sub", "id": said["id"], "ch": name(argument), "code": 0}).to_string();
    arguments.split(',').map(ack).collect()
}

/// Until the client hangs up.
fn wait_until_gone(socket: &mut TcpStream) {
    while socket.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {}
}

/// What the process holds at a moment when the stream is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    threads: usize,
    descriptors: usize,
    kib: usize,
}

impl Held {
    fn now() -> Self {
        let names = fs::read_dir("/proc/self/task").unwrap().filter_map(|task| {
            // A thread can end while it is looked at.
            fs::read_to_string(task.unwrap().path().join("comm")).ok()
        });
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        Self {
            threads: names.filter(|name| name.starts_with("bitmax")).count(),
            descriptors: fs::read_dir("/proc/self/fd").unwrap().count(),
            kib: rss.trim().trim_end_matches(" kB").parse().unwrap(),
        }
    }
}

/// What the client has been told.
#[derive(Default)]
struct Consumer {
    subscribed: BTreeSet<String>,
    delivered: Vec<u64>,
    /// Connections that delivered.
    connections: BTreeSet<u64>,
    outages: usize,
    asked: Vec<(ClientOrderId, Reply<OrderAnswer<Outcome>>)>,
    accepted: Vec<ClientOrderId>,
    unsent: Vec<ClientOrderId>,
}

impl Consumer {
    /// Takes an event; `false` at the end.
    fn take(&mut self, event: Event, stream: &Stream) -> bool {
        match event {
            Event::Connected { .. } | Event::Reconnected { .. } => self.subscribed.clear(),
            Event::Subscribed(channel) => assert!(self.subscribed.insert(channel.into()), "twice"),
            Event::Disconnected(_) | Event::ConnectFailed(_) => self.outages += 1,
            Event::Order(order) => self.event(order.data.data.seqnum),
            Event::Balance(balance) => self.event(balance.data.data.seqnum),
            Event::Bbo(bbo) => self.market_data(bbo.ts, stream),
            Event::Depth(depth) => self.market_data(depth.ts, stream),
            Event::Trades(trades) => self.market_data(trades.trades[0].ts, stream),
            Event::Unknown(unknown) => {
                assert_eq!(unknown.text, END);
                return false;
            }
            other => panic!("{other:?}"),
        }
        true
    }

    fn event(&mut self, number: u64) {
        assert!(self.delivered.last().is_none_or(|last| *last < number), "{number} after {:?}", self.delivered.last());
        self.delivered.push(number);
    }

    /// Market data tells its connection. It comes only after every subscription is restored.
    fn market_data(&mut self, connection: u64, stream: &Stream) {
        assert_eq!(self.subscribed, TOPICS.map(str::to_owned).into(), "on connection {connection}");
        if self.connections.insert(connection) {
            self.settle();
            let id = ClientOrderId::random().unwrap();
            let order = NewOrder::limit("BTC/USDT", Side::Buy, "0.001", "50000").unwrap().id(id);
            self.asked.push((id, stream.place_later(AccountCategory::Cash, &order).unwrap()));
        }
    }

    /// Every order gets one outcome.
    fn settle(&mut self) {
        for (id, reply) in self.asked.drain(..) {
            match reply.wait() {
                Ok(_) => self.accepted.push(id),
                Err(Error::ConnectionLost) => {}
                Err(Error::NotReady(_)) => self.unsent.push(id),
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

fn survive(faults: usize, seed: u64) {
    // One run at a time, because of what is counted.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let exchange = thread::spawn(move || Exchange::start(listener, seed).run(faults));
    let mut limits = MessageLimits::default();
    (limits.subscriptions, limits.orders, limits.requests, limits.admin) = (u32::MAX, u32::MAX, u32::MAX, u32::MAX);
    let builder = TOPICS[1..]
        .iter()
        .fold(account_client_of(address).stream(), |builder, topic| builder.subscribe(topic.parse().unwrap()));
    let stream = builder
        .subscribe(Channel::orders(AccountCategory::Cash))
        .limits(limits)
        .backoff(Duration::from_millis(1), Duration::from_millis(5))
        .attempt_budget(1_000_000, PATIENCE)
        .connect_timeout(Duration::from_secs(2))
        .ping_after(Duration::from_millis(750))
        .dead_after(Duration::from_millis(1500))
        .start()
        .unwrap();

    let mut consumer = Consumer::default();
    // The first connections make what stays.
    let warm = (faults / 10) as u64;
    let mut early = None;
    loop {
        let event = stream.recv_timeout(PATIENCE).expect("an event in time");
        if !consumer.take(event, &stream) {
            break;
        }
        if early.is_none() && consumer.connections.last().is_some_and(|connection| *connection >= warm) {
            early = Some(Held::now());
        }
    }
    let (early, late) = (early.unwrap(), Held::now());
    consumer.settle();
    drop(stream);
    let exchange = exchange.join().unwrap();

    println!(
        "{faults} faults with seed {seed}: restored {} times, {} events sent, {} of them on a live connection, {} delivered, \
         {} orders ({} accepted, {} not sent), {} outages told, {} unplanned; {early:?}, then {late:?}",
        exchange.restored,
        exchange.sent,
        exchange.confirmed.len(),
        consumer.delivered.len(),
        exchange.orders.len(),
        consumer.accepted.len(),
        consumer.unsent.len(),
        consumer.outages,
        exchange.unplanned,
    );
    let delivered: BTreeSet<u64> = consumer.delivered.iter().copied().collect();
    let lost: Vec<u64> = exchange.confirmed.iter().copied().filter(|number| !delivered.contains(number)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert!(consumer.delivered.last().is_none_or(|number| *number <= exchange.sent));
    assert!(exchange.restored * 3 >= faults && consumer.connections.len() == exchange.restored);
    assert!(consumer.outages >= faults);
    let heard = |id: &ClientOrderId| exchange.orders.contains(id.as_str());
    assert!(consumer.accepted.iter().all(heard) && !consumer.unsent.iter().any(heard));
    // The client ends nothing by itself, but for a machine that stands still for seconds.
    assert!(exchange.unplanned * 20 <= faults);

    assert_eq!((early.threads, late.threads), (1, 1));
    // At the first look, one connection's two ends may have been closed already.
    assert!(late.descriptors <= early.descriptors + 2, "{early:?}, {late:?}");
    assert!(late.kib <= early.kib + 2048, "{} KiB, then {} KiB", early.kib, late.kib);
    // The system takes its time to forget a thread that has ended.
    let deadline = Instant::now() + PATIENCE;
    while Held::now().threads > 0 {
        assert!(Instant::now() < deadline, "a thread is left");
        thread::yield_now();
    }
}

#[test]
fn fifty_random_faults_are_survived() {
    survive(50, 1);
}

/// Run by `.ci/run`.
#[test]
#[ignore = "takes a minute"]
fn a_thousand_random_faults_are_survived() {
    survive(1000, 2);
}
