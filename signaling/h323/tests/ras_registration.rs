//! Registration on a virtual clock: found, kept, lost and found again, over a network that loses, repeats and reorders.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod ras_common;

use std::time::Duration;

use offhook_h323::{
    Alias, AlternateGatekeeper, Discovery, DuplicateAliases, GatekeeperConfig, GatekeeperEvent, Leaving,
    Method, Password, RasEvent, RasFailure, RasState, Security, UnsignedReplies,
};
use offhook_wire::h225::{RasMessage, RegistrationRejectReason, RequestInProgress};
use ras_common::*;

fn full_rrq(message: &RasMessage) -> bool {
    matches!(message, RasMessage::RegistrationRequest(rrq) if rrq.keep_alive != Some(true))
}

fn light_rrq(message: &RasMessage) -> bool {
    matches!(message, RasMessage::RegistrationRequest(rrq) if rrq.keep_alive == Some(true))
}

#[test]
fn an_endpoint_registers_stays_registered_and_takes_leave_whatever_the_network_does() {
    for seed in seeds() {
        let mut world = World::new(seed, ROUGH);
        let keeper = world.keeper(1, GatekeeperConfig::new("gk"));
        let alice = world.client(1, config(keeper, "alice"));
        world.register(alice);
        let registration = world.ras(alice).registration().unwrap().clone();
        assert_eq!(registration.gatekeeper, keeper, "seed {seed}");
        assert_eq!(registration.gatekeeper_identifier.as_deref(), Some("gk"));
        assert_eq!(registration.aliases, [Alias::from_text("alice")]);
        assert_eq!(registration.time_to_live, Some(SECOND * 60), "as the gatekeeper decides");
        assert_eq!(world.ras(alice).why_not(world.now), None);
        world.run(SECOND * 600);
        assert!(world.is_registered(alice), "seed {seed}: {:?}", world.of(alice));
        assert!(world.count_sent(alice, light_rrq) >= 10, "seed {seed}");
        let rows = world.gatekeeper(keeper).endpoints();
        assert_eq!(rows.len(), 1, "seed {seed}");
        assert_eq!(rows[0].ras_address, alice);

        world.weather = FAIR;
        world.with(alice, |ras, now| ras.stop(now));
        world.run(SECOND * 20);
        assert_eq!(world.ras(alice).state(), RasState::Stopped);
        assert_eq!(world.count(alice, |event| *event == RasEvent::Stopped), 1);
        assert!(world.gatekeeper(keeper).endpoints().is_empty(), "seed {seed}");
        let after = world.sent.len();
        world.run(SECOND * 3600);
        assert_eq!(world.sent.len(), after, "silence after leave");
    }
}

#[test]
fn requests_are_repeated_as_h225_says_and_no_more() {
    let mut world = World::new(1, FAIR);
    // Nobody is there.
    let alice = world.client(1, config(keeper_at(9), "alice"));
    world.start(alice);
    let begun = world.now;
    world.run(SECOND * 15);
    let times: Vec<_> = world.sent.iter().map(|datagram| (datagram.at - begun).as_secs()).collect();
    assert_eq!(times, [0, 5, 10], "GRQ: 5 s, 2 repetitions");
    assert_eq!(world.ras(alice).state(), RasState::Waiting);
    let numbers: Vec<_> = world
        .messages()
        .map(|(_, message)| match message {
            RasMessage::GatekeeperRequest(grq) => grq.request_seq_num,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(numbers.iter().all(|number| *number == numbers[0]), "a repetition has its request's number");
    let why = world.ras(alice).why_not(world.now).unwrap();
    assert!(why.starts_with("no gatekeeper answers at 10.0.0.9:1719; next attempt in "), "{why}");
    assert!(world.events.iter().any(|(_, _, event)| matches!(
        event,
        RasEvent::NotRegistered(RasFailure::NoGatekeeper(at)) if *at == keeper_at(9)
    )));
    // Pauses double: an hour of silence costs few messages.
    world.run(SECOND * 3600);
    assert!(world.sent.len() < 100, "{}", world.sent.len());
    // And when it is there at last, it is found.
    world.keeper(9, GatekeeperConfig::new("late"));
    let took = world.until(SECOND * 400, |world| world.is_registered(alice));
    assert!(took.is_some_and(|took| took < SECOND * 376 + SECOND * 15), "{took:?}");
}

#[test]
fn a_gatekeeper_that_was_restarted_has_us_back_within_two_thirds_of_the_lifetime() {
    let mut longest = Duration::ZERO;
    for seed in seeds() {
        let mut world = World::new(seed, FAIR);
        let keeper = world.keeper(1, GatekeeperConfig::new("gk"));
        let alice = world.client(1, config(keeper, "alice"));
        world.register(alice);
        let before = SECOND * u32::try_from(world.random.below(39)).unwrap();
        world.run(before);
        world.crash(keeper);
        world.keeper(1, GatekeeperConfig::new("gk"));
        // The keep-alive is answered by RRJ fullRegistrationRequired, and that by a full RRQ.
        let took = world.until(SECOND * 60, |world| world.gatekeeper(keeper).endpoints().len() == 1).unwrap();
        assert!(world.until(SECOND, |world| world.is_registered(alice)).is_some());
        assert!(took <= SECOND * 41, "seed {seed}: {took:?}");
        assert_eq!(world.count(alice, |event| matches!(event, RasEvent::Registered(_))), 2, "seed {seed}");
        assert_eq!(world.ras(alice).counters().losses, 1);
        longest = longest.max(took);
    }
    println!("registered again with a restarted gatekeeper after at most {longest:?} (timeToLive 60 s)");
}

#[test]
fn a_gatekeeper_that_is_gone_and_comes_back_has_us_back_soon() {
    let mut longest = Duration::ZERO;
    for seed in seeds() {
        let mut world = World::new(seed, FAIR);
        let keeper = world.keeper(1, GatekeeperConfig::new("gk"));
        let alice = world.client(1, config(keeper, "alice"));
        world.register(alice);
        world.crash(keeper);
        let gone = SECOND * u32::try_from(60 + world.random.below(60)).unwrap();
        world.run(gone);
        assert!(!world.is_registered(alice), "seed {seed}");
        world.keeper(1, GatekeeperConfig::new("gk"));
        let took = world.until(SECOND * 120, |world| world.is_registered(alice)).expect("back");
        // GRQ repeats every 5 s; between rounds stand pauses of 1, 2, 4, … s.
        assert!(took < SECOND * 30, "seed {seed}: gone {gone:?}, back after {took:?}");
        longest = longest.max(took);
    }
    println!("registered again {longest:?} at most after a gatekeeper that was gone 60 to 120 s is back");
}

#[test]
fn an_alternate_takes_over_and_the_first_gatekeeper_gets_us_back() {
    let mut longest = Duration::ZERO;
    for seed in seeds() {
        let mut world = World::new(seed, Weather { loss: 5, ..FAIR });
        let second = AlternateGatekeeper {
            address: keeper_at(2),
            identifier: Some("two".to_owned()),
            need_to_register: true,
            priority: 1,
        };
        let silent = AlternateGatekeeper { address: keeper_at(3), priority: 5, ..second.clone() };
        let one = GatekeeperConfig { alternates: vec![silent, second], ..GatekeeperConfig::new("one") };
        let keeper = world.keeper(1, one.clone());
        let other = world.keeper(2, GatekeeperConfig::new("two"));
        let alice = world.client(1, config(keeper, "alice"));
        world.register(alice);
        world.crash(keeper);
        let took =
            world.until(SECOND * 120, |w| w.gatekeeper(other).endpoints().len() == 1).expect("failover");
        // Two thirds of 60 s, then three RRQs of 3 s.
        assert!(took <= SECOND * 53, "seed {seed}: {took:?}");
        longest = longest.max(took);
        world.until(SECOND * 5, |world| world.is_registered(alice)).expect("registered");
        let registration = world.ras(alice).registration().unwrap();
        assert!(registration.is_alternate && registration.gatekeeper == other, "seed {seed}");
        assert_eq!(registration.gatekeeper_identifier.as_deref(), Some("two"));

        world.run(SECOND * 300);
        assert!(world.is_registered(alice) && world.gatekeeper(other).endpoints().len() == 1, "seed {seed}");
        world.keeper(1, one);
        let home = |world: &World| world.gatekeeper(keeper).endpoints().len() == 1;
        let took = world.until(SECOND * 400, home).expect("home again");
        assert!(took <= SECOND * 200, "seed {seed}: {took:?}");
        world.weather = FAIR;
        world.run(SECOND * 20);
        assert!(!world.ras(alice).registration().unwrap().is_alternate, "seed {seed}");
        assert!(
            world.gatekeeper(other).endpoints().is_empty(),
            "it took leave of the alternate, seed {seed}"
        );
    }
    println!("registered with the alternate {longest:?} at most after the first gatekeeper fell silent");
}

#[test]
fn the_gatekeeper_may_unregister_us_and_we_come_back_once_at_once() {
    let mut world = World::new(3, FAIR);
    let keeper = world.keeper(1, GatekeeperConfig::new("gk"));
    let alice = world.client(1, config(keeper, "alice"));
    world.register(alice);
    world.run(SECOND * 5);
    let row = world.gatekeeper(keeper).endpoints()[0].identifier.clone();
    assert!(world.operate(keeper, |gatekeeper, now| gatekeeper.unregister(now, &row)));
    let took = world.until(SECOND * 5, |w| w.count(alice, |e| matches!(e, RasEvent::Registered(_))) == 2);
    assert!(took.is_some_and(|took| took < SECOND), "{took:?}");
    assert!(world.count_sent(alice, |m| matches!(m, RasMessage::UnregistrationConfirm(_))) == 1);
    assert!(world.keeper_events.iter().any(
        |(_, _, event)| matches!(event, GatekeeperEvent::Unregistered(row, Leaving::Ordered) if row.ras_address == alice)
    ));
    // A repetition of that URQ, late on the network, does not end the registration that has come since.
    let urq = world
        .messages()
        .find(|(_, m)| matches!(m, RasMessage::UnregistrationRequest(_)))
        .map(|(d, _)| d.bytes.clone());
    world.inject(keeper, alice, urq.unwrap());
    world.run(SECOND);
    assert_eq!(world.count_sent(alice, |m| matches!(m, RasMessage::UnregistrationConfirm(_))), 2);
    assert_eq!(world.ras(alice).counters().losses, 1);
    assert!(world.is_registered(alice));
}

#[test]
fn two_endpoints_that_want_one_alias_do_not_put_each_other_out_without_pause() {
    let mut world = World::new(4, FAIR);
    let replace = GatekeeperConfig { duplicates: DuplicateAliases::Replace, ..GatekeeperConfig::new("gk") };
    let keeper = world.keeper(1, replace);
    let one = world.client(1, config(keeper, "same"));
    let two = world.client(2, config(keeper, "same"));
    world.start(one);
    world.start(two);
    world.run(SECOND * 3600);
    let storm = world.count_sent(one, full_rrq) + world.count_sent(two, full_rrq);
    assert!((4..60).contains(&storm), "{storm} full RRQs in an hour");
    assert_eq!(world.gatekeeper(keeper).endpoints().len(), 1);
}

#[test]
fn an_alias_that_is_taken_is_asked_for_again_but_seldom_and_why_is_told() {
    let mut world = World::new(5, FAIR);
    let keeper = world.keeper(1, GatekeeperConfig::new("gk"));
    let one = world.client(1, config(keeper, "same"));
    let two = world.client(2, config(keeper, "same"));
    world.register(one);
    world.start(two);
    world.run(SECOND * 20);
    let why = world.ras(two).why_not(world.now).unwrap();
    assert!(why.contains("RRJ duplicateAlias") && why.contains("same"), "{why}");
    world.run(SECOND * 600);
    assert!(world.count_sent(two, full_rrq) <= 12, "{}", world.count_sent(two, full_rrq));
    // The other one leaves: then it is free.
    world.with(one, |ras, now| ras.stop(now));
    assert!(world.until(SECOND * 400, |world| world.is_registered(two)).is_some());
}

#[test]
fn aliases_are_added_and_given_up_while_registered() {
    for seed in seeds() {
        let mut world = World::new(seed, ROUGH);
        let keeper = world.keeper(1, GatekeeperConfig::new("gk"));
        let alice = world.client(1, config(keeper, "alice"));
        world.register(alice);
        world.with(alice, |ras, now| {
            ras.add_aliases(now, vec![Alias::from_text("4711"), Alias::Email("a@b.c".into())])
        });
        world.run(SECOND * 30);
        let additive = |message: &RasMessage| matches!(message, RasMessage::RegistrationRequest(rrq) if rrq.additive_registration.is_some());
        assert!(world.count_sent(alice, additive) >= 1);
        assert!(world.is_registered(alice), "seed {seed}");
        // What the answers that were lost have left open, the next refresh settles.
        world.weather = FAIR;
        world.run(SECOND * 60);
        assert_eq!(world.gatekeeper(keeper).endpoints()[0].aliases.len(), 3, "seed {seed}");
        assert_eq!(world.ras(alice).registration().unwrap().aliases.len(), 3, "seed {seed}");
        world.with(alice, |ras, now| ras.remove_aliases(now, &[Alias::from_text("alice")]));
        world.run(SECOND * 5);
        let left = &world.gatekeeper(keeper).endpoints()[0].aliases;
        assert_eq!(*left, [Alias::from_text("4711"), Alias::Email("a@b.c".into())], "seed {seed}");
    }
}

#[test]
fn every_type_of_alias_is_registered() {
    let mut world = World::new(6, FAIR);
    let keeper = world.keeper(1, GatekeeperConfig::new("gk"));
    let aliases = vec![
        Alias::DialedDigits("0123*#".into()),
        Alias::H323Id("Zoë".into()),
        Alias::Url("h323:zoe@example.org".into()),
        Alias::Transport(([192, 0, 2, 7], 1720).into()),
        Alias::Email("zoe@example.org".into()),
        Alias::PartyNumber("49301234".into()),
    ];
    let mut wanted = config(keeper, "x");
    wanted.aliases.clone_from(&aliases);
    let zoe = world.client(1, wanted);
    world.register(zoe);
    assert_eq!(world.gatekeeper(keeper).endpoints()[0].aliases, aliases);
    assert_eq!(world.ras(zoe).registration().unwrap().aliases, aliases);
}

#[test]
fn the_gatekeeper_is_found_by_srv_records_by_name_and_by_multicast() {
    let mut world = World::new(7, FAIR);
    let keeper = world.keeper(1, GatekeeperConfig::new("gk"));
    world.names.insert("_h323rs._udp.example.org".into(), vec![keeper_at(8), keeper]);
    world.names.insert("gk.example.org".into(), vec![keeper]);
    world.names.insert("nothing.example.org".into(), Vec::new());
    let with = |discovery| RasConfig::new(discovery, vec![Alias::from_text("x")]);
    use offhook_h323::RasConfig;

    let by_srv = world.client(1, with(Discovery::Domain("example.org".into())));
    world.start(by_srv);
    // The better record leads nowhere: after 15 s the other one is asked.
    let took = world.until(SECOND * 60, |world| world.is_registered(by_srv)).unwrap();
    assert!(took > SECOND * 14 && took < SECOND * 17, "{took:?}");
    assert_eq!(world.asked, ["_h323rs._udp.example.org"]);
    world.with(by_srv, |ras, now| ras.stop(now));
    world.run(SECOND);

    let by_name = world.client(2, with(Discovery::Host { name: "gk.example.org".into(), port: 1719 }));
    world.register(by_name);
    world.with(by_name, |ras, now| ras.stop(now));
    world.run(SECOND);

    let by_multicast = world.client(3, with(Discovery::Multicast));
    world.register(by_multicast);
    assert_eq!(world.ras(by_multicast).registration().unwrap().gatekeeper, keeper);

    let nowhere = world.client(4, with(Discovery::Host { name: "nothing.example.org".into(), port: 1719 }));
    world.start(nowhere);
    let why = world.ras(nowhere).why_not(world.now).unwrap();
    assert!(why.starts_with("no address for nothing.example.org; next attempt"), "{why}");
    // A name server that never answers is no reason to wait for ever.
    let mute = world.client(5, with(Discovery::Host { name: "mute.example.org".into(), port: 1719 }));
    world.start(mute);
    world.run(SECOND * 11);
    let why = world.ras(mute).why_not(world.now).unwrap();
    assert!(why.starts_with("no address for mute.example.org"), "{why}");
}

#[test]
fn a_gatekeeper_that_names_a_wrong_address_is_found_where_it_answered() {
    use offhook_wire::h225::GatekeeperConfirm;
    use ras_common::bench::{Bench, V7, wire};
    // Of a gatekeeper behind an address translator; and, seen live, GNU Gatekeeper on one of several loopback addresses.
    for (told, asked) in [
        (keeper_at(5), vec![keeper_at(5), keeper_at(1)]),
        (([127, 0, 0, 1], 1719).into(), vec![keeper_at(1)]),
    ] {
        let mut bench = Bench::new(config(keeper_at(1), "alice"));
        bench.ras.start(bench.now);
        let RasMessage::GatekeeperRequest(grq) = bench.take() else { panic!("GRQ") };
        let gcf = GatekeeperConfirm::new(grq.request_seq_num, V7, wire(told));
        bench.give(RasMessage::GatekeeperConfirm(Box::new(gcf)));
        let mut tried = Vec::new();
        for _ in 0..4 {
            while let Some(transmit) = bench.ras.poll_transmit() {
                let message = offhook_wire::per::decode::<RasMessage>(&transmit.bytes).unwrap().into_value();
                if matches!(message, RasMessage::RegistrationRequest(_))
                    && tried.last() != Some(&transmit.destination)
                {
                    tried.push(transmit.destination);
                }
            }
            bench.pass(SECOND * 3);
        }
        assert_eq!(tried, asked, "{told}");
    }
}

#[test]
fn request_in_progress_holds_a_request_without_repeating_it() {
    let mut world = World::new(8, FAIR);
    let alice = world.client(1, config(keeper_at(1), "alice"));
    world.start(alice);
    let number = match world.messages().next().unwrap().1 {
        RasMessage::GatekeeperRequest(grq) => grq.request_seq_num,
        other => panic!("{other:?}"),
    };
    let rip = RequestInProgress::new(number, 20_000);
    world.inject_message(keeper_at(1), alice, RasMessage::RequestInProgress(Box::new(rip)));
    world.run(SECOND * 19);
    assert_eq!(world.sent.len(), 1);
    assert_eq!(world.ras(alice).counters().in_progress, 1);
    world.run(SECOND * 3);
    assert_eq!(world.sent.len(), 2, "then it is repeated");
    // Nobody can hold us up for ever by it.
    for _ in 0..600 {
        let rip = RequestInProgress::new(number, 60_000);
        world.inject_message(keeper_at(1), alice, RasMessage::RequestInProgress(Box::new(rip)));
        world.run(SECOND);
    }
    assert!(world.ras(alice).counters().timeouts >= 1, "{:?}", world.ras(alice).counters());
}

fn secured(
    keeper: std::net::SocketAddr,
    method: Method,
    password: &str,
    replies: UnsignedReplies,
) -> offhook_h323::RasConfig {
    let mut config = config(keeper, "alice");
    let mut security = Security::new("alice", Password::new(password));
    security.methods = vec![method];
    security.replies = replies;
    config.security = Some(security);
    config
}

fn guarded() -> GatekeeperConfig {
    let users =
        vec![("alice".to_owned(), Password::new("secret")), ("bob".to_owned(), Password::new("tiger"))];
    GatekeeperConfig { users, ..GatekeeperConfig::new("gk") }
}

#[test]
fn each_method_opens_the_door_with_the_right_password_only() {
    for seed in seeds() {
        for method in [Method::H2351, Method::Md5, Method::Cat] {
            for replies in [UnsignedReplies::Lenient, UnsignedReplies::Strict] {
                let context = format!("seed {seed} {method:?} {replies:?}");
                let mut world = World::new(seed, ROUGH);
                let keeper = world.keeper(1, guarded());
                let alice = world.client(1, secured(keeper, method, "secret", replies));
                world.register(alice);
                world.run(SECOND * 300);
                assert!(world.is_registered(alice), "{context}: {:?}", world.of(alice));
                let row = world.gatekeeper(keeper).endpoints()[0].clone();
                // Who wants replies to be proved offers the one method that does so.
                let used = if replies == UnsignedReplies::Strict { Method::H2351 } else { method };
                assert_eq!((row.user.as_deref(), row.method), (Some("alice"), Some(used)), "{context}");
                assert_eq!(world.ras(alice).counters().unsigned, 0, "{context}");
            }
        }
    }
    for method in [Method::H2351, Method::Md5, Method::Cat] {
        let mut world = World::new(1, FAIR);
        let keeper = world.keeper(1, guarded());
        let alice = world.client(1, secured(keeper, method, "Secret", UnsignedReplies::Lenient));
        world.start(alice);
        world.run(SECOND * 600);
        assert!(!world.is_registered(alice) && world.gatekeeper(keeper).endpoints().is_empty());
        let why = world.ras(alice).why_not(world.now).unwrap();
        assert!(why.contains("RRJ securityError") && why.contains("securityIntegrityFailed"), "{why}");
        let tries = world.count_sent(alice, full_rrq);
        assert!((2..=8).contains(&tries), "a wrong password is not tried without pause: {tries}");
    }
    // Without one at all.
    let mut world = World::new(1, FAIR);
    let keeper = world.keeper(1, guarded());
    let carol = world.client(1, config(keeper, "carol"));
    world.start(carol);
    world.run(SECOND * 5);
    let why = world.ras(carol).why_not(world.now).unwrap();
    assert!(why.contains("RRJ securityDenial"), "{why}");
    assert_eq!(
        world.messages().filter(|(_, m)| matches!(m, RasMessage::RegistrationReject(rrj) if rrj.reject_reason == RegistrationRejectReason::SecurityDenial)).count(),
        1
    );
}

#[test]
fn a_gatekeeper_that_does_not_sign_is_taken_or_not_by_policy() {
    for (replies, registers) in [(UnsignedReplies::Lenient, true), (UnsignedReplies::Strict, false)] {
        let mut world = World::new(9, FAIR);
        let keeper = world.keeper(1, GatekeeperConfig { sign: false, ..guarded() });
        let alice = world.client(1, secured(keeper, Method::H2351, "secret", replies));
        world.start(alice);
        world.run(SECOND * 30);
        assert_eq!(world.is_registered(alice), registers, "{replies:?}");
        let counters = world.ras(alice).counters();
        if registers {
            assert!(counters.unsigned >= 1 && counters.unproved == 0, "{counters:?}");
        } else {
            assert!(counters.unproved >= 1, "{counters:?}");
            let why = world.ras(alice).why_not(world.now).unwrap();
            assert!(why.contains("its proof fails: no token"), "{why}");
        }
    }
}

#[test]
fn another_users_alias_is_not_to_be_had() {
    let mut world = World::new(10, FAIR);
    let keeper = world.keeper(1, guarded());
    let mut wanted = secured(keeper, Method::Md5, "secret", UnsignedReplies::Lenient);
    wanted.aliases.push(Alias::from_text("bob"));
    let alice = world.client(1, wanted);
    world.start(alice);
    world.run(SECOND * 10);
    assert!(!world.is_registered(alice));
    assert!(world.ras(alice).why_not(world.now).unwrap().contains("securityDenial"));
}

#[test]
fn a_registration_that_is_not_refreshed_ends() {
    let mut world = World::new(11, FAIR);
    let keeper = world.keeper(1, GatekeeperConfig::new("gk"));
    let alice = world.client(1, config(keeper, "alice"));
    world.register(alice);
    world.crash(alice);
    world.run(SECOND * 59);
    assert_eq!(world.gatekeeper(keeper).endpoints().len(), 1);
    world.run(SECOND * 2);
    assert!(world.gatekeeper(keeper).endpoints().is_empty());
    assert!(
        world
            .keeper_events
            .iter()
            .any(|(_, _, e)| matches!(e, GatekeeperEvent::Unregistered(_, Leaving::Expired)))
    );
}

#[test]
fn five_hundred_endpoints_register_at_once() {
    use offhook_h323::{Gatekeeper, GatekeeperParams, Ras, RasParams};
    let params =
        GatekeeperParams { ras_address: keeper_at(1), signal_address: None, unix_epoch: EPOCH, seed: 1 };
    let mut keeper = Gatekeeper::new(GatekeeperConfig::new("gk"), params);
    let mut now = SECOND;
    let mut clients: Vec<(std::net::SocketAddr, Ras)> = (0..500u16)
        .map(|number| {
            let at = ([10, 9, (number / 250) as u8, (number % 250) as u8], 3000 + number).into();
            let params = RasParams {
                ras_address: at,
                signal_addresses: vec![([10, 9, 9, 9], 1720).into()],
                unix_epoch: EPOCH,
                seed: number.into(),
            };
            (at, Ras::new(config(keeper_at(1), &format!("user{number}")), params))
        })
        .collect();
    for (_, client) in &mut clients {
        client.start(now);
    }
    for _ in 0..8 {
        now += Duration::from_millis(10);
        for (at, client) in &mut clients {
            while let Some(transmit) = client.poll_transmit() {
                keeper.handle_datagram(now, *at, &transmit.bytes);
            }
        }
        while let Some(transmit) = keeper.poll_transmit() {
            let (_, client) = clients.iter_mut().find(|(at, _)| *at == transmit.destination).unwrap();
            client.handle_datagram(now, keeper_at(1), &transmit.bytes);
        }
    }
    assert!(clients.iter().all(|(_, client)| client.state() == RasState::Registered));
    assert_eq!(keeper.endpoints().len(), 500);
}

#[test]
fn another_users_registration_is_not_to_be_had_by_its_address() {
    let mut world = World::new(12, FAIR);
    let keeper = world.keeper(1, guarded());
    let mut hers = secured(keeper, Method::H2351, "secret", UnsignedReplies::Lenient);
    hers.aliases.push(Alias::from_text("desk"));
    let alice = world.client(1, hers.clone());
    world.register(alice);
    let row = world.gatekeeper(keeper).endpoints()[0].clone();
    // Bob, with his own password, from her address and for her calls.
    world.crash(alice);
    let mut his = config(keeper, "desk");
    his.security = Some(Security::new("bob", Password::new("tiger")));
    let bob = world.client(1, his);
    world.start(bob);
    world.run(SECOND * 5);
    let why = world.ras(bob).why_not(world.now).unwrap();
    assert!(why.contains("RRJ duplicateAlias"), "{why}");
    assert_eq!(world.gatekeeper(keeper).endpoints().first(), Some(&row));
    // She herself comes back there, under the name that she had.
    world.crash(bob);
    let alice = world.client(1, hers);
    world.register(alice);
    let rows = world.gatekeeper(keeper).endpoints();
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0].identifier, &rows[0].user), (&row.identifier, &row.user));
}

#[test]
fn a_forged_choice_of_method_does_not_make_a_strict_endpoint_hear_what_is_unproved() {
    use offhook_h323::RasFailure;
    use offhook_wire::h225::{GatekeeperConfirm, RegistrationConfirm};
    use offhook_wire::per::Oid;
    use ras_common::bench::{Bench, V7, wire};
    const OID_U: Oid = Oid::new(&[0, 0, 8, 235, 0, 2, 6]);
    const OID_MD5: Oid = Oid::new(&[1, 2, 840, 113_549, 2, 5]);
    for chosen in [None, Some(OID_MD5), Some(OID_U)] {
        let mut wanted = config(keeper_at(1), "alice");
        let mut security = Security::new("alice", Password::new("secret"));
        security.replies = UnsignedReplies::Strict;
        wanted.security = Some(security);
        let mut bench = Bench::new(wanted);
        bench.ras.start(bench.now);
        let RasMessage::GatekeeperRequest(grq) = bench.take() else { panic!("GRQ") };
        assert_eq!(grq.algorithm_oids, Some(vec![OID_U]), "nothing else is offered");
        let mut gcf = GatekeeperConfirm::new(grq.request_seq_num, V7, wire(keeper_at(1)));
        gcf.algorithm_oid.clone_from(&chosen);
        bench.give(RasMessage::GatekeeperConfirm(Box::new(gcf)));
        if chosen != Some(OID_U) {
            assert!(bench.poll().is_none(), "no RRQ: {chosen:?}");
            let failure = RasFailure::ProofNotOffered(keeper_at(1));
            assert!(bench.events().contains(&RasEvent::NotRegistered(failure)), "{chosen:?}");
            let why = bench.ras.why_not(bench.now).unwrap();
            assert!(why.contains("does not choose H.235.1") && why.contains("next attempt"), "{why}");
            continue;
        }
        let RasMessage::RegistrationRequest(rrq) = bench.take() else { panic!("RRQ") };
        let rcf = RegistrationConfirm::new(rrq.request_seq_num, V7, Vec::new(), "endpoint".into());
        bench.give(RasMessage::RegistrationConfirm(Box::new(rcf)));
        assert_eq!(bench.ras.state(), RasState::Registering, "an RCF without proof");
        assert_eq!(bench.ras.counters().unproved, 1);
    }
}
