//! What runs in a card's callbacks: one card, many seats.
//!
//! ```text
//! capture:  channels ─ mono ─┬─ seat: fade ─ resample ─▶ FnMut(captured_ns, &[i16])
//!                            └─ seat …
//! playback: channels ◀─ saturate ◀─ sum ─┬─ seat: resample ◀─ fade ◀─ FnMut(now_ns, &mut [i16])
//!                                        └─ seat …
//! ```
//!
//! In: blocks of any length in the device's format. Out: for each seat, blocks at its own rate with the monotonic time
//! of their first sample. Seats come and go while the card runs (`seats.rs`).
//! Of more than two channels the first two are used: the others of such cards are other microphones and speakers.
//! RT: no allocation, lock, syscall, log or panic.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use cpal::{FromSample, SizedSample};
use offhook_codecs::UnsupportedRate;

use crate::clock::CardClock;
use crate::convert::Converter;
use crate::fader::Fader;
use crate::seats::Seats;
use crate::status::StreamStatus;

/// The most frames worked on at once.
pub(crate) const BLOCK: usize = 960;
/// A host's idea of how far away the card's ears or mouth are, beyond which it is not believed (epochs differ).
const FURTHEST: Duration = Duration::from_millis(500);
/// Callbacks after which the largest is looked for anew.
const PERIOD_MEMORY: u64 = 256;

type Hear = Box<dyn FnMut(u64, &[i16]) + Send>;
type Speak = Box<dyn FnMut(u64, &mut [i16]) + Send>;

/// One that hears a card.
pub(crate) struct CaptureSeat {
    converter: Converter,
    faded: Box<[i16]>,
    converted: Box<[i16]>,
    fader: Fader,
    hear: Hear,
}

impl CaptureSeat {
    pub(crate) fn new(
        device_rate: u32,
        rate: u32,
        fader: Fader,
        hear: Hear,
    ) -> Result<Self, UnsupportedRate> {
        let converter = Converter::new(device_rate, rate)?;
        let converted = vec![0; converter.output_len(BLOCK) + 8].into();
        Ok(Self { converter, faded: vec![0; BLOCK].into(), converted, fader, hear })
    }

    fn take(&mut self, at_ns: u64, mono: &[i16]) {
        // Faded before it is converted: a filter would spread what begins or ends at once.
        let Some(faded) = self.faded.get_mut(..mono.len()) else { return };
        faded.copy_from_slice(mono);
        self.fader.apply(faded);
        let produced = self.converter.process(faded, &mut self.converted);
        if let Some(block) = self.converted.get(..produced)
            && !block.is_empty()
        {
            (self.hear)(at_ns, block);
        }
    }
}

/// One that a card plays.
pub(crate) struct PlaybackSeat {
    converter: Converter,
    mono: Box<[i16]>,
    fader: Fader,
    speak: Speak,
}

impl PlaybackSeat {
    pub(crate) fn new(
        device_rate: u32,
        rate: u32,
        fader: Fader,
        speak: Speak,
    ) -> Result<Self, UnsupportedRate> {
        let converter = Converter::new(rate, device_rate)?;
        Ok(Self { converter, mono: vec![0; BLOCK].into(), fader, speak })
    }

    fn give(&mut self, now_ns: u64, sum: &mut [i32]) {
        let Some(mono) = self.mono.get_mut(..sum.len()) else { return };
        let (speak, fader) = (&mut self.speak, &mut self.fader);
        self.converter.pull(mono, |input| {
            speak(now_ns, input);
            fader.apply(input);
        });
        for (sum, sample) in sum.iter_mut().zip(mono.iter()) {
            *sum = sum.saturating_add(i32::from(*sample));
        }
    }
}

/// A seat whose card may come back at another rate.
pub(crate) trait Retune {
    /// From now on the card has this rate. Control only.
    fn retune(&mut self, device_rate: u32) -> Result<(), UnsupportedRate>;
}

impl Retune for CaptureSeat {
    fn retune(&mut self, device_rate: u32) -> Result<(), UnsupportedRate> {
        self.converter = Converter::new(device_rate, self.converter.to())?;
        self.converted = vec![0; self.converter.output_len(BLOCK) + 8].into();
        Ok(())
    }
}

impl Retune for PlaybackSeat {
    fn retune(&mut self, device_rate: u32) -> Result<(), UnsupportedRate> {
        self.converter = Converter::new(self.converter.from(), device_rate)?;
        Ok(())
    }
}

/// What both directions note of every callback.
struct Common {
    channels: usize,
    rate: u32,
    clock: CardClock,
    status: Arc<StreamStatus>,
    callbacks: u64,
    largest: u32,
}

impl Common {
    fn new(channels: u16, rate: u32, status: Arc<StreamStatus>) -> Self {
        let channels = usize::from(channels.max(1));
        Self { channels, rate: rate.max(1), clock: CardClock::new(rate), status, callbacks: 0, largest: 0 }
    }

    fn note(&mut self, now_ns: u64, frames: usize, latency: Option<Duration>) {
        let status = &*self.status;
        if let Some(lost) = self.clock.tick(now_ns, frames).lost_frames {
            status.breaks.fetch_add(1, Relaxed);
            status.lost_frames.fetch_add(lost, Relaxed);
        }
        status.drift_ppb.store((self.clock.drift_ppm() * 1e3) as i64, Relaxed);
        // The first callbacks fill the host's buffer.
        if self.callbacks == 4 || self.callbacks.is_multiple_of(PERIOD_MEMORY) {
            self.largest = 0;
        }
        self.callbacks += 1;
        self.largest = self.largest.max(frames as u32);
        status.period_frames.store(self.largest, Relaxed);
        if let Some(latency) = latency {
            status.latency_ns.store(latency.as_nanos() as u64, Relaxed);
        }
        status.frames.fetch_add(frames as u64, Relaxed);
        // Last: who waits for a callback reads the rest after it.
        status.callbacks.fetch_add(1, Relaxed);
    }

    fn length_ns(&self, frames: usize) -> u64 {
        frames as u64 * 1_000_000_000 / u64::from(self.rate)
    }
}

/// A capture callback.
pub(crate) struct CaptureBlocks {
    common: Common,
    mono: Box<[i16]>,
    seats: Arc<Seats<CaptureSeat>>,
}

impl CaptureBlocks {
    pub(crate) fn new(
        channels: u16,
        rate: u32,
        seats: Arc<Seats<CaptureSeat>>,
        status: Arc<StreamStatus>,
    ) -> Self {
        Self { common: Common::new(channels, rate, status), mono: vec![0; BLOCK].into(), seats }
    }

    /// Takes a block of interleaved frames whose first was captured `age` before `now_ns`.
    pub(crate) fn push<S>(&mut self, now_ns: u64, age: Option<Duration>, data: &[S])
    where
        S: SizedSample,
        i16: FromSample<S>,
    {
        let channels = self.common.channels;
        let frames = data.len() / channels;
        let age = age.filter(|age| !age.is_zero() && *age <= FURTHEST);
        self.common.note(now_ns, frames, age);
        // Without a believable stamp the block is as old as it is long.
        let age_ns = age.map_or(self.common.length_ns(frames), |age| age.as_nanos() as u64);
        let mut at = now_ns.saturating_sub(age_ns);
        for chunk in data.chunks(BLOCK * channels) {
            let mut n = 0;
            for (mono, frame) in self.mono.iter_mut().zip(chunk.chunks_exact(channels)) {
                let used = frame.iter().take(2);
                let count = used.len().max(1) as i32;
                let sum: i32 = used.map(|s| i32::from(s.to_sample::<i16>())).sum();
                *mono = (sum / count) as i16;
                n += 1;
            }
            let mono = self.mono.get(..n).unwrap_or_default();
            self.seats.run_each(|seat| seat.take(at, mono));
            at = at.saturating_add(self.common.length_ns(n));
        }
    }
}

/// A playback callback.
pub(crate) struct PlaybackBlocks {
    common: Common,
    sum: Box<[i32]>,
    seats: Arc<Seats<PlaybackSeat>>,
}

impl PlaybackBlocks {
    pub(crate) fn new(
        channels: u16,
        rate: u32,
        seats: Arc<Seats<PlaybackSeat>>,
        status: Arc<StreamStatus>,
    ) -> Self {
        Self { common: Common::new(channels, rate, status), sum: vec![0; BLOCK].into(), seats }
    }

    /// Fills a block of interleaved frames that will be heard `ahead` from now; the first two channels get the sum of
    /// all seats.
    pub(crate) fn pull<S>(&mut self, now_ns: u64, ahead: Option<Duration>, data: &mut [S])
    where
        S: SizedSample + FromSample<i16>,
    {
        let channels = self.common.channels;
        let ahead = ahead.filter(|ahead| !ahead.is_zero() && *ahead <= FURTHEST);
        self.common.note(now_ns, data.len() / channels, ahead);
        let mut at = now_ns;
        for chunk in data.chunks_mut(BLOCK * channels) {
            let n = chunk.len() / channels;
            let Some(sum) = self.sum.get_mut(..n) else { continue };
            sum.fill(0);
            self.seats.run_each(|seat| seat.give(at, sum));
            let mut frames = chunk.chunks_exact_mut(channels);
            for (frame, sum) in frames.by_ref().zip(sum.iter()) {
                let sample = (*sum).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
                let (used, rest) = frame.split_at_mut(channels.min(2));
                used.fill(S::from_sample(sample));
                rest.fill(S::EQUILIBRIUM);
            }
            // Half a frame is nobody's.
            frames.into_remainder().fill(S::EQUILIBRIUM);
            at = at.saturating_add(self.common.length_ns(n));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fader::Knob;

    fn fader() -> Fader {
        let knob = Arc::new(Knob::default());
        knob.turn(1.0);
        Fader::new(knob, 48_000)
    }

    /// Odd channels, rates and lengths; times that stand still, go back, jump to the ends of what can be told.
    #[test]
    fn callbacks_of_any_length_at_any_time_are_answered() {
        let lengths = [0, 1, 2, 961, 2_000];
        let times = [5, 5, 0, u64::MAX, 1 << 40, u64::MAX - 1, 7];
        for (channels, device_rate, rate) in
            [(0, 48_000, 8_000), (1, 4_000, 192_000), (2, 768_000, 8_000), (7, 12_345, 48_000), (2, 0, 8_000)]
        {
            let seats = (Arc::new(Seats::new()), Arc::new(Seats::new()));
            if device_rate > 0 {
                let hear = Box::new(|_: u64, _: &[i16]| ());
                let speak = Box::new(|_: u64, block: &mut [i16]| block.fill(i16::MAX));
                seats.0.join(Box::new(CaptureSeat::new(device_rate, rate, fader(), hear).unwrap()));
                for _ in 0..3 {
                    let seat = PlaybackSeat::new(device_rate, rate, fader(), speak.clone()).unwrap();
                    seats.1.join(Box::new(seat));
                }
            }
            let status = Arc::<StreamStatus>::default();
            let mut capture = CaptureBlocks::new(channels, device_rate, seats.0, Arc::clone(&status));
            let mut playback = PlaybackBlocks::new(channels, device_rate, seats.1, Arc::clone(&status));
            let stamps = [None, Some(Duration::ZERO), Some(Duration::MAX), Some(Duration::from_millis(9))];
            let mut apart = stamps.into_iter().cycle();
            for now_ns in times {
                for length in lengths {
                    let apart = apart.next().flatten();
                    capture.push(now_ns, apart, &vec![f32::NAN; length]);
                    capture.push(now_ns, apart, &vec![i16::MIN; length]);
                    let mut out = vec![77u8; length];
                    playback.pull(now_ns, apart, &mut out);
                    let left = length % usize::from(channels.max(1));
                    assert_eq!(out[length - left..], vec![128; left], "half a frame is silent");
                    let frame = out.get(..usize::from(channels.max(1))).unwrap_or_default();
                    assert_eq!(frame.iter().skip(2).filter(|sample| **sample != 128).count(), 0);
                }
            }
            assert!(status.snapshot().drift_ppm.is_finite());
        }
    }
}
