//! A client of the stream that looks at every message: sound, with an `m`.

use bitmax::sandbox::Sandbox;
use serde_json::{Value, json};

use crate::caller::{Caller, sign};
use crate::raw::Stream;
use crate::shape::assert_sound;

pub(crate) struct Session(pub(crate) Stream);

impl Session {
    /// A session for public data.
    pub(crate) fn open(sandbox: &Sandbox) -> Self {
        let mut session = Self(Stream::upgrade(sandbox.port(), "/0/api/pro/v1/stream"));
        assert_eq!(session.next(), json!({"m": "connected", "type": "unauth"}));
        session
    }

    /// A session at the caller's account group, not authenticated yet.
    pub(crate) fn open_by(caller: &Caller) -> Self {
        let mut session = Self(Stream::upgrade(caller.sandbox.port(), &caller.path("/G/api/pro/v1/stream")));
        assert_eq!(session.next(), json!({"m": "connected", "type": "unauth"}));
        session
    }

    /// A session that authenticated by a message, perhaps in the ready mode.
    pub(crate) fn authenticated(caller: &Caller, ready: bool) -> Self {
        let mut session = Self::open_by(caller);
        let mut auth = auth_message(caller, "stream");
        if ready {
            auth["ack"] = json!("ready");
        }
        let answer = session.ask(&auth);
        assert_eq!((&answer["m"], &answer["code"]), (&json!("auth"), &json!(0)), "{answer}");
        session
    }

    pub(crate) fn send(&mut self, message: &Value) {
        self.0.send(&message.to_string());
    }

    /// The next message.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Value {
        let message = self.0.json();
        assert!(message["m"].is_string(), "{message}");
        assert_sound(&message);
        message
    }

    /// The next message for which this holds; others are passed over.
    #[track_caller]
    pub(crate) fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.next();
            if wanted(&message) {
                return message;
            }
        }
    }

    /// Asks and takes the very next message.
    #[track_caller]
    pub(crate) fn ask(&mut self, message: &Value) -> Value {
        self.send(message);
        self.next()
    }

    /// Everything that has been sent to this session so far. The answer to a ping of one's own marks its end.
    #[track_caller]
    pub(crate) fn so_far(&mut self) -> Vec<Value> {
        self.send(&json!({"op": "ping"}));
        let mut messages = Vec::new();
        loop {
            let message = self.next();
            if message["m"] == "pong" {
                return messages;
            }
            messages.push(message);
        }
    }

    /// Subscribes, and takes the acknowledgements of all its symbols, in one message or one by one.
    #[track_caller]
    pub(crate) fn subscribe(&mut self, channel: &str) {
        self.send(&json!({"op": "sub", "id": "subscribes", "ch": channel}));
        let symbols = channel.rsplit(':').next().unwrap().split(',').count();
        let mut acknowledged = 0;
        while acknowledged < symbols {
            let ack = self.until(|message| message["m"] == "sub" || message["m"] == "error");
            assert_eq!((&ack["code"], &ack["id"]), (&json!(0), &json!("subscribes")), "{ack}");
            acknowledged += ack["ch"].as_str().unwrap().rsplit(':').next().unwrap().split(',').count();
        }
    }

    /// Ends a subscription; gives what came until the acknowledgement.
    #[track_caller]
    pub(crate) fn unsubscribe(&mut self, channel: &str) {
        self.send(&json!({"op": "unsub", "id": "unsubscribes", "ch": channel}));
        let ack = self.until(|message| message["m"] == "unsub" || message["m"] == "error");
        assert_eq!((&ack["m"], &ack["id"]), (&json!("unsub"), &json!("unsubscribes")), "{ack}");
        assert!(ack.get("code").is_none_or(|code| code == 0), "{ack}");
    }

    /// A request of an account; its answer, the very next message.
    #[track_caller]
    pub(crate) fn request(&mut self, action: &str, account: &str, args: &Value) -> Value {
        self.ask(&json!({"op": "req", "id": "asks1", "action": action, "account": account, "args": args}))
    }
}

/// An authentication by message, with the prehash `<t>+<path>`.
pub(crate) fn auth_message(caller: &Caller, path: &str) -> Value {
    let time = caller.sandbox.now();
    let signature = sign(caller.user.api_secret().as_bytes(), time, path);
    json!({"op": "auth", "id": "abc123", "t": time, "key": caller.user.api_key(), "sig": signature})
}

/// The messages of one kind.
pub(crate) fn of_kind<'a>(messages: &'a [Value], m: &str) -> Vec<&'a Value> {
    messages.iter().filter(|message| message["m"] == m).collect()
}
