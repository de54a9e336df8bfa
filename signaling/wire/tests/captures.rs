//! Captures of other systems, read to the last message.
//! In: `data/captures`. Not here: what makes a capture, of theirs or ours (`capture_files.rs`); rules of the layers by
//! themselves (`tpkt_q931.rs`, the schema's tests).

mod captures_common;

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use captures_common::{data, file, files, tshark};
use offhook_wire::capture::{Capture, CaptureWriter, TcpConnection};
use offhook_wire::h225::H323UuPduH323MessageBody;
use offhook_wire::h225_message::{CallSignal, CallSignalEncodeError, CallSignalError, message_type};
use offhook_wire::pdu::{Kind, Pdu};
use offhook_wire::q931::{ElementId, Message, MessageType};
use offhook_wire::tpkt;
use offhook_wire::trace::{Layer, Trace};
use proptest::prelude::*;

/// The call signalling messages of a capture, without TPKT.
fn call_signalling(capture: &[u8]) -> Vec<Bytes> {
    let trace = Trace::follow(&Capture::parse(capture).unwrap());
    let messages = trace.messages.into_iter().filter(|message| message.layer == Layer::CallSignalling);
    messages.map(|message| message.octets).collect()
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
    fn every_call_signalling_message_is_a_q931_message_with_an_h225_element() {
        let mut types = BTreeMap::new();
        for (name, octets) in files() {
            for payload in call_signalling(&octets) {
                let message = Message::decode(&payload).unwrap_or_else(|e| panic!("{name}: {e}"));
                assert_eq!(message.encode().unwrap(), payload, "{name}");
                let user_user = message.user_user();
                assert!(user_user.is_some_and(|user_user| user_user.is_h225()), "{name}");
                *types.entry(message.message_type.to_string()).or_insert(0) += 1;
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
            for payload in call_signalling(&octets) {
                let message = Message::decode(&payload).unwrap();
                ours[0].push(format!("{:#04x}", message.message_type.0));
                ours[1].push(format!("{:04x}", message.call_reference.value()));
                ours[2].extend(message.cause().map(|cause| cause.0.to_string()));
                ours[3].extend(message.display());
                ours[4].extend(message.keypad_facility());
                ours[5].extend(message.calling_party_number().map(|number| number.digits));
                ours[6].extend(message.called_party_number().map(|number| number.digits));
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

    #[test]
    fn every_message_of_every_layer_decodes_wholly_and_encodes_to_its_octets() {
        let mut counts = Counts::default();
        for (name, octets) in files() {
            let capture = Capture::parse(&octets).unwrap();
            let trace = Trace::follow(&capture);
            assert_eq!((trace.errors(), trace.other_connections), (0, 0), "{name}");
            counts.h245_channels += capture.tcp_connections().len() - signalling_connections(&trace);
            for message in &trace.messages {
                let pdu = message.pdu.as_ref().unwrap_or_else(|error| panic!("{name}: {error}"));
                // Even those of earlier versions, whose presence bitmaps are shorter than ours.
                assert_eq!(pdu.encode().as_ref(), Ok(&message.octets), "{name}");
                *match message.layer {
                    Layer::Ras => &mut counts.ras,
                    Layer::CallSignalling => &mut counts.call_signals,
                    Layer::H245Tunnelled => &mut counts.h245_tunnelled,
                    Layer::H245 => &mut counts.h245_messages,
                } += 1;
                // None is of H.245 that no call signalling told of.
                assert_eq!(message.signalling.is_none(), message.layer == Layer::Ras, "{name}");
                let Pdu::Q931(signal) = pdu else { continue };
                let body = signal.body().unwrap_or_else(|| panic!("{name}: no UUIE"));
                assert_eq!(message_type(body), Some(signal.q931.message_type), "{name}");
                for element in fast_start(body) {
                    let open = Pdu::decode(Kind::Olc, element).unwrap_or_else(|e| panic!("{name}: {e}"));
                    assert_eq!(open.encode().as_ref(), Ok(element), "{name}");
                    counts.fast_start += 1;
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
    }

    fn signalling_connections(trace: &Trace) -> usize {
        let connections = trace.messages.iter().filter(|message| message.layer == Layer::CallSignalling);
        connections.filter_map(|message| message.signalling).collect::<HashSet<_>>().len()
    }

    /// The capture with every call signalling message and H.245 message decoded and encoded again.
    fn encoded_again(octets: &[u8]) -> Vec<u8> {
        let capture = Capture::parse(octets).unwrap();
        let mut writer = CaptureWriter::new(Vec::new()).unwrap();
        let mut opened = HashSet::new();
        for mut message in Trace::follow(&capture).messages {
            if let Ok(Pdu::Q931(signal)) = &mut message.pdu
                && let Some(uuie) = &mut signal.uuie
            {
                for control in uuie.h323_uu_pdu.h245_control.iter_mut().flatten() {
                    *control = Pdu::decode(Kind::H245, control).unwrap().encode().unwrap();
                }
            }
            let at = capture.start() + message.at;
            let (from, to) = (message.from, message.to);
            let payload = message.pdu.unwrap().encode().unwrap();
            if matches!(message.layer, Layer::CallSignalling | Layer::H245) {
                if opened.insert((from, to)) && opened.insert((to, from)) {
                    let ours = |c: &&TcpConnection| [(from, to), (to, from)].contains(&(c.client, c.server));
                    let connection = capture.tcp_connections().iter().find(ours).unwrap();
                    writer.tcp_connect(at, connection.client, connection.server).unwrap();
                }
                writer.tcp(at, from, to, &tpkt::encode(&payload).unwrap()).unwrap();
            }
        }
        writer.finish(capture.start() + Duration::from_secs(300)).unwrap()
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
            let ours = encoded_again(&octets);
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
        call_signalling(&file("h323plus-fast-tunnel")).swap_remove(0)
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
            let messages = call_signalling(&file(name));
            let mut octets = messages[choice.index(messages.len())].to_vec();
            let length = octets.len();
            for (at, octet) in changes {
                octets[at.index(length)] = octet;
            }
            let octets = Bytes::from(octets);
            if let Ok(signal) = CallSignal::decode(&octets) {
                prop_assert_eq!(signal.encode().unwrap(), octets);
            }
        }

        #[test]
        fn a_mutated_message_of_a_real_system_is_a_message_or_an_error(
            choice in any::<prop::sample::Index>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            end in any::<prop::sample::Index>(),
        ) {
            static MESSAGES: LazyLock<Vec<Bytes>> =
                LazyLock::new(|| files().iter().flat_map(|(_, octets)| call_signalling(octets)).collect());
            let mut octets = MESSAGES[choice.index(MESSAGES.len())].to_vec();
            // Most elements stand at the head; the UUIE behind them is the schema's to fuzz.
            let head = octets.len().min(48);
            for (at, octet) in changes {
                octets[at.index(head)] = octet;
            }
            octets.truncate(1 + end.index(octets.len()));
            let octets = Bytes::from(octets);
            if let Ok(message) = Message::decode(&octets) {
                prop_assert_eq!(message.encode().unwrap(), octets);
            }
        }
    }
}
