//! Capabilities of the multiplexes: H.222, H.223, V.76 and, for H.323, H.225.0.

use super::capability::{MultipointCapability, RedundancyEncodingCapability};
use super::channel::Q2931Address;
use super::channel_parameters::RTPPayloadType;
use super::generic::GenericCapability;
use super::message::NonStandardParameter;
use super::transport::TransportCapability;
use crate::per::notation::{choice, sequence};
use crate::per::{Int, List};

choice! {
    /// What the multiplex of the terminal's system can do.
    MultiplexCapability {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 H222Capability "h222Capability": H222Capability,
        2 H223Capability "h223Capability": Box<H223Capability>,
        3 V76Capability "v76Capability": V76Capability,
        ...
        0 H2250Capability "h2250Capability": Box<H2250Capability>,
        1 GenericMultiplexCapability "genericMultiplexCapability": Box<GenericCapability>,
    }
}

sequence! {
    /// Capabilities of an H.222 multiplex (H.310).
    H222Capability {
        number_of_vcs "numberOfVCs": u16 as Int<1, 256>,
        vc_capability "vcCapability": Vec<VCCapability>,
        ...
    }
}

sequence! {
    /// ATM virtual channel capabilities.
    VCCapability {
        aal1 "aal1"?: VCCapabilityAal1,
        aal5 "aal5"?: VCCapabilityAal5,
        transport_stream "transportStream": bool,
        program_stream "programStream": bool,
        available_bit_rates "availableBitRates": VCCapabilityAvailableBitRates,
        ...
        aal1_via_gateway "aal1ViaGateway": VCCapabilityAal1ViaGateway,
    }
}

sequence! {
    /// `aal1` of [`VCCapability`].
    #[derive(Default)]
    VCCapabilityAal1 {
        null_clock_recovery "nullClockRecovery": bool,
        srts_clock_recovery "srtsClockRecovery": bool,
        adaptive_clock_recovery "adaptiveClockRecovery": bool,
        null_error_correction "nullErrorCorrection": bool,
        long_interleaver "longInterleaver": bool,
        short_interleaver "shortInterleaver": bool,
        error_correction_only "errorCorrectionOnly": bool,
        structured_data_transfer "structuredDataTransfer": bool,
        partially_filled_cells "partiallyFilledCells": bool,
        ...
    }
}

sequence! {
    /// `aal5` of [`VCCapability`].
    #[derive(Default)]
    VCCapabilityAal5 {
        forward_maximum_sdu_size "forwardMaximumSDUSize": u16,
        backward_maximum_sdu_size "backwardMaximumSDUSize": u16,
        ...
    }
}

sequence! {
    /// `availableBitRates` of [`VCCapability`].
    VCCapabilityAvailableBitRates {
        r#type "type": VCCapabilityAvailableBitRatesType,
        ...
    }
}

choice! {
    /// `type` of [`VCCapabilityAvailableBitRates`].
    VCCapabilityAvailableBitRatesType {
        0 SingleBitRate "singleBitRate": u16 as Int<1, 65_535>,
        1 RangeOfBitRates "rangeOfBitRates": VCCapabilityAvailableBitRatesTypeRangeOfBitRates,
    }
}

sequence! {
    /// `rangeOfBitRates` of [`VCCapabilityAvailableBitRatesType`].
    VCCapabilityAvailableBitRatesTypeRangeOfBitRates {
        lower_bit_rate "lowerBitRate": u16 as Int<1, 65_535>,
        higher_bit_rate "higherBitRate": u16 as Int<1, 65_535>,
    }
}

sequence! {
    /// `aal1ViaGateway` of [`VCCapability`].
    VCCapabilityAal1ViaGateway {
        gateway_address "gatewayAddress": Vec<Q2931Address> as List<1, 256>,
        null_clock_recovery "nullClockRecovery": bool,
        srts_clock_recovery "srtsClockRecovery": bool,
        adaptive_clock_recovery "adaptiveClockRecovery": bool,
        null_error_correction "nullErrorCorrection": bool,
        long_interleaver "longInterleaver": bool,
        short_interleaver "shortInterleaver": bool,
        error_correction_only "errorCorrectionOnly": bool,
        structured_data_transfer "structuredDataTransfer": bool,
        partially_filled_cells "partiallyFilledCells": bool,
        ...
    }
}

sequence! {
    /// Capabilities of an H.223 multiplex (H.324).
    H223Capability {
        transport_with_i_frames "transportWithI-frames": bool,
        video_with_al1 "videoWithAL1": bool,
        video_with_al2 "videoWithAL2": bool,
        video_with_al3 "videoWithAL3": bool,
        audio_with_al1 "audioWithAL1": bool,
        audio_with_al2 "audioWithAL2": bool,
        audio_with_al3 "audioWithAL3": bool,
        data_with_al1 "dataWithAL1": bool,
        data_with_al2 "dataWithAL2": bool,
        data_with_al3 "dataWithAL3": bool,
        maximum_al2_sdu_size "maximumAl2SDUSize": u16,
        maximum_al3_sdu_size "maximumAl3SDUSize": u16,
        maximum_delay_jitter "maximumDelayJitter": u16 as Int<0, 1023>,
        h223_multiplex_table_capability "h223MultiplexTableCapability": H223CapabilityH223MultiplexTableCapability,
        ...
        max_mux_pdu_size_capability "maxMUXPDUSizeCapability": bool,
        nsrp_support "nsrpSupport": bool,
        mobile_operation_transmit_capability "mobileOperationTransmitCapability": H223CapabilityMobileOperationTransmitCapability,
        h223_annex_c_capability "h223AnnexCCapability": H223AnnexCCapability,
        bit_rate "bitRate": u16 as Int<1, 19_200>,
        mobile_multilink_frame_capability "mobileMultilinkFrameCapability": H223CapabilityMobileMultilinkFrameCapability,
    }
}

choice! {
    /// `h223MultiplexTableCapability` of [`H223Capability`].
    H223CapabilityH223MultiplexTableCapability {
        0 Basic "basic",
        1 Enhanced "enhanced": H223CapabilityH223MultiplexTableCapabilityEnhanced,
    }
}

sequence! {
    /// `enhanced` of [`H223CapabilityH223MultiplexTableCapability`].
    H223CapabilityH223MultiplexTableCapabilityEnhanced {
        maximum_nesting_depth "maximumNestingDepth": u8 as Int<1, 15>,
        maximum_element_list_size "maximumElementListSize": u8 as Int<2, 255>,
        maximum_sub_element_list_size "maximumSubElementListSize": u8 as Int<2, 255>,
        ...
    }
}

sequence! {
    /// `mobileOperationTransmitCapability` of [`H223Capability`].
    #[derive(Default)]
    H223CapabilityMobileOperationTransmitCapability {
        mode_change_capability "modeChangeCapability": bool,
        h223_annex_a "h223AnnexA": bool,
        h223_annex_a_double_flag "h223AnnexADoubleFlag": bool,
        h223_annex_b "h223AnnexB": bool,
        h223_annex_bwith_header "h223AnnexBwithHeader": bool,
        ...
    }
}

sequence! {
    /// `mobileMultilinkFrameCapability` of [`H223Capability`].
    H223CapabilityMobileMultilinkFrameCapability {
        maximum_sample_size "maximumSampleSize": u8 as Int<1, 255>,
        maximum_payload_length "maximumPayloadLength": u16 as Int<1, 65_025>,
        ...
    }
}

sequence! {
    /// Capabilities of H.223 Annex C.
    #[derive(Default)]
    H223AnnexCCapability {
        video_with_al1m "videoWithAL1M": bool,
        video_with_al2m "videoWithAL2M": bool,
        video_with_al3m "videoWithAL3M": bool,
        audio_with_al1m "audioWithAL1M": bool,
        audio_with_al2m "audioWithAL2M": bool,
        audio_with_al3m "audioWithAL3M": bool,
        data_with_al1m "dataWithAL1M": bool,
        data_with_al2m "dataWithAL2M": bool,
        data_with_al3m "dataWithAL3M": bool,
        alpdu_interleaving "alpduInterleaving": bool,
        maximum_al1_mpdu_size "maximumAL1MPDUSize": u16,
        maximum_al2_msdu_size "maximumAL2MSDUSize": u16,
        maximum_al3_msdu_size "maximumAL3MSDUSize": u16,
        ...
        rs_code_capability "rsCodeCapability": bool,
    }
}

sequence! {
    /// Capabilities of a V.76 multiplex.
    V76Capability {
        suspend_resume_capabilityw_address "suspendResumeCapabilitywAddress": bool,
        suspend_resume_capabilitywo_address "suspendResumeCapabilitywoAddress": bool,
        rej_capability "rejCapability": bool,
        srej_capability "sREJCapability": bool,
        mrej_capability "mREJCapability": bool,
        crc8bit_capability "crc8bitCapability": bool,
        crc16bit_capability "crc16bitCapability": bool,
        crc32bit_capability "crc32bitCapability": bool,
        uih_capability "uihCapability": bool,
        num_of_dlcs "numOfDLCS": u16 as Int<2, 8191>,
        two_octet_address_field_capability "twoOctetAddressFieldCapability": bool,
        loop_back_test_capability "loopBackTestCapability": bool,
        n401_capability "n401Capability": u16 as Int<1, 4095>,
        max_window_size_capability "maxWindowSizeCapability": u8 as Int<1, 127>,
        v75_capability "v75Capability": V75Capability,
        ...
    }
}

sequence! {
    /// Capabilities of V.75.
    #[derive(Default)]
    V75Capability {
        audio_header "audioHeader": bool,
        ...
    }
}

sequence! {
    /// Capabilities of H.225.0 on packet networks: conferences, RTCP, packetization.
    H2250Capability {
        maximum_audio_delay_jitter "maximumAudioDelayJitter": u16 as Int<0, 1023>,
        receive_multipoint_capability "receiveMultipointCapability": MultipointCapability,
        transmit_multipoint_capability "transmitMultipointCapability": MultipointCapability,
        receive_and_transmit_multipoint_capability "receiveAndTransmitMultipointCapability": MultipointCapability,
        mc_capability "mcCapability": H2250CapabilityMcCapability,
        rtcp_video_control_capability "rtcpVideoControlCapability": bool,
        media_packetization_capability "mediaPacketizationCapability": MediaPacketizationCapability,
        ...
        transport_capability "transportCapability": TransportCapability,
        redundancy_encoding_capability "redundancyEncodingCapability": Vec<RedundancyEncodingCapability> as List<1, 256>,
        logical_channel_switching_capability "logicalChannelSwitchingCapability": bool,
        t120_dynamic_port_capability "t120DynamicPortCapability": bool,
    }
}

sequence! {
    /// `mcCapability` of [`H2250Capability`].
    #[derive(Default)]
    H2250CapabilityMcCapability {
        centralized_conference_mc "centralizedConferenceMC": bool,
        decentralized_conference_mc "decentralizedConferenceMC": bool,
        ...
    }
}

sequence! {
    /// Ways to put media into packets.
    #[derive(Default)]
    MediaPacketizationCapability {
        h261a_video_packetization "h261aVideoPacketization": bool,
        ...
        rtp_payload_type "rtpPayloadType": Vec<RTPPayloadType> as List<1, 256>,
    }
}
