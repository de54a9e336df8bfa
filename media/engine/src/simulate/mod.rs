//! A virtual world for whole calls: time that stands still until told, a network in memory, and a driver that calls
//! the processors as the ticker does. For tests and instruments, here and in the rooms above.
//!
//! ```text
//! Clock ◀─ advances ─ Driver ─▶ RxProcessor, TxProcessor of each party, at its own phase and drift
//!   ▲                                │ PacketTx             ▲ PacketRx
//!   └────────────── read by ───────  link: delay, jitter, loss, duplicates, strangers
//! ```
//!
//! In: processors, link conditions, a duration. Out: what the processors do, thousands of times faster than real time
//! and the same at every run.
//! Not here: real sockets (`offhook-net`); the real clock (`ticker`).
//!
//! A link's two ends share a lock: fit for a virtual world only. Neither allocates while it runs, so the processors can
//! be watched by a trapping allocator.

mod driver;
mod link;

pub use driver::{Driver, Party};
pub use link::{Link, LinkConfig, LinkCounts, LinkRx, LinkTx, link};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Virtual time, nanoseconds. Clones show the same time.
#[derive(Debug, Clone, Default)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    /// A clock that shows `now_ns`.
    pub fn new(now_ns: u64) -> Clock {
        Clock(Arc::new(AtomicU64::new(now_ns)))
    }

    /// What it shows.
    pub fn now_ns(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Moves on to `now_ns`; never back.
    pub fn advance_to(&self, now_ns: u64) {
        self.0.fetch_max(now_ns, Ordering::Relaxed);
    }
}
