//! The books that the stream keeps, and how far each has come: what is to be subscribed to and asked for. Pure, but for
//! the books themselves, which others read.
//!
//! ```text
//!                  in force             asked             built
//!   Subscription ───────────▶ Snapshot ───────▶ Answer ──────────▶ Live
//!        ▲                     ▲    ▲   no answer │                  │
//!        │ disconnected        │    └─────────────┘                  │
//!   (from every state)         └─────────────────────────────────────┘ lost
//! ```
//!
//! `depth-realtime` sends its first snapshot unasked.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::book::{BookWriter, Shared};
use super::channel::Topic;
use crate::book::BookChange;
use crate::error::Refusal;
use crate::model::{Depth, DepthKind};
use crate::symbol::Symbol;

/// The most snapshots that are asked for and not there yet, so that a long list does not spend at once what the exchange
/// takes in a minute.
const MAX_ASKED: usize = 20;
/// The least time between two requests for a snapshot of one book.
const AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Books {
    entries: BTreeMap<Key, Entry>,
    /// Whether [`ask`](Self::ask) may have something to do now.
    ask: bool,
    /// When it has, if nothing else happens.
    due: Option<Duration>,
}

/// A product, and whether its book is of `depth-realtime`.
pub(crate) type Key = (Symbol, bool);

#[derive(Debug)]
struct Entry {
    writer: BookWriter,
    step: Step,
    /// When its snapshot was last asked for on this connection.
    asked: Option<Duration>,
    /// Whether the program has subscribed to the channel itself, too.
    subscribed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The subscription must come into force first: with a snapshot from before nothing would join.
    Subscription,
    /// A snapshot is to be asked for.
    Snapshot,
    /// A snapshot is to come.
    Answer,
    Live,
}

impl Books {
    /// Keeps a book from now on. `in_force` says of its channel whether it is subscribed to at all, and if so whether that
    /// is in force. Returns the channel.
    pub(crate) fn follow(&mut self, writer: BookWriter, in_force: impl Fn(&Topic) -> Option<bool>) -> Topic {
        let key = (writer.symbol, writer.realtime);
        let topic = Topic::of_book(key.0, key.1);
        let in_force = in_force(&topic);
        // Without a book that this one takes the place of, it is the program that has subscribed.
        let subscribed = in_force.is_some() && self.entries.get(&key).is_none_or(|old| old.subscribed);
        // A snapshot that the channel itself sends has come and gone.
        let step = if in_force == Some(true) { Step::Snapshot } else { Step::Subscription };
        self.entries.insert(key, Entry { writer, step, asked: None, subscribed });
        self.ask = true;
        topic
    }

    /// Nobody holds the book any more. Returns the channel to unsubscribe from, if the program has not subscribed to it.
    pub(crate) fn unfollow(&mut self, shared: &Arc<Shared>) -> Option<Topic> {
        let key =
            self.entries.iter().find(|(_, entry)| Arc::ptr_eq(entry.writer.shared(), shared)).map(|(key, _)| *key)?;
        let entry = self.entries.remove(&key)?;
        self.ask = true;
        (!entry.subscribed).then(|| Topic::of_book(key.0, key.1))
    }

    /// None is kept any more.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// The program subscribes to channels, some of books perhaps. Returns those that are in force already.
    pub(crate) fn subscribe<'a>(&mut self, topics: &'a [Topic]) -> Vec<&'a Topic> {
        let mut there = Vec::new();
        for topic in topics {
            if let Some(entry) = self.entry(topic)
                && !std::mem::replace(&mut entry.subscribed, true)
                && entry.step != Step::Subscription
            {
                there.push(topic);
            }
        }
        there
    }

    /// The program wants channels no more. Takes those out that books need further, and returns them.
    pub(crate) fn unsubscribe(&mut self, topics: &mut Vec<Topic>) -> Vec<Topic> {
        topics.extract_if(.., |topic| self.entry(topic).map(|entry| entry.subscribed = false).is_some()).collect()
    }

    /// Whether the snapshot of a book of gathered changes is to come.
    pub(crate) fn awaits(&self, symbol: Symbol) -> bool {
        self.entries.get(&(symbol, false)).is_some_and(|entry| entry.step == Step::Answer)
    }

    /// The server has acknowledged a channel.
    pub(crate) fn in_force(&mut self, topic: &Topic, now: Duration) {
        if let Some(entry) = self.entry(topic) {
            entry.in_force(now);
            self.ask = true;
        }
    }

    /// The server has refused a channel.
    pub(crate) fn refused(&mut self, topic: &Topic, refusal: &Refusal) {
        if let Some(entry) = topic.book().and_then(|key| self.entries.remove(&key)) {
            entry.writer.refused(refusal);
        }
    }

    /// The connection is gone.
    pub(crate) fn disconnected(&mut self) {
        for entry in self.entries.values_mut() {
            entry.step = Step::Subscription;
            entry.asked = None;
            entry.writer.disconnected();
        }
        self.due = None;
    }

    /// Takes a message of a depth channel. Says whether it was for a book alone: the program has not asked for it.
    pub(crate) fn take(&mut self, depth: &Depth, now: Duration) -> bool {
        if self.entries.is_empty() || depth.kind == DepthKind::SnapshotTop100 {
            return false;
        }
        let realtime = depth.kind.is_realtime();
        let Some(entry) = self.entries.get_mut(&(depth.symbol, realtime)) else { return false };
        let was = entry.step;
        if depth.kind.is_snapshot() {
            // One that the program has asked for: to a book that is live it says nothing new, and before its subscription
            // is in force nothing would follow. That of `depth-realtime` comes with the changes, or just before.
            let needed = matches!(was, Step::Snapshot | Step::Answer) || (was == Step::Subscription && realtime);
            if needed {
                let built = entry.writer.apply(depth) == BookChange::Built;
                entry.step = if built { Step::Live } else { Step::Snapshot };
                self.ask = true;
            }
            return if realtime { !entry.subscribed } else { was == Step::Answer };
        }
        if was == Step::Subscription {
            entry.in_force(now);
            self.ask = true;
        }
        if entry.writer.apply(depth) == BookChange::Lost {
            entry.step = Step::Snapshot;
            self.ask = true;
        }
        !entry.subscribed
    }

    /// A text that could not be read may have been a change: to the book of the product that it names, or to any where it
    /// does not say.
    pub(crate) fn unreadable(&mut self, text: &str) {
        #[derive(Deserialize)]
        struct Head<'a> {
            #[serde(borrow)]
            symbol: Option<Cow<'a, str>>,
        }
        if self.entries.is_empty() || !text.contains("\"depth") {
            return;
        }
        let named = serde_json::from_str::<Head<'_>>(text).ok().and_then(|head| head.symbol);
        let may_be = |symbol: &Symbol| named.as_deref().is_none_or(|named| named == symbol.as_str());
        let live = self.entries.iter_mut().filter(|((symbol, _), entry)| entry.step == Step::Live && may_be(symbol));
        for (_, entry) in live {
            entry.writer.unreadable();
            entry.step = Step::Snapshot;
            self.ask = true;
        }
    }

    /// The snapshots to ask for now, each with the id that `id` gives it. When it gives none, the rest waits.
    pub(crate) fn ask(
        &mut self,
        now: Duration,
        patience: Duration,
        mut id: impl FnMut() -> Option<String>,
    ) -> Vec<(String, &'static str, Symbol)> {
        let mut requests = Vec::new();
        if !self.wants_to_ask(now) {
            return requests;
        }
        self.ask = false;
        for entry in self.entries.values_mut() {
            if entry.step == Step::Answer && entry.asked.is_none_or(|at| now >= at + patience) {
                entry.step = Step::Snapshot;
            }
        }
        let mut under_way = self.entries.values().filter(|entry| entry.step == Step::Answer).count();
        let mut wanted: Vec<_> = self.entries.iter_mut().filter(|(_, entry)| entry.step == Step::Snapshot).collect();
        wanted.sort_by_key(|(_, entry)| entry.asked);
        for ((symbol, realtime), entry) in wanted {
            if under_way == MAX_ASKED {
                break;
            }
            if entry.asked.is_some_and(|at| now < at + AGAIN) {
                continue;
            }
            let Some(id) = id() else {
                self.ask = true;
                break;
            };
            entry.step = Step::Answer;
            entry.asked = Some(now);
            under_way += 1;
            requests.push((id, if *realtime { "depth-snapshot-realtime" } else { "depth-snapshot" }, *symbol));
        }
        let due = self.entries.values().filter_map(|entry| match entry.step {
            Step::Answer => entry.asked.map(|at| at + patience),
            // Others wait for one that is under way, or for room.
            Step::Snapshot => entry.asked.map(|at| at + AGAIN).filter(|at| *at > now),
            Step::Subscription | Step::Live => None,
        });
        self.due = due.min();
        requests
    }

    /// Whether [`ask`](Self::ask) has something to do.
    pub(crate) fn wants_to_ask(&self, now: Duration) -> bool {
        self.ask || self.due.is_some_and(|due| now >= due)
    }

    /// When [`ask`](Self::ask) is due, if nothing else happens.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.due
    }

    fn entry(&mut self, topic: &Topic) -> Option<&mut Entry> {
        if self.entries.is_empty() {
            return None;
        }
        self.entries.get_mut(&topic.book()?)
    }
}

impl Entry {
    fn in_force(&mut self, now: Duration) {
        if self.step != Step::Subscription {
            return;
        }
        if self.writer.realtime {
            // It is on its way.
            self.step = Step::Answer;
            self.asked = Some(now);
        } else {
            self.step = Step::Snapshot;
        }
    }
}
