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
        assert!(matches!(Capture::parse(&pcapng), Err(CaptureError::NotPcap(_))));
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

mod pcapng {
    use super::*;

    const SECTION: u32 = 0x0a0d_0d0a;
    const INTERFACE: u32 = 1;
    const NAME_RESOLUTION: u32 = 4;

    /// Writes blocks in one byte order.
    struct Blocks {
        big: bool,
        octets: Vec<u8>,
    }

    impl Blocks {
        fn word(&self, word: u32) -> [u8; 4] {
            if self.big { word.to_be_bytes() } else { word.to_le_bytes() }
        }

        fn half(&self, half: u16) -> [u8; 2] {
            if self.big { half.to_be_bytes() } else { half.to_le_bytes() }
        }

        fn block(&mut self, kind: u32, body: &[u8]) {
            let padded = body.len().next_multiple_of(4);
            let length = self.word(padded as u32 + 12);
            self.octets.extend(self.word(kind));
            self.octets.extend(length);
            self.octets.extend(body);
            self.octets.resize(self.octets.len() + padded - body.len(), 0);
            self.octets.extend(length);
        }

        fn section(&mut self) {
            let body = [&self.word(0x1a2b_3c4d)[..], &self.half(1), &self.half(0), &[0xff; 8]].concat();
            self.block(SECTION, &body);
        }

        /// An interface; options are a code and a value.
        fn interface(&mut self, link: u16, options: &[(u16, &[u8])]) {
            let mut body = [self.half(link), self.half(0)].concat();
            body.extend(self.word(0));
            for (code, value) in options {
                body.extend(self.half(*code));
                body.extend(self.half(value.len() as u16));
                body.extend(*value);
                body.resize(body.len().next_multiple_of(4), 0);
            }
            if !options.is_empty() {
                body.extend([0; 4]);
            }
            self.block(INTERFACE, &body);
        }

        /// An enhanced or an obsolete packet, whose first word says its interface.
        fn packet(&mut self, kind: u32, interface: [u8; 4], units: u64, frame: &[u8]) {
            let mut body = interface.to_vec();
            let length = frame.len() as u32;
            for word in [(units >> 32) as u32, units as u32, length, length] {
                body.extend(self.word(word));
            }
            body.extend(frame);
            self.block(kind, &body);
        }

        fn enhanced(&mut self, interface: u32, units: u64, frame: &[u8]) {
            self.packet(6, self.word(interface), units, frame);
        }
    }

    fn blocks(big: bool) -> Blocks {
        let mut blocks = Blocks { big, octets: Vec::new() };
        blocks.section();
        blocks
    }

    /// Microseconds since the epoch and the frame of each record of a pcap of ours.
    fn frames(pcap: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let word =
            |record: &[u8], at: usize| u64::from(u32::from_le_bytes(record[at..at + 4].try_into().unwrap()));
        let micro = |record: &Vec<u8>| word(record, 0) * 1_000_000 + word(record, 4);
        records(pcap).1.iter().map(|record| (micro(record), record[16..].to_vec())).collect()
    }

    #[test]
    fn a_capture_is_the_same_in_either_form_and_byte_order_and_resolution() {
        let pcap = file("ast-in-fast");
        let expected = Capture::parse(&pcap).unwrap();
        let link = u16::from(pcap[20]);
        // Microseconds by default; 10^-6; 10^-9; 2^-20, which is not exact; an hour's offset.
        for big in [false, true] {
            let hour: i64 = 3600;
            let hour = if big { hour.to_be_bytes() } else { hour.to_le_bytes() };
            /// Options, units of a time in microseconds, whether they are exact.
            type Form<'a> = (&'a [(u16, &'a [u8])], fn(u64) -> u64, bool);
            let forms: [Form; 5] = [
                (&[], |micro| micro, true),
                (&[(2, b"eth0"), (9, &[6])], |micro| micro, true),
                (&[(9, &[9])], |micro| micro * 1000, true),
                (&[(9, &[0x80 | 20])], |micro| ((u128::from(micro) << 20) / 1_000_000) as u64, false),
                (&[(14, &hour)], |micro| micro - 3_600_000_000, true),
            ];
            for (options, units, exact) in forms {
                let mut file = blocks(big);
                file.interface(link, options);
                for (micro, frame) in frames(&pcap) {
                    file.block(NAME_RESOLUTION, &[0; 4]);
                    file.enhanced(0, units(micro), &frame);
                }
                let capture = Capture::parse(&file.octets).unwrap();
                if exact {
                    assert_eq!(capture, expected, "{options:?}");
                }
                assert_eq!(capture.records(), expected.records());
                assert!(capture.start().abs_diff(expected.start()) < Duration::from_micros(2), "{options:?}");
            }
        }
    }

    #[test]
    fn simple_and_obsolete_packets_several_interfaces_and_sections_are_read() {
        let frames = frames(&written(4, b"request", b"answer"));
        for big in [false, true] {
            let mut file = blocks(big);
            // Wi-Fi, which is not understood; raw IP, as we write.
            file.interface(105, &[]);
            file.interface(101, &[]);
            file.enhanced(0, 1, b"a beacon");
            let split = frames.len() / 2;
            for (micro, frame) in &frames[..split] {
                let drops = if big { [0, 1, 0, 7] } else { [1, 0, 7, 0] };
                file.packet(2, drops, *micro, frame);
            }
            let mut second = blocks(!big);
            second.interface(101, &[]);
            for (micro, frame) in &frames[split..split + 1] {
                second.enhanced(0, *micro, frame);
            }
            for (_, frame) in &frames[split + 1..] {
                let body = [&second.word(frame.len() as u32), &frame[..]].concat();
                second.block(3, &body);
            }
            let capture = Capture::parse(&[file.octets, second.octets].concat()).unwrap();
            assert_eq!((capture.records(), capture.skipped()), (frames.len() + 1, 1));
            let connection = &capture.tcp_connections()[0];
            assert_eq!(octets(connection, Direction::FromClient), b"requestrequest");
            assert_eq!(octets(connection, Direction::FromServer), b"answer");
            assert_eq!(capture.udp().len(), 1);
        }
    }

    #[test]
    fn a_file_of_foreign_interfaces_only_is_refused_and_a_torn_one_read_as_far_as_it_goes() {
        let mut wifi = blocks(false);
        wifi.interface(105, &[]);
        wifi.enhanced(0, 1, b"a beacon");
        assert_eq!(Capture::parse(&wifi.octets), Err(CaptureError::LinkType(105)));
        // No such interface; a frame longer than its block: neither is a record.
        let mut odd = blocks(false);
        odd.interface(101, &[]);
        odd.enhanced(7, 1, b"a frame");
        odd.block(6, &[0; 16]);
        odd.block(6, &[[0; 12], [0xff; 12]].concat());
        assert_eq!(Capture::parse(&odd.octets).unwrap(), Capture::default());
        let whole = {
            let mut file = blocks(false);
            file.interface(101, &[]);
            frames(&written(4, b"request", b"answer"))
                .iter()
                .for_each(|(at, frame)| file.enhanced(0, *at, frame));
            file.octets
        };
        let all = Capture::parse(&whole).unwrap();
        assert!(!all.is_truncated());
        let torn = Capture::parse(&whole[..whole.len() - 1]).unwrap();
        assert!(torn.is_truncated());
        assert_eq!(torn.records(), all.records() - 1);
    }

    #[test]
    fn tshark_writes_what_we_read() {
        let pcap = file("h323plus-slow-h245tcp");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("again.pcapng");
        let Some(_) = tshark(&pcap, &["-F", "pcapng", "-w", path.to_str().unwrap()]) else { return };
        let pcapng = std::fs::read(&path).unwrap();
        assert!(pcapng.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]));
        assert_eq!(Capture::parse(&pcapng).unwrap(), Capture::parse(&pcap).unwrap());
    }

    proptest! {
        #[test]
        fn a_mutated_pcapng_is_a_capture_or_an_error(
            big in any::<bool>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
            end in any::<prop::sample::Index>(),
        ) {
            let mut file = blocks(big);
            file.interface(101, &[(2, b"eth0"), (9, &[9]), (14, &[0; 8]), (1, b"a comment")]);
            for (at, frame) in frames(&written(4, b"request", b"answer")) {
                file.enhanced(0, at, &frame);
            }
            let mut octets = file.octets;
            let length = octets.len();
            for (at, octet) in changes {
                octets[at.index(length)] = octet;
            }
            octets.truncate(end.index(length + 1).max(length / 2));
            if let Ok(capture) = Capture::parse(&octets) {
                prop_assert!(capture.records() <= 16);
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
