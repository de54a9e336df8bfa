//! Park and unpark, and pickup of what rings elsewhere.

use offhook_spi::{
    CallInfo, CallInfoChange, CallOrigin, CallReason, Completion, DisconnectMode, HdCall, HdLine, HtCall,
    LineCallState as S, LineError, ParkMode, Party, RequestId,
};

use super::{ACTIVE, Peer};
use crate::state::{Move, State};

/// A call that nobody has for the moment.
pub(crate) struct Parked {
    pub(crate) who: Peer,
    pub(crate) info: CallInfo,
    /// The device that parked it.
    pub(crate) by: u32,
}

impl State {
    /// `line_park`.
    pub(crate) fn park(
        &mut self,
        request: RequestId,
        call: HdCall,
        mode: &ParkMode,
    ) -> Result<(), LineError> {
        let known = self.in_state(call, |now| matches!(now, S::Connected(_)))?;
        let (line, info) = (known.line, known.info.clone());
        let by = self.known_line(line)?.device;
        if self.exchange.conferences.contains_key(&call) {
            return Err(LineError::InvalCallState);
        }
        let (first, places) = self.rules().park;
        let at = match mode {
            ParkMode::Directed(at) => {
                let inside = at.parse::<u32>().is_ok_and(|at| at >= first && at - first < places);
                if !inside {
                    return Err(LineError::InvalAddress(format!("{at:?} is no place to park")));
                }
                if self.exchange.parked.contains_key(at) {
                    self.answer(Some(call), request, Err(LineError::failed("somebody is parked there")));
                    return Ok(());
                }
                at.clone()
            }
            ParkMode::NonDirected => {
                let places = (0..places).map(|n| first.saturating_add(n).to_string());
                let Some(at) = places.into_iter().find(|at| !self.exchange.parked.contains_key(at)) else {
                    return Err(LineError::ResourceUnavail("every place to park is taken".to_owned()));
                };
                at
            }
        };
        let completion = match mode {
            ParkMode::Directed(_) => Completion::Done,
            ParkMode::NonDirected => Completion::Address(at.clone()),
        };
        self.answer(Some(call), request, Ok(completion));
        self.hold_far_end(call, true);
        if let Some(who) = self.calls.get_mut(&call).and_then(|call| call.leg.peer.take()) {
            if let Peer::Leg(far) = who {
                self.set_peer(far, Some(Peer::Parked(at.clone())));
            }
            self.exchange.parked.insert(at, Parked { who, info, by });
        }
        self.hang(call, S::Idle, DisconnectMode::Normal);
        self.settle();
        Ok(())
    }

    /// `line_unpark`.
    pub(crate) fn unpark(
        &mut self,
        request: RequestId,
        line: HdLine,
        ht: HtCall,
        address: &str,
    ) -> Result<HdCall, LineError> {
        self.known_line(line)?;
        let Some(Parked { who, info, .. }) = self.exchange.parked.remove(address) else {
            return Err(LineError::InvalAddress(format!("nobody is parked at {address:?}")));
        };
        let leg = self.taken_over(line, ht, who, &info, CallReason::Unpark, address);
        self.done(leg, request);
        self.talk(leg);
        Ok(leg)
    }

    /// Nobody fetches a parked call: it comes back to where it was parked.
    pub(crate) fn remind(&mut self, address: &str) -> Option<HdCall> {
        let line = self.line_of_device(self.exchange.parked.get(address)?.by)?;
        let Parked { who, info, .. } = self.exchange.parked.remove(address)?;
        let party = self.party(&who);
        let info = CallInfo {
            call_id: info.call_id,
            caller: party,
            redirecting: Some(Party { address: address.to_owned(), name: None }),
            ..CallInfo::new(CallOrigin::Inbound, CallReason::Reminder, info.media)
        };
        let leg = self.new_leg(line, None, info, Some(who.clone()));
        if let Peer::Leg(far) = who {
            self.set_peer(far, Some(Peer::Leg(leg)));
        }
        self.agenda.push_back(Move::Announce(leg));
        self.go(leg, S::Offering);
        Some(leg)
    }

    /// Whoever is parked hangs up.
    pub(crate) fn parked_leaves(&mut self, address: &str) {
        if let Some(Parked { who: Peer::Leg(far), .. }) = self.exchange.parked.remove(address) {
            self.hang(far, S::Idle, DisconnectMode::Normal);
        }
    }

    /// `line_pickup`.
    pub(crate) fn pickup(
        &mut self,
        request: RequestId,
        line: HdLine,
        ht: HtCall,
        address: Option<&str>,
        group: Option<&str>,
    ) -> Result<HdCall, LineError> {
        let own = self.known_line(line)?.device;
        let groups = self.rules().groups;
        let group_of = |device: u32| {
            let named = usize::try_from(device).ok().and_then(|n| groups.get(n));
            named.map_or("1", String::as_str)
        };
        let wanted = group.unwrap_or_else(|| group_of(own));
        if address.is_none() && (0..self.exchange_size()).all(|device| group_of(device) != wanted) {
            return Err(LineError::InvalParam(format!("{wanted:?} is no group of this switch")));
        }
        let rings = |hd: &HdCall| {
            let call = self.calls.get(hd)?;
            let device = self.lines.get(&call.line)?.device;
            let here = match address {
                Some(address) => self.extension_of(device) == address,
                None => group_of(device) == wanted,
            };
            let rings = matches!(call.leg.now, Some(S::Offering | S::Accepted));
            (rings && here && call.line != line).then_some(*hd)
        };
        let Some(ringing) = self.calls.keys().find_map(rings) else {
            return Err(LineError::failed("no call rings there"));
        };
        let at = self.number_of(ringing);
        let Some((who, info)) =
            self.calls.get_mut(&ringing).and_then(|call| Some((call.leg.peer.take()?, call.info.clone())))
        else {
            return Err(LineError::failed("its caller has gone"));
        };
        let leg = self.taken_over(line, ht, who, &info, CallReason::Pickup, &at);
        self.done(leg, request);
        // The new leg is up before the old one ends: so the hub goes on.
        self.talk(leg);
        self.hang(ringing, S::Disconnected(DisconnectMode::Pickup), DisconnectMode::Normal);
        Ok(leg)
    }

    /// A leg of its own for a call that was somebody else's: the hub stays.
    fn taken_over(
        &mut self,
        line: HdLine,
        ht: HtCall,
        who: Peer,
        info: &CallInfo,
        reason: CallReason,
        from: &str,
    ) -> HdCall {
        let info = CallInfo {
            call_id: info.call_id,
            caller: self.party(&who),
            called: info.called.clone(),
            redirecting: Some(Party { address: from.to_owned(), name: None }),
            ..CallInfo::new(CallOrigin::Inbound, reason, info.media)
        };
        let far = match who {
            Peer::Leg(far) => Some(far),
            Peer::Outside(_) | Peer::Parked(_) => None,
        };
        let leg = self.new_leg(line, Some(ht), info, Some(who));
        if let Some(far) = far {
            self.set_peer(far, Some(Peer::Leg(leg)));
        }
        leg
    }

    /// Both ends are connected now.
    fn talk(&mut self, leg: HdCall) {
        self.connect(leg);
        if let Some(far) = self.far_leg(leg) {
            if let Some(call) = self.calls.get_mut(&far) {
                call.leg.held = false;
            }
            self.go(far, ACTIVE);
            let party = Party { address: self.number_of(leg), name: None };
            self.tell(far, CallInfoChange::ConnectedId, |info| info.connected = Some(party));
        }
    }
}
