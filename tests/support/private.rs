//! The private calls as a table: how each is made, what is to arrive at the server and what is signed for it, and the
//! sample that answers it.

use base64::Engine;
use bitmax::model::{AccountCategory, AccountKind, OrderStatus, OrderType, Side, TransactionType, TransferMode};
use bitmax::{
    Account, BalanceQuery, CancelOrder, Client, ClientBuilder, ClientOrderId, Credentials, NewOrder, OrderHistoryQuery,
    OrderHistoryV1Query, RecentOrdersQuery, Respond, Result, SubuserTransfer, SubuserTransfersQuery, TimeInForce,
    WalletQuery,
};
use hmac::{KeyInit, Mac};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Recorded, Reply, Server, fixture};

/// The key that tests sign with, and its secret.
pub const KEY: &str = "CEcrjGyipqt0OflgdQQSRGdrDXdDUY2x";
pub const SECRET: &str = "hV8FgjyJtpvVeAcMAgzgAFQCN36wmbWuN7o3WPcYcYhFd8qvE43gzFGVsFcCqMNk";

/// The account group of [`info`]: not the sample's 0, so that one that was made up is seen.
pub const GROUP: u32 = 6;

/// One private call.
pub struct PrivateCall {
    /// The sample that answers it.
    pub fixture: &'static str,
    /// Where the answer stands in the sample; empty for the whole.
    pub part: &'static str,
    pub method: &'static str,
    pub path: &'static str,
    pub prehash: &'static str,
    pub query: &'static [(&'static str, &'static str)],
    pub body: fn() -> Value,
    /// Makes the call and writes what it returned.
    pub call: fn(&Client) -> Result<Value>,
}

/// Settings of a client of a server, with the tests' credentials and nothing sent but what is called.
pub fn with_credentials(server: &Server) -> ClientBuilder {
    server.builder().credentials(Credentials::new(KEY, SECRET).unwrap()).clock_correction(false)
}

/// Answers `info` with a sample of another group, and anything else with what the function says.
pub fn exchange(answer: impl Fn(&Recorded) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |request| match request.path.as_str() {
        "/api/pro/v1/info" => Reply::json(info()),
        _ => answer(request),
    })
}

/// The sample of `info`, with another account group.
pub fn info() -> String {
    fixture("account-info").replace(r#""accountGroup": 0"#, &format!(r#""accountGroup": {GROUP}"#))
}

/// Checks the headers of a signed request.
pub fn assert_signed(request: &Recorded, prehash: &str) {
    assert_eq!(request.header("x-auth-key"), Some(KEY));
    let timestamp = request.header("x-auth-timestamp").unwrap();
    let millis: u128 = timestamp.parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    assert!(now.abs_diff(millis) < 30_000, "{timestamp} is not now");
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{timestamp}+{prehash}").as_bytes());
    let signature = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    assert_eq!(request.header("x-auth-signature"), Some(signature.as_str()), "{timestamp}+{prehash}");
}

fn written<T: Serialize>(result: Result<T>) -> Result<Value> {
    result.map(|value| serde_json::to_value(value).unwrap())
}

fn cash(client: &Client) -> Result<Account> {
    client.account(AccountCategory::Cash)
}

fn margin(client: &Client) -> Result<Account> {
    client.account(AccountCategory::Margin)
}

fn none() -> Value {
    Value::Null
}

fn request_of(name: &str) -> Value {
    serde_json::from_str(&fixture(&format!("{name}.request"))).unwrap()
}

fn id(text: &str) -> ClientOrderId {
    text.parse().unwrap()
}

/// The order of the sample `place-accept.request`.
pub fn accept_order() -> bitmax::LimitOrder {
    let order = NewOrder::limit("BTC/USDT", Side::Sell, "0.00082", "7289.0").unwrap();
    order.respond(Respond::Accept).id(id("iGwzbzWxxcHwno4b8VCvh8aaYCJaPALm")).time(1_575_403_713_964)
}

/// The cancels of the sample `cancel-batch-ack`.
fn cancels() -> Vec<CancelOrder> {
    let cancel = |order_id: &str, symbol: &str, own| {
        CancelOrder::new(order_id, symbol).unwrap().id(id(own)).time(1_573_619_097_000)
    };
    vec![
        cancel("16e61d5ff43s8bXHbAwwoqDo9d817339", "BTC/USDT", "0a8bXHbAwwoqDo3b485d7ea0b09c2cd8"),
        cancel("16e61adeee5a8bXHbAwwoqDo100e364e", "ETH/USDT", "0a8bXHbAwwoqDo7d303e2edf6c26d1be"),
    ]
}

fn stop(stop: NewOrder) -> NewOrder {
    stop.id(id("x1")).time(7)
}

pub const PRIVATE: &[PrivateCall] = &[
    PrivateCall {
        fixture: "account-info",
        part: "/data",
        method: "GET",
        path: "/api/pro/v1/info",
        prehash: "info",
        query: &[],
        body: none,
        call: |client| written(client.info()),
    },
    PrivateCall {
        fixture: "fee-schedule",
        part: "/data",
        method: "GET",
        path: "/6/api/pro/v1/spot/fee/info",
        prehash: "fee",
        query: &[],
        body: none,
        call: |client| written(client.fees()),
    },
    PrivateCall {
        fixture: "fee-by-symbol",
        part: "/data",
        method: "GET",
        path: "/6/api/pro/v1/spot/fee",
        prehash: "fee",
        query: &[],
        body: none,
        call: |client| written(client.fees_by_symbol()),
    },
    PrivateCall {
        fixture: "balance-cash",
        part: "/data",
        method: "GET",
        path: "/6/api/pro/v1/cash/balance",
        prehash: "balance",
        query: &[],
        body: none,
        call: |client| written(cash(client)?.balances(&BalanceQuery::new())),
    },
    PrivateCall {
        fixture: "balance-margin",
        part: "/data",
        method: "GET",
        path: "/6/api/pro/v1/margin/balance",
        prehash: "balance",
        query: &[("asset", "USDT"), ("showAll", "true")],
        body: none,
        call: |client| written(margin(client)?.balances(&BalanceQuery::new().asset("USDT".parse()?).show_all())),
    },
    PrivateCall {
        fixture: "balance-cash",
        part: "/data/1",
        method: "GET",
        path: "/6/api/pro/v1/cash/balance",
        prehash: "balance",
        query: &[("asset", "BTC")],
        body: none,
        call: |client| written(cash(client)?.balance("BTC")),
    },
    PrivateCall {
        fixture: "margin-risk",
        part: "/data",
        method: "GET",
        path: "/6/api/pro/v1/margin/risk",
        prehash: "margin/risk",
        query: &[],
        body: none,
        call: |client| written(margin(client)?.risk()),
    },
    PrivateCall {
        fixture: "transfer",
        part: "/data",
        method: "POST",
        path: "/6/api/pro/v1/transfer",
        prehash: "transfer",
        query: &[],
        body: || request_of("transfer"),
        call: |client| written(client.transfer("11.0", "USDT", AccountCategory::Cash, AccountKind::Margin)),
    },
    PrivateCall {
        fixture: "subuser-transfer",
        part: "/info",
        method: "POST",
        path: "/6/api/pro/v2/subuser/subuser-transfer",
        prehash: "subuser-transfer",
        query: &[],
        body: || request_of("subuser-transfer"),
        call: |client| {
            let parent = ("parent-account-userId", AccountKind::Cash);
            let transfer = SubuserTransfer::new(40, "USDT", parent, ("sub-account-userId", AccountKind::Cash))?;
            written(client.subuser_transfer(&transfer.mode(TransferMode::Ack)))
        },
    },
    PrivateCall {
        fixture: "subuser-transfer",
        part: "/info",
        method: "POST",
        path: "/6/api/pro/v2/subuser/subuser-transfer",
        prehash: "subuser-transfer",
        query: &[],
        body: || {
            json!({"userFrom": "parentUser", "userTo": "sub1", "acFrom": "cash", "acTo": "futures", "asset": "BTC",
                "amount": "0.10"})
        },
        call: |client| {
            let parent = ("parentUser", AccountKind::Cash);
            written(client.subuser_transfer(&SubuserTransfer::new(
                "0.10",
                "BTC",
                parent,
                ("sub1", AccountKind::Futures),
            )?))
        },
    },
    PrivateCall {
        fixture: "subuser-transfer-history",
        part: "/data",
        method: "POST",
        path: "/6/api/pro/v2/subuser/subuser-transfer-hist",
        prehash: "subuser-transfer-hist",
        query: &[],
        body: || request_of("subuser-transfer-history"),
        call: |client| written(client.subuser_transfers(&SubuserTransfersQuery::new())),
    },
    PrivateCall {
        fixture: "subuser-transfer-history",
        part: "/data",
        method: "POST",
        path: "/6/api/pro/v2/subuser/subuser-transfer-hist",
        prehash: "subuser-transfer-hist",
        query: &[],
        body: || json!({"subUserId": "u1", "asset": "USDT", "startTime": 5, "endTime": 6, "page": 2, "pageSize": 3}),
        call: |client| {
            let query = SubuserTransfersQuery::new().sub_user("u1").asset("USDT".parse()?).start_time(5).end_time(6);
            written(client.subuser_transfers(&query.page(2).page_size(3)))
        },
    },
    PrivateCall {
        fixture: "balance-snapshot",
        part: "",
        method: "GET",
        path: "/api/pro/data/v1/cash/balance/snapshot",
        prehash: "data/v1/cash/balance/snapshot",
        query: &[("date", "2021-03-31")],
        body: none,
        call: |client| written(cash(client)?.balance_snapshot("2021-03-31")),
    },
    PrivateCall {
        fixture: "balance-history",
        part: "",
        method: "GET",
        path: "/api/pro/data/v1/margin/balance/history",
        prehash: "data/v1/margin/balance/history",
        query: &[("sn", "10870097598"), ("limit", "500")],
        body: none,
        call: |client| written(margin(client)?.balance_history(10_870_097_598, Some(500))),
    },
    PrivateCall {
        fixture: "deposit-addresses",
        part: "/data",
        method: "GET",
        path: "/api/pro/v1/wallet/deposit/address",
        prehash: "wallet/deposit/address",
        query: &[("asset", "USDT")],
        body: none,
        call: |client| written(client.wallet().deposit_addresses("USDT", None)),
    },
    PrivateCall {
        fixture: "deposit-addresses",
        part: "/data",
        method: "GET",
        path: "/api/pro/v1/wallet/deposit/address",
        prehash: "wallet/deposit/address",
        query: &[("asset", "BCHA"), ("blockchain", "Bitcoin Cash ABC")],
        body: none,
        call: |client| written(client.wallet().deposit_addresses("BCHA", Some("Bitcoin Cash ABC"))),
    },
    PrivateCall {
        fixture: "wallet-transactions",
        part: "/data",
        method: "GET",
        path: "/api/pro/v1/wallet/transactions",
        prehash: "wallet/transactions",
        query: &[],
        body: none,
        call: |client| written(client.wallet().transactions(&WalletQuery::new())),
    },
    PrivateCall {
        fixture: "wallet-transactions",
        part: "/data",
        method: "GET",
        path: "/api/pro/v1/wallet/transactions",
        prehash: "wallet/transactions",
        query: &[("asset", "USDT"), ("txType", "withdrawal"), ("page", "1"), ("pageSize", "2")],
        body: none,
        call: |client| {
            let query =
                WalletQuery::new().asset("USDT".parse()?).tx_type(TransactionType::Withdrawal).page(1).page_size(2);
            written(client.wallet().transactions(&query))
        },
    },
    PrivateCall {
        fixture: "place-accept",
        part: "/data",
        method: "POST",
        path: "/6/api/pro/v1/cash/order",
        prehash: "order",
        query: &[],
        body: || request_of("place-accept"),
        call: |client| written(cash(client)?.place(&accept_order())),
    },
    PrivateCall {
        fixture: "place-done",
        part: "/data",
        method: "POST",
        path: "/6/api/pro/v1/cash/order",
        prehash: "order",
        query: &[],
        body: || request_of("place-done"),
        call: |client| {
            let order = NewOrder::market("BTC/USDT", Side::Buy, "0.00082")?.respond(Respond::Done);
            written(cash(client)?.place(&order.id(id("UHTe3uVB0KhNGatoRS10YgABwHW0fCYn")).time(1_575_348_906_131)))
        },
    },
    PrivateCall {
        fixture: "place-ack",
        part: "/data",
        method: "POST",
        path: "/6/api/pro/v1/margin/order",
        prehash: "order",
        query: &[],
        body: || {
            json!({"id": "x1", "time": 7, "symbol": "BTC/USDT", "orderPrice": "7.10", "orderQty": "1", "orderType": "limit",
                "side": "buy", "postOnly": true, "timeInForce": "GTC", "respInst": "ACK"})
        },
        call: |client| {
            let order = NewOrder::limit("BTC/USDT", Side::Buy, 1, "7.10")?.post_only().time_in_force(TimeInForce::Gtc);
            written(margin(client)?.place(&order.respond(Respond::Ack).id(id("x1")).time(7)))
        },
    },
    PrivateCall {
        fixture: "place-ack",
        part: "/data",
        method: "POST",
        path: "/6/api/pro/v1/cash/order",
        prehash: "order",
        query: &[],
        body: || {
            json!({"id": "x1", "time": 7, "symbol": "BTC/USDT", "orderPrice": "7.1", "stopPrice": "7.2", "orderQty": "1",
                "orderType": "stop_limit", "side": "sell"})
        },
        call: |client| {
            written(cash(client)?.place(&stop(NewOrder::stop_limit("BTC/USDT", Side::Sell, "1", "7.1", "7.2")?)))
        },
    },
    PrivateCall {
        fixture: "place-ack",
        part: "/data",
        method: "POST",
        path: "/6/api/pro/v1/cash/order",
        prehash: "order",
        query: &[],
        body: || {
            json!({"id": "x1", "time": 7, "symbol": "BTC/USDT", "stopPrice": "7.2", "orderQty": "1",
                "orderType": "stop_market", "side": "buy"})
        },
        call: |client| written(cash(client)?.place(&stop(NewOrder::stop_market("BTC/USDT", Side::Buy, "1", "7.2")?))),
    },
    PrivateCall {
        fixture: "cancel-ack",
        part: "/data",
        method: "DELETE",
        path: "/6/api/pro/v1/cash/order",
        prehash: "order",
        query: &[],
        body: || {
            json!({"id": "wv8QGquoeamhssvQBeHOHGQCGlcBjj23", "orderId": "16e6198afb4s8bXHbAwwoqDo2ebc19dc",
                "symbol": "ETH/USDT", "time": 1_573_594_877_000u64})
        },
        call: |client| {
            let cancel = CancelOrder::new("16e6198afb4s8bXHbAwwoqDo2ebc19dc", "ETH/USDT")?;
            written(cash(client)?.cancel(&cancel.id(id("wv8QGquoeamhssvQBeHOHGQCGlcBjj23")).time(1_573_594_877_000)))
        },
    },
    PrivateCall {
        fixture: "cancel-all-ack",
        part: "/data",
        method: "DELETE",
        path: "/6/api/pro/v1/cash/order/all",
        prehash: "order/all",
        query: &[],
        body: || json!({}),
        call: |client| written(cash(client)?.cancel_all(None)),
    },
    PrivateCall {
        fixture: "cancel-all-ack",
        part: "/data",
        method: "DELETE",
        path: "/6/api/pro/v1/margin/order/all",
        prehash: "order/all",
        query: &[],
        body: || json!({"symbol": "BTC/USDT"}),
        call: |client| written(margin(client)?.cancel_all(Some("BTC/USDT".parse()?))),
    },
    PrivateCall {
        fixture: "place-batch-ack",
        part: "/data",
        method: "POST",
        path: "/6/api/pro/v1/cash/order/batch",
        prehash: "order/batch",
        query: &[],
        body: || request_of("place-batch"),
        call: |client| {
            let order = |own, quantity, price| {
                let order = NewOrder::limit("BTC/USDT", Side::Buy, quantity, price).unwrap();
                order.id(id(own)).time(1_573_596_819_085)
            };
            let orders = [order("sampleRequestId1", "0.1", 34_000), order("sampleRequestId2", "0.2", 35_000)];
            written(cash(client)?.place_batch(&orders))
        },
    },
    PrivateCall {
        fixture: "cancel-batch-ack",
        part: "/data",
        method: "DELETE",
        path: "/6/api/pro/v1/cash/order/batch",
        prehash: "order/batch",
        query: &[],
        body: || {
            json!({"orders": [
                {"id": "0a8bXHbAwwoqDo3b485d7ea0b09c2cd8", "orderId": "16e61d5ff43s8bXHbAwwoqDo9d817339",
                    "symbol": "BTC/USDT", "time": 1_573_619_097_000u64},
                {"id": "0a8bXHbAwwoqDo7d303e2edf6c26d1be", "orderId": "16e61adeee5a8bXHbAwwoqDo100e364e",
                    "symbol": "ETH/USDT", "time": 1_573_619_097_000u64},
            ]})
        },
        call: |client| written(cash(client)?.cancel_batch(&cancels())),
    },
    PrivateCall {
        fixture: "order-status",
        part: "/data",
        method: "GET",
        path: "/6/api/pro/v1/cash/order/status",
        prehash: "order/status",
        query: &[("orderId", "a16eee206d610866943712rPNknIyhH,a16eee20b6750866943712zWEDdAjt3,")],
        body: none,
        call: |client| {
            written(cash(client)?.orders(["a16eee206d610866943712rPNknIyhH", "a16eee20b6750866943712zWEDdAjt3"]))
        },
    },
    PrivateCall {
        fixture: "order-status",
        part: "/data/0",
        method: "GET",
        path: "/6/api/pro/v1/margin/order/status",
        prehash: "order/status",
        query: &[("orderId", "a16eee206d610866943712rPNknIyhH")],
        body: none,
        call: |client| written(margin(client)?.order("a16eee206d610866943712rPNknIyhH")),
    },
    PrivateCall {
        fixture: "open-orders",
        part: "/data",
        method: "GET",
        path: "/6/api/pro/v1/cash/order/open",
        prehash: "order/open",
        query: &[],
        body: none,
        call: |client| written(cash(client)?.open_orders(None)),
    },
    PrivateCall {
        fixture: "open-orders",
        part: "/data",
        method: "GET",
        path: "/6/api/pro/v1/margin/order/open",
        prehash: "order/open",
        query: &[("symbol", "BTC/USDT")],
        body: none,
        call: |client| written(margin(client)?.open_orders(Some("BTC/USDT".parse()?))),
    },
    PrivateCall {
        fixture: "order-history-current",
        part: "/data",
        method: "GET",
        path: "/6/api/pro/v1/cash/order/hist/current",
        prehash: "order/hist/current",
        query: &[],
        body: none,
        call: |client| written(cash(client)?.recent_orders(&RecentOrdersQuery::new())),
    },
    PrivateCall {
        fixture: "order-history-current",
        part: "/data",
        method: "GET",
        path: "/6/api/pro/v1/cash/order/hist/current",
        prehash: "order/hist/current",
        query: &[("n", "100"), ("symbol", "BTC/USDT"), ("executedOnly", "true")],
        body: none,
        call: |client| {
            let query = RecentOrdersQuery::new().n(100).symbol("BTC/USDT".parse()?).executed_only();
            written(cash(client)?.recent_orders(&query))
        },
    },
    PrivateCall {
        fixture: "order-history-v2",
        part: "/data",
        method: "GET",
        path: "/api/pro/data/v2/order/hist",
        prehash: "data/v2/order/hist",
        query: &[("account", "margin")],
        body: none,
        call: |client| written(margin(client)?.order_history(&OrderHistoryQuery::new())),
    },
    PrivateCall {
        fixture: "order-history-v2",
        part: "/data",
        method: "GET",
        path: "/api/pro/data/v2/order/hist",
        prehash: "data/v2/order/hist",
        query: &[
            ("account", "cshwSjbpPjSwHmxPdz2CPQVU9mnbzPpt"),
            ("symbol", "BTC/USDT"),
            ("startTime", "5"),
            ("endTime", "6"),
            ("seqNum", "144115188077966308"),
            ("limit", "1000"),
        ],
        body: none,
        call: |client| {
            let query =
                OrderHistoryQuery::new().account("cshwSjbpPjSwHmxPdz2CPQVU9mnbzPpt").symbol("BTC/USDT".parse()?);
            let query = query.start_time(5).end_time(6).seq_num(144_115_188_077_966_308).limit(1000);
            written(cash(client)?.order_history(&query))
        },
    },
    PrivateCall {
        fixture: "order-history-v1",
        part: "/data",
        method: "GET",
        path: "/6/api/pro/v1/order/hist",
        prehash: "order/hist",
        query: &[("category", "cash")],
        body: none,
        call: |client| written(cash(client)?.order_history_v1(&OrderHistoryV1Query::new())),
    },
    PrivateCall {
        fixture: "order-history-v1",
        part: "/data",
        method: "GET",
        path: "/6/api/pro/v1/order/hist",
        prehash: "order/hist",
        query: &[
            ("symbol", "BTC-PERP"),
            ("category", "futures"),
            ("orderType", "stop_limit"),
            ("side", "sell"),
            ("status", "Canceled"),
            ("startTime", "5"),
            ("endTime", "6"),
            ("page", "2"),
            ("pageSize", "50"),
        ],
        body: none,
        call: |client| {
            let query = OrderHistoryV1Query::new()
                .symbol("BTC-PERP".parse()?)
                .category(AccountKind::Futures)
                .order_type(OrderType::StopLimit)
                .side(Side::Sell)
                .status(OrderStatus::Canceled)
                .start_time(5)
                .end_time(6)
                .page(2)
                .page_size(50);
            written(cash(client)?.order_history_v1(&query))
        },
    },
];

/// Bodies for calls that read their sample from a part of it alone.
pub fn answer_of(call: &PrivateCall) -> String {
    let sample = fixture(call.fixture);
    match call.part {
        "/data/0" => {
            let mut body: Value = serde_json::from_str(&sample).unwrap();
            body["data"] = body["data"][0].take();
            body.to_string()
        }
        _ => sample,
    }
}
