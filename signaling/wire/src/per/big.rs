//! INTEGER without bounds, of any size: random numbers, which peers make as long as they like.
//! In and out: [`Integer`].

use std::fmt;

use serde_json::Value;

use super::error::{Kind, Result};
use super::form::Form;
use super::json::{self, wanted};
use super::{Reader, Type, Writer};

/// An integer of any size. Those of 64 bits, and most are, live without allocation.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Integer(Digits);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Digits {
    Small(i64),
    /// Two's complement, big-endian, without redundant octets: more than eight.
    Big(Box<[u8]>),
}

impl Integer {
    /// The number, if it fits 64 bits.
    pub fn to_i64(&self) -> Option<i64> {
        match &self.0 {
            Digits::Small(number) => Some(*number),
            Digits::Big(_) => None,
        }
    }

    /// The number in two's complement, big-endian, as short as its sign allows.
    pub fn to_be_bytes(&self) -> Vec<u8> {
        match &self.0 {
            Digits::Small(number) => shortest(&number.to_be_bytes()).to_vec(),
            Digits::Big(octets) => octets.to_vec(),
        }
    }

    /// The number that these octets are in two's complement, big-endian; of none, zero.
    pub fn from_be_bytes(octets: &[u8]) -> Self {
        let octets = shortest(octets);
        if octets.len() > 8 {
            return Integer(Digits::Big(octets.into()));
        }
        let sign = if octets.first().is_some_and(|first| first & 0x80 != 0) { -1 } else { 0 };
        Integer(Digits::Small(octets.iter().fold(sign, |number, octet| number << 8 | i64::from(*octet))))
    }
}

/// The octets without those that only repeat the sign.
fn shortest(mut octets: &[u8]) -> &[u8] {
    while let [0, next, ..] | [0xff, next, ..] = octets
        && (next & 0x80 != 0) == (octets.first() == Some(&0xff))
    {
        octets = octets.get(1..).unwrap_or_default();
    }
    octets
}

impl Default for Integer {
    fn default() -> Self {
        0.into()
    }
}

impl From<i64> for Integer {
    fn from(number: i64) -> Self {
        Integer(Digits::Small(number))
    }
}

impl fmt::Debug for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Digits::Small(number) => number.fmt(f),
            Digits::Big(octets) => write!(f, "0x{}", json::hex(octets)),
        }
    }
}

impl Type for Integer {
    fn blank() -> Self {
        Self::default()
    }
    fn decode(&mut self, reader: &mut Reader) -> Result<()> {
        let here = reader.place();
        let count = reader.whole_length()?;
        if count == 0 {
            return Err(reader.error(Kind::BadLength));
        }
        if count > 8 {
            reader.charge(count)?;
        }
        let octets = reader.octets(count)?;
        let least = shortest(octets).len();
        *self = Integer::from_be_bytes(octets);
        if count > least {
            reader.note_at(here, Form::Octets(count as u16));
        }
        Ok(())
    }
    fn encode(&self, writer: &mut Writer) -> Result<()> {
        let octets = self.to_be_bytes();
        let count = octets.len().max(writer.octets_of_number() as usize);
        if count > 16_383 {
            return Err(writer.error(Kind::BadLength));
        }
        writer.length(count);
        let sign = if octets.first().is_some_and(|first| first & 0x80 != 0) { 0xff } else { 0 };
        for _ in octets.len()..count {
            writer.bits(sign, 8);
        }
        writer.octets(&octets);
        Ok(())
    }
    fn to_json(&self) -> Value {
        match &self.0 {
            Digits::Small(number) => (*number).into(),
            Digits::Big(octets) => json::hex(octets).into(),
        }
    }
    fn read_json(&mut self, value: &Value) -> Result<()> {
        *self = match value.as_i64() {
            Some(number) => number.into(),
            None if value.is_string() => Integer::from_be_bytes(&json::octets(value)?),
            None => return Err(wanted("an integer, or hexadecimal octets of a larger one")),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::per::{Message, decode, encode};

    #[test]
    fn any_size_is_kept() {
        let wide = [0x7f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        let octets = bytes::Bytes::from([&[16][..], &wide].concat());
        let number: Message<Integer> = decode(&octets).expect("decodes");
        assert_eq!((number.to_i64(), number.to_be_bytes()), (None, wide.to_vec()));
        assert_eq!(encode(&number).map(bytes::Bytes::from), Ok(octets));
        let mut built = Integer::default();
        built.read_json(&number.to_json()).expect("a description");
        assert_eq!(number, built);
    }

    #[test]
    fn small_numbers_are_as_short_as_their_sign_allows() {
        for number in [0, 1, -1, 127, 128, -128, -129, i64::MAX, i64::MIN] {
            let octets = encode(&Integer::from(number)).expect("encodes");
            assert_eq!(octets, encode(&number).expect("encodes"), "{number}");
            assert_eq!(decode(&octets.into()), Ok(Message::from(Integer::from(number))), "{number}");
        }
        assert_eq!(Integer::from_be_bytes(&[0xff, 0xff, 0x80]), (-128).into());
        assert_eq!(Integer::from_be_bytes(&[0; 20]), 0.into());
        assert_eq!(Integer::from_be_bytes(&[]), 0.into());
    }
}
