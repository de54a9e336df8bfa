//! An echo: what the render stream hears, the capture stream says.
//! In: two selections, in any order. Out: the two ends of one ring, one for each half of the engine.
//!
//! An end that was given to the engine cannot be had back. When one side is selected anew while the other stayed, the
//! caller gives the engine the new mate of the other side as well.
//! Not here: the ring (`offhook_engine::echo`).

use std::sync::{Arc, Mutex};

use offhook_engine::{EchoSink, EchoSource, Sink, Source, echo};
use offhook_spi::mspi::TerminalStatus;

use super::{Probe, probed_source};
use crate::lock;

/// Milliseconds of sound that may wait between the halves.
const MAX_WAIT_MS: u32 = 40;

/// Both ends of an echo.
pub(crate) struct EchoTerminal {
    sample_rate: u32,
    probe: Arc<Probe>,
    ends: Mutex<(Option<EchoSink>, Option<EchoSource>)>,
}

impl EchoTerminal {
    pub(crate) fn new(sample_rate: u32) -> Self {
        Self { sample_rate, probe: Arc::new(Probe::new()), ends: Mutex::default() }
    }

    /// The end that hears the peer; `true` if it belongs to a new pair, whose other end must replace an old one.
    pub(crate) fn sink(&self) -> (Box<dyn Sink>, bool) {
        let mut ends = lock(&self.ends);
        match ends.0.take() {
            Some(sink) => (Box::new(sink), false),
            None => {
                let (sink, source) = self.pair();
                ends.1 = Some(source);
                (Box::new(sink), true)
            }
        }
    }

    /// The end that the peer hears; `true` as above.
    pub(crate) fn source(&self) -> (Box<dyn Source>, bool) {
        let mut ends = lock(&self.ends);
        let probed = |source| probed_source(Box::new(source), &self.probe);
        match ends.1.take() {
            Some(source) => (probed(source), false),
            None => {
                let (sink, source) = self.pair();
                ends.0 = Some(sink);
                (probed(source), true)
            }
        }
    }

    pub(crate) fn status(&self) -> TerminalStatus {
        self.probe.status(self.sample_rate)
    }

    fn pair(&self) -> (EchoSink, EchoSource) {
        echo((self.sample_rate * MAX_WAIT_MS / 1_000) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_ends_belong_together_in_either_order_and_again_after_a_new_selection() {
        let terminal = EchoTerminal::new(8_000);
        let (mut sink, is_new) = terminal.sink();
        let (mut source, is_new_source) = terminal.source();
        assert_eq!((is_new, is_new_source), (true, false));
        // The first block fades in: what tells the ends apart is its last sample.
        let mut out = [0; 80];
        sink.write(0, &[5; 80]);
        assert_eq!((source.fill(0, &mut out), out[79]), (80, 5));
        // The capture side anew: the render side must get the mate.
        let (mut source, is_new) = terminal.source();
        let (mut mate, _) = terminal.sink();
        assert!(is_new);
        sink.write(0, &[6; 80]);
        mate.write(0, &[7; 80]);
        assert_eq!((source.fill(0, &mut out), out[79]), (80, 7));
    }
}
