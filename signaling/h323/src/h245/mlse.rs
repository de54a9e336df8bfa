//! Maintenance loops (H.245 C.11: MLSE), both ways.
//! In: LOOP.request, the peer's PDUs, T102. Out: PDUs, what the media side is to loop, what the peer loops.
//!
//! ```text
//!   outgoing   NotLooped ─ request ▶ AwaitingResponse ─ Ack ▶ Looped ─ OffCommand ▶ NotLooped
//!                                      │ Reject / T102, OffCommand
//!                                      ▼ NotLooped
//!   incoming   NotLooped ─ request: Ack (if the media side can, and the channel is there) ▶ Looped ─ Off ▶ NotLooped
//!                          else Reject canNotPerformLoop
//! ```
//! We ask for one loop at a time. The peer's are bounded by its channels.
//!
//! Not here: the looping itself (the media side).

use crate::h245::lcse::Channels;
use crate::h245::{Scope, pdu};
use crate::{Event, Loop, Timer};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    NotLooped,
    AwaitingResponse(Loop),
    Looped,
}

#[derive(Debug)]
pub(crate) struct Mlse {
    outgoing: State,
    /// What we loop for the peer.
    incoming: Vec<Loop>,
}

impl Default for Mlse {
    fn default() -> Self {
        Self { outgoing: State::NotLooped, incoming: Vec::new() }
    }
}

impl Mlse {
    /// LOOP.request. False while another loop stands or is asked for.
    pub(crate) fn request(&mut self, scope: &mut Scope<'_>, looped: Loop) -> bool {
        if self.outgoing != State::NotLooped {
            return false;
        }
        self.outgoing = State::AwaitingResponse(looped);
        scope.send(pdu::loop_request(looped));
        scope.start(Timer::T102);
        true
    }

    /// RELEASE.request: MaintenanceLoopOffCommand.
    pub(crate) fn off(&mut self, scope: &mut Scope<'_>) {
        if self.outgoing != State::NotLooped {
            self.outgoing = State::NotLooped;
            scope.timers.stop(Timer::T102);
            scope.send(pdu::loop_off());
        }
    }

    pub(crate) fn on_ack(&mut self, scope: &mut Scope<'_>, looped: Loop) {
        if self.outgoing == State::AwaitingResponse(looped) {
            self.outgoing = State::Looped;
            scope.timers.stop(Timer::T102);
            scope.tell(Event::LoopResponse { asked: looped, granted: true });
        }
    }

    pub(crate) fn on_reject(&mut self, scope: &mut Scope<'_>, looped: Loop) {
        if self.outgoing == State::AwaitingResponse(looped) {
            self.fail(scope, looped);
        }
    }

    /// MaintenanceLoopRequest came back as not understood.
    pub(crate) fn on_returned(&mut self, scope: &mut Scope<'_>) {
        if let State::AwaitingResponse(looped) = self.outgoing {
            self.fail(scope, looped);
        }
    }

    pub(crate) fn on_t102(&mut self, scope: &mut Scope<'_>) {
        if let State::AwaitingResponse(looped) = self.outgoing {
            // C.10: an answer that comes later must not leave a loop behind.
            scope.send(pdu::loop_off());
            self.fail(scope, looped);
        }
    }

    fn fail(&mut self, scope: &mut Scope<'_>, asked: Loop) {
        self.outgoing = State::NotLooped;
        scope.timers.stop(Timer::T102);
        scope.tell(Event::LoopResponse { asked, granted: false });
    }

    /// MaintenanceLoopRequest.
    pub(crate) fn on_request(&mut self, scope: &mut Scope<'_>, looped: Loop, channels: &Channels) {
        let possible = match looped {
            // There is no way to loop H.245 and all media at the multiplex: H.323 has none.
            Loop::System => false,
            Loop::Media(number) | Loop::LogicalChannel(number) => channels.is_receiving_in(number),
        };
        if !possible || !scope.config.maintenance_loops {
            return scope.send(pdu::loop_reject(looped));
        }
        scope.send(pdu::loop_ack(looped));
        if !self.incoming.contains(&looped) {
            // A loop of a channel that is gone has ended with it.
            self.incoming.retain(|known| match known {
                Loop::Media(number) | Loop::LogicalChannel(number) => channels.is_receiving_in(*number),
                Loop::System => false,
            });
            self.incoming.push(looped);
            scope.tell(Event::MaintenanceLoop { looped: Some(looped) });
        }
    }

    /// MaintenanceLoopOffCommand: all loops end.
    pub(crate) fn on_off(&mut self, scope: &mut Scope<'_>) {
        if !std::mem::take(&mut self.incoming).is_empty() {
            scope.tell(Event::MaintenanceLoop { looped: None });
        }
    }
}
