//! Any legal H.245 message, from the schema, at any state, in any order: no panic, no wedge, no storm.
//! In: `OFFHOOK_SEEDS`, `OFFHOOK_FIRST_SEED`. Not here: spoilt octets (`hostile.rs`).
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;
/// The wire crate's second reading of the schema, and values made of it.
#[path = "../../wire/tests/support"]
#[allow(
    dead_code,
    unused_imports,
    missing_docs,
    unreachable_pub,
    reason = "support of the wire crate's tests, used in part"
)]
mod support {
    pub mod notation;
    pub mod random;
    /// What `notation` needs of `roots`.
    pub mod roots {
        pub type Name = (String, String);
    }
}

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use common::script::Script;
use common::{CALLED, CALLER, media};
use offhook_h323::{AudioCodec, Cause, Config, DtmfWay, Event, LocalMedia, Loop, Release};
use offhook_wire::h245::MultimediaSystemControlMessage as H245;
use offhook_wire::per::json::{Value, build, describe};
use offhook_wire::q931::CallReference;
use serde_json::json;
use support::notation::{Maker, Schema, Taste};
use support::random::Random;
use support::roots::Name;

/// The most messages that one message may bring about at the endpoint that gets it: the answer, a channel that closes
/// and one that opens in each session, another set, determination.
const MOST_ANSWERS: usize = 12;

/// The most messages that one message may bring about between two endpoints until they are quiet.
const MOST_TRAFFIC: usize = 60;

fn seeds(otherwise: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("OFFHOOK_FIRST_SEED").unwrap_or(0);
    first..first + number("OFFHOOK_SEEDS").unwrap_or(otherwise)
}

fn schema() -> Schema {
    Schema::read_from(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../wire/src/schema"))
}

/// Bends a value so that it is more often about something that exists: channels, sequence numbers, audio.
fn steer(value: &mut Value, random: &mut Random) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| steer(item, random)),
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                steer(member, random);
                let bent = match name.as_str() {
                    name if name.ends_with("hannelNumber") && member.is_number() => {
                        json!(random.pick(&[101, 101, 102, 103, 104, 200, 201]))
                    }
                    "mediaLoop" | "logicalChannelLoop" if member.is_number() => json!(101),
                    "sequenceNumber" if member.is_number() => json!(random.below(5)),
                    "sessionID" => json!(random.pick(&[1, 1, 1, 1, 2])),
                    "dataType" if !random.one(4) => random
                        .pick(&[
                            json!({"audioData": {"g711Alaw64k": 20}}),
                            json!({"audioData": {"g711Ulaw64k": 20}}),
                        ])
                        .clone(),
                    "multiplexParameters" if !random.one(3) => {
                        json!({"h2250LogicalChannelParameters": {"sessionID": 1, "mediaChannel": address(), "mediaControlChannel": address()}})
                    }
                    "type" if member.get("videoMode").is_some() => {
                        json!({"audioMode": {"g711Ulaw64k": null}})
                    }
                    "maximumBitRate" if random.one(3) => json!(random.pick(&[0, 80, 640])),
                    _ => continue,
                };
                *member = bent;
            }
        }
        _ => {}
    }
}

fn address() -> Value {
    json!({"unicastAddress": {"iPAddress": {"network": "0a000009", "tsapIdentifier": 4000}}})
}

/// A message, of each kind about as often as of any other, steered or as it is.
fn message(maker: &mut Maker<'_>, kinds: &[Name]) -> H245 {
    loop {
        let kind = kinds[maker.random.below(kinds.len())].clone();
        let name = ("h245".to_owned(), kind.1.clone());
        let mut value = json!({ kind.0.as_str(): maker.value(&name) });
        if !maker.random.one(5) {
            let mut random = Random(maker.random.next());
            steer(&mut value, &mut random);
        }
        // What was bent may be no value any more: addresses and numbers stand in unlike places.
        if let Ok(message) = build(&value) {
            return message;
        }
    }
}

/// Requests come twice: most states belong to them.
fn kinds() -> Vec<Name> {
    let kind = |name: &str, ty: &str| (name.to_owned(), ty.to_owned());
    vec![
        kind("request", "RequestMessage"),
        kind("request", "RequestMessage"),
        kind("response", "ResponseMessage"),
        kind("command", "CommandMessage"),
        kind("indication", "IndicationMessage"),
    ]
}

const TASTE: Taste =
    Taste { sparse: 3, levels: 6, unknown: true, any_text: true, narrow: false, latin: true };

fn config(random: &mut Random) -> Config {
    let mut config = Config {
        fast_start: random.one(3),
        maintenance_loops: random.one(2),
        symmetric_codecs: random.one(2),
        ..Config::default()
    };
    if random.one(2) {
        config.dtmf.retain(|way| *way != DtmfWay::TelephoneEvent);
    }
    config.limits.protocol_errors = 10_000;
    config.timers.round_trip_interval = random.one(2).then_some(Duration::from_secs(10));
    config
}

const CODECS: [AudioCodec; 3] = [AudioCodec::Pcma, AudioCodec::Pcmu, AudioCodec::G729];

/// Carries what both say to the other until both are quiet; how many H.245 messages that were.
fn settle(ends: &mut [Script; 2], traffic: &mut Vec<String>) {
    loop {
        let mut moved = false;
        for from in 0..2 {
            ends[from].drain();
            for message in std::mem::take(&mut ends[from].h245) {
                traffic.push(describe(&message).to_string());
            }
            for signal in std::mem::take(&mut ends[from].signals) {
                moved = true;
                ends[1 - from].signal(&signal);
            }
            for event in std::mem::take(&mut ends[from].events) {
                if matches!(event, Event::Setup(_)) {
                    let now = ends[from].now;
                    ends[from].call.set_media(now, media(CALLED, &CODECS));
                    ends[from].call.answer(now);
                    ends[from].drain();
                    moved = true;
                }
            }
        }
        if !moved || traffic.len() > 10_000 {
            return;
        }
    }
}

fn pair(random: &mut Random) -> [Script; 2] {
    let mut ends = [Script::caller(config(random), media(CALLER, &CODECS)), Script::called(config(random))];
    settle(&mut ends, &mut Vec::new());
    ends
}

/// What the application may do at any time.
fn command(script: &mut Script, random: &mut Random) {
    let now = script.now;
    let call = &mut script.call;
    match random.below(14) {
        0 => _ = call.request_mode(now, &[AudioCodec::Pcmu, AudioCodec::G729]),
        1 => _ = call.change_codec(now, 1, CODECS[random.below(3)]),
        2 => _ = call.request_channel_close(now, 1, random.one(2)),
        3 => _ = call.limit_rate(now, 1, Some(8000)),
        4 => _ = call.set_channel_active(now, 1, random.one(2)),
        5 => _ = call.request_loop(now, Loop::Media(101)),
        6 => _ = call.end_loop(now),
        7 => _ = call.measure_round_trip(now),
        8 => call.set_bandwidth(now, random.one(2).then_some(72_000)),
        9 => _ = call.press_key(now, '5', None),
        10 => _ = call.update_key(now, Duration::from_millis(50)),
        11 => _ = call.send_digits(now, "1#"),
        12 => call.set_media(now, LocalMedia::default()),
        _ => call.set_media(now, media(CALLER, &[CODECS[random.below(3)], AudioCodec::Pcma])),
    }
    script.drain();
}

/// The one that is examined, at some state of the session.
fn victim(random: &mut Random) -> (Script, CallReference) {
    let mut ends = pair(random);
    if random.one(4) {
        // Nobody has said anything in H.245 yet.
        ends = [Script::caller(config(random), media(CALLER, &CODECS)), Script::called(config(random))];
        ends[1].drain();
        let setup = ends[0].signals.clone();
        setup.iter().for_each(|setup| ends[1].signal(setup));
        if random.one(2) {
            let now = ends[1].now;
            ends[1].call.answer(now);
            ends[1].drain();
        }
    }
    let [caller, called] = ends;
    // What the other side puts into its messages: the destination of the reference sets the flag.
    match random.one(2) {
        true => (caller, CallReference::new(77, true)),
        false => (called, CallReference::new(77, false)),
    }
}

#[test]
fn any_message_at_any_state_brings_about_little_and_every_state_ends() {
    let schema = schema();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let (mut alive, mut over) = (0, 0);
    for seed in seeds(150) {
        let mut random = Random(seed);
        let mut maker = Maker::new(&schema, random.next(), TASTE);
        let (mut script, theirs) = victim(&mut random);
        for _ in 0..random.below(60) {
            match random.below(12) {
                0 => command(&mut script, &mut random),
                1 => script.wait(Duration::from_millis(random.next() % 40_000)),
                _ => {
                    let message = message(&mut maker, &kinds());
                    let description = describe(&message);
                    let kind = description.as_object().unwrap().iter().next().unwrap();
                    let inner = kind.1.as_object().and_then(|o| o.keys().next().cloned()).unwrap_or_default();
                    if inner == "endSessionCommand" && !random.one(10) {
                        continue;
                    }
                    *seen.entry(format!("{}.{inner}", kind.0)).or_default() += 1;
                    script.forget();
                    let octets = offhook_wire::per::encode(&message).expect("a message");
                    script.tunnel_octets(octets.into(), theirs);
                    assert!(
                        script.h245.len() <= MOST_ANSWERS,
                        "seed {seed}: {description} brings about {:?}",
                        script.h245.iter().map(describe).collect::<Vec<_>>()
                    );
                }
            }
        }
        // Nothing more comes. What waits for an answer gives up, and nothing is left that waits.
        script.forget();
        script.call.set_media(script.now, media(CALLER, &CODECS));
        script.wait(Duration::from_secs(600));
        if script.call.is_finished() {
            over += 1;
            continue;
        }
        let measures = script.call.config().timers.round_trip_interval.is_some();
        assert!(measures || script.call.poll_timeout().is_none(), "seed {seed}: {:?}", script.call);
        // And it still answers.
        script.forget();
        script.tunnel_octets(
            offhook_wire::per::encode(&h245(json!({"request": {"terminalCapabilitySet": {
                "sequenceNumber": 99, "protocolIdentifier": "0.0.8.245.0.15",
            }}})))
            .unwrap()
            .into(),
            theirs,
        );
        let acknowledged =
            script.h245.iter().any(|m| describe(m)["response"].get("terminalCapabilitySetAck").is_some());
        assert!(acknowledged, "seed {seed}: {:?}", script.call);
        alive += 1;
        script.call.release(script.now, Release::with_cause(Cause::NORMAL_CALL_CLEARING));
        script.drain();
        script.wait(Duration::from_secs(60));
        assert!(script.call.is_finished() && script.call.poll_timeout().is_none(), "seed {seed}");
    }
    println!("{alive} alive, {over} over; {} kinds: {seen:?}", seen.len());
    assert!(alive > 20 && over > 20, "{alive} alive, {over} over");
    // 16 requests, 25 responses, 13 commands, 24 indications, and those that no version knows.
    assert!(seen.len() >= 60, "{seen:?}");
}

fn h245(description: Value) -> H245 {
    build(&description).expect("a description of an H.245 message")
}

#[test]
fn one_message_among_two_of_our_own_never_becomes_a_storm() {
    let schema = schema();
    let (mut most, mut injected) = (0, 0);
    for seed in seeds(60) {
        let mut random = Random(seed ^ 0xabcd);
        let mut maker = Maker::new(&schema, random.next(), TASTE);
        let mut ends = pair(&mut random);
        for _ in 0..30 {
            let to = random.below(2);
            let message = message(&mut maker, &kinds());
            let description = describe(&message);
            if description["command"].get("endSessionCommand").is_some() {
                continue;
            }
            let mut traffic = Vec::new();
            if random.one(6) {
                command(&mut ends[to], &mut random);
            } else {
                injected += 1;
                let octets = offhook_wire::per::encode(&message).expect("a message");
                ends[to].tunnel_octets(octets.into(), CallReference::new(77, to == CALLER));
            }
            settle(&mut ends, &mut traffic);
            assert!(
                traffic.len() <= MOST_TRAFFIC,
                "seed {seed}: {description} brings about {}: {:#?}",
                traffic.len(),
                &traffic[..MOST_TRAFFIC]
            );
            most = most.max(traffic.len());
        }
        let now = ends[0].now;
        ends[0].call.release(now, Release::normal());
        settle(&mut ends, &mut Vec::new());
        for end in &mut ends {
            end.wait(Duration::from_secs(120));
            assert!(
                end.call.is_finished() && end.call.poll_timeout().is_none(),
                "seed {seed}: {:?}",
                end.call
            );
        }
    }
    println!("{injected} messages, the most that one brought about: {most}");
    assert!(injected > 1000);
}
