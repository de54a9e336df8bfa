//! INTEGER and BOOLEAN.
//! Full-range `u8`, `u16`, `u32` are INTEGERs constrained to their type; `i64` is unconstrained;
//! the markers here give other ranges.

use serde_json::Value;

use super::error::{Error, Kind, Result};
use super::{Codec, Reader, Type, Writer};

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
            #[inline]
            fn decode(reader: &mut Reader) -> Result<$int> {
                // The schema picks a type that holds the range.
                Ok(reader.constrained(LOW, HIGH)? as $int)
            }
            #[inline]
            fn encode(value: &$int, writer: &mut Writer) -> Result<()> {
                writer.constrained(LOW, HIGH, i64::from(*value))
            }
            fn to_json(value: &$int) -> Value {
                Value::from(*value)
            }
            fn from_json(value: &Value) -> Result<$int> {
                Ok(number(value, LOW, HIGH)? as $int)
            }
        }
    )* };
}

constrained!(u8 u16 u32 i32);

macro_rules! natural {
    ($($int:ty)*) => { $(
        impl Type for $int {
            #[inline]
            fn decode(reader: &mut Reader) -> Result<$int> {
                <Int<0, { <$int>::MAX as i64 }>>::decode(reader)
            }
            #[inline]
            fn encode(&self, writer: &mut Writer) -> Result<()> {
                <Int<0, { <$int>::MAX as i64 }>>::encode(self, writer)
            }
            fn to_json(&self) -> Value {
                Value::from(*self)
            }
            fn from_json(value: &Value) -> Result<$int> {
                <Int<0, { <$int>::MAX as i64 }>>::from_json(value)
            }
        }
    )* };
}

natural!(u8 u16 u32);

/// INTEGER without constraint, as far as 64 bits go.
impl Type for i64 {
    fn decode(reader: &mut Reader) -> Result<i64> {
        let count = match reader.whole_length()? {
            count @ 1..=8 => 8 * count as u32,
            0 => return Err(reader.error(Kind::BadLength)),
            _ => return Err(reader.error(Kind::OutOfRange)),
        };
        let unused = 64 - count;
        Ok(((reader.bits(count)? << unused) as i64) >> unused)
    }
    fn encode(&self, writer: &mut Writer) -> Result<()> {
        let sign = if *self < 0 { self.leading_ones() } else { self.leading_zeros() };
        let count = (72 - sign) / 8;
        writer.length(count as usize);
        writer.bits(*self as u64, 8 * count);
        Ok(())
    }
    fn to_json(&self) -> Value {
        Value::from(*self)
    }
    fn from_json(value: &Value) -> Result<i64> {
        number(value, i64::MIN, i64::MAX)
    }
}

impl<const LOW: i64> Codec<u32> for IntFrom<LOW> {
    fn decode(reader: &mut Reader) -> Result<u32> {
        let offset = match reader.whole_length()? {
            count @ 1..=7 => reader.bits(8 * count as u32)?,
            0 => return Err(reader.error(Kind::BadLength)),
            _ => return Err(reader.error(Kind::OutOfRange)),
        };
        u32::try_from(offset as i64 + LOW).map_err(|_| reader.error(Kind::OutOfRange))
    }
    fn encode(value: &u32, writer: &mut Writer) -> Result<()> {
        let Ok(offset) = u64::try_from(i64::from(*value) - LOW) else {
            return Err(writer.error(Kind::OutOfRange));
        };
        let count = ((71 - offset.leading_zeros()) / 8).max(1);
        writer.length(count as usize);
        writer.bits(offset, 8 * count);
        Ok(())
    }
    fn to_json(value: &u32) -> Value {
        Value::from(*value)
    }
    fn from_json(value: &Value) -> Result<u32> {
        Ok(number(value, LOW, i64::from(u32::MAX))? as u32)
    }
}

impl<const LOW: i64, const HIGH: i64> Codec<i64> for IntExtensible<LOW, HIGH> {
    fn decode(reader: &mut Reader) -> Result<i64> {
        if reader.bit()? { i64::decode(reader) } else { reader.constrained(LOW, HIGH) }
    }
    fn encode(value: &i64, writer: &mut Writer) -> Result<()> {
        let beyond = !(LOW..=HIGH).contains(value);
        writer.bit(beyond);
        if beyond { value.encode(writer) } else { writer.constrained(LOW, HIGH, *value) }
    }
    fn to_json(value: &i64) -> Value {
        Value::from(*value)
    }
    fn from_json(value: &Value) -> Result<i64> {
        i64::from_json(value)
    }
}

impl Type for bool {
    #[inline]
    fn decode(reader: &mut Reader) -> Result<bool> {
        reader.bit()
    }
    #[inline]
    fn encode(&self, writer: &mut Writer) -> Result<()> {
        writer.bit(*self);
        Ok(())
    }
    fn to_json(&self) -> Value {
        Value::from(*self)
    }
    fn from_json(value: &Value) -> Result<bool> {
        value.as_bool().ok_or_else(|| Error::new(Kind::Json("true or false"), 0))
    }
}

/// NULL, as a member of a SEQUENCE.
impl Type for () {
    #[inline]
    fn decode(_: &mut Reader) -> Result<()> {
        Ok(())
    }
    #[inline]
    fn encode(&self, _: &mut Writer) -> Result<()> {
        Ok(())
    }
    fn to_json(&self) -> Value {
        Value::Null
    }
    fn from_json(value: &Value) -> Result<()> {
        value.as_null().ok_or_else(|| Error::new(Kind::Json("null"), 0))
    }
}

fn number(value: &Value, low: i64, high: i64) -> Result<i64> {
    match value.as_i64() {
        Some(number) if (low..=high).contains(&number) => Ok(number),
        _ => Err(Error::new(Kind::Json("an integer in its range"), 0)),
    }
}
