//! Defects of other systems, a test each, by class: advisories and commits of stacks that had them.
//! In: constructed octets. Each is refused or read, and the connection's next message is not hurt.
//! Not here: mutated messages (`fuzz.rs`), recursion to the deepest (`vectors_hostile.rs`), memory
//! (`vectors_memory.rs`), Q.931 elements overrun, empty or short (`tpkt_q931.rs`), time
//! (`benches/wire.rs`).

mod support;

use bytes::Bytes;
use offhook_wire::h225_message::{CallSignal, CallSignalError};
use offhook_wire::per::{self, Kind, Type};
use offhook_wire::q931::{CallReference, Display, Element, Message, MessageType};
use offhook_wire::tpkt::{self, TpktDecoder, TpktError};
use offhook_wire::{h225, h245};

fn fails<T: Type + std::fmt::Debug>(octets: impl Into<Bytes>, kind: Kind) {
    let octets = octets.into();
    assert_eq!(per::decode::<T>(&octets).map_err(|error| error.kind()).err(), Some(kind), "{octets:02x?}");
}

// --- TPKT ---------------------------------------------------------------------------------------------

#[test]
fn a_tpkt_longer_than_what_follows_waits_and_never_spins() {
    // ooh323: an endless loop reading the second part.
    let mut decoder = TpktDecoder::new();
    decoder.push(&[3, 0, 0xff, 0xff, 8]);
    for octet in 0..200 {
        assert_eq!(decoder.next(), Ok(None));
        decoder.push(&[octet]);
    }
    assert_eq!(decoder.buffered(), 205);
}

#[test]
fn an_oversize_tpkt_is_refused_from_its_header() {
    let mut decoder = TpktDecoder::with_limit(16 * 1024);
    decoder.push(&[3, 0, 0x40, 0x01]);
    assert_eq!(decoder.next(), Err(TpktError::TooLong { length: 0x4001, limit: 16 * 1024 }));
    assert_eq!(decoder.buffered(), 0);
}

#[test]
fn a_tpkt_without_payload_is_no_message() {
    let mut decoder = TpktDecoder::new();
    decoder.push(&tpkt::encode(&[]).unwrap().repeat(1000));
    assert_eq!(decoder.next(), Ok(None));
    assert_eq!(decoder.keep_alives(), 1000);
}

// --- call signalling ------------------------------------------------------------------------------------

#[test]
fn pdus_of_no_octets_are_truncated() {
    fails::<h225::RasMessage>(Bytes::new(), Kind::Truncated);
    fails::<h225::H323UserInformation>(Bytes::new(), Kind::Truncated);
    fails::<h245::MultimediaSystemControlMessage>(Bytes::new(), Kind::Truncated);
    fails::<h245::OpenLogicalChannel>(Bytes::new(), Kind::Truncated);
    assert!(matches!(CallSignal::decode(&Bytes::new()), Err(CallSignalError::Q931(_))));
}

#[test]
fn a_message_without_uuie_is_still_a_message() {
    // GnuGk crashed on it.
    for octets in [&[8, 2, 0, 1, 5][..], &[8, 2, 0, 1, 0x5a, 8, 2, 0x80, 0x90], &[8, 2, 0, 1, 0x62]] {
        let signal = CallSignal::decode(&Bytes::copy_from_slice(octets)).unwrap();
        assert_eq!((signal.uuie.as_ref(), signal.body()), (None, None));
        assert_eq!(signal.encode().unwrap(), octets);
    }
}

#[test]
fn a_uuie_of_length_zero_or_shorter_than_its_contents_is_named() {
    // Linux CVE-2026-23455: the length less one wraps.
    let short = |uuie: &[u8]| {
        let length = [0, uuie.len() as u8];
        CallSignal::decode(&Bytes::from([&[8, 2, 0, 1, 5, 0x7e], &length[..], uuie].concat()))
    };
    assert_eq!(short(&[]).unwrap().uuie, None);
    let setup = per::encode(&uuie()).unwrap();
    for end in 0..setup.len() {
        let cut = short(&[&[5], &setup[..end]].concat());
        match cut.unwrap_err() {
            CallSignalError::Uuie { q931, source } => {
                assert_eq!(q931.message_type, MessageType::SETUP);
                assert_eq!(source.kind(), Kind::Truncated, "{source}");
            }
            other => panic!("{other}"),
        }
    }
    assert!(short(&[&[5], &setup[..]].concat()).unwrap().uuie.is_some());
}

fn uuie() -> h225::H323UserInformation {
    let body = h225::StatusUuie::new(offhook_wire::per::Oid::new(&[0, 0, 8, 2250, 0, 7]), call());
    h225::H323UserInformation::new(h225::H323UuPdu::new(h225::H323UuPduH323MessageBody::Status(body.into())))
}

fn call() -> h225::CallIdentifier {
    h225::CallIdentifier::new([7; 16])
}

// --- PER ------------------------------------------------------------------------------------------------

/// A MasterSlaveDeterminationRelease, which has no additions, with `bitmap` behind its extension bit.
fn with_bitmap(bitmap: &[u8]) -> Bytes {
    Bytes::from([&[0x62], bitmap].concat())
}

#[test]
fn extension_bitmaps_of_32_64_and_more_bits_are_no_trap() {
    // Linux CVE-2024-26851: a shift by more than 31. The length of a bitmap takes six bits up to
    // 64, a length determinant beyond.
    type Message = h245::MultimediaSystemControlMessage;
    for bits in [1u8, 31, 32, 33, 63, 64] {
        // Indication, root, index 2 of 14; extension bit; small length; the last bit set.
        let mut message = bit_string("011 0001 0 1 0");
        message.extend(bit_string(&format!("{:06b}", bits - 1)));
        message.extend((1..bits).map(|_| false));
        message.push(true);
        let mut octets = pack(&message);
        octets.extend([1, 0xaa]);
        let value = per::decode::<Message>(&octets.clone().into());
        let value = value.unwrap_or_else(|error| panic!("{bits}: {error}"));
        assert_eq!(per::encode(&value).unwrap(), octets, "{bits}");
    }
    // Announced as large, of every length, and none of the bits is there.
    for length in [&[0x40][..], &[0x7f], &[0x80, 0x80], &[0xbf, 0xff]] {
        fails::<Message>(with_bitmap(&[&[0xc0], length].concat()), Kind::Truncated);
    }
    // Fragments, reserved forms, and no bit at all.
    for length in [&[0xc1][..], &[0xc4], &[0xff], &[0x00]] {
        let error = per::decode::<Message>(&with_bitmap(&[&[0xc0], length, &[0; 300]].concat()));
        assert!(error.is_err(), "{length:02x?}");
    }
}

fn bit_string(text: &str) -> Vec<bool> {
    text.chars().filter(|c| !c.is_whitespace()).map(|c| c == '1').collect()
}

fn pack(bits: &[bool]) -> Vec<u8> {
    let octet =
        |bits: &[bool]| (0..8).fold(0, |octet, at| octet << 1 | u8::from(bits.get(at) == Some(&true)));
    bits.chunks(8).map(octet).collect()
}

#[test]
fn choice_indices_out_of_range_are_refused_or_kept() {
    // Linux CVE-2007-3642.
    // The root of RasMessage has 25 alternatives in five bits.
    for index in 25..32u8 {
        fails::<h225::RasMessage>(vec![index << 2, 0, 0, 0], Kind::BadAlternative);
    }
    // Behind the mark any index is some later version's, as far as 32 bits go.
    for index in [&[0x01, 0x7f][..], &[0x02, 0xff, 0xff], &[0x04, 0xff, 0xff, 0xff, 0xff]] {
        let octets = [&[0xc0], index, &[2, 0xab, 0xcd]].concat();
        let message = per::decode::<h225::RasMessage>(&octets.clone().into()).unwrap();
        assert!(matches!(*message, h225::RasMessage::Unrecognized(_)));
        assert_eq!(per::encode(&message).unwrap(), octets);
    }
    fails::<h225::RasMessage>(vec![0xc0, 5, 1, 1, 1, 1, 1, 0], Kind::BadLength);
}

#[test]
fn lengths_in_fragments_are_joined_or_refused_and_never_trusted() {
    // An unknown addition of one to four blocks of 16K that are not there.
    for blocks in 0xc1..=0xc4u8 {
        let mut octets = pack(&bit_string("011 0001 0 1 0 000000 1"));
        octets.push(blocks);
        octets.extend([0; 100]);
        fails::<h245::MultimediaSystemControlMessage>(octets, Kind::Truncated);
    }
    // Zero and five blocks do not exist.
    for blocks in [0xc0u8, 0xc5, 0xff] {
        let mut octets = pack(&bit_string("011 0001 0 1 0 000000 1"));
        octets.push(blocks);
        octets.extend([0; 100]);
        fails::<h245::MultimediaSystemControlMessage>(octets, Kind::BadLength);
    }
}

// --- H.245 ------------------------------------------------------------------------------------------------

fn capability_set(entries: u16) -> h245::MultimediaSystemControlMessage {
    let mut set = h245::TerminalCapabilitySet::new(1, offhook_wire::per::Oid::new(&[0, 0, 8, 245, 0, 13]));
    let entry = |number| {
        let mut entry = h245::CapabilityTableEntry::new(number);
        let audio = h245::AudioCapability::G711Alaw64k(20);
        entry.capability = Some(h245::Capability::ReceiveAudioCapability(audio));
        entry
    };
    set.capability_table = Some((1..=entries).map(entry).collect());
    h245::MultimediaSystemControlMessage::Request(h245::RequestMessage::TerminalCapabilitySet(set.into()))
}

#[test]
fn a_capability_set_of_more_than_64_and_of_256_entries_is_read_whole() {
    // GnuGk had a table of 64.
    for entries in [64, 65, 128, 256] {
        let octets = per::encode(&capability_set(entries)).unwrap();
        assert_eq!(per::decode(&octets.into()), Ok(per::Message::from(capability_set(entries))));
    }
    // The standard ends at 256.
    assert_eq!(per::encode(&capability_set(257)).unwrap_err().kind(), Kind::BadLength);
}

#[test]
fn an_acknowledgement_without_a_media_control_channel_is_one() {
    // GnuGk read the address that was not there.
    for parameters in [None, Some(h245::H2250LogicalChannelAckParameters::default())] {
        let mut ack = h245::OpenLogicalChannelAck::new(101);
        ack.forward_multiplex_ack_parameters = parameters.map(|parameters| {
            h245::OpenLogicalChannelAckForwardMultiplexAckParameters::H2250LogicalChannelAckParameters(
                parameters.into(),
            )
        });
        let response = h245::ResponseMessage::OpenLogicalChannelAck(ack.into());
        let message = h245::MultimediaSystemControlMessage::Response(response.into());
        let octets = per::encode(&message).unwrap();
        assert_eq!(per::decode(&octets.into()), Ok(per::Message::from(message)));
    }
}

#[test]
fn a_non_standard_indication_of_any_octets_is_read() {
    // GnuGk crashed on one of no octets.
    for data in [&[][..], &[0], &[0xff; 300]] {
        let identifier = h245::NonStandardIdentifier::H221NonStandard(
            h245::NonStandardIdentifierH221NonStandard::new(255, 255, 65_535),
        );
        let parameter = h245::NonStandardParameter::new(identifier, Bytes::copy_from_slice(data));
        let indication =
            h245::IndicationMessage::NonStandard(h245::NonStandardMessage::new(parameter).into());
        let message = h245::MultimediaSystemControlMessage::Indication(indication.into());
        let octets = per::encode(&message).unwrap();
        assert_eq!(per::decode(&octets.into()), Ok(per::Message::from(message)));
    }
}

#[test]
fn recursion_to_a_depth_of_21_000_is_an_error_and_no_overflow() {
    // Three octets a level: as many as fit a TPKT. rasn and simple_asn1 overflowed the stack.
    let attack = |head: &[u8], level: &[u8]| {
        let mut octets = head.to_vec();
        for _ in 0..21_000 {
            octets.extend_from_slice(level);
        }
        octets.truncate(tpkt::MAX_PAYLOAD);
        Bytes::from(octets)
    };
    let heads: [&[u8]; 3] = [
        // genericRequest with messageContent: genericParameter in genericParameter …
        &[0x10, 0x80, 0xbf, 0xff, 0x20, 0x05, 0x00, 0x08, 0x81, 0x6f, 0x02],
        // multiplexEntrySend: subElementList in subElementList …
        &[0x0a, 0x00, 0x00, 0x80],
        // unregistrationConfirm with genericData: nested in parameters, compound in parameters …
        &[0x1e, 0x80, 0x00, 0x00, 0x02, 0x01, 0x80],
    ];
    let levels: [&[u8]; 5] = [
        &[0x01, 0x00, 0x07],
        &[0x80, 0x00, 0x00],
        &[0x00, 0x00, 0x00],
        &[0x40, 0x01, 0x58],
        &[0x50, 0x01, 0x00],
    ];
    let work = move || {
        for head in heads {
            for level in levels {
                let octets = attack(head, level);
                drop(per::decode::<h245::MultimediaSystemControlMessage>(&octets));
                drop(per::decode::<h225::RasMessage>(&octets));
            }
        }
    };
    let thread = std::thread::Builder::new().stack_size(256 * 1024).spawn(work).unwrap();
    thread.join().expect("no panic, and no overflow, which would end the process");
}

// --- text -------------------------------------------------------------------------------------------------

/// NUL, lines of a log's own, colours of a terminal, formats of `printf`, text that turns around.
const HOSTILE: &str = "a\0b\r\nERROR forged\n\u{1b}[31m\u{1b}]0;title\u{7}%s%n%08x{}\u{202e}\u{7f}\u{9b}";

#[track_caller]
fn harmless(shown: &str) {
    let control = shown.chars().find(|c| c.is_control());
    assert_eq!(control, None, "in {shown:?}");
}

#[test]
fn hostile_text_in_aliases_is_shown_safely() {
    // Asterisk GHSA-x348-j6c9-77f3: a trace overflown by remote text; PWLib CVE-2007-4897: formats.
    let ascii: String = HOSTILE.chars().filter(char::is_ascii).collect();
    for alias in [
        h225::AliasAddress::H323Id(HOSTILE.into()),
        h225::AliasAddress::UrlId(ascii.clone()),
        h225::AliasAddress::EmailId(ascii),
        h225::AliasAddress::H323Id("\u{1b}".repeat(256).as_str().into()),
    ] {
        let octets = Bytes::from(per::encode(&alias).unwrap());
        let alias = per::decode::<h225::AliasAddress>(&octets).unwrap();
        harmless(&format!("{alias:?}"));
        // JSON escapes what its standard wants escaped; DEL and C1 are for who prints it to see to.
        let json = alias.to_json().to_string();
        assert!(!json.chars().any(|c| c < ' '), "in {json:?}");
        // And what is shown in JSON is what was sent.
        assert_eq!(per::json::build(&alias.to_json()), Ok(alias));
    }
}

#[test]
fn hostile_text_in_a_display_element_is_shown_safely() {
    let display = Display::new(HOSTILE);
    let message = Message::new(MessageType::SETUP, CallReference::new(1, false)).with(&display);
    let message = Message::decode(&message.encode().unwrap()).unwrap();
    harmless(&format!("{message:?}"));
    harmless(&format!("{:?}", message.display()));
    harmless(&format!("{:?}", Display::decode(message.elements[0].contents())));
}

#[test]
fn an_error_shows_no_text_of_the_peer() {
    let digits = h225::AliasAddress::DialledDigits("1".into());
    let octets = per::encode(&digits).unwrap();
    let mut message = octets.clone();
    *message.last_mut().unwrap() = 0xff;
    let error = per::decode::<h225::AliasAddress>(&message.into()).unwrap_err();
    harmless(&error.to_string());
    harmless(&format!("{error:?}"));
}
