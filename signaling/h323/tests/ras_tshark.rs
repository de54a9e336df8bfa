//! tshark as a judge of RAS: it dissects every kind of message that our client and our gatekeeper can send, finds nothing
//! malformed, and sees in each the kind that we meant.
//! In: conversations on the virtual clock, with and without H.235. Not here: values (the wire crate's tests).
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod ras_common;
#[path = "../../wire/tests/support/tools.rs"]
#[allow(dead_code, unreachable_pub)]
mod tools;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use bytes::Bytes;
use offhook_h323::{
    Alias, AlternateGatekeeper, AudioReport, CallReport, Cause, EndpointKind, GatekeeperConfig, LocateBy,
    Method, Password, PreGranted, RasConfig, Security, ServiceReason, ServiceSession,
};
use offhook_wire::capture::CaptureWriter;
use offhook_wire::h225::{self as w, RasMessage};
use offhook_wire::per;
use ras_common::bench::Bench;
use ras_common::*;

/// A life with everything in it.
fn conversation(seed: u64, methods: &[Method]) -> World {
    let mut world = World::new(seed, Weather { loss: 10, ..FAIR });
    let mut gatekeeper = GatekeeperConfig {
        irr_interval: Some(SECOND * 5),
        total_bandwidth: Some(3000),
        pre_granted: PreGranted {
            answer_call: true,
            irr_interval: Some(SECOND * 7),
            ..PreGranted::default()
        },
        alternates: vec![AlternateGatekeeper {
            address: keeper_at(2),
            identifier: Some("two".into()),
            need_to_register: true,
            priority: 3,
        }],
        ..GatekeeperConfig::new("one")
    };
    let mut alice_config = config(keeper_at(1), "alice");
    alice_config.aliases.extend([
        Alias::DialedDigits("4711".into()),
        Alias::Url("h323:alice@example.org".into()),
        Alias::Email("alice@example.org".into()),
        Alias::Transport(([192, 0, 2, 7], 1720).into()),
        Alias::PartyNumber("49711".into()),
    ]);
    if !methods.is_empty() {
        gatekeeper.users =
            vec![("alice".into(), Password::new("secret")), ("far".into(), Password::new("tiger"))];
        let mut security = Security::new("alice", Password::new("secret"));
        security.methods = methods.to_vec();
        alice_config.security = Some(security);
    }
    let keeper = world.keeper(1, gatekeeper);
    world.keeper(2, GatekeeperConfig::new("two"));
    let alice = world.client(1, alice_config);
    let mut far_config = RasConfig {
        kind: EndpointKind::Gateway { prefixes: vec!["0".into(), "00".into()] },
        ..config(keeper, "far")
    };
    if !methods.is_empty() {
        far_config.security = Some(Security::new("far", Password::new("tiger")));
    }
    let far = world.client(2, far_config);
    let mallory = world.client(3, config(keeper, "alice"));
    world.register(alice);
    world.register(far);
    // RRJ: taken, or without a password.
    world.start(mallory);
    world.with(alice, |ras, now| ras.add_aliases(now, vec![Alias::from_text("second")]));
    world.with(far, |ras, now| ras.indicate_resources(now, false));
    world.run(SECOND);
    world.admit(alice, outgoing(1, "0815"));
    world.admit(far, incoming(1, "alice", signal_at(2)));
    world.admit(alice, outgoing(2, "nobody"));
    let report = CallReport {
        local_signal_address: Some(([10, 0, 1, 1], 3333).into()),
        remote_signal_address: Some(signal_at(2)),
        local_h245_address: Some(([10, 0, 1, 1], 3334).into()),
        remote_h245_address: None,
        audio: vec![AudioReport {
            session_id: 1,
            local_rtp: ([10, 0, 1, 1], 5000).into(),
            remote_rtp: Some(([10, 0, 1, 2], 5000).into()),
            local_rtcp: ([10, 0, 1, 1], 5001).into(),
            remote_rtcp: Some(([10, 0, 1, 2], 5001).into()),
            cname: "alice@example.org".into(),
            ssrc: 0xdead_beef,
        }],
    };
    world.with(alice, |ras, now| {
        ras.set_call_report(call(1, false), report);
        ras.call_alerting(now, call(1, false));
        ras.call_connected(now, call(1, false));
    });
    world.with(alice, |ras, now| ras.change_bandwidth(now, call(1, false), 640));
    world.run(SECOND * 12);
    world.with(alice, |ras, now| ras.change_bandwidth(now, call(1, false), 9000));
    world.operate(keeper, |gatekeeper, now| gatekeeper.set_bandwidth(now, [1; 16], 320));
    let identifier =
        world.ras(alice).registration().map(|r| r.endpoint_identifier.clone()).unwrap_or_default();
    world.operate(keeper, |gatekeeper, now| gatekeeper.query(now, &identifier, None));
    for name in ["far", "nobody"] {
        world.with(alice, |ras, now| ras.locate(now, vec![Alias::from_text(name)], LocateBy::Gatekeeper));
    }
    world.with(alice, |ras, now| {
        ras.indicate_service(
            now,
            &[ServiceSession {
                id: 1,
                reason: ServiceReason::Open,
                url: Some("http://example.org".into()),
                amount: None,
                duration_limit: None,
            }],
        )
    });
    let vendor = w::NonStandardIdentifier::H221NonStandard(w::H221NonStandard::new(9, 0, 61));
    let data = w::NonStandardParameter::new(vendor, Bytes::from_static(b"data"));
    let data: Bytes = per::encode(&data).unwrap().into();
    world.with(alice, |ras, now| ras.send_non_standard(now, &data));
    world.run(SECOND * 5);
    world.with(alice, |ras, now| ras.disengage(now, call(1, false), Some(Cause::NORMAL_CALL_CLEARING)));
    world.run(SECOND * 5);
    world.admit(alice, outgoing(3, "0815"));
    world.operate(keeper, |gatekeeper, now| gatekeeper.disconnect(now, [3; 16]));
    world.run(SECOND * 40);
    world.operate(keeper, |gatekeeper, now| gatekeeper.unregister(now, &identifier));
    world.run(SECOND * 10);
    world.with(far, |ras, now| ras.stop(now));
    world.run(SECOND * 10);
    world
}

/// Messages for which somebody has to be out of step.
fn out_of_step() -> Vec<Bytes> {
    let mut sent = Vec::new();
    // XRS and URJ, BRJ of the client.
    let mut bench = Bench::registered(|_| {});
    bench.ras.handle_datagram(bench.now, keeper_at(1), &[0xff; 9]);
    let mut urq = w::UnregistrationRequest::new(5, Vec::new());
    urq.endpoint_identifier = Some("another".into());
    bench.give(RasMessage::UnregistrationRequest(Box::new(urq)));
    bench.give(RasMessage::BandwidthRequest(Box::new(w::BandwidthRequest::new(
        6,
        "endpoint".into(),
        [1; 16],
        1,
        1,
    ))));
    let session = w::ServiceControlSession::new(1, w::ServiceControlSessionReason::Open);
    let sci = w::ServiceControlIndication::new(9, vec![session]);
    bench.give(RasMessage::ServiceControlIndication(Box::new(sci)));
    while bench.poll().is_some() {}
    sent.append(&mut bench.sent);
    // What the gatekeeper says to strangers.
    let mut world = World::new(1, FAIR);
    let keeper = world.keeper(1, GatekeeperConfig::new("one"));
    let other = GatekeeperConfig::new("another");
    let stranger = client_at(9);
    let mut irr = w::InfoRequestResponse::new(
        1,
        w::EndpointType::new(false, false),
        "x".into(),
        bench::wire(stranger),
        Vec::new(),
    );
    irr.need_response = Some(true);
    let mut grq =
        w::GatekeeperRequest::new(2, bench::V7, bench::wire(stranger), w::EndpointType::new(false, false));
    grq.gatekeeper_identifier = Some(other.identifier.as_str().into());
    let requests = [
        RasMessage::InfoRequestResponse(Box::new(irr)),
        RasMessage::GatekeeperRequest(Box::new(grq)),
        RasMessage::BandwidthRequest(Box::new(w::BandwidthRequest::new(3, "x".into(), [1; 16], 1, 1))),
        RasMessage::DisengageRequest(Box::new(w::DisengageRequest::new(
            4,
            "x".into(),
            [1; 16],
            1,
            w::DisengageReason::NormalDrop,
        ))),
        RasMessage::UnregistrationRequest(Box::new(w::UnregistrationRequest::new(5, Vec::new()))),
    ];
    for request in requests {
        world.inject_message(stranger, keeper, request);
    }
    world.run(SECOND);
    sent.extend(world.sent.iter().map(|datagram| datagram.bytes.clone()));
    sent
}

fn name(octets: &Bytes) -> String {
    let message = per::decode::<RasMessage>(octets).unwrap().into_value();
    let described = per::json::describe(&message);
    described.as_object().unwrap().keys().next().unwrap().clone()
}

/// All of H.225.0 clause 7 but RequestInProgress, which our gatekeeper has no need for, and sequences of ACF.
const KINDS: &[&str] = &[
    "gatekeeperRequest",
    "gatekeeperConfirm",
    "gatekeeperReject",
    "registrationRequest",
    "registrationConfirm",
    "registrationReject",
    "unregistrationRequest",
    "unregistrationConfirm",
    "unregistrationReject",
    "admissionRequest",
    "admissionConfirm",
    "admissionReject",
    "bandwidthRequest",
    "bandwidthConfirm",
    "bandwidthReject",
    "disengageRequest",
    "disengageConfirm",
    "disengageReject",
    "locationRequest",
    "locationConfirm",
    "locationReject",
    "infoRequest",
    "infoRequestResponse",
    "infoRequestAck",
    "infoRequestNak",
    "nonStandardMessage",
    "unknownMessageResponse",
    "resourcesAvailableIndicate",
    "resourcesAvailableConfirm",
    "serviceControlIndication",
    "serviceControlResponse",
];

fn everything() -> Vec<Bytes> {
    let mut sent = out_of_step();
    for methods in [&[][..], &[Method::H2351], &[Method::Md5], &[Method::Cat], Method::ALL] {
        for seed in 0..2 {
            sent.extend(conversation(seed, methods).sent.into_iter().map(|datagram| datagram.bytes));
        }
    }
    sent
}

#[test]
fn every_kind_of_message_leaves_us_and_comes_back_the_same() {
    let sent = everything();
    let seen: BTreeSet<String> = sent.iter().map(name).collect();
    let wanted: BTreeSet<String> = KINDS.iter().map(|kind| (*kind).to_owned()).collect();
    assert_eq!(seen, wanted);
}

#[test]
fn tshark_finds_nothing_malformed_in_any_of_them() {
    if !tools::has_tshark() {
        return;
    }
    let sent = everything();
    let (from, to): (SocketAddr, SocketAddr) = (client_at(1), keeper_at(1));
    let mut writer = CaptureWriter::new(Vec::new()).unwrap();
    for (at, octets) in sent.iter().enumerate() {
        let at = EPOCH + std::time::Duration::from_millis(at as u64);
        writer.udp(at, from, to, octets).unwrap();
    }
    let octets = writer.finish(EPOCH + SECOND * 3600).unwrap();
    let file = std::env::temp_dir().join(format!("offhook-ras-{}.pcap", std::process::id()));
    std::fs::write(&file, octets).unwrap();
    let kinds = tools::tshark(&file, &["-Y", "h225.RasMessage", "-T", "fields", "-e", "_ws.col.Info"]);
    let wrong = tools::tshark(
        &file,
        &[
            "-Y",
            "_ws.malformed || _ws.expert.severity >= 0x800000",
            "-T",
            "fields",
            "-e",
            "frame.number",
            "-e",
            "_ws.col.Info",
            "-e",
            "_ws.expert.message",
        ],
    );
    std::fs::remove_file(&file).unwrap();
    assert_eq!(wrong, "", "malformed");
    let kinds: Vec<&str> = kinds.lines().map(str::trim).collect();
    assert_eq!(kinds.len(), sent.len(), "every message is dissected");
    for (octets, info) in sent.iter().zip(kinds) {
        assert!(info.starts_with(&format!("RAS: {}", name(octets))), "{info}: {}", name(octets));
    }
}
