//! H.450.6: call waiting.

use super::apdu::MixedExtension;
use crate::per::List;
use crate::per::notation::sequence;

/// `local` code of callWaiting: the called user is busy, and has been told of this call.
pub const CALL_WAITING: i64 = 105;

sequence! {
    /// Its argument.
    #[derive(Default)]
    CallWaitingArg {
        nb_of_add_waiting_calls "nbOfAddWaitingCalls"?: u8,
        extension_arg "extensionArg"?: Vec<MixedExtension> as List<0, 255>,
        ...
    }
}
