//! Hold, transfer, conference, park, pickup, forward and completion as an application asks for them: with a switch that
//! behaves, and with one that has nothing.

mod support;

use std::sync::Arc;

use offhook_broker::Broker;
use offhook_broker::scripted::{Scripted, ScriptedConfig, SwitchConfig};
use offhook_spi::{
    AppEvent, AppReply, AppRequest, CallFeatures, CompletionMode, ConnectedMode, DeviceId, Forward,
    ForwardMode, HCall, HLine, LineCallState as S, LineError, MediaTypes, ParkMode, Privilege, RequestId,
    TransferMode,
};
use support::puppet::Puppet;
use support::{CONNECTED, Client, call_of, house, to};

/// An application with one extension of the switch.
struct Desk {
    client: Client,
    line: HLine,
}

impl Desk {
    fn new(broker: &Broker, device: u32) -> Self {
        let client = Client::new(broker, &format!("desk {device}"));
        let (device, privilege, media) = (DeviceId(device), Privilege::Owner, MediaTypes::AUDIO);
        match client.ask(AppRequest::OpenLine { device, privilege, media }) {
            Ok(AppReply::Line(line)) => Self { client, line },
            other => panic!("{other:?}"),
        }
    }

    fn ask(&self, what: AppRequest) -> Result<AppReply, LineError> {
        let id = self.client.submit(what).unwrap();
        self.client.reply(id).expect("the switch moves by itself")
    }

    fn call(&self, what: AppRequest) -> HCall {
        call_of(Some(self.ask(what)))
    }

    fn dial(&self, number: &str) -> HCall {
        self.call(AppRequest::MakeCall { line: self.line, params: to(number) })
    }

    fn offered(&self) -> HCall {
        self.client.new_calls().last().unwrap().0
    }

    fn answer(&self) -> HCall {
        let call = self.offered();
        assert_eq!(self.ask(AppRequest::Answer { call }), Ok(AppReply::Done));
        call
    }

    fn state(&self, of: HCall) -> S {
        let states = self.client.events().into_iter().filter_map(|event| match event {
            AppEvent::CallState { call, state, .. } if call == of => Some(state),
            _ => None,
        });
        states.last().unwrap()
    }
}

fn desks<const N: usize>() -> (Arc<Scripted>, [Desk; N]) {
    let (broker, switch) = house(ScriptedConfig::switch(N as u32));
    (switch, std::array::from_fn(|n| Desk::new(&broker, n as u32)))
}

const BEING_HELD: S = S::Connected(ConnectedMode::ActiveHeld);

#[test]
fn hold_unhold_and_swap() {
    let (_switch, [a, b, c]) = desks();
    let first = a.dial("101");
    let at_b = b.answer();
    assert_eq!(a.ask(AppRequest::Unhold { call: first }), Err(LineError::InvalCallState));
    assert_eq!(a.ask(AppRequest::Hold { call: first }), Ok(AppReply::Done));
    assert_eq!((a.state(first), b.state(at_b)), (S::OnHold, BEING_HELD));
    assert_eq!(a.ask(AppRequest::Hold { call: first }), Err(LineError::InvalCallState));
    let second = a.dial("102");
    c.answer();
    assert_eq!(a.ask(AppRequest::SwapHold { active: second, held: first }), Ok(AppReply::Done));
    assert_eq!((a.state(first), a.state(second)), (CONNECTED, S::OnHold));
    assert_eq!(
        a.ask(AppRequest::SwapHold { active: second, held: first }),
        Err(LineError::InvalCallState),
        "the other way round now"
    );
    assert_eq!(a.ask(AppRequest::Hold { call: first }), Ok(AppReply::Done));
    assert_eq!(a.ask(AppRequest::Unhold { call: second }), Ok(AppReply::Done));
    assert_eq!((a.state(first), a.state(second)), (S::OnHold, CONNECTED));
}

#[test]
fn a_transfer_by_consultation() {
    let (_switch, [a, b, c]) = desks();
    let call = a.dial("101");
    let at_b = b.answer();
    let consult = a.call(AppRequest::SetupTransfer { call, params: None });
    assert_eq!((a.state(call), a.state(consult)), (S::OnHoldPendingTransfer, S::Dialtone));
    let dial =
        |digits: &str, complete| AppRequest::Dial { call: consult, digits: digits.to_owned(), complete };
    a.ask(dial("10", false)).unwrap();
    a.ask(dial("2", true)).unwrap();
    let at_c = c.answer();
    let mode = TransferMode::Transfer;
    assert_eq!(
        a.ask(AppRequest::CompleteTransfer { call: consult, consult: call, mode }),
        Err(LineError::InvalCallState),
        "the wrong way round"
    );
    assert_eq!(a.ask(AppRequest::CompleteTransfer { call, consult, mode }), Ok(AppReply::Done));
    assert_eq!((a.state(call), a.state(consult)), (S::Idle, S::Idle));
    assert_eq!((b.state(at_b), c.state(at_c)), (CONNECTED, CONNECTED));
    assert_eq!(
        b.ask(AppRequest::Drop { call: at_b, mode: offhook_spi::DisconnectMode::Normal }),
        Ok(AppReply::Done)
    );
    assert!(matches!(c.state(at_c), S::Disconnected(_)), "they talked with each other");
}

#[test]
fn a_blind_transfer() {
    let (_switch, [a, b, c]) = desks();
    let call = a.dial("101");
    b.answer();
    let destination = "102".to_owned();
    assert_eq!(a.ask(AppRequest::BlindTransfer { call, destination }), Ok(AppReply::Done));
    assert_eq!(a.state(call), S::Idle);
    let at_c = c.answer();
    assert_eq!(c.state(at_c), CONNECTED);
}

#[test]
fn a_consultation_that_becomes_a_conference() {
    let (_switch, [a, b, c]) = desks();
    let call = a.dial("101");
    b.answer();
    let consult = a.call(AppRequest::SetupTransfer { call, params: Some(to("102")) });
    c.answer();
    let mode = TransferMode::Conference;
    let conference = a.call(AppRequest::CompleteTransfer { call, consult, mode });
    assert_eq!(
        (a.state(conference), a.state(call), a.state(consult)),
        (CONNECTED, S::Conferenced, S::Conferenced)
    );
}

#[test]
fn a_conference_grows_and_shrinks() {
    let (_switch, [a, b, c, d]) = desks();
    let call = a.dial("101");
    b.answer();
    let asked = AppRequest::SetupConference { line: a.line, call: Some(call), params: Some(to("102")) };
    let Ok(AppReply::Conference { conference, consult }) = a.ask(asked) else { panic!("no conference") };
    assert_eq!((a.state(conference), a.state(call)), (S::OnHoldPendingConference, S::Conferenced));
    c.answer();
    assert_eq!(
        a.ask(AppRequest::AddToConference { conference, call: conference }),
        Err(LineError::InvalCallState),
        "not into itself"
    );
    a.ask(AppRequest::AddToConference { conference, call: consult }).unwrap();
    assert_eq!((a.state(conference), a.state(consult)), (CONNECTED, S::Conferenced));
    let third = a.call(AppRequest::PrepareAddToConference { conference, params: Some(to("103")) });
    assert_eq!(a.state(conference), S::OnHoldPendingConference);
    d.answer();
    a.ask(AppRequest::AddToConference { conference, call: third }).unwrap();
    assert_eq!(
        a.ask(AppRequest::RemoveFromConference { call: conference }),
        Err(LineError::InvalCallState),
        "a conference is no member of itself"
    );
    a.ask(AppRequest::RemoveFromConference { call: consult }).unwrap();
    assert_eq!((a.state(consult), a.state(third)), (S::OnHold, S::Conferenced));
    a.ask(AppRequest::Drop { call: conference, mode: offhook_spi::DisconnectMode::Normal }).unwrap();
    assert_eq!((a.state(conference), a.state(third)), (S::Idle, S::Idle));
}

#[test]
fn park_and_unpark() {
    let (_switch, [a, b, c]) = desks();
    let call = a.dial("101");
    b.answer();
    let Ok(AppReply::Address(address)) = a.ask(AppRequest::Park { call, mode: ParkMode::NonDirected }) else {
        panic!("no address")
    };
    assert_eq!(a.state(call), S::Idle);
    let fetched = c.call(AppRequest::Unpark { line: c.line, address: address.clone() });
    assert_eq!(c.state(fetched), CONNECTED);
    assert!(c.ask(AppRequest::Unpark { line: c.line, address }).is_err(), "nothing is there any more");
    assert_eq!(
        c.ask(AppRequest::Park { call: fetched, mode: ParkMode::Directed("705".to_owned()) }),
        Ok(AppReply::Done)
    );
    a.call(AppRequest::Unpark { line: a.line, address: "705".to_owned() });
}

#[test]
fn pickup_of_a_call_that_rings_elsewhere() {
    let (_switch, [a, b, c]) = desks();
    let call = a.dial("101");
    let ringing = b.offered();
    let address = Some("101".to_owned());
    let picked = c.call(AppRequest::Pickup { line: c.line, address, group: None });
    assert_eq!(c.state(picked), CONNECTED);
    assert_eq!(a.state(call), CONNECTED);
    assert!(matches!(b.state(ringing), S::Disconnected(_) | S::Idle));
}

#[test]
fn forwarding_of_a_line() {
    let (_switch, [a, b, c]) = desks();
    let forward = |instructions| AppRequest::Forward { line: b.line, instructions, no_answer_rings: None };
    let destination = "102".to_owned();
    let always = Forward { mode: ForwardMode::Unconditional, caller: None, destination };
    assert_eq!(b.ask(forward(vec![always])), Ok(AppReply::Done));
    a.dial("101");
    assert!(b.client.new_calls().is_empty());
    c.answer();
    assert_eq!(b.ask(forward(Vec::new())), Ok(AppReply::Done));
    a.dial("101");
    b.offered();
}

#[test]
fn a_busy_call_is_completed_later() {
    let rules = SwitchConfig { busy_at: 1, ..SwitchConfig::default() };
    let (broker, _switch) = house(ScriptedConfig { switch: Some(rules), ..ScriptedConfig::switch(3) });
    let [a, b, c] = [0, 1, 2].map(|device| Desk::new(&broker, device));
    b.dial("102");
    c.answer();
    let call = a.dial("101");
    assert_eq!(a.state(call), S::Busy);
    let mode = CompletionMode::CallBack;
    let Ok(AppReply::CompletionId(completion)) = a.ask(AppRequest::CompleteCall { call, mode }) else {
        panic!("no completion")
    };
    let cancel = AppRequest::UncompleteCall { line: a.line, completion };
    assert_eq!(a.ask(cancel.clone()), Ok(AppReply::Done));
    assert!(a.ask(cancel).is_err(), "it is gone");
}

/// Every verb with its capability, about calls in states that allow it.
fn every_verb(line: HLine, up: HCall, held: HCall) -> Vec<(CallFeatures, AppRequest)> {
    use CallFeatures as F;
    let text = || "102".to_owned();
    let mode = TransferMode::Transfer;
    vec![
        (F::DIAL, AppRequest::Dial { call: up, digits: "1".to_owned(), complete: true }),
        (
            F::GENERATE_DIGITS,
            AppRequest::GenerateDigits { call: up, mode: offhook_spi::DigitMode::Dtmf, digits: text() },
        ),
        (F::HOLD, AppRequest::Hold { call: up }),
        (F::UNHOLD, AppRequest::Unhold { call: held }),
        (F::SWAP_HOLD, AppRequest::SwapHold { active: up, held }),
        (F::SETUP_TRANSFER, AppRequest::SetupTransfer { call: up, params: None }),
        (F::COMPLETE_TRANSFER, AppRequest::CompleteTransfer { call: held, consult: up, mode }),
        (
            F::TRANSFER_TO_CONFERENCE,
            AppRequest::CompleteTransfer { call: held, consult: up, mode: TransferMode::Conference },
        ),
        (F::BLIND_TRANSFER, AppRequest::BlindTransfer { call: up, destination: text() }),
        (F::SETUP_CONFERENCE, AppRequest::SetupConference { line, call: None, params: None }),
        (F::PREPARE_ADD_TO_CONFERENCE, AppRequest::PrepareAddToConference { conference: up, params: None }),
        (F::ADD_TO_CONFERENCE, AppRequest::AddToConference { conference: held, call: up }),
        (F::PARK_DIRECTED, AppRequest::Park { call: up, mode: ParkMode::Directed(text()) }),
        (F::PARK_NONDIRECTED, AppRequest::Park { call: up, mode: ParkMode::NonDirected }),
        (F::UNPARK, AppRequest::Unpark { line, address: text() }),
        (F::PICKUP, AppRequest::Pickup { line, address: None, group: None }),
        (F::FORWARD, AppRequest::Forward { line, instructions: Vec::new(), no_answer_rings: None }),
        (F::COMPLETE_CALL, AppRequest::UncompleteCall { line, completion: 1 }),
    ]
}

fn scene(features: CallFeatures) -> (Broker, Arc<Puppet>, Client, HLine, HCall, HCall) {
    let puppet = Puppet::with(features);
    let broker = Broker::new();
    broker.add_provider(puppet.clone()).unwrap();
    let client = Client::new(&broker, "app");
    let line = client.open(Privilege::Owner, MediaTypes::AUDIO);
    puppet.announce(0, CONNECTED);
    puppet.announce(0, S::OnHold);
    let calls = client.new_calls();
    puppet.clear();
    (broker, puppet, client, line, calls[0].0, calls[1].0)
}

#[test]
fn a_verb_that_the_device_does_not_name_is_not_asked_for() {
    let all = CallFeatures::from_bits(u32::MAX);
    let count = every_verb(HLine(0), HCall(0), HCall(0)).len();
    for n in 0..count {
        let (_, _, client, line, up, held) = scene(all);
        let (feature, asked) = every_verb(line, up, held).swap_remove(n);
        let id = client.submit(asked.clone()).unwrap();
        assert_eq!(client.reply(id), None, "{asked:?} goes to a provider that has it");

        let (_, puppet, client, line, up, held) = scene(all.without(feature));
        let (_, asked) = every_verb(line, up, held).swap_remove(n);
        assert_eq!(client.ask(asked.clone()), Err(LineError::OperationUnavail), "{asked:?}");
        assert_eq!(puppet.log(), [] as [&str; 0], "{asked:?}: the provider is not asked");
    }
}

#[test]
fn placing_answering_and_dropping_is_what_every_device_has() {
    let (_, puppet, client, line, up, _) = scene(CallFeatures::NONE);
    puppet.announce(0, S::Offering);
    let call = client.new_calls().last().unwrap().0;
    puppet.clear();
    let user = AppRequest::SendUserUserInfo { call: up, data: vec![4, 1] };
    let proceed = AppRequest::Q931 { call, what: offhook_spi::Q931Verb::Proceed };
    let redirect = AppRequest::Redirect { call, destination: "102".to_owned() };
    for asked in [AppRequest::Accept { call }, redirect, user, proceed] {
        assert_eq!(client.ask(asked.clone()), Err(LineError::OperationUnavail), "{asked:?}");
    }
    client.submit(AppRequest::MakeCall { line, params: to("bob") }).unwrap();
    client.submit(AppRequest::Answer { call }).unwrap();
    client.submit(AppRequest::Drop { call: up, mode: offhook_spi::DisconnectMode::Normal }).unwrap();
    assert_eq!(puppet.log().len(), 3, "{:?}", puppet.log());
}

#[test]
fn only_an_owner_performs_them_and_only_on_its_own_calls() {
    let (broker, puppet, client, line, up, held) = scene(CallFeatures::from_bits(u32::MAX));
    let monitor = Client::new(&broker, "monitor");
    monitor.open(Privilege::Monitor, MediaTypes::AUDIO);
    puppet.announce(0, CONNECTED);
    puppet.announce(0, S::OnHold);
    let seen = monitor.new_calls();
    puppet.clear();
    for (_, asked) in every_verb(HLine(4711), seen[0].0, seen[1].0) {
        let expected = match asked {
            AppRequest::SetupConference { .. }
            | AppRequest::Unpark { .. }
            | AppRequest::Pickup { .. }
            | AppRequest::Forward { .. }
            | AppRequest::UncompleteCall { .. } => LineError::InvalLineHandle,
            _ => LineError::NotOwner,
        };
        assert_eq!(monitor.ask(asked.clone()), Err(expected), "{asked:?}");
    }
    for (_, asked) in every_verb(line, up, held).into_iter().take(6) {
        assert_eq!(
            monitor.ask(asked.clone()),
            Err(LineError::InvalCallHandle),
            "{asked:?}: of the other client"
        );
    }
    assert_eq!(puppet.log(), [] as [&str; 0]);
    drop(client);
}

#[test]
fn calls_that_do_not_belong_together_are_refused() {
    let all = CallFeatures::from_bits(u32::MAX);
    let (broker, puppet, client, _, up, held) = scene(all);
    let other = Puppet::with(all);
    broker.add_provider(other.clone()).unwrap();
    let open = |device| {
        let (privilege, media) = (Privilege::Owner, MediaTypes::AUDIO);
        client.ask(AppRequest::OpenLine { device: DeviceId(device), privilege, media }).unwrap();
    };
    // Device 1 is another line of the first provider, 2 a line of the second.
    open(1);
    open(2);
    puppet.announce(1, S::OnHold);
    other.announce(0, S::OnHold);
    let calls = client.new_calls();
    let (neighbour, stranger) = (calls[2].0, calls[3].0);
    let related = Err(LineError::InvalRelatedCall);
    let mode = TransferMode::Transfer;
    assert_eq!(client.ask(AppRequest::AddToConference { conference: held, call: held }), related);
    assert_eq!(client.ask(AppRequest::AddToConference { conference: neighbour, call: up }), related);
    assert_eq!(client.ask(AppRequest::SwapHold { active: up, held: stranger }), related);
    assert_eq!(client.ask(AppRequest::CompleteTransfer { call: stranger, consult: up, mode }), related);
    puppet.clear();
    client.submit(AppRequest::CompleteTransfer { call: neighbour, consult: up, mode }).unwrap();
    assert_eq!(puppet.log(), ["complete_transfer"], "another line of the same provider will do");
}

#[test]
fn a_request_about_two_calls_fails_once_with_either() {
    for which in [0, 1] {
        let (broker, puppet, client, _, up, held) = scene(CallFeatures::from_bits(u32::MAX));
        let id = client.submit(AppRequest::SwapHold { active: up, held }).unwrap();
        client.ask(AppRequest::Deallocate { call: [up, held][which] }).unwrap();
        assert!(matches!(client.replies(id).as_slice(), [Err(LineError::OperationFailed(_))]));
        puppet.complete(Ok(()));
        assert_eq!(client.replies(id).len(), 1);
        assert_eq!(broker.census().requests, 0);
    }
}

#[test]
fn a_completion_must_bring_what_was_asked_for() {
    let (_broker, puppet, client, _, up, _) = scene(CallFeatures::from_bits(u32::MAX));
    let failed = |id: RequestId| matches!(client.reply(id), Some(Err(LineError::OperationFailed(_))));
    let id = client.submit(AppRequest::Park { call: up, mode: ParkMode::NonDirected }).unwrap();
    puppet.complete(Ok(()));
    assert!(failed(id), "parked nowhere");
    let id = client.submit(AppRequest::Hold { call: up }).unwrap();
    let address = offhook_spi::Completion::Address("700".to_owned());
    puppet.events().async_answer(puppet.last_request(), Ok(address));
    assert_eq!(client.reply(id), Some(Ok(AppReply::Done)));
}

#[test]
fn media_that_the_line_has_not_are_refused_for_a_consultation_too() {
    let (_broker, puppet, client, line, up, _) = scene(CallFeatures::from_bits(u32::MAX));
    let none = offhook_spi::CallParams { media: MediaTypes::NONE, ..to("bob") };
    for asked in [
        AppRequest::SetupTransfer { call: up, params: Some(none.clone()) },
        AppRequest::SetupConference { line, call: Some(up), params: Some(none.clone()) },
        AppRequest::PrepareAddToConference { conference: up, params: Some(none) },
    ] {
        assert_eq!(client.ask(asked), Err(LineError::InvalMediaMode));
    }
    assert_eq!(puppet.log(), [] as [&str; 0]);
}

#[test]
fn closing_a_line_fails_what_is_outstanding_about_it() {
    let (broker, puppet, client, line, _, _) = scene(CallFeatures::from_bits(u32::MAX));
    let id = client
        .submit(AppRequest::Forward { line, instructions: Vec::new(), no_answer_rings: Some(3) })
        .unwrap();
    client.ask(AppRequest::CloseLine { line }).unwrap();
    assert!(matches!(client.reply(id), Some(Err(LineError::OperationFailed(_)))));
    puppet.complete(Ok(()));
    assert_eq!((client.replies(id).len(), broker.census().requests), (1, 0));
}
