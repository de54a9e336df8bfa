//! `offhook load`: many calls, placed by a plan, and what became of them.
//!
//! ```text
//! plan (when, where to, how) ─▶ one task a call ─▶ tally ─▶ live screen, report, CSV, criteria ─▶ exit status
//! ```
//! In: a plan. Out: a table or JSON; a line of CSV a call; 5 as exit status when a criterion of `--fail-if` is met.
//! Calls are spread over a few telephones of this process, one for each way to set calls up and each codec of the mix.
//! Not here: what a call is (`offhook::Call`), what is said of one (`report.rs`).

mod args;
mod criteria;
mod one;
mod plan;
mod screen;
mod tally;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::Arc;
use std::time::Duration;

use offhook::{Embedded, H323Config, MediaTypes, Privilege};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

pub(crate) use args::LoadArgs;

use self::args::StartMode;
use self::one::{Done, Phone};
use self::plan::Plan;
use self::screen::Screen;
use self::tally::Tally;
use super::call::Interrupt;
use super::leg::{self, Sound};
use super::{Failure, Outcome, codecs, say};

/// How long calls may take to end after the last was to, or after Ctrl-C.
const LAST_CALLS: Duration = Duration::from_secs(10);

pub(super) async fn run(args: LoadArgs) -> Result<Outcome, Failure> {
    args.check()?;
    leg::apart(&[
        ("--play", args.play.as_deref()),
        ("--csv", args.csv.as_deref()),
        ("--capture", args.media.capture.as_deref()),
        ("--trace-arrivals", args.media.trace_arrivals.as_deref()),
    ])?;
    let csv = match &args.csv {
        Some(path) => {
            let file = File::create(path).map_err(|why| Failure(format!("{}: {why}", path.display())))?;
            Some(BufWriter::new(file))
        }
        None => None,
    };
    let mut tapes = Vec::new();
    let mut phones = Vec::new();
    for way in args.ways() {
        let (phone, tape) = phone(&args, way).await?;
        phones.push(Arc::new(phone));
        tapes.push(tape);
    }
    let ran = Run { args: &args, phones: &phones, tally: Tally::new(), csv }.run().await;
    for phone in phones {
        if let Some(phone) = Arc::into_inner(phone) {
            phone.telephone.shutdown().await;
        }
    }
    for tape in tapes {
        tape.finish()?;
    }
    let (tally, interrupted) = ran?;
    conclude(&args, &tally, interrupted)
}

/// A telephone that sets calls up in one way, with one codec first.
async fn phone(args: &LoadArgs, way: args::Way) -> Result<(Phone, leg::Tapes), Failure> {
    let mut h323 = H323Config::default();
    h323.listen.set_port(0);
    h323.max_calls = h323.max_calls.max(args.concurrent.saturating_add(16));
    let (mut config, tape) = leg::configure("offhook load", &args.media, &args.signalling, h323)?;
    if let Some(codec) = way.codec {
        config.msp.codecs = vec![codec];
    }
    if let Some(mode) = way.start {
        let call = &mut config.h323.call;
        (call.fast_start, call.tunnelling, call.h245_in_setup) = match mode {
            StartMode::Fast => (true, true, false),
            StartMode::FastSeparate => (true, false, false),
            StartMode::Tunnelled => (false, true, false),
            StartMode::Separate => (false, false, false),
            StartMode::InSetup => (false, true, true),
        };
    }
    let telephone = Embedded::start(config).await.map_err(Failure::new)?;
    let opened = telephone.address().open(Privilege::None, MediaTypes::AUDIO).await;
    if let Err(why) = opened {
        telephone.shutdown().await;
        return Err(Failure::new(why));
    }
    let (codec, start) = (way.codec.map(codecs::name), way.start.map(StartMode::name));
    let name = [start, codec].into_iter().flatten().collect::<Vec<_>>().join("/");
    Ok((Phone { telephone, name, weight: way.weight }, tape))
}

struct Run<'a> {
    args: &'a LoadArgs,
    phones: &'a [Arc<Phone>],
    tally: Tally,
    csv: Option<BufWriter<File>>,
}

impl Run<'_> {
    /// Places all calls and waits for their ends. Answers whether it was interrupted before the last was placed.
    async fn run(mut self) -> Result<(Tally, bool), Failure> {
        let args = self.args;
        let sound = Sound {
            play: args.play.clone(),
            repeat: args.media.repeat,
            tone: args.media.tone,
            null: true,
            cards: leg::Cards::of(&args.media),
            ..Sound::default()
        };
        let mut plan = Plan::new(args, &self.phones.iter().map(|phone| phone.weight).collect::<Vec<_>>());
        let room = Arc::new(Semaphore::new(args.concurrent));
        let (told, mut done) = mpsc::unbounded_channel::<Done>();
        let (stop, _) = tokio::sync::watch::channel(false);
        let mut interrupt = Interrupt::new();
        let mut screen = Screen::new(args.output.no_live_line());
        let mut ticks = tokio::time::interval(screen::INTERVAL);
        let begun = Instant::now();
        let mut interrupted = false;
        let mut next = plan.next();
        self.tally.begin();
        // Until every call is placed, and then until every call is over.
        let mut give_up = None;
        loop {
            if next.is_none() && give_up.is_none() && self.tally.active() == 0 {
                break;
            }
            let due = next.as_ref().map_or(begun, |call| begun + call.after);
            tokio::select! {
                biased;
                () = interrupt.wait() => {
                    interrupted |= next.take().is_some();
                    if give_up.replace(Instant::now() + LAST_CALLS).is_some() {
                        break;
                    }
                    // Every call that is up hangs up.
                    stop.send_replace(true);
                }
                Some(call) = done.recv() => self.note(&call)?,
                _ = ticks.tick() => screen.draw(&self.tally, begun.elapsed()),
                () = tokio::time::sleep_until(give_up.unwrap_or(begun)), if give_up.is_some() => break,
                permit = placed(&room, due), if next.is_some() => {
                    let (Some(planned), Ok(permit)) = (next.take(), permit) else { continue };
                    next = plan.next();
                    let Some(phone) = self.phones.get(planned.phone).cloned() else { continue };
                    self.tally.placed(begun.elapsed().saturating_sub(planned.after));
                    let (told, stop, sound) = (told.clone(), stop.subscribe(), sound.clone());
                    let digits = args.digits.clone();
                    let timeout = args.timeout;
                    tokio::spawn(async move {
                        let done = one::place(&phone, planned, &sound, digits, timeout, stop).await;
                        drop(permit);
                        // Whoever counts has stopped counting.
                        let _ = told.send(done);
                    });
                }
            }
            if give_up.is_some() && self.tally.active() == 0 {
                break;
            }
        }
        screen.clear();
        self.tally.end();
        if let Some(mut csv) = self.csv.take() {
            csv.flush().map_err(|why| Failure(format!("--csv: {why}")))?;
        }
        Ok((self.tally, interrupted))
    }

    fn note(&mut self, call: &Done) -> Result<(), Failure> {
        if let Some(csv) = &mut self.csv {
            let written = if self.tally.ended() == 0 { writeln!(csv, "{}", Done::CSV_HEAD) } else { Ok(()) };
            written
                .and_then(|()| writeln!(csv, "{}", call.csv()))
                .map_err(|why| Failure(format!("--csv: {why}")))?;
        }
        self.tally.note(call);
        Ok(())
    }
}

/// Waits until a call is due and there is room for it.
async fn placed(
    room: &Arc<Semaphore>,
    due: Instant,
) -> Result<tokio::sync::OwnedSemaphorePermit, tokio::sync::AcquireError> {
    tokio::time::sleep_until(due).await;
    room.clone().acquire_owned().await
}

fn conclude(args: &LoadArgs, tally: &Tally, interrupted: bool) -> Result<Outcome, Failure> {
    let report = tally.report();
    let met: Vec<_> = args.fail_if.iter().filter(|criterion| criterion.is_met(&report)).collect();
    if args.output.json {
        let mut value = serde_json::to_value(&report).map_err(Failure::new)?;
        if let Some(object) = value.as_object_mut() {
            let failed: Vec<_> = met.iter().map(|criterion| criterion.to_string()).collect();
            object.insert("failed_criteria".to_owned(), failed.into());
            object.insert("interrupted".to_owned(), interrupted.into());
        }
        say(format_args!("{value}\n"))?;
    } else {
        say(&report)?;
        for criterion in &met {
            say(format_args!("FAILED           {criterion} ({})\n", criterion.found(&report)))?;
        }
    }
    Ok(if !met.is_empty() {
        Outcome::Criterion
    } else if interrupted {
        Outcome::Interrupted
    } else if report.connected == 0 {
        Outcome::NoCall
    } else {
        Outcome::Done
    })
}
