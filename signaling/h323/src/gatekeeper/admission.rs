//! Admission, bandwidth, the end of calls, location: the gatekeeper's side (ARQ, BRQ, DRQ, LRQ and their answers).
//! In: requests of registered endpoints. Out: answers, rows of the table; where a routed Setup goes.

use std::net::SocketAddr;
use std::time::Duration;

use offhook_wire::h225::{
    AdmissionConfirm, AdmissionReject, AdmissionRejectReason, AdmissionRequest, BandRejectReason,
    BandwidthConfirm, BandwidthReject, BandwidthRequest, CallModel as WireCallModel, DisengageConfirm,
    DisengageReject, DisengageRejectReason, DisengageRequest, LocationConfirm, LocationReject,
    LocationRejectReason, LocationRequest, RasMessage, UUIEsRequested,
};

use super::table::{CallLeg, CallRow, EndpointRow};
use super::{Answer, CallEnd, Gatekeeper, GatekeeperEvent};
use crate::address::{aliases_from, aliases_to, from_h225, to_h225};
use crate::ras::message::reason;
use crate::ras::{AdmissionReason, CallModel};
use crate::{Alias, Release, ReleaseReason};

/// Where a Setup that reached the gatekeeper's call signalling address goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Routing {
    /// There.
    To {
        /// The call signalling address.
        address: SocketAddr,
        /// Whom to ask for; empty: as Setup says.
        destination: Vec<Alias>,
    },
    /// Nowhere: release the call so.
    Refuse(Release),
}

impl Gatekeeper {
    pub(super) fn on_admission_request(
        &mut self,
        now: Duration,
        row: &EndpointRow,
        arq: &AdmissionRequest,
    ) -> Answer {
        let number = arq.request_seq_num;
        let identifier = arq.call_identifier.as_ref().map_or(arq.conference_id, |id| id.guid);
        let decided = if arq.answer_call {
            self.admit_called(now, row, arq, identifier)
        } else {
            self.admit_caller(now, row, arq, identifier)
        };
        let (address, bandwidth) = match decided {
            Ok(granted) => granted,
            Err(why) => {
                self.counters.not_admitted = self.counters.not_admitted.saturating_add(1);
                let told = AdmissionReason::from_wire(&why);
                self.tell(GatekeeperEvent::NotAdmitted(identifier, row.identifier.clone(), told));
                let mut arj = AdmissionReject::new(number, why);
                if told == AdmissionReason::RouteCallToGatekeeper {
                    arj.call_signal_address =
                        self.params.signal_address.map(|address| vec![to_h225(address)]);
                }
                return Answer::to_endpoint(RasMessage::AdmissionReject(Box::new(arj)), row);
            }
        };
        let model = match self.config.model {
            CallModel::Direct => WireCallModel::Direct,
            CallModel::GatekeeperRouted => WireCallModel::GatekeeperRouted,
        };
        let mut acf = AdmissionConfirm::new(number, bandwidth, model, to_h225(address));
        acf.irr_frequency =
            self.config.irr_interval.map(|interval| interval.as_secs().clamp(1, 65_535) as u16);
        acf.will_respond_to_irr = Some(true);
        acf.uuies_requested = Some(UUIEsRequested::default());
        self.counters.admitted = self.counters.admitted.saturating_add(1);
        if let Some(call) = self.table.calls.get(&identifier).cloned() {
            self.tell(GatekeeperEvent::Admitted(Box::new(call), arq.answer_call));
        }
        Answer::to_endpoint(RasMessage::AdmissionConfirm(Box::new(acf)), row)
    }

    fn admit_caller(
        &mut self,
        now: Duration,
        row: &EndpointRow,
        arq: &AdmissionRequest,
        identifier: [u8; 16],
    ) -> Result<(SocketAddr, u32), AdmissionRejectReason> {
        let wanted = aliases_from(arq.destination_info.as_ref());
        let told = arq.dest_call_signal_address.as_ref().and_then(from_h225);
        let target = self.destination(&wanted, told)?;
        let bandwidth = self.grant(identifier, arq.band_width)?;
        let known = self.table.calls.get(&identifier);
        if known.is_none() && self.table.calls.len() >= self.config.limits.calls {
            self.counters.limited = self.counters.limited.saturating_add(1);
            return Err(AdmissionRejectReason::ResourceUnavailable);
        }
        let leg = CallLeg { endpoint: row.identifier.clone(), call_reference: arq.call_reference_value };
        let call = self.table.calls.entry(identifier).or_insert_with(|| CallRow {
            call_identifier: identifier,
            conference_id: arq.conference_id,
            model: self.config.model,
            caller: None,
            called: None,
            destination: Vec::new(),
            address: None,
            bandwidth,
            since: now,
            heard: now,
        });
        call.caller = Some(leg);
        call.destination = wanted;
        call.address = Some(target);
        call.bandwidth = bandwidth;
        Ok((self.signaled_to(target), bandwidth))
    }

    fn admit_called(
        &mut self,
        now: Duration,
        row: &EndpointRow,
        arq: &AdmissionRequest,
        identifier: [u8; 16],
    ) -> Result<(SocketAddr, u32), AdmissionRejectReason> {
        // In the routed model a Setup that did not come through us has no place in the table.
        let known = self.table.calls.contains_key(&identifier);
        if self.config.model == CallModel::GatekeeperRouted && !known {
            return Err(AdmissionRejectReason::RouteCallToGatekeeper);
        }
        let bandwidth = self.grant(identifier, arq.band_width)?;
        if !known && self.table.calls.len() >= self.config.limits.calls {
            self.counters.limited = self.counters.limited.saturating_add(1);
            return Err(AdmissionRejectReason::ResourceUnavailable);
        }
        let here = arq.dest_call_signal_address.as_ref().and_then(from_h225);
        let here = here.or_else(|| row.signal_addresses.first().copied());
        let Some(here) = here else {
            return Err(AdmissionRejectReason::UndefinedReason);
        };
        let call = self.table.calls.entry(identifier).or_insert_with(|| CallRow {
            call_identifier: identifier,
            conference_id: arq.conference_id,
            model: self.config.model,
            caller: None,
            called: None,
            destination: aliases_from(arq.destination_info.as_ref()),
            address: Some(here),
            bandwidth,
            since: now,
            heard: now,
        });
        call.called =
            Some(CallLeg { endpoint: row.identifier.clone(), call_reference: arq.call_reference_value });
        call.bandwidth = call.bandwidth.max(bandwidth);
        Ok((here, bandwidth))
    }

    /// Where these aliases, or this address, lead.
    fn destination(
        &self,
        aliases: &[Alias],
        address: Option<SocketAddr>,
    ) -> Result<SocketAddr, AdmissionRejectReason> {
        if let Some(row) = self.table.find(aliases) {
            return row.signal_addresses.first().copied().ok_or(AdmissionRejectReason::UndefinedReason);
        }
        let told = address.or_else(|| {
            aliases.iter().find_map(|alias| match alias {
                Alias::Transport(address) => Some(*address),
                _ => None,
            })
        });
        match told {
            Some(address) if self.params.signal_address == Some(address) => {
                Err(AdmissionRejectReason::CalledPartyNotRegistered)
            }
            Some(address) if self.table.at_signal_address(address).is_some() => Ok(address),
            Some(address) if self.config.unregistered_destinations => Ok(address),
            _ => Err(AdmissionRejectReason::CalledPartyNotRegistered),
        }
    }

    fn signaled_to(&self, target: SocketAddr) -> SocketAddr {
        match (self.config.model, self.params.signal_address) {
            (CallModel::GatekeeperRouted, Some(ours)) => ours,
            _ => target,
        }
    }

    /// What of the wanted bandwidth a call may have; a part of it is better than nothing (H.225.0 7.11.2).
    fn grant(&self, call: [u8; 16], wanted: u32) -> Result<u32, AdmissionRejectReason> {
        let wanted = wanted.min(self.config.call_bandwidth.unwrap_or(u32::MAX));
        let Some(total) = self.config.total_bandwidth else {
            return Ok(wanted);
        };
        let left = total.saturating_sub(self.table.bandwidth_beside(call));
        if left == 0 { Err(AdmissionRejectReason::RequestDenied) } else { Ok(wanted.min(left)) }
    }

    pub(super) fn on_bandwidth_request(
        &mut self,
        now: Duration,
        row: &EndpointRow,
        brq: &BandwidthRequest,
    ) -> Answer {
        let number = brq.request_seq_num;
        let identifier = brq.call_identifier.as_ref().map_or(brq.conference_id, |id| id.guid);
        let takes_part = self.takes_part(identifier, &row.identifier);
        let reject = |why, allowed| {
            let brj = BandwidthReject::new(number, why, allowed);
            Answer::to_endpoint(RasMessage::BandwidthReject(Box::new(brj)), row)
        };
        if !takes_part {
            return reject(BandRejectReason::InvalidConferenceID, 0);
        }
        let most = self.config.call_bandwidth.unwrap_or(u32::MAX);
        let left = self
            .config
            .total_bandwidth
            .map_or(u32::MAX, |total| total.saturating_sub(self.table.bandwidth_beside(identifier)));
        if brq.band_width > most.min(left) {
            return reject(BandRejectReason::InsufficientResources, most.min(left));
        }
        if let Some(call) = self.table.calls.get_mut(&identifier) {
            call.bandwidth = brq.band_width;
            call.heard = now;
        }
        self.tell(GatekeeperEvent::Bandwidth(identifier, brq.band_width));
        let bcf = BandwidthConfirm::new(number, brq.band_width);
        Answer::to_endpoint(RasMessage::BandwidthConfirm(Box::new(bcf)), row)
    }

    pub(super) fn takes_part(&self, call: [u8; 16], endpoint: &str) -> bool {
        self.table.calls.get(&call).is_some_and(|call| call.legs().any(|(leg, _)| leg.endpoint == endpoint))
    }

    pub(super) fn on_disengage_request(&mut self, row: &EndpointRow, drq: &DisengageRequest) -> Answer {
        let number = drq.request_seq_num;
        let identifier = drq.call_identifier.as_ref().map_or(drq.conference_id, |id| id.guid);
        // A call that is over already, because the other side has said so first, is no error.
        let foreign =
            self.table.calls.contains_key(&identifier) && !self.takes_part(identifier, &row.identifier);
        if foreign {
            let drj = DisengageReject::new(number, DisengageRejectReason::RequestToDropOther);
            return Answer::to_endpoint(RasMessage::DisengageReject(Box::new(drj)), row);
        }
        self.end_leg(identifier, &row.identifier, drq.answered_call);
        let dcf = RasMessage::DisengageConfirm(Box::new(DisengageConfirm::new(number)));
        Answer::to_endpoint(dcf, row)
    }

    /// One side has left; with the last one the call is over.
    pub(super) fn end_leg(&mut self, identifier: [u8; 16], endpoint: &str, answered: Option<bool>) {
        let Some(call) = self.table.calls.get_mut(&identifier) else { return };
        let is = |leg: &Option<CallLeg>| leg.as_ref().is_some_and(|leg| leg.endpoint == endpoint);
        if is(&call.caller) && answered != Some(true) {
            call.caller = None;
        } else if is(&call.called) {
            call.called = None;
        }
        if call.legs().next().is_none()
            && let Some(call) = self.table.calls.remove(&identifier)
        {
            self.tell(GatekeeperEvent::CallEnded(Box::new(call), CallEnd::Disengaged));
        }
    }

    pub(super) fn on_location_request(&mut self, lrq: &LocationRequest) -> Answer {
        let number = lrq.request_seq_num;
        let wanted = aliases_from(Some(&lrq.destination_info));
        let found = self.table.find(&wanted).and_then(|row| row.signal_addresses.first().copied());
        let Some(target) = found else {
            let lrj = LocationReject::new(number, LocationRejectReason::NotRegistered);
            return Answer::plain(RasMessage::LocationReject(Box::new(lrj)));
        };
        let mut lcf =
            LocationConfirm::new(number, to_h225(self.signaled_to(target)), to_h225(self.params.ras_address));
        lcf.destination_info = aliases_to(&wanted);
        Answer::plain(RasMessage::LocationConfirm(Box::new(lcf)))
    }

    /// Routed model: where a Setup goes that reached our call signalling address, by its callIdentifier and what it asks
    /// for. The driver connects there and forwards; when either side's connection is gone it says
    /// [`call_ended`](Self::call_ended).
    #[must_use]
    pub fn route(&self, call_identifier: [u8; 16], destination: &[Alias]) -> Routing {
        if let Some(call) = self.table.calls.get(&call_identifier)
            && let Some(address) = call.address
        {
            return Routing::To { address, destination: call.destination.clone() };
        }
        // Pre-granted calls have asked nobody; others ought to have.
        if !self.config.pre_granted.make_call {
            return Routing::Refuse(Release::with_reason(ReleaseReason::CallerNotRegistered));
        }
        match self.destination(destination, None) {
            Ok(address) => Routing::To { address, destination: destination.to_vec() },
            Err(why) => {
                tracing::debug!(reason = reason(&why), "no route");
                Routing::Refuse(AdmissionReason::from_wire(&why).release())
            }
        }
    }
}
