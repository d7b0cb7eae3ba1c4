//! The stream over real sockets, against a server that follows a script.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "support/ws.rs"]
mod ws;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use bitmax::{
    BookChange, Channel, Client, CloseReason, Code, Decimal, Direction, Endpoint, Error, Event, OrderBook, Phase,
    Stream, Timeout,
};
use ws::{GREETING, PATIENCE, Peer, Server, bbo, client_of, next, quick};

#[test]
fn connects_subscribes_delivers_and_closes_politely() {
    let (closed, was_closed) = mpsc::channel();
    let server = Server::start(move |_, socket| {
        let mut peer = Peer::greet(socket);
        assert_eq!(peer.acknowledge_sub(), "bbo:BTC/USDT,ETH/USDT");
        peer.say(&bbo("ETH/USDT", 17));
        assert_eq!(peer.acknowledge_sub(), "trades:BTC/USDT");
        let unsub = peer.hear_json();
        assert_eq!((&unsub["op"], &unsub["ch"]), (&"unsub".into(), &"bbo:ETH/USDT".into()));
        peer.say(&format!(r#"{{"m":"unsub","id":{},"ch":"bbo:ETH/USDT"}}"#, unsub["id"]));
        closed.send(peer.wait_for_close()).unwrap();
    });
    let stream = server.client().stream().subscribe(Channel::bbo(["BTC/USDT", "ETH/USDT"])).connect().unwrap();
    assert!(matches!(next(&stream), Event::Connected { authenticated: false, .. }));
    for symbol in ["BTC/USDT", "ETH/USDT"] {
        assert!(matches!(next(&stream), Event::Subscribed(ch) if *ch == *format!("bbo:{symbol}")));
    }
    match next(&stream) {
        Event::Bbo(bbo) => assert_eq!((bbo.symbol.as_str(), bbo.ts), ("ETH/USDT", 17)),
        other => panic!("{other:?}"),
    }
    stream.subscribe(Channel::trades(["BTC/USDT"])).unwrap();
    assert!(matches!(next(&stream), Event::Subscribed(ch) if &*ch == "trades:BTC/USDT"));
    stream.unsubscribe(Channel::bbo(["ETH/USDT"])).unwrap();
    assert!(matches!(next(&stream), Event::Unsubscribed(ch) if &*ch == "bbo:ETH/USDT"));
    let handle = stream.handle();
    drop(stream);
    let frame = was_closed.recv_timeout(PATIENCE).unwrap().expect("a close frame");
    assert_eq!(u16::from(frame.code), 1000);
    assert!(matches!(handle.subscribe(Channel::bbo(["BTC/USDT"])), Err(Error::Closed)));
}

#[test]
fn closing_ends_the_events_and_unblocks_who_waits() {
    let server = Server::start(|_, socket| drop(Peer::greet(socket).wait_for_close()));
    let stream = server.client().stream().connect().unwrap();
    let handle = stream.handle();
    assert!(matches!(next(&stream), Event::Connected { .. }));
    let closer = std::thread::spawn(move || handle.close());
    assert!(matches!(stream.recv(), Ok(Event::Closed(CloseReason::Requested))));
    assert!(stream.recv().is_err() && stream.try_recv().is_err());
    assert_eq!(stream.iter().count(), 0);
    closer.join().unwrap();
}

#[test]
fn bad_input_is_refused_before_anything_is_sent() {
    // Nobody listens there: an attempt would fail in another way.
    let client = client_of("127.0.0.1:1".parse().unwrap());
    for (channel, field) in [
        (Channel::bbo(["btc/usdt"]), "symbol"),
        (Channel::bbo([""; 0]), "ch"),
        (Channel::bar("2".parse_interval(), ["BTC/USDT"]), "interval"),
        (Channel::ref_px(["B/C"]), "asset"),
    ] {
        match client.stream().subscribe(channel).connect() {
            Err(Error::InvalidInput(e)) => assert_eq!(e.field(), field),
            other => panic!("{other:?}"),
        }
    }
    match client.stream().dead_after(Duration::ZERO).connect() {
        Err(Error::InvalidInput(e)) => assert_eq!(e.field(), "dead_after"),
        other => panic!("{other:?}"),
    }
}

trait ParseInterval {
    fn parse_interval(&self) -> bitmax::model::BarInterval;
}
impl ParseInterval for str {
    fn parse_interval(&self) -> bitmax::model::BarInterval {
        bitmax::model::BarInterval::from_text(self)
    }
}

/// Byte by byte, so that head and body come apart.
#[test]
fn a_refused_upgrade_is_read_to_its_end() {
    let body = r#"{"code":100014,"reason":"TOO_MANY_REQUESTS","message":"slow down"}"#;
    let page = format!("<html>{}</html>", "x".repeat(600));
    for (head, body, refused) in [
        (format!("retry-after: 7\r\ncontent-length: {}\r\nconnection: keep-alive", body.len()), body.to_owned(), true),
        ("retry-after: 7\r\nconnection: close".to_owned(), body.to_owned(), true),
        (
            "retry-after: 7\r\ntransfer-encoding: chunked".to_owned(),
            format!("5\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n", &body[..5], body.len() - 5, &body[5..]),
            true,
        ),
        (format!("retry-after: 7\r\ncontent-length: {}", page.len()), page.clone(), false),
    ] {
        let closes = head.contains("close");
        let server = Server::start(move |_, mut socket| {
            assert!(socket.read(&mut [0; 4096]).unwrap() > 0);
            for byte in format!("HTTP/1.1 429 Too Many\r\n{head}\r\n\r\n{body}").bytes() {
                // The client has gone when it knows enough.
                if socket.write_all(&[byte]).is_err() {
                    break;
                }
            }
            // Held open: the end is told by what was said.
            if !closes {
                while socket.read(&mut [0; 64]).is_ok_and(|n| n > 0) {}
            }
        });
        match server.client().stream().connect() {
            Err(Error::Refused(refusal)) if refused => {
                assert_eq!((refusal.code, refusal.status), (Code::TOO_MANY_REQUESTS, Some(429)));
                assert_eq!(refusal.retry_after, Some(Duration::from_secs(7)));
            }
            Err(Error::Http(e)) if !refused => {
                assert_eq!((e.status, e.retry_after), (429, Some(Duration::from_secs(7))));
                assert_eq!(e.body, page[..512]);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_way_not_to_connect_is_told_as_what_it_is() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    match client_of(free).stream().connect() {
        Err(Error::Transport(e)) => assert_eq!(e.phase(), Phase::Connect),
        other => panic!("{other:?}"),
    }

    let unknown = Endpoint::new("http://name.invalid", "ws://name.invalid").unwrap();
    match Client::builder(unknown).build().unwrap().stream().connect() {
        Err(Error::Transport(e)) => assert_eq!(e.phase(), Phase::Resolve),
        other => panic!("{other:?}"),
    }

    for (answer, status, retry_after) in [
        ("HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno", 401, None),
        ("HTTP/1.1 403 Forbidden\r\n\r\n<html>no</html>", 403, None),
        ("HTTP/1.1 429 Too Many\r\nretry-after: 7\r\n\r\n<html>slow down</html>", 429, Some(7)),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n<html>", 502, None),
        ("HTTP/1.1 302 Found\r\nlocation: ws://127.0.0.1:1/\r\n\r\n", 302, None),
        ("HTTP/1.1 200 OK\r\n\r\n", 200, None),
    ] {
        let server = Server::start(move |_, mut socket| {
            assert!(socket.read(&mut [0; 4096]).unwrap() > 0);
            socket.write_all(answer.as_bytes()).unwrap();
        });
        match server.client().stream().connect() {
            Err(Error::Http(e)) => {
                assert_eq!((e.status, e.retry_after.map(|wait| wait.as_secs())), (status, retry_after));
                assert!(answer.ends_with(&e.body), "{:?}", e.body);
            }
            other => panic!("{other:?}"),
        }
    }

    for garbage in ["", "HTTP/1.1 101 Switching", "SSH-2.0-OpenSSH\r\n\r\n"] {
        let server = Server::start(move |_, mut socket| {
            assert!(socket.read(&mut [0; 4096]).unwrap() > 0);
            socket.write_all(garbage.as_bytes()).unwrap();
        });
        match server.client().stream().connect() {
            Err(Error::Transport(e)) => assert_eq!(e.phase(), Phase::Upgrade, "{garbage}"),
            other => panic!("{other:?}"),
        }
    }

    let server = Server::start(|_, socket| drop(Peer::upgrade(socket).wait_for_close()));
    match server.client().stream().connect_timeout(Duration::from_secs(1)).connect() {
        Err(Error::Timeout(timeout)) => assert_eq!(timeout, Timeout::Greeting),
        other => panic!("{other:?}"),
    }

    let server = Server::start(|_, mut socket| while socket.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {});
    match server.client().stream().connect_timeout(Duration::from_secs(1)).connect() {
        Err(Error::Timeout(timeout)) => assert_eq!(timeout, Timeout::Connect),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_next_address_is_tried() {
    let server = Server::start(|_, socket| drop(Peer::greet(socket).wait_for_close()));
    // The name has an IPv6 address too, on most machines, where nobody listens.
    let port = server.address().port();
    let endpoint = Endpoint::new(format!("http://localhost:{port}"), format!("ws://localhost:{port}")).unwrap();
    let stream = Client::builder(endpoint).build().unwrap().stream().connect().unwrap();
    assert!(matches!(next(&stream), Event::Connected { .. }));
}

#[test]
fn a_broken_connection_is_made_anew_with_every_subscription() {
    let server = Server::start(|number, socket| {
        let mut peer = Peer::greet(socket);
        peer.acknowledge_sub();
        if number > 0 {
            assert_eq!(peer.acknowledge_sub(), "trades:BTC/USDT");
        }
        peer.say(&bbo("BTC/USDT", number as u64));
        match number {
            // A reset, a close frame, the end of the stream.
            0 => {
                let sub = peer.hear_json();
                assert_eq!(sub["ch"], "trades:BTC/USDT");
                ws::reset(peer.0.get_ref());
            }
            1 => {
                let code = 1012.into();
                peer.0.close(Some(tungstenite::protocol::CloseFrame { code, reason: "restart".into() })).unwrap();
                while peer.0.read().is_ok() {}
            }
            2 => {}
            _ => drop(peer.wait_for_close()),
        }
    });
    let stream = quick(server.client().stream()).subscribe(Channel::bbo(["BTC/USDT"])).connect().unwrap();
    let mut log = Vec::new();
    while log.iter().filter(|l: &&String| l.starts_with("bbo")).count() < 4 {
        match next(&stream) {
            Event::Connected { .. } => log.push("up".to_owned()),
            Event::Reconnected { attempts, .. } => log.push(format!("up again after {attempts}")),
            Event::Subscribed(channel) => log.push(format!("+{channel}")),
            Event::Bbo(bbo) => {
                log.push(format!("bbo {}", bbo.ts));
                if bbo.ts == 0 {
                    stream.subscribe(Channel::trades(["BTC/USDT"])).unwrap();
                }
            }
            Event::Disconnected(outage) => log.push(match outage.error {
                Error::ClosedByServer(frame) => format!("closed {:?} {}", frame.code, frame.reason),
                Error::Transport(e) => format!("{:?}", e.phase()),
                other => panic!("{other:?}"),
            }),
            other => panic!("{other:?}"),
        }
    }
    let again = ["up again after 1", "+bbo:BTC/USDT", "+trades:BTC/USDT"];
    let expected: Vec<&str> = ["up", "+bbo:BTC/USDT", "bbo 0", "Exchange"]
        .into_iter()
        .chain(again)
        .chain(["bbo 1", "closed Some(1012) restart"])
        .chain(again)
        .chain(["bbo 2", "Exchange"])
        .chain(again)
        .chain(["bbo 3"])
        .collect();
    assert_eq!(log, expected);
}

#[test]
fn a_slow_consumer_loses_market_data_only_and_is_told() {
    const FLOOD: u64 = 5000;
    let (answered, was_answered) = mpsc::channel();
    let server = Server::start(move |_, socket| {
        let mut peer = Peer::greet(socket);
        for ts in 1..=FLOOD {
            peer.say(&bbo("BTC/USDT", ts));
        }
        // While the consumer sleeps, pings are answered all the same.
        peer.say(r#"{"m":"ping","hp":3}"#);
        assert_eq!(peer.hear(), r#"{"op":"pong"}"#);
        peer.say(r#"{"m":"what-is-not-market-data"}"#);
        answered.send(()).unwrap();
        assert_eq!(peer.acknowledge_sub(), "bbo:ETH/USDT");
        drop(peer.wait_for_close());
    });
    let stream = server.client().stream().max_queued(100).connect().unwrap();
    was_answered.recv_timeout(PATIENCE).unwrap();
    stream.subscribe(Channel::bbo(["ETH/USDT"])).unwrap();
    let (mut delivered, mut dropped, mut last, mut unknown, mut subscribed) = (0, 0, 0, 0, false);
    while last < FLOOD || !subscribed {
        match next(&stream) {
            Event::Bbo(bbo) => {
                assert!(bbo.ts > last, "{} after {last}", bbo.ts);
                last = bbo.ts;
                delivered += 1;
            }
            Event::Lagged(lag) => {
                assert!(lag.dropped.iter().all(|(channel, n)| &**channel == "bbo:BTC/USDT" && *n > 0));
                dropped += lag.dropped.iter().map(|(_, n)| n).sum::<u64>();
                // The newest of what was dropped comes after all.
                delivered -= 1;
            }
            Event::Unknown(_) => unknown += 1,
            Event::Subscribed(_) => subscribed = true,
            _ => {}
        }
    }
    assert_eq!((delivered + dropped, unknown), (FLOOD, 1));
}

/// What was dropped of a book is a gap in it, and the book is built again.
#[test]
fn the_book_of_a_slow_consumer_is_built_again() {
    const FLOOD: u64 = 500;
    fn depth(m: &str, seqnum: u64) -> String {
        let sides = format!(r#""bids":[["9","{seqnum}"]],"asks":[["10","1"]]"#);
        format!(r#"{{"m":"{m}","symbol":"A/B","data":{{"ts":1,"seqnum":{seqnum},{sides}}}}}"#)
    }
    let (flooded, was_flooded) = mpsc::channel();
    let server = Server::start(move |_, socket| {
        let mut peer = Peer::greet(socket);
        peer.say(&depth("depth-snapshot", 0));
        (1..=FLOOD).for_each(|seqnum| peer.say(&depth("depth", seqnum)));
        flooded.send(()).unwrap();
        let asked = peer.hear();
        assert!(asked.contains(r#""action":"depth-snapshot""#), "{asked}");
        peer.say(&depth("depth-snapshot", FLOOD));
        peer.say(&depth("depth", FLOOD + 1));
        drop(peer.wait_for_close());
    });
    let stream = server.client().stream().max_queued(20).connect().unwrap();
    was_flooded.recv_timeout(PATIENCE).unwrap();
    // Messages are counted when they are read, which is before they reach the queue.
    let deadline = Instant::now() + PATIENCE;
    while stream.stats().dropped < FLOOD - 19 {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    let mut book = OrderBook::new("A/B".try_into().unwrap());
    let (mut lagged, mut built) = (0, 0);
    while book.seqnum() != Some(FLOOD + 1) {
        match next(&stream) {
            Event::Depth(depth) => match book.apply(&depth).unwrap() {
                BookChange::Built => built += 1,
                BookChange::Lost => panic!("nothing came after what was dropped"),
                _ => {}
            },
            Event::Lagged(lag) => {
                lagged += 1;
                assert_eq!(lag.dropped, [("depth:A/B".into(), FLOOD - 19)]);
                book.restart();
                stream.request_snapshot("A/B").unwrap();
            }
            Event::Connected { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((lagged, built, book.is_live()), (1, 2, true));
    assert_eq!(book.best_bid().unwrap().size, Decimal::from(FLOOD + 1));
}

#[test]
fn the_streams_of_a_client_share_its_attempts_to_connect() {
    let hour = Duration::from_secs(3600);
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let server = Server::start(move |number, socket| {
        let mut peer = Peer::greet(socket);
        if number == 0 {
            gone.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        } else {
            drop(peer.wait_for_close());
        }
    });
    let client = server.client();
    let builder =
        || client.stream().backoff(Duration::from_millis(1), Duration::from_millis(1)).attempt_budget(2, hour);
    let (first, _second) = (builder().connect().unwrap(), builder().connect().unwrap());
    assert!(matches!(next(&first), Event::Connected { .. }));
    go.send(()).unwrap();
    match next(&first) {
        Event::Disconnected(outage) => assert!(outage.retry_in > hour / 2, "{outage:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_tap_sees_every_text() {
    let (seen, to_see) = mpsc::channel();
    let server = Server::start(|_, socket| {
        let mut peer = Peer::greet(socket);
        peer.acknowledge_sub();
        drop(peer.wait_for_close());
    });
    let stream = server
        .client()
        .stream()
        .subscribe(Channel::bbo(["A/B"]))
        .tap(move |direction, text, at| {
            assert!(at > 1_600_000_000_000_000_000);
            seen.send((direction, text.to_owned())).unwrap();
        })
        .connect()
        .unwrap();
    assert!(matches!(next(&stream), Event::Connected { .. }));
    assert!(matches!(next(&stream), Event::Subscribed(_)));
    drop(stream);
    let texts: Vec<_> = to_see.iter().collect();
    assert_eq!(texts[0].0, Direction::Connect);
    assert!(texts[0].1.ends_with("/0/api/pro/v1/stream"));
    assert_eq!(texts[1], (Direction::Received, GREETING.to_owned()));
    assert_eq!(texts[2], (Direction::Sent, r#"{"op":"sub","id":"m-1","ch":"bbo:A/B"}"#.to_owned()));
    assert_eq!(texts[3].0, Direction::Received);
    assert_eq!(texts.len(), 4);
}

/// Dropping ends the thread, which it waits for, in every state.
#[test]
fn dropping_ends_the_thread_within_a_second() {
    let drops_in_time = |what: &str, stream: Stream| {
        let (done, is_done) = mpsc::channel();
        let began = Instant::now();
        std::thread::spawn(move || {
            drop(stream);
            done.send(()).unwrap();
        });
        assert!(is_done.recv_timeout(Duration::from_secs(1)).is_ok(), "{what}: {:?}", began.elapsed());
    };

    // Connecting: the queue of a listener that accepts nobody is full.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    full.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap().as_socket().unwrap();
    let _taken = std::net::TcpStream::connect(address).unwrap();
    let (seen, connects) = mpsc::channel();
    let tap = move |_, _: &str, _| seen.send(()).unwrap();
    let stream = client_of(address).stream().tap(tap).start().unwrap();
    connects.recv_timeout(PATIENCE).unwrap();
    drops_in_time("connecting", stream);

    // In the TLS exchange and in the upgrade: the server has heard the beginning and says nothing.
    for scheme in ["wss", "ws"] {
        let (heard, was_heard) = mpsc::channel();
        let server = Server::start(move |_, mut socket| {
            if socket.read(&mut [0; 4096]).unwrap() > 0 {
                heard.send(()).unwrap();
                while socket.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {}
            }
        });
        let address = server.address();
        let endpoint = Endpoint::new(format!("http://{address}"), format!("{scheme}://{address}")).unwrap();
        let stream = Client::builder(endpoint).build().unwrap().stream().start().unwrap();
        was_heard.recv_timeout(PATIENCE).unwrap();
        drops_in_time(scheme, stream);
    }

    // Waiting to connect again.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hour = Duration::from_secs(3600);
    let stream = client_of(free).stream().backoff(hour, hour).start().unwrap();
    assert!(matches!(next(&stream), Event::ConnectFailed(_)));
    drops_in_time("waiting", stream);

    // Streaming, to a server that does not answer the closing.
    let server = Server::start(|_, socket| {
        let mut peer = Peer::greet(socket);
        let mut socket = peer.0.get_ref().try_clone().unwrap();
        peer.say(&bbo("BTC/USDT", 1));
        while socket.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {}
    });
    let stream = server.client().stream().connect().unwrap();
    assert!(matches!(next(&stream), Event::Connected { .. }));
    drops_in_time("streaming", stream);
}
