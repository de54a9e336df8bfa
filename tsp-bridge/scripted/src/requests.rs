//! How a request is taken: by the exchange, by the script of its verb, or not at all.
//!
//! In: requests as `provider.rs` has taken them apart. Out: items of the agenda, and the agenda moved on.

use offhook_spi::{
    CallFeatures, Completion, ExtensionId, ExtensionVersion, HdCall, HubTracking, LineError, RequestId,
};

use crate::state::{Move, State};
use crate::{Scripted, Step, Verb};

impl Scripted {
    pub(crate) fn known_device(&self, device: u32) -> Result<(), LineError> {
        if device < self.config.devices { Ok(()) } else { Err(LineError::BadDeviceId) }
    }

    pub(crate) fn has(&self, verb: CallFeatures) -> Result<(), LineError> {
        if self.config.offered().contains(verb) { Ok(()) } else { Err(LineError::OperationUnavail) }
    }

    /// The extension of TAPI that lines and phone have.
    pub(crate) fn extension(&self) -> Result<(ExtensionId, ExtensionVersion, ExtensionVersion), LineError> {
        self.config.switch.as_ref().and_then(|rules| rules.extension).ok_or(LineError::OperationUnavail)
    }

    pub(crate) fn hub_tracking(&self) -> HubTracking {
        if self.config.switch.is_some() { HubTracking::AllCalls } else { HubTracking::None }
    }

    /// A request that only an exchange knows.
    pub(crate) fn service_of<R>(
        &self,
        needed: CallFeatures,
        log: &str,
        act: impl FnOnce(&mut State) -> Result<R, LineError>,
    ) -> Result<R, LineError> {
        self.note(log);
        self.has(needed)?;
        let done = act(&mut self.lock());
        self.moved();
        done
    }

    /// A request that has a script; an exchange does `act` instead.
    pub(crate) fn request(
        &self,
        verb: Verb,
        request: RequestId,
        call: HdCall,
        act: impl FnOnce(&mut State) -> Result<(), LineError>,
    ) -> Result<(), LineError> {
        {
            let mut state = self.lock();
            if let Some(error) = state.refusals.get(&verb) {
                return Err(error.clone());
            }
            if self.config.switch.is_some() {
                act(&mut state)?;
            } else {
                state.call(call)?;
                let steps = state.scripts.get(&verb).cloned().unwrap_or_default();
                state.agenda.extend(moves(call, request, steps));
            }
        }
        self.moved();
        Ok(())
    }
}

/// A script as agenda items; it completes its request once, first if it does not say when.
pub(crate) fn moves(call: HdCall, request: RequestId, steps: Vec<Step>) -> Vec<Move> {
    let mut completed = false;
    let mut moves = Vec::new();
    let says_when = steps.iter().any(|step| matches!(step, Step::Complete | Step::Fail(_)));
    if !says_when {
        moves.push(Move::Complete(Some(call), request, Ok(Completion::Done)));
    }
    for step in steps {
        let result = match step {
            Step::Complete => Ok(Completion::Done),
            Step::Fail(error) => Err(error),
            other => {
                moves.push(Move::Step(call, other));
                continue;
            }
        };
        if !std::mem::replace(&mut completed, true) {
            moves.push(Move::Complete(Some(call), request, result));
        }
    }
    moves
}
