//! Conferences: a call of their own on the line of whoever makes them, and the calls of that line that are in them.
//!
//! | verb | the conference | the call | the consultation |
//! |---|---|---|---|
//! | SetupConference | OnHoldPendingConference | Conferenced | Dialtone, or dialled |
//! | PrepareAddToConference | OnHoldPendingConference | | Dialtone, or dialled |
//! | AddToConference | Connected | Conferenced | |
//! | RemoveFromConference | as it is; Disconnected without members | OnHold | |
//! | a member's far end hangs up | the same | Disconnected | |
//! | Drop of the conference | Idle | Idle, every member | |
//!
//! A member belongs to the conference's hub, and so does its far end; removed, it gets one of its own.

use offhook_spi::{
    CallInfo, CallInfoChange, CallOrigin, CallParams, CallReason, ConferenceCalls, DisconnectMode, HdCall,
    HdLine, HtCall, LineCallState as S, LineError, Party, RequestId,
};

use super::dial::check_params;
use super::hold::is_held;
use super::is_live;
use crate::state::State;

impl State {
    /// An error unless a conference holds that many.
    pub(crate) fn check_room(&self, members: usize) -> Result<(), LineError> {
        let most = self.rules().max_conference;
        if usize::try_from(most).is_ok_and(|most| members > most) {
            return Err(LineError::ResourceUnavail(format!("a conference has {most} calls at most")));
        }
        Ok(())
    }

    /// A conference without members, in the hub of `of`.
    pub(crate) fn new_conference(&mut self, line: HdLine, ht: HtCall, of: HdCall) -> HdCall {
        let call_id = match self.call_id(of) {
            0 => self.new_call_id(),
            known => known,
        };
        let media = self.calls.get(&of).map_or(offhook_spi::MediaTypes::AUDIO, |call| call.info.media);
        let number = self.lines.get(&line).map_or_else(String::new, |line| self.extension_of(line.device));
        let info = CallInfo {
            call_id,
            caller: Party { address: number, name: None },
            ..CallInfo::new(CallOrigin::Outbound, CallReason::Direct, media)
        };
        let made = self.new_leg(line, Some(ht), info, None);
        self.exchange.conferences.insert(made, Vec::new());
        made
    }

    /// A call becomes a member.
    pub(crate) fn enter_conference(&mut self, conference: HdCall, call: HdCall) {
        let hub = self.call_id(conference);
        if let Some(members) = self.exchange.conferences.get_mut(&conference) {
            members.push(call);
        }
        if let Some(call) = self.calls.get_mut(&call) {
            call.leg.conference = Some(conference);
        }
        self.go(call, S::Conferenced);
        self.join_hub(call, hub);
        if let Some(far) = self.far_leg(call) {
            self.join_hub(far, hub);
        }
        let held = self.now(conference).is_some_and(is_held);
        self.hold_far_end(call, held);
    }

    /// A call is no member any more; answers of which conference it was.
    pub(crate) fn leave_conference(&mut self, call: HdCall) -> Option<HdCall> {
        let conference = self.calls.get_mut(&call)?.leg.conference.take()?;
        if let Some(members) = self.exchange.conferences.get_mut(&conference) {
            members.retain(|member| *member != call);
        }
        Some(conference)
    }

    /// Whether a conference that is up has nobody in it.
    pub(crate) fn is_empty(&self, conference: HdCall) -> bool {
        let pending = self.now(conference) == Some(S::OnHoldPendingConference);
        !pending && self.exchange.conferences.get(&conference).is_none_or(Vec::is_empty)
    }

    /// `line_setup_conference`.
    pub(crate) fn setup_conference(
        &mut self,
        request: RequestId,
        line: HdLine,
        call: Option<HdCall>,
        handles: (HtCall, HtCall),
        params: Option<&CallParams>,
    ) -> Result<ConferenceCalls, LineError> {
        self.known_line(line)?;
        check_params(params)?;
        if let Some(call) = call {
            let known = self.in_state(call, |now| matches!(now, S::Connected(_)))?;
            if known.line != line || self.exchange.conferences.contains_key(&call) {
                return Err(LineError::InvalRelatedCall);
            }
        }
        self.check_room(1 + usize::from(call.is_some()))?;
        let conference = self.new_conference(line, handles.0, call.unwrap_or_default());
        let consult = self.outgoing(line, handles.1, self.call_id(conference), params);
        self.done(conference, request);
        self.go(conference, S::OnHoldPendingConference);
        if let Some(call) = call {
            self.enter_conference(conference, call);
        }
        self.set_going(consult, params);
        Ok(ConferenceCalls { conference, consult })
    }

    /// `line_prepare_add_to_conference`.
    pub(crate) fn prepare_add(
        &mut self,
        request: RequestId,
        conference: HdCall,
        consult: HtCall,
        params: Option<&CallParams>,
    ) -> Result<HdCall, LineError> {
        let line = self.in_state(conference, |now| matches!(now, S::Connected(_) | S::OnHold))?.line;
        check_params(params)?;
        let members = self.exchange.conferences.get(&conference).ok_or(LineError::InvalRelatedCall)?.len();
        self.check_room(members + 1)?;
        let leg = self.outgoing(line, consult, self.call_id(conference), params);
        self.done(leg, request);
        self.park_on_hold(conference, S::OnHoldPendingConference);
        self.set_going(leg, params);
        Ok(leg)
    }

    /// `line_add_to_conference`: any call of the line that is up, consulted or not.
    pub(crate) fn add_to_conference(
        &mut self,
        request: RequestId,
        conference: HdCall,
        call: HdCall,
    ) -> Result<(), LineError> {
        let line = self.call(conference)?.line;
        let members = self.exchange.conferences.get(&conference).ok_or(LineError::InvalRelatedCall)?.len();
        let known = self.call(call)?;
        if known.line != line || self.exchange.conferences.contains_key(&call) {
            return Err(LineError::InvalRelatedCall);
        }
        self.in_state(conference, |now| matches!(now, S::Connected(_)) || is_held(now))?;
        self.in_state(call, |now| matches!(now, S::Connected(_)) || is_held(now))?;
        self.check_room(members + 1)?;
        self.done(conference, request);
        self.take_back(conference);
        self.enter_conference(conference, call);
        Ok(())
    }

    /// `line_remove_from_conference`: the call is on hold from then on, with a hub of its own.
    pub(crate) fn remove_from_conference(
        &mut self,
        request: RequestId,
        call: HdCall,
    ) -> Result<(), LineError> {
        self.in_state(call, |now| now == S::Conferenced)?;
        self.done(call, request);
        let left = self.leave_conference(call);
        let (hub, related) = (self.new_call_id(), self.call_id(call));
        self.park_on_hold(call, S::OnHold);
        for leg in [Some(call), self.far_leg(call)].into_iter().flatten() {
            self.join_hub(leg, hub);
            self.tell(leg, CallInfoChange::RelatedCallId, |info| info.related_call_id = related);
        }
        if let Some(conference) = left.filter(|conference| self.is_empty(*conference)) {
            self.exchange.conferences.remove(&conference);
            if is_live(self.now(conference)) {
                self.go(conference, S::Disconnected(DisconnectMode::Normal));
            }
        }
        Ok(())
    }
}
