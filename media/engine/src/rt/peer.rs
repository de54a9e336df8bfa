//! Whom the receiving half listens to: the negotiated address, then the one port that proved itself.
//! In: source addresses and times. Out: admitted or stranger.
//! Nobody → an address, any port → (RFC 3550 probation passed) that port → (silence or an announced change) any port.
//! Not here: which SSRC is listened to (`offhook_rtp::RtpReceiver`).
//! RT: no allocation, lock, syscall, log or panic.

use std::net::{IpAddr, SocketAddr};

/// Whose datagrams may reach the call at all.
///
/// H.245 tells where the peer receives, not the port it sends from: the address is given, the port is latched from the
/// first source that passes RFC 3550's probation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Peer {
    /// No datagram: nothing is agreed yet.
    #[default]
    Nobody,
    /// Datagrams from this host.
    Address(IpAddr),
    /// Datagrams from any host until one is latched: for peers behind address translation, by the user's wish only.
    Any,
}

/// The peer and the port it was found at.
#[derive(Debug)]
pub(crate) struct PeerFilter {
    peer: Peer,
    latched: Option<SocketAddr>,
    last_ns: u64,
    timeout_ns: u64,
    is_change_announced: bool,
}

impl PeerFilter {
    /// Listens to nobody. `timeout_ns`: silence of the latched port after which another may take its place.
    pub(crate) const fn new(timeout_ns: u64) -> PeerFilter {
        PeerFilter { peer: Peer::Nobody, latched: None, last_ns: 0, timeout_ns, is_change_announced: false }
    }

    /// Another peer, whether it is one; the same one again keeps its port.
    pub(crate) fn set(&mut self, peer: Peer) -> bool {
        let is_other = peer != self.peer;
        if is_other {
            self.peer = peer;
            self.latched = None;
            self.is_change_announced = false;
        }
        is_other
    }

    /// The next port that passes probation is taken without waiting for the old one to fall silent.
    pub(crate) fn expect_change(&mut self) {
        self.is_change_announced = true;
    }

    /// Whether a datagram from `source` may be looked at.
    pub(crate) fn admits(&self, source: SocketAddr, arrival_ns: u64) -> bool {
        let source = canonical(source);
        let is_known = match self.peer {
            Peer::Nobody => false,
            Peer::Address(address) => address.to_canonical() == source.ip(),
            Peer::Any => true,
        };
        is_known
            && match self.latched {
                None => true,
                Some(latched) => {
                    latched == source
                        || self.is_change_announced
                        || arrival_ns.saturating_sub(self.last_ns) >= self.timeout_ns
                }
            }
    }

    /// Whether a packet may be played before its source has proved itself: the host was negotiated, and no source of
    /// it was ever found.
    pub(crate) fn trusts_first(&self) -> bool {
        matches!(self.peer, Peer::Address(_)) && self.latched.is_none()
    }

    /// A packet from `source` was accepted for playout: that is the port now.
    pub(crate) fn latch(&mut self, source: SocketAddr, arrival_ns: u64) {
        let source = canonical(source);
        if self.latched != Some(source) {
            self.latched = Some(source);
            self.is_change_announced = false;
        }
        self.last_ns = self.last_ns.max(arrival_ns);
    }

    /// The port found.
    pub(crate) const fn latched(&self) -> Option<SocketAddr> {
        self.latched
    }
}

/// IPv4 peers seen through an IPv6 socket compare as IPv4.
fn canonical(source: SocketAddr) -> SocketAddr {
    SocketAddr::new(source.ip().to_canonical(), source.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_the_negotiated_host_is_admitted_and_then_only_its_latched_port() {
        let mut filter = PeerFilter::new(200);
        assert!(!filter.admits(at("10.0.0.1:5004"), 0));
        filter.set(Peer::Address("10.0.0.1".parse().unwrap()));
        assert!(filter.admits(at("10.0.0.1:5004"), 0) && filter.admits(at("10.0.0.1:9"), 0));
        assert!(filter.admits(at("[::ffff:10.0.0.1]:5004"), 0));
        assert!(!filter.admits(at("10.0.0.2:5004"), 0));
        filter.latch(at("[::ffff:10.0.0.1]:5004"), 1_000);
        assert!(filter.admits(at("10.0.0.1:5004"), 1_100));
        assert!(!filter.admits(at("10.0.0.1:9"), 1_199) && !filter.admits(at("10.0.0.2:5004"), 9_000));
        assert!(filter.admits(at("10.0.0.1:9"), 1_200), "after its silence");
    }

    #[test]
    fn an_announced_change_admits_another_port_once() {
        let mut filter = PeerFilter::new(200);
        filter.set(Peer::Any);
        filter.latch(at("10.0.0.1:5004"), 1_000);
        assert!(!filter.admits(at("10.0.0.3:6"), 1_001));
        filter.expect_change();
        assert!(filter.admits(at("10.0.0.3:6"), 1_001));
        filter.latch(at("10.0.0.3:6"), 1_001);
        assert!(!filter.admits(at("10.0.0.1:5004"), 1_002));
    }
}
