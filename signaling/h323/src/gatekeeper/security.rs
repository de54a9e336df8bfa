//! Who an endpoint is (H.235), and the gatekeeper's own proof.
//! In: received messages, users and passwords. Out: verdicts; signed messages.

use std::net::SocketAddr;
use std::time::Duration;

use offhook_wire::h225::{GatekeeperRequest, RasMessage};
use offhook_wire::per::{self, BmpString};
use tracing::debug;

use super::{Gatekeeper, GatekeeperConfig};
use crate::h235::{Authenticator, Expected, Method, Password, SecurityFailure, claimed};
use crate::random::Random;
use crate::ras::RasTransmit;
use crate::ras::message::{Kind, lists, sequence};

/// A name and its secret.
#[derive(Debug)]
pub(super) struct User {
    pub(super) name: String,
    authenticator: Authenticator,
}

pub(super) fn users(config: &GatekeeperConfig, random: &mut Random) -> Vec<User> {
    let user = |(name, password): &(String, Password)| User {
        name: name.clone(),
        authenticator: Authenticator::new(name, password.clone(), config.time_window, random.next()),
    };
    config.users.iter().filter(|(_, password)| !password.is_empty()).map(user).collect()
}

impl Gatekeeper {
    /// The method for an endpoint that offers these: the best that both have. `Err` when there is none, though one is
    /// needed.
    pub(super) fn choose(&self, grq: &GatekeeperRequest) -> Result<Option<Method>, SecurityFailure> {
        if self.config.users.is_empty() {
            return Ok(None);
        }
        let offered = grq.algorithm_oids.as_deref().unwrap_or_default();
        // Who offers nothing may still come with a token in RRQ.
        if offered.is_empty() {
            return Ok(None);
        }
        let common = |method: &&Method| offered.contains(&method.algorithm());
        self.config.methods.iter().find(common).map(|method| Some(*method)).ok_or(SecurityFailure::WrongOid)
    }

    /// Who has sent this message, if passwords are in use. `names` are what the sender may also be called in H.235.1
    /// (its endpointIdentifier), with the user that this stands for. Under H.235.1 (`under`) a method that protects no
    /// message against change is no proof.
    pub(super) fn authenticate(
        &mut self,
        now: Duration,
        octets: &[u8],
        message: &mut RasMessage,
        registered: Option<(&str, &str)>,
        under: Option<Method>,
    ) -> Result<Option<(String, Method)>, SecurityFailure> {
        if self.config.users.is_empty() {
            return Ok(None);
        }
        let time = self.unix(now);
        let found = lists(message);
        let (clear, crypto) = found.map_or((None, None), |(clear, crypto)| (clear.as_ref(), crypto.as_ref()));
        let name = claimed(clear, crypto).ok_or(SecurityFailure::Missing)?;
        let user = match registered {
            Some((endpoint, user)) if name == endpoint || name == user => user.to_owned(),
            Some(_) => return Err(SecurityFailure::WrongSendersId),
            None => name.clone(),
        };
        let Some(user) = self.users.iter_mut().find(|known| known.name == user) else {
            return Err(SecurityFailure::WrongSendersId);
        };
        let senders = [name];
        let ours = [self.config.identifier.clone()];
        let methods = match under {
            Some(Method::H2351) => &[Method::H2351],
            _ => self.config.methods.as_slice(),
        };
        let expected = Expected { methods, senders: &senders, ours: &ours, strict: false };
        let method = user.authenticator.check(octets, clear, crypto, expected, time)?;
        Ok(Some((user.name.clone(), method)))
    }

    /// Sends to an endpoint, signed under H.235.1 if `user` has proved itself so.
    pub(super) fn send(
        &mut self,
        now: Duration,
        to: SocketAddr,
        mut message: RasMessage,
        signed_for: Option<(&str, &str)>,
    ) -> Option<bytes::Bytes> {
        let time = self.unix(now);
        let kind = Kind::of(&message);
        let sender = BmpString::from(self.config.identifier.as_str());
        let user = signed_for.filter(|_| self.config.sign).and_then(|(user, general)| {
            let user = self.users.iter_mut().find(|known| known.name == user)?;
            Some((user, BmpString::from(general)))
        });
        let encoded = match user {
            Some((user, general)) => user.authenticator.sign(
                &mut message,
                &[Method::H2351],
                (&sender, Some(&general)),
                time,
                lists,
                per::encode,
            ),
            None => per::encode(&message),
        };
        match encoded {
            Ok(octets) => {
                let bytes = bytes::Bytes::from(octets);
                self.counters.sent = self.counters.sent.saturating_add(1);
                self.queue(to, bytes.clone());
                Some(bytes)
            }
            Err(error) => {
                debug!(kind = kind.name(), number = sequence(&message), %error, "cannot be encoded");
                None
            }
        }
    }

    pub(super) fn queue(&mut self, destination: SocketAddr, bytes: bytes::Bytes) {
        if self.transmits.len() < self.config.limits.queue {
            self.transmits.push_back(RasTransmit { destination, bytes });
        } else {
            self.counters.limited = self.counters.limited.saturating_add(1);
        }
    }
}
