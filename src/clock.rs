//! The one place that reads wall time.

use std::time::{SystemTime, UNIX_EPOCH};

/// UTC nanoseconds since the epoch by this machine's clock; 0 for a clock before it.
pub(crate) fn wall_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// UTC milliseconds since the epoch by this machine's clock.
pub(crate) fn wall_millis() -> u64 {
    wall_nanos() / 1_000_000
}
