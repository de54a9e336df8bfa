//! What the tests of the codecs share: speech, and foreign programs that may be missing.

#![allow(dead_code, reason = "each test file uses its part")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Whether a foreign program runs. Missing it is said loudly, and in CI it is a failure.
pub(crate) fn tool(program: &str, argument: &str) -> bool {
    found(run(program, &[argument]).is_some(), program)
}

/// Whether it also succeeds: for what a program needs, `what`.
pub(crate) fn succeeds(program: &str, arguments: &[&str], what: &str) -> bool {
    found(run(program, arguments) == Some(true), what)
}

fn run(program: &str, arguments: &[&str]) -> Option<bool> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().ok().map(|status| status.success())
}

fn found(is_here: bool, what: &str) -> bool {
    assert!(is_here || std::env::var_os("CI").is_none(), "{what} is missing: CI must not skip");
    if !is_here {
        eprintln!("SKIPPED: {what} is not installed, so this test proves nothing here");
    }
    is_here
}

/// What `program` makes of `input`, through its standard input and output.
pub(crate) fn pipe(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::Builder::new().spawn(move || stdin.write_all(&input)).unwrap();
    let output = child.wait_with_output().unwrap();
    let _ = feeder.join();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The project's own speech, brought to `rate`.
pub(crate) fn speech(file: &str, rate: u32) -> Vec<i16> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "samples", "speech", file].iter().collect();
    let mut reader = hound::WavReader::open(path).unwrap();
    let spec = reader.spec();
    assert_eq!((spec.channels, spec.bits_per_sample), (1, 16));
    let samples: Vec<i16> = reader.samples::<i16>().map(Result::unwrap).collect();
    let mut resampler = offhook_codecs::Resampler::new(spec.sample_rate, rate).unwrap();
    let mut out =
        vec![0; (samples.len() as u64 * u64::from(rate) / u64::from(spec.sample_rate)) as usize + 64];
    let mut written = 0;
    let mut rest = &samples[..];
    while !rest.is_empty() && written < out.len() {
        let done = resampler.process(rest, &mut out[written..]);
        written += done.produced;
        rest = &rest[done.consumed..];
    }
    out.truncate(written / 320 * 320);
    out
}

/// Samples as little-endian octets, as the tools take them.
pub(crate) fn to_octets(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// And back.
pub(crate) fn from_octets(octets: &[u8]) -> Vec<i16> {
    octets.as_chunks::<2>().0.iter().map(|octets| i16::from_le_bytes(*octets)).collect()
}

/// Samples that reach every corner: noise of all sizes, full-scale squares, silence, and speech at three levels.
pub(crate) fn hard(rate: u32) -> Vec<i16> {
    let mut out = speech("alice.wav", rate);
    let bob = speech("bob.wav", rate);
    out.extend(bob.iter().map(|x| x.saturating_mul(4)));
    out.extend(bob.iter().map(|x| x / 50));
    let mut state = 1u32;
    for n in 0..32_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        out.push((state >> 16) as i16 >> (n / 2_000));
    }
    out.extend((0..8_000).map(|n| if n / 37 % 2 == 0 { i16::MAX } else { i16::MIN }));
    out.extend(std::iter::repeat_n(0, 3_200));
    out
}

/// Signal to noise, dB, of `heard` against `wanted`.
pub(crate) fn snr(wanted: &[i16], heard: &[i16]) -> f64 {
    let (mut signal, mut noise) = (0.0f64, 1e-9f64);
    for (wanted, heard) in wanted.iter().zip(heard) {
        signal += f64::from(*wanted).powi(2);
        noise += (f64::from(*wanted) - f64::from(*heard)).powi(2);
    }
    10.0 * f64::log10(signal / noise)
}
