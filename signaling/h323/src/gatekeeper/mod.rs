//! A small gatekeeper: discovery, registration, admission, bandwidth, location, reports, orders.
//! In: datagrams, time, the operator's wishes. Out: datagrams, events, a table; decisions for routed call signalling.
//!
//! | file | |
//! |---|---|
//! | `registration` | GRQ, RRQ, URQ of endpoints |
//! | `admission` | ARQ, BRQ, DRQ, LRQ; where a routed Setup goes |
//! | `orders` | our own URQ, DRQ, BRQ, IRQ |
//! | `receive` | repetitions, strangers, whose answer it is |
//! | `security` | who an endpoint is |
//! | `setup` | a routed Setup on its way |
//! | `table` | endpoints and calls |
//!
//! It is for tests and for trying things out, and real on the wire. It has no neighbours, no accounting, no rules for
//! numbers, no proxy for media and no database; where one needs those, one deploys GNU Gatekeeper.

mod admission;
mod config;
mod orders;
mod receive;
mod registration;
mod security;
mod setup;
mod table;

use std::collections::{HashMap, VecDeque};
use std::hash::RandomState;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use offhook_wire::h225::{RasMessage, UnregRequestReason};

pub use admission::Routing;
pub use config::{
    AlternateGatekeeper, DuplicateAliases, GatekeeperConfig, GatekeeperLimits, GatekeeperParams,
};
pub use setup::{RerouteError, reroute};
pub use table::{CallLeg, CallRow, EndpointRow};

use crate::h235::Method;
use crate::random::Random;
use crate::ras::message::Kind;
use crate::ras::{AdmissionReason, RasTransmit};
use orders::Order;
use security::User;
use table::Table;

/// How long an answer is kept for a repeated request: longer than any endpoint repeats (GRQ: 15 s).
const KEPT: Duration = Duration::from_secs(20);

/// Why an endpoint is registered no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Leaving {
    /// It has said so (URQ).
    Asked,
    /// The operator, or an endpoint that wants its aliases.
    Ordered,
    /// Its lifetime was over.
    Expired,
}

/// Why a call is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallEnd {
    /// Its endpoints have said so (DRQ), or its signalling is gone.
    Disengaged,
    /// The operator.
    Ordered,
    /// Its last endpoint is registered no more.
    Abandoned,
}

/// What an operator gets to know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GatekeeperEvent {
    /// An endpoint has registered, or changed its registration.
    Registered(Box<EndpointRow>),
    /// It is registered no more.
    Unregistered(Box<EndpointRow>, Leaving),
    /// A request was refused, and why.
    Refused(SocketAddr, String),
    /// A call is admitted, for the side that makes it or (`true`) for the side that answers it.
    Admitted(Box<CallRow>, bool),
    /// A call is not admitted: callIdentifier, endpointIdentifier.
    NotAdmitted([u8; 16], String, AdmissionReason),
    /// A call has another bandwidth, in 100 bit/s.
    Bandwidth([u8; 16], u32),
    /// A call is over.
    CallEnded(Box<CallRow>, CallEnd),
    /// IRR of an endpoint: the callIdentifiers in it; asked for, or (`true`) on its own.
    Report(String, Vec<[u8; 16]>, bool),
    /// An endpoint has not answered our request of this name.
    Unanswered(String, &'static str),
}

/// What has happened so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct GatekeeperCounters {
    pub received: u64,
    pub sent: u64,
    pub undecodable: u64,
    /// Requests that were answered as before.
    pub repetitions: u64,
    pub registered: u64,
    pub refreshed: u64,
    pub expired: u64,
    /// Requests whose proof was wrong.
    pub denied: u64,
    pub admitted: u64,
    pub not_admitted: u64,
    /// Repetitions of our requests.
    pub repeated: u64,
    /// Our requests without an answer.
    pub unanswered: u64,
    /// Answers to no request of ours.
    pub unexpected: u64,
    /// What [`GatekeeperLimits`] did not let in.
    pub limited: u64,
}

/// A message to send, and for whom it is signed: user and endpointIdentifier.
#[derive(Debug)]
struct Answer {
    message: RasMessage,
    signed_for: Option<(String, String)>,
}

impl Answer {
    fn plain(message: RasMessage) -> Self {
        Self { message, signed_for: None }
    }

    fn to_endpoint(message: RasMessage, row: &EndpointRow) -> Self {
        let user = row.user.clone().filter(|_| row.method == Some(Method::H2351));
        Self { message, signed_for: user.map(|user| (user, row.identifier.clone())) }
    }
}

/// An answer that was given.
#[derive(Debug)]
struct Given {
    request: u64,
    bytes: Bytes,
    at: Duration,
}

/// A small gatekeeper, for tests and for trying things out, and real on the wire.
///
/// # How a driver uses it
///
/// 1. Bind a UDP socket to 1719, and, for multicast GRQ, one to 1718 that joins 224.0.1.41; feed both to
///    [`Gatekeeper::handle_datagram`]. Answers leave by the first.
/// 2. After every call send each [`Gatekeeper::poll_transmit`], hand on each [`Gatekeeper::poll_event`], and wait for a
///    datagram or [`Gatekeeper::poll_timeout`] ([`Gatekeeper::handle_timeout`]).
/// 3. Routed model: listen for TCP at `GatekeeperParams::signal_address`. For each Setup ask [`Gatekeeper::route`], connect
///    there, forward messages both ways (Setup's destCallSignalAddress and, where `destination` is not empty, its
///    destinationAddress change), and say [`Gatekeeper::call_ended`] when both connections are gone. On
///    [`GatekeeperEvent::CallEnded`] with [`CallEnd::Ordered`] release both.
#[derive(Debug)]
pub struct Gatekeeper {
    config: GatekeeperConfig,
    params: GatekeeperParams,
    users: Vec<User>,
    table: Table,
    random: Random,
    number: u16,
    orders: Vec<Order>,
    given: HashMap<(SocketAddr, u16, Kind), Given>,
    given_order: VecDeque<(SocketAddr, u16, Kind)>,
    digests: RandomState,
    counters: GatekeeperCounters,
    transmits: VecDeque<RasTransmit>,
    events: VecDeque<GatekeeperEvent>,
}

impl Gatekeeper {
    /// An empty gatekeeper.
    #[must_use]
    pub fn new(config: GatekeeperConfig, params: GatekeeperParams) -> Self {
        let mut random = Random::new(params.seed);
        Self {
            users: security::users(&config, &mut random),
            table: Table::default(),
            number: (random.next() >> 48) as u16,
            random,
            orders: Vec::new(),
            given: HashMap::new(),
            given_order: VecDeque::new(),
            digests: RandomState::new(),
            counters: GatekeeperCounters::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            config,
            params,
        }
    }

    /// A datagram that came to the RAS socket or to the multicast group.
    pub fn handle_datagram(&mut self, now: Duration, source: SocketAddr, octets: &[u8]) {
        self.on_datagram(now, source, octets);
    }

    /// An endpoint is registered no more; calls without any endpoint are over.
    fn forget_endpoint(&mut self, identifier: &str, why: Leaving) {
        if let Some(row) = self.table.remove(identifier) {
            self.tell(GatekeeperEvent::Unregistered(Box::new(row), why));
        }
        self.end_calls_of(identifier);
    }

    /// An endpoint takes part in no call any more.
    fn end_calls_of(&mut self, identifier: &str) {
        let calls: Vec<_> = self.table.calls.keys().copied().collect();
        for call in calls {
            let Some(row) = self.table.calls.get_mut(&call) else { continue };
            let is = |leg: &CallLeg| leg.endpoint == identifier;
            let had =
                row.caller.take_if(|leg| is(leg)).is_some() | row.called.take_if(|leg| is(leg)).is_some();
            if had
                && row.legs().next().is_none()
                && let Some(row) = self.table.calls.remove(&call)
            {
                self.tell(GatekeeperEvent::CallEnded(Box::new(row), CallEnd::Abandoned));
            }
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.expire_orders(now);
        let over: Vec<String> = self
            .table
            .endpoints()
            .filter(|row| row.expires <= now)
            .map(|row| row.identifier.clone())
            .collect();
        for identifier in over {
            self.counters.expired = self.counters.expired.saturating_add(1);
            self.unregister_for(now, &identifier, UnregRequestReason::TtlExpired, Leaving::Expired);
        }
    }

    /// When to call `handle_timeout`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let orders = self.orders.iter().map(|order| order.deadline);
        orders.chain(self.table.endpoints().map(|row| row.expires)).min()
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<RasTransmit> {
        self.transmits.pop_front()
    }

    /// The next thing for the operator to know.
    pub fn poll_event(&mut self) -> Option<GatekeeperEvent> {
        self.events.pop_front()
    }

    /// The registered endpoints, by their first alias.
    #[must_use]
    pub fn endpoints(&self) -> Vec<EndpointRow> {
        let mut rows: Vec<_> = self.table.endpoints().cloned().collect();
        rows.sort_by_cached_key(|row| (row.aliases.first().map(ToString::to_string), row.identifier.clone()));
        rows
    }

    /// The calls, the oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<CallRow> {
        let mut rows: Vec<_> = self.table.calls.values().cloned().collect();
        rows.sort_by_key(|row| (row.since, row.call_identifier));
        rows
    }

    /// What has happened so far.
    #[must_use]
    pub fn counters(&self) -> GatekeeperCounters {
        self.counters
    }

    /// How the gatekeeper behaves.
    #[must_use]
    pub fn config(&self) -> &GatekeeperConfig {
        &self.config
    }

    /// The driver's clock has been set anew: `unix_epoch` is the time since 1970 at which `now` stood at zero. H.235's
    /// time stamps go by it; say it before the datagrams that they come in.
    pub fn set_unix_epoch(&mut self, unix_epoch: Duration) {
        self.params.unix_epoch = unix_epoch;
    }

    fn unix(&self, now: Duration) -> u32 {
        let seconds = self.params.unix_epoch.saturating_add(now).as_secs();
        u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
    }

    fn tell(&mut self, event: GatekeeperEvent) {
        if self.events.len() < self.config.limits.queue {
            self.events.push_back(event);
        } else {
            self.counters.limited = self.counters.limited.saturating_add(1);
        }
    }
}
