//! What an engine is told when it is built: rates and the sizes of everything that is allocated once.
//! In: the caller's wishes. Out: [`EngineConfig`], with zeros made ones and nonsense cut to what a machine can hold.
//! Not here: what a call agrees on later (`command.rs`).

/// The highest rate of samples, Hz.
pub(crate) const MAX_RATE: u32 = 768_000;
/// The most samples worked on at once.
pub(crate) const MAX_BLOCK: usize = 1 << 16;
/// The most commands that wait.
pub(crate) const MAX_COMMANDS: usize = 1 << 16;
/// The most samples or octets that a ring to or from the application holds.
pub(crate) const MAX_RING: usize = 1 << 26;

/// How an engine is built. Everything that costs memory is decided here; nothing grows later. Values beyond the limits
/// told are taken for the nearest within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineConfig {
    /// Rate of the samples inside, Hz; 768 kHz at most. Formats of a codec of another rate resample.
    pub sample_rate: u32,
    /// What the RTP sender starts with. **To be set at random for each call** (RFC 3550 §5.1); this crate has no
    /// randomness of its own. Two ends with the same SSRC take each other for an echo and hear nothing (§8.2).
    pub sender: SenderIdentity,
    /// Samples worked on at once, 65536 at most. A driver may hand in any length: longer blocks are cut into these.
    pub max_block: usize,
    /// Milliseconds of sound in the longest packet that is sent; a second at most.
    pub max_packet_ms: u32,
    /// Octets of the longest datagram, header included, sent or received, 64 to 65536. Longer ones that arrive count as
    /// malformed.
    pub max_datagram: usize,
    /// Commands that may wait, for each half; 65536 at most.
    pub commands: usize,
    /// Commands that a half carries out in one block; the rest wait for the next.
    pub commands_per_block: usize,
    /// Datagrams of the peer that are read in one block; the rest wait in the socket.
    pub packets_per_block: usize,
    /// Sources of the sending half and sinks of the receiving half, each; 1024 at most.
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
            max_datagram: 1_500,
            commands: 48,
            commands_per_block: 8,
            packets_per_block: 16,
            max_nodes: 8,
            meter_ms: 100,
        }
    }

    /// Within its limits: no field can make the engine divide by zero, stand still or ask for more memory than there is.
    pub(crate) fn checked(self) -> EngineConfig {
        EngineConfig {
            sample_rate: self.sample_rate.clamp(1, MAX_RATE),
            sender: self.sender,
            max_block: self.max_block.clamp(1, MAX_BLOCK),
            max_packet_ms: self.max_packet_ms.clamp(1, 1_000),
            max_datagram: self.max_datagram.clamp(64, 65_536),
            commands: self.commands.clamp(1, MAX_COMMANDS),
            commands_per_block: self.commands_per_block.max(1),
            packets_per_block: self.packets_per_block.max(1),
            max_nodes: self.max_nodes.clamp(1, 1_024),
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
    (samples as u64).saturating_mul(1_000_000_000) / u64::from(rate.max(1))
}

/// Samples that `ms` milliseconds hold at `rate` Hz, rounded down.
pub(crate) fn ms_to_samples(ms: u32, rate: u32) -> usize {
    (u64::from(ms) * u64::from(rate) / 1_000) as usize
}
