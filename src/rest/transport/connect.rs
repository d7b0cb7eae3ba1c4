//! Connecting: names, sockets, and which errors come before the request is sent.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use std::{fmt, mem};

use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::time::Duration;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, NextTimeout, TcpConnector, Transport as Connection,
};

use crate::error::Phase;

/// An error from before the request was sent.
#[derive(Debug)]
pub(super) struct NotSent {
    pub(super) phase: Phase,
    pub(super) source: ureq::Error,
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.phase, self.source)
    }
}

impl std::error::Error for NotSent {}

fn mark(phase: Phase, error: ureq::Error) -> ureq::Error {
    match error {
        // A connection through a proxy runs the chain twice.
        ureq::Error::Other(source) if source.is::<NotSent>() => ureq::Error::Other(source),
        source => ureq::Error::Other(Box::new(NotSent { phase, source })),
    }
}

/// A step of connecting whose errors are marked. TLS included: `ureq` finishes the handshake within it.
#[derive(Debug)]
pub(super) struct Marked<C>(pub(super) Phase, pub(super) C);

impl<In: Connection, C: Connector<In>> Connector<In> for Marked<C> {
    type Out = C::Out;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<C::Out>, ureq::Error> {
        self.1.connect(details, chained).map_err(|e| mark(self.0, e))
    }
}

/// Opens sockets, where nothing before it in the chain did.
#[derive(Debug, Default)]
pub(super) struct Tcp(TcpConnector);

impl<In: Connection> Connector<In> for Tcp {
    type Out = Either<In, Sparing<<TcpConnector as Connector<()>>::Out>>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        if let Some(chained) = chained {
            return Ok(Some(Either::A(chained)));
        }
        let socket = Connector::<()>::connect(&self.0, details, None)?;
        Ok(socket.map(|socket| Either::B(Sparing { socket, just_read: false })))
    }
}

/// A socket with fewer questions to the system: of the ten that `ureq` asks for a call over an open connection, those
/// five that change nothing are left out.
#[derive(Debug)]
pub(super) struct Sparing<T> {
    socket: T,
    just_read: bool,
}

impl<T: Connection> Connection for Sparing<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.socket.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.socket.transmit_output(amount, rounded(timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.just_read = true;
        self.socket.await_input(rounded(timeout))
    }

    /// `ureq` looks when an answer has been read, and again before the next call: the second look sees what the first
    /// one does.
    fn is_open(&mut self) -> bool {
        mem::take(&mut self.just_read) || self.socket.is_open()
    }
}

/// The time that is left, rounded down by less than a tenth of a second where it is more than one: so it is the same in
/// each call, and the socket need not be set anew.
fn rounded(mut timeout: NextTimeout) -> NextTimeout {
    if let Duration::Exact(left) = timeout.after
        && left.as_secs() >= 1
    {
        let beyond = left.subsec_nanos() % 100_000_000;
        timeout.after = Duration::Exact(left - std::time::Duration::from_nanos(beyond.into()));
    }
    timeout
}

/// How long the addresses of a name are kept.
const NAMES_KEPT: std::time::Duration = std::time::Duration::from_secs(30);

/// Looks names up, marks the errors, and remembers the last name for a while: `ureq` asks before every call,
/// also when a connection is open, and starts a thread for it.
#[derive(Debug, Default)]
pub(super) struct Names {
    resolver: DefaultResolver,
    last: Mutex<Option<Known>>,
}

#[derive(Debug)]
struct Known {
    uri: Uri,
    at: Instant,
    addresses: ResolvedSocketAddrs,
}

impl Names {
    fn literal(&self, uri: &Uri) -> Option<ResolvedSocketAddrs> {
        let host = uri.host()?;
        let ip: IpAddr = host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
        let port = uri.port_u16().or(match uri.scheme_str()? {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        })?;
        let mut addresses = self.empty();
        addresses.push(SocketAddr::new(ip, port));
        Some(addresses)
    }

    fn known(&self, uri: &Uri) -> Option<ResolvedSocketAddrs> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last.as_ref().filter(|known| known.at.elapsed() < NAMES_KEPT)?;
        let same = known.uri.authority() == uri.authority() && known.uri.scheme() == uri.scheme();
        same.then(|| known.addresses.clone())
    }
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        if let Some(addresses) = self.literal(uri).or_else(|| self.known(uri)) {
            return Ok(addresses);
        }
        let addresses = self.resolver.resolve(uri, config, timeout).map_err(|e| mark(Phase::Resolve, e))?;
        let known = Known { uri: uri.clone(), at: Instant::now(), addresses: addresses.clone() };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_need_no_look_up_and_names_only_one() {
        let names = Names::default();
        let address = |url: &str| names.literal(&url.parse().unwrap()).map(|found| found.to_vec());
        assert_eq!(address("http://127.0.0.1:81/x"), Some(vec!["127.0.0.1:81".parse().unwrap()]));
        assert_eq!(address("https://[::1]"), Some(vec!["[::1]:443".parse().unwrap()]));
        assert_eq!(address("http://localhost:1"), None);

        let uri: Uri = "http://localhost:81/x".parse().unwrap();
        let mut addresses = names.empty();
        addresses.push("127.0.0.1:81".parse().unwrap());
        let remember =
            |at| *names.last.lock().unwrap() = Some(Known { uri: uri.clone(), at, addresses: addresses.clone() });
        remember(Instant::now());
        assert!(names.known(&"http://localhost:81/y".parse().unwrap()).is_some());
        assert!(names.known(&"http://localhost:82/x".parse().unwrap()).is_none());
        assert!(names.known(&"https://localhost:81/x".parse().unwrap()).is_none());
        if let Some(past) = Instant::now().checked_sub(NAMES_KEPT) {
            remember(past);
            assert!(names.known(&uri).is_none());
        }
    }

    #[test]
    fn times_are_rounded_down_while_they_are_long() {
        let after =
            |millis: u64| rounded(NextTimeout { after: Duration::from_millis(millis), ..NextTimeout::default() }).after;
        for (left, rounded) in [(9_999, 9_900), (9_900, 9_900), (1_000, 1_000), (1_099, 1_000), (999, 999), (0, 0)] {
            assert_eq!(after(left), Duration::from_millis(rounded));
        }
        assert!(rounded(NextTimeout::default()).after.is_not_happening());
    }
}
