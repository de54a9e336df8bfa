//! RAS: the end of a call (DRQ, DCF, DRJ).

use super::capacity::{CallCapacity, CircuitInfo};
use super::common::{
    CallIdentifier, CallLinkage, CallReferenceValue, ConferenceIdentifier, EndpointIdentifier,
    GatekeeperIdentifier, NonStandardParameter, RequestSeqNum,
};
use super::gatekeeper::{AltGKInfo, AlternateGK};
use super::generic::GenericData;
use super::security::{CryptoH323Token, Icv, SecurityErrors2};
use super::service::{CallTerminationCause, RasUsageInformation, ServiceControlSession};
use crate::per::BmpString;
use crate::per::notation::{choice, sequence};
use crate::schema::h235;

sequence! {
    /// DRQ: a call has ended, or must end.
    DisengageRequest {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        endpoint_identifier "endpointIdentifier": BmpString as EndpointIdentifier,
        conference_id "conferenceID": [u8; 16] as ConferenceIdentifier,
        call_reference_value "callReferenceValue": u16 as CallReferenceValue,
        disengage_reason "disengageReason": DisengageReason,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
        call_identifier "callIdentifier": CallIdentifier,
        gatekeeper_identifier "gatekeeperIdentifier": BmpString as GatekeeperIdentifier,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue": Icv,
        answered_call "answeredCall": bool,
        call_linkage "callLinkage": CallLinkage,
        capacity "capacity": CallCapacity,
        circuit_info "circuitInfo": Box<CircuitInfo>,
        usage_information "usageInformation": RasUsageInformation,
        termination_cause "terminationCause": CallTerminationCause,
        service_control "serviceControl": Vec<ServiceControlSession>,
        generic_data "genericData": Vec<GenericData>,
    }
}

choice! {
    /// Why a call ended.
    DisengageReason {
        0 ForcedDrop "forcedDrop",
        1 NormalDrop "normalDrop",
        2 UndefinedReason "undefinedReason",
        ...
    }
}

sequence! {
    /// DCF: noted.
    DisengageConfirm {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue": Icv,
        capacity "capacity": CallCapacity,
        circuit_info "circuitInfo": Box<CircuitInfo>,
        usage_information "usageInformation": RasUsageInformation,
        generic_data "genericData": Vec<GenericData>,
        assigned_gatekeeper "assignedGatekeeper": AlternateGK,
    }
}

sequence! {
    /// DRJ: there is no such call.
    DisengageReject {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        reject_reason "rejectReason": DisengageRejectReason,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
        alt_gk_info "altGKInfo": AltGKInfo,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue": Icv,
        generic_data "genericData": Vec<GenericData>,
    }
}

choice! {
    /// Why a disengagement is refused.
    DisengageRejectReason {
        0 NotRegistered "notRegistered",
        1 RequestToDropOther "requestToDropOther",
        ...
        0 SecurityDenial "securityDenial",
        1 SecurityError "securityError": SecurityErrors2,
    }
}
