//! One call on one call signalling connection.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use crate::event::{Action, Event, Transmit};
use crate::timer::TimerTable;
use crate::{Alias, Config, LocalMedia, Release};

/// A connection of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The call signalling channel (H.225.0).
    Signaling,
    /// The H.245 control channel on its own connection.
    H245,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Closed {
    /// The peer closed it in order.
    ByPeer,
    /// It broke: reset, timed out.
    Failed,
    /// It could not be made: refused.
    Refused,
    /// It could not be made: no route to the peer.
    Unreachable,
}

/// Where a call stands: Q.931 2.1 call states for user sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallState {
    /// U0: nothing yet, or everything over.
    Null,
    /// U1: Setup is sent or about to be.
    Initiated,
    /// U3: CallProceeding received.
    OutgoingProceeding,
    /// U4: Alerting received.
    Delivered,
    /// U6: Setup received.
    Present,
    /// U7: Alerting sent.
    Received,
    /// U9: CallProceeding sent.
    IncomingProceeding,
    /// U10: Connect sent or received.
    Active,
}

impl CallState {
    /// The number in the Call state element (Q.931 4.5.7).
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Initiated => 1,
            Self::OutgoingProceeding => 3,
            Self::Delivered => 4,
            Self::Present => 6,
            Self::Received => 7,
            Self::IncomingProceeding => 9,
            Self::Active => 10,
        }
    }
}

/// What an outgoing call is about.
#[derive(Debug, Clone)]
pub struct OutgoingParams {
    /// callIdentifier: globally unique, 16 octets.
    pub call_identifier: [u8; 16],
    /// conferenceID: globally unique for a new conference, 16 octets.
    pub conference_id: [u8; 16],
    /// Call reference value, 1 to 32767, unique among our calls to that address.
    pub call_reference: u16,
    /// Seed of everything random in this call.
    pub seed: u64,
    /// Whom to ask for at the remote address.
    pub destination: Option<Alias>,
    /// Our end of the signalling connection, when known.
    pub local_signal_address: Option<SocketAddr>,
    /// The peer's end.
    pub remote_signal_address: SocketAddr,
    /// What our media side prepared.
    pub media: LocalMedia,
}

/// What is known of an incoming connection before Setup.
#[derive(Debug, Clone)]
pub struct IncomingParams {
    /// Seed of everything random in this call.
    pub seed: u64,
    /// Our end of the signalling connection.
    pub local_signal_address: Option<SocketAddr>,
    /// The peer's end.
    pub remote_signal_address: SocketAddr,
}

/// One call: see the crate's documentation for the order of calls.
#[derive(Debug)]
pub struct Call {
    config: Config,
    transmits: VecDeque<Transmit>,
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
    timers: TimerTable,
}

impl Call {
    /// A call that we make. The driver connects to `remote_signal_address` and says
    /// `handle_connected(Channel::Signaling)`; Setup leaves then.
    #[must_use]
    pub fn outgoing(config: Config, params: OutgoingParams, now: Duration) -> Self {
        let _ = (params, now);
        Self {
            config,
            transmits: VecDeque::new(),
            actions: VecDeque::new(),
            events: VecDeque::new(),
            timers: TimerTable::default(),
        }
    }

    /// A call that arrives on an accepted connection. Nothing is said before its Setup has come.
    #[must_use]
    pub fn incoming(config: Config, params: IncomingParams, now: Duration) -> Self {
        let _ = (params, now);
        Self {
            config,
            transmits: VecDeque::new(),
            actions: VecDeque::new(),
            events: VecDeque::new(),
            timers: TimerTable::default(),
        }
    }

    /// Where the call stands.
    #[must_use]
    pub fn state(&self) -> CallState {
        CallState::Null
    }

    /// Everything is over: both connections are closed or ordered to close, no timer runs.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        false
    }

    /// The endpoint's configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A connection that we asked for, or listened for, stands.
    pub fn handle_connected(&mut self, now: Duration, channel: Channel) {
        let _ = (now, channel);
    }

    /// Octets as they came, in any portions.
    pub fn handle_bytes(&mut self, now: Duration, channel: Channel, octets: &[u8]) {
        let _ = (now, channel, octets);
    }

    /// A connection is gone or could not be made.
    pub fn handle_closed(&mut self, now: Duration, channel: Channel, why: Closed) {
        let _ = (now, channel, why);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Duration) {
        let _ = now;
    }

    /// The answer to [`Action::ListenH245`]: where the peer can connect.
    pub fn h245_listening(&mut self, now: Duration, address: SocketAddr) {
        let _ = (now, address);
    }

    /// The other answer to [`Action::ListenH245`].
    pub fn h245_listen_failed(&mut self, now: Duration) {
        let _ = now;
    }

    /// What the media side has. Called side: fastStart, OpenLogicalChannelAck and Connect wait for it.
    pub fn set_media(&mut self, now: Duration, media: LocalMedia) {
        let _ = (now, media);
    }

    /// The media side has nothing: the call is released with cause 47.
    pub fn media_failed(&mut self, now: Duration) {
        let _ = now;
    }

    /// Called side: ring (Alerting).
    pub fn accept(&mut self, now: Duration) {
        let _ = now;
    }

    /// Called side: answer (Connect, as soon as the media side is known).
    pub fn answer(&mut self, now: Duration) {
        let _ = now;
    }

    /// Ends the call in any state.
    pub fn release(&mut self, now: Duration, release: Release) {
        let _ = (now, release);
    }

    /// Sends digits the best way that the peer understands: H.245 signal, H.245 alphanumeric, Q.931 keypad.
    pub fn send_digits(&mut self, now: Duration, digits: &str) {
        let _ = (now, digits);
    }

    /// Octets to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// Something to do with sockets.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Something to tell the application.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.timers.earliest()
    }
}
