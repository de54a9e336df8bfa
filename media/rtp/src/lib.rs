//! Sans-IO RTP and RTCP sessions (RFC 3550), telephone-event (RFC 4733).
//!
//! In: datagrams, payloads, times and a seed, all handed in. Out: packets, verdicts, snapshots, events.
//! Not here: clocks, sockets, threads; playout (`offhook-jitter`); addresses and the refusal of strangers
//! (`offhook-net`, `offhook-engine`); XR (RFC 3611), which will join later.
//!
//! Two halves share nothing but `Copy` snapshots:
//!
//! ```text
//! real time (no allocation, lock, panic)              control side
//! digits ─▶ EventSender ─┐
//! payload ─▶ RtpSender ──┴▶ RTP out  SenderStats ──▶ ┌─────────────┐ ─▶ RTCP out
//! RTP in ─▶ RtpReceiver ─┬▶ playout  ReceiverStats ▶ │ RtcpSession │ ─▶ RtcpEvent
//!                        └▶ EventReceiver   RTCP in ▶└─────────────┘ ─▶ next deadline
//! ```
//!
//! Times named `_ns` are nanoseconds of one monotonic clock with any origin; [`NtpTime`] is wall clock and is used
//! only where RFC 3550 puts it on the wire.
//!
//! ```
//! use offhook_rtp::*;
//!
//! // Real time: a payload becomes a packet, a datagram a verdict.
//! let mut sender = RtpSender::new(SenderConfig {
//!     ssrc: 0x1234_5678,
//!     first_sequence_number: 41_000,
//!     first_timestamp: 7,
//!     payload_type: 0,
//!     clock_rate: 8000,
//! });
//! let mut receiver = RtpReceiver::new(ReceiverConfig::default());
//! let mut packet = [0; 172];
//! for frame in 0..3 {
//!     let now_ns = frame * 20_000_000;
//!     let len = sender.packetize(&[0xFF; 160], 160, frame == 0, now_ns, &mut packet)?;
//!     match receiver.receive(now_ns, &packet[..len]) {
//!         Receipt::Probation(held) => assert_eq!(held.view.sequence_number(), 41_000),
//!         Receipt::Accept(played) => assert_eq!(played.view.payload().len(), 160),
//!         Receipt::Reject(reason) => panic!("{reason:?}"),
//!     }
//! }
//!
//! // Control side: snapshots in, reports out.
//! let mut session = RtcpSession::new(SessionConfig::new(sender.ssrc(), "desk@example.org", 99), 0);
//! let due_ns = session.poll_timeout();
//! let ntp = NtpTime::from_unix(1_760_000_000, 0);
//! let _report = session.poll_transmit(due_ns, ntp, &sender.stats(), &receiver.stats());
//! # Ok::<(), PacketizeError>(())
//! ```

mod burst;
mod event;
mod header;
mod members;
mod ntp;
mod receiver;
mod reception;
mod rng;
mod rtcp;
mod sender;
mod sequence;
mod session;
mod timing;

pub use burst::{GMIN, LossRuns};
pub use event::{
    EventBlock, EventCode, EventPacket, EventQueueFull, EventReceiver, EventReceiverConfig,
    EventReceiverStats, EventSender, MAX_QUEUED_EVENTS, PlannedEvent, ReceivedEvent,
};
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
