//! What the RAS client tells the application and asks of its driver; where it stands and why.
//! Not here: when (the other modules); outcomes of calls (`outcome`, `admission`).

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

use super::{Admission, AdmissionRejection, BandwidthRejection, Located, LocationRejection};
use crate::h235::SecurityFailure;
use crate::{Alias, Release};

/// A datagram for the RAS socket. To a multicast address it goes with a time to live of the driver's choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RasTransmit {
    /// Where to.
    pub destination: SocketAddr,
    /// One RAS message.
    pub bytes: Bytes,
}

/// A question to the DNS; answered by `Ras::resolved`, with no addresses if there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Addresses (A, AAAA) of a host, each to be used with this port.
    Host {
        /// Its name.
        name: String,
        /// The port of the answer's addresses.
        port: u16,
    },
    /// SRV records, then the addresses of their targets; in the order of RFC 2782.
    Service {
        /// `_h323rs._udp.` or `_h323ls._udp.` and the domain.
        name: String,
    },
}

/// What the driver does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RasAction {
    /// Look this up and say `resolved` with the same `id`.
    Resolve {
        /// Names the question.
        id: u32,
        /// The question.
        question: Question,
    },
}

/// Where the registration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RasState {
    /// Nothing is wanted: before `start`, after `stop`.
    Stopped,
    /// The gatekeeper's name is being looked up.
    Resolving,
    /// GRQ is out.
    Discovering,
    /// RRQ is out, and there is no registration.
    Registering,
    /// Registered.
    Registered,
    /// An attempt has failed; the next one waits.
    Waiting,
    /// URQ is out.
    Unregistering,
}

impl fmt::Display for RasState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "stopped",
            Self::Resolving => "resolving",
            Self::Discovering => "discovering",
            Self::Registering => "registering",
            Self::Registered => "registered",
            Self::Waiting => "waiting",
            Self::Unregistering => "unregistering",
        })
    }
}

/// Calls that the gatekeeper admits without being asked (preGrantedARQ of RCF).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PreGranted {
    /// Calls that we make.
    pub make_call: bool,
    /// Those go to the gatekeeper's call signalling address.
    pub make_by_gatekeeper: bool,
    /// Calls that we answer.
    pub answer_call: bool,
    /// Those must have come from the gatekeeper's call signalling address.
    pub answer_by_gatekeeper: bool,
    /// Bandwidth of all such calls together, in 100 bit/s.
    pub total_bandwidth: Option<u32>,
    /// Between reports on such a call.
    pub irr_interval: Option<Duration>,
}

/// A registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The gatekeeper's RAS address.
    pub gatekeeper: SocketAddr,
    /// Its name.
    pub gatekeeper_identifier: Option<String>,
    /// Its name for us.
    pub endpoint_identifier: String,
    /// What it has registered, as RCF says; what we asked for if RCF says nothing.
    pub aliases: Vec<Alias>,
    /// For how long, if not for ever.
    pub time_to_live: Option<Duration>,
    /// Calls that need no question.
    pub pre_granted: PreGranted,
    /// Its call signalling addresses.
    pub signal_addresses: Vec<SocketAddr>,
    /// Further aliases can be added without repeating these.
    pub additive: bool,
    /// It wants to confirm unsolicited reports (willRespondToIRR).
    pub will_respond_to_irr: bool,
    /// It is not the gatekeeper that was asked for first.
    pub is_alternate: bool,
}

/// Why there is no registration, or why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RasFailure {
    /// The DNS has no address.
    #[error("no address for {0}")]
    NotResolved(String),
    /// Nobody answered GRQ.
    #[error("no gatekeeper answers at {0}")]
    NoGatekeeper(SocketAddr),
    /// GRJ.
    #[error("{gatekeeper} does not want us (GRJ {reason})")]
    GatekeeperRejected {
        /// Who.
        gatekeeper: SocketAddr,
        /// rejectReason.
        reason: String,
    },
    /// GCF chooses another method than H.235.1, or none, and unsigned replies are not taken
    /// ([`UnsignedReplies::Strict`](crate::UnsignedReplies)).
    #[error(
        "{0} does not choose H.235.1 (GCF): it could not prove its answers, and unproved ones are not taken"
    )]
    ProofNotOffered(SocketAddr),
    /// RRJ.
    #[error("{gatekeeper} rejects the registration (RRJ {reason})")]
    RegistrationRejected {
        /// Who.
        gatekeeper: SocketAddr,
        /// rejectReason, with the aliases it names.
        reason: String,
    },
    /// RRQ went unanswered.
    #[error("{0} does not answer the registration")]
    RegistrationUnanswered(SocketAddr),
    /// The keep-alive went unanswered.
    #[error("{0} has stopped answering")]
    Lost(SocketAddr),
    /// URQ from the gatekeeper.
    #[error("{gatekeeper} has unregistered us (URQ {reason})")]
    Unregistered {
        /// Who.
        gatekeeper: SocketAddr,
        /// reason.
        reason: String,
    },
    /// The last answer's proof was wrong or missing.
    #[error("{gatekeeper} answers, but its proof fails: {failure}")]
    Unproved {
        /// Who.
        gatekeeper: SocketAddr,
        /// How.
        failure: SecurityFailure,
    },
    /// The request did not fit H.225.0's limits.
    #[error("the request cannot be encoded: {0}")]
    Encoding(String),
}

/// One call as the gatekeeper knows it. A call to ourselves is two: one made, one answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RasCall {
    /// callIdentifier.
    pub call_identifier: [u8; 16],
    /// We answer it; else we make it.
    pub answer: bool,
}

/// Why a call must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReleaseOrder {
    /// DRQ of the gatekeeper, forcedDrop.
    ForcedDrop,
    /// DRQ with another reason.
    Disengaged,
    /// The registration is lost and calls are not kept ([`RunningCalls::Release`](crate::RunningCalls)).
    GatekeeperLost,
}

/// A service control session (H.225.0 ServiceControlSession; H.323 Annex K).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSession {
    /// sessionId.
    pub id: u8,
    /// What to do with it.
    pub reason: ServiceReason,
    /// A URL to fetch or show.
    pub url: Option<String>,
    /// Call credit to show: amountString.
    pub amount: Option<String>,
    /// Call credit: callDurationLimit.
    pub duration_limit: Option<Duration>,
}

/// What becomes of a service control session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServiceReason {
    /// open.
    Open,
    /// refresh.
    Refresh,
    /// close.
    Close,
}

/// What an application gets to know.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum RasEvent {
    /// The registration stands elsewhere now.
    State(RasState),
    /// Registered: for the first time, again, or with another gatekeeper. Keep-alives are not told.
    Registered(Box<Registration>),
    /// There is no registration any more, or an attempt has failed. Calls: [`RunningCalls`](crate::RunningCalls).
    NotRegistered(RasFailure),
    /// `stop` is done: there was a confirmation, or no answer.
    Stopped,
    /// A call may be made or answered.
    Admitted(RasCall, Box<Admission>),
    /// It may not.
    NotAdmitted(RasCall, Box<AdmissionRejection>),
    /// The bandwidth of a call in 100 bit/s: BCF, or the gatekeeper's BRQ, which was confirmed.
    Bandwidth(RasCall, u32),
    /// BRJ, or no answer.
    BandwidthRejected(RasCall, BandwidthRejection),
    /// The call must end. For [`ReleaseOrder::ForcedDrop`] and `Disengaged` DCF has been sent and the call is forgotten.
    Release(RasCall, ReleaseOrder, Release),
    /// DRQ is answered, or given up.
    Disengaged(RasCall),
    /// LRQ is answered.
    Located(u32, Box<Located>),
    /// LRQ came to nothing.
    NotLocated(u32, LocationRejection),
    /// Service control of the gatekeeper, for a call or for all of us; SCI was answered `started` (closed: `stopped`).
    ServiceControl(Option<RasCall>, Vec<ServiceSession>),
    /// Our RAI or SCI is answered (`true`) or was not (`false`).
    Delivered(u32, bool),
    /// NonStandardMessage: from whom, and nonStandardData in aligned PER.
    NonStandard(SocketAddr, Bytes),
    /// A message claimed to be the gatekeeper's and was dropped.
    Suspicious(SocketAddr, SecurityFailure),
}

/// What has happened so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RasCounters {
    /// Messages sent, repetitions included.
    pub sent: u64,
    /// Repetitions.
    pub repeated: u64,
    /// Requests given up.
    pub timeouts: u64,
    /// Datagrams received.
    pub received: u64,
    /// That were no RAS message.
    pub undecodable: u64,
    /// Datagrams of one octet or none: H323Plus wakes itself so.
    pub wakes: u64,
    /// Answers and requests from somebody who is not our gatekeeper.
    pub wrong_source: u64,
    /// Answers to no request that waits: late, repeated, invented.
    pub unexpected: u64,
    /// Messages whose proof was wrong, or missing under [`UnsignedReplies::Strict`](crate::UnsignedReplies).
    pub unproved: u64,
    /// Messages without proof that were taken all the same.
    pub unsigned: u64,
    /// RequestInProgress.
    pub in_progress: u64,
    /// Times registered (RCF to a full RRQ).
    pub registrations: u64,
    /// Keep-alives confirmed.
    pub keep_alives: u64,
    /// Registrations lost: unanswered, rejected, ended by the gatekeeper.
    pub losses: u64,
    /// Changes to another gatekeeper.
    pub failovers: u64,
    /// Calls admitted.
    pub admitted: u64,
    /// Calls not admitted.
    pub not_admitted: u64,
    /// UnknownMessageResponses received.
    pub not_understood: u64,
    /// What [`RasLimits`](crate::RasLimits) did not let in.
    pub limited: u64,
}
