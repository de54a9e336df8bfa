//! Between a device's callback and the engine: channels, sample types and rates.
//!
//! In: blocks of any length in the device's format. Out: blocks of at most [`BLOCK`] samples, mono i16 at the call's
//! rate, with the monotonic time of their first sample.
//! RT: no allocation, lock, syscall, log or panic.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use cpal::{FromSample, SizedSample};
use offhook_codecs::{Resampler, UnsupportedRate};

use crate::StreamStatus;

/// The most samples handed on at once, at either rate.
pub(crate) const BLOCK: usize = 960;

/// A host's idea of how old a block is, beyond which it is not believed (epochs differ on some hosts).
const OLDEST: Duration = Duration::from_millis(500);

/// The capture side.
pub(crate) struct CaptureBlocks<F> {
    channels: usize,
    device_rate: u32,
    resampler: Resampler,
    mono: Box<[i16]>,
    resampled: Box<[i16]>,
    sink: F,
}

impl<F: FnMut(u64, &[i16])> CaptureBlocks<F> {
    pub(crate) fn new(channels: u16, device_rate: u32, rate: u32, sink: F) -> Result<Self, UnsupportedRate> {
        let resampler = Resampler::new(device_rate, rate)?;
        let resampled = vec![0; resampler.output_len(BLOCK) + 1].into();
        Ok(Self {
            channels: usize::from(channels.max(1)),
            device_rate,
            resampler,
            mono: vec![0; BLOCK].into(),
            resampled,
            sink,
        })
    }

    pub(crate) fn delay_ns(&self) -> u64 {
        self.resampler.delay_ns()
    }

    /// Takes a block of interleaved frames whose first was captured `age` before `now_ns`.
    pub(crate) fn push<S>(&mut self, now_ns: u64, age: Option<Duration>, data: &[S], status: &StreamStatus)
    where
        S: SizedSample,
        i16: FromSample<S>,
    {
        status.callbacks.fetch_add(1, Relaxed);
        let frames = data.len() / self.channels;
        let length_ns = frames as u64 * 1_000_000_000 / u64::from(self.device_rate.max(1));
        // Without a believable stamp the block is as old as it is long.
        let age_ns = age.filter(|age| *age <= OLDEST).map_or(length_ns, |age| age.as_nanos() as u64);
        let mut at = now_ns.saturating_sub(age_ns);
        for chunk in data.chunks(BLOCK * self.channels) {
            let mut n = 0;
            for (mono, frame) in self.mono.iter_mut().zip(chunk.chunks_exact(self.channels)) {
                let sum: i32 = frame.iter().map(|s| i32::from(s.to_sample::<i16>())).sum();
                *mono = (sum / self.channels as i32) as i16;
                n += 1;
            }
            let input = self.mono.get(..n).unwrap_or_default();
            let done = self.resampler.process(input, &mut self.resampled);
            if let Some(block) = self.resampled.get(..done.produced)
                && !block.is_empty()
            {
                (self.sink)(at, block);
            }
            at += n as u64 * 1_000_000_000 / u64::from(self.device_rate.max(1));
        }
        status.frames.fetch_add(frames as u64, Relaxed);
    }
}

/// The playback side.
pub(crate) struct PlaybackBlocks<F> {
    channels: usize,
    device_rate: u32,
    resampler: Resampler,
    mono: Box<[i16]>,
    source: F,
}

impl<F: FnMut(u64, &mut [i16])> PlaybackBlocks<F> {
    pub(crate) fn new(
        channels: u16,
        rate: u32,
        device_rate: u32,
        source: F,
    ) -> Result<Self, UnsupportedRate> {
        Ok(Self {
            channels: usize::from(channels.max(1)),
            device_rate,
            resampler: Resampler::new(rate, device_rate)?,
            mono: vec![0; BLOCK].into(),
            source,
        })
    }

    pub(crate) fn delay_ns(&self) -> u64 {
        self.resampler.delay_ns()
    }

    /// Fills a block of interleaved frames; every channel gets the same sound.
    pub(crate) fn pull<S>(&mut self, now_ns: u64, data: &mut [S], status: &StreamStatus)
    where
        S: SizedSample + FromSample<i16>,
    {
        status.callbacks.fetch_add(1, Relaxed);
        let frames = data.len() / self.channels;
        let mut at = now_ns;
        for chunk in data.chunks_mut(BLOCK * self.channels) {
            let n = chunk.len() / self.channels;
            let Some(mono) = self.mono.get_mut(..n) else { continue };
            let source = &mut self.source;
            self.resampler.pull(mono, |input| source(at, input));
            for (frame, sample) in chunk.chunks_exact_mut(self.channels).zip(mono.iter()) {
                frame.fill(S::from_sample(*sample));
            }
            at += n as u64 * 1_000_000_000 / u64::from(self.device_rate.max(1));
        }
        status.frames.fetch_add(frames as u64, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stereo_at_48_khz_reaches_the_engine_as_mono_at_8_khz_with_the_time_of_capture() {
        let mut got = Vec::new();
        let mut blocks =
            CaptureBlocks::new(2, 48_000, 8_000, |at, pcm: &[i16]| got.push((at, pcm.len()))).unwrap();
        let status = StreamStatus::default();
        let frames = vec![0.25_f32; 2 * 480];
        for i in 1..=10_u64 {
            blocks.push(i * 10_000_000, Some(Duration::from_millis(10)), &frames, &status);
        }
        drop(blocks);
        assert_eq!(got.iter().map(|(_, n)| n).sum::<usize>(), 800, "a sixth of the frames");
        assert_eq!(got[3].0, 30_000_000, "the block that ends at 40 ms began at 30 ms");
        assert_eq!(status.snapshot().frames, 4_800);
    }

    #[test]
    fn a_capture_stamp_from_another_epoch_is_not_believed() {
        let mut at = 0;
        let mut blocks = CaptureBlocks::new(1, 8_000, 8_000, |t, _: &[i16]| at = t).unwrap();
        blocks.push(1_000_000_000, Some(Duration::from_secs(77)), &[0_i16; 80], &StreamStatus::default());
        drop(blocks);
        assert_eq!(at, 990_000_000, "as old as it is long");
    }

    #[test]
    fn a_tone_survives_the_way_to_a_stereo_card() {
        let mut phase = 0_u32;
        let mut blocks = PlaybackBlocks::new(2, 8_000, 48_000, |_, pcm: &mut [i16]| {
            for s in pcm {
                *s = (8_000.0 * (f64::from(phase) * 440.0 / 8_000.0 * std::f64::consts::TAU).sin()) as i16;
                phase += 1;
            }
        })
        .unwrap();
        let mut out = vec![0.0_f32; 2 * 4_800];
        blocks.pull(0, &mut out, &StreamStatus::default());
        assert!(out.chunks(2).all(|f| f[0] == f[1]), "both channels alike");
        let left: Vec<f32> = out.chunks(2).map(|f| f[0]).collect();
        let tail = &left[1_000..];
        let crossings = tail.windows(2).filter(|w| w[0] < 0.0 && w[1] >= 0.0).count();
        let expected = tail.len() as f64 / 48_000.0 * 440.0;
        assert!((crossings as f64 - expected).abs() <= 1.0, "{crossings} against {expected}");
        let peak = tail.iter().fold(0.0_f32, |m, s| m.max(s.abs()));
        assert!((peak - 8_000.0 / 32_768.0).abs() < 0.01, "{peak}");
    }

    #[test]
    fn the_callbacks_do_not_allocate() {
        let status = StreamStatus::default();
        let mut capture = CaptureBlocks::new(2, 44_100, 8_000, |_, _: &[i16]| ()).unwrap();
        let mut playback = PlaybackBlocks::new(2, 8_000, 44_100, |_, pcm: &mut [i16]| pcm.fill(1)).unwrap();
        let input = vec![0.1_f32; 2 * 3_000];
        let mut output = vec![0_i32; 2 * 3_000];
        assert_no_alloc::assert_no_alloc(|| {
            for i in 0..50 {
                capture.push(i, None, &input, &status);
                playback.pull(i, &mut output, &status);
            }
        });
        assert_eq!(status.snapshot().callbacks, 100);
    }

    #[global_allocator]
    static TRAP: assert_no_alloc::AllocDisabler = assert_no_alloc::AllocDisabler;
}
