//! What a playout is told when it is built: rates, bounds of delay, sizes of its store.
//! In: the application's wishes. Out: a checked [`PlayoutConfig`].
//! Not here: what is learnt while it runs (`estimator.rs`).

use offhook_codecs::CodecKind;

/// How a [`Playout`](crate::Playout) is built. Everything that costs memory is decided here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlayoutConfig {
    /// Rate of the samples, Hz: the decoder's.
    pub sample_rate: u32,
    /// Rate of the RTP timestamps, Hz: the codec's clock rate.
    pub clock_rate: u32,
    /// Least target delay, milliseconds beyond the packet that plays.
    pub min_delay_ms: u32,
    /// Greatest target delay, milliseconds. Sound beyond it is shortened or discarded.
    pub max_delay_ms: u32,
    /// Target delay until the network is known, milliseconds.
    pub initial_delay_ms: u32,
    /// Packets that the store holds.
    pub max_packets: usize,
    /// Octets of the largest payload.
    pub max_payload: usize,
    /// Octets of all payloads that wait. The oldest packets give way to those that find no room.
    pub max_octets: usize,
    /// Milliseconds of the longest packet.
    pub max_packet_ms: u32,
}

impl PlayoutConfig {
    /// The usual settings for a codec.
    pub const fn for_codec(kind: CodecKind) -> PlayoutConfig {
        PlayoutConfig {
            sample_rate: kind.sample_rate(),
            clock_rate: kind.clock_rate(),
            min_delay_ms: 0,
            max_delay_ms: 500,
            initial_delay_ms: 0,
            max_packets: 128,
            max_payload: 1_024,
            // More than a second of G.711.
            max_octets: 10_240,
            max_packet_ms: 120,
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let whole = self.sample_rate.is_multiple_of(self.clock_rate.max(1))
            || self.clock_rate.is_multiple_of(self.sample_rate.max(1));
        if !(8_000..=192_000).contains(&self.sample_rate) || self.clock_rate == 0 || !whole {
            return Err(ConfigError::Rates { sample_rate: self.sample_rate, clock_rate: self.clock_rate });
        }
        if self.min_delay_ms > self.max_delay_ms || self.max_delay_ms > 10_000 {
            return Err(ConfigError::Delays { min_ms: self.min_delay_ms, max_ms: self.max_delay_ms });
        }
        let sizes = (4..=4_096).contains(&self.max_packets)
            && (1..=65_536).contains(&self.max_payload)
            && (self.max_payload..=1 << 20).contains(&self.max_octets)
            && (10..=1_000).contains(&self.max_packet_ms);
        if sizes { Ok(()) } else { Err(ConfigError::Sizes) }
    }

    pub(crate) fn samples(&self, ms: u32) -> usize {
        (u64::from(ms) * u64::from(self.sample_rate) / 1_000) as usize
    }
}

/// Why a playout cannot be built: the caller's mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// One rate must be a whole multiple of the other, and samples 8–192 kHz.
    #[error("unusable rates: samples {sample_rate} Hz, timestamps {clock_rate} Hz")]
    Rates {
        /// Samples, Hz.
        sample_rate: u32,
        /// Timestamps, Hz.
        clock_rate: u32,
    },
    /// The decoder's rates are not those of the configuration.
    #[error("the decoder's rates are not the configuration's")]
    Decoder,
    /// Bounds of delay out of order or beyond ten seconds.
    #[error("unusable delays: {min_ms} to {max_ms} ms")]
    Delays {
        /// Least, milliseconds.
        min_ms: u32,
        /// Greatest, milliseconds.
        max_ms: u32,
    },
    /// The store or its packets would be too small or too large (4–4096 packets, 1–65536 octets, from
    /// one payload to 1 MiB together, 10–1000 ms).
    #[error("unusable sizes of the store or of its packets")]
    Sizes,
}
