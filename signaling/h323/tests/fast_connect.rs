//! Fast connect's answer (H.323 8.1.7.1): in which message it travels, whose order decides, how long packets are.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::script::{Script, join};
use common::signals::{self, PROTOCOL};
use common::{CALLED, CALLER, media};
use offhook_h323::{
    Action, AudioCodec, CallState, Channel, ChannelPlan, CodecPreference, Config, Event, FastConnectAnswer,
    Flow, LocalMedia,
};
use offhook_wire::h225::{
    FacilityReason, FacilityUuie, H221NonStandard, H323UuPduH323MessageBody as Body, TransportAddress,
    TransportAddressIpAddress, VendorIdentifier,
};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::q931::{MessageType, ProgressIndicator};

const ALL: [FastConnectAnswer; 5] = [
    FastConnectAnswer::CallProceeding,
    FastConnectAnswer::Facility,
    FastConnectAnswer::Progress,
    FastConnectAnswer::Alerting,
    FastConnectAnswer::Connect,
];

fn config() -> Config {
    let mut config = Config { h245_after_fast_start: false, ..Config::default() };
    config.timers.round_trip_interval = None;
    config
}

/// The answer to fast connect that a message carries.
fn answer(signal: &CallSignal) -> Option<Vec<Bytes>> {
    match signal.body()? {
        Body::CallProceeding(uuie) => uuie.fast_start.clone(),
        Body::Facility(uuie) => uuie.fast_start.clone(),
        Body::Progress(uuie) => uuie.fast_start.clone(),
        Body::Alerting(uuie) => uuie.fast_start.clone(),
        Body::Connect(uuie) => uuie.fast_start.clone(),
        _ => None,
    }
}

fn is_refusal(signal: &CallSignal) -> bool {
    match signal.body() {
        Some(Body::CallProceeding(uuie)) => uuie.fast_connect_refused.is_some(),
        Some(Body::Facility(uuie)) => uuie.fast_connect_refused.is_some(),
        Some(Body::Progress(uuie)) => uuie.fast_connect_refused.is_some(),
        Some(Body::Alerting(uuie)) => uuie.fast_connect_refused.is_some(),
        Some(Body::Connect(uuie)) => uuie.fast_connect_refused.is_some(),
        _ => false,
    }
}

fn carriers(signals: &[CallSignal]) -> Vec<MessageType> {
    signals.iter().filter(|s| answer(s).is_some()).map(|s| s.q931.message_type).collect()
}

fn opened(events: &[Event]) -> Vec<ChannelPlan> {
    let plans = events.iter().filter_map(|event| match event {
        Event::ChannelOpened(plan) => Some(*plan),
        _ => None,
    });
    plans.collect()
}

fn codecs() -> LocalMedia {
    media(CALLED, &[AudioCodec::Pcma, AudioCodec::Pcmu])
}

/// A called side that has a Setup with proposals; and the caller.
fn called_with(config: Config, setup: impl FnOnce(&mut CallSignal)) -> (Script, Script) {
    let mut caller = Script::caller(self::config(), media(CALLER, &[AudioCodec::Pcma, AudioCodec::Pcmu]));
    let mut called = Script::called(config);
    setup(&mut caller.signals[0]);
    called.signal(&caller.signals[0].clone());
    caller.forget();
    (caller, called)
}

/// Setup says whose it is.
fn comes_from(setup: &mut CallSignal, codes: (u8, u8, u16), product: &'static [u8]) {
    let uuie = setup.uuie.as_mut().unwrap();
    let Body::Setup(setup) = &mut uuie.h323_uu_pdu.h323_message_body else { panic!("Setup") };
    let mut vendor = VendorIdentifier::new(H221NonStandard::new(codes.0, codes.1, codes.2));
    vendor.product_id = Some(Bytes::from_static(product));
    setup.source_info.vendor = Some(vendor);
}

/// What the called side says when its media side is known after 100 ms, it rings after 200 and answers after 300.
fn play(called: &mut Script) {
    let step = Duration::from_millis(100);
    called.wait(step);
    called.call.set_media(called.now, codecs());
    called.drain();
    called.wait(step);
    called.call.accept(called.now);
    called.drain();
    called.wait(step);
    called.call.answer(called.now);
    called.drain();
}

fn kind(answer: FastConnectAnswer) -> MessageType {
    match answer {
        FastConnectAnswer::CallProceeding => MessageType::CALL_PROCEEDING,
        FastConnectAnswer::Facility => MessageType::FACILITY,
        FastConnectAnswer::Progress => MessageType::PROGRESS,
        FastConnectAnswer::Alerting => MessageType::ALERTING,
        FastConnectAnswer::Connect => MessageType::CONNECT,
    }
}

#[test]
fn the_answer_leaves_in_the_message_of_choice_and_every_caller_takes_it_from_there() {
    for choice in ALL {
        let (mut caller, mut called) =
            called_with(Config { fast_connect_answer: choice, ..config() }, |_| {});
        play(&mut called);
        assert_eq!(carriers(&called.signals), [kind(choice)], "{choice:?}");
        let mut at = None;
        for signal in &called.signals {
            caller.signal(signal);
            if !opened(&caller.events).is_empty() && at.is_none() {
                at = Some(signal.q931.message_type);
            }
        }
        assert_eq!(at, Some(kind(choice)), "{choice:?}");
        let (ours, theirs) = (opened(&called.events), opened(&caller.events));
        assert_eq!((ours.len(), theirs.len()), (2, 2), "{choice:?}");
        assert!(ours.iter().all(|plan| plan.early == (choice != FastConnectAnswer::Connect)), "{choice:?}");
        for script in [&caller, &called] {
            assert_eq!(script.call.state(), CallState::Active, "{choice:?}");
        }
    }
}

#[test]
fn what_brings_the_answer_says_why_it_comes() {
    let of = |choice| {
        let (_, mut called) = called_with(Config { fast_connect_answer: choice, ..config() }, |_| {});
        play(&mut called);
        called.signals.into_iter().find(|signal| answer(signal).is_some()).unwrap()
    };
    let facility = of(FastConnectAnswer::Facility);
    let Some(Body::Facility(uuie)) = facility.body() else { panic!("{facility:?}") };
    assert_eq!(uuie.reason, FacilityReason::ForwardedElements);
    let progress = of(FastConnectAnswer::Progress);
    let description = progress.q931.readable::<ProgressIndicator>().map(|p| p.description);
    assert_eq!(description, Some(ProgressIndicator::INBAND_INFORMATION));
}

#[test]
fn call_proceeding_waits_for_the_media_side_and_not_for_ever() {
    let choice = Config { fast_connect_answer: FastConnectAnswer::CallProceeding, ..config() };
    let (_, mut called) = called_with(choice.clone(), |_| {});
    assert!(called.signals.is_empty(), "{:?}", called.signals);
    called.wait(Duration::from_millis(1999));
    assert!(called.signals.is_empty());
    called.wait(Duration::from_millis(1));
    assert_eq!(called.signals.len(), 1, "CallProceeding");
    play(&mut called);
    assert_eq!(carriers(&called.signals), [MessageType::ALERTING], "the next message that can carry it");

    // Without proposals there is nothing to wait for.
    let (_, called) = called_with(choice.clone(), |setup| {
        let uuie = setup.uuie.as_mut().unwrap();
        let Body::Setup(setup) = &mut uuie.h323_uu_pdu.h323_message_body else { panic!("Setup") };
        setup.fast_start = None;
    });
    assert_eq!(called.signals.len(), 1);

    // The application is faster than its media side.
    let (_, mut called) = called_with(choice, |_| {});
    called.call.accept(called.now);
    called.drain();
    called.wait(Duration::from_secs(3));
    let kinds: Vec<MessageType> = called.signals.iter().map(|s| s.q931.message_type).collect();
    assert_eq!(kinds, [MessageType::ALERTING], "CallProceeding does not follow Alerting");
}

#[test]
fn a_caller_that_wants_no_media_before_connect_gets_the_answer_in_connect() {
    for choice in ALL {
        let (_, mut called) = called_with(Config { fast_connect_answer: choice, ..config() }, |setup| {
            let uuie = setup.uuie.as_mut().unwrap();
            let Body::Setup(setup) = &mut uuie.h323_uu_pdu.h323_message_body else { panic!("Setup") };
            setup.media_wait_for_connect = Some(true);
        });
        play(&mut called);
        assert_eq!(carriers(&called.signals), [MessageType::CONNECT], "{choice:?}");
    }
}

#[test]
fn a_repeated_answer_is_the_same_in_every_message_and_opens_nothing_anew() {
    let repeating = Config {
        fast_connect_answer: FastConnectAnswer::CallProceeding,
        repeat_fast_connect_answer: true,
        ..config()
    };
    let (mut caller, mut called) = called_with(repeating, |_| {});
    play(&mut called);
    let everywhere = [MessageType::CALL_PROCEEDING, MessageType::ALERTING, MessageType::CONNECT];
    assert_eq!(carriers(&called.signals), everywhere);
    let answers: Vec<_> = called.signals.iter().filter_map(answer).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    for signal in &called.signals {
        caller.signal(signal);
        assert_eq!(opened(&caller.events).len(), 2, "{:?}", signal.q931.message_type);
    }
    assert_eq!(caller.call.protocol_errors(), 0);
}

#[test]
fn a_refusal_goes_with_the_first_message_after_it_is_known() {
    for (choice, first) in [
        (FastConnectAnswer::CallProceeding, MessageType::CALL_PROCEEDING),
        (FastConnectAnswer::Facility, MessageType::FACILITY),
        (FastConnectAnswer::Progress, MessageType::ALERTING),
        (FastConnectAnswer::Alerting, MessageType::ALERTING),
        (FastConnectAnswer::Connect, MessageType::CONNECT),
    ] {
        let (mut caller, mut called) =
            called_with(Config { fast_connect_answer: choice, ..config() }, |_| {});
        called.call.set_media(called.now, media(CALLED, &[AudioCodec::G728]));
        called.drain();
        called.call.accept(called.now);
        called.call.answer(called.now);
        called.drain();
        let refusals = called.signals.iter().filter(|s| is_refusal(s)).map(|s| s.q931.message_type);
        assert_eq!(refusals.collect::<Vec<_>>(), [first], "{choice:?}");
        assert!(carriers(&called.signals).is_empty());
        for signal in &called.signals {
            caller.signal(signal);
        }
        assert!(opened(&caller.events).is_empty());
        assert!(!caller.h245.is_empty(), "{choice:?}: slow start takes its place");
    }
    // A side that does no fast connect can say so at once.
    let (_, called) = called_with(Config { fast_start: false, ..config() }, |_| {});
    assert!(is_refusal(&called.signals[0]));
    assert_eq!(called.signals[0].q931.message_type, MessageType::CALL_PROCEEDING);
}

#[test]
fn the_order_of_either_side_or_the_lowest_rate_decides_what_the_answer_takes() {
    use AudioCodec::{G729, Pcma, Pcmu};
    for (preference, codec) in
        [(CodecPreference::Local, Pcma), (CodecPreference::Remote, Pcmu), (CodecPreference::LowestRate, G729)]
    {
        let mut caller = Script::caller(config(), media(CALLER, &[Pcmu, G729, Pcma]));
        let mut called = Script::called(Config { codec_preference: preference, ..config() });
        called.signal(&caller.signals[0].clone());
        called.call.set_media(called.now, media(CALLED, &[Pcma, Pcmu, G729]));
        called.call.accept(called.now);
        called.drain();
        for signal in &called.signals {
            caller.signal(signal);
        }
        for script in [&caller, &called] {
            let plans = opened(&script.events);
            assert_eq!(plans.len(), 2, "{preference:?}");
            assert!(plans.iter().all(|plan| plan.codec == codec), "{preference:?}: {plans:?}");
        }
    }
}

#[test]
fn packets_of_fast_connect_keep_to_what_each_side_can_take() {
    let with = |side: usize, packet_ms: u16, max_packet_ms: u16| {
        let mut media = media(side, &[AudioCodec::Pcma]);
        for offer in &mut media.sessions[0].codecs {
            (offer.packet_ms, offer.max_packet_ms) = (packet_ms, max_packet_ms);
        }
        media
    };
    // Packets of the caller, of the called side: wanted and most; then what both send.
    for (caller_ms, called_ms, sent) in [
        ((20, 60), (20, 60), 20),
        ((40, 60), (20, 20), 20),
        ((10, 20), (30, 60), 10),
        ((40, 40), (50, 60), 40),
    ] {
        let mut caller = Script::caller(config(), with(CALLER, caller_ms.0, caller_ms.1));
        let mut called = Script::called(config());
        let mut seen = Vec::new();
        join(&mut caller, &mut called, |script, event| match event {
            Event::Setup(_) => {
                let now = script.now;
                script.call.set_media(now, with(CALLED, called_ms.0, called_ms.1));
                script.call.answer(now);
            }
            Event::ChannelOpened(plan) => seen.push((plan.flow, plan.packet_ms)),
            _ => {}
        });
        let flow = |wanted| seen.iter().filter(move |(flow, _)| *flow == wanted).map(|(_, ms)| *ms);
        assert_eq!(flow(Flow::Transmit).collect::<Vec<_>>(), [sent; 2], "{caller_ms:?} {called_ms:?}");
        assert!(flow(Flow::Receive).all(|ms| ms >= sent), "{caller_ms:?} {called_ms:?}");
        assert_eq!(called.call.state(), CallState::Active);
    }
}

#[test]
fn the_called_side_asks_for_h245_when_a_caller_without_tunnel_does_not() {
    let after = Config { h245_after_fast_start: true, ..config() };
    let connected = |config: Config| {
        let (_, mut called) = called_with(config, |setup| {
            setup.uuie.as_mut().unwrap().h323_uu_pdu.h245_tunnelling = Some(false);
        });
        play(&mut called);
        assert_eq!(opened(&called.events).len(), 2);
        called.forget();
        called
    };
    let turn = Config::default().timers.h245_turn;
    let mut called = connected(after.clone());
    called.wait(turn - Duration::from_millis(1));
    assert!(called.actions.is_empty(), "the caller comes first: {:?}", called.actions);
    called.wait(Duration::from_millis(1));
    assert_eq!(called.actions, [Action::ListenH245]);
    called.call.h245_listening(called.now, ([10, 0, 0, 2], 7000).into());
    called.drain();
    let Some(Body::Facility(uuie)) = called.signals[0].body() else { panic!("{:?}", called.signals) };
    assert_eq!(uuie.reason, FacilityReason::StartH245);
    assert!(uuie.h245_address.is_some());
    called.call.handle_connected(called.now, Channel::H245);
    called.drain();
    assert_eq!(called.h245.len(), 2, "capabilities and determination");
    // A caller that never comes loses the keys by H.245, not the call.
    let mut alone = connected(after.clone());
    alone.wait(Duration::from_secs(200));
    assert_eq!(alone.call.state(), CallState::Active);

    // One that says where it listens is connected to at once, and nobody is asked again.
    let mut called = connected(after);
    let mut start = FacilityUuie::new(PROTOCOL, FacilityReason::StartH245);
    start.h245_address =
        Some(TransportAddress::IpAddress(TransportAddressIpAddress::new([10, 0, 0, 1], 7001)));
    called.signal(&signals::of(Body::Facility(start.into()), false));
    assert_eq!(called.actions, [Action::ConnectH245(([10, 0, 0, 1], 7001).into())]);
    called.forget();
    called.wait(turn);
    assert!(called.actions.is_empty() && called.signals.is_empty());

    // ooh323c says that it tunnels, and does not.
    let (_, mut called) = called_with(Config { h245_after_fast_start: true, ..config() }, |setup| {
        comes_from(setup, (181, 0, 54), b"objsys");
    });
    play(&mut called);
    called.wait(turn);
    let said: Vec<_> = called.signals.iter().filter_map(|signal| signal.uuie.as_ref()).collect();
    assert!(said.iter().all(|uuie| uuie.h323_uu_pdu.h245_tunnelling == Some(false)));
    assert!(called.h245.is_empty() && called.actions.contains(&Action::ListenH245), "{:?}", called.actions);

    // Nobody wants it.
    let mut called = connected(config());
    called.wait(turn * 2);
    assert!(called.actions.is_empty());
}

#[test]
fn callers_that_are_known_for_it_are_answered_with_what_they_recognise() {
    let session = |signals: &[CallSignal]| signals.iter().filter_map(answer).collect::<Vec<_>>();
    // ooh323c finds its first proposals again and no other: ours would be A-law.
    let ours = Config { codec_preference: CodecPreference::Local, ..config() };
    let play_as = |product: &'static [u8]| {
        let proposals = media(CALLER, &[AudioCodec::Pcmu, AudioCodec::Pcma]);
        let mut caller = Script::caller(config(), proposals);
        comes_from(&mut caller.signals[0], (181, 0, 54), product);
        let mut called = Script::called(ours.clone());
        called.signal(&caller.signals[0].clone());
        play(&mut called);
        opened(&called.events)
    };
    assert!(play_as(b"objsys").iter().all(|plan| plan.codec == AudioCodec::Pcmu));
    assert!(play_as(b"other").iter().all(|plan| plan.codec == AudioCodec::Pcma));

    // chan_ooh323 makes a connection for H.245 when Connect says where.
    for (product, asks) in [(&b"ooh323"[..], true), (b"other", false)] {
        let (_, mut called) = called_with(Config { h245_after_fast_start: true, ..config() }, |setup| {
            setup.uuie.as_mut().unwrap().h323_uu_pdu.h245_tunnelling = Some(false);
            comes_from(setup, (184, 0, 39), product);
        });
        play(&mut called);
        assert_eq!(called.actions.contains(&Action::ListenH245), asks);
        if asks {
            called.call.h245_listening(called.now, ([10, 0, 0, 2], 7000).into());
            called.drain();
        }
        assert_eq!(called.call.state(), CallState::Active);
        let connect = called.signals.iter().find_map(|signal| match signal.body() {
            Some(Body::Connect(uuie)) => Some(uuie.h245_address.is_some()),
            _ => None,
        });
        assert_eq!(connect, Some(asks));
        assert_eq!(session(&called.signals).len(), 1, "fast connect all the same");
    }
}
