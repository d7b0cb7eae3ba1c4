//! Raw clients for tests: HTTP and WebSocket over a plain socket, knowing nothing of the crate. Every wait has a
//! deadline.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::time::Duration;

use serde_json::Value;
use tungstenite::protocol::Role;
use tungstenite::{ClientRequestBuilder, HandshakeError, Message, WebSocket};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An answer taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {:?}", self.body))
    }

    /// `data` of a successful answer.
    pub(crate) fn data(&self) -> Value {
        let mut json = self.json();
        assert_eq!((self.status, &json["code"]), (200, &Value::from(0)), "{json}");
        json["data"].take()
    }

    /// `code` and `reason` of a refused call.
    pub(crate) fn refusal(&self) -> (i64, String) {
        let json = self.json();
        assert!(json["message"].is_string(), "{json}");
        (json["code"].as_i64().unwrap(), json["reason"].as_str().unwrap().to_owned())
    }
}

/// One kept-alive connection.
pub(crate) struct Http {
    socket: TcpStream,
    unread: Vec<u8>,
}

impl Http {
    pub(crate) fn connect(port: u16) -> Self {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, unread: Vec::new() }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    pub(crate) fn ask(&mut self, target: &str) {
        self.write(format!("GET {target} HTTP/1.1\r\nHost: sandbox\r\n\r\n").as_bytes());
    }

    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.ask(target);
        self.answer()
    }

    pub(crate) fn request(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send(method, target, headers, body);
        self.answer()
    }

    /// As [`request`](Self::request), without waiting for the answer.
    pub(crate) fn send(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) {
        let mut text = format!("{method} {target} HTTP/1.1\r\nHost: sandbox\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        self.write(format!("{text}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    /// Says nothing more, and gives all that still comes until the server closes the connection.
    pub(crate) fn rest(mut self) -> Vec<u8> {
        self.socket.shutdown(Shutdown::Write).unwrap();
        while self.read_more() > 0 {}
        self.unread
    }

    pub(crate) fn ask_upgrade(&mut self, path: &str, headers: &[(&str, &str)]) {
        let mut text = format!(
            "GET {path} HTTP/1.1\r\nHost: sandbox\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        self.write(format!("{text}\r\n").as_bytes());
    }

    /// The next answer.
    pub(crate) fn answer(&mut self) -> Answer {
        self.answer_if_any().unwrap_or_else(|| panic!("the connection ended before an answer: {:?}", self.unread))
    }

    /// The next answer; `None` where the connection ends before the end of its head.
    pub(crate) fn answer_if_any(&mut self) -> Option<Answer> {
        let head_end = loop {
            if let Some(at) = self.unread.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            if self.read_more() == 0 {
                return None;
            }
        };
        let head = String::from_utf8(self.unread.drain(..head_end).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "))
            .map_or(0, |length| length.parse().unwrap());
        while self.unread.len() < length {
            assert!(self.read_more() > 0, "the connection ended within an answer");
        }
        let body = String::from_utf8(self.unread.drain(..length).collect()).unwrap();
        Some(Answer { status, head, body })
    }

    /// Whether the server closes the connection without sending more.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.unread.is_empty() && self.read_more() == 0
    }

    /// Whether nothing comes for a moment.
    pub(crate) fn is_silent(&mut self) -> bool {
        self.socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let waited = self.socket.read(&mut [0]);
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        waited.is_err_and(|e| matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    /// All that comes until the server closes the connection.
    pub(crate) fn until_closed(mut self) -> Vec<u8> {
        while self.read_more() > 0 {}
        self.unread
    }

    fn read_more(&mut self) -> usize {
        let mut chunk = [0; 4096];
        let n = self.socket.read(&mut chunk).unwrap();
        self.unread.extend_from_slice(&chunk[..n]);
        n
    }
}

/// Waits until something holds.
pub(crate) fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let end = std::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(std::time::Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// One request on a connection of its own.
pub(crate) fn get(port: u16, target: &str) -> Answer {
    Http::connect(port).get(target)
}

/// One client of the stream.
pub(crate) struct Stream(WebSocket<TcpStream>);

impl Stream {
    /// Opens the stream and takes the greeting.
    pub(crate) fn open(port: u16) -> Self {
        let mut stream = Self::upgrade(port, "/0/api/pro/v1/stream");
        assert_eq!(stream.text(), r#"{"m":"connected","type":"unauth"}"#);
        stream
    }

    pub(crate) fn upgrade(port: u16, path: &str) -> Self {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let (stream, _) = tungstenite::client(format!("ws://127.0.0.1:{port}{path}"), socket).unwrap();
        Self(stream)
    }

    /// Asks for the stream and gives the answer that refuses it.
    pub(crate) fn refused(port: u16, path: &str) -> Answer {
        match Self::with_headers(port, path, &[]) {
            Ok(_) => panic!("the stream was opened"),
            Err(answer) => answer,
        }
    }

    /// Asks for the stream with more headers; the answer, where that refuses it.
    pub(crate) fn with_headers(port: u16, path: &str, headers: &[(&str, &str)]) -> Result<Self, Answer> {
        let mut http = Http::connect(port);
        http.ask_upgrade(path, headers);
        let answer = http.answer();
        match answer.status {
            101 => Ok(Self(WebSocket::from_partially_read(http.socket, http.unread, Role::Client, None))),
            _ => Err(answer),
        }
    }

    /// Upgrades with these headers; or the status with which the upgrade was refused.
    pub(crate) fn upgrade_with(port: u16, path: &str, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = ClientRequestBuilder::new(format!("ws://127.0.0.1:{port}{path}").parse().unwrap());
        for (name, value) in headers {
            request = request.with_header(*name, *value);
        }
        match tungstenite::client(request, socket) {
            Ok((stream, _)) => Ok(Self(stream)),
            Err(HandshakeError::Failure(tungstenite::Error::Http(refusal))) => Err(refusal.status().as_u16()),
            Err(e) => panic!("{e}"),
        }
    }

    /// Takes over a socket on which the upgrade was done by hand.
    pub(crate) fn from_socket(socket: TcpStream) -> Self {
        Self(WebSocket::from_raw_socket(socket, Role::Client, None))
    }

    pub(crate) fn inner(&mut self) -> &mut WebSocket<TcpStream> {
        &mut self.0
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).unwrap();
    }

    /// The next text message.
    pub(crate) fn text(&mut self) -> String {
        loop {
            match self.0.read().unwrap() {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    pub(crate) fn json(&mut self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text:?}"))
    }

    /// The next message of this kind; others are passed over.
    pub(crate) fn next(&mut self, m: &str) -> Value {
        loop {
            let message = self.json();
            if message["m"] == m {
                return message;
            }
        }
    }

    /// Asks and takes the very next message.
    pub(crate) fn ask(&mut self, text: &str) -> Value {
        self.send(text);
        self.json()
    }

    /// The next so many texts.
    pub(crate) fn texts(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.text()).collect()
    }

    /// The bytes that come, as they are, until the server cuts the connection. Nothing may have been read ahead.
    pub(crate) fn until_cut(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.0.get_mut().read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// Says nothing more; otherwise as [`until_cut`](Self::until_cut).
    pub(crate) fn until_silent(&mut self) -> Vec<u8> {
        self.0.get_ref().shutdown(Shutdown::Write).unwrap();
        self.until_cut()
    }

    /// The texts up to and without the close frame.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        let mut texts = Vec::new();
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => texts.push(text.to_string()),
                Ok(Message::Close(_)) | Err(tungstenite::Error::ConnectionClosed) => return texts,
                Ok(_) => {}
                Err(e) => panic!("not closed politely: {e}; before that {texts:?}"),
            }
        }
    }
}
