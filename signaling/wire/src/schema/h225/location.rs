//! RAS: locating a destination (LRQ, LCF, LRJ).

use super::address::{AliasAddress, PartyNumber, TransportAddress};
use super::capacity::CircuitInfo;
use super::common::{
    BandWidth, CallIdentifier, EndpointIdentifier, GatekeeperIdentifier, NonStandardParameter, RequestSeqNum,
};
use super::endpoint::{EndpointType, SupportedProtocols, TunnelledProtocol};
use super::gatekeeper::{AltGKInfo, AlternateTransportAddresses, Endpoint};
use super::generic::{FeatureSet, GenericData};
use super::security::{CryptoH323Token, Icv, SecurityErrors2};
use super::service::ServiceControlSession;
use crate::per::notation::{choice, sequence};
use crate::per::{BmpString, Ia5, Int, List, UNBOUNDED};
use crate::schema::h235;

sequence! {
    /// LRQ: where is this destination?
    LocationRequest {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        endpoint_identifier "endpointIdentifier"?: BmpString as EndpointIdentifier,
        destination_info "destinationInfo": Vec<AliasAddress>,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        reply_address "replyAddress": TransportAddress,
        ...
        source_info "sourceInfo": Vec<AliasAddress>,
        can_map_alias "canMapAlias": bool,
        gatekeeper_identifier "gatekeeperIdentifier": BmpString as GatekeeperIdentifier,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue": Icv,
        desired_protocols "desiredProtocols": Vec<SupportedProtocols>,
        desired_tunnelled_protocol "desiredTunnelledProtocol": TunnelledProtocol,
        feature_set "featureSet": FeatureSet,
        generic_data "genericData": Vec<GenericData>,
        hop_count "hopCount": u8 as Int<1, 255>,
        circuit_info "circuitInfo": Box<CircuitInfo>,
        call_identifier "callIdentifier": CallIdentifier,
        band_width "bandWidth": u32 as BandWidth,
        source_endpoint_info "sourceEndpointInfo": Vec<AliasAddress>,
        can_map_src_alias "canMapSrcAlias": bool,
        language "language": Vec<String> as List<0, UNBOUNDED, Ia5<1, 32>>,
    }
}

sequence! {
    /// LCF: here it is.
    LocationConfirm {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        call_signal_address "callSignalAddress": TransportAddress,
        ras_address "rasAddress": TransportAddress,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
        destination_info "destinationInfo": Vec<AliasAddress>,
        dest_extra_call_info "destExtraCallInfo": Vec<AliasAddress>,
        destination_type "destinationType": Box<EndpointType>,
        remote_extension_address "remoteExtensionAddress": Vec<AliasAddress>,
        alternate_endpoints "alternateEndpoints": Vec<Endpoint>,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue": Icv,
        alternate_transport_addresses "alternateTransportAddresses": AlternateTransportAddresses,
        supported_protocols "supportedProtocols": Vec<SupportedProtocols>,
        multiple_calls "multipleCalls": bool,
        feature_set "featureSet": FeatureSet,
        generic_data "genericData": Vec<GenericData>,
        circuit_info "circuitInfo": Box<CircuitInfo>,
        service_control "serviceControl": Vec<ServiceControlSession>,
        modified_src_info "modifiedSrcInfo": Vec<AliasAddress>,
        band_width "bandWidth": u32 as BandWidth,
    }
}

sequence! {
    /// LRJ: not known.
    LocationReject {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        reject_reason "rejectReason": LocationRejectReason,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
        alt_gk_info "altGKInfo": AltGKInfo,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue": Icv,
        feature_set "featureSet": FeatureSet,
        generic_data "genericData": Vec<GenericData>,
        service_control "serviceControl": Vec<ServiceControlSession>,
    }
}

choice! {
    /// Why a location is not told.
    LocationRejectReason {
        0 NotRegistered "notRegistered",
        1 InvalidPermission "invalidPermission",
        2 RequestDenied "requestDenied",
        3 UndefinedReason "undefinedReason",
        ...
        0 SecurityDenial "securityDenial",
        1 AliasesInconsistent "aliasesInconsistent",
        2 RouteCalltoSCN "routeCalltoSCN": Vec<PartyNumber>,
        3 ResourceUnavailable "resourceUnavailable",
        4 GenericDataReason "genericDataReason",
        5 NeededFeatureNotSupported "neededFeatureNotSupported",
        6 HopCountExceeded "hopCountExceeded",
        7 IncompleteAddress "incompleteAddress",
        8 SecurityError "securityError": SecurityErrors2,
        9 SecurityDHmismatch "securityDHmismatch",
        10 NoRouteToDestination "noRouteToDestination",
        11 UnallocatedNumber "unallocatedNumber",
    }
}
