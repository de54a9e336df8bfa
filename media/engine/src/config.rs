//! What an engine is told when it is built: rates and the sizes of everything that is allocated once.
//! In: the caller's wishes. Out: [`EngineConfig`], with zeros made ones.
//! Not here: what a call agrees on later (`command.rs`).

/// How an engine is built. Everything that costs memory is decided here; nothing grows later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineConfig {
    /// Rate of the samples inside, Hz: the codec's.
    pub sample_rate: u32,
    /// What the RTP sender starts with. **To be set at random for each call** (RFC 3550 §5.1); this crate has no
    /// randomness of its own. Two ends with the same SSRC take each other for an echo and hear nothing (§8.2).
    pub sender: SenderIdentity,
    /// Samples worked on at once. A driver may hand in any length: longer blocks are cut into these.
    pub max_block: usize,
    /// Milliseconds of sound in the longest packet that is sent.
    pub max_packet_ms: u32,
    /// Octets of the longest datagram, header included, sent or received. Longer ones that arrive count as malformed.
    pub max_datagram: usize,
    /// Commands that may wait, for each half.
    pub commands: usize,
    /// Commands that a half carries out in one block; the rest wait for the next.
    pub commands_per_block: usize,
    /// Datagrams of the peer that are read in one block; the rest wait in the socket.
    pub packets_per_block: usize,
    /// Sources of the sending half and sinks of the receiving half, each.
    pub max_nodes: usize,
    /// Milliseconds of sound between two new values of a level meter.
    pub meter_ms: u32,
}

impl EngineConfig {
    /// The usual sizes at `sample_rate` Hz: 20 ms blocks, 120 ms packets, 8 sources and sinks.
    pub const fn new(sample_rate: u32) -> EngineConfig {
        EngineConfig {
            sample_rate,
            sender: SenderIdentity { ssrc: 0, first_sequence_number: 0, first_timestamp: 0 },
            max_block: (sample_rate / 50) as usize,
            max_packet_ms: 120,
            max_datagram: 2_048,
            commands: 64,
            commands_per_block: 8,
            packets_per_block: 16,
            max_nodes: 8,
            meter_ms: 100,
        }
    }

    /// Zeros made ones: no field can make the engine divide by zero or stand still.
    pub(crate) fn checked(self) -> EngineConfig {
        EngineConfig {
            sample_rate: self.sample_rate.max(1),
            sender: self.sender,
            max_block: self.max_block.max(1),
            max_packet_ms: self.max_packet_ms.max(1),
            max_datagram: self.max_datagram.max(64),
            commands: self.commands.max(1),
            commands_per_block: self.commands_per_block.max(1),
            packets_per_block: self.packets_per_block.max(1),
            max_nodes: self.max_nodes.max(1),
            meter_ms: self.meter_ms.max(1),
        }
    }
}

/// Who an RTP sender is and where it starts to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SenderIdentity {
    /// The synchronization source.
    pub ssrc: u32,
    /// The first packet's sequence number.
    pub first_sequence_number: u16,
    /// The first packet's timestamp, units of the codec's RTP clock.
    pub first_timestamp: u32,
}

/// Nanoseconds that `samples` last at `rate` Hz.
pub(crate) fn samples_to_ns(samples: usize, rate: u32) -> u64 {
    samples as u64 * 1_000_000_000 / u64::from(rate.max(1))
}

/// Samples that `ms` milliseconds hold at `rate` Hz, rounded down.
pub(crate) fn ms_to_samples(ms: u32, rate: u32) -> usize {
    (u64::from(ms) * u64::from(rate) / 1_000) as usize
}
