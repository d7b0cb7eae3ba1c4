//! What the client of a recorded session sent: the session that plays it awaits the same answers.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;

use super::{Now, Session, Token};
use crate::de as wire;
use crate::ws::channel::{Channel, Topic};

/// What the client said.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    op: Cow<'a, str>,
    #[serde(default, deserialize_with = "wire::id")]
    id: Option<String>,
    #[serde(borrow, default)]
    ch: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    action: Option<Cow<'a, str>>,
    #[serde(default)]
    args: Option<Args>,
}

#[derive(Deserialize)]
struct Args {
    /// An order's own id, which its answer has.
    #[serde(default, deserialize_with = "wire::id")]
    id: Option<String>,
}

impl Session {
    /// The client of a recorded session sent a text.
    pub(crate) fn sent(&mut self, text: &str, now: Now) {
        // What nobody could make sense of asked for nothing.
        let Ok(said) = serde_json::from_str::<Said<'_>>(text) else { return };
        match &*said.op {
            "sub" => self.subscriptions.asked(said.topics(), said.id.as_deref().unwrap_or_default(), now.at),
            "unsub" => drop(self.subscriptions.remove(&said.topics())),
            "ping" => drop(self.ping_sent.get_or_insert(now.at)),
            // Of those that asked for a snapshot nobody knows whether they awaited it as an event: it comes as one.
            "req" if !said.action.as_ref().is_some_and(|action| action.starts_with("depth-snapshot")) => {
                let id = said.args.and_then(|args| args.id).or(said.id).unwrap_or_default();
                self.pending.add(Token(0), id, None, Duration::MAX);
            }
            _ => {}
        }
    }
}

impl Said<'_> {
    fn topics(&self) -> Vec<Topic> {
        let channel = self.ch.as_ref().and_then(|ch| ch.parse::<Channel>().ok());
        channel.and_then(|channel| channel.into_topics().ok()).unwrap_or_default()
    }
}

/// Whether a text authenticates the session.
pub(crate) fn is_authentication(text: &str) -> bool {
    text.contains("auth") && serde_json::from_str::<Said<'_>>(text).is_ok_and(|said| said.op == "auth")
}
