//! H.450.8: names of the parties of a call.

use bytes::Bytes;

use super::MixedExtensions;
use super::apdu::MixedExtension;
use crate::per::notation::{choice, sequence};
use crate::per::{Bmp, BmpString, Octets};

sequence! {
    /// The argument of any of them.
    NameArg {
        name "name": Name,
        extension_arg "extensionArg"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

choice! {
    /// A name, and whether it may be shown.
    Name {
        0 NamePresentationAllowed "namePresentationAllowed": NamePresentationAllowed,
        1 NamePresentationRestricted "namePresentationRestricted": NamePresentationRestricted,
        2 NameNotAvailable "nameNotAvailable",
        ...
    }
}

choice! {
    /// A name that may be shown.
    NamePresentationAllowed {
        0 SimpleName "simpleName": Bytes as SimpleName,
        1 ExtendedName "extendedName": BmpString as ExtendedName,
        ...
    }
}

choice! {
    /// A name that may not be shown.
    NamePresentationRestricted {
        0 SimpleName "simpleName": Bytes as SimpleName,
        1 ExtendedName "extendedName": BmpString as ExtendedName,
        2 RestrictedNull "restrictedNull",
        ...
    }
}

/// A name in Latin characters.
pub(crate) type SimpleName = Octets<1, 50>;

/// A name in any characters.
pub(crate) type ExtendedName = Bmp<1, 256>;
