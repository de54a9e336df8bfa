//! H.235 for RAS and call signalling: who sent a message, and that nobody changed it.
//! In: a message about to be encoded, a password, the time. Out: its tokens; and of a received message the verdict.
//!
//! | method | what it proves | where it travels |
//! |---|---|---|
//! | [`Method::H2351`] | sender and every octet of the message (H.235.1 procedure I, HMAC-SHA1-96) | cryptoTokens, nestedcryptoToken |
//! | [`Method::Md5`] | sender (H.225.0 cryptoEPPwdHash, an MD5 hash of H.235's PwdCertToken) | cryptoTokens |
//! | [`Method::Cat`] | sender (Cisco access token, MD5 of random, password, time) | tokens |
//!
//! `secret` holds passwords, `profile1` is H.235.1, `password` the other two, `replay` the time window, `authenticator`
//! joins them for one association, `signal` applies H.235.1 to call signalling.
//!
//! Only H.235.1 protects a message against change, and only with it a gatekeeper proves itself too. MD5 as a hash of a
//! password can be searched off line by whoever sees it: short passwords do not resist that.
//!
//! Not here: which method is used with which gatekeeper (`ras`, `gatekeeper`); encryption of media (H.235.6).

mod authenticator;
mod password;
mod profile1;
mod replay;
mod secret;
mod signal;

use std::time::Duration;

use offhook_wire::h225::{SecurityErrors, SecurityErrors2};
use offhook_wire::h235::{AuthenticationBES, AuthenticationMechanism};
use offhook_wire::per::Oid;
use thiserror::Error;

pub(crate) use authenticator::{Authenticator, Expected, TokenLists, claimed};
pub use secret::Password;
pub use signal::{SignalSecurity, UnsignedSignals};

/// A way to prove who sent a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// H.235.1 baseline, procedure I: HMAC-SHA1-96 over the whole message.
    H2351,
    /// MD5 over alias, time and password (cryptoEPPwdHash).
    Md5,
    /// The Cisco access token: MD5 over a random octet, password and time.
    Cat,
}

/// Algorithm "U" of H.235.1: HMAC-SHA1-96.
pub(crate) const OID_U: Oid = Oid::new(&[0, 0, 8, 235, 0, 2, 6]);
/// Token "A" of H.235.1: authentication and integrity of all fields.
pub(crate) const OID_A: Oid = Oid::new(&[0, 0, 8, 235, 0, 2, 1]);
/// Token "T" of H.235.1: the baseline ClearToken.
pub(crate) const OID_T: Oid = Oid::new(&[0, 0, 8, 235, 0, 2, 5]);
/// MD5 (RFC 1321), as cryptoEPPwdHash names it.
pub(crate) const OID_MD5: Oid = Oid::new(&[1, 2, 840, 113_549, 2, 5]);
/// The Cisco access token.
pub(crate) const OID_CAT: Oid = Oid::new(&[1, 2, 840, 113_548, 10, 1, 2, 1]);

impl Method {
    /// All of them, best first.
    pub const ALL: &[Self] = &[Self::H2351, Self::Md5, Self::Cat];

    /// The object identifier in algorithmOIDs of GRQ and algorithmOID of GCF.
    pub(crate) fn algorithm(self) -> Oid {
        match self {
            Self::H2351 => OID_U,
            Self::Md5 => OID_MD5,
            Self::Cat => OID_CAT,
        }
    }

    /// The mechanism in authenticationCapability of GRQ and authenticationMode of GCF.
    pub(crate) fn mechanism(self) -> AuthenticationMechanism {
        match self {
            Self::H2351 | Self::Md5 => AuthenticationMechanism::PwdHash,
            Self::Cat => AuthenticationMechanism::AuthenticationBES(AuthenticationBES::Radius),
        }
    }

    /// The method of an algorithmOID.
    pub(crate) fn for_algorithm(algorithm: &Oid) -> Option<Self> {
        Self::ALL.iter().copied().find(|method| method.algorithm() == *algorithm)
    }
}

/// What to think of gatekeepers that chose H.235.1 and send without tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnsignedReplies {
    /// Take them, and count them ([`RasCounters::unsigned`](crate::RasCounters)): GNU Gatekeeper 5.15 signs nothing
    /// though it chooses H.235.1. A token that is there must be right all the same.
    #[default]
    Lenient,
    /// Drop them: only what proves itself is heard (H.235.1). Then H.235.1 alone is offered, whatever
    /// [`Security::methods`] says, and a gatekeeper whose GCF does not choose it counts as one that rejects us
    /// ([`RasFailure::ProofNotOffered`](crate::RasFailure)). GCF, GRJ and answers to LRQ themselves come unsigned.
    Strict,
}

/// How an endpoint proves itself to its gatekeeper.
#[derive(Debug, Clone)]
pub struct Security {
    /// The name under which the gatekeeper knows the password, usually the first alias: generalID of password tokens,
    /// sendersID of H.235.1 until the endpoint has an endpointIdentifier. 1 to 127 characters.
    pub user: String,
    /// The shared secret.
    pub password: Password,
    /// What is offered in GRQ, best first. A gatekeeper that chooses none in GCF gets all of them. Under
    /// [`UnsignedReplies::Strict`] it is H.235.1 alone.
    pub methods: Vec<Method>,
    /// What to think of unsigned replies under H.235.1.
    pub replies: UnsignedReplies,
    /// How far clocks may be apart. H.235.1 leaves it to the parties; H323Plus takes two hours.
    pub time_window: Duration,
}

impl Security {
    /// `user` and `password` by any method, lenient, clocks up to five minutes apart.
    #[must_use]
    pub fn new(user: impl Into<String>, password: Password) -> Self {
        Self {
            user: user.into(),
            password,
            methods: Method::ALL.to_vec(),
            replies: UnsignedReplies::default(),
            time_window: TIME_WINDOW,
        }
    }
}

/// How far clocks may be apart, if nobody says otherwise.
pub(crate) const TIME_WINDOW: Duration = Duration::from_secs(300);

/// What is wrong with the proof of a message (H.225.0 SecurityErrors).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum SecurityFailure {
    /// There is no token of a method that is in use.
    #[error("no token")]
    Missing,
    /// securityWrongSyncTime: its time is outside the window.
    #[error("securityWrongSyncTime: the clocks are too far apart")]
    WrongSyncTime,
    /// securityReplay: it was seen before, or is older than what is remembered.
    #[error("securityReplay: seen before")]
    Replay,
    /// securityWrongGeneralID: it is meant for somebody else.
    #[error("securityWrongGeneralID: meant for somebody else")]
    WrongGeneralId,
    /// securityWrongSendersID: it comes from somebody else.
    #[error("securityWrongSendersID: sent by somebody else")]
    WrongSendersId,
    /// securityIntegrityFailed: wrong password, or changed on the way.
    #[error("securityIntegrityFailed: wrong password, or changed on the way")]
    IntegrityFailed,
    /// securityWrongOID: a token of another profile.
    #[error("securityWrongOID: a token of another profile")]
    WrongOid,
}

impl SecurityFailure {
    pub(crate) fn to_errors2(self) -> SecurityErrors2 {
        match self {
            Self::Missing | Self::IntegrityFailed => SecurityErrors2::SecurityIntegrityFailed,
            Self::WrongSyncTime => SecurityErrors2::SecurityWrongSyncTime,
            Self::Replay => SecurityErrors2::SecurityReplay,
            Self::WrongGeneralId => SecurityErrors2::SecurityWrongGeneralID,
            Self::WrongSendersId => SecurityErrors2::SecurityWrongSendersID,
            Self::WrongOid => SecurityErrors2::SecurityWrongOID,
        }
    }

    pub(crate) fn to_errors(self) -> SecurityErrors {
        match self {
            Self::Missing | Self::IntegrityFailed => SecurityErrors::SecurityIntegrityFailed,
            Self::WrongSyncTime => SecurityErrors::SecurityWrongSyncTime,
            Self::Replay => SecurityErrors::SecurityReplay,
            Self::WrongGeneralId => SecurityErrors::SecurityWrongGeneralID,
            Self::WrongSendersId => SecurityErrors::SecurityWrongSendersID,
            Self::WrongOid => SecurityErrors::SecurityWrongOID,
        }
    }
}
