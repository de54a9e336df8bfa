//! H.450.4: call hold, near end (notifications) and far end.

use super::only_extensions;

only_extensions! {
    /// You are on hold.
    HoldNotificArg extension_arg "extensionArg";
    /// You are no longer on hold.
    RetrieveNotificArg extension_arg "extensionArg";
    /// Put me on hold.
    RemoteHoldArg extension_arg "extensionArg";
    /// You are.
    RemoteHoldRes extension_res "extensionRes";
    /// Take me off hold.
    RemoteRetrieveArg extension_arg "extensionArg";
    /// You are.
    RemoteRetrieveRes extension_res "extensionRes";
}

/// Their common shape.
pub type HoldArg = HoldNotificArg;
