//! What the gatekeeper knows: endpoints and calls.
//! In: registrations and admissions. Out: rows for people, look-ups for decisions.
//! Not here: messages.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::Alias;
use crate::h235::Method;
use crate::ras::CallModel;

/// A registered endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointRow {
    /// endpointIdentifier.
    pub identifier: String,
    /// Where its RAS messages come from.
    pub ras_address: SocketAddr,
    /// Where it takes calls.
    pub signal_addresses: Vec<SocketAddr>,
    /// Under what it is known.
    pub aliases: Vec<Alias>,
    /// Prefixes that it takes, as a gateway.
    pub prefixes: Vec<String>,
    /// Product and version, as it says.
    pub product: String,
    /// The user that it has proved to be.
    pub user: Option<String>,
    /// By which method.
    pub method: Option<Method>,
    /// When it registered.
    pub since: Duration,
    /// When its registration ends, if it is not refreshed.
    pub expires: Duration,
    /// It has said that it is nearly out of resources (RAI).
    pub almost_out: bool,
}

/// One side of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallLeg {
    /// endpointIdentifier.
    pub endpoint: String,
    /// The call reference value on its side.
    pub call_reference: u16,
}

/// An admitted call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRow {
    /// callIdentifier.
    pub call_identifier: [u8; 16],
    /// conferenceID.
    pub conference_id: [u8; 16],
    /// How it is signalled.
    pub model: CallModel,
    /// Who makes it, if registered here.
    pub caller: Option<CallLeg>,
    /// Who answers it, once it has asked.
    pub called: Option<CallLeg>,
    /// Whom it is for.
    pub destination: Vec<Alias>,
    /// Where it is signalled to in the end.
    pub address: Option<SocketAddr>,
    /// What it may use, in 100 bit/s.
    pub bandwidth: u32,
    /// When it was admitted.
    pub since: Duration,
    /// When one of its endpoints last spoke of it (IRR, BRQ).
    pub heard: Duration,
}

impl CallRow {
    /// The endpoints that take part and are registered here.
    pub fn legs(&self) -> impl Iterator<Item = (&CallLeg, bool)> {
        self.caller.iter().map(|leg| (leg, false)).chain(self.called.iter().map(|leg| (leg, true)))
    }
}

#[derive(Debug, Default)]
pub(super) struct Table {
    endpoints: HashMap<String, EndpointRow>,
    aliases: HashMap<Alias, String>,
    pub(super) calls: HashMap<[u8; 16], CallRow>,
}

impl Table {
    pub(super) fn endpoints(&self) -> impl Iterator<Item = &EndpointRow> {
        self.endpoints.values()
    }

    pub(super) fn count(&self) -> usize {
        self.endpoints.len()
    }

    pub(super) fn endpoint(&self, identifier: &str) -> Option<&EndpointRow> {
        self.endpoints.get(identifier)
    }

    pub(super) fn endpoint_mut(&mut self, identifier: &str) -> Option<&mut EndpointRow> {
        self.endpoints.get_mut(identifier)
    }

    /// Puts an endpoint in; whoever had its aliases before must be out, or has lost them.
    pub(super) fn insert(&mut self, row: EndpointRow) {
        self.remove(&row.identifier.clone());
        for alias in &row.aliases {
            self.aliases.insert(alias.clone(), row.identifier.clone());
        }
        self.endpoints.insert(row.identifier.clone(), row);
    }

    pub(super) fn remove(&mut self, identifier: &str) -> Option<EndpointRow> {
        let row = self.endpoints.remove(identifier)?;
        self.aliases.retain(|_, owner| owner != identifier);
        Some(row)
    }

    /// Gives more aliases to a registered endpoint.
    pub(super) fn add_aliases(&mut self, identifier: &str, aliases: &[Alias], most: usize) {
        let Some(row) = self.endpoints.get_mut(identifier) else { return };
        for alias in aliases {
            if row.aliases.len() < most && !row.aliases.contains(alias) {
                row.aliases.push(alias.clone());
                self.aliases.insert(alias.clone(), identifier.to_owned());
            }
        }
    }

    /// Takes some aliases away; true when none is left.
    pub(super) fn remove_aliases(&mut self, identifier: &str, aliases: &[Alias]) -> bool {
        let Some(row) = self.endpoints.get_mut(identifier) else { return false };
        row.aliases.retain(|alias| !aliases.contains(alias));
        self.aliases.retain(|alias, owner| owner != identifier || !aliases.contains(alias));
        row.aliases.is_empty()
    }

    pub(super) fn owner(&self, alias: &Alias) -> Option<&str> {
        self.aliases.get(alias).map(String::as_str)
    }

    /// The endpoint that takes calls at `address`.
    pub(super) fn at_signal_address(&self, address: SocketAddr) -> Option<&EndpointRow> {
        self.endpoints.values().find(|row| row.signal_addresses.contains(&address))
    }

    /// Whom these aliases lead to: an owner, else the gateway with the longest prefix that has resources.
    pub(super) fn find(&self, aliases: &[Alias]) -> Option<&EndpointRow> {
        let owner = aliases.iter().find_map(|alias| self.owner(alias));
        if let Some(owner) = owner {
            return self.endpoints.get(owner);
        }
        let digits: Vec<&str> = aliases
            .iter()
            .filter_map(|alias| match alias {
                Alias::DialedDigits(digits) | Alias::PartyNumber(digits) => Some(digits.as_str()),
                _ => None,
            })
            .collect();
        let fits = |row: &EndpointRow| {
            let prefixes = row.prefixes.iter().filter(|p| digits.iter().any(|d| d.starts_with(p.as_str())));
            prefixes.map(String::len).max()
        };
        self.endpoints
            .values()
            .filter_map(|row| Some((fits(row)?, !row.almost_out, row)))
            .max_by(|one, other| {
                (one.0, one.1, &other.2.identifier).cmp(&(other.0, other.1, &one.2.identifier))
            })
            .map(|(_, _, row)| row)
    }

    /// The bandwidth of all calls but one, in 100 bit/s.
    pub(super) fn bandwidth_beside(&self, call: [u8; 16]) -> u32 {
        let others = self.calls.values().filter(|row| row.call_identifier != call);
        others.fold(0, |sum, row| sum.saturating_add(row.bandwidth))
    }
}
