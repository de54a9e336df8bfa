//! `offhook answer`: takes calls, any number at once, until Ctrl-C.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use offhook::capture::Capture;
use offhook::{
    AddressEvent, Call, CallState, DisconnectCode, Event, EventFilter, EventStream, H323Config,
    HandoffTarget, LineDevState, MediaTypes, Privilege,
};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::args::{AnswerArgs, HoldArgs};
use super::call::Interrupt;
use super::digits::Sending;
use super::hold::Holding;
use super::leg::{self, Course, Sound};
use super::live::{INTERVAL, Live};
use super::phone::Phone;
use super::report::CallReport;
use super::{Failure, Outcome, harmless, say};

/// How long calls may take to end after Ctrl-C.
const FAREWELL: Duration = Duration::from_secs(10);

pub(super) async fn run(args: AnswerArgs) -> Result<Outcome, Failure> {
    leg::apart(&[
        ("--play", args.play.as_deref()),
        ("--capture", args.media.capture.as_deref()),
        ("--trace-arrivals", args.media.trace_arrivals.as_deref()),
    ])?;
    if let Some(dir) = &args.record {
        std::fs::create_dir_all(dir).map_err(|why| Failure(format!("{}: {why}", dir.display())))?;
    }
    let h323 = H323Config { listen: args.listen, ..H323Config::default() };
    let (config, tapes) = leg::configure("offhook answer", &args.media, &args.signalling, h323)?;
    let phone = Phone::start(config, &args.broker).await.map_err(Failure::new)?;
    let served = serve(&phone, &args, tapes.capture.as_ref()).await;
    phone.shutdown().await;
    let taped = tapes.finish();
    served?;
    taped?;
    Ok(Outcome::Done)
}

/// The gatekeeper's view of the line.
fn say_service(args: &AnswerArgs, state: &LineDevState) -> Result<(), Failure> {
    let (line, what) = match state {
        LineDevState::InService { with } => {
            (format!("registered with {with}"), json!({ "event": "registered", "with": with }))
        }
        LineDevState::OutOfService { why } => {
            (format!("not registered: {why}"), json!({ "event": "notRegistered", "why": why }))
        }
    };
    if args.output.json { say(format_args!("{what}\n")) } else { say(format_args!("{line}\n")) }
}

async fn serve(phone: &Phone, args: &AnswerArgs, capture: Option<&Arc<Capture>>) -> Result<(), Failure> {
    let address = phone.address();
    let filter = EventFilter::CALL_NOTIFICATION | EventFilter::ADDRESS;
    let mut events = phone.tapi().events(filter);
    let answering = Answering::new(args, capture.map(Arc::as_ref))?;
    address.open(Privilege::Owner, MediaTypes::AUDIO).await.map_err(Failure::new)?;
    // What cannot be opened now cannot be opened for a caller either: say so now.
    answering.sound(0).terminals(address)?.release()?;
    answering.forget_probe();
    let at = match (phone, phone.listening()) {
        (_, Some(at)) => at.to_string(),
        // The broker's line says where it is.
        (Phone::Attached(_), None) => address.caps().line_name.clone(),
        (Phone::Embedded(_), None) => return Err(Failure::new("the line does not listen")),
    };
    if args.output.json {
        say(format_args!("{}\n", json!({ "event": "listening", "address": at })))?;
    } else {
        say(format_args!("listening on {at}\n"))?;
    }
    let mut interrupt = Interrupt::new();
    let mut calls = JoinSet::new();
    let mut taken = 0;
    let mut result = Ok(());
    loop {
        let wanted = args.calls.is_none_or(|most| taken < most);
        tokio::select! {
            event = events.next(), if wanted => match event {
                Some(Event::CallNotification { call, privilege: Privilege::Owner }) => {
                    if calls.len() >= args.max_calls {
                        refuse(&call, DisconnectCode::Busy).await;
                        continue;
                    }
                    taken += 1;
                    let events = phone.tapi().events(EventFilter::ALL.only(&call));
                    calls.spawn(answering.clone().take(phone.address().clone(), call, events, taken));
                }
                Some(Event::Address { event: AddressEvent::Service(state), .. }) => say_service(args, &state)?,
                Some(Event::Address { event: AddressEvent::Closed(why), .. }) => {
                    result = Err(Failure::new(why));
                    break;
                }
                Some(_) => {}
                None => break,
            },
            ended = calls.join_next(), if !calls.is_empty() => note(ended, &mut result),
            () = interrupt.wait() => break,
        }
        if !wanted && calls.is_empty() {
            break;
        }
    }
    answering.hang_up();
    let farewell = async {
        while let Some(ended) = calls.join_next().await {
            note(Some(ended), &mut result);
        }
    };
    tokio::select! {
        in_time = timeout(FAREWELL, farewell) => {
            if in_time.is_err() {
                tracing::warn!("some calls did not end in time");
            }
        }
        () = interrupt.wait() => tracing::warn!("interrupted again: not every call was released"),
    }
    result
}

/// The first failure of a call is what the command ends with.
fn note(
    ended: Option<Result<Result<(), Failure>, tokio::task::JoinError>>,
    result: &mut Result<(), Failure>,
) {
    let failed = match ended {
        Some(Ok(Err(why))) => why,
        Some(Err(why)) => Failure::new(why),
        Some(Ok(Ok(()))) | None => return,
    };
    eprintln!("offhook: {}", harmless(&failed.to_string()));
    if result.is_ok() {
        *result = Err(failed);
    }
}

async fn refuse(call: &Call, code: DisconnectCode) {
    if let Err(error) = call.disconnect(code).await {
        tracing::info!(%error, "a call that was to be refused had ended");
    }
    call.release().await;
}

/// What every call is answered with.
#[derive(Clone)]
struct Answering(Arc<Shared>);

struct Shared {
    play: Option<PathBuf>,
    repeat: bool,
    tone: Option<f32>,
    record: Option<PathBuf>,
    echo: bool,
    conference: bool,
    null: bool,
    cards: leg::Cards,
    ring: Duration,
    duration: Option<Duration>,
    digits: Option<String>,
    hold: HoldArgs,
    hand_to: Option<String>,
    hand_after: Duration,
    json: bool,
    quiet: bool,
    capture: Option<PathBuf>,
    started: u64,
    live_calls: AtomicU64,
    leaving: tokio::sync::watch::Sender<bool>,
}

impl Answering {
    fn new(args: &AnswerArgs, capture: Option<&Capture>) -> Result<Self, Failure> {
        let started = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_err(|why| Failure(format!("the clock is before 1970: {why}")))?
            .as_secs();
        Ok(Self(Arc::new(Shared {
            play: args.play.clone(),
            repeat: args.media.repeat,
            tone: args.media.tone,
            record: args.record.clone(),
            echo: args.echo,
            conference: args.conference,
            null: args.media.null,
            cards: leg::Cards::of(&args.media),
            ring: Duration::from_millis(args.ring_ms),
            duration: args.duration,
            digits: args.digits.clone(),
            hold: args.hold.clone(),
            hand_to: args.hand_to.clone(),
            hand_after: args.hand_after,
            json: args.output.json,
            quiet: args.output.no_live_line(),
            capture: capture.and(args.media.capture.clone()),
            started,
            live_calls: AtomicU64::new(0),
            leaving: tokio::sync::watch::channel(false).0,
        })))
    }

    fn recording(&self, number: u32) -> Option<PathBuf> {
        let dir = self.0.record.as_ref()?;
        Some(dir.join(format!("call-{}-{}-{number}.wav", self.0.started, std::process::id())))
    }

    fn sound(&self, number: u32) -> Sound {
        Sound {
            play: self.0.play.clone(),
            repeat: self.0.repeat,
            tone: self.0.tone,
            record: self.recording(number),
            echo: self.0.echo,
            conference: self.0.conference,
            null: self.0.null,
            listen_in: false,
            cards: self.0.cards.clone(),
        }
    }

    /// Removes the recording that was opened to see whether one can be.
    fn forget_probe(&self) {
        if let Some(path) = self.recording(0)
            && let Err(error) = std::fs::remove_file(&path)
        {
            tracing::debug!(%error, path = %path.display(), "the probe left nothing");
        }
    }

    /// Tells every call to end.
    fn hang_up(&self) {
        self.0.leaving.send_replace(true);
    }

    /// Takes one call from offer to end.
    async fn take(
        self,
        address: offhook::Address,
        call: Call,
        events: EventStream,
        number: u32,
    ) -> Result<(), Failure> {
        let terminals = match self.sound(number).terminals(&address) {
            Ok(terminals) => terminals,
            Err(why) => {
                refuse(&call, DisconnectCode::Busy).await;
                return Err(why);
            }
        };
        let mut course = Course::default();
        course.resume(&call.status());
        let selected = terminals.select(&call);
        self.0.live_calls.fetch_add(1, Relaxed);
        let answered = match selected {
            Ok(()) => self.stay(&call, events, &mut course).await,
            Err(why) => {
                refuse(&call, DisconnectCode::Busy).await;
                Err(why)
            }
        };
        self.0.live_calls.fetch_sub(1, Relaxed);
        let report = CallReport::of("callee", &call, &course, &terminals, self.0.capture.as_deref()).await;
        call.release().await;
        let released = terminals.release();
        self.tell(&report)?;
        answered.and(released)
    }

    async fn stay(&self, call: &Call, mut events: EventStream, course: &mut Course) -> Result<(), Failure> {
        let mut leaving = self.0.leaving.subscribe();
        // One line cannot show two calls.
        let live = Live::new(self.0.quiet || self.0.live_calls.load(Relaxed) > 1);
        let mut ticks = tokio::time::interval(INTERVAL);
        let answer = self.answer(call);
        tokio::pin!(answer);
        let (mut answering, mut result) = (true, Ok(()));
        let hang_up = self.0.duration.unwrap_or(leg::FOREVER);
        let mut until = tokio::time::Instant::now() + leg::FOREVER;
        let mut asked = false;
        let mut sending = Sending::new(self.0.digits.clone());
        let mut holding = Holding::new(&self.0.hold);
        let mut hand_over = None;
        // A call that was handed to us is connected before we know of it.
        let mut connected = false;
        while course.ended.is_none() {
            if !connected && course.connect.is_some() {
                connected = true;
                until = tokio::time::Instant::now() + hang_up;
                sending.begin(call);
                holding.begin(call);
                hand_over =
                    self.0.hand_to.clone().map(|to| (tokio::time::Instant::now() + self.0.hand_after, to));
            }
            let hand_at = hand_over.as_ref().map(|(at, _)| *at);
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => course.note(&event),
                    None => return Err(Failure::new("the broker is gone")),
                },
                answered = &mut answer, if answering => {
                    answering = false;
                    // A caller who has gone before we answered is no failure of ours.
                    if call.state() != CallState::Disconnected && call.state() != CallState::Offering {
                        result = answered;
                    }
                }
                _ = ticks.tick() => live.draw(call, course),
                Some(sent) = sending.end() => sending.note(sent, course),
                Some(done) = holding.end() => Holding::note(done, course),
                () = tokio::time::sleep_until(until), if !asked && !sending.is_under_way() => {
                    asked = disconnect(call).await;
                }
                () = told(&mut leaving), if !asked => asked = disconnect(call).await,
                () = tokio::time::sleep_until(hand_at.unwrap_or(until)), if hand_at.is_some() => {
                    let Some((_, to)) = hand_over.take() else { continue };
                    match call.handoff(HandoffTarget::Application(to.clone())).await {
                        Ok(()) => {
                            // The other application has it: what is left is to let go.
                            course.handed_to = Some(to);
                            break;
                        }
                        Err(why) => course.troubles.push(format!("not handed to {to}: {why}")),
                    }
                }
            }
        }
        sending.cut_off(course);
        holding.cut_off(course);
        while let Some(event) = events.try_next() {
            course.note(&event);
        }
        live.clear();
        result
    }

    /// Rings, then answers.
    async fn answer(&self, call: &Call) -> Result<(), Failure> {
        if call.state() != CallState::Offering {
            return Ok(());
        }
        call.accept().await.map_err(Failure::new)?;
        sleep(self.0.ring).await;
        call.answer().await.map_err(Failure::new)
    }

    fn tell(&self, report: &CallReport) -> Result<(), Failure> {
        if self.0.json {
            let mut value = serde_json::to_value(report).map_err(Failure::new)?;
            value["event"] = json!("call");
            say(format_args!("{value}\n"))
        } else {
            say(report)
        }
    }
}

/// Waits until the calls are to end.
async fn told(leaving: &mut tokio::sync::watch::Receiver<bool>) {
    // The sender lives as long as any call, so the error does not happen.
    if leaving.wait_for(|leaving| *leaving).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn disconnect(call: &Call) -> bool {
    if let Err(error) = call.disconnect(DisconnectCode::Normal).await {
        tracing::info!(%error, "hanging up");
    }
    true
}
