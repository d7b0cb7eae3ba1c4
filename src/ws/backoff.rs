//! When to try again: full jitter under a doubling cap, within a budget of attempts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How reconnection is paced. [`Default`] gives the values that the documentation of each field names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BackoffConfig {
    pub(crate) base: Duration,
    pub(crate) cap: Duration,
    /// A connection that has been up for so long starts the count anew.
    pub(crate) stable_after: Duration,
    /// At most so many attempts …
    pub(crate) budget: usize,
    /// … in so long.
    pub(crate) budget_window: Duration,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(250),
            cap: Duration::from_secs(30),
            stable_after: Duration::from_secs(60),
            budget: 45,
            budget_window: Duration::from_secs(300),
        }
    }
}

/// When the latest attempts began, of all streams that share an address. The times are from one clock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attempts(Arc<Mutex<VecDeque<Duration>>>);

#[derive(Debug)]
pub(crate) struct Backoff {
    config: BackoffConfig,
    random: Random,
    failures: u32,
    attempts: Attempts,
}

impl Backoff {
    /// `seed` makes the jitter.
    pub(crate) fn new(config: BackoffConfig, attempts: Attempts, seed: u64) -> Self {
        Self { config, random: Random(seed), failures: 0, attempts }
    }

    /// Notes that an attempt begins.
    pub(crate) fn attempt(&mut self, now: Duration) {
        let window = self.config.budget_window;
        let mut attempts = self.attempts.0.lock().unwrap_or_else(PoisonError::into_inner);
        while attempts.front().is_some_and(|at| *at + window <= now) {
            attempts.pop_front();
        }
        attempts.push_back(now);
    }

    /// How long to wait after a failure. `up` is how long the connection had been up, `asked` what the server
    /// asks for (`Retry-After`), which is a lower bound.
    pub(crate) fn wait(&mut self, now: Duration, up: Duration, asked: Option<Duration>) -> Duration {
        if up >= self.config.stable_after {
            self.failures = 0;
        }
        let factor = 1u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let ceiling = self.config.base.saturating_mul(factor).min(self.config.cap);
        self.failures = (self.failures + 1).min(31);
        let wait = self.random.up_to(ceiling).max(asked.unwrap_or_default());

        // With the budget spent, the attempt before the last `budget` ones must be out of the window.
        let attempts = self.attempts.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = attempts.len().checked_sub(self.config.budget).and_then(|n| attempts.get(n));
        first.map_or(wait, |at| wait.max((*at + self.config.budget_window).saturating_sub(now)))
    }
}

/// A small generator of even quality (splitmix64): jitter needs no more.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn up_to(&mut self, ceiling: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let nanos = u64::try_from(ceiling.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(((u128::from(z) * u128::from(nanos)) >> 64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn doubles_to_the_cap_with_full_jitter() {
        let mut longest = [Duration::ZERO; 10];
        for seed in 0..500 {
            let mut backoff = Backoff::new(BackoffConfig::default(), Attempts::default(), seed);
            for longest in &mut longest {
                *longest = backoff.wait(Duration::ZERO, Duration::ZERO, None).max(*longest);
            }
        }
        for (n, longest) in longest.iter().enumerate() {
            let ceiling = (Duration::from_millis(250) * (1 << n)).min(30 * S);
            assert!(*longest <= ceiling && *longest > ceiling * 9 / 10, "{n}: {longest:?} of {ceiling:?}");
        }
    }

    #[test]
    fn starts_anew_after_a_stable_minute_and_honours_the_server() {
        let mut backoff = Backoff::new(BackoffConfig::default(), Attempts::default(), 7);
        for _ in 0..40 {
            backoff.wait(Duration::ZERO, Duration::ZERO, None);
        }
        assert!(backoff.wait(Duration::ZERO, 60 * S, None) <= Duration::from_millis(250));
        assert_eq!(backoff.wait(Duration::ZERO, 60 * S, Some(5 * S)), 5 * S);
    }

    #[test]
    fn never_more_attempts_in_a_window_than_the_budget() {
        let mut backoff = Backoff::new(BackoffConfig::default(), Attempts::default(), 3);
        let mut now = Duration::ZERO;
        let mut attempts: Vec<Duration> = Vec::new();
        for _ in 0..400 {
            backoff.attempt(now);
            attempts.push(now);
            let recent = attempts.iter().filter(|at| **at + 300 * S > now).count();
            assert!(recent <= 45, "{recent} attempts in 5 minutes at {now:?}");
            // Every attempt succeeds and breaks after a minute that counts as stable: the jitter is small.
            now += backoff.wait(now, 60 * S, None);
        }
    }
}
