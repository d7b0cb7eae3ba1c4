//! What a client is set to: which exchange it speaks to, its time-outs and its bounds.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::{InvalidInput, Result};
#[cfg(feature = "rustls")]
use crate::tls::Roots;

/// Where an exchange is: the base addresses of its REST interface and of its stream.
///
/// There is no default: a program says which exchange it means.
///
/// ```
/// use bitmax::Endpoint;
/// let own = Endpoint::new("http://127.0.0.1:8080/", "ws://127.0.0.1:8080")?;
/// assert_eq!(own.rest(), "http://127.0.0.1:8080");
/// assert!(Endpoint::new("ftp://example.com", "ws://example.com").is_err());
/// # Ok::<(), bitmax::InvalidInput>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    rest: Cow<'static, str>,
    ws: Cow<'static, str>,
}

impl Endpoint {
    /// AscendEX, live: `https://ascendex.com` and `wss://ascendex.com`.
    pub const ASCENDEX: Self =
        Self { rest: Cow::Borrowed("https://ascendex.com"), ws: Cow::Borrowed("wss://ascendex.com") };

    /// BitMax, the same exchange by its older name: `https://bitmax.io` and `wss://bitmax.io`.
    pub const BITMAX: Self = Self { rest: Cow::Borrowed("https://bitmax.io"), ws: Cow::Borrowed("wss://bitmax.io") };

    /// Any other: a sandbox, a proxy, a recorder.
    ///
    /// `rest` begins with `http://` or `https://`, `ws` with `ws://` or `wss://`. A path stands before every
    /// path of the protocol; slashes at the end are taken off.
    ///
    /// # Errors
    /// [`InvalidInput`] naming `rest` or `ws` when the address has another scheme, no host, a user name, a
    /// query or a fragment, or holds what no address may hold.
    pub fn new(rest: impl Into<String>, ws: impl Into<String>) -> Result<Self, InvalidInput> {
        Ok(Self {
            rest: Cow::Owned(base("rest", rest.into(), ["http", "https"])?),
            ws: Cow::Owned(base("ws", ws.into(), ["ws", "wss"])?),
        })
    }

    /// A port of this machine, plain.
    #[cfg(feature = "sandbox")]
    pub(crate) fn loopback(port: u16) -> Self {
        Self { rest: Cow::Owned(format!("http://127.0.0.1:{port}")), ws: Cow::Owned(format!("ws://127.0.0.1:{port}")) }
    }

    /// The base of the REST interface, without a slash at its end.
    pub fn rest(&self) -> &str {
        &self.rest
    }

    /// The base of the stream, without a slash at its end.
    pub fn ws(&self) -> &str {
        &self.ws
    }
}

/// Whether a base address asks for TLS.
pub(crate) fn is_secure(base: &str) -> bool {
    base.starts_with("https:") || base.starts_with("wss:")
}

/// Whether a base address is of this machine, so that what is sent there does not leave it.
pub(crate) fn is_loopback(base: &str) -> bool {
    let host = base.split_once("://").and_then(|(_, rest)| split_authority(rest)).map_or("", |parts| parts.0);
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    literal.eq_ignore_ascii_case("localhost") || literal.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// Checks a base address and takes the slashes off its end.
fn base(field: &'static str, mut url: String, schemes: [&str; 2]) -> Result<String, InvalidInput> {
    let wrong = |why: &str| Err(InvalidInput::new(field, format!("{url:?} {why}")));
    let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| schemes.contains(scheme)) else {
        return wrong(&format!("does not begin with {}:// or {}://", schemes[0], schemes[1]));
    };
    if rest.bytes().any(|b| !b.is_ascii_graphic() || b"?#@\\\"<>^`{|}".contains(&b)) {
        return wrong("is not the address of a host and a path alone");
    }
    match split_authority(rest) {
        Some((host, port)) if is_host(host) && port.is_none_or(|port| port.parse().is_ok_and(|n: u16| n > 0)) => {}
        _ => return wrong("has no valid host and port"),
    }
    let end = scheme.len() + "://".len() + rest.trim_end_matches('/').len();
    url.truncate(end);
    Ok(url)
}

/// Host and port of what follows `://`.
fn split_authority(rest: &str) -> Option<(&str, Option<&str>)> {
    let authority = rest.split('/').next()?;
    // The colons of an IPv6 address stand in brackets.
    let colon = authority.rfind(':').filter(|at| authority.get(*at..).is_some_and(|tail| !tail.contains(']')));
    match colon {
        Some(at) => Some((authority.get(..at)?, authority.get(at + 1..))),
        None => Some((authority, None)),
    }
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok()),
        None => {
            host.bytes().any(|b| b.is_ascii_alphanumeric())
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
        }
    }
}

/// The longest time-out: points in time are computed from it.
pub(crate) const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What REST calls are set to.
#[derive(Debug, Clone)]
pub(crate) struct RestConfig {
    pub(crate) connect_timeout: Duration,
    pub(crate) read_timeout: Duration,
    pub(crate) call_timeout: Duration,
    pub(crate) idle_age: Duration,
    pub(crate) max_body: u64,
    pub(crate) clock_correction: bool,
    pub(crate) retries: u32,
    pub(crate) acceptance_window: Duration,
    pub(crate) when_limited: WhenLimited,
}

/// What becomes of a call that would be one more than the exchange answers in a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenLimited {
    /// It waits until it may be made, at most a minute; where the caller's deadline is earlier, it fails at once with
    /// [`Error::RateLimited`](crate::Error::RateLimited).
    #[default]
    Wait,
    /// It fails with [`Error::RateLimited`](crate::Error::RateLimited).
    Fail,
    /// It is made: what comes of it is the exchange's affair.
    Ignore,
}

/// What makes a client more than a public one. How its streams ask REST for the account group is named here, with the
/// credentials, and nowhere else: a program that gives none, and calls nothing of REST, is linked without REST.
#[derive(Clone)]
pub(crate) struct Private {
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) account_group: fn(&Client) -> Result<u32>,
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.credentials.fmt(f)
    }
}

/// Settings of a [`Client`], made by [`Client::builder`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct ClientBuilder {
    pub(crate) endpoint: Endpoint,
    pub(crate) user_agent: String,
    pub(crate) private: Option<Private>,
    plaintext_credentials: bool,
    #[cfg(feature = "rustls")]
    pub(crate) roots: Roots,
    pub(crate) rest: RestConfig,
}

impl ClientBuilder {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            user_agent: concat!("bitmax-rs/", env!("CARGO_PKG_VERSION")).to_owned(),
            private: None,
            plaintext_credentials: false,
            #[cfg(feature = "rustls")]
            roots: Roots::default(),
            rest: RestConfig {
                connect_timeout: Duration::from_secs(5),
                read_timeout: Duration::from_secs(10),
                call_timeout: Duration::from_secs(10),
                idle_age: Duration::from_secs(4),
                max_body: 16 << 20,
                clock_correction: true,
                retries: 2,
                acceptance_window: Duration::from_secs(30),
                when_limited: WhenLimited::Wait,
            },
        }
    }

    /// The key and the secret that private calls are signed with. Defaults to none: only public data can be had.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        let credentials = Arc::new(credentials);
        self.private = Some(Private { credentials, account_group: Client::account_group });
        self
    }

    /// Lets the key and signatures go over plain `http` or `ws` to another machine, where whoever is on the way can
    /// read them. Defaults to refusing: plain text is for this machine alone.
    pub fn allow_plaintext_credentials(mut self) -> Self {
        self.plaintext_credentials = true;
        self
    }

    /// How long a REST call may look up the host's name, and again how long it may take to open a
    /// connection, TLS included. Defaults to 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.rest.connect_timeout = timeout;
        self
    }

    /// How long a REST call waits for the next bytes of an answer. Defaults to 10 s.
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.rest.read_timeout = timeout;
        self
    }

    /// How long a REST call may take as a whole, from looking up the name to the last byte of the answer.
    /// Defaults to 10 s.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.rest.call_timeout = timeout;
        self
    }

    /// For how long an unused connection of REST calls is kept for the next one. Defaults to 4 s.
    ///
    /// It is to be shorter than the server's own patience (5 s is the shortest in common use): a call that
    /// goes out on a connection that the server is just closing fails, and may have been executed.
    pub fn idle_connection_age(mut self, age: Duration) -> Self {
        self.rest.idle_age = age;
        self
    }

    /// The largest body of a REST answer that is read, in bytes. Defaults to 16 MiB.
    pub fn max_body_size(mut self, bytes: u64) -> Self {
        self.rest.max_body = bytes;
        self
    }

    /// Whether signed calls and orders go by the exchange's clock rather than by this machine's. Defaults to yes: the
    /// first signed call asks for the exchange's time, and a call that is refused for its time asks again and is made
    /// once more. Where the time cannot be had, this machine's clock is used.
    pub fn clock_correction(mut self, on: bool) -> Self {
        self.rest.clock_correction = on;
        self
    }

    /// How old the exchange lets an order be when it arrives: one that was lost on the way is certain never to be placed
    /// two seconds after that. For [settling](crate::Account::place_settled). Defaults to 30 s, which is the exchange's;
    /// a shorter time than its own makes it certain of what is not.
    pub fn acceptance_window(mut self, window: Duration) -> Self {
        self.rest.acceptance_window = window;
        self
    }

    /// How often a REST call that changes nothing is made once more after a failure that may pass: no connection, a
    /// time-out, status 429 or 5xx, a failure of the exchange's own; 0 is never. Defaults to 2.
    ///
    /// Each retry waits a random time before it, up to 200 ms before the first and twice that before the next, or as
    /// long as the server asks for (`Retry-After`). The attempts together end by the
    /// [deadline](Client::with_deadline), and within the [time of one call](Self::call_timeout): where the wait would be
    /// longer, the failure is returned at once. Calls that change something, orders above all, are never repeated.
    pub fn retries(mut self, retries: u32) -> Self {
        self.rest.retries = retries;
        self
    }

    /// What becomes of calls for the [snapshot](crate::Account::balance_snapshot) and the
    /// [history](crate::Account::balance_history) of balances beyond the 8 that the exchange answers in a minute, of
    /// both together. Defaults to [`WhenLimited::Wait`].
    pub fn when_limited(mut self, when_limited: WhenLimited) -> Self {
        self.rest.when_limited = when_limited;
        self
    }

    /// The `User-Agent` of REST calls and of the stream's upgrade. Defaults to `bitmax-rs/` and the version
    /// of this crate.
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = name.into();
        self
    }

    /// A certificate, as DER, that is trusted to sign servers' certificates. Given once or several times,
    /// such certificates replace the built-in ones. Defaults to none: those of the web (Mozilla's) are trusted.
    #[cfg(feature = "rustls")]
    pub fn root_certificate(mut self, der: &[u8]) -> Self {
        self.roots.add(der);
        self
    }

    /// Makes the client. Nothing is sent.
    ///
    /// # Errors
    /// [`Error::InvalidInput`](crate::Error::InvalidInput) when a setting is not usable: a time-out of zero or of
    /// more than a day, a bound of zero, a user agent that cannot be sent, a root certificate that is none, an `https` or `wss` address
    /// without the feature `rustls`, and credentials that would go to another machine in
    /// [plain text](Self::allow_plaintext_credentials).
    pub fn build(self) -> Result<Client> {
        let rest = &self.rest;
        for (field, time) in [
            ("connect_timeout", rest.connect_timeout),
            ("read_timeout", rest.read_timeout),
            ("call_timeout", rest.call_timeout),
        ] {
            if time.is_zero() || time > LONGEST {
                return Err(InvalidInput::new(field, "is zero, or longer than a day").into());
            }
        }
        if rest.max_body == 0 {
            return Err(InvalidInput::new("max_body_size", "is zero").into());
        }
        if self.user_agent.is_empty() || self.user_agent.bytes().any(|b| !(b' '..=b'~').contains(&b)) {
            return Err(InvalidInput::new("user_agent", "is empty or not printable ASCII").into());
        }
        for (field, url) in [("rest", self.endpoint.rest()), ("ws", self.endpoint.ws())] {
            if is_secure(url) {
                if !cfg!(feature = "rustls") {
                    return Err(InvalidInput::new(field, format!("{url} needs the feature rustls")).into());
                }
            } else if self.private.is_some() && !self.plaintext_credentials && !is_loopback(url) {
                let reason = format!("they would go to {url} in plain text, which has to be allowed by name");
                return Err(InvalidInput::new("credentials", reason).into());
            }
        }
        Client::new(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_and_trimmed() {
        for (rest, kept) in [
            ("https://ascendex.com", "https://ascendex.com"),
            ("http://127.0.0.1:80//", "http://127.0.0.1:80"),
            ("http://[::1]:8080/", "http://[::1]:8080"),
            ("http://host/some/path/", "http://host/some/path"),
        ] {
            assert_eq!(Endpoint::new(rest, "ws://host").unwrap().rest(), kept);
        }
        assert_eq!(Endpoint::new("http://host", "wss://host/").unwrap().ws(), "wss://host");
        for bad in [
            "",
            "host",
            "ftp://host",
            "ws://host",
            "HTTP://host",
            "http://",
            "http:///path",
            "http://:80",
            "http://host:",
            "http://host:0",
            "http://host:65536",
            "http://host:x",
            "http://a b",
            "http://user:pass@host",
            "http://host?x=1",
            "http://host/#x",
            "http://[::1",
            "http://[x]",
            "http://hôst",
            "http://host/\n",
            "http://-",
        ] {
            assert_eq!(Endpoint::new(bad, "ws://host").unwrap_err().field(), "rest", "{bad}");
        }
        assert_eq!(Endpoint::new("http://host", "http://host").unwrap_err().field(), "ws");
    }

    #[test]
    fn loopback_is_told() {
        for url in ["http://127.0.0.1:1/x", "ws://127.9.9.9", "https://[::1]:2", "http://localhost", "ws://LocalHost:3"]
        {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "http://ascendex.com",
            "http://10.0.0.1",
            "http://[::2]",
            "http://localhost.example",
            "http://127.0.0.1.example",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }

    #[test]
    fn credentials_go_in_plain_text_to_this_machine_alone() {
        let build = |rest: &str, ws: &str, allow: bool| {
            let builder = Client::builder(Endpoint::new(rest, ws).unwrap());
            let builder = builder.credentials(Credentials::new("key", "secret").unwrap());
            if allow { builder.allow_plaintext_credentials() } else { builder }.build()
        };
        let local = ("http://127.0.0.1:1", "ws://localhost:1");
        assert!(build(local.0, local.1, false).is_ok());
        for (rest, ws) in [("http://10.0.0.1", local.1), (local.0, "ws://example.com"), ("http://a", "ws://b")] {
            match build(rest, ws, false).unwrap_err() {
                crate::Error::InvalidInput(e) => assert_eq!(e.field(), "credentials"),
                other => panic!("{other:?}"),
            }
            assert!(build(rest, ws, true).is_ok());
            assert!(Client::builder(Endpoint::new(rest, ws).unwrap()).build().is_ok());
        }
        #[cfg(feature = "rustls")]
        assert!(build("https://example.com", "wss://example.com", false).is_ok());
    }

    #[test]
    fn unusable_settings_are_refused() {
        let builder = || Client::builder(Endpoint::new("http://127.0.0.1:1", "ws://127.0.0.1:1").unwrap());
        assert!(builder().build().is_ok());
        for (builder, field) in [
            (builder().connect_timeout(Duration::ZERO), "connect_timeout"),
            (builder().read_timeout(Duration::ZERO), "read_timeout"),
            (builder().call_timeout(Duration::ZERO), "call_timeout"),
            (builder().max_body_size(0), "max_body_size"),
            (builder().user_agent(""), "user_agent"),
            (builder().user_agent("a\r\nb: c"), "user_agent"),
        ] {
            match builder.build().unwrap_err() {
                crate::Error::InvalidInput(e) => assert_eq!(e.field(), field),
                other => panic!("{other:?}"),
            }
        }
    }
}
