//! An independent oracle: what we encode, pycrate decodes to the same value.
//! In: arbitrary values of the top-level types, each member and alternative at least once;
//! `OFFHOOK_SEED`, `OFFHOOK_ROUNDS`. Out: how many values of each.
//! Not here: H.450 and H.460, which pycrate has no modules for (their hand-checked octets are in
//! `vectors_traps.rs`); its encoder, which is wrong in places.

mod support;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;
use std::process::Command;

use offhook_wire::per::{self, Type};
use serde_json::{Value, json};
use support::notation::{Maker, Name, Schema, Taste, hex};
use support::roots::{Act, roots, with_root};
use support::tools::{pipe, python};

struct Encode<'a>(&'a Value);

impl Act for Encode<'_> {
    type Output = Vec<u8>;
    fn act<T: Type + PartialEq + Clone + Debug>(&mut self) -> Vec<u8> {
        let value: T = per::json::build(self.0).unwrap_or_else(|error| panic!("{}: {error}", self.0));
        per::encode(&value).unwrap_or_else(|error| panic!("{}: {error}", self.0))
    }
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// What pycrate does not see as we do, by the name of the member; the vectors have these octets.
fn set_aside(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, member)| match name.as_str() {
            // An empty string of an alphabet of four bits: pycrate reads padding that X.691 does
            // not have (WIRE.md trap 6).
            "networkAddress" if member == "" => true,
            // BIT STRING (SIZE (2049..65536)): pycrate reads a constrained length, but the upper
            // bound is not below 64K (X.691 10.9.4.1; WIRE.md trap 8).
            "dhkeyext" | "secureChannelExt" => true,
            // pycrate's module has its extension mark inside a comment (WIRE.md trap 1).
            "h262VideoCapability" => true,
            _ => set_aside(member),
        }),
        Value::Array(elements) => elements.iter().any(set_aside),
        _ => false,
    }
}

#[test]
fn pycrate_reads_what_we_write() {
    let Some(python) = python() else { return };
    let schema = Schema::read();
    let taste = Taste { sparse: 5, levels: 9, unknown: false, any_text: true, narrow: false, latin: false };
    let mut maker = Maker::new(&schema, number("OFFHOOK_SEED", 1), taste);
    let mut values: Vec<(Name, Value)> = Vec::new();
    let mut targets = schema.targets();
    let mut aside = 0;
    for root in roots().into_iter().filter(|(module, _)| matches!(module.as_str(), "h225" | "h235" | "h245"))
    {
        let ways = schema.ways(&root);
        targets.retain(|target| {
            if target.0 != root && !ways.contains_key(&target.0) {
                return true;
            }
            values.push((root.clone(), maker.value_with(&root, &ways, target)));
            false
        });
        for _ in 0..number("OFFHOOK_ROUNDS", 150) {
            values.push((root.clone(), maker.value(&root)));
        }
    }
    values.retain(|(_, value)| {
        aside += usize::from(set_aside(value));
        !set_aside(value)
    });
    let rows = values.iter().map(|(root, value)| {
        let octets = with_root(root, &mut Encode(value));
        json!({ "pdu": format!("{}::{}", root.0, root.1), "hex": hex(&octets) }).to_string() + "\n"
    });
    let rows: Vec<String> = rows.collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/decode.py");
    // A process a processor.
    let mut answers = Vec::new();
    std::thread::scope(|scope| {
        let halves = rows.chunks(rows.len().div_ceil(2)).map(|half| {
            let (python, script) = (&python, &script);
            scope.spawn(move || pipe(Command::new(python).arg(script), half.concat()))
        });
        for half in halves.collect::<Vec<_>>() {
            answers.extend(half.join().expect("no panic").lines().map(str::to_owned));
        }
    });
    assert_eq!(answers.len(), values.len());
    let (mut failures, mut counts) = (Vec::new(), BTreeMap::<&Name, usize>::new());
    for (((root, value), row), answer) in values.iter().zip(&rows).zip(&answers) {
        let answer: Value = serde_json::from_str(answer).expect("a row of JSON");
        match answer.get("value") {
            Some(theirs) if theirs == value => *counts.entry(root).or_default() += 1,
            _ => failures.push(format!("{row}  ours   {value}\n  theirs {answer}")),
        }
    }
    println!("{counts:?} agree, {aside} set aside");
    assert!(
        failures.is_empty(),
        "{} of {}, such as\n{}",
        failures.len(),
        values.len(),
        failures[..failures.len().min(4)].join("\n")
    );
}
