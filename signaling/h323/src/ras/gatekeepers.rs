//! Whom to ask: the gatekeeper that was configured, those that it names beside itself, the one it assigns.
//! In: addresses from the configuration, the DNS, GCF, RCF, rejects. Out: the next one to try.
//!
//! ```text
//! home: assigned, else configured ─┬─ unanswered ─▶ alternates by priority ─ unanswered ─▶ pause, home again
//!                                  └◀─ GRQ, RRQ answered ─ every `go_home` ─ an alternate serves us
//! ```
//!
//! Not here: requests (`discovery`, `registration`).

use std::net::SocketAddr;

use offhook_wire::h225::{AltGKInfo, AlternateGK};
use offhook_wire::per::BmpString;

use crate::address::from_h225;
use crate::h235::Method;

/// A gatekeeper to turn to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    pub(super) address: SocketAddr,
    pub(super) identifier: Option<BmpString>,
    /// It does not know of our registration.
    pub(super) need_to_register: bool,
    /// 0 is tried first.
    priority: u8,
}

impl Candidate {
    pub(super) fn at(address: SocketAddr) -> Self {
        Self { address, identifier: None, need_to_register: true, priority: 0 }
    }

    fn from_wire(gatekeeper: &AlternateGK) -> Option<Self> {
        let address = from_h225(&gatekeeper.ras_address)?;
        // Nobody is there, and datagrams to it reach others.
        if address.ip().is_unspecified() || address.ip().is_multicast() || address.port() == 0 {
            return None;
        }
        Some(Self {
            address,
            identifier: gatekeeper.gatekeeper_identifier.clone(),
            need_to_register: gatekeeper.need_to_register,
            priority: gatekeeper.priority,
        })
    }
}

/// The gatekeeper that serves us, or is being asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Gatekeeper {
    pub(super) address: Option<SocketAddr>,
    pub(super) identifier: Option<BmpString>,
    /// By which our messages are signed.
    pub(super) methods: Vec<Method>,
}

/// All gatekeepers that we know of.
#[derive(Debug, Clone, Default)]
pub(super) struct Gatekeepers {
    /// From the configuration or the DNS, best first.
    pub(super) configured: Vec<SocketAddr>,
    /// Where GCF or RCF sends us.
    pub(super) assigned: Option<Candidate>,
    /// By priority.
    alternates: Vec<Candidate>,
    /// Tried since the last success.
    tried: Vec<SocketAddr>,
    /// The alternate that serves us, if one does.
    pub(super) away: bool,
}

impl Gatekeepers {
    /// The one that should serve us.
    pub(super) fn home(&self) -> Option<Candidate> {
        self.assigned.clone().or_else(|| self.configured.first().copied().map(Candidate::at))
    }

    /// Takes the list that a gatekeeper sends; an empty one revokes (H.323 7.2.6).
    pub(super) fn set_alternates(&mut self, list: &[AlternateGK], most: usize) {
        self.alternates = list.iter().take(most).filter_map(Candidate::from_wire).collect();
        // Stable: of one priority, the gatekeeper's order.
        self.alternates.sort_by_key(|candidate| candidate.priority);
    }

    /// Adds those of a reject behind the known ones.
    pub(super) fn add_alternates(&mut self, info: &AltGKInfo, most: usize) {
        for candidate in info.alternate_gatekeeper.iter().filter_map(Candidate::from_wire) {
            if self.alternates.len() < most && self.alternates.iter().all(|a| a.address != candidate.address)
            {
                self.alternates.push(candidate);
            }
        }
        self.alternates.sort_by_key(|candidate| candidate.priority);
    }

    pub(super) fn set_assigned(&mut self, assigned: Option<&AlternateGK>) {
        if let Some(candidate) = assigned.and_then(Candidate::from_wire) {
            self.assigned = Some(candidate);
        }
    }

    /// What the GCF of the gatekeeper at `from` says of it. One that says nothing takes the assignment back, lest an
    /// assigned gatekeeper that is gone keeps us from all others; only its own GCF need not repeat it.
    pub(super) fn renew_assigned(&mut self, from: Option<SocketAddr>, assigned: Option<&AlternateGK>) {
        let own = self.assigned.take().filter(|known| Some(known.address) == from);
        self.assigned = assigned.and_then(Candidate::from_wire).or(own);
    }

    /// The assigned gatekeeper, if this round has not tried it yet; it has then.
    pub(super) fn next_assigned(&mut self) -> Option<Candidate> {
        let assigned = self.assigned.clone().filter(|assigned| !self.tried.contains(&assigned.address))?;
        self.has_failed(assigned.address);
        Some(assigned)
    }

    /// The next one that was not tried yet, which is then.
    pub(super) fn next(&mut self) -> Option<Candidate> {
        let configured = self.configured.iter().copied().map(Candidate::at);
        let all = self.assigned.iter().cloned().chain(configured).chain(self.alternates.iter().cloned());
        let next = all.into_iter().find(|candidate| !self.tried.contains(&candidate.address))?;
        self.tried.push(next.address);
        Some(next)
    }

    /// The next of the alternates that was not tried yet.
    pub(super) fn next_alternate(&mut self) -> Option<Candidate> {
        let next = self.alternates.iter().find(|candidate| !self.tried.contains(&candidate.address))?.clone();
        self.tried.push(next.address);
        Some(next)
    }

    /// Begins a new round.
    pub(super) fn forget_tries(&mut self) {
        self.tried.clear();
    }

    /// Not to be tried again in this round.
    pub(super) fn has_failed(&mut self, address: SocketAddr) {
        if !self.tried.contains(&address) && self.tried.len() < 256 {
            self.tried.push(address);
        }
    }

    pub(super) fn is_home(&self, address: SocketAddr) -> bool {
        self.home().is_none_or(|home| home.address == address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::to_h225;

    fn alternate(last: u8, priority: u8) -> AlternateGK {
        AlternateGK::new(to_h225(([10, 0, 0, last], 1719).into()), true, priority)
    }

    #[test]
    fn each_is_tried_once_a_round_home_first_then_by_priority() {
        let mut all =
            Gatekeepers { configured: vec![([10, 0, 0, 1], 1719).into()], ..Gatekeepers::default() };
        all.set_alternates(&[alternate(4, 9), alternate(3, 1), alternate(0, 0), alternate(1, 0)], 8);
        let order: Vec<_> =
            std::iter::from_fn(|| all.next()).map(|candidate| candidate.address.to_string()).collect();
        assert_eq!(order, ["10.0.0.1:1719", "10.0.0.0:1719", "10.0.0.3:1719", "10.0.0.4:1719"]);
        all.forget_tries();
        all.has_failed(([10, 0, 0, 0], 1719).into());
        all.has_failed(([10, 0, 0, 1], 1719).into());
        assert_eq!(
            all.next_alternate().map(|candidate| candidate.address.to_string()).as_deref(),
            Some("10.0.0.3:1719")
        );
        all.set_alternates(&[], 8);
        assert!(all.next_alternate().is_none());
    }
}
