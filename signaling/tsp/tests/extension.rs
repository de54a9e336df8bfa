//! The provider's extension of TAPI: versions, weights of codecs, octets on the wire, the registration.
#![allow(clippy::unwrap_used)]

mod desk;

use desk::{Desk, Wishes};
use offhook_h323_ext::{Answer, Ask, CodecWeight, EXTENSION, Notice, Protocol, RegistrationState, VERSION};
use offhook_spi::{ExtensionVersion, HdCall, HdLine, LineError, Opaque, RequestId, Tspi};
use tokio::runtime::Runtime;

const V1: ExtensionVersion = ExtensionVersion(VERSION);

fn opaque(ask: &Ask) -> Opaque {
    Opaque::new(ask.encode()).unwrap()
}

fn ask(desk: &Desk, ask: &Ask) -> Answer {
    desk.provider.line_dev_specific(RequestId(70), desk.line, None, &opaque(ask)).unwrap();
    desk.until("request 70 done");
    Answer::decode(desk.answer().as_bytes()).unwrap()
}

fn weights(weights: &[(&str, u8)]) -> Ask {
    let weight = |(codec, weight): &(&str, u8)| CodecWeight { codec: (*codec).to_owned(), weight: *weight };
    Ask::SetCodecWeights(weights.iter().map(weight).collect())
}

fn speaking(runtime: &Runtime) -> Desk {
    let desk = Desk::new(runtime, Wishes::default());
    desk.provider.line_select_ext_version(desk.line, V1).unwrap();
    desk
}

#[test]
fn versions_are_negotiated_and_nothing_passes_before_one_is_selected() {
    let runtime = Runtime::new().unwrap();
    let desk = Desk::new(&runtime, Wishes::default());
    let provider = &desk.provider;
    assert_eq!(provider.line_extension(0).unwrap().0, EXTENSION);
    let newer = ExtensionVersion(VERSION + 5);
    assert_eq!(provider.line_negotiate_ext_version(0, ExtensionVersion(1), newer), Ok(V1));
    let too_new = provider.line_negotiate_ext_version(0, newer, newer);
    assert_eq!(too_new, Err(LineError::IncompatibleExtVersion));
    assert_eq!(provider.line_extension(1), Err(LineError::BadDeviceId));
    let say = |line, call, data: &Opaque| provider.line_dev_specific(RequestId(1), line, call, data);
    let word = opaque(&Ask::Registration);
    assert_eq!(say(desk.line, None, &word), Err(LineError::IncompatibleExtVersion));
    assert_eq!(provider.line_select_ext_version(desk.line, newer), Err(LineError::IncompatibleExtVersion));
    provider.line_select_ext_version(desk.line, V1).unwrap();
    say(desk.line, None, &word).unwrap();
    desk.until("request 1 done");
    assert!(matches!(say(desk.line, Some(HdCall(1)), &word), Err(LineError::InvalParam(_))));
    assert_eq!(say(HdLine(4_711), None, &word), Err(LineError::InvalLineHandle));
    let garbage = Opaque::new(vec![1, 99, 99]).unwrap();
    assert!(matches!(say(desk.line, None, &garbage), Err(LineError::InvalParam(_))));
    provider.line_select_ext_version(desk.line, ExtensionVersion(0)).unwrap();
    assert_eq!(say(desk.line, None, &word), Err(LineError::IncompatibleExtVersion));
}

#[test]
fn weights_decide_which_codecs_a_call_has() {
    let runtime = Runtime::new().unwrap();
    // The MSP's order is A-law, then µ-law; in fast connect the called side's decides.
    for (set, codec) in [
        (&[][..], "Pcma"),
        (&[("pcma", 50)][..], "Pcmu"),
        (&[("pcma", 0)][..], "Pcmu"),
        (&[("pcmu", 101), ("opus", 0)][..], "Pcmu"),
    ] {
        let (alice, bob) = (Desk::new(&runtime, Wishes::default()), speaking(&runtime));
        assert_eq!(ask(&bob, &weights(set)), Answer::Done);
        alice.dial(&bob.listen().to_string()).unwrap();
        bob.until("msp prepare 127.0.0.1 to None");
        bob.provider.line_answer(RequestId(1), bob.incoming()).unwrap();
        for desk in [alice, bob] {
            desk.until(&format!("msp start Transmit {codec} 20 ms to 5000"));
        }
    }
}

#[test]
fn weights_add_up_are_told_and_are_all_taken_or_none() {
    let runtime = Runtime::new().unwrap();
    let desk = speaking(&runtime);
    ask(&desk, &weights(&[("opus", 200), ("gsm", 3)]));
    ask(&desk, &weights(&[("gsm", 4)]));
    let unknown = opaque(&weights(&[("opus", 1), ("morse", 5)]));
    let refused = desk.provider.line_dev_specific(RequestId(2), desk.line, None, &unknown);
    assert!(matches!(refused, Err(LineError::InvalParam(why)) if why.contains("morse")));
    let Answer::CodecWeights(all) = ask(&desk, &Ask::CodecWeights) else { panic!("weights") };
    let of = |codec: &str| all.iter().find(|weight| weight.codec == codec).map(|weight| weight.weight);
    assert_eq!((of("opus"), of("gsm"), of("pcma")), (Some(200), Some(4), Some(100)));
}

#[test]
fn with_every_codec_off_there_is_no_call() {
    let runtime = Runtime::new().unwrap();
    let (alice, bob) = (speaking(&runtime), Desk::new(&runtime, Wishes::default()));
    ask(&alice, &weights(&[("pcma", 0), ("pcmu", 0)]));
    let placed = alice.dial(&bob.listen().to_string()).unwrap();
    alice.until("Disconnected(QosUnavail)");
    let why = alice.provider.line_call_info(placed).unwrap().provider_ids;
    assert!(why.iter().any(|(_, why)| why.contains("weight 0")), "{why:?}");
}

#[test]
fn octets_are_told_as_long_as_somebody_wants_them() {
    let runtime = Runtime::new().unwrap();
    let (alice, bob) = (speaking(&runtime), Desk::new(&runtime, Wishes::default()));
    let at = bob.listen();
    assert_eq!(ask(&alice, &Ask::TraceWire(true)), Answer::Done);
    let placed = alice.dial(&at.to_string()).unwrap();
    bob.until("Offering");
    alice.info(placed, |info| desk::id(info, "peer").is_some());
    alice.until("Proceeding");
    ask(&alice, &Ask::TraceWire(false));
    let told = alice.notices();
    let wires: Vec<_> = told
        .iter()
        .map(|data| match Notice::decode(data.as_bytes()).unwrap() {
            Notice::Wire(wire) => wire,
            other => panic!("{other:?}"),
        })
        .collect();
    let (sent, came): (Vec<_>, Vec<_>) = wires.iter().partition(|wire| wire.destination == at);
    // TPKT, Q.931, a call reference of two octets: Setup, CallProceeding.
    assert!(wires.iter().all(|wire| wire.protocol == Protocol::Tcp));
    assert_eq!((sent[0].octets[..2].to_vec(), sent[0].octets[8]), (vec![3, 0], 0x05));
    assert_eq!((came[0].source, came[0].octets[8]), (at, 0x02));
    bob.provider.line_answer(RequestId(1), bob.incoming()).unwrap();
    alice.until("Connected(Active)");
    assert_eq!(alice.notices().len(), told.len(), "nothing after that");
}

#[test]
fn a_line_without_a_gatekeeper_says_so() {
    let runtime = Runtime::new().unwrap();
    let Answer::Registration(found) = ask(&speaking(&runtime), &Ask::Registration) else {
        panic!("registration")
    };
    assert_eq!((found.state, found.gatekeeper), (RegistrationState::Stopped, None));
    assert!(found.why_not.is_some());
}
