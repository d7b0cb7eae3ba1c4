//! What of a session may be told to others.
//!
//! On a connection that is not authenticated everything is public. On one of an account only what is known to be so:
//! market data, what asks for it, and what keeps the connection up. Anything else is private, and so is what cannot be
//! read. Until the server has greeted, a connection counts as an account's.

use std::borrow::Cow;

use serde::Deserialize;

use crate::ws::Direction;

/// One connection after another.
#[derive(Debug, Default)]
pub(super) struct Privacy {
    /// Whether the connection is known to be of no account.
    is_public: bool,
}

/// What of a text decides.
#[derive(Default, Deserialize)]
struct Outline<'a> {
    #[serde(borrow, default)]
    m: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    op: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    ch: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    action: Option<Cow<'a, str>>,
}

const CHANNELS: [&str; 7] = ["bbo", "depth", "depth-realtime", "trades", "bar", "summary", "ref-px"];
const REQUESTS: [&str; 4] = ["depth-snapshot", "depth-snapshot-top100", "depth-snapshot-realtime", "market-trades"];
const CONNECTION: [&str; 5] = ["connected", "auth", "ping", "pong", "disconnected"];

impl Privacy {
    /// `None` for a text that is public; else its kind, which is all that may be told of it.
    pub(super) fn private_kind(&mut self, direction: Direction, text: &str) -> Option<String> {
        if !matches!(direction, Direction::Sent | Direction::Received) {
            self.is_public = false;
            return None;
        }
        let outline = serde_json::from_str::<Outline<'_>>(text).unwrap_or_default();
        let kind = word(if direction == Direction::Sent { &outline.op } else { &outline.m });
        match (direction, kind) {
            (Direction::Sent, "auth") => self.is_public = false,
            (Direction::Received, "connected") => self.is_public = word(&outline.kind) == "unauth",
            _ => {}
        }
        let is_public = self.is_public
            || CONNECTION.contains(&kind)
            || match kind {
                "sub" | "unsub" => CHANNELS.contains(&word(&outline.ch).split(':').next().unwrap_or_default()),
                "req" => REQUESTS.contains(&word(&outline.action)),
                data => CHANNELS.contains(&data) || REQUESTS.contains(&data),
            };
        // No more of it than a word, whatever the server put there.
        (!is_public).then(|| kind.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect())
    }
}

fn word<'a>(field: &'a Option<Cow<'_, str>>) -> &'a str {
    field.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_account_only_what_is_known_to_be_public_is_told() {
        use Direction::{Connect, Received, Sent};
        let mut privacy = Privacy::default();
        for (direction, text, private) in [
            (Connect, "ws://x/1/api/pro/v1/stream", None),
            (Sent, r#"{"op":"sub","ch":"order:cash"}"#, Some("sub")),
            (Received, r#"{"m":"connected","type":"unauth"}"#, None),
            (Received, r#"{"m":"error","code":1,"info":"refused"}"#, None),
            (Received, "<html>", None),
            (Sent, r#"{"op":"auth","id":"auth","t":1,"key":"…","sig":"…"}"#, None),
            (Received, r#"{"m":"auth","id":"auth","code":0}"#, None),
            (Received, r#"{"m":"order","accountId":"x","data":{}}"#, Some("order")),
            (Received, r#"{"m":"order","accountId":"x","action":"place-order","info":{}}"#, Some("order")),
            (Received, r#"{"m":"balance","data":{}}"#, Some("balance")),
            (Received, r#"{"m":"error","id":"o1","code":1}"#, Some("error")),
            (Received, r#"{"m":"sub","ch":"order:cshQtyfq8XLAA9kcf19h8bXHbAwwoqDo","code":0}"#, Some("sub")),
            (Received, r#"{"m":"sub","ch":"bar:1:A/B","code":0}"#, None),
            (Received, r#"{"m":"futures-order","a":"b"}"#, Some("futures-order")),
            (Received, r#"{"m":"bbo","m":"order","a":"b"}"#, Some("")),
            (Received, r#"{"m":{"a":"b"}}"#, Some("")),
            (Received, r#"{"m":"a \"secret\""}"#, Some("asecret")),
            (Received, "<html>", Some("")),
            (Received, r#"{"m":"depth","symbol":"A/B","data":{}}"#, None),
            (Received, r#"{"m":"market-trades","symbol":"A/B","data":[]}"#, None),
            (Sent, r#"{"op":"req","action":"depth-snapshot","args":{"symbol":"A/B"}}"#, None),
            (Sent, r#"{"op":"req","action":"place-order","account":"cash","args":{}}"#, Some("req")),
            (Sent, r#"{"op":"unsub","ch":"order:cash"}"#, Some("unsub")),
            (Sent, r#"{"op":"pong"}"#, None),
            (Connect, "ws://x/1/api/pro/v1/stream", None),
            (Received, r#"{"m":"connected","type":"auth"}"#, None),
            (Received, r#"{"m":"error","id":"o1","code":1}"#, Some("error")),
            (Connect, "ws://x/1/api/pro/v1/stream", None),
            (Received, r#"{"m":"connected"}"#, None),
            (Received, r#"{"m":"balance","data":{}}"#, Some("balance")),
        ] {
            assert_eq!(privacy.private_kind(direction, text).as_deref(), private, "{text}");
        }
    }
}
