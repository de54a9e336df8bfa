//! The call signalling connection of a call is lost and made again, at every message, over the seeded network.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{CALLED, CALLER, World, policies};
use offhook_h323::{CallState, Cause, Channel, Closed, Config, Event, Origin, Release};

const SECOND: Duration = Duration::from_secs(1);

fn world(seed: u64, fast_start: bool, tunnelling: bool) -> World {
    let config = || {
        let mut config = Config { fast_start, tunnelling, survive_signaling_loss: true, ..Config::default() };
        // Calls that stand talk, so that the loss comes while they do.
        config.timers.round_trip_interval = Some(SECOND * 10);
        config
    };
    let mut random = common::Random(seed);
    let policies = policies(&mut random);
    World::new(seed, config(), config(), policies)
}

fn modes() -> impl Iterator<Item = (bool, bool)> {
    [(true, true), (true, false), (false, true), (false, false)].into_iter()
}

#[test]
fn a_loss_at_any_message_ends_in_a_call_that_stands_or_in_one_release_a_side() {
    let mut survived = 0;
    for (fast_start, tunnelling) in modes() {
        for at in 1..40 {
            let context = format!("fast {fast_start} tunnelled {tunnelling}, loss at {at}");
            let mut world = world(at, fast_start, tunnelling);
            world.cut = Some((Channel::Signaling, at));
            world.run(SECOND * 120);
            let active = world.ends.iter().filter(|end| end.call.state() == CallState::Active).count();
            assert_ne!(active, 1, "{context}: {:?} / {:?}", world.ends[0].events, world.ends[1].events);
            if active == 0 {
                world.assert_over(&context);
                continue;
            }
            survived += u32::from(world.reopened > 0);
            // It can be hung up as any other.
            world.release(SECOND, (at % 2) as usize, Release::normal());
            world.run(SECOND * 60);
            world.assert_over(&context);
            assert_eq!(
                world.ends[1 - (at % 2) as usize].released().unwrap().cause,
                Some(Cause::NORMAL_CALL_CLEARING),
                "{context}"
            );
        }
    }
    assert!(survived > 10, "{survived} calls went on over a new connection");
}

#[test]
fn a_call_that_stands_goes_on_over_a_new_connection() {
    for (fast_start, tunnelling) in modes() {
        let context = format!("fast {fast_start} tunnelled {tunnelling}");
        let mut world = world(5, fast_start, tunnelling);
        world.run(SECOND * 5);
        world.assert_connected(&context);
        world.break_connection(SECOND, Channel::Signaling, Closed::Failed);
        world.run(SECOND * 10);
        world.assert_connected(&context);
        assert_eq!(world.reopened, 1, "{context}");
        for end in &world.ends {
            let order: Vec<_> = end
                .events
                .iter()
                .filter(|e| matches!(e, Event::SignalingLost | Event::SignalingRestored))
                .collect();
            assert_eq!(order, [&Event::SignalingLost, &Event::SignalingRestored], "{context}");
        }
        // The caller has asked, and the peer's view is the same.
        let active = |e: &Event| matches!(e, Event::PeerStatus { state: Some(10), .. });
        assert_eq!(world.ends[CALLER].count(active), 1, "{context}");
        world.digits(SECOND, CALLER, "5");
        world.run(SECOND * 5);
        assert!(
            world.ends[CALLED].digits() == "5"
                || world.ends[CALLER].count(|e| matches!(e, Event::SendTelephoneEvents { .. })) == 1
        );
    }
}

#[test]
fn a_peer_that_does_not_come_back_costs_the_call_after_the_time_allowed() {
    let mut world = world(6, true, true);
    world.can_reopen = false;
    world.run(SECOND * 5);
    world.break_connection(SECOND, Channel::Signaling, Closed::ByPeer);
    world.run(SECOND * 19);
    assert!(world.ends.iter().all(|end| end.released().is_none()));
    world.run(SECOND * 10);
    world.assert_over("no way back");
    assert!(world.reopened > 5, "it was tried {} times", world.reopened);
    for end in &world.ends {
        let info = end.released().unwrap();
        assert_eq!((info.origin, info.cause), (Origin::Network, Some(Cause::TEMPORARY_FAILURE)));
        assert!(info.connected);
    }
}

#[test]
fn hanging_up_while_the_connection_is_lost_ends_both_sides() {
    for end in [CALLER, CALLED] {
        let mut world = world(7, true, true);
        world.run(SECOND * 5);
        world.break_connection(SECOND, Channel::Signaling, Closed::Failed);
        world.release(SECOND + Duration::from_millis(20), end, Release::normal());
        world.run(SECOND * 60);
        world.assert_over("hung up while lost");
        assert_eq!(world.ends[end].released().unwrap().origin, Origin::Local);
    }
}
