//! From the stream's thread to its consumer: a std channel with a bound on market data only.
//!
//! Market data past the bound is dropped, and the first drop puts a [`Event::Lagged`] marker in its place.
//! What the marker tells is counted until the consumer takes it; then the newest state of what was dropped
//! follows, and market data flows again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvError, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::event::{CloseReason, Event, Lag};
use super::pending::Token;
use super::stats::{Counters, Taken};
use super::wire::Message;
use crate::error::Result as Outcome;

/// What reaches the consumer. Of a plain stream that is nothing but events.
#[derive(Debug)]
pub(crate) enum Arrival {
    Event(Event),
    /// The answer to a request that was to come in its place among the events.
    Answer(Token, Outcome<Message>),
    /// Somebody wants the consumer to look up.
    Knock,
}

/// Makes the two ends. `resume` is called when the consumer has taken a marker.
pub(crate) fn queue(
    bound: usize,
    counters: Arc<Counters>,
    resume: impl Fn() + Send + Sync + 'static,
) -> (EventSender, EventReceiver) {
    let (sender, receiver) = mpsc::channel();
    let bound = u64::try_from(bound).unwrap_or(u64::MAX);
    let shared = Arc::new(Shared { market: Taken::default(), dropped: Mutex::default(), counters });
    (
        EventSender { sender, shared: Arc::clone(&shared), bound, market: 0, taken: 0, newest: None },
        EventReceiver { receiver, shared, resume: Box::new(resume), ended: AtomicBool::new(false) },
    )
}

struct Shared {
    /// Market events taken from the channel.
    market: Taken,
    dropped: Mutex<Dropped>,
    counters: Arc<Counters>,
}

impl Shared {
    fn dropped(&self) -> MutexGuard<'_, Dropped> {
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the marker in the channel will tell.
#[derive(Default)]
struct Dropped {
    /// Whether there is one.
    marker: bool,
    by_channel: BTreeMap<String, u64>,
}

/// The thread's end.
pub(crate) struct EventSender {
    sender: mpsc::Sender<Arrival>,
    shared: Arc<Shared>,
    bound: u64,
    /// Market events put into the channel.
    market: u64,
    /// How many of them were taken when that was last asked.
    taken: u64,
    /// While a marker is in the channel: the newest of what was dropped, for channels where only that matters.
    newest: Option<BTreeMap<String, Event>>,
}

impl EventSender {
    pub(crate) fn send(&mut self, event: Event) {
        if !event.is_market_data() {
            return self.put(event);
        }
        if self.newest.is_none() && self.has_room() {
            self.market += 1;
            return self.put(event);
        }
        let channel = event.market_channel().unwrap_or_default();
        let mut dropped = self.shared.dropped();
        if self.newest.is_some() && !dropped.marker {
            // It was taken just now, and would tell no more of this.
            drop(dropped);
            self.resume();
            return self.send(event);
        }
        dropped.marker = true;
        if let Some(count) = dropped.by_channel.get_mut(&channel) {
            *count += 1;
        } else {
            dropped.by_channel.insert(channel.clone(), 1);
        }
        drop(dropped);
        self.shared.counters.dropped();
        if self.newest.is_none() {
            self.put(Event::Lagged(Lag::default()));
        }
        let newest = self.newest.get_or_insert_default();
        if matches!(event, Event::Bbo(_) | Event::Bar(_) | Event::RefPrice(_)) {
            newest.insert(channel, event);
        }
    }

    /// Where the consumer has taken the marker, what was dropped is made good as far as it can be.
    pub(crate) fn resume(&mut self) {
        if self.shared.dropped().marker {
            return;
        }
        for event in self.newest.take().into_iter().flat_map(BTreeMap::into_values) {
            self.market += 1;
            self.put(event);
        }
    }

    /// Whether one more event of market data may wait. The consumer is asked how far it is only when it matters.
    fn has_room(&mut self) -> bool {
        if self.market - self.taken >= self.bound {
            self.taken = self.shared.market.read();
        }
        self.market - self.taken < self.bound
    }

    /// Hands over what is no event.
    pub(crate) fn hand(&self, arrival: Arrival) {
        if self.sender.send(arrival).is_err() {
            log::trace!("nobody listens any more");
        }
    }

    fn put(&self, event: Event) {
        match self.sender.send(Arrival::Event(event)) {
            Ok(()) => self.shared.counters.put(),
            Err(_) => log::trace!("nobody listens any more"),
        }
    }
}

/// The consumer's end.
pub(crate) struct EventReceiver {
    receiver: mpsc::Receiver<Arrival>,
    shared: Arc<Shared>,
    resume: Box<dyn Fn() + Send + Sync>,
    ended: AtomicBool,
}

impl EventReceiver {
    /// The next of whatever there is, waited for no longer than that; for ever where no time is given.
    pub(crate) fn recv_arrival(&self, timeout: Option<Duration>) -> Result<Arrival, RecvTimeoutError> {
        let received = match timeout {
            Some(Duration::ZERO) => self.receiver.try_recv().map_err(|e| match e {
                TryRecvError::Empty => RecvTimeoutError::Timeout,
                TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
            }),
            Some(timeout) => self.receiver.recv_timeout(timeout),
            None => self.receiver.recv().map_err(|RecvError| RecvTimeoutError::Disconnected),
        };
        match received {
            Ok(Arrival::Event(event)) => Ok(Arrival::Event(self.taken(event))),
            Err(e @ RecvTimeoutError::Disconnected) => self.last().map(Arrival::Event).ok_or(e),
            other => other,
        }
    }

    /// `Closed` comes last even where the thread could not say it.
    fn last(&self) -> Option<Event> {
        (!self.ended.swap(true, Ordering::Relaxed)).then_some(Event::Closed(CloseReason::Failed))
    }

    fn taken(&self, mut event: Event) -> Event {
        self.shared.counters.taken();
        match &mut event {
            Event::Closed(_) => self.ended.store(true, Ordering::Relaxed),
            Event::Lagged(lag) => {
                let Dropped { by_channel, .. } = std::mem::take(&mut *self.shared.dropped());
                lag.dropped = by_channel.into_iter().map(|(channel, n)| (channel.into(), n)).collect();
                (self.resume)();
            }
            event if event.is_market_data() => {
                self.shared.market.add();
            }
            _ => {}
        }
        event
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::Message;
    use crate::ws::event::Timed;

    fn try_recv(receiver: &EventReceiver) -> Result<Event, RecvTimeoutError> {
        receiver.recv_arrival(Some(Duration::ZERO)).map(|arrival| match arrival {
            Arrival::Event(event) => event,
            other => panic!("{other:?}"),
        })
    }

    fn bbo(symbol: &str, ts: u64) -> Event {
        let text = format!(r#"{{"m":"bbo","symbol":"{symbol}","data":{{"ts":{ts},"bid":["1","1"],"ask":["2","1"]}}}}"#);
        match Message::parse(&text) {
            Ok(Message::Bbo(data)) => Event::Bbo(Timed { received: 0, data }),
            other => panic!("{other:?}"),
        }
    }

    fn show(event: &Event) -> String {
        match event {
            Event::Bbo(bbo) => format!("{} {}", bbo.symbol, bbo.ts),
            Event::Lagged(lag) => format!("{:?}", lag.dropped),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn market_data_is_bounded_and_the_newest_follows_the_marker() {
        let resumed = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&resumed);
        let counters = Arc::new(Counters::default());
        let (mut sender, receiver) = queue(2, Arc::clone(&counters), move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        for ts in 1..=5 {
            sender.send(bbo("A/B", ts));
        }
        sender.send(Event::Subscribed("private things are never dropped".into()));
        sender.send(bbo("C/D", 6));
        let stats = counters.read(Duration::ZERO);
        assert_eq!((stats.queued, stats.dropped), (4, 4));

        let next = || try_recv(&receiver).map(|event| show(&event));
        assert_eq!(next().unwrap(), "A/B 1");
        assert_eq!(next().unwrap(), "A/B 2");
        assert_eq!(resumed.load(Ordering::Relaxed), 0);
        assert_eq!(next().unwrap(), r#"[("bbo:A/B", 3), ("bbo:C/D", 1)]"#);
        assert_eq!(resumed.load(Ordering::Relaxed), 1);
        assert!(next().unwrap().contains("never dropped"));
        assert_eq!(next(), Err(RecvTimeoutError::Timeout));

        sender.resume();
        sender.send(bbo("A/B", 7));
        // The bound holds for the newest as well: the event after them is over it.
        assert_eq!(counters.read(Duration::ZERO).queued, 3);
        let texts = [next(), next(), next()].map(Result::unwrap);
        assert_eq!(texts, ["A/B 5", "C/D 6", r#"[("bbo:A/B", 1)]"#]);
        let stats = counters.read(Duration::ZERO);
        assert_eq!((stats.queued, stats.dropped), (0, 5));
    }

    #[test]
    fn what_comes_when_the_marker_is_just_taken_is_not_dropped_untold() {
        let (mut sender, receiver) = queue(1, Arc::default(), || {});
        for ts in 1..=3 {
            sender.send(bbo("A/B", ts));
        }
        let next = || try_recv(&receiver).map(|event| show(&event));
        assert_eq!([next(), next()].map(Result::unwrap), ["A/B 1", r#"[("bbo:A/B", 2)]"#]);
        // The consumer has not said yet that it took the marker. The newest fills the room; the next is told.
        sender.send(bbo("A/B", 4));
        assert_eq!([next(), next()].map(Result::unwrap), ["A/B 3", r#"[("bbo:A/B", 1)]"#]);
        sender.resume();
        // Said again, late.
        sender.resume();
        sender.send(bbo("A/B", 5));
        sender.resume();
        assert_eq!([next(), next()].map(Result::unwrap), ["A/B 4", r#"[("bbo:A/B", 1)]"#]);
        assert_eq!(next(), Err(RecvTimeoutError::Timeout), "the newest comes when the marker is taken");
        sender.resume();
        assert_eq!(next().unwrap(), "A/B 5");
        assert_eq!(next(), Err(RecvTimeoutError::Timeout));
    }

    #[test]
    fn closed_comes_last_even_if_the_thread_dies() {
        let (sender, receiver) = queue(2, Arc::default(), || {});
        drop(sender);
        assert!(matches!(receiver.recv_arrival(None), Ok(Arrival::Event(Event::Closed(CloseReason::Failed)))));
        assert!(receiver.recv_arrival(None).is_err());
        assert!(matches!(try_recv(&receiver), Err(RecvTimeoutError::Disconnected)));

        let (mut sender, receiver) = queue(2, Arc::default(), || {});
        sender.send(Event::Closed(CloseReason::Requested));
        drop(sender);
        assert!(matches!(receiver.recv_arrival(None), Ok(Arrival::Event(Event::Closed(CloseReason::Requested)))));
        assert!(receiver.recv_arrival(Some(Duration::from_secs(1))).is_err());
    }
}
