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
    /// Forwarded from another, who did not say why.
    Forwarded,
    /// Forwarded from another, who is busy. Alias `LINECALLREASON_FWDBUSY`.
    ForwardedBusy,
    /// Forwarded from another, who does not answer. Alias `LINECALLREASON_FWDNOANSWER`.
    ForwardedNoAnswer,
    /// Forwarded from another, who forwards every call. Alias `LINECALLREASON_FWDUNCOND`.
    ForwardedAlways,
    /// Transferred.
    Transfer,
    /// Picked up from another, where it rang. Alias `LINECALLREASON_PICKUP`.
    Pickup,
    /// Fetched from where it was parked. Alias `LINECALLREASON_UNPARK`.
    Unpark,
    /// What was to be completed ([`crate::CompletionMode`]) is. Alias `LINECALLREASON_CALLCOMPLETION`.
    CallCompletion,
    /// Comes back: a transfer or a parked call that nobody took. Alias `LINECALLREASON_REMINDER`.
    Reminder,
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
    /// Who sent the call here. Alias `dwRedirectingID`.
    pub redirecting: Option<Party>,
    /// Where the far end sent the call. Alias `dwRedirectionID`.
    pub redirection: Option<Party>,
    /// What the far end's application sent last: the protocol discriminator and up to 131 octets.
    /// Alias `dwUserUserInfo`.
    pub user_user: Option<Vec<u8>>,
    /// The provider's own names for the call, for people and logs (H.323: callIdentifier, conferenceID, CRV).
    pub provider_ids: Vec<(String, String)>,
    /// Applications that own it; the broker counts, providers leave 0. Alias `dwNumOwners`.
    pub owners: u32,
    /// Applications that monitor it; the broker counts, providers leave 0. Alias `dwNumMonitors`.
    pub monitors: u32,
    /// The application that placed, accepted or answered it, as it called itself at the broker; providers leave it
    /// empty. Alias `dwAppNameSize`.
    pub application: String,
}

impl CallInfo {
    /// A call of which no more is known.
    pub fn new(origin: CallOrigin, reason: CallReason, media: MediaTypes) -> Self {
        Self {
            call_id: 0,
            related_call_id: 0,
            origin,
            reason,
            media,
            caller: Party::default(),
            called: Party::default(),
            connected: None,
            redirecting: None,
            redirection: None,
            user_user: None,
            provider_ids: Vec::new(),
            owners: 0,
            monitors: 0,
            application: String::new(),
        }
    }
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
    /// `redirecting`.
    RedirectingId,
    /// `redirection`.
    RedirectionId,
    /// `user_user`: something new has come.
    UserUserInfo,
    /// `related_call_id`.
    RelatedCallId,
    /// `media`. Alias `LINECALLINFOSTATE_MEDIAMODE`.
    Media,
    /// `owners`, `monitors` or `application`. Alias `LINECALLINFOSTATE_NUMOWNERINCR` and its kin.
    Holders,
    /// `provider_ids` or anything else.
    Other,
}

/// What an application asks of a call that it places. Alias `LINECALLPARAMS`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallParams {
    /// Where to: `host`, `host:port`, `alias@host`, `h323:alias@host`.
    pub destination: String,
    /// The media that the call may carry.
    pub media: MediaTypes,
    /// The name to show to the far end; the provider's own if none.
    pub display: Option<String>,
    /// The far end's user is not to see who calls. Alias `LINECALLPARAMFLAGS_BLOCKID`.
    pub block_id: bool,
    /// The number in `destination` is not complete: more digits follow by `line_dial`. TAPI writes it as a `;` at the
    /// end of the address.
    pub partial: bool,
    /// The conference that the call is for, by its 16 octets (H.323: conferenceID); none makes one of its own.
    pub conference: Option<[u8; 16]>,
    /// What the call does to that conference; none joins one that is named and makes one of its own else.
    pub conference_goal: Option<ConferenceGoal>,
    /// For the far end's application: the protocol discriminator and 1 to 131 octets. Alias `dwUserUserInfoSize`.
    pub user_user: Option<Vec<u8>>,
}

/// What a call does to the conference that it is for (H.323: conferenceGoal).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ConferenceGoal {
    /// Makes it.
    Create,
    /// The caller enters one that the far end has.
    Join,
    /// The far end is asked into one that exists.
    Invite,
}

/// A procedure of Q.931 that TAPI has no verb for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Q931Verb {
    /// Offered call: the called number wants more digits (H.323: SetupAcknowledge).
    RequestDigits,
    /// Offered call: the called number is complete (H.323: CallProceeding).
    Proceed,
    /// Call that is not connected: what the far end hears or should know (H.323: Progress), by its progress
    /// description of Q.931 4.5.23; 8 is "in-band information".
    Progress(u8),
    /// A notification description of Q.931 4.5.22 (H.323: Notify).
    Notify(u8),
    /// Asks the far end for its view of the call (H.323: StatusInquiry); the answer is the provider id
    /// `peerCallState`.
    InquireStatus,
}
