//! H.245: the control channel's procedures under one roof.
//! In: the peer's messages, the call's commands, timers. Out: messages to send, [`Notice`]s for the call.
//!
//! ```text
//!             ┌ msdse            who decides conflicts
//!   message ──┼ cese             what the peer can receive, whether it knows what we can
//!    (pdu)    ├ lcse, blcse      channels both ways            ── these three done: channels open
//!             │  ├ admission     whether the peer's is taken
//!             │  ├ select        which codec ours has
//!             │  ├ clcse         requests to close
//!             │  └ flow          limits of rate
//!             ├ mrse             requests for another codec
//!             ├ mlse             maintenance loops
//!             ├ rtdse            round trip
//!             └ user_input       keys
//! ```
//!
//! `control` holds them and talks to the call, `receive` hands each message to its machine. Machines are named
//! as the signalling entities of H.245 annex C. Of those, MTSE and RMESE (multiplex tables of H.223) have no place in
//! H.323 (H.323 6.2.8): requests for them are rejected (`pdu::refusal`).
//!
//! The procedures are the same whether H.245 is tunnelled or has its own connection: that is `tunnel`'s
//! and the call's business, as is what a failed procedure means for the call.

mod admission;
mod blcse;
pub(crate) mod cese;
mod clcse;
mod control;
mod flow;
pub(crate) mod lcse;
mod mlse;
mod mrse;
pub(crate) mod msdse;
pub(crate) mod pdu;
mod receive;
mod rtdse;
mod select;
mod user_input;

use std::collections::VecDeque;
use std::time::Duration;

use offhook_wire::h245::MultimediaSystemControlMessage as Message;
use offhook_wire::q931::Cause;

use crate::timer::TimerTable;
use crate::{ChannelPlan, Config, DigitVia, Event, Flow, H245Counters, LocalMedia, Timer};

pub(crate) use control::{Ask, Control};

/// What the procedures tell the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    Opened(ChannelPlan),
    Closed {
        session_id: u8,
        flow: Flow,
        channel: u16,
    },
    Rejected {
        session_id: u8,
    },
    Paused,
    Resumed,
    Digit {
        digit: char,
        duration: Option<Duration>,
        via: DigitVia,
    },
    RoundTrip(Duration),
    RoundTripLost,
    /// The peer has taken our latest capability set.
    SetTaken,
    /// The peer has not: it rejects it or, with a timer, says nothing.
    SetRefused {
        timer: Option<Timer>,
        text: &'static str,
    },
    /// For the application, as it is.
    Tell(Event),
    /// The peer ends the H.245 session.
    EndSession,
    /// A procedure failed that a call without fast connect cannot do without.
    Failed {
        cause: Cause,
        timer: Option<Timer>,
        text: &'static str,
    },
}

/// What the call lends the procedures for one turn.
pub(crate) struct Environment<'a> {
    pub(crate) now: Duration,
    pub(crate) config: &'a Config,
    pub(crate) timers: &'a mut TimerTable,
    /// Ours, when known.
    pub(crate) media: Option<&'a LocalMedia>,
    /// Connect is still to come.
    pub(crate) early: bool,
    /// The peer announces telephone-events and does not hear them.
    pub(crate) deaf_to_telephone_events: bool,
    /// We may open channels to transmit in.
    pub(crate) may_open: bool,
}

/// What one procedure may touch: time, timers, the way out.
pub(crate) struct Scope<'a> {
    pub(crate) now: Duration,
    pub(crate) config: &'a Config,
    pub(crate) timers: &'a mut TimerTable,
    pub(crate) early: bool,
    pub(crate) counters: &'a mut H245Counters,
    queues: &'a mut Queues,
}

#[derive(Debug, Default)]
struct Queues {
    out: VecDeque<Message>,
    notices: VecDeque<Notice>,
}

impl Scope<'_> {
    pub(crate) fn send(&mut self, message: Message) {
        self.queues.out.push_back(message);
    }

    pub(crate) fn start(&mut self, timer: Timer) {
        if let Some(lasts) = self.config.timers.of(timer) {
            self.timers.start(timer, self.now, lasts);
        }
    }

    pub(crate) fn notify(&mut self, notice: Notice) {
        self.queues.notices.push_back(notice);
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.notify(Notice::Tell(event));
    }

    fn fail(&mut self, timer: Option<Timer>, text: &'static str) {
        self.notify(Notice::Failed { cause: cause_of_failure(timer), timer, text });
    }
}

/// What a call ends with that cannot do without a procedure that failed.
pub(crate) fn cause_of_failure(timer: Option<Timer>) -> Cause {
    match timer {
        Some(_) => Cause::RECOVERY_ON_TIMER_EXPIRY,
        None => Cause::PROTOCOL_ERROR,
    }
}
