//! What the media side has and what the call agreed: codecs, local sessions, channels.
//! In: [`LocalMedia`] from the application's media provider. Out: [`ChannelPlan`]s.
//! Not here: how these look in H.245 (`capability`).

use std::net::SocketAddr;

use bytes::Bytes;
use offhook_wire::per::Oid;

/// An audio codec that H.245 can name and this crate negotiates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AudioCodec {
    /// G.711 µ-law, 64 kbit/s.
    #[doc(alias = "g711Ulaw64k")]
    Pcmu,
    /// G.711 A-law, 64 kbit/s.
    #[doc(alias = "g711Alaw64k")]
    Pcma,
    /// G.722 at 64 kbit/s.
    #[doc(alias = "g722-64k")]
    G722,
    /// G.723.1, both rates.
    G7231,
    /// G.728.
    G728,
    /// G.729 without annexes.
    G729,
    /// G.729 Annex A.
    G729A,
    /// G.729 with the silence of Annex B.
    #[doc(alias = "g729wAnnexB")]
    G729B,
    /// G.729 Annex A with the silence of Annex B.
    #[doc(alias = "g729AnnexAwAnnexB")]
    G729AB,
    /// GSM 06.10 full rate.
    #[doc(alias = "gsmFullRate")]
    Gsm,
    /// One that H.245 has no name for: told by an identifier.
    #[doc(alias = "genericAudioCapability")]
    Described(&'static DescribedCodec),
}

/// A codec that is told by an identifier and parameters instead of a name of H.245's own.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct DescribedCodec {
    /// For people.
    pub name: &'static str,
    /// How H.245 tells it.
    pub description: Description,
    /// The length of a frame, in half milliseconds.
    pub frame_half_ms: u16,
    /// Payload bit rate, in bit/s: what flow control and bandwidth count.
    pub bit_rate: u32,
    /// The highest payload bit rate that is taken, in bit/s: maxBitRate of a generic capability.
    pub max_bit_rate: u32,
    /// The RFC that defines the RTP payload: mediaPacketization of a channel names it.
    pub rfc: Option<u16>,
}

/// How H.245 tells a codec without a name.
#[derive(Debug, PartialEq, Eq, Hash)]
pub enum Description {
    /// genericAudioCapability (H.245 annexes E to I and other recommendations).
    Generic {
        /// capabilityIdentifier.
        identifier: GenericId,
        /// maxBitRate is part of the codec's name: another rate is another codec.
        is_of_bit_rate: bool,
        /// The standard identifier of the collapsing parameter that counts frames in a packet, if the codec
        /// has one (maxAl-sduAudioFrames is 0 in most).
        frames: Option<u8>,
        /// The other collapsing parameters, by standard identifier.
        collapsing: &'static [(u8, Parameter)],
        /// Non-collapsing parameters; those that both sides name must be equal.
        non_collapsing: &'static [(u8, Parameter)],
    },
    /// nonStandard: the same identifier and octets on both sides.
    NonStandard {
        /// Whose.
        identifier: NonStandardId,
        /// What.
        data: &'static [u8],
    },
}

/// Whose a generic capability is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GenericId {
    /// `standard`: an object identifier.
    Standard(Oid),
    /// `uuid`: an identifier that nobody had to assign.
    Uuid([u8; 16]),
}

/// ParameterValue of a GenericCapability.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are H.245's")]
pub enum Parameter {
    Logical,
    BooleanArray(u8),
    UnsignedMin(u16),
    UnsignedMax(u16),
    Unsigned32Min(u32),
    Unsigned32Max(u32),
    OctetString(&'static [u8]),
}

/// Whose a nonStandard parameter is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NonStandardId {
    /// By object identifier.
    Object(Oid),
    /// By T.35 codes.
    H221 {
        /// t35CountryCode.
        t35_country: u8,
        /// t35Extension.
        t35_extension: u8,
        /// manufacturerCode.
        manufacturer: u16,
    },
}

/// A nonStandard capability: carried both ways, understood by applications only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NonStandardCapability {
    /// Whose.
    pub identifier: NonStandardId,
    /// What; of a peer's at most 1,024 octets are kept, longer ones are left out.
    pub data: Bytes,
}

impl DescribedCodec {
    /// Frames in `ms` milliseconds; one at least, 256 at most.
    pub(crate) fn frames(&self, ms: u16) -> u16 {
        let frames = u32::from(ms) * 2 / u32::from(self.frame_half_ms.max(1));
        u16::try_from(frames.clamp(1, 256)).unwrap_or(256)
    }

    /// The length of so many frames in milliseconds.
    pub(crate) fn ms(&self, frames: u16) -> u16 {
        let half_ms = u32::from(frames) * u32::from(self.frame_half_ms.max(1));
        u16::try_from(half_ms / 2).unwrap_or(u16::MAX)
    }
}

impl AudioCodec {
    /// The RTP payload type that RFC 3551 table 4 assigns; `None` where it is dynamic.
    #[must_use]
    pub fn static_payload_type(self) -> Option<u8> {
        match self {
            Self::Pcmu => Some(0),
            Self::Gsm => Some(3),
            Self::G7231 => Some(4),
            Self::Pcma => Some(8),
            Self::G722 => Some(9),
            Self::G728 => Some(15),
            Self::G729 | Self::G729A | Self::G729B | Self::G729AB => Some(18),
            Self::Described(_) => None,
        }
    }

    /// The bit rate of its payload, in bit/s: what flow control and bandwidth count.
    #[must_use]
    pub fn bit_rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 64_000,
            Self::Gsm => 13_200,
            // The higher of its rates.
            Self::G7231 => 6_400,
            Self::G728 => 16_000,
            Self::G729 | Self::G729A | Self::G729B | Self::G729AB => 8_000,
            Self::Described(codec) => codec.bit_rate,
        }
    }
}

/// A codec that the media side can encode and decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodecOffer {
    /// Which.
    pub codec: AudioCodec,
    /// The RTP payload type it will be sent and expected under.
    pub payload_type: u8,
    /// Milliseconds of sound in a packet that we send, unless the peer accepts less.
    pub packet_ms: u16,
    /// The most milliseconds of sound in a packet that we accept.
    pub max_packet_ms: u16,
}

/// One RTP session's local half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalSession {
    /// H.245 sessionID: 1 is the primary audio session (H.245 B.3.2 / H.225.0 clause 7).
    pub session_id: u8,
    /// Where we receive RTP.
    pub rtp: SocketAddr,
    /// Where we receive RTCP.
    pub rtcp: SocketAddr,
    /// What we have, most wanted first.
    pub codecs: Vec<CodecOffer>,
    /// The payload type under which we take RFC 4733 telephone-events, if we do.
    pub telephone_event: Option<u8>,
    /// We take comfort noise (RFC 3389) under payload type 13 while the peer says nothing.
    pub comfort_noise: bool,
    /// We may send nothing, or comfort noise, while nothing is said: silenceSuppression of our channels.
    pub silence_suppression: bool,
    /// We take packets with copies of those before them (RFC 2198) under that payload type, and send so many copies where
    /// the peer takes them; 0 is none.
    pub redundancy: Option<Redundancy>,
}

/// Copies of earlier packets within later ones (RFC 2198; rtpAudioRedundancyEncoding of H.245).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redundancy {
    /// The RTP payload type of packets that have copies. What is in them bears the codec's.
    pub payload_type: u8,
    /// How many in a packet.
    pub copies: u8,
}

impl Redundancy {
    /// The bit rate of a channel with `codec` and these copies.
    pub(crate) fn bit_rate(copies: Option<Self>, codec: AudioCodec) -> u32 {
        codec.bit_rate().saturating_mul(1 + copies.map_or(0, |of| u32::from(of.copies)))
    }
}

/// Everything the media side prepared for a call. Without sessions it says: no media (a pause;
/// H.323 8.4.6).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalMedia {
    /// In order of preference.
    pub sessions: Vec<LocalSession>,
}

/// Which way a channel flows, seen from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flow {
    /// We send.
    Transmit,
    /// The peer sends.
    Receive,
}

/// One direction of one session, as agreed by fast connect or H.245.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelPlan {
    /// H.245 sessionID.
    pub session_id: u8,
    /// Its direction.
    pub flow: Flow,
    /// The forwardLogicalChannelNumber, chosen by the transmitting side.
    pub channel: u16,
    /// What is in the packets.
    pub codec: AudioCodec,
    /// Under which RTP payload type.
    pub payload_type: u8,
    /// Milliseconds of sound in a packet: how much to send, or the most to expect.
    pub packet_ms: u16,
    /// Where RTP goes; the peer's RTP address on a receive channel, when it said one.
    pub remote_rtp: Option<SocketAddr>,
    /// Where RTCP goes.
    pub remote_rtcp: Option<SocketAddr>,
    /// Transmit: the payload type under which the peer takes RFC 4733 telephone-events. Receive: ours.
    pub telephone_event: Option<u8>,
    /// Packets have copies of those before them.
    pub redundancy: Option<Redundancy>,
    /// Agreed before Connect: early media. A transmit channel of the called side leads to a caller
    /// who is not yet connected.
    pub early: bool,
}

/// A way for keys to reach the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DtmfWay {
    /// RFC 4733 telephone-events in RTP, sent by the media side ([`Event::SendTelephoneEvents`](crate::Event)).
    TelephoneEvent,
    /// H.245 UserInputIndication signal.
    Signal,
    /// H.245 UserInputIndication alphanumeric.
    Alphanumeric,
    /// Q.931 Information with Keypad facility.
    Keypad,
}

/// Whose order of preference decides which codec we transmit in a channel that H.245 opens, and which codec our answer
/// to fast connect takes for either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CodecPreference {
    /// [`LocalSession::codecs`], first is best.
    #[default]
    Local,
    /// The peer's: the order within its alternative capability sets, lower descriptors first; in fast connect the
    /// order of its proposals.
    Remote,
    /// The lowest bit rate first, [`LocalSession::codecs`] among equals.
    LowestRate,
}

impl CodecPreference {
    /// Sorts what stands in our order. `rank`: where a codec stands in the peer's.
    pub(crate) fn sort<T>(
        self,
        codecs: &mut [T],
        codec: impl Fn(&T) -> AudioCodec,
        rank: impl Fn(AudioCodec) -> usize,
    ) {
        match self {
            Self::Local => {}
            Self::Remote => codecs.sort_by_key(|item| rank(codec(item))),
            Self::LowestRate => codecs.sort_by_key(|item| codec(item).bit_rate()),
        }
    }
}
