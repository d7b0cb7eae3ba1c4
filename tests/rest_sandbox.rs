//! Private calls against the embedded exchange, which has a codec of its own: what one writes the other reads.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::time::{SystemTime, UNIX_EPOCH};

use bitmax::model::{AccountCategory, AccountKind, OrderStatus, Outcome, Side, TransactionType};
use bitmax::sandbox::{Sandbox, SandboxError, Speed};
use bitmax::{
    Account, Authentication, BalanceQuery, CancelOrder, Client, ClientOrderId, Code, Credentials, Decimal, Error,
    NewOrder, OrderHistoryQuery, OrderSource, RecentOrdersQuery, Respond, WalletQuery, order_id,
};

fn start() -> (Sandbox, Client) {
    let sandbox = Sandbox::start().unwrap();
    let client = Client::builder(sandbox.endpoint()).credentials(sandbox.credentials()).build().unwrap();
    (sandbox, client)
}

fn code(error: Error) -> Code {
    match error {
        Error::Refused(refusal) => refusal.code,
        other => panic!("{other:?}"),
    }
}

/// An order that rests far from the market.
fn resting() -> NewOrder {
    NewOrder::limit("BTC/USDT", Side::Buy, "0.001", 10_000).unwrap().post_only().respond(Respond::Accept).into()
}

#[test]
fn the_account_its_fees_and_its_balances_are_read() {
    let (_sandbox, client) = start();
    let info = client.info().unwrap();
    let cash = client.account(AccountCategory::Cash).unwrap();
    assert_eq!((cash.group(), cash.uid()), (info.account_group, info.user_uid.as_str()));
    assert!(client.fees().unwrap().generic_fee.large_cap.taker > Decimal::ZERO);
    let by_symbol = client.fees_by_symbol().unwrap();
    assert!(by_symbol.product_fee.len() > 1 && by_symbol.product_fee.unreadable().is_empty());

    let margin = client.account(AccountCategory::Margin).unwrap();
    let usdt = |account: &Account| account.balance("USDT").unwrap().unwrap();
    let (before, borrowed) = (usdt(&cash).total_balance, usdt(&margin).borrowed.unwrap());
    assert!(borrowed > Decimal::ZERO && margin.risk().unwrap().total_borrowed_in_usdt >= borrowed);
    client.transfer("10.5", "USDT", AccountCategory::Cash, AccountKind::Margin).unwrap();
    assert_eq!(before - usdt(&cash).total_balance, Decimal::new(105, 1));
    let all = cash.balances(&BalanceQuery::new().show_all()).unwrap();
    assert!(all.len() > cash.balances(&BalanceQuery::new()).unwrap().len());

    assert!(!client.wallet().deposit_addresses("USDT", None).unwrap().address.is_empty());
    let deposits = client.wallet().transactions(&WalletQuery::new().tx_type(TransactionType::Deposit)).unwrap();
    assert!(!deposits.data.is_empty() && deposits.data.unreadable().is_empty());
}

#[test]
fn orders_are_placed_found_and_cancelled() {
    let (_sandbox, client) = start();
    let cash = client.account(AccountCategory::Cash).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap();
    let own = ClientOrderId::random().unwrap();
    let answer = cash.place(&resting().id(own).time(now)).unwrap();
    assert!(matches!(&answer.info, Outcome::Accept(order) if order.status == OrderStatus::New));
    // The id was known beforehand.
    let id = answer.info.order_id().unwrap();
    assert_eq!(order_id(OrderSource::Rest, now, cash.uid(), own.as_str()), Some(id));

    let unknown = "a16eee206d6U9490877774pPK3zuGG00";
    assert_eq!(cash.order(id).unwrap().unwrap().order_id, id);
    assert_eq!(cash.order(unknown).unwrap(), None);
    assert_eq!(cash.orders([id.as_str(), unknown]).unwrap().len(), 1);
    let open = cash.open_orders(Some("BTC/USDT".parse().unwrap())).unwrap();
    assert_eq!((open.len(), open[0].order_id), (1, id));
    assert_eq!(code(cash.place(&resting().id(own).time(now)).unwrap_err()), Code::new(0));

    let canceled = cash.cancel(&CancelOrder::from(&open[0])).unwrap().unwrap();
    assert_eq!(canceled.info.order_id(), Some(id));
    assert_eq!(cash.order(id).unwrap().unwrap().status, OrderStatus::Canceled);
    assert!(cash.cancel(&CancelOrder::from(&open[0])).is_err());

    let batch = cash.place_batch(&[resting(), resting()]).unwrap();
    let cancels: Vec<CancelOrder> =
        batch.info.iter().map(|one| CancelOrder::new(one.order_id().unwrap(), "BTC/USDT").unwrap()).collect();
    assert_eq!(cash.cancel_batch(&cancels).unwrap().unwrap().info.len(), 2);
    cash.place(&resting()).unwrap();
    cash.cancel_all(None).unwrap();
    assert!(cash.open_orders(None).unwrap().is_empty());
}

#[test]
fn what_has_traded_is_in_the_histories() {
    let (_sandbox, client) = start();
    let cash = client.account(AccountCategory::Cash).unwrap();
    let mut ids = Vec::new();
    for side in [Side::Buy, Side::Sell, Side::Buy] {
        let order = NewOrder::market("BTC/USDT", side, "0.001").unwrap().respond(Respond::Done);
        let done = cash.place(&order).unwrap().info;
        assert!(matches!(&done, Outcome::Done(order) if order.status == OrderStatus::Filled), "{done:?}");
        ids.push(done.order_id().unwrap());
    }
    assert_eq!(cash.recent_orders(&RecentOrdersQuery::new().executed_only()).unwrap().len(), 3);
    let paged = cash.order_history_iter(&OrderHistoryQuery::new().limit(2)).unwrap();
    let told: Vec<_> = paged.map(|order| order.unwrap().order_id).collect();
    assert_eq!(told, ids);
    let changes = cash.balance_history(0, Some(500)).unwrap();
    let traded: Vec<_> = changes.order.iter().map(|change| change.order_id).collect();
    assert!(ids.iter().all(|id| traded.contains(id)) && changes.order.unreadable().is_empty());
}

#[test]
fn rules_refuse_what_the_exchange_would() {
    let (_sandbox, client) = start();
    let cash = client.account(AccountCategory::Cash).unwrap();
    let product = client.market().products(AccountCategory::Cash).unwrap()[0].clone();
    let off_tick = product.tick_size * Decimal::from(1000) + product.tick_size / Decimal::TWO;
    let order = NewOrder::limit(product.symbol, Side::Buy, product.max_qty, off_tick).unwrap();
    let stream = client.stream().authenticate(Authentication::Header).connect().unwrap();
    let over_stream = || stream.place(AccountCategory::Cash, &order).unwrap_err();
    assert_eq!(code(cash.place(&order).unwrap_err()), Code::TICK_SIZE_VIOLATION);
    assert_eq!(code(over_stream()), Code::TICK_SIZE_VIOLATION);
    let rules = cash.load_rules().unwrap();
    assert_eq!(cash.place(&order).unwrap_err().kind(), "invalid-input");
    assert_eq!(over_stream().kind(), "invalid-input");
    let order = NewOrder::limit("BTC/USDT", Side::Sell, "0.0012345678", "90000.123456789").unwrap();
    let fitted = rules.fit(&order).unwrap();
    assert!(!fitted.changes.is_empty());
    cash.place(&fitted.order).unwrap();
}

#[test]
fn a_wrong_secret_is_refused() {
    let sandbox = Sandbox::start().unwrap();
    let credentials = Credentials::new(sandbox.api_key(), "wrong").unwrap();
    let client = Client::builder(sandbox.endpoint()).credentials(credentials).build().unwrap();
    assert_eq!(code(client.account(AccountCategory::Cash).unwrap_err()), Code::AUTHENTICATION_FAILED);
}

#[test]
fn time_can_go_faster() {
    let sandbox = Sandbox::builder().speed(Speed::Times(20.0)).start().unwrap();
    let began = sandbox.now();
    let client = Client::builder(sandbox.endpoint()).credentials(sandbox.credentials()).build().unwrap();
    let account = client.account(AccountCategory::Cash).unwrap();
    while sandbox.now() < began + 60_000 {
        std::thread::yield_now();
    }
    // A client whose clock cannot keep up is served all the same.
    account.place(&NewOrder::limit("BTC/USDT", Side::Buy, "0.001", "10000").unwrap()).unwrap();
    let trades = client.market().trades("BTC/USDT", None).unwrap();
    assert!(trades.trades.last().unwrap().ts > began + 30_000);
    let max = Sandbox::builder().speed(Speed::Max).start().unwrap_err();
    assert!(matches!(max, SandboxError::InvalidSetting { field: "speed", .. }));
}
