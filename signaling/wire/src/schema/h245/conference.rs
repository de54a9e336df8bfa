//! Conference control and the communication mode of a conference.

use bytes::Bytes;

use super::address::TransportAddress;
use super::audio::AudioCapability;
use super::channel::LogicalChannelNumber;
use super::channel_parameters::RedundancyEncoding;
use super::data::DataApplicationCapability;
use super::message::NonStandardParameter;
use super::video::VideoCapability;
use crate::per::notation::{choice, sequence};
use crate::per::{Bmp, BmpString, Int, List, Octets, Oid};

sequence! {
    /// A conference's controller tells the mode of communication.
    CommunicationModeCommand {
        communication_mode_table "communicationModeTable": Vec<CommunicationModeTableEntry> as List<1, 256>,
        ...
    }
}

sequence! {
    /// Asks for it.
    #[derive(Default)]
    CommunicationModeRequest {
        ...
    }
}

choice! {
    /// Answers with it.
    CommunicationModeResponse {
        0 CommunicationModeTable "communicationModeTable": Vec<CommunicationModeTableEntry> as List<1, 256>,
        ...
    }
}

sequence! {
    /// One session of a conference.
    CommunicationModeTableEntry {
        non_standard "nonStandard"?: Vec<NonStandardParameter>,
        session_id "sessionID": u8 as Int<1, 255>,
        associated_session_id "associatedSessionID"?: u8 as Int<1, 255>,
        terminal_label "terminalLabel"?: TerminalLabel,
        session_description "sessionDescription": BmpString as Bmp<1, 128>,
        data_type "dataType": CommunicationModeTableEntryDataType,
        media_channel "mediaChannel"?: TransportAddress,
        media_guaranteed_delivery "mediaGuaranteedDelivery"?: bool,
        media_control_channel "mediaControlChannel"?: TransportAddress,
        media_control_guaranteed_delivery "mediaControlGuaranteedDelivery"?: bool,
        ...
        redundancy_encoding "redundancyEncoding": RedundancyEncoding,
        session_dependency "sessionDependency": u8 as Int<1, 255>,
        destination "destination": TerminalLabel,
    }
}

choice! {
    /// `dataType` of [`CommunicationModeTableEntry`].
    CommunicationModeTableEntryDataType {
        0 VideoData "videoData": VideoCapability,
        1 AudioData "audioData": AudioCapability,
        2 Data "data": Box<DataApplicationCapability>,
        ...
    }
}

choice! {
    /// A request of conference control.
    ConferenceRequest {
        0 TerminalListRequest "terminalListRequest",
        1 MakeMeChair "makeMeChair",
        2 CancelMakeMeChair "cancelMakeMeChair",
        3 DropTerminal "dropTerminal": TerminalLabel,
        4 RequestTerminalID "requestTerminalID": TerminalLabel,
        5 EnterH243Password "enterH243Password",
        6 EnterH243TerminalID "enterH243TerminalID",
        7 EnterH243ConferenceID "enterH243ConferenceID",
        ...
        0 EnterExtensionAddress "enterExtensionAddress",
        1 RequestChairTokenOwner "requestChairTokenOwner",
        2 RequestTerminalCertificate "requestTerminalCertificate": ConferenceRequestRequestTerminalCertificate,
        3 BroadcastMyLogicalChannel "broadcastMyLogicalChannel": u16 as LogicalChannelNumber,
        4 MakeTerminalBroadcaster "makeTerminalBroadcaster": TerminalLabel,
        5 SendThisSource "sendThisSource": TerminalLabel,
        6 RequestAllTerminalIDs "requestAllTerminalIDs",
        7 RemoteMCRequest "remoteMCRequest": RemoteMCRequest,
    }
}

sequence! {
    /// `requestTerminalCertificate` of [`ConferenceRequest`].
    #[derive(Default)]
    ConferenceRequestRequestTerminalCertificate {
        terminal_label "terminalLabel"?: TerminalLabel,
        cert_selection_criteria "certSelectionCriteria"?: Vec<Criteria> as CertSelectionCriteria,
        s_random "sRandom"?: u32 as Int<1, 4_294_967_295>,
        ...
    }
}

/// Which certificates would do.
pub(crate) type CertSelectionCriteria = List<1, 16>;

sequence! {
    /// One criterion.
    Criteria {
        field "field": Oid,
        value "value": Bytes as Octets<1, 65_535>,
        ...
    }
}

sequence! {
    /// MCU number and terminal number of a terminal in a conference.
    TerminalLabel {
        mcu_number "mcuNumber": u8 as McuNumber,
        terminal_number "terminalNumber": u8 as TerminalNumber,
        ...
    }
}

/// Number of an MCU.
pub(crate) type McuNumber = Int<0, 192>;

/// Number of a terminal.
pub(crate) type TerminalNumber = Int<0, 192>;

choice! {
    /// A response of conference control.
    ConferenceResponse {
        0 MCTerminalIDResponse "mCTerminalIDResponse": ConferenceResponseMCTerminalIDResponse,
        1 TerminalIDResponse "terminalIDResponse": ConferenceResponseTerminalIDResponse,
        2 ConferenceIDResponse "conferenceIDResponse": ConferenceResponseConferenceIDResponse,
        3 PasswordResponse "passwordResponse": ConferenceResponsePasswordResponse,
        4 TerminalListResponse "terminalListResponse": Vec<TerminalLabel> as List<1, 256>,
        5 VideoCommandReject "videoCommandReject",
        6 TerminalDropReject "terminalDropReject",
        7 MakeMeChairResponse "makeMeChairResponse": ConferenceResponseMakeMeChairResponse,
        ...
        0 ExtensionAddressResponse "extensionAddressResponse": ConferenceResponseExtensionAddressResponse,
        1 ChairTokenOwnerResponse "chairTokenOwnerResponse": ConferenceResponseChairTokenOwnerResponse,
        2 TerminalCertificateResponse "terminalCertificateResponse": ConferenceResponseTerminalCertificateResponse,
        3 BroadcastMyLogicalChannelResponse "broadcastMyLogicalChannelResponse": ConferenceResponseBroadcastMyLogicalChannelResponse,
        4 MakeTerminalBroadcasterResponse "makeTerminalBroadcasterResponse": ConferenceResponseMakeTerminalBroadcasterResponse,
        5 SendThisSourceResponse "sendThisSourceResponse": ConferenceResponseSendThisSourceResponse,
        6 RequestAllTerminalIDsResponse "requestAllTerminalIDsResponse": RequestAllTerminalIDsResponse,
        7 RemoteMCResponse "remoteMCResponse": RemoteMCResponse,
    }
}

sequence! {
    /// `mCTerminalIDResponse` of [`ConferenceResponse`].
    ConferenceResponseMCTerminalIDResponse {
        terminal_label "terminalLabel": TerminalLabel,
        terminal_id "terminalID": Bytes as TerminalID,
        ...
    }
}

sequence! {
    /// `terminalIDResponse` of [`ConferenceResponse`].
    ConferenceResponseTerminalIDResponse {
        terminal_label "terminalLabel": TerminalLabel,
        terminal_id "terminalID": Bytes as TerminalID,
        ...
    }
}

sequence! {
    /// `conferenceIDResponse` of [`ConferenceResponse`].
    ConferenceResponseConferenceIDResponse {
        terminal_label "terminalLabel": TerminalLabel,
        conference_id "conferenceID": Bytes as ConferenceID,
        ...
    }
}

sequence! {
    /// `passwordResponse` of [`ConferenceResponse`].
    ConferenceResponsePasswordResponse {
        terminal_label "terminalLabel": TerminalLabel,
        password "password": Bytes as Password,
        ...
    }
}

choice! {
    /// `makeMeChairResponse` of [`ConferenceResponse`].
    ConferenceResponseMakeMeChairResponse {
        0 GrantedChairToken "grantedChairToken",
        1 DeniedChairToken "deniedChairToken",
        ...
    }
}

sequence! {
    /// `extensionAddressResponse` of [`ConferenceResponse`].
    ConferenceResponseExtensionAddressResponse {
        extension_address "extensionAddress": Bytes as TerminalID,
        ...
    }
}

sequence! {
    /// `chairTokenOwnerResponse` of [`ConferenceResponse`].
    ConferenceResponseChairTokenOwnerResponse {
        terminal_label "terminalLabel": TerminalLabel,
        terminal_id "terminalID": Bytes as TerminalID,
        ...
    }
}

sequence! {
    /// `terminalCertificateResponse` of [`ConferenceResponse`].
    #[derive(Default)]
    ConferenceResponseTerminalCertificateResponse {
        terminal_label "terminalLabel"?: TerminalLabel,
        certificate_response "certificateResponse"?: Bytes as Octets<1, 65_535>,
        ...
    }
}

choice! {
    /// `broadcastMyLogicalChannelResponse` of [`ConferenceResponse`].
    ConferenceResponseBroadcastMyLogicalChannelResponse {
        0 GrantedBroadcastMyLogicalChannel "grantedBroadcastMyLogicalChannel",
        1 DeniedBroadcastMyLogicalChannel "deniedBroadcastMyLogicalChannel",
        ...
    }
}

choice! {
    /// `makeTerminalBroadcasterResponse` of [`ConferenceResponse`].
    ConferenceResponseMakeTerminalBroadcasterResponse {
        0 GrantedMakeTerminalBroadcaster "grantedMakeTerminalBroadcaster",
        1 DeniedMakeTerminalBroadcaster "deniedMakeTerminalBroadcaster",
        ...
    }
}

choice! {
    /// `sendThisSourceResponse` of [`ConferenceResponse`].
    ConferenceResponseSendThisSourceResponse {
        0 GrantedSendThisSource "grantedSendThisSource",
        1 DeniedSendThisSource "deniedSendThisSource",
        ...
    }
}

/// Name of a terminal.
pub(crate) type TerminalID = Octets<1, 128>;

/// Name of a conference.
pub(crate) type ConferenceID = Octets<1, 32>;

/// Password of a conference.
pub(crate) type Password = Octets<1, 32>;

sequence! {
    /// Names of all terminals.
    #[derive(Default)]
    RequestAllTerminalIDsResponse {
        terminal_information "terminalInformation": Vec<TerminalInformation>,
        ...
    }
}

sequence! {
    /// Label and name of a terminal.
    TerminalInformation {
        terminal_label "terminalLabel": TerminalLabel,
        terminal_id "terminalID": Bytes as TerminalID,
        ...
    }
}

choice! {
    /// Controls the peer's multipoint controller.
    RemoteMCRequest {
        0 MasterActivate "masterActivate",
        1 SlaveActivate "slaveActivate",
        2 DeActivate "deActivate",
        ...
    }
}

choice! {
    /// Its answer.
    RemoteMCResponse {
        0 Accept "accept",
        1 Reject "reject": RemoteMCResponseReject,
        ...
    }
}

choice! {
    /// `reject` of [`RemoteMCResponse`].
    RemoteMCResponseReject {
        0 Unspecified "unspecified",
        1 FunctionNotSupported "functionNotSupported",
        ...
    }
}

choice! {
    /// A command of conference control.
    ConferenceCommand {
        0 BroadcastMyLogicalChannel "broadcastMyLogicalChannel": u16 as LogicalChannelNumber,
        1 CancelBroadcastMyLogicalChannel "cancelBroadcastMyLogicalChannel": u16 as LogicalChannelNumber,
        2 MakeTerminalBroadcaster "makeTerminalBroadcaster": TerminalLabel,
        3 CancelMakeTerminalBroadcaster "cancelMakeTerminalBroadcaster",
        4 SendThisSource "sendThisSource": TerminalLabel,
        5 CancelSendThisSource "cancelSendThisSource",
        6 DropConference "dropConference",
        ...
        0 SubstituteConferenceIDCommand "substituteConferenceIDCommand": SubstituteConferenceIDCommand,
    }
}

sequence! {
    /// Replaces the identifier of a conference.
    SubstituteConferenceIDCommand {
        conference_identifier "conferenceIdentifier": [u8; 16],
        ...
    }
}

choice! {
    /// An indication of conference control.
    ConferenceIndication {
        0 SbeNumber "sbeNumber": u8 as Int<0, 9>,
        1 TerminalNumberAssign "terminalNumberAssign": TerminalLabel,
        2 TerminalJoinedConference "terminalJoinedConference": TerminalLabel,
        3 TerminalLeftConference "terminalLeftConference": TerminalLabel,
        4 SeenByAtLeastOneOther "seenByAtLeastOneOther",
        5 CancelSeenByAtLeastOneOther "cancelSeenByAtLeastOneOther",
        6 SeenByAll "seenByAll",
        7 CancelSeenByAll "cancelSeenByAll",
        8 TerminalYouAreSeeing "terminalYouAreSeeing": TerminalLabel,
        9 RequestForFloor "requestForFloor",
        ...
        0 WithdrawChairToken "withdrawChairToken",
        1 FloorRequested "floorRequested": TerminalLabel,
        2 TerminalYouAreSeeingInSubPictureNumber "terminalYouAreSeeingInSubPictureNumber": TerminalYouAreSeeingInSubPictureNumber,
        3 VideoIndicateCompose "videoIndicateCompose": VideoIndicateCompose,
        4 MasterMCU "masterMCU",
        5 CancelMasterMCU "cancelMasterMCU",
    }
}

sequence! {
    /// Which terminal is in which part of the picture.
    #[derive(Default)]
    TerminalYouAreSeeingInSubPictureNumber {
        terminal_number "terminalNumber": u8 as TerminalNumber,
        sub_picture_number "subPictureNumber": u8,
        ...
        mcu_number "mcuNumber": u8 as McuNumber,
    }
}

sequence! {
    /// How a picture is composed.
    #[derive(Default)]
    VideoIndicateCompose {
        composition_number "compositionNumber": u8,
        ...
    }
}
