//! What a client says on the stream, taken apart.

use std::fmt;

use serde_json::Value;

use crate::sandbox::accounts::{Fields, Proof};
use crate::sandbox::limits::Kind;

/// A message of a client. Whatever has the wrong type counts as missing, so that the refusal can still name the
/// request by its id.
#[derive(Debug, Default)]
pub(crate) struct ClientMessage {
    pub(super) op: String,
    /// Echoed as it is, whatever it is.
    pub(super) id: Option<Value>,
    pub(super) ch: String,
    /// In lower case, as the documentation prints some in two ways.
    pub(super) action: String,
    pub(super) account: Option<String>,
    pub(super) login: Option<Login>,
    /// No JSON object at all.
    pub(super) is_malformed: bool,
    /// JSON, or nothing.
    args: String,
}

/// What an `auth` says.
#[derive(Default)]
pub(super) struct Login {
    key: Option<String>,
    /// As sent: the signature is over this text.
    time: Option<String>,
    signature: Option<String>,
    /// How orders are to be acknowledged, if that is said.
    pub(super) ack: Option<String>,
}

impl fmt::Debug for Login {
    /// Shows neither key nor signature.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("time", &self.time).field("ack", &self.ack).finish_non_exhaustive()
    }
}

impl Login {
    pub(super) fn proof(&self) -> Proof<'_> {
        Proof { key: self.key.as_deref(), timestamp: self.time.as_deref(), signature: self.signature.as_deref() }
    }
}

impl ClientMessage {
    pub(crate) fn parse(text: &str) -> Self {
        let Ok(fields) = Fields::parse(text) else { return Self { is_malformed: true, ..Self::default() } };
        let text = |name| fields.text(name).ok().flatten();
        let word = |name| text(name).unwrap_or_default();
        let login = || Login {
            key: text("key"),
            time: Some(fields.echo("t")).filter(|time| !time.is_empty()),
            signature: text("sig"),
            ack: text("ack"),
        };
        let op = word("op");
        Self {
            id: fields.raw("id").and_then(|raw| serde_json::from_str(raw).ok()),
            ch: word("ch"),
            action: word("action").to_ascii_lowercase(),
            account: text("account"),
            login: (op == "auth").then(login),
            is_malformed: false,
            args: fields.raw("args").unwrap_or_default().to_owned(),
            op,
        }
    }

    /// What this is called where faults are injected.
    pub(crate) fn name(&self) -> String {
        let subject = if self.op == "req" { &self.action } else { &self.ch };
        format!("{} {subject}", self.op).trim_end().to_owned()
    }

    /// What it counts as: all of these.
    pub(super) fn kinds(&self) -> &'static [Kind] {
        match (self.op.as_str(), self.action.as_str()) {
            ("auth" | "ping" | "pong", _) => &[Kind::Admin],
            ("sub" | "unsub", _) => &[Kind::Subscription],
            ("req", "place-order" | "cancel-order" | "cancel-all") => &[Kind::Request, Kind::Order],
            ("req", action) if action.starts_with("depth-snapshot") => &[Kind::Request, Kind::Snapshot],
            _ => &[Kind::Request],
        }
    }

    /// The arguments; none where there is no object of them.
    pub(super) fn args(&self) -> Fields<'_> {
        Fields::parse(&self.args).unwrap_or_default()
    }

    /// A text among the arguments.
    pub(super) fn arg(&self, name: &str) -> Option<String> {
        self.args().text(name).ok().flatten()
    }

    /// A whole number among the arguments, quoted or not.
    pub(super) fn number_arg(&self, name: &str) -> Option<u64> {
        self.args().whole(name).ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_the_wrong_type_is_missing() {
        let message =
            ClientMessage::parse(r#"{"op":"req","id":[1],"ch":7,"action":"Place-Order","args":{"level":"5"}}"#);
        assert_eq!((message.op.as_str(), message.ch.as_str(), message.action.as_str()), ("req", "", "place-order"));
        assert_eq!((message.id.as_ref().unwrap().to_string().as_str(), message.number_arg("level")), ("[1]", Some(5)));
        assert_eq!((message.arg("level").as_deref(), message.arg("symbol")), (Some("5"), None));
        assert_eq!(message.name(), "req place-order");
        assert_eq!(ClientMessage::parse(r#"{"op":"req","args":[1]}"#).arg("x"), None);
        for text in ["", "7", "[]", "null", "{", r#""op""#] {
            assert!(ClientMessage::parse(text).is_malformed, "{text}");
        }
        assert_eq!(ClientMessage::parse(r#"{"op":"ping"}"#).name(), "ping");
        assert_eq!(ClientMessage::parse(r#"{"op":"sub","ch":"depth:A/B"}"#).name(), "sub depth:A/B");
    }

    #[test]
    fn a_login_is_kept_as_it_was_sent_and_not_shown() {
        for t in ["1585438955783", r#""1585438955783""#] {
            let message = ClientMessage::parse(&format!(r#"{{"op":"auth","t":{t},"key":"KEY","sig":"SIGNATURE"}}"#));
            let proof = message.login.as_ref().unwrap().proof();
            assert_eq!(
                (proof.key, proof.timestamp, proof.signature),
                (Some("KEY"), Some("1585438955783"), Some("SIGNATURE"))
            );
            let shown = format!("{message:?}");
            assert!(!shown.contains("KEY") && !shown.contains("SIGNATURE"), "{shown}");
        }
    }
}
