//! The clock that drivers hand to the processors.
//! Out: nanoseconds of CLOCK_MONOTONIC, the clock of the ticker, of kernel time stamps once converted, of all `_ns`.
//! Not here: virtual time (`simulate`).

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Now, in nanoseconds of CLOCK_MONOTONIC. Reads a page of memory; no syscall on Linux.
pub fn monotonic_ns() -> u64 {
    ns_of(clock_gettime(ClockId::Monotonic))
}

/// A non-negative time in nanoseconds.
pub(crate) fn ns_of(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let rest = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// Nanoseconds as the kernel wants them.
pub(crate) fn timespec_of(ns: u64) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(ns % 1_000_000_000).unwrap_or(0),
    }
}
