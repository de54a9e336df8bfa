//! H.460.9: reports on the quality of a call, with the extended metrics of its Annex B (those of
//! RFC 3611).

use bytes::Bytes;

use super::super::h225::{
    BandWidth, CallIdentifier, CallReferenceValue, ConferenceIdentifier, GenericIdentifier,
    NonStandardParameter, TransportChannelInfo,
};
use crate::per::notation::{choice, sequence};
use crate::per::{Int, Plain};

/// H.460.9 as a feature: its `standard` identifier.
pub const QOS_MONITORING: i64 = 9;
/// Its parameter without content: only the final report is wanted.
pub const QOS_MONITORING_FINAL_ONLY: i64 = 0;
/// Its parameter that holds a [`QosMonitoringReportData`].
pub const QOS_MONITORING_REPORT_DATA: i64 = 1;
/// Its parameter, and the `extensionId` in a report, that holds [`ExtendedRTPMetrics`].
pub const QOS_MONITORING_EXTENDED_RTP_METRICS: i64 = 2;

/// In milliseconds, as RFC 3550 estimates it.
pub(crate) type EstimatedEnd2EndDelay = Plain;

/// In units of RTP timestamps, as RFC 3550 calculates it.
pub(crate) type CalculatedJitter = Plain;

choice! {
    /// A report: in IRR, in DRQ or DCF, in a usage indication between gatekeepers.
    QosMonitoringReportData {
        0 Periodic "periodic": Box<PeriodicQoSMonReport>,
        1 Final "final": Box<FinalQosMonReport>,
        2 InterGK "interGK": Box<InterGKQosMonReport>,
        ...
    }
}

sequence! {
    /// On all calls of an endpoint.
    #[derive(Default)]
    PeriodicQoSMonReport {
        per_call_info "perCallInfo": Vec<PerCallQoSReport>,
        extensions "extensions"?: Vec<QosExtension>,
        ...
    }
}

sequence! {
    /// On a call that has ended.
    #[derive(Default)]
    FinalQosMonReport {
        media_info "mediaInfo": Vec<RTCPMeasures>,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        extensions "extensions"?: Vec<QosExtension>,
        ...
    }
}

sequence! {
    /// On a call of another zone.
    #[derive(Default)]
    InterGKQosMonReport {
        media_info "mediaInfo": Vec<RTCPMeasures>,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        extensions "extensions"?: Vec<QosExtension>,
        ...
    }
}

sequence! {
    /// On one call.
    PerCallQoSReport {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        call_reference_value "callReferenceValue": u16 as CallReferenceValue,
        conference_id "conferenceID": [u8; 16] as ConferenceIdentifier,
        call_identifier "callIdentifier": CallIdentifier,
        media_channels_qos "mediaChannelsQoS"?: Vec<RTCPMeasures>,
        extensions "extensions"?: Vec<QosExtension>,
        ...
    }
}

sequence! {
    /// On one media channel.
    RTCPMeasures {
        rtp_address "rtpAddress": TransportChannelInfo,
        rtcp_address "rtcpAddress": TransportChannelInfo,
        session_id "sessionId": u8 as Int<1, 255>,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        media_sender_measures "mediaSenderMeasures"?: RTCPMeasuresMediaSenderMeasures,
        media_receiver_measures "mediaReceiverMeasures"?: RTCPMeasuresMediaReceiverMeasures,
        extensions "extensions"?: Vec<QosExtension>,
        ...
    }
}

sequence! {
    /// `mediaSenderMeasures` of [`RTCPMeasures`].
    #[derive(Default)]
    RTCPMeasuresMediaSenderMeasures {
        worst_estimated_end2_end_delay "worstEstimatedEnd2EndDelay"?: u32 as EstimatedEnd2EndDelay,
        mean_estimated_end2_end_delay "meanEstimatedEnd2EndDelay"?: u32 as EstimatedEnd2EndDelay,
        ...
    }
}

sequence! {
    /// `mediaReceiverMeasures` of [`RTCPMeasures`].
    #[derive(Default)]
    RTCPMeasuresMediaReceiverMeasures {
        cumulative_number_of_packets_lost "cumulativeNumberOfPacketsLost"?: u32,
        packet_lost_rate "packetLostRate"?: u16,
        worst_jitter "worstJitter"?: u32 as CalculatedJitter,
        estimated_throughput "estimatedThroughput"?: u32 as BandWidth,
        fraction_lost_rate "fractionLostRate"?: u16,
        mean_jitter "meanJitter"?: u32 as CalculatedJitter,
        ...
    }
}

sequence! {
    /// `Extension` of H.460.9.
    QosExtension {
        extension_id "extensionId": GenericIdentifier,
        extension_content "extensionContent"?: Bytes,
        ...
    }
}

sequence! {
    /// What RTCP XR knows of a channel (RFC 3611 4.7; units as there).
    #[derive(Default)]
    ExtendedRTPMetrics {
        network_packet_loss_rate "networkPacketLossRate"?: u8,
        jitter_buffer_discard_rate "jitterBufferDiscardRate"?: u8,
        burst_metrics "burstMetrics"?: BurstMetrics,
        rtcp_round_trip_delay "rtcpRoundTripDelay"?: u16,
        end_system_delay "endSystemDelay"?: u16,
        signal_level "signalLevel"?: i32 as Int<-127, 10>,
        noise_level "noiseLevel"?: i32 as Int<-127, 0>,
        residual_echo_return_loss "residualEchoReturnLoss"?: u8 as Int<0, 127>,
        r_factor "rFactor"?: u8 as Int<0, 100>,
        ext_r_factor "extRFactor"?: u8 as Int<0, 100>,
        estimated_moslq "estimatedMOSLQ"?: u8 as Int<10, 50>,
        estimated_moscq "estimatedMOSCQ"?: u8 as Int<10, 50>,
        plc_type "plcType"?: PLCtypes,
        jitter_buffer_parms "jitterBufferParms"?: JitterBufferParms,
        ...
    }
}

sequence! {
    /// Loss in bursts and between them.
    #[derive(Default)]
    BurstMetrics {
        gmin "gmin"?: u8,
        burst_loss_density "burstLossDensity"?: u8,
        gap_loss_density "gapLossDensity"?: u8,
        burst_duration "burstDuration"?: u16,
        gap_duration "gapDuration"?: u16,
        ...
    }
}

choice! {
    /// How lost packets are concealed.
    PLCtypes {
        0 Unspecified "unspecified",
        1 Disabled "disabled",
        2 Enhanced "enhanced",
        3 Standard "standard",
        ...
    }
}

sequence! {
    /// The receiver's jitter buffer, in milliseconds.
    #[derive(Default)]
    JitterBufferParms {
        jitter_buffer_type "jitterBufferType"?: JitterBufferTypes,
        jitter_buffer_adapt_rate "jitterBufferAdaptRate"?: u8 as Int<0, 15>,
        jitter_buffer_nominal_size "jitterBufferNominalSize"?: u16,
        jitter_buffer_max_size "jitterBufferMaxSize"?: u16,
        jitter_buffer_absolute_max "jitterBufferAbsoluteMax"?: u16,
        ...
    }
}

choice! {
    /// Whether the jitter buffer adapts.
    JitterBufferTypes {
        0 Unknown "unknown",
        1 Reserved "reserved",
        2 Nonadaptive "nonadaptive",
        3 Adaptive "adaptive",
        ...
    }
}
