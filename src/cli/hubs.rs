//! `offhook hubs`: who is in a call with whom, at a broker in another process; and the same again from a log.
//!
//! In: the broker's socket, or a log of hub records. Out: the tree of hubs, as text or JSON; the log.
//! Not here: what a hub is (`offhook::HubView` has the tree, docs/call-hubs.md the rules).

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use offhook::{
    Address, Event, EventFilter, EventStream, HubNews, HubRecord, HubTracking, HubView, Tapi, Timestamp,
};
use serde_json::json;

use super::call::Interrupt;
use super::{Failure, Outcome, harmless, say};

/// The name that the watcher goes by at the broker.
const APPLICATION: &str = "offhook hubs";

/// Between looks whether the broker is there and has other lines.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(crate) struct HubsArgs {
    /// The socket of the broker (`offhook tapisrv`); by default the one that it serves by default
    #[arg(long, value_name = "PATH", conflicts_with = "replay")]
    socket: Option<PathBuf>,
    /// Of these lines only, by number or name; may be given several times
    #[arg(long, value_name = "LINE", conflicts_with = "replay")]
    line: Vec<String>,
    /// Hubs only, without the calls in them
    #[arg(long, conflicts_with = "replay")]
    without_calls: bool,
    /// Stay, and say what happens until Ctrl-C
    #[arg(long, conflicts_with = "replay")]
    watch: bool,
    /// Write what happens to this file, a JSON record a line; --replay reads it
    #[arg(long, value_name = "FILE", requires = "watch")]
    log: Option<PathBuf>,
    /// The tree as a log left it, without a broker
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// With --replay: as it was so many seconds after the log's first record
    #[arg(long, value_name = "SECONDS", value_parser = seconds, requires = "replay")]
    at: Option<Duration>,
    /// Print JSON: a line a hub, with --watch a line a record
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().map_err(|why| why.to_string())?;
    Duration::try_from_secs_f64(seconds).map_err(|why| why.to_string())
}

pub(super) async fn run(args: HubsArgs) -> Result<Outcome, Failure> {
    if let Some(log) = &args.replay {
        let view = replay(log, args.at)?;
        show(&view, args.json)?;
        return Ok(Outcome::Done);
    }
    let mut interrupt = Interrupt::new();
    let log = args.log.as_deref().map(Log::create).transpose()?;
    let socket = args.socket.clone().unwrap_or_else(offhook::tapisrv::default_socket);
    let tapi = offhook::join(&socket, APPLICATION).await.map_err(Failure::new)?;
    let done = tokio::select! {
        done = watch(&tapi, &args, log) => done,
        () = interrupt.wait() => Ok(()),
    };
    tapi.close().await;
    done.map(|()| Outcome::Done)
}

async fn watch(tapi: &Tapi, args: &HubsArgs, log: Option<Log>) -> Result<(), Failure> {
    let mut events = tapi.events(EventFilter::CALL_HUB);
    let mut tracked = Tracked::default();
    tracked.follow(tapi, args).await?;
    if !args.watch {
        return show(&tapi.hub_view().await.map_err(Failure::new)?, args.json);
    }
    let mut shown = Shown::new(args.json, log);
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            Some(event) = events.next() => shown.take(event, &mut events)?,
            _ = look.tick() => {
                if let Err(gone) = tracked.follow(tapi, args).await {
                    // What it said at its end.
                    while let Some(event) = events.try_next() {
                        shown.take(event, &mut events)?;
                    }
                    return Err(gone);
                }
            }
        }
    }
}

/// The lines that are tracked: more may come while the broker runs.
#[derive(Default)]
struct Tracked {
    lines: Vec<Address>,
    /// The first look is over.
    settled: bool,
}

impl Tracked {
    async fn follow(&mut self, tapi: &Tapi, args: &HubsArgs) -> Result<(), Failure> {
        let lines = tapi.addresses().await.map_err(Failure::new)?;
        for wanted in &args.line {
            if !self.settled && !lines.iter().any(|line| is(line, wanted)) {
                let known: Vec<_> =
                    lines.iter().map(|line| format!("{} {:?}", number(line), name(line))).collect();
                return Err(Failure(format!(
                    "no line {wanted:?} at the broker, which has: {}",
                    known.join(", ")
                )));
            }
        }
        let wanted = |line: &Address| args.line.is_empty() || args.line.iter().any(|wanted| is(line, wanted));
        for line in lines.into_iter().filter(wanted) {
            if self.lines.contains(&line) {
                continue;
            }
            let most = line.caps().hub_tracking;
            let level = if args.without_calls { most.min(HubTracking::ProviderLevel) } else { most };
            // Also at level none: a line that cannot say anything is looked at once.
            line.track_call_hubs(level).await.map_err(Failure::new)?;
            if level == HubTracking::None {
                tracing::warn!(line = %name(&line), "its provider does not tell of call hubs");
            }
            self.lines.push(line);
        }
        self.settled = true;
        Ok(())
    }
}

fn number(line: &Address) -> u32 {
    line.caps().device.0
}

fn name(line: &Address) -> String {
    line.caps().line_name.clone()
}

fn is(line: &Address, wanted: &str) -> bool {
    wanted == number(line).to_string() || wanted == line.caps().line_name
}

/// What a watcher sees: a line a record on standard output, and on a terminal the tree below, as it stands.
struct Shown {
    json: bool,
    view: HubView,
    log: Option<Log>,
    tree: ProgressBar,
    begun: Timestamp,
}

impl Shown {
    fn new(json: bool, log: Option<Log>) -> Self {
        let tree = if json { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            tree.set_style(style);
        }
        Self { json, view: HubView::default(), log, tree, begun: Timestamp::now() }
    }

    /// Takes an event, and what has come with it, before the tree is drawn anew.
    fn take(&mut self, event: Event, events: &mut EventStream) -> Result<(), Failure> {
        let mut next = Some(event);
        while let Some(event) = next {
            if let Event::CallHub { hub, event, at, .. } = event {
                self.record(&HubRecord { at, hub: hub.id(), event })?;
            }
            next = events.try_next();
        }
        if let Some(log) = &mut self.log {
            log.flush()?;
        }
        self.tree.set_message(harmless(self.view.to_string().trim_end()));
        self.tree.tick();
        Ok(())
    }

    fn record(&mut self, record: &HubRecord) -> Result<(), Failure> {
        if let Some(log) = &mut self.log {
            log.write(record)?;
        }
        self.view.apply(record).map_err(|why| Failure(format!("the broker's word: {why}")))?;
        if self.json {
            let line = serde_json::to_string(record).map_err(Failure::new)?;
            return say(format_args!("{line}\n"));
        }
        let at = record.at.since(self.begun).as_secs_f64();
        self.tree.suspend(|| say(format_args!("{at:9.3} s  {}\n", HubNews(record))))
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.tree.finish_and_clear();
    }
}

/// The log of records, complete up to the last one that was said.
struct Log {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Log {
    fn create(path: &Path) -> Result<Self, Failure> {
        let file = File::create(path).map_err(|why| Failure(format!("{}: {why}", path.display())))?;
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file) })
    }

    fn write(&mut self, record: &HubRecord) -> Result<(), Failure> {
        let written = serde_json::to_writer(&mut self.file, record).map_err(std::io::Error::from);
        written.and_then(|()| self.file.write_all(b"\n")).map_err(|why| self.failed(&why))
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.file.flush().map_err(|why| self.failed(&why))
    }

    fn failed(&self, why: &std::io::Error) -> Failure {
        Failure(format!("{}: {why}", self.path.display()))
    }
}

/// The tree that a log leaves, or left at a moment: by the records up to the first that is later.
fn replay(path: &Path, at: Option<Duration>) -> Result<HubView, Failure> {
    let named = |why: &dyn std::fmt::Display| Failure(format!("{}: {why}", path.display()));
    let file = BufReader::new(File::open(path).map_err(|why| named(&why))?);
    let (mut view, mut first) = (HubView::default(), None);
    for (n, line) in file.lines().enumerate() {
        let wrong = |why: &dyn std::fmt::Display| named(&format!("line {}: {why}", n + 1));
        let line = line.map_err(|why| wrong(&why))?;
        let record: HubRecord = serde_json::from_str(&line).map_err(|why| wrong(&why))?;
        let since = record.at.since(*first.get_or_insert(record.at));
        if at.is_some_and(|at| since > at) {
            break;
        }
        view.apply(&record).map_err(|why| wrong(&why))?;
    }
    Ok(view)
}

fn show(view: &HubView, as_json: bool) -> Result<(), Failure> {
    if !as_json {
        return say(view);
    }
    for hub in view.hubs() {
        say(format_args!("{}\n", json!(hub)))?;
    }
    Ok(())
}
