//! Extended reports (RFC 3611): octets against `rtc-rtcp` and tshark, what the session makes of them, hostile blocks.

use std::io::Write;
use std::process::Command;

use bytes::Bytes;
use offhook_rtp::{
    CodecImpairment, Compound, Concealment, DlrrReport, JitterBuffer, LossRuns, NtpTime, ReceiverStats,
    RtcpEvent, RtcpPacket, RtcpSession, SenderStats, SessionConfig, VoiceConditions, VoipMetrics, XrBlock,
    parse_compound,
};
use proptest::collection::vec;
use proptest::prelude::*;
use rtc_rtcp::extended_report::{
    DLRRReport, DLRRReportBlock, ExtendedReport, ReceiverReferenceTimeReportBlock, VoIPMetricsReportBlock,
};
use rtc_rtcp::packet::{Packet, marshal, unmarshal};

const SECOND: u64 = 1_000_000_000;

fn voice() -> VoiceConditions {
    VoiceConditions {
        end_system_delay_ms: 60,
        signal_level_dbm0: Some(-17),
        noise_level_dbm0: Some(-62),
        residual_echo_return_loss_db: None,
        concealment: Concealment::Standard,
        jitter_buffer: JitterBuffer::Adaptive,
        jitter_buffer_rate: 4,
        jitter_buffer_nominal_ms: 40,
        jitter_buffer_maximum_ms: 90,
        jitter_buffer_absolute_maximum_ms: 500,
        codec: Some(CodecImpairment::G711_CONCEALED),
    }
}

/// A source of which 1000 packets of 20 ms were expected.
fn receiver() -> ReceiverStats {
    ReceiverStats {
        ssrc: Some(9),
        epoch: 1,
        base_sequence: 1 << 32,
        highest_sequence: (1 << 32) + 1031,
        received: 1000,
        clock_rate: 8000,
        packet_ticks: 160,
        runs: LossRuns {
            packets: 1000,
            lost: 30,
            discarded: 20,
            bursts: 2,
            burst_packets: 100,
            burst_bad: 45,
            gaps: 3,
            gap_packets: 900,
            gap_bad: 5,
        },
        ..ReceiverStats::default()
    }
}

fn metrics() -> impl Strategy<Value = VoipMetrics> {
    let level = || proptest::option::of(any::<i8>().prop_filter("unavailable", |level| *level != 127));
    let known = || proptest::option::of(any::<u8>().prop_filter("unavailable", |value| *value != 127));
    let quality = [known(), known(), known(), known(), known()];
    (any::<(u32, [u8; 6], [u16; 7])>(), (level(), level()), quality, 0_u8..64).prop_map(
        |((ssrc, octets, shorts), levels, quality, config)| VoipMetrics {
            ssrc,
            loss_rate: octets[0],
            discard_rate: octets[1],
            burst_density: octets[2],
            gap_density: octets[3],
            burst_duration_ms: shorts[0],
            gap_duration_ms: shorts[1],
            round_trip_ms: shorts[2],
            end_system_delay_ms: shorts[3],
            signal_level_dbm0: levels.0,
            noise_level_dbm0: levels.1,
            residual_echo_return_loss_db: quality[0],
            gmin: octets[4],
            r_factor: quality[1],
            external_r_factor: quality[2],
            mos_lq: quality[3],
            mos_cq: quality[4],
            concealment: [
                Concealment::Unspecified,
                Concealment::Disabled,
                Concealment::Enhanced,
                Concealment::Standard,
            ][usize::from(config & 3)],
            jitter_buffer: [
                JitterBuffer::Unknown,
                JitterBuffer::Reserved,
                JitterBuffer::Fixed,
                JitterBuffer::Adaptive,
            ][usize::from(config >> 2 & 3)],
            jitter_buffer_rate: octets[5] & 15,
            jitter_buffer_nominal_ms: shorts[4],
            jitter_buffer_maximum_ms: shorts[5],
            jitter_buffer_absolute_maximum_ms: shorts[6],
        },
    )
}

fn theirs(ours: &VoipMetrics) -> VoIPMetricsReportBlock {
    let level = |level: Option<i8>| level.map_or(127, |level| level as u8);
    VoIPMetricsReportBlock {
        ssrc: ours.ssrc,
        loss_rate: ours.loss_rate,
        discard_rate: ours.discard_rate,
        burst_density: ours.burst_density,
        gap_density: ours.gap_density,
        burst_duration: ours.burst_duration_ms,
        gap_duration: ours.gap_duration_ms,
        round_trip_delay: ours.round_trip_ms,
        end_system_delay: ours.end_system_delay_ms,
        signal_level: level(ours.signal_level_dbm0),
        noise_level: level(ours.noise_level_dbm0),
        rerl: ours.residual_echo_return_loss_db.unwrap_or(127),
        gmin: ours.gmin,
        rfactor: ours.r_factor.unwrap_or(127),
        ext_rfactor: ours.external_r_factor.unwrap_or(127),
        mos_lq: ours.mos_lq.unwrap_or(127),
        mos_cq: ours.mos_cq.unwrap_or(127),
        rx_config: (ours.concealment as u8) << 6 | (ours.jitter_buffer as u8) << 4 | ours.jitter_buffer_rate,
        reserved: 0,
        jb_nominal: ours.jitter_buffer_nominal_ms,
        jb_maximum: ours.jitter_buffer_maximum_ms,
        jb_abs_max: ours.jitter_buffer_absolute_maximum_ms,
    }
}

fn extended(packets: &[RtcpPacket]) -> Vec<XrBlock> {
    let blocks = packets.iter().find_map(|packet| match packet {
        RtcpPacket::ExtendedReport { blocks, .. } => Some(blocks.clone()),
        _ => None,
    });
    blocks.unwrap_or_default()
}

proptest! {
    #[test]
    fn what_we_build_the_oracle_reads_and_we_read_again(
        ssrc: u32, ntp: u64, metrics in metrics(), reports in vec(any::<(u32, u32, u32)>(), 0..20),
    ) {
        let ours = reports.iter().map(|(ssrc, last_rr, delay_since_last_rr)| DlrrReport {
            ssrc: *ssrc, last_rr: *last_rr, delay_since_last_rr: *delay_since_last_rr,
        }).collect();
        let blocks = vec![
            XrBlock::ReceiverReferenceTime(NtpTime::from_bits(ntp)),
            XrBlock::Dlrr(ours),
            XrBlock::VoipMetrics(metrics),
        ];
        let bytes = Compound { blocks: &blocks, bye: Some("x"), ..Compound::new(ssrc, "me") }.to_bytes();
        let read = unmarshal(&mut Bytes::copy_from_slice(&bytes)).unwrap();
        let reports = reports.into_iter().map(|(ssrc, last_rr, dlrr)| DLRRReport { ssrc, last_rr, dlrr }).collect();
        let expected = ExtendedReport {
            sender_ssrc: ssrc,
            reports: vec![
                Box::new(ReceiverReferenceTimeReportBlock { ntp_timestamp: ntp }),
                Box::new(DLRRReportBlock { reports }),
                Box::new(theirs(&metrics)),
            ],
        };
        prop_assert!(read[2].equal(&expected), "{:?}", read);
        let ours = parse_compound(&bytes).unwrap();
        prop_assert_eq!(&ours[2], &RtcpPacket::ExtendedReport { ssrc, blocks: blocks.clone() });
        prop_assert!(matches!(ours[3], RtcpPacket::Bye { .. }), "BYE is last");

        let mut alone = vec![0x80, 201, 0, 1, 0, 0, 0, 1];
        alone.extend(marshal(&[Box::new(expected) as Box<dyn Packet>]).unwrap());
        prop_assert_eq!(extended(&parse_compound(&alone).unwrap()), blocks);
    }

    #[test]
    fn blocks_of_any_type_and_length_do_not_panic_and_come_back(
        blocks in vec((any::<u8>(), any::<u8>(), 0_usize..12), 0..12), cut in 0_usize..700,
    ) {
        let blocks: Vec<_> = blocks.into_iter().map(|(block_type, type_specific, words)| {
            XrBlock::Other { block_type, type_specific, data: vec![block_type; words * 4] }
        }).collect();
        let bytes = Compound { blocks: &blocks, ..Compound::new(1, "me") }.to_bytes();
        let read = extended(&parse_compound(&bytes).unwrap());
        let again = Compound { blocks: &read, ..Compound::new(1, "me") }.to_bytes();
        prop_assert_eq!(read.len(), blocks.len());
        prop_assert_eq!(bytes.len(), again.len());
        // The packet shortened, its length put right: a block reaches past the end, or all is well.
        // After an RR of 8 octets and an SDES of 16.
        let start = 8 + 16;
        let keep = start + 8 + (cut % (bytes.len() + 1).saturating_sub(start + 7).max(1)) / 4 * 4;
        if let Some(mut short) = bytes.get(..keep).map(<[u8]>::to_vec) {
            let words = u16::try_from((keep - start) / 4 - 1).unwrap().to_be_bytes();
            short[start + 2..start + 4].copy_from_slice(&words);
            prop_assert!(parse_compound(&short).is_ok());
        }
    }
}

#[test]
fn a_block_past_the_packets_end_loses_the_packet_and_one_of_a_wrong_length_only_itself() {
    let head = [0x80, 201, 0, 1, 0, 0, 0, 1, 0x80, 207, 0, 3, 0, 0, 0, 1];
    let past = [&head[..], &[7, 0, 0, 8, 0, 0, 0, 9]].concat();
    assert_eq!(parse_compound(&past).unwrap()[1], RtcpPacket::Malformed { packet_type: 207 });
    let short = [&head[..], &[7, 0, 0, 1, 0, 0, 0, 9]].concat();
    let other = XrBlock::Other { block_type: 7, type_specific: 0, data: vec![0, 0, 0, 9] };
    assert_eq!(extended(&parse_compound(&short).unwrap()), [other]);
}

#[test]
fn a_block_too_long_for_a_packet_is_left_out() {
    let long = XrBlock::Other { block_type: 99, type_specific: 0, data: vec![0; 300_000] };
    let blocks = [long, XrBlock::ReceiverReferenceTime(NtpTime::from_bits(5))];
    let bytes = Compound { blocks: &blocks, ..Compound::new(1, "me") }.to_bytes();
    assert_eq!(extended(&parse_compound(&bytes).unwrap()), blocks[1..]);
}

#[test]
fn metrics_are_what_was_counted_and_the_model_says() {
    let measured = VoipMetrics::measure(&receiver(), Some(80_400_000), &voice()).unwrap();
    let expected = VoipMetrics {
        ssrc: 9,
        loss_rate: 7,             // 3 % of 256
        discard_rate: 5,          // 2 %
        burst_density: 115,       // 45 %
        gap_density: 1,           // 5 of 900
        burst_duration_ms: 1_000, // 50 packets of 20 ms
        gap_duration_ms: 6_000,
        round_trip_ms: 80,
        end_system_delay_ms: 60,
        signal_level_dbm0: Some(-17),
        noise_level_dbm0: Some(-62),
        residual_echo_return_loss_db: None,
        gmin: 16,
        // 93.2 − 95·5/30.1 − 0.024·100.2
        r_factor: Some(75),
        external_r_factor: None,
        mos_lq: Some(39),
        mos_cq: Some(38),
        concealment: Concealment::Standard,
        jitter_buffer: JitterBuffer::Adaptive,
        jitter_buffer_rate: 4,
        jitter_buffer_nominal_ms: 40,
        jitter_buffer_maximum_ms: 90,
        jitter_buffer_absolute_maximum_ms: 500,
    };
    assert_eq!(measured, expected);
    // Nothing to tell yet; everything lost; delays beyond sixteen bits.
    assert_eq!(VoipMetrics::measure(&ReceiverStats::default(), None, &voice()), None);
    let runs =
        LossRuns { packets: 5, lost: 5, bursts: 1, burst_packets: 5, burst_bad: 5, ..LossRuns::default() };
    let worst = VoiceConditions { end_system_delay_ms: u32::MAX, codec: None, ..voice() };
    let lost = VoipMetrics::measure(&ReceiverStats { runs, ..receiver() }, Some(u64::MAX), &worst).unwrap();
    assert_eq!((lost.loss_rate, lost.burst_density, lost.gap_density), (255, 255, 0));
    assert_eq!((lost.round_trip_ms, lost.end_system_delay_ms, lost.r_factor), (u16::MAX, u16::MAX, None));
}

fn session(ssrc: u32, extended_reports: bool) -> RtcpSession {
    let config = SessionConfig { extended_reports, ..SessionConfig::new(ssrc, format!("{ssrc}@test"), 3) };
    let mut session = RtcpSession::new(config, 0);
    session.set_voice(Some(voice()));
    session
}

fn ntp(now_ns: u64) -> NtpTime {
    NtpTime::from_unix(1_700_000_000, 0).plus_ns(now_ns)
}

/// The next compound of `session`, and when.
fn next(session: &mut RtcpSession, receiver: &ReceiverStats) -> (u64, Vec<u8>) {
    loop {
        let now_ns = session.poll_timeout();
        let sender =
            SenderStats { ssrc: session.ssrc(), clock_rate: 8000, packets: 1, ..SenderStats::default() };
        if let Some(bytes) = session.poll_transmit(now_ns, ntp(now_ns), &sender, receiver) {
            return (now_ns, bytes);
        }
    }
}

#[test]
fn extended_reports_go_only_when_they_are_wanted() {
    let (_, plain) = next(&mut session(1, false), &receiver());
    assert_eq!(extended(&parse_compound(&plain).unwrap()), []);
    let (at_ns, bytes) = next(&mut session(1, true), &receiver());
    let blocks = extended(&parse_compound(&bytes).unwrap());
    assert_eq!(blocks[0], XrBlock::ReceiverReferenceTime(ntp(at_ns)));
    assert!(matches!(blocks[1..], [XrBlock::VoipMetrics(told)] if told.ssrc == 9 && told.round_trip_ms == 0));
}

#[test]
fn a_listener_measures_the_round_trip_and_hears_how_it_is_heard() {
    let (mut here, mut there) = (session(1, true), session(9, true));
    // Neither sends RTP: only reference times can tell the round trip. 30 ms each way.
    let silent = SenderStats::default();
    let hears = [ReceiverStats::default(), ReceiverStats { ssrc: Some(1), ..receiver() }];
    let mut flight: Vec<(u64, usize, Vec<u8>)> = Vec::new();
    let mut now_ns = 0;
    while now_ns < 60 * SECOND {
        let timeouts = [here.poll_timeout(), there.poll_timeout()];
        let arrivals = flight.iter().map(|(at_ns, ..)| *at_ns);
        now_ns = arrivals.chain(timeouts).min().unwrap();
        for (from, session) in [&mut here, &mut there].into_iter().enumerate() {
            while let Some(at) = flight.iter().position(|(at_ns, to, _)| (*at_ns, *to) == (now_ns, from)) {
                session.handle_rtcp(now_ns, ntp(now_ns), &flight.remove(at).2);
            }
            if let Some(bytes) = session.poll_transmit(now_ns, ntp(now_ns), &silent, &hears[from]) {
                flight.push((now_ns + 30_000_000, 1 - from, bytes));
            }
        }
    }
    let heard: Vec<_> = std::iter::from_fn(|| here.poll_event()).collect();
    let trips: Vec<_> = heard
        .iter()
        .filter_map(|event| match event {
            RtcpEvent::RoundTrip { ssrc: 9, round_trip_ns } => Some(*round_trip_ns),
            _ => None,
        })
        .collect();
    assert!(!trips.is_empty(), "{heard:?}");
    assert!(trips.iter().all(|trip| trip.abs_diff(60_000_000) < 40_000), "{trips:?}");
    let told = heard.iter().any(
        |event| matches!(event, RtcpEvent::VoipMetrics { reporter: 9, metrics } if metrics.ssrc == 1 && metrics.gmin == 16),
    );
    assert!(told, "{heard:?}");
    assert_eq!(here.stats().impossible_round_trips + there.stats().impossible_round_trips, 0);
}

#[test]
fn answers_to_reference_times_that_were_never_sent_are_not_taken() {
    let mut here = session(1, true);
    next(&mut here, &receiver());
    let report = |last_rr| DlrrReport { ssrc: 1, last_rr, delay_since_last_rr: 0 };
    let blocks = [XrBlock::Dlrr(vec![report(0), report(0x1234), DlrrReport { ssrc: 5, ..report(0x1234) }])];
    let theirs = Compound { blocks: &blocks, ..Compound::new(9, "peer") }.to_bytes();
    here.handle_rtcp(9 * SECOND, ntp(0), &theirs);
    assert!(
        !std::iter::from_fn(|| here.poll_event()).any(|event| matches!(event, RtcpEvent::RoundTrip { .. }))
    );
    assert_eq!(here.stats().impossible_round_trips, 1);
}

#[test]
fn tshark_dissects_our_extended_reports_without_an_objection() {
    if !Command::new("tshark").arg("--version").output().is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "CI must not skip: tshark is not installed");
        let line = b"SKIPPED: tshark is not installed, so this test proves nothing here\n";
        std::io::stderr().write_all(line).unwrap();
        return;
    }
    let (mut here, mut there) = (session(1, true), session(9, true));
    let (at_ns, request) = next(&mut there, &ReceiverStats { ssrc: Some(1), ..receiver() });
    here.handle_rtcp(at_ns, ntp(at_ns), &request);
    next(&mut here, &receiver());
    let (_, answer) = next(&mut here, &receiver());
    here.bye(60 * SECOND, "over");
    let sender = SenderStats { ssrc: 1, packets: 9, ..SenderStats::default() };
    let last = here.poll_transmit(60 * SECOND, ntp(60 * SECOND), &sender, &receiver()).unwrap();
    let file = std::env::temp_dir().join(format!("offhook-xr-{}.pcap", std::process::id()));
    std::fs::write(&file, pcap(&[&request, &answer, &last])).unwrap();
    let tshark = |filter: &str, fields: &[&str]| {
        let mut command = Command::new("tshark");
        command.arg("-r").arg(&file).args(["-d", "udp.port==5005,rtcp", "-Y", filter, "-T", "fields"]);
        for field in fields {
            command.args(["-e", field]);
        }
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let bad = tshark("_ws.malformed || _ws.expert.severity == error", &["frame.number"]);
    let types = tshark("rtcp.pt == 207", &["rtcp.xr.bt"]);
    let told = tshark(
        "frame.number == 2",
        &[
            "rtcp.xr.voipmetrics.burstdensity",
            "rtcp.xr.voipmetrics.gapduration",
            "rtcp.xr.voipmetrics.signallevel",
            "rtcp.xr.voipmetrics.gmin",
            "rtcp.xr.voipmetrics.rfactor",
            "rtcp.xr.voipmetrics.moslq",
            "rtcp.xr.voipmetrics.plc",
            "rtcp.xr.voipmetrics.jbabsmax",
        ],
    );
    std::fs::remove_file(&file).unwrap();
    assert_eq!(bad, "", "tshark objects");
    assert_eq!(types.lines().collect::<Vec<_>>(), ["4,7", "4,5,7", "4,5,7"]);
    let told: Vec<_> = told.trim().split('\t').collect();
    assert_eq!(told, ["115", "6000", "-17", "16", "76", "3.9", "3", "500"]);
}

/// A capture of UDP datagrams from port 5005 to port 5005 over IPv4, without link layer.
fn pcap(datagrams: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend([0xA1, 0xB2, 0xC3, 0xD4, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 101]);
    for (n, datagram) in datagrams.iter().enumerate() {
        let len = 28 + datagram.len() as u32;
        for word in [n as u32, 0, len, len] {
            out.extend(word.to_be_bytes());
        }
        out.extend([0x45, 0]);
        out.extend((len as u16).to_be_bytes());
        out.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        out.extend([5005_u16, 5005, len as u16 - 20, 0].into_iter().flat_map(u16::to_be_bytes));
        out.extend(*datagram);
    }
    out
}
