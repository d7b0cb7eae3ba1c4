//! The faults that a network and a server can make, each over real sockets, against a server that follows a script.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "support/ws.rs"]
mod ws;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bitmax::model::{AccountCategory, Side};
use bitmax::{
    Authentication, BookChange, BookStatus, Channel, Code, Error, Event, NewOrder, OrderBook, Phase, StaleReason,
    Timeout,
};
use serde_json::json;
use ws::{
    CLOSE, GREETING, PATIENCE, PING, Peer, Server, TEXT, account_client, account_server, bbo, bbo_of, connected, frame,
    next, outage, quick, reconnected, show,
};

fn read_request(socket: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
}

/// What a connection goes through, until it breaks at the step of this number.
const STEPS: [&[&str]; 8] = [
    // Asked for the upgrade; within its answer.
    &["failed: Upgrade"],
    &["failed: Upgrade"],
    // Upgraded; greeted; the authentication sent.
    &["failed: Exchange"],
    &["failed: Exchange"],
    &["failed: Exchange"],
    // The subscription sent; acknowledged; data.
    &["up", "broken: Exchange"],
    &["up", "+order:cash", "broken: Exchange"],
    &["up", "+order:cash", "order", "broken: Exchange"],
];

fn go_to(step: usize, by_reset: bool, mut socket: TcpStream) {
    if step < 2 {
        read_request(&mut socket);
        if step == 1 {
            socket.write_all(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconn").unwrap();
        }
        if by_reset {
            ws::reset(&socket);
        }
        return;
    }
    let (mut peer, _) = ws::upgrade_account(socket);
    if step == 2 {
        return peer.leave(by_reset);
    }
    peer.say(GREETING);
    if step == 3 {
        return peer.leave(by_reset);
    }
    let auth = peer.hear_json();
    assert_eq!(auth["op"], "auth");
    if step == 4 {
        return peer.leave(by_reset);
    }
    peer.say(&json!({"m": "auth", "id": auth["id"], "code": 0}).to_string());
    let sub = peer.hear_json();
    assert_eq!((&sub["op"], &sub["ch"]), (&json!("sub"), &json!("order:cash")));
    if step == 5 {
        return peer.leave(by_reset);
    }
    peer.say(&json!({"m": "sub", "id": sub["id"], "ch": "order:cshQ", "code": 0}).to_string());
    if step == 6 {
        return peer.leave(by_reset);
    }
    peer.say(include_str!("fixtures/ws/order.json"));
    if step == 7 {
        return peer.leave(by_reset);
    }
    drop(peer.wait_for_close());
}

#[test]
fn a_connection_that_breaks_at_any_step_is_made_anew() {
    let upgrades = AtomicUsize::new(0);
    let server = Server::start(move |_, socket| {
        if ws::is_upgrade(&socket) {
            let number = upgrades.fetch_add(1, Ordering::Relaxed);
            go_to(number / 2, number % 2 == 1, socket);
        } else {
            ws::answer_info(socket);
        }
    });
    let builder = quick(account_client(&server).stream()).authenticate(Authentication::Message);
    let stream = builder.subscribe(Channel::orders(AccountCategory::Cash)).start().unwrap();
    let whole = ["up", "+order:cash", "order"];
    let expected: Vec<&str> = STEPS.iter().flat_map(|step| [*step, *step]).flatten().copied().chain(whole).collect();
    let mut log = Vec::new();
    while log.len() < expected.len() {
        log.push(match next(&stream) {
            Event::Connected { .. } | Event::Reconnected { .. } => "up".to_owned(),
            Event::ConnectFailed(outage) => format!("failed: {}", show(&outage.error)),
            Event::Disconnected(outage) => format!("broken: {}", show(&outage.error)),
            Event::Subscribed(channel) => format!("+{channel}"),
            Event::Order(_) => "order".to_owned(),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(log, expected);
}

/// What the server said before it broke the connection is delivered, though the client was writing to it.
#[test]
fn what_came_before_the_end_is_delivered() {
    const MESSAGES: u64 = 200;
    for by_reset in [true, false] {
        let server = Server::start(move |_, socket| {
            let mut peer = Peer::greet(socket);
            // Unread, so that the end is a reset in any case.
            let ping = [frame(PING, b"?"), frame(TEXT, br#"{"m":"ping","hp":3}"#)].concat();
            let text = |ts| frame(TEXT, bbo("BTC/USDT", ts).as_bytes());
            let bytes: Vec<u8> = (1..=MESSAGES).flat_map(|ts| [text(ts), ping.clone()].concat()).collect();
            peer.raw(&bytes);
            peer.leave(by_reset);
        });
        let hour = Duration::from_secs(3600);
        let stream = server.client().stream().backoff(hour, hour).connect().unwrap();
        connected(&stream);
        for ts in 1..=MESSAGES {
            bbo_of(&stream, ts);
        }
        assert_eq!(show(&outage(&stream)), "Exchange");
    }
}

/// Whether the client's end has taken all that was sent to it; `None` when it is gone.
#[cfg(target_os = "linux")]
fn has_taken_all(socket: &TcpStream) -> Option<bool> {
    let name = |address: std::net::SocketAddr| match address {
        std::net::SocketAddr::V4(v4) => format!("{:08X}:{:04X}", u32::from_ne_bytes(v4.ip().octets()), v4.port()),
        v6 => panic!("{v6}"),
    };
    let (client, server) = (name(socket.peer_addr().ok()?), name(socket.local_addr().ok()?));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let queues = table.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        (fields.next()? == client && fields.next()? == server).then(|| fields.nth(1)).flatten()
    })?;
    Some(queues.ends_with(":00000000"))
}

#[cfg(target_os = "linux")]
#[test]
fn an_upgrade_in_single_bytes_is_a_failed_attempt() {
    let server = Server::start(|number, mut socket| {
        if number > 0 {
            return drop(Peer::greet(socket).wait_for_close());
        }
        read_request(&mut socket);
        let deadline = std::time::Instant::now() + PATIENCE;
        let answer = format!("HTTP/1.1 101 Switching Protocols\r\nx-padding: {}\r\n", "x".repeat(500));
        for byte in answer.as_bytes() {
            if socket.write_all(&[*byte]).is_err() {
                return;
            }
            loop {
                assert!(std::time::Instant::now() < deadline, "neither read nor given up");
                match has_taken_all(&socket) {
                    Some(true) => break,
                    Some(false) => std::thread::yield_now(),
                    None => return,
                }
            }
        }
        panic!("the client has waited for {} bytes", answer.len());
    });
    let stream = quick(server.client().stream()).start().unwrap();
    match next(&stream) {
        Event::ConnectFailed(outage) => assert_eq!(show(&outage.error), "Upgrade"),
        other => panic!("{other:?}"),
    }
    connected(&stream);
}

#[test]
fn pings_are_answered_down_to_the_last_and_the_last_words_are_told() {
    let server = Server::start(|number, socket| {
        let mut peer = Peer::greet(socket);
        if number == 3 {
            return drop(peer.wait_for_close());
        }
        for hp in [3, 2, 1, 0] {
            peer.say(&json!({"m": "ping", "hp": hp}).to_string());
            assert_eq!(peer.hear(), r#"{"op":"pong"}"#);
        }
        peer.say(include_str!("fixtures/ws/disconnected.json"));
        if number == 0 {
            peer.raw(&frame(CLOSE, b""));
        }
        peer.leave(number == 1);
    });
    let stream = quick(server.client().stream()).connect().unwrap();
    connected(&stream);
    for _ in 0..3 {
        match outage(&stream) {
            Error::Refused(refusal) => {
                assert_eq!(refusal.code, Code::new(100_005));
                assert!(refusal.message.contains("missing pong"), "{refusal:?}");
            }
            other => panic!("{other:?}"),
        }
        reconnected(&stream);
    }
}

#[test]
fn acknowledgements_come_twice_and_in_any_order() {
    let server = Server::start(|_, socket| {
        let mut peer = Peer::greet(socket);
        let (first, second) = (peer.hear_json(), peer.hear_json());
        assert_eq!((&first["ch"], &second["ch"]), (&json!("bbo:A/B,C/D"), &json!("trades:A/B")));
        for (id, ch) in [(&second, "trades:A/B"), (&first, "bbo:C/D"), (&first, "bbo:A/B"), (&first, "bbo:X/Y")] {
            for _ in 0..2 {
                peer.say(&json!({"m": "sub", "id": id["id"], "ch": ch, "code": 0}).to_string());
            }
        }
        peer.say(&bbo("A/B", 1));
        drop(peer.wait_for_close());
    });
    let builder = server.client().stream().subscribe(Channel::bbo(["A/B", "C/D"]));
    let stream = builder.subscribe(Channel::trades(["A/B"])).connect().unwrap();
    connected(&stream);
    for channel in ["trades:A/B", "bbo:C/D", "bbo:A/B"] {
        assert!(matches!(next(&stream), Event::Subscribed(ch) if &*ch == channel));
    }
    bbo_of(&stream, 1);
}

#[test]
fn an_acknowledgement_that_never_comes_is_told_and_its_data_taken() {
    let server = Server::start(|number, socket| {
        let mut peer = Peer::greet(socket);
        if number == 0 {
            let (first, again) = (peer.hear_json(), peer.hear_json());
            assert_eq!((&first["ch"], &again["ch"]), (&json!("bbo:A/B"), &json!("bbo:A/B")));
            peer.say(&bbo("A/B", 1));
            // It was told once; it is wanted on the next connection too.
            peer.say(r#"{"m":"told?"}"#);
            // Meanwhile it may be asked for again.
            while peer.hear_json()["ch"] != "trades:A/B" {}
        } else {
            assert_eq!(peer.acknowledge_sub(), "bbo:A/B");
            drop(peer.wait_for_close());
        }
    });
    let builder = quick(server.client().stream()).answer_timeout(Duration::from_millis(300));
    let stream = builder.subscribe(Channel::bbo(["A/B"])).connect().unwrap();
    connected(&stream);
    let (mut failed, mut data) = (0, 0);
    while failed + data < 2 {
        match next(&stream) {
            Event::SubscriptionFailed(e) => {
                assert_eq!((&*e.channel, &e.refusal), ("bbo:A/B", &None));
                failed += 1;
            }
            Event::Bbo(_) => data += 1,
            Event::Unknown(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((failed, data), (1, 1));
    stream.subscribe(Channel::trades(["A/B"])).unwrap();
    loop {
        match next(&stream) {
            Event::Unknown(_) | Event::Disconnected(_) | Event::Reconnected { .. } => {}
            Event::SubscriptionFailed(e) => assert_eq!(&*e.channel, "bbo:A/B"),
            Event::Subscribed(channel) => break assert_eq!(&*channel, "bbo:A/B"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_authentication_without_an_answer_is_a_failed_attempt() {
    let server = account_server(|mut peer, _| {
        peer.say(GREETING);
        assert_eq!(peer.hear_json()["op"], "auth");
        // What is said meanwhile is no answer.
        peer.say(&bbo("A/B", 1));
        assert_eq!(peer.wait_for_close(), None);
    });
    let builder = account_client(&server).stream().authenticate(Authentication::Message);
    match builder.connect_timeout(Duration::from_secs(1)).connect() {
        Err(Error::Timeout(timeout)) => assert_eq!(timeout, Timeout::Greeting),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_book_survives_changes_that_come_twice_or_not_at_all() {
    fn depth(m: &str, seqnum: u64) -> String {
        let (bids, asks) = ([["9", &*seqnum.to_string()]], [["10", "1"]]);
        json!({"m": m, "symbol": "A/B", "data": {"ts": seqnum, "seqnum": seqnum, "bids": bids, "asks": asks}})
            .to_string()
    }
    let server = Server::start(|_, socket| {
        let mut peer = Peer::greet(socket);
        peer.acknowledge_sub();
        let asked = |peer: &mut Peer| assert_eq!(peer.hear_json()["action"], "depth-snapshot");
        asked(&mut peer);
        for (m, seqnum) in
            [("depth", 11), ("depth-snapshot", 10), ("depth", 11), ("depth", 12), ("depth", 12), ("depth", 14)]
        {
            peer.say(&depth(m, seqnum));
        }
        asked(&mut peer);
        for (m, seqnum) in [("depth", 15), ("depth-snapshot", 14), ("depth-snapshot", 14), ("depth", 16)] {
            peer.say(&depth(m, seqnum));
        }
        drop(peer.wait_for_close());
    });
    let stream = server.client().stream().subscribe(Channel::depth(["A/B"])).connect().unwrap();
    let mut book = OrderBook::new("A/B".try_into().unwrap());
    let mut log = Vec::new();
    while book.seqnum() != Some(16) {
        match next(&stream) {
            Event::Subscribed(_) => stream.request_snapshot("A/B").unwrap(),
            Event::Depth(depth) => {
                let change = book.apply(&depth).unwrap();
                log.push((depth.seqnum, change));
                if change == BookChange::Lost {
                    assert_eq!(book.status(), BookStatus::Stale(StaleReason::Gap { expected: 13, found: 14 }));
                    assert_eq!(book.best_bid(), None);
                    stream.request_snapshot("A/B").unwrap();
                }
            }
            Event::Connected { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    use BookChange::{Built, Kept, Lost, Outdated, Updated};
    let second = [(15, Kept), (14, Built), (14, Outdated), (16, Updated)];
    let first = [(11, Kept), (10, Built), (11, Outdated), (12, Updated), (12, Outdated), (14, Lost)];
    assert_eq!(log, [&first[..], &second[..]].concat());
    assert!(book.is_live());
    assert_eq!(book.best_bid().unwrap().size.to_string(), "16");
}

#[test]
fn a_clock_that_jumps_by_minutes_is_set_again() {
    const JUMPS: [i64; 3] = [5 * 60_000, -7 * 60_000, 0];
    /// The exchange's time.
    fn clock(connection: usize) -> i64 {
        i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap() + JUMPS[connection]
    }
    let connections = AtomicUsize::new(0);
    let server = account_server(move |mut peer, _| {
        let connection = connections.fetch_add(1, Ordering::Relaxed);
        let is_now = |t: &serde_json::Value| (t.as_i64().unwrap() - clock(connection)).abs() < 60_000;
        peer.say(GREETING);
        let auth = peer.hear_json();
        assert!(!is_now(&auth["t"]));
        peer.say(&json!({"m": "auth", "id": auth["id"], "code": 100_011, "reason": "INVALID_TIMESTAMP"}).to_string());
        assert_eq!(peer.hear_json()["op"], "ping");
        peer.say(&json!({"m": "pong", "code": 0, "ts": clock(connection), "hp": 2}).to_string());
        let auth = peer.hear_json();
        assert!(is_now(&auth["t"]));
        peer.say(&json!({"m": "auth", "id": auth["id"], "code": 0}).to_string());
        // An order has the exchange's time too.
        let order = peer.hear_json();
        assert!(is_now(&order["args"]["time"]), "{order}");
        if connection + 1 == JUMPS.len() {
            drop(peer.wait_for_close());
        }
    });
    let builder = quick(account_client(&server).stream()).authenticate(Authentication::Message);
    let stream = builder.connect().unwrap();
    let order = || NewOrder::limit("BTC/USDT", Side::Buy, "0.001", "50000").unwrap();
    let place = || drop(stream.place_later(AccountCategory::Cash, &order()).unwrap());
    connected(&stream);
    place();
    for _ in 1..JUMPS.len() {
        assert_eq!(show(&outage(&stream)), "Exchange");
        reconnected(&stream);
        place();
    }
}

/// An answer that does not come is no reason to drop the connection, so long as the request has left.
#[test]
fn an_unanswered_request_does_not_end_a_connection_that_takes_what_is_written() {
    let server = account_server(|mut peer, _| {
        peer.say(ws::AUTHENTICATED);
        assert_eq!(peer.hear_json()["action"], "place-order");
        peer.0.send(tungstenite::Message::Ping("?".into())).unwrap();
        assert_eq!(peer.0.read().unwrap(), tungstenite::Message::Pong("?".into()));
        assert_eq!(peer.acknowledge_sub(), "bbo:A/B");
        drop(peer.wait_for_close());
    });
    let builder = account_client(&server).stream().authenticate(Authentication::Header);
    let stream = builder.request_timeout(Duration::from_millis(200)).connect().unwrap();
    connected(&stream);
    let order = NewOrder::limit("BTC/USDT", Side::Buy, "0.001", "50000").unwrap();
    assert!(matches!(stream.place(AccountCategory::Cash, &order), Err(Error::Timeout(Timeout::Call))));
    stream.subscribe(Channel::bbo(["A/B"])).unwrap();
    let event = next(&stream);
    assert!(matches!(event, Event::Subscribed(_)), "{event:?}");
}

/// A server that goes away for a while: refused, until it is back on the same port.
#[test]
fn a_server_that_comes_back_is_found_again() {
    let (gone, is_gone) = mpsc::channel();
    // Two sockets of one port, so that nobody else gets it in between: one listens now, the other later.
    let socket = |address: std::net::SocketAddr| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&address.into()).unwrap();
        socket
    };
    let early = socket("127.0.0.1:0".parse().unwrap());
    let address = early.local_addr().unwrap().as_socket().unwrap();
    let late = socket(address);
    early.listen(8).unwrap();
    let server = std::thread::spawn(move || {
        let accept = |socket: socket2::Socket| {
            let socket = TcpStream::from(socket.accept().unwrap().0);
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            Peer::greet(socket)
        };
        drop(accept(early));
        is_gone.recv_timeout(PATIENCE).unwrap();
        late.listen(8).unwrap();
        drop(accept(late).wait_for_close());
    });
    let stream = quick(ws::client_of(address).stream()).connect().unwrap();
    connected(&stream);
    assert_eq!(show(&outage(&stream)), "Exchange");
    let mut refused = 0;
    loop {
        match next(&stream) {
            Event::ConnectFailed(outage) => {
                assert!(
                    matches!(&outage.error, Error::Transport(e) if matches!(e.phase(), Phase::Connect | Phase::Upgrade))
                );
                refused += 1;
                if refused == 3 {
                    gone.send(()).unwrap();
                }
            }
            Event::Reconnected { attempts, .. } => break assert!(refused >= 3 && attempts == refused + 1),
            other => panic!("{other:?}"),
        }
    }
    drop(stream);
    server.join().unwrap();
}

#[test]
fn a_connection_without_a_sign_of_life_is_noticed() {
    let server = Server::start(|number, socket| {
        let mut peer = Peer::greet(socket);
        if number == 0 {
            assert_eq!(peer.hear(), r#"{"op":"ping"}"#);
            // Half open: nothing more comes, and nothing is closed.
            while peer.0.read().is_ok() {}
        } else {
            drop(peer.wait_for_close());
        }
    });
    let builder = quick(server.client().stream());
    let stream =
        builder.ping_after(Duration::from_millis(50)).dead_after(Duration::from_millis(100)).connect().unwrap();
    connected(&stream);
    match next(&stream) {
        Event::Disconnected(outage) => assert!(matches!(outage.error, Error::Timeout(Timeout::Silence)), "{outage:?}"),
        other => panic!("{other:?}"),
    }
    reconnected(&stream);
}
