//! The tables *Account* and *Wallet*.

use bitmax::model::AccountCategory;
use bitmax::sandbox::{Permission, UserOptions};
use serde_json::{Value, json};

use crate::caller::{Caller, START, still};
use crate::shape::{assert_shape, assert_shape_without, column, list, money, sample, texts};

#[test]
fn account_info() {
    let sandbox = still();
    let mut caller = Caller::first(&sandbox);
    let info = caller.get("/api/pro/v1/info", "info");
    assert_shape(&json!({"code": 0, "data": info}), &sample("rest/account-info"));
    assert_eq!(info["accountGroup"], caller.user.account_group());
    assert_eq!(info["userUID"], caller.user.uid());
    assert_eq!(info["cashAccount"], json!([caller.user.account_id(AccountCategory::Cash)]));
    assert_eq!(info["marginAccount"], json!([caller.user.account_id(AccountCategory::Margin)]));
    let expires = info["expireTime"].as_i64().unwrap();
    assert!(expires == -1 || expires > START as i64, "{expires}");
}

#[test]
fn account_info_tells_the_keys_permissions() {
    let sandbox = still();
    let permissions = [
        ("viewPermission", Permission::View),
        ("tradePermission", Permission::Trade),
        ("transferPermission", Permission::Transfer),
    ];
    for (name, permission) in permissions {
        // Info itself may need the permission to view.
        let options = UserOptions::new().permissions([Permission::View, permission]);
        let info = Caller::of(&sandbox, sandbox.add_user(options)).get("/api/pro/v1/info", "info");
        for (other, _) in permissions {
            assert_eq!(info[other], other == name || other == "viewPermission", "{info}");
        }
    }
}

#[test]
fn accounts_of_different_users_differ() {
    let sandbox = still();
    let infos =
        [Caller::first(&sandbox), Caller::with_cash(&sandbox, &[])].map(|mut c| c.get("/api/pro/v1/info", "info"));
    for field in ["userUID", "cashAccount", "marginAccount"] {
        assert_ne!(infos[0][field], infos[1][field]);
    }
}

#[test]
fn vip_fee_schedule() {
    let sandbox = still();
    let user = sandbox.add_user(UserOptions::new().vip(3, 50));
    let mut caller = Caller::of(&sandbox, user);
    let schedule = caller.get("/G/api/pro/v1/spot/fee/info", "fee");
    assert_shape(&json!({"code": 0, "data": schedule}), &sample("rest/fee-schedule"));
    assert_eq!((&schedule["userUID"], &schedule["vipLevel"]), (&json!(caller.user.uid()), &json!(3)));
}

#[test]
fn fee_by_symbol_under_both_names() {
    let sandbox = still();
    let mut caller = Caller::first(&sandbox);
    let fees = caller.get("/G/api/pro/v1/spot/fee", "fee");
    assert_shape(&json!({"code": 0, "data": fees}), &sample("rest/fee-by-symbol"));
    assert_eq!(fees["productFee"], fees["fees"], "other clients read `fees`");
    assert_eq!(fees["userUID"], caller.user.uid());

    let mut symbols = texts(&fees["productFee"], "symbol");
    let products = crate::raw::get(sandbox.port(), "/api/pro/v1/cash/products").data();
    let mut listed = texts(&products, "symbol");
    symbols.sort_unstable();
    listed.sort_unstable();
    assert_eq!(symbols, listed);
    for fee in column(&fees["productFee"], "fee") {
        assert!(money(&fee["maker"]) >= money(&json!("-1")) && money(&fee["taker"]) <= money(&json!("1")), "{fee}");
    }
}

// --- Wallet ---

const ADDRESSES: &str = "/api/pro/v1/wallet/deposit/address";

#[test]
fn deposit_addresses() {
    let sandbox = still();
    let mut caller = Caller::first(&sandbox);
    let answer = caller.whole("GET", &format!("{ADDRESSES}?asset=USDT"), "wallet/deposit/address", None);
    assert_shape(&answer, &sample("rest/deposit-addresses"));
    assert_eq!(answer["data"]["asset"], "USDT");
    let all = &answer["data"]["address"];
    assert!(!list(all).is_empty());
    for chain in texts(all, "blockchain") {
        let query = format!("{ADDRESSES}?asset=USDT&blockchain={}", chain.replace(' ', "%20"));
        let one = caller.get(&query, "wallet/deposit/address");
        assert_eq!(texts(&one["address"], "blockchain"), [chain]);
    }
    let with_network = caller.get(&format!("{ADDRESSES}?asset=USDT&network=ERC20"), "wallet/deposit/address");
    assert_eq!(with_network["asset"], "USDT", "other clients send `network`");
    caller.refused("GET", ADDRESSES, "wallet/deposit/address", None);
    caller.refused("GET", &format!("{ADDRESSES}?asset=NONE"), "wallet/deposit/address", None);
}

#[test]
fn deposit_chains_are_those_of_the_asset() {
    let sandbox = still();
    let mut caller = Caller::first(&sandbox);
    let assets = crate::raw::get(sandbox.port(), "/api/pro/v2/assets").data();
    for asset in list(&assets).iter().filter(|asset| asset["blockChain"].as_array().is_some_and(|c| !c.is_empty())) {
        let code = asset["assetCode"].as_str().unwrap();
        let answer = caller.get(&format!("{ADDRESSES}?asset={code}"), "wallet/deposit/address");
        let known = texts(&asset["blockChain"], "chainName");
        for chain in texts(&answer["address"], "blockchain") {
            assert!(known.contains(&chain), "{code}: {chain}");
        }
    }
}

const TRANSACTIONS: &str = "/api/pro/v1/wallet/transactions";

fn transactions(caller: &mut Caller, query: &str) -> Value {
    caller.get(&format!("{TRANSACTIONS}{query}"), "wallet/transactions")
}

#[test]
fn wallet_transactions() {
    let sandbox = still();
    let mut caller = Caller::with_cash(&sandbox, &[("USDT", "100"), ("USDT", "200"), ("BTC", "3")]);
    caller.user.withdraw("USDT", "50").unwrap();

    let all = transactions(&mut caller, "");
    assert_shape_without(
        &json!({"code": 0, "data": all}),
        &sample("rest/wallet-transactions"),
        &["networkTransactionId"], // nothing says that each has one
    );
    assert_eq!(list(&all["data"]).len(), 4);
    assert_eq!((&all["page"], &all["pageSize"], &all["hasNext"]), (&json!(1), &json!(20), &json!(false)));
    for row in list(&all["data"]) {
        assert!(["deposit", "withdrawal"].contains(&row["transactionType"].as_str().unwrap()), "{row}");
        let known = ["pending", "reviewing", "confirmed", "rejected", "canceled", "failed"];
        assert!(known.contains(&row["status"].as_str().unwrap()), "{row}");
        assert!(row["destAddress"]["address"].is_string() && row["numConfirmed"].is_u64(), "{row}");
    }

    for (query, count) in [
        ("?asset=USDT", 3),
        ("?asset=BTC", 1),
        ("?asset=ETH", 0),
        ("?txType=deposit", 3),
        ("?txType=withdrawal", 1),
        ("?asset=BTC&txType=withdrawal", 0),
        ("?page=2", 0),
    ] {
        assert_eq!(list(&transactions(&mut caller, query)["data"]).len(), count, "{query}");
    }
    let withdrawal = &transactions(&mut caller, "?txType=withdrawal")["data"][0];
    assert_eq!((money(&withdrawal["amount"]), &withdrawal["asset"]), (money(&json!("50")), &json!("USDT")));
}

#[test]
fn wallet_transactions_by_pages() {
    let sandbox = still();
    let mut caller = Caller::with_cash(&sandbox, &[("USDT", "1"); 25]);
    assert_eq!(list(&transactions(&mut caller, "")["data"]).len(), 20, "by default 20 a page");
    assert_eq!(transactions(&mut caller, "")["hasNext"], true);

    let mut seen = Vec::new();
    for page in 1.. {
        let answer = transactions(&mut caller, &format!("?page={page}&pageSize=10"));
        assert_eq!((&answer["page"], &answer["pageSize"]), (&json!(page), &json!(10)));
        seen.extend(texts(&answer["data"], "requestId").into_iter().map(str::to_owned));
        if answer["hasNext"] == false {
            assert_eq!(page, 3);
            break;
        }
        assert_eq!(list(&answer["data"]).len(), 10);
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 25);
}

#[test]
fn wallet_pages_are_at_most_50() {
    let sandbox = still();
    let mut caller = Caller::with_cash(&sandbox, &[("USDT", "1"); 55]);
    assert_eq!(list(&transactions(&mut caller, "?pageSize=50")["data"]).len(), 50);
    let answer = caller.answer("GET", &format!("{TRANSACTIONS}?pageSize=51"), "wallet/transactions", None).json();
    let refused_or_capped = answer["code"] != 0 || list(&answer["data"]["data"]).len() <= 50;
    assert!(refused_or_capped, "{answer}");
}
