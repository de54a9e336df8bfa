//! What matters of a message, in a few words: the right-hand side of a ladder.
//! In: a PDU. Out: its fields, each a word or three; what within it could not be read.

use offhook_wire::h450;
use offhook_wire::pdu::{Pdu, chosen, nested, tree};
use serde_json::Value;

/// How many elements of a list are named before the rest is only counted.
const NAMED: usize = 6;

/// The fields of a message.
pub(super) fn of(pdu: &Pdu) -> Vec<String> {
    let mut description = pdu.to_json();
    nested::expand(&mut description);
    let mut out = Vec::new();
    match pdu {
        Pdu::Q931(signal) => {
            call_signal(&mut out, &description, signal.q931.message_type.0);
        }
        Pdu::Ras(_) => ras(&mut out, &description),
        Pdu::H245(_) => h245(&mut out, &description),
        Pdu::Olc(_) => open_channel(&mut out, &description),
        _ => {}
    }
    let mut faults = Vec::new();
    find_faults(&description, &mut faults);
    out.extend(faults.into_iter().map(|fault| format!("! {fault}")));
    out
}

/// What within a message could not be read, apart from tunnelled H.245, which stands by itself.
pub(super) fn faults(pdu: &Pdu) -> Vec<String> {
    let mut description = pdu.to_json();
    let mut faults = Vec::new();
    if nested::expand(&mut description) > 0 {
        find_faults(&description, &mut faults);
    }
    faults
}

fn find_faults(value: &Value, faults: &mut Vec<String>) {
    match value {
        Value::Array(elements) => elements.iter().for_each(|element| find_faults(element, faults)),
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), member.as_str()) {
                    (nested::ERROR, Some(fault)) => faults.push(fault.to_owned()),
                    ("h245Control" | "parallelH245Control" | "messageNotUnderstood", _) => {}
                    _ => find_faults(member, faults),
                }
            }
        }
        _ => {}
    }
}

// --- call signalling ------------------------------------------------------------------------------

fn call_signal(out: &mut Vec<String>, description: &Value, code: u8) {
    let elements = description.get("elements").and_then(Value::as_array);
    let mut uuie = &Value::Null;
    let (mut seen_cause, mut digits) = (None, Vec::new());
    for element in elements.into_iter().flatten() {
        if let Some(found) = element.get("H323-UserInformation") {
            uuie = found;
        }
        let means = element.get("means").and_then(Value::as_str);
        match (element.get("name").and_then(Value::as_str), means) {
            (Some("Cause"), Some(cause)) => seen_cause = Some(cause.to_owned()),
            (Some("Called party number"), Some(number)) => digits.push(format!("called {number}")),
            (Some("Calling party number"), Some(number)) => digits.push(format!("calling {number}")),
            (Some("Keypad facility"), Some(keys)) => digits.push(format!("keypad {keys:?}")),
            (Some("Progress indicator"), Some(progress)) => digits.push(format!("progress {progress}")),
            (Some("Call state"), Some(state)) => digits.push(state.to_owned()),
            _ => {}
        }
    }
    let pdu = uuie.get("h323-uu-pdu").unwrap_or(&Value::Null);
    let (name, body) = chosen(pdu.get("h323-message-body").unwrap_or(&Value::Null));
    if uuie.is_null() {
        out.push("no UUIE".into());
    } else if (code, name) == (0x62, "empty") {
        out.push("empty".into());
    }
    if let Some(cause) = seen_cause {
        out.push(cause);
    }
    reason(out, body);
    for (label, member) in [("from", "sourceAddress"), ("to", "destinationAddress")] {
        if let Some(aliases) = aliases(body.get(member)) {
            out.push(format!("{label} {aliases}"));
        }
    }
    out.extend(digits);
    for (label, member) in [("at", "alternativeAddress"), ("alias", "alternativeAliasAddress")] {
        let told = address(body.get(member)).or_else(|| aliases(body.get(member)));
        out.extend(told.map(|told| format!("{label} {told}")));
    }
    if let Some(product) = product(body) {
        out.push(product);
    }
    if let Some(elements) = body.get("fastStart").and_then(Value::as_array) {
        let channels: Vec<_> = elements.iter().map(fast_start).collect();
        out.push(format!("fastStart {}: {}", elements.len(), list(&channels)));
    }
    if body.get("fastConnectRefused").is_some() {
        out.push("fastConnectRefused".into());
    }
    out.extend(address(body.get("h245Address")).map(|address| format!("h245Address {address}")));
    if pdu.get("h245Tunnelling") == Some(&Value::Bool(true)) {
        out.push("tunnelling".into());
    }
    for element in pdu.get("h4501SupplementaryService").and_then(Value::as_array).into_iter().flatten() {
        let operations = element.pointer("/H4501SupplementaryService/serviceApdu/rosApdus");
        for operation in operations.and_then(Value::as_array).into_iter().flatten() {
            out.push(remote_operation(operation));
        }
    }
}

fn product(body: &Value) -> Option<String> {
    let vendor = body.pointer("/sourceInfo/vendor").or(body.pointer("/destinationInfo/vendor"))?;
    let hex = vendor.get("productId")?;
    let octets = offhook_wire::per::json::octets(hex).ok()?;
    let text = String::from_utf8_lossy(&octets).into_owned();
    Some(format!("{:?}", text.trim_end_matches('\0')))
}

fn reason(out: &mut Vec<String>, body: &Value) {
    for member in ["reason", "rejectReason", "cause", "disengageReason", "unregReason", "nakReason"] {
        if let Some(told) = body.get(member) {
            out.push(dotted(told));
        }
    }
}

fn remote_operation(operation: &Value) -> String {
    let (name, value) = chosen(operation);
    let code = value.pointer("/opcode/local").or(value.pointer("/result/opcode/local"));
    let code = code.or(value.pointer("/errorCode/local")).and_then(Value::as_i64);
    let known = code.and_then(match name {
        "returnError" => h450::error_name,
        _ => h450::operation_name,
    });
    let number = code.map_or_else(String::new, |code| format!(" {code}"));
    format!("H.450 {name}{}", known.map_or(number, |known| format!(" {known}")))
}

// --- H.245 ----------------------------------------------------------------------------------------

fn h245(out: &mut Vec<String>, description: &Value) {
    let (_, message) = chosen(description);
    let (name, body) = chosen(message);
    let number = |member: &str| body.get(member).and_then(Value::as_u64);
    match name {
        "masterSlaveDetermination" => {
            out.extend(number("terminalType").map(|kind| format!("terminalType {kind}")));
            out.extend(number("statusDeterminationNumber").map(|n| format!("number {n}")));
        }
        "masterSlaveDeterminationAck" => out.extend(body.get("decision").map(dotted)),
        "terminalCapabilitySet" => capabilities(out, body),
        "openLogicalChannel" => open_channel(out, body),
        "openLogicalChannelAck" => {
            channel_number(out, body);
            let reverse = body.pointer("/reverseLogicalChannelParameters/reverseLogicalChannelNumber");
            out.extend(reverse.and_then(Value::as_u64).map(|channel| format!("reverse channel {channel}")));
            let parameters = body.get("forwardMultiplexAckParameters").map(chosen);
            media(out, parameters.map_or(&Value::Null, |(_, parameters)| parameters));
        }
        "userInput" => user_input(out, body),
        "endSessionCommand" | "miscellaneousCommand" | "flowControlCommand" => out.push(dotted(body)),
        _ => {
            channel_number(out, body);
            out.extend(number("sequenceNumber").map(|sequence| format!("seq {sequence}")));
            reason(out, body);
        }
    }
}

fn channel_number(out: &mut Vec<String>, body: &Value) {
    let channel = body.get("forwardLogicalChannelNumber").and_then(Value::as_u64);
    out.extend(channel.map(|channel| format!("channel {channel}")));
}

fn user_input(out: &mut Vec<String>, body: &Value) {
    let (name, value) = chosen(body);
    match (name, value) {
        ("alphanumeric", Value::String(keys)) => out.push(format!("alphanumeric {keys:?}")),
        ("signal", signal) => {
            let key = signal.get("signalType").and_then(Value::as_str).unwrap_or_default();
            let duration = signal.get("duration").and_then(Value::as_u64);
            out.push(format!("signal {key:?}"));
            out.extend(duration.map(|ms| format!("{ms} ms")));
        }
        ("signalUpdate", update) => {
            let duration = update.get("duration").and_then(Value::as_u64);
            out.push("signalUpdate".into());
            out.extend(duration.map(|ms| format!("{ms} ms")));
        }
        (name, _) => out.push(name.to_owned()),
    }
}

fn capabilities(out: &mut Vec<String>, body: &Value) {
    out.extend(body.get("sequenceNumber").and_then(Value::as_u64).map(|sequence| format!("seq {sequence}")));
    let table = body.get("capabilityTable").and_then(Value::as_array);
    let Some(table) = table else {
        out.push("empty: pause".into());
        return;
    };
    let names: Vec<_> = table
        .iter()
        .filter_map(|entry| entry.get("capability"))
        .map(|capability| match chosen(capability) {
            (name, value) if name.contains("Audio") && !name.contains("RTP") => codec_of(value),
            (name, value) if name.contains("Video") => format!("video {}", codec_of(value)),
            (name, value) if name.contains("UserInput") => format!("userInput {}", dotted(value)),
            (name, value) if name.contains("DataApplication") => {
                format!("data {}", value.get("application").map(codec_of).unwrap_or_default())
            }
            (name, _) => name.to_owned(),
        })
        .collect();
    out.push(format!("{} capabilities: {}", table.len(), list(&names)));
}

fn fast_start(element: &Value) -> String {
    let Some(channel) = element.get("OpenLogicalChannel") else { return "?".into() };
    let forward = channel.pointer("/forwardLogicalChannelParameters/dataType").map(codec);
    match (forward, channel.pointer("/reverseLogicalChannelParameters/dataType")) {
        (_, Some(reverse)) => format!("←{}", codec(reverse)),
        (Some(forward), None) => format!("→{forward}"),
        (None, None) => "?".into(),
    }
}

fn open_channel(out: &mut Vec<String>, body: &Value) {
    channel_number(out, body);
    let forward = body.get("forwardLogicalChannelParameters").unwrap_or(&Value::Null);
    let reverse = body.get("reverseLogicalChannelParameters");
    let mut parameters = forward.get("multiplexParameters");
    if let Some(forward) = forward.get("dataType").map(codec).filter(|codec| codec != "nullData") {
        out.push(forward);
    }
    if let Some(reverse) = reverse {
        out.extend(reverse.get("dataType").map(|data| format!("reverse {}", codec(data))));
        parameters = reverse.get("multiplexParameters").or(parameters);
    }
    media(out, parameters.map_or(&Value::Null, |parameters| chosen(parameters).1));
}

fn media(out: &mut Vec<String>, parameters: &Value) {
    out.extend(
        parameters.get("sessionID").and_then(Value::as_u64).map(|session| format!("session {session}")),
    );
    out.extend(
        parameters
            .get("dynamicRTPPayloadType")
            .and_then(Value::as_u64)
            .map(|payload| format!("payload type {payload}")),
    );
    for (label, member) in [("RTP", "mediaChannel"), ("RTCP", "mediaControlChannel")] {
        out.extend(address(parameters.get(member)).map(|address| format!("{label} {address}")));
    }
}

/// The codec of a described DataType.
fn codec(data_type: &Value) -> String {
    match chosen(data_type) {
        ("audioData" | "videoData", value) => codec_of(value),
        ("data", value) => value.get("application").map(codec_of).unwrap_or_default(),
        ("h235Media", value) => {
            format!("encrypted {}", value.get("mediaType").map(codec).unwrap_or_default())
        }
        (name, _) => name.to_owned(),
    }
}

/// A codec and its number: `g711Alaw64k/20`; a generic one by its identifier.
fn codec_of(capability: &Value) -> String {
    let (name, value) = chosen(capability);
    if let Some(number) = value.as_u64() {
        return format!("{name}/{number}");
    }
    let identifier = value.get("capabilityIdentifier").map(|id| chosen(id).1);
    match identifier.and_then(Value::as_str) {
        Some(identifier) => format!("{name} {identifier}"),
        None => name.to_owned(),
    }
}

// --- RAS ------------------------------------------------------------------------------------------

fn ras(out: &mut Vec<String>, description: &Value) {
    let (name, body) = chosen(description);
    out.extend(body.get("requestSeqNum").and_then(Value::as_u64).map(|sequence| format!("seq {sequence}")));
    reason(out, body);
    for (label, member) in [("", "gatekeeperIdentifier"), ("endpoint", "endpointIdentifier")] {
        if let Some(told) = body.get(member).and_then(Value::as_str) {
            out.push(format!("{label} {told:?}").trim_start().to_owned());
        }
    }
    for (label, member) in [
        ("alias", "endpointAlias"),
        ("alias", "terminalAlias"),
        ("from", "srcInfo"),
        ("to", "destinationInfo"),
    ] {
        out.extend(aliases(body.get(member)).map(|aliases| format!("{label} {aliases}")));
    }
    if name == "admissionRequest" && body.get("answerCall") == Some(&Value::Bool(true)) {
        out.push("answer".into());
    }
    out.extend(body.get("callModel").map(dotted));
    for (label, member) in
        [("signal", "destCallSignalAddress"), ("signal", "callSignalAddress"), ("ras", "rasAddress")]
    {
        let one = body.get(member).and_then(Value::as_array).map_or(body.get(member), |all| all.first());
        out.extend(address(one).map(|address| format!("{label} {address}")));
    }
    out.extend(
        body.get("bandWidth").and_then(Value::as_u64).map(|units| format!("bandwidth {}00 bit/s", units)),
    );
    out.extend(body.get("timeToLive").and_then(Value::as_u64).map(|seconds| format!("for {seconds} s")));
    if body.get("keepAlive") == Some(&Value::Bool(true)) {
        out.push("keepAlive".into());
    }
    for member in ["tokens", "cryptoTokens"] {
        let count = body.get(member).and_then(Value::as_array).map_or(0, Vec::len);
        if count > 0 {
            out.push(format!("{count} {member}"));
        }
    }
}

// --- values ---------------------------------------------------------------------------------------

/// A described CHOICE as the path of its alternatives, with the number or text at its end.
fn dotted(value: &Value) -> String {
    let (name, inner) = chosen(value);
    if name.is_empty() {
        return String::new();
    }
    match inner {
        Value::Object(_) => match dotted(inner) {
            rest if rest.is_empty() => name.to_owned(),
            rest => format!("{name}.{rest}"),
        },
        Value::Number(number) => format!("{name} {number}"),
        Value::String(text) => format!("{name} {text}"),
        _ => name.to_owned(),
    }
}

/// The IP address in a described transport address of H.225.0 or H.245.
fn address(value: Option<&Value>) -> Option<String> {
    let (_, inner) = chosen(value?);
    let members = inner.as_object()?;
    tree::address(members).or_else(|| tree::address(chosen(inner).1.as_object()?))
}

fn aliases(value: Option<&Value>) -> Option<String> {
    let aliases: Vec<_> = value?
        .as_array()?
        .iter()
        .map(|alias| match chosen(alias) {
            (_, Value::String(text)) => format!("{text:?}"),
            (name, value) => address(Some(alias)).unwrap_or_else(|| match dotted(value) {
                inner if inner.is_empty() => name.to_owned(),
                inner => inner,
            }),
        })
        .collect();
    (!aliases.is_empty()).then(|| aliases.join("/"))
}

fn list(names: &[String]) -> String {
    let shown = names.get(..NAMED).filter(|_| names.len() > NAMED + 1).unwrap_or(names);
    let rest = names.len() - shown.len();
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{}{more}", shown.join(" "))
}
