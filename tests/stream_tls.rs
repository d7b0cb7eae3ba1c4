//! TLS: whom the stream trusts, what it makes of a bad handshake, and that it needs no look-up of a provider of
//! cryptography.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![cfg(feature = "rustls")]

#[path = "support/ws.rs"]
mod ws;

use std::error::Error as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Once, mpsc};
use std::time::Duration;

use bitmax::model::AccountCategory;
use bitmax::{Channel, Client, Credentials, Endpoint, Error, Event, Phase, StreamBuilder, Timeout};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use ws::{AUTHENTICATED, KEY, PATIENCE, PING, Peer, SECRET, Server, TEXT, bbo, frame, next, quick};

/// The program has installed another provider, of which nothing can be made: whoever looks one up panics. So it is
/// where two of them are linked and none is installed.
fn install_a_useless_provider() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let useless = CryptoProvider { cipher_suites: Vec::new(), kx_groups: Vec::new(), ..ring::default_provider() };
        useless.install_default().unwrap();
    });
}

/// Who signs the servers' certificates, and what they are.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        Self::of_name("an authority")
    }

    fn of_name(name: &str) -> Self {
        install_a_useless_provider();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A server with a certificate for this host.
    fn server(&self, host: &str) -> Arc<ServerConfig> {
        self.sign(&CertificateParams::new([host.to_owned()]).unwrap())
    }

    fn sign(&self, params: &CertificateParams) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        config(&certificate, &key)
    }

    /// A client that trusts this authority and no other.
    fn client(&self, address: SocketAddr) -> Client {
        let endpoint = Endpoint::new(format!("https://{address}"), format!("wss://{address}")).unwrap();
        let credentials = Credentials::new(KEY, SECRET).unwrap();
        Client::builder(endpoint)
            .root_certificate(self.0.der())
            .credentials(credentials)
            .clock_correction(false)
            .build()
            .unwrap()
    }

    fn stream(&self, server: &Server) -> StreamBuilder {
        quick(self.client(server.address()).stream())
    }
}

fn config(certificate: &rcgen::Certificate, key: &KeyPair) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    Arc::new(config)
}

type Tls<S = TcpStream> = StreamOwned<ServerConnection, S>;

fn tls<S: Read + Write>(config: &Arc<ServerConfig>, socket: S) -> Tls<S> {
    StreamOwned::new(ServerConnection::new(Arc::clone(config)).unwrap(), socket)
}

#[test]
fn looking_up_a_provider_fails_here() {
    install_a_useless_provider();
    std::panic::catch_unwind(rustls::ClientConfig::builder).unwrap_err();
}

#[test]
fn with_its_own_root_an_account_is_streamed_and_asked_for() {
    let authority = Authority::new();
    let server_config = authority.server("127.0.0.1");
    let server = Server::start(move |number, socket| {
        let mut tls = tls(&server_config, socket);
        if number == 0 {
            ws::answer_info(&mut tls);
            tls.conn.send_close_notify();
            return tls.flush().unwrap();
        }
        #[allow(clippy::result_large_err, reason = "the type is the library's")]
        let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            assert_eq!(request.headers()["x-auth-key"], KEY);
            Ok(response)
        };
        let mut peer = Peer(tungstenite::accept_hdr(tls, look).map_err(|e| e.to_string()).unwrap());
        peer.say(AUTHENTICATED);
        peer.say(&bbo("A/B", 1));
        assert_eq!(peer.acknowledge_sub(), "order:cash");
        assert_eq!(peer.wait_for_close().map(|frame| u16::from(frame.code)), Some(1000));
    });
    let stream = authority.stream(&server).subscribe(Channel::orders(AccountCategory::Cash)).connect().unwrap();
    assert!(matches!(next(&stream), Event::Connected { authenticated: true, .. }));
    assert!(matches!(next(&stream), Event::Bbo(_)));
    assert!(matches!(next(&stream), Event::Subscribed(_)));
}

#[test]
fn certificates_that_are_not_good_are_refused_as_what_they_are() {
    let authority = Authority::new();
    let mut expired = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    (expired.not_before, expired.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
    let mut early = expired.clone();
    (early.not_before, early.not_after) = (date_time_ymd(3019, 1, 1), date_time_ymd(3020, 1, 1));
    let own = KeyPair::generate().unwrap();
    let self_signed = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().self_signed(&own).unwrap();
    for (server_config, reason) in [
        (authority.sign(&expired), "expired"),
        (authority.sign(&early), "not valid yet"),
        (authority.server("127.0.0.2"), "not valid for name"),
        (authority.server("exchange.example"), "not valid for name"),
        (config(&self_signed, &own), "UnknownIssuer"),
        (Authority::of_name("another").server("127.0.0.1"), "UnknownIssuer"),
    ] {
        let (heard, was_heard) = mpsc::channel();
        let server = Server::start(move |_, socket| {
            // Not a byte of the upgrade reaches who cannot say who it is.
            heard.send(tls(&server_config, socket).read(&mut [0; 64]).is_err()).unwrap();
        });
        match authority.stream(&server).connect() {
            Err(Error::Transport(e)) => {
                assert_eq!(e.phase(), Phase::Tls, "{reason}");
                let error = Error::Transport(e);
                assert!(!error.may_have_executed() && !error.is_retryable());
                let source = error.source().unwrap().to_string();
                assert!(source.contains(reason), "{source} is not {reason}");
            }
            other => panic!("{reason}: {other:?}"),
        }
        assert!(was_heard.recv_timeout(PATIENCE).unwrap(), "{reason}");
    }
}

#[test]
fn a_server_that_speaks_no_tls_is_refused() {
    let authority = Authority::new();
    let server = Server::start(|_, mut socket| {
        assert!(socket.read(&mut [0; 4096]).unwrap() > 0);
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    match authority.stream(&server).connect() {
        Err(Error::Transport(e)) => assert_eq!(e.phase(), Phase::Tls),
        other => panic!("{other:?}"),
    }
}

/// Writes byte by byte.
struct Slow(TcpStream);

impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&bytes[..bytes.len().min(1)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn a_slow_handshake_is_waited_for_until_its_deadline() {
    let authority = Authority::new();
    let server_config = authority.server("127.0.0.1");
    let server = Server::start(move |number, socket| {
        if number == 0 {
            // The handshake begins, and goes no further.
            let mut connection = ServerConnection::new(Arc::clone(&server_config)).unwrap();
            connection.read_tls(&mut &socket).unwrap();
            connection.process_new_packets().unwrap();
            let mut flight = Vec::new();
            while connection.wants_write() {
                connection.write_tls(&mut flight).unwrap();
            }
            (&socket).write_all(&flight[..flight.len() / 2]).unwrap();
            while (&socket).read(&mut [0; 4096]).is_ok_and(|n| n > 0) {}
            return;
        }
        let mut tls = tls(&server_config, Slow(socket));
        while tls.conn.is_handshaking() {
            tls.conn.complete_io(&mut tls.sock).unwrap();
        }
        // The upgrade itself must not be that slow.
        let mut peer = Peer::greet(StreamOwned::new(tls.conn, tls.sock.0));
        peer.say(&bbo("A/B", 1));
        drop(peer.wait_for_close());
    });
    let stream = authority.stream(&server).connect_timeout(Duration::from_secs(2)).start().unwrap();
    match next(&stream) {
        Event::ConnectFailed(outage) => assert!(matches!(outage.error, Error::Timeout(Timeout::Connect)), "{outage:?}"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(next(&stream), Event::Connected { .. }));
    assert!(matches!(next(&stream), Event::Bbo(_)));
}

/// What `tls` would write next.
fn records(tls: &mut Tls) -> Vec<u8> {
    let mut bytes = Vec::new();
    while tls.conn.wants_write() {
        tls.conn.write_tls(&mut bytes).unwrap();
    }
    bytes
}

#[test]
fn a_record_that_is_cut_ends_the_connection_and_what_is_no_record_does() {
    let authority = Authority::new();
    let server_config = authority.server("127.0.0.1");
    let server = Server::start(move |number, socket| {
        if number == 0 || number == 1 {
            // In the middle of the handshake.
            let mut tls = tls(&server_config, socket);
            tls.conn.read_tls(&mut tls.sock).unwrap();
            tls.conn.process_new_packets().unwrap();
            let flight = records(&mut tls);
            tls.sock.write_all(&flight[..flight.len() / 2]).unwrap();
            if number == 0 {
                ws::reset(&tls.sock);
            }
            return;
        }
        let mut peer = Peer::greet(tls(&server_config, socket));
        peer.say(&bbo("A/B", 1));
        if number == 4 {
            // The client has read so far: what it reads together with a bad record is lost with it.
            peer.say(r#"{"m":"ping","hp":3}"#);
            assert_eq!(peer.hear(), r#"{"op":"pong"}"#);
        }
        let tls = peer.0.get_mut();
        tls.conn.writer().write_all(&frame(TEXT, bbo("A/B", 2).as_bytes())).unwrap();
        let record = records(tls);
        match number {
            2 => tls.sock.write_all(&record[..record.len() / 2]).unwrap(),
            3 => {
                tls.sock.write_all(&record[..record.len() / 2]).unwrap();
                ws::reset(&tls.sock);
            }
            // One that was changed on its way.
            4 => {
                let mut record = record;
                let last = record.len() - 1;
                record[last] ^= 1;
                tls.sock.write_all(&record).unwrap();
                while tls.sock.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {}
            }
            // The end is said in the ordinary way.
            5 => {
                tls.sock.write_all(&record).unwrap();
                tls.conn.send_close_notify();
                tls.flush().unwrap();
            }
            _ => {
                tls.sock.write_all(&record).unwrap();
                drop(peer.wait_for_close());
            }
        }
    });
    let stream = authority.stream(&server).start().unwrap();
    let mut log = Vec::new();
    while log.last().is_none_or(|last| last != "2") || log.iter().filter(|l| *l == "2").count() < 2 {
        log.push(match next(&stream) {
            Event::Connected { .. } | Event::Reconnected { .. } => "up".to_owned(),
            Event::Bbo(bbo) => bbo.ts.to_string(),
            Event::ConnectFailed(outage) | Event::Disconnected(outage) => match outage.error {
                Error::Transport(e) => format!("{:?}", e.phase()),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        });
    }
    let cut = ["up", "1", "Exchange"];
    let expected = [&["Tls", "Tls"][..], &cut, &cut, &cut, &["up", "1", "2", "Exchange", "up", "1", "2"]].concat();
    assert_eq!(log, expected);
}

/// As over plain sockets.
#[test]
fn what_came_before_the_end_is_delivered() {
    const MESSAGES: u64 = 200;
    let authority = Authority::new();
    let server_config = authority.server("127.0.0.1");
    let server = Server::start(move |_, socket| {
        let mut peer = Peer::greet(tls(&server_config, socket));
        let ping = [frame(PING, b"?"), frame(TEXT, br#"{"m":"ping","hp":3}"#)].concat();
        let text = |ts| frame(TEXT, bbo("BTC/USDT", ts).as_bytes());
        let bytes: Vec<u8> = (1..=MESSAGES).flat_map(|ts| [text(ts), ping.clone()].concat()).collect();
        peer.0.get_mut().write_all(&bytes).unwrap();
        peer.0.get_mut().flush().unwrap();
        ws::reset(&peer.0.get_ref().sock);
    });
    let hour = Duration::from_secs(3600);
    let stream = authority.stream(&server).backoff(hour, hour).connect().unwrap();
    assert!(matches!(next(&stream), Event::Connected { .. }));
    for ts in 1..=MESSAGES {
        let event = next(&stream);
        assert!(matches!(&event, Event::Bbo(bbo) if bbo.ts == ts), "{event:?} is not {ts}");
    }
    assert!(matches!(next(&stream), Event::Disconnected(_)));
}

#[test]
fn what_the_network_has_not_taken_in_time_is_never_sent() {
    let authority = Authority::new();
    let server_config = authority.server("127.0.0.1");
    let (over, is_over) = mpsc::channel::<()>();
    let is_over = std::sync::Mutex::new(is_over);
    let (heard, was_heard) = mpsc::channel();
    let server = Server::start(move |number, socket| {
        let mut tls = tls(&server_config, socket);
        if number == 0 {
            ws::answer_info(&mut tls);
            tls.conn.send_close_notify();
            return tls.flush().unwrap();
        }
        let mut peer = Peer::upgrade(tls);
        peer.say(AUTHENTICATED);
        // Reads nothing until the client has given up; then all that came.
        assert!(is_over.lock().unwrap().recv_timeout(PATIENCE).is_ok());
        heard.send(ws::ids_of_orders(&mut peer)).unwrap();
    });
    ws::send_more_than_is_taken(authority.stream(&server), || over.send(()).unwrap(), &was_heard);
}
