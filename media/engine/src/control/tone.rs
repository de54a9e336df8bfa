//! Orders digits and tones for the peer to hear.
//! In: strings of digits, cadences. Out: orders for the source; how far it is.
//! Not here: the source (`rt/tone.rs`), digits as packets (RFC 4733: [`TxEvents`](crate::TxEvents)).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use offhook_codecs::{Cadence, DtmfDigit, DtmfTiming, ToneGenerator};
use ringbuf::traits::{Observer, Producer, Split};
use ringbuf::{HeapProd, HeapRb};

use crate::rt::seam::Seam;
use crate::rt::tone::{ToneOrder, TonePlayerSource, ToneState};

/// Digits and tones that may wait.
const CAPACITY: usize = 128;

/// The control end of a tone generator.
pub struct TonePlayer {
    orders: HeapProd<ToneOrder>,
    state: Arc<ToneState>,
    ordered: u64,
}

/// Why digits were not dialled; none of them was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// A character that is none of `0`–`9`, `*`, `#`, `A`–`D`.
    #[error("{0:?} is no DTMF digit")]
    Character(char),
    /// More than can wait.
    #[error("no more than {room} digits can wait now")]
    TooMany {
        /// How many could.
        room: usize,
    },
}

/// A generator of digits and tones for an engine of `sample_rate` Hz: its control end, and its source.
pub fn tone_player(sample_rate: u32) -> (TonePlayer, TonePlayerSource) {
    let (producer, consumer) = HeapRb::new(CAPACITY).split();
    let state = Arc::new(ToneState::default());
    let generator = ToneGenerator::new(sample_rate);
    let seam = Seam::new(sample_rate);
    let source = TonePlayerSource { orders: consumer, generator, seam, state: Arc::clone(&state) };
    (TonePlayer { orders: producer, state, ordered: 0 }, source)
}

impl TonePlayer {
    /// Dials digits in band, after those that are being dialled; a steady tone or a cadence gives way to them. Timing
    /// is kept within what Q.24's receivers hear.
    ///
    /// # Errors
    ///
    /// [`DialError`]: nothing was dialled.
    pub fn dial(&mut self, digits: &str, timing: DtmfTiming) -> Result<(), DialError> {
        let room = self.orders.vacant_len();
        let mut count = 0;
        for character in digits.chars() {
            DtmfDigit::from_char(character).ok_or(DialError::Character(character))?;
            count += 1;
            if count > room {
                return Err(DialError::TooMany { room });
            }
        }
        for digit in digits.chars().filter_map(DtmfDigit::from_char) {
            self.order(ToneOrder::Digit(digit, timing.checked()));
        }
        Ok(())
    }

    /// Plays a cadence, after the digits that are being dialled and until something else is ordered.
    ///
    /// # Errors
    ///
    /// [`DialError::TooMany`] if as much waits as can.
    pub fn play(&mut self, cadence: Cadence) -> Result<(), DialError> {
        if self.orders.is_full() {
            return Err(DialError::TooMany { room: 0 });
        }
        self.order(ToneOrder::Play(cadence));
        Ok(())
    }

    fn order(&mut self, order: ToneOrder) {
        // There is room: only this end takes it.
        self.ordered += u64::from(self.orders.try_push(order).is_ok());
    }

    /// Fades what sounds within 5 ms and forgets what waits, from the source's next block on.
    pub fn stop(&mut self) {
        self.state.is_stopping.store(true, Ordering::Release);
    }

    /// Whether everything that was ordered is over.
    pub fn is_idle(&self) -> bool {
        self.state.taken.load(Ordering::Acquire) == self.ordered
            && !self.state.is_sounding.load(Ordering::Acquire)
    }

    /// Digits begun so far.
    pub fn digits(&self) -> u64 {
        self.state.digits.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use assert_no_alloc::assert_no_alloc;

    use super::*;
    use crate::rt::node::Source;

    fn play(source: &mut TonePlayerSource, samples: usize) -> Vec<i16> {
        let mut all = vec![1; samples];
        for block in all.chunks_mut(80) {
            let filled = assert_no_alloc(|| source.fill(0, block));
            block[filled..].fill(0);
        }
        all
    }

    fn power_at(samples: &[i16], hz: f32) -> f64 {
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in samples.iter().enumerate() {
            let (sin, cos) = (f64::from(hz) * n as f64 / 8_000.0 * std::f64::consts::TAU).sin_cos();
            re += f64::from(*sample) * cos;
            im += f64::from(*sample) * sin;
        }
        2.0 * re.hypot(im) / samples.len() as f64
    }

    #[test]
    fn a_number_is_dialled_digit_by_digit_with_exact_tones_and_gaps() {
        let (mut player, mut source) = tone_player(8_000);
        assert!(player.is_idle());
        let timing = DtmfTiming { on_ms: 63, off_ms: 81 };
        player.dial("0159D#*a", timing).unwrap();
        assert!(!player.is_idle());
        let heard = play(&mut source, 8 * 144 * 8 + 400);
        for (n, key) in "0159D#*A".chars().enumerate() {
            let from = n * 144 * 8;
            let [low, high] = DtmfDigit::from_char(key).unwrap().tone().hz;
            // An even number of milliseconds in the middle of the tone.
            let tone = &heard[from + 20..from + 480];
            assert!(power_at(tone, low) > 7_000.0 && power_at(tone, high) > 9_000.0, "{key}");
            assert!(heard[from + 504..from + 1_152].iter().all(|x| *x == 0), "the gap after {key}");
            assert!(heard[from + 490..from + 504].iter().any(|x| *x != 0), "{key} is not cut short");
        }
        assert!(player.is_idle() && player.digits() == 8);
    }

    #[test]
    fn a_cadence_gives_way_to_digits_and_stop_is_no_click() {
        let (mut player, mut source) = tone_player(8_000);
        player.play(Cadence::DIAL).unwrap();
        let mut heard = play(&mut source, 1_000);
        player.dial("12", DtmfTiming::MIN).unwrap();
        player.play(Cadence::RINGING).unwrap();
        heard.extend(play(&mut source, 5_000));
        assert!(power_at(&heard[1_100..1_350], 697.0) > 5_000.0, "the dial tone has given way");
        assert!(power_at(&heard[4_000..6_000], 425.0) > 6_000.0, "and it rings");
        player.stop();
        player.stop();
        heard.extend(play(&mut source, 400));
        assert!(heard[6_050..].iter().all(|x| *x == 0) && player.is_idle());
        // The steepest slope of the two louder sines of a digit, and a seam.
        let steepest = heard.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap();
        assert!(steepest < 16_500, "{steepest}");
        let end = &heard[5_990..];
        assert!(end.windows(2).all(|w| (i32::from(w[1]) - i32::from(w[0])).abs() < 2_600), "{end:?}");
    }

    #[test]
    fn silence_fills_every_block_so_that_a_stream_goes_on() {
        let mut out = [7; 80];
        assert_eq!(assert_no_alloc(|| crate::SilenceSource.fill(0, &mut out)), 80);
        assert_eq!(out, [0; 80]);
    }

    #[test]
    fn what_cannot_be_dialled_is_refused_whole() {
        let (mut player, mut source) = tone_player(8_000);
        assert_eq!(player.dial("12x4", DtmfTiming::default()), Err(DialError::Character('x')));
        assert_eq!(
            player.dial(&"5".repeat(129), DtmfTiming::default()),
            Err(DialError::TooMany { room: 128 })
        );
        assert!(player.is_idle());
        player.dial(&"5".repeat(128), DtmfTiming::default()).unwrap();
        assert_eq!(player.play(Cadence::BUSY), Err(DialError::TooMany { room: 0 }));
        player.stop();
        play(&mut source, 80);
        assert!(player.is_idle() && player.digits() == 0);
    }
}
