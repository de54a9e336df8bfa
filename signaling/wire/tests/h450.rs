//! H.450: every operation and error in a real message, named and dissected by tshark, which we did
//! not write.
//! In: a description of each argument and result. Not here: the envelope by itself (`vectors.rs`).

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use offhook_wire::capture::CaptureWriter;
use offhook_wire::h225::{
    FacilityReason, FacilityUuie, H323UserInformation, H323UuPdu, H323UuPduH323MessageBody,
};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::pdu::nested;
use offhook_wire::q931::CallReference;
use offhook_wire::{h450, per, tpkt};
use serde_json::{Value, json};

fn endpoint(digits: &str) -> Value {
    json!({ "destinationAddress": [{ "dialledDigits": digits }] })
}

fn extensions() -> Value {
    json!([{ "extension": { "extensionId": "1.3.6.1.4.1.9", "extensionArgument": "0102" } }])
}

fn extension_seq() -> Value {
    json!({ "extensionSeq": [{ "extensionId": "1.3.6.1.4.1.9", "extensionArgument": "0102" }] })
}

const GUID: &str = "000102030405060708090a0b0c0d0e0f";

/// An argument of each operation, by its code.
fn arguments() -> BTreeMap<i64, Value> {
    let id = json!({ "guid": GUID });
    let name = json!({ "name": { "namePresentationAllowed": { "extendedName": "Ana" } } });
    let cc = json!({ "longArg": { "numberA": endpoint("12"), "service": "telephony", "ccIdentifier": id } });
    let intrusion = json!({ "ciCapabilityLevel": 2, "argumentExtension": extensions() });
    let activate = json!({ "servedUserNr": endpoint("12"), "basicService": "videotelephony",
        "msgCentreId": { "numericString": "123" }, "nbOfMessages": 3, "originatingNr": endpoint("45"),
        "timestamp": "20250102030405Z", "priority": 9 });
    let ask = json!({ "servedUserNr": endpoint("12"), "basicService": "speech",
        "msgCentreId": { "partyNumber": endpoint("99") }, "callbackReq": true });
    let only = |member: &str| json!({ member: extensions() });
    BTreeMap::from([
        (7, extension_seq()),
        (8, extension_seq()),
        (9, json!({ "callIdentity": "12", "reroutingNumber": endpoint("34") })),
        (10, json!({ "callIdentity": "8", "transferringNumber": endpoint("34") })),
        (
            11,
            json!({ "connectedAddress": endpoint("12"), "connectedInfo": "who",
            "basicCallInfoElements": "1e0281 88".replace(' ', "") }),
        ),
        (
            12,
            json!({ "endDesignation": "secondaryEnd", "redirectionNumber": endpoint("12"),
            "redirectionInfo": "there", "callStatus": "alerting" }),
        ),
        (13, json!({ "redirectionNumber": endpoint("12"), "redirectionInfo": "there" })),
        (14, json!({ "redirectionSubaddress": { "nsapSubaddress": "0102" } })),
        (
            15,
            json!({ "procedure": "cfb", "basicService": "allServices", "divertedToAddress": endpoint("1"),
            "servedUserNr": endpoint("2"), "activatingUserNr": endpoint("3"), "extension": extension_seq() }),
        ),
        (
            16,
            json!({ "procedure": "cfnr", "basicService": "allServices", "servedUserNr": endpoint("2"),
            "deactivatingUserNr": endpoint("3") }),
        ),
        (
            17,
            json!({ "procedure": "cfu", "servedUserNr": endpoint("2"), "interrogatingUserNr": endpoint("3") }),
        ),
        (
            18,
            json!({ "servedUserNr": endpoint("2"), "basicService": "allServices", "divertedToNr": endpoint("3") }),
        ),
        (
            19,
            json!({ "reroutingReason": "cfu", "originalReroutingReason": "cfb", "calledAddress": endpoint("1"),
            "diversionCounter": 15, "h225InfoElement": "04038890a5", "lastReroutingNr": endpoint("2"),
            "subscriptionOption": "notificationWithDivertedToNr",
            "callingPartySubaddress": { "userSpecifiedSubaddress":
                { "subaddressInformation": "aabb", "oddCountIndicator": true } },
            "callingNumber": endpoint("3"), "callingInfo": "me", "originalCalledNr": endpoint("4"),
            "redirectingInfo": "x", "originalCalledInfo": "y" }),
        ),
        (
            20,
            json!({ "diversionReason": "cfnr", "subscriptionOption": "noNotification", "nominatedNr": endpoint("1"),
            "nominatedInfo": "n", "redirectingNr": endpoint("2"), "redirectingInfo": "r" }),
        ),
        (
            21,
            json!({ "diversionCounter": 1, "diversionReason": "cfu", "originalDiversionReason": "cfb",
            "divertingNr": endpoint("1"), "originalCalledNr": endpoint("2"), "redirectingInfo": "r" }),
        ),
        (
            22,
            json!({ "presentationAllowedIndicator": true, "redirectionNr": endpoint("1"), "redirectionInfo": "r" }),
        ),
        (23, extension_seq()),
        (
            100,
            json!({ "diversionReason": "cfu", "subscriptionOption": "notificationWithoutDivertedToNr",
            "callingNr": endpoint("1"), "callingInfo": "c", "nominatedNr": endpoint("2") }),
        ),
        (101, only("extensionArg")),
        (102, only("extensionArg")),
        (103, only("extensionArg")),
        (104, only("extensionArg")),
        (105, json!({ "nbOfAddWaitingCalls": 2 })),
        (
            106,
            json!({ "parkingNumber": endpoint("1"), "parkedNumber": endpoint("2"), "parkedToNumber": endpoint("3"),
            "parkedToPosition": 4 }),
        ),
        (
            107,
            json!({ "parkingNumber": endpoint("1"), "parkedNumber": endpoint("2"), "parkedToNumber": endpoint("3"),
            "extensionArg": extensions() }),
        ),
        (
            108,
            json!({ "callPickupId": id, "groupMemberUserNr": endpoint("1"), "retrieveCallType": "alertingCall",
            "partyToRetrieve": endpoint("2"), "retrieveAddress": endpoint("3"), "parkPosition": 7 }),
        ),
        (109, json!({ "callPickupId": id, "groupMemberUserNr": endpoint("1") })),
        (
            110,
            json!({ "picking-upNumber": endpoint("1"), "callPickupId": id, "partyToRetrieve": endpoint("2"),
            "retrieveAddress": endpoint("3"), "parkPosition": 65535 }),
        ),
        (111, json!({ "callPickupId": id, "picking-upNumber": endpoint("1") })),
        (
            112,
            json!({ "callPickupId": id, "picking-upNumber": endpoint("1"), "partyToRetrieve": endpoint("2") }),
        ),
        (113, json!({ "parkingNumber": endpoint("1") })),
        (114, json!({ "picking-upNumber": endpoint("1") })),
        (80, activate),
        (81, ask.clone()),
        (82, ask),
        (0, name.clone()),
        (1, name.clone()),
        (2, json!({ "name": { "namePresentationRestricted": { "simpleName": "4142" } } })),
        (3, json!({ "name": { "nameNotAvailable": null }, "extensionArg": extensions() })),
        (
            27,
            json!({ "numberA": endpoint("1"), "numberB": endpoint("2"), "ccIdentifier": id, "service": "allServices",
            "can-retain-service": true, "retain-sig-connection": false }),
        ),
        (28, cc.clone()),
        (29, cc),
        (31, json!({ "ccIdentifier": id, "extension": extensions() })),
        (32, json!({ "ccIdentifier": id, "extension": extensions() })),
        (33, json!({ "shortArg": { "ccIdentifier": id, "extension": extensions() } })),
        (
            40,
            json!({ "numberA": endpoint("1"), "numberB": endpoint("2"), "service": "telephony",
            "can-retain-service": false }),
        ),
        (34, only("extension")),
        (49, only("extension")),
        (115, only("extension")),
        (43, intrusion.clone()),
        (44, only("argumentExtension")),
        (45, only("argumentExtension")),
        (46, intrusion),
        (47, only("argumentExtension")),
        (116, json!({ "ciCapabilityLevel": 3, "specificCall": id })),
        (117, json!({ "ciStatusInformation": { "callIntrusionEnd": null } })),
        (84, only("extensionArg")),
        (
            85,
            json!({ "featureList": { "ssCFreRoutingSupported": null, "ssCPCallParkSupported": null },
            "featureValues": { "partyCategory": "attendant", "ssCIprotectionLevel": 3 },
            "featureControl": { "ssMWICallbackCall": null } }),
        ),
    ])
}

/// A result of each operation that has one.
fn results() -> BTreeMap<i64, Value> {
    let parked =
        json!({ "parkedToNumber": endpoint("1"), "parkedToPosition": 2, "parkCondition": "parkedToGroup" });
    let only = |member: &str| json!({ member: extensions() });
    let request = json!({ "retain-service": true });
    BTreeMap::from([
        (7, json!({ "callIdentity": "1234", "reroutingNumber": endpoint("1") })),
        (9, extension_seq()),
        (10, extension_seq()),
        (15, extension_seq()),
        (16, extension_seq()),
        (
            17,
            json!([{ "servedUserNr": endpoint("1"), "basicService": "allServices", "procedure": "cfb",
            "divertedToAddress": endpoint("2"), "remoteEnabled": true }]),
        ),
        (18, extension_seq()),
        (19, extension_seq()),
        (103, only("extensionRes")),
        (104, only("extensionRes")),
        (106, parked.clone()),
        (107, parked),
        (108, only("extensionRes")),
        (109, only("extensionRes")),
        (110, json!({ "callPickupId": { "guid": GUID } })),
        (111, only("extensionRes")),
        (112, only("extensionRes")),
        (80, extensions()),
        (81, extensions()),
        (
            82,
            json!([{ "basicService": "speech", "nbOfMessages": 4, "priority": 1,
            "timestamp": "202501020304" }]),
        ),
        (27, request.clone()),
        (40, request),
        (43, json!({ "ciStatusInformation": { "callIntruded": null } })),
        (44, json!({ "ciProtectionLevel": 2, "silentMonitoringPermitted": null })),
        (45, only("resultExtension")),
        (46, only("resultExtension")),
        (47, only("resultExtension")),
        (116, only("resultExtension")),
        (84, json!({ "featureValues": { "partyCategory": "emergExt" } })),
    ])
}

/// The octets of a Facility with one remote operation.
fn facility(operation: h450::Ros) -> Bytes {
    let service = h450::H4501SupplementaryService::new(h450::ServiceApdus::RosApdus(vec![operation]));
    let version = "0.0.8.2250.0.7".parse().unwrap();
    let facility = FacilityUuie::new(version, FacilityReason::TransportedInformation);
    let mut pdu = H323UuPdu::new(H323UuPduH323MessageBody::Facility(facility.into()));
    pdu.h4501_supplementary_service = Some(vec![per::encode(&service).unwrap().into()]);
    let signal = CallSignal::new(CallReference::new(1, false), H323UserInformation::new(pdu)).unwrap();
    tpkt::encode(&signal.encode().unwrap()).unwrap()
}

/// tshark's dissection of each message, or nothing where there is no tshark.
fn dissected(messages: &[Bytes]) -> Option<Vec<String>> {
    let mut writer = CaptureWriter::new(Vec::new()).unwrap();
    let (client, server) = ("10.0.0.1:40000".parse().unwrap(), "10.0.0.2:1720".parse().unwrap());
    let mut at = Duration::from_secs(1_700_000_000);
    writer.tcp_connect(at, client, server).unwrap();
    for message in messages {
        at += Duration::from_millis(10);
        writer.tcp(at, client, server, message).unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("h450.pcap");
    std::fs::write(&path, writer.finish(at).unwrap()).unwrap();
    let output = Command::new("tshark").arg("-r").arg(path).args(["-V", "-Y", "q931"]).output();
    let Ok(output) = output else {
        assert!(std::env::var_os("CI").is_none(), "tshark is missing");
        eprintln!("tshark is missing: H.450 is not held against it");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let frames: Vec<String> = text.split("\nFrame ").map(str::to_owned).collect();
    assert_eq!(frames.len(), messages.len(), "{text}");
    Some(frames)
}

/// The names of all members in a description.
fn names(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            into.push(name.clone());
            names(member, into);
        }),
        Value::Array(elements) => elements.iter().for_each(|element| names(element, into)),
        _ => {}
    }
}

/// Whether tshark finds nothing malformed, and names `name` and each member of the description;
/// else what is wrong.
fn disagreement(frame: &str, name: &str, description: &Value) -> Option<String> {
    let mut wanted = vec![name.to_owned()];
    names(description, &mut wanted);
    // tshark shows an open type by what it holds, not by its name.
    wanted.retain(|name| name != "extensionArgument" && !frame.contains(name.as_str()));
    let malformed = frame.contains("Malformed") || frame.contains("[Expert Info (Error");
    (malformed || !wanted.is_empty()).then(|| {
        let dissection = frame.split_once("h4501SupplementaryService").map_or(frame, |(_, inner)| inner);
        format!("{name}: malformed: {malformed}, not named: {wanted:?} in {dissection}")
    })
}

#[track_caller]
fn all_agree<'a>(frames: &[String], expected: impl Iterator<Item = (&'static str, &'a Value)>) {
    let found = frames.iter().zip(expected);
    let wrong: Vec<_> = found.filter_map(|(frame, (name, value))| disagreement(frame, name, value)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What `pdu` shows of an operation in a service: taken apart by its code.
#[track_caller]
fn taken_apart(operation: h450::Ros, pointer: &str, kind: &str, expected: &Value) {
    let service = h450::H4501SupplementaryService::new(h450::ServiceApdus::RosApdus(vec![operation]));
    let mut description = per::json::describe(&service);
    assert_eq!(nested::expand(&mut description), 0, "{kind}");
    let found = description.pointer(&format!("/serviceApdu/rosApdus/0/{pointer}/{kind}"));
    assert_eq!(found, Some(expected), "{description}");
}

#[test]
fn every_operation_is_named_and_dissected_by_tshark() {
    let arguments = arguments();
    let mut messages = Vec::new();
    for (code, description) in &arguments {
        let kind = h450::argument_type(*code).unwrap_or_else(|| panic!("no operation {code}"));
        let argument = Bytes::from(kind.build(description).unwrap_or_else(|e| panic!("{code}: {e}")));
        assert_eq!(kind.describe(&argument).as_ref(), Ok(description), "{code}");
        let mut invoke = h450::Invoke::new(7, h450::Code::Local(*code));
        invoke.argument = Some(argument);
        taken_apart(h450::Ros::Invoke(invoke.clone().into()), "invoke/argument", kind.name, description);
        messages.push(facility(h450::Ros::Invoke(invoke.into())));
    }
    assert_eq!(arguments.len(), (-10..300).filter(|code| h450::operation_name(*code).is_some()).count());
    let Some(frames) = dissected(&messages) else { return };
    all_agree(&frames, arguments.iter().map(|(code, value)| (h450::operation_name(*code).unwrap(), value)));
}

#[test]
fn every_result_is_dissected_by_tshark() {
    let results = results();
    let mut messages = Vec::new();
    for (code, description) in &results {
        let kind = h450::result_type(*code).unwrap_or_else(|| panic!("no result of {code}"));
        let octets = Bytes::from(kind.build(description).unwrap_or_else(|e| panic!("{code}: {e}")));
        assert_eq!(kind.describe(&octets).as_ref(), Ok(description), "{code}");
        let mut result = h450::ReturnResult::new(7);
        result.result = Some(h450::ReturnResultResult::new(h450::Code::Local(*code), octets));
        let operation = h450::Ros::ReturnResult(result.clone().into());
        taken_apart(operation, "returnResult/result/result", kind.name, description);
        messages.push(facility(h450::Ros::ReturnResult(result.into())));
    }
    assert_eq!(results.len(), (-10..300).filter(|code| h450::result_type(*code).is_some()).count());
    let Some(frames) = dissected(&messages) else { return };
    all_agree(&frames, results.iter().map(|(code, value)| (h450::operation_name(*code).unwrap(), value)));
}

#[test]
fn every_error_is_named_by_tshark() {
    let codes: Vec<i64> = (0..3000).filter(|code| h450::error_name(*code).is_some()).collect();
    let mut messages = Vec::new();
    for code in &codes {
        let mut error = h450::ReturnError::new(7, h450::Code::Local(*code));
        if let Some(kind) = h450::parameter_type(*code) {
            let description = match kind.name {
                "UndefinedErrorParameter" => extensions(),
                _ => json!({ "extension": { "extensionId": "1.3.6", "extensionArgument": "00" } }),
            };
            error.parameter = Some(kind.build(&description).unwrap().into());
            let operation = h450::Ros::ReturnError(error.clone().into());
            taken_apart(operation, "returnError/parameter", kind.name, &description);
        }
        messages.push(facility(h450::Ros::ReturnError(error.into())));
    }
    let Some(frames) = dissected(&messages) else { return };
    all_agree(&frames, codes.iter().map(|code| (h450::error_name(*code).unwrap(), &Value::Null)));
}

#[test]
fn a_global_code_and_a_reject_are_kept() {
    let mut invoke = h450::Invoke::new(1, h450::Code::Global("1.3.6.1.4.1.9.1".parse().unwrap()));
    invoke.argument = Some(Bytes::from_static(&[1, 2, 3]));
    let reject = h450::Reject::new(1, h450::RejectProblem::Invoke(1));
    let operations = vec![h450::Ros::Invoke(invoke.into()), h450::Ros::Reject(reject)];
    let service = h450::H4501SupplementaryService::new(h450::ServiceApdus::RosApdus(operations));
    let octets = Bytes::from(per::encode(&service).unwrap());
    assert_eq!(per::decode(&octets), Ok(per::Message::from(service)));
}
