//! Round trip delay (H.245 C.10: RTDSE), both ways.
//! In: TRANSFER.request, the peer's PDUs, T105, the interval. Out: PDUs, the delay.
//! The answering side has no state: a RoundTripDelayRequest is answered at any time, before master
//! and slave are determined too (Asterisk asks that early).

use std::time::Duration;

use crate::Timer;
use crate::h245::{Scope, pdu};

#[derive(Debug, Default)]
pub(crate) struct Rtdse {
    /// out_SQ of C.10.
    sequence: u8,
    sent: Option<Duration>,
    /// The peer does not know the request: there is nothing to measure.
    unknown: bool,
}

impl Rtdse {
    /// Begins to measure at intervals, if configured; the first time at once.
    pub(crate) fn start(&mut self, scope: &mut Scope<'_>) {
        if scope.config.timers.round_trip_interval.is_some()
            && !self.unknown
            && !scope.timers.is_running(Timer::RoundTripInterval)
        {
            self.request(scope);
        }
    }

    pub(crate) fn request(&mut self, scope: &mut Scope<'_>) {
        self.sequence = self.sequence.wrapping_add(1);
        self.sent = Some(scope.now);
        scope.send(pdu::rtd_request(self.sequence));
        scope.start(Timer::T105);
        scope.start(Timer::RoundTripInterval);
    }

    pub(crate) fn on_request(scope: &mut Scope<'_>, sequence: u8) {
        scope.send(pdu::rtd_response(sequence));
    }

    /// The delay, if this answers the latest request.
    pub(crate) fn on_response(&mut self, scope: &mut Scope<'_>, sequence: u8) -> Option<Duration> {
        if sequence != self.sequence {
            return None;
        }
        let sent = self.sent.take()?;
        scope.timers.stop(Timer::T105);
        Some(scope.now.saturating_sub(sent))
    }

    /// RoundTripDelayRequest came back as not understood: no more of them.
    pub(crate) fn on_returned(&mut self, scope: &mut Scope<'_>) {
        self.sent = None;
        self.unknown = true;
        scope.timers.stop(Timer::T105);
        scope.timers.stop(Timer::RoundTripInterval);
    }

    /// T105: true when a request was lost.
    pub(crate) fn on_t105(&mut self) -> bool {
        self.sent.take().is_some()
    }
}
