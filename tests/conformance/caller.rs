//! A participant who signs by itself and speaks plain HTTP.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bitmax::sandbox::{ProductOptions, Sandbox, SandboxBuilder, User, UserOptions};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::raw::{Answer, Http};
use crate::shape::{assert_refusal, assert_sound};

/// Where the sandbox's clock stands in tests that move it themselves.
pub(crate) const START: u64 = 1_700_000_012_345;

/// A product that nobody but the test trades: tick 0.01, lot 0.001, notional 5 to 400 000, fees 0.001 in the quote asset.
pub(crate) const SYMBOL: &str = "ABC/USDT";

/// A sandbox whose time stands still until it is moved, with [`SYMBOL`] listed, and nobody on its market but users.
pub(crate) fn still() -> Sandbox {
    started(Sandbox::builder().quiet())
}

/// The same with a market that moves when time does.
pub(crate) fn lively() -> Sandbox {
    started(Sandbox::builder())
}

fn started(builder: SandboxBuilder) -> Sandbox {
    let sandbox = builder.start_time(START).snapshot_delay(Duration::ZERO).start().unwrap();
    sandbox.add_product(&ProductOptions::new(SYMBOL)).unwrap();
    sandbox
}

/// Standard base64 of HMAC-SHA256 over `<timestamp>+<api-path>`.
pub(crate) fn sign(secret: &[u8], timestamp: u64, api_path: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(format!("{timestamp}+{api_path}").as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// A client's own id, new at each call: 16 letters and digits.
pub(crate) fn new_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("conf{:012}", COUNT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) struct Caller<'a> {
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) user: User,
    http: Http,
}

impl<'a> Caller<'a> {
    /// The user that every sandbox begins with.
    pub(crate) fn first(sandbox: &'a Sandbox) -> Self {
        Self::of(sandbox, sandbox.user().clone())
    }

    /// A new user with these cash balances.
    pub(crate) fn with_cash(sandbox: &'a Sandbox, funds: &[(&str, &str)]) -> Self {
        let user = sandbox.add_user(UserOptions::new());
        for (asset, amount) in funds {
            user.fund(bitmax::model::AccountCategory::Cash, asset, amount).unwrap();
        }
        Self::of(sandbox, user)
    }

    pub(crate) fn of(sandbox: &'a Sandbox, user: User) -> Self {
        Self { sandbox, user, http: Http::connect(sandbox.port()) }
    }

    /// A path of the reference, with this user's account group for `G`.
    pub(crate) fn path(&self, path: &str) -> String {
        path.strip_prefix("/G/")
            .map_or_else(|| path.to_owned(), |rest| format!("/{}/{rest}", self.user.account_group()))
    }

    /// The three headers, by this user's key and the sandbox's clock.
    pub(crate) fn headers(&self, prehash: &str) -> [(&'static str, String); 3] {
        self.headers_at(self.sandbox.now(), prehash)
    }

    pub(crate) fn headers_at(&self, timestamp: u64, prehash: &str) -> [(&'static str, String); 3] {
        [
            ("x-auth-key", self.user.api_key().to_owned()),
            ("x-auth-timestamp", timestamp.to_string()),
            ("x-auth-signature", sign(self.user.api_secret().as_bytes(), timestamp, prehash)),
        ]
    }

    /// A call with headers of the test's own.
    pub(crate) fn call_with(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, String)],
        body: Option<&str>,
    ) -> Answer {
        let mut headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        if body.is_some() {
            headers.push(("Content-Type", "application/json"));
        }
        let path = self.path(path);
        self.http.request(method, &path, &headers, body.unwrap_or_default())
    }

    /// A signed call; whatever comes.
    pub(crate) fn answer(&mut self, method: &str, path: &str, prehash: &str, body: Option<&Value>) -> Answer {
        let headers = self.headers(prehash);
        let body = body.map(Value::to_string);
        self.call_with(method, path, &headers, body.as_deref())
    }

    /// A signed call that has to succeed: the whole answer.
    #[track_caller]
    pub(crate) fn whole(&mut self, method: &str, path: &str, prehash: &str, body: Option<&Value>) -> Value {
        let answer = self.answer(method, path, prehash, body);
        let json = answer.json();
        assert_eq!(answer.status, 200, "{method} {path}: {json}");
        assert!(json.get("code").is_none_or(|code| code == 0), "{method} {path}: {json}");
        assert_sound(&json);
        json
    }

    /// A signed call that has to succeed: its `data`.
    #[track_caller]
    pub(crate) fn data(&mut self, method: &str, path: &str, prehash: &str, body: Option<&Value>) -> Value {
        let mut json = self.whole(method, path, prehash, body);
        assert_eq!(json["code"], 0, "{method} {path}: {json}");
        json.get_mut("data").unwrap_or_else(|| panic!("{method} {path}: no data")).take()
    }

    #[track_caller]
    pub(crate) fn get(&mut self, path: &str, prehash: &str) -> Value {
        self.data("GET", path, prehash, None)
    }

    /// A signed call that has to be refused: the whole answer.
    #[track_caller]
    pub(crate) fn refused(&mut self, method: &str, path: &str, prehash: &str, body: Option<&Value>) -> Value {
        let json = self.answer(method, path, prehash, body).json();
        assert_refusal(&json);
        json
    }

    // --- Orders in the cash account ---

    /// A limit order of this moment with an id of its own.
    pub(crate) fn limit(&self, side: &str, quantity: &str, price: &str) -> Value {
        self.order(json!({"orderType": "limit", "side": side, "orderQty": quantity, "orderPrice": price}))
    }

    /// [`SYMBOL`], the time and an id, with these fields besides or in their place.
    pub(crate) fn order(&self, fields: Value) -> Value {
        let order = json!({"symbol": SYMBOL, "time": self.sandbox.now(), "id": new_id()});
        with(order, fields)
    }

    #[track_caller]
    pub(crate) fn place(&mut self, order: &Value) -> Value {
        self.data("POST", "/G/api/pro/v1/cash/order", "order", Some(order))
    }

    /// Places an order and gives its id.
    #[track_caller]
    pub(crate) fn place_id(&mut self, order: &Value) -> String {
        self.place(order)["info"]["orderId"].as_str().unwrap().to_owned()
    }

    /// An order that has to be refused: the whole answer.
    #[track_caller]
    pub(crate) fn place_refused(&mut self, order: &Value) -> Value {
        self.refused("POST", "/G/api/pro/v1/cash/order", "order", Some(order))
    }

    pub(crate) fn cancelling(&self, order_id: &str) -> Value {
        json!({"orderId": order_id, "symbol": SYMBOL, "time": self.sandbox.now(), "id": new_id()})
    }

    #[track_caller]
    pub(crate) fn cancel(&mut self, order_id: &str) -> Value {
        let body = self.cancelling(order_id);
        self.data("DELETE", "/G/api/pro/v1/cash/order", "order", Some(&body))
    }

    #[track_caller]
    pub(crate) fn status(&mut self, order_id: &str) -> Value {
        self.get(&format!("/G/api/pro/v1/cash/order/status?orderId={order_id}"), "order/status")
    }

    #[track_caller]
    pub(crate) fn open(&mut self) -> Value {
        self.get("/G/api/pro/v1/cash/order/open", "order/open")
    }

    /// Total and available balance of an asset in the cash account.
    #[track_caller]
    pub(crate) fn cash(&mut self, asset: &str) -> (bitmax::Decimal, bitmax::Decimal) {
        let rows = self.get(&format!("/G/api/pro/v1/cash/balance?asset={asset}&showAll=true"), "balance");
        let row = crate::shape::row(&rows, "asset", asset);
        (crate::shape::money(&row["totalBalance"]), crate::shape::money(&row["availableBalance"]))
    }
}

/// `base` with the fields of `more` added or put in place of its own; null takes a field away.
pub(crate) fn with(mut base: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        let fields = base.as_object_mut().unwrap();
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
    base
}
