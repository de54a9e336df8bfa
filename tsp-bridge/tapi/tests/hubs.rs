//! Call hubs as applications see them: a switch with extensions, an application each, and one that only watches.
//!
//! tests/golden/hub_*.txt has what each was told, in its order. `OFFHOOK_GOLDEN=write cargo test -p offhook-tapi --test
//! hubs` writes them anew: then read the difference against docs/call-hubs.md before it is kept.

#![allow(clippy::indexing_slicing, reason = "tests may panic")]

mod bare;
mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bare::Bare;
use offhook_broker::scripted::{Scripted, ScriptedConfig};
use offhook_broker::{Broker, Census};
use offhook_spi::{
    AppEvent, AppSink, CallInfoChange, DisconnectMode, HHub, HubCallId, HubEvent, HubMember, LineError,
    MediaTypes,
};
use offhook_tapi::{
    Address, Call, CallHub, CallHubState, CallState, DisconnectCode, Event, EventFilter, EventStream,
    Forward, ForwardMode, HandoffTarget, HubTracking, HubView, LineCallState as S, Privilege, Tapi,
    TapiError, TransferMode,
};
use support::Trace;

/// An application at one extension, or one that watches all and has none.
struct Desk {
    name: &'static str,
    tapi: Tapi,
    addresses: Vec<Address>,
    events: EventStream,
    calls: Vec<Call>,
    view: HubView,
}

impl Desk {
    async fn new(broker: &Broker, name: &'static str) -> Self {
        let tapi = Tapi::connect(|sink| broker.connect(name, sink), None).unwrap();
        let events = tapi.events(EventFilter::ALL);
        let addresses = tapi.addresses().await.unwrap();
        Self { name, tapi, addresses, events, calls: Vec::new(), view: HubView::default() }
    }

    fn call(&self, n: usize) -> Call {
        self.calls[n].clone()
    }
}

/// The switch with everybody at it, and names for what is in hubs.
struct Floor {
    trace: Trace,
    switch: Arc<Scripted>,
    broker: Broker,
    desks: Vec<Desk>,
    hubs: BTreeMap<HHub, usize>,
    legs: BTreeMap<HubCallId, String>,
}

const WATCH: usize = 3;

impl Floor {
    /// Extensions 100 to 102 with an application each that tracks its own, and one that watches all of them.
    async fn new() -> Self {
        let switch = Scripted::new(ScriptedConfig { has_msp: false, ..ScriptedConfig::switch(3) });
        let broker = Broker::new();
        broker.add_provider(switch.clone()).unwrap();
        let mut desks = Vec::new();
        for (n, name) in ["100", "101", "102", "watch"].into_iter().enumerate() {
            let desk = Desk::new(&broker, name).await;
            if n == WATCH {
                desk.tapi.set_call_hub_tracking(&desk.addresses, true).await.unwrap();
            } else {
                desk.addresses[n].open(Privilege::Owner, MediaTypes::AUDIO).await.unwrap();
                desk.tapi.set_call_hub_tracking(&desk.addresses[n..=n], true).await.unwrap();
            }
            desks.push(desk);
        }
        let (hubs, legs) = (BTreeMap::new(), BTreeMap::new());
        Self { trace: Trace::default(), switch, broker, desks, hubs, legs }
    }

    /// Does something, and writes down what everybody is told of it.
    async fn does<T, E: std::fmt::Debug>(
        &mut self,
        what: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> T {
        self.trace.note(format!("-- {what}"));
        let done = work.await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        self.hear().await;
        done
    }

    /// The same of something that happens.
    async fn then(&mut self, what: &str, work: impl FnOnce(&Scripted)) {
        self.trace.note(format!("-- {what}"));
        work(&self.switch);
        self.hear().await;
    }

    async fn hear(&mut self) {
        for _ in 0..2 {
            for desk in &self.desks {
                desk.tapi.settled().await.unwrap();
            }
        }
        for desk in &mut self.desks {
            while let Some(event) = desk.events.try_next() {
                if let Event::CallHub { hub, event, at, .. } = &event {
                    let record = offhook_spi::HubRecord { at: *at, hub: hub.id(), event: event.clone() };
                    desk.view.apply(&record).unwrap();
                }
                if let Some(line) = told(&event, &mut self.hubs, &mut self.legs) {
                    self.trace.note(format!("{:<5} {line}", desk.name));
                }
                if let Event::CallNotification { call, .. } = event {
                    desk.calls.push(call);
                }
            }
            assert_eq!(
                desk.view,
                desk.tapi.hub_view().await.unwrap(),
                "{} is told what is answered",
                desk.name
            );
        }
    }

    /// An extension dials; the call is there when the switch has done what it does.
    async fn dials(&mut self, desk: usize, number: &str) -> Call {
        let call = self.desks[desk].addresses[desk].create_call(number, MediaTypes::AUDIO).unwrap();
        let dialled = call.clone();
        self.does(&format!("10{desk} dials {number}"), async move { dialled.dial().await }).await;
        call
    }

    /// The call that was announced last at an extension answers.
    async fn answers(&mut self, desk: usize) -> Call {
        let call = self.desks[desk].calls.last().expect("announced").clone();
        let answered = call.clone();
        self.does(&format!("10{desk} answers"), async move { answered.answer().await }).await;
        call
    }

    async fn hangs_up(&mut self, who: &str, call: &Call) {
        let call = call.clone();
        let end = async move { call.disconnect(DisconnectCode::Normal).await };
        self.does(&format!("{who} hangs up"), end).await;
    }

    /// Everybody gives up everything: nothing may be left.
    async fn ends(mut self, name: &str) {
        self.trace.compare(name);
        for desk in self.desks.drain(..) {
            drop(desk.calls);
            drop(desk.events);
            desk.tapi.close().await;
        }
        assert_eq!(self.broker.census(), Census::default());
    }
}

/// An event in one line, or none if it does not matter here.
fn told(
    event: &Event,
    hubs: &mut BTreeMap<HHub, usize>,
    legs: &mut BTreeMap<HubCallId, String>,
) -> Option<String> {
    Some(match event {
        Event::CallNotification { .. } => "CallNotification".to_owned(),
        Event::CallState { state, line_state, .. } => format!("CallState {state:?} ({line_state:?})"),
        Event::CallHub { hub, event, call, .. } => {
            let next = hubs.len() + 1;
            let hub = *hubs.entry(hub.id()).or_insert(next);
            let own = if call.is_some() { " own" } else { "" };
            let what = match event {
                HubEvent::New { provider, call_id } => format!("New: {provider} {call_id}"),
                HubEvent::Join { member } => format!("Join{own} {}", joins(member, legs)),
                HubEvent::State { call, state } => format!("State{own} {} {state:?}", legs[call]),
                HubEvent::Info { call, info } => {
                    let related = Some(info.related_call_id).filter(|id| *id != 0);
                    let related = related.map(|id| format!(", out of {id}")).unwrap_or_default();
                    format!("Info{own} {}: {:?}{related}", legs[call], info.reason)
                }
                HubEvent::Held { call, handle } => {
                    let held = if handle.is_some() { "held" } else { "given up" };
                    format!("Held{own} {}: {held}", legs[call])
                }
                HubEvent::Leave { call } => format!("Leave{own} {}", legs[call]),
                HubEvent::Idle => "Idle".to_owned(),
            };
            format!("hub {hub} {what}")
        }
        _ => return None,
    })
}

/// A call by its extension and its order of appearance there.
fn joins(member: &HubMember, legs: &mut BTreeMap<HubCallId, String>) -> String {
    let extension = 100 + member.device.0;
    let at = legs.values().filter(|leg| leg.starts_with(&extension.to_string())).count() + 1;
    let leg = legs.entry(member.id).or_insert_with(|| format!("{extension}.{at}")).clone();
    match member.info.related_call_id {
        0 => leg,
        related => format!("{leg}, out of {related}"),
    }
}

#[tokio::test]
async fn two_parties() {
    let mut floor = Floor::new().await;
    let placed = floor.dials(0, "101").await;
    floor.answers(1).await;
    floor.hangs_up("100", &placed).await;
    let late = floor.desks[1].call(0);
    floor
        .does("101 releases", async move {
            late.release().await;
            Ok::<_, TapiError>(())
        })
        .await;
    floor.ends("hub_two_parties").await;
}

#[tokio::test]
async fn three_parties_come_to_a_conference_and_go() {
    let mut floor = Floor::new().await;
    let first = floor.dials(0, "101").await;
    let second = floor.answers(1).await;
    let consult = floor.desks[0].addresses[0].create_call("102", MediaTypes::AUDIO).unwrap();
    let (call, by) = (first.clone(), consult.clone());
    let conference =
        floor.does("100 begins a conference by 102", async move { call.setup_conference(&by).await }).await;
    floor.answers(2).await;
    let (to, third) = (conference.clone(), consult.clone());
    floor.does("100 adds 102", async move { to.add_to_conference(&third).await }).await;
    let hub = conference.call_hub().await.unwrap();
    assert_eq!(hub, first.call_hub().await.unwrap());
    let in_it = hub.calls().await.unwrap();
    assert_eq!(in_it.len(), 5, "the conference, two calls of its line, two far ends");
    assert_eq!(in_it.iter().filter(|call| call.call.is_some()).count(), 3);
    let member = hub.find(&consult).await.unwrap().expect("it is in it");
    assert_eq!((member.state, member.line_state), (Some(CallState::Connected), Some(S::Conferenced)));
    floor.hangs_up("101", &second).await;
    assert_eq!(hub.state().await.unwrap(), CallHubState::Active);
    floor.does("100 ends it for everybody", async { hub.clear().await }).await;
    assert_eq!(hub.state().await.unwrap(), CallHubState::Idle);
    assert_eq!(hub.calls().await.unwrap().len(), 0);
    floor.ends("hub_conference").await;
}

#[tokio::test]
async fn a_consultation_has_a_hub_of_its_own_until_the_transfer() {
    let mut floor = Floor::new().await;
    let primary = floor.dials(0, "101").await;
    let left = floor.answers(1).await;
    let before = left.call_hub().await.unwrap();
    let consult = floor.desks[0].addresses[0].create_call("102", MediaTypes::AUDIO).unwrap();
    let (call, by) = (primary.clone(), consult.clone());
    floor.does("100 consults 102", async move { call.transfer(&by).await }).await;
    let reached = floor.answers(2).await;
    let (own, info) = (consult.call_hub().await.unwrap(), consult.info().await.unwrap());
    assert_ne!(own, before);
    assert_eq!(info.related_call_id, before.call_id(), "it came out of the primary call");
    let (call, by) = (primary.clone(), consult.clone());
    let end = async move { call.finish(&by, TransferMode::Transfer).await };
    floor.does("100 transfers 101 to 102", end).await;
    for call in [&left, &reached] {
        assert_eq!(call.call_hub().await.unwrap().id(), before.id(), "the hub outlives who made it");
    }
    assert_eq!(own.state().await.unwrap(), CallHubState::Idle);
    let was_in = primary.call_hub().await.unwrap();
    assert_eq!(was_in.id(), before.id(), "a call that has ended names the hub it was in");
    floor.hangs_up("101", &left).await;
    assert_eq!(primary.call_hub().await, Err(TapiError::Line(LineError::InvalHubHandle)));
    floor.ends("hub_transfer_consultation").await;
}

/// Nobody but the party outside is in the call from first to last: each leg inherits the hub of the one before.
#[tokio::test]
async fn a_call_from_outside_keeps_its_hub_through_diversion_pickup_and_transfer() {
    let mut floor = Floor::new().await;
    let to = Forward { mode: ForwardMode::NoAnswer, caller: None, destination: "101".to_owned() };
    floor.desks[0].addresses[0].forward(&[to], None).await.unwrap();
    floor
        .then("5551234 calls 100", |switch| {
            let _ = switch.call_in("5551234", "100", MediaTypes::AUDIO);
        })
        .await;
    floor.then("100 does not answer", |switch| switch.rings_out(switch.calls()[0])).await;
    let address = floor.desks[2].addresses[2].clone();
    let taken = floor.does("102 picks up", async move { address.pickup(Some("101"), None).await }).await;
    let hub = taken.call_hub().await.unwrap();
    let call = taken.clone();
    floor.does("102 transfers to 100", async move { call.blind_transfer("100").await }).await;
    let last = floor.answers(0).await;
    assert_eq!(last.call_hub().await.unwrap().id(), hub.id());
    assert_eq!(hub.calls().await.unwrap().len(), 1);
    floor.hangs_up("100", &last).await;
    floor.ends("hub_inherited").await;
}

#[tokio::test]
async fn a_call_that_is_handed_on_stays_in_its_hub_with_another_holder() {
    let mut floor = Floor::new().await;
    let placed = floor.dials(0, "5550002").await;
    let other = Desk::new(&floor.broker, "other").await;
    other.addresses[0].open(Privilege::Owner, MediaTypes::AUDIO).await.unwrap();
    other.addresses[0].track_call_hubs(HubTracking::AllCalls).await.unwrap();
    floor.desks.push(other);
    floor.hear().await;
    let call = placed.clone();
    let to = HandoffTarget::Application("other".to_owned());
    floor.does("100 hands the call to the other", async move { call.handoff(to).await }).await;
    floor
        .does("100 releases it", async move {
            placed.release().await;
            Ok::<_, TapiError>(())
        })
        .await;
    let handed = floor.desks[4].call(0);
    floor.hangs_up("other", &handed).await;
    floor.ends("hub_handoff").await;
}

/// Who closes its address hears the end of each call, then of the hub.
#[tokio::test]
async fn closing_an_address_ends_its_calls_before_they_leave() {
    let mut floor = Floor::new().await;
    let _placed = floor.dials(0, "101").await;
    floor.answers(1).await;
    let address = floor.desks[0].addresses[0].clone();
    floor.does("100 closes its address", async move { address.close().await }).await;
    let _placed = floor.dials(2, "101").await;
    floor.answers(1).await;
    floor.then("101 loses its device", |switch| switch.close_line(1, LineError::failed("unplugged"))).await;
    floor.ends("hub_closed").await;
}

#[tokio::test]
async fn a_broker_that_ends_says_that_calls_and_hubs_do() {
    let mut floor = Floor::new().await;
    let placed = floor.dials(0, "101").await;
    let hub = placed.call_hub().await.unwrap();
    floor.trace.note("-- the broker is shut down");
    floor.broker.shutdown();
    for desk in &mut floor.desks {
        desk.tapi.settled().await.unwrap();
        while let Some(event) = desk.events.try_next() {
            if let Some(line) = told(&event, &mut floor.hubs, &mut floor.legs) {
                floor.trace.note(format!("{:<5} {line}", desk.name));
            }
        }
    }
    assert_eq!(hub.state().await.unwrap(), CallHubState::Idle, "it is known without asking");
    floor.trace.compare("hub_broker_ends");
}

/// The level of a hub is the highest of the devices that it has reached: from then on, with who is there already.
#[tokio::test]
async fn a_hub_that_comes_to_a_device_tracked_closer_is_told_closer() {
    let broker = Broker::new();
    let provider = Bare::new("bare", 2, HubTracking::AllCalls);
    broker.add_provider(provider.clone()).unwrap();
    let owner = Desk::new(&broker, "owner").await;
    for address in &owner.addresses {
        address.open(Privilege::Owner, MediaTypes::AUDIO).await.unwrap();
    }
    let mut watch = Desk::new(&broker, "watch").await;
    watch.addresses[0].track_call_hubs(HubTracking::ProviderLevel).await.unwrap();
    watch.addresses[1].track_call_hubs(HubTracking::AllCalls).await.unwrap();
    let first = provider.arrive(0, "alice", 5, S::Offering).unwrap();
    let second = provider.arrive(1, "bob", 5, S::Offering).unwrap();
    let gone = S::Disconnected(DisconnectMode::Normal);
    provider.report(second, gone);
    provider.report(first, gone);
    watch.tapi.settled().await.unwrap();
    let mut told = Vec::new();
    while let Some(event) = watch.events.try_next() {
        let Event::CallHub { event, .. } = event else { panic!("nothing else") };
        told.push(match event {
            HubEvent::New { .. } => "New".to_owned(),
            HubEvent::Join { member } => format!("Join {}", member.info.caller.address),
            HubEvent::State { state, .. } => format!("State {state:?}"),
            HubEvent::Leave { .. } => "Leave".to_owned(),
            other => format!("{other:?}"),
        });
    }
    let (offering, ended) = ("State Offering", "State Disconnected(Normal)");
    let expected = ["New", "Join alice", "Join bob", offering, ended, "Leave", ended, "Leave", "Idle"];
    assert_eq!(told, expected, "the hub stays in sight when it leaves that device");
}

/// What the broker says, until it says no more.
struct Relay(Mutex<Option<Arc<dyn AppSink>>>);

impl AppSink for Relay {
    fn deliver(&self, event: AppEvent) {
        let sink = self.0.lock().unwrap().clone();
        if let Some(sink) = sink {
            sink.deliver(event);
        }
    }
}

/// A broker that is killed says nothing: calls and hubs are over all the same, in the same order.
#[tokio::test]
async fn a_broker_that_is_killed_ends_calls_and_hubs() {
    let broker = Broker::new();
    let provider = Bare::new("bare", 2, HubTracking::AllCalls);
    broker.add_provider(provider.clone()).unwrap();
    let other = Desk::new(&broker, "other").await;
    other.addresses[1].open(Privilege::Owner, MediaTypes::AUDIO).await.unwrap();
    let relay = Arc::new(Relay(Mutex::default()));
    let link = broker.connect("desk", relay.clone());
    let given = relay.clone();
    let joined = Tapi::connect(
        move |sink| {
            *given.0.lock().unwrap() = Some(sink);
            link
        },
        None,
    );
    let tapi = joined.unwrap();
    let address = tapi.addresses().await.unwrap().swap_remove(0);
    address.open(Privilege::Owner, MediaTypes::AUDIO).await.unwrap();
    address.track_call_hubs(HubTracking::AllCalls).await.unwrap();
    let mut events = tapi.events(EventFilter::ALL);
    provider.arrive(0, "alice", 1, S::Offering).unwrap();
    provider.arrive(1, "bob", 1, S::Offering).unwrap();
    tapi.settled().await.unwrap();
    let mut calls = Vec::new();
    while let Some(event) = events.try_next() {
        if let Event::CallNotification { call, .. } = event {
            calls.push(call);
        }
    }
    let hub = calls[0].call_hub().await.unwrap();
    drop(relay.0.lock().unwrap().take());
    tapi.settled().await.unwrap();
    let mut told = Vec::new();
    while let Some(event) = events.try_next() {
        match event {
            Event::CallState { state, .. } => told.push(format!("{state:?}")),
            Event::CallHub { event: HubEvent::Leave { .. }, call, .. } => {
                told.push(format!("Leave {}", if call.is_some() { "own" } else { "other" }));
            }
            Event::CallHub { event, .. } => told.push(format!("{event:?}")),
            _ => {}
        }
    }
    assert_eq!(told, ["Disconnected", "Leave own", "Leave other", "Idle"]);
    assert_eq!(hub.state().await, Ok(CallHubState::Idle));
}

/// A26: what each level is told of the same call, counted.
#[tokio::test]
async fn each_tracking_level_is_told_its_share() {
    let switch = Scripted::new(ScriptedConfig { has_msp: false, ..ScriptedConfig::switch(2) });
    let broker = Broker::new();
    broker.add_provider(switch.clone()).unwrap();
    let levels = [HubTracking::None, HubTracking::ProviderLevel, HubTracking::AllCalls];
    let mut watchers = Vec::new();
    for level in levels {
        let watcher = Desk::new(&broker, "watcher").await;
        for address in &watcher.addresses {
            address.track_call_hubs(level).await.unwrap();
        }
        watchers.push(watcher);
    }
    let mut per_address = Desk::new(&broker, "one address").await;
    per_address.addresses[1].track_call_hubs(HubTracking::AllCalls).await.unwrap();
    let desk = Desk::new(&broker, "desk").await;
    desk.addresses[0].open(Privilege::Owner, MediaTypes::AUDIO).await.unwrap();
    desk.addresses[1].open(Privilege::None, MediaTypes::NONE).await.unwrap();
    assert_eq!(switch.wanted_hubs(0), Some(HubTracking::AllCalls), "told when the line is opened");
    // A call on line 0: DIALING, PROCEEDING, CONNECTED, IDLE.
    let call = desk.addresses[0].create_call("5550002", MediaTypes::AUDIO).unwrap();
    call.dial().await.unwrap();
    call.disconnect(DisconnectCode::Normal).await.unwrap();
    let mut counts = Vec::new();
    for watcher in &mut watchers {
        watcher.tapi.settled().await.unwrap();
        let mut count = BTreeMap::<&str, usize>::new();
        while let Some(event) = watcher.events.try_next() {
            let Event::CallHub { event, .. } = event else { panic!("nothing else") };
            let kind = match event {
                HubEvent::New { .. } => "New",
                HubEvent::Join { .. } => "Join",
                HubEvent::State { .. } => "State",
                HubEvent::Info { .. } => "Info",
                HubEvent::Held { .. } => "Held",
                HubEvent::Leave { .. } => "Leave",
                HubEvent::Idle => "Idle",
            };
            *count.entry(kind).or_default() += 1;
        }
        counts.push(count);
    }
    assert_eq!(counts[0], BTreeMap::new());
    assert_eq!(counts[1], BTreeMap::from([("New", 1), ("Idle", 1)]));
    let all = [("New", 1), ("Join", 1), ("State", 4), ("Leave", 1), ("Idle", 1)];
    assert_eq!(counts[2], BTreeMap::from(all));
    per_address.tapi.settled().await.unwrap();
    assert!(per_address.events.try_next().is_none(), "the call was on another address");
    for watcher in &watchers {
        watcher.tapi.set_call_hub_tracking(&watcher.addresses, false).await.unwrap();
    }
    assert_eq!(switch.wanted_hubs(0), Some(HubTracking::None));
    assert_eq!(switch.wanted_hubs(1), Some(HubTracking::AllCalls), "the one address");
}

#[tokio::test]
async fn a_level_beyond_the_device_is_refused_and_so_is_what_its_provider_refuses() {
    let broker = Broker::new();
    let (none, coarse) =
        (Bare::new("none", 1, HubTracking::None), Bare::new("coarse", 1, HubTracking::ProviderLevel));
    broker.add_provider(none).unwrap();
    broker.add_provider(coarse.clone()).unwrap();
    let desk = Desk::new(&broker, "desk").await;
    let unavailable = Err(TapiError::Line(LineError::OperationUnavail));
    assert_eq!(desk.tapi.set_call_hub_tracking(&desk.addresses[..1], true).await, unavailable);
    assert_eq!(desk.tapi.set_call_hub_tracking(&desk.addresses[..1], false).await, Ok(()));
    let beyond = desk.addresses[1].track_call_hubs(HubTracking::AllCalls).await;
    assert!(matches!(beyond, Err(TapiError::Line(LineError::InvalParam(_)))), "{beyond:?}");
    desk.addresses[1].open(Privilege::Owner, MediaTypes::AUDIO).await.unwrap();
    coarse.refuse_tracking(true);
    let refused = desk.tapi.set_call_hub_tracking(&desk.addresses, true).await;
    assert_eq!(refused, unavailable, "the first that refuses is answered");
    let refused = desk.addresses[1].track_call_hubs(HubTracking::ProviderLevel).await;
    assert_eq!(refused, Err(TapiError::Line(LineError::failed("does not track"))));
    coarse.arrive(0, "alice", 7, S::Offering).unwrap();
    desk.tapi.settled().await.unwrap();
    assert_eq!(desk.tapi.hub_view().await.unwrap(), HubView::default(), "refused is not tracked");
    coarse.refuse_tracking(false);
    desk.addresses[1].close().await.unwrap();
    desk.addresses[1].open(Privilege::Owner, MediaTypes::AUDIO).await.unwrap();
    assert_eq!(coarse.told(0), Some(HubTracking::None), "what was refused is not wanted later either");
    coarse.arrive(0, "bob", 7, S::Offering).unwrap();
    desk.tapi.set_call_hub_tracking(&desk.addresses[1..], true).await.unwrap();
    let view = desk.tapi.hub_view().await.unwrap();
    let hub = view.hubs().next().expect("told when tracking began");
    assert_eq!((hub.call_id, hub.members.len()), (7, 0), "hubs, not their calls");
}

#[tokio::test]
async fn a_call_has_no_hub_before_its_provider_says_which() {
    let broker = Broker::new();
    let (late, none) = (Bare::new("late", 1, HubTracking::AllCalls), Bare::new("none", 1, HubTracking::None));
    broker.add_provider(late.clone()).unwrap();
    broker.add_provider(none.clone()).unwrap();
    let mut desk = Desk::new(&broker, "desk").await;
    desk.addresses[0].open(Privilege::Owner, MediaTypes::AUDIO).await.unwrap();
    desk.addresses[1].open(Privilege::Owner, MediaTypes::AUDIO).await.unwrap();
    desk.tapi.set_call_hub_tracking(&desk.addresses[..1], true).await.unwrap();
    let call = desk.addresses[0].create_call("bob", MediaTypes::AUDIO).unwrap();
    assert_eq!(call.call_hub().await, Err(TapiError::Pending), "not dialled");
    call.dial().await.unwrap();
    let placed = late.calls()[0].0;
    late.report(placed, S::Dialing);
    assert_eq!(call.call_hub().await, Err(TapiError::Pending), "no identity yet");
    late.inform(placed, CallInfoChange::CallId, |info| info.call_id = 0x8000_0001);
    let hub = call.call_hub().await.unwrap();
    assert_eq!((hub.provider(), hub.call_id()), ("late", 0x8000_0001));
    assert_eq!(desk.tapi.call_hubs().await.unwrap(), std::slice::from_ref(&hub));
    assert_eq!(desk.tapi.find_call_hub("late", 0x8000_0001).await.unwrap(), Some(hub.clone()));
    assert_eq!(desk.tapi.find_call_hub("none", 0x8000_0001).await.unwrap(), None);
    // Another identity: it leaves, and that hub ends; it joins the other.
    late.inform(placed, CallInfoChange::CallId, |info| info.call_id = 9);
    desk.tapi.settled().await.unwrap();
    let mut told = Vec::new();
    while let Some(event) = desk.events.try_next() {
        if let Event::CallHub { hub, event, .. } = event {
            told.push((hub.call_id(), event));
        }
    }
    let kinds: Vec<_> = told.iter().map(|(id, event)| (*id, std::mem::discriminant(event))).collect();
    let id = HubCallId(0);
    let (new, idle) = (HubEvent::New { provider: String::new(), call_id: 0 }, HubEvent::Idle);
    let (join, leave) = (told[1].1.clone(), HubEvent::Leave { call: id });
    let expected = [
        (0x8000_0001, &new),
        (0x8000_0001, &join),
        (0x8000_0001, &leave),
        (0x8000_0001, &idle),
        (9, &new),
        (9, &join),
    ];
    assert_eq!(kinds, expected.map(|(id, event)| (id, std::mem::discriminant(event))));
    assert_eq!(hub.state().await.unwrap(), CallHubState::Idle);
    let info = call.info().await.unwrap();
    assert_eq!(info.call_id, 9);
    // A provider without hubs: its identities mean nothing.
    none.arrive(0, "alice", 9, S::Offering).unwrap();
    desk.tapi.settled().await.unwrap();
    let Some(Event::CallNotification { call: other, .. }) = desk.events.try_next() else {
        panic!("announced")
    };
    assert_eq!(other.call_hub().await, Err(TapiError::Line(LineError::OperationUnavail)));
    assert_eq!(broker.census().hubs, 1);
    call.release().await;
    assert_eq!(call.call_hub().await, Err(TapiError::Released));
    assert_eq!(broker.census().hubs, 0);
}

/// Nothing is told any more of a hub that is not tracked any more, not even that the broker has gone.
#[tokio::test]
async fn a_hub_that_is_not_tracked_any_more_is_forgotten() {
    let broker = Broker::new();
    let provider = Bare::new("bare", 2, HubTracking::AllCalls);
    broker.add_provider(provider.clone()).unwrap();
    let mut desk = Desk::new(&broker, "desk").await;
    for address in &desk.addresses {
        address.open(Privilege::Monitor, MediaTypes::AUDIO).await.unwrap();
    }
    desk.tapi.set_call_hub_tracking(&desk.addresses, true).await.unwrap();
    provider.arrive(0, "alice", 1, S::Offering).unwrap();
    let kept = provider.arrive(1, "bob", 2, S::Offering).unwrap();
    desk.tapi.settled().await.unwrap();
    let mut calls = Vec::new();
    while let Some(event) = desk.events.try_next() {
        if let Event::CallNotification { call, .. } = event {
            calls.push(call);
        }
    }
    assert_eq!(calls.len(), 2);
    desk.tapi.set_call_hub_tracking(&desk.addresses[..1], false).await.unwrap();
    provider.report(kept, S::Disconnected(DisconnectMode::Normal));
    broker.shutdown();
    desk.tapi.settled().await.unwrap();
    let mut told = Vec::new();
    while let Some(event) = desk.events.try_next() {
        if let Event::CallHub { hub, .. } = event {
            told.push(hub.call_id());
        }
    }
    assert_eq!(told, [2, 2, 2], "State, Leave and Idle of the other");
}

/// Clearing is an attempt: calls of others stay.
#[tokio::test]
async fn clearing_a_hub_drops_the_calls_that_are_owned_and_no_other() {
    let broker = Broker::new();
    let provider = Bare::new("bare", 2, HubTracking::AllCalls);
    broker.add_provider(provider.clone()).unwrap();
    let mut mine = Desk::new(&broker, "mine").await;
    let theirs = Desk::new(&broker, "theirs").await;
    let stranger = Desk::new(&broker, "stranger").await;
    mine.addresses[0].open(Privilege::Owner, MediaTypes::AUDIO).await.unwrap();
    mine.addresses[1].open(Privilege::Monitor, MediaTypes::AUDIO).await.unwrap();
    theirs.addresses[1].open(Privilege::Owner, MediaTypes::AUDIO).await.unwrap();
    provider.arrive(0, "alice", 5, S::Offering).unwrap();
    let other = provider.arrive(1, "bob", 5, S::Offering).unwrap();
    mine.tapi.settled().await.unwrap();
    let mut calls = Vec::new();
    while let Some(event) = mine.events.try_next() {
        if let Event::CallNotification { call, .. } = event {
            calls.push(call);
        }
    }
    assert_eq!(calls.len(), 2, "one owned, one monitored");
    let hub: CallHub = calls[1].call_hub().await.unwrap();
    assert_eq!(stranger.tapi.call_hubs().await.unwrap(), [], "who does not track sees none");
    hub.clear().await.unwrap();
    assert_eq!(provider.drops(), 1);
    assert!(provider.call(other).is_some_and(|call| call.state == Some(S::Offering)), "not ours to drop");
    let left = hub.calls().await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].info.caller.address, "bob");
    provider.report(other, S::Disconnected(DisconnectMode::Normal));
    assert_eq!(hub.clear().await, Err(TapiError::Line(LineError::InvalHubHandle)), "it has ended");
}

/// Nothing stays behind of hubs: neither at the broker nor in the session, whose last reference must go.
#[tokio::test]
async fn ten_thousand_calls_leave_no_hub_behind() {
    let broker = Broker::new();
    let provider = Bare::new("bare", 1, HubTracking::AllCalls);
    broker.add_provider(provider.clone()).unwrap();
    let mut desk = Desk::new(&broker, "desk").await;
    desk.addresses[0].open(Privilege::Owner, MediaTypes::AUDIO).await.unwrap();
    desk.tapi.set_call_hub_tracking(&desk.addresses, true).await.unwrap();
    for n in 1..=10_000_u32 {
        provider.arrive(0, "alice", n, S::Offering).unwrap();
        if n % 100 == 0 {
            desk.tapi.settled().await.unwrap();
            let (mut calls, mut joined) = (Vec::new(), 0);
            while let Some(event) = desk.events.try_next() {
                match event {
                    Event::CallNotification { call, .. } => calls.push(call),
                    Event::CallHub { event: HubEvent::Join { .. }, call: Some(_), .. } => joined += 1,
                    _ => {}
                }
            }
            assert_eq!((calls.len(), joined), (100, 100));
            assert_eq!(broker.census().hubs, 100);
            for call in calls {
                call.release().await;
            }
            desk.tapi.settled().await.unwrap();
            assert_eq!((broker.census().hubs, broker.census().calls), (0, 0));
        }
    }
    assert_eq!(desk.tapi.call_hubs().await.unwrap(), []);
    while desk.events.try_next().is_some() {}
    assert_eq!(desk.tapi.diagnostics().stray_events, 0);
    drop(desk);
}
