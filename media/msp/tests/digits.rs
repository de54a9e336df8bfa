//! Digits between two media providers over loopback: telephone-events (RFC 4733) and tones in band.

mod support;

use offhook_codecs::DtmfDigit;
use offhook_msp::MspConfig;
use offhook_pair::{Channel, Codec, DigitWay, TelephoneEvent, ToMsp, ToTsp};
use offhook_spi::mspi::Direction;
use support::{End, RECEIVE, TRANSMIT, pause, read_sound, receive, tone_dbfs, transmit, until};

const KEYS: &str = "1234567890*#ABCD";

/// Two ends in a call, each of which takes telephone-events as it says.
fn joined(configs: [MspConfig; 2]) -> (End, End) {
    let [a, b] = configs;
    let (mut a, mut b) = (End::with(a), End::with(b));
    for end in [&a, &b] {
        end.msp.select_terminal(end.capture, end.null(Direction::Capture)).unwrap();
        end.msp.select_terminal(end.render, end.null(Direction::Render)).unwrap();
    }
    let (at_a, at_b) = (a.prepare(), b.prepare());
    for (end, here, there) in [(&a, &at_a, &at_b), (&b, &at_b, &at_a)] {
        let transmit = Channel { telephone_event: there.telephone_event, ..transmit(Codec::Pcma, there) };
        let receive = Channel { telephone_event: here.telephone_event, ..receive(Codec::Pcma) };
        end.tell(&ToMsp::Start(vec![receive, transmit])).unwrap();
    }
    (a, b)
}

fn plain() -> (End, End) {
    joined([MspConfig::default(), MspConfig { telephone_event: Some(120), ..MspConfig::default() }])
}

fn play(end: &End, id: u32, digits: &str, way: DigitWay) {
    end.tell(&ToMsp::PlayDigits { id, digits: digits.to_owned(), way }).unwrap();
}

/// The next word to the TSP.
fn word(end: &mut End) -> ToTsp {
    let mut found = None;
    until("a word to the TSP", || {
        found = end.answer();
        found.is_some()
    });
    found.unwrap()
}

/// The digits that came while `count` did.
fn digits(end: &mut End, count: usize) -> String {
    (0..count)
        .map(|_| match word(end) {
            ToTsp::Digit { digit, duration_ms, began_ns, .. } => {
                assert!((60..=200).contains(&duration_ms), "{duration_ms} ms");
                assert!(began_ns > 0);
                digit
            }
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn every_key_arrives_once_and_in_order_under_the_payload_type_of_who_receives() {
    let (mut a, mut b) = plain();
    play(&a, 1, KEYS, DigitWay::TelephoneEvent);
    assert_eq!(digits(&mut b, 16), KEYS);
    assert_eq!(word(&mut a), ToTsp::DigitsPlayed { id: 1 });
    play(&b, 2, "#9!", DigitWay::TelephoneEvent);
    assert_eq!(digits(&mut a, 3), "#9!");
    assert_eq!(word(&mut b), ToTsp::DigitsPlayed { id: 2 });
    pause(500);
    assert_eq!((a.answer(), b.answer()), (None, None), "no digit came a second time");
}

#[test]
fn strings_wait_for_each_other_and_longer_ones_than_the_engine_holds_are_played_whole() {
    let (mut a, mut b) = plain();
    let long = "159D".repeat(17);
    play(&a, 1, &long, DigitWay::TelephoneEvent);
    play(&a, 2, "7", DigitWay::TelephoneEvent);
    // More than ten seconds of digits: cancelled once the first part is on its way.
    assert_eq!(digits(&mut b, 2), "15");
    a.tell(&ToMsp::CancelDigits).unwrap();
    for id in [1, 2] {
        match word(&mut a) {
            ToTsp::DigitsFailed { id: named, has_begun, .. } => assert_eq!((named, has_begun), (id, id == 1)),
            other => panic!("{other:?}"),
        }
    }
    play(&a, 3, "*", DigitWay::TelephoneEvent);
    assert_eq!(word(&mut a), ToTsp::DigitsPlayed { id: 3 });
    let mut last = Vec::new();
    until("the digit after", || {
        last.extend(b.answer());
        matches!(last.last(), Some(ToTsp::Digit { digit: '*', .. }))
    });
    assert!(last.len() <= 3, "what was cancelled is not played: {last:?}");
}

#[test]
fn digits_in_band_are_heard_as_tones() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("heard.wav");
    let (mut a, b) = plain();
    let terminal = b.record(&path);
    pause(200);
    play(&a, 1, "0D", DigitWay::InBand);
    assert_eq!(word(&mut a), ToTsp::DigitsPlayed { id: 1 });
    pause(300);
    b.msp.unselect_terminal(b.render, terminal).unwrap();
    b.msp.release_terminal(terminal).unwrap();
    let heard = read_sound(&path);
    for key in ['0', 'D'] {
        let [low, high] = DtmfDigit::from_char(key).unwrap().tone().hz.map(f64::from);
        let loud = |window: &[i16]| {
            tone_dbfs(window, low, 8_000.0) > -16.0 && tone_dbfs(window, high, 8_000.0) > -16.0
        };
        let count = heard.chunks(160).filter(|window| loud(window)).count();
        assert!((2..=6).contains(&count), "{key} in {count} windows of 20 ms");
    }
    play(&a, 2, "1!", DigitWay::InBand);
    assert!(matches!(word(&mut a), ToTsp::DigitsFailed { id: 2, has_begun: false, .. }), "flash has no tone");
}

#[test]
fn what_cannot_be_played_fails_and_says_why() {
    let (mut a, mut b) = plain();
    let why = |end: &mut End| match word(end) {
        ToTsp::DigitsFailed { why, has_begun: false, .. } => why,
        other => panic!("{other:?}"),
    };
    // The far end takes the first twelve keys only.
    let at_b = b.prepare();
    let few = Some(TelephoneEvent { payload_type: 120, events: 0xfff });
    a.tell(&ToMsp::Start(vec![Channel { telephone_event: few, ..transmit(Codec::Pcma, &at_b) }])).unwrap();
    play(&a, 1, "1A", DigitWay::TelephoneEvent);
    assert!(why(&mut a).contains("'A'"));
    a.tell(&ToMsp::Start(vec![transmit(Codec::Pcma, &at_b)])).unwrap();
    play(&a, 2, "1", DigitWay::TelephoneEvent);
    assert!(why(&mut a).contains("no telephone-events"));
    a.tell(&ToMsp::Stop(vec![TRANSMIT])).unwrap();
    play(&a, 3, "1", DigitWay::TelephoneEvent);
    assert!(why(&mut a).contains("nothing is being sent"));
    for id in 4..13 {
        play(&a, id, "1", DigitWay::TelephoneEvent);
    }
    assert!(why(&mut a).contains("8 strings"));
    a.tell(&ToMsp::StopAll).unwrap();
    assert!(why(&mut a).contains("over"));
    assert_eq!(b.answer(), None);
}

#[test]
fn an_end_that_takes_no_telephone_events_says_so_and_hears_none() {
    let off = MspConfig { telephone_event: None, ..MspConfig::default() };
    let (mut a, mut b) = joined([MspConfig::default(), off]);
    assert_eq!(b.prepare().telephone_event, None);
    let at_b = b.prepare();
    let anyway = Some(TelephoneEvent { payload_type: 101, events: TelephoneEvent::KEYS });
    let channel = Channel { telephone_event: anyway, ..transmit(Codec::Pcma, &at_b) };
    a.tell(&ToMsp::Start(vec![channel])).unwrap();
    play(&a, 1, "5", DigitWay::TelephoneEvent);
    assert_eq!(word(&mut a), ToTsp::DigitsPlayed { id: 1 });
    pause(300);
    assert_eq!(b.answer(), None);
    // It learns to, in the middle of the call.
    b.tell(&ToMsp::Stop(vec![RECEIVE])).unwrap();
    b.tell(&ToMsp::Start(vec![Channel { telephone_event: anyway, ..receive(Codec::Pcma) }])).unwrap();
    play(&a, 2, "6", DigitWay::TelephoneEvent);
    assert_eq!(digits(&mut b, 1), "6");
}

#[test]
fn tones_in_the_sound_are_digits_to_a_side_that_listens_and_to_no_other() {
    let listening = MspConfig { inband_digits: true, ..MspConfig::default() };
    let (mut a, mut b) = joined([MspConfig::default(), listening]);
    play(&a, 1, "19#D", DigitWay::InBand);
    for expected in "19#D".chars() {
        match word(&mut b) {
            ToTsp::Digit { digit, duration_ms, began_ns, way } => {
                assert_eq!((digit, way), (expected, DigitWay::InBand));
                assert!((60..=200).contains(&duration_ms) && began_ns > 0, "{duration_ms} ms");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(word(&mut a), ToTsp::DigitsPlayed { id: 1 });
    play(&b, 2, "5", DigitWay::InBand);
    assert_eq!(word(&mut b), ToTsp::DigitsPlayed { id: 2 });
    pause(500);
    assert_eq!((a.answer(), b.answer()), (None, None), "one side does not listen, the other heard each once");
}
