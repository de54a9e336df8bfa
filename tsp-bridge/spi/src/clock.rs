//! The monotonic clock that rooms compare notes in.
//!
//! In: the operating system's CLOCK_MONOTONIC. Out: [`Timestamp`].
//! Not here: time for protocol machines; they are told the time by whoever drives them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Nanoseconds of the machine's monotonic clock (CLOCK_MONOTONIC).
///
/// Two processes on one machine read the same clock, so their time stamps may be subtracted; that is what the
/// mouth-to-ear measurement rests on. Time stamps of different machines may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(
    /// Nanoseconds since the clock's epoch (boot, on Linux).
    pub u64,
);

impl Timestamp {
    /// Reads the clock.
    pub fn now() -> Self {
        let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Self(t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64)
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}
