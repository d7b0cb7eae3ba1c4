//! A WebSocket server that follows a script: each test says what it does with each connection.

#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bitmax::{Client, Endpoint};
use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, WebSocket};

pub const PATIENCE: Duration = Duration::from_secs(10);
pub const GREETING: &str = r#"{"m":"connected","type":"unauth"}"#;

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

/// The server's end of a WebSocket.
pub struct Peer(pub WebSocket<TcpStream>);

impl Peer {
    /// Upgrades and greets.
    pub fn greet(socket: TcpStream) -> Self {
        let mut peer = Self::upgrade(socket);
        peer.say(GREETING);
        peer
    }

    pub fn upgrade(socket: TcpStream) -> Self {
        Self(tungstenite::accept(socket).unwrap())
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
