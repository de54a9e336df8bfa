//! Master/slave determination (H.245 8.2, C.2: MSDSE).
//! In: DETERMINE.request, the peer's PDUs, T106. Out: PDUs, the status or a failure.
//!
//! ```text
//!            request / MSD            MSD, determined / MSDAck
//!   Idle ───────────────▶ Outgoing ───────────────────────────▶ Incoming
//!    │ ▲                    │  ▲ │ tie, MSDReject / new MSD        │
//!    │ └──── MSDAck / MSDAck┘  └─┘ at most N100 times              │
//!    │ MSD, determined / MSDAck                                    │
//!    └────────────────────────────────────────────────────────────▶┤
//!    ▲                            MSDAck that agrees               │
//!    └─────────────────────────────────────────────────────────────┘
//! ```
//!
//! Not here: what the status is used for (`lcse`).

use crate::Timer;
use crate::h245::{Scope, pdu};
use crate::random::Random;

/// Who decides conflicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Master,
    Slave,
}

impl Status {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Master => Self::Slave,
            Self::Slave => Self::Master,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    OutgoingAwaitingResponse,
    IncomingAwaitingResponse,
}

/// How a determination ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Determined,
    /// Errors A to F of table C.4, in words.
    Failed(&'static str),
}

#[derive(Debug)]
pub(crate) struct Msdse {
    state: State,
    terminal_type: u8,
    number: u32,
    fixed: Option<u32>,
    random: Random,
    /// ncount of C.2.
    tries: u32,
    n100: u32,
    status: Option<Status>,
}

impl Msdse {
    pub(crate) fn new(terminal_type: u8, fixed: Option<u32>, n100: u32, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let number = fixed.unwrap_or_else(|| random.determination_number());
        Self { state: State::Idle, terminal_type, number, fixed, random, tries: 0, n100, status: None }
    }

    pub(crate) fn status(&self) -> Option<Status> {
        self.status
    }

    /// DETERMINE.request. A determination that the peer began already is as good.
    pub(crate) fn request(&mut self, scope: &mut Scope<'_>) {
        if self.state == State::IncomingAwaitingResponse {
            return;
        }
        self.tries = 1;
        self.send(scope);
    }

    pub(crate) fn on_msd(
        &mut self,
        scope: &mut Scope<'_>,
        terminal_type: u8,
        number: u32,
    ) -> Option<Outcome> {
        scope.timers.stop(Timer::T106);
        match self.determine(terminal_type, number) {
            Some(status) => {
                self.status = Some(status);
                scope.send(pdu::msd_ack(status.other()));
                // C.2 calls a second MasterSlaveDetermination in this state error C. A peer that
                // restarts its machine sends one all the same; the same answer again costs nothing.
                self.state = State::IncomingAwaitingResponse;
                scope.start(Timer::T106);
                None
            }
            None if self.state == State::OutgoingAwaitingResponse => self.retry(scope),
            None => {
                // Also when it was determined before: the peer begins again, and nothing stands until that ends.
                self.status = None;
                self.state = State::Idle;
                scope.send(pdu::msd_reject());
                None
            }
        }
    }

    /// `decision` is what the peer says that we are.
    pub(crate) fn on_ack(&mut self, scope: &mut Scope<'_>, decision: Status) -> Option<Outcome> {
        match self.state {
            State::Idle => None,
            State::OutgoingAwaitingResponse => {
                self.finish(scope);
                self.status = Some(decision);
                scope.send(pdu::msd_ack(decision.other()));
                Some(Outcome::Determined)
            }
            State::IncomingAwaitingResponse if self.status == Some(decision) => {
                self.finish(scope);
                Some(Outcome::Determined)
            }
            State::IncomingAwaitingResponse => {
                self.finish(scope);
                self.status = None;
                Some(Outcome::Failed("both sides claim the same status (error E)"))
            }
        }
    }

    pub(crate) fn on_reject(&mut self, scope: &mut Scope<'_>) -> Option<Outcome> {
        match self.state {
            State::Idle => None,
            State::OutgoingAwaitingResponse => self.retry(scope),
            State::IncomingAwaitingResponse => {
                self.finish(scope);
                Some(Outcome::Failed("rejected after it was determined (error D)"))
            }
        }
    }

    pub(crate) fn on_release(&mut self, scope: &mut Scope<'_>) -> Option<Outcome> {
        if self.state == State::Idle {
            return None;
        }
        self.finish(scope);
        Some(Outcome::Failed("the peer gave up (error B)"))
    }

    /// MasterSlaveDetermination came back as not understood.
    pub(crate) fn on_returned(&mut self, scope: &mut Scope<'_>) -> Option<Outcome> {
        if self.state != State::OutgoingAwaitingResponse {
            return None;
        }
        self.finish(scope);
        Some(Outcome::Failed("the peer knows no master/slave determination"))
    }

    pub(crate) fn on_t106(&mut self, scope: &mut Scope<'_>) -> Option<Outcome> {
        match self.state {
            State::Idle => None,
            State::OutgoingAwaitingResponse => {
                scope.send(pdu::msd_release());
                self.finish(scope);
                Some(Outcome::Failed("no answer (error A)"))
            }
            State::IncomingAwaitingResponse => {
                self.finish(scope);
                Some(Outcome::Failed("no acknowledgement (error A)"))
            }
        }
    }

    /// C.2.2: the greater terminalType is master; of equal ones the difference of the
    /// statusDeterminationNumbers modulo 2^24 decides; 0 and 2^23 decide nothing.
    fn determine(&self, terminal_type: u8, number: u32) -> Option<Status> {
        if terminal_type != self.terminal_type {
            let master = self.terminal_type > terminal_type;
            return Some(if master { Status::Master } else { Status::Slave });
        }
        match number.wrapping_sub(self.number) & 0x00ff_ffff {
            0 | 0x0080_0000 => None,
            difference if difference < 0x0080_0000 => Some(Status::Master),
            _ => Some(Status::Slave),
        }
    }

    fn retry(&mut self, scope: &mut Scope<'_>) -> Option<Outcome> {
        if self.tries >= self.n100 {
            self.finish(scope);
            return Some(Outcome::Failed("indeterminate N100 times (error F)"));
        }
        self.tries += 1;
        self.number = self.fixed.unwrap_or_else(|| self.random.determination_number());
        self.send(scope);
        None
    }

    fn send(&mut self, scope: &mut Scope<'_>) {
        self.state = State::OutgoingAwaitingResponse;
        scope.send(pdu::msd(self.terminal_type, self.number));
        scope.start(Timer::T106);
    }

    fn finish(&mut self, scope: &mut Scope<'_>) {
        scope.timers.stop(Timer::T106);
        self.state = State::Idle;
    }
}
