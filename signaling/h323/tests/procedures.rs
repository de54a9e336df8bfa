//! What a peer may say at any time, and what it gets for it: Status, rejects, refusals, releases.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use common::script::{Script, join};
use common::{CALLED, CALLER, media};
use offhook_h323::{
    Action, AudioCodec, CallState, Cause, Channel, Closed, Config, DtmfWay, Event, Flow, MediaCommand,
    Origin, ReleaseReason,
};
use offhook_wire::h225::{
    CallIdentifier, CallProceedingUuie, ConnectUuie, EndpointType, FacilityReason, FacilityUuie,
    H323UserInformation, H323UuPdu, H323UuPduH323MessageBody as Body, ReleaseCompleteReason,
    TransportAddress, TransportAddressIpAddress,
};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::h245::{
    CommandMessage, EndSessionCommand, IndicationMessage, MultimediaSystemControlMessage as H245,
    RequestMessage, ResponseMessage,
};
use offhook_wire::per::Oid;
use offhook_wire::per::json::{Value, build, describe};
use offhook_wire::q931::{
    CallReference, CallState as CallStateElement, Element, Message, MessageType, UserUser,
};
use serde_json::json;

const PROTOCOL: Oid = Oid::new(&[0, 0, 8, 2250, 0, 7]);

/// An H.245 message from its description.
fn h245(description: Value) -> H245 {
    build(&description).expect("a description of an H.245 message")
}

fn config() -> Config {
    let mut config = Config { fast_start: false, ..Config::default() };
    config.timers.round_trip_interval = None;
    // Without telephone-events, which the media side would send.
    config.dtmf.retain(|way| *way != DtmfWay::TelephoneEvent);
    config
}

/// Two sides, connected by tunnelled slow start; then each stands alone with a peer that the test plays.
fn connected() -> (Script, Script) {
    connected_with(config(), config())
}

fn connected_with(caller: Config, called: Config) -> (Script, Script) {
    let mut caller = Script::caller(caller, media(CALLER, &[AudioCodec::Pcma, AudioCodec::Pcmu]));
    let mut called = Script::called(called);
    let mut opened = 0;
    join(&mut caller, &mut called, |script, event| match event {
        Event::Setup(_) => {
            let now = script.now;
            script.call.set_media(now, media(CALLED, &[AudioCodec::Pcma, AudioCodec::Pcmu]));
            script.call.accept(now);
            script.call.answer(now);
        }
        Event::ChannelOpened(_) => opened += 1,
        _ => {}
    });
    assert_eq!(opened, 4);
    caller.forget();
    called.forget();
    (caller, called)
}

fn signal(body: Body, kind: MessageType) -> CallSignal {
    let mut pdu = H323UuPdu::new(body);
    pdu.h245_tunnelling = Some(true);
    CallSignal {
        q931: Message::new(kind, CallReference::new(77, true)),
        uuie: Some(H323UserInformation::new(pdu).into()),
    }
}

fn connect(h245_address: Option<SocketAddr>, tunnelling: Option<bool>) -> CallSignal {
    let mut uuie = ConnectUuie::new(PROTOCOL, EndpointType::new(false, false), [9; 16]);
    uuie.call_identifier = Some(CallIdentifier::new([7; 16]));
    uuie.h245_address = h245_address.map(address);
    let mut signal = signal(Body::Connect(uuie.into()), MessageType::CONNECT);
    signal.uuie.as_mut().unwrap().h323_uu_pdu.h245_tunnelling = tunnelling;
    signal
}

fn address(address: SocketAddr) -> TransportAddress {
    let SocketAddr::V4(v4) = address else { panic!("IPv4") };
    TransportAddress::IpAddress(TransportAddressIpAddress::new(v4.ip().octets(), v4.port()))
}

fn start_h245(to: SocketAddr) -> CallSignal {
    let mut uuie = FacilityUuie::new(PROTOCOL, FacilityReason::StartH245);
    uuie.h245_address = Some(address(to));
    let mut signal = signal(Body::Facility(uuie.into()), MessageType::FACILITY);
    signal.uuie.as_mut().unwrap().h323_uu_pdu.h245_tunnelling = Some(false);
    signal
}

fn is_released(script: &Script) -> bool {
    script.events.iter().any(|event| matches!(event, Event::Released(_)))
}

#[test]
fn a_status_inquiry_is_answered_with_the_state() {
    let (mut caller, _) = connected();
    caller.signals.clear();
    caller.bare(MessageType::STATUS_INQUIRY);
    let status = &caller.signals[0].q931;
    assert_eq!(status.message_type, MessageType::STATUS);
    assert_eq!(status.cause(), Some(Cause::RESPONSE_TO_STATUS_ENQUIRY));
    assert_eq!(status.readable::<CallStateElement>(), Some(CallStateElement::new(10)));
}

#[test]
fn what_is_unknown_or_out_of_place_gets_a_status_and_a_storm_of_it_silence() {
    let (mut caller, mut called) = connected();
    caller.bare(MessageType(0x33));
    assert_eq!(caller.signals[0].q931.cause(), Some(Cause::MESSAGE_TYPE_NOT_IMPLEMENTED));
    called.payload(&Message::new(MessageType::ALERTING, CallReference::new(77, false)).encode().unwrap());
    assert_eq!(called.signals[0].q931.cause(), Some(Cause::INCOMPATIBLE_CALL_STATE));
    for _ in 0..1000 {
        caller.bare(MessageType(0x33));
    }
    assert_eq!(caller.signals.len(), 32);
    assert_eq!(caller.call.state(), CallState::Active);
}

#[test]
fn a_message_of_another_call_is_answered_and_changes_nothing() {
    let (mut caller, _) = connected();
    let other = CallReference::new(5, false);
    let mut say = |kind: MessageType| {
        caller.forget();
        caller.payload(&Message::new(kind, other).encode().unwrap());
        caller.signals.first().cloned()
    };
    let answer = say(MessageType::SETUP).expect("an answer");
    assert_eq!(answer.q931.message_type, MessageType::RELEASE_COMPLETE);
    assert_eq!(answer.q931.call_reference, other.flipped());
    let Some(Body::ReleaseComplete(uuie)) = answer.body() else { panic!("{answer:?}") };
    assert_eq!(uuie.reason, Some(ReleaseCompleteReason::NewConnectionNeeded));
    let answer = say(MessageType::ALERTING).expect("an answer");
    assert_eq!(answer.q931.cause(), Some(Cause::INVALID_CALL_REFERENCE));
    assert_eq!(say(MessageType::RELEASE_COMPLETE), None);
    assert_eq!(say(MessageType::STATUS), None);
    assert_eq!(caller.call.state(), CallState::Active);
}

#[test]
fn garbage_is_counted_and_too_much_of_it_ends_the_call() {
    let (mut caller, _) = connected();
    for _ in 0..5 {
        caller.payload(b"no Q.931 at all");
        assert!(!is_released(&caller));
    }
    caller.payload(b"no Q.931 at all");
    let Some(Event::Released(info)) = caller.events.last() else { panic!("{:?}", caller.events) };
    assert_eq!((info.origin, info.cause), (Origin::Machine, Some(Cause::PROTOCOL_ERROR)));
    assert_eq!(caller.signals.last().unwrap().q931.message_type, MessageType::RELEASE_COMPLETE);
}

#[test]
fn a_stream_that_is_no_tpkt_ends_the_call_at_once() {
    let (mut caller, _) = connected();
    caller.octets(Channel::Signaling, b"GET / HTTP/1.1\r\n\r\n");
    assert!(is_released(&caller) && caller.call.is_finished());
    let mut called = Script::called(config());
    called.octets(Channel::Signaling, b"GET / HTTP/1.1\r\n\r\n");
    assert!(is_released(&called) && called.call.is_finished());
    assert!(called.signals.is_empty(), "there is no call to release");
    assert_eq!(called.actions, [Action::CloseSignaling]);
}

#[test]
fn a_setup_that_cannot_be_read_is_released_with_the_cause() {
    for (contents, cause) in [
        (None, Cause::MANDATORY_ELEMENT_MISSING),
        (Some(&b"\xff\xff\xff"[..]), Cause::INVALID_ELEMENT_CONTENTS),
    ] {
        let mut called = Script::called(config());
        let mut setup = Message::new(MessageType::SETUP, CallReference::new(3, false));
        if let Some(contents) = contents {
            setup.insert(UserUser::new(Bytes::from_static(contents)).to_element());
        }
        called.payload(&setup.encode().unwrap());
        let answer = &called.signals[0].q931;
        assert_eq!(answer.message_type, MessageType::RELEASE_COMPLETE);
        assert_eq!(answer.call_reference, CallReference::new(3, true));
        assert_eq!(answer.cause(), Some(cause));
        assert!(is_released(&called));
        called.wait(Duration::from_secs(2));
        assert!(called.call.is_finished());
    }
}

#[test]
fn whoever_never_comes_to_setup_is_let_go() {
    let mut called = Script::called(config());
    for _ in 0..6 {
        called.payload(
            &Message::new(MessageType::STATUS_INQUIRY, CallReference::new(3, false)).encode().unwrap(),
        );
    }
    assert!(is_released(&called) && called.call.is_finished());
    // Q.931 5.8.10: an inquiry about no call is answered with the null state.
    assert_eq!(called.signals[0].q931.message_type, MessageType::STATUS);
    assert_eq!(called.signals[0].q931.cause(), Some(Cause::RESPONSE_TO_STATUS_ENQUIRY));
    let mut called = Script::called(config());
    called.payload(&Message::new(MessageType::NOTIFY, CallReference::new(3, false)).encode().unwrap());
    assert_eq!(called.signals[0].q931.cause(), Some(Cause::INVALID_CALL_REFERENCE));
}

#[test]
fn a_uuie_that_cannot_be_read_does_not_hide_a_release() {
    let (mut caller, _) = connected();
    let mut release = Message::new(MessageType::RELEASE_COMPLETE, CallReference::new(77, true));
    release.insert(UserUser::new(Bytes::from_static(b"\xff\xff")).to_element());
    caller.payload(&release.encode().unwrap());
    assert!(is_released(&caller));
}

#[test]
fn disconnect_of_a_q931_network_is_a_release() {
    let (mut caller, _) = connected();
    caller.bare(MessageType::DISCONNECT);
    assert!(is_released(&caller) && caller.call.is_finished());
}

#[test]
fn status_null_means_that_the_call_is_over() {
    let (mut caller, _) = connected();
    let status =
        Message::new(MessageType::STATUS, CallReference::new(77, true)).with(&CallStateElement::new(0));
    caller.payload(&status.encode().unwrap());
    let Some(Event::Released(info)) = caller.events.last() else { panic!("{:?}", caller.events) };
    assert_eq!(info.cause, Some(Cause::INCOMPATIBLE_CALL_STATE));
}

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

const OURS: ([u8; 4], u16) = ([10, 0, 0, 1], 7000);

/// A caller without tunnelling, connected to a peer that has said nothing about H.245.
fn listening_caller() -> Script {
    let config = Config { tunnelling: false, ..config() };
    let mut caller = Script::caller(config, media(CALLER, &[AudioCodec::Pcma]));
    caller.signal(&connect(None, Some(false)));
    assert_eq!(caller.actions, [Action::ListenH245]);
    caller.forget();
    caller.call.h245_listening(caller.now, OURS.into());
    caller.drain();
    let Some(Body::Facility(facility)) = caller.signals[0].body() else { panic!("{:?}", caller.signals) };
    assert_eq!(facility.reason, FacilityReason::StartH245);
    assert_eq!(facility.h245_address, Some(address(OURS.into())));
    caller
}

#[test]
fn crossing_start_h245_leaves_one_connection() {
    // H.323 8.2.3: the side with the smaller address gives way.
    let mut caller = listening_caller();
    caller.signal(&start_h245(([10, 0, 0, 2], 7000).into()));
    assert!(caller.actions.is_empty(), "ours is smaller: the peer connects");
    caller.call.handle_connected(caller.now, Channel::H245);
    caller.drain();
    assert_eq!(caller.h245.len(), 2, "capabilities and determination");

    let mut caller = listening_caller();
    let smaller = ([9, 0, 0, 2], 7000).into();
    caller.signal(&start_h245(smaller));
    // The listener stays: the peer may be connecting already, and ours may fail.
    assert_eq!(caller.actions, [Action::ConnectH245(smaller)]);
    caller.signal(&start_h245(([9, 0, 0, 3], 7000).into()));
    assert_eq!(caller.actions.len(), 1, "it connects only once");
}

#[test]
fn an_h245_connection_that_breaks_ends_a_call_that_lives_by_it() {
    let mut caller = listening_caller();
    caller.call.handle_connected(caller.now, Channel::H245);
    caller.call.handle_closed(caller.now, Channel::H245, Closed::Failed);
    caller.drain();
    let Some(Event::Released(info)) = caller.events.last() else { panic!("{:?}", caller.events) };
    assert_eq!((info.origin, info.cause), (Origin::Network, Some(Cause::TEMPORARY_FAILURE)));
    assert_eq!(caller.signals.last().unwrap().q931.message_type, MessageType::RELEASE_COMPLETE);
}

#[test]
fn octets_on_the_h245_connection_that_are_no_tpkt_end_a_call_that_lives_by_it() {
    let mut caller = listening_caller();
    caller.call.handle_connected(caller.now, Channel::H245);
    caller.octets(Channel::H245, b"nonsense");
    assert!(is_released(&caller));
    assert!(caller.actions.contains(&Action::CloseH245));
}

#[test]
fn h245_tunnelled_to_a_side_that_does_not_tunnel_is_void() {
    let mut caller = listening_caller();
    caller.forget();
    caller.tunnel(&h245(json!({"request": {"roundTripDelayRequest": {"sequenceNumber": 9}}})));
    assert!(caller.h245.is_empty());
}

#[test]
fn a_refusal_of_fast_connect_that_was_never_offered_means_nothing() {
    let mut caller = Script::caller(config(), media(CALLER, &[AudioCodec::Pcma]));
    let mut uuie = CallProceedingUuie::new(PROTOCOL, EndpointType::new(false, false));
    uuie.fast_connect_refused = Some(());
    caller.signal(&signal(Body::CallProceeding(uuie.into()), MessageType::CALL_PROCEEDING));
    assert_eq!(caller.call.state(), CallState::OutgoingProceeding);
    assert_eq!(caller.call.protocol_errors(), 0);
}

#[test]
fn an_answer_to_fast_connect_that_opens_nothing_leads_to_slow_start() {
    let config = Config { fast_start: true, ..config() };
    let mut caller = Script::caller(config, media(CALLER, &[AudioCodec::Pcma]));
    let mut answer = connect(None, Some(true));
    if let Body::Connect(uuie) = &mut answer.uuie.as_mut().unwrap().h323_uu_pdu.h323_message_body {
        uuie.fast_start = Some(vec![Bytes::from_static(b"\x00"), Bytes::new()]);
    }
    caller.signal(&answer);
    let Some(Event::Connected(info)) = caller.events.last() else { panic!("{:?}", caller.events) };
    assert!(!info.fast_start);
    assert_eq!(caller.h245.len(), 2, "capabilities and determination");
}

#[test]
fn digits_go_by_keypad_when_there_is_no_h245() {
    let config = Config { fast_start: true, h245_after_fast_start: false, ..config() };
    let (mut caller, mut called) = connected_with(config.clone(), config);
    caller.call.send_digits(caller.now, "42");
    caller.drain();
    for (signal, key) in caller.signals.clone().iter().zip(["4", "2"]) {
        assert_eq!(signal.q931.keypad_facility().as_deref(), Some(key));
        called.signal(signal);
    }
    assert_eq!(called.events.len(), 2);
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
fn a_release_reason_survives_beside_its_cause() {
    let (mut caller, _) = connected();
    let mut release = signal(
        Body::ReleaseComplete({
            let mut uuie = offhook_wire::h225::ReleaseCompleteUuie::new(PROTOCOL);
            uuie.reason = Some(ReleaseCompleteReason::InConf);
            uuie.into()
        }),
        MessageType::RELEASE_COMPLETE,
    );
    caller.signal(&release);
    let Some(Event::Released(info)) = caller.events.last() else { panic!("{:?}", caller.events) };
    assert_eq!((info.cause, info.reason), (None, Some(ReleaseReason::InConf)));
    assert_eq!(info.effective_cause(), Cause::USER_BUSY);

    for value in 1..=127 {
        let (mut caller, _) = connected();
        let element = offhook_wire::q931::CauseElement::new(offhook_wire::q931::Location::USER, Cause(value));
        release.q931 =
            Message::new(MessageType::RELEASE_COMPLETE, CallReference::new(77, true)).with(&element);
        caller.signal(&release);
        let Some(Event::Released(info)) = caller.events.last() else { panic!("{:?}", caller.events) };
        assert_eq!(info.cause, Some(Cause(value)));
    }
}

#[test]
fn nothing_follows_the_peer_s_release() {
    let (mut caller, _) = connected();
    caller.bare(MessageType::RELEASE_COMPLETE);
    assert!(is_released(&caller) && caller.call.is_finished());
    assert!(caller.signals.is_empty() && caller.h245.is_empty(), "{:?}", caller.signals);
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
