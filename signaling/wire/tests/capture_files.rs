//! Captures as files: streams put together from packets, files of all forms read, files that we write read back by
//! ourselves and by tshark.
//! Not here: the messages in the captures of other systems (`captures.rs`).

mod captures_common;

use std::net::SocketAddr;
use std::time::Duration;

use captures_common::{file, tshark};
use offhook_wire::capture::{
    Capture, CaptureError, CaptureWriter, Direction, MAX_OUT_OF_ORDER_OCTETS, TcpConnection,
};
use offhook_wire::trace::Trace;
use proptest::prelude::*;

fn at(milliseconds: u64) -> Duration {
    Duration::from_secs(1_700_000_000) + Duration::from_millis(milliseconds)
}

fn addresses(version: u8) -> (SocketAddr, SocketAddr) {
    match version {
        4 => ("192.0.2.1:40000".parse().unwrap(), "198.51.100.2:1720".parse().unwrap()),
        _ => ("[2001:db8::1]:40000".parse().unwrap(), "[2001:db8::2]:1720".parse().unwrap()),
    }
}

/// Everything that `direction` sent.
fn octets(connection: &TcpConnection, direction: Direction) -> Vec<u8> {
    let segments = connection.segments.iter();
    segments
        .filter(|segment| segment.direction == direction)
        .flat_map(|segment| segment.bytes.to_vec())
        .collect()
}

/// The file header and the records of a little-endian pcap.
fn records(pcap: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (header, mut rest) = pcap.split_at(24);
    let mut records = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let (record, behind) = rest.split_at(16 + length);
        records.push(record.to_vec());
        rest = behind;
    }
    (header.to_vec(), records)
}

fn join(header: &[u8], records: &[Vec<u8>]) -> Vec<u8> {
    [header, &records.concat()].concat()
}

/// What a caller wrote: request, answer, media, a second request; both sides close.
fn written(version: u8, request: &[u8], answer: &[u8]) -> Vec<u8> {
    let (client, server) = addresses(version);
    let mut writer = CaptureWriter::new(Vec::new()).unwrap();
    writer.tcp_connect(at(0), client, server).unwrap();
    writer.tcp(at(1), client, server, request).unwrap();
    writer.tcp(at(2), server, client, answer).unwrap();
    writer.udp(at(3), client, server, b"media").unwrap();
    writer.tcp(at(4), client, server, request).unwrap();
    writer.tcp_close(at(5), server, client).unwrap();
    writer.tcp_close(at(6), client, server).unwrap();
    writer.finish(at(7)).unwrap()
}

mod reassembly {
    use super::*;

    #[test]
    fn a_hole_that_is_filled_later_delays_what_follows() {
        let (header, mut records) = records(&written(4, b"request", b"answer"));
        // SYN, SYN-ACK, ACK, request, answer, media, request.
        records.swap(3, 6);
        let capture = Capture::parse(&join(&header, &records)).unwrap();
        let connection = &capture.tcp_connections()[0];
        assert_eq!(octets(connection, Direction::FromClient), b"requestrequest");
        assert_eq!(connection.missing(Direction::FromClient), 0);
        assert_eq!(octets(connection, Direction::FromServer), b"answer");
    }

    #[test]
    fn retransmitted_and_overlapping_octets_count_once() {
        let (header, mut records) = records(&written(4, b"request", b"answer"));
        records.insert(4, records[3].clone());
        records.insert(6, records[3].clone());
        let last = records.len();
        records.insert(last, records[3].clone());
        let capture = Capture::parse(&join(&header, &records)).unwrap();
        assert_eq!(capture.tcp_connections().len(), 1);
        let connection = &capture.tcp_connections()[0];
        assert_eq!(octets(connection, Direction::FromClient), b"requestrequest");
    }

    #[test]
    fn a_lost_packet_is_a_hole_of_its_length() {
        let (header, mut records) = records(&written(4, b"request", b"answer"));
        records.remove(3);
        let capture = Capture::parse(&join(&header, &records)).unwrap();
        let connection = &capture.tcp_connections()[0];
        assert_eq!(octets(connection, Direction::FromClient), b"request");
        assert_eq!(connection.missing(Direction::FromClient), 7);
        assert_eq!(connection.missing(Direction::FromServer), 0);
        let times: Vec<_> = connection.segments.iter().map(|segment| segment.at).collect();
        assert!(times.is_sorted());
    }

    #[test]
    fn a_hole_that_nobody_fills_does_not_hold_everything_back() {
        let (client, server) = addresses(4);
        let mut writer = CaptureWriter::new(Vec::new()).unwrap();
        let packets = 4 + MAX_OUT_OF_ORDER_OCTETS / 60_000;
        for _ in 0..packets {
            writer.tcp(at(0), client, server, &[7; 60_000]).unwrap();
        }
        let (header, mut records) = records(&writer.finish(at(9_000)).unwrap());
        records.remove(3);
        let capture = Capture::parse(&join(&header, &records)).unwrap();
        let connection = &capture.tcp_connections()[0];
        assert_eq!(connection.missing(Direction::FromClient), 60_000);
        assert_eq!(octets(connection, Direction::FromClient).len(), (packets - 1) * 60_000);
        let early = connection.segments.iter().filter(|segment| segment.at < at(9_000) - at(0));
        assert!(early.count() > 10);
    }

    #[test]
    fn a_capture_that_starts_amid_a_connection_has_what_it_has() {
        let (header, mut records) = records(&written(4, b"request", b"answer"));
        records.drain(..3);
        let capture = Capture::parse(&join(&header, &records)).unwrap();
        let connection = &capture.tcp_connections()[0];
        assert_eq!(connection.client, addresses(4).0);
        assert_eq!(octets(connection, Direction::FromClient), b"requestrequest");
        assert_eq!(connection.missing(Direction::FromClient), 0);
    }

    #[test]
    fn the_same_ports_used_again_are_another_connection() {
        let (client, server) = addresses(4);
        let mut writer = CaptureWriter::new(Vec::new()).unwrap();
        for call in [&b"first"[..], b"second"] {
            writer.tcp(at(0), client, server, call).unwrap();
            writer.tcp_close(at(1), client, server).unwrap();
            writer.tcp_close(at(1), server, client).unwrap();
        }
        let capture = Capture::parse(&writer.finish(at(2)).unwrap()).unwrap();
        let streams: Vec<_> = capture
            .tcp_connections()
            .iter()
            .map(|connection| octets(connection, Direction::FromClient))
            .collect();
        assert_eq!(streams, [&b"first"[..], b"second"]);
    }

    proptest! {
        #[test]
        fn any_order_and_repetition_behind_the_handshake_gives_the_same_streams(
            pieces in prop::collection::vec((any::<bool>(), 1usize..50), 1..40),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..80),
        ) {
            let (client, server) = addresses(4);
            let mut writer = CaptureWriter::new(Vec::new()).unwrap();
            writer.tcp_connect(at(0), client, server).unwrap();
            let mut sent = [Vec::new(), Vec::new()];
            for (number, (from_client, length)) in pieces.iter().enumerate() {
                let (source, destination) = if *from_client { (client, server) } else { (server, client) };
                let piece = vec![number as u8; *length];
                writer.tcp(at(1), source, destination, &piece).unwrap();
                sent[usize::from(!from_client)].extend_from_slice(&piece);
            }
            let (header, mut records) = records(&writer.finish(at(2)).unwrap());
            let behind = records.len() - 3;
            for (a, b) in order.iter().zip(order.iter().skip(1)) {
                let (a, b) = (3 + a.index(behind), 3 + b.index(behind));
                records.swap(a, b);
                let again = records[a].clone();
                records.push(again);
            }
            let capture = Capture::parse(&join(&header, &records)).unwrap();
            prop_assert_eq!(capture.tcp_connections().len(), 1);
            let connection = &capture.tcp_connections()[0];
            prop_assert_eq!(octets(connection, Direction::FromClient), &sent[0][..]);
            prop_assert_eq!(octets(connection, Direction::FromServer), &sent[1][..]);
            prop_assert_eq!(connection.missing(Direction::FromClient), 0);
        }
    }
}

mod reader {
    use super::*;

    #[test]
    fn every_supported_link_layer_gives_the_same_capture() {
        for version in [4, 6] {
            let raw = written(version, b"request", b"answer");
            let expected = Capture::parse(&raw).unwrap();
            assert_eq!(expected.skipped(), 0);
            let ether_type: &[u8] = if version == 4 { &[0x08, 0x00] } else { &[0x86, 0xdd] };
            let vlan = [&[0x81, 0x00, 0x00, 0x05], ether_type].concat();
            let links: [(u32, Vec<u8>); 9] = [
                (1, [&[0; 12], ether_type].concat()),
                (1, [&[0; 12][..], &vlan].concat()),
                (113, [&[0; 14], ether_type].concat()),
                (276, [ether_type, &[0; 18]].concat()),
                (0, vec![2, 0, 0, 0]),
                (108, vec![0, 0, 0, 2]),
                (12, vec![]),
                (228, vec![]),
                (229, vec![]),
            ];
            for (link, head) in links {
                let (mut header, mut records) = records(&raw);
                header[20..24].copy_from_slice(&link.to_le_bytes());
                for record in &mut records {
                    record.splice(16..16, head.iter().copied());
                    let length = (record.len() as u32 - 16).to_le_bytes();
                    record[8..12].copy_from_slice(&length);
                    record[12..16].copy_from_slice(&length);
                }
                let capture = Capture::parse(&join(&header, &records)).unwrap();
                assert_eq!(capture, expected, "link type {link}");
            }
        }
    }

    #[test]
    fn what_is_no_pcap_is_named() {
        assert!(matches!(Capture::parse(&[]), Err(CaptureError::NotPcap(_))));
        assert!(matches!(Capture::parse(&[0; 24]), Err(CaptureError::NotPcap(_))));
        let pcapng = [0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28];
        assert_eq!(Capture::parse(&pcapng), Err(CaptureError::PcapNg));
        let mut wifi = written(4, b"", b"");
        wifi[20] = 105;
        assert_eq!(Capture::parse(&wifi), Err(CaptureError::LinkType(105)));
    }

    #[test]
    fn a_file_cut_anywhere_gives_what_came_before() {
        let whole = written(4, b"request", b"answer");
        let records = Capture::parse(&whole).unwrap().records();
        let mut seen = 0;
        for end in 24..whole.len() {
            let capture = Capture::parse(&whole[..end]).unwrap();
            assert!(capture.records() < records);
            seen = seen.max(capture.records());
        }
        assert_eq!(seen, records - 1);
    }

    #[test]
    fn times_count_from_the_first_record() {
        let capture = Capture::parse(&written(4, b"request", b"answer")).unwrap();
        assert_eq!(capture.start(), at(0));
        let connection = &capture.tcp_connections()[0];
        let times: Vec<_> = connection.segments.iter().map(|s| s.at.as_millis()).collect();
        assert_eq!(times, [1, 2, 4]);
        assert_eq!(capture.udp()[0].at.as_millis(), 3);
        assert_eq!(connection.closed_by, Some(Direction::FromServer));
        assert_eq!(connection.source(Direction::FromServer), addresses(4).1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn any_octets_behind_a_file_header_are_a_capture(
            link in prop::sample::select(vec![0u32, 1, 12, 101, 108, 113, 228, 276]),
            frames in prop::collection::vec(
                prop::collection::vec(prop_oneof![Just(0x45u8), Just(6), Just(17), any::<u8>()], 0..90),
                0..12,
            ),
            tail in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut octets = written(4, b"", b"")[..20].to_vec();
            octets.extend_from_slice(&link.to_le_bytes());
            for frame in &frames {
                octets.extend_from_slice(&[0xff; 8]);
                octets.extend_from_slice(&(frame.len() as u32).to_le_bytes());
                octets.extend_from_slice(&[0; 4]);
                octets.extend_from_slice(frame);
            }
            octets.extend_from_slice(&tail);
            let capture = Capture::parse(&octets).unwrap();
            prop_assert!(capture.records() >= frames.len());
        }

        #[test]
        fn a_mutated_capture_is_a_capture_or_an_error(
            index in 0usize..4,
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..30),
        ) {
            let names = ["h323plus-busy", "ast-in-busy", "ast-in-congestion", "h323plus-slow-h245tcp"];
            let mut octets = file(names[index]);
            let length = octets.len();
            for (at, octet) in changes {
                octets[at.index(length)] = octet;
            }
            if let Ok(capture) = Capture::parse(&octets) {
                let connections = capture.tcp_connections().iter();
                let total: usize = connections.flat_map(|c| &c.segments).map(|s| s.bytes.len()).sum();
                prop_assert!(total <= length);
                let trace = Trace::follow(&capture);
                prop_assert!(trace.messages.iter().map(|message| message.octets.len()).sum::<usize>() <= 4 * length);
            }
        }
    }
}

mod writer {
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        let long: Vec<u8> = (0..200_000).map(|octet: u32| octet.to_le_bytes()[0]).collect();
        for version in [4, 6] {
            let (client, server) = addresses(version);
            let capture = Capture::parse(&written(version, &long, b"answer")).unwrap();
            assert_eq!(capture.skipped(), 0);
            assert_eq!(capture.tcp_connections().len(), 1);
            let connection = &capture.tcp_connections()[0];
            assert_eq!((connection.client, connection.server), (client, server));
            let sent = octets(connection, Direction::FromClient);
            assert!(sent == [&long[..], &long[..]].concat());
            assert_eq!(octets(connection, Direction::FromServer), b"answer");
            assert_eq!(connection.missing(Direction::FromClient), 0);
            let [datagram] = capture.udp() else {
                panic!("one datagram");
            };
            assert_eq!(datagram.payload, &b"media"[..]);
            assert_eq!((datagram.source, datagram.destination), (client, server));
        }
    }

    #[test]
    fn what_no_packet_can_be_is_refused() {
        let (client, server) = addresses(4);
        let mut writer = CaptureWriter::new(Vec::new()).unwrap();
        let (other, _) = addresses(6);
        assert!(writer.udp(at(0), client, other, b"x").is_err());
        assert!(writer.tcp(at(0), client, other, b"x").is_err());
        assert!(writer.udp(at(0), client, server, &[0; 65_508]).is_err());
        assert!(writer.udp(Duration::MAX, client, server, b"x").is_err());
        writer.udp(at(0), client, server, &[0; 65_507]).unwrap();
        writer.tcp(at(0), client, server, b"x").unwrap();
        writer.tcp_close(at(0), client, server).unwrap();
        assert!(writer.tcp(at(0), client, server, b"x").is_err());
        writer.tcp(at(0), server, client, b"y").unwrap();
        let mapped = "[::ffff:192.0.2.1]:5".parse().unwrap();
        writer.udp(at(0), mapped, server, b"dual-stack").unwrap();
        let capture = Capture::parse(&writer.finish(at(1)).unwrap()).unwrap();
        assert_eq!(capture.udp().len(), 2);
        assert_eq!(capture.udp()[1].source, "192.0.2.1:5".parse().unwrap());
    }

    #[test]
    fn an_error_of_the_writer_below_reaches_the_caller() {
        let mut full = [0; 30];
        let mut writer = CaptureWriter::new(&mut full[..]).unwrap();
        let (client, server) = addresses(4);
        let error = writer.udp(at(0), client, server, b"x").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WriteZero);
    }

    #[test]
    fn tshark_finds_nothing_wrong_with_what_was_written() {
        let long = vec![0x55; 200_000];
        for version in [4, 6] {
            let pcap = written(version, &long, b"answer");
            let fields = [
                "-T",
                "fields",
                "-e",
                "ip.checksum.status",
                "-e",
                "tcp.checksum.status",
                "-e",
                "udp.checksum.status",
            ];
            let Some(table) = tshark(&pcap, &fields) else {
                return;
            };
            let good = if version == 4 { ["1\t1\t", "1\t\t1"] } else { ["\t1\t", "\t\t1"] };
            assert!(table.lines().count() > 15);
            for line in table.lines() {
                assert!(good.contains(&line), "IPv{version}: checksum status {line:?}");
            }
            // Severity "warning" and above; a note is made of each FIN.
            let wrong = "_ws.malformed || _ws.expert.severity >= 0x600000 || tcp.analysis.flags";
            assert_eq!(tshark(&pcap, &["-Y", wrong]).unwrap(), "", "IPv{version}");
        }
    }

    #[test]
    fn tshark_dissects_a_real_call_that_we_wrote_as_it_dissects_the_original() {
        for name in ["h323plus-slow-h245tcp", "ast-in-fast", "oo-out-fast-dtmf"] {
            let original = file(name);
            let capture = Capture::parse(&original).unwrap();
            let mut events = Vec::new();
            for connection in capture.tcp_connections() {
                events.push((connection.opened, connection, None));
                let segments = connection.segments.iter();
                events.extend(segments.map(|segment| (segment.at, connection, Some(segment))));
            }
            events.sort_by_key(|event| event.0);
            let mut writer = CaptureWriter::new(Vec::new()).unwrap();
            for (at, connection, segment) in events {
                let at = capture.start() + at;
                let (client, server) = (connection.client, connection.server);
                match segment {
                    None => writer.tcp_connect(at, client, server),
                    Some(segment) if segment.direction == Direction::FromClient => {
                        writer.tcp(at, client, server, &segment.bytes)
                    }
                    Some(segment) => writer.tcp(at, server, client, &segment.bytes),
                }
                .unwrap();
            }
            for datagram in capture.udp() {
                let at = capture.start() + datagram.at;
                let (source, destination) = (datagram.source, datagram.destination);
                writer.udp(at, source, destination, &datagram.payload).unwrap();
            }
            let ours = writer.finish(capture.start() + Duration::from_secs(60)).unwrap();
            let reread = Capture::parse(&ours).unwrap();
            assert_eq!(reread.udp().len(), capture.udp().len());

            let messages = [
                "-Y",
                "h225 || h245",
                "-T",
                "fields",
                "-e",
                "q931.message_type",
                "-e",
                "h225.h323_message_body",
                "-e",
                "h245.pdu_type",
            ];
            let (Some(expected), Some(got)) = (tshark(&original, &messages), tshark(&ours, &messages)) else {
                return;
            };
            assert!(expected.lines().count() > 5, "{name}");
            assert_eq!(got, expected, "{name}");
            assert_eq!(tshark(&ours, &["-Y", "_ws.malformed || tcp.checksum_bad.expert"]).unwrap(), "");
        }
    }
}
