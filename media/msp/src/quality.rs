//! What an extended report tells of a call beside RTP: levels, playout, codec (RFC 3611 §4.7).
//! In: the receiving half's meters, turn by turn; what was agreed. Out: [`VoiceConditions`].
//! Not here: loss and the E-model (`offhook_rtp::VoipMetrics`), when reports are sent (`rtcp.rs`).

use offhook_codecs::CodecKind;
use offhook_engine::RxMeters;
use offhook_rtp::{CodecImpairment, Concealment, JitterBuffer, VoiceConditions};

/// What 0 dBFS by our meters is in dBm0: a full-scale square wave of G.711's μ-law.
const DBM0_OF_FULL_SCALE: f64 = 6.18;
/// From here on a tenth of a second counts as speech, below as pause: dBFS.
const SPEECH_DBFS: f64 = -45.0;
/// Playout adjusts within about 30 packets: J of RFC 3611 §4.7.6 in its unit of two.
const ADJUSTMENT_RATE: u8 = 15;

/// Collects what one call's reports tell.
#[derive(Debug, Default)]
pub(crate) struct VoiceQuality {
    /// What the peer sends.
    pub(crate) codec: Option<CodecKind>,
    /// Milliseconds of sound in the packets that we send.
    pub(crate) packet_ms: u16,
    /// The longest playout delay configured, milliseconds.
    longest_playout_ms: u32,
    talkspurts: Power,
    pauses: Power,
}

/// A mean of powers.
#[derive(Debug, Default, Clone, Copy)]
struct Power {
    sum: f64,
    count: u32,
}

impl Power {
    fn add(&mut self, dbfs: f64) {
        self.sum += 10_f64.powf(dbfs / 10.0);
        self.count = self.count.saturating_add(1);
    }

    fn dbm0(self) -> Option<i8> {
        (self.count > 0).then(|| {
            let dbfs = 10.0 * (self.sum / f64::from(self.count)).log10();
            (dbfs + DBM0_OF_FULL_SCALE).round().clamp(-126.0, 6.0) as i8
        })
    }
}

impl VoiceQuality {
    /// For a call of which nothing is known yet.
    pub(crate) fn new(packet_ms: u16, longest_playout_ms: u32) -> Self {
        Self { packet_ms, longest_playout_ms, ..Self::default() }
    }

    /// Notes how loud the peer is now. To be called in a steady rhythm.
    pub(crate) fn note(&mut self, meters: &RxMeters) {
        if !meters.is_active || meters.first_sound_ns.is_none() {
            return;
        }
        let dbfs = f64::from(meters.level.rms_dbfs);
        if dbfs >= SPEECH_DBFS { self.talkspurts.add(dbfs) } else { self.pauses.add(dbfs) }
    }

    /// What is told now.
    pub(crate) fn conditions(&self, meters: &RxMeters) -> VoiceConditions {
        let ms = |us: u64| u32::try_from(us / 1_000).unwrap_or(u32::MAX);
        let playout = &meters.playout;
        VoiceConditions {
            end_system_delay_ms: ms(playout.delay_us).saturating_add(u32::from(self.packet_ms)),
            signal_level_dbm0: self.talkspurts.dbm0(),
            noise_level_dbm0: self.pauses.dbm0(),
            // There is no echo canceller that could tell.
            residual_echo_return_loss_db: None,
            concealment: Concealment::Standard,
            jitter_buffer: JitterBuffer::Adaptive,
            jitter_buffer_rate: ADJUSTMENT_RATE,
            jitter_buffer_nominal_ms: ms(playout.target_us),
            jitter_buffer_maximum_ms: ms(playout.max_delay_us.max(playout.target_us)),
            jitter_buffer_absolute_maximum_ms: self.longest_playout_ms,
            codec: self.codec.and_then(impairment),
        }
    }
}

/// What a codec costs by the E-model (G.113 Appendix I, tables I.1 and I.4); `None` where its tables say nothing: its
/// scale is that of narrow band, and R of G.722, L16 above 8 kHz and Opus is not on it. R of G.107.1 goes to 129; RFC 3611
/// §4.7.5 has room for 100 and wants G.107's, so that of such a call is told as unavailable, 127, and its MOS with it.
///
/// Bpl of G.726 and GSM 06.10 is not listed. It is told as 10, that of the GSM codec which is, since loss of what they
/// predict from is heard for longer than G.711's.
fn impairment(kind: CodecKind) -> Option<CodecImpairment> {
    let of = |equipment, loss_robustness| Some(CodecImpairment { equipment, loss_robustness });
    match kind {
        CodecKind::Pcmu | CodecKind::Pcma | CodecKind::L16_8 => Some(CodecImpairment::G711_CONCEALED),
        CodecKind::G726_40 | CodecKind::Aal2G726_40 => of(2.0, 10.0),
        CodecKind::G726_32 | CodecKind::Aal2G726_32 => of(7.0, 10.0),
        CodecKind::G726_24 | CodecKind::Aal2G726_24 => of(25.0, 10.0),
        CodecKind::G726_16 | CodecKind::Aal2G726_16 => of(50.0, 10.0),
        CodecKind::Gsm => of(20.0, 10.0),
        CodecKind::G729 => of(11.0, 19.0),
        CodecKind::G7231 => of(15.0, 16.1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use offhook_codecs::Level;
    use offhook_rtp::{LossRuns, ReceiverStats, VoipMetrics};

    use super::*;

    #[test]
    fn speech_and_pauses_have_their_own_levels_and_silence_before_sound_has_none() {
        let mut quality = VoiceQuality::new(20, 500);
        let mut meters = RxMeters { is_active: true, ..RxMeters::default() };
        quality.note(&meters);
        let told = quality.conditions(&meters);
        assert_eq!((told.signal_level_dbm0, told.noise_level_dbm0, told.codec), (None, None, None));
        meters.first_sound_ns = Some(1);
        for (rms_dbfs, times) in [(-20.0, 50), (-26.0, 50), (-70.0, 100)] {
            meters.level = Level { rms_dbfs, peak_dbfs: 0.0 };
            (0..times).for_each(|_| quality.note(&meters));
        }
        quality.codec = Some(CodecKind::Pcma);
        meters.playout.delay_us = 41_900;
        meters.playout.target_us = 40_000;
        meters.playout.max_delay_us = 90_000;
        let told = quality.conditions(&meters);
        // The mean power of −20 and −26 dBFS is −22; 0 dBFS is 6.18 dBm0.
        assert_eq!((told.signal_level_dbm0, told.noise_level_dbm0), (Some(-16), Some(-64)));
        assert_eq!(told.end_system_delay_ms, 61);
        assert_eq!((told.jitter_buffer_nominal_ms, told.jitter_buffer_maximum_ms), (40, 90));
        assert_eq!(told.codec, Some(CodecImpairment::G711_CONCEALED));
        let equipment = |kind| impairment(kind).map(|codec| codec.equipment);
        assert_eq!(equipment(CodecKind::G726_32), Some(7.0));
        assert_eq!(equipment(CodecKind::Gsm), Some(20.0));
        for wide in [CodecKind::Opus, CodecKind::G722, CodecKind::L16_16, CodecKind::G7221_24] {
            assert_eq!(equipment(wide), None, "{wide:?} is not on the scale of narrow band");
            quality.codec = Some(wide);
            let receiver = ReceiverStats {
                ssrc: Some(1),
                runs: LossRuns { packets: 100, ..LossRuns::default() },
                ..ReceiverStats::default()
            };
            let metrics = VoipMetrics::measure(&receiver, None, &quality.conditions(&meters)).unwrap();
            assert_eq!((metrics.r_factor, metrics.mos_lq, metrics.mos_cq), (None, None, None));
            assert_eq!(metrics.signal_level_dbm0, Some(-16), "the rest is told");
        }
    }
}
