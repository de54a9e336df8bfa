//! H.450.2: call transfer.

use bytes::Bytes;

use super::address::{EndpointAddress, PartySubaddress};
use super::apdu::ArgumentExtension;
use crate::per::notation::{enumerated, sequence};
use crate::per::{Bmp, BmpString, Numeric};

/// Ties a transferred call to the consultation before it; empty if there was none.
pub(crate) type CallIdentity = Numeric<0, 4>;

/// Text about a party.
pub(crate) type PartyInfo = Bmp<1, 128>;

/// Argument of callTransferIdentify and of callTransferAbandon, where there is any.
pub type CTDummyArg = ArgumentExtension;

/// Result of callTransferInitiate and of callTransferSetup, where there is any.
pub type CTDummyRes = ArgumentExtension;

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

sequence! {
    /// Tells the ends of the new call about each other.
    CTUpdateArg {
        redirection_number "redirectionNumber": EndpointAddress,
        redirection_info "redirectionInfo"?: BmpString as PartyInfo,
        basic_call_info_elements "basicCallInfoElements"?: Bytes,
        argument_extension "argumentExtension"?: ArgumentExtension,
        ...
    }
}

sequence! {
    /// Tells the ends of the new call of a subaddress.
    SubaddressTransferArg {
        redirection_subaddress "redirectionSubaddress": PartySubaddress,
        argument_extension "argumentExtension"?: ArgumentExtension,
        ...
    }
}

sequence! {
    /// The gatekeeper has transferred the call.
    CTCompleteArg {
        end_designation "endDesignation": EndDesignation,
        redirection_number "redirectionNumber": EndpointAddress,
        basic_call_info_elements "basicCallInfoElements"?: Bytes,
        redirection_info "redirectionInfo"?: BmpString as PartyInfo,
        call_status "callStatus"?: CallStatus,
        argument_extension "argumentExtension"?: ArgumentExtension,
        ...
    }
}

enumerated! {
    /// Which of the calls became this end's.
    EndDesignation {
        0 PrimaryEnd "primaryEnd",
        1 SecondaryEnd "secondaryEnd",
        ...
    }
}

enumerated! {
    /// How far the new call is; answered by default.
    CallStatus {
        0 Answered "answered",
        1 Alerting "alerting",
        ...
    }
}

sequence! {
    /// The call that the gatekeeper transferred was answered.
    CTActiveArg {
        connected_address "connectedAddress": EndpointAddress,
        basic_call_info_elements "basicCallInfoElements"?: Bytes,
        connected_info "connectedInfo"?: BmpString as PartyInfo,
        argument_extension "argumentExtension"?: ArgumentExtension,
        ...
    }
}
