//! Takes what the provider reports, and holds every report to the rules that always stand.
//!
//! In: [`TspEvents`], from any thread. Out: a log that checks wait for; findings.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use offhook_spi::{
    CallInfoChange, Completion, DigitMode, HdCall, HtCall, HtLine, HtMspLine, HtPhone, LineCallState as S,
    LineDevState, LineError, Opaque, PhoneEvent, RequestId, Timestamp, TspEvents, Tspi,
};

use crate::legal::may_follow;
use crate::rules::{Findings, Rule};

/// How long a request may take that is made from inside a report.
const REENTRY: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(crate) struct Recorder {
    inner: Mutex<Log>,
    changed: Condvar,
    provider: OnceLock<Arc<dyn Tspi>>,
}

#[derive(Default)]
pub(crate) struct Log {
    pub(crate) findings: Findings,
    pub(crate) requests: BTreeMap<RequestId, Asked>,
    pub(crate) calls: BTreeMap<HtCall, Seen>,
    pub(crate) lines: BTreeSet<HtLine>,
    pub(crate) buffers: VecDeque<Buffer>,
    pub(crate) dev_specific: Vec<(Option<HtCall>, Opaque)>,
    pub(crate) phone: Vec<(HtPhone, PhoneEvent)>,
    /// Calls that arrive are taken.
    pub(crate) willing: bool,
    /// Calls that were turned away.
    pub(crate) turned_away: u32,
    /// Calls that were announced, newest last.
    pub(crate) announced: Vec<HtCall>,
    /// Nothing may be told any more.
    pub(crate) over: bool,
    /// The call that the requests outstanding now are about was closed.
    pub(crate) closed: bool,
    last: u64,
    stuck: bool,
}

/// A request that was made.
pub(crate) struct Asked {
    pub(crate) what: String,
    /// The calls that it makes.
    makes: Vec<HtCall>,
    /// Whether it was taken; none while it has not returned.
    pub(crate) taken: Option<bool>,
    pub(crate) completions: Vec<Result<Completion, LineError>>,
    /// Whether it completed after its call had been closed.
    pub(crate) after_close: bool,
}

/// A buffer for an MSP.
pub(crate) struct Buffer {
    pub(crate) call: Option<HtCall>,
    pub(crate) data: Opaque,
}

/// A call as the provider told it.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) line: HtLine,
    pub(crate) hd: Option<HdCall>,
    /// It may be named.
    valid: bool,
    announced: bool,
    closed: bool,
    pub(crate) states: Vec<(S, Timestamp)>,
    /// Buffers about it, with the instance that they were for.
    pub(crate) buffers: Vec<Option<HtMspLine>>,
}

impl Seen {
    pub(crate) fn state(&self) -> Option<S> {
        self.states.last().map(|(state, _)| *state)
    }
}

impl Log {
    /// A name for a call that a request is about to make.
    pub(crate) fn fresh(&mut self, line: HtLine) -> HtCall {
        self.last += 1;
        let ht = HtCall(self.last);
        self.calls.insert(ht, Seen { line, ..Seen::default() });
        ht
    }

    /// Enters a request.
    pub(crate) fn ask(&mut self, what: &str, makes: &[HtCall]) -> RequestId {
        let id = RequestId(u32::try_from(self.requests.len()).unwrap_or(u32::MAX).saturating_add(1));
        let asked = Asked {
            what: what.to_owned(),
            makes: makes.to_vec(),
            taken: None,
            completions: Vec::new(),
            after_close: false,
        };
        self.requests.insert(id, asked);
        id
    }

    pub(crate) fn close(&mut self, ht: HtCall) {
        if let Some(seen) = self.calls.get_mut(&ht) {
            seen.closed = true;
        }
    }

    /// A report names a call: is it one that may be named?
    fn named(&mut self, line: HtLine, ht: HtCall, what: &str) -> Option<&mut Seen> {
        let Self { calls, findings, lines, over, .. } = self;
        if *over {
            findings.broken(Rule::Shutdown, format!("after the shutdown: {what}"));
        }
        let Some(seen) = calls.get_mut(&ht) else {
            findings.broken(Rule::ValidFirst, format!("{what} of a call that nobody named {}", ht.0));
            return None;
        };
        if seen.closed {
            findings.broken(Rule::CloseSilent, format!("{what} after CloseCall"));
        } else if !seen.valid {
            findings.broken(Rule::ValidFirst, format!("{what} before the call is valid"));
            if what.starts_with("Connected") || what.starts_with("Ringback") || what.starts_with("Proceeding")
            {
                findings.broken(Rule::MakeCompletes, format!("{what} before MakeCall's completion"));
            }
        } else {
            findings.kept(Rule::ValidFirst);
        }
        if seen.line != line {
            findings.broken(
                Rule::ValidFirst,
                format!("{what} on line {}, the call is on {}", line.0, seen.line.0),
            );
        }
        if !lines.contains(&line) && !*over {
            findings.broken(Rule::LineClose, format!("{what} on a line that was closed"));
        }
        if seen.announced && seen.states.is_empty() && !what.ends_with("state") {
            findings.broken(Rule::NewCallOrder, format!("{what} between NEWCALL and the first state"));
        }
        Some(seen)
    }
}

impl Recorder {
    pub(crate) fn new(provider: &Arc<dyn Tspi>) -> Arc<Self> {
        let recorder = Arc::new(Self::default());
        // It was made a line ago and nobody else has it.
        let _ = recorder.provider.set(Arc::clone(provider));
        recorder
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Log> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits a little for something to happen.
    pub(crate) fn wait_a_little(&self) {
        drop(self.changed.wait_timeout(self.lock(), Duration::from_millis(5)));
    }

    fn note(&self, act: impl FnOnce(&mut Log)) {
        act(&mut self.lock());
        self.changed.notify_all();
    }

    /// Asks something from inside a report, as brokers do.
    fn ask_back(&self) {
        let Some(provider) = self.provider.get() else { return };
        if self.lock().stuck {
            return;
        }
        let (provider, (done, waits)) = (Arc::clone(provider), mpsc::channel());
        std::thread::spawn(move || {
            // What it answers does not matter, nor whether anybody waits still.
            let _ = provider.line_call_info(HdCall(u64::MAX));
            let _ = done.send(());
        });
        match waits.recv_timeout(REENTRY) {
            Ok(()) => self.lock().findings.kept(Rule::Reentry),
            Err(_) => {
                let mut log = self.lock();
                log.stuck = true;
                log.findings.broken(Rule::Reentry, "line_call_info does not return while a report is made");
            }
        }
    }
}

impl TspEvents for Recorder {
    fn async_answer(&self, request: RequestId, result: Result<Completion, LineError>) {
        self.note(|log| {
            let Log { requests, calls, findings, closed, .. } = log;
            let Some(asked) = requests.get_mut(&request) else {
                findings.broken(
                    Rule::CompletionOnce,
                    format!("a completion of request {}, which nobody made", request.0),
                );
                return;
            };
            if !asked.completions.is_empty() {
                findings.broken(Rule::CompletionOnce, format!("{} completes again", asked.what));
            } else if asked.taken == Some(false) {
                findings.broken(Rule::CompletionOnce, format!("{} was refused and completes", asked.what));
            } else {
                findings.kept(Rule::CompletionOnce);
            }
            if result.is_ok() {
                for ht in &asked.makes {
                    if let Some(call) = calls.get_mut(ht) {
                        call.valid = true;
                    }
                }
            }
            asked.after_close = *closed;
            asked.completions.push(result);
        });
    }

    fn new_call(&self, line: HtLine, call: HdCall) -> Option<HtCall> {
        self.ask_back();
        let mut log = self.lock();
        if log.over {
            log.findings.broken(Rule::Shutdown, "NEWCALL after the shutdown");
        }
        if !log.lines.contains(&line) {
            log.findings.broken(Rule::LineClose, "NEWCALL on a line that is not open");
        }
        let ht = if log.willing {
            let ht = log.fresh(line);
            if let Some(seen) = log.calls.get_mut(&ht) {
                (seen.hd, seen.valid, seen.announced) = (Some(call), true, true);
            }
            log.announced.push(ht);
            Some(ht)
        } else {
            log.turned_away += 1;
            None
        };
        drop(log);
        self.changed.notify_all();
        ht
    }

    fn call_state(&self, line: HtLine, call: HtCall, state: S, at: Timestamp) {
        self.ask_back();
        self.note(|log| {
            let Some(seen) = log.named(line, call, &format!("{state:?}, a state")) else { return };
            let (before, announced) = (seen.states.last().copied(), seen.announced);
            seen.states.push((state, at));
            match before {
                None => {
                    if announced {
                        log.findings.kept(Rule::NewCallOrder);
                    }
                }
                Some((was, then)) => {
                    if may_follow(was, state) || was == state {
                        log.findings.kept(Rule::States);
                    } else {
                        log.findings.broken(Rule::States, format!("{was:?} became {state:?}"));
                    }
                    if was == S::Idle {
                        log.findings.broken(Rule::States, format!("{state:?} after Idle"));
                    }
                    if at < then {
                        log.findings
                            .broken(Rule::Times, format!("{state:?} is earlier than {was:?} before it"));
                    } else {
                        log.findings.kept(Rule::Times);
                    }
                }
            }
        });
    }

    fn call_info(&self, line: HtLine, call: HtCall, change: CallInfoChange) {
        self.ask_back();
        self.note(|log| {
            let Some(seen) = log.named(line, call, &format!("{change:?}, an information")) else { return };
            if seen.state() == Some(S::Idle) {
                log.findings.broken(Rule::InfoAfterIdle, format!("{change:?} after Idle"));
            } else {
                log.findings.kept(Rule::InfoAfterIdle);
            }
        });
    }

    fn digit(&self, line: HtLine, call: HtCall, digit: char, _: DigitMode, _: Option<Duration>) {
        self.note(|log| {
            log.named(line, call, &format!("digit {digit}"));
        });
    }

    fn send_msp_data(
        &self,
        line: HtLine,
        call: Option<HtCall>,
        msp: Option<HtMspLine>,
        data: Opaque,
    ) -> Result<(), LineError> {
        self.note(|log| {
            if let Some(seen) = call.and_then(|call| log.named(line, call, "a buffer")) {
                seen.buffers.push(msp);
            }
            log.buffers.push_back(Buffer { call, data });
        });
        Ok(())
    }

    fn line_dev_specific(&self, line: HtLine, call: Option<HtCall>, data: Opaque) {
        self.note(|log| {
            if let Some(call) = call {
                log.named(line, call, "a word of the extension");
            }
            log.dev_specific.push((call, data));
        });
    }

    fn phone_event(&self, phone: HtPhone, event: PhoneEvent) {
        self.note(|log| log.phone.push((phone, event)));
    }

    fn phone_closed(&self, _: HtPhone, _: LineError) {}

    fn line_dev_state(&self, _: HtLine, _: LineDevState) {}

    fn line_closed(&self, line: HtLine, _: LineError) {
        self.note(|log| {
            log.lines.remove(&line);
        });
    }
}
