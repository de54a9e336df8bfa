//! Capability exchange (H.245 8.3, C.3: CESE), both ways.
//! In: TRANSFER.request, the peer's PDUs, T101. Out: PDUs; that our set was taken or not; the peer's set.
//!
//! ```text
//!   outgoing   Idle ── request / TCS ──▶ AwaitingResponse ── Ack, Reject, T101 ──▶ Idle
//!                                          │ Reject: too many entries / a smaller TCS
//!                                          └▶ AwaitingResponse
//!   incoming   TCS ── Ack at once, or Reject: the set is used or refused as a whole
//! ```
//! The two know nothing of each other: sets may cross. One set of ours travels at a time, the latest waits.
//!
//! Not here: what is in a set (`capability`), what a pause means for channels (`control`).

use offhook_wire::h245::TerminalCapabilitySet;

use crate::capability::{self, RemoteCapabilities};
use crate::h245::pdu::SetReject;
use crate::h245::{Scope, pdu};
use crate::{LocalMedia, Timer};

/// What became of our TerminalCapabilitySet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted,
    Rejected,
    /// T101 expired.
    Unanswered,
}

/// The outgoing side (C.3.3).
#[derive(Debug)]
pub(crate) struct OutgoingCese {
    /// out_SQ of C.3.
    sequence: u8,
    /// The set that travels.
    awaiting: Option<LocalMedia>,
    /// A set that changed while the one before was unanswered.
    next: Option<LocalMedia>,
    accepted: bool,
    /// The entries that the peer keeps, as far as it has told by rejecting more.
    most: usize,
}

impl Default for OutgoingCese {
    fn default() -> Self {
        Self { sequence: 0, awaiting: None, next: None, accepted: false, most: usize::MAX }
    }
}

impl OutgoingCese {
    /// Our latest set was acknowledged.
    pub(crate) fn is_accepted(&self) -> bool {
        self.accepted
    }

    /// TRANSFER.request.
    pub(crate) fn request(&mut self, scope: &mut Scope<'_>, media: &LocalMedia) {
        if self.awaiting.is_some() {
            self.next = Some(media.clone());
            return;
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.awaiting = Some(media.clone());
        self.accepted = false;
        scope.send(pdu::tcs(self.sequence, capability::table(media, scope.config, self.most)));
        scope.start(Timer::T101);
    }

    /// Forgets a set that went where nobody read it (Setup, towards a peer without tunnelling).
    pub(crate) fn reset(&mut self, scope: &mut Scope<'_>) {
        self.awaiting = None;
        self.next = None;
        scope.timers.stop(Timer::T101);
    }

    pub(crate) fn on_ack(&mut self, scope: &mut Scope<'_>, sequence: u8) -> Option<Outcome> {
        self.take_answered(scope, sequence)?;
        if let Some(media) = self.next.take() {
            self.request(scope, &media);
            return None;
        }
        self.accepted = true;
        Some(Outcome::Accepted)
    }

    pub(crate) fn on_reject(
        &mut self,
        scope: &mut Scope<'_>,
        sequence: u8,
        cause: SetReject,
    ) -> Option<Outcome> {
        let media = self.take_answered(scope, sequence)?;
        let told = capability::table(&media, scope.config, self.most).map_or(0, |table| table.entries.len());
        let fewer = match cause {
            SetReject::Table(0) => told / 2,
            SetReject::Table(processed) => usize::from(processed).min(told.saturating_sub(1)),
            SetReject::Other => 0,
        };
        if fewer > 0 {
            // Every round is smaller: this ends. What is left out is the least wanted.
            self.most = fewer;
            let media = self.next.take().unwrap_or(media);
            self.request(scope, &media);
            return None;
        }
        if let Some(media) = self.next.take() {
            self.request(scope, &media);
            return None;
        }
        Some(Outcome::Rejected)
    }

    /// The peer does not understand TerminalCapabilitySet at all.
    pub(crate) fn on_returned(&mut self, scope: &mut Scope<'_>) -> Option<Outcome> {
        self.awaiting.as_ref()?;
        self.reset(scope);
        Some(Outcome::Rejected)
    }

    pub(crate) fn on_t101(&mut self, scope: &mut Scope<'_>) -> Option<Outcome> {
        self.awaiting.as_ref()?;
        scope.send(pdu::tcs_release());
        self.reset(scope);
        Some(Outcome::Unanswered)
    }

    /// What the answer is about. C.3: an answer to an older set is no answer to this one.
    fn take_answered(&mut self, scope: &mut Scope<'_>, sequence: u8) -> Option<LocalMedia> {
        if sequence != self.sequence {
            return None;
        }
        let media = self.awaiting.take()?;
        scope.timers.stop(Timer::T101);
        Some(media)
    }
}

/// What a set of the peer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// Its capabilities are these now.
    Taken,
    /// The empty set (H.323 8.4.6).
    Pause,
    /// Refused; what was known before still is.
    Refused,
}

/// The incoming side (C.3.4): never between two states, for a set is answered in the turn in which it comes.
#[derive(Debug, Default)]
pub(crate) struct IncomingCese {
    remote: RemoteCapabilities,
    heard: bool,
}

impl IncomingCese {
    /// The peer's capabilities.
    pub(crate) fn remote(&self) -> &RemoteCapabilities {
        &self.remote
    }

    /// Some set of the peer was taken.
    pub(crate) fn is_heard(&self) -> bool {
        self.heard
    }

    pub(crate) fn on_set(&mut self, scope: &mut Scope<'_>, set: &TerminalCapabilitySet) -> Transfer {
        let transfer = if RemoteCapabilities::is_pause(set) {
            self.remote.clear();
            Transfer::Pause
        } else if let Err(refused) = self.remote.merge(set) {
            scope.counters.sets_rejected = scope.counters.sets_rejected.saturating_add(1);
            scope.send(pdu::tcs_reject(set.sequence_number, refused));
            return Transfer::Refused;
        } else {
            Transfer::Taken
        };
        self.heard = true;
        scope.send(pdu::tcs_ack(set.sequence_number));
        transfer
    }
}
