//! Who a session is for, and how it says so.

use std::fmt;
use std::sync::Arc;

use crate::code::{Code, CodeGroup};
use crate::credentials::{Credentials, concealed};
use crate::error::Error;
use crate::ws::wire::Outgoing;

/// The id of the authentication. While it waits for its answer nothing else does.
pub(super) const MESSAGE_ID: &str = "auth";

/// How a session is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Authentication {
    /// By headers of the upgrade: a connection is the account's from its first byte.
    #[default]
    Header,
    /// By a message on the open socket.
    Message,
}

/// The account that a session is for.
#[derive(Debug)]
pub(crate) struct Identity {
    credentials: Arc<Credentials>,
    way: Authentication,
    /// Whether orders are to be announced with `Ready`, which only the message can ask for.
    ready_ack: bool,
    /// How far the exchange's clock is ahead of this machine's, milliseconds.
    clock_offset: i64,
    /// Whether that was learned on this connection, so that a second refusal for the time is final.
    pub(super) clock_is_set: bool,
    /// The signature of the last message.
    signature: String,
}

/// Whether an attempt failed because of who it was for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    No,
    /// Because of its timestamp: once the clock is set it may pass.
    ForItsTime,
    ForGood,
}

impl Identity {
    pub(crate) fn new(credentials: Arc<Credentials>, way: Authentication, ready_ack: bool, clock_offset: i64) -> Self {
        let way = if ready_ack { Authentication::Message } else { way };
        Self { credentials, way, ready_ack, clock_offset, clock_is_set: false, signature: String::new() }
    }

    /// The headers of the upgrade, where that is the way.
    pub(super) fn headers(&self, wall: u64) -> Option<AuthHeaders> {
        (self.way == Authentication::Header).then(|| {
            let millis = self.millis(wall);
            AuthHeaders([
                ("x-auth-key", self.credentials.key().to_owned()),
                ("x-auth-timestamp", millis.to_string()),
                ("x-auth-signature", self.sign(millis)),
            ])
        })
    }

    /// The message.
    pub(super) fn message(&mut self, wall: u64) -> Secret {
        let t = self.millis(wall);
        let ack = self.ready_ack.then_some("ready");
        self.signature = self.sign(t);
        let write = |key, sig| Outgoing::Auth { id: MESSAGE_ID, t, key, sig, ack }.to_text();
        Secret { text: write(self.credentials.key(), &self.signature), shown: write("…", "…") }
    }

    /// What the server says to the message, should it echo what is secret in it: without that.
    pub(super) fn concealed(&self, text: &str) -> Option<String> {
        concealed(text.as_bytes(), [self.credentials.key(), &self.signature])
    }

    /// Sets the clock by what the exchange says, and gives how far it is ahead.
    pub(super) fn set_clock(&mut self, millis: u64, wall: u64) -> i64 {
        self.clock_is_set = true;
        // cannot fail: both are times of this age
        self.clock_offset =
            i64::try_from(millis).unwrap_or_default() - i64::try_from(wall / 1_000_000).unwrap_or_default();
        self.clock_offset
    }

    /// A connection is begun.
    pub(super) fn begin(&mut self) {
        self.clock_is_set = false;
    }

    /// What the failure of a connection says about the identity. A timestamp that was refused on the way of
    /// headers makes the next attempt go the way of the message, which can set the clock.
    pub(super) fn refused_by(&mut self, error: &Error) -> Refused {
        match error {
            Error::Refused(refusal) if refusal.is_for_its_time() && self.way == Authentication::Header => {
                self.way = Authentication::Message;
                Refused::ForItsTime
            }
            Error::Refused(refusal) if is_authentication(refusal.code) => Refused::ForGood,
            Error::Http(e) if e.status == 401 => Refused::ForGood,
            _ => Refused::No,
        }
    }

    fn millis(&self, wall: u64) -> u64 {
        (wall / 1_000_000).saturating_add_signed(self.clock_offset)
    }

    fn sign(&self, millis: u64) -> String {
        self.credentials.sign(millis, "stream").as_str().to_owned()
    }
}

fn is_authentication(code: Code) -> bool {
    code.group() == CodeGroup::Authentication || code == Code::AUTHORIZATION_NEEDED || code == Code::INVALID_TIMESTAMP
}

/// The headers of an authenticated upgrade.
pub(crate) struct AuthHeaders(pub(crate) [(&'static str, String); 3]);

impl fmt::Debug for AuthHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthHeaders(..)")
    }
}

/// A text with a key and a signature in it, and the same without them, for other eyes.
pub(crate) struct Secret {
    pub(crate) text: String,
    pub(crate) shown: String,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secret").field(&self.shown).finish()
    }
}
