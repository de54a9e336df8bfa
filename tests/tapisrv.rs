//! The broker as a process of its own: calls over its socket, clients and brokers that are killed, what the command says.

mod common;

use std::error::Error;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Process, Tested, offhook, run};
use offhook::{
    AddressEvent, Attached, AttachedConfig, Call, CallState, Direction, Event, EventFilter, EventStream,
    LineError, MediaTypes, MspCallEvent, Privilege, TapiError, TerminalClass,
};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// A port that was free a moment ago.
fn free_port() -> Result<u16, Box<dyn Error>> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// `offhook tapisrv` with one H.323 line.
struct Served {
    process: Process,
    socket: PathBuf,
    line: String,
    dir: tempfile::TempDir,
}

impl Served {
    fn start() -> Result<Self, Box<dyn Error>> {
        let dir = tempfile::tempdir()?;
        let socket = dir.path().join("tapisrv.sock");
        let line = format!("127.0.0.1:{}", free_port()?);
        let process = serve(&socket, &line)?;
        Ok(Self { process, socket, line, dir })
    }

    async fn client(&self, name: &str) -> Result<Attached, Box<dyn Error>> {
        let (application, socket) = (name.to_owned(), self.socket.clone());
        Ok(Attached::connect(AttachedConfig { application, socket, ..AttachedConfig::default() }).await?)
    }

    fn kill(&mut self) -> Tested {
        kill(self.process.id())
    }
}

fn serve(socket: &Path, line: &str) -> Result<Process, Box<dyn Error>> {
    let mut process =
        Process::start(offhook().args(["tapisrv", "--json", "--listen", line, "--socket"]).arg(socket))?;
    until(&mut process, |said| said["event"] == "listening")?;
    Ok(process)
}

/// As `kill -9` does.
fn kill(process: u32) -> Tested {
    let status = Command::new("kill").args(["-KILL", &process.to_string()]).status()?;
    if status.success() { Ok(()) } else { Err("kill failed".into()) }
}

/// Lines of JSON until one fits, and it.
fn until(process: &mut Process, fits: impl Fn(&Value) -> bool) -> Result<Value, Box<dyn Error>> {
    loop {
        let said = process.json()?;
        if fits(&said) {
            return Ok(said);
        }
    }
}

/// An answering telephone with everything in its process; where it is.
fn answering(calls: &str) -> Result<(Process, String), Box<dyn Error>> {
    let args = ["answer", "--json", "--null", "--tone", "440", "--listen", "127.0.0.1:0", "--calls", calls];
    let mut process = Process::start(&mut offhook_with(&args))?;
    let said = until(&mut process, |said| said["event"] == "listening")?;
    let at = said["address"].as_str().ok_or("no address")?.to_owned();
    Ok((process, at))
}

fn offhook_with(args: &[&str]) -> Command {
    let mut command = offhook();
    command.args(args);
    command
}

#[test]
fn calls_both_ways_over_the_socket_carry_sound() -> Tested {
    let served = Served::start()?;
    let (mut callee, at) = answering("1")?;
    let out = run(offhook_with(&[
        "call",
        &at,
        "--json",
        "--null",
        "--tone",
        "440",
        "--duration",
        "1",
        "--socket",
    ])
    .arg(&served.socket))?;
    let report: Value = serde_json::from_slice(&out.stdout)?;
    assert_eq!(out.status.code(), Some(0), "{report}");
    assert_eq!(report["connected"], true, "{report}");
    let (said, code) = callee.end(PATIENCE)?;
    assert_eq!(code, Some(0), "{said}");

    let mut callee = Process::start(
        offhook_with(&["answer", "--json", "--null", "--tone", "440", "--calls", "1", "--socket"])
            .arg(&served.socket),
    )?;
    let said = until(&mut callee, |said| said["event"] == "listening")?;
    assert!(said["address"].as_str().is_some_and(|line| line.contains(&served.line)), "{said}");
    let out = run(&mut offhook_with(&[
        "call",
        &served.line,
        "--json",
        "--null",
        "--tone",
        "440",
        "--duration",
        "1",
    ]))?;
    let report: Value = serde_json::from_slice(&out.stdout)?;
    assert_eq!((out.status.code(), &report["connected"]), (Some(0), &Value::Bool(true)), "{report}");
    let report = until(&mut callee, |said| said["event"] == "call")?;
    assert_eq!(report["connected"], true, "{report}");
    assert_eq!(callee.end(PATIENCE)?.1, Some(0));
    Ok(())
}

#[test]
fn what_is_wrong_is_said_and_what_is_not_there_is_named() -> Tested {
    let nowhere = run(&mut offhook_with(&["call", "192.0.2.1", "--socket", "/no/such/socket"]))?;
    assert_eq!(nowhere.status.code(), Some(1));
    let said = String::from_utf8_lossy(&nowhere.stderr);
    assert!(said.contains("no broker at /no/such/socket"), "{said}");
    let both = run(&mut offhook_with(&["call", "192.0.2.1", "--socket", "/x", "--no-tunnel"]))?;
    assert_eq!(both.status.code(), Some(2), "signalling is the broker's");

    let mut served = Served::start()?;
    let again = run(offhook_with(&["tapisrv", "--no-h323", "--config"]).arg("x"))?;
    assert_eq!(again.status.code(), Some(2));
    let none = run(&mut offhook_with(&["tapisrv", "--no-h323"]))?;
    assert!(String::from_utf8_lossy(&none.stderr).contains("no provider"));
    let taken = run(offhook_with(&["tapisrv", "--listen", "127.0.0.1:0", "--socket"]).arg(&served.socket))?;
    assert_eq!(taken.status.code(), Some(1));
    let said = String::from_utf8_lossy(&taken.stderr);
    assert!(said.contains("another broker serves there"), "{said}");
    let line =
        run(offhook_with(&["call", "192.0.2.1", "--line", "7", "--null", "--socket"]).arg(&served.socket))?;
    let said = String::from_utf8_lossy(&line.stderr);
    assert!(said.contains("no such line at the broker, which has: 0 "), "{said}");

    let file = served.dir.path().join("tapisrv.toml");
    std::fs::write(
        &file,
        "[[provider]]\nkind = 'h323'\nlisten = '127.0.0.1:0'\n[provider.timer]\nt301 = 30\n",
    )?;
    let sound = run(offhook_with(&["tapisrv", "--check", "--config"]).arg(&file))?;
    assert_eq!(String::from_utf8_lossy(&sound.stdout), "sound: 1 provider\n", "{sound:?}");
    std::fs::write(
        &file,
        "[[provider]]\nkind = 'h323'\nlisten = '127.0.0.1:0'\n[provider.timer]\nt999 = 30\n",
    )?;
    let unsound = run(offhook_with(&["tapisrv", "--check", "--config"]).arg(&file))?;
    assert_eq!(unsound.status.code(), Some(1));
    let said = String::from_utf8_lossy(&unsound.stderr);
    assert!(said.contains("provider \"h323-1\": timer.t999"), "{said}");

    served.process.interrupt()?;
    let (said, code) = served.process.end(PATIENCE)?;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(r#""event":"ended""#), "{said}");
    assert!(!served.socket.exists(), "the socket is removed");
    Ok(())
}

/// A call of this process that streams, and its events.
async fn streaming(phone: &Attached, to: &str) -> Result<(Call, EventStream), Box<dyn Error>> {
    let address = phone.address();
    address.open(Privilege::None, MediaTypes::AUDIO).await?;
    let events = phone.tapi().events(EventFilter::ALL);
    let call = address.create_call(to, MediaTypes::AUDIO)?;
    for stream in call.streams()? {
        let class = match stream.direction() {
            Direction::Capture => TerminalClass::Tone { frequency: 440.0, level: -20.0 },
            Direction::Render => TerminalClass::Null,
        };
        stream.select_terminal(&address.create_terminal(class, stream.direction())?)?;
    }
    call.connect().await?;
    Ok((call, events))
}

fn describe(event: &Event) -> String {
    match event {
        Event::CallState { state, cause, line_state, .. } => format!("{state:?} {cause:?} {line_state:?}"),
        Event::CallMedia { event, cause, stream, .. } => {
            format!("{event:?} {cause:?} {:?}", stream.as_ref().map(offhook::Stream::direction))
        }
        Event::CallInfoChange { change, .. } => format!("{change:?}"),
        Event::Address { event: AddressEvent::Service(state), .. } => format!("{state:?}"),
        other => format!("{other:?}").split(['{', '(', ' ']).next().unwrap_or_default().to_owned(),
    }
}

/// What the witness of a call is told while another client has one, which is killed or ends as it should.
async fn witnessed(killed: bool) -> Result<Vec<String>, Box<dyn Error>> {
    let served = Served::start()?;
    let (_callee, at) = answering("1")?;
    let (mut other, other_at) = answering("1")?;
    let witness = served.client("witness").await?;
    let (call, mut events) = streaming(&witness, &at).await?;
    // The far end's first packet comes when it comes: the log begins with both streams.
    let mut active = 0;
    while active < 2 {
        let event = tokio::time::timeout(PATIENCE, events.next()).await?.ok_or("the session ended")?;
        active += u32::from(matches!(event, Event::CallMedia { event: MspCallEvent::StreamActive, .. }));
    }
    let mut victim = Process::start(
        offhook_with(&["call", &other_at, "--json", "--null", "--tone", "300", "--live", "--socket"])
            .arg(&served.socket)
            .stderr(Stdio::null()),
    )?;
    // Mid-call: the far end hears it.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(victim.is_running());
    if killed {
        kill(victim.id())?;
    } else {
        victim.interrupt()?;
    }
    // Its own call is dropped: the far end is told so, and ends.
    let report = tokio::task::spawn_blocking(move || {
        until(&mut other, |said| said["event"] == "call").map_err(|why| why.to_string())
    })
    .await??;
    assert_eq!(report["connected"], true, "{report}");
    drop(victim);
    let streams = call.streams()?;
    let capture =
        streams.iter().find(|stream| stream.direction() == Direction::Capture).ok_or("no stream")?;
    let sent = || capture.statistics().map(|statistics| statistics.packets);
    let before = sent()?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(sent()? > before, "the witness's sound goes on");
    call.disconnect(offhook::DisconnectCode::Normal).await?;
    call.release().await;
    let mut told = Vec::new();
    while let Some(event) = events.try_next() {
        told.push(describe(&event));
    }
    witness.shutdown().await;
    Ok(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_killed_leaves_the_others_logs_as_they_would_be() -> Tested {
    let (with, without) = (witnessed(true).await?, witnessed(false).await?);
    assert_eq!(with, without);
    assert_eq!(with.iter().filter(|line| line.starts_with("StreamInactive")).count(), 2, "{with:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_broker_is_killed_clients_are_told_rtp_stops_and_a_new_broker_takes_over() -> Tested {
    let mut served = Served::start()?;
    let (_callee, at) = answering("1")?;
    let client = served.client("client").await?;
    let (call, mut events) = streaming(&client, &at).await?;
    let capture =
        call.streams()?.into_iter().find(|s| s.direction() == Direction::Capture).ok_or("no stream")?;
    let moving = Instant::now();
    while capture.statistics()?.packets < 20 {
        assert!(moving.elapsed() < PATIENCE, "no sound is sent");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    served.kill()?;
    let (mut disconnected, mut closed) = (false, false);
    let telling = async {
        while !(disconnected && closed) {
            match events.next().await.ok_or("the session ended")? {
                Event::CallState { state: CallState::Disconnected, .. } => disconnected = true,
                Event::Address { event: AddressEvent::Closed(why), .. } => {
                    assert_eq!(why, LineError::NoDriver);
                    closed = true;
                }
                _ => {}
            }
        }
        Ok::<_, Box<dyn Error>>(())
    };
    tokio::time::timeout(PATIENCE, telling).await??;
    // A packet may have been on its way out. From then on: nothing, within seconds.
    let still = Instant::now();
    let mut sent = (capture.statistics()?.packets, Instant::now());
    while sent.1.elapsed() < Duration::from_secs(1) {
        assert!(still.elapsed() < Duration::from_secs(10), "RTP goes on");
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = capture.statistics()?.packets;
        if now != sent.0 {
            sent = (now, Instant::now());
        }
    }
    assert!(matches!(client.tapi().addresses().await, Err(TapiError::BrokerGone)));
    call.release().await;
    client.shutdown().await;

    // Its socket is stale; the next broker replaces it, and clients come by new sessions.
    let _again = serve(&served.socket, &served.line)?;
    let client = served.client("client").await?;
    let (_callee, at) = answering("1")?;
    let (call, _events) = streaming(&client, &at).await?;
    assert_eq!(call.state(), CallState::Connected);
    call.release().await;
    client.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_ends_in_good_order_says_so_and_drops_its_calls() -> Tested {
    let mut served = Served::start()?;
    let (mut callee, at) = answering("1")?;
    let client = served.client("client").await?;
    let (_call, mut events) = streaming(&client, &at).await?;
    served.process.interrupt()?;
    let told = async {
        loop {
            match events.next().await {
                Some(Event::Address { event: AddressEvent::Closed(why), .. }) => return Some(why),
                Some(_) => {}
                None => return None,
            }
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, told).await?, Some(LineError::NoDriver));
    let report = until(&mut callee, |said| said["event"] == "call")?;
    assert_eq!(report["connected"], true, "{report}");
    let (said, code) = served.process.end(PATIENCE)?;
    assert_eq!(code, Some(0), "{said}");
    Ok(())
}
