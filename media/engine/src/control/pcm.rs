//! The application's ends of its own sound: it writes what the peer is to hear and reads what the peer says.
//! In: samples at any pace. Out: how many were taken; blocks with their time; how far, how full and how late both are.
//!
//! Neither end ever makes the engine wait, nor does the engine wake anybody: waiting is looking again every half a
//! millisecond to five, on the application's own thread.
//! Not here: the real-time ends, with what happens when the application stalls (`rt/pcm.rs`).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use offhook_codecs::UnsupportedRate;

use crate::board::Board;
use crate::config::{MAX_RING, samples_to_ns};
use crate::rt::blocks::{BlockReader, Stamp, blocks};
use crate::rt::elastic::{ElasticWriter, elastic};
use crate::rt::node::{Sink, Source};
use crate::rt::pcm::{PcmSink, PcmSource, Position};
use crate::rt::resampled::{ResampledSink, ResampledSource};

/// The longest that a waiting application sleeps before it looks again.
const LOOK: Duration = Duration::from_millis(5);

/// How an application's sound is to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PcmConfig {
    /// Rate of the application's samples, Hz.
    pub sample_rate: u32,
    /// Rate of the engine, Hz. If the two differ the engine's end resamples; both must then be among
    /// [`offhook_codecs::resample::RATES`].
    pub engine_rate: u32,
    /// Samples that may wait, at the application's rate; 2²⁶ at most.
    pub capacity: usize,
}

impl PcmConfig {
    /// A quarter of a second at the engine's own rate.
    pub const fn new(engine_rate: u32) -> PcmConfig {
        PcmConfig { sample_rate: engine_rate, engine_rate, capacity: engine_rate as usize / 4 }
    }
}

/// What the peer is to hear: the application's end.
pub struct PcmWriter {
    ring: ElasticWriter,
    position: Arc<Board<3>>,
    sample_rate: u32,
    refused: u64,
}

/// How far a [`PcmWriter`] is. Samples at the application's rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PcmWriterMeters {
    /// Samples taken from the application.
    pub written: u64,
    /// Samples that found no room and were left with the application.
    pub refused: u64,
    /// Samples that the engine took.
    pub taken: u64,
    /// Samples that wait.
    pub occupied: usize,
    /// Samples of silence that the peer heard because none waited; before the first write and after the writer was
    /// dropped, silence is no lack.
    pub underrun_samples: u64,
    /// Times that sound was followed by such silence.
    pub underruns: u64,
    /// The last sample whose capture time is known, as the number of samples before it, and that time in nanoseconds.
    pub position: Option<(u64, u64)>,
}

/// What the peer says: the application's end.
pub struct PcmReader {
    ring: BlockReader<i16>,
    sample_rate: u32,
    /// The block being read, and its samples already taken.
    open: Option<(Stamp, usize)>,
}

/// Samples that were read, and when their first was played (or captured, at the microphone's tap).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PcmBlock {
    /// Nanoseconds of the engine's clock.
    pub at_ns: u64,
    /// Samples written to the front of the buffer.
    pub samples: usize,
}

/// How far a [`PcmReader`] is. Samples at the application's rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PcmReaderMeters {
    /// Samples that the engine put in.
    pub heard: u64,
    /// Samples dropped because there was no room.
    pub overrun_samples: u64,
    /// Blocks dropped because there was no room.
    pub overruns: u64,
    /// Samples that wait.
    pub occupied: usize,
}

/// A source that the application feeds: its end, and the engine's for [`Control::add_source`](crate::Control).
///
/// # Errors
///
/// [`UnsupportedRate`] if the rates differ and one of them cannot be resampled.
pub fn pcm_source(config: PcmConfig) -> Result<(PcmWriter, Box<dyn Source>), UnsupportedRate> {
    let (writer, reader) = elastic(config.capacity.clamp(1, MAX_RING), 0, config.sample_rate);
    let position = Arc::new(Board::new());
    position.publish(&Position::default());
    let source = PcmSource { ring: reader, position: Arc::clone(&position) };
    let source = ResampledSource::wrap(Box::new(source), config.sample_rate, config.engine_rate)?;
    Ok((PcmWriter { ring: writer, position, sample_rate: config.sample_rate, refused: 0 }, source))
}

/// A sink that the application reads: its end, and the engine's for [`Control::add_sink`](crate::Control) or for a tap
/// ([`RxCommand::SetSpeakerTap`](crate::RxCommand), [`TxCommand::SetMicrophoneTap`](crate::TxCommand)).
///
/// # Errors
///
/// [`UnsupportedRate`] if the rates differ and one of them cannot be resampled.
pub fn pcm_sink(config: PcmConfig) -> Result<(PcmReader, Box<dyn Sink>), UnsupportedRate> {
    // Drivers' blocks are rarely shorter than a millisecond.
    let capacity = config.capacity.clamp(1, MAX_RING);
    let room = capacity / (config.sample_rate as usize / 1_000).max(1) + 4;
    let (writer, reader) = blocks(capacity, room);
    let sink =
        ResampledSink::wrap(Box::new(PcmSink { ring: writer }), config.sample_rate, config.engine_rate)?;
    Ok((PcmReader { ring: reader, sample_rate: config.sample_rate, open: None }, sink))
}

impl PcmWriter {
    /// Writes as many samples as there is room for; how many. Never waits.
    pub fn write(&mut self, samples: &[i16]) -> usize {
        let kept = self.ring.offer(samples);
        self.refused += (samples.len() - kept) as u64;
        kept
    }

    /// Samples that may be written now.
    pub fn room(&self) -> usize {
        self.ring.capacity() - self.ring.occupied()
    }

    /// Samples that may wait at all.
    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// Waits until there is room for `samples` (or for all that the ring holds), `timeout` at most; whether there is.
    /// False at once if the engine has dropped its end.
    pub fn wait_room(&self, samples: usize, timeout: Duration) -> bool {
        let wanted = samples.min(self.capacity());
        wait(timeout, self.sample_rate, || {
            let missing = wanted.saturating_sub(self.room());
            if missing > 0 && !self.is_attached() { Look::Never } else { Look::Missing(missing) }
        })
    }

    /// Whether the engine still has its end.
    pub fn is_attached(&self) -> bool {
        self.ring.is_read()
    }

    /// How far it is.
    pub fn meters(&self) -> PcmWriterMeters {
        let counts = self.ring.counts();
        let position: Position = self.position.read();
        PcmWriterMeters {
            written: counts.written.load(Ordering::Relaxed),
            refused: self.refused,
            taken: counts.taken.load(Ordering::Relaxed),
            occupied: self.ring.occupied(),
            underrun_samples: counts.starved.load(Ordering::Relaxed),
            underruns: counts.gaps.load(Ordering::Relaxed),
            position: position.is_known.then_some((position.sample, position.captured_ns)),
        }
    }
}

impl PcmReader {
    /// Reads the next samples of one block into `out`, or `None` if none wait. Never waits.
    ///
    /// A block longer than `out` is read on next time, its time moved on accordingly; two blocks are never read at
    /// once, so that each time is exact.
    pub fn read(&mut self, out: &mut [i16]) -> Option<PcmBlock> {
        if out.is_empty() {
            return None;
        }
        let (stamp, done) = match self.open.take() {
            Some(open) => open,
            None => (self.ring.next()?, 0),
        };
        let left = stamp.len - done;
        let wanted = left.min(out.len());
        let samples = self.ring.take(out.get_mut(..wanted).unwrap_or_default());
        if samples < left {
            self.open = Some((stamp, done + samples));
        }
        let at_ns = stamp.at_ns.saturating_add(samples_to_ns(done, self.sample_rate));
        Some(PcmBlock { at_ns, samples })
    }

    /// Skips what waits but the newest `keep` samples, in whole blocks; how many samples went.
    pub fn skip_to_newest(&mut self, keep: usize) -> usize {
        let mut skipped = 0;
        while self.ring.occupied() > keep {
            let (stamp, done) = match self.open.take() {
                Some(open) => open,
                None => match self.ring.next() {
                    Some(stamp) => (stamp, 0),
                    None => break,
                },
            };
            skipped += self.ring.skip(stamp.len - done);
        }
        skipped
    }

    /// Samples that wait.
    pub fn occupied(&self) -> usize {
        self.ring.occupied()
    }

    /// Samples that may wait at all.
    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// Waits until `samples` wait (or all that the ring holds), `timeout` at most; whether they do. False at once if
    /// the engine has dropped its end and too few are left.
    pub fn wait(&self, samples: usize, timeout: Duration) -> bool {
        let wanted = samples.min(self.capacity());
        wait(timeout, self.sample_rate, || {
            let is_attached = self.is_attached();
            let missing = wanted.saturating_sub(self.occupied());
            if missing > 0 && !is_attached { Look::Never } else { Look::Missing(missing) }
        })
    }

    /// Whether the engine still has its end.
    pub fn is_attached(&self) -> bool {
        self.ring.is_written()
    }

    /// How far it is.
    pub fn meters(&self) -> PcmReaderMeters {
        let counts = self.ring.counts();
        PcmReaderMeters {
            heard: counts.elements.load(Ordering::Relaxed),
            overrun_samples: counts.dropped_elements.load(Ordering::Relaxed),
            overruns: counts.dropped_blocks.load(Ordering::Relaxed),
            occupied: self.ring.occupied(),
        }
    }
}

/// What a look at a ring has found.
enum Look {
    /// So many samples are missing.
    Missing(usize),
    /// Nobody will ever move them.
    Never,
}

/// Looks until nothing is missing.
fn wait(timeout: Duration, rate: u32, mut look: impl FnMut() -> Look) -> bool {
    let give_up = Instant::now().checked_add(timeout);
    loop {
        let missing = match look() {
            Look::Missing(0) => return true,
            Look::Missing(missing) => missing,
            Look::Never => return false,
        };
        let nap = Duration::from_nanos(samples_to_ns(missing, rate) / 2).clamp(LOOK / 10, LOOK);
        let left = give_up.map_or(nap, |at| at.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(nap.min(left));
    }
}

#[cfg(test)]
mod tests {
    use assert_no_alloc::assert_no_alloc;

    use super::*;

    #[test]
    fn what_the_application_writes_is_heard_and_it_learns_when() {
        let (mut writer, mut source) =
            pcm_source(PcmConfig { capacity: 200, ..PcmConfig::new(8_000) }).unwrap();
        let said: Vec<i16> = (0..240).collect();
        assert_eq!((writer.write(&said), writer.room(), writer.capacity()), (200, 0, 200));
        assert!(!writer.wait_room(1, Duration::ZERO));
        let mut heard = Vec::new();
        for block in 0..2 {
            let mut out = [0; 80];
            assert_no_alloc(|| assert_eq!(source.fill(1_000 + block, &mut out), 80));
            heard.extend(out);
        }
        assert!(writer.wait_room(160, Duration::from_secs(5)));
        assert_eq!(writer.write(&said[200..]), 40);
        let mut out = [0; 80];
        source.fill(2_000, &mut out);
        heard.extend(out);
        assert_eq!(heard, said);
        let meters = writer.meters();
        let want = PcmWriterMeters {
            written: 240,
            refused: 40,
            taken: 240,
            occupied: 0,
            underrun_samples: 0,
            underruns: 0,
            position: Some((160, 2_000)),
        };
        assert_eq!(meters, want);
    }

    #[test]
    fn a_stalled_application_is_silence_that_fades_and_is_counted() {
        let (mut writer, mut source) = pcm_source(PcmConfig::new(8_000)).unwrap();
        let mut heard = vec![0; 80];
        assert_eq!(source.fill(0, &mut heard), 0, "nothing was ever written: nothing is missing");
        assert_eq!(writer.meters().underruns, 0);
        for n in 0..6 {
            if n != 3 {
                writer.write(&[16_000; 80]);
            }
            let mut out = [0; 80];
            assert_no_alloc(|| source.fill(n, &mut out));
            heard.extend(out);
        }
        assert!(heard.windows(2).all(|w| (i32::from(w[1]) - i32::from(w[0])).abs() <= 401));
        let meters = writer.meters();
        assert_eq!((meters.underruns, meters.underrun_samples, meters.taken), (1, 80, 400));
        drop(source);
        assert!(!writer.is_attached());
        writer.write(&[0; 2_000]);
        assert!(!writer.wait_room(2_000, Duration::from_secs(3_600)), "told at once");
    }

    #[test]
    fn what_is_heard_comes_with_its_time_and_a_stalled_reader_loses_the_newest() {
        let (mut reader, mut sink) = pcm_sink(PcmConfig { capacity: 250, ..PcmConfig::new(8_000) }).unwrap();
        for block in 0..5i16 {
            assert_no_alloc(|| sink.write(10_000_000 * u64::from(block.unsigned_abs()), &[block; 80]));
        }
        assert!(reader.wait(240, Duration::ZERO));
        assert!(!reader.wait(250, Duration::from_millis(1)));
        let mut out = [9; 50];
        let mut got = Vec::new();
        while let Some(block) = reader.read(&mut out) {
            got.push((block.at_ns, out[..block.samples].to_vec()));
        }
        let want: Vec<(u64, Vec<i16>)> = (0..3u64)
            .flat_map(|n| {
                let part = |at, len| (n * 10_000_000 + at, vec![n as i16; len]);
                [part(0, 50), part(6_250_000, 30)]
            })
            .collect();
        assert_eq!(got, want);
        let want = PcmReaderMeters { heard: 240, overrun_samples: 160, overruns: 2, occupied: 0 };
        assert_eq!(reader.meters(), want);
        sink.write(70_000_000, &[7; 80]);
        sink.write(80_000_000, &[8; 80]);
        reader.read(&mut out);
        assert_eq!(reader.skip_to_newest(80), 30);
        assert_eq!(reader.read(&mut out), Some(PcmBlock { at_ns: 80_000_000, samples: 50 }));
        drop(sink);
        assert!(!reader.wait(80, Duration::from_secs(3_600)), "told at once");
        assert_eq!(reader.read(&mut []), None);
    }

    #[test]
    fn an_application_of_48_khz_talks_to_a_call_of_8_khz() {
        let config = PcmConfig { sample_rate: 48_000, engine_rate: 8_000, capacity: 9_600 };
        let (mut writer, mut source) = pcm_source(config).unwrap();
        let (mut reader, mut sink) = pcm_sink(config).unwrap();
        let tone =
            |n: usize, rate: f64| (8_000.0 * (n as f64 * 500.0 / rate * std::f64::consts::TAU).sin()) as i16;
        let (mut said, mut heard, mut out) = (0, Vec::new(), [0; 480]);
        for block in 0..100u64 {
            let high: Vec<i16> = (said..said + 480).map(|n| tone(n, 48_000.0)).collect();
            said += writer.write(&high);
            let mut low = [0; 80];
            assert_no_alloc(|| {
                source.fill(block * 10_000_000, &mut low);
                sink.write(block * 10_000_000, &low);
            });
            while let Some(read) = reader.read(&mut out) {
                heard.extend_from_slice(&out[..read.samples]);
            }
        }
        assert_eq!(heard.len(), 48_000);
        // There and back: two filters of 1.5 ms each.
        let error = (1_000..47_000).map(|n| (heard[n] - tone(n - 144, 48_000.0)).abs()).max().unwrap();
        assert!(error < 200, "{error}");
        let odd = PcmConfig { sample_rate: 12_345, ..config };
        assert!(pcm_source(odd).is_err() && pcm_sink(odd).is_err());
    }
}
