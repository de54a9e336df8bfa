//! A caller in slow start, and an H.245 peer whose every message the test says.
#![allow(dead_code, clippy::expect_used, clippy::unwrap_used)]

use offhook_h323::{Config, LocalMedia};
use offhook_wire::h225::{
    CallIdentifier, ConnectUuie, EndpointType, H323UserInformation, H323UuPdu,
    H323UuPduH323MessageBody as Body,
};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::h245::MultimediaSystemControlMessage as H245;
use offhook_wire::per::Oid;
use offhook_wire::per::json::{Value, build, describe};
use offhook_wire::q931::{CallReference, Message, MessageType};
use serde_json::json;

use crate::common::script::Script;

/// Slow start, no measuring.
pub(crate) fn config() -> Config {
    let mut config = Config { fast_start: false, ..Config::default() };
    config.timers.round_trip_interval = None;
    config
}

/// A caller whose Setup was answered by a tunnelling Connect.
pub(crate) fn answered(config: Config, media: LocalMedia) -> Script {
    let mut caller = Script::caller(config, media);
    connect(&mut caller);
    caller
}

/// The peer's Connect, tunnelling.
pub(crate) fn connect(caller: &mut Script) {
    let protocol = Oid::new(&[0, 0, 8, 2250, 0, 7]);
    let mut uuie = ConnectUuie::new(protocol, EndpointType::new(false, false), [9; 16]);
    uuie.call_identifier = Some(CallIdentifier::new([7; 16]));
    let mut pdu = H323UuPdu::new(Body::Connect(uuie.into()));
    pdu.h245_tunnelling = Some(true);
    let q931 = Message::new(MessageType::CONNECT, CallReference::new(77, true));
    caller.signal(&CallSignal { q931, uuie: Some(H323UserInformation::new(pdu).into()) });
}

/// The peer's capability table and descriptors as it says them.
pub(crate) fn set(sequence: u8, table: &[Value], descriptors: Option<Value>) -> Value {
    let entries: Vec<Value> = table
        .iter()
        .enumerate()
        .map(|(at, capability)| json!({"capabilityTableEntryNumber": at + 1, "capability": capability}))
        .collect();
    let mut set = json!({
        "sequenceNumber": sequence, "protocolIdentifier": "0.0.8.245.0.15", "capabilityTable": entries,
    });
    if let Some(sets) = descriptors {
        set["capabilityDescriptors"] =
            json!([{"capabilityDescriptorNumber": 0, "simultaneousCapabilities": sets}]);
    }
    json!({"request": {"terminalCapabilitySet": set}})
}

pub(crate) fn audio(capability: Value) -> Value {
    json!({ "receiveAudioCapability": capability })
}

/// Both exchanges and the determination are done, the peer has these capabilities; the caller is `status`.
/// What the caller said meanwhile is kept in `h245`.
pub(crate) fn ready(config: Config, media: LocalMedia, table: &[Value], status: &str) -> Script {
    let mut caller = answered(config, media);
    caller.forget();
    caller.say(set(1, table, None));
    caller.say(json!({"response": {"terminalCapabilitySetAck": {"sequenceNumber": 1}}}));
    caller.say(json!({"response": {"masterSlaveDeterminationAck": {"decision": {status: null}}}}));
    caller
}

/// [`ready`] with channel 101 of ours acknowledged.
pub(crate) fn transmitting(config: Config, media: LocalMedia, table: &[Value], status: &str) -> Script {
    let mut caller = ready(config, media, table, status);
    caller.say(ack(101));
    caller.forget();
    caller
}

pub(crate) fn address(port: u16) -> Value {
    json!({"unicastAddress": {"iPAddress": {"network": "0a000002", "tsapIdentifier": port}}})
}

pub(crate) fn ack(number: u16) -> Value {
    json!({"response": {"openLogicalChannelAck": {
        "forwardLogicalChannelNumber": number,
        "forwardMultiplexAckParameters": {"h2250LogicalChannelAckParameters": {
            "mediaChannel": address(4000), "mediaControlChannel": address(4001),
        }},
    }}})
}

pub(crate) fn reject(number: u16, cause: &str) -> Value {
    json!({"response": {"openLogicalChannelReject": {
        "forwardLogicalChannelNumber": number, "cause": {cause: null},
    }}})
}

pub(crate) fn open(number: u16, data: Value) -> Value {
    json!({"request": {"openLogicalChannel": {
        "forwardLogicalChannelNumber": number,
        "forwardLogicalChannelParameters": {
            "dataType": data,
            "multiplexParameters": {"h2250LogicalChannelParameters": {
                "sessionID": 1, "mediaControlChannel": address(4001),
            }},
        },
    }}})
}

pub(crate) fn close(number: u16) -> Value {
    json!({"request": {"closeLogicalChannel": {"forwardLogicalChannelNumber": number, "source": {"user": null}}}})
}

impl Script {
    /// One H.245 message of the peer.
    #[track_caller]
    pub(crate) fn say(&mut self, description: Value) {
        let message: H245 = build(&description).unwrap_or_else(|error| panic!("{description}: {error}"));
        self.tunnel(&message);
    }

    /// [`say`](Self::say); what the caller says to that.
    #[track_caller]
    pub(crate) fn answer(&mut self, description: Value) -> Vec<Value> {
        self.forget();
        self.say(description);
        self.said()
    }

    /// What the caller said since it was last forgotten.
    pub(crate) fn said(&self) -> Vec<Value> {
        self.h245.iter().map(describe).collect()
    }

    /// The names of what the caller said, without their kind.
    pub(crate) fn names(&self) -> Vec<String> {
        let name = |message: Value| {
            let kind = message.as_object()?.values().next()?.clone();
            kind.as_object()?.keys().next().cloned()
        };
        self.said().into_iter().filter_map(name).collect()
    }

    /// The OpenLogicalChannels among it: number and dataType.
    pub(crate) fn opened(&self) -> Vec<(u64, Value)> {
        let said = self.said();
        let opens = said.iter().filter_map(|m| m["request"].get("openLogicalChannel"));
        let read = |open: &Value| {
            let data = open["forwardLogicalChannelParameters"]["dataType"].clone();
            (open["forwardLogicalChannelNumber"].as_u64().unwrap(), data)
        };
        opens.map(read).collect()
    }
}
