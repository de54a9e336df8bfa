//! H.450.3: call diversion.

use bytes::Bytes;

use super::address::{EndpointAddress, PartySubaddress};
use super::apdu::ArgumentExtension;
use super::transfer::PartyInfo;
use crate::per::notation::{enumerated, list, sequence};
use crate::per::{BmpString, Int, List};

/// How often a call has been diverted.
pub(crate) type DiversionCounter = Int<1, 15>;

/// Result of the operations that have no other, and argument of cfnrDivertedLegFailed.
pub type DiversionDummy = ArgumentExtension;

sequence! {
    /// Activates diversion for the served user.
    ActivateDiversionQArg {
        procedure "procedure": Procedure,
        basic_service "basicService": DiversionBasicService,
        diverted_to_address "divertedToAddress": EndpointAddress,
        served_user_nr "servedUserNr": EndpointAddress,
        activating_user_nr "activatingUserNr": EndpointAddress,
        extension "extension"?: ArgumentExtension,
        ...
    }
}

sequence! {
    /// Deactivates diversion for the served user.
    DeactivateDiversionQArg {
        procedure "procedure": Procedure,
        basic_service "basicService": DiversionBasicService,
        served_user_nr "servedUserNr": EndpointAddress,
        deactivating_user_nr "deactivatingUserNr": EndpointAddress,
        extension "extension"?: ArgumentExtension,
        ...
    }
}

sequence! {
    /// Asks for the diversions of the served user; of all services by default.
    InterrogateDiversionQArg {
        procedure "procedure": Procedure,
        basic_service "basicService"?: DiversionBasicService,
        served_user_nr "servedUserNr": EndpointAddress,
        interrogating_user_nr "interrogatingUserNr": EndpointAddress,
        extension "extension"?: ArgumentExtension,
        ...
    }
}

list! {
    /// The diversions of the served user.
    IntResultList: IntResult as List<0, 29>
}

sequence! {
    /// One diversion of the served user; not to be activated from afar by default.
    IntResult {
        served_user_nr "servedUserNr": EndpointAddress,
        basic_service "basicService": DiversionBasicService,
        procedure "procedure": Procedure,
        diverted_to_address "divertedToAddress": EndpointAddress,
        remote_enabled "remoteEnabled"?: bool,
        extension "extension"?: ArgumentExtension,
        ...
    }
}

sequence! {
    /// Asks whether calls may be diverted there.
    CheckRestrictionArg {
        served_user_nr "servedUserNr": EndpointAddress,
        basic_service "basicService": DiversionBasicService,
        diverted_to_nr "divertedToNr": EndpointAddress,
        extension "extension"?: ArgumentExtension,
        ...
    }
}

sequence! {
    /// Asks the rerouting endpoint to divert a call.
    CallReroutingArg {
        rerouting_reason "reroutingReason": DiversionReason,
        original_rerouting_reason "originalReroutingReason"?: DiversionReason,
        called_address "calledAddress": EndpointAddress,
        diversion_counter "diversionCounter": u8 as DiversionCounter,
        h225_info_element "h225InfoElement": Bytes,
        last_rerouting_nr "lastReroutingNr": EndpointAddress,
        subscription_option "subscriptionOption": SubscriptionOption,
        calling_party_subaddress "callingPartySubaddress"?: PartySubaddress,
        calling_number "callingNumber": EndpointAddress,
        calling_info "callingInfo"?: BmpString as PartyInfo,
        original_called_nr "originalCalledNr"?: EndpointAddress,
        redirecting_info "redirectingInfo"?: BmpString as PartyInfo,
        original_called_info "originalCalledInfo"?: BmpString as PartyInfo,
        extension "extension"?: ArgumentExtension,
        ...
    }
}

sequence! {
    /// Tells the caller that the call is being diverted.
    DivertingLegInformation1Arg {
        diversion_reason "diversionReason": DiversionReason,
        subscription_option "subscriptionOption": SubscriptionOption,
        nominated_nr "nominatedNr": EndpointAddress,
        nominated_info "nominatedInfo"?: BmpString as PartyInfo,
        redirecting_nr "redirectingNr"?: EndpointAddress,
        redirecting_info "redirectingInfo"?: BmpString as PartyInfo,
        extension "extension"?: ArgumentExtension,
        ...
    }
}

sequence! {
    /// Tells the diverted-to endpoint, in the SETUP, from where the call comes.
    DivertingLegInformation2Arg {
        diversion_counter "diversionCounter": u8 as DiversionCounter,
        diversion_reason "diversionReason": DiversionReason,
        original_diversion_reason "originalDiversionReason"?: DiversionReason,
        diverting_nr "divertingNr"?: EndpointAddress,
        original_called_nr "originalCalledNr"?: EndpointAddress,
        redirecting_info "redirectingInfo"?: BmpString as PartyInfo,
        original_called_info "originalCalledInfo"?: BmpString as PartyInfo,
        extension "extension"?: ArgumentExtension,
        ...
    }
}

sequence! {
    /// Tells the caller who was reached, and whether that may be shown.
    #[derive(Default)]
    DivertingLegInformation3Arg {
        presentation_allowed_indicator "presentationAllowedIndicator": bool,
        redirection_nr "redirectionNr"?: EndpointAddress,
        redirection_info "redirectionInfo"?: BmpString as PartyInfo,
        extension "extension"?: ArgumentExtension,
        ...
    }
}

sequence! {
    /// Tells the served user that a gatekeeper has diverted a call.
    DivertingLegInformation4Arg {
        diversion_reason "diversionReason": DiversionReason,
        subscription_option "subscriptionOption": SubscriptionOption,
        calling_nr "callingNr": EndpointAddress,
        calling_info "callingInfo"?: BmpString as PartyInfo,
        nominated_nr "nominatedNr": EndpointAddress,
        nominated_info "nominatedInfo"?: BmpString as PartyInfo,
        extension "extension"?: ArgumentExtension,
        ...
    }
}

enumerated! {
    /// Why a call was diverted: always, on busy, on no reply.
    DiversionReason {
        0 Unknown "unknown",
        1 Cfu "cfu",
        2 Cfb "cfb",
        3 Cfnr "cfnr",
        ...
    }
}

enumerated! {
    /// When calls are diverted: always, on busy, on no reply.
    Procedure {
        0 Cfu "cfu",
        1 Cfb "cfb",
        2 Cfnr "cfnr",
        ...
    }
}

enumerated! {
    /// What the caller may learn of a diversion.
    SubscriptionOption {
        0 NoNotification "noNotification",
        1 NotificationWithoutDivertedToNr "notificationWithoutDivertedToNr",
        2 NotificationWithDivertedToNr "notificationWithDivertedToNr",
        ...
    }
}

enumerated! {
    /// `BasicService` of H.450.3: which calls are diverted.
    DiversionBasicService {
        0 AllServices "allServices",
        ...
    }
}
