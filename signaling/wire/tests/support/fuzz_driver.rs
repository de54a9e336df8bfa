//! A fuzzer for stable Rust: mutants of a corpus, kept when they fare as none before.
//! In: the corpus of a target (`fuzz/corpus/<target>`), how long. Out: figures; a panic, with the
//! input in hexadecimal, when a property does not hold.
//! Not here: coverage of code (`cargo +nightly fuzz run <target>`); the properties.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use super::fuzz_properties::Target;
use super::random::{Random, mutate};

/// When to stop: whichever comes first.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub executions: u64,
    pub time: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Figures {
    pub executions: u64,
    pub accepted: u64,
    pub lenient: u64,
    /// Inputs in the end, corpus and kept mutants.
    pub pool: usize,
    pub elapsed: Duration,
    pub slowest: Duration,
}

/// The committed seeds of a target.
pub fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&directory).expect("the corpus of the target");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).expect("a readable seed")).collect()
}

/// Mutants longer than this are cut: a TPKT at most.
const LONGEST: usize = 65_535;

/// Kept mutants at most.
const POOL: usize = 20_000;

/// Runs one target over its corpus and then over mutants.
pub fn run(target: Target, mut pool: Vec<Vec<u8>>, limit: Limit, seed: u64) -> Figures {
    let (name, property) = target;
    let began = Instant::now();
    let mut figures = Figures::default();
    let mut random = Random(seed);
    let mut seen = HashSet::new();
    let mut next = 0;
    let seeds = pool.len();
    assert!(seeds > 0, "{name} has no corpus");
    while figures.executions < limit.executions
        && (!figures.executions.is_multiple_of(64) || began.elapsed() < limit.time)
    {
        let input = if next < seeds {
            next += 1;
            pool[next - 1].clone()
        } else {
            let (one, other) = (random.below(pool.len()), random.below(pool.len()));
            let mut input = mutate(&pool[one], &pool[other], &mut random);
            input.truncate(LONGEST);
            if random.one(2) {
                mend(name, &mut input);
            }
            input
        };
        let started = Instant::now();
        let outcome = match catch_unwind(AssertUnwindSafe(|| property(&input))) {
            Ok(outcome) => outcome,
            Err(_) => {
                let octets: String = input.iter().map(|octet| format!("{octet:02x}")).collect();
                panic!("{name}: the property does not hold (panic above) for {octets}");
            }
        };
        let mut elapsed = started.elapsed();
        if elapsed > figures.slowest {
            // Once more: the first time may have been spent waiting for a processor.
            let again = Instant::now();
            property(&input);
            elapsed = elapsed.min(again.elapsed());
        }
        figures.slowest = figures.slowest.max(elapsed);
        figures.executions += 1;
        figures.accepted += u64::from(outcome.accepted);
        figures.lenient += u64::from(outcome.lenient);
        if seen.insert(outcome.signature) && next >= seeds && pool.len() < POOL && input.len() < 4096 {
            pool.push(input);
        }
    }
    figures.pool = pool.len();
    figures.elapsed = began.elapsed();
    figures
}

/// Makes an outer length right again, so that mutants get beyond it.
fn mend(name: &str, input: &mut [u8]) {
    let total = input.len();
    match name {
        "tpkt" if total >= 4 => input[..4].copy_from_slice(&[3, 0, (total >> 8) as u8, total as u8]),
        "h225" => {
            let user_user = input.windows(4).position(|w| w[0] == 0x7e && w[3] == 5);
            if let Some(at) = user_user {
                let rest = total - at - 3;
                input[at + 1] = (rest >> 8) as u8;
                input[at + 2] = rest as u8;
            }
        }
        _ => {}
    }
}
