//! What calls say beside their state, by hand: Notify, Progress, user-user, numbers, forwards, conferences.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::script::{Script, join};
use common::signals::{
    PROTOCOL, bare, caller, caller_with, config, connect, last, message, of, offered, offered_by, pcma,
    released, setup_info,
};
use common::{CALLED, CALLER, outgoing_params};
use offhook_h323::{
    Alias, Cause, ConferenceGoal, Config, Event, ForwardKind, Forwarding, Number, Origin, OutgoingParams,
    Presentation, Redirecting, Release, ReleaseReason, Screening, Timer, TypeOfNumber, UserUser,
};
use offhook_wire::h225::{
    FacilityReason, FacilityUuie, H323UuPduH323MessageBody as Body, SetupUuieConferenceGoal,
    TransportAddress, TransportAddressIpAddress,
};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::q931::{
    CallReference, ElementId, InformationElement, MessageType, NotificationIndicator, ProgressIndicator,
};

const SECOND: Duration = Duration::from_secs(1);

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
