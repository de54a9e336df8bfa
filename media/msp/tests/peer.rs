//! Which port of the peer is heard, by what the TSP's channels tell of it: real sockets, hand-made packets.

mod support;

use std::net::{SocketAddr, UdpSocket};

use offhook_msp::{Latch, MspConfig};
use offhook_pair::{Channel, Codec, Session, ToMsp};
use offhook_spi::mspi::Direction;
use support::{End, pause, receive, transmit_to, until};

/// A peer's socket with the SSRC that it sends.
struct Voice {
    socket: UdpSocket,
    ssrc: u8,
    sequence: u16,
}

impl Voice {
    fn new(ssrc: u8) -> Voice {
        Voice { socket: UdpSocket::bind("127.0.0.1:0").unwrap(), ssrc, sequence: 0 }
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// The RTCP address that goes with it.
    fn control(&self) -> Option<SocketAddr> {
        let rtp = self.address();
        Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?))
    }

    fn say(&mut self, packets: u16, to: &Session) {
        for _ in 0..packets {
            let [high, low] = self.sequence.to_be_bytes();
            let mut packet = vec![0x80, 0, high, low, 0, 0, high, low, 0, 0, 0, self.ssrc];
            packet.extend([0xFF; 160]);
            self.socket.send_to(&packet, to.rtp).unwrap();
            self.sequence += 1;
            pause(5);
        }
    }
}

/// One that listens, and what it was told.
fn listening(channels: Vec<Channel>) -> (End, Session) {
    let mut end = End::new();
    let null = end.null(Direction::Render);
    end.msp.select_terminal(end.render, null).unwrap();
    let session = end.prepare();
    end.tell(&ToMsp::Start(channels)).unwrap();
    (end, session)
}

/// `heard` packets so far were the peer's, `dropped` were not.
fn counts(end: &End, what: &str, heard: u64, dropped: u64) {
    until(what, || (end.received().packets, end.received().dropped) == (heard, dropped));
}

fn from(rtcp: Option<SocketAddr>) -> Channel {
    Channel { remote_rtcp: rtcp, ..receive(Codec::Pcmu) }
}

#[test]
fn the_port_below_the_signalled_rtcp_port_or_where_the_peer_receives_takes_over_from_any_other() {
    let (peer, other) = (Voice::new(1), Voice::new(9));
    let by_control = vec![from(peer.control())];
    let by_transmit = vec![receive(Codec::Pcmu), transmit_to(Codec::Pcmu, peer.address(), None)];
    // The receive channel's own RTP address comes before all others.
    let named = Channel { remote_rtp: Some(peer.address()), ..receive(Codec::Pcmu) };
    let by_name = vec![named, transmit_to(Codec::Pcmu, other.address(), other.control())];
    for channels in [by_control, by_transmit, by_name] {
        let (end, session) = listening(channels);
        let mut peer = Voice { socket: peer.socket.try_clone().unwrap(), ..Voice::new(1) };
        let mut other = Voice { socket: other.socket.try_clone().unwrap(), ..Voice::new(9) };
        other.say(10, &session);
        counts(&end, "nothing else spoke", 10, 0);
        peer.say(10, &session);
        counts(&end, "the peer", 20, 0);
        other.say(10, &session);
        counts(&end, "the peer goes on", 20, 10);
    }
}

#[test]
fn a_peer_that_is_told_to_have_moved_is_heard_from_its_next_port_at_once() {
    let (mut peer, mut moved, mut again) = (Voice::new(1), Voice::new(2), Voice::new(3));
    let (end, session) = listening(vec![from(peer.control())]);
    peer.say(10, &session);
    counts(&end, "the peer", 10, 0);
    moved.say(10, &session);
    counts(&end, "nothing was announced", 10, 10);
    end.tell(&ToMsp::Start(vec![from(moved.control())])).unwrap();
    pause(50);
    moved.say(10, &session);
    counts(&end, "it moved", 20, 10);
    peer.say(10, &session);
    counts(&end, "not back", 20, 20);
    // To a port that the announcement does not name.
    end.tell(&ToMsp::Start(vec![from(peer.control())])).unwrap();
    pause(50);
    again.say(10, &session);
    counts(&end, "it moved again", 30, 20);
}

#[test]
fn with_latch_any_a_peer_behind_a_translator_is_heard_and_answered_where_it_is_and_otherwise_it_is_a_stranger()
 {
    for latch in [Latch::Negotiated, Latch::Any] {
        let mut end = End::with(MspConfig { latch, ..MspConfig::default() });
        let null = end.null(Direction::Render);
        end.msp.select_terminal(end.render, null).unwrap();
        end.tone(440.0);
        let session = end.prepare();
        // What signalling tells is the address before the translator.
        let told: SocketAddr = "127.0.0.1:9".parse().unwrap();
        end.tell(&ToMsp::Start(vec![receive(Codec::Pcmu), transmit_to(Codec::Pcmu, told, None)])).unwrap();
        let outside = UdpSocket::bind("127.77.3.1:0").unwrap();
        outside.set_nonblocking(true).unwrap();
        let mut peer = Voice { socket: outside.try_clone().unwrap(), ..Voice::new(1) };
        peer.say(10, &session);
        let mut answer = [0; 2_048];
        if latch == Latch::Negotiated {
            counts(&end, "a stranger", 0, 10);
            assert!(outside.recv(&mut answer).is_err(), "nothing goes there");
            continue;
        }
        counts(&end, "heard", 10, 0);
        until("media come back", || outside.recv(&mut answer).is_ok());
        let remote = Some(peer.address().to_string());
        until("statistics tell it", || end.sent().remote == remote && end.received().remote == remote);
        // Whoever comes later does not get in.
        let mut other = Voice { socket: UdpSocket::bind("127.77.3.2:0").unwrap(), ..Voice::new(9) };
        other.say(10, &session);
        counts(&end, "not another", 10, 10);
    }
}
