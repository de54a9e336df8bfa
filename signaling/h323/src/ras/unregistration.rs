//! The end of a registration (H.323 7.2.2; URQ, UCF, URJ), from either side; aliases given up; a gatekeeper left for another.
//! In: `stop`, the gatekeeper's URQ. Out: URQ, UCF, URJ; registering anew.
//!
//! Two endpoints with one alias can put each other out for ever where the gatekeeper lets the newer one win. So only the
//! first URQ is answered by registering at once; until a registration has held for `settled`, each further one doubles a
//! pause (`pause`).

use std::net::SocketAddr;
use std::time::Duration;

use offhook_wire::h225::{
    RasMessage, UnregRejectReason, UnregRequestReason, UnregistrationConfirm, UnregistrationReject,
    UnregistrationRequest,
};
use tracing::debug;

use super::Ras;
use super::event::{RasEvent, RasFailure, RasState};
use super::message::reason;
use super::transaction::Purpose;
use crate::Alias;
use crate::address::{aliases_from, aliases_to, to_h225};

/// How long a gatekeeper may repeat a URQ: more than twice what H.225.0 gives it.
const REPEATS: Duration = Duration::from_secs(15);

impl Ras {
    /// URQ to the gatekeeper that serves us, because another one does.
    pub(super) fn leave(&mut self, now: Duration) {
        let Some(address) = self.gatekeeper.address else {
            return;
        };
        let message = self.unregistration_request(None);
        self.request(now, address, Purpose::Leave, self.config.timers.urq, message);
    }

    fn unregistration_request(&self, aliases: Option<&[Alias]>) -> RasMessage {
        let addresses = self.params.signal_addresses.iter().copied().map(to_h225).collect();
        let mut urq = UnregistrationRequest::new(1, addresses);
        urq.endpoint_alias = aliases.and_then(aliases_to);
        urq.endpoint_identifier = self.registered.as_ref().map(|registered| registered.identifier.clone());
        urq.gatekeeper_identifier.clone_from(&self.gatekeeper.identifier);
        RasMessage::UnregistrationRequest(Box::new(urq))
    }

    /// `stop`: URQ, once no call needs the registration any more.
    pub(super) fn try_stop(&mut self, now: Duration) {
        if self.registered.is_some() && !self.calls.is_empty() {
            return;
        }
        self.go_home_at = None;
        self.keep_alive_at = None;
        self.resume_at = None;
        match (self.registered.is_some(), self.gatekeeper.address) {
            (true, Some(address)) if self.state != RasState::Unregistering => {
                let message = self.unregistration_request(None);
                let retry = self.config.timers.urq;
                self.set_state(RasState::Unregistering);
                self.forget(|purpose| *purpose == Purpose::KeepAlive);
                if !self.request(now, address, Purpose::Unregister, retry, message) {
                    self.on_unregistered(now);
                }
            }
            (true, Some(_)) => {}
            _ => self.on_unregistered(now),
        }
    }

    /// `stop` is done.
    pub(super) fn on_unregistered(&mut self, now: Duration) {
        self.registered = None;
        self.wanted = false;
        self.stop_wanted = false;
        self.keep_alive_at = None;
        self.resume_at = None;
        self.go_home_at = None;
        self.questions.retain(|(_, asked, _)| !matches!(asked, super::Asked::Gatekeeper));
        self.forget(|purpose| {
            !matches!(purpose, Purpose::Leave | Purpose::Locate(_) | Purpose::Disengage(_))
        });
        self.set_state(RasState::Stopped);
        // Calls that waited for a registration wait in vain.
        self.fail_waiting_calls(now);
        self.tell(RasEvent::Stopped);
    }

    /// UCF.
    pub(super) fn on_unregistration_confirm(&mut self, now: Duration, purpose: Purpose) {
        if purpose == Purpose::Unregister {
            self.on_unregistered(now);
        }
    }

    /// URJ.
    pub(super) fn on_unregistration_reject(
        &mut self,
        now: Duration,
        purpose: Purpose,
        urj: &UnregistrationReject,
    ) {
        if purpose != Purpose::Unregister {
            return;
        }
        match urj.reject_reason {
            // It counts calls that we do not: ours are over, or this would not have been sent. Its lifetime will end it.
            UnregRejectReason::CallInProgress | UnregRejectReason::NotCurrentlyRegistered => {}
            ref other => debug!(reason = reason(other), "URJ"),
        }
        self.on_unregistered(now);
    }

    /// URQ of the gatekeeper: we are registered no more.
    pub(super) fn on_unregistration_request(
        &mut self,
        now: Duration,
        source: SocketAddr,
        urq: &UnregistrationRequest,
    ) {
        // A repetition, because our UCF was lost: the registration that has come since is another, even where the
        // gatekeeper gives it the name of the old one.
        let repeated = self.last_leave.is_some_and(|(from, number, at)| {
            from == source && number == urq.request_seq_num && now.saturating_sub(at) < REPEATS
        });
        if repeated {
            let ucf = UnregistrationConfirm::new(urq.request_seq_num);
            self.transmit(now, source, &RasMessage::UnregistrationConfirm(Box::new(ucf)));
            return;
        }
        let ours = match (&urq.endpoint_identifier, &self.registered) {
            (Some(theirs), Some(registered)) => *theirs == registered.identifier,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        let answer = if ours {
            RasMessage::UnregistrationConfirm(Box::new(UnregistrationConfirm::new(urq.request_seq_num)))
        } else {
            let why = UnregRejectReason::NotCurrentlyRegistered;
            RasMessage::UnregistrationReject(Box::new(UnregistrationReject::new(urq.request_seq_num, why)))
        };
        self.transmit(now, source, &answer);
        if !ours {
            return;
        }
        self.last_leave = Some((source, urq.request_seq_num, now));
        // Only some of our aliases.
        let gone = aliases_from(urq.endpoint_alias.as_ref());
        if let Some(registered) = &mut self.registered
            && !gone.is_empty()
            && registered.info.aliases.iter().any(|alias| !gone.contains(alias))
        {
            registered.info.aliases.retain(|alias| !gone.contains(alias));
            let info = registered.info.clone();
            return self.tell(RasEvent::Registered(Box::new(info)));
        }
        if let Some(list) = &urq.alternate_gatekeeper {
            self.gatekeepers.set_alternates(list, self.config.limits.gatekeepers);
        }
        self.gatekeepers.set_assigned(urq.assigned_gatekeeper.as_ref());
        let why = urq.reason.as_ref().map_or_else(|| "no reason".to_owned(), reason);
        let held = self.registered.as_ref().map_or(Duration::ZERO, |r| now.saturating_sub(r.since));
        if held >= self.config.timers.settled {
            self.pauses = 0;
        }
        self.lose(RasFailure::Unregistered { gatekeeper: source, reason: why });
        if self.stop_wanted || !self.wanted {
            return self.on_unregistered(now);
        }
        match &urq.reason {
            Some(UnregRequestReason::RegisterWithAssignedGK) if self.gatekeepers.assigned.is_some() => {
                self.begin(now);
            }
            Some(UnregRequestReason::SecurityDenial | UnregRequestReason::SecurityError(_)) => {
                self.denied = true;
                self.pause(now);
            }
            // Once at once; a second time before the registration has settled, somebody else wants our aliases.
            _ if self.pauses == 0 => {
                self.pauses = 1;
                self.register(now);
            }
            _ => self.pause(now),
        }
    }

    /// Gives some aliases up.
    pub(super) fn remove(&mut self, now: Duration, aliases: &[Alias]) {
        self.aliases.retain(|alias| !aliases.contains(alias));
        let Some(registered) = &mut self.registered else {
            return;
        };
        registered.info.aliases.retain(|alias| !aliases.contains(alias));
        if let Some(address) = self.gatekeeper.address {
            let message = self.unregistration_request(Some(aliases));
            self.request(now, address, Purpose::Leave, self.config.timers.urq, message);
        }
    }
}
