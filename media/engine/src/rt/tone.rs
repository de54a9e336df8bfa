//! A tone as a source.
//! In: a cadence. Out: its samples, then silence if it ends.
//! Not here: the generator (`offhook_codecs::tone`).
//! RT: no allocation, lock, syscall, log or panic.

use offhook_codecs::{Cadence, ToneGenerator};

use crate::rt::node::Source;

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
