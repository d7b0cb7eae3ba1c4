//! The stream for an account over real sockets, against a server that follows a script.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "support/ws.rs"]
mod ws;

use std::io::{Read, Write};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bitmax::model::{AccountCategory, OrderStatus, Outcome, Side};
use bitmax::{
    Authentication, CancelOrder, Channel, Client, ClientOrderId, CloseReason, Code, Credentials, Direction, Endpoint,
    Error, Event, MessageLimits, NewOrder, Stream, Symbol,
};
use serde_json::{Value, json};
use tungstenite::Message;
use ws::{
    AUTHENTICATED, KEY, PATIENCE, Peer, Server, TEXT, account_client as client, account_server, bbo, frame, next, quick,
};

fn connected(stream: &Stream) {
    let event = next(stream);
    assert!(matches!(event, Event::Connected { authenticated: true, .. }), "{event:?}");
}

fn authenticated(script: impl Fn(Peer) + Send + Sync + 'static) -> Server {
    account_server(move |mut peer, signed| {
        assert!(signed.is_some());
        peer.say(AUTHENTICATED);
        script(peer);
    })
}

fn ack(action: &str, request: &Value) -> String {
    json!({
        "m": "order", "accountId": "cash1", "ac": "CASH", "action": action, "status": "Ack",
        "info": {
            "symbol": request["args"]["symbol"], "orderType": "Limit", "timestamp": 1, "id": request["args"]["id"],
            "orderId": format!("s-{}", request["args"]["id"].as_str().unwrap()),
        }
    })
    .to_string()
}

fn buy() -> NewOrder {
    NewOrder::limit("BTC/USDT", Side::Buy, "0.001", "50000").unwrap().into()
}

const ORDER: &str = include_str!("fixtures/ws/order.json");

#[test]
fn headers_authenticate_and_orders_and_balances_are_delivered() {
    let server = authenticated(|mut peer| {
        let sub = peer.hear_json();
        assert_eq!(sub["ch"], "order:cash");
        peer.say(&json!({"m": "sub", "id": sub["id"], "ch": "order:cshQ", "code": 0}).to_string());
        for text in [
            ORDER,
            include_str!("fixtures/ws/order-cancel-reject.json"),
            include_str!("fixtures/ws/balance-cash.json"),
            r#"{"m":"order","accountId":"x","ac":"CASH","data":null}"#,
        ] {
            peer.say(text);
        }
        drop(peer.wait_for_close());
    });
    let stream = client(&server).stream().subscribe(Channel::orders(AccountCategory::Cash)).connect().unwrap();
    connected(&stream);
    assert!(matches!(next(&stream), Event::Subscribed(ch) if &*ch == "order:cash"));
    match next(&stream) {
        Event::Order(order) => {
            assert_eq!((order.data.data.seqnum, &order.data.data.status), (8_159_711, &OrderStatus::New));
            assert!(order.received > 0);
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(next(&stream), Event::CancelRejected(cancel) if cancel.data.data.orig_order_id == "FAKE-ID"));
    assert!(matches!(next(&stream), Event::Balance(balance) if balance.data.data.seqnum == 8_159_798));
    assert!(matches!(next(&stream), Event::Undecodable(_)));
}

#[test]
fn a_message_authenticates_and_shows_itself_to_nobody() {
    let server = account_server(|mut peer, signed| {
        assert!(signed.is_none());
        peer.say(ws::GREETING);
        let auth = peer.hear_json();
        assert_eq!((&auth["op"], &auth["key"], &auth["ack"]), (&json!("auth"), &json!(KEY), &json!("ready")));
        assert_eq!(auth["sig"].as_str().unwrap().len(), 44);
        peer.say(&json!({"m": "auth", "id": auth["id"], "code": 0, "ack": "ready"}).to_string());
        drop(peer.wait_for_close());
    });
    let (seen, to_see) = mpsc::channel();
    let tap = move |direction, text: &str, _| {
        if direction == Direction::Sent {
            seen.send(text.to_owned()).unwrap();
        }
    };
    let stream = client(&server).stream().ready_ack().tap(tap).connect().unwrap();
    connected(&stream);
    drop(stream);
    let sent: Vec<String> = to_see.iter().collect();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].contains("\"op\":\"auth\"") && !sent[0].contains(KEY), "{sent:?}");
}

/// The head of the refusal comes first, and why it is one after.
#[test]
fn headers_that_are_refused_for_their_time_give_way_to_the_message() {
    let server = Server::start(|_, mut socket| {
        if !ws::is_upgrade(&socket) {
            return ws::answer_info(socket);
        }
        let mut request = [0; 4096];
        let n = socket.peek(&mut request).unwrap();
        if String::from_utf8_lossy(&request[..n]).contains("x-auth-signature") {
            assert_eq!(socket.read(&mut request).unwrap(), n);
            let body = r#"{"code":100011,"reason":"INVALID_TIMESTAMP"}"#;
            let head = format!("HTTP/1.1 401 Unauthorized\r\ncontent-length: {}\r\n\r\n", body.len());
            return (head + body).bytes().for_each(|byte| socket.write_all(&[byte]).unwrap());
        }
        let (mut peer, _) = ws::upgrade_account(socket);
        peer.say(ws::GREETING);
        let auth = peer.hear_json();
        peer.say(&json!({"m": "auth", "id": auth["id"], "code": 0}).to_string());
        drop(peer.wait_for_close());
    });
    let stream = quick(client(&server).stream()).authenticate(Authentication::Header).connect().unwrap();
    assert!(matches!(next(&stream), Event::ConnectFailed(_)));
    connected(&stream);
}

#[test]
fn what_a_server_echoes_of_a_key_is_blotted_out() {
    const LONG_KEY: &str = "CEcrjGyipqt0OflgdQQSRGdrDXdDUY2x";
    let (signature, signatures) = mpsc::channel();
    let server = Server::start(move |_, mut socket| {
        if !ws::is_upgrade(&socket) {
            return ws::answer_info(socket);
        }
        let mut request = [0; 4096];
        let n = socket.peek(&mut request).unwrap();
        let head = String::from_utf8_lossy(&request[..n]).into_owned();
        if let Some((_, signed)) = head.split_once("x-auth-signature: ") {
            signature.send(signed.lines().next().unwrap().to_owned()).unwrap();
            assert_eq!(socket.read(&mut request).unwrap(), n);
            let body = format!("<html>{}</html>", &head[head.find("x-auth-key").unwrap()..]);
            let answer = format!("HTTP/1.1 403 Forbidden\r\nlocation: /?{LONG_KEY}\r\ncontent-length: {}", body.len());
            return write!(socket, "{answer}\r\n\r\n{body}").unwrap();
        }
        let (mut peer, _) = ws::upgrade_account(socket);
        peer.say(ws::GREETING);
        let auth = peer.hear_json();
        let sig = auth["sig"].as_str().unwrap();
        signature.send(sig.to_owned()).unwrap();
        let err = format!("bad key {} with {sig}", auth["key"].as_str().unwrap());
        peer.say(&json!({"m": "auth", "id": auth["id"], "code": 200_001, "err": err}).to_string());
        drop(peer.wait_for_close());
    });
    let endpoint = Endpoint::new(format!("http://{}", server.address()), format!("ws://{}", server.address())).unwrap();
    let credentials = Credentials::new(LONG_KEY, ws::SECRET).unwrap();
    let client = Client::builder(endpoint).credentials(credentials).build().unwrap();
    for way in [Authentication::Header, Authentication::Message] {
        let error = quick(client.stream()).authenticate(way).connect().unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("********") && !shown.contains(LONG_KEY), "{shown}");
        let signature = signatures.recv_timeout(PATIENCE).unwrap();
        let mut pieces = signature.split(|c: char| !c.is_ascii_alphanumeric()).filter(|piece| piece.len() >= 8);
        assert!(pieces.all(|piece| !shown.contains(piece)) && !shown.contains(&signature), "{shown}");
    }
}

#[test]
fn a_bad_key_is_final() {
    let (upgrades, seen) = mpsc::channel();
    let server = account_server(move |mut peer, _| {
        upgrades.send(()).unwrap();
        peer.say(ws::GREETING);
        let auth = peer.hear_json();
        peer.say(&json!({"m": "auth", "id": auth["id"], "code": 200_001, "err": "no"}).to_string());
        drop(peer.wait_for_close());
    });
    let builder = quick(client(&server).stream()).authenticate(Authentication::Message);
    match builder.connect() {
        Err(Error::Refused(refusal)) => assert_eq!(refusal.code, Code::AUTHENTICATION_FAILED),
        other => panic!("{other:?}"),
    }
    let stream = quick(client(&server).stream()).authenticate(Authentication::Message).start().unwrap();
    match next(&stream) {
        Event::Closed(CloseReason::GaveUp(e)) => assert!(matches!(*e, Error::Refused(_))),
        other => panic!("{other:?}"),
    }
    assert_eq!(seen.try_iter().count(), 2, "one attempt each");
}

#[test]
fn an_account_needs_credentials_and_authentication() {
    let server = Server::start(|_, socket| drop(Peer::greet(socket).wait_for_close()));
    let public = server.client();
    match public.stream().subscribe(Channel::orders(AccountCategory::Cash)).connect() {
        Err(Error::InvalidInput(e)) => assert_eq!(e.field(), "credentials"),
        other => panic!("{other:?}"),
    }
    let stream = public.stream().connect().unwrap();
    for refused in [
        stream.place(AccountCategory::Cash, &buy()).map(drop),
        stream.balances(AccountCategory::Cash).map(drop),
        stream.subscribe(Channel::orders(AccountCategory::Cash)),
    ] {
        assert!(matches!(refused, Err(Error::InvalidInput(_))), "{refused:?}");
    }
}

#[test]
fn orders_are_answered_each_to_its_own() {
    let server = authenticated(|mut peer| {
        // Two are under way before the first is answered, the second first.
        let (one, two) = (peer.hear_json(), peer.hear_json());
        assert_eq!(
            (&one["op"], &one["action"], &one["account"]),
            (&json!("req"), &json!("place-order"), &json!("cash"))
        );
        assert_eq!(one["id"], one["args"]["id"]);
        assert_eq!((&one["args"]["orderPrice"], &one["args"]["side"]), (&json!("50000"), &json!("buy")));
        peer.say(&ack("place-order", &two));
        peer.say(&ack("place-order", &one));
        let cancel = peer.hear_json();
        assert_eq!(cancel["action"], "cancel-order");
        peer.say(
            &json!({"m": "order", "ac": "CASH", "accountId": "c", "action": "cancel-order", "status": "Err",
                "info": {"code": 300_006, "id": cancel["args"]["id"], "message": "m", "symbol": "X", "reason": "INVALID_ORDER_ID"}})
            .to_string(),
        );
        let all = peer.hear_json();
        assert_eq!(all["action"], "cancel-all");
        peer.say(
            &include_str!("fixtures/ws/cancel-all-ack.json")
                .replace("69c482a3f29540a0b0d83e00551bb623", all["args"]["id"].as_str().unwrap()),
        );
        let all = peer.hear_json();
        peer.say(
            &json!({"m": "order", "ac": "CASH", "accountId": "c", "action": "cancel-all", "status": "Err",
                "info": {"code": 300_020, "id": all["args"]["id"], "message": "m", "symbol": "", "reason": "TRADING_RESTRICTED"}})
            .to_string(),
        );
        drop(peer.wait_for_close());
    });
    let stream = client(&server).stream().authenticate(Authentication::Header).connect().unwrap();
    let cash = AccountCategory::Cash;
    let handle = stream.handle();
    let (first, second) = (handle.place_later(cash, &buy()).unwrap(), handle.place_later(cash, &buy()).unwrap());
    let second = second.wait().unwrap();
    let first = first.wait().unwrap();
    assert!(matches!(&first.info, Outcome::Ack(ack) if ack.order_id.as_str() == &*format!("s-{}", ack.id)));
    assert_ne!(first.info.order_id(), second.info.order_id());

    match handle.cancel(cash, &CancelOrder::new("s-x", "BTC/USDT").unwrap()) {
        Err(Error::Refused(refusal)) => assert_eq!(refusal.code, Code::INVALID_ORDER_ID),
        other => panic!("{other:?}"),
    }
    assert!(handle.cancel_all(cash, None).is_ok());
    match handle.cancel_all(cash, None) {
        Err(e @ Error::Refused(_)) => assert!(!e.may_have_executed() && e.to_string().contains("TRADING_RESTRICTED")),
        other => panic!("{other:?}"),
    }
}

/// To wake another thread for it takes as long as the way to the server.
#[test]
fn a_request_is_sent_by_its_caller_where_the_streams_thread_waits() {
    let server = authenticated(|mut peer| {
        while let Ok(Message::Text(order)) = peer.0.read() {
            peer.say(&ack("place-order", &serde_json::from_str(&order).unwrap()));
        }
    });
    let (sent, senders) = mpsc::channel();
    let tap = move |direction, _: &str, _| {
        if direction == Direction::Sent {
            sent.send(thread::current().id()).unwrap();
        }
    };
    let stream = client(&server).stream().authenticate(Authentication::Header).tap(tap).connect().unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(stream.place(AccountCategory::Cash, &buy()).is_ok());
        // Should the thread be busy, it sends.
        if senders.recv().unwrap() == thread::current().id() {
            break;
        }
        assert!(Instant::now() < deadline);
    }
}

#[test]
fn many_threads_send_requests_into_a_flood_and_each_gets_its_own_answer() {
    const THREADS: usize = 4;
    const ORDERS: usize = 100;
    let server = authenticated(|mut peer| {
        let quotes = frame(TEXT, bbo("BTC/USDT", 1).as_bytes()).repeat(200);
        for _ in 0..THREADS * ORDERS {
            let order = peer.hear_json();
            peer.raw(&quotes);
            peer.say(&ack("place-order", &order));
        }
        assert!(peer.wait_for_close().is_some(), "nothing is sent twice");
    });
    let stream = client(&server).stream().authenticate(Authentication::Header).connect().unwrap();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let handle = stream.handle();
            scope.spawn(move || {
                for _ in 0..ORDERS {
                    let id = ClientOrderId::random().unwrap();
                    let answer = handle.place(AccountCategory::Cash, &buy().id(id)).unwrap();
                    assert!(matches!(&answer.info, Outcome::Ack(ack) if ack.id == id.as_str()));
                }
            });
        }
    });
    let (mut quotes, mut dropped) = (0, 0);
    while quotes + dropped < THREADS * ORDERS * 200 {
        match next(&stream) {
            Event::Bbo(_) => quotes += 1,
            // The newest comes after all.
            Event::Lagged(lag) => dropped += lag.dropped.iter().map(|(_, n)| *n as usize).sum::<usize>() - 1,
            Event::Connected { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn data_is_asked_for_and_read() {
    let server = authenticated(|mut peer| {
        for (action, args, answer) in [
            ("open-order", json!({"symbols": "BTC/USDT"}), include_str!("fixtures/ws/open-order.json")),
            ("order-status", json!({"orderId": "a1,a2"}), include_str!("fixtures/ws/order-status.json")),
            ("margin-risk", json!({"symbol": "BTC/USDT"}), include_str!("fixtures/ws/margin-risk.json")),
            (
                "market-trades",
                json!({"symbol": "ASD/USDT", "level": 12}),
                include_str!("fixtures/ws/market-trades.json"),
            ),
            ("balance", json!({}), r#"{"m":"balance","id":"","data":{"a":"USDT","sn":1,"tb":"5","ab":"4"}}"#),
            (
                "balance",
                json!({}),
                r#"{"m":"balance","id":"","data":[{"asset":"BTC","totalBalance":"1","availableBalance":"1"}]}"#,
            ),
            ("depth-snapshot", json!({"symbol": "ASD/USDT"}), include_str!("fixtures/ws/depth-snapshot.json")),
            (
                "order-status",
                json!({"orderId": "a1"}),
                r#"{"m":"order-status","id":"","code":100006,"reason":"X","info":"y"}"#,
            ),
            (
                "depth-snapshot-realtime",
                json!({"symbol": "ASD/USDT"}),
                include_str!("fixtures/ws/depth-snapshot-realtime-err.json"),
            ),
        ] {
            let request = peer.hear_json();
            assert_eq!((&request["action"], &request["args"]), (&json!(action), &args));
            let mut answer: Value = serde_json::from_str(answer).unwrap();
            if action != "depth-snapshot" {
                answer["id"] = request["id"].clone();
            }
            peer.say(&answer.to_string());
        }
        drop(peer.wait_for_close());
    });
    let stream = client(&server).stream().authenticate(Authentication::Header).connect().unwrap();
    let cash = AccountCategory::Cash;
    let symbol = Symbol::new("BTC/USDT").unwrap();
    assert_eq!(stream.open_orders(cash, &[symbol]).unwrap()[0].seqnum, 103);
    let ids = ["a1", "a2"].map(|id| id.try_into().unwrap());
    assert_eq!(stream.order_status(cash, &ids).unwrap()[0].last_qty.unwrap().to_string(), "0.001");
    assert_eq!(stream.margin_risk(symbol).unwrap().initial_leverage.to_string(), "3");
    assert_eq!(stream.market_trades("ASD/USDT", 12).unwrap().trades.len(), 1);
    assert_eq!(stream.balances(cash).unwrap()[0].available_balance.to_string(), "4");
    assert_eq!(stream.balances(cash).unwrap()[0].asset.as_str(), "BTC");
    assert_eq!(stream.depth_snapshot("ASD/USDT").unwrap().seqnum, 3_167_819_629);
    match stream.order_status(cash, &ids[..1]) {
        Err(Error::Refused(refusal)) => assert_eq!(refusal.code, Code::INVALID_ARGUMENT),
        other => panic!("{other:?}"),
    }
    match stream.depth_snapshot_realtime("ASD/USDT") {
        Err(Error::Refused(refusal)) => assert_eq!(refusal.code, Code::SYMBOL_ERROR),
        other => panic!("{other:?}"),
    }
    // Refused here.
    assert!(matches!(stream.order_status(cash, &[]), Err(Error::InvalidInput(_))));
    assert!(matches!(stream.market_trades("ASD/USDT", 0), Err(Error::InvalidInput(_))));
    assert!(matches!(stream.depth_snapshot("asd"), Err(Error::InvalidInput(_))));
}

#[test]
fn an_order_without_an_answer_may_have_happened_and_one_without_a_connection_has_not() {
    let server = authenticated(|mut peer| {
        let order = peer.hear_json();
        assert_eq!(order["action"], "place-order");
    });
    let hour = Duration::from_secs(3600);
    let builder = client(&server).stream().authenticate(Authentication::Header).backoff(hour, hour);
    let stream = builder.connect().unwrap();
    connected(&stream);
    match stream.place(AccountCategory::Cash, &buy()) {
        Err(e @ Error::ConnectionLost) => assert!(e.may_have_executed()),
        other => panic!("{other:?}"),
    }
    assert!(matches!(next(&stream), Event::Disconnected(_)));
    match stream.place(AccountCategory::Cash, &buy()) {
        Err(e @ Error::NotReady(_)) => assert!(!e.may_have_executed()),
        other => panic!("{other:?}"),
    }
    let handle = stream.handle();
    drop(stream);
    assert!(matches!(handle.place(AccountCategory::Cash, &buy()), Err(Error::Closed)));
}

#[test]
fn an_answer_that_takes_too_long_is_a_time_out_and_told_when_it_comes() {
    let server = authenticated(|mut peer| {
        let order = peer.hear_json();
        // The client has given up when it asks for something else.
        assert_eq!(peer.hear_json()["op"], "sub");
        peer.say(&ack("place-order", &order));
        drop(peer.wait_for_close());
    });
    let builder = client(&server).stream().authenticate(Authentication::Header);
    let stream = builder.request_timeout(Duration::from_millis(50)).connect().unwrap();
    connected(&stream);
    match stream.place(AccountCategory::Cash, &buy()) {
        Err(e @ Error::Timeout(_)) => assert!(e.may_have_executed()),
        other => panic!("{other:?}"),
    }
    stream.subscribe(Channel::bbo(["BTC/USDT"])).unwrap();
    match next(&stream) {
        Event::LateAnswer(answer) => assert!(answer.text.contains("place-order")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_whose_reply_was_dropped_is_an_event() {
    let server = authenticated(|mut peer| {
        let orders = [peer.hear_json(), peer.hear_json(), peer.hear_json()];
        // The client has dropped the replies when it asks for something else.
        assert_eq!(peer.hear_json()["op"], "sub");
        peer.say(&ack("place-order", &orders[0]));
        peer.say(
            &json!({"m": "order", "ac": "CASH", "accountId": "c", "action": "place-order", "status": "Err",
                "info": {"code": 300_011, "id": orders[1]["args"]["id"], "message": "m", "symbol": "X", "reason": "R"}})
            .to_string(),
        );
        peer.say(&json!({"m": "error", "id": orders[2]["id"], "code": 100_005, "reason": "R"}).to_string());
        drop(peer.wait_for_close());
    });
    let stream = client(&server).stream().authenticate(Authentication::Header).connect().unwrap();
    connected(&stream);
    for _ in 0..3 {
        drop(stream.place_later(AccountCategory::Cash, &buy()).unwrap());
    }
    stream.subscribe(Channel::bbo(["BTC/USDT"])).unwrap();
    assert!(matches!(next(&stream), Event::LateAnswer(answer) if answer.text.contains("Ack") && answer.received > 0));
    assert!(matches!(next(&stream), Event::LateAnswer(answer) if answer.text.contains("300011")));
    assert!(matches!(next(&stream), Event::Refused(refusal) if refusal.code == Code::INVALID_WS_REQUEST_DATA));
}

#[test]
fn an_account_can_be_had_by_its_id() {
    let sandbox = bitmax::sandbox::Sandbox::start().unwrap();
    let client = Client::builder(sandbox.endpoint()).credentials(sandbox.credentials()).build().unwrap();
    let id = sandbox.user().account_id(AccountCategory::Cash);
    let channel = || Channel::orders_of_account(&id);
    let stream = quick(client.stream()).subscribe(channel()).connect().unwrap();
    connected(&stream);
    let subscribed =
        |event| assert!(matches!(&event, Event::Subscribed(ch) if **ch == *format!("order:{id}")), "{event:?}");
    let order = NewOrder::limit("BTC/USDT", Side::Buy, "0.01", "10000").unwrap();
    let told = || assert!(matches!(next(&stream), Event::Order(order) if order.data.account_id == id));
    subscribed(next(&stream));
    stream.place(AccountCategory::Cash, &order).unwrap();
    told();
    sandbox.sessions().iter().for_each(|session| session.break_off(bitmax::sandbox::Break::After(0)));
    assert!(matches!(next(&stream), Event::Disconnected(_)));
    assert!(matches!(next(&stream), Event::Reconnected { .. }));
    subscribed(next(&stream));
    stream.place(AccountCategory::Cash, &order).unwrap();
    told();
    stream.unsubscribe(channel()).unwrap();
    assert!(matches!(next(&stream), Event::Unsubscribed(ch) if *ch == *format!("order:{id}")));
    stream.place(AccountCategory::Cash, &order).unwrap();
    assert_eq!(stream.open_orders(AccountCategory::Cash, &[]).unwrap().len(), 3);
    assert!(stream.try_recv().is_err(), "nothing is told any more");
}

#[test]
fn a_reconnection_authenticates_and_subscribes_again() {
    let server = authenticated(|mut peer| {
        let sub = peer.hear_json();
        assert_eq!(sub["ch"], "order:cash");
        peer.say(&json!({"m": "sub", "id": sub["id"], "ch": "order:cshQ", "code": 0}).to_string());
        peer.say(ORDER);
    });
    let stream = quick(client(&server).stream()).subscribe(Channel::orders(AccountCategory::Cash)).connect().unwrap();
    let mut orders = 0;
    while orders < 3 {
        match next(&stream) {
            Event::Order(_) => orders += 1,
            Event::Connected { .. } | Event::Reconnected { .. } | Event::Subscribed(_) | Event::Disconnected(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn too_many_orders_in_a_minute_are_refused_with_the_time_to_wait() {
    let server = authenticated(|mut peer| {
        let order = peer.hear_json();
        peer.say(&ack("place-order", &order));
        assert!(peer.wait_for_close().is_some(), "nothing else is sent");
    });
    let mut limits = MessageLimits::default();
    limits.orders = 1;
    let stream = client(&server).stream().authenticate(Authentication::Header).limits(limits).connect().unwrap();
    assert!(stream.place(AccountCategory::Cash, &buy()).is_ok());
    match stream.place(AccountCategory::Cash, &buy()) {
        Err(e @ Error::RateLimited(wait)) => {
            assert!(wait <= Duration::from_secs(60) && !e.may_have_executed());
        }
        other => panic!("{other:?}"),
    }
}

fn limited_to_one_order(server: &ws::Server, request_timeout: Duration) -> bitmax::Stream {
    let mut limits = MessageLimits::default();
    limits.orders = 1;
    let builder = client(server).stream().authenticate(Authentication::Header).limits(limits);
    builder.wait_when_limited(true).request_timeout(request_timeout).connect().unwrap()
}

#[test]
fn a_request_that_would_wait_beyond_its_time_is_refused_at_once() {
    let server = authenticated(|mut peer| {
        let order = peer.hear_json();
        peer.say(&ack("place-order", &order));
        assert!(peer.wait_for_close().is_some(), "nothing else is sent");
    });
    let stream = limited_to_one_order(&server, PATIENCE);
    assert!(stream.place(AccountCategory::Cash, &buy()).is_ok());
    assert!(matches!(stream.place(AccountCategory::Cash, &buy()), Err(Error::RateLimited(_))));
}

#[test]
#[ignore = "takes a minute"]
fn a_request_beyond_the_limit_waits_where_it_is_to() {
    let sandbox = bitmax::sandbox::Sandbox::start().unwrap();
    let client = Client::builder(sandbox.endpoint()).credentials(sandbox.credentials()).build().unwrap();
    let mut limits = MessageLimits::default();
    limits.orders = 1;
    let builder = client.stream().authenticate(Authentication::Header).limits(limits).wait_when_limited(true);
    let stream = builder.request_timeout(Duration::from_secs(90)).connect().unwrap();
    let order = NewOrder::limit("BTC/USDT", Side::Buy, "0.01", "10000").unwrap();
    assert!(stream.place(AccountCategory::Cash, &order).is_ok());
    assert!(matches!(stream.place_later(AccountCategory::Cash, &order).unwrap().wait(), Err(Error::RateLimited(_))));
    // It is made anew: an order with the time of a minute ago would be refused.
    assert!(stream.place(AccountCategory::Cash, &order).is_ok());
    assert_eq!(stream.open_orders(AccountCategory::Cash, &[]).unwrap().len(), 2);
}

#[test]
fn what_the_network_has_not_taken_in_time_is_never_sent() {
    let (over, is_over) = mpsc::channel::<()>();
    let is_over = std::sync::Mutex::new(is_over);
    let (heard, was_heard) = mpsc::channel();
    let server = authenticated(move |mut peer| {
        // Reads nothing until the client has given up; then all that came.
        assert!(is_over.lock().unwrap().recv_timeout(PATIENCE).is_ok());
        heard.send(ws::ids_of_orders(&mut peer)).unwrap();
    });
    ws::send_more_than_is_taken(client(&server).stream(), || over.send(()).unwrap(), &was_heard);
}
