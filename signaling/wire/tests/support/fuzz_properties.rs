//! What must hold for any octets at all, a function a target: no panic; what was parsed is emitted
//! as the same octets, and so parse → emit → parse is a fixed point.
//! In: octets. Out: a panic when a property does not hold; else an [`Outcome`], by which a driver
//! without coverage tells new ground from old.
//! Shared by the stable driver (`tests/fuzz.rs`) and libFuzzer (`fuzz/fuzz_targets`).
//! Not here: where octets come from; memory and time (`vectors_memory.rs`, `benches/wire.rs`).

use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use offhook_wire::h225_message::{CallSignal, CallSignalEncodeError, CallSignalError};
use offhook_wire::per::{self, Kind, Type};
use offhook_wire::q931::{self, Element, Message};
use offhook_wire::tpkt::{self, TpktDecoder};
use offhook_wire::{h225, h245, h450, h460};
use serde_json::Value;

/// How one input fared.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Whether some parser took it.
    pub accepted: bool,
    /// Whether what was emitted differs from what was taken, in form, not in value.
    pub altered: bool,
    /// Equal for inputs that fared alike: failed at the same place, or have the same members.
    pub signature: u64,
}

/// A property by its name.
pub type Target = (&'static str, fn(&[u8]) -> Outcome);

/// All of them.
pub const TARGETS: [Target; 6] =
    [("tpkt", tpkt), ("q931", q931), ("ras", ras), ("h225", h225), ("h245", h245), ("h450", h450)];

impl Outcome {
    fn of(accepted: bool, what: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        Outcome { accepted, altered: false, signature: hasher.finish() }
    }

    fn and(self, other: Self) -> Self {
        Outcome {
            accepted: self.accepted || other.accepted,
            altered: self.altered || other.altered,
            signature: self.signature.rotate_left(1) ^ other.signature,
        }
    }
}

// --- PER --------------------------------------------------------------------------------------------

/// What was parsed: emitted again, and that parsed again.
fn fixed_point<T: Type + PartialEq + Debug>(octets: &Bytes) -> Outcome {
    let value = match per::decode::<T>(octets) {
        Ok(value) => value,
        Err(error) => return Outcome::of(false, place(&error)),
    };
    let mut outcome = Outcome { accepted: true, altered: false, signature: 0 };
    let emitted = Bytes::from(per::encode(&value).unwrap_or_else(|error| panic!("not emitted: {error}")));
    if emitted != octets {
        // However it was written, it is emitted as it came, unless it has no extensible SEQUENCE to
        // remember that: then it loses what trailed and padding, and an empty NULL gets its octet.
        outcome.altered = true;
        assert!(emitted.len() <= octets.len() + 8, "{octets:?} grew to {emitted:?}");
        let again = per::decode::<T>(&emitted);
        assert_eq!(again.as_ref(), Ok(&value));
        assert_eq!(again.map(|again| per::encode(&again)), Ok(Ok(emitted.into())));
    }
    // Descriptions cost more than all else together.
    if !octets.len().is_multiple_of(8) {
        return outcome;
    }
    let description = value.to_json();
    match per::json::build::<T>(&description) {
        // A description is text: half a surrogate pair in a BMPString becomes U+FFFD.
        Ok(built) if built != value => {
            assert_eq!(built.to_json(), description, "described again");
            assert!(description.to_string().contains('\u{fffd}'), "from its own description: {description}");
        }
        Ok(_) => {}
        Err(error) => panic!("own description: {error}"),
    }
    let mut members = DefaultHasher::new();
    shape(&description, &mut members);
    outcome.signature = members.finish();
    outcome
}

/// Where and how an error arose, whatever the element of a list.
fn place(error: &per::Error) -> String {
    let mut place = format!("{:?} ", error.kind());
    place.extend(error.path().chars().filter(|c| !c.is_ascii_digit()));
    place
}

/// Member names, in their order.
fn shape(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                name.hash(hasher);
                shape(member, hasher);
            }
        }
        Value::Array(elements) => elements.iter().take(1).for_each(|element| shape(element, hasher)),
        _ => {}
    }
}

/// RAS messages.
pub fn ras(octets: &[u8]) -> Outcome {
    fixed_point::<h225::RasMessage>(&Bytes::copy_from_slice(octets))
}

/// H.245 messages, and the elements of fast start.
pub fn h245(octets: &[u8]) -> Outcome {
    let octets = Bytes::copy_from_slice(octets);
    let message = fixed_point::<h245::MultimediaSystemControlMessage>(&octets);
    message.and(fixed_point::<h245::OpenLogicalChannel>(&octets))
}

/// H.450 operations, their arguments, and what H.460 puts into octet strings.
pub fn h450(octets: &[u8]) -> Outcome {
    let octets = Bytes::copy_from_slice(octets);
    let service = fixed_point::<h450::H4501SupplementaryService>(&octets);
    if let Ok(service) = per::decode::<h450::H4501SupplementaryService>(&octets)
        && let h450::ServiceApdus::RosApdus(apdus) = &service.service_apdu
    {
        for apdu in apdus {
            match apdu {
                h450::Ros::Invoke(invoke) => invoke.argument.iter().for_each(argument),
                h450::Ros::ReturnResult(answer) => {
                    answer.result.iter().for_each(|result| argument(&result.result));
                }
                h450::Ros::ReturnError(error) => error.parameter.iter().for_each(argument),
                h450::Ros::Reject(_) => {}
            }
        }
    }
    argument(&octets);
    service
}

fn argument(octets: &Bytes) {
    fixed_point::<h450::CTInitiateArg>(octets);
    fixed_point::<h450::CTSetupArg>(octets);
    fixed_point::<h450::HoldArg>(octets);
    fixed_point::<h450::CallWaitingArg>(octets);
    fixed_point::<h450::NameArg>(octets);
    fixed_point::<h460::IncomingCallIndication>(octets);
    fixed_point::<h460::TraversalParameters>(octets);
}

// --- call signalling -----------------------------------------------------------------------------------

/// Q.931 messages with their UUIE, or the UUIE by itself; and what is tunnelled.
pub fn h225(octets: &[u8]) -> Outcome {
    let octets = Bytes::copy_from_slice(octets);
    let alone = fixed_point::<h225::H323UserInformation>(&octets);
    let signal = match CallSignal::decode(&octets) {
        Ok(signal) => signal,
        Err(CallSignalError::Q931(error)) => {
            return alone.and(Outcome::of(false, std::mem::discriminant(&error)));
        }
        Err(CallSignalError::Uuie { source, .. }) => return alone.and(Outcome::of(false, place(&source))),
        Err(_) => return alone.and(Outcome::of(false, 2)),
    };
    match signal.encode() {
        Ok(emitted) => {
            let again = CallSignal::decode(&emitted).expect("what was emitted is understood");
            assert_eq!(again, signal);
            assert_eq!(again.encode().as_ref(), Ok(&emitted));
        }
        Err(CallSignalEncodeError::Uuie(error)) => assert_eq!(error.kind(), Kind::BadCharacter),
        // Longer bitmaps of additions may outgrow what was full already.
        Err(error) => assert!(octets.len() > 8 * 1024, "{error}"),
    }
    let mut outcome = Outcome::of(true, signal.uuie.is_some());
    for control in signal.h245_control() {
        outcome = outcome.and(fixed_point::<h245::MultimediaSystemControlMessage>(control));
    }
    outcome.and(alone)
}

/// Q.931 messages: emitted again octet by octet, but for the spare half of the length of the call
/// reference; every typed element asked for.
pub fn q931(octets: &[u8]) -> Outcome {
    let parsed = match Message::decode(&Bytes::copy_from_slice(octets)) {
        Ok(parsed) => parsed,
        Err(error) => return Outcome::of(false, std::mem::discriminant(&error)),
    };
    let emitted = parsed.encode().expect("what was parsed fits");
    let mut expected = octets.to_vec();
    expected[1] &= 0x0f;
    assert_eq!(emitted, expected);
    assert_eq!(Message::decode(&emitted).as_ref(), Ok(&parsed));
    let read = read_everything(&parsed);
    let identifiers: Vec<u8> = parsed.elements.iter().map(|element| element.identifier_octet()).collect();
    Outcome::of(true, (identifiers, read))
}

/// Asks every accessor, and every typed element of every contents; says which could be read.
pub fn read_everything(message: &Message) -> Vec<u16> {
    let _ = (message.cause(), message.display(), message.keypad_facility());
    let _ = (message.called_party_number(), message.calling_party_number(), message.user_user());
    let _ = format!("{message:?}");
    let elements = message.elements.iter();
    elements.map(|element| readings(element.contents())).collect()
}

/// A bit for each type of element that reads these contents.
fn readings(contents: &Bytes) -> u16 {
    use q931::{
        BearerCapability, CallState, CalledPartyNumber, CalledPartySubaddress, CallingPartyNumber,
        CauseElement, ConnectedNumber, Display, KeypadFacility, NotificationIndicator, ProgressIndicator,
        RedirectingNumber, Signal, UserUser,
    };
    let readings = [
        reading::<BearerCapability>,
        reading::<CauseElement>,
        reading::<CallState>,
        reading::<ProgressIndicator>,
        reading::<NotificationIndicator>,
        reading::<Display>,
        reading::<KeypadFacility>,
        reading::<Signal>,
        reading::<CalledPartyNumber>,
        reading::<CallingPartyNumber>,
        reading::<ConnectedNumber>,
        reading::<RedirectingNumber>,
        reading::<CalledPartySubaddress>,
        reading::<UserUser>,
    ];
    readings.iter().fold(0, |bits, read| bits << 1 | u16::from(read(contents)))
}

/// Whether an element of this type reads the contents; if so, what it writes it reads again.
fn reading<T: Element + PartialEq + Debug>(contents: &Bytes) -> bool {
    let Ok(element) = T::decode(contents) else { return false };
    let emitted = element.encode_contents();
    let again = T::decode(&emitted);
    assert!(again.is_ok(), "{element:?} emits {emitted:02x?}");
    if contents.len() > 120 {
        // Text outside ASCII takes more octets in UTF-8, and is cut to what fits, before a NUL or behind it.
        return true;
    }
    let again = again.map(|element| element.encode_contents());
    assert_eq!(again.ok(), Some(emitted), "{element:?}");
    true
}

// --- TPKT ------------------------------------------------------------------------------------------------

/// A stream, at once and in portions: the same packets, the same end; and framed again, the same.
pub fn tpkt(octets: &[u8]) -> Outcome {
    let mut whole = TpktDecoder::new();
    whole.push(octets);
    let (packets, end) = drain(&mut whole);
    // The last octet chooses the portions.
    let portion = 1 + usize::from(octets.last().copied().unwrap_or_default() % 23);
    let mut drip = TpktDecoder::new();
    let (mut dripped, mut dripped_end) = (Vec::new(), None);
    for piece in octets.chunks(portion) {
        drip.push(piece);
        let (packets, end) = drain(&mut drip);
        dripped.extend(packets);
        dripped_end = end;
    }
    assert_eq!(dripped, packets);
    assert_eq!(dripped_end, end);
    assert_eq!(drip.keep_alives(), whole.keep_alives());
    assert!(whole.buffered() <= octets.len());

    let mut framed = TpktDecoder::new();
    for packet in &packets {
        framed.push(&tpkt::encode(packet).expect("what came in a TPKT fits one"));
    }
    assert_eq!(drain(&mut framed), (packets.clone(), None));
    assert_eq!(framed.buffered(), 0);
    Outcome::of(!packets.is_empty(), (packets.len().min(8), end.as_ref().map(std::mem::discriminant)))
}

fn drain(decoder: &mut TpktDecoder) -> (Vec<Bytes>, Option<tpkt::TpktError>) {
    let mut packets = Vec::new();
    loop {
        match decoder.next() {
            Ok(Some(packet)) => packets.push(packet),
            Ok(None) => return (packets, None),
            Err(error) => return (packets, Some(error)),
        }
    }
}
