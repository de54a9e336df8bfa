//! A wait-free ring of blocks, each whole, with its time: from one thread to one other.
//! In: slices of samples or octets with a time in nanoseconds. Out: the same, in order, whole or not at all.
//!
//! A block that finds no room is dropped (the newest, for nobody but the reader may touch what is in the ring) and
//! counted. A block is in the ring once its stamp is: the reader never sees half of one.
//! Not here: what the blocks are (`pcm.rs`, `packet_tap.rs`).
//! RT: no allocation, lock, syscall, log or panic. ([`blocks`] allocates and is called by control.)

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

/// The end that writes.
pub(crate) struct BlockWriter<T> {
    data: HeapProd<T>,
    stamps: HeapProd<Stamp>,
    counts: Arc<BlockCounts>,
}

/// The end that reads.
pub(crate) struct BlockReader<T> {
    data: HeapCons<T>,
    stamps: HeapCons<Stamp>,
    counts: Arc<BlockCounts>,
}

/// When a block was, and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) at_ns: u64,
    pub(crate) len: usize,
}

/// What both ends know. Written by the writer only.
#[derive(Debug, Default)]
pub(crate) struct BlockCounts {
    pub(crate) blocks: AtomicU64,
    pub(crate) elements: AtomicU64,
    pub(crate) dropped_blocks: AtomicU64,
    pub(crate) dropped_elements: AtomicU64,
}

/// Both ends of a ring for `elements` elements in at most `blocks` blocks.
pub(crate) fn blocks<T: Copy + Send>(elements: usize, blocks: usize) -> (BlockWriter<T>, BlockReader<T>) {
    let (to, from) = HeapRb::new(elements.max(1)).split();
    let (stamp, stamps) = HeapRb::new(blocks.max(1)).split();
    let counts = Arc::new(BlockCounts::default());
    (
        BlockWriter { data: to, stamps: stamp, counts: Arc::clone(&counts) },
        BlockReader { data: from, stamps, counts },
    )
}

impl<T: Copy> BlockWriter<T> {
    /// Puts a block in; whether there was room.
    pub(crate) fn write(&mut self, at_ns: u64, block: &[T]) -> bool {
        if block.is_empty() {
            return true;
        }
        let len = block.len();
        let has_room = self.data.vacant_len() >= len && !self.stamps.is_full();
        let (blocks, elements) = if has_room {
            self.data.push_slice(block);
            // There is room: only this end takes it.
            let _ = self.stamps.try_push(Stamp { at_ns, len });
            (&self.counts.blocks, &self.counts.elements)
        } else {
            (&self.counts.dropped_blocks, &self.counts.dropped_elements)
        };
        blocks.fetch_add(1, Ordering::Relaxed);
        elements.fetch_add(len as u64, Ordering::Relaxed);
        has_room
    }

    /// Elements that wait for the reader.
    pub(crate) fn occupied(&self) -> usize {
        self.data.occupied_len()
    }

    /// Elements that the ring holds.
    pub(crate) fn capacity(&self) -> usize {
        self.data.capacity().get()
    }

    /// Whether the other end is still there.
    pub(crate) fn is_read(&self) -> bool {
        self.data.read_is_held()
    }
}

impl<T: Copy> BlockReader<T> {
    /// Takes the next block's stamp: its elements are then to be taken or skipped, all of them, before the next.
    pub(crate) fn next(&mut self) -> Option<Stamp> {
        self.stamps.try_pop()
    }

    /// Takes elements of the block that was begun.
    pub(crate) fn take(&mut self, out: &mut [T]) -> usize {
        self.data.pop_slice(out)
    }

    /// Skips elements of the block that was begun.
    pub(crate) fn skip(&mut self, elements: usize) -> usize {
        self.data.skip(elements)
    }

    /// Elements that wait.
    pub(crate) fn occupied(&self) -> usize {
        self.data.occupied_len()
    }

    /// Elements that the ring holds.
    pub(crate) fn capacity(&self) -> usize {
        self.data.capacity().get()
    }

    pub(crate) fn counts(&self) -> &BlockCounts {
        &self.counts
    }

    /// Whether the other end is still there.
    pub(crate) fn is_written(&self) -> bool {
        self.data.write_is_held()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use assert_no_alloc::assert_no_alloc;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Against a queue of vectors: what fits comes out whole, in order, with its time; what does not is counted.
        #[test]
        fn a_ring_of_blocks_is_a_bounded_queue(
            elements in 1usize..40,
            room in 1usize..6,
            steps in prop::collection::vec((any::<bool>(), 0usize..20), 1..200),
        ) {
            let (mut writer, mut reader) = blocks::<i16>(elements, room);
            let mut model: VecDeque<(u64, Vec<i16>)> = VecDeque::new();
            let (mut dropped, mut next) = ((0, 0), 0i16);
            for (at_ns, (is_write, len)) in steps.into_iter().enumerate() {
                let at_ns = at_ns as u64;
                if is_write {
                    let block: Vec<i16> = (0..len as i16).map(|n| next.wrapping_add(n)).collect();
                    next = next.wrapping_add(len as i16);
                    let held: usize = model.iter().map(|(_, block)| block.len()).sum();
                    let fits = len == 0 || (held + len <= elements && model.len() < room);
                    prop_assert_eq!(assert_no_alloc(|| writer.write(at_ns, &block)), fits);
                    if !fits {
                        dropped = (dropped.0 + 1, dropped.1 + len as u64);
                    } else if len > 0 {
                        model.push_back((at_ns, block));
                    }
                } else {
                    let mut out = [0; 20];
                    let got = assert_no_alloc(|| reader.next().map(|stamp| (stamp, reader.take(&mut out[..stamp.len]))));
                    let want = model.pop_front();
                    prop_assert_eq!(got.map(|(stamp, _)| stamp.at_ns), want.as_ref().map(|(at, _)| *at));
                    if let (Some((stamp, taken)), Some((_, want))) = (got, want) {
                        prop_assert_eq!((stamp.len, taken), (want.len(), want.len()));
                        prop_assert_eq!(&out[..taken], want.as_slice());
                    }
                }
                prop_assert_eq!(writer.occupied(), model.iter().map(|(_, block)| block.len()).sum::<usize>());
            }
            let counts = reader.counts();
            prop_assert_eq!(counts.dropped_blocks.load(Ordering::Relaxed), dropped.0);
            prop_assert_eq!(counts.dropped_elements.load(Ordering::Relaxed), dropped.1);
        }
    }
}
