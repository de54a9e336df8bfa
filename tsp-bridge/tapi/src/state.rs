//! CALL_STATE: how an application sees a call, derived from the provider's [`LineCallState`].
//!
//! In: LINECALLSTATE and LINEDISCONNECTMODE. Out: [`CallState`], [`DisconnectCause`].
//!
//! ```text
//!            ┌──────────▶ InProgress ──┐
//!            │                ▲ │      ▼
//!  Idle ─────┼──▶ Offering ───┼─┼─▶ Connected ◀──▶ Hold        any of these ──▶ Disconnected (last)
//!            └──▶ Hold, Connected   ▲
//!                      Queued ──────┘
//! ```
//!
//! Nothing ever enters Idle; nothing leaves Disconnected.
//! Not here: which LINECALLSTATE may follow which (`broker`).

use std::fmt;

use offhook_spi::{DisconnectMode, LineCallState, Timestamp};

/// The state of a call. Alias `CALL_STATE`.
#[doc(alias = "CALL_STATE")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallState {
    /// Made and not dialled: the only state that no event carries.
    #[doc(alias = "CS_IDLE")]
    Idle,
    /// On its way to the far end.
    #[doc(alias = "CS_INPROGRESS")]
    InProgress,
    /// Up.
    #[doc(alias = "CS_CONNECTED")]
    Connected,
    /// Over. Its information can be read until the call is released.
    #[doc(alias = "CS_DISCONNECTED")]
    Disconnected,
    /// Arrived and waiting for an answer, ringing or not.
    #[doc(alias = "CS_OFFERING")]
    Offering,
    /// On hold.
    #[doc(alias = "CS_HOLD")]
    Hold,
    /// Waiting in a queue.
    #[doc(alias = "CS_QUEUED")]
    Queued,
}

impl CallState {
    /// Whether `next` may follow this state. A state may be reported again with another line state, except
    /// [`Disconnected`](Self::Disconnected), which comes once.
    pub fn may_become(self, next: Self) -> bool {
        use CallState::{Connected, Disconnected, Hold, Idle, InProgress, Offering, Queued};
        match self {
            Idle => matches!(next, InProgress | Connected | Disconnected | Offering | Hold),
            InProgress => matches!(next, InProgress | Connected | Disconnected | Hold),
            Connected => matches!(next, Connected | Hold | Disconnected),
            Offering => matches!(next, Offering | Connected | Disconnected | Hold),
            Hold => matches!(next, Hold | Connected | Disconnected),
            Queued => matches!(next, Queued | Connected | Disconnected | Hold),
            Disconnected => false,
        }
    }

    /// What a line state means to the application; none if it says nothing.
    pub fn of_line(state: LineCallState) -> Option<Self> {
        Some(match state {
            LineCallState::Offering | LineCallState::Accepted => Self::Offering,
            LineCallState::Dialtone
            | LineCallState::Dialing
            | LineCallState::Proceeding
            | LineCallState::Ringback
            | LineCallState::SpecialInfo => Self::InProgress,
            LineCallState::Connected(_) | LineCallState::Conferenced => Self::Connected,
            LineCallState::OnHold
            | LineCallState::OnHoldPendingConference
            | LineCallState::OnHoldPendingTransfer => Self::Hold,
            LineCallState::Busy | LineCallState::Disconnected(_) | LineCallState::Idle => Self::Disconnected,
            LineCallState::Unknown => return None,
        })
    }
}

/// Why a call ended, coarsely. Alias `CALL_STATE_EVENT_CAUSE`. The exact mode is in the event's line state.
#[doc(alias = "CALL_STATE_EVENT_CAUSE")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DisconnectCause {
    /// Somebody hung up.
    #[doc(alias = "CEC_DISCONNECT_NORMAL")]
    Normal,
    /// The far end is busy.
    #[doc(alias = "CEC_DISCONNECT_BUSY")]
    Busy,
    /// The address leads nowhere.
    #[doc(alias = "CEC_DISCONNECT_BADADDRESS")]
    BadAddress,
    /// The far end rang and nobody answered.
    #[doc(alias = "CEC_DISCONNECT_NOANSWER")]
    NoAnswer,
    /// The caller gave up.
    #[doc(alias = "CEC_DISCONNECT_CANCELLED")]
    Cancelled,
    /// The far end refused.
    #[doc(alias = "CEC_DISCONNECT_REJECTED")]
    Rejected,
    /// Something on the way failed.
    #[doc(alias = "CEC_DISCONNECT_FAILED")]
    Failed,
    /// Not permitted.
    #[doc(alias = "CEC_DISCONNECT_BLOCKED")]
    Blocked,
}

impl DisconnectCause {
    /// The cause of a line's disconnect mode.
    pub fn of_mode(mode: DisconnectMode) -> Self {
        match mode {
            DisconnectMode::Normal | DisconnectMode::Pickup => Self::Normal,
            DisconnectMode::Busy => Self::Busy,
            DisconnectMode::NoAnswer => Self::NoAnswer,
            DisconnectMode::Reject | DisconnectMode::DoNotDisturb => Self::Rejected,
            DisconnectMode::BadAddress | DisconnectMode::NumberChanged => Self::BadAddress,
            DisconnectMode::Blocked => Self::Blocked,
            DisconnectMode::Cancelled => Self::Cancelled,
            DisconnectMode::Unknown
            | DisconnectMode::Forwarded
            | DisconnectMode::Unreachable
            | DisconnectMode::Congestion
            | DisconnectMode::Incompatible
            | DisconnectMode::Unavail
            | DisconnectMode::NoDialtone
            | DisconnectMode::OutOfOrder
            | DisconnectMode::TempFailure
            | DisconnectMode::QosUnavail => Self::Failed,
        }
    }

    /// The cause that a line state carries, if it ends the call. A line that goes idle without saying why was hung
    /// up here: Normal.
    pub fn of_line(state: LineCallState) -> Option<Self> {
        match state {
            LineCallState::Disconnected(mode) => Some(Self::of_mode(mode)),
            LineCallState::Busy => Some(Self::Busy),
            LineCallState::Idle => Some(Self::Normal),
            _ => None,
        }
    }
}

impl fmt::Display for DisconnectCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "hung up",
            Self::Busy => "busy",
            Self::BadAddress => "the address leads nowhere",
            Self::NoAnswer => "no answer",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Blocked => "not permitted",
        })
    }
}

/// What to tell the far end when disconnecting. Alias `DISCONNECT_CODE`.
#[doc(alias = "DISCONNECT_CODE")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DisconnectCode {
    /// The call is over.
    #[doc(alias = "DC_NORMAL")]
    Normal,
    /// Nobody answered here.
    #[doc(alias = "DC_NOANSWER")]
    NoAnswer,
    /// The call is refused.
    #[doc(alias = "DC_REJECTED")]
    Rejected,
    /// Busy here. TAPI has no such code; a telephone needs it.
    Busy,
}

impl From<DisconnectCode> for DisconnectMode {
    fn from(code: DisconnectCode) -> Self {
        match code {
            DisconnectCode::Normal => Self::Normal,
            DisconnectCode::NoAnswer => Self::NoAnswer,
            DisconnectCode::Rejected => Self::Reject,
            DisconnectCode::Busy => Self::Busy,
        }
    }
}

/// A call's state at one moment, with all that is known of how it came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallStatus {
    /// The state.
    pub state: CallState,
    /// Why the call ended, if it has.
    pub cause: Option<DisconnectCause>,
    /// The provider's state, once it reported one.
    pub line_state: Option<LineCallState>,
    /// When its cause happened, by the provider's clock.
    pub at: Option<Timestamp>,
}

impl CallStatus {
    pub(crate) const NEW: Self = Self { state: CallState::Idle, cause: None, line_state: None, at: None };
}

#[cfg(test)]
mod tests {
    use super::CallState::{self, *};
    use super::{DisconnectCause, DisconnectMode, LineCallState};
    use offhook_spi::ConnectedMode;

    const ALL: [CallState; 7] = [Idle, InProgress, Connected, Disconnected, Offering, Hold, Queued];

    /// The legal transitions of the documentation, row by row; re-reports of the same state are ours.
    #[test]
    fn every_pair_of_states_is_allowed_or_refused_as_the_table_says() {
        let table: [(CallState, &[CallState]); 7] = [
            (Idle, &[InProgress, Connected, Disconnected, Offering, Hold]),
            (InProgress, &[Connected, Disconnected, Hold]),
            (Connected, &[Hold, Disconnected]),
            (Offering, &[Connected, Disconnected, Hold]),
            (Hold, &[Connected, Disconnected]),
            (Queued, &[Connected, Disconnected, Hold]),
            (Disconnected, &[]),
        ];
        for (from, legal) in table {
            for to in ALL {
                let again = from == to && !matches!(from, Idle | Disconnected);
                assert_eq!(from.may_become(to), legal.contains(&to) || again, "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn nothing_enters_idle() {
        assert!(ALL.iter().all(|from| !from.may_become(Idle)));
    }

    #[test]
    fn every_line_state_has_its_call_state() {
        use LineCallState as L;
        let table = [
            (L::Idle, Some(Disconnected)),
            (L::Offering, Some(Offering)),
            (L::Accepted, Some(Offering)),
            (L::Dialtone, Some(InProgress)),
            (L::Dialing, Some(InProgress)),
            (L::Ringback, Some(InProgress)),
            (L::Busy, Some(Disconnected)),
            (L::SpecialInfo, Some(InProgress)),
            (L::Connected(ConnectedMode::Active), Some(Connected)),
            (L::Connected(ConnectedMode::ActiveHeld), Some(Connected)),
            (L::Proceeding, Some(InProgress)),
            (L::OnHold, Some(Hold)),
            (L::Conferenced, Some(Connected)),
            (L::OnHoldPendingConference, Some(Hold)),
            (L::OnHoldPendingTransfer, Some(Hold)),
            (L::Disconnected(DisconnectMode::Busy), Some(Disconnected)),
            (L::Unknown, None),
        ];
        for (line, call) in table {
            assert_eq!(CallState::of_line(line), call, "{line:?}");
        }
    }

    #[test]
    fn every_disconnect_mode_has_its_cause() {
        use DisconnectCause as C;
        use DisconnectMode as M;
        let table = [
            (M::Normal, C::Normal),
            (M::Unknown, C::Failed),
            (M::Reject, C::Rejected),
            (M::Pickup, C::Normal),
            (M::Forwarded, C::Failed),
            (M::Busy, C::Busy),
            (M::NoAnswer, C::NoAnswer),
            (M::BadAddress, C::BadAddress),
            (M::Unreachable, C::Failed),
            (M::Congestion, C::Failed),
            (M::Incompatible, C::Failed),
            (M::Unavail, C::Failed),
            (M::NoDialtone, C::Failed),
            (M::NumberChanged, C::BadAddress),
            (M::OutOfOrder, C::Failed),
            (M::TempFailure, C::Failed),
            (M::QosUnavail, C::Failed),
            (M::Blocked, C::Blocked),
            (M::DoNotDisturb, C::Rejected),
            (M::Cancelled, C::Cancelled),
        ];
        for (mode, cause) in table {
            assert_eq!(DisconnectCause::of_mode(mode), cause, "{mode:?}");
            assert_eq!(DisconnectCause::of_line(LineCallState::Disconnected(mode)), Some(cause));
        }
        assert_eq!(DisconnectCause::of_line(LineCallState::Busy), Some(C::Busy));
        assert_eq!(DisconnectCause::of_line(LineCallState::Idle), Some(C::Normal));
        assert_eq!(DisconnectCause::of_line(LineCallState::Ringback), None);
    }
}
