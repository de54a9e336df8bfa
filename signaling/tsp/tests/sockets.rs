//! The provider's sockets against a peer that the test plays: crossing H.245 connections, both families on one port.
#![allow(clippy::unwrap_used)]

mod desk;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use desk::{Desk, PATIENCE, Wishes};
use offhook_h323::{Alias, Call, Channel, ConferenceGoal, Config, LocalMedia, OutgoingParams};
use offhook_spi::{RequestId, Tspi};
use offhook_wire::h225::{
    FacilityReason, FacilityUuie, H323UserInformation, H323UuPdu, H323UuPduH323MessageBody as Body,
    TransportAddress, TransportAddressIpAddress,
};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::per::Oid;
use offhook_wire::q931::{CallReference, Message, MessageType};
use offhook_wire::tpkt::{self, TpktDecoder};
use socket2::{Domain, Socket, Type};
use tokio::runtime::Runtime;

const CONNECTED: &str = "Connected(Active)";

fn address(of: &TransportAddress) -> SocketAddr {
    let TransportAddress::IpAddress(at) = of else { panic!("{of:?}") };
    (<[u8; 4]>::try_from(&at.ip[..]).unwrap(), at.port).into()
}

/// A caller without tunnelling and fast connect, as far as its call signalling connection.
struct Peer {
    stream: TcpStream,
    decoder: TpktDecoder,
}

impl Peer {
    fn calling(at: SocketAddr) -> Self {
        let params = OutgoingParams {
            call_identifier: [1; 16],
            conference_id: [2; 16],
            goal: ConferenceGoal::Create,
            call_reference: 9,
            seed: 1,
            destination: Some(Alias::from_text("bob")),
            overlap: false,
            withhold_identity: false,
            redirecting: None,
            forwards: 0,
            user_user: None,
            local_signal_address: None,
            remote_signal_address: at,
            media: LocalMedia::default(),
        };
        let config = Config { fast_start: false, tunnelling: false, ..Config::default() };
        let mut call = Call::outgoing(config, params, Duration::ZERO);
        call.handle_connected(Duration::ZERO, Channel::Signaling);
        let mut stream = TcpStream::connect(at).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&call.poll_transmit().unwrap().bytes).unwrap();
        Self { stream, decoder: TpktDecoder::new() }
    }

    /// Where the called side listens for H.245, as Connect says.
    fn h245_address(&mut self) -> SocketAddr {
        loop {
            while let Some(payload) = self.decoder.next().unwrap() {
                let signal = CallSignal::decode(&payload).unwrap();
                if let Some(Body::Connect(connect)) = signal.body() {
                    return address(connect.h245_address.as_ref().unwrap());
                }
            }
            let mut octets = [0; 4096];
            let n = self.stream.read(&mut octets).unwrap();
            assert_ne!(n, 0, "closed before Connect");
            self.decoder.push(&octets[..n]);
        }
    }

    /// Facility startH245.
    fn start_h245(&mut self, at: SocketAddr) {
        let SocketAddr::V4(v4) = at else { panic!("{at}") };
        let mut uuie = FacilityUuie::new(Oid::new(&[0, 0, 8, 2250, 0, 7]), FacilityReason::StartH245);
        uuie.h245_address =
            Some(TransportAddress::IpAddress(TransportAddressIpAddress::new(v4.ip().octets(), v4.port())));
        let mut pdu = H323UuPdu::new(Body::Facility(uuie.into()));
        pdu.h245_tunnelling = Some(false);
        let q931 = Message::new(MessageType::FACILITY, CallReference::new(9, false));
        let signal = CallSignal { q931, uuie: Some(H323UserInformation::new(pdu).into()) };
        self.stream.write_all(&tpkt::encode(&signal.encode().unwrap()).unwrap()).unwrap();
    }
}

/// A called desk whose address is greater than its peers': of two connections its own stays.
fn called(runtime: &Runtime, patience: Duration) -> Option<Desk> {
    if TcpListener::bind("127.0.0.2:0").is_err() {
        assert!(std::env::var_os("CI").is_none(), "127.0.0.2 is not this machine: CI must not skip");
        eprintln!("SKIPPED: this machine has one loopback address, so this test proves nothing here");
        return None;
    }
    let mut call = Config::default();
    call.timers.signaling_connect = patience;
    let adjust = |config: &mut offhook_tsp::H323Config| config.listen = "127.0.0.2:0".parse().unwrap();
    Some(Desk::new(runtime, Wishes { call, adjust, ..Wishes::default() }))
}

/// A call that the desk has answered; where the desk listens for H.245.
fn answered(bob: &Desk) -> (Peer, SocketAddr) {
    let mut peer = Peer::calling(bob.listen());
    bob.until("msp prepare 127.0.0.1 to None");
    bob.provider.line_answer(RequestId(7), bob.incoming()).unwrap();
    let at = peer.h245_address();
    bob.until(CONNECTED);
    (peer, at)
}

/// Whether a TPKT comes; not if the connection ends first.
fn hears_h245(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = [0; 4];
    matches!(stream.read_exact(&mut head), Ok(()) if head[0] == 3)
}

/// A listener that is full: whoever connects waits, and is neither refused nor accepted. And those that fill it.
fn full() -> (TcpListener, Vec<TcpStream>) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let at = listener.local_addr().unwrap().as_socket().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&at, Duration::from_millis(200)) {
        waiting.push(stream);
        assert!(waiting.len() < 100, "the listener is never full");
    }
    (listener.into(), waiting)
}

/// The desk connects to `nowhere`, which does not answer; meanwhile the peer's connection comes.
fn crossing(peer: &mut Peer, nowhere: &TcpListener, at: SocketAddr) -> TcpStream {
    peer.start_h245(nowhere.local_addr().unwrap());
    // The desk's has to be on its way before the peer's comes.
    std::thread::sleep(Duration::from_millis(300));
    TcpStream::connect(at).unwrap()
}

#[test]
fn the_connection_that_the_peer_made_takes_the_place_of_ours_that_failed() {
    let runtime = Runtime::new().unwrap();
    let Some(bob) = called(&runtime, Duration::from_millis(1_500)) else { return };
    let (mut peer, at) = answered(&bob);
    let (nowhere, _waiting) = full();
    let mut theirs = crossing(&mut peer, &nowhere, at);
    assert!(hears_h245(&mut theirs), "H.245 runs over the connection that stands");
    bob.provider.provider_shutdown();
}

#[test]
fn of_two_connections_that_stand_ours_is_used_and_the_peer_s_is_closed() {
    let runtime = Runtime::new().unwrap();
    let Some(bob) = called(&runtime, Duration::from_secs(20)) else { return };
    let (mut peer, at) = answered(&bob);
    let (listener, waiting) = full();
    let mut theirs = crossing(&mut peer, &listener, at);
    // Room at last: the desk's next attempt of TCP gets through.
    for _ in &waiting {
        listener.accept().unwrap();
    }
    let (mut ours, _) = listener.accept().unwrap();
    assert!(hears_h245(&mut ours), "H.245 runs over ours");
    assert!(!hears_h245(&mut theirs), "and over no other");
    bob.provider.provider_shutdown();
}

#[test]
fn the_usual_address_takes_calls_of_both_families() {
    let runtime = Runtime::new().unwrap();
    let anywhere = |config: &mut offhook_tsp::H323Config| {
        assert_eq!(offhook_tsp::H323Config::default().listen, "[::]:1720".parse().unwrap());
        config.listen = "[::]:0".parse().unwrap();
    };
    let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
    assert!(has_ipv6 || std::env::var_os("CI").is_none(), "no IPv6 loopback: CI must not skip");
    let families: &[&str] = if has_ipv6 { &["127.0.0.1", "[::1]"] } else { &["127.0.0.1"] };
    for from in families {
        let bob = Desk::new(&runtime, Wishes { adjust: anywhere, ..Wishes::default() });
        let at = bob.listen();
        assert!(at.ip().is_unspecified() && at.is_ipv6() == has_ipv6, "{at}");
        let alice = Desk::new(&runtime, Wishes { msp_port: 6_000, ..Wishes::default() });
        alice.dial(&format!("{from}:{}", at.port())).unwrap();
        // An IPv4 caller is one, not an IPv6 address that holds it.
        bob.until(&format!("msp prepare {} to None", from.trim_matches(['[', ']'])));
        bob.provider.line_answer(RequestId(7), bob.incoming()).unwrap();
        bob.until(CONNECTED);
        alice.until(CONNECTED);
    }
}
