//! The end of calls (H.323 8.5; DRQ, DCF, DRJ), from either side.
//! In: a call that is over, the gatekeeper's answers and its own DRQ. Out: DRQ, DCF, events.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use offhook_wire::h225::{
    CallIdentifier, CallTerminationCause, DisengageConfirm, DisengageReason, DisengageReject,
    DisengageRejectReason, DisengageRequest, RasMessage,
};

use super::calls::{CallRecord, Standing};
use super::event::{RasEvent, ReleaseOrder};
use super::transaction::Purpose;
use super::{Ras, RasCall};
use crate::{Cause, Release, ReleaseReason};

impl Ras {
    /// A call is over, or was never made: DRQ, unless the gatekeeper was never asked about it. `cause` is the one of its
    /// ReleaseComplete. [`RasEvent::Disengaged`] follows, at once where nobody has to be told.
    pub fn disengage(&mut self, now: Duration, key: RasCall, cause: Option<Cause>) {
        let time = self.unix(now);
        let identifier = self.endpoint_identifier();
        let gatekeeper = self.gatekeeper.identifier.clone();
        let address = self.gatekeeper.address;
        let asked = self.awaits(|purpose| *purpose == Purpose::Admit(key));
        let Some(call) = self.call(key) else { return };
        call.ended_at.get_or_insert(time);
        let told = match call.standing {
            Standing::Leaving => return,
            Standing::Granted => false,
            Standing::Asking => asked,
            Standing::Admitted => true,
        };
        let (true, Some(identifier), Some(address)) = (told, identifier, address) else {
            self.forget_call(now, key);
            return self.tell(RasEvent::Disengaged(key));
        };
        call.standing = Standing::Leaving;
        call.report = None;
        let message = request(call, identifier, gatekeeper, cause);
        self.forget(|purpose| matches!(purpose, Purpose::Admit(k) | Purpose::Bandwidth(k) if *k == key));
        if !self.request(now, address, Purpose::Disengage(key), self.config.timers.drq, message) {
            self.on_disengaged(now, key);
        }
    }

    /// DCF, or DRJ: over either way.
    pub(super) fn on_disengaged(&mut self, now: Duration, key: RasCall) {
        self.forget_call(now, key);
        self.tell(RasEvent::Disengaged(key));
    }

    pub(super) fn on_disengage_reject(&mut self, now: Duration, key: RasCall, drj: &DisengageReject) {
        self.on_disengaged(now, key);
        if drj.reject_reason == DisengageRejectReason::NotRegistered {
            self.suspect(now);
        }
    }

    pub(super) fn on_disengage_unanswered(&mut self, now: Duration, key: RasCall) {
        self.on_disengaged(now, key);
        self.suspect(now);
    }

    /// DRQ of the gatekeeper: the call must end.
    pub(super) fn on_disengage_request(&mut self, now: Duration, source: SocketAddr, drq: &DisengageRequest) {
        let wanted = drq.call_identifier.as_ref().map(|identifier| identifier.guid);
        let is_meant = |call: &CallRecord| {
            let side = drq.answered_call.is_none_or(|answered| answered == call.key.answer);
            let same = match wanted {
                Some(identifier) => identifier == call.key.call_identifier,
                None => {
                    drq.conference_id == call.request.conference_id
                        && drq.call_reference_value == call.request.call_reference
                }
            };
            same && side
        };
        let keys: Vec<_> = self.calls.iter().filter(|call| is_meant(call)).map(|call| call.key).collect();
        // A repetition of a DRQ that was confirmed finds no call any more; the call is over, as it wants.
        let dcf = DisengageConfirm::new(drq.request_seq_num);
        self.transmit(now, source, &RasMessage::DisengageConfirm(Box::new(dcf)));
        for key in keys {
            let (order, release) = match drq.disengage_reason {
                // H.225.0 7.2.2.8: bandwidth was taken away.
                DisengageReason::ForcedDrop => {
                    (ReleaseOrder::ForcedDrop, Release::with_reason(ReleaseReason::NoBandwidth))
                }
                DisengageReason::NormalDrop => (ReleaseOrder::Disengaged, Release::normal()),
                _ => (ReleaseOrder::Disengaged, Release::with_reason(ReleaseReason::UndefinedReason)),
            };
            self.forget_call(now, key);
            self.tell(RasEvent::Release(key, order, release));
        }
    }
}

fn request(
    call: &CallRecord,
    identifier: offhook_wire::per::BmpString,
    gatekeeper: Option<offhook_wire::per::BmpString>,
    cause: Option<Cause>,
) -> RasMessage {
    let mut drq = DisengageRequest::new(
        1,
        identifier,
        call.request.conference_id,
        call.request.call_reference & 0x7fff,
        DisengageReason::NormalDrop,
    );
    drq.call_identifier = Some(CallIdentifier::new(call.key.call_identifier));
    drq.gatekeeper_identifier = gatekeeper;
    drq.answered_call = Some(call.key.answer);
    drq.usage_information = Some(call.usage());
    // The contents of a Cause element: ITU-T coding, location user; then the value.
    drq.termination_cause = cause.map(|cause| {
        CallTerminationCause::ReleaseCompleteCauseIE(Bytes::copy_from_slice(&[0x80, 0x80 | cause.0]))
    });
    RasMessage::DisengageRequest(Box::new(drq))
}
