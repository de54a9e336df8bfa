//! What a peer may say in call signalling at any time, and what it gets for it: Status, releases; and H.245's connection.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::pair::{
    PROTOCOL, address, config, connect, connected, connected_with, h245, is_released, signal, start_h245,
};
use common::script::Script;
use common::{CALLER, media};
use offhook_h323::{
    Action, AudioCodec, CallState, Cause, Channel, Closed, Config, Event, Origin, ReleaseReason,
};
use offhook_wire::h225::{
    CallProceedingUuie, EndpointType, FacilityReason, H323UuPduH323MessageBody as Body, ReleaseCompleteReason,
};
use offhook_wire::q931::{
    CallReference, CallState as CallStateElement, Element, Message, MessageType, UserUser,
};
use serde_json::json;

#[test]
fn a_status_inquiry_is_answered_with_the_state() {
    let (mut caller, _) = connected();
    caller.signals.clear();
    caller.bare(MessageType::STATUS_INQUIRY);
    let status = &caller.signals[0].q931;
    assert_eq!(status.message_type, MessageType::STATUS);
    assert_eq!(status.cause(), Some(Cause::RESPONSE_TO_STATUS_ENQUIRY));
    assert_eq!(status.readable::<CallStateElement>(), Some(CallStateElement::new(10)));
}

#[test]
fn what_is_unknown_or_out_of_place_gets_a_status_and_a_storm_of_it_silence() {
    let (mut caller, mut called) = connected();
    caller.bare(MessageType(0x33));
    assert_eq!(caller.signals[0].q931.cause(), Some(Cause::MESSAGE_TYPE_NOT_IMPLEMENTED));
    called.payload(&Message::new(MessageType::ALERTING, CallReference::new(77, false)).encode().unwrap());
    assert_eq!(called.signals[0].q931.cause(), Some(Cause::INCOMPATIBLE_CALL_STATE));
    for _ in 0..1000 {
        caller.bare(MessageType(0x33));
    }
    assert_eq!(caller.signals.len(), 32);
    assert_eq!(caller.call.state(), CallState::Active);
}

#[test]
fn a_message_of_another_call_is_answered_and_changes_nothing() {
    let (mut caller, _) = connected();
    let other = CallReference::new(5, false);
    let mut say = |kind: MessageType| {
        caller.forget();
        caller.payload(&Message::new(kind, other).encode().unwrap());
        caller.signals.first().cloned()
    };
    let answer = say(MessageType::SETUP).expect("an answer");
    assert_eq!(answer.q931.message_type, MessageType::RELEASE_COMPLETE);
    assert_eq!(answer.q931.call_reference, other.flipped());
    let Some(Body::ReleaseComplete(uuie)) = answer.body() else { panic!("{answer:?}") };
    assert_eq!(uuie.reason, Some(ReleaseCompleteReason::NewConnectionNeeded));
    let answer = say(MessageType::ALERTING).expect("an answer");
    assert_eq!(answer.q931.cause(), Some(Cause::INVALID_CALL_REFERENCE));
    assert_eq!(say(MessageType::RELEASE_COMPLETE), None);
    assert_eq!(say(MessageType::STATUS), None);
    assert_eq!(caller.call.state(), CallState::Active);
}

#[test]
fn garbage_is_counted_and_too_much_of_it_ends_the_call() {
    let (mut caller, _) = connected();
    for _ in 0..5 {
        caller.payload(b"no Q.931 at all");
        assert!(!is_released(&caller));
    }
    caller.payload(b"no Q.931 at all");
    let Some(Event::Released(info)) = caller.events.last() else { panic!("{:?}", caller.events) };
    assert_eq!((info.origin, info.cause), (Origin::Machine, Some(Cause::PROTOCOL_ERROR)));
    assert_eq!(caller.signals.last().unwrap().q931.message_type, MessageType::RELEASE_COMPLETE);
}

#[test]
fn a_stream_that_is_no_tpkt_ends_the_call_at_once() {
    let (mut caller, _) = connected();
    caller.octets(Channel::Signaling, b"GET / HTTP/1.1\r\n\r\n");
    assert!(is_released(&caller) && caller.call.is_finished());
    let mut called = Script::called(config());
    called.octets(Channel::Signaling, b"GET / HTTP/1.1\r\n\r\n");
    assert!(is_released(&called) && called.call.is_finished());
    assert!(called.signals.is_empty(), "there is no call to release");
    assert_eq!(called.actions, [Action::CloseSignaling]);
}

#[test]
fn a_setup_that_cannot_be_read_is_released_with_the_cause() {
    for (contents, cause) in [
        (None, Cause::MANDATORY_ELEMENT_MISSING),
        (Some(&b"\xff\xff\xff"[..]), Cause::INVALID_ELEMENT_CONTENTS),
    ] {
        let mut called = Script::called(config());
        let mut setup = Message::new(MessageType::SETUP, CallReference::new(3, false));
        if let Some(contents) = contents {
            setup.insert(UserUser::new(Bytes::from_static(contents)).to_element());
        }
        called.payload(&setup.encode().unwrap());
        let answer = &called.signals[0].q931;
        assert_eq!(answer.message_type, MessageType::RELEASE_COMPLETE);
        assert_eq!(answer.call_reference, CallReference::new(3, true));
        assert_eq!(answer.cause(), Some(cause));
        assert!(is_released(&called));
        called.wait(Duration::from_secs(2));
        assert!(called.call.is_finished());
    }
}

#[test]
fn whoever_never_comes_to_setup_is_let_go() {
    let mut called = Script::called(config());
    for _ in 0..6 {
        called.payload(
            &Message::new(MessageType::STATUS_INQUIRY, CallReference::new(3, false)).encode().unwrap(),
        );
    }
    assert!(is_released(&called) && called.call.is_finished());
    // Q.931 5.8.10: an inquiry about no call is answered with the null state.
    assert_eq!(called.signals[0].q931.message_type, MessageType::STATUS);
    assert_eq!(called.signals[0].q931.cause(), Some(Cause::RESPONSE_TO_STATUS_ENQUIRY));
    let mut called = Script::called(config());
    called.payload(&Message::new(MessageType::NOTIFY, CallReference::new(3, false)).encode().unwrap());
    assert_eq!(called.signals[0].q931.cause(), Some(Cause::INVALID_CALL_REFERENCE));
}

#[test]
fn a_uuie_that_cannot_be_read_does_not_hide_a_release() {
    let (mut caller, _) = connected();
    let mut release = Message::new(MessageType::RELEASE_COMPLETE, CallReference::new(77, true));
    release.insert(UserUser::new(Bytes::from_static(b"\xff\xff")).to_element());
    caller.payload(&release.encode().unwrap());
    assert!(is_released(&caller));
}

#[test]
fn disconnect_of_a_q931_network_is_a_release() {
    let (mut caller, _) = connected();
    caller.bare(MessageType::DISCONNECT);
    assert!(is_released(&caller) && caller.call.is_finished());
}

#[test]
fn status_null_means_that_the_call_is_over() {
    let (mut caller, _) = connected();
    let status =
        Message::new(MessageType::STATUS, CallReference::new(77, true)).with(&CallStateElement::new(0));
    caller.payload(&status.encode().unwrap());
    let Some(Event::Released(info)) = caller.events.last() else { panic!("{:?}", caller.events) };
    assert_eq!(info.cause, Some(Cause::INCOMPATIBLE_CALL_STATE));
}

const OURS: ([u8; 4], u16) = ([10, 0, 0, 1], 7000);

/// A caller without tunnelling, connected to a peer that has said nothing about H.245.
fn listening_caller() -> Script {
    let config = Config { tunnelling: false, ..config() };
    let mut caller = Script::caller(config, media(CALLER, &[AudioCodec::Pcma]));
    caller.signal(&connect(None, Some(false)));
    assert_eq!(caller.actions, [Action::ListenH245]);
    caller.forget();
    caller.call.h245_listening(caller.now, OURS.into());
    caller.drain();
    let Some(Body::Facility(facility)) = caller.signals[0].body() else { panic!("{:?}", caller.signals) };
    assert_eq!(facility.reason, FacilityReason::StartH245);
    assert_eq!(facility.h245_address, Some(address(OURS.into())));
    caller
}

#[test]
fn crossing_start_h245_leaves_one_connection() {
    // H.323 8.2.3: the side with the smaller address gives way.
    let mut caller = listening_caller();
    caller.signal(&start_h245(([10, 0, 0, 2], 7000).into()));
    assert!(caller.actions.is_empty(), "ours is smaller: the peer connects");
    caller.call.handle_connected(caller.now, Channel::H245);
    caller.drain();
    assert_eq!(caller.h245.len(), 2, "capabilities and determination");

    let mut caller = listening_caller();
    let smaller = ([9, 0, 0, 2], 7000).into();
    caller.signal(&start_h245(smaller));
    // The listener stays: the peer may be connecting already, and ours may fail.
    assert_eq!(caller.actions, [Action::ConnectH245(smaller)]);
    caller.signal(&start_h245(([9, 0, 0, 3], 7000).into()));
    assert_eq!(caller.actions.len(), 1, "it connects only once");
}

#[test]
fn an_h245_connection_that_breaks_ends_a_call_that_lives_by_it() {
    let mut caller = listening_caller();
    caller.call.handle_connected(caller.now, Channel::H245);
    caller.call.handle_closed(caller.now, Channel::H245, Closed::Failed);
    caller.drain();
    assert!(!is_released(&caller), "ReleaseComplete may be on its way");
    caller.wait(caller.call.config().timers.h245_loss);
    let Some(Event::Released(info)) = caller.events.last() else { panic!("{:?}", caller.events) };
    assert_eq!((info.origin, info.cause), (Origin::Network, Some(Cause::TEMPORARY_FAILURE)));
    assert_eq!(caller.signals.last().unwrap().q931.message_type, MessageType::RELEASE_COMPLETE);
}

#[test]
fn a_peer_that_hangs_up_before_h245_is_up_has_hung_up_whichever_connection_says_so_first() {
    let mut caller = listening_caller();
    caller.call.handle_connected(caller.now, Channel::H245);
    caller.call.handle_closed(caller.now, Channel::H245, Closed::ByPeer);
    let uuie = offhook_wire::h225::ReleaseCompleteUuie::new(PROTOCOL);
    let mut release = signal(Body::ReleaseComplete(uuie.into()), MessageType::RELEASE_COMPLETE);
    let cause = Cause::NORMAL_CALL_CLEARING;
    let element = offhook_wire::q931::CauseElement::new(offhook_wire::q931::Location::USER, cause);
    release.q931 = release.q931.with(&element);
    caller.signal(&release);
    let Some(Event::Released(info)) = caller.events.last() else { panic!("{:?}", caller.events) };
    assert_eq!((info.origin, info.cause), (Origin::Remote, Some(cause)));
}

#[test]
fn octets_on_the_h245_connection_that_are_no_tpkt_end_a_call_that_lives_by_it() {
    let mut caller = listening_caller();
    caller.call.handle_connected(caller.now, Channel::H245);
    caller.octets(Channel::H245, b"nonsense");
    assert!(is_released(&caller));
    assert!(caller.actions.contains(&Action::CloseH245));
}

#[test]
fn h245_tunnelled_to_a_side_that_does_not_tunnel_is_void() {
    let mut caller = listening_caller();
    caller.forget();
    caller.tunnel(&h245(json!({"request": {"roundTripDelayRequest": {"sequenceNumber": 9}}})));
    assert!(caller.h245.is_empty());
}

#[test]
fn a_refusal_of_fast_connect_that_was_never_offered_means_nothing() {
    let mut caller = Script::caller(config(), media(CALLER, &[AudioCodec::Pcma]));
    let mut uuie = CallProceedingUuie::new(PROTOCOL, EndpointType::new(false, false));
    uuie.fast_connect_refused = Some(());
    caller.signal(&signal(Body::CallProceeding(uuie.into()), MessageType::CALL_PROCEEDING));
    assert_eq!(caller.call.state(), CallState::OutgoingProceeding);
    assert_eq!(caller.call.protocol_errors(), 0);
}

#[test]
fn an_answer_to_fast_connect_that_opens_nothing_leads_to_slow_start() {
    let config = Config { fast_start: true, ..config() };
    let mut caller = Script::caller(config, media(CALLER, &[AudioCodec::Pcma]));
    let mut answer = connect(None, Some(true));
    if let Body::Connect(uuie) = &mut answer.uuie.as_mut().unwrap().h323_uu_pdu.h323_message_body {
        uuie.fast_start = Some(vec![Bytes::from_static(b"\x00"), Bytes::new()]);
    }
    caller.signal(&answer);
    let Some(Event::Connected(info)) = caller.events.last() else { panic!("{:?}", caller.events) };
    assert!(!info.fast_start);
    assert_eq!(caller.h245.len(), 2, "capabilities and determination");
}

#[test]
fn digits_go_by_keypad_when_there_is_no_h245() {
    let config = Config { fast_start: true, h245_after_fast_start: false, ..config() };
    let (mut caller, mut called) = connected_with(config.clone(), config);
    caller.call.send_digits(caller.now, "42");
    caller.drain();
    for (signal, key) in caller.signals.clone().iter().zip(["4", "2"]) {
        assert_eq!(signal.q931.keypad_facility().as_deref(), Some(key));
        called.signal(signal);
    }
    assert_eq!(called.events.len(), 2);
}

#[test]
fn a_release_reason_survives_beside_its_cause() {
    let (mut caller, _) = connected();
    let mut release = signal(
        Body::ReleaseComplete({
            let mut uuie = offhook_wire::h225::ReleaseCompleteUuie::new(PROTOCOL);
            uuie.reason = Some(ReleaseCompleteReason::InConf);
            uuie.into()
        }),
        MessageType::RELEASE_COMPLETE,
    );
    caller.signal(&release);
    let Some(Event::Released(info)) = caller.events.last() else { panic!("{:?}", caller.events) };
    assert_eq!((info.cause, info.reason), (None, Some(ReleaseReason::InConf)));
    assert_eq!(info.effective_cause(), Cause::USER_BUSY);

    for value in 1..=127 {
        let (mut caller, _) = connected();
        let element = offhook_wire::q931::CauseElement::new(offhook_wire::q931::Location::USER, Cause(value));
        release.q931 =
            Message::new(MessageType::RELEASE_COMPLETE, CallReference::new(77, true)).with(&element);
        caller.signal(&release);
        let Some(Event::Released(info)) = caller.events.last() else { panic!("{:?}", caller.events) };
        assert_eq!(info.cause, Some(Cause(value)));
    }
}

#[test]
fn nothing_follows_the_peer_s_release() {
    let (mut caller, _) = connected();
    caller.bare(MessageType::RELEASE_COMPLETE);
    assert!(is_released(&caller) && caller.call.is_finished());
    assert!(caller.signals.is_empty() && caller.h245.is_empty(), "{:?}", caller.signals);
}
