//! H.450.6: call waiting.

use super::MixedExtensions;
use super::apdu::MixedExtension;
use crate::per::notation::sequence;

sequence! {
    /// The called user is busy, and has been told of this call.
    #[derive(Default)]
    CallWaitingArg {
        nb_of_add_waiting_calls "nbOfAddWaitingCalls"?: u8,
        extension_arg "extensionArg"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}
