//! The envelope of call signalling: what the User-user IE of a Q.931 message holds.
//! Not here: the bodies (`call.rs`).

use bytes::Bytes;

use super::call::{
    AlertingUuie, CallProceedingUuie, ConnectUuie, FacilityUuie, InformationUuie, NotifyUuie, ProgressUuie,
    ReleaseCompleteUuie, SetupAcknowledgeUuie, SetupUuie, StatusInquiryUuie, StatusUuie,
};
use super::common::{CallLinkage, NonStandardParameter};
use super::endpoint::TunnelledProtocol;
use super::generic::GenericData;
use crate::per::Octets;
use crate::per::notation::{choice, sequence};

sequence! {
    /// Contents of the Q.931 User-user IE of every call signalling message: `H323-UserInformation`.
    H323UserInformation {
        h323_uu_pdu "h323-uu-pdu": H323UuPdu,
        user_data "user-data"?: H323UserInformationUserData,
        ...
    }
}

sequence! {
    /// User data as in Q.931, beside the H.323 part.
    H323UserInformationUserData {
        protocol_discriminator "protocol-discriminator": u8,
        user_information "user-information": Bytes as Octets<1, 131>,
        ...
    }
}

sequence! {
    /// The H.323 part of a call signalling message, with what it tunnels: `H323-UU-PDU`.
    H323UuPdu {
        h323_message_body "h323-message-body": H323UuPduH323MessageBody,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
        h4501_supplementary_service "h4501SupplementaryService": Vec<Bytes>,
        h245_tunnelling "h245Tunnelling": bool,
        h245_control "h245Control": Vec<Bytes>,
        non_standard_control "nonStandardControl": Vec<NonStandardParameter>,
        call_linkage "callLinkage": CallLinkage,
        tunnelled_signalling_message "tunnelledSignallingMessage": H323UuPduTunnelledSignallingMessage,
        provisional_resp_to_h245_tunnelling "provisionalRespToH245Tunnelling": (),
        stimulus_control "stimulusControl": StimulusControl,
        generic_data "genericData": Vec<GenericData>,
    }
}

choice! {
    /// The body that belongs to the Q.931 message type, or `empty` for a carrier of H.245.
    H323UuPduH323MessageBody {
        0 Setup "setup": Box<SetupUuie>,
        1 CallProceeding "callProceeding": Box<CallProceedingUuie>,
        2 Connect "connect": Box<ConnectUuie>,
        3 Alerting "alerting": Box<AlertingUuie>,
        4 Information "information": Box<InformationUuie>,
        5 ReleaseComplete "releaseComplete": Box<ReleaseCompleteUuie>,
        6 Facility "facility": Box<FacilityUuie>,
        ...
        0 Progress "progress": Box<ProgressUuie>,
        1 Empty "empty",
        2 Status "status": Box<StatusUuie>,
        3 StatusInquiry "statusInquiry": Box<StatusInquiryUuie>,
        4 SetupAcknowledge "setupAcknowledge": Box<SetupAcknowledgeUuie>,
        5 Notify "notify": Box<NotifyUuie>,
    }
}

sequence! {
    /// Messages of another signalling protocol (QSIG, ISUP), carried along (Annex M).
    H323UuPduTunnelledSignallingMessage {
        tunnelled_protocol_id "tunnelledProtocolID": TunnelledProtocol,
        message_content "messageContent": Vec<Bytes>,
        tunnelling_required "tunnellingRequired"?: (),
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
    }
}

sequence! {
    /// Stimulus signalling on top of the call (H.323 Annex L): `StimulusControl`.
    #[derive(Default)]
    StimulusControl {
        non_standard "nonStandard"?: NonStandardParameter,
        is_text "isText"?: (),
        h248_message "h248Message"?: Bytes,
        ...
    }
}
