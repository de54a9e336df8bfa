//! What the far broker reports, as TSPI events; and its replies.
//!
//! In: [`AppEvent`]s, in order, on the provider's thread. Out: [`TspEvents`](offhook_spi::TspEvents), never under the lock.

use std::sync::Arc;
use std::sync::mpsc::TrySendError;

use offhook_spi::{
    AppEvent, AppReply, AppRequest, AppSink, CallInfo, Completion, HCall, HLine, HdCall, LineDevState,
    LineError, Opaque, Privilege, RequestId,
};

use super::tables::{Opening, Pending};
use super::{Inner, unexpected};

/// The far broker's sink.
pub(super) struct Sink(pub(super) Arc<Inner>);

impl AppSink for Sink {
    fn deliver(&self, event: AppEvent) {
        self.0.event(event);
    }
}

impl Inner {
    fn event(&self, event: AppEvent) {
        match event {
            AppEvent::Reply { request, result } => self.reply(request, result),
            AppEvent::NewCall { line, call, privilege, info } => self.new_call(line, call, privilege, *info),
            AppEvent::CallState { call, state, at } => {
                let (known, at) = {
                    let mut tables = self.lock();
                    let known = tables.known(call);
                    if let Some((_, _, hd, _)) = &known
                        && state == offhook_spi::LineCallState::Idle
                        && let Some(entry) = tables.calls.get_mut(hd)
                    {
                        entry.over = true;
                    }
                    let at = tables.clock.as_ref().map_or(at, |clock| clock.local(at));
                    (known, at)
                };
                if let Some((events, line, _, ht)) = known {
                    events.call_state(line, ht, state, at);
                }
            }
            AppEvent::CallInfo { call, change, info } => {
                let known = self.lock().known(call);
                if let Some((events, line, hd, ht)) = known {
                    self.lock().note_info(hd, *info);
                    // Who holds the call is counted in each broker for itself.
                    if change != offhook_spi::CallInfoChange::Holders {
                        events.call_info(line, ht, change);
                    }
                }
            }
            AppEvent::Digit { call, digit, mode, duration } => {
                let known = self.lock().known(call);
                if let Some((events, line, _, ht)) = known {
                    events.digit(line, ht, digit, mode, duration);
                }
            }
            AppEvent::MspData { line, call, data } => self.msp_data(line, call, data),
            AppEvent::DevSpecific { line, call, data } => {
                let to = {
                    let tables = self.lock();
                    let ht = match call {
                        Some(call) => tables.known(call).map(|(_, line, _, ht)| (line, Some(ht))),
                        None => match tables.far_lines.get(&line) {
                            Some(Opening::Line(hd)) => tables.lines.get(hd).map(|line| (line.ht, None)),
                            _ => None,
                        },
                    };
                    tables.events.clone().zip(ht)
                };
                if let Some((events, (line, call))) = to {
                    events.line_dev_specific(line, call, data);
                }
            }
            AppEvent::Phone { phone, event } => {
                let to = {
                    let tables = self.lock();
                    let phone = tables.far_phones.get(&phone).and_then(|hd| tables.phones.get(hd));
                    tables.events.clone().zip(phone.map(|phone| phone.ht))
                };
                if let Some((events, phone)) = to {
                    events.phone_event(phone, event);
                }
            }
            AppEvent::PhoneClosed { phone, why } => {
                let to = {
                    let mut tables = self.lock();
                    let hd = tables.far_phones.remove(&phone);
                    let phone = hd.and_then(|hd| tables.phones.remove(&hd));
                    tables.events.clone().zip(phone.map(|phone| phone.ht))
                };
                if let Some((events, phone)) = to {
                    events.phone_closed(phone, why);
                }
            }
            AppEvent::LineDevState { line, state } => self.line_dev_state(line, state),
            AppEvent::LineClosed { line, why } => self.line_closed(line, why),
            // Each broker keeps its own hubs, by ids of its own; privileges there are the session's.
            AppEvent::Hub(_) | AppEvent::CallPrivilege { .. } => {}
        }
    }

    fn new_call(&self, line: HLine, call: HCall, privilege: Privilege, info: CallInfo) {
        let entered = {
            let mut tables = self.lock();
            let hd_line = match tables.far_lines.get(&line) {
                Some(Opening::Line(hd)) if privilege == Privilege::Owner => Some(*hd),
                _ => None,
            };
            let events = tables.events.clone();
            let ht = hd_line.and_then(|hd| tables.lines.get(&hd)).map(|line| line.ht);
            match (hd_line, ht, events) {
                (Some(hd_line), Some(ht), Some(events)) => {
                    let info = tables.taken_in(hd_line, info);
                    let hd = tables.enter(hd_line, None, info);
                    if let Some(entry) = tables.calls.get_mut(&hd) {
                        (entry.far, entry.through) = (Some(call), Some(line));
                    }
                    tables.far_calls.insert(call, hd);
                    Some((events, ht, hd))
                }
                _ => None,
            }
        };
        let Some((events, line, hd)) = entered else {
            return self.tell(AppRequest::Deallocate { call });
        };
        match events.new_call(line, hd) {
            Some(ht) => {
                if let Some(entry) = self.lock().calls.get_mut(&hd) {
                    entry.ht = Some(ht);
                }
            }
            // Nobody wants it.
            None => {
                if let Err(error) = self.close_call(hd) {
                    tracing::debug!(%error, "a call that nobody wants had gone");
                }
            }
        }
    }

    fn msp_data(&self, line: HLine, call: Option<HCall>, data: Opaque) {
        let to = {
            let tables = self.lock();
            let msp = match tables.far_lines.get(&line) {
                Some(Opening::Msp(hd)) => tables.msps.get(hd),
                _ => None,
            };
            let line = msp.and_then(|msp| tables.lines.get(&msp.line)).map(|line| line.ht);
            let call = match call {
                None => Some(None),
                Some(call) => tables.known(call).map(|(_, _, _, ht)| Some(ht)),
            };
            match (tables.events.clone(), msp.map(|msp| msp.ht), line, call) {
                (Some(events), Some(msp), Some(line), Some(call)) => Some((events, line, call, msp)),
                _ => None,
            }
        };
        let Some((events, line, call, msp)) = to else {
            return tracing::debug!("a buffer of the far TSP for nobody here");
        };
        // With several instances on the line, each far opening gets a call's buffers, and one of them is the call's.
        if let Err(error) = events.send_msp_data(line, call, Some(msp), data) {
            tracing::debug!(%error, "a buffer of the far TSP was not taken");
        }
    }

    fn line_dev_state(&self, line: HLine, state: LineDevState) {
        let to = {
            let mut tables = self.lock();
            let hd = match tables.far_lines.get(&line) {
                Some(Opening::Line(hd)) => Some(*hd),
                _ => None,
            };
            let events = tables.events.clone();
            let entry = hd.and_then(|hd| tables.lines.get_mut(&hd));
            let news = entry.and_then(|line| {
                // Each opening is told.
                let new = line.service.as_ref() != Some(&state);
                line.service = Some(state.clone());
                new.then_some(line.ht)
            });
            events.zip(news)
        };
        if let Some((events, line)) = to {
            events.line_dev_state(line, state);
        }
    }

    /// The far provider has closed the line: every opening of it is void. It is told once.
    fn line_closed(&self, line: HLine, why: LineError) {
        let to = {
            let mut tables = self.lock();
            let hd = match tables.far_lines.remove(&line) {
                Some(Opening::Line(hd)) => Some(hd),
                Some(Opening::Msp(hd)) => {
                    if let Some(msp) = tables.msps.get_mut(&hd) {
                        msp.opening = None;
                    }
                    None
                }
                None => None,
            };
            let gone = hd.and_then(|hd| Some((hd, tables.lines.remove(&hd)?)));
            gone.and_then(|(hd, line)| {
                tables.msps.retain(|_, msp| msp.line != hd);
                let calls: Vec<_> = tables.calls.extract_if(.., |_, call| call.line == hd).collect();
                for (_, call) in calls {
                    if let Some(far) = call.far {
                        tables.far_calls.remove(&far);
                    }
                }
                Some((tables.events.clone()?, line.ht))
            })
        };
        if let Some((events, line)) = to {
            events.line_closed(line, why);
        }
    }

    fn reply(&self, request: RequestId, result: Result<AppReply, LineError>) {
        let (pending, events) = {
            let mut tables = self.lock();
            (tables.pending.remove(&request), tables.events.clone())
        };
        match pending {
            None => tracing::warn!("a reply that nobody waits for"),
            Some(Pending::Nobody) => self.give_back(result),
            // If they have given up, the answer is late.
            Some(Pending::Caller(caller)) => {
                if let Err(TrySendError::Full(late) | TrySendError::Disconnected(late)) =
                    caller.try_send(result)
                {
                    self.give_back(late);
                }
            }
            Some(Pending::Task(task)) => {
                if let Err(late) = task.send(result) {
                    self.give_back(late);
                }
            }
            Some(Pending::Info(hd)) => {
                if let Ok(AppReply::CallInfo(info)) = result {
                    self.told_info(hd, *info);
                }
            }
            Some(Pending::Request(local, _)) => {
                if let Some(events) = events {
                    events.async_answer(local, result.and_then(completion));
                }
            }
            Some(Pending::Call(local, hd)) => {
                let named = match result {
                    Ok(AppReply::Call(far)) => self.name(hd, far),
                    Ok(other) => Err(unexpected(other)),
                    Err(error) => Err(error),
                };
                self.made(local, &[hd], named);
            }
            Some(Pending::Conference(local, conference_hd, consult_hd)) => {
                let named = match result {
                    Ok(AppReply::Conference { conference, consult }) => {
                        let named = self.name(conference_hd, conference);
                        named.and(self.name(consult_hd, consult))
                    }
                    Ok(other) => Err(unexpected(other)),
                    Err(error) => Err(error),
                };
                self.made(local, &[conference_hd, consult_hd], named);
            }
        }
    }

    /// A reply that nobody waits for any more. What it brought is held there for us until it is given up: an opening that
    /// was left would be offered calls, and nobody here would take them.
    fn give_back(&self, late: Result<AppReply, LineError>) {
        match late {
            Ok(AppReply::Line(line)) => self.tell(AppRequest::CloseLine { line }),
            Ok(AppReply::Phone(phone)) => self.tell(AppRequest::ClosePhone { phone }),
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the far broker refuses what nobody waits for"),
        }
    }

    /// The far broker has named a call of ours. One that was closed here meanwhile is given up there.
    fn name(&self, hd: HdCall, far: HCall) -> Result<(), LineError> {
        let abandoned = {
            let mut tables = self.lock();
            match tables.calls.get_mut(&hd) {
                Some(entry) if !entry.abandoned => {
                    entry.far = Some(far);
                    tables.far_calls.insert(far, hd);
                    false
                }
                _ => {
                    tables.calls.remove(&hd);
                    true
                }
            }
        };
        if abandoned {
            self.tell(AppRequest::Deallocate { call: far });
            return Err(LineError::failed("the call was closed"));
        }
        // So that it is at hand when an event brings the question.
        if let Err(error) = self.submit(AppRequest::CallInfo { call: far }, Pending::Info(hd)) {
            tracing::debug!(%error, "what is known of a call is not asked for");
        }
        Ok(())
    }

    /// What is known of a call that was placed here. Its hub, above all: the broker here asked before the answer came.
    fn told_info(&self, hd: HdCall, info: offhook_spi::CallInfo) {
        let known = {
            let mut tables = self.lock();
            let is_other = tables.note_info(hd, info).is_some_and(|(_, is_other)| is_other);
            let call = tables.calls.get(&hd).filter(|call| is_other && !call.over);
            let line = call.and_then(|call| tables.lines.get(&call.line)).map(|line| line.ht);
            let ht = call.and_then(|call| call.ht);
            tables.events.clone().zip(line.zip(ht))
        };
        if let Some((events, (line, ht))) = known {
            events.call_info(line, ht, offhook_spi::CallInfoChange::CallId);
        }
    }

    fn made(&self, local: RequestId, calls: &[HdCall], named: Result<(), LineError>) {
        let events = {
            let mut tables = self.lock();
            if named.is_err() {
                for call in calls {
                    tables.forget(*call);
                }
            }
            tables.events.clone()
        };
        if let Some(events) = events {
            events.async_completion(local, named);
        }
    }
}

/// What a completion carries.
fn completion(reply: AppReply) -> Result<Completion, LineError> {
    Ok(match reply {
        AppReply::Done => Completion::Done,
        AppReply::Address(address) => Completion::Address(address),
        AppReply::CompletionId(id) => Completion::CompletionId(id),
        AppReply::DevSpecific(data) => Completion::DevSpecific(data),
        other => return Err(unexpected(other)),
    })
}
