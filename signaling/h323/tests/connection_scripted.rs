//! One end of a connection of several calls, and a scripted peer that sets up call after call as gateways do.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use common::{CALLED, CALLER, incoming_params, media, outgoing_params};
use offhook_h323::{
    Action, AudioCodec, Call, CallSlot, CallState, Cause, Channel, Closed, Config, Connection,
    ConnectionEvent, Event, OutgoingParams, Release,
};
use offhook_wire::h225::{H323UuPduH323MessageBody as Body, ReleaseCompleteReason};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::q931::{CallReference, Message, MessageType};
use offhook_wire::tpkt::{self, TpktDecoder};

const SECOND: Duration = Duration::from_secs(1);

fn shared() -> Config {
    Config { multiple_calls: true, maintain_connection: true, ..Config::default() }
}

/// A peer that sends what it is told to, and the octets that come back as messages.
struct Gateway {
    now: Duration,
    config: Config,
    connection: Connection,
    calls: BTreeMap<CallSlot, Call>,
    events: Vec<(CallSlot, Event)>,
    answers: VecDeque<CallSignal>,
    closed: bool,
}

impl Gateway {
    fn new(config: Config) -> Self {
        let mut connection = Connection::new(&config);
        let slot = connection.expect_setup();
        let call = Call::incoming(config.clone(), incoming_params(1), SECOND);
        Self {
            now: SECOND,
            config,
            connection,
            calls: BTreeMap::from([(slot, call)]),
            events: Vec::new(),
            answers: VecDeque::new(),
            closed: false,
        }
    }

    fn says(&mut self, signals: &[CallSignal]) {
        let octets: Vec<u8> = signals
            .iter()
            .flat_map(|signal| tpkt::encode(&signal.encode().unwrap()).unwrap().to_vec())
            .collect();
        self.octets(&octets);
    }

    fn octets(&mut self, octets: &[u8]) {
        self.connection.handle_bytes(octets);
        self.drain();
    }

    fn drain(&mut self) {
        let mut decoder = TpktDecoder::new();
        let mut moved = true;
        while std::mem::take(&mut moved) {
            while let Some(event) = self.connection.poll_event() {
                moved = true;
                match event {
                    ConnectionEvent::NewCall(slot, message) => {
                        let mut call = Call::incoming(self.config.clone(), incoming_params(1), self.now);
                        call.handle_message(self.now, *message);
                        self.calls.insert(slot, call);
                    }
                    ConnectionEvent::Message(slot, message) => {
                        self.calls.get_mut(&slot).unwrap().handle_message(self.now, *message);
                    }
                    ConnectionEvent::Garbled(slot, error) => {
                        self.calls.get_mut(&slot).unwrap().handle_garbled(self.now, &error);
                    }
                    ConnectionEvent::Closed(slot, why) => {
                        let call = self.calls.get_mut(&slot).unwrap();
                        call.handle_closed(self.now, Channel::Signaling, why);
                    }
                    ConnectionEvent::Close => self.closed = true,
                    ConnectionEvent::Resumes(id, message) => {
                        let known = self.calls.iter().find(|(_, call)| call.call_identifier() == id);
                        let Some((old, _)) = known.map(|(slot, call)| (*slot, call)) else {
                            self.connection.disown(message);
                            continue;
                        };
                        let slot = self.connection.resume(message).expect("room");
                        let mut call = self.calls.remove(&old).unwrap();
                        call.handle_connected(self.now, Channel::Signaling);
                        self.calls.insert(slot, call);
                    }
                    other => panic!("{other:?}"),
                }
            }
            for (slot, call) in &mut self.calls {
                while let Some(transmit) = call.poll_transmit() {
                    moved = true;
                    self.connection.send(*slot, transmit.bytes);
                }
                while let Some(event) = call.poll_event() {
                    moved = true;
                    self.events.push((*slot, event));
                }
                while let Some(action) = call.poll_action() {
                    moved = true;
                    assert_eq!(action, Action::CloseSignaling);
                    self.connection.leave(self.now, *slot);
                }
            }
        }
        while let Some(octets) = self.connection.poll_transmit() {
            decoder.push(&octets);
            while let Some(payload) = decoder.next().unwrap() {
                self.answers.push_back(CallSignal::decode(&payload).unwrap());
            }
        }
    }

    /// The kinds and call references of all answers so far.
    fn answers(&mut self) -> Vec<(MessageType, u16, bool, Option<Cause>)> {
        self.answers
            .drain(..)
            .map(|signal| {
                let reference = signal.q931.call_reference;
                (
                    signal.q931.message_type,
                    reference.value(),
                    reference.from_destination(),
                    signal.q931.cause(),
                )
            })
            .collect()
    }

    fn offered(&self) -> usize {
        self.events.iter().filter(|(_, event)| matches!(event, Event::Setup(_))).count()
    }
}

/// The Setup of a call, as our own machine writes it.
fn setup(reference: u16, id: u8) -> CallSignal {
    let params = OutgoingParams {
        call_reference: reference,
        call_identifier: [id; 16],
        ..outgoing_params(1, media(CALLER, &[AudioCodec::Pcma]))
    };
    let mut call = Call::outgoing(shared(), params, SECOND);
    call.handle_connected(SECOND, Channel::Signaling);
    let octets = call.poll_transmit().expect("Setup").bytes;
    CallSignal::decode(&octets.slice(tpkt::HEADER_LENGTH..)).unwrap()
}

fn bare(kind: MessageType, reference: CallReference) -> CallSignal {
    CallSignal { q931: Message::new(kind, reference), uuie: None }
}

const PROCEEDING: MessageType = MessageType::CALL_PROCEEDING;

#[test]
fn two_setups_in_one_segment_are_two_calls() {
    let mut gateway = Gateway::new(shared());
    gateway.says(&[setup(1, 1), setup(2, 2)]);
    assert_eq!(gateway.answers(), [(PROCEEDING, 1, true, None), (PROCEEDING, 2, true, None)]);
    assert_eq!(gateway.offered(), 2);
    // The first one ends, the second goes on, on the same connection.
    gateway.says(&[bare(MessageType::RELEASE_COMPLETE, CallReference::new(1, false))]);
    assert!(!gateway.closed);
    assert_eq!(gateway.calls.values().filter(|call| call.is_finished()).count(), 1);
    gateway.says(&[bare(MessageType::STATUS_INQUIRY, CallReference::new(2, false))]);
    let answers = gateway.answers();
    assert_eq!(answers, [(MessageType::STATUS, 2, true, Some(Cause::RESPONSE_TO_STATUS_ENQUIRY))]);
}

#[test]
fn without_multiple_calls_the_second_setup_needs_a_new_connection() {
    let mut gateway = Gateway::new(Config::default());
    gateway.says(&[setup(1, 1), setup(2, 2)]);
    let refused = CallReference::new(2, true);
    let refusal = gateway.answers.iter().find(|a| a.q931.call_reference == refused).unwrap();
    let Some(Body::ReleaseComplete(uuie)) = refusal.body() else { panic!("{refusal:?}") };
    assert_eq!(uuie.reason, Some(ReleaseCompleteReason::NewConnectionNeeded));
    assert_eq!((gateway.offered(), gateway.connection.counters().refused), (1, 1));
}

#[test]
fn a_connection_takes_so_many_calls_and_no_more() {
    let mut config = shared();
    config.limits.calls_per_connection = 3;
    let mut gateway = Gateway::new(config);
    let setups: Vec<_> = (1..=5).map(|n| setup(n, n as u8)).collect();
    gateway.says(&setups);
    assert_eq!((gateway.offered(), gateway.connection.counters().refused), (3, 2));
    // Room again.
    gateway.says(&[bare(MessageType::RELEASE_COMPLETE, CallReference::new(1, false)), setup(6, 6)]);
    assert_eq!((gateway.offered(), gateway.connection.counters().refused), (4, 2));
}

#[test]
fn a_call_reference_in_use_is_not_taken_twice_and_a_free_one_is() {
    let mut gateway = Gateway::new(shared());
    gateway.says(&[setup(1, 1), setup(1, 1), setup(1, 2)]);
    assert_eq!(gateway.answers(), [(PROCEEDING, 1, true, None)], "an answer would be the first call's");
    assert_eq!((gateway.offered(), gateway.connection.counters().collisions), (1, 2));
    // We release; the peer does not answer that and uses the reference for its next call.
    let call = gateway.calls.values_mut().next().unwrap();
    call.release(gateway.now, Release::busy());
    gateway.drain();
    gateway.says(&[setup(1, 3)]);
    assert_eq!(gateway.offered(), 2);
    assert_eq!(gateway.calls.values().filter(|call| call.is_finished()).count(), 1);
    let answers = gateway.answers();
    assert_eq!(answers.last(), Some(&(PROCEEDING, 1, true, None)));
}

#[test]
fn the_same_value_of_both_sides_is_two_calls() {
    let mut gateway = Gateway::new(shared());
    gateway.says(&[setup(5, 1)]);
    gateway.answers();
    let slot = gateway.connection.place(5, [9; 16]).expect("by its flag another call");
    let params = OutgoingParams {
        call_reference: 5,
        call_identifier: [9; 16],
        ..outgoing_params(4, media(CALLED, &[AudioCodec::Pcma]))
    };
    let mut call = Call::outgoing(shared(), params, gateway.now);
    call.handle_connected(gateway.now, Channel::Signaling);
    gateway.calls.insert(slot, call);
    gateway.drain();
    assert_eq!(gateway.answers(), [(MessageType::SETUP, 5, false, None)]);
    gateway.says(&[bare(MessageType::ALERTING, CallReference::new(5, true))]);
    assert_eq!(gateway.calls[&slot].state(), CallState::Delivered);
    gateway.says(&[bare(MessageType::RELEASE_COMPLETE, CallReference::new(5, false))]);
    assert_eq!(gateway.calls[&slot].state(), CallState::Delivered);
    assert_eq!(gateway.calls.values().filter(|call| call.is_finished()).count(), 1);
}

#[test]
fn a_wrong_flag_and_a_wrong_reference_still_find_their_call() {
    let mut gateway = Gateway::new(shared());
    gateway.says(&[setup(1, 1), setup(2, 2)]);
    gateway.answers();
    gateway.says(&[bare(MessageType::STATUS_INQUIRY, CallReference::new(2, true))]);
    assert_eq!(gateway.answers().len(), 1);
    // ReleaseComplete of another reference that names the first call.
    let mut release = setup(1, 1);
    let Some(Body::Setup(uuie)) = release.body() else { panic!("Setup") };
    let mut body = offhook_wire::h225::ReleaseCompleteUuie::new(uuie.protocol_identifier.clone());
    body.call_identifier = uuie.call_identifier.clone();
    let pdu = offhook_wire::h225::H323UuPdu::new(Body::ReleaseComplete(body.into()));
    release = CallSignal {
        q931: Message::new(MessageType::RELEASE_COMPLETE, CallReference::new(77, false)),
        uuie: Some(offhook_wire::h225::H323UserInformation::new(pdu).into()),
    };
    gateway.says(&[release]);
    assert_eq!(gateway.calls.values().next().unwrap().state(), CallState::Null);
}

#[test]
fn what_belongs_to_no_call_is_answered_and_bounded() {
    let mut gateway = Gateway::new(shared());
    gateway.says(&[setup(1, 1)]);
    gateway.answers();
    let own = |value| CallReference::new(value, false);
    gateway.says(&[
        bare(MessageType::FACILITY, own(9)),
        bare(MessageType::STATUS_INQUIRY, own(9)),
        bare(MessageType::RELEASE_COMPLETE, own(9)),
        bare(MessageType::RESTART, own(0)),
        bare(MessageType::STATUS, own(0)),
        bare(MessageType::FACILITY, CallReference::dummy()),
    ]);
    assert_eq!(
        gateway.answers(),
        [
            (MessageType::RELEASE_COMPLETE, 9, true, Some(Cause::INVALID_CALL_REFERENCE)),
            (MessageType::STATUS, 9, true, Some(Cause::RESPONSE_TO_STATUS_ENQUIRY)),
            (MessageType::STATUS, 0, true, Some(Cause::INVALID_CALL_REFERENCE)),
        ]
    );
    let flood: Vec<_> = (0..200).map(|_| bare(MessageType::FACILITY, own(9))).collect();
    gateway.says(&flood);
    let limit = gateway.config.limits.status_answers as usize;
    assert_eq!(gateway.answers().len(), limit - 3);
    assert_eq!(gateway.connection.counters().silenced as usize, 200 + 3 - limit);
    assert_eq!(gateway.calls.values().filter(|call| call.is_finished()).count(), 0, "the call stands");
}

#[test]
fn a_stream_that_is_no_tpkt_ends_every_call_and_the_connection() {
    let mut gateway = Gateway::new(shared());
    gateway.says(&[setup(1, 1), setup(2, 2)]);
    gateway.answers();
    gateway.octets(b"GET / HTTP/1.0\r\n\r\n");
    assert!(gateway.closed && gateway.calls.values().all(Call::is_finished));
    let protocol = Some(Cause::PROTOCOL_ERROR);
    let released = |value| (MessageType::RELEASE_COMPLETE, value, true, protocol);
    assert_eq!(gateway.answers(), [released(1), released(2)]);
}

#[test]
fn a_lost_call_finds_its_new_connection_and_a_strange_one_does_not() {
    let config = Config { survive_signaling_loss: true, ..shared() };
    let mut gateway = Gateway::new(config.clone());
    gateway.says(&[setup(1, 1)]);
    let call = gateway.calls.values_mut().next().unwrap();
    call.set_media(SECOND, media(CALLED, &[AudioCodec::Pcma]));
    call.answer(SECOND);
    gateway.drain();
    gateway.connection.handle_closed(Closed::Failed);
    gateway.drain();
    assert!(gateway.events.iter().any(|(_, event)| matches!(event, Event::SignalingLost)));
    assert_eq!(gateway.calls.values().next().unwrap().state(), CallState::Active);

    gateway.connection = Connection::new(&config);
    gateway.answers();
    let inquiry = |id| {
        let oid = offhook_h323::Oid::new(&[0, 0, 8, 2250, 0, 7]);
        let id = offhook_wire::h225::CallIdentifier::new([id; 16]);
        let body = offhook_wire::h225::StatusInquiryUuie::new(oid, id);
        let pdu = offhook_wire::h225::H323UuPdu::new(Body::StatusInquiry(body.into()));
        CallSignal {
            q931: Message::new(MessageType::STATUS_INQUIRY, CallReference::new(1, false)),
            uuie: Some(offhook_wire::h225::H323UserInformation::new(pdu).into()),
        }
    };
    // What follows in the same segment waits until it is known whose the connection is.
    gateway.says(&[inquiry(1), bare(MessageType::FACILITY, CallReference::new(1, false))]);
    let answers = gateway.answers();
    assert_eq!(answers[0], (MessageType::STATUS, 1, true, Some(Cause::RESPONSE_TO_STATUS_ENQUIRY)));
    assert!(answers.iter().all(|answer| answer.0 != MessageType::RELEASE_COMPLETE), "{answers:?}");
    assert!(gateway.events.iter().any(|(_, event)| matches!(event, Event::SignalingRestored)));

    let mut stranger = Gateway::new(config);
    stranger.says(&[setup(3, 3)]);
    stranger.answers();
    let mut strange = inquiry(8);
    strange.q931.call_reference = CallReference::new(8, false);
    stranger.says(&[strange]);
    let answers = stranger.answers();
    assert_eq!(answers, [(MessageType::STATUS, 8, true, Some(Cause::RESPONSE_TO_STATUS_ENQUIRY))]);
}
