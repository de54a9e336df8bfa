//! The ways of a call, line by line, as tests/golden/*.txt has them.
//!
//! `OFFHOOK_GOLDEN=write cargo test -p offhook-tapi --test golden` writes the traces anew: then read the difference
//! against TAPI 1.3 to 1.7 before it is kept.

mod support;

use offhook_broker::scripted::{Step, Verb};
use offhook_spi::{DisconnectMode, LineCallState as S, LineError, MediaTypes, Privilege};
use offhook_tapi::{Call, Direction, DisconnectCode, TapiError, TerminalClass};
use support::{App, CONNECTED, House, opaque};

/// The scripts of a TSP that has a pair: media begin with the answer and end with the call.
async fn house() -> (House, App) {
    let house = House::new();
    house.switch.script(Verb::Answer, [Step::Complete, Step::State(CONNECTED), Step::Send(opaque("START"))]);
    house.switch.script(Verb::Drop, [Step::Send(opaque("STOP")), Step::Complete, Step::State(S::Idle)]);
    let mut app = house.app("app", Privilege::Owner).await;
    house.settle(&mut [&mut app]).await;
    (house, app)
}

async fn incoming(house: &House, app: &mut App) -> Call {
    house.ring(&mut [app]).await;
    app.calls.pop().expect("announced")
}

async fn release(house: &House, app: &mut App, call: Call) {
    house.trace.note("app  release");
    call.release().await;
    house.advance(&mut [app]).await;
}

fn dial_plan(house: &House) {
    let plan = [
        Step::Complete,
        Step::Send(opaque("PREPARE")),
        Step::State(S::Dialing),
        Step::State(S::Proceeding),
        Step::State(S::Ringback),
        Step::State(CONNECTED),
        Step::Send(opaque("START")),
    ];
    house.switch.script_dial("bob", plan);
}

#[tokio::test]
async fn incoming_call_answered_and_ended_by_the_far_end() {
    let (house, mut app) = house().await;
    let call = incoming(&house, &mut app).await;
    let card = app.address.static_terminals().unwrap().remove(0);
    house.trace.note("app  select_terminal");
    call.streams().unwrap()[1].select_terminal(&card).unwrap();
    let (accepting, answering) = (call.clone(), call.clone());
    house.during(&mut [&mut app], "accept", async move { accepting.accept().await }).await.unwrap();
    house.during(&mut [&mut app], "answer", async move { answering.answer().await }).await.unwrap();
    house.hang_up(&mut [&mut app], house.last_call(), DisconnectMode::Normal).await;
    assert_eq!(call.info().await.unwrap().caller.address, "alice", "readable after the end");
    let late = [Step::State(S::Idle), Step::Send(opaque("LATE"))];
    house.switch.then(house.last_call(), late);
    house.advance(&mut [&mut app]).await;
    release(&house, &mut app, call).await;
    house.trace.compare("incoming_answered_remote_teardown");
}

#[tokio::test]
async fn outgoing_call_connected_and_ended_here() {
    let (house, mut app) = house().await;
    dial_plan(&house);
    house.trace.note("app  create_call bob");
    let call = app.address.create_call("bob", MediaTypes::AUDIO).unwrap();
    let file = TerminalClass::FileRecord { path: "bob.wav".into() };
    let terminal = app.address.create_terminal(file, Direction::Render).unwrap();
    house.trace.note("app  select_terminal");
    call.streams().unwrap()[1].select_terminal(&terminal).unwrap();
    let connecting = call.clone();
    house.during(&mut [&mut app], "connect", async move { connecting.connect().await }).await.unwrap();
    let ending = call.clone();
    let end = async move { ending.disconnect(DisconnectCode::Normal).await };
    house.during(&mut [&mut app], "disconnect Normal", end).await.unwrap();
    drop(terminal);
    release(&house, &mut app, call).await;
    house.trace.compare("outgoing_local_teardown");
}

#[tokio::test]
async fn outgoing_call_to_a_busy_party() {
    let (house, mut app) = house().await;
    let busy = S::Disconnected(DisconnectMode::Busy);
    let plan = [Step::Complete, Step::State(S::Dialing), Step::State(S::Proceeding), Step::State(busy)];
    house.switch.script_dial("carol", plan);
    house.trace.note("app  create_call carol");
    let call = app.address.create_call("carol", MediaTypes::AUDIO).unwrap();
    let connecting = call.clone();
    let connected = house.during(&mut [&mut app], "connect", async move { connecting.connect().await }).await;
    assert_eq!(connected, Err(TapiError::Disconnected(offhook_tapi::DisconnectCause::Busy)));
    release(&house, &mut app, call).await;
    house.trace.compare("outgoing_busy");
}

#[tokio::test]
async fn outgoing_call_that_the_provider_refuses() {
    let (house, mut app) = house().await;
    let wrong = LineError::InvalAddress("no such thing".to_owned());
    house.switch.script_dial("???", [Step::Fail(wrong.clone())]);
    house.trace.note("app  create_call ???");
    let call = app.address.create_call("???", MediaTypes::AUDIO).unwrap();
    let connecting = call.clone();
    let connected = house.during(&mut [&mut app], "connect", async move { connecting.connect().await }).await;
    assert_eq!(connected, Err(TapiError::Line(wrong)));
    release(&house, &mut app, call).await;
    house.trace.compare("outgoing_refused");
}

#[tokio::test]
async fn incoming_call_rejected() {
    let (house, mut app) = house().await;
    let call = incoming(&house, &mut app).await;
    let ending = call.clone();
    let end = async move { ending.disconnect(DisconnectCode::Rejected).await };
    house.during(&mut [&mut app], "disconnect Rejected", end).await.unwrap();
    release(&house, &mut app, call).await;
    house.trace.compare("incoming_rejected");
}

#[tokio::test]
async fn incoming_call_given_up_by_its_caller() {
    let (house, mut app) = house().await;
    let call = incoming(&house, &mut app).await;
    house.hang_up(&mut [&mut app], house.last_call(), DisconnectMode::Cancelled).await;
    let answering = call.clone();
    let answered = house.during(&mut [&mut app], "answer", async move { answering.answer().await }).await;
    assert_eq!(answered, Err(TapiError::Unexpected));
    release(&house, &mut app, call).await;
    house.trace.compare("incoming_cancelled_by_caller");
}

#[tokio::test]
async fn outgoing_call_given_up_here_before_it_is_answered() {
    let (house, mut app) = house().await;
    let plan =
        [Step::Complete, Step::Send(opaque("PREPARE")), Step::State(S::Dialing), Step::State(S::Ringback)];
    house.switch.script_dial("bob", plan);
    house.trace.note("app  create_call bob");
    let call = app.address.create_call("bob", MediaTypes::AUDIO).unwrap();
    house.trace.note("app  connect");
    let connecting = call.clone();
    let connect = tokio::spawn(async move { connecting.connect().await });
    house.advance(&mut [&mut app]).await;
    let ending = call.clone();
    let end = async move { ending.disconnect(DisconnectCode::Normal).await };
    house.during(&mut [&mut app], "disconnect Normal", end).await.unwrap();
    house.trace.note(format!("app  connect is {:?}", connect.await.unwrap().unwrap_err()));
    release(&house, &mut app, call).await;
    house.trace.compare("outgoing_cancelled_here");
}

#[tokio::test]
async fn two_applications_one_owning_and_one_watching() {
    let (house, mut owner) = house().await;
    let mut monitor = house.app("monitor", Privilege::Monitor).await;
    let apps = &mut [&mut owner, &mut monitor];
    house.ring(apps).await;
    let (call, watched) = (apps[0].calls.pop().unwrap(), apps[1].calls.pop().unwrap());
    let (answering, trying) = (call.clone(), watched.clone());
    let tried = house.during(apps, "monitor: answer", async move { trying.answer().await }).await;
    assert_eq!(tried, Err(TapiError::NotOwner));
    house.during(apps, "owner: answer", async move { answering.answer().await }).await.unwrap();
    house.trace.note("app  owner dies");
    drop((call, owner));
    for _ in 0..50 {
        // The owner's pump gives everything up in its own time.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        if house.broker.census().clients == 1 {
            break;
        }
    }
    house.advance(&mut [&mut monitor]).await;
    house.trace.note("app  monitor: release");
    watched.release().await;
    assert_eq!(house.broker.census().calls, 0);
    house.trace.compare("owner_dies_monitor_watches");
}
