//! Traversal of NAT and firewalls: RAS over H.225.0 (H.460.17), signalling (H.460.18), media (H.460.19).

use super::super::h225::{CallIdentifier, TransportAddress};
use super::super::h245;
use crate::per::notation::sequence;
use crate::per::{Int, Oid};

/// H.460.17 as a feature: its `standard` identifier.
pub const RAS_OVER_H225: i64 = 17;
/// The parameter of that feature that holds a [`RasMessage`](super::super::h225::RasMessage).
pub const RAS_MESSAGE: i64 = 1;

/// H.460.18 as a feature: its `standard` identifier.
pub const SIGNALLING_TRAVERSAL: i64 = 18;
/// The parameter of that feature that holds an [`IncomingCallIndication`].
pub const INCOMING_CALL_INDICATION: i64 = 1;
/// The parameter of that feature that holds an [`LRQKeepAliveData`].
pub const LRQ_KEEP_ALIVE_DATA: i64 = 2;

/// H.460.18 as a message identifier of H.245 generic messages.
pub const SIGNALLING_TRAVERSAL_OID: Oid = Oid::new(&[0, 0, 8, 460, 18, 0, 1]);
/// The submessage that ties an H.245 connection to its call.
pub const CONNECTION_CORRELATION: u8 = 1;
/// The parameter of it that holds the call identifier.
pub const CORRELATION_CALL_IDENTIFIER: u8 = 1;
/// The parameter of it that is there if the sender answers the call.
pub const CORRELATION_ANSWER_CALL: u8 = 2;

/// H.460.19 as a feature: its `standard` identifier.
pub const MEDIA_TRAVERSAL: i64 = 19;
/// The parameter of that feature that is there if the sender can transmit multiplexed media.
pub const SUPPORT_TRANSMIT_MULTIPLEXED_MEDIA: i64 = 1;
/// The parameter of that feature that is there if the sender is a server.
pub const MEDIA_TRAVERSAL_SERVER: i64 = 2;
/// H.460.19 as a message identifier of H.245 generic information.
pub const MEDIA_TRAVERSAL_OID: Oid = Oid::new(&[0, 0, 8, 460, 19, 0, 1]);
/// The parameter of that information that holds [`TraversalParameters`].
pub const TRAVERSAL_PARAMETERS: u8 = 1;

sequence! {
    /// Tells an endpoint behind a NAT of a call, so that it connects outwards (H.460.18).
    IncomingCallIndication {
        call_signalling_address "callSignallingAddress": TransportAddress,
        call_id "callID": CallIdentifier,
        ...
    }
}

sequence! {
    /// How often a gatekeeper behind a NAT keeps its path open (H.460.18).
    LRQKeepAliveData {
        lrq_keep_alive_interval "lrqKeepAliveInterval": u32 as TimeToLive,
        ...
    }
}

sequence! {
    /// Where and how often to keep a media path open, and multiplexed media (H.460.19).
    #[derive(Default)]
    TraversalParameters {
        multiplexed_media_channel "multiplexedMediaChannel"?: h245::TransportAddress,
        multiplexed_media_control_channel "multiplexedMediaControlChannel"?: h245::TransportAddress,
        multiplex_id "multiplexID"?: u32,
        keep_alive_channel "keepAliveChannel"?: h245::TransportAddress,
        keep_alive_payload_type "keepAlivePayloadType"?: u8 as Int<0, 127>,
        keep_alive_interval "keepAliveInterval"?: u32 as TimeToLive,
        ...
    }
}

/// Seconds.
pub(crate) type TimeToLive = Int<1, 4_294_967_295>;
