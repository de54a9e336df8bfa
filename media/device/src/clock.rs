//! A card's clock against the monotonic one: how far it drifts, and when it broke.
//! In: each callback's time and frames. Out: a smoothed time, the drift in millionths, breaks and the frames they lost.
//!
//! A callback may come late and never early, so of every fifth of a second only the earliest counts, measured from
//! where the nominal rate would put it. These points lie on a line whose slope is the drift; an alpha-beta filter
//! follows it, quick at first and slow later. A late callback is made up for by the next ones. What is not made up for
//! within two windows was lost: the card has broken (an overrun or underrun), whether its host says so or not.
//! RT: no allocation, lock, syscall, log or panic.

/// How long one point is looked for.
const WINDOW_S: f64 = 0.2;
/// Windows at the start that only set the origin: hosts begin with bursts.
const SETTLING: u32 = 5;
/// The furthest drift that is believed, s/s.
const MAX_DRIFT: f64 = 1e-3;
/// The least break that is told from noise, in seconds.
const LEAST_BREAK_S: f64 = 0.003;

/// One card's clock, in one direction.
#[derive(Clone, Debug)]
pub(crate) struct CardClock {
    rate: f64,
    origin_ns: Option<u64>,
    frames: u64,
    /// The line: where it is at `at_s` since the origin, and its slope.
    at_s: f64,
    offset_s: f64,
    drift: f64,
    windows: u32,
    /// The window: when it began, its earliest callback and that one's time.
    window_s: f64,
    earliest: Option<(f64, f64)>,
    /// How far the last window was off, if it was far.
    suspicion: Option<f64>,
    period_s: f64,
}

/// What one callback told.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tick {
    /// When the callback would have come if it had not been late.
    pub(crate) smoothed_ns: u64,
    /// Frames lost, if a break was found just now.
    pub(crate) lost_frames: Option<u64>,
}

impl CardClock {
    pub(crate) fn new(rate: u32) -> CardClock {
        CardClock {
            rate: f64::from(rate.max(1)),
            origin_ns: None,
            frames: 0,
            at_s: 0.0,
            offset_s: 0.0,
            drift: 0.0,
            windows: 0,
            window_s: 0.0,
            earliest: None,
            suspicion: None,
            period_s: 0.0,
        }
    }

    /// How much faster than nominal the card runs, in millionths; 0 until it is known.
    pub(crate) fn drift_ppm(&self) -> f64 {
        -self.drift * 1e6
    }

    /// A callback at `now_ns` that brings or takes `frames` frames.
    pub(crate) fn tick(&mut self, now_ns: u64, frames: usize) -> Tick {
        let origin = *self.origin_ns.get_or_insert(now_ns);
        self.frames += frames as u64;
        let now_s = now_ns.saturating_sub(origin) as f64 / 1e9;
        let due_s = self.frames as f64 / self.rate;
        let error = now_s - due_s;
        self.period_s = self.period_s.max(frames as f64 / self.rate);
        let mut lost_frames = None;
        if self.earliest.is_none_or(|(least, _)| error < least) {
            self.earliest = Some((error, now_s));
        }
        if now_s - self.window_s >= WINDOW_S
            && let Some((least, at_s)) = self.earliest.take()
        {
            self.window_s = now_s;
            lost_frames = self.point(least, at_s);
            self.period_s = 0.0;
        }
        let line_s = due_s + self.line(now_s);
        // Before the line is known, and where it is nonsense, the callback's own time is all there is.
        let smoothed_s = if self.windows < SETTLING || (line_s - now_s).abs() > 0.5 { now_s } else { line_s };
        Tick { smoothed_ns: origin.saturating_add((smoothed_s.max(0.0) * 1e9) as u64), lost_frames }
    }

    fn line(&self, at_s: f64) -> f64 {
        self.offset_s + self.drift * (at_s - self.at_s)
    }

    /// A window's point; the frames lost, if that makes a break.
    fn point(&mut self, least: f64, at_s: f64) -> Option<u64> {
        self.windows = self.windows.saturating_add(1);
        if self.windows <= SETTLING {
            (self.offset_s, self.at_s) = (least, at_s);
            return None;
        }
        let residue = least - self.line(at_s);
        if residue.abs() > (self.period_s * 0.75).max(LEAST_BREAK_S) {
            let Some(before) = self.suspicion.take().filter(|before| before.signum() == residue.signum())
            else {
                self.suspicion = Some(residue);
                return None;
            };
            let step = if residue > 0.0 { residue.min(before) } else { residue.max(before) };
            self.offset_s = self.line(at_s) + step;
            self.at_s = at_s;
            // A card that brought more than its time allows has been re-routed or caught up: nothing was lost.
            return (step > 0.0).then_some((step * self.rate).round() as u64);
        }
        self.suspicion = None;
        let apart_s = (at_s - self.at_s).max(WINDOW_S / 2.0);
        let nth = f64::from(self.windows - SETTLING);
        // Of a straight line's fit through n points at first, of one that forgets after some ten seconds later.
        let alpha = (2.0 * (2.0 * nth + 1.0) / ((nth + 1.0) * (nth + 2.0))).clamp(0.1, 1.0);
        let beta = (6.0 / ((nth + 1.0) * (nth + 2.0))).clamp(0.005, 1.0);
        self.offset_s = self.line(at_s) + alpha * residue;
        self.drift = (self.drift + beta * residue / apart_s).clamp(-MAX_DRIFT, MAX_DRIFT);
        self.at_s = at_s;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a card of 48 kHz for so many callbacks of 480 frames, each late by `late(n)` seconds; frames lost.
    fn run(
        clock: &mut CardClock,
        from_s: f64,
        callbacks: u64,
        ppm: f64,
        late: impl Fn(u64) -> f64,
    ) -> (f64, Vec<u64>) {
        let mut lost = Vec::new();
        let period_s = 0.01 / (1.0 + ppm / 1e6);
        for n in 1..=callbacks {
            let now_s = from_s + n as f64 * period_s + late(n);
            lost.extend(clock.tick((now_s * 1e9) as u64, 480).lost_frames);
        }
        (from_s + callbacks as f64 * period_s, lost)
    }

    fn noise(n: u64) -> f64 {
        let hash = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        // Mostly under a millisecond late, at times nine.
        let base = (hash & 0xFF) as f64 / 255e3;
        if hash & 0xF000 == 0 { base + 0.009 } else { base }
    }

    #[test]
    fn drift_is_found_within_seconds_and_kept_to_a_few_millionths_under_jitter() {
        for ppm in [-300.0, -20.0, 0.0, 150.0, 300.0] {
            let mut clock = CardClock::new(48_000);
            let (at, lost) = run(&mut clock, 100.0, 1_500, ppm, noise);
            assert!((clock.drift_ppm() - ppm).abs() < 25.0, "{ppm}: {:.1} after 15 s", clock.drift_ppm());
            let (_, later) = run(&mut clock, at, 6_000, ppm, noise);
            assert!((clock.drift_ppm() - ppm).abs() < 8.0, "{ppm}: {:.1} after 75 s", clock.drift_ppm());
            assert!(lost.is_empty() && later.is_empty(), "{lost:?} {later:?}");
        }
    }

    #[test]
    fn a_late_callback_that_is_made_up_for_is_no_break_and_lost_frames_are_one() {
        let mut clock = CardClock::new(48_000);
        let (at, _) = run(&mut clock, 0.0, 500, 50.0, noise);
        // Thirty callbacks wait for one that is 300 ms late, and come in a burst.
        let (at, lost) =
            run(
                &mut clock,
                at,
                200,
                50.0,
                |n| if (50..80).contains(&n) { (80 - n) as f64 / 100.0 } else { 0.0 },
            );
        assert_eq!(lost, []);
        let (at, lost) = run(&mut clock, at + 0.02, 200, 50.0, |_| 0.0);
        assert_eq!(lost.len(), 1, "20 ms were lost");
        assert!(lost[0].abs_diff(960) < 60, "{lost:?}");
        let (_, lost) = run(&mut clock, at, 500, 50.0, |_| 0.0);
        assert_eq!(lost, [], "once is once");
    }

    #[test]
    fn the_smoothed_time_takes_the_jitter_out() {
        let mut clock = CardClock::new(48_000);
        let (mut worst, mut at) = (0.0f64, 0.0);
        for n in 1..6_000u64 {
            at += 0.01;
            let tick = clock.tick(((at + noise(n)) * 1e9) as u64, 480);
            if n > 1_000 {
                worst = worst.max((tick.smoothed_ns as f64 / 1e9 - at).abs());
            }
        }
        assert!(worst < 0.000_3, "{:.3} ms off", worst * 1e3);
    }
}
