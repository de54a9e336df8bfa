//! Call signalling messages by hand, and what a scripted call said.
#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::time::Duration;

use offhook_h323::{Cause, Config, Event, OutgoingParams, SetupInfo};
use offhook_wire::h225::{
    AlertingUuie, ConnectUuie, EndpointType, H323UserInformation, H323UuPdu, H323UuPduH323MessageBody as Body,
};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::per::Oid;
use offhook_wire::q931::{CallReference, CallState as CallStateElement, CauseElement, Message, MessageType};

use super::script::Script;
use super::{CALLER, media};

pub(crate) const PROTOCOL: Oid = Oid::new(&[0, 0, 8, 2250, 0, 7]);

pub(crate) fn config() -> Config {
    let mut config = Config { fast_start: false, ..Config::default() };
    config.timers.round_trip_interval = Some(Duration::from_secs(10));
    config
}

pub(crate) fn pcma(side: usize) -> offhook_h323::LocalMedia {
    media(side, &[offhook_h323::AudioCodec::Pcma])
}

pub(crate) fn caller(config: Config) -> Script {
    Script::caller(config, pcma(CALLER))
}

pub(crate) fn caller_with(config: Config, params: OutgoingParams) -> Script {
    Script::placing(config, params)
}

/// A called side that `setup` has reached.
pub(crate) fn offered_by(setup: &CallSignal, config: Config) -> Script {
    let mut called = Script::called(config);
    called.signal(setup);
    called
}

pub(crate) fn offered(config: Config) -> Script {
    offered_by(&caller(self::config()).signals[0], config)
}

pub(crate) fn setup_info(script: &Script) -> SetupInfo {
    let info = script.events.iter().find_map(|event| match event {
        Event::Setup(info) => Some((**info).clone()),
        _ => None,
    });
    info.expect("Setup was told")
}

pub(crate) fn message(kind: MessageType, from_called: bool) -> Message {
    Message::new(kind, CallReference::new(77, from_called))
}

pub(crate) fn of(body: Body, from_called: bool) -> CallSignal {
    let mut pdu = H323UuPdu::new(body);
    pdu.h245_tunnelling = Some(true);
    let uuie = H323UserInformation::new(pdu);
    CallSignal::new(CallReference::new(77, from_called), uuie).expect("a known body")
}

pub(crate) fn alerting() -> CallSignal {
    of(Body::Alerting(AlertingUuie::new(PROTOCOL, EndpointType::new(false, false)).into()), true)
}

pub(crate) fn connect() -> CallSignal {
    of(Body::Connect(ConnectUuie::new(PROTOCOL, EndpointType::new(false, false), [9; 16]).into()), true)
}

pub(crate) fn bare(message: Message) -> CallSignal {
    CallSignal { q931: message, uuie: None }
}

pub(crate) fn kinds(script: &Script) -> Vec<MessageType> {
    script.signals.iter().map(|signal| signal.q931.message_type).collect()
}

pub(crate) fn last(script: &Script) -> &CallSignal {
    script.signals.last().expect("something was said")
}

pub(crate) fn released(script: &Script) -> Option<&offhook_h323::ReleaseInfo> {
    match script.events.last() {
        Some(Event::Released(info)) => Some(info),
        _ => None,
    }
}

/// Our Status: its cause, the first octet of its diagnostics, the state it names.
pub(crate) fn status_of(signal: &CallSignal) -> (Cause, Option<u8>, u8) {
    assert_eq!(signal.q931.message_type, MessageType::STATUS);
    let cause = signal.q931.readable::<CauseElement>().expect("Cause is mandatory in Status");
    let state = signal.q931.readable::<CallStateElement>().expect("so is Call state");
    (cause.value, cause.diagnostics.first().copied(), state.value)
}
