//! Which state a call must be in for which verb, which capability the device must name, what the completion brings.
//!
//! In: a client's handle of a call and a [`Verb`]. Out: what is needed to ask the provider, or why it may not be asked.
//! The checks go in this order: the handle, owner privilege, the capability, the state.
//!
//! | verb | capability | the call's state | page |
//! |---|---|---|---|
//! | Accept | `ACCEPT` | Offering | lineAccept |
//! | Answer | – | Offering, Accepted | TSPI_lineAnswer |
//! | Drop | – | any but Idle | lineDrop |
//! | Redirect | `REDIRECT` | Offering, Accepted | lineRedirect (Accepted: ours) |
//! | Dial | `DIAL` | any but Idle, Disconnected | lineDial |
//! | GenerateDigits | `GENERATE_DIGITS` | any but Idle | lineGenerateDigits |
//! | SendUserUserInfo, Q931 | `SEND_USER_USER`, `Q931` | any but Idle | lineSendUserUserInfo (wider: ours) |
//! | Hold | `HOLD` | Connected | lineHold |
//! | Unhold | `UNHOLD` | OnHold, OnHoldPendingTransfer, OnHoldPendingConference | TSPI_lineUnhold |
//! | SwapHold, active | `SWAP_HOLD` | Connected | lineSwapHold |
//! | SwapHold, held | `SWAP_HOLD` | OnHold, OnHoldPendingTransfer, OnHoldPendingConference | lineSwapHold |
//! | SetupTransfer | `SETUP_TRANSFER` | Connected | lineSetupTransfer |
//! | CompleteTransfer, call | `COMPLETE_TRANSFER`, or `TRANSFER_TO_CONFERENCE` | OnHold, OnHoldPendingTransfer | lineCompleteTransfer |
//! | CompleteTransfer, consult | the same | Connected, Ringback, Busy, Proceeding | lineCompleteTransfer |
//! | BlindTransfer | `BLIND_TRANSFER` | Connected | lineBlindTransfer |
//! | SetupConference | `SETUP_CONFERENCE` | Connected, or no call | lineSetupConference |
//! | PrepareAddToConference | `PREPARE_ADD_TO_CONFERENCE` | Connected | linePrepareAddToConference |
//! | AddToConference, conference | `ADD_TO_CONFERENCE` | OnHoldPendingConference, OnHold | lineAddToConference |
//! | AddToConference, call | `ADD_TO_CONFERENCE` | Connected, OnHold, Proceeding, Ringback | lineAddToConference |
//! | RemoveFromConference | `REMOVE_FROM_CONFERENCE` | Conferenced | lineRemoveFromConference |
//! | Park | `PARK_DIRECTED`, or `PARK_NONDIRECTED` | Connected | linePark |
//! | CompleteCall | `COMPLETE_CALL` | Busy, Ringback, Proceeding | TSPI_lineCompleteCall |
//! | Unpark, Pickup, Forward, UncompleteCall | `UNPARK`, `PICKUP`, `FORWARD`, `COMPLETE_CALL` | (of a line) | their own |
//!
//! "Connected" is either mode: active, or held by the far end. Placing, answering and dropping calls every device has.
//! Whether a call is a conference, and which calls are in it, only the provider knows: a conference may also have been
//! made elsewhere.

use std::sync::Arc;

use offhook_spi::{CallFeatures, HCall, HLine, HdCall, HtCall, HtLine, LineCallState as S, LineError, Tspi};

use crate::model::{ClientId, Expects, State};
use crate::requests::owned;

/// A verb about one call.
pub(crate) struct Verb {
    pub(crate) needs: CallFeatures,
    pub(crate) when: fn(Option<S>) -> bool,
    pub(crate) expects: Expects,
}

const fn needs(needs: CallFeatures, when: fn(Option<S>) -> bool) -> Verb {
    Verb { needs, when, expects: Expects::Done }
}

fn connected(state: Option<S>) -> bool {
    matches!(state, Some(S::Connected(_)))
}

fn held(state: Option<S>) -> bool {
    matches!(state, Some(S::OnHold | S::OnHoldPendingTransfer | S::OnHoldPendingConference))
}

fn transferable(state: Option<S>) -> bool {
    matches!(state, Some(S::OnHold | S::OnHoldPendingTransfer))
}

fn consulted(state: Option<S>) -> bool {
    matches!(state, Some(S::Connected(_) | S::Ringback | S::Busy | S::Proceeding))
}

fn live(state: Option<S>) -> bool {
    !matches!(state, None | Some(S::Idle))
}

pub(crate) const ACCEPT: Verb = Verb {
    needs: CallFeatures::ACCEPT,
    when: |state| matches!(state, Some(S::Offering)),
    expects: Expects::Claim,
};
pub(crate) const ANSWER: Verb = Verb {
    needs: CallFeatures::NONE,
    when: |state| matches!(state, Some(S::Offering | S::Accepted)),
    expects: Expects::Claim,
};
pub(crate) const DROP: Verb = needs(CallFeatures::NONE, |state| state != Some(S::Idle));
pub(crate) const REDIRECT: Verb =
    needs(CallFeatures::REDIRECT, |state| matches!(state, Some(S::Offering | S::Accepted)));
pub(crate) const DIAL: Verb =
    needs(CallFeatures::DIAL, |state| live(state) && !matches!(state, Some(S::Disconnected(_))));
pub(crate) const GENERATE_DIGITS: Verb = needs(CallFeatures::GENERATE_DIGITS, live);
pub(crate) const SEND_USER_USER: Verb = needs(CallFeatures::SEND_USER_USER, live);
pub(crate) const Q931: Verb = needs(CallFeatures::Q931, live);
pub(crate) const HOLD: Verb = needs(CallFeatures::HOLD, connected);
pub(crate) const UNHOLD: Verb = needs(CallFeatures::UNHOLD, held);
pub(crate) const SWAP_ACTIVE: Verb = needs(CallFeatures::SWAP_HOLD, connected);
pub(crate) const SWAP_HELD: Verb = needs(CallFeatures::SWAP_HOLD, held);
pub(crate) const SETUP_TRANSFER: Verb = needs(CallFeatures::SETUP_TRANSFER, connected);
pub(crate) const TRANSFER: Verb = needs(CallFeatures::COMPLETE_TRANSFER, transferable);
pub(crate) const TRANSFER_CONSULT: Verb = needs(CallFeatures::COMPLETE_TRANSFER, consulted);
pub(crate) const CONFERENCE: Verb = needs(CallFeatures::TRANSFER_TO_CONFERENCE, transferable);
pub(crate) const CONFERENCE_CONSULT: Verb = needs(CallFeatures::TRANSFER_TO_CONFERENCE, consulted);
pub(crate) const BLIND_TRANSFER: Verb = needs(CallFeatures::BLIND_TRANSFER, connected);
pub(crate) const SETUP_CONFERENCE: Verb = needs(CallFeatures::SETUP_CONFERENCE, connected);
pub(crate) const PREPARE_ADD: Verb = needs(CallFeatures::PREPARE_ADD_TO_CONFERENCE, connected);
pub(crate) const ADD_TO: Verb = needs(CallFeatures::ADD_TO_CONFERENCE, |state| {
    matches!(state, Some(S::OnHoldPendingConference | S::OnHold))
});
pub(crate) const ADD: Verb = needs(CallFeatures::ADD_TO_CONFERENCE, |state| {
    matches!(state, Some(S::Connected(_) | S::OnHold | S::Proceeding | S::Ringback))
});
pub(crate) const REMOVE: Verb =
    needs(CallFeatures::REMOVE_FROM_CONFERENCE, |state| state == Some(S::Conferenced));
pub(crate) const PARK_DIRECTED: Verb = needs(CallFeatures::PARK_DIRECTED, connected);
pub(crate) const PARK_NONDIRECTED: Verb =
    Verb { needs: CallFeatures::PARK_NONDIRECTED, when: connected, expects: Expects::Address };
pub(crate) const COMPLETE_CALL: Verb = Verb {
    needs: CallFeatures::COMPLETE_CALL,
    when: |state| matches!(state, Some(S::Busy | S::Ringback | S::Proceeding)),
    expects: Expects::CompletionId,
};

/// A call that a verb may be performed on.
pub(crate) struct Permitted {
    pub(crate) ht: HtCall,
    pub(crate) hd: HdCall,
    pub(crate) tsp: Arc<dyn Tspi>,
    pub(crate) line: HtLine,
    /// The opening of the line through which the client holds it.
    pub(crate) opened: HLine,
}

impl State {
    /// Whether a client may perform a verb on a call.
    pub(crate) fn permit(&self, client: ClientId, call: HCall, verb: &Verb) -> Result<Permitted, LineError> {
        let (ht, entry) = self.call_of(client, call)?;
        owned(entry, client)?;
        let opened = entry.holder(client).ok_or(LineError::InvalCallHandle)?.line;
        self.has_feature(entry.line, verb.needs)?;
        if !(verb.when)(entry.state) {
            return Err(LineError::InvalCallState);
        }
        let (tsp, hd) = (entry.tsp.clone(), entry.hd.ok_or(LineError::InvalCallHandle)?);
        Ok(Permitted { ht, hd, tsp, line: entry.line, opened })
    }

    /// The same of two calls of one provider.
    pub(crate) fn permit_both(
        &self,
        client: ClientId,
        (one, verb): (HCall, &Verb),
        (other, other_verb): (HCall, &Verb),
    ) -> Result<(Permitted, Permitted), LineError> {
        let one = self.permit(client, one, verb)?;
        let other = self.permit(client, other, other_verb)?;
        let provider = |line| self.lines.get(&line).map(|entry| entry.provider);
        if one.ht == other.ht || provider(one.line) != provider(other.line) {
            return Err(LineError::InvalRelatedCall);
        }
        Ok((one, other))
    }

    /// Whether the device behind a line names a verb among its capabilities.
    pub(crate) fn has_feature(&self, line: HtLine, needs: CallFeatures) -> Result<(), LineError> {
        let entry = self.lines.get(&line).ok_or(LineError::InvalLineHandle)?;
        let device = self.devices.get(entry.device).ok_or(LineError::NoDriver)?;
        if device.caps.features.contains(needs) { Ok(()) } else { Err(LineError::OperationUnavail) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_spi::{ConnectedMode, DisconnectMode};

    const UP: S = S::Connected(ConnectedMode::Active);
    const HELD: S = S::Connected(ConnectedMode::ActiveHeld);
    const ALL: [S; 17] = [
        S::Idle,
        S::Offering,
        S::Accepted,
        S::Dialtone,
        S::Dialing,
        S::Ringback,
        S::Busy,
        S::SpecialInfo,
        UP,
        HELD,
        S::Proceeding,
        S::OnHold,
        S::Conferenced,
        S::OnHoldPendingConference,
        S::OnHoldPendingTransfer,
        S::Disconnected(DisconnectMode::Normal),
        S::Unknown,
    ];

    /// The table at the top of the file, written a second time as lists.
    #[test]
    fn every_verb_is_for_the_states_of_the_table() {
        let (pt, pc) = (S::OnHoldPendingTransfer, S::OnHoldPendingConference);
        let table: [(&str, Verb, Vec<S>); 19] = [
            ("accept", ACCEPT, vec![S::Offering]),
            ("answer", ANSWER, vec![S::Offering, S::Accepted]),
            ("redirect", REDIRECT, vec![S::Offering, S::Accepted]),
            ("hold", HOLD, vec![UP, HELD]),
            ("unhold", UNHOLD, vec![S::OnHold, pt, pc]),
            ("swap, active", SWAP_ACTIVE, vec![UP, HELD]),
            ("swap, held", SWAP_HELD, vec![S::OnHold, pt, pc]),
            ("setup transfer", SETUP_TRANSFER, vec![UP, HELD]),
            ("transfer", TRANSFER, vec![S::OnHold, pt]),
            ("transfer, consult", TRANSFER_CONSULT, vec![UP, HELD, S::Ringback, S::Busy, S::Proceeding]),
            ("conference", CONFERENCE, vec![S::OnHold, pt]),
            ("blind transfer", BLIND_TRANSFER, vec![UP, HELD]),
            ("setup conference", SETUP_CONFERENCE, vec![UP, HELD]),
            ("prepare add", PREPARE_ADD, vec![UP, HELD]),
            ("add to", ADD_TO, vec![pc, S::OnHold]),
            ("add", ADD, vec![UP, HELD, S::OnHold, S::Proceeding, S::Ringback]),
            ("remove", REMOVE, vec![S::Conferenced]),
            ("park", PARK_DIRECTED, vec![UP, HELD]),
            ("complete call", COMPLETE_CALL, vec![S::Busy, S::Ringback, S::Proceeding]),
        ];
        for (name, verb, states) in table {
            for state in ALL {
                assert_eq!((verb.when)(Some(state)), states.contains(&state), "{name} in {state:?}");
            }
            assert!(!(verb.when)(None), "{name} before the first state");
        }
        let but =
            |verb: Verb, not: &[S]| ALL.iter().all(|state| (verb.when)(Some(*state)) != not.contains(state));
        assert!(but(DROP, &[S::Idle]) && (DROP.when)(None));
        for verb in [GENERATE_DIGITS, SEND_USER_USER, Q931] {
            assert!(!(verb.when)(None) && but(verb, &[S::Idle]));
        }
        assert!(but(DIAL, &[S::Idle, S::Disconnected(DisconnectMode::Normal)]) && !(DIAL.when)(None));
    }
}
