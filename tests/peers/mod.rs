//! Plays scenes with the scripted endpoints of pycrate_peer.py, many at once.
//! In: [`Scene`]s: what the far end does (scenarios.py), how the command is called, what has to come of it.
//! Out: failures, each with what both sides say. Not here: the scenes (`tests/peer.rs`).
//!
//! One Python process plays the far ends of all scenes of a test binary; it ends with its standard input, that is,
//! with the tests.

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{Process, Tested, errors, offhook, python, run, samples};

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/pycrate_peer.py");

/// Scenes at once: each is a process of ours that mostly waits, and a call of 600 ms of sound.
const AT_ONCE: usize = 10;

/// Longer than the far end waits for anything.
const PATIENCE: Duration = Duration::from_secs(40);

/// The tone that we send, in Hz.
const OUR_TONE: u32 = 700;

/// The tone that the far end sends.
const THEIR_TONE: u32 = 440;

/// What the far end does in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Call,
    Answer,
}

/// What has to come of a scene, beside its checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sound {
    /// Each side hears the other's tone.
    Both,
    /// We hear the far end, which hears nothing.
    Theirs,
    /// There is no call.
    None,
}

/// A call, and what is expected of it.
#[derive(Clone)]
pub(crate) struct Scene {
    name: &'static str,
    role: Role,
    ours: Vec<&'static str>,
    alias: &'static str,
    traced: bool,
    sound: Sound,
    enough: u64,
    /// One packet of so many may be lost.
    loss: i64,
    ended: &'static str,
    trouble: Option<&'static str>,
    exit: i32,
    check: fn(&Outcome),
}

/// The far end of this scenario calls us.
pub(crate) fn calls(name: &'static str) -> Scene {
    Scene {
        name,
        role: Role::Call,
        ours: Vec::new(),
        alias: "",
        traced: false,
        sound: Sound::Both,
        enough: 300,
        loss: 20,
        ended: "disconnected (normal)",
        trouble: None,
        exit: 0,
        check: |_| {},
    }
}

/// The far end of this scenario answers our call.
pub(crate) fn answers(name: &'static str) -> Scene {
    Scene { role: Role::Answer, ..calls(name) }
}

/// Both, one after the other.
pub(crate) fn both(name: &'static str) -> [Scene; 2] {
    [calls(name), answers(name)]
}

impl Scene {
    /// Options of our command.
    pub(crate) fn ours(mut self, options: &[&'static str]) -> Self {
        self.ours.extend(options);
        self
    }

    /// Whom we ask for: `alias@`.
    pub(crate) fn asking_for(self, alias: &'static str) -> Self {
        Self { alias, ..self }
    }

    /// Our command runs under strace, whose findings are in [`Outcome::system_calls`].
    pub(crate) fn traced(self) -> Self {
        Self { traced: true, ..self }
    }

    pub(crate) fn check(self, check: fn(&Outcome)) -> Self {
        Self { check, ..self }
    }

    /// How the call ends, in the report's words.
    pub(crate) fn ends(self, ended: &'static str) -> Self {
        Self { ended, ..self }
    }

    /// The report tells a trouble.
    pub(crate) fn in_trouble(self, trouble: &'static str) -> Self {
        Self { trouble: Some(trouble), ..self }
    }

    /// Each side hears the other for so many milliseconds.
    pub(crate) fn hears(self, ms: u64) -> Self {
        Self { enough: ms, ..self }
    }

    /// Packets may be lost: a thousand of them a second, or some that the far end leaves out.
    pub(crate) fn drops(self) -> Self {
        Self { loss: 1, ..self }
    }

    /// The far end hears nothing.
    pub(crate) fn one_way(self) -> Self {
        Self { sound: Sound::Theirs, ..self }
    }

    /// The call does not come about.
    pub(crate) fn fails(self, ended: &'static str) -> Self {
        // Who answers has nothing to complain about.
        let exit = if self.role == Role::Answer { 3 } else { 0 };
        Self { sound: Sound::None, ended, exit, ..self }
    }

    fn title(&self) -> String {
        format!("{} {:?} {}", self.name, self.role, self.ours.join(" "))
    }

    /// Plays it, for longer where the machine had no time for sound: a second and a third time if need be.
    fn run(&self, peers: &Peers) -> Result<(), Box<dyn Error>> {
        for packets in [30, 100, 300] {
            let outcome = self.play(peers, packets)?;
            if packets == 300 || self.is_heard(&outcome) {
                self.judge(&outcome);
                break;
            }
        }
        Ok(())
    }

    fn play(&self, peers: &Peers, packets: u32) -> Result<Outcome, Box<dyn Error>> {
        let dir = tempfile::tempdir()?;
        let trace = dir.path().join("strace");
        let mut command = if self.traced {
            let mut command = Command::new("strace");
            command.args(["-f", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg,openat", "-o"]);
            command.arg(&trace).arg(offhook().get_program()).stdin(Stdio::null());
            command
        } else {
            offhook()
        };
        let tone = OUR_TONE.to_string();
        let common = ["--json", "--tone", &tone, "--record"];
        let (peer, report, status, said) = match self.role {
            Role::Call => {
                command.args(["answer", "--listen", "127.0.0.1:0", "--calls", "1"]).args(common);
                let mut answer = Process::start(command.arg(dir.path()).args(&self.ours))?;
                let at = answer.json()?["address"].clone();
                let job = peers.begin(self, packets, at)?;
                let peer = job.verdict()?;
                let report = answer.json().map_err(|why| format!("{why}: {peer:#}"))?;
                let (said, status) = answer.end(PATIENCE)?;
                (peer, report, status, said)
            }
            Role::Answer => {
                let job = peers.begin(self, packets, Value::Null)?;
                let at = format!("{}{}", self.alias, job.address()?);
                command.args(["call", &at]).args(common).arg(dir.path().join("heard.wav")).args(&self.ours);
                let call = run(&mut command);
                let peer = job.verdict()?;
                let call = call.map_err(|why| format!("{why}: {peer:#}"))?;
                let report = serde_json::from_slice(&call.stdout).unwrap_or(Value::Null);
                (peer, report, call.status.code(), errors(&call))
            }
        };
        let recording = report["recorded"]["path"].as_str();
        let recording = recording.map_or_else(|| Ok(Vec::new()), |path| samples(Path::new(path)))?;
        let system_calls = if self.traced { std::fs::read_to_string(&trace)? } else { String::new() };
        let rate = report["recorded"]["sample_rate"].as_u64().and_then(|rate| u32::try_from(rate).ok());
        let heard_ms = lasts(&recording, rate.unwrap_or(8_000), THEIR_TONE);
        Ok(Outcome { role: self.role, peer, report, status, said, heard_ms, system_calls })
    }

    /// Whether each side has heard the other as it should: after a pause it may have been another codec.
    fn is_heard(&self, outcome: &Outcome) -> bool {
        let codecs: Vec<_> = outcome.peer["heard_ms"].as_object().into_iter().flatten().collect();
        let ms: u64 = codecs.iter().filter_map(|(_, ms)| ms.as_u64()).sum();
        let sent = &outcome.report["codec_sent"];
        match self.sound {
            Sound::Both => {
                let known = codecs.iter().any(|(codec, _)| *sent == in_rtp(codec));
                known && ms >= self.enough && outcome.heard_ms >= self.enough
            }
            Sound::Theirs => codecs.is_empty() && sent.is_null() && outcome.heard_ms >= self.enough,
            Sound::None => codecs.is_empty() && outcome.heard_ms == 0,
        }
    }

    fn judge(&self, outcome: &Outcome) {
        let Outcome { peer, report, .. } = outcome;
        assert_eq!(peer["errors"], json!([]), "{outcome}");
        assert_eq!(outcome.status, Some(self.exit), "{outcome}");
        assert_eq!(report["ended"], self.ended, "{outcome}");
        let troubles: Vec<_> = self.trouble.into_iter().collect();
        assert_eq!(report["troubles"], json!(troubles), "{outcome}");
        let connected = self.sound != Sound::None;
        assert_eq!(report["connected"], connected, "{outcome}");
        assert_eq!(peer["connected"], connected, "{outcome}");
        assert!(self.is_heard(outcome), "{} ms heard: {outcome}", outcome.heard_ms);
        if self.sound == Sound::Both {
            // What comes while a channel closes, or while the machine is busy elsewhere.
            let lost = report["received"]["lost"].as_i64().unwrap_or(i64::MAX);
            assert!(lost <= outcome.received() / self.loss, "{outcome}");
        }
        (self.check)(outcome);
    }
}

/// What both sides say of a call.
pub(crate) struct Outcome {
    pub(crate) role: Role,
    /// The far end's verdict.
    pub(crate) peer: Value,
    /// Our report.
    pub(crate) report: Value,
    /// Our exit status.
    status: Option<i32>,
    said: String,
    /// For how long the far end's tone is in our recording.
    pub(crate) heard_ms: u64,
    /// What strace found.
    pub(crate) system_calls: String,
}

impl Outcome {
    /// Where an entry stands first in the far end's log: "< connect" came to it, "> request.roundTripDelayRequest" left.
    pub(crate) fn place(&self, entry: &str) -> Option<usize> {
        self.peer["log"].as_array()?.iter().position(|logged| logged == entry)
    }

    pub(crate) fn count(&self, entry: &str) -> usize {
        self.peer["log"].as_array().map_or(0, |log| log.iter().filter(|logged| *logged == entry).count())
    }

    /// Packets that came to us.
    pub(crate) fn received(&self) -> i64 {
        self.report["received"]["packets"].as_i64().unwrap_or(0)
    }

    /// Something that the scenario noted.
    pub(crate) fn fact(&self, name: &str) -> &Value {
        &self.peer["facts"][name]
    }

    /// Digits that came to the far end by signalling, if by one way only: the way, the digits.
    pub(crate) fn digits(&self) -> Option<(&str, String)> {
        let digits = self.peer["digits"].as_array()?;
        let way = digits.first()?[0].as_str()?;
        let keys: Option<String> =
            digits.iter().map(|digit| digit[1].as_str().filter(|_| digit[0] == way)).collect();
        Some((way, keys?))
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\n{}\n{:#}\n{:#}", self.status, self.said, self.report, self.peer)
    }
}

/// H.245's name of a codec as RTP's.
fn in_rtp(codec: &str) -> &'static str {
    match codec {
        "g711Ulaw64k" => "PCMU",
        "g711Alaw64k" => "PCMA",
        _ => "unknown",
    }
}

/// For how many milliseconds a recording is a tone of `hz` and little else, by pieces of 50 ms (Goertzel).
fn lasts(recording: &[i16], rate: u32, hz: u32) -> u64 {
    let turn = std::f64::consts::TAU * f64::from(hz) / f64::from(rate);
    let is_tone = |piece: &&[i16]| {
        let (mut re, mut im, mut energy) = (0.0, 0.0, 0.0);
        for (n, sample) in piece.iter().enumerate() {
            let (sample, phase) = (f64::from(*sample), turn * n as f64);
            re += sample * phase.cos();
            im += sample * phase.sin();
            energy += sample * sample;
        }
        let length = piece.len() as f64;
        energy > length * 300.0 * 300.0 && 2.0 * (re * re + im * im) > 0.8 * length * energy
    };
    50 * recording.chunks_exact((rate / 20).max(1) as usize).filter(is_tone).count() as u64
}

/// Plays scenes, as many at once as is good, and says which failed.
pub(crate) fn play(scenes: impl IntoIterator<Item = Scene>) -> Tested {
    let Some(peers) = Peers::get()? else { return Ok(()) };
    let scenes: Vec<Scene> = scenes.into_iter().collect();
    let failed: Vec<String> = std::thread::scope(|scope| {
        let playing: Vec<_> = scenes
            .iter()
            .map(|scene| {
                scope.spawn(move || {
                    let _turn = peers.turns.take();
                    scene.run(peers).map_err(|why| why.to_string())
                })
            })
            .collect();
        let ended = scenes.iter().zip(playing).map(|(scene, playing)| (scene, playing.join()));
        ended
            .filter_map(|(scene, ended)| match ended {
                Ok(Ok(())) => None,
                Ok(Err(why)) => Some(format!("{}: {why}", scene.title())),
                Err(_) => Some(format!("{}: panicked, see above", scene.title())),
            })
            .collect()
    });
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n").into()) }
}

/// The far ends.
struct Peers {
    jobs: Mutex<ChildStdin>,
    answers: Arc<Mutex<HashMap<u64, Sender<Value>>>>,
    next: AtomicU64,
    turns: Turns,
}

/// One scene's far end.
struct Job(Receiver<Value>);

impl Peers {
    /// The process, started at first need; `None` says that the machine has no pycrate.
    fn get() -> Result<Option<&'static Self>, String> {
        static PEERS: OnceLock<Result<Option<Peers>, String>> = OnceLock::new();
        let peers = PEERS.get_or_init(|| python().map(|python| Self::start(&python)).transpose());
        peers.as_ref().map(Option::as_ref).map_err(Clone::clone)
    }

    fn start(python: &Path) -> Result<Self, String> {
        let mut command = Command::new(python);
        command.arg("-B").arg(PEER).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|why| format!("{}: {why}", python.display()))?;
        let jobs = child.stdin.take().ok_or("no standard input")?;
        let out = child.stdout.take().ok_or("no standard output")?;
        let answers: Arc<Mutex<HashMap<u64, Sender<Value>>>> = Arc::default();
        let waiting = answers.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let answer: Value = serde_json::from_str(&line).unwrap_or_default();
                let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(job) = answer["id"].as_u64().and_then(|id| waiting.get(&id)) {
                    // Who does not wait any more has failed already.
                    let _ = job.send(answer);
                }
            }
            // Nobody is left to answer: whoever waits is told by his channel.
            waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
            let _ = child.wait();
        });
        Ok(Self { jobs: Mutex::new(jobs), answers, next: AtomicU64::new(1), turns: Turns::default() })
    }

    fn begin(&self, scene: &Scene, packets: u32, to: Value) -> Result<Job, Box<dyn Error>> {
        let id = self.next.fetch_add(1, Relaxed);
        let role = if scene.role == Role::Call { "call" } else { "answer" };
        let mut job = json!({
            "id": id, "scenario": scene.name, "role": role, "listen_for": OUR_TONE, "packets": packets,
        });
        if to != Value::Null {
            job["to"] = to;
        }
        let (sender, receiver) = channel();
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.write_all(format!("{job}\n").as_bytes())?;
        Ok(Job(receiver))
    }
}

impl Job {
    /// Where the far end listens.
    fn address(&self) -> Result<String, Box<dyn Error>> {
        let answer = self.0.recv_timeout(PATIENCE)?;
        Ok(answer["address"].as_str().ok_or_else(|| format!("{answer:#}"))?.to_owned())
    }

    fn verdict(&self) -> Result<Value, Box<dyn Error>> {
        let answer = self.0.recv_timeout(PATIENCE)?;
        Ok(answer["verdict"].clone())
    }
}

/// So many scenes at once, whatever test they belong to.
#[derive(Default)]
struct Turns {
    taken: Mutex<usize>,
    given_back: Condvar,
}

struct Turn<'a>(&'a Turns);

impl Turns {
    fn take(&self) -> Turn<'_> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.given_back.wait_while(taken, |taken| *taken >= AT_ONCE);
        *waited.unwrap_or_else(PoisonError::into_inner) += 1;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.given_back.notify_one();
    }
}
