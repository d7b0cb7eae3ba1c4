//! The table *Balances and transfers*: balances with holds and fees, transfers, and the two calls of the ledger.

use std::collections::BTreeMap;
use std::time::Duration;

use bitmax::Decimal;
use bitmax::model::AccountCategory;
use bitmax::sandbox::{Commission, OrderRequest, ProductOptions, Sandbox, UserOptions};
use serde_json::{Value, json};

use crate::caller::{Caller, START, SYMBOL, still, with};
use crate::orders::traders;
use crate::shape::{
    assert_refusal, assert_shape, assert_shape_without, assert_sound, dec, list, money, row, sample, texts,
};

const TRANSFER: &str = "/G/api/pro/v1/transfer";
const SUB_TRANSFER: &str = "/G/api/pro/v2/subuser/subuser-transfer";
const SUB_HISTORY: &str = "/G/api/pro/v2/subuser/subuser-transfer-hist";

// --- Balances ---

#[test]
fn cash_and_margin_balances() {
    let sandbox = still();
    let mut caller = Caller::first(&sandbox);
    for (category, name) in [("cash", "rest/balance-cash"), ("margin", "rest/balance-margin")] {
        let path = format!("/G/api/pro/v1/{category}/balance");
        let answer = caller.whole("GET", &path, "balance", None);
        assert_shape(&answer, &sample(name));
        assert!(list(&answer["data"]).iter().all(|row| money(&row["totalBalance"]) > Decimal::ZERO), "{answer}");
        let all = caller.get(&format!("{path}?showAll=true"), "balance");
        assert!(
            list(&all).len() > list(&answer["data"]).len()
                && list(&all).iter().any(|r| money(&r["totalBalance"]) == Decimal::ZERO)
        );
        assert_eq!(caller.get(&format!("{path}?showAll=false"), "balance"), answer["data"]);
        assert_eq!(texts(&caller.get(&format!("{path}?asset=BTC"), "balance"), "asset"), ["BTC"]);
        caller.refused("GET", &format!("{path}?asset=NONE"), "balance", None);
    }
}

#[test]
fn open_orders_hold_balance_until_they_end() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let buy = trader.limit("buy", "2", "100");
    let buy = trader.place_id(&buy);
    assert_eq!(trader.cash("USDT"), (dec("100000"), dec("99799.8")));
    let sell = trader.limit("sell", "3", "110");
    trader.place(&sell);
    assert_eq!(trader.cash("ABC"), (dec("1000"), dec("997")));
    trader.cancel(&buy);
    assert_eq!(trader.cash("USDT"), (dec("100000"), dec("100000")));
}

#[test]
fn fills_move_balances_and_fees_by_the_commission_type() {
    for (commission, buyer, seller, fee_assets) in [
        (Commission::Quote, ("-200.4", "2"), ("199.8", "-2"), ["USDT", "USDT"]),
        (Commission::Base, ("-200", "1.996"), ("200", "-2.002"), ["FEE", "FEE"]),
        (Commission::Received, ("-200", "1.996"), ("199.8", "-2"), ["FEE", "USDT"]),
    ] {
        let sandbox = still();
        let product = ProductOptions::new("FEE/USDT").commission(commission).fees("0.001", "0.002");
        sandbox.add_product(&product).unwrap();
        let funds = [("USDT", "1000"), ("FEE", "10")];
        let mut taker = Caller::with_cash(&sandbox, &funds);
        let mut maker = Caller::with_cash(&sandbox, &funds);
        let sell = with(maker.limit("sell", "2", "100"), json!({"symbol": "FEE/USDT"}));
        let buy = with(taker.limit("buy", "2", "100"), json!({"symbol": "FEE/USDT", "respInst": "DONE"}));
        let sold = maker.place_id(&sell);
        let bought = taker.place(&buy)["info"].take();

        for (caller, change) in [(&mut taker, buyer), (&mut maker, seller)] {
            let expected = [dec("1000") + dec(change.0), dec("10") + dec(change.1)];
            let told = [caller.cash("USDT"), caller.cash("FEE")];
            assert_eq!(told.map(|(total, _)| total), expected, "{commission:?}");
            assert_eq!(told.map(|(_, available)| available), expected, "{commission:?}: nothing is held any more");
        }
        let sold = maker.status(&sold);
        assert_eq!([&bought["feeAsset"], &sold["feeAsset"]], fee_assets.each_ref().map(|a| json!(a)).each_ref());
        let charged = [money(&bought["cumFee"]), money(&sold["cumFee"])];
        let expected = match commission {
            Commission::Quote => ["0.4", "0.2"],
            Commission::Base => ["0.004", "0.002"],
            Commission::Received => ["0.004", "0.2"],
            other => panic!("{other:?}"),
        };
        assert_eq!(charged, expected.map(dec), "{commission:?}");
    }
}

#[test]
fn the_fee_that_is_charged_is_the_one_that_the_fee_call_tells() {
    let sandbox = still();
    let maker = Caller::with_cash(&sandbox, &[("ABC", "10")]);
    maker.user.place(&OrderRequest::sell(SYMBOL, 3).limit("100")).unwrap();
    let mut trader = Caller::of(&sandbox, sandbox.add_user(UserOptions::new().vip(3, 50)));
    trader.user.fund(AccountCategory::Cash, "USDT", 1000).unwrap();
    let fees = trader.get("/G/api/pro/v1/spot/fee", "fee");
    let taker = money(&row(&fees["productFee"], "symbol", SYMBOL)["fee"]["taker"]);
    let order = with(trader.limit("buy", "3", "100"), json!({"respInst": "DONE"}));
    let info = trader.place(&order)["info"].take();
    assert_eq!(money(&info["cumFee"]), dec("300") * taker);
    assert_eq!(trader.cash("USDT").0, dec("700") - dec("300") * taker);
}

#[test]
fn a_margin_order_moves_the_margin_account() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    trader.user.fund(AccountCategory::Margin, "USDT", 1000).unwrap();
    maker.user.place(&OrderRequest::sell(SYMBOL, 1).limit("100")).unwrap();
    let order = with(trader.limit("buy", "1", "100"), json!({"respInst": "DONE"}));
    let done = trader.data("POST", "/G/api/pro/v1/margin/order", "order", Some(&order));
    assert_eq!((&done["ac"], &done["info"]["status"]), (&json!("MARGIN"), &json!("Filled")));
    assert_eq!((margin(&mut trader, "USDT"), margin(&mut trader, "ABC")), (dec("899.9"), dec("1")));
    assert_eq!((trader.cash("USDT").0, trader.cash("ABC").0), (dec("100000"), dec("1000")), "cash is apart");
}

#[test]
fn a_better_price_frees_what_was_held_for_the_worse() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    maker.user.place(&OrderRequest::sell(SYMBOL, 1).limit("90")).unwrap();
    let order = trader.limit("buy", "2", "100");
    trader.place(&order);
    // One bought at 90 with a fee of 0.09, one held for at 100 with a reserve of 0.1.
    assert_eq!(trader.cash("USDT"), (dec("99909.91"), dec("99809.81")));
}

#[test]
fn margin_risk() {
    let sandbox = still();
    let mut caller = Caller::with_cash(&sandbox, &[]);
    caller.user.fund(AccountCategory::Margin, "USDT", 1000).unwrap();
    caller.user.set_loan("USDT", 300, 2).unwrap();
    let answer = caller.whole("GET", "/G/api/pro/v1/margin/risk", "margin/risk", None);
    assert_shape(&answer, &sample("rest/margin-risk"));
    for (field, value) in [
        ("totalBalanceInUSDT", "1000"),
        ("availableBalanceInUSDT", "1000"),
        ("totalBorrowedInUSDT", "300"),
        ("totalInterestInUSDT", "2"),
        ("netBalanceInUSDT", "698"),
    ] {
        assert_eq!(money(&answer["data"][field]), dec(value), "{field}");
    }
    let balances = caller.get("/G/api/pro/v1/margin/balance", "balance");
    let usdt = row(&balances, "asset", "USDT");
    assert_eq!((money(&usdt["borrowed"]), money(&usdt["interest"])), (dec("300"), dec("2")));
}

// --- Transfers ---

fn margin(caller: &mut Caller, asset: &str) -> Decimal {
    let rows = caller.get(&format!("/G/api/pro/v1/margin/balance?asset={asset}&showAll=true"), "balance");
    money(&row(&rows, "asset", asset)["totalBalance"])
}

#[test]
fn a_transfer_between_own_accounts_answers_without_data() {
    let sandbox = still();
    let mut caller = Caller::with_cash(&sandbox, &[("USDT", "100")]);
    let answer = caller.whole("POST", TRANSFER, "transfer", Some(&sample("rest/transfer.request")));
    assert_eq!(answer, sample("rest/transfer"));
    assert_eq!((caller.cash("USDT").0, margin(&mut caller, "USDT")), (dec("89"), dec("11")));
    let back = json!({"amount": "1.5", "asset": "USDT", "fromAccount": "margin", "toAccount": "cash"});
    caller.whole("POST", TRANSFER, "transfer", Some(&back));
    assert_eq!((caller.cash("USDT").0, margin(&mut caller, "USDT")), (dec("90.5"), dec("9.5")));
}

#[test]
fn a_transfer_that_cannot_be_is_refused() {
    let sandbox = still();
    let mut caller = Caller::with_cash(&sandbox, &[("USDT", "100")]);
    caller.user.place(&OrderRequest::buy(SYMBOL, "0.5").limit("100")).unwrap();
    let good = json!({"amount": "10", "asset": "USDT", "fromAccount": "cash", "toAccount": "margin"});
    for fields in [
        json!({"amount": "101"}),
        json!({"amount": "60"}), // 50.05 are held
        json!({"amount": "0"}),
        json!({"amount": "-1"}),
        json!({"amount": "ten"}),
        json!({"amount": null}),
        json!({"asset": "NONE"}),
        json!({"asset": null}),
        json!({"fromAccount": "savings"}),
        json!({"fromAccount": null}),
        json!({"toAccount": null}),
    ] {
        caller.refused("POST", TRANSFER, "transfer", Some(&with(good.clone(), fields)));
    }
    assert_eq!(caller.cash("USDT").0, dec("100"));
}

#[test]
fn a_transfer_between_sub_accounts_echoes_the_request_in_info() {
    let sandbox = still();
    let parent = sandbox.add_user(UserOptions::new().name("parent"));
    let sub = sandbox.add_user(UserOptions::new().name("sub-one").sub_user_of(&parent));
    parent.fund(AccountCategory::Cash, "USDT", 100).unwrap();
    let (mut parent, mut sub) = (Caller::of(&sandbox, parent), Caller::of(&sandbox, sub));
    let transfer = |from: &str, to: &str, amount: &str, ac_from: &str, ac_to: &str| {
        json!({"userFrom": from, "userTo": to, "acFrom": ac_from, "acTo": ac_to, "asset": "USDT", "amount": amount,
            "mode": "ack"})
    };
    let uids = [parent.user.uid(), sub.user.uid()];
    for (body, parents, subs) in [
        (transfer(&uids[0], &uids[1], "40", "cash", "cash"), "60", "40"),
        (transfer("parentUser", "sub-one", "10", "cash", "cash"), "50", "50"),
        (with(transfer("parentUser", &uids[1], "5", "cash", "cash"), json!({"mode": "accept"})), "45", "55"),
        (with(transfer("sub-one", "parentUser", "15", "cash", "cash"), json!({"mode": null})), "60", "40"),
    ] {
        let answer = parent.whole("POST", SUB_TRANSFER, "subuser-transfer", Some(&body));
        assert_shape(&answer, &sample("rest/subuser-transfer"));
        assert!(answer.get("data").is_none(), "{answer}");
        for field in ["userFrom", "userTo", "acFrom", "acTo", "asset"] {
            assert_eq!(answer["info"][field], body[field], "{answer}");
        }
        assert_eq!(money(&answer["info"]["amount"]), money(&body["amount"]));
        assert_eq!((parent.cash("USDT").0, sub.cash("USDT").0), (dec(parents), dec(subs)));
    }
    let to_margin = transfer("parentUser", "sub-one", "1", "cash", "margin");
    parent.whole("POST", SUB_TRANSFER, "subuser-transfer", Some(&to_margin));
    assert_eq!(margin(&mut sub, "USDT"), dec("1"));
}

#[test]
fn only_the_parent_may_move_amounts_between_sub_accounts() {
    let sandbox = still();
    let parent = sandbox.add_user(UserOptions::new().name("parent"));
    let sub = sandbox.add_user(UserOptions::new().name("sub-one").sub_user_of(&parent));
    let stranger = sandbox.add_user(UserOptions::new().name("stranger"));
    for user in [&parent, &sub, &stranger] {
        user.fund(AccountCategory::Cash, "USDT", 100).unwrap();
    }
    let transfer = |from: &str, to: &str, amount: &str| json!({"userFrom": from, "userTo": to, "acFrom": "cash", "acTo": "cash", "asset": "USDT", "amount": amount});
    let (mut parent, mut sub) = (Caller::of(&sandbox, parent), Caller::of(&sandbox, sub));
    sub.refused("POST", SUB_TRANSFER, "subuser-transfer", Some(&transfer("sub-one", "parentUser", "1")));
    sub.refused("POST", SUB_HISTORY, "subuser-transfer-hist", Some(&sample("rest/subuser-transfer-history.request")));
    for body in [
        transfer("stranger", "parentUser", "1"),
        transfer("parentUser", "nobody", "1"),
        transfer("parentUser", "sub-one", "101"),
        transfer("parentUser", "sub-one", "-1"),
        with(transfer("parentUser", "sub-one", "1"), json!({"userTo": null})),
        with(transfer("parentUser", "sub-one", "1"), json!({"acTo": "savings"})),
    ] {
        parent.refused("POST", SUB_TRANSFER, "subuser-transfer", Some(&body));
    }
    assert_eq!((parent.cash("USDT").0, sub.cash("USDT").0), (dec("100"), dec("100")));
}

#[test]
fn the_history_of_transfers_between_sub_accounts() {
    let sandbox = still();
    let parent = sandbox.add_user(UserOptions::new().name("parent"));
    let subs = ["sub-one", "sub-two"].map(|name| sandbox.add_user(UserOptions::new().name(name).sub_user_of(&parent)));
    parent.fund(AccountCategory::Cash, "USDT", 1000).unwrap();
    parent.fund(AccountCategory::Cash, "BTC", 10).unwrap();
    let mut parent = Caller::of(&sandbox, parent);
    for i in 0..12 {
        let (to, asset) = (["sub-one", "sub-two"][i % 2], if i < 3 { "BTC" } else { "USDT" });
        let body = json!({"userFrom": "parentUser", "userTo": to, "acFrom": "cash", "acTo": "cash", "asset": asset, "amount": "1"});
        parent.whole("POST", SUB_TRANSFER, "subuser-transfer", Some(&body));
        sandbox.advance(Duration::from_secs(1));
    }
    let mut ask = |fields: Value| {
        let body = with(
            json!({"subUserId": null, "asset": null, "startTime": null, "endTime": null, "page": 1, "pageSize": 10}),
            fields,
        );
        parent.whole("POST", SUB_HISTORY, "subuser-transfer-hist", Some(&body))
    };
    let first = ask(json!({}));
    assert_shape(&first, &sample("rest/subuser-transfer-history"));
    let counts = |answer: &Value| (list(&answer["data"]["data"]).len(), answer["data"]["totalSize"].as_u64().unwrap());
    assert_eq!(counts(&first), (10, 12));
    assert_eq!((&first["data"]["page"], &first["data"]["pageSize"]), (&json!(1), &json!(10)));
    assert_eq!(counts(&ask(json!({"page": 2}))), (2, 12));
    assert_eq!(counts(&ask(json!({"pageSize": 1}))), (1, 12));
    assert_eq!(counts(&ask(json!({"asset": "BTC"}))), (3, 3));
    assert_eq!(counts(&ask(json!({"subUserId": subs[0].uid()}))), (6, 6));
    assert_eq!(counts(&ask(json!({"subUserId": subs[0].uid(), "asset": "BTC"}))), (2, 2));
    assert_eq!(counts(&ask(json!({"startTime": START + 10_000}))), (2, 2));
    assert_eq!(counts(&ask(json!({"endTime": START + 1_000}))), (2, 2));
    assert_eq!(counts(&ask(json!({"startTime": START + 20_000}))), (0, 0));
    assert!(list(&first["data"]["data"]).iter().all(|row| row["status"] == "SUCCESS"), "{first}");
}

// --- The ledger ---

const DAY: u64 = 86_400_000;

fn snapshot_path(category: &str, date: &str) -> (String, String) {
    let prehash = format!("data/v1/{category}/balance/snapshot");
    (format!("/api/pro/{prehash}?date={date}"), prehash)
}

fn ledger_path(category: &str, query: &str) -> (String, String) {
    let prehash = format!("data/v1/{category}/balance/history");
    (format!("/api/pro/{prehash}?{query}"), prehash)
}

/// Deposits, trades and transfers over two days (the second is 2023-11-15).
fn busy_days(sandbox: &Sandbox) -> Caller<'_> {
    let (trader, maker) = traders(sandbox);
    for day in 0..2 {
        for i in 1..=4 {
            maker.user.place(&OrderRequest::sell(SYMBOL, i).limit("100")).unwrap();
            trader.user.place(&OrderRequest::buy(SYMBOL, i).limit("100")).unwrap();
            trader.user.place(&OrderRequest::buy(SYMBOL, 1).limit("90")).unwrap();
            maker.user.place(&OrderRequest::sell(SYMBOL, 1).limit("90")).unwrap();
            trader.user.fund(AccountCategory::Cash, "BTC", i).unwrap();
        }
        if day == 0 {
            // To 2023-11-15 00:30 UTC.
            sandbox.advance(Duration::from_millis(DAY - START % DAY + 1_800_000));
        }
    }
    Caller::of(sandbox, trader.user)
}

#[test]
fn the_daily_snapshot_has_no_envelope() {
    let sandbox = still();
    let mut caller = busy_days(&sandbox);
    for category in ["cash", "margin"] {
        let (path, prehash) = snapshot_path(category, "2023-11-15");
        let snapshot = caller.whole("GET", &path, &prehash, None);
        assert!(snapshot.get("code").is_none() && snapshot.get("data").is_none(), "{snapshot}");
        assert_shape_without(&snapshot, &sample("rest/balance-snapshot"), &["snapshotTime", "snapshot"]);
        let meta = &snapshot["meta"];
        assert_eq!(meta["ac"], category);
        let time = meta.get("snapshotTime").or(meta.get("balanceTime")).unwrap().as_u64().unwrap();
        assert!(time.is_multiple_of(DAY) && time <= START.next_multiple_of(DAY), "{meta}");
        let rows = snapshot.get("snapshot").or(snapshot.get("balance")).unwrap();
        assert!(list(rows).iter().all(|row| row["asset"].is_string() && row["totalBalance"].is_string()), "{rows}");
    }
    for date in ["", "15-11-2023", "2023-13-01", "2023-02-30", "yesterday"] {
        let (path, prehash) = snapshot_path("cash", date);
        let answer = caller.answer("GET", &path, &prehash, None).json();
        assert!(answer.get("snapshot").is_none() && answer.get("balance").is_none(), "{date}: {answer}");
        assert_refusal(&answer);
        sandbox.advance(Duration::from_secs(61)); // 8 a minute
    }
    let (path, prehash) = snapshot_path("cash", "2023-11-07");
    caller.refused("GET", &path, &prehash, None); // 7 days back
}

#[test]
fn the_detail_has_no_envelope() {
    let sandbox = still();
    let mut caller = busy_days(&sandbox);
    let (path, prehash) = ledger_path("cash", "sn=1&limit=500");
    let page = caller.whole("GET", &path, &prehash, None);
    assert!(page.get("code").is_none() && page.get("data").is_none(), "{page}");
    assert_shape(&page, &sample("rest/balance-history"));
    assert_eq!(page["meta"]["ac"], "cash");
    assert!(!list(&page["order"]).is_empty() && !list(&page["balance"]).is_empty());
    for entry in list(&page["order"]) {
        let liquidity = entry["liquidityInd"].as_str().unwrap();
        assert!(["RemovedLiquidity", "AddedLiquidity", "NULL_VAL"].contains(&liquidity), "{entry}");
        assert!(texts(&entry["data"], "dataType").iter().all(|kind| ["trade", "fee"].contains(kind)), "{entry}");
        assert_eq!((&entry["orderType"], &entry["side"]), (&json!("Limit"), &json!("Buy")));
        // What was bought at 100 was taken, what was bought at 90 had rested.
        let change = |kind: &str, asset: &str| {
            let of =
                list(&entry["data"]).iter().filter(|change| change["dataType"] == kind && change["asset"] == asset);
            of.map(|change| money(&change["deltaQty"])).sum::<Decimal>()
        };
        let price = -change("trade", "USDT") / change("trade", "ABC");
        let expected = if price == dec("100") { "RemovedLiquidity" } else { "AddedLiquidity" };
        assert_eq!(liquidity, expected, "{entry}");
        assert_eq!(change("fee", "USDT"), change("trade", "USDT") * dec("0.001"), "{entry}");
    }
    let (path, prehash) = ledger_path("margin", "sn=1&limit=500");
    assert_eq!(caller.whole("GET", &path, &prehash, None)["order"], json!([]));
}

#[test]
fn the_snapshot_and_the_detail_from_its_sn_on_give_the_balances() {
    let sandbox = still();
    let mut caller = busy_days(&sandbox);
    let (path, prehash) = snapshot_path("cash", "2023-11-15");
    let snapshot = caller.whole("GET", &path, &prehash, None);
    let rows = snapshot.get("snapshot").or(snapshot.get("balance")).unwrap();
    let mut balances: BTreeMap<String, Decimal> =
        list(rows).iter().map(|row| (row["asset"].as_str().unwrap().to_owned(), money(&row["totalBalance"]))).collect();
    assert_eq!(balances["BTC"], dec("10"), "of the first day's end");

    let mut sn = snapshot["meta"]["sn"].as_u64().unwrap();
    loop {
        let (path, prehash) = ledger_path("cash", &format!("sn={}&limit=7", sn + 1));
        let page = caller.whole("GET", &path, &prehash, None);
        let entries: Vec<&Value> = list(&page["order"]).iter().chain(list(&page["balance"])).collect();
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            let entry_sn = entry["sn"].as_u64().unwrap();
            assert!(entry_sn > snapshot["meta"]["sn"].as_u64().unwrap());
            sn = sn.max(entry_sn);
            for change in list(&entry["data"]) {
                let asset = change["asset"].as_str().unwrap().to_owned();
                *balances.entry(asset).or_default() += money(&change["deltaQty"]);
            }
        }
        sandbox.advance(Duration::from_secs(10)); // 8 a minute
    }
    for (asset, balance) in balances {
        assert_eq!(caller.cash(&asset).0, balance, "{asset}");
    }
}

#[test]
fn the_ledger_is_limited_to_8_calls_a_minute() {
    let sandbox = still();
    let mut caller = busy_days(&sandbox);
    let (path, prehash) = ledger_path("cash", "sn=1&limit=1");
    let refused = |caller: &mut Caller| {
        let answer = caller.answer("GET", &path, &prehash, None);
        answer.status != 200 || {
            assert_sound(&answer.json());
            answer.json().get("code").is_some_and(|code| code != 0)
        }
    };
    let refusals = (0..9).filter(|_| refused(&mut caller)).count();
    assert_eq!(refusals, 1);
    sandbox.advance(Duration::from_secs(61));
    assert!(!refused(&mut caller));
}

#[test]
fn the_detail_takes_a_limit_of_1_to_500() {
    let sandbox = still();
    let mut caller = busy_days(&sandbox);
    for (query, most) in [("sn=1&limit=1", 1), ("sn=1&limit=3", 3)] {
        let (path, prehash) = ledger_path("cash", query);
        let page = caller.whole("GET", &path, &prehash, None);
        assert!(list(&page["order"]).len() <= most && list(&page["balance"]).len() <= most, "{query}: {page}");
    }
    for query in ["sn=x", "sn=1&limit=x"] {
        let (path, prehash) = ledger_path("cash", query);
        caller.refused("GET", &path, &prehash, None);
    }
}
