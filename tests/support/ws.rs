//! A WebSocket server that follows a script: each test says what it does with each connection.

#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bitmax::model::{AccountCategory, Side};
use bitmax::{
    Authentication, Client, ClientOrderId, Credentials, Endpoint, Error, Event, MessageLimits, NewOrder, Stream,
    StreamBuilder,
};
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, WebSocket};

pub const PATIENCE: Duration = Duration::from_secs(10);
pub const GREETING: &str = r#"{"m":"connected","type":"unauth"}"#;
pub const AUTHENTICATED: &str = r#"{"m":"connected","type":"auth"}"#;
pub const KEY: &str = "the-key-that-nobody-sees";
pub const SECRET: &str = "the-secret-that-nobody-sees";

/// A listener whose connections are handed to a script, each in a thread of its own.
pub struct Server {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// The script gets the number of the connection, from 0, and its socket.
    pub fn start(script: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let (script, is_stopped) = (Arc::new(script), Arc::clone(&stopped));
        let thread = thread::spawn(move || {
            let mut connections = Vec::new();
            for (number, socket) in listener.incoming().enumerate() {
                if is_stopped.load(Ordering::Relaxed) {
                    break;
                }
                let (script, socket) = (Arc::clone(&script), socket.unwrap());
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
                // What is written leaves at once: a reset that follows does not take it along.
                socket.set_nodelay(true).unwrap();
                connections.push(thread::spawn(move || script(number, socket)));
            }
            drop(listener);
            for connection in connections {
                connection.join().unwrap();
            }
        });
        Self { address, stopped, thread: Some(thread) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn client(&self) -> Client {
        client_of(self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        let outcome = self.thread.take().unwrap().join();
        if !thread::panicking() {
            outcome.expect("the script held");
        }
    }
}

pub fn client_of(address: SocketAddr) -> Client {
    Client::builder(Endpoint::new(format!("http://{address}"), format!("ws://{address}")).unwrap()).build().unwrap()
}

/// The next event.
pub fn next(stream: &Stream) -> Event {
    stream.recv_timeout(PATIENCE).expect("an event in time")
}

/// The first connection is up.
pub fn connected(stream: &Stream) {
    let event = next(stream);
    assert!(matches!(event, Event::Connected { .. }), "{event:?}");
}

/// It is up again.
pub fn reconnected(stream: &Stream) {
    let event = next(stream);
    assert!(matches!(event, Event::Reconnected { .. }), "{event:?}");
}

/// Why the connection broke.
pub fn outage(stream: &Stream) -> Error {
    match next(stream) {
        Event::Disconnected(outage) => outage.error,
        other => panic!("{other:?}"),
    }
}

/// What a failure is, in short.
pub fn show(error: &Error) -> String {
    match error {
        Error::Transport(e) => format!("{:?}", e.phase()),
        Error::ClosedByServer(frame) => format!("closed {:?} {}", frame.code, frame.reason),
        other => other.kind().to_owned(),
    }
}

/// The next event is this quote.
pub fn bbo_of(stream: &Stream, ts: u64) {
    let event = next(stream);
    assert!(matches!(&event, Event::Bbo(bbo) if bbo.ts == ts), "{event:?} is not {ts}");
}

/// With no time lost between attempts, and as many as a test takes.
pub fn quick(builder: StreamBuilder) -> StreamBuilder {
    builder.backoff(Duration::from_millis(5), Duration::from_millis(50)).attempt_budget(100_000, PATIENCE)
}

/// A server that knows accounts. A connection is REST's, for the account group, or an upgrade: the script gets the
/// latter, with the signature where the headers bring one.
pub fn account_server(script: impl Fn(Peer, Option<String>) + Send + Sync + 'static) -> Server {
    Server::start(move |_, socket| {
        if is_upgrade(&socket) {
            let (peer, signed) = upgrade_account(socket);
            script(peer, signed);
        } else {
            answer_info(socket);
        }
    })
}

/// Whether what comes is the upgrade of a stream.
pub fn is_upgrade(socket: &TcpStream) -> bool {
    let mut start = [0; 64];
    let n = socket.peek(&mut start).unwrap();
    String::from_utf8_lossy(&start[..n]).contains("/stream")
}

/// Answers REST's request for the account group, which is 7.
pub fn answer_info(mut socket: impl Read + Write) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
    let body = include_str!("../fixtures/rest/account-info.json").replace("\"accountGroup\": 0", "\"accountGroup\": 7");
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    socket.write_all((head + &body).as_bytes()).unwrap();
    socket.flush().unwrap();
}

/// Upgrades a stream for an account; the signature where the headers bring one.
pub fn upgrade_account(socket: TcpStream) -> (Peer, Option<String>) {
    let mut signed = None;
    #[allow(clippy::result_large_err, reason = "the type is the library's")]
    let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        assert_eq!(request.uri().path(), "/7/api/pro/v1/stream");
        signed = request.headers().get("x-auth-signature").map(|value| value.to_str().unwrap().to_owned());
        if signed.is_some() {
            assert_eq!(request.headers()["x-auth-key"], KEY);
            assert!(request.headers().contains_key("x-auth-timestamp"));
        }
        Ok(response)
    };
    let peer = Peer(tungstenite::accept_hdr(socket, look).unwrap());
    (peer, signed)
}

/// A client with an account on that server.
pub fn account_client(server: &Server) -> Client {
    account_client_of(server.address())
}

pub fn account_client_of(address: SocketAddr) -> Client {
    let endpoint = Endpoint::new(format!("http://{address}"), format!("ws://{address}")).unwrap();
    Client::builder(endpoint).credentials(Credentials::new(KEY, SECRET).unwrap()).build().unwrap()
}

/// Whatever is under way is dropped, and the client hears a reset.
pub fn reset(socket: &TcpStream) {
    socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO)).unwrap();
}

/// A frame as it is on the wire: its first byte, and a payload.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        n @ 0..=125 => bytes.push(n as u8),
        n => {
            bytes.push(126);
            bytes.extend_from_slice(&u16::try_from(n).unwrap().to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}

pub const TEXT: u8 = 0x81;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;

/// The server's end of a WebSocket.
pub struct Peer<S = TcpStream>(pub WebSocket<S>);

impl Peer {
    /// Writes bytes past the WebSocket.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// Ends the connection: by a reset, or as a program that ends does.
    pub fn leave(self, by_reset: bool) {
        if by_reset {
            reset(self.0.get_ref());
        }
    }
}

impl<S: Read + Write> Peer<S> {
    /// Upgrades and greets.
    pub fn greet(socket: S) -> Self {
        let mut peer = Self::upgrade(socket);
        peer.say(GREETING);
        peer
    }

    pub fn upgrade(socket: S) -> Self {
        Self(tungstenite::accept(socket).map_err(|e| e.to_string()).unwrap())
    }

    pub fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).unwrap();
    }

    /// The next text that the client sends.
    pub fn hear(&mut self) -> String {
        loop {
            match self.0.read().unwrap() {
                Message::Text(text) => return text.as_str().to_owned(),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// The next text that the client sends, as JSON.
    pub fn hear_json(&mut self) -> serde_json::Value {
        serde_json::from_str(&self.hear()).unwrap()
    }

    /// Hears a `sub` and acknowledges it, symbol by symbol as the exchange does. Returns its channel.
    pub fn acknowledge_sub(&mut self) -> String {
        let message = self.hear_json();
        assert_eq!(message["op"], "sub", "{message}");
        let channel = message["ch"].as_str().unwrap().to_owned();
        let (prefix, symbols) = channel.rsplit_once(':').unwrap();
        for symbol in symbols.split(',') {
            self.say(&format!(r#"{{"m":"sub","id":{},"ch":"{prefix}:{symbol}","code":0}}"#, message["id"]));
        }
        channel
    }

    /// Waits until the client closes; its close frame, or `None` where the connection ended without one.
    pub fn wait_for_close(&mut self) -> Option<CloseFrame> {
        loop {
            match self.0.read() {
                Ok(Message::Close(frame)) => {
                    // The answer goes out with the next look.
                    while self.0.read().is_ok() {}
                    return frame;
                }
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }
}

pub fn bbo(symbol: &str, ts: u64) -> String {
    format!(r#"{{"m":"bbo","symbol":"{symbol}","data":{{"ts":{ts},"bid":["1.5","2"],"ask":["1.6","3"]}}}}"#)
}

/// The ids of the orders that come until the connection ends.
pub fn ids_of_orders<S: Read + Write>(peer: &mut Peer<S>) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        match peer.0.read() {
            Ok(Message::Text(text)) => {
                let order: serde_json::Value = serde_json::from_str(&text).unwrap();
                ids.push(order["args"]["id"].as_str().unwrap().to_owned());
            }
            Ok(other) => panic!("{other:?}"),
            Err(_) => return ids,
        }
    }
}

/// Sends orders to a server that reads none, until the client gives the connection up; `read` makes the server read what
/// there is, which it then tells. No order may come after one that did not.
pub fn send_more_than_is_taken(builder: StreamBuilder, read: impl FnOnce(), was_heard: &Receiver<Vec<String>>) {
    let mut limits = MessageLimits::default();
    (limits.orders, limits.requests) = (u32::MAX, u32::MAX);
    let hour = Duration::from_secs(3600);
    let builder = builder.authenticate(Authentication::Header).limits(limits).backoff(hour, hour);
    let stream = builder.request_timeout(Duration::from_millis(300)).connect().unwrap();
    connected(&stream);
    let order = NewOrder::limit("BTC/USDT", Side::Buy, "0.001", "50000").unwrap();
    // More than the buffers between the two hold.
    let (mut ids, mut replies) = (Vec::new(), Vec::new());
    let outage = loop {
        let id = ClientOrderId::random().unwrap();
        ids.push(id.as_str().to_owned());
        replies.push(stream.place_later(AccountCategory::Cash, &order.clone().id(id)).unwrap());
        match stream.try_recv() {
            Ok(Event::Disconnected(outage)) => break outage,
            Ok(other) => panic!("{other:?}"),
            Err(_) => {}
        }
    };
    // For one that was late, or for more than may wait to be sent.
    assert!(matches!(outage.error, Error::Transport(_)), "{outage:?}");
    let sent = replies.into_iter().map(|reply| reply.wait().unwrap_err().may_have_executed());
    let sent = sent.filter(|sent| *sent).count();
    read();
    let heard = was_heard.recv_timeout(PATIENCE).unwrap();
    assert!(!heard.is_empty() && heard.len() < sent, "{} of {sent}", heard.len());
    assert_eq!(heard, ids[..heard.len()]);
}
