//! Two endpoints on a virtual clock over a seeded network: every start mode, every side's way to end it.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{CALLED, CALLER, Policy, Random, World, media, policies};
use offhook_h323::{
    AudioCodec, CallState, Cause, Channel, Closed, Config, DigitVia, DtmfWay, Event, Flow, LocalMedia,
    Origin, Release, ReleaseReason, Timers,
};

const SECOND: Duration = Duration::from_secs(1);

/// Seeds a mode: enough to meet every crossing often, few enough for every run. OFFHOOK_SEEDS says otherwise.
fn seeds() -> std::ops::Range<u64> {
    0..std::env::var("OFFHOOK_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(40)
}

#[derive(Debug, Clone, Copy)]
struct Mode {
    caller_fast: bool,
    called_fast: bool,
    caller_tunnels: bool,
    called_tunnels: bool,
    h245_in_setup: bool,
}

impl Mode {
    fn all() -> Vec<Self> {
        (0..32u8)
            .map(|bits| Self {
                caller_fast: bits & 1 != 0,
                called_fast: bits & 2 != 0,
                caller_tunnels: bits & 4 != 0,
                called_tunnels: bits & 8 != 0,
                h245_in_setup: bits & 16 != 0,
            })
            .collect()
    }

    fn configs(self) -> [Config; 2] {
        let config = |fast_start, tunnelling| Config {
            display: "tester".to_owned(),
            fast_start,
            tunnelling,
            h245_in_setup: self.h245_in_setup,
            // Without telephone-events, which the media side would send.
            dtmf: vec![DtmfWay::Signal, DtmfWay::Alphanumeric, DtmfWay::Keypad],
            ..Config::default()
        };
        [config(self.caller_fast, self.caller_tunnels), config(self.called_fast, self.called_tunnels)]
    }

    fn fast(self) -> bool {
        self.caller_fast && self.called_fast
    }

    fn world(self, seed: u64) -> World {
        let mut random = Random(seed);
        let policies = policies(&mut random);
        let [caller, called] = self.configs();
        World::new(seed, caller, called, policies)
    }
}

fn each(run: impl Fn(Mode, u64, &str)) {
    for mode in Mode::all() {
        for seed in seeds() {
            run(mode, seed, &format!("{mode:?} seed {seed}"));
        }
    }
}

#[test]
fn every_start_mode_ends_in_a_connected_call_with_channels_both_ways() {
    each(|mode, seed, context| {
        let mut world = mode.world(seed);
        world.run(SECOND * 5);
        world.assert_connected(context);
        for end in &world.ends {
            let info = end.events.iter().find_map(|event| match event {
                Event::Connected(info) => Some(info),
                _ => None,
            });
            assert_eq!(info.expect("connected").fast_start, mode.fast(), "{context}");
            assert_eq!(end.count(|e| matches!(e, Event::ChannelOpened(_))), 2, "{context}: {:?}", end.events);
        }
    });
}

#[test]
fn digits_and_round_trips_go_both_ways_and_either_side_may_hang_up() {
    each(|mode, seed, context| {
        let mut world = mode.world(seed);
        world.run(SECOND * 3);
        world.digits(SECOND, CALLER, "12#");
        world.digits(SECOND, CALLED, "*9D");
        // The round trip is measured at once and once a minute.
        world.run(SECOND * 70);
        assert_eq!(world.ends[CALLED].digits(), "12#", "{context}");
        assert_eq!(world.ends[CALLER].digits(), "*9D", "{context}");
        for end in &world.ends {
            let trips = end.count(|e| matches!(e, Event::RoundTrip(d) if *d <= Duration::from_millis(60)));
            assert!(trips >= 2, "{context}: {:?}", end.events);
            assert_eq!(end.count(|e| matches!(e, Event::RoundTripLost)), 0, "{context}");
            let signal = end.events.iter().any(|e| matches!(e, Event::Digit { via: DigitVia::Signal, .. }));
            assert!(signal, "{context}");
        }
        let end = if seed % 2 == 0 { CALLER } else { CALLED };
        world.release(SECOND, end, Release::normal());
        world.run(SECOND * 60);
        world.assert_over(context);
        let local = world.ends[end].released().unwrap();
        let remote = world.ends[1 - end].released().unwrap();
        assert_eq!((local.origin, local.connected), (Origin::Local, true), "{context}");
        assert_eq!((remote.origin, remote.connected), (Origin::Remote, true), "{context}: {remote:?}");
        assert_eq!(remote.cause, Some(Cause::NORMAL_CALL_CLEARING), "{context}");
        assert_eq!(remote.reason, None, "{context}");
    });
}

#[test]
fn both_sides_hanging_up_at_once_leaves_nothing_behind() {
    each(|mode, seed, context| {
        let mut world = mode.world(seed);
        world.run(SECOND * 3);
        let mut random = Random(seed);
        world.release(random.ms(20), CALLER, Release::normal());
        world.release(random.ms(20), CALLED, Release::normal());
        world.run(SECOND * 60);
        world.assert_over(context);
    });
}

#[test]
fn a_release_at_any_moment_of_set_up_ends_both_sides() {
    each(|mode, seed, context| {
        let mut world = mode.world(seed);
        let mut random = Random(seed ^ 0x5eed);
        let end = if random.below(2) == 0 { CALLER } else { CALLED };
        let release = Release::with_cause(Cause(1 + random.below(127) as u8));
        world.release(Duration::from_millis(20) + random.ms(600), end, release);
        world.run(SECOND * 60);
        world.assert_over(context);
        let this = world.ends[end].released().unwrap();
        let that = world.ends[1 - end].released().unwrap();
        if this.origin == Origin::Local && that.origin == Origin::Remote {
            assert_eq!(that.cause, Some(release.cause), "{context}");
        }
    });
}

#[test]
fn a_connection_that_breaks_at_any_moment_ends_both_sides() {
    each(|mode, seed, context| {
        let mut world = mode.world(seed);
        let mut random = Random(seed ^ 0xb4ea);
        world.break_connection(random.ms(1200), Channel::Signaling, Closed::Failed);
        world.run(SECOND * 300);
        world.assert_over(context);
        for end in &world.ends {
            let info = end.released().unwrap();
            if info.connected {
                assert_eq!(info.origin, Origin::Network, "{context}");
                assert_eq!(info.cause, Some(Cause::TEMPORARY_FAILURE), "{context}");
            }
        }
    });
}

#[test]
fn a_busy_callee_is_busy_for_the_caller() {
    for mode in Mode::all() {
        let mut world = mode.world(1);
        world.ends[CALLED].policy =
            Policy { media: None, accept: None, answer: None, local: media(CALLED, &[]) };
        world.release(SECOND, CALLED, Release::busy());
        world.run(SECOND * 20);
        world.assert_over(&format!("{mode:?}"));
        let info = world.ends[CALLER].released().unwrap();
        assert_eq!(info.cause, Some(Cause::USER_BUSY));
        assert_eq!(info.reason, Some(ReleaseReason::InConf));
        assert!(!info.connected);
    }
}

#[test]
fn nobody_in_common_is_incompatible_and_not_silence() {
    each(|mode, seed, context| {
        if seed > 5 {
            return;
        }
        let mut world = mode.world(seed);
        world.ends[CALLED].policy.local = media(CALLED, &[AudioCodec::G729]);
        world.run(SECOND * 60);
        world.assert_over(context);
        for end in &world.ends {
            let info = end.released().unwrap();
            assert_eq!(info.cause, Some(Cause::INCOMPATIBLE_DESTINATION), "{context}: {info:?}");
        }
    });
}

#[test]
fn an_empty_capability_set_pauses_and_the_next_one_reopens_under_new_numbers() {
    each(|mode, seed, context| {
        if seed > 10 {
            return;
        }
        let mut world = mode.world(seed);
        world.run(SECOND * 3);
        world.assert_connected(context);
        let before = world.ends[CALLED].plan(Flow::Transmit).unwrap().channel;
        world.set_media(SECOND, CALLER, LocalMedia::default());
        world.run(SECOND * 3);
        assert_eq!(world.ends[CALLED].count(|e| matches!(e, Event::Paused)), 1, "{context}");
        assert!(world.ends[CALLED].plan(Flow::Transmit).is_none(), "{context}");
        assert!(world.ends[CALLER].plan(Flow::Receive).is_none(), "{context}");
        assert!(world.ends[CALLER].plan(Flow::Transmit).is_some(), "{context}: the other way goes on");
        let back = world.ends[CALLER].policy.local.clone();
        world.set_media(SECOND, CALLER, back);
        world.run(SECOND * 3);
        assert_eq!(world.ends[CALLED].count(|e| matches!(e, Event::Resumed)), 1, "{context}");
        world.assert_connected(context);
        assert_ne!(world.ends[CALLED].plan(Flow::Transmit).unwrap().channel, before, "{context}");
    });
}

#[test]
fn a_master_that_needs_one_codec_both_ways_gets_it() {
    for seed in seeds() {
        let mut random = Random(seed);
        let policies = policies(&mut random);
        let config = |terminal_type| Config {
            fast_start: false,
            terminal_type,
            symmetric_codecs: true,
            ..Config::default()
        };
        // The sides prefer different codecs.
        let mut world = World::new(seed, config(60), config(50), policies);
        world.run(SECOND * 5);
        world.assert_connected(&format!("seed {seed}"));
        let caller = world.ends[CALLER].plan(Flow::Transmit).unwrap().codec;
        assert_eq!(caller, AudioCodec::Pcma);
        assert_eq!(world.ends[CALLED].plan(Flow::Transmit).unwrap().codec, caller, "seed {seed}");
    }
}

#[test]
fn a_driver_that_cannot_listen_still_gets_a_call_where_the_peer_can() {
    // Tunnelling is off on one side and nobody can listen: H.245 cannot come up; the call says so.
    let mode = Mode {
        caller_fast: false,
        called_fast: false,
        caller_tunnels: true,
        called_tunnels: false,
        h245_in_setup: false,
    };
    let mut world = mode.world(3);
    world.can_listen = false;
    world.run(SECOND * 120);
    world.assert_over("no listener");
    // With fast connect the call needs no H.245.
    let mode = Mode { caller_fast: true, called_fast: true, ..mode };
    let mut world = mode.world(3);
    world.can_listen = false;
    world.run(SECOND * 120);
    world.assert_connected("no listener, fast connect");
}

#[test]
fn a_call_that_lasts_is_not_ended_by_any_timer() {
    each(|mode, seed, context| {
        if seed > 2 {
            return;
        }
        let mut world = mode.world(seed);
        world.run(SECOND * 3600);
        world.assert_connected(context);
        for end in &world.ends {
            assert_eq!(end.call.state(), CallState::Active);
        }
    });
}

#[test]
fn early_media_comes_with_alerting_when_fast_connect_is_accepted_there() {
    let mode = Mode {
        caller_fast: true,
        called_fast: true,
        caller_tunnels: true,
        called_tunnels: true,
        h245_in_setup: false,
    };
    let mut world = mode.world(8);
    world.ends[CALLED].policy.media = Some(Duration::from_millis(5));
    world.ends[CALLED].policy.accept = Some(Duration::from_millis(10));
    world.ends[CALLED].policy.answer = Some(SECOND * 4);
    world.run(SECOND * 2);
    for end in &world.ends {
        assert_eq!(end.open.len(), 2);
        assert!(end.open.values().all(|plan| plan.early));
    }
    assert_eq!(world.ends[CALLER].call.state(), CallState::Delivered);
    world.run(SECOND * 4);
    world.assert_connected("early media");
}

#[test]
fn a_slow_network_is_no_reason_to_fail() {
    each(|mode, seed, context| {
        if seed > 5 {
            return;
        }
        let mut world = mode.world(seed);
        world.delay = 1500;
        world.run(SECOND * 60);
        world.assert_connected(context);
    });
}

#[test]
fn the_application_that_never_decides_loses_the_call_after_t301() {
    let mode = Mode::all()[0];
    let mut world = mode.world(1);
    world.ends[CALLED].policy.accept = Some(SECOND);
    world.ends[CALLED].policy.answer = None;
    world.run(Timers::default().t301 + SECOND * 30);
    world.assert_over("nobody answers");
    let info = world.ends[CALLED].released().unwrap();
    assert_eq!(info.cause, Some(Cause::NO_ANSWER_FROM_USER));
}
