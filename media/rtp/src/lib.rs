//! Sans-IO RTP and RTCP sessions (RFC 3550).
//!
//! In: datagrams, payloads, times and a seed, all handed in. Out: packets, verdicts, snapshots, events.
//! Not here: clocks, sockets, threads; playout (`offhook-jitter`); addresses and the refusal of strangers
//! (`offhook-net`, `offhook-engine`); XR (RFC 3611) and telephone-event (RFC 4733), which will join later.
//!
//! Two halves share nothing but `Copy` snapshots:
//!
//! ```text
//! real time (no allocation, lock, panic)              control side
//! payload ─▶ RtpSender ─▶ RTP out    SenderStats ──▶ ┌─────────────┐ ─▶ RTCP out
//! RTP in ─▶ RtpReceiver ─▶ playout   ReceiverStats ▶ │ RtcpSession │ ─▶ RtcpEvent
//!                                        RTCP in ──▶ └─────────────┘ ─▶ next deadline
//! ```
//!
//! Times named `_ns` are nanoseconds of one monotonic clock with any origin; [`NtpTime`] is wall clock and is used
//! only where RFC 3550 puts it on the wire.

mod header;
mod ntp;
mod receiver;
mod reception;
mod rng;
mod rtcp;
mod sender;
mod sequence;
mod session;
mod timing;

pub use header::{Extension, ExtensionElements, HeaderError, RtpHeader, RtpView};
pub use ntp::NtpTime;
pub use receiver::{
    Accepted, Continuity, PayloadTypes, Receipt, ReceiverConfig, ReceiverStats, Reject, RtpReceiver,
};
pub use reception::{InterarrivalJitter, ReceptionInterval, ReportBlock};
pub use rng::Rng;
pub use rtcp::{RtcpError, RtcpPacket, SdesCname, SenderInfo, build_compound, parse_compound};
pub use sender::{PacketizeError, RtpSender, SenderConfig, SenderStats};
pub use sequence::{
    MAX_DROPOUT, MAX_MISORDER, MIN_SEQUENTIAL, SEQUENCE_EPOCH, SequenceTracker, SequenceVerdict,
};
pub use session::{RtcpEvent, RtcpSession, RtcpStats, SessionConfig};
