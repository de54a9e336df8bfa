//! Several calls on one call signalling connection, and a call whose connection is lost, over loopback sockets.

mod desk;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use desk::{Desk, PATIENCE, Wishes, id};
use offhook_h323::{
    Alias, AudioCodec, Call, Channel, CodecOffer, ConferenceGoal, LocalMedia, LocalSession, OutgoingParams,
};
use offhook_spi::{CallParams, DisconnectMode, HdCall, HtCall, MediaTypes, RequestId, Tspi};
use offhook_tsp::{CallConfig, Counters};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::q931::MessageType;
use offhook_wire::tpkt::{self, TpktDecoder};
use tokio::runtime::Runtime;

const CONNECTED: &str = "Connected(Active)";

fn several() -> CallConfig {
    CallConfig { multiple_calls: true, maintain_connection: true, ..CallConfig::default() }
}

fn desk(runtime: &Runtime, port: u16, call: CallConfig) -> Desk {
    Desk::new(runtime, Wishes { msp_port: port, call, ..Wishes::default() })
}

/// Answers what is offered next.
fn answer(desk: &Desk) -> HdCall {
    desk.until("msp prepare 127.0.0.1 to None");
    let call = desk.incoming();
    desk.provider.line_answer(RequestId(7), call).unwrap();
    desk.until(CONNECTED);
    call
}

/// One more call of a desk: its broker calls it as the provider will.
fn dial_more(desk: &Desk, last: HdCall, to: &str) -> HdCall {
    let params = CallParams { destination: to.to_owned(), media: MediaTypes::AUDIO, ..CallParams::default() };
    let name = HtCall(last.0 + 1);
    let call = desk.provider.line_make_call(RequestId(1), desk.line, name, &params).unwrap();
    assert_eq!(call.0, name.0, "handles are counted");
    call
}

fn hang_up(desk: &Desk, call: HdCall) {
    desk.provider.line_drop(RequestId(9), call, DisconnectMode::Normal).unwrap();
    desk.until("Idle");
    desk.provider.line_close_call(call).unwrap();
}

fn counted(desk: &Desk, enough: impl Fn(&Counters) -> bool) {
    let began = Instant::now();
    while !enough(&desk.provider.counters()) {
        assert!(began.elapsed() < PATIENCE, "{:?}", desk.provider.counters());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn calls_to_one_address_share_a_connection_and_end_one_by_one() {
    share(several());
    // With H.245 connections of their own.
    share(CallConfig { fast_start: false, tunnelling: false, ..several() });
}

fn share(config: CallConfig) {
    let runtime = Runtime::new().unwrap();
    let (alice, bob) = (desk(&runtime, 5_000, config.clone()), desk(&runtime, 6_000, config));
    let at = bob.listen().to_string();
    let mut placed = vec![alice.dial(&at).unwrap()];
    let mut offered = vec![answer(&bob)];
    alice.until(CONNECTED);
    for _ in 0..3 {
        placed.push(dial_more(&alice, *placed.last().unwrap(), &at));
        offered.push(answer(&bob));
        alice.until(CONNECTED);
    }
    assert_eq!((alice.provider.counters().shared, bob.provider.counters().shared), (3, 3));
    let last = placed[3];
    // Either side hangs up one: the other calls stay.
    hang_up(&alice, placed[0]);
    bob.until("Disconnected(Normal)");
    hang_up(&bob, offered[1]);
    alice.until("Disconnected(Normal)");
    assert!(bob.provider.line_call_info(offered[3]).is_ok());
    for call in [placed[2], placed[3]] {
        hang_up(&alice, call);
        bob.until("Disconnected(Normal)");
    }
    // Both maintain the connection: the next call takes it.
    let next = dial_more(&alice, last, &at);
    answer(&bob);
    alice.until(CONNECTED);
    let shared = (alice.provider.counters().shared, bob.provider.counters().shared);
    assert_eq!(shared, (4, 4), "{:?} {:?}", alice.provider.counters(), bob.provider.counters());
    hang_up(&alice, next);
    alice.provider.line_close_call(placed[1]).unwrap();
    alice.provider.provider_shutdown();
    bob.provider.provider_shutdown();
    for call in offered {
        let _ = bob.provider.line_close_call(call);
    }
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, alice.provider.drained()).await.unwrap();
        tokio::time::timeout(PATIENCE, bob.provider.drained()).await.unwrap();
    });
}

#[test]
fn towards_an_endpoint_of_one_call_a_connection_every_call_has_its_own() {
    let runtime = Runtime::new().unwrap();
    for (caller, called) in [(several(), CallConfig::default()), (CallConfig::default(), several())] {
        let (alice, bob) = (desk(&runtime, 5_000, caller), desk(&runtime, 6_000, called));
        let at = bob.listen().to_string();
        let first = alice.dial(&at).unwrap();
        answer(&bob);
        alice.until(CONNECTED);
        let second = dial_more(&alice, first, &at);
        answer(&bob);
        alice.until(CONNECTED);
        hang_up(&alice, first);
        bob.until("Disconnected(Normal)");
        hang_up(&alice, second);
        bob.until("Disconnected(Normal)");
        for desk in [&alice, &bob] {
            assert_eq!(desk.provider.counters(), Counters::default());
        }
    }
}

#[test]
fn a_call_that_finds_no_room_on_a_connection_goes_by_another() {
    let runtime = Runtime::new().unwrap();
    let mut one = several();
    one.limits.calls_per_connection = 1;
    let (alice, bob) = (desk(&runtime, 5_000, several()), desk(&runtime, 6_000, one));
    let at = bob.listen().to_string();
    let first = alice.dial(&at).unwrap();
    answer(&bob);
    alice.until(CONNECTED);
    let second = dial_more(&alice, first, &at);
    answer(&bob);
    let said = alice.until(CONNECTED);
    assert!(!said.iter().any(|s| s.starts_with("Disconnected") || s == "Idle"), "{said:#?}");
    hang_up(&alice, first);
    hang_up(&alice, second);
    bob.provider.provider_shutdown();
    counted(&bob, |counters| counters.connection_full == 1);
}

/// The octets of the Setup of a call.
fn setup(reference: u16, to: SocketAddr) -> Bytes {
    let params = OutgoingParams {
        call_identifier: [reference as u8; 16],
        conference_id: [reference as u8; 16],
        goal: ConferenceGoal::Create,
        call_reference: reference,
        seed: 1,
        destination: Some(Alias::from_text("bob")),
        overlap: false,
        withhold_identity: false,
        redirecting: None,
        forwards: 0,
        user_user: None,
        local_signal_address: None,
        remote_signal_address: to,
        media: LocalMedia {
            sessions: vec![LocalSession {
                session_id: 1,
                rtp: ([127, 0, 0, 1], 9_000).into(),
                rtcp: ([127, 0, 0, 1], 9_001).into(),
                codecs: vec![CodecOffer {
                    codec: AudioCodec::Pcma,
                    payload_type: 8,
                    packet_ms: 20,
                    max_packet_ms: 60,
                }],
                telephone_event: None,
                comfort_noise: false,
                silence_suppression: false,
                redundancy: None,
            }],
        },
    };
    let mut call = Call::outgoing(several(), params, Duration::ZERO);
    call.handle_connected(Duration::ZERO, Channel::Signaling);
    call.poll_transmit().unwrap().bytes
}

#[test]
fn a_gateway_sets_up_two_calls_in_one_segment() {
    let runtime = Runtime::new().unwrap();
    let bob = desk(&runtime, 6_000, several());
    let at = bob.listen();
    let mut gateway = TcpStream::connect(at).unwrap();
    gateway.set_read_timeout(Some(PATIENCE)).unwrap();
    let both: Vec<u8> = [setup(1, at), setup(2, at)].concat();
    gateway.write_all(&both).unwrap();
    for _ in 0..2 {
        bob.until("msp prepare 127.0.0.1 to None");
    }
    let calls = bob.all_incoming();
    assert_eq!(calls.len(), 2);
    for call in &calls {
        bob.provider.line_answer(RequestId(3), *call).unwrap();
        bob.until(CONNECTED);
    }
    let mut decoder = TpktDecoder::new();
    let mut connects = Vec::new();
    while connects.len() < 2 {
        let mut octets = [0; 4096];
        let n = gateway.read(&mut octets).unwrap();
        assert_ne!(n, 0, "the connection stands");
        decoder.push(&octets[..n]);
        while let Some(payload) = decoder.next().unwrap() {
            let signal = CallSignal::decode(&payload).unwrap();
            if signal.q931.message_type == MessageType::CONNECT {
                connects.push(signal.q931.call_reference.value());
            }
        }
    }
    connects.sort_unstable();
    assert_eq!(connects, [1, 2]);
    // The peer releases the first; the second is there until the connection goes.
    let release = [8, 2, 0, 1, MessageType::RELEASE_COMPLETE.0, 8, 2, 0x80, 0x90];
    gateway.write_all(&tpkt::encode(&release).unwrap()).unwrap();
    bob.until("Disconnected(Normal)");
    std::thread::sleep(Duration::from_millis(50));
    let left: Vec<_> = bob.heard.try_iter().filter(|s| s.starts_with("Disconnected")).collect();
    assert!(left.is_empty(), "{left:?}");
    gateway.shutdown(Shutdown::Both).unwrap();
    let said = bob.until("msp stop all");
    assert!(said.iter().any(|s| s.starts_with("Disconnected")), "{said:#?}");
}

#[test]
fn the_called_side_may_call_back_over_the_same_connection() {
    let runtime = Runtime::new().unwrap();
    let alice = desk(&runtime, 5_000, several());
    alice.listen();
    let gateway = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = gateway.local_addr().unwrap();
    alice.dial(&at.to_string()).unwrap();
    let (mut stream, _) = gateway.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    alice.until("Dialing");
    stream.write_all(&setup(5, at)).unwrap();
    alice.until("newcall");
    let said = alice.until("msp prepare 127.0.0.1 to None");
    assert!(said.contains(&"Offering".to_owned()), "{said:#?}");
    alice.provider.line_answer(RequestId(4), alice.incoming()).unwrap();
    alice.until(CONNECTED);
    assert_eq!(alice.provider.counters().shared, 1);
}

/// Carries octets between whoever connects and `to`; gives the connections, for somebody to break.
fn relay(to: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<TcpStream>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let carried = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&carried);
    std::thread::spawn(move || {
        while let Ok((near, _)) = listener.accept() {
            let Ok(far) = TcpStream::connect(to) else { return };
            for (mut from, mut to) in [
                (near.try_clone().unwrap(), far.try_clone().unwrap()),
                (far.try_clone().unwrap(), near.try_clone().unwrap()),
            ] {
                std::thread::spawn(move || {
                    // It ends with either connection.
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
            }
            all.lock().unwrap().extend([near, far]);
        }
    });
    (at, carried)
}

#[test]
fn a_call_goes_on_over_a_new_connection_when_it_may() {
    let runtime = Runtime::new().unwrap();
    let survives = || CallConfig { survive_signaling_loss: true, ..CallConfig::default() };
    let (alice, bob) = (desk(&runtime, 5_000, survives()), desk(&runtime, 6_000, survives()));
    let (at, carried) = relay(bob.listen());
    let placed = alice.dial(&at.to_string()).unwrap();
    let offered = answer(&bob);
    alice.until(CONNECTED);
    for connection in carried.lock().unwrap().drain(..) {
        let _ = connection.shutdown(Shutdown::Both);
    }
    for (desk, call) in [(&alice, placed), (&bob, offered)] {
        let info = desk.info(call, |info| id(info, "signaling") == Some("restored"));
        assert!(id(&info, "release").is_none(), "{info:?}");
    }
    // The caller has asked for the called side's state.
    alice.info(placed, |info| id(info, "peerCallState") == Some("10"));
    assert_eq!((alice.provider.counters().resumed, bob.provider.counters().resumed), (1, 1));
    hang_up(&alice, placed);
    let said = bob.until("Disconnected(Normal)");
    assert!(!said.iter().any(|s| s == "newcall"), "{said:#?}");
}

#[test]
fn without_survival_a_lost_connection_ends_the_call() {
    let runtime = Runtime::new().unwrap();
    let (alice, bob) =
        (desk(&runtime, 5_000, CallConfig::default()), desk(&runtime, 6_000, CallConfig::default()));
    let (at, carried) = relay(bob.listen());
    let placed = alice.dial(&at.to_string()).unwrap();
    answer(&bob);
    alice.until(CONNECTED);
    for connection in carried.lock().unwrap().drain(..) {
        let _ = connection.shutdown(Shutdown::Both);
    }
    for desk in [&alice, &bob] {
        let said = desk.until("msp stop all");
        assert!(said.iter().any(|s| s.starts_with("Disconnected")), "{said:#?}");
    }
    let info = alice.info(placed, |info| id(info, "cause").is_some());
    assert_eq!(id(&info, "cause"), Some("41"));
}
