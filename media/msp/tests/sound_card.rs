//! The way over sound cards, which a private PulseAudio daemon plays: microphone → RTP → speaker.
//!
//! PipeWire and JACK are in `sound_servers.rs`.

#![cfg(target_os = "linux")]

mod support;

use std::process::Command;

use offhook_pair::{Codec, ToMsp};
use offhook_spi::mspi::{Direction, TerminalClass};
use offhook_spi::{MspCallEvent, MspError, MspEventCause};
use support::*;

#[path = "servers/mod.rs"]
mod servers;

use servers::{Daemon, Server, scratch, with};

fn with_daemon(test: &str) -> bool {
    with(&Server::PulseAudio, test)
}

/// Speaks a tone of `hz` into the microphone until it is dropped.
fn speak(hz: f64) -> Daemon {
    let path = scratch().join("mouth.wav");
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&path, spec).unwrap();
    for n in 0..48_000 * 20 {
        let sample = 8_000.0 * (std::f64::consts::TAU * hz * f64::from(n) / 48_000.0).sin();
        writer.write_sample(sample as i16).unwrap();
    }
    writer.finalize().unwrap();
    let mut player = Command::new("paplay");
    Daemon(player.args(["--device=mic"]).arg(&path).spawn().unwrap())
}

/// What the speaker plays during so many milliseconds: 8 kHz, mono.
fn listen(ms: u64) -> Vec<i16> {
    let path = scratch().join("ear.raw");
    let file = std::fs::File::create(&path).unwrap();
    let mut recorder = Command::new("parec");
    recorder.args([
        "--device=spk.monitor",
        "--rate=8000",
        "--channels=1",
        "--format=s16le",
        "--latency-msec=50",
    ]);
    let recording = Daemon(recorder.stdout(file).spawn().unwrap());
    pause(ms);
    drop(recording);
    let octets = std::fs::read(&path).unwrap();
    octets.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn card(end: &End, direction: Direction) -> Result<offhook_spi::TerminalId, MspError> {
    end.msp.create_terminal(TerminalClass::DefaultDevice, direction).map(|info| info.id)
}

#[test]
fn what_is_said_into_the_microphone_comes_out_of_the_other_ends_speaker() {
    if !with_daemon("what_is_said_into_the_microphone_comes_out_of_the_other_ends_speaker") {
        return;
    }
    let _mouth = speak(600.0);
    let (mut a, mut b) = (End::new(), End::new());
    let microphone = card(&a, Direction::Capture).unwrap();
    let speaker = card(&b, Direction::Render).unwrap();
    a.msp.select_terminal(a.capture, microphone).unwrap();
    b.msp.select_terminal(b.render, speaker).unwrap();
    // Listening and recording go together.
    let recorded = b.record(&scratch().join("heard.wav"));
    join(&mut a, &mut b, Codec::Pcmu);
    until("sound", || b.received().samples > 8_000);
    // A sound server on a busy machine drops out: one clean stretch proves that the level arrives.
    let heard: Vec<f64> = std::iter::repeat_with(|| {
        let ear = listen(1_500);
        usual_tone_dbfs(&ear[ear.len() / 2..], 600.0)
    })
    .take(8)
    .scan(false, |clean, heard| (!std::mem::replace(clean, at_level(heard, 2.0))).then_some(heard))
    .collect();
    assert!(heard.iter().any(|heard| at_level(*heard, 2.0)), "600 Hz at {heard:.1?} dBFS");
    assert!(a.sent().packets > 50 && a.sent().dropped == 0, "{:?}", a.sent());
    assert!(b.received().lost == 0, "{:?}", b.received());
    assert!(a.status(microphone).samples > 8_000 && b.status(speaker).samples > 8_000);
    assert!(a.status(microphone).first_sample_at.is_some());
    assert_eq!((a.status(microphone).failed, b.status(speaker).failed), (None, None));

    // The call outlives both cards: the halves go back to the ticker.
    let tone = a.tone(1_000.0);
    a.msp.unselect_terminal(a.capture, microphone).unwrap();
    b.msp.unselect_terminal(b.render, speaker).unwrap();
    let packets = b.received().packets;
    until("sound without a card", || b.received().packets > packets + 50);
    // And back again.
    a.msp.select_terminal(a.capture, microphone).unwrap();
    a.msp.unselect_terminal(a.capture, tone).unwrap();
    let samples = a.status(microphone).samples;
    until("the card again", || a.status(microphone).samples > samples + 4_000);
    assert_eq!(a.events().iter().filter(|e| e.0 == MspCallEvent::StreamActive).count(), 1);
    for end in [&a, &b] {
        end.tell(&ToMsp::StopAll).unwrap();
    }
    b.msp.release_terminal(recorded).unwrap();
    let samples = read_sound(&scratch().join("heard.wav"));
    let mut stretches = samples.chunks_exact(4_000).map(|stretch| usual_tone_dbfs(stretch, 600.0));
    assert!(stretches.any(|heard| at_level(heard, 1.0)), "the recording holds the tone");
}

/// Whether a tone is as loud as it was spoken.
fn at_level(dbfs: f64, within: f64) -> bool {
    (dbfs + 12.2).abs() < within
}

#[test]
fn cards_are_listed_once_by_number_and_can_be_selected() {
    if !with_daemon("cards_are_listed_once_by_number_and_can_be_selected") {
        return;
    }
    let a = End::new();
    let cards = a.msp.static_terminals();
    let facing = |direction| cards.iter().filter(move |card| card.direction == direction);
    assert!(facing(Direction::Capture).count() >= 1 && facing(Direction::Render).count() >= 1, "{cards:?}");
    assert_eq!(a.msp.static_terminals(), cards, "the same numbers again");
    let first = facing(Direction::Render).next().unwrap();
    let default = a.msp.create_terminal(TerminalClass::DefaultDevice, Direction::Render).unwrap();
    let first = facing(Direction::Render).find(|card| card.name == default.name).unwrap_or(first);
    a.msp.select_terminal(a.render, first.id).unwrap();
    assert_eq!(a.msp.select_terminal(a.render, default.id), Err(MspError::MaxTerminals), "one device once");
    assert!(matches!(a.msp.release_terminal(first.id), Err(MspError::InvalidTerminal(_))));
    until("the card calls", || a.status(first.id).samples > 800);
}

#[test]
fn a_sound_server_that_dies_fails_its_terminals_and_not_the_call() {
    if !with_daemon("a_sound_server_that_dies_fails_its_terminals_and_not_the_call") {
        return;
    }
    let (mut a, mut b) = (End::new(), End::new());
    let microphone = card(&a, Direction::Capture).unwrap();
    let speaker = card(&a, Direction::Render).unwrap();
    a.msp.select_terminal(a.capture, microphone).unwrap();
    a.msp.select_terminal(a.render, speaker).unwrap();
    b.tone(440.0);
    let null = b.null(Direction::Render);
    b.msp.select_terminal(b.render, null).unwrap();
    join(&mut a, &mut b, Codec::Pcma);
    until("sound", || b.received().packets > 20 && a.received().packets > 20);
    let status = Command::new("pactl").arg("exit").status().unwrap();
    assert!(status.success());
    let failures =
        [a.capture, a.render].map(|s| (MspCallEvent::TerminalFail, MspEventCause::BadDevice, Some(s)));
    until("both failures", || failures.iter().all(|failure| a.events().contains(failure)));
    let (sent, received) = (b.received().packets, a.received().packets);
    until("the call goes on", || b.received().packets > sent + 50 && a.received().packets > received + 50);
    let events = a.events();
    for failure in failures {
        assert_eq!(events.iter().filter(|event| **event == failure).count(), 1, "{events:?}");
    }
    a.msp.unselect_terminal(a.capture, microphone).unwrap();
    a.msp.release_terminal(speaker).unwrap();
    a.msp.shutdown_msp_call(a.call).unwrap();
}
