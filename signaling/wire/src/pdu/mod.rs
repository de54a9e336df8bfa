//! Any PDU of H.323 by its kind: for tools and test vectors, which learn at run time what octets are.
//! In: a [`Kind`] and octets, or a description in the notation of [`json`](crate::per::json). Out: a [`Pdu`]; its
//! octets, description, [tree](tree::text), or the [verdict](vector) on a row of a vector file.
//!
//! ```text
//! octets ─ Pdu::decode ─► Pdu ─ to_json ─► description ─ nested::expand ─► … with what it carries ─ tree::text
//!        ◄─ encode ─────      ◄─ from_json ─
//! ```
//!
//! Not here: which PDUs a capture holds ([`trace`](crate::trace)); what a machine does with one, for which the typed
//! modules serve better.

pub mod nested;
mod q931;
pub mod redact;
pub mod tree;
pub mod vector;

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde_json::{Value, json};
use thiserror::Error;

use crate::h225::{H323UserInformation, RasMessage};
use crate::h225_message::{CallSignal, CallSignalEncodeError, CallSignalError};
use crate::h245::{MultimediaSystemControlMessage, OpenLogicalChannel};
use crate::h450::H4501SupplementaryService;
use crate::per;
use crate::q931::{DecodeError, Element, ElementId, Message, PROTOCOL_DISCRIMINATOR, UserUser};
use crate::tpkt::{HEADER_LENGTH, TpktError, VERSION};

/// What octets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// One or more TPKTs, each with a Q.931 or an H.245 message.
    Tpkt,
    /// A Q.931 message and the UUIE in its User-user element.
    Q931,
    /// A UUIE: `H323-UserInformation`.
    H225,
    /// `RasMessage`.
    Ras,
    /// `MultimediaSystemControlMessage`.
    H245,
    /// `OpenLogicalChannel` alone, as an element of fastStart.
    Olc,
    /// `H4501SupplementaryService`.
    H450,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Tpkt, Self::Q931, Self::H225, Self::Ras, Self::H245, Self::Olc, Self::H450];

    /// A short name: `ras`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tpkt => "tpkt",
            Self::Q931 => "q931",
            Self::H225 => "h225",
            Self::Ras => "ras",
            Self::H245 => "h245",
            Self::Olc => "olc",
            Self::H450 => "h450",
        }
    }

    /// The type in the standard, as vector files name it; `Q931` and `TPKT` for the two that have none.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Tpkt => "TPKT",
            Self::Q931 => "Q931",
            Self::H225 => "H323-UserInformation",
            Self::Ras => "RasMessage",
            Self::H245 => "MultimediaSystemControlMessage",
            Self::Olc => "OpenLogicalChannel",
            Self::H450 => "H4501SupplementaryService",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No kind has this name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no kind of PDU; there are ras, h225, h245, olc, h450, q931 and tpkt")]
pub struct UnknownKind(String);

impl FromStr for Kind {
    type Err = UnknownKind;

    /// By either name.
    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        let found = Self::ALL.into_iter().find(|kind| [kind.name(), kind.type_name()].contains(&name));
        found.ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

/// Why octets are no PDU of a kind, or a description describes none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PduError {
    /// The layer in error.
    pub layer: Kind,
    /// What is wrong.
    pub reason: String,
    /// Where in all of the octets, when it is at one place.
    pub offset: Option<usize>,
    /// The path of members to it, in the standard's spelling; empty at the top.
    pub path: String,
}

impl PduError {
    fn new(layer: Kind, reason: impl ToString) -> Self {
        Self { layer, reason: reason.to_string(), offset: None, path: String::new() }
    }

    /// An error of a whole layer, at no place in particular.
    #[must_use]
    pub fn plain(layer: Kind, reason: &str) -> Self {
        Self::new(layer, reason)
    }

    fn per(layer: Kind, error: &per::Error) -> Self {
        let offset = match error.kind() {
            per::Kind::Json(_) => None,
            _ => Some(error.offset()),
        };
        Self { layer, reason: error.kind().to_string(), offset, path: error.path() }
    }

    fn q931(error: DecodeError) -> Self {
        let offset = match error {
            DecodeError::Truncated { offset }
            | DecodeError::ElementWithoutLength { offset, .. }
            | DecodeError::ElementOverrun { offset, .. } => Some(offset),
            DecodeError::ProtocolDiscriminator(_) => Some(0),
            DecodeError::CallReferenceLength(_) => Some(1),
            _ => None,
        };
        Self { offset, ..Self::new(Kind::Q931, error) }
    }

    /// The same, in octets around.
    fn behind(mut self, octets: usize) -> Self {
        self.offset = self.offset.map(|offset| offset + octets);
        self
    }

    fn within(mut self, step: &str) -> Self {
        let separator = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{step}{separator}{}", self.path);
        self
    }
}

impl fmt::Display for PduError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.layer.type_name(), self.reason)?;
        // Q.931's own words may tell an offset too: from its discriminator. This one counts in all of the octets.
        if let Some(offset) = self.offset {
            write!(f, ", at octet {offset}")?;
        }
        if !self.path.is_empty() {
            write!(f, ", in {}", self.path)?;
        }
        Ok(())
    }
}

impl std::error::Error for PduError {}

/// A PDU of any kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Pdu {
    /// See [`Kind::Tpkt`].
    Tpkt(Vec<Packet>),
    /// See [`Kind::Q931`].
    Q931(Box<CallSignal>),
    /// See [`Kind::H225`].
    H225(Box<per::Message<H323UserInformation>>),
    /// See [`Kind::Ras`].
    Ras(Box<per::Message<RasMessage>>),
    /// See [`Kind::H245`].
    H245(Box<per::Message<MultimediaSystemControlMessage>>),
    /// See [`Kind::Olc`].
    Olc(Box<per::Message<OpenLogicalChannel>>),
    /// See [`Kind::H450`].
    H450(Box<per::Message<H4501SupplementaryService>>),
}

/// One TPKT.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    /// The octet that RFC 1006 reserves; zero, if its sender heard of that.
    pub reserved: u8,
    /// What it holds.
    pub payload: Payload,
}

/// What one TPKT holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// Nothing.
    KeepAlive,
    /// A Q.931 message, told by its protocol discriminator, which no H.245 message of today starts with.
    Q931(Box<CallSignal>),
    /// An H.245 message.
    H245(Box<per::Message<MultimediaSystemControlMessage>>),
}

impl Pdu {
    /// Reads octets as a PDU of `kind`. Octets behind it are ignored, as everywhere in PER; not behind a TPKT.
    ///
    /// # Errors
    ///
    /// [`PduError`]; its offset counts in `octets` whatever layer is in error.
    pub fn decode(kind: Kind, octets: &Bytes) -> Result<Self, PduError> {
        fn read<T: per::Type>(kind: Kind, octets: &Bytes) -> Result<Box<per::Message<T>>, PduError> {
            per::decode(octets).map(Box::new).map_err(|error| PduError::per(kind, &error))
        }
        Ok(match kind {
            Kind::Tpkt => Self::Tpkt(packets(octets)?),
            Kind::Q931 => Self::Q931(Box::new(signal(octets)?)),
            Kind::H225 => Self::H225(read(kind, octets)?),
            Kind::Ras => Self::Ras(read(kind, octets)?),
            Kind::H245 => Self::H245(read(kind, octets)?),
            Kind::Olc => Self::Olc(read(kind, octets)?),
            Kind::H450 => Self::H450(read(kind, octets)?),
        })
    }

    /// Which kinds `octets` can be read as, the most likely first: what frames itself, then what is in canonical form,
    /// then the rest.
    #[must_use]
    pub fn guess(octets: &Bytes) -> Vec<Kind> {
        let mut kinds = Vec::new();
        let frames = |kind| match kind {
            Kind::Tpkt => octets.first() == Some(&VERSION) && octets.get(1) == Some(&0),
            Kind::Q931 => octets.first() == Some(&PROTOCOL_DISCRIMINATOR),
            _ => false,
        };
        for kind in [Kind::Tpkt, Kind::Q931] {
            if frames(kind) && Self::decode(kind, octets).is_ok() {
                kinds.push(kind);
            }
        }
        let mut inexact = Vec::new();
        for kind in [Kind::Ras, Kind::H245, Kind::H225, Kind::Olc, Kind::H450] {
            let Ok(pdu) = Self::decode(kind, octets) else { continue };
            // Built anew: the decoded value remembers how it was written, however odd.
            match Self::from_json(kind, &pdu.to_json()).and_then(|anew| anew.encode()) {
                Ok(again) if again == *octets => kinds.push(kind),
                _ => inexact.push(kind),
            }
        }
        kinds.extend(inexact);
        kinds
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Tpkt(_) => Kind::Tpkt,
            Self::Q931(_) => Kind::Q931,
            Self::H225(_) => Kind::H225,
            Self::Ras(_) => Kind::Ras,
            Self::H245(_) => Kind::H245,
            Self::Olc(_) => Kind::Olc,
            Self::H450(_) => Kind::H450,
        }
    }

    /// Its octets.
    ///
    /// # Errors
    ///
    /// When something in it breaks its constraints, or does not fit its length.
    pub fn encode(&self) -> Result<Bytes, PduError> {
        fn write<T: per::Type>(kind: Kind, value: &T) -> Result<Bytes, PduError> {
            per::encode(value).map(Bytes::from).map_err(|error| PduError::per(kind, &error))
        }
        match self {
            Self::Tpkt(packets) => {
                let mut stream = Vec::new();
                for (index, packet) in packets.iter().enumerate() {
                    let payload = match &packet.payload {
                        Payload::KeepAlive => Ok(Bytes::new()),
                        Payload::Q931(signal) => encode_signal(signal),
                        Payload::H245(message) => write(Kind::H245, message.as_ref()),
                    };
                    let packed = payload.and_then(|payload| {
                        crate::tpkt::encode(&payload).map_err(|error| PduError::new(Kind::Tpkt, error))
                    });
                    let start = stream.len();
                    stream.extend_from_slice(&packed.map_err(|error| error.within(&format!("[{index}]")))?);
                    if let Some(reserved) = stream.get_mut(start + 1) {
                        *reserved = packet.reserved;
                    }
                }
                Ok(stream.into())
            }
            Self::Q931(signal) => encode_signal(signal),
            Self::H225(value) => write(Kind::H225, value.as_ref()),
            Self::Ras(value) => write(Kind::Ras, value.as_ref()),
            Self::H245(value) => write(Kind::H245, value.as_ref()),
            Self::Olc(value) => write(Kind::Olc, value.as_ref()),
            Self::H450(value) => write(Kind::H450, value.as_ref()),
        }
    }

    /// Its description: of what is ASN.1 in the notation of [`json`](crate::per::json). Of Q.931
    /// `{"callReference": {"value", "fromDestination", "octets"}, "messageType", "elements": […]}`, where an element is
    /// `{"id", "name", "hex"}` (and `"means"`, for people), or `{"name", "octet"}`, or the User-user element as
    /// `{"id", "name", "H323-UserInformation": …}`. Of TPKTs an array of `{"q931": …}`, `{"h245": …}` and
    /// `{"keepAlive": null}`, with `"reserved"` beside it if that octet is not zero.
    #[must_use]
    pub fn to_json(&self) -> Value {
        use per::json::describe;
        match self {
            Self::Tpkt(packets) => packets.iter().map(Packet::to_json).collect(),
            Self::Q931(signal) => q931::describe(signal),
            Self::H225(value) => describe(value.as_ref()),
            Self::Ras(value) => describe(value.as_ref()),
            Self::H245(value) => describe(value.as_ref()),
            Self::Olc(value) => describe(value.as_ref()),
            Self::H450(value) => describe(value.as_ref()),
        }
    }

    /// The PDU that `description` describes.
    ///
    /// # Errors
    ///
    /// [`PduError`] with the path to what is none.
    pub fn from_json(kind: Kind, description: &Value) -> Result<Self, PduError> {
        fn build<T: per::Type>(kind: Kind, value: &Value) -> Result<Box<per::Message<T>>, PduError> {
            per::json::build(value).map(Box::new).map_err(|error| PduError::per(kind, &error))
        }
        Ok(match kind {
            Kind::Tpkt => {
                let packets = description
                    .as_array()
                    .ok_or_else(|| PduError::new(kind, "JSON: expected an array of packets"))?;
                let packets = packets.iter().enumerate().map(|(index, packet)| {
                    Packet::from_json(packet).map_err(|error| error.within(&format!("[{index}]")))
                });
                Self::Tpkt(packets.collect::<Result<_, _>>()?)
            }
            Kind::Q931 => Self::Q931(Box::new(q931::build(description)?)),
            Kind::H225 => Self::H225(build(kind, description)?),
            Kind::Ras => Self::Ras(build(kind, description)?),
            Kind::H245 => Self::H245(build(kind, description)?),
            Kind::Olc => Self::Olc(build(kind, description)?),
            Kind::H450 => Self::H450(build(kind, description)?),
        })
    }

    /// What the PDU is called: the Q.931 message type or the alternative that says what it is.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Q931(signal) => signal.q931.message_type.to_string(),
            Self::Tpkt(packets) => {
                let names = packets.iter().map(|packet| match &packet.payload {
                    Payload::KeepAlive => "keep-alive".to_owned(),
                    Payload::Q931(signal) => signal.q931.message_type.to_string(),
                    Payload::H245(message) => Self::H245(message.clone()).name(),
                });
                names.collect::<Vec<_>>().join(", ")
            }
            Self::Olc(_) => "openLogicalChannel".to_owned(),
            Self::H225(value) => {
                chosen(&per::json::describe(&value.h323_uu_pdu.h323_message_body)).0.to_owned()
            }
            Self::Ras(_) => chosen(&self.to_json()).0.to_owned(),
            Self::H245(_) => chosen(chosen(&self.to_json()).1).0.to_owned(),
            Self::H450(_) => "supplementaryService".to_owned(),
        }
    }
}

impl Packet {
    fn to_json(&self) -> Value {
        let mut described = match &self.payload {
            Payload::KeepAlive => json!({ "keepAlive": null }),
            Payload::Q931(signal) => json!({ "q931": q931::describe(signal) }),
            Payload::H245(message) => json!({ "h245": per::json::describe(message.as_ref()) }),
        };
        if let Some(members) = described.as_object_mut().filter(|_| self.reserved != 0) {
            members.insert(RESERVED.into(), self.reserved.into());
        }
        described
    }

    fn from_json(description: &Value) -> Result<Self, PduError> {
        let wanted = |what: &str| PduError::new(Kind::Tpkt, format_args!("JSON: expected {what}"));
        let mut payload = description.clone();
        let reserved = payload.as_object_mut().and_then(|members| members.remove(RESERVED));
        let reserved = reserved.map_or(Some(0), |reserved| reserved.as_u64());
        let reserved = reserved
            .and_then(|reserved| u8::try_from(reserved).ok())
            .ok_or_else(|| wanted("an octet").within(RESERVED))?;
        let payload = match chosen(&payload) {
            ("keepAlive", _) => Payload::KeepAlive,
            ("q931", signal) => {
                let signal = q931::build(signal).map_err(|error| error.within("q931"))?;
                Payload::Q931(Box::new(signal))
            }
            ("h245", message) => match Pdu::from_json(Kind::H245, message) {
                Ok(Pdu::H245(message)) => Payload::H245(message),
                Ok(_) => return Err(wanted("an H.245 message")),
                Err(error) => return Err(error.within("h245")),
            },
            _ => return Err(wanted("an object of q931, h245 or keepAlive")),
        };
        Ok(Self { reserved, payload })
    }
}

/// The member beside a TPKT's payload.
const RESERVED: &str = "reserved";

/// The alternative of a described CHOICE and its value; empty and null for what is none.
#[must_use]
pub fn chosen(description: &Value) -> (&str, &Value) {
    let mut members = description.as_object().into_iter().flatten();
    match (members.next(), members.next()) {
        (Some((name, value)), None) => (name, value),
        _ => ("", &Value::Null),
    }
}

fn packets(octets: &Bytes) -> Result<Vec<Packet>, PduError> {
    let mut packets = Vec::new();
    let mut at = 0;
    while at < octets.len() || packets.is_empty() {
        let step = format!("[{}]", packets.len());
        let wrong = |reason: &dyn ToString| {
            PduError { offset: Some(0), ..PduError::new(Kind::Tpkt, reason.to_string()) }
                .behind(at)
                .within(&step)
        };
        let header = octets.get(at..).and_then(|rest| rest.first_chunk::<HEADER_LENGTH>());
        let &[version, reserved, high, low] =
            header.ok_or_else(|| wrong(&"a TPKT header has four octets"))?;
        if version != VERSION {
            return Err(wrong(&TpktError::Version(version)));
        }
        let announced = u16::from_be_bytes([high, low]);
        let length = usize::from(announced);
        if length < HEADER_LENGTH {
            return Err(wrong(&TpktError::TooShort(announced)));
        }
        let left = octets.len() - at;
        if length > left {
            return Err(wrong(&format!("a TPKT announces {length} octets, {left} are there")));
        }
        let payload = octets.slice(at + HEADER_LENGTH..at + length);
        let payload = match payload.first() {
            None => Ok(Payload::KeepAlive),
            Some(&PROTOCOL_DISCRIMINATOR) => signal(&payload).map(|s| Payload::Q931(Box::new(s))),
            Some(_) => per::decode(&payload)
                .map(|message| Payload::H245(Box::new(message)))
                .map_err(|error| PduError::per(Kind::H245, &error)),
        };
        let payload = payload.map_err(|error| error.behind(at + HEADER_LENGTH).within(&step))?;
        packets.push(Packet { reserved, payload });
        at += length;
    }
    Ok(packets)
}

fn signal(octets: &Bytes) -> Result<CallSignal, PduError> {
    CallSignal::decode(octets).map_err(|error| match error {
        CallSignalError::Q931(error) => PduError::q931(error),
        CallSignalError::Uuie { q931, source } => {
            let step = format!("{}: User-user", q931.message_type);
            PduError::per(Kind::H225, &source).behind(uuie_offset(octets, &q931)).within(&step)
        }
    })
}

/// Where the UUIE of a message starts: it shares the message's memory.
fn uuie_offset(octets: &Bytes, message: &Message) -> usize {
    let mut found = message.find_all(ElementId::USER_USER);
    let uuie = found.find_map(|e| UserUser::decode(e.contents()).ok().filter(UserUser::is_h225));
    uuie.map_or(0, |uuie| (uuie.information.as_ptr() as usize).saturating_sub(octets.as_ptr() as usize))
}

fn encode_signal(signal: &CallSignal) -> Result<Bytes, PduError> {
    signal.encode().map_err(|error| match error {
        CallSignalEncodeError::Uuie(error) => PduError::per(Kind::H225, &error),
        CallSignalEncodeError::Q931(error) => PduError::new(Kind::Q931, error),
    })
}
