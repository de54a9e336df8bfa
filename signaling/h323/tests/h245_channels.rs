//! Logical channels with a peer that the test plays: LCSE, B-LCSE, CLCSE, MRSE, flow control and rates.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;
mod peer;

use std::time::Duration;

use common::script::Script;
use common::{CALLER, media};
use offhook_h323::{AudioCodec, Config, Event, Flow, ModeResponse};
use peer::{ack, address, audio, close, config, open, ready, reject, transmitting};
use serde_json::{Value, json};

const CODECS: [AudioCodec; 3] = [AudioCodec::Pcma, AudioCodec::Pcmu, AudioCodec::G729];

/// Capabilities that match [`CODECS`].
fn table() -> Vec<Value> {
    vec![audio(json!({"g711Alaw64k": 20})), audio(json!({"g711Ulaw64k": 20})), audio(json!({"g729": 4}))]
}

fn caller() -> Script {
    transmitting(config(), media(CALLER, &CODECS), &table(), "master")
}

fn codecs(script: &Script, flow: Flow) -> Vec<AudioCodec> {
    let opened = script.events.iter().filter_map(|event| match event {
        Event::ChannelOpened(plan) if plan.flow == flow => Some(plan.codec),
        _ => None,
    });
    opened.collect()
}

fn closed(script: &Script, flow: Flow) -> usize {
    let closed = |e: &&Event| matches!(e, Event::ChannelClosed { flow: f, .. } if *f == flow);
    script.events.iter().filter(closed).count()
}

#[test]
fn every_reject_leads_somewhere_the_next_codec_a_smaller_one_or_nowhere() {
    for (cause, next) in [
        ("unspecified", Some("g711Ulaw64k")),
        ("unsuitableReverseParameters", Some("g711Ulaw64k")),
        ("dataTypeNotSupported", Some("g711Ulaw64k")),
        ("dataTypeNotAvailable", Some("g711Ulaw64k")),
        ("unknownDataType", Some("g711Ulaw64k")),
        ("dataTypeALCombinationNotSupported", Some("g711Ulaw64k")),
        ("multicastChannelNotAllowed", Some("g711Ulaw64k")),
        ("insufficientBandwidth", Some("g729")),
        ("separateStackEstablishmentFailed", Some("g711Ulaw64k")),
        ("invalidSessionID", None),
        ("masterSlaveConflict", None),
        ("waitForCommunicationMode", None),
        ("invalidDependentChannel", Some("g711Ulaw64k")),
        ("replacementForRejected", Some("g711Ulaw64k")),
        ("securityDenied", None),
        ("qoSControlNotSupported", Some("g711Ulaw64k")),
    ] {
        let mut caller = ready(config(), media(CALLER, &CODECS), &table(), "slave");
        caller.forget();
        caller.say(reject(101, cause));
        let opened = caller.opened();
        match next {
            Some(codec) => {
                assert_eq!(opened.len(), 1, "{cause}");
                assert_eq!(opened[0].0, 102, "{cause}: a new number");
                assert!(opened[0].1["audioData"].get(codec).is_some(), "{cause}: {opened:?}");
            }
            None => assert!(opened.is_empty(), "{cause}: {opened:?}"),
        }
        let given_up = caller.events.contains(&Event::ChannelRejected { session_id: 1 });
        assert_eq!(given_up, next.is_none() && cause != "masterSlaveConflict", "{cause}");
        // The next set is a new chance.
        caller.forget();
        caller.say(peer::set(2, &table(), None));
        assert_eq!(caller.opened().len(), usize::from(given_up || cause == "masterSlaveConflict"), "{cause}");
        caller.wait(Duration::from_secs(200));
        assert_eq!(caller.call.poll_timeout(), None, "{cause}");
    }
}

#[test]
fn who_loses_a_conflict_sends_what_it_receives() {
    let mut caller = ready(config(), media(CALLER, &CODECS), &table(), "slave");
    caller.say(reject(101, "masterSlaveConflict"));
    caller.forget();
    caller.say(open(7, json!({"audioData": {"g729": 2}})));
    let opened = caller.opened();
    assert_eq!(opened.len(), 1);
    assert!(opened[0].1["audioData"].get("g729").is_some(), "{opened:?}");
}

#[test]
fn bandwidth_bounds_what_is_opened_and_taken() {
    let mut caller = ready(config(), media(CALLER, &CODECS), &table(), "slave");
    caller.say(ack(101));
    caller.call.set_bandwidth(caller.now, Some(75_000));
    let answer = caller.answer(open(7, json!({"audioData": {"g711Alaw64k": 20}})));
    assert!(
        answer[0]["response"]["openLogicalChannelReject"]["cause"].get("insufficientBandwidth").is_some()
    );
    let answer = caller.answer(open(7, json!({"audioData": {"g729": 2}})));
    assert!(answer[0]["response"].get("openLogicalChannelAck").is_some(), "{answer:?}");

    let mut caller = peer::answered(config(), media(CALLER, &CODECS));
    caller.call.set_bandwidth(caller.now, Some(20_000));
    caller.say(peer::set(1, &table(), None));
    caller.say(json!({"response": {"terminalCapabilitySetAck": {"sequenceNumber": 1}}}));
    caller.say(json!({"response": {"masterSlaveDeterminationAck": {"decision": {"master": null}}}}));
    assert!(caller.opened()[0].1["audioData"].get("g729").is_some(), "{:?}", caller.opened());
}

#[test]
fn a_codec_changes_in_a_channel_of_its_own_without_a_gap() {
    let mut caller = caller();
    assert!(caller.call.change_codec(caller.now, 1, AudioCodec::G729));
    caller.drain();
    assert_eq!(caller.opened().len(), 1);
    assert_eq!(caller.opened()[0].0, 102);
    assert!(caller.names() == ["openLogicalChannel"], "the old one stays: {:?}", caller.names());
    caller.forget();
    caller.say(ack(102));
    assert_eq!(codecs(&caller, Flow::Transmit), [AudioCodec::G729]);
    assert_eq!(closed(&caller, Flow::Transmit), 0, "another has taken its place");
    assert_eq!(caller.names(), ["closeLogicalChannel"]);
    assert!(!caller.call.change_codec(caller.now, 1, AudioCodec::G728), "not a codec of ours");
}

#[test]
fn a_peer_that_takes_no_second_channel_gets_the_new_one_after_the_old() {
    let mut caller = caller();
    caller.call.change_codec(caller.now, 1, AudioCodec::Pcmu);
    caller.drain();
    caller.forget();
    caller.say(reject(102, "unspecified"));
    assert_eq!(caller.names(), ["closeLogicalChannel", "openLogicalChannel"]);
    assert_eq!(closed(&caller, Flow::Transmit), 1);
    assert!(caller.opened()[0].1["audioData"].get("g711Ulaw64k").is_some());
    caller.forget();
    caller.say(ack(103));
    assert_eq!(codecs(&caller, Flow::Transmit), [AudioCodec::Pcmu]);
}

#[test]
fn a_codec_that_the_peer_no_longer_takes_is_replaced() {
    let mut caller = caller();
    let fewer: Vec<Value> = table().split_off(1);
    let mut set = peer::set(2, &fewer, None);
    // Entry 1 was A-law: it is withdrawn.
    set["request"]["terminalCapabilitySet"]["capabilityTable"] = json!([
        {"capabilityTableEntryNumber": 1},
    ]);
    caller.say(set);
    let opened = caller.opened();
    assert_eq!(opened.len(), 1, "{:?}", caller.names());
    assert!(opened[0].1["audioData"].get("g711Ulaw64k").is_some());
    // Of ours as well.
    caller.say(ack(102));
    caller.forget();
    caller.call.set_media(caller.now, media(CALLER, &[AudioCodec::G729]));
    caller.drain();
    assert_eq!(caller.names(), ["terminalCapabilitySet"], "channels change when the peer knows");
    caller.forget();
    caller.say(json!({"response": {"terminalCapabilitySetAck": {"sequenceNumber": 2}}}));
    assert!(caller.opened()[0].1["audioData"].get("g729").is_some(), "{:?}", caller.names());
}

#[test]
fn a_request_for_a_mode_changes_what_we_send() {
    let mode =
        |modes: Value| json!({"request": {"requestMode": {"sequenceNumber": 9, "requestedModes": modes}}});
    let audio_mode = |name: &str| json!({"type": {"audioMode": {name: null}}});
    let video = json!({"type": {"videoMode": {"h261VideoMode": {
        "resolution": {"cif": null}, "bitRate": 1000, "stillImageTransmission": false,
    }}}});
    let mut caller = caller();
    let answer = caller.answer(mode(json!([[audio_mode("g711Ulaw64k"), video], [audio_mode("g729")]])));
    let said = &answer[0]["response"]["requestModeAck"];
    assert!(said["response"].get("willTransmitLessPreferredMode").is_some(), "{answer:?}");
    assert_eq!(said["sequenceNumber"], 9);
    assert!(caller.opened()[0].1["audioData"].get("g729").is_some());
    caller.say(ack(102));
    assert_eq!(codecs(&caller, Flow::Transmit), [AudioCodec::G729]);
    // What we send already is as good as any.
    let answer = caller.answer(mode(json!([[audio_mode("g729")]])));
    assert_eq!(answer.len(), 1);
    assert!(
        answer[0]["response"]["requestModeAck"]["response"].get("willTransmitMostPreferredMode").is_some()
    );
    for refused in [json!([[audio_mode("g728")]]), json!([[audio_mode("g729"), audio_mode("g711Alaw64k")]])] {
        let answer = caller.answer(mode(refused));
        assert!(answer[0]["response"]["requestModeReject"]["cause"].get("modeUnavailable").is_some());
    }
    assert!(caller.answer(json!({"indication": {"requestModeRelease": {}}})).is_empty());
}

#[test]
fn our_request_for_a_mode_ends_in_every_way() {
    let mut caller = caller();
    let ask = |caller: &mut Script| {
        caller.forget();
        assert!(caller.call.request_mode(caller.now, &[AudioCodec::G729, AudioCodec::Pcmu]));
        caller.drain();
        let request = caller.said()[0]["request"]["requestMode"].clone();
        assert_eq!(request["requestedModes"][0][0]["type"]["audioMode"], json!({"g729": null}));
        caller.forget();
        request["sequenceNumber"].as_u64().unwrap()
    };
    let response = |caller: &Script| match caller.events.as_slice() {
        [Event::ModeResponse(response)] => Some(*response),
        _ => None,
    };
    let first = ask(&mut caller);
    let second = ask(&mut caller);
    let ack = |n: u64, how: &str| json!({"response": {"requestModeAck": {"sequenceNumber": n, "response": {how: null}}}});
    caller.say(ack(first, "willTransmitMostPreferredMode"));
    assert_eq!(response(&caller), None, "an answer to the older request is none");
    caller.say(ack(second, "willTransmitLessPreferredMode"));
    assert_eq!(response(&caller), Some(ModeResponse::LessPreferred));
    let n = ask(&mut caller);
    caller.say(ack(n, "willTransmitMostPreferredMode"));
    assert_eq!(response(&caller), Some(ModeResponse::MostPreferred));
    let n = ask(&mut caller);
    caller.say(
        json!({"response": {"requestModeReject": {"sequenceNumber": n, "cause": {"requestDenied": null}}}}),
    );
    assert_eq!(response(&caller), Some(ModeResponse::Rejected));
    ask(&mut caller);
    caller.wait(Duration::from_secs(31));
    assert_eq!(response(&caller), Some(ModeResponse::Unanswered));
    assert_eq!(caller.names(), ["requestModeRelease"]);
    assert_eq!(caller.call.poll_timeout(), None);
}

/// A bidirectional channel of the peer: it sends and wants to receive.
fn bidirectional(number: u16) -> Value {
    let mut message = open(number, json!({"audioData": {"g711Ulaw64k": 20}}));
    message["request"]["openLogicalChannel"]["reverseLogicalChannelParameters"] = json!({
        "dataType": {"audioData": {"g729": 2}},
        "multiplexParameters": {"h2250LogicalChannelParameters": {
            "sessionID": 1, "mediaChannel": address(6000), "mediaControlChannel": address(6001),
        }},
    });
    message
}

fn confirm(number: u16) -> Value {
    json!({"indication": {"openLogicalChannelConfirm": {"forwardLogicalChannelNumber": number}}})
}

#[test]
fn a_bidirectional_channel_opens_one_way_with_our_ack_and_the_other_with_the_confirm() {
    let mut caller = ready(config(), media(CALLER, &CODECS), &table(), "slave");
    caller.forget();
    caller.say(bidirectional(40));
    // Ours, unanswered, gives way to the master's.
    assert_eq!(caller.names(), ["closeLogicalChannel", "openLogicalChannelAck"]);
    let ack = caller.said()[1]["response"]["openLogicalChannelAck"].clone();
    let reverse = &ack["reverseLogicalChannelParameters"];
    assert_eq!(reverse["reverseLogicalChannelNumber"], 102);
    assert_eq!(codecs(&caller, Flow::Receive), [AudioCodec::Pcmu]);
    assert!(codecs(&caller, Flow::Transmit).is_empty());
    caller.say(confirm(40));
    let plans: Vec<_> = caller
        .events
        .iter()
        .filter_map(|event| match event {
            Event::ChannelOpened(plan) if plan.flow == Flow::Transmit => Some(*plan),
            _ => None,
        })
        .collect();
    assert_eq!(plans.len(), 1);
    assert_eq!((plans[0].codec, plans[0].channel), (AudioCodec::G729, 102));
    assert_eq!(plans[0].remote_rtp, Some(([10, 0, 0, 2], 6000).into()));
    caller.forget();
    caller.say(close(40));
    assert_eq!(caller.names()[0], "closeLogicalChannelAck");
    assert_eq!((closed(&caller, Flow::Receive), closed(&caller, Flow::Transmit)), (1, 1));
    assert_eq!(caller.opened().len(), 1, "we send in a channel of our own again");
    caller.say(peer::ack(103));
    caller.say(json!({"response": {"closeLogicalChannelAck": {"forwardLogicalChannelNumber": 101}}}));
    assert_eq!(caller.call.poll_timeout(), None);
}

#[test]
fn a_bidirectional_channel_that_is_not_confirmed_goes_again() {
    let mut caller = ready(config(), media(CALLER, &CODECS), &table(), "slave");
    caller.say(bidirectional(40));
    caller.forget();
    caller.wait(Duration::from_secs(31));
    assert_eq!(closed(&caller, Flow::Receive), 1);
    assert_eq!(caller.opened().len(), 1, "we send in a channel of our own again");
    caller.say(confirm(40));
    assert!(codecs(&caller, Flow::Transmit).is_empty());
}

#[test]
fn the_master_refuses_a_bidirectional_channel_where_it_sends_itself() {
    let mut caller = caller();
    let answer = caller.answer(bidirectional(40));
    assert!(answer[0]["response"]["openLogicalChannelReject"]["cause"].get("masterSlaveConflict").is_some());
    let mut nowhere = bidirectional(40);
    nowhere["request"]["openLogicalChannel"]["reverseLogicalChannelParameters"]["multiplexParameters"] =
        json!({"h2250LogicalChannelParameters": {"sessionID": 1}});
    let answer = caller.answer(nowhere);
    let cause = &answer[0]["response"]["openLogicalChannelReject"]["cause"];
    assert!(cause.get("unsuitableReverseParameters").is_some(), "{answer:?}");
}

#[test]
fn a_pause_closes_what_we_send_in_a_channel_of_the_peer_by_asking() {
    let mut caller = ready(config(), media(CALLER, &CODECS), &table(), "slave");
    caller.say(bidirectional(40));
    caller.say(confirm(40));
    caller.forget();
    caller.say(json!({"request": {"terminalCapabilitySet": {
        "sequenceNumber": 2, "protocolIdentifier": "0.0.8.245.0.15",
    }}}));
    assert_eq!(caller.names(), ["terminalCapabilitySetAck", "requestChannelClose"]);
    assert_eq!(closed(&caller, Flow::Transmit), 1);
    caller.wait(Duration::from_secs(31));
    assert!(caller.names().contains(&"requestChannelCloseRelease".to_owned()));
    assert_eq!(caller.call.poll_timeout(), None);
}

#[test]
fn our_request_to_close_is_granted_refused_or_unanswered() {
    let mut caller = caller();
    assert!(!caller.call.request_channel_close(caller.now, 1, false), "nothing is received yet");
    let received = |caller: &mut Script| {
        caller.say(open(7, json!({"audioData": {"g711Alaw64k": 20}})));
        caller.forget();
        assert!(caller.call.request_channel_close(caller.now, 1, true));
        caller.drain();
        assert_eq!(caller.said()[0]["request"]["requestChannelClose"]["reason"], json!({"reopen": null}));
        caller.forget();
    };
    let refused = Event::ChannelCloseRefused { channel: 7 };
    received(&mut caller);
    caller.say(json!({"response": {"requestChannelCloseAck": {"forwardLogicalChannelNumber": 7}}}));
    caller.say(close(7));
    assert_eq!(caller.events, [Event::ChannelClosed { session_id: 1, flow: Flow::Receive, channel: 7 }]);
    caller.wait(Duration::from_secs(60));
    assert_eq!(caller.events.len(), 1);

    received(&mut caller);
    caller.say(json!({"response": {"requestChannelCloseReject": {
        "forwardLogicalChannelNumber": 7, "cause": {"unspecified": null},
    }}}));
    assert_eq!(caller.events, std::slice::from_ref(&refused));

    caller.forget();
    assert!(caller.call.request_channel_close(caller.now, 1, true));
    caller.wait(Duration::from_secs(31));
    assert_eq!(caller.events, [refused]);
    assert_eq!(caller.names(), ["requestChannelClose", "requestChannelCloseRelease"]);
    assert_eq!(caller.call.poll_timeout(), None);
}

fn flow(scope: Value, restriction: Value) -> Value {
    json!({"command": {"flowControlCommand": {"scope": scope, "restriction": restriction}}})
}

#[test]
fn flow_control_finds_a_codec_that_fits_or_tells_the_media_side() {
    let mut caller = caller();
    let channel = |number: u16| json!({"logicalChannelNumber": number});
    caller.say(flow(channel(101), json!({"maximumBitRate": 100})));
    assert_eq!(caller.events, [Event::RateLimited { session_id: 1, max_bit_rate: Some(10_000) }]);
    assert!(caller.opened()[0].1["audioData"].get("g729").is_some());
    caller.say(ack(102));
    caller.forget();
    caller.say(flow(json!({"wholeMultiplex": null}), json!({"maximumBitRate": 0})));
    assert_eq!(caller.events, [Event::RateLimited { session_id: 1, max_bit_rate: Some(0) }]);
    assert!(caller.h245.is_empty(), "no codec fits; the channel stays: {:?}", caller.names());
    caller.forget();
    caller.say(flow(channel(102), json!({"noRestriction": null})));
    assert_eq!(caller.events, [Event::RateLimited { session_id: 1, max_bit_rate: None }]);
    caller.forget();
    caller.say(flow(channel(555), json!({"maximumBitRate": 1})));
    assert!(caller.events.is_empty() && caller.h245.is_empty());
    let answer = caller.answer(flow(json!({"resourceID": 3}), json!({"noRestriction": null})));
    assert!(answer[0]["indication"].get("functionNotSupported").is_some());
}

#[test]
fn a_rate_is_granted_where_it_can_be_kept() {
    let mut caller = caller();
    let ask = |number: u16, rate: u32| {
        json!({"request": {"logicalChannelRateRequest": {
            "sequenceNumber": 3, "logicalChannelNumber": number, "maximumBitRate": rate,
        }}})
    };
    let answer = caller.answer(ask(101, 10));
    let said = &answer[0]["response"]["logicalChannelRateReject"];
    assert_eq!(said["currentMaximumBitRate"], 640, "{answer:?}");
    let answer = caller.answer(ask(555, 1000));
    assert!(answer[0]["response"].get("logicalChannelRateReject").is_some());
    let answer = caller.answer(ask(101, 80));
    assert_eq!(answer[0]["response"]["logicalChannelRateAcknowledge"]["maximumBitRate"], 80);
    assert!(caller.opened()[0].1["audioData"].get("g729").is_some(), "{answer:?}");
    caller.say(open(7, json!({"audioData": {"g711Alaw64k": 20}})));
    let answer = caller.answer(ask(7, 1));
    assert!(answer[0]["response"].get("logicalChannelRateAcknowledge").is_some());
    assert!(caller.call.limit_rate(caller.now, 1, Some(12_800)));
    caller.drain();
    let command = &caller.said()[1]["command"]["flowControlCommand"];
    assert_eq!(command["restriction"], json!({"maximumBitRate": 128}));
    assert_eq!(command["scope"], json!({"logicalChannelNumber": 7}));
}

#[test]
fn sound_and_silence_of_a_channel_are_told_once() {
    let mut caller = caller();
    caller.say(open(7, json!({"audioData": {"g711Alaw64k": 20}})));
    let say = |caller: &mut Script, what: &str| {
        caller.forget();
        caller.say(json!({"indication": {"miscellaneousIndication": {
            "logicalChannelNumber": 7, "type": {what: null},
        }}}));
        caller.events.clone()
    };
    assert!(say(&mut caller, "logicalChannelActive").is_empty());
    let told = |active| [Event::ChannelActive { session_id: 1, channel: 7, active }];
    assert_eq!(say(&mut caller, "logicalChannelInactive"), told(false));
    assert!(say(&mut caller, "logicalChannelInactive").is_empty());
    assert_eq!(say(&mut caller, "logicalChannelActive"), told(true));
    caller.forget();
    assert!(caller.call.set_channel_active(caller.now, 1, false));
    assert!(!caller.call.set_channel_active(caller.now, 9, false));
    caller.drain();
    let said = &caller.said()[0]["indication"]["miscellaneousIndication"];
    assert_eq!(
        (&said["logicalChannelNumber"], &said["type"]),
        (&json!(101), &json!({"logicalChannelInactive": null}))
    );
}

#[test]
fn codecs_may_differ_each_way_unless_the_master_wants_one() {
    let symmetric = Config { symmetric_codecs: true, ..config() };
    for (config, taken) in [(config(), true), (symmetric, false)] {
        let mut caller = transmitting(config, media(CALLER, &CODECS), &table(), "master");
        let answer = caller.answer(open(7, json!({"audioData": {"g729": 2}})));
        assert_eq!(answer[0]["response"].get("openLogicalChannelAck").is_some(), taken, "{answer:?}");
    }
}
