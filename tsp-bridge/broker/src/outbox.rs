//! A client's queue of events: filled under the broker's lock, emptied outside it, by one deliverer at a time.
//!
//! In: events, in the order of what happened. Out: calls of the client's sink, in the same order, never two at once.
//! A thread that finds another delivering (or itself, further up its stack) leaves its events to that one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use offhook_spi::{AppEvent, AppSink};

pub(crate) struct Outbox {
    sink: Arc<dyn AppSink>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<AppEvent>,
    delivering: bool,
    closed: bool,
}

impl Outbox {
    pub(crate) fn new(sink: Arc<dyn AppSink>) -> Self {
        Self { sink, queue: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, event: AppEvent) {
        let mut queue = self.lock();
        if !queue.closed {
            queue.events.push_back(event);
        }
    }

    /// Delivers what is queued, unless somebody does already.
    pub(crate) fn drain(&self) {
        if std::mem::replace(&mut self.lock().delivering, true) {
            return;
        }
        let turn = Turn(self);
        loop {
            let event = {
                let mut queue = self.lock();
                match queue.events.pop_front() {
                    Some(event) => event,
                    None => {
                        // In one step with the look: an event pushed from now on finds nobody delivering.
                        queue.delivering = false;
                        std::mem::forget(turn);
                        return;
                    }
                }
            };
            self.sink.deliver(event);
        }
    }

    /// Drops what is queued and takes nothing more.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        queue.events.clear();
    }
}

/// Gives the turn back if a sink panics.
struct Turn<'a>(&'a Outbox);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.lock().delivering = false;
    }
}
