//! The known-multiplier strings (X.691 27) and GeneralString.
//! In and out: `String` for everything of 8 bits and less, [`BmpString`] for UCS-2, which may hold
//! what no `String` can. An alphabet of up to 16 characters takes 4 bits a character, numbered in
//! the order of their code points; a larger one takes 8.

use std::fmt;

use serde_json::Value;

use super::error::{Kind, Result};
use super::form::Form;
use super::json::{self, wanted};
use super::{Codec, Reader, Writer, natural};

/// The upper bound of what has none.
pub(crate) const UNBOUNDED: usize = usize::MAX;

/// A set of permitted characters, sorted by code point.
pub(crate) trait Alphabet {
    /// Permitted by the standard, and thus sent.
    const CHARACTERS: &'static [u8];
    /// Accepted as well: any 7-bit character (only where the alphabet takes 8 bits).
    const LENIENT: bool = false;
}

/// A character string of `LOW..=HIGH` characters from an alphabet.
#[derive(Debug)]
pub(crate) struct Characters<A, const LOW: usize, const HIGH: usize>(std::marker::PhantomData<A>);

macro_rules! alphabets {
    ($( $(#[$doc:meta])* $alphabet:ident, $codec:ident = $characters:expr $(, lenient = $lenient:expr)?; )*) => { $(
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) enum $alphabet {}
        impl Alphabet for $alphabet {
            const CHARACTERS: &'static [u8] = $characters;
            $( const LENIENT: bool = $lenient; )?
        }
        $(#[$doc])*
        pub(crate) type $codec<const LOW: usize = 0, const HIGH: usize = UNBOUNDED> =
            Characters<$alphabet, LOW, HIGH>;
    )* };
}

alphabets! {
    /// IA5String.
    Ia5Alphabet, Ia5 = &ALL_OCTETS_FIRST_HALF;
    /// PrintableString. Real peers put `@` into an RTCP CNAME: accepted, but not sent.
    PrintableAlphabet, Printable =
        b" '()+,-./0123456789:=?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", lenient = true;
    /// VisibleString, of which GeneralizedTime is a kind.
    VisibleAlphabet, Visible = ALL_OCTETS_FIRST_HALF.split_at(0x20).1.split_at(0x5f).0;
    /// NumericString.
    NumericAlphabet, Numeric = b" 0123456789";
    /// The digits that a telephone dials.
    DialledAlphabet, DialledDigit = b"#*,0123456789";
    /// Telephony binary coded decimal.
    TbcdAlphabet, Tbcd = b"#*0123456789abc";
    /// Digits of an ISUP number.
    IsupAlphabet, IsupDigit = b"0123456789ABCDE";
    /// A key press, or `!` for a hook flash.
    SignalAlphabet, Signal = b"!#*0123456789ABCD";
}

const ALL_OCTETS_FIRST_HALF: [u8; 128] = {
    let mut all = [0; 128];
    let mut i = 0;
    while i < 128 {
        all[i] = i as u8;
        i += 1;
    }
    all
};

impl<A: Alphabet, const LOW: usize, const HIGH: usize> Characters<A, LOW, HIGH> {
    const BITS: u32 = if A::CHARACTERS.len() <= 16 { 4 } else { 8 };

    /// The index of each character in the alphabet, or `ABSENT`.
    const INDEX: [u8; 128] = {
        let mut index = [ABSENT; 128];
        let mut i = 0;
        while i < A::CHARACTERS.len() {
            index[A::CHARACTERS[i] as usize] = i as u8;
            i += 1;
        }
        index
    };

    fn index(character: u8) -> Option<u8> {
        Self::INDEX.get(usize::from(character)).copied().filter(|index| *index != ABSENT)
    }

    /// The character that arrives as `code`.
    fn character(code: u8) -> Option<u8> {
        if Self::BITS == 4 {
            return A::CHARACTERS.get(usize::from(code)).copied();
        }
        (A::LENIENT && code < 128 || Self::index(code).is_some()).then_some(code)
    }
}

const ABSENT: u8 = 0xff;

/// Whether a string that fits into 16 bits stays unaligned (X.691 27.5.6 and 27.5.7).
fn aligned(low: usize, high: usize, bits: u32) -> bool {
    let most = high.saturating_mul(bits as usize);
    if low == high { most > 16 } else { most >= 16 }
}

impl<A: Alphabet, const LOW: usize, const HIGH: usize> Codec<String> for Characters<A, LOW, HIGH> {
    fn blank() -> String {
        String::default()
    }
    fn decode(slot: &mut String, reader: &mut Reader) -> Result<()> {
        let count = match reader.size(LOW, HIGH)? {
            (count, false) => count,
            (_, true) => return Err(reader.error(Kind::BadLength)),
        };
        if count > 0 && aligned(LOW, HIGH, Self::BITS) {
            reader.align();
        }
        reader.charge_elements::<u8>(count)?;
        slot.reserve_exact(count);
        if Self::BITS == 8 && reader.is_aligned() {
            let here = reader.place();
            let octets = reader.octets(count)?;
            let permitted = octets.iter().all(|octet| Self::character(*octet).is_some());
            match std::str::from_utf8(octets) {
                Ok(text) if permitted => slot.push_str(text),
                _ => return Err(reader.error(Kind::BadCharacter)),
            }
            if A::LENIENT && slot.bytes().any(|character| Self::index(character).is_none()) {
                reader.note_at(here, Form::Characters);
            }
            return Ok(());
        }
        for _ in 0..count {
            match Self::character(reader.bits(Self::BITS)? as u8) {
                Some(character) => slot.push(char::from(character)),
                None => return Err(reader.error(Kind::BadCharacter)),
            }
        }
        Ok(())
    }
    fn encode(value: &String, writer: &mut Writer) -> Result<()> {
        // Characters of all these alphabets take one octet in UTF-8; others fail below.
        let count = value.len();
        if !(LOW..=HIGH.min(16_383)).contains(&count) {
            return Err(writer.error(Kind::BadLength));
        }
        if HIGH < 65_536 {
            writer.constrained(LOW as i64, HIGH as i64, count as i64)?;
        } else {
            writer.length(count);
        }
        if count > 0 && aligned(LOW, HIGH, Self::BITS) {
            writer.align();
        }
        let others = A::LENIENT && value.is_ascii() && writer.had_other_characters();
        for character in value.bytes() {
            let Some(index) = Self::index(character).or(others.then_some(character)) else {
                return Err(writer.error(Kind::BadCharacter));
            };
            writer.bits(u64::from(if Self::BITS == 4 { index } else { character }), Self::BITS);
        }
        Ok(())
    }
    fn to_json(value: &String) -> Value {
        value.as_str().into()
    }
    fn read_json(slot: &mut String, value: &Value) -> Result<()> {
        *slot = text(value)?.to_owned();
        Ok(())
    }
}

/// GeneralString: octets, shown and kept as the characters U+0000 to U+00FF.
#[derive(Debug)]
pub(crate) enum General {}

impl Codec<String> for General {
    fn blank() -> String {
        String::default()
    }
    fn decode(slot: &mut String, reader: &mut Reader) -> Result<()> {
        let octets = reader.counted_octets()?;
        let room = octets.iter().map(|octet| if *octet < 0x80 { 1 } else { 2 }).sum();
        reader.charge(room)?;
        slot.reserve_exact(room);
        slot.extend(octets.iter().copied().map(char::from));
        Ok(())
    }
    fn encode(value: &String, writer: &mut Writer) -> Result<()> {
        let octets: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(c).ok()).collect();
        let Some(octets) = octets else { return Err(writer.error(Kind::BadCharacter)) };
        writer.counted_octets(&octets);
        Ok(())
    }
    fn to_json(value: &String) -> Value {
        value.as_str().into()
    }
    fn read_json(slot: &mut String, value: &Value) -> Result<()> {
        *slot = text(value)?.to_owned();
        Ok(())
    }
}

/// A BMPString: 16-bit code units as they were sent, which need not be valid UTF-16.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct BmpString(Vec<u16>);

impl BmpString {
    /// The code units.
    pub fn units(&self) -> &[u16] {
        &self.0
    }
}

impl From<&str> for BmpString {
    fn from(text: &str) -> Self {
        BmpString(text.encode_utf16().collect())
    }
}

impl From<String> for BmpString {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<Vec<u16>> for BmpString {
    fn from(units: Vec<u16>) -> Self {
        BmpString(units)
    }
}

impl PartialEq<str> for BmpString {
    fn eq(&self, other: &str) -> bool {
        self.0.iter().copied().eq(other.encode_utf16())
    }
}

impl PartialEq<&str> for BmpString {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl fmt::Display for BmpString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let characters = char::decode_utf16(self.0.iter().copied());
        characters.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).try_for_each(|c| write!(f, "{c}"))
    }
}

impl fmt::Debug for BmpString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

/// BMPString of `LOW..=HIGH` characters.
#[derive(Debug)]
pub(crate) enum Bmp<const LOW: usize = 0, const HIGH: usize = UNBOUNDED> {}

impl<const LOW: usize, const HIGH: usize> Codec<BmpString> for Bmp<LOW, HIGH> {
    fn blank() -> BmpString {
        BmpString::default()
    }
    fn decode(slot: &mut BmpString, reader: &mut Reader) -> Result<()> {
        let count = match reader.size(LOW, HIGH)? {
            (count, false) => count,
            (_, true) => return Err(reader.error(Kind::BadLength)),
        };
        reader.charge(2 * count)?;
        let octets = reader.octets(2 * count)?;
        let units = octets.chunks_exact(2).filter_map(|unit| unit.first_chunk::<2>());
        slot.0.reserve_exact(count);
        slot.0.extend(units.map(|unit| u16::from_be_bytes(*unit)));
        Ok(())
    }
    fn encode(value: &BmpString, writer: &mut Writer) -> Result<()> {
        let count = value.0.len();
        if !(LOW..=HIGH.min(16_383)).contains(&count) {
            return Err(writer.error(Kind::BadLength));
        }
        if HIGH < 65_536 {
            writer.constrained(LOW as i64, HIGH as i64, count as i64)?;
        } else {
            writer.length(count);
        }
        for unit in &value.0 {
            writer.octets(&unit.to_be_bytes());
        }
        Ok(())
    }
    fn to_json(value: &BmpString) -> Value {
        match String::from_utf16(&value.0) {
            Ok(text) => text.into(),
            // Half a surrogate pair has no place in text.
            Err(_) => {
                let octets: Vec<u8> = value.0.iter().flat_map(|unit| unit.to_be_bytes()).collect();
                serde_json::json!({ "hex": json::hex(&octets) })
            }
        }
    }
    fn read_json(slot: &mut BmpString, value: &Value) -> Result<()> {
        let Some(hex) = value.get("hex") else {
            *slot = text(value)?.into();
            return Ok(());
        };
        let octets = json::octets(hex)?;
        if octets.len() % 2 != 0 {
            return Err(wanted("two octets for each character"));
        }
        let units = octets.chunks_exact(2).filter_map(|unit| unit.first_chunk::<2>());
        slot.0 = units.map(|unit| u16::from_be_bytes(*unit)).collect();
        Ok(())
    }
}

natural!(BmpString: Bmp<0, UNBOUNDED>);

fn text(value: &Value) -> Result<&str> {
    value.as_str().ok_or_else(|| wanted("a string"))
}
