//! A server for the programs that are measured: it acknowledges every subscription, pings every 15 s as the exchange does,
//! sends snapshots of 500 levels a side, and ten changes a second to each book that is subscribed to. It prints its
//! address and serves until it is stopped.
//!
//! `server [CERTIFICATE.der KEY.der]`: with TLS, if these are given.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tungstenite::{Message, WebSocket};

const PING: Duration = Duration::from_secs(15);
const CHANGES: Duration = Duration::from_millis(100);
const LEVELS: u64 = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let tls = match (args.next(), args.next()) {
        (Some(certificate), Some(key)) => {
            let key = PrivatePkcs8KeyDer::from(std::fs::read(key)?).into();
            let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_single_cert(vec![std::fs::read(certificate)?.into()], key)?;
            Some(Arc::new(config))
        }
        _ => None,
    };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    for socket in listener.incoming() {
        let (socket, tls) = (socket?, tls.clone());
        thread::spawn(move || {
            let ended = match tls {
                Some(config) => ServerConnection::new(config)
                    .map_err(Into::into)
                    .and_then(|connection| serve(StreamOwned::new(connection, socket), |stream| &stream.sock)),
                None => serve(socket, |stream| stream),
            };
            if let Err(e) = ended {
                eprintln!("{e}");
            }
        });
    }
    Ok(())
}

/// One session, to its end.
fn serve<S: Read + Write>(stream: S, socket: fn(&S) -> &TcpStream) -> Result<(), Box<dyn Error>> {
    let mut websocket = tungstenite::accept(stream).map_err(|e| e.to_string())?;
    websocket.send(Message::text(r#"{"m":"connected","type":"unauth"}"#))?;
    let mut books: Vec<String> = Vec::new();
    let mut seqnum = 1u64;
    let (mut ping, mut changes) = (Instant::now() + PING, Instant::now() + CHANGES);
    loop {
        let deadline = if books.is_empty() { ping } else { ping.min(changes) };
        let time = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        socket(websocket.get_ref()).set_read_timeout(Some(time))?;
        match websocket.read() {
            Ok(Message::Text(text)) => answer(&text, &mut websocket, &mut books, seqnum)?,
            Ok(_) => {}
            Err(tungstenite::Error::Io(e)) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e.into()),
        }
        let now = Instant::now();
        if now >= ping {
            websocket.send(Message::text(r#"{"m":"ping","hp":3}"#))?;
            ping = now + PING;
        }
        if now >= changes {
            seqnum += 1;
            for symbol in &books {
                let (price, size) = (level(seqnum % 40), 1 + seqnum % 1000);
                websocket.send(Message::text(format!(
                    r#"{{"m":"depth","symbol":"{symbol}","data":{{"ts":1,"seqnum":{seqnum},"asks":[["{price}","{size}"]],"bids":[]}}}}"#
                )))?;
            }
            changes = now + CHANGES;
        }
    }
}

/// The price of an ask so many levels from the best.
fn level(n: u64) -> String {
    format!("{}.{:02}", 50_001 + n / 100, n % 100)
}

fn answer<S: Read + Write>(
    text: &str,
    websocket: &mut WebSocket<S>,
    books: &mut Vec<String>,
    seqnum: u64,
) -> Result<(), tungstenite::Error> {
    let field = |name: &str| {
        let (_, rest) = text.split_once(&format!(r#""{name}":""#))?;
        rest.split_once('"').map(|(value, _)| value)
    };
    match (field("op"), field("ch"), field("symbol")) {
        (Some("sub"), Some(channel), _) => {
            websocket.send(Message::text(format!(r#"{{"m":"sub","ch":"{channel}","code":0}}"#)))?;
            if let Some(symbols) = channel.strip_prefix("depth:") {
                books.extend(symbols.split(',').map(str::to_owned));
            }
        }
        (Some("req"), _, Some(symbol)) => {
            let asks: Vec<_> = (0..LEVELS).map(|n| format!(r#"["{}","{}"]"#, level(n), 1 + n * 37 % 1000)).collect();
            let bids: Vec<_> =
                (0..LEVELS).map(|n| format!(r#"["{}.{:02}","{}"]"#, 49_999 - n / 100, 99 - n % 100, 1 + n)).collect();
            let (asks, bids) = (asks.join(","), bids.join(","));
            websocket.send(Message::text(format!(
                r#"{{"m":"depth-snapshot","symbol":"{symbol}","data":{{"ts":1,"seqnum":{seqnum},"asks":[{asks}],"bids":[{bids}]}}}}"#
            )))?;
        }
        _ => {}
    }
    Ok(())
}
