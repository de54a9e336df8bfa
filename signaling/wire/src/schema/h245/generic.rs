//! Generic capabilities: codecs and features described by an identifier and parameters.
//! The parameters nest; the reader bounds how deep.

use bytes::Bytes;

use super::data::DataProtocolCapability;
use super::message::NonStandardParameter;
use crate::per::notation::{choice, sequence};
use crate::per::{Ia5, Int, Oid};

sequence! {
    /// A capability described by parameters: most codecs that came later.
    GenericCapability {
        capability_identifier "capabilityIdentifier": CapabilityIdentifier,
        max_bit_rate "maxBitRate"?: u32,
        collapsing "collapsing"?: Vec<GenericParameter>,
        non_collapsing "nonCollapsing"?: Vec<GenericParameter>,
        non_collapsing_raw "nonCollapsingRaw"?: Bytes,
        transport "transport"?: DataProtocolCapability,
        ...
    }
}

choice! {
    /// The name of a generic capability.
    CapabilityIdentifier {
        0 Standard "standard": Oid,
        1 H221NonStandard "h221NonStandard": Box<NonStandardParameter>,
        2 Uuid "uuid": [u8; 16],
        3 DomainBased "domainBased": String as Ia5<1, 64>,
        ...
    }
}

sequence! {
    /// A parameter of a generic capability. Nests.
    GenericParameter {
        parameter_identifier "parameterIdentifier": ParameterIdentifier,
        parameter_value "parameterValue": ParameterValue,
        supersedes "supersedes"?: Vec<ParameterIdentifier>,
        ...
    }
}

choice! {
    /// The name of a parameter.
    ParameterIdentifier {
        0 Standard "standard": u8 as Int<0, 127>,
        1 H221NonStandard "h221NonStandard": Box<NonStandardParameter>,
        2 Uuid "uuid": [u8; 16],
        3 DomainBased "domainBased": String as Ia5<1, 64>,
        ...
    }
}

choice! {
    /// The value of a parameter. Nests.
    ParameterValue {
        0 Logical "logical",
        1 BooleanArray "booleanArray": u8,
        2 UnsignedMin "unsignedMin": u16,
        3 UnsignedMax "unsignedMax": u16,
        4 Unsigned32Min "unsigned32Min": u32,
        5 Unsigned32Max "unsigned32Max": u32,
        6 OctetString "octetString": Bytes,
        7 GenericParameter "genericParameter": Vec<GenericParameter>,
        ...
    }
}
