//! RAS: admission of calls and their bandwidth (ARQ, ACF, ARJ, BRQ, BCF, BRJ).

use super::address::{AliasAddress, PartyNumber, TransportAddress};
use super::capacity::{CallCapacity, CircuitInfo};
use super::common::{
    BandWidth, CallIdentifier, CallLinkage, CallReferenceValue, ConferenceIdentifier, DataRate,
    EndpointIdentifier, GatekeeperIdentifier, NonStandardParameter, QseriesOptions, RequestSeqNum,
};
use super::endpoint::{EndpointType, SupportedProtocols, TunnelledProtocol};
use super::gatekeeper::{
    AltGKInfo, AlternateGK, AlternateTransportAddresses, Endpoint, UseSpecifiedTransport,
};
use super::generic::{FeatureSet, GenericData};
use super::security::{CryptoH323Token, Icv, SecurityErrors2};
use super::service::{BandwidthDetails, RasUsageInformation, RasUsageSpecification, ServiceControlSession};
use crate::per::notation::{choice, sequence};
use crate::per::{BmpString, Ia5, Int, List, UNBOUNDED};
use crate::schema::h235;
use crate::schema::h245;

sequence! {
    /// ARQ: may I make, or take, this call?
    AdmissionRequest {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        call_type "callType": CallType,
        call_model "callModel"?: CallModel,
        endpoint_identifier "endpointIdentifier": BmpString as EndpointIdentifier,
        destination_info "destinationInfo"?: Vec<AliasAddress>,
        dest_call_signal_address "destCallSignalAddress"?: TransportAddress,
        dest_extra_call_info "destExtraCallInfo"?: Vec<AliasAddress>,
        src_info "srcInfo": Vec<AliasAddress>,
        src_call_signal_address "srcCallSignalAddress"?: TransportAddress,
        band_width "bandWidth": u32 as BandWidth,
        call_reference_value "callReferenceValue": u16 as CallReferenceValue,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        call_services "callServices"?: QseriesOptions,
        conference_id "conferenceID": [u8; 16] as ConferenceIdentifier,
        active_mc "activeMC": bool,
        answer_call "answerCall": bool,
        ...
        can_map_alias "canMapAlias": bool,
        call_identifier "callIdentifier": CallIdentifier,
        src_alternatives "srcAlternatives": Vec<Endpoint>,
        dest_alternatives "destAlternatives": Vec<Endpoint>,
        gatekeeper_identifier "gatekeeperIdentifier": BmpString as GatekeeperIdentifier,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue": Icv,
        transport_qos "transportQOS": TransportQOS,
        will_supply_uuies "willSupplyUUIEs": bool,
        call_linkage "callLinkage": CallLinkage,
        gateway_data_rate "gatewayDataRate": DataRate,
        capacity "capacity": CallCapacity,
        circuit_info "circuitInfo": Box<CircuitInfo>,
        desired_protocols "desiredProtocols": Vec<SupportedProtocols>,
        desired_tunnelled_protocol "desiredTunnelledProtocol": TunnelledProtocol,
        feature_set "featureSet": FeatureSet,
        generic_data "genericData": Vec<GenericData>,
        can_map_src_alias "canMapSrcAlias": bool,
    }
}

choice! {
    /// The shape of a call: point to point, or to and from many.
    CallType {
        0 PointToPoint "pointToPoint",
        1 OneToN "oneToN",
        2 NToOne "nToOne",
        3 NToN "nToN",
        ...
    }
}

choice! {
    /// Whether call signalling goes straight or through the gatekeeper.
    CallModel {
        0 Direct "direct",
        1 GatekeeperRouted "gatekeeperRouted",
        ...
    }
}

choice! {
    /// Who reserves resources for the media.
    TransportQOS {
        0 EndpointControlled "endpointControlled",
        1 GatekeeperControlled "gatekeeperControlled",
        2 NoControl "noControl",
        ...
        0 QOSCapabilities "qOSCapabilities": Vec<h245::QOSCapability> as List<1, 256>,
    }
}

sequence! {
    /// ACF: you may; here is where to signal.
    AdmissionConfirm {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        band_width "bandWidth": u32 as BandWidth,
        call_model "callModel": CallModel,
        dest_call_signal_address "destCallSignalAddress": TransportAddress,
        irr_frequency "irrFrequency"?: u16 as Int<1, 65_535>,
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
        transport_qos "transportQOS": TransportQOS,
        will_respond_to_irr "willRespondToIRR": bool,
        uuies_requested "uuiesRequested": UUIEsRequested,
        language "language": Vec<String> as List<0, UNBOUNDED, Ia5<1, 32>>,
        alternate_transport_addresses "alternateTransportAddresses": AlternateTransportAddresses,
        use_specified_transport "useSpecifiedTransport": UseSpecifiedTransport,
        circuit_info "circuitInfo": Box<CircuitInfo>,
        usage_spec "usageSpec": Vec<RasUsageSpecification>,
        supported_protocols "supportedProtocols": Vec<SupportedProtocols>,
        service_control "serviceControl": Vec<ServiceControlSession>,
        multiple_calls "multipleCalls": bool,
        feature_set "featureSet": FeatureSet,
        generic_data "genericData": Vec<GenericData>,
        modified_src_info "modifiedSrcInfo": Vec<AliasAddress>,
        assigned_gatekeeper "assignedGatekeeper": AlternateGK,
    }
}

sequence! {
    /// Which call signalling messages are to be reported to the gatekeeper.
    #[derive(Default)]
    UUIEsRequested {
        setup "setup": bool,
        call_proceeding "callProceeding": bool,
        connect "connect": bool,
        alerting "alerting": bool,
        information "information": bool,
        release_complete "releaseComplete": bool,
        facility "facility": bool,
        progress "progress": bool,
        empty "empty": bool,
        ...
        status "status": bool,
        status_inquiry "statusInquiry": bool,
        setup_acknowledge "setupAcknowledge": bool,
        notify "notify": bool,
    }
}

sequence! {
    /// ARJ: you may not.
    AdmissionReject {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        reject_reason "rejectReason": AdmissionRejectReason,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
        alt_gk_info "altGKInfo": AltGKInfo,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        call_signal_address "callSignalAddress": Vec<TransportAddress>,
        integrity_check_value "integrityCheckValue": Icv,
        service_control "serviceControl": Vec<ServiceControlSession>,
        feature_set "featureSet": FeatureSet,
        generic_data "genericData": Vec<GenericData>,
        assigned_gatekeeper "assignedGatekeeper": AlternateGK,
    }
}

choice! {
    /// Why a call is not admitted.
    AdmissionRejectReason {
        0 CalledPartyNotRegistered "calledPartyNotRegistered",
        1 InvalidPermission "invalidPermission",
        2 RequestDenied "requestDenied",
        3 UndefinedReason "undefinedReason",
        4 CallerNotRegistered "callerNotRegistered",
        5 RouteCallToGatekeeper "routeCallToGatekeeper",
        6 InvalidEndpointIdentifier "invalidEndpointIdentifier",
        7 ResourceUnavailable "resourceUnavailable",
        ...
        0 SecurityDenial "securityDenial",
        1 QosControlNotSupported "qosControlNotSupported",
        2 IncompleteAddress "incompleteAddress",
        3 AliasesInconsistent "aliasesInconsistent",
        4 RouteCallToSCN "routeCallToSCN": Vec<PartyNumber>,
        5 ExceedsCallCapacity "exceedsCallCapacity",
        6 CollectDestination "collectDestination",
        7 CollectPIN "collectPIN",
        8 GenericDataReason "genericDataReason",
        9 NeededFeatureNotSupported "neededFeatureNotSupported",
        10 SecurityError "securityError": SecurityErrors2,
        11 SecurityDHmismatch "securityDHmismatch",
        12 NoRouteToDestination "noRouteToDestination",
        13 UnallocatedNumber "unallocatedNumber",
        14 RegisterWithAssignedGK "registerWithAssignedGK",
    }
}

sequence! {
    /// BRQ: asks to change the bandwidth of a call.
    BandwidthRequest {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        endpoint_identifier "endpointIdentifier": BmpString as EndpointIdentifier,
        conference_id "conferenceID": [u8; 16] as ConferenceIdentifier,
        call_reference_value "callReferenceValue": u16 as CallReferenceValue,
        call_type "callType"?: CallType,
        band_width "bandWidth": u32 as BandWidth,
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
        usage_information "usageInformation": RasUsageInformation,
        bandwidth_details "bandwidthDetails": Vec<BandwidthDetails>,
        generic_data "genericData": Vec<GenericData>,
        transport_qos "transportQOS": TransportQOS,
    }
}

sequence! {
    /// BCF: the bandwidth is granted.
    BandwidthConfirm {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        band_width "bandWidth": u32 as BandWidth,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue": Icv,
        capacity "capacity": CallCapacity,
        generic_data "genericData": Vec<GenericData>,
        transport_qos "transportQOS": TransportQOS,
    }
}

sequence! {
    /// BRJ: the bandwidth is refused.
    BandwidthReject {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        reject_reason "rejectReason": BandRejectReason,
        allowed_band_width "allowedBandWidth": u32 as BandWidth,
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
    /// Why bandwidth is refused.
    BandRejectReason {
        0 NotBound "notBound",
        1 InvalidConferenceID "invalidConferenceID",
        2 InvalidPermission "invalidPermission",
        3 InsufficientResources "insufficientResources",
        4 InvalidRevision "invalidRevision",
        5 UndefinedReason "undefinedReason",
        ...
        0 SecurityDenial "securityDenial",
        1 SecurityError "securityError": SecurityErrors2,
    }
}
