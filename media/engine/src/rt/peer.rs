//! Whom the receiving half listens to: the negotiated host, then the one port of it that proved itself.
//! In: source addresses and times. Out: admitted or stranger.
//! Nobody → a host, any port → (RFC 3550 probation passed) that port → (a better right, silence or an announced change)
//! another port.
//! Not here: which SSRC is listened to within a port (`offhook_rtp::RtpReceiver`).
//! RT: no allocation, lock, syscall, log or panic.
//!
//! # Which port of the host
//!
//! One port is latched at a time; packets of every other one are strangers' unless it has a claim:
//!
//! | right | port | takes over |
//! |---|---|---|
//! | 2 | where signalling lets the peer be expected ([`Peer::Expected`]) | at once, from any other |
//! | 1 | the home: first latched, since the last announced change | at once, from a newcomer |
//! | 0 | any other of the host | at once while none is latched; after `PORT_SILENCE_NS` (2 s) of silence |
//!
//! - "At once" is RFC 3550's probation: two packets in sequence, the first of which is kept and played as well.
//! - A port of right 2 or 1 that has sent one packet keeps those of less right from being tried for
//!   `CLAIM_NS` (200 ms); the latched one plays on meanwhile.
//! - Silence is that of RTP: comfort noise or another SSRC from the latched port is heard as well, whether played or not.
//! - Whoever is latched after a silence is a newcomer: the home has no time limit for its return.
//! - An announced change ([`RxCommand::ExpectSourceChange`](crate::RxCommand::ExpectSourceChange)) lets the next port
//!   that passes probation in at once, makes it the home and ends the right of the expected one until it is told anew.
//!   It holds for `ANNOUNCED_NS` (5 s) from the first datagram after it, and for one change.
//! - Nothing tells an unexpected peer from another process of its host that speaks first: the first one is heard.

use std::net::{IpAddr, SocketAddr};

/// Silence of the latched port after which a port without any right may be latched.
pub(crate) const PORT_SILENCE_NS: u64 = 2_000_000_000;
/// For how long one packet of a port with a better right keeps the others from being tried.
pub(crate) const CLAIM_NS: u64 = 200_000_000;
/// For how long an announced change may be made use of.
pub(crate) const ANNOUNCED_NS: u64 = 5_000_000_000;

/// Whose datagrams may reach the call at all.
///
/// H.245 tells where the peer receives, not the port it sends from: the host is given, the port is latched from the
/// first source that passes RFC 3550's probation. Another port of the host takes its place after 2 s of silence, and
/// yields to it when it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Peer {
    /// No datagram: nothing is agreed yet.
    #[default]
    Nobody,
    /// Datagrams from this host.
    Address(IpAddr),
    /// Datagrams from this address' host, preferably from its port: most peers send from where they receive. Other
    /// ports are heard as with [`Self::Address`], until this one speaks.
    Expected(SocketAddr),
    /// Datagrams from any host until one is latched: for peers behind address translation, by the user's wish only.
    /// None is expected and none is played before it passes probation; the rules of silence and return hold between
    /// all hosts as they do between the ports of one.
    Any,
}

impl Peer {
    const fn host(self) -> Option<IpAddr> {
        match self {
            Peer::Address(host) => Some(host.to_canonical()),
            Peer::Expected(address) => Some(address.ip().to_canonical()),
            Peer::Nobody | Peer::Any => None,
        }
    }
}

/// The peer and the port it was found at.
#[derive(Debug)]
pub(crate) struct PeerFilter {
    peer: Peer,
    expected: Option<SocketAddr>,
    latched: Option<SocketAddr>,
    home: Option<SocketAddr>,
    /// When the latched port was last heard.
    last_ns: u64,
    /// The port with a better right that was last on probation, and when.
    claim: Option<(SocketAddr, u64)>,
    announced: Announced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Announced {
    No,
    /// No datagram came since.
    Yes,
    Since(u64),
}

impl PeerFilter {
    /// Listens to nobody.
    pub(crate) const fn new() -> PeerFilter {
        PeerFilter {
            peer: Peer::Nobody,
            expected: None,
            latched: None,
            home: None,
            last_ns: 0,
            claim: None,
            announced: Announced::No,
        }
    }

    /// Another peer, whether it is another host; the same host keeps its port, whichever is expected.
    pub(crate) fn set(&mut self, peer: Peer) -> bool {
        let is_other = match (peer.host(), self.peer.host()) {
            (None, None) => peer != self.peer,
            (host, before) => host != before,
        };
        if is_other {
            *self = PeerFilter::new();
        }
        self.peer = peer;
        self.claim = None;
        self.expected = match peer {
            Peer::Expected(address) => Some(canonical(address)),
            _ => None,
        };
        is_other
    }

    /// The next port that passes probation is taken without waiting for the old one to fall silent.
    pub(crate) const fn expect_change(&mut self) {
        self.announced = Announced::Yes;
        self.expected = None;
        self.home = self.latched;
        self.claim = None;
    }

    /// Whether a datagram from `source` may be looked at.
    pub(crate) fn admits(&mut self, source: SocketAddr, arrival_ns: u64) -> bool {
        let source = canonical(source);
        let is_known = match self.peer {
            Peer::Nobody => false,
            Peer::Any => true,
            peer => peer.host() == Some(source.ip()),
        };
        if !is_known {
            return false;
        }
        if self.latched == Some(source) {
            return true;
        }
        let right = self.right(source);
        let is_claimed = self.claim.is_some_and(|(claimant, claim_ns)| {
            claimant != source
                && self.right(claimant) > right
                && arrival_ns.saturating_sub(claim_ns) < CLAIM_NS
        });
        let is_announced = self.is_announced(arrival_ns);
        !is_claimed
            && self.latched.is_none_or(|latched| {
                right > self.right(latched)
                    || is_announced
                    || arrival_ns.saturating_sub(self.last_ns) >= PORT_SILENCE_NS
            })
    }

    /// Whether a source with a better right than that of `source` is known: its packets must not wait for this one's.
    pub(crate) fn is_outranked(&self, source: SocketAddr) -> bool {
        let best = self.expected.map_or(0, |_| 2).max(self.home.map_or(0, |_| 1));
        self.right(canonical(source)) < best
    }

    /// Whether a packet may be played before its source has proved itself: the host was negotiated, and no source of
    /// it was ever found.
    pub(crate) const fn trusts_first(&self) -> bool {
        matches!(self.peer, Peer::Address(_) | Peer::Expected(_)) && self.latched.is_none()
    }

    /// An RTP packet came from `source`, to be played or not: if that is the latched port, it is not silent.
    pub(crate) fn hear(&mut self, source: SocketAddr, arrival_ns: u64) {
        if self.latched == Some(canonical(source)) {
            self.last_ns = self.last_ns.max(arrival_ns);
        }
    }

    /// A packet from `source` is on probation: if the port has a better right than the latched one, it is on its way in.
    pub(crate) fn try_out(&mut self, source: SocketAddr, arrival_ns: u64) {
        let source = canonical(source);
        if self.latched != Some(source)
            && self.right(source) > self.latched.map_or(0, |latched| self.right(latched))
        {
            self.claim = Some((source, arrival_ns));
        }
    }

    /// A packet from `source` was accepted for playout: that is the port now. `is_new`: its source had not been heard
    /// before.
    pub(crate) fn latch(&mut self, source: SocketAddr, arrival_ns: u64, is_new: bool) {
        let source = canonical(source);
        if self.latched == Some(source) {
            self.last_ns = self.last_ns.max(arrival_ns);
        } else {
            let is_announced = self.is_announced(arrival_ns);
            let is_newcomer = self
                .latched
                .is_some_and(|latched| !is_announced && self.right(source) <= self.right(latched));
            if !is_newcomer {
                self.home = Some(source);
            }
            self.latched = Some(source);
            self.last_ns = arrival_ns;
            self.claim = None;
        }
        if is_new {
            self.announced = Announced::No;
        }
    }

    /// The port found.
    pub(crate) const fn latched(&self) -> Option<SocketAddr> {
        self.latched
    }

    fn right(&self, source: SocketAddr) -> u8 {
        if self.expected == Some(source) { 2 } else { u8::from(self.home == Some(source)) }
    }

    fn is_announced(&mut self, now_ns: u64) -> bool {
        if self.announced == Announced::Yes {
            self.announced = Announced::Since(now_ns);
        }
        matches!(self.announced, Announced::Since(at_ns) if now_ns.saturating_sub(at_ns) < ANNOUNCED_NS)
    }
}

/// IPv4 peers seen through an IPv6 socket compare as IPv4.
fn canonical(source: SocketAddr) -> SocketAddr {
    SocketAddr::new(source.ip().to_canonical(), source.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;
    const TRUE: &str = "10.0.0.1:5004";
    const OTHER: &str = "10.0.0.1:9";

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn filter(peer: Peer) -> PeerFilter {
        let mut filter = PeerFilter::new();
        filter.set(peer);
        filter
    }

    fn host() -> PeerFilter {
        filter(Peer::Address("10.0.0.1".parse().unwrap()))
    }

    #[test]
    fn only_the_negotiated_host_is_admitted_and_then_only_its_latched_port() {
        assert!(!PeerFilter::new().admits(at(TRUE), 0));
        let mut filter = host();
        assert!(filter.admits(at(TRUE), 0) && filter.admits(at(OTHER), 0));
        assert!(filter.admits(at("[::ffff:10.0.0.1]:5004"), 0));
        assert!(!filter.admits(at("10.0.0.2:5004"), 0));
        filter.latch(at("[::ffff:10.0.0.1]:5004"), S, true);
        assert!(filter.admits(at(TRUE), S + 1));
        assert!(!filter.admits(at(OTHER), 3 * S - 1) && !filter.admits(at("10.0.0.2:5004"), 9 * S));
        assert!(filter.admits(at(OTHER), 3 * S), "after its silence");
    }

    #[test]
    fn the_home_port_outranks_a_newcomer_for_as_long_as_the_call_lasts() {
        let mut filter = host();
        filter.latch(at(TRUE), S, true);
        filter.latch(at(OTHER), 4 * S, true);
        assert!(filter.is_outranked(at(OTHER)) && !filter.is_outranked(at(TRUE)));
        assert!(!filter.admits(at("10.0.0.1:10"), 5 * S));
        assert!(filter.admits(at(TRUE), 3_600 * S));
        filter.latch(at(TRUE), 3_600 * S, true);
        assert!(!filter.admits(at(OTHER), 3_600 * S + 1));
    }

    #[test]
    fn the_expected_port_outranks_every_other_and_its_first_packet_keeps_them_from_being_tried() {
        let mut filter = filter(Peer::Expected(at(TRUE)));
        assert!(filter.admits(at(OTHER), 0), "nothing else spoke");
        filter.hear(at(TRUE), 5);
        assert!(filter.admits(at(OTHER), 6), "a packet that is not to be played claims nothing");
        filter.try_out(at(TRUE), 10);
        assert!(!filter.admits(at(OTHER), CLAIM_NS) && filter.admits(at(TRUE), CLAIM_NS));
        assert!(filter.admits(at(OTHER), 10 + CLAIM_NS), "it said no more");
        filter.latch(at(OTHER), S, true);
        assert!(filter.admits(at(TRUE), S + 1));
        filter.latch(at(TRUE), S + 1, true);
        assert!(!filter.admits(at(OTHER), S + 2));
    }

    #[test]
    fn an_announced_change_admits_another_port_once_and_for_five_seconds() {
        let mut filter = filter(Peer::Any);
        filter.latch(at(TRUE), S, true);
        assert!(!filter.admits(at("10.0.0.3:6"), S + 1));
        filter.expect_change();
        assert!(filter.admits(at("10.0.0.3:6"), S + 1));
        filter.latch(at("10.0.0.3:6"), S + 1, true);
        assert!(!filter.admits(at(TRUE), S + 2), "the home has moved");
        filter.expect_change();
        assert!(filter.admits(at(TRUE), S + 2));
        filter.latch(at("10.0.0.3:6"), 6 * S, false);
        assert!(filter.admits(at(TRUE), 6 * S + 1) && !filter.admits(at(TRUE), 6 * S + 2));
    }

    #[test]
    fn an_announced_change_ends_the_expectation_until_it_is_told_anew() {
        let mut filter = filter(Peer::Expected(at(TRUE)));
        filter.latch(at(TRUE), S, true);
        filter.expect_change();
        filter.latch(at(OTHER), S + 1, true);
        assert!(!filter.admits(at(TRUE), S + 2), "late packets of the port before");
        assert!(!filter.set(Peer::Expected(at("10.0.0.1:7000"))), "the same host");
        assert_eq!(filter.latched(), Some(at(OTHER)));
        assert!(filter.admits(at("10.0.0.1:7000"), S + 2) && !filter.admits(at(TRUE), S + 2));
    }
}
