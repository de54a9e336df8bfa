//! What wraps a value: signed, encrypted, hashed.

use bytes::Bytes;

use crate::per::notation::sequence;
use crate::per::{BitString, Integer, Oid, Plain};

sequence! {
    /// A value and its signature: `SIGNED{}`. The value is an encoded open type.
    Signed {
        to_be_signed "toBeSigned": Bytes,
        algorithm_oid "algorithmOID": Oid,
        params "paramS": Params,
        signature "signature": BitString,
    }
}

sequence! {
    /// A value in cipher text: `ENCRYPTED{}`.
    Encrypted {
        algorithm_oid "algorithmOID": Oid,
        params "paramS": Params,
        encrypted_data "encryptedData": Bytes,
    }
}

sequence! {
    /// The keyed hash of a value that is sent elsewhere: `HASHED{}`.
    Hashed {
        algorithm_oid "algorithmOID": Oid,
        params "paramS": Params,
        hash "hash": BitString,
    }
}

/// Initial vector of a 64-bit block cipher.
pub(crate) type Iv8 = Plain;

/// Initial vector of a 128-bit block cipher.
pub(crate) type Iv16 = Plain;

sequence! {
    /// Parameters of an algorithm.
    #[derive(Default)]
    Params {
        ran_int "ranInt"?: Integer,
        iv8 "iv8"?: [u8; 8] as Iv8,
        ...
        iv16 "iv16": [u8; 16] as Iv16,
        iv "iv": Bytes,
        clear_salt "clearSalt": Bytes,
    }
}
