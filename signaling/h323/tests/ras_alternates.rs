//! Gatekeepers that send us elsewhere, and answers that are rare: by hand, message by message.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod ras_common;

use std::net::SocketAddr;

use offhook_h323::{AdmissionReason, RasEvent, RasState};
use offhook_wire::h225::{self as w, RasMessage};
use offhook_wire::per;
use ras_common::bench::{Bench, V7, wire};
use ras_common::*;

fn alternate(host: u8, need_to_register: bool) -> w::AlternateGK {
    w::AlternateGK::new(wire(keeper_at(host)), need_to_register, 0)
}

/// The messages that leave while time passes, and where to.
fn sent(bench: &mut Bench, seconds: u32) -> Vec<(SocketAddr, RasMessage)> {
    let mut found = Vec::new();
    for _ in 0..=seconds {
        while let Some(transmit) = bench.ras.poll_transmit() {
            let message = per::decode::<RasMessage>(&transmit.bytes).unwrap().into_value();
            found.push((transmit.destination, message));
        }
        bench.pass(SECOND);
    }
    found
}

#[test]
fn an_alternate_that_knows_our_registration_takes_it_over() {
    let mut bench = Bench::registered(|rcf| rcf.alternate_gatekeeper = Some(vec![alternate(2, false)]));
    // Two thirds of 600 s, then 9 s without an answer.
    let messages = sent(&mut bench, 411);
    let rrqs: Vec<_> = messages
        .iter()
        .map(|(to, message)| match message {
            RasMessage::RegistrationRequest(rrq) => {
                assert_eq!(rrq.keep_alive, Some(true));
                assert_eq!(
                    rrq.endpoint_identifier.as_ref().map(ToString::to_string).as_deref(),
                    Some("endpoint")
                );
                (*to, rrq.request_seq_num)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let to: Vec<_> = rrqs.iter().map(|(to, _)| *to).collect();
    assert_eq!(to, [keeper_at(1), keeper_at(1), keeper_at(1), keeper_at(2)]);
    assert_eq!(bench.ras.state(), RasState::Registered);
    let mut rcf = w::RegistrationConfirm::new(rrqs[3].1, V7, Vec::new(), "endpoint".into());
    rcf.time_to_live = Some(600);
    bench.give_from(keeper_at(2), RasMessage::RegistrationConfirm(Box::new(rcf)));
    assert!(bench.events().is_empty(), "no call is disturbed by it");
    let registration = bench.ras.registration().unwrap();
    assert!(registration.is_alternate && registration.gatekeeper == keeper_at(2));
    assert_eq!(bench.ras.counters().failovers, 1);
}

#[test]
fn a_rejection_may_name_who_to_ask_instead() {
    let mut bench = Bench::new(config(keeper_at(1), "alice"));
    bench.ras.start(bench.now);
    let RasMessage::GatekeeperRequest(grq) = bench.take() else { panic!("GRQ") };
    let mut grj =
        w::GatekeeperReject::new(grq.request_seq_num, V7, w::GatekeeperRejectReason::ResourceUnavailable);
    grj.alt_gk_info = Some(w::AltGKInfo::new(vec![alternate(3, true)], true));
    bench.give(RasMessage::GatekeeperReject(Box::new(grj)));
    let messages = sent(&mut bench, 0);
    let [(to, RasMessage::GatekeeperRequest(grq))] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!(*to, keeper_at(3));
    let gcf = w::GatekeeperConfirm::new(grq.request_seq_num, V7, wire(keeper_at(3)));
    bench.give_from(keeper_at(3), RasMessage::GatekeeperConfirm(Box::new(gcf)));
    let messages = sent(&mut bench, 0);
    let [(to, RasMessage::RegistrationRequest(rrq))] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!(*to, keeper_at(3));
    let reason = w::RegistrationRejectReason::ResourceUnavailable;
    let mut rrj = w::RegistrationReject::new(rrq.request_seq_num, V7, reason);
    rrj.alt_gk_info = Some(w::AltGKInfo::new(vec![alternate(4, true)], false));
    bench.give_from(keeper_at(3), RasMessage::RegistrationReject(Box::new(rrj)));
    let messages = sent(&mut bench, 0);
    let [(to, RasMessage::RegistrationRequest(_))] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!(*to, keeper_at(4));
}

#[test]
fn the_gatekeeper_that_gcf_assigns_is_registered_with() {
    let mut bench = Bench::new(config(keeper_at(1), "alice"));
    bench.ras.start(bench.now);
    let RasMessage::GatekeeperRequest(grq) = bench.take() else { panic!("GRQ") };
    assert_eq!(grq.supports_assigned_gk, Some(true));
    let mut gcf = w::GatekeeperConfirm::new(grq.request_seq_num, V7, wire(keeper_at(1)));
    gcf.assigned_gatekeeper = Some(alternate(7, true));
    bench.give(RasMessage::GatekeeperConfirm(Box::new(gcf)));
    let transmit = bench.ras.poll_transmit().unwrap();
    assert_eq!(transmit.destination, keeper_at(7));
}

#[test]
fn of_a_sequence_of_confirms_the_first_counts_and_the_others_are_further_ways() {
    let mut bench = Bench::registered(|_| {});
    bench.ras.admit(bench.now, outgoing(1, "bob"));
    let RasMessage::AdmissionRequest(arq) = bench.take() else { panic!("ARQ") };
    let acf = |host| {
        w::AdmissionConfirm::new(arq.request_seq_num, 640, w::CallModel::Direct, wire(signal_at(host)))
    };
    bench.give(RasMessage::AdmissionConfirmSequence(vec![acf(8), acf(9)]));
    let events = bench.events();
    let [RasEvent::Admitted(_, admission)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(admission.address, Some(signal_at(8)));
    assert_eq!(admission.alternates[0].addresses, [signal_at(9)]);
}

#[test]
fn a_gatekeeper_that_does_not_understand_is_not_asked_the_same_again() {
    let mut bench = Bench::registered(|_| {});
    bench.ras.admit(bench.now, outgoing(1, "bob"));
    let RasMessage::AdmissionRequest(arq) = bench.take() else { panic!("ARQ") };
    let xrs = w::UnknownMessageResponse::new(arq.request_seq_num);
    bench.give(RasMessage::UnknownMessageResponse(Box::new(xrs)));
    let events = bench.events();
    let [RasEvent::NotAdmitted(_, rejection)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(rejection.reason, AdmissionReason::Unreachable);
    assert_eq!(bench.ras.counters().not_understood, 1);
    assert!(
        sent(&mut bench, 2).iter().all(|(_, message)| !matches!(message, RasMessage::AdmissionRequest(_)))
    );
}

#[test]
fn a_report_that_is_refused_makes_us_ask_whether_we_are_known() {
    let mut bench = Bench::registered(|rcf| rcf.will_respond_to_irr = Some(true));
    bench.ras.admit(bench.now, outgoing(1, "bob"));
    let RasMessage::AdmissionRequest(arq) = bench.take() else { panic!("ARQ") };
    let mut acf =
        w::AdmissionConfirm::new(arq.request_seq_num, 640, w::CallModel::Direct, wire(signal_at(9)));
    acf.irr_frequency = Some(3);
    bench.give(RasMessage::AdmissionConfirm(Box::new(acf)));
    bench.pass(SECOND * 3);
    let RasMessage::InfoRequestResponse(irr) = bench.take() else { panic!("IRR") };
    let inak = w::InfoRequestNak::new(irr.request_seq_num, w::InfoRequestNakReason::NotRegistered);
    bench.give(RasMessage::InfoRequestNak(Box::new(inak)));
    let RasMessage::RegistrationRequest(rrq) = bench.take() else { panic!("RRQ") };
    assert_eq!(rrq.keep_alive, Some(true));
}

#[test]
fn without_a_lifetime_we_still_look_now_and_then_whether_the_gatekeeper_is_there() {
    let mut bench = Bench::registered(|rcf| rcf.time_to_live = None);
    assert!(sent(&mut bench, 299).is_empty());
    let messages = sent(&mut bench, 2);
    assert!(matches!(messages.as_slice(), [(_, RasMessage::RegistrationRequest(_))]), "{messages:?}");
}

#[test]
fn an_assigned_gatekeeper_that_is_dead_does_not_lock_us_out() {
    // The first gatekeeper assigns it once, or each time that it is asked.
    for insists in [false, true] {
        let mut bench = Bench::new(config(keeper_at(1), "alice"));
        bench.ras.start(bench.now);
        let (mut asked, mut registered_with) = (0, Vec::new());
        for _ in 0..120 {
            while let Some(transmit) = bench.ras.poll_transmit() {
                let to = transmit.destination;
                match per::decode::<RasMessage>(&transmit.bytes).unwrap().into_value() {
                    RasMessage::GatekeeperRequest(grq) if to == keeper_at(1) => {
                        let mut gcf = w::GatekeeperConfirm::new(grq.request_seq_num, V7, wire(to));
                        gcf.assigned_gatekeeper = (insists || asked == 0).then(|| alternate(7, true));
                        asked += 1;
                        bench.give(RasMessage::GatekeeperConfirm(Box::new(gcf)));
                    }
                    RasMessage::RegistrationRequest(rrq) => {
                        registered_with.push(to);
                        if to == keeper_at(1) {
                            bench.confirm(rrq.request_seq_num, |_| {});
                        }
                    }
                    _ => assert_eq!(to, keeper_at(7)),
                }
            }
            if bench.ras.state() == RasState::Registered {
                break;
            }
            bench.pass(SECOND);
        }
        assert_eq!(bench.ras.state(), RasState::Registered, "{insists} {registered_with:?}");
        assert_eq!(registered_with.first(), Some(&keeper_at(7)), "{insists}");
        assert_eq!(registered_with.last(), Some(&keeper_at(1)), "{insists}");
        // Who still assigns the other one serves us meanwhile only.
        assert_eq!(bench.ras.registration().unwrap().is_alternate, insists);
    }
}

#[test]
fn gatekeepers_that_assign_each_other_do_not_send_us_round_and_round() {
    let mut bench = Bench::new(config(keeper_at(1), "alice"));
    bench.ras.start(bench.now);
    let RasMessage::GatekeeperRequest(grq) = bench.take() else { panic!("GRQ") };
    let gcf = w::GatekeeperConfirm::new(grq.request_seq_num, V7, wire(keeper_at(1)));
    bench.give(RasMessage::GatekeeperConfirm(Box::new(gcf)));
    for (here, there) in [(1, 7), (7, 1)] {
        let messages = sent(&mut bench, 0);
        let [(to, RasMessage::RegistrationRequest(rrq))] = messages.as_slice() else {
            panic!("{messages:?}")
        };
        assert_eq!(*to, keeper_at(here));
        let reason = w::RegistrationRejectReason::RegisterWithAssignedGK;
        let mut rrj = w::RegistrationReject::new(rrq.request_seq_num, V7, reason);
        rrj.assigned_gatekeeper = Some(alternate(there, true));
        bench.give_from(keeper_at(here), RasMessage::RegistrationReject(Box::new(rrj)));
    }
    assert!(bench.poll().is_none());
    assert_eq!(bench.ras.state(), RasState::Waiting);
}
