//! An HTTP server on loopback that records what comes and answers as it is told.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use bitmax::{Client, ClientBuilder, Endpoint};

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub method: String,
    pub path: String,
    /// Names and values, decoded, in their order.
    pub query: Vec<(String, String)>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// Which connection it came on, from 0.
    pub connection: usize,
}

impl Recorded {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Writes these bytes and waits for the next request.
    Bytes(Vec<u8>),
    /// Writes these bytes and closes the connection.
    Close(Vec<u8>),
    /// Writes these bytes and resets the connection.
    Reset(Vec<u8>),
    /// Writes these bytes and then nothing, until the client goes away.
    Stall(Vec<u8>),
    /// Writes these bytes and then one space again and again, until the client goes away.
    Drip(Vec<u8>),
}

impl Reply {
    /// A JSON body with status 200.
    pub fn json(body: impl AsRef<str>) -> Self {
        Self::status(200, "content-type: application/json\r\n", body.as_ref())
    }

    /// A body with a status and more header lines, each with its line end.
    pub fn status(status: u16, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::Bytes(format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes())
    }
}

/// The server. It ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Recorded>>>,
    ended: Arc<AtomicBool>,
    closed: Arc<(Mutex<usize>, Condvar)>,
}

impl Server {
    /// Answers every request with what the function says.
    pub fn start(answer: impl Fn(&Recorded) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let closed = Arc::new((Mutex::new(0), Condvar::new()));
        let answer = Arc::new(answer);
        let (log, end, done) = (Arc::clone(&requests), Arc::clone(&ended), Arc::clone(&closed));
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                if end.load(Ordering::SeqCst) {
                    break;
                }
                let (answer, log, done) = (Arc::clone(&answer), Arc::clone(&log), Arc::clone(&done));
                thread::spawn(move || {
                    serve(stream.unwrap(), connection, &*answer, &log);
                    *done.0.lock().unwrap() += 1;
                    done.1.notify_all();
                });
            }
        });
        Self { address, requests, ended, closed }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Settings of a client that makes each call once.
    pub fn builder(&self) -> ClientBuilder {
        Client::builder(Endpoint::new(self.url(), format!("ws://{}", self.address)).unwrap()).retries(0)
    }

    pub fn client(&self) -> Client {
        self.builder().build().unwrap()
    }

    /// Waits until this many connections are closed.
    pub fn wait_until_closed(&self, n: usize) {
        let (closed, wake) = &*self.closed;
        let wait = wake.wait_timeout_while(closed.lock().unwrap(), Duration::from_secs(20), |closed| *closed < n);
        assert!(!wait.unwrap().1.timed_out(), "connections are still open");
    }

    /// What came so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(stream: TcpStream, connection: usize, answer: &dyn Fn(&Recorded) -> Reply, log: &Mutex<Vec<Recorded>>) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(request) = next_request(&mut reader, connection) {
        let reply = answer(&request);
        log.lock().unwrap().push(request);
        let (Reply::Bytes(bytes)
        | Reply::Close(bytes)
        | Reply::Reset(bytes)
        | Reply::Stall(bytes)
        | Reply::Drip(bytes)) = &reply;
        if (&stream).write_all(bytes).is_err() {
            return;
        }
        match reply {
            Reply::Bytes(_) => {}
            Reply::Close(_) => return,
            Reply::Reset(_) => return socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap(),
            Reply::Stall(_) => return outlast(&stream, None),
            Reply::Drip(_) => return outlast(&stream, Some(Duration::from_millis(20))),
        }
    }
}

/// Stays until the client goes away, and writes a space at every interval where there is one.
fn outlast(mut stream: &TcpStream, interval: Option<Duration>) {
    stream.set_read_timeout(interval).unwrap();
    while match stream.read(&mut [0]) {
        Ok(n) => n > 0,
        Err(e) => matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) && stream.write_all(b" ").is_ok(),
    } {}
}

fn next_request(reader: &mut impl BufRead, connection: usize) -> Option<Recorded> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut first = lines.first()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(n, v)| (decode(n), decode(v))).collect();
    let headers: Vec<_> = lines
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, n)| n.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).unwrap();
    Some(Recorded { method, path: path.to_owned(), query, headers, body, connection })
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match (first, tail) {
            (b'%', [a, b, tail @ ..]) => {
                (u8::from_str_radix(std::str::from_utf8(&[*a, *b]).unwrap(), 16).unwrap(), tail)
            }
            _ => (*first, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    String::from_utf8(bytes).unwrap()
}
