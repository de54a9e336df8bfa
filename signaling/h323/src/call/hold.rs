//! We hold the peer and retrieve it (H.323 8.4.6: pause by an empty TerminalCapabilitySet).
//! In: hold, retrieve; what becomes of our capability sets. Out: capability sets, channels closed, events.
//!
//! ```text
//!   No ── hold / empty set ──▶ Asked ── Ack / our channels close ──▶ Held ── retrieve / full set, MSD ──▶ Retrieving
//!    ▲                           │ Reject, T101, no H.245 / full set   ▲                                   │     │
//!    ├───────────────────────────┘                                     └──────────────── Reject, T101 ─────┘     │
//!    └──────────────────────────────────────────────── Ack: channels open ───────────────────────────────────────┘
//! ```
//! The peer closes what it sends in; that we send nothing either is ours to see to: our channels are closed once the peer
//! has answered, so that a hold that fails has changed nothing. From the empty set to the full one the procedures see no
//! media of ours: what the peer opens is rejected (dataTypeNotAvailable).
//!
//! After a fast connect there may be no H.245 yet: it begins, with the empty set as the first.
//!
//! Not here: that the peer holds us (`h245::receive`: `Paused`, `Resumed`). Both may hold at once.

use std::time::Duration;

use super::{Call, CallState};
use crate::Timer;
use crate::event::Event;
use crate::tunnel::Path;

/// How far holding the peer has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    No,
    Asked,
    Held,
    Retrieving,
}

impl Hold {
    /// The procedures are to see no media of ours.
    pub(super) fn pauses(self) -> bool {
        matches!(self, Self::Asked | Self::Held)
    }
}

impl Call {
    /// Holds the peer: from [`Event::Held`] on nobody sends, or [`Event::HoldFailed`] says why not. H.245 is begun if
    /// it has not been. False when it cannot be: no call is up, H.245 is gone, the peer is held or about to be.
    pub fn hold(&mut self, now: Duration) -> bool {
        let up = self.state == CallState::Active && !self.released;
        if !up || self.hold != Hold::No || self.h245.path == Path::Closed || self.control.is_over() {
            return false;
        }
        self.hold = Hold::Asked;
        if self.control.is_started() {
            self.with_control(now, |control, env| control.hold(env));
        } else if self.h245.path != Path::Undecided || !self.h245.tunnelling.is_active() {
            // Somebody has to make a connection; where H.245 is tunnelled, T101 does for this timer.
            self.start_timer(Timer::H245Start, now);
        }
        self.flush(now);
        true
    }

    /// Retrieves the held peer: [`Event::Retrieved`], then channels open as at the beginning; or
    /// [`Event::RetrieveFailed`]. False when the peer is not held.
    pub fn retrieve(&mut self, now: Duration) -> bool {
        if self.hold != Hold::Held || self.released || self.control.is_over() {
            return false;
        }
        self.hold = Hold::Retrieving;
        self.with_control(now, |control, env| control.retrieve(env));
        self.flush(now);
        true
    }

    pub(super) fn on_set_taken(&mut self, now: Duration) {
        match self.hold {
            Hold::Asked => {
                self.hold = Hold::Held;
                self.with_control(now, |control, env| control.fall_silent(env));
                self.notify(Event::Held);
            }
            Hold::Retrieving => {
                self.hold = Hold::No;
                self.notify(Event::Retrieved);
            }
            Hold::No | Hold::Held => {}
        }
    }

    /// True if that is all there is to it.
    pub(super) fn on_set_refused(&mut self, now: Duration, why: &'static str) -> bool {
        match self.hold {
            Hold::Asked => {
                self.hold = Hold::No;
                self.notify(Event::HoldFailed { why });
                // Whatever the peer made of the empty set, this one undoes it.
                self.media_changed(now);
                true
            }
            Hold::Retrieving => {
                self.hold = Hold::Held;
                self.notify(Event::RetrieveFailed { why });
                true
            }
            Hold::No | Hold::Held => false,
        }
    }

    /// There is no H.245 to hold the peer by.
    pub(super) fn on_hold_impossible(&mut self, why: &'static str) {
        if self.hold == Hold::Asked {
            self.hold = Hold::No;
            self.notify(Event::HoldFailed { why });
        }
    }
}
