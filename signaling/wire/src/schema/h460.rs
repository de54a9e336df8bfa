//! H.460: features of the generic extensibility framework whose parameters are ASN.1 themselves.
//! Signalling traversal (H.460.18) and media traversal (H.460.19) of NAT and firewalls. The types
//! travel as octets: `raw` content of an [`EnumeratedParameter`](super::h225::EnumeratedParameter),
//! `octetString` of an H.245 [`ParameterValue`](super::h245::ParameterValue).
//! Not here: all other features; most are parameters without ASN.1 of their own.

use super::h225::{CallIdentifier, TransportAddress};
use super::h245;
use crate::per::notation::sequence;
use crate::per::{Int, Oid};

/// H.460.18 as a feature: its `standard` identifier.
pub const SIGNALLING_TRAVERSAL: i64 = 18;
/// The parameter of that feature that holds an [`IncomingCallIndication`].
pub const INCOMING_CALL_INDICATION: i64 = 1;
/// The parameter of that feature that holds an [`LRQKeepAliveData`].
pub const LRQ_KEEP_ALIVE_DATA: i64 = 2;

/// H.460.19 as a feature: its `standard` identifier.
pub const MEDIA_TRAVERSAL: i64 = 19;
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
