//! RTCP of a call of a few seconds, and the tap that hears everything.

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

use offhook_msp::{MspConfig, PacketDirection, PacketTap, SdesKind};
use offhook_pair::{Codec, ToMsp};
use offhook_rtp::{RtcpPacket, RtpView, parse_compound};
use support::*;

#[derive(Default)]
struct Tape(Mutex<Vec<Datagram>>);

#[derive(Clone, Debug)]
struct Datagram {
    at_ns: u64,
    source: SocketAddr,
    destination: SocketAddr,
    bytes: Vec<u8>,
}

impl PacketTap for Tape {
    fn datagram(
        &self,
        at_ns: u64,
        _: PacketDirection,
        source: SocketAddr,
        destination: SocketAddr,
        payload: &[u8],
    ) {
        self.0.lock().unwrap().push(Datagram { at_ns, source, destination, bytes: payload.to_vec() });
    }
}

#[test]
fn a_call_of_a_few_seconds_has_reports_both_ways_and_the_tap_hears_every_packet_in_order() {
    let (tape, config) = (Arc::new(Tape::default()), MspConfig::default());
    let mut a = End::with(MspConfig { tap: Some(tape.clone()), ..config });
    let mut b = End::new();
    a.tone(440.0);
    b.tone(550.0);
    for end in [&a, &b] {
        let null = end.null(offhook_spi::mspi::Direction::Render);
        end.msp.select_terminal(end.render, null).unwrap();
    }
    let (at_a, at_b) = join(&mut a, &mut b, Codec::Pcmu);
    until("reports both ways", || a.sent().round_trip_ms.is_some() && b.sent().round_trip_ms.is_some());
    for end in [&a, &b] {
        let sent = end.sent();
        assert!(sent.round_trip_ms.is_some_and(|ms| (0.0..100.0).contains(&ms)), "{sent:?}");
        assert_eq!(sent.remote_loss, Some(0.0));
        assert!(sent.rtcp_sent >= 1 && sent.rtcp_received >= 1);
        assert_eq!(end.received().rtcp_received, sent.rtcp_received);
    }
    a.tell(&ToMsp::StopAll).unwrap();
    until("the last words", || {
        tape.0.lock().unwrap().last().is_some_and(|last| {
            last.source == at_a.rtcp && parse_compound(&last.bytes).is_ok_and(|p| p.iter().any(is_bye))
        })
    });
    until("they are heard", || b.sent().rtcp_received >= 2);
    let (sent, received) = (a.sent(), a.received());

    let tape = tape.0.lock().unwrap().clone();
    assert!(tape.windows(2).all(|pair| pair[0].at_ns <= pair[1].at_ns), "in the order of time");
    let count = |source, destination| {
        tape.iter().filter(|d| d.source == source && d.destination == destination).count() as u64
    };
    assert_eq!(count(at_a.rtp, at_b.rtp), sent.packets);
    assert!(count(at_b.rtp, at_a.rtp) >= received.packets);
    assert_eq!(count(at_a.rtcp, at_b.rtcp), sent.rtcp_sent);
    assert_eq!(count(at_b.rtcp, at_a.rtcp), sent.rtcp_received);
    let ways = [(at_a.rtp, at_b.rtp), (at_b.rtp, at_a.rtp), (at_a.rtcp, at_b.rtcp), (at_b.rtcp, at_a.rtcp)];
    let all: u64 = ways.iter().map(|(from, to)| count(*from, *to)).sum();
    assert_eq!(tape.len() as u64, all, "nothing else");

    // Every RTP packet of ours, numbered without a gap.
    let numbers: Vec<u16> = tape
        .iter()
        .filter(|d| d.source == at_a.rtp)
        .map(|d| RtpView::parse(&d.bytes).unwrap().sequence_number())
        .collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)));

    // Our reports: sane, under one CNAME that does not tell the host's name.
    let ours: Vec<_> =
        tape.iter().filter(|d| d.source == at_a.rtcp).map(|d| parse_compound(&d.bytes).unwrap()).collect();
    let mut names = Vec::new();
    for compound in &ours {
        for packet in compound {
            match packet {
                RtcpPacket::SenderReport { info, reports, .. } => {
                    assert!(info.packet_count > 0 && u64::from(info.packet_count) <= sent.packets);
                    assert_eq!(info.octet_count, info.packet_count * 160);
                    assert!(reports.iter().all(|r| r.fraction_lost == 0 && r.cumulative_lost == 0));
                }
                RtcpPacket::SourceDescription(chunks) => {
                    names.extend(chunks.iter().filter_map(|c| c.cname().map(<[u8]>::to_vec)));
                }
                _ => {}
            }
        }
    }
    assert!(ours.len() >= 2 && names.windows(2).all(|pair| pair[0] == pair[1]) && names[0].len() == 16);
    assert!(matches!(ours[0][0], RtcpPacket::SenderReport { .. }));
    // BYE is the last of our words.
    let from_us = |d: &&Datagram| d.source == at_a.rtp || d.source == at_a.rtcp;
    let says_bye = |d: &Datagram| parse_compound(&d.bytes).is_ok_and(|p| p.iter().any(is_bye));
    let spoken: Vec<_> = tape.iter().filter(from_us).collect();
    assert_eq!(spoken.iter().position(|d| d.source == at_a.rtcp && says_bye(d)), Some(spoken.len() - 1));
}

fn is_bye(packet: &RtcpPacket) -> bool {
    matches!(packet, RtcpPacket::Bye { .. })
}

#[test]
fn extended_reports_tell_each_end_how_the_other_hears_it() {
    let config = || MspConfig {
        extended_reports: true,
        description: vec![(SdesKind::Tool, "offhook".to_owned())],
        ..MspConfig::default()
    };
    let tape = Arc::new(Tape::default());
    let mut a = End::with(MspConfig { tap: Some(tape.clone()), ..config() });
    let mut b = End::with(config());
    a.tone(440.0);
    b.tone(550.0);
    for end in [&a, &b] {
        let null = end.null(offhook_spi::mspi::Direction::Render);
        end.msp.select_terminal(end.render, null).unwrap();
    }
    let (at_a, _) = join(&mut a, &mut b, Codec::Pcma);
    until("metrics both ways", || a.sent().remote_metrics.is_some() && b.sent().remote_metrics.is_some());
    for end in [&a, &b] {
        let told = end.sent().remote_metrics.unwrap();
        assert_eq!((told.loss, told.burst_density, told.burst_ms), (0.0, 0.0, 0), "{told:?}");
        assert!(told.gap_ms > 0 && told.jitter_buffer_max_ms == 500, "{told:?}");
        // A tone at -10 dBFS rms or thereabouts, hardly any delay: a good call.
        assert!(told.signal_level_dbm0.is_some_and(|level| (-20..0).contains(&level)), "{told:?}");
        assert!(
            told.r_factor.is_some_and(|r| r >= 80) && told.mos_lq.is_some_and(|mos| mos > 4.0),
            "{told:?}"
        );
    }
    // The items take turns (RFC 3550 §6.3.9): not every report has the tool.
    until("the tool is told", || {
        let tape = tape.0.lock().unwrap().clone();
        tape.iter().filter(|d| d.source == at_a.rtcp).any(|d| {
            parse_compound(&d.bytes).unwrap().iter().any(|packet| {
                matches!(packet, RtcpPacket::SourceDescription(chunks)
                    if chunks[0].items.contains(&(SdesKind::Tool, b"offhook".to_vec())))
            })
        })
    });
}

#[test]
fn whoever_uses_our_ssrc_makes_us_leave_it_with_a_bye_and_go_on_under_another() {
    let tape = Arc::new(Tape::default());
    let mut a = End::with(MspConfig { tap: Some(tape.clone()), ..MspConfig::default() });
    a.tone(440.0);
    let null = a.null(offhook_spi::mspi::Direction::Render);
    a.msp.select_terminal(a.render, null).unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at_peer = peer.local_addr().unwrap();
    let control = SocketAddr::new(at_peer.ip(), at_peer.port() ^ 1);
    let at_a = a.prepare();
    a.tell(&ToMsp::Start(vec![receive(Codec::Pcmu), transmit_to(Codec::Pcmu, at_peer, Some(control))]))
        .unwrap();
    let heard = || {
        let mut packet = [0; 2_048];
        let len = peer.recv(&mut packet).unwrap();
        RtpView::parse(&packet[..len]).unwrap().ssrc()
    };
    let first = heard();
    // Two packets of another speaker with the very same SSRC.
    for sequence in 0..2_u8 {
        let mut packet = vec![0x80, 0, 0, sequence, 0, 0, 0, 0];
        packet.extend(first.to_be_bytes());
        packet.extend([0xFF; 160]);
        peer.send_to(&packet, at_a.rtp).unwrap();
    }
    until("another SSRC", || heard() != first);
    let second = heard();
    until("the BYE of the first", || {
        tape.0.lock().unwrap().iter().any(|d| {
            let packets = || parse_compound(&d.bytes).unwrap();
            let is_first = |p: &RtcpPacket| matches!(p, RtcpPacket::Bye { ssrcs, .. } if *ssrcs == [first]);
            d.source == at_a.rtcp && packets().iter().any(is_first)
        })
    });
    // What was our own is heard like any other from now on; the new one that comes back is ignored, not left.
    for sequence in 0..20_u8 {
        let mut packet = vec![0x80, 0, 0, sequence, 0, 0, 0, 0];
        packet.extend(second.to_be_bytes());
        packet.extend([0xFF; 160]);
        peer.send_to(&packet, at_a.rtp).unwrap();
    }
    until("twenty are refused", || a.received().dropped >= 22);
    pause(100);
    assert_eq!((heard(), a.received().packets), (second, 0), "a loop is no reason to move again");
}
