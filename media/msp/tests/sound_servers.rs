//! The way over the cards of PipeWire and JACK: playing, hearing, both at once, and cards that go and come back.

#![cfg(target_os = "linux")]

mod servers;
mod support;

use std::process::{Command, Stdio};
use std::sync::Arc;

use offhook_device::Sound;
use offhook_msp::MspConfig;
use offhook_pair::Codec;
use offhook_spi::mspi::{Direction, TerminalClass};
use offhook_spi::{MspEvent, TerminalId};
use servers::{Daemon, Server, scratch, with};
use support::*;

fn default(end: &End, direction: Direction) -> TerminalId {
    end.msp.create_terminal(TerminalClass::DefaultDevice, direction).unwrap().id
}

/// A call whose one end speaks and listens over default cards, while the other says `hz` and hears.
fn call(near: &mut End, hz: f32) -> (End, TerminalId, TerminalId) {
    let mut far = End::new();
    let (microphone, speaker) = (default(near, Direction::Capture), default(near, Direction::Render));
    near.msp.select_terminal(near.capture, microphone).unwrap();
    near.msp.select_terminal(near.render, speaker).unwrap();
    far.tone(hz);
    let null = far.null(Direction::Render);
    far.msp.select_terminal(far.render, null).unwrap();
    join(near, &mut far, Codec::Pcma);
    until("packets both ways", || far.received().packets > 20 && near.received().packets > 20);
    (far, microphone, speaker)
}

fn pactl(args: &[&str]) -> String {
    let out = Command::new("pactl").args(args).stderr(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

/// Plays into the server's microphone: noise is enough for a level.
fn speak() -> Daemon {
    let path = scratch().join("mouth.wav");
    write_sound(&path, 48_000, 20.0);
    Daemon(Command::new("paplay").arg("--device=mic").arg(&path).spawn().unwrap())
}

/// Whether the server's speaker plays a tone: the loudest of pieces of 50 ms.
fn plays(monitor: &str, hz: f64) -> bool {
    let path = scratch().join("ear.raw");
    let file = std::fs::File::create(&path).unwrap();
    let mut recorder = Command::new("parec");
    recorder.args([monitor, "--rate=8000", "--channels=1", "--format=s16le", "--latency-msec=50"]);
    let recording = Daemon(recorder.stdout(file).stderr(Stdio::null()).spawn().unwrap());
    pause(600);
    drop(recording);
    let octets = std::fs::read(&path).unwrap();
    let samples: Vec<i16> =
        octets.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    samples.chunks_exact(400).map(|piece| tone_dbfs(piece, hz, 8_000.0)).fold(-120.0, f64::max) > -20.0
}

#[test]
fn over_pipewire_a_call_plays_and_hears_and_outlives_its_speaker() {
    if !with(&Server::PipeWire, "over_pipewire_a_call_plays_and_hears_and_outlives_its_speaker") {
        return;
    }
    let _mouth = speak();
    let mut near = End::new();
    assert!(near.msp.static_terminals().len() >= 2);
    let (far, microphone, speaker) = call(&mut near, 440.0);
    until("the speaker", || plays("--device=spk.monitor", 440.0));
    until("the microphone", || far.received().level_dbfs > -40.0);
    let card = near.status(speaker).card.unwrap();
    assert!(card.period_ms > 0.0 && card.sample_rate >= 8_000, "{card:?}");
    // The speaker is pulled out: the default is another card then, or none.
    let modules = pactl(&["list", "short", "modules"]);
    let spk = modules.lines().find(|line| line.contains("sink_name=spk")).unwrap();
    pactl(&["unload-module", spk.split_whitespace().next().unwrap()]);
    let packets = near.received().packets;
    until("the call goes on", || near.received().packets > packets + 50);
    until("it is told of", || {
        near.collect();
        near.trace.iter().any(|event| matches!(event, MspEvent::Address { available: false, .. }))
    });
    pactl(&["load-module", "module-null-sink", "sink_name=spk", "rate=48000", "channels=2"]);
    pactl(&["set-default-sink", "spk"]);
    until("the speaker again", || plays("--device=spk.monitor", 440.0));
    until("no failure", || near.status(speaker).failed.is_none() && near.status(microphone).failed.is_none());
}

#[test]
fn over_jack_a_call_plays_and_hears_at_once() {
    if !with(&Server::Jack, "over_jack_a_call_plays_and_hears_at_once") {
        return;
    }
    let sound = Arc::new(Sound::on("alsa").unwrap());
    let mut near = End::with(MspConfig { sound: Some(sound), ..MspConfig::default() });
    let (far, microphone, speaker) = call(&mut near, 440.0);
    // The server's loopback gives the tone back: far says it, near plays it, hears it, and says it to far.
    until("the tone comes back", || (far.received().level_dbfs + 13.0).abs() < 3.0);
    let (ear, mouth) = (near.status(microphone).card.unwrap(), near.status(speaker).card.unwrap());
    assert_eq!((ear.sample_rate, mouth.sample_rate), (48_000, 48_000));
    assert!(ear.period_ms > 0.0 && mouth.period_ms > 0.0, "{ear:?} {mouth:?}");
}
