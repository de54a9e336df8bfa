//! Received datagrams: who sent them, whether they prove themselves, whose answer they are.
//! In: octets and where they came from. Out: the handlers of the message families.
//!
//! ```text
//! octets ─ decode ─ answer: its request waits? from whom was it asked? ─┐
//!                 └ request: from our gatekeeper? ──────────────────────┴─ proof (H.235) ─ handler
//! ```
//!
//! Not here: what a message is for.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use offhook_wire::h225::RasMessage;
use offhook_wire::per;
use tracing::{debug, trace};

use super::Ras;
use super::config::MULTICAST_GROUP;
use super::event::{RasEvent, RasState};
use super::message::{Kind, lists, sequence, text};
use super::transaction::Purpose;
use crate::h235::{Expected, Method, SecurityFailure, UnsignedReplies};

/// Requests whose answer a message can be; `None` for what is no answer.
fn answered(kind: Kind) -> Option<&'static [Kind]> {
    Some(match kind {
        Kind::GatekeeperConfirm | Kind::GatekeeperReject => &[Kind::GatekeeperRequest],
        Kind::RegistrationConfirm | Kind::RegistrationReject => &[Kind::RegistrationRequest],
        Kind::UnregistrationConfirm | Kind::UnregistrationReject => &[Kind::UnregistrationRequest],
        Kind::AdmissionConfirm | Kind::AdmissionReject | Kind::AdmissionConfirmSequence => {
            &[Kind::AdmissionRequest]
        }
        Kind::BandwidthConfirm | Kind::BandwidthReject => &[Kind::BandwidthRequest],
        Kind::DisengageConfirm | Kind::DisengageReject => &[Kind::DisengageRequest],
        Kind::LocationConfirm | Kind::LocationReject => &[Kind::LocationRequest],
        Kind::InfoRequestAck | Kind::InfoRequestNak => &[Kind::InfoRequestResponse],
        Kind::ResourcesAvailableConfirm => &[Kind::ResourcesAvailableIndicate],
        Kind::ServiceControlResponse => &[Kind::ServiceControlIndication],
        Kind::RequestInProgress | Kind::UnknownMessageResponse => &[
            Kind::GatekeeperRequest,
            Kind::RegistrationRequest,
            Kind::UnregistrationRequest,
            Kind::AdmissionRequest,
            Kind::BandwidthRequest,
            Kind::DisengageRequest,
            Kind::LocationRequest,
            Kind::InfoRequestResponse,
            Kind::ResourcesAvailableIndicate,
            Kind::ServiceControlIndication,
        ],
        _ => return None,
    })
}

impl Ras {
    pub(super) fn on_datagram(&mut self, now: Duration, source: SocketAddr, octets: &[u8]) {
        self.counters.received = self.counters.received.saturating_add(1);
        if octets.len() < 2 {
            self.counters.wakes = self.counters.wakes.saturating_add(1);
            return;
        }
        let octets = Bytes::copy_from_slice(octets);
        let mut message = match per::decode::<RasMessage>(&octets) {
            Ok(message) => message.into_value(),
            Err(error) => {
                debug!(%source, %error, "no RAS message");
                self.counters.undecodable = self.counters.undecodable.saturating_add(1);
                return self.send_not_understood(now, source, None, &octets);
            }
        };
        let kind = Kind::of(&message);
        trace!(kind = kind.name(), number = sequence(&message), %source, "RAS in");
        if let Some(requests) = answered(kind) {
            return self.on_answer(now, source, &octets, message, requests);
        }
        if self.gatekeeper.address != Some(source) || self.registered.is_none() {
            // A gatekeeper that has just dropped us repeats its URQ until it hears an answer.
            let late = kind == Kind::UnregistrationRequest && self.gatekeeper.address == Some(source);
            if !late {
                self.counters.wrong_source = self.counters.wrong_source.saturating_add(1);
                debug!(kind = kind.name(), %source, "from nobody that we are registered with");
                return;
            }
        }
        if let Err(failure) = self.check(now, &octets, &mut message) {
            return self.on_unproved(source, failure);
        }
        match message {
            RasMessage::UnregistrationRequest(urq) => self.on_unregistration_request(now, source, &urq),
            RasMessage::BandwidthRequest(brq) => self.on_bandwidth_request(now, source, &brq),
            RasMessage::DisengageRequest(drq) => self.on_disengage_request(now, source, &drq),
            RasMessage::InfoRequest(irq) => self.on_info_request(now, source, &irq),
            RasMessage::ServiceControlIndication(sci) => self.on_service_indication(now, source, &sci),
            RasMessage::NonStandardMessage(nsm) => self.on_non_standard(source, &nsm),
            other => self.send_not_understood(now, source, sequence(&other), &octets),
        }
    }

    fn on_answer(
        &mut self,
        now: Duration,
        source: SocketAddr,
        octets: &Bytes,
        mut message: RasMessage,
        requests: &[Kind],
    ) {
        let number = sequence(&message).unwrap_or_default();
        let Some(at) = self.find_pending(number, requests) else {
            self.counters.unexpected = self.counters.unexpected.saturating_add(1);
            debug!(kind = Kind::of(&message).name(), number, %source, "an answer that nobody waits for");
            return;
        };
        let Some(pending) = self.pending.get(at) else { return };
        let (asked, purpose) = (pending.to, pending.purpose);
        // A multicast request is answered by anybody; GRQ to one port from another, and LRQ by who knows.
        let same = match pending.kind {
            Kind::GatekeeperRequest | Kind::LocationRequest => {
                asked == MULTICAST_GROUP || asked.ip() == source.ip()
            }
            _ => asked == source,
        };
        if !same {
            self.counters.wrong_source = self.counters.wrong_source.saturating_add(1);
            debug!(%asked, %source, "an answer from somebody who was not asked");
            return;
        }
        // GCF and LCF come before there is a common secret in use, or from somebody without one.
        let proves = !matches!(pending.kind, Kind::GatekeeperRequest | Kind::LocationRequest);
        if proves && let Err(failure) = self.check(now, octets, &mut message) {
            return self.on_unproved(source, failure);
        }
        if let RasMessage::RequestInProgress(rip) = &message {
            return self.hold(now, at, Duration::from_millis(rip.delay.into()));
        }
        self.pending.remove(at);
        self.on_proper_answer(now, source, purpose, &message);
    }

    fn on_proper_answer(
        &mut self,
        now: Duration,
        source: SocketAddr,
        purpose: Purpose,
        message: &RasMessage,
    ) {
        match (message, purpose) {
            (RasMessage::GatekeeperConfirm(gcf), _) => self.on_gatekeeper_confirm(now, purpose, source, gcf),
            (RasMessage::GatekeeperReject(grj), _) => self.on_gatekeeper_reject(now, purpose, source, grj),
            (RasMessage::RegistrationConfirm(rcf), _) => {
                self.on_registration_confirm(now, purpose, source, rcf);
                self.on_services(None, rcf.service_control.as_ref());
            }
            (RasMessage::RegistrationReject(rrj), _) => {
                self.on_registration_reject(now, purpose, source, rrj);
            }
            (RasMessage::UnregistrationConfirm(_), _) => self.on_unregistration_confirm(now, purpose),
            (RasMessage::UnregistrationReject(urj), _) => self.on_unregistration_reject(now, purpose, urj),
            (RasMessage::AdmissionConfirm(acf), Purpose::Admit(call)) => {
                self.on_admission_confirm(now, call, acf, &[]);
            }
            (RasMessage::AdmissionConfirmSequence(list), Purpose::Admit(call)) => {
                if let Some((first, others)) = list.split_first() {
                    self.on_admission_confirm(now, call, first, others);
                }
            }
            (RasMessage::AdmissionReject(arj), Purpose::Admit(call)) => {
                self.on_admission_reject(now, call, arj);
            }
            (RasMessage::BandwidthConfirm(bcf), Purpose::Bandwidth(call)) => {
                self.on_bandwidth_confirm(call, bcf);
            }
            (RasMessage::BandwidthReject(brj), Purpose::Bandwidth(call)) => {
                self.on_bandwidth_reject(now, call, brj);
            }
            (RasMessage::DisengageConfirm(_), Purpose::Disengage(call)) => self.on_disengaged(now, call),
            (RasMessage::DisengageReject(drj), Purpose::Disengage(call)) => {
                self.on_disengage_reject(now, call, drj);
            }
            (RasMessage::LocationConfirm(lcf), Purpose::Locate(id)) => self.on_location_confirm(id, lcf),
            (RasMessage::LocationReject(lrj), Purpose::Locate(id)) => {
                self.on_location_reject(now, id, lrj);
            }
            (RasMessage::InfoRequestAck(_), Purpose::Report) => {}
            (RasMessage::InfoRequestNak(inak), Purpose::Report) => self.on_info_nak(now, inak),
            (
                RasMessage::ResourcesAvailableConfirm(_) | RasMessage::ServiceControlResponse(_),
                Purpose::Deliver(id),
            ) => self.tell(RasEvent::Delivered(id, true)),
            (RasMessage::UnknownMessageResponse(_), _) => self.on_not_understood(now, purpose),
            // `answered` and the purposes of requests fit together: nothing else comes here.
            _ => debug!(?purpose, "an answer of another kind"),
        }
    }

    /// Whether a message proves that it is our gatekeeper's, as far as the methods in use allow proof.
    fn check(
        &mut self,
        now: Duration,
        octets: &[u8],
        message: &mut RasMessage,
    ) -> Result<(), SecurityFailure> {
        let time = self.unix(now);
        let (Some(security), Some(authenticator)) = (&self.config.security, &mut self.authenticator) else {
            return Ok(());
        };
        let strict = security.replies == UnsignedReplies::Strict;
        // Only H.235.1 lets a gatekeeper prove itself.
        if !strict && !self.gatekeeper.methods.contains(&Method::H2351) {
            return Ok(());
        }
        let senders: Vec<String> = self.gatekeeper.identifier.iter().map(text).collect();
        let mut ours = vec![security.user.clone()];
        ours.extend(self.registered.as_ref().map(|registered| text(&registered.identifier)));
        let given = match message {
            RasMessage::RegistrationConfirm(rcf) => Some(text(&rcf.endpoint_identifier)),
            _ => None,
        };
        ours.extend(given);
        let expected = Expected { methods: &[Method::H2351], senders: &senders, ours: &ours, strict };
        let found = lists(message);
        let (clear, crypto) = found.map_or((None, None), |(clear, crypto)| (clear.as_ref(), crypto.as_ref()));
        match authenticator.check(octets, clear, crypto, expected, time) {
            Ok(_) => Ok(()),
            Err(SecurityFailure::Missing) if !strict => {
                self.counters.unsigned = self.counters.unsigned.saturating_add(1);
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    fn on_unproved(&mut self, source: SocketAddr, failure: SecurityFailure) {
        debug!(%source, %failure, "dropped");
        self.counters.unproved = self.counters.unproved.saturating_add(1);
        if self.state != RasState::Registered {
            self.unproved_since_request = Some(failure);
        }
        self.tell(RasEvent::Suspicious(source, failure));
    }
}
