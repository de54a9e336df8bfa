//! One codec ⇄ AudioCapability and AudioMode.
//! In: [`AudioCodec`], what H.245 carries. Out: the other of the two.
//!
//! A capability's number counts frames in a packet; a frame is 1 ms of G.711 and G.722, 2.5 ms of
//! G.728, 10 ms of G.729, 30 ms of G.723.1; GSM counts octets, 33 in 20 ms (H.245 table B.1, H.225.0 annex B).
//! A described codec (genericAudioCapability, nonStandard) is told by its identifier; its description
//! says which parameter counts frames.
//!
//! Not here: tables and descriptors (`local`, `remote`).

use bytes::Bytes;
use offhook_wire::h245::{
    AudioCapability, AudioCapabilityG7231, AudioMode, AudioModeG7231, Capability, CapabilityIdentifier,
    DataType as WireDataType, GSMAudioCapability, GenericCapability, GenericParameter,
    H2250LogicalChannelParametersMediaPacketization as Packetization, NonStandardIdentifier,
    NonStandardIdentifierH221NonStandard, NonStandardParameter, ParameterIdentifier, ParameterValue,
    RTPPayloadType, RTPPayloadTypePayloadDescriptor, RedundancyEncoding, RedundancyEncodingElement,
    RedundancyEncodingMethod, RedundancyEncodingRtpRedundancyEncoding,
};

use crate::catalogue::COMFORT_NOISE;
use crate::media::{Description, GenericId, NonStandardCapability, NonStandardId, Parameter};
use crate::{AudioCodec, CodecOffer, DescribedCodec, Redundancy};

/// Frames in a packet are at most this many (H.245 table B.1).
const MAX_FRAMES: u16 = 256;

/// What `audio` is among the codecs with a name in H.245, and how many milliseconds its number means.
pub(crate) fn audio_codec(audio: &AudioCapability) -> Option<(AudioCodec, u16)> {
    Some(match audio {
        AudioCapability::G711Alaw64k(frames) => (AudioCodec::Pcma, *frames),
        AudioCapability::G711Ulaw64k(frames) => (AudioCodec::Pcmu, *frames),
        AudioCapability::G72264k(frames) => (AudioCodec::G722, *frames),
        AudioCapability::G7231(g7231) => {
            (AudioCodec::G7231, g7231.max_al_sdu_audio_frames.saturating_mul(30))
        }
        AudioCapability::G728(frames) => (AudioCodec::G728, frames.saturating_mul(5) / 2),
        AudioCapability::G729(frames) => (AudioCodec::G729, frames.saturating_mul(10)),
        AudioCapability::G729AnnexA(frames) => (AudioCodec::G729A, frames.saturating_mul(10)),
        AudioCapability::G729wAnnexB(frames) => (AudioCodec::G729B, frames.saturating_mul(10)),
        AudioCapability::G729AnnexAwAnnexB(frames) => (AudioCodec::G729AB, frames.saturating_mul(10)),
        AudioCapability::GsmFullRate(gsm) => (AudioCodec::Gsm, (gsm.audio_unit_size / 33).max(1) * 20),
        _ => return None,
    })
}

/// `codec` with packets of up to `ms` milliseconds.
pub(crate) fn audio_capability(codec: AudioCodec, ms: u16) -> AudioCapability {
    let frames = |length: u16| (ms / length).clamp(1, MAX_FRAMES);
    match codec {
        AudioCodec::Pcma => AudioCapability::G711Alaw64k(frames(1)),
        AudioCodec::Pcmu => AudioCapability::G711Ulaw64k(frames(1)),
        AudioCodec::G722 => AudioCapability::G72264k(frames(1)),
        AudioCodec::G7231 => AudioCapability::G7231(AudioCapabilityG7231::new(frames(30), false)),
        AudioCodec::G728 => AudioCapability::G728((ms.saturating_mul(2) / 5).clamp(1, MAX_FRAMES)),
        AudioCodec::G729 => AudioCapability::G729(frames(10)),
        AudioCodec::G729A => AudioCapability::G729AnnexA(frames(10)),
        AudioCodec::G729B => AudioCapability::G729wAnnexB(frames(10)),
        AudioCodec::G729AB => AudioCapability::G729AnnexAwAnnexB(frames(10)),
        AudioCodec::Gsm => {
            let octets = (frames(20) * 33).min(256 / 33 * 33);
            AudioCapability::GsmFullRate(GSMAudioCapability::new(octets, false, false))
        }
        AudioCodec::Described(codec) => described_capability(codec, ms),
    }
}

fn described_capability(codec: &DescribedCodec, ms: u16) -> AudioCapability {
    match &codec.description {
        Description::Generic { identifier, frames, collapsing, non_collapsing, .. } => {
            let mut generic = GenericCapability::new(capability_identifier(identifier));
            generic.max_bit_rate = Some(codec.max_bit_rate.div_ceil(100));
            let count = (*frames).map(|id| (id, Parameter::UnsignedMin(codec.frames(ms))));
            let collapsing = collapsing.iter().cloned().chain(count).map(|(id, p)| parameter(id, &p));
            generic.collapsing = list(collapsing.collect());
            generic.non_collapsing = list(non_collapsing.iter().map(|(id, p)| parameter(*id, p)).collect());
            AudioCapability::GenericAudioCapability(generic.into())
        }
        Description::NonStandard { identifier, data } => {
            AudioCapability::NonStandard(non_standard(identifier, Bytes::from_static(data)).into())
        }
    }
}

fn capability_identifier(identifier: &GenericId) -> CapabilityIdentifier {
    match identifier {
        GenericId::Standard(oid) => CapabilityIdentifier::Standard(oid.clone()),
        GenericId::Uuid(uuid) => CapabilityIdentifier::Uuid(*uuid),
    }
}

fn list(parameters: Vec<GenericParameter>) -> Option<Vec<GenericParameter>> {
    (!parameters.is_empty()).then_some(parameters)
}

fn parameter(identifier: u8, value: &Parameter) -> GenericParameter {
    let value = match value {
        Parameter::Logical => ParameterValue::Logical,
        Parameter::BooleanArray(bits) => ParameterValue::BooleanArray(*bits),
        Parameter::UnsignedMin(number) => ParameterValue::UnsignedMin(*number),
        Parameter::UnsignedMax(number) => ParameterValue::UnsignedMax(*number),
        Parameter::Unsigned32Min(number) => ParameterValue::Unsigned32Min(*number),
        Parameter::Unsigned32Max(number) => ParameterValue::Unsigned32Max(*number),
        Parameter::OctetString(octets) => ParameterValue::OctetString(Bytes::from_static(octets)),
    };
    GenericParameter::new(ParameterIdentifier::Standard(identifier), value)
}

/// Comfort noise of RFC 3389 beside any codec (H.245 Annex N).
pub(crate) fn comfort_noise() -> Capability {
    let generic = GenericCapability::new(CapabilityIdentifier::Standard(COMFORT_NOISE));
    Capability::ReceiveAudioCapability(AudioCapability::GenericAudioCapability(generic.into()))
}

/// Whether a capability is comfort noise.
pub(crate) fn is_comfort_noise(audio: &AudioCapability) -> bool {
    match audio {
        AudioCapability::GenericAudioCapability(generic) => {
            generic.capability_identifier == CapabilityIdentifier::Standard(COMFORT_NOISE)
        }
        _ => false,
    }
}

/// The highest bit rate that a generic capability names, in bit/s.
pub(crate) fn max_bit_rate(audio: &AudioCapability) -> Option<u32> {
    match audio {
        AudioCapability::GenericAudioCapability(generic) => generic.max_bit_rate?.checked_mul(100),
        _ => None,
    }
}

/// How many milliseconds a packet may hold when `audio` describes `codec`; `None` when it is another.
///
/// A genericAudioCapability is the codec of its identifier, and of its maxBitRate where that is part of the name;
/// non-collapsing parameters that both sides name must agree (H.245 B.2.2.5). Of the collapsing ones an unsignedMax that
/// both name becomes the greater of the two: theirs must not be above ours, or `codec` would be another (iLBC's mode). The
/// others that are not the count of frames are the sender's to keep within: they limit what `codec` may do, which its encoder
/// knows from the description alone.
pub(crate) fn describes(audio: &AudioCapability, codec: &DescribedCodec) -> Option<u16> {
    match (audio, &codec.description) {
        (
            AudioCapability::GenericAudioCapability(generic),
            Description::Generic { identifier, is_of_bit_rate, frames, collapsing, non_collapsing },
        ) => {
            let other_rate =
                *is_of_bit_rate && generic.max_bit_rate.is_none_or(|rate| !is_rate(rate, codec.max_bit_rate));
            let theirs_say = generic.non_collapsing.as_deref().unwrap_or_default();
            let differs = non_collapsing.iter().any(|(id, value)| {
                let ours = parameter(*id, value);
                let same_name = |p: &&GenericParameter| p.parameter_identifier == ours.parameter_identifier;
                theirs_say.iter().find(same_name).is_some_and(|p| p.parameter_value != ours.parameter_value)
            });
            let exceeds = collapsing.iter().any(|(id, value)| match value {
                Parameter::UnsignedMax(ours) => number_of(generic, *id).is_some_and(|theirs| theirs > *ours),
                _ => false,
            });
            let differs = differs || exceeds;
            if generic.capability_identifier != capability_identifier(identifier) || differs || other_rate {
                return None;
            }
            let counted = frames.and_then(|id| frames_of(generic, id));
            Some(counted.map_or(u16::MAX, |frames| codec.ms(frames)))
        }
        (AudioCapability::NonStandard(theirs), Description::NonStandard { identifier, data }) => {
            (non_standard_id(&theirs.non_standard_identifier) == *identifier && theirs.data == *data)
                .then_some(u16::MAX)
        }
        _ => None,
    }
}

/// maxBitRate counts hundreds of bit/s. Endpoints are known that say bit/s.
fn is_rate(told: u32, bit_rate: u32) -> bool {
    told == bit_rate.div_ceil(100) || told == bit_rate
}

/// Whether `audio`, which describes `codec`, names just its mode: every unsignedMax of its description is told, and as it is
/// there.
pub(crate) fn names_mode(audio: &AudioCapability, codec: &DescribedCodec) -> bool {
    match (audio, &codec.description) {
        (AudioCapability::GenericAudioCapability(generic), Description::Generic { collapsing, .. }) => {
            collapsing.iter().all(|(id, value)| match value {
                Parameter::UnsignedMax(ours) => number_of(generic, *id) == Some(*ours),
                _ => true,
            })
        }
        _ => true,
    }
}

fn frames_of(generic: &GenericCapability, id: u8) -> Option<u16> {
    number_of(generic, id).map(|frames| frames.clamp(1, MAX_FRAMES))
}

/// The number under a standard identifier, whichever way it is to be collapsed.
fn number_of(generic: &GenericCapability, id: u8) -> Option<u16> {
    let parameters = generic.collapsing.iter().flatten().chain(generic.non_collapsing.iter().flatten());
    parameters.filter(|p| p.parameter_identifier == ParameterIdentifier::Standard(id)).find_map(|p| {
        match p.parameter_value {
            ParameterValue::UnsignedMin(number) | ParameterValue::UnsignedMax(number) => Some(number),
            _ => None,
        }
    })
}

pub(crate) fn non_standard(identifier: &NonStandardId, data: Bytes) -> NonStandardParameter {
    let identifier = match identifier {
        NonStandardId::Object(oid) => NonStandardIdentifier::Object(oid.clone()),
        NonStandardId::H221 { t35_country, t35_extension, manufacturer } => {
            NonStandardIdentifier::H221NonStandard(NonStandardIdentifierH221NonStandard::new(
                *t35_country,
                *t35_extension,
                *manufacturer,
            ))
        }
    };
    NonStandardParameter::new(identifier, data)
}

fn non_standard_id(identifier: &NonStandardIdentifier) -> NonStandardId {
    match identifier {
        NonStandardIdentifier::Object(oid) => NonStandardId::Object(oid.clone()),
        NonStandardIdentifier::H221NonStandard(codes) => NonStandardId::H221 {
            t35_country: codes.t35_country_code,
            t35_extension: codes.t35_extension,
            manufacturer: codes.manufacturer_code,
        },
    }
}

pub(crate) fn non_standard_capability(parameter: &NonStandardParameter) -> NonStandardCapability {
    NonStandardCapability {
        identifier: non_standard_id(&parameter.non_standard_identifier),
        data: parameter.data.clone(),
    }
}

/// The mode that asks for `codec` (RequestMode).
pub(crate) fn audio_mode(codec: AudioCodec) -> AudioMode {
    match codec {
        AudioCodec::Pcma => AudioMode::G711Alaw64k,
        AudioCodec::Pcmu => AudioMode::G711Ulaw64k,
        AudioCodec::G722 => AudioMode::G72264k,
        AudioCodec::G7231 => AudioMode::G7231(AudioModeG7231::NoSilenceSuppressionHighRate),
        AudioCodec::G728 => AudioMode::G728,
        AudioCodec::G729 => AudioMode::G729,
        AudioCodec::G729A => AudioMode::G729AnnexA,
        AudioCodec::G729B => AudioMode::G729wAnnexB(1),
        AudioCodec::G729AB => AudioMode::G729AnnexAwAnnexB(1),
        AudioCodec::Gsm => AudioMode::GsmFullRate(GSMAudioCapability::new(33, false, false)),
        AudioCodec::Described(codec) => match described_capability(codec, 0) {
            AudioCapability::GenericAudioCapability(generic) => AudioMode::GenericAudioMode(generic),
            AudioCapability::NonStandard(parameter) => AudioMode::NonStandard(parameter),
            // What describes a codec is one of the two.
            _ => AudioMode::G711Alaw64k,
        },
    }
}

/// `mode` asks for `codec`.
pub(crate) fn mode_is(mode: &AudioMode, codec: AudioCodec) -> bool {
    match (mode, codec) {
        (AudioMode::G711Alaw64k, AudioCodec::Pcma)
        | (AudioMode::G711Ulaw64k, AudioCodec::Pcmu)
        | (AudioMode::G72264k, AudioCodec::G722)
        | (AudioMode::G7231(_), AudioCodec::G7231)
        | (AudioMode::G728, AudioCodec::G728)
        | (AudioMode::G729, AudioCodec::G729)
        | (AudioMode::G729AnnexA, AudioCodec::G729A)
        | (AudioMode::G729wAnnexB(_), AudioCodec::G729B)
        | (AudioMode::G729AnnexAwAnnexB(_), AudioCodec::G729AB)
        | (AudioMode::GsmFullRate(_), AudioCodec::Gsm) => true,
        (AudioMode::GenericAudioMode(generic), AudioCodec::Described(codec)) => {
            describes(&AudioCapability::GenericAudioCapability(generic.clone()), codec).is_some()
        }
        (AudioMode::NonStandard(parameter), AudioCodec::Described(codec)) => {
            describes(&AudioCapability::NonStandard(parameter.clone()), codec).is_some()
        }
        _ => false,
    }
}

/// The length of a frame, in half milliseconds.
fn frame_half_ms(codec: AudioCodec) -> u16 {
    match codec {
        AudioCodec::Pcma | AudioCodec::Pcmu | AudioCodec::G722 => 2,
        AudioCodec::G728 => 5,
        AudioCodec::G729 | AudioCodec::G729A | AudioCodec::G729B | AudioCodec::G729AB => 20,
        AudioCodec::Gsm => 40,
        AudioCodec::G7231 => 60,
        AudioCodec::Described(codec) => codec.frame_half_ms.max(1),
    }
}

/// dataType of a channel whose packets have copies: the codec's own under the payload type of `offer`, and copies of the same.
pub(crate) fn redundant_data_type(offer: &CodecOffer, ms: u16, redundancy: Redundancy) -> WireDataType {
    let element = || {
        let mut element = RedundancyEncodingElement::new(data_type(offer.codec, ms));
        element.payload_type = Some(offer.payload_type);
        element
    };
    let mut rtp = RedundancyEncodingRtpRedundancyEncoding::new();
    rtp.primary = Some(element());
    rtp.secondary = Some((0..redundancy.copies).map(|_| element()).collect());
    let mut encoding = RedundancyEncoding::new(RedundancyEncodingMethod::RtpAudioRedundancyEncoding);
    encoding.rtp_redundancy_encoding = Some(rtp);
    WireDataType::RedundancyEncoding(encoding.into())
}

/// mediaPacketization of such a channel.
pub(crate) fn redundant_packetization(redundancy: Redundancy) -> Packetization {
    let mut payload = RTPPayloadType::new(RTPPayloadTypePayloadDescriptor::RfcNumber(2198));
    payload.payload_type = Some(redundancy.payload_type);
    Packetization::RtpPayloadType(payload)
}

/// How long our packets are when the peer takes up to `most` milliseconds: whole frames, one at least.
pub(crate) fn packet_ms(offer: &CodecOffer, most: u16) -> u16 {
    let frame = u32::from(frame_half_ms(offer.codec));
    let wanted = u32::from(offer.packet_ms.min(most)) * 2;
    let half_ms = (wanted / frame).max(1) * frame;
    u16::try_from(half_ms.div_ceil(2)).unwrap_or(u16::MAX)
}

/// dynamicRTPPayloadType: only what is dynamic (96–127) may be said.
pub(crate) fn dynamic_payload_type(payload_type: u8) -> Option<u8> {
    (96..=127).contains(&payload_type).then_some(payload_type)
}

/// mediaPacketization of a channel: which RFC says what is in its packets, for a codec that H.225.0 says nothing of.
/// Under which number is dynamicRTPPayloadType's to say.
pub(crate) fn packetization(offer: &CodecOffer) -> Option<Packetization> {
    let AudioCodec::Described(codec) = offer.codec else { return None };
    let mut payload = RTPPayloadType::new(RTPPayloadTypePayloadDescriptor::RfcNumber(i64::from(codec.rfc?)));
    payload.payload_type = Some(offer.payload_type);
    Some(Packetization::RtpPayloadType(payload))
}

/// dataType of a channel with `codec`.
pub(crate) fn data_type(codec: AudioCodec, ms: u16) -> WireDataType {
    WireDataType::AudioData(audio_capability(codec, ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(codec: AudioCodec, packet_ms: u16) -> CodecOffer {
        CodecOffer { codec, payload_type: 0, packet_ms, max_packet_ms: 60 }
    }

    #[test]
    fn packets_are_whole_frames_and_no_longer_than_the_peer_takes() {
        assert_eq!(packet_ms(&offer(AudioCodec::Pcma, 20), 240), 20);
        assert_eq!(packet_ms(&offer(AudioCodec::Pcma, 20), 10), 10);
        assert_eq!(packet_ms(&offer(AudioCodec::G729, 25), 240), 20);
        assert_eq!(packet_ms(&offer(AudioCodec::G729, 20), 5), 10);
        assert_eq!(packet_ms(&offer(AudioCodec::G7231, 60), 30), 30);
        assert_eq!(packet_ms(&offer(AudioCodec::Pcma, u16::MAX), u16::MAX), u16::MAX);
    }

    #[test]
    fn a_capability_means_the_same_there_and_back_and_a_mode_names_it() {
        for codec in [
            AudioCodec::Pcma,
            AudioCodec::Pcmu,
            AudioCodec::G722,
            AudioCodec::G7231,
            AudioCodec::G728,
            AudioCodec::G729,
            AudioCodec::G729A,
            AudioCodec::G729B,
            AudioCodec::G729AB,
            AudioCodec::Gsm,
        ] {
            assert_eq!(audio_codec(&audio_capability(codec, 60)), Some((codec, 60)));
            assert!(mode_is(&audio_mode(codec), codec));
            assert!(!mode_is(&AudioMode::G711Alaw56k, codec));
        }
    }
}
