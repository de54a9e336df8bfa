//! What the media side has and what the call agreed: codecs, local sessions, channels.
//! In: [`LocalMedia`] from the application's media provider. Out: [`ChannelPlan`]s.
//! Not here: how these look in H.245 (`capability`).

use std::net::SocketAddr;

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
    /// GSM 06.10 full rate.
    #[doc(alias = "gsmFullRate")]
    Gsm,
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
            Self::G729 | Self::G729A => Some(18),
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
    /// Agreed before Connect: early media. A transmit channel of the called side leads to a caller
    /// who is not yet connected.
    pub early: bool,
}
