//! One thread at a time asks what all need to know; the others wait for it.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use crate::error::{Error, Result, Timeout};

/// Turns to ask. Who has got one looks first whether the last one has found out already.
#[derive(Debug, Default)]
pub(super) struct Turns {
    taken: Mutex<bool>,
    freed: Condvar,
}

/// The turn to ask; it ends when this is dropped.
#[derive(Debug)]
#[must_use = "the turn ends when this is dropped"]
pub(super) struct Turn<'a>(&'a Turns);

impl Turns {
    /// Waits for the turn.
    ///
    /// # Errors
    /// [`Timeout::Deadline`] when it did not come by then.
    pub(super) fn take(&self, deadline: Option<Instant>) -> Result<Turn<'_>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken {
            taken = match deadline {
                None => self.freed.wait(taken).unwrap_or_else(PoisonError::into_inner),
                Some(at) => match at.saturating_duration_since(Instant::now()) {
                    left if left.is_zero() => return Err(Error::Timeout(Timeout::Deadline)),
                    left => self.freed.wait_timeout(taken, left).unwrap_or_else(PoisonError::into_inner).0,
                },
            };
        }
        *taken = true;
        Ok(Turn(self))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.freed.notify_one();
    }
}
