//! Heap allocations for each event of each kind, from the socket to the consumer, beside those that `tungstenite` alone
//! makes for the same bytes.
//!
//! The server is a thread of this process that allocates nothing while it is counted.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use bitmax::{Authentication, Client, Credentials, Endpoint, Event};
use tungstenite::Message;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Messages that are sent at once; the next go when these have arrived.
const BATCH: usize = 50;
const BATCHES: usize = 200;

const GREETING: &str = r#"{"m":"connected","type":"auth"}"#;
const INFO: &str = include_str!("../../../../tests/fixtures/rest/account-info.json");

fn main() -> Result<(), Box<dyn Error>> {
    let _profiler = dhat::Profiler::builder().testing().build();
    let levels = |n: usize, price: usize| {
        let levels: Vec<_> = (0..n).map(|at| format!(r#"["{}.5","{}"]"#, price + at, at + 1)).collect();
        levels.join(",")
    };
    let depth = format!(
        r#"{{"m":"depth","symbol":"BTC/USDT","data":{{"ts":1573069021376,"seqnum":2097965,"asks":[{}],"bids":[{}]}}}}"#,
        levels(10, 50_000),
        levels(10, 40_000)
    );
    let kinds = [
        ("bbo", include_str!("../../../../tests/fixtures/ws/bbo.json")),
        ("trades", include_str!("../../../../tests/fixtures/ws/trades.json")),
        ("depth-20", &depth),
        ("bar", include_str!("../../../../tests/fixtures/ws/bar.json")),
        ("order", include_str!("../../../../tests/fixtures/ws/order.json")),
        ("balance", include_str!("../../../../tests/fixtures/ws/balance-cash.json")),
    ];
    for (name, text) in kinds {
        // As the exchange writes it.
        let text: String = text.split_whitespace().collect();
        let (ours, bare) = (typed(&text)?, bare(&text)?);
        println!("{name} {ours:.2} {bare:.2} {:.2}", ours - bare);
    }
    Ok(())
}

/// A server that sends a batch each time that it is told to.
fn server(text: &str) -> Result<(SocketAddr, Sender<()>), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (more, wanted) = mpsc::channel();
    let mut frame = vec![0x81];
    match u8::try_from(text.len()) {
        Ok(short @ ..126) => frame.push(short),
        _ => {
            frame.push(126);
            frame.extend(u16::try_from(text.len())?.to_be_bytes());
        }
    }
    frame.extend(text.as_bytes());
    let batch = frame.repeat(BATCH);
    thread::spawn(move || {
        if let Err(e) = serve(&listener, &batch, &wanted) {
            eprintln!("{e}");
        }
    });
    Ok((address, more))
}

fn serve(listener: &TcpListener, batch: &[u8], wanted: &Receiver<()>) -> Result<(), Box<dyn Error>> {
    for socket in listener.incoming() {
        let mut socket = socket?;
        let mut start = [0; 64];
        let n = socket.peek(&mut start)?;
        if !String::from_utf8_lossy(&start[..n]).contains("/stream") {
            let mut request = [0; 4096];
            let _ = socket.read(&mut request)?;
            write!(socket, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{INFO}", INFO.len())?;
            continue;
        }
        let mut websocket = tungstenite::accept(socket).map_err(|e| e.to_string())?;
        websocket.send(Message::text(GREETING))?;
        while wanted.recv().is_ok() {
            websocket.get_mut().write_all(batch)?;
        }
        return Ok(());
    }
    Ok(())
}

/// Allocations a message, when each batch is asked for and consumed by these two.
fn counted(more: &Sender<()>, mut consume: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let mut before = 0;
    for batch in 0..=BATCHES {
        // The first is not counted: buffers grow to their size.
        if batch == 1 {
            before = dhat::HeapStats::get().total_blocks;
        }
        more.send(())?;
        for _ in 0..BATCH {
            consume()?;
        }
    }
    Ok((dhat::HeapStats::get().total_blocks - before) as f64 / (BATCH * BATCHES) as f64)
}

fn typed(text: &str) -> Result<f64, Box<dyn Error>> {
    let (address, more) = server(text)?;
    let endpoint = Endpoint::new(format!("http://{address}"), format!("ws://{address}"))?;
    let client = Client::builder(endpoint).credentials(Credentials::new("k", "s")?).clock_correction(false).build()?;
    let stream = client.stream().authenticate(Authentication::Header).connect()?;
    while !matches!(stream.recv()?, Event::Connected { .. }) {}
    counted(&more, || match stream.recv()? {
        Event::Bbo(_) | Event::Trades(_) | Event::Depth(_) | Event::Bar(_) | Event::Order(_) | Event::Balance(_) => {
            Ok(())
        }
        other => Err(format!("{other:?}").into()),
    })
}

fn bare(text: &str) -> Result<f64, Box<dyn Error>> {
    let (address, more) = server(text)?;
    let url = format!("ws://{address}/0/api/pro/v1/stream");
    let (mut websocket, _) = tungstenite::client(url, TcpStream::connect(address)?).map_err(|e| e.to_string())?;
    while !websocket.read()?.is_text() {}
    counted(&more, || match websocket.read()? {
        Message::Text(_) => Ok(()),
        other => Err(format!("{other:?}").into()),
    })
}
