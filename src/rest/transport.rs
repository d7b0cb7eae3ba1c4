//! HTTP: the only module that names `ureq`.
//!
//! What it adds to `ureq` is certainty about how far a failed call had come: what is not marked as an error of
//! connecting happened after the request may have left. See `connect`.

mod connect;

use std::fmt;
use std::time::{Duration, Instant};

use ureq::http::{HeaderValue, Request, Response, Uri, header};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector};
use ureq::{Agent, Body, Proxy, ProxyProtocol};

use self::connect::{Marked, Names, NotSent, Tcp};
use crate::config::{ClientBuilder, RestConfig, is_loopback};
use crate::credentials::concealed;
use crate::error::{Error, InvalidInput, Phase, Result, Timeout};
use crate::pace::retry_after;

/// How a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Delete,
}

impl Method {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// A request, ready to be sent. Without `Debug`: a key and a signature are among the headers.
pub(crate) struct Outgoing<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a str,
    /// Headers that are for the exchange's eyes alone.
    pub(crate) headers: &'a [(&'static str, &'a str)],
    /// JSON.
    pub(crate) body: Option<&'a str>,
}

/// An answer of any status, read to its end.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) location: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Blots out what must not get into an error, should a server echo it.
    pub(crate) fn conceal(&mut self, secrets: [&str; 2]) {
        if let Some(body) = concealed(&self.body, secrets) {
            self.body = body.into_bytes();
        }
        if let Some(location) = &mut self.location
            && let Some(concealed) = concealed(location.as_bytes(), secrets)
        {
            *location = concealed;
        }
    }
}

/// Connections to one exchange.
pub(crate) struct Transport {
    agent: Agent,
    config: RestConfig,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

impl Transport {
    /// Whether connections can be had with these settings.
    pub(crate) fn check(settings: &ClientBuilder) -> Result<(), InvalidInput> {
        let url = settings.endpoint.rest();
        url.parse::<Uri>().map(drop).map_err(|e| InvalidInput::new("rest", format!("{url:?}: {e}")))
    }

    pub(crate) fn new(settings: &ClientBuilder) -> Self {
        let url = settings.endpoint.rest();
        let config = settings.rest.clone();

        let agent = Agent::config_builder()
            .user_agent(&settings.user_agent)
            .accept("application/json")
            .accept_encoding("")
            // Every status is an answer. A redirect is not followed: the signature would go along.
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(if is_loopback(url) { None } else { proxy_of_environment() })
            .timeout_resolve(Some(config.connect_timeout))
            .timeout_connect(Some(config.connect_timeout))
            .timeout_per_read(Some(config.read_timeout))
            .timeout_global(Some(config.call_timeout))
            .max_idle_age(config.idle_age)
            .max_idle_connections(IDLE_CONNECTIONS)
            .max_idle_connections_per_host(IDLE_CONNECTIONS);
        let connector = Marked(Phase::Connect, ().chain(ConnectProxyConnector::default()).chain(Tcp::default()));

        #[cfg(feature = "rustls")]
        let (agent, connector) = {
            use ureq::unversioned::transport::RustlsConnector;
            (
                agent.tls_config(tls_config(&settings.roots)),
                connector.chain(Marked(Phase::Tls, RustlsConnector::default())),
            )
        };

        Self { agent: Agent::with_parts(agent.build(), connector, Names::default()), config }
    }

    /// Sends a request and reads the answer, whatever its status.
    ///
    /// It ends within the call time-out, and by the deadline where there is one.
    pub(crate) fn send(&self, outgoing: &Outgoing<'_>, deadline: Option<Instant>) -> Result<Answer> {
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(Error::Timeout(Timeout::Deadline));
        }
        // Most calls do without settings of their own, which `ureq` would have to copy.
        let call_timeout = left.filter(|left| *left < self.config.call_timeout);

        let request = Request::builder().method(outgoing.method.as_str()).uri(outgoing.url);
        let mut request = request.body(()).map_err(|e| InvalidInput::new("request", e.to_string()))?;
        for (name, value) in outgoing.headers {
            let mut value = HeaderValue::from_str(value).map_err(|e| InvalidInput::new(name, e.to_string()))?;
            value.set_sensitive(true);
            request.headers_mut().insert(*name, value);
        }

        let response = match outgoing.body {
            // With a body `run` sends one whatever the method: DELETE has one here.
            Some(body) => {
                let json = HeaderValue::from_static("application/json");
                request.headers_mut().insert(header::CONTENT_TYPE, json);
                self.run(request.map(|()| body), call_timeout)
            }
            None => self.run(request, call_timeout),
        };
        self.read(response.map_err(error_of)?)
    }

    fn run<B: ureq::AsSendBody>(
        &self,
        request: Request<B>,
        call_timeout: Option<Duration>,
    ) -> Result<Response<Body>, ureq::Error> {
        let request = match call_timeout {
            Some(timeout) => self.agent.configure_request(request).timeout_global(Some(timeout)).build(),
            None => request,
        };
        self.agent.run(request)
    }

    fn read(&self, mut response: Response<Body>) -> Result<Answer> {
        let limit = self.config.max_body;
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let mut answer = Answer {
            status: response.status().as_u16(),
            retry_after: text(header::RETRY_AFTER).and_then(retry_after),
            location: text(header::LOCATION).map(str::to_owned),
            body: Vec::new(),
        };
        if response.body().content_length().is_some_and(|length| length > limit) {
            return Err(Error::TooLarge(limit));
        }
        answer.body = response.body_mut().with_config().limit(limit).read_to_vec().map_err(error_of)?;
        Ok(answer)
    }
}

/// How many unused connections are kept: as many threads find one ready.
const IDLE_CONNECTIONS: usize = 16;

/// The proxy that the environment names, where it is of a kind that is spoken here.
fn proxy_of_environment() -> Option<Proxy> {
    let proxy = Proxy::try_from_env()?;
    if matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) {
        return Some(proxy);
    }
    log::warn!("the proxy of the environment is not used: only http and https proxies are");
    None
}

/// The provider and the roots of the stream.
#[cfg(feature = "rustls")]
fn tls_config(roots: &crate::tls::Roots) -> ureq::tls::TlsConfig {
    use ureq::tls::{Certificate, RootCerts, TlsConfig};
    let roots = match roots.own() {
        [] => RootCerts::WebPki,
        own => own.iter().map(|der| Certificate::from_der(der).to_owned()).into(),
    };
    TlsConfig::builder().unversioned_rustls_crypto_provider(crate::tls::provider()).root_certs(roots).build()
}

/// The error of this crate for one of `ureq`'s.
fn error_of(error: ureq::Error) -> Error {
    match error {
        ureq::Error::Other(source) => match source.downcast::<NotSent>() {
            Ok(not_sent) => match not_sent.source {
                ureq::Error::Timeout(_) if not_sent.phase == Phase::Resolve => Error::Timeout(Timeout::Resolve),
                ureq::Error::Timeout(_) => Error::Timeout(Timeout::Connect),
                source => Error::transport(not_sent.phase, cause(source)),
            },
            Err(source) => Error::transport(Phase::Exchange, source),
        },
        ureq::Error::Timeout(ureq::Timeout::PerRead) => Error::Timeout(Timeout::Read),
        ureq::Error::Timeout(_) => Error::Timeout(Timeout::Call),
        ureq::Error::BodyExceedsLimit(limit) => Error::TooLarge(limit),
        ureq::Error::LargeResponseHeader(_, limit) => Error::TooLarge(u64::try_from(limit).unwrap_or(u64::MAX)),
        other => Error::transport(Phase::Exchange, cause(other)),
    }
}

/// The cause itself where it is the system's or TLS's, so that a program can look at its kind.
fn cause(error: ureq::Error) -> Box<dyn std::error::Error + Send + Sync> {
    match error {
        ureq::Error::Io(e) => e.into(),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::client::Client;
    use crate::config::Endpoint;

    fn transport(url: &str) -> Transport {
        Transport::new(&Client::builder(Endpoint::new(url, "ws://127.0.0.1:1").unwrap()))
    }

    /// The request as it arrives, in lower case.
    fn sent(method: Method, headers: &[(&'static str, &str)], body: Option<&str>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let body_length = body.map_or(0, str::len);
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = String::new();
            while request.find("\r\n\r\n").is_none_or(|end| request.len() < end + 4 + body_length) {
                let mut buffer = [0; 1024];
                let n = stream.read(&mut buffer).unwrap();
                request.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\nhi").unwrap();
            request
        });
        let target = format!("{url}/a/b?c=%2F");
        let outgoing = Outgoing { method, url: &target, headers, body };
        let answer = transport(&url).send(&outgoing, None).unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"hi"[..]));
        assert_eq!(answer.retry_after, Some(Duration::from_secs(3)));
        server.join().unwrap().to_lowercase()
    }

    #[test]
    fn bodies_go_with_any_method() {
        for method in [Method::Post, Method::Delete] {
            let request = sent(method, &[("x-auth-key", "k3y")], Some(r#"{"time":1}"#));
            let first = format!("{} /a/b?c=%2f http/1.1\r\n", method.as_str().to_lowercase());
            assert!(request.starts_with(&first), "{request}");
            for line in ["content-type: application/json\r\n", "content-length: 10\r\n", "x-auth-key: k3y\r\n"] {
                assert!(request.contains(line), "{request}");
            }
            assert!(request.ends_with("\r\n\r\n{\"time\":1}"), "{request}");
        }
        let request = sent(Method::Get, &[], None);
        assert!(!request.contains("content-") && request.ends_with("\r\n\r\n"), "{request}");
    }

    #[test]
    fn secrets_that_a_server_echoes_are_blotted_out() {
        let mut answer = Answer {
            status: 400,
            body: br#"{"message":"bad key k3yk3yk3y, \/pwaAgWZQ1Xd\/J4yZ4ReHSPQ\u003d, pw"}"#.to_vec(),
            location: Some("http://other/?k=k3yk3yk3y&s=%2FpwaAgWZQ1Xd".to_owned()),
            ..Answer::default()
        };
        answer.conceal(["k3yk3yk3y", "/pwaAgWZQ1Xd/J4yZ4ReHSPQ="]);
        let body = String::from_utf8(answer.body).unwrap();
        assert_eq!(body, r#"{"message":"bad key ********, \/********\/********\u003d, pw"}"#);
        assert_eq!(answer.location.unwrap(), "http://other/?k=********&s=%2F********");

        let mut plain = Answer { body: b"\xff k3y".to_vec(), ..Answer::default() };
        plain.conceal(["k3y", "="]);
        assert_eq!(plain.body, b"\xff k3y");
    }

    #[test]
    fn a_header_that_cannot_be_sent_is_refused_without_its_value() {
        let outgoing = Outgoing {
            method: Method::Get,
            url: "http://127.0.0.1:1/",
            headers: &[("x-auth-key", "se\ncret")],
            body: None,
        };
        let error = transport("http://127.0.0.1:1").send(&outgoing, None).unwrap_err();
        assert_eq!(error.kind(), "invalid-input");
        assert!(!format!("{error} {error:?}").contains("cret"));
    }
}
