//! Hold, transfer, conference, park, pickup, forward, completion: the supplementary verbs.
//!
//! In: [`AppRequest`]s. Out: the same, to the provider that has the call or line; replies by its completion.
//! What is checked first stands in `verbs.rs`; calls that come of it in `making.rs`.
//! A consultation call is held through the opening through which the client holds the call that it is about; a
//! conference with a first call is on that call's line, whatever line is named (as in lineSetupConference).

use offhook_spi::{
    AppReply, AppRequest, CallFeatures, CallParams, HCall, HLine, HdCall, HdLine, HtCall, LineError,
    ParkMode, RequestId, TransferMode, Tspi,
};

use crate::making::Plan;
use crate::model::{About, ClientId, Expects, Inner, Outstanding, State};
use crate::verbs::{self, Permitted, Verb};

type Done = Option<Result<AppReply, LineError>>;

impl Inner {
    /// The verbs about a call that make none.
    pub(crate) fn supplement(&self, who: (ClientId, RequestId), what: AppRequest) -> Done {
        match what {
            AppRequest::Hold { call } => {
                self.act(who, call, &verbs::HOLD, |tsp, id, call| tsp.line_hold(id, call))
            }
            AppRequest::Unhold { call } => {
                self.act(who, call, &verbs::UNHOLD, |tsp, id, call| tsp.line_unhold(id, call))
            }
            AppRequest::SwapHold { active, held } => self.act_on_both(
                who,
                ((active, &verbs::SWAP_ACTIVE), (held, &verbs::SWAP_HELD)),
                |_, _| true,
                |tsp, id, active, held| tsp.line_swap_hold(id, active, held),
            ),
            AppRequest::SetupTransfer { call, params } => self.consult(
                who,
                (call, &verbs::SETUP_TRANSFER),
                params.as_ref(),
                |tsp, id, call, consult| tsp.line_setup_transfer(id, call, consult, params.as_ref()),
            ),
            AppRequest::CompleteTransfer { call, consult, mode } => {
                self.complete_transfer(who, call, consult, mode)
            }
            AppRequest::BlindTransfer { call, destination } => {
                self.act(who, call, &verbs::BLIND_TRANSFER, |tsp, id, call| {
                    tsp.line_blind_transfer(id, call, &destination)
                })
            }
            AppRequest::SetupConference { line, call, params } => {
                self.setup_conference(who, line, call, params.as_ref())
            }
            AppRequest::PrepareAddToConference { conference, params } => self.consult(
                who,
                (conference, &verbs::PREPARE_ADD),
                params.as_ref(),
                |tsp, id, conference, consult| {
                    tsp.line_prepare_add_to_conference(id, conference, consult, params.as_ref())
                },
            ),
            AppRequest::AddToConference { conference, call } => self.act_on_both(
                who,
                ((conference, &verbs::ADD_TO), (call, &verbs::ADD)),
                |conference, call| conference.line == call.line,
                |tsp, id, conference, call| tsp.line_add_to_conference(id, conference, call),
            ),
            AppRequest::RemoveFromConference { call } => {
                self.act(who, call, &verbs::REMOVE, |tsp, id, call| tsp.line_remove_from_conference(id, call))
            }
            AppRequest::Park { call, mode } => {
                let verb = match mode {
                    ParkMode::Directed(_) => &verbs::PARK_DIRECTED,
                    ParkMode::NonDirected => &verbs::PARK_NONDIRECTED,
                };
                self.act(who, call, verb, |tsp, id, call| tsp.line_park(id, call, &mode))
            }
            AppRequest::Unpark { line, address } => {
                self.fetch(who, line, CallFeatures::UNPARK, |tsp, id, line, call| {
                    tsp.line_unpark(id, line, call, &address)
                })
            }
            AppRequest::Pickup { line, address, group } => {
                self.fetch(who, line, CallFeatures::PICKUP, |tsp, id, line, call| {
                    tsp.line_pickup(id, line, call, address.as_deref(), group.as_deref())
                })
            }
            AppRequest::Forward { line, instructions, no_answer_rings } => {
                self.act_on_line(who, line, CallFeatures::FORWARD, |tsp, id, line| {
                    tsp.line_forward(id, line, &instructions, no_answer_rings)
                })
            }
            AppRequest::CompleteCall { call, mode } => {
                self.act(who, call, &verbs::COMPLETE_CALL, |tsp, id, call| {
                    tsp.line_complete_call(id, call, mode)
                })
            }
            AppRequest::UncompleteCall { line, completion } => {
                self.act_on_line(who, line, CallFeatures::COMPLETE_CALL, |tsp, id, line| {
                    tsp.line_uncomplete_call(id, line, completion)
                })
            }
            _ => Some(Err(LineError::OperationUnavail)),
        }
    }

    /// A request about two calls of one provider.
    fn act_on_both(
        &self,
        who: (ClientId, RequestId),
        (one, other): ((HCall, &Verb), (HCall, &Verb)),
        related: impl FnOnce(&Permitted, &Permitted) -> bool,
        perform: impl FnOnce(&dyn Tspi, RequestId, HdCall, HdCall) -> Result<(), LineError>,
    ) -> Done {
        let entered = self.with(|state| {
            let (one, other) = state.permit_both(who.0, one, other)?;
            if !related(&one, &other) {
                return Err(LineError::InvalRelatedCall);
            }
            let (about, also) = (About::Call(one.ht), vec![other.ht]);
            let id = state.enter(Outstanding { client: Some(who), about, also, expects: Expects::Done });
            Ok((one, other, id))
        });
        match entered {
            Ok((one, other, id)) => self.refused(id, perform(&*one.tsp, id, one.hd, other.hd)),
            Err(error) => Some(Err(error)),
        }
    }

    /// A request about a line.
    pub(crate) fn act_on_line(
        &self,
        who: (ClientId, RequestId),
        line: HLine,
        needs: CallFeatures,
        perform: impl FnOnce(&dyn Tspi, RequestId, HdLine) -> Result<(), LineError>,
    ) -> Done {
        let entered = self.with(|state| {
            let ht = state.line_of(who.0, line)?;
            state.has_feature(ht, needs)?;
            let entry = state.lines.get(&ht).ok_or(LineError::InvalLineHandle)?;
            let (tsp, hd, about) = (entry.tsp.clone(), entry.hd, About::Line(ht, line));
            let also = Vec::new();
            let id = state.enter(Outstanding { client: Some(who), about, also, expects: Expects::Done });
            Ok((tsp, hd, id))
        });
        match entered {
            Ok((tsp, hd, id)) => self.refused(id, perform(&*tsp, id, hd)),
            Err(error) => Some(Err(error)),
        }
    }

    /// Holds a call and makes one to consult by.
    fn consult(
        &self,
        who: (ClientId, RequestId),
        (call, verb): (HCall, &Verb),
        params: Option<&CallParams>,
        perform: impl FnOnce(&dyn Tspi, RequestId, HdCall, HtCall) -> Result<HdCall, LineError>,
    ) -> Done {
        self.make(
            who,
            |state| {
                let held = state.permit(who.0, call, verb)?;
                state.check_media(held.line, params)?;
                Ok((held.plan(), held.hd))
            },
            |asked, hd| Ok(vec![perform(asked.tsp, asked.request, hd, asked.call)?]),
        )
    }

    fn complete_transfer(
        &self,
        who: (ClientId, RequestId),
        call: HCall,
        consult: HCall,
        mode: TransferMode,
    ) -> Done {
        match mode {
            // No conference comes of it: its name is not used.
            TransferMode::Transfer => self.act_on_both(
                who,
                ((call, &verbs::TRANSFER), (consult, &verbs::TRANSFER_CONSULT)),
                |_, _| true,
                |tsp, id, call, consult| {
                    tsp.line_complete_transfer(id, call, consult, mode, HtCall::default()).map(drop)
                },
            ),
            TransferMode::Conference => self.make(
                who,
                |state| {
                    let (call, consult) = state.permit_both(
                        who.0,
                        (call, &verbs::CONFERENCE),
                        (consult, &verbs::CONFERENCE_CONSULT),
                    )?;
                    let mut plan = call.plan();
                    plan.about.push(consult.ht);
                    Ok((plan, (call.hd, consult.hd)))
                },
                |asked, (call, consult)| {
                    let made =
                        asked.tsp.line_complete_transfer(asked.request, call, consult, mode, asked.call)?;
                    let nameless = || LineError::failed("the provider did not name the conference");
                    Ok(vec![made.ok_or_else(nameless)?])
                },
            ),
        }
    }

    fn setup_conference(
        &self,
        who: (ClientId, RequestId),
        line: HLine,
        call: Option<HCall>,
        params: Option<&CallParams>,
    ) -> Done {
        self.make(
            who,
            |state| {
                let (plan, hd) = match call {
                    Some(call) => {
                        let call = state.permit(who.0, call, &verbs::SETUP_CONFERENCE)?;
                        (call.plan(), Some(call.hd))
                    }
                    None => (state.plan_on(who.0, line, CallFeatures::SETUP_CONFERENCE)?, None),
                };
                state.check_media(plan.line, params)?;
                Ok((Plan { two: true, ..plan }, hd))
            },
            |asked, hd| {
                let made = asked.tsp.line_setup_conference(
                    asked.request,
                    asked.line,
                    hd,
                    asked.call,
                    asked.consult,
                    params,
                )?;
                Ok(vec![made.conference, made.consult])
            },
        )
    }

    /// Unpark and Pickup.
    fn fetch(
        &self,
        who: (ClientId, RequestId),
        line: HLine,
        needs: CallFeatures,
        perform: impl FnOnce(&dyn Tspi, RequestId, HdLine, HtCall) -> Result<HdCall, LineError>,
    ) -> Done {
        self.make(
            who,
            |state| Ok((state.plan_on(who.0, line, needs)?, ())),
            |asked, ()| Ok(vec![perform(asked.tsp, asked.request, asked.line, asked.call)?]),
        )
    }
}

impl Permitted {
    /// A call to be made beside this one.
    fn plan(&self) -> Plan {
        Plan { line: self.line, opened: self.opened, two: false, about: vec![self.ht] }
    }
}

impl State {
    /// A call to be made on a line that the client has open.
    fn plan_on(&self, client: ClientId, line: HLine, needs: CallFeatures) -> Result<Plan, LineError> {
        let ht = self.line_of(client, line)?;
        self.has_feature(ht, needs)?;
        Ok(Plan { line: ht, opened: line, two: false, about: Vec::new() })
    }
}
