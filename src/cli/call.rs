//! `offhook call`: places one call and stays with it to its end.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::task::Poll;

use offhook::capture::Capture;
use offhook::{
    Call, DisconnectCode, EventFilter, EventStream, Forwarding, H323Config, MediaTypes, Privilege, TapiError,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use super::args::CallArgs;
use super::digits::Sending;
use super::hold::Holding;
use super::leg::{self, Course, Sound, Terminals};
use super::live::{INTERVAL, Live};
use super::phone::Phone;
use super::report::CallReport;
use super::{Failure, Outcome, harmless, say};

pub(super) async fn run(args: CallArgs) -> Result<Outcome, Failure> {
    leg::apart(&[
        ("--play", args.play.as_deref()),
        ("--record", args.record.as_deref()),
        ("--capture", args.media.capture.as_deref()),
        ("--trace-arrivals", args.media.trace_arrivals.as_deref()),
        ("--report", args.report.as_deref()),
    ])?;
    // A report that cannot be written is known before the call, not after it.
    let report =
        args.report.as_deref().map(|path| File::create(path).map_err(|why| named(path, &why))).transpose()?;
    let mut h323 = H323Config::default();
    if args.signalling.gatekeeper.gatekeeper.is_some() {
        // A registered line listens; the usual port may be somebody else's.
        h323.listen.set_port(0);
    }
    h323.call.forwarding = match args.forwards {
        0 => Forwarding::REFUSE,
        limit => Forwarding { limit, ..Forwarding::default() },
    };
    let (config, tapes) = leg::configure("offhook call", &args.media, &args.signalling, h323)?;
    let phone = Phone::start(config, &args.broker).await.map_err(Failure::new)?;
    let result = place(&phone, &args, tapes.capture.as_deref(), report).await;
    phone.shutdown().await;
    let taped = tapes.finish();
    let outcome = result?;
    taped?;
    Ok(outcome)
}

async fn place(
    phone: &Phone,
    args: &CallArgs,
    capture: Option<&Capture>,
    report_file: Option<File>,
) -> Result<Outcome, Failure> {
    let address = phone.address();
    address.open(Privilege::None, MediaTypes::AUDIO).await.map_err(Failure::new)?;
    let sound = Sound {
        play: args.play.clone(),
        repeat: args.media.repeat,
        tone: args.media.tone,
        record: args.record.clone(),
        null: args.media.null,
        listen_in: args.listen_in,
        cards: leg::Cards::of(&args.media),
        ..Sound::default()
    };
    let terminals = sound.terminals(address)?;
    let call = address.create_call(&args.address, MediaTypes::AUDIO).map_err(Failure::new)?;
    call.edit(|params| {
        params.conference = args.conference_id;
        params.conference_goal = args.conference_id.map(|_| args.goal);
        params.block_id = args.withhold;
    })
    .map_err(Failure::new)?;
    terminals.select(&call)?;
    let events = phone.tapi().events(EventFilter::ALL.only(&call));
    let mut progress = Progress { course: Course::default(), live: Live::new(args.output.no_live_line()) };
    let ended = progress.follow(&call, events, args).await;
    progress.live.clear();
    let path = capture.and(args.media.capture.as_deref());
    let mut report = CallReport::of("caller", &call, &progress.course, &terminals, path).await;
    let why = match &ended {
        Err(TapiError::Line(why)) => Some(why.to_string()),
        Ok(Stopped::NoAnswer) => Some(format!("not answered within {} s", args.timeout.as_secs_f64())),
        _ => None,
    };
    report.why = report.why.or(why);
    finish(&call, terminals, &report, args, report_file).await?;
    match ended {
        Err(TapiError::Line(why)) if !report.connected => {
            eprintln!("offhook: {}", harmless(&why.to_string()));
            Ok(Outcome::NoCall)
        }
        Err(why) if !report.connected => Err(Failure::new(why)),
        Ok(Stopped::Interrupted) if !report.connected => Ok(Outcome::Interrupted),
        // The far end has no part in it.
        Ok(_) if report.no_media && !report.connected => {
            Err(Failure(report.why.unwrap_or_else(|| "no media".to_owned())))
        }
        _ => Ok(report.outcome()),
    }
}

/// Releases everything and says what there is to say.
async fn finish(
    call: &Call,
    terminals: Terminals,
    report: &CallReport,
    args: &CallArgs,
    file: Option<File>,
) -> Result<(), Failure> {
    call.release().await;
    let released = terminals.release();
    if args.output.json {
        say(format_args!("{}\n", serde_json::to_string(report).map_err(Failure::new)?))?;
    } else {
        say(report)?;
    }
    if let Some((mut file, path)) = file.zip(args.report.as_deref()) {
        let text = serde_json::to_string_pretty(report).map_err(Failure::new)?;
        writeln!(file, "{text}").map_err(|why| named(path, &why))?;
    }
    released
}

fn named(path: &Path, why: &std::io::Error) -> Failure {
    Failure(format!("{}: {why}", path.display()))
}

/// Why following a call ended.
enum Stopped {
    /// The call ended.
    Ended,
    /// Nobody answered in time.
    NoAnswer,
    /// A signal.
    Interrupted,
}

struct Progress {
    course: Course,
    live: Live,
}

impl Progress {
    /// Dials, and stays until the call is over.
    async fn follow(
        &mut self,
        call: &Call,
        mut events: EventStream,
        args: &CallArgs,
    ) -> Result<Stopped, TapiError> {
        let mut interrupt = Interrupt::new();
        let dial = call.dial();
        tokio::select! {
            dialled = dial => dialled?,
            () = interrupt.wait() => {
                call.disconnect(DisconnectCode::Normal).await?;
                return Ok(Stopped::Interrupted);
            }
        }
        let mut until = Instant::now() + args.timeout;
        let mut ticks = tokio::time::interval(INTERVAL);
        let mut connected = false;
        let mut sending = Sending::new(args.digits.clone());
        let mut holding = Holding::new(&args.hold);
        let mut stopped = Stopped::Ended;
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.course.note(&event),
                    None => return Err(TapiError::BrokerGone),
                },
                _ = ticks.tick() => self.live.draw(call, &self.course),
                Some(sent) = sending.end() => sending.note(sent, &mut self.course),
                Some(done) = holding.end() => Holding::note(done, &mut self.course),
                () = sleep_until(until), if !sending.is_under_way() => {
                    let code = if connected { DisconnectCode::Normal } else { DisconnectCode::NoAnswer };
                    if !connected {
                        stopped = Stopped::NoAnswer;
                    }
                    call.disconnect(code).await?;
                }
                () = interrupt.wait() => {
                    stopped = Stopped::Interrupted;
                    tokio::select! {
                        ended = call.disconnect(DisconnectCode::Normal) => ended?,
                        // Asked twice: the far end may find out by itself.
                        () = interrupt.wait() => return Ok(stopped),
                    }
                }
            }
            if self.course.ended.is_some() {
                self.catch_up(&mut events);
                sending.cut_off(&mut self.course);
                holding.cut_off(&mut self.course);
                return Ok(stopped);
            }
            if self.course.connect.is_some() && !connected {
                connected = true;
                until = Instant::now() + args.duration.unwrap_or(leg::FOREVER);
                sending.begin(call);
                holding.begin(call);
            }
        }
    }

    fn catch_up(&mut self, events: &mut EventStream) {
        while let Some(event) = events.try_next() {
            self.course.note(&event);
        }
    }
}

/// Ctrl-C, SIGTERM or SIGHUP.
pub(super) struct Interrupt {
    signals: Vec<Signal>,
}

impl Interrupt {
    pub(super) fn new() -> Self {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let caught = kinds.into_iter().filter_map(|kind| {
            signal(kind).inspect_err(|error| tracing::warn!(%error, ?kind, "a signal is not caught")).ok()
        });
        Self { signals: caught.collect() }
    }

    pub(super) async fn wait(&mut self) {
        std::future::poll_fn(|context| {
            let came = self.signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if came { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
