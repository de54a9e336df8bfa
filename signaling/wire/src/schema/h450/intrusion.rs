//! H.450.11: call intrusion.

use super::super::h225::CallIdentifier;
use super::apdu::MixedExtension;
use super::{MixedExtensions, only_extensions};
use crate::per::Int;
use crate::per::notation::{choice, sequence};

/// How far the intruder may go: 1 low, 2 medium, 3 high.
pub(crate) type CICapabilityLevel = Int<1, 3>;

/// How well a user is protected: 0 low, 1 medium, 2 high, 3 fully.
pub(crate) type CIProtectionLevel = Int<0, 3>;

sequence! {
    /// Let me into the call of the busy user.
    CIRequestArg {
        ci_capability_level "ciCapabilityLevel": u8 as CICapabilityLevel,
        argument_extension "argumentExtension"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

sequence! {
    /// How the intrusion goes.
    CIRequestRes {
        ci_status_information "ciStatusInformation": CIStatusInformation,
        result_extension "resultExtension"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

sequence! {
    /// How well the user is protected.
    #[derive(Default)]
    CIGetCIPLRes {
        ci_protection_level "ciProtectionLevel": u8 as CIProtectionLevel,
        silent_monitoring_permitted "silentMonitoringPermitted"?: (),
        result_extension "resultExtension"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

sequence! {
    /// Release the call of the busy user.
    CIFrcRelArg {
        ci_capability_level "ciCapabilityLevel": u8 as CICapabilityLevel,
        argument_extension "argumentExtension"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

sequence! {
    /// Let me listen to a call.
    CISilentArg {
        ci_capability_level "ciCapabilityLevel": u8 as CICapabilityLevel,
        specific_call "specificCall"?: CallIdentifier,
        argument_extension "argumentExtension"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

sequence! {
    /// Tells a user of the intruded call.
    CINotificationArg {
        ci_status_information "ciStatusInformation": CIStatusInformation,
        argument_extension "argumentExtension"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

only_extensions! {
    /// How well is the user protected?
    CIGetCIPLOptArg argument_extension "argumentExtension";
    /// Isolate the other user.
    CIIsOptArg argument_extension "argumentExtension";
    /// The other user is isolated.
    CIIsOptRes result_extension "resultExtension";
    /// The call is released.
    CIFrcRelOptRes result_extension "resultExtension";
    /// Let me wait while the user is busy.
    CIWobOptArg argument_extension "argumentExtension";
    /// Wait.
    CIWobOptRes result_extension "resultExtension";
    /// Listen.
    CISilentOptRes result_extension "resultExtension";
}

choice! {
    /// How far the intrusion is.
    CIStatusInformation {
        0 CallIntrusionImpending "callIntrusionImpending",
        1 CallIntruded "callIntruded",
        2 CallIsolated "callIsolated",
        3 CallForceReleased "callForceReleased",
        4 CallIntrusionComplete "callIntrusionComplete",
        5 CallIntrusionEnd "callIntrusionEnd",
        ...
    }
}
