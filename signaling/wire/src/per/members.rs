//! Reads open types, and the members of SEQUENCEs and CHOICEs on behalf of the schema's macros.
//! In: a [`Reader`] where one starts. Out: members read, or a presence and an index.
//! Not here: bits, lengths, budgets (`reader`).

use bytes::Bytes;

use super::Codec;
use super::error::{Kind, Result, within};
use super::form::{Deviations, Form};
use super::reader::Reader;
use super::unknown::{UnknownAdditions, UnknownAlternative};

/// Where to continue behind an open type. See [`Reader::enter_open`].
#[derive(Debug)]
pub(crate) struct OpenType {
    /// The outer source, if the open type came in fragments and was rejoined elsewhere.
    outer: Option<Bytes>,
    start: usize,
    after: usize,
    end: usize,
    shift: usize,
}

/// The extension additions of one SEQUENCE: a cursor over its presence bitmap.
#[derive(Debug)]
pub(crate) struct Additions {
    /// Whether the extension bit was set, so that a bitmap follows the root.
    announced: bool,
    /// The next presence bits, left-justified, and how many they are.
    bits: u64,
    cached: usize,
    /// Where in the source the others are, and how many.
    rest_at: usize,
    rest: usize,
    /// How many bits were taken, and how many were set.
    taken: usize,
    present: usize,
    /// The scope of deviations around this SEQUENCE, and how many had been noted there.
    scope: usize,
    noted: usize,
}

/// The start of an open type that may be of any length.
const NOWHERE: usize = usize::MAX;

impl Additions {
    /// Whether the next addition is there.
    #[inline]
    fn next(&mut self, reader: &mut Reader) -> Result<bool> {
        if self.cached == 0 {
            if self.rest == 0 {
                return Ok(false);
            }
            self.load(reader)?;
        }
        let here = self.bits >> 63 != 0;
        self.bits <<= 1;
        self.cached -= 1;
        self.taken += 1;
        self.present += usize::from(here);
        Ok(here)
    }

    /// Caches the next bits of the bitmap.
    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.cached = self.rest.min(64);
        let now = std::mem::replace(&mut reader.at, self.rest_at);
        // An open type around this SEQUENCE does not end before its bitmap.
        let bits = reader.bits(self.cached as u32);
        reader.at = now;
        self.bits = bits? << (64 - self.cached);
        self.rest_at += self.cached;
        self.rest -= self.cached;
        Ok(())
    }
}

impl Reader {
    // --- open types ------------------------------------------------------------------------

    /// Confines reading to the open type that starts here, until [`leave_open`](Self::leave_open).
    pub(crate) fn enter_open(&mut self) -> Result<OpenType> {
        self.descend()?;
        self.align();
        let here = self.place();
        let (count, more) = self.raw_length()?;
        let shift = self.shift;
        if !more {
            let after = self.at.saturating_add(count.saturating_mul(8));
            if after > self.end {
                return Err(self.error(Kind::Truncated));
            }
            let long = self.at != here.at + 8;
            if long {
                self.shift = shift.wrapping_sub(8);
                if count < 0x80 {
                    // The place is before the length, where the shift does not matter yet.
                    self.shift = shift;
                    self.note_at(here, Form::LongLength);
                    self.shift = shift.wrapping_sub(8);
                }
            }
            let open = OpenType { outer: None, start: self.at, after, end: self.end, shift };
            self.end = after;
            return Ok(open);
        }
        let joined = self.fragments(here)?;
        let open = OpenType { outer: None, start: 0, after: self.at, end: self.end, shift };
        self.shift = shift.wrapping_add(here.at + 8);
        self.at = 0;
        self.end = joined.len() * 8;
        let outer = std::mem::replace(&mut self.source, joined);
        Ok(OpenType { outer: Some(outer), ..open })
    }

    /// Continues behind an open type; what its value left over does not matter, but is noted.
    pub(crate) fn leave_open(&mut self, open: OpenType) -> Result<()> {
        self.note_surplus(open.start)?;
        if let Some(outer) = open.outer {
            self.source = outer;
        }
        self.at = open.after;
        self.end = open.end;
        self.shift = open.shift;
        self.ascend();
        Ok(())
    }

    /// Notes what follows a value that started at `start`: of an open type, or of the message.
    #[inline]
    fn note_surplus(&mut self, start: usize) -> Result<()> {
        if self.at != start {
            self.align();
            if self.at < self.end {
                self.note_rest()?;
            }
        } else if self.left() != 8 || self.bits(8)? != 0 {
            // Not the one octet of zero that a value of no bits takes.
            self.at = start;
            self.note_rest()?;
        }
        Ok(())
    }

    #[cold]
    fn note_rest(&mut self) -> Result<()> {
        let here = self.place();
        let rest = self.slice(self.left() / 8)?;
        self.note_at(here, Form::Surplus(self.depth as u8, Box::new(rest)));
        Ok(())
    }

    /// The alternative just entered, kept as it is.
    pub(crate) fn unknown_alternative(
        &mut self,
        index: u32,
        open: &mut OpenType,
    ) -> Result<UnknownAlternative> {
        self.charge(UnknownAlternative::COST)?;
        // All of it is the value: there is nothing to note behind it, even if it is empty.
        open.start = NOWHERE;
        let octets = self.slice(self.left() / 8)?;
        Ok(UnknownAlternative::new(index, octets))
    }

    // --- messages --------------------------------------------------------------------------

    /// Ends the message, and says how it deviates outside any extensible SEQUENCE.
    pub(super) fn finish(&mut self) -> Result<Option<Deviations>> {
        if self.at != 0 || self.left() > 0 {
            self.note_surplus(0)?;
        }
        if self.overdrawn {
            return Err(self.error(Kind::TooLarge));
        }
        Ok((!self.noted.is_empty()).then(|| self.noted.drain(..).collect()))
    }

    // --- members of SEQUENCEs and CHOICEs (called by the schema's macros) --------------------

    /// The extension bit and the presence bits of `optional` root members, left-justified, of a
    /// SEQUENCE of so many `members`.
    #[inline]
    pub(crate) fn preamble(
        &mut self,
        extensible: bool,
        optional: u32,
        members: usize,
    ) -> Result<(Additions, u64)> {
        self.step(1 + members)?;
        let mut additions = Additions {
            announced: false,
            bits: 0,
            cached: 0,
            rest_at: 0,
            rest: 0,
            taken: 0,
            present: 0,
            scope: self.scope,
            noted: self.noted.len(),
        };
        if extensible {
            self.scope = self.at.wrapping_add(self.shift);
            additions.announced = self.bit()?;
        }
        let present = match optional {
            0 => 0,
            _ => self.bits(optional)? << (64 - optional),
        };
        Ok((additions, present))
    }

    /// A root member whose presence is the next bit of `present`.
    #[inline]
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

    /// The presence bitmap of the additions, behind the root.
    #[inline]
    pub(crate) fn bitmap(&mut self, additions: &mut Additions) -> Result<()> {
        if additions.announced { self.announced_bitmap(additions) } else { Ok(()) }
    }

    fn announced_bitmap(&mut self, additions: &mut Additions) -> Result<()> {
        let here = self.place();
        let count = if self.bit()? {
            let count = self.whole_length()?;
            if count <= 64 {
                self.note_at(here, Form::Extended);
            }
            count
        } else {
            self.bits(6)? as usize + 1
        };
        if count == 0 {
            return Err(self.error(Kind::BadLength));
        }
        if count > self.left() {
            return Err(self.error(Kind::Truncated));
        }
        self.step(count)?;
        additions.rest_at = self.at;
        additions.rest = count;
        self.at += count;
        Ok(())
    }

    /// The next extension addition, if the sender knew it and sent it.
    #[inline]
    pub(crate) fn addition<T, C: Codec<T>>(
        &mut self,
        additions: &mut Additions,
        slot: &mut Option<T>,
        name: &'static str,
    ) -> Result<()> {
        if additions.next(self)? {
            let open = self.enter_open()?;
            within(name, C::decode(slot.insert(C::blank()), self))?;
            self.leave_open(open)?;
        }
        Ok(())
    }

    /// The additions behind the last one that the schema knows; and the end of the SEQUENCE.
    #[inline]
    pub(crate) fn unknown_additions(
        &mut self,
        additions: &mut Additions,
        unknown: &mut UnknownAdditions,
    ) -> Result<()> {
        if additions.announced {
            self.further_additions(additions, unknown)?;
        }
        if self.noted.len() > additions.noted {
            self.charge(UnknownAdditions::KEPT_COST)?;
            unknown.keep_form(self.noted.drain(additions.noted..).collect());
        }
        self.scope = additions.scope;
        Ok(())
    }

    fn further_additions(&mut self, additions: &mut Additions, unknown: &mut UnknownAdditions) -> Result<()> {
        while additions.cached + additions.rest > 0 {
            if additions.next(self)? {
                if unknown.is_empty() {
                    self.charge(UnknownAdditions::KEPT_COST)?;
                }
                self.charge(UnknownAdditions::COST)?;
                unknown.keep(additions.taken as u32 - 1, self.counted_octets()?);
            }
        }
        unknown.keep_bitmap(additions.taken, additions.present == 0);
        Ok(())
    }

    /// The index of a CHOICE or ENUMERATED: in its extension root of `roots`, or (`true`) among
    /// the additions to it.
    #[inline]
    pub(crate) fn alternative(&mut self, extensible: bool, roots: usize) -> Result<(bool, u32)> {
        self.step(1)?;
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
