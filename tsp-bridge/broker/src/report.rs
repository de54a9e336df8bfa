//! What providers report: completions, calls that arrive, and everything about calls.
//!
//! In: [`TspEvents`]. Out: events in the clients' outboxes.
//! A call's reports are worked on one after the other, by one thread at a time, in the order in which they came: a
//! report that finds the call busy is queued for whoever works. So the provider may be asked (`line_call_info`)
//! between taking a report and telling the clients, without a lock and without losing the order. While the completion
//! of the request that makes a call has come and the provider's handle has not, the call counts as busy and the reports
//! wait.

use std::sync::{Arc, Weak};
use std::time::Duration;

use offhook_spi::{
    AppEvent, AppReply, CallInfo, CallInfoChange, CallOrigin, CallReason, Completion, DigitMode,
    DisconnectMode, HdCall, HtCall, HtLine, HtMspLine, HtPhone, LineCallState, LineDevState, LineError,
    MediaTypes, Opaque, PhoneEvent, Privilege, RequestId, Timestamp, TspEvents, Tspi,
};

use crate::model::{About, Call, Expects, Inner, Open, Outstanding, ProviderId, Report, Stage, State};
use crate::{hubs, legal, versions};

/// The most reports that wait for a call that is busy; buffers beyond are refused, other reports dropped.
pub(crate) const MOST_WAITING: usize = 1024;

/// The most calls of a line that were announced and have no state yet; more are refused.
const MOST_UNANNOUNCED: usize = 1024;

/// Where one provider reports to.
pub(crate) struct Reports {
    inner: Weak<Inner>,
    provider: ProviderId,
}

impl Reports {
    pub(crate) fn new(inner: &Arc<Inner>, provider: ProviderId) -> Self {
        Self { inner: Arc::downgrade(inner), provider }
    }

    fn report(&self, line: HtLine, call: HtCall, report: Report) {
        let Some(inner) = self.inner.upgrade() else { return };
        if inner.with(|state| state.enqueue(self.provider, line, call, report)) {
            inner.work_on_reports(call);
        }
    }
}

impl TspEvents for Reports {
    fn async_answer(&self, request: RequestId, result: Result<Completion, LineError>) {
        let Some(inner) = self.inner.upgrade() else { return };
        for call in inner.with(|state| state.complete(self.provider, request, result)) {
            inner.work_on_reports(call);
        }
    }

    fn new_call(&self, line: HtLine, call: HdCall) -> Option<HtCall> {
        self.inner.upgrade()?.with(|state| state.announce(self.provider, line, call))
    }

    fn call_state(&self, line: HtLine, call: HtCall, state: LineCallState, at: Timestamp) {
        self.report(line, call, Report::State(state, at));
    }

    fn call_info(&self, line: HtLine, call: HtCall, change: CallInfoChange) {
        self.report(line, call, Report::Info(change));
    }

    fn digit(&self, line: HtLine, call: HtCall, digit: char, mode: DigitMode, duration: Option<Duration>) {
        self.report(line, call, Report::Digit(digit, mode, duration));
    }

    fn send_msp_data(
        &self,
        line: HtLine,
        call: Option<HtCall>,
        msp: Option<HtMspLine>,
        data: Opaque,
    ) -> Result<(), LineError> {
        let inner = self.inner.upgrade().ok_or(LineError::NoDriver)?;
        let Some(call) = call else {
            return inner.with(|state| state.address_data(self.provider, line, msp, &data));
        };
        inner.with(|state| {
            state.check_call_data(self.provider, line, call, msp)?;
            if state.enqueue(self.provider, line, call, Report::Msp(msp, data)) {
                Ok(())
            } else {
                Err(LineError::ResourceUnavail("too many reports wait for this call".to_owned()))
            }
        })?;
        inner.work_on_reports(call);
        Ok(())
    }

    fn line_dev_specific(&self, line: HtLine, call: Option<HtCall>, data: Opaque) {
        match call {
            Some(call) => self.report(line, call, Report::DevSpecific(data)),
            None => {
                if let Some(inner) = self.inner.upgrade() {
                    inner.with(|state| state.line_message(self.provider, line, &data));
                }
            }
        }
    }

    fn phone_event(&self, phone: HtPhone, event: PhoneEvent) {
        if let Some(inner) = self.inner.upgrade() {
            inner.with(|state| state.phone_event(self.provider, phone, &event));
        }
    }

    fn phone_closed(&self, phone: HtPhone, why: LineError) {
        if let Some(inner) = self.inner.upgrade() {
            inner.phone_closed(self.provider, phone, &why);
        }
    }

    fn line_dev_state(&self, line: HtLine, state: LineDevState) {
        if let Some(inner) = self.inner.upgrade() {
            inner.line_dev_state(self.provider, line, state);
        }
    }

    fn line_closed(&self, line: HtLine, why: LineError) {
        if let Some(inner) = self.inner.upgrade() {
            inner.line_closed(self.provider, line, &why);
        }
    }
}

/// What working on a report needs from the provider first.
enum Step {
    Done,
    /// The call goes to its audience: who that is depends on its media.
    Ask(Arc<dyn Tspi>, HdCall, Report),
}

impl Inner {
    /// Works on a call's reports until none is left, unless somebody does already.
    pub(crate) fn work_on_reports(&self, ht: HtCall) {
        let idle = self.with(|state| match state.calls.get_mut(&ht) {
            Some(call) if !call.busy && !call.reports.is_empty() => {
                call.busy = true;
                true
            }
            _ => false,
        });
        if !idle {
            return;
        }
        while let Some(step) = self.with(|state| state.next_report(ht)) {
            if let Step::Ask(tsp, hd, report) = step {
                let info = tsp.line_call_info(hd);
                let unwanted = self.with(|state| state.told_info(ht, report, info));
                if unwanted {
                    self.refuse(ht, &*tsp, hd);
                }
            }
        }
    }

    /// Nobody wants the call after all.
    fn refuse(&self, ht: HtCall, tsp: &dyn Tspi, hd: HdCall) {
        let id = self.with(|state| {
            state.remove_call(ht);
            state.diagnostics.calls_refused += 1;
            state.outstanding(None, ht)
        });
        if let Err(error) = tsp.line_drop(id, hd, DisconnectMode::Unavail) {
            tracing::debug!(%error, "the provider did not drop a call that nobody wants");
        }
        if let Err(error) = tsp.line_close_call(hd) {
            tracing::debug!(%error, "the provider did not close a call that nobody wants");
        }
        self.with(|state| state.requests.retain(|_, outstanding| !outstanding.concerns(ht)));
    }
}

impl State {
    /// Completes a request. Answers the calls whose reports may now be worked on.
    fn complete(
        &mut self,
        provider: ProviderId,
        request: RequestId,
        result: Result<Completion, LineError>,
    ) -> Vec<HtCall> {
        let ours = self.requests.get(&request).is_some_and(|outstanding| match outstanding.about {
            About::Call(call) => {
                self.calls.get(&call).is_none_or(|call| self.reports_for(provider, call.line))
            }
            About::Line(line, _) => self.lines.get(&line).is_none_or(|entry| entry.provider == provider),
            About::Phone(phone, _) => self.phone_reports_for(provider, phone),
        });
        let outstanding = if ours { self.requests.remove(&request) } else { None };
        let Some(Outstanding { client, about, expects, .. }) = outstanding else {
            self.diagnostics.stray_completions += 1;
            return Vec::new();
        };
        if self.makings.contains_key(&request) {
            return self.completed_making(request, result.map(drop));
        }
        let result = result.and_then(|completion| reply_of(expects, completion));
        let mut claimed = Vec::new();
        if let (Some((client, _)), About::Call(ht), Expects::Claim, Ok(_)) = (client, about, expects, &result)
        {
            let name = self.clients.get(&client).map(|client| client.name.clone()).unwrap_or_default();
            if let Some(call) = self.calls.get_mut(&ht).filter(|call| call.application != name) {
                call.application = name;
                if call.hub.is_some() && call.reports.len() < MOST_WAITING {
                    call.reports.push_back(Report::Claimed);
                    claimed.push(ht);
                }
            }
        }
        if let Some((client, request)) = client {
            self.reply(client, request, result);
        }
        claimed
    }

    /// Whether the line is one of the provider's.
    pub(crate) fn reports_for(&self, provider: ProviderId, line: HtLine) -> bool {
        self.lines.get(&line).is_some_and(|entry| entry.provider == provider)
    }

    /// A call that the provider announces: a handle, or none if nobody listens, the line is full, or too many calls
    /// that it announced before have no state yet.
    fn announce(&mut self, provider: ProviderId, line: HtLine, hd: HdCall) -> Option<HtCall> {
        let entry = self.lines.get(&line).filter(|entry| entry.provider == provider);
        let (mut live, mut silent, mut twice) = (0, 0, false);
        for call in self.calls.values().filter(|call| call.line == line) {
            live += usize::from(call.state != Some(LineCallState::Idle));
            silent += usize::from(call.is_unannounced());
            twice |= call.hd == Some(hd);
        }
        let room = entry.is_some_and(|entry| {
            let most = self.devices.get(entry.device).map_or(0, |device| device.caps.max_active_calls);
            let full = most != 0 && u32::try_from(live).is_ok_and(|live| live >= most);
            entry.listeners().next().is_some() && !twice && !full && silent < MOST_UNANNOUNCED
        });
        let tsp = entry.filter(|_| room).map(|entry| entry.tsp.clone());
        let Some(tsp) = tsp else {
            self.diagnostics.calls_refused += 1;
            return None;
        };
        let ht = HtCall(self.handle());
        self.calls.insert(ht, Call::new(line, tsp, Some(hd), Stage::Valid));
        Some(ht)
    }

    /// Queues a report; answers whether it was taken.
    fn enqueue(&mut self, provider: ProviderId, line: HtLine, ht: HtCall, report: Report) -> bool {
        let ours = self.reports_for(provider, line);
        let Some(call) = self.calls.get_mut(&ht).filter(|call| ours && call.line == line) else {
            self.diagnostics.late_events += 1;
            return false;
        };
        if !call.takes_reports() || (call.is_unannounced() && !matches!(report, Report::State(..))) {
            self.diagnostics.early_events += 1;
            return false;
        }
        // A state is never the one that is dropped, within reason: a call whose end is lost would stay for ever.
        let room = if matches!(report, Report::State(..)) { 2 * MOST_WAITING } else { MOST_WAITING };
        if call.reports.len() >= room {
            tracing::warn!("a provider reports faster than it answers: a report is dropped");
            return false;
        }
        call.reports.push_back(report);
        true
    }

    /// Takes the next report of a busy call and works on it as far as the tables go. None: there is no more, and
    /// the call is not busy now.
    fn next_report(&mut self, ht: HtCall) -> Option<Step> {
        let call = self.calls.get_mut(&ht)?;
        let Some(report) = call.reports.pop_front() else {
            call.busy = false;
            return None;
        };
        let (tsp, hd) = (call.tsp.clone(), call.hd);
        let (first, idle) = (call.state.is_none(), call.state == Some(LineCallState::Idle));
        let ask = match report {
            Report::State(..) => first && (self.has_audience(ht) || self.is_in_hubs(ht)),
            Report::Info(_) | Report::Holders(_) | Report::Claimed => !idle,
            Report::Digit(..) | Report::Msp(..) | Report::DevSpecific(_) => false,
        };
        match hd {
            Some(hd) if ask => Some(Step::Ask(tsp, hd, report)),
            _ => {
                self.tell(ht, report);
                Some(Step::Done)
            }
        }
    }

    /// Whether the first state of a call is news to anybody: of one that arrives always, of one that was placed here
    /// if somebody else monitors the line.
    fn has_audience(&self, ht: HtCall) -> bool {
        let Some(call) = self.calls.get(&ht) else { return false };
        call.holders.is_empty() || !self.monitors(call).is_empty()
    }

    /// Whether its provider may say at its first state which hub it is in.
    fn is_in_hubs(&self, ht: HtCall) -> bool {
        self.calls.get(&ht).is_some_and(|call| self.has_hubs(call.line))
    }

    /// Who monitors the call's line and has no handle on it, one line a client.
    fn monitors(&self, call: &Call) -> Vec<Open> {
        let opens = self.lines.get(&call.line).map(|line| line.opens.as_slice()).unwrap_or_default();
        let mut found: Vec<Open> = Vec::new();
        for open in opens.iter().filter(|open| open.privilege == Privilege::Monitor) {
            if call.holder(open.client).is_none() && found.iter().all(|known| known.client != open.client) {
                found.push(*open);
            }
        }
        found
    }

    /// The provider said what is known of a call: the report that needed it goes out. Answers whether the call turns
    /// out to be wanted by nobody.
    fn told_info(&mut self, ht: HtCall, report: Report, info: Result<CallInfo, LineError>) -> bool {
        let Some(call) = self.calls.get_mut(&ht) else { return false };
        let info = info.ok().or_else(|| call.info.take()).unwrap_or_else(unknown);
        call.info = Some(info.clone());
        let (change, but) = match report {
            Report::Info(change) => (Some(change), None),
            Report::Holders(by) => (Some(CallInfoChange::Holders), Some(by)),
            Report::Claimed => {
                let info = call.filled(&info);
                self.hub_info(ht, &info, Timestamp::now());
                return false;
            }
            _ => (None, None),
        };
        if let Some(change) = change {
            let info = call.filled(&info);
            let told: Vec<_> = call.holders.iter().filter(|h| Some(h.client) != but).copied().collect();
            for holder in told {
                let (call, info) = (holder.call, Box::new(info.clone()));
                self.push(holder.client, AppEvent::CallInfo { call, change, info });
            }
            self.hub_info(ht, &info, Timestamp::now());
            return false;
        }
        let line = call.line;
        // All of them first: each is shown who else there is.
        let mut shown = Vec::new();
        if call.holders.is_empty()
            && let Some(open) = self.owner(line, info.media)
        {
            let handle = self.grant(ht, open.client, open.line, Privilege::Owner);
            shown.push((open, handle, Privilege::Owner));
        }
        let monitors = self.calls.get(&ht).map(|call| self.monitors(call)).unwrap_or_default();
        for open in monitors {
            let handle = self.grant(ht, open.client, open.line, Privilege::Monitor);
            shown.push((open, handle, Privilege::Monitor));
        }
        let Some(call) = self.calls.get(&ht).filter(|call| !call.holders.is_empty()) else { return true };
        let info = call.filled(&info);
        // It joins its hub before anybody is told of it, unless it is over already.
        if let Report::State(next, at) = &report
            && !hubs::is_over(Some(*next))
        {
            self.hub_info(ht, &info, *at);
        }
        for (open, call, privilege) in shown {
            let info = Box::new(info.clone());
            self.push(open.client, AppEvent::NewCall { line: open.line, call, privilege, info });
        }
        self.tell(ht, report);
        false
    }

    /// Tells everyone who holds the call.
    fn tell(&mut self, ht: HtCall, report: Report) {
        let Some(call) = self.calls.get_mut(&ht) else { return };
        let over = call.state == Some(LineCallState::Idle);
        match report {
            Report::State(next, at) => {
                if !legal::may_follow(call.state, next) {
                    self.diagnostics.illegal_states += 1;
                    return;
                }
                call.state = Some(next);
                call.state_at = at;
                for holder in call.holders.clone() {
                    let state = versions::told(next, holder.version);
                    self.push(holder.client, AppEvent::CallState { call: holder.call, state, at });
                }
                self.hub_state(ht, next, at);
            }
            Report::Digit(digit, mode, duration) if !over => {
                for holder in call.holders.clone() {
                    self.push(holder.client, AppEvent::Digit { call: holder.call, digit, mode, duration });
                }
            }
            Report::Msp(msp, data) => self.route(ht, msp, &data),
            Report::DevSpecific(data) => self.call_message(ht, &data),
            // Too late for it to be news.
            Report::Holders(_) | Report::Claimed => {}
            Report::Digit(..) | Report::Info(_) => self.diagnostics.late_events += 1,
        }
    }
}

impl Call {
    /// Whether its provider may report on it.
    pub(crate) fn takes_reports(&self) -> bool {
        match self.stage {
            Stage::Making(_) | Stage::Abandoned => false,
            Stage::Made | Stage::Valid => true,
        }
    }

    /// Whether it arrived and its first state did not.
    pub(crate) fn is_unannounced(&self) -> bool {
        self.holders.is_empty() && self.state.is_none() && !self.busy && self.reports.is_empty()
    }
}

/// What a completion answers to the application, if it brings what the request expects.
fn reply_of(expects: Expects, completion: Completion) -> Result<AppReply, LineError> {
    match (expects, completion) {
        (Expects::Done | Expects::Claim, _) => Ok(AppReply::Done),
        (Expects::Address, Completion::Address(address)) => Ok(AppReply::Address(address)),
        (Expects::CompletionId, Completion::CompletionId(id)) => Ok(AppReply::CompletionId(id)),
        (Expects::DevSpecific, Completion::DevSpecific(data)) => Ok(AppReply::DevSpecific(data)),
        (Expects::DevSpecific, Completion::Done) => Opaque::new(Vec::new()).map(AppReply::DevSpecific),
        (Expects::Address, _) => Err(LineError::failed("the provider did not say where the call is parked")),
        (Expects::CompletionId, _) => Err(LineError::failed("the provider did not name the completion")),
        (Expects::DevSpecific, _) => Err(LineError::failed("the provider's answer is of another request")),
    }
}

/// Of a call whose provider says nothing.
pub(crate) fn unknown() -> CallInfo {
    CallInfo::new(CallOrigin::Inbound, CallReason::Unknown, MediaTypes::NONE)
}
