//! RTCP packets against `rtc-rtcp` as an independent oracle, and against arbitrary bytes.

use bytes::Bytes;
use offhook_rtp::{
    Compound, NtpTime, ReportBlock, RtcpError, RtcpPacket, SdesChunk, SdesKind, SenderInfo, parse_compound,
};
use proptest::collection::vec;
use proptest::prelude::*;
use rtc_rtcp::goodbye::Goodbye;
use rtc_rtcp::packet::{Packet, marshal, unmarshal};
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::reception_report::ReceptionReport;
use rtc_rtcp::sender_report::SenderReport;
use rtc_rtcp::source_description::{
    SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem,
};

fn build_compound(
    ssrc: u32,
    info: Option<SenderInfo>,
    reports: &[ReportBlock],
    cname: &str,
    bye: Option<&str>,
) -> Vec<u8> {
    Compound { info, reports, bye, ..Compound::new(ssrc, cname) }.to_bytes()
}

fn named(ssrc: u32, cname: &[u8]) -> SdesChunk {
    SdesChunk { ssrc, items: vec![(SdesKind::Cname, cname.to_vec())] }
}

fn blocks() -> impl Strategy<Value = Vec<ReportBlock>> {
    let block = (any::<u32>(), any::<u8>(), -0x80_0000..=0x7F_FFFF_i32, any::<u32>(), any::<[u32; 3]>());
    let block = block.prop_map(|(ssrc, fraction_lost, cumulative_lost, extended_highest_sequence, rest)| {
        ReportBlock {
            ssrc,
            fraction_lost,
            cumulative_lost,
            extended_highest_sequence,
            jitter: rest[0],
            last_sr: rest[1],
            delay_since_last_sr: rest[2],
        }
    });
    vec(block, 0..=31)
}

fn infos() -> impl Strategy<Value = Option<SenderInfo>> {
    proptest::option::of(any::<(u64, u32, u32, u32)>().prop_map(
        |(ntp, rtp_timestamp, packet_count, octet_count)| SenderInfo {
            ntp: NtpTime::from_bits(ntp),
            rtp_timestamp,
            packet_count,
            octet_count,
        },
    ))
}

fn theirs(blocks: &[ReportBlock]) -> Vec<ReceptionReport> {
    let one = |block: &ReportBlock| ReceptionReport {
        ssrc: block.ssrc,
        fraction_lost: block.fraction_lost,
        total_lost: block.cumulative_lost as u32 & 0xFF_FFFF,
        last_sequence_number: block.extended_highest_sequence,
        jitter: block.jitter,
        last_sender_report: block.last_sr,
        delay: block.delay_since_last_sr,
    };
    blocks.iter().map(one).collect()
}

fn compound(
    ssrc: u32,
    info: Option<SenderInfo>,
    blocks: &[ReportBlock],
    cname: &str,
    bye: Option<&str>,
) -> Vec<Box<dyn Packet>> {
    let reports = theirs(blocks);
    let profile_extensions = Bytes::new();
    let report: Box<dyn Packet> = match info {
        Some(info) => Box::new(SenderReport {
            ssrc,
            ntp_time: info.ntp.to_bits(),
            rtp_time: info.rtp_timestamp,
            packet_count: info.packet_count,
            octet_count: info.octet_count,
            reports,
            profile_extensions,
        }),
        None => Box::new(ReceiverReport { ssrc, reports, profile_extensions }),
    };
    let item = SourceDescriptionItem {
        sdes_type: SdesType::SdesCname,
        text: Bytes::copy_from_slice(cname.as_bytes()),
    };
    let chunk = SourceDescriptionChunk { source: ssrc, items: vec![item] };
    let mut packets: Vec<Box<dyn Packet>> = vec![report, Box::new(SourceDescription { chunks: vec![chunk] })];
    if let Some(reason) = bye {
        let reason = Bytes::copy_from_slice(reason.as_bytes());
        packets.push(Box::new(Goodbye { sources: vec![ssrc], reason }));
    }
    packets
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn what_we_build_the_oracle_reads_and_we_read_again(
        ssrc: u32, info in infos(), blocks in blocks(), cname in "[a-z0-9@.]{1,60}",
        bye in proptest::option::of("[ -~]{0,80}"),
    ) {
        let bytes = build_compound(ssrc, info, &blocks, &cname, bye.as_deref());
        prop_assert_eq!(bytes.len() % 4, 0);
        let read = unmarshal(&mut Bytes::copy_from_slice(&bytes)).unwrap();
        prop_assert_eq!(read, compound(ssrc, info, &blocks, &cname, bye.as_deref()));

        let ours = parse_compound(&bytes).unwrap();
        let first = match info {
            Some(info) => RtcpPacket::SenderReport { ssrc, info, reports: blocks },
            None => RtcpPacket::ReceiverReport { ssrc, reports: blocks },
        };
        prop_assert_eq!(&ours[0], &first);
        let named = named(ssrc, cname.as_bytes());
        prop_assert_eq!(&ours[1], &RtcpPacket::SourceDescription(vec![named]));
        match bye {
            None => prop_assert_eq!(ours.len(), 2),
            Some(reason) => {
                let reason = Some(reason.into_bytes()).filter(|reason| !reason.is_empty());
                prop_assert_eq!(&ours[2], &RtcpPacket::Bye { ssrcs: vec![ssrc], reason });
            }
        }
    }

    #[test]
    fn what_the_oracle_builds_we_read(
        ssrc: u32, info in infos(), blocks in blocks(), cname in "[a-z0-9@.]{2,60}",
    ) {
        let bytes = marshal(&compound(ssrc, info, &blocks, &cname, Some("over"))).unwrap();
        let ours = parse_compound(&bytes).unwrap();
        let (RtcpPacket::SenderReport { reports, .. } | RtcpPacket::ReceiverReport { reports, .. }) = &ours[0] else {
            panic!("{ours:?}")
        };
        prop_assert_eq!(reports, &blocks);
        let named = named(ssrc, cname.as_bytes());
        prop_assert_eq!(&ours[1], &RtcpPacket::SourceDescription(vec![named]));
        prop_assert_eq!(&ours[2], &RtcpPacket::Bye { ssrcs: vec![ssrc], reason: Some(b"over".to_vec()) });
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = parse_compound(&bytes);
    }

    #[test]
    fn no_damage_to_a_good_compound_panics(
        blocks in blocks(), cname in "[a-z]{0,40}", damage in vec((any::<u16>(), any::<u8>()), 0..12),
        types in vec(200_u8..208, 0..3), cut: u16,
    ) {
        let mut bytes = build_compound(1, None, &blocks, &cname, Some("over"));
        for (at, octet) in damage {
            let at = usize::from(at) % bytes.len();
            bytes[at] = octet;
        }
        // More packets with true lengths, so that what is inside them is read too.
        for packet_type in types {
            let inside = bytes.iter().rev().take(20).copied().collect::<Vec<_>>();
            bytes.extend([0x81, packet_type, 0, 5]);
            bytes.extend(inside);
        }
        let _ = parse_compound(&bytes);
        let cut = usize::from(cut) % (bytes.len() + 1);
        let _ = parse_compound(&bytes[..cut]);
    }
}

#[test]
fn datagrams_that_are_no_compound_are_refused_with_the_reason() {
    assert_eq!(parse_compound(&[]), Err(RtcpError::Runt(0)));
    assert_eq!(parse_compound(&[0]), Err(RtcpError::Runt(1)));
    assert_eq!(parse_compound(&[0x80, 201]), Err(RtcpError::Truncated { offset: 0, need: 4, have: 2 }));
    assert_eq!(parse_compound(&[0x40, 201, 0, 0]), Err(RtcpError::Version { version: 1, offset: 0 }));
    // Reduced-size RTCP (RFC 5506) was not negotiated; SDES alone is no compound.
    assert_eq!(parse_compound(&[0x80, 202, 0, 0]), Err(RtcpError::FirstPacket(202)));
    assert_eq!(
        parse_compound(&[0x80, 201, 0, 9, 0, 0, 0, 1]),
        Err(RtcpError::Truncated { offset: 0, need: 40, have: 8 })
    );
    assert_eq!(
        parse_compound(&[0x80, 201, 0, 1, 0, 0, 0, 1, 0x80]),
        Err(RtcpError::Truncated { offset: 8, need: 4, have: 1 })
    );
    assert_eq!(
        parse_compound(&[0x80, 201, 0, 1, 0, 0, 0, 1, 0x00, 202, 0, 0]),
        Err(RtcpError::Version { version: 0, offset: 8 })
    );
    assert_eq!(parse_compound(&[0xA0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4]), Err(RtcpError::Padding));
}

#[test]
fn padding_of_the_last_packet_is_taken_off() {
    let mut bytes = build_compound(1, None, &[], "name@host", Some(""));
    let bye = bytes.len() - 8;
    bytes[bye] |= 0x20;
    bytes[bye + 3] += 2;
    bytes.extend([0, 0, 0, 0, 0, 0, 0, 8]);
    let packets = parse_compound(&bytes).unwrap();
    assert_eq!(packets[2], RtcpPacket::Bye { ssrcs: vec![1], reason: None });
    // And when it is the SDES, whose parser in rtcp-types would take it for a chunk.
    bytes = build_compound(1, None, &[], "name@host", None);
    bytes[8] |= 0x20;
    bytes[11] += 1;
    bytes.extend([0, 0, 0, 4]);
    let expected = RtcpPacket::SourceDescription(vec![named(1, b"name@host")]);
    assert_eq!(parse_compound(&bytes).unwrap()[1], expected);
    let last = bytes.len() - 1;
    for impossible in [0, 5, 28, 255] {
        bytes[last] = impossible;
        assert_eq!(parse_compound(&bytes).unwrap()[1], RtcpPacket::Malformed { packet_type: 202 });
    }
}

#[test]
fn a_private_item_with_a_prefix_beyond_itself_is_harmless() {
    // PRIV of length 1 whose prefix claims 6 octets: rtcp-types panics if asked for its value.
    let mut bytes = vec![0x80, 201, 0, 1, 0, 0, 0, 1];
    bytes.extend([0x81, 202, 0, 4, 0, 0, 0, 1, 8, 1, 6, 1, 2, b'a', b'b', 0, 0, 0, 0, 0]);
    // The item of two octets that follows it is the name.
    let items = vec![(SdesKind::Priv, vec![6]), (SdesKind::Cname, b"ab".to_vec())];
    assert_eq!(
        parse_compound(&bytes).unwrap()[1],
        RtcpPacket::SourceDescription(vec![SdesChunk { ssrc: 1, items }])
    );
}

#[test]
fn chunks_are_told_apart_by_alignment_and_not_by_zeros() {
    // The second SSRC begins with zero octets; the first chunk's alignment ends in a count, as pion writes it.
    let mut bytes = vec![0x80, 201, 0, 1, 0, 0, 0, 1];
    bytes.extend([
        0x82, 202, 0, 6, 0, 0, 0, 1, 1, 2, b'a', b'a', 0, 0, 0, 3, 0, 0, 0, 2, 1, 2, b'b', b'c', 0, 0, 0, 0,
    ]);
    let expected = RtcpPacket::SourceDescription(vec![named(1, b"aa"), named(2, b"bc")]);
    assert_eq!(parse_compound(&bytes).unwrap()[1], expected);
}

#[test]
fn a_malformed_packet_does_not_hide_its_neighbours() {
    // A receiver report that claims a block it has not, then unread feedback, then a BYE.
    let bytes = [0x81, 201, 0, 1, 0, 0, 0, 1, 0x80, 205, 0, 1, 0, 0, 0, 1, 0x81, 203, 0, 1, 0, 0, 0, 9];
    assert_eq!(
        parse_compound(&bytes).unwrap(),
        [
            RtcpPacket::Malformed { packet_type: 201 },
            RtcpPacket::Other { packet_type: 205 },
            RtcpPacket::Bye { ssrcs: vec![9], reason: None },
        ]
    );
}

#[test]
fn names_and_reasons_too_long_are_cut_at_a_character() {
    let long = "é".repeat(200);
    let packets = parse_compound(&build_compound(1, None, &[], &long, Some(&long))).unwrap();
    let expected = "é".repeat(127).into_bytes();
    assert_eq!(packets[1], RtcpPacket::SourceDescription(vec![named(1, &expected)]));
    assert_eq!(packets[2], RtcpPacket::Bye { ssrcs: vec![1], reason: Some(expected) });
}

#[test]
fn ntp_time_is_of_1900_and_its_middle_wraps() {
    let time = NtpTime::from_unix(0, 500_000_000);
    assert_eq!(time.to_bits(), 2_208_988_800 << 32 | 1 << 31);
    assert_eq!(time.middle_32(), (2_208_988_800_u64 as u32) << 16 | 0x8000);
    // The era ends on 7 February 2036.
    let era = NtpTime::from_unix((1 << 32) - 2_208_988_800 - 1, 999_999_999);
    assert_eq!(era.to_bits() >> 32, u64::from(u32::MAX));
    assert_eq!(era.plus_ns(1_000_000_000).to_bits() >> 32, 0);
}
