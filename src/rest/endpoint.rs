//! The table of calls, as data, and the mechanism that makes any of them.

use std::fmt::{self, Display};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::transport::{Answer, Method, Outgoing};
use crate::client::Client;
use crate::code::Code;
use crate::de;
use crate::error::{DecodeError, Error, HttpError, Refusal, Result, start_of};
use crate::model::AccountCategory;

/// A call of the protocol.
#[derive(Debug)]
pub(crate) struct Call {
    method: Method,
    /// Below the base; `{ac}` stands for the account category.
    path: &'static str,
}

impl Call {
    /// A call that needs no signature and is known by its path alone.
    const fn public(path: &'static str) -> Self {
        Self { method: Method::Get, path }
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.as_str(), self.path)
    }
}

pub(crate) const ASSETS: Call = Call::public("/api/pro/v2/assets");
pub(crate) const ASSETS_V1: Call = Call::public("/api/pro/v1/assets");
pub(crate) const PRODUCTS: Call = Call::public("/api/pro/v1/{ac}/products");
pub(crate) const PRODUCTS_V1: Call = Call::public("/api/pro/v1/products");
pub(crate) const TICKER: Call = Call::public("/api/pro/v1/spot/ticker");
pub(crate) const BAR_INTERVALS: Call = Call::public("/api/pro/v1/barhist/info");
pub(crate) const BARS: Call = Call::public("/api/pro/v1/barhist");
pub(crate) const DEPTH: Call = Call::public("/api/pro/v1/depth");
pub(crate) const TRADES: Call = Call::public("/api/pro/v1/trades");
pub(crate) const RISK_LIMITS: Call = Call::public("/api/pro/v2/risk-limit-info");
pub(crate) const RISK_LIMITS_V1: Call = Call::public("/api/pro/v1/risk-limit-info");
pub(crate) const EXCHANGE_INFO: Call = Call::public("/api/pro/v1/exchange-info");

/// A call with its arguments.
#[derive(Debug)]
pub(crate) struct Request {
    call: &'static Call,
    /// Path and query.
    target: String,
    has_query: bool,
}

impl Request {
    pub(crate) fn new(call: &'static Call) -> Self {
        Self { call, target: call.path.to_owned(), has_query: false }
    }

    /// Names the account category of the path; before any [`param`](Self::param).
    pub(crate) fn category(mut self, category: AccountCategory) -> Self {
        self.target = self.target.replace("{ac}", category.as_str());
        self
    }

    pub(crate) fn param(mut self, name: &str, value: impl Display) -> Self {
        self.target.push(if self.has_query { '&' } else { '?' });
        self.has_query = true;
        self.target.push_str(name);
        self.target.push('=');
        encode(&value.to_string(), &mut self.target);
        self
    }

    /// As [`param`](Self::param), where there is a value.
    pub(crate) fn maybe(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.param(name, value),
            None => self,
        }
    }
}

/// Writes a text as it must stand in a query.
fn encode(text: &str, target: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => target.push(char::from(byte)),
            _ => target.push_str(&format!("%{byte:02X}")),
        }
    }
}

impl Client {
    /// Makes a call and reads what it answers.
    pub(crate) fn fetch<T: DeserializeOwned>(&self, request: &Request) -> Result<T> {
        let url = format!("{}{}", self.endpoint().rest(), request.target);
        let outgoing = Outgoing { method: request.call.method, url: &url, headers: &[], body: None };
        let answer = self.transport().send(&outgoing, self.deadline())?;
        log::debug!("{}: status {}, {} bytes", request.call, answer.status, answer.body.len());
        data_of(request.call, answer)
    }
}

/// What every answer is wrapped in. Only its `code` has to be well formed.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default, deserialize_with = "de::maybe::deserialize")]
    code: Option<Code>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    reason: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    err: Option<&'a RawValue>,
    #[serde(borrow)]
    info: Option<&'a RawValue>,
}

/// Reads the `data` of an answer, or what went wrong: the body decides first, the status second.
fn data_of<T: DeserializeOwned>(call: &Call, answer: Answer) -> Result<T> {
    let good = (200..300).contains(&answer.status);
    let redirect = (300..400).contains(&answer.status);
    let text = std::str::from_utf8(&answer.body).unwrap_or_default().trim_ascii();
    if redirect || !text.starts_with(['{', '[', '"']) {
        return Err(http_error(answer));
    }

    let envelope = match serde_json::from_str::<Envelope<'_>>(text) {
        // A list would be taken for the fields in their order.
        Ok(envelope) if text.starts_with('{') => envelope,
        _ if !good => return Err(http_error(answer)),
        Ok(_) => return Err(Error::Decode(Box::new(DecodeError::shape(call.to_string(), text)))),
        Err(e) => return Err(Error::Decode(Box::new(DecodeError::new(call.to_string(), text, e)))),
    };
    match envelope.code.map(Code::value) {
        Some(0) if good => {}
        None if good => return Err(Error::Decode(Box::new(DecodeError::shape(call.to_string(), text)))),
        Some(0) | None => return Err(http_error(answer)),
        Some(code) => {
            return Err(Error::Refused(Box::new(Refusal {
                code: Code::new(code),
                reason: words(envelope.reason),
                message: words(envelope.message.or(envelope.err)),
                info: envelope.info.map(|info| info.get().to_owned()).unwrap_or_default(),
                status: Some(answer.status),
                retry_after: answer.retry_after,
            })));
        }
    }

    // `data` that is missing is read as none, for the calls that may answer it.
    let (json, around) = envelope.data.map_or(("null", text), |data| (data.get(), data.get()));
    serde_json::from_str(json).map_err(|e| Error::Decode(Box::new(DecodeError::new(call.to_string(), around, e))))
}

fn http_error(answer: Answer) -> Error {
    Error::Http(Box::new(HttpError {
        status: answer.status,
        body: start_of(&answer.body, 512),
        retry_after: answer.retry_after,
        location: answer.location,
    }))
}

/// A text of the exchange; what is no text as the JSON that it is.
fn words(json: Option<&RawValue>) -> String {
    let json = json.map_or("\"\"", RawValue::get);
    serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Result<Vec<u8>> {
        data_of(&ASSETS, Answer { status, body: body.into(), ..Answer::default() })
    }

    #[test]
    fn targets_are_encoded() {
        let request = Request::new(&PRODUCTS).category(AccountCategory::Margin);
        assert_eq!(request.target, "/api/pro/v1/margin/products");
        let request = Request::new(&BARS).param("symbol", "A/B,é ").maybe("from", None::<u64>).param("n", 7);
        assert_eq!(request.target, "/api/pro/v1/barhist?symbol=A%2FB%2C%C3%A9%20&n=7");
    }

    #[test]
    fn the_body_decides_first_and_the_status_second() {
        assert_eq!(read(200, r#" {"code":0,"data":[1],"ac":"CASH"} "#).unwrap(), [1]);
        assert!(read(201, r#"{"data":[],"code":"0"}"#).unwrap().is_empty());
        for (status, body, kind) in [
            (200, r#"{"code":100001,"data":[1]}"#, "refused"),
            (200, r#"{"code":"100001"}"#, "refused"),
            (500, r#"{"code":100101}"#, "refused"),
            (405, r#"{"code":100102,"message":null,"reason":7,"info":{}}"#, "refused"),
            (302, r#"{"code":0,"data":[1]}"#, "redirect"),
            (400, r#"{"code":0,"data":[1]}"#, "http"),
            (500, r#"{"data":[1]}"#, "http"),
            (500, r#"{"code":{}}"#, "http"),
            (500, "[]", "http"),
            (500, r#"{"code":1"#, "http"),
            (200, "", "http"),
            (200, "ok", "http"),
            (200, "<html>", "http"),
            (200, "null", "http"),
            (200, r#"{"code":0}"#, "decode"),
            (200, r#"{"code":0,"data":null}"#, "decode"),
            (200, r#"{"code":0,"data":{}}"#, "decode"),
            (200, r#"{"code":0,"data":[1,-1]}"#, "decode"),
            (200, r#"{"code":0,"data":[1],"data":[2]}"#, "decode"),
            (200, r#"{"code":0,"data":[1"#, "decode"),
            (200, r#"{"code":{},"data":[1]}"#, "decode"),
            (200, r#"{"code":99999999999999999999}"#, "decode"),
            (200, r#"{"data":[1]}"#, "decode"),
            (200, "{}", "decode"),
            (200, r#"[0,[1]]"#, "decode"),
            (200, r#""gone""#, "decode"),
        ] {
            assert_eq!(read(status, body).unwrap_err().kind(), kind, "{status} {body}");
        }
    }

    #[test]
    fn a_refusal_keeps_what_was_said() {
        let body = r#"{"code":300011,"message":"not \"enough\"","reason":"INVALID_BALANCE","info":{"id":"x"}}"#;
        let Err(Error::Refused(refusal)) = read(200, body) else { panic!() };
        assert_eq!((refusal.code, refusal.status), (Code::INVALID_BALANCE, Some(200)));
        assert_eq!((refusal.message.as_str(), refusal.reason.as_str()), ("not \"enough\"", "INVALID_BALANCE"));
        assert_eq!(refusal.info, r#"{"id":"x"}"#);
        let Err(Error::Refused(refusal)) = read(200, r#"{"code":1,"err":"short","reason":null}"#) else { panic!() };
        assert_eq!((refusal.message.as_str(), refusal.reason.as_str(), refusal.info.as_str()), ("short", "", ""));
    }

    #[test]
    fn a_decoding_error_names_the_call_and_shows_the_place() {
        let error = read(200, r#"{"code":0,"data":[1,"x"]}"#).unwrap_err().to_string();
        assert!(error.contains("GET /api/pro/v2/assets") && error.contains(r#"[1,"x"]"#), "{error}");
        let error = read(200, r#"{"code":0,"date":[]}"#).unwrap_err().to_string();
        assert!(error.contains("date"), "{error}");
    }

    #[test]
    fn bytes_that_are_no_text_are_no_answer() {
        let answer = Answer { status: 200, body: b"{\"code\":0,\"data\":\"\xff\"}".to_vec(), ..Answer::default() };
        assert_eq!(data_of::<String>(&ASSETS, answer).unwrap_err().kind(), "http");
    }
}
