//! The peer's messages, each to its machine.
//! In: messages. Out: what the machines say; the next step of the session.
//! Not here: taking messages apart (`pdu::received`).

use offhook_wire::h245::{MultimediaSystemControlMessage as Message, TerminalCapabilitySet};
use offhook_wire::q931::Cause;

use super::cese::{self, Transfer};
use super::control::{Control, scope};
use super::mrse::Mrse;
use super::msdse;
use super::pdu::{self, OpenReject, Received, Returned};
use super::rtdse::Rtdse;
use super::{Environment, Notice};
use crate::{Event, Timer};

impl Control {
    /// One message of the peer.
    pub(crate) fn receive(&mut self, mut env: Environment<'_>, message: Message) {
        let env = &mut env;
        let received = Received::from(message);
        if self.is_over() && !matches!(received, Received::EndSession) {
            self.counters.after_end = self.counters.after_end.saturating_add(1);
            return;
        }
        let mut scope = scope!(self, env);
        match received {
            Received::Msd { terminal_type, number } => {
                let outcome = self.msd.on_msd(&mut scope, terminal_type, number);
                self.on_determination(env, outcome);
            }
            Received::MsdAck(decision) => {
                let outcome = self.msd.on_ack(&mut scope, decision);
                self.on_determination(env, outcome);
            }
            Received::MsdReject => {
                let outcome = self.msd.on_reject(&mut scope);
                self.on_determination(env, outcome);
            }
            Received::MsdRelease => {
                let outcome = self.msd.on_release(&mut scope);
                self.on_determination(env, outcome);
            }
            Received::Tcs(set) => self.on_capabilities(env, &set),
            Received::TcsAck(sequence) => {
                let outcome = self.cese.on_ack(&mut scope, sequence);
                self.on_exchange(env, outcome);
            }
            Received::TcsReject { sequence, cause } => {
                let outcome = self.cese.on_reject(&mut scope, sequence, cause);
                self.on_exchange(env, outcome);
            }
            Received::SendTcs => {
                if let Some(media) = env.media {
                    self.cese.request(&mut scope, media);
                }
            }
            Received::RtdRequest(sequence) => Rtdse::on_request(&mut scope, sequence),
            Received::RtdResponse(sequence) => {
                if let Some(delay) = self.rtd.on_response(&mut scope, sequence) {
                    scope.notify(Notice::RoundTrip(delay));
                }
            }
            Received::ModeAck { sequence, most_preferred } => {
                self.modes.on_ack(&mut scope, sequence, most_preferred);
            }
            Received::ModeReject(sequence) => self.modes.on_reject(&mut scope, sequence),
            Received::LoopRequest(looped) => self.loops.on_request(&mut scope, looped, &self.channels),
            Received::LoopAck(looped) => self.loops.on_ack(&mut scope, looped),
            Received::LoopReject(looped) => self.loops.on_reject(&mut scope, looped),
            Received::LoopOff => self.loops.on_off(&mut scope),
            Received::MediaCommand { channel, command } => {
                scope.tell(Event::MediaCommand { channel, command });
            }
            Received::EndSession => self.on_end_session(env),
            Received::Alphanumeric { text, in_rtp } => {
                self.input.on_alphanumeric(&mut scope, &text, in_rtp, env.media);
            }
            Received::Signal { digit, duration, in_rtp } => {
                self.input.on_signal(&mut scope, digit, duration, in_rtp, env.media);
            }
            Received::SignalUpdate(duration) => self.input.on_signal_update(&mut scope, duration),
            Received::Returned(returned) => self.on_returned(env, &returned),
            Received::Refuse(answer) => self.refuse(env, *answer),
            Received::Tolerated => {}
            of_channels => self.receive_of_channels(env, of_channels),
        }
    }

    /// What changes channels, after which others may open.
    fn receive_of_channels(&mut self, env: &mut Environment<'_>, received: Received) {
        let telephone_event = self.telephone_event();
        let mut scope = scope!(self, env);
        match received {
            Received::Open(open) => {
                self.channels.on_open(&mut scope, *open, env.media, self.msd.status());
            }
            Received::OpenAck(ack) => self.channels.on_ack(&mut scope, &ack, telephone_event),
            Received::OpenReject { number, cause } => self.channels.on_reject(&mut scope, number, cause),
            Received::OpenConfirm(number) => self.channels.on_confirm(&mut scope, number, telephone_event),
            Received::Close(number) => self.channels.on_close(&mut scope, number),
            Received::CloseAck(number) => self.channels.on_close_ack(&mut scope, number),
            Received::RequestClose { number, reopen } => {
                self.channels.on_request_close(&mut scope, number, reopen);
            }
            Received::RequestCloseAck(number) => self.channels.on_request_close_ack(number),
            Received::RequestCloseReject(number) => {
                self.channels.on_request_close_refused(&mut scope, number, false);
            }
            Received::RequestMode(request) => {
                let remote = self.peer.remote();
                Mrse::on_request(&mut scope, &request, &mut self.channels, env.media, remote);
            }
            Received::Rate(asked) => {
                self.channels.on_rate_request(&mut scope, &asked, env.media, self.peer.remote());
            }
            Received::FlowControl { scope: flow, limit } => {
                self.channels.on_flow_control(&mut scope, flow, limit);
            }
            Received::Active { channel, active } => self.channels.on_active(&mut scope, channel, active),
            _ => {}
        }
        self.progress(env);
    }

    fn on_determination(&mut self, env: &mut Environment<'_>, outcome: Option<msdse::Outcome>) {
        match outcome {
            Some(msdse::Outcome::Determined) => {
                self.determined = true;
                self.progress(env);
            }
            Some(msdse::Outcome::Failed(text)) => scope!(self, env).fail(None, text),
            None => {}
        }
    }

    pub(super) fn on_exchange(&mut self, env: &mut Environment<'_>, outcome: Option<cese::Outcome>) {
        match outcome {
            Some(cese::Outcome::Accepted) => {
                scope!(self, env).notify(Notice::SetTaken);
                self.progress(env);
            }
            Some(cese::Outcome::Rejected) => {
                let text = "the peer rejects our capabilities";
                scope!(self, env).notify(Notice::SetRefused { timer: None, text });
            }
            Some(cese::Outcome::Unanswered) => {
                let text = "the peer does not answer our capabilities";
                scope!(self, env).notify(Notice::SetRefused { timer: Some(Timer::T101), text });
            }
            None => {}
        }
    }

    fn on_capabilities(&mut self, env: &mut Environment<'_>, set: &TerminalCapabilitySet) {
        let mut scope = scope!(self, env);
        match self.peer.on_set(&mut scope, set) {
            Transfer::Refused => return,
            Transfer::Pause => {
                // H.323 8.4.6: stop sending, close what we opened, wait for the next set.
                self.channels.close_outgoing(&mut scope);
                if !self.paused {
                    self.paused = true;
                    scope.notify(Notice::Paused);
                }
                return self.tell_way(env);
            }
            Transfer::Taken => {}
        }
        scope.tell(Event::CapabilitiesChanged);
        self.channels.forget_refusals();
        if std::mem::take(&mut self.paused) {
            scope.notify(Notice::Resumed);
            // H.323 8.4.6: after a pause everything is as at the beginning, for the peer may be another one by now.
            self.determined = false;
            self.begin(env);
        }
        // Not while we pause: then it is ours that is missing.
        if let Some(media) = env.media.filter(|media| !media.sessions.is_empty())
            && self.peer.remote().has_audio()
            && !self.peer.remote().has_common(media)
            && !self.channels.any_open()
        {
            scope!(self, env).notify(Notice::Failed {
                cause: Cause::INCOMPATIBLE_DESTINATION,
                timer: None,
                text: "no codec in common",
            });
        }
        self.progress(env);
    }

    fn on_end_session(&mut self, env: &mut Environment<'_>) {
        let mut scope = scope!(self, env);
        if std::mem::replace(&mut self.end_received, true) {
            return;
        }
        if !std::mem::replace(&mut self.end_sent, true) {
            scope.send(pdu::end_session());
        }
        scope.notify(Notice::EndSession);
    }

    /// functionNotUnderstood, functionNotSupported: the procedure ends as if it had been rejected. H.245 has no
    /// answer to it.
    fn on_returned(&mut self, env: &mut Environment<'_>, returned: &Returned) {
        self.counters.not_understood = self.counters.not_understood.saturating_add(1);
        let mut scope = scope!(self, env);
        scope.tell(Event::NotUnderstood(returned.name()));
        match returned {
            Returned::Msd => {
                let outcome = self.msd.on_returned(&mut scope);
                self.on_determination(env, outcome);
            }
            Returned::Tcs => {
                let outcome = self.cese.on_returned(&mut scope);
                self.on_exchange(env, outcome);
            }
            Returned::Open(number) => {
                if self.channels.is_opening(*number) {
                    self.channels.on_reject(&mut scope, *number, OpenReject::UnknownDataType);
                    self.progress(env);
                }
            }
            Returned::Close(number) => {
                self.channels.on_close_ack(&mut scope, *number);
                self.progress(env);
            }
            Returned::RequestClose(number) => {
                self.channels.on_request_close_refused(&mut scope, *number, false);
                self.progress(env);
            }
            Returned::RequestMode => self.modes.on_returned(&mut scope),
            Returned::Rtd => self.rtd.on_returned(&mut scope),
            Returned::Loop => self.loops.on_returned(&mut scope),
            Returned::Signal(key) => {
                self.input.on_returned(&mut scope, *key);
                self.tell_way(env);
            }
            Returned::Other(_) => {}
        }
    }
}
