//! A modem and the one call it can have: what is said to it, what its words mean, in which order, until when.
//!
//! In: octets of the modem, requests, the time; that its port was opened or lost. Out: [`Output`]s, in order.
//!
//! ```text
//! port                modem                        call
//! Lost ─opened─▶ Waking ─OK─▶ SettingUp ─▶ Ready   Waiting ─▶ Dialling ─▶ Progressing ─▶ Connected ─▶ Ended
//!   ▲              │             │           │        (ATD)      (gsm)                  │             │
//!   └── unplugged, silent, refuses ──────────┘     Ringing ─▶ Answering ───────────────▶┘    Dropping ┴▶ (none)
//! ```
//!
//! Commands wait in a queue; one is out at a time and ends with a result code, or when its time has run out. A code that
//! does not end the command that is out is about the call. A request that was taken is completed once, whatever happens.
//!
//! A driver calls, in any order: [`Machine::handle_opened`], [`Machine::handle_lost`], [`Machine::handle_bytes`],
//! [`Machine::handle_timeout`] and the requests; after each it takes every [`Machine::poll_output`], then waits for
//! octets or until [`Machine::poll_timeout`].
//! Not here: serial ports and clocks (`driver.rs`, `port.rs`), the commands' text (`profile.rs`), handles (`provider.rs`).

mod arriving;
mod call;
mod heard;
mod outcome;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use offhook_spi::{DisconnectMode, LineCallState, LineDevState, LineError, RequestId};

use self::arriving::Ringing;
use self::call::Call;
use crate::caller_id::CallerId;
use crate::config::PortConfig;
use crate::line::Lexer;
use crate::profile::{self, SetUp};

/// How often a modem that does not answer is spoken to before it is given up.
const WAKE_TRIES: u8 = 4;
/// How long a modem may take to answer when it is woken up: most need a few milliseconds.
const WAKE_PATIENCE: Duration = Duration::from_millis(800);
/// How long a command that is broken off may take to end.
const ABORT_PATIENCE: Duration = Duration::from_secs(3);
/// How long a call may wait for the modem to become ready.
const READY_PATIENCE: Duration = Duration::from_secs(20);
/// What comes late after a command's time has run out shall not pass for the answer to the next.
const AFTER_SILENCE: Duration = Duration::from_millis(300);
/// How often a cellular module is asked how far a call has come.
const LIST_EVERY: Duration = Duration::from_millis(800);
/// How long DTR stays low to make a modem hang up that does not listen.
const DTR_LOW: Duration = Duration::from_millis(600);
/// Lines of an answer that are kept.
const MAX_INFO: usize = 64;
/// Commands of applications that wait.
const MAX_RAW: usize = 16;
/// Commands that wait before no more digits are taken.
const MAX_JOBS: usize = 512;

/// What a driver has to do, in this order.
#[derive(Debug, PartialEq)]
pub(crate) enum Output {
    /// Octets for the modem.
    Transmit(Vec<u8>),
    /// Data terminal ready, on or off.
    Dtr(bool),
    /// Close the port, if it is open, and open it: [`Machine::handle_opened`] or [`Machine::handle_lost`] follows.
    Open,
    /// Close the port. It is opened again when [`Output::Open`] says so.
    Close,
    /// Something for whoever uses the line.
    Event(Event),
}

/// What happened.
#[derive(Debug, PartialEq)]
pub(crate) enum Event {
    /// The modem has become ready, or is not any more.
    Service(LineDevState),
    /// A call has arrived: [`Machine::announced`] is the answer.
    Arrived(CallerId),
    /// The call's state.
    State(LineCallState),
    /// More is known of who calls.
    Caller(CallerId),
    /// Something else about the call.
    Note(&'static str, String),
    /// The far end pressed a key.
    Digit(char, Option<Duration>),
    /// A request is complete.
    Complete(RequestId, Result<(), LineError>),
    /// The answer to a command of an application's.
    Answer(u64, Result<Vec<String>, LineError>),
}

/// What a command is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Purpose {
    Wake,
    SetUp {
        optional: bool,
    },
    /// The modem's name.
    Name,
    Check,
    /// Something of which the outcome does not matter.
    Aside,
    Dial(RequestId),
    Answer,
    HangUp(Option<RequestId>),
    Digit {
        request: RequestId,
        last: bool,
    },
    List,
    Raw(u64),
}

#[derive(Clone, Debug)]
struct Job {
    text: String,
    purpose: Purpose,
    patience: Duration,
}

/// The command that is out.
#[derive(Debug)]
struct Running {
    job: Job,
    by: Duration,
    info: Vec<String>,
    /// It was broken off: whatever it ends with is passed over.
    aborted: bool,
}

#[derive(Debug)]
enum Port {
    /// Closed; to be opened at that time.
    Lost {
        reopen: Duration,
        why: String,
    },
    /// The driver opens it.
    Opening,
    Open,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// So many times spoken to.
    Waking(u8),
    SettingUp,
    Ready,
}

/// A modem; see the top of the file.
#[derive(Debug)]
pub(crate) struct Machine {
    config: PortConfig,
    lexer: Lexer,
    port: Port,
    phase: Phase,
    jobs: VecDeque<Job>,
    running: Option<Running>,
    /// No command before then.
    quiet_until: Duration,
    /// When DTR goes up again.
    dtr_up: Option<Duration>,
    backoff: Duration,
    /// Commands in a row that were not answered.
    silent: u8,
    next_check: Option<Duration>,
    /// Echo that was turned off again so far.
    echoes: u8,
    name: Option<String>,
    said_in_service: Option<bool>,
    listens: bool,
    closing: bool,
    call: Option<Call>,
    ringing: Option<Ringing>,
    /// A caller's number that came before the first ring, and when.
    early_caller: Option<(CallerId, Duration)>,
    outputs: VecDeque<Output>,
}

impl Machine {
    /// A modem whose port the driver opens: [`handle_opened`](Self::handle_opened) comes next.
    pub(crate) fn new(config: PortConfig) -> Self {
        let shields = config.profile == crate::config::Profile::Voice;
        let backoff = first_backoff(&config);
        Self {
            lexer: Lexer::new(shields),
            port: Port::Opening,
            phase: Phase::Waking(0),
            jobs: VecDeque::new(),
            running: None,
            quiet_until: Duration::ZERO,
            dtr_up: None,
            backoff,
            silent: 0,
            next_check: None,
            echoes: 0,
            name: None,
            said_in_service: None,
            listens: false,
            closing: false,
            call: None,
            ringing: None,
            early_caller: None,
            outputs: VecDeque::new(),
            config,
        }
    }

    /// The next thing to do.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due at the latest.
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        if self.closing && self.is_quiet() {
            return None;
        }
        match &self.port {
            Port::Lost { reopen, .. } => return (!self.closing).then_some(*reopen),
            Port::Opening => return None,
            Port::Open => {}
        }
        let next_job = (self.running.is_none() && !self.jobs.is_empty()).then_some(self.quiet_until);
        [
            self.running.as_ref().map(|running| running.by),
            next_job,
            self.dtr_up,
            self.lexer.deadline(),
            self.next_check.filter(|_| self.is_idle()),
            self.call_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The modem's own name, once it has said it.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The port is open.
    pub(crate) fn handle_opened(&mut self, now: Duration) {
        self.port = Port::Open;
        self.lexer.clear();
        self.wake(now);
        self.pump(now);
    }

    /// The port cannot be opened, or is not there any more.
    pub(crate) fn handle_lost(&mut self, now: Duration, why: &str) {
        self.fall_out(now, why);
    }

    /// Octets of the modem.
    pub(crate) fn handle_bytes(&mut self, now: Duration, octets: &[u8]) {
        for octet in octets {
            // What comes after a line has been given up is noise.
            if !matches!(self.port, Port::Open) {
                return;
            }
            if let Some(token) = self.lexer.push(now, *octet) {
                self.heard(now, token);
            }
        }
        self.pump(now);
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, now: Duration) {
        if let Port::Lost { reopen, .. } = &self.port
            && *reopen <= now
            && !self.closing
        {
            self.port = Port::Opening;
            self.outputs.push_back(Output::Open);
        }
        if !matches!(self.port, Port::Open) {
            return;
        }
        if let Some(token) = self.lexer.handle_timeout(now) {
            self.heard(now, token);
        }
        if self.dtr_up.take_if(|by| *by <= now).is_some() {
            self.outputs.push_back(Output::Dtr(true));
        }
        if let Some(running) = self.running.take_if(|running| running.by <= now) {
            self.timed_out(now, running);
        }
        if self.next_check.is_some_and(|by| by <= now) && self.is_idle() {
            self.queue(profile::CHECK, Purpose::Check);
            self.plan_check(now);
        }
        self.call_timeout(now);
        self.pump(now);
    }

    /// Whether somebody wants calls that arrive.
    pub(crate) fn listen(&mut self, listens: bool) {
        self.listens = listens;
    }

    /// Sends a command of an application's; its answer is [`Event::Answer`] with `token`.
    pub(crate) fn raw(&mut self, now: Duration, token: u64, command: &str) {
        let waiting = self.jobs.iter().filter(|job| matches!(job.purpose, Purpose::Raw(_))).count();
        let error = match &self.port {
            Port::Open if waiting >= MAX_RAW => {
                LineError::ResourceUnavail("too many commands wait for the modem".to_owned())
            }
            Port::Open => {
                self.queue(command, Purpose::Raw(token));
                self.pump(now);
                return;
            }
            Port::Opening | Port::Lost { .. } => self.out_of_service(),
        };
        self.event(Event::Answer(token, Err(error)));
    }

    /// The line closes: the call ends, and nothing begins any more. Done when [`is_quiet`](Self::is_quiet).
    pub(crate) fn close(&mut self, now: Duration) {
        self.close_call(now);
        self.closing = true;
        // A modem that is not ready has no call to hang up.
        for job in std::mem::take(&mut self.jobs) {
            match job.purpose {
                Purpose::HangUp(_) if self.phase == Phase::Ready => self.push(job),
                Purpose::Raw(token) => {
                    self.event(Event::Answer(token, Err(LineError::failed("the line was closed"))));
                }
                _ => {}
            }
        }
        self.pump(now);
    }

    /// Whether nothing is under way.
    pub(crate) fn is_quiet(&self) -> bool {
        !matches!(self.port, Port::Open) || (self.running.is_none() && self.jobs.is_empty())
    }

    // --- the modem ---------------------------------------------------------------------------------------------

    fn wake(&mut self, now: Duration) {
        self.phase = Phase::Waking(0);
        self.silent = 0;
        self.running = None;
        self.jobs.clear();
        self.quiet_until = now;
        self.push(Job { text: profile::WAKE.to_owned(), purpose: Purpose::Wake, patience: WAKE_PATIENCE });
    }

    fn woken(&mut self) {
        self.phase = Phase::SettingUp;
        for SetUp { command, optional } in profile::set_up(&self.config) {
            self.queue(&command, Purpose::SetUp { optional });
        }
        // The last of the set-up.
        self.queue("AT+GMM", Purpose::Name);
    }

    fn ready(&mut self, now: Duration) {
        self.phase = Phase::Ready;
        self.backoff = first_backoff(&self.config);
        self.plan_check(now);
        let name = self.name.as_deref().unwrap_or("an AT modem");
        let with = format!("{name} on {}", self.config.port);
        self.serve(LineDevState::InService { with });
    }

    fn serve(&mut self, state: LineDevState) {
        let serves = matches!(state, LineDevState::InService { .. });
        if self.said_in_service != Some(serves) {
            self.said_in_service = Some(serves);
            self.event(Event::Service(state));
        }
    }

    /// The modem is not there, or of no use.
    fn fall_out(&mut self, now: Duration, why: &str) {
        if matches!(self.port, Port::Open) {
            self.outputs.push_back(Output::Close);
        }
        self.port = Port::Lost { reopen: now.saturating_add(self.backoff), why: why.to_owned() };
        self.backoff = (self.backoff * 2).min(Duration::from_millis(self.config.reopen_max_ms));
        self.dtr_up = None;
        self.next_check = None;
        self.ringing = None;
        self.early_caller = None;
        let failed = || LineError::failed(format!("the modem is out of service: {why}"));
        let running = self.running.take().map(|running| running.job);
        for job in running.into_iter().chain(std::mem::take(&mut self.jobs)) {
            match job.purpose {
                Purpose::Raw(token) => self.event(Event::Answer(token, Err(failed()))),
                // Once for all its digits.
                Purpose::Digit { request, last: true } => self.complete(request, Err(failed())),
                // Without a modem there is nothing off hook.
                Purpose::HangUp(Some(request)) => self.complete(request, Ok(())),
                _ => {}
            }
        }
        self.serve(LineDevState::OutOfService { why: why.to_owned() });
        self.call_lost(&failed());
    }

    fn out_of_service(&self) -> LineError {
        let why = match &self.port {
            Port::Lost { why, .. } => why.as_str(),
            Port::Opening | Port::Open => "its port is being opened",
        };
        LineError::ResourceUnavail(format!("the modem is out of service: {why}"))
    }

    fn plan_check(&mut self, now: Duration) {
        let every = Duration::from_millis(self.config.check_every_ms);
        self.next_check = (!every.is_zero()).then(|| now.saturating_add(every));
    }

    /// Ready, and nothing to do.
    fn is_idle(&self) -> bool {
        self.phase == Phase::Ready && self.running.is_none() && self.jobs.is_empty() && self.call.is_none()
    }

    /// The modem has forgotten what it was told at the beginning: its echo is back.
    fn echoed(&mut self) {
        let again = self.jobs.iter().any(|job| job.text == profile::WAKE);
        if self.phase == Phase::Ready && !again && self.echoes < 3 {
            self.echoes += 1;
            self.queue(profile::WAKE, Purpose::Aside);
        }
    }

    // --- commands ----------------------------------------------------------------------------------------------

    fn patience(&self) -> Duration {
        Duration::from_millis(self.config.command_timeout_ms)
    }

    fn queue(&mut self, text: &str, purpose: Purpose) {
        self.push(Job { text: text.to_owned(), purpose, patience: self.patience() });
    }

    fn push(&mut self, job: Job) {
        self.jobs.push_back(job);
    }

    /// Sends the next command, if none is out.
    fn pump(&mut self, now: Duration) {
        let free = matches!(self.port, Port::Open) && self.running.is_none() && self.quiet_until <= now;
        let Some(job) = free.then(|| self.next_job()).flatten() else { return };
        let mut octets = Vec::with_capacity(job.text.len() + 8);
        if self.phase == Phase::Waking(2) {
            // It may stream voice: DLE ETX ends that, and a CR whatever line was begun.
            octets.extend(b"\x10\x03\r");
        }
        octets.extend(job.text.as_bytes());
        octets.push(b'\r');
        self.outputs.push_back(Output::Transmit(octets));
        if let Purpose::Dial(request) = job.purpose {
            self.dialling(now, request);
        }
        let by = now.saturating_add(job.patience);
        self.running = Some(Running { job, by, info: Vec::new(), aborted: false });
    }

    /// The next command that may be sent now: before the modem is ready, only what makes it so.
    fn next_job(&mut self) -> Option<Job> {
        if self.phase == Phase::Ready {
            return self.jobs.pop_front();
        }
        let sets_up =
            |job: &Job| matches!(job.purpose, Purpose::Wake | Purpose::SetUp { .. } | Purpose::Name);
        let at = self.jobs.iter().position(sets_up)?;
        self.jobs.remove(at)
    }

    /// The command that is out has ended.
    fn after(&mut self, now: Duration, pause: Duration) {
        self.quiet_until = now.saturating_add(pause);
    }

    fn gap(&self) -> Duration {
        Duration::from_millis(self.config.command_gap_ms)
    }

    /// Breaks off a command that any character breaks off (V.250 5.6.1): dialling, answering.
    fn abort(&mut self, now: Duration) {
        if let Some(running) = &mut self.running
            && matches!(running.job.purpose, Purpose::Dial(_) | Purpose::Answer)
            && !running.aborted
        {
            running.aborted = true;
            running.by = now.saturating_add(ABORT_PATIENCE);
            self.outputs.push_back(Output::Transmit(b"\r".to_vec()));
        }
    }

    /// The command that is out was not answered in time.
    fn timed_out(&mut self, now: Duration, running: Running) {
        tracing::debug!(command = running.job.text, "the modem did not answer");
        self.after(now, AFTER_SILENCE);
        let is_call = matches!(running.job.purpose, Purpose::Dial(_) | Purpose::Answer);
        if !is_call {
            self.silent = self.silent.saturating_add(1);
        }
        let silence = || LineError::failed(format!("the modem does not answer {}", running.job.text));
        match running.job.purpose {
            Purpose::Wake => self.still_asleep(now, running.job),
            Purpose::SetUp { optional: false } => {
                self.fall_out(now, &format!("the modem does not answer {}", running.job.text));
                return;
            }
            Purpose::Name => self.ready(now),
            Purpose::Dial(_) if running.aborted => {}
            Purpose::Dial(_) => self.not_answered(now),
            Purpose::Answer if running.aborted => {}
            Purpose::Answer => self.not_taken(now, silence(), DisconnectMode::Unavail),
            Purpose::HangUp(request) => self.does_not_hang_up(now, request),
            Purpose::Digit { request, .. } => self.digits_failed(request, silence()),
            Purpose::Raw(token) => self.event(Event::Answer(token, Err(silence()))),
            Purpose::List => self.listed(now, &[], false),
            // The set-up goes on without, and so does everything else.
            Purpose::SetUp { optional: true } | Purpose::Check | Purpose::Aside => {}
        }
        if self.silent >= 3 && self.phase == Phase::Ready {
            self.fall_out(now, "the modem does not answer any more");
        } else if self.silent > 0 && self.phase == Phase::Ready && self.is_idle() {
            // Sooner than planned.
            self.next_check = Some(now.saturating_add(AFTER_SILENCE));
        }
    }

    fn still_asleep(&mut self, now: Duration, job: Job) {
        let Phase::Waking(tries) = self.phase else { return };
        if tries + 1 >= WAKE_TRIES {
            self.fall_out(now, "nothing there answers like a modem");
            return;
        }
        self.phase = Phase::Waking(tries + 1);
        if tries == 1 {
            // In a data connection it hears no commands: DTR ends that.
            self.lower_dtr(now);
        }
        self.push(job);
    }

    fn lower_dtr(&mut self, now: Duration) {
        self.outputs.push_back(Output::Dtr(false));
        self.dtr_up = Some(now.saturating_add(DTR_LOW));
        self.after(now, DTR_LOW.saturating_add(AFTER_SILENCE));
    }

    fn does_not_hang_up(&mut self, now: Duration, request: Option<RequestId>) {
        let why = "the modem did not confirm that it has hung up; DTR was lowered";
        tracing::warn!(port = self.config.port, why);
        self.hung_up(request, Err(LineError::failed(why)));
        // Whatever it was doing, it begins anew.
        let kept: Vec<_> = self.jobs.drain(..).filter(|job| keeps(&job.purpose)).collect();
        self.wake(now);
        self.lower_dtr(now);
        self.jobs.extend(kept);
    }

    // --- outputs -----------------------------------------------------------------------------------------------

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn complete(&mut self, request: RequestId, result: Result<(), LineError>) {
        self.event(Event::Complete(request, result));
    }
}

/// What outlives a new beginning of the modem.
fn keeps(purpose: &Purpose) -> bool {
    match purpose {
        Purpose::Wake | Purpose::SetUp { .. } | Purpose::Name | Purpose::Check | Purpose::Aside => false,
        Purpose::Dial(_)
        | Purpose::Answer
        | Purpose::HangUp(_)
        | Purpose::Digit { .. }
        | Purpose::List
        | Purpose::Raw(_) => true,
    }
}

fn first_backoff(config: &PortConfig) -> Duration {
    Duration::from_millis((config.reopen_max_ms / 8).clamp(50, 1_000))
}
