//! How a call ends: releases, closed connections, expired timers.
//! In: who ends it and why. Out: endSession and ReleaseComplete, closed channels, `Released`, sockets closed.
//!
//! ```text
//!   local    endSession ┐ ReleaseComplete ─▶ Released ─▶ Linger until the peer answers or closes ─▶ CloseSignaling
//!   remote   (H.245: endSession) ─────────▶ Released ─▶ CloseSignaling
//! ```
//! Tunnelled, endSession rides in ReleaseComplete; on its own connection the peer's is waited for
//! (H.323 8.5), which the application need not.
//!
//! A lost connection ends the call, unless the configuration lets it come back:
//!
//! ```text
//!   Open ─ lost ▶ Lost ─ caller: ReopenSignaling, SignalingRetry … ▶ Open, StatusInquiry ─ Status ▶ goes on
//!                  └─ SignalingLoss ▶ cause 41
//! ```

use std::time::Duration;

use offhook_wire::h225::H323UuPduH323MessageBody as Body;
use offhook_wire::h225_message::CallSignal;
use offhook_wire::q931::Cause;
use offhook_wire::tpkt::TpktDecoder;
use tracing::debug;

use super::control::H245_GONE;
use super::message::reason_from;
use super::{Call, CallState, Closed, Link, Side};
use crate::event::{Action, Event};
use crate::tunnel::Path;
use crate::{Origin, ReleaseInfo, ReleaseReason, Timer, UserUser};

/// Why and how the call ends.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) origin: Origin,
    pub(super) cause: Option<Cause>,
    pub(super) reason: Option<ReleaseReason>,
    pub(super) text: String,
    /// What the peer's ReleaseComplete brought for its user.
    pub(super) display: Option<String>,
    pub(super) user_user: Option<UserUser>,
    /// Tell the peer by ReleaseComplete.
    pub(super) tell: bool,
}

impl Ending {
    /// We end it; the peer is told.
    pub(super) fn new(origin: Origin, cause: Cause, text: impl Into<String>) -> Self {
        let reason = ReleaseReason::for_cause(cause);
        Self {
            origin,
            cause: Some(cause),
            reason,
            text: text.into(),
            display: None,
            user_user: None,
            tell: true,
        }
    }

    /// There is nobody to tell any more.
    pub(super) fn silent(mut self) -> Self {
        self.tell = false;
        self
    }
}

impl Call {
    /// Ends the call, once.
    pub(super) fn finish(&mut self, now: Duration, ending: Ending) {
        if self.released {
            return;
        }
        debug!(?ending, state = ?self.state, "call released");
        let connected = self.state == CallState::Active;
        let path = self.h245.path;
        let known = self.state != CallState::Null && !self.setup_waits;
        let tells = ending.tell && self.link == Link::Open && known;
        // Tunnelled, endSession rides in our ReleaseComplete; after the peer's nothing may follow.
        let session = path == Path::Connected || path == Path::Tunnelled && tells;
        let awaiting_end = session && self.end_h245(now);
        self.close_channels(now);
        self.timers.retain(|_| false);
        self.released = true;

        if tells {
            let cause = ending.cause.unwrap_or(Cause::NORMAL_UNSPECIFIED);
            let user_user = self.user_user.take();
            self.outbox.push(self.identity.release_complete(cause, ending.reason, user_user.as_ref()));
        }
        if !tells && path == Path::Tunnelled {
            self.h245.path = Path::Closed;
        }
        self.now = now;
        self.send_outbox();
        self.state = CallState::Null;

        match path {
            Path::Connected if awaiting_end && tells => self.start_timer(Timer::EndSession, now),
            _ if path.has_socket() => self.close_h245(),
            _ => self.h245.path = Path::Closed,
        }
        if tells {
            self.start_timer(Timer::Linger, now);
        } else {
            self.close_signaling();
        }
        self.notify(Event::Released(Box::new(ReleaseInfo {
            origin: ending.origin,
            cause: ending.cause,
            reason: ending.reason,
            connected,
            display: ending.display,
            user_user: ending.user_user,
            text: ending.text,
        })));
    }

    /// ReleaseComplete, or what Q.931 networks send in its place.
    pub(super) fn on_release(&mut self, now: Duration, signal: &CallSignal) {
        let reason = match signal.body() {
            Some(Body::ReleaseComplete(uuie)) => uuie.reason.as_ref().map(reason_from),
            _ => None,
        };
        let cause = signal.q931.cause();
        let text = match (cause, reason) {
            (Some(cause), Some(reason)) => format!("the peer released: {cause}, {reason:?}"),
            (Some(cause), None) => format!("the peer released: {cause}"),
            (None, Some(reason)) => format!("the peer released: {reason:?}"),
            (None, None) => "the peer released without saying why".to_owned(),
        };
        let display = signal.q931.display();
        let user_user = signal.uuie.as_deref().and_then(UserUser::from_uuie);
        let origin = Origin::Remote;
        self.finish(now, Ending { origin, cause, reason, text, display, user_user, tell: false });
    }

    /// The peer's ReleaseComplete has crossed ours, or answers it: nothing more will come.
    pub(super) fn on_crossing_release(&mut self) {
        self.timers.stop(Timer::Linger);
        self.close_signaling();
    }

    pub(super) fn on_signaling_closed(&mut self, now: Duration, why: Closed) {
        if self.link == Link::Lost {
            // The attempt to make it again has failed.
            return self.start_timer(Timer::SignalingRetry, now);
        }
        let before = std::mem::replace(&mut self.link, Link::Closed);
        self.timers.stop(Timer::Linger);
        if self.released || before == Link::Closed {
            return;
        }
        if self.timers.is_running(Timer::EndSession) {
            // The peer took its leave in H.245 and spares itself the ReleaseComplete.
            return self.finish(now, session_ended().silent());
        }
        if self.config.survive_signaling_loss && before == Link::Open && self.state == CallState::Active {
            self.link = Link::Lost;
            self.timers.stop(Timer::T322);
            self.start_timer(Timer::SignalingLoss, now);
            self.notify(Event::SignalingLost);
            return self.reopen();
        }
        let (cause, text) = match (before, why) {
            (Link::Connecting, Closed::Refused) => {
                (Cause::DESTINATION_OUT_OF_ORDER, "the peer refuses the connection")
            }
            (Link::Connecting, _) => (Cause::NO_ROUTE_TO_DESTINATION, "the peer cannot be reached"),
            (_, Closed::ByPeer) => (Cause::TEMPORARY_FAILURE, "the peer closed the connection"),
            _ => (Cause::TEMPORARY_FAILURE, "the connection broke"),
        };
        self.finish(now, Ending::new(Origin::Network, cause, text).silent());
    }

    /// The caller makes the connection, as it made the first one; were both to do so there would be two.
    fn reopen(&mut self) {
        if self.side == Side::Caller && self.link == Link::Lost {
            self.actions.push_back(Action::ReopenSignaling(self.remote_address));
        }
    }

    /// A connection that was lost is back: whether the peer still has the call is the first thing to ask.
    pub(super) fn on_signaling_restored(&mut self, now: Duration) {
        self.link = Link::Open;
        self.signal_decoder = TpktDecoder::with_limit(self.config.limits.tpkt);
        self.timers.stop(Timer::SignalingLoss);
        self.timers.stop(Timer::SignalingRetry);
        self.notify(Event::SignalingRestored);
        if self.side == Side::Caller && self.on_inquire(now) {
            // It says whose connection this is: what has waited comes behind it.
            self.outbox.rotate_right(1);
        }
    }

    pub(super) fn on_timer(&mut self, now: Duration, timer: Timer) {
        let (cause, text) = match timer {
            Timer::Linger => return self.close_signaling(),
            Timer::SignalingRetry => return self.reopen(),
            Timer::H245Loss => {
                let ending = Ending::new(Origin::Network, Cause::TEMPORARY_FAILURE, H245_GONE);
                return self.finish(now, ending);
            }
            Timer::SignalingLoss => {
                let (cause, text) =
                    (Cause::TEMPORARY_FAILURE, "the connection was lost and has not come back");
                return self.finish(now, Ending::new(Origin::Network, cause, text).silent());
            }
            Timer::EndSession if self.released => return self.close_h245(),
            Timer::EndSession => return self.finish(now, session_ended()),
            Timer::T303 if self.goes_on_unanswered(now) => return,
            Timer::T302 => return self.on_t302(now),
            Timer::T322 => return self.on_t322(now),
            Timer::Deflection => return self.on_deflection(now),
            Timer::H245Turn => return self.h245.our_turn = true,
            Timer::ProceedingWait => {
                self.on_proceed(now);
                return;
            }
            Timer::StatusInterval => {
                self.start_timer(Timer::StatusInterval, now);
                self.on_inquire(now);
                return;
            }
            Timer::SignalingConnect => {
                (Cause::NO_ROUTE_TO_DESTINATION, "no connection within the time allowed")
            }
            Timer::SetupWait => (Cause::RECOVERY_ON_TIMER_EXPIRY, "no Setup on the connection (setup wait)"),
            Timer::T303 => (Cause::NO_USER_RESPONDING, "no answer to Setup (T303)"),
            Timer::T304 => (Cause::RECOVERY_ON_TIMER_EXPIRY, "nothing after the digits (T304)"),
            Timer::T310 => (Cause::RECOVERY_ON_TIMER_EXPIRY, "nothing after CallProceeding (T310)"),
            Timer::T301 if self.side == Side::Caller => (Cause::NO_ANSWER_FROM_USER, "not answered (T301)"),
            Timer::T301 => (Cause::NO_ANSWER_FROM_USER, "not answered here (T301)"),
            Timer::H245Start if self.fast.is_accepted() => {
                return self.on_hold_impossible("H.245 does not come up");
            }
            Timer::MediaWait => (Cause::RESOURCE_UNAVAILABLE, "the media side does not answer"),
            Timer::H245Start => (Cause::RECOVERY_ON_TIMER_EXPIRY, "H.245 does not come up"),
            Timer::T101
            | Timer::T102
            | Timer::T103(_)
            | Timer::T103Confirm(_)
            | Timer::T105
            | Timer::T106
            | Timer::T108(_)
            | Timer::T109
            | Timer::RoundTripInterval => return self.on_h245_timer(now, timer),
        };
        self.finish(now, Ending::new(Origin::Timer(timer), cause, text));
    }

    pub(super) fn close_signaling(&mut self) {
        if std::mem::replace(&mut self.link, Link::Closed) != Link::Closed {
            self.actions.push_back(Action::CloseSignaling);
        }
    }

    pub(super) fn close_h245(&mut self) {
        self.timers.stop(Timer::EndSession);
        if self.h245.path.has_socket() {
            self.actions.push_back(Action::CloseH245);
        }
        self.h245.path = Path::Closed;
    }
}

/// A release by endSession alone.
fn session_ended() -> Ending {
    Ending::new(Origin::Remote, Cause::NORMAL_CALL_CLEARING, "the peer ended the H.245 session")
}
