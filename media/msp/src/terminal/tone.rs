//! A steady tone, or silence that keeps the clock: terminals without a file or card.
//! In: frequency and level. Out: sources and sinks for the engine, what they have done.
//! RT (the nodes): no allocation, lock, syscall, log or panic.
//! Not here: call-progress tones (`offhook_engine::ToneSource`), generators (`offhook_codecs::tone`).

use std::sync::Arc;

use offhook_codecs::{Tone, ToneGenerator};
use offhook_engine::{Sink, Source};
use offhook_spi::MspError;
use offhook_spi::mspi::TerminalStatus;

use super::Probe;

/// A tone, or silence.
pub(crate) struct ToneTerminal {
    tone: Option<Tone>,
    sample_rate: u32,
    probe: Arc<Probe>,
}

impl ToneTerminal {
    /// A sine of `hz` whose peak is `level` dBFS.
    pub(crate) fn sine(hz: f32, level: f32, sample_rate: u32) -> Result<Self, MspError> {
        let nyquist = sample_rate as f32 / 2.0;
        if !(hz > 0.0 && hz < nyquist) {
            return Err(MspError::InvalidTerminal(format!(
                "a tone of {hz} Hz; above 0 and below {nyquist} Hz is possible"
            )));
        }
        if level.is_nan() || level > 0.0 {
            return Err(MspError::InvalidTerminal(format!("a tone of {level} dBFS; at most 0 is possible")));
        }
        Ok(Self { tone: Some(Tone::sine(hz, level)), ..Self::silence(sample_rate) })
    }

    /// Silence in, or nowhere out.
    pub(crate) fn silence(sample_rate: u32) -> Self {
        Self { tone: None, sample_rate, probe: Arc::new(Probe::new()) }
    }

    /// What the peer hears.
    pub(crate) fn source(&self) -> Box<dyn Source> {
        let generator = self.tone.map(|tone| {
            let mut generator = ToneGenerator::new(self.sample_rate);
            generator.steady(tone);
            generator
        });
        Box::new(ToneSource { generator, probe: Arc::clone(&self.probe) })
    }

    /// What hears the peer, and forgets it.
    pub(crate) fn sink(&self) -> Box<dyn Sink> {
        Box::new(NullSink { probe: Arc::clone(&self.probe) })
    }

    pub(crate) fn status(&self) -> TerminalStatus {
        self.probe.status(self.sample_rate)
    }
}

struct ToneSource {
    generator: Option<ToneGenerator>,
    probe: Arc<Probe>,
}

impl Source for ToneSource {
    fn fill(&mut self, captured_ns: u64, out: &mut [i16]) -> usize {
        self.probe.note(captured_ns, out.len());
        match &mut self.generator {
            Some(generator) => {
                generator.fill(out);
                out.len()
            }
            None => 0,
        }
    }
}

struct NullSink {
    probe: Arc<Probe>,
}

impl Sink for NullSink {
    fn write(&mut self, played_ns: u64, block: &[i16]) {
        self.probe.note(played_ns, block.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_has_the_peak_that_was_asked_for_and_tells_when_it_began() {
        let terminal = ToneTerminal::sine(1_000.0, -6.0, 8_000).unwrap();
        assert_eq!(terminal.status().first_sample_at, None);
        let mut source = terminal.source();
        let mut out = [0; 800];
        assert_eq!(source.fill(7, &mut out), 800);
        let peak = out[400..].iter().map(|s| s.unsigned_abs()).max().unwrap();
        assert!(peak.abs_diff(16_422) < 200, "{peak}");
        assert_eq!(terminal.status().first_sample_at, Some(offhook_spi::Timestamp(7)));
        assert_eq!(terminal.status().samples, 800);
    }

    #[test]
    fn impossible_tones_are_refused() {
        for (hz, level) in
            [(0.0, -10.0), (4_000.0, -10.0), (f32::NAN, -10.0), (440.0, 1.0), (440.0, f32::NAN)]
        {
            assert!(ToneTerminal::sine(hz, level, 8_000).is_err(), "{hz} Hz at {level} dBFS");
        }
    }
}
