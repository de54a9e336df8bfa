//! Random histories of calls, clients and tracking: what a client is told of hubs, replayed, is what the broker would
//! answer, at every moment; and both are what a model says that knows only which calls the providers have.
//!
//! The model shares no code with the broker: it groups the providers' own calls anew after each move. A failing history
//! is shrunk to its shortest by proptest.

mod bare;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bare::{Bare, BareCall, Client};
use offhook_broker::{Broker, Census};
use offhook_spi::{
    AppEvent, AppReply, AppRequest, CallInfoChange, ConnectedMode, DeviceId, DisconnectMode, HCall, HHub,
    HLine, HdCall, HubEvent, HubRecord, HubSnapshot, HubTracking, LineCallState as S, LineError, Privilege,
};
use offhook_tapi::HubView;
use proptest::prelude::*;

/// The devices as the broker numbers them: provider and its own number. Both providers use the same call ids.
const DEVICES: [(usize, u32); 4] = [(0, 0), (0, 1), (1, 0), (1, 1)];
const NAMES: [&str; 2] = ["north", "south"];
const CLIENTS: usize = 3;

#[derive(Clone, Debug)]
enum Op {
    Open(usize, u32, Privilege),
    Close(usize, usize),
    Track(usize, u32, HubTracking),
    Leave(usize),
    Arrive(u32, u32),
    Place(usize, usize, u32),
    State(usize, S),
    Identify(usize, u32),
    Rename(usize),
    Deallocate(usize, usize),
    Clear(usize, usize),
    Pull(u32),
}

fn an_op() -> impl Strategy<Value = Op> {
    use HubTracking::{AllCalls, None, ProviderLevel};
    let up = S::Connected(ConnectedMode::Active);
    let gone = S::Disconnected(DisconnectMode::Normal);
    let client = 0..CLIENTS;
    let device = 0..DEVICES.len() as u32;
    let privilege = prop::sample::select(vec![Privilege::None, Privilege::Monitor, Privilege::Owner]);
    let level = prop::sample::select(vec![None, ProviderLevel, AllCalls, AllCalls]);
    let state = prop::sample::select(vec![up, S::OnHold, gone, S::Idle]);
    let any = 0..64_usize;
    let id = 0..4_u32;
    prop_oneof![
        4 => (client.clone(), device.clone(), privilege).prop_map(|(c, d, p)| Op::Open(c, d, p)),
        1 => (client.clone(), any.clone()).prop_map(|(c, l)| Op::Close(c, l)),
        4 => (client.clone(), device.clone(), level).prop_map(|(c, d, l)| Op::Track(c, d, l)),
        1 => client.clone().prop_map(Op::Leave),
        8 => (device.clone(), id.clone()).prop_map(|(d, i)| Op::Arrive(d, i)),
        4 => (client.clone(), any.clone(), id.clone()).prop_map(|(c, l, i)| Op::Place(c, l, i)),
        8 => (any.clone(), state).prop_map(|(c, s)| Op::State(c, s)),
        5 => (any.clone(), id).prop_map(|(c, i)| Op::Identify(c, i)),
        1 => any.clone().prop_map(Op::Rename),
        3 => (client.clone(), any.clone()).prop_map(|(c, h)| Op::Deallocate(c, h)),
        1 => (client, any).prop_map(|(c, h)| Op::Clear(c, h)),
        1 => device.prop_map(Op::Pull),
    ]
}

fn is_over(state: Option<S>) -> bool {
    matches!(state, Some(S::Disconnected(_) | S::Idle))
}

/// A call as the model and a snapshot are compared.
#[derive(Debug, PartialEq)]
struct Seen {
    device: u32,
    /// Each call has its own.
    caller: String,
    state: Option<S>,
    held: bool,
    owners: u32,
    monitors: u32,
}

/// A hub of the model: the provider's calls in it, by caller in the order of joining, and where it ever had one.
#[derive(Default)]
struct ModelHub {
    members: Vec<(String, HdCall)>,
    had: BTreeSet<u32>,
}

/// A client with all that must be true of it.
struct Player {
    client: Client,
    view: HubView,
    levels: BTreeMap<u32, HubTracking>,
    lines: Vec<(u32, HLine)>,
    calls: BTreeMap<HCall, (HLine, String, Privilege)>,
    begun: BTreeMap<HHub, (String, u32)>,
    ended: BTreeSet<HHub>,
}

impl Player {
    fn new(broker: &Broker) -> Self {
        Self {
            client: Client::new(broker, "player"),
            view: HubView::default(),
            levels: BTreeMap::new(),
            lines: Vec::new(),
            calls: BTreeMap::new(),
            begun: BTreeMap::new(),
            ended: BTreeSet::new(),
        }
    }

    fn level(&self, hub: &ModelHub) -> HubTracking {
        hub.had.iter().filter_map(|device| self.levels.get(device)).copied().max().unwrap_or_default()
    }

    /// Own calls that the view has in a hub, with the hub.
    fn own_members(&self) -> BTreeMap<HCall, HHub> {
        let hubs = self.view.hubs();
        hubs.flat_map(|hub| hub.members.iter().filter_map(|m| Some((m.call?, hub.hub)))).collect()
    }

    /// Takes the events of one move in, and holds them to the frozen order.
    fn take(&mut self, changes_id: bool) -> Vec<AppEvent> {
        let before = self.own_members();
        let events = self.client.news();
        let (mut ended, mut left, mut joined, mut new_calls) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (n, event) in events.iter().enumerate() {
            match event {
                AppEvent::NewCall { line, call, privilege, info } => {
                    new_calls.insert(*call, n);
                    self.calls.insert(*call, (*line, info.caller.address.clone(), *privilege));
                }
                AppEvent::CallState { call, state, .. } if is_over(Some(*state)) => {
                    ended.entry(*call).or_insert(n);
                }
                AppEvent::LineClosed { line, .. } => {
                    for (call, (of, ..)) in &self.calls {
                        if of == line {
                            ended.entry(*call).or_insert(n);
                        }
                    }
                    self.calls.retain(|_, (of, ..)| of != line);
                    self.lines.retain(|(_, known)| known != line);
                }
                AppEvent::Hub(record) => {
                    if let HubEvent::Leave { call } = &record.event
                        && let Some(hub) = self.view.hub(record.hub)
                        && let Some(own) = hub.members.iter().find(|m| m.id == *call).and_then(|m| m.call)
                    {
                        left.insert(own, n);
                    }
                    if let HubEvent::Join { member } = &record.event
                        && let Some(own) = member.call
                    {
                        joined.insert(own, n);
                    }
                    self.record(record);
                }
                _ => {}
            }
        }
        for (call, n) in &left {
            match ended.get(call) {
                Some(end) => assert!(end < n, "the last state comes before the leaving: {events:#?}"),
                None => assert!(
                    changes_id || !self.calls.contains_key(call),
                    "a call that goes on and keeps its id leaves: {events:#?}"
                ),
            }
        }
        for call in ended.keys().filter(|call| before.contains_key(call)) {
            assert!(left.contains_key(call), "a call that ended leaves: {events:#?}");
        }
        for (call, n) in &joined {
            if let Some(new) = new_calls.get(call) {
                assert!(n < new, "a call's joining comes before its NewCall: {events:#?}");
            }
        }
        events
    }

    fn record(&mut self, record: &HubRecord) {
        assert!(!self.ended.contains(&record.hub), "Idle is a hub's last event: {record:?}");
        match &record.event {
            HubEvent::New { provider, call_id } => {
                let key = (provider.clone(), *call_id);
                let known = self.begun.insert(record.hub, key.clone());
                assert!(known.is_none_or(|known| known == key), "a hub keeps its key: {record:?}");
            }
            HubEvent::Idle => assert!(self.ended.insert(record.hub)),
            _ => assert!(self.view.hub(record.hub).is_some(), "New is a hub's first event: {record:?}"),
        }
        if let Err(error) = self.view.apply(record) {
            panic!("{error}: {record:?} after {:#?}", self.view);
        }
    }
}

struct World {
    broker: Broker,
    providers: [Arc<Bare>; 2],
    players: Vec<Player>,
    hubs: BTreeMap<(usize, u32), ModelHub>,
    callers: u32,
}

impl World {
    fn new() -> Self {
        let broker = Broker::new();
        let providers = NAMES.map(|name| Bare::new(name, 2, HubTracking::AllCalls));
        for provider in &providers {
            broker.add_provider(provider.clone()).unwrap();
        }
        let players = (0..CLIENTS).map(|_| Player::new(&broker)).collect();
        Self { broker, providers, players, hubs: BTreeMap::new(), callers: 0 }
    }

    fn caller(&mut self) -> String {
        self.callers += 1;
        format!("caller {}", self.callers)
    }

    /// Every call that a provider has, as it knows it.
    fn truth(&self) -> Vec<(usize, HdCall, BareCall)> {
        let providers = self.providers.iter().enumerate();
        providers.flat_map(|(n, p)| p.calls().into_iter().map(move |(hd, call)| (n, hd, call))).collect()
    }

    fn some_call(&self, n: usize) -> Option<(usize, HdCall, BareCall)> {
        let mut calls = self.truth();
        if calls.is_empty() { None } else { Some(calls.swap_remove(n % calls.len())) }
    }

    /// Makes one move. Answers whether it changes a call's id.
    fn play(&mut self, op: &Op) -> bool {
        match op {
            Op::Open(who, device, privilege) => {
                let line = self.players[*who].client.open(*device, *privilege);
                self.players[*who].lines.push((*device, line));
            }
            Op::Close(who, n) => {
                let player = &mut self.players[*who];
                if !player.lines.is_empty() {
                    let (_, line) = player.lines.remove(n % player.lines.len());
                    player.client.done(AppRequest::CloseLine { line });
                    player.calls.retain(|_, (of, ..)| *of != line);
                }
            }
            Op::Track(who, device, level) => {
                let player = &mut self.players[*who];
                let before = player.levels.insert(*device, *level).unwrap_or_default();
                player.client.track(*device, *level);
                if *level < before {
                    // What is not told any more is to be asked.
                    assert_eq!(player.client.news(), [], "less tracking is not told");
                    player.view = HubView::of(player.client.hubs());
                }
            }
            Op::Leave(who) => self.players[*who] = Player::new(&self.broker),
            Op::Arrive(device, id) => {
                let (provider, number) = DEVICES[*device as usize];
                let caller = self.caller();
                self.providers[provider].arrive(number, &caller, *id, S::Offering);
            }
            Op::Place(who, n, id) => {
                let caller = self.caller();
                let player = &mut self.players[*who];
                if !player.lines.is_empty() {
                    let (device, line) = player.lines[n % player.lines.len()];
                    let (provider, _) = DEVICES[device as usize];
                    self.providers[provider].identify_next(*id);
                    let call = player.client.place(line, &caller).expect("placed");
                    player.calls.insert(call, (line, caller.clone(), Privilege::Owner));
                    let placed = self.providers[provider].calls();
                    let placed = placed.into_iter().find(|(_, call)| call.info.caller.address == caller);
                    self.providers[provider].report(placed.expect("known").0, S::Dialing);
                }
            }
            Op::State(n, state) => {
                if let Some((provider, hd, call)) = self.some_call(*n)
                    && (!is_over(call.state) || *state == S::Idle)
                {
                    self.providers[provider].report(hd, *state);
                }
            }
            Op::Identify(n, id) => {
                if let Some((provider, hd, call)) = self.some_call(*n)
                    && call.state != Some(S::Idle)
                {
                    self.providers[provider].inform(hd, CallInfoChange::CallId, |info| info.call_id = *id);
                    return true;
                }
            }
            Op::Rename(n) => {
                if let Some((provider, hd, call)) = self.some_call(*n)
                    && call.state != Some(S::Idle)
                {
                    let name =
                        |info: &mut offhook_spi::CallInfo| info.caller.name = Some("somebody".to_owned());
                    self.providers[provider].inform(hd, CallInfoChange::CallerId, name);
                }
            }
            Op::Deallocate(who, n) => {
                let player = &mut self.players[*who];
                let calls: Vec<_> = player.calls.keys().copied().collect();
                if !calls.is_empty() {
                    let call = calls[n % calls.len()];
                    player.calls.remove(&call);
                    player.client.done(AppRequest::Deallocate { call });
                }
            }
            Op::Clear(who, n) => {
                let client = &self.players[*who].client;
                let hubs = client.hubs();
                if !hubs.is_empty() {
                    assert_eq!(client.clear(hubs[n % hubs.len()].hub), Ok(AppReply::Done));
                }
            }
            Op::Pull(device) => {
                let (provider, number) = DEVICES[*device as usize];
                self.providers[provider].pull(number);
            }
        }
        false
    }

    /// Groups the providers' calls anew.
    fn regroup(&mut self) {
        let mut now: BTreeMap<(usize, u32), Vec<_>> = BTreeMap::new();
        for (provider, hd, call) in self.truth() {
            if call.info.call_id != 0 && call.state.is_some() && !is_over(call.state) {
                let device = DEVICES.iter().position(|known| *known == (provider, call.device)).unwrap();
                let entry = (call.info.caller.address.clone(), hd, device as u32);
                now.entry((provider, call.info.call_id)).or_default().push(entry);
            }
        }
        self.hubs.retain(|key, _| now.contains_key(key));
        for (key, calls) in now {
            let hub = self.hubs.entry(key).or_default();
            hub.members.retain(|(_, hd)| calls.iter().any(|(_, known, _)| known == hd));
            for (caller, hd, device) in calls {
                hub.had.insert(device);
                if hub.members.iter().all(|(_, known)| *known != hd) {
                    hub.members.push((caller, hd));
                }
            }
        }
    }

    /// What a client should see of the hubs.
    fn expected(&self, player: &Player) -> Vec<(String, u32, Vec<Seen>)> {
        let mut seen = Vec::new();
        for ((provider, id), hub) in &self.hubs {
            let level = player.level(hub);
            if level == HubTracking::None {
                continue;
            }
            let members =
                hub.members.iter().filter(|_| level == HubTracking::AllCalls).map(|(caller, hd)| {
                    let call = self.providers[*provider].call(*hd).expect("it is a member");
                    let device = DEVICES.iter().position(|known| *known == (*provider, call.device)).unwrap();
                    let count = |privilege| {
                        let handles = self.players.iter().flat_map(|player| player.calls.values());
                        handles.filter(|(_, c, p)| c == caller && *p == privilege).count() as u32
                    };
                    Seen {
                        device: device as u32,
                        caller: caller.clone(),
                        state: call.state,
                        held: player.calls.values().any(|(_, of, _)| of == caller),
                        owners: count(Privilege::Owner),
                        monitors: count(Privilege::Monitor),
                    }
                });
            seen.push((NAMES[*provider].to_owned(), *id, members.collect()));
        }
        seen
    }

    fn check(&mut self, changes_id: bool) {
        self.regroup();
        let told: Vec<_> = self.players.iter_mut().map(|player| player.take(changes_id)).collect();
        for (n, (player, told)) in self.players.iter().zip(told).enumerate() {
            let answered = player.client.hubs();
            assert_eq!(
                player.view,
                HubView::of(answered.clone()),
                "what was told is what is answered, after {told:#?}"
            );
            let mut seen: Vec<_> = answered.iter().map(plain).collect();
            seen.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
            let mut expected = self.expected(player);
            expected.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
            assert_eq!(seen, expected, "client {n} sees what the providers have, after {told:#?}");
            for event in &told {
                self.fits_level(player, event);
            }
            for (call, (_, caller, _)) in &player.calls {
                self.check_hub_of(player, *call, caller);
            }
        }
        assert_eq!(self.broker.census().hubs, self.hubs.len());
        for (device, (provider, number)) in DEVICES.iter().enumerate() {
            let levels = self.players.iter().filter_map(|player| player.levels.get(&(device as u32)));
            let wanted = levels.copied().max().unwrap_or_default();
            if let Some(told) = self.providers[*provider].told(*number) {
                assert_eq!(
                    told, wanted,
                    "the provider is told the most that anybody wants of device {device}"
                );
            }
        }
    }

    /// Calls are told of at the level of all calls only.
    fn fits_level(&self, player: &Player, event: &AppEvent) {
        let AppEvent::Hub(record) = event else { return };
        let most = player.levels.values().copied().max().unwrap_or_default();
        match &record.event {
            HubEvent::New { .. } | HubEvent::Idle => assert_ne!(most, HubTracking::None, "{record:?}"),
            _ => assert_eq!(most, HubTracking::AllCalls, "{record:?}"),
        }
    }

    /// A call's own hub is there for who holds the call, tracked or not.
    fn check_hub_of(&self, player: &Player, handle: HCall, caller: &str) {
        let calls = self.truth().into_iter();
        let Some((provider, _, call)) = calls.clone().find(|(.., call)| call.info.caller.address == caller)
        else {
            return;
        };
        if is_over(call.state) {
            return;
        }
        let found = player.client.hub_of(handle);
        match self.hubs.get(&(provider, call.info.call_id)) {
            None => assert_eq!(found, Err(LineError::Pending)),
            Some(hub) => {
                let found = found.expect("it is in a hub");
                assert_eq!((found.provider.as_str(), found.call_id), (NAMES[provider], call.info.call_id));
                let callers: Vec<_> = found.members.iter().map(|m| m.info.caller.address.clone()).collect();
                let members: Vec<_> = hub.members.iter().map(|(caller, _)| caller.clone()).collect();
                assert_eq!(callers, members, "in the order of joining");
            }
        }
    }
}

fn plain(hub: &HubSnapshot) -> (String, u32, Vec<Seen>) {
    let members = hub.members.iter().map(|m| Seen {
        device: m.device.0,
        caller: m.info.caller.address.clone(),
        state: m.state,
        held: m.call.is_some(),
        owners: m.info.owners,
        monitors: m.info.monitors,
    });
    (hub.provider.clone(), hub.call_id, members.collect())
}

fn run(ops: &[Op]) {
    let mut world = World::new();
    for op in ops {
        let changes_id = world.play(op);
        world.check(changes_id);
    }
    // Everybody gives up what it has: nothing is left, and every hub that was told of was told to end.
    for player in &mut world.players {
        for device in 0..DEVICES.len() as u32 {
            if player.levels.get(&device).is_none_or(|level| *level == HubTracking::None) {
                continue;
            }
            player.levels.insert(device, HubTracking::AllCalls);
            player.client.track(device, HubTracking::AllCalls);
        }
    }
    world.check(false);
    for n in 0..world.players.len() {
        for (_, line) in std::mem::take(&mut world.players[n].lines) {
            world.players[n].client.done(AppRequest::CloseLine { line });
            world.players[n].calls.retain(|_, (of, ..)| *of != line);
            world.check(false);
        }
    }
    assert_eq!(world.broker.census(), Census { clients: CLIENTS, ..Census::default() });
    for player in &world.players {
        assert_eq!(player.view, HubView::default(), "every hub has ended for everybody");
    }
    drop(world.players);
    assert_eq!(world.broker.census(), Census::default());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_is_told_of_hubs_is_what_is_answered_and_what_the_providers_have(
        ops in prop::collection::vec(an_op(), 1..80)
    ) {
        run(&ops);
    }
}

/// The order rules and the replay with a thread a client and one for the network, all at once.
#[test]
fn the_records_of_every_client_replay_to_the_answer_with_threads() {
    let up = S::Connected(ConnectedMode::Active);
    let gone = S::Disconnected(DisconnectMode::Normal);
    for seed in 0..20_u32 {
        let world = World::new();
        let over = AtomicBool::new(false);
        let player = |n: u32| {
            let client = Client::new(&world.broker, "player");
            for device in 0..4 {
                client.track(device, HubTracking::AllCalls);
            }
            let mut lines = Vec::new();
            for round in 0..60_u32 {
                let device = (round * 7 + n + seed) % 4;
                let privilege = if round % 3 == 0 { Privilege::Monitor } else { Privilege::Owner };
                let what = AppRequest::OpenLine {
                    device: DeviceId(device),
                    privilege,
                    media: offhook_spi::MediaTypes::AUDIO,
                };
                if let Ok(AppReply::Line(line)) = client.ask(what) {
                    lines.push(line);
                }
                for call in client.announced() {
                    let _ = client.ask(match call.0 % 3 {
                        0 => AppRequest::CallHub { call },
                        1 => AppRequest::Deallocate { call },
                        _ => AppRequest::Answer { call },
                    });
                }
                if round % 5 == 4
                    && let Some(hub) = client.hubs().first()
                {
                    let _ = client.clear(hub.hub);
                }
                if lines.len() > 2 {
                    let _ = client.ask(AppRequest::CloseLine { line: lines.remove(0) });
                }
            }
            client
        };
        std::thread::scope(|scope| {
            let network = scope.spawn(|| {
                let mut n = seed;
                while !over.load(Ordering::Relaxed) {
                    n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let pick = n >> 16;
                    let (provider, number) = DEVICES[(pick % 4) as usize];
                    let provider = &world.providers[provider];
                    let calls = provider.calls();
                    let call = (!calls.is_empty()).then(|| calls[pick as usize % calls.len()].0);
                    match (pick % 7, call) {
                        (0..=2, _) => drop(provider.arrive(number, "caller", pick % 4, S::Offering)),
                        (3, Some(call)) => provider.report(call, up),
                        (4, Some(call)) => provider.report(call, gone),
                        (5, Some(call)) => {
                            provider.inform(call, CallInfoChange::CallId, |info| info.call_id = pick % 4);
                        }
                        _ => std::thread::yield_now(),
                    }
                }
            });
            let player = &player;
            let players: Vec<_> = (0..3).map(|n| scope.spawn(move || player(n))).collect();
            let players: Vec<_> = players.into_iter().map(|thread| thread.join()).collect();
            over.store(true, Ordering::Relaxed);
            network.join().unwrap();
            let players: Vec<_> = players.into_iter().map(Result::unwrap).collect();
            for client in &players {
                let mut view = HubView::default();
                let answered = HubView::of(client.hubs());
                let mut ended = BTreeSet::new();
                for record in client.records() {
                    assert!(!ended.contains(&record.hub), "seed {seed}: after Idle: {record:?}");
                    if record.event == HubEvent::Idle {
                        ended.insert(record.hub);
                    }
                    view.apply(&record).unwrap_or_else(|error| panic!("seed {seed}: {error}: {record:?}"));
                }
                assert_eq!(view, answered, "seed {seed}");
            }
            drop(players);
        });
        drop(world.players);
        assert_eq!(world.broker.census(), Census::default(), "seed {seed}");
    }
}
