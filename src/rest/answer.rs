//! What a call answered: reading the envelope, and telling what went wrong.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::endpoint::{Call, Part};
use super::transport::Answer;
use crate::code::Code;
use crate::de;
use crate::error::{DecodeError, Error, HttpError, Refusal, Result, start_of};

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

/// Reads what a call answered, or what went wrong: the body decides first, the status second.
pub(super) fn read<T: DeserializeOwned>(call: &Call, answer: Answer) -> Result<T> {
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
        None if good && call.part == Part::Whole => {}
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

    let (name, part) = match call.part {
        Part::Data => ("data", envelope.data.map(RawValue::get)),
        Part::Info => ("info", envelope.info.map(RawValue::get)),
        Part::Whole => ("", Some(text)),
        Part::Nothing => ("", None),
    };
    // A part that is missing is read as none, for the calls that may answer it.
    let part = part.filter(|json| !de::is_none(json));
    let of_call = || call.to_string();
    serde_json::from_str(part.unwrap_or("null")).map_err(|e| {
        let error = match part {
            Some(part) => DecodeError::new(of_call(), part, e),
            None => DecodeError::shape(of_call(), text),
        };
        Error::Decode(Box::new(error.within(name)))
    })
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
    use crate::rest::endpoint::{ASSETS, BALANCE_HISTORY, SUBUSER_TRANSFER, TRANSFER};

    fn data(status: u16, body: &str) -> Result<Vec<u8>> {
        read(&ASSETS, Answer { status, body: body.into(), ..Answer::default() })
    }

    #[test]
    fn the_body_decides_first_and_the_status_second() {
        assert_eq!(data(200, r#" {"code":0,"data":[1],"ac":"CASH"} "#).unwrap(), [1]);
        assert!(data(201, r#"{"data":[],"code":"0"}"#).unwrap().is_empty());
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
            assert_eq!(data(status, body).unwrap_err().kind(), kind, "{status} {body}");
        }
    }

    #[test]
    fn a_refusal_keeps_what_was_said() {
        let body = r#"{"code":300011,"message":"not \"enough\"","reason":"INVALID_BALANCE","info":{"id":"x"}}"#;
        let Err(Error::Refused(refusal)) = data(200, body) else { panic!() };
        assert_eq!((refusal.code, refusal.status), (Code::INVALID_BALANCE, Some(200)));
        assert_eq!((refusal.message.as_str(), refusal.reason.as_str()), ("not \"enough\"", "INVALID_BALANCE"));
        assert_eq!(refusal.info, r#"{"id":"x"}"#);
        let Err(Error::Refused(refusal)) = data(200, r#"{"code":1,"err":"short","reason":null}"#) else { panic!() };
        assert_eq!((refusal.message.as_str(), refusal.reason.as_str(), refusal.info.as_str()), ("short", "", ""));
    }

    #[test]
    fn a_decoding_error_names_the_call_and_shows_the_place() {
        let error = data(200, r#"{"code":0,"data":[1,"x"]}"#).unwrap_err().to_string();
        assert!(error.contains("GET /api/pro/v2/assets at data[1]: ") && error.contains(r#"[1,"x"]"#), "{error}");
        let error = data(200, r#"{"code":0,"date":[]}"#).unwrap_err().to_string();
        assert!(error.contains("date"), "{error}");
    }

    #[test]
    fn bytes_that_are_no_text_are_no_answer() {
        let answer = Answer { status: 200, body: b"{\"code\":0,\"data\":\"\xff\"}".to_vec(), ..Answer::default() };
        assert_eq!(read::<String>(&ASSETS, answer).unwrap_err().kind(), "http");
    }
    #[test]
    fn an_answer_stands_where_the_table_says() {
        let of = |call, body: &str| {
            read::<Option<Vec<u8>>>(call, Answer { status: 200, body: body.into(), ..Answer::default() })
        };
        for (call, body, wanted) in [
            (&ASSETS, r#"{"code":0,"data":[1],"info":[2]}"#, Ok(Some(vec![1]))),
            (&ASSETS, r#"{"code":0}"#, Ok(None)),
            (&ASSETS, r#"{"code":0,"data":""}"#, Ok(None)),
            (&SUBUSER_TRANSFER, r#"{"code":0,"data":[1],"info":[2]}"#, Ok(Some(vec![2]))),
            (&TRANSFER, r#"{"code":0}"#, Ok(None)),
            (&TRANSFER, r#"{"code":0,"data":{"more":1},"info":[2]}"#, Ok(None)),
            (&TRANSFER, r#"{}"#, Err("decode")),
            (&TRANSFER, r#"{"code":300011}"#, Err("refused")),
            (&BALANCE_HISTORY, r#"{"code":100006,"meta":{}}"#, Err("refused")),
        ] {
            assert_eq!(of(call, body).map_err(|e| e.kind()), wanted, "{call} {body}");
        }
        let whole = Answer { status: 200, body: r#"{"a":1}"#.into(), ..Answer::default() };
        assert_eq!(read::<std::collections::HashMap<String, u8>>(&BALANCE_HISTORY, whole).unwrap()["a"], 1);
    }
}
