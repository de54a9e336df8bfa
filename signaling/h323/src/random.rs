//! Numbers drawn from the seed that the driver hands in (statusDeterminationNumber, H.245 C.2).
//! Not here: identifiers (callIdentifier, conferenceID), which the driver makes.

/// SplitMix64 (Steele, Lea, Flood 2014): statistically sound, not secret; nothing that it makes is.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A statusDeterminationNumber: INTEGER (0..16777215).
    pub(crate) fn determination_number(&mut self) -> u32 {
        (self.next() >> 40) as u32
    }
}
