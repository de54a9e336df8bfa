//! The types from which all others are reached: top types, arguments of H.450 operations,
//! parameters of H.460; and a way to do something for each of them by name.
//! Shared with libFuzzer's targets (`fuzz/`). Not here: what is done.

use std::fmt::Debug;

use offhook_wire::per::Type;
use offhook_wire::{h225, h235, h245, h450, h460};

/// Module and type.
pub type Name = (String, String);

/// Something to do for a type.
pub trait Act {
    type Output;
    fn act<T: Type + PartialEq + Clone + Debug>(&mut self) -> Self::Output;
}

macro_rules! roots {
    ($( $module:ident::$type:ident, )*) => {
        /// Their names.
        pub fn roots() -> Vec<Name> {
            vec![$( (stringify!($module).to_owned(), stringify!($type).to_owned()) ),*]
        }

        /// Acts for the root of this name.
        pub fn with_root<A: Act>(name: &Name, act: &mut A) -> A::Output {
            match (name.0.as_str(), name.1.as_str()) {
                $( (stringify!($module), stringify!($type)) => act.act::<$module::$type>(), )*
                other => panic!("{other:?} is no root"),
            }
        }
    };
}

roots! {
    h225::RasMessage,
    h225::H323UserInformation,
    h245::MultimediaSystemControlMessage,
    h245::OpenLogicalChannel,
    h450::H4501SupplementaryService,
    h450::CTIdentifyRes,
    h450::CTInitiateArg,
    h450::CTSetupArg,
    h450::CallWaitingArg,
    h450::NameArg,
    h460::IncomingCallIndication,
    h460::LRQKeepAliveData,
    h460::TraversalParameters,
    h235::ECGDSASignature,
    h235::H235CertificateSignature,
    h235::KeySignedMaterial,
    h235::KeySyncMaterial,
    h235::ReturnSig,
    h450::ActivateDiversionQArg,
    h450::CIFrcRelArg,
    h450::CIFrcRelOptRes,
    h450::CIGetCIPLOptArg,
    h450::CIGetCIPLRes,
    h450::CIIsOptArg,
    h450::CIIsOptRes,
    h450::CINotificationArg,
    h450::CIRequestArg,
    h450::CIRequestRes,
    h450::CISilentArg,
    h450::CISilentOptRes,
    h450::CIWobOptArg,
    h450::CIWobOptRes,
    h450::CTActiveArg,
    h450::CTCompleteArg,
    h450::CTUpdateArg,
    h450::ArgumentExtension,
    h450::CallReroutingArg,
    h450::CcArg,
    h450::CcRequestArg,
    h450::CcRequestRes,
    h450::CcShortArg,
    h450::CfbOvrOptArg,
    h450::CheckRestrictionArg,
    h450::CmnArg,
    h450::CmnDummyArg,
    h450::CoReqOptArg,
    h450::CpNotifyArg,
    h450::CpRequestArg,
    h450::CpRequestRes,
    h450::CpSetupArg,
    h450::CpSetupRes,
    h450::CpickupNotifyArg,
    h450::DeactivateDiversionQArg,
    h450::DivertingLegInformation1Arg,
    h450::DivertingLegInformation2Arg,
    h450::DivertingLegInformation3Arg,
    h450::DivertingLegInformation4Arg,
    h450::GroupIndicationOffArg,
    h450::GroupIndicationOffRes,
    h450::GroupIndicationOnArg,
    h450::GroupIndicationOnRes,
    h450::HoldNotificArg,
    h450::IntResultList,
    h450::InterrogateDiversionQArg,
    h450::MWIActivateArg,
    h450::MWIDeactivateArg,
    h450::MWIDummyRes,
    h450::MWIInterrogateArg,
    h450::MWIInterrogateRes,
    h450::PickExeArg,
    h450::PickExeRes,
    h450::PickrequArg,
    h450::PickrequRes,
    h450::PickupArg,
    h450::PickupRes,
    h450::PresentedAddressScreened,
    h450::PresentedAddressUnscreened,
    h450::PresentedNumberScreened,
    h450::PresentedNumberUnscreened,
    h450::RUAlertOptArg,
    h450::RemoteHoldArg,
    h450::RemoteHoldRes,
    h450::RemoteRetrieveArg,
    h450::RemoteRetrieveRes,
    h450::RetrieveNotificArg,
    h450::SubaddressTransferArg,
    h450::UndefinedErrorParameter,
    h450::UnspecifiedErrorParameter,
    h460::AlternateAddresses,
    h460::ExtendedRTPMetrics,
    h460::QosMonitoringReportData,
}
