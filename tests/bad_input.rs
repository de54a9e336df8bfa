//! What goes wrong from outside: each a clear message, a proper release, the right exit status, nothing left running.

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use common::{ALICE, Process, Tested, answering, errors, offhook, run};

const QUICK: [&str; 4] = ["--null", "--tone", "440", "--quiet"];

/// Calls `to` and expects the exit status and a word in what is said.
fn call_fails(to: &str, more: &[&str], code: i32, says: &str) -> Tested {
    let began = Instant::now();
    let output = run(offhook().args(["call", to]).args(more))?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), errors(&output));
    assert_eq!(output.status.code(), Some(code), "{to}: {said}");
    assert!(said.to_lowercase().contains(says), "{to}: {says:?} is not in {said:?}");
    assert!(!said.contains("panicked"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(25), "{to} took too long");
    Ok(())
}

#[test]
fn an_address_that_is_none_is_refused_by_name() -> Tested {
    call_fails("", &QUICK, 3, "invalid address")?;
    call_fails("host:99999", &QUICK, 3, "host:99999")?;
    call_fails("@127.0.0.1", &QUICK, 3, "nothing before the @")?;
    call_fails("no-such-host.invalid", &QUICK, 3, "no-such-host.invalid")
}

#[test]
fn an_address_where_nobody_listens_says_that_the_connection_was_refused() -> Tested {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    call_fails(&format!("127.0.0.1:{port}"), &QUICK, 3, "refused")
}

#[test]
fn a_port_that_is_taken_is_named_with_what_to_do() -> Tested {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let at = taken.local_addr()?.to_string();
    let output = run(offhook().args(["answer", "--listen", &at, "--echo"]))?;
    assert_eq!(output.status.code(), Some(1));
    let said = errors(&output);
    assert!(said.contains(&at) && said.contains("choose another port"), "{said}");
    Ok(())
}

#[test]
fn a_peer_that_accepts_and_says_nothing_is_given_up() -> Tested {
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let at = silent.local_addr()?.to_string();
    // T303 runs for at most twice four seconds; the user's own patience is shorter.
    call_fails(&at, &[&QUICK[..], &["--timeout", "2"]].concat(), 3, "")?;
    call_fails(&at, &QUICK, 3, "unreachable")
}

#[test]
fn a_peer_that_closes_before_it_answers_ends_the_call() -> Tested {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let at = listener.local_addr()?.to_string();
    let peer = std::thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        stream.read_exact(&mut [0; 4])?;
        Ok(())
    });
    call_fails(&at, &QUICK, 3, "disconnected")?;
    peer.join().map_err(|_| "peer")??;
    Ok(())
}

#[test]
fn a_peer_that_talks_garbage_is_released() -> Tested {
    for garbage in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x03\x00\x00\x02", b"\x03\x00\x00\x08\xff\xff\xff\xff", &[0; 64]]
    {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let at = listener.local_addr()?.to_string();
        let peer = std::thread::spawn(move || -> std::io::Result<()> {
            let (mut stream, _) = listener.accept()?;
            for _ in 0..16 {
                if stream.write_all(garbage).is_err() {
                    break;
                }
            }
            stream.set_read_timeout(Some(Duration::from_secs(15)))?;
            let _ = stream.read_to_end(&mut Vec::new());
            Ok(())
        });
        call_fails(&at, &QUICK, 3, "disconnected")?;
        peer.join().map_err(|_| "peer")??;
    }
    Ok(())
}

#[test]
fn garbage_on_the_listening_port_disturbs_no_call() -> Tested {
    let (mut answer, at) = answering(&["--echo"])?;
    let mut strangers = Vec::new();
    for garbage in
        [&b"\x00"[..], b"SSH-2.0-x\r\n", b"\x03\x00\xff\xff", b"\x03\x00\x00\x05\x08", &[0xff; 4096]]
    {
        let mut stream = TcpStream::connect(&at)?;
        // It may already have hung up on us.
        let _ = stream.write_all(garbage);
        strangers.push(stream);
    }
    let call = run(offhook().args(["call", &at, "--duration", "0.5"]).args(QUICK))?;
    assert_eq!(call.status.code(), Some(0), "{}", errors(&call));
    answer.interrupt()?;
    let (said, status) = answer.end(Duration::from_secs(12))?;
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(said.lines().filter(|l| l.contains("\"event\":\"call\"")).count(), 1, "{said}");
    Ok(())
}

#[test]
fn a_wav_file_that_is_none_is_named_before_anybody_is_called() -> Tested {
    let dir = tempfile::tempdir()?;
    let text = dir.path().join("letter.wav");
    std::fs::write(&text, "Dear sirs")?;
    let text = text.to_str().ok_or("path")?;
    call_fails("127.0.0.1:1", &["--play", text, "--null", "--quiet"], 1, "letter.wav")?;
    call_fails("127.0.0.1:1", &["--play", "/no/such/file.wav", "--null", "--quiet"], 1, "/no/such/file.wav")?;
    let output = run(offhook().args(["answer", "--listen", "127.0.0.1:0", "--play", text]))?;
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert!(errors(&output).contains("letter.wav"));
    Ok(())
}

#[test]
fn a_recording_that_cannot_be_made_is_named() -> Tested {
    call_fails(
        "127.0.0.1:1",
        &["--record", "/no/such/dir/x.wav", "--tone", "440", "--quiet"],
        1,
        "/no/such/dir/x.wav",
    )?;
    let output =
        run(offhook().args(["answer", "--listen", "127.0.0.1:0", "--echo", "--record", "/dev/null/x"]))?;
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    Ok(())
}

#[test]
fn a_file_is_never_played_and_recorded_over_at_once() -> Tested {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("only-copy.wav");
    std::fs::copy(ALICE, &file)?;
    let (before, file) = (std::fs::metadata(&file)?.len(), file.to_str().ok_or("path")?);
    let same = dir.path().join("..").join(dir.path().file_name().ok_or("name")?).join("only-copy.wav");
    let same = same.to_str().ok_or("path")?;
    call_fails("127.0.0.1:1", &["--play", file, "--record", same, "--quiet"], 1, "the same file")?;
    call_fails("127.0.0.1:1", &["--play", file, "--null", "--report", file, "--quiet"], 1, "the same file")?;
    assert_eq!(std::fs::metadata(file)?.len(), before, "nothing was touched");
    Ok(())
}

#[test]
fn a_report_that_cannot_be_written_is_known_before_the_call() -> Tested {
    call_fails(
        "127.0.0.1:1",
        &[&QUICK[..], &["--report", "/no/such/dir/r.json"]].concat(),
        1,
        "/no/such/dir/r.json",
    )
}

#[test]
fn a_media_address_that_this_machine_does_not_have_is_a_local_failure() -> Tested {
    let (_answer, at) = answering(&["--echo"])?;
    call_fails(&at, &[&QUICK[..], &["--media-address", "192.0.2.55"]].concat(), 1, "192.0.2.55")
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_said_and_the_call_goes_on() -> Tested {
    let (mut answer, at) = answering(&["--play", ALICE, "--null", "--calls", "1"])?;
    let call = run(offhook().args([
        "call",
        &at,
        "--record",
        "/dev/full",
        "--tone",
        "440",
        "--duration",
        "1.5",
        "--json",
    ]))?;
    let said = format!("{}{}", String::from_utf8_lossy(&call.stdout), errors(&call));
    assert_eq!(call.status.code(), Some(1), "{said}");
    assert!(said.contains("/dev/full"), "{said}");
    let heard = answer.json()?;
    assert!(heard["received"]["packets"].as_u64() > Some(30), "the call went on: {heard:#}");
    let pcap = run(offhook().args([
        "call",
        "127.0.0.1:1",
        "--capture",
        "/dev/full",
        "--null",
        "--tone",
        "440",
        "--quiet",
    ]))?;
    assert_ne!(pcap.status.code(), Some(0), "{}", errors(&pcap));
    Ok(())
}

#[test]
fn no_rtp_port_left_releases_the_call_with_the_reason() -> Tested {
    let (mut answer, at) = answering(&["--echo"])?;
    let taken = UdpSocket::bind("127.0.0.1:43000")?;
    call_fails(&at, &[&QUICK[..], &["--rtp-ports", "43000-43001"]].concat(), 1, "43000")?;
    drop(taken);
    answer.interrupt()?;
    assert_eq!(answer.end(Duration::from_secs(12))?.1, Some(0));
    Ok(())
}

#[test]
fn without_a_sound_card_the_command_says_how_to_go_on() -> Tested {
    // No sound server reaches a process without these, and this machine may have no card.
    let output = run(offhook()
        .args(["call", "127.0.0.1:1", "--quiet"])
        .env("PULSE_SERVER", "unix:/nonexistent")
        .env("ALSA_CONFIG_PATH", "/dev/null"))?;
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert!(errors(&output).contains("--play FILE.wav"), "{}", errors(&output));
    Ok(())
}

#[test]
fn a_busy_far_end_and_a_call_that_nobody_answers_are_told_apart() -> Tested {
    let (_busy, at) = answering(&["--echo", "--max-calls", "0"])?;
    call_fails(&at, &QUICK, 3, "busy")?;
    let (mut ringing, at) = answering(&["--echo", "--ring-ms", "60000"])?;
    call_fails(&at, &[&QUICK[..], &["--timeout", "1"]].concat(), 3, "not answered within 1 s")?;
    assert!(ringing.is_running(), "an unanswered call does not end the answering side");
    Ok(())
}

#[test]
fn ctrl_c_hangs_up_on_both_sides() -> Tested {
    let (mut answer, at) = answering(&["--echo"])?;
    let mut call = Process::start(offhook().args(["call", &at, "--json"]).args(QUICK))?;
    std::thread::sleep(Duration::from_millis(1_500));
    call.interrupt()?;
    let (said, status) = call.end(Duration::from_secs(5))?;
    assert_eq!(status, Some(0), "{said}");
    let callee = answer.json()?;
    assert_eq!(callee["ended"], "disconnected (normal)", "released on the wire, not dropped: {callee:#}");

    let mut second = Process::start(offhook().args(["call", &at, "--json"]).args(QUICK))?;
    std::thread::sleep(Duration::from_millis(1_500));
    answer.interrupt()?;
    let (_, status) = answer.end(Duration::from_secs(5))?;
    assert_eq!(status, Some(0));
    let (said, status) = second.end(Duration::from_secs(5))?;
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("disconnected (normal)"), "{said}");
    Ok(())
}
