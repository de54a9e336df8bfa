//! Registration: RRQ full, light and additive, and its answers (H.323 7.2.2; RRQ, RCF, RRJ).
//! In: a gatekeeper to register with, its answers, the clock. Out: RRQ, the registration.
//!
//! ```text
//! full RRQ ─ RCF ─▶ registered ─ two thirds of timeToLive ─▶ lightweight RRQ ─ RCF ─▶ registered
//!    │ RRJ                │                                       ├ RRJ fullRegistrationRequired ─▶ full RRQ
//!    ▼                    ├ URQ ─▶ UCF, then at once or after      ├ RRJ discoveryRequired ─▶ GRQ
//!  pause, or next         │        a pause: full RRQ              └ unanswered ─▶ alternate, or GRQ
//! ```
//!
//! Not here: what ends a registration (`unregistration`), who is asked next (`gatekeepers`), what calls make of it
//! (`calls`).

use std::net::SocketAddr;
use std::time::Duration;

use offhook_wire::h225::{
    RasMessage, RegistrationConfirm, RegistrationReject, RegistrationRejectReason, RegistrationRequest,
};
use offhook_wire::per::BmpString;
use tracing::debug;

use super::event::{PreGranted, RasEvent, RasFailure, RasState, Registration};
use super::gatekeepers::{Candidate, Gatekeeper};
use super::message::{reason, text};
use super::transaction::Purpose;
use super::{Ras, Registered};
use crate::Alias;
use crate::address::{aliases_from, aliases_to, from_h225, to_h225};
use crate::product::{PROTOCOL_IDENTIFIER, vendor_identifier};

/// A lifetime below this would make us send without pause.
const LEAST_TIME_TO_LIVE: u32 = 5;

impl Ras {
    /// Registers with a gatekeeper that was not asked by GRQ.
    pub(super) fn register_with(&mut self, now: Duration, candidate: Candidate) {
        self.confirmed_from = None;
        // Methods are what the last GCF chose; a gatekeeper that was never asked gets all of them.
        let methods = match (&self.config.security, self.gatekeeper.methods.is_empty()) {
            (Some(security), true) => security.methods.clone(),
            _ => std::mem::take(&mut self.gatekeeper.methods),
        };
        self.gatekeeper =
            Gatekeeper { address: Some(candidate.address), identifier: candidate.identifier, methods };
        self.register(now);
    }

    /// Full RRQ to the present gatekeeper.
    pub(super) fn register(&mut self, now: Duration) {
        let Some(address) = self.gatekeeper.address else {
            return self.pause(now);
        };
        self.registered = None;
        self.keep_alive_at = None;
        self.forget(|purpose| matches!(purpose, Purpose::KeepAlive | Purpose::Register | Purpose::Add));
        let message = self.registration_request(false, &self.gatekeeper);
        let retry = self.config.timers.rrq;
        self.set_state(RasState::Registering);
        if !self.request(now, address, Purpose::Register, retry, message) {
            self.pause(now);
        }
    }

    pub(super) fn registration_request(&self, keep_alive: bool, gatekeeper: &Gatekeeper) -> RasMessage {
        let mut rrq = RegistrationRequest::new(
            1,
            PROTOCOL_IDENTIFIER,
            self.config.ask_first,
            self.params.signal_addresses.iter().copied().map(to_h225).collect(),
            vec![to_h225(self.params.ras_address)],
            self.endpoint_type(),
            vendor_identifier(&self.config.vendor),
        );
        rrq.gatekeeper_identifier = gatekeeper.identifier.clone();
        rrq.time_to_live = self.config.time_to_live.map(|ttl| ttl.as_secs().clamp(1, 0xffff_ffff) as u32);
        rrq.keep_alive = Some(keep_alive);
        if keep_alive {
            rrq.endpoint_identifier =
                self.registered.as_ref().map(|registered| registered.identifier.clone());
            return RasMessage::RegistrationRequest(Box::new(rrq));
        }
        rrq.terminal_alias = aliases_to(&self.aliases);
        rrq.will_supply_uuies = Some(self.config.supply_uuies);
        rrq.maintain_connection = Some(false);
        rrq.multiple_calls = Some(false);
        rrq.supports_alt_gk = Some(());
        rrq.supports_assigned_gk = Some(true);
        rrq.usage_reporting_capability = Some(super::calls::usage_types());
        // Calls of a former life are over, unless some still run.
        if !self.has_registered && self.calls.is_empty() {
            rrq.restart = Some(());
        }
        RasMessage::RegistrationRequest(Box::new(rrq))
    }

    /// RCF to a full or an additive RRQ.
    pub(super) fn on_registration_confirm(
        &mut self,
        now: Duration,
        purpose: Purpose,
        source: SocketAddr,
        rcf: &RegistrationConfirm,
    ) {
        match purpose {
            Purpose::KeepAlive => return self.on_kept_alive(now, rcf),
            Purpose::Add => return self.on_added(rcf),
            Purpose::GoHome => {
                self.leave(now);
                let home = Gatekeeper { address: Some(source), ..std::mem::take(&mut self.home_found) };
                self.gatekeeper = home;
                self.counters.failovers = self.counters.failovers.saturating_add(1);
            }
            _ => {}
        }
        if let Some(list) = &rcf.alternate_gatekeeper {
            self.gatekeepers.set_alternates(list, self.config.limits.gatekeepers);
        }
        self.gatekeepers.set_assigned(rcf.assigned_gatekeeper.as_ref());
        if rcf.gatekeeper_identifier.is_some() {
            self.gatekeeper.identifier.clone_from(&rcf.gatekeeper_identifier);
        }
        self.gatekeepers.forget_tries();
        self.gatekeepers.away = !self.gatekeepers.is_home(source);
        let told = aliases_from(rcf.terminal_alias.as_ref());
        let ttl = lifetime(rcf.time_to_live);
        let info = Registration {
            gatekeeper: source,
            gatekeeper_identifier: self.gatekeeper.identifier.as_ref().map(text),
            endpoint_identifier: text(&rcf.endpoint_identifier),
            aliases: if told.is_empty() { self.aliases.clone() } else { told },
            time_to_live: ttl,
            pre_granted: pre_granted(rcf),
            signal_addresses: rcf.call_signal_address.iter().take(8).filter_map(from_h225).collect(),
            additive: rcf.supports_additive_registration.is_some(),
            will_respond_to_irr: rcf.will_respond_to_irr.unwrap_or(false),
            is_alternate: self.gatekeepers.away,
        };
        self.registered =
            Some(Registered { identifier: rcf.endpoint_identifier.clone(), since: now, info: info.clone() });
        self.failure = None;
        self.denied = false;
        self.has_registered = true;
        self.counters.registrations = self.counters.registrations.saturating_add(1);
        self.schedule_keep_alive(now, ttl);
        self.go_home_at =
            if self.gatekeepers.away { self.config.timers.go_home.map(|after| now + after) } else { None };
        self.set_state(RasState::Registered);
        self.tell(RasEvent::Registered(Box::new(info)));
        self.after_registration(now);
        if self.stop_wanted {
            self.try_stop(now);
        }
    }

    fn schedule_keep_alive(&mut self, now: Duration, ttl: Option<Duration>) {
        // A third of the lifetime is left for repetitions.
        let after = ttl.map(|ttl| ttl * 2 / 3).or(self.config.timers.keep_alive);
        self.keep_alive_at = after.map(|after| now.saturating_add(after));
    }

    /// Refreshes the registration.
    pub(super) fn keep_alive(&mut self, now: Duration) {
        self.refresh(now, self.config.lightweight);
    }

    /// The same, by a lightweight RRQ or by a full one.
    pub(super) fn refresh(&mut self, now: Duration, light: bool) {
        self.keep_alive_at = None;
        let (Some(address), true) = (self.gatekeeper.address, self.registered.is_some()) else {
            return;
        };
        let message = if light {
            self.registration_request(true, &self.gatekeeper)
        } else {
            let mut message = self.registration_request(false, &self.gatekeeper);
            if let RasMessage::RegistrationRequest(rrq) = &mut message {
                rrq.endpoint_identifier =
                    self.registered.as_ref().map(|registered| registered.identifier.clone());
            }
            message
        };
        if !self.request(now, address, Purpose::KeepAlive, self.config.timers.rrq, message) {
            self.schedule_keep_alive(now, None);
        }
    }

    fn on_kept_alive(&mut self, now: Duration, rcf: &RegistrationConfirm) {
        self.counters.keep_alives = self.counters.keep_alives.saturating_add(1);
        if let Some(list) = &rcf.alternate_gatekeeper {
            self.gatekeepers.set_alternates(list, self.config.limits.gatekeepers);
        }
        self.gatekeepers.forget_tries();
        let Some(registered) = &mut self.registered else {
            return;
        };
        // A gatekeeper may rename us, and change the lifetime; without one the old lifetime holds.
        registered.identifier.clone_from(&rcf.endpoint_identifier);
        registered.info.endpoint_identifier = text(&rcf.endpoint_identifier);
        registered.info.time_to_live = lifetime(rcf.time_to_live).or(registered.info.time_to_live);
        let told = aliases_from(rcf.terminal_alias.as_ref());
        if !told.is_empty() {
            registered.info.aliases = told;
        }
        let ttl = registered.info.time_to_live;
        let settled = now.saturating_sub(registered.since) >= self.config.timers.settled;
        if settled {
            self.pauses = 0;
        }
        self.schedule_keep_alive(now, ttl);
    }

    /// RRJ.
    pub(super) fn on_registration_reject(
        &mut self,
        now: Duration,
        purpose: Purpose,
        source: SocketAddr,
        rrj: &RegistrationReject,
    ) {
        use RegistrationRejectReason as Reason;
        if purpose == Purpose::GoHome {
            return self.on_home_silent(now);
        }
        let why = RasFailure::RegistrationRejected { gatekeeper: source, reason: reason(&rrj.reject_reason) };
        if let Some(info) = &rrj.alt_gk_info {
            self.gatekeepers.add_alternates(info, self.config.limits.gatekeepers);
        }
        self.gatekeepers.set_assigned(rrj.assigned_gatekeeper.as_ref());
        if purpose == Purpose::Add {
            // What was registered before stays so; what was to be added is not.
            if let Some(registered) = &self.registered {
                self.aliases.clone_from(&registered.info.aliases);
            }
            self.failure = Some(why);
            return;
        }
        let was_registered = self.registered.is_some();
        if was_registered {
            self.lose(why.clone());
        } else {
            self.note_failure(why);
        }
        match &rrj.reject_reason {
            // The gatekeeper has forgotten us: it was restarted. At once, but not for ever.
            Reason::FullRegistrationRequired if was_registered => self.register(now),
            Reason::DiscoveryRequired if was_registered || !self.asked_again => {
                self.asked_again = !was_registered;
                self.gatekeepers.forget_tries();
                self.begin(now);
            }
            Reason::RegisterWithAssignedGK => {
                self.gatekeepers.has_failed(source);
                match self.gatekeepers.next_assigned() {
                    Some(assigned) => self.register_with(now, assigned),
                    None => self.pause(now),
                }
            }
            Reason::DuplicateAlias(_)
            | Reason::SecurityDenial
            | Reason::SecurityError(_)
            | Reason::InvalidAlias
            | Reason::InvalidTerminalAliases(_) => {
                self.denied = true;
                self.pause(now);
            }
            _ => match self.gatekeepers.next_alternate() {
                Some(alternate) => self.register_with(now, alternate),
                None => self.pause(now),
            },
        }
    }

    pub(super) fn on_registration_unanswered(&mut self, now: Duration, to: SocketAddr) {
        // An answer that did not prove itself says more than silence.
        let why = match self.unproved_since_request {
            Some(failure) => RasFailure::Unproved { gatekeeper: to, failure },
            None => RasFailure::RegistrationUnanswered(to),
        };
        self.note_failure(why);
        self.gatekeepers.has_failed(to);
        // Behind an address translator, or with several addresses, a gatekeeper may name one that we cannot reach.
        if let Some(source) = self.confirmed_from.take() {
            self.gatekeeper.address = Some(source);
            return self.register(now);
        }
        match self.gatekeepers.next_alternate() {
            Some(alternate) => self.register_with(now, alternate),
            None => self.try_next(now),
        }
    }

    /// The gatekeeper is gone: an alternate, or the search begins anew.
    pub(super) fn on_keep_alive_unanswered(&mut self, now: Duration, to: SocketAddr) {
        self.gatekeepers.has_failed(to);
        match self.gatekeepers.next_alternate() {
            Some(alternate) if !alternate.need_to_register => {
                debug!(to = %alternate.address, "to an alternate gatekeeper that knows us");
                self.counters.failovers = self.counters.failovers.saturating_add(1);
                self.gatekeeper.address = Some(alternate.address);
                if alternate.identifier.is_some() {
                    self.gatekeeper.identifier = alternate.identifier;
                }
                self.gatekeepers.away = true;
                self.go_home_at = self.config.timers.go_home.map(|after| now.saturating_add(after));
                if let Some(registered) = &mut self.registered {
                    registered.info.gatekeeper = alternate.address;
                    registered.info.is_alternate = true;
                }
                self.keep_alive(now);
            }
            Some(alternate) => {
                debug!(to = %alternate.address, "to an alternate gatekeeper");
                self.counters.failovers = self.counters.failovers.saturating_add(1);
                self.lose(RasFailure::Lost(to));
                self.register_with(now, alternate);
            }
            None => {
                self.lose(RasFailure::Lost(to));
                self.begin(now);
            }
        }
    }

    /// The registration is over; what comes next is the caller's.
    pub(super) fn lose(&mut self, why: RasFailure) {
        if self.registered.take().is_some() {
            self.counters.losses = self.counters.losses.saturating_add(1);
        }
        self.keep_alive_at = None;
        self.forget(|purpose| matches!(purpose, Purpose::KeepAlive | Purpose::Add));
        self.note_failure(why);
        self.release_for_loss();
    }

    /// Home is asked whether it is back.
    pub(super) fn probe_home(&mut self, now: Duration) {
        self.go_home_at = None;
        let Some(home) = self.gatekeepers.home().filter(|_| self.registered.is_some()) else {
            return;
        };
        let message = self.gatekeeper_request(&home);
        let retry = super::Retry { retries: 0, ..self.config.timers.grq };
        if !self.request(now, home.address, Purpose::Probe, retry, message) {
            self.on_home_silent(now);
        }
    }

    /// It is: register there, and only then leave the alternate.
    pub(super) fn go_home(&mut self, now: Duration, home: Gatekeeper) {
        let Some(address) = home.address.filter(|_| self.registered.is_some()) else {
            return;
        };
        let message = self.registration_request(false, &home);
        let serving = std::mem::replace(&mut self.gatekeeper, home);
        let sent = self.request(now, address, Purpose::GoHome, self.config.timers.rrq, message);
        self.home_found = std::mem::replace(&mut self.gatekeeper, serving);
        if !sent {
            self.on_home_silent(now);
        }
    }

    pub(super) fn on_home_silent(&mut self, now: Duration) {
        if self.registered.is_some() && self.gatekeepers.away {
            self.go_home_at = self.config.timers.go_home.map(|after| now.saturating_add(after));
        }
    }

    /// Registers further aliases, or all anew where the gatekeeper cannot add.
    pub(super) fn add(&mut self, now: Duration, aliases: Vec<Alias>) {
        let new: Vec<Alias> = aliases.into_iter().filter(|alias| !self.aliases.contains(alias)).collect();
        if new.is_empty() {
            return;
        }
        self.aliases.extend(new.iter().cloned());
        let (Some(registered), Some(address)) = (&self.registered, self.gatekeeper.address) else {
            return;
        };
        if !registered.info.additive {
            return self.register(now);
        }
        let identifier = registered.identifier.clone();
        let mut message = self.registration_request(false, &self.gatekeeper);
        if let RasMessage::RegistrationRequest(rrq) = &mut message {
            rrq.terminal_alias = aliases_to(&new);
            rrq.additive_registration = Some(());
            rrq.endpoint_identifier = Some(identifier);
            rrq.restart = None;
        }
        self.request(now, address, Purpose::Add, self.config.timers.rrq, message);
    }

    fn on_added(&mut self, rcf: &RegistrationConfirm) {
        let Some(registered) = &mut self.registered else {
            return;
        };
        // RCF names what was added, or everything: what it leaves out of ours was there before.
        for alias in aliases_from(rcf.terminal_alias.as_ref()).into_iter().chain(self.aliases.iter().cloned())
        {
            if !registered.info.aliases.contains(&alias) {
                registered.info.aliases.push(alias);
            }
        }
        self.aliases.clone_from(&registered.info.aliases);
        let info = registered.info.clone();
        self.tell(RasEvent::Registered(Box::new(info)));
    }

    /// The endpointIdentifier that requests carry.
    pub(super) fn endpoint_identifier(&self) -> Option<BmpString> {
        self.registered.as_ref().map(|registered| registered.identifier.clone())
    }
}

fn lifetime(ttl: Option<u32>) -> Option<Duration> {
    ttl.map(|ttl| Duration::from_secs(ttl.max(LEAST_TIME_TO_LIVE).into()))
}

fn pre_granted(rcf: &RegistrationConfirm) -> PreGranted {
    let Some(granted) = &rcf.pre_granted_arq else {
        return PreGranted::default();
    };
    PreGranted {
        make_call: granted.make_call,
        make_by_gatekeeper: granted.use_gk_call_signal_address_to_make_call,
        answer_call: granted.answer_call,
        answer_by_gatekeeper: granted.use_gk_call_signal_address_to_answer,
        total_bandwidth: granted.total_bandwidth_restriction,
        irr_interval: granted.irr_frequency_in_call.map(|seconds| Duration::from_secs(seconds.into())),
    }
}
