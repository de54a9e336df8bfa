//! Transfer by consultation and without, and redirection of an offered call.
//!
//! ```text
//! before:  X ── call | consult ── Y        after:  X ── Y, both in the hub of `call`, related to that of `consult`
//! ```

use offhook_spi::{
    CallInfoChange, CallParams, CallReason, DisconnectMode, HdCall, HtCall, LineCallState as S, LineError,
    Party, RequestId, TransferMode,
};

use super::dial::{Arrival, Caller, check_params};
use super::hold::is_held;
use super::{ACTIVE, Peer};
use crate::state::State;

impl State {
    /// `line_setup_transfer`.
    pub(crate) fn setup_transfer(
        &mut self,
        request: RequestId,
        call: HdCall,
        consult: HtCall,
        params: Option<&CallParams>,
    ) -> Result<HdCall, LineError> {
        let line = self.in_state(call, |now| matches!(now, S::Connected(_)))?.line;
        check_params(params)?;
        let leg = self.outgoing(line, consult, self.call_id(call), params);
        self.done(leg, request);
        self.park_on_hold(call, S::OnHoldPendingTransfer);
        self.set_going(leg, params);
        Ok(leg)
    }

    /// `line_complete_transfer`. Either call may be the one on hold: they may have been swapped.
    pub(crate) fn complete_transfer(
        &mut self,
        request: RequestId,
        call: HdCall,
        consult: HdCall,
        mode: TransferMode,
        conference: HtCall,
    ) -> Result<Option<HdCall>, LineError> {
        let up = |now| matches!(now, S::Connected(_)) || is_held(now);
        let line = self.in_state(call, up)?.line;
        let reached =
            |now| up(now) || (mode == TransferMode::Transfer && matches!(now, S::Ringback | S::Proceeding));
        if call == consult
            || self.call(consult)?.line != line
            || self.exchange.conferences.contains_key(&consult)
        {
            return Err(LineError::InvalRelatedCall);
        }
        let known = self.in_state(consult, reached)?;
        if known.leg.peer.is_none()
            || (self.peer(call).is_none() && !self.exchange.conferences.contains_key(&call))
        {
            return Err(LineError::InvalCallState);
        }
        match mode {
            TransferMode::Transfer => {
                if self.exchange.conferences.contains_key(&call) {
                    return Err(LineError::InvalCallState);
                }
                self.done(call, request);
                self.join(call, consult);
                Ok(None)
            }
            TransferMode::Conference => {
                if self.exchange.conferences.contains_key(&call) {
                    return Err(LineError::InvalRelatedCall);
                }
                self.check_room(2)?;
                let made = self.new_conference(line, conference, call);
                self.done(made, request);
                self.enter_conference(made, call);
                self.enter_conference(made, consult);
                self.go(made, ACTIVE);
                Ok(Some(made))
            }
        }
    }

    /// The far ends of two calls have each other; both calls end.
    fn join(&mut self, call: HdCall, consult: HdCall) {
        let (hub, related, transferring) = (self.call_id(call), self.call_id(consult), self.number_of(call));
        let take = |state: &mut Self, of| state.calls.get_mut(&of).and_then(|call| call.leg.peer.take());
        let (Some(one), Some(two)) = (take(self, call), take(self, consult)) else { return };
        for (this, other) in [(&one, &two), (&two, &one)] {
            let Peer::Leg(leg) = *this else { continue };
            let party = self.party(other);
            self.set_peer(leg, Some(other.clone()));
            self.leave_conference(leg);
            self.join_hub(leg, hub);
            self.tell(leg, CallInfoChange::RelatedCallId, |info| info.related_call_id = related);
            let by = Party { address: transferring.clone(), name: None };
            self.tell(leg, CallInfoChange::RedirectingId, |info| info.redirecting = Some(by));
            if matches!(self.now(leg), Some(S::Offering | S::Accepted)) {
                self.tell(leg, CallInfoChange::CallerId, |info| info.caller = party);
            } else {
                self.tell(leg, CallInfoChange::ConnectedId, |info| info.connected = Some(party));
            }
            self.tell(leg, CallInfoChange::Other, |info| info.reason = CallReason::Transfer);
            if let Some(call) = self.calls.get_mut(&leg) {
                call.leg.held = false;
            }
            if matches!(self.now(leg), Some(S::Connected(_))) {
                self.go(leg, ACTIVE);
            }
        }
        self.hang(call, S::Idle, DisconnectMode::Normal);
        self.hang(consult, S::Idle, DisconnectMode::Normal);
    }

    /// `line_blind_transfer`.
    pub(crate) fn blind_transfer(
        &mut self,
        request: RequestId,
        call: HdCall,
        destination: &str,
    ) -> Result<(), LineError> {
        self.in_state(call, |now| matches!(now, S::Connected(_)) || is_held(now))?;
        self.send_elsewhere(request, call, destination, CallReason::Transfer)
    }

    /// `line_redirect`.
    pub(crate) fn redirect(
        &mut self,
        request: RequestId,
        call: HdCall,
        destination: &str,
    ) -> Result<(), LineError> {
        self.in_state(call, |now| matches!(now, S::Offering | S::Accepted))?;
        self.send_elsewhere(request, call, destination, CallReason::Forwarded)
    }

    fn send_elsewhere(
        &mut self,
        request: RequestId,
        call: HdCall,
        destination: &str,
        reason: CallReason,
    ) -> Result<(), LineError> {
        let known = self.call(call)?;
        let (call_id, media) = (known.info.call_id, known.info.media);
        let Some(peer) = known.leg.peer.clone().filter(|peer| !matches!(peer, Peer::Parked(_))) else {
            return Err(LineError::InvalCallState);
        };
        if !self.exists(destination) {
            return Err(LineError::InvalAddress(format!("{destination:?} is not a number of this switch")));
        }
        let by = Party { address: self.number_of(call), name: None };
        let party = self.party(&peer);
        let caller =
            Caller { peer: peer.clone(), party, call_id, media, reason, redirecting: Some(by.clone()) };
        let before = self.agenda.len();
        let arrival = self.send_to(&caller, destination);
        let (to, outside) = match arrival {
            Arrival::Rings(leg) => (Peer::Leg(leg), None),
            Arrival::Outside(at, outside @ (crate::Outside::Rings | crate::Outside::Answers)) => {
                (Peer::Outside(at), Some(outside))
            }
            Arrival::Busy(_) | Arrival::Outside(..) | Arrival::Fails(_) => {
                self.answer(Some(call), request, Err(LineError::failed("the call does not get there")));
                return Ok(());
            }
        };
        // The completion comes before the new leg is announced.
        let after: Vec<_> = self.agenda.drain(before..).collect();
        self.done(call, request);
        self.agenda.extend(after);
        let related = self.call_id(call);
        if let Some(call) = self.calls.get_mut(&call) {
            call.leg.peer = None;
        }
        if let Peer::Leg(far) = peer {
            let party = self.party(&to);
            self.set_peer(far, Some(to));
            if let Some(call) = self.calls.get_mut(&far) {
                call.leg.held = false;
            }
            self.tell(far, CallInfoChange::RedirectionId, |info| info.redirection = Some(party));
            self.join_hub(far, related);
            match (self.now(far), outside) {
                (Some(S::Connected(_)), _) => self.go(far, ACTIVE),
                (Some(_), Some(crate::Outside::Answers)) => self.connect(far),
                _ => {}
            }
        }
        self.hang(call, S::Idle, DisconnectMode::Normal);
        self.settle();
        Ok(())
    }
}
