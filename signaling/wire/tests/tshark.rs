//! tshark as a judge: it finds nothing malformed in what we encode, and reads the same values as we
//! do in every packet of the committed captures.
//! In: arbitrary values (`support/notation.rs`), `tests/data/captures`; `OFFHOOK_SEED`.
//! Not here: Q.931 elements, captures encoded again (`captures.rs`).

mod support;

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use offhook_wire::capture::{Capture, CaptureWriter};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::per::{self, json::describe};
use offhook_wire::q931::CallReference;
use offhook_wire::tpkt::{self, TpktDecoder};
use offhook_wire::{h225, h245, h460};
use serde_json::Value;
use support::notation::{Maker, Name, Schema, Taste, hex};
use support::tools::{has_tshark, tshark};

// --- what we emit -----------------------------------------------------------------------------------

/// Members that tshark 4.0 reads otherwise than X.691 and the standard want; values with them are
/// left out.
const TSHARK_IS_WRONG: &[&str] = &[
    // INTEGER (1..MAX): no lower bound (WIRE.md trap 13).
    "maxRedundancy",
    "rfc2733sameport",
    // The type that ToBeSigned stands for: tshark expects to know it.
    "toBeSigned",
];

fn mentions(value: &Value, names: &[&str]) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, member)| names.contains(&name.as_str()) || mentions(member, names))
        }
        Value::Array(elements) => elements.iter().any(|element| mentions(element, names)),
        _ => false,
    }
}

fn seed() -> u64 {
    std::env::var("OFFHOOK_SEED").map_or(1, |text| text.parse().expect("a number"))
}

/// Arbitrary values of a type, each member and alternative that it leads to at least once.
fn spread(maker: &mut Maker, root: &Name, more: usize) -> Vec<Value> {
    let ways = maker.schema.ways(root);
    let targets = maker.schema.targets();
    let here = targets.iter().filter(|target| target.0 == *root || ways.contains_key(&target.0));
    let mut values: Vec<Value> = here.map(|target| maker.value_with(root, &ways, target)).collect();
    values.extend((0..more).map(|_| maker.value(root)));
    values.iter_mut().for_each(|value| embed(maker, value));
    values.retain(|value| !mentions(value, TSHARK_IS_WRONG));
    values
}

fn build<T: per::Type>(value: &Value) -> T {
    per::json::build(value).unwrap_or_else(|error| panic!("{value}: {error}"))
}

fn at(number: usize) -> Duration {
    Duration::from_secs(1_700_000_000) + Duration::from_millis(number as u64)
}

#[test]
fn nothing_that_we_encode_is_malformed() {
    if !has_tshark() {
        return;
    }
    let schema = Schema::read();
    let taste = Taste { sparse: 5, levels: 9, unknown: false, any_text: false, narrow: true, latin: false };
    let mut maker = Maker::new(&schema, seed(), taste);
    let name = |module: &str, name: &str| (module.to_owned(), name.to_owned());
    let (client, server): (SocketAddr, SocketAddr) =
        ("192.0.2.1:40000".parse().unwrap(), "192.0.2.2:1720".parse().unwrap());
    let (endpoint, gatekeeper): (SocketAddr, SocketAddr) =
        ("192.0.2.1:1719".parse().unwrap(), "192.0.2.3:1719".parse().unwrap());
    let mut writer = CaptureWriter::new(Vec::new()).unwrap();
    let mut sent: Vec<String> = Vec::new();

    for value in spread(&mut maker, &name("h225", "RasMessage"), 300) {
        let octets = per::encode(&build::<h225::RasMessage>(&value)).unwrap();
        writer.udp(at(sent.len()), endpoint, gatekeeper, &octets).unwrap();
        sent.push(format!("RAS {value}"));
    }
    let ras = sent.len();
    for value in spread(&mut maker, &name("h225", "H323UserInformation"), 200) {
        let uuie: h225::H323UserInformation = build(&value);
        let Some(signal) = CallSignal::new(CallReference::new(1, false), uuie) else { continue };
        send(&mut writer, sent.len(), client, server, &signal);
        sent.push(format!("UUIE {}", describe(&signal.uuie.unwrap())));
    }
    let signals = sent.len() - ras;
    for value in spread(&mut maker, &name("h245", "MultimediaSystemControlMessage"), 500) {
        let control = per::encode(&build::<h245::MultimediaSystemControlMessage>(&value)).unwrap();
        let mut pdu = h225::H323UuPdu::new(h225::H323UuPduH323MessageBody::Empty);
        pdu.h245_tunnelling = Some(true);
        pdu.h245_control = Some(vec![control.into()]);
        let uuie = h225::H323UserInformation::new(pdu);
        let signal = CallSignal::new(CallReference::new(1, false), uuie).unwrap();
        send(&mut writer, sent.len(), client, server, &signal);
        sent.push(format!("H.245 {value}"));
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&writer.finish(at(sent.len())).unwrap()).unwrap();

    let dissected = tshark(file.path(), &["-Y", "h225", "-T", "fields", "-e", "frame.time_epoch"]);
    assert_eq!(dissected.lines().count(), sent.len(), "every message is dissected");
    // Errors; a warning is made of what is unusual, such as an item of a later version.
    let filter = "_ws.malformed || _ws.expert.severity >= 0x800000";
    let fields = ["-Y", filter, "-T", "fields", "-e", "frame.time_epoch", "-e", "_ws.expert.message"];
    let mut wrong = Vec::new();
    for line in tshark(file.path(), &fields).lines() {
        let (time, message) = line.split_once('\t').unwrap();
        let (_, fraction) = time.split_once('.').unwrap();
        let seconds: usize = time.split('.').next().unwrap().parse().unwrap();
        let number = (seconds - 1_700_000_000) * 1000 + fraction[..3].parse::<usize>().unwrap();
        wrong.push(format!("{message}: {}", sent[number]));
    }
    println!("{ras} RAS, {signals} call signalling, {} H.245 messages", sent.len() - ras - signals);
    wrong.sort_by_key(String::len);
    let count = wrong.len();
    wrong.truncate(20);
    assert!(wrong.is_empty(), "{count} of {}, such as\n{}", sent.len(), wrong.join("\n"));
}

fn send(
    writer: &mut CaptureWriter<Vec<u8>>,
    number: usize,
    client: SocketAddr,
    server: SocketAddr,
    signal: &CallSignal,
) {
    let packet = tpkt::encode(&signal.encode().unwrap()).unwrap();
    writer.tcp(at(number), client, server, &packet).unwrap();
}

/// Puts messages where octet strings hold messages: others would be malformed, and rightly.
fn embed(maker: &mut Maker, value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| {
                !["h4501SupplementaryService", "tunnelledSignallingMessage", "returnedFunction"]
                    .contains(&name.as_str())
            });
            for (name, member) in members {
                let octets = match name.as_str() {
                    "fastStart" => {
                        let channel = maker.value(&("h245".into(), "OpenLogicalChannel".into()));
                        per::encode(&build::<h245::OpenLogicalChannel>(&channel)).unwrap()
                    }
                    "h245Control" | "parallelH245Control" => MASTER_SLAVE_DETERMINATION.to_vec(),
                    _ => {
                        embed(maker, member);
                        continue;
                    }
                };
                *member = vec![hex(&octets)].into();
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| embed(maker, element)),
        _ => {}
    }
}

/// An H.245 message.
const MASTER_SLAVE_DETERMINATION: [u8; 7] = [0x01, 0x00, 0x32, 0x80, 0x3b, 0x45, 0xaa];

// --- what others emitted ----------------------------------------------------------------------------

/// How tshark prints a value.
#[derive(Clone, Copy)]
enum Print {
    /// Numbers, truth as 0 and 1, OBJECT IDENTIFIERs and digits: as we describe them.
    Plain,
    /// Text up to a NUL.
    Text,
    /// Octets that are text up to a NUL.
    OctetText,
    /// Octets, whatever separates them.
    Octets,
    /// Four octets as an address.
    Ipv4,
    /// How many elements.
    Count,
    /// The alternative's or item's place in this type.
    Place(&'static str),
}
use Print::{Count, Ipv4, OctetText, Octets, Place, Plain, Text};

/// A field of tshark, and the ends of paths where we have the same.
type Field = (&'static str, &'static [(&'static str, Print)]);

const FIELDS: &[Field] = &[
    // H.225.0
    ("h225.protocolIdentifier", &[("protocolIdentifier", Plain)]),
    ("h225.guid", &[("guid", Octets)]),
    ("h225.conferenceID", &[("conferenceID", Octets)]),
    ("h225.h245Ip", &[("h245Address.ipAddress.ip", Ipv4)]),
    ("h225.h245IpPort", &[("h245Address.ipAddress.port", Plain)]),
    ("h225.productId", &[("productId", OctetText)]),
    ("h225.versionId", &[("versionId", OctetText)]),
    ("h225.t35CountryCode", &[("t35CountryCode", Plain)]),
    ("h225.t35Extension", &[("t35Extension", Plain)]),
    ("h225.manufacturerCode", &[("manufacturerCode", Plain)]),
    ("h225.h245Tunnelling", &[("h245Tunneling", Plain), ("h245Tunnelling", Plain)]),
    ("h225.fastStart", &[("fastStart", Count)]),
    ("h225.h245Control", &[("h245Control", Count)]),
    ("h225.dialledDigits", &[("dialledDigits", Text)]),
    ("h225.h323_ID", &[("h323-ID", Text)]),
    ("h225.activeMC", &[("activeMC", Plain)]),
    ("h225.conferenceGoal", &[("conferenceGoal", Place("SetupUuieConferenceGoal"))]),
    ("h225.callType", &[("callType", Place("CallType"))]),
    (
        "h225.reason",
        &[
            ("releaseComplete.reason", Place("ReleaseCompleteReason")),
            ("facility.reason", Place("FacilityReason")),
            ("serviceControl.[].reason", Place("ServiceControlSessionReason")),
            ("unregistrationRequest.reason", Place("UnregRequestReason")),
        ],
    ),
    ("h225.presentationIndicator", &[("presentationIndicator", Place("PresentationIndicator"))]),
    ("h225.screeningIndicator", &[("screeningIndicator", Place("ScreeningIndicator"))]),
    ("h225.multipleCalls", &[("multipleCalls", Plain)]),
    ("h225.maintainConnection", &[("maintainConnection", Plain)]),
    ("h225.canOverlapSend", &[("canOverlapSend", Plain)]),
    ("h225.mediaWaitForConnect", &[("mediaWaitForConnect", Plain)]),
    ("h225.mc", &[("mc", Plain)]),
    ("h225.undefinedNode", &[("undefinedNode", Plain)]),
    // RAS
    ("h225.requestSeqNum", &[("requestSeqNum", Plain)]),
    ("h225.endpointIdentifier", &[("endpointIdentifier", Text)]),
    ("h225.gatekeeperIdentifier", &[("gatekeeperIdentifier", Text)]),
    ("h225.timeToLive", &[("timeToLive", Plain)]),
    ("h225.bandWidth", &[("bandWidth", Plain)]),
    ("h225.callReferenceValue", &[("callReferenceValue", Plain)]),
    ("h225.callModel", &[("callModel", Place("CallModel"))]),
    ("h225.answerCall", &[("answerCall", Plain)]),
    ("h225.answeredCall", &[("answeredCall", Plain)]),
    ("h225.canMapAlias", &[("canMapAlias", Plain)]),
    ("h225.willSupplyUUIEs", &[("willSupplyUUIEs", Plain)]),
    ("h225.keepAlive", &[("keepAlive", Plain)]),
    ("h225.discoveryComplete", &[("discoveryComplete", Plain)]),
    ("h225.disengageReason", &[("disengageReason", Place("DisengageReason"))]),
    ("h225.terminalAlias", &[("terminalAlias", Count)]),
    ("h225.needResponse", &[("needResponse", Plain)]),
    ("h225.perCallInfo", &[("perCallInfo", Count)]),
    ("h225.originator", &[("originator", Plain)]),
    ("h225.willRespondToIRR", &[("willRespondToIRR", Plain)]),
    // H.245
    ("h245.sequenceNumber", &[("sequenceNumber", Plain)]),
    ("h245.protocolIdentifier", &[("terminalCapabilitySet.protocolIdentifier", Plain)]),
    ("h245.terminalType", &[("masterSlaveDetermination.terminalType", Plain)]),
    ("h245.statusDeterminationNumber", &[("statusDeterminationNumber", Plain)]),
    ("h245.decision", &[("decision", Place("MasterSlaveDeterminationAckDecision"))]),
    ("h245.capabilityTableEntryNumber", &[("capabilityTableEntryNumber", Plain)]),
    ("h245.capabilityDescriptorNumber", &[("capabilityDescriptorNumber", Plain)]),
    ("h245.capabilityTable", &[("capabilityTable", Count)]),
    ("h245.forwardLogicalChannelNumber", &[("forwardLogicalChannelNumber", Plain)]),
    ("h245.sessionID", &[("sessionID", Plain)]),
    ("h245.ip4_network", &[("iPAddress.network", Ipv4)]),
    ("h245.tsapIdentifier", &[("iPAddress.tsapIdentifier", Plain)]),
    ("h245.g711Alaw64k", &[("g711Alaw64k", Plain)]),
    ("h245.g711Ulaw64k", &[("g711Ulaw64k", Plain)]),
    ("h245.silenceSuppression", &[("silenceSuppression", Plain)]),
    ("h245.dynamicRTPPayloadType", &[("dynamicRTPPayloadType", Plain)]),
    ("h245.signalType", &[("signalType", Text)]),
    ("h245.alphanumeric", &[("alphanumeric", Text)]),
    ("h245.multicastCapability", &[("multicastCapability", Plain)]),
    ("h245.audioUnitSize", &[("audioUnitSize", Plain)]),
    ("h245.mediaGuaranteedDelivery", &[("mediaGuaranteedDelivery", Plain)]),
];

fn printed(schema: &Schema, module: &str, value: &Value, print: Print) -> String {
    let text = || value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned();
    match print {
        Plain => match value {
            Value::Bool(truth) => u8::from(*truth).to_string(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        },
        Text => text().split('\0').next().unwrap_or_default().to_owned(),
        OctetText => {
            let octets = unhex(&text());
            octets.iter().take_while(|octet| **octet != 0).map(|octet| char::from(*octet)).collect()
        }
        Octets => text(),
        Ipv4 => unhex(&text()).iter().map(u8::to_string).collect::<Vec<_>>().join("."),
        Count => value.as_array().unwrap_or_else(|| panic!("no list: {value}")).len().to_string(),
        Place(name) => {
            let chosen = value.as_str().map(str::to_owned);
            let chosen = chosen.or_else(|| Some(value.as_object()?.keys().next()?.clone()));
            schema.place(&(module.to_owned(), name.to_owned()), &chosen.unwrap()).to_string()
        }
    }
}

/// Values of each field, in one packet; in no order, as members have none in a description.
type Row = Vec<Vec<String>>;

/// Adds what a description says to the row of its packet.
fn collect(schema: &Schema, module: &str, path: &mut Vec<String>, value: &Value, row: &mut Row) {
    for ((field, ends), cell) in FIELDS.iter().zip(row.iter_mut()) {
        if field.starts_with(module) {
            for (end, print) in *ends {
                let end: Vec<&str> = end.split('.').collect();
                let here = path.len() >= end.len() && path[path.len() - end.len()..] == end[..];
                if here {
                    cell.push(printed(schema, module, value, *print));
                }
            }
        }
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                path.push(name.clone());
                collect(schema, module, path, member, row);
                path.pop();
            }
        }
        Value::Array(elements) => {
            // Elements stand at no path of their own, or ends would match twice.
            for element in elements {
                path.push("[]".into());
                collect(schema, module, path, element, row);
                path.pop();
            }
        }
        _ => {}
    }
}

fn h245<T: per::Type>(schema: &Schema, octets: &Bytes, row: &mut Row) {
    let description = describe(&per::decode::<T>(octets).unwrap());
    collect(schema, "h245", &mut Vec::new(), &description, row);
    media_traversal(schema, &description, row);
}

/// What H.460.19 puts into octet strings of H.245, tshark reads too.
fn media_traversal(schema: &Schema, value: &Value, row: &mut Row) {
    match value {
        Value::Object(members) => {
            let identifier = &value["messageIdentifier"]["standard"];
            if *identifier == h460::MEDIA_TRAVERSAL_OID.to_string() {
                for parameter in value["messageContent"].as_array().into_iter().flatten() {
                    let octets = unhex(parameter["parameterValue"]["octetString"].as_str().unwrap());
                    let parameters = per::decode::<h460::TraversalParameters>(&octets.into()).unwrap();
                    collect(schema, "h245", &mut Vec::new(), &describe(&parameters), row);
                }
            }
            members.values().for_each(|member| media_traversal(schema, member, row));
        }
        Value::Array(elements) => {
            elements.iter().for_each(|element| media_traversal(schema, element, row));
        }
        _ => {}
    }
}

/// The rows of a capture by time, as we read it.
fn ours(schema: &Schema, capture: &Capture) -> BTreeMap<Duration, Row> {
    let mut rows = BTreeMap::<Duration, Row>::new();
    let blank = || vec![Vec::new(); FIELDS.len()];
    for datagram in capture.udp() {
        let ports = [datagram.source.port(), datagram.destination.port()];
        if ports.iter().any(|port| [1718, 1719].contains(port)) {
            let row = rows.entry(capture.start() + datagram.at).or_insert_with(blank);
            let message = per::decode::<h225::RasMessage>(&datagram.payload).unwrap();
            collect(schema, "h225", &mut Vec::new(), &describe(&message), row);
        }
    }
    for connection in capture.tcp_connections() {
        let mut decoders = [TpktDecoder::new(), TpktDecoder::new()];
        for segment in &connection.segments {
            let decoder = &mut decoders[segment.direction as usize];
            decoder.push(&segment.bytes);
            while let Some(payload) = decoder.next().unwrap() {
                let row = rows.entry(capture.start() + segment.at).or_insert_with(blank);
                if ![1720, 1721].contains(&connection.server.port()) {
                    h245::<h245::MultimediaSystemControlMessage>(schema, &payload, row);
                    continue;
                }
                let signal = CallSignal::decode(&payload).unwrap();
                let Some(uuie) = &signal.uuie else { continue };
                let description = describe(uuie);
                collect(schema, "h225", &mut Vec::new(), &description, row);
                for control in signal.h245_control() {
                    h245::<h245::MultimediaSystemControlMessage>(schema, control, row);
                }
                for element in fast_start(&description) {
                    h245::<h245::OpenLogicalChannel>(schema, &element, row);
                }
            }
        }
    }
    rows
}

/// The elements of fastStart, wherever it stands in a UUIE.
fn fast_start(description: &Value) -> Vec<Bytes> {
    let body = description["h323-uu-pdu"]["h323-message-body"].as_object();
    let elements = body.and_then(|body| body.values().next()?.get("fastStart")?.as_array());
    elements.into_iter().flatten().map(|element| unhex(element.as_str().unwrap()).into()).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The same rows, as tshark reads it.
fn theirs(capture: &Path) -> BTreeMap<Duration, Row> {
    let mut arguments =
        vec!["-Y", "h225 || h245", "-T", "fields", "-E", "aggregator=|", "-e", "frame.time_epoch"];
    arguments.extend(FIELDS.iter().flat_map(|(field, _)| ["-e", field]));
    let mut rows = BTreeMap::<Duration, Row>::new();
    for line in tshark(capture, &arguments).lines() {
        let mut cells = line.split('\t');
        let (seconds, nanoseconds) = cells.next().unwrap().split_once('.').unwrap();
        let time = Duration::new(seconds.parse().unwrap(), nanoseconds.parse().unwrap());
        let row = rows.entry(time).or_insert_with(|| vec![Vec::new(); FIELDS.len()]);
        for ((values, cell), (_, ends)) in row.iter_mut().zip(cells).zip(FIELDS) {
            let octets = matches!(ends[0].1, Octets);
            let value = |text: &str| if octets { text.replace([':', '-'], "") } else { text.to_owned() };
            values.extend(cell.split('|').filter(|text| !text.is_empty()).map(value));
        }
    }
    rows
}

#[test]
fn every_packet_of_the_captures_says_to_tshark_what_it_says_to_us() {
    if !has_tshark() {
        return;
    }
    let schema = Schema::read();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/captures");
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "pcap")).collect();
    files.sort();
    // tshark takes a third of a second to start: as many at once as there are processors.
    let mut counts = HashMap::<&str, usize>::new();
    let (mut packets, mut failures) = (0, Vec::new());
    let half = files.len().div_ceil(2);
    std::thread::scope(|scope| {
        let schema = &schema;
        let read = move |file: &PathBuf| (theirs(file), file.clone());
        let halves: Vec<_> = files
            .chunks(half)
            .map(|files| scope.spawn(move || files.iter().map(read).collect::<Vec<_>>()))
            .collect();
        for (theirs, file) in halves.into_iter().flat_map(|half| half.join().expect("no panic")) {
            let capture = Capture::parse(&std::fs::read(&file).unwrap()).unwrap();
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            let ours = ours(schema, &capture);
            if ours.keys().ne(theirs.keys()) {
                failures.push(format!("{name}: {} packets, tshark sees {}", ours.len(), theirs.len()));
                continue;
            }
            packets += ours.len();
            for ((time, ours), theirs) in ours.into_iter().zip(theirs.into_values()) {
                for (((field, _), mut ours), mut theirs) in FIELDS.iter().zip(ours).zip(theirs) {
                    // tshark leaves out what is empty.
                    ours.retain(|value| !value.is_empty());
                    ours.sort();
                    theirs.sort();
                    *counts.entry(field).or_default() += ours.len();
                    // To an answer of RAS tshark adds the identifier that its request had.
                    let added = *field == "h225.guid" && ours.is_empty();
                    if ours != theirs && !added {
                        let at = (time - capture.start()).as_secs_f64();
                        failures.push(format!("{name} at {at:.6}, {field}: {ours:?}, tshark {theirs:?}"));
                    }
                }
            }
        }
    });
    let values: usize = counts.values().sum();
    println!("{packets} packets, {} fields, {values} values", FIELDS.len());
    let unseen: Vec<_> = FIELDS.iter().map(|(field, _)| field).filter(|field| counts[**field] == 0).collect();
    failures.truncate(40);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(unseen.is_empty(), "in no capture: {unseen:?}");
}
