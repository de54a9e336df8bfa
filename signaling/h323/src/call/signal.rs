//! Received call signalling messages: taken apart, checked, handed on (Q.931 5.8, H.225.0 7).
//! In: octets of the call signalling connection. Out: turns of the call; Status for what cannot be.
//!
//! The order within a message: h245Tunnelling, the message itself, fastStart, h245Address, then tunnelled
//! H.245. Supplementary services (H.450 APDUs) are carried by and ignored.
//!
//! Not here: what Setup, Alerting and the like do (`incoming`, `outgoing`, `release`, `inform`), what is answered with
//! Status (`status`).

use std::time::Duration;

use bytes::Bytes;
use offhook_wire::h225::H323UuPduH323MessageBody as Body;
use offhook_wire::h225_message::{CallSignal, CallSignalError};
use offhook_wire::q931::{Cause, Message, MessageType, NotificationIndicator};
use offhook_wire::tpkt::TpktError;
use tracing::debug;

use super::message::Common;
use super::release::Ending;
use super::{Call, CallState, Link, Side, log};
use crate::event::Event;
use crate::fast_connect::{self, FastConnect};
use crate::quirks;
use crate::{Origin, UserUser};

/// The most keys of one Keypad facility element (Q.931 4.5.18: 34 octets).
const MAX_KEYS: usize = 34;

impl Call {
    pub(super) fn on_signaling_octets(&mut self, now: Duration, octets: &[u8]) {
        self.signal_decoder.push(octets);
        while self.link == Link::Open {
            match self.signal_decoder.next() {
                Ok(Some(payload)) => self.on_payload(now, &payload),
                Ok(None) => return,
                Err(error) => return self.on_garbled(now, &error),
            }
            // Each message is a turn of its own: what it brings about is sent before the next is read.
            self.flush(now);
        }
    }

    /// TPKT cannot be resynchronised: nothing that follows can be read.
    pub(super) fn on_garbled(&mut self, now: Duration, error: &TpktError) {
        self.errors = self.errors.saturating_add(1);
        self.count_tpkt(error);
        let text = format!("the connection carries no TPKT: {error}");
        self.finish(now, Ending::new(Origin::Machine, Cause::PROTOCOL_ERROR, text));
        self.close_signaling();
    }

    fn on_payload(&mut self, now: Duration, payload: &Bytes) {
        let decoded = CallSignal::decode(payload);
        if decoded.is_err() {
            log::unreadable("call signalling", payload);
        }
        if decoded.as_ref().is_ok_and(|signal| !self.is_genuine(now, payload, signal)) {
            return;
        }
        self.on_decoded(now, decoded);
    }

    pub(super) fn on_decoded(&mut self, now: Duration, decoded: Result<CallSignal, CallSignalError>) {
        match decoded {
            Ok(signal) => {
                log::signal(log::Way::In, &signal);
                self.on_signal(now, &signal);
            }
            Err(CallSignalError::Uuie { q931, source }) => {
                debug!(%source, "UUIE not understood");
                self.on_bad_uuie(now, *q931);
            }
            Err(error) => {
                debug!(%error, "call signalling message not understood");
                self.on_protocol_error(now, &error.to_string());
            }
        }
    }

    /// Something that cannot be decoded. Before Setup there is no call to save.
    pub(super) fn on_protocol_error(&mut self, now: Duration, text: &str) {
        self.errors = self.errors.saturating_add(1);
        let awaiting_setup = self.side == Side::Called && self.state == CallState::Null;
        if awaiting_setup {
            let ending = Ending::new(Origin::Machine, Cause::INVALID_MESSAGE, text);
            self.finish(now, ending.silent());
        } else if self.errors > self.config.limits.protocol_errors {
            self.finish(now, Ending::new(Origin::Machine, Cause::PROTOCOL_ERROR, text));
        }
    }

    /// The Q.931 message stands, its UUIE does not.
    fn on_bad_uuie(&mut self, now: Duration, q931: Message) {
        let kind = q931.message_type;
        let ours = q931.call_reference.value() == self.identity.call_reference.value();
        let awaiting_setup = self.side == Side::Called && self.state == CallState::Null && !self.released;
        if kind == MessageType::RELEASE_COMPLETE {
            // Over is over, whatever else it wanted to say.
            return self.on_signal(now, &CallSignal { q931, uuie: None });
        }
        if kind == MessageType::SETUP && awaiting_setup {
            self.errors = self.errors.saturating_add(1);
            self.identity.call_reference = q931.call_reference.flipped();
            self.state = CallState::Present;
            let cause = Cause::INVALID_ELEMENT_CONTENTS;
            return self.finish(now, Ending::new(Origin::Machine, cause, "Setup's UUIE is not readable"));
        }
        self.on_protocol_error(now, "a UUIE is not readable");
        if ours && !self.released && !awaiting_setup {
            // Q.931 5.8.7.2: User-user is not mandatory; its message is taken without it. What has to be in it
            // (Connect's answer to fast connect) is missing all the same: say so.
            self.answer_status(Cause::INVALID_ELEMENT_CONTENTS, Bytes::from_static(&[0x7e]));
            self.on_signal(now, &CallSignal { q931, uuie: None });
        }
    }

    fn on_signal(&mut self, now: Duration, signal: &CallSignal) {
        let kind = signal.q931.message_type;
        let reference = signal.q931.call_reference;
        let same = reference.value() == self.identity.call_reference.value();
        if self.released {
            if same && kind == MessageType::RELEASE_COMPLETE {
                self.on_crossing_release();
            }
            return;
        }
        if self.setup_waits {
            // Our Setup has not left: nothing can be an answer to it.
            return;
        }
        if self.side == Side::Called && self.state == CallState::Null {
            match kind {
                MessageType::SETUP => self.on_setup(now, signal),
                _ => self.on_foreign(now, signal),
            }
            return;
        }
        if !same {
            return self.on_foreign(now, signal);
        }
        if matches!(kind, MessageType::RELEASE_COMPLETE | MessageType::RELEASE | MessageType::DISCONNECT) {
            return self.on_release(now, signal);
        }
        if kind == MessageType::SETUP {
            // Q.931 5.8.3.2 e): a Setup for a call that exists is ignored.
            return;
        }
        if !self.takes_elements(signal) {
            return;
        }
        self.on_call_message(now, kind, signal);
        for octets in signal.h245_control() {
            self.on_tunnelled(now, octets);
        }
    }

    /// A message of this call, other than the first and the last.
    fn on_call_message(&mut self, now: Duration, kind: MessageType, signal: &CallSignal) {
        if let Some(uuie) = &signal.uuie {
            let pdu = &uuie.h323_uu_pdu;
            // provisionalRespToH245Tunnelling: a gatekeeper answers for an endpoint that has not yet.
            if pdu.provisional_resp_to_h245_tunnelling.is_none() {
                self.h245.tunnelling.hear(pdu.h245_tunnelling);
            }
        }
        let common = signal.body().map(Common::from).unwrap_or_default();
        self.know_peer(&common);
        let mut connects = false;
        match (kind, self.side) {
            (MessageType::CALL_PROCEEDING, Side::Caller) if self.is_before_alerting() => {
                self.on_call_proceeding(now);
            }
            (MessageType::SETUP_ACKNOWLEDGE, Side::Caller) if self.state == CallState::Initiated => {
                self.on_setup_acknowledge(now);
            }
            (MessageType::ALERTING, Side::Caller) if self.state != CallState::Active => self.on_alerting(now),
            // Asterisk sends it after Connect, too.
            (MessageType::PROGRESS, _) => self.on_progress(now, signal),
            (MessageType::CONNECT, Side::Caller) if self.state != CallState::Active => {
                connects = self.on_connect(now);
            }
            (MessageType::FACILITY, _) => {
                if let Some(Body::Facility(uuie)) = signal.body() {
                    self.on_facility(now, uuie);
                }
            }
            (MessageType::INFORMATION, _) => self.on_information(now, signal),
            (MessageType::NOTIFY, _) => {
                if let Some(indicator) = signal.q931.readable::<NotificationIndicator>() {
                    self.notify(Event::Notify(indicator.description));
                }
            }
            (MessageType::STATUS, _) => self.on_status(now, signal),
            (MessageType::STATUS_INQUIRY, _) => {
                self.answer_status(Cause::RESPONSE_TO_STATUS_ENQUIRY, Bytes::new());
            }
            // Q.931 knows it on the network side; it says nothing new.
            (MessageType::CONNECT_ACKNOWLEDGE | MessageType::USER_INFORMATION, _) => {}
            (kind, _) => self.answer_unexpected(kind),
        }
        if self.released {
            return;
        }
        if let Some(data) = signal.uuie.as_deref().and_then(UserUser::from_uuie) {
            self.notify(Event::UserUser(data));
        }
        self.on_fast_connect_answer(now, &common);
        if let Some(address) = common.h245_address {
            self.on_h245_address(address);
        }
        if connects {
            self.after_connect(now, signal);
            self.resume_h245(now);
        }
    }

    /// What the message says about the peer, and what is known about such a peer.
    pub(super) fn know_peer(&mut self, common: &Common<'_>) {
        common.describe(&mut self.peer);
        self.quirks = quirks::of(&self.peer);
        if common.fast_start.is_some_and(|elements| elements.len() > self.config.limits.fast_start) {
            self.hit.fast_start = self.hit.fast_start.saturating_add(1);
        }
    }

    pub(super) fn is_before_alerting(&self) -> bool {
        matches!(self.state, CallState::Initiated | CallState::OverlapSending | CallState::OutgoingProceeding)
    }

    pub(super) fn count_tpkt(&mut self, error: &TpktError) {
        if matches!(error, TpktError::TooLong { .. }) {
            self.hit.tpkt = self.hit.tpkt.saturating_add(1);
        }
    }

    fn on_fast_connect_answer(&mut self, now: Duration, common: &Common<'_>) {
        let FastConnect::Offered(offered) = &self.fast else {
            // Answers are repeated (WIRE.md 4); the first one counts.
            return;
        };
        if let (Some(elements), Some(media)) = (common.fast_start, &self.media) {
            let limit = self.config.limits.fast_start;
            let agreed = fast_connect::read_answer(elements, offered, media, limit);
            if agreed.is_empty() {
                debug!("the answer to fast connect opens nothing");
                self.fast = FastConnect::Refused;
            } else {
                self.fast = FastConnect::Accepted;
                self.adopt(now, agreed);
            }
        } else if common.fast_connect_refused {
            self.fast = FastConnect::Refused;
        }
    }

    fn on_information(&mut self, now: Duration, signal: &CallSignal) {
        if self.state == CallState::OverlapReceiving {
            return self.on_called_digits(now, signal);
        }
        let keys = signal.q931.keypad_facility().unwrap_or_default();
        for digit in keys.chars().take(MAX_KEYS) {
            self.with_control(now, |control, env| control.on_keypad(env, digit));
        }
    }
}
