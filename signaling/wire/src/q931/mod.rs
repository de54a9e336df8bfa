//! Q.931 messages as H.225.0 clause 7.2 profiles them.
//! In: the payload of a TPKT. Out: a [`Message`], whose re-encoding is the same octets.
//!
//! ```text
//! Message ─ CallReference, MessageType, [InformationElement]   kept verbatim, unknown ones too
//!                                            │
//!                                            └ element::<T>()  Cause, numbers, Display, UserUser…
//! ```
//!
//! The message never fails for what lies *inside* an information element: contents are kept as
//! octets and typed only when asked for (Q.931 5.8.6.2, 5.8.7.2: an element in error is treated as
//! absent). It fails only when the walk over the elements would leave the message.
//!
//! Not here: the TPKT (`tpkt`); the UUIE inside User-user (`h225_message`); what a machine does
//! with a message.

mod call_reference;
mod cause;
mod element;
mod elements;
mod message_type;
mod number;

pub use call_reference::{CallReference, CallReferenceLength};
pub use cause::Cause;
pub use element::{Codeset, ElementId, InformationElement};
pub use elements::{
    BearerCapability, CallState, CauseElement, Display, Element, ElementError, Facility,
    HighLayerCompatibility, KeypadFacility, Location, NotificationIndicator, ProgressIndicator, Signal,
    USER_USER_PROTOCOL_DISCRIMINATOR, UserUser,
};
pub use message_type::MessageType;
pub use number::{
    CalledPartyNumber, CalledPartySubaddress, CallingPartyNumber, CallingPartySubaddress, ConnectedNumber,
    NumberingPlan, Presentation, RedirectingNumber, Screening, Subaddress, TypeOfNumber,
};

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

/// The protocol discriminator of Q.931 user-network call control messages (4.2).
pub const PROTOCOL_DISCRIMINATOR: u8 = 0x08;

/// The longest Q.931 message: the longest payload of a TPKT.
pub const MAX_MESSAGE_LENGTH: usize = crate::tpkt::MAX_PAYLOAD;

/// The most information elements that one message may hold. H.225.0 Setup, the richest, has
/// fifteen; a TPKT full of one-octet elements has 65,000.
pub const MAX_ELEMENTS: usize = 256;

/// The longest contents of an information element with a one-octet length.
pub const MAX_ELEMENT_LENGTH: usize = 255;

/// The longest contents of the User-user element, whose length has two octets in H.225.0.
pub const MAX_USER_USER_LENGTH: usize = 65_535;

/// Why octets are no Q.931 message. The peer is to blame; `offset` counts from the protocol
/// discriminator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The message ends before protocol discriminator, call reference and message type.
    #[error("the Q.931 message ends at octet {offset}, within its header")]
    Truncated {
        /// Where an octet was missing.
        offset: usize,
    },
    /// Longer than [`MAX_MESSAGE_LENGTH`].
    #[error("a Q.931 message of {length} octets is longer than any TPKT")]
    TooLong {
        /// Octets offered.
        length: usize,
    },
    /// Not call control (4.2).
    #[error("protocol discriminator {0:#04x} is not Q.931 call control (0x08)")]
    ProtocolDiscriminator(u8),
    /// A call reference of more than two octets (4.3; H.225.0 uses two).
    #[error("a call reference of {0} octets (0, 1 and 2 exist)")]
    CallReferenceLength(u8),
    /// An information element ends before its length octets.
    #[error("information element {id:?} at octet {offset} lacks its length")]
    ElementWithoutLength {
        /// Which element.
        id: ElementId,
        /// Where it starts.
        offset: usize,
    },
    /// An information element announces more octets than the message still has.
    #[error("information element {id:?} at octet {offset} announces {announced} octets, {available} remain")]
    ElementOverrun {
        /// Which element.
        id: ElementId,
        /// Where it starts.
        offset: usize,
        /// Its announced length.
        announced: usize,
        /// The octets that the message still has.
        available: usize,
    },
    /// More than [`MAX_ELEMENTS`] information elements.
    #[error("more than {MAX_ELEMENTS} information elements")]
    TooManyElements,
}

/// Why a message that we built cannot be sent. The caller is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The contents of an element outgrow its length octets.
    #[error("information element {id:?} with {length} octets is too long")]
    ElementTooLong {
        /// Which element.
        id: ElementId,
        /// Octets of its contents.
        length: usize,
    },
    /// More than [`MAX_ELEMENTS`] information elements.
    #[error("more than {MAX_ELEMENTS} information elements")]
    TooManyElements,
    /// The whole message is longer than [`MAX_MESSAGE_LENGTH`].
    #[error("a Q.931 message of {length} octets fits no TPKT")]
    TooLong {
        /// Octets of the message.
        length: usize,
    },
}

/// A Q.931 message (4.1): header and information elements in their order on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Names the call at this interface (4.3).
    pub call_reference: CallReference,
    /// What the message is (4.4); unknown codes are kept.
    pub message_type: MessageType,
    /// All information elements, shifts included, in their order.
    pub elements: Vec<InformationElement>,
}

impl Message {
    /// A message without information elements.
    #[must_use]
    pub fn new(message_type: MessageType, call_reference: CallReference) -> Self {
        Self { call_reference, message_type, elements: Vec::new() }
    }

    /// The message that `octets` hold. Contents share the buffer of `octets`.
    ///
    /// # Errors
    ///
    /// When the header is incomplete or foreign, or an element would reach beyond the message.
    pub fn decode(octets: &Bytes) -> Result<Self, DecodeError> {
        if octets.len() > MAX_MESSAGE_LENGTH {
            return Err(DecodeError::TooLong { length: octets.len() });
        }
        let octet = |offset: usize| octets.get(offset).copied().ok_or(DecodeError::Truncated { offset });
        let discriminator = octet(0)?;
        if discriminator != PROTOCOL_DISCRIMINATOR {
            return Err(DecodeError::ProtocolDiscriminator(discriminator));
        }
        // The upper half of the length octet is spare.
        let length = octet(1)?;
        let call_reference = match length & 0x0f {
            0 => CallReference::dummy(),
            1 => CallReference::from_octet(octet(2)?),
            2 => CallReference::from_octets([octet(2)?, octet(3)?]),
            length => return Err(DecodeError::CallReferenceLength(length)),
        }
        .with_spare(length);
        let mut offset = 2 + call_reference.length().octets();
        let message_type = MessageType(octet(offset)?);
        offset += 1;

        let mut elements = Vec::new();
        let mut codesets = element::Codesets::new();
        while offset < octets.len() {
            if elements.len() == MAX_ELEMENTS {
                return Err(DecodeError::TooManyElements);
            }
            let (element, end) = InformationElement::decode(octets, offset, &mut codesets)?;
            elements.push(element);
            offset = end;
        }
        Ok(Self { call_reference, message_type, elements })
    }

    /// The octets of the message.
    ///
    /// # Errors
    ///
    /// When something that the caller put in does not fit its length.
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        if self.elements.len() > MAX_ELEMENTS {
            return Err(EncodeError::TooManyElements);
        }
        let contents: usize = self.elements.iter().map(|e| e.contents().len() + 3).sum();
        let mut out = BytesMut::with_capacity(contents.min(MAX_MESSAGE_LENGTH) + 5);
        out.put_u8(PROTOCOL_DISCRIMINATOR);
        self.call_reference.encode(&mut out);
        out.put_u8(self.message_type.0);
        let mut codesets = element::Codesets::new();
        for element in &self.elements {
            element.encode(&mut codesets, &mut out)?;
        }
        if out.len() > MAX_MESSAGE_LENGTH {
            return Err(EncodeError::TooLong { length: out.len() });
        }
        Ok(out.freeze())
    }

    /// Every element with the codeset in which its identifier counts (4.5.3, 4.5.4).
    pub fn elements_with_codesets(&self) -> impl Iterator<Item = (Codeset, &InformationElement)> {
        let mut codesets = element::Codesets::new();
        self.elements.iter().map(move |element| (codesets.next(element.identifier_octet()), element))
    }

    /// The first element with this identifier in codeset 0.
    #[must_use]
    pub fn find(&self, id: ElementId) -> Option<&InformationElement> {
        self.find_all(id).next()
    }

    /// All elements with this identifier in codeset 0 (Facility, Progress indicator and
    /// Notification indicator may repeat).
    pub fn find_all(&self, id: ElementId) -> impl Iterator<Item = &InformationElement> {
        self.elements_with_codesets()
            .filter(move |(codeset, element)| *codeset == Codeset::Q931 && element.id() == id)
            .map(|(_, element)| element)
    }

    /// The first element of type `T`: `None` when absent, an error when its contents are none.
    #[must_use]
    pub fn element<T: Element>(&self) -> Option<Result<T, ElementError>> {
        self.find(T::ID).map(|element| T::decode(element.contents()))
    }

    /// The first element of type `T`; one with erroneous contents counts as absent, as Q.931
    /// 5.8.7.2 asks for elements that are not mandatory.
    #[must_use]
    pub fn readable<T: Element>(&self) -> Option<T> {
        self.element().and_then(Result::ok)
    }

    /// Adds `element` where 4.5.1 wants it: variable-length elements in ascending order of their
    /// identifiers, behind equal ones. Elements behind a shift stay behind it.
    pub fn insert(&mut self, element: InformationElement) {
        let at = if element.is_single_octet() {
            self.elements.iter().position(|other| !other.is_single_octet() || other.is_shift())
        } else {
            self.elements.iter().position(|other| {
                other.is_shift()
                    || (!other.is_single_octet() && other.identifier_octet() > element.identifier_octet())
            })
        };
        self.elements.insert(at.unwrap_or(self.elements.len()), element);
    }

    /// The message with a typed element more; see [`insert`](Self::insert).
    #[must_use]
    pub fn with<T: Element>(mut self, element: &T) -> Self {
        self.insert(element.to_element());
        self
    }

    /// The cause of a Release Complete, Status or Progress, when readable.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.readable::<CauseElement>().map(|element| element.value)
    }

    /// The text of the Display element, without its character set octet and trailing NULs.
    #[must_use]
    pub fn display(&self) -> Option<String> {
        self.readable::<Display>().map(|display| display.text)
    }

    /// The keys of a Keypad facility element.
    #[must_use]
    pub fn keypad_facility(&self) -> Option<String> {
        self.readable::<KeypadFacility>().map(|keypad| keypad.keys)
    }

    /// The number in the Called party number element.
    #[must_use]
    pub fn called_party_number(&self) -> Option<CalledPartyNumber> {
        self.readable()
    }

    /// The number in the Calling party number element.
    #[must_use]
    pub fn calling_party_number(&self) -> Option<CallingPartyNumber> {
        self.readable()
    }

    /// What the User-user element carries behind its protocol discriminator: in H.323 the
    /// H323-UserInformation. The octets share the message's buffer.
    #[must_use]
    pub fn user_user(&self) -> Option<UserUser> {
        self.readable()
    }
}
