//! Hostile octets: mutated vectors, and recursion as deep as it goes on a small stack.
//! In: the vectors of `vectors_common`, a fixed seed (`OFFHOOK_SEED` for another).
//! Not here: what well-formed vectors mean (`vectors.rs`), memory (`vectors_memory.rs`).

mod vectors_common;

use bytes::Bytes;
use offhook_wire::per::{self, Kind as Fault, MAX_DEPTH, Oid, Type};
use offhook_wire::{h225, h245};
use vectors_common::{Vector, Visit, decode_as_everything, vectors, visit};

/// Enough for a decoder; a thread of the standard library gets eight times as much.
const SMALL_STACK: usize = 256 * 1024;

fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(SMALL_STACK).spawn(work);
    thread.expect("a thread").join().expect("no panic");
}

// --- mutations --------------------------------------------------------------------------------------

/// SplitMix64: enough randomness, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn mutate(octets: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut octets = octets.to_vec();
    for _ in 0..=random.below(4) {
        if octets.is_empty() {
            octets.push(random.next() as u8);
        }
        let at = random.below(octets.len());
        match random.below(8) {
            0..=2 => octets[at] ^= 1 << random.below(8),
            3 => octets[at] = [0, 0xff, 0x7f, 0x80, 0xc1, 0xc4][random.below(6)],
            4 => octets.truncate(at),
            5 => octets.insert(at, random.next() as u8),
            6 => drop(octets.remove(at)),
            _ => {
                let from = random.below(other.len());
                octets.splice(at.., other[from.min(other.len())..].iter().copied());
            }
        }
    }
    octets
}

/// Whatever decodes, encodes; and the encoding decodes to the same value.
struct Survive;

impl Visit for Survive {
    type Output = bool;
    fn visit<T: Type + PartialEq + Clone + std::fmt::Debug>(&mut self, vector: &Vector) -> bool {
        let Ok(value) = per::decode::<T>(&vector.octets) else { return false };
        match per::encode(&value) {
            Ok(octets) => {
                assert_eq!(octets, vector.octets, "as {value:?}");
                let again = per::decode::<T>(&octets.into());
                assert_eq!(again.as_ref(), Ok(&value), "from {:02x?}", &vector.octets[..]);
            }
            Err(error) => panic!("{error} from {:02x?}", &vector.octets[..]),
        }
        let description = value.to_json();
        assert_eq!(value.clone(), value);
        drop(per::json::build::<T>(&description));
        true
    }
}

#[test]
fn mutated_messages_decode_to_something_consistent_or_not_at_all() {
    let seed = std::env::var("OFFHOOK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let rounds = std::env::var("OFFHOOK_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(20);
    let mut random = Random(seed);
    let mut vectors: Vec<_> = vectors().into_iter().filter(|v| v.octets.len() < 4096).collect();
    let originals: Vec<Bytes> = vectors.iter().map(|vector| vector.octets.clone()).collect();
    let (mut tried, mut decoded) = (0, 0);
    for _ in 0..rounds {
        for (vector, original) in vectors.iter_mut().zip(&originals) {
            let other = &originals[random.below(originals.len())];
            vector.octets = mutate(original, other, &mut random).into();
            tried += 1;
            decoded += usize::from(visit(vector, &mut Survive));
        }
    }
    println!("{decoded} of {tried} mutants decoded");
    assert!(decoded > tried / 20, "the mutations are too coarse to reach anything");
}

#[test]
fn every_truncation_of_a_message_is_an_error_or_a_value() {
    for vector in vectors().iter().filter(|vector| vector.octets.len() < 200).step_by(4) {
        for end in 0..vector.octets.len() {
            decode_as_everything(&vector.octets.slice(..end));
        }
    }
}

// --- small stacks -----------------------------------------------------------------------------------

#[test]
fn all_vectors_fit_a_small_stack() {
    on_a_small_stack(|| vectors().iter().for_each(|vector| decode_as_everything(&vector.octets)));
}

const NAME: Oid = Oid::new(&[0, 0, 8, 239, 2]);

fn identifier() -> h225::GenericIdentifier {
    h225::GenericIdentifier::Standard(1)
}

/// The recursive places of the schema: a message with `depth` levels at each.
fn recursive_messages(depth: usize) -> Vec<(&'static str, Result<Vec<u8>, per::Error>)> {
    use h245::{ParameterIdentifier, ParameterValue};

    let mut value = ParameterValue::Logical;
    for _ in 0..depth {
        let parameter = h245::GenericParameter::new(ParameterIdentifier::Standard(1), value);
        value = ParameterValue::GenericParameter(vec![parameter]);
    }
    let parameter = h245::GenericParameter::new(ParameterIdentifier::Standard(1), value);
    let mut message = h245::GenericMessage::new(h245::CapabilityIdentifier::Standard(NAME));
    message.message_content = Some(vec![parameter]);
    let generic_parameter = h245::RequestMessage::GenericRequest(message.into());

    let mut kind = h245::MultiplexElementType::LogicalChannelNumber(1);
    for _ in 0..depth {
        let repeat = h245::MultiplexElementRepeatCount::UntilClosingFlag;
        let element = h245::MultiplexElement::new(kind, repeat);
        kind = h245::MultiplexElementType::SubElementList(vec![element.clone(), element]);
        if let h245::MultiplexElementType::SubElementList(list) = &mut kind {
            // Two are the least; only the first goes on.
            list[1].r#type = h245::MultiplexElementType::LogicalChannelNumber(2);
        }
    }
    let element = h245::MultiplexElement::new(kind, h245::MultiplexElementRepeatCount::UntilClosingFlag);
    let mut descriptor = h245::MultiplexEntryDescriptor::new(1);
    descriptor.element_list = Some(vec![element]);
    let send = h245::MultiplexEntrySend::new(0, vec![descriptor]);
    let multiplex_element = h245::RequestMessage::MultiplexEntrySend(send);

    let mut audio = h245::AudioCapability::G711Alaw64k(20);
    for _ in 0..depth {
        audio = h245::AudioCapability::Vbd(h245::VBDCapability::new(audio).into());
    }
    let capability = h245::Capability::ReceiveAudioCapability(audio);
    let mut entry = h245::CapabilityTableEntry::new(1);
    entry.capability = Some(capability);
    let mut set = h245::TerminalCapabilitySet::new(0, NAME);
    set.capability_table = Some(vec![entry]);
    let voice_band_data = h245::RequestMessage::TerminalCapabilitySet(set.into());

    let mut content = h225::Content::Bool(true);
    for _ in 0..depth {
        let mut parameter = h225::EnumeratedParameter::new(identifier());
        parameter.content = Some(content);
        content = h225::Content::Compound(vec![parameter]);
    }
    let compound = generic_ras(content);

    let mut content = h225::Content::Bool(true);
    for _ in 0..depth {
        let mut data = h225::GenericData::new(identifier());
        let mut parameter = h225::EnumeratedParameter::new(identifier());
        parameter.content = Some(content);
        data.parameters = Some(vec![parameter]);
        content = h225::Content::Nested(vec![data]);
    }
    let nested = generic_ras(content);

    let request = |request| per::encode(&h245::MultimediaSystemControlMessage::Request(request));
    vec![
        ("genericParameter", request(generic_parameter)),
        ("subElementList", request(multiplex_element)),
        ("vbd", request(voice_band_data)),
        ("compound", per::encode(&compound)),
        ("nested", per::encode(&nested)),
    ]
}

fn generic_ras(content: h225::Content) -> h225::RasMessage {
    let mut parameter = h225::EnumeratedParameter::new(identifier());
    parameter.content = Some(content);
    let mut data = h225::GenericData::new(identifier());
    data.parameters = Some(vec![parameter]);
    let mut confirm = h225::UnregistrationConfirm::new(1);
    confirm.generic_data = Some(vec![data]);
    h225::RasMessage::UnregistrationConfirm(confirm.into())
}

#[test]
fn the_deepest_permitted_messages_fit_a_small_stack() {
    on_a_small_stack(|| {
        for name in ["genericParameter", "subElementList", "vbd", "compound", "nested"] {
            let deepest = (0..=MAX_DEPTH).rev().find_map(|depth| {
                let messages = recursive_messages(depth);
                let message = messages.into_iter().find(|(kind, _)| *kind == name)?.1;
                Some((depth, message.ok()?))
            });
            let (depth, octets) = deepest.expect("some depth is permitted");
            println!("{name}: {depth} levels in {} octets", octets.len());
            assert!(depth >= MAX_DEPTH / 4, "{name} stops at {depth}");
            decode_as_everything(&octets.into());
        }
    });
}

#[test]
fn deeper_messages_are_refused_in_both_directions() {
    for (name, encoded) in recursive_messages(MAX_DEPTH + 1) {
        assert_eq!(encoded.map_err(|error| error.kind()), Err(Fault::TooDeep), "{name}");
    }
}

#[test]
fn a_parameter_bomb_of_a_whole_tpkt_is_refused_on_a_small_stack() {
    // Three octets a level, as in the vectors, but as many as fit: the announced lengths shrink
    // to nothing, the nesting goes on.
    on_a_small_stack(|| {
        let mut octets = vec![0x10, 0x80, 0xbf, 0xff, 0x20, 0x05, 0x00, 0x08, 0x81, 0x6f, 0x02];
        while octets.len() < 65_000 {
            octets.extend([0x01, 0x00, 0x07]);
        }
        let error = per::decode::<h245::MultimediaSystemControlMessage>(&octets.into());
        assert_eq!(error.map_err(|error| error.kind()), Err(Fault::TooDeep));
    });
}
