//! Call hubs: every leg of a call, whoever holds it. Alias `ITCallHub`.
//!
//! In: nothing. Out: what the broker tells of hubs, as plain data that can be logged and replayed.
//! Which call is in which hub the provider says, by [`CallInfo::call_id`]; a hub's key is (provider, call id).
//! Not here: the hubs themselves (`broker`).
//!
//! The order of events, for each application, is part of the contract: `New` before the first `Join`; a call's `Join`
//! before its NewCall; a call's last state (Disconnected, or Idle without it) before its `Leave`; the last `Leave`
//! before `Idle`; `Idle` once, as the hub's last event. A call whose id changes leaves the old hub, then joins the new
//! one.

use serde::{Deserialize, Serialize};

use crate::{CallInfo, DeviceId, HCall, HHub, HubCallId, LineCallState, Timestamp};

/// What happens to a hub. Alias `CALLHUB_EVENT`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HubEvent {
    /// It has come to be. Alias `CHE_CALLHUBNEW`.
    New {
        /// The provider, by the name in its capabilities.
        provider: String,
        /// The provider's identity of the call.
        call_id: u32,
    },
    /// A call is in it now. Alias `CHE_CALLJOIN`.
    Join {
        /// The call as it stands.
        member: Box<HubMember>,
    },
    /// A call in it has another state.
    State {
        /// Which call.
        call: HubCallId,
        /// Its state.
        state: LineCallState,
    },
    /// What is known of a call in it has changed.
    Info {
        /// Which call.
        call: HubCallId,
        /// What is known now.
        info: Box<CallInfo>,
    },
    /// The application that is told holds a call in it from now on, or does not any more; the call goes on.
    Held {
        /// Which call.
        call: HubCallId,
        /// The application's handle of it.
        handle: Option<HCall>,
    },
    /// A call has ended, or gone to another hub. Alias `CHE_CALLLEAVE`.
    Leave {
        /// Which call.
        call: HubCallId,
    },
    /// No call is in it any more; it has ended. Alias `CHE_CALLHUBIDLE`.
    Idle,
}

/// A call in a hub, also one of another application or another line of the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubMember {
    /// Its name in hubs.
    pub id: HubCallId,
    /// The device that it is on.
    pub device: DeviceId,
    /// The handle of the application that is told, if it holds the call.
    pub call: Option<HCall>,
    /// The call's state; none if the provider has not said one.
    pub state: Option<LineCallState>,
    /// What is known of the call; who owns it is in [`CallInfo::application`].
    pub info: CallInfo,
}

/// A hub as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubSnapshot {
    /// Its name.
    pub hub: HHub,
    /// The provider, by the name in its capabilities.
    pub provider: String,
    /// The provider's identity of the call.
    pub call_id: u32,
    /// The calls in it, in the order of joining.
    pub members: Vec<HubMember>,
}

/// A hub event with its hub and time: a line of the hub log, which replays to the same hubs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubRecord {
    /// When its cause happened.
    pub at: Timestamp,
    /// Which hub.
    pub hub: HHub,
    /// What happened.
    pub event: HubEvent,
}
