//! Admission of calls (H.323 8.1; ARQ, ACF, ARJ): may this call be made, or answered, and where is it signalled.
//! In: a call that is about to be made or answered, the gatekeeper's answer. Out: [`Admission`] or
//! [`AdmissionRejection`].
//! Not here: what the reasons mean (`outcome`); the end of calls (`disengage`).

use std::net::SocketAddr;
use std::time::Duration;

use offhook_wire::h225::{
    AdmissionConfirm, AdmissionReject, AdmissionRequest as Wire, CallIdentifier, CallModel as WireCallModel,
    CallType, RasMessage,
};
use offhook_wire::h235::ClearToken;

use super::calls::{CallRecord, Standing};
use super::config::NewCalls;
use super::event::RasEvent;
use super::information::wants_any;
use super::message::foreign_tokens;
use super::outcome::{AdmissionReason, scn_numbers};
use super::transaction::Purpose;
use super::{Ras, RasCall, RasState};
use crate::address::{aliases_from, aliases_to, from_h225, to_h225};
use crate::{Alias, Release};

/// The bandwidth of a G.711 call both ways without headers, in 100 bit/s (H.225.0: sum of both directions).
pub const G711_BANDWIDTH: u32 = 1280;

/// Whether call signalling goes straight or through the gatekeeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallModel {
    /// To the other endpoint.
    Direct,
    /// To the gatekeeper.
    GatekeeperRouted,
}

/// What ARQ says about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmissionRequest {
    /// Which call, and whether we make or answer it.
    pub call: RasCall,
    /// conferenceID.
    pub conference_id: [u8; 16],
    /// The call reference value on our side.
    pub call_reference: u16,
    /// Whom it is for (destinationInfo); on the called side: us, as Setup says.
    pub destination: Vec<Alias>,
    /// Where to, when the address is known (destCallSignalAddress); on the called side: our call signalling address.
    pub destination_address: Option<SocketAddr>,
    /// Further numbers, for gateways and MCUs (destExtraCallInfo).
    pub extra: Vec<Alias>,
    /// Who calls (srcInfo): us, or on the called side the caller as Setup says. Empty takes our aliases.
    pub source: Vec<Alias>,
    /// The caller's call signalling address, when known.
    pub source_address: Option<SocketAddr>,
    /// In 100 bit/s, both directions together.
    pub bandwidth: u32,
    /// The model that we would like; the gatekeeper decides.
    pub model: Option<CallModel>,
}

/// ACF, or a call that needed no question.
#[derive(Debug, Clone, PartialEq)]
pub struct Admission {
    /// How it is signalled.
    pub model: CallModel,
    /// Where Setup goes. `None` only without having asked: then the caller must know.
    pub address: Option<SocketAddr>,
    /// What the call may use, in 100 bit/s; less than asked for limits its codecs.
    pub bandwidth: u32,
    /// Whom Setup asks for instead (canMapAlias); empty: as before.
    pub destination: Vec<Alias>,
    /// destExtraCallInfo for Setup.
    pub extra: Vec<Alias>,
    /// remoteExtensionAddress for Setup.
    pub remote_extension: Vec<Alias>,
    /// Who calls instead (canMapSrcAlias, modifiedSrcInfo); empty: as before.
    pub source: Vec<Alias>,
    /// Other endpoints by which the destination can be reached, best first.
    pub alternates: Vec<AlternateEndpoint>,
    /// Tokens that Setup must carry on (H.225.0 7.11.2).
    pub tokens: Vec<ClearToken>,
    /// Between reports, if the gatekeeper wants any; they are sent without further ado.
    pub irr_interval: Option<Duration>,
    /// Call signalling is to be reported: hand it to `Ras::report_signal`.
    pub wants_signals: bool,
    /// Nobody was asked: pre-granted, or allowed without gatekeeper.
    pub unasked: bool,
}

/// Another way to a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlternateEndpoint {
    /// Call signalling addresses.
    pub addresses: Vec<SocketAddr>,
    /// Whom to ask for there; empty: as before.
    pub destination: Vec<Alias>,
}

/// ARJ, or no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmissionRejection {
    /// Why.
    pub reason: AdmissionReason,
    /// What the call ends with.
    pub release: Release,
    /// callSignalAddress: where the caller is to be sent (Facility routeCallToGatekeeper) when the reason is
    /// `RouteCallToGatekeeper`.
    pub route_to: Option<SocketAddr>,
    /// Numbers to try on the telephone network when the reason is `RouteCallToScn`.
    pub numbers: Vec<String>,
}

impl AdmissionRejection {
    fn new(reason: AdmissionReason) -> Self {
        Self { reason, release: reason.release(), route_to: None, numbers: Vec::new() }
    }

    /// The gatekeeper does not answer, or there is none.
    #[must_use]
    pub fn unreachable() -> Self {
        Self::new(AdmissionReason::Unreachable)
    }
}

impl Ras {
    /// Asks to make a call, before its Setup, or to answer one, before Alerting or Connect. The answer is
    /// [`RasEvent::Admitted`] or [`RasEvent::NotAdmitted`], perhaps at once. A call that was admitted ends with
    /// [`disengage`](Self::disengage).
    ///
    /// A call is asked about once: until it is disengaged, a second request with its identifier and side is answered by
    /// [`RasEvent::NotAdmitted`] with [`AdmissionReason::AlreadyKnown`] and changes nothing of the first, whose events
    /// have the same [`RasCall`]. By the reason the driver tells the two apart; better, it never asks twice.
    pub fn admit(&mut self, now: Duration, request: AdmissionRequest) {
        let key = request.call;
        if self.call(key).is_some() {
            let rejection = AdmissionRejection::new(AdmissionReason::AlreadyKnown);
            return self.tell(RasEvent::NotAdmitted(key, Box::new(rejection)));
        }
        if self.calls.len() >= self.config.limits.calls {
            self.counters.limited = self.counters.limited.saturating_add(1);
            return self.reject(key, AdmissionRejection::new(AdmissionReason::TooManyCalls));
        }
        self.calls.push(CallRecord::new(request));
        self.ask_for(now, key);
    }

    /// ARQ for a known call, or the answer that needs none.
    pub(super) fn ask_for(&mut self, now: Duration, key: RasCall) {
        let Some(registered) = &self.registered else {
            if self.config.new_calls == NewCalls::Allow {
                return self.grant(now, key, false);
            }
            // Registering goes on: the call waits for what comes of it.
            let soon =
                matches!(self.state, RasState::Registering | RasState::Discovering | RasState::Resolving);
            return if soon && self.wanted {
                self.note_waiting(key)
            } else {
                self.on_admission_unanswered(now, key)
            };
        };
        let granted = registered.info.pre_granted;
        let total = granted.total_bandwidth;
        let used: u64 = self
            .calls
            .iter()
            .filter(|call| call.standing == Standing::Granted)
            .map(|call| u64::from(call.bandwidth))
            .sum();
        let Some(call) = self.call(key) else { return };
        let fits = total.is_none_or(|total| used.saturating_add(call.bandwidth.into()) <= total.into());
        let unasked = if key.answer { granted.answer_call } else { granted.make_call };
        // Pre-granted direct calls need an address; a gatekeeper translates aliases only when asked.
        let reachable =
            key.answer || granted.make_by_gatekeeper || call.request.destination_address.is_some();
        if unasked && fits && reachable {
            return self.grant(now, key, true);
        }
        self.send_admission_request(now, key);
    }

    fn note_waiting(&mut self, key: RasCall) {
        if let Some(call) = self.call(key) {
            call.standing = Standing::Asking;
        }
    }

    fn send_admission_request(&mut self, now: Duration, key: RasCall) {
        let identifier = self.endpoint_identifier();
        let gatekeeper = self.gatekeeper.identifier.clone();
        let ours = self.aliases.clone();
        let supply = self.config.supply_uuies;
        let (Some(identifier), Some(address)) = (identifier, self.gatekeeper.address) else {
            return self.on_admission_unanswered(now, key);
        };
        let Some(call) = self.call(key) else { return };
        let request = &call.request;
        let source = if request.source.is_empty() && !key.answer { &ours } else { &request.source };
        let mut arq = Wire::new(
            1,
            CallType::PointToPoint,
            identifier,
            aliases_to(source).unwrap_or_default(),
            request.bandwidth,
            request.call_reference & 0x7fff,
            request.conference_id,
            false,
            key.answer,
        );
        arq.call_model = request.model.map(|model| match model {
            CallModel::Direct => WireCallModel::Direct,
            CallModel::GatekeeperRouted => WireCallModel::GatekeeperRouted,
        });
        arq.destination_info = aliases_to(&request.destination);
        arq.dest_call_signal_address = request.destination_address.map(to_h225);
        arq.dest_extra_call_info = aliases_to(&request.extra);
        arq.src_call_signal_address = request.source_address.map(to_h225);
        arq.can_map_alias = Some(true);
        arq.can_map_src_alias = Some(true);
        arq.call_identifier = Some(CallIdentifier::new(key.call_identifier));
        arq.gatekeeper_identifier = gatekeeper;
        arq.will_supply_uuies = Some(supply);
        let message = RasMessage::AdmissionRequest(Box::new(arq));
        if !self.request(now, address, Purpose::Admit(key), self.config.timers.arq, message) {
            self.calls.retain(|call| call.key != key);
            self.reject(key, AdmissionRejection::new(AdmissionReason::TooManyCalls));
        }
    }

    /// A call that nobody has to be asked about.
    fn grant(&mut self, now: Duration, key: RasCall, by_gatekeeper: bool) {
        let granted = self.registered.as_ref().map(|r| r.info.pre_granted).unwrap_or_default();
        let routed = by_gatekeeper
            && if key.answer { granted.answer_by_gatekeeper } else { granted.make_by_gatekeeper };
        let signal = self.registered.as_ref().and_then(|r| r.info.signal_addresses.first().copied());
        let interval = granted.irr_interval.filter(|_| by_gatekeeper);
        let Some(call) = self.call(key) else { return };
        call.standing = Standing::Granted;
        call.model = if routed { CallModel::GatekeeperRouted } else { CallModel::Direct };
        call.report = interval.map(|interval| (interval, now.saturating_add(interval)));
        let admission = Admission {
            model: call.model,
            address: if routed && !key.answer { signal } else { call.request.destination_address },
            bandwidth: call.bandwidth,
            destination: Vec::new(),
            extra: Vec::new(),
            remote_extension: Vec::new(),
            source: Vec::new(),
            alternates: Vec::new(),
            tokens: Vec::new(),
            irr_interval: interval,
            wants_signals: false,
            unasked: true,
        };
        self.counters.admitted = self.counters.admitted.saturating_add(1);
        self.tell(RasEvent::Admitted(key, Box::new(admission)));
    }

    /// ACF; of a sequence of them the first, which H.225.0 says is preferred, with the others as alternates.
    pub(super) fn on_admission_confirm(
        &mut self,
        now: Duration,
        key: RasCall,
        acf: &AdmissionConfirm,
        others: &[AdmissionConfirm],
    ) {
        let tokens = foreign_tokens(acf.tokens.as_ref());
        let supply = self.config.supply_uuies;
        self.gatekeepers.set_assigned(acf.assigned_gatekeeper.as_ref());
        let Some(call) = self.call(key) else { return };
        call.standing = Standing::Admitted;
        call.model = match acf.call_model {
            WireCallModel::GatekeeperRouted => CallModel::GatekeeperRouted,
            _ => CallModel::Direct,
        };
        call.bandwidth = acf.band_width;
        call.uuies = acf.uuies_requested.clone().filter(|_| supply).unwrap_or_default();
        let interval = acf.irr_frequency.map(|seconds| Duration::from_secs(seconds.into()));
        call.report = interval.map(|interval| (interval, now.saturating_add(interval)));
        let alternates = acf.alternate_endpoints.iter().flatten().take(8).map(|endpoint| AlternateEndpoint {
            addresses: endpoint.call_signal_address.iter().flatten().take(4).filter_map(from_h225).collect(),
            destination: aliases_from(endpoint.alias_address.as_ref()),
        });
        let others = others.iter().take(8).map(|acf| AlternateEndpoint {
            addresses: from_h225(&acf.dest_call_signal_address).into_iter().collect(),
            destination: aliases_from(acf.destination_info.as_ref()),
        });
        let admission = Admission {
            model: call.model,
            address: from_h225(&acf.dest_call_signal_address),
            bandwidth: acf.band_width,
            destination: aliases_from(acf.destination_info.as_ref()),
            extra: aliases_from(acf.dest_extra_call_info.as_ref()),
            remote_extension: aliases_from(acf.remote_extension_address.as_ref()),
            source: aliases_from(acf.modified_src_info.as_ref()),
            alternates: alternates.chain(others).filter(|a| !a.addresses.is_empty()).collect(),
            tokens,
            irr_interval: interval,
            wants_signals: wants_any(&call.uuies),
            unasked: false,
        };
        self.counters.admitted = self.counters.admitted.saturating_add(1);
        self.tell(RasEvent::Admitted(key, Box::new(admission)));
        self.on_services(Some(key), acf.service_control.as_ref());
    }

    /// ARJ.
    pub(super) fn on_admission_reject(&mut self, now: Duration, key: RasCall, arj: &AdmissionReject) {
        let reason = AdmissionReason::from_wire(&arj.reject_reason);
        if let Some(info) = &arj.alt_gk_info {
            self.gatekeepers.add_alternates(info, self.config.limits.gatekeepers);
        }
        self.gatekeepers.set_assigned(arj.assigned_gatekeeper.as_ref());
        let Some(call) = self.call(key) else { return };
        // We are registered, as far as we know: the gatekeeper was restarted. Once more after registering.
        if reason.is_unregistered() && !call.asked_again {
            call.asked_again = true;
            let name = reason.name().to_owned();
            if let Some(gatekeeper) = self.gatekeeper.address {
                self.lose(super::RasFailure::Unregistered { gatekeeper, reason: format!("ARJ {name}") });
            }
            if reason == AdmissionReason::RegisterWithAssignedGk {
                self.begin(now)
            } else {
                self.register(now)
            }
            return;
        }
        let mut rejection = AdmissionRejection::new(reason);
        rejection.route_to = arj.call_signal_address.iter().flatten().find_map(from_h225);
        rejection.numbers = scn_numbers(&arj.reject_reason);
        self.on_services(Some(key), arj.service_control.as_ref());
        self.forget_call(now, key);
        self.reject(key, rejection);
    }

    pub(super) fn on_admission_unanswered(&mut self, now: Duration, key: RasCall) {
        self.forget_call(now, key);
        self.reject(key, AdmissionRejection::unreachable());
        self.suspect(now);
    }

    fn reject(&mut self, key: RasCall, rejection: AdmissionRejection) {
        self.counters.not_admitted = self.counters.not_admitted.saturating_add(1);
        self.tell(RasEvent::NotAdmitted(key, Box::new(rejection)));
    }
}
