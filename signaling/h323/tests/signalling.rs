//! Call signalling by hand: digits one by one, Status, what cannot be, limits; one test each.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use common::script::{Script, join};
use common::signals::{
    PROTOCOL, alerting, bare, caller, caller_with, config, connect, kinds, last, message, of, offered,
    offered_by, pcma, released, setup_info, status_of,
};
use common::{CALLED, CALLER, outgoing_params};
use offhook_h323::{
    Action, Alias, Call, CallState, Cause, Channel, Closed, Config, DigitVia, Event, Origin, OutgoingParams,
    Timer,
};
use offhook_wire::h225::{
    AlertingUuie, EndpointType, FacilityReason, FacilityUuie, H221NonStandard,
    H323UuPduH323MessageBody as Body, TransportAddress, TransportAddressIpAddress, VendorIdentifier,
};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::h245::MultimediaSystemControlMessage;
use offhook_wire::per;
use offhook_wire::per::json::build;
use offhook_wire::q931::{
    CallReference, CallState as CallStateElement, CalledPartyNumber, CauseElement, ElementId,
    InformationElement, KeypadFacility, Location, Message, MessageType,
};
use serde_json::json;

const SECOND: Duration = Duration::from_secs(1);

// --- overlap sending and receiving (Q.931 5.1.3, 5.2.4) ---------------------------------------------------------

fn overlapping(digits: &str) -> Script {
    let params = OutgoingParams {
        destination: Some(Alias::from_text(digits)),
        overlap: true,
        ..outgoing_params(1, pcma(CALLER))
    };
    caller_with(config(), params)
}

fn receiving() -> Config {
    Config { overlap_receiving: true, ..config() }
}

#[test]
fn digits_come_one_by_one_until_the_caller_says_that_they_are_complete() {
    let mut caller = overlapping("12");
    let mut called = offered_by(&caller.signals[0].clone(), receiving());
    let info = setup_info(&called);
    assert!(info.overlap);
    assert_eq!(info.called_number.map(|number| number.digits).as_deref(), Some("12"));
    assert_eq!(kinds(&called), [MessageType::SETUP_ACKNOWLEDGE]);
    assert_eq!(called.call.state(), CallState::OverlapReceiving);
    let acknowledge = called.signals[0].clone();
    caller.forget();
    called.forget();
    caller.signal(&acknowledge);
    assert_eq!(caller.events, [Event::DigitsWanted]);
    assert_eq!(caller.call.state(), CallState::OverlapSending);
    for (digits, complete) in [("3", false), ("45", false), ("6", true)] {
        assert!(caller.call.dial(caller.now, digits, complete));
        caller.drain();
        called.signal(&last(&caller).clone());
        let told = Event::CalledDigits { digits: digits.to_owned(), complete };
        assert_eq!(called.events.last(), Some(&told));
    }
    assert_eq!(kinds(&called), [MessageType::CALL_PROCEEDING]);
    caller.signal(&last(&called).clone());
    assert_eq!(caller.call.state(), CallState::OutgoingProceeding);
    assert!(!caller.call.dial(caller.now, "7", false), "the number is complete");
}

#[test]
fn digits_dialled_before_the_called_side_asks_wait_for_it() {
    let mut caller = overlapping("1");
    assert!(caller.call.dial(caller.now, "23", false) && caller.call.dial(caller.now, "4", true));
    caller.drain();
    assert_eq!(kinds(&caller), [MessageType::SETUP]);
    caller.bare(MessageType::SETUP_ACKNOWLEDGE);
    let information = &last(&caller).q931;
    assert_eq!(information.message_type, MessageType::INFORMATION);
    assert_eq!(information.called_party_number().map(|number| number.digits).as_deref(), Some("234"));
    assert!(information.find(ElementId::SENDING_COMPLETE).is_some());
    assert!(!caller.events.contains(&Event::DigitsWanted));
}

#[test]
fn a_pause_of_t302_completes_the_number() {
    let caller = overlapping("12");
    let mut called = offered_by(&caller.signals[0], receiving());
    called.forget();
    called.wait(SECOND * 14);
    let mut digit = message(MessageType::INFORMATION, false);
    digit = digit.with(&CalledPartyNumber::new("3"));
    called.signal(&bare(digit));
    called.wait(SECOND * 14);
    assert_eq!(called.events.len(), 1, "each digit restarts T302: {:?}", called.events);
    called.wait(SECOND);
    assert_eq!(called.events[1], Event::CalledDigits { digits: String::new(), complete: true });
    assert_eq!(kinds(&called), [MessageType::CALL_PROCEEDING]);
    assert_eq!(called.call.state(), CallState::IncomingProceeding);
}

#[test]
fn digits_that_lead_to_nothing_end_with_t304() {
    let mut caller = overlapping("1");
    caller.bare(MessageType::SETUP_ACKNOWLEDGE);
    caller.wait(SECOND * 29);
    assert!(caller.call.dial(caller.now, "2", false));
    caller.drain();
    caller.wait(SECOND * 29);
    assert_eq!(released(&caller), None, "each digit restarts T304");
    caller.wait(SECOND);
    let info = released(&caller).expect("released");
    assert_eq!(
        (info.origin, info.cause),
        (Origin::Timer(Timer::T304), Some(Cause::RECOVERY_ON_TIMER_EXPIRY))
    );
}

#[test]
fn keypad_digits_are_called_digits_while_the_number_is_not_complete() {
    let caller = overlapping("1");
    let mut called = offered_by(&caller.signals[0], receiving());
    let keys = message(MessageType::INFORMATION, false).with(&KeypadFacility::new("42"));
    called.signal(&bare(keys.clone()));
    assert_eq!(called.events.last(), Some(&Event::CalledDigits { digits: "42".to_owned(), complete: false }));
    assert!(called.call.proceed(called.now), "the application knows the number's length");
    called.forget();
    called.signal(&bare(keys));
    let digit = |digit| Event::Digit { digit, duration: None, via: DigitVia::Keypad };
    assert_eq!(called.events, [digit('4'), digit('2')]);
}

#[test]
fn an_application_may_ask_for_digits_as_long_as_nothing_was_answered() {
    let caller = overlapping("1");
    let mut called = offered_by(&caller.signals[0], Config { call_proceeding: false, ..config() });
    assert!(called.signals.is_empty());
    assert!(called.call.request_digits(called.now));
    called.drain();
    assert_eq!(kinds(&called), [MessageType::SETUP_ACKNOWLEDGE]);
    assert!(called.call.request_digits(called.now), "more time is no second message");
    called.call.accept(called.now);
    called.drain();
    assert_eq!(kinds(&called), [MessageType::SETUP_ACKNOWLEDGE, MessageType::ALERTING]);
    assert!(!called.call.request_digits(called.now));
    assert_eq!(called.call.state(), CallState::Received);
}

#[test]
fn a_caller_without_overlap_is_not_asked_and_says_so_when_it_is() {
    let mut called = offered(receiving());
    assert!(!setup_info(&called).overlap && !called.call.request_digits(called.now));
    assert_eq!(kinds(&called), [MessageType::CALL_PROCEEDING]);
    let mut caller = caller(config());
    assert!(!caller.call.dial(caller.now, "1", false));
    caller.bare(MessageType::SETUP_ACKNOWLEDGE);
    let information = &last(&caller).q931;
    assert!(information.find(ElementId::SENDING_COMPLETE).is_some());
    assert_eq!(information.called_party_number(), None);
}

#[test]
fn a_number_ends_at_128_digits() {
    let mut caller = overlapping("1");
    assert!(!caller.call.dial(caller.now, "12a", false), "no digit");
    assert!(caller.call.dial(caller.now, &"1".repeat(128), false));
    assert!(!caller.call.dial(caller.now, "1", false));
    let mut called = offered_by(&caller.signals[0], receiving());
    called.forget();
    for _ in 0..10 {
        let digits = message(MessageType::INFORMATION, false).with(&CalledPartyNumber::new("5".repeat(30)));
        called.signal(&bare(digits));
    }
    let digits: usize = called
        .events
        .iter()
        .map(|event| if let Event::CalledDigits { digits, .. } = event { digits.len() } else { 0 })
        .sum();
    assert_eq!(digits, 128);
}

// --- Status and what cannot be (Q.931 5.8) ----------------------------------------------------------------------

#[test]
fn an_inquiry_is_answered_with_the_state() {
    let mut called = offered(config());
    called.forget();
    called.bare(MessageType::STATUS_INQUIRY);
    assert_eq!(status_of(last(&called)), (Cause::RESPONSE_TO_STATUS_ENQUIRY, None, 9));
    called.call.accept(called.now);
    called.bare(MessageType::STATUS_INQUIRY);
    assert_eq!(status_of(last(&called)), (Cause::RESPONSE_TO_STATUS_ENQUIRY, None, 7));
}

fn status(from_called: bool, cause: Cause, state: u8) -> CallSignal {
    let status = message(MessageType::STATUS, from_called)
        .with(&CauseElement::new(Location::USER, cause))
        .with(&CallStateElement::new(state));
    bare(status)
}

#[test]
fn our_inquiry_is_asked_twice_and_then_the_call_is_over() {
    let mut caller = caller(config());
    caller.signal(&alerting());
    caller.forget();
    assert!(caller.call.inquire_status(caller.now));
    caller.drain();
    assert_eq!(kinds(&caller), [MessageType::STATUS_INQUIRY]);
    caller.wait(SECOND * 4);
    assert_eq!(kinds(&caller), [MessageType::STATUS_INQUIRY; 2]);
    caller.wait(SECOND * 4);
    let info = released(&caller).expect("released");
    assert_eq!((info.origin, info.cause), (Origin::Timer(Timer::T322), Some(Cause::TEMPORARY_FAILURE)));
}

#[test]
fn an_answer_that_fits_stops_t322_and_is_told() {
    let mut caller = caller(config());
    caller.signal(&alerting());
    caller.call.inquire_status(caller.now);
    caller.signal(&status(true, Cause::RESPONSE_TO_STATUS_ENQUIRY, 7));
    let told = Event::PeerStatus { state: Some(7), cause: Some(Cause::RESPONSE_TO_STATUS_ENQUIRY) };
    assert_eq!(caller.events.last(), Some(&told));
    caller.wait(SECOND * 60);
    assert_eq!(released(&caller), None);
}

#[test]
fn an_answer_that_cannot_be_ends_the_call_with_101() {
    let mut caller = caller(config());
    caller.signal(&alerting());
    caller.call.inquire_status(caller.now);
    caller.signal(&status(true, Cause::RESPONSE_TO_STATUS_ENQUIRY, 10));
    let info = released(&caller).expect("released");
    assert_eq!((info.origin, info.cause), (Origin::Machine, Some(Cause::INCOMPATIBLE_CALL_STATE)));
    assert_eq!(last(&caller).q931.message_type, MessageType::RELEASE_COMPLETE);
}

#[test]
fn a_status_that_nobody_asked_for_is_checked_before_it_ends_anything() {
    let mut caller = caller(config());
    caller.signal(&connect());
    caller.forget();
    caller.signal(&status(true, Cause::NORMAL_UNSPECIFIED, 7));
    assert_eq!(kinds(&caller), [MessageType::STATUS_INQUIRY]);
    assert_eq!(released(&caller), None);
    caller.signal(&status(true, Cause::RESPONSE_TO_STATUS_ENQUIRY, 10));
    caller.wait(SECOND * 10);
    assert_eq!(released(&caller), None);
}

#[test]
fn a_peer_whose_status_names_no_state_is_not_held_to_it() {
    let mut caller = caller(config());
    let mut vendor = VendorIdentifier::new(H221NonStandard::new(9, 0, 61));
    vendor.product_id = Some(Bytes::from_static(b"H323Plus CallGen\0"));
    let mut endpoint = EndpointType::new(false, false);
    endpoint.vendor = Some(vendor);
    caller.signal(&of(Body::Alerting(AlertingUuie::new(PROTOCOL, endpoint).into()), true));
    assert!(caller.call.quirks().status_names_no_state);
    caller.call.inquire_status(caller.now);
    caller.signal(&status(true, Cause::RESPONSE_TO_STATUS_ENQUIRY, 10));
    assert_eq!(released(&caller), None);
    caller.signal(&status(true, Cause::RESPONSE_TO_STATUS_ENQUIRY, 0));
    assert!(released(&caller).is_some(), "no call is no call, whoever says it");
}

#[test]
fn status_of_the_null_state_ends_the_call_and_a_complaint_does_not() {
    let mut caller = caller(config());
    caller.signal(&alerting());
    caller.signal(&status(true, Cause::MESSAGE_TYPE_NOT_IMPLEMENTED, 0));
    assert_eq!(released(&caller), None);
    caller.signal(&status(true, Cause::NORMAL_UNSPECIFIED, 0));
    let info = released(&caller).expect("released");
    assert_eq!((info.origin, info.cause), (Origin::Remote, Some(Cause::INCOMPATIBLE_CALL_STATE)));
}

#[test]
fn a_connected_call_is_inquired_about_at_the_interval() {
    let mut config = config();
    config.timers.status_interval = Some(SECOND * 60);
    config.timers.round_trip_interval = None;
    config.timers.h245_start = SECOND * 10_000;
    config.timers.t101 = SECOND * 10_000;
    config.timers.t106 = SECOND * 10_000;
    let mut caller = caller(config);
    caller.signal(&connect());
    caller.forget();
    for _ in 0..3 {
        caller.wait(SECOND * 60);
        assert_eq!(last(&caller).q931.message_type, MessageType::STATUS_INQUIRY);
        caller.signal(&status(true, Cause::RESPONSE_TO_STATUS_ENQUIRY, 10));
    }
    caller.wait(SECOND * 68);
    assert!(released(&caller).is_some(), "a peer that is gone is noticed");
}

#[test]
fn what_cannot_be_is_answered_with_its_cause() {
    let rows: [(MessageType, bool, Cause); 7] = [
        (MessageType(0x55), false, Cause::MESSAGE_TYPE_NOT_IMPLEMENTED),
        (MessageType::HOLD, false, Cause::MESSAGE_TYPE_NOT_IMPLEMENTED),
        (MessageType(0x00), false, Cause::MESSAGE_NOT_COMPATIBLE_WITH_STATE),
        (MessageType::CONNECT, true, Cause::INCOMPATIBLE_CALL_STATE),
        (MessageType::ALERTING, true, Cause::INCOMPATIBLE_CALL_STATE),
        (MessageType::CALL_PROCEEDING, true, Cause::INCOMPATIBLE_CALL_STATE),
        (MessageType::SETUP_ACKNOWLEDGE, true, Cause::INCOMPATIBLE_CALL_STATE),
    ];
    for (kind, connected, cause) in rows {
        let mut caller = caller(config());
        caller.signal(&if connected { connect() } else { alerting() });
        caller.forget();
        caller.bare(kind);
        let state = if connected { 10 } else { 4 };
        assert_eq!(status_of(last(&caller)), (cause, Some(kind.0), state), "{kind:?}");
        assert_eq!(released(&caller), None);
    }
    // And what is meant for the other side.
    let mut called = offered(config());
    called.forget();
    called.bare(MessageType::CONNECT);
    let expected = (Cause::INCOMPATIBLE_CALL_STATE, Some(MessageType::CONNECT.0), 9);
    assert_eq!(status_of(last(&called)), expected);
}

#[test]
fn status_is_never_answered_with_status_and_answers_end_at_the_limit() {
    let mut caller = caller(config());
    caller.signal(&alerting());
    caller.forget();
    caller.bare(MessageType::STATUS);
    let unknown = InformationElement::variable(ElementId(0x0f), Bytes::from_static(b"x"));
    let mut odd = message(MessageType::STATUS, true);
    odd.insert(unknown);
    caller.signal(&bare(odd));
    assert!(caller.signals.is_empty());
    for _ in 0..50 {
        caller.bare(MessageType(0x55));
    }
    assert_eq!(caller.signals.len(), 32);
    assert_eq!(caller.call.limits_hit().status_answers, 18);
}

#[test]
fn an_element_that_may_not_be_ignored_stops_its_message() {
    let unknown = InformationElement::variable(ElementId(0x0f), Bytes::from_static(b"x"));
    let mut caller = caller(config());
    caller.forget();
    let mut odd = alerting();
    odd.q931.insert(unknown.clone());
    caller.signal(&odd);
    assert_eq!(status_of(last(&caller)), (Cause::ELEMENT_NOT_IMPLEMENTED, Some(0x0f), 1));
    assert_eq!(caller.call.state(), CallState::Initiated, "it was not acted on");
    // One that may be ignored is.
    let mut odd = alerting();
    odd.q931.insert(InformationElement::variable(ElementId(0x3d), Bytes::from_static(b"x")));
    caller.signal(&odd);
    let answers = kinds(&caller).into_iter().filter(|kind| *kind == MessageType::STATUS).count();
    assert_eq!((answers, caller.call.state()), (1, CallState::Delivered));
    // In Setup it ends the call, in ReleaseComplete nothing matters any more.
    let mut setup = self::caller(config()).signals[0].clone();
    setup.q931.insert(unknown.clone());
    let called = offered_by(&setup, config());
    assert_eq!(last(&called).q931.cause(), Some(Cause::ELEMENT_NOT_IMPLEMENTED));
    let mut release = message(MessageType::RELEASE_COMPLETE, true);
    release.insert(unknown);
    caller.signal(&bare(release));
    assert!(released(&caller).is_some());
}

#[test]
fn a_notify_without_its_indicator_is_answered_with_96() {
    let mut caller = caller(config());
    caller.signal(&alerting());
    caller.forget();
    caller.bare(MessageType::NOTIFY);
    let expected = (Cause::MANDATORY_ELEMENT_MISSING, Some(ElementId::NOTIFICATION_INDICATOR.0), 4);
    assert_eq!(status_of(last(&caller)), expected);
    assert!(caller.events.is_empty());
}

#[test]
fn a_status_of_another_call_that_lives_is_answered_with_its_release() {
    let mut caller = caller(config());
    caller.forget();
    let other = CallReference::new(78, true);
    let alive = Message::new(MessageType::STATUS, other).with(&CallStateElement::new(10));
    caller.signal(&bare(alive));
    assert_eq!(last(&caller).q931.message_type, MessageType::RELEASE_COMPLETE);
    assert_eq!(last(&caller).q931.cause(), Some(Cause::INCOMPATIBLE_CALL_STATE));
    caller.forget();
    let null = Message::new(MessageType::STATUS, other).with(&CallStateElement::new(0));
    caller.signal(&bare(null));
    assert!(caller.signals.is_empty());
    caller.signal(&bare(Message::new(MessageType::STATUS_INQUIRY, other)));
    assert_eq!(status_of(last(&caller)), (Cause::RESPONSE_TO_STATUS_ENQUIRY, None, 0));
}

// --- limits -----------------------------------------------------------------------------------------------------

#[test]
fn a_tpkt_beyond_the_limit_ends_the_call_and_is_counted() {
    let mut limited = config();
    limited.limits.tpkt = 200;
    let mut caller = caller(limited);
    caller.octets(Channel::Signaling, &[3, 0, 1, 0]);
    assert_eq!(released(&caller).and_then(|info| info.cause), Some(Cause::PROTOCOL_ERROR));
    assert_eq!(caller.call.limits_hit().tpkt, 1);
}

#[test]
fn more_fast_start_elements_than_are_looked_at_are_counted() {
    let mut limited = Config::default();
    limited.limits.fast_start = 1;
    let setup = caller(Config::default()).signals[0].clone();
    let called = offered_by(&setup, limited);
    assert_eq!(called.call.limits_hit().fast_start, 1);
    assert!(matches!(called.events[0], Event::Setup(_)));
}

/// A caller whose tunnelled H.245 has come up, and whose peer then says that it does not tunnel.
fn switched(config: Config) -> Script {
    let mut caller = caller(config);
    let mut called = Script::called(self::config());
    join(&mut caller, &mut called, |script, event| {
        if matches!(event, Event::Setup(_)) {
            script.call.set_media(script.now, pcma(CALLED));
            script.call.answer(script.now);
        }
    });
    assert_eq!(caller.call.state(), CallState::Active);
    caller.forget();
    let mut refusal = of(Body::Empty, true);
    if let Some(uuie) = &mut refusal.uuie {
        uuie.h323_uu_pdu.h245_tunnelling = Some(false);
    }
    caller.signal(&refusal);
    assert_eq!(caller.actions, [Action::ListenH245]);
    caller
}

#[test]
fn a_peer_that_goes_back_on_tunnelling_during_the_call_is_offered_a_connection() {
    let mut caller = switched(config());
    caller.call.h245_listening(caller.now, ([10, 0, 0, 1], 7000).into());
    caller.drain();
    let Some(Body::Facility(uuie)) = last(&caller).body() else { panic!("{:?}", caller.signals) };
    assert_eq!(uuie.reason, FacilityReason::StartH245);
    let flag = last(&caller).uuie.as_ref().and_then(|uuie| uuie.h323_uu_pdu.h245_tunnelling);
    assert_eq!(flag, Some(false));
    caller.forget();
    caller.call.handle_connected(caller.now, Channel::H245);
    caller.wait(SECOND * 15);
    assert!(!caller.h245.is_empty(), "round trips go on");
    assert!(caller.signals.is_empty(), "and none of them is tunnelled");
    assert!(!caller.events.iter().any(|event| matches!(event, Event::ChannelClosed { .. })));
    assert_eq!(caller.call.state(), CallState::Active);
}

/// A called side whose tunnelled H.245 has come up.
fn called_and_tunnelling() -> Script {
    let mut caller = caller(config());
    let mut called = Script::called(config());
    join(&mut caller, &mut called, |script, event| {
        if matches!(event, Event::Setup(_)) {
            script.call.set_media(script.now, pcma(CALLED));
            script.call.answer(script.now);
        }
    });
    assert_eq!(called.call.state(), CallState::Active);
    called.forget();
    called
}

/// A message of the caller during the call that takes tunnelling back.
fn no_more_tunnelling(body: Body) -> CallSignal {
    let mut signal = of(body, true);
    signal.q931.call_reference = CallReference::new(77, false);
    if let Some(uuie) = &mut signal.uuie {
        uuie.h323_uu_pdu.h245_tunnelling = Some(false);
    }
    signal
}

#[test]
fn a_called_side_follows_its_caller_from_tunnelling_to_a_connection() {
    // The caller says where it listens.
    let mut called = called_and_tunnelling();
    let listens = SocketAddr::from(([10, 0, 0, 1], 7000));
    let mut uuie = FacilityUuie::new(PROTOCOL, FacilityReason::StartH245);
    uuie.h245_address =
        Some(TransportAddress::IpAddress(TransportAddressIpAddress::new([10, 0, 0, 1], 7000)));
    called.signal(&no_more_tunnelling(Body::Facility(uuie.into())));
    assert_eq!(called.actions, [Action::ConnectH245(listens)]);
    called.forget();
    called.call.handle_connected(called.now, Channel::H245);
    called.wait(SECOND * 15);
    assert!(!called.h245.is_empty(), "round trips go on");
    assert!(called.signals.is_empty(), "and none of them is tunnelled");
    assert!(!called.events.iter().any(|event| matches!(event, Event::ChannelClosed { .. })));
    // What still comes tunnelled is void.
    called.forget();
    let request = json!({"request": {"roundTripDelayRequest": {"sequenceNumber": 9}}});
    let octets = per::encode(&build::<MultimediaSystemControlMessage>(&request).unwrap()).unwrap();
    called.tunnel_octets(octets.into(), CallReference::new(77, false));
    assert!(called.h245.is_empty() && called.call.state() == CallState::Active);

    // The caller leaves it to the called side to listen.
    let mut called = called_and_tunnelling();
    called.signal(&no_more_tunnelling(Body::Empty));
    assert_eq!(called.actions, [Action::ListenH245]);
    called.call.h245_listening(called.now, ([10, 0, 0, 2], 7001).into());
    called.drain();
    let Some(Body::Facility(uuie)) = last(&called).body() else { panic!("{:?}", called.signals) };
    assert_eq!(uuie.reason, FacilityReason::StartH245);
    let flag = last(&called).uuie.as_ref().and_then(|uuie| uuie.h323_uu_pdu.h245_tunnelling);
    assert_eq!(flag, Some(false));
    called.forget();
    called.call.handle_connected(called.now, Channel::H245);
    called.wait(SECOND * 15);
    assert!(!called.h245.is_empty() && called.signals.is_empty());
    // The connection that took its place is all that the call has of H.245: without it it ends.
    called.call.handle_closed(called.now, Channel::H245, Closed::Failed);
    // After a moment in which ReleaseComplete might have come behind it.
    called.wait(SECOND * 2);
    assert_eq!(released(&called).and_then(|info| info.cause), Some(Cause::TEMPORARY_FAILURE));
}

#[test]
fn h245_that_waits_for_a_connection_that_does_not_come_is_bounded() {
    let mut limited = config();
    limited.limits.h245_waiting = 3;
    let mut caller = switched(limited);
    // The driver never says where it listens: round trips pile up.
    caller.wait(SECOND * 120);
    let info = released(&caller).expect("released");
    assert_eq!(info.cause, Some(Cause::SWITCHING_EQUIPMENT_CONGESTION));
    assert_eq!(caller.call.limits_hit().overload, 1);
}

#[test]
fn a_call_that_was_never_placed_says_nothing() {
    let params = OutgoingParams { overlap: true, ..outgoing_params(1, pcma(CALLER)) };
    let mut call = Call::outgoing(config(), params, SECOND);
    assert!(call.dial(SECOND, "1", false), "digits wait for the connection");
    assert!(!call.send_notify(SECOND, 0) || call.poll_transmit().is_none());
    assert!(!call.inquire_status(SECOND) || call.poll_transmit().is_none());
    assert!(!call.deflect(SECOND, None, &[]) && !call.proceed(SECOND) && !call.request_digits(SECOND));
    assert!(call.poll_transmit().is_none());
}
