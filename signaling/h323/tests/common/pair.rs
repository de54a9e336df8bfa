//! Two calls connected by tunnelled slow start, each then alone with a peer that the test plays; and messages for that.
#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::net::SocketAddr;

use offhook_h323::{AudioCodec, Config, DtmfWay, Event};
use offhook_wire::h225::{
    CallIdentifier, ConnectUuie, EndpointType, FacilityReason, FacilityUuie, H323UserInformation, H323UuPdu,
    H323UuPduH323MessageBody as Body, TransportAddress, TransportAddressIpAddress,
};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::h245::MultimediaSystemControlMessage as H245;
use offhook_wire::per::Oid;
use offhook_wire::per::json::{Value, build};
use offhook_wire::q931::{CallReference, Message, MessageType};

use super::script::{Script, join};
use super::{CALLED, CALLER, media};

pub(crate) const PROTOCOL: Oid = Oid::new(&[0, 0, 8, 2250, 0, 7]);

/// An H.245 message from its description.
pub(crate) fn h245(description: Value) -> H245 {
    build(&description).expect("a description of an H.245 message")
}

pub(crate) fn config() -> Config {
    let mut config = Config { fast_start: false, ..Config::default() };
    config.timers.round_trip_interval = None;
    // Without telephone-events, which the media side would send.
    config.dtmf.retain(|way| *way != DtmfWay::TelephoneEvent);
    config
}

/// Two sides, connected by tunnelled slow start; then each stands alone with a peer that the test plays.
pub(crate) fn connected() -> (Script, Script) {
    connected_with(config(), config())
}

pub(crate) fn connected_with(caller: Config, called: Config) -> (Script, Script) {
    let mut caller = Script::caller(caller, media(CALLER, &[AudioCodec::Pcma, AudioCodec::Pcmu]));
    let mut called = Script::called(called);
    let mut opened = 0;
    join(&mut caller, &mut called, |script, event| match event {
        Event::Setup(_) => {
            let now = script.now;
            script.call.set_media(now, media(CALLED, &[AudioCodec::Pcma, AudioCodec::Pcmu]));
            script.call.accept(now);
            script.call.answer(now);
        }
        Event::ChannelOpened(_) => opened += 1,
        _ => {}
    });
    assert_eq!(opened, 4);
    caller.forget();
    called.forget();
    (caller, called)
}

pub(crate) fn signal(body: Body, kind: MessageType) -> CallSignal {
    let mut pdu = H323UuPdu::new(body);
    pdu.h245_tunnelling = Some(true);
    CallSignal {
        q931: Message::new(kind, CallReference::new(77, true)),
        uuie: Some(H323UserInformation::new(pdu).into()),
    }
}

pub(crate) fn connect(h245_address: Option<SocketAddr>, tunnelling: Option<bool>) -> CallSignal {
    let mut uuie = ConnectUuie::new(PROTOCOL, EndpointType::new(false, false), [9; 16]);
    uuie.call_identifier = Some(CallIdentifier::new([7; 16]));
    uuie.h245_address = h245_address.map(address);
    let mut signal = signal(Body::Connect(uuie.into()), MessageType::CONNECT);
    signal.uuie.as_mut().unwrap().h323_uu_pdu.h245_tunnelling = tunnelling;
    signal
}

pub(crate) fn address(address: SocketAddr) -> TransportAddress {
    let SocketAddr::V4(v4) = address else { panic!("IPv4") };
    TransportAddress::IpAddress(TransportAddressIpAddress::new(v4.ip().octets(), v4.port()))
}

pub(crate) fn start_h245(to: SocketAddr) -> CallSignal {
    let mut uuie = FacilityUuie::new(PROTOCOL, FacilityReason::StartH245);
    uuie.h245_address = Some(address(to));
    let mut signal = signal(Body::Facility(uuie.into()), MessageType::FACILITY);
    signal.uuie.as_mut().unwrap().h323_uu_pdu.h245_tunnelling = Some(false);
    signal
}

pub(crate) fn is_released(script: &Script) -> bool {
    script.events.iter().any(|event| matches!(event, Event::Released(_)))
}
