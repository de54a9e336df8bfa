//! The call reference (Q.931 4.3): which call at this interface, and from whose side.
//! In and out: its length octet and value octets.
//! Not here: how a caller chooses values (the call machine).

use std::hash::{Hash, Hasher};

use bytes::{BufMut, BytesMut};

/// How many octets carry the value. H.225.0 7.2.1.1 uses two; the others appear from gateways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallReferenceLength {
    /// The dummy call reference (4.3): no value at all.
    Zero,
    /// Seven bits, as on a basic-rate interface.
    One,
    /// Fifteen bits: H.225.0 and primary-rate interfaces.
    Two,
}

impl CallReferenceLength {
    /// The number of value octets.
    #[must_use]
    pub fn octets(self) -> usize {
        match self {
            Self::Zero => 0,
            Self::One => 1,
            Self::Two => 2,
        }
    }
}

/// The call reference of a message. The global call reference is value 0.
#[derive(Debug, Clone, Copy)]
pub struct CallReference {
    length: CallReferenceLength,
    value: u16,
    from_destination: bool,
    /// The upper half of the length octet as it was received, which should be zero: sent on, and
    /// not compared.
    spare: u8,
}

impl PartialEq for CallReference {
    fn eq(&self, other: &Self) -> bool {
        (self.length, self.value, self.from_destination)
            == (other.length, other.value, other.from_destination)
    }
}

impl Eq for CallReference {}

impl Hash for CallReference {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.length, self.value, self.from_destination).hash(state);
    }
}

impl CallReference {
    /// The largest value in two octets.
    pub const MAX: u16 = 0x7fff;

    /// A two-octet call reference, as H.225.0 wants it; of `value` the lower 15 bits count.
    ///
    /// `from_destination` is the call reference flag: set in messages *to* the side that
    /// originated the call reference (the caller), clear in messages from it.
    #[must_use]
    pub fn new(value: u16, from_destination: bool) -> Self {
        Self { length: CallReferenceLength::Two, value: value & Self::MAX, from_destination, spare: 0 }
    }

    /// A call reference of any length; of `value` as many bits count as it has.
    #[must_use]
    pub fn with_length(length: CallReferenceLength, value: u16, from_destination: bool) -> Self {
        match length {
            CallReferenceLength::Zero => Self::dummy(),
            CallReferenceLength::One => Self { length, value: value & 0x7f, from_destination, spare: 0 },
            CallReferenceLength::Two => Self::new(value, from_destination),
        }
    }

    /// The dummy call reference of length 0.
    #[must_use]
    pub fn dummy() -> Self {
        Self { length: CallReferenceLength::Zero, value: 0, from_destination: false, spare: 0 }
    }

    /// The reference with which the other side names the same call: same value, other flag.
    #[must_use]
    pub fn flipped(self) -> Self {
        Self {
            from_destination: match self.length {
                CallReferenceLength::Zero => false,
                CallReferenceLength::One | CallReferenceLength::Two => !self.from_destination,
            },
            spare: 0,
            ..self
        }
    }

    /// The same, received behind a length octet whose upper half was not zero.
    pub(super) fn with_spare(self, length_octet: u8) -> Self {
        Self { spare: length_octet & 0xf0, ..self }
    }

    /// The value without the flag.
    #[must_use]
    pub fn value(self) -> u16 {
        self.value
    }

    /// The call reference flag.
    #[must_use]
    pub fn from_destination(self) -> bool {
        self.from_destination
    }

    /// How many octets carry the value.
    #[must_use]
    pub fn length(self) -> CallReferenceLength {
        self.length
    }

    /// Value 0 with a real length: all calls of the interface (4.3).
    #[must_use]
    pub fn is_global(self) -> bool {
        self.length != CallReferenceLength::Zero && self.value == 0
    }

    pub(super) fn from_octet(octet: u8) -> Self {
        Self {
            length: CallReferenceLength::One,
            value: u16::from(octet & 0x7f),
            from_destination: octet & 0x80 != 0,
            spare: 0,
        }
    }

    pub(super) fn from_octets(octets: [u8; 2]) -> Self {
        let whole = u16::from_be_bytes(octets);
        Self::new(whole, whole & 0x8000 != 0)
    }

    pub(super) fn encode(self, out: &mut BytesMut) {
        match self.length {
            CallReferenceLength::Zero => out.put_u8(self.spare),
            CallReferenceLength::One => {
                let [_, low] = self.value.to_be_bytes();
                out.put_u8(self.spare | 1);
                out.put_u8(low & 0x7f | if self.from_destination { 0x80 } else { 0 });
            }
            CallReferenceLength::Two => {
                out.put_u8(self.spare | 2);
                out.put_u16(self.value | if self.from_destination { 0x8000 } else { 0 });
            }
        }
    }
}
