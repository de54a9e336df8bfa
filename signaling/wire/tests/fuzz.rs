//! The fuzz targets on stable: bounded in `cargo test`, as long as wanted by `make fuzz`.
//! In: `FUZZ_EXECUTIONS` and `FUZZ_SECONDS` for each target, whichever ends first; `OFFHOOK_SEED`.
//! Out: figures a target. Not here: the properties (`support/fuzz_properties.rs`); libFuzzer (`fuzz/`).

mod support;
mod vectors_common;

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use offhook_wire::{h450, per};
use support::fuzz_driver::{Limit, corpus, run};
use support::fuzz_properties::{self, TARGETS, argument_of};

fn number(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().expect("a number"))
}

fn fuzz(name: &str) {
    let target = TARGETS.into_iter().find(|(target, _)| *target == name).expect("a target of this name");
    let (executions, seconds) = (number("FUZZ_EXECUTIONS"), number("FUZZ_SECONDS"));
    let long = executions.or(seconds).is_some();
    let limit = if long {
        Limit {
            executions: executions.unwrap_or(u64::MAX),
            time: seconds.map_or(Duration::MAX, Duration::from_secs),
        }
    } else {
        Limit { executions: 6_000, time: Duration::from_secs(20) }
    };
    let mut seeds = corpus(name);
    if long {
        // All vectors of the type as well.
        let types: &[&str] = match name {
            "ras" => &["RasMessage"],
            "h225" => &["H323-UserInformation"],
            "h245" => &["MultimediaSystemControlMessage", "OpenLogicalChannel"],
            "h450" => &["H4501SupplementaryService"],
            _ => &[],
        };
        let vectors = vectors_common::vectors().into_iter();
        let vectors = vectors.filter(|v| types.contains(&v.pdu.as_str()) && v.octets.len() < 4096);
        seeds.extend(vectors.map(|vector| vector.octets.to_vec()));
    }
    let count = seeds.len();
    let figures = run(target, seeds, limit, number("OFFHOOK_SEED").unwrap_or(1));
    let line = format!(
        "{name}: {} executions in {:.1} s from {count} seeds; {} accepted, {} seen not to be canonical, {} kept, slowest {:.2} ms\n",
        figures.executions,
        figures.elapsed.as_secs_f64(),
        figures.accepted,
        figures.lenient,
        figures.pool - count,
        figures.slowest.as_secs_f64() * 1e3,
    );
    // Not println!, which the test harness would swallow.
    std::io::stderr().write_all(line.as_bytes()).expect("standard error");
    assert!(figures.accepted > figures.executions / 50, "the mutations are too coarse: {line}");
}

#[test]
fn any_octets_are_a_stream_of_tpkts_or_an_error() {
    fuzz("tpkt");
}

#[test]
fn any_octets_are_a_q931_message_or_an_error() {
    fuzz("q931");
}

#[test]
fn any_octets_are_a_ras_message_or_an_error() {
    fuzz("ras");
}

#[test]
fn any_octets_are_a_call_signalling_message_or_an_error() {
    fuzz("h225");
}

#[test]
fn any_octets_are_an_h245_message_or_an_error() {
    fuzz("h245");
}

#[test]
fn any_octets_are_a_supplementary_service_or_an_error() {
    fuzz("h450");
}

#[test]
fn the_arguments_results_and_errors_of_all_operations_are_fuzzed_and_the_corpus_has_one_of_each() {
    let known = |code| {
        let types = [h450::argument_type(code), h450::result_type(code), h450::parameter_type(code)];
        types.into_iter().flatten()
    };
    let mut count = 0;
    for open_type in (-10..3000).flat_map(known) {
        assert!(argument_of(open_type).is_some(), "{open_type:?} is not fuzzed");
        count += 1;
    }
    assert!(count > 80, "{count} open types");
    // The corpus invokes every operation, and has every result.
    let (mut operations, mut results) = (BTreeSet::new(), BTreeSet::new());
    for seed in corpus("h450") {
        assert!(fuzz_properties::h450(&seed).accepted, "{seed:02x?}");
        let Ok(service) = per::decode::<h450::H4501SupplementaryService>(&seed.into()) else { continue };
        let h450::ServiceApdus::RosApdus(apdus) = &service.service_apdu else { continue };
        for apdu in apdus {
            match apdu {
                h450::Ros::Invoke(invoke) => {
                    operations.insert(format!("{:?}", invoke.opcode));
                }
                h450::Ros::ReturnResult(answer) => {
                    results.extend(answer.result.iter().map(|result| format!("{:?}", result.opcode)));
                }
                _ => {}
            }
        }
    }
    let codes = |known: fn(i64) -> bool| -> BTreeSet<_> {
        (-10..3000).filter(|code| known(*code)).map(|c| format!("{:?}", h450::Code::Local(c))).collect()
    };
    assert!(operations.is_superset(&codes(|code| h450::operation_name(code).is_some())));
    assert!(results.is_superset(&codes(|code| h450::result_type(code).is_some())));
}

#[test]
fn the_corpus_is_small_and_every_target_has_one() {
    for (name, _) in TARGETS {
        let seeds = corpus(name);
        let octets: usize = seeds.iter().map(Vec::len).sum();
        assert!((5..=64).contains(&seeds.len()), "{name}: {} seeds", seeds.len());
        assert!(octets <= 32 * 1024, "{name}: {octets} octets");
    }
}
