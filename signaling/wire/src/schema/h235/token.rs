//! Clear and cryptographic tokens.
//! Not here: the algorithms (`offhook-h323` computes the hashes of H.235.1).

use bytes::Bytes;

use super::envelope::{Encrypted, Hashed, Params, Signed};
use super::key::{DHset, DHsetExt, Eckasdh, H235Key};
use crate::per::notation::{choice, sequence};
use crate::per::{BitString, Bmp, BmpString, Int, Integer, Octets, Oid, Plain};

/// A challenge, to be returned in the answer.
pub(crate) type ChallengeString = Octets<8, 128>;

/// Seconds since 1970.
pub(crate) type TimeStamp = Int<1, 4_294_967_295>;

/// A random or ever growing number. Peers send more than 32 bits.
pub(crate) type RandomVal = Plain;

/// A password in clear text.
pub(crate) type Password = Bmp<1, 128>;

/// The name of a party.
pub(crate) type Identifier = Bmp<1, 128>;

sequence! {
    /// Proprietary data and who defined it.
    NonStandardParameter {
        non_standard_identifier "nonStandardIdentifier": Oid,
        data "data": Bytes,
    }
}

sequence! {
    /// A certificate and its kind.
    TypedCertificate {
        r#type "type": Oid,
        certificate "certificate": Bytes,
        ...
    }
}

choice! {
    /// Authentication from a back-end server.
    AuthenticationBES {
        0 Default "default",
        1 Radius "radius",
        ...
    }
}

choice! {
    /// How parties prove who they are.
    AuthenticationMechanism {
        0 DhExch "dhExch",
        1 PwdSymEnc "pwdSymEnc",
        2 PwdHash "pwdHash",
        3 CertSign "certSign",
        4 Ipsec "ipsec",
        5 Tls "tls",
        6 NonStandard "nonStandard": NonStandardParameter,
        ...
        0 AuthenticationBES "authenticationBES": AuthenticationBES,
        1 KeyExch "keyExch": Oid,
    }
}

sequence! {
    /// Parameters of security procedures, not encrypted.
    ClearToken {
        token_oid "tokenOID": Oid,
        time_stamp "timeStamp"?: u32 as TimeStamp,
        password "password"?: BmpString as Password,
        dhkey "dhkey"?: Box<DHset>,
        challenge "challenge"?: Bytes as ChallengeString,
        random "random"?: Integer as RandomVal,
        certificate "certificate"?: Box<TypedCertificate>,
        general_id "generalID"?: BmpString as Identifier,
        non_standard "nonStandard"?: Box<NonStandardParameter>,
        ...
        eckasdhkey "eckasdhkey": Eckasdh,
        senders_id "sendersID": BmpString as Identifier,
        h235_key "h235Key": H235Key,
        profile_info "profileInfo": Vec<ProfileElement>,
        dhkeyext "dhkeyext": Box<DHsetExt>,
    }
}

sequence! {
    /// A parameter of a security profile.
    #[derive(Default)]
    ProfileElement {
        element_id "elementID": u8,
        params "paramS"?: Params,
        element "element"?: Element,
        ...
    }
}

choice! {
    /// The value of such a parameter.
    Element {
        0 Octets "octets": Bytes,
        1 Integer "integer": Integer,
        2 Bits "bits": BitString,
        3 Name "name": BmpString,
        4 Flag "flag": bool,
        ...
    }
}

/// A clear token with a password or a certificate.
pub type PwdCertToken = ClearToken;

choice! {
    /// A value encrypted, signed or hashed, with the kind of token.
    CryptoToken {
        0 CryptoEncryptedToken "cryptoEncryptedToken": Box<CryptoTokenCryptoEncryptedToken>,
        1 CryptoSignedToken "cryptoSignedToken": Box<CryptoTokenCryptoSignedToken>,
        2 CryptoHashedToken "cryptoHashedToken": Box<CryptoTokenCryptoHashedToken>,
        3 CryptoPwdEncr "cryptoPwdEncr": Box<Encrypted>,
        ...
    }
}

sequence! {
    /// `cryptoEncryptedToken` of [`CryptoToken`].
    CryptoTokenCryptoEncryptedToken {
        token_oid "tokenOID": Oid,
        token "token": Encrypted,
    }
}

sequence! {
    /// `cryptoSignedToken` of [`CryptoToken`].
    CryptoTokenCryptoSignedToken {
        token_oid "tokenOID": Oid,
        token "token": Signed,
    }
}

sequence! {
    /// `cryptoHashedToken` of [`CryptoToken`].
    CryptoTokenCryptoHashedToken {
        token_oid "tokenOID": Oid,
        hashed_vals "hashedVals": ClearToken,
        token "token": Hashed,
    }
}
