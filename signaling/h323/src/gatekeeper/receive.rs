//! Received datagrams: repetitions, strangers, registered endpoints, answers to our own requests.
//! In: octets and where they came from. Out: the handlers of requests; answers, kept for repetitions.
//! Not here: what a request leads to (`registration`, `admission`).

use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use offhook_wire::h225::{
    self as w, InfoRequestAck, InfoRequestNak, InfoRequestNakReason, InfoRequestResponse, RasMessage,
    ResourcesAvailableConfirm, ServiceControlResponse, ServiceControlResponseResult, UnknownMessageResponse,
};
use offhook_wire::per;
use tracing::{debug, trace};

use super::table::EndpointRow;
use super::{Answer, Gatekeeper, GatekeeperEvent, Given, KEPT};
use crate::h235::{Method, SecurityFailure};
use crate::product::PROTOCOL_IDENTIFIER;
use crate::ras::message::{Kind, lists, sequence, text};

impl Gatekeeper {
    pub(super) fn on_datagram(&mut self, now: Duration, source: SocketAddr, octets: &[u8]) {
        self.counters.received = self.counters.received.saturating_add(1);
        // H323Plus wakes itself by datagrams of one octet.
        if octets.len() < 2 {
            return;
        }
        let octets = Bytes::copy_from_slice(octets);
        let Ok(message) = per::decode::<RasMessage>(&octets) else {
            debug!(%source, "no RAS message");
            self.counters.undecodable = self.counters.undecodable.saturating_add(1);
            return;
        };
        let message = message.into_value();
        let kind = Kind::of(&message);
        let number = sequence(&message).unwrap_or_default();
        trace!(kind = kind.name(), number, %source, "RAS in");
        let key = (source, number, kind);
        let digest = self.digest(&message);
        if let Some(given) = self.given.get(&key)
            && given.request == digest
            && now.saturating_sub(given.at) < KEPT
        {
            self.counters.repetitions = self.counters.repetitions.saturating_add(1);
            let bytes = given.bytes.clone();
            return self.queue(source, bytes);
        }
        let Some(answer) = self.on_message(now, source, &octets, message) else {
            return;
        };
        let signed_for = answer.signed_for.as_ref().map(|(user, general)| (user.as_str(), general.as_str()));
        if let Some(bytes) = self.send(now, source, answer.message, signed_for) {
            self.keep(key, Given { request: digest, bytes, at: now });
        }
    }

    /// What a request says, without its proof: a repetition has a fresh one.
    fn digest(&self, message: &RasMessage) -> u64 {
        let mut bare = message.clone();
        if let Some((clear, crypto)) = lists(&mut bare) {
            *clear = None;
            *crypto = None;
        }
        self.digests.hash_one(per::encode(&bare).unwrap_or_default())
    }

    fn keep(&mut self, key: (SocketAddr, u16, Kind), given: Given) {
        while self.given_order.len() >= self.config.limits.answers.max(1) {
            if let Some(oldest) = self.given_order.pop_front() {
                self.given.remove(&oldest);
            }
        }
        if self.given.insert(key, given).is_none() {
            self.given_order.push_back(key);
        }
    }

    fn on_message(
        &mut self,
        now: Duration,
        source: SocketAddr,
        octets: &Bytes,
        mut message: RasMessage,
    ) -> Option<Answer> {
        match &message {
            RasMessage::GatekeeperRequest(grq) => return Some(self.on_gatekeeper_request(source, grq)),
            RasMessage::RegistrationRequest(_) => {
                return self.on_registration_request(now, source, octets, &mut message);
            }
            // A neighbour asks, whom we do not know; where an endpoint is, is no secret here.
            RasMessage::LocationRequest(lrq) => return Some(self.on_location_request(lrq)),
            _ => {}
        }
        if self.on_answer(now, source, &message) {
            return None;
        }
        let row = self.row_of(source, &message);
        let Some(row) = row else {
            return self.refuse_stranger(source, &message);
        };
        if let Err(failure) = self.check_endpoint(now, octets, &mut message, &row) {
            self.counters.denied = self.counters.denied.saturating_add(1);
            let kind = Kind::of(&message).name();
            self.tell(GatekeeperEvent::Refused(source, format!("{kind}: {failure}")));
            return refuse_unproved(&message, failure);
        }
        match &message {
            RasMessage::UnregistrationRequest(urq) => Some(self.on_unregistration_request(source, urq)),
            RasMessage::AdmissionRequest(arq) => Some(self.on_admission_request(now, &row, arq)),
            RasMessage::BandwidthRequest(brq) => Some(self.on_bandwidth_request(now, &row, brq)),
            RasMessage::DisengageRequest(drq) => Some(self.on_disengage_request(&row, drq)),
            RasMessage::InfoRequestResponse(irr) => self.on_report(now, &row, irr),
            RasMessage::ResourcesAvailableIndicate(rai) => {
                if let Some(row) = self.table.endpoint_mut(&row.identifier) {
                    row.almost_out = rai.almost_out_of_resources;
                }
                let rac = ResourcesAvailableConfirm::new(rai.request_seq_num, PROTOCOL_IDENTIFIER);
                Some(Answer::to_endpoint(RasMessage::ResourcesAvailableConfirm(Box::new(rac)), &row))
            }
            RasMessage::ServiceControlIndication(sci) => {
                let mut scr = ServiceControlResponse::new(sci.request_seq_num);
                scr.result = Some(ServiceControlResponseResult::NotAvailable);
                Some(Answer::to_endpoint(RasMessage::ServiceControlResponse(Box::new(scr)), &row))
            }
            RasMessage::UnknownMessageResponse(_) | RasMessage::NonStandardMessage(_) => None,
            other => {
                let mut xrs = UnknownMessageResponse::new(sequence(other).unwrap_or(1).max(1));
                xrs.message_not_understood = Some(octets.slice(..octets.len().min(512)));
                Some(Answer::plain(RasMessage::UnknownMessageResponse(Box::new(xrs))))
            }
        }
    }

    /// The registered endpoint that speaks: by its identifier where the message has one, from its address.
    fn row_of(&self, source: SocketAddr, message: &RasMessage) -> Option<EndpointRow> {
        let identifier = match message {
            RasMessage::AdmissionRequest(m) => Some(&m.endpoint_identifier),
            RasMessage::BandwidthRequest(m) => Some(&m.endpoint_identifier),
            RasMessage::DisengageRequest(m) => Some(&m.endpoint_identifier),
            RasMessage::InfoRequestResponse(m) => Some(&m.endpoint_identifier),
            RasMessage::ResourcesAvailableIndicate(m) => Some(&m.endpoint_identifier),
            RasMessage::UnregistrationRequest(m) => m.endpoint_identifier.as_ref(),
            _ => None,
        };
        let row = match identifier {
            Some(identifier) => self.table.endpoint(&text(identifier)),
            None => self.table.endpoints().find(|row| row.ras_address == source),
        };
        row.filter(|row| row.ras_address == source).cloned()
    }

    fn check_endpoint(
        &mut self,
        now: Duration,
        octets: &Bytes,
        message: &mut RasMessage,
        row: &EndpointRow,
    ) -> Result<(), SecurityFailure> {
        let (Some(user), Some(method)) = (&row.user, row.method) else {
            return Ok(());
        };
        // Under H.235.1 every message; password tokens come in RRQ and ARQ only. Reports are no harm.
        let needed = match Kind::of(message) {
            Kind::AdmissionRequest => true,
            Kind::InfoRequestResponse => false,
            _ => method == Method::H2351,
        };
        match self.authenticate(now, octets, message, Some((&row.identifier, user)), Some(method)) {
            Err(SecurityFailure::Missing) if !needed => Ok(()),
            other => other.map(drop),
        }
    }

    /// A request of somebody who is not registered, or not from there.
    fn refuse_stranger(&mut self, source: SocketAddr, message: &RasMessage) -> Option<Answer> {
        let kind = Kind::of(message);
        let answer = match message {
            RasMessage::UnregistrationRequest(urq) => {
                let why = w::UnregRejectReason::NotCurrentlyRegistered;
                let urj = w::UnregistrationReject::new(urq.request_seq_num, why);
                RasMessage::UnregistrationReject(Box::new(urj))
            }
            RasMessage::AdmissionRequest(arq) => {
                let why = w::AdmissionRejectReason::CallerNotRegistered;
                RasMessage::AdmissionReject(Box::new(w::AdmissionReject::new(arq.request_seq_num, why)))
            }
            RasMessage::BandwidthRequest(brq) => {
                let why = w::BandRejectReason::NotBound;
                RasMessage::BandwidthReject(Box::new(w::BandwidthReject::new(brq.request_seq_num, why, 0)))
            }
            RasMessage::DisengageRequest(drq) => {
                let why = w::DisengageRejectReason::NotRegistered;
                RasMessage::DisengageReject(Box::new(w::DisengageReject::new(drq.request_seq_num, why)))
            }
            RasMessage::InfoRequestResponse(irr) if irr.need_response == Some(true) => {
                let why = InfoRequestNakReason::NotRegistered;
                RasMessage::InfoRequestNak(Box::new(InfoRequestNak::new(irr.request_seq_num, why)))
            }
            _ => return None,
        };
        self.tell(GatekeeperEvent::Refused(source, format!("{} of nobody registered", kind.name())));
        Some(Answer::plain(answer))
    }

    /// An answer to a request of ours; true if the message was one.
    fn on_answer(&mut self, now: Duration, source: SocketAddr, message: &RasMessage) -> bool {
        let asked = match Kind::of(message) {
            Kind::UnregistrationConfirm | Kind::UnregistrationReject => Kind::UnregistrationRequest,
            Kind::DisengageConfirm | Kind::DisengageReject => Kind::DisengageRequest,
            Kind::BandwidthConfirm | Kind::BandwidthReject => Kind::BandwidthRequest,
            Kind::InfoRequestResponse => Kind::InfoRequest,
            _ => return false,
        };
        let number = sequence(message).unwrap_or_default();
        let at = self
            .orders
            .iter()
            .position(|order| order.number == number && order.kind == asked && order.to == source);
        let Some(at) = at else {
            // IRR also comes on its own.
            if asked != Kind::InfoRequest {
                self.counters.unexpected = self.counters.unexpected.saturating_add(1);
            }
            return asked != Kind::InfoRequest;
        };
        let order = self.orders.remove(at);
        match message {
            RasMessage::BandwidthConfirm(bcf) => {
                if let Some(call) = order.call.and_then(|call| self.table.calls.get_mut(&call)) {
                    // An endpoint may take less than it was given, not more.
                    let most = match &order.message {
                        RasMessage::BandwidthRequest(brq) => brq.band_width,
                        _ => call.bandwidth,
                    };
                    let bandwidth = bcf.band_width.min(most);
                    call.bandwidth = bandwidth;
                    let identifier = call.call_identifier;
                    self.tell(GatekeeperEvent::Bandwidth(identifier, bandwidth));
                }
            }
            RasMessage::InfoRequestResponse(irr) => {
                if let Some(row) = self.table.endpoint(&order.endpoint).cloned() {
                    self.note_report(now, &row, irr, false);
                }
            }
            _ => {}
        }
        true
    }

    fn on_report(&mut self, now: Duration, row: &EndpointRow, irr: &InfoRequestResponse) -> Option<Answer> {
        self.note_report(now, row, irr, true);
        let iack = || RasMessage::InfoRequestAck(Box::new(InfoRequestAck::new(irr.request_seq_num)));
        (irr.need_response == Some(true)).then(|| Answer::to_endpoint(iack(), row))
    }

    fn note_report(
        &mut self,
        now: Duration,
        row: &EndpointRow,
        irr: &InfoRequestResponse,
        unsolicited: bool,
    ) {
        let calls = irr.per_call_info.iter().flatten().take(256);
        let identifiers = calls.filter_map(|call| Some(call.call_identifier.as_ref()?.guid));
        let identifiers: Vec<_> = identifiers.collect();
        for identifier in &identifiers {
            if let Some(call) = self.table.calls.get_mut(identifier) {
                call.heard = now;
            }
        }
        self.tell(GatekeeperEvent::Report(row.identifier.clone(), identifiers, unsolicited));
    }
}

/// The answer to a request of a registered endpoint that does not prove itself.
fn refuse_unproved(message: &RasMessage, failure: SecurityFailure) -> Option<Answer> {
    let missing = failure == SecurityFailure::Missing;
    Some(Answer::plain(match message {
        RasMessage::UnregistrationRequest(urq) => {
            let why = if missing {
                w::UnregRejectReason::SecurityDenial
            } else {
                w::UnregRejectReason::SecurityError(failure.to_errors2())
            };
            RasMessage::UnregistrationReject(Box::new(w::UnregistrationReject::new(urq.request_seq_num, why)))
        }
        RasMessage::AdmissionRequest(arq) => {
            let why = if missing {
                w::AdmissionRejectReason::SecurityDenial
            } else {
                w::AdmissionRejectReason::SecurityError(failure.to_errors2())
            };
            RasMessage::AdmissionReject(Box::new(w::AdmissionReject::new(arq.request_seq_num, why)))
        }
        RasMessage::BandwidthRequest(brq) => {
            let why = if missing {
                w::BandRejectReason::SecurityDenial
            } else {
                w::BandRejectReason::SecurityError(failure.to_errors2())
            };
            RasMessage::BandwidthReject(Box::new(w::BandwidthReject::new(brq.request_seq_num, why, 0)))
        }
        RasMessage::DisengageRequest(drq) => {
            let why = if missing {
                w::DisengageRejectReason::SecurityDenial
            } else {
                w::DisengageRejectReason::SecurityError(failure.to_errors2())
            };
            RasMessage::DisengageReject(Box::new(w::DisengageReject::new(drq.request_seq_num, why)))
        }
        _ => return None,
    }))
}
