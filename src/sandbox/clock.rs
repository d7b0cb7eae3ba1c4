//! The sandbox's clock: this machine's, shifted and at any speed, or one that moves by hand alone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::wall_nanos;

/// Lengths of time, ms.
pub(crate) const MINUTE: u64 = 60_000;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;

/// The end of the year 9999, UTC ms: no clock gets beyond it, so that whatever is reckoned from it stays in range.
const END: u64 = 253_402_300_799_999;

/// UTC milliseconds.
#[derive(Debug)]
pub(crate) struct Clock {
    /// How it runs by itself, if it does.
    runs: Option<Run>,
    /// Time of a stopped clock; of a running one what is added to it.
    millis: AtomicU64,
}

/// From the machine's time at the beginning on so many times as fast.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// UTC nanoseconds.
    since: u64,
    speed: f64,
}

impl Run {
    /// UTC ms.
    fn now(self) -> u64 {
        let gone = wall_nanos().saturating_sub(self.since);
        // A float holds a year in nanoseconds to the microsecond.
        let gone = if self.speed == 1.0 { gone } else { (gone as f64 * self.speed) as u64 };
        self.since.saturating_add(gone) / 1_000_000
    }
}

impl Clock {
    /// The machine's clock, so many times as fast from now on.
    pub(crate) fn wall(speed: f64) -> Self {
        Self { runs: Some(Run { since: wall_nanos(), speed }), millis: AtomicU64::new(0) }
    }

    /// A clock that stands still until it is moved.
    pub(crate) fn stopped(at: u64) -> Self {
        Self { runs: None, millis: AtomicU64::new(at) }
    }

    /// Whether it goes by itself.
    pub(crate) fn runs(&self) -> bool {
        self.runs.is_some()
    }

    pub(crate) fn now(&self) -> u64 {
        let millis = self.millis.load(Ordering::SeqCst);
        self.runs.map_or(0, Run::now).saturating_add(millis).min(END)
    }

    /// How long it takes by itself until it shows a time; `None` where it never does.
    pub(crate) fn time_until(&self, due: u64, now: u64) -> Option<Duration> {
        let millis = due.saturating_sub(now).max(1);
        let wait = |run: Run| Duration::try_from_secs_f64(millis as f64 / 1_000.0 / run.speed).unwrap_or(Duration::MAX);
        self.runs.map(wait)
    }

    pub(crate) fn advance(&self, by: u64) {
        let add = |millis: u64| Some(millis.saturating_add(by).min(END));
        let _ = self.millis.fetch_update(Ordering::SeqCst, Ordering::SeqCst, add); // cannot fail: `add` is never none
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_clock_has_less_to_wait() {
        let clock = Clock::wall(50.0);
        let now = clock.now();
        assert_eq!(clock.time_until(now + 1_000, now), Some(Duration::from_millis(20)));
        assert_eq!(Clock::stopped(now).time_until(now + 1_000, now), None);
        // It gets there.
        while clock.now() < now + 1_000 {
            std::thread::yield_now();
        }
    }
}
