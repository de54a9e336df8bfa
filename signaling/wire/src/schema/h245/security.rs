//! Encryption of media: capabilities, keys, updates.

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
    /// Security of media.
    #[derive(Default)]
    EncryptionAuthenticationAndIntegrity {
        encryption_capability "encryptionCapability"?: Vec<MediaEncryptionAlgorithm> as EncryptionCapability,
        authentication_capability "authenticationCapability"?: AuthenticationCapability,
        integrity_capability "integrityCapability"?: IntegrityCapability,
        ...
        generic_h235_security_capability "genericH235SecurityCapability": GenericCapability,
    }
}

/// Encryption algorithms.
pub(crate) type EncryptionCapability = List<1, 256>;

choice! {
    /// An encryption algorithm.
    MediaEncryptionAlgorithm {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 Algorithm "algorithm": Oid,
        ...
    }
}

sequence! {
    /// Authentication of media.
    #[derive(Default)]
    AuthenticationCapability {
        non_standard "nonStandard"?: NonStandardParameter,
        ...
        anti_spam_algorithm "antiSpamAlgorithm": Oid,
    }
}

sequence! {
    /// Integrity of media.
    #[derive(Default)]
    IntegrityCapability {
        non_standard "nonStandard"?: NonStandardParameter,
        ...
    }
}

sequence! {
    /// Encrypted media.
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
    /// When to start to use a key, and the key.
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
    /// Data for key escrow.
    EscrowData {
        escrow_id "escrowID": Oid,
        escrow_value "escrowValue": BitString as Bits<1, 65_535>,
        ...
    }
}

choice! {
    /// Who updates a key for whom.
    EncryptionUpdateDirection {
        0 MasterToSlave "masterToSlave",
        1 SlaveToMaster "slaveToMaster",
        ...
    }
}

sequence! {
    /// How a new key is protected.
    #[derive(Default)]
    KeyProtectionMethod {
        secure_channel "secureChannel": bool,
        shared_secret "sharedSecret": bool,
        cert_protected_key "certProtectedKey": bool,
        ...
    }
}

sequence! {
    /// Asks for a new key.
    #[derive(Default)]
    EncryptionUpdateRequest {
        key_protection_method "keyProtectionMethod"?: KeyProtectionMethod,
        ...
        synch_flag "synchFlag": u8,
    }
}

/// Initial vector of a 64-bit block cipher.
pub(crate) type Iv8 = Plain;

/// Initial vector of a 128-bit block cipher.
pub(crate) type Iv16 = Plain;

sequence! {
    /// Parameters of an encryption algorithm.
    #[derive(Default)]
    Params {
        iv8 "iv8"?: [u8; 8] as Iv8,
        iv16 "iv16"?: [u8; 16] as Iv16,
        iv "iv"?: Bytes,
        ...
    }
}
