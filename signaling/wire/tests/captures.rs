//! Captures of other systems, read to the last message; captures that we write, read back by
//! ourselves and by tshark.
//! Not here: rules of the layers by themselves (`tpkt_q931.rs`, the schema's tests).

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use offhook_wire::capture::{
    Capture, CaptureError, CaptureWriter, Direction, MAX_OUT_OF_ORDER_OCTETS, TcpConnection,
};
use offhook_wire::h225::{self, H323UuPduH323MessageBody, TransportAddress};
use offhook_wire::h225_message::{CallSignal, CallSignalEncodeError, CallSignalError, message_type};
use offhook_wire::h245;
use offhook_wire::per;
use offhook_wire::q931::{ElementId, Message, MessageType};
use offhook_wire::tpkt::{self, TpktDecoder};
use proptest::prelude::*;

/// The ports of H.225.0 call signalling: 1720, and 1721 at the recorded gatekeeper.
const CALL_SIGNALLING: [u16; 2] = [1720, 1721];

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/captures")
}

/// All committed captures by name.
fn files() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(data())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pcap"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(data().join(name).with_extension("pcap")).unwrap()
}

/// The TPKT payloads of both directions in time order; every octet of the stream must belong to one.
fn payloads(name: &str, connection: &TcpConnection) -> Vec<(Duration, Direction, Bytes)> {
    let mut decoders = [TpktDecoder::new(), TpktDecoder::new()];
    let mut payloads = Vec::new();
    for segment in &connection.segments {
        assert_eq!(segment.missing_before, 0, "{name}: octets are missing");
        let decoder = &mut decoders[segment.direction as usize];
        decoder.push(&segment.bytes);
        while let Some(payload) = decoder.next().unwrap_or_else(|e| panic!("{name}: {e}")) {
            payloads.push((segment.at, segment.direction, payload));
        }
    }
    for decoder in &decoders {
        assert_eq!(decoder.buffered(), 0, "{name}: a stream ends inside a TPKT");
    }
    payloads
}

fn is_call_signalling(connection: &TcpConnection) -> bool {
    CALL_SIGNALLING.contains(&connection.server.port())
}

mod real_systems {
    use super::*;

    #[test]
    fn every_capture_is_listed_with_its_provenance() {
        let index = std::fs::read_to_string(data().join("INDEX.md")).unwrap();
        let files = files();
        assert_eq!(files.len(), 56);
        for (name, _) in files {
            assert!(index.contains(&format!("- {name}: ")), "{name}");
        }
    }

    #[test]
    fn every_record_is_understood() {
        let mut udp = 0;
        for (name, octets) in files() {
            let capture = Capture::parse(&octets).unwrap();
            assert_eq!(capture.skipped(), 0, "{name}");
            assert!(!capture.is_truncated(), "{name}");
            assert!(capture.records() >= 4, "{name}");
            udp += capture.udp().len();
        }
        // As many as `tshark -Y udp` counts.
        assert_eq!(udp, 2098);
    }

    #[test]
    fn every_call_signalling_message_decodes_and_encodes_verbatim() {
        let mut types = BTreeMap::new();
        for (name, octets) in files() {
            let capture = Capture::parse(&octets).unwrap();
            for connection in capture.tcp_connections() {
                if !is_call_signalling(connection) {
                    continue;
                }
                for (_, _, payload) in payloads(&name, connection) {
                    let message = Message::decode(&payload).unwrap_or_else(|e| panic!("{name}: {e}"));
                    assert_eq!(message.encode().unwrap(), payload, "{name}");
                    let user_user = message.user_user();
                    assert!(user_user.is_some_and(|user_user| user_user.is_h225()), "{name}");
                    *types.entry(message.message_type.to_string()).or_insert(0) += 1;
                }
            }
        }
        // As many as `tshark -Y "q931 && tcp"` counts.
        let expected = [
            ("Alerting", 18),
            ("Call Proceeding", 58),
            ("Connect", 51),
            ("Facility", 372),
            ("Information", 9),
            ("Progress", 7),
            ("Release Complete", 98),
            ("Setup", 58),
        ];
        let counted: Vec<_> = types.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        assert_eq!(counted, expected);
    }

    #[test]
    fn every_other_stream_is_whole_tpkts_too() {
        // H.245 control channels; `call_signalling_names_every_h245_channel` proves that.
        let mut count = 0;
        for (name, octets) in files() {
            let capture = Capture::parse(&octets).unwrap();
            let other = capture.tcp_connections().iter().filter(|c| !is_call_signalling(c));
            count += other.map(|c| payloads(&name, c).len()).sum::<usize>();
        }
        assert_eq!(count, 158);
    }

    #[test]
    fn our_elements_say_what_tshark_says() {
        let fields = [
            "q931.message_type",
            "q931.call_ref",
            "q931.cause_value",
            "q931.display_information",
            "q931.keypad_facility",
            "q931.calling_party_number.digits",
            "q931.called_party_number.digits",
        ];
        // Those that differ most in their elements: tshark takes half a second for each.
        let names = [
            "ast-dtmf-q931keypad",
            "ast-in-busy",
            "ast-in-congestion",
            "ast-in-fast",
            "ast-out-fast",
            "gk-routed-slow-tunnel",
            "h323plus-dtmf-q931",
            "h323plus-forward",
            "h323plus-reject",
            "oo-in-fast",
            "oo-oo-fast",
            "oo-out-fast-dtmf",
        ];
        for name in names {
            let octets = file(name);
            let mut ours: [Vec<String>; 7] = Default::default();
            let capture = Capture::parse(&octets).unwrap();
            let connections = capture.tcp_connections().iter();
            for connection in connections.filter(|c| is_call_signalling(c)) {
                for (_, _, payload) in payloads(name, connection) {
                    let message = Message::decode(&payload).unwrap();
                    ours[0].push(format!("{:#04x}", message.message_type.0));
                    ours[1].push(format!("{:04x}", message.call_reference.value()));
                    ours[2].extend(message.cause().map(|cause| cause.0.to_string()));
                    ours[3].extend(message.display());
                    ours[4].extend(message.keypad_facility());
                    ours[5].extend(message.calling_party_number().map(|number| number.digits));
                    ours[6].extend(message.called_party_number().map(|number| number.digits));
                }
            }
            let mut arguments = vec!["-Y", "q931 && tcp", "-T", "fields", "-E", "aggregator=|"];
            arguments.extend(fields.iter().flat_map(|field| ["-e", field]));
            let Some(table) = tshark(&octets, &arguments) else {
                return;
            };
            let mut theirs: [Vec<String>; 7] = Default::default();
            for line in table.lines() {
                for (values, cell) in theirs.iter_mut().zip(line.split('\t')) {
                    values.extend(cell.split('|').filter(|v| !v.is_empty()).map(str::to_owned));
                }
            }
            assert!(ours[0].len() > 2, "{name}");
            for ((ours, theirs), field) in ours.iter_mut().zip(&mut theirs).zip(fields) {
                ours.sort();
                theirs.sort();
                assert_eq!(ours, theirs, "{name}: {field}");
            }
        }
    }
}

/// What tshark, with every checksum checked, says about a capture. `None` without tshark: a loud
/// line at home, a failure where the environment has `CI`.
fn tshark(capture: &[u8], arguments: &[&str]) -> Option<String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(capture).unwrap();
    let output = Command::new("tshark")
        .args(["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE"])
        .args(["-o", "udp.check_checksum:TRUE", "-r"])
        .arg(file.path())
        .args(arguments)
        .output();
    match output {
        Ok(output) => {
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "tshark: {errors}");
            Some(String::from_utf8(output.stdout).unwrap())
        }
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "CI needs tshark: {error}");
            // Not eprintln!, which the test harness would swallow.
            let line = format!("SKIPPED: no comparison with tshark: {error}\n");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            None
        }
    }
}

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
                for connection in capture.tcp_connections() {
                    let mut decoder = TpktDecoder::new();
                    for segment in &connection.segments {
                        decoder.push(&segment.bytes);
                        while let Ok(Some(payload)) = decoder.next() {
                            let _ = Message::decode(&payload);
                        }
                    }
                }
            }
        }

        #[test]
        fn a_mutated_message_of_a_real_system_is_a_message_or_an_error(
            choice in any::<prop::sample::Index>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            end in any::<prop::sample::Index>(),
        ) {
            static MESSAGES: std::sync::LazyLock<Vec<Bytes>> = std::sync::LazyLock::new(|| {
                let mut messages = Vec::new();
                for (name, octets) in files() {
                    let capture = Capture::parse(&octets).unwrap();
                    for connection in capture.tcp_connections().iter().filter(|c| is_call_signalling(c)) {
                        messages.extend(payloads(&name, connection).into_iter().map(|p| p.2));
                    }
                }
                messages
            });
            let mut octets = MESSAGES[choice.index(MESSAGES.len())].to_vec();
            // Most elements stand at the head; the UUIE behind them is the schema's to fuzz.
            let head = octets.len().min(48);
            for (at, octet) in changes {
                octets[at.index(head)] = octet;
            }
            octets.truncate(1 + end.index(octets.len()));
            let octets = Bytes::from(octets);
            if let Ok(message) = Message::decode(&octets) {
                let again = message.encode().unwrap();
                prop_assert_eq!(&again[2..], &octets[2..]);
                prop_assert_eq!(Message::decode(&again).unwrap(), message);
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

/// Decodes, and what is encoded from that decodes to the same value. Also says whether it is the
/// same octets.
fn decoded<T: per::Type + PartialEq + Debug>(name: &str, octets: &Bytes) -> (T, bool) {
    let value: T = per::decode(octets).unwrap_or_else(|e| panic!("{name}: {e}"));
    let again = Bytes::from(per::encode(&value).unwrap_or_else(|e| panic!("{name}: {e}")));
    assert_eq!(per::decode::<T>(&again).unwrap(), value, "{name}");
    (value, again == octets)
}

fn ip_address(address: &TransportAddress) -> Option<SocketAddr> {
    match address {
        TransportAddress::IpAddress(address) => Some((address.ip, address.port).into()),
        _ => None,
    }
}

/// The addresses at which a message offers an H.245 control channel.
fn h245_address(body: &H323UuPduH323MessageBody) -> Option<SocketAddr> {
    match body {
        H323UuPduH323MessageBody::Setup(uuie) => uuie.h245_address.as_ref(),
        H323UuPduH323MessageBody::CallProceeding(uuie) => uuie.h245_address.as_ref(),
        H323UuPduH323MessageBody::Alerting(uuie) => uuie.h245_address.as_ref(),
        H323UuPduH323MessageBody::Progress(uuie) => uuie.h245_address.as_ref(),
        H323UuPduH323MessageBody::Connect(uuie) => uuie.h245_address.as_ref(),
        H323UuPduH323MessageBody::Facility(uuie) => uuie.h245_address.as_ref(),
        _ => None,
    }
    .and_then(ip_address)
}

mod real_pdus {
    use super::*;

    /// How many messages of each layer the captures hold.
    #[derive(Debug, Default, PartialEq)]
    struct Counts {
        call_signals: usize,
        h245_tunnelled: usize,
        h245_channels: usize,
        h245_messages: usize,
        fast_start: usize,
        ras: usize,
    }

    impl Counts {
        fn all(&self) -> usize {
            self.call_signals + self.h245_tunnelled + self.h245_messages + self.fast_start + self.ras
        }
    }

    #[test]
    fn every_message_of_every_layer_decodes_wholly() {
        let mut counts = Counts::default();
        let mut verbatim = 0;
        for (name, octets) in files() {
            let capture = Capture::parse(&octets).unwrap();
            let mut offered = Vec::new();
            let (signalling, others): (Vec<_>, Vec<_>) =
                capture.tcp_connections().iter().partition(|c| is_call_signalling(c));
            for connection in signalling {
                for (_, _, payload) in payloads(&name, connection) {
                    let signal = CallSignal::decode(&payload).unwrap_or_else(|e| panic!("{name}: {e}"));
                    let again = signal.encode().unwrap();
                    let CallSignal { q931, uuie } = CallSignal::decode(&again).unwrap();
                    assert_eq!(uuie, signal.uuie, "{name}");
                    assert_eq!(q931.elements.len(), signal.q931.elements.len(), "{name}");
                    verbatim += usize::from(again == payload);
                    counts.call_signals += 1;
                    let body = signal.body().unwrap_or_else(|| panic!("{name}: no UUIE"));
                    assert_eq!(message_type(body), Some(signal.q931.message_type), "{name}");
                    offered.extend(h245_address(body));
                    for element in fast_start(body) {
                        verbatim += usize::from(decoded::<h245::OpenLogicalChannel>(&name, element).1);
                        counts.fast_start += 1;
                    }
                    for control in signal.h245_control() {
                        verbatim +=
                            usize::from(decoded::<h245::MultimediaSystemControlMessage>(&name, control).1);
                        counts.h245_tunnelled += 1;
                    }
                }
            }
            for connection in others {
                assert!(offered.contains(&connection.server), "{name}: {}", connection.server);
                counts.h245_channels += 1;
                for (_, _, payload) in payloads(&name, connection) {
                    verbatim +=
                        usize::from(decoded::<h245::MultimediaSystemControlMessage>(&name, &payload).1);
                    counts.h245_messages += 1;
                }
            }
            for datagram in capture.udp() {
                let ports = [datagram.source.port(), datagram.destination.port()];
                if ports.iter().any(|port| [1718, 1719].contains(port)) {
                    verbatim += usize::from(decoded::<h225::RasMessage>(&name, &datagram.payload).1);
                    counts.ras += 1;
                }
            }
        }
        let expected = Counts {
            call_signals: 671,
            h245_tunnelled: 504,
            h245_channels: 11,
            h245_messages: 158,
            fast_start: 130,
            ras: 241,
        };
        assert_eq!(counts, expected);
        // Even those of earlier versions, whose presence bitmaps are shorter than ours.
        assert_eq!(verbatim, counts.all());
    }

    /// The capture with every call signalling message and H.245 message decoded and encoded again.
    fn encoded_again(name: &str, capture: &Capture) -> Vec<u8> {
        let mut messages = Vec::new();
        for connection in capture.tcp_connections() {
            for (at, direction, payload) in payloads(name, connection) {
                let again = if is_call_signalling(connection) {
                    let mut signal = CallSignal::decode(&payload).unwrap();
                    if let Some(uuie) = &mut signal.uuie {
                        for control in uuie.h323_uu_pdu.h245_control.iter_mut().flatten() {
                            *control = h245_again(control);
                        }
                    }
                    signal.encode().unwrap()
                } else {
                    h245_again(&payload)
                };
                messages.push((at, connection, direction, tpkt::encode(&again).unwrap()));
            }
        }
        messages.sort_by_key(|message| message.0);
        let mut writer = CaptureWriter::new(Vec::new()).unwrap();
        for (at, connection, direction, octets) in messages {
            let at = capture.start() + at;
            let (client, server) = (connection.client, connection.server);
            writer.tcp_connect(at, client, server).unwrap();
            match direction {
                Direction::FromClient => writer.tcp(at, client, server, &octets).unwrap(),
                Direction::FromServer => writer.tcp(at, server, client, &octets).unwrap(),
            }
        }
        writer.finish(capture.start() + Duration::from_secs(300)).unwrap()
    }

    fn h245_again(octets: &Bytes) -> Bytes {
        let message: h245::MultimediaSystemControlMessage = per::decode(octets).unwrap();
        per::encode(&message).unwrap().into()
    }

    /// What tshark shows inside the layers, without lengths, which the bitmaps change.
    fn dissection(capture: &[u8]) -> Option<Vec<String>> {
        let arguments = ["-Y", "(h225 || h245) && tcp", "-V", "-O", "q931,h225,h245"];
        let text = tshark(capture, &arguments)?;
        let inner = text.lines().filter(|line| line.starts_with(' '));
        let inner = inner.filter(|line| !line.contains("ength: ") && !line.ends_with(" octets"));
        Some(inner.map(str::to_owned).collect())
    }

    #[test]
    fn tshark_reads_the_same_in_what_we_encode_again() {
        let names = ["ast-in-fast", "gk-h46018", "h323plus-slow-h245tcp", "oo-out-fast-dtmf"];
        for name in names {
            let octets = file(name);
            let ours = encoded_again(name, &Capture::parse(&octets).unwrap());
            let (Some(expected), Some(got)) = (dissection(&octets), dissection(&ours)) else {
                return;
            };
            assert!(expected.len() > 300, "{name}");
            for (number, (got, expected)) in got.iter().zip(&expected).enumerate() {
                assert_eq!(got, expected, "{name}: line {number} of the dissection");
            }
            assert_eq!(got.len(), expected.len(), "{name}");
        }
    }

    fn fast_start(body: &H323UuPduH323MessageBody) -> &[Bytes] {
        match body {
            H323UuPduH323MessageBody::Setup(uuie) => uuie.fast_start.as_deref(),
            H323UuPduH323MessageBody::CallProceeding(uuie) => uuie.fast_start.as_deref(),
            H323UuPduH323MessageBody::Alerting(uuie) => uuie.fast_start.as_deref(),
            H323UuPduH323MessageBody::Progress(uuie) => uuie.fast_start.as_deref(),
            H323UuPduH323MessageBody::Connect(uuie) => uuie.fast_start.as_deref(),
            H323UuPduH323MessageBody::Facility(uuie) => uuie.fast_start.as_deref(),
            _ => None,
        }
        .unwrap_or_default()
    }
}

mod call_signal {
    use super::*;

    fn setup() -> Bytes {
        let capture = Capture::parse(&file("h323plus-fast-tunnel")).unwrap();
        let connection = &capture.tcp_connections()[0];
        payloads("h323plus-fast-tunnel", connection).swap_remove(0).2
    }

    #[test]
    fn a_message_without_user_user_has_no_uuie_and_is_kept() {
        let status = Bytes::from_static(&[8, 2, 0x80, 1, 0x7d, 8, 2, 0x80, 0x9e, 0x14, 1, 10]);
        let signal = CallSignal::decode(&status).unwrap();
        assert_eq!(signal.uuie, None);
        assert_eq!(signal.body(), None);
        assert_eq!(signal.h245_control().count(), 0);
        assert_eq!(signal.encode().unwrap(), status);
    }

    #[test]
    fn an_empty_user_user_or_one_of_another_protocol_is_no_uuie() {
        for element in [&[0x7e, 0, 0][..], &[0x7e, 0, 2, 4, b'x']] {
            let octets = Bytes::from([&[8, 2, 0, 1, 5], element].concat());
            let signal = CallSignal::decode(&octets).unwrap();
            assert_eq!(signal.uuie, None);
            assert_eq!(signal.encode().unwrap(), octets);
        }
    }

    #[test]
    fn an_error_says_which_layer_and_leaves_the_call_reference() {
        let not_q931 = CallSignal::decode(&Bytes::from_static(&[3, 0, 0, 4]));
        assert!(matches!(not_q931, Err(CallSignalError::Q931(_))));

        let octets = Bytes::from_static(&[8, 2, 0x12, 0x34, 5, 0x7e, 0, 3, 5, 0x20, 0xa8]);
        let error = CallSignal::decode(&octets).unwrap_err();
        let text = error.to_string();
        let CallSignalError::Uuie { q931, .. } = error else {
            panic!("{text}");
        };
        assert_eq!(q931.call_reference.value(), 0x1234);
        assert_eq!(q931.message_type, MessageType::SETUP);
        assert!(text.starts_with("H.225.0 UUIE in Setup: "), "{text}");
    }

    #[test]
    fn a_new_message_has_the_type_of_its_body_and_the_uuie_last() {
        let original = CallSignal::decode(&setup()).unwrap();
        let uuie = original.uuie.clone().unwrap();
        let mut signal = CallSignal::new(original.q931.call_reference, uuie).unwrap();
        assert_eq!(signal.q931.message_type, MessageType::SETUP);
        for element in &original.q931.elements {
            if element.id() != ElementId::USER_USER {
                signal.q931.insert(element.clone());
            }
        }
        assert_eq!(signal.encode().unwrap(), original.encode().unwrap());
        // Encoded once more, the UUIE takes the place of the one before.
        let again = CallSignal::decode(&signal.encode().unwrap()).unwrap();
        assert_eq!(again.encode().unwrap(), original.encode().unwrap());
        assert_eq!(again.q931.find_all(ElementId::USER_USER).count(), 1);
    }

    #[test]
    fn a_uuie_that_outgrows_its_element_is_not_sent() {
        let mut signal = CallSignal::decode(&setup()).unwrap();
        let pdu = &mut signal.uuie.as_mut().unwrap().h323_uu_pdu;
        pdu.h245_control = Some(vec![Bytes::from(vec![0; 40_000]); 2]);
        assert!(matches!(signal.encode(), Err(CallSignalEncodeError::Q931(_))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn a_mutated_real_message_decodes_or_names_its_layer(
            name in prop::sample::select(vec!["h323plus-fast-tunnel", "oo-out-fast-dtmf", "gk-h46018"]),
            choice in any::<prop::sample::Index>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        ) {
            let capture = Capture::parse(&file(name)).unwrap();
            let connection = capture.tcp_connections().iter().find(|c| is_call_signalling(c)).unwrap();
            let messages = payloads(name, connection);
            let mut octets = messages[choice.index(messages.len())].2.to_vec();
            let length = octets.len();
            for (at, octet) in changes {
                octets[at.index(length)] = octet;
            }
            if let Ok(signal) = CallSignal::decode(&Bytes::from(octets)) {
                // A lenient value may break a constraint when encoded; else it is a fixed point.
                if let Ok(again) = signal.encode() {
                    let read = CallSignal::decode(&again).unwrap();
                    prop_assert_eq!(&read.uuie, &signal.uuie);
                    prop_assert_eq!(read.encode().unwrap(), again);
                }
            }
        }
    }
}
