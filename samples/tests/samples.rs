//! The samples talk to each other: `call` calls `answer`, then `record`, and what arrives is on disk; `app-pcm` calls
//! `answer` and, twice at once, `conference`.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const SPEECH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/speech/alice.wav");

/// Kills what is left of a sample when the test ends.
struct Running(Child, Option<BufReader<ChildStdout>>);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, as a rule.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a sample that answers and reads where it listens.
fn answering(program: &str, args: &[&str]) -> Result<(Running, String), Box<dyn Error>> {
    let mut child = Running(Command::new(program).args(args).stdout(Stdio::piped()).spawn()?, None);
    let mut line = String::new();
    // Kept open: a program whose output nobody reads any more dies of it.
    let out = child.1.insert(BufReader::new(child.0.stdout.take().ok_or("no output")?));
    out.read_line(&mut line)?;
    let at = line.trim().strip_prefix("listening on ").ok_or(format!("not listening: {line:?}"))?;
    Ok((child, at.to_owned()))
}

fn call(to: &str, record: &Path) -> Result<(), Box<dyn Error>> {
    let status = Command::new(env!("CARGO_BIN_EXE_call")).args([to, SPEECH]).arg(record).status()?;
    if status.success() { Ok(()) } else { Err(format!("call: {status}").into()) }
}

/// The greatest sample, and how many there are.
fn heard(path: &Path) -> Result<(u16, usize), Box<dyn Error>> {
    let samples: Vec<i16> = hound::WavReader::open(path)?.samples().collect::<Result<_, _>>()?;
    Ok((samples.iter().map(|s| s.unsigned_abs()).max().unwrap_or(0), samples.len()))
}

#[test]
fn call_hears_its_own_speech_from_answer() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let record = dir.path().join("echo.wav");
    let (_answer, at) = answering(env!("CARGO_BIN_EXE_answer"), &["127.0.0.1:0"])?;
    call(&at, &record)?;
    let (peak, samples) = heard(&record)?;
    assert!(peak > 3_000, "loud speech came back: peak {peak}");
    assert!(samples > 8_000, "{samples} samples");
    Ok(())
}

#[test]
fn record_keeps_what_the_caller_said_and_ends_when_he_hangs_up() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let (message, greeting) = (dir.path().join("message.wav"), dir.path().join("greeting.wav"));
    let machine = ["127.0.0.1:0", SPEECH, message.to_str().ok_or("path")?];
    let (mut record, at) = answering(env!("CARGO_BIN_EXE_record"), &machine)?;
    call(&at, &greeting)?;
    let began = Instant::now();
    while record.0.try_wait()?.is_none() {
        assert!(began.elapsed() < Duration::from_secs(10), "the machine ends with the call");
        std::thread::sleep(Duration::from_millis(20));
    }
    for file in [&message, &greeting] {
        let (peak, samples) = heard(file)?;
        assert!(peak > 3_000 && samples > 8_000, "{}: peak {peak}, {samples} samples", file.display());
    }
    Ok(())
}

/// What `app-pcm` says it heard: loud samples and their pitch.
fn pitch(to: &str, hz: &str) -> Result<(usize, f32), Box<dyn Error>> {
    let output = Command::new(env!("CARGO_BIN_EXE_app-pcm")).args([to, hz]).output()?;
    let said = String::from_utf8(output.stdout)?;
    let numbers: Vec<f32> = said.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
    match numbers[..] {
        [_, loud, pitch] if output.status.success() => Ok((loud as usize, pitch)),
        _ => Err(format!("{}: {said}{}", output.status, String::from_utf8_lossy(&output.stderr)).into()),
    }
}

#[test]
fn app_pcm_hears_its_own_samples_from_answer() -> Result<(), Box<dyn Error>> {
    let (_answer, at) = answering(env!("CARGO_BIN_EXE_answer"), &["127.0.0.1:0"])?;
    let (loud, pitch) = pitch(&at, "500")?;
    assert!(loud > 8_000 && (pitch - 500.0).abs() < 25.0, "{loud} loud samples at {pitch} Hz");
    Ok(())
}

#[test]
fn two_in_a_conference_hear_each_other_and_not_themselves() -> Result<(), Box<dyn Error>> {
    let (_conference, at) = answering(env!("CARGO_BIN_EXE_conference"), &["127.0.0.1:0"])?;
    let other = at.clone();
    let first = std::thread::spawn(move || pitch(&other, "400").map_err(|why| why.to_string()));
    let second = pitch(&at, "900")?;
    let first = first.join().map_err(|_| "a thread died")??;
    for ((loud, pitch), want) in [(first, 900.0), (second, 400.0)] {
        assert!(loud > 4_000 && (pitch - want).abs() < want / 10.0, "{loud} loud samples at {pitch} Hz");
    }
    Ok(())
}

#[test]
fn the_samples_stay_short_and_the_readme_shows_one_of_them() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for sample in ["call", "answer", "record", "conference", "app-pcm"] {
        let text = std::fs::read_to_string(root.join(format!("src/bin/{sample}.rs")))?;
        assert!(text.lines().count() <= 120, "{sample} is for copying: keep it short");
    }
    let sample = std::fs::read_to_string(root.join("src/bin/call.rs"))?;
    let program = sample.split_once("#[tokio::main]").ok_or("no main")?.1;
    let readme = std::fs::read_to_string(root.join("../README.md"))?;
    assert!(readme.contains(program.trim()), "the README's program is samples/src/bin/call.rs");
    Ok(())
}

/// The watcher has no line and no call: it sees those of another application.
#[tokio::test(flavor = "multi_thread")]
async fn hub_watch_sees_a_call_of_another_application() -> Result<(), Box<dyn Error>> {
    use offhook::tapisrv::{ProviderEntry, Providers, Tapisrv, TapisrvConfig};
    use offhook::{Attached, AttachedConfig, DisconnectCode, Event, EventFilter, MediaTypes, Privilege};

    let dir = tempfile::tempdir()?;
    let socket = dir.path().join("tapisrv.sock");
    let at = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let (kind, name) = ("h323".to_owned(), "line".to_owned());
    let mut line = ProviderEntry { kind, name, settings: Default::default() };
    line.settings.insert("listen".to_owned(), at.clone().into());
    let config =
        TapisrvConfig { socket: Some(socket.clone()), providers: vec![line], ..TapisrvConfig::default() };
    let broker = Tapisrv::start(config, &Providers::usual(), |_| {}).await?;
    let mut watch = Command::new(env!("CARGO_BIN_EXE_hub-watch"));
    let mut watch = Running(watch.arg(&socket).stdout(Stdio::piped()).spawn()?, None);
    let mut said = BufReader::new(watch.0.stdout.take().ok_or("no output")?);

    let phone = Attached::connect(AttachedConfig { socket, ..AttachedConfig::default() }).await?;
    let mut events = phone.tapi().events(EventFilter::CALL_NOTIFICATION);
    phone.address().open(Privilege::Owner, MediaTypes::AUDIO).await?;
    let placed = phone.address().create_call(&at, MediaTypes::AUDIO)?;
    placed.dial().await?;
    let Some(Event::CallNotification { call: offered, .. }) = events.next().await else {
        return Err("it is called".into());
    };
    offered.answer().await?;
    let until = move |what: &'static str, mut said: BufReader<ChildStdout>| {
        let mut line = String::new();
        while !line.contains(what) {
            line.clear();
            if said.read_line(&mut line)? == 0 {
                return Err(std::io::Error::other(format!("not told: {what}")));
            }
        }
        Ok(said)
    };
    said = tokio::task::spawn_blocking(move || until("├─", said)).await??;
    placed.disconnect(DisconnectCode::Normal).await?;
    tokio::task::spawn_blocking(move || until(" ends", said)).await??;
    drop(watch);
    phone.shutdown().await;
    broker.shutdown().await;
    Ok(())
}
