//! Call states and why calls end, as a provider reports them.
//!
//! [`LineCallState`] is LINECALLSTATE_* (TAPI 2.x). The application's CALL_STATE is derived from it in `tapi`.

use serde::{Deserialize, Serialize};

/// Whether a line can take and place calls, as its provider reports it. Alias `LINEDEVSTATE`.
///
/// A line that never said so is in service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LineDevState {
    /// Registered, plugged in, ready. Alias `LINEDEVSTATE_INSERVICE`.
    InService {
        /// With whom, as the provider names it.
        with: String,
    },
    /// Not registered, unplugged. Alias `LINEDEVSTATE_OUTOFSERVICE`.
    OutOfService {
        /// Why, in one line.
        why: String,
    },
}

/// The state of a call as its provider reports it. Alias `LINECALLSTATE`.
///
/// A call enters [`Idle`](Self::Idle) once and never leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LineCallState {
    /// The call is over and its resources are free. Terminal.
    Idle,
    /// A call has arrived and waits for an answer.
    Offering,
    /// The offered call was accepted: the caller hears ringing.
    Accepted,
    /// Ready for digits.
    Dialtone,
    /// Digits or a Setup are on their way.
    Dialing,
    /// The far end rings. Alias `LINECALLSTATE_RINGBACK`.
    Ringback,
    /// A busy tone (providers with in-band tones only).
    Busy,
    /// Special information tone.
    SpecialInfo,
    /// The call is up.
    Connected(ConnectedMode),
    /// The network is looking for the far end.
    Proceeding,
    /// We hold the far end.
    OnHold,
    /// Part of a conference.
    Conferenced,
    /// On hold, to be added to a conference.
    OnHoldPendingConference,
    /// On hold, to be transferred.
    OnHoldPendingTransfer,
    /// The far end or the network ended the call.
    Disconnected(DisconnectMode),
    /// The provider does not know.
    Unknown,
}

/// Alias `LINECONNECTEDMODE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ConnectedMode {
    /// Connected, both directions ours.
    Active,
    /// The far end holds us. Alias `LINECONNECTEDMODE_ACTIVEHELD`.
    ActiveHeld,
}

/// Why a call was disconnected. Alias `LINEDISCONNECTMODE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are TAPI's own LINEDISCONNECTMODE_* and say all there is")]
pub enum DisconnectMode {
    Normal,
    Unknown,
    Reject,
    Pickup,
    Forwarded,
    Busy,
    NoAnswer,
    BadAddress,
    Unreachable,
    Congestion,
    Incompatible,
    Unavail,
    NoDialtone,
    NumberChanged,
    OutOfOrder,
    TempFailure,
    QosUnavail,
    Blocked,
    DoNotDisturb,
    Cancelled,
}

/// How digits travel or travelled. Alias `LINEDIGITMODE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DigitMode {
    /// By the way that the provider chooses; which one it was is not known.
    Dtmf,
    /// RFC 4733 telephone-events in RTP.
    TelephoneEvent,
    /// H.245 UserInputIndication signal.
    Signal,
    /// H.245 UserInputIndication alphanumeric.
    Alphanumeric,
    /// Q.931 Keypad facility.
    Keypad,
    /// Tones in the sound.
    InBand,
}
