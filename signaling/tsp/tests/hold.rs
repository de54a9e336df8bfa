//! Hold and call hubs between two providers over TCP, each behind a scripted broker and MSP; and on one provider.
//! Not here: the machine's part in holding (`h323`), numbers of hubs (`hub.rs`).
#![allow(clippy::unwrap_used)]

mod desk;

use std::time::Duration;

use desk::{Desk, PATIENCE, Wishes, id, position};
use offhook_spi::{
    CallFeatures, CallParams, ConferenceGoal, DigitMode, DisconnectMode, HdCall, RequestId, Tspi,
};
use offhook_tsp::CallConfig;
use tokio::runtime::Runtime;

const ACTIVE: &str = "Connected(Active)";

const TALKS: &str = "msp start Transmit Pcma 20 ms to 5000";

/// A call between the desks with sound both ways: alice's name of it and bob's.
fn talking(alice: &Desk, bob: &Desk) -> [HdCall; 2] {
    let placed = alice.dial(&bob.listen().to_string()).unwrap();
    bob.until("msp prepare 127.0.0.1 to None");
    bob.provider.line_answer(RequestId(1), bob.incoming()).unwrap();
    for desk in [alice, bob] {
        desk.until_all(&[ACTIVE, TALKS, "msp start Receive"]);
    }
    [placed, bob.incoming()]
}

fn desks(runtime: &Runtime, call: &CallConfig) -> [Desk; 2] {
    [(); 2].map(|()| Desk::new(runtime, Wishes { call: call.clone(), ..Wishes::default() }))
}

fn modes() -> [CallConfig; 4] {
    [(true, true), (true, false), (false, true), (false, false)].map(|(fast_start, tunnelling)| CallConfig {
        fast_start,
        tunnelling,
        // Then H.245 comes with the hold.
        h245_after_fast_start: !fast_start,
        ..CallConfig::default()
    })
}

#[test]
fn a_held_call_is_silent_both_ways_and_comes_back() {
    let runtime = Runtime::new().unwrap();
    for (config, holder) in modes().into_iter().flat_map(|config| [(config.clone(), 0), (config, 1)]) {
        let desks = desks(&runtime, &config);
        let calls = talking(&desks[0], &desks[1]);
        let (ours, theirs) = (&desks[holder], &desks[1 - holder]);
        ours.provider.line_hold(RequestId(7), calls[holder]).unwrap();
        let said = ours.until_all(&["OnHold", "msp stop Transmit", "msp stop Receive"]);
        assert!(position(&said, "request 7 done") < position(&said, "OnHold"), "{said:?}");
        theirs.until_all(&["Connected(ActiveHeld)", "msp stop Transmit", "msp stop Receive"]);

        ours.provider.line_unhold(RequestId(8), calls[holder]).unwrap();
        let said = ours.until_all(&[ACTIVE, TALKS, "msp start Receive"]);
        assert!(position(&said, "request 8 done") < position(&said, ACTIVE), "{said:?}");
        let said = theirs.until_all(&[ACTIVE, TALKS, "msp start Receive"]);
        assert!(
            !said.iter().chain(&said).any(|said| said.contains("prepare")),
            "the ports have stayed: {said:?}"
        );

        theirs.provider.line_drop(RequestId(9), calls[1 - holder], DisconnectMode::Normal).unwrap();
        ours.until("Disconnected(Normal)");
    }
}

#[test]
fn both_may_hold_and_a_held_call_that_is_retrieved_is_held_by_the_other_still() {
    let runtime = Runtime::new().unwrap();
    let desks = desks(&runtime, &CallConfig::default());
    let calls = talking(&desks[0], &desks[1]);
    desks[0].provider.line_hold(RequestId(2), calls[0]).unwrap();
    desks[0].until("OnHold");
    desks[1].until("Connected(ActiveHeld)");
    desks[1].provider.line_hold(RequestId(3), calls[1]).unwrap();
    desks[1].until("OnHold");
    desks[0].provider.line_unhold(RequestId(4), calls[0]).unwrap();
    let said = desks[0].until("Connected(ActiveHeld)");
    assert!(!said.iter().any(|said| said.starts_with("msp start")), "{said:?}");
    desks[1].provider.line_unhold(RequestId(5), calls[1]).unwrap();
    for desk in &desks {
        desk.until_all(&[ACTIVE, TALKS, "msp start Receive"]);
    }
}

#[test]
fn holding_out_of_place_is_refused_and_completes_once() {
    let runtime = Runtime::new().unwrap();
    let [alice, bob] = desks(&runtime, &CallConfig::default());
    let refused = "failed: the call's state does not allow this";
    let placed = alice.dial(&bob.listen().to_string()).unwrap();
    alice.until("Dialing");
    alice.provider.line_hold(RequestId(2), placed).unwrap();
    alice.until(&format!("request 2 {refused}"));
    bob.until("Offering");
    bob.provider.line_hold(RequestId(3), bob.incoming()).unwrap();
    bob.until(&format!("request 3 {refused}"));
    bob.provider.line_answer(RequestId(4), bob.incoming()).unwrap();
    alice.until_all(&[ACTIVE, TALKS]);
    alice.provider.line_unhold(RequestId(5), placed).unwrap();
    alice.until(&format!("request 5 {refused}"));
    alice.provider.line_hold(RequestId(6), placed).unwrap();
    alice.provider.line_hold(RequestId(7), placed).unwrap();
    alice.until_all(&["request 6 done", &format!("request 7 {refused}"), "OnHold"]);
    alice.provider.line_hold(RequestId(8), placed).unwrap();
    alice.until(&format!("request 8 {refused}"));
    alice.provider.line_generate_digits(RequestId(9), placed, DigitMode::Dtmf, "1").unwrap();
    alice.until(&format!("request 9 {refused}"));
    alice.provider.line_drop(RequestId(10), placed, DisconnectMode::Normal).unwrap();
    alice.until("Idle");
    bob.until("Disconnected(Normal)");
}

#[test]
fn keys_of_a_held_end_reach_the_holder() {
    let runtime = Runtime::new().unwrap();
    let [alice, bob] = desks(&runtime, &CallConfig::default());
    let [placed, came] = talking(&alice, &bob);
    alice.provider.line_hold(RequestId(2), placed).unwrap();
    bob.until("Connected(ActiveHeld)");
    bob.provider.line_generate_digits(RequestId(3), came, DigitMode::Dtmf, "5").unwrap();
    bob.until("request 3 done");
    alice.until("digit 5 Keypad");
}

#[test]
fn a_hold_under_way_when_the_call_ends_completes_once() {
    let runtime = Runtime::new().unwrap();
    // H.245 of a connection of its own, which nobody makes in time, for the far end's line is closed at once.
    let config = CallConfig { tunnelling: false, h245_after_fast_start: false, ..CallConfig::default() };
    let [alice, bob] = desks(&runtime, &config);
    let [placed, _] = talking(&alice, &bob);
    alice.provider.line_hold(RequestId(2), placed).unwrap();
    bob.provider.line_close(bob.line).unwrap();
    let said = alice.until("Disconnected(Normal)");
    let completed: Vec<_> = said.iter().filter(|said| said.starts_with("request 2 ")).collect();
    assert_eq!(completed.len(), 1, "{said:?}");
}

#[test]
fn the_verbs_of_h450_are_not_claimed_and_not_there() {
    let runtime = Runtime::new().unwrap();
    let alice = Desk::new(&runtime, Wishes::default());
    let caps = alice.provider.line_dev_caps(0).unwrap();
    let (has, call) = (|feature| caps.features.contains(feature), HdCall(1));
    let unavailable = Err(offhook_spi::LineError::OperationUnavail);
    assert!(has(CallFeatures::HOLD) && has(CallFeatures::UNHOLD) && has(CallFeatures::REDIRECT));
    for (feature, answer) in [
        (CallFeatures::SWAP_HOLD, alice.provider.line_swap_hold(RequestId(1), call, call)),
        (CallFeatures::BLIND_TRANSFER, alice.provider.line_blind_transfer(RequestId(1), call, "x")),
        (
            CallFeatures::REMOVE_FROM_CONFERENCE,
            alice.provider.line_remove_from_conference(RequestId(1), call),
        ),
        (
            CallFeatures::PARK_NONDIRECTED,
            alice.provider.line_park(RequestId(1), call, &offhook_spi::ParkMode::NonDirected),
        ),
    ] {
        assert!(!has(feature), "{feature:?}");
        assert_eq!(answer, unavailable, "{feature:?}");
    }
    let unclaimed = [
        CallFeatures::SETUP_TRANSFER,
        CallFeatures::COMPLETE_TRANSFER,
        CallFeatures::TRANSFER_TO_CONFERENCE,
        CallFeatures::SETUP_CONFERENCE,
        CallFeatures::PREPARE_ADD_TO_CONFERENCE,
        CallFeatures::ADD_TO_CONFERENCE,
        CallFeatures::PARK_DIRECTED,
        CallFeatures::UNPARK,
        CallFeatures::PICKUP,
        CallFeatures::FORWARD,
        CallFeatures::COMPLETE_CALL,
    ];
    assert!(!unclaimed.into_iter().any(has), "{:?}", caps.features);
}

// --- call hubs -----------------------------------------------------------------------------------------------------

#[test]
fn both_ends_of_a_call_on_one_provider_are_one_call() {
    let runtime = Runtime::new().unwrap();
    let desk = Desk::new(&runtime, Wishes::default());
    let placed = desk.dial(&desk.listen().to_string()).unwrap();
    let number = desk.provider.line_call_info(placed).unwrap().call_id;
    assert_ne!(number, 0, "known from the beginning");
    desk.until("Offering");
    let came = desk.provider.line_call_info(desk.incoming()).unwrap();
    assert_eq!((came.call_id, came.related_call_id), (number, 0));
    assert_eq!(desk.provider.line_dev_caps(0).unwrap().hub_tracking, offhook_spi::HubTracking::AllCalls);
}

#[test]
fn calls_of_one_conference_are_one_hub_and_others_are_not() {
    let runtime = Runtime::new().unwrap();
    let bob = Desk::new(&runtime, Wishes::default());
    let at = bob.listen().to_string();
    let conference = Some([0x55; 16]);
    let call = |goal| {
        let alice = Desk::new(&runtime, Wishes::default());
        let params = CallParams { conference, conference_goal: Some(goal), ..CallParams::default() };
        alice.dial_with(&at, params).unwrap();
        bob.until("Offering");
        let number = bob.provider.line_call_info(bob.incoming()).unwrap().call_id;
        assert_ne!(number, 0);
        (alice, number)
    };
    let (_first, number) = call(ConferenceGoal::Create);
    let (_second, invited) = call(ConferenceGoal::Invite);
    let (_third, joined) = call(ConferenceGoal::Join);
    assert_eq!([invited, joined], [number; 2]);
    // Whoever makes a conference of the same name is a stranger.
    let (_fourth, stranger) = call(ConferenceGoal::Create);
    let (_fifth, other) = call(ConferenceGoal::Create);
    assert!(stranger != number && other != number && other != stranger, "{number} {stranger} {other}");
}

#[test]
fn a_forwarded_call_stays_what_it_is() {
    let runtime = Runtime::new().unwrap();
    let [alice, bob] = desks(&runtime, &CallConfig::default());
    let carol = Desk::new(&runtime, Wishes::default());
    let placed = alice.dial(&bob.listen().to_string()).unwrap();
    bob.until("Offering");
    let info = alice.provider.line_call_info(placed).unwrap();
    bob.provider.line_redirect(RequestId(5), bob.incoming(), &carol.listen().to_string()).unwrap();
    carol.until("Offering");
    let forwarded = alice.info(placed, |now| id(now, "callIdentifier") != id(&info, "callIdentifier"));
    assert_eq!(forwarded.call_id, info.call_id);
    assert_eq!(id(&forwarded, "conferenceID"), id(&info, "conferenceID"));
}

#[test]
fn a_number_is_free_again_only_after_its_call() {
    let runtime = Runtime::new().unwrap();
    let bob = Desk::new(&runtime, Wishes::default());
    let at = bob.listen().to_string();
    let mut numbers = Vec::new();
    for _ in 0..5 {
        let alice = Desk::new(&runtime, Wishes::default());
        let placed = alice.dial(&at).unwrap();
        bob.until("Offering");
        let call = bob.incoming();
        numbers.push(bob.provider.line_call_info(call).unwrap().call_id);
        alice.provider.line_drop(RequestId(2), placed, DisconnectMode::Normal).unwrap();
        bob.until("Disconnected(Cancelled)");
        bob.provider.line_close_call(call).unwrap();
        let began = std::time::Instant::now();
        while bob.provider.line_call_info(call).is_ok() {
            assert!(began.elapsed() < PATIENCE);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    let mut distinct = numbers.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 5, "{numbers:?}");
}
