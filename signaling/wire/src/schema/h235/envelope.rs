//! TODO

use bytes::Bytes;

use crate::per::notation::sequence;
use crate::per::{BitString, Oid, Plain};

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
    /// `ENCRYPTED`.
    Encrypted {
        algorithm_oid "algorithmOID": Oid,
        params "paramS": Params,
        encrypted_data "encryptedData": Bytes,
    }
}

sequence! {
    /// `HASHED`.
    Hashed {
        algorithm_oid "algorithmOID": Oid,
        params "paramS": Params,
        hash "hash": BitString,
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
        ran_int "ranInt"?: i64,
        iv8 "iv8"?: [u8; 8] as Iv8,
        ...
        iv16 "iv16": [u8; 16] as Iv16,
        iv "iv": Bytes,
        clear_salt "clearSalt": Bytes,
    }
}
