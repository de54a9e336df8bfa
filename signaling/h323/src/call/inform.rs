//! What a side tells the other's user without changing the call: Notify, Progress, user-user information; and where
//! else to go (Facility callForwarded and its kin; H.323 8.1.10, 8.4.3).
//! In: the application's wishes, Facility. Out: messages, events; a forward that is followed ends this call.
//!
//! A forward: the machine releases with facilityCallDeflection, the driver places the next call. It keeps the
//! conferenceID (routeCallToMC: joins the one that is named) and takes a new callIdentifier and call reference, for it
//! is another call (H.225.0 7.3.10).
//!
//! Not here: placing that call (the driver).

use std::net::SocketAddr;
use std::time::Duration;

use offhook_wire::h225::{FacilityReason, FacilityUuie};
use offhook_wire::q931::NotificationIndicator;

use super::release::Ending;
use super::{Call, CallState, Link, Side};
use crate::address::{aliases_from, from_h225};
use crate::event::Event;
use crate::h245::lcse::is_usable;
use crate::{Alias, FastConnectAnswer, Forward, ForwardKind, Origin, ReleaseReason, Timer, UserUser};

impl Call {
    /// A call whose messages can reach somebody.
    pub(super) fn can_speak(&self) -> bool {
        !self.released && !self.setup_waits && self.state != CallState::Null && self.link == Link::Open
    }

    pub(super) fn on_send_notify(&mut self, description: u8) -> bool {
        if self.can_speak() {
            let indicator = NotificationIndicator { description };
            self.outbox.push(self.identity.notify(&indicator));
        }
        self.can_speak()
    }

    /// Called side, before Connect: Progress, with the answer to fast connect if it is due.
    pub(super) fn on_send_progress(&mut self, now: Duration, description: u8) -> bool {
        let pending =
            matches!(self.state, CallState::Present | CallState::IncomingProceeding | CallState::Received);
        if self.side != Side::Called || !pending || !self.can_speak() {
            return false;
        }
        let answer = self.answer_in(now, FastConnectAnswer::Alerting);
        self.outbox.push(self.identity.progress(&self.config, description, answer));
        true
    }

    /// Information, or the next message that can carry it while an incoming call is not answered.
    pub(super) fn on_send_user_user(&mut self, data: UserUser) -> bool {
        if !self.can_speak() {
            return false;
        }
        if self.side == Side::Called && self.state != CallState::Active {
            self.user_user = Some(data);
        } else {
            self.outbox.push(self.identity.user_user(&data));
        }
        true
    }

    /// Facility of the peer.
    pub(super) fn on_facility(&mut self, now: Duration, uuie: &FacilityUuie) {
        let kind = match uuie.reason {
            FacilityReason::StartH245 => {
                self.h245.peer_began = true;
                return;
            }
            FacilityReason::CallForwarded => ForwardKind::CallForwarded,
            FacilityReason::RouteCallToGatekeeper => ForwardKind::RouteCallToGatekeeper,
            FacilityReason::RouteCallToMC => ForwardKind::RouteCallToMc,
            _ => return,
        };
        let mut forward = Forward {
            kind,
            address: uuie.alternative_address.as_ref().and_then(from_h225).filter(is_usable),
            aliases: aliases_from(uuie.alternative_alias_address.as_ref()),
            conference_id: uuie.conference_id,
            followed: false,
        };
        let leads = forward.address.is_some() || !forward.aliases.is_empty();
        // Only the caller places calls; and a call that stands is left for a conference, not for another callee.
        let place = self.side == Side::Caller
            && (self.state != CallState::Active || kind == ForwardKind::RouteCallToMc);
        if !place || !leads || !self.config.forwarding.follows(kind) {
            return self.notify(Event::ForwardRequested(Box::new(forward)));
        }
        if self.forwards >= self.config.forwarding.limit {
            self.notify(Event::ForwardRequested(Box::new(forward)));
            let reason = ReleaseReason::HopCountExceeded;
            let mut ending = Ending::new(Origin::Machine, reason.cause(), "forwarded too often");
            ending.reason = Some(reason);
            return self.finish(now, ending);
        }
        forward.followed = true;
        self.notify(Event::ForwardRequested(Box::new(forward)));
        self.finish(now, deflected(Origin::Remote, "forwarded by the called side"));
    }

    /// Called side: sends the caller elsewhere, and ends the call if he does not go.
    pub(super) fn on_forward(
        &mut self,
        now: Duration,
        reason: FacilityReason,
        address: Option<SocketAddr>,
        aliases: &[Alias],
    ) -> bool {
        let leads = address.is_some() || !aliases.is_empty();
        let pending = self.state != CallState::Active && !self.called.answer;
        if self.side != Side::Called || !leads || !pending || !self.can_speak() {
            return false;
        }
        self.outbox.push(self.identity.forward(reason, address, aliases));
        self.start_timer(Timer::Deflection, now);
        true
    }

    /// The caller has not gone by itself.
    pub(super) fn on_deflection(&mut self, now: Duration) {
        self.finish(now, deflected(Origin::Timer(Timer::Deflection), "forwarded to somebody else"));
    }
}

fn deflected(origin: Origin, text: &str) -> Ending {
    let reason = ReleaseReason::FacilityCallDeflection;
    Ending { reason: Some(reason), ..Ending::new(origin, reason.cause(), text) }
}
