//! The mechanism that makes any call: its address, its signature, its body.

use std::borrow::Cow;
use std::fmt::Display;
use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::answer;
use super::endpoint::{Call, Scope};
use super::transport::Outgoing;
use crate::client::Client;
use crate::error::{Error, InvalidInput, Result};
use crate::model::AccountCategory;

/// A call with its arguments.
#[derive(Debug)]
pub(crate) struct Request {
    call: &'static Call,
    category: Option<AccountCategory>,
    query: String,
    body: Option<String>,
}

impl Request {
    pub(crate) fn new(call: &'static Call) -> Self {
        Self { call, category: None, query: String::new(), body: None }
    }

    /// Names the account category of the path.
    pub(crate) fn category(mut self, category: AccountCategory) -> Self {
        self.category = Some(category);
        self
    }

    pub(crate) fn param(mut self, name: &str, value: impl Display) -> Self {
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        self.query.push_str(name);
        self.query.push('=');
        encode(&value.to_string(), &mut self.query);
        self
    }

    /// As [`param`](Self::param), where there is a value.
    pub(crate) fn maybe(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.param(name, value),
            None => self,
        }
    }

    pub(crate) fn body(mut self, body: &impl Serialize) -> Self {
        // cannot fail: what is sent is made of text and numbers
        self.body = Some(serde_json::to_string(body).unwrap_or_default());
        self
    }

    /// The whole address, of the account group where the call is below one.
    fn url(&self, base: &str, group: Option<u32>) -> String {
        let mut url = String::with_capacity(base.len() + self.call.path.len() + self.query.len() + 16);
        url.push_str(base);
        if let Some(group) = group {
            url.push('/');
            url.push_str(&group.to_string());
        }
        url.push_str(&self.with_category(self.call.path));
        url.push_str(&self.query);
        url
    }

    fn with_category<'a>(&self, template: &'a str) -> Cow<'a, str> {
        match template.split_once("{ac}") {
            Some((before, after)) => {
                Cow::Owned([before, self.category.map_or("", AccountCategory::as_str), after].concat())
            }
            None => Cow::Borrowed(template),
        }
    }
}

/// How long a text is in a query.
pub(super) fn encoded_len(text: &str) -> usize {
    let mut target = String::new();
    encode(text, &mut target);
    target.len()
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
    /// Makes a call and reads what it answers. It is made once more where it is refused for its time, and where it may be
    /// repeated also after failures that may pass.
    pub(crate) fn fetch<T: DeserializeOwned>(&self, request: &Request) -> Result<T> {
        let end = self.end_of(request.call);
        let client = self.prepare(request.call, end)?;
        client.retrying(request.call, end, |client| client.timely(end, |client| client.send(request)))
    }

    /// When a call that begins now is to be over: with all that it takes, the wait for its turn not counted.
    pub(super) fn end_of(&self, call: &Call) -> Instant {
        Instant::now() + self.turn_of(call) + self.rest_config().call_timeout
    }

    /// Finds out what a signed call needs to be known: the clock, and the account group. Where that has to be asked for,
    /// the client that it gives has to be done by `end`.
    pub(super) fn prepare(&self, call: &Call, end: Instant) -> Result<Self> {
        let client = match call.scope {
            Scope::Public => return Ok(self.clone()),
            // Without credentials nothing is asked.
            Scope::Signed(_) | Scope::Group(_) if self.credentials().is_none() => return Ok(self.clone()),
            Scope::Signed(_) | Scope::Group(_) if self.clock_is_tried() => self.clone(),
            Scope::Signed(_) | Scope::Group(_) => {
                let client = self.ending_by(end);
                client.ensure_clock()?;
                client
            }
        };
        if matches!(call.scope, Scope::Group(_)) {
            client.identity()?;
        }
        Ok(client)
    }

    /// Makes a call once and reads what it answers.
    pub(super) fn send<T: DeserializeOwned>(&self, request: &Request) -> Result<T> {
        let call = request.call;
        let base = self.endpoint().rest();
        let send = |url: &str, headers: &[_]| {
            let body = request.body.as_deref();
            let answer =
                self.transport().send(&Outgoing { method: call.method, url, headers, body }, self.deadline())?;
            log::debug!("{call}: status {}, {} bytes", answer.status, answer.body.len());
            Ok::<_, Error>(answer)
        };

        let (url, prehash) = match call.scope {
            Scope::Public => return answer::read(call, send(&request.url(base, None), &[])?),
            Scope::Signed(prehash) => (request.url(base, None), prehash),
            Scope::Group(prehash) => (request.url(base, Some(self.identity()?.group)), prehash),
        };
        let credentials = self.credentials().ok_or_else(|| InvalidInput::new("credentials", "this call needs some"))?;
        self.pace(call)?;
        let millis = self.now_millis();
        let signature = credentials.sign(millis, &request.with_category(prehash));
        let headers = [
            ("x-auth-key", credentials.key()),
            ("x-auth-timestamp", &*millis.to_string()),
            ("x-auth-signature", signature.as_str()),
        ];
        let mut answer = send(&url, &headers)?;
        answer.conceal([credentials.key(), signature.as_str()]);
        answer::read(call, answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::endpoint::{BARS, PRODUCTS};

    #[test]
    fn targets_are_encoded() {
        let request = Request::new(&PRODUCTS).category(AccountCategory::Margin);
        assert_eq!(request.url("http://h", None), "http://h/api/pro/v1/margin/products");
        let request = Request::new(&BARS).param("symbol", "A/B,é ").maybe("from", None::<u64>).param("n", 7);
        assert_eq!(request.url("", Some(3)), "/3/api/pro/v1/barhist?symbol=A%2FB%2C%C3%A9%20&n=7");
    }
}
