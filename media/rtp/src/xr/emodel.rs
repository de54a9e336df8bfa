//! The E-model: how a connection sounds, by calculation (ITU-T G.107).
//! In: levels, noise, delays, echo, codec, loss, by the recommendation's names. Out: the rating R, MOS.
//! Not here: measuring any of them (`burst.rs`, `voip.rs`), which of them a call knows (`quality.rs`).

/// The parameters of G.107 table 3. What a call does not know keeps its default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transmission {
    /// SLR: send loudness rating, dB.
    pub send_loudness: f64,
    /// RLR: receive loudness rating, dB.
    pub receive_loudness: f64,
    /// STMR: sidetone masking rating, dB.
    pub sidetone: f64,
    /// Ds: D-value of the telephone that sends.
    pub send_d: f64,
    /// Dr: D-value of the telephone that receives.
    pub receive_d: f64,
    /// TELR: talker echo loudness rating, dB.
    pub talker_echo: f64,
    /// WEPL: weighted echo path loss, dB.
    pub echo_path_loss: f64,
    /// T: mean one-way delay of the echo path, ms.
    pub echo_delay_ms: f64,
    /// Tr: round-trip delay in the four-wire loop, ms.
    pub round_trip_ms: f64,
    /// Ta: absolute delay from mouth to ear, ms.
    pub absolute_delay_ms: f64,
    /// qdu: quantization distortion units.
    pub quantization: f64,
    /// Ie: equipment impairment of the codec.
    pub equipment: f64,
    /// Bpl: the codec's robustness against loss.
    pub loss_robustness: f64,
    /// Ppl: packets lost, percent.
    pub loss_percent: f64,
    /// BurstR: 1 for loss at random, more where it is bursty.
    pub burst_ratio: f64,
    /// Nc: circuit noise referred to 0 dBr, dBm0p.
    pub circuit_noise: f64,
    /// Nfor: noise floor at the receiver, dBmp.
    pub noise_floor: f64,
    /// Ps: room noise where one speaks, dB(A).
    pub send_room_noise: f64,
    /// Pr: room noise where one listens, dB(A).
    pub receive_room_noise: f64,
    /// A: advantage factor.
    pub advantage: f64,
}

impl Default for Transmission {
    /// The defaults of table 3, with which R = 93.2.
    fn default() -> Self {
        Self {
            send_loudness: 8.0,
            receive_loudness: 2.0,
            sidetone: 15.0,
            send_d: 3.0,
            receive_d: 3.0,
            talker_echo: 65.0,
            echo_path_loss: 110.0,
            echo_delay_ms: 0.0,
            round_trip_ms: 0.0,
            absolute_delay_ms: 0.0,
            quantization: 1.0,
            equipment: 0.0,
            loss_robustness: 4.3,
            loss_percent: 0.0,
            burst_ratio: 1.0,
            circuit_noise: -70.0,
            noise_floor: -64.0,
            send_room_noise: 35.0,
            receive_room_noise: 35.0,
            advantage: 0.0,
        }
    }
}

impl Transmission {
    /// R = Ro − Is − Id − Ie,eff + A (7-1). It can leave 0 to 100.
    pub fn rating(&self) -> f64 {
        let noise = self.noise();
        let ratio = 15.0 - 1.5 * (self.send_loudness + noise);
        let simultaneous = self.simultaneous_impairment(ratio, noise);
        ratio - simultaneous - self.delay_impairment(ratio, noise) - self.loss_impairment() + self.advantage
    }

    /// No: all noise, referred to 0 dBr (7-3 to 7-7).
    fn noise(&self) -> f64 {
        let (slr, rlr) = (self.send_loudness, self.receive_loudness);
        let sent = self.send_room_noise - slr - self.send_d - 100.0
            + 0.004 * (self.send_room_noise - slr - rlr - self.send_d - 14.0).powi(2);
        let listener_sidetone = self.sidetone + self.receive_d;
        let heard = self.receive_room_noise + decibels(1.0 + power(10.0 - listener_sidetone));
        let received = rlr - 121.0 + heard + 0.008 * (heard - 35.0).powi(2);
        let floor = self.noise_floor + rlr;
        decibels(power(self.circuit_noise) + power(sent) + power(received) + power(floor))
    }

    /// Is: loudness, sidetone, quantization (7-8 to 7-17).
    fn simultaneous_impairment(&self, ratio: f64, noise: f64) -> f64 {
        let overall = self.send_loudness + self.receive_loudness;
        let x = overall + 0.2 * (64.0 + noise - self.receive_loudness);
        let loudness = 20.0 * (root(x / 8.0, 8) - x / 8.0);
        let quantization = {
            let q = 37.0 - 15.0 * self.quantization.max(1e-3).log10();
            let g = 1.07 + 0.258 * q + 0.0602 * q * q;
            let (y, z) = ((ratio - 100.0) / 15.0 + 46.0 / 8.4 - g / 9.0, 46.0 / 30.0 - g / 40.0);
            15.0 * (1.0 + 10f64.powf(y) + 10f64.powf(z)).log10()
        };
        loudness + self.sidetone_impairment() + quantization
    }

    /// Ist (7-11, 7-12).
    fn sidetone_impairment(&self) -> f64 {
        let echo = (-self.echo_delay_ms.max(0.0) / 4.0).exp() * power(-self.talker_echo);
        let masking = -decibels(power(-self.sidetone) + echo);
        12.0 * root((masking - 13.0) / 6.0, 8)
            - 28.0 * root((masking + 1.0) / 19.4, 35)
            - 13.0 * root((masking - 3.0) / 33.0, 13)
            + 29.0
    }

    /// Id: talker echo, listener echo, too long a delay (7-18 to 7-28).
    fn delay_impairment(&self, ratio: f64, noise: f64) -> f64 {
        let t = self.echo_delay_ms.max(0.0);
        let echo_rating = self.talker_echo - 40.0 * ((1.0 + t / 10.0) / (1.0 + t / 150.0)).log10()
            + 6.0 * (-0.3 * t * t).exp();
        let sidetone = self.sidetone_impairment();
        // Loud sidetone masks echo, faint sidetone lets it be heard.
        let echo_rating = if self.sidetone < 9.0 { echo_rating + sidetone / 2.0 } else { echo_rating };
        let half = (-1.5 * (noise - self.receive_loudness) - (80.0 + 2.5 * (echo_rating - 14.0))) / 2.0;
        let talker = (half + (half * half + 100.0).sqrt() - 1.0) * (1.0 - (-t).exp());
        let talker = if self.sidetone > 20.0 { talker.hypot(sidetone) } else { talker };
        let loop_rating =
            10.5 * (self.echo_path_loss + 7.0) * (self.round_trip_ms.max(0.0) + 1.0).powf(-0.25);
        let half = (ratio - loop_rating) / 2.0;
        let listener = half + (half * half + 169.0).sqrt();
        let x = (self.absolute_delay_ms.max(100.0) / 100.0).log2();
        talker + listener + 25.0 * (root(x, 6) - 3.0 * root(x / 3.0, 6) + 2.0)
    }

    /// Ie,eff (7-29).
    fn loss_impairment(&self) -> f64 {
        let loss = self.loss_percent.clamp(0.0, 100.0);
        let robust = self.loss_robustness.max(1.0);
        self.equipment + (95.0 - self.equipment) * loss / (loss / self.burst_ratio.max(1.0) + robust)
    }
}

/// MOS of R (Annex B).
pub(super) fn mos(r: f64) -> f64 {
    match r {
        r if r <= 0.0 => 1.0,
        r if r >= 100.0 => 4.5,
        r => (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0),
    }
}

fn power(decibels: f64) -> f64 {
    10f64.powf(decibels / 10.0)
}

fn decibels(power: f64) -> f64 {
    10.0 * power.log10()
}

/// (1 + |x|ⁿ) to the power of 1/n.
fn root(x: f64, n: i32) -> f64 {
    (1.0 + x.abs().powi(n)).powf(1.0 / f64::from(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(is: f64, should: f64, by: f64) {
        assert!((is - should).abs() <= by, "{is} for {should}");
    }

    #[test]
    fn with_every_default_the_rating_is_that_of_the_recommendation() {
        let usual = Transmission::default();
        close(usual.rating(), 93.2, 0.05);
        close(mos(usual.rating()), 4.41, 0.005);
        // Without echo and delay a codec takes away its Ie, as G.113's tables presuppose: G.729 11, G.723.1 15.
        for ie in [11.0, 15.0] {
            close(Transmission { equipment: ie, ..usual }.rating(), 93.2 - ie, 0.05);
        }
    }

    #[test]
    fn mos_is_that_of_annex_b() {
        // Table B.1: 90 is 4.34, 80 is 4.03, 70 is 3.60, 60 is 3.10, 50 is 2.58.
        for (r, score) in [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)] {
            close(mos(r), score, 0.01);
        }
        assert_eq!((mos(3.0), mos(-5.0), mos(140.0)), (1.0, 1.0, 4.5));
    }

    #[test]
    fn delay_alone_costs_nothing_up_to_100_ms_and_then_by_7_27() {
        // Without echo. 25·((1 + 1)^(1/6) − 3·(1 + 3⁻⁶)^(1/6) + 2) = 3.04 at 200 ms.
        let at = |ms| Transmission { absolute_delay_ms: ms, ..Transmission::default() }.rating();
        assert_eq!(at(0.0), at(100.0));
        close(at(0.0) - at(200.0), 3.04, 0.01);
        close(at(0.0) - at(400.0), 24.07, 0.01);
    }

    #[test]
    fn echo_hurts_the_more_the_later_and_the_louder_it_is() {
        let with = |telr, ms| {
            let delays = (ms, 2.0 * ms, ms);
            Transmission {
                talker_echo: telr,
                echo_delay_ms: delays.0,
                round_trip_ms: delays.1,
                absolute_delay_ms: delays.2,
                ..Transmission::default()
            }
            .rating()
        };
        assert!(with(65.0, 50.0) > with(65.0, 150.0) && with(65.0, 150.0) > with(45.0, 150.0));
        close(with(65.0, 150.0), 89.5, 0.1);
    }

    #[test]
    fn loss_costs_by_7_29_and_more_where_it_is_bursty() {
        let with = |loss_percent, burst_ratio| Transmission {
            loss_percent,
            burst_ratio,
            loss_robustness: 25.1,
            ..Transmission::default()
        };
        close(with(0.0, 1.0).rating() - with(5.0, 1.0).rating(), 95.0 * 5.0 / 30.1, 0.01);
        assert!(with(5.0, 2.0).rating() < with(5.0, 1.0).rating());
    }

    #[test]
    fn nonsense_gives_no_infinity() {
        for ms in [-1e9, 0.0, 1e9] {
            let nonsense = Transmission {
                echo_delay_ms: ms,
                round_trip_ms: ms,
                absolute_delay_ms: ms,
                loss_percent: ms,
                quantization: ms,
                ..Transmission::default()
            };
            assert!(nonsense.rating().is_finite());
        }
    }
}
