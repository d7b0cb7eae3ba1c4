//! What a text on the stream says: JSON to [`Message`], and what the client says to JSON.
//!
//! Nearly all texts come in one form, which [`plain`] reads at once. Any other is read in two passes: the first
//! finds its kind (`m`) wherever that stands, the second reads the whole as that kind.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, de};
use serde_json::value::RawValue;

use crate::code::Code;
use crate::de as wire;
use crate::error::{DecodeError, Refusal};
use crate::model::{BalanceUpdate, Bar, Bbo, CancelRejected, Depth, OrderUpdate, RefPrice, Trades};
use crate::symbol::Symbol;
use crate::ws::plain;

/// What one text of the server says. At most 112 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// The greeting (`connected`).
    Connected {
        /// Whether the session is authenticated (`type` is `auth`).
        authenticated: bool,
    },
    /// The server wants a `pong` (`ping`).
    Ping {
        /// Pings that may still go unanswered (`hp`).
        hp: Option<i64>,
    },
    /// The answer to a `ping` of the client (`pong`).
    Pong {
        /// The server's time, UTC milliseconds (`ts`).
        ts: Option<u64>,
        /// Pings that may still go unanswered (`hp`).
        hp: Option<i64>,
    },
    /// The answer to an authentication (`auth`).
    Auth(Box<AuthAck>),
    /// The answer to a subscription (`sub`).
    Subscribed(Box<SubAck>),
    /// The answer to the end of a subscription (`unsub`).
    Unsubscribed(Box<SubAck>),
    /// A refused request or subscription (`error`; also `depth-snapshot-realtime` without data).
    Refused(Box<Refused>),
    /// The server is about to close the session (`disconnected`), and why.
    Disconnected(Box<Refusal>),
    /// The best bid and ask (`bbo`).
    Bbo(Bbo),
    /// An order book or changes to one (`depth`, `depth-snapshot` and the others of [`DepthKind`](crate::model::DepthKind)).
    Depth(Depth),
    /// Trades (`trades`, `market-trades`).
    Trades(Trades),
    /// A bar (`bar`, `summary`).
    Bar(Box<Bar>),
    /// A reference price for margin (`ref-px`).
    RefPrice(RefPrice),
    /// Something happened to an order (`order` with `data`).
    Order(Box<OrderUpdate>),
    /// A cancel failed (`order` with `data`, in the *ready* mode).
    CancelRejected(Box<CancelRejected>),
    /// A balance changed (`balance`).
    Balance(Box<BalanceUpdate>),
    /// The answer to a request: `order` with `action`, `balance` with `id`, `open-order`, `order-status`,
    /// `margin-risk`. Its text is read by whoever asked.
    Answer(Box<RequestAnswer>),
    /// A message that this version does not know.
    Unknown {
        /// Its kind (`m`), where it says one.
        kind: Option<String>,
    },
}

/// The answer to a subscription or to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubAck {
    /// The request's `id`, where it had one.
    pub id: Option<String>,
    /// The channel with its arguments: `depth:BTC/USDT` (`ch`). Of several symbols all or one.
    pub channel: String,
    /// Why it was refused; `None` when it was not.
    pub refusal: Option<Refusal>,
}

/// The answer to an authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthAck {
    /// The request's `id`, where it had one.
    pub id: Option<String>,
    /// Whether orders are announced with `Ready` (`ack` is `ready`).
    pub ready: bool,
    /// Why it was refused; `None` when it was not.
    pub refusal: Option<Refusal>,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestAnswer {
    /// The request's `id`; of an order's `info.id`.
    pub id: Option<String>,
    /// Its kind (`m`).
    pub kind: String,
    /// The text, as it came.
    pub text: String,
}

/// A refused request or subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// The request's `id`, where it had one.
    pub id: Option<String>,
    /// Why.
    pub refusal: Refusal,
}

impl Message {
    /// Reads one text of the server. A kind that this version does not know is [`Message::Unknown`].
    ///
    /// # Errors
    /// [`DecodeError`] when the text is no JSON object, or is not what its kind says; its `what` is the kind,
    /// or `message` where even that could not be read.
    ///
    /// ```
    /// use bitmax::Message;
    /// assert_eq!(Message::parse(r#"{"m":"ping","hp":3}"#)?, Message::Ping { hp: Some(3) });
    /// assert!(Message::parse(r#"{"m":"bbo"}"#).is_err());
    /// # Ok::<(), bitmax::DecodeError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        if let Some(message) = plain::read(text) {
            return Ok(message);
        }
        // The readers of the models would take a list for an object.
        if !text.trim_start().starts_with('{') {
            return Err(DecodeError::shape("message", text));
        }
        let kind = kind_of(text).map_err(|e| DecodeError::new("message", text, e))?;
        let Some(kind) = kind else { return Ok(Self::Unknown { kind: None }) };
        read(&kind, text).map_err(|e| DecodeError::new(kind, text, e))
    }
}

fn read(kind: &str, text: &str) -> serde_json::Result<Message> {
    use serde_json::from_str;
    Ok(match kind {
        "bbo" => Message::Bbo(from_str(text)?),
        "depth" | "depth-realtime" => Message::Depth(from_str(text)?),
        "trades" | "market-trades" => Message::Trades(from_str(text)?),
        "depth-snapshot" | "depth-snapshot-top100" | "depth-snapshot-realtime" => match from_str(text) {
            Ok(depth) => Message::Depth(depth),
            Err(e) => Message::Refused(Box::new(refused_snapshot(text).ok_or(e)?)),
        },
        "bar" => Message::Bar(from_str(text)?),
        "summary" => match from_str(text) {
            Ok(bar) => Message::Bar(bar),
            Err(e) => match from_str::<Body>(text)?.data {
                None => unknown(kind),
                Some(_) => return Err(e),
            },
        },
        "ref-px" => Message::RefPrice(from_str(text)?),
        "ping" => from_str::<Heartbeat>(text).map(|beat| Message::Ping { hp: beat.hp })?,
        "pong" => from_str::<Heartbeat>(text).map(|beat| Message::Pong { ts: beat.ts, hp: beat.hp })?,
        "connected" => Message::Connected { authenticated: from_str::<Greeting>(text)?.kind == "auth" },
        "sub" => Message::Subscribed(Box::new(sub_ack(from_str(text)?)?)),
        "unsub" => Message::Unsubscribed(Box::new(sub_ack(from_str(text)?)?)),
        "order" | "balance" | "open-order" | "order-status" | "margin-risk" => private(kind, text)?,
        "auth" => Message::Auth(Box::new(auth_ack(from_str(text)?)?)),
        "error" => Message::Refused(Box::new(from_str::<Answer>(text)?.refused())),
        "disconnected" => Message::Disconnected(Box::new(from_str::<Answer>(text)?.refused().refusal)),
        _ => unknown(kind),
    })
}

/// The messages of an account: an update has `data` and no `id`, the answer to an order has `action`, any other
/// answer has `id`.
fn private(kind: &str, text: &str) -> serde_json::Result<Message> {
    use serde_json::from_str;
    #[derive(Deserialize)]
    struct Outline<'a> {
        #[serde(default, deserialize_with = "wire::id")]
        id: Option<String>,
        #[serde(borrow, default)]
        action: Option<Borrowed<'a>>,
        #[serde(borrow, default)]
        data: Option<&'a RawValue>,
        #[serde(borrow, default)]
        info: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Id {
        #[serde(default, deserialize_with = "wire::id")]
        id: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Cancel<'a> {
        #[serde(borrow, default)]
        orig_order_id: Option<&'a RawValue>,
    }
    let outline: Outline<'_> = from_str(text)?;
    let id = match (kind, outline.action) {
        ("order", None) => {
            let data = outline
                .data
                .map(RawValue::get)
                .ok_or_else(|| <serde_json::Error as de::Error>::missing_field("data"))?;
            let cancel = from_str::<Cancel<'_>>(data).is_ok_and(|cancel| cancel.orig_order_id.is_some());
            return Ok(if cancel { Message::CancelRejected(from_str(text)?) } else { Message::Order(from_str(text)?) });
        }
        ("balance", None) if outline.id.is_none() => return Ok(Message::Balance(from_str(text)?)),
        ("order", Some(_)) => {
            outline.info.and_then(|info| from_str::<Id>(info.get()).ok()).and_then(|info| info.id).or(outline.id)
        }
        _ => outline.id,
    };
    Ok(Message::Answer(Box::new(RequestAnswer { id, kind: kind.to_owned(), text: text.to_owned() })))
}

fn unknown(kind: &str) -> Message {
    Message::Unknown { kind: Some(kind.to_owned()) }
}

/// The kind of a text: `m`, or where that is missing `op`, which an older greeting has in its place.
fn kind_of(text: &str) -> serde_json::Result<Option<Cow<'_, str>>> {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(borrow, default)]
        m: Option<Borrowed<'a>>,
        #[serde(borrow, default)]
        op: Option<Borrowed<'a>>,
    }
    let Kind { m, op } = serde_json::from_str(text)?;
    Ok(m.or(op).map(|text| text.0))
}

/// Text, borrowed unless something in it is escaped: within an `Option`, a `Cow` alone is always owned.
#[derive(Deserialize)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Greeting<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Heartbeat {
    #[serde(default, deserialize_with = "wire::maybe::deserialize")]
    ts: Option<u64>,
    #[serde(default, deserialize_with = "wire::maybe::deserialize")]
    hp: Option<i64>,
}

/// Whether a message has a body.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

/// What acknowledgements and refusals are made of.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(default, deserialize_with = "wire::id")]
    id: Option<String>,
    #[serde(default)]
    ch: Option<String>,
    #[serde(default)]
    code: Option<Code>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    err: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(borrow, default)]
    info: Option<&'a RawValue>,
    #[serde(default)]
    ack: Option<String>,
}

impl Answer<'_> {
    /// The answer as a refusal, whatever its code.
    fn refused(self) -> Refused {
        let mut message = self.message.or(self.err).unwrap_or_default();
        let mut info = self.info.map(RawValue::get).unwrap_or_default();
        // Mostly `info` is a sentence.
        if message.is_empty()
            && let Ok(sentence) = serde_json::from_str(info)
        {
            message = sentence;
            info = "";
        }
        let refusal = Refusal {
            code: self.code.unwrap_or(ACCEPTED),
            reason: self.reason.unwrap_or_default(),
            message,
            info: info.to_owned(),
            status: None,
            retry_after: None,
        };
        Refused { id: self.id, refusal }
    }
}

const ACCEPTED: Code = Code::new(0);

/// An acknowledgement without a code is a good one: that of `unsub` can lack it.
fn sub_ack(mut answer: Answer<'_>) -> serde_json::Result<SubAck> {
    let channel = answer.ch.take().ok_or_else(|| de::Error::missing_field("ch"))?;
    let accepted = answer.code.is_none_or(|code| code == ACCEPTED);
    let Refused { id, refusal } = answer.refused();
    Ok(SubAck { id, channel, refusal: (!accepted).then_some(refusal) })
}

fn auth_ack(answer: Answer<'_>) -> serde_json::Result<AuthAck> {
    let code = answer.code.ok_or_else(|| <serde_json::Error as de::Error>::missing_field("code"))?;
    let ready = answer.ack.as_deref() == Some("ready");
    let Refused { id, refusal } = answer.refused();
    Ok(AuthAck { id, ready, refusal: (code != ACCEPTED).then_some(refusal) })
}

/// The failure form of a snapshot: a code and no data.
fn refused_snapshot(text: &str) -> Option<Refused> {
    let answer: Answer<'_> = serde_json::from_str(text).ok()?;
    answer.code.filter(|code| *code != ACCEPTED)?;
    Some(answer.refused())
}

/// The refusal that a text is, where its code says that it is one.
pub(crate) fn refusal_of(text: &str) -> Option<Refusal> {
    refused_snapshot(text).map(|refused| refused.refusal)
}

/// What the client says.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub(crate) enum Outgoing<'a> {
    /// Subscribe to `ch`, a channel with its arguments.
    Sub { id: &'a str, ch: &'a str },
    /// End the subscription to `ch`.
    Unsub { id: &'a str, ch: &'a str },
    /// Ask for a sign of life.
    Ping,
    /// Answer the server's ping.
    Pong,
    /// Prove who one is.
    Auth {
        id: &'a str,
        /// UTC milliseconds.
        t: u64,
        key: &'a str,
        sig: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        ack: Option<&'a str>,
    },
    /// A request with one answer.
    Req {
        id: &'a str,
        action: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        account: Option<&'a str>,
        args: &'a RawValue,
    },
}

/// The arguments of a request for a product's data.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct SymbolArgs {
    pub(crate) symbol: Symbol,
    /// How many, of `market-trades`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) level: Option<u32>,
}

/// The arguments of a request, as they are sent.
pub(crate) fn args(args: &impl Serialize) -> Box<RawValue> {
    // cannot fail: every key is text and no field's serialisation returns an error
    serde_json::value::to_raw_value(args).unwrap_or_default()
}

impl Outgoing<'_> {
    /// The text to send.
    pub(crate) fn to_text(self) -> String {
        // cannot fail: every key is text and no field's serialisation returns an error
        serde_json::to_string(&self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_small() {
        assert!(size_of::<Message>() <= 112, "{}", size_of::<Message>());
    }

    #[test]
    fn the_client_writes_what_the_reference_says() {
        let symbol = Symbol::new("BTC/USDT").unwrap();
        let one = args(&SymbolArgs { symbol, level: None });
        let twelve = args(&SymbolArgs { symbol, level: Some(12) });
        for (message, text) in [
            (Outgoing::Ping, r#"{"op":"ping"}"#),
            (Outgoing::Pong, r#"{"op":"pong"}"#),
            (Outgoing::Sub { id: "a\"b", ch: "bbo:BTC/USDT" }, r#"{"op":"sub","id":"a\"b","ch":"bbo:BTC/USDT"}"#),
            (Outgoing::Unsub { id: "1", ch: "bar:*" }, r#"{"op":"unsub","id":"1","ch":"bar:*"}"#),
            (
                Outgoing::Auth { id: "a", t: 5, key: "k", sig: "s", ack: None },
                r#"{"op":"auth","id":"a","t":5,"key":"k","sig":"s"}"#,
            ),
            (
                Outgoing::Auth { id: "a", t: 5, key: "k", sig: "s", ack: Some("ready") },
                r#"{"op":"auth","id":"a","t":5,"key":"k","sig":"s","ack":"ready"}"#,
            ),
            (
                Outgoing::Req { id: "1", action: "depth-snapshot", account: None, args: &one },
                r#"{"op":"req","id":"1","action":"depth-snapshot","args":{"symbol":"BTC/USDT"}}"#,
            ),
            (
                Outgoing::Req { id: "1", action: "market-trades", account: Some("cash"), args: &twelve },
                r#"{"op":"req","id":"1","action":"market-trades","account":"cash","args":{"symbol":"BTC/USDT","level":12}}"#,
            ),
        ] {
            assert_eq!(message.to_text(), text);
        }
    }
}
