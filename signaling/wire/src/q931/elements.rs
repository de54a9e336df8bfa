//! The typed information elements of Q.931 4.5 that H.225.0 uses, numbers apart.
//! In: the contents of an [`InformationElement`]. Out: values; and back.
//!
//! Decoding is lenient (spare bits ignored, surplus octets ignored, unknown codes kept) and fails
//! only where octets are missing. Encoding is canonical, so a decoded value need not re-encode to
//! the same octets; the message keeps those.
//!
//! Not here: party numbers and subaddresses (`number`); the walk (`element`).

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use super::{Cause, ElementId, InformationElement};

/// Bit 8 of an octet within an element: the group of octets ends here (4.5.1).
pub(super) const EXTENSION: u8 = 0x80;

/// The octet behind which H.225.0 messages carry their UUIE: X.680 and X.690 coded user
/// information (4.5.30).
pub const USER_USER_PROTOCOL_DISCRIMINATOR: u8 = 0x05;

/// Why the contents of an element are no value of its type: an octet that must be there is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{id} with {length} octets lacks {missing}")]
pub struct ElementError {
    /// Which element.
    pub id: ElementId,
    /// How many octets its contents have.
    pub length: usize,
    /// What is missing, in the words of the standard.
    pub missing: &'static str,
}

/// A typed view of the contents of one information element.
pub trait Element: Sized {
    /// The identifier in codeset 0.
    const ID: ElementId;

    /// The value of `contents`.
    ///
    /// # Errors
    ///
    /// When an octet that must be there is missing.
    fn decode(contents: &Bytes) -> Result<Self, ElementError>;

    /// The contents in canonical form.
    fn encode_contents(&self) -> Bytes;

    /// The element in canonical form.
    fn to_element(&self) -> InformationElement {
        InformationElement::variable(Self::ID, self.encode_contents())
    }
}

/// Octet `index` of the contents of `T`.
pub(super) fn octet<T: Element>(
    contents: &[u8],
    index: usize,
    missing: &'static str,
) -> Result<u8, ElementError> {
    contents.get(index).copied().ok_or(ElementError { id: T::ID, length: contents.len(), missing })
}

/// The index behind the group of octets that starts at `index`: behind the first with bit 8 set.
fn group_end(contents: &[u8], index: usize) -> usize {
    let mut end = index;
    while let Some(octet) = contents.get(end) {
        end += 1;
        if octet & EXTENSION != 0 {
            break;
        }
    }
    end
}

/// IA5 text of an element: what is not IA5 is read as Latin-1; NULs at the end, which H323Plus
/// and others send, are no part of it.
pub(super) fn ia5(octets: &[u8]) -> String {
    without_trailing_nul(octets).iter().map(|&octet| char::from(octet)).collect()
}

/// The IA5 octets of `text`; a character that IA5 lacks becomes `?`.
pub(super) fn to_ia5(text: &str) -> impl Iterator<Item = u8> {
    text.chars()
        .map(|character| u8::try_from(character).ok().filter(u8::is_ascii))
        .map(|octet| octet.unwrap_or(b'?'))
}

fn without_trailing_nul(mut octets: &[u8]) -> &[u8] {
    while let [rest @ .., 0] = octets {
        octets = rest;
    }
    octets
}

/// Where a cause or progress description comes from (4.5.12, table 4-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Location(pub u8);

impl Location {
    /// The user.
    pub const USER: Self = Self(0);
    /// The private network serving the local user.
    pub const PRIVATE_LOCAL: Self = Self(1);
    /// The public network serving the local user.
    pub const PUBLIC_LOCAL: Self = Self(2);
    /// The transit network.
    pub const TRANSIT: Self = Self(3);
    /// The public network serving the remote user.
    pub const PUBLIC_REMOTE: Self = Self(4);
    /// The private network serving the remote user.
    pub const PRIVATE_REMOTE: Self = Self(5);
    /// An international network.
    pub const INTERNATIONAL: Self = Self(7);
    /// A network beyond an interworking point.
    pub const BEYOND_INTERWORKING: Self = Self(10);
}

/// Bearer capability (4.5.5), as far as H.225.0 7.2.2.1 uses it. Codes are kept as they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BearerCapability {
    /// 0 ITU-T, 1 ISO/IEC, 2 national, 3 network.
    pub coding_standard: u8,
    /// Information transfer capability.
    pub transfer_capability: u8,
    /// 0 circuit mode, 2 packet mode.
    pub transfer_mode: u8,
    /// Information transfer rate.
    pub transfer_rate: u8,
    /// How many 64 kbit/s, when the rate is [`MULTIRATE`](Self::MULTIRATE).
    pub rate_multiplier: Option<u8>,
    /// User information layer 1 protocol, when present.
    pub layer_1_protocol: Option<u8>,
}

impl BearerCapability {
    /// Transfer capability: speech.
    pub const SPEECH: u8 = 0x00;
    /// Transfer capability: unrestricted digital information.
    pub const UNRESTRICTED_DIGITAL: u8 = 0x08;
    /// Transfer capability: restricted digital information.
    pub const RESTRICTED_DIGITAL: u8 = 0x09;
    /// Transfer capability: 3.1 kHz audio.
    pub const AUDIO_3_1_KHZ: u8 = 0x10;
    /// Transfer capability: unrestricted digital information with tones and announcements.
    pub const UNRESTRICTED_DIGITAL_WITH_TONES: u8 = 0x11;
    /// Transfer rate: packet mode, none stated.
    pub const PACKET_MODE: u8 = 0x00;
    /// Transfer rate: 64 kbit/s.
    pub const RATE_64: u8 = 0x10;
    /// Transfer rate: 2 × 64 kbit/s.
    pub const RATE_2_X_64: u8 = 0x11;
    /// Transfer rate: 384 kbit/s.
    pub const RATE_384: u8 = 0x13;
    /// Transfer rate: 1536 kbit/s.
    pub const RATE_1536: u8 = 0x15;
    /// Transfer rate: 1920 kbit/s.
    pub const RATE_1920: u8 = 0x17;
    /// Transfer rate: a multiple of 64 kbit/s.
    pub const MULTIRATE: u8 = 0x18;
    /// Layer 1 protocol: G.711 µ-law.
    pub const G711_MU_LAW: u8 = 0x02;
    /// Layer 1 protocol: G.711 A-law.
    pub const G711_A_LAW: u8 = 0x03;
    /// Layer 1 protocol: H.221 and H.242, which H.225.0 7.2.2.1 uses for every H.323 call.
    pub const H221_H242: u8 = 0x05;

    /// Speech at 64 kbit/s between packet endpoints: the usual voice call of H.225.0.
    #[must_use]
    pub fn voice(layer_1_protocol: u8) -> Self {
        Self {
            coding_standard: 0,
            transfer_capability: Self::SPEECH,
            transfer_mode: 0,
            transfer_rate: Self::RATE_64,
            rate_multiplier: None,
            layer_1_protocol: Some(layer_1_protocol & 0x1f),
        }
    }
}

impl Element for BearerCapability {
    const ID: ElementId = ElementId::BEARER_CAPABILITY;

    fn decode(contents: &Bytes) -> Result<Self, ElementError> {
        let octet_3 = octet::<Self>(contents, 0, "octet 3 (information transfer capability)")?;
        let octet_4_at = group_end(contents, 0);
        let octet_4 = octet::<Self>(contents, octet_4_at, "octet 4 (information transfer rate)")?;
        let mut next = group_end(contents, octet_4_at);
        let transfer_rate = octet_4 & 0x1f;
        let mut rate_multiplier = None;
        if transfer_rate == Self::MULTIRATE {
            let octet_4_1 = octet::<Self>(contents, next, "octet 4.1 (rate multiplier)")?;
            rate_multiplier = Some(octet_4_1 & 0x7f);
            next = group_end(contents, next);
        }
        let layer_1_protocol =
            contents.get(next).filter(|octet_5| *octet_5 & 0x60 == 0x20).map(|octet_5| octet_5 & 0x1f);
        Ok(Self {
            coding_standard: octet_3 >> 5 & 0x03,
            transfer_capability: octet_3 & 0x1f,
            transfer_mode: octet_4 >> 5 & 0x03,
            transfer_rate,
            rate_multiplier,
            layer_1_protocol,
        })
    }

    fn encode_contents(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(4);
        let capability = self.transfer_capability & 0x1f;
        out.put_u8(EXTENSION | (self.coding_standard & 0x03) << 5 | capability);
        let rate = self.transfer_rate & 0x1f;
        out.put_u8(EXTENSION | (self.transfer_mode & 0x03) << 5 | rate);
        if rate == Self::MULTIRATE {
            out.put_u8(EXTENSION | self.rate_multiplier.unwrap_or(1));
        }
        if let Some(protocol) = self.layer_1_protocol {
            out.put_u8(EXTENSION | 0x20 | protocol & 0x1f);
        }
        out.freeze()
    }
}

/// Cause (4.5.12, Q.850).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CauseElement {
    /// 0 ITU-T, 1 ISO/IEC, 2 national, 3 specific to the location.
    pub coding_standard: u8,
    /// Who made the cause.
    pub location: Location,
    /// Octet 3a, when present.
    pub recommendation: Option<u8>,
    /// Why.
    pub value: Cause,
    /// Whatever follows the value, for instance the element that was in error.
    pub diagnostics: Bytes,
}

impl CauseElement {
    /// An ITU-T cause without diagnostics.
    #[must_use]
    pub fn new(location: Location, value: Cause) -> Self {
        Self { coding_standard: 0, location, recommendation: None, value, diagnostics: Bytes::new() }
    }
}

impl Element for CauseElement {
    const ID: ElementId = ElementId::CAUSE;

    fn decode(contents: &Bytes) -> Result<Self, ElementError> {
        let octet_3 = octet::<Self>(contents, 0, "octet 3 (location)")?;
        let octet_4_at = group_end(contents, 0);
        let octet_4 = octet::<Self>(contents, octet_4_at, "octet 4 (cause value)")?;
        Ok(Self {
            coding_standard: octet_3 >> 5 & 0x03,
            location: Location(octet_3 & 0x0f),
            recommendation: contents.get(1).filter(|_| octet_4_at > 1).map(|octet_3a| octet_3a & 0x7f),
            value: Cause(octet_4 & 0x7f),
            diagnostics: contents.slice(octet_4_at + 1..),
        })
    }

    fn encode_contents(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(3 + self.diagnostics.len());
        let octet_3 = (self.coding_standard & 0x03) << 5 | self.location.0 & 0x0f;
        match self.recommendation {
            Some(recommendation) => {
                out.put_u8(octet_3);
                out.put_u8(EXTENSION | recommendation);
            }
            None => out.put_u8(EXTENSION | octet_3),
        }
        out.put_u8(EXTENSION | self.value.0);
        out.put_slice(&self.diagnostics);
        out.freeze()
    }
}

/// Call state (4.5.7): the state in which a Status was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallState {
    /// 0 ITU-T, 1 ISO/IEC, 2 national, 3 network.
    pub coding_standard: u8,
    /// The state's number: U0 to U25, N0 to N25.
    pub value: u8,
}

impl CallState {
    /// An ITU-T call state.
    #[must_use]
    pub fn new(value: u8) -> Self {
        Self { coding_standard: 0, value: value & 0x3f }
    }
}

impl Element for CallState {
    const ID: ElementId = ElementId::CALL_STATE;

    fn decode(contents: &Bytes) -> Result<Self, ElementError> {
        let octet_3 = octet::<Self>(contents, 0, "octet 3 (call state value)")?;
        Ok(Self { coding_standard: octet_3 >> 6, value: octet_3 & 0x3f })
    }

    fn encode_contents(&self) -> Bytes {
        Bytes::copy_from_slice(&[(self.coding_standard & 0x03) << 6 | self.value & 0x3f])
    }
}

/// Progress indicator (4.5.23).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProgressIndicator {
    /// 0 ITU-T, 1 ISO/IEC, 2 national, 3 specific to the location.
    pub coding_standard: u8,
    /// Who describes.
    pub location: Location,
    /// Progress description.
    pub description: u8,
}

impl ProgressIndicator {
    /// Call is not end-to-end ISDN; further progress information may be in-band.
    pub const NOT_END_TO_END_ISDN: u8 = 1;
    /// Destination address is non-ISDN.
    pub const DESTINATION_NON_ISDN: u8 = 2;
    /// Origination address is non-ISDN.
    pub const ORIGINATION_NON_ISDN: u8 = 3;
    /// Call has returned to the ISDN.
    pub const RETURNED_TO_ISDN: u8 = 4;
    /// Interworking has occurred and changed the telecommunication service.
    pub const INTERWORKING_CHANGED_SERVICE: u8 = 5;
    /// In-band information or an appropriate pattern is now available.
    pub const INBAND_INFORMATION: u8 = 8;

    /// An ITU-T progress description.
    #[must_use]
    pub fn new(location: Location, description: u8) -> Self {
        Self { coding_standard: 0, location, description: description & 0x7f }
    }
}

impl Element for ProgressIndicator {
    const ID: ElementId = ElementId::PROGRESS_INDICATOR;

    fn decode(contents: &Bytes) -> Result<Self, ElementError> {
        let octet_3 = octet::<Self>(contents, 0, "octet 3 (location)")?;
        let octet_4_at = group_end(contents, 0);
        let octet_4 = octet::<Self>(contents, octet_4_at, "octet 4 (progress description)")?;
        Ok(Self {
            coding_standard: octet_3 >> 5 & 0x03,
            location: Location(octet_3 & 0x0f),
            description: octet_4 & 0x7f,
        })
    }

    fn encode_contents(&self) -> Bytes {
        Bytes::copy_from_slice(&[
            EXTENSION | (self.coding_standard & 0x03) << 5 | self.location.0 & 0x0f,
            EXTENSION | self.description,
        ])
    }
}

/// Notification indicator (4.5.22).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NotificationIndicator {
    /// Notification description.
    pub description: u8,
}

impl NotificationIndicator {
    /// User suspended.
    pub const USER_SUSPENDED: u8 = 0x00;
    /// User resumed.
    pub const USER_RESUMED: u8 = 0x01;
    /// Bearer service change.
    pub const BEARER_SERVICE_CHANGE: u8 = 0x02;
    /// Remote hold (Q.953).
    pub const REMOTE_HOLD: u8 = 0x79;
    /// Remote retrieval (Q.953).
    pub const REMOTE_RETRIEVAL: u8 = 0x7a;
    /// Call is diverting (Q.952).
    pub const CALL_IS_DIVERTING: u8 = 0x7b;
}

impl Element for NotificationIndicator {
    const ID: ElementId = ElementId::NOTIFICATION_INDICATOR;

    fn decode(contents: &Bytes) -> Result<Self, ElementError> {
        let octet_3 = octet::<Self>(contents, 0, "octet 3 (notification description)")?;
        Ok(Self { description: octet_3 & 0x7f })
    }

    fn encode_contents(&self) -> Bytes {
        Bytes::copy_from_slice(&[EXTENSION | self.description])
    }
}

/// Display (4.5.16).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Display {
    /// A character set octet before the text, as ETSI and ANSI networks send it.
    pub character_set: Option<u8>,
    /// The text, without NULs at its end.
    pub text: String,
}

impl Display {
    /// The longest text that 4.5.16 lets a network send to a user.
    pub const MAX_OCTETS: usize = 82;

    /// A text without character set octet.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { character_set: None, text: text.into() }
    }
}

impl Element for Display {
    const ID: ElementId = ElementId::DISPLAY;

    fn decode(contents: &Bytes) -> Result<Self, ElementError> {
        // UTF-8, which H.323 products send here, never starts with 10xxxxxx: such an octet is the
        // character set.
        let (character_set, text) = match contents.split_first() {
            Some((&first, rest)) if first & 0xc0 == 0x80 => (Some(first & 0x7f), rest),
            _ => (None, &contents[..]),
        };
        let text = match std::str::from_utf8(without_trailing_nul(text)) {
            Ok(text) => text.to_owned(),
            Err(_) => ia5(text),
        };
        Ok(Self { character_set, text })
    }

    /// Text beyond what one length octet can express is cut at a character boundary: it is for
    /// human eyes, and no reason to fail a call.
    fn encode_contents(&self) -> Bytes {
        let mut out = BytesMut::new();
        if let Some(character_set) = self.character_set {
            out.put_u8(EXTENSION | character_set & 0x3f);
        }
        let room = super::MAX_ELEMENT_LENGTH - out.len();
        let end = self.text.floor_char_boundary(room);
        out.put_slice(&self.text.as_bytes()[..end]);
        out.freeze()
    }
}

/// Keypad facility (4.5.18): keys that the user pressed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeypadFacility {
    /// The keys in IA5.
    pub keys: String,
}

impl KeypadFacility {
    /// The element that sends `keys`.
    #[must_use]
    pub fn new(keys: impl Into<String>) -> Self {
        Self { keys: keys.into() }
    }
}

impl Element for KeypadFacility {
    const ID: ElementId = ElementId::KEYPAD_FACILITY;

    fn decode(contents: &Bytes) -> Result<Self, ElementError> {
        Ok(Self { keys: ia5(contents) })
    }

    fn encode_contents(&self) -> Bytes {
        to_ia5(&self.keys).collect()
    }
}

/// Signal (4.5.28): a tone or alerting pattern to play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signal(pub u8);

impl Signal {
    /// Dial tone on.
    pub const DIAL_TONE: Self = Self(0x00);
    /// Ring back tone on.
    pub const RING_BACK_TONE: Self = Self(0x01);
    /// Intercept tone on.
    pub const INTERCEPT_TONE: Self = Self(0x02);
    /// Network congestion tone on.
    pub const NETWORK_CONGESTION_TONE: Self = Self(0x03);
    /// Busy tone on.
    pub const BUSY_TONE: Self = Self(0x04);
    /// Confirm tone on.
    pub const CONFIRM_TONE: Self = Self(0x05);
    /// Answer tone on.
    pub const ANSWER_TONE: Self = Self(0x06);
    /// Call waiting tone on.
    pub const CALL_WAITING_TONE: Self = Self(0x07);
    /// Off-hook warning tone on.
    pub const OFF_HOOK_WARNING_TONE: Self = Self(0x08);
    /// Preemption tone on.
    pub const PREEMPTION_TONE: Self = Self(0x09);
    /// Tones off.
    pub const TONES_OFF: Self = Self(0x3f);
    /// Alerting on, pattern 0.
    pub const ALERTING_PATTERN_0: Self = Self(0x40);
    /// Alerting off.
    pub const ALERTING_OFF: Self = Self(0x4f);
}

impl Element for Signal {
    const ID: ElementId = ElementId::SIGNAL;

    fn decode(contents: &Bytes) -> Result<Self, ElementError> {
        octet::<Self>(contents, 0, "octet 3 (signal value)").map(Self)
    }

    fn encode_contents(&self) -> Bytes {
        Bytes::copy_from_slice(&[self.0])
    }
}

/// High layer compatibility (4.5.17), octet by octet: H.225.0 only passes it on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HighLayerCompatibility(pub Bytes);

impl Element for HighLayerCompatibility {
    const ID: ElementId = ElementId::HIGH_LAYER_COMPATIBILITY;

    fn decode(contents: &Bytes) -> Result<Self, ElementError> {
        Ok(Self(contents.clone()))
    }

    fn encode_contents(&self) -> Bytes {
        self.0.clone()
    }
}

/// Facility (Q.932 8.2.3), octet by octet. In an H.225.0 Facility message it is empty: services
/// ride in the UUIE (7.4.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Facility(pub Bytes);

impl Element for Facility {
    const ID: ElementId = ElementId::FACILITY;

    fn decode(contents: &Bytes) -> Result<Self, ElementError> {
        Ok(Self(contents.clone()))
    }

    fn encode_contents(&self) -> Bytes {
        self.0.clone()
    }
}

/// User-user (4.5.30, H.225.0 7.2.2.31).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserUser {
    /// [`USER_USER_PROTOCOL_DISCRIMINATOR`] in H.323.
    pub protocol_discriminator: u8,
    /// User information: in H.323 one H323-UserInformation in aligned PER.
    pub information: Bytes,
}

impl UserUser {
    /// The element that carries an H323-UserInformation.
    #[must_use]
    pub fn new(information: impl Into<Bytes>) -> Self {
        Self { protocol_discriminator: USER_USER_PROTOCOL_DISCRIMINATOR, information: information.into() }
    }

    /// Whether the discriminator is that of H.225.0.
    #[must_use]
    pub fn is_h225(&self) -> bool {
        self.protocol_discriminator == USER_USER_PROTOCOL_DISCRIMINATOR
    }
}

impl Element for UserUser {
    const ID: ElementId = ElementId::USER_USER;

    fn decode(contents: &Bytes) -> Result<Self, ElementError> {
        let protocol_discriminator = octet::<Self>(contents, 0, "protocol discriminator")?;
        Ok(Self { protocol_discriminator, information: contents.slice(1..) })
    }

    fn encode_contents(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(1 + self.information.len());
        out.put_u8(self.protocol_discriminator);
        out.put_slice(&self.information);
        out.freeze()
    }
}
