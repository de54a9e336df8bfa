//! Bodies of the call signalling messages, one a Q.931 message type.
//! Not here: their envelope (`message.rs`); the fast-start elements inside (`h245::OpenLogicalChannel`).

use bytes::Bytes;

use super::address::{AliasAddress, DisplayName, ExtendedAliasAddress, TransportAddress};
use super::admission::CallType;
use super::capacity::{CallCapacity, CircuitInfo};
use super::common::{
    CallIdentifier, CallReferenceValue, ConferenceIdentifier, EndpointIdentifier, NonStandardParameter,
    ProtocolIdentifier, QseriesOptions,
};
use super::endpoint::{EndpointType, SupportedProtocols};
use super::generic::{FeatureDescriptor, FeatureSet};
use super::security::{CryptoH323Token, H245Security, SecurityErrors};
use super::service::ServiceControlSession;
use crate::per::notation::{choice, enumerated, sequence};
use crate::per::{BmpString, Ia5, Int, List, Oid, UNBOUNDED};
use crate::schema::h235;

sequence! {
    /// Body of ALERTING: the called user is being alerted.
    AlertingUuie {
        protocol_identifier "protocolIdentifier": Oid as ProtocolIdentifier,
        destination_info "destinationInfo": EndpointType,
        h245_address "h245Address"?: TransportAddress,
        ...
        call_identifier "callIdentifier": CallIdentifier,
        h245_security_mode "h245SecurityMode": H245Security,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        fast_start "fastStart": Vec<Bytes>,
        multiple_calls "multipleCalls": bool,
        maintain_connection "maintainConnection": bool,
        alerting_address "alertingAddress": Vec<AliasAddress>,
        presentation_indicator "presentationIndicator": PresentationIndicator,
        screening_indicator "screeningIndicator": ScreeningIndicator,
        fast_connect_refused "fastConnectRefused": (),
        service_control "serviceControl": Vec<ServiceControlSession>,
        capacity "capacity": CallCapacity,
        feature_set "featureSet": FeatureSet,
        display_name "displayName": Vec<DisplayName>,
    }
}

sequence! {
    /// Body of CALL PROCEEDING: the call is being set up, no more information is needed.
    CallProceedingUuie {
        protocol_identifier "protocolIdentifier": Oid as ProtocolIdentifier,
        destination_info "destinationInfo": EndpointType,
        h245_address "h245Address"?: TransportAddress,
        ...
        call_identifier "callIdentifier": CallIdentifier,
        h245_security_mode "h245SecurityMode": H245Security,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        fast_start "fastStart": Vec<Bytes>,
        multiple_calls "multipleCalls": bool,
        maintain_connection "maintainConnection": bool,
        fast_connect_refused "fastConnectRefused": (),
        feature_set "featureSet": FeatureSet,
    }
}

sequence! {
    /// Body of CONNECT: the called user has answered.
    ConnectUuie {
        protocol_identifier "protocolIdentifier": Oid as ProtocolIdentifier,
        h245_address "h245Address"?: TransportAddress,
        destination_info "destinationInfo": EndpointType,
        conference_id "conferenceID": [u8; 16] as ConferenceIdentifier,
        ...
        call_identifier "callIdentifier": CallIdentifier,
        h245_security_mode "h245SecurityMode": H245Security,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        fast_start "fastStart": Vec<Bytes>,
        multiple_calls "multipleCalls": bool,
        maintain_connection "maintainConnection": bool,
        language "language": Vec<String> as List<0, UNBOUNDED, Ia5<1, 32>>,
        connected_address "connectedAddress": Vec<AliasAddress>,
        presentation_indicator "presentationIndicator": PresentationIndicator,
        screening_indicator "screeningIndicator": ScreeningIndicator,
        fast_connect_refused "fastConnectRefused": (),
        service_control "serviceControl": Vec<ServiceControlSession>,
        capacity "capacity": CallCapacity,
        feature_set "featureSet": FeatureSet,
        display_name "displayName": Vec<DisplayName>,
    }
}

sequence! {
    /// Body of INFORMATION: more digits, or keypad input during a call.
    InformationUuie {
        protocol_identifier "protocolIdentifier": Oid as ProtocolIdentifier,
        ...
        call_identifier "callIdentifier": CallIdentifier,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        fast_start "fastStart": Vec<Bytes>,
        fast_connect_refused "fastConnectRefused": (),
        circuit_info "circuitInfo": Box<CircuitInfo>,
    }
}

sequence! {
    /// Body of RELEASE COMPLETE: the call is over.
    ReleaseCompleteUuie {
        protocol_identifier "protocolIdentifier": Oid as ProtocolIdentifier,
        reason "reason"?: ReleaseCompleteReason,
        ...
        call_identifier "callIdentifier": CallIdentifier,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        busy_address "busyAddress": Vec<AliasAddress>,
        presentation_indicator "presentationIndicator": PresentationIndicator,
        screening_indicator "screeningIndicator": ScreeningIndicator,
        capacity "capacity": CallCapacity,
        service_control "serviceControl": Vec<ServiceControlSession>,
        feature_set "featureSet": FeatureSet,
        destination_info "destinationInfo": Box<EndpointType>,
        display_name "displayName": Vec<DisplayName>,
    }
}

choice! {
    /// Why a call ended; stands for, or beside, the Cause IE.
    ReleaseCompleteReason {
        0 NoBandwidth "noBandwidth",
        1 GatekeeperResources "gatekeeperResources",
        2 UnreachableDestination "unreachableDestination",
        3 DestinationRejection "destinationRejection",
        4 InvalidRevision "invalidRevision",
        5 NoPermission "noPermission",
        6 UnreachableGatekeeper "unreachableGatekeeper",
        7 GatewayResources "gatewayResources",
        8 BadFormatAddress "badFormatAddress",
        9 AdaptiveBusy "adaptiveBusy",
        10 InConf "inConf",
        11 UndefinedReason "undefinedReason",
        ...
        0 FacilityCallDeflection "facilityCallDeflection",
        1 SecurityDenied "securityDenied",
        2 CalledPartyNotRegistered "calledPartyNotRegistered",
        3 CallerNotRegistered "callerNotRegistered",
        4 NewConnectionNeeded "newConnectionNeeded",
        5 NonStandardReason "nonStandardReason": Box<NonStandardParameter>,
        6 ReplaceWithConferenceInvite "replaceWithConferenceInvite": [u8; 16] as ConferenceIdentifier,
        7 GenericDataReason "genericDataReason",
        8 NeededFeatureNotSupported "neededFeatureNotSupported",
        9 TunnelledSignallingRejected "tunnelledSignallingRejected",
        10 InvalidCID "invalidCID",
        11 SecurityError "securityError": SecurityErrors,
        12 HopCountExceeded "hopCountExceeded",
    }
}

sequence! {
    /// Body of SETUP: who calls whom, how, and the offered fast-start channels.
    SetupUuie {
        protocol_identifier "protocolIdentifier": Oid as ProtocolIdentifier,
        h245_address "h245Address"?: TransportAddress,
        source_address "sourceAddress"?: Vec<AliasAddress>,
        source_info "sourceInfo": EndpointType,
        destination_address "destinationAddress"?: Vec<AliasAddress>,
        dest_call_signal_address "destCallSignalAddress"?: TransportAddress,
        dest_extra_call_info "destExtraCallInfo"?: Vec<AliasAddress>,
        dest_extra_crv "destExtraCRV"?: Vec<u16> as List<0, UNBOUNDED, CallReferenceValue>,
        active_mc "activeMC": bool,
        conference_id "conferenceID": [u8; 16] as ConferenceIdentifier,
        conference_goal "conferenceGoal": SetupUuieConferenceGoal,
        call_services "callServices"?: QseriesOptions,
        call_type "callType": CallType,
        ...
        source_call_signal_address "sourceCallSignalAddress": TransportAddress,
        remote_extension_address "remoteExtensionAddress": AliasAddress,
        call_identifier "callIdentifier": CallIdentifier,
        h245_security_capability "h245SecurityCapability": Vec<H245Security>,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        fast_start "fastStart": Vec<Bytes>,
        media_wait_for_connect "mediaWaitForConnect": bool,
        can_overlap_send "canOverlapSend": bool,
        endpoint_identifier "endpointIdentifier": BmpString as EndpointIdentifier,
        multiple_calls "multipleCalls": bool,
        maintain_connection "maintainConnection": bool,
        connection_parameters "connectionParameters": SetupUuieConnectionParameters,
        language "language": Vec<String> as List<0, UNBOUNDED, Ia5<1, 32>>,
        presentation_indicator "presentationIndicator": PresentationIndicator,
        screening_indicator "screeningIndicator": ScreeningIndicator,
        service_control "serviceControl": Vec<ServiceControlSession>,
        symmetric_operation_required "symmetricOperationRequired": (),
        capacity "capacity": CallCapacity,
        circuit_info "circuitInfo": Box<CircuitInfo>,
        desired_protocols "desiredProtocols": Vec<SupportedProtocols>,
        needed_features "neededFeatures": Vec<FeatureDescriptor>,
        desired_features "desiredFeatures": Vec<FeatureDescriptor>,
        supported_features "supportedFeatures": Vec<FeatureDescriptor>,
        parallel_h245_control "parallelH245Control": Vec<Bytes>,
        additional_source_addresses "additionalSourceAddresses": Vec<ExtendedAliasAddress>,
        hop_count "hopCount": u8 as Int<1, 31>,
        display_name "displayName": Vec<DisplayName>,
    }
}

choice! {
    /// Whether the call makes, joins, or invites to a conference, or sets up services only.
    SetupUuieConferenceGoal {
        0 Create "create",
        1 Join "join",
        2 Invite "invite",
        ...
        0 CapabilityNegotiation "capability-negotiation",
        1 CallIndependentSupplementaryService "callIndependentSupplementaryService",
    }
}

sequence! {
    /// Which circuit-switched connections a gateway is to make.
    SetupUuieConnectionParameters {
        connection_type "connectionType": ScnConnectionType,
        number_of_scn_connections "numberOfScnConnections": u16,
        connection_aggregation "connectionAggregation": ScnConnectionAggregation,
        ...
    }
}

choice! {
    /// Kind of a connection in a switched-circuit network.
    ScnConnectionType {
        0 Unknown "unknown",
        1 BChannel "bChannel",
        2 Hybrid2x64 "hybrid2x64",
        3 Hybrid384 "hybrid384",
        4 Hybrid1536 "hybrid1536",
        5 Hybrid1920 "hybrid1920",
        6 Multirate "multirate",
        ...
    }
}

choice! {
    /// How connections in a switched-circuit network are bundled.
    ScnConnectionAggregation {
        0 Auto "auto",
        1 None "none",
        2 H221 "h221",
        3 BondedMode1 "bonded-mode1",
        4 BondedMode2 "bonded-mode2",
        5 BondedMode3 "bonded-mode3",
        ...
    }
}

choice! {
    /// Whether the calling number may be shown.
    PresentationIndicator {
        0 PresentationAllowed "presentationAllowed",
        1 PresentationRestricted "presentationRestricted",
        2 AddressNotAvailable "addressNotAvailable",
        ...
    }
}

enumerated! {
    /// Who gave the calling number, and whether it was checked (values as in Q.931).
    ScreeningIndicator {
        0 UserProvidedNotScreened "userProvidedNotScreened",
        1 UserProvidedVerifiedAndPassed "userProvidedVerifiedAndPassed",
        2 UserProvidedVerifiedAndFailed "userProvidedVerifiedAndFailed",
        3 NetworkProvided "networkProvided",
        ...
    }
}

sequence! {
    /// Body of FACILITY: redirection, start of H.245, or a carrier of tunnelled messages.
    FacilityUuie {
        protocol_identifier "protocolIdentifier": Oid as ProtocolIdentifier,
        alternative_address "alternativeAddress"?: TransportAddress,
        alternative_alias_address "alternativeAliasAddress"?: Vec<AliasAddress>,
        conference_id "conferenceID"?: [u8; 16] as ConferenceIdentifier,
        reason "reason": FacilityReason,
        ...
        call_identifier "callIdentifier": CallIdentifier,
        dest_extra_call_info "destExtraCallInfo": Vec<AliasAddress>,
        remote_extension_address "remoteExtensionAddress": AliasAddress,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        conferences "conferences": Vec<ConferenceList>,
        h245_address "h245Address": TransportAddress,
        fast_start "fastStart": Vec<Bytes>,
        multiple_calls "multipleCalls": bool,
        maintain_connection "maintainConnection": bool,
        fast_connect_refused "fastConnectRefused": (),
        service_control "serviceControl": Vec<ServiceControlSession>,
        circuit_info "circuitInfo": Box<CircuitInfo>,
        feature_set "featureSet": FeatureSet,
        destination_info "destinationInfo": Box<EndpointType>,
        h245_security_mode "h245SecurityMode": H245Security,
    }
}

sequence! {
    /// A conference that a caller may choose from.
    #[derive(Default)]
    ConferenceList {
        conference_id "conferenceID"?: [u8; 16] as ConferenceIdentifier,
        conference_alias "conferenceAlias"?: AliasAddress,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
    }
}

choice! {
    /// Why a FACILITY was sent.
    FacilityReason {
        0 RouteCallToGatekeeper "routeCallToGatekeeper",
        1 CallForwarded "callForwarded",
        2 RouteCallToMC "routeCallToMC",
        3 UndefinedReason "undefinedReason",
        ...
        0 ConferenceListChoice "conferenceListChoice",
        1 StartH245 "startH245",
        2 NoH245 "noH245",
        3 NewTokens "newTokens",
        4 FeatureSetUpdate "featureSetUpdate",
        5 ForwardedElements "forwardedElements",
        6 TransportedInformation "transportedInformation",
    }
}

sequence! {
    /// Body of PROGRESS: an event on the way to the called user, such as in-band tones.
    ProgressUuie {
        protocol_identifier "protocolIdentifier": Oid as ProtocolIdentifier,
        destination_info "destinationInfo": EndpointType,
        h245_address "h245Address"?: TransportAddress,
        call_identifier "callIdentifier": CallIdentifier,
        h245_security_mode "h245SecurityMode"?: H245Security,
        tokens "tokens"?: Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens"?: Vec<CryptoH323Token>,
        fast_start "fastStart"?: Vec<Bytes>,
        ...
        multiple_calls "multipleCalls": bool,
        maintain_connection "maintainConnection": bool,
        fast_connect_refused "fastConnectRefused": (),
    }
}

sequence! {
    /// Body of STATUS: the answer to STATUS INQUIRY or to an unexpected message.
    StatusUuie {
        protocol_identifier "protocolIdentifier": Oid as ProtocolIdentifier,
        call_identifier "callIdentifier": CallIdentifier,
        tokens "tokens"?: Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens"?: Vec<CryptoH323Token>,
        ...
    }
}

sequence! {
    /// Body of STATUS INQUIRY: asks for the state of a call.
    StatusInquiryUuie {
        protocol_identifier "protocolIdentifier": Oid as ProtocolIdentifier,
        call_identifier "callIdentifier": CallIdentifier,
        tokens "tokens"?: Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens"?: Vec<CryptoH323Token>,
        ...
    }
}

sequence! {
    /// Body of SETUP ACKNOWLEDGE: more digits are needed (overlap sending).
    SetupAcknowledgeUuie {
        protocol_identifier "protocolIdentifier": Oid as ProtocolIdentifier,
        call_identifier "callIdentifier": CallIdentifier,
        tokens "tokens"?: Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens"?: Vec<CryptoH323Token>,
        ...
    }
}

sequence! {
    /// Body of NOTIFY: news about a call.
    NotifyUuie {
        protocol_identifier "protocolIdentifier": Oid as ProtocolIdentifier,
        call_identifier "callIdentifier": CallIdentifier,
        tokens "tokens"?: Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens"?: Vec<CryptoH323Token>,
        ...
        connected_address "connectedAddress": Vec<AliasAddress>,
        presentation_indicator "presentationIndicator": PresentationIndicator,
        screening_indicator "screeningIndicator": ScreeningIndicator,
        destination_info "destinationInfo": Box<EndpointType>,
        display_name "displayName": Vec<DisplayName>,
    }
}
