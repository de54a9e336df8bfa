//! The one call: requests about it, how it comes about and how it ends.
//!
//! In: requests; codes and events of the modem (`heard.rs`), time. Out: states, completions, commands.
//!
//! | stage | what the application was told | what the modem does |
//! |---|---|---|
//! | Waiting | nothing: MakeCall is not complete | is not ready yet, or still hangs up |
//! | Dialling | Dialing, Proceeding, Ringback | ATD is out |
//! | Progressing | the same | gsm: ATD was taken, the network works |
//! | Ringing | Offering, Accepted | rings |
//! | Answering | Offering, Accepted | ATA is out |
//! | Connected | Connected | is off hook |
//! | Ended | Disconnected | hangs up |
//! | Dropping | the last state | hangs up; then Idle |

use std::time::Duration;

use offhook_spi::{ConnectedMode, DisconnectMode, LineCallState, LineError, RequestId};

use super::outcome::{self, Progress};
use super::{Event, Job, LIST_EVERY, MAX_JOBS, Machine, Port, Purpose, READY_PATIENCE, Running};
use crate::caller_id::CallerId;
use crate::code::{Code, Listed};
use crate::config::{Profile, Rejecting};
use crate::profile;

/// How far a call has come; see the top of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Waiting {
        request: RequestId,
        until: Duration,
    },
    Dialling,
    Progressing {
        until: Duration,
        list: Option<Duration>,
        missing: u8,
    },
    Ringing,
    Answering(RequestId),
    Connected,
    Ended,
    /// By that request, if nobody has closed the call meanwhile.
    Dropping(Option<RequestId>),
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) stage: Stage,
    /// The state told last.
    pub(super) state: Option<LineCallState>,
    /// The far end has been heard to ring.
    pub(super) rang: bool,
    pub(super) caller: CallerId,
    /// A key of the far end's that is held: which, once that is known, and since when.
    pub(super) key: Option<(Option<char>, Duration)>,
    /// The module has said that it is over; the word that says why may follow until then.
    pub(super) over: Option<Duration>,
}

impl Call {
    pub(super) fn new(stage: Stage) -> Self {
        Self { stage, state: None, rang: false, caller: CallerId::default(), key: None, over: None }
    }
}

/// How long a modem may take to pick up: cellular ones ask the network.
const ANSWER_PATIENCE: Duration = Duration::from_secs(15);

/// How long after the end of a call (^CEND) the word that says why may take.
const WHY_PATIENCE: Duration = Duration::from_secs(1);

impl Machine {
    // --- requests ----------------------------------------------------------------------------------------------

    /// Places a call. The request completes when dialling begins.
    pub(crate) fn dial(&mut self, now: Duration, request: RequestId, number: &str, block_id: bool) {
        let refused = match &self.port {
            Port::Lost { .. } | Port::Opening => Some(self.out_of_service()),
            Port::Open if self.closing => Some(LineError::InvalLineHandle),
            Port::Open if self.call.is_some() => {
                Some(LineError::ResourceUnavail("the modem has a call".to_owned()))
            }
            // To dial now would be to answer.
            Port::Open if self.ringing.is_some() => {
                Some(LineError::ResourceUnavail("the line rings".to_owned()))
            }
            Port::Open => None,
        };
        if let Some(error) = refused {
            self.complete(request, Err(error));
            return;
        }
        let until = now.saturating_add(READY_PATIENCE);
        self.call = Some(Call::new(Stage::Waiting { request, until }));
        let text = profile::dial(&self.config, number, block_id);
        let patience = Duration::from_millis(self.config.dial_timeout_ms);
        self.push(Job { text, purpose: Purpose::Dial(request), patience });
        self.pump(now);
    }

    /// The application will answer, or not; the caller hears ringing anyway.
    pub(crate) fn accept(&mut self, request: RequestId) {
        let offered = self
            .call
            .as_ref()
            .is_some_and(|call| call.stage == Stage::Ringing && call.state == Some(LineCallState::Offering));
        self.complete(request, if offered { Ok(()) } else { Err(LineError::InvalCallState) });
        if offered {
            self.state(LineCallState::Accepted);
        }
    }

    /// Answers the call that rings.
    pub(crate) fn answer(&mut self, now: Duration, request: RequestId) {
        match &mut self.call {
            Some(call) if call.stage == Stage::Ringing => call.stage = Stage::Answering(request),
            _ => {
                self.complete(request, Err(LineError::InvalCallState));
                return;
            }
        }
        let patience = self.patience().max(ANSWER_PATIENCE);
        let text = profile::answer(&self.config).to_owned();
        self.push(Job { text, purpose: Purpose::Answer, patience });
        self.pump(now);
    }

    /// Sends digits to the far end, one command each.
    pub(crate) fn send_digits(&mut self, now: Duration, request: RequestId, digits: &str) {
        if !self.call.as_ref().is_some_and(|call| call.stage == Stage::Connected) {
            self.complete(request, Err(LineError::InvalCallState));
            return;
        }
        if self.jobs.len() > MAX_JOBS {
            self.complete(request, Err(LineError::ResourceUnavail("too many digits wait".to_owned())));
            return;
        }
        let commands: Option<Vec<_>> =
            digits.chars().map(|digit| profile::digit(&self.config, digit)).collect();
        let Some(mut commands) = commands.filter(|commands| !commands.is_empty()) else {
            self.complete(
                request,
                Err(LineError::InvalParam(format!("{digits:?}: the modem cannot send this"))),
            );
            return;
        };
        let last = commands.pop();
        for command in commands {
            self.queue(&command, Purpose::Digit { request, last: false });
        }
        if let Some(command) = last {
            self.queue(&command, Purpose::Digit { request, last: true });
        }
        self.pump(now);
    }

    /// Ends the call, whatever it is doing; Idle follows when the modem has hung up.
    pub(crate) fn drop_call(&mut self, now: Duration, request: RequestId) {
        let Some(stage) = self.call.as_ref().map(|call| call.stage) else {
            self.complete(request, Err(LineError::InvalCallState));
            return;
        };
        match stage {
            Stage::Dropping(_) => self.complete(request, Err(LineError::InvalCallState)),
            Stage::Waiting { request: making, .. } => {
                self.give_up_waiting(making, LineError::failed("the call was dropped"));
                self.complete(request, Ok(()));
            }
            Stage::Ended => self.idle(request),
            Stage::Ringing => self.reject(Some(request)),
            Stage::Dialling | Stage::Progressing { .. } | Stage::Answering(_) | Stage::Connected => {
                self.let_go(now, Some(request));
            }
        }
        self.pump(now);
    }

    /// Nobody wants to hear of the call any more. Its commands end by themselves.
    pub(crate) fn close_call(&mut self, now: Duration) {
        let Some(stage) = self.call.as_ref().map(|call| call.stage) else { return };
        match stage {
            Stage::Waiting { request, .. } => {
                self.give_up_waiting(request, LineError::failed("the call was closed"));
                return;
            }
            Stage::Ringing => self.reject(None),
            Stage::Dialling | Stage::Progressing { .. } | Stage::Answering(_) | Stage::Connected => {
                self.let_go(now, None);
            }
            Stage::Ended | Stage::Dropping(_) => {}
        }
        self.call = None;
        self.pump(now);
    }

    /// Says no to a call that rings.
    fn reject(&mut self, request: Option<RequestId>) {
        if let Some(ringing) = &mut self.ringing {
            ringing.ignored = true;
            ringing.announce = None;
        }
        let pick_up = profile::pick_up(&self.config);
        let silently = pick_up.is_some() && self.config.reject == Rejecting::Ignore;
        if silently {
            if let Some(request) = request {
                self.idle(request);
            }
            return;
        }
        if let Some(command) = pick_up {
            self.queue(command, Purpose::Aside);
        }
        self.queue_hang_up(request);
    }

    /// Hangs up a call that has an end at the modem.
    fn let_go(&mut self, now: Duration, request: Option<RequestId>) {
        let failed = || LineError::failed("the call was dropped");
        self.cancel(&failed());
        self.abort(now);
        self.queue_hang_up(request);
    }

    fn queue_hang_up(&mut self, request: Option<RequestId>) {
        if let Some(call) = &mut self.call {
            call.stage = Stage::Dropping(request);
        }
        self.queue(profile::hang_up(&self.config), Purpose::HangUp(request));
        for command in profile::after_call(&self.config) {
            self.queue(command, Purpose::Aside);
        }
    }

    /// Fails what still waits: an answer, digits.
    fn cancel(&mut self, error: &LineError) {
        let stage = self.call.as_mut().map(|call| {
            let stage = call.stage;
            if matches!(stage, Stage::Answering(_)) {
                call.stage = Stage::Ringing;
            }
            stage
        });
        let mut failed: Vec<RequestId> = Vec::new();
        if let Some(Stage::Answering(request)) = stage {
            failed.push(request);
        }
        let running = self.running.as_ref().map(|running| &running.job);
        for job in running.into_iter().chain(&self.jobs) {
            if let Purpose::Digit { request, .. } = job.purpose
                && !failed.contains(&request)
            {
                failed.push(request);
            }
        }
        // A digit that is out ends as a command of no interest.
        if let Some(Running { job, .. }) = &mut self.running
            && matches!(job.purpose, Purpose::Digit { .. } | Purpose::List)
        {
            job.purpose = Purpose::Aside;
        }
        self.jobs.retain(|job| {
            !matches!(job.purpose, Purpose::Digit { .. } | Purpose::List | Purpose::Answer | Purpose::Dial(_))
        });
        for request in failed {
            self.complete(request, Err(error.clone()));
        }
    }

    pub(super) fn give_up_waiting(&mut self, request: RequestId, error: LineError) {
        self.jobs.retain(|job| job.purpose != Purpose::Dial(request));
        self.call = None;
        self.complete(request, Err(error));
    }

    // --- what the modem's commands come to ---------------------------------------------------------------------

    /// ATD leaves.
    pub(super) fn dialling(&mut self, now: Duration, request: RequestId) {
        if let Some(call) = &mut self.call {
            call.stage = Stage::Dialling;
        }
        tracing::debug!(port = self.config.port, at = ?now, "dialling");
        self.complete(request, Ok(()));
        self.state(LineCallState::Dialing);
    }

    /// ATD was answered, or its time has come.
    pub(super) fn dialled(&mut self, now: Duration, code: Code) {
        if !self.call.as_ref().is_some_and(|call| call.stage == Stage::Dialling) {
            return;
        }
        match code {
            Code::Ok if self.config.profile == Profile::Gsm => {
                let until = now.saturating_add(Duration::from_millis(self.config.dial_timeout_ms));
                if let Some(call) = &mut self.call {
                    let list = Some(now.saturating_add(LIST_EVERY));
                    call.stage = Stage::Progressing { until, list, missing: 0 };
                }
                self.state(LineCallState::Proceeding);
            }
            Code::Ok | Code::Vcon => self.connected(),
            code => {
                let mode = outcome::mode(self.config.profile, self.progress(), code);
                self.ended(now, mode.unwrap_or(DisconnectMode::Unknown));
            }
        }
    }

    /// Nobody has answered for too long.
    pub(super) fn not_answered(&mut self, now: Duration) {
        self.ended(now, DisconnectMode::NoAnswer);
    }

    /// ATA was answered.
    pub(super) fn taken(&mut self, now: Duration, code: Code) {
        let Some(Stage::Answering(request)) = self.call.as_ref().map(|call| call.stage) else { return };
        self.ringing = None;
        match code {
            Code::Ok | Code::Vcon => {
                self.complete(request, Ok(()));
                self.connected();
            }
            Code::Connect | Code::Machine => {
                let error = LineError::failed("a modem calls, or a facsimile machine");
                self.not_taken(now, error, DisconnectMode::Incompatible);
            }
            Code::Error | Code::Cme(_) => {
                self.not_taken(now, LineError::failed("the modem does not pick up"), DisconnectMode::Unavail);
            }
            _ => self.not_taken(now, LineError::failed("the caller has gone"), DisconnectMode::Cancelled),
        }
    }

    /// ATA has failed.
    pub(super) fn not_taken(&mut self, now: Duration, error: LineError, mode: DisconnectMode) {
        let Some(Stage::Answering(request)) = self.call.as_ref().map(|call| call.stage) else { return };
        if let Some(call) = &mut self.call {
            call.stage = Stage::Ringing;
        }
        self.ringing = None;
        self.complete(request, Err(error));
        self.ended(now, mode);
        // Half picked up may be picked up.
        self.queue_hang_up_after_end();
    }

    /// The modem has hung up, or as good as.
    pub(super) fn hung_up(&mut self, request: Option<RequestId>, result: Result<(), LineError>) {
        let Some(request) = request else { return };
        self.complete(request, result);
        // It may have been closed meanwhile, and another have come.
        if self.call.as_ref().is_some_and(|call| call.stage == Stage::Dropping(Some(request))) {
            self.state(LineCallState::Idle);
            self.call = None;
        }
    }

    /// The call is dropped, and nothing is left to do for it.
    fn idle(&mut self, request: RequestId) {
        self.complete(request, Ok(()));
        self.state(LineCallState::Idle);
        self.call = None;
    }

    pub(super) fn digits_failed(&mut self, request: RequestId, error: LineError) {
        self.jobs.retain(|job| !matches!(job.purpose, Purpose::Digit { request: of, .. } if of == request));
        self.complete(request, Err(error));
    }

    // --- what becomes of the call ------------------------------------------------------------------------------

    fn connected(&mut self) {
        if let Some(call) = &mut self.call {
            call.stage = Stage::Connected;
            call.key = None;
        }
        self.state(LineCallState::Connected(ConnectedMode::Active));
    }

    pub(super) fn progress(&self) -> Progress {
        match &self.call {
            Some(call) if call.stage == Stage::Connected => Progress::Connected,
            Some(call) if call.rang => Progress::Rang,
            _ => Progress::Dialled,
        }
    }

    /// The far end rings.
    pub(super) fn rings_there(&mut self) {
        let Some(call) = &mut self.call else { return };
        if matches!(call.stage, Stage::Dialling | Stage::Progressing { .. }) {
            call.rang = true;
            self.state(LineCallState::Ringback);
        }
    }

    /// The network works on it.
    pub(super) fn proceeding(&mut self) {
        let Some(call) = &self.call else { return };
        if matches!(call.stage, Stage::Dialling | Stage::Progressing { .. })
            && call.state == Some(LineCallState::Dialing)
        {
            self.state(LineCallState::Proceeding);
        }
    }

    /// The far end has answered, says a cellular module; ATD may still be out.
    pub(super) fn answered_there(&mut self, now: Duration) {
        let patience = self.patience();
        match self.call.as_ref().map(|call| call.stage) {
            Some(Stage::Progressing { .. }) => self.connected(),
            Some(Stage::Dialling) => {
                if let Some(running) = &mut self.running
                    && matches!(running.job.purpose, Purpose::Dial(_))
                {
                    // Its OK is yet to come and says nothing new.
                    running.job.purpose = Purpose::Aside;
                    running.by = running.by.min(now.saturating_add(patience));
                }
                self.connected();
            }
            _ => {}
        }
    }

    /// A code that is not the answer to a command is about the call.
    pub(super) fn call_code(&mut self, now: Duration, code: Code) {
        let Some(stage) = self.call.as_ref().map(|call| call.stage) else { return };
        match stage {
            Stage::Connected | Stage::Progressing { .. } => {
                let only_of_dialling = matches!(code, Code::Error | Code::Cme(_) | Code::Connect);
                if let Some(mode) = outcome::mode(self.config.profile, self.progress(), code)
                    && !only_of_dialling
                {
                    self.ended(now, mode);
                }
            }
            // The caller has given up.
            Stage::Ringing if code == Code::NoCarrier => {
                self.ringing = None;
                self.ended(now, DisconnectMode::Cancelled);
            }
            _ => {}
        }
    }

    /// The call is over, says the module.
    pub(super) fn over(&mut self, now: Duration, cause: Option<u8>) {
        let Some(stage) = self.call.as_ref().map(|call| call.stage) else { return };
        let mode = match (stage, cause) {
            (Stage::Ringing | Stage::Answering(_), _) => {
                self.ringing = None;
                DisconnectMode::Cancelled
            }
            (Stage::Connected | Stage::Dialling | Stage::Progressing { .. }, Some(cause)) => {
                outcome::of_cause(cause)
            }
            (Stage::Connected | Stage::Dialling | Stage::Progressing { .. }, None) => {
                if let Some(call) = &mut self.call {
                    call.over = call.over.or(Some(now.saturating_add(WHY_PATIENCE)));
                }
                return;
            }
            _ => return,
        };
        self.ended(now, mode);
    }

    /// The call is over.
    pub(super) fn ended(&mut self, now: Duration, mode: DisconnectMode) {
        let Some(stage) = self.call.as_ref().map(|call| call.stage) else { return };
        if matches!(stage, Stage::Waiting { .. } | Stage::Ended | Stage::Dropping(_)) {
            return;
        }
        self.cancel(&LineError::failed("the call has ended"));
        if let Some(call) = &mut self.call {
            call.stage = Stage::Ended;
            call.key = None;
        }
        self.state(LineCallState::Disconnected(mode));
        if stage != Stage::Ringing {
            // It may have hung up by itself; this makes sure, and readies it for the next call.
            self.abort(now);
            self.queue_hang_up_after_end();
        }
    }

    fn queue_hang_up_after_end(&mut self) {
        self.queue(profile::hang_up(&self.config), Purpose::HangUp(None));
        for command in profile::after_call(&self.config) {
            self.queue(command, Purpose::Aside);
        }
    }

    /// The modem has gone, and the call with it.
    pub(super) fn call_lost(&mut self, error: &LineError) {
        let Some(stage) = self.call.as_ref().map(|call| call.stage) else { return };
        match stage {
            Stage::Waiting { request, .. } => self.give_up_waiting(request, error.clone()),
            Stage::Dropping(_) => {
                self.state(LineCallState::Idle);
                self.call = None;
            }
            Stage::Ended => {}
            _ => {
                if let Stage::Answering(request) = stage {
                    self.complete(request, Err(error.clone()));
                }
                if let Some(call) = &mut self.call {
                    call.stage = Stage::Ended;
                }
                self.state(LineCallState::Disconnected(DisconnectMode::TempFailure));
            }
        }
    }

    pub(super) fn state(&mut self, state: LineCallState) {
        if let Some(call) = &mut self.call
            && call.state != Some(state)
        {
            call.state = Some(state);
            self.event(Event::State(state));
        }
    }

    // --- time --------------------------------------------------------------------------------------------------

    pub(super) fn call_deadline(&self) -> Option<Duration> {
        let of_call = self.call.as_ref().and_then(|call| match call.stage {
            Stage::Waiting { until, .. } => Some(until),
            Stage::Progressing { until, list, .. } => Some(list.map_or(until, |list| list.min(until))),
            _ => None,
        });
        let over = self.call.as_ref().and_then(|call| call.over);
        [of_call, over, self.ringing_deadline()].into_iter().flatten().min()
    }

    pub(super) fn call_timeout(&mut self, now: Duration) {
        match self.call.as_ref().map(|call| call.stage) {
            Some(Stage::Waiting { request, until }) if until <= now => {
                self.give_up_waiting(request, LineError::failed("the modem did not become ready in time"));
            }
            Some(Stage::Progressing { until, .. }) if until <= now => self.not_answered(now),
            Some(Stage::Progressing { until, list: Some(list), missing }) if list <= now => {
                self.queue(profile::LIST, Purpose::List);
                if let Some(call) = &mut self.call {
                    call.stage = Stage::Progressing { until, list: None, missing };
                }
            }
            _ => {}
        }
        if self.call.as_mut().is_some_and(|call| call.over.take_if(|by| *by <= now).is_some()) {
            let mode = outcome::mode(self.config.profile, self.progress(), Code::NoCarrier);
            self.ended(now, mode.unwrap_or(DisconnectMode::Unknown));
        }
        self.ringing_timeout(now);
    }

    /// The module's list of calls, or that it has none to give.
    pub(super) fn listed(&mut self, now: Duration, calls: &[Listed], answered: bool) {
        let Some(Call { stage: Stage::Progressing { until, missing, .. }, .. }) = self.call else { return };
        let again = Some(now.saturating_add(LIST_EVERY));
        let ours = calls.iter().find(|call| call.outgoing && call.voice);
        let (list, missing) = match ours.map(|call| call.status) {
            // Without a list, OK to ATD is the last word: whether somebody answers is not known.
            _ if !answered => {
                self.connected();
                return;
            }
            Some(0 | 1) => {
                self.connected();
                return;
            }
            Some(3) => {
                self.rings_there();
                (again, 0)
            }
            Some(_) => (again, 0),
            // It may not have entered it yet, or its word may be on its way.
            None if missing < 2 => (again, missing + 1),
            None => {
                let mode = outcome::mode(self.config.profile, self.progress(), Code::NoCarrier);
                self.ended(now, mode.unwrap_or(DisconnectMode::Unknown));
                return;
            }
        };
        if let Some(call) = &mut self.call {
            call.stage = Stage::Progressing { until, list, missing };
        }
    }
}
