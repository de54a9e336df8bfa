//! A far end that falls silent without a word, and is heard again; streams that never had a channel.

mod support;

use std::time::{Duration, Instant};

use offhook_msp::MspConfig;
use offhook_pair::{Codec, ToMsp};
use offhook_spi::mspi::Direction;
use offhook_spi::{MspCallEvent, MspEventCause};
use support::*;

use MspCallEvent::{StreamActive, StreamInactive};
use MspEventCause::{LocalRequest, MediaRecovered, MediaTimeout, RemoteRequest};

#[test]
fn a_peer_that_vanishes_is_told_of_after_the_timeout_and_again_when_it_is_back() {
    let mut a = End::with(MspConfig { media_timeout_ms: 400, ..MspConfig::default() });
    let mut b = End::new();
    let null = a.null(Direction::Render);
    a.msp.select_terminal(a.render, null).unwrap();
    b.tone(440.0);
    join(&mut a, &mut b, Codec::Pcmu);
    until("sound", || a.received().packets > 20);
    let render = Some(a.render);
    assert_eq!(a.events(), [(StreamActive, RemoteRequest, render)]);
    // The peer's sending stops; nobody signals anything to this end.
    b.msp.stop_stream(b.capture).unwrap();
    let began = Instant::now();
    until("the timeout", || a.events().len() == 2);
    assert!(began.elapsed() >= Duration::from_millis(250), "{:?}", began.elapsed());
    assert_eq!(a.events()[1], (StreamInactive, MediaTimeout, render));
    assert!(!a.received().active);
    b.msp.start_stream(b.capture).unwrap();
    until("the recovery", || a.events().len() == 3);
    assert_eq!(a.events()[2], (StreamActive, MediaRecovered, render));
    assert!(a.received().active);
    // Timed out again, then unselected: no second word of being inactive; selected, it begins anew.
    b.msp.stop_stream(b.capture).unwrap();
    until("the second timeout", || a.events().len() == 4);
    a.msp.unselect_terminal(a.render, null).unwrap();
    assert_eq!(a.events().len(), 4);
    a.msp.select_terminal(a.render, null).unwrap();
    until("active", || a.events().len() == 5);
    assert_eq!(a.events()[4], (StreamActive, LocalRequest, render));
    until("the third timeout", || a.events().len() == 6);
    assert_eq!(a.events()[5], (StreamInactive, MediaTimeout, render));
    a.tell(&ToMsp::StopAll).unwrap();
    pause(30);
    assert_eq!(a.events().len(), 6);
}

#[test]
fn a_peer_that_never_sends_is_told_of_as_well_and_patience_without_end_is_possible() {
    let mut a = End::with(MspConfig { media_timeout_ms: 100, ..MspConfig::default() });
    let mut patient = End::with(MspConfig { media_timeout_ms: 0, ..MspConfig::default() });
    let (mut b, mut c) = (End::new(), End::new());
    for end in [&a, &patient] {
        end.msp.select_terminal(end.render, end.null(Direction::Render)).unwrap();
    }
    join(&mut patient, &mut c, Codec::Pcmu);
    join(&mut a, &mut b, Codec::Pcmu);
    until("the timeout", || a.events().len() == 2);
    assert_eq!(a.events()[1], (StreamInactive, MediaTimeout, Some(a.render)));
    assert_eq!(patient.events(), [(StreamActive, RemoteRequest, Some(patient.render))]);
}

#[test]
fn a_stream_that_never_had_a_channel_is_not_used() {
    let (mut a, mut b) = (End::new(), End::new());
    a.tone(440.0);
    let at_b = b.prepare();
    a.prepare();
    a.tell(&ToMsp::Start(vec![transmit(Codec::Pcmu, &at_b)])).unwrap();
    until("sound", || a.sent().packets > 3);
    a.tell(&ToMsp::StopAll).unwrap();
    a.tell(&ToMsp::StopAll).unwrap();
    let told = (MspCallEvent::StreamNotUsed, RemoteRequest, Some(a.render));
    assert_eq!(a.events().iter().filter(|event| **event == told).count(), 1);
    // A call that never had sound was not half used.
    b.tell(&ToMsp::StopAll).unwrap();
    assert_eq!(b.events(), []);
}
