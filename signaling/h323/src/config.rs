//! What an endpoint is and how it behaves; the same for all its calls.
//! Not here: what one call is about (`OutgoingParams`, `IncomingParams`), its media (`media`).

use crate::{Alias, Forwarding, Number, Timers};

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
    /// Offer and accept H.245 inside the call signalling channel (H.323 8.2.1).
    pub tunnelling: bool,
    /// As caller send TerminalCapabilitySet and MasterSlaveDetermination in Setup already: in
    /// h245Control, or in parallelH245Control beside fastStart (H.323 8.2.4).
    pub h245_in_setup: bool,
    /// Start H.245 also after an accepted fast connect, for round trip and UserInput (H.323 8.1.7.2).
    pub h245_after_fast_start: bool,
    /// Answer Setup with CallProceeding at once. Without it the first answer is Alerting or Connect.
    pub call_proceeding: bool,
    /// Ask a caller that sends digits one by one (canOverlapSend) for more: Setup is answered with
    /// SetupAcknowledge, and the application says when the number is complete (Q.931 5.2.4).
    pub overlap_receiving: bool,
    /// What to do when the called side sends us elsewhere.
    pub forwarding: Forwarding,
    /// Both directions of a session must use one codec: as master we reject another
    /// (masterSlaveConflict). Our media side does not need it.
    pub symmetric_codecs: bool,
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
            tunnelling: true,
            h245_in_setup: false,
            h245_after_fast_start: true,
            call_proceeding: true,
            overlap_receiving: false,
            forwarding: Forwarding::default(),
            symmetric_codecs: false,
            first_channel: 101,
            status_determination_number: None,
            timers: Timers::default(),
            limits: Limits::default(),
        }
    }
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
