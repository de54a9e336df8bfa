//! Capability exchange: capability sets, descriptors and what they list.
//! Not here: the codecs (`audio.rs`, `video.rs`, `data.rs`, `generic.rs`).

use super::audio::AudioCapability;
use super::data::DataApplicationCapability;
use super::generic::GenericCapability;
use super::message::{GenericInformation, NonStandardParameter, SequenceNumber};
use super::multiplex::{H222Capability, H223Capability, MultiplexCapability};
use super::security::EncryptionAuthenticationAndIntegrity;
use super::video::VideoCapability;
use crate::per::notation::{choice, sequence};
use crate::per::{General, Int, IntFrom, List, Oid, Plain};

sequence! {
    /// What a terminal can receive, transmit, and at the same time. Empty: a pause.
    TerminalCapabilitySet {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        protocol_identifier "protocolIdentifier": Oid,
        multiplex_capability "multiplexCapability"?: MultiplexCapability,
        capability_table "capabilityTable"?: Vec<CapabilityTableEntry> as List<1, 256>,
        capability_descriptors "capabilityDescriptors"?: Vec<CapabilityDescriptor> as List<1, 256>,
        ...
        generic_information "genericInformation": Vec<GenericInformation>,
    }
}

sequence! {
    /// One numbered capability; without it, the number is withdrawn.
    CapabilityTableEntry {
        capability_table_entry_number "capabilityTableEntryNumber": u16 as CapabilityTableEntryNumber,
        capability "capability"?: Capability,
    }
}

sequence! {
    /// Sets of capabilities that are possible at the same time.
    CapabilityDescriptor {
        capability_descriptor_number "capabilityDescriptorNumber": u8 as CapabilityDescriptorNumber,
        simultaneous_capabilities "simultaneousCapabilities"?: Vec<Vec<u16>> as List<1, 256, AlternativeCapabilitySet>,
    }
}

/// Numbers of capabilities of which one at a time is possible.
pub(crate) type AlternativeCapabilitySet = List<1, 256, CapabilityTableEntryNumber>;

/// Number of a capability.
pub(crate) type CapabilityTableEntryNumber = Int<1, 65_535>;

/// Number, and preference, of a descriptor.
pub(crate) type CapabilityDescriptorNumber = Plain;

sequence! {
    /// The capabilities were understood.
    #[derive(Default)]
    TerminalCapabilitySetAck {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        ...
        generic_information "genericInformation": Vec<GenericInformation>,
    }
}

sequence! {
    /// The capabilities were not accepted.
    TerminalCapabilitySetReject {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        cause "cause": TerminalCapabilitySetRejectCause,
        ...
        generic_information "genericInformation": Vec<GenericInformation>,
    }
}

choice! {
    /// `cause` of [`TerminalCapabilitySetReject`].
    TerminalCapabilitySetRejectCause {
        0 Unspecified "unspecified",
        1 UndefinedTableEntryUsed "undefinedTableEntryUsed",
        2 DescriptorCapacityExceeded "descriptorCapacityExceeded",
        3 TableEntryCapacityExceeded "tableEntryCapacityExceeded": TerminalCapabilitySetRejectCauseTableEntryCapacityExceeded,
        ...
    }
}

choice! {
    /// `tableEntryCapacityExceeded` of [`TerminalCapabilitySetRejectCause`].
    TerminalCapabilitySetRejectCauseTableEntryCapacityExceeded {
        0 HighestEntryNumberProcessed "highestEntryNumberProcessed": u16 as CapabilityTableEntryNumber,
        1 NoneProcessed "noneProcessed",
    }
}

sequence! {
    /// Gives up after a time-out.
    #[derive(Default)]
    TerminalCapabilitySetRelease {
        ...
        generic_information "genericInformation": Vec<GenericInformation>,
    }
}

choice! {
    /// One capability.
    Capability {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 ReceiveVideoCapability "receiveVideoCapability": VideoCapability,
        2 TransmitVideoCapability "transmitVideoCapability": VideoCapability,
        3 ReceiveAndTransmitVideoCapability "receiveAndTransmitVideoCapability": VideoCapability,
        4 ReceiveAudioCapability "receiveAudioCapability": AudioCapability,
        5 TransmitAudioCapability "transmitAudioCapability": AudioCapability,
        6 ReceiveAndTransmitAudioCapability "receiveAndTransmitAudioCapability": AudioCapability,
        7 ReceiveDataApplicationCapability "receiveDataApplicationCapability": Box<DataApplicationCapability>,
        8 TransmitDataApplicationCapability "transmitDataApplicationCapability": Box<DataApplicationCapability>,
        9 ReceiveAndTransmitDataApplicationCapability "receiveAndTransmitDataApplicationCapability": Box<DataApplicationCapability>,
        10 H233EncryptionTransmitCapability "h233EncryptionTransmitCapability": bool,
        11 H233EncryptionReceiveCapability "h233EncryptionReceiveCapability": CapabilityH233EncryptionReceiveCapability,
        ...
        0 ConferenceCapability "conferenceCapability": ConferenceCapability,
        1 H235SecurityCapability "h235SecurityCapability": Box<H235SecurityCapability>,
        2 MaxPendingReplacementFor "maxPendingReplacementFor": u8,
        3 ReceiveUserInputCapability "receiveUserInputCapability": UserInputCapability,
        4 TransmitUserInputCapability "transmitUserInputCapability": UserInputCapability,
        5 ReceiveAndTransmitUserInputCapability "receiveAndTransmitUserInputCapability": UserInputCapability,
        6 GenericControlCapability "genericControlCapability": Box<GenericCapability>,
        7 ReceiveMultiplexedStreamCapability "receiveMultiplexedStreamCapability": Box<MultiplexedStreamCapability>,
        8 TransmitMultiplexedStreamCapability "transmitMultiplexedStreamCapability": Box<MultiplexedStreamCapability>,
        9 ReceiveAndTransmitMultiplexedStreamCapability "receiveAndTransmitMultiplexedStreamCapability": Box<MultiplexedStreamCapability>,
        10 ReceiveRTPAudioTelephonyEventCapability "receiveRTPAudioTelephonyEventCapability": AudioTelephonyEventCapability,
        11 ReceiveRTPAudioToneCapability "receiveRTPAudioToneCapability": AudioToneCapability,
        12 DepFecCapability "depFecCapability": DepFECCapability,
        13 MultiplePayloadStreamCapability "multiplePayloadStreamCapability": MultiplePayloadStreamCapability,
        14 FecCapability "fecCapability": Box<FECCapability>,
        15 RedundancyEncodingCap "redundancyEncodingCap": Box<RedundancyEncodingCapability>,
        16 OneOfCapabilities "oneOfCapabilities": Vec<u16> as AlternativeCapabilitySet,
    }
}

sequence! {
    /// `h233EncryptionReceiveCapability` of [`Capability`].
    #[derive(Default)]
    CapabilityH233EncryptionReceiveCapability {
        h233_iv_response_time "h233IVResponseTime": u8,
        ...
    }
}

sequence! {
    /// Encryption for media of a numbered capability.
    H235SecurityCapability {
        encryption_authentication_and_integrity "encryptionAuthenticationAndIntegrity": EncryptionAuthenticationAndIntegrity,
        media_capability "mediaCapability": u16 as CapabilityTableEntryNumber,
        ...
    }
}

sequence! {
    /// A way to send media twice.
    RedundancyEncodingCapability {
        redundancy_encoding_method "redundancyEncodingMethod": RedundancyEncodingMethod,
        primary_encoding "primaryEncoding": u16 as CapabilityTableEntryNumber,
        secondary_encoding "secondaryEncoding"?: Vec<u16> as List<1, 256, CapabilityTableEntryNumber>,
        ...
    }
}

choice! {
    /// How redundancy is encoded.
    RedundancyEncodingMethod {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 RtpAudioRedundancyEncoding "rtpAudioRedundancyEncoding",
        ...
        0 RtpH263VideoRedundancyEncoding "rtpH263VideoRedundancyEncoding": Box<RTPH263VideoRedundancyEncoding>,
    }
}

sequence! {
    /// Redundant coding of H.263 video.
    RTPH263VideoRedundancyEncoding {
        number_of_threads "numberOfThreads": u8 as Int<1, 16>,
        frames_between_sync_points "framesBetweenSyncPoints": u16 as Int<1, 256>,
        frame_to_thread_mapping "frameToThreadMapping": RTPH263VideoRedundancyEncodingFrameToThreadMapping,
        contained_threads "containedThreads"?: Vec<u8> as List<1, 256, Int<0, 15>>,
        ...
    }
}

choice! {
    /// `frameToThreadMapping` of [`RTPH263VideoRedundancyEncoding`].
    RTPH263VideoRedundancyEncodingFrameToThreadMapping {
        0 Roundrobin "roundrobin",
        1 Custom "custom": Vec<RTPH263VideoRedundancyFrameMapping> as List<1, 256>,
        ...
    }
}

sequence! {
    /// Which frames go into which thread.
    RTPH263VideoRedundancyFrameMapping {
        thread_number "threadNumber": u8 as Int<0, 15>,
        frame_sequence "frameSequence": Vec<u8> as List<1, 256>,
        ...
    }
}

sequence! {
    /// Capabilities in conferences.
    #[derive(Default)]
    MultipointCapability {
        multicast_capability "multicastCapability": bool,
        multi_uni_cast_conference "multiUniCastConference": bool,
        media_distribution_capability "mediaDistributionCapability": Vec<MediaDistributionCapability>,
        ...
    }
}

sequence! {
    /// How media are distributed in a conference.
    #[derive(Default)]
    MediaDistributionCapability {
        centralized_control "centralizedControl": bool,
        distributed_control "distributedControl": bool,
        centralized_audio "centralizedAudio": bool,
        distributed_audio "distributedAudio": bool,
        centralized_video "centralizedVideo": bool,
        distributed_video "distributedVideo": bool,
        centralized_data "centralizedData"?: Vec<DataApplicationCapability>,
        distributed_data "distributedData"?: Vec<DataApplicationCapability>,
        ...
    }
}

choice! {
    /// Kinds of user input, such as DTMF.
    UserInputCapability {
        0 NonStandard "nonStandard": Vec<NonStandardParameter> as List<1, 16>,
        1 BasicString "basicString",
        2 IA5String "iA5String",
        3 GeneralString "generalString",
        4 Dtmf "dtmf",
        5 Hookflash "hookflash",
        ...
        0 ExtendedAlphanumeric "extendedAlphanumeric",
        1 EncryptedBasicString "encryptedBasicString",
        2 EncryptedIA5String "encryptedIA5String",
        3 EncryptedGeneralString "encryptedGeneralString",
        4 SecureDTMF "secureDTMF",
        5 GenericUserInputCapability "genericUserInputCapability": Box<GenericCapability>,
    }
}

sequence! {
    /// Capabilities of conference control.
    #[derive(Default)]
    ConferenceCapability {
        non_standard_data "nonStandardData"?: Vec<NonStandardParameter>,
        chair_control_capability "chairControlCapability": bool,
        ...
        video_indicate_mixing_capability "videoIndicateMixingCapability": bool,
        multipoint_visualization_capability "multipointVisualizationCapability": bool,
    }
}

sequence! {
    /// Several media in one stream.
    MultiplexedStreamCapability {
        multiplex_format "multiplexFormat": MultiplexFormat,
        control_on_mux_stream "controlOnMuxStream": bool,
        capability_on_mux_stream "capabilityOnMuxStream"?: Vec<Vec<u16>> as List<1, 256, AlternativeCapabilitySet>,
        ...
    }
}

choice! {
    /// Format of such a stream.
    MultiplexFormat {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 H222Capability "h222Capability": H222Capability,
        2 H223Capability "h223Capability": Box<H223Capability>,
        ...
    }
}

sequence! {
    /// Telephone events of RFC 2833 on a dynamic payload type.
    AudioTelephonyEventCapability {
        dynamic_rtp_payload_type "dynamicRTPPayloadType": u8 as Int<96, 127>,
        audio_telephone_event "audioTelephoneEvent": String as General,
        ...
    }
}

sequence! {
    /// Tones of RFC 2833 on a dynamic payload type.
    AudioToneCapability {
        dynamic_rtp_payload_type "dynamicRTPPayloadType": u8 as Int<96, 127>,
        ...
    }
}

sequence! {
    /// Telephone events, without a payload type.
    NoPTAudioTelephonyEventCapability {
        audio_telephone_event "audioTelephoneEvent": String as General,
        ...
    }
}

sequence! {
    /// Tones, without a payload type.
    #[derive(Default)]
    NoPTAudioToneCapability {
        ...
    }
}

sequence! {
    /// Several payload types in one stream.
    MultiplePayloadStreamCapability {
        capabilities "capabilities": Vec<Vec<u16>> as List<1, 256, AlternativeCapabilitySet>,
        ...
    }
}

choice! {
    /// Forward error correction, deprecated form.
    DepFECCapability {
        0 Rfc2733 "rfc2733": DepFECCapabilityRfc2733,
        ...
    }
}

sequence! {
    /// `rfc2733` of [`DepFECCapability`].
    #[derive(Default)]
    DepFECCapabilityRfc2733 {
        redundancy_encoding "redundancyEncoding": bool,
        separate_stream "separateStream": DepFECCapabilityRfc2733SeparateStream,
        ...
    }
}

sequence! {
    /// `separateStream` of [`DepFECCapabilityRfc2733`].
    #[derive(Default)]
    DepFECCapabilityRfc2733SeparateStream {
        separate_port "separatePort": bool,
        same_port "samePort": bool,
        ...
    }
}

sequence! {
    /// Forward error correction.
    FECCapability {
        protected_capability "protectedCapability": u16 as CapabilityTableEntryNumber,
        fec_scheme "fecScheme"?: Oid,
        rfc2733_format "rfc2733Format"?: FECCapabilityRfc2733Format,
        ...
    }
}

choice! {
    /// `rfc2733Format` of [`FECCapability`].
    FECCapabilityRfc2733Format {
        0 Rfc2733rfc2198 "rfc2733rfc2198": u32 as MaxRedundancy,
        1 Rfc2733sameport "rfc2733sameport": u32 as MaxRedundancy,
        2 Rfc2733diffport "rfc2733diffport": u32 as MaxRedundancy,
    }
}

/// Most redundant copies.
pub(crate) type MaxRedundancy = IntFrom<1>;
