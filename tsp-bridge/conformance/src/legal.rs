//! Which LINECALLSTATE may follow which, written down from TAPI's page of the constants; the broker has its own copy.
//!
//! | from | to |
//! |---|---|
//! | Offering | Accepted, and what a call that is up has |
//! | Accepted | what a call that is up has |
//! | Dialtone < Dialing < Proceeding < Ringback < Busy, SpecialInfo, Connected | later ones only; OnHold after Dialtone |
//! | Busy | Ringback, Connected, for a completion that camped on |
//! | Connected, Conferenced, OnHold … | each other |
//! | any of these | Disconnected, Idle, Unknown |
//! | Disconnected | Idle |
//! | Idle | nothing |

use offhook_spi::LineCallState as S;

pub(crate) fn may_follow(now: S, next: S) -> bool {
    let up = |state| {
        matches!(
            state,
            S::Connected(_)
                | S::OnHold
                | S::Conferenced
                | S::OnHoldPendingConference
                | S::OnHoldPendingTransfer
        )
    };
    let way = |state| match state {
        S::Dialtone => Some(0),
        S::Dialing => Some(1),
        S::Proceeding => Some(2),
        S::Ringback => Some(3),
        S::Busy | S::SpecialInfo | S::Connected(_) => Some(4),
        _ => None,
    };
    match (now, next) {
        (S::Idle, _) => false,
        (_, S::Idle) => true,
        (S::Disconnected(_), _) => false,
        (_, S::Disconnected(_) | S::Unknown) => true,
        (S::Unknown, _) => !matches!(next, S::Offering | S::Accepted | S::Dialtone | S::Dialing),
        (S::Offering, S::Accepted) => true,
        (S::Offering | S::Accepted, _) => matches!(next, S::Connected(_) | S::OnHold),
        (S::Busy, _) => matches!(next, S::Ringback | S::Connected(_)),
        (S::SpecialInfo, _) => false,
        _ if up(now) => up(next),
        (S::Dialing | S::Proceeding | S::Ringback, S::OnHold) => true,
        _ => matches!((way(now), way(next)), (Some(from), Some(to)) if to > from),
    }
}
