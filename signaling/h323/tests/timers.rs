//! A peer, an application or a driver that falls silent: every wait has an end, and a cause.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::script::Script;
use common::{CALLED, CALLER, media, outgoing_params, signal_address};
use offhook_h323::{
    Action, AudioCodec, Call, Cause, Channel, Closed, Config, Event, IncomingParams, LocalMedia, Origin,
    ReleaseInfo, SetupUnanswered, Timer,
};
use offhook_wire::h225::{
    AlertingUuie, CallIdentifier, CallProceedingUuie, ConnectUuie, EndpointType, H323UserInformation,
    H323UuPdu, H323UuPduH323MessageBody as Body, ProgressUuie,
};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::per::Oid;
use offhook_wire::per::json::build;
use offhook_wire::q931::{CallReference, Message, MessageType};
use serde_json::json;

const PROTOCOL: Oid = Oid::new(&[0, 0, 8, 2250, 0, 7]);
const SECOND: Duration = Duration::from_secs(1);

fn pcma(side: usize) -> LocalMedia {
    media(side, &[AudioCodec::Pcma])
}

fn caller(config: Config) -> Script {
    Script::caller(config, pcma(CALLER))
}

fn signal(body: Body, tunnelling: bool) -> CallSignal {
    let mut pdu = H323UuPdu::new(body);
    pdu.h245_tunnelling = Some(tunnelling);
    let uuie = H323UserInformation::new(pdu);
    CallSignal::new(CallReference::new(77, true), uuie).expect("a known body")
}

fn endpoint() -> EndpointType {
    EndpointType::new(false, false)
}

fn proceeding() -> CallSignal {
    signal(Body::CallProceeding(CallProceedingUuie::new(PROTOCOL, endpoint()).into()), true)
}

fn alerting() -> CallSignal {
    signal(Body::Alerting(AlertingUuie::new(PROTOCOL, endpoint()).into()), true)
}

fn progress() -> CallSignal {
    signal(Body::Progress(ProgressUuie::new(PROTOCOL, endpoint(), CallIdentifier::new([7; 16])).into()), true)
}

fn connect(tunnelling: bool) -> CallSignal {
    signal(Body::Connect(ConnectUuie::new(PROTOCOL, endpoint(), [9; 16]).into()), tunnelling)
}

fn released(script: &Script) -> Option<&ReleaseInfo> {
    match script.events.last() {
        Some(Event::Released(info)) => Some(info),
        _ => None,
    }
}

/// `timer` ends the call between `after` minus a little and `after`, with `cause`, and nothing is left.
#[track_caller]
fn expect(mut script: Script, timer: Timer, after: Duration, cause: Cause) -> Script {
    script.wait(after - Duration::from_millis(1));
    assert_eq!(released(&script), None, "too early");
    script.wait(Duration::from_millis(1));
    let info = released(&script).expect("released");
    assert_eq!((info.origin, info.cause), (Origin::Timer(timer), Some(cause)), "{}", info.text);
    script.wait(SECOND * 5);
    assert!(script.call.is_finished());
    assert_eq!(script.call.poll_timeout(), None);
    script
}

#[test]
fn a_connection_that_is_never_made() {
    let now = SECOND;
    let mut call = Call::outgoing(Config::default(), outgoing_params(1, pcma(CALLER)), now);
    assert_eq!(call.poll_timeout(), Some(now + SECOND * 10));
    call.handle_timeout(now + SECOND * 10);
    let Some(Event::Released(info)) = call.poll_event() else { panic!() };
    assert_eq!(
        (info.origin, info.cause),
        (Origin::Timer(Timer::SignalingConnect), Some(Cause::NO_ROUTE_TO_DESTINATION))
    );
    assert_eq!(call.poll_action(), Some(Action::CloseSignaling));
    assert!(call.is_finished());
}

#[test]
fn a_connection_that_is_refused_or_leads_nowhere() {
    for (why, cause) in [
        (Closed::Refused, Cause::DESTINATION_OUT_OF_ORDER),
        (Closed::Unreachable, Cause::NO_ROUTE_TO_DESTINATION),
        (Closed::Failed, Cause::NO_ROUTE_TO_DESTINATION),
    ] {
        let mut call = Call::outgoing(Config::default(), outgoing_params(1, pcma(CALLER)), SECOND);
        call.handle_closed(SECOND, Channel::Signaling, why);
        let Some(Event::Released(info)) = call.poll_event() else { panic!() };
        assert_eq!((info.origin, info.cause), (Origin::Network, Some(cause)));
        assert!(call.is_finished() && call.poll_timeout().is_none());
    }
}

#[test]
fn a_caller_that_connects_and_says_nothing() {
    let called = Script::called(Config::default());
    let script = expect(called, Timer::SetupWait, SECOND * 8, Cause::RECOVERY_ON_TIMER_EXPIRY);
    assert!(script.signals.is_empty(), "there is no call to release");
    assert_eq!(script.actions, [Action::CloseSignaling]);
}

#[test]
fn a_called_side_that_never_answers_setup() {
    // What the policy makes of T303: how long in all, and how many Setups.
    for (policy, after, setups) in [
        (SetupUnanswered::WaitOnce, SECOND * 8, 1),
        (SetupUnanswered::Repeat, SECOND * 8, 2),
        (SetupUnanswered::Release, SECOND * 4, 1),
    ] {
        let config = Config { setup_unanswered: policy, ..Config::default() };
        let script = expect(caller(config), Timer::T303, after, Cause::NO_USER_RESPONDING);
        assert_eq!(script.signals.len(), setups + 1, "{policy:?}: Setup and ReleaseComplete");
        assert!(script.signals.iter().take(setups).all(|setup| *setup == script.signals[0]), "{policy:?}");
        assert_eq!(script.signals[setups].q931.message_type, MessageType::RELEASE_COMPLETE);
    }
}

#[test]
fn a_setup_that_is_repeated_is_one_call_and_an_answer_stops_the_repetition() {
    let repeating = Config { setup_unanswered: SetupUnanswered::Repeat, ..Config::default() };
    let mut script = caller(repeating.clone());
    script.wait(SECOND * 5);
    let mut called = Script::called(Config::default());
    for setup in script.signals.clone() {
        called.signal(&setup);
    }
    assert_eq!(script.signals.len(), 2);
    assert_eq!(called.events.iter().filter(|event| matches!(event, Event::Setup(_))).count(), 1);
    assert_eq!(called.signals.len(), 1, "CallProceeding");
    script.signal(&called.signals[0].clone());
    script.wait(SECOND * 5);
    assert_eq!((script.signals.len(), released(&script)), (2, None));

    let mut script = caller(repeating);
    script.signal(&proceeding());
    script.wait(SECOND * 9);
    assert_eq!(script.signals.len(), 1, "CallProceeding stops T303");
}

#[test]
fn a_called_side_that_only_proceeds() {
    let mut script = caller(Config::default());
    script.signal(&proceeding());
    expect(script, Timer::T310, SECOND * 10, Cause::RECOVERY_ON_TIMER_EXPIRY);
}

#[test]
fn progress_stops_t310_and_something_else_ends_the_call() {
    let mut script = caller(Config::default());
    script.signal(&proceeding());
    script.signal(&progress());
    expect(script, Timer::T301, SECOND * 180, Cause::NO_ANSWER_FROM_USER);
}

#[test]
fn a_called_side_that_rings_for_ever() {
    let mut script = caller(Config::default());
    script.signal(&alerting());
    expect(script, Timer::T301, SECOND * 180, Cause::NO_ANSWER_FROM_USER);
}

/// A called side to which `caller` has sent its Setup.
fn offered(config: Config) -> Script {
    let caller = caller(Config { fast_start: false, ..Config::default() });
    let mut called = Script::called(config);
    called.signal(&caller.signals[0].clone());
    assert!(matches!(called.events[0], Event::Setup(_)));
    called
}

#[test]
fn an_application_that_never_decides() {
    expect(offered(Config::default()), Timer::T301, SECOND * 180, Cause::NO_ANSWER_FROM_USER);
}

#[test]
fn a_media_side_that_never_prepares() {
    let mut called = offered(Config::default());
    called.call.answer(called.now);
    called.drain();
    expect(called, Timer::MediaWait, SECOND * 5, Cause::RESOURCE_UNAVAILABLE);
}

#[test]
fn a_media_side_that_fails() {
    let mut called = offered(Config::default());
    called.call.media_failed(called.now);
    called.drain();
    let info = released(&called).expect("released");
    assert_eq!((info.origin, info.cause), (Origin::Machine, Some(Cause::RESOURCE_UNAVAILABLE)));
}

#[test]
fn h245_that_never_comes_up_on_a_connection_of_its_own() {
    let mut script = caller(Config { fast_start: false, ..Config::default() });
    script.signal(&connect(false));
    script.call.h245_listening(script.now, ([10, 0, 0, 1], 7000).into());
    script.drain();
    let script = expect(script, Timer::H245Start, SECOND * 30, Cause::RECOVERY_ON_TIMER_EXPIRY);
    assert!(script.actions.contains(&Action::CloseH245));
}

#[test]
fn a_peer_that_does_not_answer_h245() {
    let mut script = caller(Config { fast_start: false, ..Config::default() });
    script.signal(&connect(true));
    script.wait(SECOND * 30);
    let info = released(&script).expect("released");
    assert_eq!(info.cause, Some(Cause::RECOVERY_ON_TIMER_EXPIRY));
    assert!(matches!(info.origin, Origin::Timer(Timer::T101 | Timer::T106 | Timer::H245Start)));
}

/// A caller, connected by Connect, whose H.245 is answered as far as `messages` go.
fn answered(messages: &[serde_json::Value]) -> Script {
    let mut config = Config { fast_start: false, ..Config::default() };
    config.timers.h245_start = SECOND * 1000;
    let mut script = caller(config);
    script.signal(&connect(true));
    for message in messages {
        script.tunnel(&build(message).expect("a description"));
    }
    script
}

#[test]
fn capabilities_that_are_never_acknowledged() {
    let script =
        answered(&[json!({"response": {"masterSlaveDeterminationAck": {"decision": {"master": null}}}})]);
    expect(script, Timer::T101, SECOND * 30, Cause::RECOVERY_ON_TIMER_EXPIRY);
}

#[test]
fn a_determination_that_is_never_answered() {
    let script = answered(&[json!({"response": {"terminalCapabilitySetAck": {"sequenceNumber": 1}}})]);
    expect(script, Timer::T106, SECOND * 30, Cause::RECOVERY_ON_TIMER_EXPIRY);
}

#[test]
fn a_peer_that_does_not_answer_h245_while_it_rings_is_asked_again_when_it_answers() {
    let mut script = caller(Config { fast_start: false, ..Config::default() });
    script.signal(&alerting());
    assert_eq!(script.h245.len(), 2);
    script.wait(SECOND * 100);
    assert_eq!(released(&script), None);
    script.h245.clear();
    script.signal(&connect(true));
    assert_eq!(script.h245.len(), 2, "capabilities and determination, again");
}

#[test]
fn a_lost_round_trip_is_told_and_ends_nothing() {
    let mut script = answered(&[
        json!({"request": {"terminalCapabilitySet": {"sequenceNumber": 1, "protocolIdentifier": "0.0.8.245.0.15",
            "capabilityTable": [{"capabilityTableEntryNumber": 1,
                "capability": {"receiveAudioCapability": {"g711Alaw64k": 20}}}]}}}),
        json!({"response": {"terminalCapabilitySetAck": {"sequenceNumber": 1}}}),
        json!({"response": {"masterSlaveDeterminationAck": {"decision": {"master": null}}}}),
    ]);
    script.wait(SECOND * 60);
    assert!(script.events.contains(&Event::RoundTripLost));
    assert_eq!(released(&script), None);
}

#[test]
fn a_peer_that_never_closes_after_release() {
    let mut script = caller(Config::default());
    script.signal(&proceeding());
    script.call.release(script.now, offhook_h323::Release::normal());
    script.drain();
    assert!(released(&script).is_some() && !script.call.is_finished());
    script.wait(SECOND);
    assert_eq!(script.actions, [Action::CloseSignaling]);
    assert!(script.call.is_finished() && script.call.poll_timeout().is_none());
}

#[test]
fn an_h245_peer_that_never_ends_its_session() {
    let mut script = caller(Config { fast_start: false, ..Config::default() });
    script.signal(&connect(false));
    script.call.h245_listening(script.now, ([10, 0, 0, 1], 7000).into());
    script.call.handle_connected(script.now, Channel::H245);
    script.drain();
    script.actions.clear();
    script.call.release(script.now, offhook_h323::Release::normal());
    script.drain();
    script.wait(SECOND * 3);
    assert_eq!(script.actions, [Action::CloseSignaling, Action::CloseH245]);
    assert!(script.call.is_finished() && script.call.poll_timeout().is_none());
}

#[test]
fn commands_out_of_place_do_nothing() {
    let mut script = Script::called(Config::default());
    let now = script.now;
    script.call.accept(now);
    script.call.answer(now);
    script.call.send_digits(now, "1");
    script.call.h245_listening(now, signal_address(CALLED));
    script.call.h245_listen_failed(now);
    script.call.handle_connected(now, Channel::H245);
    script.call.handle_connected(now, Channel::Signaling);
    script.call.set_media(now, pcma(CALLED));
    script.drain();
    assert!(script.events.is_empty() && script.signals.is_empty() && script.actions.is_empty());
    // A foreign message before Setup is answered, and the call still takes its Setup.
    script.payload(
        &Message::new(offhook_wire::q931::MessageType::NOTIFY, CallReference::new(1, false))
            .encode()
            .unwrap(),
    );
    let params =
        IncomingParams { seed: 1, local_signal_address: None, remote_signal_address: signal_address(CALLER) };
    drop(Call::incoming(Config::default(), params, now));
    let caller = caller(Config::default());
    script.signal(&caller.signals[0].clone());
    assert!(matches!(script.events[0], Event::Setup(_)));
}
