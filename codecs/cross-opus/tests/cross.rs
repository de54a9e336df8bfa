//! What the codecs crate encodes with libopus 1.6, audiopus decodes with another libopus, and the reverse.

use std::io::Write;
use std::process::{Command, Stdio};

use offhook_codecs::{CodecKind, CodecSettings, Decoder, OpusSettings};

fn audiopus(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_offhook-cross-opus"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::Builder::new().spawn(move || stdin.write_all(&input)).unwrap();
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    output.stdout
}

/// A vowel that glides, and a second of near silence.
fn said(rate: u32) -> Vec<i16> {
    let mut phase = 0.0f64;
    (0..rate * 3)
        .map(|n| {
            let t = f64::from(n) / f64::from(rate);
            phase += (120.0 + 40.0 * (t * 3.0).sin()) / f64::from(rate) * std::f64::consts::TAU;
            let loud = if t > 2.0 { 0.001 } else { 0.6 + 0.4 * (t * 11.0).sin() };
            let sum: f64 = (1..12).map(|k| (phase * f64::from(k)).sin() / f64::from(k)).sum();
            (4_000.0 * loud * sum) as i16
        })
        .collect()
}

fn snr(wanted: &[i16], heard: &[i16]) -> f64 {
    let (mut signal, mut noise) = (0.0f64, 1e-9f64);
    for (wanted, heard) in wanted.iter().zip(heard) {
        signal += f64::from(*wanted).powi(2);
        noise += (f64::from(*wanted) - f64::from(*heard)).powi(2);
    }
    10.0 * (signal / noise).log10()
}

fn samples(octets: &[u8]) -> Vec<i16> {
    octets.as_chunks::<2>().0.iter().map(|octets| i16::from_le_bytes(*octets)).collect()
}

fn ours(decoder: &mut dyn Decoder, packets: &[u8], length: usize) -> Vec<i16> {
    let (mut rest, mut heard, mut block) = (packets, Vec::new(), vec![0; length]);
    while let Some((octets, after)) = rest.split_first_chunk::<2>() {
        let (packet, after) = after.split_at(usize::from(u16::from_be_bytes(*octets)));
        assert_eq!(decoder.decode(packet, &mut block), Ok(length));
        heard.extend_from_slice(&block);
        rest = after;
    }
    heard
}

#[test]
fn two_different_libraries_are_compared() {
    let theirs = String::from_utf8(audiopus(&["version"], &[])).unwrap();
    let ours = offhook_codecs::opus::library_version();
    assert!(ours.contains("1.6"), "{ours}");
    assert_ne!(theirs, ours);
}

#[test]
fn each_decodes_what_the_other_encodes() {
    for kind in [CodecKind::Opus, CodecKind::OpusWideband, CodecKind::OpusNarrowband] {
        for (ms, bitrate) in [(20, 12_000), (20, 32_000), (10, 64_000), (60, 24_000)] {
            let length = kind.sample_rate() as usize / 1_000 * ms;
            let rate = kind.sample_rate().to_string();
            let said = said(kind.sample_rate());
            let opus = OpusSettings { bitrate, ..OpusSettings::default() };
            let settings = CodecSettings { opus, ..CodecSettings::default() };
            let mut encoder = kind.encoder_with(&settings).unwrap();
            let (mut packets, mut packet) = (Vec::new(), [0; 1_275]);
            for pcm in said.chunks_exact(length) {
                let octets = encoder.encode(pcm, &mut packet).unwrap();
                packets.extend((octets as u16).to_be_bytes());
                packets.extend_from_slice(&packet[..octets]);
            }
            let length_text = length.to_string();
            let theirs = samples(&audiopus(&["decode", &rate, &length_text], &packets));
            let heard = ours(&mut *kind.decoder().unwrap(), &packets, length);
            assert_eq!(theirs.len(), heard.len());
            // A decoder of Opus is not bound to a bit (RFC 6716 §6), but comes near.
            let alike = snr(&theirs, &heard);
            assert!(alike > 30.0, "{kind:?} {ms} ms {bitrate}: we encode, {alike:.1} dB");

            let octets: Vec<u8> = said.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            let packets = audiopus(&["encode", &rate, &length_text, &bitrate.to_string()], &octets);
            let theirs = samples(&audiopus(&["decode", &rate, &length_text], &packets));
            let heard = ours(&mut *kind.decoder().unwrap(), &packets, length);
            let alike = snr(&theirs, &heard);
            assert!(alike > 30.0, "{kind:?} {ms} ms {bitrate}: they encode, {alike:.1} dB");
        }
    }
}
