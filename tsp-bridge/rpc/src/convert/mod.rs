//! The contract's messages ⇄ the values of the link, field by field.
//!
//! In and out: [`Word::say`] writes any value; [`Word::read`] reads what a peer wrote, which may be anything. Total both
//! ways: what cannot be read is an [`Unreadable`] that says which field, never a panic.
//! Not here: frames and sequences (`session`).

mod event;
mod request;
mod words;

#[cfg(test)]
mod tests;

/// A message that is not what the contract says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

impl Unreadable {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    fn absent(what: &str) -> Self {
        Self(format!("{what} is missing or not known here"))
    }
}

/// A value that travels as a message.
pub trait Word: Sized {
    /// The message.
    type Message;

    /// Writes it.
    fn say(self) -> Self::Message;

    /// Reads what a peer wrote.
    fn read(message: Self::Message) -> Result<Self, Unreadable>;
}

/// Reads a message that has to be there.
fn needed<W: Word>(message: Option<W::Message>, what: &str) -> Result<W, Unreadable> {
    message.ok_or_else(|| Unreadable::absent(what)).and_then(W::read)
}

/// Reads one that need not.
fn optional<W: Word>(message: Option<W::Message>) -> Result<Option<W>, Unreadable> {
    message.map(W::read).transpose()
}

fn all<W: Word>(messages: Vec<W::Message>) -> Result<Vec<W>, Unreadable> {
    messages.into_iter().map(W::read).collect()
}

fn say_all<W: Word>(words: Vec<W>) -> Vec<W::Message> {
    words.into_iter().map(W::say).collect()
}

/// A number that is wider on the wire than here.
fn narrow<T: TryFrom<u32>>(value: u32, what: &str) -> Result<T, Unreadable> {
    T::try_from(value).map_err(|_| Unreadable(format!("{what} is out of range: {value}")))
}
