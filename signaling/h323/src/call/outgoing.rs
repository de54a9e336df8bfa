//! The calling side of set-up: Setup and what the called side answers (Q.931 5.1, H.323 8.1).
//! In: the connection, CallProceeding, Progress, Alerting, Connect. Out: Setup, events, timers.
//!
//! ```text
//!   connected ─ Setup ▶ T303 ─ CallProceeding ▶ T310 ─ Progress, Alerting ▶ T301 ─ Connect ▶ Active
//! ```
//! Not here: SetupAcknowledge and what it asks for (`overlap`), releases (`release`), H.245 (`control`).

use std::time::Duration;

use bytes::Bytes;
use offhook_wire::h225::H323UuPduH323MessageBody as Body;
use offhook_wire::h225_message::CallSignal;
use offhook_wire::q931::{ConnectedNumber, ProgressIndicator};

use super::message::Setup;
use super::{Call, CallState, Link};
use crate::address::aliases_from;
use crate::event::{Action, ConnectInfo, Event};
use crate::fast_connect::{self, FastConnect};
use crate::tunnel::Path;
use crate::{LocalMedia, Number, SetupUnanswered, Timer};

impl Call {
    pub(super) fn on_signaling_connected(&mut self, now: Duration) {
        if self.link == Link::Lost {
            return self.on_signaling_restored(now);
        }
        if self.link != Link::Connecting || self.released {
            return;
        }
        self.link = Link::Open;
        self.timers.stop(Timer::SignalingConnect);
        // The same time again for the driver to say where it listens.
        if self.config.h245_in_setup && !self.config.tunnelling {
            self.setup_waits = true;
            self.h245.path = Path::ListenPending;
            self.actions.push_back(Action::ListenH245);
            self.start_timer(Timer::SignalingConnect, now);
            return;
        }
        self.send_setup(now);
    }

    pub(super) fn send_setup(&mut self, now: Duration) {
        self.setup_waits = false;
        self.timers.stop(Timer::SignalingConnect);
        let media = self.media.take().unwrap_or_default();
        let fast_start = self.propose_fast_connect(&media);
        self.media = Some(media);
        let proposes = fast_start.is_some();
        let h245_address = match self.h245.path {
            Path::Listening(address) => Some(address),
            _ => None,
        };
        self.h245.told = h245_address.is_some();
        let mut setup = self.identity.setup(
            &self.config,
            Setup {
                destination: self.destination.as_ref(),
                source_address: self.local_address,
                destination_address: self.remote_address,
                h245_address,
                fast_start,
                goal: self.caller.goal,
                overlap: self.overlap.possible,
                withhold_identity: self.caller.withhold_identity,
                redirecting: self.caller.redirecting.as_ref(),
                user_user: self.caller.user_user.as_ref(),
            },
        );
        self.admit_setup(&mut setup);
        if self.config.h245_in_setup && self.config.tunnelling {
            self.h245.parallel = true;
            self.h245.again_at_connect = true;
            self.start_h245(now);
            let messages = self.take_h245_messages();
            // H.323 8.2.4: beside fastStart an h245Control would mean that fastStart is void.
            put_h245(&mut setup, messages, proposes);
        }
        if self.config.setup_unanswered == SetupUnanswered::Repeat {
            self.caller.sent = Some(Box::new(setup.clone()));
        }
        self.outbox.push(setup);
        self.start_timer(Timer::T303, now);
        self.notify(Event::SetupSent);
    }

    /// The first expiry of T303; false when the call is to end with it.
    pub(super) fn goes_on_unanswered(&mut self, now: Duration) -> bool {
        let first = !std::mem::replace(&mut self.t303_expired, true);
        if !first || self.config.setup_unanswered == SetupUnanswered::Release {
            return false;
        }
        self.outbox.extend(self.caller.sent.take().map(|setup| *setup));
        self.start_timer(Timer::T303, now);
        true
    }

    fn propose_fast_connect(&mut self, media: &LocalMedia) -> Option<Vec<Bytes>> {
        if !self.config.fast_start {
            return None;
        }
        let control = &mut self.control;
        let (elements, offered) = fast_connect::propose(media, || control.take_channel_number());
        if elements.is_empty() {
            return None;
        }
        self.fast = FastConnect::Offered(offered);
        Some(elements)
    }

    pub(super) fn on_call_proceeding(&mut self, now: Duration) {
        if matches!(self.state, CallState::Initiated | CallState::OverlapSending) {
            self.state = CallState::OutgoingProceeding;
            self.timers.stop(Timer::T303);
            self.timers.stop(Timer::T304);
            self.start_timer(Timer::T310, now);
            self.notify(Event::Proceeding);
        }
    }

    pub(super) fn on_progress(&mut self, now: Duration, signal: &CallSignal) {
        let description = signal.q931.readable::<ProgressIndicator>().map(|p| p.description);
        let inband = matches!(
            description,
            Some(ProgressIndicator::INBAND_INFORMATION | ProgressIndicator::NOT_END_TO_END_ISDN)
        );
        if self.is_before_alerting() {
            // Progress stops T310 (Q.931 5.1.6); something has to end a call that goes no further.
            for timer in [Timer::T303, Timer::T304, Timer::T310] {
                self.timers.stop(timer);
            }
            self.start_timer(Timer::T301, now);
            self.state = CallState::OutgoingProceeding;
        }
        self.notify(Event::Progress { inband, description });
    }

    pub(super) fn on_alerting(&mut self, now: Duration) {
        if self.is_before_alerting() {
            self.state = CallState::Delivered;
            for timer in [Timer::T303, Timer::T304, Timer::T310] {
                self.timers.stop(timer);
            }
            self.start_timer(Timer::T301, now);
            self.notify(Event::Alerting);
        }
    }

    /// Connect: the state changes before its fastStart is looked at, the event follows it.
    pub(super) fn on_connect(&mut self, now: Duration) -> bool {
        if self.state == CallState::Active {
            return false;
        }
        self.state = CallState::Active;
        for timer in [Timer::T303, Timer::T304, Timer::T310, Timer::T301] {
            self.timers.stop(timer);
        }
        self.start_timer(Timer::StatusInterval, now);
        // Whoever has said nothing about tunnelling by now does not know it.
        self.h245.tunnelling.settle();
        if self.h245.path == Path::Undecided || !self.control.is_heard() {
            self.start_timer(Timer::H245Start, now);
        }
        true
    }

    pub(super) fn after_connect(&mut self, now: Duration, signal: &CallSignal) {
        if matches!(self.fast, FastConnect::Offered(_)) {
            self.fast = FastConnect::Refused;
        }
        if self.fast.is_accepted() {
            // WIRE.md 1: H.245 may never come.
            self.timers.stop(Timer::H245Start);
        }
        let (connected, conference_id) = match signal.body() {
            Some(Body::Connect(uuie)) => (aliases_from(uuie.connected_address.as_ref()), uuie.conference_id),
            _ => (Vec::new(), self.identity.conference_id),
        };
        self.notify(Event::Connected(Box::new(ConnectInfo {
            display: signal.q931.display(),
            connected_aliases: connected,
            connected_number: signal.q931.readable::<ConnectedNumber>().map(Number::from),
            conference_id,
            peer: self.peer.clone(),
            fast_start: self.fast.is_accepted(),
            tunnelling: self.h245.tunnelling.is_active(),
        })));
        self.after_control(now);
    }
}

/// H.245 inside Setup: in h245Control, or in parallelH245Control.
fn put_h245(setup: &mut CallSignal, messages: Vec<Bytes>, parallel: bool) {
    let Some(uuie) = &mut setup.uuie else {
        return;
    };
    if !parallel {
        uuie.h323_uu_pdu.h245_control = Some(messages);
    } else if let Body::Setup(setup) = &mut uuie.h323_uu_pdu.h323_message_body {
        setup.parallel_h245_control = Some(messages);
    }
}
