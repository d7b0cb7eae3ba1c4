//! Pacing, pure: how long to wait before trying again, and before saying more than may be said in a minute.

use std::collections::VecDeque;
use std::time::Duration;

/// Waits that double up to a cap, each a random part of that (full jitter), so that those who failed together do not
/// come again together.
#[derive(Debug)]
pub(crate) struct Waits {
    base: Duration,
    cap: Duration,
    failures: u32,
    random: Random,
}

impl Waits {
    /// `seed` makes the jitter.
    pub(crate) fn new(base: Duration, cap: Duration, seed: u64) -> Self {
        Self { base, cap, failures: 0, random: Random(seed) }
    }

    /// The wait after one more failure; `asked` is what the server asks for (`Retry-After`), a lower bound.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let factor = 1u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let ceiling = self.base.saturating_mul(factor).min(self.cap);
        self.failures = (self.failures + 1).min(31);
        self.random.up_to(ceiling).max(asked.unwrap_or_default())
    }

    /// Begins anew with the shortest wait.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// What `Retry-After` asks for, in seconds; never more than a day, whatever it says. A date is not heeded.
pub(crate) fn retry_after(header: &str) -> Option<Duration> {
    const LONGEST: u64 = 24 * 60 * 60;
    let seconds = header.trim();
    if seconds.is_empty() || !seconds.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // What is no number of 64 bits is too large for one.
    Some(Duration::from_secs(seconds.parse().unwrap_or(LONGEST).min(LONGEST)))
}

/// A seed for jitter, which needs to differ and no more.
pub(crate) fn seed() -> u64 {
    getrandom::u64().unwrap_or_else(|_| crate::clock::wall_nanos())
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

const MINUTE: Duration = Duration::from_secs(60);

/// A minute that moves along: no more in any 60 seconds than the limit, wherever the exchange begins to count. The
/// times are from one clock.
#[derive(Debug)]
pub(crate) struct Window {
    limit: usize,
    said: VecDeque<Duration>,
}

impl Window {
    pub(crate) fn new(limit: u32) -> Self {
        Self { limit: usize::try_from(limit).unwrap_or(usize::MAX), said: VecDeque::new() }
    }

    /// How long until one more fits.
    pub(crate) fn wait(&mut self, now: Duration) -> Duration {
        while self.said.front().is_some_and(|at| *at + MINUTE <= now) {
            self.said.pop_front();
        }
        match self.said.len().checked_sub(self.limit) {
            None => Duration::ZERO,
            // A limit of nothing is never free.
            Some(over) => self.said.get(over).map_or(MINUTE, |at| (*at + MINUTE).saturating_sub(now)),
        }
    }

    /// Takes a place.
    pub(crate) fn take(&mut self, now: Duration) {
        self.said.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_the_cap_with_full_jitter() {
        const BASE: Duration = Duration::from_millis(250);
        const CAP: Duration = Duration::from_secs(30);
        let mut longest = [Duration::ZERO; 10];
        for seed in 0..500 {
            let mut waits = Waits::new(BASE, CAP, seed);
            for longest in &mut longest {
                *longest = waits.next(None).max(*longest);
            }
        }
        for (n, longest) in longest.iter().enumerate() {
            let ceiling = (BASE * (1 << n)).min(CAP);
            assert!(*longest <= ceiling && *longest > ceiling * 9 / 10, "{n}: {longest:?} of {ceiling:?}");
        }
    }

    #[test]
    fn what_a_server_asks_for_has_a_bound() {
        for (header, seconds) in [("17", Some(17)), (" 0 ", Some(0)), ("-1", None), ("1.5", None), ("", None)] {
            assert_eq!(retry_after(header), seconds.map(Duration::from_secs), "{header}");
        }
        for long in ["86401", "18446744073709551615", "99999999999999999999999999"] {
            assert_eq!(retry_after(long), Some(Duration::from_secs(86_400)), "{long}");
        }
        assert_eq!(retry_after("Wed, 21 Oct 2026 07:28:00 GMT"), None);
    }

    #[test]
    fn waits_begin_anew_and_honour_the_server() {
        let mut waits = Waits::new(Duration::from_millis(1), Duration::from_secs(3600), 7);
        for _ in 0..60 {
            waits.next(None);
        }
        waits.reset();
        assert!(waits.next(None) <= Duration::from_millis(1));
        assert_eq!(waits.next(Some(Duration::from_secs(5))), Duration::from_secs(5));
    }

    #[test]
    fn no_minute_holds_more_than_the_limit() {
        let at = Duration::from_secs;
        let mut window = Window::new(2);
        for second in [0, 10] {
            assert_eq!(window.wait(at(second)), Duration::ZERO);
            window.take(at(second));
        }
        assert_eq!(window.wait(at(59)), at(1));
        assert_eq!(window.wait(at(60)), Duration::ZERO);
        window.take(at(60));
        assert_eq!(window.wait(at(60)), at(10));
        assert_eq!(Window::new(0).wait(at(5)), MINUTE);
    }
}
