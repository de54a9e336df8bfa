//! RAS: every message between endpoint and gatekeeper, and those that fit no procedure.

use bytes::Bytes;

use super::admission::{
    AdmissionConfirm, AdmissionReject, AdmissionRequest, BandwidthConfirm, BandwidthReject, BandwidthRequest,
};
use super::common::{NonStandardParameter, RequestSeqNum};
use super::discovery::{GatekeeperConfirm, GatekeeperReject, GatekeeperRequest};
use super::disengage::{DisengageConfirm, DisengageReject, DisengageRequest};
use super::generic::{FeatureSet, GenericData};
use super::information::{InfoRequest, InfoRequestAck, InfoRequestNak, InfoRequestResponse};
use super::location::{LocationConfirm, LocationReject, LocationRequest};
use super::registration::{
    RegistrationConfirm, RegistrationReject, RegistrationRequest, UnregistrationConfirm,
    UnregistrationReject, UnregistrationRequest,
};
use super::resources::{
    ResourcesAvailableConfirm, ResourcesAvailableIndicate, ServiceControlIndication, ServiceControlResponse,
};
use super::security::{CryptoH323Token, Icv};
use crate::per::Int;
use crate::per::notation::{choice, sequence};
use crate::schema::h235;

choice! {
    /// Any message between endpoint and gatekeeper, alone in a UDP datagram.
    RasMessage {
        0 GatekeeperRequest "gatekeeperRequest": Box<GatekeeperRequest>,
        1 GatekeeperConfirm "gatekeeperConfirm": Box<GatekeeperConfirm>,
        2 GatekeeperReject "gatekeeperReject": Box<GatekeeperReject>,
        3 RegistrationRequest "registrationRequest": Box<RegistrationRequest>,
        4 RegistrationConfirm "registrationConfirm": Box<RegistrationConfirm>,
        5 RegistrationReject "registrationReject": Box<RegistrationReject>,
        6 UnregistrationRequest "unregistrationRequest": Box<UnregistrationRequest>,
        7 UnregistrationConfirm "unregistrationConfirm": Box<UnregistrationConfirm>,
        8 UnregistrationReject "unregistrationReject": Box<UnregistrationReject>,
        9 AdmissionRequest "admissionRequest": Box<AdmissionRequest>,
        10 AdmissionConfirm "admissionConfirm": Box<AdmissionConfirm>,
        11 AdmissionReject "admissionReject": Box<AdmissionReject>,
        12 BandwidthRequest "bandwidthRequest": Box<BandwidthRequest>,
        13 BandwidthConfirm "bandwidthConfirm": Box<BandwidthConfirm>,
        14 BandwidthReject "bandwidthReject": Box<BandwidthReject>,
        15 DisengageRequest "disengageRequest": Box<DisengageRequest>,
        16 DisengageConfirm "disengageConfirm": Box<DisengageConfirm>,
        17 DisengageReject "disengageReject": Box<DisengageReject>,
        18 LocationRequest "locationRequest": Box<LocationRequest>,
        19 LocationConfirm "locationConfirm": Box<LocationConfirm>,
        20 LocationReject "locationReject": Box<LocationReject>,
        21 InfoRequest "infoRequest": Box<InfoRequest>,
        22 InfoRequestResponse "infoRequestResponse": Box<InfoRequestResponse>,
        23 NonStandardMessage "nonStandardMessage": Box<NonStandardMessage>,
        24 UnknownMessageResponse "unknownMessageResponse": Box<UnknownMessageResponse>,
        ...
        0 RequestInProgress "requestInProgress": Box<RequestInProgress>,
        1 ResourcesAvailableIndicate "resourcesAvailableIndicate": Box<ResourcesAvailableIndicate>,
        2 ResourcesAvailableConfirm "resourcesAvailableConfirm": Box<ResourcesAvailableConfirm>,
        3 InfoRequestAck "infoRequestAck": Box<InfoRequestAck>,
        4 InfoRequestNak "infoRequestNak": Box<InfoRequestNak>,
        5 ServiceControlIndication "serviceControlIndication": Box<ServiceControlIndication>,
        6 ServiceControlResponse "serviceControlResponse": Box<ServiceControlResponse>,
        7 AdmissionConfirmSequence "admissionConfirmSequence": Vec<AdmissionConfirm>,
    }
}

sequence! {
    /// NSM: a proprietary RAS message.
    NonStandardMessage {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        non_standard_data "nonStandardData": NonStandardParameter,
        ...
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue": Icv,
        feature_set "featureSet": FeatureSet,
        generic_data "genericData": Vec<GenericData>,
    }
}

sequence! {
    /// XRS: your message was not understood.
    UnknownMessageResponse {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        ...
        tokens "tokens": Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens": Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue": Icv,
        message_not_understood "messageNotUnderstood": Bytes,
    }
}

sequence! {
    /// RIP: the answer takes longer.
    RequestInProgress {
        request_seq_num "requestSeqNum": u16 as RequestSeqNum,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        tokens "tokens"?: Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens"?: Vec<CryptoH323Token>,
        integrity_check_value "integrityCheckValue"?: Icv,
        delay "delay": u16 as Int<1, 65_535>,
        ...
    }
}
