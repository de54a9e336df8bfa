//! Where a number leads, and the call on its way there: forwarding, busy extensions, parties outside.
//!
//! In: a caller and a number. Out: a leg that rings, a party outside, or why not.

use offhook_spi::{
    CallInfo, CallInfoChange, CallOrigin, CallParams, CallReason, DisconnectMode, Forward, ForwardMode,
    HdCall, HdLine, HtCall, LineCallState as S, LineError, MediaTypes, Party, RequestId,
};

use super::{ACTIVE, Peer, is_live};
use crate::Outside;
use crate::state::{Move, State};

/// The most that one call is forwarded.
const MOST_FORWARDS: usize = 8;

/// A call on its way, whoever makes it.
pub(crate) struct Caller {
    pub(crate) peer: Peer,
    pub(crate) party: Party,
    pub(crate) call_id: u32,
    pub(crate) media: MediaTypes,
    pub(crate) reason: CallReason,
    /// Who sends the call there.
    pub(crate) redirecting: Option<Party>,
}

/// Where it came.
pub(crate) enum Arrival {
    /// It rings at an extension; the new leg.
    Rings(HdCall),
    /// At a number outside.
    Outside(String, Outside),
    /// The extension is busy.
    Busy(u32),
    /// It does not get there.
    Fails(DisconnectMode),
}

/// Where a number leads at first sight.
enum Place {
    Extension(u32),
    Outside(Outside),
}

impl State {
    fn lookup(&self, number: &str, devices: u32) -> Option<Place> {
        let rules = self.switch.as_ref()?;
        if let Some(outside) = rules.outside.get(number) {
            return Some(Place::Outside(*outside));
        }
        let device = number.parse::<u32>().ok()?.checked_sub(rules.first_extension)?;
        (device < devices && self.extension_of(device) == number).then_some(Place::Extension(device))
    }

    /// Whether a number exists.
    pub(crate) fn exists(&self, number: &str) -> bool {
        self.lookup(number, self.exchange_size()).is_some()
    }

    /// How many calls an extension has; a conference counts by its members.
    pub(crate) fn live_calls(&self, device: u32) -> usize {
        let Some(line) = self.line_of_device(device) else { return 0 };
        let counted = |hd: &HdCall| !self.exchange.conferences.contains_key(hd);
        self.calls
            .iter()
            .filter(|(hd, call)| call.line == line && is_live(call.leg.now) && counted(hd))
            .count()
    }

    pub(crate) fn is_busy(&self, device: u32) -> bool {
        let most = self.switch.as_ref().map_or(0, |rules| rules.busy_at);
        most != 0 && self.live_calls(device) >= most
    }

    /// The instruction of a device that applies, none of the others.
    pub(crate) fn forward_of(&self, device: u32, caller: &Party, when: &[ForwardMode]) -> Option<&Forward> {
        let all = self.exchange.forwards.get(&device)?;
        let applies = |one: &&Forward| {
            when.contains(&one.mode) && one.caller.as_ref().is_none_or(|c| *c == caller.address)
        };
        // Who is named comes before everybody.
        all.iter().filter(applies).max_by_key(|one| one.caller.is_some())
    }

    /// Sends a call on its way to `number`. Nothing changes unless it gets there.
    pub(crate) fn send_to(&mut self, caller: &Caller, number: &str) -> Arrival {
        use ForwardMode::{Busy, BusyNoAnswer, Unconditional};
        let (mut to, mut reason, mut redirecting) =
            (number.to_owned(), caller.reason, caller.redirecting.clone());
        for _ in 0..MOST_FORWARDS {
            let device = match self.lookup(&to, self.exchange_size()) {
                None => return Arrival::Fails(DisconnectMode::BadAddress),
                Some(Place::Outside(outside)) => return Arrival::Outside(to, outside),
                Some(Place::Extension(device)) => device,
            };
            let busy = self.is_busy(device);
            let always = self.forward_of(device, &caller.party, &[Unconditional]);
            let hop = match always {
                Some(forward) => Some((CallReason::ForwardedAlways, forward.destination.clone())),
                None if busy => self
                    .forward_of(device, &caller.party, &[Busy, BusyNoAnswer])
                    .map(|forward| (CallReason::ForwardedBusy, forward.destination.clone())),
                None => None,
            };
            if let Some((why, next)) = hop {
                redirecting = Some(Party { address: to, name: None });
                (reason, to) = (why, next);
                continue;
            }
            if busy {
                return Arrival::Busy(device);
            }
            let listens = |line: &HdLine| {
                self.lines.get(line).is_some_and(|line| !line.detection.intersection(caller.media).is_empty())
            };
            let Some(line) = self.line_of_device(device).filter(listens) else {
                return Arrival::Fails(DisconnectMode::Unavail);
            };
            let info = CallInfo {
                call_id: caller.call_id,
                caller: caller.party.clone(),
                called: Party { address: number.to_owned(), name: None },
                redirecting,
                ..CallInfo::new(CallOrigin::Inbound, reason, caller.media)
            };
            let leg = self.new_leg(line, None, info, Some(caller.peer.clone()));
            self.agenda.push_back(Move::Announce(leg));
            self.go(leg, S::Offering);
            return Arrival::Rings(leg);
        }
        Arrival::Fails(DisconnectMode::Congestion)
    }

    /// Calls `number` from a leg of its own.
    pub(crate) fn call_from(&mut self, from: HdCall, number: &str, reason: CallReason) {
        let Ok(call) = self.call(from) else { return };
        let (call_id, media, name) = (call.info.call_id, call.info.media, call.info.caller.name.clone());
        let party = Party { address: self.number_of(from), name };
        let caller = Caller { peer: Peer::Leg(from), party, call_id, media, reason, redirecting: None };
        let arrival = self.send_to(&caller, number);
        self.arrived(from, number, arrival);
    }

    /// Tells a calling leg where its call came.
    pub(crate) fn arrived(&mut self, from: HdCall, number: &str, arrival: Arrival) {
        match arrival {
            Arrival::Rings(leg) => {
                let at = self.number_of(leg);
                self.set_peer(from, Some(Peer::Leg(leg)));
                self.go(from, S::Ringback);
                self.redirected(from, number, &at);
            }
            Arrival::Outside(at, outside) => {
                self.set_peer(from, Some(Peer::Outside(at.clone())));
                match outside {
                    Outside::Rings => self.go(from, S::Ringback),
                    Outside::Answers => self.connect(from),
                    Outside::Busy => self.go(from, S::Busy),
                    Outside::Ends(why) => self.hang(from, S::Disconnected(why), DisconnectMode::Normal),
                }
                self.redirected(from, number, &at);
            }
            Arrival::Busy(device) => {
                if let Some(call) = self.calls.get_mut(&from) {
                    call.leg.met_busy = Some(device);
                }
                self.go(from, S::Busy);
            }
            Arrival::Fails(why) => self.go(from, S::Disconnected(why)),
        }
    }

    /// Says where a call went instead.
    fn redirected(&mut self, from: HdCall, number: &str, at: &str) {
        if number != at {
            let party = Party { address: at.to_owned(), name: None };
            self.tell(from, CallInfoChange::RedirectionId, |info| info.redirection = Some(party));
        }
    }

    /// The far end is there.
    pub(crate) fn connect(&mut self, call: HdCall) {
        self.go(call, ACTIVE);
        if let Some(peer) = self.peer(call) {
            let party = self.party(&peer);
            self.tell(call, CallInfoChange::ConnectedId, |info| info.connected = Some(party));
        }
    }

    /// A leg that an application makes: it dials, or waits for digits.
    pub(crate) fn outgoing(
        &mut self,
        line: HdLine,
        ht: HtCall,
        related_call_id: u32,
        params: Option<&CallParams>,
    ) -> HdCall {
        let media = params.map_or(MediaTypes::AUDIO, |params| params.media);
        let call_id = self.new_call_id();
        let number = params.map(|params| params.destination.clone()).unwrap_or_default();
        let info = CallInfo {
            call_id,
            related_call_id,
            caller: Party {
                address: self
                    .lines
                    .get(&line)
                    .map_or_else(String::new, |line| self.extension_of(line.device)),
                name: params.and_then(|params| params.display.clone()),
            },
            called: Party { address: number, name: None },
            user_user: None,
            ..CallInfo::new(CallOrigin::Outbound, CallReason::Direct, media)
        };
        self.new_leg(line, Some(ht), info, None)
    }

    /// Sets such a leg going.
    pub(crate) fn set_going(&mut self, leg: HdCall, params: Option<&CallParams>) {
        match params {
            None => self.go(leg, S::Dialtone),
            Some(params) if params.partial => {
                let state = if params.destination.is_empty() { S::Dialtone } else { S::Dialing };
                if let Some(call) = self.calls.get_mut(&leg) {
                    call.leg.digits.clone_from(&params.destination);
                }
                self.go(leg, state);
            }
            Some(params) => {
                self.go(leg, S::Dialing);
                self.go(leg, S::Proceeding);
                self.call_from(leg, &params.destination, CallReason::Direct);
                self.deliver_user_user(leg, params.user_user.clone());
            }
        }
    }

    /// `line_make_call`.
    pub(crate) fn make_call(
        &mut self,
        request: RequestId,
        line: HdLine,
        ht: HtCall,
        params: &CallParams,
    ) -> Result<HdCall, LineError> {
        self.known_line(line)?;
        check_params(Some(params))?;
        let leg = self.outgoing(line, ht, 0, Some(params));
        self.done(leg, request);
        self.set_going(leg, Some(params));
        Ok(leg)
    }

    /// `line_dial`.
    pub(crate) fn dial(
        &mut self,
        request: RequestId,
        leg: HdCall,
        digits: &str,
        complete: bool,
    ) -> Result<(), LineError> {
        if digits.chars().any(|c| !c.is_ascii_digit() && !"*#".contains(c))
            || (digits.is_empty() && !complete)
        {
            return Err(LineError::InvalParam(format!("{digits:?}: digits of a number")));
        }
        self.in_state(leg, |now| matches!(now, S::Dialtone | S::Dialing))?;
        self.done(leg, request);
        let Some(call) = self.calls.get_mut(&leg) else { return Err(LineError::InvalCallHandle) };
        call.leg.digits.push_str(digits);
        let number = call.leg.digits.clone();
        self.go(leg, S::Dialing);
        let known = number.clone();
        self.tell(leg, CallInfoChange::CalledId, |info| info.called.address = known);
        if complete {
            self.go(leg, S::Proceeding);
            self.call_from(leg, &number, CallReason::Direct);
        }
        Ok(())
    }

    /// `line_answer`, or somebody lifts the receiver of the extension.
    pub(crate) fn answered(&mut self, call: HdCall) {
        let caller = self.far_leg(call);
        self.connect(call);
        // A caller that was transferred here is connected already.
        if let Some(caller) = caller {
            self.connect(caller);
        }
    }

    /// User-user information for the far end of a call.
    pub(crate) fn deliver_user_user(&mut self, call: HdCall, data: Option<Vec<u8>>) {
        if let Some((far, data)) = self.far_leg(call).zip(data) {
            self.tell(far, CallInfoChange::UserUserInfo, |info| info.user_user = Some(data));
        }
    }
}

/// Whether a call can be placed so.
pub(crate) fn check_params(params: Option<&CallParams>) -> Result<(), LineError> {
    let Some(params) = params else { return Ok(()) };
    if params.media.is_empty() {
        return Err(LineError::InvalMediaMode);
    }
    let digits = params.destination.chars().all(|c| c.is_ascii_digit() || "*#".contains(c));
    if !digits || (params.destination.is_empty() && !params.partial) {
        return Err(LineError::InvalAddress(format!("{:?} is not a number", params.destination)));
    }
    Ok(())
}
