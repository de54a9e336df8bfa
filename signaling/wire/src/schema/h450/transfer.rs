//! H.450.2: call transfer. Identify (7, with [`CTIdentifyRes`] as its result), abandon (8),
//! initiate (9, [`CTInitiateArg`]) and set up (10, [`CTSetupArg`]).
//! Not here: update (13), active (11) and complete (12), whose arguments stay octets.

use super::apdu::{ArgumentExtension, EndpointAddress};
use crate::per::Numeric;
use crate::per::notation::sequence;

/// `local` code of callTransferIdentify.
pub const CALL_TRANSFER_IDENTIFY: i64 = 7;
/// `local` code of callTransferAbandon.
pub const CALL_TRANSFER_ABANDON: i64 = 8;
/// `local` code of callTransferInitiate.
pub const CALL_TRANSFER_INITIATE: i64 = 9;
/// `local` code of callTransferSetup.
pub const CALL_TRANSFER_SETUP: i64 = 10;

/// Ties a transferred call to the consultation before it; empty if there was none.
pub(crate) type CallIdentity = Numeric<0, 4>;

sequence! {
    /// Asks an endpoint to call another, in place of the present call.
    CTInitiateArg {
        call_identity "callIdentity": String as CallIdentity,
        rerouting_number "reroutingNumber": EndpointAddress,
        argument_extension "argumentExtension"?: ArgumentExtension,
        ...
    }
}

sequence! {
    /// Comes with the SETUP of the call that such a request brought about.
    #[derive(Default)]
    CTSetupArg {
        call_identity "callIdentity": String as CallIdentity,
        transferring_number "transferringNumber"?: EndpointAddress,
        argument_extension "argumentExtension"?: ArgumentExtension,
        ...
    }
}

sequence! {
    /// How the transferred-to endpoint is to be called.
    CTIdentifyRes {
        call_identity "callIdentity": String as CallIdentity,
        rerouting_number "reroutingNumber": EndpointAddress,
        result_extension "resultExtension"?: ArgumentExtension,
        ...
    }
}
