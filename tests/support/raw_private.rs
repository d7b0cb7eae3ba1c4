//! A raw client of the private calls: its own signatures over a plain socket, knowing nothing of the crate's codec.
#![allow(dead_code, reason = "each test binary uses its own part")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bitmax::Decimal;
use bitmax::model::AccountCategory::Cash;
use bitmax::sandbox::{ProductOptions, Sandbox, User, UserOptions};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::raw::{Answer, Http};

/// When sandboxes with a stopped clock begin: 2023-11-14, 22:13:20 UTC.
pub(crate) const START: u64 = 1_700_000_000_000;

/// A sandbox in which nothing happens but what the test does: the clock stands still, and nobody else trades.
pub(crate) fn still() -> Sandbox {
    Sandbox::builder().quiet().start_time(START).start().unwrap()
}

/// The same with a market that moves when time does.
pub(crate) fn lively() -> Sandbox {
    Sandbox::builder().start_time(START).start().unwrap()
}

pub(crate) fn sign(key: &[u8], message: &str) -> String {
    let signature = Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(message).finalize().into_bytes();
    STANDARD.encode(signature)
}

/// One user on one kept-alive connection.
pub(crate) struct Client {
    pub(crate) http: Http,
    pub(crate) key: String,
    pub(crate) secret: String,
    pub(crate) group: u32,
    pub(crate) uid: String,
    /// The time that requests are signed with.
    pub(crate) now: u64,
}

impl Client {
    /// The sandbox's first user.
    pub(crate) fn new(sandbox: &Sandbox) -> Self {
        Self::of(sandbox, sandbox.user())
    }

    pub(crate) fn of(sandbox: &Sandbox, user: &User) -> Self {
        Self {
            http: Http::connect(sandbox.port()),
            key: user.api_key().to_owned(),
            secret: user.api_secret().to_owned(),
            group: user.account_group(),
            uid: user.uid(),
            now: sandbox.now(),
        }
    }

    /// A call: `G/` at the start of the path stands for the account group. The body is JSON, or none.
    pub(crate) fn call(&mut self, method: &str, path: &str, prehash: &str, body: &str) -> Answer {
        self.send(method, path, prehash, body);
        self.http.answer()
    }

    /// The same without waiting for its answer.
    pub(crate) fn send(&mut self, method: &str, path: &str, prehash: &str, body: &str) {
        let path = match path.strip_prefix("G/") {
            Some(rest) => format!("/{}/api/pro/{rest}", self.group),
            None => format!("/api/pro/{path}"),
        };
        let timestamp = self.now.to_string();
        let signature = sign(self.secret.as_bytes(), &format!("{timestamp}+{prehash}"));
        let headers = [
            ("x-auth-key", self.key.as_str()),
            ("x-auth-timestamp", &timestamp),
            ("x-auth-signature", &signature),
            ("Content-Type", "application/json"),
        ];
        self.http.send(method, &path, &headers, body);
    }

    pub(crate) fn get(&mut self, path: &str, prehash: &str) -> Answer {
        self.call("GET", path, prehash, "")
    }

    /// A call about orders in the cash account, such as `POST order`; the prehash is the path without its query.
    pub(crate) fn orders(&mut self, call: &str, body: &Value) -> Answer {
        let (method, path) = call.split_once(' ').unwrap();
        let prehash = path.split('?').next().unwrap().to_owned();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.call(method, &format!("G/v1/cash/{path}"), &prehash, &body)
    }

    /// A limit order, with more or other fields.
    pub(crate) fn limit(&self, side: &str, quantity: &str, price: &str, more: Value) -> Value {
        let mut order = json!({
            "time": self.now, "symbol": "ABC/USDT", "side": side, "orderType": "limit", "orderQty": quantity,
            "orderPrice": price,
        });
        for (name, value) in more.as_object().unwrap() {
            order[name] = value.clone();
        }
        order
    }

    /// Places a limit order that must be acknowledged; its id.
    pub(crate) fn placed(&mut self, side: &str, quantity: &str, price: &str) -> String {
        let order = self.limit(side, quantity, price, json!({}));
        let data = self.orders("POST order", &order).data();
        assert_eq!(data["status"], "Ack", "{data}");
        data["info"]["orderId"].as_str().unwrap().to_owned()
    }

    /// A private list, such as open orders.
    pub(crate) fn rows(&mut self, path: &str) -> Vec<Value> {
        self.orders(&format!("GET {path}"), &Value::Null).data().as_array().unwrap().clone()
    }
}

/// The names of an object's fields, sorted.
pub(crate) fn names(object: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// A decimal that is written as text.
pub(crate) fn dec(value: &Value) -> Decimal {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).parse().unwrap()
}

/// A quiet sandbox with [`floor_on`] it.
pub(crate) fn floor() -> (Sandbox, Client, User) {
    floor_on(still())
}

/// A product that nobody else trades; a client with 100 ABC and 100 000 USDT in cash, and another participant with as
/// much.
pub(crate) fn floor_on(sandbox: Sandbox) -> (Sandbox, Client, User) {
    sandbox.add_product(&ProductOptions::new("ABC/USDT")).unwrap();
    let other = sandbox.add_user(UserOptions::new());
    for (user, usdt) in [(sandbox.user(), 0), (&other, 100_000)] {
        user.fund(Cash, "ABC", 100).unwrap();
        if usdt > 0 {
            user.fund(Cash, "USDT", usdt).unwrap();
        }
    }
    let client = Client::new(&sandbox);
    (sandbox, client, other)
}

/// A text of an answer.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

/// The fields of an order, save the client's id.
pub(crate) const ROW: [&str; 16] = [
    "avgPx",
    "cumFee",
    "cumFilledQty",
    "errorCode",
    "execInst",
    "feeAsset",
    "lastExecTime",
    "orderId",
    "orderQty",
    "orderType",
    "price",
    "seqNum",
    "side",
    "status",
    "stopPrice",
    "symbol",
];
