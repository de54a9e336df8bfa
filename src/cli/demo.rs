//! `offhook demo`: a real call between two processes on this machine, measured from both ends.
//!
//! ```text
//! this process ─ starts ─▶ offhook answer (bob's speech, records alice)
//!              ─ starts ─▶ offhook call   (alice's speech, records bob; live line, capture)
//!              ◀─ both reports, both recordings ─ delays by correlation ─▶ report
//! ```

use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use offhook::measure::{MouthToEar, Track, mouth_to_ear};
use serde::Serialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::args::DemoArgs;
use super::call::Interrupt;
use super::codecs;
use super::report::{CallReport, FileReport};
use super::{Failure, Outcome, say};

/// Synthetic speech, part of the program so that the demo needs no files.
const SPEECH: [(&str, &[u8]); 2] = [
    ("alice-says.wav", include_bytes!("../../samples/speech/alice.wav")),
    ("bob-says.wav", include_bytes!("../../samples/speech/bob.wav")),
];

/// What the demo found.
#[derive(Debug, Serialize)]
struct DemoReport {
    /// The calling end.
    caller: CallReport,
    /// The answering end.
    callee: CallReport,
    /// From the caller's mouth to the callee's ear.
    caller_to_callee: Delay,
    /// From the callee's mouth to the caller's ear.
    callee_to_caller: Delay,
}

/// A measured delay, or why there is none.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Delay {
    /// Sound arrived.
    Measured {
        /// Milliseconds.
        mouth_to_ear_ms: f64,
        /// 0 to 1.
        correlation: f64,
    },
    /// It did not.
    Failed {
        /// For people.
        why: String,
    },
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Measured { mouth_to_ear_ms, correlation } => {
                write!(f, "{mouth_to_ear_ms:.1} ms (correlation {correlation:.3})")
            }
            Self::Failed { why } => write!(f, "no sound: {why}"),
        }
    }
}

pub(super) async fn run(args: DemoArgs) -> Result<Outcome, Failure> {
    let mut interrupt = Interrupt::new();
    tokio::select! {
        outcome = both_ends(args) => outcome,
        // Leaving drops both ends' processes, which ends them.
        () = interrupt.wait() => Ok(Outcome::Interrupted),
    }
}

async fn both_ends(args: DemoArgs) -> Result<Outcome, Failure> {
    let out = &args.out;
    let at = |name: &str| out.join(name);
    std::fs::create_dir_all(out).map_err(|why| Failure(format!("{}: {why}", out.display())))?;
    for (name, octets) in SPEECH {
        std::fs::write(at(name), octets).map_err(|why| Failure(format!("{}: {why}", at(name).display())))?;
    }
    let codecs = args.codec.iter().map(|codec| codecs::name(*codec)).collect::<Vec<_>>().join(",");
    let program = std::env::current_exe().map_err(Failure::new)?;
    let mut bob = start(
        Command::new(&program)
            .args(["answer", "--listen", "127.0.0.1:0", "--calls", "1", "--ring-ms", "100", "--json"])
            .args(["--display", "Bob", "--alias", "bob", "--codec", &codecs])
            .args(start_modes(&args))
            .arg("--play")
            .arg(at("bob-says.wav"))
            .arg("--record")
            .arg(at("heard-by-bob")),
    )?;
    let mut said = stdout(&mut bob)?;
    let listening = json_line(&mut said).await?;
    let address =
        listening["address"].as_str().ok_or_else(|| Failure::new("the answering end does not listen"))?;
    if !args.json {
        let process = bob.id().unwrap_or_default();
        say(format_args!("bob answers on {address} (process {process}); alice calls him\n"))?;
    }
    let mut alice = start(
        Command::new(&program)
            .args(["call", &format!("bob@{address}"), "--display", "Alice", "--alias", "alice", "--json"])
            .args(["--codec", &codecs, "--duration", &args.duration.as_secs_f64().to_string()])
            .args(start_modes(&args))
            .args(if args.json { &[][..] } else { &["--live"][..] })
            .arg("--play")
            .arg(at("alice-says.wav"))
            .arg("--record")
            .arg(at("heard-by-alice.wav"))
            .arg("--capture")
            .arg(at("call.pcap")),
    )?;
    let mut words = String::new();
    stdout(&mut alice)?.read_to_string(&mut words).await.map_err(Failure::new)?;
    let status = alice.wait().await.map_err(Failure::new)?;
    let caller = report(words.trim()).map_err(|why| Failure(format!("the calling end ({status}): {why}")))?;
    let ended = timeout(Duration::from_secs(5), json_line(&mut said)).await;
    let callee = ended.map_err(|_| Failure::new("the answering end did not report"))??;
    let callee = report(&callee.to_string()).map_err(Failure)?;
    timeout(Duration::from_secs(5), bob.wait())
        .await
        .map_err(|_| Failure::new("the answering end did not stop"))?
        .map_err(Failure::new)?;
    conclude(&args, caller, callee)
}

fn conclude(args: &DemoArgs, caller: CallReport, callee: CallReport) -> Result<Outcome, Failure> {
    let found = DemoReport {
        caller_to_callee: delay(caller.played.as_ref(), callee.recorded.as_ref()),
        callee_to_caller: delay(callee.played.as_ref(), caller.recorded.as_ref()),
        caller,
        callee,
    };
    let path = args.out.join("report.json");
    let text = serde_json::to_string_pretty(&found).map_err(Failure::new)?;
    std::fs::write(&path, text.clone() + "\n")
        .map_err(|why| Failure(format!("{}: {why}", path.display())))?;
    if args.json {
        say(format_args!("{text}\n"))?;
    } else {
        let (there, back) = (&found.caller_to_callee, &found.callee_to_caller);
        say(format_args!("\n{}\n{}\nmouth to ear\n", found.caller, found.callee))?;
        say(format_args!("  alice → bob      {there}\n  bob → alice      {back}\n"))?;
        say(format_args!("\nreport           {}\n", path.display()))?;
    }
    let arrived = |delay: &Delay| matches!(delay, Delay::Measured { .. });
    Ok(match (found.caller.connected, arrived(&found.caller_to_callee) && arrived(&found.callee_to_caller)) {
        (false, _) => Outcome::NoCall,
        (true, false) => Outcome::NoSound,
        (true, true) => Outcome::Done,
    })
}

fn start_modes(args: &DemoArgs) -> Vec<&'static str> {
    let mut modes = Vec::new();
    if args.no_fast_start {
        modes.push("--no-fast-start");
    }
    if args.no_tunnel {
        modes.push("--no-tunnel");
    }
    modes
}

fn start(command: &mut Command) -> Result<Child, Failure> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command.spawn().map_err(|why| Failure(format!("cannot start the other end: {why}")))
}

fn stdout(child: &mut Child) -> Result<BufReader<ChildStdout>, Failure> {
    child.stdout.take().map(BufReader::new).ok_or_else(|| Failure::new("the other end has no output"))
}

async fn json_line(said: &mut BufReader<ChildStdout>) -> Result<Value, Failure> {
    let mut line = String::new();
    match said.read_line(&mut line).await {
        Ok(0) => Err(Failure::new("the answering end stopped")),
        Ok(_) => serde_json::from_str(&line).map_err(|why| Failure(format!("{why} in {line:?}"))),
        Err(why) => Err(Failure::new(why)),
    }
}

fn report(text: &str) -> Result<CallReport, String> {
    serde_json::from_str(text).map_err(|why| format!("no report ({why})"))
}

fn delay(played: Option<&FileReport>, recorded: Option<&FileReport>) -> Delay {
    let track = |file: Option<&FileReport>, what: &str| {
        let file = file.ok_or_else(|| format!("nothing was {what}"))?;
        let first = file.first_sample_ns.ok_or_else(|| format!("nothing was {what}"))?;
        Track::read(&file.path, first)
    };
    let measured = track(played, "played")
        .and_then(|played| Ok((played, track(recorded, "recorded")?)))
        .and_then(|(played, recorded)| mouth_to_ear(&played, &recorded));
    match measured {
        Ok(MouthToEar { delay_ms, correlation }) => {
            Delay::Measured { mouth_to_ear_ms: delay_ms, correlation }
        }
        Err(why) => Delay::Failed { why },
    }
}
