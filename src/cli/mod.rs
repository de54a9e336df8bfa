//! The command line: what is asked (`args`), each command in a file, what is said back (`report`, `live`).
//!
//! Exit status: 0 done; 1 something local failed (a file, a port, a device); 2 wrong usage; 3 the call did not come
//! about; 4 it did, and no sound arrived; 5 a criterion of `load --fail-if` is met; 130 interrupted before it came about.

mod answer;
mod args;
mod call;
mod codecs;
mod conformance;
mod demo;
mod devices;
mod digits;
mod gatekeeper;
mod hold;
mod hubs;
mod latency;
mod leg;
mod live;
mod load;
mod modem;
mod pdu;
mod phone;
mod playout;
mod register;
mod report;
mod tapisrv;
mod values;

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing_subscriber::EnvFilter;

use self::args::{Cli, Command};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All went well.
    Done,
    /// The call did not come about.
    NoCall,
    /// The call came about and no sound arrived.
    NoSound,
    /// Interrupted before the call came about.
    Interrupted,
    /// A criterion that was named for failure is met.
    Criterion,
}

impl Outcome {
    fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::NoCall => 3,
            Self::NoSound => 4,
            Self::Interrupted => 130,
            Self::Criterion => 5,
        }
    }
}

/// Something local failed; the text is the message.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(pub(crate) String);

impl Failure {
    pub(crate) fn new(what: impl ToString) -> Self {
        Self(what.to_string())
    }
}

/// Writes to standard output at once. A reader that has gone is no failure: nobody is left to tell.
pub(crate) fn say(text: impl fmt::Display) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match write!(out, "{}", harmless(&text.to_string())).and_then(|()| out.flush()) {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure(format!("standard output: {why}")))
        }
        _ => Ok(()),
    }
}

/// Text of the far end cannot steer the terminal that shows it: what could is written as JSON would escape it, which
/// leaves JSON what it was.
pub(crate) fn harmless(text: &str) -> String {
    let steers = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().fold(String::with_capacity(text.len()), |mut safe, c| {
        if steers(c) {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
        safe
    })
}

/// Runs the command that the arguments name.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    start_log(cli.verbose);
    raise_limits();
    match execute(cli.command) {
        Ok(outcome) => ExitCode::from(outcome.code()),
        Err(Failure(why)) => {
            eprintln!("offhook: {}", harmless(&why));
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> Result<Outcome, Failure> {
    match command {
        Command::Call(args) => on_runtime(call::run(args)),
        Command::Answer(args) => on_runtime(answer::run(args)),
        Command::Register(args) => on_runtime(register::run(args)),
        Command::Tapisrv(args) => on_runtime(tapisrv::run(*args)),
        Command::Hubs(args) => on_runtime(hubs::run(args)),
        Command::Gatekeeper(args) => on_runtime(gatekeeper::run(args)),
        Command::Latency(args) => on_runtime(latency::run(args)),
        Command::Load(args) => on_runtime(load::run(args)),
        Command::Modem(args) => on_runtime(modem::run(args)),
        Command::Playout(args) => playout::run(&args),
        Command::Demo(args) => on_runtime(demo::run(args)),
        Command::Devices(args) => devices::run(&args),
        Command::Codecs(args) => codecs::run(&args),
        Command::Conformance(args) => conformance::run(&args),
        Command::Pdu(args) => pdu::run(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "offhook", &mut script);
            say(String::from_utf8_lossy(&script))?;
            Ok(Outcome::Done)
        }
        Command::Man { out } => man(out.as_deref()),
    }
}

fn on_runtime(work: impl Future<Output = Result<Outcome, Failure>>) -> Result<Outcome, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|why| Failure(format!("cannot start: {why}")))?;
    runtime.block_on(work)
}

/// Writes the man pages: one to standard output, or all into a directory.
fn man(out: Option<&std::path::Path>) -> Result<Outcome, Failure> {
    let command = Cli::command();
    match out {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page).map_err(Failure::new)?;
            say(String::from_utf8_lossy(&page))?;
        }
        Some(dir) => {
            std::fs::create_dir_all(dir).map_err(|why| Failure(format!("{}: {why}", dir.display())))?;
            clap_mangen::generate_to(command, dir)
                .map_err(|why| Failure(format!("{}: {why}", dir.display())))?;
        }
    }
    Ok(Outcome::Done)
}

/// A call takes a handful of sockets: as many as the system permits at all, where it first grants fewer.
fn raise_limits() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
    {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// Logs go to standard error: warnings by default, more with each `-v`; RUST_LOG overrides.
fn start_log(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let on_terminal = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(on_terminal).with_writer(io::stderr).init();
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn text_of_the_far_end_does_not_steer_the_terminal() {
        let name = "Eve\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}gnp.exe\u{7f}\n\tend é €";
        let safe = harmless(name);
        assert_eq!(safe, "Eve\\u001b]0;owned\\u0007\\u009b31m\\u202egnp.exe\\u007f\n\tend é €");
        let json = serde_json::json!({ "peer": name }).to_string();
        let read: serde_json::Value = serde_json::from_str(&harmless(&json)).unwrap();
        assert_eq!(read["peer"], name, "JSON says the same");
    }
}
