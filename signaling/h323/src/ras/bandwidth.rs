//! Bandwidth of running calls (H.323 8.4.1; BRQ, BCF, BRJ), from either side.
//! In: what a call needs now, the gatekeeper's answers and its own BRQ. Out: BRQ, BCF, BRJ, events.

use std::net::SocketAddr;
use std::time::Duration;

use offhook_wire::h225::{
    BandRejectReason, BandwidthConfirm, BandwidthReject, BandwidthRequest, CallIdentifier, CallType,
    RasMessage,
};

use super::calls::Standing;
use super::event::RasEvent;
use super::message::reason;
use super::transaction::Purpose;
use super::{Ras, RasCall};

/// BRJ, or no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BandwidthRejection {
    /// rejectReason; `no answer` if there was none.
    pub reason: String,
    /// What the call may use all the same, in 100 bit/s.
    pub allowed: u32,
}

impl Ras {
    /// Asks for another bandwidth for an admitted call, in 100 bit/s, both directions together. The answer is
    /// [`RasEvent::Bandwidth`] or [`RasEvent::BandwidthRejected`]. False when the gatekeeper knows no such call.
    pub fn change_bandwidth(&mut self, now: Duration, key: RasCall, bandwidth: u32) -> bool {
        let (Some(identifier), Some(address)) = (self.endpoint_identifier(), self.gatekeeper.address) else {
            return false;
        };
        let gatekeeper = self.gatekeeper.identifier.clone();
        let Some(call) = self.call(key).filter(|call| call.standing == Standing::Admitted) else {
            return false;
        };
        let mut brq = BandwidthRequest::new(
            1,
            identifier,
            call.request.conference_id,
            call.request.call_reference & 0x7fff,
            bandwidth,
        );
        brq.call_type = Some(CallType::PointToPoint);
        brq.call_identifier = Some(CallIdentifier::new(key.call_identifier));
        brq.gatekeeper_identifier = gatekeeper;
        brq.answered_call = Some(key.answer);
        brq.usage_information = Some(call.usage());
        // What was asked before is overtaken.
        self.forget(|purpose| *purpose == Purpose::Bandwidth(key));
        let message = RasMessage::BandwidthRequest(Box::new(brq));
        self.request(now, address, Purpose::Bandwidth(key), self.config.timers.brq, message)
    }

    pub(super) fn on_bandwidth_confirm(&mut self, key: RasCall, bcf: &BandwidthConfirm) {
        if let Some(call) = self.call(key) {
            call.bandwidth = bcf.band_width;
            self.tell(RasEvent::Bandwidth(key, bcf.band_width));
        }
    }

    pub(super) fn on_bandwidth_reject(&mut self, now: Duration, key: RasCall, brj: &BandwidthReject) {
        if self.call(key).is_some() {
            let rejection =
                BandwidthRejection { reason: reason(&brj.reject_reason), allowed: brj.allowed_band_width };
            self.tell(RasEvent::BandwidthRejected(key, rejection));
        }
        // notBound: it does not know us.
        if brj.reject_reason == BandRejectReason::NotBound {
            self.suspect(now);
        }
    }

    pub(super) fn on_bandwidth_unanswered(&mut self, now: Duration, key: RasCall) {
        if let Some(call) = self.call(key) {
            let rejection = BandwidthRejection { reason: "no answer".to_owned(), allowed: call.bandwidth };
            self.tell(RasEvent::BandwidthRejected(key, rejection));
        }
        self.suspect(now);
    }

    /// BRQ of the gatekeeper: less bandwidth must be accepted (H.323 8.4.1), more may be.
    pub(super) fn on_bandwidth_request(&mut self, now: Duration, source: SocketAddr, brq: &BandwidthRequest) {
        let wanted = brq.call_identifier.as_ref().map(|identifier| identifier.guid);
        let known = self.calls.iter().find(|call| {
            let side = brq.answered_call.is_none_or(|answered| answered == call.key.answer);
            let same = match wanted {
                Some(identifier) => identifier == call.key.call_identifier,
                None => brq.call_reference_value == call.request.call_reference,
            };
            same && side && call.standing == Standing::Admitted
        });
        let Some(key) = known.map(|call| call.key) else {
            let why = BandRejectReason::InvalidConferenceID;
            let brj = BandwidthReject::new(brq.request_seq_num, why, 0);
            self.transmit(now, source, &RasMessage::BandwidthReject(Box::new(brj)));
            return;
        };
        let bcf = BandwidthConfirm::new(brq.request_seq_num, brq.band_width);
        self.transmit(now, source, &RasMessage::BandwidthConfirm(Box::new(bcf)));
        if let Some(call) = self.call(key) {
            call.bandwidth = brq.band_width;
        }
        self.tell(RasEvent::Bandwidth(key, brq.band_width));
    }
}
