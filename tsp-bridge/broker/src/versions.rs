//! Interface versions: what a client negotiates, and what it is told by the words of that version.
//!
//! In: NegotiateApiVersion; states. Out: the version to use; states that the version knows.
//! A provider speaks the version that it negotiated with the broker; a client hears the words of its own, which is what
//! it negotiated for the device before it opened the line (without that: the device's). MSPs are there from 3.0.
//!
//! | LINEDISCONNECTMODE_ | from version | told before that as |
//! |---|---|---|
//! | NORMAL, UNKNOWN, REJECT, PICKUP, FORWARDED, BUSY, NOANSWER, BADADDRESS, UNREACHABLE, CONGESTION, INCOMPATIBLE, UNAVAIL | 1.3 | – |
//! | NODIALTONE | 1.4 | UNKNOWN |
//! | NUMBERCHANGED, OUTOFORDER, TEMPFAILURE, QOSUNAVAIL, BLOCKED, DONOTDISTURB | 2.0 | UNKNOWN |
//! | CANCELLED | 2.0 | NORMAL |
//!
//! The versions are those of the Windows documentation of LINEDISCONNECTMODE_; which of its two substitutes stands for
//! which is decided here: a call that its caller gave up has ended normally.

use offhook_spi::{ApiVersion, AppReply, DeviceId, DisconnectMode, LineCallState, LineError};

use crate::model::{ClientId, Inner};

/// The lowest version that a client may speak: the first that Windows telephony was published with.
const OLDEST: ApiVersion = ApiVersion(0x0001_0003);
const V1_4: ApiVersion = ApiVersion(0x0001_0004);
const V2_0: ApiVersion = ApiVersion(0x0002_0000);

impl Inner {
    pub(crate) fn negotiate_version(
        &self,
        client: ClientId,
        device: DeviceId,
        lowest: ApiVersion,
        highest: ApiVersion,
    ) -> Result<AppReply, LineError> {
        self.with(|state| {
            let index = state.device(device)?;
            let newest = state.devices.get(index).ok_or(LineError::BadDeviceId)?.version;
            let version = ApiVersion::negotiate(lowest, highest, OLDEST, newest)
                .ok_or(LineError::IncompatibleApiVersion)?;
            let client = state.clients.get_mut(&client).ok_or(LineError::NoDriver)?;
            client.versions.insert(device, version);
            Ok(AppReply::ApiVersion(version))
        })
    }
}

/// A state as a client of that version knows it.
pub(crate) fn told(state: LineCallState, version: ApiVersion) -> LineCallState {
    match state {
        LineCallState::Disconnected(mode) if version < since(mode) => {
            LineCallState::Disconnected(match mode {
                DisconnectMode::Cancelled => DisconnectMode::Normal,
                _ => DisconnectMode::Unknown,
            })
        }
        _ => state,
    }
}

/// The first version that knows a mode.
fn since(mode: DisconnectMode) -> ApiVersion {
    use DisconnectMode as M;
    match mode {
        M::Normal
        | M::Unknown
        | M::Reject
        | M::Pickup
        | M::Forwarded
        | M::Busy
        | M::NoAnswer
        | M::BadAddress
        | M::Unreachable
        | M::Congestion
        | M::Incompatible
        | M::Unavail => OLDEST,
        M::NoDialtone => V1_4,
        M::NumberChanged
        | M::OutOfOrder
        | M::TempFailure
        | M::QosUnavail
        | M::Blocked
        | M::DoNotDisturb
        | M::Cancelled => V2_0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LineCallState::Disconnected as D;

    #[test]
    fn a_mode_that_is_newer_than_the_client_falls_back() {
        let old = [DisconnectMode::Normal, DisconnectMode::Busy, DisconnectMode::Incompatible];
        for mode in old {
            assert_eq!(told(D(mode), OLDEST), D(mode));
        }
        for (mode, first, before) in [
            (DisconnectMode::NoDialtone, V1_4, DisconnectMode::Unknown),
            (DisconnectMode::Blocked, V2_0, DisconnectMode::Unknown),
            (DisconnectMode::QosUnavail, V2_0, DisconnectMode::Unknown),
            (DisconnectMode::DoNotDisturb, V2_0, DisconnectMode::Unknown),
            (DisconnectMode::Cancelled, V2_0, DisconnectMode::Normal),
        ] {
            assert_eq!(told(D(mode), first), D(mode));
            assert_eq!(told(D(mode), ApiVersion(first.0 - 1)), D(before), "{mode:?}");
            assert_eq!(told(D(mode), ApiVersion::V3_1), D(mode));
        }
        assert_eq!(told(LineCallState::Idle, OLDEST), LineCallState::Idle);
    }
}
