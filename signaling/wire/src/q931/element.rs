//! One information element as octets, and the walk over them (Q.931 4.5.1–4.5.4).
//! In: the message and an offset. Out: an [`InformationElement`] and where it ends.
//!
//! ```text
//! 1iii cccc                        single octet; iii = 001 is Shift: 1001 n sss
//! 0iiiiiii  length   contents…     variable length
//! 0x7e      length length contents…    User-user in H.225.0 (7.2.2.31): two octets of length
//! ```
//!
//! Not here: what contents mean (`elements`, `number`).

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use super::{DecodeError, EncodeError, MAX_ELEMENT_LENGTH, MAX_USER_USER_LENGTH};

/// Bit 8 of the first octet: a single-octet element.
const SINGLE_OCTET: u8 = 0x80;

/// The codeset in which an element identifier counts (4.5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Codeset(u8);

impl Codeset {
    /// Codeset 0: the elements that Q.931 and H.225.0 define.
    pub const Q931: Self = Self(0);
    /// Codeset 4: ISO/IEC.
    pub const ISO_IEC: Self = Self(4);
    /// Codeset 5: national use.
    pub const NATIONAL: Self = Self(5);
    /// Codeset 6: the local network.
    pub const NETWORK: Self = Self(6);
    /// Codeset 7: the users.
    pub const USER: Self = Self(7);

    /// The codeset of this number; of `number` the lower three bits count.
    #[must_use]
    pub fn new(number: u8) -> Self {
        Self(number & 0x07)
    }

    /// Its number, 0 to 7.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

/// The identifier of an information element (table 4-3). For a single-octet element with a value
/// (type 1) it is the upper half of the octet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ElementId(pub u8);

macro_rules! element_ids {
    ($($name:ident = $code:literal $text:literal $clause:literal;)*) => {
        impl ElementId {
            $(
                #[doc = concat!($text, " (", $clause, ").")]
                pub const $name: Self = Self($code);
            )*

            /// The name in the standard; `None` for an identifier that codeset 0 does not have.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($text),)*
                    Self(_) => None,
                }
            }
        }
    };
}

element_ids! {
    SHIFT = 0x90 "Shift" "4.5.3, 4.5.4";
    MORE_DATA = 0xa0 "More data" "4.5.20";
    SENDING_COMPLETE = 0xa1 "Sending complete" "4.5.27";
    CONGESTION_LEVEL = 0xb0 "Congestion level" "4.5.14";
    REPEAT_INDICATOR = 0xd0 "Repeat indicator" "4.5.24";
    SEGMENTED_MESSAGE = 0x00 "Segmented message" "4.5.26";
    BEARER_CAPABILITY = 0x04 "Bearer capability" "4.5.5";
    CAUSE = 0x08 "Cause" "4.5.12";
    CALL_IDENTITY = 0x10 "Call identity" "4.5.6";
    CALL_STATE = 0x14 "Call state" "4.5.7";
    CHANNEL_IDENTIFICATION = 0x18 "Channel identification" "4.5.13";
    FACILITY = 0x1c "Facility" "Q.932 8.2.3";
    PROGRESS_INDICATOR = 0x1e "Progress indicator" "4.5.23";
    NETWORK_SPECIFIC_FACILITIES = 0x20 "Network-specific facilities" "4.5.21";
    EXTENDED_FACILITY = 0x0d "Extended facility" "Q.932 8.2.4";
    NOTIFICATION_INDICATOR = 0x27 "Notification indicator" "4.5.22";
    DISPLAY = 0x28 "Display" "4.5.16";
    DATE_TIME = 0x29 "Date/time" "4.5.15";
    KEYPAD_FACILITY = 0x2c "Keypad facility" "4.5.18";
    SIGNAL = 0x34 "Signal" "4.5.28";
    CONNECTED_NUMBER = 0x4c "Connected number" "Q.951 clause 5";
    CONNECTED_SUBADDRESS = 0x4d "Connected subaddress" "Q.951 clause 5";
    CALLING_PARTY_NUMBER = 0x6c "Calling party number" "4.5.10";
    CALLING_PARTY_SUBADDRESS = 0x6d "Calling party subaddress" "4.5.11";
    CALLED_PARTY_NUMBER = 0x70 "Called party number" "4.5.8";
    CALLED_PARTY_SUBADDRESS = 0x71 "Called party subaddress" "4.5.9";
    REDIRECTING_NUMBER = 0x74 "Redirecting number" "Q.952, Q.931 4.6.7";
    REDIRECTION_NUMBER = 0x76 "Redirection number" "Q.952";
    TRANSIT_NETWORK_SELECTION = 0x78 "Transit network selection" "4.5.29";
    RESTART_INDICATOR = 0x79 "Restart indicator" "4.5.25";
    LOW_LAYER_COMPATIBILITY = 0x7c "Low layer compatibility" "4.5.19";
    HIGH_LAYER_COMPATIBILITY = 0x7d "High layer compatibility" "4.5.17";
    USER_USER = 0x7e "User-user" "4.5.30, H.225.0 7.2.2.31";
    ESCAPE_FOR_EXTENSION = 0x7f "Escape for extension" "4.5.2";
}

impl fmt::Display for ElementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "element {:#04x}", self.0),
        }
    }
}

impl fmt::Debug for ElementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An information element exactly as it is on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InformationElement {
    /// The first octet.
    identifier: u8,
    /// Empty for single-octet elements.
    contents: Bytes,
}

impl InformationElement {
    /// Sending complete (4.5.27).
    pub const SENDING_COMPLETE: Self =
        Self { identifier: ElementId::SENDING_COMPLETE.0, contents: Bytes::new() };

    /// A variable-length element; bit 8 of `id` is cleared. Whether `contents` fit is checked when
    /// the message is encoded, because the limit depends on the codeset.
    #[must_use]
    pub fn variable(id: ElementId, contents: impl Into<Bytes>) -> Self {
        Self { identifier: id.0 & !SINGLE_OCTET, contents: contents.into() }
    }

    /// A single-octet element; bit 8 of `octet` is set.
    #[must_use]
    pub fn single_octet(octet: u8) -> Self {
        Self { identifier: octet | SINGLE_OCTET, contents: Bytes::new() }
    }

    /// The locking shift to `codeset` (4.5.3): all that follow, until the next.
    #[must_use]
    pub fn locking_shift(codeset: Codeset) -> Self {
        Self::single_octet(ElementId::SHIFT.0 | codeset.0)
    }

    /// The non-locking shift to `codeset` (4.5.4): the next element only.
    #[must_use]
    pub fn non_locking_shift(codeset: Codeset) -> Self {
        Self::single_octet(ElementId::SHIFT.0 | 0x08 | codeset.0)
    }

    /// Which element it is, in the codeset in force where it stands.
    #[must_use]
    pub fn id(&self) -> ElementId {
        ElementId(match self.identifier {
            // Type 2: the whole octet is the identifier.
            octet @ 0xa0..=0xaf => octet,
            // Type 1: the lower half is the value.
            octet if octet & SINGLE_OCTET != 0 => octet & 0xf0,
            octet => octet,
        })
    }

    /// The first octet as it is on the wire.
    #[must_use]
    pub fn identifier_octet(&self) -> u8 {
        self.identifier
    }

    /// The octets behind the length; empty for single-octet elements.
    #[must_use]
    pub fn contents(&self) -> &Bytes {
        &self.contents
    }

    /// Whether the element is its identifier octet and nothing else.
    #[must_use]
    pub fn is_single_octet(&self) -> bool {
        self.identifier & SINGLE_OCTET != 0
    }

    /// Whether the element is a locking or non-locking shift.
    #[must_use]
    pub fn is_shift(&self) -> bool {
        self.id() == ElementId::SHIFT
    }

    /// The element at `offset` and the offset behind it. The end is always beyond `offset` and
    /// never beyond the message, so the walk ends and stays inside.
    pub(super) fn decode(
        message: &Bytes,
        offset: usize,
        codesets: &mut Codesets,
    ) -> Result<(Self, usize), DecodeError> {
        let rest = message.get(offset..).unwrap_or_default();
        let Some((&identifier, rest)) = rest.split_first() else {
            return Err(DecodeError::Truncated { offset });
        };
        let codeset = codesets.next(identifier);
        if identifier & SINGLE_OCTET != 0 {
            return Ok((Self::single_octet(identifier), offset + 1));
        }
        let id = ElementId(identifier);
        let (announced, header) = match (length_octets(codeset, identifier), rest) {
            (1, [length, ..]) => (usize::from(*length), 2),
            (2, [high, low, ..]) => (usize::from(u16::from_be_bytes([*high, *low])), 3),
            _ => return Err(DecodeError::ElementWithoutLength { id, offset }),
        };
        let start = offset + header;
        let available = message.len() - start;
        if announced > available {
            return Err(DecodeError::ElementOverrun { id, offset, announced, available });
        }
        let end = start + announced;
        let contents = message.slice(start..end);
        Ok((Self { identifier, contents }, end))
    }

    pub(super) fn encode(&self, codesets: &mut Codesets, out: &mut BytesMut) -> Result<(), EncodeError> {
        let codeset = codesets.next(self.identifier);
        out.put_u8(self.identifier);
        if self.is_single_octet() {
            return Ok(());
        }
        let length = self.contents.len();
        let too_long = EncodeError::ElementTooLong { id: self.id(), length };
        if length_octets(codeset, self.identifier) == 2 {
            debug_assert_eq!(MAX_USER_USER_LENGTH, usize::from(u16::MAX));
            out.put_u16(u16::try_from(length).map_err(|_| too_long)?);
        } else {
            debug_assert_eq!(MAX_ELEMENT_LENGTH, usize::from(u8::MAX));
            out.put_u8(u8::try_from(length).map_err(|_| too_long)?);
        }
        out.put_slice(&self.contents);
        Ok(())
    }
}

/// H.225.0 7.2.2.31 gives User-user two length octets; every other element has one.
fn length_octets(codeset: Codeset, identifier: u8) -> usize {
    if codeset == Codeset::Q931 && identifier == ElementId::USER_USER.0 { 2 } else { 1 }
}

/// Follows shifts through a message.
///
/// A locking shift to a lower codeset is an error in 4.5.3, yet harmless: it is obeyed. A shift
/// behind a non-locking shift replaces it.
#[derive(Debug)]
pub(super) struct Codesets {
    locked: Codeset,
    once: Option<Codeset>,
}

impl Codesets {
    pub(super) fn new() -> Self {
        Self { locked: Codeset::Q931, once: None }
    }

    /// The codeset of the element that starts with `identifier`; notes shifts. A shift itself is
    /// of codeset 0: it means the same in all of them (4.5.2).
    pub(super) fn next(&mut self, identifier: u8) -> Codeset {
        if identifier & 0xf0 == ElementId::SHIFT.0 {
            let codeset = Codeset::new(identifier);
            if identifier & 0x08 == 0 {
                self.locked = codeset;
                self.once = None;
            } else {
                self.once = Some(codeset);
            }
            return Codeset::Q931;
        }
        self.once.take().unwrap_or(self.locked)
    }
}
