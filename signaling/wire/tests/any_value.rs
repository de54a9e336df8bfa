//! Arbitrary values of every type of the schema, each member and alternative at least once:
//! description → value → octets → value → description.
//! In: values from `support/notation.rs`; `OFFHOOK_SEED`, `OFFHOOK_ROUNDS`.
//! Not here: whether others read the octets alike (`oracle.rs`, `tshark.rs`).

mod support;

use std::collections::HashSet;
use std::fmt::Debug;

use bytes::Bytes;
use offhook_wire::per::{self, Type};
use serde_json::Value;
use support::notation::{Maker, Name, Schema, Taste};
use support::roots::{Act, roots, with_root};

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// There and back for one description. `Err` says what went wrong.
struct RoundTrip<'a>(&'a Value);

impl Act for RoundTrip<'_> {
    type Output = Result<Bytes, String>;
    fn act<T: Type + PartialEq + Clone + Debug>(&mut self) -> Self::Output {
        let value: T = per::json::build(self.0).map_err(|error| format!("not built: {error}"))?;
        if value.to_json() != *self.0 {
            return Err(format!("described as {}", value.to_json()));
        }
        let octets = Bytes::from(per::encode(&value).map_err(|error| format!("not encoded: {error}"))?);
        let (decoded, meter) = per::decode_metered::<T>(&octets);
        let decoded = decoded.map_err(|error| format!("not decoded: {error}"))?;
        if meter.work * 4 > meter.work_limit {
            return Err(format!("{meter:?}: work is to be limited where nothing honest comes near"));
        }
        if decoded != value {
            return Err(format!("decoded as {}", decoded.to_json()));
        }
        match per::encode(&decoded) {
            Ok(again) if again == octets => Ok(octets),
            other => Err(format!("encoded again as {other:02x?}")),
        }
    }
}

#[track_caller]
fn round_trip(root: &Name, value: &Value) -> usize {
    match with_root(root, &mut RoundTrip(value)) {
        Ok(octets) => octets.len(),
        Err(failure) => panic!("{}::{} {value}: {failure}", root.0, root.1),
    }
}

const TASTE: Taste =
    Taste { sparse: 5, levels: 9, unknown: true, any_text: true, narrow: false, latin: true };

/// Types of the schema that no root leads to, and no other of them.
fn unreached(schema: &Schema) -> Vec<String> {
    let roots = roots();
    let mut reached: HashSet<Name> = roots.iter().cloned().collect();
    for root in &roots {
        reached.extend(schema.ways(root).into_keys());
    }
    let missing: Vec<&Name> = schema.types().filter(|name| !reached.contains(*name)).collect();
    let below: HashSet<Name> = missing.iter().flat_map(|name| schema.ways(name).into_keys()).collect();
    let tops = missing.iter().filter(|name| !below.contains(**name));
    tops.map(|(module, name)| format!("    {module}::{name},")).collect()
}

#[test]
fn a_root_leads_to_every_type() {
    let schema = Schema::read();
    let missing = unreached(&schema);
    assert!(missing.is_empty(), "add to support/roots.rs what leads to:\n{}", missing.join("\n"));
    println!("{} types, {} members and alternatives", schema.types().count(), schema.targets().len());
}

#[test]
fn every_member_and_alternative_survives_in_an_arbitrary_value() {
    let schema = Schema::read();
    let mut maker = Maker::new(&schema, number("OFFHOOK_SEED", 1), TASTE);
    let (mut values, mut octets) = (0, 0);
    let mut left: Vec<_> = schema.targets();
    for root in roots() {
        let ways = schema.ways(&root);
        left.retain(|target| {
            if target.0 != root && !ways.contains_key(&target.0) {
                return true;
            }
            let value = maker.value_with(&root, &ways, target);
            octets += round_trip(&root, &value);
            values += 1;
            !maker.used.contains(target)
        });
    }
    println!("{values} values in {octets} octets");
    let left: Vec<_> = left.iter().map(|target| (&target.0, &schema.line(target).name)).collect();
    assert!(left.is_empty(), "not exercised: {left:?}");
}

#[test]
fn arbitrary_values_of_the_roots_survive() {
    let schema = Schema::read();
    let mut maker = Maker::new(&schema, number("OFFHOOK_SEED", 1), TASTE);
    for (sparse, levels) in [(2, 3), (5, 9), (12, 14)] {
        maker.taste = Taste { sparse, levels, ..TASTE };
        for root in roots() {
            let mut octets = 0;
            let rounds = number("OFFHOOK_ROUNDS", 150);
            for _ in 0..rounds {
                let value = maker.value(&root);
                octets += round_trip(&root, &value);
            }
            println!("{}: {rounds} values of {} octets", root.1, octets as u64 / rounds);
        }
    }
}
