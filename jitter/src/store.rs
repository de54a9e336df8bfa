//! Packets that wait, found by their extended sequence number; payloads are copied into slots made beforehand.
//! In: parsed packets. Out: the packet of a sequence number, or the first after it.
//! Not here: what is late (`playout.rs`), unwrapping of 16 and 32 bits (`sequence.rs`).
//! RT: no allocation, lock, syscall, log or panic (except in [`Store::new`]).

/// What is known of a waiting packet beside its octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Extended sequence number.
    pub(crate) sequence: i64,
    /// Extended timestamp, in samples.
    pub(crate) position: i64,
    /// Samples that the payload decodes to.
    pub(crate) samples: usize,
    /// When it arrived, nanoseconds.
    pub(crate) arrival_ns: u64,
    octets: usize,
}

/// A ring of slots; a packet lies in the slot of its sequence number modulo their count.
#[derive(Debug)]
pub(crate) struct Store {
    slots: Vec<Option<Entry>>,
    octets: Vec<u8>,
    max_payload: usize,
    count: usize,
}

impl Store {
    pub(crate) fn new(max_packets: usize, max_payload: usize) -> Store {
        Store {
            slots: vec![None; max_packets],
            octets: vec![0; max_packets * max_payload],
            max_payload,
            count: 0,
        }
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
    pub(crate) fn payload(&self, entry: &Entry) -> &[u8] {
        let start = self.index(entry.sequence) * self.max_payload;
        self.octets.get(start..start + entry.octets).unwrap_or_default()
    }

    /// Puts a packet into its slot, over what may still lie there. `false`: the payload is too large.
    pub(crate) fn insert(
        &mut self,
        sequence: i64,
        position: i64,
        samples: usize,
        arrival_ns: u64,
        payload: &[u8],
    ) -> bool {
        let index = self.index(sequence);
        let start = index * self.max_payload;
        let space = self.octets.get_mut(start..start + payload.len().min(self.max_payload));
        let (Some(space), Some(slot)) = (space, self.slots.get_mut(index)) else { return false };
        if space.len() != payload.len() {
            return false;
        }
        space.copy_from_slice(payload);
        let old = slot.replace(Entry { sequence, position, samples, arrival_ns, octets: payload.len() });
        self.count += usize::from(old.is_none());
        true
    }

    /// Takes a packet out of the store.
    pub(crate) fn remove(&mut self, sequence: i64) {
        let index = self.index(sequence);
        if let Some(slot) = self.slots.get_mut(index)
            && slot.is_some_and(|entry| entry.sequence == sequence)
        {
            *slot = None;
            self.count -= 1;
        }
    }

    /// Takes out all packets before that sequence number; tells how many.
    pub(crate) fn remove_before(&mut self, sequence: i64) -> usize {
        let before = self.count;
        if before > 0 {
            for slot in &mut self.slots {
                if slot.is_some_and(|entry| entry.sequence < sequence) {
                    *slot = None;
                    self.count -= 1;
                }
            }
        }
        before - self.count
    }

    pub(crate) fn clear(&mut self) {
        self.slots.fill(None);
        self.count = 0;
    }

    fn index(&self, sequence: i64) -> usize {
        sequence.rem_euclid(self.slots.len() as i64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_found_by_sequence_in_any_order_of_arrival() {
        let mut store = Store::new(8, 4);
        for sequence in [5, 3, 4, 7] {
            assert!(store.insert(sequence, sequence * 160, 160, 0, &[sequence as u8; 3]));
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
        let mut store = Store::new(4, 4);
        assert!(!store.insert(1, 0, 5, 0, &[0; 5]));
        assert!(store.insert(1, 0, 4, 0, &[0; 4]));
        assert!(store.insert(5, 640, 4, 0, &[1; 4]));
        assert_eq!(store.len(), 1);
        assert!(store.entry(1).is_none() && store.entry(5).is_some());
        assert!(store.insert(-3, 0, 1, 0, &[9]), "numbers below zero are numbers");
    }
}
