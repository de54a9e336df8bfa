//! Tones and silence as sources.
//! In: a cadence, or orders from control one after the other. Out: their samples, silence between and after them.
//! Not here: the generator and the digits (`offhook_codecs::tone`, `dtmf`), control's end (`control/tone.rs`).
//! RT: no allocation, lock, syscall, log or panic.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use offhook_codecs::{Cadence, DtmfDigit, DtmfTiming, ToneGenerator};
use ringbuf::HeapCons;
use ringbuf::traits::Consumer;

use crate::rt::node::Source;
use crate::rt::seam::Seam;

/// Call-progress tones for the peer.
#[derive(Debug, Clone)]
pub struct ToneSource {
    generator: ToneGenerator,
}

impl ToneSource {
    /// Sings `cadence` at `sample_rate` Hz, the engine's.
    pub fn new(sample_rate: u32, cadence: Cadence) -> ToneSource {
        let mut generator = ToneGenerator::new(sample_rate);
        generator.start(cadence);
        ToneSource { generator }
    }
}

impl Source for ToneSource {
    fn fill(&mut self, _captured_ns: u64, out: &mut [i16]) -> usize {
        if self.generator.is_finished() {
            return 0;
        }
        self.generator.fill(out);
        out.len()
    }
}

/// Silence that keeps a stream going: what a stream without any other source sends.
#[derive(Debug, Clone, Copy, Default)]
pub struct SilenceSource;

impl Source for SilenceSource {
    fn fill(&mut self, _captured_ns: u64, out: &mut [i16]) -> usize {
        out.fill(0);
        out.len()
    }
}

/// What is to sound next.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ToneOrder {
    Digit(DtmfDigit, DtmfTiming),
    Play(Cadence),
}

/// What both ends of a player know.
#[derive(Debug, Default)]
pub(crate) struct ToneState {
    /// Everything that was ordered is to be forgotten.
    pub(crate) is_stopping: AtomicBool,
    /// Digits begun.
    pub(crate) digits: AtomicU64,
    /// Orders taken.
    pub(crate) taken: AtomicU64,
    /// Whether anything sounds.
    pub(crate) is_sounding: AtomicBool,
}

/// Digits and tones in the order in which control orders them. Made by [`tone_player`](crate::tone_player).
pub struct TonePlayerSource {
    pub(crate) orders: HeapCons<ToneOrder>,
    pub(crate) generator: ToneGenerator,
    pub(crate) seam: Seam,
    pub(crate) state: Arc<ToneState>,
}

impl Source for TonePlayerSource {
    fn fill(&mut self, _captured_ns: u64, out: &mut [i16]) -> usize {
        if self.state.is_stopping.swap(false, Ordering::Acquire) {
            let forgotten = self.orders.clear() as u64;
            self.state.taken.fetch_add(forgotten, Ordering::Release);
            if !self.generator.is_finished() {
                self.generator.stop();
                self.seam.cut();
            }
        }
        let mut done = 0;
        while done < out.len() {
            // A tone without an end gives way to what comes next; a digit is finished first.
            if self.generator.left() == 0 || self.generator.left() == usize::MAX {
                self.begin_next();
            }
            let len = self.generator.left().min(out.len() - done);
            if len == 0 {
                break;
            }
            self.generator.fill(out.get_mut(done..done + len).unwrap_or_default());
            done += len;
        }
        self.state.is_sounding.store(!self.generator.is_finished(), Ordering::Release);
        if done == 0 && self.seam.is_settled() {
            self.seam.silence();
            return 0;
        }
        out.get_mut(done..).unwrap_or_default().fill(0);
        self.seam.join(out);
        out.len()
    }
}

impl TonePlayerSource {
    fn begin_next(&mut self) {
        let Some(order) = self.orders.try_pop() else { return };
        self.state.taken.fetch_add(1, Ordering::Release);
        if !self.generator.is_finished() {
            self.seam.cut();
        }
        match order {
            ToneOrder::Digit(digit, timing) => {
                self.state.digits.fetch_add(1, Ordering::Relaxed);
                self.generator.once(digit.tone(), timing.on_ms, timing.off_ms);
            }
            ToneOrder::Play(cadence) => self.generator.start(cadence),
        }
    }
}
