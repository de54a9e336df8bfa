//! A substream: some of a stream's terminals, started and stopped by themselves.
//!
//! In: the application's verbs. Out: selections of the stream's terminals at the MSP.
//! A stopped substream keeps its terminals; the stream goes on with the others.
//! Not here: several media or directions (each is a stream of its own).

use std::fmt;
use std::sync::{Arc, Mutex};

use offhook_spi::MspError;

use crate::core::lock;
use crate::{Stream, TapiError, Terminal};

/// A part of a stream. Alias `ITSubStream`.
#[doc(alias = "ITSubStream")]
#[derive(Clone)]
pub struct SubStream {
    stream: Stream,
    shared: Arc<Part>,
}

/// What of a substream lasts as long as its call.
#[derive(Default)]
pub(crate) struct Part(Mutex<Inside>);

/// Its terminals, and whether they are selected now.
#[derive(Default)]
struct Inside {
    terminals: Vec<Terminal>,
    is_stopped: bool,
}

impl Part {
    /// The call is over: the terminals may go.
    pub(crate) fn let_go(&self) {
        let terminals = std::mem::take(&mut lock(&self.0).terminals);
        drop(terminals);
    }
}

impl Stream {
    /// Makes a substream, which has no terminals yet. It lasts as long as the call.
    #[doc(alias = "ITSubStreamControl::CreateSubStream")]
    pub fn create_substream(&self) -> Result<SubStream, TapiError> {
        let shared = Arc::<Part>::default();
        let half = self.shared().media()?;
        // An error for a call that was released.
        half.msp.streams(half.id)?;
        lock(&self.shared().substreams).entry(self.id()).or_default().push(shared.clone());
        Ok(SubStream { stream: self.clone(), shared })
    }

    /// Its substreams, in the order in which they were made.
    #[doc(alias = "ITSubStreamControl::EnumerateSubStreams")]
    pub fn substreams(&self) -> Vec<SubStream> {
        let parts = lock(&self.shared().substreams).get(&self.id()).cloned().unwrap_or_default();
        parts.into_iter().map(|shared| SubStream { stream: self.clone(), shared }).collect()
    }
}

impl SubStream {
    /// The stream that it is a part of.
    #[doc(alias = "ITSubStream::get_Stream")]
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Joins a terminal to it: to the stream, unless the substream is stopped.
    #[doc(alias = "ITSubStream::SelectTerminal")]
    pub fn select_terminal(&self, terminal: &Terminal) -> Result<(), TapiError> {
        let mut part = lock(&self.shared.0);
        if part.terminals.contains(terminal) {
            let why = format!("{}: selected on this substream already", terminal.name());
            return Err(MspError::InvalidTerminal(why).into());
        }
        if !part.is_stopped {
            self.stream.select_terminal(terminal)?;
        }
        part.terminals.push(terminal.clone());
        Ok(())
    }

    /// Undoes [`select_terminal`](Self::select_terminal).
    #[doc(alias = "ITSubStream::UnselectTerminal")]
    pub fn unselect_terminal(&self, terminal: &Terminal) -> Result<(), TapiError> {
        let mut part = lock(&self.shared.0);
        if !part.terminals.contains(terminal) {
            let why = format!("{}: not selected on this substream", terminal.name());
            return Err(MspError::InvalidTerminal(why).into());
        }
        if !part.is_stopped {
            self.stream.unselect_terminal(terminal)?;
        }
        part.terminals.retain(|other| other != terminal);
        Ok(())
    }

    /// Its terminals.
    #[doc(alias = "ITSubStream::EnumerateTerminals")]
    pub fn terminals(&self) -> Vec<Terminal> {
        lock(&self.shared.0).terminals.clone()
    }

    /// Undoes an earlier [`stop`](Self::stop).
    ///
    /// # Errors
    ///
    /// [`MspError::NotStopped`], [`MspError::NoTerminalSelected`]; or what a terminal has against it, and then the
    /// substream is still stopped.
    #[doc(alias = "ITSubStream::StartSubStream")]
    pub fn start(&self) -> Result<(), TapiError> {
        let mut part = lock(&self.shared.0);
        if !part.is_stopped {
            return Err(MspError::NotStopped.into());
        }
        if part.terminals.is_empty() {
            return Err(MspError::NoTerminalSelected.into());
        }
        for (done, terminal) in part.terminals.iter().enumerate() {
            if let Err(error) = self.stream.select_terminal(terminal) {
                for before in part.terminals.iter().take(done) {
                    // It was selected a moment ago.
                    let _ = self.stream.unselect_terminal(before);
                }
                return Err(error);
            }
        }
        part.is_stopped = false;
        Ok(())
    }

    /// Stops it until [`start`](Self::start): its terminals neither speak nor hear.
    #[doc(alias = "ITSubStream::StopSubStream")]
    #[doc(alias = "ITSubStream::PauseSubStream")]
    pub fn stop(&self) -> Result<(), TapiError> {
        let mut part = lock(&self.shared.0);
        if std::mem::replace(&mut part.is_stopped, true) {
            return Ok(());
        }
        let mut first = Ok(());
        for terminal in &part.terminals {
            let done = self.stream.unselect_terminal(terminal);
            first = first.and(done);
        }
        first
    }
}

impl fmt::Debug for SubStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubStream of {:?}", self.stream)
    }
}
