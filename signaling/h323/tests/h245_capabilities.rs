//! Codec negotiation with a peer that the test plays: descriptors, packets, payload types, codecs by identifier,
//! nonStandard capabilities, preference, the way of keys.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;
mod peer;

use bytes::Bytes;
use common::script::Script;
use common::{CALLER, media, offer};
use offhook_h323::{
    AudioCodec, ChannelPlan, CodecOffer, CodecPreference, Config, DescribedCodec, Description, DtmfWay,
    Event, Flow, GenericId, LocalMedia, LocalSession, NonStandardCapability, NonStandardId, Oid, Parameter,
    TelephoneEvents, catalogue,
};
use peer::{ack, audio, config, open, ready, set, transmitting};
use serde_json::{Value, json};

const G711: [AudioCodec; 2] = [AudioCodec::Pcma, AudioCodec::Pcmu];

fn plans(script: &Script, flow: Flow) -> Vec<ChannelPlan> {
    let opened = script.events.iter().filter_map(|event| match event {
        Event::ChannelOpened(plan) if plan.flow == flow => Some(*plan),
        _ => None,
    });
    opened.collect()
}

/// Two sessions, G.711 in both.
fn two_sessions() -> LocalMedia {
    let session = |session_id: u8| LocalSession {
        session_id,
        rtp: ([10, 0, 0, 1], 5000 + 10 * u16::from(session_id)).into(),
        rtcp: ([10, 0, 0, 1], 5001 + 10 * u16::from(session_id)).into(),
        codecs: G711.iter().map(|codec| offer(*codec)).collect(),
        telephone_event: None,
        comfort_noise: false,
        silence_suppression: false,
        redundancy: None,
    };
    LocalMedia { sessions: vec![session(1), session(2)] }
}

#[test]
fn what_the_peer_cannot_receive_at_the_same_time_is_not_sent_at_the_same_time() {
    let table = [audio(json!({"g711Alaw64k": 20})), audio(json!({"g711Ulaw64k": 20}))];
    for (descriptors, expected) in [
        // One channel at a time, of either.
        (json!([[1, 2]]), vec!["g711Alaw64k"]),
        // One of each.
        (json!([[1], [2]]), vec!["g711Alaw64k", "g711Ulaw64k"]),
        // A-law twice, µ-law not at all.
        (json!([[1], [1]]), vec!["g711Alaw64k", "g711Alaw64k"]),
        (json!([[2]]), vec!["g711Ulaw64k"]),
    ] {
        let mut caller = peer::answered(config(), two_sessions());
        caller.forget();
        caller.say(set(1, &table, Some(descriptors.clone())));
        caller.say(json!({"response": {"terminalCapabilitySetAck": {"sequenceNumber": 1}}}));
        caller.say(json!({"response": {"masterSlaveDeterminationAck": {"decision": {"master": null}}}}));
        let opened = caller.opened();
        let codecs: Vec<&str> = opened
            .iter()
            .map(|(_, data)| data["audioData"].as_object().unwrap().keys().next().unwrap().as_str())
            .collect();
        assert_eq!(codecs, expected, "{descriptors}");
    }
}

#[test]
fn packets_keep_to_what_each_side_can_take() {
    let short = [audio(json!({"g711Alaw64k": 10}))];
    let mut caller = ready(config(), media(CALLER, &G711), &short, "master");
    assert_eq!(caller.opened()[0].1, json!({"audioData": {"g711Alaw64k": 10}}));
    caller.say(ack(101));
    caller.say(open(7, json!({"audioData": {"g711Alaw64k": 40}})));
    assert_eq!(plans(&caller, Flow::Transmit)[0].packet_ms, 10);
    assert_eq!(plans(&caller, Flow::Receive)[0].packet_ms, 40);
    // What we told is the most that we take.
    let told = &peer::answered(config(), media(CALLER, &G711)).said()[0]["request"];
    let first = &told["terminalCapabilitySet"]["capabilityTable"][0]["capability"];
    assert_eq!(first["receiveAudioCapability"], json!({"g711Alaw64k": 60}));
}

#[test]
fn the_order_of_either_side_decides_and_a_list_restricts() {
    let table =
        [audio(json!({"g729": 4})), audio(json!({"g711Ulaw64k": 20})), audio(json!({"g711Alaw64k": 20}))];
    let ours = [AudioCodec::Pcma, AudioCodec::Pcmu, AudioCodec::G729];
    for (preference, allowed, first) in [
        (CodecPreference::Local, None, "g711Alaw64k"),
        (CodecPreference::Remote, None, "g729"),
        (CodecPreference::Remote, Some(vec![AudioCodec::Pcma, AudioCodec::Pcmu]), "g711Ulaw64k"),
        (CodecPreference::Local, Some(vec![AudioCodec::G729]), "g729"),
    ] {
        let config = Config { codec_preference: preference, allowed_codecs: allowed.clone(), ..config() };
        let told = peer::answered(config.clone(), media(CALLER, &ours)).said();
        let entries =
            told[0]["request"]["terminalCapabilitySet"]["capabilityTable"].as_array().unwrap().len();
        assert_eq!(entries, allowed.as_ref().map_or(3, Vec::len) + 4);
        let mut caller = ready(config, media(CALLER, &ours), &table, "master");
        assert!(caller.opened()[0].1["audioData"].get(first).is_some(), "{preference:?} {allowed:?}");
        let answer = caller.answer(open(7, json!({"audioData": {"g711Ulaw64k": 20}})));
        let taken = allowed.is_none_or(|allowed| allowed.contains(&AudioCodec::Pcmu));
        assert_eq!(answer[0]["response"].get("openLogicalChannelAck").is_some(), taken);
    }
}

static WIDE: DescribedCodec = DescribedCodec {
    name: "wide band by identifier",
    description: Description::Generic {
        identifier: GenericId::Standard(Oid::new(&[0, 0, 7, 7221, 1, 0])),
        is_of_bit_rate: false,
        frames: Some(0),
        collapsing: &[(1, Parameter::BooleanArray(0x30))],
        non_collapsing: &[(2, Parameter::UnsignedMin(24_000))],
    },
    frame_half_ms: 40,
    bit_rate: 24_000,
    max_bit_rate: 24_000,
    rfc: None,
};

static OWN: DescribedCodec = DescribedCodec {
    name: "one of a maker",
    description: Description::NonStandard {
        identifier: NonStandardId::H221 { t35_country: 181, t35_extension: 0, manufacturer: 21_324 },
        data: b"own/16000",
    },
    frame_half_ms: 40,
    bit_rate: 16_000,
    max_bit_rate: 16_000,
    rfc: None,
};

fn described() -> LocalMedia {
    let mut local = media(CALLER, &[]);
    local.sessions[0].codecs = [&WIDE, &OWN]
        .into_iter()
        .enumerate()
        .map(|(at, codec)| CodecOffer {
            codec: AudioCodec::Described(codec),
            payload_type: 97 + at as u8,
            packet_ms: 20,
            max_packet_ms: 60,
        })
        .collect();
    local
}

/// genericAudioCapability with frames in a packet, and the value of parameter 2.
fn generic(identifier: &str, frames: u16, rate: u16) -> Value {
    json!({"genericAudioCapability": {
        "capabilityIdentifier": {"standard": identifier},
        "collapsing": [{"parameterIdentifier": {"standard": 0}, "parameterValue": {"unsignedMin": frames}}],
        "nonCollapsing": [{"parameterIdentifier": {"standard": 2}, "parameterValue": {"unsignedMin": rate}}],
    }})
}

fn own(data: &str) -> Value {
    json!({"nonStandard": {
        "nonStandardIdentifier": {"h221NonStandard": {"t35CountryCode": 181, "t35Extension": 0, "manufacturerCode": 21324}},
        "data": data.bytes().map(|octet| format!("{octet:02x}")).collect::<String>(),
    }})
}

/// Opus as `docs/opus-h323.md` says it.
fn opus(max_bit_rate: u32, units: u16) -> Value {
    json!({"genericAudioCapability": {
        "capabilityIdentifier": {"uuid": "d39354b54c6d4aec82a6bbfe858b2298"},
        "maxBitRate": max_bit_rate,
        "collapsing": [{"parameterIdentifier": {"standard": 1}, "parameterValue": {"unsignedMin": units}}],
    }})
}

fn opus_and_g711() -> LocalMedia {
    let mut local = media(CALLER, &G711);
    let opus = AudioCodec::Described(&catalogue::OPUS);
    let offer = CodecOffer { codec: opus, payload_type: 96, packet_ms: 20, max_packet_ms: 120 };
    local.sessions[0].codecs.insert(0, offer);
    local
}

#[test]
fn opus_goes_to_a_peer_that_knows_it_within_what_it_takes_and_g711_to_one_that_does_not() {
    let g711 = audio(json!({"g711Alaw64k": 60}));
    let mut caller = ready(config(), opus_and_g711(), &[audio(opus(240, 4)), g711.clone()], "master");
    let (_, data) = caller.opened().remove(0);
    let said = &data["audioData"]["genericAudioCapability"];
    assert_eq!(said["capabilityIdentifier"], json!({"uuid": "d39354b54c6d4aec82a6bbfe858b2298"}), "{said}");
    caller.say(ack(101));
    let plan = plans(&caller, Flow::Transmit)[0];
    assert_eq!((plan.codec, plan.payload_type), (AudioCodec::Described(&catalogue::OPUS), 96));
    assert_eq!(plan.packet_ms, 10, "four units of 2.5 ms are the peer's most");
    assert_eq!(caller.call.remote_max_bit_rate(plan.codec), Some(24_000));

    let caller = ready(config(), opus_and_g711(), &[g711], "master");
    assert_eq!(caller.opened().remove(0).1, json!({"audioData": {"g711Alaw64k": 20}}));
    assert_eq!(caller.call.remote_max_bit_rate(plan.codec), None);
}

#[test]
fn comfort_noise_is_told_beside_every_codec_and_read_of_the_peer() {
    let noise = json!({"genericAudioCapability": {"capabilityIdentifier": {"standard": "0.0.8.245.1.1.6"}}});
    for takes in [true, false] {
        let mut local = opus_and_g711();
        local.sessions[0].comfort_noise = takes;
        local.sessions[0].silence_suppression = takes;
        let mut table = vec![audio(json!({"g711Alaw64k": 20}))];
        table.extend(takes.then(|| audio(noise.clone())));
        let caller = ready(config(), local, &table, "master");
        let opened = caller.opened();
        assert_eq!(opened.len(), 1, "comfort noise is no codec: {opened:?}");
        assert_eq!(caller.call.remote_media().comfort_noise, takes);
        let mut local = opus_and_g711();
        local.sessions[0].comfort_noise = takes;
        let said: String = peer::answered(config(), local).h245.iter().map(|m| format!("{m:?}")).collect();
        assert!(said.contains("TerminalCapabilitySet"), "{said}");
        assert_eq!(said.contains("0.0.8.245.1.1.6"), takes, "{said}");
    }
}

#[test]
fn a_codec_is_known_by_its_identifier_and_parameters() {
    let table = [audio(generic("0.0.7.7221.1.0", 1, 24_000)), audio(own("own/16000"))];
    let mut caller = ready(config(), described(), &table, "master");
    let (_, data) = caller.opened().remove(0);
    let said = &data["audioData"]["genericAudioCapability"];
    assert_eq!(said["capabilityIdentifier"], json!({"standard": "0.0.7.7221.1.0"}));
    assert_eq!(said["maxBitRate"], 240);
    let frames = json!({"parameterIdentifier": {"standard": 0}, "parameterValue": {"unsignedMin": 1}});
    assert!(said["collapsing"].as_array().unwrap().contains(&frames), "{said}");
    caller.say(ack(101));
    let plan = plans(&caller, Flow::Transmit)[0];
    assert_eq!((plan.codec, plan.payload_type, plan.packet_ms), (AudioCodec::Described(&WIDE), 97, 20));

    let mut message = open(7, json!({"audioData": generic("0.0.7.7221.1.0", 3, 24_000)}));
    let parameters = &mut message["request"]["openLogicalChannel"]["forwardLogicalChannelParameters"];
    parameters["multiplexParameters"]["h2250LogicalChannelParameters"]["dynamicRTPPayloadType"] = json!(110);
    caller.say(message);
    let plan = plans(&caller, Flow::Receive)[0];
    assert_eq!((plan.codec, plan.payload_type, plan.packet_ms), (AudioCodec::Described(&WIDE), 110, 60));
    caller.forget();
    caller.say(open(7, json!({"audioData": own("own/16000")})));
    assert_eq!(plans(&caller, Flow::Receive)[0].codec, AudioCodec::Described(&OWN));
    for other in [generic("0.0.7.7221.1.0", 1, 32_000), generic("0.0.7.7222.1.0", 1, 24_000), own("own/8000")]
    {
        let answer = caller.answer(open(8, json!({ "audioData": other })));
        let cause = &answer[0]["response"]["openLogicalChannelReject"]["cause"];
        assert!(cause.get("dataTypeNotSupported").is_some(), "{answer:?}");
    }
    // The other one, when the first is not among what the peer takes.
    let mut caller = ready(config(), described(), &table[1..], "master");
    assert!(caller.opened()[0].1["audioData"].get("nonStandard").is_some());
    caller.forget();
    // And by RequestMode.
    let mut caller = transmitting(config(), described(), &table, "master");
    let answer = caller.answer(json!({"request": {"requestMode": {
        "sequenceNumber": 1, "requestedModes": [[{"type": {"audioMode": own("own/16000")}}]],
    }}}));
    assert!(answer[0]["response"].get("requestModeAck").is_some(), "{answer:?}");
    assert!(caller.opened()[0].1["audioData"].get("nonStandard").is_some());
}

#[test]
fn capabilities_beyond_the_standard_reach_the_application_and_the_peer() {
    let capability = NonStandardCapability {
        identifier: NonStandardId::Object(Oid::new(&[1, 3, 6, 1, 4, 1, 9])),
        data: Bytes::from_static(b"\x01\x02"),
    };
    let config = Config { non_standard_capabilities: vec![capability.clone()], ..config() };
    let told = peer::answered(config.clone(), media(CALLER, &G711)).said();
    let entries = told[0]["request"]["terminalCapabilitySet"]["capabilityTable"].as_array().unwrap().clone();
    let said = entries.last().unwrap()["capability"].clone();
    assert_eq!(
        said,
        json!({"nonStandard": {"nonStandardIdentifier": {"object": "1.3.6.1.4.1.9"}, "data": "0102"}})
    );
    let long = json!({"nonStandard": {
        "nonStandardIdentifier": {"object": "1.3.6.1.4.1.9"}, "data": "00".repeat(1025),
    }});
    let caller =
        ready(config, media(CALLER, &G711), &[audio(json!({"g711Alaw64k": 20})), said, long], "master");
    assert!(caller.events.contains(&Event::CapabilitiesChanged));
    let remote = caller.call.remote_media();
    assert_eq!(remote.codecs, [(AudioCodec::Pcma, 20)]);
    assert_eq!(remote.non_standard, [capability], "a long one is left out");
}

#[test]
fn a_payload_type_of_ours_gives_way_to_the_peer_s_telephone_events() {
    let table =
        [audio(generic("0.0.7.7221.1.0", 1, 24_000)), event_capability(97, "0-15"), audio(own("own/16000"))];
    let mut caller = ready(config(), described(), &table, "master");
    let open = caller.said().into_iter().find(|m| m["request"].get("openLogicalChannel").is_some()).unwrap();
    let parameters = &open["request"]["openLogicalChannel"]["forwardLogicalChannelParameters"];
    let parameters = &parameters["multiplexParameters"]["h2250LogicalChannelParameters"];
    // 97 is taken by the events, 98 by our other codec.
    assert_eq!(parameters["dynamicRTPPayloadType"], 96);
    let mut ack = ack(101);
    let given = &mut ack["response"]["openLogicalChannelAck"]["forwardMultiplexAckParameters"];
    given["h2250LogicalChannelAckParameters"]["dynamicRTPPayloadType"] = json!(120);
    caller.say(ack);
    let plan = plans(&caller, Flow::Transmit)[0];
    assert_eq!((plan.payload_type, plan.telephone_event), (120, Some(97)));
}

fn event_capability(payload_type: u8, events: &str) -> Value {
    json!({"receiveRTPAudioTelephonyEventCapability": {
        "dynamicRTPPayloadType": payload_type, "audioTelephoneEvent": events,
    }})
}

#[test]
fn telephone_events_are_told_with_their_range_and_read_from_the_peer_s() {
    let events = TelephoneEvents::parse("0-16").unwrap();
    let config = Config { telephone_events: events, ..config() };
    let told = peer::answered(config.clone(), media(CALLER, &G711)).said().remove(0);
    assert!(told.to_string().contains(&event_capability(101, "0-16").to_string()), "{told}");
    for (text, expected, usable) in [
        ("0-15", Some("0-15"), true),
        ("0-11,16", Some("0-11,16"), true),
        ("nonsense", Some("0-15"), true),
        ("", Some("0-15"), true),
        ("16", Some("16"), false),
    ] {
        let table = [audio(json!({"g711Alaw64k": 20})), event_capability(100, text)];
        let mut caller = ready(config.clone(), media(CALLER, &G711), &table, "master");
        caller.say(ack(101));
        let remote = caller.call.remote_media().telephone_event;
        assert_eq!(remote.map(|(_, events)| events.to_string()).as_deref(), expected);
        assert_eq!(plans(&caller, Flow::Transmit)[0].telephone_event, usable.then_some(100), "{text}");
    }
}

#[test]
fn keys_go_the_first_way_that_both_sides_have() {
    use DtmfWay::{Alphanumeric, Keypad, Signal, TelephoneEvent};
    let all = [
        audio(json!({"g711Alaw64k": 20})),
        event_capability(100, "0-15"),
        json!({"receiveUserInputCapability": {"dtmf": null}}),
    ];
    let signal = [all[0].clone(), all[2].clone()];
    let none = [all[0].clone()];
    let deaf = |mut local: LocalMedia| {
        local.sessions[0].telephone_event = None;
        local
    };
    let order = Config::default().dtmf;
    for (ways, local, table, expected) in [
        (order.clone(), media(CALLER, &G711), &all[..], Some(TelephoneEvent)),
        (order.clone(), deaf(media(CALLER, &G711)), &all[..], Some(Signal)),
        (order.clone(), media(CALLER, &G711), &signal[..], Some(Signal)),
        (order.clone(), media(CALLER, &G711), &none[..], Some(Alphanumeric)),
        (vec![Alphanumeric, Signal], media(CALLER, &G711), &all[..], Some(Alphanumeric)),
        (vec![Signal, Keypad], media(CALLER, &G711), &none[..], Some(Keypad)),
        (vec![TelephoneEvent], media(CALLER, &G711), &none[..], None),
    ] {
        let mut caller = transmitting(Config { dtmf: ways.clone(), ..config() }, local, table, "master");
        assert_eq!(caller.call.dtmf_way(), expected, "{ways:?}");
        assert_eq!(caller.call.send_digits(caller.now, "1#"), expected, "{ways:?}");
        caller.drain();
        let told: Vec<&Event> =
            caller.events.iter().filter(|e| matches!(e, Event::SendTelephoneEvents { .. })).collect();
        let events = Event::SendTelephoneEvents { session_id: 1, payload_type: 100, digits: "1#".to_owned() };
        match expected {
            Some(TelephoneEvent) => assert_eq!(told, [&events]),
            _ => assert!(told.is_empty()),
        }
        let (h245, q931) = match expected {
            Some(Signal) => (2, 0),
            // A message each: there are peers that hear the first of a string.
            Some(Alphanumeric) => (2, 0),
            Some(Keypad) => (0, 2),
            _ => (0, 0),
        };
        let keypads = caller.signals.iter().filter(|s| s.q931.keypad_facility().is_some()).count();
        assert_eq!((caller.h245.len(), keypads), (h245, q931), "{ways:?}");
    }
    // What is no key goes as text, whatever comes first.
    let flashing = [&all[..], &[json!({"receiveUserInputCapability": {"hookflash": null}})]].concat();
    let mut caller = transmitting(config(), media(CALLER, &G711), &flashing, "master");
    assert_eq!(caller.call.send_digits(caller.now, "hello"), Some(Alphanumeric));
    assert_eq!(caller.call.send_digits(caller.now, "!"), Some(Signal), "no event 16 among the peer's");
    assert_eq!(caller.call.send_digits_by(caller.now, "1", &[Keypad, Signal]), Some(Keypad), "as is wished");
}

/// iLBC as a peer tells it that takes or sends frames of `mode` milliseconds, or does not say.
fn ilbc(mode: Option<u16>) -> Value {
    let parameter =
        |id: u8, value: Value| json!({"parameterIdentifier": {"standard": id}, "parameterValue": value});
    let mut collapsing = vec![parameter(0, json!({"unsignedMin": 2}))];
    collapsing.extend(mode.map(|mode| parameter(1, json!({"unsignedMax": mode}))));
    json!({"genericAudioCapability": {
        "capabilityIdentifier": {"standard": "0.0.8.245.1.1.11"}, "maxBitRate": 122, "collapsing": collapsing,
    }})
}

#[test]
fn the_two_modes_of_ilbc_are_told_apart() {
    let ilbc_20 = AudioCodec::Described(&catalogue::ILBC_20);
    let ilbc_30 = AudioCodec::Described(&catalogue::ILBC_30);
    let both = || {
        let mut media = media(CALLER, &[]);
        for (codec, payload_type) in [(ilbc_30, 96), (ilbc_20, 97)] {
            let offer = CodecOffer { codec, payload_type, packet_ms: 60, max_packet_ms: 60 };
            media.sessions[0].codecs.push(offer);
        }
        media
    };
    for (theirs, ours) in [(Some(20), ilbc_20), (Some(30), ilbc_30), (None, ilbc_30)] {
        let table = [audio(ilbc(theirs))];
        let mut caller = transmitting(config(), both(), &table, "master");
        caller.say(open(7, json!({"audioData": ilbc(theirs)})));
        let taken = plans(&caller, Flow::Receive)[0];
        assert_eq!(
            (taken.codec, taken.payload_type),
            (ours, if ours == ilbc_30 { 96 } else { 97 }),
            "{theirs:?}"
        );
    }
    // What we send has the mode named; where both modes will do, our wish decides, and 20 ms do not where 30 are told.
    for (theirs, mode) in [(Some(20), 30), (Some(30), 30), (None, 30)] {
        let opened = ready(config(), both(), &[audio(ilbc(theirs))], "master").opened();
        let told = &opened[0].1["audioData"]["genericAudioCapability"]["collapsing"];
        assert!(told.to_string().contains(&format!("\"unsignedMax\":{mode}")), "{theirs:?}: {told}");
    }
    let mut only_20 = both();
    only_20.sessions[0].codecs.remove(0);
    assert!(ready(config(), only_20, &[audio(ilbc(Some(30)))], "master").opened().is_empty());
}
