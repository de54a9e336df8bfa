//! Keys of the peer that come by Q.931 as well as by H.245, and the hook flash both ways.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;
mod peer;

use std::time::Duration;

use common::script::Script;
use common::{CALLER, media};
use offhook_h323::{AudioCodec, Config, DigitVia, DtmfWay, Event};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::q931::{CallReference, KeypadFacility, Message, MessageType};
use peer::{audio, transmitting};
use serde_json::{Value, json};

fn user_input(kind: &str) -> Value {
    json!({"receiveUserInputCapability": {kind: null}})
}

/// A caller whose peer takes `inputs`.
fn caller(inputs: &[&str]) -> Script {
    let mut table = vec![audio(json!({"g711Alaw64k": 20}))];
    table.extend(inputs.iter().map(|kind| user_input(kind)));
    let config = Config { dtmf: vec![DtmfWay::Signal, DtmfWay::Alphanumeric], ..peer::config() };
    transmitting(config, media(CALLER, &[AudioCodec::Pcma]), &table, "master")
}

fn keypad(script: &mut Script, keys: &str) {
    let q931 =
        Message::new(MessageType::INFORMATION, CallReference::new(77, true)).with(&KeypadFacility::new(keys));
    script.signal(&CallSignal { q931, uuie: None });
}

fn digits(script: &mut Script) -> Vec<(char, DigitVia)> {
    let told = std::mem::take(&mut script.events).into_iter().filter_map(|event| match event {
        Event::Digit { digit, via, .. } => Some((digit, via)),
        _ => None,
    });
    told.collect()
}

fn alphanumeric(keys: &str) -> Value {
    json!({"indication": {"userInput": {"alphanumeric": keys}}})
}

#[test]
fn a_key_by_keypad_and_by_h245_is_told_once_whichever_comes_first() {
    let mut caller = caller(&["dtmf"]);
    caller.say(alphanumeric("5"));
    keypad(&mut caller, "5");
    assert_eq!(digits(&mut caller), [('5', DigitVia::Alphanumeric)]);
    caller.wait(Duration::from_secs(1));
    keypad(&mut caller, "6");
    caller.say(json!({"indication": {"userInput": {"signal": {"signalType": "6"}}}}));
    assert_eq!(digits(&mut caller), [('6', DigitVia::Keypad)]);
    assert_eq!(caller.call.h245_counters().keys_doubled, 2);
}

#[test]
fn a_key_pressed_twice_by_keypad_is_told_twice() {
    let mut caller = caller(&["dtmf"]);
    keypad(&mut caller, "77");
    keypad(&mut caller, "7");
    assert_eq!(digits(&mut caller), [('7', DigitVia::Keypad); 3]);
    // What is so far apart is no double.
    caller.wait(Duration::from_secs(1));
    caller.say(alphanumeric("7"));
    assert_eq!(digits(&mut caller), [('7', DigitVia::Alphanumeric)]);
}

#[test]
fn keys_by_keypad_need_no_h245() {
    let mut caller = Script::caller(Config::default(), media(CALLER, &[AudioCodec::Pcma]));
    keypad(&mut caller, "1#");
    assert_eq!(digits(&mut caller), [('1', DigitVia::Keypad), ('#', DigitVia::Keypad)]);
}

#[test]
fn a_hook_flash_is_announced_and_told() {
    let told = peer::answered(peer::config(), media(CALLER, &[AudioCodec::Pcma])).said();
    let table = &told[0]["request"]["terminalCapabilitySet"]["capabilityTable"];
    let announced =
        table.as_array().unwrap().iter().any(|entry| entry["capability"] == user_input("hookflash"));
    assert!(announced, "{table}");
    let mut caller = caller(&["dtmf"]);
    caller.say(json!({"indication": {"userInput": {"signal": {"signalType": "!"}}}}));
    assert_eq!(digits(&mut caller), [('!', DigitVia::Signal)]);
}

#[test]
fn a_hook_flash_goes_as_a_signal_to_whom_announces_it_and_as_a_character_else() {
    for (inputs, way, takes) in [
        (&["dtmf", "hookflash"][..], DtmfWay::Signal, true),
        (&["dtmf"], DtmfWay::Alphanumeric, false),
        (&["basicString", "hookflash"], DtmfWay::Alphanumeric, true),
    ] {
        let mut caller = caller(inputs);
        assert_eq!(caller.call.remote_media().hook_flash, takes, "{inputs:?}");
        assert_eq!(caller.call.send_digits(caller.now, "!"), Some(way), "{inputs:?}");
        caller.drain();
        let input = &caller.said()[0]["indication"]["userInput"];
        let sent =
            if way == DtmfWay::Signal { &input["signal"]["signalType"] } else { &input["alphanumeric"] };
        assert_eq!(*sent, "!", "{inputs:?}: {input}");
    }
}
