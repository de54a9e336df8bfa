//! The command's signalling options, seen from the other end of the wire.

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use common::{Process, Tested, answering, errors, offhook, run};
use offhook_wire::h225::{H323UuPduH323MessageBody as Body, SetupUuie, SetupUuieConferenceGoal};
use offhook_wire::h225_message::CallSignal;
use serde_json::Value;

/// The next TPKT, decoded.
fn signal(stream: &mut TcpStream) -> Result<CallSignal, Box<dyn std::error::Error>> {
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let mut payload = vec![0; length.checked_sub(4).ok_or("a TPKT shorter than its head")?];
    stream.read_exact(&mut payload)?;
    Ok(CallSignal::decode(&payload.into())?)
}

/// The first message of a call with these options, and the connection; nobody answers.
fn setup(options: &[&str]) -> Result<(Process, TcpStream, Box<SetupUuie>), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let at = listener.local_addr()?.to_string();
    let usual = ["call", &at, "--null", "--quiet", "--timer", "t303=0.4"];
    let process = Process::start(offhook().args(usual).args(options))?;
    let (mut stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let first = signal(&mut stream)?;
    let Some(Body::Setup(setup)) = first.body() else { return Err(format!("no Setup: {first:?}").into()) };
    let setup = setup.clone();
    Ok((process, stream, setup))
}

#[test]
fn connections_that_may_be_shared_or_kept_are_announced() -> Tested {
    let flags = |setup: &SetupUuie| (setup.multiple_calls, setup.maintain_connection);
    let (_call, _stream, usual) = setup(&[])?;
    assert_eq!(flags(&usual), (Some(false), Some(false)));
    let (_call, _stream, both) = setup(&["--share-connection", "--keep-connection"])?;
    assert_eq!(flags(&both), (Some(true), Some(true)));
    Ok(())
}

#[test]
fn a_conference_is_named_with_what_the_call_does_to_it() -> Tested {
    let name = "00112233445566778899aabbccddeeff";
    for (goal, said) in [
        (&["--goal", "invite"][..], SetupUuieConferenceGoal::Invite),
        (&["--goal", "create"], SetupUuieConferenceGoal::Create),
        (&[], SetupUuieConferenceGoal::Join),
    ] {
        let (_call, _stream, setup) = setup(&[&["--conference-id", name], goal].concat())?;
        assert_eq!(setup.conference_goal, said);
        assert_eq!((setup.conference_id[0], setup.conference_id[15]), (0, 0xff));
    }
    Ok(())
}

#[test]
fn timers_end_a_call_that_nobody_answers_and_setup_is_repeated_on_request() -> Tested {
    for (option, setups) in [(None, 1), (Some("--repeat-setup"), 2)] {
        let (mut call, mut stream, _) = setup(option.as_slice())?;
        let mut seen = 1;
        loop {
            let next = signal(&mut stream)?;
            match next.body() {
                Some(Body::Setup(_)) => seen += 1,
                Some(Body::ReleaseComplete(_)) => break,
                _ => return Err(format!("{next:?}").into()),
            }
        }
        drop(stream);
        assert_eq!(seen, setups);
        // Two periods of 0.4 s and not of 4: the command does not wait for its own patience of 60 s either.
        assert_eq!(call.end(Duration::from_secs(20))?.1, Some(3));
    }
    Ok(())
}

/// The questions that a DNS server got.
type Questions = mpsc::Receiver<Vec<u8>>;

/// A DNS server that knows every name to be 127.0.0.1, and says what it was asked.
fn name_server() -> std::io::Result<(SocketAddr, Questions)> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let at = socket.local_addr()?;
    let (say, asked) = mpsc::channel();
    thread::spawn(move || -> Option<()> {
        let mut buffer = [0; 512];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).ok()?;
            let query = buffer.get(..length)?;
            let name = query.get(12..)?.iter().position(|octet| *octet == 0)?;
            let question = query.get(12..12 + name + 5)?;
            let is_a = question.get(name + 1..name + 3)? == [0, 1];
            let mut answer = query.get(..2)?.to_vec();
            answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
            answer.extend(question);
            if is_a {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
            }
            socket.send_to(&answer, from).ok()?;
            say.send(question.to_vec()).ok()?;
        }
    });
    Ok((at, asked))
}

#[test]
fn names_are_asked_of_the_server_that_is_given() -> Tested {
    let (server, asked) = name_server()?;
    let (mut answer, at) = answering(&["--echo", "--calls", "1"])?;
    let port = at.rsplit(':').next().ok_or("no port")?;
    let call = run(offhook()
        .args(["call", &format!("desk.example:{port}"), "--name-server", &server.to_string()])
        .args(["--tone", "440", "--null", "--duration", "0.3", "--quiet"]))?;
    assert_eq!(call.status.code(), Some(0), "{}", errors(&call));
    let names: Vec<Vec<u8>> = asked.try_iter().collect();
    assert!(names.iter().any(|name| name.starts_with(b"\x04desk\x07example\x00")), "{names:?}");
    answer.end(Duration::from_secs(5))?;
    Ok(())
}

/// Passes octets on between two ends, until either is gone, and says when Connect goes by.
fn pass(from: &TcpStream, to: &TcpStream, connected: mpsc::Sender<()>) -> std::io::Result<()> {
    let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
    thread::spawn(move || -> Option<()> {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let octets = buffer.get(..length)?;
            to.write_all(octets).ok()?;
            // Protocol discriminator, a call reference of two octets, the message type.
            if octets.windows(5).any(|w| matches!(w, [0x08, 0x02, _, _, 0x07])) {
                // Nobody may be waiting for it any more.
                let _ = connected.send(());
            }
        }
        None
    });
    Ok(())
}

#[test]
fn a_connected_call_outlives_its_signalling_connection_where_both_sides_want_it() -> Tested {
    for survives in [true, false] {
        let option: &[&str] = if survives { &["--survive-signalling-loss"] } else { &[] };
        let (mut answer, at) = answering(&[&["--echo", "--calls", "1"], option].concat())?;
        let between = TcpListener::bind("127.0.0.1:0")?;
        let through = between.local_addr()?.to_string();
        let mut call = Process::start(
            offhook()
                .args(["call", &through, "--tone", "440", "--null", "--duration", "3", "--json"])
                .args(option),
        )?;
        let (say, connected) = mpsc::channel();
        let join = || -> std::io::Result<_> {
            let (caller, _) = between.accept()?;
            let called = TcpStream::connect(&at)?;
            pass(&caller, &called, say.clone())?;
            pass(&called, &caller, say.clone())?;
            Ok((caller, called))
        };
        let (caller, called) = join()?;
        connected.recv_timeout(Duration::from_secs(20))?;
        thread::sleep(Duration::from_millis(500));
        for end in [&caller, &called] {
            end.shutdown(std::net::Shutdown::Both)?;
        }
        let again = if survives { Some(join()?) } else { None };
        let (said, status) = call.end(Duration::from_secs(20))?;
        let report: Value = serde_json::from_str(&said)?;
        assert_eq!(status, Some(0), "{report:#}");
        let seconds = report["seconds"].as_f64().ok_or_else(|| format!("{report:#}"))?;
        assert_eq!(seconds > 2.5, survives, "{report:#}");
        drop(again);
        answer.end(Duration::from_secs(10))?;
    }
    Ok(())
}
