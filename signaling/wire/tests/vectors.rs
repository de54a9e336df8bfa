//! Every PDU vector, through every direction: octets → value → description → value → octets.
//! In: the vectors of `vectors_common`.
//! Not here: mutated vectors and small stacks (`vectors_hostile.rs`), memory (`vectors_memory.rs`).

mod vectors_common;

use offhook_wire::per::{self, Error, Type};
use serde_json::Value;
use vectors_common::{Kind, Vector, Visit, hex, vectors, visit};

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
    // Even what was not canonical: the value remembers how it was written.
    let wanted = hex(&vector.octets);
    if hex(&encoded) != wanted {
        return Err(format!("encoded as\n  {}\nnot\n  {wanted}", hex(&encoded)));
    }
    if vector.kind == Kind::Lenient {
        // A description does not, so that what is built from it is canonical.
        let wanted = vector.reencode.clone().ok_or("no re-encoding to compare with")?;
        let built = per::json::build::<T>(&description).map_err(|error| format!("built: {error}"))?;
        let encoded = per::encode(&built).map_err(|error| format!("built, not encoded: {error}"))?;
        if hex(&encoded) != wanted {
            return Err(format!("built and encoded as\n  {}\nnot\n  {wanted}", hex(&encoded)));
        }
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

struct Check;

impl Visit for Check {
    type Output = Result<(), String>;
    fn visit<T: Type + PartialEq + Clone + std::fmt::Debug>(&mut self, vector: &Vector) -> Self::Output {
        verdict::<T>(vector)
    }
}

fn all_of(kind: Kind) {
    let vectors: Vec<_> = vectors().into_iter().filter(|vector| vector.kind == kind).collect();
    let mut failures = Vec::new();
    for vector in &vectors {
        if let Err(failure) = visit(vector, &mut Check) {
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
