//! Any legal call signalling message in any state and any order, and any command of the application between them: no
//! panic, and no wedge. Whatever state the call is left in, time alone takes it out of it.
//!
//! OFFHOOK_SEEDS says how many sequences; a failure names its seed.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use common::script::Script;
use common::{CALLED, CALLER, Random, media, outgoing_params};
use offhook_h323::{
    Action, Alias, AudioCodec, CallState, Cause, Channel, Closed, Config, Event, Forwarding, OutgoingParams,
    Release, UserUser,
};
use offhook_wire::h225::{
    AlertingUuie, CallIdentifier, CallProceedingUuie, ConnectUuie, EndpointType, FacilityReason,
    FacilityUuie, H323UserInformation, H323UuPdu, H323UuPduH323MessageBody as Body, InformationUuie,
    NotifyUuie, ProgressUuie, ReleaseCompleteUuie, SetupAcknowledgeUuie, StatusInquiryUuie, StatusUuie,
    TransportAddress, TransportAddressIpAddress,
};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::per::Oid;
use offhook_wire::q931::{
    CallReference, CallState as CallStateElement, CalledPartyNumber, CauseElement, ElementId,
    InformationElement, KeypadFacility, Location, Message, MessageType, NotificationIndicator,
    ProgressIndicator,
};

const PROTOCOL: Oid = Oid::new(&[0, 0, 8, 2250, 0, 7]);
const SECOND: Duration = Duration::from_secs(1);

/// Messages with contents drawn at random, every one of them well formed.
struct Peer {
    random: Random,
    /// It answers for the called side.
    called: bool,
    setup: CallSignal,
    fast_start: Vec<Bytes>,
}

impl Peer {
    fn one_in(&mut self, n: u64) -> bool {
        self.random.below(n) == 0
    }

    fn address(&mut self) -> Option<TransportAddress> {
        let last = 1 + self.random.below(3) as u8;
        let address = TransportAddressIpAddress::new([10, 0, 0, last], 7000 + last as u16);
        (self.one_in(3)).then_some(TransportAddress::IpAddress(address))
    }

    fn fast(&mut self) -> Option<Vec<Bytes>> {
        let elements = self.fast_start.clone();
        (self.one_in(4)).then_some(elements)
    }

    fn refused(&mut self) -> Option<()> {
        self.one_in(6).then_some(())
    }

    fn body(&mut self, kind: MessageType) -> Option<Body> {
        let endpoint = || EndpointType::new(false, false);
        let id = CallIdentifier::new([7; 16]);
        // Four types, one set of members.
        macro_rules! answer {
            ($uuie:expr, $body:ident) => {{
                let mut uuie = $uuie;
                uuie.h245_address = self.address();
                uuie.fast_start = self.fast();
                uuie.fast_connect_refused = self.refused();
                Body::$body(uuie.into())
            }};
        }
        Some(match kind {
            MessageType::CALL_PROCEEDING => {
                answer!(CallProceedingUuie::new(PROTOCOL, endpoint()), CallProceeding)
            }
            MessageType::ALERTING => answer!(AlertingUuie::new(PROTOCOL, endpoint()), Alerting),
            MessageType::PROGRESS => answer!(ProgressUuie::new(PROTOCOL, endpoint(), id), Progress),
            MessageType::CONNECT => answer!(ConnectUuie::new(PROTOCOL, endpoint(), [9; 16]), Connect),
            MessageType::FACILITY if self.one_in(3) => Body::Empty,
            MessageType::FACILITY => {
                let reasons = [
                    FacilityReason::StartH245,
                    FacilityReason::CallForwarded,
                    FacilityReason::RouteCallToGatekeeper,
                    FacilityReason::RouteCallToMC,
                    FacilityReason::UndefinedReason,
                    FacilityReason::TransportedInformation,
                    FacilityReason::ForwardedElements,
                ];
                let reason = reasons[self.random.below(reasons.len() as u64) as usize].clone();
                let mut uuie = FacilityUuie::new(PROTOCOL, reason);
                uuie.alternative_address = self.address();
                uuie.h245_address = self.address();
                uuie.fast_start = self.fast();
                uuie.fast_connect_refused = self.refused();
                Body::Facility(uuie.into())
            }
            MessageType::INFORMATION => Body::Information(InformationUuie::new(PROTOCOL).into()),
            MessageType::NOTIFY => Body::Notify(NotifyUuie::new(PROTOCOL, id).into()),
            MessageType::SETUP_ACKNOWLEDGE => {
                Body::SetupAcknowledge(SetupAcknowledgeUuie::new(PROTOCOL, id).into())
            }
            MessageType::STATUS => Body::Status(StatusUuie::new(PROTOCOL, id).into()),
            MessageType::STATUS_INQUIRY => Body::StatusInquiry(StatusInquiryUuie::new(PROTOCOL, id).into()),
            MessageType::RELEASE_COMPLETE => Body::ReleaseComplete(ReleaseCompleteUuie::new(PROTOCOL).into()),
            _ => return None,
        })
    }

    fn message(&mut self) -> CallSignal {
        const KINDS: [MessageType; 17] = [
            MessageType::SETUP,
            MessageType::SETUP_ACKNOWLEDGE,
            MessageType::CALL_PROCEEDING,
            MessageType::PROGRESS,
            MessageType::ALERTING,
            MessageType::CONNECT,
            MessageType::CONNECT_ACKNOWLEDGE,
            MessageType::FACILITY,
            MessageType::FACILITY,
            MessageType::INFORMATION,
            MessageType::NOTIFY,
            MessageType::STATUS,
            MessageType::STATUS_INQUIRY,
            MessageType::HOLD,
            MessageType::USER_INFORMATION,
            MessageType(0x55),
            MessageType::RELEASE_COMPLETE,
        ];
        let mut kind = KINDS[self.random.below(KINDS.len() as u64) as usize];
        if kind == MessageType::RELEASE_COMPLETE && !self.one_in(4) {
            kind = MessageType::PROGRESS;
        }
        if kind == MessageType::SETUP {
            return self.setup.clone();
        }
        // Now and then it is about another call.
        let value = if self.one_in(20) { 78 } else { 77 };
        let mut q931 = Message::new(kind, CallReference::new(value, self.called));
        if self.one_in(2) {
            q931 = q931.with(&CauseElement::new(Location::USER, Cause(1 + self.random.below(127) as u8)));
        }
        if kind == MessageType::STATUS || self.one_in(20) {
            q931 = q931.with(&CallStateElement::new(self.random.below(26) as u8));
        }
        if kind == MessageType::INFORMATION {
            if self.one_in(2) {
                q931 = q931.with(&CalledPartyNumber::new("12#"));
            }
            if self.one_in(2) {
                q931 = q931.with(&KeypadFacility::new("7*"));
            }
            if self.one_in(4) {
                q931.insert(InformationElement::SENDING_COMPLETE);
            }
        }
        if kind == MessageType::PROGRESS {
            q931 = q931.with(&ProgressIndicator::new(Location::USER, self.random.below(10) as u8));
        }
        if kind == MessageType::NOTIFY && !self.one_in(3) {
            q931 = q931.with(&NotificationIndicator { description: self.random.below(128) as u8 });
        }
        if self.one_in(30) {
            q931.insert(InformationElement::variable(ElementId(0x0f), Bytes::from_static(b"?")));
        }
        let uuie = self.body(kind).filter(|_| !self.random.next().is_multiple_of(10)).map(|body| {
            let mut pdu = H323UuPdu::new(body);
            pdu.h245_tunnelling = match self.random.below(6) {
                0 => Some(false),
                1 => None,
                _ => Some(true),
            };
            H323UserInformation::new(pdu).into()
        });
        CallSignal { q931, uuie }
    }
}

fn command(script: &mut Script, random: &mut Random) {
    let now = script.now;
    let call = &mut script.call;
    let there = Some(([10, 0, 0, 9], 1720).into());
    match random.below(16) {
        0 => call.accept(now),
        1 => call.answer(now),
        2 => call.set_media(now, media(CALLED, &[AudioCodec::Pcma])),
        3 => drop(call.request_digits(now)),
        4 => drop(call.proceed(now)),
        5 => drop(call.dial(now, "9", random.below(4) == 0)),
        6 => drop(call.inquire_status(now)),
        7 => drop(call.send_notify(now, random.next() as u8)),
        8 => drop(call.send_progress(now, random.next() as u8)),
        9 => drop(call.send_user_user(now, UserUser::new(0, vec![1, 2, 3]).unwrap())),
        10 => drop(call.send_digits(now, "5")),
        11 if random.below(4) == 0 => drop(call.deflect(now, there, &[Alias::from_text("x")])),
        12 if random.below(6) == 0 => call.release(now, Release::busy()),
        13 if random.below(6) == 0 => call.handle_closed(now, Channel::Signaling, Closed::ByPeer),
        14 if random.below(4) == 0 => call.media_failed(now),
        _ => {}
    }
    script.drain();
}

/// The driver, which does as it is told, or cannot.
fn obey(script: &mut Script, random: &mut Random) {
    for action in std::mem::take(&mut script.actions) {
        let now = script.now;
        match (action, random.below(4)) {
            (Action::ListenH245, 0) => script.call.h245_listen_failed(now),
            (Action::ListenH245, 1 | 2) => script.call.h245_listening(now, ([10, 0, 0, 1], 9000).into()),
            (Action::ConnectH245(_), 0) => script.call.handle_closed(now, Channel::H245, Closed::Refused),
            (Action::ConnectH245(_), 1) => script.call.handle_connected(now, Channel::H245),
            _ => {}
        }
        script.drain();
    }
}

fn run(seed: u64, states: &mut BTreeSet<u8>) {
    let mut random = Random(seed);
    let config = Config {
        fast_start: random.below(2) == 0,
        tunnelling: random.below(3) != 0,
        h245_in_setup: random.below(4) == 0,
        overlap_receiving: random.below(2) == 0,
        call_proceeding: random.below(3) != 0,
        forwarding: if random.below(2) == 0 { Forwarding::REFUSE } else { Forwarding::default() },
        ..Config::default()
    };
    let overlap = random.below(2) == 0;
    let params = OutgoingParams { overlap, ..outgoing_params(seed, media(CALLER, &[AudioCodec::Pcma])) };
    let offered = Script::placing(Config { h245_in_setup: false, ..config.clone() }, params.clone());
    let setup = offered.signals[0].clone();
    let fast_start = match setup.body() {
        Some(Body::Setup(uuie)) => uuie.fast_start.clone().unwrap_or_default(),
        _ => Vec::new(),
    };
    let called = random.below(2) == 0;
    let mut script = if called { Script::placing(config, params) } else { Script::called(config) };
    let mut peer = Peer { random: Random(seed ^ 0x9ee2), called, setup, fast_start };
    obey(&mut script, &mut random);
    if !called && random.below(8) != 0 {
        script.signal(&peer.setup.clone());
    }
    for _ in 0..random.below(25) {
        let message = peer.message();
        script.signal(&message);
        states.insert(script.call.state().number());
        obey(&mut script, &mut random);
        if random.below(2) == 0 {
            command(&mut script, &mut random);
            obey(&mut script, &mut random);
        }
        if random.below(6) == 0 {
            script.wait(random.ms(9_000));
        }
    }
    // Nobody says anything any more. What is not connected has to end, by itself; what is, may stay.
    script.wait(SECOND * 600);
    let over = script.events.iter().filter(|event| matches!(event, Event::Released(_))).count();
    assert!(over <= 1, "seed {seed}: released {over} times");
    if script.call.state() == CallState::Active {
        script.call.release(script.now, Release::normal());
        script.drain();
        script.wait(SECOND * 60);
    }
    assert!(script.call.is_finished(), "seed {seed}: wedged: {:?}", script.call);
    assert_eq!(script.call.poll_timeout(), None, "seed {seed}");
    if over == 1 {
        assert!(matches!(script.events.last(), Some(Event::Released(_))), "seed {seed}");
    }
}

#[test]
fn no_sequence_of_messages_wedges_a_call() {
    let seeds = std::env::var("OFFHOOK_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(5_000);
    let first = std::env::var("OFFHOOK_FIRST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let mut states = BTreeSet::new();
    for seed in first..first + seeds {
        run(seed, &mut states);
    }
    assert_eq!(states, BTreeSet::from([0, 1, 2, 3, 4, 6, 7, 9, 10, 25]), "not every state was reached");
}
