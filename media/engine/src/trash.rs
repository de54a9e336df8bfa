//! The only way out for objects: what the real-time side no longer needs travels back to be dropped by control.
//! In: boxes, from one processor. Out: the same boxes, at `Control::collect`.
//!
//! A full ring loses nothing: the object waits in the bin's one slot, is tried again at every block, and until it has
//! gone the processor carries out no further command (each retires one object at most). Commands wait in their own
//! ring meanwhile, in order; sound goes on.
//! Not here: what is retired when (`rt/tx.rs`, `rt/rx.rs`).
//! RT (`TrashBin`): no allocation, lock, syscall, log or panic.

use offhook_codecs::Decoder;
use ringbuf::traits::{Consumer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

use crate::command::{RxFormat, TxFormat};
use crate::rt::node::{Sink, Source};
use crate::rt::packet::{PacketRx, PacketTx};

/// An object on its way to be dropped. Nobody reads what is inside: to carry it is the purpose.
#[expect(dead_code, reason = "carried only to be dropped elsewhere")]
pub(crate) enum Trash {
    Source(Box<dyn Source>),
    Sink(Box<dyn Sink>),
    PacketTx(Box<dyn PacketTx>),
    PacketRx(Box<dyn PacketRx>),
    TxFormat(Box<TxFormat>),
    RxFormat(Box<RxFormat>),
    Decoder(Box<dyn Decoder + Send>),
}

/// The real-time end.
pub(crate) struct TrashBin {
    ring: HeapProd<Trash>,
    waiting: Option<Trash>,
}

/// The control end.
pub(crate) struct TrashHeap {
    ring: HeapCons<Trash>,
}

/// Both ends of a ring for `capacity` objects.
pub(crate) fn trash(capacity: usize) -> (TrashBin, TrashHeap) {
    let (producer, consumer) = HeapRb::new(capacity.max(1)).split();
    (TrashBin { ring: producer, waiting: None }, TrashHeap { ring: consumer })
}

impl TrashBin {
    /// Tries to send what waits; whether there is room for one more object.
    pub(crate) fn has_room(&mut self) -> bool {
        if let Some(waiting) = self.waiting.take() {
            self.waiting = self.ring.try_push(waiting).err();
        }
        self.waiting.is_none()
    }

    /// Retires an object. To be called once after each [`Self::has_room`] that told so.
    pub(crate) fn retire(&mut self, object: Trash) {
        let left = self.ring.try_push(object).err();
        if left.is_some() {
            debug_assert!(self.waiting.is_none(), "retired without room");
            self.waiting = left;
        }
    }
}

impl TrashHeap {
    /// Drops everything that has come; how many objects.
    pub(crate) fn empty(&mut self) -> usize {
        std::iter::from_fn(|| self.ring.try_pop()).map(drop).count()
    }
}
