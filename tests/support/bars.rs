//! Bars as the exchange answers them.

use serde_json::json;

use super::Recorded;

/// The answer of an exchange that has bars at these times, oldest first, to a request for some: `to` holds, at
/// most 500 come, and of more the latest. Newest first, as in the sample.
pub fn bars_answer(times: &[u64], request: &Recorded) -> String {
    let number = |name| request.param(name).map(|value| value.parse::<u64>().unwrap());
    let (from, to) = (number("from").unwrap_or(0), number("to").unwrap_or(u64::MAX));
    let n = match (number("n"), number("from")) {
        (Some(n), _) => usize::try_from(n).unwrap().min(500),
        (None, Some(_)) => 500,
        (None, None) => 10,
    };
    let within = times.iter().rev().filter(|ts| (from..=to).contains(*ts)).take(n);
    let rows: Vec<_> = within
        .map(|ts| {
            let data =
                json!({"i": request.param("interval"), "ts": ts, "o": "1", "c": "1", "h": "1", "l": "1", "v": "0"});
            json!({"m": "bar", "s": request.param("symbol"), "data": data})
        })
        .collect();
    json!({"code": 0, "data": rows}).to_string()
}
