//! From the stream's thread to its consumer: a std channel with a bound on market data only.
//!
//! Market data past the bound is dropped, and the first drop puts a [`Event::Lagged`] marker in its place.
//! What the marker tells is counted until the consumer takes it; then the newest state of what was dropped
//! follows, and market data flows again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvError, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::event::{CloseReason, Event, Lag};
use super::pending::Token;
use super::stats::Counters;
use super::wire::Message;
use crate::error::Result as Outcome;

/// What waits for the consumer. A plain stream has nothing but events.
#[derive(Debug)]
pub(crate) enum Delivery {
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
    let shared = Arc::new(Shared { market: AtomicUsize::new(0), dropped: Mutex::default(), counters });
    (
        EventSender { sender, shared: Arc::clone(&shared), bound, newest: None },
        EventReceiver { receiver, shared, resume: Box::new(resume), ended: AtomicBool::new(false) },
    )
}

struct Shared {
    /// Market events in the channel.
    market: AtomicUsize,
    /// What the marker in the channel will tell.
    dropped: Mutex<BTreeMap<String, u64>>,
    counters: Arc<Counters>,
}

/// The thread's end.
pub(crate) struct EventSender {
    sender: mpsc::Sender<Delivery>,
    shared: Arc<Shared>,
    bound: usize,
    /// While a marker is in the channel: the newest of what was dropped, for channels where only that matters.
    newest: Option<BTreeMap<String, Event>>,
}

impl EventSender {
    pub(crate) fn send(&mut self, event: Event) {
        if !event.is_market_data() {
            return self.put(event);
        }
        if self.newest.is_none() {
            if self.shared.market.load(Ordering::Relaxed) < self.bound {
                self.shared.market.fetch_add(1, Ordering::Relaxed);
                return self.put(event);
            }
            self.newest = Some(BTreeMap::new());
            self.put(Event::Lagged(Lag::default()));
        }
        self.shared.counters.dropped();
        let channel = event.market_channel().unwrap_or_default();
        let mut dropped = self.shared.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = dropped.get_mut(&channel) {
            *count += 1;
        } else {
            dropped.insert(channel.clone(), 1);
        }
        if let (Some(newest), Event::Bbo(_) | Event::Bar(_) | Event::RefPrice(_)) = (&mut self.newest, &event) {
            newest.insert(channel, event);
        }
    }

    /// The consumer has taken the marker: what was dropped is made good as far as it can be.
    pub(crate) fn resume(&mut self) {
        for event in self.newest.take().into_iter().flat_map(BTreeMap::into_values) {
            self.shared.market.fetch_add(1, Ordering::Relaxed);
            self.put(event);
        }
    }

    /// Delivers what is no event.
    pub(crate) fn deliver(&self, delivery: Delivery) {
        if self.sender.send(delivery).is_err() {
            log::trace!("nobody listens any more");
        }
    }

    fn put(&self, event: Event) {
        match self.sender.send(Delivery::Event(event)) {
            Ok(()) => self.shared.counters.put(),
            Err(_) => log::trace!("nobody listens any more"),
        }
    }
}

/// The consumer's end.
pub(crate) struct EventReceiver {
    receiver: mpsc::Receiver<Delivery>,
    shared: Arc<Shared>,
    resume: Box<dyn Fn() + Send + Sync>,
    ended: AtomicBool,
}

impl EventReceiver {
    pub(crate) fn recv(&self) -> Result<Event, RecvError> {
        loop {
            if let Delivery::Event(event) = self.take(self.receiver.recv())? {
                return Ok(event);
            }
        }
    }

    pub(crate) fn try_recv(&self) -> Result<Event, TryRecvError> {
        loop {
            if let Delivery::Event(event) = self.take(self.receiver.try_recv())? {
                return Ok(event);
            }
        }
    }

    pub(crate) fn recv_timeout(&self, timeout: Duration) -> Result<Event, RecvTimeoutError> {
        loop {
            if let Delivery::Event(event) = self.recv_delivery(Some(timeout))? {
                return Ok(event);
            }
        }
    }

    /// The next of whatever there is, waited for no longer than that.
    pub(crate) fn recv_delivery(&self, timeout: Option<Duration>) -> Result<Delivery, RecvTimeoutError> {
        self.take(match timeout {
            Some(timeout) => self.receiver.recv_timeout(timeout),
            None => self.receiver.recv().map_err(|RecvError| RecvTimeoutError::Disconnected),
        })
    }

    fn take<E: Ended>(&self, received: Result<Delivery, E>) -> Result<Delivery, E> {
        match received {
            Ok(Delivery::Event(event)) => Ok(Delivery::Event(self.taken(event))),
            Ok(other) => Ok(other),
            Err(e) if e.is_end() => self.last().map(Delivery::Event).ok_or(e),
            Err(e) => Err(e),
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
                let mut dropped = self.shared.dropped.lock().unwrap_or_else(PoisonError::into_inner);
                lag.dropped = std::mem::take(&mut *dropped).into_iter().map(|(k, n)| (k.into(), n)).collect();
                drop(dropped);
                (self.resume)();
            }
            event if event.is_market_data() => {
                self.shared.market.fetch_sub(1, Ordering::Relaxed);
            }
            _ => {}
        }
        event
    }
}

/// Whether a failure to receive says that the other end is gone.
trait Ended {
    fn is_end(&self) -> bool;
}

impl Ended for RecvError {
    fn is_end(&self) -> bool {
        true
    }
}

impl Ended for TryRecvError {
    fn is_end(&self) -> bool {
        *self == Self::Disconnected
    }
}

impl Ended for RecvTimeoutError {
    fn is_end(&self) -> bool {
        *self == Self::Disconnected
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Message;
    use crate::ws::event::Timed;

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

        let next = || receiver.try_recv().map(|event| show(&event));
        assert_eq!(next().unwrap(), "A/B 1");
        assert_eq!(next().unwrap(), "A/B 2");
        assert_eq!(resumed.load(Ordering::Relaxed), 0);
        assert_eq!(next().unwrap(), r#"[("bbo:A/B", 3), ("bbo:C/D", 1)]"#);
        assert_eq!(resumed.load(Ordering::Relaxed), 1);
        assert!(next().unwrap().contains("never dropped"));
        assert_eq!(next(), Err(TryRecvError::Empty));

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
    fn closed_comes_last_even_if_the_thread_dies() {
        let (sender, receiver) = queue(2, Arc::default(), || {});
        drop(sender);
        assert!(matches!(receiver.recv(), Ok(Event::Closed(CloseReason::Failed))));
        assert!(receiver.recv().is_err());
        assert!(matches!(receiver.try_recv(), Err(TryRecvError::Disconnected)));

        let (mut sender, receiver) = queue(2, Arc::default(), || {});
        sender.send(Event::Closed(CloseReason::Requested));
        drop(sender);
        assert!(matches!(receiver.recv(), Ok(Event::Closed(CloseReason::Requested))));
        assert!(receiver.recv_timeout(Duration::ZERO).is_err());
    }
}
