//! Digits one by one: overlap sending and overlap receiving (Q.931 5.1.3, 5.2.4; H.323 8.1.12).
//! In: the application's digits, SetupAcknowledge, Information. Out: the same, events, T302 and T304.
//!
//! ```text
//!   caller   Initiated ─ SetupAcknowledge ▶ OverlapSending ─ Information … ▶ T304 ─ CallProceeding …
//!   called   Setup ▶ OverlapReceiving ─ SetupAcknowledge ─ Information … ▶ T302 ─ Sending complete,
//!            T302, the application ▶ CallProceeding
//! ```
//! Not here: keys of a call that stands (`signal`).

use std::time::Duration;

use offhook_wire::h225_message::CallSignal;
use offhook_wire::q931::{CalledPartyNumber, ElementId};

use super::{Call, CallState, Link, Side};
use crate::event::Event;
use crate::number::MAX_DIGITS;
use crate::{FastConnectAnswer, Timer};

/// The called number while it is not complete.
#[derive(Debug, Default)]
pub(super) struct Overlap {
    /// Caller: Setup said that more digits may follow. Called side: it came so.
    pub(super) possible: bool,
    /// Caller: digits for the SetupAcknowledge that has not come. Called side: nothing.
    waiting: String,
    /// Caller: the last of them is among `waiting`.
    ends: bool,
    /// How many digits went by, so that their number is bounded.
    digits: usize,
}

impl Overlap {
    pub(super) fn new(possible: bool) -> Self {
        Self { possible, ..Self::default() }
    }
}

impl Call {
    /// Caller: more digits; false where none can be taken.
    pub(super) fn on_dial(&mut self, now: Duration, digits: &str, complete: bool) -> bool {
        let legal = digits.chars().all(|digit| digit.is_ascii_digit() || matches!(digit, '*' | '#'));
        let digits_fit = self.overlap.digits.saturating_add(digits.len()) <= MAX_DIGITS;
        let sending = self.side == Side::Caller && self.overlap.possible && !self.released;
        if !sending || !legal || !digits_fit || self.overlap.ends {
            return false;
        }
        match self.state {
            // Kept until the called side asks for it; a Setup that is answered otherwise needed no more.
            CallState::Initiated => self.overlap.waiting.push_str(digits),
            CallState::OverlapSending => self.send_called_digits(now, digits, complete),
            _ => return false,
        }
        self.overlap.digits += digits.len();
        self.overlap.ends = complete;
        true
    }

    pub(super) fn on_setup_acknowledge(&mut self, now: Duration) {
        self.state = CallState::OverlapSending;
        self.timers.stop(Timer::T303);
        self.start_timer(Timer::T304, now);
        let waiting = std::mem::take(&mut self.overlap.waiting);
        // All digits were in Setup, unless the application said that more may come: say so.
        let ends = self.overlap.ends || !self.overlap.possible;
        if ends || !waiting.is_empty() {
            self.send_called_digits(now, &waiting, ends);
        }
        if !ends {
            self.notify(Event::DigitsWanted);
        }
    }

    fn send_called_digits(&mut self, now: Duration, digits: &str, complete: bool) {
        self.outbox.push(self.identity.called_digits(digits, complete));
        self.start_timer(Timer::T304, now);
    }

    /// Called side: asks for more digits; false when the caller cannot send any.
    pub(super) fn on_request_digits(&mut self, now: Duration) -> bool {
        let state = matches!(self.state, CallState::Present | CallState::OverlapReceiving);
        if self.side != Side::Called || !self.overlap.possible || !state || self.released {
            return false;
        }
        if self.state == CallState::Present {
            self.state = CallState::OverlapReceiving;
            self.outbox.push(self.identity.setup_acknowledge());
        }
        self.start_timer(Timer::T302, now);
        true
    }

    /// Called side: Information while the number is not complete.
    pub(super) fn on_called_digits(&mut self, now: Duration, signal: &CallSignal) {
        let number = signal.q931.readable::<CalledPartyNumber>().map(|number| number.digits);
        // Q.931 5.1.3: digits come as Called party number or as Keypad facility.
        let digits = number.or_else(|| signal.q931.keypad_facility()).unwrap_or_default();
        let room = MAX_DIGITS.saturating_sub(self.overlap.digits);
        let digits: String = digits.chars().take(room).collect();
        self.overlap.digits += digits.chars().count();
        let complete = signal.q931.find(ElementId::SENDING_COMPLETE).is_some();
        if complete || !digits.is_empty() {
            self.notify(Event::CalledDigits { digits, complete });
        }
        if complete {
            self.on_proceed(now);
        } else {
            self.start_timer(Timer::T302, now);
        }
    }

    /// T302: whoever pauses so long has dialled everything.
    pub(super) fn on_t302(&mut self, now: Duration) {
        self.notify(Event::CalledDigits { digits: String::new(), complete: true });
        self.on_proceed(now);
    }

    /// Called side: the number is complete, the call is on its way. False out of place.
    pub(super) fn on_proceed(&mut self, now: Duration) -> bool {
        let state = matches!(self.state, CallState::Present | CallState::OverlapReceiving);
        if self.side != Side::Called || !state || self.released || self.link != Link::Open {
            return false;
        }
        self.timers.stop(Timer::T302);
        self.timers.stop(Timer::ProceedingWait);
        self.state = CallState::IncomingProceeding;
        let mut answer = self.answer_in(now, FastConnectAnswer::CallProceeding);
        // What is meant for the caller's user goes with Alerting or later.
        self.user_user = answer.user_user.take();
        self.outbox.push(self.identity.call_proceeding(&self.config, answer));
        true
    }
}
