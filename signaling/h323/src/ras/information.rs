//! What the gatekeeper may know of our calls (H.323 8.4.2; IRQ, IRR, IACK, INAK).
//! In: its questions, the clock, call signalling that it wants to see. Out: IRR: asked for, at intervals, for each message.
//!
//! Not here: the contents of a call's record (`calls`).

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use offhook_wire::h225::{
    H323UserInformation, H323UuPduH323MessageBody as Body, InfoRequest, InfoRequestNak, InfoRequestNakReason,
    InfoRequestResponse, InfoRequestResponsePerCallInfo, InfoRequestResponsePerCallInfoPdu,
    InfoRequestResponseStatus, RasMessage, UUIEsRequested,
};
use offhook_wire::h225_message::CallSignal;

use super::calls::Standing;
use super::transaction::Purpose;
use super::{Ras, RasCall};
use crate::address::{aliases_to, from_h225, to_h225};

impl Ras {
    fn response(&self, number: u16) -> Option<InfoRequestResponse> {
        let mut irr = InfoRequestResponse::new(
            number,
            self.endpoint_type(),
            self.endpoint_identifier()?,
            to_h225(self.params.ras_address),
            self.params.signal_addresses.iter().copied().map(to_h225).collect(),
        );
        irr.endpoint_alias = aliases_to(&self.aliases);
        Some(irr)
    }

    /// IRQ: about one call, or all (callReferenceValue 0).
    pub(super) fn on_info_request(&mut self, now: Duration, source: SocketAddr, irq: &InfoRequest) {
        let Some(mut irr) = self.response(irq.request_seq_num) else {
            return;
        };
        let identifier = irq.call_identifier.as_ref().map(|identifier| identifier.guid);
        let all = irq.call_reference_value == 0 && identifier.is_none_or(|guid| guid == [0; 16]);
        let supply = self.config.supply_uuies;
        let mut infos = Vec::new();
        for call in &mut self.calls {
            let meant = match identifier.filter(|guid| *guid != [0; 16]) {
                Some(identifier) => identifier == call.key.call_identifier,
                None => irq.call_reference_value == call.request.call_reference,
            };
            if call.standing == Standing::Asking || !(all || meant) {
                continue;
            }
            if let Some(wanted) = irq.uuies_requested.clone().filter(|_| supply && !all) {
                call.uuies = wanted;
            }
            infos.push(call.info());
        }
        let most = self.config.limits.calls_per_response.max(1);
        let total = infos.len();
        irr.irr_status = Some(if total == 0 && !all {
            InfoRequestResponseStatus::InvalidCall
        } else if total <= most {
            InfoRequestResponseStatus::Complete
        } else if irq.segmented_response_supported.is_some() {
            // Each segment is asked for with the number of the one that came last.
            let next = usize::from(irq.next_segment_requested.unwrap_or(0));
            infos = infos.split_off(next.saturating_mul(most).min(total));
            let last = infos.len() <= most;
            infos.truncate(most);
            if last {
                InfoRequestResponseStatus::Complete
            } else {
                InfoRequestResponseStatus::Segment(u16::try_from(next).unwrap_or(u16::MAX))
            }
        } else {
            infos.truncate(most);
            InfoRequestResponseStatus::Incomplete
        });
        irr.per_call_info = (!infos.is_empty()).then_some(infos);
        irr.unsolicited = Some(false);
        // Somewhere else only on the gatekeeper's own machine: nobody is to be flooded by us.
        let reply = irq.reply_address.as_ref().and_then(from_h225);
        let to = reply.filter(|reply| reply.ip() == source.ip() && reply.port() != 0).unwrap_or(source);
        self.transmit(now, to, &RasMessage::InfoRequestResponse(Box::new(irr)));
    }

    /// An unsolicited report on some calls; confirmed where the gatekeeper has said that it confirms.
    fn report(&mut self, now: Duration, infos: Vec<InfoRequestResponsePerCallInfo>) {
        let (Some(mut irr), Some(address)) = (self.response(1), self.gatekeeper.address) else {
            return;
        };
        let confirmed =
            self.registered.as_ref().is_some_and(|registered| registered.info.will_respond_to_irr);
        irr.per_call_info = Some(infos);
        irr.unsolicited = Some(true);
        irr.need_response = Some(confirmed);
        let message = RasMessage::InfoRequestResponse(Box::new(irr));
        if confirmed {
            self.request(now, address, Purpose::Report, self.config.timers.irr, message);
        } else {
            self.notify(now, address, message);
        }
    }

    /// All running calls: a new gatekeeper does not know them.
    pub(super) fn report_all(&mut self, now: Duration) {
        let running = self.calls.iter().filter(|call| call.standing == Standing::Admitted);
        let infos: Vec<_> = running.map(|call| call.info()).collect();
        let most = self.config.limits.calls_per_response.max(1);
        for part in infos.chunks(most) {
            self.report(now, part.to_vec());
        }
    }

    /// The next periodic report.
    pub(super) fn earliest_report(&self) -> Option<Duration> {
        self.registered.as_ref()?;
        self.calls.iter().filter_map(|call| call.report).map(|(_, next)| next).min()
    }

    /// Periodic reports that are due.
    pub(super) fn report_due(&mut self, now: Duration) {
        if self.registered.is_none() {
            return;
        }
        let mut infos = Vec::new();
        for call in &mut self.calls {
            if let Some((interval, next)) = &mut call.report
                && *next <= now
            {
                // Without catching up what a stopped clock has missed.
                *next = now.saturating_add(*interval);
                infos.push(call.info());
            }
        }
        for info in infos {
            self.report(now, vec![info]);
        }
    }

    /// Octets of a call's signalling connection, in any portions, sent or received: what the gatekeeper wants to see of
    /// them (uuiesRequested) is reported to it. From [`Admission::wants_signals`](crate::Admission) on; on the called side
    /// beginning with Setup, which came before.
    pub fn report_signal(&mut self, now: Duration, key: RasCall, sent: bool, octets: &[u8]) {
        let Some(call) = self.call(key) else { return };
        if !wants_any(&call.uuies) {
            return;
        }
        let Some(decoder) = call.signals.get_mut(usize::from(sent)) else { return };
        decoder.push(octets);
        let mut wanted = Vec::new();
        // What is no TPKT any more ends the call, not the report.
        while let Ok(Some(payload)) = decoder.next() {
            let body = uuie(&payload).filter(|uuie| wants(&call.uuies, &uuie.h323_uu_pdu.h323_message_body));
            if let Some(uuie) = body {
                wanted.push(InfoRequestResponsePerCallInfoPdu::new(uuie.h323_uu_pdu, sent));
            }
        }
        if wanted.is_empty() {
            return;
        }
        let mut info = call.info();
        info.pdu = Some(wanted);
        self.report(now, vec![info]);
    }

    /// INAK: the gatekeeper does not take the report.
    pub(super) fn on_info_nak(&mut self, now: Duration, inak: &InfoRequestNak) {
        if inak.nak_reason == InfoRequestNakReason::NotRegistered {
            self.suspect(now);
        }
    }
}

fn uuie(payload: &Bytes) -> Option<H323UserInformation> {
    Some(CallSignal::decode(payload).ok()?.uuie?.into_value())
}

/// Whether any signalling is to be reported.
pub(super) fn wants_any(wanted: &UUIEsRequested) -> bool {
    let later = [wanted.status, wanted.status_inquiry, wanted.setup_acknowledge, wanted.notify];
    let UUIEsRequested {
        setup,
        call_proceeding,
        connect,
        alerting,
        information,
        release_complete,
        facility,
        progress,
        empty,
        ..
    } = *wanted;
    [setup, call_proceeding, connect, alerting, information, release_complete, facility, progress, empty]
        .into_iter()
        .chain(later.into_iter().flatten())
        .any(|wanted| wanted)
}

fn wants(wanted: &UUIEsRequested, body: &Body) -> bool {
    match body {
        Body::Setup(_) => wanted.setup,
        Body::CallProceeding(_) => wanted.call_proceeding,
        Body::Connect(_) => wanted.connect,
        Body::Alerting(_) => wanted.alerting,
        Body::Information(_) => wanted.information,
        Body::ReleaseComplete(_) => wanted.release_complete,
        Body::Facility(_) => wanted.facility,
        Body::Progress(_) => wanted.progress,
        Body::Empty => wanted.empty,
        Body::Status(_) => wanted.status.unwrap_or(false),
        Body::StatusInquiry(_) => wanted.status_inquiry.unwrap_or(false),
        Body::SetupAcknowledge(_) => wanted.setup_acknowledge.unwrap_or(false),
        Body::Notify(_) => wanted.notify.unwrap_or(false),
        Body::Unrecognized(_) => false,
    }
}

/// The key of the call that an event of service control is about.
pub(super) fn call_key(identifier: [u8; 16], answer: bool) -> RasCall {
    RasCall { call_identifier: identifier, answer }
}
