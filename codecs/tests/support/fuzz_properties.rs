//! What must hold of every decoder for any payloads in any order: no panic, no allocation, as many samples as were
//! announced and none beyond, never more than the payload's octets can stand for.
//! In: a script. Out: a panic when that does not hold; else an [`Outcome`].
//!
//! ```text
//!   kind, mode of G.722, then acts:   payload of an encoder, damaged   any octets   conceal   concealed   recover   reset
//! ```
//! Shared by the stable driver (`tests/fuzz.rs`) and libFuzzer (`fuzz/fuzz_targets`).

use std::sync::OnceLock;

use assert_no_alloc::assert_no_alloc;
use offhook_codecs::{CodecError, CodecKind, CodecSettings, G722Mode};

use super::fuzz_driver::{Outcome, Script};

/// 120 ms at 48 kHz and something beyond.
const OUT: usize = 6_000;
const UNTOUCHED: i16 = 1_234;

/// Payloads as each codec's encoder makes them: a tone that changes, packets of the usual length and shorter.
pub fn payloads(kind: CodecKind) -> &'static [Vec<u8>] {
    static ALL: OnceLock<Vec<Vec<Vec<u8>>>> = OnceLock::new();
    let all = ALL.get_or_init(|| CodecKind::ALL.iter().map(|kind| encoded(*kind)).collect());
    let at = CodecKind::ALL.iter().position(|other| *other == kind).unwrap_or(0);
    &all[at]
}

fn encoded(kind: CodecKind) -> Vec<Vec<u8>> {
    let mut encoder = kind.encoder().unwrap();
    let usual = kind.packet_samples(kind.default_frames_per_packet());
    let mut octets = vec![0; 8_000];
    (0..64)
        .map(|n| {
            let samples = kind.whole_packet(usual * [4, 4, 2, 6][n % 4] / 4);
            let pcm: Vec<i16> = (0..samples)
                .map(|at| {
                    let turn =
                        (at + n * samples) as f64 * (300.0 + 40.0 * n as f64) / f64::from(kind.sample_rate());
                    (9_000.0 * (turn * std::f64::consts::TAU).sin() * (n % 5) as f64 / 4.0) as i16
                })
                .collect();
            let written = encoder.encode(&pcm, &mut octets).unwrap();
            octets[..written].to_vec()
        })
        .collect()
}

/// One script, one decoder.
pub fn decoders(octets: &[u8]) -> Outcome {
    let mut script = Script::new(octets);
    let kind = CodecKind::ALL[usize::from(script.octet()) % CodecKind::ALL.len()];
    let g722_mode = [G722Mode::Kbit64, G722Mode::Kbit56, G722Mode::Kbit48][usize::from(script.octet() % 3)];
    let mut decoder = kind.decoder_with(&CodecSettings { g722_mode, ..CodecSettings::default() }).unwrap();
    let real = payloads(kind);
    let mut out = vec![0; OUT];
    let mut payload = Vec::with_capacity(2_048);
    let mut outcome = Outcome::default();
    outcome.saw(kind as u64);
    while !script.is_over() {
        let act = script.octet() % 16;
        payload.clear();
        match act {
            0..=8 => {
                payload.extend_from_slice(&real[usize::from(script.octet()) % real.len()]);
                for _ in 0..act.saturating_sub(4) {
                    let (at, octet) = (usize::from(script.octet()), script.octet());
                    if let Some(damaged) = payload.get_mut(at) {
                        *damaged = octet;
                    }
                }
                if act == 8 {
                    payload.truncate(usize::from(script.octet()));
                }
            }
            9 | 10 => {
                let length = usize::from(script.number()) % 1_500;
                payload.extend_from_slice(script.take(length));
            }
            _ => payload.extend_from_slice(&real[usize::from(script.octet()) % real.len()]),
        }
        let length = usize::from(script.number()) % OUT;
        match act {
            11 | 12 => {
                let made = assert_no_alloc(|| decoder.conceal(&mut out[..length]));
                outcome.saw(u64::from(made));
            }
            13 => assert_no_alloc(|| decoder.concealed(&out[..length])),
            14 => {
                let made = assert_no_alloc(|| decoder.recover_lost(&payload, &mut out[..length]));
                outcome.saw(2 + u64::from(made));
            }
            15 => assert_no_alloc(|| decoder.reset()),
            _ => {}
        }
        let samples = decoder.payload_samples(&payload);
        assert_eq!(samples, kind.payload_samples(&payload));
        // No octet of any codec holds more than eight samples, but Opus packs 120 ms into a few.
        let most = if kind.name() == "opus" { 5_760 } else { payload.len() * 8 };
        assert!(samples <= most, "{kind}: {samples} samples of {} octets", payload.len());
        let room = samples.min(OUT);
        out[room..].fill(UNTOUCHED);
        let decoded = assert_no_alloc(|| decoder.decode(&payload, &mut out));
        match decoded {
            Ok(written) => {
                assert_eq!(written, samples, "{kind}");
                assert!(out[written..].iter().all(|sample| *sample == UNTOUCHED), "{kind} wrote beyond");
                outcome.accepted |= written > 0;
                outcome.saw(16 + written as u64);
            }
            Err(CodecError::MalformedPayload { octets }) => {
                assert_eq!(octets, payload.len());
                outcome.saw(7);
            }
            Err(CodecError::OutputTooSmall { needed, available }) => {
                assert!(needed == samples && available == OUT && samples > OUT, "{kind}");
                outcome.saw(8);
            }
            Err(other) => panic!("{kind}: {other}"),
        }
    }
    outcome
}
