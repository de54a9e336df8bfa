//! What clients ask, sorted to where it is worked on; and the basic verbs of a call.
//!
//! In: [`AppRequest`]s. Out: requests to providers; replies, at once or upon the provider's completion.
//! Each goes the same way: checked and entered under the lock, handed to the provider without it, refused requests
//! taken out again. A completion that came meanwhile has taken the entry: then the refusal is not reported twice.
//! Not here: lines (`lines.rs`), calls that come of a request (`making.rs`), the supplementary verbs
//! (`supplementary.rs`), who owns (`ownership.rs`), phones (`phones.rs`), extensions (`extension.rs`), hubs
//! (`hubs.rs`), deallocation (`deallocate.rs`), opaque buffers (`opaque.rs`).

use offhook_spi::{AppReply, AppRequest, HCall, HdCall, LineError, Privilege, RequestId, Tspi};

use crate::model::{About, Call, ClientId, Inner, Outstanding};
use crate::verbs::{self, Verb};

impl Inner {
    /// Takes a request. Its one reply goes through the client's outbox.
    pub(crate) fn submit(&self, client: ClientId, request: RequestId, what: AppRequest) {
        let who = (client, request);
        let done = match what {
            AppRequest::Lines => Some(Ok(self.lines())),
            AppRequest::NegotiateApiVersion { device, lowest, highest } => {
                Some(self.negotiate_version(client, device, lowest, highest))
            }
            AppRequest::OpenLine { device, privilege, media } => {
                self.open_line(client, request, device, privilege, media)
            }
            AppRequest::CloseLine { line } => Some(self.close_line(client, line)),
            AppRequest::CreateMspInstance { line } => Some(self.create_msp_instance(client, line)),
            AppRequest::MakeCall { line, params } => self.make_call(who, line, &params),
            AppRequest::Accept { call } => {
                self.act(who, call, &verbs::ACCEPT, |tsp, id, call| tsp.line_accept(id, call))
            }
            AppRequest::Answer { call } => {
                self.act(who, call, &verbs::ANSWER, |tsp, id, call| tsp.line_answer(id, call))
            }
            AppRequest::Drop { call, mode } => {
                self.act(who, call, &verbs::DROP, |tsp, id, call| tsp.line_drop(id, call, mode))
            }
            AppRequest::Deallocate { call } => Some(self.deallocate(client, call)),
            AppRequest::CallInfo { call } => Some(self.call_info(client, call)),
            AppRequest::GenerateDigits { call, mode, digits } => match check_digits(&digits) {
                Err(error) => Some(Err(error)),
                Ok(()) => self.act(who, call, &verbs::GENERATE_DIGITS, |tsp, id, call| {
                    tsp.line_generate_digits(id, call, mode, &digits)
                }),
            },
            AppRequest::Dial { call, digits, complete } => {
                self.act(who, call, &verbs::DIAL, |tsp, id, call| tsp.line_dial(id, call, &digits, complete))
            }
            AppRequest::Redirect { call, destination } => {
                self.act(who, call, &verbs::REDIRECT, |tsp, id, call| {
                    tsp.line_redirect(id, call, &destination)
                })
            }
            AppRequest::SendUserUserInfo { call, data } => {
                self.act(who, call, &verbs::SEND_USER_USER, |tsp, id, call| {
                    tsp.line_send_user_user_info(id, call, &data)
                })
            }
            AppRequest::Q931 { call, what } => {
                self.act(who, call, &verbs::Q931, |tsp, id, call| tsp.line_q931(id, call, what))
            }
            AppRequest::SetAppPriority { media, first } => Some(self.set_priority(client, media, first)),
            AppRequest::SetCallPrivilege { call, privilege } => {
                Some(self.set_privilege(client, call, privilege))
            }
            AppRequest::Handoff { call, to } => self.hand_off(who, call, &to),
            AppRequest::MoveMedia { call, line } => Some(self.move_media(client, call, line)),
            AppRequest::NegotiateExtVersion { device, lowest, highest } => {
                Some(self.negotiate_extension(client, device, lowest, highest))
            }
            AppRequest::SelectExtVersion { line, version } => self.select_extension(who, line, version),
            AppRequest::DevSpecific { line, call, data } => self.dev_specific(who, line, call, &data),
            AppRequest::Phones => Some(Ok(self.phones())),
            AppRequest::OpenPhone { phone, privilege } => self.open_phone(who, phone, privilege),
            AppRequest::ClosePhone { phone } => Some(self.close_phone(client, phone)),
            AppRequest::PhoneStatus { phone } => Some(self.phone_status(client, phone)),
            AppRequest::SetPhone { phone, setting } => self.set_phone(who, phone, &setting),
            AppRequest::NegotiatePhoneExtVersion { phone, lowest, highest } => {
                Some(self.negotiate_phone_extension(client, phone, lowest, highest))
            }
            AppRequest::SelectPhoneExtVersion { phone, version } => {
                self.select_phone_extension(who, phone, version)
            }
            AppRequest::PhoneDevSpecific { phone, data } => self.phone_dev_specific(who, phone, &data),
            AppRequest::MspData { line, call, data } => Some(self.msp_data(client, line, call, data)),
            AppRequest::SetCallHubTracking { device, level } => {
                Some(self.set_hub_tracking(client, device, level))
            }
            AppRequest::Hubs => Some(Ok(self.hubs(client))),
            AppRequest::CallHub { call } => Some(self.call_hub(client, call)),
            AppRequest::ClearHub { hub } => Some(self.clear_hub(client, hub)),
            supplementary => self.supplement(who, supplementary),
        };
        if let Some(result) = done {
            self.with(|state| state.reply(client, request, result));
        }
    }

    /// A request about a call that its provider completes.
    pub(crate) fn act(
        &self,
        who: (ClientId, RequestId),
        call: HCall,
        verb: &Verb,
        perform: impl FnOnce(&dyn Tspi, RequestId, HdCall) -> Result<(), LineError>,
    ) -> Option<Result<AppReply, LineError>> {
        let entered = self.with(|state| {
            let permitted = state.permit(who.0, call, verb)?;
            let (about, also) = (About::Call(permitted.ht), Vec::new());
            let id = state.enter(Outstanding { client: Some(who), about, also, expects: verb.expects });
            Ok((permitted, id))
        });
        match entered {
            Ok((permitted, id)) => self.refused(id, perform(&*permitted.tsp, id, permitted.hd)),
            Err(error) => Some(Err(error)),
        }
    }

    /// What is left to say once the provider has returned: nothing if it took the request, or completed it meanwhile.
    pub(crate) fn refused(
        &self,
        id: RequestId,
        taken: Result<(), LineError>,
    ) -> Option<Result<AppReply, LineError>> {
        let error = taken.err()?;
        self.with(|state| state.requests.remove(&id)).map(|_| Err(error))
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
            let info = asked.or_else(|error| entry.info.clone().ok_or(error))?;
            Ok(AppReply::CallInfo(Box::new(entry.filled(&info))))
        })
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
