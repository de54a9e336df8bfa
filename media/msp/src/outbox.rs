//! Events on their way to the application's side.
//! In: events, from any thread, in the order of their making. Out: the same, one by one, after a signal.
//!
//! Events are put in under whatever lock their maker holds, so that their order is that of the changes; the signal is
//! raised by [`Outbox::raise`] when no lock is held, so that its receiver may call anything.
//! Not here: what happened (`call.rs`, `terminal`).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use offhook_pair::ToTsp;
use offhook_spi::{
    MspCallEvent, MspCallId, MspEvent, MspEventCause, MspSignal, Opaque, StreamId, TerminalId,
};

use crate::lock;

/// The queue of one address.
pub(crate) struct Outbox {
    events: Mutex<VecDeque<MspEvent>>,
    signal: Arc<dyn MspSignal>,
}

impl Outbox {
    pub(crate) fn new(signal: Arc<dyn MspSignal>) -> Self {
        Self { events: Mutex::default(), signal }
    }

    /// Puts an event in. [`Self::raise`] must follow.
    pub(crate) fn put(&self, event: MspEvent) {
        lock(&self.events).push_back(event);
    }

    /// Tells that there are events. To be called without any lock.
    pub(crate) fn raise(&self) {
        self.signal.events_ready();
    }

    /// Takes the oldest out.
    pub(crate) fn next(&self) -> Option<MspEvent> {
        lock(&self.events).pop_front()
    }
}

/// A call's end of the outbox.
#[derive(Clone)]
pub(crate) struct Reporter {
    outbox: Arc<Outbox>,
    call: MspCallId,
    has_news: bool,
}

impl Reporter {
    pub(crate) fn new(outbox: Arc<Outbox>, call: MspCallId) -> Self {
        Self { outbox, call, has_news: false }
    }

    /// Something happened to a stream.
    pub(crate) fn stream(&mut self, stream: StreamId, event: MspCallEvent, cause: MspEventCause) {
        self.put(MspEvent::Call { call: self.call, event, cause, stream: Some(stream), terminal: None });
    }

    /// A terminal failed.
    pub(crate) fn terminal_failed(&mut self, stream: StreamId, terminal: TerminalId, cause: MspEventCause) {
        self.put(MspEvent::Call {
            call: self.call,
            event: MspCallEvent::TerminalFail,
            cause,
            stream: Some(stream),
            terminal: Some(terminal),
        });
    }

    /// A buffer for the TSP.
    pub(crate) fn tell_tsp(&mut self, message: &ToTsp) {
        match Opaque::new(message.encode()) {
            Ok(data) => self.put(MspEvent::TspData { call: Some(self.call), data }),
            Err(error) => tracing::error!(%error, "a buffer for the TSP was not sent"),
        }
    }

    /// Whether anything was put in since the last time; the caller raises once it holds no lock.
    pub(crate) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news)
    }

    /// Raises the signal. To be called without any lock.
    pub(crate) fn raise(&self) {
        self.outbox.raise();
    }

    fn put(&mut self, event: MspEvent) {
        self.has_news = true;
        self.outbox.put(event);
    }
}
