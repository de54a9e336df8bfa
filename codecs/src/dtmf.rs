//! DTMF digits as sound: frequencies of ITU-T Q.23, levels and durations that every receiver of Q.24 hears.
//! In: characters. Out: [`Tone`]s and how long they last.
//! Not here: the generator (`tone.rs`), the detector (`dtmf_detector.rs`), who dials (`media/engine`), digits as packets (RFC 4733, `media/rtp`).
//! RT: no allocation, lock, syscall, log or panic.

use crate::tone::Tone;

/// Rows and columns of the keypad, Hz (Q.23 §4); the tolerance is ±1.8 %.
pub(crate) const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
pub(crate) const COLUMNS: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
/// The sixteen digits, row by row.
pub(crate) const KEYS: [char; 16] =
    ['1', '2', '3', 'A', '4', '5', '6', 'B', '7', '8', '9', 'C', '*', '0', '#', 'D'];
/// A sine of full scale in µ-law, dBm0 (G.711); in A-law it is 0.03 dB less.
pub(crate) const FULL_SCALE_DBM0: f32 = 3.17;
/// The lower frequency's level, dBm0: in the middle of what Q.24's receivers take (table A-1: −3 to −24 or wider).
const LOW_DBM0: f32 = -9.0;
/// How much louder the higher frequency is: lines weaken it more. Q.24 allows 4 dB and more.
const TWIST_DB: f32 = 2.0;

/// A key of the telephone: `0`–`9`, `*`, `#`, `A`–`D`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DtmfDigit {
    /// Place in [`KEYS`].
    key: u8,
}

impl DtmfDigit {
    /// The digit of a character, letters in either case.
    pub fn from_char(character: char) -> Option<DtmfDigit> {
        let wanted = character.to_ascii_uppercase();
        let key = KEYS.iter().position(|key| *key == wanted)?;
        Some(DtmfDigit { key: key as u8 })
    }

    /// The digit's character.
    pub fn to_char(self) -> char {
        KEYS.get(usize::from(self.key)).copied().unwrap_or('0')
    }

    /// What it sounds like: both frequencies, −9 and −7 dBm0.
    pub fn tone(self) -> Tone {
        let (row, column) = (usize::from(self.key / 4), usize::from(self.key % 4));
        let hz = |of: [f32; 4], at: usize| of.get(at).copied().unwrap_or(0.0);
        Tone::dual(hz(ROWS, row), hz(COLUMNS, column), LOW_DBM0 - FULL_SCALE_DBM0).twisted(TWIST_DB)
    }
}

/// How long digits and the silence after each last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DtmfTiming {
    /// The tone, milliseconds. Q.24 wants receivers to take 40 ms and to leave 20 ms.
    pub on_ms: u32,
    /// The silence after it, milliseconds. Q.24 wants receivers to take 40 ms (some 70).
    pub off_ms: u32,
}

impl DtmfTiming {
    /// The shortest that every receiver of Q.24 hears.
    pub const MIN: DtmfTiming = DtmfTiming { on_ms: 50, off_ms: 70 };

    /// The same, no shorter than [`Self::MIN`] and no longer than ten seconds each.
    #[must_use]
    pub fn checked(self) -> DtmfTiming {
        DtmfTiming {
            on_ms: self.on_ms.clamp(DtmfTiming::MIN.on_ms, 10_000),
            off_ms: self.off_ms.clamp(DtmfTiming::MIN.off_ms, 10_000),
        }
    }
}

impl Default for DtmfTiming {
    /// 100 ms each.
    fn default() -> DtmfTiming {
        DtmfTiming { on_ms: 100, off_ms: 100 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::ToneGenerator;

    fn amplitude_at(samples: &[i16], rate: u32, hz: f64) -> f64 {
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in samples.iter().enumerate() {
            let (sin, cos) = (std::f64::consts::TAU * hz * n as f64 / f64::from(rate)).sin_cos();
            re += f64::from(*sample) * cos;
            im += f64::from(*sample) * sin;
        }
        2.0 * re.hypot(im) / samples.len() as f64
    }

    #[test]
    fn each_digit_has_its_two_frequencies_at_their_levels_and_no_other() {
        for rate in [8_000, 16_000, 48_000] {
            for key in KEYS {
                let digit = DtmfDigit::from_char(key).unwrap();
                assert_eq!(
                    (digit.to_char(), DtmfDigit::from_char(key.to_ascii_lowercase())),
                    (key, Some(digit))
                );
                let mut generator = ToneGenerator::new(rate);
                generator.once(digit.tone(), 1_100, 100);
                let mut samples = vec![0; rate as usize / 20];
                generator.fill(&mut samples);
                let mut samples = vec![0; rate as usize];
                generator.fill(&mut samples);
                let [low, high] = digit.tone().hz.map(f64::from);
                for hz in ROWS.into_iter().chain(COLUMNS).map(f64::from) {
                    let full_scale = (amplitude_at(&samples, rate, hz) / 32_768.0).max(1e-9);
                    let dbm0 = 20.0 * full_scale.log10() + f64::from(FULL_SCALE_DBM0);
                    match hz {
                        _ if hz == low => assert!((dbm0 + 9.0).abs() < 0.1, "{key} {hz} Hz {dbm0}"),
                        _ if hz == high => assert!((dbm0 + 7.0).abs() < 0.1, "{key} {hz} Hz {dbm0}"),
                        _ => assert!(dbm0 < -60.0, "{key} {hz} Hz {dbm0}"),
                    }
                }
            }
        }
        assert_eq!(DtmfDigit::from_char('x'), None);
        assert_eq!(DtmfDigit::from_char('5').unwrap().tone().hz, [770.0, 1_336.0]);
        assert_eq!(DtmfDigit::from_char('#').unwrap().tone().hz, [941.0, 1_477.0]);
    }

    #[test]
    fn a_digit_lasts_as_long_as_it_should_and_is_then_finished() {
        let mut generator = ToneGenerator::new(8_000);
        let timing = DtmfTiming { on_ms: 1, off_ms: 99_999 }.checked();
        assert_eq!(timing, DtmfTiming { on_ms: 50, off_ms: 10_000 });
        generator.once(DtmfDigit::from_char('7').unwrap().tone(), 50, 70);
        assert_eq!(generator.left(), 960);
        let mut samples = [0; 1_000];
        generator.fill(&mut samples[..999]);
        assert!(generator.is_finished() && generator.left() == 0);
        let loud = |from: usize, to: usize| samples[from..to].iter().any(|x| x.unsigned_abs() > 8_000);
        assert!(loud(16, 200) && loud(200, 384));
        assert!(samples[400..].iter().all(|x| *x == 0));
    }
}
