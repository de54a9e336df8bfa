//! Finds the lag at which a signal resembles itself most: the pitch period, where there is one.
//! In: a stretch of samples, the place of a template in it, and the direction to look. Out: a [`Lag`].
//! A coarse search at about 4 kHz, then a fine one around the best at full rate.
//! Not here: what is done at that lag (`ops/`).
//! RT: no allocation, lock, syscall, log or panic (except in [`PitchFinder::new`]).

/// Shortest and longest period looked for: 400 to 66.7 Hz, in hundredths of a millisecond.
const SHORTEST_US: usize = 2_500;
const LONGEST_US: usize = 15_000;
/// Template: what is compared at each lag.
const TEMPLATE_US: usize = 10_000;
/// How far a cut may reach where more than one period has to go.
const FARTHEST_US: usize = 60_000;
/// Likeness that the longest of far lags is worth beside the shortest.
const FAR_BONUS: f32 = 0.3;
/// The same for the place of a seam.
const SEAM_BONUS: f32 = 0.2;
/// Blocks in which loudness is measured.
const BLOCK_US: usize = 2_500;
/// The same where sound ran out: what was heard last says most of what would have followed.
const RECENT_US: usize = 5_000;
const COARSE_HZ: u32 = 4_000;
/// Mean square below which a block counts as quiet: −51 dBFS.
const QUIET: f32 = 92.0 * 92.0;
const LANES: usize = 8;

/// The best lag of a search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Lag {
    /// In samples.
    pub(crate) samples: usize,
    /// Normalised cross-correlation there: 1 is the same, 0 unlike.
    pub(crate) likeness: f32,
}

/// Which way from the template to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// At what came before.
    Back,
    /// At what comes after.
    Ahead,
}

/// A search with its scratch memory.
#[derive(Debug)]
pub(crate) struct PitchFinder {
    step: usize,
    shortest: usize,
    longest: usize,
    farthest: usize,
    template: usize,
    recent: usize,
    coarse: Vec<f32>,
    fine: Vec<f32>,
}

impl PitchFinder {
    pub(crate) fn new(sample_rate: u32) -> PitchFinder {
        let samples = |us: usize| us * sample_rate as usize / 1_000_000;
        let step = (sample_rate / COARSE_HZ).max(1) as usize;
        let (longest, farthest) = (samples(LONGEST_US), samples(FARTHEST_US));
        let template = samples(TEMPLATE_US);
        PitchFinder {
            step,
            shortest: samples(SHORTEST_US),
            longest,
            farthest,
            template,
            recent: samples(RECENT_US),
            coarse: vec![0.0; (farthest + template) / step + 2],
            fine: vec![0.0; farthest + template],
        }
    }

    /// Longest period looked for, in samples.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// Longest lag of [`Self::find_far`], in samples.
    pub(crate) fn farthest(&self) -> usize {
        self.farthest
    }

    /// Length of the template, in samples.
    pub(crate) fn template(&self) -> usize {
        self.template
    }

    /// The best lag between the template at `at` and what lies before or after it. Lags longer than `limit`, or
    /// than `signal` reaches, are not looked at; `None` if that leaves none, or the template does not fit.
    pub(crate) fn find(&mut self, signal: &[i16], at: usize, look: Look, limit: usize) -> Option<Lag> {
        self.search(signal, at, look, limit.min(self.longest), (self.template, 0.0))
    }

    /// The best lag between the last 5 ms of `signal` and what came before them.
    pub(crate) fn find_recent(&mut self, signal: &[i16]) -> Option<Lag> {
        let at = signal.len().checked_sub(self.recent)?;
        self.search(signal, at, Look::Back, self.longest, (self.recent, 0.0))
    }

    /// The same ahead of the start of `signal`, for lags of many periods: long ones are preferred.
    pub(crate) fn find_far(&mut self, signal: &[i16], limit: usize) -> Option<Lag> {
        self.search(signal, 0, Look::Ahead, limit.min(self.farthest), (self.template, FAR_BONUS))
    }

    /// Where in `signal`, between `least` and `most`, it goes on most like `made`. The later the better, else.
    pub(crate) fn place(
        &mut self,
        made: impl Iterator<Item = i16>,
        signal: &[i16],
        least: usize,
        most: usize,
    ) -> usize {
        let mut count = 0;
        for (to, from) in self.fine.iter_mut().zip(made) {
            *to = f32::from(from);
            count += 1;
        }
        let (made, rest) = self.fine.split_at_mut(count);
        let Some(signal) = signal.get(least..(most + count).min(signal.len())) else { return most };
        let Some(there) = rest.get_mut(..signal.len()) else { return most };
        for (to, from) in there.iter_mut().zip(signal) {
            *to = f32::from(*from);
        }
        let own = dot(made, made);
        let mut found = (most, f32::MIN);
        for (at, there) in there.windows(count.max(1)).enumerate().take(most + 1 - least.min(most)) {
            let likeness = dot(made, there) / (own * dot(there, there)).sqrt().max(1.0);
            let likeness = likeness + SEAM_BONUS * at as f32 / (most - least.min(most) + 1) as f32;
            if likeness > found.1 {
                found = (least + at, likeness);
            }
        }
        found.0
    }

    /// `template` and what the longest lag is worth beside the shortest.
    fn search(
        &mut self,
        signal: &[i16],
        at: usize,
        look: Look,
        limit: usize,
        (template, bonus): (usize, f32),
    ) -> Option<Lag> {
        let reach = match look {
            Look::Back => at,
            Look::Ahead => signal.len().checked_sub(at + template)?,
        };
        let longest = limit.min(reach);
        if longest < self.shortest {
            return None;
        }
        // One region with the template at its start (ahead) or end (back).
        let region = match look {
            Look::Back => signal.get(at - longest..at + template)?,
            Look::Ahead => signal.get(at..at + template + longest)?,
        };
        let step = self.step;
        let coarse = self.coarse.get_mut(..region.len() / step)?;
        for (mean, group) in coarse.iter_mut().zip(region.chunks_exact(step)) {
            *mean = group.iter().map(|x| f32::from(*x)).sum::<f32>();
        }
        let fine = self.fine.get_mut(..region.len())?;
        for (to, from) in fine.iter_mut().zip(region) {
            *to = f32::from(*from);
        }
        let (low, high) = (self.shortest.div_ceil(step), longest / step);
        let (coarse_lag, _) = best(coarse, template / step, look, low..=high, bonus)?;
        let low = (coarse_lag * step).saturating_sub(step).max(self.shortest);
        let high = (coarse_lag * step + step).min(longest);
        let (samples, likeness) = best(fine, template, look, low..=high, 0.0)?;
        Some(Lag { samples, likeness })
    }
}

/// How many samples from the start of `signal` are quiet, in whole blocks.
pub(crate) fn quiet(signal: &[i16], sample_rate: u32) -> usize {
    let block = (BLOCK_US * sample_rate as usize / 1_000_000).max(1);
    let is_quiet = |block: &&[i16]| {
        block.iter().map(|x| f32::from(*x) * f32::from(*x)).sum::<f32>() < QUIET * block.len() as f32
    };
    signal.chunks_exact(block).take_while(is_quiet).count() * block
}

/// The lag among `lags` with the greatest likeness; the longest gets `bonus` on top, shorter ones a part of it.
fn best(
    region: &[f32],
    template: usize,
    look: Look,
    lags: std::ops::RangeInclusive<usize>,
    bonus: f32,
) -> Option<(usize, f32)> {
    let bonus = bonus / (*lags.end()).max(1) as f32;
    let at = match look {
        Look::Back => region.len().checked_sub(template)?,
        Look::Ahead => 0,
    };
    let own = region.get(at..at + template)?;
    let own_energy = dot(own, own);
    let place = |lag: usize| match look {
        Look::Back => at.checked_sub(lag),
        Look::Ahead => Some(lag),
    };
    let mut found: Option<(usize, f32)> = None;
    for lag in lags {
        let Some(other) = place(lag).and_then(|from| region.get(from..from + template)) else { break };
        let likeness =
            dot(own, other) / (own_energy * dot(other, other)).sqrt().max(1.0) + bonus * lag as f32;
        if found.is_none_or(|(_, most)| likeness > most) {
            found = Some((lag, likeness));
        }
    }
    found
}

#[inline]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(period: usize, count: usize) -> Vec<i16> {
        let phase = |n: usize| n as f64 * std::f64::consts::TAU / period as f64;
        (0..count)
            .map(|n| {
                (1..5).map(|k| 3_000.0 / f64::from(k) * (f64::from(k) * phase(n)).cos()).sum::<f64>() as i16
            })
            .collect()
    }

    #[test]
    fn the_period_of_a_voice_is_found_to_the_sample() {
        for rate in [8_000, 16_000, 48_000] {
            let mut finder = PitchFinder::new(rate);
            for hundredths in [31, 57, 83, 101] {
                let period = hundredths * rate as usize / 8_000;
                let signal = voice(period, rate as usize / 20);
                for (look, at) in [(Look::Back, signal.len() - finder.template()), (Look::Ahead, 0)] {
                    let lag = finder.find(&signal, at, look, usize::MAX).unwrap();
                    assert_eq!(lag.samples % period, 0, "{rate} Hz {look:?}");
                    assert!(lag.likeness > 0.99);
                }
            }
        }
    }

    #[test]
    fn too_short_a_signal_has_no_lag_and_a_faint_one_is_quiet() {
        let mut finder = PitchFinder::new(8_000);
        assert_eq!(finder.find(&[0; 80], 0, Look::Ahead, usize::MAX), None);
        assert_eq!(finder.find(&[0; 300], 0, Look::Ahead, 10), None);
        assert_eq!(quiet(&[3; 300], 8_000), 300);
        let mut onset = [3; 300];
        onset[110] = 9_000;
        assert_eq!(quiet(&onset, 8_000), 100, "whole blocks of 2.5 ms");
    }
}
