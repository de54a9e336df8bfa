//! What calls say beside their state: user-user information, conference goals, where else to go.
//! In and out: [`UserUser`], [`ConferenceGoal`], [`Forward`], and the members of H.225.0 that carry them.
//! Not here: numbers (`number`), when any of it is sent (the call).

use std::net::SocketAddr;

use bytes::Bytes;
use offhook_wire::h225::{H323UserInformation, H323UserInformationUserData, SetupUuieConferenceGoal};

use crate::Alias;

/// User-user information (H.225.0 user-data): octets for the other user, read by nobody between.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserUser {
    /// What the octets are (Q.931 table 4-26): 0 user-specific, 4 IA5 characters.
    pub protocol_discriminator: u8,
    /// 1 to 131 octets.
    information: Bytes,
}

impl UserUser {
    /// The most octets that one message carries.
    pub const MAX_OCTETS: usize = 131;
    /// Discriminator: user-specific protocol.
    pub const USER_SPECIFIC: u8 = 0;
    /// Discriminator: IA5 characters.
    pub const IA5: u8 = 4;

    /// `None` unless there are 1 to 131 octets.
    #[must_use]
    pub fn new(protocol_discriminator: u8, information: impl Into<Bytes>) -> Option<Self> {
        let information = information.into();
        let fits = (1..=Self::MAX_OCTETS).contains(&information.len());
        fits.then_some(Self { protocol_discriminator, information })
    }

    /// The octets.
    #[must_use]
    pub fn information(&self) -> &Bytes {
        &self.information
    }

    pub(crate) fn from_uuie(uuie: &H323UserInformation) -> Option<Self> {
        let data = uuie.user_data.as_ref()?;
        Self::new(data.protocol_discriminator, data.user_information.clone())
    }

    pub(crate) fn to_uuie(&self) -> H323UserInformationUserData {
        H323UserInformationUserData::new(self.protocol_discriminator, self.information.clone())
    }
}

/// What a call does to the conference whose conferenceID it names (H.225.0 conferenceGoal).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ConferenceGoal {
    /// Makes it: a call of its own.
    #[default]
    Create,
    /// The caller enters one that exists.
    Join,
    /// The called user is asked into one that exists.
    Invite,
}

impl ConferenceGoal {
    /// `None` for goals that are no call (capability-negotiation, callIndependentSupplementaryService).
    pub(crate) fn from_uuie(goal: &SetupUuieConferenceGoal) -> Option<Self> {
        match goal {
            SetupUuieConferenceGoal::Create => Some(Self::Create),
            SetupUuieConferenceGoal::Join => Some(Self::Join),
            SetupUuieConferenceGoal::Invite => Some(Self::Invite),
            _ => None,
        }
    }

    pub(crate) fn to_uuie(self) -> SetupUuieConferenceGoal {
        match self {
            Self::Create => SetupUuieConferenceGoal::Create,
            Self::Join => SetupUuieConferenceGoal::Join,
            Self::Invite => SetupUuieConferenceGoal::Invite,
        }
    }
}

/// Which Facility reason sends a call elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ForwardKind {
    /// callForwarded: to another endpoint.
    CallForwarded,
    /// routeCallToGatekeeper: to the gatekeeper that answers for the endpoint.
    RouteCallToGatekeeper,
    /// routeCallToMC: into a conference at its MC.
    RouteCallToMc,
}

/// Where the peer wants the call to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// How it says so.
    pub kind: ForwardKind,
    /// alternativeAddress: the call signalling address to call instead.
    pub address: Option<SocketAddr>,
    /// alternativeAliasAddress: whom to ask for there.
    pub aliases: Vec<Alias>,
    /// conferenceID of the conference to join (routeCallToMC).
    pub conference_id: Option<[u8; 16]>,
    /// The policy allows it: this call is released and another is to be placed.
    pub followed: bool,
}

/// Which forwards are followed (`Config::forwarding`). What is not followed is told, and the call goes on until
/// somebody ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forwarding {
    /// Follow callForwarded.
    pub call_forwarded: bool,
    /// Follow routeCallToGatekeeper.
    pub to_gatekeeper: bool,
    /// Follow routeCallToMC.
    pub to_mc: bool,
    /// How often in a row; the next one releases the call with hopCountExceeded.
    pub limit: u8,
}

impl Forwarding {
    /// Follow none.
    pub const REFUSE: Self = Self { call_forwarded: false, to_gatekeeper: false, to_mc: false, limit: 0 };

    pub(crate) fn follows(self, kind: ForwardKind) -> bool {
        match kind {
            ForwardKind::CallForwarded => self.call_forwarded,
            ForwardKind::RouteCallToGatekeeper => self.to_gatekeeper,
            ForwardKind::RouteCallToMc => self.to_mc,
        }
    }
}

impl Default for Forwarding {
    /// Follow all, five times.
    fn default() -> Self {
        Self { call_forwarded: true, to_gatekeeper: true, to_mc: true, limit: 5 }
    }
}
