//! What goes wrong around a call is told, and the call goes on.

mod support;

use offhook_msp::MspConfig;
use offhook_pair::{Codec, ToMsp, ToTsp};
use offhook_spi::mspi::{Direction, TerminalClass};
use offhook_spi::{MspCallEvent, MspError, MspEvent, MspEventCause};
use support::*;

fn why<T: std::fmt::Debug>(result: Result<T, MspError>) -> String {
    match result {
        Err(MspError::Resource(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_cannot_be_played_is_refused_by_name_when_the_terminal_is_made() {
    let (a, dir) = (End::new(), tempfile::tempdir().unwrap());
    let path = dir.path().join("speech.wav");
    let make = || {
        let class = TerminalClass::FilePlayback { path: path.clone(), repeat: false };
        why(a.msp.create_terminal(class, Direction::Capture))
    };
    assert!(make().contains("speech.wav"));
    std::fs::write(&path, "no sound").unwrap();
    assert!(make().contains("speech.wav"));
}

#[test]
fn a_recording_that_cannot_be_written_is_refused_by_name_when_the_terminal_is_made() {
    let (a, dir) = (End::new(), tempfile::tempdir().unwrap());
    for path in [dir.path().join("missing").join("heard.wav"), dir.path().to_owned()] {
        let class = TerminalClass::FileRecord { path: path.clone() };
        let told = why(a.msp.create_terminal(class, Direction::Render));
        assert!(told.contains(&path.display().to_string()), "{told}");
    }
}

#[test]
#[cfg(unix)]
fn a_pipe_is_not_waited_for() {
    let (a, dir) = (End::new(), tempfile::tempdir().unwrap());
    let path = dir.path().join("pipe.wav");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let class = TerminalClass::FileRecord { path };
    assert!(why(a.msp.create_terminal(class, Direction::Render)).contains("pipe.wav"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_fails_the_recording_once_and_the_call_goes_on() {
    let (mut a, mut b) = (End::new(), End::new());
    a.tone(440.0);
    let full = b.record("/dev/full".as_ref());
    let null = b.null(Direction::Render);
    b.msp.select_terminal(b.render, null).unwrap();
    join(&mut a, &mut b, Codec::Pcmu);
    until("the failure", || b.status(full).failed.is_some());
    let told = b.status(full).failed.unwrap();
    assert!(told.contains("/dev/full") && told.contains("No space left"), "{told}");
    let packets = b.received().packets;
    until("the call", || b.received().packets > packets + 10);
    b.collect();
    let failures: Vec<_> = b
        .trace
        .iter()
        .filter(|event| matches!(event, MspEvent::Call { event: MspCallEvent::TerminalFail, .. }))
        .collect();
    assert_eq!(
        failures,
        [&MspEvent::Call {
            call: b.call,
            event: MspCallEvent::TerminalFail,
            cause: MspEventCause::BadDevice,
            stream: Some(b.render),
            terminal: Some(full),
        }]
    );
    assert!(why(b.msp.release_terminal(full)).contains("/dev/full"));
    assert!(b.received().active);
}

#[test]
fn a_file_that_ends_too_early_fails_its_terminal_and_plays_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.wav");
    write_sound(&path, 8_000, 2.0);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..44 + 16_000]).unwrap();
    let (mut a, mut b) = (End::new(), End::new());
    let played = a.play(&path);
    join(&mut a, &mut b, Codec::Pcmu);
    until("the end", || a.status(played).finished);
    assert_eq!(a.status(played).samples, 8_000);
    assert!(a.status(played).failed.is_some_and(|why| why.contains("cut.wav")));
    until("the event", || {
        a.events().contains(&(MspCallEvent::TerminalFail, MspEventCause::BadDevice, Some(a.capture)))
    });
}

#[test]
fn without_a_free_port_the_tsp_is_told_why() {
    // Two pairs; the sockets of the test hold one port of each.
    let (first, _held) = (21_000..60_000u16)
        .step_by(4)
        .find_map(|port: u16| {
            let bind = |port| std::net::UdpSocket::bind((LOOPBACK, port)).ok();
            Some((port, [bind(port)?, bind(port + 3)?]))
        })
        .unwrap();
    let mut a = End::with(MspConfig { ports: first..=first + 3, ..MspConfig::default() });
    a.tell(&ToMsp::Prepare { peer: LOOPBACK }).unwrap();
    match a.answer() {
        Some(ToTsp::Failed { why }) => assert!(why.contains(&first.to_string()), "{why}"),
        other => panic!("{other:?}"),
    }
    let failed = |stream| (MspCallEvent::StreamFail, MspEventCause::ConnectFail, Some(stream));
    assert_eq!(a.events(), [failed(a.capture), failed(a.render)]);
    assert_eq!(a.tell(&ToMsp::Start(vec![receive(Codec::Pcmu)])), Ok(()), "late: ignored");
    drop(_held);
    assert_eq!(a.prepare().rtp.port() % 2, 0, "asked again, it has them");
}

#[test]
fn an_address_that_is_not_ours_is_told() {
    let mut a = End::with(MspConfig { bind: "192.0.2.1".parse().ok(), ..MspConfig::default() });
    a.tell(&ToMsp::Prepare { peer: LOOPBACK }).unwrap();
    match a.answer() {
        Some(ToTsp::Failed { why }) => assert!(why.contains("192.0.2.1"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_sound_card_the_error_says_how_to_go_on() {
    // A child without a sound server: this machine may have one.
    if std::env::var_os("OFFHOOK_TEST_ALONE").is_none() {
        let dir = tempfile::tempdir().unwrap();
        let own = std::env::current_exe().unwrap();
        let status = std::process::Command::new(own)
            .args(["--exact", "without_a_sound_card_the_error_says_how_to_go_on", "--test-threads=1"])
            .env("OFFHOOK_TEST_ALONE", "1")
            .env("XDG_RUNTIME_DIR", dir.path())
            .env("PULSE_SERVER", format!("unix:{}", dir.path().join("none").display()))
            .env("ALSA_CONFIG_PATH", "/dev/null")
            .env("HOME", dir.path())
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    let a = End::new();
    assert_eq!(a.msp.static_terminals(), []);
    for direction in [Direction::Capture, Direction::Render] {
        let told = why(a.msp.create_terminal(TerminalClass::DefaultDevice, direction));
        assert!(told.contains("no ") && told.contains("sound device") && told.contains("WAV"), "{told}");
    }
}

#[test]
fn what_strangers_send_does_not_reach_the_recording() {
    let dir = tempfile::tempdir().unwrap();
    let (mut a, mut b) = (End::new(), End::new());
    a.tone(440.0);
    let heard = b.record(&dir.path().join("heard.wav"));
    let (_, at_b) = join(&mut a, &mut b, Codec::Pcmu);
    until("sound", || b.received().packets > 10);
    // Loud noise from another address, and from another port of the peer's.
    let strangers = ["127.0.0.2:0", "127.0.0.1:0"].map(|from| std::net::UdpSocket::bind(from).unwrap());
    for n in 0..60u16 {
        let mut packet = vec![0x80, 0, (n >> 8) as u8, n as u8, 0, 0, (n / 2) as u8, 0, 1, 2, 3, 4];
        packet.extend((0..160).map(|k| if k % 2 == 0 { 0x80 } else { 0 }));
        for stranger in &strangers {
            stranger.send_to(&packet, at_b.rtp).unwrap();
            stranger.send_to(&packet, at_b.rtcp).unwrap();
        }
        pause(5);
    }
    until("every stranger's packet is refused", || b.received().dropped == 120);
    assert_eq!(b.received().rtcp_received, 0);
    b.msp.release_terminal(heard).unwrap();
    let samples = read_sound(&dir.path().join("heard.wav"));
    let loudest = samples.iter().map(|s| s.unsigned_abs()).max().unwrap();
    assert!(loudest < 11_500, "peak {loudest}");
}
