//! Bidirectional logical channels that we open (H.245 8.5, C.5): acknowledged, refused, unanswered, crossing.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;
mod peer;

use std::time::Duration;

use common::script::{Script, join};
use common::{CALLED, CALLER, media};
use offhook_h323::{AudioCodec, ChannelPlan, Config, Event, Flow};
use offhook_wire::per::json::Value;
use peer::{ack, address, audio, close, open, ready, reject};
use serde_json::json;

const CODECS: [AudioCodec; 2] = [AudioCodec::Pcma, AudioCodec::Pcmu];

fn config() -> Config {
    Config { bidirectional_channels: true, ..peer::config() }
}

fn opening() -> Script {
    let table = [audio(json!({"g711Alaw64k": 20})), audio(json!({"g711Ulaw64k": 20}))];
    ready(config(), media(CALLER, &CODECS), &table, "master")
}

/// The Ack of our channel 101 with its reverse direction.
fn ack_both(reverse: u16) -> Value {
    let mut ack = ack(101);
    ack["response"]["openLogicalChannelAck"]["reverseLogicalChannelParameters"] = json!({
        "reverseLogicalChannelNumber": reverse,
        "multiplexParameters": {"h2250LogicalChannelParameters": {
            "sessionID": 1, "mediaControlChannel": address(4001),
        }},
    });
    ack
}

fn plans(script: &Script) -> Vec<ChannelPlan> {
    let plans = script.events.iter().filter_map(|event| match event {
        Event::ChannelOpened(plan) => Some(*plan),
        _ => None,
    });
    plans.collect()
}

fn is_both_ways(open: &Value) -> bool {
    open["request"]["openLogicalChannel"].get("reverseLogicalChannelParameters").is_some()
}

#[test]
fn a_channel_of_ours_opens_both_ways_with_the_ack_and_is_confirmed() {
    let mut caller = opening();
    let said = caller.said();
    let proposal = said.iter().find(|m| is_both_ways(m)).expect("a bidirectional OpenLogicalChannel");
    let reverse = &proposal["request"]["openLogicalChannel"]["reverseLogicalChannelParameters"];
    assert_eq!(reverse["dataType"], json!({"audioData": {"g711Alaw64k": 20}}));
    let where_to = &reverse["multiplexParameters"]["h2250LogicalChannelParameters"]["mediaChannel"];
    assert!(where_to.is_object(), "where we want to receive: {proposal}");

    caller.forget();
    caller.say(ack_both(40));
    assert_eq!(caller.names(), ["openLogicalChannelConfirm"]);
    let opened = plans(&caller);
    let flows: Vec<_> = opened.iter().map(|plan| (plan.flow, plan.channel, plan.codec)).collect();
    let both = [(Flow::Transmit, 101, AudioCodec::Pcma), (Flow::Receive, 40, AudioCodec::Pcma)];
    assert_eq!(flows, both);
    assert_eq!(opened[0].remote_rtp, Some(([10, 0, 0, 2], 4000).into()));
    assert_eq!(opened[1].remote_rtcp, Some(([10, 0, 0, 2], 4001).into()));
    caller.wait(Duration::from_secs(200));
    assert_eq!(caller.call.poll_timeout(), None, "T103 is over");

    // It goes as it came: both directions at once.
    caller.forget();
    caller.say(json!({"request": {"requestChannelClose": {
        "forwardLogicalChannelNumber": 101, "reason": {"normal": null},
    }}}));
    assert_eq!(caller.names(), ["requestChannelCloseAck", "closeLogicalChannel"]);
    let closed = caller.events.iter().filter(|event| matches!(event, Event::ChannelClosed { .. }));
    assert_eq!(closed.count(), 2, "{:?}", caller.events);
}

#[test]
fn every_refusal_and_silence_leads_to_one_direction_with_the_same_codec() {
    let causes =
        ["unsuitableReverseParameters", "dataTypeNotSupported", "masterSlaveConflict", "unspecified"];
    let refusals = causes.map(|cause| Some(reject(101, cause)));
    // Acknowledged in one direction only; and T103.
    for refusal in refusals.into_iter().chain([Some(ack(101)), None]) {
        let mut caller = opening();
        caller.forget();
        match refusal.clone() {
            Some(refusal) => caller.say(refusal),
            None => caller.wait(Duration::from_secs(31)),
        }
        let opens: Vec<Value> =
            caller.said().into_iter().filter(|m| m["request"].get("openLogicalChannel").is_some()).collect();
        assert_eq!(opens.len(), 1, "{refusal:?}: {:?}", caller.names());
        assert!(!is_both_ways(&opens[0]), "{refusal:?}");
        assert!(caller.opened()[0].1["audioData"].get("g711Alaw64k").is_some(), "{refusal:?}");
        assert!(plans(&caller).is_empty(), "{refusal:?}");
        // A new set is a new chance, for the next channel.
        caller.say(ack(102));
        assert_eq!(plans(&caller).len(), 1, "{refusal:?}");
    }
}

#[test]
fn where_something_is_received_already_one_direction_is_enough() {
    let table = [audio(json!({"g711Alaw64k": 20}))];
    let mut caller = peer::answered(config(), media(CALLER, &CODECS));
    caller.say(open(7, json!({"audioData": {"g711Alaw64k": 20}})));
    caller.forget();
    caller.say(peer::set(1, &table, None));
    caller.say(json!({"response": {"terminalCapabilitySetAck": {"sequenceNumber": 1}}}));
    caller.say(json!({"response": {"masterSlaveDeterminationAck": {"decision": {"master": null}}}}));
    assert_eq!(caller.opened().len(), 1);
    assert!(!caller.said().iter().any(is_both_ways));
}

#[test]
fn the_peer_s_number_is_taken_once_and_its_close_ends_its_direction() {
    let mut caller = opening();
    caller.say(open(40, json!({"audioData": {"g711Ulaw64k": 20}})));
    caller.forget();
    caller.say(ack_both(40));
    assert!(caller.names().contains(&"closeLogicalChannel".to_owned()), "40 stands for another channel");
    assert!(plans(&caller).is_empty());

    let mut caller = opening();
    caller.say(ack_both(40));
    caller.forget();
    caller.say(close(40));
    assert_eq!(caller.names(), ["closeLogicalChannelAck"]);
    assert_eq!(caller.events, [Event::ChannelClosed { session_id: 1, flow: Flow::Receive, channel: 40 }]);
    // Ours to ask, ours to close: no request goes to the peer.
    let mut caller = opening();
    caller.say(ack_both(40));
    caller.forget();
    assert!(caller.call.request_channel_close(caller.now, 1, false));
    caller.drain();
    assert_eq!(caller.names(), ["closeLogicalChannel"]);
}

#[test]
fn two_sides_that_both_open_both_ways_end_with_one_channel_each_way() {
    for both in [[true, true], [true, false], [false, true]] {
        let with = |bidirectional_channels| Config { bidirectional_channels, ..peer::config() };
        let mut caller = Script::caller(with(both[0]), media(CALLER, &CODECS));
        let mut called = Script::called(with(both[1]));
        let mut open = [[0i32; 2]; 2];
        join(&mut caller, &mut called, |script, event| {
            let side = usize::from(script.is_called());
            match event {
                Event::Setup(_) => {
                    let now = script.now;
                    script.call.set_media(now, media(CALLED, &CODECS));
                    script.call.answer(now);
                }
                Event::ChannelOpened(plan) => open[side][usize::from(plan.flow == Flow::Transmit)] = 1,
                Event::ChannelClosed { flow, .. } => open[side][usize::from(*flow == Flow::Transmit)] = 0,
                _ => {}
            }
        });
        assert_eq!(open, [[1, 1], [1, 1]], "{both:?}");
    }
}
