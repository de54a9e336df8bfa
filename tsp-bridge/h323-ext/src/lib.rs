//! What the H.323 provider can do beyond TAPI: its extension, for applications that do not link the provider.
//!
//! ```text
//! application                                      H.323 provider
//!  │ negotiate: EXTENSION, VERSION … VERSION          │  lineNegotiateExtVersion; another extension: do not go on
//!  │ select VERSION                                   │  on an open line, lineSelectExtVersion
//!  │─────────────────────────────────────────────────▶│
//!  │ lineDevSpecific(Ask)                              │
//!  │─────────────────────────────────────────────────▶│
//!  │                               reply (Answer)      │  one for each
//!  │◀─────────────────────────────────────────────────│
//!  │                               LINE_DEVSPECIFIC (Notice)
//!  │◀─────────────────────────────────────────────────│  the registration has changed; octets on the wire, if asked for
//! ```
//!
//! In and out: [`Ask`], [`Answer`], [`Notice`] and their octets: a version octet, then postcard. All of them are about the
//! line; none is about a call.
//! Not here: the carriers (`spi`, `broker`, `tapi`), which do not read these octets; who answers (`tsp`).

use std::net::SocketAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The extension's name (LINEEXTENSIONID): drawn once, nobody else's.
pub const EXTENSION: [u8; 16] =
    [0x6f, 0x66, 0x66, 0x68, 0x4f, 0x3c, 0x47, 0x9b, 0x9d, 0x0a, 0x52, 0x1e, 0x70, 0xc4, 0x33, 0x23];

/// The version of the words below, as TAPI writes versions: 1.0.
pub const VERSION: u32 = 0x0001_0000;

/// The octet that starts every buffer: the high half of [`VERSION`].
const OCTET: u8 = 1;

/// The most codecs in a [`Ask::SetCodecWeights`].
pub const MAX_CODECS: usize = 64;

/// The most octets in one [`Notice::Wire`]; longer portions come in several.
pub const MAX_OCTETS: usize = 32 * 1024;

/// A codec's weight where nobody has set another.
pub const DEFAULT_WEIGHT: u8 = 100;

/// The codecs that have weights, by the names that they have here.
pub const CODECS: &[&str] = &[
    "pcmu",
    "pcma",
    "g722",
    "gsm",
    "g726-16",
    "g726-24",
    "g726-32",
    "g726-40",
    "aal2-g726-16",
    "aal2-g726-24",
    "aal2-g726-32",
    "aal2-g726-40",
    "l16-8",
    "l16-16",
    "l16-44",
    "l16-48",
    "opus",
    "g729",
    "g723.1",
    "ilbc-20",
    "ilbc-30",
    "g722.1-24",
    "g722.1-32",
    "speex",
    "speex-wideband",
];

/// What an application asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// Where the registration with the gatekeeper stands: [`Answer::Registration`].
    Registration,
    /// The weights of all codecs: [`Answer::CodecWeights`].
    CodecWeights,
    /// From the next call on these weights hold, until the provider ends; codecs that are not named keep theirs. 0 leaves
    /// a codec out; of the others the heaviest is wanted most, those of one weight in the order that the MSP gives them.
    /// [`Answer::Done`]. After `IH323LineEx::SetDefaultCapabilityPreferrence`.
    SetCodecWeights(Vec<CodecWeight>),
    /// Whether the line's signalling is told as [`Notice::Wire`], octet by octet: [`Answer::Done`].
    TraceWire(bool),
}

/// What the provider answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It is so now.
    Done,
    /// To [`Ask::Registration`].
    Registration(Registration),
    /// To [`Ask::CodecWeights`]: each of [`CODECS`], in that order.
    CodecWeights(Vec<CodecWeight>),
}

/// What the provider tells without being asked, while the extension is selected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// The registration has changed.
    Registration(Registration),
    /// Octets of signalling, sent or received.
    Wire(Wire),
}

/// How much a codec is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodecWeight {
    /// One of [`CODECS`].
    pub codec: String,
    /// 0: not at all.
    pub weight: u8,
}

/// Where the registration with a gatekeeper stands (RAS).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// What the line is about.
    pub state: RegistrationState,
    /// The gatekeeper's RAS address.
    pub gatekeeper: Option<SocketAddr>,
    /// gatekeeperIdentifier.
    pub gatekeeper_identifier: Option<String>,
    /// endpointIdentifier: the gatekeeper's name for this line.
    pub endpoint_identifier: Option<String>,
    /// What is registered.
    pub aliases: Vec<String>,
    /// timeToLive in seconds, if the registration does not last for ever.
    pub time_to_live_s: Option<u32>,
    /// Why there is none, for people.
    pub why_not: Option<String>,
}

/// What a RAS client is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RegistrationState {
    /// No gatekeeper is wanted, or the line is closed.
    #[default]
    Stopped,
    /// The gatekeeper's name is looked up.
    Resolving,
    /// GRQ is out.
    Discovering,
    /// RRQ is out.
    Registering,
    /// Registered.
    Registered,
    /// An attempt has failed, the next one waits.
    Waiting,
    /// URQ is out.
    Unregistering,
}

/// A portion of signalling as it was written or read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wire {
    /// RAS datagrams, or TPKTs of call signalling and H.245, in any portions.
    pub protocol: Protocol,
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// At most [`MAX_OCTETS`].
    pub octets: Vec<u8>,
}

/// What octets are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// A whole RAS message over UDP.
    Ras,
    /// Call signalling or H.245 over TCP.
    Tcp,
}

/// Why octets cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No octet at all.
    #[error("empty buffer")]
    Empty,
    /// Of another version of the extension.
    #[error("version {0} of the extension, this side speaks {OCTET}")]
    Version(u8),
    /// Octets that are no message, or more octets than the message.
    #[error("no word of the extension")]
    Malformed,
    /// A list longer than [`MAX_CODECS`], or octets beyond [`MAX_OCTETS`].
    #[error("more than the extension allows")]
    TooMuch,
}

macro_rules! words {
    ($($word:ident: $bound:expr),* $(,)?) => { $(
        impl $word {
            /// Its octets.
            pub fn encode(&self) -> Bytes {
                encode(self)
            }

            /// Reads octets of the other side.
            pub fn decode(octets: &[u8]) -> Result<Self, DecodeError> {
                let word: Self = decode(octets)?;
                let within: fn(&Self) -> bool = $bound;
                if within(&word) { Ok(word) } else { Err(DecodeError::TooMuch) }
            }
        }
    )* };
}

words! {
    Ask: |ask| !matches!(ask, Ask::SetCodecWeights(weights) if weights.len() > MAX_CODECS),
    Answer: |answer| !matches!(answer, Answer::CodecWeights(weights) if weights.len() > MAX_CODECS),
    Notice: |notice| !matches!(notice, Notice::Wire(wire) if wire.octets.len() > MAX_OCTETS),
}

fn encode<T: Serialize>(word: &T) -> Bytes {
    // postcard fails only on types without a known length; ours have one, so the fallback never stands.
    postcard::to_extend(word, vec![OCTET]).unwrap_or_default().into()
}

fn decode<'a, T: Deserialize<'a>>(octets: &'a [u8]) -> Result<T, DecodeError> {
    let (version, rest) = octets.split_first().ok_or(DecodeError::Empty)?;
    if *version != OCTET {
        return Err(DecodeError::Version(*version));
    }
    match postcard::take_from_bytes(rest) {
        Ok((word, [])) => Ok(word),
        Ok(_) | Err(_) => Err(DecodeError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(n: usize) -> Vec<CodecWeight> {
        vec![CodecWeight { codec: "opus".to_owned(), weight: 7 }; n]
    }

    #[test]
    fn what_one_side_writes_the_other_reads() {
        for ask in
            [Ask::Registration, Ask::CodecWeights, Ask::SetCodecWeights(weights(2)), Ask::TraceWire(true)]
        {
            assert_eq!(Ask::decode(&ask.encode()), Ok(ask));
        }
        let registration = Registration {
            state: RegistrationState::Registered,
            gatekeeper: Some(([10, 0, 0, 1], 1719).into()),
            aliases: vec!["100".to_owned()],
            ..Registration::default()
        };
        for answer in
            [Answer::Done, Answer::Registration(registration.clone()), Answer::CodecWeights(weights(3))]
        {
            assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
        }
        let at = ([127, 0, 0, 1], 1720).into();
        let wire = Wire { protocol: Protocol::Tcp, source: at, destination: at, octets: vec![3, 0, 0, 4] };
        for notice in [Notice::Registration(registration), Notice::Wire(wire)] {
            assert_eq!(Notice::decode(&notice.encode()), Ok(notice));
        }
    }

    #[test]
    fn what_is_not_whole_or_of_another_version_is_refused() {
        let octets = Ask::SetCodecWeights(weights(2)).encode();
        for n in 1..octets.len() {
            assert_eq!(Ask::decode(&octets[..n]), Err(DecodeError::Malformed), "{n} octets");
        }
        let mut more = octets.to_vec();
        more.push(0);
        assert_eq!(Ask::decode(&more), Err(DecodeError::Malformed));
        more[0] = 9;
        assert_eq!(Ask::decode(&more), Err(DecodeError::Version(9)));
        assert_eq!(Ask::decode(&[]), Err(DecodeError::Empty));
    }

    #[test]
    fn what_is_too_long_is_refused() {
        assert!(Ask::decode(&Ask::SetCodecWeights(weights(MAX_CODECS)).encode()).is_ok());
        let many = Ask::SetCodecWeights(weights(MAX_CODECS + 1));
        assert_eq!(Ask::decode(&many.encode()), Err(DecodeError::TooMuch));
        let at = ([127, 0, 0, 1], 1720).into();
        let wire = |n| Wire { protocol: Protocol::Ras, source: at, destination: at, octets: vec![0; n] };
        assert!(Notice::decode(&Notice::Wire(wire(MAX_OCTETS)).encode()).is_ok());
        assert_eq!(Notice::decode(&Notice::Wire(wire(MAX_OCTETS + 1)).encode()), Err(DecodeError::TooMuch));
    }

    #[test]
    fn a_codec_has_one_name() {
        for (at, name) in CODECS.iter().enumerate() {
            assert!(!CODECS[..at].contains(name), "{name}");
        }
    }
}
