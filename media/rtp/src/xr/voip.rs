//! VoIP metrics (RFC 3611 §4.7): what they are made of, and their octets.
//! In: a receiver's statistics, a round trip, what playout and levels say. Out: [`VoipMetrics`].
//! Not here: counting (`burst.rs`), the E-model (`quality.rs`).

use super::quality::{CodecImpairment, Quality};
use crate::burst::GMIN;
use crate::receiver::ReceiverStats;

/// What stands for "unavailable" in most fields of one octet.
const UNAVAILABLE: u8 = 127;
/// The block's length in octets, its header not counted.
const LEN: usize = 32;

/// How lost packets are made up for (RFC 3611 §4.7.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Concealment {
    /// Not told.
    #[default]
    Unspecified,
    /// Silence is played.
    Disabled,
    /// An enhanced interpolation: tolerable up to high rates of loss.
    Enhanced,
    /// A simple replay or interpolation: G.711 Appendix I and its like.
    Standard,
}

/// How a jitter buffer behaves (RFC 3611 §4.7.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JitterBuffer {
    /// Not told.
    #[default]
    Unknown,
    /// Reserved; kept as it came.
    Reserved,
    /// Its delay is fixed.
    Fixed,
    /// Its delay follows the network.
    Adaptive,
}

/// What the receiving end knows beside RTP: levels, playout, codec.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VoiceConditions {
    /// Sampling, encoding and packetizing of what is sent, and jitter buffer, decoding and playout of what is received,
    /// in milliseconds together.
    pub end_system_delay_ms: u32,
    /// Level of the peer's talkspurts, dBm0.
    pub signal_level_dbm0: Option<i8>,
    /// Level of the peer's pauses, dBm0.
    pub noise_level_dbm0: Option<i8>,
    /// Residual echo return loss, dB, where it is known.
    pub residual_echo_return_loss_db: Option<u8>,
    /// How lost packets are made up for.
    pub concealment: Concealment,
    /// How the jitter buffer behaves.
    pub jitter_buffer: JitterBuffer,
    /// Its adjustment rate J, 0 to 15: it takes 2·J packets to adjust.
    pub jitter_buffer_rate: u8,
    /// The delay that it aims at, milliseconds.
    pub jitter_buffer_nominal_ms: u32,
    /// The greatest delay it has had, milliseconds.
    pub jitter_buffer_maximum_ms: u32,
    /// The greatest delay it can have, milliseconds.
    pub jitter_buffer_absolute_maximum_ms: u32,
    /// What the codec makes of loss; `None`: quality is not rated.
    pub codec: Option<CodecImpairment>,
}

/// A VoIP metrics report block. Rates and densities are in 1/256, MOS in tenths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VoipMetrics {
    /// The source reported on.
    pub ssrc: u32,
    /// Packets lost of all.
    pub loss_rate: u8,
    /// Packets discarded by the jitter buffer of all.
    pub discard_rate: u8,
    /// Packets lost or discarded of those in bursts.
    pub burst_density: u8,
    /// Packets lost or discarded of those in gaps.
    pub gap_density: u8,
    /// Mean length of bursts, milliseconds.
    pub burst_duration_ms: u16,
    /// Mean length of gaps, milliseconds.
    pub gap_duration_ms: u16,
    /// Round trip between the RTP interfaces, milliseconds; 0 if unknown.
    pub round_trip_ms: u16,
    /// Delay within the end that reports, milliseconds.
    pub end_system_delay_ms: u16,
    /// Level of talkspurts, dBm0.
    pub signal_level_dbm0: Option<i8>,
    /// Level of pauses, dBm0.
    pub noise_level_dbm0: Option<i8>,
    /// Residual echo return loss, dB.
    pub residual_echo_return_loss_db: Option<u8>,
    /// The gap threshold.
    pub gmin: u8,
    /// R of the part of the call that RTP carries, 0 to 100.
    pub r_factor: Option<u8>,
    /// R of the part beyond, where it is known.
    pub external_r_factor: Option<u8>,
    /// MOS of listening, tenths, 10 to 50.
    pub mos_lq: Option<u8>,
    /// MOS of conversation, tenths, 10 to 50.
    pub mos_cq: Option<u8>,
    /// How lost packets are made up for.
    pub concealment: Concealment,
    /// How the jitter buffer behaves.
    pub jitter_buffer: JitterBuffer,
    /// Its adjustment rate, 0 to 15.
    pub jitter_buffer_rate: u8,
    /// Its nominal delay, milliseconds.
    pub jitter_buffer_nominal_ms: u16,
    /// Its greatest delay now, milliseconds.
    pub jitter_buffer_maximum_ms: u16,
    /// Its greatest delay ever possible, milliseconds.
    pub jitter_buffer_absolute_maximum_ms: u16,
}

impl VoipMetrics {
    /// What is to be told of a source; `None` before it is valid and a first packet's fate is settled.
    ///
    /// The delay from mouth to ear is taken for half the round trip and our own delay, as if the other end had the same.
    pub fn measure(
        receiver: &ReceiverStats,
        round_trip_ns: Option<u64>,
        conditions: &VoiceConditions,
    ) -> Option<Self> {
        let (ssrc, runs) = (receiver.ssrc?, receiver.runs);
        if runs.packets == 0 {
            return None;
        }
        let packet_ms = f64::from(receiver.packet_ticks) * 1_000.0 / f64::from(receiver.clock_rate.max(1));
        let mean_ms = |packets: u64, spells: u64| {
            let ms = if spells == 0 { 0.0 } else { packets as f64 / spells as f64 * packet_ms };
            ms.round() as u16
        };
        let round_trip_ms = round_trip_ns.unwrap_or(0) as f64 / 1e6;
        let quality = conditions.codec.map(|codec| {
            let bad = (runs.lost + runs.discarded) as f64 / runs.packets as f64;
            let delay_ms = round_trip_ms / 2.0 + f64::from(conditions.end_system_delay_ms);
            Quality::rate(codec, bad as f32, delay_ms as f32)
        });
        let tenths = |mos: f32| (mos * 10.0).round() as u8;
        Some(Self {
            ssrc,
            loss_rate: part(runs.lost, runs.packets),
            discard_rate: part(runs.discarded, runs.packets),
            burst_density: part(runs.burst_bad, runs.burst_packets),
            gap_density: part(runs.gap_bad, runs.gap_packets),
            burst_duration_ms: mean_ms(runs.burst_packets, runs.bursts),
            gap_duration_ms: mean_ms(runs.gap_packets, runs.gaps),
            round_trip_ms: round_trip_ms.round() as u16,
            end_system_delay_ms: short(conditions.end_system_delay_ms),
            signal_level_dbm0: conditions.signal_level_dbm0,
            noise_level_dbm0: conditions.noise_level_dbm0,
            residual_echo_return_loss_db: conditions.residual_echo_return_loss_db,
            gmin: GMIN,
            r_factor: quality.map(|quality| quality.r_factor.round() as u8),
            external_r_factor: None,
            mos_lq: quality.map(|quality| tenths(quality.mos_lq)),
            mos_cq: quality.map(|quality| tenths(quality.mos_cq)),
            concealment: conditions.concealment,
            jitter_buffer: conditions.jitter_buffer,
            jitter_buffer_rate: conditions.jitter_buffer_rate.min(15),
            jitter_buffer_nominal_ms: short(conditions.jitter_buffer_nominal_ms),
            jitter_buffer_maximum_ms: short(conditions.jitter_buffer_maximum_ms),
            jitter_buffer_absolute_maximum_ms: short(conditions.jitter_buffer_absolute_maximum_ms),
        })
    }

    /// The block's octets after its header.
    pub(crate) fn to_bytes(self) -> [u8; LEN] {
        let known = |value: Option<u8>| value.unwrap_or(UNAVAILABLE);
        let level = |value: Option<i8>| value.map_or(UNAVAILABLE, |level| level as u8);
        let concealment = match self.concealment {
            Concealment::Unspecified => 0,
            Concealment::Disabled => 1,
            Concealment::Enhanced => 2,
            Concealment::Standard => 3,
        };
        let buffer = match self.jitter_buffer {
            JitterBuffer::Unknown => 0,
            JitterBuffer::Reserved => 1,
            JitterBuffer::Fixed => 2,
            JitterBuffer::Adaptive => 3,
        };
        let [s0, s1, s2, s3] = self.ssrc.to_be_bytes();
        let [b0, b1] = self.burst_duration_ms.to_be_bytes();
        let [g0, g1] = self.gap_duration_ms.to_be_bytes();
        let [t0, t1] = self.round_trip_ms.to_be_bytes();
        let [e0, e1] = self.end_system_delay_ms.to_be_bytes();
        let [n0, n1] = self.jitter_buffer_nominal_ms.to_be_bytes();
        let [m0, m1] = self.jitter_buffer_maximum_ms.to_be_bytes();
        let [a0, a1] = self.jitter_buffer_absolute_maximum_ms.to_be_bytes();
        #[rustfmt::skip]
        let octets = [
            s0, s1, s2, s3,
            self.loss_rate, self.discard_rate, self.burst_density, self.gap_density,
            b0, b1, g0, g1,
            t0, t1, e0, e1,
            level(self.signal_level_dbm0), level(self.noise_level_dbm0),
            known(self.residual_echo_return_loss_db), self.gmin,
            known(self.r_factor), known(self.external_r_factor), known(self.mos_lq), known(self.mos_cq),
            concealment << 6 | buffer << 4 | self.jitter_buffer_rate.min(15), 0, n0, n1,
            m0, m1, a0, a1,
        ];
        octets
    }

    /// The block of these octets; `None` if their number is another.
    pub(crate) fn from_bytes(octets: &[u8]) -> Option<Self> {
        let octets: &[u8; LEN] = octets.try_into().ok()?;
        let word = |at: usize| u16::from_be_bytes([octets[at], octets[at + 1]]);
        let known = |at: usize| Some(octets[at]).filter(|value| *value != UNAVAILABLE);
        Some(Self {
            ssrc: u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]),
            loss_rate: octets[4],
            discard_rate: octets[5],
            burst_density: octets[6],
            gap_density: octets[7],
            burst_duration_ms: word(8),
            gap_duration_ms: word(10),
            round_trip_ms: word(12),
            end_system_delay_ms: word(14),
            signal_level_dbm0: known(16).map(|level| level as i8),
            noise_level_dbm0: known(17).map(|level| level as i8),
            residual_echo_return_loss_db: known(18),
            gmin: octets[19],
            r_factor: known(20),
            external_r_factor: known(21),
            mos_lq: known(22),
            mos_cq: known(23),
            concealment: match octets[24] >> 6 {
                0 => Concealment::Unspecified,
                1 => Concealment::Disabled,
                2 => Concealment::Enhanced,
                _ => Concealment::Standard,
            },
            jitter_buffer: match octets[24] >> 4 & 3 {
                0 => JitterBuffer::Unknown,
                1 => JitterBuffer::Reserved,
                2 => JitterBuffer::Fixed,
                _ => JitterBuffer::Adaptive,
            },
            jitter_buffer_rate: octets[24] & 15,
            jitter_buffer_nominal_ms: word(26),
            jitter_buffer_maximum_ms: word(28),
            jitter_buffer_absolute_maximum_ms: word(30),
        })
    }
}

/// A part of a whole in 1/256, rounded down; all of it is 255 (RFC 3611 §4.7.1).
fn part(of: u64, whole: u64) -> u8 {
    let ratio = (u128::from(of) * 256).checked_div(u128::from(whole)).unwrap_or(0);
    u8::try_from(ratio).unwrap_or(u8::MAX)
}

fn short(ms: u32) -> u16 {
    u16::try_from(ms).unwrap_or(u16::MAX)
}
