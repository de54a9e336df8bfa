//! What a newer peer sent and this schema does not know, kept so that it is sent on unchanged.
//! In and out: an index and the octets of an open type. And where else is room, how the peer wrote
//! the SEQUENCE (`form`).

use bytes::Bytes;

use super::form::Deviations;

/// An alternative of an extensible CHOICE that the schema does not know.
/// A pointer in size, so that the rare does not enlarge the common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnknownAlternative(Option<Box<(u32, Bytes)>>);

impl UnknownAlternative {
    /// What it costs of a message's memory budget.
    pub(crate) const COST: usize = size_of::<(u32, Bytes)>();

    /// The alternative that is the `index`th (from zero) behind the extension mark.
    pub fn new(index: u32, octets: Bytes) -> Self {
        UnknownAlternative(Some(Box::new((index, octets))))
    }

    /// Its place behind the extension mark, from zero.
    pub fn index(&self) -> u32 {
        self.0.as_ref().map_or(0, |kept| kept.0)
    }

    /// Its encoding.
    pub fn octets(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |kept| &kept.1)
    }
}

/// An extension addition of a SEQUENCE that the schema does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownAddition {
    index: u32,
    octets: Bytes,
}

impl UnknownAddition {
    /// Its place behind the extension mark, from zero.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Its encoding.
    pub fn octets(&self) -> &Bytes {
        &self.octets
    }
}

/// The unknown extension additions of one SEQUENCE; none almost always, and then free.
///
/// A SEQUENCE that was decoded also remembers here how the peer wrote it (the length of its
/// presence bitmap, padding, lengths in a longer form than they need, …), so that it is sent on
/// octet by octet. That is no part of the value, and not compared.
#[derive(Clone, Debug, Default)]
pub struct UnknownAdditions {
    /// The length of the presence bitmap, 0 if there was none; and whether it was all zeros.
    bitmap: u16,
    kept: Option<Box<Kept>>,
}

/// Set in `bitmap`, above the length, which stays below 16K.
const ALL_ZEROS: u16 = 0x8000;

#[derive(Clone, Debug, Default)]
struct Kept {
    /// In ascending order of index.
    additions: Vec<UnknownAddition>,
    /// How the SEQUENCE deviates from the canonical form.
    form: Option<Deviations>,
}

impl UnknownAdditions {
    /// What one of them costs of a message's memory budget.
    pub(crate) const COST: usize = 4 * size_of::<UnknownAddition>();
    /// What keeping anything costs.
    pub(crate) const KEPT_COST: usize = size_of::<Kept>();

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The additions in the order of the wire.
    pub fn iter(&self) -> std::slice::Iter<'_, UnknownAddition> {
        match &self.kept {
            Some(kept) => kept.additions.iter(),
            None => [].iter(),
        }
    }

    /// Forgets how the peer wrote this SEQUENCE (but not those inside it): it is encoded as one
    /// that was built here.
    pub fn forget_form(&mut self) {
        self.bitmap = 0;
        if let Some(kept) = &mut self.kept {
            kept.form = None;
        }
    }

    /// Adds one behind the others.
    pub(crate) fn keep(&mut self, index: u32, octets: Bytes) {
        self.kept.get_or_insert_default().additions.push(UnknownAddition { index, octets });
    }

    /// Notes a presence bitmap of this length, for known and unknown additions.
    pub(crate) fn keep_bitmap(&mut self, length: usize, all_zeros: bool) {
        self.bitmap = (length as u16 & !ALL_ZEROS) | if all_zeros { ALL_ZEROS } else { 0 };
    }

    /// How long the presence bitmap must be at least.
    pub(crate) fn bitmap_length(&self) -> usize {
        let last = self.kept.as_ref().and_then(|kept| kept.additions.last());
        let least = last.map_or(0, |addition| addition.index as usize + 1);
        least.max(usize::from(self.bitmap & !ALL_ZEROS))
    }

    /// Whether a bitmap came.
    pub(crate) fn has_bitmap(&self) -> bool {
        self.bitmap != 0
    }

    /// Whether there are any, or a bitmap came though there was nothing to announce.
    #[inline]
    pub(crate) fn has_any(&self) -> bool {
        self.bitmap & ALL_ZEROS != 0 || (self.kept.is_some() && !self.is_empty())
    }

    pub(crate) fn keep_form(&mut self, form: Deviations) {
        self.kept.get_or_insert_default().form = Some(form);
    }

    pub(crate) fn form(&self) -> Option<&Deviations> {
        self.kept.as_ref()?.form.as_ref()
    }
}

impl PartialEq for UnknownAdditions {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for UnknownAdditions {}
