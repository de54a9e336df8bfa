//! A sound card as a terminal: which one, and what it has done. The first on a stream clocks its half of the engine.
//! In: the sound host. Out: selectors for `clocks.rs`, statuses.
//! Not here: streams and callbacks (`offhook-device`), who drives whom (`clocks.rs`), a stream's further cards
//! (`bridge.rs`), cards that come and go (`cards.rs`).

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use offhook_codecs::Level;
use offhook_device::{Selector, Sound, StreamMeter};
use offhook_spi::MspError;
use offhook_spi::mspi::{CardStatus, Direction, TerminalStatus, Volume};

use super::Probe;
use crate::lock;

/// How long a card that has failed may take to run when it is tried again.
const PATIENCE: Duration = Duration::from_millis(400);
/// Tries in vain at every turn, two minutes of them; then only one in [`SELDOM`]. Those that take [`LONG`] hold the
/// call up, so they are few.
const OFTEN: u32 = 480;
const SELDOM: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_millis(200);

/// One direction of a sound card.
pub(crate) struct CardTerminal {
    /// A name for people.
    pub(crate) name: String,
    pub(crate) selector: Selector,
    pub(crate) probe: Arc<Probe>,
    sample_rate: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failed: Option<String>,
    /// The device that it is, or was last.
    meter: Option<StreamMeter>,
    /// Breaks while it was selected before, and those that the device had when it was selected last.
    xruns: u64,
    xruns_before: u64,
    /// When it failed last, or was tried in vain; how often in vain.
    tried: Option<(Instant, u32)>,
}

impl CardTerminal {
    /// The card that the system calls default in `direction`.
    ///
    /// # Errors
    ///
    /// [`MspError::Resource`] that says what to do without a card.
    pub(crate) fn default_of(
        sound: &Sound,
        direction: Direction,
        sample_rate: u32,
    ) -> Result<Self, MspError> {
        let found = match direction {
            Direction::Capture => sound.default_capture(),
            Direction::Render => sound.default_playback(),
        };
        let name = found.map_err(|why| MspError::Resource(why.to_string()))?;
        Ok(Self { name, ..Self::new(Selector::Default, sample_rate) })
    }

    /// The card of that name or identifier.
    ///
    /// # Errors
    ///
    /// [`MspError::Resource`] if there is none that faces `direction`.
    pub(crate) fn named(
        sound: &Sound,
        name: String,
        direction: Direction,
        sample_rate: u32,
    ) -> Result<Self, MspError> {
        let selector = Selector::Named(name);
        let found = match direction {
            Direction::Capture => sound.find_capture(&selector),
            Direction::Render => sound.find_playback(&selector),
        };
        let name = found.map_err(|why| MspError::Resource(why.to_string()))?;
        Ok(Self { name, ..Self::new(selector, sample_rate) })
    }

    pub(crate) fn new(selector: Selector, sample_rate: u32) -> Self {
        let name = match &selector {
            Selector::Default => "default sound device".to_owned(),
            Selector::Named(name) => name.clone(),
        };
        Self { name, selector, probe: Arc::new(Probe::new()), sample_rate, state: Mutex::default() }
    }

    /// The card has died.
    pub(crate) fn fail(&self, why: String) {
        let mut state = lock(&self.state);
        state.failed = Some(why);
        state.tried.get_or_insert((Instant::now(), 0));
    }

    /// How long it may take to run before it is believed: one that has failed is not believed at once.
    pub(crate) fn patience(&self) -> Option<Duration> {
        lock(&self.state).failed.is_some().then_some(PATIENCE)
    }

    /// Whether it is to be tried again: at every turn at first, then seldom.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        match lock(&self.state).tried {
            Some((at, times)) if times > OFTEN => now.saturating_duration_since(at) > SELDOM,
            _ => true,
        }
    }

    /// It was tried in vain. A try that took long counts for many.
    pub(crate) fn put_off(&self, took: Duration) {
        let mut state = lock(&self.state);
        let times = state.tried.map_or(0, |(_, times)| times);
        let more = if took > LONG { OFTEN } else { 1 };
        state.tried = Some((Instant::now(), times.saturating_add(more)));
    }

    /// It sounds (again).
    pub(crate) fn begin(&self, meter: StreamMeter) {
        let mut state = lock(&self.state);
        state.xruns = state.xruns_so_far();
        state.xruns_before = meter.status().xruns;
        state.meter = Some(meter);
        state.failed = None;
        state.tried = None;
    }

    /// It is no longer selected; the breaks while it was, which are forgotten.
    pub(crate) fn end(&self) -> u64 {
        let mut state = lock(&self.state);
        let xruns = state.xruns_so_far();
        (state.xruns, state.xruns_before) = (0, u64::MAX);
        xruns
    }

    /// Breaks while it was selected.
    pub(crate) fn xruns(&self) -> u64 {
        lock(&self.state).xruns_so_far()
    }

    /// How loud it is: a microphone is measured before its gain, a speaker after it.
    pub(crate) fn level(&self, direction: Direction, volume: Volume) -> Level {
        let level = self.probe.level();
        match direction {
            Direction::Render => level,
            Direction::Capture if volume.mute => Level::SILENCE,
            Direction::Capture => {
                let louder = |dbfs: f32| (dbfs + volume.gain_db).min(0.0);
                Level { rms_dbfs: louder(level.rms_dbfs), peak_dbfs: louder(level.peak_dbfs) }
            }
        }
    }

    pub(crate) fn status(&self) -> TerminalStatus {
        let state = lock(&self.state);
        TerminalStatus {
            failed: state.failed.clone(),
            card: state.meter.as_ref().map(card_status),
            ..self.probe.status(self.sample_rate)
        }
    }
}

impl State {
    fn xruns_so_far(&self) -> u64 {
        let now = self.meter.as_ref().map_or(0, |meter| meter.status().xruns);
        self.xruns + now.saturating_sub(self.xruns_before)
    }
}

fn card_status(meter: &StreamMeter) -> CardStatus {
    let status = meter.status();
    let ms = |us: u32| f64::from(us) / 1e3;
    CardStatus {
        sample_rate: status.rate,
        channels: status.channels,
        requested_period_ms: ms(status.requested_period_us),
        period_ms: ms(status.period_us),
        buffer_ms: status.buffer_us.map(ms),
        latency_ms: status.latency_us.map(ms),
        drift_ppm: status.drift_ppm,
        xruns: status.xruns,
        lost_ms: status.lost_frames as f64 * 1e3 / f64::from(status.rate.max(1)),
        openings: status.openings,
        shared_by: status.sharers,
        device: status.device,
        format: status.format,
    }
}
