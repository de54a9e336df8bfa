//! Discovery: who is our gatekeeper (H.323 7.2.1; GRQ, GCF, GRJ), by name, address or multicast.
//! In: `start`, answers of the DNS, GCF, GRJ. Out: GRQ; then a gatekeeper to register with (`registration`).
//! Not here: which one is next (`gatekeepers`).

use std::net::SocketAddr;
use std::time::Duration;

use offhook_wire::h225::{
    GatekeeperConfirm, GatekeeperReject, GatekeeperRejectReason, GatekeeperRequest, RasMessage,
};
use offhook_wire::per::BmpString;
use tracing::debug;

use super::config::{Discovery, MULTICAST_GROUP};
use super::event::{Question, RasAction, RasFailure, RasState};
use super::gatekeepers::{Candidate, Gatekeeper};
use super::message::{reason, text};
use super::transaction::Purpose;
use super::{Asked, Ras};
use crate::address::{aliases_to, from_h225, to_h225};
use crate::h235::{Method, UnsignedReplies};
use crate::product::PROTOCOL_IDENTIFIER;

impl Ras {
    /// Begins a round: finds out where gatekeepers are, then asks one after the other.
    pub(super) fn begin(&mut self, now: Duration) {
        self.resume_at = None;
        self.gatekeepers.forget_tries();
        let name = match &self.config.discovery {
            Discovery::Address(address) => {
                self.gatekeepers.configured = vec![*address];
                return self.try_next(now);
            }
            Discovery::Multicast => {
                self.gatekeepers.configured.clear();
                return self.discover(now, Candidate::at(MULTICAST_GROUP));
            }
            Discovery::Host { name, port } => Question::Host { name: name.clone(), port: *port },
            Discovery::Domain(domain) => Question::Service { name: format!("_h323rs._udp.{domain}") },
        };
        self.ask(now, Asked::Gatekeeper, name);
        self.set_state(RasState::Resolving);
    }

    /// The driver's answer about our gatekeeper.
    pub(super) fn on_gatekeeper_resolved(&mut self, now: Duration, addresses: &[SocketAddr]) {
        if self.state != RasState::Resolving {
            return;
        }
        if addresses.is_empty() && self.gatekeepers.configured.is_empty() {
            let name = match &self.config.discovery {
                Discovery::Host { name, .. } => name.clone(),
                Discovery::Domain(domain) => format!("_h323rs._udp.{domain}"),
                Discovery::Address(_) | Discovery::Multicast => String::new(),
            };
            return self.fail(now, RasFailure::NotResolved(name));
        }
        // Of an answer without addresses the last one with some is better than nothing.
        if !addresses.is_empty() {
            let most = self.config.limits.gatekeepers;
            self.gatekeepers.configured = addresses.iter().copied().take(most).collect();
        }
        self.try_next(now);
    }

    /// Asks the next gatekeeper of this round, or pauses.
    pub(super) fn try_next(&mut self, now: Duration) {
        match self.gatekeepers.next() {
            Some(candidate) if self.config.ask_first => self.discover(now, candidate),
            Some(candidate) => self.register_with(now, candidate),
            None => self.pause(now),
        }
    }

    fn discover(&mut self, now: Duration, candidate: Candidate) {
        let message = self.gatekeeper_request(&candidate);
        let retry = self.config.timers.grq;
        self.set_state(RasState::Discovering);
        if !self.request(now, candidate.address, Purpose::Discover, retry, message) {
            self.pause(now);
        }
    }

    pub(super) fn gatekeeper_request(&self, candidate: &Candidate) -> RasMessage {
        let mut grq = GatekeeperRequest::new(
            1,
            PROTOCOL_IDENTIFIER,
            to_h225(self.params.ras_address),
            self.endpoint_type(),
        );
        let wanted = self.config.gatekeeper_identifier.as_deref().map(BmpString::from);
        grq.gatekeeper_identifier = candidate.identifier.clone().or(wanted);
        grq.endpoint_alias = aliases_to(&self.aliases);
        grq.supports_alt_gk = Some(());
        grq.supports_assigned_gk = Some(true);
        if let Some(security) = &self.config.security {
            let mut mechanisms = Vec::new();
            for mechanism in security.methods.iter().map(|method| method.mechanism()) {
                if !mechanisms.contains(&mechanism) {
                    mechanisms.push(mechanism);
                }
            }
            grq.authentication_capability = Some(mechanisms);
            grq.algorithm_oids = Some(security.methods.iter().map(|method| method.algorithm()).collect());
        }
        RasMessage::GatekeeperRequest(Box::new(grq))
    }

    /// GCF, in answer to `asked`; `source` is where it came from.
    pub(super) fn on_gatekeeper_confirm(
        &mut self,
        now: Duration,
        purpose: Purpose,
        source: SocketAddr,
        gcf: &GatekeeperConfirm,
    ) {
        let strict = self.config.security.as_ref().is_some_and(|s| s.replies == UnsignedReplies::Strict);
        let chosen = gcf.algorithm_oid.as_ref().and_then(Method::for_algorithm);
        if strict && chosen != Some(Method::H2351) {
            if purpose == Purpose::Probe {
                return self.on_home_silent(now);
            }
            self.note_failure(RasFailure::ProofNotOffered(source));
            return self.try_next(now);
        }
        let gatekeeper = self.confirmed(source, gcf);
        if purpose == Purpose::Probe {
            return self.go_home(now, gatekeeper);
        }
        // Multicast: the first one that answers; the others are too late.
        if self.gatekeepers.configured.is_empty()
            && let Some(address) = gatekeeper.address
        {
            self.gatekeepers.configured = vec![address];
        }
        if let Some(list) = &gcf.alternate_gatekeeper {
            self.gatekeepers.set_alternates(list, self.config.limits.gatekeepers);
        }
        let here = gatekeeper.address;
        self.gatekeepers.renew_assigned(here, gcf.assigned_gatekeeper.as_ref());
        self.gatekeeper = gatekeeper;
        self.confirmed_from = Some(source).filter(|source| Some(*source) != here);
        let elsewhere = self.gatekeepers.assigned.as_ref().is_some_and(|a| Some(a.address) != here);
        // One that has not answered in this round is not waited for again: this gatekeeper serves us meanwhile.
        if elsewhere && let Some(assigned) = self.gatekeepers.next_assigned() {
            debug!(to = %assigned.address, "assigned to another gatekeeper");
            return self.register_with(now, assigned);
        }
        self.register(now);
    }

    /// The gatekeeper of a GCF: its address, its name, the methods it chose.
    fn confirmed(&self, source: SocketAddr, gcf: &GatekeeperConfirm) -> Gatekeeper {
        let told = from_h225(&gcf.ras_address);
        let usable = |address: &SocketAddr| {
            let ip = address.ip();
            !ip.is_unspecified() && !ip.is_multicast() && address.port() != 0
        };
        // A gatekeeper that does not know its own address is where its answer came from.
        let address = match told.filter(usable) {
            Some(told) if told.ip().is_loopback() && told.ip() != source.ip() => {
                SocketAddr::new(source.ip(), told.port())
            }
            told => told.unwrap_or(source),
        };
        Gatekeeper {
            address: Some(address),
            identifier: gcf.gatekeeper_identifier.clone(),
            methods: self.chosen(gcf),
        }
    }

    /// The method that GCF chooses of those that we offered; all of them if it chooses none.
    fn chosen(&self, gcf: &GatekeeperConfirm) -> Vec<Method> {
        let Some(security) = &self.config.security else {
            return Vec::new();
        };
        let chosen = gcf.algorithm_oid.as_ref().and_then(Method::for_algorithm);
        match chosen.filter(|method| security.methods.contains(method)) {
            Some(method) => vec![method],
            None => security.methods.clone(),
        }
    }

    /// GRJ.
    pub(super) fn on_gatekeeper_reject(
        &mut self,
        now: Duration,
        purpose: Purpose,
        source: SocketAddr,
        grj: &GatekeeperReject,
    ) {
        if purpose == Purpose::Probe {
            return self.on_home_silent(now);
        }
        if let Some(info) = &grj.alt_gk_info {
            self.gatekeepers.add_alternates(info, self.config.limits.gatekeepers);
        }
        let denied = matches!(
            grj.reject_reason,
            GatekeeperRejectReason::SecurityDenial
                | GatekeeperRejectReason::SecurityError(_)
                | GatekeeperRejectReason::TerminalExcluded
        );
        self.denied |= denied;
        let failure =
            RasFailure::GatekeeperRejected { gatekeeper: source, reason: reason(&grj.reject_reason) };
        self.note_failure(failure);
        self.try_next(now);
    }

    pub(super) fn on_discovery_unanswered(&mut self, now: Duration, to: SocketAddr) {
        self.note_failure(RasFailure::NoGatekeeper(to));
        if to == MULTICAST_GROUP { self.pause(now) } else { self.try_next(now) }
    }

    /// Asks the driver to look a name up.
    pub(super) fn ask(&mut self, now: Duration, asked: Asked, question: Question) -> bool {
        if self.questions.len() >= self.config.limits.requests
            || self.actions.len() >= self.config.limits.queue
        {
            self.counters.limited = self.counters.limited.saturating_add(1);
            return false;
        }
        self.last_id = self.last_id.wrapping_add(1);
        let id = self.last_id;
        self.questions.push((id, asked, now.saturating_add(self.config.timers.resolve)));
        self.actions.push_back(RasAction::Resolve { id, question });
        true
    }

    /// The name of a gatekeeper, for people.
    pub(super) fn gatekeeper_name(&self) -> String {
        match (&self.gatekeeper.identifier, self.gatekeeper.address) {
            (Some(name), Some(address)) => format!("{} at {address}", text(name)),
            (None, Some(address)) => address.to_string(),
            _ => "no gatekeeper".to_owned(),
        }
    }
}
