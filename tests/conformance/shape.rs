//! What holds of every answer: its form against the published sample, money as strings, times as integers, codes with
//! their reasons.

use bitmax::Decimal;
use serde_json::{Value, json};

/// A published sample: `rest/…` or `ws/…`.
pub(crate) fn sample(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Every field that the sample has is there, of the same JSON type; each item of a list as the sample's first.
#[track_caller]
pub(crate) fn assert_shape(answer: &Value, sample: &Value) {
    if let Err(difference) = compare(answer, sample, "") {
        panic!("{difference}\nanswer: {answer}\nsample: {sample}");
    }
}

/// As [`assert_shape`], save for these fields, which the sample has and the reference does not promise.
#[track_caller]
pub(crate) fn assert_shape_without(answer: &Value, sample: &Value, optional: &[&str]) {
    let mut sample = sample.clone();
    strip(&mut sample, optional);
    assert_shape(answer, &sample);
}

fn strip(value: &mut Value, fields: &[&str]) {
    match value {
        Value::Object(object) => {
            object.retain(|name, _| !fields.contains(&name.as_str()));
            object.values_mut().for_each(|value| strip(value, fields));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| strip(value, fields)),
        _ => {}
    }
}

fn compare(answer: &Value, sample: &Value, path: &str) -> Result<(), String> {
    match (answer, sample) {
        (Value::Object(answer), Value::Object(sample)) => sample.iter().try_for_each(|(name, sample)| {
            let path = format!("{path}.{name}");
            answer.get(name).ok_or(format!("{path} is missing")).and_then(|answer| compare(answer, sample, &path))
        }),
        (Value::Array(answer), Value::Array(sample)) => {
            let Some(sample) = sample.first() else { return Ok(()) };
            answer.iter().enumerate().try_for_each(|(i, answer)| compare(answer, sample, &format!("{path}[{i}]")))
        }
        _ if std::mem::discriminant(answer) == std::mem::discriminant(sample) => Ok(()),
        _ => Err(format!("{path} is {answer}, the sample has {sample}")),
    }
}

/// Fields that hold a price, a quantity, an amount or a fee.
const MONEY: &[&str] = &[
    "ab",
    "amount",
    "ap",
    "availableBalance",
    "availableBalanceInUSDT",
    "avgFillPrice",
    "avgPx",
    "bab",
    "borrowed",
    "brw",
    "btb",
    "c",
    "cf",
    "cfq",
    "close",
    "commission",
    "commissionReserveRate",
    "cumFee",
    "cumFilledQty",
    "cumQty",
    "curBalance",
    "deltaQty",
    "fee",
    "fillQty",
    "h",
    "high",
    "int",
    "interest",
    "l",
    "lotSize",
    "low",
    "lp",
    "lq",
    "maker",
    "maxNotional",
    "maxQty",
    "minDepositAmt",
    "minNotional",
    "minQty",
    "minWithdrawal",
    "netBalanceInUSDT",
    "o",
    "open",
    "orderQty",
    "p",
    "price",
    "q",
    "qab",
    "qtb",
    "sp",
    "stopPrice",
    "taker",
    "tb",
    "tickSize",
    "totalBalance",
    "totalBalanceInUSDT",
    "totalBorrowedInUSDT",
    "totalInterestInUSDT",
    "v",
    "volume",
    "withdrawFee",
];

/// Fields that hold a time, a duration in milliseconds or a sequence number.
const INTEGERS: &[&str] = &[
    "balanceTime",
    "bannedUntil",
    "createTime",
    "ct",
    "expireTime",
    "intervalInMillis",
    "lastExecTime",
    "latency",
    "requestReceiveAt",
    "requestTimeEcho",
    "sendingTime",
    "seqNum",
    "seqnum",
    "sn",
    "snapshotTime",
    "t",
    "time",
    "timestamp",
    "tradingStartTime",
    "transactTime",
    "ts",
];

/// Money is a string in plain decimal notation or empty, times and sequence numbers are integers, levels are pairs of
/// strings: at any depth.
#[track_caller]
pub(crate) fn assert_sound(value: &Value) {
    fn walk(value: &Value) -> Result<(), String> {
        match value {
            Value::Array(items) => items.iter().try_for_each(walk),
            Value::Object(object) => object.iter().try_for_each(|(name, value)| {
                let good = match name.as_str() {
                    _ if value.is_object() => true,
                    // What stands for the best price of an empty side is not said; `""` is none anywhere.
                    "ask" | "bid" => is_level(value) || [json!([]), json!(["", ""])].contains(value),
                    "asks" | "bids" => value.as_array().is_some_and(|levels| levels.iter().all(is_level)),
                    name if MONEY.contains(&name) => {
                        value.as_str().is_some_and(|v| v.is_empty() || is_plain_decimal(v))
                    }
                    name if INTEGERS.contains(&name) => value.is_i64() || value.is_u64(),
                    _ => true,
                };
                if good { walk(value) } else { Err(format!("{name} is {value}")) }
            }),
            _ => Ok(()),
        }
    }
    if let Err(e) = walk(value) {
        panic!("{e}, in {value}");
    }
}

fn is_level(value: &Value) -> bool {
    value.as_array().is_some_and(|level| {
        level.len() == 2 && level.iter().all(|number| number.as_str().is_some_and(is_plain_decimal))
    })
}

fn is_plain_decimal(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    text.split_once('.').map_or_else(|| digits(text), |(whole, fraction)| digits(whole) && digits(fraction))
}

/// A money field.
#[track_caller]
pub(crate) fn money(value: &Value) -> Decimal {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value} is no decimal"))
}

/// A decimal for comparison.
pub(crate) fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(crate) fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list"))
}

/// The values of one field of all rows.
pub(crate) fn column<'a>(rows: &'a Value, field: &str) -> Vec<&'a Value> {
    list(rows).iter().map(|row| &row[field]).collect()
}

pub(crate) fn texts<'a>(rows: &'a Value, field: &str) -> Vec<&'a str> {
    column(rows, field).into_iter().map(|v| v.as_str().unwrap()).collect()
}

/// The row of a list in which a field has this value.
#[track_caller]
pub(crate) fn row<'a>(rows: &'a Value, field: &str, value: &str) -> &'a Value {
    list(rows).iter().find(|row| row[field] == value).unwrap_or_else(|| panic!("no {field} {value} in {rows}"))
}

/// The table of error codes. A code whose reason is in brackets there is left out: it can come with any.
const CODES: &[(i64, &str)] = &[
    (100001, "INVALID_HTTP_INPUT"),
    (100002, "DATA_NOT_AVAILABLE"),
    (100003, "KEY_CONFLICT"),
    (100004, "INVALID_REQUEST_DATA"),
    (100005, "INVALID_WS_REQUEST_DATA"),
    (100006, "INVALID_ARGUMENT"),
    (100007, "ENCRYPTION_ERROR"),
    (100008, "SYMBOL_ERROR"),
    (100009, "AUTHORIZATION_NEEDED"),
    (100010, "INVALID_OPERATION"),
    (100011, "INVALID_TIMESTAMP"),
    (100012, "INVALID_STR_FORMAT"),
    (100013, "INVALID_NUM_FORMAT"),
    (100101, "UNKNOWN_ERROR"),
    (150001, "INVALID_JSON_FORMAT"),
    (200001, "AUTHENTICATION_FAILED"),
    (200002, "TOO_MANY_ATTEMPTS"),
    (200003, "ACCOUNT_NOT_FOUND"),
    (200004, "ACCOUNT_NOT_SETUP"),
    (200005, "ACCOUNT_ALREADY_EXIST"),
    (200006, "ACCOUNT_ERROR"),
    (200014, "RESTRICTED_ACCOUNT"),
    (200015, "PERMISSION_DENIED"),
    (300001, "INVALID_PRICE"),
    (300002, "INVALID_QTY"),
    (300003, "INVALID_SIDE"),
    (300004, "INVALID_NOTIONAL"),
    (300005, "INVALID_TYPE"),
    (300006, "INVALID_ORDER_ID"),
    (300007, "INVALID_TIME_IN_FORCE"),
    (300008, "INVALID_ORDER_PARAMETER"),
    (300009, "TRADING_VIOLATION"),
    (300011, "INVALID_BALANCE"),
    (300012, "INVALID_PRODUCT"),
    (300013, "INVALID_BATCH_ORDER"),
    (300014, "TICK_SIZE_VIOLATION"),
    (300020, "TRADING_RESTRICTED"),
    (300021, "TRADING_DISABLED"),
    (300031, "NO_MARKET_PRICE"),
    (310001, "INVALID_MARGIN_BALANCE"),
    (310002, "INVALID_MARGIN_ACCOUNT"),
    (310003, "MARGIN_TOO_RISKY"),
    (310004, "INVALID_MARGIN_ASSET"),
    (310005, "INVALID_REFERENCE_PRICE"),
    (510001, "SERVER_ERROR"),
    (900001, "HUMAN_CHALLENGE"),
];

/// Codes that the reference names without a reason.
const CODES_WITHOUT_REASON: &[i64] = &[100014, 100102, 300019];

/// A refusal carries a code of the reference with the reason that belongs to it. Either text may be missing; of a
/// subscription the reason is free text.
#[track_caller]
pub(crate) fn assert_refusal(answer: &Value) -> i64 {
    let code = answer["code"].as_i64().unwrap_or_else(|| panic!("no code: {answer}"));
    assert_ne!(code, 0, "not refused: {answer}");
    assert!(CODES.iter().map(|(code, _)| code).chain(CODES_WITHOUT_REASON).any(|known| *known == code), "{answer}");
    if let Some(reason) = answer["reason"].as_str().filter(|_| answer["m"] != "sub") {
        let known = CODES.contains(&(code, reason)) || CODES_WITHOUT_REASON.contains(&code);
        assert!(known, "{code} does not go with {reason}: {answer}");
    }
    code
}
