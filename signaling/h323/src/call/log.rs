//! Each message in and out for the log: a line at debug, its tree at trace, both under the target `offhook_h323::pdu`.
//! In: messages. Out: events of `tracing`; which call they are of says the span of the driver.
//! Nothing is made up that nobody reads: names and trees are built once the level is known to be wanted. No tree shows
//! tokens, hashes or keys ([`redact`]), and octets that cannot be read are counted, for such
//! may be among them.

use bytes::Bytes;
use offhook_wire::h225_message::CallSignal;
use offhook_wire::pdu::{Kind, Pdu, nested, redact, tree};
use tracing::{Level, debug, enabled, trace};

const TARGET: &str = "offhook_h323::pdu";

/// How many octets of what cannot be read are shown: enough for a Q.931 header, too few for a token.
const SHOWN: usize = 16;

/// Which way a message goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    In,
    Out,
}

impl Way {
    fn words(self) -> &'static str {
        match self {
            Self::In => "received",
            Self::Out => "sent",
        }
    }
}

/// A call signalling message. What is tunnelled in it is logged by [`h245`] too, when its turn comes.
pub(super) fn signal(way: Way, signal: &CallSignal) {
    if enabled!(target: TARGET, Level::DEBUG) {
        let pdu = signal.q931.message_type;
        debug!(target: TARGET, %pdu, tunnelled = signal.h245_control().count(), "{}", way.words());
    }
    if enabled!(target: TARGET, Level::TRACE) {
        describe(way, &whole(signal));
    }
}

/// The message as it is on the wire: one that is about to be sent has no User-user element before it is encoded.
fn whole(signal: &CallSignal) -> Pdu {
    let encoded = signal.encode().ok().and_then(|octets| Pdu::decode(Kind::Q931, &octets).ok());
    encoded.unwrap_or_else(|| Pdu::Q931(Box::new(signal.clone())))
}

/// An H.245 message, whether tunnelled or on its own connection.
pub(super) fn h245(way: Way, octets: &Bytes) {
    if enabled!(target: TARGET, Level::DEBUG)
        && let Ok(pdu) = Pdu::decode(Kind::H245, octets)
    {
        debug!(target: TARGET, pdu = pdu.name(), octets = octets.len(), "{} H.245", way.words());
        if enabled!(target: TARGET, Level::TRACE) {
            describe(way, &pdu);
        }
    }
}

/// What cannot be read: how it begins, and how long it is.
pub(super) fn unreadable(what: &str, octets: &Bytes) {
    let begins = octets.slice(..octets.len().min(SHOWN));
    trace!(target: TARGET, what, ?begins, octets = octets.len(), "received and not understood");
}

fn describe(way: Way, pdu: &Pdu) {
    trace!(target: TARGET, "{}\n{}", way.words(), shown(pdu));
}

/// The tree of a message without its secrets.
fn shown(pdu: &Pdu) -> String {
    let mut description = pdu.to_json();
    nested::expand(&mut description);
    redact::redact(&mut description);
    tree::text(&pdu.name(), &description)
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_wire::per::json::build;
    use serde_json::json;

    /// What nobody may read in a log, as it would look.
    const PASSWORD: &str = "hunter2";
    const KEY: &str = "c0ffeec0ffee";

    #[test]
    fn no_tree_shows_tokens_or_keys() {
        let open = build::<offhook_wire::h245::OpenLogicalChannel>(&json!({
            "forwardLogicalChannelNumber": 7,
            "forwardLogicalChannelParameters": {
                "dataType": {"audioData": {"g711Alaw64k": 20}},
                "multiplexParameters": {"h2250LogicalChannelParameters": {"sessionID": 1}},
            },
            "encryptionSync": {"synchFlag": 1, "h235Key": KEY},
        }));
        let open = offhook_wire::per::encode(&open.expect("a channel")).expect("encoded");
        let hex: String = open.iter().map(|octet| format!("{octet:02x}")).collect();
        let token = json!({"tokenOID": "0.0.8.235.0.2.1", "password": PASSWORD});
        let user = build::<offhook_wire::h225::H323UserInformation>(&json!({"h323-uu-pdu": {
            "h323-message-body": {"progress": {
                "protocolIdentifier": "0.0.8.2250.0.7",
                "destinationInfo": {"mc": false, "undefinedNode": false},
                "callIdentifier": {"guid": "00112233445566778899aabbccddeeff"},
                "tokens": [token],
                "fastStart": [hex],
            }},
        }}));
        let q931 = offhook_wire::q931::Message::new(
            offhook_wire::q931::MessageType::PROGRESS,
            offhook_wire::q931::CallReference::new(1, false),
        );
        let signal = CallSignal { q931, uuie: Some(user.expect("a UUIE").into()) };
        let pdu = whole(&signal);
        let bare = {
            let mut description = pdu.to_json();
            nested::expand(&mut description);
            description.to_string()
        };
        assert!(bare.contains(PASSWORD) && bare.contains(KEY), "they are there: {bare}");
        let tree = shown(&pdu);
        assert!(!tree.contains(PASSWORD) && !tree.contains(KEY) && !tree.contains(&hex), "{tree}");
        assert!(tree.contains(r#"tokens: "(not shown)""#) && tree.contains("g711Alaw64k"), "{tree}");
    }
}
