//! What a newer peer sent and this schema does not know, kept so that it is sent on unchanged.
//! In and out: an index and the octets of an open type.

use bytes::Bytes;

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
/// The length of the peer's presence bitmap is kept too, so that the message can be sent on
/// octet by octet; it is no part of the value, and not compared.
#[derive(Clone, Debug, Default)]
pub struct UnknownAdditions(Option<Box<Kept>>);

#[derive(Clone, Debug, Default)]
struct Kept {
    /// In ascending order of index.
    additions: Vec<UnknownAddition>,
    bitmap_length: usize,
}

impl UnknownAdditions {
    /// What one of them costs of a message's memory budget.
    pub(crate) const COST: usize = 4 * size_of::<UnknownAddition>();

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The additions in the order of the wire.
    pub fn iter(&self) -> std::slice::Iter<'_, UnknownAddition> {
        match &self.0 {
            Some(kept) => kept.additions.iter(),
            None => [].iter(),
        }
    }

    /// Adds one behind the others.
    pub(crate) fn keep(&mut self, index: u32, octets: Bytes) {
        let kept = self.0.get_or_insert_default();
        kept.bitmap_length = kept.bitmap_length.max(index as usize + 1);
        kept.additions.push(UnknownAddition { index, octets });
    }

    /// Notes a presence bitmap of this length, for known and unknown additions.
    pub(crate) fn keep_bitmap_length(&mut self, length: usize) {
        self.0.get_or_insert_default().bitmap_length = length;
    }

    pub(crate) fn bitmap_length(&self) -> usize {
        self.0.as_ref().map_or(0, |kept| kept.bitmap_length)
    }
}

impl PartialEq for UnknownAdditions {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for UnknownAdditions {}
