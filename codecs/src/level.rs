//! How loud a stream is: root mean square and peak, in decibels to full scale.
//! In: blocks of samples. Out: [`Level`]s for live meters.
//! 0 dBFS is a constant of full scale (as in RFC 6464 and 6465), so a full-scale sine shows −3.01 RMS.
//! Not here: who shows it, how often (`media/engine`), loudness weighting, voice detection.
//! RT: no allocation, lock, syscall, log or panic.

/// The lowest level told, for digital silence: dBFS. RFC 6465 ends there as well.
pub const SILENCE_DBFS: f32 = -127.0;

/// The level of some samples, in dBFS.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Root mean square.
    pub rms_dbfs: f32,
    /// Largest magnitude.
    pub peak_dbfs: f32,
}

impl Level {
    /// No sound at all.
    pub const SILENCE: Level = Level { rms_dbfs: SILENCE_DBFS, peak_dbfs: SILENCE_DBFS };

    /// The level of one block; [`Level::SILENCE`] if it is empty.
    pub fn of(block: &[i16]) -> Level {
        let mut meter = LevelMeter::new();
        meter.push(block);
        meter.take()
    }
}

/// Gathers blocks until the level since the last look is taken.
#[derive(Debug, Clone, Default)]
pub struct LevelMeter {
    squares: u64,
    samples: u64,
    peak: u16,
}

impl LevelMeter {
    /// A meter that has heard nothing.
    pub const fn new() -> LevelMeter {
        LevelMeter { squares: 0, samples: 0, peak: 0 }
    }

    /// Hears a block.
    pub fn push(&mut self, block: &[i16]) {
        // Both halves of a square in sums of their own: 32 bits hold them for this many samples, eight at a time.
        for block in block.chunks(4_096) {
            let (mut low, mut high, mut peak) = (0u32, 0u32, 0u16);
            for sample in block {
                let magnitude = sample.unsigned_abs();
                let square = u32::from(magnitude) * u32::from(magnitude);
                low += square & 0xFFFF;
                high += square >> 16;
                peak = peak.max(magnitude);
            }
            let squares = u64::from(low) + (u64::from(high) << 16);
            self.squares = self.squares.saturating_add(squares);
            self.peak = self.peak.max(peak);
        }
        self.samples = self.samples.saturating_add(block.len() as u64);
    }

    /// The level since the last `take`, and starts anew.
    pub fn take(&mut self) -> Level {
        let heard = std::mem::take(self);
        if heard.samples == 0 {
            return Level::SILENCE;
        }
        let mean = heard.squares as f64 / heard.samples as f64 / (32_768.0 * 32_768.0);
        let peak = f64::from(heard.peak) / 32_768.0;
        Level { rms_dbfs: decibels(mean), peak_dbfs: decibels(peak * peak) }
    }
}

fn decibels(power: f64) -> f32 {
    if power <= 0.0 {
        return SILENCE_DBFS;
    }
    ((10.0 * power.log10()) as f32).max(SILENCE_DBFS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_signals_show_known_levels() {
        let constant: Vec<i16> = vec![i16::MIN; 160];
        assert_eq!(Level::of(&constant), Level { rms_dbfs: 0.0, peak_dbfs: 0.0 });
        let sine: Vec<i16> = (0..8_000)
            .map(|n| (32_767.0 * (f64::from(n) * std::f64::consts::TAU / 8.0).sin()) as i16)
            .collect();
        let level = Level::of(&sine);
        assert!((level.rms_dbfs + 3.01).abs() < 0.01 && level.peak_dbfs.abs() < 0.01, "{level:?}");
        let longer_than_its_sums: Vec<i16> = vec![i16::MIN; 10_000];
        assert_eq!(Level::of(&longer_than_its_sums), Level { rms_dbfs: 0.0, peak_dbfs: 0.0 });
        let half: Vec<i16> = vec![16_384; 80];
        assert!((Level::of(&half).rms_dbfs + 6.02).abs() < 0.01);
    }

    #[test]
    fn silence_and_nothing_are_the_floor() {
        assert_eq!(Level::of(&[0; 160]), Level::SILENCE);
        assert_eq!(Level::of(&[]), Level::SILENCE);
    }

    #[test]
    fn taking_starts_anew() {
        let mut meter = LevelMeter::new();
        meter.push(&[1_000; 80]);
        meter.push(&[-2_000; 80]);
        let level = meter.take();
        assert!((level.peak_dbfs - 20.0 * (2_000.0f32 / 32_768.0).log10()).abs() < 0.01);
        assert_eq!(meter.take(), Level::SILENCE);
    }
}
