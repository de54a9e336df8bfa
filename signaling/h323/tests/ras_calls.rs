//! Calls and their gatekeeper: admitted or not, measured, reported, ended by either side, and kept when it is gone.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod ras_common;

use std::time::Duration;

use bytes::Bytes;
use offhook_h323::{
    AdmissionReason, Alias, CallEnd, CallModel, CallReport, Cause, Discovery, EndpointKind, GatekeeperConfig,
    GatekeeperEvent, LocateBy, LocationRejection, NewCalls, PreGranted, RasConfig, RasEvent, RasState,
    Release, ReleaseOrder, ReleaseReason, Routing, RunningCalls, ServiceReason, ServiceSession,
};
use offhook_wire::h225::{
    self as w, AdmissionConfirm, AdmissionReject, AdmissionRejectReason, RasMessage, RegistrationReject,
    RegistrationRejectReason,
};
use offhook_wire::per;
use ras_common::bench::{Bench, V7, wire};
use ras_common::*;

/// Two registered endpoints at a gatekeeper.
fn pair(seed: u64, weather: Weather, gatekeeper: GatekeeperConfig) -> (World, [std::net::SocketAddr; 3]) {
    let mut world = World::new(seed, weather);
    let keeper = world.keeper(1, gatekeeper);
    let alice = world.client(1, config(keeper, "alice"));
    let bob = world.client(2, config(keeper, "bob"));
    world.register(alice);
    world.register(bob);
    (world, [keeper, alice, bob])
}

#[test]
fn a_direct_call_is_admitted_on_both_sides_and_disengaged_whatever_the_network_does() {
    for seed in seeds() {
        let (mut world, [keeper, alice, bob]) = pair(seed, ROUGH, GatekeeperConfig::new("gk"));
        world.admit(alice, outgoing(1, "bob"));
        let Some(admission) = world.admitted(call(1, false)).cloned() else {
            // Each ARQ and its answer lost three times over: what the caller is told then.
            let rejection = world.not_admitted(call(1, false)).unwrap();
            assert_eq!(rejection.reason, AdmissionReason::Unreachable, "seed {seed}");
            continue;
        };
        assert_eq!(
            (admission.model, admission.address),
            (CallModel::Direct, Some(signal_at(2))),
            "seed {seed}"
        );
        assert_eq!(admission.bandwidth, offhook_h323::G711_BANDWIDTH);
        world.weather = FAIR;
        world.admit(bob, incoming(1, "alice", signal_at(2)));
        assert!(world.admitted(call(1, true)).is_some(), "seed {seed}");
        let row = world.gatekeeper(keeper).calls()[0].clone();
        assert!(row.caller.is_some() && row.called.is_some(), "seed {seed}");
        world.weather = ROUGH;
        world.with(alice, |ras, now| ras.disengage(now, call(1, false), Some(Cause::NORMAL_CALL_CLEARING)));
        world.with(bob, |ras, now| ras.disengage(now, call(1, true), None));
        world.run(SECOND * 20);
        assert_eq!(world.count(alice, |e| *e == RasEvent::Disengaged(call(1, false))), 1, "seed {seed}");
        assert_eq!(world.count(bob, |e| *e == RasEvent::Disengaged(call(1, true))), 1, "seed {seed}");
        assert_eq!(world.ras(alice).calls() + world.ras(bob).calls(), 0, "seed {seed}");
        let lost = world.ras(alice).counters().timeouts + world.ras(bob).counters().timeouts > 0;
        assert!(lost || world.gatekeeper(keeper).calls().is_empty(), "seed {seed}");
    }
}

#[test]
fn a_routed_call_goes_to_the_gatekeeper_which_knows_where_to() {
    let routed = GatekeeperConfig { model: CallModel::GatekeeperRouted, ..GatekeeperConfig::new("gk") };
    let (mut world, [keeper, alice, bob]) = pair(1, FAIR, routed);
    world.admit(alice, outgoing(1, "bob"));
    let admission = world.admitted(call(1, false)).unwrap();
    assert_eq!(admission.model, CallModel::GatekeeperRouted);
    assert_eq!(admission.address, Some(([10, 0, 0, 1], 1721).into()));
    let route = world.gatekeeper(keeper).route([1; 16], &[]);
    assert_eq!(route, Routing::To { address: signal_at(2), destination: vec![Alias::from_text("bob")] });
    let unknown = world.gatekeeper(keeper).route([9; 16], &[Alias::from_text("bob")]);
    let refused = Release::with_reason(ReleaseReason::CallerNotRegistered);
    assert_eq!(unknown, Routing::Refuse(refused));
    // Bob's side came through the gatekeeper; one that did not is sent there.
    world.admit(bob, incoming(1, "alice", signal_at(2)));
    assert!(world.admitted(call(1, true)).is_some());
    world.admit(bob, incoming(2, "mallory", signal_at(2)));
    let rejection = world.not_admitted(call(2, true)).unwrap();
    assert_eq!(rejection.reason, AdmissionReason::RouteCallToGatekeeper);
    assert_eq!(rejection.route_to, Some(([10, 0, 0, 1], 1721).into()));
    world.operate(keeper, |gatekeeper, _| gatekeeper.call_ended([1; 16]));
    assert!(world.gatekeeper(keeper).calls().is_empty());
}

#[test]
fn a_destination_that_nobody_has_registered_is_told_as_the_cause_it_is() {
    let (mut world, [_, alice, _]) = pair(2, FAIR, GatekeeperConfig::new("gk"));
    world.admit(alice, outgoing(1, "nobody"));
    let rejection = world.not_admitted(call(1, false)).unwrap();
    assert_eq!(rejection.reason, AdmissionReason::CalledPartyNotRegistered);
    assert_eq!(rejection.release.cause, Cause(20));
    assert_eq!(world.ras(alice).calls(), 0);
    // An address can be called all the same.
    let mut request = outgoing(2, "nobody");
    request.destination_address = Some(([192, 0, 2, 1], 1720).into());
    world.admit(alice, request);
    assert_eq!(world.admitted(call(2, false)).unwrap().address, Some(([192, 0, 2, 1], 1720).into()));
}

#[test]
fn a_gateway_is_reached_by_its_prefix_while_it_has_resources() {
    let mut world = World::new(3, FAIR);
    let keeper = world.keeper(1, GatekeeperConfig::new("gk"));
    let alice = world.client(1, config(keeper, "alice"));
    let gateway = |prefixes: &[&str], name: &str| RasConfig {
        kind: EndpointKind::Gateway { prefixes: prefixes.iter().map(|p| (*p).to_owned()).collect() },
        ..config(keeper, name)
    };
    let near = world.client(2, gateway(&["0"], "near"));
    let far = world.client(3, gateway(&["0", "0049"], "far"));
    for client in [alice, near, far] {
        world.register(client);
    }
    world.admit(alice, outgoing(1, "004930"));
    assert_eq!(world.admitted(call(1, false)).unwrap().address, Some(signal_at(3)), "the longer prefix");
    let id = world.with(near, |ras, now| ras.indicate_resources(now, true)).unwrap();
    world.run(SECOND);
    assert_eq!(world.count(near, |event| *event == RasEvent::Delivered(id, true)), 1);
    world.admit(alice, outgoing(2, "0711"));
    assert_eq!(
        world.admitted(call(2, false)).unwrap().address,
        Some(signal_at(3)),
        "near is out of resources"
    );
}

/// Each rejectReason of ARJ and what a call ends with: the value in the Cause element, ReleaseCompleteReason.
const OUTCOMES: &[(AdmissionRejectReason, AdmissionReason, u8, ReleaseReason)] = &[
    (
        AdmissionRejectReason::CalledPartyNotRegistered,
        AdmissionReason::CalledPartyNotRegistered,
        20,
        ReleaseReason::CalledPartyNotRegistered,
    ),
    (
        AdmissionRejectReason::InvalidPermission,
        AdmissionReason::InvalidPermission,
        21,
        ReleaseReason::NoPermission,
    ),
    (AdmissionRejectReason::RequestDenied, AdmissionReason::RequestDenied, 34, ReleaseReason::NoBandwidth),
    (
        AdmissionRejectReason::UndefinedReason,
        AdmissionReason::UndefinedReason,
        31,
        ReleaseReason::UndefinedReason,
    ),
    (
        AdmissionRejectReason::CallerNotRegistered,
        AdmissionReason::CallerNotRegistered,
        31,
        ReleaseReason::CallerNotRegistered,
    ),
    (
        AdmissionRejectReason::RouteCallToGatekeeper,
        AdmissionReason::RouteCallToGatekeeper,
        16,
        ReleaseReason::FacilityCallDeflection,
    ),
    (
        AdmissionRejectReason::InvalidEndpointIdentifier,
        AdmissionReason::InvalidEndpointIdentifier,
        31,
        ReleaseReason::CallerNotRegistered,
    ),
    (
        AdmissionRejectReason::ResourceUnavailable,
        AdmissionReason::ResourceUnavailable,
        47,
        ReleaseReason::GatekeeperResources,
    ),
    (
        AdmissionRejectReason::SecurityDenial,
        AdmissionReason::SecurityDenial,
        31,
        ReleaseReason::SecurityDenied,
    ),
    (
        AdmissionRejectReason::QosControlNotSupported,
        AdmissionReason::QosControlNotSupported,
        63,
        ReleaseReason::UndefinedReason,
    ),
    (
        AdmissionRejectReason::IncompleteAddress,
        AdmissionReason::IncompleteAddress,
        28,
        ReleaseReason::BadFormatAddress,
    ),
    (
        AdmissionRejectReason::AliasesInconsistent,
        AdmissionReason::AliasesInconsistent,
        28,
        ReleaseReason::BadFormatAddress,
    ),
    (
        AdmissionRejectReason::RouteCallToSCN(Vec::new()),
        AdmissionReason::RouteCallToScn,
        3,
        ReleaseReason::UnreachableDestination,
    ),
    (
        AdmissionRejectReason::ExceedsCallCapacity,
        AdmissionReason::ExceedsCallCapacity,
        42,
        ReleaseReason::GatewayResources,
    ),
    (
        AdmissionRejectReason::CollectDestination,
        AdmissionReason::CollectDestination,
        28,
        ReleaseReason::BadFormatAddress,
    ),
    (AdmissionRejectReason::CollectPIN, AdmissionReason::CollectPin, 21, ReleaseReason::NoPermission),
    (
        AdmissionRejectReason::GenericDataReason,
        AdmissionReason::GenericDataReason,
        31,
        ReleaseReason::GenericDataReason,
    ),
    (
        AdmissionRejectReason::NeededFeatureNotSupported,
        AdmissionReason::NeededFeatureNotSupported,
        31,
        ReleaseReason::NeededFeatureNotSupported,
    ),
    (
        AdmissionRejectReason::SecurityError(w::SecurityErrors2::SecurityReplay),
        AdmissionReason::SecurityError,
        31,
        ReleaseReason::SecurityError,
    ),
    (
        AdmissionRejectReason::SecurityDHmismatch,
        AdmissionReason::SecurityDhMismatch,
        31,
        ReleaseReason::SecurityError,
    ),
    (
        AdmissionRejectReason::NoRouteToDestination,
        AdmissionReason::NoRouteToDestination,
        3,
        ReleaseReason::UnreachableDestination,
    ),
    (
        AdmissionRejectReason::UnallocatedNumber,
        AdmissionReason::UnallocatedNumber,
        1,
        ReleaseReason::UnreachableDestination,
    ),
    (
        AdmissionRejectReason::RegisterWithAssignedGK,
        AdmissionReason::RegisterWithAssignedGk,
        38,
        ReleaseReason::UnreachableGatekeeper,
    ),
];

#[test]
fn every_reject_reason_has_its_outcome() {
    assert_eq!(OUTCOMES.len(), AdmissionReason::ALL.len());
    for (wire, reason, cause, released) in OUTCOMES {
        let mut bench = Bench::registered(|_| {});
        bench.ras.admit(bench.now, outgoing(1, "bob"));
        let asks_again = matches!(
            reason,
            AdmissionReason::CallerNotRegistered
                | AdmissionReason::InvalidEndpointIdentifier
                | AdmissionReason::RegisterWithAssignedGk
        );
        if asks_again {
            // The gatekeeper has forgotten us: we register, and ask a second time.
            let RasMessage::AdmissionRequest(arq) = bench.take() else { panic!("ARQ") };
            let arj = AdmissionReject::new(arq.request_seq_num, wire.clone());
            bench.give(RasMessage::AdmissionReject(Box::new(arj)));
            assert!(!bench.events().iter().any(|e| matches!(e, RasEvent::NotAdmitted(..))), "{reason:?}");
            if let RasMessage::GatekeeperRequest(grq) = bench.take() {
                let gcf = w::GatekeeperConfirm::new(grq.request_seq_num, V7, wire_keeper());
                bench.give(RasMessage::GatekeeperConfirm(Box::new(gcf)));
            } else {
                let rrq = per::decode::<RasMessage>(bench.sent.last().unwrap()).unwrap().into_value();
                let RasMessage::RegistrationRequest(rrq) = rrq else { panic!("RRQ") };
                bench.confirm(rrq.request_seq_num, |_| {});
            }
            if bench.ras.state() != RasState::Registered {
                let RasMessage::RegistrationRequest(rrq) = bench.take() else { panic!("RRQ") };
                bench.confirm(rrq.request_seq_num, |_| {});
            }
        }
        let RasMessage::AdmissionRequest(arq) = bench.take() else { panic!("ARQ") };
        bench.give(RasMessage::AdmissionReject(Box::new(AdmissionReject::new(
            arq.request_seq_num,
            wire.clone(),
        ))));
        let rejection = bench.events().into_iter().find_map(|event| match event {
            RasEvent::NotAdmitted(key, rejection) if key == call(1, false) => Some(rejection),
            _ => None,
        });
        let rejection = rejection.unwrap_or_else(|| panic!("{reason:?}"));
        assert_eq!(rejection.reason, *reason);
        assert_eq!(
            rejection.release,
            Release { cause: Cause(*cause), reason: Some(*released) },
            "{reason:?}"
        );
        assert_eq!(bench.ras.calls(), 0);
    }
}

fn wire_keeper() -> w::TransportAddress {
    wire(keeper_at(1))
}

#[test]
fn what_the_gatekeeper_maps_is_told_with_the_admission() {
    let mut bench = Bench::registered(|_| {});
    bench.ras.admit(bench.now, outgoing(1, "bob"));
    let RasMessage::AdmissionRequest(arq) = bench.take() else { panic!("ARQ") };
    assert_eq!(arq.can_map_alias, Some(true));
    assert_eq!(arq.endpoint_identifier, "endpoint");
    let digits = |text: &str| vec![w::AliasAddress::DialledDigits(text.to_owned())];
    let mut acf = AdmissionConfirm::new(arq.request_seq_num, 640, w::CallModel::Direct, wire(signal_at(9)));
    acf.destination_info = Some(digits("123"));
    acf.dest_extra_call_info = Some(digits("45"));
    acf.remote_extension_address = Some(digits("67"));
    acf.modified_src_info = Some(digits("89"));
    let mut other = w::Endpoint::new();
    other.call_signal_address = Some(vec![wire(signal_at(8))]);
    acf.alternate_endpoints = Some(vec![other]);
    acf.irr_frequency = Some(10);
    bench.give(RasMessage::AdmissionConfirm(Box::new(acf)));
    let admission = bench.events().into_iter().find_map(|event| match event {
        RasEvent::Admitted(_, admission) => Some(admission),
        _ => None,
    });
    let admission = admission.unwrap();
    let told = |text: &str| vec![Alias::DialedDigits(text.to_owned())];
    assert_eq!((admission.address, admission.bandwidth), (Some(signal_at(9)), 640));
    assert_eq!((admission.destination, admission.extra), (told("123"), told("45")));
    assert_eq!((admission.remote_extension, admission.source), (told("67"), told("89")));
    assert_eq!(admission.alternates[0].addresses, [signal_at(8)]);
    assert_eq!(admission.irr_interval, Some(SECOND * 10));

    // Reports come at that interval, with what the call is.
    let report = CallReport { remote_signal_address: Some(signal_at(9)), ..CallReport::default() };
    bench.ras.set_call_report(call(1, false), report);
    bench.ras.call_connected(bench.now, call(1, false));
    bench.pass(SECOND * 31);
    let mut reports = 0;
    while let Some(message) = bench.poll() {
        let RasMessage::InfoRequestResponse(irr) = message else { panic!("{message:?}") };
        let info = &irr.per_call_info.as_ref().unwrap()[0];
        assert_eq!(info.call_identifier.as_ref().unwrap().guid, [1; 16]);
        assert_eq!((info.band_width, info.originator), (640, Some(true)));
        assert_eq!(info.call_signalling.send_address, Some(wire(signal_at(9))));
        assert_eq!(info.usage_information.as_ref().unwrap().connect_time, Some(1_795_158_010));
        assert_eq!(irr.unsolicited, Some(true));
        reports += 1;
    }
    assert_eq!(reports, 3);
}

#[test]
fn pre_granted_calls_need_no_question_and_no_leave() {
    let granted = PreGranted {
        make_call: true,
        make_by_gatekeeper: true,
        answer_call: true,
        total_bandwidth: Some(2000),
        irr_interval: Some(SECOND * 5),
        ..PreGranted::default()
    };
    let (mut world, [keeper, alice, bob]) =
        pair(4, FAIR, GatekeeperConfig { pre_granted: granted, ..GatekeeperConfig::new("gk") });
    world.admit(alice, outgoing(1, "bob"));
    let admission = world.admitted(call(1, false)).unwrap();
    assert!(admission.unasked && admission.model == CallModel::GatekeeperRouted);
    assert_eq!(admission.address, Some(([10, 0, 0, 1], 1721).into()));
    world.admit(bob, incoming(1, "alice", signal_at(2)));
    assert!(world.admitted(call(1, true)).unwrap().unasked);
    assert_eq!(world.count_sent(alice, |m| matches!(m, RasMessage::AdmissionRequest(_))), 0);
    // A second call is beyond the bandwidth that is granted unasked: it is asked about.
    world.admit(alice, outgoing(2, "bob"));
    assert!(!world.admitted(call(2, false)).unwrap().unasked);
    world.run(SECOND * 11);
    let reports = world
        .keeper_events
        .iter()
        .filter(|(_, _, e)| matches!(e, GatekeeperEvent::Report(_, calls, true) if calls.contains(&[1; 16])));
    assert!(reports.count() >= 2);
    // The gatekeeper routes calls that it was not asked about.
    let route = world.gatekeeper(keeper).route([7; 16], &[Alias::from_text("bob")]);
    assert!(matches!(route, Routing::To { address, .. } if address == signal_at(2)));
    world.with(alice, |ras, now| ras.disengage(now, call(1, false), None));
    assert_eq!(world.count_sent(alice, |m| matches!(m, RasMessage::DisengageRequest(_))), 0);
    assert_eq!(world.count(alice, |e| *e == RasEvent::Disengaged(call(1, false))), 1);
}

#[test]
fn bandwidth_is_bounded_and_changed_from_either_side() {
    for seed in seeds() {
        let tight = GatekeeperConfig { total_bandwidth: Some(2000), ..GatekeeperConfig::new("gk") };
        let (mut world, [keeper, alice, bob]) = pair(seed, FAIR, tight);
        world.admit(alice, outgoing(1, "bob"));
        world.admit(bob, incoming(1, "alice", signal_at(2)));
        world.admit(alice, outgoing(2, "bob"));
        assert_eq!(world.admitted(call(2, false)).unwrap().bandwidth, 720, "what is left");
        world.admit(alice, outgoing(3, "bob"));
        assert_eq!(world.not_admitted(call(3, false)).unwrap().reason, AdmissionReason::RequestDenied);

        world.weather = ROUGH;
        assert!(world.with(alice, |ras, now| ras.change_bandwidth(now, call(2, false), 5000)));
        world.run(SECOND * 10);
        let rejected = world
            .count(alice, |e| matches!(e, RasEvent::BandwidthRejected(key, _) if *key == call(2, false)));
        assert_eq!(rejected, 1, "seed {seed}");
        assert!(world.with(alice, |ras, now| ras.change_bandwidth(now, call(1, false), 640)));
        world.run(SECOND * 10);
        let answered = world.count(alice, |e| {
            matches!(e, RasEvent::Bandwidth(key, 640) | RasEvent::BandwidthRejected(key, _) if *key == call(1, false))
        });
        assert_eq!(answered, 1, "seed {seed}");
        world.weather = FAIR;
        assert!(world.operate(keeper, |gatekeeper, now| gatekeeper.set_bandwidth(now, [1; 16], 320)));
        world.run(SECOND * 2);
        for (client, key) in [(alice, call(1, false)), (bob, call(1, true))] {
            assert_eq!(world.count(client, |e| *e == RasEvent::Bandwidth(key, 320)), 1, "seed {seed}");
        }
        assert_eq!(
            world.gatekeeper(keeper).calls().iter().find(|c| c.call_identifier == [1; 16]).unwrap().bandwidth,
            320
        );
        assert!(!world.with(alice, |ras, now| ras.change_bandwidth(now, call(9, false), 1)), "no such call");
    }
}

#[test]
fn the_gatekeeper_ends_a_call_on_both_sides() {
    for seed in seeds() {
        let (mut world, [keeper, alice, bob]) = pair(seed, FAIR, GatekeeperConfig::new("gk"));
        world.admit(alice, outgoing(1, "bob"));
        world.admit(bob, incoming(1, "alice", signal_at(2)));
        world.weather = ROUGH;
        assert!(world.operate(keeper, |gatekeeper, now| gatekeeper.disconnect(now, [1; 16])));
        world.run(SECOND * 20);
        assert!(
            world
                .keeper_events
                .iter()
                .any(|(_, _, e)| matches!(e, GatekeeperEvent::CallEnded(_, CallEnd::Ordered)))
        );
        for (client, key) in [(alice, call(1, false)), (bob, call(1, true))] {
            let told = world.count(client, |event| {
                let release = Release::with_reason(ReleaseReason::NoBandwidth);
                *event == RasEvent::Release(key, ReleaseOrder::ForcedDrop, release)
            });
            let silent =
                world.keeper_events.iter().any(|(_, _, e)| matches!(e, GatekeeperEvent::Unanswered(..)));
            assert!(told == 1 || silent && told == 0, "seed {seed}: {told}");
            // Said once more, it does no harm and sends nothing.
            if told == 1 {
                world.with(client, |ras, now| ras.disengage(now, key, None));
                assert_eq!(world.count_sent(client, |m| matches!(m, RasMessage::DisengageRequest(_))), 0);
            }
        }
    }
}

#[test]
fn the_gatekeeper_asks_for_calls_and_gets_them_in_portions() {
    let (mut world, [keeper, alice, _]) = pair(5, FAIR, GatekeeperConfig::new("gk"));
    for number in 1..=20 {
        world.admit(alice, outgoing(number, "bob"));
    }
    let identifier = world.ras(alice).registration().unwrap().endpoint_identifier.clone();
    assert!(world.operate(keeper, |gatekeeper, now| gatekeeper.query(now, &identifier, None)));
    assert!(world.operate(keeper, |gatekeeper, now| gatekeeper.query(now, &identifier, Some([3; 16]))));
    assert!(world.operate(keeper, |gatekeeper, now| gatekeeper.query(now, &identifier, Some([99; 16]))));
    world.run(SECOND);
    let reports: Vec<usize> = world
        .keeper_events
        .iter()
        .filter_map(|(_, _, event)| match event {
            GatekeeperEvent::Report(_, calls, false) => Some(calls.len()),
            _ => None,
        })
        .collect();
    assert_eq!(
        {
            let mut sorted = reports.clone();
            sorted.sort_unstable();
            sorted
        },
        [0, 1, 8]
    );
    let statuses: Vec<_> = world
        .messages()
        .filter_map(|(_, message)| match message {
            RasMessage::InfoRequestResponse(irr) => irr.irr_status.clone(),
            _ => None,
        })
        .collect();
    assert!(statuses.contains(&w::InfoRequestResponseStatus::Incomplete));
    assert!(statuses.contains(&w::InfoRequestResponseStatus::Complete));
    assert!(statuses.contains(&w::InfoRequestResponseStatus::InvalidCall));
}

#[test]
fn a_gatekeeper_that_takes_segments_gets_all_calls() {
    let mut bench = Bench::registered(|_| {});
    for number in 1..=20 {
        bench.ras.admit(bench.now, outgoing(number, "bob"));
        let RasMessage::AdmissionRequest(arq) = bench.take() else { panic!("ARQ") };
        let acf = AdmissionConfirm::new(arq.request_seq_num, 640, w::CallModel::Direct, wire(signal_at(9)));
        bench.give(RasMessage::AdmissionConfirm(Box::new(acf)));
    }
    let mut heard = Vec::new();
    for segment in 0..3u16 {
        let mut irq = w::InfoRequest::new(500 + segment, 0);
        irq.segmented_response_supported = Some(());
        irq.next_segment_requested = (segment > 0).then_some(segment);
        bench.give(RasMessage::InfoRequest(Box::new(irq)));
        let RasMessage::InfoRequestResponse(irr) = bench.take() else { panic!("IRR") };
        assert_eq!(irr.request_seq_num, 500 + segment);
        let last = segment == 2;
        let status = if last {
            w::InfoRequestResponseStatus::Complete
        } else {
            w::InfoRequestResponseStatus::Segment(segment)
        };
        assert_eq!(irr.irr_status, Some(status));
        heard.extend(
            irr.per_call_info.unwrap().iter().map(|info| info.call_identifier.as_ref().unwrap().guid[0]),
        );
    }
    assert_eq!(heard, (1..=20).collect::<Vec<u8>>());
}

#[test]
fn signalling_that_the_gatekeeper_wants_to_see_is_reported_to_it() {
    let mut bench = Bench::registered(|rcf| rcf.will_respond_to_irr = Some(true));
    bench.ras.admit(bench.now, outgoing(1, "bob"));
    let RasMessage::AdmissionRequest(arq) = bench.take() else { panic!("ARQ") };
    assert_eq!(arq.will_supply_uuies, Some(true));
    let mut acf = AdmissionConfirm::new(arq.request_seq_num, 640, w::CallModel::Direct, wire(signal_at(9)));
    let wanted = w::UUIEsRequested { alerting: true, release_complete: true, ..Default::default() };
    acf.uuies_requested = Some(wanted);
    bench.give(RasMessage::AdmissionConfirm(Box::new(acf)));
    assert!(bench.events().iter().any(|e| matches!(e, RasEvent::Admitted(_, a) if a.wants_signals)));

    let uuie = |body| w::H323UserInformation::new(w::H323UuPdu::new(body));
    let mut vendor = w::EndpointType::new(false, false);
    vendor.terminal = Some(w::TerminalInfo::new());
    let bodies = [
        w::H323UuPduH323MessageBody::CallProceeding(w::CallProceedingUuie::new(V7, vendor.clone()).into()),
        w::H323UuPduH323MessageBody::Alerting(w::AlertingUuie::new(V7, vendor).into()),
        w::H323UuPduH323MessageBody::ReleaseComplete(w::ReleaseCompleteUuie::new(V7).into()),
    ];
    let mut stream = Vec::new();
    for body in bodies {
        let reference = offhook_wire::q931::CallReference::new(1, true);
        let signal = offhook_wire::h225_message::CallSignal::new(reference, uuie(body)).unwrap();
        stream.extend_from_slice(&offhook_wire::tpkt::encode(&signal.encode().unwrap()).unwrap());
    }
    for octet in stream {
        bench.ras.report_signal(bench.now, call(1, false), false, &[octet]);
    }
    let mut kinds = Vec::new();
    while let Some(RasMessage::InfoRequestResponse(irr)) = bench.poll() {
        assert_eq!(irr.need_response, Some(true));
        for pdu in irr.per_call_info.unwrap()[0].pdu.as_ref().unwrap() {
            assert!(!pdu.sent);
            kinds.push(match pdu.h323pdu.h323_message_body {
                w::H323UuPduH323MessageBody::Alerting(_) => "alerting",
                w::H323UuPduH323MessageBody::ReleaseComplete(_) => "releaseComplete",
                ref other => panic!("{other:?}"),
            });
        }
        bench.give(RasMessage::InfoRequestAck(Box::new(w::InfoRequestAck::new(irr.request_seq_num))));
    }
    assert_eq!(kinds, ["alerting", "releaseComplete"]);
    bench.pass(SECOND * 60);
    assert!(bench.poll().is_none(), "confirmed reports are not repeated");
}

#[test]
fn calls_go_on_while_the_gatekeeper_is_gone_and_it_hears_of_them_when_it_is_back() {
    let (mut world, [keeper, alice, bob]) =
        pair(6, FAIR, GatekeeperConfig { irr_interval: Some(SECOND * 10), ..GatekeeperConfig::new("gk") });
    world.admit(alice, outgoing(1, "bob"));
    world.admit(bob, incoming(1, "alice", signal_at(2)));
    world.crash(keeper);
    world.run(SECOND * 100);
    assert_eq!(world.ras(alice).calls(), 1);
    assert_eq!(world.count(alice, |event| matches!(event, RasEvent::Release(..))), 0);
    // New calls are refused meanwhile, at once or when registering has come to nothing.
    world.admit(alice, outgoing(2, "bob"));
    let rejection = world.not_admitted(call(2, false)).unwrap();
    assert_eq!(rejection.reason, AdmissionReason::Unreachable);
    assert_eq!(rejection.release, Release::with_reason(ReleaseReason::UnreachableGatekeeper));
    world.keeper(1, GatekeeperConfig::new("gk"));
    world.until(SECOND * 120, |world| world.is_registered(alice)).expect("back");
    world.run(SECOND * 5);
    let told = world
        .keeper_events
        .iter()
        .any(|(_, _, e)| matches!(e, GatekeeperEvent::Report(_, calls, true) if *calls == [[1; 16]]));
    assert!(told, "the gatekeeper hears of the running call");
}

#[test]
fn policies_release_running_calls_and_allow_new_ones_without_gatekeeper() {
    let mut world = World::new(7, FAIR);
    let keeper = world.keeper(1, GatekeeperConfig::new("gk"));
    let free = RasConfig {
        running_calls: RunningCalls::Release,
        new_calls: NewCalls::Allow,
        ..config(keeper, "alice")
    };
    let alice = world.client(1, free);
    world.register(alice);
    let mut request = outgoing(1, "x");
    request.destination_address = Some(signal_at(9));
    world.admit(alice, request.clone());
    world.crash(keeper);
    world.run(SECOND * 60);
    let release = Release::with_reason(ReleaseReason::UnreachableGatekeeper);
    let order = RasEvent::Release(call(1, false), ReleaseOrder::GatekeeperLost, release);
    assert_eq!(world.count(alice, |event| *event == order), 1);
    request.call = call(2, false);
    world.admit(alice, request);
    let admission = world.admitted(call(2, false)).unwrap();
    assert!(admission.unasked && admission.address == Some(signal_at(9)));
}

#[test]
fn stop_waits_for_the_last_call_and_registration_is_kept_until_then() {
    let (mut world, [keeper, alice, _]) = pair(8, FAIR, GatekeeperConfig::new("gk"));
    world.admit(alice, outgoing(1, "bob"));
    world.with(alice, |ras, now| ras.stop(now));
    world.run(SECOND * 300);
    assert!(world.is_registered(alice), "kept while a call runs");
    world.with(alice, |ras, now| ras.disengage(now, call(1, false), None));
    world.run(SECOND * 5);
    assert_eq!(world.ras(alice).state(), RasState::Stopped);
    assert_eq!(world.gatekeeper(keeper).endpoints().len(), 1, "bob's");
}

#[test]
fn who_leaves_with_the_last_call_does_not_register_with_a_gatekeeper_that_was_restarted() {
    let (mut world, [keeper, alice, _]) = pair(9, FAIR, GatekeeperConfig::new("gk"));
    world.admit(alice, outgoing(1, "bob"));
    world.crash(keeper);
    world.keeper(1, GatekeeperConfig::new("gk"));
    // DRQ is answered by DRJ notRegistered, which would have been reason enough for RRQ.
    world.with(alice, |ras, now| ras.disengage(now, call(1, false), None));
    world.with(alice, |ras, now| ras.stop(now));
    world.run(SECOND * 10);
    assert_eq!(world.ras(alice).state(), RasState::Stopped);
    assert!(world.gatekeeper(keeper).endpoints().is_empty(), "{:?}", world.gatekeeper(keeper).endpoints());
    let asked = world.count_sent(alice, |message| matches!(message, RasMessage::RegistrationRequest(_)));
    assert_eq!(asked, 1, "only the RRQ at the beginning");
}

#[test]
fn destinations_are_located_by_the_gatekeeper_by_srv_records_and_by_multicast() {
    let (mut world, [keeper, alice, bob]) = pair(9, FAIR, GatekeeperConfig::new("gk"));
    world.names.insert("_h323ls._udp.example.org".into(), vec![keeper_at(7), keeper]);
    let to = |name: &str| vec![Alias::from_text(name)];
    let ways = [
        LocateBy::Gatekeeper,
        LocateBy::Address(keeper),
        LocateBy::Multicast,
        LocateBy::Domain("example.org".into()),
    ];
    for by in ways {
        let id = world.with(alice, |ras, now| ras.locate(now, to("bob"), by.clone()));
        world.run(SECOND * 20);
        let located = world.count(
            alice,
            |e| matches!(e, RasEvent::Located(n, at) if *n == id && at.signal_address == signal_at(2)),
        );
        assert_eq!(located, 1, "{by:?}: {:?}", world.of(alice));
    }
    let id = world.with(alice, |ras, now| ras.locate(now, to("nobody"), LocateBy::Gatekeeper));
    world.run(SECOND);
    let rejected = LocationRejection::Rejected("notRegistered".to_owned());
    assert_eq!(world.count(alice, |e| *e == RasEvent::NotLocated(id, rejected.clone())), 1);
    let id = world.with(alice, |ras, now| ras.locate(now, to("bob"), LocateBy::Address(keeper_at(9))));
    world.run(SECOND * 16);
    assert_eq!(world.count(alice, |e| *e == RasEvent::NotLocated(id, LocationRejection::Unanswered)), 1);
    let stranger = world.client(5, RasConfig::new(Discovery::Multicast, Vec::new()));
    let id = world.with(stranger, |ras, now| ras.locate(now, to("bob"), LocateBy::Gatekeeper));
    assert_eq!(world.count(stranger, |e| *e == RasEvent::NotLocated(id, LocationRejection::NobodyToAsk)), 1);
    let _ = bob;
}

#[test]
fn service_control_and_proprietary_messages_go_both_ways() {
    let mut bench = Bench::registered(|_| {});
    let mut session = w::ServiceControlSession::new(3, w::ServiceControlSessionReason::Open);
    session.contents = Some(w::ServiceControlDescriptor::Url("http://example.org/".to_owned()));
    let sci = w::ServiceControlIndication::new(77, vec![session]);
    for _ in 0..2 {
        bench.give(RasMessage::ServiceControlIndication(Box::new(sci.clone())));
        let RasMessage::ServiceControlResponse(scr) = bench.take() else { panic!("SCR") };
        assert_eq!((scr.request_seq_num, scr.result), (77, Some(w::ServiceControlResponseResult::Started)));
    }
    let opened = ServiceSession {
        id: 3,
        reason: ServiceReason::Open,
        url: Some("http://example.org/".to_owned()),
        amount: None,
        duration_limit: None,
    };
    assert_eq!(bench.events(), [RasEvent::ServiceControl(None, vec![opened.clone()])], "told once");

    let id = bench.ras.indicate_service(bench.now, &[opened]).unwrap();
    let RasMessage::ServiceControlIndication(sci) = bench.take() else { panic!("SCI") };
    let scr = w::ServiceControlResponse::new(sci.request_seq_num);
    bench.give(RasMessage::ServiceControlResponse(Box::new(scr)));
    assert_eq!(bench.events(), [RasEvent::Delivered(id, true)]);

    let identifier = w::NonStandardIdentifier::H221NonStandard(w::H221NonStandard::new(181, 0, 18));
    let data = w::NonStandardParameter::new(identifier, Bytes::from_static(b"hello"));
    let octets = Bytes::from(per::encode(&data).unwrap());
    let nsm = w::NonStandardMessage::new(5, data);
    bench.give(RasMessage::NonStandardMessage(Box::new(nsm)));
    assert_eq!(bench.events(), [RasEvent::NonStandard(keeper_at(1), octets.clone())]);
    assert!(bench.ras.send_non_standard(bench.now, &octets));
    assert!(matches!(bench.take(), RasMessage::NonStandardMessage(_)));
    assert!(!bench.ras.send_non_standard(bench.now, &Bytes::from_static(&[0xff])));
}

#[test]
fn an_assigned_gatekeeper_is_gone_to() {
    let mut bench = Bench::registered(|_| {});
    bench.pass(SECOND * 400);
    let RasMessage::RegistrationRequest(rrq) = bench.take() else { panic!("keep-alive") };
    assert_eq!(rrq.keep_alive, Some(true));
    let mut rrj =
        RegistrationReject::new(rrq.request_seq_num, V7, RegistrationRejectReason::RegisterWithAssignedGK);
    rrj.assigned_gatekeeper = Some(w::AlternateGK::new(wire(keeper_at(6)), true, 0));
    bench.give(RasMessage::RegistrationReject(Box::new(rrj)));
    let sent = bench.ras.poll_transmit().unwrap();
    assert_eq!(sent.destination, keeper_at(6));
    assert_eq!(bench.ras.state(), RasState::Registering);
}

#[test]
fn what_cannot_be_read_is_said_to_be_so_once_a_second_and_to_the_gatekeeper_only() {
    let mut bench = Bench::registered(|_| {});
    for _ in 0..50 {
        bench.ras.handle_datagram(bench.now, keeper_at(1), &[0xff, 0xff, 0xff]);
        bench.ras.handle_datagram(bench.now, keeper_at(2), &[0xff, 0xff, 0xff]);
        bench.ras.handle_datagram(bench.now, keeper_at(1), &[0]);
        bench.now += Duration::from_millis(100);
    }
    let mut answers = 0;
    while let Some(message) = bench.poll() {
        let RasMessage::UnknownMessageResponse(xrs) = message else { panic!("{message:?}") };
        assert_eq!(xrs.message_not_understood.as_deref(), Some([0xff, 0xff, 0xff].as_slice()));
        answers += 1;
    }
    assert_eq!(answers, 5);
    assert_eq!(bench.ras.counters().wakes, 50);
    assert_eq!(bench.ras.counters().undecodable, 100);
}

#[test]
fn a_call_that_is_asked_about_twice_is_refused_the_second_time_and_goes_on() {
    let refused = |events: Vec<RasEvent>| {
        let [RasEvent::NotAdmitted(key, rejection)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((*key, rejection.reason), (call(1, false), AdmissionReason::AlreadyKnown));
    };
    let mut bench = Bench::registered(|_| {});
    bench.ras.admit(bench.now, outgoing(1, "bob"));
    let RasMessage::AdmissionRequest(arq) = bench.take() else { panic!("ARQ") };
    bench.ras.admit(bench.now, outgoing(1, "carol"));
    refused(bench.events());
    assert!(bench.poll().is_none(), "no second ARQ");
    let acf = AdmissionConfirm::new(arq.request_seq_num, 640, w::CallModel::Direct, wire(signal_at(9)));
    bench.give(RasMessage::AdmissionConfirm(Box::new(acf)));
    assert!(matches!(bench.events().as_slice(), [RasEvent::Admitted(key, _)] if *key == call(1, false)));
    // While DRQ waits for its answer too; then the identifier is free.
    bench.ras.disengage(bench.now, call(1, false), None);
    let RasMessage::DisengageRequest(drq) = bench.take() else { panic!("DRQ") };
    bench.ras.admit(bench.now, outgoing(1, "bob"));
    refused(bench.events());
    let dcf = w::DisengageConfirm::new(drq.request_seq_num);
    bench.give(RasMessage::DisengageConfirm(Box::new(dcf)));
    assert_eq!(bench.events(), [RasEvent::Disengaged(call(1, false))]);
    bench.ras.admit(bench.now, outgoing(1, "bob"));
    assert!(matches!(bench.take(), RasMessage::AdmissionRequest(_)));
}

#[test]
fn a_call_that_waits_for_a_registration_is_told_when_there_will_be_none() {
    let mut bench = Bench::new(config(keeper_at(1), "alice"));
    bench.ras.start(bench.now);
    bench.ras.admit(bench.now, outgoing(1, "bob"));
    assert_eq!(bench.ras.calls(), 1);
    bench.events();
    bench.ras.stop(bench.now);
    let events = bench.events();
    let told = events.iter().position(|event| {
        matches!(event, RasEvent::NotAdmitted(key, rejection)
            if *key == call(1, false) && rejection.reason == AdmissionReason::Unreachable)
    });
    let stopped = events.iter().position(|event| *event == RasEvent::Stopped);
    assert!(told.is_some() && told < stopped, "{events:?}");
    assert_eq!(bench.ras.calls(), 0);
}
