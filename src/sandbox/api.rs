//! The calls of REST: a request to an answer. No sockets and no clock in it.

mod rows;

use std::net::IpAddr;

use serde_json::{Value, json};

use super::clock::MINUTE;
use super::http::{Request, Response};
use super::limits::{ATTEMPTS_WINDOW, Gate, StreamLimits, Threshold};
use super::market::{INTERVALS, Interval, Market};
use super::wire::{self, Refusal};
use crate::{Code, Symbol};
use rows::{AssetV1, AssetV2, CategoryProduct, ProductV1, Ticker};

/// Bars in one answer, at most, and without `n`.
const MAX_BARS: u64 = 500;
const DEFAULT_BARS: u64 = 10;
/// Trades in one answer, at most. The reference says nothing of a default: it is all of them.
const MAX_TRADES: u64 = 100;

/// Answers a call, whatever it is. A refusal comes with status 200, as most do on the live exchange.
/// The two times are the true one and the one that clients are told.
pub(crate) fn answer(
    market: &Market,
    gate: &Gate,
    request: &Request,
    from: IpAddr,
    [now, told_now]: [u64; 2],
) -> Response {
    let Some(call) = call(&request.path) else { return Response::plain(404, "no such call") };
    if request.method != "GET" {
        let refusal = Refusal::new(Code::METHOD_NOT_ALLOWED, "HTTP method is not allowed");
        return Response::json(405, wire::failure(&refusal)).with("Allow", "GET");
    }
    let body =
        call(&Context { market, gate, request, from, now, told_now }).unwrap_or_else(|refusal| wire::failure(&refusal));
    Response::json(200, body)
}

/// What a call can look at.
struct Context<'a> {
    market: &'a Market,
    gate: &'a Gate,
    request: &'a Request,
    from: IpAddr,
    now: u64,
    told_now: u64,
}

type Call = fn(&Context<'_>) -> Result<String, Refusal>;

fn call(path: &str) -> Option<Call> {
    Some(match path {
        "/api/pro/v2/assets" => assets_v2,
        "/api/pro/v1/assets" => assets_v1,
        "/api/pro/v1/cash/products" => cash_products,
        "/api/pro/v1/margin/products" => margin_products,
        "/api/pro/v1/products" => products_v1,
        "/api/pro/v1/spot/ticker" | "/api/pro/v1/ticker" => ticker,
        "/api/pro/v1/barhist/info" => bar_intervals,
        "/api/pro/v1/barhist" => bars,
        "/api/pro/v1/depth" => depth,
        "/api/pro/v1/trades" => trades,
        "/api/pro/v1/risk-limit-info" => risk_limits_v1,
        "/api/pro/v2/risk-limit-info" => risk_limits_v2,
        "/api/pro/v1/exchange-info" => exchange_info,
        // There are no futures here, and clients ask.
        "/api/pro/v2/futures/contract" => |_| Ok(wire::success::<[Value; 0]>([])),
        _ => return None,
    })
}

/// A whole number among the parameters that may be missing, but not malformed.
///
/// # Errors
/// `INVALID_NUM_FORMAT`.
pub(super) fn number(request: &Request, name: &str) -> Result<Option<u64>, Refusal> {
    let malformed = |text| Refusal::new(Code::INVALID_NUM_FORMAT, format!("Invalid {name}: {text} is no whole number"));
    request.param(name).map(|text| text.parse().map_err(|_| malformed(text))).transpose()
}

impl Context<'_> {
    fn missing(name: &str) -> Refusal {
        Refusal::new(Code::INVALID_ARGUMENT, format!("Missing parameter: {name}"))
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        number(self.request, name)
    }

    /// How many are wanted: at least one, and no more than there may be.
    fn count(&self, default: u64, max: u64) -> Result<usize, Refusal> {
        match self.number("n")? {
            Some(0) => Err(Refusal::new(Code::INVALID_ARGUMENT, "Invalid n: 0")),
            n => Ok(n.unwrap_or(default).min(max) as usize),
        }
    }

    /// The symbol that a call is about.
    fn symbol(&self) -> Result<Symbol, Refusal> {
        self.market.symbol(self.request.param("symbol").ok_or_else(|| Self::missing("symbol"))?)
    }
}

fn assets_v1(cx: &Context<'_>) -> Result<String, Refusal> {
    Ok(wire::success(cx.market.assets().map(AssetV1::of).collect::<Vec<_>>()))
}

fn assets_v2(cx: &Context<'_>) -> Result<String, Refusal> {
    Ok(wire::success(cx.market.assets().map(AssetV2::of).collect::<Vec<_>>()))
}

fn products_v1(cx: &Context<'_>) -> Result<String, Refusal> {
    let rows = cx.market.products().map(|product| ProductV1::of(product, cx.market.status(product.spec.symbol)));
    Ok(wire::success(rows.collect::<Vec<_>>()))
}

fn cash_products(cx: &Context<'_>) -> Result<String, Refusal> {
    let rows = cx.market.products().map(|product| CategoryProduct::of(product, cx.market.status(product.spec.symbol)));
    Ok(wire::success(rows.collect::<Vec<_>>()))
}

fn margin_products(cx: &Context<'_>) -> Result<String, Refusal> {
    let tradable = cx.market.products().filter(|product| product.spec.margin_tradable);
    let rows = tradable.map(|product| CategoryProduct::of(product, cx.market.status(product.spec.symbol)));
    Ok(wire::success(rows.collect::<Vec<_>>()))
}

/// One symbol gives an object; a trailing comma, several or none a list.
fn ticker(cx: &Context<'_>) -> Result<String, Refusal> {
    match cx.request.param("symbol") {
        None => {
            let rows = cx.market.products().filter_map(|product| Ticker::of(cx.market, product.spec.symbol));
            Ok(wire::success(rows.collect::<Vec<_>>()))
        }
        Some(list) if list.contains(',') => {
            let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
            let symbols = names.map(|name| cx.market.symbol(name)).collect::<Result<Vec<_>, _>>()?;
            let rows = symbols.into_iter().filter_map(|symbol| Ticker::of(cx.market, symbol));
            Ok(wire::success(rows.collect::<Vec<_>>()))
        }
        Some(name) => Ok(wire::success(Ticker::of(cx.market, cx.market.symbol(name)?))),
    }
}

fn bar_intervals(_: &Context<'_>) -> Result<String, Refusal> {
    let row = |interval: Interval| json!({"name": interval.name, "intervalInMillis": interval.millis});
    Ok(wire::success(INTERVALS.map(row)))
}

/// `to` always holds; `from` alone is moved up so that no more come back than may; with both `from` and `n`
/// whichever gives fewer. Newest first, as in the reference's sample.
fn bars(cx: &Context<'_>) -> Result<String, Refusal> {
    let symbol = cx.symbol()?;
    let name = cx.request.param("interval").ok_or_else(|| Context::missing("interval"))?;
    let interval = Interval::named(name)
        .ok_or_else(|| Refusal::new(Code::INVALID_ARGUMENT, format!("Invalid interval: {name}")))?;
    let (from, to) = (cx.number("from")?, cx.number("to")?);
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(Refusal::new(Code::INVALID_ARGUMENT, "Invalid range: from is after to"));
    }
    let default = if from.is_some() { MAX_BARS } else { DEFAULT_BARS };
    let count = cx.count(default, MAX_BARS)?;
    let bars = cx.market.bars(symbol, interval, from.unwrap_or(0), to.unwrap_or(cx.now), count);
    Ok(wire::success(bars.iter().rev().map(|bar| wire::bar("bar", symbol, interval, bar)).collect::<Vec<_>>()))
}

fn depth(cx: &Context<'_>) -> Result<String, Refusal> {
    let symbol = cx.symbol()?;
    let (seqnum, ts, sides) =
        cx.market.depth(symbol, usize::MAX).ok_or_else(|| Refusal::unknown_symbol(symbol.as_str()))?;
    Ok(wire::success(wire::depth("depth-snapshot", symbol, seqnum, ts, &sides)))
}

fn trades(cx: &Context<'_>) -> Result<String, Refusal> {
    let symbol = cx.symbol()?;
    let count = cx.count(MAX_TRADES, MAX_TRADES)?;
    Ok(wire::success(wire::trades("trades", None, symbol, cx.market.trades(symbol, count))))
}

/// The address that limits are asked for: by default the asker's.
fn address(cx: &Context<'_>) -> Result<IpAddr, Refusal> {
    let Some(text) = cx.request.param("ip") else { return Ok(cx.from) };
    text.parse().map_err(|_| Refusal::new(Code::INVALID_ARGUMENT, format!("Invalid ip: {text}")))
}

/// How it stands with an address, and until when it is banned, -1 for not at all.
fn ban_status(cx: &Context<'_>, address: IpAddr) -> serde_json::Map<String, Value> {
    let ban = cx.gate.banned(address, cx.now);
    let row = json!({
        "isBanned": ban.is_some(),
        "bannedUntil": ban.map_or(json!(-1), |ban| json!(ban.until)),
        "violationCode": ban.map_or(Code::new(0), |ban| ban.code),
        "reason": ban.map_or("", |ban| &ban.reason),
    });
    // cannot fail: an object was written
    row.as_object().cloned().unwrap_or_default()
}

fn risk_limits_v1(cx: &Context<'_>) -> Result<String, Refusal> {
    let ip = address(cx)?;
    let mut figures = ban_status(cx, ip);
    let limits = &cx.gate.limits;
    for (name, figure) in [
        ("windowSizeInMinutes", (ATTEMPTS_WINDOW / MINUTE) as u32),
        ("maxNumRequests", limits.attempts),
        ("maxSessionPerIp", limits.sessions_of_address),
    ] {
        figures.insert(name.into(), figure.into());
    }
    Ok(wire::success(json!({"ip": ip, "webSocket": figures})))
}

fn risk_limits_v2(cx: &Context<'_>) -> Result<String, Refusal> {
    let ip = address(cx)?;
    Ok(wire::success(json!({
        "ip": ip,
        "webSocket": {
            "status": ban_status(cx, ip),
            "limits": {
                "maxWebSocketSessionsPerIpAccountGroup": cx.gate.limits.sessions_of_group,
                "maxWebSocketSessionsPerIpTotal": cx.gate.limits.sessions_of_address,
            },
            "messageThreshold": message_thresholds(&cx.gate.limits),
        },
    })))
}

/// Under the names of the reference, those of requests that are not served here too.
fn message_thresholds(limits: &StreamLimits) -> Value {
    let StreamLimits { admin, subscriptions, requests, orders, snapshots, .. } = limits;
    let operations = |of: fn(&Threshold) -> u32| {
        json!({
            "auth": of(admin), "ping": of(admin), "pong": of(admin),
            "sub": of(subscriptions), "unsub": of(subscriptions), "req": of(requests),
        })
    };
    let actions = |of: fn(&Threshold) -> u32| {
        json!({
            "place_order": of(orders), "cancel_order": of(orders), "cancel_all": of(orders),
            "batch_place_order": of(requests), "batch_cancel_order": of(requests),
            "depth_snapshot": of(snapshots), "depth_snapshot_top100": of(snapshots),
            "market_trades": of(requests), "balance": of(requests), "open_order": of(requests),
            "margin_risk": of(requests),
            "futures_account_snapshot": of(requests), "futures_open_orders": of(requests),
        })
    };
    json!({
        "level1OpThreshold": operations(|threshold| threshold.ignore),
        "level2OpThreshold": operations(|threshold| threshold.ban),
        "level1ReqThreshold": actions(|threshold| threshold.ignore),
        "level2ReqThreshold": actions(|threshold| threshold.ban),
    })
}

fn exchange_info(cx: &Context<'_>) -> Result<String, Refusal> {
    let sent = cx.number("requestTime")?.ok_or_else(|| Context::missing("requestTime"))?;
    let latency = i64::try_from(i128::from(cx.told_now) - i128::from(sent)).unwrap_or(i64::MIN);
    Ok(wire::success(json!({"requestTimeEcho": sent, "requestReceiveAt": cx.told_now, "latency": latency})))
}
