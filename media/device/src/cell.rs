//! A value that callbacks run and control can take away from them: one atomic exchange each way.
//!
//! The callback takes the value out, runs it and puts it back; control takes it out for good in the same way. A card
//! that has died in the middle of a call can therefore never keep what it drove, however long its stream takes to
//! close.
//! The engine has a cell of the same protocol for its halves (`offhook_engine::Driven`, under loom there); this one is
//! used again after it was emptied, and the two crates do not know each other.
//! RT (`run`): no allocation, lock, syscall, log or panic.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam::atomic::AtomicCell;

/// How long a callback may hold a value before it is given up: many periods of any card.
const PATIENCE: Duration = Duration::from_millis(500);

/// A value that callbacks run. Clones share it.
pub(crate) struct Driven<T>(Arc<Place<T>>);

struct Place<T> {
    value: AtomicCell<Option<Box<T>>>,
    /// Control wants it: callbacks leave it where it is.
    is_wanted: AtomicBool,
}

impl<T> Clone for Driven<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Driven<T> {
    /// Nothing in it yet.
    pub(crate) fn empty() -> Self {
        Self(Arc::new(Place { value: AtomicCell::new(None), is_wanted: AtomicBool::new(false) }))
    }

    /// Runs the value if it is here; whether it was. To be called by one thread at a time: a second one finds nothing.
    pub(crate) fn run(&self, work: impl FnOnce(&mut T)) -> bool {
        if self.0.is_wanted.load(Ordering::Acquire) {
            return false;
        }
        let Some(mut value) = self.0.value.take() else { return false };
        work(&mut value);
        // Nobody puts another in while this one is out: the old content is `None`, and dropping it is nothing.
        self.0.value.store(Some(value));
        true
    }

    /// Puts a value in. Control only, and only when the last one was taken.
    pub(crate) fn put(&self, value: Box<T>) {
        self.0.value.store(Some(value));
        self.0.is_wanted.store(false, Ordering::Release);
    }

    /// Leaves to callbacks again what [`Self::take`] asked for and did not get. Control only.
    pub(crate) fn give_up(&self) {
        self.0.is_wanted.store(false, Ordering::Release);
    }

    /// Takes it out between two callbacks; `None` if there is none, or a callback has held it for half a second.
    pub(crate) fn take(&self) -> Option<Box<T>> {
        let give_up = Instant::now() + PATIENCE;
        self.0.is_wanted.store(true, Ordering::Release);
        loop {
            if let Some(value) = self.0.value.take() {
                return Some(value);
            }
            if Instant::now() >= give_up {
                return None;
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cell_is_lock_free() {
        assert!(AtomicCell::<Option<Box<[u64; 9]>>>::is_lock_free());
    }

    #[test]
    fn a_value_is_taken_out_between_two_callbacks_and_the_next_one_finds_nothing() {
        let cell = Driven::<u64>::empty();
        let shared = cell.clone();
        assert!(!shared.run(|_| ()));
        cell.put(Box::new(0));
        let callbacks = std::thread::spawn(move || {
            while shared.run(|n| {
                *n += 1;
                std::thread::sleep(Duration::from_millis(1));
            }) {}
        });
        std::thread::sleep(Duration::from_millis(20));
        assert!(cell.take().is_some_and(|n| *n > 0));
        assert!(callbacks.join().is_ok());
        assert!(cell.take().is_none());
        cell.put(Box::new(3));
        assert!(cell.run(|n| *n += 1));
        assert_eq!(cell.take().as_deref(), Some(&4));
    }
}
