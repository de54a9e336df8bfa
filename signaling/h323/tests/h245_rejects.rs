//! OpenLogicalChannelReject: each of its causes from the situation in which we say it (H.245 8.4.2).
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;
mod peer;

use std::collections::BTreeSet;

use common::script::Script;
use common::{CALLER, media};
use offhook_h323::{AudioCodec, Config, Event, Flow, Limits, LocalMedia};
use peer::{address, audio, config, open, transmitting};
use serde_json::{Value, json};

/// In the order of H.245, as describe() names them.
const CAUSES: [&str; 16] = [
    "unspecified",
    "unsuitableReverseParameters",
    "dataTypeNotSupported",
    "dataTypeNotAvailable",
    "unknownDataType",
    "dataTypeALCombinationNotSupported",
    "multicastChannelNotAllowed",
    "insufficientBandwidth",
    "separateStackEstablishmentFailed",
    "invalidSessionID",
    "masterSlaveConflict",
    "waitForCommunicationMode",
    "invalidDependentChannel",
    "replacementForRejected",
    "securityDenied",
    "qoSControlNotSupported",
];

/// Only an MC can say them.
const NEVER: [&str; 1] = ["waitForCommunicationMode"];

fn caller(config: Config) -> Script {
    let table = [audio(json!({"g711Alaw64k": 20})), audio(json!({"g729": 4}))];
    transmitting(config, media(CALLER, &[AudioCodec::Pcma, AudioCodec::G729]), &table, "master")
}

fn pcma() -> Value {
    open(7, json!({"audioData": {"g711Alaw64k": 20}}))
}

fn of(data: Value) -> Value {
    open(7, data)
}

/// An OpenLogicalChannel for A-law with another member.
fn with(name: &str, value: Value) -> Value {
    let mut message = pcma();
    message["request"]["openLogicalChannel"][name] = value;
    message
}

/// The same with another member of its forward parameters.
fn forward(name: &str, value: Value) -> Value {
    let mut message = pcma();
    message["request"]["openLogicalChannel"]["forwardLogicalChannelParameters"][name] = value;
    message
}

/// The same with other parameters of H.225.0.
fn h2250(parameters: Value) -> Value {
    forward("multiplexParameters", json!({ "h2250LogicalChannelParameters": parameters }))
}

fn reservation(qos: Value) -> Value {
    h2250(json!({"sessionID": 1, "transportCapability": {"qOSCapabilities": [qos]}}))
}

fn reverse(parameters: Value) -> Value {
    with("reverseLogicalChannelParameters", parameters)
}

/// What we are before the message comes.
enum Being {
    Usual,
    /// Our media side pauses.
    Paused,
    /// 70 kbit/s for everything.
    Narrow,
    /// One codec both ways, and we send A-law.
    Symmetric,
    /// No channel more.
    Full,
}

#[test]
fn every_cause_is_said_where_it_belongs() {
    let both = json!({
        "dataType": {"audioData": {"g711Alaw64k": 20}},
        "multiplexParameters": {"h2250LogicalChannelParameters": {
            "sessionID": 1, "mediaChannel": address(6000),
        }},
    });
    let nowhere = json!({"dataType": {"audioData": {"g711Alaw64k": 20}}});
    let stack = json!({"networkAddress": {"e164Address": "1"}, "associateConference": false});
    let multicast = json!({"sessionID": 1, "mediaChannel": {
        "multicastAddress": {"iPAddress": {"network": "e0000001", "tsapIdentifier": 4000}},
    }});
    let h223 = json!({"h223LogicalChannelParameters": {
        "adaptationLayerType": {"al2WithSequenceNumbers": null}, "segmentableFlag": false,
    }});
    let atm = json!({"atmParameters": {
        "maxNTUSize": 1, "atmUBR": true, "atmrtVBR": false, "atmnrtVBR": false, "atmABR": false, "atmCBR": false,
    }});
    let situations = [
        ("unspecified", Being::Full, pcma()),
        ("unsuitableReverseParameters", Being::Usual, reverse(nowhere)),
        ("dataTypeNotSupported", Being::Usual, of(json!({"audioData": {"g728": 8}}))),
        ("dataTypeNotSupported", Being::Usual, of(json!({"nullData": null}))),
        ("dataTypeNotAvailable", Being::Paused, pcma()),
        (
            "unknownDataType",
            Being::Usual,
            of(json!({"audioData": {"_unknown_alternative": {"index": 40, "hex": ""}}})),
        ),
        ("dataTypeALCombinationNotSupported", Being::Usual, forward("multiplexParameters", h223)),
        ("multicastChannelNotAllowed", Being::Usual, h2250(multicast)),
        ("insufficientBandwidth", Being::Narrow, pcma()),
        ("separateStackEstablishmentFailed", Being::Usual, with("separateStack", stack)),
        ("invalidSessionID", Being::Full, h2250(json!({"sessionID": 9}))),
        ("masterSlaveConflict", Being::Symmetric, of(json!({"audioData": {"g729": 2}}))),
        ("masterSlaveConflict", Being::Usual, reverse(both)),
        ("invalidDependentChannel", Being::Usual, forward("forwardLogicalChannelDependency", json!(55))),
        ("replacementForRejected", Being::Usual, forward("replacementFor", json!(55))),
        ("securityDenied", Being::Usual, with("encryptionSync", json!({"synchFlag": 1, "h235Key": "00"}))),
        (
            "qoSControlNotSupported",
            Being::Usual,
            reservation(json!({"rsvpParameters": {"qosMode": {"guaranteedQOS": null}}})),
        ),
        ("qoSControlNotSupported", Being::Usual, reservation(atm)),
    ];
    let said: BTreeSet<&str> = situations.iter().map(|(cause, ..)| *cause).chain(NEVER).collect();
    assert_eq!(said, CAUSES.into_iter().collect(), "a cause without a situation");

    for (cause, being, message) in situations {
        let symmetric_codecs = matches!(being, Being::Symmetric);
        let mut caller = caller(Config { symmetric_codecs, ..config() });
        match being {
            Being::Usual | Being::Symmetric => {}
            Being::Paused => caller.call.set_media(caller.now, LocalMedia::default()),
            Being::Narrow => caller.call.set_bandwidth(caller.now, Some(70_000)),
            Being::Full => {
                let channels = Limits::default().channels as u16;
                let already = if cause == "unspecified" { channels } else { 1 };
                for number in 100..100 + already {
                    caller.say(open(number, json!({"audioData": {"g711Alaw64k": 20}})));
                }
            }
        }
        caller.drain();
        let before = caller.call.h245_counters().channels_rejected;
        let answer = caller.answer(message);
        let reject = &answer.last().unwrap()["response"]["openLogicalChannelReject"];
        assert!(reject["cause"].get(cause).is_some(), "{cause}: {answer:?}");
        assert_eq!(reject["forwardLogicalChannelNumber"], 7, "{cause}");
        let full = u32::from(cause == "unspecified");
        let counters = caller.call.h245_counters();
        assert_eq!((counters.channels_rejected - before, counters.channels_full), (1, full), "{cause}");
        let opened = caller
            .events
            .iter()
            .any(|e| matches!(e, Event::ChannelOpened(plan) if plan.flow == Flow::Receive));
        assert!(!opened, "{cause}");
    }
}

#[test]
fn a_wish_for_quality_that_may_stay_a_wish_is_no_reason_to_refuse() {
    for quality in
        [json!({"rsvpParameters": {"qosMode": {"controlledLoad": null}}}), json!({"rsvpParameters": {}})]
    {
        let answer = caller(config()).answer(reservation(quality.clone()));
        assert!(answer[0]["response"].get("openLogicalChannelAck").is_some(), "{quality}: {answer:?}");
    }
}
