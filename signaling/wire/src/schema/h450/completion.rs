//! H.450.9: call completion, on busy (CCBS) and on no reply (CCNR).

use super::super::h225::CallIdentifier;
use super::MixedExtensions;
use super::address::EndpointAddress;
use super::apdu::MixedExtension;
use super::message_waiting::BasicService;
use crate::per::notation::{choice, sequence};

sequence! {
    /// Tell me when the called user is free.
    CcRequestArg {
        number_a "numberA": EndpointAddress,
        number_b "numberB": EndpointAddress,
        cc_identifier "ccIdentifier"?: CallIdentifier,
        service "service": BasicService,
        can_retain_service "can-retain-service": bool,
        retain_sig_connection "retain-sig-connection"?: bool,
        extension "extension"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

sequence! {
    /// I will.
    #[derive(Default)]
    CcRequestRes {
        retain_service "retain-service": bool,
        extension "extension"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

choice! {
    /// Argument of the operations that follow: on the connection of the request, or on another.
    CcArg {
        0 ShortArg "shortArg": Box<CcShortArg>,
        1 LongArg "longArg": Box<CcLongArg>,
        ...
    }
}

sequence! {
    /// Where the signalling connection is retained.
    #[derive(Default)]
    CcShortArg {
        cc_identifier "ccIdentifier"?: CallIdentifier,
        extension "extension"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

sequence! {
    /// Where the signalling connection was released: names the request.
    #[derive(Default)]
    CcLongArg {
        number_a "numberA"?: EndpointAddress,
        number_b "numberB"?: EndpointAddress,
        cc_identifier "ccIdentifier"?: CallIdentifier,
        service "service"?: BasicService,
        extension "extension"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}
