//! RTCP of a call of a few seconds, and the tap that hears everything.

mod support;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use offhook_msp::{MspConfig, PacketTap};
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
    fn datagram(&self, at_ns: u64, source: SocketAddr, destination: SocketAddr, payload: &[u8]) {
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
                    names.extend(chunks.iter().filter_map(|c| c.cname.clone()));
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
