//! Capabilities and channel proposals: the media model ⇄ H.245's types.
//! In: [`LocalMedia`], the peer's TerminalCapabilitySet and OpenLogicalChannel. Out: what both have, what is
//! asked for.
//!
//! A capability's number counts frames in a packet; a frame is 1 ms of G.711 and G.722, 2.5 ms of
//! G.728, 10 ms of G.729, 30 ms of G.723.1; GSM counts octets, 33 in 20 ms (H.245 table B.1, H.225.0 annex B).
//!
//! Not here: which message carries them (`h245::pdu`, `fast_connect`), when channels open (`h245::lcse`).

use std::collections::BTreeMap;
use std::net::SocketAddr;

use offhook_wire::h245::{
    AudioCapability, AudioCapabilityG7231, AudioTelephonyEventCapability, Capability, CapabilityDescriptor,
    CapabilityTableEntry, DataType as WireDataType, GSMAudioCapability, H2250LogicalChannelParameters,
    OpenLogicalChannel,
    OpenLogicalChannelForwardLogicalChannelParametersMultiplexParameters as ForwardParameters,
    OpenLogicalChannelReverseLogicalChannelParametersMultiplexParameters as ReverseParameters,
    TerminalCapabilitySet, UserInputCapability,
};

use crate::address::from_h245;
use crate::config::MAX_CAPABILITIES;
use crate::{AudioCodec, CodecOffer, LocalMedia};

/// What `audio` is, and how many milliseconds its number means.
fn audio_codec(audio: &AudioCapability) -> Option<(AudioCodec, u16)> {
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
        AudioCapability::GsmFullRate(gsm) => (AudioCodec::Gsm, (gsm.audio_unit_size / 33).max(1) * 20),
        _ => return None,
    })
}

/// `codec` with packets of up to `ms` milliseconds.
fn audio_capability(codec: AudioCodec, ms: u16) -> AudioCapability {
    let frames = |length: u16| (ms / length).clamp(1, 256);
    match codec {
        AudioCodec::Pcma => AudioCapability::G711Alaw64k(frames(1)),
        AudioCodec::Pcmu => AudioCapability::G711Ulaw64k(frames(1)),
        AudioCodec::G722 => AudioCapability::G72264k(frames(1)),
        AudioCodec::G7231 => AudioCapability::G7231(AudioCapabilityG7231::new(frames(30), false)),
        AudioCodec::G728 => AudioCapability::G728((ms.saturating_mul(2) / 5).clamp(1, 256)),
        AudioCodec::G729 => AudioCapability::G729(frames(10)),
        AudioCodec::G729A => AudioCapability::G729AnnexA(frames(10)),
        AudioCodec::Gsm => {
            let octets = (frames(20) * 33).min(256 / 33 * 33);
            AudioCapability::GsmFullRate(GSMAudioCapability::new(octets, false, false))
        }
    }
}

/// The length of a frame, in half milliseconds.
fn frame_half_ms(codec: AudioCodec) -> u16 {
    match codec {
        AudioCodec::Pcma | AudioCodec::Pcmu | AudioCodec::G722 => 2,
        AudioCodec::G728 => 5,
        AudioCodec::G729 | AudioCodec::G729A => 20,
        AudioCodec::Gsm => 40,
        AudioCodec::G7231 => 60,
    }
}

/// How long our packets are when the peer takes up to `most` milliseconds: whole frames, one at least.
pub(crate) fn packet_ms(offer: &CodecOffer, most: u16) -> u16 {
    let frame = frame_half_ms(offer.codec);
    let wanted = offer.packet_ms.min(most).saturating_mul(2);
    ((wanted / frame).max(1) * frame).div_ceil(2)
}

/// dynamicRTPPayloadType: only what is dynamic (96–127) may be said.
pub(crate) fn dynamic_payload_type(payload_type: u8) -> Option<u8> {
    (96..=127).contains(&payload_type).then_some(payload_type)
}

/// dataType of a channel with `codec`.
pub(crate) fn data_type(codec: AudioCodec, ms: u16) -> WireDataType {
    WireDataType::AudioData(audio_capability(codec, ms))
}

/// Our capability table and descriptors; `None` when we have nothing: the empty set.
pub(crate) fn table(media: &LocalMedia) -> Option<(Vec<CapabilityTableEntry>, Vec<CapabilityDescriptor>)> {
    if media.sessions.is_empty() {
        return None;
    }
    let mut entries = Vec::new();
    let mut add = |capability: Capability| -> Option<u16> {
        let number = u16::try_from(entries.len()).ok()?.checked_add(1)?;
        let mut entry = CapabilityTableEntry::new(number);
        entry.capability = Some(capability);
        entries.push(entry);
        Some(number)
    };
    let mut simultaneous: Vec<Vec<u16>> = Vec::new();
    for session in media.sessions.iter().take(16) {
        let audio = session.codecs.iter().take(16);
        let capability = |offer: &CodecOffer| {
            Capability::ReceiveAudioCapability(audio_capability(offer.codec, offer.max_packet_ms))
        };
        simultaneous.push(audio.filter_map(|offer| add(capability(offer))).collect());
    }
    let alphanumeric = Capability::ReceiveUserInputCapability(UserInputCapability::BasicString);
    let signal = Capability::ReceiveUserInputCapability(UserInputCapability::Dtmf);
    let mut input: Vec<u16> = [alphanumeric, signal].into_iter().filter_map(&mut add).collect();
    let event = media.sessions.iter().find_map(|session| session.telephone_event);
    if let Some(payload_type) = event.and_then(dynamic_payload_type) {
        // RFC 4733: events 0–15 are the sixteen DTMF keys.
        let event = AudioTelephonyEventCapability::new(payload_type, "0-15".to_owned());
        input.extend(add(Capability::ReceiveRTPAudioTelephonyEventCapability(event)));
    }
    simultaneous.push(input);
    simultaneous.retain(|alternatives| !alternatives.is_empty());
    let mut descriptor = CapabilityDescriptor::new(0);
    descriptor.simultaneous_capabilities = Some(simultaneous);
    Some((entries, vec![descriptor]))
}

/// What the peer can receive. TerminalCapabilitySets add up: an entry replaces the one of the same number, an
/// entry without capability deletes it (H.245 B.2.2.4).
#[derive(Debug, Default)]
pub(crate) struct RemoteCapabilities {
    entries: BTreeMap<u16, Entry>,
    /// By descriptor: all numbers that it mentions.
    descriptors: BTreeMap<u8, Vec<u16>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    Audio { codec: AudioCodec, ms: u16 },
    Alphanumeric,
    Signal,
    TelephoneEvent(u8),
    Other,
}

/// The table would outgrow what we keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TableFull;

impl RemoteCapabilities {
    /// The empty set of H.323 8.4.6: no capability table at all.
    pub(crate) fn is_pause(set: &TerminalCapabilitySet) -> bool {
        set.capability_table.as_ref().is_none_or(Vec::is_empty)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes a set in; all of it or nothing.
    pub(crate) fn merge(&mut self, set: &TerminalCapabilitySet) -> Result<(), TableFull> {
        let mut entries = self.entries.clone();
        for entry in set.capability_table.iter().flatten() {
            let number = entry.capability_table_entry_number;
            match &entry.capability {
                Some(capability) => entries.insert(number, Entry::from_wire(capability)),
                None => entries.remove(&number),
            };
        }
        if entries.len() > MAX_CAPABILITIES {
            return Err(TableFull);
        }
        self.entries = entries;
        // At most 256 descriptor numbers exist; what one mentions beyond the table is of no use.
        for descriptor in set.capability_descriptors.iter().flatten() {
            let number = descriptor.capability_descriptor_number;
            match &descriptor.simultaneous_capabilities {
                Some(sets) => {
                    let mentioned = sets.iter().flatten().copied();
                    let known = mentioned.filter(|entry| self.entries.contains_key(entry));
                    self.descriptors.insert(number, known.take(MAX_CAPABILITIES).collect());
                }
                None => {
                    self.descriptors.remove(&number);
                }
            }
        }
        Ok(())
    }

    /// An entry counts only if some descriptor mentions it (H.245 5.2); a peer that sends no descriptor
    /// means all of them.
    fn usable(&self) -> impl Iterator<Item = Entry> + '_ {
        self.entries.iter().filter_map(|(number, entry)| {
            let mentioned = self.descriptors.is_empty()
                || self.descriptors.values().any(|numbers| numbers.contains(number));
            mentioned.then_some(*entry)
        })
    }

    /// How long packets of our `offer` may be for this peer; `None` when it cannot receive the codec.
    pub(crate) fn packet_ms(&self, offer: &CodecOffer) -> Option<u16> {
        self.usable().find_map(|entry| match entry {
            Entry::Audio { codec, ms } if codec == offer.codec => Some(packet_ms(offer, ms)),
            _ => None,
        })
    }

    /// The payload type under which the peer takes telephone-events.
    pub(crate) fn telephone_event(&self) -> Option<u8> {
        self.usable().find_map(|entry| match entry {
            Entry::TelephoneEvent(payload_type) => Some(payload_type),
            _ => None,
        })
    }

    /// The peer takes UserInputIndication signal.
    pub(crate) fn takes_signal(&self) -> bool {
        self.entries.values().any(|entry| *entry == Entry::Signal)
    }

    /// The peer can receive something at all.
    pub(crate) fn has_audio(&self) -> bool {
        self.usable().any(|entry| matches!(entry, Entry::Audio { .. }))
    }

    /// Some codec of ours is among what the peer can receive.
    pub(crate) fn has_common(&self, media: &LocalMedia) -> bool {
        media.sessions.iter().flat_map(|session| &session.codecs).any(|o| self.packet_ms(o).is_some())
    }
}

impl Entry {
    fn from_wire(capability: &Capability) -> Self {
        match capability {
            Capability::ReceiveAudioCapability(audio)
            | Capability::ReceiveAndTransmitAudioCapability(audio) => match audio_codec(audio) {
                Some((codec, ms)) => Self::Audio { codec, ms },
                None => Self::Other,
            },
            Capability::ReceiveUserInputCapability(input)
            | Capability::ReceiveAndTransmitUserInputCapability(input) => match input {
                UserInputCapability::BasicString
                | UserInputCapability::IA5String
                | UserInputCapability::GeneralString => Self::Alphanumeric,
                UserInputCapability::Dtmf => Self::Signal,
                _ => Self::Other,
            },
            Capability::ReceiveRTPAudioTelephonyEventCapability(event) => {
                Self::TelephoneEvent(event.dynamic_rtp_payload_type)
            }
            _ => Self::Other,
        }
    }
}

/// What a channel is to carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataType {
    Audio {
        codec: AudioCodec,
        ms: u16,
    },
    Null,
    /// Something that H.245 knows and we do not do.
    Unsupported,
    /// An alternative of a later version.
    Unknown,
}

impl DataType {
    fn from_wire(data: &WireDataType) -> Self {
        match data {
            WireDataType::NullData => Self::Null,
            WireDataType::AudioData(audio) => match audio_codec(audio) {
                Some((codec, ms)) => Self::Audio { codec, ms },
                None => Self::Unsupported,
            },
            WireDataType::Unrecognized(_) => Self::Unknown,
            _ => Self::Unsupported,
        }
    }
}

/// An OpenLogicalChannel, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenChannel {
    pub(crate) number: u16,
    /// What the sender of the message wants to send.
    pub(crate) forward: Proposal,
    /// What it wants to receive: bidirectional channels; in fastStart channels towards it.
    pub(crate) reverse: Option<Proposal>,
}

/// One direction of an OpenLogicalChannel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Proposal {
    pub(crate) data: DataType,
    pub(crate) session_id: u8,
    pub(crate) media: Option<SocketAddr>,
    pub(crate) media_control: Option<SocketAddr>,
    pub(crate) payload_type: Option<u8>,
}

impl Proposal {
    fn new(data: &WireDataType, parameters: Option<&H2250LogicalChannelParameters>) -> Self {
        let address = |of: fn(&H2250LogicalChannelParameters) -> Option<SocketAddr>| parameters.and_then(of);
        Self {
            data: DataType::from_wire(data),
            session_id: parameters.map_or(0, |p| p.session_id),
            media: address(|p| p.media_channel.as_ref().and_then(from_h245)),
            media_control: address(|p| p.media_control_channel.as_ref().and_then(from_h245)),
            payload_type: parameters.and_then(|p| p.dynamic_rtp_payload_type),
        }
    }
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
        Self {
            number: open.forward_logical_channel_number,
            forward: Proposal::new(&forward.data_type, parameters),
            reverse,
        }
    }
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
    }

    #[test]
    fn a_capability_means_the_same_there_and_back() {
        for codec in [
            AudioCodec::Pcma,
            AudioCodec::Pcmu,
            AudioCodec::G722,
            AudioCodec::G7231,
            AudioCodec::G728,
            AudioCodec::G729,
            AudioCodec::G729A,
            AudioCodec::Gsm,
        ] {
            assert_eq!(audio_codec(&audio_capability(codec, 60)), Some((codec, 60)));
        }
    }
}
