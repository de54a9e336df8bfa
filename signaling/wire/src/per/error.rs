//! What can go wrong between octets and values, and where.
//! In: a [`Kind`] and an octet offset at the place of the fault. Out: an [`Error`] that collects
//! the path to that place while it travels up, so that success pays nothing for it.
//! Not here: faults of TPKT and Q.931 framing.

use std::fmt;

use super::members::Alternatives;

/// The result of every operation of this layer.
pub type Result<T> = std::result::Result<T, Error>;

/// The nature of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The message ends before the value does.
    Truncated,
    /// A number lies outside its constraint.
    OutOfRange,
    /// A length determinant is malformed, or a size lies outside its constraint.
    BadLength,
    /// A CHOICE or ENUMERATED index that the extension root does not have.
    BadAlternative,
    /// A character outside the alphabet of its string type.
    BadCharacter,
    /// The contents octets of an OBJECT IDENTIFIER are malformed, or an arc exceeds 128 bits.
    BadOid,
    /// Values nest deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    TooDeep,
    /// The decoded form would exceed [`MEMORY_PER_OCTET`](super::MEMORY_PER_OCTET).
    TooLarge,
    /// Decoding would take more than [`WORK_PER_OCTET`](super::WORK_PER_OCTET) steps.
    TooMuchWork,
    /// A JSON document does not describe a value of the type; the text says what was wanted.
    Json(&'static str),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Truncated => "the message ends inside the value",
            Kind::OutOfRange => "number outside its range",
            Kind::BadLength => "length malformed or outside its range",
            Kind::BadAlternative => "no such alternative",
            Kind::BadCharacter => "character outside the string's alphabet",
            Kind::BadOid => "malformed object identifier",
            Kind::TooDeep => "values nest too deep",
            Kind::TooLarge => "decoded form too large for the message",
            Kind::TooMuchWork => "too many steps for the message",
            Kind::Json(wanted) => return write!(f, "JSON: expected {wanted}"),
        })
    }
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The sender's: these octets are no value of the type.
    Peer,
    /// The caller's: this value, or its description, breaks a constraint of the type.
    Caller,
    /// Nobody's, perhaps: the value exceeds a limit of this implementation
    /// ([`MAX_DEPTH`](super::MAX_DEPTH), [`MEMORY_PER_OCTET`](super::MEMORY_PER_OCTET),
    /// [`WORK_PER_OCTET`](super::WORK_PER_OCTET)). From a peer, take it for an attack.
    Limit,
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Blame::Peer => "malformed by the peer",
            Blame::Caller => "not a value of the type",
            Blame::Limit => "beyond a limit",
        })
    }
}

/// A fault, the octet where it was met and the path of members that leads there.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    kind: Kind,
    blame: Blame,
    offset: usize,
    /// Innermost step first: steps are added on the way out.
    path: Vec<Step>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Member(&'static str),
    Element(usize),
}

impl Error {
    /// A fault for which `blame` is to blame, unless it is a limit's.
    #[cold]
    pub(crate) fn new(kind: Kind, blame: Blame, offset: usize) -> Self {
        let blame = match kind {
            Kind::TooDeep | Kind::TooLarge | Kind::TooMuchWork => Blame::Limit,
            _ => blame,
        };
        Error(Box::new(Inner { kind, blame, offset, path: Vec::new() }))
    }

    /// The nature of the fault.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Who is to blame.
    pub fn blame(&self) -> Blame {
        self.0.blame
    }

    /// The octet at which it was met, counted from the start of the message (decoding) or of what
    /// had been written (encoding); zero for JSON. Inside an open type of 16K or more, which
    /// travels in fragments, the count starts at the rejoined value.
    pub fn offset(&self) -> usize {
        self.0.offset
    }

    /// The path to the value, in the standard's spelling: `setup.fastStart[2]`. Empty if the
    /// fault is at the top.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for step in self.0.path.iter().rev() {
            match step {
                Step::Member(name) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
                Step::Element(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }

    #[cold]
    pub(crate) fn in_member(mut self, name: &'static str) -> Self {
        self.0.path.push(Step::Member(name));
        self
    }

    /// In the alternative of a CHOICE at this place, unless it is none of the names.
    #[cold]
    pub(crate) fn in_alternative(self, names: &Alternatives, place: (bool, u32)) -> Self {
        match names.name(place) {
            Some(name) => self.in_member(name),
            None => self,
        }
    }

    #[cold]
    pub(crate) fn in_element(mut self, index: usize) -> Self {
        self.0.path.push(Step::Element(index));
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.kind)?;
        if !matches!(self.0.kind, Kind::Json(_)) {
            write!(f, " at octet {}", self.0.offset)?;
        }
        if !self.0.path.is_empty() {
            write!(f, ", in {}", self.path())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl std::error::Error for Error {}
