//! A half that a sound card drives: where its callback finds it, and control takes it back at any time.
//! In: a half, from control. Out: the same half, in control's hands again.
//!
//! ```text
//! control ── put ──▶ cell ── taken out by one exchange, run, put back by another ──▶ callback, every period
//!         ◀─ take ──
//! ```
//!
//! A card that has died in the middle of a call can never keep a half, however long its stream takes to close; one that
//! hangs in the middle of a callback can, and control is told.
//! Not here: which card (`offhook-msp`), cards (`offhook-device`), the headless ticker, which has rings of its own.
//! RT (`run`): no allocation, lock, syscall, log or panic.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::sync::{AtomicBool, AtomicCell, Ordering, pause};

/// One place for one half, shared by control and a callback.
pub struct Driven<T>(Arc<Place<T>>);

struct Place<T> {
    half: AtomicCell<Option<Box<T>>>,
    /// Control wants it: callbacks leave it where it is. A hint that spares control a race; nothing else rests on it.
    is_wanted: AtomicBool,
}

impl<T> Driven<T> {
    /// A place with nothing in it.
    pub fn empty() -> Driven<T> {
        Driven(Arc::new(Place { half: AtomicCell::new(None), is_wanted: AtomicBool::new(false) }))
    }

    /// The same place, for the callback.
    #[must_use]
    pub fn share(&self) -> Driven<T> {
        Driven(Arc::clone(&self.0))
    }

    /// The callback's part: runs the half if it is here; whether it was.
    ///
    /// One thread only: of two that run the same place, one finds nothing.
    pub fn run(&self, work: impl FnOnce(&mut T)) -> bool {
        if self.0.is_wanted.load(Ordering::Acquire) {
            return false;
        }
        let Some(mut half) = self.0.half.take() else { return false };
        work(&mut half);
        // Nobody puts another in while this one is out: the old content is `None`, and dropping it is nothing.
        self.0.half.store(Some(half));
        true
    }

    /// Control's part: puts a half into the empty place.
    pub fn put(&self, half: T) {
        self.0.half.store(Some(Box::new(half)));
    }

    /// Control's part: takes the half out between two callbacks, which find nothing from then on. Waits for a callback
    /// that is running; `None` if there is no half, or if a callback keeps it for longer than `patience`.
    pub fn take(&self, patience: Duration) -> Option<Box<T>> {
        let begun = Instant::now();
        self.0.is_wanted.store(true, Ordering::Release);
        loop {
            if let Some(half) = self.0.half.take() {
                return Some(half);
            }
            if begun.elapsed() >= patience {
                return None;
            }
            pause();
        }
    }
}

impl<T> std::fmt::Debug for Driven<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driven").field("is_wanted", &self.0.is_wanted).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{RxProcessor, TxProcessor};

    #[test]
    fn the_cell_of_a_half_is_lock_free() {
        assert!(AtomicCell::<Option<Box<TxProcessor>>>::is_lock_free());
        assert!(AtomicCell::<Option<Box<RxProcessor>>>::is_lock_free());
    }

    #[test]
    fn a_half_is_taken_out_between_two_callbacks_and_the_next_one_finds_nothing() {
        let cell = Driven::<u64>::empty();
        let shared = cell.share();
        assert!(!shared.run(|_| ()));
        cell.put(0);
        let (told, ran) = std::sync::mpsc::channel();
        let callbacks = std::thread::spawn(move || {
            while shared.run(|n| {
                *n += 1;
                assert!(told.send(()).is_ok());
            }) {}
        });
        // Ten callbacks at least.
        assert_eq!(ran.iter().take(10).count(), 10);
        assert!(cell.take(Duration::from_secs(20)).is_some_and(|n| *n >= 10));
        assert!(callbacks.join().is_ok());
        assert!(cell.take(Duration::ZERO).is_none());
    }

    #[test]
    fn a_callback_that_hangs_keeps_its_half_and_control_is_told_in_time() {
        let cell = Driven::<u64>::empty();
        let shared = cell.share();
        cell.put(7);
        let (begun, has_begun) = std::sync::mpsc::channel();
        let (go_on, hangs) = std::sync::mpsc::channel::<()>();
        let callback = std::thread::spawn(move || {
            shared.run(|_| {
                assert!(begun.send(()).is_ok());
                let _ = hangs.recv();
            })
        });
        assert!(has_begun.recv().is_ok());
        assert!(cell.take(Duration::from_millis(5)).is_none());
        drop(go_on);
        assert!(matches!(callback.join(), Ok(true)));
        assert_eq!(cell.take(Duration::ZERO), Some(Box::new(7)), "it came back late, and is not lost");
    }
}
