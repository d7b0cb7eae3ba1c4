//! Books that a stream keeps, over real sockets: with the sandbox and its faults, and with a server that follows a script.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "support/ws.rs"]
mod ws;

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bitmax::model::{Bbo, Depth, Level};
use bitmax::sandbox::{Break, Fault, InjectedFault, Rule, Sandbox, User};
use bitmax::{Book, BookStatus, Channel, Client, Error, Event, OrderBook, StaleReason, Stream, StreamBuilder, Symbol};
use serde_json::json;
use ws::{PATIENCE, Peer, Server, next, quick};

const SYMBOL: &str = "BTC/USDT";

fn client(sandbox: &Sandbox) -> Client {
    Client::builder(sandbox.endpoint()).credentials(User::credentials(sandbox.user())).build().unwrap()
}

fn builder(client: &Client) -> StreamBuilder {
    quick(client.stream()).answer_timeout(Duration::from_millis(500))
}

fn live(book: &mut Book) {
    assert!(book.wait_live(PATIENCE).unwrap(), "{book:?}");
}

fn is_stale(book: &mut Book, why: fn(StaleReason) -> bool) {
    let end = Instant::now() + PATIENCE;
    while !matches!(book.status(), BookStatus::Stale(reason) if why(reason)) {
        assert!(book.wait(end - Instant::now()).unwrap(), "{book:?}");
    }
}

/// Whether a book is what REST says at the same sequence number: within a few tries, for the market moves on.
fn is_true(client: &Client, book: &mut Book) {
    let end = Instant::now() + PATIENCE;
    let mut compared = false;
    while !compared {
        assert!(Instant::now() < end, "{book:?} never met a snapshot");
        let snapshot: Depth = client.market().depth(book.symbol()).unwrap();
        live(book);
        let mut copy = book.top(usize::MAX);
        while copy.seqnum().is_some_and(|at| at < snapshot.seqnum) {
            assert!(book.wait(PATIENCE).unwrap(), "{book:?}");
            copy = book.top(usize::MAX);
        }
        if copy.seqnum() == Some(snapshot.seqnum) {
            let sorted = |mut levels: Vec<Level>| {
                levels.sort_by_key(|level| level.price);
                levels
            };
            assert_eq!(sorted(copy.bids().collect()), sorted(snapshot.bids));
            assert_eq!(sorted(copy.asks().collect()), sorted(snapshot.asks));
            compared = true;
        }
    }
}

fn told(stream: &Stream) -> Vec<Event> {
    std::iter::from_fn(|| stream.try_recv().ok()).collect()
}

#[test]
fn books_are_what_rest_says() {
    let sandbox = Sandbox::start().unwrap();
    let client = client(&sandbox);
    let symbols = ["BTC/USDT", "ETH/USDT", "DOGE/USDT"];
    let stream = builder(&client).connect().unwrap();
    let mut books = stream.books(Channel::depth(symbols)).unwrap();
    assert_eq!(books.iter().map(Book::symbol).collect::<Vec<_>>(), symbols.map(|s| Symbol::new(s).unwrap()));
    for book in &mut books {
        is_true(&client, book);
        // One after another, and each is what changed.
        let mut last = book.top(usize::MAX);
        for _ in 0..3 {
            let mut now = book.top(usize::MAX);
            while now.seqnum() == last.seqnum() {
                assert!(book.wait(PATIENCE).unwrap());
                now = book.top(usize::MAX);
            }
            assert!(now.seqnum() > last.seqnum());
            last = now;
        }
        let Bbo { bid, ask, .. } = book.bbo().unwrap();
        assert!(bid.unwrap().price < ask.unwrap().price);
        assert_eq!(book.top(2).bids().count(), 2);
    }
    let channels: Vec<_> =
        told(&stream).into_iter().filter(|event| !matches!(event, Event::Connected { .. })).collect();
    assert!(channels.iter().all(|event| matches!(event, Event::Subscribed(_))), "{channels:?}");
    assert_eq!(channels.len(), 3);
}

#[test]
fn each_fault_is_told_and_mended() {
    mend_faults(false);
}

#[test]
fn each_fault_of_the_realtime_channel_is_told_and_mended() {
    mend_faults(true);
}

fn mend_faults(realtime: bool) {
    let sandbox = Sandbox::start().unwrap();
    let client = client(&sandbox);
    let (channel, snapshot) =
        if realtime { ("depth-realtime", "depth-snapshot-realtime") } else { ("depth", "depth-snapshot") };
    let faults: [(&str, Vec<Rule>); 4] = [
        ("a change is lost", vec![Fault::LoseMessage.at(format!("{channel}:{SYMBOL}"))]),
        (
            "and the answer with the snapshot, too",
            vec![
                Fault::LoseMessage.at(format!("{channel}:{SYMBOL}")),
                Fault::LoseAnswer.at(format!("req {snapshot}")).times(2),
            ],
        ),
        (
            "and the request for it, and changes overtake the answer",
            vec![
                Fault::LoseMessage.at(format!("{channel}:{SYMBOL}")),
                Fault::LoseRequest.at(format!("req {snapshot}")),
                Fault::DelayAnswer(Duration::from_millis(400)).at(format!("req {snapshot}")),
            ],
        ),
        (
            "and the request is refused",
            vec![
                Fault::LoseMessage.at(format!("{channel}:{SYMBOL}")),
                Fault::Refuse(
                    bitmax::sandbox::Reply::new(400)
                        .body(r#"{"m":"error","id":"x","code":100001,"reason":"INVALID_HTTP_INPUT","info":"no"}"#),
                )
                .at(format!("req {snapshot}")),
            ],
        ),
    ];
    let stream = builder(&client).authenticate(bitmax::Authentication::Header).connect().unwrap();
    let mut book = if realtime { stream.book_realtime(SYMBOL) } else { stream.book(SYMBOL) }.unwrap();
    live(&mut book);
    for (what, rules) in faults {
        let injected: Vec<InjectedFault> = rules.into_iter().map(|rule| sandbox.inject(rule)).collect();
        is_stale(&mut book, |reason| matches!(reason, StaleReason::Gap { .. }));
        let lost = book.top(usize::MAX);
        assert_eq!((lost.best_bid(), lost.best_ask(), lost.seqnum(), book.bbo()), (None, None, None, None), "{what}");
        live(&mut book);
        let end = Instant::now() + PATIENCE;
        while injected.iter().any(|fault| fault.hits() == 0) {
            assert!(Instant::now() < end, "{what}");
            thread::yield_now();
        }
        sandbox.clear_faults();
        if !realtime {
            is_true(&client, &mut book);
        }
    }
    for session in sandbox.sessions() {
        session.break_off(Break::After(0));
    }
    is_stale(&mut book, |reason| reason == StaleReason::Disconnected);
    live(&mut book);
}

#[test]
fn a_subscription_that_is_not_heard_is_asked_for_again() {
    let sandbox = Sandbox::start().unwrap();
    let client = client(&sandbox);
    // After the second silence it waits for five seconds.
    let lost = sandbox.inject(Fault::LoseRequest.at(format!("sub depth:{SYMBOL}")).times(2));
    let stream = builder(&client).connect().unwrap();
    let mut book = stream.book(SYMBOL).unwrap();
    is_true(&client, &mut book);
    assert_eq!(lost.hits(), 2);
}

#[test]
fn books_stay_true_while_everything_goes_wrong() {
    let sandbox = Sandbox::builder().seed(7).start().unwrap();
    let client = client(&sandbox);
    let symbols = ["BTC/USDT", "ETH/USDT", "DOGE/USDT"];
    for rule in [
        Fault::LoseMessage.at("depth:*"),
        Fault::LoseAnswer.at("req depth-snapshot"),
        Fault::DelayAnswer(Duration::from_millis(300)).at("req depth-snapshot"),
        Fault::LoseRequest.at("sub depth:*"),
        Fault::Break(Break::After(5000)).at("req depth-snapshot"),
    ] {
        sandbox.inject(rule.always().probability(0.1));
    }
    let stream = builder(&client).start().unwrap();
    let mut books = stream.books(Channel::depth(symbols)).unwrap();
    let end = Instant::now() + Duration::from_secs(6);
    let (mut seen, mut lost) = (0, 0);
    while Instant::now() < end {
        for book in &mut books {
            book.wait(Duration::from_millis(20)).unwrap();
            let top = book.top(usize::MAX);
            match top.seqnum() {
                Some(_) => seen += 1,
                None => {
                    lost += 1;
                    assert_eq!(top.bids().count() + top.asks().count(), 0);
                }
            }
        }
    }
    assert!(seen > 0 && lost > 0, "{seen} {lost}");
    sandbox.clear_faults();
    for book in &mut books {
        is_true(&client, book);
    }
}

#[test]
fn every_handle_and_thread_reads_one_book() {
    let sandbox = Sandbox::start().unwrap();
    let client = client(&sandbox);
    let stream = builder(&client).connect().unwrap();
    let unsubscribed = sandbox.inject(Fault::DelayRequest(Duration::ZERO).at("unsub depth:*").always());
    let subscribed = sandbox.inject(Fault::DelayRequest(Duration::ZERO).at("sub depth:*").always());
    let book = stream.book(SYMBOL).unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            let (mut one, mut other) = (book.clone(), stream.book(SYMBOL).unwrap());
            scope.spawn(move || {
                live(&mut one);
                let mut last = 0;
                for _ in 0..5 {
                    assert!(other.wait(PATIENCE).unwrap());
                    let seqnum = other.top(1).seqnum().unwrap();
                    assert!(seqnum >= last);
                    last = seqnum;
                }
            });
        }
    });
    assert_eq!(subscribed.hits(), 1);
    // Nothing of it is for those who read events, unless they subscribe.
    assert!(!told(&stream).iter().any(|event| matches!(event, Event::Depth(_))));
    stream.subscribe(Channel::depth([SYMBOL])).unwrap();
    while !matches!(next(&stream), Event::Depth(_)) {}
    stream.unsubscribe(Channel::depth([SYMBOL])).unwrap();
    while !matches!(next(&stream), Event::Unsubscribed(_)) {}
    assert!(book.is_live());
    assert_eq!((subscribed.hits(), unsubscribed.hits()), (1, 0));
    drop(book);
    while !matches!(next(&stream), Event::Unsubscribed(_)) {}
    assert_eq!(unsubscribed.hits(), 1);
    // And again, from the beginning.
    is_true(&client, &mut stream.book(SYMBOL).unwrap());
    assert_eq!(subscribed.hits(), 2);
}

#[test]
fn the_end_of_a_stream_ends_its_waits() {
    let sandbox = Sandbox::start().unwrap();
    let client = client(&sandbox);
    let stream = builder(&client).connect().unwrap();
    let handle = stream.handle();
    let mut book = stream.book(SYMBOL).unwrap();
    live(&mut book);
    let mut waiting = book.clone();
    let waiter = thread::spawn(move || {
        loop {
            match waiting.wait(PATIENCE) {
                Ok(true) => {}
                other => return other,
            }
        }
    });
    drop(stream);
    assert!(matches!(waiter.join().unwrap(), Err(Error::Closed)));
    assert_eq!(book.status(), BookStatus::Stale(StaleReason::Disconnected));
    assert!(matches!(book.wait(PATIENCE), Err(Error::Closed)));
    assert!(matches!(book.wait_live(PATIENCE), Err(Error::Closed)));
    assert!(matches!(handle.book(SYMBOL), Err(Error::Closed)));
}

#[test]
fn what_the_exchange_refuses_is_told() {
    let sandbox = Sandbox::start().unwrap();
    let client = client(&sandbox);
    let stream = builder(&client).connect().unwrap();
    let mut book = stream.book("NO/USDT").unwrap();
    for _ in 0..2 {
        let Err(Error::Refused(refusal)) = book.wait(PATIENCE) else { panic!("{book:?}") };
        assert!(refusal.code.value() > 0, "{refusal:?}");
    }
    // It is asked for anew.
    let mut again = stream.book("NO/USDT").unwrap();
    assert!(matches!(again.wait(PATIENCE), Err(Error::Refused(_))));
    // What cannot be is refused here.
    assert!(matches!(stream.book("btc"), Err(Error::InvalidInput(e)) if e.field() == "symbol"));
    assert!(matches!(stream.book_realtime(SYMBOL), Err(Error::InvalidInput(e)) if e.field() == "ch"));
    assert!(matches!(stream.books(Channel::bbo([SYMBOL])), Err(Error::InvalidInput(e)) if e.field() == "ch"));
}

#[test]
fn a_wait_has_an_end() {
    let (asked, was_asked) = mpsc::channel();
    let server = Server::start(move |_, socket| {
        let mut peer = Peer::greet(socket);
        assert_eq!(peer.acknowledge_sub(), "depth:A/B");
        assert_eq!(peer.hear_json()["action"], "depth-snapshot");
        asked.send(()).unwrap();
        drop(peer.wait_for_close());
    });
    let stream = server.client().stream().connect().unwrap();
    let mut book = stream.book("A/B").unwrap();
    assert!(!book.wait(Duration::from_millis(1)).unwrap());
    assert!(!book.wait_live(Duration::from_millis(1)).unwrap());
    was_asked.recv_timeout(PATIENCE).unwrap();
    assert!(!book.wait(Duration::from_millis(1)).unwrap());
    assert_eq!((book.status(), book.bbo()), (BookStatus::Waiting, None));
}

#[test]
fn two_hundred_books_on_one_stream() {
    let symbols: Vec<String> = (0..200).map(|n| format!("S{n}/B")).collect();
    let server = Server::start(|_, socket| {
        let mut peer = Peer::greet(socket);
        let (mut subscribed, mut answered) = (0, 0);
        while answered < 200 {
            let message = peer.hear_json();
            if message["op"] == "sub" {
                let channel = message["ch"].as_str().unwrap();
                peer.say(&json!({"m": "sub", "id": message["id"], "ch": channel, "code": 0}).to_string());
                subscribed += 1;
            } else {
                let symbol = &message["args"]["symbol"];
                for (m, seqnum) in [("depth", 7), ("depth-snapshot", 6), ("depth", 8)] {
                    let data =
                        json!({"ts": 1, "seqnum": seqnum, "bids": [["9", seqnum.to_string()]], "asks": [["10", "1"]]});
                    peer.say(&json!({"m": m, "symbol": symbol, "data": data}).to_string());
                }
                answered += 1;
            }
        }
        assert_eq!(subscribed, 20);
        drop(peer.wait_for_close());
    });
    let stream = server.client().stream().connect().unwrap();
    for book in &mut stream.books(Channel::depth(&symbols)).unwrap() {
        let end = Instant::now() + PATIENCE;
        while book.top(1).seqnum() != Some(8) {
            assert!(book.wait(end - Instant::now()).unwrap(), "{book:?}");
        }
        assert_eq!(book.bbo().unwrap().bid.unwrap().size, 8.into());
    }
}

/// A copy is what it was when it was made, whatever comes.
#[test]
fn a_copy_stands_still() {
    let sandbox = Sandbox::start().unwrap();
    let stream = builder(&client(&sandbox)).connect().unwrap();
    let mut book = stream.book(SYMBOL).unwrap();
    live(&mut book);
    assert!(book.wait(PATIENCE).unwrap());
    let copy: OrderBook = book.top(3);
    let before = (copy.seqnum(), copy.bids().collect::<Vec<_>>());
    assert!(book.wait(PATIENCE).unwrap());
    assert_eq!((copy.seqnum(), copy.bids().collect::<Vec<_>>()), before);
    assert_ne!(book.top(3).seqnum(), copy.seqnum());
}

#[test]
fn a_change_that_cannot_be_read_is_not_passed_over() {
    let sandbox = Sandbox::start().unwrap();
    let client = client(&sandbox);
    let stream = builder(&client).connect().unwrap();
    let (mut book, mut other) = (stream.book(SYMBOL).unwrap(), stream.book("ETH/USDT").unwrap());
    live(&mut book);
    live(&mut other);
    let silent = sandbox.inject(Fault::LoseRequest.at("req depth-snapshot").always());
    let says = |text: &str| sandbox.sessions().iter().for_each(|session| session.send_text(text));
    let unreadable = |why| why == StaleReason::Unreadable;
    says(&format!(r#"{{"m":"depth","symbol":"{SYMBOL}","data":{{"seqnum":"x"}}}}"#));
    is_stale(&mut book, unreadable);
    assert!(other.is_live());
    // Whose change it was cannot be told.
    says(r#"{"m":"depth","symbol":"#);
    is_stale(&mut other, unreadable);
    silent.remove();
    is_true(&client, &mut book);
    live(&mut other);
}
