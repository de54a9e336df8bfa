//! The only way out for objects: what the real-time side no longer needs travels back to be dropped by control.
//! In: boxes, from one processor. Out: the same boxes, at `Control::collect`.
//!
//! The ring holds as many objects as the command ring holds commands, and control empties it before each command: it
//! does not fill up. If it did, nothing would be lost: the object waits in the bin's one slot, is tried again at every
//! block, and until it has gone the processor carries out no further command (each retires one object at most). Commands
//! wait in their own ring meanwhile, in order; sound goes on.
//! Not here: what is retired when (`rt/tx.rs`, `rt/rx.rs`).
//! RT (`TrashBin`): no allocation, lock, syscall, log or panic.

use std::sync::Arc;

use offhook_codecs::Decoder;

use crate::command::{RxFormat, TxEvents, TxFormat};
use crate::rt::bus::Seat;
use crate::rt::node::{NodeMeter, Sink, Source};
use crate::rt::packet::{PacketRx, PacketTx};
use crate::rt::packet_tap::{PacketInjector, PacketTap};
use crate::sync::{Consumer, Producer, ring};

/// An object on its way to be dropped. Nobody reads what is inside: to carry it is the purpose.
#[expect(dead_code, reason = "carried only to be dropped elsewhere")]
pub(crate) enum Trash {
    Source(Box<dyn Source>, Arc<NodeMeter>),
    Sink(Box<dyn Sink>, Arc<NodeMeter>),
    Tap(Box<dyn Sink>),
    PacketTap(Box<PacketTap>),
    PacketInjector(Box<PacketInjector>),
    Seat(Box<Seat>),
    PacketTx(Box<dyn PacketTx>),
    PacketRx(Box<dyn PacketRx>),
    TxFormat(Box<TxFormat>),
    TxEvents(Box<TxEvents>),
    RxFormat(Box<RxFormat>),
    Decoder(Box<dyn Decoder + Send>),
}

/// The real-time end.
pub(crate) struct TrashBin {
    ring: Producer<Trash>,
    waiting: Option<Trash>,
}

/// The control end.
pub(crate) struct TrashHeap {
    ring: Consumer<Trash>,
}

/// Both ends of a ring for `capacity` objects.
pub(crate) fn trash(capacity: usize) -> (TrashBin, TrashHeap) {
    let (producer, consumer) = ring(capacity);
    (TrashBin { ring: producer, waiting: None }, TrashHeap { ring: consumer })
}

impl TrashBin {
    /// Tries to send what waits; whether there is room for one more object.
    pub(crate) fn has_room(&mut self) -> bool {
        if let Some(waiting) = self.waiting.take() {
            self.waiting = self.ring.push(waiting).err();
        }
        self.waiting.is_none()
    }

    /// Retires an object. To be called once after each [`Self::has_room`] that told so.
    pub(crate) fn retire(&mut self, object: Trash) {
        let left = self.ring.push(object).err();
        if left.is_some() {
            debug_assert!(self.waiting.is_none(), "retired without room");
            self.waiting = left;
        }
    }
}

impl TrashHeap {
    /// Drops everything that has come; how many objects.
    pub(crate) fn empty(&mut self) -> usize {
        std::iter::from_fn(|| self.ring.pop()).map(drop).count()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use assert_no_alloc::assert_no_alloc;

    use super::*;
    use crate::command::{CommandRing, RxOrder, SinkId, commands};
    use crate::config::EngineConfig;
    use crate::meters::{Meters, RxMeters, TxMeters};
    use crate::rt::log::LogEvent;
    use crate::rt::rx::RxProcessor;

    /// Counts how many of it were dropped.
    struct Witness(Arc<AtomicUsize>);

    impl Sink for Witness {
        fn write(&mut self, _played_ns: u64, _block: &[i16]) {}
    }

    impl Drop for Witness {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_full_ring_holds_commands_back_and_drops_nothing_in_real_time() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let meters = Arc::new(Meters::new(&TxMeters::default(), &RxMeters::default()));
        let (mut sender, receiver) = commands(16, CommandRing::Receive);
        let (bin, mut heap) = trash(2);
        let config = EngineConfig { max_nodes: 5, ..EngineConfig::new(8_000) };
        let (log, mut records) = ring(4);
        let mut rx = RxProcessor::new(config, receiver, bin, Arc::clone(&meters), ring(1).0, log);
        for n in 0..5 {
            let sink = Box::new(Witness(Arc::clone(&dropped)));
            assert!(sender.send(RxOrder::AddSink(SinkId(n), sink, Arc::new(NodeMeter::new()))).is_ok());
        }
        for n in 0..5 {
            assert!(sender.send(RxOrder::RemoveSink(SinkId(n))).is_ok());
        }
        let mut blocks = |n| {
            for _ in 0..n {
                assert_no_alloc(|| rx.process(0, &mut [0; 80]));
            }
            meters.rx()
        };
        let stuck = blocks(10);
        // Two removals are in the ring, one in the slot; the others wait.
        assert_eq!((stuck.commands, dropped.load(Ordering::Relaxed)), (8, 0));
        assert!(stuck.trash_stalls >= 8, "{}", stuck.trash_stalls);
        assert_eq!(records.pop().map(|record| record.event), Some(LogEvent::RxStalls));
        assert_eq!(records.pop(), None, "told once");
        assert_eq!((heap.empty(), dropped.load(Ordering::Relaxed)), (2, 2));
        assert_eq!(blocks(1).commands, 10 - 1 + 1);
        assert_eq!((heap.empty(), dropped.load(Ordering::Relaxed)), (2, 4));
        let done = blocks(1);
        assert_eq!((heap.empty(), dropped.load(Ordering::Relaxed)), (1, 5));
        assert_eq!(blocks(1).trash_stalls, done.trash_stalls);
    }
}
