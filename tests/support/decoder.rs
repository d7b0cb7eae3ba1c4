//! What holds for any text that a server could send: for the tests and for the fuzz targets.

use std::fmt::Debug;

use bitmax::model::*;
use bitmax::{Decimal, Message, parse_decimal};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

/// As a message of the stream and as a decimal: no panic, and what was read is read alike when it is written.
pub(crate) fn message(text: &str) {
    if let Ok(decimal) = parse_decimal(text) {
        assert_eq!(parse_decimal(&decimal.to_string()), Ok(decimal));
        if let Ok(peer) = Decimal::from_str_exact(text) {
            assert_eq!(decimal, peer);
        }
    }
    match Message::parse(text) {
        Ok(Message::Bbo(data)) => sent_again(&data, Message::Bbo(data.clone())),
        Ok(Message::Depth(data)) => sent_again(&data, Message::Depth(data.clone())),
        Ok(Message::Trades(data)) => sent_again(&data, Message::Trades(data.clone())),
        Ok(Message::Bar(data)) => sent_again(&data, Message::Bar(data.clone())),
        Ok(Message::RefPrice(data)) => sent_again(&data, Message::RefPrice(data.clone())),
        Ok(Message::Order(data)) => sent_again(&data, Message::Order(data.clone())),
        Ok(Message::CancelRejected(data)) => sent_again(&data, Message::CancelRejected(data.clone())),
        Ok(Message::Balance(data)) => sent_again(&data, Message::Balance(data.clone())),
        Ok(other) => drop(format!("{other:?}")),
        Err(error) => assert!(error.to_string().len() < 1000, "{error}"),
    }
}

fn sent_again(data: &impl Serialize, message: Message) {
    let written = serde_json::to_string(data).unwrap();
    match Message::parse(&written) {
        Ok(read) => assert_eq!(read, message, "{written}"),
        Err(e) => panic!("{e}: {written}"),
    }
}

/// As each of the answers of REST, whole or within the envelope that they come in: likewise.
pub(crate) fn models(text: &str) {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        data: &'a RawValue,
    }
    let text = serde_json::from_str::<Envelope<'_>>(text).map_or(text, |envelope| envelope.data.get());
    answered_again::<Rows<AssetInfo>>(text);
    answered_again::<Rows<AssetInfoV1>>(text);
    answered_again::<Rows<Product>>(text);
    answered_again::<Rows<ProductV1>>(text);
    answered_again::<Rows<Ticker>>(text);
    answered_again::<Rows<Bar>>(text);
    answered_again::<Rows<BarIntervalInfo>>(text);
    answered_again::<Depth>(text);
    answered_again::<Trades>(text);
    answered_again::<RiskLimits>(text);
    answered_again::<ExchangeInfo>(text);
    answered_again::<AccountInfo>(text);
    answered_again::<FeeSchedule>(text);
    answered_again::<SymbolFees>(text);
    answered_again::<Rows<Balance>>(text);
    answered_again::<MarginRisk>(text);
    answered_again::<BalanceSnapshot>(text);
    answered_again::<BalanceHistory>(text);
    answered_again::<DepositAddresses>(text);
    answered_again::<WalletTransactions>(text);
    answered_again::<SubuserTransfers>(text);
    answered_again::<Rows<Order>>(text);
    answered_again::<Rows<HistoryOrder>>(text);
    answered_again::<Rows<OrderState>>(text);
    answered_again::<MarginState>(text);
}

fn answered_again<T: Serialize + DeserializeOwned + PartialEq + Debug>(text: &str) {
    let Ok(read) = serde_json::from_str::<T>(text) else { return };
    let written = serde_json::to_string(&read).unwrap();
    let again = serde_json::from_str::<T>(&written).unwrap_or_else(|e| panic!("{e}: {written}"));
    // Rows that could not be read are not written.
    if again != read && format!("{read:?}").contains("Unreadable {") {
        assert_eq!(serde_json::to_string(&again).unwrap(), written);
    } else {
        assert_eq!(again, read, "{written}");
    }
}
