//! What the real-time side would log, as records in slots that were there before: words are control's.
//! In: what changed in a block. Out: [`LogRecord`]s in a ring, each with its time; those that do not fit are counted.
//! Not here: text and levels (whoever reads [`Control::next_log`](crate::Control::next_log)), numbers (`meters.rs`).
//! RT: no allocation, lock, syscall, log or panic.

use std::net::SocketAddr;

use crate::rt::packet::SendOutcome;
use crate::sync::Producer;

/// Records that may wait, for each half. None of them comes more than once a block.
pub(crate) const RECORDS_WAITING: usize = 8;

/// One thing that happened in real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRecord {
    /// When: the driver's nanoseconds of the block in which it was seen.
    pub at_ns: u64,
    /// Records of this half that found no slot since the one before.
    pub lost_before: u32,
    /// What.
    pub event: LogEvent,
}

/// What a half has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogEvent {
    /// Packets are taken from this address from now on.
    Peer(SocketAddr),
    /// The source with this SSRC is played from now on.
    Source(u32),
    /// Packets do not leave any more; this is what became of the first.
    SendingFails(SendOutcome),
    /// Packets leave again.
    SendingWorks,
    /// The receiving half's trash is full: its commands wait until control collects.
    RxStalls,
    /// The sending half's trash is full: its commands wait until control collects.
    TxStalls,
}

/// The real-time end.
pub(crate) struct Log {
    ring: Producer<LogRecord>,
    lost: u32,
}

impl Log {
    pub(crate) const fn new(ring: Producer<LogRecord>) -> Log {
        Log { ring, lost: 0 }
    }

    pub(crate) fn write(&mut self, at_ns: u64, event: LogEvent) {
        match self.ring.push(LogRecord { at_ns, lost_before: self.lost, event }) {
            Ok(()) => self.lost = 0,
            Err(_) => self.lost = self.lost.saturating_add(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::ring;
    use assert_no_alloc::assert_no_alloc;

    #[test]
    fn what_finds_no_slot_is_counted_by_the_next_that_does() {
        let (producer, mut consumer) = ring(2);
        let mut log = Log::new(producer);
        assert_no_alloc(|| (0..5).for_each(|n| log.write(n, LogEvent::Source(n as u32))));
        assert_eq!(consumer.pop().map(|record| (record.at_ns, record.lost_before)), Some((0, 0)));
        log.write(9, LogEvent::TxStalls);
        assert_eq!(consumer.pop().map(|record| record.at_ns), Some(1));
        let last = LogRecord { at_ns: 9, lost_before: 3, event: LogEvent::TxStalls };
        assert_eq!((consumer.pop(), consumer.pop()), (Some(last), None));
    }
}
