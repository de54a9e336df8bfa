//! Calls with endpoints that share no code with us (tests/peers/pycrate_peer.py): every start mode both ways, and what
//! real endpoints do that a naive stack chokes on. The far end sends and reads every PDU by pycrate and refuses ours
//! unless it is the one encoding of what it says; each side has to hear the other's tone.
//!
//! What each scenario does is said where it is written, in tests/peers/scenarios.py.

mod common;
mod peers;

use common::{Tested, tool};
use peers::{Outcome, Role, Scene, answers, both, calls, play};
use serde_json::json;

const KEYS: &str = "0123456789*#ABCD";

fn slow(outcome: &Outcome) {
    assert_eq!(outcome.report["fast_start"], false, "{outcome}");
    assert_eq!(outcome.count("< request.openLogicalChannel"), 1, "{outcome}");
}

fn fast(outcome: &Outcome) {
    assert_eq!(outcome.report["fast_start"], true, "{outcome}");
    assert_eq!(outcome.peer["fast_accepted"], true, "{outcome}");
    assert_eq!(outcome.count("< request.openLogicalChannel"), 0, "{outcome}");
    assert_eq!(outcome.report["codec_received"], "PCMU", "{outcome}");
}

#[test]
fn a_foreign_endpoint_calls_us_and_is_called_in_every_start_mode() -> Tested {
    fn tunnelled(outcome: &Outcome) {
        slow(outcome);
        assert_eq!(outcome.report["tunnelled"], true, "{outcome}");
        assert_eq!(outcome.report["codec_received"], "PCMU", "{outcome}");
    }
    fn separate(outcome: &Outcome) {
        slow(outcome);
        assert_eq!(outcome.report["tunnelled"], false, "{outcome}");
        assert_eq!(outcome.fact("h245_connections"), 1, "{outcome}");
    }
    let mut scenes = Vec::new();
    for scene in both("SlowTunnelled") {
        scenes.push(scene.clone().check(tunnelled));
        scenes.push(scene.clone().ours(&["--no-fast-start"]).check(tunnelled));
        scenes.push(scene.ours(&["--no-tunnel"]).check(separate));
    }
    scenes.extend(both("SlowSeparate").map(|scene| scene.check(separate)));
    for scene in both("FastTunnelled") {
        scenes.push(scene.clone().check(fast));
        scenes.push(scene.clone().ours(&["--no-tunnel"]).check(fast));
        scenes.push(scene.ours(&["--no-fast-start"]).check(tunnelled));
    }
    for scene in both("FastSeparate") {
        scenes.push(scene.clone().check(fast));
        scenes.push(scene.ours(&["--no-fast-start"]).check(separate));
    }
    play(scenes)
}

#[test]
fn fast_start_may_end_without_any_h245() -> Tested {
    let silent = |outcome: &Outcome| {
        assert_eq!(outcome.report["fast_start"], true, "{outcome}");
        let log = outcome.peer["log"].as_array().into_iter().flatten();
        let said =
            log.filter_map(|entry| entry.as_str()?.strip_prefix("> ")).filter(|entry| entry.contains('.'));
        assert_eq!(said.collect::<Vec<_>>(), [""; 0], "{outcome}");
    };
    let mut scenes = Vec::from(both("FastWithoutH245"));
    scenes.extend(both("FastThenStartH245"));
    scenes.extend([answers("FastThenStartH245:them"), answers("FastThenStartH245").ours(&["--no-tunnel"])]);
    play(scenes.into_iter().map(|scene| scene.check(silent)))
}

#[test]
fn tunnelled_h245_comes_in_every_wrapper() -> Tested {
    let tunnelled = |outcome: &Outcome| {
        assert_eq!(outcome.report["tunnelled"], true, "{outcome}");
        assert_eq!(outcome.count("< command.endSessionCommand"), 1, "{outcome}");
    };
    let mut scenes = Vec::from(both("TransportedInformation"));
    scenes.extend(both("Bundled"));
    scenes.extend([answers("H245InConnect"), calls("H245InSetup"), calls("H245InSetup:fast")]);
    let ended =
        |outcome: &Outcome| assert!(outcome.place("> command.endSessionCommand").is_some(), "{outcome}");
    let scenes = scenes.into_iter().map(|scene| scene.check(tunnelled));
    play(scenes.chain(both("EndSessionInRelease").map(|scene| scene.check(ended))))
}

#[test]
fn tpkts_come_several_in_a_segment_and_one_in_pieces() -> Tested {
    play(["Joined", "Cut:41", "Cut:1", "Cut:7@separate"].into_iter().flat_map(both))
}

#[test]
fn h245_may_begin_before_connect_and_ask_before_master_and_slave_are_known() -> Tested {
    let asked = |outcome: &Outcome| {
        assert_eq!(*outcome.fact("round_trips"), json!([5]), "{outcome}");
        assert_eq!(outcome.fact("determined_before"), false, "{outcome}");
    };
    let before = |outcome: &Outcome| assert_eq!(outcome.fact("before_connect"), true, "{outcome}");
    let mut scenes = Vec::from(both("RoundTripBeforeDetermination").map(|scene| scene.check(asked)));
    scenes.extend(both("RoundTripBeforeDetermination@separate").map(|scene| scene.check(asked)));
    scenes.push(calls("CapabilitiesBeforeConnect").ours(&["--ring-ms", "1500"]).check(before));
    scenes.push(answers("CapabilitiesBeforeConnect").ours(&["--no-fast-start"]).check(before));
    scenes.push(answers("CapabilitiesBeforeConnect:fast"));
    scenes.push(answers("ProgressAfterConnect"));
    play(scenes)
}

#[test]
fn master_and_slave_are_determined_whatever_the_terminal_types() -> Tested {
    let greater = |outcome: &Outcome| assert_eq!(outcome.fact("master"), true, "{outcome}");
    let tie = |outcome: &Outcome| assert!(outcome.fact("master").is_boolean(), "{outcome}");
    let anew = |outcome: &Outcome| assert_eq!(outcome.fact("drawn_anew"), true, "{outcome}");
    let mut scenes = Vec::from(both("TerminalType:60").map(|scene| scene.check(greater)));
    // A tie: the random number decides.
    scenes.extend(both("TerminalType:50").map(|scene| scene.check(tie)));
    scenes.extend(both("IdenticalNumbers").map(|scene| scene.check(anew)));
    play(scenes)
}

#[test]
fn fast_start_is_answered_in_any_message_and_more_than_once() -> Tested {
    let messages = [
        "FastStartIn:callProceeding",
        "FastStartIn:alerting",
        "FastStartIn:progress",
        "FastStartIn:facility",
        "FastStartIn:connect",
        "FastStartIn:alerting+connect",
        "FastStartIn:callProceeding+alerting+progress+connect",
    ];
    play(messages.map(|name| answers(name).check(fast)))
}

#[test]
fn offers_hold_alternatives_of_one_number_and_video_and_both_sides_open_channel_101() -> Tested {
    let accepted = |outcome: &Outcome| {
        let codec = if outcome.report["codec_sent"] == "PCMA" { "g711Alaw64k" } else { "g711Ulaw64k" };
        assert_eq!(*outcome.fact("accepted"), json!([["reverse", codec], ["forward", codec]]), "{outcome}");
        assert_eq!(outcome.report["codec_received"], outcome.report["codec_sent"], "{outcome}");
    };
    let first = |outcome: &Outcome| assert_eq!(outcome.report["codec_sent"], "PCMA", "{outcome}");
    // The address to send to is in no OpenLogicalChannel, only in the answers.
    let same = |outcome: &Outcome| {
        assert_eq!(outcome.peer["channels"], json!({"ours": [101], "theirs": [101]}), "{outcome}");
        assert_eq!(outcome.report["codec_received"], "PCMA", "{outcome}");
    };
    let mut scenes = vec![
        calls("AlternativesShareANumber:ulaw").check(accepted),
        calls("AlternativesShareANumber:alaw").check(accepted),
        calls("AlternativesShareANumber:alaw").ours(&["--codec", "pcmu,pcma"]).check(accepted),
        calls("AlternativesShareANumber:alaw").ours(&["--codec", "pcma"]).check(first),
        calls("OffersVideo").check(accepted),
    ];
    scenes.extend(both("ALaw").map(|scene| scene.ours(&["--no-fast-start"]).check(same)));
    play(scenes)
}

#[test]
fn old_versions_and_information_right_after_setup_do_not_matter() -> Tested {
    let mut scenes = vec![calls("InformationAfterSetup")];
    scenes.extend(["Version:2", "Version:4", "Version:7"].into_iter().flat_map(both));
    play(scenes)
}

#[test]
fn fast_start_may_be_refused_unasked_and_names_end_in_nul() -> Tested {
    let named = |outcome: &Outcome| {
        assert_eq!(outcome.report["product"], "Terminated 1.0", "{outcome}");
        assert!(!outcome.report.to_string().contains("\\u0000"), "{outcome}");
    };
    let mut scenes = vec![
        answers("RefusesFastStart").check(slow),
        answers("RefusesFastStart").ours(&["--no-fast-start"]).check(slow),
    ];
    scenes.extend(both("NulTerminated").map(|scene| scene.check(named)));
    play(scenes)
}

#[test]
fn releases_cross_and_say_little() -> Tested {
    // Our own reason stands, whatever theirs says.
    let crossed = |outcome: &Outcome| {
        assert_eq!(outcome.peer["released"], json!({"cause": 16, "reason": null}), "{outcome}");
    };
    let mut scenes = Vec::from(
        both("CrossingRelease").map(|scene| scene.ours(&["--duration", "2"]).ends("idle").check(crossed)),
    );
    scenes.extend([
        answers("CauseOnly:17").fails("disconnected (busy)"),
        answers("CauseOnly:17,inConf").fails("disconnected (busy)"),
        answers("CauseOnly:17,bare").fails("disconnected (busy)"),
        answers("CauseOnly:34").fails("disconnected (congestion)"),
        answers("CauseOnly:21").fails("disconnected (reject)"),
        calls("CauseOnly:16").ours(&["--ring-ms", "60000"]).fails("disconnected (cancelled)"),
        calls("CauseOnly:16,bare").ours(&["--ring-ms", "60000"]).fails("disconnected (cancelled)"),
    ]);
    scenes.extend(both("CauseOnly:16,connected"));
    scenes.extend(both("CauseOnly:16,bare,connected"));
    play(scenes)
}

#[test]
fn a_channel_may_be_rejected_for_want_of_bandwidth() -> Tested {
    // The next codec is as large: it is not tried.
    let once = |outcome: &Outcome| {
        assert_eq!(outcome.count("< request.openLogicalChannel"), 1, "{outcome}");
        assert_eq!(outcome.peer["received"], 0, "{outcome}");
    };
    let scenes = ["InsufficientBandwidth", "InsufficientBandwidth@separate"].into_iter().flat_map(both);
    play(scenes.map(|scene| scene.one_way().check(once)))
}

#[test]
fn packets_are_cut_otherwise_than_agreed() -> Tested {
    let framings = ["Framing:240", "Framing:80", "Framing:240+8+160+480+1", "Framing:80+240@fast"];
    let mut scenes: Vec<_> = framings.into_iter().flat_map(both).collect();
    // A packet may hold a single millisecond.
    scenes.extend(both("Framing:8").map(Scene::drops));
    let g722 = |outcome: &Outcome| assert_eq!(outcome.report["codec_received"], "G722", "{outcome}");
    // Some count its timestamps at 16 kHz, where RFC 3551 wants 8.
    for name in ["Framing:8,g722-64k", "Framing:160+400,g722-64k", "Framing:160+400,g722-64k,fast"] {
        scenes.extend(both(name).map(|scene| scene.ours(&["--codec", "g722"]).drops().check(g722)));
    }
    let gsm = |outcome: &Outcome| assert_eq!(outcome.report["codec_received"], "GSM", "{outcome}");
    let five_frames = both("Framing:800,gsmFullRate").map(|scene| scene.ours(&["--codec", "gsm"]).check(gsm));
    play(scenes.into_iter().chain(five_frames))
}

#[test]
fn datagrams_of_one_octet_are_counted_and_nothing_else() -> Tested {
    let counted = |outcome: &Outcome| assert_eq!(outcome.report["received"]["refused"], 20, "{outcome}");
    play(both("OneOctetDatagrams").map(|scene| scene.check(counted)))
}

#[test]
fn an_empty_capability_set_is_a_pause_and_channels_come_back_under_new_numbers() -> Tested {
    fn paused(outcome: &Outcome) {
        assert_eq!(outcome.fact("acknowledged"), 3, "{outcome}");
        assert_eq!(outcome.fact("heard_in_pause"), 0, "{outcome}");
        assert_eq!(outcome.fact("opened_in_pause"), 0, "{outcome}");
        let theirs: Vec<_> = outcome.peer["channels"]["theirs"].as_array().into_iter().flatten().collect();
        assert!(theirs.len() == 2 && theirs[0] != theirs[1], "{outcome}");
    }
    // Who pauses us may go on sending: then it is heard all the while.
    let one = |outcome: &Outcome| {
        paused(outcome);
        let sent_in_pause = outcome.fact("sent_in_pause").as_i64().unwrap_or(0);
        let missing = outcome.peer["sent"].as_i64().unwrap_or(0) - outcome.received();
        assert!(missing < sent_in_pause / 2, "{missing} packets of {sent_in_pause} in the pause: {outcome}");
    };
    let two = |outcome: &Outcome| {
        paused(outcome);
        assert_eq!(outcome.fact("sent_in_pause"), 0, "{outcome}");
        assert_eq!(outcome.peer["channels"]["ours"], json!([101, 102]), "{outcome}");
    };
    let mut scenes = Vec::new();
    for name in ["EmptyCapabilitySet", "EmptyCapabilitySet@separate", "EmptyCapabilitySet@fast"] {
        scenes.extend(both(name).map(|scene| scene.hears(700).check(one)));
    }
    scenes.extend(both("EmptyCapabilitySet:both").map(|scene| scene.hears(700).check(two)));
    play(scenes)
}

#[test]
fn a_rate_of_nothing_silences_us_until_it_is_lifted() -> Tested {
    let silent = |outcome: &Outcome| {
        assert_eq!(outcome.fact("heard_in_pause"), 0, "{outcome}");
        assert!(outcome.fact("sent_in_pause").as_i64() > Some(10), "they go on: {outcome}");
    };
    let names = ["FlowControl", "FlowControl:whole", "FlowControl@separate"];
    play(names.into_iter().flat_map(both).map(|scene| scene.hears(700).check(silent)))
}

#[test]
fn a_foreign_endpoint_is_held_by_an_empty_capability_set_and_taken_back() -> Tested {
    fn held(outcome: &Outcome) {
        assert_eq!(outcome.fact("heard_in_hold"), 0, "{outcome}");
        let theirs: Vec<_> = outcome.peer["channels"]["theirs"].as_array().into_iter().flatten().collect();
        assert!(theirs.len() == 2 && theirs[0] != theirs[1], "{outcome}");
        let seconds = outcome.report["on_hold_seconds"].as_f64().unwrap_or(0.0);
        assert!(seconds >= 0.8, "{outcome}");
        assert_eq!(outcome.report["held_seconds"], 0.0, "{outcome}");
    }
    fn silent(outcome: &Outcome) {
        held(outcome);
        assert_eq!(outcome.fact("sent_in_hold"), 0, "{outcome}");
    }
    fn first(outcome: &Outcome) {
        silent(outcome);
        // After fast connect on two connections H.245 may begin with the hold, and with the empty set.
        let sets = outcome.fact("sets");
        let begins = *sets == json!(["empty", "full"]) && outcome.peer["fast_offered"] == false;
        assert!(begins || *sets == json!(["full", "empty", "full"]), "{outcome}");
    }
    let ours = ["--hold-after", "0.8", "--hold-for", "0.8"];
    let mut scenes = Vec::new();
    for name in ["Held", "Held@separate", "Held@fast", "Held@fast-separate"] {
        scenes.extend(both(name).map(|scene| scene.hears(700).ours(&ours).check(first)));
    }
    scenes.extend(both("Held:late").map(|scene| scene.hears(700).ours(&ours).check(silent)));
    // What a far end that goes on sending says is not listened to.
    scenes.extend(both("Held:keeps").map(|scene| scene.hears(600).drops().ours(&ours).check(held)));
    play(scenes)
}

#[test]
fn a_foreign_endpoint_without_h245_is_not_held_and_the_call_goes_on() -> Tested {
    let ours = ["--hold-after", "0.05", "--timer", "t101=0.2"];
    let why = "not held: operation failed: the peer does not answer our capabilities";
    let unheld = |outcome: &Outcome| assert_eq!(outcome.report["on_hold_seconds"], 0.0, "{outcome}");
    play(both("FastWithoutH245").map(|scene| scene.ours(&ours).in_trouble(why).check(unheld)))
}

#[test]
fn a_foreign_endpoint_takes_our_copies_apart_and_we_repair_what_it_loses_with_its() -> Tested {
    fn repaired(outcome: &Outcome) {
        let received = &outcome.report["received"];
        let count = |name: &str| received[name].as_i64().unwrap_or(-1);
        assert!(count("lost") >= 4, "{outcome}");
        assert!(count("recovered") + 2 >= count("lost"), "{outcome}");
    }
    fn copied(outcome: &Outcome) {
        repaired(outcome);
        assert_eq!(*outcome.fact("told"), json!(["g711Ulaw64k", 0, 2]), "{outcome}");
        assert!(outcome.fact("copies_right").as_i64() > Some(20), "{outcome}");
        assert_eq!(outcome.fact("copies_wrong"), 0, "{outcome}");
    }
    fn refused(outcome: &Outcome) {
        repaired(outcome);
        assert_eq!(
            (outcome.fact("refused"), outcome.fact("copies_right")),
            (&json!(1), &json!(0)),
            "{outcome}"
        );
    }
    let ours = &["--redundancy", "2", "--codec", "pcmu"];
    let mut scenes = Vec::new();
    for name in ["Redundancy", "Redundancy:multiplex", "Redundancy@separate"] {
        scenes.extend(both(name).map(|scene| scene.ours(ours).drops().check(copied)));
    }
    scenes.extend(both("Redundancy:refuse").map(|scene| scene.ours(ours).drops().check(refused)));
    play(scenes)
}

#[test]
fn an_alias_with_letters_is_a_name_and_nobody_asks_dns() -> Tested {
    let Some(_) = tool("strace", "-V") else { return Ok(()) };
    let aliases = |outcome: &Outcome| {
        let ours = json!([["h323-ID", "abc123"], ["dialledDigits", "4712"]]);
        match outcome.role {
            Role::Call => assert_eq!(*outcome.fact("connected"), ours, "{outcome}"),
            Role::Answer => {
                assert_eq!(*outcome.fact("source"), ours, "{outcome}");
                assert_eq!(*outcome.fact("destination"), json!([["h323-ID", "bob7"]]), "{outcome}");
            }
        }
        let asks = ["sin_port=htons(53)", "sin6_port=htons(53)", "nscd", "/etc/resolv.conf", "/etc/hosts"];
        for line in outcome.system_calls.lines() {
            assert!(!asks.iter().any(|ask| line.contains(ask)), "{line}");
        }
        assert!(outcome.system_calls.contains("127.0.0.1"), "{}", outcome.system_calls);
    };
    let digits = |outcome: &Outcome| {
        assert_eq!(*outcome.fact("destination"), json!([["dialledDigits", "200#"]]), "{outcome}");
    };
    let ours = ["--alias", "abc123", "--alias", "4712"];
    play([
        calls("Aliases").ours(&ours).traced().check(aliases),
        answers("Aliases").ours(&ours).traced().asking_for("bob7@").check(aliases),
        answers("Aliases").asking_for("200#@").check(digits),
    ])
}

#[test]
fn digits_fall_from_telephone_events_to_signal_to_text_to_keypad() -> Tested {
    // Long enough for sound beside the digits.
    let dialled = |name, seconds, check| {
        both(name)
            .map(|scene| scene.ours(&["--digits", KEYS, "--duration", seconds]).ends("idle").check(check))
    };
    fn events(outcome: &Outcome) {
        assert_eq!(outcome.peer["events"], KEYS, "{outcome}");
        assert_eq!(outcome.digits(), None, "{outcome}");
        assert_eq!(outcome.report["digits_sent"], KEYS, "{outcome}");
    }
    fn by(outcome: &Outcome, way: &str, keys: &str) {
        assert_eq!(outcome.digits(), Some((way, keys.to_owned())), "{outcome}");
        assert_eq!(outcome.peer["events"], "", "{outcome}");
        assert_eq!(outcome.report["digits_sent"], keys, "{outcome}");
    }
    fn signal(outcome: &Outcome) {
        by(outcome, "signal", KEYS);
    }
    fn text(outcome: &Outcome) {
        by(outcome, "alphanumeric", KEYS);
    }
    fn keypad(outcome: &Outcome) {
        by(outcome, "keypad", KEYS);
    }
    fn returned(outcome: &Outcome) {
        text(outcome);
        assert_eq!(*outcome.fact("returned"), KEYS.len(), "{outcome}");
    }
    let ways: [(_, _, fn(&Outcome)); 10] = [
        ("Takes:rfc2833+signal", "4", events),
        ("Takes:rfc2833", "4", events),
        ("Takes:signal", "1.5", signal),
        ("Takes:signal+alphanumeric", "1.5", signal),
        ("Takes:alphanumeric", "1.5", text),
        ("Takes:nothing", "1.5", text),
        ("Takes:none", "1.5", keypad),
        // Announces telephone-events and ignores them.
        ("Takes:asterisk+rfc2833+signal", "1.5", signal),
        ("Takes:asterisk+rfc2833", "1.5", text),
        ("ReturnsSignals", "1.5", returned),
    ];
    play(ways.into_iter().flat_map(|(name, seconds, check)| dialled(name, seconds, check)))
}

#[test]
fn digits_come_by_every_way_once_each() -> Tested {
    let heard = |outcome: &Outcome| assert_eq!(outcome.report["digits"], KEYS, "{outcome}");
    let ways = [
        "Dials:rfc2833",
        "Dials:rfc2833@fast",
        "Dials:signal",
        "Dials:signal@separate",
        "Dials:alphanumeric",
        "Dials:text",
        "Dials:keypad",
        "Dials:twice",
    ];
    play(ways.into_iter().flat_map(both).map(|scene| scene.check(heard)))
}
