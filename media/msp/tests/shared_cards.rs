//! Sound cards under calls: shared, pulled out, plugged in again, slow, drifting. The cards are programs that run in
//! real time; PulseAudio, JACK and PipeWire play theirs in `sound_card.rs`.

mod support;

use std::sync::Arc;

use offhook_device::Sound;
use offhook_msp::MspConfig;
use offhook_pair::{Codec, ToMsp};
use offhook_spi::mspi::{Direction, TerminalClass, VolumeChange};
use offhook_spi::{MspCallEvent, MspError, MspEvent, MspEventCause, TerminalId};
use offhook_virtual_sound::{CardSpec, Running, Way, World, monotonic_ns};
use support::*;

fn world(names: &[&str]) -> (World, Running, Arc<Sound>) {
    let world = World::at(monotonic_ns());
    names.iter().for_each(|name| world.plug(CardSpec::new(name)));
    let sound = Arc::new(Sound::with_host(world.host()));
    let running = world.run();
    (world, running, sound)
}

fn with(sound: &Arc<Sound>) -> End {
    End::with(MspConfig { sound: Some(Arc::clone(sound)), ..MspConfig::default() })
}

fn default(end: &End, direction: Direction) -> TerminalId {
    end.msp.create_terminal(TerminalClass::DefaultDevice, direction).unwrap().id
}

fn named(end: &End, name: &str, direction: Direction) -> TerminalId {
    let cards = end.msp.static_terminals();
    cards.iter().find(|card| card.name == name && card.direction == direction).unwrap().id
}

/// A call over the sound card, and one that says a tone and hears nothing but statistics.
fn call(sound: &Arc<Sound>, hz: f32) -> (End, End, TerminalId, TerminalId) {
    let (mut near, mut far) = (with(sound), End::new());
    let (microphone, speaker) = (default(&near, Direction::Capture), default(&near, Direction::Render));
    near.msp.select_terminal(near.capture, microphone).unwrap();
    near.msp.select_terminal(near.render, speaker).unwrap();
    far.tone(hz);
    let null = far.null(Direction::Render);
    far.msp.select_terminal(far.render, null).unwrap();
    join(&mut near, &mut far, Codec::Pcma);
    until("sound both ways", || far.received().samples > 800 && near.received().samples > 800);
    (near, far, microphone, speaker)
}

/// Whether a card plays a tone of that frequency, by the loudest of pieces of 50 ms.
fn plays(world: &World, card: &str, hz: f64) -> bool {
    // What it played before does not count.
    let _ = world.heard(card);
    pause(120);
    let heard: Vec<i16> = world.heard(card).iter().map(|s| (*s * 32_767.0) as i16).collect();
    heard.chunks_exact(2_400).map(|piece| tone_dbfs(piece, hz, 48_000.0)).fold(-120.0, f64::max) > -20.0
}

fn level(end: &End) -> f64 {
    end.received().level_dbfs
}

#[test]
fn a_second_call_is_taken_on_the_card_of_the_first() {
    let (world, _running, sound) = world(&["desk"]);
    let (one, far_one, _, first) = call(&sound, 440.0);
    let (two, far_two, microphone, speaker) = call(&sound, 1_000.0);
    assert_eq!((world.opened(), world.streams("desk")), (2, 2), "one stream a direction for both");
    until("both tones", || {
        pause(120);
        let heard: Vec<i16> = world.heard("desk").iter().map(|s| (*s * 32_767.0) as i16).collect();
        heard
            .chunks_exact(2_400)
            .any(|piece| [440.0, 1_000.0].iter().all(|hz| tone_dbfs(piece, *hz, 48_000.0) > -14.0))
    });
    // −12 dBFS of microphone, to both.
    until("the microphone", || [&far_one, &far_two].iter().all(|far| (level(far) + 15.0).abs() < 2.0));
    let card = one.status(first).card.unwrap();
    assert_eq!((card.shared_by, card.device.as_str(), card.sample_rate), (2, "desk", 48_000));
    assert!((card.period_ms - 10.0).abs() < 0.01 && card.requested_period_ms == 10.0, "{card:?}");
    assert_eq!(card.latency_ms, Some(10.0));
    two.msp.unselect_terminal(two.render, speaker).unwrap();
    two.msp.unselect_terminal(two.capture, microphone).unwrap();
    until("the first alone", || plays(&world, "desk", 440.0) && !plays(&world, "desk", 1_000.0));
    assert_eq!(one.status(first).card.unwrap().shared_by, 1);
    until("the first is heard", || (level(&far_one) + 15.0).abs() < 2.0);
    assert_eq!(world.opened(), 2, "nothing was opened anew");
    two.msp.shutdown_msp_call(two.call).unwrap();
    one.msp.shutdown_msp_call(one.call).unwrap();
    until("the card is closed", || world.streams("desk") == 0);
}

#[test]
fn a_card_pulled_out_in_a_call_is_taken_up_again_when_it_is_back() {
    let (world, _running, sound) = world(&["usb"]);
    let (mut near, far, microphone, speaker) = call(&sound, 440.0);
    assert!(plays(&world, "usb", 440.0));
    world.unplug("usb");
    until("failures", || near.status(microphone).failed.is_some() && near.status(speaker).failed.is_some());
    for stream in [near.capture, near.render] {
        let failure = (MspCallEvent::TerminalFail, MspEventCause::BadDevice, Some(stream));
        until("the event", || near.events().contains(&failure));
        assert_eq!(near.events().iter().filter(|event| **event == failure).count(), 1);
    }
    let (sent, received) = (far.received().packets, near.received().packets);
    until("the call goes on", || {
        far.received().packets > sent + 25 && near.received().packets > received + 25
    });
    // Other hardware of the same name.
    world.plug(CardSpec { rates: vec![44_100], inputs: 1, ..CardSpec::new("usb") });
    until("it is back", || near.status(microphone).failed.is_none() && near.status(speaker).failed.is_none());
    // 440 Hz of 44.1 kHz, measured as if of 48.
    until("the speaker", || plays(&world, "usb", 440.0 * 48.0 / 44.1));
    until("the microphone", || (level(&far) + 15.0).abs() < 2.0);
    assert_eq!(near.status(microphone).card.unwrap().sample_rate, 44_100);
    assert_eq!(near.events().iter().filter(|event| event.0 == MspCallEvent::StreamActive).count(), 2);
}

#[test]
fn a_call_on_the_default_device_goes_where_the_default_goes() {
    let (world, _running, sound) = world(&["desk", "headset"]);
    let (near, far, microphone, speaker) = call(&sound, 440.0);
    assert!(plays(&world, "desk", 440.0));
    world.set_default(Way::Playback, "headset");
    until("the headset", || plays(&world, "headset", 440.0));
    assert_eq!(world.streams("desk"), 1, "the microphone stays");
    assert_eq!(near.status(speaker).card.unwrap().device, "headset");
    // The default goes away: the other one is the default then.
    world.unplug("headset");
    until("the desk again", || plays(&world, "desk", 440.0));
    assert_eq!((near.status(microphone).failed, near.status(speaker).failed), (None, None));
    until("the microphone", || (level(&far) + 15.0).abs() < 2.0);
}

#[test]
fn an_application_that_has_asked_for_cards_is_told_when_one_comes_or_goes() {
    let (world, _running, sound) = world(&["desk"]);
    let mut end = with(&sound);
    assert_eq!(end.msp.static_terminals().len(), 2);
    let mut news = || {
        end.collect();
        let told = |event: MspEvent| match event {
            MspEvent::Address { terminal, available } => Some((terminal, available)),
            _ => None,
        };
        std::mem::take(&mut end.trace).into_iter().filter_map(told).collect::<Vec<_>>()
    };
    world.plug(CardSpec { inputs: 0, ..CardSpec::new("usb") });
    let mut came = Vec::new();
    until("it came", || {
        came = news();
        !came.is_empty()
    });
    assert_eq!(came.len(), 1);
    assert_eq!((came[0].0.name.as_str(), came[0].0.direction, came[0].1), ("usb", Direction::Render, true));
    world.unplug("usb");
    let mut went = Vec::new();
    until("it went", || {
        went = news();
        !went.is_empty()
    });
    assert_eq!(went, [(came[0].0.clone(), false)], "the same terminal");
    assert_eq!(end.msp.static_terminals().len(), 2);
    assert!(end.bell.0.load(std::sync::atomic::Ordering::SeqCst) >= 2);
}

#[test]
fn two_cards_on_one_stream_play_and_hear_together_though_their_clocks_drift() {
    let (world, _running, sound) = world(&["desk"]);
    world.plug(CardSpec { drift_ppm: 300.0, ..CardSpec::new("room") });
    let (near, far, microphone, speaker) = call(&sound, 440.0);
    let (second_mic, second) =
        (named(&near, "room", Direction::Capture), named(&near, "room", Direction::Render));
    near.msp.select_terminal(near.render, second).unwrap();
    near.msp.select_terminal(near.capture, second_mic).unwrap();
    let again = named(&near, "desk", Direction::Render);
    assert_eq!(near.msp.select_terminal(near.render, again), Err(MspError::MaxTerminals), "it plays already");
    until("both play", || plays(&world, "desk", 440.0) && plays(&world, "room", 440.0));
    assert!(near.status(second_mic).samples > 800 && near.status(second).samples > 800);
    // The clock goes; the other card stays, and the ticker is the clock.
    near.msp.unselect_terminal(near.render, speaker).unwrap();
    near.msp.unselect_terminal(near.capture, microphone).unwrap();
    until("the room alone", || plays(&world, "room", 440.0));
    until("its microphone", || level(&far) > -20.0);
    world.unplug("room");
    until("failures", || near.status(second_mic).failed.is_some() && near.status(second).failed.is_some());
    let packets = far.received().packets;
    until("the call goes on", || far.received().packets > packets + 25);
    world.plug(CardSpec::new("room"));
    until("it is back", || plays(&world, "room", 440.0));
    near.tell(&ToMsp::StopAll).unwrap();
}

#[test]
fn a_card_that_stops_calling_is_taken_for_dead_and_breaks_are_in_the_statistics() {
    let (world, _running, sound) = world(&["desk"]);
    let (near, far, microphone, _) = call(&sound, 440.0);
    pause(1_500);
    assert_eq!(near.sent().xruns, 0);
    world.xrun("desk", Way::Capture, 9_600);
    until("the break is counted", || near.sent().xruns > 0);
    assert!(near.status(microphone).card.unwrap().lost_ms > 100.0);
    world.freeze("desk", true);
    until("it is given up", || near.status(microphone).failed.is_some());
    let packets = far.received().packets;
    until("the call goes on", || far.received().packets > packets + 25);
    world.freeze("desk", false);
    until("it is back", || near.status(microphone).failed.is_none() && (level(&far) + 15.0).abs() < 2.0);
}

#[test]
fn a_card_plays_what_a_file_records_and_a_tap_sees_on_the_same_stream() {
    let (world, _running, sound) = world(&["desk"]);
    let (near, _far, _, speaker) = call(&sound, 440.0);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("heard.wav");
    let file = near.record(&path);
    let tap = near.msp.create_terminal(TerminalClass::RtpTap, Direction::Render).unwrap().id;
    near.msp.select_terminal(near.render, tap).unwrap();
    // The recording is not the speaker's business.
    near.msp.change_volume(speaker, VolumeChange::Mute(true)).unwrap();
    until("a second is recorded", || near.status(file).samples > 8_000);
    assert!(!plays(&world, "desk", 440.0));
    near.msp.change_volume(speaker, VolumeChange::Mute(false)).unwrap();
    until("the speaker again", || plays(&world, "desk", 440.0));
    near.msp.release_terminal(file).unwrap();
    assert!((usual_tone_dbfs(&read_sound(&path), 440.0) + 10.0).abs() < 1.0);
    let seen = match near.msp.terminal_end(tap).unwrap() {
        offhook_spi::terminal::TerminalEnd::RtpReader(tap) => tap.status().packets,
        _ => 0,
    };
    assert!(seen > 40, "{seen} packets");
}

#[test]
fn cards_have_volumes_and_levels_that_outlive_their_being_pulled_out() {
    let (world, _running, sound) = world(&["usb"]);
    let (near, far, microphone, speaker) = call(&sound, 440.0);
    let rms = |terminal| near.status(terminal).level.map_or(-120.0, |level| level.rms_dbfs);
    until("levels", || (rms(microphone) + 15.0).abs() < 2.0 && (rms(speaker) + 13.0).abs() < 2.0);
    near.msp.change_volume(microphone, VolumeChange::GainDb(-20.0)).unwrap();
    near.msp.change_volume(speaker, VolumeChange::GainDb(-20.0)).unwrap();
    until("quieter", || {
        (level(&far) + 35.0).abs() < 2.0
            && (rms(microphone) + 35.0).abs() < 2.0
            && (rms(speaker) + 33.0).abs() < 2.0
    });
    world.unplug("usb");
    until("failures", || near.status(microphone).failed.is_some() && near.status(speaker).failed.is_some());
    assert_eq!(near.status(microphone).level, None);
    world.plug(CardSpec::new("usb"));
    until("it is back", || near.status(microphone).failed.is_none() && near.status(speaker).failed.is_none());
    until("as quiet as before", || (level(&far) + 35.0).abs() < 2.0 && (rms(speaker) + 33.0).abs() < 2.0);
    near.msp.change_volume(microphone, VolumeChange::Mute(true)).unwrap();
    // A-law has no zero.
    until("mute", || level(&far) < -60.0 && rms(microphone) <= -100.0);
}
