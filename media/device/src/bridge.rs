//! Joins two clocks: what one writes in its blocks the other reads in its own, neither ever short nor late for long.
//!
//! ```text
//! writer's clock ─▶ Inlet ─ ring ─▶ asynchronous resampler ─▶ Outlet ─▶ reader's clock
//!                     └─ where the writer is (atomic) ─▶ level ─ PI ─▶ ratio
//! ```
//!
//! In: blocks and their times on either side, of any lengths. Out: the same sound, later by a level that is held
//! steady. Each side's times are smoothed by a clock filter, so the level is that of two straight lines and not of
//! blocks that come and go; a slow loop bends the ratio by at most [`MAX_DRIFT_PPM`] to hold it. A reader that finds
//! the ring empty gets silence and a higher level from then on.
//! RT (both sides): no allocation, lock, syscall, log or panic.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

use offhook_codecs::AsyncResampler;
use offhook_codecs::asynchronous::MAX_DRIFT_PPM;
use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

use crate::clock::CardClock;

/// Seconds that the ring holds.
const RING_S: f64 = 0.5;
/// What the level has beyond the two sides' blocks, in seconds; and what an empty ring adds.
const MARGIN_S: f64 = 0.004;
/// The highest level beyond the blocks, in seconds.
const MOST_MARGIN_S: f64 = 0.1;
/// The longest blocks of either side that the level makes room for, in seconds: with all margins that fits the ring.
const LONGEST_BLOCK_S: f64 = 0.15;
/// A level this far off (seconds) is set right at once, by dropping or by silence: a side has stood still.
const LOST_S: f64 = 0.08;
/// Blocks after which the longest is looked for anew: one odd block is not delay for ever.
const BLOCK_MEMORY: u32 = 256;
/// The loop: ratio per second of error, ratio per second and second; critically damped at some 0.02 Hz.
const PROPORTIONAL: f64 = 0.1;
const INTEGRAL: f64 = PROPORTIONAL * PROPORTIONAL / 4.0;
/// Seconds over which the error is smoothed before it reaches the ratio.
const SMOOTHING_S: f64 = 0.5;
/// The level is not judged before both sides have run for so long, in seconds.
const SETTLING_S: f64 = 1.2;

#[derive(Debug, Default)]
struct Shared {
    /// The writer's place less what its nominal rate makes of the time, in samples × 2¹⁶. Set before `written`.
    phase: AtomicI64,
    /// Samples written; those that found no room are not among them.
    written: AtomicU64,
    /// Longest of the writer's last blocks, samples.
    block: AtomicU64,
    overruns: AtomicU64,
    underruns: AtomicU64,
    drift_ppb: AtomicI64,
}

/// The longest of the last blocks.
#[derive(Debug, Default)]
struct Longest {
    longest: usize,
    /// Of those since the last look.
    recent: usize,
    blocks: u32,
}

impl Longest {
    fn of(&mut self, block: usize) -> usize {
        self.recent = self.recent.max(block);
        self.longest = self.longest.max(block);
        self.blocks += 1;
        if self.blocks >= BLOCK_MEMORY {
            *self = Longest { longest: self.recent, ..Longest::default() };
        }
        self.longest
    }
}

/// The writing side.
pub struct Inlet {
    ring: HeapProd<i16>,
    clock: CardClock,
    rate: f64,
    epoch_ns: u64,
    written: u64,
    longest: Longest,
    shared: Arc<Shared>,
}

/// The reading side.
pub struct Outlet {
    ring: HeapCons<i16>,
    resampler: AsyncResampler,
    clock: CardClock,
    rate: f64,
    epoch_ns: u64,
    first_ns: Option<u64>,
    read: u64,
    longest: Longest,
    margin_s: f64,
    is_primed: bool,
    error_s: f64,
    integral: f64,
    last_ns: u64,
    shared: Arc<Shared>,
}

/// Reads a bridge's counters.
#[derive(Clone, Debug)]
pub struct BridgeMeter(Arc<Shared>);

impl BridgeMeter {
    /// What has happened so far.
    pub fn status(&self) -> BridgeStatus {
        BridgeStatus {
            underruns: self.0.underruns.load(Relaxed),
            overruns: self.0.overruns.load(Relaxed),
            drift_ppm: self.0.drift_ppb.load(Relaxed) as f64 / 1e3,
        }
    }
}

/// What a bridge has done.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BridgeStatus {
    /// Blocks that the reader did not get whole.
    pub underruns: u64,
    /// Blocks that the writer could not store whole.
    pub overruns: u64,
    /// How much faster the writer's clock runs than the reader's, in millionths, as the loop has found.
    pub drift_ppm: f64,
}

/// A bridge for samples at `rate` Hz; `epoch_ns` is any time not long before the first block.
///
/// # Errors
///
/// [`offhook_codecs::UnsupportedRate`] beyond 4 to 768 kHz.
pub fn bridge(rate: u32, epoch_ns: u64) -> Result<(Inlet, Outlet), offhook_codecs::UnsupportedRate> {
    let resampler = AsyncResampler::new(rate, rate)?;
    let (to, from) = HeapRb::new((f64::from(rate) * RING_S) as usize).split();
    let shared = Arc::new(Shared::default());
    let inlet = Inlet {
        ring: to,
        clock: CardClock::new(rate),
        rate: f64::from(rate),
        epoch_ns,
        written: 0,
        longest: Longest::default(),
        shared: Arc::clone(&shared),
    };
    let outlet = Outlet {
        ring: from,
        resampler,
        clock: CardClock::new(rate),
        rate: f64::from(rate),
        epoch_ns,
        first_ns: None,
        read: 0,
        longest: Longest::default(),
        margin_s: MARGIN_S,
        is_primed: false,
        error_s: 0.0,
        integral: 0.0,
        last_ns: 0,
        shared,
    };
    Ok((inlet, outlet))
}

impl Inlet {
    /// Writes a block at `now_ns`. What finds no room is dropped: then nobody reads.
    pub fn write(&mut self, now_ns: u64, block: &[i16]) {
        let at_ns = self.clock.tick(now_ns, block.len()).smoothed_ns;
        let pushed = self.ring.push_slice(block);
        if pushed < block.len() {
            self.shared.overruns.fetch_add(1, Relaxed);
        }
        self.written += pushed as u64;
        let longest = self.longest.of(block.len());
        let time_s = at_ns.saturating_sub(self.epoch_ns) as f64 / 1e9;
        let phase = self.written as f64 - time_s * self.rate;
        self.shared.phase.store((phase * 65_536.0) as i64, Relaxed);
        self.shared.block.store(longest as u64, Relaxed);
        self.shared.written.store(self.written, Release);
    }
}

impl Outlet {
    /// Fills a block at `now_ns`: silence until enough was written, and where it runs out.
    pub fn read(&mut self, now_ns: u64, block: &mut [i16]) {
        let at_ns = self.clock.tick(now_ns, block.len()).smoothed_ns;
        let first_ns = *self.first_ns.get_or_insert(now_ns);
        let block_s = (self.longest.of(block.len()) as f64 / self.rate).min(LONGEST_BLOCK_S);
        let written = self.shared.written.load(Acquire);
        let writer_s = (self.shared.block.load(Relaxed) as f64 / self.rate).min(LONGEST_BLOCK_S);
        let target_s = writer_s + block_s + self.margin_s;
        if !self.is_primed {
            let waiting = self.ring.occupied_len() as f64 / self.rate;
            if written == 0 || waiting < target_s {
                return block.fill(0);
            }
            // The oldest goes: what is old by now is only delay.
            self.skip(((waiting - target_s) * self.rate) as usize);
            self.is_primed = true;
            self.error_s = 0.0;
        }
        let is_settled = now_ns.saturating_sub(first_ns) as f64 / 1e9 > SETTLING_S;
        let phase = self.shared.phase.load(Relaxed) as f64 / 65_536.0;
        let time_s = at_ns.saturating_sub(self.epoch_ns) as f64 / 1e9;
        // Where the writer would be now, if it wrote sample by sample.
        let level_s = (phase + time_s * self.rate - self.read as f64) / self.rate;
        let error_s = level_s - target_s;
        if is_settled {
            if error_s.abs() > LOST_S {
                self.is_primed = false;
                self.skip(if error_s > 0.0 { (error_s * self.rate) as usize } else { 0 });
            } else {
                self.steer(now_ns, error_s);
            }
        }
        self.last_ns = now_ns;
        let (ring, mut read, mut is_short) = (&mut self.ring, 0, false);
        self.resampler.pull(block, |input| {
            let got = ring.pop_slice(input);
            read += got as u64;
            if let Some(rest) = input.get_mut(got..)
                && !rest.is_empty()
            {
                rest.fill(0);
                is_short = true;
            }
        });
        self.read += read;
        if is_short {
            self.shared.underruns.fetch_add(1, Relaxed);
            self.margin_s = (self.margin_s + MARGIN_S).min(MOST_MARGIN_S);
            self.is_primed = false;
        }
    }

    /// What tells what happens here, from any thread.
    pub fn meter(&self) -> BridgeMeter {
        BridgeMeter(Arc::clone(&self.shared))
    }

    fn steer(&mut self, now_ns: u64, error_s: f64) {
        let passed_s = (now_ns.saturating_sub(self.last_ns) as f64 / 1e9).clamp(0.0, 0.1);
        self.error_s += (error_s - self.error_s) * (passed_s / SMOOTHING_S).min(1.0);
        let bound = MAX_DRIFT_PPM / 1e6;
        self.integral = (self.integral + INTEGRAL * self.error_s * passed_s).clamp(-bound, bound);
        self.resampler.set_drift_ppm((PROPORTIONAL * self.error_s + self.integral) * 1e6);
        self.shared.drift_ppb.store((self.integral * 1e9) as i64, Relaxed);
    }

    fn skip(&mut self, samples: usize) {
        self.read += self.ring.skip(samples) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 8_000;

    struct Run {
        heard: Vec<i16>,
        status: BridgeStatus,
        early: u64,
    }

    /// A writer of a 500 Hz tone and a reader, drifting apart, each in its own blocks and with late callbacks.
    fn run(seconds: f64, ppm: impl Fn(f64) -> f64, blocks: (usize, usize), jitter_s: f64) -> Run {
        let (mut inlet, mut outlet) = bridge(RATE, 0).unwrap();
        let (mut write_at, mut read_at) = (1.0f64, 1.0037f64);
        let mut phase = 0.0f64;
        let (mut input, mut output) = (vec![0i16; blocks.0], vec![0i16; blocks.1]);
        let (mut heard, mut early) = (Vec::new(), 0);
        let mut seed = 1u32;
        let mut late = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            jitter_s * f64::from(seed >> 16) / 65_536.0
        };
        while read_at < 1.0 + seconds {
            if write_at <= read_at {
                for sample in &mut input {
                    *sample = (8_000.0 * (std::f64::consts::TAU * phase).sin()).round() as i16;
                    phase = (phase + 500.0 / f64::from(RATE)).fract();
                }
                let now = ((write_at + late()) * 1e9) as u64;
                assert_no_alloc::assert_no_alloc(|| inlet.write(now, &input));
                write_at += blocks.0 as f64 / (f64::from(RATE) * (1.0 + ppm(write_at) / 1e6));
            } else {
                let now = ((read_at + late()) * 1e9) as u64;
                assert_no_alloc::assert_no_alloc(|| outlet.read(now, &mut output));
                read_at += blocks.1 as f64 / f64::from(RATE);
                if read_at < 30.0 {
                    early = outlet.meter().status().underruns;
                } else {
                    heard.extend_from_slice(&output);
                }
            }
        }
        Run { heard, status: outlet.meter().status(), early }
    }

    /// The largest second difference: for a sine of amplitude A it is A·(2 sin(ω/2))², a click makes it many times that.
    fn roughness(samples: &[i16]) -> f64 {
        let second = |w: &[i16]| (f64::from(w[0]) - 2.0 * f64::from(w[1]) + f64::from(w[2])).abs();
        samples.windows(3).map(second).fold(0.0, f64::max)
    }

    fn smooth() -> f64 {
        8_000.0 * (2.0 * (std::f64::consts::PI * 500.0 / f64::from(RATE)).sin()).powi(2)
    }

    fn an_hour_at(ppm: f64) {
        let run = run(3_600.0, |_| ppm, (80, 160), 0.002);
        assert_eq!((run.status.underruns - run.early, run.status.overruns), (0, 0), "{:?}", run.status);
        assert!((run.status.drift_ppm - ppm).abs() < 15.0, "{:?}", run.status);
        assert!(roughness(&run.heard) < smooth() * 1.02, "{} for {}", roughness(&run.heard), smooth());
    }

    #[test]
    fn an_hour_of_a_writer_that_is_300_ppm_fast_neither_runs_dry_nor_over_and_never_clicks() {
        an_hour_at(300.0);
    }

    #[test]
    fn an_hour_of_a_writer_that_is_300_ppm_slow_neither_runs_dry_nor_over_and_never_clicks() {
        an_hour_at(-300.0);
    }

    #[test]
    fn drift_that_turns_round_is_followed_without_a_break() {
        let turning = |at: f64| 300.0 * (at / 60.0).sin();
        let run = run(300.0, turning, (441, 80), 0.004);
        assert_eq!((run.status.underruns - run.early, run.status.overruns), (0, 0), "{:?}", run.status);
        assert!(roughness(&run.heard) < smooth() * 1.02, "{} for {}", roughness(&run.heard), smooth());
    }

    #[test]
    fn a_tone_keeps_60_db_over_a_bridge() {
        let run = run(90.0, |_| 200.0, (80, 80), 0.001);
        let tail = &run.heard[run.heard.len() - 8_000..];
        // The best fitting sine near 500 Hz of the reader's clock, by least squares.
        let best =
            (-40..=40).map(|n| residue_db(tail, 500.0 * 1.000_2 + f64::from(n) * 0.001)).fold(0.0, f64::max);
        assert!(best > 60.0, "{best:.1} dB");
    }

    fn residue_db(samples: &[i16], hz: f64) -> f64 {
        let w = std::f64::consts::TAU * hz / f64::from(RATE);
        let (mut ss, mut cc, mut sc, mut sy, mut cy, mut yy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
        for (n, y) in samples.iter().enumerate() {
            let (s, c, y) = ((w * n as f64).sin(), (w * n as f64).cos(), f64::from(*y));
            (ss, cc, sc) = (ss + s * s, cc + c * c, sc + s * c);
            (sy, cy, yy) = (sy + s * y, cy + c * y, yy + y * y);
        }
        let det = ss * cc - sc * sc;
        let (a, b) = ((sy * cc - cy * sc) / det, (cy * ss - sy * sc) / det);
        let explained = a * sy + b * cy;
        10.0 * (explained / (yy - explained).max(1e-9)).log10()
    }

    #[test]
    fn a_block_longer_than_the_ring_is_neither_silence_nor_delay_for_ever() {
        for (to_write, to_read) in [(6_000, 80), (80, 6_000), (6_000, 6_000)] {
            let (mut inlet, mut outlet) = bridge(RATE, 0).unwrap();
            let mut block = vec![0i16; to_read];
            let mut at = 1_000_000_000u64;
            inlet.write(at, &vec![1_000; to_write]);
            outlet.read(at, &mut block);
            inlet.write(at, &[]);
            outlet.read(at, &mut []);
            block.truncate(80);
            let mut waits = Vec::new();
            for _ in 0..2_000u64 {
                at += 10_000_000;
                inlet.write(at, &[1_000; 80]);
                outlet.read(at + 3_000_000, &mut block);
                waits.push(outlet.ring.occupied_len());
            }
            assert!(block.iter().all(|s| (990..=1_010).contains(s)), "{to_write}, {to_read}: {block:?}");
            assert!(waits[1_900..].iter().all(|waits| *waits < 8 * 80), "{to_write}, {to_read}: {waits:?}");
        }
    }

    #[test]
    fn a_writer_that_stands_still_leaves_silence_and_comes_back_without_old_sound() {
        let (mut inlet, mut outlet) = bridge(RATE, 0).unwrap();
        let mut block = [0i16; 80];
        let mut at = 1_000_000_000u64;
        for n in 0..2_000u64 {
            at += 10_000_000;
            if !(800..900).contains(&n) {
                inlet.write(at, &[1_000; 80]);
            }
            outlet.read(at + 3_000_000, &mut block);
            match n {
                700 | 1_200 | 1_999 => {
                    assert!(block.iter().all(|s| (990..=1_010).contains(s)), "{n}: {block:?}")
                }
                850 => assert_eq!(block, [0; 80]),
                _ => {}
            }
        }
        assert!(outlet.ring.occupied_len() < 800, "{} samples wait", outlet.ring.occupied_len());
    }
}
