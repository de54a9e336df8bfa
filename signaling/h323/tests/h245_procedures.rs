//! What a peer may say in H.245 at any time, and what it gets for it: rejects, refusals, the next try.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::pair::{PROTOCOL, config, connect, connected, h245, is_released, signal};
use common::script::Script;
use common::{CALLER, media};
use offhook_h323::{AudioCodec, CallState, Cause, Config, Event, Flow, MediaCommand, Origin};
use offhook_wire::h225::{CallProceedingUuie, EndpointType, H323UuPduH323MessageBody as Body};
use offhook_wire::h245::{
    CommandMessage, EndSessionCommand, IndicationMessage, MultimediaSystemControlMessage as H245,
    RequestMessage, ResponseMessage,
};
use offhook_wire::per::json::{Value, describe};
use offhook_wire::q931::{CallReference, MessageType};
use serde_json::json;

#[test]
fn one_h245_message_that_cannot_be_read_is_returned_and_the_call_goes_on() {
    let (mut caller, _) = connected();
    caller.tunnel_octets(Bytes::from_static(&[0x60]), CallReference::new(77, true));
    let [H245::Indication(indication)] = caller.h245.as_slice() else { panic!("{:?}", caller.h245) };
    let IndicationMessage::FunctionNotSupported(function) = &**indication else { panic!("{indication:?}") };
    assert_eq!(function.returned_function.as_deref(), Some(&[0x60][..]));
    assert_eq!(caller.call.state(), CallState::Active);
    for _ in 0..1000 {
        caller.tunnel_octets(Bytes::from_static(&[0x60]), CallReference::new(77, true));
    }
    assert_eq!(caller.h245.len(), 64, "refusals are not endless");
    assert_eq!(caller.call.state(), CallState::Active);
}

#[test]
fn requests_that_we_do_not_fulfil_get_the_reject_of_the_standard() {
    let requests = [
        (
            json!({"requestMode": {"sequenceNumber": 7, "requestedModes": [[{"type": {"audioMode": {"g728": null}}}]]}}),
            "requestModeReject",
        ),
        (
            json!({"multiplexEntrySend": {"sequenceNumber": 3, "multiplexEntryDescriptors": [{"multiplexTableEntryNumber": 2}]}}),
            "multiplexEntrySendReject",
        ),
        (json!({"requestMultiplexEntry": {"entryNumbers": [1, 2]}}), "requestMultiplexEntryReject"),
        (json!({"maintenanceLoopRequest": {"type": {"mediaLoop": 101}}}), "maintenanceLoopReject"),
        (
            json!({"logicalChannelRateRequest": {"sequenceNumber": 1, "logicalChannelNumber": 999, "maximumBitRate": 100}}),
            "logicalChannelRateReject",
        ),
        (json!({"communicationModeRequest": {}}), "functionNotUnderstood"),
        (json!({"conferenceRequest": {"terminalListRequest": null}}), "functionNotUnderstood"),
    ];
    let (mut caller, _) = connected();
    for (request, expected) in requests {
        caller.h245.clear();
        caller.tunnel(&h245(json!({ "request": request })));
        let [answer] = caller.h245.as_slice() else { panic!("{expected}: {:?}", caller.h245) };
        let description = describe(answer);
        let (_, answer) = description.as_object().unwrap().iter().next().unwrap();
        assert!(answer.get(expected).is_some(), "{expected}: {answer}");
    }
    assert_eq!(caller.call.state(), CallState::Active);
}

#[test]
fn what_only_informs_is_tolerated() {
    let (mut caller, _) = connected();
    for message in [
        json!({"command": {"flowControlCommand": {"scope": {"wholeMultiplex": null}, "restriction": {"noRestriction": null}}}}),
        json!({"command": {"miscellaneousCommand": {"logicalChannelNumber": 101, "type": {"equaliseDelay": null}}}}),
        json!({"indication": {"miscellaneousIndication": {"logicalChannelNumber": 101, "type": {"logicalChannelActive": null}}}}),
        json!({"indication": {"functionNotSupported": {"cause": {"unknownFunction": null}}}}),
        json!({"response": {"requestModeReject": {"sequenceNumber": 1, "cause": {"requestDenied": null}}}}),
    ] {
        caller.tunnel(&h245(message));
    }
    assert!(caller.h245.is_empty(), "{:?}", caller.h245);
    let told = [
        Event::MediaCommand { channel: 101, command: MediaCommand::EqualiseDelay },
        Event::NotUnderstood("unknown"),
    ];
    assert_eq!(caller.events, told);
    assert_eq!(caller.call.state(), CallState::Active);
}

#[test]
fn round_trip_is_answered_before_anything_is_agreed() {
    let mut caller = Script::caller(config(), media(CALLER, &[AudioCodec::Pcma]));
    let proceeding = CallProceedingUuie::new(PROTOCOL, EndpointType::new(false, false));
    caller.signal(&signal(Body::CallProceeding(proceeding.into()), MessageType::CALL_PROCEEDING));
    caller.tunnel(&h245(json!({"request": {"roundTripDelayRequest": {"sequenceNumber": 9}}})));
    let answered = caller.h245.iter().any(|message| match message {
        H245::Response(response) => {
            matches!(&**response, ResponseMessage::RoundTripDelayResponse(r) if r.sequence_number == 9)
        }
        _ => false,
    });
    assert!(answered, "{:?}", caller.h245);
}

/// An OpenLogicalChannel of the peer.
fn open(number: u16, session: u8, data: Value) -> H245 {
    h245(json!({"request": {"openLogicalChannel": {
        "forwardLogicalChannelNumber": number,
        "forwardLogicalChannelParameters": {
            "dataType": data,
            "multiplexParameters": {"h2250LogicalChannelParameters": {"sessionID": session}},
        },
    }}}))
}

fn reject_cause(script: &Script) -> Option<String> {
    script.h245.iter().find_map(|message| {
        let description = describe(message);
        let cause = description.get("response")?.get("openLogicalChannelReject")?.get("cause")?.clone();
        Some(cause.as_object()?.keys().next()?.clone())
    })
}

#[test]
fn channels_that_cannot_be_are_rejected_with_the_reason() {
    let audio = || json!({"audioData": {"g711Alaw64k": 20}});
    let mut bidirectional = open(7, 1, audio());
    if let H245::Request(RequestMessage::OpenLogicalChannel(open)) = &mut bidirectional {
        let forward = &open.forward_logical_channel_parameters;
        open.reverse_logical_channel_parameters =
            Some(offhook_wire::h245::OpenLogicalChannelReverseLogicalChannelParameters::new(
                forward.data_type.clone(),
            ));
    }
    for (message, cause) in [
        (bidirectional, "unsuitableReverseParameters"),
        (open(7, 1, json!({"audioData": {"g728": 8}})), "dataTypeNotSupported"),
        (open(7, 1, json!({"nullData": null})), "dataTypeNotSupported"),
    ] {
        let (mut caller, _) = connected();
        caller.tunnel(&message);
        assert_eq!(reject_cause(&caller).as_deref(), Some(cause));
    }
    let (mut caller, _) = connected();
    for number in 200..400 {
        caller.tunnel(&open(number, 1, audio()));
    }
    assert_eq!(reject_cause(&caller).as_deref(), Some("unspecified"), "channels are bounded");
    let (mut caller, _) = connected();
    caller.tunnel(&open(7, 0, audio()));
    assert_eq!(reject_cause(&caller), None, "sessionID 0 asks us for the number");
}

#[test]
fn a_session_number_that_nobody_agreed_on_stands_for_the_one_that_hears_nothing_yet() {
    let audio = || json!({"audioData": {"g711Alaw64k": 20}});
    let (mut caller, _) = connected();
    caller.tunnel(&h245(json!({"request": {"closeLogicalChannel": {
        "forwardLogicalChannelNumber": 101, "source": {"user": null},
    }}})));
    caller.tunnel(&open(1005, 4, audio()));
    assert_eq!(
        reject_cause(&caller),
        None,
        "ooh323 opens its audio as session 4 after a refused fast connect"
    );
    let opened =
        caller.events.iter().filter(|e| matches!(e, Event::ChannelOpened(plan) if plan.session_id == 1));
    assert_eq!(opened.count(), 1, "{:?}", caller.events);
    caller.tunnel(&open(1006, 5, audio()));
    assert_eq!(reject_cause(&caller).as_deref(), Some("invalidSessionID"), "one such channel is enough");
}

#[test]
fn closing_is_acknowledged_whatever_is_closed() {
    let (mut caller, _) = connected();
    caller.tunnel(&h245(json!({"request": {"closeLogicalChannel": {"forwardLogicalChannelNumber": 999, "source": {"user": null}}}})));
    assert_eq!(caller.h245.len(), 1);
    assert!(caller.events.is_empty());
    caller.tunnel(&h245(json!({"request": {"closeLogicalChannel": {"forwardLogicalChannelNumber": 101, "source": {"user": null}}}})));
    assert_eq!(caller.events, [Event::ChannelClosed { session_id: 1, flow: Flow::Receive, channel: 101 }]);
}

#[test]
fn a_request_to_close_is_granted_for_channels_that_exist() {
    let (mut caller, _) = connected();
    let request = |number: u16| {
        h245(
            json!({"request": {"requestChannelClose": {"forwardLogicalChannelNumber": number, "reason": {"normal": null}}}}),
        )
    };
    caller.tunnel(&request(999));
    assert!(describe(&caller.h245[0])["response"].get("requestChannelCloseReject").is_some());
    caller.forget();
    caller.tunnel(&request(101));
    assert!(describe(&caller.h245[0])["response"].get("requestChannelCloseAck").is_some());
    assert!(describe(&caller.h245[1])["request"].get("closeLogicalChannel").is_some());
    assert_eq!(caller.events, [Event::ChannelClosed { session_id: 1, flow: Flow::Transmit, channel: 101 }]);
    assert_eq!(caller.h245.len(), 2, "it is not opened again at once");
}

/// A caller whose OpenLogicalChannel waits for an answer.
fn opening() -> Script {
    let mut caller = Script::caller(config(), media(CALLER, &[AudioCodec::Pcma, AudioCodec::Pcmu]));
    caller.signal(&connect(None, Some(true)));
    caller.tunnel(&h245(json!({"request": {"terminalCapabilitySet": {
        "sequenceNumber": 1, "protocolIdentifier": "0.0.8.245.0.15",
        "capabilityTable": [
            {"capabilityTableEntryNumber": 1, "capability": {"receiveAudioCapability": {"g711Alaw64k": 20}}},
            {"capabilityTableEntryNumber": 2, "capability": {"receiveAudioCapability": {"g711Ulaw64k": 20}}},
        ],
    }}})));
    caller.tunnel(&h245(json!({"response": {"terminalCapabilitySetAck": {"sequenceNumber": 1}}})));
    caller
        .tunnel(&h245(json!({"response": {"masterSlaveDeterminationAck": {"decision": {"master": null}}}})));
    let opens =
        caller.h245.iter().filter(|m| describe(*m)["request"].get("openLogicalChannel").is_some()).count();
    assert_eq!(opens, 1, "{:?}", caller.h245);
    caller.forget();
    caller
}

#[test]
fn an_acknowledgement_without_rtcp_address_means_the_port_above() {
    let mut caller = opening();
    caller.tunnel(&h245(json!({"response": {"openLogicalChannelAck": {
        "forwardLogicalChannelNumber": 101,
        "forwardMultiplexAckParameters": {"h2250LogicalChannelAckParameters": {
            "mediaChannel": {"unicastAddress": {"iPAddress": {"network": "0a000002", "tsapIdentifier": 4000}}},
        }},
    }}})));
    let [Event::ChannelOpened(plan)] = caller.events.as_slice() else { panic!("{:?}", caller.events) };
    assert_eq!(plan.remote_rtp, Some(([10, 0, 0, 2], 4000).into()));
    assert_eq!(plan.remote_rtcp, Some(([10, 0, 0, 2], 4001).into()));
}

#[test]
fn an_acknowledgement_without_rtp_address_is_no_channel() {
    let mut caller = opening();
    caller
        .tunnel(&h245(json!({"response": {"openLogicalChannelAck": {"forwardLogicalChannelNumber": 101}}})));
    assert!(caller.events.is_empty(), "{:?}", caller.events);
    assert!(describe(&caller.h245[0])["request"].get("closeLogicalChannel").is_some());
    assert!(
        describe(&caller.h245[1])["request"].get("openLogicalChannel").is_some(),
        "the next codec is tried"
    );
}

#[test]
fn rejects_lead_to_the_next_codec_and_then_to_the_application() {
    let mut caller = opening();
    for number in [101, 102] {
        caller.tunnel(&h245(json!({"response": {"openLogicalChannelReject": {
            "forwardLogicalChannelNumber": number, "cause": {"dataTypeNotAvailable": null},
        }}})));
    }
    assert_eq!(caller.events, [Event::ChannelRejected { session_id: 1 }]);
    assert_eq!(caller.h245.len(), 1);
    caller.wait(Duration::from_secs(1000));
    assert_eq!(caller.call.state(), CallState::Active);
}

#[test]
fn an_unanswered_channel_is_given_up_and_the_next_codec_tried() {
    let mut caller = opening();
    caller.wait(Duration::from_secs(31));
    assert!(describe(&caller.h245[0])["request"].get("closeLogicalChannel").is_some());
    assert!(describe(&caller.h245[1])["request"].get("openLogicalChannel").is_some());
    caller.wait(Duration::from_secs(31));
    assert_eq!(caller.events, [Event::ChannelRejected { session_id: 1 }]);
    assert_eq!(caller.call.poll_timeout(), None);
}

#[test]
fn ties_are_tried_again_and_not_for_ever() {
    let mut caller = Script::caller(
        Config { status_determination_number: Some(5), ..config() },
        media(CALLER, &[AudioCodec::Pcma]),
    );
    caller.signal(&connect(None, Some(true)));
    for _ in 0..20 {
        caller.tunnel(&h245(json!({"request": {"masterSlaveDetermination": {"terminalType": 50, "statusDeterminationNumber": 5}}})));
    }
    let sent =
        caller.h245.iter().filter(|m| describe(*m)["request"].get("masterSlaveDetermination").is_some());
    assert_eq!(sent.count(), 10, "N100");
    let Some(Event::Released(info)) = caller.events.last() else { panic!("{:?}", caller.events) };
    assert_eq!((info.origin, info.cause), (Origin::Machine, Some(Cause::PROTOCOL_ERROR)));
}

#[test]
fn the_determination_number_decides_modulo_2_to_the_24() {
    // Ours is 5: theirs − ours below 2^23 makes us master, above it slave (H.245 C.2).
    for (theirs, terminal_type, decision) in [
        (6, 50, "slave"),
        (4, 50, "master"),
        (5 + 0x7f_ffff, 50, "slave"),
        (6 + 0x80_0000, 50, "master"),
        (6, 60, "master"),
        (4, 40, "slave"),
    ] {
        let mut caller = Script::caller(
            Config { status_determination_number: Some(5), ..config() },
            media(CALLER, &[AudioCodec::Pcma]),
        );
        caller.signal(&connect(None, Some(true)));
        caller.h245.clear();
        caller.tunnel(&h245(json!({"request": {"masterSlaveDetermination": {
            "terminalType": terminal_type, "statusDeterminationNumber": theirs,
        }}})));
        let ack = &describe(&caller.h245[0])["response"]["masterSlaveDeterminationAck"]["decision"];
        assert!(ack.get(decision).is_some(), "{theirs} {terminal_type}: the peer is {ack}");
    }
}

#[test]
fn more_capabilities_than_we_keep_are_rejected_as_a_whole() {
    let (mut caller, _) = connected();
    let set = |sequence: u8, from: u16| {
        let entries: Vec<Value> = (0..200)
            .map(|n| json!({"capabilityTableEntryNumber": from + n, "capability": {"receiveAudioCapability": {"g711Alaw64k": 20}}}))
            .collect();
        h245(json!({"request": {"terminalCapabilitySet": {
            "sequenceNumber": sequence, "protocolIdentifier": "0.0.8.245.0.15", "capabilityTable": entries,
        }}}))
    };
    caller.tunnel(&set(20, 1));
    assert!(describe(&caller.h245[0])["response"].get("terminalCapabilitySetAck").is_some());
    caller.tunnel(&set(21, 1000));
    let reject = &describe(&caller.h245[1])["response"]["terminalCapabilitySetReject"];
    assert_eq!(reject["sequenceNumber"], 21);
    assert_eq!(caller.call.limits_hit().capabilities, 1);
    assert_eq!(caller.call.state(), CallState::Active);
}

#[test]
fn an_end_session_without_release_complete_ends_the_call_after_a_while() {
    let (mut caller, _) = connected();
    caller.tunnel(&H245::Command(CommandMessage::EndSessionCommand(EndSessionCommand::Disconnect).into()));
    assert!(describe(&caller.h245[0])["command"].get("endSessionCommand").is_some(), "ours answers");
    let closed = caller.events.iter().filter(|e| matches!(e, Event::ChannelClosed { .. })).count();
    assert_eq!((closed, is_released(&caller)), (2, false));
    caller.wait(Duration::from_secs(3));
    let Some(Event::Released(info)) = caller.events.last() else { panic!("{:?}", caller.events) };
    assert_eq!((info.origin, info.cause), (Origin::Remote, Some(Cause::NORMAL_CALL_CLEARING)));
    caller.wait(Duration::from_secs(3));
    assert!(caller.call.is_finished());
}

#[test]
fn digits_go_as_characters_to_a_peer_that_takes_no_signals() {
    let mut caller = opening();
    caller.call.send_digits(caller.now, "42");
    caller.drain();
    for (message, key) in caller.h245.iter().zip(["4", "2"]) {
        assert_eq!(describe(message)["indication"]["userInput"]["alphanumeric"], key);
    }
    assert_eq!(caller.h245.len(), 2);
}

#[test]
fn of_two_channels_in_a_session_the_later_counts_and_then_the_earlier_again() {
    let (mut caller, _) = connected();
    let close = |number: u16| {
        h245(json!({"request": {"closeLogicalChannel": {
            "forwardLogicalChannelNumber": number, "source": {"user": null},
        }}}))
    };
    let opened = |script: &Script| match script.events.as_slice() {
        [Event::ChannelOpened(plan)] => Some((plan.channel, plan.codec)),
        _ => None,
    };
    caller.tunnel(&open(200, 1, json!({"audioData": {"g711Ulaw64k": 20}})));
    assert_eq!(opened(&caller), Some((200, AudioCodec::Pcmu)));
    caller.forget();
    caller.tunnel(&close(200));
    assert_eq!(opened(&caller), Some((101, AudioCodec::Pcma)));
    caller.tunnel(&open(200, 1, json!({"audioData": {"g711Ulaw64k": 20}})));
    caller.forget();
    caller.tunnel(&close(101));
    assert!(caller.events.is_empty());
    caller.tunnel(&close(200));
    assert_eq!(caller.events, [Event::ChannelClosed { session_id: 1, flow: Flow::Receive, channel: 200 }]);
}
