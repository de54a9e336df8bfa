//! WAV files of every kind as clips.

use super::*;
use hound::{WavSpec, WavWriter};
use std::f64::consts::TAU;

fn write(path: &Path, channels: u16, rate: u32, bits: u16, float: bool, seconds: f64) {
    let sample_format = if float { SampleFormat::Float } else { SampleFormat::Int };
    let spec = WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format };
    let mut writer = WavWriter::create(path, spec).unwrap();
    for n in 0..(f64::from(rate) * seconds) as u32 {
        let value = 0.5 * (TAU * 440.0 * f64::from(n) / f64::from(rate)).sin();
        for _ in 0..channels {
            if float {
                writer.write_sample(value as f32).unwrap();
            } else {
                writer.write_sample((value * f64::from(1u32 << (bits - 1))) as i32).unwrap();
            }
        }
    }
    writer.finalize().unwrap();
}

fn played(path: &Path, repeat: bool, most: usize) -> Vec<i16> {
    let mut clip = WavClip::open(path, repeat, 8_000, &Arc::default()).unwrap();
    let (mut all, mut block) = (Vec::new(), [0; 333]);
    loop {
        let n = clip.read(&mut block);
        all.extend_from_slice(&block[..n]);
        if n == 0 || all.len() >= most {
            return all;
        }
    }
}

#[test]
fn every_rate_width_and_number_of_channels_plays_as_the_same_tone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tone.wav");
    for rate in [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 12_000, 37_800] {
        for (bits, float) in [(8, false), (16, false), (24, false), (32, false), (32, true)] {
            for channels in [1, 2, 6] {
                let what = format!("{rate} Hz, {bits} bits (float: {float}), {channels} channels");
                write(&path, channels, rate, bits, float, 0.25);
                let samples = played(&path, false, usize::MAX);
                assert!(samples.len().abs_diff(2_000) <= 14, "{what}: {} samples", samples.len());
                let middle = &samples[200..1_800];
                let peak = middle.iter().map(|s| i32::from(*s).abs()).max().unwrap();
                assert!((15_900..=16_700).contains(&peak), "{what}: peak {peak}");
                let crossings = middle.windows(2).filter(|w| w[0] < 0 && w[1] >= 0).count();
                assert!(crossings.abs_diff(88) <= 1, "{what}: {crossings} periods");
            }
        }
    }
}

#[test]
fn at_the_calls_own_rate_every_sample_is_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tone.wav");
    write(&path, 1, 8_000, 16, false, 1.0);
    let own: Vec<i16> = WavReader::open(&path).unwrap().samples().map(Result::unwrap).collect();
    assert_eq!(played(&path, false, usize::MAX), own);
    let twice = played(&path, true, 20_000);
    assert_eq!((&twice[..8_000], &twice[8_000..16_000]), (&own[..], &own[..]));
}

#[test]
fn an_empty_file_ends_at_once_also_when_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("empty.wav");
    write(&path, 1, 8_000, 16, false, 0.0);
    assert!(played(&path, true, usize::MAX).is_empty());
}

#[test]
fn what_cannot_be_played_is_told_by_the_files_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("odd.wav");
    let why = |path: &Path| match Playback::open(path.to_owned(), false, 8_000) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    assert!(why(&path).contains("odd.wav: No such file"), "{}", why(&path));
    assert!(why(dir.path()).contains("not a file"), "{}", why(dir.path()));
    std::fs::write(&path, b"").unwrap();
    assert!(why(&path).contains("odd.wav"), "{}", why(&path));
    std::fs::write(&path, b"this is text and not sound, whatever its name says").unwrap();
    assert!(why(&path).contains("odd.wav: not a WAV file"), "{}", why(&path));
    write(&path, 1, 500, 16, false, 0.1);
    assert!(why(&path).contains("500 Hz"), "{}", why(&path));
    write(&path, 1, 8_000, 16, false, 1.0);
    let whole = std::fs::read(&path).unwrap();
    // A header that says A-law.
    let mut alaw = whole.clone();
    alaw[20] = 6;
    std::fs::write(&path, alaw).unwrap();
    assert!(why(&path).contains("odd.wav"), "{}", why(&path));
}

#[test]
fn a_file_that_ends_early_plays_as_far_as_it_goes_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.wav");
    write(&path, 1, 8_000, 16, false, 1.0);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..44 + 8_001]).unwrap();
    let trouble = Arc::default();
    let mut clip = WavClip::open(&path, true, 8_000, &trouble).unwrap();
    let mut block = [0; 512];
    let mut all = 0;
    loop {
        let n = clip.read(&mut block);
        all += n;
        if n == 0 {
            break;
        }
    }
    assert_eq!(all, 4_000);
    assert!(lock(&trouble).as_deref().is_some_and(|why: &str| why.contains("cut.wav")));
}
