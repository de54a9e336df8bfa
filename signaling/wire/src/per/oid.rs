//! OBJECT IDENTIFIER: contents octets (X.690 8.19) behind a length determinant.
//! In and out: [`Oid`], dotted text, constants.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::error::{Kind, Result};
use super::json::wanted;
use super::{Reader, Type, Writer};

/// An object identifier. Short ones, and those of H.323 are short, live without allocation.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Oid(Contents);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Contents {
    Short {
        count: u8,
        octets: [u8; SHORT],
    },
    /// More than `SHORT` octets.
    Long(Box<[u8]>),
}

const SHORT: usize = 22;

impl Oid {
    /// The object identifier of `arcs`, for constants.
    ///
    /// ```
    /// use offhook_wire::per::Oid;
    /// const H225_V7: Oid = Oid::new(&[0, 0, 8, 2250, 0, 7]);
    /// assert_eq!(H225_V7.to_string(), "0.0.8.2250.0.7");
    /// ```
    ///
    /// # Panics
    ///
    /// At compile time if used for a constant: on fewer than two arcs, on a first arc above 2, on
    /// a second arc above 39 below 0 or 1, and on more than 22 contents octets. Text from outside
    /// comes in through [`FromStr`].
    pub const fn new(arcs: &[u32]) -> Self {
        assert!(arcs.len() >= 2 && arcs[0] <= 2 && (arcs[0] == 2 || arcs[1] < 40));
        let mut octets = [0; SHORT];
        let mut count = 0;
        let mut next = 1;
        while next < arcs.len() {
            let arc = if next == 1 { arcs[0] as u64 * 40 + arcs[1] as u64 } else { arcs[next] as u64 };
            let mut groups = 1;
            while groups < 5 && arc >> (7 * groups) != 0 {
                groups += 1;
            }
            while groups > 0 {
                groups -= 1;
                let more = if groups > 0 { 0x80 } else { 0 };
                assert!(count < SHORT);
                octets[count] = (arc >> (7 * groups)) as u8 & 0x7f | more;
                count += 1;
            }
            next += 1;
        }
        Oid(Contents::Short { count: count as u8, octets })
    }

    /// The arcs in order.
    pub fn arcs(&self) -> impl Iterator<Item = u128> + '_ {
        let mut first = true;
        let mut octets = self.contents().iter();
        let mut second = None;
        std::iter::from_fn(move || {
            if let Some(arc) = second.take() {
                return Some(arc);
            }
            let mut arc = 0u128;
            loop {
                let octet = octets.next()?;
                arc = arc << 7 | u128::from(octet & 0x7f);
                if octet & 0x80 == 0 {
                    break;
                }
            }
            if std::mem::take(&mut first) {
                let top = (arc / 40).min(2);
                second = Some(arc - 40 * top);
                arc = top;
            }
            Some(arc)
        })
    }

    fn contents(&self) -> &[u8] {
        match &self.0 {
            Contents::Short { count, octets } => octets.get(..usize::from(*count)).unwrap_or(octets),
            Contents::Long(octets) => octets,
        }
    }

    /// Checks contents octets: whole arcs without leading zeros, none above 128 bits.
    fn from_contents(contents: &[u8]) -> Option<Self> {
        if contents.last().is_none_or(|last| last & 0x80 != 0) {
            return None;
        }
        for arc in contents.split_inclusive(|octet| octet & 0x80 == 0) {
            let spare = arc.first().map_or(0, |first| (first & 0x7f).leading_zeros() as usize - 1);
            if arc.first() == Some(&0x80) || arc.len() * 7 - spare > 128 {
                return None;
            }
        }
        let mut octets = [0; SHORT];
        Some(Oid(match octets.get_mut(..contents.len()) {
            Some(room) => {
                room.copy_from_slice(contents);
                Contents::Short { count: contents.len() as u8, octets }
            }
            None => Contents::Long(contents.into()),
        }))
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, arc) in self.arcs().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            write!(f, "{arc}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Oid({self})")
    }
}

/// The text is not a dotted object identifier, or an arc exceeds 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseOidError;

impl fmt::Display for ParseOidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a dotted object identifier")
    }
}

impl std::error::Error for ParseOidError {}

impl FromStr for Oid {
    type Err = ParseOidError;

    fn from_str(text: &str) -> std::result::Result<Self, ParseOidError> {
        let mut contents = Vec::new();
        let mut first = None;
        for (i, arc) in text.split('.').enumerate() {
            let arc: u128 = arc.parse().map_err(|_| ParseOidError)?;
            match (i, first) {
                (0, _) if arc <= 2 => first = Some(arc),
                (1, Some(top)) if top == 2 || arc < 40 => {
                    push_arc(&mut contents, arc.checked_add(top * 40).ok_or(ParseOidError)?);
                }
                (2.., _) => push_arc(&mut contents, arc),
                _ => return Err(ParseOidError),
            }
        }
        Oid::from_contents(&contents).ok_or(ParseOidError)
    }
}

fn push_arc(contents: &mut Vec<u8>, arc: u128) {
    let groups = (128 - arc.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let more = if group > 0 { 0x80 } else { 0 };
        contents.push((arc >> (7 * group)) as u8 & 0x7f | more);
    }
}

impl Type for Oid {
    fn blank() -> Self {
        Oid(Contents::Short { count: 0, octets: [0; SHORT] })
    }
    fn decode(&mut self, reader: &mut Reader) -> Result<()> {
        let count = reader.whole_length()?;
        if count > SHORT {
            reader.charge(count)?;
        }
        match Oid::from_contents(reader.octets(count)?) {
            Some(oid) => *self = oid,
            None => return Err(reader.error(Kind::BadOid)),
        }
        Ok(())
    }
    fn encode(&self, writer: &mut Writer) -> Result<()> {
        if self.contents().is_empty() {
            // A blank one.
            return Err(writer.error(Kind::BadOid));
        }
        writer.counted_octets(self.contents());
        Ok(())
    }
    fn to_json(&self) -> Value {
        self.to_string().into()
    }
    fn read_json(&mut self, value: &Value) -> Result<()> {
        let oid = value.as_str().and_then(|text| text.parse().ok());
        *self = oid.ok_or_else(|| wanted("a dotted object identifier"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Oid {
        text.parse().expect("an object identifier")
    }

    #[test]
    fn constants_and_texts_are_the_same() {
        for (arcs, text, contents) in [
            (&[0, 0, 8, 2250, 0, 7][..], "0.0.8.2250.0.7", &[0, 8, 0x91, 0x4a, 0, 7][..]),
            (&[1, 3, 6, 1, 4, 1, 9], "1.3.6.1.4.1.9", &[0x2b, 6, 1, 4, 1, 9]),
            (&[2, 999, 3], "2.999.3", &[0x88, 0x37, 3]),
            (&[2, 4_294_967_215], "2.4294967215", &[0x8f, 0xff, 0xff, 0xff, 0x7f]),
        ] {
            assert_eq!(Oid::new(arcs), parsed(text));
            assert_eq!(parsed(text).contents(), contents);
            assert_eq!(parsed(text).to_string(), text);
        }
    }

    #[test]
    fn long_ones_and_wide_arcs_are_kept() {
        // A UUID as an arc; and more than fits the short form.
        let uuid = "2.25.329800735698586629295641978511506172918";
        assert_eq!(parsed(uuid).to_string(), uuid);
        let long = format!("1.3{}", ".4294967295".repeat(20));
        assert_eq!(parsed(&long).to_string(), long);
        assert_eq!(parsed(&long).arcs().count(), 22);
    }

    #[test]
    fn what_is_no_object_identifier_is_refused() {
        let beyond = format!("2.25.{}0", u128::MAX);
        for text in ["", "1", "3.1", "0.40", "1.3.", "1.-3", "1.3.x", beyond.as_str()] {
            assert_eq!(text.parse::<Oid>(), Err(ParseOidError), "{text}");
        }
        let too_wide = [&[0x2a][..], &[0xff; 18], &[0x7f]].concat();
        for contents in [&[][..], &[0x80], &[0x2b, 0x80], &[0x2b, 0x80, 0x01], &too_wide] {
            assert_eq!(Oid::from_contents(contents), None, "{contents:02x?}");
        }
    }
}
