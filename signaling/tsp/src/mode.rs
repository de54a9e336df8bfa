//! How H.323's causes and reasons read in TAPI, and the other way.
//!
//! In: how a call ended. Out: [`DisconnectMode`]; and back for a call that the application drops.
//! If both a cause and a reason came, the cause decides unless it says nothing, as 16, 31 and those without a row do; then
//! the reason does. If only a reason came it is mapped itself, not by the cause that H.225.0 derives from it; so is a
//! gatekeeper's, which only gets its cause here.

use offhook_h323::{AdmissionReason, Cause, Origin, Release, ReleaseInfo, ReleaseReason, Timer};
use offhook_spi::DisconnectMode;

/// How `info` reads in TAPI. `inbound`: the call came to us, so a far end that clears before Connect cancels.
pub(crate) fn disconnect_mode(info: &ReleaseInfo, inbound: bool) -> DisconnectMode {
    match info.origin {
        Origin::Timer(Timer::T301) => return DisconnectMode::NoAnswer,
        Origin::Timer(Timer::Deflection) => return DisconnectMode::Forwarded,
        Origin::Timer(_) if !info.connected => return DisconnectMode::Unreachable,
        Origin::Timer(_) => return DisconnectMode::TempFailure,
        Origin::Network if !info.connected && !inbound => return DisconnectMode::Unreachable,
        Origin::Network => return DisconnectMode::TempFailure,
        // Ordered by the gatekeeper: our own application knows what it did.
        Origin::Local => {
            let cause = info.cause.unwrap_or(Cause::NORMAL_UNSPECIFIED);
            return mode_of_release(&Release { cause, reason: info.reason });
        }
        Origin::Remote | Origin::Machine => {}
    }
    let cause = info.cause.map(|c| c.0);
    let mode = match (cause, info.reason) {
        (None, None) => DisconnectMode::Unknown,
        (Some(cause), None) => mode_of_cause(cause),
        (None, Some(reason)) => mode_of_reason(reason),
        (Some(16 | 31), Some(reason)) => match mode_of_reason(reason) {
            DisconnectMode::Unknown => DisconnectMode::Normal,
            mode => mode,
        },
        (Some(cause), Some(reason)) => match mode_of_cause(cause) {
            DisconnectMode::Unknown => mode_of_reason(reason),
            mode => mode,
        },
    };
    match mode {
        DisconnectMode::Normal | DisconnectMode::Unknown if inbound && !info.connected => {
            DisconnectMode::Cancelled
        }
        mode => mode,
    }
}

/// How a call reads that its gatekeeper ends. A cause that H.225.0 derives from the reason adds nothing to it.
pub(crate) fn mode_of_release(release: &Release) -> DisconnectMode {
    let reason = release.reason.map_or(DisconnectMode::Unknown, mode_of_reason);
    let derived = release.reason.is_some_and(|reason| reason.cause() == release.cause);
    match mode_of_cause(release.cause.0) {
        _ if derived && reason != DisconnectMode::Unknown => reason,
        DisconnectMode::Unknown => reason,
        mode => mode,
    }
}

/// How a call reads that its gatekeeper does not admit.
pub(crate) fn mode_of_admission(reason: AdmissionReason) -> DisconnectMode {
    use AdmissionReason as A;
    match reason {
        A::CalledPartyNotRegistered
        | A::RouteCallToScn
        | A::NoRouteToDestination
        | A::RegisterWithAssignedGk
        | A::Unreachable => DisconnectMode::Unreachable,
        A::RequestDenied | A::QosControlNotSupported => DisconnectMode::QosUnavail,
        A::ResourceUnavailable | A::ExceedsCallCapacity | A::TooManyCalls => DisconnectMode::Congestion,
        A::InvalidPermission
        | A::CallerNotRegistered
        | A::InvalidEndpointIdentifier
        | A::SecurityDenial
        | A::SecurityError
        | A::SecurityDhMismatch
        | A::CollectPin => DisconnectMode::Blocked,
        A::IncompleteAddress | A::AliasesInconsistent | A::CollectDestination | A::UnallocatedNumber => {
            DisconnectMode::BadAddress
        }
        A::RouteCallToGatekeeper => DisconnectMode::Forwarded,
        A::NeededFeatureNotSupported => DisconnectMode::Incompatible,
        // undefinedReason, genericDataReason, ours, later ones.
        _ => DisconnectMode::Unknown,
    }
}

/// What a Cause element says by itself. A cause without a row is [`DisconnectMode::Unknown`]: docs/CAUSES.md has all 127.
const CAUSES: &[(DisconnectMode, &[u8])] = &[
    (DisconnectMode::Normal, &[16, 31]),
    (DisconnectMode::Busy, &[17]),
    (DisconnectMode::NoAnswer, &[18, 19]),
    (DisconnectMode::Reject, &[21]),
    (DisconnectMode::BadAddress, &[1, 28]),
    (DisconnectMode::NumberChanged, &[22]),
    (DisconnectMode::Unreachable, &[2, 3, 20]),
    (DisconnectMode::OutOfOrder, &[27]),
    (DisconnectMode::Congestion, &[34, 38, 42, 44, 47]),
    (DisconnectMode::TempFailure, &[41]),
    (DisconnectMode::Incompatible, &[58, 65, 79, 88]),
];

fn mode_of_cause(cause: u8) -> DisconnectMode {
    let row = CAUSES.iter().find(|(_, causes)| causes.contains(&cause));
    row.map_or(DisconnectMode::Unknown, |(mode, _)| *mode)
}

fn mode_of_reason(reason: ReleaseReason) -> DisconnectMode {
    match reason {
        ReleaseReason::InConf => DisconnectMode::Busy,
        ReleaseReason::DestinationRejection => DisconnectMode::Reject,
        ReleaseReason::BadFormatAddress => DisconnectMode::BadAddress,
        ReleaseReason::CalledPartyNotRegistered
        | ReleaseReason::UnreachableDestination
        | ReleaseReason::UnreachableGatekeeper
        | ReleaseReason::HopCountExceeded
        | ReleaseReason::InvalidCid => DisconnectMode::Unreachable,
        ReleaseReason::GatekeeperResources
        | ReleaseReason::GatewayResources
        | ReleaseReason::AdaptiveBusy => DisconnectMode::Congestion,
        ReleaseReason::NoBandwidth => DisconnectMode::QosUnavail,
        ReleaseReason::NewConnectionNeeded => DisconnectMode::TempFailure,
        ReleaseReason::InvalidRevision
        | ReleaseReason::NeededFeatureNotSupported
        | ReleaseReason::TunnelledSignallingRejected => DisconnectMode::Incompatible,
        ReleaseReason::SecurityDenied
        | ReleaseReason::SecurityError
        | ReleaseReason::NoPermission
        | ReleaseReason::CallerNotRegistered => DisconnectMode::Blocked,
        ReleaseReason::FacilityCallDeflection => DisconnectMode::Forwarded,
        // undefinedReason, nonStandardReason, genericDataReason, replaceWithConferenceInvite, later ones.
        _ => DisconnectMode::Unknown,
    }
}

/// The cause to tell the far end when an application drops a call with `mode`.
pub(crate) fn cause_of_mode(mode: DisconnectMode) -> u8 {
    match mode {
        DisconnectMode::Normal
        | DisconnectMode::Unknown
        | DisconnectMode::Cancelled
        | DisconnectMode::Pickup => 16,
        DisconnectMode::Busy => 17,
        DisconnectMode::NoAnswer => 19,
        DisconnectMode::Reject | DisconnectMode::DoNotDisturb | DisconnectMode::Forwarded => 21,
        DisconnectMode::BadAddress => 28,
        DisconnectMode::NumberChanged => 22,
        DisconnectMode::Unreachable | DisconnectMode::NoDialtone => 3,
        DisconnectMode::Unavail => 20,
        DisconnectMode::OutOfOrder => 27,
        DisconnectMode::Congestion => 42,
        DisconnectMode::TempFailure => 41,
        DisconnectMode::Incompatible => 88,
        DisconnectMode::QosUnavail => 34,
        DisconnectMode::Blocked => 57,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(cause: Option<u8>, reason: Option<ReleaseReason>) -> ReleaseInfo {
        ReleaseInfo {
            origin: Origin::Remote,
            cause: cause.map(Cause),
            reason,
            connected: true,
            display: None,
            user_user: None,
            text: String::new(),
        }
    }

    #[test]
    fn the_cause_decides_unless_it_says_nothing() {
        use DisconnectMode as M;
        use ReleaseReason as R;
        let rows = [
            (Some(16), None, M::Normal),
            (Some(17), None, M::Busy),
            (Some(17), Some(R::UndefinedReason), M::Busy),
            (Some(16), Some(R::InConf), M::Busy),
            (Some(31), Some(R::DestinationRejection), M::Reject),
            (Some(16), Some(R::UndefinedReason), M::Normal),
            (None, Some(R::AdaptiveBusy), M::Congestion),
            (None, Some(R::NoBandwidth), M::QosUnavail),
            (None, Some(R::CalledPartyNotRegistered), M::Unreachable),
            (Some(19), None, M::NoAnswer),
            (Some(28), None, M::BadAddress),
            (Some(22), None, M::NumberChanged),
            (Some(3), None, M::Unreachable),
            (Some(27), None, M::OutOfOrder),
            (Some(42), None, M::Congestion),
            (Some(41), None, M::TempFailure),
            (Some(88), None, M::Incompatible),
            (Some(126), None, M::Unknown),
            // A cause without a row says nothing.
            (Some(127), Some(R::NoPermission), M::Blocked),
            (Some(126), Some(R::UndefinedReason), M::Unknown),
            (None, None, M::Unknown),
        ];
        for (cause, reason, mode) in rows {
            assert_eq!(disconnect_mode(&ended(cause, reason), false), mode, "{cause:?} {reason:?}");
        }
    }

    #[test]
    fn a_caller_who_clears_before_connect_cancels() {
        let mut info = ended(Some(16), None);
        info.connected = false;
        assert_eq!(disconnect_mode(&info, true), DisconnectMode::Cancelled);
        assert_eq!(disconnect_mode(&info, false), DisconnectMode::Normal);
    }

    #[test]
    fn an_unanswered_call_and_a_silent_peer_are_told_apart() {
        let by =
            |timer| ReleaseInfo { origin: Origin::Timer(timer), connected: false, ..ended(Some(102), None) };
        assert_eq!(disconnect_mode(&by(Timer::T301), false), DisconnectMode::NoAnswer);
        assert_eq!(disconnect_mode(&by(Timer::T303), false), DisconnectMode::Unreachable);
        assert_eq!(disconnect_mode(&by(Timer::T310), false), DisconnectMode::Unreachable);
    }

    #[test]
    fn a_mode_told_to_the_far_end_is_the_mode_it_reads() {
        use DisconnectMode as M;
        for mode in [M::Normal, M::Busy, M::Reject, M::NoAnswer, M::BadAddress, M::Congestion, M::TempFailure]
        {
            assert_eq!(mode_of_cause(cause_of_mode(mode)), mode);
        }
    }

    const MODES: [DisconnectMode; 20] = [
        DisconnectMode::Normal,
        DisconnectMode::Unknown,
        DisconnectMode::Reject,
        DisconnectMode::Pickup,
        DisconnectMode::Forwarded,
        DisconnectMode::Busy,
        DisconnectMode::NoAnswer,
        DisconnectMode::BadAddress,
        DisconnectMode::Unreachable,
        DisconnectMode::Congestion,
        DisconnectMode::Incompatible,
        DisconnectMode::Unavail,
        DisconnectMode::NoDialtone,
        DisconnectMode::NumberChanged,
        DisconnectMode::OutOfOrder,
        DisconnectMode::TempFailure,
        DisconnectMode::QosUnavail,
        DisconnectMode::Blocked,
        DisconnectMode::DoNotDisturb,
        DisconnectMode::Cancelled,
    ];

    /// The tables of docs/CAUSES.md, as the code has them.
    fn tables() -> String {
        use std::fmt::Write as _;
        let mut text =
            String::from("| cause | Q.850 | sent with reason | LINEDISCONNECTMODE |\n|---|---|---|---|\n");
        for value in 1..=127 {
            let cause = Cause(value);
            let name = cause.name().unwrap_or("(not assigned)");
            let reason =
                ReleaseReason::for_cause(cause).map_or_else(String::new, |reason| format!("{reason:?}"));
            let mode = mode_of_cause(value);
            writeln!(text, "| {value} | {name} | {reason} | {mode:?} |").unwrap();
        }
        text.push_str(
            "\n| ReleaseCompleteReason | cause of H.225.0 table 5 | LINEDISCONNECTMODE |\n|---|---|---|\n",
        );
        for reason in ReleaseReason::ALL {
            let mode = mode_of_reason(*reason);
            writeln!(text, "| {reason:?} | {} | {mode:?} |", reason.cause().0).unwrap();
        }
        text.push_str("\n| ARJ | cause sent | reason sent | LINEDISCONNECTMODE |\n|---|---|---|---|\n");
        for reason in AdmissionReason::ALL {
            let release = reason.release();
            let said = release.reason.or_else(|| ReleaseReason::for_cause(release.cause));
            let said = said.map_or_else(String::new, |said| format!("{said:?}"));
            let mode = mode_of_admission(*reason);
            writeln!(text, "| {} | {} | {said} | {mode:?} |", reason.name(), release.cause.0).unwrap();
        }
        text.push_str("\n| dropped with | cause sent | reason sent |\n|---|---|---|\n");
        for mode in MODES {
            let cause = Cause(cause_of_mode(mode));
            let reason =
                ReleaseReason::for_cause(cause).map_or_else(String::new, |reason| format!("{reason:?}"));
            writeln!(text, "| {mode:?} | {} | {reason} |", cause.0).unwrap();
        }
        text
    }

    #[test]
    fn the_documented_tables_are_what_the_code_does() {
        let documented = include_str!("../../../docs/CAUSES.md");
        let tables = tables();
        assert!(documented.ends_with(&tables), "docs/CAUSES.md is to end with:\n{tables}");
    }

    #[test]
    fn a_reason_alone_is_mapped_itself_and_beside_a_cause_that_speaks_it_is_not() {
        for reason in ReleaseReason::ALL {
            let alone = disconnect_mode(&ended(None, Some(*reason)), false);
            assert_eq!(alone, mode_of_reason(*reason), "{reason:?}");
            for value in 1..=127 {
                let mode = disconnect_mode(&ended(Some(value), Some(*reason)), false);
                let expected = match (value, mode_of_reason(*reason)) {
                    (16 | 31, DisconnectMode::Unknown) => DisconnectMode::Normal,
                    (16 | 31, mode) => mode,
                    (_, mode) if mode_of_cause(value) == DisconnectMode::Unknown => mode,
                    _ => mode_of_cause(value),
                };
                assert_eq!(mode, expected, "{value} {reason:?}");
            }
        }
    }

    #[test]
    fn what_the_gatekeeper_ends_reads_as_the_reason_that_it_gives() {
        use DisconnectMode as M;
        use ReleaseReason as R;
        for (release, mode) in [
            // DRQ forcedDrop: bandwidth was taken away (H.225.0 7.2.2.8), which is no congestion.
            (Release::with_reason(R::NoBandwidth), M::QosUnavail),
            (Release::with_reason(R::UnreachableGatekeeper), M::Unreachable),
            (Release::with_reason(R::UndefinedReason), M::Normal),
            (Release::normal(), M::Normal),
            (Release { cause: Cause(41), reason: Some(R::NoBandwidth) }, M::TempFailure),
        ] {
            assert_eq!(mode_of_release(&release), mode, "{release:?}");
            let (cause, reason) = (Some(release.cause.0), release.reason);
            let info = ReleaseInfo { origin: Origin::Local, ..ended(cause, reason) };
            assert_eq!(disconnect_mode(&info, true), mode, "{release:?}");
        }
        for reason in AdmissionReason::ALL {
            // Whatever the caller of an incoming call is told, it is not taken for a hang-up.
            assert_ne!(mode_of_admission(*reason), M::Normal, "{reason:?}");
        }
    }

    #[test]
    fn a_call_sent_elsewhere_was_forwarded() {
        let origin = Origin::Timer(Timer::Deflection);
        let info = ReleaseInfo { origin, connected: false, ..ended(Some(16), None) };
        assert_eq!(disconnect_mode(&info, true), DisconnectMode::Forwarded);
        let by_reason = ended(Some(16), Some(ReleaseReason::FacilityCallDeflection));
        assert_eq!(disconnect_mode(&by_reason, true), DisconnectMode::Forwarded);
    }
}
