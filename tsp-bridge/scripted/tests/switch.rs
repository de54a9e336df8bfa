//! The exchange beyond its traces: the phone, the extension, capability bits, digits, limits and wrong requests.

mod board;

use board::{Board, busy_at, opaque, to};
use offhook_scripted::{Drive, Outside, Scripted, ScriptedConfig, SwitchConfig};
use offhook_spi::{
    CallFeatures, CallReason, Completion, CompletionMode, DigitMode, DisconnectMode, ExtensionVersion,
    Forward, ForwardMode, HdCall, HdLine, HdPhone, HookSwitchDevice, HookSwitchMode, HtCall, HtPhone,
    HubTracking, LampMode, LineCallState as S, LineError, MediaTypes, ParkMode, PhoneSetting, RequestId,
    TransferMode, Tspi,
};

#[test]
fn a_phone_is_set_by_applications_and_by_its_user() {
    let board = Board::new();
    let caps = board.switch.phone_dev_caps(0).unwrap();
    assert_eq!((board.switch.phone_devices(), caps.buttons, caps.lamps), (1, 16, 4));
    let phone = board.switch.phone_open(0, HtPhone(1)).unwrap();
    assert!(board.switch.phone_open(0, HtPhone(2)).is_err(), "open once");
    board.clear();
    for setting in [
        PhoneSetting::HookSwitch(HookSwitchDevice::Speaker, HookSwitchMode::MicrophoneSpeaker),
        PhoneSetting::Lamp(3, LampMode::Flash),
        PhoneSetting::Ring(2, 40_000),
        PhoneSetting::Display(1, 15, "hello".to_owned()),
        PhoneSetting::Volume(HookSwitchDevice::Handset, 7),
        PhoneSetting::Gain(HookSwitchDevice::Handset, 8),
    ] {
        board.ask("set", |switch, id| switch.phone_set(id, phone, &setting)).unwrap();
    }
    for wrong in [
        PhoneSetting::HookSwitch(HookSwitchDevice::Headset, HookSwitchMode::OnHook),
        PhoneSetting::Lamp(4, LampMode::Off),
        PhoneSetting::Ring(4, 0),
        PhoneSetting::Display(2, 0, "x".to_owned()),
        PhoneSetting::Display(0, 16, "hello".to_owned()),
        PhoneSetting::Display(0, u32::MAX, String::new()),
    ] {
        let set = board.ask("set", |switch, id| switch.phone_set(id, phone, &wrong));
        assert!(matches!(set, Err(LineError::InvalParam(_))), "{wrong:?}");
    }
    board
        .switch
        .user_sets(PhoneSetting::HookSwitch(HookSwitchDevice::Handset, HookSwitchMode::Microphone))
        .unwrap();
    board.switch.press(15, true).unwrap();
    assert!(board.switch.press(16, true).is_err());
    let told = board.trace().into_iter().filter(|line| line.starts_with("tell phone")).count();
    assert_eq!(told, 8, "{:#?}", board.trace());
    let status = board.switch.phone_status(phone).unwrap();
    assert_eq!(status.hook_switches[0], (HookSwitchDevice::Handset, HookSwitchMode::Microphone, 7, 8));
    assert_eq!(status.hook_switches[1].1, HookSwitchMode::MicrophoneSpeaker);
    assert_eq!((status.lamps[3], status.ring_mode, status.ring_volume), (LampMode::Flash, 2, 40_000));
    assert_eq!(status.display[1], format!("{:15}hello", ""));
    board.switch.unplug_phone(LineError::failed("pulled"));
    assert_eq!(board.trace().last().unwrap(), "tell phone closed: operation failed: pulled");
    assert_eq!(board.switch.phone_status(phone), Err(LineError::InvalPhoneHandle));
}

#[test]
fn device_specific_words_pass_in_a_selected_version_only() {
    let board = Board::new();
    let (placed, _) = board.talk(0, 1);
    let (v1_0, v1_1, v2_0) =
        (ExtensionVersion(0x1_0000), ExtensionVersion(0x1_0001), ExtensionVersion(0x2_0000));
    assert_eq!(board.switch.line_negotiate_ext_version(0, v1_0, v2_0), Ok(v1_1));
    let too_new = board.switch.line_negotiate_ext_version(0, v2_0, v2_0);
    assert_eq!(too_new, Err(LineError::IncompatibleExtVersion));
    let word =
        |switch: &Scripted, id, call| switch.line_dev_specific(id, board.lines[0], call, &opaque("word"));
    let early = board.ask("dev specific", |switch, id| word(switch, id, None));
    assert_eq!(early, Err(LineError::IncompatibleExtVersion));
    assert_eq!(
        board.switch.line_select_ext_version(board.lines[0], v2_0),
        Err(LineError::IncompatibleExtVersion)
    );
    board.switch.line_select_ext_version(board.lines[0], v1_1).unwrap();
    board.clear();
    board.ask("dev specific", |switch, id| word(switch, id, Some(placed))).unwrap();
    let expected = ["ask  dev specific", "done dev specific: word", "ext  100.1 word"];
    assert_eq!(board.trace(), expected);
    assert!(board.ask("dev specific", |switch, id| word(switch, id, Some(HdCall(4711)))).is_err());
    // The phone has the same.
    let phone = board.switch.phone_open(0, HtPhone(1)).unwrap();
    let word = |switch: &Scripted, id| switch.phone_dev_specific(id, phone, &opaque("word"));
    assert_eq!(board.ask("phone word", word), Err(LineError::IncompatibleExtVersion));
    assert_eq!(board.switch.phone_negotiate_ext_version(0, v1_0, v1_0).map(|(_, v)| v), Ok(v1_0));
    board.switch.phone_select_ext_version(phone, v1_0).unwrap();
    board.ask("phone word", word).unwrap();
    assert_eq!(board.answer(), Ok(Completion::DevSpecific(opaque("word"))));
    assert_eq!(board.trace().last().unwrap(), "ext  phone word");
}

/// Asks for every optional verb, of nothing that exists.
fn every_verb(switch: &Scripted) -> Vec<(CallFeatures, Result<(), LineError>)> {
    use CallFeatures as F;
    let (id, line, call, ht) = (RequestId(9_999), HdLine(4_711), HdCall(4_711), HtCall(4_711));
    let forward = Forward { mode: ForwardMode::Busy, caller: None, destination: "101".to_owned() };
    let (complete, park) = (CompletionMode::CampOn, ParkMode::Directed("700".to_owned()));
    let (transfer, conference) = (TransferMode::Transfer, TransferMode::Conference);
    vec![
        (F::HOLD, switch.line_hold(id, call)),
        (F::UNHOLD, switch.line_unhold(id, call)),
        (F::SWAP_HOLD, switch.line_swap_hold(id, call, call)),
        (F::SETUP_TRANSFER, switch.line_setup_transfer(id, call, ht, None).map(drop)),
        (F::COMPLETE_TRANSFER, switch.line_complete_transfer(id, call, call, transfer, ht).map(drop)),
        (F::TRANSFER_TO_CONFERENCE, switch.line_complete_transfer(id, call, call, conference, ht).map(drop)),
        (F::BLIND_TRANSFER, switch.line_blind_transfer(id, call, "101")),
        (F::SETUP_CONFERENCE, switch.line_setup_conference(id, line, Some(call), ht, ht, None).map(drop)),
        (F::PREPARE_ADD_TO_CONFERENCE, switch.line_prepare_add_to_conference(id, call, ht, None).map(drop)),
        (F::ADD_TO_CONFERENCE, switch.line_add_to_conference(id, call, call)),
        (F::REMOVE_FROM_CONFERENCE, switch.line_remove_from_conference(id, call)),
        (F::PARK_DIRECTED, switch.line_park(id, call, &park)),
        (F::PARK_NONDIRECTED, switch.line_park(id, call, &ParkMode::NonDirected)),
        (F::UNPARK, switch.line_unpark(id, line, ht, "700").map(drop)),
        (F::PICKUP, switch.line_pickup(id, line, ht, Some("101"), None).map(drop)),
        (F::FORWARD, switch.line_forward(id, line, &[forward], None)),
        (F::COMPLETE_CALL, switch.line_complete_call(id, call, complete)),
        (F::COMPLETE_CALL, switch.line_uncomplete_call(id, line, 1)),
        (F::DIAL, switch.line_dial(id, call, "1", true)),
        (F::REDIRECT, switch.line_redirect(id, call, "101")),
        (F::SEND_USER_USER, switch.line_send_user_user_info(id, call, &[4, 1])),
        (F::GENERATE_DIGITS, switch.line_generate_digits(id, call, DigitMode::Dtmf, "1")),
        (F::ACCEPT, switch.line_accept(id, call)),
        (F::Q931, switch.line_q931(id, call, offhook_spi::Q931Verb::Proceed)),
    ]
}

#[test]
fn a_verb_is_unavailable_exactly_if_its_bit_is_clear() {
    for (bit, name) in CallFeatures::NAMES {
        let features = CallFeatures::from_bits(u32::MAX).without(*bit);
        let config = ScriptedConfig { features, ..ScriptedConfig::switch(2) };
        for config in [config, ScriptedConfig { features, ..ScriptedConfig::default() }] {
            let switch = Scripted::new(config);
            let offered = switch.line_dev_caps(0).unwrap().features;
            assert!(!offered.contains(*bit), "{name}");
            for (verb, answer) in every_verb(&switch) {
                let unavailable = answer == Err(LineError::OperationUnavail);
                assert_eq!(
                    unavailable,
                    !offered.contains(verb),
                    "{name} cleared: {verb:?} answers {answer:?}"
                );
                assert!(answer.is_err(), "{verb:?} of nothing that exists");
            }
        }
    }
}

#[test]
fn digits_and_user_user_information_reach_the_other_extension() {
    let board = Board::new();
    let (placed, offered) = board.talk(0, 1);
    board.clear();
    board
        .on("digits", placed, |s, id, call| s.line_generate_digits(id, call, DigitMode::Dtmf, "1#"))
        .unwrap();
    board.on("uui", offered, |s, id, call| s.line_send_user_user_info(id, call, &[4, 65])).unwrap();
    let wrong = board.on("uui", offered, |s, id, call| s.line_send_user_user_info(id, call, &[4]));
    assert!(matches!(wrong, Err(LineError::InvalParam(_))));
    let told: Vec<_> =
        board.trace().into_iter().filter(|t| t.starts_with("tell") || t.starts_with("info")).collect();
    assert_eq!(told, ["tell 101.1 digit 1", "tell 101.1 digit #", "info 100.1 user-user Some([4, 65])"]);
}

#[test]
fn numbers_that_are_not_there_and_parties_outside() {
    let board = Board::new();
    let state = |number: &str| board.state(board.dial(0, number)).unwrap();
    assert_eq!(state("999"), S::Disconnected(DisconnectMode::BadAddress));
    assert_eq!(state("5550001"), S::Ringback);
    assert!(matches!(state("5550002"), S::Connected(_)));
    assert_eq!(state("5550003"), S::Busy);
    board.switch.set_outside("42", Some(Outside::Ends(DisconnectMode::Congestion)));
    for call in board.switch.calls() {
        board.drops(call);
    }
    assert_eq!(state("42"), S::Disconnected(DisconnectMode::Congestion));
    for wrong in ["", "bob", "1 2"] {
        let ht = board.fresh(0);
        let made = board.ask("make call", |s, id| s.line_make_call(id, board.lines[0], ht, &to(wrong)));
        assert!(matches!(made, Err(LineError::InvalAddress(_))), "{wrong:?}");
    }
    let rings = board.dial(1, "5550001");
    board.switch.far_end_answers(rings);
    board.switch.far_end_holds(rings, true);
    assert_eq!(board.state(rings), Some(S::Connected(offhook_spi::ConnectedMode::ActiveHeld)));
    board.switch.line_set_default_media_detection(board.lines[2], MediaTypes::NONE).unwrap();
    let silent = board.dial(1, "102");
    assert_eq!(board.state(silent), Some(S::Disconnected(DisconnectMode::Unavail)), "nobody listens there");
}

#[test]
fn a_call_that_the_broker_turns_away_is_told_its_caller() {
    let board = Board::new();
    board.willing(false);
    let placed = board.dial(0, "101");
    assert_eq!(board.state(placed), Some(S::Disconnected(DisconnectMode::Congestion)));
    assert_eq!(board.switch.ring(1, "5551234"), None);
}

#[test]
fn forwarding_in_a_circle_ends_and_a_named_caller_comes_before_everybody() {
    let board = Board::new();
    let forward = |device: usize, caller: Option<&str>, to: &str| {
        let caller = caller.map(str::to_owned);
        let one = Forward { mode: ForwardMode::Unconditional, caller, destination: to.to_owned() };
        board
            .ask("forward", |s, id| s.line_forward(id, board.lines[device], std::slice::from_ref(&one), None))
    };
    forward(1, None, "102").unwrap();
    forward(2, None, "101").unwrap();
    assert_eq!(board.state(board.dial(0, "101")), Some(S::Disconnected(DisconnectMode::Congestion)));
    assert!(matches!(forward(1, None, "101"), Err(LineError::InvalAddress(_))), "to itself");
    assert!(matches!(forward(1, None, "nowhere"), Err(LineError::InvalAddress(_))));
    forward(2, Some("555"), "100").unwrap();
    let other = board.switch.ring(2, "556").unwrap();
    assert_eq!(board.info(other).reason, CallReason::Direct);
    let forwarded = board.switch.ring(2, "555").unwrap();
    assert_eq!(board.info(forwarded).reason, CallReason::ForwardedAlways);
    assert_eq!(board.info(forwarded).called.address, "102", "whom the caller wanted");
}

#[test]
fn wrong_requests_are_refused_and_change_nothing() {
    let board = Board::with(SwitchConfig { max_conference: 2, park: (700, 1), ..SwitchConfig::default() });
    let (placed, offered) = board.talk(0, 1);
    let wrong = |result: Result<(), LineError>| assert_eq!(result, Err(LineError::InvalCallState));
    wrong(board.on("unhold", placed, |s, id, call| s.line_unhold(id, call)));
    wrong(board.on("answer", placed, |s, id, call| s.line_answer(id, call)));
    wrong(board.on("accept", offered, |s, id, call| s.line_accept(id, call)));
    wrong(board.on("dial", placed, |s, id, call| s.line_dial(id, call, "1", true)));
    wrong(board.on("complete", placed, |s, id, call| s.line_complete_call(id, call, CompletionMode::CampOn)));
    wrong(board.on("remove", placed, |s, id, call| s.line_remove_from_conference(id, call)));
    let itself = board.ask("transfer", |s, id| {
        s.line_complete_transfer(id, placed, placed, TransferMode::Transfer, HtCall(0))
    });
    assert_eq!(itself, Err(LineError::InvalRelatedCall));
    let elsewhere = board.ask("transfer", |s, id| {
        s.line_complete_transfer(id, placed, offered, TransferMode::Transfer, HtCall(0))
    });
    assert_eq!(elsewhere, Err(LineError::InvalRelatedCall), "not on one line");
    let nowhere = board.on("blind", placed, |s, id, call| s.line_blind_transfer(id, call, "999"));
    assert!(matches!(nowhere, Err(LineError::InvalAddress(_))));
    board.on("blind", placed, |s, id, call| s.line_blind_transfer(id, call, "5550003")).unwrap();
    assert!(board.answer().is_err(), "to a busy party");
    assert!(matches!(board.state(placed), Some(S::Connected(_))), "the call is as it was");
    board.on("park", offered, |s, id, call| s.line_park(id, call, &ParkMode::NonDirected)).unwrap();
    assert_eq!(board.answer(), Ok(Completion::Address("700".to_owned())));
    let (_, second) = board.talk(2, 1);
    let full = board.on("park", second, |s, id, call| s.line_park(id, call, &ParkMode::NonDirected));
    assert!(matches!(full, Err(LineError::ResourceUnavail(_))));
    let taken = ParkMode::Directed("700".to_owned());
    board.on("park", second, |s, id, call| s.line_park(id, call, &taken)).unwrap();
    assert!(board.answer().is_err());
    board.switch.parked_leaves("700");
    assert_eq!((board.switch.parked(), board.state(placed)), (Vec::new(), Some(S::Idle)));
    // A conference of two takes no third.
    let (conference, consult) = (board.fresh(1), board.fresh(1));
    let made = board.ask("conference", |s, id| {
        s.line_setup_conference(id, board.lines[1], Some(second), conference, consult, Some(&to("5550002")))
    });
    let made = made.unwrap();
    board.ask("add", |s, id| s.line_add_to_conference(id, made.conference, made.consult)).unwrap();
    let third = board.dial(1, "5550002");
    let full = board.ask("add", |s, id| s.line_add_to_conference(id, made.conference, third));
    assert!(matches!(full, Err(LineError::ResourceUnavail(_))));
    let none = board.ask("add", |s, id| s.line_add_to_conference(id, third, made.consult));
    assert_eq!(none, Err(LineError::InvalRelatedCall), "that is no conference");
}

#[test]
fn completions_end_with_who_asked() {
    let board = Board::with(busy_at(1));
    let busy = board.switch.ring(1, "5551234").unwrap();
    board.answers(busy);
    let placed = board.dial(0, "101");
    let complete = |mode| board.on("complete", placed, |s, id, call| s.line_complete_call(id, call, mode));
    assert!(matches!(complete(CompletionMode::Intrude), Err(LineError::InvalParam(_))));
    complete(CompletionMode::CampOn).unwrap();
    let Ok(Completion::CompletionId(id)) = board.answer() else { panic!("{:?}", board.answer()) };
    let cancel = |line: usize| {
        board.ask("cancel", |s, request| s.line_uncomplete_call(request, board.lines[line], id))
    };
    assert!(matches!(cancel(2), Err(LineError::InvalParam(_))), "another's");
    cancel(0).unwrap();
    assert!(matches!(cancel(0), Err(LineError::InvalParam(_))), "once");
    complete(CompletionMode::CampOn).unwrap();
    board.drops(placed);
    board.clear();
    board.drops(busy);
    assert!(
        !board.trace().iter().any(|line| line.starts_with("new")),
        "who waited has gone: {:?}",
        board.trace()
    );
}

#[test]
fn a_call_begun_by_hand_is_announced_with_dial_tone() {
    let board = Board::new();
    let lifted = board.switch.lifts(0).unwrap();
    assert_eq!(board.trace(), ["new  100.1", "tell 100.1 Dialtone"]);
    board.on("dial", lifted, |s, id, call| s.line_dial(id, call, "101", true)).unwrap();
    board.answers(board.last(1));
    assert!(matches!(board.state(lifted), Some(S::Connected(_))));
    board.switch.hang_up(board.last(1), DisconnectMode::Normal);
    assert_eq!(board.state(lifted), Some(S::Idle), "its user hung up");
}

#[test]
fn closing_a_call_releases_its_far_end_and_a_stepped_switch_waits() {
    let config = ScriptedConfig { drive: Drive::Stepped, ..ScriptedConfig::switch(3) };
    let board = Board::of(config);
    let placed = board.dial(0, "101");
    assert_eq!(board.trace(), ["ask  make call 100.1 to 101"], "nothing happens by itself");
    board.switch.run();
    board.switch.line_close_call(placed).unwrap();
    board.switch.run();
    assert_eq!(board.trace().last().unwrap(), "tell 101.1 Disconnected(Cancelled)");
    assert_eq!(board.switch.line_call_info(placed), Err(LineError::InvalCallHandle));
    let placed = board.dial(0, "101");
    board.switch.line_close_call(placed).unwrap();
    board.switch.run();
    assert_eq!(
        board.trace().last().unwrap(),
        "tell 101.2 Disconnected(Cancelled)",
        "closed before anything was told: {:#?}",
        board.trace()
    );
    assert!(
        board.trace().contains(
            &"done make call 100.2 to 101 failed: operation failed: the call was closed".to_owned()
        )
    );
    assert_eq!(board.switch.line_close(HdLine(4_711)), Err(LineError::InvalLineHandle));
    assert_eq!(board.switch.phone_close(HdPhone(4_711)), Err(LineError::InvalPhoneHandle));
}

#[test]
fn hubs_are_tracked_as_far_as_the_capabilities_say() {
    let board = Board::new();
    assert_eq!(board.switch.line_dev_caps(0).unwrap().hub_tracking, HubTracking::AllCalls);
    board.switch.line_set_call_hub_tracking(board.lines[1], HubTracking::ProviderLevel).unwrap();
    assert_eq!(board.switch.wanted_hubs(1), Some(HubTracking::ProviderLevel));
    let plain = Scripted::new(ScriptedConfig::default());
    assert_eq!(plain.line_dev_caps(0).unwrap().hub_tracking, HubTracking::None);
    let refused = plain.line_set_call_hub_tracking(HdLine(1), HubTracking::AllCalls);
    assert_eq!(refused, Err(LineError::OperationUnavail));
}
