//! Conferences by name: a mixer bus for each, and terminals that are a place in one.
//! In: names, selections. Out: the two ends of a port, one for each half of a call's engine.
//!
//! A conference belongs to the provider, so its places may be of calls of any address. It begins with the first terminal
//! that names it and ends when the last one is gone.
//! An end that was given to the engine cannot be had back: as with an echo, a side that is selected anew while the other
//! stayed makes a new port, and the caller gives the engine the new mate of the other side as well.
//! Not here: the mixing (`offhook_engine::bus`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use offhook_engine::{
    BusConfig, BusControl, BusHandle, BusPort, Gain, ParticipantId, Sink, Source, Ticker, bus,
};
use offhook_spi::MspError;
use offhook_spi::mspi::TerminalStatus;

use super::{Probe, probed_sink};
use crate::lock;

/// Places in a conference at most.
const MOST: usize = 256;
/// Octets of a name at most.
const LONGEST_NAME: usize = 128;

/// The conferences of a provider.
#[derive(Default)]
pub(crate) struct Conferences(Mutex<HashMap<String, Weak<Conference>>>);

/// One conference.
struct Conference {
    name: String,
    control: Mutex<BusControl>,
    handle: Option<BusHandle>,
}

/// A place in a conference.
pub(crate) struct ConferenceTerminal {
    conference: Arc<Conference>,
    sample_rate: u32,
    probe: Arc<Probe>,
    port: Mutex<Port>,
}

/// What is left of the port.
#[derive(Default)]
struct Port {
    id: Option<ParticipantId>,
    sink: Option<Box<dyn Sink>>,
    source: Option<Box<dyn Source>>,
}

impl Conferences {
    fn of(&self, name: &str, ticker: &Ticker, sample_rate: u32) -> Result<Arc<Conference>, MspError> {
        let mut all = lock(&self.0);
        all.retain(|_, conference| conference.strong_count() > 0);
        if let Some(conference) = all.get(name).and_then(Weak::upgrade) {
            return Ok(conference);
        }
        let config = BusConfig { max_participants: MOST, ..BusConfig::new(sample_rate) };
        let (control, processor) = bus(config);
        let handle = ticker.add_bus(processor).map_err(|why| MspError::Resource(why.to_string()))?;
        let (control, handle) = (Mutex::new(control), Some(handle));
        let conference = Arc::new(Conference { name: name.to_owned(), control, handle });
        all.insert(name.to_owned(), Arc::downgrade(&conference));
        Ok(conference)
    }
}

impl Drop for Conference {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.handle.take().map(BusHandle::remove) {
            tracing::warn!(%error, conference = self.name, "a conference ends late");
        }
    }
}

impl ConferenceTerminal {
    /// A place that is taken with the first selection.
    ///
    /// # Errors
    ///
    /// [`MspError::OutOfRange`] for a name that cannot be, [`MspError::Resource`] if the ticker takes no more.
    pub(crate) fn new(
        conferences: &Conferences,
        name: &str,
        ticker: &Ticker,
        sample_rate: u32,
    ) -> Result<Self, MspError> {
        if name.is_empty() || name.len() > LONGEST_NAME {
            let why = format!("a conference's name has 1 to {LONGEST_NAME} octets, not {}", name.len());
            return Err(MspError::OutOfRange(why));
        }
        let conference = conferences.of(name, ticker, sample_rate)?;
        Ok(Self { conference, sample_rate, probe: Arc::new(Probe::new()), port: Mutex::default() })
    }

    /// The end that hears the peer; `true` if it belongs to a new port, whose other end must replace an old one.
    pub(crate) fn sink(&self) -> Result<(Box<dyn Sink>, bool), MspError> {
        let mut port = lock(&self.port);
        let is_new = port.sink.is_none();
        if is_new {
            self.join(&mut port)?;
        }
        port.sink.take().map(|sink| (sink, is_new)).ok_or_else(gone)
    }

    /// The end that the peer hears; `true` as above.
    pub(crate) fn source(&self) -> Result<(Box<dyn Source>, bool), MspError> {
        let mut port = lock(&self.port);
        let is_new = port.source.is_none();
        if is_new {
            self.join(&mut port)?;
        }
        port.source.take().map(|source| (source, is_new)).ok_or_else(gone)
    }

    /// Leaves the conference.
    pub(crate) fn leave(&self) {
        let left = std::mem::take(&mut *lock(&self.port));
        if let Some(id) = left.id
            && let Err(full) = lock(&self.conference.control).leave(id)
        {
            // Its ends are gone: what is left is a silent place.
            tracing::warn!(%full, conference = self.conference.name, "somebody leaves late");
        }
    }

    pub(crate) fn status(&self) -> TerminalStatus {
        self.probe.status(self.sample_rate)
    }

    fn join(&self, port: &mut Port) -> Result<(), MspError> {
        let mut control = lock(&self.conference.control);
        if let Some(id) = port.id.take() {
            control.leave(id).map_err(|full| MspError::Resource(full.to_string()))?;
        }
        let joined = control.join(self.sample_rate, Gain::UNITY);
        let BusPort { id, sink, source } = joined.map_err(|why| MspError::Resource(why.to_string()))?;
        *port = Port { id: Some(id), sink: Some(probed_sink(sink, &self.probe)), source: Some(source) };
        Ok(())
    }
}

impl Drop for ConferenceTerminal {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Never: a port has two ends.
fn gone() -> MspError {
    MspError::Resource("the conference gave no place".to_owned())
}
