//! Which LINECALLSTATE may follow which.
//!
//! In: a call's state and the one reported next. Out: whether it is taken.
//! What each state means is on the page of LINECALLSTATE_, what leads from one to another on the page of the function
//! that asks for it; where the pages are silent the row says so. From every state but Idle a call may go to Idle, from
//! every one but Idle and Disconnected to Disconnected and Unknown: the rows name what is beyond that.
//!
//! | from \ to | allowed | page |
//! |---|---|---|
//! | (new) | everything: a call may be announced in any state | LINE_NEWCALL, LINE_CALLSTATE |
//! | Offering | Accepted | lineAccept |
//! | Offering, Accepted | Connected | lineAnswer |
//! | Offering, Accepted | OnHold | CALL_STATE: Offering to Hold |
//! | Dialtone | Dialing, Proceeding, Ringback, Busy, SpecialInfo, Connected | lineDial; any step may be left out (lineMakeCall) |
//! | Dialing | Proceeding, Ringback, Busy, SpecialInfo, Connected | LINECALLSTATE_PROCEEDING |
//! | Proceeding | Ringback, Busy, SpecialInfo, Connected | LINECALLSTATE_PROCEEDING |
//! | Ringback | Busy, SpecialInfo, Connected | LINECALLSTATE_RINGBACK |
//! | Dialing, Proceeding, Ringback | OnHold | CALL_STATE: InProgress to Hold |
//! | Proceeding, Ringback | Conferenced | lineAddToConference: before the call is answered |
//! | Busy | Ringback, Connected | lineCompleteCall: camped on, or broken in |
//! | SpecialInfo | – | an announcement ends the attempt |
//! | Connected | Connected in the other mode | LINECONNECTEDMODE_ |
//! | Connected | OnHold | lineHold, lineSwapHold |
//! | Connected | OnHoldPendingTransfer | lineSetupTransfer |
//! | Connected | OnHoldPendingConference | linePrepareAddToConference |
//! | Connected | Conferenced | lineSetupConference, lineAddToConference |
//! | OnHold, OnHoldPendingTransfer, OnHoldPendingConference | Connected | lineUnhold, lineSwapHold; lineDrop of the consultation call |
//! | OnHold, OnHoldPendingTransfer | Conferenced | lineAddToConference, lineCompleteTransfer |
//! | OnHoldPendingConference | Connected | lineAddToConference |
//! | Conferenced | Connected, OnHold | lineRemoveFromConference; what it becomes is the device's to say |
//! | Connected, Conferenced, OnHold, OnHoldPendingTransfer, OnHoldPendingConference | each other, beyond the rows above | – ("the states of calls in a conference are not independent": a switch may reach any from any) |
//! | Disconnected | Idle only | CALL_STATE: Disconnected to nothing |
//! | Unknown | everything but Offering, Accepted, Dialtone, Dialing | LINECALLSTATE_UNKNOWN; the exceptions are ours |
//! | Idle | nothing | LINECALLSTATE_IDLE: never left |
//!
//! Progress never goes back (Proceeding after Ringback is an event and no state): this project's decision. A state that
//! is reported again unchanged is not a transition and is dropped. CALL_STATE is the table that TAPI 3 publishes for
//! its own, coarser states; it stands for what may be put on hold.

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
        (S::Proceeding | S::Ringback, S::Conferenced) => true,
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
            (
                S::Proceeding,
                with(&[S::Ringback, S::Busy, S::SpecialInfo, CONNECTED, HELD, S::OnHold, S::Conferenced]),
            ),
            (S::Ringback, with(&[S::Busy, S::SpecialInfo, CONNECTED, HELD, S::OnHold, S::Conferenced])),
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
