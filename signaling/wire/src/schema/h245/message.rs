//! The four kinds of H.245 message, and the extensibility frameworks around them.

use bytes::Bytes;

use super::capability::{
    TerminalCapabilitySet, TerminalCapabilitySetAck, TerminalCapabilitySetReject,
    TerminalCapabilitySetRelease,
};
use super::channel::{
    CloseLogicalChannel, CloseLogicalChannelAck, OpenLogicalChannel, OpenLogicalChannelAck,
    OpenLogicalChannelConfirm, OpenLogicalChannelReject, RequestChannelClose, RequestChannelCloseAck,
    RequestChannelCloseReject, RequestChannelCloseRelease,
};
use super::command::{
    EncryptionCommand, EndSessionCommand, FlowControlCommand, H223MultiplexReconfiguration,
    MiscellaneousCommand, MobileMultilinkReconfigurationCommand, NewATMVCCommand, SendTerminalCapabilitySet,
};
use super::conference::{
    CommunicationModeCommand, CommunicationModeRequest, CommunicationModeResponse, ConferenceCommand,
    ConferenceIndication, ConferenceRequest, ConferenceResponse,
};
use super::generic::{CapabilityIdentifier, GenericParameter};
use super::indication::{
    FlowControlIndication, FunctionNotSupported, FunctionNotUnderstood, H223SkewIndication,
    H2250MaximumSkewIndication, JitterIndication, MCLocationIndication, MiscellaneousIndication,
    MobileMultilinkReconfigurationIndication, NewATMVCIndication, UserInputIndication, VendorIdentification,
};
use super::link::{
    LogicalChannelRateAcknowledge, LogicalChannelRateReject, LogicalChannelRateRelease,
    LogicalChannelRateRequest, MaintenanceLoopAck, MaintenanceLoopOffCommand, MaintenanceLoopReject,
    MaintenanceLoopRequest, MultilinkIndication, MultilinkRequest, MultilinkResponse, RoundTripDelayRequest,
    RoundTripDelayResponse,
};
use super::master_slave::{
    MasterSlaveDetermination, MasterSlaveDeterminationAck, MasterSlaveDeterminationReject,
    MasterSlaveDeterminationRelease,
};
use super::mode::{RequestMode, RequestModeAck, RequestModeReject, RequestModeRelease};
use super::multiplex_table::{
    MultiplexEntrySend, MultiplexEntrySendAck, MultiplexEntrySendReject, MultiplexEntrySendRelease,
    RequestMultiplexEntry, RequestMultiplexEntryAck, RequestMultiplexEntryReject,
    RequestMultiplexEntryRelease,
};
use crate::per::notation::{choice, sequence};
use crate::per::{Int, Oid, Plain};

choice! {
    /// Any H.245 message.
    MultimediaSystemControlMessage {
        0 Request "request": RequestMessage,
        1 Response "response": Box<ResponseMessage>,
        2 Command "command": Box<CommandMessage>,
        3 Indication "indication": Box<IndicationMessage>,
        ...
    }
}

choice! {
    /// A message that wants a response.
    RequestMessage {
        0 NonStandard "nonStandard": Box<NonStandardMessage>,
        1 MasterSlaveDetermination "masterSlaveDetermination": MasterSlaveDetermination,
        2 TerminalCapabilitySet "terminalCapabilitySet": Box<TerminalCapabilitySet>,
        3 OpenLogicalChannel "openLogicalChannel": Box<OpenLogicalChannel>,
        4 CloseLogicalChannel "closeLogicalChannel": Box<CloseLogicalChannel>,
        5 RequestChannelClose "requestChannelClose": Box<RequestChannelClose>,
        6 MultiplexEntrySend "multiplexEntrySend": MultiplexEntrySend,
        7 RequestMultiplexEntry "requestMultiplexEntry": RequestMultiplexEntry,
        8 RequestMode "requestMode": RequestMode,
        9 RoundTripDelayRequest "roundTripDelayRequest": RoundTripDelayRequest,
        10 MaintenanceLoopRequest "maintenanceLoopRequest": MaintenanceLoopRequest,
        ...
        0 CommunicationModeRequest "communicationModeRequest": CommunicationModeRequest,
        1 ConferenceRequest "conferenceRequest": Box<ConferenceRequest>,
        2 MultilinkRequest "multilinkRequest": Box<MultilinkRequest>,
        3 LogicalChannelRateRequest "logicalChannelRateRequest": LogicalChannelRateRequest,
        4 GenericRequest "genericRequest": Box<GenericMessage>,
    }
}

choice! {
    /// The response to a request.
    ResponseMessage {
        0 NonStandard "nonStandard": Box<NonStandardMessage>,
        1 MasterSlaveDeterminationAck "masterSlaveDeterminationAck": MasterSlaveDeterminationAck,
        2 MasterSlaveDeterminationReject "masterSlaveDeterminationReject": MasterSlaveDeterminationReject,
        3 TerminalCapabilitySetAck "terminalCapabilitySetAck": TerminalCapabilitySetAck,
        4 TerminalCapabilitySetReject "terminalCapabilitySetReject": Box<TerminalCapabilitySetReject>,
        5 OpenLogicalChannelAck "openLogicalChannelAck": Box<OpenLogicalChannelAck>,
        6 OpenLogicalChannelReject "openLogicalChannelReject": Box<OpenLogicalChannelReject>,
        7 CloseLogicalChannelAck "closeLogicalChannelAck": CloseLogicalChannelAck,
        8 RequestChannelCloseAck "requestChannelCloseAck": RequestChannelCloseAck,
        9 RequestChannelCloseReject "requestChannelCloseReject": RequestChannelCloseReject,
        10 MultiplexEntrySendAck "multiplexEntrySendAck": MultiplexEntrySendAck,
        11 MultiplexEntrySendReject "multiplexEntrySendReject": MultiplexEntrySendReject,
        12 RequestMultiplexEntryAck "requestMultiplexEntryAck": RequestMultiplexEntryAck,
        13 RequestMultiplexEntryReject "requestMultiplexEntryReject": RequestMultiplexEntryReject,
        14 RequestModeAck "requestModeAck": RequestModeAck,
        15 RequestModeReject "requestModeReject": RequestModeReject,
        16 RoundTripDelayResponse "roundTripDelayResponse": RoundTripDelayResponse,
        17 MaintenanceLoopAck "maintenanceLoopAck": MaintenanceLoopAck,
        18 MaintenanceLoopReject "maintenanceLoopReject": Box<MaintenanceLoopReject>,
        ...
        0 CommunicationModeResponse "communicationModeResponse": CommunicationModeResponse,
        1 ConferenceResponse "conferenceResponse": Box<ConferenceResponse>,
        2 MultilinkResponse "multilinkResponse": Box<MultilinkResponse>,
        3 LogicalChannelRateAcknowledge "logicalChannelRateAcknowledge": LogicalChannelRateAcknowledge,
        4 LogicalChannelRateReject "logicalChannelRateReject": Box<LogicalChannelRateReject>,
        5 GenericResponse "genericResponse": Box<GenericMessage>,
    }
}

choice! {
    /// A message that wants an action, but no response.
    CommandMessage {
        0 NonStandard "nonStandard": Box<NonStandardMessage>,
        1 MaintenanceLoopOffCommand "maintenanceLoopOffCommand": MaintenanceLoopOffCommand,
        2 SendTerminalCapabilitySet "sendTerminalCapabilitySet": Box<SendTerminalCapabilitySet>,
        3 EncryptionCommand "encryptionCommand": EncryptionCommand,
        4 FlowControlCommand "flowControlCommand": Box<FlowControlCommand>,
        5 EndSessionCommand "endSessionCommand": EndSessionCommand,
        6 MiscellaneousCommand "miscellaneousCommand": Box<MiscellaneousCommand>,
        ...
        0 CommunicationModeCommand "communicationModeCommand": CommunicationModeCommand,
        1 ConferenceCommand "conferenceCommand": ConferenceCommand,
        2 H223MultiplexReconfiguration "h223MultiplexReconfiguration": H223MultiplexReconfiguration,
        3 NewATMVCCommand "newATMVCCommand": Box<NewATMVCCommand>,
        4 MobileMultilinkReconfigurationCommand "mobileMultilinkReconfigurationCommand": MobileMultilinkReconfigurationCommand,
        5 GenericCommand "genericCommand": Box<GenericMessage>,
    }
}

choice! {
    /// A message that wants neither.
    IndicationMessage {
        0 NonStandard "nonStandard": Box<NonStandardMessage>,
        1 FunctionNotUnderstood "functionNotUnderstood": Box<FunctionNotUnderstood>,
        2 MasterSlaveDeterminationRelease "masterSlaveDeterminationRelease": MasterSlaveDeterminationRelease,
        3 TerminalCapabilitySetRelease "terminalCapabilitySetRelease": TerminalCapabilitySetRelease,
        4 OpenLogicalChannelConfirm "openLogicalChannelConfirm": OpenLogicalChannelConfirm,
        5 RequestChannelCloseRelease "requestChannelCloseRelease": RequestChannelCloseRelease,
        6 MultiplexEntrySendRelease "multiplexEntrySendRelease": MultiplexEntrySendRelease,
        7 RequestMultiplexEntryRelease "requestMultiplexEntryRelease": RequestMultiplexEntryRelease,
        8 RequestModeRelease "requestModeRelease": RequestModeRelease,
        9 MiscellaneousIndication "miscellaneousIndication": MiscellaneousIndication,
        10 JitterIndication "jitterIndication": Box<JitterIndication>,
        11 H223SkewIndication "h223SkewIndication": H223SkewIndication,
        12 NewATMVCIndication "newATMVCIndication": Box<NewATMVCIndication>,
        13 UserInput "userInput": UserInputIndication,
        ...
        0 H2250MaximumSkewIndication "h2250MaximumSkewIndication": H2250MaximumSkewIndication,
        1 McLocationIndication "mcLocationIndication": MCLocationIndication,
        2 ConferenceIndication "conferenceIndication": ConferenceIndication,
        3 VendorIdentification "vendorIdentification": Box<VendorIdentification>,
        4 FunctionNotSupported "functionNotSupported": Box<FunctionNotSupported>,
        5 MultilinkIndication "multilinkIndication": MultilinkIndication,
        6 LogicalChannelRateRelease "logicalChannelRateRelease": LogicalChannelRateRelease,
        7 FlowControlIndication "flowControlIndication": Box<FlowControlIndication>,
        8 MobileMultilinkReconfigurationIndication "mobileMultilinkReconfigurationIndication": MobileMultilinkReconfigurationIndication,
        9 GenericIndication "genericIndication": Box<GenericMessage>,
    }
}

/// Number of a request, repeated in its response.
pub(crate) type SequenceNumber = Plain;

sequence! {
    /// A message of the generic extensibility framework.
    GenericMessage {
        message_identifier "messageIdentifier": CapabilityIdentifier,
        sub_message_identifier "subMessageIdentifier"?: u8 as Int<0, 127>,
        message_content "messageContent"?: Vec<GenericParameter>,
        ...
    }
}

/// Generic messages that ride on another message.
pub type GenericInformation = GenericMessage;

sequence! {
    /// A proprietary message.
    NonStandardMessage {
        non_standard_data "nonStandardData": NonStandardParameter,
        ...
    }
}

sequence! {
    /// Proprietary data and who defined it.
    NonStandardParameter {
        non_standard_identifier "nonStandardIdentifier": NonStandardIdentifier,
        data "data": Bytes,
    }
}

choice! {
    /// Who defined proprietary data.
    NonStandardIdentifier {
        0 Object "object": Oid,
        1 H221NonStandard "h221NonStandard": NonStandardIdentifierH221NonStandard,
    }
}

sequence! {
    /// A manufacturer by T.35 country code, as in H.221.
    #[derive(Default)]
    NonStandardIdentifierH221NonStandard {
        t35_country_code "t35CountryCode": u8,
        t35_extension "t35Extension": u8,
        manufacturer_code "manufacturerCode": u16,
    }
}
