//! Call signalling by hand: overlap, Status, forwarding, numbers, user-user, conferences, limits; one test each.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::script::{Script, join};
use common::{CALLED, CALLER, media, outgoing_params};
use offhook_h323::{
    Action, Alias, AudioCodec, Call, CallState, Cause, Channel, ConferenceGoal, Config, DigitVia, Event,
    ForwardKind, Forwarding, Number, Origin, OutgoingParams, Presentation, Redirecting, Release,
    ReleaseReason, Screening, SetupInfo, Timer, TypeOfNumber, UserUser,
};
use offhook_wire::h225::{
    AlertingUuie, ConnectUuie, EndpointType, FacilityReason, FacilityUuie, H221NonStandard,
    H323UserInformation, H323UuPdu, H323UuPduH323MessageBody as Body, SetupUuieConferenceGoal,
    TransportAddress, TransportAddressIpAddress, VendorIdentifier,
};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::per::Oid;
use offhook_wire::q931::{
    CallReference, CallState as CallStateElement, CalledPartyNumber, CauseElement, ElementId,
    InformationElement, KeypadFacility, Location, Message, MessageType, NotificationIndicator,
    ProgressIndicator,
};

const PROTOCOL: Oid = Oid::new(&[0, 0, 8, 2250, 0, 7]);
const SECOND: Duration = Duration::from_secs(1);

fn config() -> Config {
    Config { fast_start: false, ..Config::default() }
}

fn pcma(side: usize) -> offhook_h323::LocalMedia {
    media(side, &[AudioCodec::Pcma])
}

fn caller(config: Config) -> Script {
    Script::caller(config, pcma(CALLER))
}

fn caller_with(config: Config, params: OutgoingParams) -> Script {
    Script::placing(config, params)
}

/// A called side that `setup` has reached.
fn offered_by(setup: &CallSignal, config: Config) -> Script {
    let mut called = Script::called(config);
    called.signal(setup);
    called
}

fn offered(config: Config) -> Script {
    offered_by(&caller(self::config()).signals[0], config)
}

fn setup_info(script: &Script) -> SetupInfo {
    let info = script.events.iter().find_map(|event| match event {
        Event::Setup(info) => Some((**info).clone()),
        _ => None,
    });
    info.expect("Setup was told")
}

fn message(kind: MessageType, from_called: bool) -> Message {
    Message::new(kind, CallReference::new(77, from_called))
}

fn of(body: Body, from_called: bool) -> CallSignal {
    let mut pdu = H323UuPdu::new(body);
    pdu.h245_tunnelling = Some(true);
    let uuie = H323UserInformation::new(pdu);
    CallSignal::new(CallReference::new(77, from_called), uuie).expect("a known body")
}

fn alerting() -> CallSignal {
    of(Body::Alerting(AlertingUuie::new(PROTOCOL, EndpointType::new(false, false)).into()), true)
}

fn connect() -> CallSignal {
    of(Body::Connect(ConnectUuie::new(PROTOCOL, EndpointType::new(false, false), [9; 16]).into()), true)
}

fn bare(message: Message) -> CallSignal {
    CallSignal { q931: message, uuie: None }
}

fn kinds(script: &Script) -> Vec<MessageType> {
    script.signals.iter().map(|signal| signal.q931.message_type).collect()
}

fn last(script: &Script) -> &CallSignal {
    script.signals.last().expect("something was said")
}

fn released(script: &Script) -> Option<&offhook_h323::ReleaseInfo> {
    match script.events.last() {
        Some(Event::Released(info)) => Some(info),
        _ => None,
    }
}

/// Our Status: its cause, the first octet of its diagnostics, the state it names.
fn status_of(signal: &CallSignal) -> (Cause, Option<u8>, u8) {
    assert_eq!(signal.q931.message_type, MessageType::STATUS);
    let cause = signal.q931.readable::<CauseElement>().expect("Cause is mandatory in Status");
    let state = signal.q931.readable::<CallStateElement>().expect("so is Call state");
    (cause.value, cause.diagnostics.first().copied(), state.value)
}

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

// --- Notify, Progress, user-user, display -----------------------------------------------------------------------

#[test]
fn notify_and_progress_reach_the_other_side() {
    let mut seen = Vec::new();
    let mut caller = caller(config());
    let mut called = Script::called(config());
    join(&mut caller, &mut called, |script, event| {
        if matches!(event, Event::Setup(_)) {
            assert!(script.call.send_progress(script.now, ProgressIndicator::INBAND_INFORMATION));
            assert!(script.call.send_notify(script.now, NotificationIndicator::CALL_IS_DIVERTING));
        }
        seen.push(event.clone());
    });
    assert!(seen.contains(&Event::Progress { inband: true, description: Some(8) }), "{seen:?}");
    assert!(seen.contains(&Event::Notify(NotificationIndicator::CALL_IS_DIVERTING)), "{seen:?}");
}

#[test]
fn fast_connect_can_be_answered_in_progress() {
    let fast = Config::default();
    let mut caller = caller(fast.clone());
    let mut called = offered_by(&caller.signals[0].clone(), fast);
    called.call.set_media(called.now, pcma(CALLED));
    assert!(called.call.send_progress(called.now, 8));
    called.drain();
    for signal in called.signals.clone() {
        caller.signal(&signal);
    }
    let opened = |script: &Script| {
        script.events.iter().filter(|event| matches!(event, Event::ChannelOpened(plan) if plan.early)).count()
    };
    assert_eq!((opened(&caller), opened(&called)), (2, 2));
}

fn words(text: &'static [u8]) -> UserUser {
    UserUser::new(UserUser::IA5, text).expect("fits")
}

#[test]
fn user_user_information_travels_in_every_message_that_may_carry_it() {
    let params = OutgoingParams { user_user: Some(words(b"setup")), ..outgoing_params(1, pcma(CALLER)) };
    let mut caller = caller_with(config(), params);
    let mut called = offered_by(&caller.signals[0].clone(), config());
    assert_eq!(setup_info(&called).user_user, Some(words(b"setup")));
    called.forget();

    assert!(called.call.send_user_user(called.now, words(b"alerting")));
    called.call.accept(called.now);
    called.drain();
    caller.signal(&last(&called).clone());
    assert!(caller.events.contains(&Event::UserUser(words(b"alerting"))));

    assert!(called.call.send_user_user(called.now, words(b"connect")));
    called.call.set_media(called.now, pcma(CALLED));
    called.call.answer(called.now);
    called.drain();
    caller.signal(&last(&called).clone());
    assert!(caller.events.contains(&Event::UserUser(words(b"connect"))));

    caller.forget();
    called.forget();
    assert!(caller.call.send_user_user(caller.now, words(b"information")));
    caller.drain();
    called.signal(&caller.signals[0].clone());
    assert!(called.events.contains(&Event::UserUser(words(b"information"))));
}

#[test]
fn user_user_information_of_a_call_that_is_refused_rides_in_release_complete() {
    let mut caller = caller(config());
    let mut called = offered_by(&caller.signals[0].clone(), config());
    assert!(called.call.send_user_user(called.now, words(b"not now")));
    called.call.release(called.now, Release::rejected());
    called.drain();
    caller.signal(&last(&called).clone());
    assert_eq!(released(&caller).and_then(|info| info.user_user.clone()), Some(words(b"not now")));
}

#[test]
fn user_user_information_has_1_to_131_octets() {
    assert!(UserUser::new(0, Bytes::new()).is_none() && UserUser::new(0, vec![0; 132]).is_none());
    assert!(UserUser::new(0, vec![0; 131]).is_some());
    let mut script = Script::called(config());
    assert!(!script.call.send_user_user(script.now, words(b"x")), "there is no call");
}

#[test]
fn a_display_may_end_in_nul() {
    let mut setup = caller(config()).signals[0].clone();
    let display = InformationElement::variable(ElementId::DISPLAY, Bytes::from_static(b"Bob\0\0"));
    setup.q931.insert(display);
    assert_eq!(setup_info(&offered_by(&setup, config())).display.as_deref(), Some("Bob"));
    let mut caller = caller(config());
    let mut release = message(MessageType::RELEASE_COMPLETE, true);
    release.insert(InformationElement::variable(ElementId::DISPLAY, Bytes::from_static(b"gone\0")));
    caller.signal(&bare(release));
    assert_eq!(released(&caller).and_then(|info| info.display.clone()).as_deref(), Some("gone"));
}

// --- numbers ----------------------------------------------------------------------------------------------------

fn national(digits: &str, presentation: Presentation) -> Number {
    Number {
        type_of_number: TypeOfNumber::NATIONAL,
        presentation,
        screening: Screening::UserProvidedPassed,
        ..Number::new(digits)
    }
}

#[test]
fn calling_and_connected_numbers_keep_type_presentation_and_screening() {
    for presentation in [Presentation::Allowed, Presentation::Restricted, Presentation::NotAvailable] {
        let number = national("2025550100", presentation);
        let config = Config { number: Some(number.clone()), ..config() };
        let mut caller = caller(config.clone());
        let mut called = offered_by(&caller.signals[0].clone(), config);
        let info = setup_info(&called);
        assert_eq!(info.caller_number.as_ref(), Some(&number));
        assert_eq!(info.caller_presentable, presentation == Presentation::Allowed);
        called.call.set_media(called.now, pcma(CALLED));
        called.call.answer(called.now);
        called.drain();
        caller.signal(&last(&called).clone());
        let Some(Event::Connected(info)) =
            caller.events.iter().find(|event| matches!(event, Event::Connected(_)))
        else {
            panic!("{:?}", caller.events)
        };
        assert_eq!(info.connected_number.as_ref(), Some(&number));
        assert_eq!(info.conference_id, [9; 16]);
    }
}

#[test]
fn a_withheld_identity_hides_number_and_name() {
    let config = Config { number: Some(Number::new("100")), display: "Alice".to_owned(), ..config() };
    let params = OutgoingParams { withhold_identity: true, ..outgoing_params(1, pcma(CALLER)) };
    let caller = caller_with(config, params);
    let info = setup_info(&offered_by(&caller.signals[0], self::config()));
    assert!(!info.caller_presentable);
    assert_eq!(info.display, None);
    assert_eq!(info.caller_number.map(|number| number.presentation), Some(Presentation::Restricted));
}

#[test]
fn without_a_number_the_uuie_says_whether_the_caller_may_be_shown() {
    let mut setup = caller(config()).signals[0].clone();
    if let Some(Body::Setup(uuie)) = setup.uuie.as_mut().map(|uuie| &mut uuie.h323_uu_pdu.h323_message_body) {
        uuie.presentation_indicator = Some(offhook_wire::h225::PresentationIndicator::PresentationRestricted);
    }
    assert!(!setup_info(&offered_by(&setup, config())).caller_presentable);
}

#[test]
fn a_redirecting_number_says_who_diverted_and_why() {
    let redirecting =
        Redirecting { number: national("300", Presentation::Allowed), reason: Some(Redirecting::NO_REPLY) };
    let params =
        OutgoingParams { redirecting: Some(redirecting.clone()), ..outgoing_params(1, pcma(CALLER)) };
    let caller = caller_with(config(), params);
    let info = setup_info(&offered_by(&caller.signals[0], config()));
    assert_eq!(info.redirecting, Some(redirecting));
}

// --- forwarding (H.323 8.1.8, 8.4.3) ----------------------------------------------------------------------------

fn transport(octets: [u8; 4], port: u16) -> TransportAddress {
    TransportAddress::IpAddress(TransportAddressIpAddress::new(octets, port))
}

fn facility(reason: FacilityReason, address: Option<TransportAddress>) -> CallSignal {
    let mut uuie = FacilityUuie::new(PROTOCOL, reason);
    uuie.alternative_address = address;
    uuie.conference_id = Some([5; 16]);
    of(Body::Facility(uuie.into()), true)
}

fn forward_of(script: &Script) -> Option<&offhook_h323::Forward> {
    script.events.iter().find_map(|event| match event {
        Event::ForwardRequested(forward) => Some(&**forward),
        _ => None,
    })
}

#[test]
fn every_kind_of_forward_is_followed_or_refused_by_policy() {
    let there = transport([10, 0, 0, 3], 1720);
    for (reason, kind) in [
        (FacilityReason::CallForwarded, ForwardKind::CallForwarded),
        (FacilityReason::RouteCallToGatekeeper, ForwardKind::RouteCallToGatekeeper),
        (FacilityReason::RouteCallToMC, ForwardKind::RouteCallToMc),
    ] {
        let mut follower = caller(config());
        follower.signal(&facility(reason.clone(), Some(there.clone())));
        let forward = forward_of(&follower).expect("told");
        assert_eq!((forward.kind, forward.followed), (kind, true));
        assert_eq!(forward.address, Some(([10, 0, 0, 3], 1720).into()));
        assert_eq!(forward.conference_id, Some([5; 16]));
        let info = released(&follower).expect("this call is over");
        assert_eq!(info.reason, Some(ReleaseReason::FacilityCallDeflection));
        assert_eq!(last(&follower).q931.message_type, MessageType::RELEASE_COMPLETE);

        let mut stayer = caller(Config { forwarding: Forwarding::REFUSE, ..config() });
        stayer.signal(&facility(reason, Some(there.clone())));
        assert!(!forward_of(&stayer).expect("told").followed);
        assert_eq!(released(&stayer), None, "whoever forwards in vain may still answer");
    }
}

#[test]
fn forwards_end_at_the_limit() {
    for (forwards, followed) in [(4, true), (5, false)] {
        let params = OutgoingParams { forwards, ..outgoing_params(1, pcma(CALLER)) };
        let mut caller = caller_with(config(), params);
        caller.signal(&facility(FacilityReason::CallForwarded, Some(transport([10, 0, 0, 3], 1720))));
        assert_eq!(forward_of(&caller).expect("told").followed, followed);
        let reason = released(&caller).expect("released").reason;
        let expected =
            if followed { ReleaseReason::FacilityCallDeflection } else { ReleaseReason::HopCountExceeded };
        assert_eq!(reason, Some(expected));
    }
}

#[test]
fn a_forward_to_nowhere_or_of_a_call_that_stands_changes_nothing() {
    let mut caller = caller(config());
    caller.signal(&facility(FacilityReason::CallForwarded, None));
    assert!(!forward_of(&caller).expect("told").followed);
    caller.signal(&connect());
    caller.forget();
    caller.signal(&facility(FacilityReason::CallForwarded, Some(transport([10, 0, 0, 3], 1720))));
    assert!(!forward_of(&caller).expect("told").followed);
    assert_eq!(released(&caller), None);
    caller.forget();
    caller.signal(&facility(FacilityReason::RouteCallToMC, Some(transport([10, 0, 0, 3], 1720))));
    assert!(forward_of(&caller).expect("told").followed, "into a conference a call may go at any time");
    // A called side places no calls.
    let mut called = offered(config());
    let mut signal = facility(FacilityReason::CallForwarded, Some(transport([10, 0, 0, 3], 1720)));
    signal.q931.call_reference = CallReference::new(77, false);
    called.signal(&signal);
    assert!(!forward_of(&called).expect("told").followed);
    assert_eq!(released(&called), None);
}

#[test]
fn a_called_side_deflects_and_the_caller_goes_or_is_let_go() {
    let mut caller = caller(config());
    let mut called = offered_by(&caller.signals[0].clone(), config());
    let there = ([10, 0, 0, 3], 1720).into();
    assert!(!called.call.deflect(called.now, None, &[]));
    assert!(called.call.deflect(called.now, Some(there), &[Alias::from_text("carol")]));
    called.drain();
    for signal in called.signals.clone() {
        caller.signal(&signal);
    }
    let forward = forward_of(&caller).expect("told");
    assert_eq!((forward.address, forward.followed), (Some(there), true));
    assert_eq!(forward.aliases, [Alias::from_text("carol")]);
    let release = last(&caller).clone();
    called.signal(&release);
    let info = released(&called).expect("the caller has gone");
    assert_eq!((info.origin, info.reason), (Origin::Remote, Some(ReleaseReason::FacilityCallDeflection)));

    let mut called = offered(config());
    assert!(called.call.deflect(called.now, Some(there), &[]));
    called.drain();
    called.wait(SECOND * 5);
    let info = released(&called).expect("released");
    assert_eq!(info.origin, Origin::Timer(Timer::Deflection));
    assert_eq!(info.reason, Some(ReleaseReason::FacilityCallDeflection));
}

// --- conferences ------------------------------------------------------------------------------------------------

#[test]
fn a_conference_is_made_joined_or_invited_to() {
    for goal in [ConferenceGoal::Create, ConferenceGoal::Join, ConferenceGoal::Invite] {
        let params = OutgoingParams { goal, conference_id: [3; 16], ..outgoing_params(1, pcma(CALLER)) };
        let caller = caller_with(config(), params);
        let called = offered_by(&caller.signals[0], config());
        let info = setup_info(&called);
        assert_eq!((info.goal, info.conference_id, info.call_identifier), (goal, [3; 16], [7; 16]));
        assert_eq!((called.call.conference_id(), called.call.call_identifier()), ([3; 16], [7; 16]));
    }
}

#[test]
fn the_call_identifier_is_in_every_message_of_the_call() {
    let mut caller = caller(config());
    let mut called = Script::called(config());
    let mut seen = 0;
    for _ in 0..4 {
        for signal in std::mem::take(&mut caller.signals) {
            seen += 1;
            assert_identified(&signal);
            called.signal(&signal);
        }
        if called.events.iter().any(|event| matches!(event, Event::Setup(_))) {
            called.call.set_media(called.now, pcma(CALLED));
            called.call.accept(called.now);
            called.call.answer(called.now);
        }
        called.drain();
        for signal in std::mem::take(&mut called.signals) {
            seen += 1;
            assert_identified(&signal);
            caller.signal(&signal);
        }
    }
    caller.call.release(caller.now, Release::normal());
    caller.drain();
    assert_identified(last(&caller));
    assert!(seen > 4);
}

fn assert_identified(signal: &CallSignal) {
    let id = match signal.body().expect("a UUIE") {
        Body::Setup(uuie) => uuie.call_identifier.clone(),
        Body::CallProceeding(uuie) => uuie.call_identifier.clone(),
        Body::Alerting(uuie) => uuie.call_identifier.clone(),
        Body::Connect(uuie) => uuie.call_identifier.clone(),
        Body::Facility(uuie) => uuie.call_identifier.clone(),
        Body::ReleaseComplete(uuie) => uuie.call_identifier.clone(),
        // The empty body has no place for it.
        Body::Empty => return,
        other => panic!("{other:?}"),
    };
    assert_eq!(id.map(|id| id.guid), Some([7; 16]), "{:?}", signal.q931.message_type);
}

#[test]
fn a_setup_that_is_no_call_does_not_ring() {
    let mut setup = caller(config()).signals[0].clone();
    if let Some(Body::Setup(uuie)) = setup.uuie.as_mut().map(|uuie| &mut uuie.h323_uu_pdu.h323_message_body) {
        uuie.conference_goal = SetupUuieConferenceGoal::CallIndependentSupplementaryService;
    }
    let called = offered_by(&setup, config());
    assert!(!called.events.iter().any(|event| matches!(event, Event::Setup(_))));
    assert_eq!(last(&called).q931.cause(), Some(Cause::SERVICE_NOT_IMPLEMENTED));
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
