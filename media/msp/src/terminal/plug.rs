//! A terminal that the application brings, on a thread of its own.
//! In: a [`PluggableTerminal`], turns of the thread. Out: sources and sinks for the engine; word if it panicked.
//!
//! ```text
//! capture: plug ─ produce ─▶ ring ─▶ engine        kept LEAD full while it is selected
//! render:  engine ─▶ ring ─ consume ─▶ plug        read empty in each turn
//! ```
//! Not here: the rings (`pcm.rs`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use offhook_engine::{Sink, Source};
use offhook_spi::MspError;
use offhook_spi::mspi::{Direction, TerminalStatus};
use offhook_spi::terminal::{PcmReader, PcmWriter, PluggableTerminal};

use super::{Context, PcmEar, PcmMouth, pcm};
use crate::lock;
use crate::service::{Served, Worker};

/// How often the terminal is called.
const PERIOD: Duration = Duration::from_millis(5);
/// How much it may speak ahead of the call, in milliseconds: a turn that is late by less is not heard.
const LEAD_MS: usize = 30;
/// How much sound may wait for it, in milliseconds.
const CAPACITY_MS: u32 = 1_000;

/// The terminal and its thread.
pub(crate) struct PlugTerminal {
    turns: Arc<Turns>,
    /// Ends with the terminal.
    _worker: Worker,
}

/// What its thread works on.
struct Turns {
    plug: Arc<dyn PluggableTerminal>,
    end: End,
    sample_rate: u32,
    state: Mutex<State>,
    sound: Mutex<Vec<i16>>,
}

enum End {
    Speaks(Arc<PcmMouth>),
    Hears(Arc<PcmEar>),
}

#[derive(Default)]
struct State {
    /// Whom to tell of a failure, while it is selected.
    context: Option<Context>,
    has_failed: bool,
    is_released: bool,
}

impl PlugTerminal {
    /// Starts its thread.
    ///
    /// # Errors
    ///
    /// [`MspError::OutOfRange`] for a rate that cannot be, [`MspError::Resource`] without a thread.
    pub(crate) fn new(
        plug: Arc<dyn PluggableTerminal>,
        direction: Direction,
        engine_rate: u32,
    ) -> Result<Self, MspError> {
        let config = pcm::config(plug.sample_rate(), CAPACITY_MS, engine_rate)?;
        let end = match direction {
            Direction::Capture => End::Speaks(Arc::new(PcmMouth::new(config)?)),
            Direction::Render => End::Hears(Arc::new(PcmEar::new(config))),
        };
        let sample_rate = config.sample_rate;
        let (state, sound) = (Mutex::default(), Mutex::new(vec![0; sample_rate as usize / 10]));
        let turns = Arc::new(Turns { plug, end, sample_rate, state, sound });
        let worker = Worker::start("offhook-plug", PERIOD)
            .map_err(|why| MspError::Resource(format!("cannot start a thread: {why}")))?;
        worker.serve(&(Arc::clone(&turns) as _));
        Ok(Self { turns, _worker: worker })
    }

    /// The engine's end for a selection that faces capture.
    pub(crate) fn source(&self, context: Context) -> Result<Box<dyn Source>, MspError> {
        match &self.turns.end {
            End::Speaks(mouth) => {
                self.attach(context)?;
                mouth.source()
            }
            End::Hears(_) => Err(self.invalid("it hears")),
        }
    }

    /// The engine's end for a selection that faces render.
    pub(crate) fn sink(&self, context: Context) -> Result<Box<dyn Sink>, MspError> {
        match &self.turns.end {
            End::Hears(ear) => {
                self.attach(context)?;
                ear.sink()
            }
            End::Speaks(_) => Err(self.invalid("it speaks")),
        }
    }

    fn attach(&self, context: Context) -> Result<(), MspError> {
        let mut state = lock(&self.turns.state);
        if state.has_failed {
            return Err(self.invalid("it has failed"));
        }
        state.context = Some(context);
        Ok(())
    }

    fn invalid(&self, why: &str) -> MspError {
        MspError::InvalidTerminal(format!("{}: {why}", self.turns.plug.name()))
    }

    /// The engine's end has gone.
    pub(crate) fn detach(&self) {
        lock(&self.turns.state).context = None;
        if let End::Speaks(mouth) = &self.turns.end {
            mouth.detach();
        }
    }

    pub(crate) fn release(&self) {
        {
            let mut state = lock(&self.turns.state);
            if std::mem::replace(&mut state.is_released, true) || state.has_failed {
                return;
            }
            state.context = None;
        }
        // A turn that is under way ends first.
        let _turn = lock(&self.turns.sound);
        self.turns.call(|plug| plug.released());
    }

    pub(crate) fn status(&self) -> TerminalStatus {
        let status = match &self.turns.end {
            End::Speaks(mouth) => mouth.terminal_status(),
            End::Hears(ear) => ear.terminal_status(),
        };
        let has_failed = lock(&self.turns.state).has_failed;
        TerminalStatus {
            failed: has_failed.then(|| "the application's terminal panicked".to_owned()),
            ..status
        }
    }
}

impl Turns {
    /// Calls the application's code. Answers nothing if it panics, or has done so before.
    fn call<R>(&self, what: impl FnOnce(&dyn PluggableTerminal) -> R) -> Option<R> {
        if lock(&self.state).has_failed {
            return None;
        }
        match catch_unwind(AssertUnwindSafe(|| what(&*self.plug))) {
            Ok(answer) => Some(answer),
            Err(_) => {
                let context = {
                    let mut state = lock(&self.state);
                    state.has_failed = true;
                    state.context.take()
                };
                if let Some(mut context) = context {
                    context.terminal_failed();
                }
                None
            }
        }
    }

    fn speak(&self, mouth: &PcmMouth, sound: &mut [i16]) {
        let lead = self.sample_rate as usize * LEAD_MS / 1_000;
        loop {
            let room = lead.saturating_sub(mouth.status().waiting).min(sound.len());
            let Some(out) = sound.get_mut(..room).filter(|out| !out.is_empty()) else { return };
            let Some(samples) = self.call(|plug| plug.produce(out)).filter(|samples| *samples > 0) else {
                return;
            };
            mouth.write(out.get(..samples).unwrap_or(out));
        }
    }

    fn hear(&self, ear: &PcmEar, sound: &mut [i16]) {
        while let Some(block) = ear.read(sound) {
            let samples = sound.get(..block.samples).unwrap_or_default();
            if self.call(|plug| plug.consume(samples, block.at)).is_none() {
                return;
            }
        }
    }
}

impl Served for Turns {
    fn turn(&self) {
        let mut sound = lock(&self.sound);
        let (is_selected, is_released) = {
            let state = lock(&self.state);
            (state.context.is_some(), state.is_released)
        };
        match &self.end {
            End::Speaks(mouth) if is_selected => self.speak(mouth, &mut sound),
            // What was heard before it was unselected is told after it.
            End::Hears(ear) if !is_released => self.hear(ear, &mut sound),
            End::Speaks(_) | End::Hears(_) => {}
        }
    }
}
