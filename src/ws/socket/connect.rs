//! One attempt at a connection, without blocking: name, address by address, TLS, upgrade.

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
#[cfg(feature = "rustls")]
use std::sync::Arc;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::{ClientHandshake, Request};
use tungstenite::handshake::{HandshakeError, MidHandshake};
use tungstenite::http::{HeaderValue, header};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Error as WsError, WebSocket};

use super::upgrade::{self, Io};
use crate::clock::wall_nanos;
use crate::credentials::concealed;
use crate::error::{Error, HttpError, InvalidInput, Phase, Refusal, start_of};
use crate::pace::retry_after;
use crate::ws::session::AuthHeaders;
use crate::ws::wire;

/// Where a stream connects to, and how.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    host: String,
    port: u16,
    url: String,
    user_agent: HeaderValue,
    #[cfg(feature = "rustls")]
    tls: Option<(Arc<rustls::ClientConfig>, rustls::pki_types::ServerName<'static>)>,
}

impl Target {
    /// `url` is a whole `ws` or `wss` URL. `tls` is used for the latter.
    pub(crate) fn new(
        url: String,
        user_agent: &str,
        #[cfg(feature = "rustls")] tls: &Arc<rustls::ClientConfig>,
    ) -> Result<Self, InvalidInput> {
        let bad = |reason: String| InvalidInput::new("url", format!("{url}: {reason}"));
        let uri: tungstenite::http::Uri = url.parse().map_err(|e| bad(format!("{e}")))?;
        let secure = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") if cfg!(feature = "rustls") => true,
            Some("wss") => return Err(bad("wss needs the feature rustls".to_owned())),
            _ => return Err(bad("the scheme is not ws or wss".to_owned())),
        };
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        #[cfg(feature = "rustls")]
        let tls = if secure {
            let name = host.clone().try_into().map_err(|e| bad(format!("{e}")))?;
            Some((Arc::clone(tls), name))
        } else {
            None
        };
        Ok(Self {
            port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            user_agent: user_agent.parse().map_err(|_| InvalidInput::new("user agent", "is no header value"))?,
            host,
            url,
            #[cfg(feature = "rustls")]
            tls,
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    fn request(&self, auth: Option<&AuthHeaders>) -> Result<Request, WsError> {
        let mut request = self.url.as_str().into_client_request()?;
        request.headers_mut().insert(header::USER_AGENT, self.user_agent.clone());
        for (name, value) in auth.into_iter().flat_map(|auth| &auth.0) {
            let mut value = HeaderValue::from_str(value)?;
            value.set_sensitive(true);
            request.headers_mut().insert(*name, value);
        }
        Ok(request)
    }
}

/// What the attempt has come to.
pub(super) enum Progress {
    /// It waits: for the name, or for the socket.
    Pending,
    /// The host's name is to be resolved, elsewhere; [`Attempt::resolved`] takes the answer.
    Resolve(String, u16),
    Open(Box<WebSocket<Io>>),
    Failed(Error),
}

pub(super) struct Attempt {
    target: Target,
    headers: Option<AuthHeaders>,
    websocket: WebSocketConfig,
    stage: Stage,
    /// The addresses that are left to try.
    addresses: std::vec::IntoIter<SocketAddr>,
    /// When the whole attempt is over.
    deadline: Duration,
    /// When the present address is given up for the next.
    address_deadline: Duration,
}

enum Stage {
    Resolving,
    Connecting(TcpStream),
    #[cfg(feature = "rustls")]
    Tls(Box<rustls::ClientConnection>, Wire),
    Upgrading(Box<MidHandshake<ClientHandshake<Io>>>),
    Over,
}

impl Attempt {
    pub(super) fn new(
        target: Target,
        headers: Option<AuthHeaders>,
        websocket: WebSocketConfig,
        deadline: Duration,
    ) -> Self {
        let addresses = Vec::new().into_iter();
        Self { target, headers, websocket, stage: Stage::Resolving, addresses, deadline, address_deadline: deadline }
    }

    /// Begins. A host that is an address is not looked up.
    pub(super) fn start(&mut self, registry: &Registry, token: Token, now: Duration) -> Progress {
        match self.target.host.parse::<IpAddr>() {
            Ok(ip) => self.resolved(Ok(vec![SocketAddr::new(ip, self.target.port)]), registry, token, now),
            Err(_) => Progress::Resolve(self.target.host.clone(), self.target.port),
        }
    }

    /// The host's addresses.
    pub(super) fn resolved(
        &mut self,
        addresses: io::Result<Vec<SocketAddr>>,
        registry: &Registry,
        token: Token,
        now: Duration,
    ) -> Progress {
        match addresses {
            Ok(addresses) => {
                self.addresses = addresses.into_iter();
                let none = Error::transport(Phase::Resolve, "the name has no address");
                self.next_address(none, registry, token, now)
            }
            Err(e) => Progress::Failed(Error::transport(Phase::Resolve, e)),
        }
    }

    /// When [`advance`](Self::advance) is due though the socket says nothing.
    pub(super) fn deadline(&self) -> Option<Duration> {
        matches!(self.stage, Stage::Connecting(_)).then_some(self.address_deadline)
    }

    /// Tries the next address; `error` is what the last one said.
    fn next_address(&mut self, error: Error, registry: &Registry, token: Token, now: Duration) -> Progress {
        let mut error = error;
        loop {
            // An address that does not answer must leave time for the others.
            let left = u32::try_from(self.addresses.len()).unwrap_or(u32::MAX).max(1);
            let Some(address) = self.addresses.next() else {
                self.stage = Stage::Over;
                return Progress::Failed(error);
            };
            self.address_deadline = now + self.deadline.saturating_sub(now) / left;
            let connecting = TcpStream::connect(address).and_then(|mut stream| {
                registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
                Ok(stream)
            });
            match connecting {
                Ok(stream) => {
                    self.stage = Stage::Connecting(stream);
                    return Progress::Pending;
                }
                Err(e) => error = Error::transport(Phase::Connect, e),
            }
        }
    }

    /// The socket is ready for something, or the time has come: goes as far as that allows.
    pub(super) fn advance(&mut self, registry: &Registry, token: Token, now: Duration) -> Progress {
        let step = match std::mem::replace(&mut self.stage, Stage::Over) {
            stage @ (Stage::Resolving | Stage::Over) => Step::Wait(stage),
            Stage::Connecting(stream) => match connected(&stream) {
                Ok(true) => self.secure(stream),
                Ok(false) if now < self.address_deadline => Step::Wait(Stage::Connecting(stream)),
                not_connected => {
                    drop(stream);
                    let error = not_connected.err().unwrap_or_else(|| io::ErrorKind::TimedOut.into());
                    return self.next_address(Error::transport(Phase::Connect, error), registry, token, now);
                }
            },
            #[cfg(feature = "rustls")]
            Stage::Tls(tls, stream) => self.shake_hands(tls, stream),
            Stage::Upgrading(upgrade) => self.upgraded(upgrade.handshake()),
        };
        match step {
            Step::Wait(stage) => {
                self.stage = stage;
                Progress::Pending
            }
            Step::Open(websocket) => Progress::Open(websocket),
            Step::Failed(error) => Progress::Failed(error),
        }
    }

    /// The connection is there: TLS next, or the upgrade at once.
    fn secure(&self, stream: TcpStream) -> Step {
        if let Err(e) = stream.set_nodelay(true) {
            return Step::Failed(Error::transport(Phase::Connect, e));
        }
        let stream = Wire::new(stream);
        #[cfg(feature = "rustls")]
        if let Some((config, name)) = &self.target.tls {
            return match rustls::ClientConnection::new(Arc::clone(config), name.clone()) {
                Ok(tls) => self.shake_hands(Box::new(tls), stream),
                Err(e) => Step::Failed(Error::transport(Phase::Tls, e)),
            };
        }
        self.upgrade(Io::new(MaybeTlsStream::Plain(stream)))
    }

    #[cfg(feature = "rustls")]
    fn shake_hands(&self, mut tls: Box<rustls::ClientConnection>, mut stream: Wire) -> Step {
        while tls.is_handshaking() {
            match tls.complete_io(&mut stream) {
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Step::Wait(Stage::Tls(tls, stream)),
                Err(e) => return Step::Failed(Error::transport(Phase::Tls, e)),
            }
        }
        self.upgrade(Io::new(MaybeTlsStream::Rustls(rustls::StreamOwned::new(*tls, stream))))
    }

    fn upgrade(&self, stream: Io) -> Step {
        let request = match self.target.request(self.headers.as_ref()) {
            Ok(request) => request,
            Err(e) => return Step::Failed(Error::transport(Phase::Upgrade, e)),
        };
        self.upgraded(tungstenite::client::client_with_config(request, stream, Some(self.websocket)))
    }

    fn upgraded(
        &self,
        result: Result<(WebSocket<Io>, tungstenite::handshake::client::Response), HandshakeError<ClientHandshake<Io>>>,
    ) -> Step {
        match result {
            // Kept whole: its buffer may hold the greeting that came with the upgrade.
            Ok((websocket, _)) => Step::Open(Box::new(websocket)),
            Err(HandshakeError::Interrupted(upgrade)) => Step::Wait(Stage::Upgrading(Box::new(upgrade))),
            Err(HandshakeError::Failure(e)) => Step::Failed(refused(e, self.headers.as_ref())),
        }
    }
}

enum Step {
    Wait(Stage),
    Open(Box<WebSocket<Io>>),
    Failed(Error),
}

/// The socket. What is written to a connection that is gone is dropped, and the end is found by reading, so that all
/// that came before it is read: what the server sends last, it often sends to a client that is about to write.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    /// When bytes were last read, UTC nanoseconds: one look at the clock for all messages that come together.
    read_at: u64,
}

impl Wire {
    fn new(stream: TcpStream) -> Self {
        Self { stream, read_at: wall_nanos() }
    }
}

/// When bytes were last read from the network, UTC nanoseconds.
pub(super) fn read_at(io: &Io) -> u64 {
    match &io.stream {
        MaybeTlsStream::Plain(wire) => wire.read_at,
        #[cfg(feature = "rustls")]
        MaybeTlsStream::Rustls(tls) => tls.sock.read_at,
        // The library may know others; here there are none.
        _ => wall_nanos(),
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(buffer)?;
        self.read_at = wall_nanos();
        Ok(n)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.stream.write(bytes) {
            Err(e) if !matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                log::debug!("the connection is gone: {e}");
                Ok(bytes.len())
            }
            result => result,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Whether a socket that is being connected is.
fn connected(stream: &TcpStream) -> io::Result<bool> {
    if let Some(e) = stream.take_error()? {
        return Err(e);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(e) => Err(e),
    }
}

/// Why the upgrade failed. Should the server echo what is secret in the headers, that is blotted out.
fn refused(error: WsError, headers: Option<&AuthHeaders>) -> Error {
    let WsError::Http(response) = error else { return Error::transport(Phase::Upgrade, error) };
    let header = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let body = response.body().as_deref().unwrap_or_default();
    let body = upgrade::content(header(header::TRANSFER_ENCODING), body);
    let without_secrets = |said: &[u8]| {
        let [(_, key), _, (_, signature)] = &headers?.0;
        concealed(said, [key, signature])
    };
    let body = without_secrets(&body).map_or(body, |concealed| Cow::Owned(concealed.into_bytes()));
    let location = |location: &str| without_secrets(location.as_bytes()).unwrap_or_else(|| location.to_owned());
    let retry_after = header(header::RETRY_AFTER).and_then(retry_after);
    let status = response.status().as_u16();
    if let Some(refusal) = std::str::from_utf8(&body).ok().and_then(wire::refusal_of) {
        return Error::Refused(Box::new(Refusal { status: Some(status), retry_after, ..refusal }));
    }
    Error::Http(Box::new(HttpError {
        status,
        body: start_of(&body, 512),
        retry_after,
        location: header(header::LOCATION).map(location),
    }))
}
