//! Which LINECALLSTATE may follow which.
//!
//! In: a call's state and the one reported next. Out: whether it is taken.
//! Sources: the Windows documentation of LINECALLSTATE (meaning of each state; "a call never leaves IDLE"), the
//! CALL_STATE table (what may be put on hold), TAPI.md 1.8; that progress never goes back is this project's
//! decision (TAPI.md 2). The reported order of an outgoing call is DIALTONE, DIALING, PROCEEDING, RINGBACK, CONNECTED,
//! any of them left out.
//!
//! | from \ to | allowed |
//! |---|---|
//! | (new) | everything: a call may be announced in any state |
//! | Offering | Accepted, Connected, OnHold, Disconnected, Idle, Unknown |
//! | Accepted | Connected, OnHold, Disconnected, Idle, Unknown |
//! | Dialtone | Dialing and everything after it |
//! | Dialing | Proceeding, Ringback, Busy, SpecialInfo, Connected, OnHold, Disconnected, Idle, Unknown |
//! | Proceeding | Ringback, Busy, SpecialInfo, Connected, OnHold, Disconnected, Idle, Unknown |
//! | Ringback | Busy, SpecialInfo, Connected, OnHold, Disconnected, Idle, Unknown |
//! | Busy | Ringback, Connected (a completion that camped on: lineCompleteCall), Disconnected, Idle, Unknown |
//! | SpecialInfo | Disconnected, Idle, Unknown |
//! | Connected, Conferenced, OnHold… | each other (Connected also in another mode), Disconnected, Idle, Unknown |
//! | Disconnected | Idle |
//! | Unknown | everything but Offering, Accepted, Dialtone, Dialing |
//! | Idle | nothing |
//!
//! A state that is reported again unchanged is not a transition and is dropped.

use offhook_spi::LineCallState;

/// Whether `next` may follow `now` (none: no state was reported yet).
pub fn may_follow(now: Option<LineCallState>, next: LineCallState) -> bool {
    use LineCallState as S;
    let Some(now) = now else { return true };
    if now == next {
        return false;
    }
    match (now, next) {
        (S::Idle, _) => false,
        (_, S::Idle) => true,
        (S::Disconnected(_), _) => false,
        (_, S::Disconnected(_) | S::Unknown) => true,
        (S::Unknown, _) => !matches!(next, S::Offering | S::Accepted | S::Dialtone | S::Dialing),
        (S::Offering, _) => matches!(next, S::Accepted | S::Connected(_) | S::OnHold),
        (S::Accepted, _) => matches!(next, S::Connected(_) | S::OnHold),
        (S::Busy, _) => matches!(next, S::Ringback | S::Connected(_)),
        (S::SpecialInfo, _) => false,
        (S::Dialtone | S::Dialing | S::Proceeding | S::Ringback, S::OnHold) => now != S::Dialtone,
        (S::Dialtone | S::Dialing | S::Proceeding | S::Ringback, _) => {
            matches!((progress(now), progress(next)), (Some(from), Some(to)) if to > from)
        }
        _ if established(now) => established(next),
        _ => false,
    }
}

/// How far an outgoing call has come.
fn progress(state: LineCallState) -> Option<u8> {
    Some(match state {
        LineCallState::Dialtone => 0,
        LineCallState::Dialing => 1,
        LineCallState::Proceeding => 2,
        LineCallState::Ringback => 3,
        LineCallState::Busy | LineCallState::SpecialInfo | LineCallState::Connected(_) => 4,
        _ => return None,
    })
}

fn established(state: LineCallState) -> bool {
    matches!(
        state,
        LineCallState::Connected(_)
            | LineCallState::OnHold
            | LineCallState::Conferenced
            | LineCallState::OnHoldPendingConference
            | LineCallState::OnHoldPendingTransfer
    )
}

#[cfg(test)]
mod tests {
    use super::may_follow;
    use offhook_spi::{ConnectedMode, DisconnectMode, LineCallState as S};

    const CONNECTED: S = S::Connected(ConnectedMode::Active);
    const HELD: S = S::Connected(ConnectedMode::ActiveHeld);
    const GONE: S = S::Disconnected(DisconnectMode::Normal);
    const PC: S = S::OnHoldPendingConference;
    const PT: S = S::OnHoldPendingTransfer;
    const ALL: [S; 17] = [
        S::Idle,
        S::Offering,
        S::Accepted,
        S::Dialtone,
        S::Dialing,
        S::Ringback,
        S::Busy,
        S::SpecialInfo,
        CONNECTED,
        HELD,
        S::Proceeding,
        S::OnHold,
        S::Conferenced,
        PC,
        PT,
        GONE,
        S::Unknown,
    ];

    /// The table at the top of the file, written a second time as lists.
    #[test]
    fn every_pair_of_states_is_taken_or_dropped_as_the_table_says() {
        let up = [CONNECTED, HELD, S::OnHold, S::Conferenced, PC, PT];
        let with = |some: &[S]| [some, &[GONE, S::Idle, S::Unknown]].concat();
        let table: [(S, Vec<S>); 17] = [
            (S::Idle, vec![]),
            (GONE, vec![S::Idle]),
            (S::Offering, with(&[S::Accepted, CONNECTED, HELD, S::OnHold])),
            (S::Accepted, with(&[CONNECTED, HELD, S::OnHold])),
            (
                S::Dialtone,
                with(&[S::Dialing, S::Proceeding, S::Ringback, S::Busy, S::SpecialInfo, CONNECTED, HELD]),
            ),
            (
                S::Dialing,
                with(&[S::Proceeding, S::Ringback, S::Busy, S::SpecialInfo, CONNECTED, HELD, S::OnHold]),
            ),
            (S::Proceeding, with(&[S::Ringback, S::Busy, S::SpecialInfo, CONNECTED, HELD, S::OnHold])),
            (S::Ringback, with(&[S::Busy, S::SpecialInfo, CONNECTED, HELD, S::OnHold])),
            (S::Busy, with(&[S::Ringback, CONNECTED, HELD])),
            (S::SpecialInfo, with(&[])),
            (CONNECTED, with(&up)),
            (HELD, with(&up)),
            (S::OnHold, with(&up)),
            (S::Conferenced, with(&up)),
            (PC, with(&up)),
            (PT, with(&up)),
            (
                S::Unknown,
                [&[S::Proceeding, S::Ringback, S::Busy, S::SpecialInfo, GONE, S::Idle][..], &up].concat(),
            ),
        ];
        for (from, legal) in table {
            for to in ALL {
                let expected = from != to && legal.contains(&to);
                assert_eq!(may_follow(Some(from), to), expected, "{from:?} to {to:?}");
            }
        }
        assert!(ALL.iter().all(|first| may_follow(None, *first)));
    }

    #[test]
    fn progress_after_ringback_is_not_a_state() {
        assert!(!may_follow(Some(S::Ringback), S::Proceeding));
        assert!(!may_follow(Some(CONNECTED), S::Ringback));
    }
}
