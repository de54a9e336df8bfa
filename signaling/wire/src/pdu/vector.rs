//! Rows of vector files, and whether this crate does what they say.
//! In: a line of JSON (`tests/data/vectors/README.md` tells the form). Out: a [`Row`]; [`Row::verify`] runs it through
//! every direction: octets → value → description → value → octets.
//! Not here: reading files.

use std::str::FromStr;

use bytes::Bytes;
use serde_json::Value;

use super::{Kind, Pdu};
use crate::per::json;

/// What a row is to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Expectation {
    /// Decodes to its value, encodes to its octets.
    Valid,
    /// Decodes with additions of a later version; without them encodes to `reencode`.
    UnknownAddition,
    /// Decodes although an alternative is unknown; encodes to its octets.
    UnknownAlternative,
    /// Not quite by the book: decodes to its value, which built anew encodes to `reencode`.
    Lenient,
    /// An error.
    MustReject,
    /// An error or a value.
    MustNotPanic,
}

impl Expectation {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Valid,
        Self::UnknownAddition,
        Self::UnknownAlternative,
        Self::Lenient,
        Self::MustReject,
        Self::MustNotPanic,
    ];

    /// Its name in the files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::UnknownAddition => "unknown-addition",
            Self::UnknownAlternative => "unknown-alternative",
            Self::Lenient => "lenient",
            Self::MustReject => "must-reject",
            Self::MustNotPanic => "must-not-panic",
        }
    }
}

/// A row of a vector file.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub id: String,
    /// What its octets are.
    pub pdu: Kind,
    /// What it is to show.
    pub expectation: Expectation,
    /// The octets.
    pub octets: Bytes,
    /// The value that they decode to.
    pub value: Option<Value>,
    /// The octets that the value encodes to, if others.
    pub reencode: Option<Bytes>,
}

impl FromStr for Row {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let row: Value = serde_json::from_str(line).map_err(|error| format!("no JSON: {error}"))?;
        let text = |name: &str| row.get(name).and_then(Value::as_str);
        let required = |name: &str| text(name).ok_or_else(|| format!("no {name:?}"));
        let octets = |name: &str, value: &Value| {
            json::octets(value).map(Bytes::from).map_err(|_| format!("{name:?} holds no hexadecimal octets"))
        };
        let kind = required("kind")?;
        let expectation = Expectation::ALL.into_iter().find(|expectation| expectation.name() == kind);
        Ok(Self {
            id: required("id")?.to_owned(),
            pdu: required("pdu")?.parse().map_err(|error: super::UnknownKind| error.to_string())?,
            expectation: expectation.ok_or_else(|| format!("{kind:?} is no kind of row"))?,
            octets: octets("hex", row.get("hex").unwrap_or(&Value::Null))?,
            value: row.get("value").cloned(),
            reencode: row
                .get("reencode")
                .filter(|value| !value.is_null())
                .map(|value| octets("reencode", value))
                .transpose()?,
        })
    }
}

impl Row {
    /// Whether everything is as the row says.
    ///
    /// # Errors
    ///
    /// What is not, in words.
    pub fn verify(&self) -> Result<(), String> {
        let decoded = Pdu::decode(self.pdu, &self.octets);
        match (self.expectation, &decoded) {
            (Expectation::MustNotPanic, _) | (Expectation::MustReject, Err(_)) => return Ok(()),
            (Expectation::MustReject, Ok(pdu)) => return Err(format!("accepted: {}", pdu.to_json())),
            _ => {}
        }
        let pdu = decoded.map_err(|error| format!("rejected: {error}"))?;
        let description = pdu.to_json();
        let built = Pdu::from_json(self.pdu, &description).map_err(|e| format!("own description: {e}"))?;
        if built != pdu {
            return Err("own description builds another value".into());
        }
        let mut described = description.clone();
        let mut expected = self.value.clone().ok_or("no \"value\" to compare with")?;
        let keep = self.expectation == Expectation::UnknownAlternative;
        in_terms_of_the_rows(&mut described, keep);
        in_terms_of_the_rows(&mut expected, keep);
        if let Some(difference) = difference(&described, &expected) {
            return Err(format!("decoded {difference}"));
        }
        let encoded = pdu.encode().map_err(|error| format!("not encoded: {error}"))?;
        // Even what was not canonical: the value remembers how it was written.
        same_octets("encoded", &encoded, &self.octets)?;
        if self.expectation == Expectation::Lenient {
            // A description does not, so that what is built from it is canonical.
            let wanted = self.reencode.as_ref().ok_or("no \"reencode\" to compare with")?;
            let encoded = built.encode().map_err(|error| format!("built, not encoded: {error}"))?;
            same_octets("built and encoded", &encoded, wanted)?;
        }
        if let (Expectation::UnknownAddition, Some(wanted)) = (self.expectation, &self.reencode) {
            // Without its unknown additions the value is what an encoder that drops them sends.
            let mut known = description;
            in_terms_of_the_rows(&mut known, false);
            let known = Pdu::from_json(self.pdu, &known).map_err(|error| format!("known part: {error}"))?;
            let encoded = known.encode().map_err(|error| format!("known part: {error}"))?;
            same_octets("known part encoded", &encoded, wanted)?;
        }
        Ok(())
    }
}

fn same_octets(what: &str, ours: &Bytes, wanted: &Bytes) -> Result<(), String> {
    if ours == wanted {
        return Ok(());
    }
    let at = ours.iter().zip(wanted).take_while(|(a, b)| a == b).count();
    let around = |octets: &Bytes| json::hex(octets.get(at..octets.len().min(at + 12)).unwrap_or_default());
    Err(format!(
        "{what} as {} octets, not {}; from octet {at} on {}, not {}",
        ours.len(),
        wanted.len(),
        around(ours),
        around(wanted)
    ))
}

/// Our description in the terms of the rows: of the unknown they tell only the index of an alternative, the number of
/// additions and the fact of an ENUMERATED item.
fn in_terms_of_the_rows(value: &mut Value, keep_additions: bool) {
    match value {
        Value::Object(members) => {
            if !keep_additions {
                members.remove("_unknown_additions");
            }
            for (name, member) in members.iter_mut() {
                match name.as_str() {
                    "_unknown_alternative" => {
                        if let Some(index) = member.get("index") {
                            *member = index.clone();
                        }
                    }
                    "_unknown_additions" => {
                        if let Some(additions) = member.as_array() {
                            *member = additions.len().into();
                        }
                    }
                    "_unknown_enum" => *member = Value::Null,
                    _ => in_terms_of_the_rows(member, keep_additions),
                }
            }
        }
        Value::Array(elements) => {
            elements.iter_mut().for_each(|element| in_terms_of_the_rows(element, keep_additions));
        }
        _ => {}
    }
}

/// The first place where two descriptions differ.
fn difference(ours: &Value, wanted: &Value) -> Option<String> {
    fn find(path: &str, ours: &Value, wanted: &Value) -> Option<String> {
        match (ours, wanted) {
            (Value::Object(a), Value::Object(b)) => {
                let step =
                    |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                let missing = b.iter().find(|(name, _)| !a.contains_key(*name));
                let more = a.iter().find(|(name, _)| !b.contains_key(*name));
                let inner = a.iter().find_map(|(name, value)| find(&step(name), value, b.get(name)?));
                inner
                    .or_else(|| {
                        missing.map(|(name, value)| format!("{} missing: {}", step(name), short(value)))
                    })
                    .or_else(|| more.map(|(name, value)| format!("{} added: {}", step(name), short(value))))
            }
            (Value::Array(a), Value::Array(b)) => {
                let mut pairs = a.iter().zip(b).enumerate();
                let inner = pairs.find_map(|(i, (a, b))| find(&format!("{path}[{i}]"), a, b));
                let lengths = (a.len() != b.len())
                    .then(|| format!("{path} with {} elements, not {}", a.len(), b.len()));
                inner.or(lengths)
            }
            _ if ours == wanted => None,
            _ => {
                let path = if path.is_empty() { "the whole" } else { path };
                Some(format!("{path} as {}, not {}", short(ours), short(wanted)))
            }
        }
    }
    find("", ours, wanted)
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        None => text,
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
    }
}
