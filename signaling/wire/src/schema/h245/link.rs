//! The link itself: round trip, loops, multilink, bit rates of channels.

use super::channel::LogicalChannelNumber;
use super::message::{NonStandardMessage, SequenceNumber};
use crate::per::notation::{choice, sequence};
use crate::per::{Ia5, Int, List, Numeric, Plain};

sequence! {
    /// A ping, also to see whether the peer lives.
    #[derive(Default)]
    RoundTripDelayRequest {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        ...
    }
}

sequence! {
    /// Its answer.
    #[derive(Default)]
    RoundTripDelayResponse {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        ...
    }
}

sequence! {
    /// Asks the peer to loop media back.
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
    /// It does.
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
    /// It does not.
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
    /// Ends all loops.
    #[derive(Default)]
    MaintenanceLoopOffCommand {
        ...
    }
}

choice! {
    /// A request about links of several connections (H.324 Annex F).
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
    /// The response to it.
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
    /// An indication about such links.
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
    /// Numbers to dial for more connections.
    DialingInformation {
        0 NonStandard "nonStandard": Box<NonStandardMessage>,
        1 Differential "differential": Vec<DialingInformationNumber> as List<1, 65_535>,
        2 InfoNotAvailable "infoNotAvailable": u16 as Int<1, 65_535>,
        ...
    }
}

sequence! {
    /// One of the numbers.
    DialingInformationNumber {
        network_address "networkAddress": String as Numeric<0, 40>,
        sub_address "subAddress"?: String as Ia5<1, 40>,
        network_type "networkType": Vec<DialingInformationNetworkType> as List<1, 255>,
        ...
    }
}

choice! {
    /// The network to dial in.
    DialingInformationNetworkType {
        0 NonStandard "nonStandard": Box<NonStandardMessage>,
        1 NIsdn "n-isdn",
        2 Gstn "gstn",
        ...
        0 Mobile "mobile",
    }
}

sequence! {
    /// One connection of a link.
    #[derive(Default)]
    ConnectionIdentifier {
        channel_tag "channelTag": u32,
        sequence_number "sequenceNumber": u32,
        ...
    }
}

/// Bit rate in units of 100 bit/s.
pub(crate) type MaximumBitRate = Plain;

sequence! {
    /// Asks for another bit rate of a channel.
    LogicalChannelRateRequest {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        logical_channel_number "logicalChannelNumber": u16 as LogicalChannelNumber,
        maximum_bit_rate "maximumBitRate": u32 as MaximumBitRate,
        ...
    }
}

sequence! {
    /// The rate is granted.
    LogicalChannelRateAcknowledge {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        logical_channel_number "logicalChannelNumber": u16 as LogicalChannelNumber,
        maximum_bit_rate "maximumBitRate": u32 as MaximumBitRate,
        ...
    }
}

sequence! {
    /// The rate is refused.
    LogicalChannelRateReject {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        logical_channel_number "logicalChannelNumber": u16 as LogicalChannelNumber,
        reject_reason "rejectReason": LogicalChannelRateRejectReason,
        current_maximum_bit_rate "currentMaximumBitRate"?: u32 as MaximumBitRate,
        ...
    }
}

choice! {
    /// Why it is refused.
    LogicalChannelRateRejectReason {
        0 UndefinedReason "undefinedReason",
        1 InsufficientResources "insufficientResources",
        ...
    }
}

sequence! {
    /// Gives up after a time-out.
    #[derive(Default)]
    LogicalChannelRateRelease {
        ...
    }
}
