//! Counts of one stream since it was built, for reports and meters.
//! Not here: RTCP's own view of loss and jitter (`media/rtp`).
//! RT: no allocation, lock, syscall, log or panic.

/// What has happened to packets and samples so far. Counts never go back, also over resets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlayoutStats {
    /// Packets handed in, of any fate.
    pub packets_received: u64,
    /// Packets that came after their time.
    pub packets_late: u64,
    /// Packets that were here already.
    pub packets_duplicate: u64,
    /// Packets without sound, or too large.
    pub packets_malformed: u64,
    /// Packets discarded because of a full store, excessive delay or a jump of the stream.
    pub packets_discarded: u64,
    /// Redundant copies that were not needed (RFC 2198).
    pub packets_spare: u64,
    /// Lost packets that were played all the same: from a redundant copy, or from what the next packet carried of them
    /// (in-band FEC).
    pub packets_recovered: u64,
    /// Times that the stream started anew.
    pub resets: u64,

    /// Samples handed out.
    pub samples_total: u64,
    /// … of them decoded from packets.
    pub samples_decoded: u64,
    /// … of them made up for packets lost or late.
    pub samples_concealed: u64,
    /// … of them comfort noise: the sender was silent.
    pub samples_noise: u64,
    /// … of them silence.
    pub samples_silence: u64,
    /// … of the silence, what came after sound had begun: nothing had arrived for so long that making it up had ended.
    pub samples_muted: u64,
    /// Samples that preemptive expansion inserted.
    pub samples_expanded: u64,
    /// Samples that acceleration removed.
    pub samples_accelerated: u64,
    /// Samples that came late and were left out, for sound had been made up in their place.
    pub samples_left_out: u64,
    /// Separate times that sound had to be made up.
    pub concealment_events: u64,

    /// Sound that waits after the next sample to be played, microseconds, at the last pull.
    pub delay_us: u64,
    /// Where the delay is steered to, microseconds.
    pub target_us: u64,
    /// Least of `delay_us` since playout began.
    pub min_delay_us: u64,
    /// Greatest of `delay_us` since playout began.
    pub max_delay_us: u64,
}
