//! Sans-IO RTP and RTCP sessions (RFC 3550), extended reports (RFC 3611), telephone-event (RFC 4733), redundant payloads
//! put together and taken apart (RFC 2198: [`RedundancySender`], [`redundant_blocks`]).
//!
//! In: datagrams, payloads, times and a seed, all handed in. Out: packets, verdicts, snapshots, events.
//! Not here: clocks, sockets, threads; playout (`offhook-jitter`); addresses and the refusal of strangers
//! (`offhook-net`, `offhook-engine`); feedback (RFC 4585), encryption.
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
//! # Clause by clause
//!
//! Tests are those of `tests/` by file, or of the source file itself (`src`).
//!
//! | RFC 3550 | here | test |
//! |---|---|---|
//! | §5.1, §5.3.1 header, padding, extension | [`RtpView::parse`], [`RtpHeader`] | `header` |
//! | §5.1 numbering, timestamps | [`RtpSender`] | `receiver`: `a_sender_numbers_stamps_and_counts_what_it_sends` |
//! | §6.1 compounds: report first, then SDES; BYE last | [`Compound::to_bytes`], [`parse_compound`] | `rtcp`: `what_we_build_the_oracle_reads_and_we_read_again` |
//! | §6.2, §A.7 interval, shares of senders and listeners | `timing.rs` | `src/timing.rs`; `session`: `a_large_group_reports_less_often` |
//! | §6.2.1 members: confirmed, bounded, BYE lingers | `members.rs` | `session`: `a_bye_of_nobody_known_…`, `a_flood_of_identifiers_…` |
//! | §6.3.1–6.3.2 first interval halved | `Timing::new` | `session`: `the_first_report_comes_after_half_the_minimum_…` |
//! | §6.3.3 average size | `Timing::observe` | `src/timing.rs`: `the_average_size_moves_by_a_sixteenth` |
//! | §6.3.4 reverse reconsideration | `Timing::members_left` | `src/timing.rs`: `members_that_leave_bring_the_deadline_nearer_…` |
//! | §6.3.5 members and senders age out by a listener's Td | `Members::age` | `session`: `members_age_by_the_interval_of_a_listener`; `two_sessions`: `a_peer_that_vanishes_…` |
//! | §6.3.6 forward reconsideration | `Timing::expire` | `src/timing.rs`: `a_group_that_grew_puts_the_first_report_off` |
//! | §6.3.7 BYE, its back-off among more than fifty | [`RtcpSession::bye`] | `session`: `in_a_large_group_the_bye_waits_…`, `whoever_never_sent_says_no_bye` |
//! | §6.3.8 who counts as a sender | `RtcpSession::note_rtp` | `two_sessions`: `a_sender_that_falls_silent_turns_to_receiver_reports` |
//! | §6.3.9, §6.5, §A.4–A.5 source description | [`SessionConfig::description`], [`RtcpEvent::Description`] | `session`: `a_description_comes_piece_by_piece_…`, `what_a_member_tells_…` |
//! | §6.4, §A.3 SR, RR, loss | [`ReceptionInterval`] | `session`: `a_sender_report_puts_both_clocks_…`, `a_report_block_refers_…`; `two_sessions` |
//! | §6.4.1 round trip | [`RtcpEvent::RoundTrip`] | `two_sessions`: `a_perfect_network_…`, `a_wall_clock_that_steps_…` |
//! | §6.6 BYE | [`RtcpEvent::Bye`] | `two_sessions`: `a_bye_is_heard_and_nothing_is_sent_after_it` |
//! | §8.1 an SSRC that nobody has | [`RtcpSession::is_taken`] | `session`: `an_ssrc_that_anybody_has_is_taken` |
//! | §8.2 own collision, loop, table of conflicting addresses | `conflicts.rs`, [`RtcpSession::change_ssrc`] | `src/conflicts.rs`; `session`: `a_conflict_that_goes_on_…`, `another_with_our_ssrc_…` |
//! | §8.2 third parties | [`RtcpStats::third_party`]; in RTP a source is SSRC and address | `session`: `another_address_cannot_speak_for_a_member_…`; `receiver` |
//! | §A.1 sequence validation, probation, restarts | [`SequenceTracker`] | `sequence` |
//! | §A.2 validity of RTCP | [`parse_compound`] | `rtcp`: `datagrams_that_are_no_compound_…` |
//! | §A.6 random identifiers | the caller's: [`SenderConfig`], [`SessionConfig`] | |
//! | §A.8 jitter | [`InterarrivalJitter`] | `receiver`: `jitter_is_that_of_the_appendix_…` |
//!
//! Not kept: contributing sources (§5.1) are no members, for a call's interval does not depend on them.
//!
//! | RFC 3611 | here | test |
//! |---|---|---|
//! | §2, §3 packets and unknown blocks | [`XrBlock`] | `xr`: `blocks_of_any_type_…`, `a_block_past_the_packets_end_…` |
//! | §4.4, §4.5 reference time, DLRR | [`RtcpEvent::RoundTrip`] | `xr`: `a_listener_measures_the_round_trip_…` |
//! | §4.7 VoIP metrics | [`VoipMetrics::measure`], [`Quality`], [`Transmission`] (G.107) | `xr`: `metrics_are_what_was_counted_…`, `tshark_dissects_…` |
//! | §4.7.2, §A.2 bursts and gaps | [`LossRuns`] | `src/burst.rs` |
//!
//! | RFC 4733 | here | test (`event`) |
//! |---|---|---|
//! | §2.3 payload | [`EventBlock`] | `src/event` |
//! | §2.5.1.1–2 marker, timestamp, updates | [`EventSender`] | `an_event_keeps_its_timestamp_…` |
//! | §2.5.1.3 long events | [`EventSender`] | `a_long_event_goes_on_in_segments_…` |
//! | §2.5.1.4 last packets three times | [`EventSender`] | `an_event_shorter_than_a_packet_time_…`, `back_to_back_events_…` |
//! | §2.5.1.5 several events in a packet | [`EventBlock::read`] | `several_events_in_one_packet_follow_each_other` |
//! | §2.5.2 receiving | [`EventReceiver`] | `every_digit_of_which_a_packet_arrives_comes_once_and_in_order` |
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
mod conflicts;
mod event;
mod header;
mod members;
mod ntp;
mod receiver;
mod reception;
mod redundancy;
mod rng;
mod rtcp;
mod sender;
mod sequence;
mod session;
mod timing;
mod xr;

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
pub use redundancy::{
    MAX_BLOCKS, MAX_COPIES, RedundancyError, RedundancySender, RedundantBlock, redundant_blocks,
};
pub use rng::Rng;
pub use rtcp::{Compound, RtcpError, RtcpPacket, SdesChunk, SdesKind, SenderInfo, parse_compound};
pub use sender::{PacketizeError, RtpSender, SenderConfig, SenderStats};
pub use sequence::{
    MAX_DROPOUT, MAX_MISORDER, MIN_SEQUENTIAL, SEQUENCE_EPOCH, SequenceTracker, SequenceVerdict,
};
pub use session::{RtcpEvent, RtcpSession, RtcpStats, SessionConfig};
pub use xr::{
    CodecImpairment, Concealment, DlrrReport, JitterBuffer, Quality, Transmission, VoiceConditions,
    VoipMetrics, XrBlock,
};
