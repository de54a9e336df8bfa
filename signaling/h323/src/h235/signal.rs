//! H.235.1 on call signalling: every H.225.0 message of a call signed as a whole, from Q.931's first octet on.
//! In: messages about to be encoded, received payloads. Out: octets with their token; verdicts.
//! Not here: what a call does with a message that is refused (`call`); the shared secret's owner (`ras`).

use std::time::Duration;

use offhook_wire::h225::H323UuPduH323MessageBody as Body;
use offhook_wire::h225_message::{CallSignal, CallSignalEncodeError};
use offhook_wire::per::BmpString;

use super::{Authenticator, Expected, Method, Password, SecurityFailure, TIME_WINDOW, TokenLists};

/// What to think of call signalling messages without a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnsignedSignals {
    /// Take them: most endpoints sign Setup at most. A token that is there must be right all the same.
    #[default]
    Lenient,
    /// Drop them (H.235.1 13.2).
    Strict,
}

/// How one call signs its signalling (H.235.1 procedure I).
///
/// In the gatekeeper-routed model the peer is the gatekeeper and the secret is that of the registration. Between
/// endpoints both must know one secret.
#[derive(Debug, Clone)]
pub struct SignalSecurity {
    authenticator: Authenticator,
    sender: BmpString,
    peer: Option<BmpString>,
    unsigned: UnsignedSignals,
    epoch: Duration,
}

impl SignalSecurity {
    /// Signs as `sender` (the endpointIdentifier, or an alias) to `peer` (the gatekeeperIdentifier, or an alias;
    /// `None` names nobody and expects nobody in particular). `unix_epoch` is the time since 1970 at which the call's
    /// clock stood at zero, `seed` makes the random numbers.
    #[must_use]
    pub fn new(
        password: Password,
        sender: &str,
        peer: Option<&str>,
        unsigned: UnsignedSignals,
        unix_epoch: Duration,
        seed: u64,
    ) -> Self {
        Self {
            authenticator: Authenticator::new(sender, password, TIME_WINDOW, seed),
            sender: sender.into(),
            peer: peer.map(BmpString::from),
            unsigned,
            epoch: unix_epoch,
        }
    }

    fn seconds(&self, now: Duration) -> u32 {
        u32::try_from(self.epoch.saturating_add(now).as_secs()).unwrap_or(u32::MAX)
    }

    /// The payload of a TPKT, with our token.
    ///
    /// # Errors
    ///
    /// As [`CallSignal::encode`].
    pub fn encode(&mut self, now: Duration, signal: &CallSignal) -> Result<Vec<u8>, CallSignalEncodeError> {
        let time = self.seconds(now);
        let mut signal = signal.clone();
        self.authenticator.sign(
            &mut signal,
            &[Method::H2351],
            (&self.sender, self.peer.as_ref()),
            time,
            lists,
            |signal| signal.encode().map(Vec::from),
        )
    }

    /// Whether `signal`, decoded from `payload`, may be taken.
    ///
    /// # Errors
    ///
    /// What is wrong with its token, or that it has none under [`UnsignedSignals::Strict`].
    pub fn check(
        &mut self,
        now: Duration,
        payload: &[u8],
        signal: &CallSignal,
    ) -> Result<(), SecurityFailure> {
        let time = self.seconds(now);
        // Reading needs no change, but the lists are found by the function that also writes them.
        let mut copy = signal.clone();
        let found = lists(&mut copy);
        let (clear, crypto) = found.map_or((None, None), |(clear, crypto)| (clear.as_ref(), crypto.as_ref()));
        let senders: Vec<String> = self.peer.iter().map(BmpString::to_string).collect();
        let ours = [self.sender.to_string()];
        let strict = self.unsigned == UnsignedSignals::Strict;
        let expected = Expected { methods: &[Method::H2351], senders: &senders, ours: &ours, strict };
        match self.authenticator.check(payload, clear, crypto, expected, time) {
            Ok(_) => Ok(()),
            Err(SecurityFailure::Missing) if !strict => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}

/// The token lists of a message's UUIE; none in one without body.
fn lists(signal: &mut CallSignal) -> Option<TokenLists<'_>> {
    macro_rules! of {
        ($($body:ident)*) => {
            match &mut signal.uuie.as_mut()?.h323_uu_pdu.h323_message_body {
                $(Body::$body(uuie) => Some((&mut uuie.tokens, &mut uuie.crypto_tokens)),)*
                Body::Empty | Body::Unrecognized(_) => None,
            }
        };
    }
    of!(Setup CallProceeding Connect Alerting Information ReleaseComplete Facility Progress Status StatusInquiry
        SetupAcknowledge Notify)
}
