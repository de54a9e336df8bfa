//! Hold, its end, and the swap of two calls.

use offhook_spi::{HdCall, LineCallState as S, LineError, RequestId};

use super::ACTIVE;
use crate::state::State;

pub(crate) fn is_held(state: S) -> bool {
    matches!(state, S::OnHold | S::OnHoldPendingConference | S::OnHoldPendingTransfer)
}

impl State {
    /// `line_hold`.
    pub(crate) fn hold(&mut self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        self.in_state(call, |now| matches!(now, S::Connected(_)))?;
        self.done(call, request);
        self.park_on_hold(call, S::OnHold);
        Ok(())
    }

    /// `line_unhold`; a consultation that was pending is not, from then on.
    pub(crate) fn unhold(&mut self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        self.in_state(call, is_held)?;
        self.done(call, request);
        self.take_back(call);
        Ok(())
    }

    /// `line_swap_hold`.
    pub(crate) fn swap(&mut self, request: RequestId, active: HdCall, held: HdCall) -> Result<(), LineError> {
        let line = self.in_state(active, |now| matches!(now, S::Connected(_)))?.line;
        let other = self.in_state(held, is_held)?;
        if other.line != line {
            return Err(LineError::InvalRelatedCall);
        }
        let kind = other.leg.now.unwrap_or(S::OnHold);
        self.done(active, request);
        self.park_on_hold(active, kind);
        self.take_back(held);
        Ok(())
    }

    /// Holds a call in one of the ways there are.
    pub(crate) fn park_on_hold(&mut self, call: HdCall, kind: S) {
        self.go(call, kind);
        self.hold_far_end(call, true);
    }

    pub(crate) fn take_back(&mut self, call: HdCall) {
        self.go(call, ACTIVE);
        self.hold_far_end(call, false);
    }
}
