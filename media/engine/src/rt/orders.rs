//! How a processor takes its orders: a few a block, none while what it retires has nowhere to go.
//! In: the command ring's real-time end, the trash bin. Out: orders, one by one; objects on their way to be dropped.
//! Not here: what the orders do (each processor's own file).
//! RT: no allocation, lock, syscall, log or panic.

use crate::command::CommandReceiver;
use crate::trash::{Trash, TrashBin};

/// A processor's ends of both rings.
pub(crate) struct Orders<T> {
    ring: CommandReceiver<T>,
    trash: TrashBin,
    per_block: usize,
    left: usize,
    stalls: u64,
    is_stalled: bool,
    is_told: bool,
}

impl<T> Orders<T> {
    pub(crate) fn new(ring: CommandReceiver<T>, trash: TrashBin, per_block: usize) -> Orders<T> {
        Orders { ring, trash, per_block, left: 0, stalls: 0, is_stalled: false, is_told: false }
    }

    /// A block begins: so many orders may be carried out in it.
    pub(crate) fn begin(&mut self) {
        self.left = self.per_block;
        self.is_stalled = false;
    }

    /// The block's next order. After each, [`Self::retire`] what it retired, one object at most.
    pub(crate) fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        if !self.trash.has_room() {
            self.stalls += 1;
            self.is_stalled = true;
            self.left = 0;
            return None;
        }
        self.ring.next()
    }

    /// Sends an object to be dropped, if there is one.
    pub(crate) fn retire(&mut self, object: Option<Trash>) {
        if let Some(object) = object {
            self.trash.retire(object);
        }
    }

    /// Whether an object may be retired outside of an order.
    pub(crate) fn has_room(&mut self) -> bool {
        self.trash.has_room()
    }

    /// Orders taken so far.
    pub(crate) fn taken(&self) -> u64 {
        self.ring.taken
    }

    /// Whether orders wait since this block because the trash ring is full; to be asked once a block.
    pub(crate) fn begin_to_stall(&mut self) -> bool {
        let was_told = std::mem::replace(&mut self.is_told, self.is_stalled);
        self.is_stalled && !was_told
    }

    /// Blocks in which orders waited because the trash ring was full.
    pub(crate) fn stalls(&self) -> u64 {
        self.stalls
    }
}
