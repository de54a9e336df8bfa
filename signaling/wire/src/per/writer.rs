//! Writes bits, lengths, open types and extension bitmaps (X.691, aligned variant).
//! In: numbers and octets. Out: one message. Strict: what cannot be written is an error.
//! Not here: what the bits mean (the [`Codec`]s).

use super::error::{Error, Kind, Result, within};
use super::unknown::{UnknownAdditions, UnknownAlternative};
use super::{Codec, MAX_DEPTH};

/// A message under construction.
#[derive(Debug)]
pub struct Writer {
    octets: Vec<u8>,
    /// Bits used of the last octet; 0 means that it is full (or that there is none).
    used: u32,
    depth: usize,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// Starts an empty message.
    pub fn new() -> Self {
        Writer { octets: Vec::with_capacity(256), used: 0, depth: MAX_DEPTH }
    }

    /// The message. An empty encoding becomes one zero octet (X.691 10.1.3).
    pub fn finish(mut self) -> Vec<u8> {
        if self.octets.is_empty() {
            self.octets.push(0);
        }
        self.octets
    }

    #[cold]
    pub(crate) fn error(&self, kind: Kind) -> Error {
        Error::new(kind, self.octets.len())
    }

    // --- bits and octets -------------------------------------------------------------------

    #[inline]
    pub(crate) fn bit(&mut self, bit: bool) {
        self.bits(u64::from(bit), 1);
    }

    /// The low `count` bits (at most 64) of `value`.
    #[inline]
    pub(crate) fn bits(&mut self, value: u64, count: u32) {
        let mut left = count;
        if let Some(last) = self.octets.last_mut()
            && self.used != 0
        {
            let free = 8 - self.used;
            let take = free.min(left);
            left -= take;
            *last |= (((value >> left) & ((1 << take) - 1)) << (free - take)) as u8;
            self.used = (self.used + take) % 8;
        }
        while left >= 8 {
            left -= 8;
            self.octets.push((value >> left) as u8);
        }
        if left > 0 {
            self.octets.push((value << (8 - left)) as u8);
            self.used = left;
        }
    }

    #[inline]
    pub(crate) fn align(&mut self) {
        self.used = 0;
    }

    /// Octets from an octet boundary; an empty slice writes nothing, not even padding.
    pub(crate) fn octets(&mut self, octets: &[u8]) {
        if !octets.is_empty() {
            self.align();
            self.octets.extend_from_slice(octets);
        }
    }

    // --- numbers and lengths ---------------------------------------------------------------

    /// A constrained whole number (X.691 10.5).
    #[inline]
    pub(crate) fn constrained(&mut self, low: i64, high: i64, value: i64) -> Result<()> {
        if value < low || value > high {
            return Err(self.error(Kind::OutOfRange));
        }
        let range = high.wrapping_sub(low) as u64;
        let offset = value.wrapping_sub(low) as u64;
        match range {
            0 => {}
            1..=254 => self.bits(offset, 64 - range.leading_zeros()),
            255 => {
                self.align();
                self.bits(offset, 8);
            }
            256..=65_535 => {
                self.align();
                self.bits(offset, 16);
            }
            _ => {
                let most = (71 - range.leading_zeros()) / 8;
                let count = ((71 - offset.leading_zeros()) / 8).max(1);
                self.bits(u64::from(count) - 1, 32 - (most - 1).leading_zeros());
                self.align();
                self.bits(offset, 8 * count);
            }
        }
        Ok(())
    }

    /// A length determinant without upper bound (X.691 10.9) for `left` items: how many of them
    /// this fragment takes, and whether another must follow.
    pub(crate) fn length(&mut self, left: usize) -> (usize, bool) {
        self.align();
        match left {
            0..=0x7f => {
                self.bits(left as u64, 8);
                (left, false)
            }
            0x80..=0x3fff => {
                self.bits(0x8000 | left as u64, 16);
                (left, false)
            }
            _ => {
                let blocks = (left / 16_384).min(4);
                self.bits(0xc0 | blocks as u64, 8);
                (blocks * 16_384, true)
            }
        }
    }

    /// A normally small non-negative number (X.691 10.6).
    pub(crate) fn small(&mut self, value: u32) {
        if value < 64 {
            self.bits(u64::from(value), 7);
        } else {
            let count = (39 - value.leading_zeros()) / 8;
            self.bit(true);
            self.length(count as usize);
            self.bits(u64::from(value), 8 * count);
        }
    }

    /// Octets behind a length determinant without upper bound, in fragments if they must be.
    pub(crate) fn counted_octets(&mut self, octets: &[u8]) {
        let mut left = octets;
        loop {
            let (count, more) = self.length(left.len());
            let (now, later) = left.split_at(count);
            self.octets(now);
            left = later;
            if !more {
                return;
            }
        }
    }

    // --- nesting and open types --------------------------------------------------------------

    pub(crate) fn descend(&mut self) -> Result<()> {
        match self.depth.checked_sub(1) {
            Some(rest) => {
                self.depth = rest;
                Ok(())
            }
            None => Err(self.error(Kind::TooDeep)),
        }
    }

    pub(crate) fn ascend(&mut self) {
        self.depth += 1;
    }

    /// Starts an open type: its value follows in place, behind room for a short length.
    /// Returns where the value starts, for [`leave_open`](Self::leave_open).
    pub(crate) fn enter_open(&mut self) -> Result<usize> {
        self.descend()?;
        self.align();
        self.octets.push(0);
        Ok(self.octets.len())
    }

    /// Ends an open type: fills in its length, making room where a short one does not do.
    pub(crate) fn leave_open(&mut self, start: usize) {
        self.ascend();
        self.align();
        if self.octets.len() == start {
            self.octets.push(0);
        }
        let count = self.octets.len() - start;
        if count < 0x4000 {
            let long = count > 0x7f;
            if long {
                self.octets.insert(start, count as u8);
            }
            if let Some(length) = self.octets.get_mut(start - 1) {
                *length = if long { 0x80 | (count >> 8) as u8 } else { count as u8 };
            }
        } else {
            let value = self.octets.split_off(start);
            self.octets.pop();
            self.counted_octets(&value);
        }
    }

    // --- members of SEQUENCEs and CHOICEs (called by the schema's macros) --------------------

    pub(crate) fn optional<T, C: Codec<T>>(&mut self, value: &Option<T>, name: &'static str) -> Result<()> {
        match value {
            Some(value) => within(name, C::encode(value, self)),
            None => Ok(()),
        }
    }

    /// The extension bit, and the presence bits of optional root members.
    pub(crate) fn preamble(&mut self, extended: Option<bool>, optional: &[bool]) {
        if let Some(extended) = extended {
            self.bit(extended);
        }
        self.bitmap(optional);
    }

    fn bitmap(&mut self, present: &[bool]) {
        for part in present.chunks(64) {
            self.bits(part.iter().fold(0, |bits, bit| bits << 1 | u64::from(*bit)), part.len() as u32);
        }
    }

    /// The presence bitmap of the known additions and of those kept unknown.
    pub(crate) fn additions(&mut self, known: &[bool], unknown: &UnknownAdditions) {
        let count = known.len().max(unknown.bitmap_length());
        if count <= 64 {
            self.bits(count as u64 - 1, 7);
        } else {
            self.bit(true);
            self.length(count);
        }
        self.bitmap(known);
        let mut index = known.len();
        for addition in unknown.iter().skip_while(|a| (a.index() as usize) < known.len()) {
            self.zeros(addition.index() as usize - index);
            self.bit(true);
            index = addition.index() as usize + 1;
        }
        self.zeros(count - index);
    }

    fn zeros(&mut self, count: usize) {
        for _ in 0..count {
            self.bit(false);
        }
    }

    pub(crate) fn addition<T, C: Codec<T>>(&mut self, value: &Option<T>, name: &'static str) -> Result<()> {
        let Some(value) = value else { return Ok(()) };
        let open = self.enter_open()?;
        within(name, C::encode(value, self))?;
        self.leave_open(open);
        Ok(())
    }

    /// The contents of the additions kept unknown, behind the `known` ones.
    pub(crate) fn unknown_additions(&mut self, known: usize, unknown: &UnknownAdditions) {
        for addition in unknown.iter().filter(|a| a.index() as usize >= known) {
            self.counted_octets(addition.octets());
        }
    }

    pub(crate) fn root_alternative(&mut self, extensible: bool, roots: usize, index: u32) -> Result<()> {
        if extensible {
            self.bit(false);
        }
        self.constrained(0, roots as i64 - 1, i64::from(index))
    }

    pub(crate) fn extension_alternative(&mut self, index: u32) {
        self.bit(true);
        self.small(index);
    }

    pub(crate) fn unknown_alternative(&mut self, unknown: &UnknownAlternative) {
        self.extension_alternative(unknown.index());
        self.counted_octets(unknown.octets());
    }
}
