//! TPKT and Q.931: constant octets built and parsed, traps of other systems, arbitrary octets.
//! Not here: messages of real systems (`captures.rs`).

use bytes::Bytes;
use offhook_wire::q931::{
    BearerCapability, CallReference, CallReferenceLength, CallState, CalledPartyNumber,
    CalledPartySubaddress, CallingPartyNumber, Cause, CauseElement, Codeset, ConnectedNumber, DecodeError,
    Display, Element, ElementId, EncodeError, InformationElement, KeypadFacility, Location, MAX_ELEMENTS,
    Message, MessageType, NotificationIndicator, NumberingPlan, Presentation, ProgressIndicator,
    RedirectingNumber, Screening, Signal, TypeOfNumber, UserUser,
};
use offhook_wire::tpkt::{self, TpktDecoder, TpktError};
use proptest::prelude::*;

/// All payloads that are ready.
fn drain(decoder: &mut TpktDecoder) -> Result<Vec<Bytes>, TpktError> {
    std::iter::from_fn(|| decoder.next().transpose()).collect()
}

mod tpkt_stream {
    use super::*;

    const TWO: &[u8] = &[3, 0, 0, 6, 0xaa, 0xbb, 3, 0, 0, 5, 0xcc];

    #[test]
    fn the_same_octets_are_built_and_parsed() {
        let mut built = tpkt::encode(&[0xaa, 0xbb]).unwrap().to_vec();
        built.extend_from_slice(&tpkt::encode(&[0xcc]).unwrap());
        assert_eq!(built, TWO);
        let mut decoder = TpktDecoder::new();
        decoder.push(TWO);
        let payloads = drain(&mut decoder).unwrap();
        assert_eq!(payloads, [&[0xaa, 0xbb][..], &[0xcc]]);
        assert_eq!(decoder.buffered(), 0);
    }

    #[test]
    fn a_packet_may_arrive_octet_by_octet() {
        let mut decoder = TpktDecoder::new();
        let mut payloads = Vec::new();
        for octet in TWO {
            decoder.push(&[*octet]);
            payloads.extend(drain(&mut decoder).unwrap());
        }
        assert_eq!(payloads, [&[0xaa, 0xbb][..], &[0xcc]]);
    }

    #[test]
    fn keep_alives_are_skipped_and_counted() {
        let mut decoder = TpktDecoder::new();
        decoder.push(&[3, 0, 0, 4, 3, 0, 0, 4, 3, 0, 0, 5, 1, 3, 0, 0, 4]);
        assert_eq!(drain(&mut decoder).unwrap(), [&[1][..]]);
        assert_eq!(decoder.keep_alives(), 3);
        assert_eq!(tpkt::encode(&[]).unwrap(), &[3, 0, 0, 4][..]);
    }

    #[test]
    fn a_length_below_the_header_is_an_error_for_ever() {
        for length in 0..4 {
            let mut decoder = TpktDecoder::new();
            decoder.push(&[3, 0, 0, length]);
            let error = TpktError::TooShort(u16::from(length));
            assert_eq!(decoder.next(), Err(error));
            decoder.push(TWO);
            assert_eq!(decoder.next(), Err(error));
            assert_eq!(decoder.buffered(), 0);
        }
    }

    #[test]
    fn another_version_is_an_error_at_its_first_octet() {
        let mut decoder = TpktDecoder::new();
        decoder.push(TWO);
        decoder.push(&[2]);
        assert_eq!(decoder.next().unwrap().unwrap(), &[0xaa, 0xbb][..]);
        assert_eq!(decoder.next().unwrap().unwrap(), &[0xcc][..]);
        assert_eq!(decoder.next(), Err(TpktError::Version(2)));
    }

    #[test]
    fn the_length_limit_counts_the_header_and_needs_only_the_header() {
        let mut decoder = TpktDecoder::with_limit(6);
        decoder.push(&[3, 0, 0, 6, 1, 2, 3, 0, 0, 7]);
        assert_eq!(decoder.next().unwrap().unwrap(), &[1, 2][..]);
        let (length, limit) = (7, 6);
        assert_eq!(decoder.next(), Err(TpktError::TooLong { length, limit }));
    }

    #[test]
    fn the_longest_payload_fits_and_one_octet_more_does_not() {
        let payload = vec![7; tpkt::MAX_PAYLOAD + 1];
        assert_eq!(tpkt::encode(&payload), Err(TpktError::PayloadTooLong(payload.len())));
        let packet = tpkt::encode(&payload[1..]).unwrap();
        let mut decoder = TpktDecoder::new();
        decoder.push(&packet);
        assert_eq!(decoder.next().unwrap().unwrap().len(), tpkt::MAX_PAYLOAD);
    }

    #[test]
    fn a_caller_that_never_drains_does_not_fill_the_memory() {
        let mut decoder = TpktDecoder::new();
        for _ in 0..1000 {
            decoder.push(&[3; 65_536]);
            assert!(decoder.buffered() <= tpkt::BUFFER_LIMIT);
        }
        assert_eq!(decoder.next(), Err(TpktError::Undrained));
    }

    proptest! {
        #[test]
        fn any_octets_in_any_portions_give_what_they_give_at_once(
            octets in prop::collection::vec(prop_oneof![Just(3u8), Just(0), 0u8..12, any::<u8>()], 0..200),
            cuts in prop::collection::vec(1usize..9, 1..50),
        ) {
            let mut whole = TpktDecoder::new();
            whole.push(&octets);
            let mut expected = Vec::new();
            let end = loop {
                match whole.next() {
                    Ok(Some(payload)) => expected.push(payload),
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            let mut pieces = TpktDecoder::new();
            let mut got = Vec::new();
            let mut failed = None;
            let mut rest = &octets[..];
            for cut in cuts.iter().cycle() {
                let (piece, behind) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = behind;
                loop {
                    match pieces.next() {
                        Ok(Some(payload)) => got.push(payload),
                        Ok(None) => break,
                        Err(error) => { failed = Some(error); break }
                    }
                }
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(got, expected);
            prop_assert_eq!(failed, end);
            prop_assert_eq!(whole.keep_alives(), pieces.keep_alives());
        }
    }
}

/// A Setup with most typed elements, octet by octet.
const SETUP: &[u8] = &[
    0x08, 0x02, 0x12, 0x34, 0x05, // discriminator, call reference 0x1234, Setup
    0xa1, // Sending complete
    0x04, 0x03, 0x80, 0x90, 0xa5, // Bearer capability: speech, 64 kbit/s, H.221/H.242
    0x1e, 0x02, 0x81, 0x83, // Progress indicator: origination is non-ISDN
    0x28, 0x06, b'a', b'l', b'i', b'c', b'e', 0x00, // Display with the NUL of H323Plus
    0x2c, 0x03, b'1', b'*', b'#', // Keypad facility
    0x34, 0x01, 0x40, // Signal: alerting on, pattern 0
    0x6c, 0x05, 0x21, 0x83, b'4', b'2', b'0', // Calling party number, network provided
    0x70, 0x04, 0xa1, b'1', b'0', b'1', // Called party number, national
    0x74, 0x05, 0x01, 0x21, 0x8f, b'9', b'9', // Redirecting number, restricted, unconditional
    0x7e, 0x00, 0x03, 0x05, 0x20, 0xa8, // User-user
];

fn message(octets: &[u8]) -> Result<Message, DecodeError> {
    Message::decode(&Bytes::copy_from_slice(octets))
}

/// A Setup with one more element.
fn with_element(element: &[u8]) -> Result<Message, DecodeError> {
    message(&[&[0x08, 0x02, 0x00, 0x01, 0x05], element].concat())
}

mod q931_message {
    use super::*;

    #[test]
    fn the_same_octets_are_built_and_parsed() {
        let mut built = Message::new(MessageType::SETUP, CallReference::new(0x1234, false))
            // Not in the order of the wire: 4.5.1 is kept by `with`.
            .with(&UserUser::new(&[0x20, 0xa8][..]))
            .with(&RedirectingNumber {
                type_of_number: TypeOfNumber::UNKNOWN,
                plan: NumberingPlan::E164,
                presentation: Presentation::Restricted,
                screening: Screening::UserProvidedPassed,
                reason: Some(15),
                digits: "99".into(),
            })
            .with(&CalledPartyNumber {
                type_of_number: TypeOfNumber::NATIONAL,
                ..CalledPartyNumber::new("101")
            })
            .with(&CallingPartyNumber {
                type_of_number: TypeOfNumber::NATIONAL,
                screening: Screening::NetworkProvided,
                ..CallingPartyNumber::new("420")
            })
            .with(&Signal::ALERTING_PATTERN_0)
            .with(&KeypadFacility::new("1*#"))
            .with(&Display::new("alice\0"))
            .with(&ProgressIndicator::new(Location::PRIVATE_LOCAL, ProgressIndicator::ORIGINATION_NON_ISDN))
            .with(&BearerCapability::voice(BearerCapability::H221_H242));
        built.insert(InformationElement::SENDING_COMPLETE);
        assert_eq!(built.encode().unwrap(), SETUP);

        let parsed = message(SETUP).unwrap();
        assert_eq!(parsed, built);
        assert_eq!(parsed.message_type, MessageType::SETUP);
        assert_eq!(parsed.call_reference.value(), 0x1234);
        assert_eq!(parsed.display().unwrap(), "alice");
        assert_eq!(parsed.keypad_facility().unwrap(), "1*#");
        assert_eq!(parsed.called_party_number().unwrap().digits, "101");
        let calling = parsed.calling_party_number().unwrap();
        assert_eq!(calling.digits, "420");
        assert_eq!(calling.screening, Screening::NetworkProvided);
        assert_eq!(parsed.user_user().unwrap().information, &[0x20, 0xa8][..]);
        let redirecting: RedirectingNumber = parsed.readable().unwrap();
        assert_eq!(redirecting.reason, Some(15));
        assert_eq!(redirecting.presentation, Presentation::Restricted);
        assert!(parsed.find(ElementId::SENDING_COMPLETE).is_some());
    }

    #[test]
    fn call_references_of_zero_one_and_two_octets_are_kept() {
        let cases: [(&[u8], CallReferenceLength, u16, bool); 5] = [
            (&[0x08, 0x00, 0x62], CallReferenceLength::Zero, 0, false),
            (&[0x08, 0x01, 0x85, 0x62], CallReferenceLength::One, 5, true),
            (&[0x08, 0x01, 0x7f, 0x62], CallReferenceLength::One, 0x7f, false),
            (&[0x08, 0x02, 0xff, 0xff, 0x62], CallReferenceLength::Two, 0x7fff, true),
            (&[0x08, 0x02, 0x00, 0x00, 0x62], CallReferenceLength::Two, 0, false),
        ];
        for (octets, length, value, from_destination) in cases {
            let parsed = message(octets).unwrap();
            assert_eq!(parsed.call_reference.length(), length);
            assert_eq!(parsed.call_reference.value(), value);
            assert_eq!(parsed.call_reference.from_destination(), from_destination);
            assert_eq!(parsed.encode().unwrap(), octets);
        }
        assert!(CallReference::new(0, false).is_global());
        assert!(!CallReference::dummy().is_global());
        assert_eq!(CallReference::new(9, false).flipped(), CallReference::new(9, true));
        assert_eq!(message(&[0x08, 0x03, 1, 2, 3, 0x62]), Err(DecodeError::CallReferenceLength(3)));
    }

    #[test]
    fn a_message_that_ends_within_its_header_is_truncated() {
        for end in 0..5 {
            assert_eq!(message(&SETUP[..end]), Err(DecodeError::Truncated { offset: end }));
        }
        assert!(message(&SETUP[..5]).unwrap().elements.is_empty());
    }

    #[test]
    fn another_protocol_discriminator_is_refused() {
        assert_eq!(message(&[0x41, 0, 5]), Err(DecodeError::ProtocolDiscriminator(0x41)));
    }

    #[test]
    fn unknown_message_types_and_elements_are_kept_in_their_order() {
        let octets = [
            0x08, 0x02, 0x80, 0x01, 0x3b, // unknown message type
            0x7f, 0x01, 0xff, 0x01, 0x00, 0xb5, 0xe3, 0x28, 0x01, b'x', 0x01, 0x02, 9, 9, 0x28, 0x00,
        ];
        let parsed = message(&octets).unwrap();
        assert_eq!(parsed.message_type, MessageType(0x3b));
        assert_eq!(parsed.message_type.name(), None);
        assert_eq!(parsed.elements.len(), 7);
        assert_eq!(parsed.find_all(ElementId::DISPLAY).count(), 2);
        assert_eq!(parsed.find_all(ElementId(0x01)).count(), 2);
        assert_eq!(parsed.find(ElementId::CONGESTION_LEVEL).unwrap().identifier_octet(), 0xb5);
        assert_eq!(parsed.encode().unwrap(), &octets[..]);
    }

    #[test]
    fn every_h225_message_type_has_its_name() {
        let names: Vec<_> = (0..=255)
            .map(MessageType)
            .filter(|code| code.is_h225())
            .map(|code| code.name().unwrap())
            .collect();
        assert_eq!(names.len(), 14);
        assert_eq!(MessageType::RELEASE_COMPLETE.to_string(), "Release Complete");
        assert_eq!(MessageType(0xee).to_string(), "message type 0xee");
    }

    #[test]
    fn shifts_put_elements_into_other_codesets() {
        let octets = [
            0x08, 0x02, 0x00, 0x01, 0x05, //
            0x9d, 0x28, 0x01, b'n', // non-locking shift to 5: national, once
            0x28, 0x01, b'd', // Display
            0x96, 0x28, 0x01, b'l', 0x7e, 0x01, 0xff, // locking shift to 6; one length octet there
            0x98, 0x70, 0x02, 0x80, b'7', // non-locking shift to 0: Called party number
            0x28, 0x01, b'm', // still codeset 6
        ];
        let parsed = message(&octets).unwrap();
        assert_eq!(parsed.find_all(ElementId::DISPLAY).count(), 1);
        assert_eq!(parsed.display().unwrap(), "d");
        assert_eq!(parsed.called_party_number().unwrap().digits, "7");
        assert_eq!(parsed.user_user(), None);
        let codesets: Vec<_> = parsed
            .elements_with_codesets()
            .filter(|(_, element)| !element.is_shift())
            .map(|(codeset, _)| codeset.number())
            .collect();
        assert_eq!(codesets, [5, 0, 6, 6, 0, 6]);
        assert_eq!(parsed.encode().unwrap(), &octets[..]);

        let mut built = message(&octets[..5]).unwrap();
        for element in [
            InformationElement::non_locking_shift(Codeset::NATIONAL),
            InformationElement::variable(ElementId::DISPLAY, &b"n"[..]),
            InformationElement::variable(ElementId::DISPLAY, &b"d"[..]),
            InformationElement::locking_shift(Codeset::NETWORK),
        ] {
            built.elements.push(element);
        }
        assert_eq!(built.encode().unwrap(), &octets[..13]);
        // A new element of codeset 0 goes before the shifts.
        built.insert(CalledPartyNumber::new("8").to_element());
        assert_eq!(built.called_party_number().unwrap().digits, "8");
    }

    #[test]
    fn the_element_walk_cannot_overrun() {
        assert_eq!(
            with_element(&[0x28]),
            Err(DecodeError::ElementWithoutLength { id: ElementId::DISPLAY, offset: 5 })
        );
        for id in [0x04, 0x08, 0x28, 0x6c, 0x70, 0x01] {
            assert_eq!(
                with_element(&[0xa1, id, 3, 1, 2]),
                Err(DecodeError::ElementOverrun { id: ElementId(id), offset: 6, announced: 3, available: 2 })
            );
        }
    }

    #[test]
    fn a_user_user_without_length_or_beyond_the_message_is_an_error() {
        for octets in [&[0x7e][..], &[0x7e, 0x00]] {
            assert!(matches!(with_element(octets), Err(DecodeError::ElementWithoutLength { .. })));
        }
        assert!(matches!(
            with_element(&[0x7e, 0xff, 0xff, 0x05]),
            Err(DecodeError::ElementOverrun { announced: 0xffff, available: 1, .. })
        ));
    }

    #[test]
    fn a_user_user_of_length_zero_is_absent_wherever_it_stands() {
        // Linux CVE-2026-23455: length 0, less the protocol discriminator, is huge.
        for octets in [&[0x7e, 0, 0][..], &[0x7e, 0, 0, 0x28, 1, b'x']] {
            let parsed = with_element(octets).unwrap();
            assert!(parsed.element::<UserUser>().unwrap().is_err());
            assert_eq!(parsed.user_user(), None);
        }
        let empty = with_element(&[0x7e, 0, 1, 5]).unwrap().user_user().unwrap();
        assert!(empty.is_h225() && empty.information.is_empty());
    }

    #[test]
    fn too_many_elements_are_refused_both_ways() {
        let mut octets = SETUP[..5].to_vec();
        octets.resize(5 + MAX_ELEMENTS, 0xa1);
        let mut parsed = message(&octets).unwrap();
        octets.push(0xa1);
        assert_eq!(message(&octets), Err(DecodeError::TooManyElements));
        parsed.elements.push(InformationElement::SENDING_COMPLETE);
        assert_eq!(parsed.encode(), Err(EncodeError::TooManyElements));
    }

    #[test]
    fn what_does_not_fit_its_length_is_not_sent() {
        let mut message = message(&SETUP[..5]).unwrap();
        message.insert(InformationElement::variable(ElementId(0x7c), vec![0; 256]));
        assert_eq!(
            message.encode(),
            Err(EncodeError::ElementTooLong { id: ElementId::LOW_LAYER_COMPATIBILITY, length: 256 })
        );
        message.elements = vec![UserUser::new(vec![0; 65_522]).to_element()];
        assert_eq!(message.encode().unwrap().len(), tpkt::MAX_PAYLOAD);
        message.elements = vec![UserUser::new(vec![0; 65_523]).to_element()];
        assert_eq!(message.encode(), Err(EncodeError::TooLong { length: 65_532 }));
        message.elements = vec![UserUser::new(vec![0; 65_535]).to_element()];
        assert!(matches!(message.encode(), Err(EncodeError::ElementTooLong { .. })));
    }
}

mod q931_elements {
    use super::*;

    fn read<T: Element>(contents: &[u8]) -> Option<T> {
        T::decode(&Bytes::copy_from_slice(contents)).ok()
    }

    #[test]
    fn numbers_of_zero_to_two_octets_are_no_trap() {
        // Asterisk GHSA-h5hv-jmgj-92q2.
        assert_eq!(read::<CalledPartyNumber>(&[]), None);
        assert_eq!(read::<CallingPartyNumber>(&[]), None);
        assert_eq!(read::<ConnectedNumber>(&[]), None);
        assert_eq!(read::<RedirectingNumber>(&[]), None);
        for contents in [&[0x81][..], &[0x01], &[0x01, 0x81]] {
            assert_eq!(read::<CalledPartyNumber>(contents).unwrap().digits, "");
            assert_eq!(read::<CallingPartyNumber>(contents).unwrap().digits, "");
            assert_eq!(read::<ConnectedNumber>(contents).unwrap().digits, "");
            assert_eq!(read::<RedirectingNumber>(contents).unwrap().digits, "");
        }
    }

    #[test]
    fn a_number_without_octet_3a_keeps_all_its_digits() {
        for head in [0x81, 0x01] {
            let number: CallingPartyNumber = read(&[head, b'1', b'2']).unwrap();
            assert_eq!(number.digits, "12");
            assert_eq!(number.presentation, Presentation::Allowed);
            assert_eq!(number.screening, Screening::UserProvidedNotScreened);
            let hash: CallingPartyNumber = read(&[head, b'#', b'2']).unwrap();
            assert_eq!(hash.digits, "#2");
        }
    }

    #[test]
    fn presentation_and_screening_have_all_their_values() {
        for octet_3a in [0x80, 0xa1, 0xc2, 0xe3] {
            let number: ConnectedNumber = read(&[0x01, octet_3a, b'5']).unwrap();
            assert_eq!(number.digits, "5");
            assert_eq!(number.encode_contents(), &[0x01, octet_3a, b'5'][..]);
        }
    }

    #[test]
    fn digits_lose_a_trailing_nul_and_letters_that_ia5_lacks() {
        let number: CalledPartyNumber = read(&[0x80, b'1', 0, 0]).unwrap();
        assert_eq!(number.digits, "1");
        assert_eq!(CalledPartyNumber::new("1é").encode_contents(), &b"\x811?"[..]);
    }

    #[test]
    fn a_cause_has_location_value_and_diagnostics() {
        let plain = CauseElement::new(Location::USER, Cause::USER_BUSY);
        assert_eq!(plain.encode_contents(), &[0x80, 0x91][..]);
        assert_eq!(read::<CauseElement>(&[0x80, 0x91]).unwrap(), plain);
        let long: CauseElement = read(&[0x02, 0x83, 0xe4, 0x70, 0x6c]).unwrap();
        assert_eq!(long.location, Location::PUBLIC_LOCAL);
        assert_eq!(long.recommendation, Some(3));
        assert_eq!(long.value, Cause::INVALID_ELEMENT_CONTENTS);
        assert_eq!(long.diagnostics, &[0x70, 0x6c][..]);
        assert_eq!(long.encode_contents(), &[0x02, 0x83, 0xe4, 0x70, 0x6c][..]);
        for short in [&[][..], &[0x80], &[0x00], &[0x00, 0x00]] {
            assert_eq!(read::<CauseElement>(short), None);
        }
    }

    #[test]
    fn cause_values_have_their_names_and_unknown_ones_their_number() {
        assert_eq!(Cause(16), Cause::NORMAL_CALL_CLEARING);
        assert_eq!(Cause(17).to_string(), "cause 17 (user busy)");
        assert_eq!(Cause(102).name(), Some("recovery on timer expiry"));
        assert_eq!(Cause(127).name(), Some("interworking, unspecified"));
        assert_eq!(Cause(120).to_string(), "cause 120");
        assert_eq!((0..=255).filter(|&code| Cause(code).name().is_some()).count(), 71);
    }

    #[test]
    fn display_takes_a_character_set_octet_utf_8_and_trailing_nuls() {
        let text = |contents: &[u8]| read::<Display>(contents).unwrap();
        assert_eq!(text(b"bob\0\0").text, "bob");
        assert_eq!(text(b"\xb1bob").character_set, Some(0x31));
        assert_eq!(text(b"\xb1bob").text, "bob");
        assert_eq!(text("Édith".as_bytes()).text, "Édith");
        assert_eq!(text("Édith".as_bytes()).character_set, None);
        assert_eq!(text(b"caf\xe9").text, "café");
        assert_eq!(text(b"").text, "");
        assert_eq!(text(b"\0").text, "");
        let long = Display::new("é".repeat(200)).encode_contents();
        assert_eq!(long.len(), 254);
    }

    #[test]
    fn bearer_capability_reads_multirate_and_extension_octets() {
        let multirate: BearerCapability = read(&[0x88, 0x98, 0x86, 0xa5]).unwrap();
        assert_eq!(multirate.transfer_capability, BearerCapability::UNRESTRICTED_DIGITAL);
        assert_eq!(multirate.rate_multiplier, Some(6));
        assert_eq!(multirate.layer_1_protocol, Some(BearerCapability::H221_H242));
        assert_eq!(multirate.encode_contents(), &[0x88, 0x98, 0x86, 0xa5][..]);
        let extended: BearerCapability = read(&[0x00, 0x80, 0x90, 0xa2]).unwrap();
        assert_eq!(extended.layer_1_protocol, Some(BearerCapability::G711_MU_LAW));
        for short in [&[][..], &[0x80], &[0x00, 0x00], &[0x88, 0x98]] {
            assert_eq!(read::<BearerCapability>(short), None);
        }
    }

    #[test]
    fn the_small_elements_are_built_and_parsed() {
        assert_eq!(read::<CallState>(&[10]).unwrap(), CallState::new(10));
        assert_eq!(CallState::new(10).encode_contents(), &[10][..]);
        let hold = NotificationIndicator { description: NotificationIndicator::REMOTE_HOLD };
        assert_eq!(read::<NotificationIndicator>(&[0xf9]).unwrap(), hold);
        assert_eq!(hold.encode_contents(), &[0xf9][..]);
        let subaddress: CalledPartySubaddress = read(&[0xa8, 1, 2]).unwrap();
        assert!(subaddress.0.odd && subaddress.0.type_of_subaddress == 2);
        assert_eq!(subaddress.encode_contents(), &[0xa8, 1, 2][..]);
        assert_eq!(read::<ProgressIndicator>(&[0x80]), None);
        assert_eq!(read::<Signal>(&[]), None);
        assert_eq!(read::<CallState>(&[]), None);
    }
}

/// Asks every accessor and every typed element.
fn read_everything(message: &Message) {
    let _ = (message.cause(), message.display(), message.keypad_facility());
    let _ = (message.called_party_number(), message.calling_party_number());
    let _ = message.user_user();
    for element in &message.elements {
        let contents = element.contents();
        let _ = BearerCapability::decode(contents).map(|value| value.encode_contents());
        let _ = CauseElement::decode(contents).map(|value| value.encode_contents());
        let _ = CallState::decode(contents).map(|value| value.encode_contents());
        let _ = ProgressIndicator::decode(contents).map(|value| value.encode_contents());
        let _ = NotificationIndicator::decode(contents).map(|value| value.encode_contents());
        let _ = Display::decode(contents).map(|value| value.encode_contents());
        let _ = KeypadFacility::decode(contents).map(|value| value.encode_contents());
        let _ = Signal::decode(contents).map(|value| value.encode_contents());
        let _ = CalledPartyNumber::decode(contents).map(|value| value.encode_contents());
        let _ = CallingPartyNumber::decode(contents).map(|value| value.encode_contents());
        let _ = ConnectedNumber::decode(contents).map(|value| value.encode_contents());
        let _ = RedirectingNumber::decode(contents).map(|value| value.encode_contents());
        let _ = CalledPartySubaddress::decode(contents).map(|value| value.encode_contents());
        let _ = UserUser::decode(contents).map(|value| value.encode_contents());
    }
    let _ = format!("{message:?}");
}

/// What was parsed is emitted as it came.
fn check_any(octets: &[u8]) -> bool {
    let Ok(parsed) = message(octets) else {
        return false;
    };
    read_everything(&parsed);
    let emitted = parsed.encode().expect("what was decoded fits");
    assert_eq!(emitted, octets);
    true
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn any_octets_are_a_message_or_an_error(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        check_any(&octets);
    }

    #[test]
    fn any_octets_behind_a_header_are_elements_or_an_error(
        octets in prop::collection::vec(prop_oneof![0u8..6, any::<u8>()], 0..120),
    ) {
        check_any(&[&SETUP[..5], &octets].concat());
    }

    #[test]
    fn a_mutated_setup_is_a_message_or_an_error(
        changes in prop::collection::vec((0..SETUP.len(), any::<u8>()), 1..6),
        end in 0..=SETUP.len(),
    ) {
        let mut octets = SETUP.to_vec();
        for (at, octet) in changes {
            octets[at] = octet;
        }
        octets.truncate(end);
        check_any(&octets);
    }

    #[test]
    fn any_digits_and_indicators_survive(
        digits in "[0-9*#]{0,20}",
        type_of_number in 0u8..8,
        plan in 0u8..16,
        reason in prop::option::of(0u8..16),
    ) {
        let number = RedirectingNumber {
            type_of_number: TypeOfNumber(type_of_number),
            plan: NumberingPlan(plan),
            presentation: Presentation::NotAvailable,
            screening: Screening::UserProvidedFailed,
            reason,
            digits: digits.clone(),
        };
        prop_assert_eq!(RedirectingNumber::decode(&number.encode_contents()).unwrap(), number);
        let called = CalledPartyNumber::new(digits);
        prop_assert_eq!(CalledPartyNumber::decode(&called.encode_contents()).unwrap(), called);
    }
}
