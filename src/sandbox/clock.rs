//! The sandbox's clock: this machine's, shifted, or one that moves by hand alone.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::wall_nanos;

/// UTC milliseconds.
#[derive(Debug)]
pub(crate) struct Clock {
    /// Whether the machine's clock runs underneath.
    runs: bool,
    /// Time of a stopped clock; of a running one what is added to the machine's.
    millis: AtomicU64,
}

impl Clock {
    /// The machine's clock.
    pub(crate) fn wall() -> Self {
        Self { runs: true, millis: AtomicU64::new(0) }
    }

    /// A clock that stands still until it is moved.
    pub(crate) fn stopped(at: u64) -> Self {
        Self { runs: false, millis: AtomicU64::new(at) }
    }

    pub(crate) fn runs(&self) -> bool {
        self.runs
    }

    pub(crate) fn now(&self) -> u64 {
        let millis = self.millis.load(Ordering::SeqCst);
        if !self.runs {
            return millis;
        }
        (wall_nanos() / 1_000_000).saturating_add(millis)
    }

    pub(crate) fn advance(&self, by: u64) {
        self.millis.fetch_add(by, Ordering::SeqCst);
    }
}
