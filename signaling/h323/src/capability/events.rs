//! RFC 4733 events and the text that lists them (audioTelephoneEvent of H.245, `events` of RFC 4733 2.4.1).
//! In: text such as "0-15,32". Out: the set; and back.
//! Not here: which payload type carries them (`remote`, `media`).

use std::fmt;

/// A set of RFC 4733 events, 0–255.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TelephoneEvents([u64; 4]);

impl TelephoneEvents {
    /// None.
    pub const NONE: Self = Self([0; 4]);
    /// 0–15: the sixteen keys.
    pub const DTMF: Self = Self([0xffff, 0, 0, 0]);

    /// Reads a list of numbers and ranges. Surplus blanks and commas are borne; `None` when something else
    /// is there, or a number above 255, or a range that runs backwards. Empty text is an empty set.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut events = Self::NONE;
        for part in text.trim_end_matches('\0').split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (u8, u8) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            if first > last {
                return None;
            }
            (first..=last).for_each(|event| events.insert(event));
        }
        Some(events)
    }

    fn insert(&mut self, event: u8) {
        if let Some(word) = self.0.get_mut(usize::from(event >> 6)) {
            *word |= 1 << (event & 63);
        }
    }

    /// `event` is in the set.
    #[must_use]
    pub fn contains(self, event: u8) -> bool {
        self.0.get(usize::from(event >> 6)).is_some_and(|word| word >> (event & 63) & 1 == 1)
    }

    /// Every event of `other` is in the set.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.0.iter().zip(other.0).all(|(ours, theirs)| theirs & !ours == 0)
    }

    /// No event is in the set.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// The event of a key of a telephone: 0–9, `*` 10, `#` 11, A–D 12–15, flash (`!`) 16.
    #[must_use]
    pub fn of_key(key: char) -> Option<u8> {
        Some(match key.to_ascii_uppercase() {
            digit @ '0'..='9' => digit as u8 - b'0',
            '*' => 10,
            '#' => 11,
            letter @ 'A'..='D' => letter as u8 - b'A' + 12,
            '!' => 16,
            _ => return None,
        })
    }
}

/// As H.245 and RFC 4733 list them: ranges, ascending.
impl fmt::Display for TelephoneEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut next = 0u16;
        let mut written = false;
        let holds = |event: u16| u8::try_from(event).is_ok_and(|event| self.contains(event));
        while next < 256 {
            if !holds(next) {
                next += 1;
                continue;
            }
            let first = next;
            while holds(next) {
                next += 1;
            }
            let last = next - 1;
            if written {
                f.write_str(",")?;
            }
            written = true;
            if first == last {
                write!(f, "{first}")?;
            } else {
                write!(f, "{first}-{last}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for TelephoneEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TelephoneEvents({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_events_is_the_same_there_and_back() {
        for text in ["0-15", "0-16", "0,2,4-7,255", "63-64,127-128", "0-255", ""] {
            assert_eq!(TelephoneEvents::parse(text).expect(text).to_string(), text);
        }
        assert_eq!(TelephoneEvents::parse(" 15 - 16, 0,\0").expect("blanks").to_string(), "0,15-16");
        for bad in ["256", "15-0", "x", "1-2-3", "-1", "0x10"] {
            assert_eq!(TelephoneEvents::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn keys_have_the_numbers_of_rfc_4733() {
        for (event, key) in "0123456789*#ABCD!".chars().enumerate() {
            assert_eq!(TelephoneEvents::of_key(key).map(usize::from), Some(event));
        }
        assert_eq!(TelephoneEvents::of_key('x'), None);
        assert!(TelephoneEvents::DTMF.covers(TelephoneEvents::DTMF));
        assert!(!TelephoneEvents::DTMF.contains(16) && TelephoneEvents::NONE.is_empty());
    }
}
