//! Two MSP addresses talk over loopback sockets, as a TSP tells them to.

mod support;

use offhook_pair::{Codec, ToMsp};
use offhook_spi::MediaTypes;
use offhook_spi::mspi::{Direction, TerminalClass};
use support::*;

#[test]
fn a_file_played_at_one_end_is_recorded_at_the_other_and_the_numbers_agree() {
    let dir = tempfile::tempdir().unwrap();
    let (mut a, mut b) = (End::new(), End::new());
    let source = write_sound(&dir.path().join("source.wav"), 8_000, 1.0);
    let played = a.play(&dir.path().join("source.wav"));
    let recorded = b.record(&dir.path().join("heard.wav"));
    assert_eq!(a.status(played).first_sample_at, None, "not before the stream");
    pause(50);
    join(&mut a, &mut b, Codec::Pcma);
    until("the file has ended", || a.status(played).finished);
    pause(300);
    let (sent, received) = (a.sent(), b.received());
    let (at_a, at_b) = (a.status(played), b.status(recorded));
    for end in [&a, &b] {
        end.tell(&ToMsp::StopAll).unwrap();
    }
    b.msp.release_terminal(recorded).unwrap();
    let heard = read_sound(&dir.path().join("heard.wav"));

    assert_eq!((at_a.samples, at_a.sample_rate), (8_000, 8_000));
    assert!(at_b.samples as usize <= heard.len() && heard.len() < at_b.samples as usize + 1_600);
    assert_eq!(sent.codec.as_deref(), Some("PCMA"));
    assert!(sent.packets >= 50 && sent.octets == sent.packets * 160, "{sent:?}");
    assert!(received.packets + 3 >= sent.packets && received.lost == 0, "{received:?}");
    assert_eq!((received.late, received.duplicate, received.dropped, sent.dropped), (0, 0, 0, 0));
    assert!(received.samples > 8_000 && received.first_packet_at > sent.first_packet_at);
    assert!(received.first_sound_at >= received.first_packet_at);
    assert_eq!(received.remote, sent.local);
    assert_eq!(sent.remote, received.local);

    // What was played is there, sample by sample but for the codec and playout's adaptation.
    let lag = (at_a.first_sample_at.unwrap().0 as i64 - at_b.first_sample_at.unwrap().0 as i64) / 125_000;
    let best = (0..heard.len() - 4_000)
        .min_by_key(|from| {
            source[2_000..3_000]
                .iter()
                .zip(&heard[*from..])
                .map(|(s, h)| i64::from(*s).abs_diff(i64::from(*h)))
                .sum::<u64>()
        })
        .unwrap() as i64;
    let delay = best - 2_000 - lag;
    assert!((0..4_000).contains(&delay), "mouth to ear {delay} samples");
    let error: Vec<i16> =
        source[2_000..3_000].iter().zip(&heard[best as usize..]).map(|(s, h)| s.saturating_sub(*h)).collect();
    let ratio = level_dbfs(&source[2_000..3_000]) - level_dbfs(&error);
    assert!(ratio > 25.0, "speech is {ratio:.1} dB above the error");
}

#[test]
fn what_the_peer_says_to_an_echo_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let (mut a, mut b) = (End::new(), End::new());
    a.tone(700.0);
    let heard = a.record(&dir.path().join("heard.wav"));
    let echo = b.terminal(TerminalClass::Echo);
    b.msp.select_terminal(b.render, echo).unwrap();
    b.msp.select_terminal(b.capture, echo).unwrap();
    join(&mut a, &mut b, Codec::Pcmu);
    until("a second of sound", || a.received().samples > 8_000);
    assert!(b.status(echo).first_sample_at.is_some() && b.status(echo).samples > 8_000);
    a.msp.release_terminal(heard).unwrap();
    let samples = read_sound(&dir.path().join("heard.wav"));
    let tail = &samples[samples.len() - 4_000..];
    let level = tone_dbfs(tail, 700.0, 8_000.0);
    assert!((level + 10.0).abs() < 1.5, "{level:.1} dBFS");
}

#[test]
fn listening_and_recording_go_on_side_by_side_and_each_recording_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (mut a, mut b) = (End::new(), End::new());
    a.tone(440.0);
    let null = b.null(Direction::Render);
    b.msp.select_terminal(b.render, null).unwrap();
    let first = b.record(&dir.path().join("first.wav"));
    join(&mut a, &mut b, Codec::Pcma);
    until("sound", || b.received().samples > 2_000);
    let second = b.record(&dir.path().join("second.wav"));
    until("more sound", || b.received().samples > 6_000);
    until("the file is valid while it grows", || {
        hound::WavReader::open(dir.path().join("first.wav")).is_ok_and(|file| file.duration() > 4_000)
    });
    // A recording that leaves and comes back goes on in the same file.
    b.msp.unselect_terminal(b.render, first).unwrap();
    let so_far = b.status(first).samples;
    assert_eq!(read_sound(&dir.path().join("first.wav")).len() as u64, so_far, "valid on disk already");
    b.msp.select_terminal(b.render, first).unwrap();
    until("it goes on", || b.status(first).samples > so_far + 2_000);
    for (terminal, name) in [(first, "first.wav"), (second, "second.wav")] {
        b.msp.release_terminal(terminal).unwrap();
        let samples = read_sound(&dir.path().join(name));
        let level = tone_dbfs(&samples[samples.len() - 1_600..], 440.0, 8_000.0);
        assert!((level + 10.0).abs() < 1.5, "{name}: {level:.1} dBFS");
    }
    assert!(b.status(null).samples > 8_000 && b.received().active);
}

#[test]
fn a_file_of_another_rate_is_heard_at_the_right_pitch_and_repeats_if_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tone.wav");
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 44_100,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(&path, spec).unwrap();
    for n in 0..8_820 {
        let sample = 0.3 * (std::f64::consts::TAU * 500.0 * f64::from(n) / 44_100.0).sin();
        writer.write_sample(sample as f32).unwrap();
        writer.write_sample(sample as f32).unwrap();
    }
    writer.finalize().unwrap();
    let (mut a, mut b) = (End::new(), End::new());
    let played = a.terminal(TerminalClass::FilePlayback { path, repeat: true });
    a.msp.select_terminal(a.capture, played).unwrap();
    let heard = b.record(&dir.path().join("heard.wav"));
    join(&mut a, &mut b, Codec::Pcmu);
    until("more than the file holds", || a.status(played).samples > 6_000);
    assert!(!a.status(played).finished);
    b.msp.shutdown_msp_call(b.call).unwrap();
    let samples = read_sound(&dir.path().join("heard.wav"));
    let level = tone_dbfs(&samples[samples.len() - 3_200..], 500.0, 8_000.0);
    assert!((level + 10.5).abs() < 1.5, "{level:.1} dBFS");
    assert_eq!(b.status(heard).failed, None);
}

#[test]
fn a_file_begins_anew_with_each_selection() {
    let dir = tempfile::tempdir().unwrap();
    let (mut a, mut b) = (End::new(), End::new());
    write_sound(&dir.path().join("source.wav"), 8_000, 0.3);
    let played = a.play(&dir.path().join("source.wav"));
    join(&mut a, &mut b, Codec::Pcmu);
    until("its end", || a.status(played).finished);
    let first = a.status(played).first_sample_at;
    a.msp.unselect_terminal(a.capture, played).unwrap();
    a.msp.select_terminal(a.capture, played).unwrap();
    until("its end again", || a.status(played).finished && a.status(played).first_sample_at > first);
    assert_eq!(a.status(played).samples, 2_400);
}

#[test]
fn shutting_down_frees_the_ports_and_completes_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let (mut a, mut b) = (End::new(), End::new());
    a.tone(440.0);
    let recorded = b.record(&dir.path().join("heard.wav"));
    let (at_a, at_b) = join(&mut a, &mut b, Codec::Pcmu);
    assert!(std::net::UdpSocket::bind(at_b.rtp).is_err());
    until("sound", || b.received().samples > 4_000);
    b.msp.shutdown_msp_call(b.call).unwrap();
    for port in [at_b.rtp, at_b.rtcp] {
        assert!(std::net::UdpSocket::bind(port).is_ok(), "{port} is free");
    }
    assert!(read_sound(&dir.path().join("heard.wav")).len() as u64 >= b.status(recorded).samples);
    // The terminal is free for another call.
    let call = b.msp.create_msp_call(MediaTypes::AUDIO).unwrap();
    let render = b.msp.streams(call).unwrap()[1].id;
    assert_eq!(b.msp.select_terminal(render, recorded), Ok(()));
    // The end of a call by the TSP alone frees them as well, a moment later.
    a.tell(&ToMsp::StopAll).unwrap();
    until("the ports of a stopped call", || {
        [at_a.rtp, at_a.rtcp].iter().all(|port| std::net::UdpSocket::bind(port).is_ok())
    });
}

#[test]
fn dropping_the_last_address_ends_every_thread() {
    let dir = tempfile::tempdir().unwrap();
    let ours = || {
        let tasks = std::fs::read_dir("/proc/self/task").map(Iterator::count);
        tasks.unwrap_or(0)
    };
    // Other tests of this binary run beside this one: a process of its own counts only its own threads.
    if std::env::var_os("OFFHOOK_TEST_ALONE").is_none() {
        let own = std::env::current_exe().unwrap();
        let status = std::process::Command::new(own)
            .args(["--exact", "dropping_the_last_address_ends_every_thread", "--test-threads=1"])
            .env("OFFHOOK_TEST_ALONE", "1")
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    let before = ours();
    let (mut a, mut b) = (End::new(), End::new());
    a.tone(440.0);
    b.record(&dir.path().join("heard.wav"));
    join(&mut a, &mut b, Codec::Pcmu);
    until("sound", || b.received().samples > 2_000);
    assert!(ours() > before || before == 0);
    drop((a, b));
    assert_eq!(ours(), before);
    assert!(read_sound(&dir.path().join("heard.wav")).len() > 2_000);
}
