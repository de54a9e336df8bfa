//! Calls between one client and one provider: who may do what when, and what is told in which order.

mod support;

use std::sync::{Arc, Mutex, OnceLock};

use offhook_broker::Broker;
use offhook_broker::scripted::{Drive, Scripted, ScriptedConfig, Step, Verb};
use offhook_spi::{
    ApiVersion, AppEvent, AppReply, AppRequest, AppSink, CallInfoChange, CallParams, DeviceId, DigitMode,
    DisconnectMode, HCall, LineCallState as S, LineError, Link, MediaTypes, Privilege, RequestId, Timestamp,
};
use support::{CONNECTED, Client, house, immediate, stepped};

fn incoming(client: &Client, switch: &Scripted) -> HCall {
    client.open(Privilege::Owner, MediaTypes::AUDIO);
    switch.ring(0, "alice").unwrap();
    switch.run();
    client.new_calls()[0].0
}

#[test]
fn a_placed_call_is_replied_to_first_and_reported_after() {
    let (broker, switch) = stepped();
    let client = Client::new(&broker, "app");
    let line = client.open(Privilege::None, MediaTypes::NONE);
    client.clear();
    let id = client.dial(line, "bob");
    assert!(client.events().is_empty(), "nothing before the completion");
    switch.run();
    let Some(Ok(AppReply::Call(call))) = client.reply(id) else { panic!("not placed") };
    assert_eq!(
        client.events()[0],
        AppEvent::Reply { request: id, result: Ok(AppReply::Call(call)) },
        "the reply is the first thing"
    );
    assert_eq!(client.states(), [S::Dialing, S::Proceeding, S::Ringback]);
}

#[test]
fn a_completion_inside_the_request_gives_the_same_events_in_the_same_order() {
    let trace = |drive| {
        let (broker, switch) = house(ScriptedConfig { drive, ..ScriptedConfig::default() });
        let client = Client::new(&broker, "app");
        let line = client.open(Privilege::None, MediaTypes::NONE);
        client.dial(line, "bob");
        switch.run();
        client.events()
    };
    assert_eq!(trace(Drive::Stepped), trace(Drive::Immediate));
}

#[test]
fn a_call_that_could_not_be_placed_leaves_nothing() {
    let (broker, switch) = stepped();
    let client = Client::new(&broker, "app");
    let line = client.open(Privilege::None, MediaTypes::NONE);
    switch.script_dial("nowhere", [Step::Fail(LineError::failed("no route"))]);
    let id = client.dial(line, "nowhere");
    switch.run();
    assert_eq!(client.reply(id), Some(Err(LineError::failed("no route"))));
    switch.refuse(Verb::MakeCall, Some(LineError::OperationUnavail));
    let id = client.dial(line, "bob");
    switch.run();
    assert_eq!(client.reply(id), Some(Err(LineError::OperationUnavail)));
    assert_eq!((broker.census().calls, broker.census().requests), (0, 0));
    assert!(!switch.log().contains(&"line_close_call".to_owned()), "failure invalidates without CloseCall");
}

#[test]
fn events_before_the_completion_are_dropped_and_counted() {
    let (broker, switch) = stepped();
    let client = Client::new(&broker, "app");
    let line = client.open_with_msp(Privilege::Owner);
    client.clear();
    client.dial(line, "bob");
    let hd = switch.calls()[0];
    let (events, ht, ht_line) =
        (switch.events().unwrap(), switch.handle_of(hd).unwrap(), switch.line(0).unwrap());
    events.call_state(ht_line, ht, S::Dialing, Timestamp(1));
    events.digit(ht_line, ht, '1', DigitMode::Dtmf, None);
    let refused = events.send_msp_data(ht_line, Some(ht), None, support::opaque(b"early"));
    assert_eq!(refused, Err(LineError::InvalCallHandle));
    assert!(client.events().is_empty());
    assert_eq!(broker.diagnostics().early_events, 3);
}

#[test]
fn a_call_that_arrives_is_announced_with_its_state_next() {
    let (broker, switch) = stepped();
    let client = Client::new(&broker, "app");
    let line = client.open(Privilege::Owner, MediaTypes::AUDIO);
    client.clear();
    switch.ring(0, "alice").unwrap();
    assert!(client.events().is_empty(), "no state, no announcement");
    switch.run();
    match client.events().as_slice() {
        [
            AppEvent::NewCall { line: on, call, privilege: Privilege::Owner, info },
            AppEvent::CallState { call: same, state: S::Offering, .. },
        ] => {
            assert_eq!((*on, call), (line, same));
            assert_eq!(info.caller.address, "alice");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_announced_call_says_nothing_before_its_first_state() {
    let (broker, switch) = stepped();
    let client = Client::new(&broker, "app");
    client.open_with_msp(Privilege::Owner);
    client.clear();
    let hd = switch.ring(0, "alice").unwrap();
    let (events, ht, line) =
        (switch.events().unwrap(), switch.handle_of(hd).unwrap(), switch.line(0).unwrap());
    events.call_info(line, ht, CallInfoChange::CallerId);
    let refused = events.send_msp_data(line, Some(ht), None, support::opaque(b"early"));
    assert_eq!(refused, Err(LineError::InvalCallState));
    assert!(client.events().is_empty());
}

#[test]
fn nobody_who_listens_is_back_pressure() {
    let (broker, switch) = stepped();
    assert_eq!(switch.ring(0, "alice"), None, "no line open");
    let client = Client::new(&broker, "app");
    let line = client.open(Privilege::None, MediaTypes::NONE);
    assert_eq!(switch.ring(0, "alice"), None, "a line without privilege");
    let events = switch.events().unwrap();
    assert_eq!(events.new_call(switch.line(0).unwrap(), offhook_spi::HdCall(99)), None);
    client.ask(AppRequest::CloseLine { line }).unwrap();
    client.open(Privilege::Owner, MediaTypes::AUDIO);
    assert!(switch.ring(0, "alice").is_some());
}

#[test]
fn a_full_line_is_back_pressure_and_no_call_is_without_its_offering() {
    let (broker, switch) =
        house(ScriptedConfig { max_active_calls: 10, drive: Drive::Immediate, ..ScriptedConfig::default() });
    let client = Client::new(&broker, "app");
    client.open(Privilege::Owner, MediaTypes::AUDIO);
    let taken = (0..10_000).filter(|n| switch.ring(0, &n.to_string()).is_some()).count();
    assert_eq!((taken, client.new_calls().len(), client.states().len()), (10, 10, 10));
    assert_eq!(broker.diagnostics().calls_refused, 9_990);
    switch.hang_up(switch.calls()[0], DisconnectMode::Normal);
    switch.then(switch.calls()[0], [Step::State(S::Idle)]);
    assert!(switch.ring(0, "one more").is_some(), "an idle call makes room");
}

#[test]
fn a_call_whose_media_nobody_wants_is_dropped() {
    let both = MediaTypes::AUDIO.union(MediaTypes::VIDEO);
    let (broker, switch) = house(ScriptedConfig { media: both, ..ScriptedConfig::default() });
    let client = Client::new(&broker, "app");
    client.open(Privilege::Owner, MediaTypes::AUDIO);
    assert_eq!(switch.ring_with(0, "alice", MediaTypes::VIDEO), None, "the provider knows that already");
    // One that announces all the same.
    let line = switch.line(0).unwrap();
    let events = switch.events().unwrap();
    client.open(Privilege::Owner, both);
    let hd = switch.ring_with(0, "alice", MediaTypes::VIDEO).unwrap();
    let ht = switch.handle_of(hd).unwrap();
    let last = client.events().iter().rev().find_map(|e| match e {
        AppEvent::Reply { result: Ok(AppReply::Line(line)), .. } => Some(*line),
        _ => None,
    });
    client.ask(AppRequest::CloseLine { line: last.unwrap() }).unwrap();
    events.call_state(line, ht, S::Offering, Timestamp(1));
    assert!(client.new_calls().is_empty());
    let log = switch.log();
    assert_eq!(log[log.len() - 2..], ["line_drop Unavail", "line_close_call"]);
    assert_eq!(broker.census().calls, 0);
}

#[test]
fn answer_needs_an_offered_or_accepted_call_and_accept_an_offered_one() {
    let (broker, switch) = stepped();
    let client = Client::new(&broker, "app");
    let call = incoming(&client, &switch);
    let accepted = client.submit(AppRequest::Accept { call }).unwrap();
    switch.run();
    assert_eq!(client.reply(accepted), Some(Ok(AppReply::Done)));
    assert_eq!(client.ask(AppRequest::Accept { call }), Err(LineError::InvalCallState));
    let answered = client.submit(AppRequest::Answer { call }).unwrap();
    assert_eq!(client.reply(answered), None, "the provider completes it");
    switch.run();
    assert_eq!(client.reply(answered), Some(Ok(AppReply::Done)));
    assert_eq!(client.states(), [S::Offering, S::Accepted, CONNECTED]);
    assert_eq!(client.ask(AppRequest::Answer { call }), Err(LineError::InvalCallState));
}

#[test]
fn drop_is_for_any_state_but_idle() {
    let (broker, switch) = stepped();
    let client = Client::new(&broker, "app");
    let call = incoming(&client, &switch);
    let drop = |mode| client.submit(AppRequest::Drop { call, mode }).unwrap();
    let id = drop(DisconnectMode::Reject);
    switch.run();
    assert_eq!(client.reply(id), Some(Ok(AppReply::Done)));
    assert_eq!(client.states(), [S::Offering, S::Idle]);
    let id = drop(DisconnectMode::Normal);
    assert_eq!(client.reply(id), Some(Err(LineError::InvalCallState)));
}

#[test]
fn a_call_never_leaves_idle_and_never_goes_back() {
    let (broker, switch) = stepped();
    let client = Client::new(&broker, "app");
    let line = client.open(Privilege::None, MediaTypes::NONE);
    let steps = [S::Dialing, S::Ringback, S::Proceeding, CONNECTED, S::Ringback, S::Idle, CONNECTED];
    switch.script_dial("bob", steps.map(Step::State));
    client.dial(line, "bob");
    switch.run();
    assert_eq!(client.states(), [S::Dialing, S::Ringback, CONNECTED, S::Idle]);
    assert_eq!(broker.diagnostics().illegal_states, 3);
}

#[test]
fn no_information_and_no_digit_after_idle() {
    let (broker, switch) = immediate();
    let client = Client::new(&broker, "app");
    incoming(&client, &switch);
    let hd = switch.calls()[0];
    switch.then(hd, [Step::Digit('5'), Step::Info(CallInfoChange::CallerId), Step::State(S::Idle)]);
    let before = client.events().len();
    switch.then(hd, [Step::Digit('6'), Step::Info(CallInfoChange::CallerId)]);
    assert_eq!(client.events().len(), before);
    let told = |f: fn(&AppEvent) -> bool| client.events().iter().filter(|e| f(e)).count();
    assert_eq!(told(|e| matches!(e, AppEvent::Digit { digit: '5', .. })), 1);
    assert_eq!(told(|e| matches!(e, AppEvent::CallInfo { .. })), 1);
}

#[test]
fn information_can_be_read_after_the_end_until_deallocation() {
    let (broker, switch) = immediate();
    let client = Client::new(&broker, "app");
    let call = incoming(&client, &switch);
    switch.hang_up(switch.calls()[0], DisconnectMode::Normal);
    let Ok(AppReply::CallInfo(info)) = client.ask(AppRequest::CallInfo { call }) else {
        panic!("unreadable")
    };
    assert_eq!(info.caller.address, "alice");
    client.ask(AppRequest::Deallocate { call }).unwrap();
    assert_eq!(client.ask(AppRequest::CallInfo { call }), Err(LineError::InvalCallHandle));
}

#[test]
fn the_sole_owners_deallocation_drops_and_closes_at_once() {
    let (broker, switch) = stepped();
    let client = Client::new(&broker, "app");
    let call = incoming(&client, &switch);
    let answer = client.submit(AppRequest::Answer { call }).unwrap();
    let done = client.submit(AppRequest::Deallocate { call }).unwrap();
    assert!(matches!(client.reply(answer), Some(Err(LineError::OperationFailed(_)))), "outstanding: failed");
    assert_eq!(client.reply(done), Some(Ok(AppReply::Done)));
    let log = switch.log();
    assert_eq!(log[log.len() - 2..], ["line_drop Reject", "line_close_call"]);
    switch.run();
    assert_eq!(client.replies(answer).len(), 1, "the provider's own completion changes nothing");
    assert_eq!(broker.census().requests, 0);
}

#[test]
fn an_idle_call_is_closed_without_a_drop() {
    let (broker, switch) = immediate();
    let client = Client::new(&broker, "app");
    let call = incoming(&client, &switch);
    client.ask(AppRequest::Drop { call, mode: DisconnectMode::Busy }).unwrap();
    client.ask(AppRequest::Deallocate { call }).unwrap();
    let log = switch.log();
    assert_eq!(log[log.len() - 2..], ["line_drop Busy", "line_close_call"]);
}

#[test]
fn what_is_no_handle_of_the_client_is_refused() {
    let (broker, switch) = immediate();
    let (client, other) = (Client::new(&broker, "app"), Client::new(&broker, "other"));
    let call = incoming(&client, &switch);
    assert_eq!(other.ask(AppRequest::Answer { call }), Err(LineError::InvalCallHandle));
    assert_eq!(other.ask(AppRequest::Deallocate { call }), Err(LineError::InvalCallHandle));
    let line = offhook_spi::HLine(4711);
    assert_eq!(other.ask(AppRequest::CloseLine { line }), Err(LineError::InvalLineHandle));
    let id = other.dial(line, "bob");
    assert_eq!(other.reply(id), Some(Err(LineError::InvalLineHandle)));
    let (device, privilege, media) = (DeviceId(7), Privilege::Owner, MediaTypes::AUDIO);
    assert_eq!(other.ask(AppRequest::OpenLine { device, privilege, media }), Err(LineError::BadDeviceId));
}

#[test]
fn media_that_the_line_has_not_are_refused() {
    let (broker, _switch) = immediate();
    let client = Client::new(&broker, "app");
    let open =
        |media| client.ask(AppRequest::OpenLine { device: DeviceId(0), privilege: Privilege::Owner, media });
    assert_eq!(open(MediaTypes::VIDEO), Err(LineError::InvalMediaMode));
    assert_eq!(open(MediaTypes::NONE), Err(LineError::InvalMediaMode));
    let line = client.open(Privilege::None, MediaTypes::NONE);
    for media in [MediaTypes::VIDEO, MediaTypes::NONE] {
        let params = CallParams { destination: "bob".to_owned(), media, ..CallParams::default() };
        assert_eq!(client.ask(AppRequest::MakeCall { line, params }), Err(LineError::InvalMediaMode));
    }
}

#[test]
fn digits_are_checked_before_they_leave() {
    let (broker, switch) = immediate();
    let client = Client::new(&broker, "app");
    let call = incoming(&client, &switch);
    let send = |digits: &str| {
        let (mode, digits) = (DigitMode::Dtmf, digits.to_owned());
        client.ask(AppRequest::GenerateDigits { call, mode, digits })
    };
    assert_eq!(send("0123456789*#ABCD!"), Ok(AppReply::Done));
    assert!(matches!(send("12x"), Err(LineError::InvalParam(_))));
    assert!(matches!(send(""), Err(LineError::InvalParam(_))));
}

#[test]
fn a_provider_of_another_time_is_not_taken_in() {
    let future = ApiVersion(0x0009_0000);
    let switch = Scripted::new(ScriptedConfig { versions: (future, future), ..ScriptedConfig::default() });
    assert_eq!(Broker::new().add_provider(switch.clone()), Err(LineError::IncompatibleApiVersion));
    assert!(switch.events().is_none(), "and was not started");
}

#[test]
fn devices_are_numbered_over_all_providers() {
    let broker = Broker::new();
    let two = || Scripted::new(ScriptedConfig { devices: 2, ..ScriptedConfig::default() });
    assert_eq!(broker.add_provider(two()), Ok(vec![DeviceId(0), DeviceId(1)]));
    assert_eq!(broker.add_provider(two()), Ok(vec![DeviceId(2), DeviceId(3)]));
    let client = Client::new(&broker, "app");
    let Ok(AppReply::Lines(lines)) = client.ask(AppRequest::Lines) else { panic!("no lines") };
    assert_eq!(lines.iter().map(|caps| caps.device.0).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(lines[3].line_name, "scripted line 1");
}

/// A sink that comes back into the broker from inside every event, as no sink should.
struct Reentrant {
    link: OnceLock<Arc<dyn Link>>,
    events: Mutex<Vec<AppEvent>>,
}

impl AppSink for Reentrant {
    fn deliver(&self, event: AppEvent) {
        let next = match &event {
            AppEvent::NewCall { call, .. } => Some((100, AppRequest::Accept { call: *call })),
            AppEvent::CallState { call, state: S::Accepted, .. } => {
                Some((101, AppRequest::Answer { call: *call }))
            }
            AppEvent::CallState { call, state: S::Connected(_), .. } => {
                Some((102, AppRequest::Drop { call: *call, mode: DisconnectMode::Normal }))
            }
            AppEvent::CallState { call, state: S::Idle, .. } => {
                Some((103, AppRequest::Deallocate { call: *call }))
            }
            _ => None,
        };
        self.events.lock().unwrap().push(event);
        if let Some((id, what)) = next {
            self.link.get().unwrap().submit(RequestId(id), what).unwrap();
        }
    }
}

#[test]
fn a_client_that_acts_from_inside_its_events_neither_hangs_nor_loses_their_order() {
    let (broker, switch) = immediate();
    let sink = Arc::new(Reentrant { link: OnceLock::new(), events: Mutex::default() });
    let link = broker.connect("re-entrant", sink.clone());
    sink.link.set(link.clone()).ok().unwrap();
    let open =
        AppRequest::OpenLine { device: DeviceId(0), privilege: Privilege::Owner, media: MediaTypes::AUDIO };
    link.submit(RequestId(1), open).unwrap();
    switch.ring(0, "alice").unwrap();
    let seen: Vec<String> = sink
        .events
        .lock()
        .unwrap()
        .iter()
        .map(|event| match event {
            AppEvent::Reply { request, result } => format!("reply {} {}", request.0, result.is_ok()),
            AppEvent::NewCall { .. } => "new call".to_owned(),
            AppEvent::CallState { state, .. } => format!("{state:?}"),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        seen,
        [
            "reply 1 true",
            "new call",
            "Offering",
            "reply 100 true",
            "Accepted",
            "reply 101 true",
            "Connected(Active)",
            "reply 102 true",
            "Idle",
            "reply 103 true"
        ]
    );
    assert_eq!(broker.census().calls, 0);
}
