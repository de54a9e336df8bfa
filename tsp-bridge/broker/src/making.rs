//! Requests that make calls: MakeCall, a consultation, a conference, an unpark, a pickup.
//!
//! In: what such a request is about, the provider's return and its completion, in either order. Out: the calls, valid,
//! and one reply; or one failed reply and nothing.
//!
//! ```text
//!             ┌─ completed ─▶ returned ─┐
//! submitted ──┤                         ├─▶ valid: handles, the reply, then whatever was held
//!             └─ returned ─▶ completed ─┘
//! refused, or completed with an error ─▶ the reply; the calls are forgotten without line_close_call
//! the client goes meanwhile ─▶ the reply; once the provider has named the calls they are dropped and closed
//! ```
//!
//! The calls of one request become valid together. Not here: which request may be made when (`verbs.rs`).

use std::sync::Arc;

use offhook_spi::{
    AppReply, CallParams, HLine, HdCall, HdLine, HtCall, HtLine, LineError, MediaTypes, Privilege, RequestId,
    Tspi,
};

use crate::deallocate::GivenUp;
use crate::model::{About, Call, ClientId, Expects, Inner, Outstanding, Stage, State};

/// A request that makes calls.
pub(crate) struct Making {
    /// Who has a reply to come; none once it was told that nothing came of it.
    client: Option<(ClientId, RequestId)>,
    /// The opening of the line through which it is going to hold the calls.
    opened: HLine,
    line: HtLine,
    /// A conference before the call to consult by.
    calls: Vec<HtCall>,
    /// The completion came, with success.
    completed: bool,
    /// The request returned: the provider's handles are known.
    returned: bool,
}

/// What a request that makes calls needs of the tables.
pub(crate) struct Plan {
    /// Where the calls come to be.
    pub(crate) line: HtLine,
    /// Through which opening the client is going to hold them.
    pub(crate) opened: HLine,
    /// A second call, to consult by.
    pub(crate) two: bool,
    /// The calls that it is about: if one of them is closed, the request has failed.
    pub(crate) about: Vec<HtCall>,
}

/// What a provider is asked with.
pub(crate) struct Asked<'a> {
    pub(crate) tsp: &'a dyn Tspi,
    pub(crate) line: HdLine,
    pub(crate) request: RequestId,
    /// The broker's name of the call to come.
    pub(crate) call: HtCall,
    /// The call to consult by, if there are to be two.
    pub(crate) consult: HtCall,
}

impl Inner {
    /// Asks a provider for calls. `plan` checks under the lock and says what the request is about; `perform` asks, and
    /// answers the provider's names in the order of [`Asked`].
    pub(crate) fn make<T>(
        &self,
        (client, request): (ClientId, RequestId),
        plan: impl FnOnce(&mut State) -> Result<(Plan, T), LineError>,
        perform: impl FnOnce(Asked<'_>, T) -> Result<Vec<HdCall>, LineError>,
    ) -> Option<Result<AppReply, LineError>> {
        let entered = self.with(|state| {
            let (plan, with) = plan(state)?;
            let entry = state.lines.get(&plan.line).ok_or(LineError::InvalLineHandle)?;
            let (tsp, hd_line, provider) = (entry.tsp.clone(), entry.hd, entry.provider);
            let (id, call, consult) = state.begin((client, request), plan, &tsp);
            Ok((tsp, hd_line, provider, id, call, consult, with))
        });
        let (tsp, line, provider, id, call, consult, with) = match entered {
            Ok(entered) => entered,
            Err(error) => return Some(Err(error)),
        };
        // The calls may inherit the hub of one that ends before they are named.
        let _patience = self.keep_hubs(provider);
        match perform(Asked { tsp: &*tsp, line, request: id, call, consult }, with) {
            Ok(named) => {
                let (given_up, ready) = self.with(|state| state.made(id, &named, &tsp));
                self.tell_given_up(given_up);
                for call in ready {
                    self.work_on_reports(call);
                }
                None
            }
            Err(error) => self.with(|state| state.refused_making(id)).then_some(Err(error)),
        }
    }

    /// Places a call.
    pub(crate) fn make_call(
        &self,
        who: (ClientId, RequestId),
        line: HLine,
        params: &CallParams,
    ) -> Option<Result<AppReply, LineError>> {
        self.make(
            who,
            |state| {
                let ht = state.line_of(who.0, line)?;
                state.check_media(ht, Some(params))?;
                Ok((Plan { line: ht, opened: line, two: false, about: Vec::new() }, ()))
            },
            |asked, ()| {
                let made = asked.tsp.line_make_call(asked.request, asked.line, asked.call, params)?;
                Ok(vec![made])
            },
        )
    }
}

impl State {
    /// Whether the line carries the media that a call is to have.
    pub(crate) fn check_media(&self, line: HtLine, params: Option<&CallParams>) -> Result<(), LineError> {
        let entry = self.lines.get(&line).ok_or(LineError::InvalLineHandle)?;
        let device = self.devices.get(entry.device).ok_or(LineError::NoDriver)?;
        let fits = |media: MediaTypes| !media.is_empty() && device.caps.media.contains(media);
        if params.is_none_or(|params| fits(params.media)) { Ok(()) } else { Err(LineError::InvalMediaMode) }
    }

    /// Enters a request and the calls that it is to make.
    fn begin(
        &mut self,
        client: (ClientId, RequestId),
        plan: Plan,
        tsp: &Arc<dyn Tspi>,
    ) -> (RequestId, HtCall, HtCall) {
        let Plan { line, opened, two, about } = plan;
        let about_line = About::Line(line, opened);
        let id =
            self.enter(Outstanding { client: None, about: about_line, also: about, expects: Expects::Done });
        let call = HtCall(self.handle());
        let mut calls = vec![call];
        let mut consult = call;
        if two {
            consult = HtCall(self.handle());
            calls.push(consult);
        }
        for ht in &calls {
            self.calls.insert(*ht, Call::new(line, tsp.clone(), None, Stage::Making(id)));
        }
        let making = Making { client: Some(client), opened, line, calls, completed: false, returned: false };
        self.makings.insert(id, making);
        (id, call, consult)
    }

    /// The provider took the request and named the calls. Answers what it is to be told if nobody wants them any more,
    /// else the calls that are valid now.
    fn made(&mut self, id: RequestId, named: &[HdCall], tsp: &Arc<dyn Tspi>) -> (Vec<GivenUp>, Vec<HtCall>) {
        // Not there: it completed with an error, or the line has gone.
        let Some(making) = self.makings.get_mut(&id) else { return (Vec::new(), Vec::new()) };
        making.returned = true;
        let named: Vec<_> = making.calls.iter().copied().zip(named.iter().copied()).collect();
        if making.client.is_none() {
            self.makings.remove(&id);
            self.requests.remove(&id);
            let close = |(ht, hd)| {
                let state = self.remove_call(ht).and_then(|call| call.state);
                GivenUp::close(tsp.clone(), ht, hd, state)
            };
            return (named.into_iter().map(close).collect(), Vec::new());
        }
        let completed = making.completed;
        for (ht, hd) in named {
            if let Some(call) = self.calls.get_mut(&ht) {
                call.hd = Some(hd);
            }
        }
        (Vec::new(), if completed { self.validate(id) } else { Vec::new() })
    }

    /// The provider refused. Answers whether a reply is to come of that.
    fn refused_making(&mut self, id: RequestId) -> bool {
        self.requests.remove(&id);
        let Some(making) = self.makings.remove(&id) else { return false };
        for ht in &making.calls {
            self.remove_call(*ht);
        }
        making.client.is_some()
    }

    /// The provider completed the request. Answers the calls that are valid now.
    pub(crate) fn completed_making(&mut self, id: RequestId, result: Result<(), LineError>) -> Vec<HtCall> {
        match result {
            Ok(()) => {
                let Some(making) = self.makings.get_mut(&id) else { return Vec::new() };
                making.completed = true;
                let (returned, calls) = (making.returned, making.calls.clone());
                for ht in calls {
                    if let Some(call) = self.calls.get_mut(&ht).filter(|call| call.stage == Stage::Making(id))
                    {
                        call.stage = Stage::Made;
                    }
                }
                if returned { self.validate(id) } else { Vec::new() }
            }
            Err(error) => {
                let Some(making) = self.makings.remove(&id) else { return Vec::new() };
                for ht in &making.calls {
                    self.remove_call(*ht);
                }
                if let Some((client, request)) = making.client {
                    self.reply(client, request, Err(error));
                }
                Vec::new()
            }
        }
    }

    /// Completed with success, and the provider's handles are known: the reply goes out, then whatever was held.
    fn validate(&mut self, id: RequestId) -> Vec<HtCall> {
        let Some(Making { client: Some((client, request)), opened, calls, .. }) = self.makings.remove(&id)
        else {
            return Vec::new();
        };
        let application = self.clients.get(&client).map(|client| client.name.clone()).unwrap_or_default();
        let mut handles = Vec::new();
        for ht in &calls {
            if let Some(call) = self.calls.get_mut(ht) {
                call.stage = Stage::Valid;
                call.busy = false;
                call.application.clone_from(&application);
            }
            handles.push(self.grant(*ht, client, opened, Privilege::Owner));
        }
        let reply = match handles.as_slice() {
            [conference, consult] => AppReply::Conference { conference: *conference, consult: *consult },
            [call, ..] => AppReply::Call(*call),
            [] => return Vec::new(),
        };
        self.reply(client, request, Ok(reply));
        calls
    }

    /// The client that asked has gone, or a call that the request is about.
    pub(crate) fn abandon_making(&mut self, id: RequestId, why: &LineError) -> Vec<GivenUp> {
        let Some(making) = self.makings.get_mut(&id) else { return Vec::new() };
        let client = making.client.take();
        let (calls, returned) = (making.calls.clone(), making.returned);
        if let Some((client, request)) = client {
            self.reply(client, request, Err(why.clone()));
        }
        if returned {
            self.makings.remove(&id);
            self.requests.remove(&id);
            let gone = calls.into_iter().filter_map(|ht| {
                let call = self.remove_call(ht)?;
                Some(GivenUp::close(call.tsp, ht, call.hd?, call.state))
            });
            return gone.collect();
        }
        for ht in calls {
            if let Some(call) = self.calls.get_mut(&ht) {
                call.stage = Stage::Abandoned;
                call.reports.clear();
            }
        }
        Vec::new()
    }

    /// The same of requests that have been completed and whose return is still to come, of one opening of a line.
    pub(crate) fn abandon_completed(&mut self, opened: HLine, why: &LineError) -> Vec<GivenUp> {
        let of = self.makings.iter().filter(|(_, making)| making.completed && making.opened == opened);
        let ids: Vec<_> = of.map(|(id, _)| *id).collect();
        ids.into_iter().flat_map(|id| self.abandon_making(id, why)).collect()
    }

    /// The line has gone with everything on it: nothing is told to the provider.
    pub(crate) fn forget_makings(&mut self, line: HtLine, why: &LineError) {
        let gone: Vec<_> = self.makings.extract_if(.., |_, making| making.line == line).collect();
        for (id, making) in gone {
            self.requests.remove(&id);
            if let Some((client, request)) = making.client {
                self.reply(client, request, Err(why.clone()));
            }
        }
    }
}
