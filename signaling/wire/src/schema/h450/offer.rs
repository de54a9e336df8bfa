//! H.450.10: call offer.

use super::only_extensions;

only_extensions! {
    /// Offer this call though the called user is busy.
    CoReqOptArg extension "extension";
    /// The user of the other call is alerted.
    RUAlertOptArg extension "extension";
    /// Do not divert this call on busy.
    CfbOvrOptArg extension "extension";
}
