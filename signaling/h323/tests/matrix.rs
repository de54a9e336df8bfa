//! Every start mode against every other: as it goes, with either connection lost at each of its messages, with tunnelled
//! H.245 repeated and exchanged. A call ends connected with channels that match, or released with one cause on both
//! sides; nothing is left behind.
//!
//! OFFHOOK_SEEDS says how many seeds each pair gets; a failure names pair and seed.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::mangle::Mangle;
use common::{CALLED, CALLER, Random, World, policies};
use offhook_h323::{CallState, Channel, Config, Event, FastConnectAnswer, Flow, Origin, Release};

const SECOND: Duration = Duration::from_secs(1);

/// How a side brings media up (H.323 8.1.7, 8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// Fast connect, H.245 tunnelled afterwards.
    Fast,
    /// Fast connect with H.245 beside it in Setup (parallelH245Control).
    FastParallel,
    /// Fast connect, H.245 on a connection of its own.
    FastSeparate,
    /// H.245 tunnelled.
    Tunnelled,
    /// H.245 tunnelled from Setup on.
    TunnelledInSetup,
    /// H.245 on a connection of its own.
    Separate,
    /// The same, with the address in Setup.
    SeparateInSetup,
}

const ALL: [Start; 7] = [
    Start::Fast,
    Start::FastParallel,
    Start::FastSeparate,
    Start::Tunnelled,
    Start::TunnelledInSetup,
    Start::Separate,
    Start::SeparateInSetup,
];

impl Start {
    fn config(self) -> Config {
        Config {
            fast_start: matches!(self, Self::Fast | Self::FastParallel | Self::FastSeparate),
            tunnelling: !matches!(self, Self::FastSeparate | Self::Separate | Self::SeparateInSetup),
            h245_in_setup: matches!(
                self,
                Self::FastParallel | Self::TunnelledInSetup | Self::SeparateInSetup
            ),
            ..Config::default()
        }
    }
}

fn seeds(usual: u64) -> std::ops::Range<u64> {
    0..std::env::var("OFFHOOK_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(usual)
}

fn pairs() -> impl Iterator<Item = [Start; 2]> {
    ALL.into_iter().flat_map(|caller| ALL.into_iter().map(move |called| [caller, called]))
}

fn world([caller, called]: [Start; 2], seed: u64) -> World {
    let policies = policies(&mut Random(seed ^ 0xa11));
    // The message that answers fast connect changes from seed to seed.
    let mut called = called.config();
    let answers = [
        FastConnectAnswer::CallProceeding,
        FastConnectAnswer::Facility,
        FastConnectAnswer::Progress,
        FastConnectAnswer::Alerting,
        FastConnectAnswer::Connect,
    ];
    let mut random = Random(seed ^ 0xfa57);
    called.fast_connect_answer = answers[random.below(5) as usize];
    called.repeat_fast_connect_answer = random.below(2) == 0;
    // Some sides open bidirectional channels, so that those cross as well.
    let mut caller = caller.config();
    caller.bidirectional_channels = random.below(3) == 0;
    called.bidirectional_channels = random.below(3) == 0;
    World::new(seed, caller, called, policies)
}

/// Connected with matching channels, or released with one cause; then hung up, and nothing left.
fn settle(world: &mut World, context: &str) -> bool {
    let connected = world.ends.iter().all(|end| end.call.state() == CallState::Active);
    if connected {
        for (end, other) in [(CALLER, CALLED), (CALLED, CALLER)] {
            let (Some(tx), Some(rx)) =
                (world.ends[end].plan(Flow::Transmit), world.ends[other].plan(Flow::Receive))
            else {
                panic!("{context}: {end} sends nothing: {:?}", world.ends[end].events);
            };
            assert_eq!(
                (tx.codec, tx.payload_type, tx.channel),
                (rx.codec, rx.payload_type, rx.channel),
                "{context}"
            );
            let local = &world.ends[other].policy.local.sessions[0];
            assert_eq!(tx.remote_rtp, Some(local.rtp), "{context}");
        }
        world.release(SECOND, CALLER, Release::normal());
        world.run(SECOND * 60);
    }
    world.assert_over(context);
    let [caller, called] = [CALLER, CALLED].map(|end| world.ends[end].released().unwrap().clone());
    for (this, that) in [(&caller, &called), (&called, &caller)] {
        if that.origin == Origin::Remote && this.origin != Origin::Remote {
            assert_eq!(this.cause, that.cause, "{context}: {this:?} {that:?}");
        }
    }
    // Two sides that ended it at the same time may have said different things; one of them did end it.
    assert!(
        caller.origin != Origin::Remote || called.origin != Origin::Remote,
        "{context}: each says that it was the other: {caller:?} {called:?}"
    );
    connected
}

#[test]
fn every_pair_of_start_modes_connects() {
    for pair in pairs() {
        for seed in seeds(4) {
            let context = format!("{pair:?} seed {seed}");
            let mut world = world(pair, seed);
            world.run(SECOND * 10);
            world.assert_connected(&context);
            assert!(settle(&mut world, &context), "{context}");
        }
    }
}

#[test]
fn a_signalling_connection_lost_at_any_message_ends_both_sides() {
    for pair in pairs() {
        for seed in seeds(2) {
            for at in 1..100 {
                let context = format!("{pair:?} seed {seed} signalling lost at {at}");
                let mut world = world(pair, seed);
                world.cut = Some((Channel::Signaling, at));
                world.run(SECOND * 9);
                let reached = world.messages[0] >= at;
                if !reached {
                    // The whole set-up has gone by.
                    break;
                }
                world.run(SECOND * 300);
                assert!(!settle(&mut world, &context), "{context}");
            }
        }
    }
}

#[test]
fn an_h245_connection_lost_at_any_message_ends_the_call_or_leaves_it_its_channels() {
    let (mut lived, mut died) = (0, 0);
    for pair in pairs() {
        for seed in seeds(2) {
            for at in 1..100 {
                let context = format!("{pair:?} seed {seed} H.245 lost at {at}");
                let mut world = world(pair, seed);
                world.cut = Some((Channel::H245, at));
                world.run(SECOND * 9);
                if world.messages[1] < at {
                    break;
                }
                world.run(SECOND * 60);
                if settle(&mut world, &context) { lived += 1 } else { died += 1 }
            }
        }
    }
    assert!(lived > 0 && died > 0, "{lived} calls lived, {died} ended");
}

#[test]
fn tunnelled_h245_repeated_and_exchanged_does_no_harm() {
    let (mut connected, mut all) = (0, 0);
    for pair in pairs() {
        for seed in seeds(8) {
            let context = format!("{pair:?} seed {seed} mangled");
            let mut world = world(pair, seed);
            world.mangle = Mangle::Within;
            world.run(SECOND * 100);
            connected += usize::from(settle(&mut world, &context));
            all += 1;
        }
    }
    assert!(connected * 10 > all * 9, "{connected} of {all} calls connected");
}

/// Messages that come late, twice in different messages, or never may cost channels or the call, but hang nothing: both
/// sides end, as one of them said.
#[test]
fn tunnelled_h245_repeated_late_and_lost_across_messages_hangs_nothing() {
    for mangle in [Mangle::Across, Mangle::Lossy] {
        let (mut connected, mut with_channels, mut all) = (0, 0, 0);
        for pair in pairs() {
            for seed in seeds(6) {
                let context = format!("{pair:?} seed {seed} {mangle:?}");
                let mut world = world(pair, seed);
                world.mangle = mangle;
                world.run(SECOND * 200);
                let states = [CALLER, CALLED].map(|end| world.ends[end].call.state());
                let up = states == [CallState::Active; 2];
                assert!(up || states == [CallState::Null; 2], "{context}: {states:?}");
                if up {
                    connected += 1;
                    let sends = |end: usize| world.ends[end].plan(Flow::Transmit).is_some();
                    with_channels += usize::from(sends(CALLER) && sends(CALLED));
                    world.release(SECOND, CALLER, Release::normal());
                    world.run(SECOND * 60);
                }
                world.assert_over(&context);
                let [caller, called] = [CALLER, CALLED].map(|end| world.ends[end].released().unwrap());
                for (this, that) in [(caller, called), (called, caller)] {
                    if that.origin == Origin::Remote && this.origin != Origin::Remote {
                        assert_eq!(this.cause, that.cause, "{context}: {this:?} {that:?}");
                    }
                }
                all += 1;
            }
        }
        assert!(
            connected * 2 > all && with_channels * 2 > connected,
            "{mangle:?}: {with_channels} of {connected} of {all}"
        );
    }
}

#[test]
fn a_peer_that_does_not_tunnel_gets_a_connection() {
    for seed in seeds(20) {
        let context = format!("seed {seed}");
        for called in [Start::Separate, Start::SeparateInSetup] {
            let mut world = world([Start::Tunnelled, called], seed);
            world.run(SECOND * 10);
            world.assert_connected(&context);
            assert!(world.messages[1] > 0, "{context}: H.245 has its own connection");
            let told = |end: usize| world.ends[end].count(|event| matches!(event, Event::Connected(_)));
            assert_eq!((told(CALLER), told(CALLED)), (1, 1), "{context}");
        }
    }
}
