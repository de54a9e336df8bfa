//! How calls are given up, one handle at a time.
//!
//! In: Deallocate, CloseLine, a client that left. Out: drops and closes at the provider; failed requests.
//! Sole owner: `line_drop`, then `line_close_call` at once, without waiting for the drop's completion. While another
//! client owns the call it stays as it is, but for its media: these go to who remains (`ownership.rs`).

use std::sync::Arc;

use offhook_spi::{
    AppReply, DisconnectMode, HCall, HLine, HdCall, HtCall, LineCallState, LineError, Privilege, Tspi,
};

use crate::model::{About, ClientId, Inner, State};
use crate::ownership::Move;

/// What the provider is to be told of a call that a client gave up.
pub(crate) enum GivenUp {
    /// Nobody holds it: drop it if it is not idle, and close it.
    Close(Gone),
    /// Nobody owns it: drop it.
    Drop(Gone),
    /// Somebody else holds it: who holds it has changed, and perhaps where its media are.
    Stays(HtCall, Option<Move>),
}

/// A call that is dropped or closed.
pub(crate) struct Gone {
    tsp: Arc<dyn Tspi>,
    call: HtCall,
    hd: HdCall,
    /// The state it was in.
    state: Option<LineCallState>,
}

impl GivenUp {
    pub(crate) fn close(tsp: Arc<dyn Tspi>, call: HtCall, hd: HdCall, state: Option<LineCallState>) -> Self {
        Self::Close(Gone { tsp, call, hd, state })
    }
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
            let about = |about| matches!(about, About::Line(_, of) if of == line);
            let mut given_up = state.fail_requests(|r| about(r.about), &closed());
            given_up.extend(state.abandon_completed(line, &closed()));
            let held: Vec<_> = state
                .calls
                .values()
                .flat_map(|call| &call.holders)
                .filter(|holder| holder.client == client && holder.line == line)
                .map(|holder| holder.call)
                .collect();
            given_up.extend(held.into_iter().flat_map(|call| state.give_up(client, call)));
            given_up
        });
        self.tell_given_up(given_up);
    }

    pub(crate) fn tell_given_up(&self, given_up: Vec<GivenUp>) {
        for one in given_up {
            match one {
                GivenUp::Close(Gone { tsp, call, hd, state }) => {
                    let live = (state != Some(LineCallState::Idle)).then_some(state);
                    self.drop_and_close(&*tsp, call, hd, live);
                }
                GivenUp::Drop(Gone { tsp, call, hd, state }) => {
                    if let Err(error) = self.drop_only(&*tsp, call, hd, state) {
                        tracing::debug!(%error, "the provider did not drop a call");
                    }
                }
                GivenUp::Stays(call, moved) => {
                    self.work_on_reports(call);
                    self.perform_move(moved);
                }
            }
        }
    }

    /// Drops a call that is not idle (`live`: in which state) and closes it. It is in no table any more.
    fn drop_and_close(&self, tsp: &dyn Tspi, call: HtCall, hd: HdCall, live: Option<Option<LineCallState>>) {
        if let Some(state) = live
            && let Err(error) = self.drop_only(tsp, call, hd, state)
        {
            tracing::debug!(%error, "the provider did not drop a call");
        }
        if let Err(error) = tsp.line_close_call(hd) {
            tracing::debug!(%error, "the provider did not know the call that was closed");
        }
        let given_up = self.with(|state| state.fail_outstanding(call, &closed()));
        self.tell_given_up(given_up);
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
    #[must_use]
    fn give_up(&mut self, client: ClientId, handle: HCall) -> Vec<GivenUp> {
        let entry = self.clients.get_mut(&client);
        let Some(ht) = entry.and_then(|client| client.calls.remove(&handle)) else { return Vec::new() };
        let Some(call) = self.calls.get_mut(&ht) else { return Vec::new() };
        let owned = |call: &crate::model::Call| call.holders.iter().any(|h| h.privilege == Privilege::Owner);
        let own = call.holder(client).is_some_and(|holder| holder.privilege == Privilege::Owner);
        let was_owned = owned(call);
        call.holders.retain(|holder| holder.call != handle);
        let idle = call.state == Some(LineCallState::Idle);
        let (last, orphaned) = (call.holders.is_empty(), was_owned && !owned(call) && !idle);
        let gone = call.hd.map(|hd| Gone { tsp: call.tsp.clone(), call: ht, hd, state: call.state });
        if last {
            self.remove_call(ht);
            let mut given_up = self.fail_outstanding(ht, &closed());
            given_up.extend(gone.map(GivenUp::Close));
            return given_up;
        }
        self.hub_held(ht, client, None);
        if orphaned {
            // Who sees it is told by its end.
            return gone.map(GivenUp::Drop).into_iter().collect();
        }
        self.note_holders(ht, client);
        let moved = if own { self.rehome(ht, client) } else { None };
        vec![GivenUp::Stays(ht, moved)]
    }
}
