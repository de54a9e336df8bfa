//! Reads open types, and the members of SEQUENCEs and CHOICEs on behalf of the schema's macros.
//! In: a [`Reader`] where one starts. Out: members read, or a presence and an index.
//! Not here: bits, lengths, budgets (`reader`).

use super::Codec;
use super::error::{Error, Kind, Result};
use super::form::{Deviations, Form};
use super::reader::Reader;
use super::unknown::{UnknownAdditions, UnknownAlternative};

/// The names of the alternatives of a CHOICE.
#[derive(Debug)]
pub(crate) struct Alternatives {
    pub(crate) root: &'static [&'static str],
    /// Those behind the extension mark.
    pub(crate) additions: &'static [&'static str],
    /// Whether there is an extension mark.
    pub(crate) extensible: bool,
}

impl Alternatives {
    /// The name of the alternative at a place: behind the extension mark (`true`) or before it.
    pub(crate) fn name(&self, (extension, index): (bool, u32)) -> Option<&'static str> {
        let names = if extension { self.additions } else { self.root };
        names.get(index as usize).copied()
    }

    /// The place of the alternative of that name.
    pub(crate) fn place(&self, name: &str) -> Option<(bool, u32)> {
        [(false, self.root), (true, self.additions)].into_iter().find_map(|(extension, names)| {
            names.iter().position(|known| *known == name).map(|index| (extension, index as u32))
        })
    }
}

/// Where the value of an alternative comes from: octets, or a description.
pub(crate) trait Source {
    fn value<T, C: Codec<T>>(&mut self) -> Result<T>;
    fn unknown_alternative(&mut self, index: u32) -> Result<UnknownAlternative>;
    fn bad_alternative(&self) -> Error;
}

impl Source for Reader {
    fn value<T, C: Codec<T>>(&mut self) -> Result<T> {
        let mut slot = C::blank();
        C::decode(&mut slot, self)?;
        Ok(slot)
    }
    /// All that is left of the open type, kept as it is.
    fn unknown_alternative(&mut self, index: u32) -> Result<UnknownAlternative> {
        self.charge(UnknownAlternative::COST)?;
        let octets = self.slice(self.left() / 8)?;
        Ok(UnknownAlternative::new(index, octets))
    }
    fn bad_alternative(&self) -> Error {
        self.error(Kind::BadAlternative)
    }
}

/// Where to continue behind an open type. See [`Reader::enter_open`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenType {
    /// It came in fragments and was rejoined: the source around it is the last in `outer`.
    rejoined: bool,
    start: usize,
    after: usize,
    end: usize,
    shift: usize,
}

/// The extension additions of one SEQUENCE: its presence bitmap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Additions {
    /// Whether the extension bit was set, so that a bitmap follows the root.
    announced: bool,
    /// The next presence bits, left-justified, of the first 64; zeros behind the last.
    bits: u64,
    /// Where in the source the bitmap is, and how many bits it has.
    bitmap_at: usize,
    count: usize,
    /// Whether they are all zeros.
    idle: bool,
    /// The scope of deviations around this SEQUENCE, and how many had been noted there.
    scope: usize,
    noted: usize,
}

/// The start of an open type that may be of any length.
const NOWHERE: usize = usize::MAX;

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
            let open = OpenType { rejoined: false, start: self.at, after, end: self.end, shift };
            self.end = after;
            return Ok(open);
        }
        let joined = self.fragments(here)?;
        let open = OpenType { rejoined: true, start: 0, after: self.at, end: self.end, shift };
        self.shift = shift.wrapping_add(here.at + 8);
        self.at = 0;
        self.end = joined.len() * 8;
        self.outer.push(std::mem::replace(&mut self.source, joined));
        Ok(open)
    }

    /// Continues behind an open type; what its value left over does not matter, but is noted.
    pub(crate) fn leave_open(&mut self, open: OpenType) -> Result<()> {
        self.note_surplus(open.start)?;
        if open.rejoined
            && let Some(outer) = self.outer.pop()
        {
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
            bitmap_at: 0,
            count: 0,
            idle: false,
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
        if here && let Err(error) = C::decode(slot.insert(C::blank()), self) {
            return Err(error.in_member(name));
        }
        Ok(())
    }

    /// The presence bitmap of the additions, behind the root; whether there is one.
    #[inline]
    pub(crate) fn bitmap(&mut self, additions: &mut Additions) -> Result<bool> {
        if additions.announced {
            self.announced_bitmap(additions)?;
        }
        Ok(additions.announced)
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
        additions.bitmap_at = self.at;
        additions.count = count;
        let first = count.min(64) as u32;
        additions.bits = self.bits(first)? << (64 - first);
        additions.idle =
            additions.bits == 0 && !(64..count).any(|index| self.bit_at(additions.bitmap_at + index));
        self.at = additions.bitmap_at + count;
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
        let here = additions.bits >> 63 != 0;
        additions.bits <<= 1;
        if !here {
            return Ok(());
        }
        let open = self.enter_open()?;
        if let Err(error) = C::decode(slot.insert(C::blank()), self) {
            return Err(error.in_member(name));
        }
        self.leave_open(open)
    }

    /// The additions behind the `known` ones.
    pub(crate) fn unknown_additions(
        &mut self,
        additions: &Additions,
        known: usize,
        unknown: &mut UnknownAdditions,
    ) -> Result<()> {
        for index in known..additions.count {
            if self.bit_at(additions.bitmap_at + index) {
                if unknown.is_empty() {
                    self.charge(UnknownAdditions::KEPT_COST)?;
                }
                self.charge(UnknownAdditions::COST)?;
                unknown.keep(index as u32, self.counted_octets()?);
            }
        }
        unknown.keep_bitmap(additions.count, additions.idle);
        Ok(())
    }

    /// The end of an extensible SEQUENCE.
    #[inline]
    pub(crate) fn end(&mut self, additions: &Additions, unknown: &mut UnknownAdditions) -> Result<()> {
        if self.noted.len() > additions.noted {
            self.keep_form(additions, unknown)?;
        }
        self.scope = additions.scope;
        Ok(())
    }

    #[cold]
    fn keep_form(&mut self, additions: &Additions, unknown: &mut UnknownAdditions) -> Result<()> {
        self.charge(UnknownAdditions::KEPT_COST)?;
        unknown.keep_form(self.noted.drain(additions.noted..).collect());
        Ok(())
    }

    /// The place of an alternative: behind the extension mark (`true`), and then in an open type, or
    /// before it. Returns what [`leave_alternative`](Self::leave_alternative) needs as well.
    pub(crate) fn enter_alternative(
        &mut self,
        names: &Alternatives,
    ) -> Result<((bool, u32), Option<OpenType>)> {
        let (extension, index) = self.alternative(names.extensible, names.root.len())?;
        if !extension {
            return Ok(((false, index), None));
        }
        let mut open = self.enter_open()?;
        if index as usize >= names.additions.len() {
            // All of it is the value: there is nothing to note behind it, even if it is empty.
            open.start = NOWHERE;
        }
        Ok(((true, index), Some(open)))
    }

    /// Ends an alternative.
    #[inline]
    pub(crate) fn leave_alternative(&mut self, open: Option<OpenType>) -> Result<()> {
        match open {
            Some(open) => self.leave_open(open),
            None => Ok(()),
        }
    }

    /// The index of a CHOICE or ENUMERATED: in its extension root of `roots`, or (`true`) among
    /// the additions to it.
    #[inline]
    pub(crate) fn alternative(&mut self, extensible: bool, roots: usize) -> Result<(bool, u32)> {
        self.step(1)?;
        if extensible && self.bit()? {
            return Ok((true, self.small()?));
        }
        // At most 255, which the schema's macros make sure of, take no more than 8 bits.
        let most = (roots as u32).saturating_sub(1);
        match self.bits(32 - most.leading_zeros())? as u32 {
            index if index <= most => Ok((false, index)),
            _ => Err(self.error(Kind::BadAlternative)),
        }
    }
}
