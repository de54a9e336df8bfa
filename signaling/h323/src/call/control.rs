//! Joins H.245 to the call: when it starts, which way it travels, what its notices mean.
//! In: tunnelled messages, the H.245 connection, the call's progress. Out: messages on their way, events.
//!
//! H.245 is wanted when nothing is left that would make it superfluous: in slow start from Alerting on
//! (caller) or with Connect (called side); after an accepted fast connect from Connect on, if configured; at
//! once when the peer begins. While fast connect is undecided we begin nothing (H.323 8.1.7.1), except in Setup.
//!
//! Not here: the procedures (`h245`), the rules of the path (`tunnel`).

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use offhook_wire::h225_message::CallSignal;
use offhook_wire::h245::{CommandMessage, MultimediaSystemControlMessage, RequestMessage};
use offhook_wire::q931::{Cause, MessageType};
use offhook_wire::{per, tpkt};
use tracing::debug;

use super::hold::Hold;
use super::release::Ending;
use super::{Call, CallState, Channel, Link, Side, log};
use crate::event::{Action, Event, Transmit};
use crate::fast_connect::{Agreed, FastConnect};
use crate::h245::{Control, Environment, Notice, cause_of_failure};
use crate::tunnel::{Path, connects_on_crossing};
use crate::{DtmfWay, Flow, LocalMedia, Origin, Timer};

/// What we take while we hold the peer.
static NOTHING: LocalMedia = LocalMedia { sessions: Vec::new() };

/// What the call lends H.245 for a turn, beside `self.control`.
macro_rules! environment {
    ($call:ident, $now:ident) => {
        Environment {
            now: $now,
            config: &$call.config,
            timers: &mut $call.timers,
            media: if $call.hold.pauses() { Some(&NOTHING) } else { $call.media.as_ref() },
            early: $call.state != CallState::Active,
            deaf_to_telephone_events: $call.quirks.deaf_to_telephone_events,
            // Fast connect comes first, even if H.245 is up already. The called side sends nothing before
            // Connect but what fast connect agreed.
            may_open: !$call.fast.is_pending()
                && ($call.side == Side::Caller || $call.state == CallState::Active),
        }
    };
}

/// Why a call ends that lived by H.245.
pub(super) const H245_GONE: &str = "the H.245 connection is gone";

impl Call {
    pub(super) fn start_h245(&mut self, now: Duration) {
        self.control.start(environment!(self, now));
    }

    pub(super) fn end_h245(&mut self, now: Duration) -> bool {
        self.control.end(environment!(self, now))
    }

    pub(super) fn close_channels(&mut self, now: Duration) {
        self.control.clear(environment!(self, now));
        self.take_notices(now);
    }

    pub(super) fn media_changed(&mut self, now: Duration) {
        if self.hold.pauses() {
            // It counts when the peer is retrieved.
            return;
        }
        self.control.media_changed(environment!(self, now));
        self.after_control(now);
    }

    /// Connect has gone out or come in: channels may open that had to wait for it.
    pub(super) fn resume_h245(&mut self, now: Duration) {
        let env = &mut environment!(self, now);
        self.control.progress(env);
        self.after_control(now);
    }

    pub(super) fn on_h245_timer(&mut self, now: Duration, timer: Timer) {
        self.control.timeout(environment!(self, now), timer);
        self.after_control(now);
    }

    pub(super) fn adopt(&mut self, now: Duration, agreed: Vec<Agreed>) {
        for Agreed { plan, offer } in agreed {
            self.control.adopt(environment!(self, now), plan, offer);
        }
        self.after_control(now);
    }

    pub(super) fn on_digits(&mut self, now: Duration, digits: &str, order: &[DtmfWay]) -> Option<DtmfWay> {
        if self.released || self.state == CallState::Null || digits.is_empty() {
            return None;
        }
        let way = if self.h245_is_up() {
            self.control.send_digits(environment!(self, now), digits, order)
        } else {
            order.contains(&DtmfWay::Keypad).then_some(DtmfWay::Keypad)
        };
        self.after_control(now);
        if way != Some(DtmfWay::Keypad) {
            return way;
        }
        // WIRE.md 16: the last resort. The element holds 32 characters (Q.931 4.5.18: 34 octets), of which some peers
        // (Asterisk's chan_ooh323) hear the first: one a message.
        let keys: Vec<char> = digits.chars().filter(char::is_ascii).take(128).collect();
        if keys.is_empty() || self.link != Link::Open {
            return None;
        }
        for key in keys {
            self.outbox.push(self.identity.information(key.encode_utf8(&mut [0; 4])));
        }
        way
    }

    /// H.245 messages reach the peer.
    pub(super) fn h245_is_up(&self) -> bool {
        matches!(self.h245.path, Path::Tunnelled | Path::Connected)
    }

    /// A command of the application for H.245's procedures.
    pub(super) fn with_control<R>(
        &mut self,
        now: Duration,
        command: impl FnOnce(&mut Control, Environment<'_>) -> R,
    ) -> R {
        let done = command(&mut self.control, environment!(self, now));
        self.after_control(now);
        done
    }

    /// The way that keys go.
    pub(super) fn chosen_dtmf_way(&self) -> Option<DtmfWay> {
        if self.h245_is_up() {
            let deaf = self.quirks.deaf_to_telephone_events;
            return self.control.dtmf_way(&self.config, self.media.as_ref(), deaf);
        }
        self.config.dtmf.contains(&DtmfWay::Keypad).then_some(DtmfWay::Keypad)
    }

    /// One message of h245Control.
    pub(super) fn on_tunnelled(&mut self, now: Duration, octets: &Bytes) {
        // What comes this way after H.245 has its own connection, or when we said that we cannot, is void.
        let tunnel = matches!(self.h245.path, Path::Tunnelled | Path::Undecided);
        if !tunnel || !self.h245.tunnelling.is_active() || self.released {
            return;
        }
        self.h245.path = Path::Tunnelled;
        self.h245.peer_began = true;
        self.on_h245_message(now, octets);
    }

    pub(super) fn on_h245_octets(&mut self, now: Duration, octets: &[u8]) {
        self.h245_decoder.push(octets);
        while self.h245.path == Path::Connected {
            match self.h245_decoder.next() {
                Ok(Some(payload)) => self.on_h245_message(now, &payload),
                Ok(None) => return,
                Err(error) => {
                    debug!(%error, "H.245 connection unusable");
                    self.errors = self.errors.saturating_add(1);
                    self.count_tpkt(&error);
                    self.close_h245();
                    return self.on_h245_lost(now, "the H.245 connection carries no TPKT");
                }
            }
        }
    }

    fn on_h245_message(&mut self, now: Duration, octets: &Bytes) {
        let message = match per::decode::<MultimediaSystemControlMessage>(octets) {
            Ok(message) => {
                log::h245(log::Way::In, octets);
                message.into_value()
            }
            Err(error) => {
                debug!(%error, "H.245 message not understood");
                log::unreadable("H.245", octets);
                self.errors = self.errors.saturating_add(1);
                if !self.released {
                    self.control.undecodable(environment!(self, now), octets);
                }
                return;
            }
        };
        if self.released {
            // All that is still waited for (H.323 8.5).
            if is_end_session(&message) {
                self.close_h245();
            }
            return;
        }
        let opens =
            matches!(message, MultimediaSystemControlMessage::Request(RequestMessage::OpenLogicalChannel(_)));
        if opens && matches!(self.fast, FastConnect::Offered(_)) {
            // The called side opens channels by H.245: it has not taken our proposals.
            self.fast = FastConnect::Refused;
        }
        self.control.receive(environment!(self, now), message);
        self.after_control(now);
    }

    /// The peer says where it listens for H.245.
    pub(super) fn on_h245_address(&mut self, theirs: SocketAddr) {
        if !crate::h245::lcse::is_usable(&theirs) {
            return;
        }
        self.h245.peer = Some(theirs);
        if let Path::Listening(ours) = self.h245.path
            && (!self.h245.told || connects_on_crossing(ours, theirs))
            && !self.setup_waits
        {
            // H.323 8.2: of two connections the one that the greater address made stays. A peer that was told ours may
            // be connecting by now: the driver keeps that connection until our own stands or has failed.
            if !self.h245.told {
                self.actions.push_back(Action::StopListeningH245);
            }
            self.connect_h245(theirs);
        }
    }

    fn connect_h245(&mut self, address: SocketAddr) {
        self.h245.path = Path::Connecting;
        self.actions.push_back(Action::ConnectH245(address));
    }

    pub(super) fn on_h245_listening(&mut self, now: Duration, address: SocketAddr) {
        if self.h245.path != Path::ListenPending {
            return;
        }
        self.h245.path = Path::Listening(address);
        if self.setup_waits {
            return self.send_setup(now);
        }
        if let Some(theirs) = self.h245.peer {
            return self.on_h245_address(theirs);
        }
        if self.state == CallState::Active {
            self.h245.told = true;
            self.outbox.push(self.identity.start_h245(address));
        } else {
            self.try_connect(now);
        }
    }

    pub(super) fn on_h245_listen_failed(&mut self, now: Duration) {
        if self.h245.path != Path::ListenPending {
            return;
        }
        self.h245.path = Path::Undecided;
        self.h245.listen_failed = true;
        if self.setup_waits {
            self.send_setup(now)
        } else {
            self.try_connect(now)
        }
        self.on_hold_impossible("there is no way for H.245");
    }

    /// Connect has to name our h245Address: true while the driver is to say which.
    pub(super) fn wait_to_listen(&mut self) -> bool {
        if self.h245.path == Path::Undecided && !self.h245.listen_failed {
            self.h245.path = Path::ListenPending;
            self.actions.push_back(Action::ListenH245);
        }
        self.h245.path == Path::ListenPending
    }

    pub(super) fn on_h245_connected(&mut self, now: Duration) {
        let expected = matches!(self.h245.path, Path::Connecting | Path::Listening(_) | Path::ListenPending);
        if !expected || self.released {
            return;
        }
        self.h245.path = Path::Connected;
        self.timers.stop(Timer::H245Start);
        if std::mem::take(&mut self.h245.again_at_connect) {
            self.control.restart(environment!(self, now));
        } else {
            self.start_h245(now);
        }
        self.after_control(now);
    }

    pub(super) fn on_h245_closed(&mut self, now: Duration) {
        let before = std::mem::replace(&mut self.h245.path, Path::Closed);
        if self.released {
            self.timers.stop(Timer::EndSession);
            return;
        }
        if before.has_socket() && !self.control.is_end_received() {
            let releasing = !self.fast.is_accepted() && !self.fast.is_pending();
            if releasing && self.link == Link::Open {
                // A peer that hangs up while H.245 comes up closes it without endSession, and its ReleaseComplete may be
                // overtaken: they travel on two connections.
                return self.start_timer(Timer::H245Loss, now);
            }
            self.on_h245_lost(now, H245_GONE);
        }
    }

    /// Without H.245 a call lives on only with the channels that fast connect gave it; while somebody is held there are
    /// none.
    fn on_h245_lost(&mut self, now: Duration, text: &'static str) {
        if self.fast.is_accepted() && self.control.any_open() {
            self.timers.retain(|timer| !timer.is_h245() && timer != Timer::H245Start);
            return self.on_hold_impossible(text);
        }
        if !self.fast.is_pending() {
            self.finish(now, Ending::new(Origin::Network, Cause::TEMPORARY_FAILURE, text));
        }
    }

    /// Handles what the procedures have to say.
    pub(super) fn after_control(&mut self, now: Duration) {
        self.take_notices(now);
        if self.control.is_heard() {
            self.timers.stop(Timer::H245Start);
        }
    }

    fn take_notices(&mut self, now: Duration) {
        while let Some(notice) = self.control.poll_notice() {
            if self.released {
                continue;
            }
            let event = match notice {
                Notice::Opened(mut plan) => {
                    if plan.flow == Flow::Transmit && self.quirks.deaf_to_telephone_events {
                        plan.telephone_event = None;
                    }
                    Event::ChannelOpened(plan)
                }
                Notice::Closed { session_id, flow, channel } => {
                    Event::ChannelClosed { session_id, flow, channel }
                }
                Notice::Rejected { session_id } => Event::ChannelRejected { session_id },
                Notice::Paused => Event::Paused,
                Notice::Resumed => Event::Resumed,
                Notice::Digit { digit, duration, via } => Event::Digit { digit, duration, via },
                Notice::RoundTrip(delay) => Event::RoundTrip(delay),
                Notice::RoundTripLost => Event::RoundTripLost,
                Notice::Tell(event) => event,
                Notice::SetTaken => {
                    self.on_set_taken(now);
                    continue;
                }
                Notice::SetRefused { timer, text } => {
                    if !self.on_set_refused(now, text) {
                        self.on_procedure_failed(now, cause_of_failure(timer), timer, text);
                    }
                    continue;
                }
                Notice::EndSession => {
                    // ReleaseComplete follows, with the cause (H.323 8.5); if it does not, the timer ends the call.
                    self.close_channels(now);
                    self.start_timer(Timer::EndSession, now);
                    continue;
                }
                Notice::Failed { cause, timer, text } => {
                    self.on_procedure_failed(now, cause, timer, text);
                    continue;
                }
            };
            self.notify(event);
        }
    }

    fn on_procedure_failed(&mut self, now: Duration, cause: Cause, timer: Option<Timer>, text: &'static str) {
        if self.fast.is_accepted() || self.control.any_open() || self.control.is_end_received() {
            debug!(text, "H.245 procedure failed; the call has its channels and goes on");
            return;
        }
        if timer.is_some() && self.state != CallState::Active {
            // A peer may take H.245 up only when the call is answered.
            self.h245.again_at_connect = true;
            return;
        }
        let origin = timer.map_or(Origin::Machine, Origin::Timer);
        self.finish(now, Ending::new(origin, cause, text));
    }

    /// Takes H.245 a step further, if it is time.
    fn drive_h245(&mut self, now: Duration) {
        if self.released || !self.h245_wanted() {
            return;
        }
        let again = self.state == CallState::Active && self.h245.again_at_connect;
        match self.h245.path {
            Path::Tunnelled if self.h245.tunnelling.is_impossible() => {
                // The peer has gone back on tunnelling: H.245 goes on, on a connection of its own. What was tunnelled
                // and not answered was not heard.
                self.h245.path = Path::Undecided;
                self.h245.again_at_connect |= self.control.is_started() && !self.control.is_heard();
                self.drive_h245(now);
            }
            Path::Undecided if self.h245.tunnelling.is_active() => {
                self.h245.path = Path::Tunnelled;
                self.drive_h245(now);
            }
            Path::Tunnelled if again => {
                self.h245.again_at_connect = false;
                if !self.control.is_answered() {
                    self.control.restart(environment!(self, now));
                    self.after_control(now);
                }
            }
            Path::Tunnelled if !self.control.is_started() => {
                self.start_h245(now);
                self.after_control(now);
            }
            Path::Undecided if self.h245.tunnelling.is_impossible() => match self.h245.peer {
                Some(address) => self.connect_h245(address),
                None if self.state == CallState::Active && !self.h245.listen_failed => {
                    self.wait_to_listen();
                }
                None => {}
            },
            _ => {}
        }
    }

    fn h245_wanted(&self) -> bool {
        if self.fast.is_pending() {
            return self.h245.parallel;
        }
        if self.h245.peer_began || self.h245.parallel || self.hold != Hold::No {
            return true;
        }
        let active = self.state == CallState::Active;
        match self.side {
            _ if self.fast.is_accepted() => {
                // On a connection of its own the caller begins, and the called side if the caller does not.
                let begins =
                    self.side == Side::Caller || self.h245.tunnelling.is_active() || self.h245.our_turn;
                active && begins && self.config.h245_after_fast_start || self.h245.peer.is_some()
            }
            Side::Caller => active || self.state == CallState::Delivered,
            // An address in Setup asks to be connected to at once.
            Side::Called => active || self.h245.peer.is_some(),
        }
    }

    /// H.245 messages that wait, encoded.
    pub(super) fn take_h245_messages(&mut self) -> Vec<Bytes> {
        let mut encoded = Vec::new();
        while let Some(message) = self.control.poll_message() {
            if is_capacity_exceeded(&message) {
                self.hit.capabilities = self.hit.capabilities.saturating_add(1);
            }
            match per::encode(&message) {
                Ok(octets) => {
                    let octets = Bytes::from(octets);
                    log::h245(log::Way::Out, &octets);
                    encoded.push(octets);
                }
                // Only what the application put in can break a constraint.
                Err(error) => debug!(%error, "H.245 message cannot be encoded"),
            }
        }
        encoded
    }

    /// The end of every turn: H.245 is taken further, everything that was said is sent.
    pub(super) fn flush(&mut self, now: Duration) {
        self.now = now;
        self.drive_h245(now);
        self.send_outbox();
        let limits = &self.config.limits;
        let queued = self.transmits.len().max(self.outbox.len());
        let crowded = queued > limits.queue || self.control.waiting() > limits.h245_waiting;
        if crowded && !self.released {
            self.hit.overload = self.hit.overload.saturating_add(1);
            let cause = Cause::SWITCHING_EQUIPMENT_CONGESTION;
            self.finish(now, Ending::new(Origin::Machine, cause, "the peer makes us say too much"));
        }
    }

    /// Sends the messages of this turn, and H.245's with them.
    pub(super) fn send_outbox(&mut self) {
        match self.h245.path {
            Path::Tunnelled if self.link == Link::Open && self.control.has_output() => {
                let messages = self.take_h245_messages();
                self.tunnel(messages);
            }
            Path::Connected => {
                for octets in self.take_h245_messages() {
                    self.transmit(Channel::H245, &octets);
                }
            }
            Path::Closed => drop(self.take_h245_messages()),
            _ => {}
        }
        if self.link == Link::Lost {
            // It waits for the next connection, if there is a call to go on with.
            if self.released {
                self.outbox.clear();
            }
            return;
        }
        let flag = self.h245.tunnelling.ours();
        for mut signal in std::mem::take(&mut self.outbox) {
            if let Some(uuie) = &mut signal.uuie {
                uuie.h323_uu_pdu.h245_tunnelling = Some(flag);
            }
            log::signal(log::Way::Out, &signal);
            match self.encode_signal(&signal) {
                Ok(octets) => self.transmit(Channel::Signaling, &octets),
                Err(error) => debug!(%error, "call signalling message cannot be encoded"),
            }
        }
    }

    /// Puts H.245 messages into the last message of this turn, or into one of their own.
    fn tunnel(&mut self, messages: Vec<Bytes>) {
        if messages.is_empty() {
            return;
        }
        let carries = |signal: &&mut CallSignal| {
            matches!(
                signal.q931.message_type,
                MessageType::CALL_PROCEEDING
                    | MessageType::ALERTING
                    | MessageType::CONNECT
                    | MessageType::FACILITY
                    | MessageType::RELEASE_COMPLETE
            )
        };
        if self.outbox.last_mut().filter(carries).is_none() {
            self.outbox.push(self.identity.wrapper());
        }
        if let Some(uuie) = self.outbox.last_mut().and_then(|signal| signal.uuie.as_mut()) {
            uuie.h323_uu_pdu.h245_control = Some(messages);
        }
    }

    fn transmit(&mut self, channel: Channel, payload: &[u8]) {
        match tpkt::encode(payload) {
            Ok(bytes) => self.transmits.push_back(Transmit { channel, bytes }),
            Err(error) => debug!(%error, "message fits no TPKT"),
        }
    }
}

/// Our refusal of a TerminalCapabilitySet with more entries than we keep.
fn is_capacity_exceeded(message: &MultimediaSystemControlMessage) -> bool {
    use offhook_wire::h245::{ResponseMessage, TerminalCapabilitySetRejectCause as Reason};
    match message {
        MultimediaSystemControlMessage::Response(response) => match &**response {
            ResponseMessage::TerminalCapabilitySetReject(reject) => {
                matches!(reject.cause, Reason::TableEntryCapacityExceeded(_))
            }
            _ => false,
        },
        _ => false,
    }
}

fn is_end_session(message: &MultimediaSystemControlMessage) -> bool {
    match message {
        MultimediaSystemControlMessage::Command(command) => {
            matches!(&**command, CommandMessage::EndSessionCommand(_))
        }
        _ => false,
    }
}
