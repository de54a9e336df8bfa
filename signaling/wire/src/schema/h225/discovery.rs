//! RAS: finding a gatekeeper (GRQ, GCF, GRJ).

use super::address::{AliasAddress, TransportAddress};
use super::common::{
    GatekeeperIdentifier, NonStandardParameter, ProtocolIdentifier, QseriesOptions, RehomingModel,
    RequestSeqNum,
};
use super::endpoint::EndpointType;
use super::gatekeeper::{AltGKInfo, AlternateGK, Endpoint};
use super::generic::{FeatureSet, GenericData};
use super::security::{CryptoH323Token, Icv, IntegrityMechanism, SecurityErrors};
use crate::per::notation::{choice, sequence};
use crate::per::{BmpString, Oid};
use crate::schema::h235;

sequence! {
    /// GRQ: is there a gatekeeper for me?
    GatekeeperRequest {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        protocol_identifier "protocolIdentifier": Oid as ProtocolIdentifier,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ras_address "rasAddress": TransportAddress,
        endpoint_type "endpointType": EndpointType,
        gatekeeper_identifier "gatekeeperIdentifier"?: BmpString as GatekeeperIdentifier,
        call_services "callServices"?: QseriesOptions,
        endpoint_alias "endpointAlias"?: Vec<AliasAddress>,
        ...
        alternate_endpoints "alternateEndpoints": Vec<Endpoint>,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        authentication_capability "authenticationCapability": Vec<h235::AuthenticationMechanism>,
        algorithm_oids "algorithmOIDs": Vec<Oid>,
        integrity "integrity": Vec<IntegrityMechanism>,
        integrity_check_value "integrityCheckValue": Icv,
        supports_alt_gk "supportsAltGK": (),
        feature_set "featureSet": FeatureSet,
        generic_data "genericData": Vec<GenericData>,
        supports_assigned_gk "supportsAssignedGK": bool,
        assigned_gatekeeper "assignedGatekeeper": AlternateGK,
    }
}

sequence! {
    /// GCF: here is one.
    GatekeeperConfirm {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        protocol_identifier "protocolIdentifier": Oid as ProtocolIdentifier,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        gatekeeper_identifier "gatekeeperIdentifier"?: BmpString as GatekeeperIdentifier,
        ras_address "rasAddress": TransportAddress,
        ...
        alternate_gatekeeper "alternateGatekeeper": Vec<AlternateGK>,
        authentication_mode "authenticationMode": h235::AuthenticationMechanism,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        algorithm_oid "algorithmOID": Oid,
        integrity "integrity": Vec<IntegrityMechanism>,
        integrity_check_value "integrityCheckValue": Icv,
        feature_set "featureSet": FeatureSet,
        generic_data "genericData": Vec<GenericData>,
        assigned_gatekeeper "assignedGatekeeper": AlternateGK,
        rehoming_model "rehomingModel": RehomingModel,
    }
}

sequence! {
    /// GRJ: not here.
    GatekeeperReject {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        protocol_identifier "protocolIdentifier": Oid as ProtocolIdentifier,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        gatekeeper_identifier "gatekeeperIdentifier"?: BmpString as GatekeeperIdentifier,
        reject_reason "rejectReason": GatekeeperRejectReason,
        ...
        alt_gk_info "altGKInfo": AltGKInfo,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue": Icv,
        feature_set "featureSet": FeatureSet,
        generic_data "genericData": Vec<GenericData>,
    }
}

choice! {
    /// Why a gatekeeper does not want an endpoint.
    GatekeeperRejectReason {
        0 ResourceUnavailable "resourceUnavailable",
        1 TerminalExcluded "terminalExcluded",
        2 InvalidRevision "invalidRevision",
        3 UndefinedReason "undefinedReason",
        ...
        0 SecurityDenial "securityDenial",
        1 GenericDataReason "genericDataReason",
        2 NeededFeatureNotSupported "neededFeatureNotSupported",
        3 SecurityError "securityError": SecurityErrors,
    }
}
