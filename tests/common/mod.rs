//! What the tests of the command share: processes that end with the test, tools that may be missing.

#![allow(dead_code, reason = "each test file uses its part")]

use std::error::Error;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// What tests return.
pub(crate) type Tested = Result<(), Box<dyn Error>>;

/// Caller's speech.
pub(crate) const ALICE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/speech/alice.wav");
/// Callee's speech.
pub(crate) const BOB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/speech/bob.wav");

/// The command under test.
pub(crate) fn offhook() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
    command.stdin(Stdio::null());
    command
}

/// A tool that this test cannot do without. Missing it is said loudly, and in CI it is a failure.
pub(crate) fn tool(program: &str, argument: &str) -> Option<PathBuf> {
    let runs = Command::new(program).arg(argument).output().is_ok_and(|o| o.status.success());
    if runs {
        return Some(program.into());
    }
    assert!(std::env::var_os("CI").is_none(), "{program} is missing: CI must not skip");
    eprintln!("SKIPPED: {program} is not installed, so this test proves nothing here");
    None
}

/// The Python that has pycrate.
pub(crate) fn python() -> Option<PathBuf> {
    let venv = concat!(env!("CARGO_MANIFEST_DIR"), "/.venv/bin/python");
    let python = std::env::var("OFFHOOK_PYTHON").unwrap_or_else(|_| venv.to_owned());
    let has = Command::new(&python)
        .args(["-c", "import pycrate_asn1dir"])
        .output()
        .is_ok_and(|o| o.status.success());
    if has {
        return Some(python.into());
    }
    assert!(std::env::var_os("CI").is_none(), "{python} has no pycrate: CI must not skip");
    eprintln!("SKIPPED: {python} has no pycrate (make venv), so this test proves nothing here");
    None
}

/// A process that does not outlive the test.
pub(crate) struct Process {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Result<Self, Box<dyn Error>> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let out = BufReader::new(child.stdout.take().ok_or("no output")?);
        Ok(Self { child, out })
    }

    /// The next line of its output.
    pub(crate) fn line(&mut self) -> Result<String, Box<dyn Error>> {
        let mut line = String::new();
        if self.out.read_line(&mut line)? == 0 {
            return Err("the process said no more".into());
        }
        Ok(line)
    }

    /// The next line, which is JSON.
    pub(crate) fn json(&mut self) -> Result<Value, Box<dyn Error>> {
        let line = self.line()?;
        Ok(serde_json::from_str(&line).map_err(|e| format!("{e}: {line}"))?)
    }

    /// The rest of its output and its exit status, within `patience`.
    pub(crate) fn end(&mut self, patience: Duration) -> Result<(String, Option<i32>), Box<dyn Error>> {
        let began = Instant::now();
        while self.child.try_wait()?.is_none() {
            if began.elapsed() > patience {
                return Err("the process did not end in time".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let mut rest = String::new();
        self.out.read_to_string(&mut rest)?;
        Ok((rest, self.child.wait()?.code()))
    }

    /// Asks it to end, as Ctrl-C does.
    pub(crate) fn interrupt(&self) -> Tested {
        let status = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status()?;
        if status.success() { Ok(()) } else { Err("kill failed".into()) }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, as a rule.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `offhook answer` on a free port, and where that is.
pub(crate) fn answering(args: &[&str]) -> Result<(Process, String), Box<dyn Error>> {
    let mut process =
        Process::start(offhook().args(["answer", "--listen", "127.0.0.1:0", "--json"]).args(args))?;
    let said = process.json()?;
    let address = said["address"].as_str().ok_or("no address")?.to_owned();
    Ok((process, address))
}

/// Runs a command to its end, within half a minute, whatever it says meanwhile.
pub(crate) fn run(command: &mut Command) -> Result<Output, Box<dyn Error>> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stdout = drain(child.stdout.take().ok_or("no output")?);
    let stderr = drain(child.stderr.take().ok_or("no errors")?);
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if began.elapsed() > Duration::from_secs(30) {
            child.kill()?;
            return Err(format!("{command:?} did not end in time").into());
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let read = |pipe: JoinHandle<std::io::Result<Vec<u8>>>| pipe.join().map_err(|_| "a reader died");
    Ok(Output { status, stdout: read(stdout)??, stderr: read(stderr)?? })
}

/// Reads a pipe to its end, so that nobody waits for room in it.
fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<std::io::Result<Vec<u8>>> {
    std::thread::spawn(move || {
        let mut octets = Vec::new();
        pipe.read_to_end(&mut octets).map(|_| octets)
    })
}

/// What a command said on standard error.
pub(crate) fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The samples of a 16-bit mono WAV file.
pub(crate) fn samples(path: &Path) -> Result<Vec<i16>, Box<dyn Error>> {
    Ok(hound::WavReader::open(path)?.samples().collect::<Result<_, _>>()?)
}

/// tshark's fields of the packets that `filter` lets through, a line each.
pub(crate) fn tshark(capture: &Path, filter: &str, fields: &[&str]) -> Result<Vec<String>, Box<dyn Error>> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(capture).args(["-Y", filter, "-T", "fields"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.stderr(Stdio::null()).output()?;
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}
