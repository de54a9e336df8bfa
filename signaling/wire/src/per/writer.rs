//! Writes bits, lengths, open types and extension bitmaps (X.691, aligned variant).
//! In: numbers and octets. Out: one message. Strict: what cannot be written is an error. Canonical,
//! but where a value remembers that its peer deviated (`form`).
//! Not here: what the bits mean (the [`Codec`]s).

use super::error::{Blame, Error, Kind, Result, within};
use super::form::{Deviations, Form, LONG_END};
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
#[derive(Debug)]
pub(crate) struct OpenStart {
    /// Where its value starts.
    start: usize,
    /// How its length deviates.
    form: Option<Form>,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// Starts an empty message.
    pub fn new() -> Self {
        Writer { octets: Vec::with_capacity(256), used: 0, depth: MAX_DEPTH, follow: Follow::default() }
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

    fn length_as(&mut self, left: usize, form: Option<Form>) -> (usize, bool) {
        let blocks = match form {
            Some(Form::LongLength) if left < 0x80 => {
                self.bits(0x8000 | left as u64, 16);
                return (left, false);
            }
            Some(Form::Blocks(blocks)) => usize::from(blocks),
            _ => 4,
        };
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
        let form = self.form_of_octets();
        self.counted_octets_as(octets, form);
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
    pub(crate) fn enter(&mut self, unknown: &UnknownAdditions) -> Follow {
        let deviations = unknown.form().cloned();
        let start = if deviations.is_some() { self.position() } else { 0 };
        std::mem::replace(&mut self.follow, Follow { deviations, next: 0, start })
    }

    /// Ends an extensible SEQUENCE.
    #[inline]
    pub(crate) fn leave(&mut self, outer: Follow) {
        self.follow = outer;
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

    fn form_of_octets(&mut self) -> Option<Form> {
        self.deviation(|form| match form {
            Form::LongLength | Form::Fragments(_) => Some(form.clone()),
            _ => None,
        })
    }

    /// Ends a value, of an open type or of the message, that started at octet `start`.
    fn surplus(&mut self, start: usize) {
        self.align();
        let level = self.depth;
        let surplus = self.deviation(|form| match form {
            Form::Surplus(depth, octets) if usize::from(*depth) == level => Some(octets.clone()),
            _ => None,
        });
        if let Some(octets) = surplus {
            self.octets.extend_from_slice(&octets);
        } else if self.octets.len() == start {
            self.octets.push(0);
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
    /// Returns what [`leave_open`](Self::leave_open) needs.
    pub(crate) fn enter_open(&mut self) -> Result<OpenStart> {
        self.descend()?;
        self.align();
        let form = self.form_of_octets();
        self.octets.push(0);
        Ok(OpenStart { start: self.octets.len(), form })
    }

    /// Ends an open type: fills in its length, making room where a short one does not do.
    pub(crate) fn leave_open(&mut self, open: OpenStart) {
        let start = open.start;
        self.surplus(start);
        self.ascend();
        let count = self.octets.len() - start;
        let long = count > 0x7f || open.form == Some(Form::LongLength);
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
            self.counted_octets_as(&value, open.form);
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

    /// Whether there is a presence bitmap of additions: if there are any, or if the peer sent one
    /// without.
    #[inline]
    pub(crate) fn extended(&self, known: &[bool], unknown: &UnknownAdditions) -> bool {
        known.contains(&true) || !unknown.is_empty() || unknown.has_idle_bitmap()
    }

    /// The presence bitmap of the known additions and of those kept unknown: as long as the peer's
    /// was, if it holds what is there now.
    pub(crate) fn additions(&mut self, known: &[bool], unknown: &UnknownAdditions) {
        let count = match unknown.has_bitmap() {
            true => known.iter().rposition(|bit| *bit).map_or(0, |last| last + 1),
            false => known.len(),
        };
        let count = count.max(unknown.bitmap_length());
        let known = known.get(..count).unwrap_or(known);
        if count <= 64 && !self.was_extended() {
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
