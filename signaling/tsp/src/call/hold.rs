//! A call that we hold, or that the far end holds.
//!
//! ```text
//! line_hold ─▶ empty set ⇢ Ack ─▶ channels stop, completed, OnHold      OnHold hides that the far end holds us, too
//! line_unhold ─▶ full set ⇢ Ack ─▶ completed, Connected ─▶ channels start
//! far end's empty set ─▶ our channel stops, Connected(ActiveHeld);  its full one ─▶ Connected(Active), channels start
//! ```
//! In: hold and unhold, the machine's word of it. Out: completions, call states.
//! Not here: the sets and channels (`h323`), what stops and starts (`running.rs`, with each channel).

use offhook_spi::{ConnectedMode, LineCallState, LineError, RequestId};

use super::running::Running;

/// Who holds whom.
#[derive(Debug, Default)]
pub(super) struct Holding {
    /// The hold or unhold that waits for the far end.
    request: Option<RequestId>,
    /// We hold the far end.
    held: bool,
    /// The far end holds us.
    paused: bool,
}

impl Holding {
    /// We hold the far end, and nothing about that is under way.
    pub(super) fn holds(&self) -> bool {
        self.held && self.request.is_none()
    }

    /// A hold or unhold waits for the far end.
    pub(super) fn is_changing(&self) -> bool {
        self.request.is_some()
    }

    /// The far end is held, though nobody asked for it.
    pub(super) fn is_held(&mut self) {
        self.held = true;
    }
}

impl Running {
    pub(super) fn hold(&mut self, request: RequestId) {
        let now = self.now();
        if self.moving.is_some() {
            let why = "the call's media are on their way to another application";
            self.context.complete(request, Err(LineError::failed(why)));
        } else if !matches!(self.context.state, Some(LineCallState::Connected(_)))
            || self.holding.request.is_some()
        {
            self.context.complete(request, Err(LineError::InvalCallState));
        } else if self.machine.hold(now) {
            self.holding.request = Some(request);
        } else {
            let why = "the far end has no H.245, by which it could be held";
            self.context.complete(request, Err(LineError::failed(why)));
        }
    }

    pub(super) fn unhold(&mut self, request: RequestId) {
        let now = self.now();
        let held = self.context.state == Some(LineCallState::OnHold) && self.holding.request.is_none();
        if held && self.machine.retrieve(now) {
            self.holding.request = Some(request);
        } else {
            self.context.complete(request, Err(LineError::InvalCallState));
        }
    }

    /// What was asked for is so, or, with `why`, is not.
    pub(super) fn hold_changed(&mut self, held: bool, why: Option<&str>) {
        if self.moving_hold_changed(held, why) {
            return;
        }
        self.holding.held = held;
        if let Some(request) = self.holding.request.take() {
            self.context.complete(request, why.map_or(Ok(()), |why| Err(LineError::failed(why))));
        }
        self.report_connected();
        self.move_on();
    }

    pub(super) fn paused(&mut self, paused: bool) {
        self.holding.paused = paused;
        self.report_connected();
    }

    /// Reports the state of a call that is up.
    pub(super) fn report_connected(&mut self) {
        if !self.connected {
            // A pause before Connect is nobody's business yet.
            return;
        }
        self.context.report(match &self.holding {
            Holding { held: true, .. } => LineCallState::OnHold,
            Holding { paused: true, .. } => LineCallState::Connected(ConnectedMode::ActiveHeld),
            Holding { .. } => LineCallState::Connected(ConnectedMode::Active),
        });
    }

    /// The call has ended with a hold or unhold under way.
    pub(super) fn end_hold(&mut self, why: &str) {
        if let Some(request) = self.holding.request.take() {
            self.context.complete(request, Err(LineError::failed(why)));
        }
    }
}
