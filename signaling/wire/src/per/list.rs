//! SEQUENCE OF and SET OF as `Vec`, and `Box` for the large alternatives of CHOICEs.
//! Both pay from the memory budget and count as a level of nesting. A list pays for all elements
//! that its length announces before it allocates; a box, once allocated.

use std::marker::PhantomData;

use serde_json::Value;

use super::error::{Kind, Result};
use super::json::wanted;
use super::{Codec, Plain, Reader, Type, UNBOUNDED, Writer};

/// SEQUENCE (SIZE (`LOW`..`HIGH`)) OF elements encoded as `C`.
#[derive(Debug)]
pub(crate) struct List<const LOW: usize, const HIGH: usize, C = Plain>(PhantomData<C>);

impl<T, C: Codec<T>, const LOW: usize, const HIGH: usize> Codec<Vec<T>> for List<LOW, HIGH, C> {
    fn blank() -> Vec<T> {
        Vec::new()
    }
    fn decode(list: &mut Vec<T>, reader: &mut Reader) -> Result<()> {
        reader.descend()?;
        loop {
            let (count, more) = reader.size(LOW, HIGH)?;
            // Elements that came before in fragments are moved, which takes their room once more.
            reader.charge_elements::<T>(count)?;
            reader.charge(list.len() * size_of::<T>())?;
            reader.step(count)?;
            list.reserve_exact(count);
            for _ in 0..count {
                if let Err(error) = C::decode(list.push_mut(C::blank()), reader) {
                    return Err(error.in_element(list.len() - 1));
                }
            }
            if !more {
                break;
            }
        }
        if list.len() < LOW {
            return Err(reader.error(Kind::BadLength));
        }
        reader.ascend();
        Ok(())
    }
    fn encode(list: &Vec<T>, writer: &mut Writer) -> Result<()> {
        if !(LOW..=HIGH).contains(&list.len()) {
            return Err(writer.error(Kind::BadLength));
        }
        writer.descend()?;
        if HIGH < 65_536 {
            writer.constrained(LOW as i64, HIGH as i64, list.len() as i64)?;
        }
        let mut next_length = 0;
        let mut last = HIGH < 65_536;
        for (i, element) in list.iter().enumerate() {
            if i == next_length && !last {
                let (count, more) = writer.length(list.len() - i);
                next_length = i + count;
                last = !more;
            }
            if let Err(error) = C::encode(element, writer) {
                return Err(error.in_element(i));
            }
        }
        if !last {
            // An empty list, or one that ended with a whole fragment.
            writer.length(0);
        }
        writer.ascend();
        Ok(())
    }
    fn to_json(list: &Vec<T>) -> Value {
        let mut elements = Vec::with_capacity(list.len());
        for element in list {
            elements.push(C::to_json(element));
        }
        Value::Array(elements)
    }
    fn read_json(list: &mut Vec<T>, value: &Value) -> Result<()> {
        for element in value.as_array().ok_or_else(|| wanted("an array"))? {
            if let Err(error) = C::read_json(list.push_mut(C::blank()), element) {
                return Err(error.in_element(list.len() - 1));
            }
        }
        Ok(())
    }
}

impl<T: Type> Type for Vec<T> {
    fn blank() -> Self {
        Vec::new()
    }
    fn decode(&mut self, reader: &mut Reader) -> Result<()> {
        List::<0, UNBOUNDED>::decode(self, reader)
    }
    fn encode(&self, writer: &mut Writer) -> Result<()> {
        List::<0, UNBOUNDED>::encode(self, writer)
    }
    fn to_json(&self) -> Value {
        List::<0, UNBOUNDED>::to_json(self)
    }
    fn read_json(&mut self, value: &Value) -> Result<()> {
        List::<0, UNBOUNDED>::read_json(self, value)
    }
}

impl<T: Type> Type for Box<T> {
    fn blank() -> Self {
        Box::new(T::blank())
    }
    fn decode(&mut self, reader: &mut Reader) -> Result<()> {
        reader.charge(size_of::<T>())?;
        reader.descend()?;
        T::decode(self, reader)?;
        reader.ascend();
        Ok(())
    }
    fn encode(&self, writer: &mut Writer) -> Result<()> {
        writer.descend()?;
        T::encode(self, writer)?;
        writer.ascend();
        Ok(())
    }
    fn to_json(&self) -> Value {
        T::to_json(self)
    }
    fn read_json(&mut self, value: &Value) -> Result<()> {
        T::read_json(self, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::per::{Message, decode, encode};

    #[test]
    fn fragments_are_written_and_joined() {
        for count in [0usize, 1, 16_383, 16_384, 16_385, 50_000, 65_536, 70_000] {
            let list: Vec<u16> = (0..count).map(|i| i as u16).collect();
            assert_eq!(decode(&encode(&list).expect("encodes").into()), Ok(Message::from(list)));
        }
    }

    #[test]
    fn a_list_keeps_its_bounds_in_both_directions() {
        let mut writer = Writer::new();
        let empty = <List<1, 4> as Codec<Vec<u8>>>::encode(&vec![], &mut writer);
        assert_eq!(empty.map_err(|error| error.kind()), Err(Kind::BadLength));
        let mut list = Vec::new();
        let mut reader = Reader::new(&bytes::Bytes::from_static(&[0]));
        let empty = <List<1, UNBOUNDED> as Codec<Vec<u8>>>::decode(&mut list, &mut reader);
        assert_eq!(empty.map_err(|error| error.kind()), Err(Kind::BadLength));
    }
}
