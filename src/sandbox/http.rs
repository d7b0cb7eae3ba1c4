//! HTTP/1.1 as the sandbox speaks it, without sockets: bytes to a request, an answer to bytes.
//!
//! What is not here on purpose: chunked bodies and `Expect` (no client of this exchange sends either),
//! compression, and anything of HTTP/1.0 but the closing of the connection.

use std::borrow::Cow;

use super::faults::Reply;

/// The longest request line and headers together, in bytes.
pub(crate) const MAX_HEAD: usize = 16 * 1024;
/// The longest body, in bytes.
pub(crate) const MAX_BODY: usize = 1024 * 1024;
/// The longest address (path and query), in bytes.
pub(crate) const MAX_TARGET: usize = 2048;
const MAX_HEADERS: usize = 100;

/// One whole request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The address up to the question mark, as sent.
    pub(crate) path: String,
    /// The parameters after the question mark, decoded, in the order sent.
    pub(crate) query: Vec<(String, String)>,
    /// Names in lower case; values as sent.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the client wants the connection to stay.
    pub(crate) keep_alive: bool,
}

impl Request {
    /// A header by its name in lower case; the first of several.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Sets a header, by its name in lower case.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn set_header(&mut self, name: &str, value: &str) {
        self.headers.retain(|(n, _)| n != name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// A query parameter that was given and is not empty; the first of several.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Whether a header that is a list of words holds this one.
    fn header_has(&self, name: &str, word: &str) -> bool {
        self.headers
            .iter()
            .filter(|(n, _)| n == name)
            .flat_map(|(_, value)| value.split(','))
            .any(|item| item.trim().eq_ignore_ascii_case(word))
    }

    /// What this is called where faults are injected.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", if self.is_upgrade() { "UPGRADE" } else { &self.method }, self.path)
    }

    /// Whether the client asks to speak WebSocket from here on.
    pub(crate) fn is_upgrade(&self) -> bool {
        self.header_has("upgrade", "websocket") && self.header_has("connection", "upgrade")
    }

    /// The key of a well-formed WebSocket upgrade.
    ///
    /// # Errors
    /// The answer to send when something of the upgrade is missing or wrong.
    pub(crate) fn upgrade_key(&self) -> Result<&str, Response> {
        if self.method != "GET" {
            return Err(Response::plain(405, "a WebSocket upgrade is a GET"));
        }
        if self.header("sec-websocket-version") != Some("13") {
            return Err(
                Response::plain(426, "only version 13 of WebSocket is spoken here").with("Sec-WebSocket-Version", "13")
            );
        }
        // 16 bytes in base64.
        self.header("sec-websocket-key")
            .filter(|key| key.len() == 24 && key.ends_with("=="))
            .ok_or_else(|| Response::plain(400, "Sec-WebSocket-Key is missing or malformed"))
    }
}

/// Takes the first request from what has been received so far; with it, how many bytes it took.
/// `None`: more is needed. Nothing is remembered between calls, so it does not matter how the bytes were cut.
///
/// # Errors
/// The answer to send before closing, when this cannot become a request that is served here.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Request, usize)>, Response> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    address_fits(bytes)?;
    let head_len = match head.parse(bytes) {
        Ok(httparse::Status::Complete(len)) if len <= MAX_HEAD => len,
        Ok(httparse::Status::Partial) if bytes.len() <= MAX_HEAD => return Ok(None),
        Ok(_) => return Err(head_too_large()),
        Err(httparse::Error::TooManyHeaders) => return Err(head_too_large()),
        Err(e) => return Err(Response::plain(400, &format!("not a request: {e}"))),
    };

    let headers = head
        .headers
        .iter()
        .map(|h| {
            let value = String::from_utf8_lossy(h.value).trim().to_owned();
            (h.name.to_ascii_lowercase(), value)
        })
        .collect();
    let target = head.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        method: head.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query: parse_query(query),
        headers,
        body: Vec::new(),
        keep_alive: false,
    };
    request.keep_alive = match head.version {
        Some(1) => !request.header_has("connection", "close"),
        _ => request.header_has("connection", "keep-alive"),
    };

    let body_len = body_length(&request)?;
    let end = head_len + body_len;
    match bytes.get(head_len..end) {
        Some(body) => {
            request.body = body.to_vec();
            Ok(Some((request, end)))
        }
        None => Ok(None),
    }
}

fn head_too_large() -> Response {
    Response::plain(431, "the headers are too large")
}

/// Looks at the request line alone, whole or not, so that the verdict is the same at every cut.
fn address_fits(bytes: &[u8]) -> Result<(), Response> {
    let line = bytes.split(|b| matches!(b, b'\r' | b'\n')).find(|line| !line.is_empty()).unwrap_or_default();
    match line.split(|b| *b == b' ').nth(1) {
        Some(target) if target.len() > MAX_TARGET => Err(Response::plain(414, "the address is too long")),
        _ => Ok(()),
    }
}

fn body_length(request: &Request) -> Result<usize, Response> {
    if request.header("transfer-encoding").is_some() {
        return Err(Response::plain(411, "a body needs Content-Length here"));
    }
    let mut lengths = request.headers.iter().filter(|(name, _)| name == "content-length").map(|(_, value)| value);
    let Some(first) = lengths.next() else { return Ok(0) };
    if lengths.any(|other| other != first) || first.is_empty() || !first.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Response::plain(400, "Content-Length is malformed"));
    }
    match first.parse::<usize>() {
        Ok(len) if len <= MAX_BODY => Ok(len),
        _ => Err(Response::plain(413, "the body is too large")),
    }
}

fn parse_query(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decode(name), percent_decode(value))
        })
        .collect()
}

/// Undoes `%2F` and `+`. What is no escape stays as it is; what is no UTF-8 becomes U+FFFD.
fn percent_decode(text: &str) -> String {
    let hex = |b: u8| char::from(b).to_digit(16);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, after @ ..] => hex(*high).zip(hex(*low)).map(|(high, low)| (high * 16 + low, after)),
            _ => None,
        };
        let (byte, after) = match escaped {
            // cannot fail: two hexadecimal digits are at most 255
            Some((value, after)) => (u8::try_from(value).unwrap_or_default(), after),
            None => (if *first == b'+' { b' ' } else { *first }, tail),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(Cow<'static, str>, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// JSON with a status.
    pub(crate) fn json(status: u16, body: String) -> Self {
        Self { status, headers: vec![("Content-Type".into(), "application/json".into())], body: body.into_bytes() }
    }

    /// A line of text with a status.
    pub(crate) fn plain(status: u16, text: &str) -> Self {
        let body = format!("{text}\n").into_bytes();
        Self { status, headers: vec![("Content-Type".into(), "text/plain; charset=utf-8".into())], body }
    }

    /// The answer that ends HTTP on a connection and begins WebSocket.
    pub(crate) fn switch_to_websocket(accept_key: String) -> Self {
        let headers = vec![("Upgrade".into(), "websocket".into()), ("Sec-WebSocket-Accept".into(), accept_key)];
        Self { status: 101, headers, body: Vec::new() }
    }

    /// The same with one more header.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name.into(), value.to_owned()));
        self
    }

    /// A page with a status, as of the content network in front of the live exchange.
    pub(crate) fn page(status: u16, text: &str) -> Self {
        let body = format!("<!DOCTYPE html>\n<html><head><title>{status}</title></head><body>{text}</body></html>\n");
        let headers = vec![("Content-Type".into(), "text/html; charset=UTF-8".into())];
        Self { status, headers, body: body.into_bytes() }
    }

    /// The whole answer, to be written at once.
    pub(crate) fn to_bytes(&self, keep_alive: bool) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason_phrase(self.status));
        for (name, value) in &self.headers {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        }
        let connection = match (self.status, keep_alive) {
            (101, _) => "Upgrade",
            (_, true) => "keep-alive",
            (_, false) => "close",
        };
        head.push_str("Connection: ");
        head.push_str(connection);
        if self.status != 101 {
            head.push_str("\r\nContent-Length: ");
            head.push_str(&self.body.len().to_string());
        }
        head.push_str("\r\n\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

impl From<&Reply> for Response {
    fn from(reply: &Reply) -> Self {
        let headers = reply.headers.iter().map(|(name, value)| (name.clone().into(), value.clone()));
        Self { status: reply.status, headers: headers.collect(), body: reply.body.clone() }
    }
}

fn reason_phrase(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(text: &str) -> Request {
        let (request, used) = parse(text.as_bytes()).unwrap().unwrap();
        assert_eq!(used, text.len());
        request
    }

    fn refused(text: &str) -> u16 {
        parse(text.as_bytes()).unwrap_err().status
    }

    #[test]
    fn a_request_is_taken_apart() {
        let request = one("DELETE /x/y?symbol=BTC%2FUSDT&n=5&n=6&empty=&a+b=%zz HTTP/1.1\r\n\
             Host: h\r\nX-Auth-Key:  abc \r\nContent-Length: 2\r\n\r\n{}");
        assert_eq!((request.method.as_str(), request.path.as_str()), ("DELETE", "/x/y"));
        assert_eq!(request.param("symbol"), Some("BTC/USDT"));
        assert_eq!(request.param("n"), Some("5"));
        assert_eq!(request.param("empty"), None);
        assert_eq!(request.param("a b"), Some("%zz"));
        assert_eq!(request.header("x-auth-key"), Some("abc"));
        assert_eq!(request.body, b"{}");
        assert!(request.keep_alive);
    }

    #[test]
    fn keep_alive_follows_version_and_header() {
        assert!(one("GET / HTTP/1.1\r\n\r\n").keep_alive);
        assert!(!one("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n").keep_alive);
        assert!(!one("GET / HTTP/1.0\r\n\r\n").keep_alive);
        assert!(one("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
    }

    #[test]
    fn requests_in_a_row_are_taken_one_by_one() {
        let text = "GET /a HTTP/1.1\r\nContent-Length: 1\r\n\r\nxGET /b HTTP/1.1\r\n\r\n";
        let (first, used) = parse(text.as_bytes()).unwrap().unwrap();
        let (second, rest) = parse(&text.as_bytes()[used..]).unwrap().unwrap();
        assert_eq!((first.path.as_str(), second.path.as_str()), ("/a", "/b"));
        assert_eq!(used + rest, text.len());
    }

    #[test]
    fn what_is_too_large_or_malformed_is_refused() {
        assert_eq!(refused("nonsense\r\n\r\n"), 400);
        assert_eq!(refused("GET / HTTP/3.0\r\n\r\n"), 400);
        assert_eq!(refused("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"), 400);
        assert_eq!(refused("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), 400);
        assert_eq!(refused("GET / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n"), 413);
        assert_eq!(refused(&format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", MAX_BODY + 1)), 413);
        assert_eq!(refused("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), 411);
        assert_eq!(refused(&format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(MAX_TARGET))), 414);
        assert_eq!(refused(&format!("GET /{}", "a".repeat(MAX_TARGET))), 414);
        assert_eq!(refused(&format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(MAX_HEAD))), 431);
        assert_eq!(refused(&format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(MAX_HEAD))), 431);
        assert_eq!(refused(&format!("GET / HTTP/1.1\r\n{}\r\n", "A: a\r\n".repeat(MAX_HEADERS + 1))), 431);
        one(&format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(MAX_TARGET - 1)));
    }

    #[test]
    fn an_upgrade_is_checked() {
        let upgrade = |extra: &str| {
            one(&format!("GET /s HTTP/1.1\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n{extra}\r\n"))
        };
        let good = upgrade("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
        assert!(good.is_upgrade());
        assert_eq!(good.upgrade_key(), Ok("dGhlIHNhbXBsZSBub25jZQ=="));
        assert_eq!(upgrade("Sec-WebSocket-Version: 13\r\n").upgrade_key().unwrap_err().status, 400);
        assert_eq!(upgrade("Sec-WebSocket-Version: 8\r\n").upgrade_key().unwrap_err().status, 426);
        assert!(!one("GET /s HTTP/1.1\r\nUpgrade: websocket\r\n\r\n").is_upgrade());
    }

    #[test]
    fn an_answer_is_written_whole() {
        let text = |response: Response, keep| String::from_utf8(response.to_bytes(keep)).unwrap();
        assert_eq!(
            text(Response::json(200, "{}".into()), true),
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}"
        );
        assert!(
            text(Response::plain(404, "x"), false).contains("\r\nConnection: close\r\nContent-Length: 2\r\n\r\nx\n")
        );
        assert!(text(Response::switch_to_websocket("k".into()), false).ends_with("\r\nConnection: Upgrade\r\n\r\n"));
    }

    fn request_text() -> impl Strategy<Value = Vec<u8>> {
        let header = ("[A-Za-z-]{1,12}", "[ -~]{0,30}").prop_map(|(n, v)| format!("{n}: {v}\r\n"));
        ("[A-Z]{1,7}", "/[!-~]{0,40}", proptest::collection::vec(header, 0..6), proptest::collection::vec(0u8.., 0..60))
            .prop_map(|(method, target, headers, body)| {
                let head = format!("{method} {target} HTTP/1.1\r\n{}", headers.concat());
                let mut bytes = format!("{head}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
                bytes.extend(body);
                bytes
            })
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(0u8.., 0..400)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn damaged_requests_never_panic(mut bytes in request_text(), at in 0usize..200, with in 0u8..) {
            let len = bytes.len();
            bytes[at % len] = with;
            let _ = parse(&bytes);
        }

        #[test]
        fn every_cut_asks_for_more_until_the_request_is_whole(bytes in request_text()) {
            let whole = parse(&bytes);
            for cut in 0..bytes.len() {
                match (parse(&bytes[..cut]), &whole) {
                    (Ok(None), _) => {}
                    // The verdict on a head holds once the head is whole.
                    (early, _) => prop_assert_eq!(&early, &whole, "cut at {}", cut),
                }
            }
        }

        #[test]
        fn queries_never_panic(query in "[%+&=0-9a-fA-Fé]{0,40}") {
            parse_query(&query);
        }
    }
}
