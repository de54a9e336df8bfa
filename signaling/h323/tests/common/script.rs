//! One call under test, and a peer whose messages are written by hand.
#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::time::Duration;

use bytes::Bytes;
use offhook_h323::{Action, Call, Channel, Config, Event, LocalMedia, OutgoingParams};
use offhook_wire::h225::{H323UserInformation, H323UuPdu, H323UuPduH323MessageBody as Body};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::h245::MultimediaSystemControlMessage;
use offhook_wire::per;
use offhook_wire::q931::{CallReference, Message, MessageType};
use offhook_wire::tpkt::{self, TpktDecoder};

use super::{incoming_params, outgoing_params};

/// A call with everything that came out of it.
pub(crate) struct Script {
    pub(crate) call: Call,
    pub(crate) now: Duration,
    pub(crate) events: Vec<Event>,
    pub(crate) actions: Vec<Action>,
    pub(crate) signals: Vec<CallSignal>,
    pub(crate) h245: Vec<MultimediaSystemControlMessage>,
    /// We play the caller to it.
    called: bool,
    decoders: [TpktDecoder; 2],
}

impl Script {
    pub(crate) fn caller(config: Config, media: LocalMedia) -> Self {
        Self::placing(config, outgoing_params(1, media))
    }

    pub(crate) fn placing(config: Config, params: OutgoingParams) -> Self {
        let now = Duration::from_secs(1);
        let mut script = Self::new(Call::outgoing(config, params, now), now);
        script.call.handle_connected(now, Channel::Signaling);
        script.drain();
        script
    }

    pub(crate) fn called(config: Config) -> Self {
        let now = Duration::from_secs(1);
        Self { called: true, ..Self::new(Call::incoming(config, incoming_params(2), now), now) }
    }

    pub(crate) fn is_called(&self) -> bool {
        self.called
    }

    fn new(call: Call, now: Duration) -> Self {
        Self {
            call,
            now,
            events: Vec::new(),
            actions: Vec::new(),
            signals: Vec::new(),
            h245: Vec::new(),
            called: false,
            decoders: [TpktDecoder::new(), TpktDecoder::new()],
        }
    }

    pub(crate) fn drain(&mut self) {
        while let Some(transmit) = self.call.poll_transmit() {
            let at = usize::from(transmit.channel == Channel::H245);
            self.decoders[at].push(&transmit.bytes);
            while let Some(payload) = self.decoders[at].next().expect("TPKT") {
                if transmit.channel == Channel::H245 {
                    self.h245.push(control_message(&payload));
                    continue;
                }
                let signal = CallSignal::decode(&payload).expect("signal");
                for octets in signal.h245_control() {
                    self.h245.push(control_message(octets));
                }
                self.signals.push(signal);
            }
        }
        self.events.extend(std::iter::from_fn(|| self.call.poll_event()));
        self.actions.extend(std::iter::from_fn(|| self.call.poll_action()));
    }

    /// Forgets what came out so far.
    pub(crate) fn forget(&mut self) {
        self.events.clear();
        self.actions.clear();
        self.signals.clear();
        self.h245.clear();
    }

    pub(crate) fn octets(&mut self, channel: Channel, octets: &[u8]) {
        self.call.handle_bytes(self.now, channel, octets);
        self.drain();
    }

    pub(crate) fn payload(&mut self, payload: &[u8]) {
        let octets = tpkt::encode(payload).expect("TPKT");
        self.octets(Channel::Signaling, &octets);
    }

    pub(crate) fn signal(&mut self, signal: &CallSignal) {
        let payload = signal.encode().expect("signal");
        self.payload(&payload);
    }

    /// A Q.931 message of this call without UUIE.
    pub(crate) fn bare(&mut self, kind: MessageType) {
        let message = Message::new(kind, self.reference());
        let payload = message.encode().expect("message");
        self.payload(&payload);
    }

    /// What the peer puts into its messages of this call.
    pub(crate) fn reference(&self) -> CallReference {
        let ours = self.signals.iter().map(|signal| signal.q931.call_reference).next();
        ours.unwrap_or(CallReference::new(77, false)).flipped()
    }

    /// One tunnelled H.245 message from the peer.
    pub(crate) fn tunnel(&mut self, message: &MultimediaSystemControlMessage) {
        let octets = per::encode(message).expect("H.245");
        self.tunnel_octets(octets.into(), CallReference::new(77, true));
    }

    pub(crate) fn tunnel_octets(&mut self, octets: Bytes, reference: CallReference) {
        let mut pdu = H323UuPdu::new(Body::Empty);
        pdu.h245_tunnelling = Some(true);
        pdu.h245_control = Some(vec![octets]);
        let uuie = H323UserInformation::new(pdu);
        let q931 = Message::new(MessageType::FACILITY, reference);
        let signal = CallSignal { q931, uuie: Some(uuie.into()) };
        self.signal(&signal);
    }

    pub(crate) fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.call.poll_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.call.handle_timeout(at);
            self.drain();
        }
        self.now = end;
    }
}

/// Two calls joined without a network until nothing moves.
pub(crate) fn join(caller: &mut Script, called: &mut Script, mut seen: impl FnMut(&mut Script, &Event)) {
    loop {
        let mut moved = false;
        for turn in [true, false] {
            let (from, to) = if turn { (&mut *caller, &mut *called) } else { (&mut *called, &mut *caller) };
            from.drain();
            for signal in std::mem::take(&mut from.signals) {
                moved = true;
                to.signal(&signal);
            }
            for event in std::mem::take(&mut to.events) {
                moved = true;
                seen(to, &event);
            }
        }
        if !moved {
            return;
        }
    }
}

fn control_message(octets: &Bytes) -> MultimediaSystemControlMessage {
    per::decode::<MultimediaSystemControlMessage>(octets).expect("H.245").into_value()
}
