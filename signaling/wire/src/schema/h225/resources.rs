//! RAS: availability of gateways and service control (RAI, RAC, SCI, SCR).

use super::capacity::CallCapacity;
use super::common::{
    CallIdentifier, ConferenceIdentifier, EndpointIdentifier, NonStandardParameter, ProtocolIdentifier,
    RequestSeqNum,
};
use super::endpoint::SupportedProtocols;
use super::generic::{FeatureSet, GenericData};
use super::security::{CryptoH323Token, Icv};
use super::service::ServiceControlSession;
use crate::per::notation::{choice, sequence};
use crate::per::{BmpString, Oid};
use crate::schema::h235;

sequence! {
    /// RAI: a gateway tells whether it can take calls.
    ResourcesAvailableIndicate {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        protocol_identifier "protocolIdentifier": Oid as ProtocolIdentifier,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        endpoint_identifier "endpointIdentifier": BmpString as EndpointIdentifier,
        protocols "protocols": Vec<SupportedProtocols>,
        almost_out_of_resources "almostOutOfResources": bool,
        tokens "tokens"?: Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens"?: Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue"?: Icv,
        ...
        capacity "capacity": CallCapacity,
        generic_data "genericData": Vec<GenericData>,
    }
}

sequence! {
    /// RAC: noted.
    ResourcesAvailableConfirm {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        protocol_identifier "protocolIdentifier": Oid as ProtocolIdentifier,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        tokens "tokens"?: Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens"?: Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue"?: Icv,
        ...
        generic_data "genericData": Vec<GenericData>,
    }
}

sequence! {
    /// SCI: service control information from a gatekeeper or an endpoint.
    ServiceControlIndication {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        service_control "serviceControl": Vec<ServiceControlSession>,
        endpoint_identifier "endpointIdentifier"?: BmpString as EndpointIdentifier,
        call_specific "callSpecific"?: ServiceControlIndicationCallSpecific,
        tokens "tokens"?: Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens"?: Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue"?: Icv,
        feature_set "featureSet"?: FeatureSet,
        generic_data "genericData"?: Vec<GenericData>,
        ...
    }
}

sequence! {
    /// `callSpecific` of [`ServiceControlIndication`].
    ServiceControlIndicationCallSpecific {
        call_identifier "callIdentifier": CallIdentifier,
        conference_id "conferenceID": [u8; 16] as ConferenceIdentifier,
        answered_call "answeredCall": bool,
        ...
    }
}

sequence! {
    /// SCR: the answer to it.
    ServiceControlResponse {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        result "result"?: ServiceControlResponseResult,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        tokens "tokens"?: Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens"?: Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue"?: Icv,
        feature_set "featureSet"?: FeatureSet,
        generic_data "genericData"?: Vec<GenericData>,
        ...
    }
}

choice! {
    /// `result` of [`ServiceControlResponse`].
    ServiceControlResponseResult {
        0 Started "started",
        1 Failed "failed",
        2 Stopped "stopped",
        3 NotAvailable "notAvailable",
        4 NeededFeatureNotSupported "neededFeatureNotSupported",
        ...
    }
}
