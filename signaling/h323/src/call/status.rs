//! What cannot be acted on, and whether both sides mean the same call (Q.931 5.8).
//! In: Status, StatusInquiry, messages and elements that are not known, not expected or not of this call.
//! Out: Status, StatusInquiry with T322, ReleaseComplete for what is not ours; the call released on a mismatch.
//!
//! ```text
//!   message type unknown 97 · type behind an escape 98 · known, wrong state 101 · element missing 96 · element
//!   unknown and not to be ignored 99 · contents 100     (5.8.4, 5.8.6, 5.8.7; never in answer to Status)
//!   inquiry ─ T322 ─ inquiry ─ T322 ─ cause 41           (5.8.10)
//! ```
//! Not here: octets that are no message (`signal`).

use std::time::Duration;

use bytes::Bytes;
use offhook_wire::h225_message::CallSignal;
use offhook_wire::q931::{
    CallState as CallStateElement, Cause, Codeset, ElementId, InformationElement, MessageType,
};

use super::message::Identity;
use super::release::Ending;
use super::{Call, CallState, Link, Side};
use crate::event::Event;
use crate::{Origin, ReleaseReason, Timer};

/// The message type that says "the next octet is the type" (Q.931 4.4).
const ESCAPE: MessageType = MessageType(0x00);

impl Call {
    /// Asks the peer for its view of the call; false while there is none to ask about.
    pub(super) fn on_inquire(&mut self, now: Duration) -> bool {
        let set_up = self.state != CallState::Null && !self.setup_waits && !self.released;
        if !set_up || self.link != Link::Open {
            return false;
        }
        self.inquiries = 1;
        self.outbox.push(self.identity.status_inquiry());
        self.start_timer(Timer::T322, now);
        true
    }

    /// T322: once more, then the call is over.
    pub(super) fn on_t322(&mut self, now: Duration) {
        if self.inquiries < 2 {
            self.inquiries += 1;
            self.outbox.push(self.identity.status_inquiry());
            return self.start_timer(Timer::T322, now);
        }
        let text = "no answer to StatusInquiry (T322)";
        self.finish(now, Ending::new(Origin::Timer(Timer::T322), Cause::TEMPORARY_FAILURE, text));
    }

    /// Q.931 5.8.11.
    pub(super) fn on_status(&mut self, now: Duration, signal: &CallSignal) {
        let element = signal.q931.readable::<CallStateElement>();
        let state = element.filter(|state| state.coding_standard == 0).map(|state| state.value);
        let cause = signal.q931.cause();
        let asked = self.timers.is_running(Timer::T322);
        self.timers.stop(Timer::T322);
        self.notify(Event::PeerStatus { state, cause });
        // Answers to what the peer did not know may carry whatever state; they end nothing.
        let complaint = matches!(
            cause,
            Some(
                Cause::MESSAGE_TYPE_NOT_IMPLEMENTED
                    | Cause::MESSAGE_NOT_COMPATIBLE_WITH_STATE
                    | Cause::ELEMENT_NOT_IMPLEMENTED
                    | Cause::INVALID_ELEMENT_CONTENTS
                    | Cause::MANDATORY_ELEMENT_MISSING
            )
        );
        let Some(theirs) = state.filter(|_| !complaint) else {
            return;
        };
        if theirs == 0 {
            let text = "the peer says that it has no such call";
            let ending = Ending::new(Origin::Remote, Cause::INCOMPATIBLE_CALL_STATE, text);
            return self.finish(now, ending);
        }
        if self.quirks.status_names_no_state || compatible(self.side, self.state, theirs) {
            return;
        }
        if asked {
            // It has seen all that we sent before we asked: this is no crossing.
            let text = format!("the peer's call is in state {theirs}, ours in {}", self.state.number());
            self.finish(now, Ending::new(Origin::Machine, Cause::INCOMPATIBLE_CALL_STATE, text));
        } else {
            self.on_inquire(now);
        }
    }

    /// Status; so many times and no more, for Status is never worth a storm.
    pub(super) fn answer_status(&mut self, cause: Cause, diagnostics: Bytes) {
        if self.may_answer() {
            self.outbox.push(self.identity.status(cause, diagnostics, self.state));
        }
    }

    /// A message that this state or side does not take (5.8.4).
    pub(super) fn answer_unexpected(&mut self, kind: MessageType) {
        let cause = match kind {
            ESCAPE => Cause::MESSAGE_NOT_COMPATIBLE_WITH_STATE,
            kind if kind.name().is_none() => Cause::MESSAGE_TYPE_NOT_IMPLEMENTED,
            MessageType::CALL_PROCEEDING
            | MessageType::SETUP_ACKNOWLEDGE
            | MessageType::ALERTING
            | MessageType::CONNECT => Cause::INCOMPATIBLE_CALL_STATE,
            // Q.931 knows it, H.225.0 does not use it.
            _ => Cause::MESSAGE_TYPE_NOT_IMPLEMENTED,
        };
        self.answer_status(cause, Bytes::copy_from_slice(&[kind.0]));
    }

    /// Whether the elements of a message let it be acted on (5.8.6.1, 5.8.7.1); if not, the peer has been told. A
    /// missing User-user element is no obstacle: gateways leave it out, and the rest still says what happened.
    pub(super) fn takes_elements(&mut self, signal: &CallSignal) -> bool {
        let kind = signal.q931.message_type;
        if kind == MessageType::STATUS {
            return true;
        }
        if let Some(element) = not_to_be_ignored(signal) {
            self.answer_status(Cause::ELEMENT_NOT_IMPLEMENTED, Bytes::copy_from_slice(&[element.0]));
            return false;
        }
        let notification = ElementId::NOTIFICATION_INDICATOR;
        if kind == MessageType::NOTIFY && signal.q931.find(notification).is_none() {
            let diagnostics = Bytes::copy_from_slice(&[notification.0]);
            self.answer_status(Cause::MANDATORY_ELEMENT_MISSING, diagnostics);
            return false;
        }
        true
    }

    fn may_answer(&mut self) -> bool {
        let may = self.statuses < self.config.limits.status_answers && self.link == Link::Open;
        self.statuses = self.statuses.saturating_add(1);
        if !may && self.link == Link::Open {
            self.hit.status_answers = self.hit.status_answers.saturating_add(1);
        }
        may
    }

    /// A message of another call, or of none (Q.931 5.8.3.2).
    pub(super) fn on_foreign(&mut self, now: Duration, signal: &CallSignal) {
        if self.side == Side::Called && self.state == CallState::Null {
            // Each one uses up the patience with a caller that has not come to the point.
            self.on_patience(now);
        }
        if self.released {
            return;
        }
        if let Some(answer) = answer_to_foreign(signal)
            && self.may_answer()
        {
            self.outbox.push(answer);
        }
    }

    fn on_patience(&mut self, now: Duration) {
        self.errors = self.errors.saturating_add(1);
        if self.errors > self.config.limits.protocol_errors {
            let ending = Ending::new(Origin::Machine, Cause::INVALID_CALL_REFERENCE, "no Setup comes first");
            self.finish(now, ending.silent());
        }
    }
}

/// What a message of a call that is not here is answered with (Q.931 5.8.3.2, 5.8.10, 5.8.11); a Setup is of a call that
/// the connection has no room for. None where silence is the answer.
pub(crate) fn answer_to_foreign(signal: &CallSignal) -> Option<CallSignal> {
    let reference = signal.q931.call_reference;
    let kind = signal.q931.message_type;
    let identity =
        Identity { call_reference: reference.flipped(), call_identifier: [0; 16], conference_id: [0; 16] };
    let state = signal.q931.readable::<CallStateElement>().map_or(0, |state| state.value);
    Some(match kind {
        // 5.8.3.2 f: no call is meant, so nothing is released. H.225.0 has no Restart either.
        MessageType::STATUS if reference.value() == 0 => return None,
        _ if reference.is_global() => {
            identity.status(Cause::INVALID_CALL_REFERENCE, Bytes::new(), CallState::Null)
        }
        _ if reference.value() == 0 => return None,
        // 5.8.11: whoever is in the null state and hears of a call that is not, releases it.
        MessageType::RELEASE_COMPLETE => return None,
        MessageType::STATUS if state == 0 => return None,
        MessageType::STATUS => identity.release_complete(Cause::INCOMPATIBLE_CALL_STATE, None, None),
        MessageType::SETUP => {
            // H.323 7.3: the other call needs another connection.
            let reason = ReleaseReason::NewConnectionNeeded;
            identity.release_complete(reason.cause(), Some(reason), None)
        }
        MessageType::STATUS_INQUIRY => {
            // 5.8.10 is answered in the null state too.
            identity.status(Cause::RESPONSE_TO_STATUS_ENQUIRY, Bytes::new(), CallState::Null)
        }
        _ => identity.release_complete(Cause::INVALID_CALL_REFERENCE, None, None),
    })
}

/// The first element of codeset 0 that we do not know and that its sender does not let us ignore: bits 8 to 5 are
/// zero (table 4-3, note 5).
pub(super) fn not_to_be_ignored(signal: &CallSignal) -> Option<ElementId> {
    let unknown = |element: &InformationElement| {
        element.identifier_octet() & 0xf0 == 0 && element.id().name().is_none()
    };
    signal
        .q931
        .elements_with_codesets()
        .find(|(codeset, element)| *codeset == Codeset::Q931 && unknown(element))
        .map(|(_, element)| element.id())
}

/// Whether a peer that has seen everything we sent can be in state `theirs` (Q.931 2.1) while we are in `ours`.
/// States that clear the call (11, 12, 19) are on their way out and fit everything.
fn compatible(side: Side, ours: CallState, theirs: u8) -> bool {
    const SET_UP: [u8; 10] = [1, 2, 3, 4, 6, 7, 8, 9, 17, 25];
    match (side, ours) {
        (_, CallState::Active) => !SET_UP.contains(&theirs) || theirs == 8,
        // The called side connects, nobody else: before its Connect neither can be active.
        _ => theirs != 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_both_or_neither_can_be_connected() {
        let pending = [
            CallState::Initiated,
            CallState::OverlapSending,
            CallState::OutgoingProceeding,
            CallState::Delivered,
            CallState::Present,
            CallState::Received,
            CallState::IncomingProceeding,
            CallState::OverlapReceiving,
        ];
        for side in [Side::Caller, Side::Called] {
            for ours in pending {
                assert!(!compatible(side, ours, 10), "{ours:?}");
                for theirs in [1, 2, 3, 4, 6, 7, 8, 9, 12, 19, 25] {
                    assert!(compatible(side, ours, theirs), "{ours:?} {theirs}");
                }
            }
            for theirs in [1, 2, 3, 4, 6, 7, 9, 25] {
                assert!(!compatible(side, CallState::Active, theirs), "{theirs}");
            }
            for theirs in [8, 10, 11, 12, 19] {
                assert!(compatible(side, CallState::Active, theirs), "{theirs}");
            }
        }
    }
}
