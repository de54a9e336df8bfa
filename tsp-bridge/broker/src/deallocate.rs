//! How calls are given up, one handle at a time.
//!
//! In: Deallocate, CloseLine, a client that left. Out: drops and closes at the provider; failed requests.
//! Sole owner: `line_drop`, then `line_close_call` at once, without waiting for the drop's completion.

use offhook_spi::{
    AppReply, DisconnectMode, HCall, HLine, HdCall, HtCall, LineCallState, LineError, Privilege, Tspi,
};

use crate::model::{ClientId, Inner, Stage, State};

/// What the provider is to be told of a call that a client gave up.
pub(crate) struct GivenUp {
    tsp: std::sync::Arc<dyn Tspi>,
    call: HtCall,
    hd: HdCall,
    /// The state it was in.
    state: Option<LineCallState>,
    /// Nobody holds it: close it.
    last: bool,
}

impl Inner {
    pub(crate) fn deallocate(&self, client: ClientId, call: HCall) -> Result<AppReply, LineError> {
        let given_up = self.with(|state| {
            state.call_of(client, call)?;
            Ok(state.give_up(client, call))
        })?;
        self.tell_given_up(given_up);
        Ok(AppReply::Done)
    }

    /// Gives up every call that a client holds through one of its lines.
    pub(crate) fn deallocate_all(&self, client: ClientId, line: HLine) {
        let given_up = self.with(|state| {
            let mut given_up = state.abandon(client, line);
            let held: Vec<_> = state
                .calls
                .values()
                .flat_map(|call| &call.holders)
                .filter(|holder| holder.client == client && holder.line == line)
                .map(|holder| holder.call)
                .collect();
            given_up.extend(held.into_iter().filter_map(|call| state.give_up(client, call)));
            given_up
        });
        for one in given_up {
            self.tell_given_up(Some(one));
        }
    }

    pub(crate) fn tell_given_up(&self, given_up: Option<GivenUp>) {
        let Some(GivenUp { tsp, call, hd, state, last }) = given_up else { return };
        if last {
            self.drop_and_close(&*tsp, call, hd, (state != Some(LineCallState::Idle)).then_some(state));
        } else if let Err(error) = self.drop_only(&*tsp, call, hd, state) {
            tracing::debug!(%error, "the provider did not drop a call");
        }
    }

    /// Drops a call that is not idle (`live`: in which state) and closes it. It is in no table any more.
    pub(crate) fn drop_and_close(
        &self,
        tsp: &dyn Tspi,
        call: HtCall,
        hd: HdCall,
        live: Option<Option<LineCallState>>,
    ) {
        if let Some(state) = live
            && let Err(error) = self.drop_only(tsp, call, hd, state)
        {
            tracing::debug!(%error, "the provider did not drop a call");
        }
        if let Err(error) = tsp.line_close_call(hd) {
            tracing::debug!(%error, "the provider did not know the call that was closed");
        }
        self.with(|state| state.fail_outstanding(call, &closed()));
    }

    pub(crate) fn drop_only(
        &self,
        tsp: &dyn Tspi,
        call: HtCall,
        hd: HdCall,
        state: Option<LineCallState>,
    ) -> Result<(), LineError> {
        let mode = match state {
            Some(LineCallState::Offering | LineCallState::Accepted) => DisconnectMode::Reject,
            _ => DisconnectMode::Normal,
        };
        let id = self.with(|state| state.outstanding(None, call));
        let dropped = tsp.line_drop(id, hd, mode);
        if dropped.is_err() {
            self.with(|state| state.requests.remove(&id));
        }
        dropped
    }
}

fn closed() -> LineError {
    LineError::failed("the call was closed")
}

impl State {
    /// Takes a client's handle away. Answers what is to be told to the provider.
    fn give_up(&mut self, client: ClientId, handle: HCall) -> Option<GivenUp> {
        let ht = self.clients.get_mut(&client)?.calls.remove(&handle)?;
        let call = self.calls.get_mut(&ht)?;
        let owned = |call: &crate::model::Call| call.holders.iter().any(|h| h.privilege == Privilege::Owner);
        let was_owned = owned(call);
        call.holders.retain(|holder| holder.call != handle);
        let last = call.holders.is_empty();
        let orphaned = was_owned && !owned(call) && call.state != Some(LineCallState::Idle);
        let given_up = GivenUp { tsp: call.tsp.clone(), call: ht, hd: call.hd?, state: call.state, last };
        if last {
            self.remove_call(ht);
            self.fail_outstanding(ht, &closed());
        } else {
            self.hub_held(ht, client, None);
        }
        (last || orphaned).then_some(given_up)
    }

    /// Gives up the calls that a client is placing on a line.
    fn abandon(&mut self, client: ClientId, line: HLine) -> Vec<GivenUp> {
        let mut known = Vec::new();
        let making: Vec<_> = self
            .calls
            .iter()
            .filter(|(_, call)| {
                matches!(call.stage, Stage::Making { client: c, line: l, .. } if c == client && l == line)
            })
            .map(|(ht, _)| *ht)
            .collect();
        for ht in making {
            let Some(call) = self.calls.get_mut(&ht) else { continue };
            let stage = std::mem::replace(&mut call.stage, Stage::Abandoned);
            call.reports.clear();
            if let Some(hd) = call.hd {
                known.push(GivenUp { tsp: call.tsp.clone(), call: ht, hd, state: call.state, last: true });
                self.remove_call(ht);
            }
            self.requests.retain(|_, outstanding| outstanding.call != ht);
            if let Stage::Making { client, request, .. } = stage {
                self.reply(client, request, Err(closed()));
            }
        }
        known
    }
}
