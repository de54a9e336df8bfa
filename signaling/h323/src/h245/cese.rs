//! Capability exchange (H.245 8.3, C.3: CESE), both ways.
//! In: TRANSFER.request, the peer's PDUs, T101. Out: PDUs; that our set was taken or not.
//!
//! ```text
//!   outgoing   Idle ── request / TCS ──▶ AwaitingResponse ── Ack, Reject, T101 ──▶ Idle
//!   incoming   TCS ── Ack at once, or Reject: the set is used or refused as a whole
//! ```
//!
//! Not here: what is in a set (`capability`).

use crate::LocalMedia;
use crate::Timer;
use crate::h245::{Scope, pdu};

/// What became of our TerminalCapabilitySet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted,
    Rejected,
    /// T101 expired.
    Unanswered,
}

/// The outgoing side.
#[derive(Debug, Default)]
pub(crate) struct OutgoingCese {
    /// out_SQ of C.3.
    sequence: u8,
    awaiting: bool,
    /// A set that changed while the one before was unanswered.
    next: Option<LocalMedia>,
    accepted: bool,
}

impl OutgoingCese {
    /// Our latest set was acknowledged.
    pub(crate) fn is_accepted(&self) -> bool {
        self.accepted
    }

    /// TRANSFER.request. One set travels at a time; the latest waits for it.
    pub(crate) fn request(&mut self, scope: &mut Scope<'_>, media: &LocalMedia) {
        if self.awaiting {
            self.next = Some(media.clone());
            return;
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.awaiting = true;
        self.accepted = false;
        scope.send(pdu::tcs(self.sequence, media));
        scope.start(Timer::T101);
    }

    /// Forgets a set that went where nobody read it (Setup, towards a peer without tunnelling).
    pub(crate) fn reset(&mut self, scope: &mut Scope<'_>) {
        self.awaiting = false;
        self.next = None;
        scope.timers.stop(Timer::T101);
    }

    pub(crate) fn on_ack(&mut self, scope: &mut Scope<'_>, sequence: u8) -> Option<Outcome> {
        self.on_answer(scope, sequence, Outcome::Accepted)
    }

    pub(crate) fn on_reject(&mut self, scope: &mut Scope<'_>, sequence: u8) -> Option<Outcome> {
        self.on_answer(scope, sequence, Outcome::Rejected)
    }

    pub(crate) fn on_t101(&mut self, scope: &mut Scope<'_>) -> Option<Outcome> {
        if !self.awaiting {
            return None;
        }
        scope.send(pdu::tcs_release());
        self.reset(scope);
        Some(Outcome::Unanswered)
    }

    fn on_answer(&mut self, scope: &mut Scope<'_>, sequence: u8, outcome: Outcome) -> Option<Outcome> {
        // C.3: an answer to an older set is no answer to this one.
        if !self.awaiting || sequence != self.sequence {
            return None;
        }
        self.awaiting = false;
        scope.timers.stop(Timer::T101);
        if let Some(media) = self.next.take() {
            self.request(scope, &media);
            return None;
        }
        self.accepted = outcome == Outcome::Accepted;
        Some(outcome)
    }
}
