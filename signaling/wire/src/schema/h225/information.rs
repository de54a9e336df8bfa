//! RAS: the state of an endpoint and of its calls (IRQ, IRR, IACK, INAK).

use super::address::{AliasAddress, TransportAddress};
use super::admission::{CallModel, CallType, UUIEsRequested};
use super::capacity::{CallCapacity, CircuitInfo};
use super::common::{
    BandWidth, CallIdentifier, CallLinkage, CallReferenceValue, ConferenceIdentifier, EndpointIdentifier,
    NonStandardParameter, RTPSession, RequestSeqNum, TransportChannelInfo,
};
use super::endpoint::EndpointType;
use super::gatekeeper::{AltGKInfo, AlternateGK};
use super::generic::GenericData;
use super::message::H323UuPdu;
use super::security::{CryptoH323Token, Icv, SecurityErrors2};
use super::service::{RasUsageInfoTypes, RasUsageInformation};
use crate::per::notation::{choice, sequence};
use crate::per::{BmpString, List, UNBOUNDED};
use crate::schema::h235;

sequence! {
    /// IRQ: asks an endpoint for its state and calls.
    InfoRequest {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        call_reference_value "callReferenceValue": u16 as CallReferenceValue,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        reply_address "replyAddress"?: TransportAddress,
        ...
        call_identifier "callIdentifier": CallIdentifier,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue": Icv,
        uuies_requested "uuiesRequested": UUIEsRequested,
        call_linkage "callLinkage": CallLinkage,
        usage_info_requested "usageInfoRequested": RasUsageInfoTypes,
        segmented_response_supported "segmentedResponseSupported": (),
        next_segment_requested "nextSegmentRequested": u16,
        capacity_info_requested "capacityInfoRequested": (),
        generic_data "genericData": Vec<GenericData>,
        assigned_gatekeeper "assignedGatekeeper": AlternateGK,
    }
}

sequence! {
    /// IRR: the state and the calls of an endpoint.
    InfoRequestResponse {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        endpoint_type "endpointType": EndpointType,
        endpoint_identifier "endpointIdentifier": BmpString as EndpointIdentifier,
        ras_address "rasAddress": TransportAddress,
        call_signal_address "callSignalAddress": Vec<TransportAddress>,
        endpoint_alias "endpointAlias"?: Vec<AliasAddress>,
        per_call_info "perCallInfo"?: Vec<InfoRequestResponsePerCallInfo>,
        ...
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue": Icv,
        need_response "needResponse": bool,
        capacity "capacity": CallCapacity,
        irr_status "irrStatus": InfoRequestResponseStatus,
        unsolicited "unsolicited": bool,
        generic_data "genericData": Vec<GenericData>,
    }
}

sequence! {
    /// One call of an endpoint.
    InfoRequestResponsePerCallInfo {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        call_reference_value "callReferenceValue": u16 as CallReferenceValue,
        conference_id "conferenceID": [u8; 16] as ConferenceIdentifier,
        originator "originator"?: bool,
        audio "audio"?: Vec<RTPSession>,
        video "video"?: Vec<RTPSession>,
        data "data"?: Vec<TransportChannelInfo>,
        h245 "h245": TransportChannelInfo,
        call_signalling "callSignalling": TransportChannelInfo,
        call_type "callType": CallType,
        band_width "bandWidth": u32 as BandWidth,
        call_model "callModel": CallModel,
        ...
        call_identifier "callIdentifier": CallIdentifier,
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        substitute_conf_ids "substituteConfIDs": Vec<[u8; 16]> as List<0, UNBOUNDED, ConferenceIdentifier>,
        pdu "pdu": Vec<InfoRequestResponsePerCallInfoPdu>,
        call_linkage "callLinkage": CallLinkage,
        usage_information "usageInformation": RasUsageInformation,
        circuit_info "circuitInfo": Box<CircuitInfo>,
    }
}

sequence! {
    /// A call signalling message, reported to the gatekeeper.
    InfoRequestResponsePerCallInfoPdu {
        h323pdu "h323pdu": H323UuPdu,
        sent "sent": bool,
    }
}

choice! {
    /// Whether a response is complete, or in segments.
    InfoRequestResponseStatus {
        0 Complete "complete",
        1 Incomplete "incomplete",
        2 Segment "segment": u16,
        3 InvalidCall "invalidCall",
        ...
    }
}

sequence! {
    /// IACK: an unsolicited response was received.
    InfoRequestAck {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        tokens "tokens"?: Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens"?: Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue"?: Icv,
        ...
    }
}

sequence! {
    /// INAK: an unsolicited response was not understood.
    InfoRequestNak {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        nak_reason "nakReason": InfoRequestNakReason,
        alt_gk_info "altGKInfo"?: AltGKInfo,
        tokens "tokens"?: Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens"?: Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue"?: Icv,
        ...
    }
}

choice! {
    /// Why a response was not understood.
    InfoRequestNakReason {
        0 NotRegistered "notRegistered",
        1 SecurityDenial "securityDenial",
        2 UndefinedReason "undefinedReason",
        ...
        0 SecurityError "securityError": SecurityErrors2,
    }
}
