//! Writes bits, lengths, open types and extension bitmaps (X.691, aligned variant).
//! In: numbers and octets. Out: one message. Strict: what cannot be written is an error. Canonical,
//! but where a value remembers that its peer deviated (`form`).
//! Not here: what the bits mean (the [`Codec`]s).

use super::error::{Blame, Error, Kind, Result};
use super::form::{Deviations, Form, LONG_END};
use super::members::Alternatives;
use super::unknown::{UnknownAdditions, UnknownAlternative};
use super::{Codec, MAX_DEPTH};

/// A message under construction.
#[derive(Debug)]
pub struct Writer {
    octets: Vec<u8>,
    /// Bits used of the last octet; 0 means that it is full (or that there is none).
    used: u32,
    depth: usize,
    follow: Follow,
    /// The deviations of the SEQUENCEs around that one; only where there are any at all.
    outer: Vec<Follow>,
    /// How the lengths of the open types under construction deviate; of those that do.
    lengths: Vec<Form>,
}

/// The deviations that are being repeated: those of one extensible SEQUENCE.
#[derive(Debug, Default)]
pub(crate) struct Follow {
    deviations: Option<Deviations>,
    /// The next one.
    next: usize,
    /// The bit at which the SEQUENCE starts.
    start: usize,
}

/// An open type under construction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenStart {
    /// Where its value starts.
    start: usize,
    /// Whether its length deviates: then the last of `lengths` says how.
    deviates: bool,
}

/// What to do at the end of an extensible SEQUENCE. See [`Writer::enter`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outer {
    kept: bool,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// Starts an empty message.
    pub fn new() -> Self {
        Writer {
            octets: Vec::with_capacity(256),
            used: 0,
            depth: MAX_DEPTH,
            follow: Follow::default(),
            outer: Vec::new(),
            lengths: Vec::new(),
        }
    }

    /// The message. An empty encoding becomes one zero octet (X.691 10.1.3).
    pub fn finish(mut self) -> Vec<u8> {
        self.surplus(0);
        if self.octets.is_empty() {
            self.octets.push(0);
        }
        self.octets
    }

    #[cold]
    pub(crate) fn error(&self, kind: Kind) -> Error {
        Error::new(kind, Blame::Caller, self.octets.len())
    }

    // --- bits and octets -------------------------------------------------------------------

    #[inline]
    pub(crate) fn bit(&mut self, bit: bool) {
        if self.used == 0 {
            self.octets.push(u8::from(bit) << 7);
        } else if let Some(last) = self.octets.last_mut() {
            *last |= u8::from(bit) << (7 - self.used);
        }
        self.used = (self.used + 1) % 8;
    }

    /// The low `count` bits (at most 64) of `value`.
    #[inline]
    pub(crate) fn bits(&mut self, value: u64, count: u32) {
        if count == 0 {
            return;
        }
        let value = value & (u64::MAX >> (64 - count));
        let mut left = count;
        if self.used != 0 {
            let free = 8 - self.used;
            let take = free.min(count);
            left -= take;
            if let Some(last) = self.octets.last_mut() {
                *last |= ((value >> left) << (free - take)) as u8;
            }
            self.used = (self.used + take) % 8;
            if left == 0 {
                return;
            }
        }
        while left > 8 {
            left -= 8;
            self.octets.push((value >> left) as u8);
        }
        self.octets.push((value << (8 - left)) as u8);
        self.used = left % 8;
    }

    #[inline]
    pub(crate) fn align(&mut self) {
        if self.used != 0 {
            if self.follow.deviations.is_some() {
                self.pad();
            }
            self.used = 0;
        }
    }

    /// Pads as the peer did.
    #[cold]
    fn pad(&mut self) {
        let padding = self.deviation(|form| match form {
            Form::Padding(bits) => Some(*bits),
            _ => None,
        });
        if let (Some(padding), Some(last)) = (padding, self.octets.last_mut()) {
            *last |= padding & (0xff >> self.used);
        }
    }

    /// Octets from an octet boundary; an empty slice writes nothing, not even padding.
    #[inline]
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
                self.octets.push(offset as u8);
            }
            256..=65_535 => {
                self.align();
                self.octets.extend_from_slice(&(offset as u16).to_be_bytes());
            }
            _ => {
                let most = (71 - range.leading_zeros()) / 8;
                let least = ((71 - offset.leading_zeros()) / 8).max(1);
                let count = least.max(self.octets_of_number().min(most));
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
        if self.follow.deviations.is_some() {
            let form = self.deviation(|form| match form {
                Form::LongLength | Form::Blocks(_) => Some(form.clone()),
                _ => None,
            });
            return self.length_as(left, form);
        }
        self.length_as(left, None)
    }

    /// On an octet boundary.
    fn length_as(&mut self, left: usize, form: Option<Form>) -> (usize, bool) {
        let blocks = match form {
            Some(Form::LongLength) if left < 0x80 => {
                self.octets.extend_from_slice(&(0x8000 | left as u16).to_be_bytes());
                return (left, false);
            }
            Some(Form::Blocks(blocks)) => usize::from(blocks),
            _ => 4,
        };
        match left {
            0..=0x7f => {
                self.octets.push(left as u8);
                (left, false)
            }
            0x80..=0x3fff => {
                self.octets.extend_from_slice(&(0x8000 | left as u16).to_be_bytes());
                (left, false)
            }
            _ => {
                let blocks = (left / 16_384).min(blocks);
                self.bits(0xc0 | blocks as u64, 8);
                (blocks * 16_384, true)
            }
        }
    }

    /// A normally small non-negative number (X.691 10.6).
    pub(crate) fn small(&mut self, value: u32) {
        let least = (39 - value.leading_zeros()) / 8;
        let octets = self.octets_of_number();
        if value < 64 && octets == 0 {
            self.bits(u64::from(value), 7);
        } else {
            let count = least.max(octets).clamp(1, 4);
            self.bit(true);
            self.length(count as usize);
            self.bits(u64::from(value), 8 * count);
        }
    }

    /// Octets behind a length determinant without upper bound, in fragments if they must be.
    pub(crate) fn counted_octets(&mut self, octets: &[u8]) {
        self.align();
        if self.follow.deviations.is_none() && octets.len() < 0x4000 {
            self.length_as(octets.len(), None);
            self.octets.extend_from_slice(octets);
        } else {
            let form = self.form_of_octets();
            self.counted_octets_as(octets, form);
        }
    }

    fn counted_octets_as(&mut self, octets: &[u8], form: Option<Form>) {
        let (codes, form) = match form {
            Some(Form::Fragments(codes)) => (Some(codes), None),
            form => (None, form),
        };
        let mut codes = codes.iter().flat_map(|codes| codes.iter().copied());
        let mut left = octets;
        loop {
            let form = match codes.next() {
                Some(LONG_END) => Some(Form::LongLength),
                Some(blocks) if blocks > 0 => Some(Form::Blocks(blocks)),
                _ => form.clone(),
            };
            let (count, more) = self.length_as(left.len(), form);
            let (now, later) = left.split_at(count);
            self.octets(now);
            left = later;
            if !more {
                return;
            }
        }
    }

    // --- deviations of a peer --------------------------------------------------------------

    /// Repeats the deviations of a message.
    pub(super) fn follow(&mut self, deviations: &Deviations) {
        self.follow = Follow { deviations: Some(deviations.clone()), next: 0, start: 0 };
    }

    /// Starts an extensible SEQUENCE. Returns what [`leave`](Self::leave) needs.
    #[inline]
    pub(crate) fn enter(&mut self, unknown: &UnknownAdditions) -> Outer {
        let form = unknown.form();
        // What was built here does not deviate, nor does what almost all peers send.
        let kept = form.is_some() || self.follow.deviations.is_some();
        if kept {
            self.follow_inner(form.cloned());
        }
        Outer { kept }
    }

    #[cold]
    fn follow_inner(&mut self, deviations: Option<Deviations>) {
        let inner = Follow { deviations, next: 0, start: self.position() };
        self.outer.push(std::mem::replace(&mut self.follow, inner));
    }

    /// Ends an extensible SEQUENCE.
    #[inline]
    pub(crate) fn leave(&mut self, outer: Outer) {
        if outer.kept {
            self.follow = self.outer.pop().unwrap_or_default();
        }
    }

    /// The number of bits written.
    fn position(&self) -> usize {
        let used = if self.used == 0 { 8 } else { self.used };
        (self.octets.len() * 8 + used as usize).saturating_sub(8)
    }

    /// What `wanted` finds in the deviation at this bit, if there is one and it finds anything.
    #[inline]
    fn deviation<R>(&mut self, wanted: impl Fn(&Form) -> Option<R>) -> Option<R> {
        self.follow.deviations.as_ref()?;
        let at = self.position().wrapping_sub(self.follow.start);
        loop {
            let deviation = self.follow.deviations.as_ref()?.get(self.follow.next)?;
            if deviation.at as usize >= at {
                let found = wanted(&deviation.form).filter(|_| deviation.at as usize == at)?;
                self.follow.next += 1;
                return Some(found);
            }
            // The value was changed since.
            self.follow.next += 1;
        }
    }

    /// How many octets the number here took, if more than it needs; else 0.
    pub(crate) fn octets_of_number(&mut self) -> u32 {
        let octets = self.deviation(|form| match form {
            Form::Octets(count) => Some(u32::from(*count)),
            _ => None,
        });
        octets.unwrap_or_default()
    }

    /// Whether the number here took the form of one beyond its range.
    pub(crate) fn was_extended(&mut self) -> bool {
        self.deviation(|form| matches!(form, Form::Extended).then_some(())).is_some()
    }

    /// Whether the string here had characters that are not in its alphabet.
    pub(crate) fn had_other_characters(&mut self) -> bool {
        self.deviation(|form| matches!(form, Form::Characters).then_some(())).is_some()
    }

    #[cold]
    fn form_of_octets(&mut self) -> Option<Form> {
        self.deviation(|form| match form {
            Form::LongLength | Form::Fragments(_) => Some(form.clone()),
            _ => None,
        })
    }

    /// Ends a value, of an open type or of the message, that started at octet `start`.
    fn surplus(&mut self, start: usize) {
        self.align();
        if self.follow.deviations.is_some() && self.peers_surplus() {
            return;
        }
        if self.octets.len() == start {
            self.octets.push(0);
        }
    }

    /// Repeats what the peer left over, if it did.
    #[cold]
    fn peers_surplus(&mut self) -> bool {
        let level = self.depth;
        let surplus = self.deviation(|form| match form {
            Form::Surplus(depth, octets) if usize::from(*depth) == level => Some(octets.clone()),
            _ => None,
        });
        if let Some(octets) = &surplus {
            self.octets.extend_from_slice(octets);
        }
        surplus.is_some()
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
    /// Returns what [`leave_open`](Self::leave_open) needs.
    pub(crate) fn enter_open(&mut self) -> Result<OpenStart> {
        self.descend()?;
        self.align();
        let mut deviates = false;
        if self.follow.deviations.is_some() {
            let form = self.form_of_octets();
            deviates = form.is_some();
            self.lengths.extend(form);
        }
        self.octets.push(0);
        Ok(OpenStart { start: self.octets.len(), deviates })
    }

    /// Ends an open type: fills in its length, making room where a short one does not do.
    pub(crate) fn leave_open(&mut self, open: OpenStart) {
        let start = open.start;
        self.surplus(start);
        self.ascend();
        let form = if open.deviates { self.lengths.pop() } else { None };
        let count = self.octets.len() - start;
        let long = count > 0x7f || form == Some(Form::LongLength);
        if count < 0x4000 {
            if long {
                self.octets.insert(start, count as u8);
            }
            if let Some(length) = self.octets.get_mut(start - 1) {
                *length = if long { 0x80 | (count >> 8) as u8 } else { count as u8 };
            }
        } else {
            let value = self.octets.split_off(start);
            self.octets.pop();
            self.counted_octets_as(&value, form);
        }
    }

    // --- members of SEQUENCEs and CHOICEs (called by the schema's macros) --------------------

    pub(crate) fn optional<T, C: Codec<T>>(&mut self, value: &Option<T>, name: &'static str) -> Result<()> {
        if let Some(value) = value
            && let Err(error) = C::encode(value, self)
        {
            return Err(error.in_member(name));
        }
        Ok(())
    }

    /// The extension bit, and the presence bits of optional root members: so many low bits.
    #[inline]
    pub(crate) fn preamble(&mut self, extended: Option<bool>, (present, count): (u64, u32)) {
        match extended {
            Some(extended) if count < 64 => self.bits(u64::from(extended) << count | present, 1 + count),
            Some(extended) => {
                self.bit(extended);
                self.bits(present, count);
            }
            None => self.bits(present, count),
        }
    }

    /// The presence bitmap of the additions: of the known ones, in so many low bits, and of those kept
    /// unknown. It is as long as the peer's was, if it holds what is there now.
    pub(crate) fn additions(&mut self, present: u64, known: usize, unknown: &UnknownAdditions) {
        let count = match unknown.has_bitmap() {
            // Up to the last that is there.
            true => known.saturating_sub(present.trailing_zeros() as usize),
            false => known,
        };
        let count = count.max(unknown.bitmap_length());
        if count <= 64 && !self.was_extended() {
            self.bits(count as u64 - 1, 7);
        } else {
            self.bit(true);
            self.length(count);
        }
        let mut index = known.min(count);
        self.bits(present >> (known - index), index as u32);
        for addition in unknown.iter().skip_while(|a| (a.index() as usize) < known) {
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
        if let Err(error) = C::encode(value, self) {
            return Err(error.in_member(name));
        }
        self.leave_open(open);
        Ok(())
    }

    /// The contents of the additions kept unknown, behind the `known` ones.
    pub(crate) fn unknown_additions(&mut self, known: usize, unknown: &UnknownAdditions) {
        for addition in unknown.iter().filter(|a| a.index() as usize >= known) {
            self.counted_octets(addition.octets());
        }
    }

    #[inline]
    pub(crate) fn root_alternative(&mut self, extensible: bool, roots: usize, index: u32) {
        // At most 255, which the schema's macros make sure of; one bit more is the extension bit.
        let most = (roots as u32).saturating_sub(1);
        self.bits(u64::from(index), u32::from(extensible) + 32 - most.leading_zeros());
    }

    /// Starts an alternative at a place: behind the extension mark (`true`), and then in an open type, or
    /// before it. Returns what [`leave_alternative`](Self::leave_alternative) needs.
    pub(crate) fn enter_alternative(
        &mut self,
        names: &Alternatives,
        (extension, index): (bool, u32),
    ) -> Result<Option<OpenStart>> {
        if extension {
            self.extension_alternative(index);
            return self.enter_open().map(Some);
        }
        self.root_alternative(names.extensible, names.root.len(), index);
        Ok(None)
    }

    /// Ends an alternative.
    #[inline]
    pub(crate) fn leave_alternative(&mut self, open: Option<OpenStart>) {
        if let Some(open) = open {
            self.leave_open(open);
        }
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
