//! Digits in band and call-progress tones at the application's word.
//! In: digits, tones by name. Out: a source for the engine; the end for the application that outlives each selection.
//! What is asked for before a selection is played after it.
//! Not here: the source (`offhook_engine::tone_player`), the tones' frequencies (`offhook_codecs::Cadence`).

use std::sync::{Arc, Mutex};

use offhook_codecs::{Cadence, DtmfTiming};
use offhook_engine::{DialError, Source, TonePlayerSource, tone_player};
use offhook_spi::MspError;
use offhook_spi::mspi::TerminalStatus;
use offhook_spi::terminal::{ProgressTone, TonePlayer};

use super::{Probe, probed_source};
use crate::lock;

/// A generator.
pub(crate) struct GeneratorTerminal {
    sample_rate: u32,
    probe: Arc<Probe>,
    state: Mutex<State>,
}

struct State {
    player: offhook_engine::TonePlayer,
    /// For the next selection.
    source: Option<TonePlayerSource>,
}

impl GeneratorTerminal {
    pub(crate) fn new(sample_rate: u32) -> Self {
        Self { sample_rate, probe: Arc::new(Probe::new()), state: Mutex::new(State::new(sample_rate)) }
    }

    /// The engine's end for a selection.
    pub(crate) fn source(&self) -> Box<dyn Source> {
        let mut state = lock(&self.state);
        if state.source.is_none() {
            *state = State::new(self.sample_rate);
        }
        match state.source.take() {
            Some(source) => probed_source(Box::new(source), &self.probe),
            // Never: it was made above.
            None => Box::new(offhook_engine::SilenceSource),
        }
    }

    /// The engine's end has gone, with what was under way.
    pub(crate) fn detach(&self) {
        *lock(&self.state) = State::new(self.sample_rate);
    }

    pub(crate) fn status(&self) -> TerminalStatus {
        self.probe.status(self.sample_rate)
    }
}

impl State {
    fn new(sample_rate: u32) -> Self {
        let (player, source) = tone_player(sample_rate);
        Self { player, source: Some(source) }
    }
}

impl TonePlayer for GeneratorTerminal {
    fn dial(&self, digits: &str) -> Result<(), MspError> {
        lock(&self.state).player.dial(digits, DtmfTiming::default()).map_err(refused)
    }

    fn play(&self, tone: ProgressTone) -> Result<(), MspError> {
        let cadence = match tone {
            ProgressTone::Dial => Cadence::DIAL,
            ProgressTone::Ringback => Cadence::RINGING,
            ProgressTone::Busy => Cadence::BUSY,
            ProgressTone::Congestion => Cadence::CONGESTION,
            ProgressTone::DialNorthAmerica => Cadence::DIAL_US,
            ProgressTone::RingbackNorthAmerica => Cadence::RINGING_US,
            ProgressTone::BusyNorthAmerica => Cadence::BUSY_US,
            ProgressTone::CongestionNorthAmerica => Cadence::CONGESTION_US,
            ProgressTone::CallWaiting => Cadence::CALL_WAITING,
            ProgressTone::SpecialInformation => Cadence::SPECIAL_INFORMATION,
            other => return Err(MspError::OutOfRange(format!("no tone {other:?} here"))),
        };
        lock(&self.state).player.play(cadence).map_err(refused)
    }

    fn stop(&self) {
        lock(&self.state).player.stop();
    }

    fn is_idle(&self) -> bool {
        lock(&self.state).player.is_idle()
    }
}

fn refused(error: DialError) -> MspError {
    match error {
        DialError::Character(_) => MspError::OutOfRange(error.to_string()),
        DialError::TooMany { .. } => MspError::Resource(error.to_string()),
    }
}
