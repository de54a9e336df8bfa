//! Every PDU vector, through every direction: octets → value → description → value → octets.
//! In: the vectors of `vectors_common`.
//! Not here: mutated vectors and small stacks (`vectors_hostile.rs`), memory (`vectors_memory.rs`).

mod vectors_common;

use offhook_wire::pdu::vector::{Expectation, Row};
use vectors_common::{Kind, Vector, unhex, vectors};

/// What is wrong with `vector`, if anything.
fn verdict(vector: &Vector) -> Result<(), String> {
    let row = Row {
        id: vector.id.clone(),
        pdu: vector.pdu.parse().map_err(|error| format!("{error}"))?,
        expectation: match vector.kind {
            Kind::Valid => Expectation::Valid,
            Kind::UnknownAddition => Expectation::UnknownAddition,
            Kind::UnknownAlternative => Expectation::UnknownAlternative,
            Kind::Lenient => Expectation::Lenient,
            Kind::MustReject => Expectation::MustReject,
            Kind::MustNotPanic => Expectation::MustNotPanic,
        },
        octets: vector.octets.clone(),
        value: vector.value.clone(),
        reencode: vector.reencode.as_deref().map(|text| unhex(text).into()),
    };
    row.verify()
}

fn all_of(kind: Kind) {
    let vectors: Vec<_> = vectors().into_iter().filter(|vector| vector.kind == kind).collect();
    let mut failures = Vec::new();
    for vector in &vectors {
        if let Err(failure) = verdict(vector) {
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
