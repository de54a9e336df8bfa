//! Arbitrary payloads in any order: no decoder panics, writes beyond what it announced, or is spoilt for what follows.

mod common;

use common::{snr, speech};
use offhook_codecs::{CodecError, CodecKind, DtmfDetector, NoiseGenerator, ProgressDetector, VoiceActivity};
use proptest::prelude::*;

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        (any::<u8>(), 0..1_500usize).prop_map(|(octet, length)| vec![octet; length]),
        // What begins as GSM or as Opus with several frames.
        (0xD0..0xE0u8, proptest::collection::vec(any::<u8>(), 32)).prop_map(|(first, rest)| [
            vec![first],
            rest
        ]
        .concat()),
        (any::<u8>(), any::<u8>(), proptest::collection::vec(any::<u8>(), 0..80))
            .prop_map(|(toc, count, rest)| [vec![toc | 3, count], rest].concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_payloads_in_any_order_are_decoded_or_refused(
        payloads in proptest::collection::vec((payload(), 0..8u8, 0..1_000usize), 1..12),
    ) {
        for &kind in CodecKind::ALL {
            let mut decoder = kind.decoder().unwrap();
            let mut out = vec![0; 12_000];
            for (payload, act, length) in &payloads {
                match act {
                    0 => {
                        let _ = decoder.conceal(&mut out[..*length]);
                    }
                    1 => decoder.concealed(&out[..*length]),
                    2 => {
                        let _ = decoder.recover_lost(payload, &mut out[..*length]);
                    }
                    3 => decoder.reset(),
                    _ => {}
                }
                let samples = decoder.payload_samples(payload);
                prop_assert_eq!(samples, kind.payload_samples(payload));
                prop_assert!(samples <= payload.len() * 8 || kind.name() == "opus" && samples <= 5_760);
                out[samples.min(12_000)..].fill(1_234);
                match decoder.decode(payload, &mut out) {
                    Ok(written) => {
                        prop_assert_eq!(written, samples, "{}", kind);
                        prop_assert!(out[written..].iter().all(|sample| *sample == 1_234));
                    }
                    Err(why) => {
                        let malformed = CodecError::MalformedPayload { octets: payload.len() };
                        prop_assert_eq!(why, malformed, "{}", kind);
                    }
                }
                if samples > 0 {
                    let refused = decoder.decode(payload, &mut out[..samples - 1]);
                    let announced =
                        matches!(refused, Err(CodecError::OutputTooSmall { needed, .. }) if needed == samples);
                    let malformed = matches!(refused, Err(CodecError::MalformedPayload { .. }));
                    prop_assert!(announced || malformed, "{}", kind);
                }
            }
        }
    }

    #[test]
    fn any_payload_of_any_known_codec_has_a_bounded_length(payload in payload()) {
        for &kind in CodecKind::KNOWN {
            // No octet holds more than 32 ms: Speex says 20 ms of nothing in five bits. Opus has 120 ms at most.
            let most = (payload.len() * kind.sample_rate() as usize * 32 / 1_000)
                .max(kind.sample_rate() as usize * 120 / 1_000);
            prop_assert!(kind.payload_samples(&payload) <= most, "{kind}");
        }
    }

    #[test]
    fn any_samples_are_encoded_and_heard(seed in any::<u32>(), shift in 0..16u32, square in 1..400usize) {
        let mut state = seed;
        let said: Vec<i16> = (0..1_920)
            .map(|n| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if seed % 3 == 0 && n / square % 2 == 0 { i16::MIN } else { (state >> 16) as i16 >> shift }
            })
            .collect();
        for &kind in CodecKind::ALL {
            let (mut encoder, mut decoder) = (kind.encoder().unwrap(), kind.decoder().unwrap());
            let length = kind.packet_samples(kind.default_frames_per_packet());
            let (mut octets, mut out) = ([0; 4_000], [0; 1_920]);
            for said in said.chunks_exact(length) {
                let written = encoder.encode(said, &mut octets).unwrap();
                prop_assert!(written <= kind.samples_to_octets(length));
                prop_assert_eq!(decoder.decode(&octets[..written], &mut out), Ok(length));
            }
        }
        let (mut digits, mut progress) = (DtmfDetector::new(8_000), ProgressDetector::new(8_000));
        let mut activity = VoiceActivity::new(8_000).unwrap();
        let mut noise = NoiseGenerator::new();
        for said in said.chunks(square) {
            digits.push(said, |_| {});
            progress.push(said, |_| {});
            activity.push(said);
            let _ = noise.update(&seed.to_be_bytes());
            noise.fill(&mut [0; 160]);
        }
    }
}

/// Garbage leaves a state behind that the next speech must bring back: predictors forget.
#[test]
fn after_garbage_every_decoder_hears_again() {
    for &kind in CodecKind::ALL {
        let length = kind.packet_samples(kind.default_frames_per_packet());
        let said = speech("alice.wav", kind.sample_rate());
        let (mut encoder, mut clean, mut spoilt) =
            (kind.encoder().unwrap(), kind.decoder().unwrap(), kind.decoder().unwrap());
        let (mut octets, mut out, mut state) = ([0u8; 4_000], vec![0; length * 2], 9u32);
        for n in 0..200usize {
            let garbage: Vec<u8> = (0..kind.samples_to_octets(length).min(400))
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8 | if n % 2 == 0 { 0 } else { 0xF0 }
                })
                .collect();
            let _ = spoilt.decode(&garbage, &mut vec![0; 12_000]);
        }
        let (mut wanted, mut heard) = (Vec::new(), Vec::new());
        for said in said.chunks_exact(length) {
            let written = encoder.encode(said, &mut octets).unwrap();
            assert_eq!(clean.decode(&octets[..written], &mut out), Ok(length));
            wanted.extend_from_slice(&out[..length]);
            assert_eq!(spoilt.decode(&octets[..written], &mut out), Ok(length));
            heard.extend_from_slice(&out[..length]);
        }
        // After a second they are alike.
        let from = kind.sample_rate() as usize;
        let alike = snr(&wanted[from..], &heard[from..]);
        assert!(alike > 20.0, "{kind:?}: {alike:.1} dB");
    }
}

/// G.722 and G.726 predict: told what was heard instead of a lost packet, they go on better than from before it.
#[test]
fn decoders_that_predict_follow_what_was_concealed() {
    for kind in [CodecKind::G722, CodecKind::G726_32, CodecKind::G726_40] {
        let length = kind.packet_samples(20);
        let said = speech("alice.wav", kind.sample_rate());
        let mut octets = [0; 4_000];
        let mut encoder = kind.encoder().unwrap();
        let packets: Vec<Vec<u8>> = said
            .chunks_exact(length)
            .map(|said| {
                let written = encoder.encode(said, &mut octets).unwrap();
                octets[..written].to_vec()
            })
            .collect();
        let play = |lost: bool, told: bool| {
            let mut decoder = kind.decoder().unwrap();
            let mut heard = vec![0; packets.len() * length];
            for (n, (packet, out)) in packets.iter().zip(heard.chunks_exact_mut(length)).enumerate() {
                if lost && n % 6 == 5 {
                    // A perfect concealment, to judge by the state alone.
                    out.copy_from_slice(&said[n * length..][..length]);
                    if told {
                        decoder.concealed(out);
                    }
                } else {
                    decoder.decode(packet, out).unwrap();
                }
            }
            // What follows a loss.
            heard.chunks_exact(length).skip(6).step_by(6).flatten().copied().collect::<Vec<i16>>()
        };
        let whole = play(false, false);
        let (told, untold) = (snr(&whole, &play(true, true)), snr(&whole, &play(true, false)));
        assert!(told > untold + 1.0, "{kind:?}: {told:.1} dB and {untold:.1} dB");
    }
}
