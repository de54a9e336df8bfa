//! The session by itself: who is a member, conflicts of SSRC, BYE, hostile datagrams.

use std::net::SocketAddr;

use offhook_rtp::{
    Compound, NtpTime, ReceiverStats, ReportBlock, RtcpEvent, RtcpPacket, RtcpSession, SdesKind, SenderInfo,
    SenderStats, SessionConfig, parse_compound,
};
use proptest::collection::vec;
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;
const OWN: u32 = 1;

fn build_compound(
    ssrc: u32,
    info: Option<SenderInfo>,
    reports: &[ReportBlock],
    cname: &str,
    bye: Option<&str>,
) -> Vec<u8> {
    Compound { info, reports, bye, ..Compound::new(ssrc, cname) }.to_bytes()
}

fn session() -> RtcpSession {
    RtcpSession::new(SessionConfig::new(OWN, "me@here", 3), 0)
}

fn sending(packets: u64) -> SenderStats {
    SenderStats { ssrc: OWN, clock_rate: 8000, packets, octets: packets * 160, ..SenderStats::default() }
}

fn events(session: &mut RtcpSession) -> Vec<RtcpEvent> {
    std::iter::from_fn(|| session.poll_event()).collect()
}

fn transmit(session: &mut RtcpSession, now_ns: u64, sender: &SenderStats) -> Option<Vec<RtcpPacket>> {
    let ntp = NtpTime::from_unix(1_000_000, 0).plus_ns(now_ns);
    let bytes = session.poll_transmit(now_ns, ntp, sender, &ReceiverStats::default())?;
    Some(parse_compound(&bytes).unwrap())
}

/// Follows the timer until the next packet.
fn next_report(session: &mut RtcpSession, sender: &SenderStats) -> (u64, Vec<RtcpPacket>) {
    loop {
        let now_ns = session.poll_timeout();
        assert_ne!(now_ns, u64::MAX);
        if let Some(packets) = transmit(session, now_ns, sender) {
            return (now_ns, packets);
        }
    }
}

#[test]
fn the_first_report_comes_after_half_the_minimum_and_the_next_after_all_of_it() {
    for seed in 0..200 {
        let mut session = RtcpSession::new(SessionConfig::new(OWN, "me@here", seed), 0);
        assert_eq!(transmit(&mut session, 0, &sending(1)), None);
        let (first_ns, packets) = next_report(&mut session, &sending(1));
        assert!((2.5 * 0.5 / 1.2183..2.5 * 1.5 / 1.218).contains(&(first_ns as f64 / 1e9)), "{first_ns}");
        assert!(matches!(packets[0], RtcpPacket::SenderReport { ssrc: OWN, .. }));
        let (second_ns, _) = next_report(&mut session, &sending(2));
        let gap = (second_ns - first_ns) as f64 / 1e9;
        assert!((5.0 * 0.5 / 1.2183..5.0 * 1.5 / 1.218).contains(&gap), "{gap}");
    }
}

#[test]
fn a_report_is_made_at_most_once_a_deadline() {
    let mut session = session();
    let (now_ns, _) = next_report(&mut session, &sending(1));
    assert_eq!(transmit(&mut session, now_ns, &sending(1)), None);
    assert!(session.poll_timeout() > now_ns);
}

#[test]
fn an_interval_without_end_is_never_over_not_even_at_the_end_of_time() {
    let endless = SessionConfig { minimum_interval_ns: u64::MAX, ..SessionConfig::new(OWN, "me@here", 3) };
    for (config, begun_ns) in [(endless, 5), (SessionConfig::new(OWN, "me@here", 3), u64::MAX - 9)] {
        let mut session = RtcpSession::new(config, begun_ns);
        for now_ns in [u64::MAX - 1, u64::MAX, u64::MAX] {
            let sent = std::iter::from_fn(|| transmit(&mut session, now_ns, &sending(9))).take(10).count();
            assert!(sent <= 1, "{sent} reports at {now_ns}");
        }
        assert_eq!(session.poll_timeout(), u64::MAX);
    }
}

#[test]
fn a_sender_report_puts_both_clocks_side_by_side() {
    let mut session = session();
    let sender = SenderStats {
        packets: (1 << 32) + 5,
        octets: (1 << 40) + 9,
        last_timestamp: u32::MAX - 7999,
        last_capture_ns: 0,
        ..sending(1)
    };
    let (now_ns, packets) = next_report(&mut session, &sender);
    let RtcpPacket::SenderReport { info, .. } = packets[0] else { panic!("{packets:?}") };
    assert_eq!((info.packet_count, info.octet_count), (5, 9));
    assert_eq!(info.ntp, NtpTime::from_unix(1_000_000, 0).plus_ns(now_ns));
    assert_eq!(info.rtp_timestamp, (u32::MAX - 7999).wrapping_add((now_ns / 125_000) as u32));
}

#[test]
fn whoever_never_sent_says_no_bye() {
    let mut session = session();
    session.bye(0, "");
    assert_eq!(transmit(&mut session, 0, &sending(0)), None);
    assert_eq!(session.poll_timeout(), u64::MAX);
}

#[test]
fn whoever_sent_only_rtp_says_bye_at_once() {
    let mut session = session();
    session.bye(7, "");
    assert_eq!(session.poll_timeout(), 7);
    let packets = transmit(&mut session, 7, &sending(1)).unwrap();
    assert_eq!(packets.len(), 3);
    assert_eq!(packets[2], RtcpPacket::Bye { ssrcs: vec![OWN], reason: None });
    assert_eq!(transmit(&mut session, 8, &sending(1)), None);
}

#[test]
fn in_a_large_group_the_bye_waits_its_turn_and_for_the_byes_of_others() {
    let mut session = session();
    for ssrc in 100..160 {
        session.handle_rtcp(0, NtpTime::default(), &build_compound(ssrc, None, &[], "x@y", None));
    }
    assert_eq!(session.members(), 61);
    next_report(&mut session, &sending(1));
    let asked_ns = 100 * SECOND;
    session.bye(asked_ns, "");
    assert_eq!(transmit(&mut session, asked_ns, &sending(1)), None);
    let alone_ns = session.poll_timeout();
    assert!(alone_ns > asked_ns + SECOND && alone_ns < asked_ns + 4 * SECOND, "{alone_ns}");
    // A thousand others leave meanwhile, as in the flood that the rule is for.
    for ssrc in 0..1000 {
        let bye = build_compound(100 + ssrc, None, &[], "x@y", Some(""));
        session.handle_rtcp(asked_ns + 1, NtpTime::default(), &bye);
    }
    assert_eq!(transmit(&mut session, alone_ns, &sending(1)), None);
    let (sent_ns, packets) = next_report(&mut session, &sending(1));
    assert!(sent_ns > asked_ns + 60 * SECOND, "{sent_ns}");
    assert!(matches!(packets[2], RtcpPacket::Bye { .. }));
    assert_eq!(session.poll_timeout(), u64::MAX);
}

#[test]
fn a_large_group_reports_less_often() {
    let mut session = session();
    for ssrc in 100..160 {
        session.handle_rtcp(
            0,
            NtpTime::default(),
            &build_compound(ssrc, None, &[], "a-long-name@some.where", None),
        );
    }
    next_report(&mut session, &SenderStats::default());
    let mut gaps = Vec::new();
    let mut last_ns = 0;
    for _ in 0..100 {
        // The others stay by being heard.
        for ssrc in 100..160 {
            let heard = build_compound(ssrc, None, &[], "a-long-name@some.where", None);
            session.handle_rtcp(session.poll_timeout(), NtpTime::default(), &heard);
        }
        let (now_ns, _) = next_report(&mut session, &SenderStats::default());
        gaps.push(now_ns - last_ns);
        last_ns = now_ns;
    }
    let mean = gaps[1..].iter().sum::<u64>() as f64 / 99.0 / 1e9;
    // 61 members of 68 octets (and 28 below) share three quarters of 500 octets a second.
    let expected = 61.0 * (8.0 + 36.0 + 28.0) / 375.0;
    assert!((mean / expected - 1.0).abs() < 0.25, "{mean} s for {expected} s");
}

#[test]
fn another_with_our_ssrc_is_a_collision_once_and_we_leave_it_with_a_bye() {
    let mut session = session();
    next_report(&mut session, &sending(1));
    let theirs = build_compound(OWN, None, &[], "other@there", None);
    session.handle_rtcp(3 * SECOND, NtpTime::default(), &theirs);
    assert_eq!(events(&mut session), [RtcpEvent::SsrcCollision { ssrc: OWN }]);
    session.change_ssrc(3 * SECOND, 2);
    assert_eq!(session.poll_timeout(), 3 * SECOND);
    let packets = transmit(&mut session, 3 * SECOND, &sending(1)).unwrap();
    assert!(matches!(&packets[2], RtcpPacket::Bye { ssrcs, .. } if *ssrcs == [OWN]));
    assert_eq!(session.ssrc(), 2);
    // The old name is now an ordinary member; counts are of the new source only.
    session.handle_rtcp(4 * SECOND, NtpTime::default(), &theirs);
    assert_eq!(events(&mut session), [RtcpEvent::Cname { ssrc: OWN, cname: "other@there".to_owned() }]);
    let (_, packets) = next_report(&mut session, &SenderStats { ssrc: 2, ..sending(1) });
    assert!(matches!(packets[0], RtcpPacket::SenderReport { ssrc: 2, .. }));
}

#[test]
fn our_own_packets_coming_back_are_a_loop_told_once() {
    let mut session = session();
    let ours = build_compound(OWN, None, &[], "me@here", None);
    for second in 1..10 {
        session.handle_rtcp(second * SECOND, NtpTime::default(), &ours);
    }
    assert_eq!(events(&mut session), [RtcpEvent::Loop { ssrc: OWN }]);
    assert_eq!((session.stats().own_source, session.members()), (9, 1));
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

/// A receiver report alone, without a name.
fn nameless(ssrc: u32) -> Vec<u8> {
    let mut bytes = vec![0x80, 201, 0, 1];
    bytes.extend(ssrc.to_be_bytes());
    bytes
}

#[test]
fn a_conflict_that_goes_on_after_the_change_is_a_loop_of_that_address() {
    let mut session = session();
    let hear = |session: &mut RtcpSession, second: u64, port, ssrc| {
        session.handle_rtcp_from(at(port), second * SECOND, NtpTime::default(), &nameless(ssrc));
        events(session)
    };
    assert_eq!(hear(&mut session, 0, 5, OWN), [RtcpEvent::SsrcCollision { ssrc: OWN }]);
    session.change_ssrc(0, 2);
    assert_eq!(hear(&mut session, 1, 5, 2), [RtcpEvent::Loop { ssrc: 2 }]);
    assert_eq!(hear(&mut session, 2, 5, 2), [], "it is told once");
    // Another address that happens to have the same is a collision, not a loop.
    assert_eq!(hear(&mut session, 3, 7, 2), [RtcpEvent::SsrcCollision { ssrc: 2 }]);
    session.change_ssrc(3 * SECOND, 3);
    assert_eq!(hear(&mut session, 4, 7, 3), [RtcpEvent::Loop { ssrc: 3 }]);
    // After ten intervals both are forgotten.
    assert_eq!(hear(&mut session, 60, 5, 3), [RtcpEvent::SsrcCollision { ssrc: 3 }]);
}

#[test]
fn whoever_changes_names_under_our_ssrc_moves_us_four_times_and_no_more() {
    let mut session = session();
    let mut changes = 0;
    for second in 0..30 {
        let theirs = build_compound(session.ssrc(), None, &[], &format!("name {second}"), None);
        session.handle_rtcp_from(at(5), second * SECOND, NtpTime::default(), &theirs);
        for event in events(&mut session) {
            if matches!(event, RtcpEvent::SsrcCollision { .. }) {
                changes += 1;
                session.change_ssrc(second * SECOND, 100 + changes);
            }
        }
    }
    assert_eq!(changes, 4);
}

#[test]
fn what_the_receiver_refused_under_the_ssrc_before_is_no_conflict_of_the_new_one() {
    let mut session = session();
    let mut receiver = ReceiverStats { own_source: 1, own_source_ssrc: OWN, ..ReceiverStats::default() };
    receiver.own_source_from = Some(at(6));
    session.poll_transmit(0, NtpTime::default(), &sending(0), &receiver);
    assert_eq!(events(&mut session), [RtcpEvent::SsrcCollision { ssrc: OWN }]);
    session.change_ssrc(0, 2);
    // The real-time side has not heard of the change yet.
    receiver.own_source = 9;
    session.poll_transmit(1, NtpTime::default(), &sending(0), &receiver);
    assert_eq!(events(&mut session), []);
    // Then the new one comes back from there as well.
    (receiver.own_source, receiver.own_source_ssrc) = (10, 2);
    session.poll_transmit(2, NtpTime::default(), &sending(0), &receiver);
    assert_eq!(events(&mut session), [RtcpEvent::Loop { ssrc: 2 }]);
}

#[test]
fn an_ssrc_that_anybody_has_is_taken() {
    let mut session = session();
    session.handle_rtcp(0, NtpTime::default(), &nameless(9));
    assert_eq!([OWN, 9, 10].map(|ssrc| session.is_taken(ssrc)), [true, true, false]);
}

#[test]
fn another_address_cannot_speak_for_a_member_until_that_has_been_silent() {
    let mut session = session();
    let info = Some(SenderInfo::default());
    let theirs = build_compound(9, info, &[], "peer", None);
    session.handle_rtcp_from(at(5), 0, NtpTime::default(), &theirs);
    events(&mut session);
    let forged = build_compound(9, info, &[], "peer", Some("go away"));
    for second in [1, 2] {
        session.handle_rtcp_from(at(6), second * SECOND, NtpTime::default(), &forged);
    }
    assert_eq!(events(&mut session), [RtcpEvent::RemoteCollision { ssrc: 9 }], "told once, not gone");
    assert_eq!((session.members(), session.stats().third_party), (2, 6));
    session.handle_rtcp_from(at(5), 3 * SECOND, NtpTime::default(), &theirs);
    assert_eq!(events(&mut session).len(), 1, "a sender report");
    // A translator that forgot its binding: three intervals of 5 s.
    session.handle_rtcp_from(at(6), 17 * SECOND, NtpTime::default(), &theirs);
    assert_eq!(events(&mut session), []);
    session.handle_rtcp_from(at(6), 18 * SECOND, NtpTime::default(), &theirs);
    assert_eq!(events(&mut session).len(), 1);
}

#[test]
fn a_description_comes_piece_by_piece_the_name_most_often() {
    let description = vec![
        (SdesKind::Tool, "offhook".to_owned()),
        (SdesKind::Name, "Alice".to_owned()),
        (SdesKind::Cname, "never twice".to_owned()),
        (SdesKind::Loc, "desk 7".to_owned()),
    ];
    let mut session =
        RtcpSession::new(SessionConfig { description, ..SessionConfig::new(OWN, "me@here", 3) }, 0);
    let mut told = Vec::new();
    for _ in 0..96 {
        let (_, packets) = next_report(&mut session, &sending(1));
        let RtcpPacket::SourceDescription(chunks) = &packets[1] else { panic!("{packets:?}") };
        assert_eq!(chunks[0].cname(), Some(&b"me@here"[..]));
        let item = chunks[0].items.get(1).map(|(_, text)| String::from_utf8(text.clone()).unwrap());
        told.push(item);
    }
    // §6.3.9: an item in every third report, seven of eight times NAME, else the others in turn.
    assert!(told.iter().enumerate().all(|(n, item)| item.is_some() == (n % 3 == 0)), "{told:?}");
    let items: Vec<_> = told.into_iter().flatten().collect();
    let turn = |other| [&["Alice"; 7][..], &[other]].concat();
    assert_eq!(items, [turn("offhook"), turn("desk 7"), turn("offhook"), turn("desk 7")].concat());
}

#[test]
fn what_a_member_tells_of_itself_is_told_when_it_is_new() {
    let mut session = session();
    let mut hear = |item| {
        let theirs = Compound { item, ..Compound::new(9, "peer") }.to_bytes();
        session.handle_rtcp(0, NtpTime::default(), &theirs);
        events(&mut session)
    };
    assert_eq!(hear(None), [RtcpEvent::Cname { ssrc: 9, cname: "peer".to_owned() }]);
    let name = |text: &str| RtcpEvent::Description { ssrc: 9, kind: SdesKind::Name, text: text.to_owned() };
    assert_eq!(hear(Some((SdesKind::Name, "Bob"))), [name("Bob")]);
    assert_eq!(hear(Some((SdesKind::Name, "Bob"))), []);
    assert_eq!(hear(Some((SdesKind::Name, "Robert"))), [name("Robert")]);
    assert_eq!(hear(Some((SdesKind::Other(99), "x"))), []);
    assert_eq!(hear(Some((SdesKind::Note, "on the phone"))).len(), 1);
}

#[test]
fn members_age_by_the_interval_of_a_listener() {
    // §6.3.5: Td with we_sent false. As one of few senders we report every 5 s; as a listener it would be every 12.7.
    let mut session = session();
    let hear = |session: &mut RtcpSession, now_ns| {
        for ssrc in 100..150 {
            let theirs = build_compound(ssrc, None, &[], "a-long-name@some.where", None);
            session.handle_rtcp(now_ns, NtpTime::default(), &theirs);
        }
    };
    hear(&mut session, 0);
    hear(&mut session, 0);
    let mut packets = 0;
    while session.poll_timeout() < 45 * SECOND {
        packets += 1;
        let (_, _) = next_report(&mut session, &sending(packets));
    }
    assert_eq!(
        session.members(),
        51,
        "45 s are nine of our own intervals and less than five of a listener's"
    );
}

#[test]
fn our_ssrc_in_received_rtp_is_a_conflict_too() {
    let mut session = session();
    let receiver = ReceiverStats { own_source: 1, own_source_ssrc: OWN, ..ReceiverStats::default() };
    session.poll_transmit(0, NtpTime::default(), &sending(0), &receiver);
    session.poll_transmit(1, NtpTime::default(), &sending(0), &receiver);
    assert_eq!(events(&mut session), [RtcpEvent::SsrcCollision { ssrc: OWN }]);
}

#[test]
fn two_names_on_one_ssrc_are_told_once() {
    let mut session = session();
    for name in ["a", "b", "a", "b"] {
        session.handle_rtcp(0, NtpTime::default(), &build_compound(9, None, &[], name, None));
    }
    let cname = RtcpEvent::Cname { ssrc: 9, cname: "a".to_owned() };
    assert_eq!(events(&mut session), [cname, RtcpEvent::RemoteCollision { ssrc: 9 }]);
}

#[test]
fn a_bye_of_nobody_known_is_ignored_and_stragglers_do_not_revive() {
    let mut session = session();
    let mut bye = vec![0x80, 201, 0, 1, 0, 0, 0, 9];
    bye.extend([0x81, 203, 0, 1, 0, 0, 0, 77]);
    session.handle_rtcp(0, NtpTime::default(), &bye);
    assert_eq!(events(&mut session), []);
    session.handle_rtcp(0, NtpTime::default(), &build_compound(9, None, &[], "x", Some("")));
    assert_eq!(session.members(), 1);
    session.handle_rtcp(SECOND, NtpTime::default(), &build_compound(9, None, &[], "x", None));
    assert_eq!(session.members(), 1);
    // Later it may come again.
    session.handle_rtcp(9 * SECOND, NtpTime::default(), &build_compound(9, None, &[], "x", None));
    assert_eq!(session.members(), 2);
}

#[test]
fn reports_on_others_and_impossible_round_trips_are_not_taken() {
    let mut session = session();
    let (sent_ns, packets) = next_report(&mut session, &sending(1));
    let RtcpPacket::SenderReport { info, .. } = packets[0] else { panic!("{packets:?}") };
    let block = |ssrc, last_sr, delay_since_last_sr| ReportBlock {
        ssrc,
        last_sr,
        delay_since_last_sr,
        ..ReportBlock::default()
    };
    let last_sr = info.ntp.middle_32();
    let blocks = [
        block(55, last_sr, 0),           // about somebody else
        block(OWN, 0, 0),                // before any sender report
        block(OWN, last_sr ^ 0x5555, 0), // a report that we never sent
        block(OWN, last_sr, 2 << 16),    // held for longer than has passed
        block(OWN, last_sr, 1 << 15),    // good: 1 s passed, half of it there
    ];
    session.handle_rtcp(sent_ns + SECOND, NtpTime::default(), &build_compound(9, None, &blocks, "x", None));
    let seen = events(&mut session);
    assert_eq!(seen.iter().filter(|event| matches!(event, RtcpEvent::ReceptionReport { .. })).count(), 4);
    let trips = seen.iter().filter(|event| matches!(event, RtcpEvent::RoundTrip { .. })).collect::<Vec<_>>();
    assert_eq!(trips, [&RtcpEvent::RoundTrip { ssrc: 9, round_trip_ns: SECOND / 2 }]);
    assert_eq!(session.stats().impossible_round_trips, 2);
}

#[test]
fn a_report_block_refers_to_the_last_sender_report_and_only_when_there_is_news() {
    let mut session = session();
    let info = SenderInfo { ntp: NtpTime::from_bits(0x1234_5678_9ABC_DEF0), ..SenderInfo::default() };
    session.handle_rtcp(SECOND / 2, NtpTime::default(), &build_compound(9, Some(info), &[], "x", None));
    let receiver = ReceiverStats {
        ssrc: Some(9),
        epoch: 1,
        base_sequence: (1 << 32) + 10,
        highest_sequence: (1 << 32) + 109,
        received: 75,
        jitter: 12,
        ..ReceiverStats::default()
    };
    let due = |session: &mut RtcpSession| {
        loop {
            let now_ns = session.poll_timeout();
            let sent = session.poll_transmit(now_ns, NtpTime::default(), &SenderStats::default(), &receiver);
            if let Some(bytes) = sent {
                let packets = parse_compound(&bytes).unwrap();
                let RtcpPacket::ReceiverReport { reports, .. } = &packets[0] else { panic!("{packets:?}") };
                return (now_ns, reports.clone());
            }
        }
    };
    let (now_ns, reports) = due(&mut session);
    let held = ((now_ns - SECOND / 2) as f64 * 65_536.0 / 1e9).round() as u32;
    let expected = ReportBlock {
        ssrc: 9,
        fraction_lost: 64,
        cumulative_lost: 25,
        extended_highest_sequence: 109,
        jitter: 12,
        last_sr: 0x5678_9ABC,
        delay_since_last_sr: held,
    };
    assert_eq!(reports, [expected]);
    assert_eq!(due(&mut session).1, []);
}

#[test]
fn a_flood_of_identifiers_is_bounded_and_keeps_the_one_heard_in_rtp() {
    let mut session = session();
    let receiver = ReceiverStats { ssrc: Some(9), epoch: 1, received: 5, ..ReceiverStats::default() };
    session.poll_transmit(0, NtpTime::default(), &sending(1), &receiver);
    for ssrc in 1000..5000 {
        session.handle_rtcp(u64::from(ssrc), NtpTime::default(), &build_compound(ssrc, None, &[], "x", None));
    }
    assert!(session.members() <= 65);
    assert!(session.stats().events_lost > 3000);
    events(&mut session);
    session.handle_rtcp(6000, NtpTime::default(), &build_compound(9, None, &[], "still here", Some("")));
    assert!(events(&mut session).contains(&RtcpEvent::Bye { ssrc: 9, reason: None }));
}

#[test]
fn runts_and_malformed_datagrams_are_counted_apart() {
    let mut session = session();
    for bytes in [&[][..], &[0], &[0x80, 201], &[0x80, 0, 0, 0], &[0x80, 201, 0, 1, 0, 0, 0]] {
        session.handle_rtcp(0, NtpTime::default(), bytes);
    }
    session.handle_rtcp(
        0,
        NtpTime::default(),
        &[0x80, 201, 0, 1, 0, 0, 0, 9, 0x80, 205, 0, 0, 0x81, 203, 0, 0],
    );
    let stats = session.stats();
    assert_eq!((stats.runts, stats.malformed, stats.received), (2, 3, 1));
    assert_eq!((stats.unread_packets, stats.malformed_packets), (1, 1));
}

proptest! {
    #[test]
    fn no_datagrams_at_any_times_panic(
        steps in vec((any::<u64>(), any::<u64>(), 0_u8..6, 0_u32..6, vec(any::<u8>(), 0..120)), 0..60),
        ordered: bool,
    ) {
        let mut session = session();
        let mut clock = 0_u64;
        for (now_ns, ntp, kind, ssrc, mut bytes) in steps {
            clock = if ordered { clock.saturating_add(now_ns % (30 * SECOND)) } else { now_ns };
            let ntp = NtpTime::from_bits(ntp);
            match kind {
                0 => session.bye(clock, "x"),
                1 => session.change_ssrc(clock, ssrc),
                2 => {
                    let block = ReportBlock { ssrc, last_sr: ntp.middle_32(), ..ReportBlock::default() };
                    let info = Some(SenderInfo { ntp, ..SenderInfo::default() });
                    let compound = build_compound(ssrc, info, &[block], "x", (now_ns % 3 == 0).then_some("y"));
                    session.handle_rtcp(clock, ntp, &compound);
                }
                _ => {
                    if let Some(first) = bytes.first_chunk_mut::<2>() {
                        *first = [0x80 | first[0] & 0x1F, 200 | first[1] & 1];
                    }
                    session.handle_rtcp(clock, ntp, &bytes);
                }
            }
            let receiver = ReceiverStats {
                ssrc: Some(ssrc), received: now_ns >> 20, highest_sequence: now_ns, base_sequence: now_ns / 2,
                last_packet_ns: now_ns, ..ReceiverStats::default()
            };
            let sender = SenderStats { ssrc: session.ssrc(), packets: now_ns, octets: now_ns, ..sending(0) };
            if let Some(sent) = session.poll_transmit(clock, ntp, &sender, &receiver) {
                prop_assert!(parse_compound(&sent).is_ok());
            }
            let _ = session.poll_timeout();
            while session.poll_event().is_some() {}
        }
    }
}
