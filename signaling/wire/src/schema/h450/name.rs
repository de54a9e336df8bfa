//! H.450.8: names of the parties of a call.

use bytes::Bytes;

use super::apdu::MixedExtension;
use crate::per::notation::{choice, sequence};
use crate::per::{Bmp, BmpString, List, Octets};

/// `local` code of callingName.
pub const CALLING_NAME: i64 = 0;
/// `local` code of alertingName.
pub const ALERTING_NAME: i64 = 1;
/// `local` code of connectedName.
pub const CONNECTED_NAME: i64 = 2;
/// `local` code of busyName.
pub const BUSY_NAME: i64 = 3;

sequence! {
    /// The argument of any of them.
    NameArg {
        name "name": Name,
        extension_arg "extensionArg"?: Vec<MixedExtension> as List<0, 255>,
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
