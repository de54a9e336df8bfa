//! The header view and writer against the `rtp` crate as an independent oracle, and against arbitrary bytes.

use bytes::Bytes;
use offhook_rtp::{
    HeaderError, PayloadTypes, Receipt, ReceiverConfig, Reject, RtpHeader, RtpReceiver, RtpView,
};
use proptest::collection::vec;
use proptest::prelude::*;
use rtp::header::Header;
use rtp::packet::Packet;
use webrtc_util::marshal::{Marshal, Unmarshal};

/// Packets as the oracle writes them: contributing sources, RFC 8285 elements or an opaque extension, padding.
fn packets() -> impl Strategy<Value = Packet> {
    let fixed = (any::<bool>(), any::<bool>(), 0_u8..128, any::<u16>(), any::<u32>(), any::<u32>());
    let extension = prop_oneof![
        Just((0_u16, vec![])),
        vec((1_u8..15, vec(any::<u8>(), 1..17)), 1..5).prop_map(|elements| (0xBEDE, elements)),
        vec((1_u8..=255, vec(any::<u8>(), 0..40)), 1..5).prop_map(|elements| (0x1000, elements)),
        (0x2000_u16..0xB000, vec(any::<u8>(), 0..8)).prop_map(|(profile, word)| {
            (profile, vec![(0, word.iter().flat_map(|octet| [*octet; 4]).collect())])
        }),
    ];
    (fixed, vec(any::<u32>(), 0..16), extension, vec(any::<u8>(), 0..200)).prop_map(
        |((padding, marker, payload_type, sequence_number, timestamp, ssrc), csrc, extension, payload)| {
            let (extension_profile, elements) = extension;
            let element =
                |(id, data): (u8, Vec<u8>)| rtp::header::Extension { id, payload: Bytes::from(data) };
            Packet {
                header: Header {
                    version: 2,
                    padding,
                    extension: extension_profile != 0,
                    marker,
                    payload_type,
                    sequence_number,
                    timestamp,
                    ssrc,
                    csrc,
                    extension_profile,
                    extensions: elements.into_iter().map(element).collect(),
                    extensions_padding: 0,
                },
                payload: Bytes::from(payload),
            }
        },
    )
}

/// Bytes that are nearly a packet: the right version, small counts, a likely extension profile.
fn near_packets() -> impl Strategy<Value = Vec<u8>> {
    let profile = prop_oneof![Just([0xBE, 0xDE]), Just([0x10, 0x00]), Just([0x10, 0x07]), any::<[u8; 2]>()];
    (0_u8..64, profile, 0_u8..6, vec(any::<u8>(), 0..80)).prop_map(|(flags, profile, words, mut bytes)| {
        if let Some(first) = bytes.first_mut() {
            *first = 0x80 | flags & 0x33;
        }
        let at = 12 + 4 * usize::from(flags & 0x03);
        if let Some(preamble) = bytes.get_mut(at..at + 4) {
            preamble.copy_from_slice(&[profile[0], profile[1], 0, words]);
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn what_we_write_the_oracle_reads_field_by_field(
        marker: bool, payload_type in 0_u8..128, sequence_number: u16, timestamp: u32, ssrc: u32,
        payload in vec(any::<u8>(), 0..300),
    ) {
        let header = RtpHeader { marker, payload_type, sequence_number, timestamp, ssrc };
        let mut bytes = vec![0xEE; RtpHeader::LEN];
        prop_assert_eq!(header.write(&mut bytes), Some(12));
        bytes.extend_from_slice(&payload);
        let read = Packet::unmarshal(&mut &bytes[..]).unwrap();
        prop_assert_eq!(read.header, Header {
            version: 2, marker, payload_type, sequence_number, timestamp, ssrc, ..Header::default()
        });
        prop_assert_eq!(&read.payload[..], &payload[..]);
        let view = RtpView::parse(&bytes).unwrap();
        prop_assert_eq!(view.payload(), &payload[..]);
        prop_assert_eq!(view.header_len(), RtpHeader::LEN);
        prop_assert_eq!(view.as_bytes(), &bytes[..]);
    }

    #[test]
    fn what_the_oracle_writes_we_read_field_by_field(packet in packets()) {
        let bytes = packet.marshal().unwrap();
        let view = RtpView::parse(&bytes).unwrap();
        let header = &packet.header;
        prop_assert_eq!(view.marker(), header.marker);
        prop_assert_eq!(view.payload_type(), header.payload_type);
        prop_assert_eq!(view.sequence_number(), header.sequence_number);
        prop_assert_eq!(view.timestamp(), header.timestamp);
        prop_assert_eq!(view.ssrc(), header.ssrc);
        prop_assert_eq!(view.csrcs().len(), header.csrc.len());
        prop_assert_eq!(view.csrcs().collect::<Vec<_>>(), header.csrc.clone());
        prop_assert_eq!(view.payload(), &packet.payload[..]);
        prop_assert_eq!(view.padding() > 0, header.padding);
        prop_assert_eq!(view.extension().is_some(), header.extension);
        if let Some(extension) = view.extension() {
            prop_assert_eq!(extension.profile(), header.extension_profile);
            if matches!(header.extension_profile, 0xBEDE | 0x1000) {
                let ours = extension.elements().map(|(id, data)| (id, data.to_vec())).collect::<Vec<_>>();
                let theirs = header.extensions.iter().map(|e| (e.id, e.payload.to_vec())).collect::<Vec<_>>();
                prop_assert_eq!(ours, theirs);
            } else {
                prop_assert_eq!(extension.data(), &header.extensions[0].payload[..]);
                prop_assert_eq!(extension.elements().count(), 0);
            }
        }
    }

    #[test]
    fn no_bytes_panic_and_what_passes_is_safe_for_the_oracle(
        bytes in prop_oneof![vec(any::<u8>(), 0..80), near_packets()],
    ) {
        let Ok(view) = RtpView::parse(&bytes) else { return Ok(()) };
        // The oracle panics on what it cannot hold; it must not panic on anything that passed.
        let read = Packet::unmarshal(&mut &bytes[..]);
        let elements = view.extension().map(|e| e.elements().collect::<Vec<_>>()).unwrap_or_default();
        prop_assert!(elements.iter().all(|(id, _)| *id != 0));
        // An element with identifier 15 ends the elements; the oracle then takes the rest of the extension for payload.
        if let Ok(read) = read && read.payload.len() == view.payload().len() {
            prop_assert_eq!(&read.payload[..], view.payload());
            prop_assert_eq!(read.header.ssrc, view.ssrc());
        }
        let octets = view.header_len() + view.payload().len() + usize::from(view.padding());
        prop_assert_eq!(octets, bytes.len());
    }

    #[test]
    fn every_prefix_of_a_packet_is_refused_or_read(packet in packets(), cut in 0_usize..400) {
        let bytes = packet.marshal().unwrap();
        let cut = cut.min(bytes.len());
        let _ = RtpView::parse(&bytes[..cut]);
        let mut receiver = RtpReceiver::new(ReceiverConfig::default());
        let _ = receiver.receive(0, &bytes[..cut]);
    }
}

#[test]
fn an_element_past_the_end_of_its_extension_is_refused() {
    // The 28 octets that make the `rtp` crate panic: one word of extension, its element 16 octets long.
    let mut bytes = vec![0x90, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xBE, 0xDE, 0, 1, 0x1F, 1, 2, 3];
    bytes.resize(28, 0xAA);
    assert!(std::panic::catch_unwind(|| Packet::unmarshal(&mut &bytes[..]).is_ok()).is_err());
    assert_eq!(RtpView::parse(&bytes), Err(HeaderError::ExtensionElement(16)));
}

#[test]
fn an_element_with_identifier_fifteen_ends_the_elements_but_not_the_packet() {
    let bytes =
        [0x90, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xBE, 0xDE, 0, 2, 0x10, 7, 0xFF, 1, 0x2F, 0, 0, 0, 0x55];
    let view = RtpView::parse(&bytes).unwrap();
    assert_eq!(view.extension().unwrap().elements().collect::<Vec<_>>(), [(1, &[7][..])]);
    assert_eq!(view.payload(), [0x55]);
}

#[test]
fn two_byte_elements_are_read_with_any_application_bits() {
    let bytes = [0x90, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0x10, 0x0A, 0, 2, 200, 0, 0, 9, 3, 1, 2, 3];
    let view = RtpView::parse(&bytes).unwrap();
    let elements = view.extension().unwrap().elements().collect::<Vec<_>>();
    assert_eq!(elements, [(200, &[][..]), (9, &[1, 2, 3][..])]);
    assert!(view.payload().is_empty());
}

#[test]
fn wrong_versions_and_impossible_padding_are_refused() {
    let mut bytes = [0_u8; 14];
    for version in [0_u8, 1, 3] {
        bytes[0] = version << 6;
        assert_eq!(RtpView::parse(&bytes), Err(HeaderError::Version(version)));
    }
    bytes[0] = 0xA0;
    for count in [0, 3, 255] {
        bytes[13] = count;
        assert_eq!(RtpView::parse(&bytes), Err(HeaderError::Padding { count, available: 2 }));
    }
    bytes[13] = 2;
    assert!(RtpView::parse(&bytes).unwrap().payload().is_empty());
    assert_eq!(RtpView::parse(&bytes[..12]), Err(HeaderError::Padding { count: 0, available: 0 }));
}

#[test]
fn datagrams_of_one_octet_are_runts_and_not_malformed() {
    assert_eq!(RtpView::parse(&[0]), Err(HeaderError::Runt(1)));
    assert_eq!(RtpView::parse(&[]), Err(HeaderError::Runt(0)));
    let mut receiver = RtpReceiver::new(ReceiverConfig::default());
    assert_eq!(receiver.receive(0, &[0x80]), Receipt::Reject(Reject::Runt));
    assert_eq!(receiver.receive(0, &[]), Receipt::Reject(Reject::Runt));
    assert!(matches!(receiver.receive(0, &[0x80, 0]), Receipt::Reject(Reject::Malformed(_))));
    assert_eq!((receiver.stats().runts, receiver.stats().malformed), (2, 1));
}

#[test]
fn payload_type_sets_hold_what_was_put_in() {
    let agreed = PayloadTypes::NONE.with(0).with(101).with(127).with(200);
    let held = (0..=255).filter(|payload_type| agreed.contains(*payload_type)).collect::<Vec<_>>();
    assert_eq!(held, [0, 101, 127]);
    let refused =
        (0..128).filter(|payload_type| !PayloadTypes::ANY.contains(*payload_type)).collect::<Vec<_>>();
    assert_eq!(refused, [72, 73, 74, 75, 76]);
}
