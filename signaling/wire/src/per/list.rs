//! SEQUENCE OF and SET OF as `Vec`, and `Box` for the large alternatives of CHOICEs.
//! Both pay from the memory budget before they allocate, and count as a level of nesting.

use std::marker::PhantomData;

use serde_json::Value;

use super::error::{Error, Kind, Result};
use super::{Codec, Plain, Reader, Type, UNBOUNDED, Writer};

/// SEQUENCE (SIZE (`LOW`..`HIGH`)) OF elements encoded as `C`.
#[derive(Debug)]
pub(crate) struct List<const LOW: usize, const HIGH: usize, C = Plain>(PhantomData<C>);

impl<T, C: Codec<T>, const LOW: usize, const HIGH: usize> Codec<Vec<T>> for List<LOW, HIGH, C> {
    fn decode(reader: &mut Reader) -> Result<Vec<T>> {
        reader.descend()?;
        let mut list = Vec::new();
        loop {
            let (count, more) = reader.size(LOW, HIGH)?;
            reader.charge_elements::<T>(count)?;
            list.reserve_exact(count);
            for _ in 0..count {
                match C::decode(reader) {
                    Ok(element) => list.push(element),
                    Err(error) => return Err(error.in_element(list.len())),
                }
            }
            if !more {
                break;
            }
        }
        reader.ascend();
        Ok(list)
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
            C::encode(element, writer).map_err(|error| error.in_element(i))?;
        }
        if !last {
            // An empty list, or one that ended with a whole fragment.
            writer.length(0);
        }
        writer.ascend();
        Ok(())
    }
    fn to_json(list: &Vec<T>) -> Value {
        list.iter().map(C::to_json).collect()
    }
    fn from_json(value: &Value) -> Result<Vec<T>> {
        let Some(elements) = value.as_array() else {
            return Err(Error::new(Kind::Json("an array"), 0));
        };
        let elements = elements.iter().enumerate();
        elements.map(|(i, e)| C::from_json(e).map_err(|error| error.in_element(i))).collect()
    }
}

impl<T: Type> Type for Vec<T> {
    fn decode(reader: &mut Reader) -> Result<Self> {
        List::<0, UNBOUNDED>::decode(reader)
    }
    fn encode(&self, writer: &mut Writer) -> Result<()> {
        List::<0, UNBOUNDED>::encode(self, writer)
    }
    fn to_json(&self) -> Value {
        List::<0, UNBOUNDED>::to_json(self)
    }
    fn from_json(value: &Value) -> Result<Self> {
        List::<0, UNBOUNDED>::from_json(value)
    }
}

impl<T: Type> Type for Box<T> {
    fn decode(reader: &mut Reader) -> Result<Self> {
        reader.charge(size_of::<T>())?;
        reader.descend()?;
        let value = Box::new(T::decode(reader)?);
        reader.ascend();
        Ok(value)
    }
    fn encode(&self, writer: &mut Writer) -> Result<()> {
        T::encode(self, writer)
    }
    fn to_json(&self) -> Value {
        T::to_json(self)
    }
    fn from_json(value: &Value) -> Result<Self> {
        T::from_json(value).map(Box::new)
    }
}
