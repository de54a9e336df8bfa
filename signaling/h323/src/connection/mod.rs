//! One call signalling connection that several calls share (H.323 7.3, Q.931 4.3, 5.8.3).
//! In: octets of the connection, octets of its calls, time. Out: each call's messages, octets, when to close.
//!
//! ```text
//!                                                   ┌─▶ Call, slot 1
//!   TCP ── octets ──▶ TPKT ─ call reference, flag ──┼─▶ Call, slot 2
//!                       └─ no such call ─▶ answer   └─▶ Setup: a new call, slot 3
//! ```
//! A message belongs to the call of its call reference: value *and* flag, for both sides may choose the same value
//! (glare). Where the flag fits no call but the value does, the flag is wrong and the value counts; where neither fits,
//! the callIdentifier does, if the message has one. Setup only ever goes by value and flag.
//!
//! The connection closes with its last call, unless both sides have announced maintainConnection.
//!
//! Not here: the calls (`call`); which of several connections a new call takes (the driver).

mod said;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use offhook_wire::h225_message::{CallSignal, CallSignalError};
use offhook_wire::q931::{CallReference, Message, MessageType};
use offhook_wire::tpkt::{self, TpktDecoder, TpktError};
use tracing::debug;

use crate::call::answer_to_foreign;
use crate::{Closed, Config};
use said::{Said, carries_release};

/// A call's place on its connection; never given twice on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallSlot(u32);

/// A call signalling message, decoded as far as it can be: for [`Call::handle_message`](crate::Call::handle_message).
#[derive(Debug)]
pub struct SignalMessage(pub(crate) Result<CallSignal, CallSignalError>);

/// What the driver is to do. After [`Close`](Self::Close) there is nothing more.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// Make a [`Call::incoming`](crate::Call::incoming) for this slot and hand it the message, a Setup.
    NewCall(CallSlot, Box<SignalMessage>),
    /// Hand the message to the slot's call.
    Message(CallSlot, Box<SignalMessage>),
    /// The peer sends no TPKTs: [`Call::handle_garbled`](crate::Call::handle_garbled).
    Garbled(CallSlot, TpktError),
    /// The message names a call that is not on this connection: perhaps one that has lost its own
    /// (`Config::survive_signaling_loss`). The driver answers with [`Connection::resume`] where it has such a call that
    /// waits, else with [`Connection::disown`].
    Resumes([u8; 16], Box<SignalMessage>),
    /// The connection is gone: `Call::handle_closed(Channel::Signaling, …)`. The slot is free.
    Closed(CallSlot, Closed),
    /// Flush, then close the connection.
    Close,
}

/// Why a call cannot be set up on this connection; each leaves the choice of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlaceError {
    /// The connection is closed or about to be.
    Closed,
    /// One side has not announced multipleCalls, or the peer has refused a call with newConnectionNeeded.
    OneCall,
    /// [`Limits::calls_per_connection`](crate::Limits::calls_per_connection) calls are on it.
    Full,
    /// Another call that we set up on it has this call reference value: draw another.
    ReferenceInUse,
}

impl std::fmt::Display for PlaceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Closed => "the connection is closed",
            Self::OneCall => "the connection takes one call at a time",
            Self::Full => "the connection takes no more calls",
            Self::ReferenceInUse => "the call reference value is in use on the connection",
        })
    }
}

impl std::error::Error for PlaceError {}

/// What a connection has refused or left out so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectionCounters {
    /// Setups refused with newConnectionNeeded.
    pub refused: u32,
    /// Setups with the call reference of a call that is up: ignored (Q.931 5.8.3.2 e), for an answer would be taken
    /// for that call's.
    pub collisions: u32,
    /// Messages of calls that are not here.
    pub foreign: u32,
    /// Answers to such messages, and to Setups, not sent any more: [`Limits::status_answers`](crate::Limits).
    pub silenced: u32,
    /// Messages without a readable call reference.
    pub unreadable: u32,
}

/// A call as the connection knows it.
#[derive(Debug)]
struct Route {
    slot: CallSlot,
    /// As the peer's messages carry it; `None` before the first Setup of an accepted connection.
    reference: Option<CallReference>,
    call_identifier: [u8; 16],
    /// ReleaseComplete went by in either direction: the call reference is free for another call.
    released: bool,
}

/// A call signalling connection and its calls.
///
/// Call order: after every `handle_*`, [`place`](Self::place), [`send`](Self::send) and [`leave`](Self::leave) drain
/// [`poll_event`](Self::poll_event) and [`poll_transmit`](Self::poll_transmit), then ask
/// [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct Connection {
    decoder: TpktDecoder,
    calls: Vec<Route>,
    last_slot: u32,
    multiple_calls: bool,
    maintain: bool,
    survives: bool,
    /// What the peer said last.
    peer_multiple_calls: bool,
    peer_maintains: bool,
    peer_is_full: bool,
    max_calls: usize,
    max_answers: u32,
    max_unreadable: u32,
    idle: Duration,
    idle_until: Option<Duration>,
    open: bool,
    /// `Resumes` is not answered.
    undecided: bool,
    answers: u32,
    counters: ConnectionCounters,
    transmits: VecDeque<Bytes>,
    events: VecDeque<ConnectionEvent>,
}

impl Connection {
    /// A connection that stands, of an endpoint with this configuration. Its first call comes by
    /// [`begin`](Self::begin) or [`expect_setup`](Self::expect_setup).
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            decoder: TpktDecoder::with_limit(config.limits.tpkt),
            calls: Vec::new(),
            last_slot: 0,
            multiple_calls: config.multiple_calls,
            maintain: config.maintain_connection,
            survives: config.survive_signaling_loss,
            peer_multiple_calls: false,
            peer_maintains: false,
            peer_is_full: false,
            max_calls: config.limits.calls_per_connection.max(1),
            max_answers: config.limits.status_answers,
            max_unreadable: config.limits.protocol_errors,
            idle: config.timers.connection_idle,
            idle_until: None,
            open: true,
            undecided: false,
            answers: 0,
            counters: ConnectionCounters::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// An accepted connection: the slot for a [`Call::incoming`](crate::Call::incoming) that waits for the first Setup. It
    /// gets everything that comes before, too.
    pub fn expect_setup(&mut self) -> CallSlot {
        self.add(None, [0; 16])
    }

    /// A connection that we made: the slot of its first call, which is ours.
    pub fn begin(&mut self, call_reference: u16, call_identifier: [u8; 16]) -> CallSlot {
        self.add(Some(CallReference::new(call_reference, true)), call_identifier)
    }

    /// A slot for a call that we set up here: any first one, another one where both sides have announced
    /// multipleCalls.
    ///
    /// # Errors
    ///
    /// [`PlaceError`] says why it needs another connection or another call reference.
    pub fn place(&mut self, call_reference: u16, call_identifier: [u8; 16]) -> Result<CallSlot, PlaceError> {
        if !self.open {
            return Err(PlaceError::Closed);
        }
        if !self.has_turn() {
            return Err(PlaceError::OneCall);
        }
        if self.is_full() {
            return Err(PlaceError::Full);
        }
        let reference = CallReference::new(call_reference, true);
        if self.find(|route| route.reference == Some(reference)).is_some() {
            return Err(PlaceError::ReferenceInUse);
        }
        Ok(self.add(Some(reference), call_identifier))
    }

    /// Whether [`place`](Self::place) would take a call with a call reference of its own.
    #[must_use]
    pub fn takes_calls(&self) -> bool {
        self.open && self.has_turn() && !self.is_full()
    }

    /// Calls on the connection, those that are being released included.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Neither closed nor ordered to close.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// What was refused or left out.
    #[must_use]
    pub fn counters(&self) -> ConnectionCounters {
        self.counters
    }

    /// The call of [`ConnectionEvent::Resumes`] goes on here: hand it `handle_connected(Channel::Signaling)` and then the
    /// message, which comes back as [`ConnectionEvent::Message`].
    ///
    /// # Errors
    ///
    /// [`PlaceError`]; the message is gone then, and the call goes on waiting.
    pub fn resume(&mut self, message: Box<SignalMessage>) -> Result<CallSlot, PlaceError> {
        let resumed = self.on_resume(message);
        self.undecided = false;
        self.read();
        resumed
    }

    fn on_resume(&mut self, message: Box<SignalMessage>) -> Result<CallSlot, PlaceError> {
        let Ok(signal) = &message.0 else {
            return Err(PlaceError::Closed);
        };
        let (reference, said) = (signal.q931.call_reference, Said::from(signal));
        if !self.open {
            return Err(PlaceError::Closed);
        }
        if self.is_full() {
            return Err(PlaceError::Full);
        }
        if self.find(|route| route.reference == Some(reference)).is_some() {
            return Err(PlaceError::ReferenceInUse);
        }
        let slot = self.add(Some(reference), said.call_identifier);
        self.events.push_back(ConnectionEvent::Message(slot, message));
        Ok(slot)
    }

    /// There is no such call as [`ConnectionEvent::Resumes`] asks for: the message is answered as one of a call that is
    /// not here.
    pub fn disown(&mut self, message: Box<SignalMessage>) {
        if let Ok(signal) = &message.0 {
            let (reference, kind) = (signal.q931.call_reference, signal.q931.message_type);
            let said = Said::from(signal);
            self.on_readable(reference, kind, &said, message.0);
        }
        self.undecided = false;
        self.read();
    }

    /// Octets as they came, in any portions.
    pub fn handle_bytes(&mut self, octets: &[u8]) {
        if !self.open {
            return;
        }
        self.decoder.push(octets);
        self.read();
    }

    /// Message by message; what follows one that may resume a call waits for the driver to say whose it is.
    fn read(&mut self) {
        while self.open && !self.undecided {
            match self.decoder.next() {
                Ok(Some(payload)) => self.on_message(CallSignal::decode(&payload)),
                Ok(None) => return,
                Err(error) => return self.on_garbled(error),
            }
        }
    }

    /// The connection is gone.
    pub fn handle_closed(&mut self, why: Closed) {
        self.open = false;
        self.idle_until = None;
        for route in std::mem::take(&mut self.calls) {
            self.events.push_back(ConnectionEvent::Closed(route.slot, why));
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.idle_until.is_some_and(|until| until <= now) {
            self.close();
        }
    }

    /// Octets that the slot's call sends: whole TPKTs ([`Transmit`](crate::Transmit)).
    pub fn send(&mut self, slot: CallSlot, octets: Bytes) {
        if !self.open {
            return;
        }
        let Some(route) = self.calls.iter_mut().find(|route| route.slot == slot) else {
            return;
        };
        route.released |= carries_release(&octets);
        self.transmits.push_back(octets);
    }

    /// The slot's call needs the connection no more ([`Action::CloseSignaling`](crate::Action)).
    pub fn leave(&mut self, now: Duration, slot: CallSlot) {
        let before = self.calls.len();
        self.calls.retain(|route| route.slot != slot);
        if !self.open || self.calls.len() == before || !self.calls.is_empty() {
            return;
        }
        if self.is_maintained() {
            self.idle_until = Some(now.saturating_add(self.idle));
        } else {
            self.close();
        }
    }

    /// No more calls are to come: the connection closes with its last one, at once if there is none.
    pub fn retire(&mut self) {
        self.multiple_calls = false;
        self.maintain = false;
        if self.calls.is_empty() {
            self.close();
        }
    }

    /// What to do next.
    pub fn poll_event(&mut self) -> Option<ConnectionEvent> {
        self.events.pop_front()
    }

    /// Octets for the connection.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.transmits.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.idle_until
    }

    fn add(&mut self, reference: Option<CallReference>, call_identifier: [u8; 16]) -> CallSlot {
        // Wraps after more calls than a connection lives to see.
        self.last_slot = self.last_slot.wrapping_add(1).max(1);
        let slot = CallSlot(self.last_slot);
        self.calls.push(Route { slot, reference, call_identifier, released: false });
        self.idle_until = None;
        slot
    }

    /// Calls that are being released leave room for others, though not without bound.
    fn is_full(&self) -> bool {
        let standing = self.calls.iter().filter(|route| !route.released).count();
        standing >= self.max_calls || self.calls.len() >= self.max_calls.saturating_mul(2)
    }

    /// Whether it may be another call's: the first one, one of several, the next of a maintained connection.
    fn has_turn(&self) -> bool {
        let fresh = self.last_slot == 0;
        let shared = self.multiple_calls && self.peer_multiple_calls && !self.peer_is_full;
        fresh || shared || (self.calls.is_empty() && self.is_maintained() && !self.peer_is_full)
    }

    fn find(&self, wanted: impl Fn(&Route) -> bool) -> Option<usize> {
        self.calls.iter().position(wanted)
    }

    fn is_maintained(&self) -> bool {
        self.maintain && self.peer_maintains
    }

    fn close(&mut self) {
        self.idle_until = None;
        if std::mem::take(&mut self.open) {
            self.events.push_back(ConnectionEvent::Close);
        }
    }

    fn on_garbled(&mut self, error: TpktError) {
        // It is of no use to another call.
        self.maintain = false;
        if self.calls.is_empty() {
            return self.close();
        }
        for route in &self.calls {
            self.events.push_back(ConnectionEvent::Garbled(route.slot, error));
        }
    }

    fn on_message(&mut self, decoded: Result<CallSignal, CallSignalError>) {
        let (reference, kind) = match &decoded {
            Ok(signal) => (signal.q931.call_reference, signal.q931.message_type),
            Err(CallSignalError::Uuie { q931, .. }) => (q931.call_reference, q931.message_type),
            Err(_) => return self.on_unreadable(decoded),
        };
        let said = decoded.as_ref().ok().map(Said::from).unwrap_or_default();
        if matches!(kind, MessageType::STATUS_INQUIRY | MessageType::STATUS)
            && self.survives
            && said.call_identifier != [0; 16]
            && self.find(|route| said.is_of(&route.call_identifier)).is_none()
            && decoded.is_ok()
        {
            self.undecided = true;
            let message = Box::new(SignalMessage(decoded));
            return self.events.push_back(ConnectionEvent::Resumes(said.call_identifier, message));
        }
        self.on_readable(reference, kind, &said, decoded);
    }

    fn on_readable(
        &mut self,
        reference: CallReference,
        kind: MessageType,
        said: &Said,
        decoded: Result<CallSignal, CallSignalError>,
    ) {
        let exact = self.find(|route| route.reference == Some(reference));
        let awaiting = self.find(|route| route.reference.is_none());
        if kind == MessageType::SETUP {
            self.on_setup(reference, said, exact, awaiting, decoded);
        } else if let Some(at) = exact
            .or_else(|| self.find(|route| route.reference.is_some_and(|r| r.value() == reference.value())))
            .or_else(|| self.find(|route| said.is_of(&route.call_identifier)))
            .or(awaiting)
        {
            self.hear(said);
            self.deliver(at, kind, decoded);
        } else {
            self.counters.foreign = self.counters.foreign.saturating_add(1);
            self.answer_foreign(decoded);
        }
    }

    fn on_setup(
        &mut self,
        reference: CallReference,
        said: &Said,
        exact: Option<usize>,
        awaiting: Option<usize>,
        decoded: Result<CallSignal, CallSignalError>,
    ) {
        if let Some(at) = awaiting {
            self.hear(said);
            if let Some(route) = self.calls.get_mut(at) {
                route.reference = Some(reference);
                route.call_identifier = said.call_identifier;
            }
            return self.deliver(at, MessageType::SETUP, decoded);
        }
        if let Some(route) = exact.and_then(|at| self.calls.get(at)) {
            if !route.released {
                self.counters.collisions = self.counters.collisions.saturating_add(1);
                return;
            }
            // The peer has seen the end of the old call, or it would not use its reference again.
            let slot = route.slot;
            self.calls.retain(|route| route.slot != slot);
            self.events.push_back(ConnectionEvent::Closed(slot, Closed::ByPeer));
        }
        let next = self.calls.is_empty() && self.is_maintained();
        let usable = reference.value() != 0 && !reference.from_destination();
        if !usable || !(self.multiple_calls || next) || self.is_full() {
            self.counters.refused = self.counters.refused.saturating_add(1);
            return self.answer_foreign(decoded);
        }
        self.hear(said);
        let slot = self.add(Some(reference), said.call_identifier);
        self.events.push_back(ConnectionEvent::NewCall(slot, Box::new(SignalMessage(decoded))));
    }

    fn deliver(&mut self, at: usize, kind: MessageType, mut decoded: Result<CallSignal, CallSignalError>) {
        if let Some(route) = self.calls.get_mut(at) {
            // The call need not think about it again.
            if let (Some(reference), Ok(signal)) = (route.reference, &mut decoded) {
                signal.q931.call_reference = reference;
            }
            route.released |= kind == MessageType::RELEASE_COMPLETE;
            let message = Box::new(SignalMessage(decoded));
            self.events.push_back(ConnectionEvent::Message(route.slot, message));
        }
    }

    /// A message that names no call: its only call's, else nobody's.
    fn on_unreadable(&mut self, decoded: Result<CallSignal, CallSignalError>) {
        self.counters.unreadable = self.counters.unreadable.saturating_add(1);
        if let [route] = self.calls.as_slice() {
            let message = Box::new(SignalMessage(decoded));
            self.events.push_back(ConnectionEvent::Message(route.slot, message));
        } else if self.counters.unreadable > self.max_unreadable {
            debug!("too much that cannot be read on a connection of several calls");
            self.handle_closed(Closed::Failed);
            self.events.push_back(ConnectionEvent::Close);
        }
    }

    fn hear(&mut self, said: &Said) {
        self.peer_multiple_calls = said.multiple_calls.unwrap_or(self.peer_multiple_calls);
        self.peer_maintains = said.maintain.unwrap_or(self.peer_maintains);
        self.peer_is_full |= said.new_connection;
    }

    fn answer_foreign(&mut self, decoded: Result<CallSignal, CallSignalError>) {
        let signal = match decoded {
            Ok(signal) => signal,
            Err(CallSignalError::Uuie { q931, .. }) => CallSignal { q931: Message::clone(&q931), uuie: None },
            Err(_) => return,
        };
        let Some(answer) = answer_to_foreign(&signal) else {
            return;
        };
        if self.answers >= self.max_answers {
            self.counters.silenced = self.counters.silenced.saturating_add(1);
            return;
        }
        self.answers = self.answers.saturating_add(1);
        match answer.encode().map(|payload| tpkt::encode(&payload)) {
            Ok(Ok(octets)) => self.transmits.push_back(octets),
            failed => debug!(?failed, "an answer cannot be encoded"),
        }
    }
}
