//! Codecs of calls between two media providers over loopback: what is offered, codecs that differ and change, rates that
//! meet in one provider, codecs whose packets the application makes itself.

mod support;

use std::path::Path;
use std::sync::Arc;

use offhook_codecs::CodecKind;
use offhook_msp::MspConfig;
use offhook_pair::{Channel, Codec, CodecOffer, Session, ToMsp};
use offhook_spi::mspi::{Direction, TerminalClass};
use offhook_spi::terminal::{RtpReader, RtpSendError, RtpWriter, TerminalEnd};
use offhook_spi::{MspAddress, MspCallEvent, TerminalId};
use support::{End, receive, tone_dbfs, transmit, until};

fn with(codecs: &[CodecKind]) -> End {
    End::with(MspConfig { codecs: codecs.to_vec(), packet_ms: 20, ..MspConfig::default() })
}

fn offer(session: &Session, codec: Codec) -> CodecOffer {
    *session.codecs.iter().find(|offer| offer.codec == codec).unwrap()
}

/// A channel of `codec` under the payload type of `offered`, which is the receiver's.
fn channel(base: Channel, offered: &Session) -> Channel {
    Channel { payload_type: offer(offered, base.codec).payload_type, ..base }
}

/// How strong a tone is in the last second of a recording that goes on, dBFS.
fn heard(path: &Path, hz: f64) -> f64 {
    let mut reader = hound::WavReader::open(path).unwrap();
    let rate = reader.spec().sample_rate as usize;
    let samples: Vec<i16> = reader.samples::<i16>().map(Result::unwrap).collect();
    let mut pieces: Vec<f64> =
        samples.rchunks_exact(rate / 20).take(20).map(|piece| tone_dbfs(piece, hz, rate as f64)).collect();
    pieces.sort_by(f64::total_cmp);
    pieces.get(pieces.len() / 2).copied().unwrap_or(-120.0)
}

#[test]
fn dynamic_payload_types_are_told_apart_and_opus_is_offered_once() {
    let kinds =
        [CodecKind::OpusWideband, CodecKind::Opus, CodecKind::G726_32, CodecKind::G722, CodecKind::L16_48];
    let config = MspConfig { codecs: kinds.to_vec(), telephone_event: Some(97), ..MspConfig::default() };
    let session = End::with(config).prepare();
    let offered: Vec<(Codec, u8, u16, u16)> = session
        .codecs
        .iter()
        .map(|offer| (offer.codec, offer.payload_type, offer.packet_ms, offer.max_packet_ms))
        .collect();
    let expected = [
        (Codec::Opus, 96, 20, 120),
        (Codec::G726_32, 98, 20, 60),
        (Codec::G722, 9, 20, 60),
        (Codec::L16_48, 99, 15, 15),
        (Codec::Pcma, 8, 20, 60),
        (Codec::Pcmu, 0, 20, 60),
    ];
    assert_eq!(offered, expected);
}

#[test]
fn each_direction_has_a_codec_of_its_own_and_changes_it_while_sound_flows() {
    let dir = tempfile::tempdir().unwrap();
    let paths = [dir.path().join("a.wav"), dir.path().join("b.wav")];
    // Providers of different rates inside: 48 kHz and 16 kHz.
    let mut a = with(&[CodecKind::Opus, CodecKind::G722]);
    let mut b = with(&[CodecKind::OpusWideband, CodecKind::G722, CodecKind::Gsm]);
    a.tone(700.0);
    b.tone(1_300.0);
    let recordings = [a.record(&paths[0]), b.record(&paths[1])];
    let (at_a, at_b) = (a.prepare(), b.prepare());
    let mut samples = [0; 2];
    for (to_b, to_a) in [(Codec::Opus, Codec::G722), (Codec::G722, Codec::Opus), (Codec::Pcma, Codec::Pcma)] {
        let transmit_a = channel(transmit(to_b, &at_b), &at_b);
        let transmit_b = channel(transmit(to_a, &at_a), &at_a);
        // Who is to send hears that the other takes it, as by OpenLogicalChannelAck.
        a.tell(&ToMsp::Start(vec![channel(receive(to_a), &at_a)])).unwrap();
        b.tell(&ToMsp::Start(vec![channel(receive(to_b), &at_b), transmit_b])).unwrap();
        a.tell(&ToMsp::Start(vec![transmit_a])).unwrap();
        for (n, end) in [&a, &b].into_iter().enumerate() {
            let rate = [48_000, 16_000][n];
            until("two seconds of sound", || {
                let now = end.status(recordings[n]).samples;
                now >= samples[n] + 2 * rate
            });
            samples[n] = end.status(recordings[n]).samples;
        }
        for (n, hz) in [(0, 1_300.0), (1, 700.0)] {
            // A recording's header is brought up to date now and then.
            until("the far end's tone", || heard(&paths[n], hz) > -16.0);
        }
        assert_eq!(a.sent().codec.map(|name| name.to_uppercase()), Some(format!("{to_b:?}").to_uppercase()));
        for end in [&a, &b] {
            // The codec before is heard until the next one comes.
            assert_eq!((end.received().dropped, end.received().lost), (0, 0), "{to_a:?}");
        }
    }
}

fn injector(msp: &dyn MspAddress, terminal: TerminalId) -> Arc<dyn RtpWriter> {
    match msp.terminal_end(terminal).unwrap() {
        TerminalEnd::RtpWriter(writer) => writer,
        _ => panic!("no injector"),
    }
}

fn tap(msp: &dyn MspAddress, terminal: TerminalId) -> Arc<dyn RtpReader> {
    match msp.terminal_end(terminal).unwrap() {
        TerminalEnd::RtpReader(reader) => reader,
        _ => panic!("no tap"),
    }
}

/// A packet of G.729: two frames.
fn g729(n: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 18, 0, n];
    packet.extend((160 * u32::from(n)).to_be_bytes());
    packet.extend([0; 4]);
    packet.extend([n; 20]);
    packet
}

#[test]
fn an_application_carries_a_codec_that_it_codes_itself() {
    let [mut a, mut b] = [with(&[CodecKind::G729]), with(&[CodecKind::G729])];
    let outgoing = a.msp.create_terminal(TerminalClass::RtpInjector, Direction::Capture).unwrap().id;
    a.msp.select_terminal(a.capture, outgoing).unwrap();
    let incoming = b.msp.create_terminal(TerminalClass::RtpTap, Direction::Render).unwrap().id;
    b.msp.select_terminal(b.render, incoming).unwrap();
    let (writer, reader) = (injector(&*a.msp, outgoing), tap(&*b.msp, incoming));
    let (_, at_b) = (a.prepare(), b.prepare());
    assert_eq!(offer(&at_b, Codec::G729).payload_type, 18);
    a.tell(&ToMsp::Start(vec![channel(transmit(Codec::G729, &at_b), &at_b)])).unwrap();
    b.tell(&ToMsp::Start(vec![channel(receive(Codec::G729), &at_b)])).unwrap();
    let mut came = Vec::new();
    let mut n = 0;
    until("packets of G.729", || {
        match writer.send(&g729(n)) {
            Ok(()) => n = n.wrapping_add(1),
            Err(RtpSendError::Full | RtpSendError::NotSelected) => {}
            Err(error) => panic!("{error}"),
        }
        came.extend(std::iter::from_fn(|| reader.read()));
        came.len() > 20
    });
    for pair in came.windows(2) {
        assert_eq!((pair[0].octets.len(), pair[0].octets[1] & 0x7f), (32, 18));
        assert_eq!(pair[1].octets[12], pair[0].octets[12].wrapping_add(1), "in their order, none made up");
    }
    assert_eq!(a.sent().codec.as_deref(), Some("G729"));
}

#[test]
fn a_codec_that_does_not_run_is_not_offered_for_terminals_of_sound_and_fails_their_stream() {
    let mut a = with(&[CodecKind::G729]);
    a.tone(440.0);
    let session = a.prepare();
    assert!(session.codecs.iter().all(|offer| offer.codec != Codec::G729), "{session:?}");
    assert_eq!(session.codecs.len(), 2, "G.711 is left");
    // The far end opens it all the same.
    let open = Channel { payload_type: 18, ..transmit(Codec::G729, &session) };
    a.tell(&ToMsp::Start(vec![open])).unwrap();
    let failed = a
        .events()
        .iter()
        .any(|(event, _, stream)| *event == MspCallEvent::StreamFail && *stream == Some(a.capture));
    assert!(failed, "{:?}", a.events());
}

/// What comes at a tap until twenty packets of G.729 have.
fn pass(writer: &dyn RtpWriter, reader: &dyn RtpReader) -> Vec<Vec<u8>> {
    let (mut came, mut n) = (Vec::new(), 0);
    until("packets of G.729", || {
        match writer.send(&g729(n)) {
            Ok(()) => n = n.wrapping_add(1),
            Err(RtpSendError::Full | RtpSendError::NotSelected) => {}
            Err(error) => panic!("{error}"),
        }
        let packets = std::iter::from_fn(|| reader.read()).map(|packet| packet.octets.to_vec());
        came.extend(packets.filter(|octets| octets[1] & 0x7f == 18));
        came.len() >= 20
    });
    came
}

#[test]
fn a_call_of_sound_becomes_one_of_passed_packets_and_sound_again() {
    let codecs = [CodecKind::Pcma, CodecKind::G729];
    let [mut a, mut b] = [with(&codecs), with(&codecs)];
    let tone = a.tone(600.0);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("b.wav");
    let recording = b.record(&path);
    let outgoing = a.msp.create_terminal(TerminalClass::RtpInjector, Direction::Capture).unwrap().id;
    let incoming = b.msp.create_terminal(TerminalClass::RtpTap, Direction::Render).unwrap().id;
    // A tap may listen beside a recording from the beginning.
    b.msp.select_terminal(b.render, incoming).unwrap();
    let (writer, reader) = (injector(&*a.msp, outgoing), tap(&*b.msp, incoming));
    let (_, at_b) = (a.prepare(), b.prepare());
    let open = |a: &End, b: &End, codec, payload_type| {
        b.tell(&ToMsp::Start(vec![Channel { payload_type, ..receive(codec) }])).unwrap();
        a.tell(&ToMsp::Start(vec![Channel { payload_type, ..transmit(codec, &at_b) }])).unwrap();
    };
    open(&a, &b, Codec::Pcma, 8);
    until("a second of sound", || b.status(recording).samples > 8_000);

    // The application takes over, then the ends agree on what it codes itself.
    a.msp.unselect_terminal(a.capture, tone).unwrap();
    a.msp.select_terminal(a.capture, outgoing).unwrap();
    open(&a, &b, Codec::G729, 18);
    let came = pass(&*writer, &*reader);
    assert!(came.iter().all(|octets| octets.len() == 32), "whole, as they were sent");
    assert_eq!(a.sent().codec.as_deref(), Some("G729"));
    assert_eq!((b.received().lost, b.received().dropped), (0, 0), "{:?}", b.received());

    // A terminal of sound in their place is refused while that is agreed; gone, it fails what is left.
    let refused = b.msp.create_terminal(TerminalClass::Null, Direction::Render).unwrap().id;
    b.msp.unselect_terminal(b.render, incoming).unwrap();
    let failed = |end: &mut End, stream| {
        end.events().iter().any(|(event, _, of)| *event == MspCallEvent::StreamFail && *of == Some(stream))
    };
    let render = b.render;
    assert!(failed(&mut b, render), "the recording cannot hear G.729");
    let why = b.msp.select_terminal(b.render, refused).unwrap_err().to_string();
    assert!(why.contains("G729") && why.contains("RTP tap"), "{why}");
    a.msp.unselect_terminal(a.capture, outgoing).unwrap();
    let why = a.msp.select_terminal(a.capture, tone).unwrap_err().to_string();
    assert!(why.contains("RTP injector"), "{why}");

    // Sound is agreed again, and both take it up.
    open(&a, &b, Codec::Pcma, 8);
    a.msp.select_terminal(a.capture, tone).unwrap();
    let before = b.status(recording).samples;
    until("two seconds of sound", || b.status(recording).samples > before + 16_000);
    until("the far end's tone", || heard(&path, 600.0) > -16.0);
}

#[test]
fn opus_keeps_within_the_bit_rate_that_the_far_end_takes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sound.wav");
    support::write_sound(&path, 48_000, 30.0);
    let mut config = MspConfig { codecs: vec![CodecKind::Opus], ..MspConfig::default() };
    config.codec_settings.opus.bitrate = 96_000;
    let (mut a, mut b) = (End::with(config), with(&[CodecKind::Opus]));
    a.play(&path);
    let (_, at_b) = (a.prepare(), b.prepare());
    let mut rates = Vec::new();
    for max_bit_rate in [None, Some(12_000)] {
        let open = Channel { max_bit_rate, ..channel(transmit(Codec::Opus, &at_b), &at_b) };
        a.tell(&ToMsp::Start(vec![open])).unwrap();
        let before = a.sent();
        until("fifty packets", || a.sent().packets >= before.packets + 50);
        let now = a.sent();
        // Fifty packets a second.
        rates.push((now.octets - before.octets) * 8 * 50 / (now.packets - before.packets));
    }
    assert!(rates[0] > 60_000 && rates[1] < 20_000, "{rates:?} bit/s");
}
