//! Trying again, for calls that change nothing; and keeping to the few calls a minute that some allow.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::endpoint::Call;
use crate::client::Client;
use crate::config::WhenLimited;
use crate::error::{Error, Result};
use crate::pace::{Waits, Window, seed};

/// The wait before the first retry is up to so long, and doubles …
const BASE: Duration = Duration::from_millis(200);
/// … up to this.
const CAP: Duration = Duration::from_secs(5);

/// How many calls for the details of balances the exchange answers in a minute.
const DETAILS: u32 = 8;

/// When the latest calls for the details of balances were made.
#[derive(Debug)]
pub(crate) struct Details {
    began: Instant,
    window: Mutex<Window>,
}

impl Default for Details {
    fn default() -> Self {
        Self { began: Instant::now(), window: Mutex::new(Window::new(DETAILS)) }
    }
}

impl Details {
    /// How long until one more may be made.
    fn wait(&self) -> Duration {
        self.window.lock().unwrap_or_else(PoisonError::into_inner).wait(self.began.elapsed())
    }

    /// Takes the place of one call.
    ///
    /// # Errors
    /// How long until there is one.
    fn take(&self) -> Result<(), Duration> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.began.elapsed();
        match window.wait(now) {
            Duration::ZERO => {
                window.take(now);
                Ok(())
            }
            wait => Err(wait),
        }
    }
}

impl Client {
    /// Makes a call, and again after failures that may pass, where the table says that it may be repeated. It ends by
    /// the caller's deadline, and the attempts together by `end`.
    pub(super) fn retrying<T>(&self, call: &Call, end: Instant, attempt: impl Fn(&Self) -> Result<T>) -> Result<T> {
        let mut result = attempt(self);
        if !call.repeatable || result.is_ok() {
            return result;
        }
        let client = self.ending_by(end);
        let mut waits = Waits::new(BASE, CAP, seed());
        for _ in 0..self.rest_config().retries {
            let error = match result {
                Err(error) if error.is_retryable() && !matches!(error, Error::RateLimited(_)) => error,
                other => return other,
            };
            let wait = waits.next(error.retry_after());
            if client.deadline().is_some_and(|end| Instant::now() + wait >= end) {
                return Err(error);
            }
            log::info!("{call}: {error}; trying again in {wait:?}");
            thread::sleep(wait);
            result = attempt(&client);
        }
        result
    }

    /// How long until a call may be made.
    pub(super) fn turn_of(&self, call: &Call) -> Duration {
        if call.detail { self.details().wait() } else { Duration::ZERO }
    }

    /// Waits until a call may be made, where the exchange answers but a few a minute.
    ///
    /// # Errors
    /// [`Error::RateLimited`] where that is later than the deadline, or where it is set not to wait.
    pub(super) fn pace(&self, call: &Call) -> Result<()> {
        let when_limited = self.rest_config().when_limited;
        if !call.detail || when_limited == WhenLimited::Ignore {
            return Ok(());
        }
        while let Err(wait) = self.details().take() {
            if when_limited == WhenLimited::Fail || self.deadline().is_some_and(|at| Instant::now() + wait >= at) {
                return Err(Error::RateLimited(wait));
            }
            log::info!("{call}: waiting {wait:?} for the exchange's limit of {DETAILS} a minute");
            thread::sleep(wait);
        }
        Ok(())
    }
}
