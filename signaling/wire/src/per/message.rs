//! A message: a value that came as a whole, or leaves so.
//! In: octets, or a value. Out: a [`Message`], which is the value and how its sender wrote it; its octets.
//!
//! ```text
//! octets ── decode ──► Message ─ value ─ extensible SEQUENCEs ─ how each was written (`unknown`)
//!        ◄─ encode ──     └ how the rest was written
//! ```
//!
//! Not here: what a deviation is (`form`); bits (`reader`, `writer`).

use std::fmt;
use std::ops::{Deref, DerefMut};

use bytes::Bytes;
use serde_json::Value;

use super::error::Result;
use super::form::Deviations;
use super::reader::{memory_budget, work_budget};
use super::{Reader, Type, Writer};

/// A message that was received, or one to send: it is used as its value.
///
/// One that was decoded remembers how its sender wrote it, where that is not the canonical form
/// (octets behind the message, padding, lengths in a longer form than they need, …), so that it is
/// sent on octet by octet. That is no part of the value, and not compared. Each extensible SEQUENCE
/// remembers its own form; here is what lies outside all of them. One that is made of a value takes
/// the canonical form, as far as no SEQUENCE in it was received.
#[derive(Clone, Default)]
pub struct Message<T> {
    value: T,
    form: Option<Deviations>,
}

impl<T> Message<T> {
    /// The value alone.
    pub fn into_value(self) -> T {
        self.value
    }

    /// Forgets how the sender wrote this message, except the extensible SEQUENCEs in it: those have
    /// [`UnknownAdditions::forget_form`](super::UnknownAdditions::forget_form).
    pub fn forget_form(&mut self) {
        self.form = None;
    }
}

impl<T> From<T> for Message<T> {
    fn from(value: T) -> Self {
        Message { value, form: None }
    }
}

impl<T> Deref for Message<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Message<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: PartialEq> PartialEq for Message<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Message<T> {}

impl<T: PartialEq> PartialEq<T> for Message<T> {
    fn eq(&self, other: &T) -> bool {
        self.value == *other
    }
}

impl<T: fmt::Debug> fmt::Debug for Message<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: Type> Type for Message<T> {
    fn blank() -> Self {
        T::blank().into()
    }
    fn decode(&mut self, reader: &mut Reader) -> Result<()> {
        self.value.decode(reader)
    }
    fn encode(&self, writer: &mut Writer) -> Result<()> {
        self.value.encode(writer)
    }
    fn to_json(&self) -> Value {
        self.value.to_json()
    }
    fn read_json(&mut self, value: &Value) -> Result<()> {
        self.value.read_json(value)
    }
    fn form(&self) -> Form<'_> {
        Form(self.form.as_ref())
    }
}

/// How a message was written outside of any extensible SEQUENCE, if not in the canonical form.
#[derive(Clone, Copy, Debug, Default)]
pub struct Form<'a>(Option<&'a Deviations>);

/// Reads one message. Octet strings and open types in the result share the memory of `octets`.
///
/// # Errors
///
/// What is wrong, where, and whose fault it is.
pub fn decode<T: Type>(octets: &Bytes) -> Result<Message<T>> {
    read(&mut Reader::new(octets))
}

fn read<T: Type>(reader: &mut Reader) -> Result<Message<T>> {
    let mut message = Message::from(T::blank());
    message.value.decode(reader)?;
    message.form = reader.finish()?;
    Ok(message)
}

/// What decoding took of its budgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meter {
    /// Octets of memory: at least what the value takes beyond its own size.
    pub memory: usize,
    /// The limit of that.
    pub memory_limit: usize,
    /// Steps: a member looked at, an element, an alternative, 64 octets copied.
    pub work: usize,
    /// The limit of those.
    pub work_limit: usize,
}

/// As [`decode`], and what it took, whether it succeeds or fails.
pub fn decode_metered<T: Type>(octets: &Bytes) -> (Result<Message<T>>, Meter) {
    let mut reader = Reader::new(octets);
    let result = read(&mut reader);
    let (memory_limit, work_limit) = (memory_budget(octets.len()), work_budget(octets.len()));
    let (memory, work) = reader.budgets();
    let meter = Meter { memory: memory_limit - memory, memory_limit, work: work_limit - work, work_limit };
    (result, meter)
}

/// Writes one message. A [`Message`] that was decoded, and whose value was not changed, becomes the
/// octets that it was decoded from, however its sender wrote them. A value that was built here takes
/// the one canonical form.
///
/// # Errors
///
/// The value breaks a constraint of its type.
pub fn encode<T: Type>(value: &T) -> Result<Vec<u8>> {
    let mut writer = Writer::new();
    if let Some(deviations) = value.form().0 {
        writer.follow(deviations);
    }
    value.encode(&mut writer)?;
    Ok(writer.finish())
}

#[cfg(test)]
#[allow(dead_code, unreachable_pub, reason = "the macro makes types for everybody")]
mod tests {
    use super::*;
    use crate::per::error::Kind;
    use crate::per::notation::sequence;
    use crate::per::{WORK_FLOOR, WORK_PER_OCTET};

    sequence! {
        /// Takes steps, but neither bits nor memory, which no element of the schema's lists does:
        /// their values take less than a quarter of the limit (`any_value.rs`).
        Nothings {
            first "first": (),
            second "second": (),
            third "third": (),
            fourth "fourth": (),
            fifth "fifth": (),
            sixth "sixth": (),
            seventh "seventh": (),
        }
    }

    /// Steps for one element: in its list, itself, its members.
    const STEPS: usize = 1 + 1 + 7;

    #[test]
    fn work_is_counted_step_by_step() {
        let (list, meter) = decode_metered::<Vec<Nothings>>(&Bytes::from_static(&[3, 0]));
        assert_eq!(list.map(|list| list.len()), Ok(3));
        assert_eq!((meter.work, meter.work_limit), (3 * STEPS, WORK_FLOOR));
    }

    #[test]
    fn too_much_work_is_refused_however_little_memory_it_takes() {
        // Each octet announces 64K elements more, as long as as many bits are left.
        let message = Bytes::from(vec![0xc4; 65_536]);
        let (list, meter) = decode_metered::<Vec<Nothings>>(&message);
        let error = list.expect_err("more than any message may take");
        assert_eq!(error.kind(), Kind::TooMuchWork);
        assert_eq!(error.blame(), crate::per::Blame::Limit);
        assert_eq!(meter.work_limit, 65_536 * WORK_PER_OCTET);
        assert!(meter.work <= meter.work_limit && meter.work + 65_536 >= meter.work_limit, "{meter:?}");
        assert_eq!(meter.memory, 0);
    }
}
