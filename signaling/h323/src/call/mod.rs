//! One call on one call signalling connection (Q.931 as H.225.0 profiles it).
//! In: connections, octets, time, the application's commands. Out: octets, actions, events.
//!
//! ```text
//!   caller   Initiated ─▶ OutgoingProceeding ─▶ Delivered ─▶ Active ─▶ Null, released
//!              Setup       CallProceeding        Alerting     Connect
//!   called   Null ─▶ Present ─▶ IncomingProceeding ─▶ Received ─▶ Active ─▶ Null, released
//!                     Setup      CallProceeding        Alerting    Connect
//! ```
//! Every state but the last two may be skipped; every state leads to `released` by ReleaseComplete, by
//! a closed connection, by a timer, by the application.
//!
//! `outgoing` and `incoming` are the two sides of set-up, `signal` takes received messages apart,
//! `control` joins H.245 to the call, `release` ends it, `message` builds and reads messages.
//!
//! Not here: H.245's procedures (`h245`), fast connect's choice (`fast_connect`).

mod control;
mod incoming;
mod message;
mod outgoing;
mod release;
mod signal;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use offhook_wire::h225_message::CallSignal;
use offhook_wire::q931::{CallReference, Cause};
use offhook_wire::tpkt::TpktDecoder;

use crate::event::{Action, Event, Transmit};
use crate::fast_connect::FastConnect;
use crate::h245::Control;
use crate::timer::TimerTable;
use crate::tunnel::{Path, Tunnelling};
use crate::{Alias, Config, LocalMedia, Origin, PeerInfo, Release, Timer};

use message::Identity;
use release::Ending;

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

/// Which side of the call we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Caller,
    Called,
}

/// The call signalling connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Connecting,
    Open,
    /// Closed, or ordered to close.
    Closed,
}

/// What is known about H.245's connection.
#[derive(Debug)]
struct H245Link {
    path: Path,
    tunnelling: Tunnelling,
    /// The peer's h245Address.
    peer: Option<SocketAddr>,
    /// The peer knows our h245Address.
    told: bool,
    /// The driver could not listen.
    listen_failed: bool,
    /// The peer has begun: tunnelled messages, an address, startH245.
    peer_began: bool,
    /// Setup carried H.245, ours or the peer's: it does not wait for fast connect (H.323 8.2.4).
    parallel: bool,
    /// What we said before Connect may not have been heard: say it again then.
    again_at_connect: bool,
}

/// What the application wants of an incoming call, and how far that has gone.
#[derive(Debug, Default)]
struct Called {
    alerted: bool,
    answer: bool,
    /// Setup asks to send no media before Connect (mediaWaitForConnect).
    media_waits: bool,
    /// fastStart elements for our next message.
    fast_answer: Option<Vec<Bytes>>,
    /// Our next message says fastConnectRefused.
    refusal_due: bool,
}

/// One call: see the crate's documentation for the order of calls.
#[derive(Debug)]
pub struct Call {
    config: Config,
    side: Side,
    state: CallState,
    identity: Identity,
    destination: Option<Alias>,
    local_address: Option<SocketAddr>,
    remote_address: SocketAddr,
    peer: PeerInfo,
    media: Option<LocalMedia>,

    link: Link,
    signal_decoder: TpktDecoder,
    h245_decoder: TpktDecoder,
    h245: H245Link,
    control: Control,
    fast: FastConnect,
    called: Called,
    /// Setup waits for the driver to listen for H.245.
    setup_waits: bool,
    /// T303 has run once.
    t303_repeated: bool,
    released: bool,

    errors: u32,
    statuses: u32,
    timers: TimerTable,
    /// Messages of this turn: tunnelled H.245 rides in the last of them.
    outbox: Vec<CallSignal>,
    transmits: VecDeque<Transmit>,
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
}

impl Call {
    /// A call that we make. The driver connects to `remote_signal_address` and says
    /// `handle_connected(Channel::Signaling)`; Setup leaves then.
    #[must_use]
    pub fn outgoing(config: Config, params: OutgoingParams, now: Duration) -> Self {
        let identity = Identity {
            call_reference: CallReference::new(params.call_reference, false),
            call_identifier: params.call_identifier,
            conference_id: params.conference_id,
        };
        let mut call = Self::new(config, Side::Caller, identity, params.remote_signal_address, params.seed);
        call.destination = params.destination;
        call.local_address = params.local_signal_address;
        call.media = Some(params.media);
        call.link = Link::Connecting;
        call.state = CallState::Initiated;
        call.start_timer(Timer::SignalingConnect, now);
        call
    }

    /// A call that arrives on an accepted connection. Nothing is said before its Setup has come.
    #[must_use]
    pub fn incoming(config: Config, params: IncomingParams, now: Duration) -> Self {
        let identity = Identity {
            call_reference: CallReference::dummy(),
            call_identifier: [0; 16],
            conference_id: [0; 16],
        };
        let mut call = Self::new(config, Side::Called, identity, params.remote_signal_address, params.seed);
        call.local_address = params.local_signal_address;
        call.link = Link::Open;
        call.start_timer(Timer::SetupWait, now);
        call
    }

    fn new(config: Config, side: Side, identity: Identity, remote_address: SocketAddr, seed: u64) -> Self {
        Self {
            side,
            state: CallState::Null,
            identity,
            destination: None,
            local_address: None,
            remote_address,
            peer: PeerInfo::default(),
            media: None,
            link: Link::Closed,
            signal_decoder: TpktDecoder::with_limit(config.limits.tpkt),
            h245_decoder: TpktDecoder::with_limit(config.limits.tpkt),
            h245: H245Link {
                path: Path::Undecided,
                tunnelling: Tunnelling::new(config.tunnelling),
                peer: None,
                told: false,
                listen_failed: false,
                peer_began: false,
                parallel: false,
                again_at_connect: false,
            },
            control: Control::new(&config, seed),
            fast: FastConnect::Unused,
            called: Called::default(),
            setup_waits: false,
            t303_repeated: false,
            released: false,
            errors: 0,
            statuses: 0,
            timers: TimerTable::default(),
            outbox: Vec::new(),
            transmits: VecDeque::new(),
            actions: VecDeque::new(),
            events: VecDeque::new(),
            config,
        }
    }

    /// Where the call stands.
    #[must_use]
    pub fn state(&self) -> CallState {
        self.state
    }

    /// Everything is over: both connections are closed or ordered to close, no timer runs.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.released && self.link == Link::Closed && !self.h245.path.has_socket()
    }

    /// The endpoint's configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// callIdentifier: of our own making, or as Setup brought it.
    #[must_use]
    pub fn call_identifier(&self) -> [u8; 16] {
        self.identity.call_identifier
    }

    /// The other endpoint, as far as it has introduced itself.
    #[must_use]
    pub fn peer(&self) -> &PeerInfo {
        &self.peer
    }

    /// Messages that could not be decoded so far.
    #[must_use]
    pub fn protocol_errors(&self) -> u32 {
        self.errors
    }

    /// A connection that we asked for, or listened for, stands.
    pub fn handle_connected(&mut self, now: Duration, channel: Channel) {
        match channel {
            Channel::Signaling => self.on_signaling_connected(now),
            Channel::H245 => self.on_h245_connected(now),
        }
        self.flush(now);
    }

    /// Octets as they came, in any portions.
    pub fn handle_bytes(&mut self, now: Duration, channel: Channel, octets: &[u8]) {
        match channel {
            Channel::Signaling => self.on_signaling_octets(now, octets),
            Channel::H245 => self.on_h245_octets(now, octets),
        }
        self.flush(now);
    }

    /// A connection is gone or could not be made.
    pub fn handle_closed(&mut self, now: Duration, channel: Channel, why: Closed) {
        match channel {
            Channel::Signaling => self.on_signaling_closed(now, why),
            Channel::H245 => self.on_h245_closed(now),
        }
        self.flush(now);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Duration) {
        // Each expiry may start timers, none of zero length: this ends.
        while let Some(timer) = self.timers.pop_expired(now) {
            self.on_timer(now, timer);
            self.flush(now);
        }
    }

    /// The answer to [`Action::ListenH245`]: where the peer can connect.
    pub fn h245_listening(&mut self, now: Duration, address: SocketAddr) {
        self.on_h245_listening(now, address);
        self.flush(now);
    }

    /// The other answer to [`Action::ListenH245`].
    pub fn h245_listen_failed(&mut self, now: Duration) {
        self.on_h245_listen_failed(now);
        self.flush(now);
    }

    /// What the media side has. Called side: fastStart, OpenLogicalChannelAck and Connect wait for it.
    /// Again during the call: a new TerminalCapabilitySet says so; channels that are open stay.
    pub fn set_media(&mut self, now: Duration, media: LocalMedia) {
        if self.released || self.media.as_ref() == Some(&media) {
            return;
        }
        self.media = Some(media);
        self.timers.stop(Timer::MediaWait);
        self.on_media(now);
        self.flush(now);
    }

    /// The media side has nothing: the call is released with cause 47.
    pub fn media_failed(&mut self, now: Duration) {
        let cause = Cause::RESOURCE_UNAVAILABLE;
        self.finish(now, Ending::new(Origin::Machine, cause, "the media side failed"));
        self.flush(now);
    }

    /// Called side: ring (Alerting).
    pub fn accept(&mut self, now: Duration) {
        self.on_accept(now);
        self.flush(now);
    }

    /// Called side: answer (Connect, as soon as the media side is known).
    pub fn answer(&mut self, now: Duration) {
        self.on_answer(now);
        self.flush(now);
    }

    /// Ends the call in any state.
    pub fn release(&mut self, now: Duration, release: Release) {
        let mut ending = Ending::new(Origin::Local, release.cause, "released by the application");
        ending.reason = release.wire_reason();
        self.finish(now, ending);
        self.flush(now);
    }

    /// Sends digits the best way that the peer understands: H.245 signal, H.245 alphanumeric, Q.931 keypad.
    pub fn send_digits(&mut self, now: Duration, digits: &str) {
        self.on_digits(now, digits);
        self.flush(now);
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

    /// Queues an event; under a flood only what the application cannot do without.
    fn notify(&mut self, event: Event) {
        let spare = self.events.len() < self.config.limits.queue;
        if spare || matches!(event, Event::Released(_) | Event::ChannelClosed { .. }) {
            self.events.push_back(event);
        }
    }

    fn start_timer(&mut self, timer: Timer, now: Duration) {
        let lasts = self.config.timers.of(timer);
        if let Some(lasts) = lasts {
            self.timers.start(timer, now, lasts);
        }
    }
}
