//! H.460: features in real RAS messages, named and dissected by tshark, which we did not write.
//! In: a description of each parameter that holds ASN.1. tshark knows H.460.9, .17, .18, .19 and .22.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use offhook_wire::capture::CaptureWriter;
use offhook_wire::h225::{Content, GenericData, RasMessage, UnregistrationConfirm};
use offhook_wire::{h225, h245, h460, per};
use serde_json::{Value, json};

/// tshark's dissection of a RAS message with these features; nothing where there is no tshark.
fn dissected(features: Vec<GenericData>) -> Option<String> {
    let mut confirm = UnregistrationConfirm::new(1);
    confirm.generic_data = Some(features);
    let octets = Bytes::from(per::encode(&RasMessage::UnregistrationConfirm(confirm.into())).unwrap());
    let mut writer = CaptureWriter::new(Vec::new()).unwrap();
    let ends: [SocketAddr; 2] = ["10.0.0.1:1719".parse().unwrap(), "10.0.0.2:1719".parse().unwrap()];
    let at = Duration::from_secs(1_700_000_000);
    writer.udp(at, ends[0], ends[1], &octets).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("h460.pcap");
    std::fs::write(&path, writer.finish(at).unwrap()).unwrap();
    let Ok(output) = Command::new("tshark").arg("-r").arg(path).arg("-V").output() else {
        assert!(std::env::var_os("CI").is_none(), "tshark is missing");
        eprintln!("tshark is missing: H.460 is not held against it");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.contains("Malformed") && !text.contains("[Expert Info (Error"), "{text}");
    Some(text)
}

#[track_caller]
fn names(text: &str, wanted: &[&str]) {
    let missing: Vec<_> = wanted.iter().filter(|name| !text.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?} not in {text}");
}

/// A feature whose one parameter holds what is described.
fn feature(id: i64, parameter: i64, description: &Value) -> GenericData {
    let kind = h460::raw_type(id, parameter).unwrap();
    let octets = Bytes::from(kind.build(description).unwrap());
    assert_eq!(kind.describe(&octets).as_ref(), Ok(description));
    GenericData::new(id.into()).with(parameter, Content::Raw(octets))
}

fn channel() -> Value {
    json!({ "sendAddress": { "ipAddress": { "ip": "0a000001", "port": 5000 } } })
}

#[test]
fn tshark_dissects_a_report_on_quality() {
    let guid = "000102030405060708090a0b0c0d0e0f";
    let measures = json!({ "rtpAddress": channel(), "rtcpAddress": channel(), "sessionId": 1,
        "mediaSenderMeasures": { "worstEstimatedEnd2EndDelay": 70_000, "meanEstimatedEnd2EndDelay": 20 },
        "mediaReceiverMeasures": { "cumulativeNumberOfPacketsLost": 3, "packetLostRate": 1, "worstJitter": 9,
            "estimatedThroughput": 640, "fractionLostRate": 2, "meanJitter": 4 },
        "extensions": [{ "extensionId": { "standard": 2 }, "extensionContent": "00" }] });
    let report = json!({ "periodic": { "perCallInfo": [{ "callReferenceValue": 77, "conferenceID": guid,
        "callIdentifier": { "guid": guid }, "mediaChannelsQoS": [measures.clone()] }] } });
    let last = json!({ "final": { "mediaInfo": [measures] } });
    let metrics = json!({ "networkPacketLossRate": 3, "jitterBufferDiscardRate": 4,
        "burstMetrics": { "gmin": 16, "burstLossDensity": 2, "gapLossDensity": 1, "burstDuration": 300, "gapDuration": 9 },
        "rtcpRoundTripDelay": 41, "endSystemDelay": 42, "signalLevel": -20, "noiseLevel": -70,
        "residualEchoReturnLoss": 55, "rFactor": 93, "extRFactor": 90, "estimatedMOSLQ": 44, "estimatedMOSCQ": 43,
        "plcType": { "enhanced": null }, "jitterBufferParms": { "jitterBufferType": { "adaptive": null },
            "jitterBufferAdaptRate": 5, "jitterBufferNominalSize": 40, "jitterBufferMaxSize": 120,
            "jitterBufferAbsoluteMax": 500 } });
    let only_final = GenericData::new(h460::QOS_MONITORING.into()).with_flag(h460::QOS_MONITORING_FINAL_ONLY);
    let Some(text) = dissected(vec![
        feature(h460::QOS_MONITORING, h460::QOS_MONITORING_REPORT_DATA, &report),
        feature(h460::QOS_MONITORING, h460::QOS_MONITORING_REPORT_DATA, &last),
        feature(h460::QOS_MONITORING, h460::QOS_MONITORING_EXTENDED_RTP_METRICS, &metrics),
        only_final,
    ]) else {
        return;
    };
    names(
        &text,
        &[
            "qosMonitoringReportData",
            "qosMonitoringFinalOnly",
            "qosMonitoringExtendedRTPMetrics",
            "callReferenceValue: 77",
            "worstEstimatedEnd2EndDelay: 70000",
            "meanEstimatedEnd2EndDelay: 20",
            "cumulativeNumberOfPacketsLost: 3",
            "estimatedThroughput: 640",
            "fractionLostRate: 2",
            "meanJitter: 4",
            "extensionContent",
            "networkPacketLossRate: 3",
            "gmin: 16",
            "burstDuration: 300",
            "rtcpRoundTripDelay: 41",
            "signalLevel: -20",
            "noiseLevel: -70",
            "residualEchoReturnLoss: 55",
            "extRFactor: 90",
            "estimatedMOSCQ: 43",
            "plcType: enhanced",
            "jitterBufferType: adaptive",
            "jitterBufferAdaptRate: 5",
            "jitterBufferAbsoluteMax: 500",
        ],
    );
}

#[test]
fn tshark_names_traversal_and_security() {
    let address =
        h225::TransportAddress::IpAddress(h225::TransportAddressIpAddress::new([10, 0, 0, 9], 1300));
    let ras = json!({ "unregistrationConfirm": { "requestSeqNum": 4242 } });
    let call = json!({ "callSignallingAddress": { "ipAddress": { "ip": "0a000001", "port": 1720 } },
        "callID": { "guid": "000102030405060708090a0b0c0d0e0f" } });
    let protocol = GenericData::new(0.into())
        .with(h460::PRIORITY, Content::Number8(1))
        .with(h460::CONNECTION_ADDRESS, Content::Transport(address));
    let security = GenericData::new(h460::SECURITY_PROTOCOL_NEGOTIATION.into())
        .with(h460::TLS_SECURITY_PROTOCOL, Content::Compound(protocol.parameters.unwrap()));
    let media = GenericData::new(h460::MEDIA_TRAVERSAL.into())
        .with_flag(h460::SUPPORT_TRANSMIT_MULTIPLEXED_MEDIA)
        .with_flag(h460::MEDIA_TRAVERSAL_SERVER);
    let Some(text) = dissected(vec![
        feature(h460::RAS_OVER_H225, h460::RAS_MESSAGE, &ras),
        feature(h460::SIGNALLING_TRAVERSAL, h460::INCOMING_CALL_INDICATION, &call),
        feature(
            h460::SIGNALLING_TRAVERSAL,
            h460::LRQ_KEEP_ALIVE_DATA,
            &json!({ "lrqKeepAliveInterval": 29 }),
        ),
        media,
        security,
    ]) else {
        return;
    };
    names(
        &text,
        &[
            "RAS over H.225.0",
            "requestSeqNum: 4242",
            "Signalling Traversal",
            "IncomingCallIndication",
            "lrqKeepAliveInterval: 29",
            "mediaNATFWTraversal",
            "supportTransmitMultiplexedMedia",
            "mediaTraversalServer",
            "securityProtocolNegotiation",
            "tlsSecurityProtocol",
            "connectionAddress",
        ],
    );
}

#[test]
fn features_and_parameters_are_found_by_their_identifier() {
    let interval = h460::LRQKeepAliveData::new(29);
    let feature = GenericData::new(h460::SIGNALLING_TRAVERSAL.into())
        .with_encoded(h460::LRQ_KEEP_ALIVE_DATA, &interval)
        .unwrap()
        .with(h460::NAT_TYPE, Content::Number8(h460::NatInstruction::AnnexB.into()));
    let features = [GenericData::new(h460::MEDIA_STRATEGY.into()), feature];
    let found = h460::find(&features, h460::SIGNALLING_TRAVERSAL).unwrap();
    assert_eq!(found.decoded(h460::LRQ_KEEP_ALIVE_DATA), Some(Ok(interval.into())));
    assert_eq!(found.decoded::<h460::LRQKeepAliveData>(h460::NAT_TYPE), None);
    assert_eq!(h460::find(&features, h460::NAT_DETERMINATION), None);
    for number in 0..=255 {
        assert_eq!(u8::from(h460::NatInstruction::from(number)), number);
    }
}

#[test]
fn alternate_addresses_are_kept() {
    let address = h245::UnicastAddressIPAddress::new([10, 0, 0, 1], 5000);
    let address = h245::TransportAddress::UnicastAddress(h245::UnicastAddress::IPAddress(address));
    let one = h460::AlternateAddress {
        session_id: 1,
        rtp_address: Some(address),
        multiplex_id: Some(70_000),
        ..Default::default()
    };
    let kind = h460::octet_string_type(&h460::ALTERNATE_ADDRESSES_OID, h460::ALTERNATE_ADDRESSES).unwrap();
    let octets = Bytes::from(per::encode(&h460::AlternateAddresses::new(vec![one])).unwrap());
    let description = kind.describe(&octets).unwrap();
    assert_eq!(description["addresses"][0]["multiplexID"], 70_000);
    assert_eq!(kind.build(&description).map(Bytes::from), Ok(octets));
}
