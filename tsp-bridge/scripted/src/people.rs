//! What people do: call, answer, hang up, hold, let it ring, pull the plug.
//!
//! In: calls of tests and of application writers. Out: items of the agenda. With an exchange it is the exchange that
//! does what they want; without one the report is put on the agenda as it is.

use offhook_spi::{
    CallInfo, CallOrigin, CallReason, DisconnectMode, HdCall, LineCallState, LineDevState, LineError,
    MediaTypes, Party,
};

use crate::exchange::{ACTIVE, Arrival, Caller, Peer, is_live, is_up};
use crate::state::{FakeCall, Move, State};
use crate::{Outside, Scripted, Step};

impl Scripted {
    /// A call arrives from `caller`, carrying audio. None if the broker does not want it.
    pub fn ring(&self, device: u32, caller: &str) -> Option<HdCall> {
        self.ring_with(device, caller, MediaTypes::AUDIO)
    }

    /// A call arrives that carries `media`. None if nobody asked for such calls, or the broker refuses it.
    pub fn ring_with(&self, device: u32, caller: &str, media: MediaTypes) -> Option<HdCall> {
        if self.config.switch.is_some() {
            let number = self.lock().extension_of(device);
            return self.call_in(caller, &number, media);
        }
        let (events, ht_line, hd) = {
            let mut state = self.lock();
            let events = state.events.clone()?;
            let (hd_line, line) = state.lines.iter().find(|(_, line)| line.device == device)?;
            if line.detection.intersection(media).is_empty() {
                return None;
            }
            let (hd_line, ht_line) = (*hd_line, line.ht);
            let info = CallInfo {
                caller: Party { address: caller.to_owned(), name: None },
                ..CallInfo::new(CallOrigin::Inbound, CallReason::Direct, media)
            };
            let hd = HdCall(state.handle());
            state.calls.insert(hd, FakeCall::new(hd_line, None, info));
            (events, ht_line, hd)
        };
        let ht = events.new_call(ht_line, hd);
        {
            let mut state = self.lock();
            if ht.is_none() {
                state.calls.remove(&hd);
            }
            state.calls.get_mut(&hd)?.ht = ht;
            state.agenda.push_back(Move::Step(hd, Step::State(LineCallState::Offering)));
        }
        self.moved();
        Some(hd)
    }

    /// Somebody outside calls a number of the exchange. The call as it rings, wherever it was forwarded to; none if
    /// it does not ring at an extension, or the broker turned it away at once.
    pub fn call_in(&self, caller: &str, number: &str, media: MediaTypes) -> Option<HdCall> {
        let rings = {
            let mut state = self.lock();
            state.switch.as_ref()?;
            state.events.as_ref()?;
            let caller = Caller {
                peer: Peer::Outside(caller.to_owned()),
                party: Party { address: caller.to_owned(), name: None },
                call_id: state.new_call_id(),
                media,
                reason: CallReason::Direct,
                redirecting: None,
            };
            match state.send_to(&caller, number) {
                Arrival::Rings(leg) => Some(leg),
                Arrival::Outside(..) | Arrival::Busy(_) | Arrival::Fails(_) => None,
            }
        };
        self.moved();
        rings.filter(|leg| self.lock().calls.contains_key(leg))
    }

    /// Somebody lifts the receiver of an extension: a call that no application made, with dial tone.
    pub fn lifts(&self, device: u32) -> Option<HdCall> {
        let leg = {
            let mut state = self.lock();
            state.switch.as_ref()?;
            let line = state.line_of_device(device)?;
            let info = CallInfo {
                call_id: state.new_call_id(),
                caller: Party { address: state.extension_of(device), name: None },
                ..CallInfo::new(CallOrigin::Outbound, CallReason::Direct, MediaTypes::AUDIO)
            };
            let leg = state.new_leg(line, None, info, None);
            state.agenda.push_back(Move::Announce(leg));
            state.go(leg, LineCallState::Dialtone);
            leg
        };
        self.moved();
        Some(leg).filter(|leg| self.lock().calls.contains_key(leg))
    }

    /// What whoever is at a number outside does from now on; none: the number does not exist.
    pub fn set_outside(&self, number: &str, what: Option<Outside>) {
        if let Some(rules) = &mut self.lock().switch {
            match what {
                Some(what) => rules.outside.insert(number.to_owned(), what),
                None => rules.outside.remove(number),
            };
        }
    }

    /// The far end of a call placed here answers.
    pub fn far_end_answers(&self, call: HdCall) {
        match self.config.switch {
            Some(_) => self.exchange(|state| state.far_end_answers(call)),
            None => self.then(call, [Step::State(ACTIVE)]),
        }
    }

    /// The far end ends the call.
    pub fn hang_up(&self, call: HdCall, why: DisconnectMode) {
        if self.config.switch.is_none() {
            return self.then(call, [Step::State(LineCallState::Disconnected(why))]);
        }
        self.exchange(|state| {
            if !is_live(state.now(call)) {
                return;
            }
            // Another extension's user hangs up: its own leg is idle.
            let far = state.far_leg(call);
            state.set_peer(call, None);
            state.hang(call, LineCallState::Disconnected(why), DisconnectMode::Normal);
            if let Some(far) = far {
                state.set_peer(far, None);
                state.hang(far, LineCallState::Idle, DisconnectMode::Normal);
            }
            state.settle();
        });
    }

    /// Whoever is outside at the other end holds the call, or takes it back.
    pub fn far_end_holds(&self, call: HdCall, held: bool) {
        self.exchange(|state| {
            let outside = matches!(state.peer(call), Some(Peer::Outside(_)));
            let Some(known) = state.calls.get_mut(&call).filter(|call| outside && is_up(call.leg.now)) else {
                return;
            };
            known.leg.held = held;
            if matches!(known.leg.now, Some(LineCallState::Connected(_))) {
                state.go(call, ACTIVE);
            }
        });
    }

    /// Nobody answers an offered call for long enough: it is forwarded, or its caller hears that nobody answers.
    pub fn rings_out(&self, call: HdCall) {
        self.exchange(|state| {
            state.rings_out(call);
            state.settle();
        });
    }

    /// Nobody fetches a parked call: it rings where it was parked, as a reminder.
    pub fn remind(&self, address: &str) -> Option<HdCall> {
        let mut rings = None;
        self.exchange(|state| rings = state.remind(address));
        rings.filter(|leg| self.lock().calls.contains_key(leg))
    }

    /// Whoever is parked at an address hangs up.
    pub fn parked_leaves(&self, address: &str) {
        self.exchange(|state| state.parked_leaves(address));
    }

    /// Where somebody is parked.
    pub fn parked(&self) -> Vec<String> {
        self.lock().exchange.parked.keys().cloned().collect()
    }

    /// The state that the exchange has a call in, told or not.
    pub fn state_of(&self, call: HdCall) -> Option<LineCallState> {
        let state = self.lock();
        let call = state.calls.get(&call)?;
        if self.config.switch.is_some() { call.leg.now } else { call.told }
    }

    /// How much of call hubs the broker wants to know of a line.
    pub fn wanted_hubs(&self, device: u32) -> Option<offhook_spi::HubTracking> {
        self.lock().lines.values().find(|line| line.device == device).map(|line| line.tracking)
    }

    /// Closes a line, as a provider whose device was pulled.
    pub fn close_line(&self, device: u32, why: LineError) {
        let Some((events, line)) = self.events().zip(self.line(device)) else { return };
        {
            let mut state = self.lock();
            let gone: Vec<_> = state.lines.extract_if(.., |_, l| l.ht == line).map(|(hd, _)| hd).collect();
            for line in gone {
                state.leave_line(line);
            }
        }
        events.line_closed(line, why);
        self.moved();
    }

    /// Says of an open line that it is in service, or not; nothing if it is not open.
    pub fn service(&self, device: u32, state: LineDevState) {
        if let Some((line, events)) = self.line(device).zip(self.events()) {
            events.line_dev_state(line, state);
        }
    }

    /// Lets the exchange do something, and moves.
    fn exchange(&self, act: impl FnOnce(&mut State)) {
        if self.config.switch.is_some() {
            act(&mut self.lock());
            self.moved();
        }
    }
}
