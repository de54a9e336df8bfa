//! The traps of aligned PER and of real peers, each by its octets, worked out by hand from X.691.
//! In: constants. Not here: whole messages in numbers (`vectors.rs`).

use bytes::Bytes;
use offhook_wire::per::{self, BmpString, Kind, Oid, Type};
use offhook_wire::{h225, h235, h245};

fn octets(hex: &str) -> Bytes {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(octet).collect()
}

fn decode<T: Type>(hex: &str) -> Result<T, per::Error> {
    per::decode(&octets(hex)).map(per::Message::into_value)
}

/// The octets are the value's encoding, and the value is what they decode to.
#[track_caller]
fn same<T: Type + PartialEq + std::fmt::Debug>(hex: &str, value: T) {
    assert_eq!(per::encode(&value).map(Bytes::from), Ok(octets(hex)));
    assert_eq!(decode::<T>(hex), Ok(value));
}

#[track_caller]
fn fails<T: Type + std::fmt::Debug>(hex: &str, kind: Kind) {
    assert_eq!(decode::<T>(hex).map_err(|error| error.kind()).err(), Some(kind));
}

// --- numbers and lengths ----------------------------------------------------------------------------

#[test]
fn a_wide_number_counts_its_octets_in_front() {
    use h245::ParameterValue::Unsigned32Max;
    // Extension bit, index 5 of 8 (three bits), the count of octets less one in two bits.
    same("50 00", Unsigned32Max(0));
    same("50 7f", Unsigned32Max(127));
    same("50 80", Unsigned32Max(128));
    same("54 0100", Unsigned32Max(256));
    same("5c ffffffff", Unsigned32Max(u32::MAX));
    same("00 32 80 3b45aa", h245::MasterSlaveDetermination::new(50, 3_884_458));
}

#[test]
fn a_number_with_a_lower_bound_alone_is_sent_less_that_bound() {
    use h245::FECCapabilityRfc2733Format::Rfc2733sameport;
    same("40 01 00", Rfc2733sameport(1));
    same("40 01 02", Rfc2733sameport(3));
    same("40 02 0100", Rfc2733sameport(257));
    fails::<h245::FECCapabilityRfc2733Format>("40 05 ffffffffff", Kind::OutOfRange);
    assert!(per::encode(&Rfc2733sameport(0)).is_err());
}

#[test]
fn an_extensible_number_may_leave_its_range() {
    use h225::GenericIdentifier::Standard;
    same("00 0005", Standard(5));
    same("10 02 4000", Standard(16_384));
    same("10 01 ff", Standard(-1));
}

#[test]
fn a_random_number_of_five_octets_is_one() {
    let mut token = h235::ClearToken::new(Oid::new(&[0, 0, 8, 235, 0, 2, 1]));
    token.random = Some(0x1_0000_0000.into());
    same("0400 07 0008816b000201 05 0100000000", token);
}

#[test]
fn a_number_behind_its_constraint_is_refused_in_both_directions() {
    fails::<h225::RasMessage>("1cffff", Kind::OutOfRange);
    assert!(per::encode(&h225::UnregistrationConfirm::new(0)).is_err());
    let too_many = h245::AudioCapability::G711Alaw64k(257);
    assert_eq!(per::encode(&too_many).unwrap_err().path(), "g711Alaw64k");
}

// --- strings ------------------------------------------------------------------------------------------

#[test]
fn small_alphabets_take_four_bits_a_character_in_order_of_code_points() {
    // Extension bit, index, size 4 (less one, seven bits): `#*,0123456789` from zero.
    same("0180 40 2c", h225::AliasAddress::DialledDigits("1#,9".into()));
    fails::<h225::AliasAddress>("0000 d0", Kind::BadCharacter);
    let letters = h225::AliasAddress::DialledDigits("bob".into());
    assert_eq!(per::encode(&letters).unwrap_err().kind(), Kind::BadCharacter);
}

#[test]
fn seventeen_characters_take_eight_bits() {
    let signal = h245::UserInputIndicationSignal::new("#".into());
    // Extension bit and index 1; the open type's length; then three bits and the character.
    same("81 02 0460", h245::UserInputIndication::Signal(signal.into()));
}

#[test]
fn an_empty_string_is_not_padded() {
    let number = |digits: &str| {
        let isdn = h245::DialingInformationNetworkType::NIsdn;
        h245::DialingInformationNumber::new(digits.into(), vec![isdn])
    };
    same("00 00 20", number(""));
    same("02 23 00 20", number("12"));
}

#[test]
fn a_bmp_string_keeps_what_is_no_text() {
    let lone_surrogate = BmpString::from(vec![0x0061, 0xd800]);
    assert_eq!(lone_surrogate.to_string(), "a\u{fffd}");
    same("40 01 0061d800", h225::AliasAddress::H323Id(lone_surrogate));
    assert_eq!(BmpString::from("ab"), "ab");
}

#[test]
fn a_cname_with_an_at_sign_is_read_and_not_sent() {
    let empty = h225::TransportChannelInfo::default();
    let mut session = h225::RTPSession::new(empty.clone(), empty, "a.b".into(), 1, 2, Vec::new());
    let clean = per::encode(&session).unwrap();
    session.cname = "a@b".into();
    assert_eq!(per::encode(&session).unwrap_err().path(), "cname");
    let sloppy: Vec<u8> = clean.iter().map(|o| if *o == b'.' { b'@' } else { *o }).collect();
    assert_eq!(per::decode(&sloppy.into()), Ok(per::Message::from(session)));
}

// --- extensions ---------------------------------------------------------------------------------------

#[test]
fn the_hidden_extension_mark_of_h262_is_there() {
    let mut capability = h245::H262VideoCapability::default();
    same("00 00 00", capability.clone());
    capability.video_bad_mbs_cap = Some(true);
    same("80 00 00 40 01 80", capability);
}

#[test]
fn a_null_alternative_behind_the_mark_is_an_octet_but_none_or_more_will_do() {
    use h225::AdmissionRejectReason::IncompleteAddress;
    same("82 01 00", IncompleteAddress);
    assert_eq!(decode("82 00"), Ok(IncompleteAddress));
    assert_eq!(decode("82 03 00ffff"), Ok(IncompleteAddress));
    fails::<h225::AdmissionRejectReason>("82 03 00", Kind::Truncated);
}

#[test]
fn an_addition_may_be_missing_even_where_the_standard_wants_it() {
    // An older peer's ARQ ends before `canMapAlias`.
    let mut request = h225::AdmissionRequest::new(
        1,
        h225::CallType::PointToPoint,
        "e".into(),
        vec![],
        100_000,
        1,
        [7; 16],
        false,
        false,
    );
    let octets = per::encode(&request).unwrap();
    assert_eq!(per::decode(&octets.into()), Ok(per::Message::from(request.clone())));
    request.call_identifier = Some(h225::CallIdentifier::new([8; 16]));
    let octets = per::encode(&request).unwrap();
    assert_eq!(per::decode(&octets.into()), Ok(per::Message::from(request)));
}

#[test]
fn what_is_unknown_is_kept_and_sent_on() {
    // The 71st addition of a type that has none; the 201st alternative.
    let addition = "62 c046 000000000000000004 02aabb";
    let message: h245::MultimediaSystemControlMessage = decode(addition).unwrap();
    let h245::MultimediaSystemControlMessage::Indication(indication) = &message else {
        panic!("{message:?}")
    };
    let h245::IndicationMessage::MasterSlaveDeterminationRelease(release) = &**indication else {
        panic!("{message:?}")
    };
    let kept: Vec<_> = release.unknown.iter().map(|a| (a.index(), &a.octets()[..])).collect();
    assert_eq!(kept, [(69, &[0xaa, 0xbb][..])]);
    same(addition, message);

    let alternative = "18 01c8 03 010203";
    let message: h245::MultimediaSystemControlMessage = decode(alternative).unwrap();
    let h245::MultimediaSystemControlMessage::Request(h245::RequestMessage::Unrecognized(unknown)) = &message
    else {
        panic!("{message:?}")
    };
    assert_eq!((unknown.index(), unknown.octets()), (200, &[1, 2, 3][..]));
    same(alternative, message);
}

#[test]
fn an_alternative_that_the_root_does_not_have_is_refused() {
    fails::<h225::RasMessage>("7c00000000", Kind::BadAlternative);
    fails::<h245::MultimediaSystemControlMessage>("0f00000000", Kind::BadAlternative);
}

/// The octets decode, and the message remembers how it was written: it encodes to the same octets.
/// Built anew, its form is canonical.
#[track_caller]
fn kept<T: Type + PartialEq + std::fmt::Debug>(hex: &str, canonical: &str) -> per::Message<T> {
    let message = per::decode::<T>(&octets(hex)).unwrap();
    assert_eq!(per::encode(&message).map(Bytes::from), Ok(octets(hex)));
    assert_eq!(decode::<T>(canonical).as_ref(), Ok(&*message), "the form is no part of the value");
    let anew: T = per::json::build(&message.to_json()).unwrap();
    assert_eq!(per::encode(&anew).map(Bytes::from), Ok(octets(canonical)));
    message
}

#[test]
fn what_was_not_canonical_is_sent_on_as_it_came() {
    use h225::{RasMessage, UnregistrationConfirm};
    // A shorter and a longer bitmap than ours, in either form; one without any addition.
    kept::<UnregistrationConfirm>("800004 0200", "000004");
    kept::<UnregistrationConfirm>("800004 0e00", "000004");
    kept::<UnregistrationConfirm>("800004 80 02 00", "000004");
    // Octets behind the message, padding that is not zero.
    kept::<RasMessage>("1c0004 0000ff", "1c0004");
    kept::<UnregistrationConfirm>("0f0004", "000004");
    // A length in two octets, a number in more than it needs.
    kept::<h235::TypedCertificate>("00 8003 2a0304 01 55", "00 03 2a0304 01 55");
    kept::<h225::EnumeratedParameter>("04 02 0001", "00 0001");
}

#[test]
fn a_message_without_extensible_sequences_remembers_how_it_was_written_too() {
    use h245::MultimediaSystemControlMessage as Message;
    // Nothing but CHOICEs: octets behind endSession, padding that is not zero, a NULL in an open type
    // of no octets and of several.
    kept::<Message>("4a40 028000", "4a40");
    kept::<Message>("4a7f", "4a40");
    kept::<Message>("4a7f 00ff", "4a40");
    kept::<h225::FacilityReason>("80 00", "80 01 00");
    kept::<h225::FacilityReason>("80 8001 00", "80 01 00");
    kept::<h225::FacilityReason>("80 03 00ff00 7777", "80 01 00");
    // An alternative of a later version, empty behind a long length.
    kept::<Message>("84 8000 55", "84 00");
    let mut message = kept::<Message>("4a7f 00ff", "4a40");
    message.forget_form();
    assert_eq!(per::encode(&message).map(Bytes::from), Ok(octets("4a40")));
    // The value alone knows nothing of it.
    let message = kept::<Message>("4a7f 00ff", "4a40");
    assert_eq!(per::encode(&message.into_value()).map(Bytes::from), Ok(octets("4a40")));
}

#[test]
fn a_changed_value_is_still_written_well() {
    use h225::UnregistrationConfirm;
    let mut confirm = per::decode::<UnregistrationConfirm>(&octets("8f0004 0200")).unwrap();
    confirm.request_seq_num = 9;
    assert_eq!(per::encode(&confirm).map(Bytes::from), Ok(octets("8f0008 0200")));
    confirm.generic_data = Some(Vec::new());
    let again = per::encode(&confirm).unwrap();
    assert_eq!(per::decode(&again.into()), Ok(confirm));
}

#[test]
fn an_error_says_who_is_to_blame() {
    use per::Blame;
    assert_eq!(decode::<h225::RasMessage>("1cffff").unwrap_err().blame(), Blame::Peer);
    assert_eq!(per::encode(&h225::UnregistrationConfirm::new(0)).unwrap_err().blame(), Blame::Caller);
    let nothing = serde_json::json!({});
    assert_eq!(per::json::build::<h225::UnregistrationConfirm>(&nothing).unwrap_err().blame(), Blame::Caller);
    let mut bomb = octets("1080 bfff 2005 0008816f02").to_vec();
    bomb.extend([1, 0, 7].repeat(10_000));
    let error = per::decode::<h245::MultimediaSystemControlMessage>(&bomb.into()).unwrap_err();
    assert_eq!(error.blame(), Blame::Limit);
}

// --- errors and sharing ---------------------------------------------------------------------------------

#[test]
fn an_error_tells_where() {
    let mut set = h245::TerminalCapabilitySet::new(1, Oid::new(&[0, 0, 8, 245, 0, 7]));
    let mut entry = h245::CapabilityTableEntry::new(1);
    entry.capability = Some(h245::Capability::ReceiveAudioCapability(h245::AudioCapability::G729(2)));
    set.capability_table = Some(vec![entry.clone(), entry]);
    let whole = Bytes::from(per::encode(&set).unwrap());
    let error = per::decode::<h245::TerminalCapabilitySet>(&whole.slice(..whole.len() - 1)).unwrap_err();
    assert_eq!(error.kind(), Kind::Truncated);
    assert_eq!(error.path(), "capabilityTable[1].capability.receiveAudioCapability.g729");
    assert_eq!(error.offset(), whole.len() - 1);
    assert_eq!(
        error.to_string(),
        format!(
            "the message ends inside the value at octet {}, in \
             capabilityTable[1].capability.receiveAudioCapability.g729",
            whole.len() - 1
        )
    );
}

#[test]
fn octet_strings_share_the_memory_of_the_message() {
    let identifier = h245::NonStandardIdentifier::Object(Oid::new(&[1, 3, 6, 1, 4, 1, 9]));
    let parameter = h245::NonStandardParameter::new(identifier, Bytes::from_static(&[1, 2, 3, 4]));
    let message = Bytes::from(per::encode(&parameter).unwrap());
    let decoded = per::decode::<h245::NonStandardParameter>(&message).unwrap();
    assert!(message.as_ptr_range().contains(&decoded.data.as_ptr()));
}

#[test]
fn a_description_with_a_wrong_name_is_refused() {
    let description = serde_json::json!({ "terminalType": 1, "statusDeterminationNumber": 2, "extra": 3 });
    let error = per::json::build::<h245::MasterSlaveDetermination>(&description).unwrap_err();
    assert_eq!(error.to_string(), "JSON: expected no other member");
    let description = serde_json::json!({ "terminalType": 256, "statusDeterminationNumber": 2 });
    let error = per::json::build::<h245::MasterSlaveDetermination>(&description).unwrap_err();
    assert_eq!(error.path(), "terminalType");
}

// --- supplementary services and features ------------------------------------------------------------------

#[test]
fn arguments_of_supplementary_services_are_read_apart() {
    use offhook_wire::h450;
    // As pycrate encoded them.
    let transferred = h450::EndpointAddress {
        destination_address: vec![h225::AliasAddress::H323Id("bob".into())],
        remote_extension_address: Some(h225::AliasAddress::DialledDigits("17421".into())),
        ..Default::default()
    };
    same("20 9889 40 01 4002 0062006f0062 0200 4a7540", h450::CTInitiateArg::new("8778".into(), transferred));
    let transferring = h450::EndpointAddress {
        destination_address: vec![h225::AliasAddress::DialledDigits("033".into())],
        ..Default::default()
    };
    let setup =
        h450::CTSetupArg { transferring_number: Some(transferring), ..h450::CTSetupArg::new("7929".into()) };
    same("50 8a3a 00 01 0100 3660", setup);
    same("00", h450::HoldNotificArg::default());
    same("40 02", h450::CallWaitingArg { nb_of_add_waiting_calls: Some(2), ..Default::default() });
    let name = h450::NamePresentationAllowed::SimpleName(Bytes::from_static(b"Alice A."));
    same("0038 416c69636520412e", h450::NameArg::new(h450::Name::NamePresentationAllowed(name)));
}

#[test]
fn parameters_of_nat_traversal_are_those_of_a_real_gatekeeper() {
    use offhook_wire::h460;
    // From the capture gk-h46018.
    let address = h225::TransportAddressIpAddress::new([127, 0, 0, 10], 1721);
    let call =
        [0xc8, 0x43, 0xd5, 0xbf, 0x23, 0xe3, 0xf1, 0x11, 0x80, 0xbc, 0xbb, 0xf1, 0xf5, 0x56, 0x89, 0x7b];
    same(
        "00 7f00000a 06b9 00 c843d5bf23e3f11180bcbbf1f556897b",
        h460::IncomingCallIndication::new(
            h225::TransportAddress::IpAddress(address),
            h225::CallIdentifier::new(call),
        ),
    );
    let channel = h245::UnicastAddressIPAddress::new([127, 0, 0, 10], 1024);
    same(
        "0a00 7f00000a 0400 00 12",
        h460::TraversalParameters {
            keep_alive_channel: Some(h245::TransportAddress::UnicastAddress(
                h245::UnicastAddress::IPAddress(channel),
            )),
            keep_alive_interval: Some(19),
            ..Default::default()
        },
    );
    let payload_type = h460::TraversalParameters { keep_alive_payload_type: Some(127), ..Default::default() };
    same("05fc", payload_type);
}
