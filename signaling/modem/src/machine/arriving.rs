//! The line rings: who calls, and when the application hears of it.
//!
//! In: rings, parts of a caller's number, time. Out: [`Event::Arrived`], and Offering once it was taken.
//! Not here: what becomes of a call that was offered (`call.rs`).

use std::time::Duration;

use offhook_spi::{DisconnectMode, LineCallState, LineError};

use super::call::{Call, Stage};
use super::{Event, Machine, Phase, Port};
use crate::caller_id::CallerId;

/// The line rings.
#[derive(Clone, Debug)]
pub(super) struct Ringing {
    pub(super) first: Duration,
    pub(super) last: Duration,
    pub(super) caller: CallerId,
    /// It was rejected, and rings on.
    pub(super) ignored: bool,
    /// It is due to be announced.
    pub(super) announce: Option<Duration>,
}

/// A caller's number that comes this long before the first ring belongs to it.
const EARLY_CALLER: Duration = Duration::from_secs(10);

impl Machine {
    /// Whether the call that arrived was taken; if not, it is announced again with the next ring.
    pub(crate) fn announced(&mut self, taken: bool) {
        if !taken || self.call.is_some() {
            return;
        }
        let rings = self.ringing.is_some();
        let caller = self.ringing.as_ref().map(|ringing| ringing.caller.clone()).unwrap_or_default();
        let stage = if rings { Stage::Ringing } else { Stage::Ended };
        self.call = Some(Call { caller, ..Call::new(stage) });
        self.state(LineCallState::Offering);
        if !rings {
            // It stopped, or the modem went, before it was taken: who took it is to hear the end of it.
            let is_open = matches!(self.port, Port::Open);
            let mode = if is_open { DisconnectMode::Cancelled } else { DisconnectMode::TempFailure };
            self.state(LineCallState::Disconnected(mode));
        }
    }

    /// The line rings.
    pub(super) fn rang(&mut self, now: Duration) {
        let wait = Duration::from_millis(self.config.caller_id_wait_ms);
        let early = self.early_caller(now);
        let ringing = self.ringing.get_or_insert(Ringing {
            first: now,
            last: now,
            caller: early,
            ignored: false,
            announce: None,
        });
        ringing.last = now;
        let at = ringing.first.saturating_add(wait);
        let is_due = ringing.caller != CallerId::default() || at <= now;
        let is_ignored = ringing.ignored;
        if let Some(Stage::Waiting { request, .. }) = self.call.as_ref().map(|call| call.stage) {
            // To dial now would be to answer.
            self.give_up_waiting(request, LineError::ResourceUnavail("the line rings".to_owned()));
        }
        if self.call.is_some() || is_ignored || self.phase != Phase::Ready {
            return;
        }
        if is_due {
            self.announce();
        } else if let Some(ringing) = &mut self.ringing {
            ringing.announce = Some(at);
        }
    }

    /// Part of a caller's number or name.
    pub(super) fn caller(&mut self, now: Duration, part: CallerId) {
        let Some(ringing) = &mut self.ringing else {
            if self.call.is_none() {
                let mut caller = self.early_caller(now);
                caller.merge(part);
                self.early_caller = Some((caller, now));
            }
            return;
        };
        ringing.caller.merge(part.clone());
        let Some(call) = &mut self.call else {
            // The number is what was waited for; a name follows or does not.
            let is_told = ringing.caller.number.is_some() || ringing.caller.absence.is_some();
            if ringing.announce.is_some() && is_told {
                self.announce();
            }
            return;
        };
        let rings = matches!(call.stage, Stage::Ringing | Stage::Answering(_));
        if rings && call.caller.merge(part) {
            let caller = call.caller.clone();
            self.event(Event::Caller(caller));
        }
    }

    /// What came of a caller before the first ring, unless it is too old to belong to it.
    fn early_caller(&mut self, now: Duration) -> CallerId {
        let early = self.early_caller.take();
        early.filter(|(_, at)| now.saturating_sub(*at) <= EARLY_CALLER).unwrap_or_default().0
    }

    fn announce(&mut self) {
        if let Some(ringing) = &mut self.ringing {
            ringing.announce = None;
            let caller = ringing.caller.clone();
            if self.listens && !self.closing && self.call.is_none() {
                self.event(Event::Arrived(caller));
            }
        }
    }

    /// When something is due of a line that rings.
    pub(super) fn ringing_deadline(&self) -> Option<Duration> {
        self.ringing.as_ref().map(|ringing| {
            let end = ringing.last.saturating_add(self.ring_timeout());
            ringing.announce.map_or(end, |at| at.min(end))
        })
    }

    pub(super) fn ringing_timeout(&mut self, now: Duration) {
        let timeout = self.ring_timeout();
        // First: a call that is over is not announced any more.
        if self.ringing.take_if(|ringing| ringing.last.saturating_add(timeout) <= now).is_some() {
            if self.call.as_ref().is_some_and(|call| call.stage == Stage::Ringing) {
                self.ended(now, DisconnectMode::Cancelled);
            }
        } else if self.ringing.as_ref().is_some_and(|ringing| ringing.announce.is_some_and(|at| at <= now)) {
            self.announce();
        }
    }

    fn ring_timeout(&self) -> Duration {
        Duration::from_millis(self.config.ring_timeout_ms)
    }
}
