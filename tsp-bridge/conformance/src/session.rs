//! A run of the suite on one provider: requests, and waiting for what comes of them.
//!
//! In: checks. Out: requests to the provider; findings. Everything is driven from one thread; the provider reports
//! from wherever it likes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use offhook_spi::{
    ApiVersion, CallFeatures, CallParams, Completion, DisconnectMode, HdCall, HdLine, HdMspLine, HtCall,
    HtLine, HtMspLine, LineCallState as S, LineDevCaps, LineError, MediaTypes, RequestId, Tspi,
};

use crate::harness::Harness;
use crate::recorder::{Log, Recorder, Seen};
use crate::rules::Rule;

/// The device that the suite opens.
pub(crate) const DEVICE: u32 = 0;

/// How long a report that was under way when a call or a line was closed may take to arrive.
pub(crate) const UNDER_WAY: Duration = Duration::from_millis(10);

pub(crate) struct Session<'a> {
    pub(crate) provider: Arc<dyn Tspi>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) harness: &'a mut dyn Harness,
    pub(crate) caps: LineDevCaps,
    pub(crate) version: ApiVersion,
    pub(crate) ht_line: HtLine,
    pub(crate) line: HdLine,
    pub(crate) msp: Option<HdMspLine>,
    lines: u64,
}

/// A call, by both names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) ht: HtCall,
    pub(crate) hd: HdCall,
}

/// What came of a request.
pub(crate) enum Came<R> {
    /// It was taken, and completed so.
    Completed(R, Result<Completion, LineError>),
    /// It was refused.
    Refused(LineError),
    /// It was taken and never completed, or it panicked; that has been found.
    Nothing,
}

impl<R> Came<R> {
    /// What it made, if it went well.
    pub(crate) fn made(self) -> Result<(R, Completion), String> {
        match self {
            Self::Completed(made, Ok(completion)) => Ok((made, completion)),
            Self::Completed(_, Err(error)) => Err(format!("completes with: {error}")),
            Self::Refused(error) => Err(format!("is refused: {error}")),
            Self::Nothing => Err("comes to nothing".to_owned()),
        }
    }

    /// The error, if there was one.
    pub(crate) fn error(self) -> Option<LineError> {
        match self {
            Self::Completed(_, Err(error)) | Self::Refused(error) => Some(error),
            Self::Completed(_, Ok(_)) | Self::Nothing => None,
        }
    }
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        provider: Arc<dyn Tspi>,
        harness: &'a mut dyn Harness,
        caps: LineDevCaps,
        version: ApiVersion,
    ) -> Self {
        let recorder = Recorder::new(&provider);
        let (ht_line, line) = (HtLine(0), HdLine(0));
        Self { provider, recorder, harness, caps, version, ht_line, line, msp: None, lines: 0 }
    }

    pub(crate) fn has(&self, verb: CallFeatures) -> bool {
        self.caps.features.contains(verb)
    }

    pub(crate) fn log<R>(&self, look: impl FnOnce(&mut Log) -> R) -> R {
        look(&mut self.recorder.lock())
    }

    pub(crate) fn kept(&self, rule: Rule) {
        self.log(|log| log.findings.kept(rule));
    }

    pub(crate) fn broken(&self, rule: Rule, why: impl Into<String>) {
        self.log(|log| log.findings.broken(rule, why));
    }

    pub(crate) fn not_here(&self, rule: Rule, why: impl Into<String>) {
        self.log(|log| log.findings.not_here(rule, why));
    }

    /// The rule is kept if that is so.
    pub(crate) fn check(&self, rule: Rule, is_so: bool, else_why: impl FnOnce() -> String) -> bool {
        if is_so {
            self.kept(rule)
        } else {
            self.broken(rule, else_why())
        }
        is_so
    }

    /// Opens the device, with an MSP behind it if there are any, and listens.
    pub(crate) fn open(&mut self) -> Result<(), LineError> {
        self.lines += 1;
        self.ht_line = HtLine(self.lines);
        let ht = self.ht_line;
        self.log(|log| {
            log.lines.insert(ht);
            log.willing = true;
        });
        self.line = self.provider.line_open(DEVICE, ht, self.version)?;
        self.msp = None;
        if self.caps.has_msp {
            let msp = self.provider.line_create_msp_instance(self.line, 0, HtMspLine(self.lines * 100))?;
            self.msp = Some(msp);
        }
        self.provider.line_set_default_media_detection(self.line, self.media())
    }

    /// Opens device 1 beside it, does something, and closes it with its calls. None if there is no device 1.
    pub(crate) fn with_neighbour<R>(&mut self, act: impl FnOnce(&mut Self) -> R) -> Option<R> {
        if self.provider.line_devices() < 2 {
            return None;
        }
        self.lines += 1;
        let ht = HtLine(self.lines);
        self.log(|log| log.lines.insert(ht));
        let line = self.provider.line_open(1, ht, self.version).ok()?;
        let media = self.media();
        let listens = self.provider.line_set_default_media_detection(line, media);
        let done = listens.is_ok().then(|| act(self));
        let left: Vec<_> = self.log(|log| {
            let ours = log.calls.iter().filter(|(_, seen)| seen.line == ht);
            ours.filter_map(|(ht, seen)| Some(Call { ht: *ht, hd: seen.hd? })).collect()
        });
        for call in left {
            self.release(call);
        }
        let closed = self.provider.line_close(line);
        self.check(Rule::LineClose, closed.is_ok(), || format!("device 1: {closed:?}"));
        self.log(|log| log.lines.remove(&ht));
        done
    }

    /// What calls of the device carry: audio if it can.
    pub(crate) fn media(&self) -> MediaTypes {
        let audio = self.caps.media.intersection(MediaTypes::AUDIO);
        if audio.is_empty() { self.caps.media } else { audio }
    }

    pub(crate) fn params(&self, destination: &str) -> CallParams {
        CallParams { destination: destination.to_owned(), media: self.media(), ..CallParams::default() }
    }

    pub(crate) fn fresh(&self) -> HtCall {
        let line = self.ht_line;
        self.log(|log| log.fresh(line))
    }

    /// Calls something; a panic is a finding.
    pub(crate) fn safely<R>(&self, what: &str, act: impl FnOnce(&dyn Tspi) -> R) -> Option<R> {
        let provider = Arc::clone(&self.provider);
        match catch_unwind(AssertUnwindSafe(|| act(&*provider))) {
            Ok(answer) => Some(answer),
            Err(_) => {
                self.broken(Rule::Handles, format!("{what} panics"));
                None
            }
        }
    }

    /// Makes a request and does not wait.
    pub(crate) fn ask<R>(
        &mut self,
        what: &str,
        makes: &[HtCall],
        act: impl FnOnce(&dyn Tspi, RequestId) -> Result<R, LineError>,
    ) -> (RequestId, Option<Result<R, LineError>>) {
        let id = self.log(|log| log.ask(what, makes));
        let answer = self.safely(what, |provider| act(provider, id));
        self.log(|log| {
            let Some(asked) = log.requests.get_mut(&id) else { return };
            asked.taken = Some(matches!(answer, Some(Ok(_))));
            if asked.taken == Some(false) && !asked.completions.is_empty() {
                log.findings.broken(Rule::CompletionOnce, format!("{what} completes and is refused"));
            }
        });
        (id, answer)
    }

    /// Makes a request and waits for its completion.
    pub(crate) fn come<R>(
        &mut self,
        what: &str,
        makes: &[HtCall],
        act: impl FnOnce(&dyn Tspi, RequestId) -> Result<R, LineError>,
    ) -> Came<R> {
        match self.ask(what, makes, act) {
            (id, Some(Ok(made))) => match self.completion(id) {
                Some(completion) => Came::Completed(made, completion),
                None => Came::Nothing,
            },
            (_, Some(Err(error))) => Came::Refused(error),
            (_, None) => Came::Nothing,
        }
    }

    /// The completion of a request that was taken.
    pub(crate) fn completion(&mut self, id: RequestId) -> Option<Result<Completion, LineError>> {
        let came = self.wait(|log| log.requests.get(&id)?.completions.first().cloned());
        if came.is_none() {
            self.log(|log| {
                let what = log.requests.get(&id).map(|asked| asked.what.clone()).unwrap_or_default();
                log.findings.broken(Rule::CompletionOnce, format!("{what} never completes"));
            });
        }
        came
    }

    /// A request about a call that is to succeed.
    pub(crate) fn does(
        &mut self,
        rule: Rule,
        what: &str,
        act: impl FnOnce(&dyn Tspi, RequestId) -> Result<(), LineError>,
    ) -> Option<Completion> {
        match self.come(what, &[], act).made() {
            Ok(((), completion)) => Some(completion),
            Err(why) => {
                self.broken(rule, format!("{what} {why}"));
                None
            }
        }
    }

    /// A request that is to fail.
    pub(crate) fn fails(
        &mut self,
        rule: Rule,
        what: &str,
        act: impl FnOnce(&dyn Tspi, RequestId) -> Result<(), LineError>,
    ) {
        let came = self.come(what, &[], act);
        if matches!(came, Came::Nothing) {
            return;
        }
        let failed = came.error().is_some();
        self.check(rule, failed, || format!("{what} succeeds"));
    }

    /// Waits until something is so.
    pub(crate) fn wait<R>(&mut self, mut found: impl FnMut(&mut Log) -> Option<R>) -> Option<R> {
        let (began, patience) = (Instant::now(), self.harness.patience());
        loop {
            self.move_on();
            if let Some(found) = self.log(&mut found) {
                return Some(found);
            }
            if began.elapsed() >= patience {
                return None;
            }
            self.recorder.wait_a_little();
        }
    }

    /// Watches for a while.
    pub(crate) fn still(&mut self) {
        let (began, stillness) = (Instant::now(), self.harness.stillness());
        while began.elapsed() < stillness {
            self.move_on();
            self.recorder.wait_a_little();
        }
    }

    /// Lets the world go on: the MSP answers, the harness moves.
    fn move_on(&mut self) {
        self.harness.move_on();
        while let Some(buffer) = self.log(|log| log.buffers.pop_front()) {
            let Some(msp) = self.msp else { continue };
            let hd = buffer.call.and_then(|ht| self.log(|log| log.calls.get(&ht)?.hd));
            for answer in self.harness.msp_answers(&buffer.data) {
                // A call that has ended meanwhile is not known any more.
                let _ = self.provider.line_receive_msp_data(self.line, hd, msp, answer);
            }
        }
    }

    fn seen<R>(&self, call: Call, look: impl FnOnce(&Seen) -> R) -> Option<R> {
        self.log(|log| log.calls.get(&call.ht).map(look))
    }

    pub(crate) fn state(&self, call: Call) -> Option<S> {
        self.seen(call, Seen::state).flatten()
    }

    /// Waits until a call has been in such a state.
    pub(crate) fn reaches(&mut self, call: Call, is: impl Fn(S) -> bool) -> bool {
        self.wait(|log| log.calls.get(&call.ht)?.states.iter().any(|(state, _)| is(*state)).then_some(()))
            .is_some()
    }

    /// Waits until a call is in such a state; the rule is broken if it does not get there.
    pub(crate) fn comes_to(&mut self, rule: Rule, call: Call, what: &str, is: impl Fn(S) -> bool) -> bool {
        let there = self.wait(|log| log.calls.get(&call.ht)?.state().filter(|state| is(*state))).is_some();
        let now = self.state(call);
        self.check(rule, there, || format!("waited for {what}, the call is {now:?}"))
    }

    /// The provider's name for a call that a request has made.
    pub(crate) fn made(&self, ht: HtCall, hd: HdCall) -> Call {
        self.log(|log| {
            if let Some(seen) = log.calls.get_mut(&ht) {
                seen.hd = Some(hd);
            }
        });
        Call { ht, hd }
    }

    /// Places a call.
    pub(crate) fn dial(&mut self, destination: &str) -> Option<Call> {
        let (ht, line, params) = (self.fresh(), self.line, self.params(destination));
        let (id, taken) =
            self.ask("MakeCall", &[ht], |provider, id| provider.line_make_call(id, line, ht, &params));
        match taken? {
            Ok(hd) => {
                let call = self.made(ht, hd);
                match self.completion(id)? {
                    Ok(_) => Some(call),
                    Err(error) => {
                        self.broken(Rule::MakeCompletes, format!("a call to {destination} fails: {error}"));
                        None
                    }
                }
            }
            Err(error) => {
                self.broken(Rule::MakeCompletes, format!("a call to {destination} is refused: {error}"));
                None
            }
        }
    }

    /// A placed call that its far end answered.
    pub(crate) fn talk(&mut self) -> Option<Call> {
        let destination = self.harness.destination()?;
        let call = self.dial(&destination)?;
        self.answered(call).then_some(call)
    }

    /// The far end of a placed call answers.
    pub(crate) fn answered(&mut self, call: Call) -> bool {
        let rings = |state| matches!(state, S::Proceeding | S::Ringback | S::Connected(_));
        if !self.reaches(call, rings) {
            let now = self.state(call);
            self.broken(Rule::MakeStates, format!("the call gets no further than {now:?}"));
            return false;
        }
        if !matches!(self.state(call), Some(S::Connected(_))) && !self.harness.far_end_answers() {
            self.not_here(Rule::MakeStates, "the harness answers no calls");
            return false;
        }
        self.comes_to(Rule::MakeStates, call, "CONNECTED", |state| matches!(state, S::Connected(_)))
    }

    /// A second call that answers by itself.
    pub(crate) fn talk_too(&mut self) -> Option<Call> {
        let destination = self.harness.second_destination()?;
        let call = self.dial(&destination)?;
        self.comes_to(Rule::MakeStates, call, "CONNECTED", |state| matches!(state, S::Connected(_)))
            .then_some(call)
    }

    /// A call that arrives.
    pub(crate) fn offered(&mut self) -> Option<Call> {
        let known = self.log(|log| log.announced.len());
        if !self.harness.calls_in() {
            return None;
        }
        let came = self.wait(|log| {
            let ht = *log.announced.get(known)?;
            let seen = log.calls.get(&ht)?;
            seen.state()?;
            Some(Call { ht, hd: seen.hd? })
        });
        if came.is_none() {
            self.broken(Rule::Offering, "a call that arrives is not announced, or has no state");
        }
        came
    }

    /// Drops a call, waits for IDLE, and closes it.
    pub(crate) fn release(&mut self, call: Call) {
        if self.state(call) != Some(S::Idle) {
            self.drop_call(call, DisconnectMode::Normal);
        }
        self.close(call);
    }

    /// Drops a call and waits for IDLE.
    pub(crate) fn drop_call(&mut self, call: Call, mode: DisconnectMode) -> bool {
        let was = self.state(call);
        let dropped = self.come("Drop", &[], |provider, id| provider.line_drop(id, call.hd, mode));
        // It may have ended by itself meanwhile.
        if let Err(why) = dropped.made()
            && self.state(call) != Some(S::Idle)
        {
            self.broken(Rule::DropStates, format!("Drop in {was:?} {why}"));
            return false;
        }
        self.kept(Rule::DropStates);
        let idle = self.reaches(call, |state| state == S::Idle);
        self.check(Rule::DropIdle, idle, || format!("dropped in {was:?}, the call does not go IDLE"))
    }

    pub(crate) fn close(&mut self, call: Call) {
        let closed = self.safely("CloseCall", |provider| provider.line_close_call(call.hd));
        std::thread::sleep(UNDER_WAY);
        self.log(|log| log.close(call.ht));
        if let Some(Err(error)) = closed {
            self.broken(Rule::CloseSilent, format!("CloseCall fails: {error}"));
        }
    }
}
