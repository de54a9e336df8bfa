//! Digits that come as tones in the sound.
//! In: what the receiving half plays, by a ring; turns of the service thread. Out: digits, for the TSP.
//! Not here: the detector (`offhook_codecs::DtmfDetector`), digits as telephone-events (`digits.rs`), which digits came by
//! another way already (the TSP).

use offhook_codecs::{DtmfDetector, Signal, SignalEvent};
use offhook_engine::Recorder;
use offhook_pair::{DigitWay, ToTsp};
use offhook_spi::Timestamp;

use crate::call::CallState;

/// How much sound may wait for a turn, in seconds.
const PATIENCE_S: u32 = 2;
/// Pieces a second in which the detector hears: how exactly times are told.
const PIECES: u32 = 100;

/// Listens to one call.
pub(crate) struct Listener {
    recorder: Recorder,
    detector: DtmfDetector,
    sound: Vec<i16>,
}

impl CallState {
    /// Listens from now on, if that was asked for.
    pub(crate) fn begin_to_listen(&mut self) -> Result<(), String> {
        if !self.media.config.inband_digits || self.listener.is_some() {
            return Ok(());
        }
        let rate = self.media.sample_rate();
        let (recorder, sink) = Recorder::new((rate * PATIENCE_S) as usize);
        self.control.add_sink(Box::new(sink)).map_err(|refused| refused.to_string())?;
        self.listener = Some(Listener { recorder, detector: DtmfDetector::new(rate), sound: Vec::new() });
        Ok(())
    }

    /// A turn of the service thread: tells what was heard.
    pub(crate) fn listen(&mut self) {
        let Some(listener) = &mut self.listener else { return };
        listener.sound.clear();
        let sound = &mut listener.sound;
        listener.recorder.drain(&mut |samples| sound.extend_from_slice(samples));
        if sound.is_empty() {
            return;
        }
        let rate = u64::from(self.media.sample_rate().max(1));
        // What is heard now came before by as much as waits in playout.
        let delay_ns = self.control.meters().rx().playout.delay_us.saturating_mul(1_000);
        let now_ns = Timestamp::now().0.saturating_sub(delay_ns);
        let mut left = sound.len();
        for piece in sound.chunks((rate as usize / PIECES as usize).max(1)) {
            left -= piece.len();
            let ended_ns = now_ns.saturating_sub(left as u64 * 1_000_000_000 / rate);
            listener.detector.push(piece, |event| {
                let SignalEvent::Ended { signal: Signal::Digit(digit), ms } = event else { return };
                self.reporter.tell_tsp(&ToTsp::Digit {
                    digit: digit.to_char(),
                    duration_ms: ms,
                    began_ns: ended_ns.saturating_sub(u64::from(ms) * 1_000_000),
                    way: DigitWay::InBand,
                });
            });
        }
    }
}
