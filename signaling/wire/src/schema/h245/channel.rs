//! Logical channels: opening, confirming, closing.
//! Not here: parameters of the several multiplexes (`channel_parameters.rs`).

use bytes::Bytes;

use super::address::TransportAddress;
use super::audio::AudioCapability;
use super::channel_parameters::{
    DepFECData, FECData, H222LogicalChannelParameters, H223LogicalChannelParameters,
    H2250LogicalChannelParameters, MultiplePayloadStream, MultiplexedStreamParameter, RedundancyEncoding,
    V76LogicalChannelParameters,
};
use super::data::DataApplicationCapability;
use super::message::{GenericInformation, NonStandardParameter};
use super::mode::EncryptionMode;
use super::security::{EncryptionSync, H235Media};
use super::transport::QOSCapability;
use super::video::VideoCapability;
use crate::per::notation::{choice, sequence};
use crate::per::{DialledDigit, Int, Numeric, Octets};

sequence! {
    /// Opens a channel, in one direction or both. Fast start carries these as well.
    OpenLogicalChannel {
        forward_logical_channel_number "forwardLogicalChannelNumber": u16 as LogicalChannelNumber,
        forward_logical_channel_parameters "forwardLogicalChannelParameters": OpenLogicalChannelForwardLogicalChannelParameters,
        reverse_logical_channel_parameters "reverseLogicalChannelParameters"?: OpenLogicalChannelReverseLogicalChannelParameters,
        ...
        separate_stack "separateStack": NetworkAccessParameters,
        encryption_sync "encryptionSync": EncryptionSync,
        generic_information "genericInformation": Vec<GenericInformation>,
    }
}

sequence! {
    /// The channel from sender to receiver of the request.
    OpenLogicalChannelForwardLogicalChannelParameters {
        port_number "portNumber"?: u16,
        data_type "dataType": DataType,
        multiplex_parameters "multiplexParameters": OpenLogicalChannelForwardLogicalChannelParametersMultiplexParameters,
        ...
        forward_logical_channel_dependency "forwardLogicalChannelDependency": u16 as LogicalChannelNumber,
        replacement_for "replacementFor": u16 as LogicalChannelNumber,
    }
}

choice! {
    /// `multiplexParameters` of [`OpenLogicalChannelForwardLogicalChannelParameters`].
    OpenLogicalChannelForwardLogicalChannelParametersMultiplexParameters {
        0 H222LogicalChannelParameters "h222LogicalChannelParameters": Box<H222LogicalChannelParameters>,
        1 H223LogicalChannelParameters "h223LogicalChannelParameters": Box<H223LogicalChannelParameters>,
        2 V76LogicalChannelParameters "v76LogicalChannelParameters": Box<V76LogicalChannelParameters>,
        ...
        0 H2250LogicalChannelParameters "h2250LogicalChannelParameters": Box<H2250LogicalChannelParameters>,
        1 None "none",
    }
}

sequence! {
    /// The channel the other way (or, in fast start, what the sender wants to receive).
    OpenLogicalChannelReverseLogicalChannelParameters {
        data_type "dataType": DataType,
        multiplex_parameters "multiplexParameters"?: OpenLogicalChannelReverseLogicalChannelParametersMultiplexParameters,
        ...
        reverse_logical_channel_dependency "reverseLogicalChannelDependency": u16 as LogicalChannelNumber,
        replacement_for "replacementFor": u16 as LogicalChannelNumber,
    }
}

choice! {
    /// `multiplexParameters` of [`OpenLogicalChannelReverseLogicalChannelParameters`].
    OpenLogicalChannelReverseLogicalChannelParametersMultiplexParameters {
        0 H223LogicalChannelParameters "h223LogicalChannelParameters": Box<H223LogicalChannelParameters>,
        1 V76LogicalChannelParameters "v76LogicalChannelParameters": Box<V76LogicalChannelParameters>,
        ...
        0 H2250LogicalChannelParameters "h2250LogicalChannelParameters": Box<H2250LogicalChannelParameters>,
    }
}

/// Number of a channel, chosen by who opens it. 0 is H.245 itself.
pub(crate) type LogicalChannelNumber = Int<1, 65_535>;

sequence! {
    /// How to reach a T.120 stack.
    NetworkAccessParameters {
        distribution "distribution"?: NetworkAccessParametersDistribution,
        network_address "networkAddress": NetworkAccessParametersNetworkAddress,
        associate_conference "associateConference": bool,
        external_reference "externalReference"?: Bytes as Octets<1, 255>,
        ...
        t120_setup_procedure "t120SetupProcedure": NetworkAccessParametersT120SetupProcedure,
    }
}

choice! {
    /// `distribution` of [`NetworkAccessParameters`].
    NetworkAccessParametersDistribution {
        0 Unicast "unicast",
        1 Multicast "multicast",
        ...
    }
}

choice! {
    /// `networkAddress` of [`NetworkAccessParameters`].
    NetworkAccessParametersNetworkAddress {
        0 Q2931Address "q2931Address": Box<Q2931Address>,
        1 E164Address "e164Address": String as DialledDigit<1, 128>,
        2 LocalAreaAddress "localAreaAddress": TransportAddress,
        ...
    }
}

choice! {
    /// `t120SetupProcedure` of [`NetworkAccessParameters`].
    NetworkAccessParametersT120SetupProcedure {
        0 OriginateCall "originateCall",
        1 WaitForCall "waitForCall",
        2 IssueQuery "issueQuery",
        ...
    }
}

sequence! {
    /// An address of broadband ISDN.
    Q2931Address {
        address "address": Q2931AddressAddress,
        subaddress "subaddress"?: Bytes as Octets<1, 20>,
        ...
    }
}

choice! {
    /// `address` of [`Q2931Address`].
    Q2931AddressAddress {
        0 InternationalNumber "internationalNumber": String as Numeric<1, 16>,
        1 NsapAddress "nsapAddress": Bytes as Octets<1, 20>,
        ...
    }
}

sequence! {
    /// Parameters of V.75.
    #[derive(Default)]
    V75Parameters {
        audio_header_present "audioHeaderPresent": bool,
        ...
    }
}

choice! {
    /// What a channel carries.
    DataType {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 NullData "nullData",
        2 VideoData "videoData": VideoCapability,
        3 AudioData "audioData": AudioCapability,
        4 Data "data": Box<DataApplicationCapability>,
        5 EncryptionData "encryptionData": EncryptionMode,
        ...
        0 H235Control "h235Control": Box<NonStandardParameter>,
        1 H235Media "h235Media": Box<H235Media>,
        2 MultiplexedStream "multiplexedStream": MultiplexedStreamParameter,
        3 RedundancyEncoding "redundancyEncoding": Box<RedundancyEncoding>,
        4 MultiplePayloadStream "multiplePayloadStream": MultiplePayloadStream,
        5 DepFec "depFec": Box<DepFECData>,
        6 Fec "fec": FECData,
    }
}

sequence! {
    /// The channel is open; here is where to send.
    OpenLogicalChannelAck {
        forward_logical_channel_number "forwardLogicalChannelNumber": u16 as LogicalChannelNumber,
        reverse_logical_channel_parameters "reverseLogicalChannelParameters"?: OpenLogicalChannelAckReverseLogicalChannelParameters,
        ...
        separate_stack "separateStack": NetworkAccessParameters,
        forward_multiplex_ack_parameters "forwardMultiplexAckParameters": OpenLogicalChannelAckForwardMultiplexAckParameters,
        encryption_sync "encryptionSync": EncryptionSync,
        generic_information "genericInformation": Vec<GenericInformation>,
    }
}

sequence! {
    /// `reverseLogicalChannelParameters` of [`OpenLogicalChannelAck`].
    OpenLogicalChannelAckReverseLogicalChannelParameters {
        reverse_logical_channel_number "reverseLogicalChannelNumber": u16 as LogicalChannelNumber,
        port_number "portNumber"?: u16,
        multiplex_parameters "multiplexParameters"?: OpenLogicalChannelAckReverseLogicalChannelParametersMultiplexParameters,
        ...
        replacement_for "replacementFor": u16 as LogicalChannelNumber,
    }
}

choice! {
    /// `multiplexParameters` of [`OpenLogicalChannelAckReverseLogicalChannelParameters`].
    OpenLogicalChannelAckReverseLogicalChannelParametersMultiplexParameters {
        0 H222LogicalChannelParameters "h222LogicalChannelParameters": Box<H222LogicalChannelParameters>,
        ...
        0 H2250LogicalChannelParameters "h2250LogicalChannelParameters": Box<H2250LogicalChannelParameters>,
    }
}

choice! {
    /// `forwardMultiplexAckParameters` of [`OpenLogicalChannelAck`].
    OpenLogicalChannelAckForwardMultiplexAckParameters {
        0 H2250LogicalChannelAckParameters "h2250LogicalChannelAckParameters": Box<H2250LogicalChannelAckParameters>,
        ...
    }
}

sequence! {
    /// The channel is refused.
    OpenLogicalChannelReject {
        forward_logical_channel_number "forwardLogicalChannelNumber": u16 as LogicalChannelNumber,
        cause "cause": OpenLogicalChannelRejectCause,
        ...
        generic_information "genericInformation": Vec<GenericInformation>,
    }
}

choice! {
    /// Why it is refused.
    OpenLogicalChannelRejectCause {
        0 Unspecified "unspecified",
        1 UnsuitableReverseParameters "unsuitableReverseParameters",
        2 DataTypeNotSupported "dataTypeNotSupported",
        3 DataTypeNotAvailable "dataTypeNotAvailable",
        4 UnknownDataType "unknownDataType",
        5 DataTypeALCombinationNotSupported "dataTypeALCombinationNotSupported",
        ...
        0 MulticastChannelNotAllowed "multicastChannelNotAllowed",
        1 InsufficientBandwidth "insufficientBandwidth",
        2 SeparateStackEstablishmentFailed "separateStackEstablishmentFailed",
        3 InvalidSessionID "invalidSessionID",
        4 MasterSlaveConflict "masterSlaveConflict",
        5 WaitForCommunicationMode "waitForCommunicationMode",
        6 InvalidDependentChannel "invalidDependentChannel",
        7 ReplacementForRejected "replacementForRejected",
        8 SecurityDenied "securityDenied",
        9 QoSControlNotSupported "qoSControlNotSupported",
    }
}

sequence! {
    /// A bidirectional channel is open.
    OpenLogicalChannelConfirm {
        forward_logical_channel_number "forwardLogicalChannelNumber": u16 as LogicalChannelNumber,
        ...
        generic_information "genericInformation": Vec<GenericInformation>,
    }
}

sequence! {
    /// Addresses of the accepting side.
    #[derive(Default)]
    H2250LogicalChannelAckParameters {
        non_standard "nonStandard"?: Vec<NonStandardParameter>,
        session_id "sessionID"?: u8 as Int<1, 255>,
        media_channel "mediaChannel"?: TransportAddress,
        media_control_channel "mediaControlChannel"?: TransportAddress,
        dynamic_rtp_payload_type "dynamicRTPPayloadType"?: u8 as Int<96, 127>,
        ...
        flow_control_to_zero "flowControlToZero": bool,
        port_number "portNumber": u16,
        multiple_payload_stream "multiplePayloadStream": MultiplePayloadStream,
    }
}

sequence! {
    /// Closes a channel that the sender had opened.
    CloseLogicalChannel {
        forward_logical_channel_number "forwardLogicalChannelNumber": u16 as LogicalChannelNumber,
        source "source": CloseLogicalChannelSource,
        ...
        reason "reason": CloseLogicalChannelReason,
    }
}

choice! {
    /// `source` of [`CloseLogicalChannel`].
    CloseLogicalChannelSource {
        0 User "user",
        1 Lcse "lcse",
    }
}

choice! {
    /// `reason` of [`CloseLogicalChannel`].
    CloseLogicalChannelReason {
        0 Unknown "unknown",
        1 Reopen "reopen",
        2 ReservationFailure "reservationFailure",
        ...
        0 NetworkErrorCode "networkErrorCode": u8,
    }
}

sequence! {
    /// The channel is closed.
    CloseLogicalChannelAck {
        forward_logical_channel_number "forwardLogicalChannelNumber": u16 as LogicalChannelNumber,
        ...
    }
}

sequence! {
    /// Asks the peer to close one of its channels.
    RequestChannelClose {
        forward_logical_channel_number "forwardLogicalChannelNumber": u16 as LogicalChannelNumber,
        ...
        qos_capability "qosCapability": Box<QOSCapability>,
        reason "reason": RequestChannelCloseReason,
    }
}

choice! {
    /// `reason` of [`RequestChannelClose`].
    RequestChannelCloseReason {
        0 Unknown "unknown",
        1 Normal "normal",
        2 Reopen "reopen",
        3 ReservationFailure "reservationFailure",
        ...
        0 NetworkErrorCode "networkErrorCode": u8,
    }
}

sequence! {
    /// It will be closed.
    RequestChannelCloseAck {
        forward_logical_channel_number "forwardLogicalChannelNumber": u16 as LogicalChannelNumber,
        ...
    }
}

sequence! {
    /// It will not be closed.
    RequestChannelCloseReject {
        forward_logical_channel_number "forwardLogicalChannelNumber": u16 as LogicalChannelNumber,
        cause "cause": RequestChannelCloseRejectCause,
        ...
    }
}

choice! {
    /// `cause` of [`RequestChannelCloseReject`].
    RequestChannelCloseRejectCause {
        0 Unspecified "unspecified",
        ...
    }
}

sequence! {
    /// Gives up after a time-out.
    RequestChannelCloseRelease {
        forward_logical_channel_number "forwardLogicalChannelNumber": u16 as LogicalChannelNumber,
        ...
    }
}
