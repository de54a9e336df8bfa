//! Reads bits, lengths, open types and extension bitmaps of one message (X.691, aligned variant).
//! In: the message as [`Bytes`]. Out: numbers, slices that share the message's memory, errors with
//! the octet offset. Guards the two budgets, nesting and memory, on behalf of all types.
//! Not here: what the bits mean (the [`Codec`]s).

use bytes::Bytes;

use super::error::{Error, Kind, Result, within};
use super::unknown::{UnknownAdditions, UnknownAlternative};
use super::{Codec, MAX_DEPTH, MEMORY_FLOOR, MEMORY_PER_OCTET};

/// A position in a message, with what is left of its budgets.
#[derive(Debug)]
pub struct Reader {
    source: Bytes,
    /// The next bit, and the bit behind the last: of the message, or of the open type being read.
    at: usize,
    end: usize,
    depth: usize,
    memory: usize,
}

/// Where to continue behind an open type. See [`Reader::enter_open`].
#[derive(Debug)]
pub(crate) struct OpenType {
    /// The outer source, if the open type came in fragments and was rejoined elsewhere.
    outer: Option<Bytes>,
    after: usize,
    end: usize,
}

/// The extension additions of one SEQUENCE: a cursor over its presence bitmap.
#[derive(Debug)]
pub(crate) struct Additions {
    state: Bitmap,
    next: usize,
}

#[derive(Clone, Copy, Debug)]
enum Bitmap {
    /// The extension bit was clear.
    Absent,
    /// The extension bit was set; the bitmap follows the root and has not been reached.
    Ahead,
    /// The bitmap's first bit, and its length.
    At { first: usize, count: usize },
}

impl Reader {
    /// Starts at the first bit of `message`.
    pub fn new(message: &Bytes) -> Self {
        Reader {
            source: message.clone(),
            at: 0,
            end: message.len().saturating_mul(8),
            depth: MAX_DEPTH,
            memory: message.len().saturating_mul(MEMORY_PER_OCTET).max(MEMORY_FLOOR),
        }
    }

    /// An error at the present octet.
    #[cold]
    pub(crate) fn error(&self, kind: Kind) -> Error {
        Error::new(kind, self.at / 8)
    }

    fn left(&self) -> usize {
        self.end.saturating_sub(self.at)
    }

    // --- bits and octets -------------------------------------------------------------------

    #[inline]
    pub(crate) fn bit(&mut self) -> Result<bool> {
        match self.source.get(self.at / 8) {
            Some(octet) if self.at < self.end => {
                let bit = octet & (0x80 >> (self.at % 8)) != 0;
                self.at += 1;
                Ok(bit)
            }
            _ => Err(self.error(Kind::Truncated)),
        }
    }

    /// The next `count` bits (at most 64) as a number.
    #[inline]
    pub(crate) fn bits(&mut self, count: u32) -> Result<u64> {
        if count == 0 {
            return Ok(0);
        }
        if self.left() < count as usize {
            return Err(self.error(Kind::Truncated));
        }
        let octet = self.at / 8;
        let skip = self.at % 8;
        let value = match self.source.get(octet..).and_then(|rest| rest.first_chunk::<8>()) {
            Some(window) if count <= 56 => (u64::from_be_bytes(*window) << skip) >> (64 - count),
            _ => self.bits_near_the_end(count),
        };
        self.at += count as usize;
        Ok(value)
    }

    /// As `bits`, octet by octet; the caller has checked that they exist.
    fn bits_near_the_end(&self, count: u32) -> u64 {
        let mut value = 0u64;
        let mut at = self.at;
        let mut need = count as usize;
        while need > 0 {
            let skip = at % 8;
            let take = (8 - skip).min(need);
            let octet = u64::from(self.source.get(at / 8).copied().unwrap_or_default());
            value = (value << take) | ((octet >> (8 - skip - take)) & ((1 << take) - 1));
            at += take;
            need -= take;
        }
        value
    }

    pub(crate) fn is_aligned(&self) -> bool {
        self.at.is_multiple_of(8)
    }

    #[inline]
    pub(crate) fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }

    /// The next `count` octets, from an octet boundary; nothing is skipped when `count` is zero.
    pub(crate) fn octets(&mut self, count: usize) -> Result<&[u8]> {
        if count == 0 {
            return Ok(&[]);
        }
        self.align();
        let bits = count.saturating_mul(8);
        if self.left() < bits {
            return Err(self.error(Kind::Truncated));
        }
        let first = self.at / 8;
        self.at += bits;
        match self.source.get(first..first + count) {
            Some(octets) => Ok(octets),
            None => Err(Error::new(Kind::Truncated, first)),
        }
    }

    /// As [`octets`](Self::octets), sharing the memory of the message.
    pub(crate) fn slice(&mut self, count: usize) -> Result<Bytes> {
        self.octets(count)?;
        let after = self.at / 8;
        Ok(if count == 0 { Bytes::new() } else { self.source.slice(after - count..after) })
    }

    // --- numbers and lengths ---------------------------------------------------------------

    /// A constrained whole number (X.691 10.5).
    #[inline]
    pub(crate) fn constrained(&mut self, low: i64, high: i64) -> Result<i64> {
        let range = high.wrapping_sub(low) as u64;
        let offset = match range {
            0 => 0,
            1..=254 => self.bits(64 - range.leading_zeros())?,
            255 => {
                self.align();
                self.bits(8)?
            }
            256..=65_535 => {
                self.align();
                self.bits(16)?
            }
            _ => {
                let most = (71 - range.leading_zeros()) / 8;
                let count = self.bits(32 - (most - 1).leading_zeros())? as u32 + 1;
                if count > most {
                    return Err(self.error(Kind::BadLength));
                }
                self.align();
                self.bits(8 * count)?
            }
        };
        if offset > range {
            return Err(self.error(Kind::OutOfRange));
        }
        Ok(low.wrapping_add(offset as i64))
    }

    /// A length determinant without upper bound (X.691 10.9): the length of this fragment, and
    /// whether another follows.
    #[inline]
    pub(crate) fn length(&mut self) -> Result<(usize, bool)> {
        self.align();
        let first = self.bits(8)? as usize;
        match first {
            0..=0x7f => Ok((first, false)),
            0x80..=0xbf => Ok(((first & 0x3f) << 8 | self.bits(8)? as usize, false)),
            0xc1..=0xc4 => Ok(((first & 0x3f) * 16_384, true)),
            _ => Err(self.error(Kind::BadLength)),
        }
    }

    /// A length that may not come in fragments.
    pub(crate) fn whole_length(&mut self) -> Result<usize> {
        match self.length()? {
            (length, false) => Ok(length),
            (_, true) => Err(self.error(Kind::BadLength)),
        }
    }

    /// A normally small non-negative number (X.691 10.6), within 32 bits.
    pub(crate) fn small(&mut self) -> Result<u32> {
        if !self.bit()? {
            return Ok(self.bits(6)? as u32);
        }
        match self.whole_length()? {
            count @ 1..=4 => Ok(self.bits(8 * count as u32)? as u32),
            _ => Err(self.error(Kind::BadLength)),
        }
    }

    /// A size: constrained if it has an upper bound below 64K, else a length determinant.
    /// `more` fragments occur only in the latter form.
    pub(crate) fn size(&mut self, low: usize, high: usize) -> Result<(usize, bool)> {
        if high < 65_536 {
            Ok((self.constrained(low as i64, high as i64)? as usize, false))
        } else {
            self.length()
        }
    }

    /// Octets behind a length determinant without upper bound, fragments joined.
    pub(crate) fn counted_octets(&mut self) -> Result<Bytes> {
        let start = self.at;
        let (count, mut more) = self.length()?;
        self.octets(count)?;
        if !more {
            let after = self.at / 8;
            return Ok(if count == 0 { Bytes::new() } else { self.source.slice(after - count..after) });
        }
        let mut total = count;
        while more {
            let (count, next) = self.length()?;
            self.octets(count)?;
            total += count;
            more = next;
        }
        self.charge(total)?;
        let end = std::mem::replace(&mut self.at, start);
        let mut joined = Vec::with_capacity(total);
        while joined.len() < total {
            let (count, _) = self.length()?;
            joined.extend_from_slice(self.octets(count)?);
        }
        self.at = end;
        Ok(joined.into())
    }

    // --- budgets ---------------------------------------------------------------------------

    /// Takes `octets` from the memory budget.
    #[inline]
    pub(crate) fn charge(&mut self, octets: usize) -> Result<()> {
        match self.memory.checked_sub(octets) {
            Some(rest) => {
                self.memory = rest;
                Ok(())
            }
            None => Err(self.error(Kind::TooLarge)),
        }
    }

    /// Takes room for `count` elements of type `T`, none of which is shorter than a bit.
    pub(crate) fn charge_elements<T>(&mut self, count: usize) -> Result<()> {
        if count > self.left() {
            return Err(self.error(Kind::Truncated));
        }
        self.charge(count.saturating_mul(size_of::<T>()))
    }

    /// Goes one level deeper. An error abandons the whole message, so that only success needs
    /// [`ascend`](Self::ascend).
    #[inline]
    pub(crate) fn descend(&mut self) -> Result<()> {
        match self.depth.checked_sub(1) {
            Some(rest) => {
                self.depth = rest;
                Ok(())
            }
            None => Err(self.error(Kind::TooDeep)),
        }
    }

    #[inline]
    pub(crate) fn ascend(&mut self) {
        self.depth += 1;
    }

    // --- open types ------------------------------------------------------------------------

    /// Confines reading to the open type that starts here, until [`leave_open`](Self::leave_open).
    pub(crate) fn enter_open(&mut self) -> Result<OpenType> {
        self.descend()?;
        let (count, more) = self.length()?;
        if !more {
            let after = self.at.saturating_add(count.saturating_mul(8));
            if after > self.end {
                return Err(self.error(Kind::Truncated));
            }
            let open = OpenType { outer: None, after, end: self.end };
            self.end = after;
            return Ok(open);
        }
        self.at -= 8;
        let joined = self.counted_octets()?;
        let open = OpenType { outer: None, after: self.at, end: self.end };
        self.at = 0;
        self.end = joined.len() * 8;
        let outer = std::mem::replace(&mut self.source, joined);
        Ok(OpenType { outer: Some(outer), ..open })
    }

    /// Continues behind an open type; what its value left over is ignored.
    pub(crate) fn leave_open(&mut self, open: OpenType) {
        if let Some(outer) = open.outer {
            self.source = outer;
        }
        self.at = open.after;
        self.end = open.end;
        self.ascend();
    }

    /// All octets of the open type just entered.
    fn open_octets(&mut self) -> Result<Bytes> {
        self.slice(self.left() / 8)
    }

    /// The alternative just entered, kept as it is.
    pub(crate) fn unknown_alternative(&mut self, index: u32) -> Result<UnknownAlternative> {
        self.charge(UnknownAlternative::COST)?;
        Ok(UnknownAlternative::new(index, self.open_octets()?))
    }

    // --- members of SEQUENCEs and CHOICEs (called by the schema's macros) --------------------

    /// The extension bit and the presence bits of `optional` root members, left-justified.
    pub(crate) fn preamble(&mut self, extensible: bool, optional: u32) -> Result<(Additions, u64)> {
        let state = if extensible && self.bit()? { Bitmap::Ahead } else { Bitmap::Absent };
        let present = match optional {
            0 => 0,
            _ => self.bits(optional)? << (64 - optional),
        };
        Ok((Additions { state, next: 0 }, present))
    }

    /// A root member whose presence is the next bit of `present`.
    pub(crate) fn optional<T, C: Codec<T>>(
        &mut self,
        present: &mut u64,
        slot: &mut Option<T>,
        name: &'static str,
    ) -> Result<()> {
        let here = *present >> 63 != 0;
        *present <<= 1;
        if here { within(name, C::decode(slot.insert(C::blank()), self)) } else { Ok(()) }
    }

    /// The next extension addition, if the sender knew it and sent it.
    pub(crate) fn addition<T, C: Codec<T>>(
        &mut self,
        additions: &mut Additions,
        slot: &mut Option<T>,
        name: &'static str,
    ) -> Result<()> {
        if let Some(open) = self.enter_addition(additions)? {
            within(name, C::decode(slot.insert(C::blank()), self))?;
            self.leave_open(open);
        }
        Ok(())
    }

    fn enter_addition(&mut self, additions: &mut Additions) -> Result<Option<OpenType>> {
        if !self.next_addition(additions)? {
            return Ok(None);
        }
        self.enter_open().map(Some)
    }

    /// The additions behind the last one that the schema knows.
    pub(crate) fn unknown_additions(
        &mut self,
        additions: &mut Additions,
        unknown: &mut UnknownAdditions,
    ) -> Result<()> {
        if let Bitmap::Absent = additions.state {
            return Ok(());
        }
        self.find_bitmap(additions)?;
        while let Bitmap::At { count, .. } = additions.state
            && additions.next < count
        {
            let index = additions.next;
            if unknown.bitmap_length() == 0 {
                self.charge(UnknownAdditions::COST)?;
                unknown.keep_bitmap_length(count);
            }
            if self.next_addition(additions)? {
                self.charge(UnknownAdditions::COST)?;
                unknown.keep(index as u32, self.counted_octets()?);
            }
        }
        Ok(())
    }

    fn next_addition(&mut self, additions: &mut Additions) -> Result<bool> {
        if let Bitmap::Ahead = additions.state {
            self.find_bitmap(additions)?;
        }
        let Bitmap::At { first, count } = additions.state else { return Ok(false) };
        if additions.next >= count {
            return Ok(false);
        }
        let at = first + additions.next;
        additions.next += 1;
        Ok(self.source.get(at / 8).is_some_and(|octet| octet & (0x80 >> (at % 8)) != 0))
    }

    /// Reads the bitmap's length and steps over its bits.
    fn find_bitmap(&mut self, additions: &mut Additions) -> Result<()> {
        let Bitmap::Ahead = additions.state else { return Ok(()) };
        let count = if self.bit()? { self.whole_length()? } else { self.bits(6)? as usize + 1 };
        if count == 0 {
            return Err(self.error(Kind::BadLength));
        }
        if count > self.left() {
            return Err(self.error(Kind::Truncated));
        }
        additions.state = Bitmap::At { first: self.at, count };
        self.at += count;
        Ok(())
    }

    /// The index of a CHOICE or ENUMERATED: in its extension root of `roots`, or (`true`) among
    /// the additions to it.
    pub(crate) fn alternative(&mut self, extensible: bool, roots: usize) -> Result<(bool, u32)> {
        if extensible && self.bit()? {
            return Ok((true, self.small()?));
        }
        match self.constrained(0, roots as i64 - 1) {
            Ok(index) => Ok((false, index as u32)),
            Err(error) if error.kind() == Kind::OutOfRange => Err(self.error(Kind::BadAlternative)),
            Err(error) => Err(error),
        }
    }
}
