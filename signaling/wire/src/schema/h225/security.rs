//! Security of H.225.0 messages and of the H.245 channel.
//! Not here: the tokens of H.235 themselves (`h235`).

use super::address::AliasAddress;
use super::common::{GatekeeperIdentifier, NonStandardParameter};
use crate::per::notation::{choice, sequence};
use crate::per::{BitString, BmpString, Oid};
use crate::schema::h235;

choice! {
    /// Who provides a security service.
    SecurityServiceMode {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 None "none",
        2 Default "default",
        ...
    }
}

sequence! {
    /// Security services of a TLS or IPsec profile.
    SecurityCapabilities {
        non_standard "nonStandard"?: NonStandardParameter,
        encryption "encryption": SecurityServiceMode,
        authenticaton "authenticaton": SecurityServiceMode,
        integrity "integrity": SecurityServiceMode,
        ...
    }
}

choice! {
    /// Why a message failed its security checks.
    SecurityErrors {
        0 SecurityWrongSyncTime "securityWrongSyncTime",
        1 SecurityReplay "securityReplay",
        2 SecurityWrongGeneralID "securityWrongGeneralID",
        3 SecurityWrongSendersID "securityWrongSendersID",
        4 SecurityIntegrityFailed "securityIntegrityFailed",
        5 SecurityWrongOID "securityWrongOID",
        6 SecurityDHmismatch "securityDHmismatch",
        7 SecurityCertificateExpired "securityCertificateExpired",
        8 SecurityCertificateDateInvalid "securityCertificateDateInvalid",
        9 SecurityCertificateRevoked "securityCertificateRevoked",
        10 SecurityCertificateNotReadable "securityCertificateNotReadable",
        11 SecurityCertificateSignatureInvalid "securityCertificateSignatureInvalid",
        12 SecurityCertificateMissing "securityCertificateMissing",
        13 SecurityCertificateIncomplete "securityCertificateIncomplete",
        14 SecurityUnsupportedCertificateAlgOID "securityUnsupportedCertificateAlgOID",
        15 SecurityUnknownCA "securityUnknownCA",
        ...
    }
}

choice! {
    /// Why a RAS message failed its security checks.
    SecurityErrors2 {
        0 SecurityWrongSyncTime "securityWrongSyncTime",
        1 SecurityReplay "securityReplay",
        2 SecurityWrongGeneralID "securityWrongGeneralID",
        3 SecurityWrongSendersID "securityWrongSendersID",
        4 SecurityIntegrityFailed "securityIntegrityFailed",
        5 SecurityWrongOID "securityWrongOID",
        ...
    }
}

choice! {
    /// How the H.245 channel is secured.
    H245Security {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 NoSecurity "noSecurity",
        2 Tls "tls": Box<SecurityCapabilities>,
        3 Ipsec "ipsec": Box<SecurityCapabilities>,
        ...
    }
}

choice! {
    /// Encryption algorithm of a message integrity check.
    EncryptIntAlg {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 IsoAlgorithm "isoAlgorithm": Oid,
        ...
    }
}

choice! {
    /// Integrity mechanism that is not of ISO.
    NonIsoIntegrityMechanism {
        0 HMACMd5 "hMAC-MD5",
        1 HMACIso101182S "hMAC-iso10118-2-s": EncryptIntAlg,
        2 HMACIso101182L "hMAC-iso10118-2-l": EncryptIntAlg,
        3 HMACIso101183 "hMAC-iso10118-3": Oid,
        ...
    }
}

choice! {
    /// How a message integrity check is computed.
    IntegrityMechanism {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 DigSig "digSig",
        2 Iso9797 "iso9797": Oid,
        3 NonIsoIM "nonIsoIM": NonIsoIntegrityMechanism,
        ...
    }
}

sequence! {
    /// A message integrity check value and its algorithm.
    Icv {
        algorithm_oid "algorithmOID": Oid,
        icv "icv": BitString,
    }
}

/// A clear token that binds fast-start elements to a call.
pub type FastStartToken = h235::ClearToken;

choice! {
    /// Cryptographic proof of identity in an H.323 message (H.235).
    CryptoH323Token {
        0 CryptoEPPwdHash "cryptoEPPwdHash": Box<CryptoH323TokenCryptoEPPwdHash>,
        1 CryptoGKPwdHash "cryptoGKPwdHash": Box<CryptoH323TokenCryptoGKPwdHash>,
        2 CryptoEPPwdEncr "cryptoEPPwdEncr": Box<h235::Encrypted>,
        3 CryptoGKPwdEncr "cryptoGKPwdEncr": Box<h235::Encrypted>,
        4 CryptoEPCert "cryptoEPCert": Box<h235::Signed>,
        5 CryptoGKCert "cryptoGKCert": Box<h235::Signed>,
        6 CryptoFastStart "cryptoFastStart": Box<h235::Signed>,
        7 NestedcryptoToken "nestedcryptoToken": h235::CryptoToken,
        ...
    }
}

sequence! {
    /// Proof by an endpoint: a hash over alias, time stamp and password.
    CryptoH323TokenCryptoEPPwdHash {
        alias "alias": AliasAddress,
        time_stamp "timeStamp": u32 as h235::TimeStamp,
        token "token": h235::Hashed,
    }
}

sequence! {
    /// Proof by a gatekeeper: a hash over identifier, time stamp and password.
    CryptoH323TokenCryptoGKPwdHash {
        gatekeeper_id "gatekeeperId": BmpString as GatekeeperIdentifier,
        time_stamp "timeStamp": u32 as h235::TimeStamp,
        token "token": h235::Hashed,
    }
}
