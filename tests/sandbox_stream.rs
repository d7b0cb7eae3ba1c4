//! The private half of the sandbox's stream: authentication, account channels, requests, seen by clients that know
//! nothing of the crate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/raw_private.rs"]
mod private;
#[path = "support/raw.rs"]
mod raw;

use std::collections::BTreeMap;
use std::time::Duration;

use bitmax::Decimal;
use bitmax::model::AccountCategory;
use bitmax::sandbox::{Fault, OrderRequest, Permission, ProductOptions, Sandbox, UnknownOrder, User, UserOptions};
use private::{START, names, sign};
use raw::{Stream, wait_until};
use serde_json::{Value, json};

/// A sandbox whose clock stands still, with a product that nobody but users trades.
fn still() -> Sandbox {
    let sandbox = Sandbox::builder().start_time(START).snapshot_delay(Duration::ZERO).start().unwrap();
    sandbox.add_product(&ProductOptions::new("ABC/USDT").fees("0.001", "0.002")).unwrap();
    sandbox.user().fund(AccountCategory::Cash, "ABC", 50).unwrap();
    sandbox.user().fund(AccountCategory::Margin, "ABC", 50).unwrap();
    sandbox
}

/// Someone else with plenty.
fn other(sandbox: &Sandbox) -> User {
    let user = sandbox.add_user(UserOptions::new());
    user.fund(AccountCategory::Cash, "ABC", 1_000).unwrap();
    user.fund(AccountCategory::Cash, "USDT", 1_000_000).unwrap();
    user
}

fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/ws/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// All that the sample has is there with the same type, and nothing else is; lists by their first item.
fn is_shaped_as(answer: &Value, sample: &Value) {
    match (answer, sample) {
        (Value::Object(a), Value::Object(s)) => {
            assert_eq!(names(answer), names(sample));
            a.iter().for_each(|(name, value)| is_shaped_as(value, &s[name]));
        }
        (Value::Array(answer), Value::Array(sample)) => {
            assert!(!answer.is_empty());
            answer.iter().for_each(|row| is_shaped_as(row, &sample[0]));
        }
        _ => assert_eq!(std::mem::discriminant(answer), std::mem::discriminant(sample), "{answer} {sample}"),
    }
}

fn dec(value: &Value) -> Decimal {
    value.as_str().unwrap_or_else(|| panic!("{value}")).parse().unwrap()
}

fn path(user: &User) -> String {
    format!("/{}/api/pro/v1/stream", user.account_group())
}

fn auth(user: &User, time: u64, prehash: &str) -> Value {
    let sig = sign(user.api_secret().as_bytes(), &format!("{time}+{prehash}"));
    json!({"op": "auth", "id": "a", "t": time, "key": user.api_key(), "sig": sig})
}

/// An authenticated session.
struct Session {
    stream: Stream,
    now: u64,
    cash: String,
    margin: String,
    orders: usize,
}

impl Session {
    fn open(sandbox: &Sandbox, user: &User, ready: bool) -> Self {
        let mut stream = Stream::upgrade(sandbox.port(), &path(user));
        assert_eq!(stream.json()["type"], "unauth");
        let mut message = auth(user, sandbox.now(), "stream");
        if ready {
            message["ack"] = "ready".into();
        }
        assert_eq!(stream.ask(&message.to_string())["code"], 0);
        let [cash, margin] = [AccountCategory::Cash, AccountCategory::Margin].map(|ac| user.account_id(ac));
        Self { stream, now: sandbox.now(), cash, margin, orders: 0 }
    }

    /// With the updates of the cash account.
    fn listening(sandbox: &Sandbox, ready: bool) -> Self {
        let mut session = Self::open(sandbox, sandbox.user(), ready);
        assert_eq!(session.sub("order:cash")["code"], 0);
        session
    }

    fn sub(&mut self, channel: &str) -> Value {
        self.stream.ask(&json!({"op": "sub", "ch": channel}).to_string())
    }

    fn req(&mut self, action: &str, account: &str, args: Value) -> Value {
        let request = json!({"op": "req", "id": "q", "action": action, "account": account, "args": args});
        self.stream.ask(&request.to_string())
    }

    /// A limit order with a fresh id, with more or other fields.
    fn order(&mut self, side: &str, quantity: &str, price: &str, more: Value) -> Value {
        self.orders += 1;
        let mut order = json!({
            "time": self.now, "id": format!("order{:08}", self.orders), "symbol": "ABC/USDT", "side": side, "orderType": "limit",
            "orderQty": quantity, "orderPrice": price,
        });
        for (name, value) in more.as_object().unwrap() {
            order[name] = value.clone();
        }
        order
    }

    /// Places an order that must be acknowledged; its id.
    fn place(&mut self, side: &str, quantity: &str, price: &str, more: Value) -> String {
        let order = self.order(side, quantity, price, more);
        let answer = self.req("place-order", "cash", order);
        assert_eq!(answer["status"], "Ack", "{answer}");
        answer["info"]["orderId"].as_str().unwrap().to_owned()
    }

    fn cancel(&mut self, order: &str) -> Value {
        let args = json!({"time": self.now, "id": "cancel12345", "orderId": order, "symbol": "ABC/USDT"});
        self.req("cancel-order", "cash", args)
    }

    /// What is told of orders until nothing more is: status, filled, total and available of base and quote.
    fn updates(&mut self) -> Vec<Value> {
        self.stream.send(r#"{"op":"ping"}"#);
        std::iter::from_fn(|| Some(self.stream.json()).filter(|message| message["m"] != "pong")).collect()
    }

    fn statuses(&mut self) -> Vec<String> {
        let st = |update: &Value| update["data"]["st"].as_str().unwrap_or_else(|| panic!("{update}")).to_owned();
        self.updates().iter().map(st).collect()
    }
}

// --- Authentication ---

#[test]
fn the_headers_of_the_upgrade_authenticate() {
    let sandbox = still();
    let user = sandbox.user();
    let stranger = sandbox.add_user(UserOptions::new());
    assert_ne!(user.account_group(), stranger.account_group());
    let own = path(user);
    let v2 = own.replace("v1", "v2");
    let open = |path: &str, key: &str, time: u64, prehash: &str| {
        let time = time.to_string();
        let signature = sign(user.api_secret().as_bytes(), &format!("{time}+{prehash}"));
        let headers = [("x-auth-key", key), ("x-auth-timestamp", time.as_str()), ("x-auth-signature", &signature)];
        Stream::with_headers(sandbox.port(), path, &headers)
    };
    for (path, prehash) in [(&own, "stream"), (&v2, "v2/stream")] {
        let mut stream = open(path, user.api_key(), START, prehash).unwrap();
        assert_eq!(stream.text(), r#"{"m":"connected","type":"auth"}"#);
        assert_eq!(stream.ask(r#"{"op":"sub","ch":"order:cash"}"#)["code"], 0);
    }
    let foreign = path(&stranger);
    for (path, key, time, prehash, status, code) in [
        (own.as_str(), "nobody's", START, "stream", 401, 200_006),
        (&own, stranger.api_key(), START, "stream", 401, 200_001),
        (&own, user.api_key(), START, "order", 401, 200_001),
        (&own, user.api_key(), START, "v2/stream", 401, 200_001),
        (&v2, user.api_key(), START, "stream", 401, 200_001),
        (&own, user.api_key(), START - 30_001, "stream", 401, 100_011),
        (&own, user.api_key(), START + 30_001, "stream", 401, 100_011),
        (&own, "", START, "stream", 401, 100_009),
        (&foreign, user.api_key(), START, "stream", 403, 200_003),
        ("/api/pro/v1/stream", user.api_key(), START, "stream", 403, 200_003),
    ] {
        let answer = open(path, key, time, prehash).err().unwrap();
        assert_eq!((answer.status, answer.refusal().0), (status, code), "{path} {prehash}");
    }
    assert!(open(&own, user.api_key(), START - 30_000, "stream").is_ok());
    let partial = Stream::with_headers(sandbox.port(), &own, &[("x-auth-key", user.api_key())]).err().unwrap();
    assert_eq!((partial.status, partial.refusal().0), (401, 100_009));
}

#[test]
fn a_message_authenticates() {
    let sandbox = still();
    let user = sandbox.user();
    let mut stream = Stream::upgrade(sandbox.port(), &path(user));
    assert_eq!(stream.text(), r#"{"m":"connected","type":"unauth"}"#);
    assert_eq!(stream.ask(r#"{"op":"sub","id":"s","ch":"order:cash"}"#)["code"], 100_009);
    let ok = stream.ask(&auth(user, START, "stream").to_string());
    assert_eq!(ok, json!({"m": "auth", "id": "a", "code": 0}));
    is_shaped_as(&ok, &fixture("auth-ok"));
    assert_eq!(stream.ask(r#"{"op":"sub","id":"s","ch":"order:cash"}"#)["code"], 0);

    let mut text = auth(user, START, "stream");
    text["t"] = START.to_string().into();
    text.as_object_mut().unwrap().remove("id");
    let mut stream = Stream::upgrade(sandbox.port(), &path(user));
    stream.text();
    assert_eq!(stream.ask(&text.to_string()), json!({"m": "auth", "code": 0}));
    let mut v2 = Stream::upgrade(sandbox.port(), &path(user).replace("v1", "v2"));
    v2.text();
    assert_eq!(v2.ask(&auth(user, START, "stream").to_string())["code"], 200_001);
    assert_eq!(v2.ask(&auth(user, START, "v2/stream").to_string())["code"], 0);

    let mut ready = auth(user, START, "stream");
    ready["ack"] = "ready".into();
    let ok = stream.ask(&ready.to_string());
    assert_eq!(ok, json!({"m": "auth", "id": "a", "code": 0, "ack": "ready"}));
    is_shaped_as(&ok, &fixture("auth-ready-ok"));
}

#[test]
fn a_wrong_message_does_not_authenticate() {
    let sandbox = still();
    let user = sandbox.user();
    let stranger = sandbox.add_user(UserOptions::new());
    let mut stream = Stream::upgrade(sandbox.port(), &path(user));
    stream.text();
    let mut wrong = Vec::new();
    let good = auth(user, START, "stream");
    for (name, value, code) in [
        ("key", json!("nobody's"), 200_006),
        ("key", json!(stranger.api_key()), 200_001),
        ("key", json!(null), 100_009),
        ("sig", json!("x"), 200_001),
        ("sig", json!(7), 100_009),
        ("t", json!(START + 1), 200_001),
        ("t", json!(""), 100_009),
        ("t", json!("soon"), 100_011),
        ("t", json!(1.5), 100_011),
    ] {
        let mut message = good.clone();
        message[name] = value;
        wrong.push((message, code));
    }
    wrong.push((auth(user, START - 30_001, "stream"), 100_011));
    wrong.push((auth(user, START, "v2/stream"), 200_001));
    wrong.push((auth(&stranger, START, "stream"), 200_003));
    wrong.push((json!({"op": "auth", "id": "a"}), 100_009));
    for (message, code) in wrong {
        let answer = stream.ask(&message.to_string());
        assert_eq!((&answer["m"], &answer["id"], &answer["code"]), (&json!("auth"), &json!("a"), &json!(code)));
        assert!(answer["err"].is_string() && answer["reason"].is_string(), "{answer}");
        assert!(answer.get("ack").is_none());
        assert_eq!(stream.ask(r#"{"op":"sub","ch":"order:cash"}"#)["code"], 100_009, "{message}");
    }
    // The sample says the same of a key that nobody has.
    let mut message = good.clone();
    message["key"] = "nobody's".into();
    assert_eq!(stream.ask(&message.to_string())["err"], fixture("auth-err")["err"]);
    // Not another's session, but once more one's own.
    assert_eq!(stream.ask(&good.to_string())["code"], 0);
    assert_eq!(stream.ask(&good.to_string())["code"], 0);
    let mut groupless = Stream::upgrade(sandbox.port(), "/api/pro/v1/stream");
    groupless.text();
    assert_eq!(groupless.ask(&good.to_string())["code"], 200_003);
}

#[test]
fn the_clock_that_clients_see_is_the_one_that_counts() {
    let sandbox = still();
    let user = sandbox.user();
    sandbox.shift_clock(45_000);
    let mut stream = Stream::upgrade(sandbox.port(), &path(user));
    stream.text();
    assert_eq!(stream.ask(&auth(user, START, "stream").to_string())["code"], 100_011);
    let told = stream.ask(r#"{"op":"ping"}"#)["ts"].as_u64().unwrap();
    assert_eq!(stream.ask(&auth(user, told, "stream").to_string())["code"], 0);
    let order = json!({
        "time": START, "symbol": "ABC/USDT", "side": "buy", "orderType": "limit", "orderQty": "1", "orderPrice": "90",
    });
    let place =
        |order: &Value| json!({"op": "req", "action": "place-order", "account": "cash", "args": order}).to_string();
    assert_eq!(stream.ask(&place(&order))["info"]["code"], 100_011);
    let mut order = order.clone();
    order["time"] = told.into();
    assert_eq!(stream.ask(&place(&order))["status"], "Ack");
}

#[test]
fn what_is_private_needs_a_user() {
    let sandbox = still();
    let mut stream = Stream::open(sandbox.port());
    for channel in ["order:cash", "order:margin:BTC/USDT", "depth-realtime:BTC/USDT"] {
        let answer = stream.ask(&json!({"op": "sub", "id": "s", "ch": channel}).to_string());
        assert_eq!((&answer["m"], &answer["id"], &answer["code"]), (&json!("error"), &json!("s"), &json!(100_009)));
    }
    for action in ["place-order", "cancel-order", "cancel-all", "balance", "open-order", "margin-risk", "order-status"]
    {
        let request = json!({"op": "req", "id": "q", "action": action, "account": "cash", "args": {}});
        let answer = stream.ask(&request.to_string());
        assert_eq!((&answer["m"], &answer["id"], &answer["code"]), (&json!("error"), &json!("q"), &json!(100_009)));
        assert!(answer["reason"].is_string() && answer["info"].is_string());
    }
}

#[test]
fn a_key_does_what_it_may() {
    let sandbox = still();
    let viewer = sandbox.add_user(UserOptions::new().permissions([Permission::View]));
    let mut session = Session::open(&sandbox, &viewer, false);
    assert_eq!(session.sub("order:cash")["code"], 0);
    let order = session.order("buy", "1", "90", json!({}));
    for action in ["place-order", "cancel-order", "cancel-all"] {
        let answer = session.req(action, "cash", order.clone());
        assert_eq!((&answer["m"], &answer["code"]), (&json!("error"), &json!(200_015)), "{action}");
    }
    let trader = sandbox.add_user(UserOptions::new().permissions([Permission::Trade]));
    let mut session = Session::open(&sandbox, &trader, false);
    assert_eq!(session.sub("order:cash")["code"], 200_015);
    assert_eq!(session.req("balance", "cash", json!({}))["code"], 200_015);
}

// --- The account channel ---

#[test]
fn account_channels_are_acknowledged_by_the_accounts_id() {
    let sandbox = still();
    let mut session = Session::open(&sandbox, sandbox.user(), false);
    let (cash, margin) = (session.cash.clone(), session.margin.clone());
    for (channel, acknowledged) in [
        ("order:cash", format!("order:{cash}")),
        ("order:CASH", format!("order:{cash}")),
        ("order:margin", format!("order:{margin}")),
        (&*format!("order:{cash}"), format!("order:{cash}")),
        ("order:cash:BTC/USDT", format!("order:{cash}:BTC/USDT")),
    ] {
        assert_eq!(session.sub(channel), json!({"m": "sub", "ch": acknowledged, "code": 0}), "{channel}");
    }
    session.stream.send(r#"{"op":"sub","id":"x","ch":"order:cash,margin"}"#);
    for id in [&cash, &margin] {
        let expected = json!({"m": "sub", "id": "x", "ch": format!("order:{id}"), "code": 0});
        assert_eq!(session.stream.json(), expected);
    }
    for (channel, m, code) in [
        ("order", "error", 100_005),
        ("order:savings", "sub", 200_003),
        ("order:cash:NO/USDT", "sub", 100_008),
        ("order:cash:BTC/USDT:1", "error", 100_005),
        ("depth-realtime:NO/USDT", "sub", 100_008),
    ] {
        let answer = session.sub(channel);
        assert_eq!((&answer["m"], &answer["code"]), (&json!(m), &json!(code)), "{channel}: {answer}");
        assert!(answer["reason"].is_string());
    }
    // The sample of a refused subscription.
    is_shaped_as(&session.stream.ask(r#"{"op":"sub","id":"x","ch":"depth-realtime:USDT/ASD"}"#), &fixture("sub-err"));
}

#[test]
fn an_order_is_told_from_its_beginning_to_its_end() {
    let sandbox = still();
    let other = other(&sandbox);
    let mut plain = Session::listening(&sandbox, false);
    let mut ready = Session::listening(&sandbox, true);
    let sold =
        |quantity: u32, price: &str| other.place(&OrderRequest::sell("ABC/USDT", quantity).limit(price)).unwrap();

    // Rests, trades in two steps.
    let id = plain.place("buy", "3", "90", json!({}));
    sold(1, "90");
    sold(2, "89");
    let updates = plain.updates();
    let field =
        |name: &str| -> Vec<String> { updates.iter().map(|u| u["data"][name].as_str().unwrap().to_owned()).collect() };
    assert_eq!(field("st"), ["New", "PartiallyFilled", "Filled"]);
    assert_eq!(field("orderId"), [&*id; 3]);
    assert_eq!(field("cfq"), ["0", "1", "3"]);
    assert_eq!(field("ap"), ["0", "90", "90"]);
    // As the maker: 0.1 percent.
    assert_eq!(field("cf"), ["0", "0.09", "0.27"]);
    assert_eq!((field("btb"), field("bab")), (vec!["50".into(), "51".into(), "53".into()], field("btb")));
    assert_eq!(field("qtb"), ["100000", "99909.91", "99729.73"]);
    // The reserve is that of the greater fee.
    assert_eq!(field("qab"), ["99729.46", "99729.55", "99729.73"]);
    for update in &updates {
        is_shaped_as(update, &fixture("order-filled"));
        assert_eq!((&update["accountId"], &update["ac"]), (&json!(plain.cash), &json!("CASH")));
    }
    let sns: Vec<u64> = updates.iter().map(|u| u["data"]["sn"].as_u64().unwrap()).collect();
    assert!(sns.is_sorted() && sns[0] < sns[2]);

    let announced = ready.updates();
    is_shaped_as(&announced[0], &fixture("order-ready"));
    assert_eq!(announced[0]["data"]["st"], "Ready");
    assert_eq!(announced[1..], updates[1..], "apart from that the same");

    // Trades at once and rests, is cancelled.
    sold(1, "91");
    let id = plain.place("buy", "4", "91", json!({}));
    assert_eq!(plain.statuses(), ["New", "PartiallyFilled"]);
    assert_eq!(ready.statuses(), ["PartiallyFilled"]);
    assert_eq!(plain.cancel(&id)["status"], "Ack");
    let canceled = plain.updates();
    is_shaped_as(&canceled[0], &fixture("order-canceled"));
    assert_eq!((&canceled[0]["data"]["st"], &canceled[0]["data"]["cfq"]), (&json!("Canceled"), &json!("1")));
    assert_eq!(ready.updates(), canceled);

    // Would take, but must not.
    sold(1, "92");
    plain.place("buy", "1", "92", json!({"postOnly": true}));
    assert_eq!(ready.statuses(), ["Rejected"]);
    let rejected = plain.updates();
    assert_eq!(rejected.len(), 1);
    is_shaped_as(&rejected[0], &fixture("order-rejected"));
    let data = &rejected[0]["data"];
    assert_eq!(
        (&data["st"], &data["err"], &data["ei"]),
        (&json!("Rejected"), &json!("PostOnlyWouldTake"), &json!("Post"))
    );

    // At any price, at once.
    plain.place("buy", "1", "", json!({"orderType": "market"}));
    assert_eq!(plain.statuses(), ["New", "Filled"]);
    assert_eq!(ready.statuses(), ["Filled"]);
}

#[test]
fn stop_orders_wait_and_enter() {
    let sandbox = still();
    let other = other(&sandbox);
    let mut plain = Session::listening(&sandbox, false);
    let mut ready = Session::listening(&sandbox, true);
    plain.place("buy", "1", "101", json!({"orderType": "stop_limit", "stopPrice": "100"}));
    for session in [&mut plain, &mut ready] {
        let updates = session.updates();
        assert_eq!(
            (updates.len(), &updates[0]["data"]["st"], &updates[0]["data"]["sp"]),
            (1, &json!("PendingNew"), &json!("100"))
        );
    }
    other.place(&OrderRequest::sell("ABC/USDT", 1).limit(100)).unwrap();
    let taker = sandbox.add_user(UserOptions::new());
    taker.fund(AccountCategory::Cash, "USDT", 1000).unwrap();
    taker.place(&OrderRequest::buy("ABC/USDT", 1).limit(100)).unwrap();
    assert_eq!(plain.statuses(), ["New"]);
    assert_eq!(ready.statuses(), ["Ready"]);
}

#[test]
fn only_what_was_subscribed_is_told() {
    let sandbox = still();
    sandbox.add_product(&ProductOptions::new("XYZ/USDT")).unwrap();
    let mut whole = Session::listening(&sandbox, false);
    let mut one = Session::open(&sandbox, sandbox.user(), false);
    one.sub("order:cash:ABC/USDT");
    let mut margin = Session::open(&sandbox, sandbox.user(), false);
    margin.sub("order:margin");
    let mut stranger = Session::open(&sandbox, &other(&sandbox), false);
    stranger.sub("order:cash");
    stranger.sub("order:margin");
    for symbol in ["ABC/USDT", "XYZ/USDT"] {
        sandbox.user().place(&OrderRequest::buy(symbol, 1).limit(90)).unwrap();
    }
    sandbox.user().fund(AccountCategory::Cash, "BTC", 1).unwrap();
    let told = |session: &mut Session| -> Vec<String> {
        let updates = session.updates();
        updates.iter().map(|u| u["data"]["s"].as_str().or(u["data"]["a"].as_str()).unwrap().to_owned()).collect()
    };
    assert_eq!(told(&mut whole), ["ABC/USDT", "XYZ/USDT", "BTC"]);
    assert_eq!(told(&mut one), ["ABC/USDT", "BTC"]);
    assert_eq!(told(&mut margin), [""; 0]);
    assert_eq!(told(&mut stranger), [""; 0]);
    // Both at once tell each thing once.
    one.sub("order:cash");
    sandbox.user().place(&OrderRequest::buy("ABC/USDT", 1).limit(90)).unwrap();
    assert_eq!(told(&mut one), ["ABC/USDT"]);
    // The end of the orders is the end of the balances.
    let ack = one.stream.ask(r#"{"op":"unsub","ch":"order:cash"}"#);
    assert_eq!(ack, json!({"m": "unsub", "ch": format!("order:{}", one.cash), "code": 0}));
    sandbox.user().fund(AccountCategory::Cash, "BTC", 1).unwrap();
    sandbox.user().place(&OrderRequest::buy("ABC/USDT", 1).limit(90)).unwrap();
    assert_eq!(told(&mut one), [""; 0]);
}

#[test]
fn balances_that_no_order_changed_are_told() {
    let sandbox = still();
    let mut session = Session::open(&sandbox, sandbox.user(), false);
    session.sub("order:cash,margin");
    session.stream.json();
    sandbox.user().fund(AccountCategory::Cash, "USDT", "0.5").unwrap();
    let mut client = private::Client::new(&sandbox);
    let body = json!({"amount": "100", "asset": "USDT", "fromAccount": "cash", "toAccount": "margin"}).to_string();
    assert_eq!(client.call("POST", "G/v1/transfer", "transfer", &body).json()["code"], 0);
    let updates = session.updates();
    assert_eq!(updates.len(), 3);
    is_shaped_as(&updates[0], &fixture("balance-cash"));
    is_shaped_as(&updates[2], &fixture("balance-margin"));
    let row = |update: &Value| (update["ac"].clone(), update["data"]["tb"].clone(), update["data"]["ab"].clone());
    assert_eq!(row(&updates[0]), (json!("CASH"), json!("100000.5"), json!("100000.5")));
    assert_eq!(row(&updates[1]), (json!("CASH"), json!("99900.5"), json!("99900.5")));
    assert_eq!(row(&updates[2]), (json!("MARGIN"), json!("50100"), json!("50100")));
    assert_eq!((&updates[2]["data"]["brw"], &updates[2]["data"]["int"]), (&json!("5000"), &json!("1.25")));
    assert_eq!(updates[2]["accountId"], session.margin);
}

#[test]
fn updates_can_be_lost() {
    let sandbox = still();
    let mut session = Session::listening(&sandbox, false);
    let lost = sandbox.inject(Fault::LoseMessage.at(format!("order:{}", session.cash)));
    session.place("buy", "1", "90", json!({}));
    assert_eq!((session.updates().len(), lost.hits()), (0, 1));
    session.place("buy", "1", "90", json!({}));
    assert_eq!(session.statuses(), ["New"]);
    // An order whose acknowledgement does not come is there nevertheless.
    sandbox.inject(Fault::LoseAnswer.at("req place-order"));
    let order = session.order("buy", "1", "90", json!({}));
    assert_eq!(session.req("place-order", "cash", order)["data"]["st"], "New");
    // One whose request is lost is not.
    sandbox.inject(Fault::LoseRequest.at("req place-order"));
    let order = session.order("buy", "1", "90", json!({}));
    let request = json!({"op": "req", "action": "place-Order", "account": "cash", "args": order});
    session.stream.send(&request.to_string());
    assert!(session.updates().is_empty());
    assert_eq!(session.req("open-order", "cash", json!({}))["data"].as_array().unwrap().len(), 3);
    // One that is heard too late is refused for its time.
    sandbox.inject(Fault::DelayRequest(Duration::from_millis(30_001)).at("req place-order"));
    let order = session.order("buy", "1", "90", json!({}));
    let late = json!({"op": "req", "action": "place-order", "account": "cash", "args": order});
    session.stream.send(&late.to_string());
    assert!(session.updates().is_empty());
    sandbox.advance(Duration::from_millis(30_001));
    assert_eq!(session.stream.next("order")["info"]["code"], 100_011);
}

// --- Requests about orders ---

#[test]
fn orders_are_answered_as_the_samples_are() {
    let sandbox = still();
    let mut session = Session::open(&sandbox, sandbox.user(), false);
    let order = session.order("buy", "1", "90", json!({"id": "xxxxx1523b505d"}));
    let ack = session.req("place-Order", "cash", order.clone());
    is_shaped_as(&ack, &fixture("place-order-ack"));
    let uid = sandbox.user().uid();
    let id = format!("s{START:x}{uid}1523b505d");
    assert_eq!(
        ack,
        json!({
            "m": "order", "accountId": session.cash, "ac": "CASH", "action": "place-order", "status": "Ack",
            "info": {
                "symbol": "ABC/USDT", "orderType": "Limit", "timestamp": START, "id": "xxxxx1523b505d", "orderId": id,
            },
        })
    );
    // Again: known already.
    assert_eq!(session.req("place-order", "cash", order.clone())["info"]["errorCode"], "DupNewCoid");
    // Whatever the answer is to wait for, it is an acknowledgement.
    for inst in ["ACCEPT", "DONE"] {
        let order = session.order("buy", "1", "90", json!({"respInst": inst}));
        is_shaped_as(&session.req("place-order", "CASH", order), &fixture("place-order-ack"));
    }
    let cancel = json!({"time": START, "id": "7b73dcd8e8c8", "orderId": id, "symbol": "ABC/USDT"});
    let ack = session.req("cancel-Order", "cash", cancel.clone());
    is_shaped_as(&ack, &fixture("cancel-order-ack"));
    assert_eq!(
        (&ack["action"], &ack["info"]["id"], &ack["info"]["orderId"]),
        (&json!("cancel-order"), &json!("7b73dcd8e8c8"), &json!(id))
    );
    let refused = session.req("cancel-order", "cash", cancel);
    is_shaped_as(&refused, &fixture("cancel-order-err"));
    assert_eq!((&refused["status"], &refused["info"]["code"]), (&json!("Err"), &json!(300_019)));
    let all = session.req("cancel-All", "cash", json!({"time": START, "id": "69c482a3f295"}));
    is_shaped_as(&all, &fixture("cancel-all-ack"));
    assert_eq!((&all["action"], &all["info"]["id"]), (&json!("cancel-all"), &json!("69c482a3f295")));
    assert!(sandbox.user().open_orders(AccountCategory::Cash).is_empty());
}

#[test]
fn the_samples_of_requests_are_understood() {
    let sandbox = still();
    let mut session = Session::open(&sandbox, sandbox.user(), false);
    for (name, m) in [
        ("cancel-all", "order"),
        ("cancel-all-symbol", "order"),
        ("depth-snapshot", "error"),
        ("market-trades", "error"),
        ("margin-risk", "margin-risk"),
        ("open-order", "open-order"),
        ("order-status", "order-status"),
        ("cancel-order", "order"),
        ("place-order", "order"),
    ] {
        let path = format!("{}/tests/fixtures/ws-requests/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(session.stream.ask(&text)["m"], m, "{name}");
    }
    let text =
        std::fs::read_to_string(format!("{}/tests/fixtures/ws-requests/auth-ready.json", env!("CARGO_MANIFEST_DIR")));
    assert_eq!(session.stream.ask(&text.unwrap())["code"], 200_006, "a key that nobody has");
}

#[test]
fn refused_orders_have_the_codes_of_the_reference() {
    let sandbox = still();
    let mut session = Session::listening(&sandbox, false);
    for (more, code, reason) in [
        (json!({"symbol": "NO/USDT"}), 300_012, "INVALID_PRODUCT"),
        (json!({"orderPrice": "90.001"}), 300_014, "TICK_SIZE_VIOLATION"),
        (json!({"orderPrice": "0"}), 300_001, "INVALID_PRICE"),
        (json!({"orderQty": "0.0001"}), 300_002, "INVALID_QTY"),
        (json!({"orderQty": "0.01"}), 300_004, "INVALID_NOTIONAL"),
        (json!({"orderQty": "2000"}), 300_011, "INVALID_BALANCE"),
        (json!({"side": "hold"}), 300_003, "INVALID_SIDE"),
        (json!({"orderType": "iceberg"}), 300_005, "INVALID_TYPE"),
        (json!({"timeInForce": "GTD"}), 300_007, "INVALID_TIME_IN_FORCE"),
        (json!({"id": "x@fabs"}), 300_006, "INVALID_ORDER_ID"),
        (json!({"time": START - 30_001}), 100_011, "INVALID_TIMESTAMP"),
    ] {
        let order = session.order("buy", "1", "90", more.clone());
        let answer = session.req("place-order", "cash", order.clone());
        is_shaped_as(&answer, &fixture("place-order-err"));
        let info = &answer["info"];
        assert_eq!((&answer["action"], &answer["status"]), (&json!("place-order"), &json!("Err")));
        assert_eq!((&info["code"], &info["reason"]), (&json!(code), &json!(reason)), "{more}");
        assert_eq!((&info["id"], &info["symbol"]), (&order["id"], &order["symbol"]));
    }
    assert!(session.updates().is_empty(), "what is refused is no order");
    let unknown = session.req("place-order", "savings", json!({}));
    assert_eq!((&unknown["m"], &unknown["code"]), (&json!("error"), &json!(200_003)));
    let request = json!({"op": "req", "id": "q", "action": "place-order", "args": {}}).to_string();
    assert_eq!(session.stream.ask(&request)["code"], 100_005);
    sandbox.halt("ABC/USDT").unwrap();
    let order = session.order("buy", "1", "90", json!({}));
    assert_eq!(session.req("place-order", "cash", order)["info"]["code"], 300_021);
}

#[test]
fn a_failed_cancel_is_told_in_the_ready_mode() {
    let sandbox = still();
    let mut plain = Session::listening(&sandbox, false);
    let mut ready = Session::listening(&sandbox, true);
    ready.stream.send(
        &json!({
            "op": "req", "action": "cancel-order", "account": "cash",
            "args": {"time": START, "id": "T0dYM2YHd123", "orderId": "FAKE-ID", "symbol": "ABC/USDT"},
        })
        .to_string(),
    );
    // One answer, and one message; their order is not promised.
    let said = [ready.stream.json(), ready.stream.json()];
    let answer = said.iter().find(|message| message["action"] == "cancel-order").unwrap();
    assert_eq!((&answer["status"], &answer["info"]["code"]), (&json!("Err"), &json!(300_006)));
    let rejected = said.iter().find(|message| message.get("data").is_some()).unwrap();
    is_shaped_as(rejected, &fixture("order-cancel-reject"));
    let data = &rejected["data"];
    assert_eq!(data["orderId"], format!("s{START:x}{}YM2YHd123", sandbox.user().uid()));
    assert_eq!(
        [&data["origOrderId"], &data["st"], &data["err"], &data["text"]],
        ["FAKE-ID", "Rejected", "OrderCancelReject", "TooLateToCancel"]
    );
    assert!(plain.updates().is_empty(), "in the ready mode alone");
}

#[test]
fn rest_and_stream_are_one_exchange() {
    let sandbox = still();
    let mut client = private::Client::new(&sandbox);
    let mut session = Session::listening(&sandbox, false);
    let id = client.placed("buy", "1", "90");
    let update = &session.updates()[0];
    assert_eq!((&update["data"]["orderId"], &update["data"]["st"]), (&json!(id), &json!("New")));
    assert_eq!(session.cancel(&id)["status"], "Ack");
    assert_eq!(session.statuses(), ["Canceled"]);
    let id = session.place("buy", "1", "90", json!({}));
    let open = client.rows("order/open");
    assert_eq!((open.len(), &open[0]["orderId"]), (1, &json!(id)));
    // And it ends with the session's user: what another has is nobody's else.
    let other = other(&sandbox);
    let mut stranger = Session::open(&sandbox, &other, false);
    assert_eq!(stranger.cancel(&id)["info"]["code"], 300_006);
}

// --- Other requests ---

#[test]
fn accounts_are_asked_as_the_samples_say() {
    let sandbox = still();
    let mut session = Session::open(&sandbox, sandbox.user(), false);
    let [first, second] = [(); 2].map(|()| session.place("buy", "1", "90", json!({})));
    session.place("buy", "0.001", "50000", json!({"symbol": "BTC/USDT"}));

    let open = session.req("open-order", "cash", json!({"symbols": "ABC/USDT"}));
    let mut sample = fixture("open-order");
    sample["data"][0]["ei"] = "NULL_VAL".into();
    is_shaped_as(&open, &sample);
    let ids: Vec<&str> = open["data"].as_array().unwrap().iter().map(|row| row["orderId"].as_str().unwrap()).collect();
    assert_eq!(ids, [&first, &second]);
    assert_eq!((&open["id"], &open["ac"], &open["accountId"]), (&json!("q"), &json!("CASH"), &json!(session.cash)));
    assert_eq!((&open["data"][0]["st"], &open["data"][0]["qtb"]), (&json!("New"), &json!("100000")));
    for (args, count) in [
        (json!({}), 3),
        (json!({"symbols": "*"}), 3),
        (json!({"symbols": ""}), 3),
        (json!({"symbols": "BTC/USDT,ABC/USDT"}), 3),
        (json!({"symbols": "BTC/USDT"}), 1),
        (json!({"symbols": "ETH/USDT"}), 0),
    ] {
        assert_eq!(session.req("open-order", "cash", args.clone())["data"].as_array().unwrap().len(), count, "{args}");
    }
    assert_eq!(session.req("open-order", "cash", json!({"symbols": "NO/USDT"}))["code"], 100_008);
    let margin = session.margin.clone();
    assert_eq!(session.req("open-order", &margin, json!({}))["ac"], "MARGIN");

    let balance = session.req("balance", "cash", json!({}));
    assert_eq!(names(&balance), ["ac", "accountId", "data", "id", "m"]);
    let of = |balance: &Value, asset: &str| {
        balance["data"].as_array().unwrap().iter().find(|row| row["a"] == asset).unwrap().clone()
    };
    assert_eq!(of(&balance, "ABC"), json!({"a": "ABC", "tb": "50", "ab": "50"}));
    // Two orders of 90 and one of 50, with what is reserved for fees.
    assert_eq!(of(&balance, "USDT"), json!({"a": "USDT", "tb": "100000", "ab": "99769.59"}));
    let balance = session.req("balance", "margin", json!({"asset": "USDT"}));
    assert_eq!(balance["data"], json!([{"a": "USDT", "tb": "50000", "ab": "50000", "brw": "5000", "int": "1.25"}]));

    let risk = session.req("margin-risk", "margin", json!({"symbol": "BTC/USDT"}));
    is_shaped_as(&risk, &fixture("margin-risk"));
    assert_eq!(dec(&risk["data"]["tb"]) - dec(&risk["data"]["nb"]), "5001.25".parse().unwrap());
    assert_eq!(session.req("margin-risk", "cash", json!({}))["code"], 310_002);
    assert_eq!(session.req("margin-risk", "margin", json!({"symbol": "NO/USDT"}))["code"], 100_008);
}

#[test]
fn the_status_of_orders_is_an_object_or_a_list() {
    let sandbox = still();
    let mut session = Session::open(&sandbox, sandbox.user(), false);
    let other = other(&sandbox);
    other.place(&OrderRequest::sell("ABC/USDT", 1).limit("90")).unwrap();
    let filled = session.place("buy", "1", "91", json!({}));
    let open = session.place("buy", "1", "80", json!({}));
    let cash = session.cash.clone();
    let mut ask = |ids: &str| session.req("order-status", "cash", json!({"orderId": ids}));
    let both = ask(&format!("{filled},{open}"));
    is_shaped_as(&both, &fixture("order-status"));
    let rows = both["data"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    let row = &rows[0];
    assert_eq!(
        (&row["st"], &row["lp"], &row["lq"], &row["f"], &row["cf"]),
        (&json!("Filled"), &json!("90"), &json!("1"), &json!("0.18"), &json!("0.18"))
    );
    assert_eq!((&row["a"], &row["ac"], &row["e"]), (&json!(cash), &json!("CASH"), &json!("ExecutionReport")));
    assert_eq!((&rows[1]["st"], &rows[1]["lp"]), (&json!("New"), &json!("0")));
    assert_eq!(&ask(&filled)["data"], row, "one is an object");
    assert_eq!(ask(&format!("{filled},"))["data"], json!([row]), "a comma makes it a list");
    for (ids, code) in [("nobodys", 300_006), ("", 100_006)] {
        let refused = ask(ids);
        assert_eq!(
            (&refused["m"], &refused["id"], &refused["code"]),
            (&json!("order-status"), &json!("q"), &json!(code))
        );
        assert!(refused["reason"].is_string() && refused["info"].is_string());
    }
    sandbox.set_unknown_order(UnknownOrder::EmptyList);
    assert_eq!(ask("nobodys")["data"], json!([]));
    assert_eq!(session.req("order-status", &cash, json!({"orderId": filled}))["data"]["st"], "Filled", "by its id");
}

// --- Depth at once ---

#[derive(Default, PartialEq, Debug)]
struct Book {
    sides: [BTreeMap<Decimal, Decimal>; 2],
    seqnum: u64,
}

impl Book {
    fn apply(&mut self, data: &Value) {
        self.seqnum = data["seqnum"].as_u64().unwrap();
        for (side, name) in self.sides.iter_mut().zip(["asks", "bids"]) {
            for level in data[name].as_array().unwrap() {
                let (price, size) = (dec(&level[0]), dec(&level[1]));
                match size == Decimal::ZERO {
                    true => assert!(side.remove(&price).is_some(), "a level that was not there is removed"),
                    false => _ = side.insert(price, size),
                }
            }
        }
    }
}

#[test]
fn realtime_depth_begins_with_its_snapshot_and_leaves_nothing_out() {
    let sandbox = still();
    let mut session = Session::open(&sandbox, sandbox.user(), false);
    sandbox.advance(Duration::from_millis(450));
    assert_eq!(session.sub("depth-realtime:BTC/USDT")["code"], 0);
    let snapshot = session.stream.json();
    is_shaped_as(&snapshot, &fixture("depth-snapshot-realtime"));
    assert_eq!((&snapshot["m"], &snapshot["data"]["ts"]), (&json!("depth-snapshot-realtime"), &json!(0)));
    let mut book = Book::default();
    book.apply(&snapshot["data"]);
    sandbox.advance(Duration::from_secs(5));
    // An order is told at once.
    sandbox.user().place(&OrderRequest::buy("BTC/USDT", "0.01").limit("40000")).unwrap();
    session.stream.send(r#"{"op":"req","id":"q","action":"depth-snapshot-realtime","args":{"symbol":"BTC/USDT"}}"#);
    let mut changes = 0;
    let truth = loop {
        let message = session.stream.json();
        match message["m"].as_str().unwrap() {
            "depth-realtime" => {
                assert_eq!(message["data"]["seqnum"], book.seqnum + 1);
                book.apply(&message["data"]);
                changes += 1;
            }
            "depth-snapshot-realtime" => break message,
            _ => {}
        }
    };
    assert!(changes > 20, "{changes}");
    let mut expected = Book::default();
    expected.apply(&truth["data"]);
    assert_eq!(book, expected);
    assert!(book.sides[1].contains_key(&"40000".parse().unwrap()));
    // It goes on until the end of the subscription.
    sandbox.advance(Duration::from_secs(1));
    assert_eq!(session.stream.next("depth-realtime")["data"]["seqnum"], book.seqnum + 1);

    session.stream.send(r#"{"op":"unsub","ch":"depth-realtime"}"#);
    session.stream.next("unsub");
    sandbox.advance(Duration::from_secs(1));
    assert!(session.updates().is_empty());
    session.stream.send(r#"{"op":"req","id":"q","action":"depth-snapshot-realtime","args":{"symbol":"USDT/ASD"}}"#);
    let refused = session.stream.json();
    is_shaped_as(&refused, &fixture("depth-snapshot-realtime-err"));
    assert_eq!(refused["code"], 100_008);
}

#[test]
fn a_session_that_ends_leaves_nothing_behind() {
    let sandbox = still();
    let mut session = Session::listening(&sandbox, true);
    session.place("buy", "1", "90", json!({}));
    drop(session);
    wait_until("the session has ended", || sandbox.sessions().is_empty());
    // Orders stay: there is no cancelling on disconnection.
    assert_eq!(sandbox.user().open_orders(AccountCategory::Cash).len(), 1);
    let mut session = Session::listening(&sandbox, false);
    session.place("buy", "1", "90", json!({"id": "another12345"}));
    assert_eq!(session.statuses(), ["New"], "the mode was that of the other session");
}
