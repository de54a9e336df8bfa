//! Our capability table and descriptors (H.245 B.2.2, H.323 6.2.8.1).
//! In: [`LocalMedia`], the configuration. Out: entries and one descriptor.
//!
//! ```text
//!   entries      session by session, most wanted first, then each with copies (RFC 2198); then user input,
//!                telephone-events, comfort noise, nonStandard
//!   descriptor   { codecs of a session, with copies } of every session, { user input, telephone-events }, { comfort noise }
//! ```
//! One of each brace at a time, all braces at the same time. nonStandard capabilities are no alternative to
//! anything and stand in a set each.
//!
//! Not here: in which message (`h245::pdu`).

use offhook_wire::h245::{
    AudioTelephonyEventCapability, Capability, CapabilityDescriptor, CapabilityTableEntry,
    RedundancyEncodingCapability, RedundancyEncodingMethod, UserInputCapability,
};

use super::codec::{audio_capability, comfort_noise, dynamic_payload_type, non_standard};
use crate::{CodecOffer, Config, LocalMedia};

/// The most sessions, and codecs of a session, that we tell.
const MAX_SESSIONS: usize = 16;

/// The most nonStandard capabilities that we tell.
const MAX_NON_STANDARD: usize = 32;

/// capabilityTable and capabilityDescriptors.
pub(crate) struct Table {
    pub(crate) entries: Vec<CapabilityTableEntry>,
    pub(crate) descriptors: Vec<CapabilityDescriptor>,
    /// The codecs that may have copies, for peers that look for them in h2250Capability.
    pub(crate) redundant: Vec<RedundancyEncodingCapability>,
}

/// Our table; `None` when we have nothing: the empty set. `most` entries are told, for a peer that keeps no
/// more.
pub(crate) fn table(media: &LocalMedia, config: &Config, most: usize) -> Option<Table> {
    if media.sessions.is_empty() {
        return None;
    }
    let mut entries = Vec::new();
    let mut add = |capability: Capability| -> Option<u16> {
        let number = u16::try_from(entries.len()).ok()?.checked_add(1)?;
        if entries.len() >= most {
            return None;
        }
        let mut entry = CapabilityTableEntry::new(number);
        entry.capability = Some(capability);
        entries.push(entry);
        Some(number)
    };
    let mut simultaneous: Vec<Vec<u16>> = Vec::new();
    let mut redundant: Vec<RedundancyEncodingCapability> = Vec::new();
    for session in media.sessions.iter().take(MAX_SESSIONS) {
        let audio = session.codecs.iter().take(MAX_SESSIONS);
        let capability = |offer: &CodecOffer| {
            Capability::ReceiveAudioCapability(audio_capability(offer.codec, offer.max_packet_ms))
        };
        let mut alternatives: Vec<u16> = audio.filter_map(|offer| add(capability(offer))).collect();
        if session.redundancy.is_some() {
            let with_copies: Vec<_> = alternatives.iter().map(|number| copies_of(*number)).collect();
            for encoding in &with_copies {
                alternatives.extend(add(Capability::RedundancyEncodingCap(encoding.clone().into())));
            }
            redundant.extend(with_copies);
        }
        simultaneous.push(alternatives);
    }
    let alphanumeric = Capability::ReceiveUserInputCapability(UserInputCapability::BasicString);
    let signal = Capability::ReceiveUserInputCapability(UserInputCapability::Dtmf);
    let flash = Capability::ReceiveUserInputCapability(UserInputCapability::Hookflash);
    let mut input: Vec<u16> = [alphanumeric, signal, flash].into_iter().filter_map(&mut add).collect();
    let event = media.sessions.iter().find_map(|session| session.telephone_event);
    if let Some(payload_type) = event.and_then(dynamic_payload_type)
        && !config.telephone_events.is_empty()
    {
        let events = config.telephone_events.to_string();
        let event = AudioTelephonyEventCapability::new(payload_type, events);
        input.extend(add(Capability::ReceiveRTPAudioTelephonyEventCapability(event)));
    }
    simultaneous.push(input);
    if media.sessions.iter().any(|session| session.comfort_noise) {
        simultaneous.push(add(comfort_noise()).into_iter().collect());
    }
    for capability in config.non_standard_capabilities.iter().take(MAX_NON_STANDARD) {
        let parameter = non_standard(&capability.identifier, capability.data.clone());
        simultaneous.push(add(Capability::NonStandard(parameter.into())).into_iter().collect());
    }
    simultaneous.retain(|alternatives| !alternatives.is_empty());
    let mut descriptor = CapabilityDescriptor::new(0);
    descriptor.simultaneous_capabilities = Some(simultaneous);
    Some(Table { entries, descriptors: vec![descriptor], redundant })
}

/// Packets of entry `number` with copies of packets of the same.
fn copies_of(number: u16) -> RedundancyEncodingCapability {
    let method = RedundancyEncodingMethod::RtpAudioRedundancyEncoding;
    let mut encoding = RedundancyEncodingCapability::new(method, number);
    encoding.secondary_encoding = Some(vec![number]);
    encoding
}
