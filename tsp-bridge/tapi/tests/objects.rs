//! What each object promises: addresses, calls, terminals, filters, and the end of all of them.

mod support;

use std::time::Duration;

use offhook_broker::scripted::{ScriptedConfig, Step, Verb};
use offhook_spi::{
    CallInfoChange, DisconnectMode, LineCallState as S, LineDevState, LineError, MediaTypes, MspError,
    MspEvent, Privilege,
};
use offhook_tapi::{
    AddressEvent, CallState, Direction, DisconnectCause, DisconnectCode, Event, EventFilter, Tapi, TapiError,
    TerminalClass,
};
use support::{App, CONNECTED, FakeMsp, House, opaque};

async fn ringing() -> (House, App, offhook_tapi::Call) {
    let house = House::new();
    let mut app = house.app("app", Privilege::Owner).await;
    house.ring(&mut [&mut app]).await;
    let call = app.calls.pop().unwrap();
    (house, app, call)
}

#[tokio::test]
async fn nothing_is_delivered_before_a_filter_is_set_and_a_call_that_nobody_hears_of_is_rejected() {
    let house = House::new();
    let tapi = Tapi::connect(|sink| house.broker.connect("deaf", sink), None).unwrap();
    let address = tapi.addresses().await.unwrap().remove(0);
    address.open(Privilege::Owner, MediaTypes::AUDIO).await.unwrap();
    house.switch.ring(0, "alice").unwrap();
    house.switch.run();
    tapi.settled().await.unwrap();
    assert!(house.trace.has("tsp  line_drop Reject"));
    assert_eq!(house.broker.census().calls, 0);
    let mut late = tapi.events(EventFilter::ALL);
    tapi.settled().await.unwrap();
    assert!(late.try_next().is_none(), "what was before the filter is not delivered after it");
}

#[tokio::test]
async fn a_filter_lets_through_what_it_names_and_of_one_call_if_it_says_so() {
    let (house, mut app, call) = ringing().await;
    let mut digits = app.tapi.events(EventFilter::DIGIT | EventFilter::CALL_INFO_CHANGE);
    let mut of_call = app.tapi.events(EventFilter::ALL.only(&call));
    let first = house.last_call();
    house.ring(&mut [&mut app]).await;
    for hd in [first, house.last_call()] {
        house
            .switch
            .then(hd, [Step::Digit('5'), Step::Info(CallInfoChange::CallerId), Step::State(CONNECTED)]);
    }
    house.advance(&mut [&mut app]).await;
    let mut kinds = Vec::new();
    while let Some(event) = digits.try_next() {
        kinds.push(matches!(event, Event::Digit { digit: '5', .. }));
    }
    assert_eq!(kinds, [true, false, true, false]);
    let mut seen = 0;
    while let Some(event) = of_call.try_next() {
        let (Event::CallState { call: of, .. }
        | Event::Digit { call: of, .. }
        | Event::CallInfoChange { call: of, .. }) = event
        else {
            panic!("{event:?}")
        };
        assert_eq!(of, call);
        seen += 1;
    }
    assert_eq!(seen, 3);
}

#[tokio::test]
async fn connect_is_for_idle_calls_and_once() {
    let (house, mut app, incoming) = ringing().await;
    assert_eq!(incoming.connect().await, Err(TapiError::InvalidCallState));
    let call = app.address.create_call("bob", MediaTypes::AUDIO).unwrap();
    assert_eq!(call.state(), CallState::Idle);
    assert_eq!(call.info().await.unwrap().called.address, "bob");
    call.set_display("Alice").unwrap();
    let dialling = call.clone();
    house.during(&mut [&mut app], "dial", async move { dialling.dial().await }).await.unwrap();
    assert_eq!(call.state(), CallState::InProgress);
    assert_eq!(call.dial().await, Err(TapiError::InvalidCallState));
    assert_eq!(call.set_display("Bob"), Err(TapiError::InvalidCallState));
    assert_eq!(call.info().await.unwrap().caller.name.as_deref(), Some("Alice"));
}

#[tokio::test]
async fn answer_is_for_offered_calls() {
    let (house, mut app, call) = ringing().await;
    let idle = app.address.create_call("bob", MediaTypes::AUDIO).unwrap();
    assert_eq!(idle.answer().await, Err(TapiError::Unexpected));
    let answering = call.clone();
    house.during(&mut [&mut app], "answer", async move { answering.answer().await }).await.unwrap();
    assert_eq!(call.answer().await, Err(TapiError::Unexpected));
}

#[tokio::test]
async fn disconnecting_a_call_that_was_not_dialled_does_nothing() {
    let house = House::new();
    let app = house.app("app", Privilege::None).await;
    let call = app.address.create_call("bob", MediaTypes::AUDIO).unwrap();
    assert_eq!(call.disconnect(DisconnectCode::Normal).await, Ok(()));
    assert_eq!(call.state(), CallState::Idle);
    assert!(!house.trace.lines().iter().any(|line| line.contains("line_drop")));
}

#[tokio::test]
async fn disconnecting_a_call_that_is_being_dialled_takes_effect_with_the_reply() {
    let house = House::new();
    let mut app = house.app("app", Privilege::None).await;
    let call = app.address.create_call("bob", MediaTypes::AUDIO).unwrap();
    let (dialling, ending) = (call.clone(), call.clone());
    let dial = tokio::spawn(async move { dialling.dial().await });
    let end = tokio::spawn(async move { ending.disconnect(DisconnectCode::Normal).await });
    house.settle(&mut [&mut app]).await;
    assert!(!house.trace.has("tsp  line_drop Normal"), "the provider does not know the call yet");
    house.advance(&mut [&mut app]).await;
    assert_eq!((dial.await.unwrap(), end.await.unwrap()), (Ok(()), Ok(())));
    assert!(house.trace.has("tsp  line_drop Normal"));
    assert_eq!(call.state(), CallState::Disconnected);
}

#[tokio::test]
async fn a_call_released_while_it_is_being_dialled_is_dropped_when_the_provider_knows_it() {
    let house = House::new();
    let mut app = house.app("app", Privilege::None).await;
    let call = app.address.create_call("bob", MediaTypes::AUDIO).unwrap();
    let dialling = call.clone();
    let dial = tokio::spawn(async move { dialling.connect().await });
    house.settle(&mut [&mut app]).await;
    call.release().await;
    assert_eq!(call.info().await, Err(TapiError::Released));
    house.advance(&mut [&mut app]).await;
    assert!(house.trace.has("tsp  line_drop Normal") && house.trace.has("tsp  line_close_call"));
    assert_eq!(dial.await.unwrap(), Err(TapiError::Disconnected(DisconnectCause::Normal)));
    assert_eq!(house.broker.census().calls, 0);
}

#[tokio::test]
async fn the_synchronous_forms_wait_two_minutes() {
    let house = House::new();
    house.switch.script(Verb::Answer, [Step::State(S::Accepted), Step::Complete]);
    let app = house.app("app", Privilege::None).await;
    let call = app.address.create_call("bob", MediaTypes::AUDIO).unwrap();
    // From here on time passes as soon as nothing else happens; the switch stands still.
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    assert_eq!(call.connect().await, Err(TapiError::Timeout));
    assert!(before.elapsed().abs_diff(Duration::from_secs(120)) < Duration::from_secs(1));
    tokio::time::resume();
    house.switch.run();
    app.tapi.settled().await.unwrap();
    assert_eq!(call.state(), CallState::InProgress, "the call goes on");
    assert_eq!(call.address(), app.address);
}

#[tokio::test]
async fn the_last_handle_dropped_releases_the_call_and_an_event_unread_does_not_hold_it() {
    let (house, app, call) = ringing().await;
    let mut unread = app.tapi.events(EventFilter::CALL_STATE);
    house.switch.then(house.last_call(), [Step::State(S::Accepted)]);
    house.switch.run();
    app.tapi.settled().await.unwrap();
    drop(call);
    app.tapi.settled().await.unwrap();
    assert!(house.trace.has("tsp  line_close_call") && house.trace.has("msp  shutdown_msp_call"));
    assert!(unread.try_next().is_none(), "an event whose call is gone is passed over");
}

#[tokio::test]
async fn everything_ends_with_the_last_object_of_the_session() {
    let (house, app, call) = ringing().await;
    let App { tapi, address, mut events, .. } = app;
    drop((tapi, address));
    assert_eq!(house.broker.census().clients, 1, "a call is an object of the session");
    drop(call);
    assert!(events.next().await.is_none(), "the stream ends");
    for _ in 0..100 {
        if house.broker.census().clients == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(house.broker.census(), offhook_broker::Census::default());
}

#[tokio::test]
async fn close_waits_until_all_is_released() {
    let (house, app, call) = ringing().await;
    app.tapi.clone().close().await;
    assert_eq!(house.broker.census(), offhook_broker::Census::default());
    assert!(house.trace.has("msp  shutdown_msp_call"));
    assert_eq!(call.state(), CallState::Disconnected);
    assert_eq!(call.answer().await, Err(TapiError::Unexpected));
    assert_eq!(app.tapi.addresses().await.unwrap_err(), TapiError::BrokerGone);
    assert_eq!(app.tapi.settled().await, Err(TapiError::BrokerGone));
    call.release().await;
}

#[tokio::test]
async fn information_lasts_from_the_offer_to_the_release() {
    let (house, mut app, call) = ringing().await;
    house.hang_up(&mut [&mut app], house.last_call(), DisconnectMode::Unreachable).await;
    let status = call.disconnected().await;
    assert_eq!(status.cause, Some(DisconnectCause::Failed));
    assert_eq!(status.line_state, Some(S::Disconnected(DisconnectMode::Unreachable)));
    assert_eq!(call.info().await.unwrap().caller.address, "alice");
    assert_eq!(call.streams().unwrap()[1].statistics().unwrap().packets, 7);
    let stream = call.streams().unwrap().remove(1);
    call.release().await;
    assert_eq!(call.info().await, Err(TapiError::Released));
    assert_eq!(stream.statistics(), Err(TapiError::Msp(MspError::InvalidStream)));
}

#[tokio::test]
async fn disconnected_comes_once_whatever_follows() {
    let (house, mut app, call) = ringing().await;
    house.hang_up(&mut [&mut app], house.last_call(), DisconnectMode::Normal).await;
    house.switch.then(house.last_call(), [Step::State(S::Idle)]);
    house.advance(&mut [&mut app]).await;
    assert_eq!(call.status().line_state, Some(S::Idle));
    let told = house.trace.lines().iter().filter(|line| line.contains("CallState Disconnected")).count();
    assert_eq!(told, 1);
    assert_eq!(call.disconnect(DisconnectCode::Normal).await, Ok(()), "it is over");
}

#[tokio::test]
async fn a_terminal_lives_as_long_as_a_handle_or_a_selection() {
    let house = House::new();
    let app = house.app("app", Privilege::None).await;
    let make = || {
        let class = TerminalClass::FileRecord { path: "x.wav".into() };
        app.address.create_terminal(class, Direction::Render).unwrap()
    };
    let terminals = || app.msp_address().state.lock().unwrap().terminals.len();
    drop(make());
    assert_eq!(terminals(), 0);
    let call = app.address.create_call("bob", MediaTypes::AUDIO).unwrap();
    let stream = call.streams().unwrap().remove(1);
    let terminal = make();
    stream.select_terminal(&terminal).unwrap();
    assert_eq!(stream.terminals(), std::slice::from_ref(&terminal));
    drop(terminal);
    assert_eq!(terminals(), 1, "selected");
    call.release().await;
    assert_eq!(terminals(), 0);
    let terminal = make();
    assert_eq!(terminal.status().unwrap().samples, 80);
    terminal.release().unwrap();
    assert_eq!(terminals(), 0);
    assert!(terminal.status().is_err());
    assert_eq!(terminal.release(), Ok(()), "once is enough");
    let card = app.address.static_terminals().unwrap().remove(0);
    assert_eq!(card, app.address.static_terminals().unwrap().remove(0), "one object for one card");
    assert_eq!(card.release(), Ok(()));
}

#[tokio::test]
async fn a_sound_card_that_comes_or_goes_is_an_event_of_the_address() {
    let house = House::new();
    let mut app = house.app("app", Privilege::None).await;
    let card = app.address.static_terminals().unwrap().remove(0);
    let info = offhook_spi::MspAddress::static_terminals(&*app.msp_address()).remove(0);
    app.msp_address().report(MspEvent::Address { terminal: info, available: false });
    app.tapi.settled().await.unwrap();
    match app.events.try_next() {
        Some(Event::Address { address, event: AddressEvent::TerminalUnavailable(gone) }) => {
            assert_eq!((address, gone), (app.address.clone(), card));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_line_that_falls_out_of_service_is_one_event_of_the_address() {
    let house = House::new();
    let mut app = house.app("app", Privilege::Owner).await;
    assert_eq!(app.address.service(), None);
    let state = LineDevState::OutOfService { why: "unplugged".to_owned() };
    house.switch.service(0, state.clone());
    app.tapi.settled().await.unwrap();
    match app.events.try_next() {
        Some(Event::Address { address, event: AddressEvent::Service(said) }) => {
            assert_eq!((address, &said), (app.address.clone(), &state));
        }
        other => panic!("{other:?}"),
    }
    assert!(app.events.try_next().is_none(), "the address has two lines open, and one state");
    assert_eq!(app.address.service(), Some(state));
}

#[tokio::test]
async fn an_address_without_msp_has_calls_and_no_streams() {
    let house = House::with(ScriptedConfig { has_msp: false, ..ScriptedConfig::default() });
    let mut app = house.app("app", Privilege::Owner).await;
    assert_eq!(app.address.static_terminals().unwrap_err(), TapiError::NoStreamControl);
    let call = app.address.create_call("bob", MediaTypes::AUDIO).unwrap();
    assert_eq!(call.streams().unwrap_err(), TapiError::NoStreamControl);
    let dialling = call.clone();
    house.during(&mut [&mut app], "dial", async move { dialling.dial().await }).await.unwrap();
    assert_eq!(call.state(), CallState::InProgress);
}

#[tokio::test]
async fn a_line_that_cannot_listen_says_so_and_stays_closed() {
    let house = House::new();
    let taken = LineError::ResourceUnavail("port 1720 is taken".to_owned());
    house.switch.refuse(Verb::Listen, Some(taken.clone()));
    let msp = FakeMsp::new(house.trace.clone());
    let tapi = Tapi::connect(|sink| house.broker.connect("app", sink), Some(msp)).unwrap();
    let address = tapi.addresses().await.unwrap().remove(0);
    let refused = address.open(Privilege::Owner, MediaTypes::AUDIO).await;
    assert_eq!(refused, Err(TapiError::Line(taken)));
    assert_eq!(house.broker.census().lines, 0);
    assert_eq!(address.create_call("bob", MediaTypes::AUDIO).unwrap_err(), TapiError::NotOpen);
    house.switch.refuse(Verb::Listen, None);
    address.open(Privilege::None, MediaTypes::NONE).await.unwrap();
    address.open(Privilege::Owner, MediaTypes::AUDIO).await.unwrap();
    assert_eq!(address.open(Privilege::Owner, MediaTypes::AUDIO).await, Err(TapiError::AlreadyOpen));
    let both = MediaTypes::AUDIO.union(MediaTypes::VIDEO);
    let unsupported = TapiError::Line(LineError::InvalMediaMode);
    assert_eq!(address.create_call("bob", both).unwrap_err(), unsupported);
}

#[tokio::test]
async fn closing_an_address_ends_its_calls_and_it_can_be_opened_again() {
    let (house, mut app, call) = ringing().await;
    app.address.close().await.unwrap();
    house.settle(&mut [&mut app]).await;
    assert_eq!(call.state(), CallState::Disconnected);
    assert!(house.trace.has("tsp  line_close_msp_instance") && house.trace.has("tsp  line_close"));
    assert!(house.trace.has("msp  stop_stream"), "no TSP will say stop");
    assert_eq!(call.info().await.unwrap().caller.address, "alice");
    drop(call);
    app.address.open(Privilege::Owner, MediaTypes::AUDIO).await.unwrap();
    house.ring(&mut [&mut app]).await;
    assert_eq!(app.calls.len(), 1);
}

#[tokio::test]
async fn a_line_that_its_provider_closes_ends_its_calls_with_a_clear_word() {
    let (house, mut app, call) = ringing().await;
    house.switch.close_line(0, LineError::ResourceUnavail("unplugged".to_owned()));
    house.settle(&mut [&mut app]).await;
    let lines = house.trace.lines();
    let tail = [
        "msp  stop_stream",
        "msp  stop_stream",
        "event CallState Disconnected, cause Failed (line Idle)",
        "event Address closed: resource unavailable: unplugged",
    ];
    assert_eq!(lines[lines.len() - 4..], tail);
    assert_eq!(call.status().cause, Some(DisconnectCause::Failed));
}

#[tokio::test]
async fn a_broker_that_ends_fails_whoever_waits_and_stops_the_sound() {
    let (house, mut app, call) = ringing().await;
    let other = app.address.create_call("bob", MediaTypes::AUDIO).unwrap();
    let (dialling, answering) = (other.clone(), call.clone());
    let dial = tokio::spawn(async move { dialling.connect().await });
    let answer = tokio::spawn(async move { answering.answer().await });
    house.settle(&mut [&mut app]).await;
    house.broker.shutdown();
    house.settle(&mut [&mut app]).await;
    assert!(dial.await.unwrap().is_err() && answer.await.unwrap().is_err());
    assert_eq!((call.state(), other.state()), (CallState::Disconnected, CallState::Disconnected));
    assert!(house.trace.has("msp  stop_stream"));
    assert!(house.trace.has("event Address closed: the provider is gone"));
    assert_eq!(app.tapi.addresses().await.unwrap_err(), TapiError::BrokerGone);
}

#[tokio::test]
async fn a_thousand_calls_leave_nothing_behind() {
    let house = House::new();
    let mut app = house.app("app", Privilege::Owner).await;
    for n in 0..1000 {
        if n % 2 == 0 {
            house.switch.ring(0, "alice").unwrap();
            house.switch.run();
            app.tapi.settled().await.unwrap();
            while let Some(event) = app.events.try_next() {
                drop(event);
            }
        } else {
            let call = app.address.create_call("bob", MediaTypes::AUDIO).unwrap();
            let dialling = call.clone();
            let dial = tokio::spawn(async move { dialling.dial().await });
            tokio::task::yield_now().await;
            house.switch.run();
            dial.await.unwrap().unwrap();
        }
    }
    house.settle(&mut [&mut app]).await;
    let census = house.broker.census();
    assert_eq!((census.calls, census.requests), (0, 0));
    assert!(app.msp_address().state.lock().unwrap().calls.is_empty());
    assert!(house.switch.calls().is_empty());
}

#[tokio::test]
async fn digits_go_out_and_come_in() {
    let (house, mut app, call) = ringing().await;
    let sending = call.clone();
    house
        .during(&mut [&mut app], "digits", async move { sending.generate_digits("12#").await })
        .await
        .unwrap();
    assert!(house.trace.has("tsp  line_generate_digits 12#"));
    assert!(matches!(call.generate_digits("x").await, Err(TapiError::Line(LineError::InvalParam(_)))));
    house.switch.then(house.last_call(), [Step::Digit('7'), Step::Send(opaque("x"))]);
    house.advance(&mut [&mut app]).await;
    assert!(house.trace.has("event Digit 7"));
}

#[tokio::test]
async fn sound_stops_with_a_call_that_ends_while_its_line_is_out_of_service() {
    let house = House::new();
    let mut app = house.app("app", Privilege::Owner).await;
    let stops = |house: &House| house.trace.lines().iter().filter(|line| *line == "msp  stop_stream").count();
    for (in_service, stopped) in [(true, 0), (false, 2)] {
        house.ring(&mut [&mut app]).await;
        house.switch.then(house.last_call(), [Step::State(CONNECTED)]);
        house.switch.service(
            0,
            match in_service {
                true => LineDevState::InService { with: "the network".to_owned() },
                false => LineDevState::OutOfService { why: "the other machine is gone".to_owned() },
            },
        );
        house.advance(&mut [&mut app]).await;
        house.switch.then(house.last_call(), [Step::State(S::Disconnected(DisconnectMode::TempFailure))]);
        house.advance(&mut [&mut app]).await;
        assert_eq!(stops(&house), stopped, "in service: {in_service}");
        let call = app.calls.pop().expect("announced");
        assert_eq!(call.state(), CallState::Disconnected);
        call.release().await;
        house.advance(&mut [&mut app]).await;
    }
}
