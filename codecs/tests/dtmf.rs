//! The DTMF detector against the limits of ITU-T Q.24, against speech, and our generator against multimon-ng and spandsp.

mod common;

use common::{from_octets, pipe, speech, succeeds, to_octets, tool};
use offhook_codecs::{
    CodecKind, DtmfDetector, DtmfDigit, DtmfTiming, Resampler, Signal, SignalEvent, Tone, ToneGenerator,
    TonePlan,
};

const KEYS: &str = "123A456B789C*0#D";

/// Digits that a detector finds, with their lengths.
fn found(rate: u32, samples: &[i16]) -> Vec<(char, u32)> {
    let mut detector = DtmfDetector::new(rate);
    let mut digits = Vec::new();
    let mut sounding = None;
    // Blocks of no particular length.
    let mut note = |event| match event {
        SignalEvent::Began(Signal::Digit(digit)) => {
            assert_eq!(sounding.replace(digit), None);
        }
        SignalEvent::Ended { signal: Signal::Digit(digit), ms } => {
            assert_eq!(sounding.take(), Some(digit));
            digits.push((digit.to_char(), ms));
        }
        other => panic!("{other:?}"),
    };
    for block in samples.chunks(73) {
        detector.push(block, &mut note);
    }
    detector.push(&vec![0; rate as usize / 10], &mut note);
    digits
}

fn keys(rate: u32, samples: &[i16]) -> String {
    found(rate, samples).into_iter().map(|(digit, _)| digit).collect()
}

/// Tones one after another.
fn sing(rate: u32, tones: impl IntoIterator<Item = (Tone, u32, u32)>) -> Vec<i16> {
    let mut generator = ToneGenerator::new(rate);
    let mut out = vec![0; rate as usize / 20];
    for (tone, on_ms, off_ms) in tones {
        generator.once(tone, on_ms, off_ms);
        let from = out.len();
        out.resize(from + generator.left(), 0);
        generator.fill(&mut out[from..]);
    }
    out
}

fn digit(key: char) -> Tone {
    DtmfDigit::from_char(key).unwrap().tone()
}

/// Each key, altered.
fn altered(rate: u32, on_ms: u32, alter: impl Fn(Tone) -> Tone) -> String {
    keys(rate, &sing(rate, KEYS.chars().map(|key| (alter(digit(key)), on_ms, 60))))
}

#[test]
fn every_digit_is_found_at_every_rate_with_its_length() {
    for rate in [8_000, 11_025, 16_000, 44_100, 48_000] {
        let samples = sing(rate, KEYS.chars().map(|key| (digit(key), 100, 100)));
        let found = found(rate, &samples);
        assert_eq!(found.iter().map(|(key, _)| *key).collect::<String>(), KEYS, "{rate}");
        assert!(found.iter().all(|(_, ms)| ms.abs_diff(100) <= 10), "{rate}: {found:?}");
    }
}

#[test]
fn forty_milliseconds_are_a_digit_and_twenty_four_are_none() {
    for (phase, on_ms) in (0..40).flat_map(|phase| [(phase, 40), (phase, 42), (phase, 24), (phase, 20)]) {
        let mut samples = vec![0; phase];
        samples.extend(sing(8_000, KEYS.chars().map(|key| (digit(key), on_ms, 40))));
        let want = if on_ms >= 40 { KEYS } else { "" };
        assert_eq!(keys(8_000, &samples), want, "{on_ms} ms, {phase} samples late");
    }
}

#[test]
fn a_pause_of_forty_milliseconds_divides_and_a_break_of_ten_does_not() {
    for off_ms in [40, 45, 60] {
        let samples = sing(8_000, [(digit('5'), 60, off_ms); 4]);
        assert_eq!(keys(8_000, &samples), "5555", "{off_ms}");
    }
    for off_ms in [4, 10] {
        let samples = sing(8_000, [(digit('5'), 80, off_ms), (digit('5'), 80, 100)]);
        assert_eq!(keys(8_000, &samples), "5", "{off_ms}");
    }
}

#[test]
fn frequencies_may_be_off_by_a_and_a_half_percent_and_not_by_three_and_a_half() {
    let off = |low: f32, high: f32| {
        move |tone: Tone| {
            let [row, column] = tone.hz;
            Tone { hz: [row * (1.0 + low), column * (1.0 + high)], ..tone }
        }
    };
    for sign in [-1.0, 1.0] {
        for on_ms in [40, 70] {
            assert_eq!(altered(8_000, on_ms, off(0.015 * sign, 0.0)), KEYS);
            assert_eq!(altered(8_000, on_ms, off(0.0, 0.015 * sign)), KEYS);
            assert_eq!(altered(8_000, on_ms, off(0.015 * sign, -0.015 * sign)), KEYS);
            assert_eq!(altered(8_000, on_ms, off(0.035 * sign, 0.0)), "");
            assert_eq!(altered(8_000, on_ms, off(0.0, 0.035 * sign)), "");
        }
    }
}

#[test]
fn levels_and_twist_are_taken_as_q24_wants() {
    let base = digit('1');
    let at = |dbm0: f32, twist_db: f32| {
        move |tone: Tone| Tone { level_db: base.level_db + 9.0 + dbm0, twist_db, ..tone }
    };
    // From 0 dBm0 to −27; the high group 4 dB louder to 8 dB weaker.
    for dbm0 in [-3.0, -10.0, -20.0, -27.0] {
        assert_eq!(altered(8_000, 50, at(dbm0, 0.0)), KEYS, "{dbm0}");
    }
    for twist_db in [4.0, 2.0, -4.0, -8.0] {
        assert_eq!(altered(8_000, 50, at(-12.0, twist_db)), KEYS, "{twist_db}");
    }
    assert_eq!(altered(8_000, 50, at(-40.0, 0.0)), "", "too faint");
    assert_eq!(altered(8_000, 50, at(-14.0, 9.0)), "");
    assert_eq!(altered(8_000, 50, at(-8.0, -14.0)), "");
}

#[test]
fn noise_and_compression_do_not_hide_digits() {
    let clean = sing(8_000, KEYS.chars().map(|key| (digit(key), 50, 50)));
    // White noise 15 dB below the digits.
    let mut state = 7u32;
    let noisy: Vec<i16> = clean
        .iter()
        .map(|sample| {
            let sum: i32 = (0..4)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    i32::from((state >> 16) as i16) / 12
                })
                .sum();
            sample.saturating_add((sum / 2) as i16)
        })
        .collect();
    assert_eq!(keys(8_000, &noisy), KEYS);
    for kind in [CodecKind::Pcmu, CodecKind::Pcma, CodecKind::G726_32, CodecKind::G722] {
        let mut to = Resampler::new(8_000, kind.sample_rate()).unwrap();
        let mut said = vec![0; clean.len() * kind.sample_rate() as usize / 8_000];
        to.process(&clean, &mut said);
        let whole = said.len() / 320 * 320;
        let mut octets = vec![0; said.len() * 2];
        let written = kind.encoder().unwrap().encode(&said[..whole], &mut octets).unwrap();
        let mut heard = vec![0; whole];
        kind.decoder().unwrap().decode(&octets[..written], &mut heard).unwrap();
        assert_eq!(keys(kind.sample_rate(), &heard), KEYS, "{kind}");
    }
}

#[test]
fn speech_and_single_tones_are_no_digits() {
    for file in ["alice.wav", "bob.wav"] {
        for rate in [8_000, 16_000] {
            for gain in [1, 3] {
                let said: Vec<i16> = speech(file, rate).iter().map(|x| x.saturating_mul(gain)).collect();
                assert_eq!(keys(rate, &said), "", "{file} {rate}");
            }
        }
    }
    let rows = [697.0, 770.0, 852.0, 941.0, 1_209.0, 1_336.0, 1_477.0, 1_633.0];
    let tones = rows.map(|hz| (Tone::sine(hz, -9.0), 200, 60));
    assert_eq!(keys(8_000, &sing(8_000, tones)), "");
    // Two columns at once.
    let (mut three, fourth) =
        (sing(8_000, [(digit('1'), 300, 50)]), sing(8_000, [(Tone::sine(1_477.0, -10.17), 300, 50)]));
    three.iter_mut().zip(fourth).for_each(|(a, b)| *a = a.saturating_add(b));
    assert_eq!(keys(8_000, &three), "");
}

/// Looks for digits in speech; how much of it there was, and where some were found.
fn listened(recordings: impl Iterator<Item = (String, u32, Vec<i16>)>) -> (f64, Vec<(String, String)>) {
    let (mut seconds, mut false_digits) = (0.0, Vec::new());
    for (name, rate, samples) in recordings {
        seconds += samples.len() as f64 / f64::from(rate);
        let keys = keys(rate, &samples);
        if !keys.is_empty() {
            false_digits.push((name, keys));
        }
    }
    (seconds, false_digits)
}

/// The project's own documents, read aloud in several voices, as sharp and as loud as they can be made.
#[test]
fn documents_read_aloud_are_no_digits() {
    if !tool("espeak-ng", "--version") {
        return;
    }
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let recordings = [
        ("README.md", "en-us+f3", "140"),
        ("README.md", "en-us+m1", "200"),
        ("docs/codecs.md", "en-gb+f1", "170"),
        ("docs/codecs.md", "en-gb+m7", "150"),
        ("docs/codecs.md", "de+f4", "160"),
        ("CONTRIBUTING.md", "fr+m3", "170"),
        ("CONTRIBUTING.md", "cmn+f2", "150"),
        ("CONTRIBUTING.md", "it+whisper", "150"),
    ]
    .into_iter()
    .map(|(file, voice, words_a_minute)| {
        let text = std::fs::read_to_string(format!("{root}/{file}")).unwrap();
        let text: String = text.chars().take(5_000).collect();
        let wav = pipe(
            "espeak-ng",
            &["-v", voice, "-s", words_a_minute, "-a", "180", "--stdin", "--stdout"],
            text.as_bytes(),
        );
        // Its header's lengths are those of a pipe: what follows it is sound of 22.05 kHz.
        let rate = u32::from_le_bytes([wav[24], wav[25], wav[26], wav[27]]);
        let samples = from_octets(&wav[44..wav.len() / 2 * 2]);
        // As a telephone hears it.
        let mut narrow = Resampler::new(rate, 8_000).unwrap();
        let mut heard = vec![0; samples.len() * 8_000 / rate as usize];
        narrow.process(&samples, &mut heard);
        (format!("{file} by {voice}"), 8_000, heard)
    });
    let (seconds, false_digits) = listened(recordings);
    eprintln!("{seconds:.0} s of speech, {false_digits:?}");
    assert!(seconds > 600.0, "{seconds} s are too few");
    assert!(false_digits.len() as f64 <= seconds / 1_800.0, "{false_digits:?} in {seconds:.0} s");
}

/// Recordings by the thousand, where a directory of them is named (docs/codecs.md tells what it found).
#[test]
fn recordings_of_speech_are_no_digits() {
    let Some(directory) = std::env::var_os("OFFHOOK_TALK_OFF") else {
        eprintln!("SKIPPED: OFFHOOK_TALK_OFF names no recordings, so this test proves nothing here");
        return;
    };
    let recordings = std::fs::read_dir(directory).unwrap().filter_map(|entry| {
        let path = entry.unwrap().path();
        let mut reader = hound::WavReader::open(&path).ok()?;
        let rate = reader.spec().sample_rate;
        let samples = reader.samples::<i16>().map_while(Result::ok).collect();
        Some((path.display().to_string(), rate, samples))
    });
    let (seconds, false_digits) = listened(recordings);
    eprintln!("{seconds:.0} s of speech, {false_digits:?}");
    assert!(false_digits.len() as f64 <= seconds / 1_800.0, "more than one in half an hour");
}

#[test]
fn spandsp_hears_our_digits_and_we_hear_its() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign/spandsp.py");
    if !succeeds("python3", &[script], "spandsp's library (libspandsp2) or python3") {
        return;
    }
    let mut ours = sing(8_000, KEYS.chars().map(|key| (digit(key), 50, 50)));
    ours.resize(ours.len() + 800, 0);
    let heard = pipe("python3", &[script, "dtmf", "-", "-", "hear"], &to_octets(&ours));
    assert_eq!(String::from_utf8(heard).unwrap(), KEYS);
    let theirs = pipe("python3", &[script, "dtmf", "-", "-", "say"], KEYS.as_bytes());
    assert_eq!(keys(8_000, &from_octets(&theirs)), KEYS);
}

#[test]
fn multimon_hears_our_digits() {
    if !tool("multimon-ng", "-h") {
        return;
    }
    let rate = 22_050;
    let mut generator = ToneGenerator::new(rate);
    let mut samples = Vec::new();
    for key in KEYS.chars() {
        let digit = Signal::Digit(DtmfDigit::from_char(key).unwrap());
        generator.sound(digit, DtmfTiming::default(), &TonePlan::EUROPE);
        let from = samples.len();
        samples.resize(from + generator.left(), 0);
        generator.fill(&mut samples[from..]);
    }
    let said = pipe("multimon-ng", &["-q", "-t", "raw", "-a", "DTMF", "-"], &to_octets(&samples));
    let said = String::from_utf8(said).unwrap();
    let heard: String = said.lines().filter_map(|line| line.strip_prefix("DTMF: ")).collect();
    assert_eq!(heard, KEYS);
}
