//! H.450.12: common information: what an endpoint can do and wants.

use super::MixedExtensions;
use super::apdu::MixedExtension;
use crate::per::Int;
use crate::per::notation::{enumerated, sequence};

sequence! {
    /// What the sender can do, is, and wants.
    #[derive(Default)]
    CmnArg {
        feature_list "featureList"?: FeatureList,
        feature_values "featureValues"?: FeatureValues,
        feature_control "featureControl"?: FeatureControl,
        extension "extension"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

sequence! {
    /// `DummyArg` of H.450.12: argument of cmnRequest.
    #[derive(Default)]
    CmnDummyArg {
        extension_arg "extensionArg"?: Vec<MixedExtension> as MixedExtensions,
    }
}

sequence! {
    /// What the sender supports.
    #[derive(Default)]
    FeatureList {
        ss_cf_rerouting_supported "ssCFreRoutingSupported"?: (),
        ss_ct_rerouting_supported "ssCTreRoutingSupported"?: (),
        ss_ccbs_possible "ssCCBSPossible"?: (),
        ss_ccnr_possible "ssCCNRPossible"?: (),
        ss_co_supported "ssCOSupported"?: (),
        ss_ci_forced_release_supported "ssCIForcedReleaseSupported"?: (),
        ss_ci_isolation_supported "ssCIIsolationSupported"?: (),
        ss_ci_wait_on_busy_supported "ssCIWaitOnBusySupported"?: (),
        ss_ci_silent_monitoring_supported "ssCISilentMonitoringSupported"?: (),
        ss_ci_conference_supported "ssCIConferenceSupported"?: (),
        ss_ch_far_hold_supported "ssCHFarHoldSupported"?: (),
        ss_mwi_callback_supported "ssMWICallbackSupported"?: (),
        ss_cp_call_park_supported "ssCPCallParkSupported"?: (),
        ...
    }
}

sequence! {
    /// What the sender is.
    #[derive(Default)]
    FeatureValues {
        party_category "partyCategory"?: PartyCategory,
        ss_ci_protection_level "ssCIprotectionLevel"?: u8 as Int<0, 3>,
        ...
    }
}

enumerated! {
    /// What the sender is in its private network.
    PartyCategory {
        0 Unknown "unknown",
        1 Extension "extension",
        2 Attendant "attendant",
        3 EmergExt "emergExt",
        ...
    }
}

sequence! {
    /// What the sender wants.
    #[derive(Default)]
    FeatureControl {
        ss_ch_do_not_hold "ssCHDoNotHold"?: (),
        ss_ct_do_not_transfer "ssCTDoNotTransfer"?: (),
        ss_mwi_callback_call "ssMWICallbackCall"?: (),
        ss_ci_silent_monitor_permitted "ssCISilentMonitorPermitted"?: (),
        ...
    }
}
