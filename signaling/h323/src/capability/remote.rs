//! What the peer can receive: its capability table and descriptors (H.245 5.2, B.2.2).
//! In: TerminalCapabilitySets. Out: codecs that suit, alone and at the same time as others.
//!
//! Sets add up: an entry replaces the one of the same number, an entry without capability deletes it
//! (H.245 B.2.2.4). A descriptor is a list of alternative sets: one entry of each can be used at the same time.
//! A wish is granted if some descriptor has a set of its own for each of its parts.
//!
//! Not here: what is wanted (`h245::select`).

use std::collections::BTreeMap;

use offhook_wire::h245::{
    AudioCapability, Capability, MultiplexCapability, RedundancyEncodingCapability, RedundancyEncodingMethod,
    TerminalCapabilitySet, UserInputCapability,
};
use offhook_wire::per;

use super::codec::{
    audio_codec, describes, is_comfort_noise, max_bit_rate, non_standard_capability, packet_ms,
};
use super::events::TelephoneEvents;
use crate::config::MAX_CAPABILITIES;
use crate::{AudioCodec, CodecOffer, LocalMedia, NonStandardCapability};

/// The most numbers in all descriptors together.
const MAX_REFERENCES: usize = 4096;

/// The most octets of a generic or nonStandard capability that are kept.
const MAX_OCTETS: usize = 1024;

/// What the peer says that it can receive, for the application.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RemoteMedia {
    /// Codecs with a name in H.245, in the peer's order of preference, and the most milliseconds of a packet.
    pub codecs: Vec<(AudioCodec, u16)>,
    /// It takes UserInputIndication alphanumeric (all endpoints do, whether they say so or not).
    pub alphanumeric: bool,
    /// It takes UserInputIndication signal.
    pub signal: bool,
    /// It takes a hook flash, `!`, by UserInputIndication signal.
    pub hook_flash: bool,
    /// It takes telephone-events: payload type and events.
    pub telephone_event: Option<(u8, TelephoneEvents)>,
    /// It takes comfort noise (RFC 3389) in place of sound, under payload type 13.
    pub comfort_noise: bool,
    /// What it said beyond the standard.
    pub non_standard: Vec<NonStandardCapability>,
}

/// The peer's table and descriptors.
#[derive(Debug, Default)]
pub(crate) struct RemoteCapabilities {
    entries: BTreeMap<u16, Entry>,
    /// By number: alternative sets of entry numbers.
    descriptors: BTreeMap<u8, Vec<Vec<u16>>>,
    /// Entries that may have copies of themselves (RFC 2198), as h2250Capability tells them.
    redundant: Vec<u16>,
}

#[derive(Debug, Clone, PartialEq)]
enum Entry {
    Audio {
        codec: AudioCodec,
        ms: u16,
    },
    /// genericAudioCapability or nonStandard: a codec only if we have a description of it.
    Described(Box<AudioCapability>),
    Alphanumeric,
    Signal,
    HookFlash,
    TelephoneEvent(u8, TelephoneEvents),
    ComfortNoise,
    /// The entry of this number with copies of itself (RFC 2198).
    Redundant(u16),
    NonStandard(NonStandardCapability),
    Other,
}

/// Why a set is not taken (TerminalCapabilitySetReject).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetRefused {
    TableEntryCapacityExceeded,
    DescriptorCapacityExceeded,
    UndefinedTableEntryUsed,
}

/// One part of a wish.
#[derive(Debug, Clone, Copy)]
enum Want {
    Codec(AudioCodec),
    TelephoneEvent,
}

impl Want {
    fn is_met_by(self, entry: &Entry) -> bool {
        match self {
            Self::Codec(codec) => entry.packet_ms(codec).is_some(),
            Self::TelephoneEvent => matches!(entry, Entry::TelephoneEvent(..)),
        }
    }
}

impl RemoteCapabilities {
    /// The empty set of H.323 8.4.6: no capability table at all.
    pub(crate) fn is_pause(set: &TerminalCapabilitySet) -> bool {
        set.capability_table.as_ref().is_none_or(Vec::is_empty)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes a set in; all of it or nothing.
    pub(crate) fn merge(&mut self, set: &TerminalCapabilitySet) -> Result<(), SetRefused> {
        let mut entries = self.entries.clone();
        for entry in set.capability_table.iter().flatten() {
            let number = entry.capability_table_entry_number;
            match &entry.capability {
                Some(capability) => entries.insert(number, Entry::from_wire(capability)),
                None => entries.remove(&number),
            };
        }
        if entries.len() > MAX_CAPABILITIES {
            return Err(SetRefused::TableEntryCapacityExceeded);
        }
        let mut descriptors = self.descriptors.clone();
        for descriptor in set.capability_descriptors.iter().flatten() {
            let number = descriptor.capability_descriptor_number;
            let Some(sets) = &descriptor.simultaneous_capabilities else {
                descriptors.remove(&number);
                continue;
            };
            // Numbers that stand for nothing are left out, for real peers leave some behind. A descriptor of
            // nothing else cannot be meant.
            let known = |numbers: &Vec<u16>| -> Vec<u16> {
                numbers.iter().copied().filter(|entry| entries.contains_key(entry)).collect()
            };
            let kept: Vec<Vec<u16>> = sets.iter().map(known).filter(|numbers| !numbers.is_empty()).collect();
            if kept.is_empty() && sets.iter().any(|numbers| !numbers.is_empty()) {
                return Err(SetRefused::UndefinedTableEntryUsed);
            }
            descriptors.insert(number, kept);
        }
        if descriptors.values().flatten().map(Vec::len).sum::<usize>() > MAX_REFERENCES {
            return Err(SetRefused::DescriptorCapacityExceeded);
        }
        if let Some(MultiplexCapability::H2250Capability(h2250)) = &set.multiplex_capability {
            let told = h2250.redundancy_encoding_capability.iter().flatten();
            self.redundant = told.filter_map(copies_of).collect();
        }
        self.entries = entries;
        self.descriptors = descriptors;
        Ok(())
    }

    /// Entries in the peer's order of preference. One counts only if some descriptor mentions it (H.245 5.2);
    /// a peer that sends no descriptor means all of them.
    fn usable(&self) -> impl Iterator<Item = &Entry> + '_ {
        let mentioned = self.descriptors.values().flatten().flatten();
        let all = self.entries.keys().filter(|_| self.descriptors.is_empty());
        mentioned.chain(all).filter_map(|number| self.entries.get(number))
    }

    /// How long packets of our `offer` may be for this peer; `None` when it cannot receive the codec.
    pub(crate) fn packet_ms(&self, offer: &CodecOffer) -> Option<u16> {
        self.usable().find_map(|entry| entry.packet_ms(offer.codec)).map(|most| packet_ms(offer, most))
    }

    /// The highest payload bit rate that the peer takes of `codec`, in bit/s, if it names one.
    pub(crate) fn max_bit_rate(&self, codec: AudioCodec) -> Option<u32> {
        let AudioCodec::Described(codec) = codec else { return None };
        self.usable().find_map(|entry| match entry {
            Entry::Described(audio) if describes(audio, codec).is_some() => max_bit_rate(audio),
            _ => None,
        })
    }

    /// The peer takes packets of `codec` with copies of those before them (RFC 2198).
    pub(crate) fn takes_copies(&self, codec: AudioCodec) -> bool {
        let told = self.usable().filter_map(|entry| match entry {
            Entry::Redundant(number) => Some(number),
            _ => None,
        });
        let mut numbers = told.chain(&self.redundant).filter_map(|number| self.entries.get(number));
        numbers.any(|entry| entry.packet_ms(codec).is_some())
    }

    /// Where `codec` stands in the peer's order of preference.
    pub(crate) fn rank(&self, codec: AudioCodec) -> usize {
        self.usable().position(|entry| entry.packet_ms(codec).is_some()).unwrap_or(usize::MAX)
    }

    /// The peer can receive all of `codecs` at the same time, one each.
    pub(crate) fn together(&self, codecs: &[AudioCodec]) -> bool {
        let wants: Vec<Want> = codecs.iter().copied().map(Want::Codec).collect();
        self.grants(&wants)
    }

    fn grants(&self, wants: &[Want]) -> bool {
        if self.descriptors.is_empty() {
            return wants.iter().all(|want| self.entries.values().any(|entry| want.is_met_by(entry)));
        }
        self.descriptors.values().any(|sets| {
            let meets = |want: Want, numbers: &Vec<u16>| {
                numbers.iter().filter_map(|n| self.entries.get(n)).any(|entry| want.is_met_by(entry))
            };
            let fitting: Vec<Vec<bool>> =
                wants.iter().map(|want| sets.iter().map(|numbers| meets(*want, numbers)).collect()).collect();
            assign(&fitting, sets.len())
        })
    }

    /// The payload type and events under which the peer takes telephone-events beside audio.
    pub(crate) fn telephone_event(&self) -> Option<(u8, TelephoneEvents)> {
        let found = self.usable().find_map(|entry| match entry {
            Entry::TelephoneEvent(payload_type, events) => Some((*payload_type, *events)),
            _ => None,
        })?;
        // An event is said in the place of sound: a descriptor that has it for every codec of the session in
        // one set is as good as one with a set of its own.
        self.grants(&[Want::TelephoneEvent]).then_some(found)
    }

    /// The peer takes UserInputIndication signal. Descriptors of real peers leave user input out.
    pub(crate) fn takes_signal(&self) -> bool {
        self.entries.values().any(|entry| *entry == Entry::Signal)
    }

    /// The peer takes a hook flash by it.
    pub(crate) fn takes_flash(&self) -> bool {
        self.entries.values().any(|entry| *entry == Entry::HookFlash)
    }

    /// The peer can receive something at all.
    pub(crate) fn has_audio(&self) -> bool {
        self.usable().any(|entry| matches!(entry, Entry::Audio { .. } | Entry::Described(_)))
    }

    /// Some codec of ours is among what the peer can receive.
    pub(crate) fn has_common(&self, media: &LocalMedia) -> bool {
        media.sessions.iter().flat_map(|session| &session.codecs).any(|o| self.packet_ms(o).is_some())
    }

    /// Told in the application's words.
    pub(crate) fn describe(&self) -> RemoteMedia {
        let mut codecs: Vec<(AudioCodec, u16)> = Vec::new();
        for entry in self.usable() {
            if let Entry::Audio { codec, ms } = entry
                && !codecs.iter().any(|(known, _)| known == codec)
            {
                codecs.push((*codec, *ms));
            }
        }
        let non_standard = self.entries.values().filter_map(|entry| match entry {
            Entry::NonStandard(capability) => Some(capability.clone()),
            _ => None,
        });
        RemoteMedia {
            codecs,
            alphanumeric: self.entries.values().any(|entry| *entry == Entry::Alphanumeric),
            signal: self.takes_signal(),
            hook_flash: self.takes_flash(),
            telephone_event: self.telephone_event(),
            comfort_noise: self.usable().any(|entry| *entry == Entry::ComfortNoise),
            non_standard: non_standard.collect(),
        }
    }
}

/// The entry that may have copies of itself; other kinds of redundancy are not for us.
fn copies_of(encoding: &RedundancyEncodingCapability) -> Option<u16> {
    let primary = encoding.primary_encoding;
    let of_itself = encoding.secondary_encoding.as_ref().is_none_or(|copies| copies.contains(&primary));
    let method = RedundancyEncodingMethod::RtpAudioRedundancyEncoding;
    (encoding.redundancy_encoding_method == method && of_itself).then_some(primary)
}

/// Each want gets a set of its own: augmenting paths (Kuhn). Depth and work are bounded by the wants, of which
/// there are no more than sessions.
fn assign(fitting: &[Vec<bool>], sets: usize) -> bool {
    fn place(want: usize, fitting: &[Vec<bool>], owners: &mut [Option<usize>], seen: &mut [bool]) -> bool {
        for set in 0..owners.len() {
            let fits = fitting.get(want).and_then(|sets| sets.get(set)).copied().unwrap_or(false);
            match seen.get_mut(set) {
                Some(seen) if fits && !*seen => *seen = true,
                _ => continue,
            }
            let owner = owners.get(set).copied().flatten();
            if owner.is_none_or(|other| place(other, fitting, owners, seen)) {
                if let Some(owner) = owners.get_mut(set) {
                    *owner = Some(want);
                }
                return true;
            }
        }
        false
    }
    let mut owners = vec![None; sets];
    (0..fitting.len()).all(|want| place(want, fitting, &mut owners, &mut vec![false; sets]))
}

impl Entry {
    fn from_wire(capability: &Capability) -> Self {
        match capability {
            Capability::ReceiveAudioCapability(audio)
            | Capability::ReceiveAndTransmitAudioCapability(audio) => Self::from_audio(audio),
            Capability::ReceiveUserInputCapability(input)
            | Capability::ReceiveAndTransmitUserInputCapability(input) => match input {
                UserInputCapability::BasicString
                | UserInputCapability::IA5String
                | UserInputCapability::GeneralString => Self::Alphanumeric,
                UserInputCapability::Dtmf => Self::Signal,
                UserInputCapability::Hookflash => Self::HookFlash,
                _ => Self::Other,
            },
            Capability::ReceiveRTPAudioTelephonyEventCapability(event) => {
                // A list that cannot be read, or an empty one, means the keys (RFC 4733 2.4.1).
                let events = TelephoneEvents::parse(&event.audio_telephone_event);
                let events = events.filter(|events| !events.is_empty()).unwrap_or(TelephoneEvents::DTMF);
                Self::TelephoneEvent(event.dynamic_rtp_payload_type, events)
            }
            Capability::RedundancyEncodingCap(encoding) => {
                copies_of(encoding).map_or(Self::Other, Self::Redundant)
            }
            Capability::NonStandard(parameter) if parameter.data.len() <= MAX_OCTETS => {
                Self::NonStandard(non_standard_capability(parameter))
            }
            _ => Self::Other,
        }
    }

    fn from_audio(audio: &AudioCapability) -> Self {
        if let Some((codec, ms)) = audio_codec(audio) {
            return Self::Audio { codec, ms };
        }
        if is_comfort_noise(audio) {
            return Self::ComfortNoise;
        }
        let described =
            matches!(audio, AudioCapability::GenericAudioCapability(_) | AudioCapability::NonStandard(_));
        match per::encode(audio) {
            Ok(octets) if described && octets.len() <= MAX_OCTETS => Self::Described(audio.clone().into()),
            _ => Self::Other,
        }
    }

    /// The most milliseconds of a packet with `codec`, if this is about it.
    fn packet_ms(&self, codec: AudioCodec) -> Option<u16> {
        match (self, codec) {
            (Self::Audio { codec: theirs, ms }, _) if *theirs == codec => Some(*ms),
            (Self::Described(audio), AudioCodec::Described(codec)) => describes(audio, codec),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_wire::h245::{CapabilityDescriptor, CapabilityTableEntry};
    use offhook_wire::per::Oid;

    const PROTOCOL: Oid = Oid::new(&[0, 0, 8, 245, 0, 15]);

    fn set(entries: &[(u16, AudioCapability)], descriptors: &[&[&[u16]]]) -> TerminalCapabilitySet {
        let mut set = TerminalCapabilitySet::new(1, PROTOCOL);
        let entry = |(number, audio): &(u16, AudioCapability)| {
            let mut entry = CapabilityTableEntry::new(*number);
            entry.capability = Some(Capability::ReceiveAudioCapability(audio.clone()));
            entry
        };
        set.capability_table = Some(entries.iter().map(entry).collect());
        let descriptor = |(number, sets): (usize, &&[&[u16]])| {
            let mut descriptor = CapabilityDescriptor::new(number as u8);
            descriptor.simultaneous_capabilities = Some(sets.iter().map(|set| set.to_vec()).collect());
            descriptor
        };
        if !descriptors.is_empty() {
            set.capability_descriptors = Some(descriptors.iter().enumerate().map(descriptor).collect());
        }
        set
    }

    fn table() -> Vec<(u16, AudioCapability)> {
        vec![
            (1, AudioCapability::G711Alaw64k(20)),
            (2, AudioCapability::G711Ulaw64k(20)),
            (3, AudioCapability::G72264k(20)),
        ]
    }

    #[test]
    fn codecs_go_together_when_a_descriptor_has_a_set_for_each() {
        use AudioCodec::{G722, Pcma, Pcmu};
        let mut remote = RemoteCapabilities::default();
        // Either two G.711 channels, or one of G.722 beside A-law.
        remote.merge(&set(&table(), &[&[&[1, 2], &[1, 2]], &[&[3, 1], &[1]]])).expect("a set");
        assert!(remote.together(&[Pcma, Pcmu]) && remote.together(&[Pcmu, Pcmu]));
        assert!(remote.together(&[G722, Pcma]) && remote.together(&[Pcma, G722]));
        assert!(!remote.together(&[G722, Pcmu]) && !remote.together(&[G722, G722]));
        assert!(!remote.together(&[Pcma, Pcma, Pcma]));
        assert_eq!([remote.rank(Pcma), remote.rank(Pcmu)], [0, 1]);
        assert!(remote.rank(G722) > 1 && remote.rank(AudioCodec::G729) == usize::MAX);
    }

    #[test]
    fn without_descriptors_everything_goes_and_what_none_mentions_does_not() {
        let mut remote = RemoteCapabilities::default();
        remote.merge(&set(&table(), &[])).expect("a set");
        assert!(remote.together(&[AudioCodec::Pcma, AudioCodec::G722, AudioCodec::Pcma]));
        remote.merge(&set(&[], &[&[&[2]]])).expect("descriptors alone");
        assert!(remote.together(&[AudioCodec::Pcmu]) && !remote.together(&[AudioCodec::Pcma]));
    }

    #[test]
    fn a_descriptor_of_nothing_that_is_defined_is_refused_and_changes_nothing() {
        let mut remote = RemoteCapabilities::default();
        remote.merge(&set(&table(), &[&[&[1]]])).expect("a set");
        let refused = remote.merge(&set(&[(9, AudioCapability::G728(8))], &[&[&[77]]]));
        assert_eq!(refused, Err(SetRefused::UndefinedTableEntryUsed));
        assert_eq!(remote.rank(AudioCodec::G728), usize::MAX);
        remote.merge(&set(&[], &[&[&[77, 2]]])).expect("one of them is defined");
        let many: Vec<u16> = vec![1; 250];
        let sets: Vec<&[u16]> = vec![&many; 20];
        assert_eq!(remote.merge(&set(&[], &[&sets])), Err(SetRefused::DescriptorCapacityExceeded));
    }
}
