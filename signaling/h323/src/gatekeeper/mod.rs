//! A small gatekeeper: discovery, registration, admission, bandwidth, location, reports, orders.
//! In: datagrams, time, the operator's wishes. Out: datagrams, events, a table; decisions for routed call signalling.
//!
//! | file | |
//! |---|---|
//! | `registration` | GRQ, RRQ, URQ of endpoints |
//! | `admission` | ARQ, BRQ, DRQ, LRQ; where a routed Setup goes |
//! | `orders` | our own URQ, DRQ, BRQ, IRQ |
//! | `security` | who an endpoint is |
//! | `table` | endpoints and calls |
//!
//! It is for tests and for trying things out, and real on the wire. It has no neighbours, no accounting, no rules for
//! numbers, no proxy for media and no database; where one needs those, one deploys GNU Gatekeeper.
//!
//! # How a driver uses it
//!
//! 1. Bind a UDP socket to 1719, and, for multicast GRQ, one to 1718 that joins 224.0.1.41; feed both to
//!    [`Gatekeeper::handle_datagram`]. Answers leave by the first.
//! 2. After every call send each [`Gatekeeper::poll_transmit`], hand on each [`Gatekeeper::poll_event`], and wait for a
//!    datagram or [`Gatekeeper::poll_timeout`] ([`Gatekeeper::handle_timeout`]).
//! 3. Routed model: listen for TCP at `GatekeeperParams::signal_address`. For each Setup ask [`Gatekeeper::route`], connect
//!    there, forward messages both ways (Setup's destCallSignalAddress and, where `destination` is not empty, its
//!    destinationAddress change), and say [`Gatekeeper::call_ended`] when both connections are gone. On
//!    [`GatekeeperEvent::CallEnded`] with [`CallEnd::Ordered`] release both.

mod admission;
mod config;
mod orders;
mod registration;
mod security;
mod table;

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use offhook_wire::h225::{
    InfoRequestAck, InfoRequestNak, InfoRequestNakReason, InfoRequestResponse, RasMessage,
    ResourcesAvailableConfirm, ServiceControlResponse, ServiceControlResponseResult, UnknownMessageResponse,
    UnregRequestReason,
};
use offhook_wire::per;
use tracing::{debug, trace};

pub use admission::Routing;
pub use config::{
    AlternateGatekeeper, DuplicateAliases, GatekeeperConfig, GatekeeperLimits, GatekeeperParams,
};
pub use table::{CallLeg, CallRow, EndpointRow};

use crate::h235::{Method, SecurityFailure};
use crate::random::Random;
use crate::ras::message::{Kind, PROTOCOL_IDENTIFIER, lists, sequence, text};
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

/// The gatekeeper: see the module's documentation.
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
        self.counters.received = self.counters.received.saturating_add(1);
        // H323Plus wakes itself by datagrams of one octet.
        if octets.len() < 2 {
            return;
        }
        let octets = Bytes::copy_from_slice(octets);
        let Ok(message) = per::decode::<RasMessage>(&octets) else {
            debug!(%source, "no RAS message");
            self.counters.undecodable = self.counters.undecodable.saturating_add(1);
            return;
        };
        let message = message.into_value();
        let kind = Kind::of(&message);
        let number = sequence(&message).unwrap_or_default();
        trace!(kind = kind.name(), number, %source, "RAS in");
        let key = (source, number, kind);
        let digest = self.digest(&message);
        if let Some(given) = self.given.get(&key)
            && given.request == digest
            && now.saturating_sub(given.at) < KEPT
        {
            self.counters.repetitions = self.counters.repetitions.saturating_add(1);
            let bytes = given.bytes.clone();
            return self.queue(source, bytes);
        }
        let Some(answer) = self.on_message(now, source, &octets, message) else {
            return;
        };
        let signed_for = answer.signed_for.as_ref().map(|(user, general)| (user.as_str(), general.as_str()));
        if let Some(bytes) = self.send(now, source, answer.message, signed_for) {
            self.keep(key, Given { request: digest, bytes, at: now });
        }
    }

    /// What a request says, without its proof: a repetition has a fresh one.
    fn digest(&self, message: &RasMessage) -> u64 {
        let mut bare = message.clone();
        if let Some((clear, crypto)) = lists(&mut bare) {
            *clear = None;
            *crypto = None;
        }
        self.digests.hash_one(per::encode(&bare).unwrap_or_default())
    }

    fn keep(&mut self, key: (SocketAddr, u16, Kind), given: Given) {
        while self.given_order.len() >= self.config.limits.answers.max(1) {
            if let Some(oldest) = self.given_order.pop_front() {
                self.given.remove(&oldest);
            }
        }
        if self.given.insert(key, given).is_none() {
            self.given_order.push_back(key);
        }
    }

    fn on_message(
        &mut self,
        now: Duration,
        source: SocketAddr,
        octets: &Bytes,
        mut message: RasMessage,
    ) -> Option<Answer> {
        match &message {
            RasMessage::GatekeeperRequest(grq) => return Some(self.on_gatekeeper_request(source, grq)),
            RasMessage::RegistrationRequest(_) => {
                return self.on_registration_request(now, source, octets, &mut message);
            }
            // A neighbour asks, whom we do not know; where an endpoint is, is no secret here.
            RasMessage::LocationRequest(lrq) => return Some(self.on_location_request(lrq)),
            _ => {}
        }
        if self.on_answer(now, source, &message) {
            return None;
        }
        let row = self.row_of(source, &message);
        let Some(row) = row else {
            return self.refuse_stranger(source, &message);
        };
        if let Err(failure) = self.check_endpoint(now, octets, &mut message, &row) {
            self.counters.denied = self.counters.denied.saturating_add(1);
            let kind = Kind::of(&message).name();
            self.tell(GatekeeperEvent::Refused(source, format!("{kind}: {failure}")));
            return refuse_unproved(&message, failure);
        }
        match &message {
            RasMessage::UnregistrationRequest(urq) => Some(self.on_unregistration_request(source, urq)),
            RasMessage::AdmissionRequest(arq) => Some(self.on_admission_request(now, &row, arq)),
            RasMessage::BandwidthRequest(brq) => Some(self.on_bandwidth_request(now, &row, brq)),
            RasMessage::DisengageRequest(drq) => Some(self.on_disengage_request(&row, drq)),
            RasMessage::InfoRequestResponse(irr) => self.on_report(now, &row, irr),
            RasMessage::ResourcesAvailableIndicate(rai) => {
                if let Some(row) = self.table.endpoint_mut(&row.identifier) {
                    row.almost_out = rai.almost_out_of_resources;
                }
                let rac = ResourcesAvailableConfirm::new(rai.request_seq_num, PROTOCOL_IDENTIFIER);
                Some(Answer::to_endpoint(RasMessage::ResourcesAvailableConfirm(Box::new(rac)), &row))
            }
            RasMessage::ServiceControlIndication(sci) => {
                let mut scr = ServiceControlResponse::new(sci.request_seq_num);
                scr.result = Some(ServiceControlResponseResult::NotAvailable);
                Some(Answer::to_endpoint(RasMessage::ServiceControlResponse(Box::new(scr)), &row))
            }
            RasMessage::UnknownMessageResponse(_) | RasMessage::NonStandardMessage(_) => None,
            other => {
                let mut xrs = UnknownMessageResponse::new(sequence(other).unwrap_or(1).max(1));
                xrs.message_not_understood = Some(octets.slice(..octets.len().min(512)));
                Some(Answer::plain(RasMessage::UnknownMessageResponse(Box::new(xrs))))
            }
        }
    }

    /// The registered endpoint that speaks: by its identifier where the message has one, from its address.
    fn row_of(&self, source: SocketAddr, message: &RasMessage) -> Option<EndpointRow> {
        let identifier = match message {
            RasMessage::AdmissionRequest(m) => Some(&m.endpoint_identifier),
            RasMessage::BandwidthRequest(m) => Some(&m.endpoint_identifier),
            RasMessage::DisengageRequest(m) => Some(&m.endpoint_identifier),
            RasMessage::InfoRequestResponse(m) => Some(&m.endpoint_identifier),
            RasMessage::ResourcesAvailableIndicate(m) => Some(&m.endpoint_identifier),
            RasMessage::UnregistrationRequest(m) => m.endpoint_identifier.as_ref(),
            _ => None,
        };
        let row = match identifier {
            Some(identifier) => self.table.endpoint(&text(identifier)),
            None => self.table.endpoints().find(|row| row.ras_address == source),
        };
        row.filter(|row| row.ras_address == source).cloned()
    }

    fn check_endpoint(
        &mut self,
        now: Duration,
        octets: &Bytes,
        message: &mut RasMessage,
        row: &EndpointRow,
    ) -> Result<(), SecurityFailure> {
        let (Some(user), Some(method)) = (&row.user, row.method) else {
            return Ok(());
        };
        // Under H.235.1 every message; password tokens come in RRQ and ARQ only. Reports are no harm.
        let needed = match Kind::of(message) {
            Kind::AdmissionRequest => true,
            Kind::InfoRequestResponse => false,
            _ => method == Method::H2351,
        };
        match self.authenticate(now, octets, message, Some((&row.identifier, user))) {
            Err(SecurityFailure::Missing) if !needed => Ok(()),
            other => other.map(drop),
        }
    }

    /// A request of somebody who is not registered, or not from there.
    fn refuse_stranger(&mut self, source: SocketAddr, message: &RasMessage) -> Option<Answer> {
        use offhook_wire::h225 as w;
        let kind = Kind::of(message);
        let answer = match message {
            RasMessage::UnregistrationRequest(urq) => {
                let why = w::UnregRejectReason::NotCurrentlyRegistered;
                let urj = w::UnregistrationReject::new(urq.request_seq_num, why);
                RasMessage::UnregistrationReject(Box::new(urj))
            }
            RasMessage::AdmissionRequest(arq) => {
                let why = w::AdmissionRejectReason::CallerNotRegistered;
                RasMessage::AdmissionReject(Box::new(w::AdmissionReject::new(arq.request_seq_num, why)))
            }
            RasMessage::BandwidthRequest(brq) => {
                let why = w::BandRejectReason::NotBound;
                RasMessage::BandwidthReject(Box::new(w::BandwidthReject::new(brq.request_seq_num, why, 0)))
            }
            RasMessage::DisengageRequest(drq) => {
                let why = w::DisengageRejectReason::NotRegistered;
                RasMessage::DisengageReject(Box::new(w::DisengageReject::new(drq.request_seq_num, why)))
            }
            RasMessage::InfoRequestResponse(irr) if irr.need_response == Some(true) => {
                let why = InfoRequestNakReason::NotRegistered;
                RasMessage::InfoRequestNak(Box::new(InfoRequestNak::new(irr.request_seq_num, why)))
            }
            _ => return None,
        };
        self.tell(GatekeeperEvent::Refused(source, format!("{} of nobody registered", kind.name())));
        Some(Answer::plain(answer))
    }

    /// An answer to a request of ours; true if the message was one.
    fn on_answer(&mut self, now: Duration, source: SocketAddr, message: &RasMessage) -> bool {
        let asked = match Kind::of(message) {
            Kind::UnregistrationConfirm | Kind::UnregistrationReject => Kind::UnregistrationRequest,
            Kind::DisengageConfirm | Kind::DisengageReject => Kind::DisengageRequest,
            Kind::BandwidthConfirm | Kind::BandwidthReject => Kind::BandwidthRequest,
            Kind::InfoRequestResponse => Kind::InfoRequest,
            _ => return false,
        };
        let number = sequence(message).unwrap_or_default();
        let at = self
            .orders
            .iter()
            .position(|order| order.number == number && order.kind == asked && order.to == source);
        let Some(at) = at else {
            // IRR also comes on its own.
            if asked != Kind::InfoRequest {
                self.counters.unexpected = self.counters.unexpected.saturating_add(1);
            }
            return asked != Kind::InfoRequest;
        };
        let order = self.orders.remove(at);
        match message {
            RasMessage::BandwidthConfirm(bcf) => {
                if let Some(call) = order.call.and_then(|call| self.table.calls.get_mut(&call)) {
                    call.bandwidth = bcf.band_width;
                    let identifier = call.call_identifier;
                    self.tell(GatekeeperEvent::Bandwidth(identifier, bcf.band_width));
                }
            }
            RasMessage::InfoRequestResponse(irr) => {
                if let Some(row) = self.table.endpoint(&order.endpoint).cloned() {
                    self.note_report(now, &row, irr, false);
                }
            }
            _ => {}
        }
        true
    }

    fn on_report(&mut self, now: Duration, row: &EndpointRow, irr: &InfoRequestResponse) -> Option<Answer> {
        self.note_report(now, row, irr, true);
        let iack = || RasMessage::InfoRequestAck(Box::new(InfoRequestAck::new(irr.request_seq_num)));
        (irr.need_response == Some(true)).then(|| Answer::to_endpoint(iack(), row))
    }

    fn note_report(
        &mut self,
        now: Duration,
        row: &EndpointRow,
        irr: &InfoRequestResponse,
        unsolicited: bool,
    ) {
        let calls = irr.per_call_info.iter().flatten().take(256);
        let identifiers = calls.filter_map(|call| Some(call.call_identifier.as_ref()?.guid));
        let identifiers: Vec<_> = identifiers.collect();
        for identifier in &identifiers {
            if let Some(call) = self.table.calls.get_mut(identifier) {
                call.heard = now;
            }
        }
        self.tell(GatekeeperEvent::Report(row.identifier.clone(), identifiers, unsolicited));
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

/// The answer to a request of a registered endpoint that does not prove itself.
fn refuse_unproved(message: &RasMessage, failure: SecurityFailure) -> Option<Answer> {
    use offhook_wire::h225 as w;
    let missing = failure == SecurityFailure::Missing;
    Some(Answer::plain(match message {
        RasMessage::UnregistrationRequest(urq) => {
            let why = if missing {
                w::UnregRejectReason::SecurityDenial
            } else {
                w::UnregRejectReason::SecurityError(failure.to_errors2())
            };
            RasMessage::UnregistrationReject(Box::new(w::UnregistrationReject::new(urq.request_seq_num, why)))
        }
        RasMessage::AdmissionRequest(arq) => {
            let why = if missing {
                w::AdmissionRejectReason::SecurityDenial
            } else {
                w::AdmissionRejectReason::SecurityError(failure.to_errors2())
            };
            RasMessage::AdmissionReject(Box::new(w::AdmissionReject::new(arq.request_seq_num, why)))
        }
        RasMessage::BandwidthRequest(brq) => {
            let why = if missing {
                w::BandRejectReason::SecurityDenial
            } else {
                w::BandRejectReason::SecurityError(failure.to_errors2())
            };
            RasMessage::BandwidthReject(Box::new(w::BandwidthReject::new(brq.request_seq_num, why, 0)))
        }
        RasMessage::DisengageRequest(drq) => {
            let why = if missing {
                w::DisengageRejectReason::SecurityDenial
            } else {
                w::DisengageRejectReason::SecurityError(failure.to_errors2())
            };
            RasMessage::DisengageReject(Box::new(w::DisengageReject::new(drq.request_seq_num, why)))
        }
        _ => return None,
    }))
}
