//! Mode requests: which codecs a receiver would like to get.

use bytes::Bytes;

use super::audio::{G729Extensions, GSMAudioCapability};
use super::capability::{MaxRedundancy, RedundancyEncodingMethod};
use super::channel::LogicalChannelNumber;
use super::channel_parameters::{
    H223AL1MParameters, H223AL2MParameters, H223AL3MParameters, MultiplexedStreamParameter,
};
use super::data::{DataProtocolCapability, T38FaxProfile};
use super::generic::GenericCapability;
use super::message::{NonStandardParameter, SequenceNumber};
use super::security::EncryptionAuthenticationAndIntegrity;
use super::video::{EnhancementLayerInfo, H263Options};
use crate::per::notation::{choice, sequence};
use crate::per::{Int, List, Oid};

sequence! {
    /// Asks the peer to transmit in another mode.
    RequestMode {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        requested_modes "requestedModes": Vec<Vec<ModeElement>> as List<1, 256, ModeDescription>,
        ...
    }
}

sequence! {
    /// It will.
    RequestModeAck {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        response "response": RequestModeAckResponse,
        ...
    }
}

choice! {
    /// `response` of [`RequestModeAck`].
    RequestModeAckResponse {
        0 WillTransmitMostPreferredMode "willTransmitMostPreferredMode",
        1 WillTransmitLessPreferredMode "willTransmitLessPreferredMode",
        ...
    }
}

sequence! {
    /// It will not.
    RequestModeReject {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        cause "cause": RequestModeRejectCause,
        ...
    }
}

choice! {
    /// `cause` of [`RequestModeReject`].
    RequestModeRejectCause {
        0 ModeUnavailable "modeUnavailable",
        1 MultipointConstraint "multipointConstraint",
        2 RequestDenied "requestDenied",
        ...
    }
}

sequence! {
    /// Gives up after a time-out.
    #[derive(Default)]
    RequestModeRelease {
        ...
    }
}

/// What is to be transmitted at the same time.
pub(crate) type ModeDescription = List<1, 256>;

choice! {
    /// A mode of one medium.
    ModeElementType {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 VideoMode "videoMode": Box<VideoMode>,
        2 AudioMode "audioMode": AudioMode,
        3 DataMode "dataMode": Box<DataMode>,
        4 EncryptionMode "encryptionMode": EncryptionMode,
        ...
        0 H235Mode "h235Mode": Box<H235Mode>,
        1 MultiplexedStreamMode "multiplexedStreamMode": MultiplexedStreamParameter,
        2 RedundancyEncodingDTMode "redundancyEncodingDTMode": Box<RedundancyEncodingDTMode>,
        3 MultiplePayloadStreamMode "multiplePayloadStreamMode": MultiplePayloadStreamMode,
        4 DepFecMode "depFecMode": DepFECMode,
        5 FecMode "fecMode": Box<FECMode>,
    }
}

sequence! {
    /// A mode of one medium, and its channel.
    ModeElement {
        r#type "type": ModeElementType,
        h223_mode_parameters "h223ModeParameters"?: H223ModeParameters,
        ...
        v76_mode_parameters "v76ModeParameters": V76ModeParameters,
        h2250_mode_parameters "h2250ModeParameters": H2250ModeParameters,
        generic_mode_parameters "genericModeParameters": GenericCapability,
        multiplexed_stream_mode_parameters "multiplexedStreamModeParameters": MultiplexedStreamModeParameters,
        logical_channel_number "logicalChannelNumber": u16 as LogicalChannelNumber,
    }
}

sequence! {
    /// A mode of encrypted media.
    H235Mode {
        encryption_authentication_and_integrity "encryptionAuthenticationAndIntegrity": EncryptionAuthenticationAndIntegrity,
        media_mode "mediaMode": H235ModeMediaMode,
        ...
    }
}

choice! {
    /// `mediaMode` of [`H235Mode`].
    H235ModeMediaMode {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 VideoMode "videoMode": Box<VideoMode>,
        2 AudioMode "audioMode": AudioMode,
        3 DataMode "dataMode": Box<DataMode>,
        ...
    }
}

sequence! {
    /// Channel of a multiplexed stream.
    MultiplexedStreamModeParameters {
        logical_channel_number "logicalChannelNumber": u16 as LogicalChannelNumber,
        ...
    }
}

sequence! {
    /// A mode with redundancy, by data type.
    RedundancyEncodingDTMode {
        redundancy_encoding_method "redundancyEncodingMethod": RedundancyEncodingMethod,
        primary "primary": RedundancyEncodingDTModeElement,
        secondary "secondary": Vec<RedundancyEncodingDTModeElement>,
        ...
    }
}

sequence! {
    /// One of its encodings.
    RedundancyEncodingDTModeElement {
        r#type "type": RedundancyEncodingDTModeElementType,
        ...
    }
}

choice! {
    /// `type` of [`RedundancyEncodingDTModeElement`].
    RedundancyEncodingDTModeElementType {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 VideoMode "videoMode": Box<VideoMode>,
        2 AudioMode "audioMode": AudioMode,
        3 DataMode "dataMode": Box<DataMode>,
        4 EncryptionMode "encryptionMode": EncryptionMode,
        5 H235Mode "h235Mode": Box<H235Mode>,
        ...
        0 FecMode "fecMode": Box<FECMode>,
    }
}

sequence! {
    /// A mode of several payload types.
    #[derive(Default)]
    MultiplePayloadStreamMode {
        elements "elements": Vec<MultiplePayloadStreamElementMode>,
        ...
    }
}

sequence! {
    /// One of them.
    MultiplePayloadStreamElementMode {
        r#type "type": ModeElementType,
        ...
    }
}

choice! {
    /// A mode with forward error correction, deprecated form.
    DepFECMode {
        0 Rfc2733Mode "rfc2733Mode": Box<DepFECModeRfc2733Mode>,
        ...
    }
}

sequence! {
    /// `rfc2733Mode` of [`DepFECMode`].
    DepFECModeRfc2733Mode {
        mode "mode": DepFECModeRfc2733ModeMode,
        ...
    }
}

choice! {
    /// `mode` of [`DepFECModeRfc2733Mode`].
    DepFECModeRfc2733ModeMode {
        0 RedundancyEncoding "redundancyEncoding",
        1 SeparateStream "separateStream": DepFECModeRfc2733ModeModeSeparateStream,
        ...
    }
}

choice! {
    /// `separateStream` of [`DepFECModeRfc2733ModeMode`].
    DepFECModeRfc2733ModeModeSeparateStream {
        0 DifferentPort "differentPort": DepFECModeRfc2733ModeModeSeparateStreamDifferentPort,
        1 SamePort "samePort": Box<DepFECModeRfc2733ModeModeSeparateStreamSamePort>,
        ...
    }
}

sequence! {
    /// `differentPort` of [`DepFECModeRfc2733ModeModeSeparateStream`].
    DepFECModeRfc2733ModeModeSeparateStreamDifferentPort {
        protected_session_id "protectedSessionID": u8 as Int<1, 255>,
        protected_payload_type "protectedPayloadType"?: u8 as Int<0, 127>,
        ...
    }
}

sequence! {
    /// `samePort` of [`DepFECModeRfc2733ModeModeSeparateStream`].
    DepFECModeRfc2733ModeModeSeparateStreamSamePort {
        protected_type "protectedType": ModeElementType,
        ...
    }
}

sequence! {
    /// A mode with forward error correction.
    FECMode {
        protected_element "protectedElement": ModeElementType,
        fec_scheme "fecScheme"?: Oid,
        rfc2733_format "rfc2733Format"?: FECModeRfc2733Format,
        ...
    }
}

choice! {
    /// `rfc2733Format` of [`FECMode`].
    FECModeRfc2733Format {
        0 Rfc2733rfc2198 "rfc2733rfc2198": u32 as MaxRedundancy,
        1 Rfc2733sameport "rfc2733sameport": u32 as MaxRedundancy,
        2 Rfc2733diffport "rfc2733diffport": u32 as MaxRedundancy,
    }
}

sequence! {
    /// A mode of an H.223 multiplex.
    H223ModeParameters {
        adaptation_layer_type "adaptationLayerType": H223ModeParametersAdaptationLayerType,
        segmentable_flag "segmentableFlag": bool,
        ...
    }
}

choice! {
    /// `adaptationLayerType` of [`H223ModeParameters`].
    H223ModeParametersAdaptationLayerType {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 Al1Framed "al1Framed",
        2 Al1NotFramed "al1NotFramed",
        3 Al2WithoutSequenceNumbers "al2WithoutSequenceNumbers",
        4 Al2WithSequenceNumbers "al2WithSequenceNumbers",
        5 Al3 "al3": H223ModeParametersAdaptationLayerTypeAl3,
        ...
        0 Al1M "al1M": Box<H223AL1MParameters>,
        1 Al2M "al2M": H223AL2MParameters,
        2 Al3M "al3M": Box<H223AL3MParameters>,
    }
}

sequence! {
    /// `al3` of [`H223ModeParametersAdaptationLayerType`].
    #[derive(Default)]
    H223ModeParametersAdaptationLayerTypeAl3 {
        control_field_octets "controlFieldOctets": u8 as Int<0, 2>,
        send_buffer_size "sendBufferSize": u32 as Int<0, 16_777_215>,
    }
}

choice! {
    /// A mode of a V.76 multiplex.
    V76ModeParameters {
        0 SuspendResumewAddress "suspendResumewAddress",
        1 SuspendResumewoAddress "suspendResumewoAddress",
        ...
    }
}

sequence! {
    /// A mode of RTP.
    #[derive(Default)]
    H2250ModeParameters {
        redundancy_encoding_mode "redundancyEncodingMode"?: RedundancyEncodingMode,
        ...
    }
}

sequence! {
    /// A mode with redundancy.
    RedundancyEncodingMode {
        redundancy_encoding_method "redundancyEncodingMethod": RedundancyEncodingMethod,
        secondary_encoding "secondaryEncoding"?: RedundancyEncodingModeSecondaryEncoding,
        ...
    }
}

choice! {
    /// `secondaryEncoding` of [`RedundancyEncodingMode`].
    RedundancyEncodingModeSecondaryEncoding {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 AudioData "audioData": AudioMode,
        ...
    }
}

choice! {
    /// A mode of video.
    VideoMode {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 H261VideoMode "h261VideoMode": H261VideoMode,
        2 H262VideoMode "h262VideoMode": Box<H262VideoMode>,
        3 H263VideoMode "h263VideoMode": Box<H263VideoMode>,
        4 Is11172VideoMode "is11172VideoMode": IS11172VideoMode,
        ...
        0 GenericVideoMode "genericVideoMode": Box<GenericCapability>,
    }
}

sequence! {
    /// A mode of H.261.
    H261VideoMode {
        resolution "resolution": H261VideoModeResolution,
        bit_rate "bitRate": u16 as Int<1, 19_200>,
        still_image_transmission "stillImageTransmission": bool,
        ...
    }
}

choice! {
    /// `resolution` of [`H261VideoMode`].
    H261VideoModeResolution {
        0 Qcif "qcif",
        1 Cif "cif",
    }
}

sequence! {
    /// A mode of H.262.
    H262VideoMode {
        profile_and_level "profileAndLevel": H262VideoModeProfileAndLevel,
        video_bit_rate "videoBitRate"?: u32 as Int<0, 1_073_741_823>,
        vbv_buffer_size "vbvBufferSize"?: u32 as Int<0, 262_143>,
        samples_per_line "samplesPerLine"?: u16 as Int<0, 16_383>,
        lines_per_frame "linesPerFrame"?: u16 as Int<0, 16_383>,
        frames_per_second "framesPerSecond"?: u8 as Int<0, 15>,
        luminance_sample_rate "luminanceSampleRate"?: u32,
        ...
    }
}

choice! {
    /// `profileAndLevel` of [`H262VideoMode`].
    H262VideoModeProfileAndLevel {
        0 ProfileAndLevelSPatML "profileAndLevel-SPatML",
        1 ProfileAndLevelMPatLL "profileAndLevel-MPatLL",
        2 ProfileAndLevelMPatML "profileAndLevel-MPatML",
        3 ProfileAndLevelMPatH14 "profileAndLevel-MPatH-14",
        4 ProfileAndLevelMPatHL "profileAndLevel-MPatHL",
        5 ProfileAndLevelSNRatLL "profileAndLevel-SNRatLL",
        6 ProfileAndLevelSNRatML "profileAndLevel-SNRatML",
        7 ProfileAndLevelSpatialatH14 "profileAndLevel-SpatialatH-14",
        8 ProfileAndLevelHPatML "profileAndLevel-HPatML",
        9 ProfileAndLevelHPatH14 "profileAndLevel-HPatH-14",
        10 ProfileAndLevelHPatHL "profileAndLevel-HPatHL",
        ...
    }
}

sequence! {
    /// A mode of H.263.
    H263VideoMode {
        resolution "resolution": H263VideoModeResolution,
        bit_rate "bitRate": u16 as Int<1, 19_200>,
        unrestricted_vector "unrestrictedVector": bool,
        arithmetic_coding "arithmeticCoding": bool,
        advanced_prediction "advancedPrediction": bool,
        pb_frames "pbFrames": bool,
        ...
        error_compensation "errorCompensation": bool,
        enhancement_layer_info "enhancementLayerInfo": EnhancementLayerInfo,
        h263_options "h263Options": H263Options,
    }
}

choice! {
    /// `resolution` of [`H263VideoMode`].
    H263VideoModeResolution {
        0 Sqcif "sqcif",
        1 Qcif "qcif",
        2 Cif "cif",
        3 Cif4 "cif4",
        4 Cif16 "cif16",
        ...
        0 Custom "custom",
    }
}

sequence! {
    /// A mode of MPEG-1 video.
    #[derive(Default)]
    IS11172VideoMode {
        constrained_bitstream "constrainedBitstream": bool,
        video_bit_rate "videoBitRate"?: u32 as Int<0, 1_073_741_823>,
        vbv_buffer_size "vbvBufferSize"?: u32 as Int<0, 262_143>,
        samples_per_line "samplesPerLine"?: u16 as Int<0, 16_383>,
        lines_per_frame "linesPerFrame"?: u16 as Int<0, 16_383>,
        picture_rate "pictureRate"?: u8 as Int<0, 15>,
        luminance_sample_rate "luminanceSampleRate"?: u32,
        ...
    }
}

choice! {
    /// A mode of audio.
    AudioMode {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 G711Alaw64k "g711Alaw64k",
        2 G711Alaw56k "g711Alaw56k",
        3 G711Ulaw64k "g711Ulaw64k",
        4 G711Ulaw56k "g711Ulaw56k",
        5 G72264k "g722-64k",
        6 G72256k "g722-56k",
        7 G72248k "g722-48k",
        8 G728 "g728",
        9 G729 "g729",
        10 G729AnnexA "g729AnnexA",
        11 G7231 "g7231": AudioModeG7231,
        12 Is11172AudioMode "is11172AudioMode": Box<IS11172AudioMode>,
        13 Is13818AudioMode "is13818AudioMode": Box<IS13818AudioMode>,
        ...
        0 G729wAnnexB "g729wAnnexB": u16 as Int<1, 256>,
        1 G729AnnexAwAnnexB "g729AnnexAwAnnexB": u16 as Int<1, 256>,
        2 G7231AnnexCMode "g7231AnnexCMode": G7231AnnexCMode,
        3 GsmFullRate "gsmFullRate": GSMAudioCapability,
        4 GsmHalfRate "gsmHalfRate": GSMAudioCapability,
        5 GsmEnhancedFullRate "gsmEnhancedFullRate": GSMAudioCapability,
        6 GenericAudioMode "genericAudioMode": Box<GenericCapability>,
        7 G729Extensions "g729Extensions": G729Extensions,
        8 Vbd "vbd": Box<VBDMode>,
    }
}

choice! {
    /// `g7231` of [`AudioMode`].
    AudioModeG7231 {
        0 NoSilenceSuppressionLowRate "noSilenceSuppressionLowRate",
        1 NoSilenceSuppressionHighRate "noSilenceSuppressionHighRate",
        2 SilenceSuppressionLowRate "silenceSuppressionLowRate",
        3 SilenceSuppressionHighRate "silenceSuppressionHighRate",
    }
}

sequence! {
    /// A mode of MPEG-1 audio.
    IS11172AudioMode {
        audio_layer "audioLayer": IS11172AudioModeAudioLayer,
        audio_sampling "audioSampling": IS11172AudioModeAudioSampling,
        multichannel_type "multichannelType": IS11172AudioModeMultichannelType,
        bit_rate "bitRate": u16 as Int<1, 448>,
        ...
    }
}

choice! {
    /// `audioLayer` of [`IS11172AudioMode`].
    IS11172AudioModeAudioLayer {
        0 AudioLayer1 "audioLayer1",
        1 AudioLayer2 "audioLayer2",
        2 AudioLayer3 "audioLayer3",
    }
}

choice! {
    /// `audioSampling` of [`IS11172AudioMode`].
    IS11172AudioModeAudioSampling {
        0 AudioSampling32k "audioSampling32k",
        1 AudioSampling44k1 "audioSampling44k1",
        2 AudioSampling48k "audioSampling48k",
    }
}

choice! {
    /// `multichannelType` of [`IS11172AudioMode`].
    IS11172AudioModeMultichannelType {
        0 SingleChannel "singleChannel",
        1 TwoChannelStereo "twoChannelStereo",
        2 TwoChannelDual "twoChannelDual",
    }
}

sequence! {
    /// A mode of MPEG-2 audio.
    IS13818AudioMode {
        audio_layer "audioLayer": IS13818AudioModeAudioLayer,
        audio_sampling "audioSampling": IS13818AudioModeAudioSampling,
        multichannel_type "multichannelType": IS13818AudioModeMultichannelType,
        low_frequency_enhancement "lowFrequencyEnhancement": bool,
        multilingual "multilingual": bool,
        bit_rate "bitRate": u16 as Int<1, 1130>,
        ...
    }
}

choice! {
    /// `audioLayer` of [`IS13818AudioMode`].
    IS13818AudioModeAudioLayer {
        0 AudioLayer1 "audioLayer1",
        1 AudioLayer2 "audioLayer2",
        2 AudioLayer3 "audioLayer3",
    }
}

choice! {
    /// `audioSampling` of [`IS13818AudioMode`].
    IS13818AudioModeAudioSampling {
        0 AudioSampling16k "audioSampling16k",
        1 AudioSampling22k05 "audioSampling22k05",
        2 AudioSampling24k "audioSampling24k",
        3 AudioSampling32k "audioSampling32k",
        4 AudioSampling44k1 "audioSampling44k1",
        5 AudioSampling48k "audioSampling48k",
    }
}

choice! {
    /// `multichannelType` of [`IS13818AudioMode`].
    IS13818AudioModeMultichannelType {
        0 SingleChannel "singleChannel",
        1 TwoChannelStereo "twoChannelStereo",
        2 TwoChannelDual "twoChannelDual",
        3 ThreeChannels21 "threeChannels2-1",
        4 ThreeChannels30 "threeChannels3-0",
        5 FourChannels2020 "fourChannels2-0-2-0",
        6 FourChannels22 "fourChannels2-2",
        7 FourChannels31 "fourChannels3-1",
        8 FiveChannels3020 "fiveChannels3-0-2-0",
        9 FiveChannels32 "fiveChannels3-2",
    }
}

sequence! {
    /// A mode of G.723.1 with Annex C.
    G7231AnnexCMode {
        max_al_sdu_audio_frames "maxAl-sduAudioFrames": u16 as Int<1, 256>,
        silence_suppression "silenceSuppression": bool,
        g723_annex_c_audio_mode "g723AnnexCAudioMode": G7231AnnexCModeG723AnnexCAudioMode,
        ...
    }
}

sequence! {
    /// `g723AnnexCAudioMode` of [`G7231AnnexCMode`].
    G7231AnnexCModeG723AnnexCAudioMode {
        high_rate_mode0 "highRateMode0": u8 as Int<27, 78>,
        high_rate_mode1 "highRateMode1": u8 as Int<27, 78>,
        low_rate_mode0 "lowRateMode0": u8 as Int<23, 66>,
        low_rate_mode1 "lowRateMode1": u8 as Int<23, 66>,
        sid_mode0 "sidMode0": u8 as Int<6, 17>,
        sid_mode1 "sidMode1": u8 as Int<6, 17>,
        ...
    }
}

sequence! {
    /// A mode of voice-band data.
    VBDMode {
        r#type "type": AudioMode,
        ...
    }
}

sequence! {
    /// A mode of data.
    DataMode {
        application "application": DataModeApplication,
        bit_rate "bitRate": u32,
        ...
    }
}

choice! {
    /// `application` of [`DataMode`].
    DataModeApplication {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 T120 "t120": DataProtocolCapability,
        2 DsmCc "dsm-cc": DataProtocolCapability,
        3 UserData "userData": DataProtocolCapability,
        4 T84 "t84": DataProtocolCapability,
        5 T434 "t434": DataProtocolCapability,
        6 H224 "h224": DataProtocolCapability,
        7 Nlpid "nlpid": Box<DataModeApplicationNlpid>,
        8 DsvdControl "dsvdControl",
        9 H222DataPartitioning "h222DataPartitioning": DataProtocolCapability,
        ...
        0 T30fax "t30fax": DataProtocolCapability,
        1 T140 "t140": DataProtocolCapability,
        2 T38fax "t38fax": Box<DataModeApplicationT38fax>,
        3 GenericDataMode "genericDataMode": Box<GenericCapability>,
    }
}

sequence! {
    /// `nlpid` of [`DataModeApplication`].
    DataModeApplicationNlpid {
        nlpid_protocol "nlpidProtocol": DataProtocolCapability,
        nlpid_data "nlpidData": Bytes,
    }
}

sequence! {
    /// `t38fax` of [`DataModeApplication`].
    DataModeApplicationT38fax {
        t38_fax_protocol "t38FaxProtocol": DataProtocolCapability,
        t38_fax_profile "t38FaxProfile": T38FaxProfile,
    }
}

choice! {
    /// A mode of encryption.
    EncryptionMode {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 H233Encryption "h233Encryption",
        ...
    }
}
