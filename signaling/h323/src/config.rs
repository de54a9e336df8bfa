//! What an endpoint is and how it behaves; the same for all its calls.
//! Not here: what one call is about (`OutgoingParams`, `IncomingParams`), its media (`media`).

use crate::{
    Alias, AudioCodec, CodecPreference, DtmfWay, Forwarding, LocalMedia, NonStandardCapability, Number,
    TelephoneEvents, Timers,
};

/// The most capabilities of a peer's TerminalCapabilitySet that are looked at (GnuGk once fell over
/// more than 64; tables may hold 256).
pub(crate) const MAX_CAPABILITIES: usize = 256;

/// How an endpoint presents itself and what it uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The Display element of our messages; empty sends none.
    pub display: String,
    /// Our aliases: sourceAddress of Setup, connectedAddress of Connect.
    pub aliases: Vec<Alias>,
    /// Our number with its presentation and screening: Calling party number of Setup, Connected number of
    /// Connect. `None` takes the digits of the first alias that has them, free to show.
    pub number: Option<Number>,
    /// Who made this endpoint.
    pub vendor: Vendor,
    /// H.245 table 1 of C.2 / H.323 table 1: 50 is a terminal without MC, 60 a gateway.
    pub terminal_type: u8,
    /// Offer and accept fast connect (H.323 8.1.7).
    pub fast_start: bool,
    /// As called side: which message carries our answer to fast connect.
    pub fast_connect_answer: FastConnectAnswer,
    /// As called side: say the answer again in every later message up to Connect, as ooh323c does, for a peer that looks
    /// at one of them only. The first one counts.
    pub repeat_fast_connect_answer: bool,
    /// Offer and accept H.245 inside the call signalling channel (H.323 8.2.1).
    pub tunnelling: bool,
    /// As caller send TerminalCapabilitySet and MasterSlaveDetermination in Setup already: in
    /// h245Control, or in parallelH245Control beside fastStart (H.323 8.2.4).
    pub h245_in_setup: bool,
    /// Start H.245 also after an accepted fast connect, for round trip and UserInput (H.323 8.1.7.2).
    pub h245_after_fast_start: bool,
    /// Answer Setup with CallProceeding at once. Without it the first answer is Alerting or Connect.
    pub call_proceeding: bool,
    /// As caller: what to do when T303 expires for the first time.
    pub setup_unanswered: SetupUnanswered,
    /// Ask a caller that sends digits one by one (canOverlapSend) for more: Setup is answered with
    /// SetupAcknowledge, and the application says when the number is complete (Q.931 5.2.4).
    pub overlap_receiving: bool,
    /// Several calls may share one call signalling connection: our messages say multipleCalls (H.323 7.3), and the
    /// driver joins calls and connections by [`Connection`](crate::Connection). Off as made: the endpoints in wide use
    /// announce that they cannot, and what breaks a shared connection ends all of its calls. Switch it on
    /// towards gateways and gatekeepers that carry many calls between the same two addresses.
    pub multiple_calls: bool,
    /// A connection without calls may stay for the next one: our messages say maintainConnection. It stays for
    /// `Timers::connection_idle` if the peer says the same. Needs a driver that uses
    /// [`Connection`](crate::Connection).
    pub maintain_connection: bool,
    /// An active call outlives its call signalling connection: the caller makes a new one to the same address and asks
    /// for the call's state (StatusInquiry), the called side waits for it; after `Timers::signaling_loss` without one
    /// the call is released with cause 41. Off as made: some endpoints hang up
    /// by closing it.
    pub survive_signaling_loss: bool,
    /// What to do when the called side sends us elsewhere.
    pub forwarding: Forwarding,
    /// Both directions of a session must use one codec: as master we reject another
    /// (masterSlaveConflict). Our media side does not need it.
    pub symmetric_codecs: bool,
    /// Whose order decides which codec we transmit in a channel that H.245 opens, and what our answer to fast connect
    /// takes.
    pub codec_preference: CodecPreference,
    /// Open bidirectional logical channels (H.245 8.5) where nothing is received in a session yet, unidirectional ones
    /// where the peer refuses that. Off as made: audio in H.323 goes by pairs of unidirectional channels (H.323 6.2.8),
    /// and no endpoint in wide use opens another. The peer's are taken in any case.
    pub bidirectional_channels: bool,
    /// The only codecs that are told, offered and taken, of those that the media side has; `None` restricts
    /// nothing. The order is the media side's.
    pub allowed_codecs: Option<Vec<AudioCodec>>,
    /// The ways for keys to reach the peer, best first; what stands not here is not used. A way needs the peer's
    /// capability, telephone-events also a media side that takes them (`telephone_event` of
    /// [`LocalSession`](crate::LocalSession)). For a peer that announces telephone-events and ignores them
    /// (Asterisk 20) leave those out.
    pub dtmf: Vec<DtmfWay>,
    /// The RFC 4733 events that our media side takes, where a session takes any.
    pub telephone_events: TelephoneEvents,
    /// Capabilities beyond the standard that our TerminalCapabilitySet carries, at most 32.
    pub non_standard_capabilities: Vec<NonStandardCapability>,
    /// Grant MaintenanceLoopRequest for media and logical channels: the media side can loop
    /// ([`Event::MaintenanceLoop`](crate::Event)).
    pub maintenance_loops: bool,
    /// The number of our first logical channel; H323Plus starts at 101.
    pub first_channel: u16,
    /// Fixes the statusDeterminationNumber instead of drawing it: for replaying recordings.
    pub status_determination_number: Option<u32>,
    /// How long to wait for what.
    pub timers: Timers,
    /// How much to take.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            display: String::new(),
            aliases: Vec::new(),
            number: None,
            vendor: Vendor::default(),
            terminal_type: 50,
            fast_start: true,
            fast_connect_answer: FastConnectAnswer::default(),
            repeat_fast_connect_answer: false,
            tunnelling: true,
            h245_in_setup: false,
            h245_after_fast_start: true,
            call_proceeding: true,
            setup_unanswered: SetupUnanswered::default(),
            overlap_receiving: false,
            multiple_calls: false,
            maintain_connection: false,
            survive_signaling_loss: false,
            forwarding: Forwarding::default(),
            symmetric_codecs: false,
            codec_preference: CodecPreference::default(),
            bidirectional_channels: false,
            allowed_codecs: None,
            dtmf: vec![DtmfWay::TelephoneEvent, DtmfWay::Signal, DtmfWay::Alphanumeric, DtmfWay::Keypad],
            telephone_events: TelephoneEvents::DTMF,
            non_standard_capabilities: Vec::new(),
            maintenance_loops: false,
            first_channel: 101,
            status_determination_number: None,
            timers: Timers::default(),
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// What of `media` the call may use.
    pub(crate) fn restrict(&self, mut media: LocalMedia) -> LocalMedia {
        if let Some(allowed) = &self.allowed_codecs {
            for session in &mut media.sessions {
                session.codecs.retain(|offer| allowed.contains(&offer.codec));
            }
            media.sessions.retain(|session| !session.codecs.is_empty());
        }
        media
    }
}

/// What a caller does when nothing has come back within T303 (`Timers::t303`).
///
/// Q.931 5.1.1 repeats Setup at the first expiry and gives up at the second. H.225.0 7.5 keeps the timer (4 s at least)
/// and carries Setup over TCP, which has delivered it or closes: there the second period only gives a slow peer its
/// time. In every case the call ends with cause 18, no user responding, which Q.850 gives to T303.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SetupUnanswered {
    /// Wait for a second T303, without repeating Setup: peers may take 5 s for the name of who calls.
    #[default]
    WaitOnce,
    /// Repeat Setup, octet by octet, and wait for a second T303 (Q.931 5.1.1), for a peer behind something that loses
    /// messages. Whoever has the first one ignores the second (Q.931 5.8.3.2 e).
    Repeat,
    /// Release the call.
    Release,
}

/// The earliest message in which the called side answers fast connect (H.323 8.1.7.1: any up to Connect). An answer
/// that has missed its message, for the media side was not known or the caller wants no media before Connect, goes
/// with the next one that can carry it.
///
/// The first three answer before the application has said what becomes of the call: channels open, and media may flow,
/// as soon as the media side is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum FastConnectAnswer {
    /// CallProceeding, which waits for the media side for up to `Timers::proceeding_wait`.
    CallProceeding,
    /// A Facility (forwardedElements) of its own, once the media side is known.
    Facility,
    /// A Progress of its own that announces in-band information, once the media side is known.
    Progress,
    /// What the application says first: Alerting (`Call::accept`), Progress (`Call::send_progress`) or Connect.
    #[default]
    Alerting,
    /// Connect.
    Connect,
}

/// The VendorIdentifier of H.225.0: T.35 codes, product and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vendor {
    /// t35CountryCode (T.35 annex A).
    pub t35_country: u8,
    /// t35Extension.
    pub t35_extension: u8,
    /// manufacturerCode, assigned nationally.
    pub manufacturer: u16,
    /// productId.
    pub product: String,
    /// versionId.
    pub version: String,
}

impl Default for Vendor {
    fn default() -> Self {
        // No manufacturer code has been assigned to this project; 0 is nobody's.
        Self {
            t35_country: 0,
            t35_extension: 0,
            manufacturer: 0,
            product: "offhook".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// Bounds on what a peer can make us hold or do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Octets of one TPKT.
    pub tpkt: usize,
    /// Messages that we could not decode before the call is released with cause 111.
    pub protocol_errors: u32,
    /// Status messages that we send in one call in answer to what we do not know.
    pub status_answers: u32,
    /// FunctionNotSupported and rejects of unsupported procedures that we send in one call.
    pub h245_refusals: u32,
    /// Calls on one call signalling connection: one more is refused with newConnectionNeeded.
    pub calls_per_connection: usize,
    /// Logical channels in each direction.
    pub channels: usize,
    /// Octets, events and actions waiting for the driver, counted as entries of each queue.
    pub queue: usize,
    /// H.245 messages of ours that wait for their connection; more release the call with cause 42.
    pub h245_waiting: usize,
    /// fastStart elements that are looked at.
    pub fast_start: usize,
    /// Tries of master/slave determination (N100 of H.245 C.2).
    pub n100: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tpkt: offhook_wire::tpkt::MAX_LENGTH,
            protocol_errors: 5,
            status_answers: 32,
            h245_refusals: 64,
            calls_per_connection: 64,
            channels: 16,
            queue: 1024,
            h245_waiting: 256,
            fast_start: 64,
            n100: 10,
        }
    }
}

/// How often a call has met its [`Limits`]; each was refused as the limit says, and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LimitsHit {
    /// TPKTs longer than [`Limits::tpkt`].
    pub tpkt: u32,
    /// Calls released for [`Limits::h245_waiting`] or [`Limits::queue`].
    pub overload: u32,
    /// Messages with more fastStart elements than [`Limits::fast_start`].
    pub fast_start: u32,
    /// TerminalCapabilitySets with more entries than are kept: rejected with tableEntryCapacityExceeded.
    pub capabilities: u32,
    /// Status messages that were not sent any more.
    pub status_answers: u32,
}

/// What the H.245 procedures of a call have refused or left out so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct H245Counters {
    /// Messages refused with functionNotSupported, functionNotUnderstood or the reject of their procedure.
    pub refused: u32,
    /// Refusals not sent any more: [`Limits::h245_refusals`].
    pub silenced: u32,
    /// TerminalCapabilitySets rejected.
    pub sets_rejected: u32,
    /// OpenLogicalChannels rejected.
    pub channels_rejected: u32,
    /// OpenLogicalChannels rejected because [`Limits::channels`] are open.
    pub channels_full: u32,
    /// Keys that came a second time by another way and were not told again.
    pub keys_doubled: u32,
    /// Keys beyond what one message may hold.
    pub keys_dropped: u32,
    /// Messages of ours that the peer did not understand.
    pub not_understood: u32,
    /// Messages after endSession.
    pub after_end: u32,
}
