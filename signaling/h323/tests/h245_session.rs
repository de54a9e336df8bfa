//! The H.245 session with a peer that the test plays: CESE, MSDSE, MLSE, user input, refusals, what comes back, the end.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;
mod peer;

use std::time::Duration;

use common::script::Script;
use common::{CALLER, media};
use offhook_h323::{
    AudioCodec, CallState, Cause, Config, DigitVia, DtmfWay, Event, Loop, MediaCommand, Origin, Timer,
};
use peer::{answered, audio, config, connect, open, ready, set, transmitting};
use serde_json::{Value, json};

const CODECS: [AudioCodec; 2] = [AudioCodec::Pcma, AudioCodec::Pcmu];

fn table() -> Vec<Value> {
    vec![
        audio(json!({"g711Alaw64k": 20})),
        audio(json!({"g711Ulaw64k": 20})),
        json!({"receiveUserInputCapability": {"basicString": null}}),
        json!({"receiveUserInputCapability": {"dtmf": null}}),
    ]
}

/// Without telephone-events.
fn plain() -> Config {
    let mut config = config();
    config.dtmf.retain(|way| *way != DtmfWay::TelephoneEvent);
    config
}

fn caller() -> Script {
    transmitting(plain(), media(CALLER, &CODECS), &table(), "master")
}

fn released(script: &Script) -> Option<(Origin, Option<Cause>)> {
    script.events.iter().find_map(|event| match event {
        Event::Released(info) => Some((info.origin, info.cause)),
        _ => None,
    })
}

fn tcs_entries(message: &Value) -> usize {
    message["request"]["terminalCapabilitySet"]["capabilityTable"].as_array().map_or(0, Vec::len)
}

#[test]
fn a_peer_that_keeps_fewer_entries_gets_fewer_and_one_that_keeps_none_is_let_go() {
    let mut caller = answered(config(), media(CALLER, &CODECS));
    let told = tcs_entries(&caller.said()[0]);
    assert_eq!(told, 6, "two codecs, two ways of user input and the hook flash, telephone-events");
    let refuse = |sequence: u8, exceeded: Value| {
        json!({"response": {"terminalCapabilitySetReject": {
            "sequenceNumber": sequence, "cause": {"tableEntryCapacityExceeded": exceeded},
        }}})
    };
    let answer = caller.answer(refuse(1, json!({"highestEntryNumberProcessed": 3})));
    assert_eq!(tcs_entries(&answer[0]), 3);
    let descriptor = &answer[0]["request"]["terminalCapabilitySet"]["capabilityDescriptors"][0];
    assert_eq!(descriptor["simultaneousCapabilities"], json!([[1, 2], [3]]));
    assert!(caller.answer(refuse(1, json!({"noneProcessed": null}))).is_empty(), "that was the set before");
    let answer = caller.answer(refuse(2, json!({"noneProcessed": null})));
    assert_eq!(tcs_entries(&answer[0]), 1);
    caller.forget();
    caller.say(refuse(3, json!({"noneProcessed": null})));
    assert_eq!(released(&caller), Some((Origin::Machine, Some(Cause::PROTOCOL_ERROR))));
}

#[test]
fn sets_that_cross_are_each_answered_and_ours_travel_one_at_a_time() {
    let mut caller = answered(plain(), media(CALLER, &CODECS));
    caller.forget();
    for codecs in [&[AudioCodec::Pcmu][..], &[AudioCodec::Pcma], &[AudioCodec::Pcmu, AudioCodec::Pcma]] {
        caller.call.set_media(caller.now, media(CALLER, codecs));
        caller.drain();
    }
    assert!(caller.h245.is_empty(), "the first is unanswered");
    assert_eq!(caller.answer(set(1, &table(), None)).len(), 1);
    let answer = caller.answer(json!({"response": {"terminalCapabilitySetAck": {"sequenceNumber": 1}}}));
    assert_eq!(answer.len(), 1, "of three changes the last is told");
    let entries = &answer[0]["request"]["terminalCapabilitySet"]["capabilityTable"];
    assert!(entries[0]["capability"]["receiveAudioCapability"].get("g711Ulaw64k").is_some());
    let send = json!({"command": {"sendTerminalCapabilitySet": {"genericRequest": null}}});
    assert!(caller.answer(send.clone()).is_empty(), "not while one travels");
    let answer = caller.answer(json!({"response": {"terminalCapabilitySetAck": {"sequenceNumber": 2}}}));
    assert_eq!(answer[0]["request"]["terminalCapabilitySet"]["sequenceNumber"], 3);
    caller.say(json!({"response": {"terminalCapabilitySetAck": {"sequenceNumber": 3}}}));
    assert_eq!(caller.answer(send)[0]["request"]["terminalCapabilitySet"]["sequenceNumber"], 4);
}

#[test]
fn a_set_that_refers_to_nothing_is_rejected_with_the_cause() {
    let mut caller = caller();
    let answer = caller.answer(set(7, &table(), Some(json!([[200]]))));
    let reject = &answer[0]["response"]["terminalCapabilitySetReject"];
    assert_eq!(reject["cause"], json!({"undefinedTableEntryUsed": null}));
    assert_eq!(caller.call.h245_counters().sets_rejected, 1);
    assert_eq!(caller.call.remote_media().codecs.len(), 2, "what was known still is");
}

#[test]
fn a_peer_that_never_answers_is_let_go_by_timer() {
    let mut caller = answered(config(), media(CALLER, &CODECS));
    caller.forget();
    caller.wait(Duration::from_secs(100));
    let Some((Origin::Timer(timer), cause)) = released(&caller) else { panic!("{:?}", caller.events) };
    assert!(matches!(timer, Timer::H245Start | Timer::T101 | Timer::T106), "{timer:?}");
    assert_eq!(cause, Some(Cause::RECOVERY_ON_TIMER_EXPIRY));
}

#[test]
fn what_setup_carried_is_said_again_at_connect_as_far_as_it_was_not_heard() {
    let began = || {
        let mut caller = Script::caller(Config { h245_in_setup: true, ..plain() }, media(CALLER, &CODECS));
        assert_eq!(caller.names(), ["terminalCapabilitySet", "masterSlaveDetermination"]);
        caller.forget();
        // chan_ooh323 passes over what Setup carries and sends its own set before Connect.
        caller.say(set(1, &table(), None));
        caller
    };
    let mut caller = began();
    connect(&mut caller);
    let expected = ["terminalCapabilitySetAck", "terminalCapabilitySet", "masterSlaveDetermination"];
    assert_eq!(caller.names(), expected);
    caller.say(json!({"response": {"terminalCapabilitySetAck": {"sequenceNumber": 2}}}));
    caller.say(json!({"response": {"masterSlaveDeterminationAck": {"decision": {"slave": null}}}}));
    assert_eq!(caller.opened().len(), 1);

    // Its own determination stands.
    let mut caller = began();
    caller.say(json!({"request": {"masterSlaveDetermination": {
        "terminalType": 240, "statusDeterminationNumber": 1,
    }}}));
    caller.forget();
    connect(&mut caller);
    assert_eq!(caller.names(), ["terminalCapabilitySet"]);

    // It has heard us.
    let mut caller = began();
    caller.say(json!({"response": {"terminalCapabilitySetAck": {"sequenceNumber": 1}}}));
    caller.forget();
    connect(&mut caller);
    assert!(caller.names().is_empty(), "{:?}", caller.names());
}

#[test]
fn determination_that_the_peer_does_not_know_ends_a_call_that_lives_by_it() {
    let mut caller = answered(config(), media(CALLER, &CODECS));
    let msd = caller.said()[1]["request"].clone();
    caller.say(json!({"indication": {"functionNotUnderstood": {"request": msd}}}));
    assert_eq!(released(&caller), Some((Origin::Machine, Some(Cause::PROTOCOL_ERROR))));
}

#[test]
fn leaving_a_pause_begins_anew_with_another_peer() {
    let mut caller = caller();
    caller.say(json!({"request": {"terminalCapabilitySet": {
        "sequenceNumber": 2, "protocolIdentifier": "0.0.8.245.0.15",
    }}}));
    caller.forget();
    caller.say(set(1, &[audio(json!({"g711Ulaw64k": 30}))], None));
    assert_eq!(
        caller.names(),
        ["terminalCapabilitySetAck", "terminalCapabilitySet", "masterSlaveDetermination"]
    );
    caller.forget();
    caller.say(json!({"response": {"terminalCapabilitySetAck": {"sequenceNumber": 2}}}));
    assert!(caller.opened().is_empty(), "not before master and slave are known");
    caller.say(json!({"response": {"masterSlaveDeterminationAck": {"decision": {"slave": null}}}}));
    let opened = caller.opened();
    assert_eq!(opened, [(102, json!({"audioData": {"g711Ulaw64k": 20}}))]);
}

#[test]
fn loops_are_granted_by_media_sides_that_can_and_for_channels_that_are() {
    let request = |kind: Value| json!({"request": {"maintenanceLoopRequest": {"type": kind}}});
    let loops = Config { maintenance_loops: true, ..plain() };
    for (config, kind, granted) in [
        (loops.clone(), json!({"mediaLoop": 7}), true),
        (loops.clone(), json!({"logicalChannelLoop": 7}), true),
        (loops.clone(), json!({"logicalChannelLoop": 8}), false),
        (loops.clone(), json!({"systemLoop": null}), false),
        (plain(), json!({"mediaLoop": 7}), false),
    ] {
        let mut caller = transmitting(config, media(CALLER, &CODECS), &table(), "master");
        caller.say(open(7, json!({"audioData": {"g711Alaw64k": 20}})));
        let answer = caller.answer(request(kind.clone()));
        let name = if granted { "maintenanceLoopAck" } else { "maintenanceLoopReject" };
        assert_eq!(answer[0]["response"][name]["type"], kind, "{answer:?}");
        assert_eq!(caller.events.len(), usize::from(granted));
        caller.forget();
        caller.say(json!({"command": {"maintenanceLoopOffCommand": {}}}));
        assert_eq!(caller.events.contains(&Event::MaintenanceLoop { looped: None }), granted);
        assert!(caller.h245.is_empty());
    }
}

#[test]
fn our_request_for_a_loop_is_granted_refused_or_unanswered() {
    let mut caller = caller();
    let asked = Loop::Media(101);
    let ask = |caller: &mut Script| {
        caller.forget();
        assert!(caller.call.request_loop(caller.now, asked));
        assert!(!caller.call.request_loop(caller.now, asked), "one at a time");
        caller.drain();
        assert_eq!(caller.names(), ["maintenanceLoopRequest"]);
        caller.forget();
    };
    ask(&mut caller);
    caller.say(json!({"response": {"maintenanceLoopAck": {"type": {"mediaLoop": 101}}}}));
    assert_eq!(caller.events, [Event::LoopResponse { asked, granted: true }]);
    assert!(caller.call.end_loop(caller.now));
    caller.drain();
    assert_eq!(caller.names(), ["maintenanceLoopOffCommand"]);
    ask(&mut caller);
    caller.say(json!({"response": {"maintenanceLoopReject": {
        "type": {"mediaLoop": 101}, "cause": {"canNotPerformLoop": null},
    }}}));
    assert_eq!(caller.events, [Event::LoopResponse { asked, granted: false }]);
    ask(&mut caller);
    caller.wait(Duration::from_secs(31));
    assert_eq!(caller.events, [Event::LoopResponse { asked, granted: false }]);
    assert_eq!(caller.names(), ["maintenanceLoopOffCommand"]);
    assert_eq!(caller.call.poll_timeout(), None);
}

fn input(kind: &str, value: Value) -> Value {
    json!({"indication": {"userInput": {kind: value}}})
}

fn digit(digit: char, duration: Option<u64>, via: DigitVia) -> Event {
    Event::Digit { digit, duration: duration.map(Duration::from_millis), via }
}

#[test]
fn keys_of_the_peer_come_once_with_their_durations() {
    let mut caller = caller();
    let mut told = |messages: &[Value]| {
        caller.wait(Duration::from_secs(1));
        caller.forget();
        messages.iter().for_each(|message| caller.say(message.clone()));
        assert!(caller.h245.is_empty());
        caller.events.clone()
    };
    assert_eq!(
        told(&[
            input("signal", json!({"signalType": "5", "duration": 120})),
            input("signalUpdate", json!({"duration": 300}))
        ]),
        [
            digit('5', Some(120), DigitVia::Signal),
            Event::DigitDuration { digit: '5', duration: Duration::from_millis(300) },
        ]
    );
    assert_eq!(told(&[input("signal", json!({"signalType": "!"}))]), [digit('!', None, DigitVia::Signal)]);
    let both = [digit('1', None, DigitVia::Alphanumeric), digit('1', None, DigitVia::Alphanumeric)];
    assert_eq!(told(&[input("alphanumeric", json!("11\u{0}"))]), both);
    assert_eq!(
        told(&[input("extendedAlphanumeric", json!({"alphanumeric": "a"}))]),
        [digit('a', None, DigitVia::Alphanumeric)]
    );
    // The same key by two ways, in either order, is one.
    let signal = input("signal", json!({"signalType": "7"}));
    let text = input("alphanumeric", json!("7"));
    assert_eq!(told(&[signal.clone(), text.clone()]), [digit('7', None, DigitVia::Signal)]);
    assert_eq!(told(&[text.clone(), signal.clone()]), [digit('7', None, DigitVia::Alphanumeric)]);
    // Pressed twice it is two.
    assert_eq!(told(&[signal.clone(), text.clone(), signal.clone(), text]).len(), 2);
    assert_eq!(told(&[signal.clone(), signal]).len(), 2);
    // Also in RTP, where we take it: the media side tells.
    let in_rtp = input("signal", json!({"signalType": "8", "rtpPayloadIndication": null}));
    assert!(told(std::slice::from_ref(&in_rtp)).is_empty());
    assert_eq!(caller.call.h245_counters().keys_doubled, 5);
    let mut without = media(CALLER, &CODECS);
    without.sessions[0].telephone_event = None;
    let mut caller = transmitting(plain(), without, &table(), "master");
    caller.say(in_rtp);
    assert_eq!(caller.events, [digit('8', None, DigitVia::Signal)]);
    caller.forget();
    caller.say(input("alphanumeric", json!("1".repeat(200))));
    assert_eq!((caller.events.len(), caller.call.h245_counters().keys_dropped), (128, 72));
}

#[test]
fn a_key_is_pressed_held_and_falls_back_to_text_when_it_comes_back() {
    let mut caller = caller();
    assert_eq!(caller.call.dtmf_way(), Some(DtmfWay::Signal));
    assert!(caller.call.press_key(caller.now, 'a', None));
    assert!(caller.call.update_key(caller.now, Duration::from_millis(250)));
    assert!(!caller.call.press_key(caller.now, 'x', None));
    caller.drain();
    let said = caller.said();
    assert_eq!(said[0]["indication"]["userInput"]["signal"], json!({"signalType": "A"}));
    assert_eq!(said[1]["indication"]["userInput"]["signalUpdate"], json!({"duration": 250}));
    let octets: String = offhook_wire::per::encode(&caller.h245[0])
        .unwrap()
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    let returned = json!({"indication": {"functionNotSupported": {
        "cause": {"unknownFunction": null}, "returnedFunction": octets,
    }}});
    let answer = caller.answer(returned.clone());
    assert_eq!(answer, [json!({"indication": {"userInput": {"alphanumeric": "A"}}})]);
    assert!(caller.events.contains(&Event::NotUnderstood("userInput.signal")));
    assert!(caller.events.contains(&Event::DtmfWay(Some(DtmfWay::Alphanumeric))));
    assert!(caller.answer(returned).is_empty(), "once");
    assert_eq!(caller.call.send_digits(caller.now, "12"), Some(DtmfWay::Alphanumeric));
}

#[test]
fn every_key_that_comes_back_is_sent_as_text_once() {
    let mut caller = caller();
    assert_eq!(caller.call.send_digits(caller.now, "121"), Some(DtmfWay::Signal));
    caller.drain();
    let returned: Vec<Value> = caller
        .h245
        .iter()
        .map(|message| {
            let octets = offhook_wire::per::encode(message).unwrap();
            let octets: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
            json!({"indication": {"functionNotSupported": {
                "cause": {"unknownFunction": null}, "returnedFunction": octets,
            }}})
        })
        .collect();
    assert_eq!(returned.len(), 3);
    caller.forget();
    for (returned, key) in returned.iter().zip(["1", "2", "1"]) {
        let answer = caller.answer(returned.clone());
        assert_eq!(answer, [json!({"indication": {"userInput": {"alphanumeric": key}}})]);
    }
    for returned in returned {
        assert!(caller.answer(returned).is_empty(), "no key a second time");
    }
}

#[test]
fn what_comes_back_ends_its_procedure() {
    let returned =
        |request: &Value| json!({"indication": {"functionNotUnderstood": {"request": request["request"]}}});
    // A channel: the next codec.
    let mut caller = ready(plain(), media(CALLER, &CODECS), &table(), "master");
    let olc = caller.said().into_iter().find(|m| m["request"].get("openLogicalChannel").is_some()).unwrap();
    caller.forget();
    caller.say(returned(&olc));
    assert!(caller.opened()[0].1["audioData"].get("g711Ulaw64k").is_some());
    caller.forget();
    caller.say(returned(&olc));
    assert!(caller.h245.is_empty(), "no longer ours");
    // A mode, a loop, a request to close, round trip: told, and no timer left.
    let mut caller = self::caller();
    caller.say(open(7, json!({"audioData": {"g711Alaw64k": 20}})));
    caller.forget();
    let now = caller.now;
    assert!(caller.call.request_mode(now, &[AudioCodec::Pcmu]));
    assert!(caller.call.request_loop(now, Loop::LogicalChannel(101)));
    assert!(caller.call.request_channel_close(now, 1, false));
    assert!(caller.call.measure_round_trip(now));
    caller.drain();
    let requests = caller.said();
    assert_eq!(requests.len(), 4);
    requests.iter().for_each(|request| caller.say(returned(request)));
    assert_eq!(caller.events.len(), 4 + 3, "{:?}", caller.events);
    assert_eq!(caller.call.poll_timeout(), None);
    assert_eq!(caller.call.h245_counters().not_understood, 4);
    assert_eq!(caller.call.state(), CallState::Active);
}

#[test]
fn conferences_and_other_worlds_are_refused_by_name() {
    let label = json!({"mcuNumber": 1, "terminalNumber": 1});
    let request = |kind: &str, value: Value| json!({"request": {"conferenceRequest": {kind: value}}});
    let response = |value: Value| json!({"response": {"conferenceResponse": value}});
    let mut caller = caller();
    for (request, expected) in [
        (request("makeMeChair", Value::Null), json!({"makeMeChairResponse": {"deniedChairToken": null}})),
        (request("dropTerminal", label.clone()), json!({"terminalDropReject": null})),
        (
            request("broadcastMyLogicalChannel", json!(101)),
            json!({"broadcastMyLogicalChannelResponse": {"deniedBroadcastMyLogicalChannel": null}}),
        ),
        (
            request("makeTerminalBroadcaster", label.clone()),
            json!({"makeTerminalBroadcasterResponse": {"deniedMakeTerminalBroadcaster": null}}),
        ),
        (
            request("sendThisSource", label.clone()),
            json!({"sendThisSourceResponse": {"deniedSendThisSource": null}}),
        ),
        (request("requestTerminalCertificate", json!({})), json!({"terminalCertificateResponse": {}})),
        (
            request("remoteMCRequest", json!({"masterActivate": null})),
            json!({"remoteMCResponse": {"reject": {"functionNotSupported": null}}}),
        ),
    ] {
        assert_eq!(caller.answer(request), [response(expected)]);
    }
    for request in ["terminalListRequest", "cancelMakeMeChair", "enterH243Password", "requestAllTerminalIDs"]
    {
        let message = json!({"request": {"conferenceRequest": {request: null}}});
        let answer = caller.answer(message.clone());
        assert_eq!(answer[0]["indication"]["functionNotUnderstood"]["request"], message["request"]);
    }
    let video = json!({"miscellaneousCommand": {"logicalChannelNumber": 101, "type": {"videoFastUpdatePicture": null}}});
    for command in [
        video,
        json!({"conferenceCommand": {"dropConference": null}}),
        json!({"encryptionCommand": {"encryptionIVRequest": null}}),
        json!({"h223MultiplexReconfiguration": {"h223AnnexADoubleFlag": {"start": null}}}),
        json!({"genericCommand": {"messageIdentifier": {"standard": "0.0.8.245.1"}}}),
        json!({"_unknown_alternative": {"index": 20, "hex": "0102"}}),
    ] {
        let answer = caller.answer(json!({"command": command}));
        let function = &answer[0]["indication"]["functionNotSupported"];
        assert_eq!(function["cause"], json!({"unknownFunction": null}), "{answer:?}");
        let returned = function["returnedFunction"].as_str().expect("octets");
        assert_eq!(common_octets(&json!({"command": command})), returned);
    }
    caller.forget();
    caller.say(json!({"command": {"miscellaneousCommand": {"logicalChannelNumber": 101, "type": {"switchReceiveMediaOff": null}}}}));
    assert_eq!(
        caller.events,
        [Event::MediaCommand { channel: 101, command: MediaCommand::SwitchReceiveMediaOff }]
    );
    assert!(caller.h245.is_empty());
    assert_eq!(caller.call.h245_counters().refused, 7 + 4 + 6);
}

/// The octets of a message, in hexadecimal digits.
fn common_octets(description: &Value) -> String {
    let message: offhook_wire::h245::MultimediaSystemControlMessage =
        offhook_wire::per::json::build(description).unwrap();
    offhook_wire::per::encode(&message).unwrap().iter().map(|octet| format!("{octet:02x}")).collect()
}

#[test]
fn after_end_session_nothing_is_said_or_done() {
    let mut caller = caller();
    let end = json!({"command": {"endSessionCommand": {"disconnect": null}}});
    assert_eq!(caller.answer(end.clone()), std::slice::from_ref(&end));
    caller.forget();
    for message in [
        end,
        set(9, &table(), None),
        open(7, json!({"audioData": {"g711Alaw64k": 20}})),
        json!({"request": {"roundTripDelayRequest": {"sequenceNumber": 9}}}),
        json!({"request": {"conferenceRequest": {"terminalListRequest": null}}}),
        input("alphanumeric", json!("1")),
    ] {
        caller.say(message);
    }
    caller.tunnel_octets(bytes::Bytes::from_static(&[0x60]), caller.reference());
    let now = caller.now;
    assert!(!caller.call.request_mode(now, &CODECS) && !caller.call.press_key(now, '1', None));
    caller.call.set_media(now, media(CALLER, &[AudioCodec::Pcmu]));
    caller.drain();
    assert!(caller.h245.is_empty() && caller.events.is_empty(), "{:?} {:?}", caller.names(), caller.events);
    assert_eq!(caller.call.h245_counters().after_end, 5);
}
