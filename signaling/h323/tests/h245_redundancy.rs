//! Packets with copies of those before them (RFC 2198) in H.245: told, opened, taken, refused, limited.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;
mod peer;

use common::script::{Script, join};
use common::{CALLED, CALLER, media};
use offhook_h323::{AudioCodec, ChannelPlan, Config, Event, Flow, LocalMedia, Redundancy};
use peer::{ack, audio, config, open, ready, reject, transmitting};
use serde_json::{Value, json};

const CODECS: [AudioCodec; 2] = [AudioCodec::Pcma, AudioCodec::Pcmu];

/// [`CODECS`], which take copies under payload type 110 and send so many.
fn with_copies(side: usize, copies: u8) -> LocalMedia {
    let mut media = media(side, &CODECS);
    media.sessions[0].redundancy = Some(Redundancy { payload_type: 110, copies });
    media
}

fn copies_of(primary: u16, secondary: Value) -> Value {
    json!({"redundancyEncodingCap": {
        "redundancyEncodingMethod": {"rtpAudioRedundancyEncoding": null},
        "primaryEncoding": primary, "secondaryEncoding": secondary,
    }})
}

/// A-law and µ-law, and A-law with copies.
fn table() -> Vec<Value> {
    vec![audio(json!({"g711Alaw64k": 20})), audio(json!({"g711Ulaw64k": 20})), copies_of(1, json!([1]))]
}

fn caller(copies: u8, table: &[Value]) -> Script {
    ready(config(), with_copies(CALLER, copies), table, "master")
}

fn plans(script: &Script, flow: Flow) -> Vec<ChannelPlan> {
    let opened = script.events.iter().filter_map(|event| match event {
        Event::ChannelOpened(plan) if plan.flow == flow => Some(*plan),
        _ => None,
    });
    opened.collect()
}

/// The dataType of a channel of A-law with copies.
fn redundant(codec: Value, payload_type: u8, copies: usize) -> Value {
    let element = json!({"dataType": {"audioData": codec}, "payloadType": payload_type});
    json!({"redundancyEncoding": {
        "redundancyEncodingMethod": {"rtpAudioRedundancyEncoding": null},
        "rtpRedundancyEncoding": {"primary": element, "secondary": vec![element.clone(); copies]},
    }})
}

/// An OpenLogicalChannel of that data under payload type 120.
fn opens(number: u16, data: Value, payload_type: Option<u8>) -> Value {
    let mut message = open(number, data);
    let channel = &mut message["request"]["openLogicalChannel"]["forwardLogicalChannelParameters"];
    if let Some(told) = payload_type {
        channel["multiplexParameters"]["h2250LogicalChannelParameters"]["dynamicRTPPayloadType"] =
            json!(told);
    }
    message
}

#[test]
fn every_codec_with_copies_is_told_as_an_alternative_and_beside_the_table() {
    let said = peer::answered(config(), with_copies(CALLER, 0)).said();
    let set = &said[0]["request"]["terminalCapabilitySet"];
    let table = set["capabilityTable"].as_array().unwrap();
    assert_eq!(table[2]["capability"], copies_of(1, json!([1])));
    assert_eq!(table[3]["capability"], copies_of(2, json!([2])));
    let alternatives = &set["capabilityDescriptors"][0]["simultaneousCapabilities"][0];
    assert_eq!(*alternatives, json!([1, 2, 3, 4]));
    let h2250 = &set["multiplexCapability"]["h2250Capability"];
    assert_eq!(h2250["redundancyEncodingCapability"].as_array().map(Vec::len), Some(2));
    // Who has no use for them says nothing of them.
    let said = peer::answered(config(), media(CALLER, &CODECS)).said();
    assert!(!said[0].to_string().contains("redundancy"), "{}", said[0]);
}

#[test]
fn a_channel_has_copies_where_we_send_some_and_the_peer_takes_them() {
    let mut caller = caller(2, &table());
    assert_eq!(caller.opened(), [(101, redundant(json!({"g711Alaw64k": 20}), 8, 2))]);
    let said = caller.said();
    let open = said.iter().find_map(|message| message["request"].get("openLogicalChannel")).unwrap();
    let parameters =
        &open["forwardLogicalChannelParameters"]["multiplexParameters"]["h2250LogicalChannelParameters"];
    assert_eq!(parameters["dynamicRTPPayloadType"], 110);
    assert_eq!(
        parameters["mediaPacketization"]["rtpPayloadType"],
        json!({"payloadDescriptor": {"rfc-number": 2198}, "payloadType": 110})
    );
    caller.say(ack(101));
    let plan = plans(&caller, Flow::Transmit)[0];
    assert_eq!((plan.codec, plan.payload_type), (AudioCodec::Pcma, 8));
    assert_eq!(plan.redundancy, Some(Redundancy { payload_type: 110, copies: 2 }));
}

#[test]
fn who_sends_no_copies_or_has_a_peer_that_takes_none_opens_a_plain_channel() {
    let plain = [(101, json!({"audioData": {"g711Alaw64k": 20}}))];
    assert_eq!(caller(0, &table()).opened(), plain, "we take them and send none");
    let mut tables = vec![table()[..2].to_vec()];
    // Copies of another codec; of one that is not in the table; with another method; within something else.
    for other in [copies_of(2, json!([2])), copies_of(9, json!([9])), copies_of(1, json!([2]))] {
        tables.push([table()[..2].to_vec(), vec![other]].concat());
    }
    for table in tables {
        assert_eq!(caller(2, &table).opened(), plain, "{table:?}");
    }
}

#[test]
fn copies_told_in_h2250_capability_count_too() {
    let mut caller = peer::answered(config(), with_copies(CALLER, 1));
    caller.forget();
    let mut set = peer::set(1, &table()[..2], None);
    set["request"]["terminalCapabilitySet"]["multiplexCapability"] = {
        let said = peer::answered(config(), with_copies(CALLER, 1)).said();
        said[0]["request"]["terminalCapabilitySet"]["multiplexCapability"].clone()
    };
    caller.say(set);
    caller.say(json!({"response": {"terminalCapabilitySetAck": {"sequenceNumber": 1}}}));
    caller.say(json!({"response": {"masterSlaveDeterminationAck": {"decision": {"master": null}}}}));
    assert_eq!(caller.opened()[0].1, redundant(json!({"g711Alaw64k": 20}), 8, 1));
}

#[test]
fn a_peer_that_refuses_them_after_all_gets_the_same_codec_without() {
    for cause in ["unknownDataType", "dataTypeNotSupported", "insufficientBandwidth", "masterSlaveConflict"] {
        let mut caller = caller(1, &table());
        caller.forget();
        caller.say(reject(101, cause));
        assert_eq!(caller.opened(), [(102, json!({"audioData": {"g711Alaw64k": 20}}))], "{cause}");
        caller.say(ack(102));
        assert_eq!(plans(&caller, Flow::Transmit)[0].redundancy, None);
        caller.forget();
        caller.say(peer::set(2, &table(), None));
        assert_eq!(caller.opened().len(), 1, "its next capabilities are a new chance");
        assert_eq!(caller.opened()[0].1, redundant(json!({"g711Alaw64k": 20}), 8, 1));
        caller.forget();
        caller.say(reject(103, cause));
        assert!(caller.opened().is_empty() && caller.names().is_empty(), "the plain one stays");
    }
}

#[test]
fn limits_of_rate_take_the_copies_before_the_codec() {
    let mut caller = transmitting(config(), with_copies(CALLER, 1), &table(), "master");
    let limit = |hundreds: u32| {
        json!({"command": {"flowControlCommand": {
            "scope": {"logicalChannelNumber": 101}, "restriction": {"maximumBitRate": hundreds},
        }}})
    };
    caller.say(limit(1_280));
    assert!(caller.opened().is_empty(), "two times 64 kbit/s are within");
    caller.say(limit(1_000));
    assert_eq!(caller.opened(), [(102, json!({"audioData": {"g711Alaw64k": 20}}))]);
    caller.say(ack(102));
    assert_eq!(plans(&caller, Flow::Transmit).last().unwrap().redundancy, None);
    caller.forget();
    caller.say(json!({"command": {"flowControlCommand": {
        "scope": {"logicalChannelNumber": 102}, "restriction": {"noRestriction": null},
    }}}));
    assert_eq!(caller.opened().len(), 1, "and back: {:?}", caller.said());

    let mut caller = peer::answered(config(), with_copies(CALLER, 1));
    caller.call.set_bandwidth(caller.now, Some(100_000));
    caller.say(peer::set(1, &table(), None));
    caller.say(json!({"response": {"terminalCapabilitySetAck": {"sequenceNumber": 1}}}));
    caller.say(json!({"response": {"masterSlaveDeterminationAck": {"decision": {"master": null}}}}));
    assert_eq!(caller.opened()[0].1, json!({"audioData": {"g711Alaw64k": 20}}));
}

#[test]
fn the_peers_channel_with_copies_is_taken_if_we_told_so() {
    let asked = redundant(json!({"g711Ulaw64k": 20}), 0, 1);
    let mut caller = transmitting(config(), with_copies(CALLER, 0), &table(), "master");
    caller.say(opens(7, asked.clone(), Some(120)));
    let plan = plans(&caller, Flow::Receive)[0];
    assert_eq!((plan.codec, plan.payload_type), (AudioCodec::Pcmu, 0));
    assert_eq!(plan.redundancy, Some(Redundancy { payload_type: 120, copies: 1 }));
    // A channel beside it without copies is the one that counts then.
    caller.say(open(8, json!({"audioData": {"g711Ulaw64k": 20}})));
    assert_eq!(plans(&caller, Flow::Receive).last().unwrap().redundancy, None);

    let refused = |media: LocalMedia, message: Value| {
        let mut caller = transmitting(config(), media, &table(), "master");
        let answer = caller.answer(message);
        let cause = answer[0]["response"]["openLogicalChannelReject"]["cause"].clone();
        cause.as_object().and_then(|cause| cause.keys().next().cloned())
    };
    let unsupported = Some("dataTypeNotSupported".to_owned());
    assert_eq!(refused(media(CALLER, &CODECS), opens(7, asked.clone(), Some(120))), unsupported);
    assert_eq!(refused(with_copies(CALLER, 0), opens(7, asked, None)), unsupported, "under which number?");
    let g729 = redundant(json!({"g729": 2}), 18, 1);
    assert_eq!(refused(with_copies(CALLER, 0), opens(7, g729, Some(120))), unsupported);
    let nested = json!({"redundancyEncoding": {
        "redundancyEncodingMethod": {"rtpAudioRedundancyEncoding": null},
        "rtpRedundancyEncoding": {"primary": {"dataType": redundant(json!({"g711Ulaw64k": 20}), 0, 1)}},
    }});
    assert_eq!(refused(with_copies(CALLER, 0), opens(7, nested, Some(120))), unsupported);
}

#[test]
fn two_of_us_send_copies_both_ways_in_slow_start_and_after_fast_connect() {
    for fast_start in [false, true] {
        let config = Config { fast_start, ..config() };
        let mut caller = Script::caller(config.clone(), with_copies(CALLER, 1));
        let mut called = Script::called(config);
        // The last word on each channel: [side][flow].
        let mut last: [[Option<ChannelPlan>; 2]; 2] = Default::default();
        join(&mut caller, &mut called, |script, event| match event {
            Event::Setup(_) => {
                let now = script.now;
                script.call.set_media(now, with_copies(CALLED, 2));
                script.call.accept(now);
                script.call.answer(now);
            }
            Event::ChannelOpened(plan) => {
                last[usize::from(script.is_called())][usize::from(plan.flow == Flow::Receive)] = Some(*plan);
            }
            Event::ChannelClosed { .. } => panic!("a gap: {event:?}"),
            _ => {}
        });
        let copies = last.map(|plans| plans.map(|plan| plan.unwrap().redundancy.map(|told| told.copies)));
        assert_eq!(copies, [[Some(1), Some(2)], [Some(2), Some(1)]], "fast start: {fast_start}");
        let codecs = last.map(|plans| plans.map(|plan| plan.unwrap().codec));
        assert_eq!(codecs, [[AudioCodec::Pcma; 2]; 2]);
    }
}
