//! Identifiers and small elements that many messages share.

use bytes::Bytes;

use super::address::{AliasAddress, TransportAddress};
use super::endpoint::H221NonStandard;
use crate::per::notation::{choice, sequence};
use crate::per::{Bmp, Int, List, Oid, Plain, Printable, UNBOUNDED};

sequence! {
    /// Proprietary data and who defined it.
    NonStandardParameter {
        non_standard_identifier "nonStandardIdentifier": NonStandardIdentifier,
        data "data": Bytes,
    }
}

choice! {
    /// Who defined proprietary data.
    NonStandardIdentifier {
        0 Object "object": Oid,
        1 H221NonStandard "h221NonStandard": H221NonStandard,
        ...
    }
}

sequence! {
    /// Supplementary services of the Q.95x series. Obsolete, but still sent.
    QseriesOptions {
        q932_full "q932Full": bool,
        q951_full "q951Full": bool,
        q952_full "q952Full": bool,
        q953_full "q953Full": bool,
        q955_full "q955Full": bool,
        q956_full "q956Full": bool,
        q957_full "q957Full": bool,
        q954_info "q954Info": Q954Details,
        ...
    }
}

sequence! {
    /// Conference services of Q.954.
    #[derive(Default)]
    Q954Details {
        conference_calling "conferenceCalling": bool,
        three_party_service "threePartyService": bool,
        ...
    }
}

/// 16 octets, unique everywhere and for all time.
pub(crate) type GloballyUniqueID = Plain;

/// The conference a call belongs to.
pub(crate) type ConferenceIdentifier = Plain;

/// Number of a RAS request, repeated in its answer.
pub(crate) type RequestSeqNum = Int<1, 65_535>;

/// The name of a gatekeeper.
pub(crate) type GatekeeperIdentifier = Bmp<1, 128>;

/// Bandwidth in units of 100 bit/s.
pub(crate) type BandWidth = Plain;

/// The call reference of Q.931.
pub(crate) type CallReferenceValue = Plain;

/// The name that a gatekeeper gives to a registered endpoint.
pub(crate) type EndpointIdentifier = Bmp<1, 128>;

/// The version of the protocol.
pub(crate) type ProtocolIdentifier = Plain;

/// Seconds until a registration expires.
pub(crate) type TimeToLive = Int<1, 4_294_967_295>;

sequence! {
    /// Identifies a call from end to end, in call signalling and RAS.
    CallIdentifier {
        guid "guid": [u8; 16] as GloballyUniqueID,
        ...
    }
}

sequence! {
    /// A data rate that a gateway offers.
    #[derive(Default)]
    DataRate {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        channel_rate "channelRate": u32 as BandWidth,
        channel_multiplier "channelMultiplier"?: u16 as Int<1, 256>,
        ...
    }
}

sequence! {
    /// Ties together the calls of one service.
    #[derive(Default)]
    CallLinkage {
        global_call_id "globalCallId"?: [u8; 16] as GloballyUniqueID,
        thread_id "threadId"?: [u8; 16] as GloballyUniqueID,
        ...
    }
}

sequence! {
    /// A prefix that selects a gateway's protocol or data rate.
    SupportedPrefix {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        prefix "prefix": AliasAddress,
        ...
    }
}

sequence! {
    /// Addresses of one channel.
    #[derive(Default)]
    TransportChannelInfo {
        send_address "sendAddress"?: TransportAddress,
        recv_address "recvAddress"?: TransportAddress,
        ...
    }
}

sequence! {
    /// RTP and RTCP addresses, CNAME and SSRC of one stream.
    RTPSession {
        rtp_address "rtpAddress": TransportChannelInfo,
        rtcp_address "rtcpAddress": TransportChannelInfo,
        cname "cname": String as Printable,
        ssrc "ssrc": u32 as Int<1, 4_294_967_295>,
        session_id "sessionId": u8 as Int<1, 255>,
        associated_session_ids "associatedSessionIds": Vec<u8> as List<0, UNBOUNDED, Int<1, 255>>,
        ...
        multicast "multicast": (),
        bandwidth "bandwidth": u32 as BandWidth,
    }
}

choice! {
    /// How endpoints return to their gatekeeper.
    RehomingModel {
        0 GatekeeperBased "gatekeeperBased",
        1 EndpointBased "endpointBased",
    }
}
