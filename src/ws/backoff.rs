//! When to try again: full jitter, within a budget of attempts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::pace::Waits;

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
    waits: Waits,
    attempts: Attempts,
}

impl Backoff {
    /// `seed` makes the jitter.
    pub(crate) fn new(config: BackoffConfig, attempts: Attempts, seed: u64) -> Self {
        Self { waits: Waits::new(config.base, config.cap, seed), config, attempts }
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
            self.waits.reset();
        }
        let wait = self.waits.next(asked);

        // With the budget spent, the attempt before the last `budget` ones must be out of the window.
        let attempts = self.attempts.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = attempts.len().checked_sub(self.config.budget).and_then(|n| attempts.get(n));
        first.map_or(wait, |at| wait.max((*at + self.config.budget_window).saturating_sub(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

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
