//! H.450.4: call hold. Notifications and requests, all with a [`HoldArg`] or none.

use super::apdu::MixedExtension;
use crate::per::List;
use crate::per::notation::sequence;

/// `local` code of holdNotific: you are on hold.
pub const HOLD_NOTIFIC: i64 = 101;
/// `local` code of retrieveNotific: you are no longer on hold.
pub const RETRIEVE_NOTIFIC: i64 = 102;
/// `local` code of remoteHold: put me on hold.
pub const REMOTE_HOLD: i64 = 103;
/// `local` code of remoteRetrieve: take me off hold.
pub const REMOTE_RETRIEVE: i64 = 104;

sequence! {
    /// The argument of any of them: extensions, which nobody sends.
    #[derive(Default)]
    HoldArg {
        extension_arg "extensionArg"?: Vec<MixedExtension> as List<0, 255>,
        ...
    }
}
