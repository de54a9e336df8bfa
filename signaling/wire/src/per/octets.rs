//! OCTET STRING and BIT STRING.
//! `[u8; N]` has a fixed size; [`Bytes`] shares the memory of the message and also holds open
//! types, whose encoding is the same; [`BitString`] is a copy.

use bytes::Bytes;
use serde_json::{Value, json};

use super::error::{Kind, Result};
use super::json as notation;
use super::{Codec, Reader, Type, Writer, natural};

/// OCTET STRING (SIZE (`LOW`..`HIGH`)).
#[derive(Debug)]
pub(crate) enum Octets<const LOW: usize, const HIGH: usize> {}

/// BIT STRING (SIZE (`LOW`..`HIGH`)).
#[derive(Debug)]
pub(crate) enum Bits<const LOW: usize, const HIGH: usize> {}

impl<const N: usize> Type for [u8; N] {
    fn blank() -> Self {
        [0; N]
    }
    fn decode(&mut self, reader: &mut Reader) -> Result<()> {
        if N <= 2 {
            for octet in self {
                *octet = reader.bits(8)? as u8;
            }
        } else {
            self.copy_from_slice(reader.octets(N)?);
        }
        Ok(())
    }
    fn encode(&self, writer: &mut Writer) -> Result<()> {
        if N <= 2 {
            for octet in self {
                writer.bits(u64::from(*octet), 8);
            }
        } else {
            writer.octets(self);
        }
        Ok(())
    }
    fn to_json(&self) -> Value {
        notation::hex(self).into()
    }
    fn read_json(&mut self, value: &Value) -> Result<()> {
        let octets = notation::octets(value)?;
        *self = octets.try_into().map_err(|_| notation::wanted("as many octets as the type has"))?;
        Ok(())
    }
}

natural!(Bytes: Counted);
natural!(BitString: Counted);

/// OCTET STRING, BIT STRING or open type, behind a length determinant without bounds.
enum Counted {}

impl Codec<Bytes> for Counted {
    fn blank() -> Bytes {
        Bytes::default()
    }
    fn decode(slot: &mut Bytes, reader: &mut Reader) -> Result<()> {
        *slot = reader.counted_octets()?;
        Ok(())
    }
    fn encode(value: &Bytes, writer: &mut Writer) -> Result<()> {
        writer.counted_octets(value);
        Ok(())
    }
    fn to_json(value: &Bytes) -> Value {
        notation::hex(value).into()
    }
    fn read_json(slot: &mut Bytes, value: &Value) -> Result<()> {
        *slot = notation::octets(value)?.into();
        Ok(())
    }
}

impl<const LOW: usize, const HIGH: usize> Codec<Bytes> for Octets<LOW, HIGH> {
    fn blank() -> Bytes {
        Bytes::default()
    }
    fn decode(slot: &mut Bytes, reader: &mut Reader) -> Result<()> {
        let count = reader.constrained(LOW as i64, HIGH as i64)?;
        *slot = reader.slice(count as usize)?;
        Ok(())
    }
    fn encode(value: &Bytes, writer: &mut Writer) -> Result<()> {
        if !(LOW..=HIGH).contains(&value.len()) {
            return Err(writer.error(Kind::BadLength));
        }
        writer.constrained(LOW as i64, HIGH as i64, value.len() as i64)?;
        writer.octets(value);
        Ok(())
    }
    fn to_json(value: &Bytes) -> Value {
        Counted::to_json(value)
    }
    fn read_json(slot: &mut Bytes, value: &Value) -> Result<()> {
        Counted::read_json(slot, value)
    }
}

/// A string of bits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct BitString {
    octets: Vec<u8>,
    bits: usize,
}

impl BitString {
    /// All bits of `octets`, the most significant of each first.
    pub fn from_octets(octets: impl Into<Vec<u8>>) -> Self {
        let octets = octets.into();
        BitString { bits: octets.len() * 8, octets }
    }

    /// The first `bits` bits of `octets`, or as many as there are.
    pub fn new(octets: impl Into<Vec<u8>>, bits: usize) -> Self {
        let mut octets = octets.into();
        let bits = bits.min(octets.len() * 8);
        octets.truncate(bits.div_ceil(8));
        if let Some(last) = octets.last_mut()
            && !bits.is_multiple_of(8)
        {
            *last &= !(0xff >> (bits % 8));
        }
        BitString { octets, bits }
    }

    /// How many bits there are.
    pub fn len(&self) -> usize {
        self.bits
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bits == 0
    }

    /// The bits, the last octet filled up with zeros.
    pub fn as_octets(&self) -> &[u8] {
        &self.octets
    }

    /// Bit number `index` from the left.
    pub fn bit(&self, index: usize) -> Option<bool> {
        let octet = self.octets.get(index / 8).filter(|_| index < self.bits)?;
        Some(octet & (0x80 >> (index % 8)) != 0)
    }

    /// Reads `count` more bits. Only the last piece may have a count that is no multiple of 8.
    fn extend(&mut self, reader: &mut Reader, count: usize) -> Result<()> {
        reader.charge_elements::<()>(count)?;
        reader.charge(count.div_ceil(8))?;
        self.octets.reserve_exact(count.div_ceil(8));
        let mut left = count;
        if reader.is_aligned() {
            self.octets.extend_from_slice(reader.octets(count / 8)?);
            left %= 8;
        }
        while left > 0 {
            let take = left.min(8) as u32;
            self.octets.push((reader.bits(take)? << (8 - take)) as u8);
            left -= take as usize;
        }
        self.bits += count;
        Ok(())
    }

    /// Writes `count` bits from bit `first`, a multiple of 8.
    fn write(&self, writer: &mut Writer, first: usize, count: usize) {
        let mut left = count;
        for octet in self.octets.iter().skip(first / 8) {
            let take = left.min(8) as u32;
            writer.bits(u64::from(octet >> (8 - take.max(1))), take);
            left -= take as usize;
        }
    }
}

impl Codec<BitString> for Counted {
    fn blank() -> BitString {
        BitString::default()
    }
    fn decode(slot: &mut BitString, reader: &mut Reader) -> Result<()> {
        loop {
            let (count, more) = reader.length()?;
            slot.extend(reader, count)?;
            if !more {
                return Ok(());
            }
        }
    }
    fn encode(value: &BitString, writer: &mut Writer) -> Result<()> {
        let mut done = 0;
        loop {
            let (count, more) = writer.length(value.bits - done);
            value.write(writer, done, count);
            done += count;
            if !more {
                return Ok(());
            }
        }
    }
    fn to_json(value: &BitString) -> Value {
        json!({ "hex": notation::hex(&value.octets), "bits": value.bits })
    }
    fn read_json(slot: &mut BitString, value: &Value) -> Result<()> {
        let bits = value.get("bits").and_then(Value::as_u64);
        let (Some(hex), Some(bits)) = (value.get("hex"), bits) else {
            return Err(notation::wanted("an object of \"hex\" and \"bits\""));
        };
        let octets = notation::octets(hex)?;
        if (bits as usize).div_ceil(8) != octets.len() {
            return Err(notation::wanted("as many octets as the bits fill"));
        }
        *slot = BitString::new(octets, bits as usize);
        Ok(())
    }
}

impl<const LOW: usize, const HIGH: usize> Codec<BitString> for Bits<LOW, HIGH> {
    fn blank() -> BitString {
        BitString::default()
    }
    fn decode(slot: &mut BitString, reader: &mut Reader) -> Result<()> {
        if HIGH >= 65_536 {
            Counted::decode(slot, reader)?;
            return match (LOW..=HIGH).contains(&slot.bits) {
                true => Ok(()),
                false => Err(reader.error(Kind::BadLength)),
            };
        }
        let count = reader.constrained(LOW as i64, HIGH as i64)? as usize;
        if count > 0 && (LOW != HIGH || HIGH > 16) {
            reader.align();
        }
        slot.extend(reader, count)
    }
    fn encode(value: &BitString, writer: &mut Writer) -> Result<()> {
        if !(LOW..=HIGH).contains(&value.bits) {
            return Err(writer.error(Kind::BadLength));
        }
        if HIGH >= 65_536 {
            return Counted::encode(value, writer);
        }
        writer.constrained(LOW as i64, HIGH as i64, value.bits as i64)?;
        if value.bits > 0 && (LOW != HIGH || HIGH > 16) {
            writer.align();
        }
        value.write(writer, 0, value.bits);
        Ok(())
    }
    fn to_json(value: &BitString) -> Value {
        Counted::to_json(value)
    }
    fn read_json(slot: &mut BitString, value: &Value) -> Result<()> {
        Counted::read_json(slot, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::per::{Message, decode, encode};

    #[test]
    fn a_bit_string_has_zeros_behind_its_end() {
        let bits = BitString::new([0xff, 0xff, 0xff], 9);
        assert_eq!((bits.as_octets(), bits.len()), (&[0xff, 0x80][..], 9));
        assert_eq!((bits.bit(8), bits.bit(9)), (Some(true), None));
        assert_eq!(BitString::new([1], 100), BitString::from_octets([1]));
    }

    #[test]
    fn fragments_are_written_and_joined() {
        for count in [0, 127, 128, 16_383, 16_384, 16_385, 65_536, 65_537, 81_920, 200_000] {
            let octets = Bytes::from(vec![0xa5; count]);
            assert_eq!(decode(&encode(&octets).expect("encodes").into()), Ok(Message::from(octets)));
            let bits = BitString::new(vec![0xa5; count.div_ceil(8)], count);
            assert_eq!(decode(&encode(&bits).expect("encodes").into()), Ok(Message::from(bits)));
        }
        // Exactly one block: an empty fragment ends it.
        let octets = encode(&Bytes::from(vec![0; 16_384])).expect("encodes");
        assert_eq!((octets[0], octets.len(), octets[16_385]), (0xc1, 16_386, 0));
    }
}
