//! A description of values in JSON, for people and for test vectors.
//! SEQUENCE = object, CHOICE = `{"alternative": value}`, NULL = null, OCTET STRING = hex text,
//! BIT STRING = `{"hex": …, "bits": …}`, OBJECT IDENTIFIER = dotted text, ENUMERATED and strings =
//! text; a BMPString that no text can tell, because of half a surrogate pair, `{"hex": …}` of its
//! characters, two octets each. Names are spelled as in the standard. What the schema does not know:
//! `{"_unknown_alternative": {"index": …, "hex": …}}`, and as a member of a SEQUENCE
//! `"_unknown_additions": [{"index": …, "hex": …}, …]`.

pub use serde_json::Value;
use serde_json::{Map, json};

use super::error::{Blame, Error, Kind, Result};
use super::members::{Alternatives, Source};
use super::unknown::{UnknownAdditions, UnknownAlternative};
use super::{Codec, Type};

const UNKNOWN_ALTERNATIVE: &str = "_unknown_alternative";
const UNKNOWN_ADDITIONS: &str = "_unknown_additions";
const UNKNOWN_ITEM: &str = "_unknown_enum";

/// Describes a value.
pub fn describe<T: Type>(value: &T) -> Value {
    value.to_json()
}

/// Builds the value that `description` describes. Unknown names are errors.
pub fn build<T: Type>(description: &Value) -> Result<T> {
    let mut value = T::blank();
    value.read_json(description)?;
    Ok(value)
}

/// What an open type holds: the name of its type, and its value, to be described or built.
#[derive(Clone, Copy)]
pub struct OpenType {
    /// The type, as it is called here.
    pub name: &'static str,
    describe: fn(&bytes::Bytes) -> Result<Value>,
    build: fn(&Value) -> Result<Vec<u8>>,
}

impl OpenType {
    pub(crate) fn of<T: Type>(name: &'static str) -> Self {
        OpenType {
            name,
            describe: |octets| super::decode::<T>(octets).map(|value| value.to_json()),
            build: |description| super::encode(&build::<T>(description)?),
        }
    }

    /// Decodes, and describes in the notation of this module.
    pub fn describe(&self, octets: &bytes::Bytes) -> Result<Value> {
        (self.describe)(octets)
    }

    /// Builds from a description, and encodes.
    pub fn build(&self, description: &Value) -> Result<Vec<u8>> {
        (self.build)(description)
    }
}

impl std::fmt::Debug for OpenType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenType").field("name", &self.name).finish_non_exhaustive()
    }
}

// --- what the codecs of single values need --------------------------------------------------------

/// Octets as hexadecimal text.
pub fn hex(octets: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digits = octets.iter().flat_map(|octet| [octet >> 4, octet & 15]);
    digits.filter_map(|digit| DIGITS.get(usize::from(digit))).collect()
}

/// The octets that hexadecimal text, of an even number of digits, stands for.
pub fn octets(value: &Value) -> Result<Vec<u8>> {
    let digits = value.as_str().and_then(|text| {
        text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect::<Option<Vec<u8>>>()
    });
    let Some(digits) = digits.filter(|digits| digits.len() % 2 == 0) else {
        return Err(wanted("hexadecimal octets"));
    };
    Ok(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit)).collect())
}

#[cold]
pub(crate) fn wanted(what: &'static str) -> Error {
    Error::new(Kind::Json(what), Blame::Caller, 0)
}

// --- SEQUENCE ---------------------------------------------------------------------------------------

/// The description of a SEQUENCE under construction.
#[derive(Default)]
pub(crate) struct Members(Map<String, Value>);

impl Members {
    pub(crate) fn member(&mut self, name: &'static str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    pub(crate) fn optional<T, C: Codec<T>>(&mut self, name: &'static str, value: &Option<T>) {
        if let Some(value) = value {
            self.member(name, C::to_json(value));
        }
    }

    pub(crate) fn unknown(&mut self, unknown: &UnknownAdditions) {
        if !unknown.is_empty() {
            let kept = unknown.iter().map(|a| json!({ "index": a.index(), "hex": hex(a.octets()) }));
            self.0.insert(UNKNOWN_ADDITIONS.to_owned(), kept.collect());
        }
    }

    pub(crate) fn finish(self) -> Value {
        Value::Object(self.0)
    }
}

/// The members of a described SEQUENCE, taken one by one.
pub(crate) struct Description<'a> {
    members: &'a Map<String, Value>,
    taken: usize,
}

impl<'a> Description<'a> {
    pub(crate) fn new(value: &'a Value) -> Result<Self> {
        match value {
            Value::Object(members) => Ok(Description { members, taken: 0 }),
            _ => Err(wanted("an object")),
        }
    }

    /// Takes a member, if it is there.
    pub(crate) fn member(&mut self, name: &'static str) -> Option<&'a Value> {
        let value = self.members.get(name)?;
        self.taken += 1;
        Some(value)
    }

    pub(crate) fn required<T, C: Codec<T>>(&mut self, slot: &mut T, name: &'static str) -> Result<()> {
        let read = match self.member(name) {
            Some(value) => C::read_json(slot, value),
            None => Err(wanted("this member")),
        };
        match read {
            Ok(()) => Ok(()),
            Err(error) => Err(error.in_member(name)),
        }
    }

    pub(crate) fn optional<T, C: Codec<T>>(
        &mut self,
        slot: &mut Option<T>,
        name: &'static str,
    ) -> Result<()> {
        if let Some(value) = self.member(name)
            && let Err(error) = C::read_json(slot.insert(C::blank()), value)
        {
            return Err(error.in_member(name));
        }
        Ok(())
    }

    /// The additions behind the `known` ones.
    pub(crate) fn unknown(&mut self, unknown: &mut UnknownAdditions, known: usize) -> Result<()> {
        let Some(value) = self.member(UNKNOWN_ADDITIONS) else { return Ok(()) };
        let additions = value.as_array().ok_or_else(|| wanted("an array of unknown additions"))?;
        let mut next = known;
        for addition in additions {
            let (index, octets) = indexed(addition)?;
            // No bitmap is longer than a length determinant without fragments announces.
            if (index as usize) < next || index >= 16_383 {
                return Err(wanted("indices that ascend behind the known additions"));
            }
            next = index as usize + 1;
            unknown.keep(index, octets.into());
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<()> {
        if self.taken == self.members.len() { Ok(()) } else { Err(wanted("no other member")) }
    }
}

// --- CHOICE -----------------------------------------------------------------------------------------

fn named(name: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(name.to_owned(), value)]))
}

/// Describes an alternative.
pub(crate) fn alternative(names: &Alternatives, place: (bool, u32), value: Value) -> Value {
    named(names.name(place).unwrap_or_default(), value)
}

pub(crate) fn unknown_alternative(unknown: &UnknownAlternative) -> Value {
    let value = json!({ "index": unknown.index(), "hex": hex(unknown.octets()) });
    named(UNKNOWN_ALTERNATIVE, value)
}

/// The description of the value of an alternative.
pub(crate) struct Chosen<'a>(&'a Value);

/// The alternative that is described: its place, and its value.
pub(crate) fn chosen<'a>(names: &Alternatives, value: &'a Value) -> Result<((bool, u32), Chosen<'a>)> {
    let mut members = value.as_object().into_iter().flatten();
    let (Some((name, value)), None) = (members.next(), members.next()) else {
        return Err(wanted("an object of one member, the alternative"));
    };
    match names.place(name) {
        Some(place) => Ok((place, Chosen(value))),
        // Behind all those that have a name.
        None if names.extensible && name == UNKNOWN_ALTERNATIVE => Ok(((true, u32::MAX), Chosen(value))),
        None => Err(wanted("the name of an alternative")),
    }
}

impl Source for Chosen<'_> {
    fn value<T, C: Codec<T>>(&mut self) -> Result<T> {
        let mut slot = C::blank();
        C::read_json(&mut slot, self.0)?;
        Ok(slot)
    }
    fn unknown_alternative(&mut self, _: u32) -> Result<UnknownAlternative> {
        let (index, octets) = indexed(self.0)?;
        Ok(UnknownAlternative::new(index, octets.into()))
    }
    fn bad_alternative(&self) -> Error {
        wanted("the name of an alternative")
    }
}

fn indexed(value: &Value) -> Result<(u32, Vec<u8>)> {
    let index = value.get("index").and_then(Value::as_u64).and_then(|i| u32::try_from(i).ok());
    match (index, value.get("hex")) {
        (Some(index), Some(hex)) => Ok((index, octets(hex)?)),
        _ => Err(wanted("an object of \"index\" and \"hex\"")),
    }
}

// --- ENUMERATED -------------------------------------------------------------------------------------

pub(crate) fn unknown_item(index: u32) -> Value {
    named(UNKNOWN_ITEM, index.into())
}

pub(crate) fn unknown_item_index(value: &Value) -> Result<u32> {
    let index = value.get(UNKNOWN_ITEM).and_then(Value::as_u64);
    index.and_then(|i| u32::try_from(i).ok()).ok_or_else(|| wanted("the name of an item"))
}
