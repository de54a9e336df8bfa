//! Nothing of this crate allocates or frees once it is built.

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use offhook_codecs::{
    Cadence, CodecKind, CodecSettings, DiscontinuousTransmission, DtmfDetector, DtmfDigit, Level, LevelMeter,
    NoiseGenerator, OpusSettings, ProgressDetector, Resampler, Tone, ToneGenerator,
};

#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;

#[test]
fn coding_does_not_allocate() {
    for &kind in CodecKind::ALL {
        let (mut encoder, mut decoder) = (kind.encoder().unwrap(), kind.decoder().unwrap());
        let length = kind.packet_samples(kind.default_frames_per_packet());
        let said: Vec<i16> = (0..length * 30).map(|n| ((n * n / 7) % 9_001) as i16 - 4_500).collect();
        let mut pcm = vec![0; length * 2];
        let mut octets = [0; 4_000];
        assert_no_alloc(|| {
            for (n, said) in said.chunks_exact(length).enumerate() {
                let written = encoder.encode(said, &mut octets).unwrap_or(0);
                assert_eq!(decoder.payload_samples(&octets[..written]), length, "{kind}");
                match n % 5 {
                    3 => {
                        let _ = decoder.conceal(&mut pcm[..length]);
                        decoder.concealed(&pcm[..length]);
                    }
                    4 => {
                        let _ = decoder.recover_lost(&octets[..written], &mut pcm[..length]);
                    }
                    _ => {}
                }
                assert_eq!(decoder.decode(&octets[..written], &mut pcm), Ok(length));
            }
            assert!(decoder.decode(&octets, &mut pcm[..1]).is_err());
            assert_eq!(encoder.encode(&[], &mut octets), Ok(0));
            assert_eq!(decoder.decode(&[], &mut pcm), Ok(0));
            let _ = encoder.encode(&said[..1], &mut octets);
            encoder.reset();
            decoder.reset();
        });
    }
}

#[test]
fn resampling_does_not_allocate() {
    for (from, to) in
        [(8_000, 48_000), (48_000, 8_000), (44_100, 16_000), (16_000, 16_000), (192_000, 11_025)]
    {
        let mut resampler = Resampler::new(from, to).unwrap();
        let input = [3_000; 960];
        let mut output = [0; 6_000];
        assert_no_alloc(|| {
            for length in [1, 7, 960, 0, 480] {
                let mut rest = &input[..length];
                while !rest.is_empty() {
                    let done = resampler.process(rest, &mut output[..97]);
                    rest = &rest[done.consumed..];
                }
                resampler.pull(&mut output[..length], |block| block.fill(-7));
            }
            resampler.reset();
        });
    }
}

#[test]
fn tones_and_levels_do_not_allocate() {
    let mut generator = ToneGenerator::new(8_000);
    let mut meter = LevelMeter::new();
    let mut block = [0; 800];
    assert_no_alloc(|| {
        for cadence in [Cadence::RINGING, Cadence::BUSY_US, Cadence::SILENCE] {
            generator.start(cadence);
            generator.fill(&mut block);
            generator.mix(&mut block);
            meter.push(&block);
        }
        generator.steady(Tone::dual(697.0, 1_209.0, -6.0));
        generator.fill(&mut block);
        generator.stop();
        assert!(meter.take().peak_dbfs >= Level::of(&[0; 4]).peak_dbfs);
    });
}

#[test]
fn detectors_and_noise_do_not_allocate() {
    let mut generator = ToneGenerator::new(8_000);
    generator.once(DtmfDigit::from_char('5').unwrap().tone(), 200, 50);
    let mut said = [0; 8_000];
    generator.fill(&mut said[..2_000]);
    generator.start(Cadence::BUSY);
    generator.fill(&mut said[2_000..]);
    let (mut digits, mut progress) = (DtmfDetector::new(8_000), ProgressDetector::new(8_000));
    let mut transmission = DiscontinuousTransmission::new(8_000, 12).unwrap();
    let mut noise = NoiseGenerator::new();
    let mut payload = [0; 13];
    let mut events = 0;
    assert_no_alloc(|| {
        for _ in 0..4 {
            for block in said.chunks_mut(160) {
                digits.push(block, |_| events += 1);
                progress.push(block, |_| events += 1);
                transmission.decide(block);
                let written = transmission.describe(&mut payload).unwrap_or(0);
                let _ = noise.update(&payload[..written]);
                noise.fill(&mut [0; 160]);
            }
        }
        digits.reset();
        progress.reset();
        transmission.reset();
    });
    assert!(events > 4);
}

#[test]
fn opus_with_every_setting_does_not_allocate() {
    for (dtx, complexity, bitrate) in [(true, 10, 12_000), (false, 0, 128_000), (true, 5, 24_000)] {
        let opus =
            OpusSettings { dtx, complexity, bitrate, expected_loss_percent: 20, ..OpusSettings::default() };
        let settings = CodecSettings { opus, ..CodecSettings::default() };
        let mut encoder = CodecKind::Opus.encoder_with(&settings).unwrap();
        let mut decoder = CodecKind::Opus.decoder().unwrap();
        let (mut octets, mut pcm) = ([0; 1_275], [0; 5_760]);
        assert_no_alloc(|| {
            for n in 0..60usize {
                let length = [120, 480, 960, 1_920, 2_880, 5_760][n % 6];
                for (at, sample) in pcm.iter_mut().enumerate() {
                    *sample = if n % 20 < 10 { ((at * at / 5) % 8_001) as i16 - 4_000 } else { 0 };
                }
                let written = encoder.encode(&pcm[..length], &mut octets).unwrap_or(0);
                let _ = decoder.recover_lost(&octets[..written], &mut pcm[..length]);
                let _ = decoder.conceal(&mut pcm[..length]);
                let _ = decoder.decode(&octets[..written], &mut pcm);
            }
        });
    }
}
