//! A stream: one direction of one medium of a call.
//!
//! In: the application's verbs. Out: calls of the MSP.
//! A stream does not hold its call: once that is released, everything here is an error.

use std::fmt;
use std::sync::Arc;

use offhook_spi::mspi::{Direction, StreamInfo, StreamStatistics};
use offhook_spi::{MspError, StreamId};

use crate::call::CallShared;
use crate::core::lock;
use crate::{TapiError, Terminal};

/// A stream of a call. Alias `ITStream`.
#[doc(alias = "ITStream")]
#[derive(Clone)]
pub struct Stream {
    call: Arc<CallShared>,
    info: StreamInfo,
}

impl Stream {
    pub(crate) fn new(call: Arc<CallShared>, info: StreamInfo) -> Self {
        Self { call, info }
    }

    pub(crate) fn shared(&self) -> &Arc<CallShared> {
        &self.call
    }

    pub(crate) fn id(&self) -> StreamId {
        self.info.id
    }

    /// The stream of that number, if the call has it.
    pub(crate) fn find(call: &Arc<CallShared>, id: StreamId) -> Option<Self> {
        let half = call.media().ok()?;
        let info = half.msp.streams(half.id).ok()?.into_iter().find(|info| info.id == id)?;
        Some(Self::new(call.clone(), info))
    }

    /// Capture: from here to the far end. Render: from the far end to here.
    #[doc(alias = "ITStream::get_Direction")]
    pub fn direction(&self) -> Direction {
        self.info.direction
    }

    /// Joins a terminal to it; legal in any state of the call, also before it is dialled. Streaming starts by itself.
    #[doc(alias = "ITStream::SelectTerminal")]
    pub fn select_terminal(&self, terminal: &Terminal) -> Result<(), TapiError> {
        let half = self.call.media()?;
        if !terminal.belongs_to(&half.msp) {
            return Err(MspError::InvalidTerminal("it is of another address".to_owned()).into());
        }
        half.msp.select_terminal(self.info.id, terminal.id())?;
        let mut selections = lock(&self.call.selections);
        let selected = selections.entry(self.info.id).or_default();
        if !selected.contains(terminal) {
            selected.push(terminal.clone());
        }
        Ok(())
    }

    /// Undoes [`select_terminal`](Self::select_terminal).
    #[doc(alias = "ITStream::UnselectTerminal")]
    pub fn unselect_terminal(&self, terminal: &Terminal) -> Result<(), TapiError> {
        let half = self.call.media()?;
        half.msp.unselect_terminal(self.info.id, terminal.id())?;
        // `terminal` is alive, so none of the handles dropped here is the last.
        if let Some(selected) = lock(&self.call.selections).get_mut(&self.info.id) {
            selected.retain(|other| other != terminal);
        }
        Ok(())
    }

    /// The terminals selected on it.
    #[doc(alias = "ITStream::EnumerateTerminals")]
    pub fn terminals(&self) -> Vec<Terminal> {
        lock(&self.call.selections).get(&self.info.id).cloned().unwrap_or_default()
    }

    /// Undoes an earlier [`stop`](Self::stop).
    #[doc(alias = "ITStream::StartStream")]
    pub fn start(&self) -> Result<(), TapiError> {
        Ok(self.call.media()?.msp.start_stream(self.info.id)?)
    }

    /// Stops it until [`start`](Self::start).
    #[doc(alias = "ITStream::StopStream")]
    pub fn stop(&self) -> Result<(), TapiError> {
        Ok(self.call.media()?.msp.stop_stream(self.info.id)?)
    }

    /// What it has done so far; readable until the call is released.
    #[doc(alias = "ITStreamQualityControl")]
    pub fn statistics(&self) -> Result<StreamStatistics, TapiError> {
        Ok(self.call.media()?.msp.stream_statistics(self.info.id)?)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({} {:?})", self.info.id.0, self.info.direction)
    }
}

impl PartialEq for Stream {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.call, &other.call) && self.info.id == other.info.id
    }
}

impl Eq for Stream {}
