//! How a stream does: counters that its thread and its consumer keep, and what can be read of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How a stream does: [`StreamHandle::stats`](crate::StreamHandle::stats). What is counted is counted from the
/// stream's beginning, over all its connections.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StreamStats {
    /// Messages received: everything that the server said, pings and acknowledgements among it.
    pub messages: u64,
    /// The bytes of those messages, without the frames around them.
    pub bytes: u64,
    /// How often the connection broke and was made anew.
    pub reconnections: u64,
    /// Events of market data dropped for a slow consumer: all that [`Event::Lagged`](crate::Event::Lagged) has told or
    /// will tell.
    pub dropped: u64,
    /// Events that wait for the consumer now.
    pub queued: u64,
    /// How long the last [`ping`](crate::StreamHandle::ping) took to be answered, consumer and queue not included.
    /// `None` before the first answer.
    pub round_trip: Option<Duration>,
    /// How long ago the newest message was read from the socket. `None` before the first.
    pub newest_age: Option<Duration>,
    /// How far the exchange's clock is ahead of this machine's, milliseconds, by the last `pong`: taken for said halfway
    /// through the round trip, so wrong by half of that at most. `None` before the first that tells its time.
    pub clock_offset: Option<i64>,
}

/// What the answer to a ping tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Measured {
    pub(crate) round_trip: Duration,
    /// Milliseconds.
    pub(crate) clock_offset: Option<i64>,
}

/// The counters. Each is written by one thread at a time, so adding needs no locked operation.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    messages: AtomicU64,
    bytes: AtomicU64,
    reconnections: AtomicU64,
    dropped: AtomicU64,
    /// Events put into the queue, and taken from it.
    put: AtomicU64,
    taken: Taken,
    /// When the newest message was read, nanoseconds; 0 before the first.
    newest: AtomicU64,
    measured: Mutex<Option<Measured>>,
}

impl Counters {
    /// A message was read, `at` so long after the clock's beginning.
    pub(crate) fn message(&self, bytes: usize, at: Duration) {
        add(&self.messages, 1);
        add(&self.bytes, u64::try_from(bytes).unwrap_or(u64::MAX));
        self.newest.store(u64::try_from(at.as_nanos()).unwrap_or(u64::MAX).max(1), Ordering::Relaxed);
    }

    /// A message of a recording was read: at no time of this clock.
    pub(crate) fn replayed(&self, bytes: usize) {
        add(&self.messages, 1);
        add(&self.bytes, u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    pub(crate) fn reconnected(&self) {
        add(&self.reconnections, 1);
    }

    pub(crate) fn measured(&self, measured: Measured) {
        *self.measured.lock().unwrap_or_else(PoisonError::into_inner) = Some(measured);
    }

    pub(crate) fn dropped(&self) {
        add(&self.dropped, 1);
    }

    pub(crate) fn put(&self) {
        add(&self.put, 1);
    }

    pub(crate) fn taken(&self) {
        self.taken.add();
    }

    /// What there is to say, so long after the clock's beginning.
    pub(crate) fn read(&self, now: Duration) -> StreamStats {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let measured = *self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        // Read before what was put: between the two more can only be put.
        let taken = self.taken.read();
        StreamStats {
            messages: of(&self.messages),
            bytes: of(&self.bytes),
            reconnections: of(&self.reconnections),
            dropped: of(&self.dropped),
            queued: of(&self.put).saturating_sub(taken),
            round_trip: measured.map(|measured| measured.round_trip),
            newest_age: match of(&self.newest) {
                0 => None,
                newest => Some(now.saturating_sub(Duration::from_nanos(newest))),
            },
            clock_offset: measured.and_then(|measured| measured.clock_offset),
        }
    }
}

/// What one consumer has taken of something. It stands apart from what the thread writes: for two cores that write what
/// stands together, each write is a wait for the other.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Taken(AtomicU64);

impl Taken {
    pub(crate) fn add(&self) {
        add(&self.0, 1);
    }

    pub(crate) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Adds to a counter that no other thread writes at that time.
fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_read() {
        let counters = Counters::default();
        assert_eq!(counters.read(Duration::from_secs(9)), StreamStats::default());
        counters.message(30, Duration::from_secs(1));
        counters.message(12, Duration::from_secs(3));
        counters.put();
        counters.put();
        counters.taken();
        counters.dropped();
        counters.reconnected();
        counters.measured(Measured { round_trip: Duration::from_millis(4), clock_offset: Some(-7) });
        let expected = StreamStats {
            messages: 2,
            bytes: 42,
            reconnections: 1,
            dropped: 1,
            queued: 1,
            round_trip: Some(Duration::from_millis(4)),
            newest_age: Some(Duration::from_secs(6)),
            clock_offset: Some(-7),
        };
        assert_eq!(counters.read(Duration::from_secs(9)), expected);
    }
}
