//! What clients ask, but for lines (`lines.rs`), deallocation (`deallocate.rs`) and opaque buffers (`opaque.rs`).
//!
//! In: [`AppRequest`]s. Out: requests to providers; replies, at once or upon the provider's completion.
//! Each goes the same way: checked and entered under the lock, handed to the provider without it, refused requests
//! taken out again. A completion that came meanwhile has taken the entry: then the refusal is not reported twice.

use offhook_spi::{
    AppReply, AppRequest, CallParams, HCall, HLine, HdCall, HtCall, LineCallState, LineError, Privilege,
    RequestId, Tspi,
};

use crate::model::{Call, ClientId, Inner, Stage, State};

impl Inner {
    /// Takes a request. Its one reply goes through the client's outbox.
    pub(crate) fn submit(&self, client: ClientId, request: RequestId, what: AppRequest) {
        use LineCallState as S;
        let done = match what {
            AppRequest::Lines => Some(Ok(self.lines())),
            AppRequest::OpenLine { device, privilege, media } => {
                self.open_line(client, request, device, privilege, media)
            }
            AppRequest::CloseLine { line } => Some(self.close_line(client, line)),
            AppRequest::CreateMspInstance { line } => Some(self.create_msp_instance(client, line)),
            AppRequest::MakeCall { line, params } => self.make_call(client, request, line, &params),
            AppRequest::Accept { call } => self.act(
                (client, request, call),
                |state| matches!(state, Some(S::Offering)),
                |tsp, id, call| tsp.line_accept(id, call),
            ),
            AppRequest::Answer { call } => self.act(
                (client, request, call),
                |state| matches!(state, Some(S::Offering | S::Accepted)),
                |tsp, id, call| tsp.line_answer(id, call),
            ),
            AppRequest::Drop { call, mode } => self.act(
                (client, request, call),
                |state| state != Some(S::Idle),
                |tsp, id, call| tsp.line_drop(id, call, mode),
            ),
            AppRequest::Deallocate { call } => Some(self.deallocate(client, call)),
            AppRequest::CallInfo { call } => Some(self.call_info(client, call)),
            AppRequest::GenerateDigits { call, mode, digits } => match check_digits(&digits) {
                Err(error) => Some(Err(error)),
                Ok(()) => self.act(
                    (client, request, call),
                    |state| !matches!(state, None | Some(S::Idle)),
                    |tsp, id, call| tsp.line_generate_digits(id, call, mode, &digits),
                ),
            },
            AppRequest::Dial { call, digits, complete } => self.act(
                (client, request, call),
                |state| !matches!(state, None | Some(S::Idle)),
                |tsp, id, call| tsp.line_dial(id, call, &digits, complete),
            ),
            AppRequest::Redirect { call, destination } => self.act(
                (client, request, call),
                |state| matches!(state, Some(S::Offering | S::Accepted)),
                |tsp, id, call| tsp.line_redirect(id, call, &destination),
            ),
            AppRequest::SendUserUserInfo { call, data } => self.act(
                (client, request, call),
                |state| !matches!(state, None | Some(S::Idle)),
                |tsp, id, call| tsp.line_send_user_user_info(id, call, &data),
            ),
            AppRequest::Q931 { call, what } => self.act(
                (client, request, call),
                |state| !matches!(state, None | Some(S::Idle)),
                |tsp, id, call| tsp.line_q931(id, call, what),
            ),
            AppRequest::SetCallHubTracking { device, level } => {
                Some(self.set_hub_tracking(client, device, level))
            }
            AppRequest::Hubs => Some(Ok(self.hubs(client))),
            AppRequest::CallHub { call } => Some(self.call_hub(client, call)),
            AppRequest::ClearHub { hub } => Some(self.clear_hub(client, hub)),
            AppRequest::MspData { line, call, data } => Some(self.msp_data(client, line, call, data)),
            _ => Some(Err(LineError::OperationUnavail)),
        };
        if let Some(result) = done {
            self.with(|state| state.reply(client, request, result));
        }
    }

    /// A request about a call that its provider completes.
    fn act(
        &self,
        (client, request, call): (ClientId, RequestId, HCall),
        allowed: impl FnOnce(Option<LineCallState>) -> bool,
        perform: impl FnOnce(&dyn Tspi, RequestId, HdCall) -> Result<(), LineError>,
    ) -> Option<Result<AppReply, LineError>> {
        let entered = self.with(|state| {
            let (ht, entry) = state.call_of(client, call)?;
            owned(entry, client)?;
            if !allowed(entry.state) {
                return Err(LineError::InvalCallState);
            }
            let (tsp, hd) = (entry.tsp.clone(), entry.hd.ok_or(LineError::InvalCallHandle)?);
            Ok((tsp, hd, state.outstanding(Some((client, request)), ht)))
        });
        let (tsp, hd, id) = match entered {
            Ok(entered) => entered,
            Err(error) => return Some(Err(error)),
        };
        let refused = perform(&*tsp, id, hd).err()?;
        self.with(|state| state.requests.remove(&id)).map(|_| Err(refused))
    }

    /// Places a call. It is not valid before the provider completes the request with success.
    fn make_call(
        &self,
        client: ClientId,
        request: RequestId,
        line: HLine,
        params: &CallParams,
    ) -> Option<Result<AppReply, LineError>> {
        let entered = self.with(|state| {
            let ht_line = state.line_of(client, line)?;
            let entry = state.lines.get(&ht_line).ok_or(LineError::InvalLineHandle)?;
            let device = state.devices.get(entry.device).ok_or(LineError::NoDriver)?;
            if params.media.is_empty() || !device.caps.media.contains(params.media) {
                return Err(LineError::InvalMediaMode);
            }
            let (tsp, hd_line) = (entry.tsp.clone(), entry.hd);
            let ht = HtCall(state.handle());
            let stage = Stage::Making { client, line, request, completed: false };
            state.calls.insert(ht, Call::new(ht_line, tsp.clone(), None, stage));
            Ok((tsp, hd_line, ht, state.outstanding(Some((client, request)), ht)))
        });
        let (tsp, hd_line, ht, id) = match entered {
            Ok(entered) => entered,
            Err(error) => return Some(Err(error)),
        };
        match tsp.line_make_call(id, hd_line, ht, params) {
            Ok(hd) => {
                self.made(ht, hd);
                None
            }
            Err(error) => self.with(|state| {
                state.requests.remove(&id);
                // If the call is not there any more, or abandoned, its reply has gone out.
                match state.remove_call(ht)?.stage {
                    Stage::Making { .. } => Some(Err(error)),
                    Stage::Abandoned | Stage::Valid => None,
                }
            }),
        }
    }

    /// The provider took a call and named it.
    fn made(&self, ht: HtCall, hd: HdCall) {
        let abandoned = self.with(|state| {
            let call = state.calls.get_mut(&ht)?;
            call.hd = Some(hd);
            match call.stage {
                Stage::Abandoned => state.remove_call(ht).map(|call| call.tsp),
                Stage::Making { completed: true, .. } => {
                    state.validate(ht);
                    None
                }
                Stage::Making { .. } | Stage::Valid => None,
            }
        });
        match abandoned {
            Some(tsp) => self.drop_and_close(&*tsp, ht, hd, Some(None)),
            None => self.work_on_reports(ht),
        }
    }

    fn call_info(&self, client: ClientId, call: HCall) -> Result<AppReply, LineError> {
        let (ht, tsp, hd) = self.with(|state| {
            let (ht, entry) = state.call_of(client, call)?;
            Ok((ht, entry.tsp.clone(), entry.hd.ok_or(LineError::InvalCallHandle)?))
        })?;
        let asked = tsp.line_call_info(hd);
        self.with(|state| {
            let entry = state.calls.get_mut(&ht).ok_or(LineError::InvalCallHandle)?;
            if let Ok(info) = &asked {
                entry.info = Some(info.clone());
            }
            // A provider that forgets an ended call early: what was known last.
            asked
                .or_else(|error| entry.info.clone().ok_or(error))
                .map(|info| AppReply::CallInfo(Box::new(info)))
        })
    }
}

impl State {
    /// MakeCall has succeeded and the provider's handle is known: the reply goes out, then whatever was held.
    pub(crate) fn validate(&mut self, ht: HtCall) {
        let Some(call) = self.calls.get_mut(&ht) else { return };
        let Stage::Making { client, line, request, .. } = call.stage else { return };
        call.stage = Stage::Valid;
        call.busy = false;
        let handle = self.grant(ht, client, line, Privilege::Owner);
        self.reply(client, request, Ok(AppReply::Call(handle)));
    }
}

/// Only an owner may act on a call.
pub(crate) fn owned(call: &Call, client: ClientId) -> Result<(), LineError> {
    match call.holder(client).map(|holder| holder.privilege) {
        Some(Privilege::Owner) => Ok(()),
        Some(_) => Err(LineError::NotOwner),
        None => Err(LineError::InvalCallHandle),
    }
}

fn check_digits(digits: &str) -> Result<(), LineError> {
    match digits.chars().find(|c| !matches!(c, '0'..='9' | '*' | '#' | 'A'..='D' | '!')) {
        Some(other) => Err(LineError::InvalParam(format!("{other:?} is not a digit"))),
        None if digits.is_empty() => Err(LineError::InvalParam("no digits".to_owned())),
        None => Ok(()),
    }
}
