//! Random choices that are the same everywhere, and damage done to octets.
//! In: a seed. Out: numbers; mutants. Not here: what is done with them.

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from zero to `bound` less one (zero, if that is nothing).
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// Whether one of `in_how_many` came up.
    pub fn one(&mut self, in_how_many: usize) -> bool {
        self.below(in_how_many) == 0
    }

    pub fn octets(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// One to five changes: bits, telling octets, cuts, insertions, repetitions, the tail of another.
pub fn mutate(octets: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut octets = octets.to_vec();
    for _ in 0..=random.below(5) {
        if octets.is_empty() {
            octets.push(random.next() as u8);
        }
        let at = random.below(octets.len());
        match random.below(10) {
            0..=2 => octets[at] ^= 1 << random.below(8),
            3 => octets[at] = *random.pick(&[0, 1, 0xff, 0x7f, 0x80, 0xbf, 0xc1, 0xc4]),
            4 => octets[at] = random.next() as u8,
            5 => octets.truncate(at),
            6 => octets.insert(at, random.next() as u8),
            7 => drop(octets.remove(at)),
            8 => {
                let end = (at + 1 + random.below(16)).min(octets.len());
                let piece = octets[at..end].to_vec();
                let copies = 1 + random.below(4);
                octets.splice(at..at, piece.repeat(copies));
            }
            _ => {
                let from = random.below(other.len());
                octets.splice(at.., other.iter().skip(from).copied());
            }
        }
    }
    octets
}
