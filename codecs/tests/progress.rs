//! Call progress tones of several countries, found by their cadence; speech is none of them. Voice activity and
//! discontinuous transmission with the project's speech.

mod common;

use common::speech;
use offhook_codecs::{
    Cadence, DiscontinuousTransmission, DtmfTiming, NoiseGenerator, ProgressDetector, ProgressTone, Signal,
    SignalEvent, ToneGenerator, TonePlan, Transmission, VoiceActivity,
};

fn events(rate: u32, samples: &[i16]) -> Vec<SignalEvent> {
    let mut detector = ProgressDetector::new(rate);
    let mut events = Vec::new();
    for block in samples.chunks(231) {
        detector.push(block, |event| events.push(event));
    }
    events
}

fn sung(rate: u32, tone: ProgressTone, plan: &TonePlan, seconds: u32) -> Vec<i16> {
    let mut generator = ToneGenerator::new(rate);
    generator.sound(Signal::Progress(tone), DtmfTiming::default(), plan);
    let mut samples = vec![0; (rate * seconds) as usize];
    generator.fill(&mut samples);
    samples
}

#[test]
fn the_tones_of_every_plan_are_found_and_end() {
    for plan in TonePlan::ALL {
        for tone in [
            ProgressTone::Dial,
            ProgressTone::Ringing,
            ProgressTone::Busy,
            ProgressTone::Congestion,
            ProgressTone::SpecialInformation,
        ] {
            // Told by frequency alone, or not told at all: Britain's uneven congestion; Japan's is its busy tone.
            let wanted = match (plan.country, tone) {
                ("gb", ProgressTone::Congestion) => continue,
                ("jp", ProgressTone::Congestion) => ProgressTone::Busy,
                _ => tone,
            };
            for rate in [8_000, 16_000] {
                let mut samples = sung(rate, tone, plan, 12);
                samples.extend(vec![0; rate as usize * 6]);
                let events = events(rate, &samples);
                let signal = Signal::Progress(wanted);
                assert_eq!(events.first(), Some(&SignalEvent::Began(signal)), "{} {tone:?}", plan.country);
                let ended =
                    matches!(events.get(1), Some(SignalEvent::Ended { signal: s, .. }) if *s == signal);
                assert!(ended, "{} {tone:?} {events:?}", plan.country);
            }
        }
    }
}

#[test]
fn speech_noise_and_digits_are_no_call_progress() {
    for file in ["alice.wav", "bob.wav"] {
        assert_eq!(events(8_000, &speech(file, 8_000)), [], "{file}");
    }
    let mut noise = vec![0; 80_000];
    let mut generator = NoiseGenerator::new();
    generator.update(&[30, 20]).unwrap();
    generator.fill(&mut noise);
    assert_eq!(events(8_000, &noise), []);
}

#[test]
fn every_country_is_found_by_its_code_and_every_cadence_by_its_name() {
    assert_eq!(TonePlan::of("GB").map(|plan| plan.country), Some("gb"));
    assert_eq!(TonePlan::of("xx"), None);
    for (n, (name, _)) in Cadence::ALL.iter().enumerate() {
        assert!(Cadence::ALL.iter().skip(n + 1).all(|(other, _)| other != name), "{name}");
    }
}

/// Speech with pauses of background noise, and where it is speech.
fn conversation(rate: u32, noise_dbov: u8) -> (Vec<i16>, usize) {
    let said = speech("alice.wav", rate);
    let pause = rate as usize * 4;
    let mut samples = vec![0; pause];
    samples.extend(&said);
    samples.extend(vec![0; pause]);
    let mut noise = vec![0; samples.len()];
    let mut generator = NoiseGenerator::new();
    generator.update(&[noise_dbov, 40, 140]).unwrap();
    generator.fill(&mut noise);
    samples.iter_mut().zip(noise).for_each(|(a, b)| *a = a.saturating_add(b));
    (samples, said.len())
}

#[test]
fn speech_is_active_and_noise_is_not() {
    for rate in [8_000, 16_000, 48_000] {
        for noise in [70, 50] {
            let (samples, said) = conversation(rate, noise);
            let mut activity = VoiceActivity::new(rate).unwrap();
            let frame = rate as usize / 50;
            let active: Vec<bool> = samples.chunks(frame).map(|block| activity.push(block)).collect();
            let count = |from: usize, to: usize| active[from..to].iter().filter(|active| **active).count();
            let speech_frames = said / frame;
            assert!(count(25, 195) == 0, "{rate} {noise}: noise before");
            assert!(count(200, 200 + speech_frames) * 10 > speech_frames * 6, "{rate} {noise}: speech");
            assert!(count(200 + speech_frames + 30, active.len()) == 0, "{rate} {noise}: noise after");
        }
    }
}

#[test]
fn silence_is_described_and_not_sent() {
    let (samples, said) = conversation(8_000, 55);
    let mut transmission = DiscontinuousTransmission::new(8_000, 8).unwrap();
    let (mut speech, mut described, mut nothing, mut first) = (0, 0, 0, 0);
    let mut payload = [0; DiscontinuousTransmission::MAX_OCTETS];
    for block in samples.chunks(160) {
        match transmission.decide(block) {
            Transmission::Speech { first: is_first } => {
                speech += 1;
                first += usize::from(is_first);
            }
            Transmission::Describe => {
                described += 1;
                assert_eq!(transmission.describe(&mut payload), Ok(9));
                // The first one may hear the last breath of a word.
                assert!(payload[0].abs_diff(55) <= 15, "{}", payload[0]);
            }
            Transmission::Nothing => nothing += 1,
        }
    }
    assert!(speech * 10 > said / 160 * 6 && speech < said / 160 + 60, "{speech} of {}", said / 160);
    assert!(first >= 1 && nothing > 300, "{first} {nothing}");
    // A description a second, and one for each pause.
    assert!((6..=40).contains(&described), "{described}");
    assert!(payload[0].abs_diff(55) <= 3, "{}", payload[0]);
    NoiseGenerator::new().update(&payload[..9]).unwrap();
}
