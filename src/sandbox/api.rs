//! The calls of REST: a request to an answer. No sockets and no clock in it.

use std::fmt::Display;
use std::str::FromStr;

use serde::Serialize;

use super::http::{Request, Response};
use super::market::Market;
use super::wire::{self, Refusal};
use crate::Code;

/// Answers a call, whatever it is.
pub(crate) fn answer(market: &Market, request: &Request, now: u64) -> Response {
    match route(market, request, now) {
        None => Response::plain(404, "no such call"),
        Some(_) if request.method != "GET" => {
            let refusal = Refusal::new(Code::METHOD_NOT_ALLOWED, "HTTP method is not allowed");
            Response::json(405, wire::failure(&refusal)).with("Allow", "GET")
        }
        Some(Ok(body)) => Response::json(200, body),
        Some(Err(refusal)) => Response::json(200, wire::failure(&refusal)),
    }
}

fn route(_market: &Market, request: &Request, now: u64) -> Option<Result<String, Refusal>> {
    Some(match request.path.as_str() {
        "/api/pro/v1/exchange-info" => exchange_info(request, now),
        _ => return None,
    })
}

fn exchange_info(request: &Request, now: u64) -> Result<String, Refusal> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Latency {
        request_time_echo: u64,
        request_receive_at: u64,
        latency: i64,
    }
    let sent: u64 = required(request, "requestTime")?;
    let latency = i64::try_from(i128::from(now) - i128::from(sent)).unwrap_or(i64::MIN);
    Ok(wire::success(Latency { request_time_echo: sent, request_receive_at: now, latency }))
}

/// A parameter that has to be there.
fn required<T: FromStr<Err: Display>>(request: &Request, name: &str) -> Result<T, Refusal> {
    optional(request, name)?.ok_or_else(|| Refusal::new(Code::INVALID_ARGUMENT, format!("Missing parameter: {name}")))
}

/// A parameter that may be missing, but not malformed.
fn optional<T: FromStr<Err: Display>>(request: &Request, name: &str) -> Result<Option<T>, Refusal> {
    let malformed = |e| Refusal::new(Code::INVALID_NUM_FORMAT, format!("Invalid {name}: {e}"));
    request.param(name).map(|text| text.parse().map_err(malformed)).transpose()
}
