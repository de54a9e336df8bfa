//! INTEGER and BOOLEAN.
//! Full-range `u8`, `u16`, `u32` are INTEGERs constrained to their type; `i64` is unconstrained;
//! the markers here give other ranges.

use serde_json::Value;

use super::error::{Kind, Result};
use super::form::Form;
use super::json::wanted;
use super::{Codec, Reader, Writer, natural};

/// INTEGER (`LOW`..`HIGH`).
#[derive(Debug)]
pub(crate) enum Int<const LOW: i64, const HIGH: i64> {}

/// INTEGER (`LOW`..MAX); what exceeds 32 bits is out of range.
#[derive(Debug)]
pub(crate) enum IntFrom<const LOW: i64> {}

/// INTEGER (`LOW`..`HIGH`, ...).
#[derive(Debug)]
pub(crate) enum IntExtensible<const LOW: i64, const HIGH: i64> {}

macro_rules! constrained {
    ($($int:ty)*) => { $(
        impl<const LOW: i64, const HIGH: i64> Codec<$int> for Int<LOW, HIGH> {
            fn blank() -> $int {
                Default::default()
            }
            #[inline]
            fn decode(slot: &mut $int, reader: &mut Reader) -> Result<()> {
                // The schema picks a type that holds the range.
                *slot = reader.constrained(LOW, HIGH)? as $int;
                Ok(())
            }
            #[inline]
            fn encode(value: &$int, writer: &mut Writer) -> Result<()> {
                writer.constrained(LOW, HIGH, i64::from(*value))
            }
            fn to_json(value: &$int) -> Value {
                Value::from(*value)
            }
            fn read_json(slot: &mut $int, value: &Value) -> Result<()> {
                *slot = number(value, LOW, HIGH)? as $int;
                Ok(())
            }
        }
    )* };
}

constrained!(u8 u16 u32 i32);

natural!(u8: Int<0, 0xff>);
natural!(u16: Int<0, 0xffff>);
natural!(u32: Int<0, 0xffff_ffff>);
natural!(i64: Unconstrained);
natural!(bool: Boolean);
natural!((): Null);

/// INTEGER, as far as 64 bits go.
enum Unconstrained {}

impl Codec<i64> for Unconstrained {
    fn blank() -> i64 {
        Default::default()
    }
    fn decode(slot: &mut i64, reader: &mut Reader) -> Result<()> {
        let here = reader.place();
        let count = match reader.whole_length()? {
            count @ 1..=8 => count as u32,
            0 => return Err(reader.error(Kind::BadLength)),
            _ => return Err(reader.error(Kind::OutOfRange)),
        };
        let unused = 64 - 8 * count;
        *slot = ((reader.bits(8 * count)? << unused) as i64) >> unused;
        if count > signed_octets(*slot) {
            reader.note_at(here, Form::Octets(count as u16));
        }
        Ok(())
    }
    fn encode(value: &i64, writer: &mut Writer) -> Result<()> {
        let count = signed_octets(*value).max(writer.octets_of_number().min(8));
        writer.length(count as usize);
        writer.bits(*value as u64, 8 * count);
        Ok(())
    }
    fn to_json(value: &i64) -> Value {
        Value::from(*value)
    }
    fn read_json(slot: &mut i64, value: &Value) -> Result<()> {
        *slot = number(value, i64::MIN, i64::MAX)?;
        Ok(())
    }
}

/// How many octets two's complement takes.
fn signed_octets(value: i64) -> u32 {
    let sign = if value < 0 { value.leading_ones() } else { value.leading_zeros() };
    (72 - sign) / 8
}

/// How many octets a number without sign takes.
fn unsigned_octets(value: u64) -> u32 {
    ((71 - value.leading_zeros()) / 8).max(1)
}

impl<const LOW: i64> Codec<u32> for IntFrom<LOW> {
    fn blank() -> u32 {
        Default::default()
    }
    fn decode(slot: &mut u32, reader: &mut Reader) -> Result<()> {
        let here = reader.place();
        let count = match reader.whole_length()? {
            count @ 1..=7 => count as u32,
            0 => return Err(reader.error(Kind::BadLength)),
            _ => return Err(reader.error(Kind::OutOfRange)),
        };
        let offset = reader.bits(8 * count)?;
        if count > unsigned_octets(offset) {
            reader.note_at(here, Form::Octets(count as u16));
        }
        *slot = u32::try_from(offset as i64 + LOW).map_err(|_| reader.error(Kind::OutOfRange))?;
        Ok(())
    }
    fn encode(value: &u32, writer: &mut Writer) -> Result<()> {
        let Ok(offset) = u64::try_from(i64::from(*value) - LOW) else {
            return Err(writer.error(Kind::OutOfRange));
        };
        let count = unsigned_octets(offset).max(writer.octets_of_number().min(7));
        writer.length(count as usize);
        writer.bits(offset, 8 * count);
        Ok(())
    }
    fn to_json(value: &u32) -> Value {
        Value::from(*value)
    }
    fn read_json(slot: &mut u32, value: &Value) -> Result<()> {
        *slot = number(value, LOW, i64::from(u32::MAX))? as u32;
        Ok(())
    }
}

impl<const LOW: i64, const HIGH: i64> Codec<i64> for IntExtensible<LOW, HIGH> {
    fn blank() -> i64 {
        Default::default()
    }
    fn decode(slot: &mut i64, reader: &mut Reader) -> Result<()> {
        let here = reader.place();
        if reader.bit()? {
            Unconstrained::decode(slot, reader)?;
            if (LOW..=HIGH).contains(slot) {
                reader.note_at(here, Form::Extended);
            }
            return Ok(());
        }
        *slot = reader.constrained(LOW, HIGH)?;
        Ok(())
    }
    fn encode(value: &i64, writer: &mut Writer) -> Result<()> {
        let beyond = !(LOW..=HIGH).contains(value) || writer.was_extended();
        writer.bit(beyond);
        if beyond { Unconstrained::encode(value, writer) } else { writer.constrained(LOW, HIGH, *value) }
    }
    fn to_json(value: &i64) -> Value {
        Value::from(*value)
    }
    fn read_json(slot: &mut i64, value: &Value) -> Result<()> {
        Unconstrained::read_json(slot, value)
    }
}

/// BOOLEAN.
enum Boolean {}

impl Codec<bool> for Boolean {
    fn blank() -> bool {
        Default::default()
    }
    #[inline]
    fn decode(slot: &mut bool, reader: &mut Reader) -> Result<()> {
        *slot = reader.bit()?;
        Ok(())
    }
    #[inline]
    fn encode(value: &bool, writer: &mut Writer) -> Result<()> {
        writer.bit(*value);
        Ok(())
    }
    fn to_json(value: &bool) -> Value {
        Value::from(*value)
    }
    fn read_json(slot: &mut bool, value: &Value) -> Result<()> {
        *slot = value.as_bool().ok_or_else(|| wanted("true or false"))?;
        Ok(())
    }
}

/// NULL, as a member of a SEQUENCE.
enum Null {}

impl Codec<()> for Null {
    fn blank() {}
    #[inline]
    fn decode(_: &mut (), _: &mut Reader) -> Result<()> {
        Ok(())
    }
    #[inline]
    fn encode(_: &(), _: &mut Writer) -> Result<()> {
        Ok(())
    }
    fn to_json(_: &()) -> Value {
        Value::Null
    }
    fn read_json(_: &mut (), value: &Value) -> Result<()> {
        value.as_null().ok_or_else(|| wanted("null"))
    }
}

fn number(value: &Value, low: i64, high: i64) -> Result<i64> {
    match value.as_i64() {
        Some(number) if (low..=high).contains(&number) => Ok(number),
        _ => Err(wanted("an integer in its range")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::per::{Codec, Message, decode, encode};

    #[track_caller]
    fn same<T: PartialEq + std::fmt::Debug, C: Codec<T>>(value: T, octets: &[u8]) {
        let mut writer = Writer::new();
        C::encode(&value, &mut writer).expect("encodes");
        assert_eq!(writer.finish(), octets);
        let mut slot = C::blank();
        C::decode(&mut slot, &mut Reader::new(&bytes::Bytes::copy_from_slice(octets))).expect("decodes");
        assert_eq!(slot, value);
    }

    #[test]
    fn ranges_choose_their_form() {
        same::<u8, Int<5, 5>>(5, &[0]);
        same::<u8, Int<0, 1>>(1, &[0x80]);
        same::<u8, Int<6, 17>>(17, &[0xb0]);
        same::<u8, Int<0, 254>>(254, &[0xfe]);
        same::<u16, Int<1, 256>>(256, &[0xff]);
        same::<u16, Int<0, 256>>(256, &[1, 0]);
        same::<u32, Int<1, 65_536>>(65_536, &[0xff, 0xff]);
        same::<u32, Int<0, 65_536>>(65_536, &[0x80, 1, 0, 0]);
        same::<i32, Int<-262_144, 262_143>>(-262_144, &[0, 0]);
        same::<i32, Int<-262_144, 262_143>>(0, &[0x80, 4, 0, 0]);
    }

    #[test]
    fn an_unconstrained_number_is_as_short_as_its_sign_allows() {
        for (value, octets) in [
            (0, &[1, 0][..]),
            (127, &[1, 0x7f]),
            (128, &[2, 0, 0x80]),
            (-128, &[1, 0x80]),
            (-129, &[2, 0xff, 0x7f]),
            (i64::MAX, &[8, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            (i64::MIN, &[8, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ] {
            assert_eq!(encode(&value).expect("encodes"), octets);
            assert_eq!(decode(&bytes::Bytes::copy_from_slice(octets)), Ok(Message::from(value)));
        }
        let nine = bytes::Bytes::from_static(&[9, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(decode::<i64>(&nine).map_err(|error| error.kind()), Err(Kind::OutOfRange));
    }
}
