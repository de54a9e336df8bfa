//! Call hubs: every leg of a call, whoever holds it.
//!
//! In: what providers say of calls (`report.rs`), calls that are removed (`model.rs`); SetCallHubTracking, Hubs,
//! CallHub, ClearHub. Out: [`AppEvent::Hub`] to the clients that track a device; how much is wanted, to providers.
//!
//! ```text
//! provider: call id ─▶ hub (provider, call id) ─▶ members, in the order of joining
//!                          └▶ audience: the clients that track a device on which it has or had a call
//! ```
//!
//! A call is a member from the moment its provider's information has a call id until its Disconnected (or its Idle
//! without it, or its removal). Nothing here looks at a call that is not concerned: a hub is found by its key, a call's
//! place by the call, an audience by the device.
//! Not here: which calls belong together (the provider says it); the order of events is that of `spi::hub`.

use std::collections::{BTreeMap, BTreeSet};

use offhook_spi::{
    AppEvent, AppReply, CallInfo, DeviceId, HCall, HHub, HtCall, HtLine, HubCallId, HubEvent, HubMember,
    HubRecord, HubSnapshot, HubTracking, LineCallState, LineError, Privilege, Timestamp,
};

use crate::model::{ClientId, Inner, ProviderId, Slot, State};

/// The hubs that are, and who is told of them.
#[derive(Default)]
pub(crate) struct Hubs {
    hubs: BTreeMap<HHub, Hub>,
    by_key: BTreeMap<(ProviderId, u32), HHub>,
    places: BTreeMap<HtCall, Place>,
    /// By device, then by client.
    trackers: BTreeMap<usize, BTreeMap<ClientId, Tracker>>,
    last_seat: u64,
    /// Calls that are removed and have not left their hubs yet; see [`State::hold_hubs`].
    held: Option<Vec<HtCall>>,
    /// Requests under way that may bring calls into hubs of a provider; see [`Inner::keep_hubs`].
    kept: BTreeMap<ProviderId, usize>,
    /// Hubs without a call that are kept for them.
    empty: BTreeSet<HHub>,
}

struct Hub {
    key: (ProviderId, u32),
    provider: String,
    /// In the order of joining.
    members: BTreeMap<u64, Member>,
    /// The devices on which it has or had a call.
    devices: BTreeSet<usize>,
    audience: BTreeMap<ClientId, HubTracking>,
}

/// A call as the audience was told of it.
struct Member {
    call: HtCall,
    device: DeviceId,
    state: Option<LineCallState>,
    info: CallInfo,
}

/// Where a call is a member.
#[derive(Clone, Copy)]
struct Place {
    hub: HHub,
    seat: u64,
}

/// What a client wants of a device.
#[derive(Clone, Copy, Default)]
struct Tracker {
    /// What its provider is told.
    asked: HubTracking,
    /// What the client is told.
    level: HubTracking,
}

impl Hubs {
    /// How many hubs there are.
    pub(crate) fn len(&self) -> usize {
        self.hubs.len()
    }

    /// How much anybody wants of a device.
    fn wanted(&self, device: usize) -> HubTracking {
        let trackers = self.trackers.get(&device).into_iter().flat_map(BTreeMap::values);
        trackers.map(|tracker| tracker.asked.max(tracker.level)).max().unwrap_or_default()
    }

    fn tracker(&mut self, device: usize, client: ClientId) -> &mut Tracker {
        self.trackers.entry(device).or_default().entry(client).or_default()
    }

    /// How much a client is to be told of a hub that has or had calls on `devices`.
    fn level(&self, client: ClientId, devices: &BTreeSet<usize>) -> HubTracking {
        let levels = devices.iter().filter_map(|device| Some(self.trackers.get(device)?.get(&client)?.level));
        levels.max().unwrap_or_default()
    }

    fn member(&mut self, call: HtCall) -> Option<(HHub, &mut Member)> {
        let place = self.places.get(&call)?;
        Some((place.hub, self.hubs.get_mut(&place.hub)?.members.get_mut(&place.seat)?))
    }
}

/// A call's name in hubs: the broker's own, which is never used again.
fn id_of(call: HtCall) -> HubCallId {
    HubCallId(call.0)
}

/// Whether a call in that state is in no hub any more.
pub(crate) fn is_over(state: Option<LineCallState>) -> bool {
    matches!(state, Some(LineCallState::Disconnected(_) | LineCallState::Idle))
}

// What happens to calls.
impl State {
    /// Whether the line's provider says of calls which hub they are in.
    pub(crate) fn has_hubs(&self, line: HtLine) -> bool {
        self.lines
            .get(&line)
            .and_then(|line| self.devices.get(line.device))
            .is_some_and(|device| device.caps.hub_tracking != HubTracking::None)
    }

    /// The provider said what is known of a call: it joins the hub of its id, changes hubs, or is told anew.
    pub(crate) fn hub_info(&mut self, ht: HtCall, info: &CallInfo, at: Timestamp) {
        let Some(call) = self.calls.get(&ht) else { return };
        let (line, state) = (call.line, call.state);
        if is_over(state) || !self.has_hubs(line) {
            return;
        }
        let now = self.hubs.places.get(&ht).and_then(|place| self.hubs.hubs.get(&place.hub));
        match now.map(|hub| hub.key.1) {
            Some(id) if id == info.call_id => self.hub_news(ht, info, at),
            Some(_) => {
                self.hub_leave(ht, at);
                if let Some(call) = self.calls.get_mut(&ht) {
                    call.hub = None;
                }
                self.hub_join(ht, info, at);
            }
            None => self.hub_join(ht, info, at),
        }
    }

    /// What is known of a member, its owners for instance, changed without its id.
    pub(crate) fn hub_news(&mut self, ht: HtCall, info: &CallInfo, at: Timestamp) {
        let Some((hub, member)) = self.hubs.member(ht) else { return };
        if member.info != *info {
            member.info = info.clone();
            let event = HubEvent::Info { call: id_of(ht), info: Box::new(info.clone()) };
            self.tell_hub(hub, HubTracking::AllCalls, &event, at);
        }
    }

    /// A call's state was told. Its last one takes it out of its hub.
    pub(crate) fn hub_state(&mut self, ht: HtCall, state: LineCallState, at: Timestamp) {
        let Some((hub, member)) = self.hubs.member(ht) else { return };
        member.state = Some(state);
        self.tell_hub(hub, HubTracking::AllCalls, &HubEvent::State { call: id_of(ht), state }, at);
        if is_over(Some(state)) {
            self.hub_leave(ht, at);
        }
    }

    /// A client has come to hold a call, or has given it up while others hold it.
    pub(crate) fn hub_held(&mut self, ht: HtCall, client: ClientId, handle: Option<HCall>) {
        let Some((hub, _)) = self.hubs.member(ht) else { return };
        let audience = self.hubs.hubs.get(&hub).and_then(|hub| hub.audience.get(&client));
        if audience == Some(&HubTracking::AllCalls) {
            let event = HubEvent::Held { call: id_of(ht), handle };
            self.push(client, AppEvent::Hub(HubRecord { at: Timestamp::now(), hub, event }));
        }
    }

    /// A call is not in the tables any more.
    pub(crate) fn hub_removed(&mut self, ht: HtCall) {
        match &mut self.hubs.held {
            Some(held) => held.push(ht),
            None => self.hub_leave(ht, Timestamp::now()),
        }
    }

    /// From now on calls that are removed stay in their hubs: somebody is to hear of the end of their lines first.
    pub(crate) fn hold_hubs(&mut self) {
        self.hubs.held.get_or_insert_default();
    }

    /// Calls removed meanwhile leave their hubs.
    pub(crate) fn release_hubs(&mut self) {
        let at = Timestamp::now();
        for ht in self.hubs.held.take().into_iter().flatten() {
            self.hub_leave(ht, at);
        }
    }

    /// A call is in no hub any more. The last one ends the hub.
    pub(crate) fn hub_leave(&mut self, ht: HtCall, at: Timestamp) {
        let Some(Place { hub, seat }) = self.hubs.places.remove(&ht) else { return };
        let Some(entry) = self.hubs.hubs.get_mut(&hub) else { return };
        entry.members.remove(&seat);
        let (provider, empty) = (entry.key.0, entry.members.is_empty());
        self.tell_hub(hub, HubTracking::AllCalls, &HubEvent::Leave { call: id_of(ht) }, at);
        if empty && self.hubs.kept.contains_key(&provider) {
            self.hubs.empty.insert(hub);
        } else if empty {
            self.hub_end(hub, at);
        }
    }

    fn hub_end(&mut self, hub: HHub, at: Timestamp) {
        self.tell_hub(hub, HubTracking::ProviderLevel, &HubEvent::Idle, at);
        if let Some(gone) = self.hubs.hubs.remove(&hub) {
            self.hubs.by_key.remove(&gone.key);
        }
    }

    fn hub_join(&mut self, ht: HtCall, info: &CallInfo, at: Timestamp) {
        let Some(call) = self.calls.get(&ht).filter(|_| info.call_id != 0) else { return };
        let state = call.state;
        let Some(line) = self.lines.get(&call.line) else { return };
        let (key, index) = ((line.provider, info.call_id), line.device);
        let Some(device) = self.devices.get(index) else { return };
        let (device, provider) = (device.caps.device, device.caps.provider.clone());
        let known = self.hubs.by_key.get(&key).copied();
        let hub = known.unwrap_or_else(|| HHub(self.handle()));
        self.hubs.by_key.insert(key, hub);
        let entry = self.hubs.hubs.entry(hub).or_insert_with(|| Hub {
            key,
            provider,
            members: BTreeMap::new(),
            devices: BTreeSet::new(),
            audience: BTreeMap::new(),
        });
        if entry.devices.insert(index) {
            let trackers = self.hubs.trackers.get(&index).into_iter().flatten();
            let levels: Vec<_> = trackers.map(|(client, tracker)| (*client, tracker.level)).collect();
            for (client, level) in levels {
                self.hub_raise(hub, client, level, at);
            }
        }
        self.hubs.last_seat += 1;
        let seat = self.hubs.last_seat;
        let Some(entry) = self.hubs.hubs.get_mut(&hub) else { return };
        entry.members.insert(seat, Member { call: ht, device, state, info: info.clone() });
        self.hubs.places.insert(ht, Place { hub, seat });
        if let Some(call) = self.calls.get_mut(&ht) {
            call.hub = Some(hub);
        }
        for client in self.audience(hub, HubTracking::AllCalls) {
            self.tell_join(hub, seat, client, at);
        }
    }

    /// A client is to be told more of a hub than it was, from here on and beginning with what is there.
    fn hub_raise(&mut self, hub: HHub, client: ClientId, level: HubTracking, at: Timestamp) {
        let Some(entry) = self.hubs.hubs.get_mut(&hub) else { return };
        let before = entry.audience.get(&client).copied().unwrap_or_default();
        if level <= before {
            return;
        }
        entry.audience.insert(client, level);
        let seats: Vec<_> = entry.members.keys().copied().collect();
        if before == HubTracking::None {
            let event = HubEvent::New { provider: entry.provider.clone(), call_id: entry.key.1 };
            self.push(client, AppEvent::Hub(HubRecord { at, hub, event }));
        }
        if level == HubTracking::AllCalls {
            for seat in seats {
                self.tell_join(hub, seat, client, at);
            }
        }
    }

    fn tell_join(&mut self, hub: HHub, seat: u64, client: ClientId, at: Timestamp) {
        let member = self.hubs.hubs.get(&hub).and_then(|hub| hub.members.get(&seat));
        if let Some(member) = member.map(|member| Box::new(self.hub_member(member, client))) {
            self.push(client, AppEvent::Hub(HubRecord { at, hub, event: HubEvent::Join { member } }));
        }
    }

    /// Tells everyone who is told that much of the hub.
    fn tell_hub(&mut self, hub: HHub, least: HubTracking, event: &HubEvent, at: Timestamp) {
        for client in self.audience(hub, least) {
            self.push(client, AppEvent::Hub(HubRecord { at, hub, event: event.clone() }));
        }
    }

    fn audience(&self, hub: HHub, least: HubTracking) -> Vec<ClientId> {
        let audience = self.hubs.hubs.get(&hub).into_iter().flat_map(|hub| &hub.audience);
        audience.filter(|(_, level)| **level >= least).map(|(client, _)| *client).collect()
    }

    fn hub_member(&self, member: &Member, client: ClientId) -> HubMember {
        let holder = self.calls.get(&member.call).and_then(|call| call.holder(client));
        HubMember {
            id: id_of(member.call),
            device: member.device,
            call: holder.map(|holder| holder.call),
            state: member.state,
            info: member.info.clone(),
        }
    }

    fn snapshot(&self, hub: HHub, client: ClientId, level: HubTracking) -> Option<HubSnapshot> {
        let entry = self.hubs.hubs.get(&hub)?;
        let members = entry.members.values().filter(|_| level == HubTracking::AllCalls);
        Some(HubSnapshot {
            hub,
            provider: entry.provider.clone(),
            call_id: entry.key.1,
            members: members.map(|member| self.hub_member(member, client)).collect(),
        })
    }

    /// A client has gone: nobody is told on its behalf. Answers the devices that it tracked.
    pub(crate) fn hub_forget(&mut self, client: ClientId) -> Vec<usize> {
        let tracked: Vec<_> = self
            .hubs
            .trackers
            .iter_mut()
            .filter_map(|(device, trackers)| trackers.remove(&client).map(|_| *device))
            .collect();
        self.hubs.trackers.retain(|_, trackers| !trackers.is_empty());
        if !tracked.is_empty() {
            for hub in self.hubs.hubs.values_mut() {
                hub.audience.remove(&client);
            }
        }
        tracked
    }
}

/// While it is there, hubs of a provider that are left by their last call do not end.
pub(crate) struct Patience<'a> {
    inner: &'a Inner,
    provider: ProviderId,
}

impl Drop for Patience<'_> {
    fn drop(&mut self) {
        self.inner.with(|state| {
            if let Some(waiting) = state.hubs.kept.get_mut(&self.provider) {
                *waiting = waiting.saturating_sub(1);
                if *waiting > 0 {
                    return;
                }
            }
            state.hubs.kept.remove(&self.provider);
            let hubs = &state.hubs.hubs;
            let of = |hub: &HHub| hubs.get(hub).is_none_or(|hub| hub.key.0 == self.provider);
            let over: Vec<_> = state.hubs.empty.extract_if(.., |hub| of(hub)).collect();
            for hub in over {
                if state.hubs.hubs.get(&hub).is_some_and(|hub| hub.members.is_empty()) {
                    state.hub_end(hub, Timestamp::now());
                }
            }
        });
    }
}

// What clients ask.
impl Inner {
    /// Hubs of a provider that are left by their last call do not end as long as the answer lives. For requests that
    /// make calls: such a call is named when the request has returned, and what it takes over may end before.
    pub(crate) fn keep_hubs(&self, provider: ProviderId) -> Patience<'_> {
        self.with(|state| *state.hubs.kept.entry(provider).or_default() += 1);
        Patience { inner: self, provider }
    }

    /// How much a client wants to be told of a device. More: its provider is told first, then the client is told of
    /// the hubs that are there, then comes the reply. Less: from the reply on it is told no more than that, and nothing
    /// is said of the hubs that it does not see any more.
    pub(crate) fn set_hub_tracking(
        &self,
        client: ClientId,
        device: DeviceId,
        level: HubTracking,
    ) -> Result<AppReply, LineError> {
        let (index, before) = self.with(|state| {
            let index = state.device(device)?;
            let most = state.devices.get(index).map(|device| device.caps.hub_tracking).unwrap_or_default();
            if level > most {
                return Err(match most {
                    HubTracking::None => LineError::OperationUnavail,
                    most => LineError::InvalParam(format!("this device tells of call hubs up to {most:?}")),
                });
            }
            if !state.clients.contains_key(&client) {
                return Err(LineError::NoDriver);
            }
            let tracker = state.hubs.tracker(index, client);
            let before = tracker.level;
            tracker.asked = level;
            if level < before {
                state.track(client, index, level);
            }
            Ok((index, before))
        })?;
        let told = self.tell_tracking(index);
        self.with(|state| match told {
            Err(error) if level > before => {
                let tracker = state.hubs.tracker(index, client);
                tracker.asked = tracker.level;
                state.untrack(client, index);
                Err(error)
            }
            told => {
                if let Err(error) = told {
                    tracing::warn!(%error, "the provider refuses less tracking of call hubs");
                }
                // If the client has asked for something else meanwhile, that holds.
                if state.clients.contains_key(&client) && state.hubs.tracker(index, client).asked == level {
                    state.track(client, index, level);
                }
                state.untrack(client, index);
                Ok(AppReply::Done)
            }
        })
    }

    /// Tells the provider how much of the device's hubs is wanted, if its line is open and that has changed; in order.
    pub(crate) fn tell_tracking(&self, index: usize) -> Result<(), LineError> {
        while let Some((tsp, line, hd, wanted)) = self.with(|state| {
            let Slot::Open(line) = state.devices.get(index)?.slot else { return None };
            let wanted = state.hubs.wanted(index);
            let entry = state.lines.get_mut(&line)?;
            if entry.hubs_telling || entry.hubs_told == wanted {
                return None;
            }
            entry.hubs_telling = true;
            Some((entry.tsp.clone(), line, entry.hd, wanted))
        }) {
            let told = tsp.line_set_call_hub_tracking(hd, wanted);
            self.with(|state| {
                if let Some(entry) = state.lines.get_mut(&line) {
                    entry.hubs_telling = false;
                    entry.hubs_told = if told.is_ok() { wanted } else { entry.hubs_told };
                }
            });
            told?;
        }
        Ok(())
    }

    /// The hubs that a client is told of.
    pub(crate) fn hubs(&self, client: ClientId) -> AppReply {
        self.with(|state| {
            let seen = state.hubs.hubs.iter().filter_map(|(hub, entry)| {
                let level = entry.audience.get(&client)?;
                state.snapshot(*hub, client, *level)
            });
            AppReply::Hubs(seen.collect())
        })
    }

    /// The hub of a call that the client holds, tracked or not. A call that has left its hub names it while it is.
    pub(crate) fn call_hub(&self, client: ClientId, call: HCall) -> Result<AppReply, LineError> {
        self.with(|state| {
            let (_, entry) = state.call_of(client, call)?;
            let line = entry.line;
            let hub = match entry.hub {
                Some(hub) => hub,
                None if state.has_hubs(line) => return Err(LineError::Pending),
                None => return Err(LineError::OperationUnavail),
            };
            let found = state.snapshot(hub, client, HubTracking::AllCalls);
            found.map(|hub| AppReply::Hub(Box::new(hub))).ok_or(LineError::InvalHubHandle)
        })
    }

    /// Drops the calls of a hub that the client owns; every one is tried, and the first refusal of a call that is
    /// still there is answered.
    pub(crate) fn clear_hub(&self, client: ClientId, hub: HHub) -> Result<AppReply, LineError> {
        let owned = self.with(|state| {
            let entry = state.hubs.hubs.get(&hub).ok_or(LineError::InvalHubHandle)?;
            let calls = entry.members.values().filter_map(|member| {
                let call = state.calls.get(&member.call)?;
                Some((member.call, call, call.holder(client)?.privilege))
            });
            let calls: Vec<_> = calls.collect();
            if calls.is_empty() && !entry.audience.contains_key(&client) {
                return Err(LineError::InvalHubHandle);
            }
            let owned = calls.into_iter().filter(|(.., privilege)| *privilege == Privilege::Owner);
            let owned = owned.filter_map(|(ht, call, _)| Some((ht, call.tsp.clone(), call.hd?, call.state)));
            Ok(owned.collect::<Vec<_>>())
        })?;
        let mut refused = None;
        for (ht, tsp, hd, state) in owned {
            if let Err(error) = self.drop_only(&*tsp, ht, hd, state)
                && self.with(|state| state.hubs.places.get(&ht).is_some_and(|place| place.hub == hub))
            {
                refused.get_or_insert(error);
            }
        }
        refused.map_or(Ok(AppReply::Done), Err)
    }
}

impl State {
    /// A client's level of a device is in force: hubs that it now sees are told, those that it does not are not.
    fn track(&mut self, client: ClientId, index: usize, level: HubTracking) {
        let before = std::mem::replace(&mut self.hubs.tracker(index, client).level, level);
        if level == before {
            return;
        }
        let on_device = self.hubs.hubs.iter().filter(|(_, hub)| hub.devices.contains(&index));
        let concerned: Vec<_> =
            on_device.map(|(hub, entry)| (*hub, self.hubs.level(client, &entry.devices))).collect();
        let at = Timestamp::now();
        for (hub, level) in concerned {
            self.hub_raise(hub, client, level, at);
            let Some(entry) = self.hubs.hubs.get_mut(&hub) else { continue };
            match level {
                HubTracking::None => drop(entry.audience.remove(&client)),
                level => drop(entry.audience.insert(client, level)),
            }
        }
    }

    /// Forgets what a client wants of a device if that is nothing.
    fn untrack(&mut self, client: ClientId, index: usize) {
        let tracker = *self.hubs.tracker(index, client);
        if let Some(trackers) = self.hubs.trackers.get_mut(&index)
            && tracker.asked == HubTracking::None
            && tracker.level == HubTracking::None
        {
            trackers.remove(&client);
            if trackers.is_empty() {
                self.hubs.trackers.remove(&index);
            }
        }
    }
}
