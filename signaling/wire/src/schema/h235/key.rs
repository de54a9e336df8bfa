//! Key agreement and key transport.

use bytes::Bytes;

use super::envelope::{Encrypted, Params, Signed};
use super::token::{Identifier, RandomVal, TimeStamp, TypedCertificate};
use crate::per::notation::{choice, sequence};
use crate::per::{BitString, Bits, BmpString, Integer, Oid};

/// Key bits.
pub(crate) type KeyMaterial = Bits<1, 2048>;

/// Key bits of longer keys.
pub(crate) type KeyMaterialExt = Bits<2049, 65_536>;

sequence! {
    /// Half-key, modulus and generator of a Diffie-Hellman exchange.
    #[derive(Default)]
    DHset {
        halfkey "halfkey": BitString as Bits<0, 2048>,
        mod_size "modSize": BitString as Bits<0, 2048>,
        generator "generator": BitString as Bits<0, 2048>,
        ...
    }
}

sequence! {
    /// The same for longer keys.
    DHsetExt {
        halfkey "halfkey": BitString as Bits<2049, 65_536>,
        mod_size "modSize"?: BitString as Bits<2049, 65_536>,
        generator "generator"?: BitString as Bits<2049, 65_536>,
        ...
    }
}

sequence! {
    /// A point of an elliptic curve.
    #[derive(Default)]
    ECpoint {
        x "x"?: BitString as Bits<0, 511>,
        y "y"?: BitString as Bits<0, 511>,
        ...
    }
}

choice! {
    /// Elliptic curve key agreement of Diffie-Hellman kind.
    Eckasdh {
        0 Eckasdhp "eckasdhp": Box<EckasdhEckasdhp>,
        1 Eckasdh2 "eckasdh2": Box<EckasdhEckasdh2>,
        ...
    }
}

sequence! {
    /// `eckasdhp` of [`Eckasdh`].
    #[derive(Default)]
    EckasdhEckasdhp {
        public_key "public-key": ECpoint,
        modulus "modulus": BitString as Bits<0, 511>,
        base "base": ECpoint,
        weierstrass_a "weierstrassA": BitString as Bits<0, 511>,
        weierstrass_b "weierstrassB": BitString as Bits<0, 511>,
    }
}

sequence! {
    /// `eckasdh2` of [`Eckasdh`].
    #[derive(Default)]
    EckasdhEckasdh2 {
        public_key "public-key": ECpoint,
        field_size "fieldSize": BitString as Bits<0, 511>,
        base "base": ECpoint,
        weierstrass_a "weierstrassA": BitString as Bits<0, 511>,
        weierstrass_b "weierstrassB": BitString as Bits<0, 511>,
    }
}

sequence! {
    /// An elliptic curve signature.
    #[derive(Default)]
    ECGDSASignature {
        r "r": BitString as Bits<0, 511>,
        s "s": BitString as Bits<0, 511>,
    }
}

choice! {
    /// A media session key, protected somehow.
    H235Key {
        0 SecureChannel "secureChannel": BitString as KeyMaterial,
        1 SharedSecret "sharedSecret": Box<Encrypted>,
        2 CertProtectedKey "certProtectedKey": Box<Signed>,
        ...
        0 SecureSharedSecret "secureSharedSecret": Box<V3KeySyncMaterial>,
        1 SecureChannelExt "secureChannelExt": BitString as KeyMaterialExt,
    }
}

sequence! {
    /// Key material with the identity of who signs it.
    KeySignedMaterial {
        general_id "generalId": BmpString as Identifier,
        mrandom "mrandom": Integer as RandomVal,
        srandom "srandom"?: Integer as RandomVal,
        time_stamp "timeStamp"?: u32 as TimeStamp,
        encrptval "encrptval": Encrypted,
    }
}

sequence! {
    /// A certificate and its holder's signature.
    H235CertificateSignature {
        certificate "certificate": TypedCertificate,
        response_random "responseRandom": Integer as RandomVal,
        requester_random "requesterRandom"?: Integer as RandomVal,
        signature "signature": Signed,
        ...
    }
}

sequence! {
    /// What the answer to a certificate request signs.
    ReturnSig {
        general_id "generalId": BmpString as Identifier,
        response_random "responseRandom": Integer as RandomVal,
        request_random "requestRandom"?: Integer as RandomVal,
        certificate "certificate"?: TypedCertificate,
    }
}

sequence! {
    /// A session key with the identity of who sends it.
    KeySyncMaterial {
        general_id "generalID": BmpString as Identifier,
        key_material "keyMaterial": BitString as KeyMaterial,
        ...
    }
}

sequence! {
    /// A session key, its salt and how both are encrypted.
    #[derive(Default)]
    V3KeySyncMaterial {
        general_id "generalID"?: BmpString as Identifier,
        algorithm_oid "algorithmOID"?: Oid,
        params "paramS": Params,
        encrypted_session_key "encryptedSessionKey"?: Bytes,
        encrypted_salting_key "encryptedSaltingKey"?: Bytes,
        clear_salting_key "clearSaltingKey"?: Bytes,
        params_salt "paramSsalt"?: Params,
        key_derivation_oid "keyDerivationOID"?: Oid,
        ...
        generic_key_material "genericKeyMaterial": Bytes,
    }
}
