//! Who takes part: the server, the crate's stream, and what there is without the crate.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread;

use bitmax::{Authentication, Client, Credentials, Endpoint, MessageLimits, Stream};
use rcgen::CertifiedKey;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use tungstenite::{Message, Utf8Bytes, WebSocket};

pub(crate) trait Io: Read + Write + Send {}
impl<T: Read + Write + Send> Io for T {}

pub(crate) type Socket = WebSocket<Box<dyn Io>>;

/// A server on loopback, and how to connect to it.
pub(crate) struct Server {
    address: SocketAddr,
    account: SocketAddr,
    tls: Option<Tls>,
}

#[derive(Clone)]
struct Tls {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    root: Vec<u8>,
}

impl Server {
    /// Each connection, once upgraded, is handed to the script, in a thread of its own.
    pub(crate) fn start(secure: bool, script: impl Fn(Socket) + Send + Clone + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let tls = secure.then(Tls::new);
        let config = tls.as_ref().map(|tls| Arc::clone(&tls.server));
        thread::spawn(move || {
            for socket in listener.incoming() {
                let (script, socket, config) = (script.clone(), socket.unwrap(), config.clone());
                socket.set_nodelay(true).unwrap();
                thread::spawn(move || {
                    let io: Box<dyn Io> = match config {
                        Some(config) => Box::new(StreamOwned::new(ServerConnection::new(config).unwrap(), socket)),
                        None => Box::new(socket),
                    };
                    script(tungstenite::accept(io).map_err(|e| e.to_string()).unwrap());
                });
            }
        });
        Self { address, account: answer_for_the_account(), tls }
    }

    /// The crate's stream.
    pub(crate) fn stream(&self) -> Stream {
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        let endpoint = Endpoint::new(format!("http://{}", self.account), format!("{scheme}://{}", self.address));
        let mut client =
            Client::builder(endpoint.unwrap()).credentials(Credentials::new("k", "s").unwrap()).clock_correction(false);
        if let Some(tls) = &self.tls {
            client = client.root_certificate(&tls.root);
        }
        let mut limits = MessageLimits::default();
        (limits.orders, limits.requests) = (u32::MAX, u32::MAX);
        let client = client.build().unwrap();
        client.stream().authenticate(Authentication::Header).limits(limits).connect().unwrap()
    }

    /// A WebSocket of `tungstenite` that blocks, and its socket.
    pub(crate) fn socket(&self) -> (Socket, TcpStream) {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_nodelay(true).unwrap();
        let same = socket.try_clone().unwrap();
        let io: Box<dyn Io> = match &self.tls {
            Some(tls) => {
                let name = ServerName::try_from("127.0.0.1").unwrap();
                Box::new(StreamOwned::new(ClientConnection::new(Arc::clone(&tls.client), name).unwrap(), socket))
            }
            None => Box::new(socket),
        };
        let url = format!("ws://{}/0/api/pro/v1/stream", self.address);
        (tungstenite::client(url, io).map_err(|e| e.to_string()).unwrap().0, same)
    }

    /// A loop of `mio` and `tungstenite` in a thread that forwards each text through a channel.
    pub(crate) fn bare_loop(&self) -> mpsc::Receiver<Utf8Bytes> {
        let (mut websocket, socket) = self.socket();
        let (sender, receiver) = mpsc::channel();
        socket.set_nonblocking(true).unwrap();
        thread::spawn(move || {
            let mut poll = mio::Poll::new().unwrap();
            let mut events = mio::Events::with_capacity(8);
            let mut source = mio::net::TcpStream::from_std(socket);
            poll.registry().register(&mut source, mio::Token(0), mio::Interest::READABLE).unwrap();
            loop {
                match websocket.read() {
                    Ok(Message::Text(text)) => {
                        if sender.send(text).is_err() {
                            return;
                        }
                    }
                    Ok(_) => {}
                    Err(tungstenite::Error::Io(e)) if e.kind() == io::ErrorKind::WouldBlock => {
                        poll.poll(&mut events, None).unwrap();
                    }
                    Err(_) => return,
                }
            }
        });
        receiver
    }
}

impl Tls {
    fn new() -> Self {
        let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { server: Arc::new(server), client: Arc::new(client), root: cert.der().to_vec() }
    }
}

/// REST, as far as a stream asks: for the account group.
fn answer_for_the_account() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut some = [0; 1024];
                let n = socket.read(&mut some).unwrap();
                request.extend_from_slice(some.get(..n).unwrap());
            }
            let body = include_str!("../../tests/fixtures/rest/account-info.json");
            let length = body.len();
            write!(socket, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
        }
    });
    address
}
