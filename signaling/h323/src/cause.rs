//! Causes and reasons of release: Q.850 cause ⇄ H.225.0 ReleaseCompleteReason.
//! In: what the application, a timer or the peer says. Out: the pair that goes on the wire.
//!
//! The table from reason to cause is H.225.0's own (clause 7.2.2.8, table 5). Backwards it is not a
//! function: only rows that say the same thing both ways are used, so that a plain 16 does not reach
//! the caller as `destinationRejection`.
//!
//! Not here: what TAPI makes of them (`offhook-tsp`).

use offhook_wire::q931::Cause;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident => $cause:ident;)*) => {
        /// An alternative of H.225.0 ReleaseCompleteReason, without its contents.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ReleaseReason {
            $($(#[$doc])* $name,)*
            /// An alternative that this version does not know.
            Unknown,
        }

        impl ReleaseReason {
            /// All reasons with a name.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The cause that H.225.0 table 5 derives.
            #[must_use]
            pub fn cause(self) -> Cause {
                match self {
                    $(Self::$name => Cause::$cause,)*
                    Self::Unknown => Cause::NORMAL_UNSPECIFIED,
                }
            }
        }
    };
}

reasons! {
    /// noBandwidth: bandwidth taken away or ARQ denied.
    NoBandwidth => NO_CIRCUIT_AVAILABLE;
    /// gatekeeperResources: exhausted.
    GatekeeperResources => RESOURCE_UNAVAILABLE;
    /// unreachableDestination: no transport path to the destination.
    UnreachableDestination => NO_ROUTE_TO_DESTINATION;
    /// destinationRejection: rejected at destination.
    DestinationRejection => NORMAL_CALL_CLEARING;
    /// invalidRevision.
    InvalidRevision => INCOMPATIBLE_DESTINATION;
    /// noPermission: called party's gatekeeper rejects.
    NoPermission => INTERWORKING;
    /// unreachableGatekeeper: terminal cannot reach gatekeeper for ARQ.
    UnreachableGatekeeper => NETWORK_OUT_OF_ORDER;
    /// gatewayResources.
    GatewayResources => SWITCHING_EQUIPMENT_CONGESTION;
    /// badFormatAddress.
    BadFormatAddress => INVALID_NUMBER_FORMAT;
    /// adaptiveBusy: call is dropping due to LAN crowding.
    AdaptiveBusy => TEMPORARY_FAILURE;
    /// inConf: called party busy.
    InConf => USER_BUSY;
    /// undefinedReason.
    UndefinedReason => NORMAL_UNSPECIFIED;
    /// facilityCallDeflection: call was deflected using a Facility message.
    FacilityCallDeflection => NORMAL_CALL_CLEARING;
    /// securityDenied: incompatible security settings.
    SecurityDenied => NORMAL_UNSPECIFIED;
    /// calledPartyNotRegistered: used by gatekeeper when endpoint has preGrantedARQ to bypass ARQ/ACF.
    CalledPartyNotRegistered => SUBSCRIBER_ABSENT;
    /// callerNotRegistered: likewise.
    CallerNotRegistered => NORMAL_UNSPECIFIED;
    /// newConnectionNeeded: this connection takes no further call.
    NewConnectionNeeded => RESOURCE_UNAVAILABLE;
    /// nonStandardReason.
    NonStandardReason => INTERWORKING;
    /// replaceWithConferenceInvite: call dropped due to subsequent invitation to a conference.
    ReplaceWithConferenceInvite => NORMAL_UNSPECIFIED;
    /// genericDataReason.
    GenericDataReason => NORMAL_UNSPECIFIED;
    /// neededFeatureNotSupported.
    NeededFeatureNotSupported => NORMAL_UNSPECIFIED;
    /// tunnelledSignallingRejected.
    TunnelledSignallingRejected => INTERWORKING;
    /// invalidCID: conferenceID does not belong to a conference.
    InvalidCid => NO_ROUTE_TO_DESTINATION;
    /// securityError: H.235 said no.
    SecurityError => NORMAL_UNSPECIFIED;
    /// hopCountExceeded.
    HopCountExceeded => NO_ROUTE_TO_DESTINATION;
}

impl ReleaseReason {
    /// The reason that says the same as `cause`, if there is one.
    #[must_use]
    pub fn for_cause(cause: Cause) -> Option<Self> {
        match cause {
            Cause::NO_ROUTE_TO_DESTINATION => Some(Self::UnreachableDestination),
            Cause::USER_BUSY => Some(Self::InConf),
            Cause::SUBSCRIBER_ABSENT => Some(Self::CalledPartyNotRegistered),
            // 21 "call rejected" has no row; destinationRejection is what H.323 calls it.
            Cause::CALL_REJECTED => Some(Self::DestinationRejection),
            Cause::INVALID_NUMBER_FORMAT => Some(Self::BadFormatAddress),
            Cause::NO_CIRCUIT_AVAILABLE => Some(Self::NoBandwidth),
            Cause::SWITCHING_EQUIPMENT_CONGESTION => Some(Self::GatewayResources),
            Cause::INCOMPATIBLE_DESTINATION => Some(Self::InvalidRevision),
            _ => None,
        }
    }
}

/// Why our application ends a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// The Cause element to send.
    pub cause: Cause,
    /// The ReleaseCompleteReason to send; `None` sends the one that says the same as the cause, if any.
    pub reason: Option<ReleaseReason>,
}

impl Release {
    /// Normal call clearing: hanging up, or a caller who gives up.
    #[must_use]
    pub fn normal() -> Self {
        Self::with_cause(Cause::NORMAL_CALL_CLEARING)
    }

    /// The called user is busy.
    #[must_use]
    pub fn busy() -> Self {
        Self::with_cause(Cause::USER_BUSY)
    }

    /// The called user rejects the call.
    #[must_use]
    pub fn rejected() -> Self {
        Self::with_cause(Cause::CALL_REJECTED)
    }

    /// The called user was alerted and did not answer.
    #[must_use]
    pub fn no_answer() -> Self {
        Self::with_cause(Cause::NO_ANSWER_FROM_USER)
    }

    /// Any cause, with the reason that says the same.
    #[must_use]
    pub fn with_cause(cause: Cause) -> Self {
        Self { cause, reason: None }
    }

    /// A reason, with the cause that H.225.0 table 5 gives it.
    #[must_use]
    pub fn with_reason(reason: ReleaseReason) -> Self {
        Self { cause: reason.cause(), reason: Some(reason) }
    }

    /// The reason that goes on the wire.
    pub(crate) fn wire_reason(self) -> Option<ReleaseReason> {
        self.reason.or_else(|| ReleaseReason::for_cause(self.cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_the_cause_of_h225_table_5() {
        let table = [
            (ReleaseReason::NoBandwidth, 34),
            (ReleaseReason::GatekeeperResources, 47),
            (ReleaseReason::UnreachableDestination, 3),
            (ReleaseReason::DestinationRejection, 16),
            (ReleaseReason::InvalidRevision, 88),
            (ReleaseReason::NoPermission, 127),
            (ReleaseReason::UnreachableGatekeeper, 38),
            (ReleaseReason::GatewayResources, 42),
            (ReleaseReason::BadFormatAddress, 28),
            (ReleaseReason::AdaptiveBusy, 41),
            (ReleaseReason::InConf, 17),
            (ReleaseReason::UndefinedReason, 31),
            (ReleaseReason::FacilityCallDeflection, 16),
            (ReleaseReason::SecurityDenied, 31),
            (ReleaseReason::CalledPartyNotRegistered, 20),
            (ReleaseReason::CallerNotRegistered, 31),
            (ReleaseReason::NewConnectionNeeded, 47),
            (ReleaseReason::NonStandardReason, 127),
            (ReleaseReason::ReplaceWithConferenceInvite, 31),
            (ReleaseReason::GenericDataReason, 31),
            (ReleaseReason::NeededFeatureNotSupported, 31),
            (ReleaseReason::TunnelledSignallingRejected, 127),
            (ReleaseReason::InvalidCid, 3),
            (ReleaseReason::SecurityError, 31),
            (ReleaseReason::HopCountExceeded, 3),
        ];
        assert_eq!(table.len(), ReleaseReason::ALL.len());
        for (reason, cause) in table {
            assert_eq!(reason.cause(), Cause(cause), "{reason:?}");
        }
    }

    #[test]
    fn a_plain_hang_up_is_no_rejection() {
        assert_eq!(Release::normal().wire_reason(), None);
        assert_eq!(Release::busy().wire_reason(), Some(ReleaseReason::InConf));
        for value in 1..=127 {
            let release = Release::with_cause(Cause(value));
            assert_eq!(release.cause, Cause(value));
        }
    }
}
