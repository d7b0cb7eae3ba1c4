//! Any text as each of the answers of REST: no panic, and what was read is what is written.
#![no_main]

use std::fmt::Debug;

use bitmax::model::*;
use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

fuzz_target!(|text: &str| {
    // Whole, or within the envelope that answers come in.
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        data: &'a RawValue,
    }
    let text = serde_json::from_str::<Envelope<'_>>(text).map_or(text, |envelope| envelope.data.get());
    again::<Rows<AssetInfo>>(text);
    again::<Rows<AssetInfoV1>>(text);
    again::<Rows<Product>>(text);
    again::<Rows<ProductV1>>(text);
    again::<Rows<Ticker>>(text);
    again::<Rows<Bar>>(text);
    again::<Rows<BarIntervalInfo>>(text);
    again::<Depth>(text);
    again::<Trades>(text);
    again::<RiskLimits>(text);
    again::<ExchangeInfo>(text);
    again::<AccountInfo>(text);
    again::<FeeSchedule>(text);
    again::<SymbolFees>(text);
    again::<Rows<Balance>>(text);
    again::<MarginRisk>(text);
    again::<BalanceSnapshot>(text);
    again::<BalanceHistory>(text);
    again::<DepositAddresses>(text);
    again::<WalletTransactions>(text);
    again::<SubuserTransfers>(text);
    again::<Rows<Order>>(text);
    again::<Rows<HistoryOrder>>(text);
    again::<Rows<OrderState>>(text);
    again::<MarginState>(text);
});

fn again<T: Serialize + DeserializeOwned + PartialEq + Debug>(text: &str) {
    let Ok(read) = serde_json::from_str::<T>(text) else { return };
    let written = serde_json::to_string(&read).unwrap();
    match serde_json::from_str::<T>(&written) {
        Ok(reread) => assert_eq!(reread, read, "{written}"),
        Err(e) => panic!("{e}: {written}"),
    }
}
