//! What is known of a call, and what a caller asks for.

use serde::{Deserialize, Serialize};

use crate::MediaTypes;

/// One end of a call as signalled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The address to show and to dial back: number, alias or transport address.
    pub address: String,
    /// The display name, if one was signalled.
    pub name: Option<String>,
}

/// Where a call came from. Alias `LINECALLORIGIN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallOrigin {
    /// Placed here.
    Outbound,
    /// Arrived from the network.
    Inbound,
}

/// Why the call came. Alias `LINECALLREASON`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallReason {
    /// Straight to this address.
    Direct,
    /// Forwarded from another.
    Forwarded,
    /// Transferred.
    Transfer,
    /// Not known.
    Unknown,
}

/// What is known of a call. Alias `LINECALLINFO`. Readable until the call is deallocated, also after it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallInfo {
    /// The provider's identity of the call over all its legs; 0 if not known (yet). Alias `dwCallID`.
    pub call_id: u32,
    /// The call this one came out of, or 0. Alias `dwRelatedCallID`.
    pub related_call_id: u32,
    /// Where it came from.
    pub origin: CallOrigin,
    /// Why it came.
    pub reason: CallReason,
    /// Media that the call may carry.
    pub media: MediaTypes,
    /// Who calls.
    pub caller: Party,
    /// Who is called.
    pub called: Party,
    /// Who answered, once known.
    pub connected: Option<Party>,
    /// The provider's own names for the call, for people and logs (H.323: callIdentifier, conferenceID, CRV).
    pub provider_ids: Vec<(String, String)>,
}

/// What changed in a [`CallInfo`]. Alias `LINECALLINFOSTATE_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallInfoChange {
    /// `call_id`.
    CallId,
    /// `caller`.
    CallerId,
    /// `called`.
    CalledId,
    /// `connected`.
    ConnectedId,
    /// `provider_ids` or anything else.
    Other,
}

/// What an application asks of a call that it places. Alias `LINECALLPARAMS`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallParams {
    /// Where to: `host`, `host:port`, `alias@host`, `h323:alias@host`.
    pub destination: String,
    /// The media that the call may carry.
    pub media: MediaTypes,
    /// The name to show to the far end; the provider's own if none.
    pub display: Option<String>,
}
