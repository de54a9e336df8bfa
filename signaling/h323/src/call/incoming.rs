//! The called side of set-up: Setup, the application's decision, our answers (Q.931 5.2, H.323 8.1).
//! In: Setup; accept, answer, set_media. Out: CallProceeding, Alerting, Connect, events.
//!
//! Fast connect is answered when the media side is known and `Config::fast_connect_answer` allows: usually in the first
//! message that is sent after the application has accepted or answered, Alerting, else Connect. A caller that sets
//! mediaWaitForConnect gets it in Connect. Connect waits for the media side (MediaWait) and, when H.245 needs a
//! connection of its own, for the driver to listen.
//!
//! Not here: releases (`release`), H.245 (`control`).

use std::time::Duration;

use offhook_wire::h225::{H323UuPduH323MessageBody as Body, SetupUuie};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::q931::{Cause, ElementId, Presentation, ProgressIndicator, RedirectingNumber};

use super::message::{Answer, Common, own_number};
use super::overlap::Overlap;
use super::release::Ending;
use super::status::not_to_be_ignored;
use super::{Call, CallState, Side};
use crate::address::{aliases_from, from_h225};
use crate::event::{ConnectInfo, Event, SetupInfo};
use crate::fast_connect::{self, FastConnect};
use crate::number::presentation_from;
use crate::tunnel::Path;
use crate::{ConferenceGoal, FastConnectAnswer, Number, Origin, Redirecting, Timer, UserUser};

impl Call {
    pub(super) fn on_setup(&mut self, now: Duration, signal: &CallSignal) {
        self.identity.call_reference = signal.q931.call_reference.flipped();
        self.timers.stop(Timer::SetupWait);
        self.state = CallState::Present;
        let (Some(Body::Setup(setup)), Some(uuie)) = (signal.body(), &signal.uuie) else {
            let cause = Cause::MANDATORY_ELEMENT_MISSING;
            return self.finish(now, Ending::new(Origin::Machine, cause, "Setup without its UUIE"));
        };
        if let Some(element) = not_to_be_ignored(signal) {
            let text =
                format!("Setup has element {:#04x}, which we do not know and may not ignore", element.0);
            return self.finish(now, Ending::new(Origin::Machine, Cause::ELEMENT_NOT_IMPLEMENTED, text));
        }
        self.identity.conference_id = setup.conference_id;
        self.identity.call_identifier = setup.call_identifier.as_ref().map_or([0; 16], |id| id.guid);

        let common = Common::from(signal.body().unwrap_or(&Body::Empty));
        self.know_peer(&common);
        let Some(goal) = ConferenceGoal::from_uuie(&setup.conference_goal) else {
            // capability-negotiation, callIndependentSupplementaryService: no call, and nothing here to serve it.
            let text = "Setup for something that is no call";
            return self.finish(now, Ending::new(Origin::Machine, Cause::SERVICE_NOT_IMPLEMENTED, text));
        };
        let complete = signal.q931.find(ElementId::SENDING_COMPLETE).is_some();
        self.overlap = Overlap::new(setup.can_overlap_send == Some(true) && !complete);
        let pdu = &uuie.h323_uu_pdu;
        let believed = !self.quirks.claims_to_tunnel || common.fast_start.is_none();
        self.h245.tunnelling.hear(pdu.h245_tunnelling.map(|flag| flag && believed));
        self.h245.tunnelling.settle();
        if let Some(address) = common.h245_address {
            self.on_h245_address(address);
        }
        self.called.media_waits = setup.media_wait_for_connect == Some(true);
        match common.fast_start {
            Some(elements) if self.config.fast_start && !elements.is_empty() => {
                let mut proposals = fast_connect::read(elements, self.config.limits.fast_start);
                if self.quirks.knows_first_proposals {
                    let (mut towards_us, mut from_us) = (true, true);
                    proposals.retain(|open| {
                        let first = if open.reverse.is_none() { &mut towards_us } else { &mut from_us };
                        std::mem::take(first)
                    });
                }
                self.fast = FastConnect::Proposed(proposals);
            }
            Some(_) => {
                self.fast = FastConnect::Refused;
                self.called.refusal_due = true;
            }
            None => {}
        }
        let parallel = setup.parallel_h245_control.iter().flatten();
        let early: Vec<_> = pdu.h245_control.iter().flatten().chain(parallel).cloned().collect();
        self.h245.parallel = !early.is_empty();

        let info = self.setup_info(signal, setup, goal);
        self.notify(Event::Setup(Box::new(info)));
        // The application has this long to decide.
        self.start_timer(Timer::T301, now);
        if self.config.overlap_receiving && self.overlap.possible {
            self.on_request_digits(now);
        } else if self.config.call_proceeding {
            if self.proceeding_waits() {
                self.start_timer(Timer::ProceedingWait, now);
            } else {
                self.on_proceed(now);
            }
        }
        self.answer_by_itself(now);
        for octets in early {
            self.on_tunnelled(now, &octets);
        }
    }

    fn setup_info(&self, signal: &CallSignal, setup: &SetupUuie, goal: ConferenceGoal) -> SetupInfo {
        let number = signal.q931.calling_party_number().map(Number::from);
        // H.225.0 7.3.10: of the element and the UUIE's indicator the element counts.
        let indicator = setup.presentation_indicator.as_ref().map(presentation_from);
        let presentation = number.as_ref().map(|number| number.presentation).or(indicator);
        SetupInfo {
            display: signal.q931.display(),
            caller_aliases: aliases_from(setup.source_address.as_ref()),
            caller_presentable: presentation.is_none_or(|presentation| presentation == Presentation::Allowed),
            caller_number: number,
            called_aliases: aliases_from(setup.destination_address.as_ref()),
            called_number: signal.q931.called_party_number().map(Number::from),
            overlap: self.overlap.possible,
            redirecting: signal.q931.readable::<RedirectingNumber>().map(Redirecting::from),
            user_user: signal.uuie.as_deref().and_then(UserUser::from_uuie),
            goal,
            call_identifier: self.identity.call_identifier,
            conference_id: self.identity.conference_id,
            call_reference: self.identity.call_reference.value(),
            source_signal_address: setup.source_call_signal_address.as_ref().and_then(from_h225),
            peer: self.peer.clone(),
            fast_start: setup.fast_start.is_some(),
            tunnelling: self.h245.tunnelling.is_active(),
        }
    }

    /// The application rings.
    pub(super) fn on_accept(&mut self, now: Duration) {
        let rings = matches!(
            self.state,
            CallState::Present | CallState::IncomingProceeding | CallState::OverlapReceiving
        );
        if self.side != Side::Called || !rings || self.released {
            return;
        }
        let answer = self.answer_in(now, FastConnectAnswer::Alerting);
        self.timers.stop(Timer::T302);
        self.timers.stop(Timer::ProceedingWait);
        self.state = CallState::Received;
        self.called.alerted = true;
        self.outbox.push(self.identity.alerting(&self.config, answer));
    }

    /// The application answers.
    pub(super) fn on_answer(&mut self, now: Duration) {
        let set_up = matches!(
            self.state,
            CallState::Present
                | CallState::IncomingProceeding
                | CallState::Received
                | CallState::OverlapReceiving
        );
        if self.side != Side::Called || !set_up || self.released || self.called.answer {
            return;
        }
        self.called.answer = true;
        if self.media.is_none() {
            self.start_timer(Timer::MediaWait, now);
        }
        self.try_connect(now);
    }

    /// The media side is known, or has changed.
    pub(super) fn on_media(&mut self, now: Duration) {
        self.media_changed(now);
        if self.side == Side::Called && !self.released {
            self.answer_by_itself(now);
            self.try_connect(now);
        }
    }

    /// CallProceeding is to carry the answer to fast connect, which the media side does not allow yet.
    fn proceeding_waits(&self) -> bool {
        let wanted = self.config.fast_connect_answer == FastConnectAnswer::CallProceeding;
        let proposed = matches!(self.fast, FastConnect::Proposed(_));
        wanted && proposed && self.media.is_none() && !self.called.media_waits
    }

    /// Sends the messages that answer fast connect before the application has said anything.
    fn answer_by_itself(&mut self, now: Duration) {
        let pending =
            matches!(self.state, CallState::IncomingProceeding | CallState::Present | CallState::Received);
        let due = matches!(self.fast, FastConnect::Proposed(_)) && self.media.is_some();
        if !pending || !due || self.called.media_waits || self.called.answer || !self.can_speak() {
            return;
        }
        match self.config.fast_connect_answer {
            FastConnectAnswer::CallProceeding => {
                if self.timers.is_running(Timer::ProceedingWait) {
                    self.on_proceed(now);
                }
            }
            FastConnectAnswer::Facility => {
                let answer = self.answer_in(now, FastConnectAnswer::Facility);
                self.outbox.push(self.identity.forwarded_elements(answer));
            }
            FastConnectAnswer::Progress => {
                self.resolve_fast_connect(now);
                // A refusal announces nothing; it goes with the next message.
                if self.fast.is_accepted() {
                    self.on_send_progress(now, ProgressIndicator::INBAND_INFORMATION);
                }
            }
            FastConnectAnswer::Alerting | FastConnectAnswer::Connect => {}
        }
    }

    /// Connect, if everything is there that it has to carry.
    pub(super) fn try_connect(&mut self, now: Duration) {
        if !self.called.answer || self.media.is_none() || self.state == CallState::Active || self.released {
            return;
        }
        // Whether fast connect succeeds decides whether H.245 needs a connection now.
        let acceptable = match (&self.fast, &self.media) {
            (FastConnect::Proposed(proposals), Some(media)) => {
                fast_connect::answer(proposals, media, self.config.codec_preference, || 1).is_some()
            }
            (fast, _) => fast.is_accepted(),
        };
        let separate = self.h245.tunnelling.is_impossible() && self.h245.peer.is_none();
        let wanted =
            !acceptable || self.quirks.wants_h245_address_in_connect && self.config.h245_after_fast_start;
        if wanted && separate && self.wait_to_listen() {
            return;
        }
        self.state = CallState::Active;
        for timer in [Timer::T301, Timer::T302, Timer::Deflection, Timer::ProceedingWait] {
            self.timers.stop(timer);
        }
        self.start_timer(Timer::StatusInterval, now);
        let mut answer = self.answer_in(now, FastConnectAnswer::Connect);
        if let Path::Listening(address) = self.h245.path {
            answer.h245_address = Some(address);
            self.h245.told = true;
        }
        self.outbox.push(self.identity.connect(&self.config, answer));
        if !self.fast.is_accepted() && !self.control.is_heard() {
            self.start_timer(Timer::H245Start, now);
        }
        if self.fast.is_accepted() && self.h245.tunnelling.is_impossible() {
            self.start_timer(Timer::H245Turn, now);
        }
        self.notify(Event::Connected(Box::new(ConnectInfo {
            display: None,
            connected_aliases: self.config.aliases.clone(),
            connected_number: own_number(&self.config),
            conference_id: self.identity.conference_id,
            peer: self.peer.clone(),
            fast_start: self.fast.is_accepted(),
            tunnelling: self.h245.tunnelling.is_active(),
        })));
        // Channels that waited for Connect open now.
        self.after_control(now);
        self.resume_h245(now);
    }

    fn resolve_fast_connect(&mut self, now: Duration) {
        let Some(media) = &self.media else {
            return;
        };
        let FastConnect::Proposed(proposals) = &self.fast else {
            return;
        };
        let control = &mut self.control;
        let preference = self.config.codec_preference;
        match fast_connect::answer(proposals, media, preference, || control.take_channel_number()) {
            Some((elements, agreed)) => {
                self.fast = FastConnect::Accepted;
                self.called.fast_answer = Some(elements);
                self.adopt(now, agreed);
            }
            None => {
                self.fast = FastConnect::Refused;
                self.called.refusal_due = true;
            }
        }
    }

    /// What `message` has to say about fast connect, now that it leaves.
    pub(super) fn answer_in(&mut self, now: Duration, message: FastConnectAnswer) -> Answer {
        // The variants stand in the order of time.
        let early_enough = self.config.fast_connect_answer <= message;
        if message == FastConnectAnswer::Connect || early_enough && !self.called.media_waits {
            self.resolve_fast_connect(now);
        }
        let fast_start = if self.config.repeat_fast_connect_answer {
            self.called.fast_answer.clone()
        } else {
            self.called.fast_answer.take()
        };
        Answer {
            h245_address: None,
            fast_start,
            fast_connect_refused: std::mem::take(&mut self.called.refusal_due),
            user_user: self.user_user.take(),
        }
    }
}
