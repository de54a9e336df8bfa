//! The mechanism: each operation of playout in its own file, on the [`Sound`](crate::sound::Sound) alone.
//! Not here: when which is used (`decision.rs`).
//! RT: no allocation, lock, syscall, log or panic.

pub(crate) mod accelerate;
pub(crate) mod comfort;
pub(crate) mod expand;
pub(crate) mod merge;
pub(crate) mod normal;
pub(crate) mod preemptive;

/// `a` and `b` mixed: all `a` at 0, all `b` at `count`.
#[inline]
fn cross_fade(a: i16, b: i16, at: usize, count: usize) -> i16 {
    let (a, b, at, count) = (i64::from(a), i64::from(b), at as i64, count.max(1) as i64);
    // A mean of two i16, so it fits.
    ((a * (count - at) + b * at) / count) as i16
}
