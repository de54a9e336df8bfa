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
//! Beside Initiated and Present stand OverlapSending and OverlapReceiving, for numbers that come digit by digit.
//!
//! `outgoing` and `incoming` are the two sides of set-up, `overlap` their digits, `signal` takes received messages
//! apart, `status` answers what cannot be, `inform` is what changes no state, `control` joins H.245 to the call,
//! `hold` holds the peer, `release` ends it, `message` builds and reads messages, `admitted` is what a gatekeeper
//! changes.
//!
//! Not here: H.245's procedures (`h245`), fast connect's choice (`fast_connect`).

mod admitted;
mod control;
mod control_api;
mod hold;
mod incoming;
mod inform;
mod log;
mod message;
mod outgoing;
mod overlap;
mod params;
mod release;
mod signal;
mod status;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use offhook_wire::h225::FacilityReason;
use offhook_wire::h225_message::CallSignal;
use offhook_wire::q931::{CallReference, Cause};
use offhook_wire::tpkt::{TpktDecoder, TpktError};

use crate::connection::SignalMessage;
use crate::event::{Action, Event, Transmit};
use crate::fast_connect::FastConnect;
use crate::h235::SignalSecurity;
use crate::h245::Control;
use crate::timer::TimerTable;
use crate::tunnel::{Path, Tunnelling};
use crate::{
    Alias, ConferenceGoal, Config, DtmfWay, LimitsHit, LocalMedia, Origin, PeerInfo, Quirks, Redirecting,
    Release, Timer, UserUser,
};

use hold::Hold;
use message::Identity;
use overlap::Overlap;
pub use params::{CallState, Channel, Closed, IncomingParams, OutgoingParams};
use release::Ending;
pub(crate) use status::answer_to_foreign;

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
    /// Gone, and the call waits for it to come back (`release`).
    Lost,
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
    /// The caller has not begun after fast connect: we do.
    our_turn: bool,
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

/// What an outgoing Setup says beside the identity.
#[derive(Debug, Default)]
struct Caller {
    goal: ConferenceGoal,
    withhold_identity: bool,
    redirecting: Option<Redirecting>,
    user_user: Option<UserUser>,
    /// The Setup that left, to be repeated.
    sent: Option<Box<CallSignal>>,
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
    hold: Hold,
    fast: FastConnect,
    called: Called,
    overlap: Overlap,
    /// Caller: what Setup says beside the identity.
    caller: Caller,
    /// Caller: what the gatekeeper says about Setup.
    admitted: Option<Box<admitted::Admitted>>,
    /// Signs what we send and checks what comes.
    security: Option<Box<SignalSecurity>>,
    /// The time of this turn.
    now: Duration,
    /// How often this call was forwarded before.
    forwards: u8,
    /// User-user information for our next Alerting, Connect or ReleaseComplete.
    user_user: Option<UserUser>,
    /// What not to expect of the peer.
    quirks: Quirks,
    /// StatusInquiries of this round.
    inquiries: u8,
    hit: LimitsHit,
    /// Setup waits for the driver to listen for H.245.
    setup_waits: bool,
    /// T303 has expired once.
    t303_expired: bool,
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
        call.overlap = Overlap::new(params.overlap);
        call.forwards = params.forwards;
        call.caller = Caller {
            goal: params.goal,
            withhold_identity: params.withhold_identity,
            redirecting: params.redirecting,
            user_user: params.user_user,
            sent: None,
        };
        call.local_address = params.local_signal_address;
        call.media = Some(call.config.restrict(params.media));
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
                our_turn: false,
                again_at_connect: false,
            },
            control: Control::new(&config, seed),
            hold: Hold::No,
            fast: FastConnect::Unused,
            called: Called::default(),
            overlap: Overlap::default(),
            caller: Caller::default(),
            admitted: None,
            security: None,
            now: Duration::ZERO,
            forwards: 0,
            user_user: None,
            quirks: Quirks::default(),
            inquiries: 0,
            hit: LimitsHit::default(),
            setup_waits: false,
            t303_expired: false,
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

    /// conferenceID: of our own making, or as Setup brought it.
    #[must_use]
    pub fn conference_id(&self) -> [u8; 16] {
        self.identity.conference_id
    }

    /// The call reference value.
    #[must_use]
    pub fn call_reference(&self) -> u16 {
        self.identity.call_reference.value()
    }

    /// What is known not to be expected of the peer.
    #[must_use]
    pub fn quirks(&self) -> Quirks {
        self.quirks
    }

    /// How often the call has met its limits so far.
    #[must_use]
    pub fn limits_hit(&self) -> LimitsHit {
        self.hit
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

    /// A message of this call that a [`Connection`](crate::Connection) has taken from a connection of several calls:
    /// in place of `handle_bytes(Channel::Signaling)`, never mixed with it.
    pub fn handle_message(&mut self, now: Duration, message: SignalMessage) {
        if self.link == Link::Open {
            self.on_decoded(now, message.0);
            self.flush(now);
        }
    }

    /// The connection of several calls carries no TPKT any more ([`ConnectionEvent::Garbled`]): cause 111.
    ///
    /// [`ConnectionEvent::Garbled`]: crate::ConnectionEvent::Garbled
    pub fn handle_garbled(&mut self, now: Duration, error: &TpktError) {
        if self.link == Link::Open {
            self.on_garbled(now, error);
            self.flush(now);
        }
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
        let media = self.config.restrict(media);
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

    /// Calling side: more digits of the called number (`0`–`9`, `*`, `#`), `complete` with the last. They leave when the
    /// called side has asked for them (Q.931 5.1.3). False when they cannot be taken: the call was not placed for
    /// overlap sending, is past it, or the number would be longer than 128 digits.
    pub fn dial(&mut self, now: Duration, digits: &str, complete: bool) -> bool {
        let taken = self.on_dial(now, digits, complete);
        self.flush(now);
        taken
    }

    /// Called side: asks for more digits of the called number (SetupAcknowledge), or for more time for them (T302).
    /// False when the caller sends none, or was already told that the number is complete.
    pub fn request_digits(&mut self, now: Duration) -> bool {
        let asked = self.on_request_digits(now);
        self.flush(now);
        asked
    }

    /// Called side: the called number is complete (CallProceeding). False when that was said before.
    pub fn proceed(&mut self, now: Duration) -> bool {
        let said = self.on_proceed(now);
        self.flush(now);
        said
    }

    /// Asks the peer for its view of the call (StatusInquiry, Q.931 5.8.10): `Event::PeerStatus`, or after two T322
    /// the end. False while there is no call to ask about.
    pub fn inquire_status(&mut self, now: Duration) -> bool {
        let asked = self.on_inquire(now);
        self.flush(now);
        asked
    }

    /// Sends Notify with a notification description (Q.931 4.5.22). False while there is no call.
    pub fn send_notify(&mut self, now: Duration, description: u8) -> bool {
        let sent = self.on_send_notify(description);
        self.flush(now);
        sent
    }

    /// Called side, before Connect: sends Progress with a progress description (Q.931 4.5.23; 8 is in-band
    /// information). False out of place.
    pub fn send_progress(&mut self, now: Duration, description: u8) -> bool {
        let sent = self.on_send_progress(now, description);
        self.flush(now);
        sent
    }

    /// Sends user-user information: in Information; on an incoming call that is not answered in the next Alerting,
    /// Connect or ReleaseComplete. False while there is no call.
    pub fn send_user_user(&mut self, now: Duration, data: UserUser) -> bool {
        let taken = self.on_send_user_user(data);
        self.flush(now);
        taken
    }

    /// Called side, before Connect: sends the caller elsewhere (Facility callForwarded). The caller ends the call; if it
    /// does not, this side does. False out of place, or with nowhere to go.
    pub fn deflect(&mut self, now: Duration, address: Option<SocketAddr>, aliases: &[Alias]) -> bool {
        let sent = self.on_forward(now, FacilityReason::CallForwarded, address, aliases);
        self.flush(now);
        sent
    }

    /// Called side, before Connect: sends the caller to a gatekeeper (Facility routeCallToGatekeeper, H.323 8.1.3), to call
    /// us through it; otherwise as [`deflect`](Self::deflect).
    pub fn route_to_gatekeeper(&mut self, now: Duration, gatekeeper: SocketAddr) -> bool {
        let sent = self.on_forward(now, FacilityReason::RouteCallToGatekeeper, Some(gatekeeper), &[]);
        self.flush(now);
        sent
    }

    /// Ends the call in any state.
    pub fn release(&mut self, now: Duration, release: Release) {
        let mut ending = Ending::new(Origin::Local, release.cause, "released by the application");
        ending.reason = release.wire_reason();
        self.finish(now, ending);
        self.flush(now);
    }

    /// Sends digits the first way of [`Config::dtmf`] that the peer and they allow, and says which; `None` when
    /// there is no way. Telephone-events are the media side's to send: [`Event::SendTelephoneEvents`].
    pub fn send_digits(&mut self, now: Duration, digits: &str) -> Option<DtmfWay> {
        let order = self.config.dtmf.clone();
        self.send_digits_by(now, digits, &order)
    }

    /// [`send_digits`](Self::send_digits) with another order of preference than the configuration's, for these digits.
    pub fn send_digits_by(&mut self, now: Duration, digits: &str, order: &[DtmfWay]) -> Option<DtmfWay> {
        let way = self.on_digits(now, digits, order);
        self.flush(now);
        way
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
