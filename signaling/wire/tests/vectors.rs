//! Every PDU vector, through every direction: octets → value → description → value → octets.
//! In: `tests/data/*.jsonl`, and those of the directory that `OFFHOOK_VECTORS` names.
//! Not here: random octets (`mutations.rs`), budgets (`stack.rs`, `memory.rs`).

use std::path::{Path, PathBuf};

use bytes::Bytes;
use offhook_wire::per::{self, Error, Type};
use offhook_wire::{h225, h245};
use serde_json::Value;

/// What a vector is to show. See `tests/data/README.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    Valid,
    UnknownAddition,
    UnknownAlternative,
    Lenient,
    MustReject,
    MustNotPanic,
}

struct Vector {
    id: String,
    pdu: String,
    kind: Kind,
    octets: Bytes,
    value: Option<Value>,
    reencode: Option<String>,
}

fn directories() -> Vec<PathBuf> {
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")];
    directories.extend(std::env::var_os("OFFHOOK_VECTORS").map(PathBuf::from));
    directories
}

fn vectors() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for directory in directories() {
        let entries = std::fs::read_dir(&directory).expect("the directory of vectors");
        let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file).expect("a readable file of vectors");
            vectors.extend(text.lines().map(parse));
        }
    }
    vectors
}

fn parse(line: &str) -> Vector {
    let row: Value = serde_json::from_str(line).expect("a row of JSON");
    let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    Vector {
        id: text("id").expect("an id"),
        pdu: text("pdu").expect("a PDU"),
        kind: match text("kind").as_deref() {
            Some("valid") => Kind::Valid,
            Some("unknown-addition") => Kind::UnknownAddition,
            Some("unknown-alternative") => Kind::UnknownAlternative,
            Some("lenient") => Kind::Lenient,
            Some("must-reject") => Kind::MustReject,
            Some("must-not-panic") => Kind::MustNotPanic,
            other => panic!("unknown kind {other:?}"),
        },
        octets: unhex(&text("hex").expect("octets")).into(),
        value: row.get("value").cloned(),
        reencode: text("reencode"),
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let octet = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal octets");
    (0..text.len()).step_by(2).map(octet).collect()
}

/// Our description in the terms of the vectors: of the unknown they tell only the index of an
/// alternative, the number of additions and the fact of an ENUMERATED item.
fn in_terms_of_the_vectors(value: &mut Value, keep_additions: bool) {
    match value {
        Value::Object(members) => {
            if !keep_additions {
                members.remove("_unknown_additions");
            }
            for (name, member) in members.iter_mut() {
                match name.as_str() {
                    "_unknown_alternative" => {
                        if let Some(index) = member.get("index") {
                            *member = index.clone();
                        }
                    }
                    "_unknown_additions" => {
                        if let Some(additions) = member.as_array() {
                            *member = additions.len().into();
                        }
                    }
                    "_unknown_enum" => *member = Value::Null,
                    _ => in_terms_of_the_vectors(member, keep_additions),
                }
            }
        }
        Value::Array(elements) => {
            elements.iter_mut().for_each(|element| in_terms_of_the_vectors(element, keep_additions));
        }
        _ => {}
    }
}

/// What is wrong with `vector`, if anything.
fn verdict<T: Type + PartialEq>(vector: &Vector) -> Result<(), String> {
    let decoded: Result<T, Error> = per::decode(&vector.octets);
    match vector.kind {
        Kind::MustNotPanic => return Ok(()),
        Kind::MustReject => {
            return match decoded {
                Ok(value) => Err(format!("accepted: {}", value.to_json())),
                Err(_) => Ok(()),
            };
        }
        _ => {}
    }
    let value = decoded.map_err(|error| format!("rejected: {error}"))?;
    let description = value.to_json();
    if per::json::build::<T>(&description).map_err(|error| format!("own description: {error}"))? != value {
        return Err("own description builds another value".into());
    }
    let mut described = description.clone();
    let mut expected = vector.value.clone().ok_or("no value to compare with")?;
    let keep = vector.kind == Kind::UnknownAlternative;
    in_terms_of_the_vectors(&mut described, keep);
    in_terms_of_the_vectors(&mut expected, keep);
    if described != expected {
        return Err(format!("decoded as\n  {described}\nnot\n  {expected}"));
    }
    let encoded = per::encode(&value).map_err(|error| format!("not encoded: {error}"))?;
    let wanted = match vector.kind {
        Kind::Lenient => vector.reencode.clone().ok_or("no re-encoding to compare with")?,
        _ => hex(&vector.octets),
    };
    if hex(&encoded) != wanted {
        return Err(format!("encoded as\n  {}\nnot\n  {wanted}", hex(&encoded)));
    }
    if let (Kind::UnknownAddition, Some(wanted)) = (vector.kind, &vector.reencode) {
        // Without its unknown additions the value is what an encoder that drops them sends.
        let mut known = description;
        in_terms_of_the_vectors(&mut known, false);
        let known = per::json::build::<T>(&known).map_err(|error| format!("known part: {error}"))?;
        let encoded = per::encode(&known).map_err(|error| format!("known part: {error}"))?;
        if hex(&encoded) != *wanted {
            return Err(format!("known part encoded as\n  {}\nnot\n  {wanted}", hex(&encoded)));
        }
    }
    Ok(())
}

fn check(vector: &Vector) -> Result<(), String> {
    match vector.pdu.as_str() {
        "RasMessage" => verdict::<h225::RasMessage>(vector),
        "H323-UserInformation" => verdict::<h225::H323UserInformation>(vector),
        "MultimediaSystemControlMessage" => verdict::<h245::MultimediaSystemControlMessage>(vector),
        "OpenLogicalChannel" => verdict::<h245::OpenLogicalChannel>(vector),
        "H4501SupplementaryService" => Ok(()),
        other => Err(format!("no type for {other}")),
    }
}

fn all_of(kind: Kind) {
    let vectors: Vec<_> = vectors().into_iter().filter(|vector| vector.kind == kind).collect();
    let mut failures = Vec::new();
    for vector in &vectors {
        if let Err(failure) = check(vector) {
            failures.push(format!("{} ({}): {failure}", vector.id, vector.pdu));
        }
    }
    println!("{kind:?}: {} vectors, {} failures", vectors.len(), failures.len());
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), vectors.len(), failures.join("\n"));
    assert!(!vectors.is_empty(), "no vector of this kind");
}

#[test]
fn valid_messages_decode_to_their_value_and_encode_to_their_octets() {
    all_of(Kind::Valid);
}

#[test]
fn unknown_additions_are_skipped_and_kept() {
    all_of(Kind::UnknownAddition);
}

#[test]
fn unknown_alternatives_leave_the_rest_readable_and_are_kept() {
    all_of(Kind::UnknownAlternative);
}

#[test]
fn sloppy_but_harmless_messages_are_accepted() {
    all_of(Kind::Lenient);
}

#[test]
fn malformed_messages_are_rejected() {
    all_of(Kind::MustReject);
}

#[test]
fn hostile_messages_do_no_harm() {
    all_of(Kind::MustNotPanic);
}
