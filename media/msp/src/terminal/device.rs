//! A sound card as a terminal: which one, and what it has done. It clocks its half of the engine.
//! In: the sound host. Out: selectors for `clocks.rs`, statuses.
//! Not here: streams and callbacks (`offhook-device`), who drives whom (`clocks.rs`).

use std::sync::{Arc, Mutex};

use offhook_device::{DeviceInfo, Selector, Sound};
use offhook_spi::MspError;
use offhook_spi::mspi::{Direction, TerminalStatus};

use super::Probe;
use crate::lock;

/// One direction of a sound card.
pub(crate) struct CardTerminal {
    /// A name for people.
    pub(crate) name: String,
    pub(crate) selector: Selector,
    pub(crate) probe: Arc<Probe>,
    sample_rate: u32,
    failed: Mutex<Option<String>>,
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

    pub(crate) fn new(selector: Selector, sample_rate: u32) -> Self {
        let name = match &selector {
            Selector::Default => "default sound device".to_owned(),
            Selector::Named(name) => name.clone(),
        };
        Self { name, selector, probe: Arc::new(Probe::new()), sample_rate, failed: Mutex::default() }
    }

    /// The card has died.
    pub(crate) fn fail(&self, why: String) {
        *lock(&self.failed) = Some(why);
    }

    /// It is tried again.
    pub(crate) fn forget_failure(&self) {
        *lock(&self.failed) = None;
    }

    pub(crate) fn status(&self) -> TerminalStatus {
        TerminalStatus { failed: lock(&self.failed).clone(), ..self.probe.status(self.sample_rate) }
    }
}

/// Every direction of every card that there is: how to select it, its name, where it faces. None is no error.
pub(crate) fn cards(sound: &Sound) -> Vec<(Selector, String, Direction)> {
    let devices = sound.devices().unwrap_or_else(|error| {
        tracing::info!(%error, "sound cards cannot be listed");
        Vec::new()
    });
    let mut found = Vec::new();
    for device in devices {
        for direction in [Direction::Capture, Direction::Render] {
            if faces(&device, direction) {
                let key = device.id.clone().unwrap_or_else(|| device.name.clone());
                found.push((Selector::Named(key), device.name.clone(), direction));
            }
        }
    }
    found
}

fn faces(device: &DeviceInfo, direction: Direction) -> bool {
    match direction {
        Direction::Capture => device.capture,
        Direction::Render => device.playback,
    }
}
