//! A terminal: where a stream's sound comes from or goes to.
//!
//! In: the application's hold. Out: calls of the MSP.
//! A terminal that the application made is released with its last handle; a selection on a stream of a living call
//! is a handle too.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use offhook_spi::mspi::{Direction, SoundLevel, TerminalInfo, TerminalStatus, Volume, VolumeChange};
use offhook_spi::terminal::TerminalEnd;
use offhook_spi::{MspAddress, TerminalId};

use crate::TapiError;

/// A sound card, a file, a tone. Cheap to clone. Alias `ITTerminal`.
#[doc(alias = "ITTerminal")]
#[doc(alias = "ITBasicAudioTerminal")]
#[derive(Clone)]
pub struct Terminal(Arc<TerminalShared>);

impl Terminal {
    pub(crate) fn new(shared: Arc<TerminalShared>) -> Self {
        Self(shared)
    }

    pub(crate) fn id(&self) -> TerminalId {
        self.0.info.id
    }

    /// Whether it is one of this address's.
    pub(crate) fn belongs_to(&self, msp: &Arc<dyn MspAddress>) -> bool {
        Arc::ptr_eq(&self.0.msp, msp)
    }

    /// A name for people.
    #[doc(alias = "ITTerminal::get_Name")]
    pub fn name(&self) -> &str {
        &self.0.info.name
    }

    /// Which way it faces.
    #[doc(alias = "ITTerminal::get_Direction")]
    pub fn direction(&self) -> Direction {
        self.0.info.direction
    }

    /// What it has done so far.
    pub fn status(&self) -> Result<TerminalStatus, TapiError> {
        Ok(self.0.msp.terminal_status(self.0.info.id)?)
    }

    /// How loud it was made.
    #[doc(alias = "ITBasicAudioTerminal::get_Volume")]
    pub fn volume(&self) -> Result<Volume, TapiError> {
        Ok(self.status()?.volume)
    }

    /// Makes it louder or quieter by decibels, within [`Volume::GAIN_DB`] (−96 to +30); legal at any time, heard without
    /// a click. A terminal that faces both ways (echo, conference) is as loud as it hears its call.
    ///
    /// # Errors
    ///
    /// [`MspError::OutOfRange`](crate::MspError::OutOfRange); the gain is as before.
    #[doc(alias = "ITBasicAudioTerminal::put_Volume")]
    #[doc(alias = "ITAudioSettings")]
    pub fn set_gain_db(&self, gain_db: f32) -> Result<(), TapiError> {
        Ok(self.0.msp.change_volume(self.id(), VolumeChange::GainDb(gain_db))?)
    }

    /// Silences it, or makes it as loud again as it was.
    pub fn set_mute(&self, mute: bool) -> Result<(), TapiError> {
        Ok(self.0.msp.change_volume(self.id(), VolumeChange::Mute(mute))?)
    }

    /// How loud it is, over the last tenth of a second and after its volume; `None` while it is not selected, and for
    /// packets.
    #[doc(alias = "ITAudioSettings::SignalLevel")]
    pub fn level(&self) -> Result<Option<SoundLevel>, TapiError> {
        Ok(self.status()?.level)
    }

    pub(crate) fn end(&self) -> Result<TerminalEnd, TapiError> {
        Ok(self.0.msp.terminal_end(self.id())?)
    }

    /// Lets it go now, whoever else holds a handle. A recording is complete on disk when this has returned `Ok`.
    /// Nothing for a terminal that is there by itself.
    pub fn release(&self) -> Result<(), TapiError> {
        self.0.release()
    }
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Terminal({} {:?})", self.0.info.id.0, self.0.info.name)
    }
}

impl PartialEq for Terminal {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Terminal {}

pub(crate) struct TerminalShared {
    msp: Arc<dyn MspAddress>,
    pub(crate) info: TerminalInfo,
    dynamic: bool,
    released: AtomicBool,
}

impl TerminalShared {
    pub(crate) fn new(msp: Arc<dyn MspAddress>, info: TerminalInfo, dynamic: bool) -> Self {
        Self { msp, info, dynamic, released: AtomicBool::new(false) }
    }

    fn release(&self) -> Result<(), TapiError> {
        if !self.dynamic || self.released.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        Ok(self.msp.release_terminal(self.info.id)?)
    }
}

impl Drop for TerminalShared {
    fn drop(&mut self) {
        if let Err(error) = self.release() {
            tracing::warn!(%error, terminal = %self.info.name, "a terminal was not released cleanly");
        }
    }
}
