//! Reads bits, lengths, open types and extension bitmaps of one message (X.691, aligned variant).
//! In: the message as [`Bytes`]. Out: numbers, slices that share the message's memory, errors with
//! the octet offset. Guards the budgets (nesting, memory, work) on behalf of all types, and notes
//! where a peer's octets deviate from the canonical form.
//! Not here: open types and the members of SEQUENCEs and CHOICEs (`members`); what the bits mean
//! (the [`Codec`](super::Codec)s).

use bytes::Bytes;

use super::error::{Blame, Error, Kind, Result};
use super::form::{Deviation, Form, LONG_END, SHORT_END, canonical_fragments};
use super::{MAX_DEPTH, MEMORY_FLOOR, MEMORY_PER_OCTET, WORK_FLOOR, WORK_PER_OCTET};

/// A position in a message, with what is left of its budgets.
#[derive(Debug)]
pub struct Reader {
    pub(super) source: Bytes,
    /// The sources around that one, where open types were rejoined from fragments.
    pub(super) outer: Vec<Bytes>,
    /// The next bit, and the bit behind the last: of the message, or of the open type being read.
    pub(super) at: usize,
    pub(super) end: usize,
    pub(super) depth: usize,
    memory: usize,
    work: usize,
    /// The budget did not hold all that was noted: the message must fail.
    pub(super) overdrawn: bool,
    /// To be added to `at` for a position of [`Deviation`], which starts at `scope`.
    pub(super) shift: usize,
    pub(super) scope: usize,
    /// Of the SEQUENCEs being read, outermost first.
    pub(super) noted: Vec<Deviation>,
}

/// A place for [`Reader::note_at`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(super) at: usize,
    before: usize,
}

/// How many copied octets count as a step.
const OCTETS_PER_STEP: usize = 64;

/// The memory, in octets, that a message of `length` octets may take.
pub(super) fn memory_budget(length: usize) -> usize {
    length.saturating_mul(MEMORY_PER_OCTET).max(MEMORY_FLOOR)
}

/// The steps that a message of `length` octets may take.
pub(super) fn work_budget(length: usize) -> usize {
    length.saturating_mul(WORK_PER_OCTET).max(WORK_FLOOR)
}

impl Reader {
    /// Starts at the first bit of `message`.
    pub fn new(message: &Bytes) -> Self {
        Reader {
            source: message.clone(),
            outer: Vec::new(),
            at: 0,
            end: message.len().saturating_mul(8),
            depth: MAX_DEPTH,
            memory: memory_budget(message.len()),
            work: work_budget(message.len()),
            overdrawn: false,
            shift: 0,
            scope: 0,
            noted: Vec::new(),
        }
    }

    /// An error at the present octet.
    #[cold]
    pub(crate) fn error(&self, kind: Kind) -> Error {
        Error::new(kind, Blame::Peer, self.at / 8)
    }

    #[inline]
    pub(super) fn left(&self) -> usize {
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

    /// A bit elsewhere in the source.
    pub(super) fn bit_at(&self, at: usize) -> bool {
        self.source.get(at / 8).is_some_and(|octet| octet & (0x80 >> (at % 8)) != 0)
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

    /// The next octet, on an octet boundary.
    #[inline]
    fn octet(&mut self) -> Result<u8> {
        match self.source.get(self.at / 8) {
            Some(octet) if self.left() >= 8 => {
                self.at += 8;
                Ok(*octet)
            }
            _ => Err(self.error(Kind::Truncated)),
        }
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
        let used = self.at % 8;
        if used != 0 {
            let octet = self.source.get(self.at / 8).copied().unwrap_or_default();
            let padding = octet & (0xff >> used);
            if padding != 0 {
                self.note(Form::Padding(padding));
            }
            self.at += 8 - used;
        }
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
            None => Err(Error::new(Kind::Truncated, Blame::Peer, first)),
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
                u64::from(self.octet()?)
            }
            256..=65_535 => {
                self.align();
                self.bits(16)?
            }
            _ => {
                let most = (71 - range.leading_zeros()) / 8;
                let here = self.place();
                let count = self.bits(32 - (most - 1).leading_zeros())? as u32 + 1;
                if count > most {
                    return Err(self.error(Kind::BadLength));
                }
                self.align();
                let offset = self.bits(8 * count)?;
                if count > 1 && offset >> (8 * (count - 1)) == 0 {
                    self.note_at(here, Form::Octets(count as u16));
                }
                offset
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
        let here = self.place();
        let (length, more) = self.raw_length()?;
        if more {
            if length < 65_536 {
                self.note_at(here, Form::Blocks((length / 16_384) as u8));
            }
        } else if length < 0x80 && self.at != here.at + 8 {
            self.note_at(here, Form::LongLength);
        }
        Ok((length, more))
    }

    /// As `length`, on an octet boundary, and whatever its form.
    #[inline]
    pub(super) fn raw_length(&mut self) -> Result<(usize, bool)> {
        let first = usize::from(self.octet()?);
        match first {
            0..=0x7f => Ok((first, false)),
            0x80..=0xbf => Ok(((first & 0x3f) << 8 | usize::from(self.octet()?), false)),
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
        let here = self.place();
        if !self.bit()? {
            return Ok(self.bits(6)? as u32);
        }
        let count = match self.whole_length()? {
            count @ 1..=4 => count as u32,
            _ => return Err(self.error(Kind::BadLength)),
        };
        let value = self.bits(8 * count)? as u32;
        if value < 64 || value >> (8 * (count - 1)) == 0 {
            self.note_at(here, Form::Octets(count as u16));
        }
        Ok(value)
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
        self.align();
        let here = self.place();
        let (count, more) = self.raw_length()?;
        if more {
            return self.fragments(here);
        }
        if count < 0x80 && self.at != here.at + 8 {
            self.note_at(here, Form::LongLength);
        }
        self.slice(count)
    }

    /// The fragments from `here` on, joined.
    pub(super) fn fragments(&mut self, here: Place) -> Result<Bytes> {
        let mut total = 0usize;
        let mut pieces = 0;
        self.at = here.at;
        loop {
            let (count, more) = self.raw_length()?;
            self.octets(count)?;
            total += count;
            pieces += 1;
            if !more {
                break;
            }
        }
        // Fragments without contents do not exist; each of 16K pays for its entry in `codes`.
        self.step(total / OCTETS_PER_STEP + pieces)?;
        self.charge(total)?;
        let end = std::mem::replace(&mut self.at, here.at);
        let mut joined = Vec::with_capacity(total);
        let mut codes = Vec::with_capacity(pieces);
        loop {
            let start = self.at;
            let (count, more) = self.raw_length()?;
            let long = self.at != start + 8;
            codes.push(match more {
                true => (count / 16_384) as u8,
                false if count < 0x80 && long => LONG_END,
                false => SHORT_END,
            });
            joined.extend_from_slice(self.octets(count)?);
            if !more {
                break;
            }
        }
        self.at = end;
        if !canonical_fragments(total).eq(codes.iter().copied()) {
            self.charge(codes.len())?;
            self.note_at(here, Form::Fragments(Box::new(codes.into())));
        }
        Ok(joined.into())
    }

    // --- deviations from the canonical form ------------------------------------------------

    /// Where a deviation would be noted that shows only later.
    #[inline]
    pub(crate) fn place(&self) -> Place {
        Place { at: self.at, before: self.noted.len() }
    }

    /// Notes a deviation at the present bit.
    #[cold]
    pub(crate) fn note(&mut self, form: Form) {
        self.note_at(self.place(), form);
    }

    /// Notes a deviation at an earlier bit.
    #[cold]
    #[inline(never)]
    pub(crate) fn note_at(&mut self, place: Place, form: Form) {
        let kept = match &form {
            Form::Surplus(..) | Form::Fragments(_) => size_of::<Bytes>(),
            _ => 0,
        };
        // Room in the list, which grows by doubling, and in the list that is kept of it.
        if self.charge(4 * size_of::<Deviation>() + kept).is_err() {
            self.overdrawn = true;
            return;
        }
        let at = place.at.wrapping_add(self.shift).wrapping_sub(self.scope) as u32;
        let before = place.before.min(self.noted.len());
        self.noted.insert(before, Deviation { at, form });
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

    /// What is left of the budgets: of memory, in octets, and of work, in steps.
    pub(super) fn budgets(&self) -> (usize, usize) {
        (self.memory, self.work)
    }

    /// Takes `steps` from the budget of work.
    #[inline]
    pub(crate) fn step(&mut self, steps: usize) -> Result<()> {
        match self.work.checked_sub(steps) {
            Some(rest) => {
                self.work = rest;
                Ok(())
            }
            None => Err(self.error(Kind::TooMuchWork)),
        }
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
}
