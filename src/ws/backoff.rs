//! When to try again: full jitter, within a budget of attempts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// The latest attempts of all streams of a client, and those to come. The times are from one clock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attempts(Arc<Mutex<Places>>);

#[derive(Debug, Default)]
struct Places {
    /// When each began or is to begin, in order.
    taken: VecDeque<Duration>,
    /// The longest window that any stream counts in.
    window: Duration,
}

impl Places {
    /// The first time from then on at which one more attempt fits: the one before the last `budget` ones, those to come
    /// included, must be out of the window.
    fn free(&mut self, config: &BackoffConfig, now: Duration, from: Duration) -> Duration {
        self.window = self.window.max(config.budget_window);
        while self.taken.front().is_some_and(|at| at.saturating_add(self.window) <= now) {
            self.taken.pop_front();
        }
        let first = self.taken.len().checked_sub(config.budget).and_then(|n| self.taken.get(n));
        first.map_or(from, |at| from.max(at.saturating_add(config.budget_window)))
    }

    fn take(&mut self, at: Duration) {
        let place = self.taken.partition_point(|other| *other <= at);
        self.taken.insert(place, at);
    }

    fn give_back(&mut self, at: Duration) {
        if let Ok(place) = self.taken.binary_search(&at) {
            self.taken.remove(place);
        }
    }
}

/// Waits by the random, but takes its places among the attempts of all.
#[derive(Debug)]
pub(crate) struct Backoff {
    config: BackoffConfig,
    waits: Waits,
    attempts: Attempts,
    /// When the next attempt is to begin. The place is taken when the wait begins, so that no other stream that waits
    /// counts on it.
    reserved: Option<Duration>,
}

impl Backoff {
    /// `seed` makes the jitter.
    pub(crate) fn new(config: BackoffConfig, attempts: Attempts, seed: u64) -> Self {
        Self { waits: Waits::new(config.base, config.cap, seed), config, attempts, reserved: None }
    }

    /// Takes the place of a first attempt, for which nothing has waited.
    ///
    /// # Errors
    /// How long until there is one; nothing is taken.
    pub(crate) fn first(&mut self, now: Duration) -> Result<(), Duration> {
        let mut places = self.places();
        match places.free(&self.config, now, now).saturating_sub(now) {
            Duration::ZERO => places.take(now),
            wait => return Err(wait),
        }
        Ok(())
    }

    /// The attempt that was waited for begins.
    pub(crate) fn begin(&mut self, now: Duration) {
        if let Some(at) = self.reserved.take() {
            let mut places = self.places();
            places.give_back(at);
            places.take(now);
        }
    }

    /// How long to wait after a failure, with a place at the end of it. `up` is how long the connection had been up, `asked` what the server
    /// asks for (`Retry-After`), which is a lower bound.
    pub(crate) fn wait(&mut self, now: Duration, up: Duration, asked: Option<Duration>) -> Duration {
        if up >= self.config.stable_after {
            self.waits.reset();
        }
        let wait = self.waits.next(asked);

        let mut places = self.places();
        let at = places.free(&self.config, now, now.saturating_add(wait));
        places.take(at);
        drop(places);
        self.reserved = Some(at);
        at.saturating_sub(now)
    }

    /// It is held for short computations only, which leave it whole: a thread that failed meanwhile has not.
    fn places(&self) -> MutexGuard<'_, Places> {
        self.attempts.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt that is not made leaves its place to others.
impl Drop for Backoff {
    fn drop(&mut self) {
        if let Some(at) = self.reserved {
            self.places().give_back(at);
        }
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
            let wait = backoff.wait(Duration::ZERO, Duration::ZERO, None);
            backoff.begin(wait);
        }
        assert!(backoff.wait(Duration::ZERO, 60 * S, None) <= Duration::from_millis(250));
        assert_eq!(backoff.wait(Duration::ZERO, 60 * S, Some(5 * S)), 5 * S);
    }

    #[test]
    fn never_more_attempts_in_a_window_than_the_budget() {
        let mut backoff = Backoff::new(BackoffConfig::default(), Attempts::default(), 3);
        let mut now = Duration::ZERO;
        let mut attempts: Vec<Duration> = Vec::new();
        assert_eq!(backoff.first(now), Ok(()));
        for _ in 0..400 {
            backoff.begin(now);
            attempts.push(now);
            let recent = attempts.iter().filter(|at| **at + 300 * S > now).count();
            assert!(recent <= 45, "{recent} attempts in 5 minutes at {now:?}");
            // Every attempt succeeds and breaks after a minute that counts as stable: the jitter is small.
            now += backoff.wait(now, 60 * S, None);
        }
    }
    #[test]
    fn streams_that_fail_together_share_the_budget() {
        let config = BackoffConfig { budget: 30, ..BackoffConfig::default() };
        let attempts = Attempts::default();
        let mut streams: Vec<Backoff> =
            (0..20).map(|seed| Backoff::new(config.clone(), attempts.clone(), seed)).collect();
        let mut begun = vec![Duration::ZERO; streams.len()];
        streams.iter_mut().for_each(|stream| assert_eq!(stream.first(Duration::ZERO), Ok(())));
        let mut due: Vec<Duration> =
            streams.iter_mut().map(|stream| S + stream.wait(S, Duration::ZERO, None)).collect();
        for _ in 0..400 {
            let next = (0..due.len()).min_by_key(|n| due[*n]).unwrap();
            let now = due[next];
            streams[next].begin(now);
            begun.push(now);
            let recent = begun.iter().filter(|at| **at + 300 * S > now).count();
            assert!(recent <= 30, "{recent} attempts in 5 minutes at {now:?}");
            due[next] = now + streams[next].wait(now, Duration::ZERO, None);
        }
        assert!(begun[begun.len() - 1] < 300 * S * 20, "the budget is used: {:?}", begun.last());
    }

    #[test]
    fn a_first_attempt_beyond_the_budget_is_refused_and_a_wait_that_is_given_up_costs_nothing() {
        let config = BackoffConfig { budget: 3, ..BackoffConfig::default() };
        let attempts = Attempts::default();
        let stream = || Backoff::new(config.clone(), attempts.clone(), 1);
        let (mut one, mut two, mut three) = (stream(), stream(), stream());
        assert_eq!(one.first(S), Ok(()));
        assert_eq!(two.first(2 * S), Ok(()));
        two.wait(3 * S, Duration::ZERO, Some(S));
        assert_eq!(three.first(5 * S), Err(296 * S), "two waits for the last place");
        drop(two);
        assert_eq!(three.first(5 * S), Ok(()));
        assert_eq!(stream().first(6 * S), Err(295 * S));
        assert_eq!(stream().first(301 * S), Ok(()));
        // Whatever a server asks for, it is a time.
        assert!(one.wait(6 * S, Duration::ZERO, Some(Duration::MAX)) > 1000 * S);
    }
}
