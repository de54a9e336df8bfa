//! RAS: registering with a gatekeeper and leaving it (RRQ, RCF, RRJ, URQ, UCF, URJ).

use bytes::Bytes;

use super::address::{AddressPattern, AliasAddress, TransportAddress};
use super::admission::TransportQOS;
use super::capacity::{CallCapacity, CapacityReportingCapability, CapacityReportingSpecification};
use super::common::{
    BandWidth, EndpointIdentifier, GatekeeperIdentifier, NonStandardParameter, ProtocolIdentifier,
    RehomingModel, RequestSeqNum, SupportedPrefix, TimeToLive,
};
use super::endpoint::{EndpointType, VendorIdentifier};
use super::gatekeeper::{
    AltGKInfo, AlternateGK, AlternateTransportAddresses, Endpoint, UseSpecifiedTransport,
};
use super::generic::{FeatureSet, GenericData};
use super::security::{CryptoH323Token, Icv, SecurityErrors, SecurityErrors2};
use super::service::{
    CallCreditCapability, H248PackagesDescriptor, RasUsageInfoTypes, RasUsageSpecification,
    ServiceControlSession,
};
use crate::per::notation::{choice, sequence};
use crate::per::{BmpString, Ia5, Int, List, Oid, UNBOUNDED};
use crate::schema::h235;

sequence! {
    /// RRQ: register me, or keep my registration alive.
    RegistrationRequest {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        protocol_identifier "protocolIdentifier": Oid as ProtocolIdentifier,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        discovery_complete "discoveryComplete": bool,
        call_signal_address "callSignalAddress": Vec<TransportAddress>,
        ras_address "rasAddress": Vec<TransportAddress>,
        terminal_type "terminalType": EndpointType,
        terminal_alias "terminalAlias"?: Vec<AliasAddress>,
        gatekeeper_identifier "gatekeeperIdentifier"?: BmpString as GatekeeperIdentifier,
        endpoint_vendor "endpointVendor": VendorIdentifier,
        ...
        alternate_endpoints "alternateEndpoints": Vec<Endpoint>,
        time_to_live "timeToLive": u32 as TimeToLive,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue": Icv,
        keep_alive "keepAlive": bool,
        endpoint_identifier "endpointIdentifier": BmpString as EndpointIdentifier,
        will_supply_uuies "willSupplyUUIEs": bool,
        maintain_connection "maintainConnection": bool,
        alternate_transport_addresses "alternateTransportAddresses": AlternateTransportAddresses,
        additive_registration "additiveRegistration": (),
        terminal_alias_pattern "terminalAliasPattern": Vec<AddressPattern>,
        supports_alt_gk "supportsAltGK": (),
        usage_reporting_capability "usageReportingCapability": RasUsageInfoTypes,
        multiple_calls "multipleCalls": bool,
        supported_h248_packages "supportedH248Packages": Vec<Bytes> as List<0, UNBOUNDED, H248PackagesDescriptor>,
        call_credit_capability "callCreditCapability": CallCreditCapability,
        capacity_reporting_capability "capacityReportingCapability": CapacityReportingCapability,
        capacity "capacity": CallCapacity,
        feature_set "featureSet": FeatureSet,
        generic_data "genericData": Vec<GenericData>,
        restart "restart": (),
        supports_acf_sequences "supportsACFSequences": (),
        supports_assigned_gk "supportsAssignedGK": bool,
        assigned_gatekeeper "assignedGatekeeper": AlternateGK,
        transport_qos "transportQOS": TransportQOS,
        language "language": Vec<String> as List<0, UNBOUNDED, Ia5<1, 32>>,
    }
}

sequence! {
    /// RCF: registered, for so long and under these rules.
    RegistrationConfirm {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        protocol_identifier "protocolIdentifier": Oid as ProtocolIdentifier,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        call_signal_address "callSignalAddress": Vec<TransportAddress>,
        terminal_alias "terminalAlias"?: Vec<AliasAddress>,
        gatekeeper_identifier "gatekeeperIdentifier"?: BmpString as GatekeeperIdentifier,
        endpoint_identifier "endpointIdentifier": BmpString as EndpointIdentifier,
        ...
        alternate_gatekeeper "alternateGatekeeper": Vec<AlternateGK>,
        time_to_live "timeToLive": u32 as TimeToLive,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue": Icv,
        will_respond_to_irr "willRespondToIRR": bool,
        pre_granted_arq "preGrantedARQ": RegistrationConfirmPreGrantedARQ,
        maintain_connection "maintainConnection": bool,
        service_control "serviceControl": Vec<ServiceControlSession>,
        supports_additive_registration "supportsAdditiveRegistration": (),
        terminal_alias_pattern "terminalAliasPattern": Vec<AddressPattern>,
        supported_prefixes "supportedPrefixes": Vec<SupportedPrefix>,
        usage_spec "usageSpec": Vec<RasUsageSpecification>,
        feature_server_alias "featureServerAlias": AliasAddress,
        capacity_reporting_spec "capacityReportingSpec": CapacityReportingSpecification,
        feature_set "featureSet": FeatureSet,
        generic_data "genericData": Vec<GenericData>,
        assigned_gatekeeper "assignedGatekeeper": AlternateGK,
        rehoming_model "rehomingModel": RehomingModel,
        transport_qos "transportQOS": TransportQOS,
    }
}

sequence! {
    /// Calls that need no admission request.
    #[derive(Default)]
    RegistrationConfirmPreGrantedARQ {
        make_call "makeCall": bool,
        use_gk_call_signal_address_to_make_call "useGKCallSignalAddressToMakeCall": bool,
        answer_call "answerCall": bool,
        use_gk_call_signal_address_to_answer "useGKCallSignalAddressToAnswer": bool,
        ...
        irr_frequency_in_call "irrFrequencyInCall": u16 as Int<1, 65_535>,
        total_bandwidth_restriction "totalBandwidthRestriction": u32 as BandWidth,
        alternate_transport_addresses "alternateTransportAddresses": AlternateTransportAddresses,
        use_specified_transport "useSpecifiedTransport": UseSpecifiedTransport,
    }
}

sequence! {
    /// RRJ: not registered.
    RegistrationReject {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        protocol_identifier "protocolIdentifier": Oid as ProtocolIdentifier,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        reject_reason "rejectReason": RegistrationRejectReason,
        gatekeeper_identifier "gatekeeperIdentifier"?: BmpString as GatekeeperIdentifier,
        ...
        alt_gk_info "altGKInfo": AltGKInfo,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue": Icv,
        feature_set "featureSet": FeatureSet,
        generic_data "genericData": Vec<GenericData>,
        assigned_gatekeeper "assignedGatekeeper": AlternateGK,
    }
}

choice! {
    /// Why a registration is refused.
    RegistrationRejectReason {
        0 DiscoveryRequired "discoveryRequired",
        1 InvalidRevision "invalidRevision",
        2 InvalidCallSignalAddress "invalidCallSignalAddress",
        3 InvalidRASAddress "invalidRASAddress",
        4 DuplicateAlias "duplicateAlias": Vec<AliasAddress>,
        5 InvalidTerminalType "invalidTerminalType",
        6 UndefinedReason "undefinedReason",
        7 TransportNotSupported "transportNotSupported",
        ...
        0 TransportQOSNotSupported "transportQOSNotSupported",
        1 ResourceUnavailable "resourceUnavailable",
        2 InvalidAlias "invalidAlias",
        3 SecurityDenial "securityDenial",
        4 FullRegistrationRequired "fullRegistrationRequired",
        5 AdditiveRegistrationNotSupported "additiveRegistrationNotSupported",
        6 InvalidTerminalAliases "invalidTerminalAliases": Box<RegistrationRejectReasonInvalidTerminalAliases>,
        7 GenericDataReason "genericDataReason",
        8 NeededFeatureNotSupported "neededFeatureNotSupported",
        9 SecurityError "securityError": SecurityErrors,
        10 RegisterWithAssignedGK "registerWithAssignedGK",
    }
}

sequence! {
    /// `invalidTerminalAliases` of [`RegistrationRejectReason`].
    #[derive(Default)]
    RegistrationRejectReasonInvalidTerminalAliases {
        terminal_alias "terminalAlias"?: Vec<AliasAddress>,
        terminal_alias_pattern "terminalAliasPattern"?: Vec<AddressPattern>,
        supported_prefixes "supportedPrefixes"?: Vec<SupportedPrefix>,
        ...
    }
}

sequence! {
    /// URQ: ends a registration, from either side.
    UnregistrationRequest {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        call_signal_address "callSignalAddress": Vec<TransportAddress>,
        endpoint_alias "endpointAlias"?: Vec<AliasAddress>,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        endpoint_identifier "endpointIdentifier"?: BmpString as EndpointIdentifier,
        ...
        alternate_endpoints "alternateEndpoints": Vec<Endpoint>,
        gatekeeper_identifier "gatekeeperIdentifier": BmpString as GatekeeperIdentifier,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue": Icv,
        reason "reason": UnregRequestReason,
        endpoint_alias_pattern "endpointAliasPattern": Vec<AddressPattern>,
        supported_prefixes "supportedPrefixes": Vec<SupportedPrefix>,
        alternate_gatekeeper "alternateGatekeeper": Vec<AlternateGK>,
        generic_data "genericData": Vec<GenericData>,
        assigned_gatekeeper "assignedGatekeeper": AlternateGK,
    }
}

choice! {
    /// Why a gatekeeper ends a registration.
    UnregRequestReason {
        0 ReregistrationRequired "reregistrationRequired",
        1 TtlExpired "ttlExpired",
        2 SecurityDenial "securityDenial",
        3 UndefinedReason "undefinedReason",
        ...
        0 Maintenance "maintenance",
        1 SecurityError "securityError": SecurityErrors2,
        2 RegisterWithAssignedGK "registerWithAssignedGK",
    }
}

sequence! {
    /// UCF: the registration has ended.
    UnregistrationConfirm {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue": Icv,
        generic_data "genericData": Vec<GenericData>,
        assigned_gatekeeper "assignedGatekeeper": AlternateGK,
    }
}

sequence! {
    /// URJ: there is no such registration to end.
    UnregistrationReject {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        reject_reason "rejectReason": UnregRejectReason,
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
    /// Why a registration does not end.
    UnregRejectReason {
        0 NotCurrentlyRegistered "notCurrentlyRegistered",
        1 CallInProgress "callInProgress",
        2 UndefinedReason "undefinedReason",
        ...
        0 PermissionDenied "permissionDenied",
        1 SecurityDenial "securityDenial",
        2 SecurityError "securityError": SecurityErrors2,
    }
}
