//! How a call sounds by calculation: the E-model with what a call knows of itself.
//! In: loss, delay, what the codec suffers from loss. Out: R, MOS.
//! Not here: the model (`emodel.rs`), measuring (`burst.rs`, `voip.rs`).
//!
//! Levels, noise, sidetone and echo keep G.107's defaults. Echo comes back after the delay from mouth to ear twice. Loss
//! counts packets discarded with those lost, as at random (BurstR = 1).

use super::emodel::{Transmission, mos};

/// What a codec makes of lost packets (ITU-T G.113 Appendix I).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CodecImpairment {
    /// Ie: impairment without any loss.
    pub equipment: f32,
    /// Bpl: robustness against loss.
    pub loss_robustness: f32,
}

impl CodecImpairment {
    /// G.711 with concealment by Appendix I or alike (G.113 table I.4).
    pub const G711_CONCEALED: Self = Self { equipment: 0.0, loss_robustness: 25.1 };
    /// G.711 that plays silence for what is lost.
    pub const G711_PLAIN: Self = Self { equipment: 0.0, loss_robustness: 4.3 };
}

/// The verdict of the E-model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// R with delay, 0 to 100.
    pub r_factor: f32,
    /// MOS of listening alone, 1 to 4.5.
    pub mos_lq: f32,
    /// MOS of a conversation: with delay, 1 to 4.5.
    pub mos_cq: f32,
}

impl Quality {
    /// Rates a call that loses `loss` (0 to 1) of its packets and takes `mouth_to_ear_ms` milliseconds.
    pub fn rate(codec: CodecImpairment, loss: f32, mouth_to_ear_ms: f32) -> Self {
        let known = Transmission {
            equipment: f64::from(codec.equipment),
            loss_robustness: f64::from(codec.loss_robustness),
            loss_percent: 100.0 * f64::from(loss),
            ..Transmission::default()
        };
        let delay = f64::from(mouth_to_ear_ms.max(0.0));
        let delayed = Transmission {
            echo_delay_ms: delay,
            round_trip_ms: 2.0 * delay,
            absolute_delay_ms: delay,
            ..known
        };
        let (listening, conversation) = (known.rating(), delayed.rating());
        Self {
            r_factor: conversation.clamp(0.0, 100.0) as f32,
            mos_lq: mos(listening) as f32,
            mos_cq: mos(conversation) as f32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_points_of_the_model_are_met() {
        let close = |is: f32, should: f32, by: f32| assert!((is - should).abs() <= by, "{is} for {should}");
        let g711 = CodecImpairment::G711_CONCEALED;
        let perfect = Quality::rate(g711, 0.0, 0.0);
        close(perfect.r_factor, 93.2, 0.05);
        // With echo at TELR 65 dB 150 ms cost 3.7, 400 ms 31.
        close(Quality::rate(g711, 0.0, 150.0).r_factor, 89.5, 0.1);
        close(Quality::rate(g711, 0.0, 400.0).r_factor, 62.2, 0.1);
        assert_eq!(Quality::rate(g711, 0.0, 400.0).mos_lq, perfect.mos_lq);
        // 5 % of loss: 95 · 5/30.1 with concealment, 95 · 5/9.3 without.
        close(Quality::rate(g711, 0.05, 0.0).r_factor, 93.2 - 15.78, 0.05);
        close(Quality::rate(CodecImpairment::G711_PLAIN, 0.05, 0.0).r_factor, 93.2 - 51.08, 0.05);
    }

    #[test]
    fn nonsense_stays_in_range() {
        for loss in [f32::NAN, -1.0, 0.5, 9.0] {
            for delay in [f32::NAN, -5.0, 1e9] {
                let codec = CodecImpairment { equipment: 0.0, loss_robustness: 0.0 };
                let rated = Quality::rate(codec, loss, delay);
                assert!(rated.mos_cq.is_nan() || (1.0..=4.5).contains(&rated.mos_cq), "{rated:?}");
            }
        }
    }
}
