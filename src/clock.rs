//! The one place that reads wall time, and how far the exchange's clock is ahead of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// UTC nanoseconds since the epoch by this machine's clock; 0 for a clock before it.
pub(crate) fn wall_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// UTC milliseconds since the epoch by this machine's clock.
pub(crate) fn wall_millis() -> u64 {
    wall_nanos() / 1_000_000
}

/// The exchange's clock, as far as it is known: this machine's with an offset. A client's REST calls and its streams
/// share one; clones are the same clock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// Milliseconds.
    ahead: AtomicI64,
    times_set: AtomicU64,
}

impl Clock {
    /// UTC milliseconds by the exchange's clock.
    pub(crate) fn millis(&self) -> u64 {
        wall_millis().saturating_add_signed(self.ahead())
    }

    /// How far the exchange's clock is ahead of this machine's, milliseconds.
    pub(crate) fn ahead(&self) -> i64 {
        self.0.ahead.load(Ordering::Relaxed)
    }

    /// Sets how far the exchange's clock is ahead.
    pub(crate) fn set(&self, ahead: i64) {
        self.0.ahead.store(ahead, Ordering::Relaxed);
        self.0.times_set.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it was set: 0 is a clock of which nothing is known.
    pub(crate) fn times_set(&self) -> u64 {
        self.0.times_set.load(Ordering::Relaxed)
    }
}

/// One comparison of the two clocks: a question that the exchange answered with its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    /// When the question left, UTC nanoseconds by this machine's clock.
    pub(crate) sent: u64,
    /// How long it took until the answer was there.
    pub(crate) round_trip: Duration,
    /// When the question reached the exchange, UTC milliseconds by its own clock.
    pub(crate) received: i64,
}

impl Sample {
    /// How far the exchange's clock is ahead, milliseconds: the question is taken to have reached it halfway.
    fn ahead(&self) -> i64 {
        let halfway = u128::from(self.sent) + self.round_trip.as_nanos() / 2;
        self.received.saturating_sub(i64::try_from(halfway / 1_000_000).unwrap_or(i64::MAX))
    }
}

/// How far the exchange's clock is ahead by the sample with the shortest round trip, which leaves the least room for
/// error; none where there is no sample.
pub(crate) fn ahead(samples: &[Sample]) -> Option<i64> {
    samples.iter().min_by_key(|sample| sample.round_trip).map(Sample::ahead)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: u64 = 1_000_000;

    fn sample(sent: u64, round_trip: u64, received: i64) -> Sample {
        Sample { sent: sent * MS, round_trip: Duration::from_millis(round_trip), received }
    }

    #[test]
    fn the_shortest_round_trip_decides() {
        assert_eq!(ahead(&[]), None);
        assert_eq!(ahead(&[sample(1000, 0, 1000)]), Some(0));
        assert_eq!(ahead(&[sample(1000, 900, 1010), sample(2000, 20, 302_010), sample(3000, 21, 0)]), Some(300_000));
        assert_eq!(ahead(&[sample(1_000_000, 10, 5)]), Some(-1_000_000));
        // Whatever a server says it is a number.
        assert!(ahead(&[sample(1, 1, i64::MIN)]).is_some() && ahead(&[sample(1, 1, i64::MAX)]).is_some());
        let longest = Sample { sent: u64::MAX, round_trip: Duration::MAX, received: i64::MIN };
        assert!(ahead(&[longest]).is_some());
    }

    proptest! {
        /// The error is at most half of the shortest round trip, however unevenly the ways there and back take.
        #[test]
        fn the_error_is_bounded_by_the_round_trip(
            truth in -10_000_000i64..10_000_000,
            ways in proptest::collection::vec((0u64..5000, 0u64..5000), 1..6),
        ) {
            let samples: Vec<_> = ways
                .iter()
                .enumerate()
                .map(|(i, (there, back))| {
                    let sent = 1_700_000_000_000 + 20_000 * i as u64;
                    sample(sent, there + back, (sent + there) as i64 + truth)
                })
                .collect();
            let shortest = ways.iter().map(|(there, back)| there + back).min().unwrap();
            prop_assert!(ahead(&samples).unwrap().abs_diff(truth) <= shortest / 2 + 1);
        }
    }

    #[test]
    fn clones_are_the_same_clock() {
        let clock = Clock::default();
        assert_eq!((clock.times_set(), clock.ahead()), (0, 0));
        let other = clock.clone();
        other.set(-3_600_000);
        assert_eq!((clock.times_set(), clock.ahead()), (1, -3_600_000));
        assert!(clock.millis() < wall_millis());
    }
}
