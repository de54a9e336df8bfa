//! Holding and being held (H.323 8.4.6): two endpoints on a virtual clock over a seeded network, and one with a peer that
//! the test plays.
//! In: `OFFHOOK_SEEDS`. Not here: what the held side does about a third party's pause (`h245_channels.rs`, `captures.rs`).
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;
mod peer;

use std::time::Duration;

use common::script::Script;
use common::{CALLED, CALLER, Random, World, media, policies};
use offhook_h323::{AudioCodec, Cause, Channel, Closed, Config, DtmfWay, Event, Flow, Origin, Release};
use peer::{ack, audio, close, open, transmitting};
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);

fn seeds() -> std::ops::Range<u64> {
    0..std::env::var("OFFHOOK_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(40)
}

/// How the call starts.
#[derive(Debug, Clone, Copy)]
struct Mode {
    fast: bool,
    tunnels: bool,
    /// H.245 follows fast connect.
    h245: bool,
}

impl Mode {
    const ALL: [Self; 6] = [
        Self { fast: false, tunnels: true, h245: true },
        Self { fast: false, tunnels: false, h245: true },
        Self { fast: true, tunnels: true, h245: true },
        Self { fast: true, tunnels: false, h245: true },
        Self { fast: true, tunnels: true, h245: false },
        Self { fast: true, tunnels: false, h245: false },
    ];

    fn world(self, seed: u64) -> World {
        let mut random = Random(seed);
        let policies = policies(&mut random);
        let config = Config {
            fast_start: self.fast,
            tunnelling: self.tunnels,
            h245_after_fast_start: self.h245,
            dtmf: vec![DtmfWay::Signal, DtmfWay::Alphanumeric, DtmfWay::Keypad],
            ..Config::default()
        };
        World::new(seed, config.clone(), config, policies)
    }
}

fn each(run: impl Fn(Mode, u64, &str)) {
    for mode in Mode::ALL {
        for seed in seeds() {
            run(mode, seed, &format!("{mode:?} seed {seed}"));
        }
    }
}

/// What is told of holding and of channels, in order.
fn told(events: &[Event]) -> Vec<&'static str> {
    let told = events.iter().filter_map(|event| match event {
        Event::Paused => Some("paused"),
        Event::Resumed => Some("resumed"),
        Event::Held => Some("held"),
        Event::HoldFailed { .. } => Some("hold failed"),
        Event::Retrieved => Some("retrieved"),
        Event::RetrieveFailed { .. } => Some("retrieve failed"),
        Event::ChannelOpened(plan) if plan.flow == Flow::Transmit => Some("transmits"),
        Event::ChannelOpened(_) => Some("receives"),
        Event::ChannelClosed { flow: Flow::Transmit, .. } => Some("transmits no more"),
        Event::ChannelClosed { .. } => Some("receives no more"),
        _ => None,
    });
    told.collect()
}

fn of_hold(events: &[Event]) -> Vec<&'static str> {
    told(events)
        .into_iter()
        .filter(|told| !told.contains("transmits") && !told.contains("receives"))
        .collect()
}

#[test]
fn a_hold_silences_both_ways_and_a_retrieval_opens_them_again() {
    each(|mode, seed, context| {
        let mut world = mode.world(seed);
        world.run(SECOND * 5);
        world.assert_connected(context);
        let (holder, held) = if seed % 2 == 0 { (CALLER, CALLED) } else { (CALLED, CALLER) };
        for round in 0..2 {
            world.ends.iter_mut().for_each(|end| end.events.clear());
            world.hold(SECOND, holder);
            world.run(SECOND * 60);
            assert!(
                world.ends.iter().all(|end| end.open.is_empty()),
                "{context}: {:?}",
                world.ends[held].events
            );
            assert_eq!(of_hold(&world.ends[holder].events), ["held"], "{context}");
            assert_eq!(of_hold(&world.ends[held].events), ["paused"], "{context}");
            world.ends.iter_mut().for_each(|end| end.events.clear());
            world.retrieve(SECOND, holder);
            world.run(SECOND * 60);
            world.assert_connected(context);
            assert_eq!(of_hold(&world.ends[holder].events), ["retrieved"], "{context}");
            assert_eq!(of_hold(&world.ends[held].events), ["resumed"], "{context}");
            for end in &world.ends {
                assert_eq!(end.count(|e| matches!(e, Event::ChannelOpened(_))), 2, "{context}, {round}");
            }
        }
        assert_eq!(world.ends[holder].asked, [true; 4], "{context}");
        world.release(SECOND, held, Release::normal());
        world.run(SECOND * 60);
        world.assert_over(context);
    });
}

#[test]
fn both_may_hold_at_once_and_each_retrieves_for_itself() {
    each(|mode, seed, context| {
        let mut world = mode.world(seed);
        world.run(SECOND * 5);
        let mut random = Random(seed ^ 0x401d);
        for end in [CALLER, CALLED] {
            world.ends[end].events.clear();
            world.hold(random.ms(60), end);
        }
        world.run(SECOND * 60);
        for end in &world.ends {
            let mut told = of_hold(&end.events);
            told.sort_unstable();
            assert_eq!(told, ["held", "paused"], "{context}");
            assert!(end.open.is_empty(), "{context}");
        }
        let first = random.below(2) as usize;
        world.retrieve(SECOND, first);
        world.run(SECOND * 60);
        assert!(world.ends.iter().all(|end| end.open.is_empty()), "{context}: the other holds still");
        let other = &world.ends[1 - first].events;
        assert!(other.contains(&Event::Resumed) && !other.contains(&Event::Retrieved), "{context}");
        world.retrieve(SECOND, 1 - first);
        world.run(SECOND * 60);
        world.assert_connected(context);
        assert!(world.ends.iter().all(|end| end.asked == [true, true]), "{context}");
    });
}

#[test]
fn a_hold_at_any_moment_is_refused_or_ends_in_a_held_peer() {
    let mut holds = 0;
    for mode in Mode::ALL {
        for seed in seeds() {
            let context = format!("{mode:?} seed {seed}");
            let mut world = mode.world(seed);
            let mut random = Random(seed ^ 0x0f1e);
            let end = random.below(2) as usize;
            world.hold(random.ms(1500), end);
            world.run(SECOND * 60);
            let taken = world.ends[end].asked == [true];
            assert_eq!(
                of_hold(&world.ends[end].events),
                if taken { vec!["held"] } else { vec![] },
                "{context}"
            );
            if !taken {
                world.assert_connected(&context);
                continue;
            }
            holds += 1;
            assert!(
                world.ends.iter().all(|end| end.open.is_empty()),
                "{context}: {:?}",
                world.ends[end].events
            );
            world.retrieve(SECOND, end);
            world.run(SECOND * 60);
            world.assert_connected(&context);
        }
    }
    assert!(holds > 60, "{holds}");
}

#[test]
fn any_order_of_holds_and_retrievals_by_both_settles() {
    each(|mode, seed, context| {
        let mut world = mode.world(seed);
        world.run(SECOND * 5);
        let mut random = Random(seed ^ 0xa11);
        for _ in 0..12 {
            let end = random.below(2) as usize;
            if random.below(2) == 0 {
                world.hold(random.ms(400), end)
            } else {
                world.retrieve(random.ms(400), end)
            }
            if random.below(4) == 0 {
                world.run(random.ms(300));
            }
        }
        world.run(SECOND * 60);
        for end in [CALLER, CALLED] {
            let told = of_hold(&world.ends[end].events);
            let of = |what| told.iter().filter(|told| **told == what).count();
            assert_eq!(of("hold failed") + of("retrieve failed"), 0, "{context}: {told:?}");
            if of("held") > of("retrieved") {
                world.retrieve(SECOND, end);
            }
        }
        world.run(SECOND * 60);
        world.assert_connected(context);
        for end in &world.ends {
            let told = of_hold(&end.events);
            let last = told.iter().rev().find(|told| ["paused", "resumed"].contains(told));
            assert_ne!(last, Some(&"paused"), "{context}: {told:?}");
        }
    });
}

#[test]
fn a_release_or_a_broken_connection_ends_a_held_call() {
    each(|mode, seed, context| {
        let mut world = mode.world(seed);
        world.run(SECOND * 5);
        let mut random = Random(seed ^ 0xdead);
        let end = random.below(2) as usize;
        world.hold(SECOND, end);
        let at = SECOND + random.ms(200);
        match random.below(3) {
            0 => world.release(at, end, Release::normal()),
            1 => world.release(at, 1 - end, Release::normal()),
            _ => world.break_connection(at, Channel::Signaling, Closed::Failed),
        }
        world.run(SECOND * 100);
        world.assert_over(context);
    });
}

#[test]
fn keys_reach_a_holder_and_the_held() {
    for (mode, seed) in Mode::ALL.into_iter().flat_map(|mode| (0..5).map(move |seed| (mode, seed))) {
        let context = format!("{mode:?} seed {seed}");
        let mut world = mode.world(seed);
        world.run(SECOND * 5);
        world.hold(SECOND, CALLER);
        world.run(SECOND * 10);
        world.digits(SECOND, CALLER, "1");
        world.digits(SECOND, CALLED, "2");
        world.run(SECOND * 10);
        // Its capabilities are unknown while the peer holds us: a key goes by Q.931.
        let keypad = |e: &Event| matches!(e, Event::Digit { via: offhook_h323::DigitVia::Keypad, .. });
        assert_eq!(
            (world.ends[CALLED].digits(), world.ends[CALLER].digits()),
            ("1".into(), "2".into()),
            "{context}"
        );
        assert_eq!(world.ends[CALLER].count(keypad), 1, "{context}");
        assert_eq!(world.ends[CALLED].count(keypad), 0, "{context}");
    }
}

// --- one side, with a peer that the test plays ---------------------------------------------------------------------

const CODECS: [AudioCodec; 2] = [AudioCodec::Pcma, AudioCodec::Pcmu];

fn table() -> Vec<Value> {
    vec![audio(json!({"g711Alaw64k": 20})), audio(json!({"g711Ulaw64k": 20}))]
}

/// We send in channel 101 and receive in the peer's 7.
fn caller() -> Script {
    let mut caller = transmitting(peer::config(), media(CALLER, &CODECS), &table(), "master");
    caller.say(open(7, json!({"audioData": {"g711Alaw64k": 20}})));
    caller.forget();
    caller
}

fn is_empty_set(message: &Value) -> bool {
    message["request"]["terminalCapabilitySet"]
        .as_object()
        .is_some_and(|set| !set.contains_key("capabilityTable"))
}

fn set_ack(sequence: u64) -> Value {
    json!({"response": {"terminalCapabilitySetAck": {"sequenceNumber": sequence}}})
}

fn set_reject(sequence: u64) -> Value {
    json!({"response": {"terminalCapabilitySetReject": {"sequenceNumber": sequence, "cause": {"unspecified": null}}}})
}

fn holding(caller: &mut Script) -> u64 {
    assert!(caller.call.hold(caller.now));
    caller.drain();
    let said = caller.said();
    assert!(said.len() == 1 && is_empty_set(&said[0]), "{said:?}");
    let sequence = said[0]["request"]["terminalCapabilitySet"]["sequenceNumber"].as_u64().unwrap();
    caller.forget();
    sequence
}

fn held() -> Script {
    let mut caller = caller();
    let sequence = holding(&mut caller);
    caller.say(set_ack(sequence));
    caller.say(close(7));
    caller.forget();
    caller
}

#[test]
fn our_channel_closes_when_the_peer_has_answered_and_the_peers_when_it_closes_it() {
    let mut caller = caller();
    let sequence = holding(&mut caller);
    assert!(caller.events.is_empty(), "nothing has changed yet: {:?}", caller.events);
    caller.say(set_ack(sequence));
    assert_eq!(told(&caller.events), ["transmits no more", "held"]);
    assert_eq!(caller.names(), ["closeLogicalChannel"]);
    caller.forget();
    caller.say(close(7));
    assert_eq!(told(&caller.events), ["receives no more"]);
    caller.forget();
    caller.say(json!({"response": {"closeLogicalChannelAck": {"forwardLogicalChannelNumber": 101}}}));
    caller.wait(SECOND * 100);
    assert!(caller.events.is_empty() && caller.call.poll_timeout().is_none());
}

#[test]
fn what_the_held_peer_opens_is_refused() {
    let mut caller = held();
    let answer = caller.answer(open(8, json!({"audioData": {"g711Alaw64k": 20}})));
    let cause = &answer[0]["response"]["openLogicalChannelReject"]["cause"];
    assert!(cause.get("dataTypeNotAvailable").is_some(), "{answer:?}");
}

#[test]
fn a_retrieval_says_everything_anew_and_opens_under_another_number() {
    let mut caller = held();
    assert!(caller.call.retrieve(caller.now));
    caller.drain();
    let said = caller.said();
    assert_eq!(caller.names(), ["terminalCapabilitySet", "masterSlaveDetermination"]);
    assert!(!is_empty_set(&said[0]), "{said:?}");
    let sequence = said[0]["request"]["terminalCapabilitySet"]["sequenceNumber"].as_u64().unwrap();
    caller.forget();
    caller.say(set_ack(sequence));
    assert_eq!(told(&caller.events), ["retrieved"]);
    assert!(caller.opened().is_empty(), "master and slave are not determined");
    caller.say(json!({"response": {"masterSlaveDeterminationAck": {"decision": {"slave": null}}}}));
    let opened = caller.opened();
    assert!(opened.len() == 1 && opened[0].0 == 102, "{opened:?}");
    caller.forget();
    caller.say(ack(102));
    assert_eq!(told(&caller.events), ["transmits"]);
}

#[test]
fn a_retrieved_peer_that_determines_nothing_anew_is_what_it_was() {
    let mut caller = held();
    assert!(caller.call.retrieve(caller.now));
    caller.drain();
    let set = caller.said()[0]["request"]["terminalCapabilitySet"]["sequenceNumber"].as_u64().unwrap();
    caller.forget();
    caller.say(set_ack(set));
    caller.wait(SECOND * 31);
    assert_eq!(caller.opened().len(), 1, "after T106: {:?}", caller.names());
    assert_eq!(told(&caller.events), ["retrieved"]);
}

#[test]
fn a_channel_that_is_being_opened_is_closed_by_a_hold_all_the_same() {
    let mut caller = peer::ready(peer::config(), media(CALLER, &CODECS), &table(), "slave");
    caller.forget();
    let sequence = holding(&mut caller);
    caller.say(set_ack(sequence));
    assert_eq!(caller.names(), ["closeLogicalChannel"]);
    caller.say(ack(101));
    caller.say(json!({"response": {"closeLogicalChannelAck": {"forwardLogicalChannelNumber": 101}}}));
    assert_eq!(told(&caller.events), ["held"], "the late Ack opens nothing");
    assert_eq!(caller.call.poll_timeout(), None);
}

#[test]
fn a_hold_that_the_peer_rejects_or_does_not_answer_changes_nothing_and_is_undone() {
    for answers in [true, false] {
        let mut caller = caller();
        let sequence = holding(&mut caller);
        if answers {
            caller.say(set_reject(sequence));
        } else {
            caller.wait(SECOND * 31);
        }
        assert_eq!(told(&caller.events), ["hold failed"]);
        let said = caller.said();
        let last = said.last().unwrap();
        assert!(last["request"].get("terminalCapabilitySet").is_some() && !is_empty_set(last), "{said:?}");
        caller.forget();
        caller.say(set_ack(sequence + 1));
        assert!(caller.h245.is_empty() && caller.events.is_empty(), "the channels have stayed");
        holding(&mut caller);
    }
}

#[test]
fn a_retrieval_that_fails_leaves_the_peer_held_and_may_be_tried_again() {
    let mut caller = held();
    assert!(caller.call.retrieve(caller.now));
    caller.drain();
    let said = caller.said();
    let sequence = said[0]["request"]["terminalCapabilitySet"]["sequenceNumber"].as_u64().unwrap();
    caller.say(json!({"response": {"masterSlaveDeterminationAck": {"decision": {"slave": null}}}}));
    caller.forget();
    caller.say(set_reject(sequence));
    assert_eq!(told(&caller.events), ["retrieve failed"]);
    assert!(caller.opened().is_empty());
    assert!(caller.call.retrieve(caller.now));
    caller.drain();
    caller.forget();
    caller.say(set_ack(sequence + 1));
    assert_eq!(told(&caller.events), ["retrieved"]);
}

#[test]
fn hold_and_retrieve_out_of_place_are_refused() {
    let mut caller = caller();
    assert!(!caller.call.retrieve(caller.now), "not held");
    let sequence = holding(&mut caller);
    assert!(!caller.call.hold(caller.now), "about to be");
    assert!(!caller.call.retrieve(caller.now), "not yet");
    caller.say(set_ack(sequence));
    assert!(!caller.call.hold(caller.now), "held");
    caller.say(json!({"command": {"endSessionCommand": {"disconnect": null}}}));
    assert!(!caller.call.retrieve(caller.now), "the session has ended");

    let mut ringing = Script::caller(peer::config(), media(CALLER, &CODECS));
    assert!(!ringing.call.hold(ringing.now), "no call is up");
    ringing.call.release(ringing.now, Release::normal());
    assert!(!ringing.call.hold(ringing.now), "none any more");
}

#[test]
fn new_media_counts_when_the_held_peer_is_retrieved() {
    let mut caller = held();
    caller.call.set_media(caller.now, media(CALLER, &[AudioCodec::Pcmu]));
    caller.drain();
    assert!(caller.h245.is_empty(), "{:?}", caller.names());
    assert!(caller.call.retrieve(caller.now));
    caller.drain();
    let said = caller.said();
    let entries = said[0]["request"]["terminalCapabilitySet"]["capabilityTable"].to_string();
    assert!(entries.contains("g711Ulaw64k") && !entries.contains("g711Alaw64k"), "{entries}");
}

#[test]
fn without_a_way_for_h245_nobody_is_held_and_the_call_goes_on() {
    let mut world = Mode { fast: true, tunnels: false, h245: false }.world(3);
    world.run(SECOND * 5);
    world.can_listen = false;
    world.hold(SECOND, CALLED);
    world.run(SECOND * 100);
    assert_eq!(world.ends[CALLED].asked, [true]);
    assert_eq!(of_hold(&world.ends[CALLED].events), ["hold failed"], "{:?}", world.ends[CALLED].events);
    world.assert_connected("as before");
}

#[test]
fn a_held_call_whose_h245_connection_breaks_is_over() {
    for fast in [false, true] {
        let mut world = Mode { fast, tunnels: false, h245: true }.world(4);
        world.run(SECOND * 5);
        world.hold(SECOND, CALLER);
        world.run(SECOND * 10);
        world.break_connection(SECOND, Channel::H245, Closed::Failed);
        world.run(SECOND * 100);
        world.assert_over("without H.245 nobody could retrieve anybody");
        let info = world.ends[CALLER].released().unwrap();
        assert!(matches!(info.origin, Origin::Network | Origin::Remote), "{info:?}");
        assert_eq!(info.cause, Some(Cause::TEMPORARY_FAILURE));
    }
}
