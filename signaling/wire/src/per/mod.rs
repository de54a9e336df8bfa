//! Aligned PER (X.691; clauses as in the edition of 2002): the runtime under the schema of H.225.0,
//! H.235 and H.245.
//! In: the octets of one message, or a value. Out: a value, or its octets; [`json`] for people.
//! Total on hostile octets: no panic, bounded nesting and bounded memory.
//! Not here: the types themselves ([`h225`](crate::h225), [`h235`](crate::h235),
//! [`h245`](crate::h245)); framing ([`tpkt`](crate::tpkt), [`q931`](crate::q931)).
//!
//! What decodes leniently, because real peers send it: octets behind the message or behind the
//! value of an open type, an open type of no octets for a NULL alternative, any extension addition
//! left out (even one the standard calls mandatory), additions and alternatives of later versions
//! (kept, and sent on unchanged), a PrintableString with foreign characters, padding that is not
//! zero, numbers and lengths in a longer form than they need. A [`Message`], as long as its value is
//! not changed, encodes to the octets it came in: how they deviate is remembered, without being part
//! of the value. Encoding of what was built here is strict and canonical.

mod big;
mod error;
mod form;
mod integer;
pub mod json;
mod list;
mod members;
mod message;
pub(crate) mod notation;
mod octets;
mod oid;
mod reader;
mod string;
mod unknown;
mod writer;

use serde_json::Value;

pub use big::Integer;
pub use error::{Blame, Error, Kind, Result};
pub(crate) use integer::{Int, IntExtensible, IntFrom};
pub(crate) use list::List;
pub(crate) use members::{Alternatives, Source};
pub use message::{Message, Meter, decode, decode_metered, encode};
pub use octets::BitString;
pub(crate) use octets::{Bits, Octets};
pub use oid::{Oid, ParseOidError};
pub use reader::Reader;
pub use string::BmpString;
pub(crate) use string::{
    Bmp, DialledDigit, General, Ia5, IsupDigit, Numeric, Printable, Signal, Tbcd, UNBOUNDED, Visible,
};
pub use unknown::{UnknownAddition, UnknownAdditions, UnknownAlternative};
pub use writer::Writer;

/// How deep lists, boxed values and open types may nest. The deepest of the test vectors, which
/// were made to nest, needs 16; several types recurse (H.245 generic parameters, H.225.0 generic
/// data) and could go on for ever. At this depth decoding takes less than 32 KiB of stack, or
/// 128 KiB unoptimized.
pub const MAX_DEPTH: usize = 40;

/// How many octets of memory the decoded form may take for each octet of the message …
pub const MEMORY_PER_OCTET: usize = 64;

/// … and how many a short message may take in any case: a keep-alive of 10 octets still has a
/// structure with room for every member that it left out. The neediest of the test vectors, of 61
/// octets, takes 5,160; the largest structure is one of 1.7 KB.
pub const MEMORY_FLOOR: usize = 8 * 1024;

/// How many steps decoding may take for each octet of the message: see [`Meter::work`]. What a
/// message costs beside its steps is bounded by its bits, each of which is read once. So 64 KiB
/// decode or fail within 4,194,304 steps. No type of the schema comes near, since every element of
/// its lists takes bits or memory, of which messages have less; the limit holds for any type,
/// even of elements that take neither.
pub const WORK_PER_OCTET: usize = 64;

/// … and how many a short message may take in any case.
pub const WORK_FLOOR: usize = 1024;

/// A type of the schema in its natural encoding.
///
/// Values are read *in place*, over a blank one: large structures are never moved, and stack
/// frames stay small.
pub trait Type: Sized {
    /// A value to read over. Not a value that means anything: required members have it too.
    #[doc(hidden)]
    fn blank() -> Self;
    /// Reads a value over this one, which is of no use after an error.
    fn decode(&mut self, reader: &mut Reader) -> Result<()>;
    /// Writes the value.
    fn encode(&self, writer: &mut Writer) -> Result<()>;
    /// Describes the value. See [`json`] for the notation.
    fn to_json(&self) -> Value;
    /// Reads a description over this value.
    fn read_json(&mut self, value: &Value) -> Result<()>;
    /// What a [`Message`] remembers; nothing else does.
    #[doc(hidden)]
    fn form(&self) -> message::Form<'_> {
        message::Form::default()
    }
}

/// A way to encode values of type `T`: usually a constraint, such as a range or an alphabet.
/// The functions are those of [`Type`].
pub(crate) trait Codec<T> {
    fn blank() -> T;
    fn decode(slot: &mut T, reader: &mut Reader) -> Result<()>;
    fn encode(value: &T, writer: &mut Writer) -> Result<()>;
    fn to_json(value: &T) -> Value;
    fn read_json(slot: &mut T, value: &Value) -> Result<()>;
}

/// Makes a type of the schema: its natural encoding is that of a codec.
macro_rules! natural {
    ($type:ty: $codec:ty) => {
        impl $crate::per::Type for $type {
            #[inline]
            fn blank() -> Self {
                <$codec as $crate::per::Codec<$type>>::blank()
            }
            #[inline]
            fn decode(&mut self, reader: &mut $crate::per::Reader) -> $crate::per::Result<()> {
                <$codec as $crate::per::Codec<$type>>::decode(self, reader)
            }
            #[inline]
            fn encode(&self, writer: &mut $crate::per::Writer) -> $crate::per::Result<()> {
                <$codec as $crate::per::Codec<$type>>::encode(self, writer)
            }
            fn to_json(&self) -> $crate::per::json::Value {
                <$codec as $crate::per::Codec<$type>>::to_json(self)
            }
            fn read_json(&mut self, value: &$crate::per::json::Value) -> $crate::per::Result<()> {
                <$codec as $crate::per::Codec<$type>>::read_json(self, value)
            }
        }
    };
}
pub(crate) use natural;

/// The natural encoding of a [`Type`], under no constraint.
#[derive(Debug)]
pub(crate) enum Plain {}

impl<T: Type> Codec<T> for Plain {
    #[inline]
    fn blank() -> T {
        T::blank()
    }
    #[inline]
    fn decode(slot: &mut T, reader: &mut Reader) -> Result<()> {
        slot.decode(reader)
    }
    #[inline]
    fn encode(value: &T, writer: &mut Writer) -> Result<()> {
        value.encode(writer)
    }
    #[inline]
    fn to_json(value: &T) -> Value {
        value.to_json()
    }
    #[inline]
    fn read_json(slot: &mut T, value: &Value) -> Result<()> {
        slot.read_json(value)
    }
}
