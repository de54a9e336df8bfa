//! The generic extensibility framework: features and their parameters.
//! The features themselves (H.460) are octets and parameters to this schema.

use bytes::Bytes;

use super::address::{AliasAddress, TransportAddress};
use super::common::GloballyUniqueID;
use crate::per::notation::{choice, sequence};
use crate::per::{BmpString, Ia5, IntExtensible, List, Oid};

/// One feature of the generic extensibility framework.
pub type FeatureDescriptor = GenericData;

sequence! {
    /// One feature of the generic extensibility framework, with its parameters. Nests.
    GenericData {
        id "id": GenericIdentifier,
        parameters "parameters"?: Vec<EnumeratedParameter> as List<1, 512>,
        ...
    }
}

choice! {
    /// The name of a feature or of a parameter.
    GenericIdentifier {
        0 Standard "standard": i64 as IntExtensible<0, 16_383>,
        1 Oid "oid": Oid,
        2 NonStandard "nonStandard": [u8; 16] as GloballyUniqueID,
        ...
    }
}

sequence! {
    /// A parameter of a feature.
    EnumeratedParameter {
        id "id": GenericIdentifier,
        content "content"?: Content,
        ...
    }
}

choice! {
    /// The value of a parameter. Nests.
    Content {
        0 Raw "raw": Bytes,
        1 Text "text": String as Ia5,
        2 Unicode "unicode": BmpString,
        3 Bool "bool": bool,
        4 Number8 "number8": u8,
        5 Number16 "number16": u16,
        6 Number32 "number32": u32,
        7 Id "id": GenericIdentifier,
        8 Alias "alias": AliasAddress,
        9 Transport "transport": TransportAddress,
        10 Compound "compound": Vec<EnumeratedParameter> as List<1, 512>,
        11 Nested "nested": Vec<GenericData> as List<1, 16>,
        ...
    }
}

sequence! {
    /// Features that a party needs, wants and supports.
    #[derive(Default)]
    FeatureSet {
        replacement_feature_set "replacementFeatureSet": bool,
        needed_features "neededFeatures"?: Vec<FeatureDescriptor>,
        desired_features "desiredFeatures"?: Vec<FeatureDescriptor>,
        supported_features "supportedFeatures"?: Vec<FeatureDescriptor>,
        ...
    }
}
