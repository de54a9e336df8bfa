//! A fuzzer for stable Rust: scripts that a property carries out, mutants of those that fared as none before.
//! In: a property, how long; `FUZZ_EXECUTIONS`, `FUZZ_SECONDS`, `OFFHOOK_SEED`. Out: figures; a panic, with the script in
//! hexadecimal, when the property does not hold.
//! Not here: coverage of code (`cargo +nightly fuzz run <target>` in `fuzz/`'s parent); the properties.

use std::collections::HashSet;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// How one script fared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Whether sound came out of it.
    pub accepted: bool,
    /// Equal for scripts that fared alike.
    pub signature: u64,
}

impl Outcome {
    /// Something happened that tells this script from others.
    pub fn saw(&mut self, what: u64) {
        self.signature = (self.signature.rotate_left(5) ^ what).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// What a script is read as: octets, zeros after its end.
pub struct Script<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Script<'a> {
    pub fn new(octets: &'a [u8]) -> Self {
        Self { octets, at: 0 }
    }

    pub fn is_over(&self) -> bool {
        self.at >= self.octets.len()
    }

    pub fn octet(&mut self) -> u8 {
        let octet = self.octets.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        octet
    }

    pub fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.octet(), self.octet()])
    }

    /// So many octets, or what is left.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let rest = self.octets.get(self.at..).unwrap_or_default();
        let taken = &rest[..count.min(rest.len())];
        self.at += taken.len();
        taken
    }
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound.max(1)
    }
}

/// A few changes: octets, cuts, repetitions, the tail of another.
fn mutate(script: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut script = script.to_vec();
    for _ in 0..=random.below(5) {
        if script.is_empty() {
            script.push(random.below(256) as u8);
        }
        let at = random.below(script.len());
        match random.below(6) {
            0 | 1 => script[at] = random.below(256) as u8,
            2 => script[at] ^= 1 << random.below(8),
            3 => drop(script.drain(at..(at + 1 + random.below(4)).min(script.len()))),
            4 => {
                let piece = script[at..(at + 1 + random.below(24)).min(script.len())].to_vec();
                script.splice(at..at, piece.repeat(1 + random.below(4)));
            }
            _ => {
                let from = random.below(other.len());
                script.splice(at.., other.iter().skip(from).copied());
            }
        }
    }
    script.truncate(LONGEST);
    script
}

const LONGEST: usize = 2_048;
/// Scripts kept at most.
const POOL: usize = 5_000;

/// Runs a property: so many executions as fit a test, or as the environment wants.
#[allow(clippy::disallowed_methods, reason = "it is the fuzzer that asks the time, not the decoders")]
pub fn run(name: &str, property: fn(&[u8]) -> Outcome, executions: u64) {
    let number = |variable| std::env::var(variable).ok().map(|text: String| text.parse::<u64>().unwrap());
    let (asked, seconds) = (number("FUZZ_EXECUTIONS"), number("FUZZ_SECONDS"));
    let usual = if seconds.is_some() { u64::MAX } else { executions };
    let (most, time) =
        (asked.unwrap_or(usual), seconds.map_or(Duration::from_secs(120), Duration::from_secs));
    let mut random = Random(number("OFFHOOK_SEED").unwrap_or(1).wrapping_mul(0x9e37_79b9) | 1);
    let mut pool: Vec<Vec<u8>> =
        (0..32).map(|_| (0..20 + random.below(200)).map(|_| random.below(256) as u8).collect()).collect();
    let (mut seen, mut done, mut accepted) = (HashSet::new(), 0u64, 0u64);
    let mut slowest = Duration::ZERO;
    let began = Instant::now();
    while done < most && (!done.is_multiple_of(16) || began.elapsed() < time) {
        let script = match pool.get(done as usize).filter(|_| done < 32) {
            Some(seed) => seed.clone(),
            None => {
                let (one, other) = (random.below(pool.len()), random.below(pool.len()));
                mutate(&pool[one], &pool[other], &mut random)
            }
        };
        let started = Instant::now();
        let Ok(outcome) = catch_unwind(AssertUnwindSafe(|| property(&script))) else {
            let octets: String = script.iter().map(|octet| format!("{octet:02x}")).collect();
            panic!("{name}: the property does not hold (panic above) for {octets}");
        };
        slowest = slowest.max(started.elapsed());
        done += 1;
        accepted += u64::from(outcome.accepted);
        if seen.insert(outcome.signature) && pool.len() < POOL {
            pool.push(script);
        }
    }
    let line = format!(
        "{name}: {done} executions in {:.1} s; sound came of {accepted}, {} kept, slowest {:.1} ms\n",
        began.elapsed().as_secs_f64(),
        pool.len() - 32,
        slowest.as_secs_f64() * 1e3
    );
    // Not println!, which the test harness would swallow.
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    assert!(accepted > done / 20, "the scripts are too coarse: {line}");
}
