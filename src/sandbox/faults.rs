//! Faults to inject: what goes wrong, at what, and how often. No sockets and no clock in it.

use std::time::Duration;

use super::market::{Random, blend, hash};

/// What goes wrong with what a client does or is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The connection is closed; nothing is done.
    Cut,
    /// Nothing is done and nothing answered. The connection stays open; on one of REST nothing is heard any more.
    LoseRequest,
    /// It is heard so much later, by the sandbox's clock. On the stream other messages overtake it.
    DelayRequest(Duration),
    /// Nothing is done, and this is the answer. On the stream it is the body alone, as a text.
    Refuse(Reply),
    /// It is done, but not answered. The connection stays open; on one of REST nothing is heard any more.
    LoseAnswer,
    /// It is done, and answered so much later, by the sandbox's clock. On the stream other messages overtake the
    /// answer.
    DelayAnswer(Duration),
    /// An order placed with `ACCEPT` or `DONE` is answered `Ack` five seconds later, whatever has become of it, as where
    /// the engine is slow. Of no effect on anything else: on the stream orders are always answered `Ack`.
    Expire,
    /// It is done, but this is the answer. On the stream it is the body alone, as a text.
    Replace(Reply),
    /// It is done, and before it is answered the connection breaks.
    Break(Break),
    /// A message that the server sends of its own accord is not sent, to anyone. Of a depth channel this leaves a gap
    /// in the sequence numbers.
    LoseMessage,
}

/// How a connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Break {
    /// It is closed once so many more bytes have been sent: at once with 0, within a message or not.
    After(u64),
    /// Nothing more is sent, though everything is heard and done: what a connection is like whose other end has gone
    /// without a word.
    Mute,
    /// Nothing more is read, though everything is sent.
    Deaf,
}

/// An answer of HTTP, whatever it is: that of a proxy, say.
///
/// ```
/// use bitmax::sandbox::Reply;
/// let busy = Reply::new(429).header("Retry-After", "30").body("<html>Too many requests</html>");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// An answer with this status and no body. `Connection` and `Content-Length` are added to the headers.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// One more header, as it is.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The body as a message of the stream.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A fault, at what, and how often: [`Fault::at`]. Defaults to the first match only.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    fault: Fault,
    at: String,
    left: Option<u64>,
    probability: f64,
}

impl Fault {
    /// Where this is to go wrong: a pattern of the names in this [table](crate::sandbox#faults).
    pub fn at(self, pattern: impl Into<String>) -> Rule {
        Rule { fault: self, at: pattern.into(), left: Some(1), probability: 1.0 }
    }

    /// Whether it is of what the server sends of its own accord, not of what a client does.
    fn is_of_messages(&self) -> bool {
        matches!(self, Self::LoseMessage)
    }
}

impl Rule {
    /// The next so many matches.
    pub fn times(mut self, times: u64) -> Self {
        self.left = Some(times);
        self
    }

    /// Every match, until the rule is removed.
    pub fn always(mut self) -> Self {
        self.left = None;
        self
    }

    /// Hits a match with this probability, 0 to 1, drawn from the sandbox's seed; only hits count for
    /// [`times`](Self::times).
    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }
}

/// A rule's number, never used twice.
pub(crate) type RuleId = u64;

/// All rules that are to be followed.
#[derive(Debug)]
pub(crate) struct Faults {
    rules: Vec<Injected>,
    next_id: RuleId,
    random: Random,
}

#[derive(Debug)]
struct Injected {
    id: RuleId,
    rule: Rule,
    hits: u64,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rules: Vec::new(), next_id: 0, random: Random::new(blend(seed, hash("faults"))) }
    }

    pub(crate) fn inject(&mut self, rule: Rule) -> RuleId {
        self.next_id += 1;
        self.rules.push(Injected { id: self.next_id, rule, hits: 0 });
        self.next_id
    }

    pub(crate) fn remove(&mut self, id: RuleId) {
        self.rules.retain(|injected| injected.id != id);
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// How often a rule has hit; 0 for one that was removed.
    pub(crate) fn hits(&self, id: RuleId) -> u64 {
        self.rules.iter().find(|injected| injected.id == id).map_or(0, |injected| injected.hits)
    }

    /// What goes wrong with what a client does, in the order of injection.
    pub(crate) fn at_request(&mut self, name: &str) -> Vec<Fault> {
        self.hit(name, false)
    }

    /// Whether a message of the server's own accord is lost.
    pub(crate) fn at_message(&mut self, name: &str) -> bool {
        !self.hit(name, true).is_empty()
    }

    fn hit(&mut self, name: &str, of_messages: bool) -> Vec<Fault> {
        let mut hit = Vec::new();
        for Injected { rule, hits, .. } in &mut self.rules {
            if rule.left == Some(0) || rule.fault.is_of_messages() != of_messages || !matches(&rule.at, name) {
                continue;
            }
            if rule.probability < 1.0 && self.random.below(1_000_000) as f64 >= rule.probability * 1_000_000.0 {
                continue;
            }
            rule.left = rule.left.map(|left| left - 1);
            *hits += 1;
            log::info!("fault at {name:?}: {:?}", rule.fault);
            hit.push(rule.fault.clone());
        }
        hit
    }
}

/// Whether a name is as the pattern says: `*` stands for any run of characters.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = tail.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match name.split_once(part) {
            Some((_, rest)) => name = rest,
            None => return false,
        }
    }
    name.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_match_whole_names() {
        let order = "POST /0/api/pro/v1/cash/order";
        for pattern in ["*", order, "POST *", "*/order", "POST */cash/order", "*cash*order*", "P*O*S*T*/*r", "**"] {
            assert!(matches(pattern, order), "{pattern}");
        }
        for pattern in ["", "POST", "*/orders", "order*", "*cash*cash*", "GET *", "*/order/*", "POST */cash/order/"] {
            assert!(!matches(pattern, order), "{pattern}");
        }
        assert!(!matches("a*a", "a"), "the same character does not serve twice");
        assert!(matches("", "") && matches("*", ""));
    }

    proptest! {
        #[test]
        fn a_pattern_made_of_a_name_matches_it(parts in proptest::collection::vec("[ab]{0,3}", 1..5)) {
            prop_assert!(matches(&parts.join("*"), &parts.concat()));
            prop_assert!(matches(&parts.join("*"), &parts.join("ab")));
        }
    }

    #[test]
    fn a_rule_hits_as_often_as_it_says() {
        let mut faults = Faults::new(1);
        let once = faults.inject(Fault::Cut.at("a"));
        let twice = faults.inject(Fault::LoseAnswer.at("a").times(2));
        let always = faults.inject(Fault::LoseRequest.at("*").always());
        let message = faults.inject(Fault::LoseMessage.at("*").times(1));
        assert_eq!(faults.at_request("a"), [Fault::Cut, Fault::LoseAnswer, Fault::LoseRequest]);
        assert_eq!(faults.at_request("b"), [Fault::LoseRequest]);
        assert_eq!(faults.at_request("a"), [Fault::LoseAnswer, Fault::LoseRequest]);
        assert_eq!(faults.at_request("a"), [Fault::LoseRequest]);
        assert!(faults.at_message("a") && !faults.at_message("a"));
        assert_eq!([once, twice, always, message].map(|id| faults.hits(id)), [1, 2, 4, 1]);
        faults.remove(always);
        assert!(faults.at_request("a").is_empty());
        faults.inject(Fault::Cut.at("*"));
        faults.clear();
        assert!(faults.at_request("a").is_empty());
    }

    #[test]
    fn probabilities_are_drawn_from_the_seed() {
        let hits = |seed| -> Vec<bool> {
            let mut faults = Faults::new(seed);
            faults.inject(Fault::Cut.at("*").always().probability(0.25));
            (0..1000).map(|_| !faults.at_request("a").is_empty()).collect()
        };
        let count = hits(1).into_iter().filter(|hit| *hit).count();
        assert!((180..320).contains(&count), "{count}");
        assert_eq!(hits(1), hits(1));
        assert_ne!(hits(1), hits(2));
        let mut faults = Faults::new(1);
        faults.inject(Fault::Cut.at("*").always().probability(0.0));
        faults.inject(Fault::Cut.at("*").times(1).probability(0.5));
        assert_eq!((0..100).map(|_| faults.at_request("a").len()).sum::<usize>(), 1);
    }
}
