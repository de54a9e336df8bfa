//! TODO

use bytes::Bytes;

use super::address::{AliasAddress, TransportAddress};
use super::endpoint::H221NonStandard;
use crate::per::notation::{choice, sequence};
use crate::per::{Bmp, Int, List, Oid, Plain, Printable, UNBOUNDED};

sequence! {
    /// `NonStandardParameter`.
    NonStandardParameter {
        non_standard_identifier "nonStandardIdentifier": NonStandardIdentifier,
        data "data": Bytes,
    }
}

choice! {
    /// `NonStandardIdentifier`.
    NonStandardIdentifier {
        0 Object "object": Oid,
        1 H221NonStandard "h221NonStandard": H221NonStandard,
        ...
    }
}

sequence! {
    /// `QseriesOptions`.
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
    /// `Q954Details`.
    #[derive(Default)]
    Q954Details {
        conference_calling "conferenceCalling": bool,
        three_party_service "threePartyService": bool,
        ...
    }
}

/// `GloballyUniqueID`.
pub(crate) type GloballyUniqueID = Plain;

/// `ConferenceIdentifier`.
pub(crate) type ConferenceIdentifier = Plain;

/// `RequestSeqNum`.
pub(crate) type RequestSeqNum = Int<1, 65_535>;

/// `GatekeeperIdentifier`.
pub(crate) type GatekeeperIdentifier = Bmp<1, 128>;

/// `BandWidth`.
pub(crate) type BandWidth = Plain;

/// `CallReferenceValue`.
pub(crate) type CallReferenceValue = Plain;

/// `EndpointIdentifier`.
pub(crate) type EndpointIdentifier = Bmp<1, 128>;

/// `ProtocolIdentifier`.
pub(crate) type ProtocolIdentifier = Plain;

/// `TimeToLive`.
pub(crate) type TimeToLive = Int<1, 4_294_967_295>;

sequence! {
    /// `CallIdentifier`.
    CallIdentifier {
        guid "guid": [u8; 16] as GloballyUniqueID,
        ...
    }
}

sequence! {
    /// `DataRate`.
    #[derive(Default)]
    DataRate {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        channel_rate "channelRate": u32 as BandWidth,
        channel_multiplier "channelMultiplier"?: u16 as Int<1, 256>,
        ...
    }
}

sequence! {
    /// `CallLinkage`.
    #[derive(Default)]
    CallLinkage {
        global_call_id "globalCallId"?: [u8; 16] as GloballyUniqueID,
        thread_id "threadId"?: [u8; 16] as GloballyUniqueID,
        ...
    }
}

sequence! {
    /// `SupportedPrefix`.
    SupportedPrefix {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        prefix "prefix": AliasAddress,
        ...
    }
}

sequence! {
    /// `TransportChannelInfo`.
    #[derive(Default)]
    TransportChannelInfo {
        send_address "sendAddress"?: TransportAddress,
        recv_address "recvAddress"?: TransportAddress,
        ...
    }
}

sequence! {
    /// `RTPSession`.
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
    /// `RehomingModel`.
    RehomingModel {
        0 GatekeeperBased "gatekeeperBased",
        1 EndpointBased "endpointBased",
    }
}
