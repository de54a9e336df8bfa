//! Requests and their answers: numbers, repetitions, proofs.
//! In: messages to send, the clock. Out: datagrams; requests given up.
//!
//! ```text
//! request ─ number, sign, send ─▶ Pending ─ answer with its number from its address ─▶ who asked
//!                                    │  └ RequestInProgress: wait for its delay, without repeating
//!                                    └ timeout: sign anew, send again; after the last: given up
//! ```
//!
//! A repetition has the number of its request and a fresh token: with its old one it would be a replay.
//!
//! Not here: what answers mean (the modules of the message families).

use std::net::SocketAddr;
use std::time::Duration;

use offhook_wire::h225::RasMessage;
use offhook_wire::per::{self, BmpString};
use tracing::{debug, trace};

use super::config::Retry;
use super::event::{RasEvent, RasFailure, RasState, RasTransmit};
use super::message::{Kind, lists, sequence, set_sequence};
use super::{Ras, RasCall};
use crate::h235::Method;

/// Who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// GRQ.
    Discover,
    /// GRQ to the first gatekeeper while an alternate serves us.
    Probe,
    /// Full RRQ.
    Register,
    /// Full RRQ to the first gatekeeper while an alternate serves us.
    GoHome,
    /// Lightweight RRQ.
    KeepAlive,
    /// RRQ that adds aliases.
    Add,
    /// URQ for all of us: `stop`.
    Unregister,
    /// URQ for some aliases, or to a gatekeeper that we have left.
    Leave,
    Admit(RasCall),
    Bandwidth(RasCall),
    Disengage(RasCall),
    /// IRR that is to be confirmed.
    Report,
    Locate(u32),
    /// RAI or SCI.
    Deliver(u32),
}

/// A request without an answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) number: u16,
    pub(super) kind: Kind,
    pub(super) purpose: Purpose,
    pub(super) to: SocketAddr,
    message: RasMessage,
    timeout: Duration,
    left: u32,
    deadline: Duration,
    /// RequestInProgress has been heard: no repetitions any more.
    in_progress: bool,
    /// When RequestInProgress can hold it up no longer.
    latest: Duration,
}

impl Ras {
    /// The next requestSeqNum that no waiting request has.
    fn next_number(&mut self) -> u16 {
        loop {
            self.number = self.number.checked_add(1).unwrap_or(1);
            if self.pending.iter().all(|pending| pending.number != self.number) {
                return self.number;
            }
        }
    }

    /// Sends a request and waits for its answer. False when it cannot be sent at all.
    pub(super) fn request(
        &mut self,
        now: Duration,
        to: SocketAddr,
        purpose: Purpose,
        retry: Retry,
        mut message: RasMessage,
    ) -> bool {
        // 65,535 numbers: with fewer requests there is always a free one.
        if self.pending.len() >= self.config.limits.requests.min(32_768) {
            self.counters.limited = self.counters.limited.saturating_add(1);
            return false;
        }
        let number = self.next_number();
        set_sequence(&mut message, number);
        if !self.transmit(now, to, &message) {
            return false;
        }
        self.pending.push(Pending {
            number,
            kind: Kind::of(&message),
            purpose,
            to,
            message,
            timeout: retry.timeout,
            left: retry.retries,
            deadline: now.saturating_add(retry.timeout),
            in_progress: false,
            latest: now.saturating_add(self.config.limits.in_progress),
        });
        true
    }

    /// Sends a message that nobody answers, under a number of its own.
    pub(super) fn notify(&mut self, now: Duration, to: SocketAddr, mut message: RasMessage) {
        let number = self.next_number();
        set_sequence(&mut message, number);
        self.transmit(now, to, &message);
    }

    /// Signs and sends. False when the message breaks a limit of H.225.0.
    pub(super) fn transmit(&mut self, now: Duration, to: SocketAddr, message: &RasMessage) -> bool {
        let kind = Kind::of(message);
        let methods = self.methods_for(kind);
        let time = self.unix(now);
        // A full RRQ asks for an endpointIdentifier: until then the alias is our name.
        let asks =
            matches!(message, RasMessage::RegistrationRequest(rrq) if rrq.endpoint_identifier.is_none());
        let endpoint = self.endpoint_identifier().filter(|_| !asks);
        let mut copy = message.clone();
        let encoded = match &mut self.authenticator {
            Some(authenticator) if !methods.is_empty() => {
                let user = self.config.security.as_ref().map(|security| security.user.as_str());
                let sender = endpoint.unwrap_or_else(|| BmpString::from(user.unwrap_or_default()));
                let names = (&sender, self.gatekeeper.identifier.as_ref());
                authenticator.sign(&mut copy, &methods, names, time, lists, per::encode)
            }
            _ => per::encode(&copy),
        };
        let octets = match encoded {
            Ok(octets) => octets,
            Err(error) => {
                debug!(kind = kind.name(), %error, "a RAS message cannot be encoded");
                self.failure = Some(RasFailure::Encoding(format!("{}: {error}", kind.name())));
                return false;
            }
        };
        trace!(kind = kind.name(), number = sequence(message), %to, "RAS out");
        self.counters.sent = self.counters.sent.saturating_add(1);
        if self.transmits.len() < self.config.limits.queue {
            self.transmits.push_back(RasTransmit { destination: to, bytes: octets.into() });
        } else {
            self.counters.limited = self.counters.limited.saturating_add(1);
        }
        true
    }

    /// By which methods a message of ours is signed.
    fn methods_for(&self, kind: Kind) -> Vec<Method> {
        // GRQ and LRQ come before anything is negotiated, GRQ to whoever listens.
        if self.config.security.is_none() || matches!(kind, Kind::GatekeeperRequest) {
            return Vec::new();
        }
        self.gatekeeper.methods.clone()
    }

    /// Takes the request that `number` from `source` answers, if `kinds` is what was asked for.
    pub(super) fn find_pending(&self, number: u16, kinds: &[Kind]) -> Option<usize> {
        self.pending.iter().position(|pending| pending.number == number && kinds.contains(&pending.kind))
    }

    /// Forgets requests that nobody waits for any more.
    pub(super) fn forget(&mut self, forget: impl Fn(&Purpose) -> bool) {
        self.pending.retain(|pending| !forget(&pending.purpose));
    }

    pub(super) fn awaits(&self, wanted: impl Fn(&Purpose) -> bool) -> bool {
        self.pending.iter().any(|pending| wanted(&pending.purpose))
    }

    /// RequestInProgress: the answer takes `delay` longer.
    pub(super) fn hold(&mut self, now: Duration, at: usize, delay: Duration) {
        self.counters.in_progress = self.counters.in_progress.saturating_add(1);
        if let Some(pending) = self.pending.get_mut(at) {
            pending.in_progress = true;
            pending.deadline = now.saturating_add(delay).min(pending.latest);
        }
    }

    pub(super) fn earliest_pending(&self) -> Option<Duration> {
        self.pending.iter().map(|pending| pending.deadline).min()
    }

    /// Sends again what is due, and gives up what was sent often enough.
    pub(super) fn expire_pending(&mut self, now: Duration) {
        while let Some(at) = self.pending.iter().position(|pending| pending.deadline <= now) {
            let Some(pending) = self.pending.get_mut(at) else { return };
            // After RequestInProgress has run out the request is repeated as if it were new.
            if pending.left > 0 && now < pending.latest {
                pending.left -= 1;
                pending.in_progress = false;
                pending.deadline = now.saturating_add(pending.timeout);
                let (to, message) = (pending.to, pending.message.clone());
                self.counters.repeated = self.counters.repeated.saturating_add(1);
                self.transmit(now, to, &message);
                continue;
            }
            let pending = self.pending.remove(at);
            self.counters.timeouts = self.counters.timeouts.saturating_add(1);
            debug!(kind = pending.kind.name(), to = %pending.to, "RAS request given up");
            self.on_given_up(now, &pending);
        }
    }

    fn on_given_up(&mut self, now: Duration, pending: &Pending) {
        match pending.purpose {
            Purpose::Discover => self.on_discovery_unanswered(now, pending.to),
            Purpose::Register => self.on_registration_unanswered(now, pending.to),
            Purpose::KeepAlive => self.on_keep_alive_unanswered(now, pending.to),
            Purpose::Probe | Purpose::GoHome => self.on_home_silent(now),
            // It may have arrived all the same: a full RRQ says what is to be registered.
            Purpose::Add => self.refresh(now, false),
            Purpose::Leave => {}
            Purpose::Unregister => self.on_unregistered(now),
            Purpose::Admit(call) => self.on_admission_unanswered(now, call),
            Purpose::Bandwidth(call) => self.on_bandwidth_unanswered(now, call),
            Purpose::Disengage(call) => self.on_disengage_unanswered(now, call),
            Purpose::Report => self.suspect(now),
            Purpose::Locate(id) => self.on_location_unanswered(now, id),
            Purpose::Deliver(id) => {
                self.tell(RasEvent::Delivered(id, false));
                self.suspect(now);
            }
        }
    }

    /// A request went unanswered: ask at once whether the gatekeeper still knows us.
    pub(super) fn suspect(&mut self, now: Duration) {
        // Who is leaving does not ask: the answer would register us anew.
        let leaving = self.state == RasState::Unregistering;
        if self.registered.is_some() && !leaving && !self.awaits(|purpose| *purpose == Purpose::KeepAlive) {
            self.keep_alive(now);
        }
    }
}
