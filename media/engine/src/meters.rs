//! What leaves the real-time side by numbers: one snapshot a half, consistent in itself, without a lock.
//! In: a snapshot after each block. Out: the same snapshot, whole, to any thread at any time.
//!
//! Each half's snapshot is a row of atomic words under a sequence count: the writer never waits.
//! Not here: that row (`board.rs`), what the numbers mean for RTCP (`offhook_rtp`) and playout (`offhook_jitter`).
//! RT (`publish`): no allocation, lock, syscall, log or panic.

use std::net::SocketAddr;

use offhook_codecs::Level;
use offhook_jitter::PlayoutStats;
use offhook_rtp::{LossRuns, ReceiverStats, SenderStats};

use crate::board::{Board, Pen, Words, words};

/// The snapshots of one engine's two halves. Shared; every method may be called from any thread.
#[derive(Debug)]
pub struct Meters {
    tx: Board<TX_WORDS>,
    rx: Board<RX_WORDS>,
}

/// Words of a sending half's snapshot.
const TX_WORDS: usize = 32;
/// Words of a receiving half's snapshot.
const RX_WORDS: usize = 96;

impl Meters {
    pub(crate) fn new(tx: &TxMeters, rx: &RxMeters) -> Meters {
        let meters = Meters { tx: Board::new(), rx: Board::new() };
        meters.tx.publish(tx);
        meters.rx.publish(rx);
        meters
    }

    /// The sending half as of its last block.
    pub fn tx(&self) -> TxMeters {
        self.tx.read()
    }

    /// The receiving half as of its last block.
    pub fn rx(&self) -> RxMeters {
        self.rx.read()
    }

    pub(crate) fn publish_tx(&self, meters: &TxMeters) {
        self.tx.publish(meters);
    }

    pub(crate) fn publish_rx(&self, meters: &RxMeters) {
        self.rx.publish(meters);
    }
}

/// A sending half, as of one block. Counts are since the engine was built.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TxMeters {
    /// Whether it is started.
    pub is_active: bool,
    /// What `RtcpSession` needs for a sender report: packets that were numbered, sent or dropped on the way out.
    pub sender: SenderStats,
    /// Packets that the network took.
    pub packets_sent: u64,
    /// Their payload octets.
    pub octets_sent: u64,
    /// Packets dropped because the network would have made us wait.
    pub would_block: u64,
    /// Packets dropped because the remote host refused an earlier one.
    pub refused: u64,
    /// Packets dropped for any other reason, a missing remote address included.
    pub failed: u64,
    /// Packets that could not be encoded.
    pub encode_failed: u64,
    /// Formats that were built for another rate than the engine's; the one before stayed.
    pub formats_refused: u64,
    /// Packets that the application injected, of any fate on the way out.
    pub packets_injected: u64,
    /// Injected packets that could not be sent: too long for the engine's buffer.
    pub inject_failed: u64,
    /// Packets of comfort noise (RFC 3389) that were built.
    pub noise_packets: u64,
    /// Packets of digits (RFC 4733) that were built.
    pub event_packets: u64,
    /// Digits that found no room.
    pub events_refused: u64,
    /// Whether digits are being played: sound keeps silent.
    pub is_playing_events: bool,
    /// Samples mixed.
    pub samples: u64,
    /// Samples that a driver had to leave out after a stall.
    pub samples_skipped: u64,
    /// Level of what is sent, over the last `EngineConfig::meter_ms`.
    pub level: Level,
    /// When the first packet left, by the capture clock: nanoseconds.
    pub first_packet_ns: Option<u64>,
    /// Blocks processed.
    pub blocks: u64,
    /// Commands carried out.
    pub commands: u64,
    /// Blocks in which commands waited because the trash ring was full.
    pub trash_stalls: u64,
}

impl Default for TxMeters {
    fn default() -> TxMeters {
        TxMeters {
            is_active: false,
            sender: SenderStats::default(),
            packets_sent: 0,
            octets_sent: 0,
            would_block: 0,
            refused: 0,
            failed: 0,
            encode_failed: 0,
            formats_refused: 0,
            noise_packets: 0,
            event_packets: 0,
            events_refused: 0,
            is_playing_events: false,
            packets_injected: 0,
            inject_failed: 0,
            samples: 0,
            samples_skipped: 0,
            level: Level::SILENCE,
            first_packet_ns: None,
            blocks: 0,
            commands: 0,
            trash_stalls: 0,
        }
    }
}

/// A receiving half, as of one block. Counts are since the engine was built.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RxMeters {
    /// Whether it is started.
    pub is_active: bool,
    /// What `RtcpSession` needs for a report block; rejections by reason are in here: `malformed`, `runts`,
    /// `wrong_payload_type`, `foreign_source`, `own_source`, `duplicates`.
    pub receiver: ReceiverStats,
    /// What playout made of the packets; begins anew with `RxCommand::SetFormat`.
    pub playout: PlayoutStats,
    /// Datagrams read, of any fate.
    pub datagrams: u64,
    /// Datagrams from another host than the negotiated one, or another port than the one that proved itself.
    pub strangers: u64,
    /// Datagrams longer than the engine's buffer.
    pub oversized: u64,
    /// Datagrams read and dropped while stopped.
    pub while_stopped: u64,
    /// Formats and decoders that were built for another rate; the one before stayed.
    pub formats_refused: u64,
    /// Digits (RFC 4733) received.
    pub events: u64,
    /// … of them lost, because nobody fetched them in time.
    pub events_lost: u64,
    /// Packets with copies (RFC 2198) that could not be taken apart, or whose own block is of no payload type agreed.
    pub redundancy_malformed: u64,
    /// Where the peer's packets come from, once it has proved itself.
    pub peer: Option<SocketAddr>,
    /// Level of what is heard, before the speaker's gain, over the last `EngineConfig::meter_ms`.
    pub level: Level,
    /// Arrival of the first packet that was accepted, probation included: nanoseconds.
    pub first_packet_ns: Option<u64>,
    /// When the first decoded sample was handed to the driver: nanoseconds.
    pub first_sound_ns: Option<u64>,
    /// Blocks processed.
    pub blocks: u64,
    /// Commands carried out.
    pub commands: u64,
    /// Blocks in which commands waited because the trash ring was full.
    pub trash_stalls: u64,
}

impl RxMeters {
    /// Interarrival jitter (RFC 3550 §A.8), milliseconds.
    pub fn jitter_ms(&self) -> f64 {
        self.receiver.jitter_ns as f64 / 1e6
    }

    /// The part of playout's samples that neither packets nor agreed silence gave, 0 to 1; 0 before any sound.
    pub fn concealed_ratio(&self) -> f64 {
        let heard = self.playout.samples_decoded + self.playout.samples_concealed;
        if heard == 0 { 0.0 } else { self.playout.samples_concealed as f64 / heard as f64 }
    }
}

impl Default for RxMeters {
    fn default() -> RxMeters {
        RxMeters {
            is_active: false,
            receiver: ReceiverStats::default(),
            playout: PlayoutStats::default(),
            datagrams: 0,
            strangers: 0,
            oversized: 0,
            while_stopped: 0,
            formats_refused: 0,
            events: 0,
            events_lost: 0,
            redundancy_malformed: 0,
            peer: None,
            level: Level::SILENCE,
            first_packet_ns: None,
            first_sound_ns: None,
            blocks: 0,
            commands: 0,
            trash_stalls: 0,
        }
    }
}

words!(SenderStats { ssrc, clock_rate, packets, octets, last_timestamp, last_capture_ns });
words!(LossRuns { packets, lost, discarded, bursts, burst_packets, burst_bad, gaps, gap_packets, gap_bad });
words!(ReceiverStats {
    ssrc,
    epoch,
    base_sequence,
    highest_sequence,
    received,
    jitter,
    jitter_ns,
    runs,
    packet_ticks,
    clock_rate,
    first_packet_ns,
    last_packet_ns,
    accepted,
    octets,
    probation,
    confirmed,
    out_of_order,
    gaps,
    duplicates,
    malformed,
    runts,
    wrong_payload_type,
    foreign_source,
    own_source,
    own_source_ssrc,
    own_source_from,
    sources,
    restarts,
});
words!(PlayoutStats {
    packets_received,
    packets_late,
    packets_duplicate,
    packets_malformed,
    packets_discarded,
    packets_spare,
    packets_recovered,
    resets,
    samples_total,
    samples_decoded,
    samples_concealed,
    samples_noise,
    samples_silence,
    samples_muted,
    samples_expanded,
    samples_accelerated,
    samples_left_out,
    concealment_events,
    delay_us,
    target_us,
    min_delay_us,
    max_delay_us,
});
words!(TxMeters {
    is_active,
    sender,
    packets_sent,
    octets_sent,
    would_block,
    refused,
    failed,
    encode_failed,
    formats_refused,
    noise_packets,
    event_packets,
    events_refused,
    is_playing_events,
    packets_injected,
    inject_failed,
    samples,
    samples_skipped,
    level,
    first_packet_ns,
    blocks,
    commands,
    trash_stalls,
});
words!(RxMeters {
    is_active,
    receiver,
    playout,
    datagrams,
    strangers,
    oversized,
    while_stopped,
    formats_refused,
    events,
    events_lost,
    redundancy_malformed,
    peer,
    level,
    first_packet_ns,
    first_sound_ns,
    blocks,
    commands,
    trash_stalls,
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_comes_out_as_it_went_in() {
        let tx = TxMeters {
            is_active: true,
            sender: SenderStats { ssrc: 7, packets: u64::MAX, ..SenderStats::default() },
            level: Level { rms_dbfs: -17.5, peak_dbfs: -3.0 },
            first_packet_ns: Some(0),
            trash_stalls: 99,
            ..TxMeters::default()
        };
        let rx = RxMeters {
            receiver: ReceiverStats { ssrc: Some(0), restarts: 5, ..ReceiverStats::default() },
            playout: PlayoutStats { max_delay_us: 12, ..PlayoutStats::default() },
            peer: Some("[2001:db8::1]:5004".parse().unwrap()),
            first_sound_ns: Some(3),
            trash_stalls: 98,
            ..RxMeters::default()
        };
        let meters = Meters::new(&tx, &rx);
        assert_eq!(meters.tx(), tx);
        assert_eq!(meters.rx(), rx);
        let rx = RxMeters { peer: Some("192.0.2.1:5004".parse().unwrap()), ..rx };
        meters.publish_rx(&rx);
        assert_eq!(meters.rx(), rx);
        meters.publish_rx(&RxMeters::default());
        assert_eq!(meters.rx(), RxMeters::default());
    }

    #[test]
    fn a_reader_never_sees_half_of_a_snapshot() {
        let meters = Meters::new(&TxMeters::default(), &RxMeters::default());
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for n in 0..100_000 {
                    meters.publish_tx(&TxMeters {
                        samples: n,
                        trash_stalls: n,
                        sender: SenderStats { packets: n, ..SenderStats::default() },
                        ..TxMeters::default()
                    });
                }
            });
            while !writer.is_finished() {
                let seen = meters.tx();
                assert!(seen.samples == seen.trash_stalls && seen.samples == seen.sender.packets);
            }
        });
        assert_eq!(meters.tx().samples, 99_999);
    }
}
