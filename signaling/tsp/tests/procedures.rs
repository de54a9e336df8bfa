//! Providers over loopback sockets: forwarding, overlap dialling, user-user information, conferences, limits.

mod desk;

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use desk::{Desk, PATIENCE, Wishes, id};
use offhook_spi::{CallParams, ConferenceGoal, DisconnectMode, HdCall, LineError, Q931Verb, RequestId, Tspi};
use offhook_tsp::{CallConfig, Forwarding, Number, Presentation};
use tokio::runtime::Runtime;

const CONNECTED: &str = "Connected(Active)";

fn desk(runtime: &Runtime, port: u16) -> Desk {
    Desk::new(runtime, Wishes { msp_port: port, ..Wishes::default() })
}

fn offered(desk: &Desk) -> HdCall {
    desk.until("msp prepare 127.0.0.1 to None");
    desk.incoming()
}

fn answer(desk: &Desk) -> HdCall {
    let call = offered(desk);
    desk.provider.line_answer(RequestId(7), call).unwrap();
    desk.until(CONNECTED);
    call
}

#[test]
fn a_call_that_is_redirected_is_one_call_from_beginning_to_end() {
    let runtime = Runtime::new().unwrap();
    let (alice, bob, carol) = (desk(&runtime, 5_000), desk(&runtime, 6_000), desk(&runtime, 7_000));
    let (at, there) = (bob.listen(), carol.listen());
    let placed = alice.dial(&format!("100@{at}")).unwrap();
    let call = offered(&bob);
    let before = alice.info(placed, |info| id(info, "callIdentifier").is_some());
    bob.provider.line_redirect(RequestId(5), call, &format!("carol@{there}")).unwrap();
    let said = bob.until("Disconnected(Forwarded)");
    assert!(said.contains(&"request 5 done".to_owned()), "{said:#?}");

    let second = answer(&carol);
    let said = alice.until(CONNECTED);
    assert!(!said.iter().any(|s| s.starts_with("Disconnected") || s == "Idle"), "{said:#?}");
    assert_eq!(said.iter().filter(|s| s.starts_with("msp prepare")).count(), 2, "{said:#?}");
    assert!(said.contains(&"msp stop all".to_owned()), "the first leg's media is gone: {said:#?}");
    let info = alice.info(placed, |info| info.connected.is_some() || id(info, "fastStart").is_some());
    assert_eq!(info.redirection.as_ref().map(|p| p.address.clone()), Some(format!("carol@{there}")));
    assert_eq!(info.redirecting.as_ref().map(|p| p.address.clone()), Some(format!("100@{at}")));
    assert_eq!(id(&info, "forwarded"), Some(format!("100@{at} > carol@{there}").as_str()));
    assert_eq!(id(&info, "conferenceID"), id(&before, "conferenceID"));
    assert_ne!(id(&info, "callIdentifier"), id(&before, "callIdentifier"));
    let info = carol.info(second, |_| true);
    assert_eq!(info.redirecting.as_ref().map(|party| party.address.as_str()), Some("100"));
    assert_eq!(info.reason, offhook_spi::CallReason::Forwarded);
    assert_eq!(id(&info, "conferenceID"), id(&before, "conferenceID"));

    alice.provider.line_drop(RequestId(2), placed, DisconnectMode::Normal).unwrap();
    alice.until("Idle");
    carol.until("Disconnected(Normal)");
}

#[test]
fn a_forward_that_is_not_wanted_is_told_and_ends_with_the_call() {
    let runtime = Runtime::new().unwrap();
    let call = CallConfig { forwarding: Forwarding::REFUSE, ..CallConfig::default() };
    let alice = Desk::new(&runtime, Wishes { call, ..Wishes::default() });
    let mut short = CallConfig::default();
    short.timers.deflection = Duration::from_millis(200);
    let bob = Desk::new(&runtime, Wishes { call: short, msp_port: 6_000, ..Wishes::default() });
    let carol = desk(&runtime, 7_000);
    let there = carol.listen();
    let placed = alice.dial(&bob.listen().to_string()).unwrap();
    bob.provider.line_redirect(RequestId(5), offered(&bob), &there.to_string()).unwrap();
    alice.until("Disconnected(Forwarded)");
    bob.until("Disconnected(Forwarded)");
    let info = alice.info(placed, |_| true);
    assert_eq!(id(&info, "forwardRefused"), Some(there.to_string().as_str()));
    assert!(carol.heard.try_recv().is_err(), "nobody was called");
}

#[test]
fn a_circle_of_forwards_ends() {
    let runtime = Runtime::new().unwrap();
    let (alice, bob) = (desk(&runtime, 5_000), desk(&runtime, 6_000));
    let at = bob.listen();
    alice.dial(&at.to_string()).unwrap();
    bob.provider.line_redirect(RequestId(5), offered(&bob), &at.to_string()).unwrap();
    alice.until("Disconnected(Unreachable)");
}

#[test]
fn a_redirect_to_nowhere_is_refused_and_the_call_goes_on() {
    let runtime = Runtime::new().unwrap();
    let (alice, bob) = (desk(&runtime, 5_000), desk(&runtime, 6_000));
    alice.dial(&bob.listen().to_string()).unwrap();
    let call = offered(&bob);
    assert!(matches!(bob.provider.line_redirect(RequestId(5), call, "a b"), Err(LineError::InvalAddress(_))));
    bob.provider.line_answer(RequestId(6), call).unwrap();
    bob.until(CONNECTED);
    bob.provider.line_redirect(RequestId(8), call, "127.0.0.1").unwrap();
    let said = bob.heard.recv_timeout(PATIENCE).unwrap();
    let mut said = vec![said];
    while !said.last().unwrap().starts_with("request 8") {
        said.push(bob.heard.recv_timeout(PATIENCE).unwrap());
    }
    assert!(said.last().unwrap().contains("failed"), "a call that stands is not redirected: {said:#?}");
    alice.until(CONNECTED);
}

#[test]
fn a_number_may_be_dialled_digit_by_digit() {
    let runtime = Runtime::new().unwrap();
    let alice = desk(&runtime, 5_000);
    let call = CallConfig { overlap_receiving: true, ..CallConfig::default() };
    let bob = Desk::new(&runtime, Wishes { call, msp_port: 6_000, ..Wishes::default() });
    let at = bob.listen();
    let params = CallParams { partial: true, ..CallParams::default() };
    let placed = alice.dial_with(&format!("12@{at}"), params).unwrap();
    let call = offered(&bob);
    assert_eq!(bob.info(call, |_| true).called.address, "12");
    alice.info(placed, |info| id(info, "overlap").is_some());
    alice.provider.line_dial(RequestId(3), placed, "34", false).unwrap();
    bob.info(call, |info| info.called.address == "1234");
    bob.provider.line_q931(RequestId(8), call, Q931Verb::RequestDigits).unwrap();
    alice.provider.line_dial(RequestId(4), placed, "5", true).unwrap();
    bob.info(call, |info| info.called.address == "12345" && id(info, "calledNumber") == Some("complete"));
    bob.provider.line_answer(RequestId(9), call).unwrap();
    alice.until(CONNECTED);
    for bad in ["", "x", "1,2"] {
        let refused = alice.provider.line_dial(RequestId(5), placed, bad, false);
        assert!(matches!(refused, Err(LineError::InvalParam(_))), "{bad:?}");
    }
}

#[test]
fn user_user_information_goes_both_ways() {
    let runtime = Runtime::new().unwrap();
    let (alice, bob) = (desk(&runtime, 5_000), desk(&runtime, 6_000));
    let params = CallParams { user_user: Some(b"\x04hello".to_vec()), ..CallParams::default() };
    let placed = alice.dial_with(&bob.listen().to_string(), params).unwrap();
    let call = offered(&bob);
    assert_eq!(bob.info(call, |_| true).user_user.as_deref(), Some(&b"\x04hello"[..]));
    bob.provider.line_send_user_user_info(RequestId(5), call, b"\x04answer").unwrap();
    bob.provider.line_answer(RequestId(6), call).unwrap();
    alice.info(placed, |info| info.user_user.as_deref() == Some(&b"\x04answer"[..]));
    alice.until(CONNECTED);
    alice.provider.line_send_user_user_info(RequestId(3), placed, b"\x00\x01").unwrap();
    bob.info(call, |info| info.user_user.as_deref() == Some(&b"\x00\x01"[..]));
    let long = vec![0; 133];
    for bad in [&b""[..], b"\x04", &long] {
        let refused = alice.provider.line_send_user_user_info(RequestId(4), placed, bad);
        assert!(matches!(refused, Err(LineError::InvalParam(_))), "{}", bad.len());
    }
}

#[test]
fn progress_notify_and_inquiry_are_asked_for_and_told() {
    let runtime = Runtime::new().unwrap();
    let (alice, bob) = (desk(&runtime, 5_000), desk(&runtime, 6_000));
    let placed = alice.dial(&bob.listen().to_string()).unwrap();
    let call = offered(&bob);
    for (request, what) in
        [(5, Q931Verb::Progress(8)), (6, Q931Verb::Notify(0x7b)), (7, Q931Verb::InquireStatus)]
    {
        bob.provider.line_q931(RequestId(request), call, what).unwrap();
    }
    alice.info(placed, |info| id(info, "progress") == Some("8") && id(info, "notification") == Some("123"));
    bob.info(call, |info| id(info, "peerCallState") == Some("3"));
    let refused = bob.provider.line_q931(RequestId(8), call, Q931Verb::Notify(200));
    assert!(matches!(refused, Err(LineError::InvalParam(_))));
}

#[test]
fn who_withholds_his_identity_is_not_shown() {
    let runtime = Runtime::new().unwrap();
    let number = Number::new("100");
    let call = CallConfig { number: Some(number.clone()), ..CallConfig::default() };
    let alice = Desk::new(&runtime, Wishes { call, ..Wishes::default() });
    let hidden = Number { presentation: Presentation::Restricted, ..Number::new("200") };
    let call = CallConfig { number: Some(hidden), ..CallConfig::default() };
    let bob = Desk::new(&runtime, Wishes { call, msp_port: 6_000, ..Wishes::default() });
    let params = CallParams { block_id: true, display: Some("Alice".to_owned()), ..CallParams::default() };
    let placed = alice.dial_with(&bob.listen().to_string(), params).unwrap();
    let call = answer(&bob);
    let info = bob.info(call, |_| true);
    assert_eq!((info.caller.address.as_str(), info.caller.name.as_deref()), ("", None));
    assert_eq!(id(&info, "callerId"), Some("withheld"));
    alice.until(CONNECTED);
    let connected = alice.info(placed, |info| id(info, "fastStart").is_some()).connected;
    assert!(connected.is_none_or(|party| party.address != "200"));
}

#[test]
fn a_conference_is_joined_where_it_is_and_nowhere_else() {
    let runtime = Runtime::new().unwrap();
    let (alice, bob) = (desk(&runtime, 5_000), desk(&runtime, 6_000));
    let at = bob.listen().to_string();
    let join = |conference| CallParams { conference: Some(conference), ..CallParams::default() };

    let stranger = desk(&runtime, 8_000);
    stranger.dial_with(&at, join([1; 16])).unwrap();
    stranger.until("Disconnected(Unreachable)");
    assert_eq!(bob.provider.counters().conferences, 1);
    assert!(bob.heard.try_recv().is_err(), "nobody was told");

    let placed = alice.dial(&at).unwrap();
    let first = answer(&bob);
    let name = id(&alice.info(placed, |_| true), "conferenceID").unwrap().to_owned();
    let mut conference = [0; 16];
    for (octet, pair) in conference.iter_mut().zip(name.as_bytes().chunks(2)) {
        *octet = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    }
    let carol = desk(&runtime, 7_000);
    carol.dial_with(&at, join(conference)).unwrap();
    let second = answer(&bob);
    let [one, two] = [first, second].map(|call| bob.info(call, |_| true));
    assert_eq!(id(&one, "conferenceID"), id(&two, "conferenceID"));
    assert_ne!(id(&one, "callIdentifier"), id(&two, "callIdentifier"));
    assert_eq!((id(&one, "conferenceGoal"), id(&two, "conferenceGoal")), (Some("create"), Some("join")));
    carol.until(CONNECTED);
}

#[test]
fn a_conference_is_made_and_invited_to_under_the_name_that_the_application_gives() {
    let runtime = Runtime::new().unwrap();
    let (alice, bob, carol) = (desk(&runtime, 5_000), desk(&runtime, 6_000), desk(&runtime, 7_000));
    let wish = |conference: Option<[u8; 16]>, goal| CallParams {
        conference,
        conference_goal: Some(goal),
        ..CallParams::default()
    };
    for goal in [ConferenceGoal::Join, ConferenceGoal::Invite] {
        let refused = alice.dial_with("127.0.0.1:1", wish(None, goal));
        assert!(matches!(refused, Err(LineError::InvalParam(_))), "{goal:?}: {refused:?}");
    }
    let at = bob.listen().to_string();
    let mut at_bob = Vec::new();
    for (caller, goal, said) in
        [(&alice, ConferenceGoal::Create, "create"), (&carol, ConferenceGoal::Invite, "invite")]
    {
        let placed = caller.dial_with(&at, wish(Some([0x5a; 16]), goal)).unwrap();
        let answered = answer(&bob);
        caller.until(CONNECTED);
        for info in [caller.info(placed, |_| true), bob.info(answered, |_| true)] {
            assert_eq!(id(&info, "conferenceID"), Some("5a".repeat(16).as_str()));
            assert_eq!(id(&info, "conferenceGoal"), Some(said));
        }
        at_bob.push(answered);
    }
    // Bob's calls are seen to be of the one conference, and are two calls.
    let [one, two] = [at_bob[0], at_bob[1]].map(|call| bob.info(call, |_| true));
    assert_ne!(id(&one, "callIdentifier"), id(&two, "callIdentifier"));
}

#[test]
fn a_caller_too_many_is_told_so() {
    let runtime = Runtime::new().unwrap();
    let adjust = |config: &mut offhook_tsp::H323Config| config.max_calls = 1;
    let bob = Desk::new(&runtime, Wishes { adjust, msp_port: 6_000, ..Wishes::default() });
    let at = bob.listen().to_string();
    let (alice, carol) = (desk(&runtime, 5_000), desk(&runtime, 7_000));
    alice.dial(&at).unwrap();
    answer(&bob);
    let placed = carol.dial(&at).unwrap();
    carol.until("Disconnected(Congestion)");
    let info = carol.info(placed, |_| true);
    assert_eq!((id(&info, "cause"), id(&info, "reason")), (Some("42"), Some("GatewayResources")));
    assert_eq!(bob.provider.counters().calls, 1);
}

#[test]
fn a_host_that_calls_too_often_is_told_so() {
    let runtime = Runtime::new().unwrap();
    let adjust = |config: &mut offhook_tsp::H323Config| config.connections_per_second = 1;
    let bob = Desk::new(&runtime, Wishes { adjust, msp_port: 6_000, ..Wishes::default() });
    let at = bob.listen();
    let _two: [TcpStream; 2] = [(); 2].map(|()| TcpStream::connect(at).unwrap());
    // The third within a second; a machine that is slower than that tries again.
    let began = Instant::now();
    loop {
        let alice = desk(&runtime, 5_000);
        let placed = alice.dial(&at.to_string()).unwrap();
        let said = loop {
            let said = alice.heard.recv_timeout(PATIENCE).unwrap();
            if said.starts_with("Disconnected") || said == "Proceeding" {
                break said;
            }
        };
        if said == "Disconnected(TempFailure)" || said == "Disconnected(Congestion)" {
            let info = alice.info(placed, |_| true);
            assert_eq!((id(&info, "cause"), id(&info, "reason")), (Some("41"), Some("AdaptiveBusy")));
            break;
        }
        assert!(began.elapsed() < PATIENCE);
    }
    assert!(bob.provider.counters().rate >= 1);
}

#[test]
fn connections_that_say_nothing_are_bounded() {
    let runtime = Runtime::new().unwrap();
    let adjust = |config: &mut offhook_tsp::H323Config| config.max_silent = 2;
    let bob = Desk::new(&runtime, Wishes { adjust, ..Wishes::default() });
    let at: SocketAddr = bob.listen();
    let held: Vec<TcpStream> = (0..5).map(|_| TcpStream::connect(at).unwrap()).collect();
    let began = Instant::now();
    while bob.provider.counters().silent < 3 {
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(held);
    assert_eq!(bob.provider.counters().silent, 3);
}
