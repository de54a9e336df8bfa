//! OpenLogicalChannel, as far as it matters here.
//! In: the message or a fastStart element. Out: [`OpenChannel`].
//! Not here: whether it is taken (`h245::admission`, `fast_connect`).

use std::net::SocketAddr;

use offhook_wire::h245::{
    AudioCapability, DataType as WireDataType, H2250LogicalChannelParameters,
    H2250LogicalChannelParametersMediaPacketization as Packetization, OpenLogicalChannel,
    OpenLogicalChannelForwardLogicalChannelParametersMultiplexParameters as ForwardParameters,
    OpenLogicalChannelReverseLogicalChannelParametersMultiplexParameters as ReverseParameters, QOSMode,
    RedundancyEncoding, RedundancyEncodingMethod, TransportAddress,
};

use super::codec::{audio_codec, describes, names_mode};
use crate::address::from_h245;
use crate::{AudioCodec, CodecOffer, LocalSession, Redundancy};

/// What a channel is to carry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum DataType {
    Audio {
        codec: AudioCodec,
        ms: u16,
    },
    /// genericAudioCapability or nonStandard: ours to recognise.
    Described(Box<AudioCapability>),
    /// Packets with copies of those before them (RFC 2198).
    Redundant {
        /// What they carry: audio or described.
        primary: Box<DataType>,
        /// Its payload type.
        payload_type: Option<u8>,
        /// Copies in a packet.
        copies: u8,
    },
    Null,
    /// h235Media, h235Control, encryptionData.
    Encrypted,
    /// Something that H.245 knows and we do not do.
    Unsupported,
    /// An alternative of a later version.
    Unknown,
}

impl DataType {
    fn from_wire(data: &WireDataType) -> Self {
        match data {
            WireDataType::NullData => Self::Null,
            WireDataType::AudioData(audio) => match (audio_codec(audio), audio) {
                (Some((codec, ms)), _) => Self::Audio { codec, ms },
                (None, AudioCapability::GenericAudioCapability(_) | AudioCapability::NonStandard(_)) => {
                    Self::Described(audio.clone().into())
                }
                (None, AudioCapability::Unrecognized(_)) => Self::Unknown,
                _ => Self::Unsupported,
            },
            WireDataType::RedundancyEncoding(encoding) => Self::redundant(encoding),
            WireDataType::EncryptionData(_) | WireDataType::H235Control(_) | WireDataType::H235Media(_) => {
                Self::Encrypted
            }
            WireDataType::Unrecognized(_) => Self::Unknown,
            _ => Self::Unsupported,
        }
    }

    fn redundant(encoding: &RedundancyEncoding) -> Self {
        let rtp = encoding.rtp_redundancy_encoding.as_ref();
        let primary = rtp.and_then(|rtp| rtp.primary.as_ref());
        let method = &encoding.redundancy_encoding_method;
        let (Some(primary), RedundancyEncodingMethod::RtpAudioRedundancyEncoding) = (primary, method) else {
            return Self::Unsupported;
        };
        match &primary.data_type {
            // What is redundant itself, or anything but sound, is not looked into.
            audio @ WireDataType::AudioData(_) => Self::Redundant {
                primary: Self::from_wire(audio).into(),
                payload_type: primary.payload_type,
                copies: rtp
                    .and_then(|rtp| rtp.secondary.as_ref())
                    .map_or(1, |copies| u8::try_from(copies.len()).unwrap_or(u8::MAX)),
            },
            _ => Self::Unsupported,
        }
    }

    /// What the packets carry, whether with copies or without.
    pub(crate) fn primary(&self) -> &Self {
        match self {
            Self::Redundant { primary, .. } => primary,
            _ => self,
        }
    }

    /// Our offer for this in `session`, and how many milliseconds a packet may have.
    pub(crate) fn offer_in(&self, session: &LocalSession) -> Option<(CodecOffer, u16)> {
        let find = |exactly: bool| {
            session.codecs.iter().find_map(|offer| match (self, offer.codec) {
                (Self::Audio { codec, ms }, ours) if *codec == ours => Some((*offer, *ms)),
                (Self::Described(audio), AudioCodec::Described(codec)) => {
                    let ms = describes(audio, codec).filter(|_| !exactly || names_mode(audio, codec))?;
                    // A codec without a count of frames says nothing about packets.
                    Some((*offer, if ms == u16::MAX { offer.max_packet_ms } else { ms }))
                }
                _ => None,
            })
        };
        // Of two modes of one codec the one that is named.
        find(true).or_else(|| find(false))
    }
}

/// An OpenLogicalChannel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OpenChannel {
    pub(crate) number: u16,
    /// What the sender of the message wants to send.
    pub(crate) forward: Proposal,
    /// What it wants to receive: bidirectional channels; in fastStart channels towards it.
    pub(crate) reverse: Option<Proposal>,
    pub(crate) extras: Extras,
}

/// What an OpenLogicalChannel may ask for beside the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Extras {
    /// Parameters of another multiplex than H.225.0's.
    pub(crate) other_multiplex: bool,
    /// mediaChannel is a multicast address.
    pub(crate) multicast: bool,
    /// separateStack (T.120).
    pub(crate) separate_stack: bool,
    /// encryptionSync.
    pub(crate) encryption: bool,
    /// transportCapability reserves: RSVP in guaranteedQOS, or an ATM connection.
    pub(crate) reserves: bool,
    /// forwardLogicalChannelDependency.
    pub(crate) depends_on: Option<u16>,
    /// replacementFor.
    pub(crate) replaces: Option<u16>,
}

/// One direction of an OpenLogicalChannel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Proposal {
    pub(crate) data: DataType,
    pub(crate) session_id: u8,
    pub(crate) media: Option<SocketAddr>,
    pub(crate) media_control: Option<SocketAddr>,
    /// The codec's.
    pub(crate) payload_type: Option<u8>,
    /// Packets have copies.
    pub(crate) redundancy: Option<Redundancy>,
}

impl Proposal {
    fn new(data: &WireDataType, parameters: Option<&H2250LogicalChannelParameters>) -> Self {
        let address = |of: fn(&H2250LogicalChannelParameters) -> Option<SocketAddr>| parameters.and_then(of);
        let told = parameters.and_then(payload_type);
        let (data, payload_type, redundancy) = match (DataType::from_wire(data), told) {
            (data @ DataType::Redundant { payload_type, copies, .. }, Some(told)) => {
                (data, payload_type, Some(Redundancy { payload_type: told, copies }))
            }
            // Without a number of their own packets with copies cannot be told from others.
            (DataType::Redundant { .. }, None) => (DataType::Unsupported, None, None),
            (data, told) => (data, told, None),
        };
        Self {
            data,
            session_id: parameters.map_or(0, |p| p.session_id),
            media: address(|p| p.media_channel.as_ref().and_then(from_h245)),
            media_control: address(|p| p.media_control_channel.as_ref().and_then(from_h245)),
            payload_type,
            redundancy,
        }
    }
}

/// dynamicRTPPayloadType, else what mediaPacketization says.
fn payload_type(parameters: &H2250LogicalChannelParameters) -> Option<u8> {
    parameters.dynamic_rtp_payload_type.or(match &parameters.media_packetization {
        Some(Packetization::RtpPayloadType(packetization)) => packetization.payload_type,
        _ => None,
    })
}

/// The channel stands and falls with a reservation; controlledLoad and best effort do not.
fn reserves(parameters: &H2250LogicalChannelParameters) -> bool {
    let qualities = parameters.transport_capability.iter().flat_map(|t| t.qos_capabilities.iter().flatten());
    qualities.into_iter().any(|quality| {
        let rsvp = quality.rsvp_parameters.as_ref().and_then(|rsvp| rsvp.qos_mode.as_ref());
        quality.atm_parameters.is_some() || matches!(rsvp, Some(QOSMode::GuaranteedQOS))
    })
}

impl From<&OpenLogicalChannel> for OpenChannel {
    fn from(open: &OpenLogicalChannel) -> Self {
        let forward = &open.forward_logical_channel_parameters;
        let parameters = match &forward.multiplex_parameters {
            ForwardParameters::H2250LogicalChannelParameters(parameters) => Some(&**parameters),
            _ => None,
        };
        let reverse = open.reverse_logical_channel_parameters.as_ref().map(|reverse| {
            let parameters = match &reverse.multiplex_parameters {
                Some(ReverseParameters::H2250LogicalChannelParameters(parameters)) => Some(&**parameters),
                _ => None,
            };
            Proposal::new(&reverse.data_type, parameters)
        });
        let media = parameters.and_then(|p| p.media_channel.as_ref());
        Self {
            number: open.forward_logical_channel_number,
            forward: Proposal::new(&forward.data_type, parameters),
            reverse,
            extras: Extras {
                other_multiplex: matches!(
                    forward.multiplex_parameters,
                    ForwardParameters::H222LogicalChannelParameters(_)
                        | ForwardParameters::H223LogicalChannelParameters(_)
                        | ForwardParameters::V76LogicalChannelParameters(_)
                ),
                multicast: matches!(media, Some(TransportAddress::MulticastAddress(_))),
                separate_stack: open.separate_stack.is_some(),
                reserves: parameters.is_some_and(reserves),
                encryption: open.encryption_sync.is_some(),
                depends_on: forward.forward_logical_channel_dependency,
                replaces: forward.replacement_for,
            },
        }
    }
}
