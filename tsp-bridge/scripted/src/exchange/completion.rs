//! Completion of calls that met a busy extension, forwarding, and a bell that nobody hears.

use offhook_spi::{
    CallInfo, CallOrigin, CallReason, Completion, CompletionMode, DisconnectMode, Forward, ForwardMode,
    HdCall, HdLine, LineCallState as S, LineError, Party, RequestId,
};

use super::Peer;
use super::dial::{Arrival, Caller};
use crate::state::{Move, State};

/// A completion that was asked for.
pub(crate) struct Waiting {
    /// The device that is to be free.
    pub(crate) target: u32,
    /// The device that is called back.
    pub(crate) from: u32,
    /// The call that waits for it, for a camp-on.
    pub(crate) camps_on: Option<HdCall>,
    pub(crate) call_id: u32,
    /// The leg by which the switch calls back, once it does.
    pub(crate) calling_back: Option<HdCall>,
}

impl State {
    /// `line_complete_call`: camp-on and call-back, on an extension that was busy.
    pub(crate) fn complete_call(
        &mut self,
        request: RequestId,
        call: HdCall,
        mode: CompletionMode,
    ) -> Result<(), LineError> {
        let known = self.in_state(call, |now| now == S::Busy)?;
        let (line, call_id, target) = (known.line, known.info.call_id, known.leg.met_busy);
        let from = self.known_line(line)?.device;
        let camps_on = match mode {
            CompletionMode::CampOn => Some(call),
            CompletionMode::CallBack => None,
            CompletionMode::Intrude | CompletionMode::Message(_) => {
                return Err(LineError::InvalParam("this switch camps on and calls back only".to_owned()));
            }
        };
        let Some(target) = target else {
            self.answer(Some(call), request, Err(LineError::failed("the busy party is outside")));
            return Ok(());
        };
        self.exchange.last_completion += 1;
        let id = self.exchange.last_completion;
        let waiting = Waiting { target, from, camps_on, call_id, calling_back: None };
        self.exchange.completions.insert(id, waiting);
        self.answer(Some(call), request, Ok(Completion::CompletionId(id)));
        if camps_on.is_none() {
            self.hang(call, S::Idle, DisconnectMode::Normal);
        }
        self.settle();
        Ok(())
    }

    /// `line_uncomplete_call`.
    pub(crate) fn uncomplete_call(
        &mut self,
        request: RequestId,
        line: HdLine,
        completion: u32,
    ) -> Result<(), LineError> {
        let device = self.known_line(line)?.device;
        let ours = self.exchange.completions.get(&completion).is_some_and(|waiting| waiting.from == device);
        if !ours {
            return Err(LineError::InvalParam(format!("no completion {completion} waits on this line")));
        }
        self.exchange.completions.remove(&completion);
        self.answer(None, request, Ok(Completion::Done));
        Ok(())
    }

    /// Something ended: whoever waits for an extension that is free now is served, one at a time.
    pub(crate) fn settle(&mut self) {
        let free = |waiting: &Waiting| {
            waiting.calling_back.is_none()
                && !self.is_busy(waiting.target)
                && (waiting.camps_on.is_some() || !self.is_busy(waiting.from))
        };
        let Some(id) = self.exchange.completions.iter().find(|(_, one)| free(one)).map(|(id, _)| *id) else {
            return;
        };
        let Some(waiting) = self.exchange.completions.get_mut(&id) else { return };
        let (target, from, call_id) = (waiting.target, waiting.from, waiting.call_id);
        match waiting.camps_on {
            Some(call) => {
                self.exchange.completions.remove(&id);
                self.call_from(call, &self.extension_of(target), CallReason::CallCompletion);
            }
            None => {
                let Some(line) = self.line_of_device(from) else { return };
                let number = self.extension_of(target);
                let info = CallInfo {
                    call_id,
                    caller: Party { address: number, name: None },
                    called: Party { address: self.extension_of(from), name: None },
                    ..CallInfo::new(
                        CallOrigin::Inbound,
                        CallReason::CallCompletion,
                        offhook_spi::MediaTypes::AUDIO,
                    )
                };
                let leg = self.new_leg(line, None, info, None);
                if let Some(waiting) = self.exchange.completions.get_mut(&id) {
                    waiting.calling_back = Some(leg);
                }
                self.agenda.push_back(Move::Announce(leg));
                self.go(leg, S::Offering);
            }
        }
    }

    /// Whoever asked to be called back answers: the extension rings.
    pub(crate) fn called_back(&mut self, leg: HdCall) {
        let found = self.exchange.completions.iter().find(|(_, one)| one.calling_back == Some(leg));
        let Some((id, target)) = found.map(|(id, waiting)| (*id, waiting.target)) else { return };
        self.exchange.completions.remove(&id);
        let Ok(call) = self.call(leg) else { return };
        let (call_id, media) = (call.info.call_id, call.info.media);
        let party = Party { address: self.number_of(leg), name: None };
        let reason = CallReason::CallCompletion;
        let caller = Caller { peer: Peer::Leg(leg), party, call_id, media, reason, redirecting: None };
        match self.send_to(&caller, &self.extension_of(target)) {
            Arrival::Rings(far) => self.set_peer(leg, Some(Peer::Leg(far))),
            Arrival::Outside(at, _) => self.set_peer(leg, Some(Peer::Outside(at))),
            Arrival::Busy(_) => self.hang(leg, S::Disconnected(DisconnectMode::Busy), DisconnectMode::Normal),
            Arrival::Fails(why) => self.hang(leg, S::Disconnected(why), DisconnectMode::Normal),
        }
    }

    /// `line_forward`.
    pub(crate) fn forward(
        &mut self,
        request: RequestId,
        line: HdLine,
        instructions: &[Forward],
    ) -> Result<(), LineError> {
        let device = self.known_line(line)?.device;
        let own = self.extension_of(device);
        for one in instructions {
            if one.destination == own || !self.exists(&one.destination) {
                return Err(LineError::InvalAddress(format!(
                    "calls cannot be sent to {:?}",
                    one.destination
                )));
            }
        }
        self.exchange.forwards.insert(device, instructions.to_vec());
        self.answer(None, request, Ok(Completion::Done));
        Ok(())
    }

    /// A call rang long enough: it goes where unanswered calls go, or its caller gives up hearing it ring.
    pub(crate) fn rings_out(&mut self, leg: HdCall) {
        if self.in_state(leg, |now| matches!(now, S::Offering | S::Accepted)).is_err() {
            return;
        }
        let Ok(call) = self.call(leg) else { return };
        let (line, info) = (call.line, call.info.clone());
        let (Some(peer), Ok(device)) = (call.leg.peer.clone(), self.known_line(line).map(|line| line.device))
        else {
            return;
        };
        let when = [ForwardMode::NoAnswer, ForwardMode::BusyNoAnswer];
        let to = self.forward_of(device, &info.caller, &when).map(|forward| forward.destination.clone());
        let Some(to) = to else {
            self.hang(leg, S::Disconnected(DisconnectMode::NoAnswer), DisconnectMode::NoAnswer);
            return;
        };
        let caller = Caller {
            peer: peer.clone(),
            party: info.caller.clone(),
            call_id: info.call_id,
            media: info.media,
            reason: CallReason::ForwardedNoAnswer,
            redirecting: Some(Party { address: self.extension_of(device), name: None }),
        };
        if let Some(call) = self.calls.get_mut(&leg) {
            call.leg.peer = None;
        }
        // The new leg is announced before the old one ends: so the hub goes on.
        let arrival = self.send_to(&caller, &to);
        self.hang(leg, S::Disconnected(DisconnectMode::Forwarded), DisconnectMode::Normal);
        if let Peer::Leg(from) = peer {
            self.set_peer(from, None);
            let number = self.extension_of(device);
            self.arrived(from, &number, arrival);
        }
    }

    /// The far end of a call answers: a party outside, or by hand at another extension.
    pub(crate) fn far_end_answers(&mut self, call: HdCall) {
        match self.peer(call) {
            Some(Peer::Leg(far)) if matches!(self.now(far), Some(S::Offering | S::Accepted)) => {
                self.answered(far);
            }
            Some(Peer::Outside(_)) if matches!(self.now(call), Some(S::Proceeding | S::Ringback)) => {
                self.connect(call);
            }
            _ => {}
        }
    }
}
