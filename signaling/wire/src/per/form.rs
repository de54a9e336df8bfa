//! How a peer wrote a value, where aligned PER knows one way and lenient reading several.
//! In: the deviations that the [`Reader`](super::Reader) notices. Out: the same deviations, for the
//! [`Writer`](super::Writer) to repeat, so that what decodes encodes to the same octets.
//! Not here: the values. No deviation carries meaning, so none is compared; and one that is
//! repeated in a value changed since is at worst a strange way to write the new value.

use std::sync::Arc;

use bytes::Bytes;

/// One deviation from the canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deviation {
    /// The bit where it was met, counted from the start of the extensible SEQUENCE around it, as
    /// if the length of each open type still open took one octet (which is what a writer knows).
    pub(crate) at: u32,
    pub(crate) form: Form,
}

/// In what way the octets deviate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Padding up to an octet boundary that is not zero.
    Padding(u8),
    /// A number in more octets than it needs; a small number in the form of a large one.
    Octets(u16),
    /// A length in two octets that fits one.
    LongLength,
    /// A number inside its range in the form of one beyond; a short bitmap announced as a long one.
    Extended,
    /// A fragment of so many blocks of 16K.
    Blocks(u8),
    /// Fragments of octets: the blocks in each, at last `SHORT_END` or `LONG_END`.
    Fragments(Box<Bytes>),
    /// Octets behind a value, in its open type or its message. Where the value takes no bits at
    /// all: the whole contents, which should have been one octet of zero. With what was left of the
    /// nesting budget, for open types may end at the same octet.
    Surplus(u8, Box<Bytes>),
    /// Characters that their alphabet does not have.
    Characters,
}

pub(crate) const SHORT_END: u8 = 0;
pub(crate) const LONG_END: u8 = 0x80;

/// The deviations of one SEQUENCE, in the order of the wire.
pub(crate) type Deviations = Arc<[Deviation]>;

/// The canonical fragments of `total` octets, as [`Form::Fragments`] lists them.
pub(crate) fn canonical_fragments(total: usize) -> impl Iterator<Item = u8> {
    let mut blocks = total / 16_384;
    let mut ended = false;
    std::iter::from_fn(move || {
        if blocks > 0 {
            let now = blocks.min(4);
            blocks -= now;
            return Some(now as u8);
        }
        (!std::mem::replace(&mut ended, true)).then_some(SHORT_END)
    })
}
