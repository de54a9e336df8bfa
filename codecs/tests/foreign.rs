//! Our coders against independent ones: ffmpeg's and sox's (libgsm), bit by bit where the standard leaves no choice.

mod common;

use common::{from_octets, hard, pipe, snr, speech, succeeds, to_octets, tool};
use offhook_codecs::{CodecKind, CodecSettings, G722Mode};

fn encode(kind: CodecKind, pcm: &[i16]) -> Vec<u8> {
    let mut out = vec![0; kind.samples_to_octets(pcm.len())];
    let written = kind.encoder().unwrap().encode(pcm, &mut out).unwrap();
    out.truncate(written);
    out
}

fn decode(kind: CodecKind, octets: &[u8]) -> Vec<i16> {
    let mut out = vec![0; kind.payload_samples(octets)];
    let written = kind.decoder().unwrap().decode(octets, &mut out).unwrap();
    assert_eq!(written, out.len());
    out
}

fn ffmpeg(input: &[&str], output: &[&str], octets: &[u8]) -> Vec<u8> {
    let mut arguments = vec!["-hide_banner", "-loglevel", "error"];
    arguments.extend_from_slice(input);
    arguments.extend(["-i", "pipe:0"]);
    arguments.extend_from_slice(output);
    arguments.push("pipe:1");
    pipe("ffmpeg", &arguments, octets)
}

/// sox: samples of 16 bits through a pipe.
const RAW: [&str; 12] = ["-t", "raw", "-r", "8000", "-c", "1", "-e", "signed", "-b", "16", "-L", "-"];

/// The first difference, told so that it can be looked for.
fn same<T: PartialEq + std::fmt::Debug>(what: &str, ours: &[T], theirs: &[T]) {
    let differ = ours.iter().zip(theirs).filter(|(a, b)| a != b).count();
    if let Some(at) = ours.iter().zip(theirs).position(|(a, b)| a != b) {
        panic!("{what}: {differ} differ, first {at}: {:?} and {:?}", ours[at], theirs[at]);
    }
    assert!(ours.len().abs_diff(theirs.len()) <= 160, "{what}: {} and {}", ours.len(), theirs.len());
}

#[test]
fn g711_is_what_ffmpeg_decodes_and_sox_encodes() {
    if !tool("ffmpeg", "-version") || !tool("sox", "--version") {
        return;
    }
    let every: Vec<i16> = (i16::MIN..=i16::MAX).collect();
    let octets: Vec<u8> = (0..=255).collect();
    for (kind, format) in [(CodecKind::Pcmu, "mulaw"), (CodecKind::Pcma, "alaw")] {
        let theirs = ffmpeg(&["-f", format, "-ar", "8000"], &["-f", "s16le"], &octets);
        same(format, &decode(kind, &octets), &from_octets(&theirs));
        // sox rounds to 14 or 13 bits before it looks up: at a boundary that is the next interval, never more.
        let law = if kind == CodecKind::Pcmu { "ul" } else { "al" };
        let theirs = pipe("sox", &[&["-D"], &RAW[..], &["-t", law, "-"]].concat(), &to_octets(&every));
        let (ours, theirs) = (decode(kind, &encode(kind, &every)), decode(kind, &theirs));
        for ((sample, ours), theirs) in every.iter().zip(&ours).zip(&theirs) {
            let step =
                ((i32::from(*sample).abs() + 132) >> 4).max(if kind == CodecKind::Pcmu { 8 } else { 16 });
            assert!(
                (i32::from(*ours) - i32::from(*theirs)).abs() <= step,
                "{kind} {sample}: {ours} {theirs}"
            );
        }
    }
}

#[test]
fn g722_agrees_with_ffmpeg_bit_by_bit_in_all_three_modes() {
    if !tool("ffmpeg", "-version") {
        return;
    }
    let pcm = hard(16_000);
    let ours = encode(CodecKind::G722, &pcm);
    // ffmpeg's encoder may search; without a trellis it quantizes as the Recommendation does.
    let theirs = ffmpeg(&["-f", "s16le", "-ar", "16000", "-ac", "1"], &["-f", "g722"], &to_octets(&pcm));
    same("encoded", &ours, &theirs);
    for (mode, bits) in [(G722Mode::Kbit64, "8"), (G722Mode::Kbit56, "7"), (G722Mode::Kbit48, "6")] {
        let settings = CodecSettings { g722_mode: mode, ..CodecSettings::default() };
        let mut heard = vec![0; ours.len() * 2];
        CodecKind::G722.decoder_with(&settings).unwrap().decode(&ours, &mut heard).unwrap();
        let theirs =
            ffmpeg(&["-c:a", "g722", "-bits_per_codeword", bits, "-f", "g722"], &["-f", "s16le"], &ours);
        same(bits, &heard, &from_octets(&theirs));
    }
}

/// ffmpeg's G.726 is not of the bits of the Recommendation: it goes its own way after a few hundred samples and comes
/// near, except at 40 kbit/s, where it does not understand what spandsp and we write alike.
#[test]
fn g726_is_understood_by_ffmpeg_and_understands_it_at_all_rates_and_packings() {
    if !tool("ffmpeg", "-version") {
        return;
    }
    let pcm = speech("alice.wav", 8_000);
    for (kind, format, bits, wanted) in [
        (CodecKind::Aal2G726_16, "g726", "2", 8.0),
        (CodecKind::Aal2G726_24, "g726", "3", 13.0),
        (CodecKind::Aal2G726_32, "g726", "4", 18.0),
        (CodecKind::G726_16, "g726le", "2", 8.0),
        (CodecKind::G726_24, "g726le", "3", 13.0),
        (CodecKind::G726_32, "g726le", "4", 18.0),
    ] {
        let ours = encode(kind, &pcm);
        let theirs = ffmpeg(&["-f", format, "-code_size", bits, "-ar", "8000"], &["-f", "s16le"], &ours);
        let heard = snr(&pcm, &from_octets(&theirs));
        let raw = ["-f", "s16le", "-ar", "8000", "-ac", "1"];
        let theirs = ffmpeg(&raw, &["-c:a", format, "-code_size", bits, "-f", format], &to_octets(&pcm));
        let whole = kind.frame_octets();
        let understood = snr(&pcm, &decode(kind, &theirs[..theirs.len() / whole * whole]));
        assert!(heard > wanted && understood > wanted, "{kind}: {heard:.1} dB, {understood:.1} dB");
        eprintln!("{kind}: ffmpeg hears us with {heard:.1} dB, we it with {understood:.1} dB");
    }
}

#[test]
fn gsm_agrees_with_libgsm_bit_by_bit_and_with_ffmpegs_decoder() {
    if !tool("ffmpeg", "-version") || !tool("sox", "--version") {
        return;
    }
    let mut pcm = hard(8_000);
    pcm.truncate(pcm.len() / 160 * 160);
    let ours = encode(CodecKind::Gsm, &pcm);
    let theirs = pipe("sox", &[&["-D"], &RAW[..], &["-t", "gsm", "-"]].concat(), &to_octets(&pcm));
    same("encoded", &ours, &theirs);
    let heard = decode(CodecKind::Gsm, &ours);
    let theirs = pipe("sox", &[&["-D", "-t", "gsm", "-"], &RAW[..]].concat(), &ours);
    same("libgsm decodes", &heard, &from_octets(&theirs));
    // ffmpeg's decoder wraps where the standard saturates: speech alone does not get there.
    let ours = encode(CodecKind::Gsm, &speech("alice.wav", 8_000));
    let theirs = ffmpeg(&["-f", "gsm"], &["-f", "s16le"], &ours);
    same("ffmpeg decodes", &decode(CodecKind::Gsm, &ours), &from_octets(&theirs));
}

const SPANDSP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign/spandsp.py");

/// What spandsp makes of `input`.
fn spandsp(arguments: [&str; 4], input: &[u8]) -> Vec<u8> {
    pipe("python3", &[&[SPANDSP], &arguments[..]].concat(), input)
}

fn has_spandsp() -> bool {
    succeeds("python3", &[SPANDSP], "spandsp's library (libspandsp2) or python3")
}

#[test]
fn g726_agrees_with_spandsp_bit_by_bit_at_all_rates_in_both_packings() {
    if !has_spandsp() {
        return;
    }
    let mut pcm = hard(8_000);
    pcm.truncate(pcm.len() / 160 * 160);
    for (kind, rate, packing) in [
        (CodecKind::G726_16, "16000", "right"),
        (CodecKind::G726_24, "24000", "right"),
        (CodecKind::G726_32, "32000", "right"),
        (CodecKind::G726_40, "40000", "right"),
        (CodecKind::Aal2G726_16, "16000", "left"),
        (CodecKind::Aal2G726_24, "24000", "left"),
        (CodecKind::Aal2G726_32, "32000", "left"),
        (CodecKind::Aal2G726_40, "40000", "left"),
    ] {
        let ours = encode(kind, &pcm);
        same(
            &format!("{kind} encoded"),
            &ours,
            &spandsp(["g726", rate, packing, "encode"], &to_octets(&pcm)),
        );
        let mut theirs = from_octets(&spandsp(["g726", rate, packing, "decode"], &ours));
        let heard = decode(kind, &ours);
        // What does not fit 16 bits wraps there; here it is the greatest number that fits.
        for (theirs, ours) in theirs.iter_mut().zip(&heard) {
            if [i16::MIN, i16::MAX].contains(ours) {
                *theirs = *ours;
            }
        }
        same(&format!("{kind} decoded"), &heard, &theirs);
    }
}

/// spandsp 0.0.6 does not saturate its sums as G.722 and GSM 06.10 have it: speech does not get there.
#[test]
fn g722_and_gsm_agree_with_spandsp_on_speech() {
    if !has_spandsp() {
        return;
    }
    let pcm = speech("alice.wav", 16_000);
    let ours = encode(CodecKind::G722, &pcm);
    same("G.722 encoded", &ours, &spandsp(["g722", "64000", "-", "encode"], &to_octets(&pcm)));
    let theirs = from_octets(&spandsp(["g722", "64000", "-", "decode"], &ours));
    same("G.722 decoded", &decode(CodecKind::G722, &ours), &theirs);
    let pcm = speech("alice.wav", 8_000);
    let ours = encode(CodecKind::Gsm, &pcm);
    same("GSM encoded", &ours, &spandsp(["gsm", "-", "-", "encode"], &to_octets(&pcm)));
    let theirs = from_octets(&spandsp(["gsm", "-", "-", "decode"], &ours));
    same("GSM decoded", &decode(CodecKind::Gsm, &ours), &theirs);
}
