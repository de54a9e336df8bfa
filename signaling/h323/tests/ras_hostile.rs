//! Whoever is not the gatekeeper, and a gatekeeper gone mad: spoofed, late, repeated and mutilated datagrams.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod ras_common;

use std::time::Duration;

use bytes::Bytes;
use offhook_h323::{
    GatekeeperConfig, GatekeeperEvent, Method, Password, Ras, RasConfig, RasEvent, RasLimits, RasState,
    Security,
};
use offhook_wire::h225::{
    self as w, RasMessage, RegistrationConfirm, UnregRequestReason, UnregistrationRequest,
};
use offhook_wire::per;
use ras_common::bench::{Bench, V7, wire};
use ras_common::*;

#[test]
fn answers_from_somebody_who_was_not_asked_are_not_heard() {
    let mut bench = Bench::new(config(keeper_at(1), "alice"));
    bench.ras.start(bench.now);
    let RasMessage::GatekeeperRequest(grq) = bench.take() else { panic!("GRQ") };
    let gcf = |number, at| {
        let gcf = w::GatekeeperConfirm::new(number, V7, wire(at));
        RasMessage::GatekeeperConfirm(Box::new(gcf))
    };
    // Another address; our number, another's number.
    bench.give_from(keeper_at(2), gcf(grq.request_seq_num, keeper_at(2)));
    bench.give(gcf(grq.request_seq_num.wrapping_add(1).max(1), keeper_at(1)));
    assert!(bench.poll().is_none());
    assert_eq!(bench.ras.state(), RasState::Discovering);
    assert_eq!((bench.ras.counters().wrong_source, bench.ras.counters().unexpected), (1, 1));
    bench.give(gcf(grq.request_seq_num, keeper_at(1)));
    let RasMessage::RegistrationRequest(rrq) = bench.take() else { panic!("RRQ") };
    // RCF from the right host and the wrong port, of the wrong kind, then too late.
    let rcf = RegistrationConfirm::new(rrq.request_seq_num, V7, Vec::new(), "evil".into());
    bench.give_from(([10, 0, 0, 1], 4444).into(), RasMessage::RegistrationConfirm(Box::new(rcf.clone())));
    let ucf = w::UnregistrationConfirm::new(rrq.request_seq_num);
    bench.give(RasMessage::UnregistrationConfirm(Box::new(ucf)));
    assert_eq!(bench.ras.state(), RasState::Registering);
    bench.confirm(rrq.request_seq_num, |_| {});
    bench.give(RasMessage::RegistrationConfirm(Box::new(rcf)));
    assert_eq!(bench.ras.registration().unwrap().endpoint_identifier, "endpoint");
    assert_eq!((bench.ras.counters().wrong_source, bench.ras.counters().unexpected), (2, 3));
}

#[test]
fn orders_of_somebody_else_are_not_obeyed_and_not_answered() {
    let mut bench = Bench::registered(|_| {});
    bench.ras.admit(bench.now, outgoing(1, "bob"));
    let RasMessage::AdmissionRequest(arq) = bench.take() else { panic!("ARQ") };
    let acf = w::AdmissionConfirm::new(arq.request_seq_num, 640, w::CallModel::Direct, wire(signal_at(9)));
    bench.give(RasMessage::AdmissionConfirm(Box::new(acf)));
    bench.events();
    let mut urq = UnregistrationRequest::new(5, Vec::new());
    urq.reason = Some(UnregRequestReason::Maintenance);
    let mut drq =
        w::DisengageRequest::new(6, "endpoint".into(), [0x81; 16], 101, w::DisengageReason::ForcedDrop);
    drq.call_identifier = Some(w::CallIdentifier::new([1; 16]));
    let orders = [
        RasMessage::UnregistrationRequest(Box::new(urq.clone())),
        RasMessage::DisengageRequest(Box::new(drq)),
        RasMessage::InfoRequest(Box::new(w::InfoRequest::new(7, 0))),
    ];
    for from in [keeper_at(2), ([10, 0, 0, 1], 9).into(), client_at(3)] {
        for order in &orders {
            bench.give_from(from, order.clone());
        }
    }
    assert!(bench.poll().is_none() && bench.events().is_empty());
    assert_eq!((bench.ras.calls(), bench.ras.state()), (1, RasState::Registered));
    // URQ for another endpoint, from the right place.
    urq.endpoint_identifier = Some("somebody".into());
    bench.give(RasMessage::UnregistrationRequest(Box::new(urq)));
    assert!(matches!(bench.take(), RasMessage::UnregistrationReject(_)));
    assert_eq!(bench.ras.state(), RasState::Registered);
    // IRQ is no way to make us send elsewhere.
    let mut irq = w::InfoRequest::new(8, 0);
    irq.reply_address = Some(wire(([192, 0, 2, 99], 1000).into()));
    bench.give(RasMessage::InfoRequest(Box::new(irq)));
    assert_eq!(bench.ras.poll_transmit().unwrap().destination, keeper_at(1));
}

#[test]
fn nothing_that_is_sent_grows_without_bound() {
    let limits = RasLimits { queue: 64, requests: 32, calls: 16, ..RasLimits::default() };
    let mut bench = Bench::registered_as(RasConfig { limits, ..config(keeper_at(1), "alice") }, |_| {});
    // A driver that does not fetch what is there.
    for number in 0..5000u32 {
        let mut request = outgoing((number % 251) as u8, "bob");
        request.call.call_identifier[..4].copy_from_slice(&number.to_be_bytes());
        bench.ras.admit(bench.now, request);
        bench.ras.locate(
            bench.now,
            vec![offhook_h323::Alias::from_text("x")],
            offhook_h323::LocateBy::Domain("d".into()),
        );
        let mut irq = w::InfoRequest::new((number % 60_000) as u16 + 1, 0);
        irq.segmented_response_supported = Some(());
        bench.give(RasMessage::InfoRequest(Box::new(irq)));
    }
    let mut transmits = 0;
    while bench.ras.poll_transmit().is_some() {
        transmits += 1;
    }
    assert!(transmits <= 64 && bench.events().len() <= 64 && bench.ras.calls() <= 16);
    let mut actions = 0;
    while bench.ras.poll_action().is_some() {
        actions += 1;
    }
    assert!(actions <= 64);
    assert!(bench.ras.counters().limited > 1000);
    bench.pass(SECOND * 3600);
    let mut left = 0;
    while bench.ras.poll_transmit().is_some() {
        left += 1;
    }
    assert!(left <= 64);
}

/// Changes some octets of a datagram: bits, runs, lengths.
fn mutilate(random: &mut Random, octets: &[u8]) -> Vec<u8> {
    let mut octets = octets.to_vec();
    for _ in 0..1 + random.below(4) {
        if octets.is_empty() {
            return vec![random.next() as u8];
        }
        let at = random.below(octets.len() as u64) as usize;
        match random.below(4) {
            0 => octets[at] ^= 1 << random.below(8),
            1 => octets[at] = random.next() as u8,
            2 => octets.truncate(at),
            _ => octets.insert(at, random.next() as u8),
        }
    }
    octets
}

#[test]
fn no_datagram_makes_either_side_panic_stall_or_shout() {
    for seed in seeds() {
        let mut world = World::new(seed, FAIR);
        let keeper = world.keeper(1, GatekeeperConfig::new("gk"));
        let alice = world.client(1, config(keeper, "alice"));
        let bob = world.client(2, config(keeper, "bob"));
        world.register(alice);
        world.register(bob);
        world.admit(alice, outgoing(1, "bob"));
        world.admit(bob, incoming(1, "alice", signal_at(2)));
        world.operate(keeper, |gatekeeper, now| gatekeeper.set_bandwidth(now, [1; 16], 300));
        let identifier = world.ras(bob).registration().unwrap().endpoint_identifier.clone();
        world.operate(keeper, |gatekeeper, now| gatekeeper.query(now, &identifier, None));
        world.run(SECOND * 70);
        let seen: Vec<Bytes> = world.sent.iter().map(|datagram| datagram.bytes.clone()).collect();
        let mut random = Random(seed ^ 0xf00d);
        for _ in 0..400 {
            let one = random.below(seen.len() as u64) as usize;
            let octets = mutilate(&mut random, &seen[one]);
            let target = [alice, bob, keeper][random.below(3) as usize];
            let from = [alice, bob, keeper][random.below(3) as usize];
            world.inject(from, target, octets.into());
            world.run(Duration::from_millis(random.below(300)));
        }
        let before = world.sent.len();
        world.run(SECOND * 1200);
        assert!(world.sent.len() - before < 600, "seed {seed}: {}", world.sent.len() - before);
        for client in [alice, bob] {
            assert!(world.is_registered(client), "seed {seed}: {:?}", world.ras(client).why_not(world.now));
        }
    }
}

#[test]
fn every_kind_of_message_in_every_state_is_survived() {
    let mut corpus = Vec::new();
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../wire/tests/data/captures");
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("gk-") {
            let capture = offhook_wire::capture::Capture::parse(&std::fs::read(path).unwrap()).unwrap();
            corpus.extend(capture.udp().iter().filter_map(|datagram| {
                Some(per::decode::<RasMessage>(&datagram.payload).ok()?.into_value())
            }));
        }
    }
    assert!(corpus.len() > 150, "{}", corpus.len());
    let mut states = std::collections::BTreeSet::new();
    for stage in 0..5 {
        let mut bench = match stage {
            0 => Bench::new(config(keeper_at(1), "alice")),
            1 | 2 => {
                let mut bench = Bench::new(config(keeper_at(1), "alice"));
                bench.ras.start(bench.now);
                if stage == 2 {
                    bench.pass(SECOND * 20);
                }
                bench
            }
            _ => Bench::registered(|_| {}),
        };
        if stage == 4 {
            bench.ras.admit(bench.now, outgoing(1, "bob"));
            bench.ras.stop(bench.now);
        }
        for message in &corpus {
            states.insert(format!("{:?}", bench.ras.state()));
            // With the number of whatever waits, so that it counts as an answer.
            let number = last_number(&mut bench.ras);
            let mut message = message.clone();
            renumber(&mut message, number);
            bench.give(message);
            bench.now += Duration::from_millis(50);
            bench.ras.handle_timeout(bench.now);
        }
        assert!(bench.events().iter().all(|event| !matches!(event, RasEvent::Suspicious(..))));
    }
    assert!(states.len() >= 5, "{states:?}");
}

fn last_number(ras: &mut Ras) -> u16 {
    let mut number = 1;
    while let Some(transmit) = ras.poll_transmit() {
        if let Ok(message) = per::decode::<RasMessage>(&transmit.bytes) {
            number = match &*message {
                RasMessage::GatekeeperRequest(m) => m.request_seq_num,
                RasMessage::RegistrationRequest(m) => m.request_seq_num,
                RasMessage::AdmissionRequest(m) => m.request_seq_num,
                RasMessage::UnregistrationRequest(m) => m.request_seq_num,
                RasMessage::DisengageRequest(m) => m.request_seq_num,
                _ => number,
            };
        }
    }
    number
}

fn renumber(message: &mut RasMessage, number: u16) {
    match message {
        RasMessage::GatekeeperConfirm(m) => m.request_seq_num = number,
        RasMessage::GatekeeperReject(m) => m.request_seq_num = number,
        RasMessage::RegistrationConfirm(m) => m.request_seq_num = number,
        RasMessage::RegistrationReject(m) => m.request_seq_num = number,
        RasMessage::AdmissionConfirm(m) => m.request_seq_num = number,
        RasMessage::AdmissionReject(m) => m.request_seq_num = number,
        RasMessage::DisengageConfirm(m) => m.request_seq_num = number,
        RasMessage::UnregistrationConfirm(m) => m.request_seq_num = number,
        RasMessage::BandwidthConfirm(m) => m.request_seq_num = number,
        _ => {}
    }
}

#[test]
fn an_endpoint_cannot_confirm_more_bandwidth_than_it_was_given() {
    let mut world = World::new(1, FAIR);
    let keeper = world.keeper(1, GatekeeperConfig::new("gk"));
    let alice = world.client(1, config(keeper, "alice"));
    world.register(alice);
    let mut request = outgoing(1, "x");
    request.destination_address = Some(signal_at(9));
    world.admit(alice, request);
    // Its own answers would be right.
    world.crash(alice);
    for (confirmed, counts) in [(50_000, 320), (160, 160)] {
        assert!(world.operate(keeper, |gatekeeper, now| gatekeeper.set_bandwidth(now, [1; 16], 320)));
        let Some(RasMessage::BandwidthRequest(brq)) = world.messages().last().map(|(_, message)| message)
        else {
            panic!("BRQ")
        };
        let bcf = w::BandwidthConfirm::new(brq.request_seq_num, confirmed);
        world.inject_message(alice, keeper, RasMessage::BandwidthConfirm(Box::new(bcf)));
        world.run(SECOND);
        assert_eq!(world.gatekeeper(keeper).calls()[0].bandwidth, counts);
        let event = GatekeeperEvent::Bandwidth([1; 16], counts);
        assert!(world.keeper_events.iter().any(|(_, _, told)| *told == event), "{counts}");
    }
}

#[test]
fn who_has_registered_under_h2351_does_not_prove_itself_by_less() {
    let secured = |method| {
        let mut security = Security::new("alice", Password::new("secret"));
        security.methods = vec![method];
        RasConfig { security: Some(security), ..config(keeper_at(1), "alice") }
    };
    for method in [Method::Md5, Method::Cat, Method::H2351] {
        let mut world = World::new(2, FAIR);
        let users = vec![("alice".to_owned(), Password::new("secret"))];
        let keeper = world.keeper(1, GatekeeperConfig { users, ..GatekeeperConfig::new("gk") });
        let alice = world.client(1, secured(Method::H2351));
        world.register(alice);
        world.crash(alice);
        let row = world.gatekeeper(keeper).endpoints()[0].clone();
        // Another one that has her password, address and name.
        let mut bench = Bench::registered_as(secured(method), |rcf| {
            rcf.endpoint_identifier = row.identifier.as_str().into();
        });
        world.run(SECOND * 5);
        bench.now = world.now;
        let mut request = outgoing(1, "x");
        request.destination_address = Some(signal_at(9));
        bench.ras.admit(bench.now, request);
        assert!(matches!(bench.take(), RasMessage::AdmissionRequest(_)));
        bench.ras.handle_timeout(bench.now);
        while bench.poll().is_some() {}
        let octets = bench.sent.iter().rev().take(2).cloned().collect::<Vec<_>>();
        let RasMessage::RegistrationRequest(rrq) =
            per::decode::<RasMessage>(&octets[0]).unwrap().into_value()
        else {
            panic!("RRQ")
        };
        assert_eq!(rrq.keep_alive, Some(true));
        for octets in octets {
            world.inject(alice, keeper, octets);
        }
        world.run(SECOND);
        let refused = |what: &str| {
            world.keeper_events.iter().any(|(_, _, event)| {
                matches!(event, GatekeeperEvent::Refused(_, why)
                    if why.starts_with(what) && why.contains("securityWrongOID"))
            })
        };
        let weak = method != Method::H2351;
        assert_eq!((refused("RRQ"), refused("ARQ")), (weak, weak), "{method:?}");
        let after = world.gatekeeper(keeper).endpoints()[0].clone();
        assert_eq!((after.method, after.expires > row.expires), (Some(Method::H2351), !weak), "{method:?}");
        assert_eq!(world.gatekeeper(keeper).calls().is_empty(), weak, "{method:?}");
    }
}
