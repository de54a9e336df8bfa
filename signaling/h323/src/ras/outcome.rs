//! Reject reasons of the gatekeeper, and what they mean for a call.
//! In: rejectReason of ARJ, BRJ, LRJ. Out: [`AdmissionReason`] and the [`Release`] that a call ends with.
//!
//! H.225.0 7.2.2.8 says of ReleaseCompleteReason `noBandwidth` that it stands for a denied ARQ too, and of others that
//! they are for what ARJ would have said; the rest of the table is ours.

use offhook_wire::h225::{AdmissionRejectReason as Wire, PartyNumber};

use crate::{Cause, Release, ReleaseReason};

macro_rules! reasons {
    ($($name:ident $standard:literal => $release:expr,)*) => {
        /// Why a call is not admitted: rejectReason of ARJ without its contents, or no answer.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[allow(missing_docs, reason = "the names are H.225.0's")]
        pub enum AdmissionReason {
            $($name,)*
            /// An alternative that this version does not know.
            Unknown,
            /// The gatekeeper does not answer, or there is none.
            Unreachable,
            /// We ask for too many calls at once.
            TooManyCalls,
            /// We have asked about this call before, and it is not disengaged yet: that one goes on.
            AlreadyKnown,
        }

        impl AdmissionReason {
            /// Those of H.225.0.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The standard's name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $standard,)*
                    Self::Unknown => "unknown reason",
                    Self::Unreachable => "no answer",
                    Self::TooManyCalls => "too many calls",
                    Self::AlreadyKnown => "asked about already",
                }
            }

            /// What the call ends with.
            #[must_use]
            pub fn release(self) -> Release {
                match self {
                    $(Self::$name => $release,)*
                    Self::Unknown => reason(ReleaseReason::UndefinedReason),
                    Self::Unreachable => reason(ReleaseReason::UnreachableGatekeeper),
                    Self::TooManyCalls => reason(ReleaseReason::GatekeeperResources),
                    Self::AlreadyKnown => reason(ReleaseReason::UndefinedReason),
                }
            }
        }
    };
}

fn reason(reason: ReleaseReason) -> Release {
    Release::with_reason(reason)
}

fn both(cause: u8, reason: ReleaseReason) -> Release {
    Release { cause: Cause(cause), reason: Some(reason) }
}

reasons! {
    CalledPartyNotRegistered "calledPartyNotRegistered" => reason(ReleaseReason::CalledPartyNotRegistered),
    InvalidPermission "invalidPermission" => both(21, ReleaseReason::NoPermission),
    RequestDenied "requestDenied" => reason(ReleaseReason::NoBandwidth),
    UndefinedReason "undefinedReason" => reason(ReleaseReason::UndefinedReason),
    CallerNotRegistered "callerNotRegistered" => reason(ReleaseReason::CallerNotRegistered),
    RouteCallToGatekeeper "routeCallToGatekeeper" => reason(ReleaseReason::FacilityCallDeflection),
    InvalidEndpointIdentifier "invalidEndpointIdentifier" => reason(ReleaseReason::CallerNotRegistered),
    ResourceUnavailable "resourceUnavailable" => reason(ReleaseReason::GatekeeperResources),
    SecurityDenial "securityDenial" => reason(ReleaseReason::SecurityDenied),
    // 63: service or option not available.
    QosControlNotSupported "qosControlNotSupported" => both(63, ReleaseReason::UndefinedReason),
    IncompleteAddress "incompleteAddress" => reason(ReleaseReason::BadFormatAddress),
    AliasesInconsistent "aliasesInconsistent" => reason(ReleaseReason::BadFormatAddress),
    RouteCallToScn "routeCallToSCN" => reason(ReleaseReason::UnreachableDestination),
    ExceedsCallCapacity "exceedsCallCapacity" => reason(ReleaseReason::GatewayResources),
    CollectDestination "collectDestination" => reason(ReleaseReason::BadFormatAddress),
    CollectPin "collectPIN" => both(21, ReleaseReason::NoPermission),
    GenericDataReason "genericDataReason" => reason(ReleaseReason::GenericDataReason),
    NeededFeatureNotSupported "neededFeatureNotSupported" => reason(ReleaseReason::NeededFeatureNotSupported),
    SecurityError "securityError" => reason(ReleaseReason::SecurityError),
    SecurityDhMismatch "securityDHmismatch" => reason(ReleaseReason::SecurityError),
    NoRouteToDestination "noRouteToDestination" => reason(ReleaseReason::UnreachableDestination),
    // 1: unallocated (unassigned) number.
    UnallocatedNumber "unallocatedNumber" => both(1, ReleaseReason::UnreachableDestination),
    RegisterWithAssignedGk "registerWithAssignedGK" => reason(ReleaseReason::UnreachableGatekeeper),
}

impl AdmissionReason {
    pub(crate) fn from_wire(wire: &Wire) -> Self {
        match wire {
            Wire::CalledPartyNotRegistered => Self::CalledPartyNotRegistered,
            Wire::InvalidPermission => Self::InvalidPermission,
            Wire::RequestDenied => Self::RequestDenied,
            Wire::UndefinedReason => Self::UndefinedReason,
            Wire::CallerNotRegistered => Self::CallerNotRegistered,
            Wire::RouteCallToGatekeeper => Self::RouteCallToGatekeeper,
            Wire::InvalidEndpointIdentifier => Self::InvalidEndpointIdentifier,
            Wire::ResourceUnavailable => Self::ResourceUnavailable,
            Wire::SecurityDenial => Self::SecurityDenial,
            Wire::QosControlNotSupported => Self::QosControlNotSupported,
            Wire::IncompleteAddress => Self::IncompleteAddress,
            Wire::AliasesInconsistent => Self::AliasesInconsistent,
            Wire::RouteCallToSCN(_) => Self::RouteCallToScn,
            Wire::ExceedsCallCapacity => Self::ExceedsCallCapacity,
            Wire::CollectDestination => Self::CollectDestination,
            Wire::CollectPIN => Self::CollectPin,
            Wire::GenericDataReason => Self::GenericDataReason,
            Wire::NeededFeatureNotSupported => Self::NeededFeatureNotSupported,
            Wire::SecurityError(_) => Self::SecurityError,
            Wire::SecurityDHmismatch => Self::SecurityDhMismatch,
            Wire::NoRouteToDestination => Self::NoRouteToDestination,
            Wire::UnallocatedNumber => Self::UnallocatedNumber,
            Wire::RegisterWithAssignedGK => Self::RegisterWithAssignedGk,
            Wire::Unrecognized(_) => Self::Unknown,
        }
    }

    /// The gatekeeper does not know us any more: register, then ask once more.
    pub(crate) fn is_unregistered(self) -> bool {
        matches!(
            self,
            Self::CallerNotRegistered | Self::InvalidEndpointIdentifier | Self::RegisterWithAssignedGk
        )
    }
}

/// The numbers of routeCallToSCN.
pub(crate) fn scn_numbers(wire: &Wire) -> Vec<String> {
    let Wire::RouteCallToSCN(numbers) = wire else {
        return Vec::new();
    };
    let digits = numbers.iter().take(8).filter_map(|number| match number {
        PartyNumber::E164Number(number) => Some(number.public_number_digits.clone()),
        PartyNumber::PrivateNumber(number) => Some(number.private_number_digits.clone()),
        _ => None,
    });
    digits.collect()
}
