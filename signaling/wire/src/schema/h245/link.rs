//! TODO

use super::channel::LogicalChannelNumber;
use super::message::{NonStandardMessage, SequenceNumber};
use crate::per::notation::{choice, sequence};
use crate::per::{Ia5, Int, List, Numeric, Plain};

sequence! {
    /// `RoundTripDelayRequest`.
    #[derive(Default)]
    RoundTripDelayRequest {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        ...
    }
}

sequence! {
    /// `RoundTripDelayResponse`.
    #[derive(Default)]
    RoundTripDelayResponse {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        ...
    }
}

sequence! {
    /// `MaintenanceLoopRequest`.
    MaintenanceLoopRequest {
        r#type "type": MaintenanceLoopRequestType,
        ...
    }
}

choice! {
    /// `type` of [`MaintenanceLoopRequest`].
    MaintenanceLoopRequestType {
        0 SystemLoop "systemLoop",
        1 MediaLoop "mediaLoop": u16 as LogicalChannelNumber,
        2 LogicalChannelLoop "logicalChannelLoop": u16 as LogicalChannelNumber,
        ...
    }
}

sequence! {
    /// `MaintenanceLoopAck`.
    MaintenanceLoopAck {
        r#type "type": MaintenanceLoopAckType,
        ...
    }
}

choice! {
    /// `type` of [`MaintenanceLoopAck`].
    MaintenanceLoopAckType {
        0 SystemLoop "systemLoop",
        1 MediaLoop "mediaLoop": u16 as LogicalChannelNumber,
        2 LogicalChannelLoop "logicalChannelLoop": u16 as LogicalChannelNumber,
        ...
    }
}

sequence! {
    /// `MaintenanceLoopReject`.
    MaintenanceLoopReject {
        r#type "type": MaintenanceLoopRejectType,
        cause "cause": MaintenanceLoopRejectCause,
        ...
    }
}

choice! {
    /// `type` of [`MaintenanceLoopReject`].
    MaintenanceLoopRejectType {
        0 SystemLoop "systemLoop",
        1 MediaLoop "mediaLoop": u16 as LogicalChannelNumber,
        2 LogicalChannelLoop "logicalChannelLoop": u16 as LogicalChannelNumber,
        ...
    }
}

choice! {
    /// `cause` of [`MaintenanceLoopReject`].
    MaintenanceLoopRejectCause {
        0 CanNotPerformLoop "canNotPerformLoop",
        ...
    }
}

sequence! {
    /// `MaintenanceLoopOffCommand`.
    #[derive(Default)]
    MaintenanceLoopOffCommand {
        ...
    }
}

choice! {
    /// `MultilinkRequest`.
    MultilinkRequest {
        0 NonStandard "nonStandard": Box<NonStandardMessage>,
        1 CallInformation "callInformation": MultilinkRequestCallInformation,
        2 AddConnection "addConnection": MultilinkRequestAddConnection,
        3 RemoveConnection "removeConnection": MultilinkRequestRemoveConnection,
        4 MaximumHeaderInterval "maximumHeaderInterval": MultilinkRequestMaximumHeaderInterval,
        ...
    }
}

sequence! {
    /// `callInformation` of [`MultilinkRequest`].
    MultilinkRequestCallInformation {
        max_number_of_additional_connections "maxNumberOfAdditionalConnections": u16 as Int<1, 65_535>,
        ...
    }
}

sequence! {
    /// `addConnection` of [`MultilinkRequest`].
    MultilinkRequestAddConnection {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        dialing_information "dialingInformation": DialingInformation,
        ...
    }
}

sequence! {
    /// `removeConnection` of [`MultilinkRequest`].
    MultilinkRequestRemoveConnection {
        connection_identifier "connectionIdentifier": ConnectionIdentifier,
        ...
    }
}

sequence! {
    /// `maximumHeaderInterval` of [`MultilinkRequest`].
    MultilinkRequestMaximumHeaderInterval {
        request_type "requestType": MultilinkRequestMaximumHeaderIntervalRequestType,
        ...
    }
}

choice! {
    /// `requestType` of [`MultilinkRequestMaximumHeaderInterval`].
    MultilinkRequestMaximumHeaderIntervalRequestType {
        0 CurrentIntervalInformation "currentIntervalInformation",
        1 RequestedInterval "requestedInterval": u16,
        ...
    }
}

choice! {
    /// `MultilinkResponse`.
    MultilinkResponse {
        0 NonStandard "nonStandard": Box<NonStandardMessage>,
        1 CallInformation "callInformation": MultilinkResponseCallInformation,
        2 AddConnection "addConnection": Box<MultilinkResponseAddConnection>,
        3 RemoveConnection "removeConnection": MultilinkResponseRemoveConnection,
        4 MaximumHeaderInterval "maximumHeaderInterval": MultilinkResponseMaximumHeaderInterval,
        ...
    }
}

sequence! {
    /// `callInformation` of [`MultilinkResponse`].
    MultilinkResponseCallInformation {
        dialing_information "dialingInformation": DialingInformation,
        call_association_number "callAssociationNumber": u32,
        ...
    }
}

sequence! {
    /// `addConnection` of [`MultilinkResponse`].
    MultilinkResponseAddConnection {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        response_code "responseCode": MultilinkResponseAddConnectionResponseCode,
        ...
    }
}

choice! {
    /// `responseCode` of [`MultilinkResponseAddConnection`].
    MultilinkResponseAddConnectionResponseCode {
        0 Accepted "accepted",
        1 Rejected "rejected": MultilinkResponseAddConnectionResponseCodeRejected,
        ...
    }
}

choice! {
    /// `rejected` of [`MultilinkResponseAddConnectionResponseCode`].
    MultilinkResponseAddConnectionResponseCodeRejected {
        0 ConnectionsNotAvailable "connectionsNotAvailable",
        1 UserRejected "userRejected",
        ...
    }
}

sequence! {
    /// `removeConnection` of [`MultilinkResponse`].
    MultilinkResponseRemoveConnection {
        connection_identifier "connectionIdentifier": ConnectionIdentifier,
        ...
    }
}

sequence! {
    /// `maximumHeaderInterval` of [`MultilinkResponse`].
    #[derive(Default)]
    MultilinkResponseMaximumHeaderInterval {
        current_interval "currentInterval": u16,
        ...
    }
}

choice! {
    /// `MultilinkIndication`.
    MultilinkIndication {
        0 NonStandard "nonStandard": Box<NonStandardMessage>,
        1 CrcDesired "crcDesired": MultilinkIndicationCrcDesired,
        2 ExcessiveError "excessiveError": MultilinkIndicationExcessiveError,
        ...
    }
}

sequence! {
    /// `crcDesired` of [`MultilinkIndication`].
    #[derive(Default)]
    MultilinkIndicationCrcDesired {
        ...
    }
}

sequence! {
    /// `excessiveError` of [`MultilinkIndication`].
    MultilinkIndicationExcessiveError {
        connection_identifier "connectionIdentifier": ConnectionIdentifier,
        ...
    }
}

choice! {
    /// `DialingInformation`.
    DialingInformation {
        0 NonStandard "nonStandard": Box<NonStandardMessage>,
        1 Differential "differential": Vec<DialingInformationNumber> as List<1, 65_535>,
        2 InfoNotAvailable "infoNotAvailable": u16 as Int<1, 65_535>,
        ...
    }
}

sequence! {
    /// `DialingInformationNumber`.
    DialingInformationNumber {
        network_address "networkAddress": String as Numeric<0, 40>,
        sub_address "subAddress"?: String as Ia5<1, 40>,
        network_type "networkType": Vec<DialingInformationNetworkType> as List<1, 255>,
        ...
    }
}

choice! {
    /// `DialingInformationNetworkType`.
    DialingInformationNetworkType {
        0 NonStandard "nonStandard": Box<NonStandardMessage>,
        1 NIsdn "n-isdn",
        2 Gstn "gstn",
        ...
        0 Mobile "mobile",
    }
}

sequence! {
    /// `ConnectionIdentifier`.
    #[derive(Default)]
    ConnectionIdentifier {
        channel_tag "channelTag": u32,
        sequence_number "sequenceNumber": u32,
        ...
    }
}

/// `MaximumBitRate`.
pub(crate) type MaximumBitRate = Plain;

sequence! {
    /// `LogicalChannelRateRequest`.
    LogicalChannelRateRequest {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        logical_channel_number "logicalChannelNumber": u16 as LogicalChannelNumber,
        maximum_bit_rate "maximumBitRate": u32 as MaximumBitRate,
        ...
    }
}

sequence! {
    /// `LogicalChannelRateAcknowledge`.
    LogicalChannelRateAcknowledge {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        logical_channel_number "logicalChannelNumber": u16 as LogicalChannelNumber,
        maximum_bit_rate "maximumBitRate": u32 as MaximumBitRate,
        ...
    }
}

sequence! {
    /// `LogicalChannelRateReject`.
    LogicalChannelRateReject {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        logical_channel_number "logicalChannelNumber": u16 as LogicalChannelNumber,
        reject_reason "rejectReason": LogicalChannelRateRejectReason,
        current_maximum_bit_rate "currentMaximumBitRate"?: u32 as MaximumBitRate,
        ...
    }
}

choice! {
    /// `LogicalChannelRateRejectReason`.
    LogicalChannelRateRejectReason {
        0 UndefinedReason "undefinedReason",
        1 InsufficientResources "insufficientResources",
        ...
    }
}

sequence! {
    /// `LogicalChannelRateRelease`.
    #[derive(Default)]
    LogicalChannelRateRelease {
        ...
    }
}
