//! Asking where a destination is (H.323 7.2.3; LRQ, LCF, LRJ), without having a call admitted.
//! In: aliases and whom to ask, answers. Out: LRQ, where the destination is signalled to.
//! Not here: answering LRQ (`gatekeeper`).

use std::net::SocketAddr;
use std::time::Duration;

use offhook_wire::h225::{LocationConfirm, LocationReject, LocationRequest, RasMessage};

use super::config::MULTICAST_GROUP;
use super::event::{Question, RasEvent};
use super::message::reason;
use super::transaction::Purpose;
use super::{Asked, Ras};
use crate::Alias;
use crate::address::{aliases_from, aliases_to, from_h225, to_h225};

/// Whom to ask for a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocateBy {
    /// The gatekeeper that has registered us.
    Gatekeeper,
    /// This one.
    Address(SocketAddr),
    /// Those of the SRV records `_h323ls._udp` of this domain (H.323 Annex O).
    Domain(String),
    /// All: the multicast group of gatekeepers; who knows it answers.
    Multicast,
}

/// Where a destination is (LCF).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Where Setup goes.
    pub signal_address: SocketAddr,
    /// The RAS address of the endpoint or of its gatekeeper.
    pub ras_address: Option<SocketAddr>,
    /// Whom Setup asks for; empty: as before.
    pub destination: Vec<Alias>,
    /// destExtraCallInfo for Setup.
    pub extra: Vec<Alias>,
    /// remoteExtensionAddress for Setup.
    pub remote_extension: Vec<Alias>,
}

/// Why a destination was not found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocationRejection {
    /// LRJ, its rejectReason.
    Rejected(String),
    /// Nobody has answered.
    Unanswered,
    /// There is nobody to ask: no gatekeeper, no SRV record.
    NobodyToAsk,
    /// None of the aliases can be sent, or too much is being asked.
    NotSent,
}

/// A search that still has somebody to ask.
#[derive(Debug)]
pub(super) struct Search {
    id: u32,
    destination: Vec<Alias>,
    /// Who has not been asked yet, the next one last.
    left: Vec<SocketAddr>,
}

impl Ras {
    /// Asks where `destination` is; the answer, [`RasEvent::Located`] or [`RasEvent::NotLocated`], has the number that
    /// this returns. Needs no registration unless it is the gatekeeper's.
    pub fn locate(&mut self, now: Duration, destination: Vec<Alias>, by: LocateBy) -> u32 {
        self.last_id = self.last_id.wrapping_add(1);
        let id = self.last_id;
        if self.searches.len() >= self.config.limits.requests {
            self.counters.limited = self.counters.limited.saturating_add(1);
            self.tell(RasEvent::NotLocated(id, LocationRejection::NotSent));
            return id;
        }
        let left = match by {
            LocateBy::Gatekeeper => {
                self.gatekeeper.address.filter(|_| self.registered.is_some()).into_iter().collect()
            }
            LocateBy::Address(address) => vec![address],
            LocateBy::Multicast => vec![MULTICAST_GROUP],
            LocateBy::Domain(domain) => {
                self.searches.push(Search { id, destination, left: Vec::new() });
                let question = Question::Service { name: format!("_h323ls._udp.{domain}") };
                if !self.ask(now, Asked::Location(id), question) {
                    self.end_search(id, LocationRejection::NotSent);
                }
                return id;
            }
        };
        self.searches.push(Search { id, destination, left });
        self.search_on(now, id, LocationRejection::NobodyToAsk);
        id
    }

    /// The driver's answer about `_h323ls._udp`.
    pub(super) fn on_location_resolved(&mut self, now: Duration, id: u32, addresses: &[SocketAddr]) {
        let most = self.config.limits.gatekeepers;
        if let Some(search) = self.searches.iter_mut().find(|search| search.id == id) {
            search.left = addresses.iter().take(most).rev().copied().collect();
        }
        self.search_on(now, id, LocationRejection::NobodyToAsk);
    }

    /// Asks the next one; if there is none, the search has ended for this reason.
    fn search_on(&mut self, now: Duration, id: u32, otherwise: LocationRejection) {
        let endpoint = self.endpoint_identifier();
        let gatekeeper = self.gatekeeper.clone();
        let reply = self.params.ras_address;
        let ours = self.aliases.clone();
        let Some(search) = self.searches.iter_mut().find(|search| search.id == id) else {
            return;
        };
        let Some(address) = search.left.pop() else {
            return self.end_search(id, otherwise);
        };
        let Some(destination) = aliases_to(&search.destination) else {
            return self.end_search(id, LocationRejection::NotSent);
        };
        let mut lrq = LocationRequest::new(1, destination, to_h225(reply));
        if gatekeeper.address == Some(address) {
            lrq.endpoint_identifier = endpoint;
            lrq.gatekeeper_identifier = gatekeeper.identifier;
        }
        lrq.source_info = aliases_to(&ours);
        lrq.can_map_alias = Some(true);
        lrq.hop_count = Some(8);
        let message = RasMessage::LocationRequest(Box::new(lrq));
        if !self.request(now, address, Purpose::Locate(id), self.config.timers.lrq, message) {
            self.end_search(id, LocationRejection::NotSent);
        }
    }

    fn end_search(&mut self, id: u32, why: LocationRejection) {
        self.searches.retain(|search| search.id != id);
        self.tell(RasEvent::NotLocated(id, why));
    }

    pub(super) fn on_location_confirm(&mut self, id: u32, lcf: &LocationConfirm) {
        let Some(signal_address) = from_h225(&lcf.call_signal_address) else {
            return self.end_search(id, LocationRejection::Rejected("no IP address".to_owned()));
        };
        self.searches.retain(|search| search.id != id);
        let located = Located {
            signal_address,
            ras_address: from_h225(&lcf.ras_address),
            destination: aliases_from(lcf.destination_info.as_ref()),
            extra: aliases_from(lcf.dest_extra_call_info.as_ref()),
            remote_extension: aliases_from(lcf.remote_extension_address.as_ref()),
        };
        self.tell(RasEvent::Located(id, Box::new(located)));
    }

    pub(super) fn on_location_reject(&mut self, now: Duration, id: u32, lrj: &LocationReject) {
        self.search_on(now, id, LocationRejection::Rejected(reason(&lrj.reject_reason)));
    }

    pub(super) fn on_location_unanswered(&mut self, now: Duration, id: u32) {
        self.search_on(now, id, LocationRejection::Unanswered);
    }
}
