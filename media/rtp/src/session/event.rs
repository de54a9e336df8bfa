//! What a session tells: events and counts.
//! Not here: when they arise (`inbound.rs`).

use crate::ntp::NtpTime;
use crate::reception::ReportBlock;
use crate::rtcp::{SdesKind, SenderInfo};
use crate::xr::VoipMetrics;

/// What the session learned.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RtcpEvent {
    /// A sender report came.
    SenderReport {
        /// Its sender.
        ssrc: u32,
        /// Its contents: with wall clock and RTP clock side by side.
        info: SenderInfo,
        /// Its arrival on the monotonic clock, in nanoseconds.
        arrival_ns: u64,
        /// Its arrival on our wall clock.
        arrival_ntp: NtpTime,
    },
    /// A member reported on what it hears of us.
    ReceptionReport {
        /// Who reports.
        reporter: u32,
        /// What it hears.
        block: ReportBlock,
    },
    /// A round trip was measured from LSR and DLSR (RFC 3550 §6.4.1), or LRR and DLRR (RFC 3611 §4.5).
    RoundTrip {
        /// To whom.
        ssrc: u32,
        /// Nanoseconds.
        round_trip_ns: u64,
    },
    /// A member told its name, for the first time.
    Cname {
        /// The member.
        ssrc: u32,
        /// Its CNAME, as UTF-8 with replacement characters.
        cname: String,
    },
    /// A member told something else of itself (RFC 3550 §6.5), or told it anew.
    Description {
        /// The member.
        ssrc: u32,
        /// What kind of thing.
        kind: SdesKind,
        /// As UTF-8 with replacement characters.
        text: String,
    },
    /// A member told how it hears us (RFC 3611 §4.7).
    VoipMetrics {
        /// Who reports.
        reporter: u32,
        /// What it hears.
        metrics: VoipMetrics,
    },
    /// A member said BYE.
    Bye {
        /// The member.
        ssrc: u32,
        /// Its reason, as UTF-8 with replacement characters.
        reason: Option<String>,
    },
    /// A member was silent for five intervals (RFC 3550 §6.3.5).
    TimedOut {
        /// The member.
        ssrc: u32,
    },
    /// Somebody else uses our SSRC: answer with [`change_ssrc`](crate::RtcpSession::change_ssrc) and restart the sender (§8.2).
    SsrcCollision {
        /// The SSRC in conflict.
        ssrc: u32,
    },
    /// Our own packets come back, or a conflict goes on although we changed: reported once a conflict (§8.2).
    Loop {
        /// The SSRC that came back.
        ssrc: u32,
    },
    /// Two others use one SSRC, seen by their CNAMEs or addresses: reported once a member (§8.2).
    RemoteCollision {
        /// Their SSRC.
        ssrc: u32,
    },
}

/// Counts of a session; plain data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RtcpStats {
    /// Compounds sent.
    pub sent: u64,
    /// Octets of them.
    pub sent_octets: u64,
    /// Compounds received.
    pub received: u64,
    /// Datagrams that are not compounds (RFC 3550 §A.2).
    pub malformed: u64,
    /// Datagrams of one octet or none.
    pub runts: u64,
    /// Packets inside good compounds that did not parse.
    pub malformed_packets: u64,
    /// Packets of types that are not read.
    pub unread_packets: u64,
    /// Round trips that cannot be: a LSR that we never sent, a DLSR longer than the time that passed.
    pub impossible_round_trips: u64,
    /// Compounds from our own SSRC.
    pub own_source: u64,
    /// Packets of a member's SSRC from another address than the member's: dropped.
    pub third_party: u64,
    /// Events lost because nobody polled.
    pub events_lost: u64,
}
