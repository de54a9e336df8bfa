//! Packets that wait, found by their extended sequence number; payloads are copied into cells made beforehand.
//! In: parsed packets. Out: the packet of a sequence number, or the first after it.
//!
//! Payloads share their room: each lies in a chain of cells of [`CELL`] octets. A slot of the largest payload for every
//! packet would be six times what telephony needs.
//! Not here: what is late (`playout.rs`), unwrapping of 16 and 32 bits (`sequence.rs`).
//! RT: no allocation, lock, syscall, log or panic (except in [`Store::new`]).

use crate::packet::PacketKind;

/// Octets of a cell: 20 ms of G.711 are five.
const CELL: usize = 32;
/// No cell.
const NONE: u16 = u16::MAX;

/// What is known of a packet when it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrived {
    /// Extended sequence number.
    pub(crate) sequence: i64,
    /// Extended timestamp, in samples.
    pub(crate) position: i64,
    /// Samples that the payload decodes to.
    pub(crate) samples: usize,
    pub(crate) kind: PacketKind,
}

/// What is known of a waiting packet beside its octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Extended sequence number.
    pub(crate) sequence: i64,
    /// Extended timestamp, in samples.
    pub(crate) position: i64,
    /// Samples that the payload decodes to.
    pub(crate) samples: usize,
    pub(crate) kind: PacketKind,
    octets: u32,
    /// Its first cell.
    first: u16,
}

/// A ring of slots; a packet lies in the slot of its sequence number modulo their count.
#[derive(Debug)]
pub(crate) struct Store {
    slots: Vec<Option<Entry>>,
    cells: Vec<[u8; CELL]>,
    /// The cell after each, in its packet or among the vacant.
    after: Vec<u16>,
    vacant: u16,
    vacancies: usize,
    /// The payload that was asked for last, in one piece.
    whole: Vec<u8>,
    count: usize,
}

impl Store {
    /// Room for `max_packets` packets of at most `max_payload` octets each and `max_octets` all together.
    pub(crate) fn new(max_packets: usize, max_payload: usize, max_octets: usize) -> Store {
        let cells = max_octets.max(max_payload).div_ceil(CELL).clamp(1, usize::from(NONE));
        let mut store = Store {
            slots: vec![None; max_packets.max(1)],
            cells: vec![[0; CELL]; cells],
            after: vec![NONE; cells],
            vacant: NONE,
            vacancies: 0,
            whole: vec![0; max_payload],
            count: 0,
        };
        store.clear();
        store
    }

    pub(crate) fn capacity(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The waiting packet of that sequence number.
    pub(crate) fn entry(&self, sequence: i64) -> Option<Entry> {
        let entry = *self.slots.get(self.index(sequence))?;
        entry.filter(|entry| entry.sequence == sequence)
    }

    /// The first waiting packet from that sequence number on, at most one capacity ahead.
    pub(crate) fn first_from(&self, sequence: i64) -> Option<Entry> {
        if self.is_empty() {
            return None;
        }
        (0..self.slots.len() as i64).find_map(|ahead| self.entry(sequence.saturating_add(ahead)))
    }

    /// The octets of a waiting packet.
    pub(crate) fn payload(&mut self, entry: &Entry) -> &[u8] {
        let Some(whole) = self.whole.get_mut(..entry.octets as usize) else { return &[] };
        let mut at = entry.first;
        for piece in whole.chunks_mut(CELL) {
            let (Some(cell), Some(after)) =
                (self.cells.get(usize::from(at)), self.after.get(usize::from(at)))
            else {
                return &[];
            };
            piece.copy_from_slice(cell.get(..piece.len()).unwrap_or_default());
            at = *after;
        }
        whole
    }

    /// Whether a payload is no longer than any may be.
    pub(crate) fn takes(&self, octets: usize) -> bool {
        octets <= self.whole.len()
    }

    /// Whether there is room for a payload now, in the place of what may still lie in its slot.
    pub(crate) fn has_room(&self, sequence: i64, octets: usize) -> bool {
        let old = self.slots.get(self.index(sequence)).copied().flatten();
        octets.div_ceil(CELL) <= self.vacancies + old.map_or(0, |old| old.cells())
    }

    /// Puts a packet into its slot, over what may still lie there. `false`: it is too large, or there is no room.
    pub(crate) fn insert(&mut self, packet: Arrived, payload: &[u8]) -> bool {
        let Arrived { sequence, position, samples, kind } = packet;
        if !self.takes(payload.len()) || !self.has_room(sequence, payload.len()) {
            return false;
        }
        let index = self.index(sequence);
        self.empty(index);
        let first = self.vacant;
        for piece in payload.chunks(CELL) {
            let at = usize::from(self.vacant);
            if let (Some(cell), Some(after)) = (self.cells.get_mut(at), self.after.get(at)) {
                cell.iter_mut().zip(piece).for_each(|(to, from)| *to = *from);
                self.vacant = *after;
                self.vacancies -= 1;
            }
        }
        let octets = payload.len() as u32;
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Some(Entry { sequence, position, samples, kind, octets, first });
            self.count += 1;
        }
        true
    }

    /// Takes a packet out of the store.
    pub(crate) fn remove(&mut self, sequence: i64) {
        if self.entry(sequence).is_some() {
            self.empty(self.index(sequence));
        }
    }

    /// Takes out all packets before that sequence number; tells how many.
    pub(crate) fn remove_before(&mut self, sequence: i64) -> usize {
        let before = self.count;
        if before > 0 {
            for index in 0..self.slots.len() {
                let slot = self.slots.get(index).copied().flatten();
                if slot.is_some_and(|entry| entry.sequence < sequence) {
                    self.empty(index);
                }
            }
        }
        before - self.count
    }

    pub(crate) fn clear(&mut self) {
        self.slots.fill(None);
        self.count = 0;
        self.vacant = NONE;
        for (at, after) in self.after.iter_mut().enumerate() {
            *after = self.vacant;
            self.vacant = at as u16;
        }
        self.vacancies = self.after.len();
    }

    /// Empties a slot; its cells are vacant again.
    fn empty(&mut self, index: usize) {
        let Some(entry) = self.slots.get_mut(index).and_then(Option::take) else { return };
        self.count -= 1;
        let mut at = entry.first;
        for _ in 0..entry.cells() {
            let Some(after) = self.after.get_mut(usize::from(at)) else { return };
            (self.vacant, at) = (at, std::mem::replace(after, self.vacant));
            self.vacancies += 1;
        }
    }

    fn index(&self, sequence: i64) -> usize {
        sequence.rem_euclid(self.slots.len() as i64) as usize
    }
}

impl Entry {
    fn cells(&self) -> usize {
        (self.octets as usize).div_ceil(CELL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(store: &mut Store, sequence: i64, payload: &[u8]) -> bool {
        let position = sequence * 160;
        store.insert(Arrived { sequence, position, samples: 160, kind: PacketKind::Sound }, payload)
    }

    #[test]
    fn packets_are_found_by_sequence_in_any_order_of_arrival() {
        let mut store = Store::new(8, 4, 32 * 8);
        for sequence in [5, 3, 4, 7] {
            assert!(put(&mut store, sequence, &[sequence as u8; 3]));
        }
        assert_eq!(store.len(), 4);
        assert_eq!(store.first_from(3).map(|entry| entry.sequence), Some(3));
        assert_eq!(store.first_from(6).map(|entry| entry.sequence), Some(7));
        assert_eq!(store.first_from(8), None);
        let entry = store.entry(4).unwrap();
        assert_eq!(store.payload(&entry), [4; 3]);
        store.remove(4);
        assert!(store.entry(4).is_none() && store.entry(5).is_some());
        assert_eq!(store.remove_before(7), 2);
        store.clear();
        assert!(store.is_empty());
    }

    #[test]
    fn too_large_a_payload_is_refused_and_a_slot_is_reused() {
        let mut store = Store::new(4, 4, 32 * 4);
        assert!(!put(&mut store, 1, &[0; 5]));
        assert!(put(&mut store, 1, &[0; 4]));
        assert!(put(&mut store, 5, &[1; 4]));
        assert_eq!(store.len(), 1);
        assert!(store.entry(1).is_none() && store.entry(5).is_some());
        assert!(put(&mut store, -3, &[9]), "numbers below zero are numbers");
    }

    #[test]
    fn payloads_of_any_length_share_the_room_and_come_out_whole() {
        let payload = |sequence: i64, octets: usize| -> Vec<u8> {
            (0..octets).map(|n| (n as i64 * 7 + sequence * 31) as u8).collect()
        };
        let mut store = Store::new(16, 200, 512);
        let mut waiting: Vec<(i64, usize)> = Vec::new();
        let mut seed = 1u32;
        let mut random = move |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) % below
        };
        for sequence in 0..20_000i64 {
            let octets = random(201) as usize;
            // What lies in the slot gives way to what comes, if that fits.
            let old = waiting.iter().position(|(known, _)| (known - sequence) % 16 == 0);
            let others = waiting.iter().enumerate().filter(|(n, _)| Some(*n) != old);
            let taken: usize = others.map(|(_, (_, octets))| octets.div_ceil(32)).sum();
            let fits = taken + octets.div_ceil(32) <= 16;
            assert_eq!(put(&mut store, sequence, &payload(sequence, octets)), fits, "{sequence}");
            if fits {
                old.map(|old| waiting.swap_remove(old));
                waiting.push((sequence, octets));
            }
            match random(40) {
                0 => {
                    store.clear();
                    waiting.clear();
                }
                1 => {
                    store.remove_before(sequence - 5);
                    waiting.retain(|(known, _)| *known >= sequence - 5);
                }
                _ if random(2) == 0 && !waiting.is_empty() => {
                    let (gone, _) = waiting.swap_remove(random(waiting.len() as u32) as usize);
                    store.remove(gone);
                }
                _ => {}
            }
            assert_eq!(store.len(), waiting.len());
            for (sequence, octets) in &waiting {
                let entry = store.entry(*sequence).unwrap();
                assert_eq!(store.payload(&entry), payload(*sequence, *octets));
            }
        }
    }
}
