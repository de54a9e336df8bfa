//! Reception statistics: interarrival jitter (RFC 3550 §A.8), loss (§A.3) and report blocks (§6.4.1).
//! In: arrival times and timestamps; snapshots of a receiver. Out: jitter, `ReportBlock`.
//! Not here: sequence validation (`sequence.rs`); LSR and DLSR bookkeeping (`session.rs`).
//! RT (`InterarrivalJitter`): no allocation, lock, syscall, log or panic.

use crate::receiver::ReceiverStats;

/// A step of the transit time beyond this, in nanoseconds, is a discontinuity (a new capture clock, a suspended host),
/// not jitter.
const MAX_STEP_NS: u64 = 3_000_000_000;
/// The greatest cumulative loss that 24 bits carry (RFC 3550 §A.3).
const MAX_LOST: i64 = 0x7F_FFFF;
/// The least cumulative loss that 24 bits carry.
const MIN_LOST: i64 = -0x80_0000;

/// The estimator of RFC 3550 §A.8 in integers, of nanoseconds: a quiet network's jitter is less than one tick of an
/// 8 kHz clock, and would be nothing if each difference were cut to ticks.
///
/// Differences only are taken, so neither the 32-bit timestamp nor the arrival clock can wrap it. A packet that repeats
/// the timestamp before it (an RFC 4733 event's update) says nothing of transit and is left out, as is a step of more
/// than three seconds, which would linger in the estimate for minutes.
#[derive(Debug, Clone, Copy)]
pub struct InterarrivalJitter {
    clock_rate: u32,
    last: Option<(u64, u32)>,
    /// In 1/16 nanoseconds.
    scaled: u64,
}

impl InterarrivalJitter {
    /// An estimator for a clock of `clock_rate` hertz.
    pub const fn new(clock_rate: u32) -> Self {
        Self { clock_rate, last: None, scaled: 0 }
    }

    /// Takes a packet with its arrival in nanoseconds and its RTP timestamp.
    pub fn update(&mut self, arrival_ns: u64, timestamp: u32) {
        let Some((last_ns, last_timestamp)) = self.last.replace((arrival_ns, timestamp)) else { return };
        let sent = timestamp.wrapping_sub(last_timestamp) as i32;
        if sent == 0 {
            self.last = Some((last_ns, last_timestamp));
            return;
        }
        let waited = arrival_ns.wrapping_sub(last_ns) as i64;
        let sent_ns = i64::from(sent) * 1_000_000_000 / i64::from(self.clock_rate.max(1));
        let difference = waited.saturating_sub(sent_ns).unsigned_abs();
        if difference > MAX_STEP_NS {
            return;
        }
        // J += |D| - ((J + 8) >> 4), with J in sixteenths.
        self.scaled = self.scaled + difference - ((self.scaled + 8) >> 4);
    }

    /// The estimate in units of the RTP clock, to the nearest.
    pub fn value(&self) -> u32 {
        let ticks = (self.nanoseconds() * u64::from(self.clock_rate) + 500_000_000) / 1_000_000_000;
        u32::try_from(ticks).unwrap_or(u32::MAX)
    }

    /// The estimate in nanoseconds.
    pub const fn nanoseconds(&self) -> u64 {
        self.scaled >> 4
    }

    /// Keeps the estimate but takes the next packet as the first: the numbering or the clock began anew.
    pub fn rebase(&mut self) {
        self.last = None;
    }

    /// Goes on with another clock rate: the estimate is kept, the next packet gives no difference.
    pub fn set_clock_rate(&mut self, clock_rate: u32) {
        if clock_rate != self.clock_rate {
            self.clock_rate = clock_rate;
            self.last = None;
        }
    }
}

/// What one receiver says of one source (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportBlock {
    /// The source reported on.
    pub ssrc: u32,
    /// Loss since the report before, in 1/256.
    pub fraction_lost: u8,
    /// Loss since the beginning, in packets, 24 bits signed: duplicates make it negative.
    pub cumulative_lost: i32,
    /// The extended highest sequence number received.
    pub extended_highest_sequence: u32,
    /// Interarrival jitter, in units of the RTP clock.
    pub jitter: u32,
    /// LSR: the middle 32 bits of the last sender report's NTP time, 0 without one.
    pub last_sr: u32,
    /// DLSR: since that report arrived, in 1/65536 s, 0 without one.
    pub delay_since_last_sr: u32,
}

impl ReportBlock {
    /// Loss since the report before, as a ratio of 0 to 1.
    pub fn fraction_lost_ratio(&self) -> f64 {
        f64::from(self.fraction_lost) / 256.0
    }
}

/// Remembers what the last report said, so that the next one covers the interval between (RFC 3550 §A.3).
#[derive(Debug, Clone, Copy, Default)]
pub struct ReceptionInterval {
    /// The source and its epoch; a new receiver counts epochs anew.
    beginning: Option<(u32, u32)>,
    expected_prior: u64,
    received_prior: u64,
}

impl ReceptionInterval {
    /// Whether packets arrived since the last report: only then a block is due (RFC 3550 §6.4).
    pub fn has_news(&self, stats: &ReceiverStats) -> bool {
        let beginning = stats.ssrc.map(|ssrc| (ssrc, stats.epoch));
        beginning.is_some() && (beginning != self.beginning || stats.received != self.received_prior)
    }

    /// The block for the interval that ends now, without LSR and DLSR; `None` while no source is valid.
    pub fn report(&mut self, stats: &ReceiverStats) -> Option<ReportBlock> {
        let ssrc = stats.ssrc?;
        let beginning = Some((ssrc, stats.epoch));
        if beginning != self.beginning {
            *self = Self { beginning, ..Self::default() };
        }
        let expected = stats.expected();
        let expected_interval = expected.saturating_sub(self.expected_prior);
        let received_interval = stats.received.saturating_sub(self.received_prior);
        let lost_interval = expected_interval.saturating_sub(received_interval);
        let fraction = (lost_interval << 8).checked_div(expected_interval).unwrap_or(0);
        self.expected_prior = expected;
        self.received_prior = stats.received;
        Some(ReportBlock {
            ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            cumulative_lost: stats.lost().clamp(MIN_LOST, MAX_LOST) as i32,
            extended_highest_sequence: stats.highest_sequence as u32,
            jitter: stats.jitter,
            last_sr: 0,
            delay_since_last_sr: 0,
        })
    }
}
