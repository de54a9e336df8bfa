//! Digits by every way between two providers over loopback; scripted MSPs say what they would have played.

mod desk;

use std::time::Duration;

use desk::{Desk, PLACED, Wishes};
use offhook_pair::{DigitWay, TelephoneEvent, ToTsp};
use offhook_spi::{DigitMode, HdCall, RequestId, Timestamp, Tspi};
use offhook_tsp::{CallConfig, DigitsVia, H323Config};
use tokio::runtime::Runtime;

const CONNECTED: &str = "Connected(Active)";
type Adjust = fn(&mut H323Config);

const KEYS: TelephoneEvent = TelephoneEvent { payload_type: 101, events: 0x1_ffff };

fn events() -> Wishes {
    Wishes { telephone_event: Some(KEYS), ..Wishes::default() }
}

/// A connected call; the caller's name for it.
fn connected(alice: &Desk, bob: &Desk) -> HdCall {
    let placed = alice.dial(&bob.listen().to_string()).unwrap();
    bob.until("msp prepare 127.0.0.1 to None");
    bob.provider.line_answer(RequestId(90), bob.incoming()).unwrap();
    bob.until(CONNECTED);
    alice.until(CONNECTED);
    placed
}

/// What both say of `digits`; the request's completion is the caller's last word.
fn dialled(alice: &Desk, bob: &Desk, placed: HdCall, digits: &str) -> (Vec<String>, String) {
    alice.provider.line_generate_digits(RequestId(5), placed, DigitMode::Dtmf, digits).unwrap();
    let mut said = alice.until("request 5 done");
    said.retain(|what| what.starts_with("msp plays") || what.contains("events"));
    std::thread::sleep(Duration::from_millis(300));
    let digit = |what: String| what.strip_prefix("digit ")?.chars().next();
    (said, bob.heard.try_iter().filter_map(digit).collect())
}

#[test]
fn digits_go_as_telephone_events_if_both_sides_agreed_on_them() {
    let runtime = Runtime::new().unwrap();
    // After fast connect and in a call that H.245 opened.
    for fast_start in [true, false] {
        let call = CallConfig { fast_start, ..CallConfig::default() };
        let bob = Desk::new(
            &runtime,
            Wishes {
                telephone_event: Some(TelephoneEvent { payload_type: 110, ..KEYS }),
                call: call.clone(),
                ..events()
            },
        );
        let alice = Desk::new(&runtime, Wishes { call, ..events() });
        let placed = connected(&alice, &bob);
        let (said, heard) = dialled(&alice, &bob, placed, "12#D");
        assert_eq!(said.last().unwrap(), "msp plays 12#D TelephoneEvent");
        assert_eq!(heard, "", "what is in RTP is not in signalling");
        if fast_start {
            let port = "msp start Transmit Pcma 20 ms to 5000 events 110 0xffff";
            assert!(said.iter().any(|what| what == port), "{said:#?}");
        }
        // Flash was not announced.
        assert_eq!(dialled(&alice, &bob, placed, "1!"), (vec![], "1!".to_owned()));
    }
}

#[test]
fn each_way_can_be_asked_for_and_carries_every_digit_once() {
    let runtime = Runtime::new().unwrap();
    let digits = "1234567890*#ABCD";
    let ways: [(Adjust, &str); 5] = [
        (|config| config.digits_via = DigitsVia::TelephoneEvent, "TelephoneEvent"),
        (|config| config.digits_via = DigitsVia::Signal, ""),
        (|config| config.digits_via = DigitsVia::Alphanumeric, ""),
        (|config| config.digits_via = DigitsVia::Keypad, ""),
        (|config| config.digits_via = DigitsVia::InBand, "InBand"),
    ];
    for (adjust, played) in ways {
        let (alice, bob) =
            (Desk::new(&runtime, Wishes { adjust, ..events() }), Desk::new(&runtime, events()));
        let placed = connected(&alice, &bob);
        let (said, heard) = dialled(&alice, &bob, placed, digits);
        if played.is_empty() {
            assert_eq!(heard, digits);
            assert!(!said.iter().any(|what| what.starts_with("msp plays")), "{said:#?}");
        } else {
            assert_eq!(heard, "");
            assert_eq!(*said.last().unwrap(), format!("msp plays {digits} {played}"));
        }
    }
}

#[test]
fn a_way_that_is_not_there_is_an_error_that_says_so() {
    let runtime = Runtime::new().unwrap();
    let adjust: Adjust = |config| {
        config.digits_via = DigitsVia::TelephoneEvent;
        config.digits_patience = Duration::from_millis(500);
    };
    let alice = Desk::new(&runtime, Wishes { adjust, ..events() });
    let bob = Desk::new(&runtime, Wishes::default());
    let placed = connected(&alice, &bob);
    alice.provider.line_generate_digits(RequestId(5), placed, DigitMode::Dtmf, "1").unwrap();
    alice.until(
        "request 5 failed: operation failed: the far end takes these digits by none of the ways allowed",
    );
    assert!(bob.heard.try_iter().all(|what| !what.starts_with("digit")));
}

#[test]
fn digits_that_the_msp_could_not_begin_go_the_next_way() {
    let runtime = Runtime::new().unwrap();
    let alice = Desk::new(&runtime, Wishes { plays: false, ..events() });
    let bob = Desk::new(&runtime, events());
    let placed = connected(&alice, &bob);
    let (said, heard) = dialled(&alice, &bob, placed, "42");
    assert_eq!((said.last().unwrap().as_str(), heard.as_str()), ("msp plays 42 TelephoneEvent", "42"));
}

#[test]
fn a_key_that_comes_in_rtp_and_in_signalling_is_told_once() {
    let runtime = Runtime::new().unwrap();
    let adjust: Adjust = |config| config.digits_via = DigitsVia::Signal;
    let alice = Desk::new(&runtime, Wishes { adjust, ..events() });
    let bob = Desk::new(&runtime, events());
    let placed = connected(&bob, &alice);
    alice.provider.line_generate_digits(RequestId(5), alice.incoming(), DigitMode::Dtmf, "7").unwrap();
    bob.until("digit 7 Signal 100 ms");
    let way = DigitWay::TelephoneEvent;
    let rtp = |digit| ToTsp::Digit { digit, duration_ms: 80, began_ns: Timestamp::now().0, way };
    bob.msp_says(PLACED, &rtp('7'));
    bob.msp_says(PLACED, &rtp('8'));
    bob.until("digit 8 TelephoneEvent 80 ms");
    // The other way round: RTP first.
    bob.msp_says(PLACED, &rtp('9'));
    bob.until("digit 9 TelephoneEvent 80 ms");
    // Its tone was in the sound as well.
    let began_ns = Timestamp::now().0;
    let tone = ToTsp::Digit { digit: '9', duration_ms: 80, began_ns, way: DigitWay::InBand };
    bob.msp_says(PLACED, &tone);
    alice.provider.line_generate_digits(RequestId(6), alice.incoming(), DigitMode::Dtmf, "91").unwrap();
    let last = "digit 1 Signal 100 ms";
    assert_eq!(bob.until(last), [last], "neither 7 nor 9 a second time");
    // A way that is asked for is taken, and told: of these two nobody knows how long the key was held.
    for (request, mode, told) in
        [(8, DigitMode::Alphanumeric, "digit 2 Alphanumeric"), (9, DigitMode::Keypad, "digit 3 Keypad")]
    {
        let digit = told.chars().nth(6).unwrap().to_string();
        alice.provider.line_generate_digits(RequestId(request), alice.incoming(), mode, &digit).unwrap();
        assert_eq!(bob.until(told), [told]);
    }
    bob.provider.line_drop(RequestId(7), placed, offhook_spi::DisconnectMode::Normal).unwrap();
    bob.until("Idle");
}

#[test]
fn digits_under_way_fail_when_the_call_ends() {
    let runtime = Runtime::new().unwrap();
    let patient: Adjust = |config| config.digits_patience = Duration::from_secs(60);
    // H.245 never comes: the digits wait.
    let quiet = || CallConfig { h245_after_fast_start: false, ..CallConfig::default() };
    let alice = Desk::new(&runtime, Wishes { adjust: patient, call: quiet(), ..events() });
    let bob = Desk::new(&runtime, Wishes { call: quiet(), ..events() });
    let placed = connected(&alice, &bob);
    alice.provider.line_generate_digits(RequestId(5), placed, DigitMode::Dtmf, "1").unwrap();
    bob.provider.line_drop(RequestId(6), bob.incoming(), offhook_spi::DisconnectMode::Normal).unwrap();
    let said = alice.until("request 5 failed: operation failed: the call ended");
    assert!(said.iter().all(|what| !what.starts_with("msp plays")));
}

#[test]
fn the_msp_is_told_that_the_far_end_takes_comfort_noise() {
    let runtime = Runtime::new().unwrap();
    // After fast connect, when H.245 says it at last, and in a channel that H.245 opened.
    for fast_start in [true, false] {
        let call = CallConfig { fast_start, ..CallConfig::default() };
        let alice = Desk::new(&runtime, Wishes { call: call.clone(), ..Wishes::default() });
        let bob = Desk::new(&runtime, Wishes { call, comfort_noise: true, ..Wishes::default() });
        connected(&alice, &bob);
        alice.until("msp start Transmit Pcma 20 ms to 5000 with noise");
        std::thread::sleep(Duration::from_millis(200));
        let said: Vec<String> = bob.heard.try_iter().collect();
        assert!(said.iter().all(|what| !what.contains("noise")), "alice takes none: {said:?}");
    }
}
