//! What threads share: the standard library's atomics and `ringbuf`'s rings, or under `--cfg loom` those of a model
//! checker, which runs a test under every interleaving and every value that a weak memory may show.
//! In and out: [`ring`], [`AtomicCell`] and the atomics, of one shape both ways.
//!
//! Under the model the place of an object has a word beside it that loom watches: an object that is touched by an end to
//! which the other end's last access is not yet visible is a failure, as reading its memory would be.
//! Not here: the protocols themselves (`command.rs`, `trash.rs`, `board.rs`, `rt/driven.rs`), their tests
//! (`loom_tests.rs`).
//! RT (`Producer::push`, `Consumer::pop`, atomics): no allocation, lock, syscall, log or panic.

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::thread::yield_now;

#[cfg(not(loom))]
pub(crate) use crossbeam::atomic::AtomicCell;
#[cfg(loom)]
pub(crate) use imp::AtomicCell;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
#[cfg(loom)]
pub(crate) use loom::thread::{yield_now, yield_now as pause};

/// Lets others run for a moment; control only.
#[cfg(not(loom))]
pub(crate) fn pause() {
    std::thread::sleep(std::time::Duration::from_micros(100));
}

/// The end of a ring that gives.
pub(crate) struct Producer<T>(imp::Producer<T>);

/// The end of a ring that takes.
pub(crate) struct Consumer<T>(imp::Consumer<T>);

/// Both ends of a wait-free ring for `capacity` objects, one at least.
pub(crate) fn ring<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    let (producer, consumer) = imp::ring(capacity.max(1));
    (Producer(producer), Consumer(consumer))
}

impl<T> Producer<T> {
    /// Gives an object, or has it back if the ring is full.
    pub(crate) fn push(&mut self, object: T) -> Result<(), T> {
        self.0.try_push(object)
    }
}

impl<T> Consumer<T> {
    /// Takes the object that has waited longest.
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.0.try_pop()
    }
}

#[cfg(not(loom))]
use ringbuf::traits::{Consumer as _, Producer as _};

#[cfg(not(loom))]
mod imp {
    use ringbuf::traits::Split;

    pub(super) use ringbuf::{HeapCons as Consumer, HeapProd as Producer};

    pub(super) fn ring<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
        ringbuf::HeapRb::new(capacity).split()
    }
}

/// A ring that loom can see into, with `ringbuf`'s protocol: each end owns one count and publishes it (release) once it
/// is done with the slot, and reads the other's (acquire) before it touches one. An end keeps its own count to itself:
/// of two accesses loom looks for a race with the last one only, which would always be the end's own.
#[cfg(loom)]
mod imp {
    use std::sync::{Arc, Mutex};

    use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    struct Shared<T> {
        slots: Box<[Mutex<Slot<T>>]>,
        read: AtomicUsize,
        written: AtomicUsize,
    }

    /// The lock is the standard library's, which loom does not see: it orders nothing, and is never waited for.
    struct Slot<T> {
        object: Option<T>,
        /// Touched whenever the object is; loom fails if another thread's touch did not happen before.
        witness: AtomicUsize,
    }

    pub(super) struct Producer<T> {
        shared: Arc<Shared<T>>,
        written: usize,
    }

    pub(super) struct Consumer<T> {
        shared: Arc<Shared<T>>,
        read: usize,
    }

    pub(super) fn ring<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
        let slots = (0..capacity).map(|_| Slot::new(None)).collect();
        let shared = Arc::new(Shared { slots, read: AtomicUsize::new(0), written: AtomicUsize::new(0) });
        (Producer { shared: Arc::clone(&shared), written: 0 }, Consumer { shared, read: 0 })
    }

    impl<T> Slot<T> {
        fn new(object: Option<T>) -> Mutex<Slot<T>> {
            Mutex::new(Slot { object, witness: AtomicUsize::new(0) })
        }

        fn exchange(slot: &Mutex<Slot<T>>, object: Option<T>) -> Option<T> {
            let mut slot = slot.try_lock().expect("both ends in one slot");
            slot.witness.with_mut(|touches| *touches += 1);
            std::mem::replace(&mut slot.object, object)
        }
    }

    impl<T> Shared<T> {
        fn exchange(&self, count: usize, object: Option<T>) -> Option<T> {
            let slot = self.slots.get(count % self.slots.len()).expect("a slot");
            Slot::exchange(slot, object)
        }
    }

    impl<T> Producer<T> {
        pub(super) fn try_push(&mut self, object: T) -> Result<(), T> {
            if self.written - self.shared.read.load(Ordering::Acquire) >= self.shared.slots.len() {
                return Err(object);
            }
            let before = self.shared.exchange(self.written, Some(object));
            assert!(before.is_none(), "an object was written over");
            self.written += 1;
            self.shared.written.store(self.written, Ordering::Release);
            Ok(())
        }
    }

    impl<T> Consumer<T> {
        pub(super) fn try_pop(&mut self) -> Option<T> {
            if self.shared.written.load(Ordering::Acquire) == self.read {
                return None;
            }
            let object = self.shared.exchange(self.read, None);
            assert!(object.is_some(), "an object was taken twice");
            self.read += 1;
            self.shared.read.store(self.read, Ordering::Release);
            object
        }
    }

    /// `crossbeam`'s cell for an optional object: whoever exchanges the presence for absence owns the object.
    pub(crate) struct AtomicCell<T: Optional> {
        is_here: AtomicBool,
        slot: Mutex<Slot<T::Object>>,
    }

    /// What `crossbeam`'s cell is used for here.
    pub(crate) trait Optional {
        type Object;
    }

    impl<U> Optional for Option<U> {
        type Object = U;
    }

    impl<U> AtomicCell<Option<U>> {
        pub(crate) fn new(object: Option<U>) -> AtomicCell<Option<U>> {
            AtomicCell { is_here: AtomicBool::new(object.is_some()), slot: Slot::new(object) }
        }

        pub(crate) fn take(&self) -> Option<U> {
            if !self.is_here.swap(false, Ordering::AcqRel) {
                return None;
            }
            let object = Slot::exchange(&self.slot, None);
            assert!(object.is_some(), "an object was taken twice");
            object
        }

        /// Only present objects are stored by the protocols here.
        pub(crate) fn store(&self, object: Option<U>) {
            assert!(object.is_some(), "absence was stored");
            assert!(Slot::exchange(&self.slot, object).is_none(), "an object was written over");
            self.is_here.swap(true, Ordering::AcqRel);
        }
    }
}
