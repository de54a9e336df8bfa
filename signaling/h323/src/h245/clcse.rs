//! Requests to close a channel of the other side (H.245 8.6, C.6: CLCSE), both ways.
//! In: RELEASE.request, the peer's PDUs, T108. Out: PDUs; that the peer will not.
//!
//! ```text
//!   outgoing   Idle ─ RequestChannelClose ▶ AwaitingResponse ─ Ack ▶ (the peer's CLC) ─ CLC ▶ Idle
//!                                             │ Reject ▶ Idle          │ T108 ▶ Idle, told
//!                                             │ T108 / Release ▶ Idle, told
//!   incoming   RequestChannelClose ─ Ack and our CloseLogicalChannel, or Reject, at once
//! ```
//! One machine a channel; no more of them than channels that the peer may open.
//!
//! Not here: the channel's own machine (`lcse`).

use crate::h245::lcse::{Channels, Outgoing, OutgoingState};
use crate::h245::{Scope, pdu};
use crate::{Event, Timer};

/// The outgoing machines that are not idle.
#[derive(Debug, Default)]
pub(crate) struct Clcse {
    awaiting: Vec<Request>,
}

#[derive(Debug)]
struct Request {
    number: u16,
    /// The peer will close it.
    granted: bool,
}

impl Clcse {
    /// RELEASE.request.
    pub(super) fn request(&mut self, scope: &mut Scope<'_>, number: u16, reopen: bool) {
        if self.awaiting.iter().any(|request| request.number == number) {
            return;
        }
        self.awaiting.push(Request { number, granted: false });
        scope.send(pdu::request_close(number, reopen));
        scope.start(Timer::T108(number));
    }

    /// RequestChannelCloseAck: CloseLogicalChannel follows, or T108 says that it does not.
    pub(crate) fn on_ack(&mut self, number: u16) {
        for request in self.awaiting.iter_mut().filter(|request| request.number == number) {
            request.granted = true;
        }
    }

    /// RequestChannelCloseReject, or not understood. True when something was asked.
    pub(crate) fn on_reject(&mut self, scope: &mut Scope<'_>, number: u16) -> bool {
        let asked = self.take(scope, number).is_some();
        if asked {
            scope.tell(Event::ChannelCloseRefused { channel: number });
        }
        asked
    }

    pub(crate) fn on_t108(&mut self, scope: &mut Scope<'_>, number: u16) {
        if let Some(request) = self.take(scope, number) {
            if !request.granted {
                scope.send(pdu::request_close_release(number));
            }
            scope.tell(Event::ChannelCloseRefused { channel: number });
        }
    }

    /// The peer has closed the channel, asked or not.
    pub(super) fn closed(&mut self, scope: &mut Scope<'_>, number: u16) {
        self.take(scope, number);
    }

    pub(super) fn clear(&mut self, scope: &mut Scope<'_>) {
        for request in std::mem::take(&mut self.awaiting) {
            scope.timers.stop(Timer::T108(request.number));
        }
    }

    fn take(&mut self, scope: &mut Scope<'_>, number: u16) -> Option<Request> {
        let at = self.awaiting.iter().position(|request| request.number == number)?;
        scope.timers.stop(Timer::T108(number));
        Some(self.awaiting.swap_remove(at))
    }
}

impl Channels {
    /// Our application wants the peer's channel in a session closed. False when there is none.
    pub(crate) fn request_close(&mut self, scope: &mut Scope<'_>, session_id: u8, reopen: bool) -> bool {
        let Some(plan) = self.current(session_id) else {
            return false;
        };
        let ours = self.incoming.iter().find(|c| c.number == plan.channel).and_then(|c| c.reverse_of);
        if let Some(at) = self.outgoing.iter().position(|c| Some(c.number) == ours) {
            // The reverse direction of a channel of ours: it goes with that one, which is ours to close.
            if !reopen {
                super::lcse::add(&mut self.parked, session_id);
            }
            self.release_at(scope, at);
            return true;
        }
        self.closing.request(scope, plan.channel, reopen);
        true
    }

    /// RequestChannelClose: the peer wants one of our channels closed.
    pub(crate) fn on_request_close(&mut self, scope: &mut Scope<'_>, number: u16, reopen: bool) {
        let open = |c: &Outgoing| {
            c.number == number && c.state != OutgoingState::AwaitingRelease && c.reverse_of.is_none()
        };
        let Some(at) = self.outgoing.iter().position(open) else {
            scope.send(pdu::request_close_reject(number));
            return;
        };
        if !reopen && let Some(channel) = self.outgoing.get(at) {
            let session_id = channel.session_id;
            super::lcse::add(&mut self.parked, session_id);
        }
        scope.send(pdu::request_close_ack(number));
        self.release_at(scope, at);
    }

    /// RequestChannelCloseAck.
    pub(crate) fn on_request_close_ack(&mut self, number: u16) {
        self.closing.on_ack(number);
    }

    /// RequestChannelCloseReject, T108, or RequestChannelClose came back: a reverse direction that we wanted closed is
    /// given up on our side.
    pub(crate) fn on_request_close_refused(&mut self, scope: &mut Scope<'_>, number: u16, expired: bool) {
        if expired {
            self.closing.on_t108(scope, number);
        } else if !self.closing.on_reject(scope, number) {
            return;
        }
        self.outgoing.retain(|c| c.reverse_of != Some(number) || c.state != OutgoingState::AwaitingRelease);
    }
}
