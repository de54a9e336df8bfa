//! Several clients: privileges, who owns, who leaves, and what ends with whom.

mod support;

use std::sync::{Arc, Mutex};

use offhook_broker::Broker;
use offhook_broker::scripted::{Scripted, ScriptedConfig, Step, Verb};
use offhook_spi::{
    ApiVersion, AppEvent, AppReply, AppRequest, CallInfo, CallParams, DeviceId, DigitMode, DisconnectMode,
    HdCall, HdLine, HdMspLine, HtCall, HtLine, HtMspLine, LineCallState as S, LineDevCaps, LineDevState,
    LineError, LinkClosed, MediaTypes, Opaque, Privilege, RequestId, TspEvents, Tspi,
};
use support::{CONNECTED, Client, immediate, stepped};

#[test]
fn the_first_owner_by_opening_gets_the_call_and_every_monitor_sees_it() {
    let (broker, switch) = immediate();
    let clients = ["one", "two", "three", "four"].map(|name| Client::new(&broker, name));
    clients[0].open(Privilege::Monitor, MediaTypes::AUDIO);
    clients[1].open(Privilege::Owner, MediaTypes::AUDIO);
    clients[2].open(Privilege::Owner, MediaTypes::AUDIO);
    clients[3].open(Privilege::Monitor, MediaTypes::AUDIO);
    switch.ring(0, "alice").unwrap();
    let seen = clients.each_ref().map(|c| c.new_calls().first().map(|(_, privilege)| *privilege));
    assert_eq!(seen, [Some(Privilege::Monitor), Some(Privilege::Owner), None, Some(Privilege::Monitor)]);
}

#[test]
fn an_application_that_is_both_owner_and_monitor_has_one_handle() {
    let (broker, switch) = immediate();
    let client = Client::new(&broker, "both");
    client.open(Privilege::Monitor, MediaTypes::AUDIO);
    client.open(Privilege::Owner, MediaTypes::AUDIO);
    switch.ring(0, "alice").unwrap();
    assert_eq!(client.new_calls().len(), 1);
    assert_eq!(client.new_calls()[0].1, Privilege::Owner);
}

#[test]
fn a_monitor_sees_and_may_not_act() {
    let (broker, switch) = immediate();
    let (owner, monitor) = (Client::new(&broker, "owner"), Client::new(&broker, "monitor"));
    owner.open(Privilege::Owner, MediaTypes::AUDIO);
    monitor.open(Privilege::Monitor, MediaTypes::AUDIO);
    switch.ring(0, "alice").unwrap();
    let (call, mine) = (monitor.new_calls()[0].0, owner.new_calls()[0].0);
    assert_ne!(call, mine, "each client has its own handle");
    let (mode, digits) = (DigitMode::Dtmf, "1".to_owned());
    for what in [
        AppRequest::Accept { call },
        AppRequest::Answer { call },
        AppRequest::Drop { call, mode: DisconnectMode::Normal },
        AppRequest::GenerateDigits { call, mode, digits },
    ] {
        assert_eq!(monitor.ask(what), Err(LineError::NotOwner));
    }
    assert!(matches!(monitor.ask(AppRequest::CallInfo { call }), Ok(AppReply::CallInfo(_))));
    owner.ask(AppRequest::Answer { call: mine }).unwrap();
    assert_eq!(monitor.states(), owner.states());
}

#[test]
fn a_call_that_one_client_places_is_shown_to_the_monitors() {
    let (broker, switch) = stepped();
    let (caller, monitor) = (Client::new(&broker, "caller"), Client::new(&broker, "monitor"));
    monitor.open(Privilege::Monitor, MediaTypes::AUDIO);
    let line = caller.open(Privilege::None, MediaTypes::NONE);
    caller.dial(line, "bob");
    assert!(monitor.new_calls().is_empty());
    switch.run();
    assert!(matches!(&monitor.events()[1], AppEvent::NewCall { privilege: Privilege::Monitor, info, .. }
        if info.called.address == "bob"));
    assert_eq!(monitor.states(), caller.states());
    assert!(caller.new_calls().is_empty());
}

#[test]
fn a_client_that_dies_takes_its_call_with_it_and_leaves_the_others_alone() {
    let (broker, switch) = immediate();
    let mut owner = Client::new(&broker, "owner");
    let (monitor, other) = (Client::new(&broker, "monitor"), Client::new(&broker, "other"));
    let line = owner.open(Privilege::Owner, MediaTypes::AUDIO);
    let elsewhere = other.open(Privilege::None, MediaTypes::NONE);
    let kept = other.dial(elsewhere, "carol");
    monitor.open(Privilege::Monitor, MediaTypes::AUDIO);
    switch.ring(0, "alice").unwrap();
    let call = owner.new_calls()[0].0;
    owner.ask(AppRequest::Answer { call }).unwrap();
    owner.dial(line, "bob");
    let (before, kept_events) = (monitor.states().len(), other.events());
    owner.link = None;
    assert_eq!(monitor.states()[before..], [S::Idle, S::Idle], "both dropped, in the monitors' sight");
    assert_eq!(other.events(), kept_events);
    assert!(matches!(other.reply(kept), Some(Ok(AppReply::Call(_)))));
    assert_eq!(
        (broker.census().clients, broker.census().calls),
        (2, 3),
        "monitors still hold the dead calls"
    );
    for (call, _) in monitor.new_calls() {
        monitor.ask(AppRequest::Deallocate { call }).unwrap();
    }
    assert_eq!((broker.census().calls, broker.census().requests), (1, 0));
}

#[test]
fn a_client_that_dies_alone_leaves_nothing() {
    let (broker, switch) = stepped();
    let mut client = Client::new(&broker, "app");
    let line = client.open_with_msp(Privilege::Owner);
    switch.ring(0, "alice").unwrap();
    switch.run();
    client.dial(line, "bob");
    client.link = None;
    let log = switch.log();
    assert_eq!(
        log[log.len() - 6..],
        [
            "line_drop Normal",
            "line_close_call",
            "line_drop Reject",
            "line_close_call",
            "line_close_msp_instance",
            "line_close"
        ]
    );
    switch.run();
    assert_eq!(broker.census(), offhook_broker::Census::default());
    assert_eq!(switch.calls(), []);
}

#[test]
fn closing_a_line_fails_what_is_outstanding_on_it() {
    let (broker, _switch) = stepped();
    let client = Client::new(&broker, "app");
    let line = client.open(Privilege::Owner, MediaTypes::AUDIO);
    let placed = client.dial(line, "bob");
    assert_eq!(client.ask(AppRequest::CloseLine { line }), Ok(AppReply::Done));
    assert!(matches!(client.reply(placed), Some(Err(LineError::OperationFailed(_)))));
    assert_eq!(broker.census(), offhook_broker::Census { clients: 1, ..Default::default() });
}

#[test]
fn one_device_is_opened_once_for_all_and_told_what_anybody_wants() {
    let (broker, switch) = immediate();
    let (one, two) = (Client::new(&broker, "one"), Client::new(&broker, "two"));
    let a = one.open(Privilege::None, MediaTypes::NONE);
    let b = two.open(Privilege::Owner, MediaTypes::AUDIO);
    two.ask(AppRequest::CloseLine { line: b }).unwrap();
    one.ask(AppRequest::CloseLine { line: a }).unwrap();
    assert_eq!(
        switch.log(),
        [
            "line_open 0 version 3.1",
            "line_set_default_media_detection audio",
            "line_set_default_media_detection none",
            "line_close"
        ]
    );
}

#[test]
fn a_client_has_a_line_open_some_times_and_not_without_end() {
    let (broker, _switch) = immediate();
    let (greedy, other) = (Client::new(&broker, "greedy"), Client::new(&broker, "other"));
    let open = || AppRequest::OpenLine {
        device: DeviceId(0),
        privilege: Privilege::Owner,
        media: MediaTypes::AUDIO,
    };
    let lines: Vec<_> = (0..256).map(|_| greedy.ask(open()).expect("within the limit")).collect();
    assert!(matches!(greedy.ask(open()), Err(LineError::ResourceUnavail(_))));
    assert!(other.ask(open()).is_ok(), "each client by itself");
    let Some(AppReply::Line(line)) = lines.first() else { panic!("{lines:?}") };
    greedy.ask(AppRequest::CloseLine { line: *line }).unwrap();
    assert!(greedy.ask(open()).is_ok(), "as many as were closed");
}

#[test]
fn a_line_that_its_provider_closes_is_void_with_everything_on_it_and_can_be_opened_anew() {
    let (broker, switch) = stepped();
    let client = Client::new(&broker, "app");
    let line = client.open_with_msp(Privilege::Owner);
    switch.ring(0, "alice").unwrap();
    switch.run();
    let call = client.new_calls()[0].0;
    let answer = client.submit(AppRequest::Answer { call }).unwrap();
    let why = LineError::ResourceUnavail("unplugged".to_owned());
    switch.close_line(0, why.clone());
    assert!(matches!(client.reply(answer), Some(Err(LineError::OperationFailed(_)))));
    assert_eq!(client.events().last(), Some(&AppEvent::LineClosed { line, why }));
    assert_eq!(client.ask(AppRequest::Deallocate { call }), Err(LineError::InvalCallHandle));
    assert_eq!(broker.census(), offhook_broker::Census { clients: 1, ..Default::default() });
    switch.run();
    client.open_with_msp(Privilege::Owner);
    assert!(switch.ring(0, "alice").is_some());
}

#[test]
fn every_client_of_a_line_is_told_whether_it_is_in_service_and_so_is_who_comes_later() {
    let (broker, switch) = stepped();
    let [first, second] = ["first", "second"].map(|name| Client::new(&broker, name));
    let out = LineDevState::OutOfService { why: "no gatekeeper answers".to_owned() };
    switch.service(0, out.clone());
    let line = first.open_with_msp(Privilege::Owner);
    let told = |client: &Client| {
        let states = client.events().into_iter().filter(|e| matches!(e, AppEvent::LineDevState { .. }));
        states.collect::<Vec<_>>()
    };
    assert_eq!(told(&first), [], "nothing was said of the open line yet");
    switch.service(0, out.clone());
    assert_eq!(told(&first), [AppEvent::LineDevState { line, state: out }]);
    let within = LineDevState::InService { with: "gk".to_owned() };
    switch.service(0, within.clone());
    assert_eq!(told(&first).last(), Some(&AppEvent::LineDevState { line, state: within.clone() }));
    let line = second.open_with_msp(Privilege::Monitor);
    assert_eq!(told(&second), [AppEvent::LineDevState { line, state: within }]);
}

#[test]
fn shutdown_releases_every_call_and_tells_everyone() {
    let (broker, switch) = stepped();
    let client = Client::new(&broker, "app");
    let line = client.open_with_msp(Privilege::Owner);
    switch.ring(0, "alice").unwrap();
    switch.run();
    let placed = client.dial(line, "bob");
    broker.shutdown();
    assert!(matches!(client.reply(placed), Some(Err(_))));
    let told = AppEvent::LineClosed { line, why: LineError::NoDriver };
    assert_eq!(client.events().last(), Some(&told));
    assert_eq!(client.submit(AppRequest::Lines), Err(LinkClosed));
    let log = switch.log();
    assert_eq!(log.iter().filter(|line| *line == "line_close_call").count(), 2);
    assert_eq!(log.last().map(String::as_str), Some("provider_shutdown"));
    assert_eq!(broker.census(), offhook_broker::Census::default());
    broker.shutdown();
    let provider = Scripted::new(ScriptedConfig::default());
    assert_eq!(broker.add_provider(provider), Err(LineError::NoDriver));
    assert_eq!(Client::new(&broker, "late").submit(AppRequest::Lines), Err(LinkClosed));
}

#[test]
fn the_last_link_gone_after_the_last_broker_ends_the_providers() {
    let (broker, switch) = stepped();
    let client = Client::new(&broker, "app");
    drop(broker);
    client.open(Privilege::Owner, MediaTypes::AUDIO);
    assert!(!switch.log().contains(&"provider_shutdown".to_owned()));
    drop(client);
    assert_eq!(switch.log().last().map(String::as_str), Some("provider_shutdown"));
}

/// Run from inside `line_make_call`, before it returns.
struct Hook(Box<dyn FnOnce(&Scripted) + Send>);

/// A provider that obeys its tester in what happens inside `line_make_call`.
struct Bent {
    inner: Arc<Scripted>,
    hook: Mutex<Option<Hook>>,
}

impl Tspi for Bent {
    fn line_negotiate_version(&self, d: u32, l: ApiVersion, h: ApiVersion) -> Result<ApiVersion, LineError> {
        self.inner.line_negotiate_version(d, l, h)
    }
    fn provider_init(&self, events: Arc<dyn TspEvents>) -> Result<(), LineError> {
        self.inner.provider_init(events)
    }
    fn provider_shutdown(&self) {
        self.inner.provider_shutdown();
    }
    fn line_devices(&self) -> u32 {
        1
    }
    fn line_dev_caps(&self, device: u32) -> Result<LineDevCaps, LineError> {
        self.inner.line_dev_caps(device)
    }
    fn line_open(&self, device: u32, line: HtLine, version: ApiVersion) -> Result<HdLine, LineError> {
        self.inner.line_open(device, line, version)
    }
    fn line_close(&self, line: HdLine) -> Result<(), LineError> {
        self.inner.line_close(line)
    }
    fn line_set_default_media_detection(&self, line: HdLine, media: MediaTypes) -> Result<(), LineError> {
        self.inner.line_set_default_media_detection(line, media)
    }
    fn line_make_call(
        &self,
        r: RequestId,
        l: HdLine,
        c: HtCall,
        p: &CallParams,
    ) -> Result<HdCall, LineError> {
        let made = self.inner.line_make_call(r, l, c, p);
        let hook = self.hook.lock().unwrap().take();
        if let Some(Hook(hook)) = hook {
            hook(&self.inner);
        }
        made
    }
    fn line_accept(&self, r: RequestId, c: HdCall) -> Result<(), LineError> {
        self.inner.line_accept(r, c)
    }
    fn line_answer(&self, r: RequestId, c: HdCall) -> Result<(), LineError> {
        self.inner.line_answer(r, c)
    }
    fn line_drop(&self, r: RequestId, c: HdCall, m: DisconnectMode) -> Result<(), LineError> {
        self.inner.line_drop(r, c, m)
    }
    fn line_close_call(&self, c: HdCall) -> Result<(), LineError> {
        self.inner.line_close_call(c)
    }
    fn line_call_info(&self, c: HdCall) -> Result<CallInfo, LineError> {
        self.inner.line_call_info(c)
    }
    fn line_generate_digits(&self, r: RequestId, c: HdCall, m: DigitMode, d: &str) -> Result<(), LineError> {
        self.inner.line_generate_digits(r, c, m, d)
    }
    fn line_create_msp_instance(&self, l: HdLine, a: u32, m: HtMspLine) -> Result<HdMspLine, LineError> {
        self.inner.line_create_msp_instance(l, a, m)
    }
    fn line_close_msp_instance(&self, m: HdMspLine) -> Result<(), LineError> {
        self.inner.line_close_msp_instance(m)
    }
    fn line_receive_msp_data(
        &self,
        l: HdLine,
        c: Option<HdCall>,
        m: HdMspLine,
        d: Opaque,
    ) -> Result<(), LineError> {
        self.inner.line_receive_msp_data(l, c, m, d)
    }
}

fn bent() -> (Broker, Arc<Bent>) {
    let inner = Scripted::new(ScriptedConfig::default());
    let bent = Arc::new(Bent { inner, hook: Mutex::default() });
    let broker = Broker::new();
    broker.add_provider(bent.clone()).unwrap();
    (broker, bent)
}

#[test]
fn a_provider_that_cannot_listen_fails_the_opening_and_nothing_stays_open() {
    let (broker, switch) = stepped();
    let client = Client::new(&broker, "app");
    let open = |privilege| {
        client.ask(AppRequest::OpenLine { device: DeviceId(0), privilege, media: MediaTypes::AUDIO })
    };
    let taken = LineError::ResourceUnavail("port 1720 is taken".to_owned());
    switch.refuse(Verb::Listen, Some(taken.clone()));
    assert_eq!(open(Privilege::Owner), Err(taken.clone()));
    assert_eq!(broker.census().lines, 0);
    assert_eq!(switch.log().last().map(String::as_str), Some("line_close"));
    let Ok(AppReply::Line(_)) = open(Privilege::None) else { panic!("calling out needs no port") };
    assert_eq!(open(Privilege::Owner), Err(taken));
    assert_eq!(broker.census().lines, 1);
}

#[test]
fn what_a_provider_reports_between_completion_and_return_follows_the_reply() {
    let (broker, bent) = bent();
    let client = Client::new(&broker, "app");
    let line = client.open_with_msp(Privilege::Owner);
    client.clear();
    let buffer = support::opaque(b"prepare");
    let steps = [Step::Complete, Step::State(S::Dialing), Step::Send(buffer.clone()), Step::State(CONNECTED)];
    bent.inner.script_dial("bob", steps);
    let seen = Arc::new(Mutex::new(None));
    let (look, events) = (seen.clone(), client.events());
    *bent.hook.lock().unwrap() = Some(Hook(Box::new(move |switch: &Scripted| {
        switch.run();
        *look.lock().unwrap() = Some(events.len());
    })));
    let id = client.dial(line, "bob");
    assert_eq!(*seen.lock().unwrap(), Some(0));
    match client.events().as_slice() {
        [
            AppEvent::Reply { request, result: Ok(AppReply::Call(call)) },
            AppEvent::CallState { state: S::Dialing, .. },
            AppEvent::MspData { call: Some(same), data, .. },
            AppEvent::CallState { state: S::Connected(_), .. },
        ] => assert_eq!((*request, call, data), (id, same, &buffer)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_client_that_leaves_while_its_call_is_being_placed_leaves_no_call_behind() {
    let (broker, bent) = bent();
    let client = Client::new(&broker, "app");
    let line = client.open(Privilege::None, MediaTypes::NONE);
    let other = Client::new(&broker, "other");
    other.open(Privilege::None, MediaTypes::NONE);
    let link = client.link.clone().unwrap();
    *bent.hook.lock().unwrap() = Some(Hook(Box::new(move |_: &Scripted| {
        link.submit(RequestId(77), AppRequest::CloseLine { line }).unwrap();
    })));
    let id = client.dial(line, "bob");
    assert!(matches!(client.reply(id), Some(Err(LineError::OperationFailed(_)))));
    bent.inner.run();
    assert_eq!((broker.census().calls, broker.census().requests), (0, 0));
    assert_eq!(bent.inner.calls(), []);
}
