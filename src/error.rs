//! What can go wrong, told so that a program can act on it: above all, whether the exchange may have acted.

mod json_path;
mod refusal;

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

pub use refusal::{Refusal, RefusedOrder};

use crate::code::Code;
use crate::model::Unreadable;

/// Shorthand for a result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any failure of this crate. At most 32 bytes; details are boxed.
///
/// [`may_have_executed`](Self::may_have_executed) answers the question that matters after a failed order,
/// [`is_retryable`](Self::is_retryable) whether asking again can help.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An argument was refused before anything was sent.
    InvalidInput(Box<InvalidInput>),
    /// The connection could not be made, or broke.
    Transport(Box<TransportError>),
    /// The answer did not come in time.
    Timeout(Timeout),
    /// The exchange refused the call.
    Refused(Box<Refusal>),
    /// An HTTP status without a body that the protocol knows: a proxy's page, a bare status, a redirect.
    Http(Box<HttpError>),
    /// An answer that is not what the protocol says.
    Decode(Box<DecodeError>),
    /// An answer larger than the bound that was set. The number is the bound, in bytes.
    TooLarge(u64),
    /// The stream is not connected or not ready; nothing was sent.
    NotReady(&'static str),
    /// The request would be more than the exchange takes in a minute; nothing was sent. The time is how long
    /// to wait.
    RateLimited(Duration),
    /// The stream is closed for good; nothing was sent.
    Closed,
    /// The stream's connection broke after the request was sent and before its answer came.
    ConnectionLost,
    /// The server closed the connection.
    ClosedByServer(Box<CloseFrame>),
}

impl Error {
    /// Whether the exchange may have acted on the call.
    ///
    /// `false` is a promise: the call was refused here or by the exchange, or no connection came about.
    /// Everything else that fails after the call began is `true`: an order must then be asked about
    /// before it is sent again. So are refusals that do not say that nothing was done: a failure of the exchange's own, a
    /// code of something before it with a status that is none of success, and an id that was used before, which may
    /// have been by this very call.
    pub fn may_have_executed(&self) -> bool {
        match self {
            Self::InvalidInput(_) | Self::NotReady(_) | Self::RateLimited(_) | Self::Closed => false,
            Self::Transport(e) => !e.phase.is_before_sending(),
            Self::Timeout(t) => !matches!(t, Timeout::Deadline | Timeout::Resolve | Timeout::Connect),
            Self::Refused(r) => r.is_in_doubt(),
            Self::Http(_) | Self::Decode(_) | Self::TooLarge(_) | Self::ClosedByServer(_) | Self::ConnectionLost => {
                true
            }
        }
    }

    /// Whether the same call may succeed later: connection failures, time-outs, 429 and 5xx, and the
    /// exchange's own system errors. Says nothing about whether repeating is safe: see
    /// [`may_have_executed`](Self::may_have_executed).
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport(e) => e.phase != Phase::Tls,
            Self::Timeout(_)
            | Self::NotReady(_)
            | Self::RateLimited(_)
            | Self::ClosedByServer(_)
            | Self::ConnectionLost => true,
            Self::Refused(r) => {
                r.code.is_server_failure()
                    || r.code == Code::TOO_MANY_REQUESTS
                    || r.status == Some(429)
                    || r.is_of_a_gateway() && r.status >= Some(500)
            }
            Self::Http(e) => e.status == 429 || e.status >= 500,
            Self::InvalidInput(_) | Self::Decode(_) | Self::TooLarge(_) | Self::Closed => false,
        }
    }

    /// How long the server asks to wait before the next call (`Retry-After`), where it does.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(e) => e.retry_after,
            Self::Http(e) => e.retry_after,
            _ => None,
        }
    }

    /// A short stable word for the kind of failure, for logs and scripts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::InvalidInput(_) => "invalid-input",
            Self::Transport(_) => "transport",
            Self::Timeout(_) => "timeout",
            Self::Refused(_) => "refused",
            Self::Http(e) if e.is_redirect() => "redirect",
            Self::Http(_) => "http",
            Self::Decode(_) => "decode",
            Self::TooLarge(_) => "too-large",
            Self::NotReady(_) => "not-ready",
            Self::RateLimited(_) => "rate-limited",
            Self::Closed => "closed",
            Self::ConnectionLost => "connection-lost",
            Self::ClosedByServer(_) => "closed-by-server",
        }
    }

    pub(crate) fn transport(phase: Phase, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Transport(Box::new(TransportError { phase, source: source.into() }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidInput(e) => e.fmt(f),
            Self::Transport(e) => write!(f, "{} failed", e.phase),
            Self::Timeout(t) => t.fmt(f),
            Self::Refused(e) => e.fmt(f),
            Self::Http(e) => e.fmt(f),
            Self::Decode(e) => e.fmt(f),
            Self::TooLarge(limit) => write!(f, "the answer is larger than the bound of {limit} bytes"),
            Self::NotReady(why) => write!(f, "the stream is not ready ({why}); nothing was sent"),
            Self::RateLimited(wait) => {
                write!(f, "too many requests this minute, try again in {wait:?}; nothing was sent")
            }
            Self::Closed => f.write_str("the stream is closed; nothing was sent"),
            Self::ConnectionLost => f.write_str("the connection broke before the answer came"),
            Self::ClosedByServer(e) => e.fmt(f),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Transport(e) => Some(&*e.source),
            Self::Decode(e) => e.source.as_ref().map(|e| e as _),
            _ => None,
        }
    }
}

impl From<InvalidInput> for Error {
    fn from(e: InvalidInput) -> Self {
        Self::InvalidInput(Box::new(e))
    }
}

/// So that a name of one's own type, whose conversion cannot fail, is taken where text is.
impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// An argument that was refused before anything was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidInput {
    field: &'static str,
    reason: String,
}

impl InvalidInput {
    pub(crate) fn new(field: &'static str, reason: impl Into<String>) -> Self {
        Self { field, reason: reason.into() }
    }

    /// The argument's name, as the protocol spells it.
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// What is wrong with it.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for InvalidInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid {}: {}", self.field, self.reason)
    }
}

impl StdError for InvalidInput {}

impl From<std::convert::Infallible> for InvalidInput {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// A connection that could not be made, or broke. The cause is the [`source`](StdError::source).
#[derive(Debug)]
pub struct TransportError {
    phase: Phase,
    source: Box<dyn StdError + Send + Sync>,
}

impl TransportError {
    /// How far the call had come.
    pub fn phase(&self) -> Phase {
        self.phase
    }
}

/// How far a call had come when its connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Looking up the host's name.
    Resolve,
    /// Opening the connection.
    Connect,
    /// The TLS handshake: a certificate that is not accepted, say.
    Tls,
    /// The WebSocket upgrade.
    Upgrade,
    /// After the call may have left.
    Exchange,
}

impl Phase {
    fn is_before_sending(self) -> bool {
        matches!(self, Self::Resolve | Self::Connect | Self::Tls)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolving the host name",
            Self::Connect => "connecting",
            Self::Tls => "the TLS handshake",
            Self::Upgrade => "the WebSocket upgrade",
            Self::Exchange => "the connection",
        })
    }
}

/// Which time-out ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Timeout {
    /// The caller's deadline was past before anything was sent.
    Deadline,
    /// Looking up the host's name.
    Resolve,
    /// Opening the connection.
    Connect,
    /// Waiting for the stream's greeting, or for the answer to its authentication.
    Greeting,
    /// Waiting for the next bytes of the answer.
    Read,
    /// The whole call.
    Call,
    /// Waiting for any sign of life on the stream.
    Silence,
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deadline => "the deadline was past; nothing was sent",
            Self::Resolve => "resolving the host name took too long",
            Self::Connect => "connecting took too long",
            Self::Greeting => "the stream was not greeted in time",
            Self::Read => "no answer came in time",
            Self::Call => "the call took too long",
            Self::Silence => "the stream was silent for too long",
        })
    }
}

/// An HTTP answer that is not the protocol's: its status, and the start of its body.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpError {
    /// The status.
    pub status: u16,
    /// The start of the body, at most 512 bytes, with what is not text replaced.
    pub body: String,
    /// How long the server asks to wait (`Retry-After` in seconds).
    pub retry_after: Option<Duration>,
    /// Where a redirect points. It is not followed: the signature would go along.
    pub location: Option<String>,
}

impl HttpError {
    /// Whether the status is a redirect.
    pub fn is_redirect(&self) -> bool {
        (300..400).contains(&self.status)
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP status {}", self.status)?;
        if let Some(location) = &self.location {
            write!(f, ", a redirect to {location} that is not followed")?;
        }
        if let Some(wait) = self.retry_after {
            write!(f, ", try again in {} s", wait.as_secs())?;
        }
        match self.body.trim() {
            "" => f.write_str(", without a body"),
            body => write!(f, ": {}", body.escape_debug()),
        }
    }
}

/// How the server closed the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseFrame {
    /// The WebSocket close code; `None` where the connection ended without one.
    pub code: Option<u16>,
    /// The reason that came with it; often empty.
    pub reason: String,
}

impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server closed the connection")?;
        if let Some(code) = self.code {
            write!(f, " with code {code}")?;
        }
        if !self.reason.is_empty() {
            write!(f, ": {}", self.reason.escape_debug())?;
        }
        Ok(())
    }
}

/// An answer that could not be read: where, and the text around it.
#[derive(Debug)]
#[non_exhaustive]
pub struct DecodeError {
    /// What was being read: the call's path or the message's kind.
    pub what: String,
    /// The place in the JSON, as far as it can be told: `data[1].price`. Empty at the top, and where the text is no
    /// JSON that begins as it should.
    pub path: String,
    /// The text around the place, at most 120 bytes.
    pub near: String,
    /// Line and column are of the whole text.
    source: Option<serde_json::Error>,
    of_row: bool,
}

impl DecodeError {
    /// Whether it is one row of a list that could not be read, and the others were. An iterator over pages goes on after
    /// it, and has ended after any other.
    pub fn is_of_row(&self) -> bool {
        self.of_row
    }

    /// From the JSON reader's error and the text that it read.
    pub(crate) fn new(what: impl Into<String>, text: &str, source: serde_json::Error) -> Self {
        // serde_json counts columns in bytes, from 1, within the line.
        let before: usize = text.split_inclusive('\n').take(source.line().saturating_sub(1)).map(str::len).sum();
        let at = before + source.column();
        // It is done with an object when it misses a field there; else the end of one may just have been passed.
        let done = source.to_string().starts_with("missing field")
            || text.get(..at).is_some_and(|before| before.ends_with("{}") || before.ends_with("[]"));
        let inside = if done { at } else { at.saturating_sub(1) };
        Self {
            what: what.into(),
            path: json_path::at(text, inside),
            near: around(text, at),
            source: Some(source),
            of_row: false,
        }
    }

    /// The same where the text was this part of a larger one.
    pub(crate) fn within(mut self, part: &str) -> Self {
        let dot = if part.is_empty() || self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{part}{dot}{}", self.path);
        self
    }

    /// A row that could not be read, where there is nothing to keep it in.
    pub(crate) fn row(what: impl Into<String>, row: &Unreadable) -> Self {
        let Unreadable { index, text, reason } = row;
        let source = <serde_json::Error as serde::de::Error>::custom(reason);
        Self {
            what: what.into(),
            path: format!("[{index}]"),
            near: around(text, 0),
            source: Some(source),
            of_row: true,
        }
    }

    /// Something that JSON allows and the protocol does not.
    pub(crate) fn shape(what: impl Into<String>, text: &str) -> Self {
        Self { what: what.into(), path: String::new(), near: around(text, 0), source: None, of_row: false }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read {}", self.what)?;
        if !self.path.is_empty() {
            write!(f, " at {}", self.path)?;
        }
        if let Some(source) = &self.source {
            // It quotes what the server said, at whatever length.
            let reason = source.to_string();
            match start_of(reason.as_bytes(), 200) {
                start if start.len() < reason.len() => {
                    write!(f, ": {start}… at line {} column {}", source.line(), source.column())?;
                }
                _ => write!(f, ": {reason}")?,
            }
        }
        write!(f, ", near: {}", self.near)
    }
}

impl StdError for DecodeError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|e| e as _)
    }
}

/// At most 120 bytes of the text around a place.
fn around(text: &str, at: usize) -> String {
    let start = (0..=at.saturating_sub(80).min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    start_of(text.get(start..).unwrap_or_default().as_bytes(), 120)
}

/// The start of what may be text, at most `max` bytes of it.
pub(crate) fn start_of(bytes: &[u8], max: usize) -> String {
    let cut = bytes.get(..max).unwrap_or(bytes);
    String::from_utf8_lossy(cut).trim_end_matches('\u{fffd}').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_small() {
        assert!(size_of::<Error>() <= 32, "{}", size_of::<Error>());
    }

    #[test]
    fn says_whether_the_exchange_may_have_acted() {
        let refused = |code| {
            Error::Refused(Box::new(Refusal {
                code: Code::new(code),
                reason: String::new(),
                message: String::new(),
                info: String::new(),
                status: Some(200),
                retry_after: None,
            }))
        };
        // In the words of the exchange, and in those of something before it.
        let said = |status, code, reason: &str| match refused(code) {
            Error::Refused(refusal) => {
                Error::Refused(Box::new(Refusal { status: Some(status), reason: reason.to_owned(), ..*refusal }))
            }
            other => other,
        };
        let http = |status| {
            Error::Http(Box::new(HttpError { status, body: String::new(), retry_after: None, location: None }))
        };
        for (error, acted, retry) in [
            (InvalidInput::new("symbol", "no").into(), false, false),
            (Error::transport(Phase::Resolve, "x"), false, true),
            (Error::transport(Phase::Connect, "x"), false, true),
            (Error::transport(Phase::Tls, "x"), false, false),
            (Error::transport(Phase::Exchange, "x"), true, true),
            (Error::Timeout(Timeout::Deadline), false, true),
            (Error::Timeout(Timeout::Connect), false, true),
            (Error::Timeout(Timeout::Read), true, true),
            (refused(300_011), false, false),
            (refused(510_001), true, true),
            (refused(100_101), true, true),
            (refused(6010), false, false),
            (said(200, 0, "DupNewCoid"), true, false),
            (said(200, 0, "DupCancelCoid"), true, false),
            (said(200, 0, "NotEnoughBalance"), false, false),
            (said(504, 504, ""), true, true),
            (said(429, 429, ""), true, true),
            (said(429, 100_014, ""), false, true),
            (said(403, 403, ""), true, false),
            (said(400, 300_011, ""), false, false),
            (said(500, 300_011, ""), false, false),
            (http(429), true, true),
            (http(403), true, false),
            (http(502), true, true),
            (Error::TooLarge(1), true, false),
            (Error::NotReady("connecting"), false, true),
            (Error::RateLimited(Duration::from_secs(1)), false, true),
            (Error::Closed, false, false),
            (Error::ConnectionLost, true, true),
            (Error::ClosedByServer(Box::new(CloseFrame { code: Some(1001), reason: String::new() })), true, true),
        ] {
            assert_eq!((error.may_have_executed(), error.is_retryable()), (acted, retry), "{error}");
        }
    }

    #[test]
    fn a_decoding_error_shows_the_text_around_the_place() {
        let text = format!("[{}\n\"good\", é{{bad}}]", "1,".repeat(500));
        let source = serde_json::from_str::<serde_json::Value>(&text).unwrap_err();
        let error = DecodeError::new("assets", &text, source);
        assert!(error.near.contains("é{bad}"), "{}", error.near);
        assert!(error.near.len() <= 120);
        assert_eq!(error.path, "[501]");
    }
}
