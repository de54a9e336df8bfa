//! One H.225.0 call signalling message: a Q.931 message and the UUIE in its User-user element.
//! In: the payload of a TPKT. Out: a [`CallSignal`]; and back.
//!
//! ```text
//! TPKT payload ── Q.931 ── User-user, discriminator 5 ── aligned PER ── H323-UserInformation
//!                 fails:       other or none:             fails: the Q.931 part is still there,
//!                 nothing      no UUIE                    for an answer with a cause
//! ```
//!
//! Not here: the TPKT (`tpkt`); H.245 tunnelled in the UUIE (`h245`); which message is allowed when.

use bytes::Bytes;
use thiserror::Error;

use crate::h225::{H323UserInformation, H323UuPduH323MessageBody};
use crate::per;
use crate::q931::{
    CallReference, Codeset, DecodeError, Element, ElementId, EncodeError, Message, MessageType, UserUser,
};

/// Which layer of a received message is in error. The peer is to blame.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CallSignalError {
    /// Not even the call reference can be trusted.
    #[error("Q.931: {0}")]
    Q931(#[from] DecodeError),
    /// The Q.931 message stands, its H323-UserInformation does not.
    #[error("H.225.0 UUIE in {}: {source}", q931.message_type)]
    Uuie {
        /// The message around it: call reference and type, to answer with.
        q931: Box<Message>,
        /// What is wrong and where; its offset counts from the first octet of the UUIE.
        source: per::Error,
    },
}

/// Which layer of a message that we built cannot be sent. The caller is to blame.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CallSignalEncodeError {
    /// Something in the UUIE breaks its constraints.
    #[error("H.225.0 UUIE: {0}")]
    Uuie(#[from] per::Error),
    /// Something does not fit its length, often the UUIE its User-user element.
    #[error("Q.931: {0}")]
    Q931(#[from] EncodeError),
}

/// An H.225.0 call signalling message (clause 7).
#[derive(Debug, Clone, PartialEq)]
pub struct CallSignal {
    /// The Q.931 message. Its User-user element, if any, marks where the UUIE stands; what counts
    /// is [`uuie`](Self::uuie).
    pub q931: Message,
    /// The UUIE; `None` when the message has no User-user element of H.225.0, as Status, Status
    /// Inquiry and Notify of early versions and some gateways' messages have none.
    pub uuie: Option<per::Message<H323UserInformation>>,
}

impl CallSignal {
    /// A message of `uuie`, its Q.931 type taken from the body; `None` for an alternative that
    /// this version of H.225.0 does not have.
    #[must_use]
    pub fn new(
        call_reference: CallReference,
        uuie: impl Into<per::Message<H323UserInformation>>,
    ) -> Option<Self> {
        let uuie = uuie.into();
        let message_type = message_type(&uuie.h323_uu_pdu.h323_message_body)?;
        Some(Self { q931: Message::new(message_type, call_reference), uuie: Some(uuie) })
    }

    /// The message in the payload of a TPKT. Octet strings share its buffer.
    ///
    /// # Errors
    ///
    /// [`CallSignalError`] names the layer.
    pub fn decode(payload: &Bytes) -> Result<Self, CallSignalError> {
        let q931 = Message::decode(payload)?;
        let decoded = user_user(&q931).map(|(_, found)| per::decode(&found.information));
        let uuie = match decoded {
            None => None,
            Some(Ok(uuie)) => Some(uuie),
            Some(Err(source)) => {
                let q931 = Box::new(q931);
                return Err(CallSignalError::Uuie { q931, source });
            }
        };
        Ok(Self { q931, uuie })
    }

    /// The payload of a TPKT. The UUIE replaces the contents of the message's User-user element, or
    /// becomes one; without UUIE, the Q.931 message is sent as it is.
    ///
    /// # Errors
    ///
    /// [`CallSignalEncodeError`] names the layer.
    pub fn encode(&self) -> Result<Bytes, CallSignalEncodeError> {
        let Some(uuie) = &self.uuie else {
            return Ok(self.q931.encode()?);
        };
        let element = UserUser::new(per::encode(uuie)?).to_element();
        let mut q931 = self.q931.clone();
        match user_user(&q931).and_then(|(at, _)| q931.elements.get_mut(at)) {
            Some(old) => *old = element,
            None => q931.insert(element),
        }
        Ok(q931.encode()?)
    }

    /// The alternative of h323-message-body, when there is a UUIE.
    #[must_use]
    pub fn body(&self) -> Option<&H323UuPduH323MessageBody> {
        let uuie = self.uuie.as_ref()?;
        Some(&uuie.h323_uu_pdu.h323_message_body)
    }

    /// The H.245 messages tunnelled in h245Control, in their order; each element holds one.
    pub fn h245_control(&self) -> impl Iterator<Item = &Bytes> {
        let uuie = self.uuie.iter();
        uuie.flat_map(|uuie| uuie.h323_uu_pdu.h245_control.iter().flatten())
    }
}

/// The element that carries the UUIE: the first User-user in codeset 0 with H.225.0's discriminator.
fn user_user(q931: &Message) -> Option<(usize, UserUser)> {
    q931.elements_with_codesets()
        .enumerate()
        .filter(|(_, (codeset, _))| *codeset == Codeset::Q931)
        .filter(|(_, (_, element))| element.id() == ElementId::USER_USER)
        // One in error (empty) counts as absent: Q.931 5.8.7.2.
        .filter_map(|(at, (_, element))| Some((at, UserUser::decode(element.contents()).ok()?)))
        .find(|(_, user_user)| user_user.is_h225())
}

/// The Q.931 type under which an alternative of h323-message-body travels (7.3, 7.4); `empty`,
/// which carries tunnelled H.245 and services only, travels in Facility (H.323 8.2.1). `None` for an
/// alternative that this version of H.225.0 does not have.
#[must_use]
pub fn message_type(body: &H323UuPduH323MessageBody) -> Option<MessageType> {
    Some(match body {
        H323UuPduH323MessageBody::Setup(_) => MessageType::SETUP,
        H323UuPduH323MessageBody::CallProceeding(_) => MessageType::CALL_PROCEEDING,
        H323UuPduH323MessageBody::Connect(_) => MessageType::CONNECT,
        H323UuPduH323MessageBody::Alerting(_) => MessageType::ALERTING,
        H323UuPduH323MessageBody::Information(_) => MessageType::INFORMATION,
        H323UuPduH323MessageBody::ReleaseComplete(_) => MessageType::RELEASE_COMPLETE,
        H323UuPduH323MessageBody::Facility(_) | H323UuPduH323MessageBody::Empty => MessageType::FACILITY,
        H323UuPduH323MessageBody::Progress(_) => MessageType::PROGRESS,
        H323UuPduH323MessageBody::Status(_) => MessageType::STATUS,
        H323UuPduH323MessageBody::StatusInquiry(_) => MessageType::STATUS_INQUIRY,
        H323UuPduH323MessageBody::SetupAcknowledge(_) => MessageType::SETUP_ACKNOWLEDGE,
        H323UuPduH323MessageBody::Notify(_) => MessageType::NOTIFY,
        H323UuPduH323MessageBody::Unrecognized(_) => return None,
    })
}
