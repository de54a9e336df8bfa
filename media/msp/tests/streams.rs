//! When a stream runs, and what is told of it: channels, selections, verbs, in every order.

mod support;

use offhook_pair::{Codec, ToMsp};
use offhook_spi::mspi::{Direction, TerminalClass};
use offhook_spi::{MediaTypes, MspCallEvent, MspError, MspEventCause, Opaque};
use support::*;

use MspCallEvent::{StreamActive, StreamInactive};
use MspEventCause::{LocalRequest, RemoteRequest};

#[test]
fn streams_become_active_once_when_the_tsp_starts_them_and_inactive_once_when_it_stops_them() {
    let (mut a, mut b) = (End::new(), End::new());
    a.tone(440.0);
    let null = a.null(Direction::Render);
    a.msp.select_terminal(a.render, null).unwrap();
    b.tone(330.0);
    pause(40);
    assert_eq!(a.events(), []);
    join(&mut a, &mut b, Codec::Pcmu);
    until("sound", || a.sent().packets > 5 && a.received().packets > 5);
    assert!(a.sent().active && a.received().active);
    let (capture, render) = (Some(a.capture), Some(a.render));
    assert_eq!(a.events(), [(StreamActive, RemoteRequest, capture), (StreamActive, RemoteRequest, render)]);
    // The same again is no change.
    let at_b = b.prepare();
    a.tell(&ToMsp::Start(vec![transmit(Codec::Pcmu, &at_b), receive(Codec::Pcmu)])).unwrap();
    pause(40);
    a.tell(&ToMsp::Stop(vec![TRANSMIT])).unwrap();
    a.tell(&ToMsp::Stop(vec![TRANSMIT])).unwrap();
    assert_eq!(a.events()[2..], [(StreamInactive, RemoteRequest, capture)]);
    a.tell(&ToMsp::StopAll).unwrap();
    a.tell(&ToMsp::StopAll).unwrap();
    pause(40);
    assert_eq!(a.events()[3..], [(StreamInactive, RemoteRequest, render)]);
    assert!(!a.sent().active && !a.received().active);
}

#[test]
fn without_a_terminal_nothing_is_sent_and_the_first_one_starts_the_stream() {
    let (mut a, mut b) = (End::new(), End::new());
    let null = b.null(Direction::Render);
    b.msp.select_terminal(b.render, null).unwrap();
    join(&mut a, &mut b, Codec::Pcma);
    pause(120);
    assert_eq!((a.sent().packets, b.received().packets, a.sent().active), (0, 0, false));
    let tone = a.tone(1_000.0);
    until("sound", || b.received().packets > 5);
    assert_eq!(a.events(), [(StreamActive, LocalRequest, Some(a.capture))]);
    a.msp.unselect_terminal(a.capture, tone).unwrap();
    assert_eq!(a.events()[1..], [(StreamInactive, LocalRequest, Some(a.capture))]);
    // The sound fades out within the packet that is being filled.
    let at_the_end = a.sent().packets;
    pause(60);
    let packets = a.sent().packets;
    assert!(packets - at_the_end <= 2, "{at_the_end}, then {packets}");
    pause(80);
    assert_eq!(a.sent().packets, packets);
    // And again, with the same terminal.
    a.msp.select_terminal(a.capture, tone).unwrap();
    until("sound again", || a.sent().packets > packets + 3);
    assert_eq!(a.events().len(), 3);
}

#[test]
fn an_explicit_stop_wins_over_channels_and_selections_until_it_is_undone() {
    let (mut a, mut b) = (End::new(), End::new());
    assert_eq!(a.msp.start_stream(a.capture), Err(MspError::NoTerminalSelected));
    a.tone(440.0);
    assert_eq!(a.msp.start_stream(a.capture), Err(MspError::NotStopped));
    a.msp.stop_stream(a.capture).unwrap();
    join(&mut a, &mut b, Codec::Pcmu);
    let more = a.terminal(TerminalClass::Tone { frequency: 600.0, level: -20.0 });
    a.msp.select_terminal(a.capture, more).unwrap();
    pause(100);
    assert_eq!((a.sent().packets, a.events().len()), (0, 0));
    a.msp.start_stream(a.capture).unwrap();
    until("sound", || a.sent().packets > 3);
    a.msp.stop_stream(a.capture).unwrap();
    a.msp.stop_stream(a.capture).unwrap();
    let capture = Some(a.capture);
    assert_eq!(a.events(), [(StreamActive, LocalRequest, capture), (StreamInactive, LocalRequest, capture)]);
    a.msp.start_stream(a.capture).unwrap();
    assert_eq!(a.msp.start_stream(a.capture), Err(MspError::NotStopped));
}

#[test]
fn prepare_asked_twice_answers_the_same_ports_and_codecs() {
    let mut a = End::new();
    let first = a.prepare();
    assert_eq!(first, a.prepare());
    assert_eq!((first.session, first.rtp.ip(), first.rtcp.ip()), (1, LOOPBACK, LOOPBACK));
    assert!(first.rtp.port().is_multiple_of(2) && first.rtcp.port() == first.rtp.port() + 1);
    let offers: Vec<_> = first.codecs.iter().map(|c| (c.codec, c.payload_type, c.packet_ms)).collect();
    assert_eq!(offers, [(Codec::Pcmu, 0, 20), (Codec::Pcma, 8, 20)]);
}

#[test]
fn late_buffers_are_tolerated_and_those_for_no_call_are_errors() {
    let (mut a, mut b) = (End::new(), End::new());
    a.tone(440.0);
    assert!(matches!(a.tell(&ToMsp::Start(vec![])), Err(MspError::InvalidBuffer(_))), "before Prepare");
    let (_, at_b) = join(&mut a, &mut b, Codec::Pcmu);
    until("sound", || a.sent().packets > 3);
    a.tell(&ToMsp::StopAll).unwrap();
    let sent = a.sent();
    for late in [
        ToMsp::Start(vec![transmit(Codec::Pcmu, &at_b)]),
        ToMsp::Stop(vec![TRANSMIT, RECEIVE]),
        ToMsp::StopAll,
    ] {
        assert_eq!(a.tell(&late), Ok(()));
    }
    pause(100);
    let frozen = a.sent();
    assert!(frozen.packets <= sent.packets + 1 && frozen.codec.as_deref() == Some("PCMU"), "{frozen:?}");
    assert!(frozen.local.is_some() && frozen.remote.is_some());

    let nonsense = Opaque::new(&b"not ours"[..]).unwrap();
    assert!(matches!(a.msp.receive_tsp_data(Some(a.call), &nonsense), Err(MspError::InvalidBuffer(_))));
    assert!(matches!(a.msp.receive_tsp_data(None, &nonsense), Err(MspError::InvalidBuffer(_))));
    a.msp.shutdown_msp_call(a.call).unwrap();
    assert_eq!(a.tell(&ToMsp::StopAll), Err(MspError::NoSuchCall));
    assert_eq!(a.msp.shutdown_msp_call(a.call), Err(MspError::NoSuchCall));
    assert_eq!(a.msp.stream_statistics(a.capture).err(), Some(MspError::InvalidStream));
}

#[test]
fn a_call_that_was_stopped_may_be_prepared_anew() {
    let (mut a, mut b) = (End::new(), End::new());
    a.tone(440.0);
    let null = b.null(Direction::Render);
    b.msp.select_terminal(b.render, null).unwrap();
    join(&mut a, &mut b, Codec::Pcmu);
    until("sound", || b.received().packets > 10);
    a.tell(&ToMsp::StopAll).unwrap();
    b.tell(&ToMsp::StopAll).unwrap();
    let before = b.received().packets;
    join(&mut a, &mut b, Codec::Pcma);
    until("sound again", || b.received().packets > before + 10);
    assert_eq!(b.received().codec.as_deref(), Some("PCMA"));
}

#[test]
fn channels_change_codec_and_address_while_they_are_open() {
    let (mut a, mut b, mut c) = (End::new(), End::new(), End::new());
    a.tone(440.0);
    for end in [&b, &c] {
        let null = end.null(Direction::Render);
        end.msp.select_terminal(end.render, null).unwrap();
    }
    let (at_a, at_b) = join(&mut a, &mut b, Codec::Pcmu);
    until("sound", || b.received().packets > 5);
    b.tell(&ToMsp::Start(vec![receive(Codec::Pcma)])).unwrap();
    a.tell(&ToMsp::Start(vec![transmit(Codec::Pcma, &at_b)])).unwrap();
    let before = b.received();
    until("the other codec", || b.received().packets > before.packets + 10);
    assert!(b.received().level_dbfs > -16.0, "A-law is not heard as µ-law: {:?}", b.received());
    assert_eq!((a.events().len(), b.received().codec.as_deref()), (1, Some("PCMA")));
    let at_c = c.prepare();
    c.tell(&ToMsp::Start(vec![receive(Codec::Pcma), transmit(Codec::Pcma, &at_a)])).unwrap();
    a.tell(&ToMsp::Start(vec![transmit(Codec::Pcma, &at_c)])).unwrap();
    until("the other place", || c.received().packets > 10);
    assert_eq!(a.sent().remote, c.received().local);
    assert_eq!(a.events().len(), 1, "no change of the stream's being active");
}

#[test]
fn what_a_buffer_cannot_have_fails_the_stream_and_not_the_call() {
    let (mut a, mut b) = (End::new(), End::new());
    a.tone(440.0);
    let (_, at_b) = join(&mut a, &mut b, Codec::Pcmu);
    until("sound", || a.sent().packets > 3);
    let mut odd = transmit(Codec::Pcmu, &at_b);
    odd.payload_type = 200;
    assert_eq!(a.tell(&ToMsp::Start(vec![odd])), Ok(()));
    assert!(a.events().contains(&(MspCallEvent::StreamFail, MspEventCause::Unknown, Some(a.capture))));
    // Another session, an address without a port, packets of no length and of a minute.
    let mut other = receive(Codec::Pcmu);
    other.id.session = 2;
    let mut nowhere = transmit_to(Codec::Pcmu, "0.0.0.0:0".parse().unwrap(), None);
    nowhere.packet_ms = 0;
    let mut long = transmit(Codec::Pcmu, &at_b);
    long.packet_ms = 60_000;
    a.tell(&ToMsp::Start(vec![other, nowhere, long])).unwrap();
    let packets = a.sent().packets;
    until("long packets", || a.sent().packets > packets);
}

#[test]
fn terminals_keep_to_one_stream_and_to_their_direction() {
    let (a, dir) = (End::new(), tempfile::tempdir().unwrap());
    let tone = a.terminal(TerminalClass::Tone { frequency: 440.0, level: -10.0 });
    let invalid = |result: Result<(), MspError>| matches!(result, Err(MspError::InvalidTerminal(_)));
    assert!(invalid(a.msp.select_terminal(a.render, tone)));
    a.msp.select_terminal(a.capture, tone).unwrap();
    assert!(invalid(a.msp.select_terminal(a.capture, tone)), "twice");
    let other = a.msp.create_msp_call(MediaTypes::AUDIO).unwrap();
    let other = a.msp.streams(other).unwrap();
    assert_eq!(a.msp.select_terminal(other[0].id, tone), Err(MspError::TerminalInUse));
    a.msp.unselect_terminal(a.capture, tone).unwrap();
    assert!(invalid(a.msp.unselect_terminal(a.capture, tone)), "twice");
    a.msp.select_terminal(other[0].id, tone).unwrap();
    let echo = a.terminal(TerminalClass::Echo);
    a.msp.select_terminal(a.render, echo).unwrap();
    a.msp.select_terminal(a.capture, echo).unwrap();
    assert_eq!(a.msp.select_terminal(other[1].id, echo), Err(MspError::TerminalInUse));
    for (class, direction) in [
        (TerminalClass::Echo, Direction::Render),
        (TerminalClass::Tone { frequency: 1.0, level: 0.0 }, Direction::Render),
        (TerminalClass::FileRecord { path: dir.path().join("x.wav") }, Direction::Capture),
        (TerminalClass::FilePlayback { path: dir.path().join("x.wav"), repeat: false }, Direction::Render),
    ] {
        let made = a.msp.create_terminal(class, direction);
        assert!(matches!(made, Err(MspError::InvalidTerminal(_))), "{made:?}");
    }
    a.msp.release_terminal(tone).unwrap();
    assert!(invalid(a.msp.release_terminal(tone)) && invalid(a.msp.select_terminal(a.capture, tone)));
    assert!(matches!(a.msp.create_msp_call(MediaTypes::VIDEO), Err(MspError::InvalidMediaType)));
}

#[test]
fn a_stream_takes_many_terminals_but_not_any_number() {
    let a = End::new();
    let mut result = Ok(());
    let mut taken = 0;
    while result.is_ok() && taken < 100 {
        result = a.msp.select_terminal(a.render, a.null(Direction::Render));
        taken += 1;
    }
    assert_eq!((result, taken), (Err(MspError::MaxTerminals), 9));
    assert_eq!(a.msp.select_terminal(a.capture, a.null(Direction::Capture)), Ok(()));
}
