//! Terminals that the application feeds, reads and plays on, conferences, volumes, and several terminals at once.

mod support;

use std::sync::Arc;

use offhook_pair::Codec;
use offhook_spi::mspi::{Direction, TerminalClass, Volume, VolumeChange};
use offhook_spi::terminal::{
    PcmReader, PcmWriter, ProgressTone, RtpReader, RtpSendError, RtpWriter, TerminalEnd, TonePlayer,
};
use offhook_spi::{MediaTypes, MspAddress, MspError, StreamId, TerminalId};
use support::*;

const PCM: TerminalClass = TerminalClass::Pcm { sample_rate: None, capacity_ms: 400 };

/// Another call of the same address.
fn beside(end: &End) -> End {
    let call = end.msp.create_msp_call(MediaTypes::AUDIO).unwrap();
    let streams = end.msp.streams(call).unwrap();
    let id = |direction| streams.iter().find(|s| s.direction == direction).unwrap().id;
    let (capture, render) = (id(Direction::Capture), id(Direction::Render));
    End { msp: Arc::clone(&end.msp), call, capture, render, bell: Arc::clone(&end.bell), trace: Vec::new() }
}

fn select(end: &End, stream: StreamId, class: TerminalClass, direction: Direction) -> TerminalId {
    let terminal = end.msp.create_terminal(class, direction).unwrap().id;
    end.msp.select_terminal(stream, terminal).unwrap();
    terminal
}

fn writer(msp: &dyn MspAddress, terminal: TerminalId) -> Arc<dyn PcmWriter> {
    match msp.terminal_end(terminal).unwrap() {
        TerminalEnd::PcmWriter(writer) => writer,
        _ => panic!("no writer"),
    }
}

fn reader(msp: &dyn MspAddress, terminal: TerminalId) -> Arc<dyn PcmReader> {
    match msp.terminal_end(terminal).unwrap() {
        TerminalEnd::PcmReader(reader) => reader,
        _ => panic!("no reader"),
    }
}

fn tap(msp: &dyn MspAddress, terminal: TerminalId) -> Arc<dyn RtpReader> {
    match msp.terminal_end(terminal).unwrap() {
        TerminalEnd::RtpReader(reader) => reader,
        _ => panic!("no tap"),
    }
}

fn injector(msp: &dyn MspAddress, terminal: TerminalId) -> Arc<dyn RtpWriter> {
    match msp.terminal_end(terminal).unwrap() {
        TerminalEnd::RtpWriter(writer) => writer,
        _ => panic!("no injector"),
    }
}

fn tones(msp: &dyn MspAddress, terminal: TerminalId) -> Arc<dyn TonePlayer> {
    match msp.terminal_end(terminal).unwrap() {
        TerminalEnd::Tones(tones) => tones,
        _ => panic!("no generator"),
    }
}

/// Everything that a reader has, until `samples` of it.
fn read(reader: &dyn PcmReader, samples: usize) -> (Vec<i16>, Vec<u64>) {
    let (mut heard, mut times, mut out) = (Vec::new(), Vec::new(), [0; 160]);
    until("samples to read", || {
        while let Some(block) = reader.read(&mut out) {
            heard.extend(&out[..block.samples]);
            times.push(block.at.0);
        }
        heard.len() >= samples
    });
    (heard, times)
}

fn sine(hz: f64, rate: f64, samples: usize) -> Vec<i16> {
    let sample = |n: usize| (8_000.0 * (n as f64 * hz / rate * std::f64::consts::TAU).sin()) as i16;
    (0..samples).map(sample).collect()
}

#[test]
fn an_application_speaks_and_listens_in_samples_with_their_times() {
    let (mut a, mut b) = (End::new(), End::new());
    let mouth = select(
        &a,
        a.capture,
        TerminalClass::Pcm { sample_rate: Some(16_000), capacity_ms: 400 },
        Direction::Capture,
    );
    let ear = select(&b, b.render, PCM, Direction::Render);
    let (mouth, ear) = (writer(&*a.msp, mouth), reader(&*b.msp, ear));
    let said = sine(500.0, 16_000.0, 16_000);
    let first = mouth.write(&said);
    assert_eq!(
        (first, mouth.write(&said[first..]), mouth.status().refused),
        (6_400, 0, 16_000 - 6_400 + 9_600)
    );
    join(&mut a, &mut b, Codec::Pcmu);
    let mut at = first;
    let mut heard = Vec::new();
    let mut out = [0; 160];
    until("all of it said and heard", || {
        at += mouth.write(&said[at..]);
        while let Some(block) = ear.read(&mut out) {
            heard.push((block.at.0, out[..block.samples].to_vec()));
        }
        at == said.len() && heard.len() >= 60
    });
    // Blocks follow each other in time, as long as they are.
    let paced = heard.windows(2).filter(|w| {
        let len = w[0].1.len() as u64 * 125_000;
        w[1].0.abs_diff(w[0].0 + len) <= 1_000_000
    });
    assert!(paced.count() * 10 > heard.len() * 7, "times go with the samples");
    let all: Vec<i16> = heard.into_iter().flat_map(|(_, block)| block).collect();
    let level = usual_tone_dbfs(&all, 500.0);
    assert!((level + 12.2).abs() < 2.0, "{level} dBFS of 500 Hz");
    let status = mouth.status();
    assert_eq!((status.sample_rate, status.written), (16_000, 16_000));
    assert!(status.position.is_some_and(|(sample, at)| sample < 16_000 && at.0 > 0), "{status:?}");
}

#[test]
fn the_ends_of_a_terminal_outlive_selections_and_tell_when_it_is_released() {
    let (mut a, mut b) = (End::new(), End::new());
    b.tone(440.0);
    let ear = select(&a, a.render, PCM, Direction::Render);
    let mouth = a.msp.create_terminal(PCM, Direction::Capture).unwrap().id;
    join(&mut a, &mut b, Codec::Pcmu);
    let (handle, speech) = (reader(&*a.msp, ear), writer(&*a.msp, mouth));
    read(&*handle, 800);
    a.msp.unselect_terminal(a.render, ear).unwrap();
    read(&*handle, 0);
    let heard = handle.status().heard;
    a.msp.select_terminal(a.render, ear).unwrap();
    read(&*handle, 800);
    assert!(handle.status().heard >= heard + 800);
    a.msp.release_terminal(ear).unwrap();
    a.msp.release_terminal(mouth).unwrap();
    assert!(handle.status().is_released && speech.status().is_released);
    assert_eq!(speech.write(&[0; 10]), 0);
    assert!(a.msp.terminal_end(ear).is_err());
}

#[test]
fn three_calls_in_a_conference_hear_the_others_and_not_themselves() {
    let hub = End::new();
    let mut rooms = [beside(&hub), beside(&hub), beside(&hub)];
    let mut guests = [End::new(), End::new(), End::new()];
    let tones = [450.0, 850.0, 1_450.0];
    let dir = tempfile::tempdir().unwrap();
    let path = |n: usize| dir.path().join(format!("{n}.wav"));
    let mut places = Vec::new();
    for (n, (room, guest)) in rooms.iter_mut().zip(&mut guests).enumerate() {
        let class = TerminalClass::Conference { name: "round table".to_owned() };
        let place = room.terminal(class);
        // In either order.
        let streams = if n == 1 { [room.render, room.capture] } else { [room.capture, room.render] };
        for stream in streams {
            room.msp.select_terminal(stream, place).unwrap();
        }
        places.push(place);
        guest.tone(tones[n] as f32);
        join(room, guest, Codec::Pcma);
    }
    until("sound of all", || rooms.iter().all(|room| room.received().packets > 25));
    let record = |first: usize| -> Vec<Vec<i16>> {
        let terminals: Vec<_> =
            guests.iter().enumerate().map(|(n, guest)| guest.record(&path(first + n))).collect();
        until("recordings", || {
            guests.iter().zip(&terminals).all(|(guest, terminal)| guest.status(*terminal).samples > 8_000)
        });
        for (guest, terminal) in guests.iter().zip(&terminals) {
            guest.msp.release_terminal(*terminal).unwrap();
        }
        (0..3).map(|n| read_sound(&path(first + n))).collect()
    };
    for (n, heard) in record(0).iter().enumerate() {
        for (m, hz) in tones.iter().enumerate() {
            let level = usual_tone_dbfs(heard, *hz);
            let (is_own, limit) = (n == m, -45.0);
            assert!(
                if is_own { level < limit } else { (level + 10.0).abs() < 3.0 },
                "{n} hears {m} at {level}"
            );
        }
    }
    // A muted guest is not heard by the others, and hears them.
    hub.msp.change_volume(places[0], VolumeChange::Mute(true)).unwrap();
    pause(200);
    let heard = record(3);
    assert!(usual_tone_dbfs(&heard[1], tones[0]) < -45.0 && usual_tone_dbfs(&heard[1], tones[2]) > -13.0);
    assert!(usual_tone_dbfs(&heard[0], tones[1]) > -13.0);
    // One that leaves is heard no more, and what was its call can come back to another place.
    hub.msp.release_terminal(places[2]).unwrap();
    pause(200);
    let heard = record(6);
    assert!(usual_tone_dbfs(&heard[0], tones[2]) < -45.0 && usual_tone_dbfs(&heard[0], tones[1]) > -13.0);
}

#[test]
fn a_side_of_a_place_may_be_selected_anew_while_the_other_stays() {
    let hub = End::new();
    let (mut one, mut two) = (beside(&hub), beside(&hub));
    let (mut a, mut b) = (End::new(), End::new());
    a.tone(600.0);
    let class = || TerminalClass::Conference { name: "x".to_owned() };
    let (first, second) = (one.terminal(class()), two.terminal(class()));
    for (end, place) in [(&one, first), (&two, second)] {
        for stream in [end.capture, end.render] {
            hub.msp.select_terminal(stream, place).unwrap();
        }
    }
    join(&mut one, &mut a, Codec::Pcmu);
    join(&mut two, &mut b, Codec::Pcmu);
    let ear = select(&b, b.render, PCM, Direction::Render);
    let ear = reader(&*b.msp, ear);
    until("the tone", || usual_tone_dbfs(&read(&*ear, 800).0, 600.0) > -13.0);
    hub.msp.unselect_terminal(one.capture, first).unwrap();
    hub.msp.select_terminal(one.capture, first).unwrap();
    pause(100);
    read(&*ear, 1_600);
    until("the tone again", || usual_tone_dbfs(&read(&*ear, 800).0, 600.0) > -13.0);
    hub.msp.unselect_terminal(one.render, first).unwrap();
    pause(200);
    until("silence", || usual_tone_dbfs(&read(&*ear, 800).0, 600.0) < -60.0);
}

#[test]
fn digits_and_tones_are_heard_in_band_as_they_are_ordered() {
    let (mut a, mut b) = (End::new(), End::new());
    let generator = select(&a, a.capture, TerminalClass::ToneGenerator, Direction::Capture);
    let ear = select(&b, b.render, PCM, Direction::Render);
    let (generator, ear) = (tones(&*a.msp, generator), reader(&*b.msp, ear));
    assert!(matches!(generator.dial("12x"), Err(MspError::OutOfRange(_))));
    generator.play(ProgressTone::BusyNorthAmerica).unwrap();
    join(&mut a, &mut b, Codec::Pcmu);
    let (busy, _) = read(&*ear, 3_200);
    assert!(
        busy.chunks(400)
            .any(|part| tone_dbfs(part, 480.0, 8_000.0) > -35.0 && tone_dbfs(part, 620.0, 8_000.0) > -35.0)
    );
    generator.stop();
    until("silence", || generator.is_idle());
    // What was under way is over when this much was read.
    read(&*ear, 4_000);
    generator.dial("5").unwrap();
    let (five, _) = read(&*ear, 4_000);
    let (low, high) = (770.0, 1_336.0);
    assert!(
        five.chunks(200)
            .any(|part| tone_dbfs(part, low, 8_000.0) > -25.0 && tone_dbfs(part, high, 8_000.0) > -25.0)
    );
    until("an end", || generator.is_idle());
}

#[test]
fn raw_packets_are_read_at_both_ends_and_injected_in_place_of_sound() {
    let (mut a, mut b) = (End::new(), End::new());
    a.tone(440.0);
    let sent = select(&a, a.capture, TerminalClass::RtpTap, Direction::Capture);
    let came = select(&b, b.render, TerminalClass::RtpTap, Direction::Render);
    let second = b.msp.create_terminal(TerminalClass::RtpTap, Direction::Render).unwrap().id;
    assert_eq!(b.msp.select_terminal(b.render, second), Err(MspError::MaxTerminals));
    let (sent, came) = (tap(&*a.msp, sent), tap(&*b.msp, came));
    join(&mut a, &mut b, Codec::Pcmu);
    let mut left = Vec::new();
    let mut arrived = Vec::new();
    until("packets", || {
        left.extend(std::iter::from_fn(|| sent.read()));
        arrived.extend(std::iter::from_fn(|| came.read()));
        arrived.len() > 10
    });
    let first = &arrived[1];
    assert!(left.iter().any(|packet| packet.octets == first.octets && packet.at < first.at));
    assert_eq!((first.octets.len(), first.octets[1] & 0x7f), (172, 0));

    let injected = a.msp.create_terminal(TerminalClass::RtpInjector, Direction::Capture).unwrap().id;
    let injector = injector(&*a.msp, injected);
    let mut packet = first.octets.clone();
    assert_eq!((injector.send(&packet), injector.room()), (Err(RtpSendError::NotSelected), 0));
    a.msp.select_terminal(a.capture, injected).unwrap();
    assert!(matches!(injector.send(&[0; 3]), Err(RtpSendError::Invalid(_))));
    packet[12..].fill(0x5a);
    until("the injected packet", || {
        // The first ones may come before the engine has its end.
        match injector.send(&packet) {
            Ok(()) | Err(RtpSendError::Full) => {}
            Err(error) => panic!("{error}"),
        }
        std::iter::from_fn(|| came.read()).any(|got| got.octets[12..] == packet[12..])
    });
    a.msp.unselect_terminal(a.capture, injected).unwrap();
    assert_eq!(injector.send(&packet), Err(RtpSendError::NotSelected));
    let volume = a.msp.change_volume(injected, VolumeChange::Mute(true));
    assert!(matches!(volume, Err(MspError::InvalidTerminal(_))), "{volume:?}");
}

#[test]
fn one_stream_serves_a_recording_a_reader_a_tap_and_a_null_at_once_and_all_hear_the_same() {
    let (mut a, mut b) = (End::new(), End::new());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("heard.wav");
    let ear =
        select(&b, b.render, TerminalClass::Pcm { sample_rate: None, capacity_ms: 5_000 }, Direction::Render);
    let file = b.record(&path);
    let packets = select(&b, b.render, TerminalClass::RtpTap, Direction::Render);
    let null = b.null(Direction::Render);
    b.msp.select_terminal(b.render, null).unwrap();
    let place = b.terminal(TerminalClass::Conference { name: "alone".to_owned() });
    b.msp.select_terminal(b.render, place).unwrap();
    // Two sources at once as well.
    a.tone(500.0);
    a.tone(1_300.0);
    join(&mut a, &mut b, Codec::Pcmu);
    until("a second of sound", || b.status(file).samples > 8_000);
    let other = beside(&b);
    assert_eq!(b.msp.select_terminal(other.render, ear), Err(MspError::TerminalInUse));
    b.msp.unselect_terminal(b.render, ear).unwrap();
    b.msp.release_terminal(file).unwrap();
    let (heard, _) = read(&*reader(&*b.msp, ear), 8_000);
    let recorded = read_sound(&path);
    // Both began with the first block and heard the same samples.
    assert!(
        heard.len() >= 8_000 && recorded.starts_with(&heard),
        "the recording is what the application read"
    );
    for hz in [500.0, 1_300.0] {
        assert!((usual_tone_dbfs(&heard, hz) + 10.0).abs() < 2.0);
    }
    assert!(tap(&*b.msp, packets).status().packets > 40 && b.status(null).samples > 8_000);
}

#[test]
fn volumes_are_heard_levels_tell_them_and_ranges_are_checked() {
    let (mut a, mut b) = (End::new(), End::new());
    let tone = a.tone(1_000.0);
    let ear = select(&b, b.render, PCM, Direction::Render);
    let handle = reader(&*b.msp, ear);
    for (db, ok) in [
        (30.0, true),
        (-96.0, true),
        (30.1, false),
        (-96.1, false),
        (f32::NAN, false),
        (f32::INFINITY, false),
    ] {
        let changed = a.msp.change_volume(tone, VolumeChange::GainDb(db));
        assert_eq!(changed.is_ok(), ok, "{db}: {changed:?}");
        assert!(ok || matches!(changed, Err(MspError::OutOfRange(_))));
    }
    // What was set before the stream runs counts as well.
    a.msp.change_volume(tone, VolumeChange::GainDb(-20.0)).unwrap();
    assert_eq!(a.status(tone).volume, Volume { gain_db: -20.0, mute: false });
    join(&mut a, &mut b, Codec::Pcmu);
    let heard_at = |want: f64| {
        until("the level", || {
            let (heard, _) = read(&*handle, 1_600);
            (usual_tone_dbfs(&heard, 1_000.0) - want).abs() < 1.5
        });
    };
    heard_at(-30.0);
    a.msp.change_volume(tone, VolumeChange::GainDb(0.0)).unwrap();
    heard_at(-10.0);
    b.msp.change_volume(ear, VolumeChange::GainDb(-30.0)).unwrap();
    heard_at(-40.0);
    // A sine's mean is 3 dB below its peak.
    let level_of =
        |end: &End, terminal| end.status(terminal).level.map(|level| (level.rms_dbfs, level.peak_dbfs));
    until("levels", || {
        let near = |level: Option<(f64, f64)>, rms: f64| level.is_some_and(|(is, _)| (is - rms).abs() < 1.5);
        near(level_of(&a, tone), -13.0) && near(level_of(&b, ear), -43.0)
    });
    a.msp.change_volume(tone, VolumeChange::Mute(true)).unwrap();
    until("silence", || level_dbfs(&read(&*handle, 1_600).0) < -80.0);
    a.msp.change_volume(tone, VolumeChange::Mute(false)).unwrap();
    heard_at(-40.0);
    a.msp.unselect_terminal(a.capture, tone).unwrap();
    assert_eq!(a.status(tone).level, None);
}

#[test]
fn terminals_that_cannot_be_are_refused_with_a_reason() {
    let a = End::new();
    let refused = |class, direction| a.msp.create_terminal(class, direction).err().map(|why| why.to_string());
    let conference = |name: String| TerminalClass::Conference { name };
    for (class, direction, word) in [
        (conference(String::new()), Direction::Capture, "1 to 128"),
        (conference("x".repeat(129)), Direction::Capture, "129"),
        (conference("x".to_owned()), Direction::Render, "capture"),
        (TerminalClass::ToneGenerator, Direction::Render, "capture"),
        (TerminalClass::RtpInjector, Direction::Render, "capture"),
        (TerminalClass::Pcm { sample_rate: Some(12_345), capacity_ms: 100 }, Direction::Capture, "12345"),
        (TerminalClass::Pcm { sample_rate: None, capacity_ms: 60_000 }, Direction::Render, "60000"),
    ] {
        let why = refused(class.clone(), direction);
        assert!(why.as_deref().is_some_and(|why| why.contains(word)), "{class:?}: {why:?}");
    }
    let null = a.null(Direction::Capture);
    assert!(matches!(a.msp.terminal_end(null).err(), Some(MspError::InvalidTerminal(_))));
    assert!(a.msp.terminal_end(TerminalId(9_999)).is_err());
}
