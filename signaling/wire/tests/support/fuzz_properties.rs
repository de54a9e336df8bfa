//! What must hold for any octets at all, a function a target: no panic; what was parsed is emitted
//! as the same octets, without exception, and so parse → emit → parse is a fixed point.
//! In: octets. Out: a panic when a property does not hold; else an [`Outcome`], by which a driver
//! without coverage tells new ground from old.
//! Shared by the stable driver (`tests/fuzz.rs`) and libFuzzer (`fuzz/fuzz_targets`).
//! Not here: where octets come from; memory and time (`vectors_memory.rs`, `benches/wire.rs`).

use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;

use bytes::Bytes;
use offhook_wire::h225_message::{CallSignal, CallSignalError};
use offhook_wire::pdu::{self, Pdu};
use offhook_wire::per::json::OpenType;
use offhook_wire::per::{self, Type};
use offhook_wire::q931::{self, Element, Message};
use offhook_wire::tpkt::{self, TpktDecoder};
use offhook_wire::{h225, h245, h450};
use serde_json::Value;

use super::roots::{Act, Name, roots, with_root};

/// How one input fared.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Whether some parser took it.
    pub accepted: bool,
    /// Whether what was taken is not in canonical form.
    pub lenient: bool,
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
        Outcome { accepted, lenient: false, signature: hasher.finish() }
    }

    fn and(self, other: Self) -> Self {
        Outcome {
            accepted: self.accepted || other.accepted,
            lenient: self.lenient || other.lenient,
            signature: self.signature.rotate_left(1) ^ other.signature,
        }
    }
}

// --- PER --------------------------------------------------------------------------------------------

/// What was parsed, emitted again: the same octets.
fn same<T: Type + PartialEq + Debug>(octets: &Bytes) -> Outcome {
    let message = match per::decode::<T>(octets) {
        Ok(message) => message,
        Err(error) => return Outcome::of(false, place(&error)),
    };
    let emitted = per::encode(&message).unwrap_or_else(|error| panic!("not emitted: {error}"));
    assert_eq!(emitted, *octets, "emitted, and taken");
    let mut outcome = Outcome { accepted: true, lenient: false, signature: 0 };
    // Descriptions cost more than all else together.
    if !octets.len().is_multiple_of(8) {
        return outcome;
    }
    let description = message.to_json();
    let built =
        per::json::build::<T>(&description).unwrap_or_else(|error| panic!("own description: {error}"));
    assert_eq!(message, built, "built from its own description");
    // What was built takes the canonical form, unless that is strict where reading is not.
    outcome.lenient = per::encode(&built).map_or(true, |canonical| canonical != *octets);
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
    same::<h225::RasMessage>(&Bytes::copy_from_slice(octets))
}

/// H.245 messages, and the elements of fast start.
pub fn h245(octets: &[u8]) -> Outcome {
    let octets = Bytes::copy_from_slice(octets);
    let message = same::<h245::MultimediaSystemControlMessage>(&octets);
    message.and(same::<h245::OpenLogicalChannel>(&octets))
}

/// H.450 services, and by themselves the arguments, results and parameters of all operations and errors, and what
/// H.460 puts into octet strings: those of a service by their codes; else the first octet chooses the type of the rest.
pub fn h450(octets: &[u8]) -> Outcome {
    let octets = Bytes::copy_from_slice(octets);
    let mut outcome = same::<h450::H4501SupplementaryService>(&octets);
    if let Ok(service) = per::decode::<h450::H4501SupplementaryService>(&octets)
        && let h450::ServiceApdus::RosApdus(apdus) = &service.service_apdu
    {
        let open_types = apdus.iter().filter_map(|apdu| match apdu {
            h450::Ros::Invoke(invoke) => {
                Some((h450::argument_type(local(&invoke.opcode)?)?, invoke.argument.as_ref()?))
            }
            h450::Ros::ReturnResult(answer) => {
                let result = answer.result.as_ref()?;
                Some((h450::result_type(local(&result.opcode)?)?, &result.result))
            }
            h450::Ros::ReturnError(error) => {
                Some((h450::parameter_type(local(&error.error_code)?)?, error.parameter.as_ref()?))
            }
            h450::Ros::Reject(_) => None,
        });
        for (open_type, octets) in open_types {
            outcome = outcome.and(argument(open_type, octets));
        }
    }
    if let Some((choice, rest)) = octets.split_first() {
        let arguments = arguments();
        let root = &arguments[usize::from(*choice) % arguments.len()];
        outcome = outcome.and(with_root(root, &mut Same(octets.slice_ref(rest))));
    }
    outcome
}

fn local(code: &h450::Code) -> Option<i64> {
    match code {
        h450::Code::Local(code) => Some(*code),
        h450::Code::Global(_) => None,
    }
}

/// The types of [`h450`] beside the service itself.
pub fn arguments() -> &'static [Name] {
    static ARGUMENTS: OnceLock<Vec<Name>> = OnceLock::new();
    ARGUMENTS.get_or_init(|| {
        let top = |name: &Name| name.1 == "H4501SupplementaryService";
        roots().into_iter().filter(|name| matches!(name.0.as_str(), "h450" | "h460") && !top(name)).collect()
    })
}

/// The one that an open type of H.450 is, by whichever of its names.
pub fn argument_of(open_type: OpenType) -> Option<&'static Name> {
    let name = match open_type.name {
        "CTDummyArg" | "CTDummyRes" | "DiversionDummy" => "ArgumentExtension",
        name => name,
    };
    arguments().iter().find(|root| root.0 == "h450" && root.1 == name)
}

/// The property of one root.
struct Same(Bytes);

impl Act for Same {
    type Output = Outcome;
    fn act<T: Type + PartialEq + Clone + Debug>(&mut self) -> Outcome {
        same::<T>(&self.0)
    }
}

/// An open type by its code: what the operation's table makes of it agrees with the type by itself.
fn argument(open_type: OpenType, octets: &Bytes) -> Outcome {
    let Some(root) = argument_of(open_type) else { panic!("{} is no root", open_type.name) };
    let outcome = with_root(root, &mut Same(octets.clone()));
    if octets.len().is_multiple_of(8) {
        assert_eq!(open_type.describe(octets).is_ok(), outcome.accepted, "{}", open_type.name);
    }
    outcome
}

// --- call signalling -----------------------------------------------------------------------------------

/// Q.931 messages with their UUIE, or the UUIE by itself; and what is tunnelled.
pub fn h225(octets: &[u8]) -> Outcome {
    let octets = Bytes::copy_from_slice(octets);
    let alone = same::<h225::H323UserInformation>(&octets);
    let signal = match CallSignal::decode(&octets) {
        Ok(signal) => signal,
        Err(CallSignalError::Q931(error)) => {
            return alone.and(Outcome::of(false, std::mem::discriminant(&error)));
        }
        Err(CallSignalError::Uuie { source, .. }) => return alone.and(Outcome::of(false, place(&source))),
        Err(_) => return alone.and(Outcome::of(false, 2)),
    };
    assert_eq!(signal.encode().as_ref(), Ok(&octets), "emitted, and taken");
    let mut outcome = Outcome::of(true, signal.uuie.is_some());
    for control in signal.h245_control() {
        outcome = outcome.and(same::<h245::MultimediaSystemControlMessage>(control));
    }
    outcome.and(alone)
}

/// Q.931 messages: emitted again octet by octet; every typed element asked for.
pub fn q931(octets: &[u8]) -> Outcome {
    let parsed = match Message::decode(&Bytes::copy_from_slice(octets)) {
        Ok(parsed) => parsed,
        Err(error) => return Outcome::of(false, std::mem::discriminant(&error)),
    };
    let emitted = parsed.encode().expect("what was parsed fits");
    assert_eq!(emitted, octets, "emitted, and taken");
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

    // The decoder hands out payloads. As a PDU, a stream is its packets: keep-alives, reserved octets and all.
    let octets = Bytes::copy_from_slice(octets);
    let stream = Pdu::decode(pdu::Kind::Tpkt, &octets);
    if let Ok(stream) = &stream {
        assert_eq!(stream.encode().as_ref(), Ok(&octets), "emitted, and taken");
        assert_eq!(end, None);
        assert_eq!(whole.buffered(), 0);
    }
    let end = end.as_ref().map(std::mem::discriminant);
    Outcome::of(!packets.is_empty(), (packets.len().min(8), end, stream.is_ok()))
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
