//! Descriptions as text for people.
//! In: a description, best with its [nested](super::nested) encodings taken apart. Out: lines `name: value`, indented;
//! a chain of lone members on one line (`h245Address.ipAddress: 192.0.2.7:30000`).
//! Not here: a form that can be read back; that is the description itself.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::nested::{ENCODED, ERROR};

/// How many octets are shown before the rest is only counted.
const SHOWN_OCTETS: usize = 32;

/// Members whose text is text even if it looks like octets.
const TEXTS: [&str; 42] = [
    "address",
    "alphanumeric",
    "audioTelephoneEvent",
    "callIdentity",
    "carrierName",
    "cname",
    "dataPartyNumber",
    "dialledDigits",
    "domainBased",
    "e164Address",
    "email-ID",
    "endpointIdentifier",
    "esn",
    "extendedName",
    "gatekeeperId",
    "gatekeeperIdentifier",
    "generalID",
    "generalId",
    "group",
    "h323-ID",
    "hplmn",
    "imei",
    "imsi",
    "internationalNumber",
    "language",
    "mdn",
    "means",
    "mid",
    "min",
    "msisdn",
    "name",
    "nationalStandardPartyNumber",
    "privateNumberDigits",
    "publicNumberDigits",
    "sendersID",
    "sesn",
    "sid",
    "signalType",
    "subAddress",
    "telexPartyNumber",
    "text",
    "unicode",
];

/// The tree of `description`, whose top is called `name`; each line ends with a newline.
#[must_use]
pub fn text(name: &str, description: &Value) -> String {
    let mut out = String::new();
    node(&mut out, 0, name.to_owned(), name, description);
    out
}

/// One value. `label` is what its line starts with, `key` the member that it is, which says what text means.
fn node(out: &mut String, depth: usize, label: String, key: &str, value: &Value) {
    match value {
        Value::Null => line(out, depth, &label, ""),
        Value::Bool(flag) => line(out, depth, &label, if *flag { ": true" } else { ": false" }),
        Value::Number(number) => line(out, depth, &label, &format!(": {number}")),
        Value::String(text) => line(out, depth, &label, &format!(": {}", scalar(key, text))),
        Value::Array(elements) => {
            // Short lists of numbers stay on one line.
            let numbers: Option<Vec<_>> = elements.iter().map(Value::as_u64).collect();
            match numbers {
                Some(numbers) => {
                    let numbers: Vec<_> = numbers.iter().map(u64::to_string).collect();
                    line(out, depth, &label, &format!(": [{}]", numbers.join(", ")));
                }
                None if elements.len() == 1 => {
                    elements.iter().for_each(|element| node(out, depth, format!("{label}[0]"), key, element));
                }
                None => {
                    line(out, depth, &label, "");
                    for (index, element) in elements.iter().enumerate() {
                        node(out, depth + 1, format!("[{index}]"), key, element);
                    }
                }
            }
        }
        Value::Object(members) => object(out, depth, label, members),
    }
}

fn object(out: &mut String, depth: usize, label: String, members: &Map<String, Value>) {
    if let Some(octets) = members.get(ENCODED).and_then(Value::as_str) {
        let length = octets.len() / 2;
        if let Some(error) = members.get(ERROR).and_then(Value::as_str) {
            line(out, depth, &label, &format!(": {} ! {error}", shown_octets(octets)));
        }
        for (name, value) in members.iter().filter(|(name, _)| !name.starts_with('_')) {
            node(out, depth, format!("{label} → {name} ({length} octets)"), name, value);
        }
        return;
    }
    if let Some(address) = address(members) {
        line(out, depth, &label, &format!(": {address}"));
        return;
    }
    if let Some(element) = element(out, depth, &label, members) {
        return element;
    }
    let mut rest = members.iter();
    match (rest.next(), rest.next()) {
        (None, _) => line(out, depth, &label, " {}"),
        (Some((name, value)), None) => node(out, depth, format!("{label}.{name}"), name, value),
        _ => {
            line(out, depth, &label, "");
            for (name, value) in members {
                node(out, depth + 1, name.clone(), name, value);
            }
        }
    }
}

/// An information element of Q.931.
fn element(out: &mut String, depth: usize, label: &str, members: &Map<String, Value>) -> Option<()> {
    let code = members.get("id").or(members.get("octet")).filter(|code| code.is_u64())?;
    let code = code.as_u64()?;
    let uuie = members.get("H323-UserInformation");
    if uuie.is_none() && !members.contains_key("hex") && !members.contains_key("octet") {
        return None;
    }
    let name = members.get("name").and_then(Value::as_str).unwrap_or("element");
    let codeset = members.get("codeset").map_or_else(String::new, |set| format!(", codeset {set}"));
    let label = format!("{label} {name} ({code:#04x}{codeset})");
    if let Some(uuie) = uuie {
        line(out, depth, &label, "");
        node(out, depth + 1, "H323-UserInformation".into(), "", uuie);
        return Some(());
    }
    let octets = members.get("hex").and_then(Value::as_str);
    let means = members.get("means").and_then(Value::as_str);
    let contents = octets.map_or_else(String::new, |octets| match means {
        Some(_) => format!(": {octets}"),
        None => format!(": {}", shown_octets(octets)),
    });
    let means = means.map_or_else(String::new, |means| format!(" {means:?}"));
    line(out, depth, &label, &format!("{contents}{means}"));
    Some(())
}

fn line(out: &mut String, depth: usize, label: &str, rest: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{:width$}{label}{rest}", "", width = depth * 2);
}

fn scalar(key: &str, text: &str) -> String {
    if TEXTS.contains(&key) {
        return format!("{text:?}");
    }
    if let Some(name) = protocol(text) {
        return format!("{text} ({name})");
    }
    let is_oid = text.contains('.') && text.split('.').all(|arc| arc.parse::<u128>().is_ok());
    if is_oid {
        return text.to_owned();
    }
    if is_octets(text) { shown_octets(text) } else { format!("{text:?}") }
}

fn is_octets(text: &str) -> bool {
    text.len().is_multiple_of(2) && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
}

/// Octets as text if they are text, and as hexadecimal digits.
fn shown_octets(hex: &str) -> String {
    let octets = unhex(hex);
    if octets.is_empty() {
        return "(no octets)".into();
    }
    let mut bare = octets.as_slice();
    while let [text @ .., 0] = bare {
        bare = text;
    }
    let is_text = bare.len() > 2 && bare.iter().all(|octet| (0x20..0x7f).contains(octet));
    let digits = match hex.get(..SHOWN_OCTETS * 2).filter(|_| octets.len() > SHOWN_OCTETS) {
        Some(start) => format!("{start}… ({} octets)", octets.len()),
        None => hex.to_owned(),
    };
    if is_text { format!("{digits} {:?}", String::from_utf8_lossy(bare)) } else { digits }
}

fn unhex(hex: &str) -> Vec<u8> {
    crate::per::json::octets(&Value::from(hex)).unwrap_or_default()
}

/// An IP address and a port, as H.225.0 and as H.245 spell them.
pub fn address(members: &Map<String, Value>) -> Option<String> {
    let ip = members.get("ip").or(members.get("network"))?.as_str()?;
    let port = members.get("port").or(members.get("tsapIdentifier"))?.as_u64()?;
    if members.len() != 2 {
        return None;
    }
    let octets = unhex(ip);
    if let Ok(four) = <[u8; 4]>::try_from(octets.as_slice()) {
        return Some(format!("{}:{port}", std::net::Ipv4Addr::from(four)));
    }
    let sixteen = <[u8; 16]>::try_from(octets.as_slice()).ok()?;
    Some(format!("[{}]:{port}", std::net::Ipv6Addr::from(sixteen)))
}

/// The protocol whose version an identifier is.
fn protocol(oid: &str) -> Option<String> {
    let (name, version) = [
        ("H.225.0", "0.0.8.2250.0."),
        ("H.245", "0.0.8.245.0."),
        ("H.235", "0.0.8.235.0."),
        ("H.460.19", "0.0.8.460.19.0."),
    ]
    .into_iter()
    .find_map(|(name, start)| Some((name, oid.strip_prefix(start)?)))?;
    (version.bytes().all(|c| c.is_ascii_digit()) && !version.is_empty()).then(|| format!("{name} v{version}"))
}
