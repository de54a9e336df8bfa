//! Media without a relay: the kind of NAT (H.460.23), and what to do about it (H.460.24, with its
//! Annexes A and B). The numbers of all parameters are those that H323Plus and GnuGk send.

use super::super::h245::TransportAddress;
use crate::per::Oid;
use crate::per::notation::sequence;

/// H.460.23 as a feature: its `standard` identifier.
pub const NAT_DETERMINATION: i64 = 23;
/// Its parameter `bool`: the sender supports H.460.24 with a remote NAT.
pub const REMOTE_NAT: i64 = 1;
/// Its parameter `bool`: the sender supports Annex A of H.460.24.
pub const REMOTE_ANNEX_A: i64 = 2;
/// Its parameter `bool`: the sender is behind a NAT.
pub const LOCAL_NAT: i64 = 3;
/// Its parameter `transport`: from where the gatekeeper sees RAS arrive.
pub const DETECTED_RAS_ADDRESS: i64 = 4;
/// Its parameter `transport`: a STUN server to test with.
pub const STUN_SERVER: i64 = 5;
/// Its parameter `number8`: the kind of NAT that the sender found.
pub const NAT_TYPE: i64 = 6;
/// Its parameter `bool`: the sender supports Annex B of H.460.24.
pub const REMOTE_ANNEX_B: i64 = 7;

/// H.460.24 as a feature: its `standard` identifier.
pub const MEDIA_STRATEGY: i64 = 24;
/// Its parameter `bool`: the gatekeeper will relay the media.
pub const PROXY_NAT: i64 = 1;
/// Its parameter `bool`: the remote end can help directly.
pub const REMOTE_MASTER: i64 = 2;
/// Its parameter `bool`: the gatekeeper must relay the media.
pub const MUST_PROXY: i64 = 3;
/// Its parameter `bool`: the called end is behind a NAT.
pub const CALLED_IS_NAT: i64 = 4;
/// Its parameter `number8`: the kind of NAT at the calling end.
pub const REMOTE_NAT_TYPE: i64 = 5;
/// Its parameter `transport`: where the calling end appears.
pub const APPARENT_SOURCE: i64 = 6;
/// Its parameter `bool`: Annex A is supported.
pub const SUPPORT_ANNEX_A: i64 = 7;
/// Its parameter `number8`: what to do, see [`NatInstruction`].
pub const NAT_INSTRUCTION: i64 = 8;
/// Its parameter `bool`: Annex B is supported.
pub const SUPPORT_ANNEX_B: i64 = 9;

/// What the gatekeepers decided about the media of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatInstruction {
    /// They do not know.
    Unknown,
    /// No help is needed.
    NoAssist,
    /// The receiver helps the remote end.
    LocalMaster,
    /// The remote end helps the receiver.
    RemoteMaster,
    /// The receiver's gatekeeper relays.
    LocalProxy,
    /// The remote end's gatekeeper relays.
    RemoteProxy,
    /// Both do.
    FullProxy,
    /// Both ends may be behind one NAT: Annex A.
    AnnexA,
    /// The ends may find a direct path: Annex B.
    AnnexB,
    /// There is no way.
    Failure,
    /// A later version's.
    Other(u8),
}

impl From<u8> for NatInstruction {
    fn from(number: u8) -> Self {
        match number {
            0 => NatInstruction::Unknown,
            1 => NatInstruction::NoAssist,
            2 => NatInstruction::LocalMaster,
            3 => NatInstruction::RemoteMaster,
            4 => NatInstruction::LocalProxy,
            5 => NatInstruction::RemoteProxy,
            6 => NatInstruction::FullProxy,
            7 => NatInstruction::AnnexA,
            8 => NatInstruction::AnnexB,
            100 => NatInstruction::Failure,
            other => NatInstruction::Other(other),
        }
    }
}

impl From<NatInstruction> for u8 {
    fn from(instruction: NatInstruction) -> Self {
        match instruction {
            NatInstruction::Unknown => 0,
            NatInstruction::NoAssist => 1,
            NatInstruction::LocalMaster => 2,
            NatInstruction::RemoteMaster => 3,
            NatInstruction::LocalProxy => 4,
            NatInstruction::RemoteProxy => 5,
            NatInstruction::FullProxy => 6,
            NatInstruction::AnnexA => 7,
            NatInstruction::AnnexB => 8,
            NatInstruction::Failure => 100,
            NatInstruction::Other(other) => other,
        }
    }
}

/// Annex A of H.460.24 as a message identifier of H.245 generic indications.
pub const DIRECT_MEDIA_OID: Oid = Oid::new(&[0, 0, 8, 460, 24, 1]);
/// Annex B of H.460.24 as a message identifier of H.245 generic messages and information.
pub const ALTERNATE_ADDRESSES_OID: Oid = Oid::new(&[0, 0, 8, 460, 24, 2]);
/// The submessage of a generic request that carries the addresses, and of the generic response to it.
pub const ALTERNATE_ADDRESSES_SUBMESSAGE: u8 = 1;
/// The parameter of the request that holds [`AlternateAddresses`]. H323Plus and GnuGk put the bare list into it,
/// without the SEQUENCE around, and `multiplexID` before the extension mark: other octets than the ASN.1 says.
pub const ALTERNATE_ADDRESSES: u8 = 1;

sequence! {
    /// Where else media may be sent (Annex B).
    #[derive(Default)]
    AlternateAddresses {
        addresses "addresses": Vec<AlternateAddress>,
        ...
    }
}

sequence! {
    /// Where else the media of one session may be sent.
    #[derive(Default)]
    AlternateAddress {
        session_id "sessionID": u8,
        rtp_address "rtpAddress"?: TransportAddress,
        rtcp_address "rtcpAddress"?: TransportAddress,
        ...
        multiplex_id "multiplexID": u32,
    }
}
