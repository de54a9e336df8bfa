//! What a call is made from, and the words for where it stands.
//! Not here: the call (`mod`).

use std::net::SocketAddr;

use crate::{Alias, ConferenceGoal, LocalMedia, Redirecting, UserUser};

/// A connection of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The call signalling channel (H.225.0).
    Signaling,
    /// The H.245 control channel on its own connection.
    H245,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Closed {
    /// The peer closed it in order.
    ByPeer,
    /// It broke: reset, timed out.
    Failed,
    /// It could not be made: refused.
    Refused,
    /// It could not be made: no route to the peer.
    Unreachable,
}

/// Where a call stands: Q.931 2.1 call states for user sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallState {
    /// U0: nothing yet, or everything over.
    Null,
    /// U1: Setup is sent or about to be.
    Initiated,
    /// U2: SetupAcknowledge received, digits are being sent.
    OverlapSending,
    /// U3: CallProceeding received.
    OutgoingProceeding,
    /// U4: Alerting received.
    Delivered,
    /// U6: Setup received.
    Present,
    /// U7: Alerting sent.
    Received,
    /// U9: CallProceeding sent.
    IncomingProceeding,
    /// U10: Connect sent or received.
    Active,
    /// U25: SetupAcknowledge sent, digits are being received.
    OverlapReceiving,
}

impl CallState {
    /// The number in the Call state element (Q.931 4.5.7).
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Initiated => 1,
            Self::OverlapSending => 2,
            Self::OutgoingProceeding => 3,
            Self::Delivered => 4,
            Self::Present => 6,
            Self::Received => 7,
            Self::IncomingProceeding => 9,
            Self::Active => 10,
            Self::OverlapReceiving => 25,
        }
    }
}

/// What an outgoing call is about.
#[derive(Debug, Clone)]
pub struct OutgoingParams {
    /// callIdentifier: globally unique, 16 octets.
    pub call_identifier: [u8; 16],
    /// conferenceID: globally unique for a new conference, that of the conference to join or invite to, 16 octets.
    pub conference_id: [u8; 16],
    /// Whether the call makes that conference.
    pub goal: ConferenceGoal,
    /// Call reference value, 1 to 32767, unique among our calls to that address.
    pub call_reference: u16,
    /// Seed of everything random in this call.
    pub seed: u64,
    /// Whom to ask for at the remote address.
    pub destination: Option<Alias>,
    /// More digits may follow (`Call::dial`): canOverlapSend.
    pub overlap: bool,
    /// The far end's user is not to see who calls: presentation restricted.
    pub withhold_identity: bool,
    /// From whom the call was diverted.
    pub redirecting: Option<Redirecting>,
    /// How often this call was forwarded before.
    pub forwards: u8,
    /// For the called user.
    pub user_user: Option<UserUser>,
    /// Our end of the signalling connection, when known.
    pub local_signal_address: Option<SocketAddr>,
    /// The peer's end.
    pub remote_signal_address: SocketAddr,
    /// What our media side prepared.
    pub media: LocalMedia,
}

/// What is known of an incoming connection before Setup.
#[derive(Debug, Clone)]
pub struct IncomingParams {
    /// Seed of everything random in this call.
    pub seed: u64,
    /// Our end of the signalling connection.
    pub local_signal_address: Option<SocketAddr>,
    /// The peer's end.
    pub remote_signal_address: SocketAddr,
}
