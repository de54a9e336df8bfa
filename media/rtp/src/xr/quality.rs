//! How a call sounds by calculation: a simplified E-model (ITU-T G.107).
//! In: loss, delay, what the codec suffers from loss. Out: R, MOS.
//! Not here: measuring (`burst.rs`, `voip.rs`).
//!
//! R = Ro − Is − Id − Ie,eff, of which is taken:
//! - Ro − Is = 93.2, G.107's value with every default; levels, noise, echo and sidetone are therefore not rated.
//! - Id by the approximation of R. Cole and J. Rosenbluth (2001): 0.024·Ta + 0.11·(Ta − 177.3) beyond 177.3 ms, Ta
//!   being the delay from mouth to ear in milliseconds.
//! - Ie,eff = Ie + (95 − Ie) · Ppl / (Ppl / BurstR + Bpl), G.107 (7-29), with BurstR = 1: losses at random. Ppl counts
//!   packets discarded with those lost.
//! - A = 0: no advantage of access.

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
        let percent = 100.0 * loss.clamp(0.0, 1.0);
        let robust = codec.loss_robustness.max(1.0);
        let equipment = codec.equipment + (95.0 - codec.equipment) * percent / (percent + robust);
        let listening = 93.2 - equipment;
        let delay = mouth_to_ear_ms.max(0.0);
        let r_factor = listening - 0.024 * delay - 0.11 * (delay - 177.3).max(0.0);
        Self { r_factor: r_factor.clamp(0.0, 100.0), mos_lq: mos(listening), mos_cq: mos(r_factor) }
    }
}

/// MOS of R (G.107 annex B).
fn mos(r: f32) -> f32 {
    match r {
        r if r <= 0.0 => 1.0,
        r if r >= 100.0 => 4.5,
        r => (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_points_of_the_model_are_met() {
        let close = |is: f32, should: f32, by: f32| assert!((is - should).abs() <= by, "{is} for {should}");
        // G.107 table B.1: R = 93.2 is MOS 4.41, 90 4.34, 80 4.03, 70 3.60, 60 3.10, 50 2.58.
        for (r, score) in [(93.2, 4.41), (90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)]
        {
            close(mos(r), score, 0.01);
        }
        let g711 = CodecImpairment::G711_CONCEALED;
        let perfect = Quality::rate(g711, 0.0, 0.0);
        close(perfect.r_factor, 93.2, 0.01);
        // 150 ms cost 3.6, 400 ms 34.1.
        close(Quality::rate(g711, 0.0, 150.0).r_factor, 89.6, 0.01);
        close(Quality::rate(g711, 0.0, 400.0).r_factor, 59.1, 0.05);
        assert_eq!(Quality::rate(g711, 0.0, 400.0).mos_lq, perfect.mos_lq);
        // 5 % of loss: 95 · 5/30.1 with concealment, 95 · 5/9.3 without.
        close(Quality::rate(g711, 0.05, 0.0).r_factor, 93.2 - 15.78, 0.01);
        close(Quality::rate(CodecImpairment::G711_PLAIN, 0.05, 0.0).r_factor, 93.2 - 51.08, 0.01);
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
        assert_eq!(mos(3.0), 1.0, "the cubic dips below one");
    }
}
