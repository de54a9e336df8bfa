//! Real sockets on the loopback: ports, stamps, marks, strangers, the tap, and a call on the ticker.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use offhook_codecs::{Cadence, CodecKind};
use offhook_engine::{
    Control, EngineConfig, Gain, Leg, PacketRx, PacketTx, Peer, Received, RxCommand, RxFormat, SendOutcome,
    SenderIdentity, Ticker, TickerConfig, ToneSource, TxCommand, TxFormat, monotonic_ns, split,
};
use offhook_net::{BindConfig, BindError, Direction, MediaSockets, PortRange, TapReader, bind, tap};

#[global_allocator]
static TRAP: AllocDisabler = AllocDisabler;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn bound() -> MediaSockets {
    bind(&BindConfig::new(LOOPBACK)).unwrap()
}

fn wait<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < give_up, "it never came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn rtp_is_on_an_even_port_and_rtcp_on_the_next() {
    let sockets = bound();
    let (rtp, rtcp) = (sockets.rtp_address(), sockets.rtcp_address());
    assert_eq!((rtp.port() % 2, rtcp.port()), (0, rtp.port() + 1));
    assert_eq!((rtp.ip(), rtcp.ip()), (LOOPBACK, LOOPBACK));
    let range = PortRange::default();
    assert!((range.first()..=range.last()).contains(&rtp.port()));
}

#[test]
fn an_exhausted_range_says_which_and_a_freed_pair_is_found_again() {
    // An address of its own on the loopback: no other test binds there.
    let local = IpAddr::V4(Ipv4Addr::new(127, 77, 1, 1));
    let config = BindConfig { ports: PortRange::new(20_000, 20_007).unwrap(), ..BindConfig::new(local) };
    // Somebody else has an odd port: its pair is no pair.
    let odd = UdpSocket::bind((local, 20_003)).unwrap();
    let mut held: Vec<MediaSockets> = (0..3).map(|_| bind(&config).unwrap()).collect();
    let mut ports: Vec<u16> = held.iter().map(|sockets| sockets.rtp_address().port()).collect();
    ports.sort_unstable();
    assert_eq!(ports, [20_000, 20_004, 20_006]);
    match bind(&config) {
        Err(error @ BindError::Exhausted { .. }) => {
            let text = error.to_string();
            assert!(text.contains("20000-20007") && text.contains("127.77.1.1"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    let freed = held.remove(1).rtp_address();
    assert_eq!(bind(&config).unwrap().rtp_address(), freed);
    drop(odd);
    assert_eq!(bind(&config).map(|sockets| sockets.rtp_address().port() % 2).unwrap(), 0);
}

#[test]
fn an_address_that_is_not_ours_is_the_systems_refusal() {
    let config = BindConfig::new("203.0.113.77".parse().unwrap());
    match bind(&config) {
        Err(error @ BindError::System { .. }) => assert!(error.to_string().contains("203.0.113.77")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_processes_worth_of_binders_never_share_a_port() {
    let local = IpAddr::V4(Ipv4Addr::new(127, 77, 1, 2));
    let config = BindConfig { ports: PortRange::new(20_000, 20_127).unwrap(), ..BindConfig::new(local) };
    let threads: Vec<_> = (0..4)
        .map(|_| std::thread::spawn(move || (0..16).map(|_| bind(&config).unwrap()).collect::<Vec<_>>()))
        .collect();
    let all: Vec<MediaSockets> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    let mut ports: Vec<u16> = all.iter().map(|sockets| sockets.rtp_address().port()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 64);
    assert!(matches!(bind(&config), Err(BindError::Exhausted { .. })));
}

#[test]
fn packets_cross_without_allocation_and_bear_the_kernels_time() {
    let (mut tx, _, _) = bound().split(None);
    let there = bound();
    let (to, has_stamps) = (there.rtp_address(), there.has_kernel_stamps());
    assert_eq!(has_stamps, cfg!(target_os = "linux"));
    let (_, mut rx, _) = there.split(None);
    let mut buffer = [0; 2_048];
    assert_no_alloc(|| {
        assert_eq!(tx.send(b"nowhere yet"), SendOutcome::Failed);
        tx.set_remote(to);
        assert!(rx.receive(&mut buffer).is_none());
    });
    // The kernel begins to stamp arrivals a moment after the first socket asked for it: what comes before is stamped
    // when it is read.
    wait(|| {
        let before = monotonic_ns();
        assert_no_alloc(|| assert_eq!(tx.send(&[7; 172]), SendOutcome::Sent));
        let after = monotonic_ns();
        std::thread::sleep(Duration::from_millis(50));
        let received = wait(|| assert_no_alloc(|| rx.receive(&mut buffer)));
        assert_eq!((received.len, received.source, &buffer[..172]), (172, tx.local(), &[7; 172][..]));
        let at = received.arrival_ns;
        // Long after its arrival, it still tells when it came.
        (!has_stamps || (at + 1_000_000 >= before && at <= after + 1_000_000)).then_some(())
    });
}

#[test]
fn a_datagram_longer_than_the_buffer_tells_its_length() {
    let there = bound();
    let to = there.rtp_address();
    let (_, mut rx, _) = there.split(None);
    UdpSocket::bind((LOOPBACK, 0)).unwrap().send_to(&[1; 3_000], to).unwrap();
    let mut buffer = [0; 100];
    let received = wait(|| rx.receive(&mut buffer));
    assert_eq!(received.len, if cfg!(target_os = "linux") { 3_000 } else { 100 });
}

#[test]
fn ipv6_works_and_a_dual_stack_socket_reaches_ipv4() {
    if UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        eprintln!("skipped: no IPv6 here");
        return;
    }
    let mut buffer = [0; 2_048];
    let there = bind(&BindConfig::new(Ipv6Addr::LOCALHOST.into())).unwrap();
    let to = there.rtp_address();
    assert!(to.is_ipv6());
    let (_, mut rx, _) = there.split(None);
    let (mut tx, _, _) = bind(&BindConfig::new(Ipv6Addr::LOCALHOST.into())).unwrap().split(None);
    tx.set_remote(to);
    assert_eq!(tx.send(b"six"), SendOutcome::Sent);
    assert_eq!(wait(|| rx.receive(&mut buffer)).source, tx.local());

    let (mut dual_tx, mut dual_rx, _) =
        bind(&BindConfig::new(Ipv6Addr::UNSPECIFIED.into())).unwrap().split(None);
    let four = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    dual_tx.set_remote(four.local_addr().unwrap());
    assert_eq!(dual_tx.send(b"four"), SendOutcome::Sent);
    let (_, from) = four.recv_from(&mut buffer).unwrap();
    four.send_to(b"back", from).unwrap();
    let back: Received = wait(|| dual_rx.receive(&mut buffer));
    assert_eq!(back.source.ip().to_canonical(), LOOPBACK);
}

#[test]
fn what_is_sent_is_marked_for_expedited_forwarding() {
    let (mut tx, _, _) = bound().split(None);
    let receiver = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    tx.set_remote(receiver.local_addr().unwrap());
    // The kernel tells the mark of what arrives if it is asked to.
    #[cfg(target_os = "linux")]
    {
        use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt};
        use std::os::fd::AsRawFd;
        setsockopt(&receiver, sockopt::IpRecvTos, &true).unwrap();
        assert_eq!(tx.send(b"marked"), SendOutcome::Sent);
        let mut bytes = [0; 100];
        let mut slices = [std::io::IoSliceMut::new(&mut bytes)];
        let mut control = nix::cmsg_space!(u32);
        let message =
            recvmsg::<SockaddrIn>(receiver.as_raw_fd(), &mut slices, Some(&mut control), MsgFlags::empty())
                .unwrap();
        let tos = message.cmsgs().unwrap().find_map(|control| match control {
            ControlMessageOwned::Ipv4Tos(tos) => Some(tos),
            _ => None,
        });
        assert_eq!(tos, Some(46 << 2));
    }
}

#[test]
fn what_is_sent_over_ipv6_is_marked_too() {
    if UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        eprintln!("skipped: no IPv6 here");
        return;
    }
    let (mut tx, _, _) = bind(&BindConfig::new(Ipv6Addr::LOCALHOST.into())).unwrap().split(None);
    let receiver = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    tx.set_remote(receiver.local_addr().unwrap());
    #[cfg(target_os = "linux")]
    {
        use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, setsockopt, sockopt};
        use std::os::fd::AsRawFd;
        setsockopt(&receiver, sockopt::Ipv6RecvTClass, &true).unwrap();
        assert_eq!(tx.send(b"marked"), SendOutcome::Sent);
        let mut bytes = [0; 100];
        let mut slices = [std::io::IoSliceMut::new(&mut bytes)];
        let mut control = nix::cmsg_space!(u32);
        let message =
            recvmsg::<SockaddrIn6>(receiver.as_raw_fd(), &mut slices, Some(&mut control), MsgFlags::empty())
                .unwrap();
        let class = message.cmsgs().unwrap().find_map(|control| match control {
            ControlMessageOwned::Ipv6TClass(class) => Some(class),
            _ => None,
        });
        assert_eq!(class, Some(46 << 2));
    }
}

#[test]
fn a_socket_with_nothing_to_read_answers_at_once_and_a_full_one_keeps_what_is_not_read() {
    let there = bound();
    let to = there.rtp_address();
    let (_, mut rx, _) = there.split(None);
    let sender = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    let mut buffer = [0; 2_048];
    assert!(rx.receive(&mut buffer).is_none());
    for n in 0..50_u8 {
        sender.send_to(&[n; 20], to).unwrap();
    }
    // One datagram a call: how many are read in a block is the engine's to say.
    for n in 0..50_u8 {
        let received = wait(|| rx.receive(&mut buffer));
        assert_eq!((received.len, buffer[0]), (20, n));
    }
    assert!(rx.receive(&mut buffer).is_none());
}

#[test]
fn rtcp_listens_to_its_peers_host_alone() {
    let (_, _, mut here) = bound().split(None);
    let elsewhere = IpAddr::V4(Ipv4Addr::new(127, 77, 1, 3));
    let stranger = UdpSocket::bind((elsewhere, 0)).unwrap();
    let (_, _, peer) = bound().split(None);
    let mut buffer = [0; 2_048];
    stranger.send_to(b"too early", here.local()).unwrap();
    wait(|| {
        assert_eq!(here.receive(&mut buffer), None, "nobody is known yet");
        (here.strangers() == 1).then_some(())
    });
    here.set_peer(Some(LOOPBACK));
    stranger.send_to(b"bleed", here.local()).unwrap();
    assert_eq!(peer.send(b"report", here.local()), SendOutcome::Sent);
    let received = wait(|| here.receive(&mut buffer));
    assert_eq!((&buffer[..received.len], received.source), (&b"report"[..], peer.local()));
    assert_eq!(here.strangers(), 2);
}

/// One side of a call: a tone out, a tap on everything.
fn engine(ssrc: u32, sockets: MediaSockets, to: SocketAddr) -> (Control, Leg, TapReader) {
    let sender = SenderIdentity { ssrc, ..SenderIdentity::default() };
    let (mut control, tx, rx) = split(EngineConfig { sender, ..EngineConfig::new(8_000) });
    let (writers, reader) = tap(1_000);
    let (out, back, _rtcp) = sockets.split(Some(writers));
    control.tx(TxCommand::SetTransport(Box::new(out))).unwrap();
    control.tx(TxCommand::SetRemote(to)).unwrap();
    control.tx(TxCommand::SetFormat(Box::new(TxFormat::new(CodecKind::Pcmu, 0, 20).unwrap()))).unwrap();
    control.add_source(Box::new(ToneSource::new(8_000, Cadence::DIAL)), Gain::UNITY).ok().unwrap();
    control.tx(TxCommand::Start).unwrap();
    control.rx(RxCommand::SetTransport(Box::new(back))).unwrap();
    control.rx(RxCommand::SetPeer(Peer::Address(to.ip()))).unwrap();
    control.rx(RxCommand::SetFormat(Box::new(RxFormat::new(CodecKind::Pcmu, 0).unwrap()))).unwrap();
    control.rx(RxCommand::Start).unwrap();
    (control, Leg { tx: Some(tx), rx: Some(rx) }, reader)
}

#[test]
fn a_call_over_the_loopback_on_the_ticker_is_heard_and_tapped_to_the_octet() {
    let (here, there) = (bound(), bound());
    let (to_here, to_there) = (here.rtp_address(), there.rtp_address());
    let ticker = Ticker::start(TickerConfig { threads: 1, ..TickerConfig::default() }).unwrap();
    let mut calls = Vec::new();
    for (ssrc, sockets, to) in [(1, here, to_there), (2, there, to_here)] {
        let (control, leg, reader) = engine(ssrc, sockets, to);
        calls.push((control, ticker.add(leg.tx, leg.rx).unwrap(), reader));
    }
    wait(|| calls.iter().all(|(control, ..)| control.meters().rx().receiver.accepted >= 25).then_some(()));
    let mut passed = Vec::new();
    for (control, handle, mut reader) in calls {
        drop(handle.remove().unwrap());
        let (tx, rx) = (control.meters().tx(), control.meters().rx());
        assert_eq!((tx.would_block, tx.failed, rx.strangers, rx.receiver.malformed), (0, 0, 0, 0));
        assert!(rx.first_sound_ns.is_some() && rx.level.rms_dbfs > -30.0, "{rx:?}");
        let (mut sent, mut received) = (Vec::new(), Vec::new());
        reader.drain(&mut |record| {
            let list = if record.direction == Direction::Sent { &mut sent } else { &mut received };
            list.push((record.local, record.remote, record.bytes.to_vec()));
        });
        assert_eq!((sent.len() as u64, received.len() as u64), (tx.packets_sent, rx.datagrams));
        assert_eq!(reader.lost(), 0);
        passed.push((sent, received));
    }
    let [(a_sent, a_received), (b_sent, b_received)] = passed.try_into().unwrap();
    for (sent, received) in [(a_sent, b_received), (b_sent, a_received)] {
        assert!(received.len() >= 25 && received.len() <= sent.len());
        for ((local, remote, bytes), (back_local, back_remote, back_bytes)) in sent.iter().zip(&received) {
            assert_eq!((local, remote, bytes), (back_remote, back_local, back_bytes));
        }
    }
    assert_eq!(ticker.report().legs, 0);
}
