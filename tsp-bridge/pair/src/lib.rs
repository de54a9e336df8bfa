//! What our TSP and our MSP say to each other through the opaque channel.
//!
//! ```text
//! TSP                                   MSP
//!  │ Prepare(peer)                       │  incoming: after NEWCALL was accepted; outgoing: before Setup
//!  │────────────────────────────────────▶│  binds ports, knows its codecs
//!  │              Prepared(sessions)     │
//!  │◀────────────────────────────────────│  only now do fastStart, OLC and OLCAck carry addresses: these
//!  │ Start(channels)                     │  per channel, as H.245 or fast connect agrees on it
//!  │────────────────────────────────────▶│
//!  │ PlayDigits(id, …)                   │  keys for the peer, as telephone-events or tones
//!  │────────────────────────────────────▶│
//!  │         DigitsPlayed / Failed(id)   │  the last packet has left, or nothing more will
//!  │◀────────────────────────────────────│
//!  │                    Digit(key, …)    │  a telephone-event or a tone of the peer's is over
//!  │◀────────────────────────────────────│
//!  │ Stop(channels)                      │  a channel closed; Stop(all) when the call ends
//!  │────────────────────────────────────▶│
//! ```
//!
//! In and out: [`ToMsp`], [`ToTsp`] and their octets: a version octet, then postcard.
//! Not here: the carriers. `spi`, `broker`, `tapi` and `rpc` do not depend on this crate and so cannot read it.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The version octet that starts every buffer. A side that meets another refuses the buffer.
pub const VERSION: u8 = 4;

/// The most elements in any list of a message; a longer list is refused.
pub const MAX_ELEMENTS: usize = 64;

/// The most digits in a [`ToMsp::PlayDigits`]; more are refused.
pub const MAX_DIGITS: usize = 128;

/// What the TSP tells the MSP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToMsp {
    /// Bind ports and tell me what you have. Asked once a call.
    Prepare {
        /// The peer's call-signalling address: the MSP picks the local interface that reaches it.
        peer: IpAddr,
    },
    /// Open these channels, or change them if they are open.
    Start(Vec<Channel>),
    /// Close these.
    Stop(Vec<ChannelId>),
    /// The call is over: close everything, free the ports.
    StopAll,
    /// Play these digits to the peer in the transmit channel, after those that are being played. Each is answered by
    /// one [`ToTsp::DigitsPlayed`] or [`ToTsp::DigitsFailed`].
    PlayDigits {
        /// The TSP's name for them within the call.
        id: u32,
        /// `0`–`9`, `*`, `#`, `A`–`D`, and as telephone-events `!` (flash).
        digits: String,
        /// How.
        way: DigitWay,
    },
    /// Stop playing digits: what is under way ends early, what waits is forgotten. Those that were not played whole
    /// fail.
    CancelDigits,
}

/// How digits go through the MSP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DigitWay {
    /// RFC 4733 telephone-events, under the transmit channel's [`Channel::telephone_event`].
    TelephoneEvent,
    /// Tones in the sound.
    InBand,
}

/// What the MSP tells the TSP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToTsp {
    /// The answer to [`ToMsp::Prepare`].
    Prepared {
        /// One RTP session per medium.
        sessions: Vec<Session>,
    },
    /// No media can be had: release the call, and tell the user why.
    Failed {
        /// For people.
        why: String,
    },
    /// A digit of the peer's is over.
    Digit {
        /// `0`–`9`, `*`, `#`, `A`–`D`; `!` is flash.
        digit: char,
        /// How long it lasted, in milliseconds; at least so long if its end was lost.
        duration_ms: u32,
        /// When its first packet came, in nanoseconds of CLOCK_MONOTONIC; of a tone, as near as can be told.
        began_ns: u64,
        /// How it came.
        way: DigitWay,
    },
    /// The last packet of these digits has left.
    DigitsPlayed {
        /// As [`ToMsp::PlayDigits`] named them.
        id: u32,
    },
    /// These digits were not played, or not whole.
    DigitsFailed {
        /// As [`ToMsp::PlayDigits`] named them.
        id: u32,
        /// Some of them may have been heard.
        has_begun: bool,
        /// For people.
        why: String,
    },
}

/// A medium's local half.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// H.245 sessionID: 1 audio, 2 video.
    pub session: u8,
    /// Where the MSP receives RTP.
    pub rtp: SocketAddr,
    /// Where the MSP receives RTCP.
    pub rtcp: SocketAddr,
    /// What it can encode and decode, most wanted first.
    pub codecs: Vec<CodecOffer>,
    /// What it takes and can play of RFC 4733 telephone-events, and under which payload type it takes them.
    pub telephone_event: Option<TelephoneEvent>,
    /// It takes comfort noise (RFC 3389, payload type 13) beside any codec.
    pub comfort_noise: bool,
    /// It may send nothing, or comfort noise, while nothing is said.
    pub silence_suppression: bool,
    /// It takes packets with copies of those before them (RFC 2198) under that payload type, and sends so many copies itself
    /// where the peer takes them; 0 is none.
    pub redundancy: Option<Redundancy>,
}

/// Copies of earlier packets within later ones (RFC 2198).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redundancy {
    /// The RTP payload type of packets that have copies. What is in them bears the codec's.
    pub payload_type: u8,
    /// How many in a packet.
    pub copies: u8,
}

/// RFC 4733 telephone-events beside sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelephoneEvent {
    /// Under this RTP payload type.
    pub payload_type: u8,
    /// Event n is taken if bit n is set: 0–9 the digits, 10 `*`, 11 `#`, 12–15 `A`–`D`, 16 flash.
    pub events: u32,
}

impl TelephoneEvent {
    /// The sixteen keys.
    pub const KEYS: u32 = 0xffff;

    /// Whether the event of this number is taken.
    pub const fn takes(&self, event: u8) -> bool {
        event < 32 && self.events >> event & 1 == 1
    }
}

/// A codec that the MSP has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodecOffer {
    /// Which.
    pub codec: Codec,
    /// The RTP payload type it will be sent and expected under.
    pub payload_type: u8,
    /// Milliseconds of sound in a packet that it sends.
    pub packet_ms: u16,
    /// The most milliseconds of sound in a packet that it accepts.
    pub max_packet_ms: u16,
}

/// Codecs that the pair knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Codec {
    /// G.711 µ-law, 64 kbit/s.
    Pcmu,
    /// G.711 A-law, 64 kbit/s.
    Pcma,
    /// G.722 at 64 kbit/s.
    G722,
    /// GSM 06.10 full rate.
    Gsm,
    /// G.726 at 16 kbit/s, packed as RFC 3551 says; the others of its kind follow.
    G726_16,
    /// … at 24 kbit/s.
    G726_24,
    /// … at 32 kbit/s.
    G726_32,
    /// … at 40 kbit/s.
    G726_40,
    /// G.726 at 16 kbit/s, packed as I.366.2 Annex E says; the others of its kind follow.
    Aal2G726_16,
    /// … at 24 kbit/s.
    Aal2G726_24,
    /// … at 32 kbit/s.
    Aal2G726_32,
    /// … at 40 kbit/s.
    Aal2G726_40,
    /// Linear 16-bit samples of 8 kHz.
    L16_8,
    /// … of 16 kHz.
    L16_16,
    /// … of 44.1 kHz.
    L16_44,
    /// … of 48 kHz.
    L16_48,
    /// Opus (RFC 7587).
    Opus,
    /// G.729 with its annexes A and B.
    G729,
    /// G.723.1.
    G7231,
    /// iLBC in frames of 20 ms.
    Ilbc20,
    /// iLBC in frames of 30 ms.
    Ilbc30,
    /// G.722.1 at 24 kbit/s.
    G7221_24,
    /// G.722.1 at 32 kbit/s.
    G7221_32,
    /// Speex narrowband.
    Speex,
    /// Speex wideband.
    SpeexWideband,
}

/// Which way a channel flows, seen from the MSP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Flow {
    /// MSP to peer.
    Transmit,
    /// Peer to MSP.
    Receive,
}

/// A channel's name within its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChannelId {
    /// H.245 sessionID.
    pub session: u8,
    /// Its direction.
    pub flow: Flow,
}

/// One direction of one medium, as agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Which.
    pub id: ChannelId,
    /// What is in the packets.
    pub codec: Codec,
    /// Under which RTP payload type.
    pub payload_type: u8,
    /// Milliseconds of sound in a packet: how much to send, or the most to expect.
    pub packet_ms: u16,
    /// Where RTP goes (transmit); the peer's address if known (receive).
    pub remote_rtp: Option<SocketAddr>,
    /// Where RTCP goes.
    pub remote_rtcp: Option<SocketAddr>,
    /// Transmit: the telephone-events that the peer takes. Receive: those that we take.
    pub telephone_event: Option<TelephoneEvent>,
    /// Transmit: the peer takes comfort noise (RFC 3389, payload type 13).
    pub comfort_noise: bool,
    /// Transmit: the highest bit rate of payloads that the peer takes, in bit/s, if it named one. 0: nothing is to be sent
    /// until another is told.
    pub max_bit_rate: Option<u32>,
    /// Packets have copies of those before them.
    pub redundancy: Option<Redundancy>,
}

/// Why a buffer cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No octet at all.
    #[error("empty buffer")]
    Empty,
    /// Written by another version of the pair.
    #[error("pair version {0}, this side speaks {VERSION}")]
    Version(u8),
    /// Octets that are no message, or more octets than the message.
    #[error("not a message of the pair")]
    Malformed,
    /// A list longer than [`MAX_ELEMENTS`].
    #[error("a list of more than {MAX_ELEMENTS} elements")]
    TooMany,
    /// Digits beyond [`MAX_DIGITS`].
    #[error("more than {MAX_DIGITS} digits")]
    TooManyDigits,
}

impl ToMsp {
    /// Its octets.
    pub fn encode(&self) -> Bytes {
        encode(self)
    }

    /// Reads octets that a peer of this pair wrote.
    pub fn decode(octets: &[u8]) -> Result<Self, DecodeError> {
        let message: Self = decode(octets)?;
        let elements = match &message {
            Self::Start(channels) => channels.len(),
            Self::Stop(channels) => channels.len(),
            Self::PlayDigits { digits, .. } if digits.chars().count() > MAX_DIGITS => {
                return Err(DecodeError::TooManyDigits);
            }
            Self::Prepare { .. } | Self::StopAll | Self::PlayDigits { .. } | Self::CancelDigits => 0,
        };
        within(elements)?;
        Ok(message)
    }
}

impl ToTsp {
    /// Its octets.
    pub fn encode(&self) -> Bytes {
        encode(self)
    }

    /// Reads octets that a peer of this pair wrote.
    pub fn decode(octets: &[u8]) -> Result<Self, DecodeError> {
        let message: Self = decode(octets)?;
        if let Self::Prepared { sessions } = &message {
            within(sessions.len())?;
            sessions.iter().try_for_each(|s| within(s.codecs.len()))?;
        }
        Ok(message)
    }
}

fn within(elements: usize) -> Result<(), DecodeError> {
    if elements > MAX_ELEMENTS { Err(DecodeError::TooMany) } else { Ok(()) }
}

fn encode<T: Serialize>(message: &T) -> Bytes {
    // postcard fails only on types without a known length; ours have one, so the fallback never stands.
    postcard::to_extend(message, vec![VERSION]).unwrap_or_default().into()
}

fn decode<'a, T: Deserialize<'a>>(octets: &'a [u8]) -> Result<T, DecodeError> {
    let (version, rest) = octets.split_first().ok_or(DecodeError::Empty)?;
    if *version != VERSION {
        return Err(DecodeError::Version(*version));
    }
    match postcard::take_from_bytes(rest) {
        Ok((message, [])) => Ok(message),
        Ok(_) | Err(_) => Err(DecodeError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> ToMsp {
        ToMsp::Start(vec![Channel {
            id: ChannelId { session: 1, flow: Flow::Transmit },
            codec: Codec::Pcma,
            payload_type: 8,
            packet_ms: 20,
            remote_rtp: Some(([127, 0, 0, 1], 5004).into()),
            remote_rtcp: None,
            telephone_event: Some(TelephoneEvent { payload_type: 101, events: TelephoneEvent::KEYS }),
            comfort_noise: true,
            max_bit_rate: Some(24_000),
            redundancy: Some(Redundancy { payload_type: 127, copies: 2 }),
        }])
    }

    #[test]
    fn what_one_side_writes_the_other_reads() {
        for message in [
            ToMsp::Prepare { peer: IpAddr::from([127, 0, 0, 1]) },
            start(),
            ToMsp::Stop(vec![ChannelId { session: 1, flow: Flow::Receive }]),
            ToMsp::StopAll,
            ToMsp::PlayDigits { id: 7, digits: "1#".to_owned(), way: DigitWay::TelephoneEvent },
            ToMsp::CancelDigits,
        ] {
            assert_eq!(ToMsp::decode(&message.encode()), Ok(message));
        }
        let prepared = ToTsp::Prepared {
            sessions: vec![Session {
                session: 1,
                rtp: ([127, 0, 0, 1], 5004).into(),
                rtcp: "[::1]:5005".parse().unwrap(),
                codecs: vec![CodecOffer {
                    codec: Codec::Opus,
                    payload_type: 96,
                    packet_ms: 20,
                    max_packet_ms: 60,
                }],
                telephone_event: None,
                comfort_noise: true,
                silence_suppression: false,
                redundancy: Some(Redundancy { payload_type: 127, copies: 0 }),
            }],
        };
        let way = DigitWay::InBand;
        let digit = ToTsp::Digit { digit: '#', duration_ms: 100, began_ns: u64::MAX, way };
        let failed = ToTsp::DigitsFailed { id: 7, has_begun: false, why: "no channel".to_owned() };
        for message in [prepared, digit, ToTsp::DigitsPlayed { id: 7 }, failed] {
            assert_eq!(ToTsp::decode(&message.encode()), Ok(message));
        }
    }

    #[test]
    fn another_version_is_refused_by_name() {
        let mut octets = start().encode().to_vec();
        octets[0] = 9;
        assert_eq!(ToMsp::decode(&octets), Err(DecodeError::Version(9)));
        assert_eq!(ToMsp::decode(&[]), Err(DecodeError::Empty));
    }

    #[test]
    fn every_truncation_and_any_surplus_is_refused() {
        let octets = start().encode();
        for n in 1..octets.len() {
            assert_eq!(ToMsp::decode(&octets[..n]), Err(DecodeError::Malformed), "{n} octets");
        }
        let mut more = octets.to_vec();
        more.push(0);
        assert_eq!(ToMsp::decode(&more), Err(DecodeError::Malformed));
    }

    #[test]
    fn a_list_beyond_the_limit_is_refused() {
        let ids = vec![ChannelId { session: 1, flow: Flow::Receive }; MAX_ELEMENTS + 1];
        assert_eq!(ToMsp::decode(&ToMsp::Stop(ids).encode()), Err(DecodeError::TooMany));
        let play = |n| ToMsp::PlayDigits { id: 1, digits: "5".repeat(n), way: DigitWay::InBand };
        assert!(ToMsp::decode(&play(MAX_DIGITS).encode()).is_ok());
        assert_eq!(ToMsp::decode(&play(MAX_DIGITS + 1).encode()), Err(DecodeError::TooManyDigits));
    }

    #[test]
    fn events_are_taken_by_their_number() {
        let keys = TelephoneEvent { payload_type: 101, events: TelephoneEvent::KEYS };
        assert!((0..16).all(|event| keys.takes(event)));
        assert!((16..=255).all(|event| !keys.takes(event)));
    }
}
