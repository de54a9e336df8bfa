//! `offhook call`: places one call and stays with it to its end.

use std::path::Path;

use offhook::capture::Capture;
use offhook::{
    Call, DisconnectCode, Embedded, EventFilter, EventStream, H323Config, MediaTypes, Privilege, TapiError,
};
use tokio::time::{Instant, sleep_until};

use super::args::CallArgs;
use super::leg::{self, Course, Sound, Terminals};
use super::live::{INTERVAL, Live};
use super::report::CallReport;
use super::{Failure, Outcome, say};

pub(super) async fn run(args: CallArgs) -> Result<Outcome, Failure> {
    let (config, capture) =
        leg::configure("offhook call", &args.media, &args.signalling, H323Config::default())?;
    let phone = Embedded::start(config).await.map_err(Failure::new)?;
    let result = place(&phone, &args, capture.as_deref()).await;
    phone.shutdown().await;
    let captured = capture.map_or(Ok(()), |capture| capture.finish());
    let outcome = result?;
    captured.map_err(Failure::new)?;
    Ok(outcome)
}

async fn place(phone: &Embedded, args: &CallArgs, capture: Option<&Capture>) -> Result<Outcome, Failure> {
    let address = phone.address();
    address.open(Privilege::None, MediaTypes::AUDIO).await.map_err(Failure::new)?;
    let sound = Sound {
        play: args.play.clone(),
        repeat: args.media.repeat,
        tone: args.media.tone,
        record: args.record.clone(),
        null: args.media.null,
        listen_in: args.listen_in,
        ..Sound::default()
    };
    let terminals = sound.terminals(address)?;
    let call = address.create_call(&args.address, MediaTypes::AUDIO).map_err(Failure::new)?;
    terminals.select(&call, false)?;
    let events = phone.tapi().events(EventFilter::ALL.only(&call));
    let mut progress = Progress { course: Course::default(), live: Live::new(args.output.no_live_line()) };
    let ended = progress.follow(&call, events, args).await;
    progress.live.clear();
    let path = capture.and(args.media.capture.as_deref());
    let mut report = CallReport::of("caller", &call, &progress.course, &terminals, path).await;
    if let Err(TapiError::Line(why)) = &ended {
        report.why.get_or_insert_with(|| why.to_string());
    }
    finish(&call, terminals, &report, args).await?;
    match ended {
        Err(TapiError::Line(why)) if !report.connected => {
            eprintln!("offhook: {why}");
            Ok(Outcome::NoCall)
        }
        Err(why) if !report.connected => Err(Failure::new(why)),
        Ok(Stopped::Interrupted) if !report.connected => Ok(Outcome::Interrupted),
        _ => Ok(report.outcome()),
    }
}

/// Releases everything and says what there is to say.
async fn finish(
    call: &Call,
    terminals: Terminals,
    report: &CallReport,
    args: &CallArgs,
) -> Result<(), Failure> {
    call.release().await;
    let released = terminals.release();
    if let Some(path) = &args.report {
        write_report(path, report)?;
    }
    if args.output.json {
        say(format_args!("{}\n", serde_json::to_string(report).map_err(Failure::new)?))?;
    } else {
        say(report)?;
    }
    released
}

fn write_report(path: &Path, report: &CallReport) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(report).map_err(Failure::new)?;
    std::fs::write(path, text + "\n").map_err(|why| Failure(format!("{}: {why}", path.display())))
}

/// Why following a call ended.
enum Stopped {
    /// The call ended.
    Ended,
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
        let mut stopped = Stopped::Ended;
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.course.note(&event),
                    None => return Err(TapiError::BrokerGone),
                },
                _ = ticks.tick() => self.live.draw(call, &self.course),
                () = sleep_until(until) => {
                    call.disconnect(if connected { DisconnectCode::Normal } else { DisconnectCode::NoAnswer }).await?;
                }
                () = interrupt.wait() => {
                    stopped = Stopped::Interrupted;
                    call.disconnect(DisconnectCode::Normal).await?;
                }
            }
            if self.course.ended.is_some() {
                self.catch_up(&mut events);
                return Ok(stopped);
            }
            if self.course.connect.is_some() && !connected {
                connected = true;
                let forever = std::time::Duration::from_secs(10 * 365 * 24 * 3600);
                until = Instant::now() + args.duration.unwrap_or(forever);
                if let Some(digits) = &args.digits {
                    call.generate_digits(digits).await?;
                }
            }
        }
    }

    fn catch_up(&mut self, events: &mut EventStream) {
        while let Some(event) = events.try_next() {
            self.course.note(&event);
        }
    }
}

/// Ctrl-C or SIGTERM.
pub(super) struct Interrupt {
    terminate: Option<tokio::signal::unix::Signal>,
}

impl Interrupt {
    pub(super) fn new() -> Self {
        let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
        Self {
            terminate: terminate.inspect_err(|error| tracing::warn!(%error, "SIGTERM is not caught")).ok(),
        }
    }

    pub(super) async fn wait(&mut self) {
        let terminated = async {
            match &mut self.terminate {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => {
                if let Err(error) = pressed {
                    tracing::warn!(%error, "Ctrl-C is not caught");
                    std::future::pending::<()>().await;
                }
            }
            _ = terminated => {}
        }
    }
}
