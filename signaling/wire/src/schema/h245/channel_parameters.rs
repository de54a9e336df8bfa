//! Parameters of logical channels, for each multiplex; redundancy and error correction.

use bytes::Bytes;

use super::address::TransportAddress;
use super::capability::{MultiplexFormat, RedundancyEncodingMethod};
use super::channel::{DataType, LogicalChannelNumber, V75Parameters};
use super::conference::TerminalLabel;
use super::message::NonStandardParameter;
use super::transport::TransportCapability;
use crate::per::notation::{choice, sequence};
use crate::per::{Int, IntExtensible, Oid};

sequence! {
    /// A channel of several media.
    MultiplexedStreamParameter {
        multiplex_format "multiplexFormat": MultiplexFormat,
        control_on_mux_stream "controlOnMuxStream": bool,
        ...
    }
}

sequence! {
    /// A channel of an H.222 multiplex.
    #[derive(Default)]
    H222LogicalChannelParameters {
        resource_id "resourceID": u16,
        sub_channel_id "subChannelID": u16 as Int<0, 8191>,
        pcr_pid "pcr-pid"?: u16 as Int<0, 8191>,
        program_descriptors "programDescriptors"?: Bytes,
        stream_descriptors "streamDescriptors"?: Bytes,
        ...
    }
}

sequence! {
    /// A channel of an H.223 multiplex.
    H223LogicalChannelParameters {
        adaptation_layer_type "adaptationLayerType": H223LogicalChannelParametersAdaptationLayerType,
        segmentable_flag "segmentableFlag": bool,
        ...
    }
}

choice! {
    /// `adaptationLayerType` of [`H223LogicalChannelParameters`].
    H223LogicalChannelParametersAdaptationLayerType {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 Al1Framed "al1Framed",
        2 Al1NotFramed "al1NotFramed",
        3 Al2WithoutSequenceNumbers "al2WithoutSequenceNumbers",
        4 Al2WithSequenceNumbers "al2WithSequenceNumbers",
        5 Al3 "al3": H223LogicalChannelParametersAdaptationLayerTypeAl3,
        ...
        0 Al1M "al1M": Box<H223AL1MParameters>,
        1 Al2M "al2M": H223AL2MParameters,
        2 Al3M "al3M": Box<H223AL3MParameters>,
    }
}

sequence! {
    /// `al3` of [`H223LogicalChannelParametersAdaptationLayerType`].
    #[derive(Default)]
    H223LogicalChannelParametersAdaptationLayerTypeAl3 {
        control_field_octets "controlFieldOctets": u8 as Int<0, 2>,
        send_buffer_size "sendBufferSize": u32 as Int<0, 16_777_215>,
    }
}

sequence! {
    /// Adaptation layer 1 for mobiles.
    H223AL1MParameters {
        transfer_mode "transferMode": H223AL1MParametersTransferMode,
        header_fec "headerFEC": H223AL1MParametersHeaderFEC,
        crc_length "crcLength": H223AL1MParametersCrcLength,
        rcpc_code_rate "rcpcCodeRate": u8 as Int<8, 32>,
        arq_type "arqType": H223AL1MParametersArqType,
        alpdu_interleaving "alpduInterleaving": bool,
        alsdu_splitting "alsduSplitting": bool,
        ...
        rs_code_correction "rsCodeCorrection": u8 as Int<0, 127>,
    }
}

choice! {
    /// `transferMode` of [`H223AL1MParameters`].
    H223AL1MParametersTransferMode {
        0 Framed "framed",
        1 Unframed "unframed",
        ...
    }
}

choice! {
    /// `headerFEC` of [`H223AL1MParameters`].
    H223AL1MParametersHeaderFEC {
        0 Sebch167 "sebch16-7",
        1 Golay2412 "golay24-12",
        ...
    }
}

choice! {
    /// `crcLength` of [`H223AL1MParameters`].
    H223AL1MParametersCrcLength {
        0 Crc4bit "crc4bit",
        1 Crc12bit "crc12bit",
        2 Crc20bit "crc20bit",
        3 Crc28bit "crc28bit",
        ...
        0 Crc8bit "crc8bit",
        1 Crc16bit "crc16bit",
        2 Crc32bit "crc32bit",
        3 CrcNotUsed "crcNotUsed",
    }
}

choice! {
    /// `arqType` of [`H223AL1MParameters`].
    H223AL1MParametersArqType {
        0 NoArq "noArq",
        1 TypeIArq "typeIArq": H223AnnexCArqParameters,
        2 TypeIIArq "typeIIArq": H223AnnexCArqParameters,
        ...
    }
}

sequence! {
    /// Adaptation layer 2 for mobiles.
    H223AL2MParameters {
        header_fec "headerFEC": H223AL2MParametersHeaderFEC,
        alpdu_interleaving "alpduInterleaving": bool,
        ...
    }
}

choice! {
    /// `headerFEC` of [`H223AL2MParameters`].
    H223AL2MParametersHeaderFEC {
        0 Sebch165 "sebch16-5",
        1 Golay2412 "golay24-12",
        ...
    }
}

sequence! {
    /// Adaptation layer 3 for mobiles.
    H223AL3MParameters {
        header_format "headerFormat": H223AL3MParametersHeaderFormat,
        crc_length "crcLength": H223AL3MParametersCrcLength,
        rcpc_code_rate "rcpcCodeRate": u8 as Int<8, 32>,
        arq_type "arqType": H223AL3MParametersArqType,
        alpdu_interleaving "alpduInterleaving": bool,
        ...
        rs_code_correction "rsCodeCorrection": u8 as Int<0, 127>,
    }
}

choice! {
    /// `headerFormat` of [`H223AL3MParameters`].
    H223AL3MParametersHeaderFormat {
        0 Sebch167 "sebch16-7",
        1 Golay2412 "golay24-12",
        ...
    }
}

choice! {
    /// `crcLength` of [`H223AL3MParameters`].
    H223AL3MParametersCrcLength {
        0 Crc4bit "crc4bit",
        1 Crc12bit "crc12bit",
        2 Crc20bit "crc20bit",
        3 Crc28bit "crc28bit",
        ...
        0 Crc8bit "crc8bit",
        1 Crc16bit "crc16bit",
        2 Crc32bit "crc32bit",
        3 CrcNotUsed "crcNotUsed",
    }
}

choice! {
    /// `arqType` of [`H223AL3MParameters`].
    H223AL3MParametersArqType {
        0 NoArq "noArq",
        1 TypeIArq "typeIArq": H223AnnexCArqParameters,
        2 TypeIIArq "typeIIArq": H223AnnexCArqParameters,
        ...
    }
}

sequence! {
    /// Retransmission in those layers.
    H223AnnexCArqParameters {
        number_of_retransmissions "numberOfRetransmissions": H223AnnexCArqParametersNumberOfRetransmissions,
        send_buffer_size "sendBufferSize": u32 as Int<0, 16_777_215>,
        ...
    }
}

choice! {
    /// `numberOfRetransmissions` of [`H223AnnexCArqParameters`].
    H223AnnexCArqParametersNumberOfRetransmissions {
        0 Finite "finite": u8 as Int<0, 16>,
        1 Infinite "infinite",
        ...
    }
}

sequence! {
    /// A channel of a V.76 multiplex.
    V76LogicalChannelParameters {
        hdlc_parameters "hdlcParameters": V76HDLCParameters,
        suspend_resume "suspendResume": V76LogicalChannelParametersSuspendResume,
        uih "uIH": bool,
        mode "mode": V76LogicalChannelParametersMode,
        v75_parameters "v75Parameters": V75Parameters,
        ...
    }
}

choice! {
    /// `suspendResume` of [`V76LogicalChannelParameters`].
    V76LogicalChannelParametersSuspendResume {
        0 NoSuspendResume "noSuspendResume",
        1 SuspendResumewAddress "suspendResumewAddress",
        2 SuspendResumewoAddress "suspendResumewoAddress",
        ...
    }
}

choice! {
    /// `mode` of [`V76LogicalChannelParameters`].
    V76LogicalChannelParametersMode {
        0 ERM "eRM": V76LogicalChannelParametersModeERM,
        1 UNERM "uNERM",
        ...
    }
}

sequence! {
    /// `eRM` of [`V76LogicalChannelParametersMode`].
    V76LogicalChannelParametersModeERM {
        window_size "windowSize": u8 as Int<1, 127>,
        recovery "recovery": V76LogicalChannelParametersModeERMRecovery,
        ...
    }
}

choice! {
    /// `recovery` of [`V76LogicalChannelParametersModeERM`].
    V76LogicalChannelParametersModeERMRecovery {
        0 Rej "rej",
        1 SREJ "sREJ",
        2 MSREJ "mSREJ",
        ...
    }
}

sequence! {
    /// HDLC of V.76.
    V76HDLCParameters {
        crc_length "crcLength": CRCLength,
        n401 "n401": u16 as Int<1, 4095>,
        loopback_test_procedure "loopbackTestProcedure": bool,
        ...
    }
}

choice! {
    /// Length of a checksum.
    CRCLength {
        0 Crc8bit "crc8bit",
        1 Crc16bit "crc16bit",
        2 Crc32bit "crc32bit",
        ...
    }
}

sequence! {
    /// A channel of RTP: session, addresses, payload type.
    #[derive(Default)]
    H2250LogicalChannelParameters {
        non_standard "nonStandard"?: Vec<NonStandardParameter>,
        session_id "sessionID": u8,
        associated_session_id "associatedSessionID"?: u8 as Int<1, 255>,
        media_channel "mediaChannel"?: TransportAddress,
        media_guaranteed_delivery "mediaGuaranteedDelivery"?: bool,
        media_control_channel "mediaControlChannel"?: TransportAddress,
        media_control_guaranteed_delivery "mediaControlGuaranteedDelivery"?: bool,
        silence_suppression "silenceSuppression"?: bool,
        destination "destination"?: TerminalLabel,
        dynamic_rtp_payload_type "dynamicRTPPayloadType"?: u8 as Int<96, 127>,
        media_packetization "mediaPacketization"?: H2250LogicalChannelParametersMediaPacketization,
        ...
        transport_capability "transportCapability": TransportCapability,
        redundancy_encoding "redundancyEncoding": RedundancyEncoding,
        source "source": TerminalLabel,
    }
}

choice! {
    /// `mediaPacketization` of [`H2250LogicalChannelParameters`].
    H2250LogicalChannelParametersMediaPacketization {
        0 H261aVideoPacketization "h261aVideoPacketization",
        ...
        0 RtpPayloadType "rtpPayloadType": RTPPayloadType,
    }
}

sequence! {
    /// A payload format and its number.
    RTPPayloadType {
        payload_descriptor "payloadDescriptor": RTPPayloadTypePayloadDescriptor,
        payload_type "payloadType"?: u8 as Int<0, 127>,
        ...
    }
}

choice! {
    /// `payloadDescriptor` of [`RTPPayloadType`].
    RTPPayloadTypePayloadDescriptor {
        0 NonStandardIdentifier "nonStandardIdentifier": Box<NonStandardParameter>,
        1 RfcNumber "rfc-number": i64 as IntExtensible<1, 32_768>,
        2 Oid "oid": Oid,
        ...
    }
}

sequence! {
    /// Redundant media in a channel.
    RedundancyEncoding {
        redundancy_encoding_method "redundancyEncodingMethod": RedundancyEncodingMethod,
        secondary_encoding "secondaryEncoding"?: DataType,
        ...
        rtp_redundancy_encoding "rtpRedundancyEncoding": RedundancyEncodingRtpRedundancyEncoding,
    }
}

sequence! {
    /// `rtpRedundancyEncoding` of [`RedundancyEncoding`].
    #[derive(Default)]
    RedundancyEncodingRtpRedundancyEncoding {
        primary "primary"?: RedundancyEncodingElement,
        secondary "secondary"?: Vec<RedundancyEncodingElement>,
        ...
    }
}

sequence! {
    /// One of the redundant encodings.
    RedundancyEncodingElement {
        data_type "dataType": DataType,
        payload_type "payloadType"?: u8 as Int<0, 127>,
        ...
    }
}

sequence! {
    /// Several payload types in a channel.
    #[derive(Default)]
    MultiplePayloadStream {
        elements "elements": Vec<MultiplePayloadStreamElement>,
        ...
    }
}

sequence! {
    /// One of them.
    MultiplePayloadStreamElement {
        data_type "dataType": DataType,
        payload_type "payloadType"?: u8 as Int<0, 127>,
        ...
    }
}

choice! {
    /// Forward error correction in a channel, deprecated form.
    DepFECData {
        0 Rfc2733 "rfc2733": DepFECDataRfc2733,
    }
}

sequence! {
    /// `rfc2733` of [`DepFECData`].
    DepFECDataRfc2733 {
        mode "mode": DepFECDataRfc2733Mode,
        ...
    }
}

choice! {
    /// `mode` of [`DepFECDataRfc2733`].
    DepFECDataRfc2733Mode {
        0 RedundancyEncoding "redundancyEncoding",
        1 SeparateStream "separateStream": DepFECDataRfc2733ModeSeparateStream,
        ...
    }
}

choice! {
    /// `separateStream` of [`DepFECDataRfc2733Mode`].
    DepFECDataRfc2733ModeSeparateStream {
        0 DifferentPort "differentPort": DepFECDataRfc2733ModeSeparateStreamDifferentPort,
        1 SamePort "samePort": DepFECDataRfc2733ModeSeparateStreamSamePort,
        ...
    }
}

sequence! {
    /// `differentPort` of [`DepFECDataRfc2733ModeSeparateStream`].
    DepFECDataRfc2733ModeSeparateStreamDifferentPort {
        protected_session_id "protectedSessionID": u8 as Int<1, 255>,
        protected_payload_type "protectedPayloadType"?: u8 as Int<0, 127>,
        ...
    }
}

sequence! {
    /// `samePort` of [`DepFECDataRfc2733ModeSeparateStream`].
    #[derive(Default)]
    DepFECDataRfc2733ModeSeparateStreamSamePort {
        protected_payload_type "protectedPayloadType": u8 as Int<0, 127>,
        ...
    }
}

choice! {
    /// Forward error correction in a channel.
    FECData {
        0 Rfc2733 "rfc2733": Box<FECDataRfc2733>,
        ...
    }
}

sequence! {
    /// `rfc2733` of [`FECData`].
    FECDataRfc2733 {
        protected_payload_type "protectedPayloadType": u8 as Int<0, 127>,
        fec_scheme "fecScheme"?: Oid,
        pkt_mode "pktMode": FECDataRfc2733PktMode,
        ...
    }
}

choice! {
    /// `pktMode` of [`FECDataRfc2733`].
    FECDataRfc2733PktMode {
        0 Rfc2198coding "rfc2198coding",
        1 Rfc2733sameport "rfc2733sameport": FECDataRfc2733PktModeRfc2733sameport,
        2 Rfc2733diffport "rfc2733diffport": FECDataRfc2733PktModeRfc2733diffport,
        ...
    }
}

sequence! {
    /// `rfc2733sameport` of [`FECDataRfc2733PktMode`].
    #[derive(Default)]
    FECDataRfc2733PktModeRfc2733sameport {
        ...
    }
}

sequence! {
    /// `rfc2733diffport` of [`FECDataRfc2733PktMode`].
    FECDataRfc2733PktModeRfc2733diffport {
        protected_channel "protectedChannel": u16 as LogicalChannelNumber,
        ...
    }
}
