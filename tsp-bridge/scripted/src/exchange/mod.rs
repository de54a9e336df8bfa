//! What a switch does with calls: legs, who is at their other end, and what is told of it.
//!
//! ```text
//! leg (a call on a line) ── peer ── leg of another extension, or a party outside, or a place where it is parked
//! conference: a call of its own on the line of whoever made it, with legs of that line as members
//! ```
//!
//! In: requests (`provider.rs`) and what people do (`people.rs`). Out: items of the agenda; the tables change at once,
//! the reports follow in order.
//! States are those of TAPI's pages of each verb: SetupTransfer holds the call pending transfer and gives dial tone,
//! CompleteTransfer ends both calls or makes both conferenced, SetupConference makes the call conferenced and the
//! conference on hold pending conference. A far end that is held or parked is told ActiveHeld.
//! Not here: where a number leads (`dial.rs`), each service (`transfer.rs`, `conference.rs`, `park.rs`,
//! `completion.rs`).

mod completion;
mod conference;
mod dial;
mod hold;
mod park;
mod transfer;

use std::collections::BTreeMap;

use offhook_spi::{
    CallInfo, CallInfoChange, ConnectedMode, DisconnectMode, Forward, HdCall, HdLine, HdMspLine,
    LineCallState as S, LineError, Party,
};

pub(crate) use dial::{Arrival, Caller};

use crate::state::{FakeCall, Move, State};
use crate::{Step, SwitchConfig};

pub(crate) const ACTIVE: S = S::Connected(ConnectedMode::Active);

/// What the exchange keeps beside its calls.
#[derive(Default)]
pub(crate) struct Exchange {
    last_call_id: u32,
    last_completion: u32,
    /// The members of each conference, by its call.
    pub(crate) conferences: BTreeMap<HdCall, Vec<HdCall>>,
    /// Who is parked where.
    pub(crate) parked: BTreeMap<String, park::Parked>,
    /// The forwarding of each device.
    pub(crate) forwards: BTreeMap<u32, Vec<Forward>>,
    /// Completions that wait, by their names.
    pub(crate) completions: BTreeMap<u32, completion::Waiting>,
}

/// A call as the exchange sees it.
#[derive(Default)]
pub(crate) struct Leg {
    /// Its state, also before that is told.
    pub(crate) now: Option<S>,
    pub(crate) peer: Option<Peer>,
    /// The peer holds it.
    pub(crate) held: bool,
    /// What was dialled so far.
    pub(crate) digits: String,
    /// The extension that it found busy.
    pub(crate) met_busy: Option<u32>,
    /// The conference that it is a member of.
    pub(crate) conference: Option<HdCall>,
    /// Its media have begun and not ended.
    streams: bool,
    /// The MSP instance that has its media; all of the line if none was named.
    msp: Option<HdMspLine>,
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Another extension, by its leg.
    Leg(HdCall),
    /// A number outside.
    Outside(String),
    /// Nobody: it is parked there.
    Parked(String),
}

pub(crate) fn is_live(state: Option<S>) -> bool {
    !matches!(state, None | Some(S::Idle | S::Disconnected(_)))
}

/// Whether sound flows, or would if nobody held it.
pub(crate) fn is_up(state: Option<S>) -> bool {
    matches!(
        state,
        Some(
            S::Connected(_)
                | S::OnHold
                | S::Conferenced
                | S::OnHoldPendingConference
                | S::OnHoldPendingTransfer
        )
    )
}

impl State {
    pub(crate) fn rules(&self) -> SwitchConfig {
        self.switch.clone().unwrap_or_default()
    }

    pub(crate) fn extension_of(&self, device: u32) -> String {
        let first = self.switch.as_ref().map_or(0, |rules| rules.first_extension);
        first.saturating_add(device).to_string()
    }

    /// The number of the line that a call is on.
    pub(crate) fn number_of(&self, call: HdCall) -> String {
        let line = self.calls.get(&call).and_then(|call| self.lines.get(&call.line));
        line.map_or_else(String::new, |line| self.extension_of(line.device))
    }

    /// Who a peer is, to the one at the other end.
    pub(crate) fn party(&self, peer: &Peer) -> Party {
        let address = match peer {
            Peer::Leg(call) => self.number_of(*call),
            Peer::Outside(number) => number.clone(),
            Peer::Parked(at) => at.clone(),
        };
        Party { address, name: None }
    }

    /// How many extensions there are.
    pub(crate) fn exchange_size(&self) -> u32 {
        self.devices
    }

    pub(crate) fn new_call_id(&mut self) -> u32 {
        self.exchange.last_call_id += 1;
        self.exchange.last_call_id
    }

    /// A new leg on a line.
    pub(crate) fn new_leg(
        &mut self,
        line: HdLine,
        ht: Option<offhook_spi::HtCall>,
        info: CallInfo,
        peer: Option<Peer>,
    ) -> HdCall {
        let hd = HdCall(self.handle());
        let mut call = FakeCall::new(line, ht, info);
        call.leg.peer = peer;
        self.calls.insert(hd, call);
        hd
    }

    pub(crate) fn now(&self, call: HdCall) -> Option<S> {
        self.calls.get(&call)?.leg.now
    }

    pub(crate) fn call_id(&self, call: HdCall) -> u32 {
        self.calls.get(&call).map_or(0, |call| call.info.call_id)
    }

    /// A call that the exchange knows and whose state is allowed.
    pub(crate) fn in_state(&self, call: HdCall, allowed: impl Fn(S) -> bool) -> Result<&FakeCall, LineError> {
        let known = self.call(call)?;
        match known.leg.now {
            Some(now) if allowed(now) => Ok(known),
            _ => Err(LineError::InvalCallState),
        }
    }

    /// The call has another state: that is told, with the buffers that belong to it.
    pub(crate) fn go(&mut self, hd: HdCall, next: S) {
        let words = self.switch.as_ref().and_then(|rules| rules.buffers.clone());
        let Some(call) = self.calls.get_mut(&hd) else { return };
        let mode = if call.leg.held { ConnectedMode::ActiveHeld } else { ConnectedMode::Active };
        let next = if matches!(next, S::Connected(_)) { S::Connected(mode) } else { next };
        let (was, over) = (call.leg.now, matches!(next, S::Idle | S::Disconnected(_)));
        if was == Some(next)
            || was == Some(S::Idle)
            || (matches!(was, Some(S::Disconnected(_))) && next != S::Idle)
        {
            return;
        }
        call.leg.now = Some(next);
        let ends = over && std::mem::take(&mut call.leg.streams);
        let flows = matches!(next, S::Connected(_) | S::Conferenced);
        let begins = flows && !std::mem::replace(&mut call.leg.streams, true);
        let to = call.leg.msp.and_then(|msp| self.msps.get(&msp)).map(|msp| msp.ht);
        let has_msp = self.msps.values().any(|msp| msp.line == call.line);
        let word = |data| match to {
            Some(msp) => Move::SendTo(hd, msp, data),
            None => Move::Step(hd, Step::Send(data)),
        };
        let words = words.filter(|_| has_msp);
        // The far end ended it: the state first. It ends here: the buffer first, for nothing follows Idle.
        let stop = words.as_ref().filter(|_| ends).map(|words| word(words.stop.clone()));
        let (before, after) = if next == S::Idle { (stop, None) } else { (None, stop) };
        self.agenda.extend(before);
        self.agenda.push_back(Move::Step(hd, Step::State(next)));
        self.agenda.extend(after);
        self.agenda.extend(words.filter(|_| begins).map(|words| word(words.start)));
    }

    /// The media of a call are to be with one MSP instance from now on.
    pub(crate) fn move_media(&mut self, hd: HdCall, msp: HdMspLine) -> Result<(), LineError> {
        let no_msp = || LineError::InvalParam("no such MSP instance on the call's line".to_owned());
        let words = self.rules().buffers;
        let line = self.call(hd)?.line;
        let to = self.msps.get(&msp).filter(|msp| msp.line == line).map(|msp| msp.ht).ok_or_else(no_msp)?;
        let others: Vec<_> = self
            .msps
            .iter()
            .filter(|(key, one)| one.line == line && **key != msp)
            .map(|(k, one)| (*k, one.ht))
            .collect();
        let Some(call) = self.calls.get_mut(&hd) else { return Err(LineError::InvalCallHandle) };
        let before = call.leg.msp.replace(msp);
        // Without an exchange there is no telling whether sound flows: then it does.
        let streams = call.leg.streams || self.switch.is_none();
        if let Some(words) = words.filter(|_| streams && before != Some(msp)) {
            for (key, ht) in others {
                if before.is_none_or(|before| before == key) {
                    self.agenda.push_back(Move::SendTo(hd, ht, words.stop.clone()));
                }
            }
            self.agenda.push_back(Move::SendTo(hd, to, words.start));
        }
        Ok(())
    }

    /// Something in what is known of a call changed.
    pub(crate) fn tell(&mut self, hd: HdCall, change: CallInfoChange, how: impl FnOnce(&mut CallInfo)) {
        let Some(call) = self.calls.get_mut(&hd) else { return };
        let before = call.info.clone();
        how(&mut call.info);
        if call.info != before {
            self.agenda.push_back(Move::Step(hd, Step::Info(change)));
        }
    }

    /// The call belongs to that hub from now on.
    pub(crate) fn join_hub(&mut self, hd: HdCall, call_id: u32) {
        self.tell(hd, CallInfoChange::CallId, |info| info.call_id = call_id);
    }

    pub(crate) fn peer(&self, call: HdCall) -> Option<Peer> {
        self.calls.get(&call)?.leg.peer.clone()
    }

    pub(crate) fn set_peer(&mut self, call: HdCall, peer: Option<Peer>) {
        if let Some(call) = self.calls.get_mut(&call) {
            call.leg.peer = peer;
        }
    }

    /// The leg of another extension at a call's other end.
    pub(crate) fn far_leg(&self, call: HdCall) -> Option<HdCall> {
        match self.peer(call)? {
            Peer::Leg(far) => Some(far),
            Peer::Outside(_) | Peer::Parked(_) => None,
        }
    }

    /// The far end of a call is held, or not any more.
    pub(crate) fn hold_far_end(&mut self, call: HdCall, held: bool) {
        let members = self.exchange.conferences.get(&call).cloned().unwrap_or_else(|| vec![call]);
        for far in members.into_iter().filter_map(|member| self.far_leg(member)).collect::<Vec<_>>() {
            let Some(leg) = self.calls.get_mut(&far).map(|call| &mut call.leg) else { continue };
            leg.held = held;
            if matches!(leg.now, Some(S::Connected(_))) {
                self.go(far, ACTIVE);
            }
        }
    }

    /// A call is over, here by `own`, at its other end by `far`. A conference takes its members with it.
    pub(crate) fn hang(&mut self, call: HdCall, own: S, far: DisconnectMode) {
        for member in self.exchange.conferences.remove(&call).unwrap_or_default() {
            if let Some(member) = self.calls.get_mut(&member) {
                member.leg.conference = None;
            }
            self.hang(member, own, far);
        }
        let peer = self.calls.get_mut(&call).and_then(|call| call.leg.peer.take());
        let left = self.leave_conference(call);
        self.go(call, own);
        self.exchange
            .completions
            .retain(|_, waiting| waiting.camps_on != Some(call) && waiting.calling_back != Some(call));
        match peer {
            Some(Peer::Leg(other)) => {
                self.set_peer(other, None);
                let cancelled = matches!(self.now(other), Some(S::Offering | S::Accepted));
                let why = if cancelled { DisconnectMode::Cancelled } else { far };
                self.hang(other, S::Disconnected(why), DisconnectMode::Normal);
            }
            Some(Peer::Parked(at)) => drop(self.exchange.parked.remove(&at)),
            Some(Peer::Outside(_)) | None => {}
        }
        if let Some(conference) = left.filter(|conference| self.is_empty(*conference)) {
            self.exchange.conferences.remove(&conference);
            self.go(conference, S::Disconnected(DisconnectMode::Normal));
        }
    }

    /// The application closed a call: whoever is at its other end is released.
    pub(crate) fn abandon(&mut self, call: HdCall) -> Result<(), LineError> {
        self.call(call)?;
        self.hang(call, S::Idle, DisconnectMode::Normal);
        self.exchange.conferences.remove(&call);
        self.forget(call)?;
        self.settle();
        Ok(())
    }

    /// The broker does not want a call that was announced: its caller hears of that.
    pub(crate) fn turned_away(&mut self, call: HdCall) {
        let far = self.far_leg(call);
        self.calls.remove(&call);
        if let Some(far) = far {
            self.set_peer(far, None);
            self.hang(far, S::Disconnected(DisconnectMode::Congestion), DisconnectMode::Normal);
        }
    }

    /// Everything on a line that is closed is over.
    pub(crate) fn leave_line(&mut self, line: HdLine) {
        let calls: Vec<_> =
            self.calls.iter().filter(|(_, call)| call.line == line).map(|(hd, _)| *hd).collect();
        for call in calls {
            if self.switch.is_some() {
                self.hang(call, S::Idle, DisconnectMode::Normal);
            }
            self.exchange.conferences.remove(&call);
            self.calls.remove(&call);
        }
        self.msps.retain(|_, msp| msp.line != line);
    }
}
