//! Party numbers and subaddresses (Q.931 4.5.8–4.5.11, Q.951, Q.952).
//! In: the contents of an element. Out: digits with their type, plan, presentation; and back.
//!
//! ```text
//! octet 3   ext  type of number  numbering plan
//! octet 3a  ext  presentation  000  screening     when octet 3 has ext = 0
//! octet 3b  1 000  reason for redirection         redirecting number only
//! octet 4…  digits in IA5
//! ```
//!
//! Minimum lengths are a known trap (elements of 0 to 2 octets): octet 3 must be there, digits
//! need not.
//!
//! Not here: aliases and E.164 normalisation (the call machine).

use bytes::{BufMut, Bytes, BytesMut};

use super::elements::{EXTENSION, ia5, octet, to_ia5};
use super::{Element, ElementError, ElementId};

/// Type of number (table 4-8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TypeOfNumber(pub u8);

impl TypeOfNumber {
    /// Unknown.
    pub const UNKNOWN: Self = Self(0);
    /// International number.
    pub const INTERNATIONAL: Self = Self(1);
    /// National number.
    pub const NATIONAL: Self = Self(2);
    /// Network specific number.
    pub const NETWORK_SPECIFIC: Self = Self(3);
    /// Subscriber number.
    pub const SUBSCRIBER: Self = Self(4);
    /// Abbreviated number.
    pub const ABBREVIATED: Self = Self(6);
}

/// Numbering plan identification (table 4-8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NumberingPlan(pub u8);

impl NumberingPlan {
    /// Unknown.
    pub const UNKNOWN: Self = Self(0);
    /// ISDN/telephony: E.164.
    pub const E164: Self = Self(1);
    /// Data: X.121.
    pub const X121: Self = Self(3);
    /// Telex: F.69.
    pub const TELEX: Self = Self(4);
    /// National standard.
    pub const NATIONAL_STANDARD: Self = Self(8);
    /// Private.
    pub const PRIVATE: Self = Self(9);
}

/// Presentation indicator (table 4-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Presentation {
    /// Presentation allowed; also what counts when octet 3a is absent.
    Allowed,
    /// Presentation restricted.
    Restricted,
    /// Number not available due to interworking.
    NotAvailable,
    /// The reserved code.
    Reserved,
}

impl Presentation {
    fn from_octet(octet_3a: u8) -> Self {
        match octet_3a >> 5 & 0x03 {
            0 => Self::Allowed,
            1 => Self::Restricted,
            2 => Self::NotAvailable,
            _ => Self::Reserved,
        }
    }

    fn code(self) -> u8 {
        match self {
            Self::Allowed => 0,
            Self::Restricted => 1,
            Self::NotAvailable => 2,
            Self::Reserved => 3,
        }
    }
}

/// Screening indicator (table 4-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Screening {
    /// User-provided, not screened; also what counts when octet 3a is absent.
    UserProvidedNotScreened,
    /// User-provided, verified and passed.
    UserProvidedPassed,
    /// User-provided, verified and failed.
    UserProvidedFailed,
    /// Network provided.
    NetworkProvided,
}

impl Screening {
    fn from_octet(octet_3a: u8) -> Self {
        match octet_3a & 0x03 {
            0 => Self::UserProvidedNotScreened,
            1 => Self::UserProvidedPassed,
            2 => Self::UserProvidedFailed,
            _ => Self::NetworkProvided,
        }
    }

    fn code(self) -> u8 {
        match self {
            Self::UserProvidedNotScreened => 0,
            Self::UserProvidedPassed => 1,
            Self::UserProvidedFailed => 2,
            Self::NetworkProvided => 3,
        }
    }
}

/// The octets before the digits.
struct Head {
    type_of_number: TypeOfNumber,
    plan: NumberingPlan,
    octet_3a: Option<u8>,
    octet_3b: Option<u8>,
    digits: String,
}

impl Head {
    /// Octet 3, up to `groups` octets 3a and 3b, digits. An octet 3a or 3b has either bit 8 set or
    /// spare bits that no digit shares, but a sender that forgets bit 8 in octet 3 and sends digits
    /// at once exists: after octet 3 without bit 8, an octet counts as 3a only if it looks like one.
    fn decode<T: Element>(contents: &[u8]) -> Result<Self, ElementError> {
        let octet_3 = octet::<T>(contents, 0, "octet 3 (type of number, numbering plan)")?;
        let mut rest = contents.get(1..).unwrap_or_default();
        let mut more = [None, None];
        let mut ended = octet_3 & EXTENSION != 0;
        for slot in &mut more {
            let Some((&first, behind)) = rest.split_first() else {
                break;
            };
            // Bits 5 to 3 of octet 3a are spare (zero): 0x20–0x23 and the like without bit 8 would
            // announce an octet 3b, which has bit 8 set. Digits are 0x2a, 0x23, 0x30–0x39.
            let announces_3b = first & 0x9c == 0 && behind.first().is_some_and(|next| next & EXTENSION != 0);
            if ended || (first & EXTENSION == 0 && !announces_3b) {
                break;
            }
            *slot = Some(first);
            ended = first & EXTENSION != 0;
            rest = behind;
        }
        let [octet_3a, octet_3b] = more;
        Ok(Self {
            type_of_number: TypeOfNumber(octet_3 >> 4 & 0x07),
            plan: NumberingPlan(octet_3 & 0x0f),
            octet_3a,
            octet_3b,
            digits: ia5(rest),
        })
    }

    fn presentation(&self) -> Presentation {
        self.octet_3a.map_or(Presentation::Allowed, Presentation::from_octet)
    }

    fn screening(&self) -> Screening {
        self.octet_3a.map_or(Screening::UserProvidedNotScreened, Screening::from_octet)
    }
}

fn octet_3(type_of_number: TypeOfNumber, plan: NumberingPlan) -> u8 {
    (type_of_number.0 & 0x07) << 4 | plan.0 & 0x0f
}

fn octet_3a(presentation: Presentation, screening: Screening) -> u8 {
    presentation.code() << 5 | screening.code()
}

/// Called party number (4.5.8).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CalledPartyNumber {
    /// Type of number.
    pub type_of_number: TypeOfNumber,
    /// Numbering plan.
    pub plan: NumberingPlan,
    /// Digits in IA5; empty when the element has none.
    pub digits: String,
}

impl CalledPartyNumber {
    /// `digits` of unknown type in the E.164 plan.
    #[must_use]
    pub fn new(digits: impl Into<String>) -> Self {
        Self { type_of_number: TypeOfNumber::UNKNOWN, plan: NumberingPlan::E164, digits: digits.into() }
    }
}

impl Element for CalledPartyNumber {
    const ID: ElementId = ElementId::CALLED_PARTY_NUMBER;

    fn decode(contents: &Bytes) -> Result<Self, ElementError> {
        let head = Head::decode::<Self>(contents)?;
        Ok(Self { type_of_number: head.type_of_number, plan: head.plan, digits: head.digits })
    }

    fn encode_contents(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(1 + self.digits.len());
        out.put_u8(EXTENSION | octet_3(self.type_of_number, self.plan));
        out.extend(to_ia5(&self.digits));
        out.freeze()
    }
}

/// The shape that calling party number and connected number share.
macro_rules! screened_number {
    ($(#[$doc:meta])* $name:ident, $id:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $name {
            /// Type of number.
            pub type_of_number: TypeOfNumber,
            /// Numbering plan.
            pub plan: NumberingPlan,
            /// Whether the number may be shown.
            pub presentation: Presentation,
            /// Who vouches for the number.
            pub screening: Screening,
            /// Digits in IA5; empty when the element has none.
            pub digits: String,
        }

        impl $name {
            /// `digits` of unknown type in the E.164 plan, free to show, not screened.
            #[must_use]
            pub fn new(digits: impl Into<String>) -> Self {
                Self {
                    type_of_number: TypeOfNumber::UNKNOWN,
                    plan: NumberingPlan::E164,
                    presentation: Presentation::Allowed,
                    screening: Screening::UserProvidedNotScreened,
                    digits: digits.into(),
                }
            }
        }

        impl Element for $name {
            const ID: ElementId = ElementId::$id;

            fn decode(contents: &Bytes) -> Result<Self, ElementError> {
                let head = Head::decode::<Self>(contents)?;
                Ok(Self {
                    presentation: head.presentation(),
                    screening: head.screening(),
                    type_of_number: head.type_of_number,
                    plan: head.plan,
                    digits: head.digits,
                })
            }

            fn encode_contents(&self) -> Bytes {
                let mut out = BytesMut::with_capacity(2 + self.digits.len());
                out.put_u8(octet_3(self.type_of_number, self.plan));
                out.put_u8(EXTENSION | octet_3a(self.presentation, self.screening));
                out.extend(to_ia5(&self.digits));
                out.freeze()
            }
        }
    };
}

screened_number! {
    /// Calling party number (4.5.10).
    CallingPartyNumber, CALLING_PARTY_NUMBER
}

screened_number! {
    /// Connected number (Q.951 clause 5).
    ConnectedNumber, CONNECTED_NUMBER
}

/// Redirecting number (Q.952, Q.931 4.6.7): from whom the call was diverted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RedirectingNumber {
    /// Type of number.
    pub type_of_number: TypeOfNumber,
    /// Numbering plan.
    pub plan: NumberingPlan,
    /// Whether the number may be shown.
    pub presentation: Presentation,
    /// Who vouches for the number.
    pub screening: Screening,
    /// Reason for redirection, when octet 3b is present: 1 busy, 2 no reply, 4 deflection,
    /// 9 out of order, 10 by the called terminal, 15 unconditional.
    pub reason: Option<u8>,
    /// Digits in IA5.
    pub digits: String,
}

impl Element for RedirectingNumber {
    const ID: ElementId = ElementId::REDIRECTING_NUMBER;

    fn decode(contents: &Bytes) -> Result<Self, ElementError> {
        let head = Head::decode::<Self>(contents)?;
        Ok(Self {
            presentation: head.presentation(),
            screening: head.screening(),
            type_of_number: head.type_of_number,
            plan: head.plan,
            reason: head.octet_3b.map(|octet_3b| octet_3b & 0x0f),
            digits: head.digits,
        })
    }

    fn encode_contents(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(3 + self.digits.len());
        out.put_u8(octet_3(self.type_of_number, self.plan));
        let octet_3a = octet_3a(self.presentation, self.screening);
        match self.reason {
            Some(reason) => {
                out.put_u8(octet_3a);
                out.put_u8(EXTENSION | reason & 0x0f);
            }
            None => out.put_u8(EXTENSION | octet_3a),
        }
        out.extend(to_ia5(&self.digits));
        out.freeze()
    }
}

/// A subaddress as called, calling and connected party send it; the information stays octets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subaddress {
    /// 0 NSAP (X.213), 2 user specified.
    pub type_of_subaddress: u8,
    /// Whether the number of address signals is odd.
    pub odd: bool,
    /// Subaddress information.
    pub information: Bytes,
}

impl Subaddress {
    fn decode<T: Element>(contents: &Bytes) -> Result<Self, ElementError> {
        let octet_3 = octet::<T>(contents, 0, "octet 3 (type of subaddress)")?;
        Ok(Self {
            type_of_subaddress: octet_3 >> 4 & 0x07,
            odd: octet_3 & 0x08 != 0,
            information: contents.slice(1..),
        })
    }

    fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(1 + self.information.len());
        let odd = if self.odd { 0x08 } else { 0 };
        out.put_u8(EXTENSION | (self.type_of_subaddress & 0x07) << 4 | odd);
        out.put_slice(&self.information);
        out.freeze()
    }
}

/// Called party subaddress (4.5.9).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CalledPartySubaddress(pub Subaddress);

impl Element for CalledPartySubaddress {
    const ID: ElementId = ElementId::CALLED_PARTY_SUBADDRESS;

    fn decode(contents: &Bytes) -> Result<Self, ElementError> {
        Subaddress::decode::<Self>(contents).map(Self)
    }

    fn encode_contents(&self) -> Bytes {
        self.0.encode()
    }
}

/// Calling party subaddress (4.5.11).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallingPartySubaddress(pub Subaddress);

impl Element for CallingPartySubaddress {
    const ID: ElementId = ElementId::CALLING_PARTY_SUBADDRESS;

    fn decode(contents: &Bytes) -> Result<Self, ElementError> {
        Subaddress::decode::<Self>(contents).map(Self)
    }

    fn encode_contents(&self) -> Bytes {
        self.0.encode()
    }
}
