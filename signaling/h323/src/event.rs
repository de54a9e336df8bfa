//! What a call tells the application and asks of its driver.
//! Not here: when (the `call` modules).

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use offhook_wire::q931::Cause;

use crate::{
    Alias, Channel, ChannelPlan, ConferenceGoal, DtmfWay, Flow, Forward, Number, Redirecting, ReleaseReason,
    Timer, UserUser,
};

/// Octets for a connection, whole TPKTs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// On which connection.
    pub channel: Channel,
    /// What; never empty.
    pub bytes: Bytes,
}

/// What the driver does with sockets. There is at most one H.245 connection a call: the first that is established,
/// listening or connecting, is the one, and the driver drops any other. But while it connects it keeps one that it
/// accepts: to use it if the attempt fails, to drop it if the attempt succeeds (crossing connections, H.323 8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Listen for one H.245 connection and say where: `h245_listening` or `h245_listen_failed`; when
    /// the peer has connected: `handle_connected(H245)`.
    ListenH245,
    /// Stop listening (nothing to do if a connection was accepted already).
    StopListeningH245,
    /// Connect to the peer's h245Address: `handle_connected(H245)` or `handle_closed(H245, …)`.
    ConnectH245(SocketAddr),
    /// Flush, then close the H.245 connection, the listener and any attempt to connect.
    CloseH245,
    /// Flush, then close the call signalling connection, or give up the attempt to make it again.
    CloseSignaling,
    /// The signalling connection of an active call was lost (`Config::survive_signaling_loss`): connect to the peer's call
    /// signalling address again, then `handle_connected(Signaling)` or `handle_closed(Signaling, …)`. On the called side
    /// the peer does so: what it connects names the call ([`ConnectionEvent::Resumes`](crate::ConnectionEvent)).
    ReopenSignaling(SocketAddr),
}

/// What an application gets to know. `Released` is the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Called side: somebody calls. Answer with `set_media`, `accept`, `answer` or `release`.
    Setup(Box<SetupInfo>),
    /// Calling side: the connection stands, Setup has left.
    SetupSent,
    /// Calling side: SetupAcknowledge; the called side wants more digits: `Call::dial`.
    DigitsWanted,
    /// Called side, overlap receiving: digits of the called number have come.
    CalledDigits {
        /// The new ones, in order; empty when only the end was said.
        digits: String,
        /// No more will come: the caller says so, or T302 has expired.
        complete: bool,
    },
    /// Calling side: CallProceeding.
    Proceeding,
    /// Progress.
    Progress {
        /// The indicator says that tones or announcements are in the media (description 1 or 8).
        inband: bool,
        /// Progress description (Q.931 4.5.23), when the element is there.
        description: Option<u8>,
    },
    /// Calling side: Alerting.
    Alerting,
    /// The signalling connection of the active call is gone; media goes on. `SignalingRestored` or `Released` follows.
    SignalingLost,
    /// The signalling connection is back.
    SignalingRestored,
    /// Connect was sent or received.
    Connected(Box<ConnectInfo>),
    /// A channel is agreed: media may flow this way now. For a session and direction that has one already,
    /// this one takes its place.
    ChannelOpened(ChannelPlan),
    /// A channel is closed.
    ChannelClosed {
        /// H.245 sessionID.
        session_id: u8,
        /// Its direction.
        flow: Flow,
        /// Its number.
        channel: u16,
    },
    /// The peer rejected every codec that we could send in this session.
    ChannelRejected {
        /// H.245 sessionID.
        session_id: u8,
    },
    /// The peer sent an empty TerminalCapabilitySet: our transmit channels are closed until its next
    /// one (H.323 8.4.6).
    Paused,
    /// The peer's capabilities came back after a pause.
    Resumed,
    /// The peer has taken our empty TerminalCapabilitySet (`Call::hold`): it sends nothing any more, and neither do we.
    Held,
    /// The peer is not held; the call goes on as before.
    HoldFailed {
        /// For people.
        why: &'static str,
    },
    /// The peer has taken our capabilities again (`Call::retrieve`): channels open anew.
    Retrieved,
    /// The peer is held still.
    RetrieveFailed {
        /// For people.
        why: &'static str,
    },
    /// A digit or character from the peer.
    Digit {
        /// 0–9, `*`, `#`, A–D; `!` is a hook flash. Alphanumeric input may hold any character.
        digit: char,
        /// How long the key was held, when the peer said.
        duration: Option<Duration>,
        /// By which way it came.
        via: DigitVia,
    },
    /// The key of the last digit that came by H.245 signal is held for longer, or shorter (signalUpdate).
    DigitDuration {
        /// Which.
        digit: char,
        /// How long in all from the update on (H.245 signalUpdate: the rest of the tone).
        duration: Duration,
    },
    /// The media side is to send these keys as RFC 4733 telephone-events.
    SendTelephoneEvents {
        /// H.245 sessionID of the transmit channel.
        session_id: u8,
        /// Under this RTP payload type.
        payload_type: u8,
        /// 0–9, `*`, `#`, A–D; `!` is a hook flash.
        digits: String,
    },
    /// The way for keys to reach the peer has changed: `Call::dtmf_way`.
    DtmfWay(Option<DtmfWay>),
    /// A TerminalCapabilitySet of the peer was taken: `Call::remote_media`.
    CapabilitiesChanged,
    /// The peer limits what we send in this session (FlowControlCommand, logicalChannelRate). A codec that fits is
    /// chosen if both sides have one; whatever is left, the media side must not send faster.
    RateLimited {
        /// H.245 sessionID.
        session_id: u8,
        /// In bit/s; 0 stops the channel, `None` lifts the limit.
        max_bit_rate: Option<u32>,
    },
    /// The peer says that its channel carries sound, or silence only (logicalChannelActive, Inactive).
    ChannelActive {
        /// H.245 sessionID.
        session_id: u8,
        /// Number of the receive channel.
        channel: u16,
        /// It carries sound.
        active: bool,
    },
    /// MiscellaneousCommand, as far as it is about audio.
    MediaCommand {
        /// Of a channel of ours, or of the peer's.
        channel: u16,
        /// What is wanted.
        command: MediaCommand,
    },
    /// What became of `Call::request_mode`.
    ModeResponse(ModeResponse),
    /// The peer does not close the channel that `Call::request_channel_close` named, or not in time (T108).
    ChannelCloseRefused {
        /// Its number.
        channel: u16,
    },
    /// The peer wants its media looped back, or no longer (MaintenanceLoopRequest, granted; OffCommand).
    MaintenanceLoop {
        /// What; `None` after MaintenanceLoopOffCommand: all of them.
        looped: Option<Loop>,
    },
    /// What became of `Call::request_loop`.
    LoopResponse {
        /// What was asked for.
        asked: Loop,
        /// The peer does it.
        granted: bool,
    },
    /// The peer did not understand an H.245 message of ours, by the name of the standard.
    NotUnderstood(&'static str),
    /// A round trip delay was measured (H.245 RTDSE).
    RoundTrip(Duration),
    /// A RoundTripDelayRequest stayed unanswered.
    RoundTripLost,
    /// Notify: description of the notification indicator (Q.931 4.5.22).
    Notify(u8),
    /// User-user information of any message but Setup and ReleaseComplete.
    UserUser(UserUser),
    /// Status: what the peer says of the call.
    PeerStatus {
        /// Its call state (Q.931 4.5.7).
        state: Option<u8>,
        /// Why it says so; 30 answers `Call::inquire_status`.
        cause: Option<Cause>,
    },
    /// The peer wants the call elsewhere (Facility callForwarded or routeCall…). When it is followed, `Released` comes
    /// next and the driver places another call.
    ForwardRequested(Box<Forward>),
    /// The call is over. Sockets may still be draining: see `Call::is_finished`.
    Released(Box<ReleaseInfo>),
}

/// What a MaintenanceLoopRequest is about (H.245 C.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Loop {
    /// The whole system: no H.323 endpoint can, ours refuses it.
    System,
    /// Decoded media of this channel.
    Media(u16),
    /// Packets of this channel.
    LogicalChannel(u16),
}

/// How a RequestMode ended (H.245 C.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModeResponse {
    /// The peer will send the first of what was asked for.
    MostPreferred,
    /// The peer will send another of what was asked for.
    LessPreferred,
    /// modeUnavailable, multipointConstraint, requestDenied, or not understood.
    Rejected,
    /// T109 expired.
    Unanswered,
}

/// MiscellaneousCommand, as far as it is about audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are H.245's")]
pub enum MediaCommand {
    EqualiseDelay,
    ZeroDelay,
    MultipointMode,
    CancelMultipointMode,
    SwitchReceiveMediaOff,
    SwitchReceiveMediaOn,
}

/// How a digit came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DigitVia {
    /// H.245 UserInputIndication alphanumeric.
    Alphanumeric,
    /// H.245 UserInputIndication signal.
    Signal,
    /// Q.931 Information with Keypad facility.
    Keypad,
}

/// Who the other endpoint is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerInfo {
    /// productId, without NULs.
    pub product: Option<String>,
    /// versionId, without NULs.
    pub version: Option<String>,
    /// T.35 country code, extension and manufacturer code.
    pub manufacturer: Option<(u8, u8, u16)>,
    /// The last arc of H.225.0's protocolIdentifier: 2 … 7.
    pub protocol_version: Option<u32>,
    /// It declares itself a gateway.
    pub gateway: bool,
}

/// What Setup said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SetupInfo {
    /// The Display element.
    pub display: Option<String>,
    /// sourceAddress.
    pub caller_aliases: Vec<Alias>,
    /// The Calling party number element.
    pub caller_number: Option<Number>,
    /// Who calls may be shown (the number's presentation, else presentationIndicator of the UUIE).
    pub caller_presentable: bool,
    /// destinationAddress.
    pub called_aliases: Vec<Alias>,
    /// The Called party number element.
    pub called_number: Option<Number>,
    /// More digits of the called number may follow (canOverlapSend without Sending complete).
    pub overlap: bool,
    /// The Redirecting number element.
    pub redirecting: Option<Redirecting>,
    /// User-user information.
    pub user_user: Option<UserUser>,
    /// Whether the call makes, joins or invites to its conference.
    pub goal: ConferenceGoal,
    /// callIdentifier; zero from H.323 version 1 peers.
    pub call_identifier: [u8; 16],
    /// conferenceID.
    pub conference_id: [u8; 16],
    /// The call reference value.
    pub call_reference: u16,
    /// sourceCallSignalAddress.
    pub source_signal_address: Option<SocketAddr>,
    /// Who calls.
    pub peer: PeerInfo,
    /// Fast connect is offered.
    pub fast_start: bool,
    /// Tunnelled H.245 is offered.
    pub tunnelling: bool,
}

/// What Connect said, or what we said in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectInfo {
    /// The Display element.
    pub display: Option<String>,
    /// connectedAddress.
    pub connected_aliases: Vec<Alias>,
    /// The Connected number element.
    pub connected_number: Option<Number>,
    /// conferenceID as Connect has it; a called side with an MC may name another than Setup.
    pub conference_id: [u8; 16],
    /// Who answered.
    pub peer: PeerInfo,
    /// Fast connect was accepted.
    pub fast_start: bool,
    /// H.245 is tunnelled, as far as is known at Connect.
    pub tunnelling: bool,
}

/// Who ended the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Our application.
    Local,
    /// The peer, by ReleaseComplete or endSession.
    Remote,
    /// The connection: closed, refused, unreachable.
    Network,
    /// A timer that expired.
    Timer(Timer),
    /// The machine itself: protocol errors, no common capability, media failure.
    Machine,
}

/// How a call ended. `cause` and `reason` are kept apart as they came: which of them counts is for
/// the application to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseInfo {
    /// Who.
    pub origin: Origin,
    /// The Cause element, as received or as sent.
    pub cause: Option<Cause>,
    /// The ReleaseCompleteReason, as received or as sent.
    pub reason: Option<ReleaseReason>,
    /// Whether Connect had been seen.
    pub connected: bool,
    /// The Display element of the peer's ReleaseComplete.
    pub display: Option<String>,
    /// User-user information of the peer's ReleaseComplete.
    pub user_user: Option<UserUser>,
    /// For people.
    pub text: String,
}

impl ReleaseInfo {
    /// The cause; where only a reason came, the one that H.225.0 table 5 derives from it.
    #[must_use]
    pub fn effective_cause(&self) -> Cause {
        self.cause.or_else(|| self.reason.map(ReleaseReason::cause)).unwrap_or(Cause::NORMAL_UNSPECIFIED)
    }
}
