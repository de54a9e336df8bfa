//! TODO

use bytes::Bytes;

use super::audio::AudioCapability;
use super::channel_parameters::{DepFECData, FECData, MultiplePayloadStream, RedundancyEncoding};
use super::data::DataApplicationCapability;
use super::generic::{GenericCapability, GenericParameter};
use super::message::NonStandardParameter;
use super::video::VideoCapability;
use crate::per::notation::{choice, sequence};
use crate::per::{BitString, Bits, List, Octets, Oid, Plain};

sequence! {
    /// `EncryptionAuthenticationAndIntegrity`.
    #[derive(Default)]
    EncryptionAuthenticationAndIntegrity {
        encryption_capability "encryptionCapability"?: Vec<MediaEncryptionAlgorithm> as EncryptionCapability,
        authentication_capability "authenticationCapability"?: AuthenticationCapability,
        integrity_capability "integrityCapability"?: IntegrityCapability,
        ...
        generic_h235_security_capability "genericH235SecurityCapability": GenericCapability,
    }
}

/// `EncryptionCapability`.
pub(crate) type EncryptionCapability = List<1, 256>;

choice! {
    /// `MediaEncryptionAlgorithm`.
    MediaEncryptionAlgorithm {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 Algorithm "algorithm": Oid,
        ...
    }
}

sequence! {
    /// `AuthenticationCapability`.
    #[derive(Default)]
    AuthenticationCapability {
        non_standard "nonStandard"?: NonStandardParameter,
        ...
        anti_spam_algorithm "antiSpamAlgorithm": Oid,
    }
}

sequence! {
    /// `IntegrityCapability`.
    #[derive(Default)]
    IntegrityCapability {
        non_standard "nonStandard"?: NonStandardParameter,
        ...
    }
}

sequence! {
    /// `H235Media`.
    H235Media {
        encryption_authentication_and_integrity "encryptionAuthenticationAndIntegrity": EncryptionAuthenticationAndIntegrity,
        media_type "mediaType": H235MediaMediaType,
        ...
    }
}

choice! {
    /// `mediaType` of [`H235Media`].
    H235MediaMediaType {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 VideoData "videoData": VideoCapability,
        2 AudioData "audioData": AudioCapability,
        3 Data "data": Box<DataApplicationCapability>,
        ...
        0 RedundancyEncoding "redundancyEncoding": Box<RedundancyEncoding>,
        1 MultiplePayloadStream "multiplePayloadStream": MultiplePayloadStream,
        2 DepFec "depFec": Box<DepFECData>,
        3 Fec "fec": FECData,
    }
}

sequence! {
    /// `EncryptionSync`.
    EncryptionSync {
        non_standard "nonStandard"?: NonStandardParameter,
        synch_flag "synchFlag": u8,
        h235_key "h235Key": Bytes as Octets<1, 65_535>,
        escrowentry "escrowentry"?: Vec<EscrowData> as List<1, 256>,
        ...
        generic_parameter "genericParameter": GenericParameter,
    }
}

sequence! {
    /// `EscrowData`.
    EscrowData {
        escrow_id "escrowID": Oid,
        escrow_value "escrowValue": BitString as Bits<1, 65_535>,
        ...
    }
}

choice! {
    /// `EncryptionUpdateDirection`.
    EncryptionUpdateDirection {
        0 MasterToSlave "masterToSlave",
        1 SlaveToMaster "slaveToMaster",
        ...
    }
}

sequence! {
    /// `KeyProtectionMethod`.
    #[derive(Default)]
    KeyProtectionMethod {
        secure_channel "secureChannel": bool,
        shared_secret "sharedSecret": bool,
        cert_protected_key "certProtectedKey": bool,
        ...
    }
}

sequence! {
    /// `EncryptionUpdateRequest`.
    #[derive(Default)]
    EncryptionUpdateRequest {
        key_protection_method "keyProtectionMethod"?: KeyProtectionMethod,
        ...
        synch_flag "synchFlag": u8,
    }
}

/// `IV8`.
pub(crate) type Iv8 = Plain;

/// `IV16`.
pub(crate) type Iv16 = Plain;

sequence! {
    /// `Params`.
    #[derive(Default)]
    Params {
        iv8 "iv8"?: [u8; 8] as Iv8,
        iv16 "iv16"?: [u8; 16] as Iv16,
        iv "iv"?: Bytes,
        ...
    }
}
