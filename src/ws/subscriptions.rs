//! What the stream is wanted to be subscribed to, and how far each subscription has come.

use std::time::Duration;

use super::channel::Topic;

/// The most arguments that one `sub` or `unsub` may have.
const MAX_ARGUMENTS: usize = 10;
/// How often a subscription is asked for on one connection before its silence is told.
const MAX_ASKED: u32 = 2;
/// How long one that failed waits at first, unless an answer is waited for less than that; and at most.
const WAIT: Duration = Duration::from_secs(5);
const MAX_WAIT: Duration = Duration::from_secs(300);

/// Every wanted subscription, in the order in which it was wanted.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    topic: Topic,
    state: State,
    /// How often it was asked for on this connection.
    asked: u32,
    /// How often in a row that came to nothing.
    failures: u32,
}

#[derive(Debug, PartialEq)]
enum State {
    /// To be asked for.
    Wanted,
    /// Asked for by the message of this id, at this time.
    Asked {
        id: String,
        at: Duration,
    },
    InForce,
    /// To be asked for at that time: it failed, and that may pass.
    Later(Duration),
}

impl Entry {
    fn new(topic: Topic) -> Self {
        Self { topic, state: State::Wanted, asked: 0, failures: 0 }
    }

    fn is_to_be_asked(&self, now: Duration) -> bool {
        match self.state {
            State::Wanted => true,
            State::Later(at) => at <= now,
            State::Asked { .. } | State::InForce => false,
        }
    }

    /// It has failed: it waits, longer each time. Returns how long.
    fn put_off(&mut self, now: Duration, patience: Duration) -> Duration {
        let wait = WAIT.min(patience).saturating_mul(1u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(MAX_WAIT);
        self.failures = self.failures.saturating_add(1);
        self.state = State::Later(now.saturating_add(wait));
        wait
    }
}

impl Subscriptions {
    /// Wants more; what is wanted already stays as it is.
    pub(crate) fn add(&mut self, topics: Vec<Topic>) {
        for topic in topics {
            if !self.entries.iter().any(|e| e.topic == topic) {
                self.entries.push(Entry::new(topic));
            }
        }
    }

    /// Wants less. Returns those that the server has been asked for.
    pub(crate) fn remove(&mut self, topics: &[Topic]) -> Vec<Topic> {
        let (gone, kept) = std::mem::take(&mut self.entries).into_iter().partition(|e| topics.contains(&e.topic));
        self.entries = kept;
        let gone: Vec<Entry> = gone;
        gone.into_iter().filter(|e| e.state != State::Wanted).map(|e| e.topic).collect()
    }

    /// Whether a subscription is wanted at all, and if so whether it is in force.
    pub(crate) fn in_force(&self, topic: &Topic) -> Option<bool> {
        self.entries.iter().find(|e| e.topic == *topic).map(|e| e.state == State::InForce)
    }

    /// The connection is gone: all is to be asked for again.
    pub(crate) fn reset(&mut self) {
        for entry in &mut self.entries {
            entry.state = State::Wanted;
            (entry.asked, entry.failures) = (0, 0);
        }
    }

    /// The channels to ask for now, as many in one as the protocol allows, each with the id that `id` gives it. When it
    /// gives none, the rest stays wanted.
    pub(crate) fn ask(&mut self, now: Duration, mut id: impl FnMut() -> Option<String>) -> Vec<(String, String)> {
        let wanted: Vec<Topic> =
            self.entries.iter().filter(|e| e.is_to_be_asked(now)).map(|e| e.topic.clone()).collect();
        let mut messages = Vec::new();
        for group in grouped(&wanted) {
            let Some(id) = id() else { break };
            for entry in self.entries.iter_mut().filter(|e| group.contains(&&e.topic)) {
                entry.state = State::Asked { id: id.clone(), at: now };
                entry.asked += 1;
            }
            messages.push((id, join(&group)));
        }
        messages
    }

    /// These were asked for by a message of this id.
    pub(crate) fn asked(&mut self, topics: Vec<Topic>, id: &str, at: Duration) {
        self.add(topics.clone());
        for entry in self.entries.iter_mut().filter(|e| topics.contains(&e.topic)) {
            entry.state = State::Asked { id: id.to_owned(), at };
            entry.asked += 1;
        }
    }

    /// The server has acknowledged a channel, whole or in part. Returns what came into force.
    pub(crate) fn acknowledged(&mut self, channel: &str, id: Option<&str>) -> Vec<Topic> {
        let settled = self.settle(channel, id).map(|entry| {
            entry.state = State::InForce;
            entry.failures = 0;
            entry.topic.clone()
        });
        settled.collect()
    }

    /// The server has refused a channel, whole or in part. Returns what that concerns. It is given up.
    pub(crate) fn refused(&mut self, channel: &str, id: Option<&str>) -> Vec<Topic> {
        let topics: Vec<Topic> = self.settle(channel, id).map(|e| e.topic.clone()).collect();
        self.entries.retain(|e| !topics.contains(&e.topic));
        topics
    }

    /// The server has failed at a channel, whole or in part. Returns what that concerns, and when it is asked for again.
    pub(crate) fn failed(
        &mut self,
        channel: &str,
        id: Option<&str>,
        now: Duration,
        patience: Duration,
    ) -> Vec<(Topic, Duration)> {
        self.settle(channel, id).map(|entry| (entry.topic.clone(), entry.put_off(now, patience))).collect()
    }

    /// What an answer is about: the open subscriptions that its channel names; where it names none that is
    /// wanted, those of its id. Of orders by the id first: an account has more names than one.
    fn settle(&mut self, channel: &str, id: Option<&str>) -> impl Iterator<Item = &mut Entry> {
        let has_id = |e: &Entry| matches!(&e.state, State::Asked { id: asked, .. } if id == Some(asked));
        let by_name = self.entries.iter().any(|e| e.topic.is_named_by(channel))
            && !self.entries.iter().any(|e| has_id(e) && !e.topic.is_joined());
        self.entries.iter_mut().filter_map(move |entry| {
            let meant = match &entry.state {
                State::Asked { .. } | State::Later(_) if by_name => entry.topic.is_named_by(channel),
                State::Asked { id: asked, .. } => id == Some(asked),
                _ => false,
            };
            meant.then_some(entry)
        })
    }

    /// When the first answer is overdue, or one that failed is to be asked for again.
    pub(crate) fn deadline(&self, patience: Duration) -> Option<Duration> {
        let asked = self.entries.iter().filter_map(|e| match &e.state {
            State::Asked { at, .. } => Some(*at + patience),
            State::Later(at) => Some(*at),
            _ => None,
        });
        asked.min()
    }

    /// Wants again what was not answered in time. Returns those of which that is to be told, and when they are asked for
    /// again.
    pub(crate) fn overdue(&mut self, now: Duration, patience: Duration) -> Vec<(Topic, Duration)> {
        let mut silent = Vec::new();
        for entry in &mut self.entries {
            let State::Asked { at, .. } = &entry.state else { continue };
            if *at + patience > now {
                continue;
            }
            if entry.asked < MAX_ASKED {
                entry.state = State::Wanted;
            } else {
                silent.push((entry.topic.clone(), entry.put_off(now, patience)));
            }
        }
        silent
    }
}

/// The channels that end these subscriptions, as many in one as the protocol allows.
pub(crate) fn channels(topics: &[Topic]) -> Vec<String> {
    grouped(topics).iter().map(|group| join(group)).collect()
}

/// Topics that fit into one message: of one prefix, at most ten.
fn grouped(topics: &[Topic]) -> Vec<Vec<&Topic>> {
    let mut groups: Vec<Vec<&Topic>> = Vec::new();
    for topic in topics {
        let fits = |g: &&mut Vec<&Topic>| {
            g.len() < MAX_ARGUMENTS && topic.is_joined() && g.iter().all(|t| t.prefix == topic.prefix)
        };
        match groups.iter_mut().find(fits) {
            Some(group) => group.push(topic),
            None => groups.push(vec![topic]),
        }
    }
    groups
}

fn join(group: &[&Topic]) -> String {
    let prefix = group.first().map_or("", |t| &*t.prefix);
    let arguments: Vec<&str> = group.iter().map(|t| &*t.argument).collect();
    format!("{prefix}:{}", arguments.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::channel::Channel;

    fn topics(channel: &str) -> Vec<Topic> {
        channel.parse::<Channel>().unwrap().into_topics().unwrap()
    }

    fn ask(subscriptions: &mut Subscriptions, now: u64) -> Vec<(String, String)> {
        let mut n = 0;
        subscriptions.ask(Duration::from_secs(now), || {
            n += 1;
            Some(format!("{now}-{n}"))
        })
    }

    fn texts(topics: Vec<Topic>) -> Vec<String> {
        topics.iter().map(Topic::to_string).collect()
    }

    #[test]
    fn long_lists_are_split_by_prefix_and_by_ten() {
        let mut all = Subscriptions::default();
        let symbols: Vec<String> = (0..23).map(|n| format!("A{n}/B")).collect();
        all.add(Channel::bbo(&symbols).into_topics().unwrap());
        all.add(topics("trades:A0/B"));
        all.add(topics("trades:A0/B"));
        let sizes: Vec<_> = ask(&mut all, 0).iter().map(|(_, ch)| ch.split(',').count()).collect();
        assert_eq!(sizes, [10, 10, 3, 1]);
        assert!(ask(&mut all, 0).is_empty(), "asked once");
    }

    #[test]
    fn accounts_are_asked_for_one_by_one_and_acknowledged_by_another_name() {
        let mut all = Subscriptions::default();
        all.add(topics("order:cash"));
        all.add(topics("order:margin"));
        assert_eq!(ask(&mut all, 1), [("1-1".into(), "order:cash".into()), ("1-2".into(), "order:margin".into())]);
        assert_eq!(texts(all.acknowledged("order:cshQtyfq8XLAA9kcf19h8bXHbAwwoqDo", Some("1-1"))), ["order:cash"]);
    }

    #[test]
    fn an_account_is_acknowledged_by_either_of_its_names() {
        const ID: &str = "order:cshQtyfq8XLAA9kcf19h8bXHbAwwoqDo";
        for ack in [ID, "order:cash"] {
            let mut all = Subscriptions::default();
            all.add(topics(ID));
            assert_eq!(ask(&mut all, 1), [("1-1".into(), ID.into())]);
            assert_eq!(texts(all.acknowledged(ack, Some("1-1"))), [ID]);
            all.reset();
            assert_eq!(ask(&mut all, 2), [("2-1".into(), ID.into())], "restored");
            assert_eq!(texts(all.acknowledged(ID, None)), [ID]);
            assert_eq!(channels(&all.remove(&topics(ID))), [ID]);
        }
        // Each of the two its own, though both are acknowledged by one name.
        let mut all = Subscriptions::default();
        all.add(topics("order:cash"));
        all.add(topics(ID));
        ask(&mut all, 1);
        assert_eq!(texts(all.acknowledged(ID, Some("1-1"))), ["order:cash"]);
        assert_eq!(texts(all.acknowledged(ID, Some("1-2"))), [ID]);
    }

    #[test]
    fn what_has_no_room_now_stays_wanted() {
        let mut all = Subscriptions::default();
        all.add(topics("bbo:A/B"));
        all.add(topics("trades:A/B"));
        let mut room = 1;
        let asked = all.ask(Duration::ZERO, || {
            room -= 1;
            (room >= 0).then(|| "1".to_owned())
        });
        assert_eq!(asked, [("1".into(), "bbo:A/B".into())]);
        assert_eq!(ask(&mut all, 2), [("2-1".into(), "trades:A/B".into())]);
    }

    #[test]
    fn answers_are_matched_by_name_one_by_one_or_together_else_by_id() {
        let mut all = Subscriptions::default();
        all.add(topics("bbo:A/B,C/D,E/F"));
        assert_eq!(ask(&mut all, 1), [("1-1".into(), "bbo:A/B,C/D,E/F".into())]);
        assert_eq!(texts(all.acknowledged("bbo:C/D", Some("1-1"))), ["bbo:C/D"]);
        assert!(all.acknowledged("bbo:C/D", Some("1-1")).is_empty(), "twice");
        assert!(all.acknowledged("bbo:X/Y", None).is_empty(), "foreign");
        assert_eq!(texts(all.acknowledged("whatever it is called", Some("1-1"))), ["bbo:A/B", "bbo:E/F"]);

        all.reset();
        assert_eq!(ask(&mut all, 2).len(), 1);
        assert_eq!(texts(all.acknowledged("bbo:E/F,C/D,A/B", None)), ["bbo:A/B", "bbo:C/D", "bbo:E/F"]);
    }

    #[test]
    fn what_is_refused_is_given_up() {
        let mut all = Subscriptions::default();
        all.add(topics("bbo:A/B,C/D"));
        ask(&mut all, 0);
        assert_eq!(texts(all.refused("bbo:A/B", Some("0-1"))), ["bbo:A/B"]);
        all.reset();
        assert_eq!(ask(&mut all, 1), [("1-1".into(), "bbo:C/D".into())]);
    }

    #[test]
    fn what_fails_and_may_pass_is_asked_for_again_ever_later() {
        let mut all = Subscriptions::default();
        all.add(topics("bbo:A/B,C/D"));
        let (mut now, mut waits) = (0, Vec::new());
        for _ in 0..9 {
            ask(&mut all, now);
            let failed = all.failed("", Some(&format!("{now}-1")), Duration::from_secs(now), 2 * WAIT);
            assert_eq!(failed.len(), 2);
            assert!(ask(&mut all, now).is_empty());
            let wait = failed[0].1.as_secs();
            assert_eq!(all.deadline(Duration::MAX), Some(Duration::from_secs(now + wait)));
            waits.push(wait);
            now += wait;
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        // A late word ends the wait, and the count.
        assert_eq!(texts(all.acknowledged("bbo:A/B", None)), ["bbo:A/B"]);
        assert_eq!(ask(&mut all, now), [(format!("{now}-1"), "bbo:C/D".into())]);
        assert_eq!(texts(all.acknowledged("bbo:C/D", None)), ["bbo:C/D"]);
        all.reset();
        ask(&mut all, now);
        let now = Duration::from_secs(now);
        assert_eq!(all.failed("bbo:A/B", None, now, 2 * WAIT)[0].1, WAIT);
        assert_eq!(all.failed("bbo:C/D", None, now, WAIT / 5)[0].1, WAIT / 5);
    }

    #[test]
    fn silence_is_asked_again_once_and_then_told() {
        let (mut all, patience) = (Subscriptions::default(), Duration::from_secs(10));
        all.add(topics("bbo:A/B"));
        assert_eq!(all.deadline(patience), None);
        ask(&mut all, 0);
        assert_eq!(all.deadline(patience), Some(patience));
        assert!(all.overdue(Duration::from_secs(9), patience).is_empty() && ask(&mut all, 9).is_empty());
        assert!(all.overdue(Duration::from_secs(10), patience).is_empty());
        assert_eq!(ask(&mut all, 10).len(), 1);
        let told = |silent: Vec<(Topic, Duration)>| -> Vec<_> {
            silent.iter().map(|(topic, wait)| (topic.to_string(), wait.as_secs())).collect()
        };
        assert_eq!(told(all.overdue(Duration::from_secs(20), patience)), [("bbo:A/B".to_owned(), 5)]);
        assert!(ask(&mut all, 24).is_empty());
        assert_eq!(ask(&mut all, 25).len(), 1);
        assert_eq!(told(all.overdue(Duration::from_secs(35), patience)), [("bbo:A/B".to_owned(), 10)]);
        assert_eq!(texts(all.acknowledged("bbo:A/B", None)), ["bbo:A/B"], "late");
        assert_eq!(all.deadline(patience), None);
    }

    #[test]
    fn only_what_was_asked_for_is_ended() {
        let mut all = Subscriptions::default();
        all.add(topics("bbo:A/B"));
        assert!(all.remove(&topics("bbo:A/B,C/D")).is_empty());
        all.add(topics("bbo:A/B,C/D"));
        ask(&mut all, 0);
        assert_eq!(channels(&all.remove(&topics("bbo:C/D,A/B"))), ["bbo:A/B,C/D"]);
        assert!(ask(&mut all, 1).is_empty());
    }
}
