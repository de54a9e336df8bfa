//! Whether media still come: the far end may vanish without a word of signalling.
//! In: packets so far, the time. Out: that nothing came for long, that something comes again.
//!
//! ```text
//! not running ─ the half runs ─▶ heard ─ nothing for long ─▶ timed out ─ a packet ─▶ heard
//! ```
//!
//! Not here: when a stream runs (`stream.rs`), what counts as a packet (the engine).

use std::time::Duration;

use offhook_engine::monotonic_ns;
use offhook_spi::{MspCallEvent, MspEventCause};

use crate::call::CallState;
use crate::stream::Phase;

/// What there is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    TimedOut,
    Recovered,
}

/// The watch over one render stream.
#[derive(Debug, Default)]
pub(crate) struct MediaWatch {
    /// When a packet came last, or the watch began; packets then.
    last: Option<(u64, u64)>,
    is_timed_out: bool,
}

impl MediaWatch {
    /// One look at a half that runs: `packets` were accepted so far, of any number that changes with each.
    pub(crate) fn look(&mut self, now_ns: u64, packets: u64, patience: Duration) -> Option<Change> {
        match self.last {
            Some((since, before)) if before == packets => {
                let silent = Duration::from_nanos(now_ns.saturating_sub(since));
                let is_over = !self.is_timed_out && silent >= patience;
                self.is_timed_out |= is_over;
                is_over.then_some(Change::TimedOut)
            }
            last => {
                self.last = Some((now_ns, packets));
                let was = last.is_some() && std::mem::take(&mut self.is_timed_out);
                was.then_some(Change::Recovered)
            }
        }
    }

    /// The half does not run: silence means nothing.
    pub(crate) fn rest(&mut self) {
        *self = Self::default();
    }
}

impl CallState {
    /// Looks whether the peer's media still come, and tells what has changed. To be called before streams that have
    /// started are noted, so that each is given its patience anew.
    pub(crate) fn watch_media(&mut self) {
        let patience = Duration::from_millis(u64::from(self.media.config.media_timeout_ms));
        if patience.is_zero() || !matches!(self.render.phase, Phase::Active | Phase::TimedOut) {
            return self.watch.rest();
        }
        let rx = self.control.meters().rx();
        let packets = rx.receiver.accepted.wrapping_add(rx.receiver.confirmed).wrapping_add(rx.events);
        let (phase, event, cause) = match self.watch.look(monotonic_ns(), packets, patience) {
            None => return,
            Some(Change::TimedOut) => {
                (Phase::TimedOut, MspCallEvent::StreamInactive, MspEventCause::MediaTimeout)
            }
            Some(Change::Recovered) => {
                (Phase::Active, MspCallEvent::StreamActive, MspEventCause::MediaRecovered)
            }
        };
        tracing::info!(call = self.id.0, ?cause, "the far end's media");
        self.render.phase = phase;
        self.reporter.stream(self.render.info.id, event, cause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_told_once_and_its_end_once() {
        let mut watch = MediaWatch::default();
        let mut look = |ms: u64, packets| watch.look(ms * 1_000_000, packets, Duration::from_millis(100));
        assert_eq!((look(0, 5), look(99, 5)), (None, None));
        assert_eq!((look(100, 5), look(150, 5), look(900, 5)), (Some(Change::TimedOut), None, None));
        assert_eq!((look(901, 6), look(950, 6)), (Some(Change::Recovered), None));
        assert_eq!(look(1_001, 6), Some(Change::TimedOut));
        // A source that begins anew may count less.
        assert_eq!(look(1_002, 1), Some(Change::Recovered));
    }

    #[test]
    fn a_half_that_rested_is_given_its_patience_anew() {
        let mut watch = MediaWatch::default();
        let patience = Duration::from_millis(100);
        assert_eq!(watch.look(0, 0, patience), None);
        assert_eq!(watch.look(100_000_000, 0, patience), Some(Change::TimedOut));
        watch.rest();
        assert_eq!(watch.look(500_000_000, 0, patience), None);
        assert_eq!(watch.look(599_000_000, 0, patience), None);
        assert_eq!(watch.look(600_000_000, 0, patience), Some(Change::TimedOut));
    }
}
