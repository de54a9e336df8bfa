//! Supplementary services, phones and extensions, as applications see them, with a switch that behaves.

mod support;

use std::sync::Arc;
use std::time::Duration;

use offhook_broker::Broker;
use offhook_scripted::{Scripted, ScriptedConfig};
use offhook_spi::{PhoneEvent, PhoneSetting};
use offhook_tapi::{
    Address, ApiVersion, Call, CallFeatures, CallReason, CallState, CompletionMode, DisconnectCause, Event,
    EventFilter, EventStream, ExtensionVersion, Forward, ForwardMode, HandoffTarget, HookSwitchDevice,
    HookSwitchMode, LampMode, LineCallState, LineError, MediaTypes, Opaque, PhoneNotice, Privilege, Tapi,
    TapiError, TransferMode,
};
use support::{FakeMsp, Trace};

const PATIENCE: Duration = Duration::from_secs(20);

/// An exchange with a few extensions, all of them one application's.
struct Office {
    switch: Arc<Scripted>,
    broker: Broker,
    tapi: Tapi,
    events: EventStream,
    lines: Vec<Address>,
}

impl Office {
    async fn new() -> Self {
        Self::with(ScriptedConfig::switch(4)).await
    }

    async fn with(config: ScriptedConfig) -> Self {
        let switch = Scripted::new(config);
        let broker = Broker::new();
        broker.add_provider(switch.clone()).unwrap();
        let (tapi, events, lines) = join(&broker, "office", Privilege::Owner).await;
        Self { switch, broker, tapi, events, lines }
    }

    /// The next event that is of use.
    async fn next<T>(&mut self, what: impl Fn(Event) -> Option<T>) -> T {
        next(&mut self.events, what).await
    }

    async fn offered(&mut self) -> Call {
        self.next(|event| match event {
            Event::CallNotification { call, .. } => Some(call),
            _ => None,
        })
        .await
    }

    /// Extension `from` calls `to`, which answers: both ends.
    async fn talk(&mut self, from: usize, to: usize) -> (Call, Call) {
        let placed = self.call(from, &(100 + to).to_string());
        placed.dial().await.unwrap();
        let offered = self.offered().await;
        offered.answer().await.unwrap();
        placed.connected().await.unwrap();
        (placed, offered)
    }

    fn call(&self, from: usize, number: &str) -> Call {
        self.lines[from].create_call(number, MediaTypes::AUDIO).unwrap()
    }
}

async fn join(broker: &Broker, name: &str, privilege: Privilege) -> (Tapi, EventStream, Vec<Address>) {
    let msp = FakeMsp::new(Trace::default());
    let tapi = Tapi::connect(|sink| broker.connect(name, sink), Some(msp)).unwrap();
    let events = tapi.events(EventFilter::ALL);
    let lines = tapi.addresses().await.unwrap();
    for line in &lines {
        line.open(privilege, MediaTypes::AUDIO).await.unwrap();
    }
    (tapi, events, lines)
}

async fn next<T>(events: &mut EventStream, what: impl Fn(Event) -> Option<T>) -> T {
    let found = async {
        loop {
            let event = events.next().await.expect("the session goes on");
            if let Some(found) = what(event) {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("in time")
}

/// Waits until the call's line state is one of these.
async fn line_state(call: &Call, wanted: LineCallState) {
    let reached = call.wait(|status| status.line_state == Some(wanted));
    if tokio::time::timeout(PATIENCE, reached).await.is_err() {
        panic!("{:?} in place of {wanted:?}", call.status());
    }
}

async fn over(call: &Call) -> Option<DisconnectCause> {
    tokio::time::timeout(PATIENCE, call.disconnected()).await.expect("over").cause
}

#[tokio::test]
async fn a_call_is_held_and_taken_back_and_two_are_swapped() {
    let mut office = Office::new().await;
    let (first, held) = office.talk(0, 1).await;
    first.hold().await.unwrap();
    line_state(&first, LineCallState::OnHold).await;
    assert_eq!((first.state(), held.state()), (CallState::Hold, CallState::Connected));
    assert_eq!(first.hold().await, Err(TapiError::InvalidCallState), "twice");
    let (second, _other) = office.talk(0, 2).await;
    second.swap_hold(&first).await.unwrap();
    line_state(&second, LineCallState::OnHold).await;
    line_state(&first, support::CONNECTED).await;
    second.unhold().await.unwrap();
    line_state(&second, support::CONNECTED).await;
    let elsewhere = first.swap_hold(&held).await;
    assert_eq!(elsewhere, Err(LineError::InvalRelatedCall.into()), "of another address");
}

#[tokio::test]
async fn a_consultation_ends_in_a_transfer() {
    let mut office = Office::new().await;
    let (caller, here) = office.talk(1, 0).await;
    let consult = office.call(0, "102");
    assert_eq!(consult.streams().unwrap().len(), 2, "chosen before it is dialled");
    here.transfer(&consult).await.unwrap();
    line_state(&here, LineCallState::OnHoldPendingTransfer).await;
    let there = office.offered().await;
    there.answer().await.unwrap();
    consult.connected().await.unwrap();
    let (held, asked) = (here.info().await.unwrap(), consult.info().await.unwrap());
    assert_eq!(asked.related_call_id, held.call_id, "its own id, related to the call's");
    assert_ne!(asked.call_id, held.call_id);
    assert_eq!(here.finish(&consult, TransferMode::Transfer).await, Ok(None));
    assert_eq!(
        (over(&here).await, over(&consult).await),
        (Some(DisconnectCause::Normal), Some(DisconnectCause::Normal))
    );
    line_state(&caller, support::CONNECTED).await;
    let (one, two) = (caller.info().await.unwrap(), there.info().await.unwrap());
    assert_eq!((one.call_id, two.call_id), (held.call_id, held.call_id), "one call now");
    assert_eq!(two.reason, CallReason::Transfer);
    assert!(consult.transfer(&here).await.is_err(), "over");
}

#[tokio::test]
async fn a_call_is_transferred_blindly() {
    let mut office = Office::new().await;
    let (caller, here) = office.talk(1, 0).await;
    here.blind_transfer("102").await.unwrap();
    over(&here).await;
    let there = office.offered().await;
    assert_eq!(there.info().await.unwrap().reason, CallReason::Transfer);
    there.answer().await.unwrap();
    line_state(&caller, support::CONNECTED).await;
}

#[tokio::test]
async fn three_talk_and_one_leaves() {
    let mut office = Office::new().await;
    let (first, _other) = office.talk(0, 1).await;
    let consult = office.call(0, "102");
    let conference = first.setup_conference(&consult).await.unwrap();
    line_state(&first, LineCallState::Conferenced).await;
    line_state(&conference, LineCallState::OnHoldPendingConference).await;
    let third = office.offered().await;
    third.answer().await.unwrap();
    consult.connected().await.unwrap();
    conference.add_to_conference(&consult).await.unwrap();
    line_state(&consult, LineCallState::Conferenced).await;
    line_state(&conference, support::CONNECTED).await;
    let fourth = office.call(0, "5550002");
    conference.prepare_add(&fourth).await.unwrap();
    fourth.connected().await.unwrap();
    conference.add_to_conference(&fourth).await.unwrap();
    line_state(&fourth, LineCallState::Conferenced).await;
    consult.remove_from_conference().await.unwrap();
    line_state(&consult, LineCallState::OnHold).await;
    assert_eq!(conference.state(), CallState::Connected);
}

#[tokio::test]
async fn a_consultation_ends_in_a_conference() {
    let mut office = Office::new().await;
    let (_caller, here) = office.talk(1, 0).await;
    let consult = office.call(0, "5550002");
    here.transfer(&consult).await.unwrap();
    consult.connected().await.unwrap();
    let conference = here.finish(&consult, TransferMode::Conference).await.unwrap().expect("a conference");
    line_state(&conference, support::CONNECTED).await;
    line_state(&here, LineCallState::Conferenced).await;
    line_state(&consult, LineCallState::Conferenced).await;
}

#[tokio::test]
async fn a_call_is_parked_and_fetched() {
    let mut office = Office::new().await;
    let (caller, here) = office.talk(1, 0).await;
    let address = here.park_anywhere().await.unwrap();
    over(&here).await;
    let fetched = office.lines[2].unpark(&address).await.unwrap();
    fetched.connected().await.unwrap();
    line_state(&caller, support::CONNECTED).await;
    assert_eq!(fetched.info().await.unwrap().reason, CallReason::Unpark);
    assert_eq!(fetched.streams().unwrap().len(), 2);
    fetched.park("705").await.unwrap();
    over(&fetched).await;
    assert_eq!(office.switch.parked(), ["705"]);
    let nobody = office.lines[0].unpark("706").await;
    assert!(matches!(nobody, Err(TapiError::Line(_))), "{nobody:?}");
}

#[tokio::test]
async fn a_call_that_rings_elsewhere_is_picked_up() {
    let mut office = Office::new().await;
    let placed = office.call(0, "101");
    placed.dial().await.unwrap();
    let ringing = office.offered().await;
    let taken = office.lines[2].pickup(Some("101"), None).await.unwrap();
    taken.connected().await.unwrap();
    over(&ringing).await;
    placed.connected().await.unwrap();
    assert_eq!(taken.info().await.unwrap().reason, CallReason::Pickup);
    assert!(office.lines[3].pickup(None, None).await.is_err(), "nothing rings in the group any more");
}

#[tokio::test]
async fn calls_are_forwarded_as_long_as_it_is_wanted() {
    let mut office = Office::new().await;
    let away = [Forward { mode: ForwardMode::Unconditional, caller: None, destination: "102".to_owned() }];
    office.lines[1].forward(&away, None).await.unwrap();
    let placed = office.call(0, "101");
    placed.dial().await.unwrap();
    let offered = office.offered().await;
    assert_eq!(offered.address(), office.lines[2]);
    assert_eq!(offered.info().await.unwrap().reason, CallReason::ForwardedAlways);
    drop((placed, offered));
    office.lines[1].forward(&[], None).await.unwrap();
    let placed = office.call(0, "101");
    placed.dial().await.unwrap();
    assert_eq!(office.offered().await.address(), office.lines[1]);
}

/// All extensions but the first are busy with as many calls as they take.
async fn make_busy(office: &mut Office) -> Vec<Call> {
    let mut calls = Vec::new();
    for _ in 0..4 {
        let (one, two) = office.talk(2, 1).await;
        if calls.len() < 6 {
            two.hold().await.unwrap();
            one.wait(|status| status.line_state.is_some()).await;
        }
        calls.extend([one, two]);
    }
    calls
}

#[tokio::test]
async fn who_meets_a_busy_party_is_called_back_or_camps_on() {
    let mut office = Office::new().await;
    let mut busy = make_busy(&mut office).await;
    let placed = office.call(0, "101");
    assert_eq!(placed.connect().await, Err(TapiError::Disconnected(DisconnectCause::Busy)));
    assert!(placed.complete(CompletionMode::CampOn).await.is_err());
    let id = placed.complete(CompletionMode::CallBack).await.unwrap();
    office.lines[0].uncomplete_call(id).await.unwrap();
    assert!(office.lines[0].uncomplete_call(id).await.is_err(), "cancelled before");

    let placed = office.call(0, "101");
    assert_eq!(placed.connect().await, Err(TapiError::Disconnected(DisconnectCause::Busy)));
    let (waiting, _) = placed.camp_on().await.unwrap();
    assert_eq!((placed.state(), waiting.state()), (CallState::Disconnected, CallState::Idle));
    let (one, two) = (busy.remove(0), busy.remove(0));
    drop((one, two));
    let offered = office.offered().await;
    offered.answer().await.unwrap();
    waiting.connected().await.unwrap();
    assert_eq!(placed.state(), CallState::Disconnected, "what is over stays over");
}

#[tokio::test]
async fn a_verb_that_the_line_does_not_have_is_unavailable() {
    let mut config = ScriptedConfig::switch(4);
    config.features = config.features.without(CallFeatures::HOLD.union(CallFeatures::PICKUP));
    let mut office = Office::with(config).await;
    assert!(!office.lines[0].caps().features.contains(CallFeatures::HOLD));
    let (placed, _other) = office.talk(0, 1).await;
    assert_eq!(placed.hold().await, Err(LineError::OperationUnavail.into()));
    assert_eq!(placed.state(), CallState::Connected);
    let picked = office.lines[0].pickup(None, None).await;
    assert_eq!(picked.map(drop), Err(LineError::OperationUnavail.into()));
}

#[tokio::test]
async fn an_extension_is_spoken_once_its_version_is_agreed() {
    let mut office = Office::new().await;
    let line = office.lines[0].clone();
    let word = Opaque::new(&b"hello"[..]).unwrap();
    let unspoken = line.dev_specific(None, word.clone()).await;
    assert_eq!(unspoken, Err(LineError::IncompatibleExtVersion.into()));
    let old = ExtensionVersion(1);
    assert!(line.extension(old, old).await.is_err(), "a version that it does not have");
    let (id, version) = line.extension(old, ExtensionVersion(u32::MAX)).await.unwrap();
    assert_eq!((&id.0, version.0), (b"offhook scripted", 0x0001_0001));
    line.select_extension(version).await.unwrap();
    assert_eq!(line.dev_specific(None, word.clone()).await, Ok(word.clone()));
    let (data, about) = office
        .next(|event| match event {
            Event::DevSpecific { data, call, .. } => Some((data, call)),
            _ => None,
        })
        .await;
    assert_eq!((data, about), (word, None));
}

#[tokio::test]
async fn a_phone_is_read_set_and_listened_to() {
    let mut office = Office::new().await;
    let phone = office.tapi.phones().await.unwrap().remove(0);
    assert!(phone.caps().buttons > 0 && phone.caps().lamps > 0);
    assert_eq!(phone.status().await, Err(TapiError::NotOpen));
    phone.open(Privilege::Owner).await.unwrap();
    assert_eq!(phone.open(Privilege::Owner).await, Err(TapiError::AlreadyOpen));
    let other = office.tapi.phones().await.unwrap().remove(0);
    assert!(other.open(Privilege::Owner).await.is_err(), "one owner");
    other.open(Privilege::Monitor).await.unwrap();
    let lit = PhoneSetting::Lamp(0, LampMode::Flash);
    assert_eq!(other.set(lit.clone()).await, Err(TapiError::NotOwner));
    phone.set(lit.clone()).await.unwrap();
    assert_eq!(phone.status().await.unwrap().lamps[0], LampMode::Flash);
    let lifted = PhoneSetting::HookSwitch(HookSwitchDevice::Handset, HookSwitchMode::MicrophoneSpeaker);
    office.switch.user_sets(lifted.clone()).unwrap();
    office.switch.press(1, true).unwrap();
    let mut told = Vec::new();
    while told.len() < 3 {
        let (of, event) = office
            .next(|event| match event {
                Event::Phone { phone, event } => Some((phone, event)),
                _ => None,
            })
            .await;
        if of == other {
            told.push(event);
        }
    }
    let pressed = PhoneEvent::Button { button: 1, down: true };
    let wanted = [PhoneEvent::Changed(lit), PhoneEvent::Changed(lifted), pressed];
    assert_eq!(told, wanted.map(PhoneNotice::Reported));
    phone.close().await.unwrap();
    assert_eq!(phone.status().await, Err(TapiError::NotOpen));
    office.switch.unplug_phone(LineError::failed("unplugged"));
    office
        .next(|event| match event {
            Event::Phone { event: PhoneNotice::Closed(_), .. } => Some(()),
            _ => None,
        })
        .await;
    assert_eq!(other.status().await, Err(TapiError::NotOpen));
}

#[tokio::test]
async fn a_call_is_handed_to_another_application_and_both_see_who_owns_it() {
    let mut office = Office::new().await;
    let (_other, mut events, _lines) = join(&office.broker, "reception", Privilege::Owner).await;
    let (placed, offered) = office.talk(0, 1).await;
    assert_eq!(offered.privilege(), Privilege::Owner);
    let nobody = offered.handoff(HandoffTarget::Application("nobody".to_owned())).await;
    assert_eq!(nobody, Err(LineError::TargetNotFound.into()));
    let itself = offered.handoff(HandoffTarget::Application("office".to_owned())).await;
    assert_eq!(itself, Err(LineError::TargetSelf.into()));
    assert_eq!(
        offered.set_privilege(Privilege::Monitor).await,
        Err(TapiError::InvalidCallState),
        "the only owner"
    );
    offered.handoff(HandoffTarget::Media(MediaTypes::AUDIO)).await.unwrap();
    let received = next(&mut events, |event| match event {
        Event::CallNotification { call, privilege: Privilege::Owner } => Some(call),
        _ => None,
    })
    .await;
    assert_eq!((received.state(), received.streams().unwrap().len()), (CallState::Connected, 2));
    offered.set_privilege(Privilege::Monitor).await.unwrap();
    assert_eq!(offered.hold().await, Err(TapiError::NotOwner));
    let info = received.info().await.unwrap();
    assert_eq!((info.owners, info.monitors), (1, 1));
    received.hold().await.unwrap();
    line_state(&offered, LineCallState::OnHold).await;
    drop(received);
    over(&offered).await;
    over(&placed).await;
}

#[tokio::test]
async fn who_is_first_for_a_medium_is_offered_its_calls() {
    let mut office = Office::new().await;
    let (other, mut events, _lines) = join(&office.broker, "reception", Privilege::Owner).await;
    other.set_priority(MediaTypes::AUDIO, true).await.unwrap();
    office.switch.ring(1, "5551234").expect("wanted");
    let call = next(&mut events, |event| match event {
        Event::CallNotification { call, .. } => Some(call),
        _ => None,
    })
    .await;
    assert_eq!(call.privilege(), Privilege::Owner);
    drop(call);
    other.set_priority(MediaTypes::AUDIO, false).await.unwrap();
    office.switch.ring(1, "5551235").expect("wanted");
    let info = office.offered().await.info().await.unwrap();
    assert_eq!(info.caller.address, "5551235");
}

#[tokio::test]
async fn the_interface_version_is_agreed_or_refused() {
    let office = Office::new().await;
    let line = &office.lines[0];
    let new = ApiVersion::V3_1;
    assert_eq!(line.negotiate_version(ApiVersion::V3_0, new).await, Ok(new));
    assert_eq!(line.negotiate_version(ApiVersion::V3_0, ApiVersion::V3_0).await, Ok(ApiVersion::V3_0));
    for (lowest, highest) in [(1, 2), (0x0004_0000, 0x0005_0000)] {
        let refused = line.negotiate_version(ApiVersion(lowest), ApiVersion(highest)).await;
        assert_eq!(refused, Err(LineError::IncompatibleApiVersion.into()));
    }
}
