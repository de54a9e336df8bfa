//! Comfort noise (RFC 3389): silence described by its level and spectrum, and made again.
//! In: samples of background noise. Out: the payload that describes them. In: such a payload. Out: noise like it.
//! Not here: what is silence (`vad.rs`), when a description is played (`jitter`).
//! RT: no allocation, lock, syscall, log or panic.

use crate::codec::CodecError;

/// Reflection coefficients that the generator obeys; further ones of a payload are left out, which is legal.
pub const MAX_ORDER: usize = 12;
/// The static payload type of comfort noise for codecs of 8 kHz (RFC 3389 §4).
pub const PAYLOAD_TYPE: u8 = 13;

/// Describes noise.
#[derive(Debug, Clone)]
pub struct NoiseAnalyser {
    order: usize,
    /// Autocorrelation, smoothed over some 100 ms.
    correlation: [f64; MAX_ORDER + 1],
    heard: bool,
}

impl NoiseAnalyser {
    /// An analyser that describes the spectrum with `order` reflection coefficients, 12 at most; 0 tells the level
    /// alone.
    pub const fn new(order: usize) -> NoiseAnalyser {
        let order = if order > MAX_ORDER { MAX_ORDER } else { order };
        NoiseAnalyser { order, correlation: [0.0; MAX_ORDER + 1], heard: false }
    }

    /// Hears a block of noise, 20 ms or so.
    pub fn push(&mut self, block: &[i16]) {
        if block.is_empty() {
            return;
        }
        let weight = if self.heard { 0.2 } else { 1.0 };
        self.heard = true;
        for (lag, correlation) in self.correlation.iter_mut().enumerate().take(self.order + 1) {
            let late = block.get(lag..).unwrap_or_default();
            let sum: f64 = late.iter().zip(block).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            *correlation += weight * (sum / block.len() as f64 - *correlation);
        }
    }

    /// The level that a payload would tell, −dBov: 0 is the loudest, 127 silence.
    pub fn level(&self) -> u8 {
        let mean = self.correlation[0] / (32_768.0 * 32_768.0);
        if mean <= 0.0 { 127 } else { (-10.0 * mean.log10()).round().clamp(0.0, 127.0) as u8 }
    }

    /// Writes the payload: the level, then the coefficients. Returns its octets.
    ///
    /// # Errors
    ///
    /// [`CodecError::OutputTooSmall`] if `out` has fewer than one and the order.
    pub fn describe(&self, out: &mut [u8]) -> Result<usize, CodecError> {
        let (needed, available) = (1 + self.order, out.len());
        let Some((level, coefficients)) = out.get_mut(..needed).and_then(<[u8]>::split_first_mut) else {
            return Err(CodecError::OutputTooSmall { needed, available });
        };
        *level = self.level();
        for (octet, k) in coefficients.iter_mut().zip(self.reflections()) {
            // §3.2: 127 is 0, and a step 258/32768.
            *octet = (k * 32_768.0 / 258.0 + 127.0).round().clamp(0.0, 254.0) as u8;
        }
        Ok(needed)
    }

    /// Forgets what it heard.
    pub fn reset(&mut self) {
        *self = NoiseAnalyser::new(self.order);
    }

    /// Levinson and Durbin's recursion, with a floor 40 dB below that keeps it stable.
    fn reflections(&self) -> [f64; MAX_ORDER] {
        let mut r = self.correlation;
        r[0] *= 1.0001;
        let mut k = [0.0; MAX_ORDER];
        let mut a = [0.0; MAX_ORDER + 1];
        let mut error = r[0];
        for order in 1..=self.order {
            if error <= 0.0 {
                break;
            }
            let sum: f64 = (1..order).map(|n| a[n] * r[order - n]).sum();
            let reflection = -(r[order] + sum) / error;
            if reflection.is_nan() || reflection.abs() >= 1.0 {
                break;
            }
            k[order - 1] = reflection;
            let before = a;
            for n in 1..order {
                a[n] = before[n] + reflection * before[order - n];
            }
            a[order] = reflection;
            error *= 1.0 - reflection * reflection;
        }
        k
    }
}

/// Makes noise as described.
#[derive(Debug, Clone)]
pub struct NoiseGenerator {
    /// The reflection coefficients and the memory of the lattice.
    k: [f32; MAX_ORDER],
    memory: [f32; MAX_ORDER],
    /// Root mean square of the excitation: as it is, and as it is to become.
    gain: f32,
    wanted: f32,
    dice: u32,
}

impl NoiseGenerator {
    /// A generator that is silent until it is told of noise.
    pub const fn new() -> NoiseGenerator {
        NoiseGenerator {
            k: [0.0; MAX_ORDER],
            memory: [0.0; MAX_ORDER],
            gain: 0.0,
            wanted: 0.0,
            dice: 0x2F6E_2B1D,
        }
    }

    /// Takes a payload of RFC 3389. What sounds goes over to it in some 10 ms.
    ///
    /// # Errors
    ///
    /// [`CodecError::MalformedPayload`] if it is empty, or its level has the bit that must be 0; nothing changes.
    pub fn update(&mut self, payload: &[u8]) -> Result<(), CodecError> {
        let malformed = CodecError::MalformedPayload { octets: payload.len() };
        let Some((&level, coefficients)) = payload.split_first() else { return Err(malformed) };
        if level > 127 {
            return Err(malformed);
        }
        self.k = [0.0; MAX_ORDER];
        let mut power = 1.0f32;
        for (k, octet) in self.k.iter_mut().zip(coefficients) {
            // 255 is no value of §3.2; taken for the largest.
            *k = 258.0 * (f32::from((*octet).min(254)) - 127.0) / 32_768.0;
            power *= 1.0 - *k * *k;
        }
        let rms = if level == 127 { 0.0 } else { 32_768.0 * 10f32.powf(-f32::from(level) / 20.0) };
        self.wanted = rms * power.max(0.0).sqrt();
        Ok(())
    }

    /// Writes the next noise over `out`.
    pub fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            // Uniform noise of variance 1: its peaks are softer than those of Gaussian noise.
            self.dice = self.dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let white = (self.dice >> 8) as f32 / 8_388_608.0 - 1.0;
            self.gain += (self.wanted - self.gain) * 0.02;
            let mut forward = self.gain * 1.732_050_8 * white;
            // The synthesis lattice, from the highest stage down.
            for stage in (0..MAX_ORDER).rev() {
                let k = self.k[stage];
                forward -= k * self.memory[stage];
                let backward = self.memory[stage] + k * forward;
                if let Some(above) = self.memory.get_mut(stage + 1) {
                    *above = backward;
                }
            }
            self.memory[0] = forward;
            if !forward.is_finite() || forward.abs() > 1e6 {
                self.memory = [0.0; MAX_ORDER];
            }
            *sample = forward.round().clamp(-32_768.0, 32_767.0) as i16;
        }
    }

    /// Falls silent and forgets.
    pub fn reset(&mut self) {
        *self = NoiseGenerator::new();
    }
}

impl Default for NoiseGenerator {
    fn default() -> NoiseGenerator {
        NoiseGenerator::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;

    /// Noise of one pole: most of it low, or most of it high.
    fn coloured(pole: f64, rms: f64, samples: usize) -> Vec<i16> {
        let (mut state, mut last) = (1u32, 0.0);
        let gain = rms * (1.0 - pole * pole).sqrt() * 3f64.sqrt();
        (0..samples)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                last = pole * last + gain * (f64::from(state >> 8) / 8_388_608.0 - 1.0);
                last as i16
            })
            .collect()
    }

    fn correlation(samples: &[i16]) -> f64 {
        let sum = |lag: usize| -> f64 {
            samples[lag..].iter().zip(samples).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        sum(1) / sum(0)
    }

    #[test]
    fn noise_comes_back_with_its_level_and_colour() {
        for pole in [-0.8, 0.0, 0.9] {
            for rms in [50.0, 300.0, 3_000.0] {
                let noise = coloured(pole, rms, 16_000);
                for order in [1, 6, MAX_ORDER] {
                    let mut analyser = NoiseAnalyser::new(order);
                    noise.chunks(160).for_each(|block| analyser.push(block));
                    let mut payload = [0; MAX_ORDER + 1];
                    assert_eq!(analyser.describe(&mut payload), Ok(order + 1));
                    let mut generator = NoiseGenerator::new();
                    generator.update(&payload[..order + 1]).unwrap();
                    let mut made = vec![0; 16_000];
                    generator.fill(&mut made);
                    let (said, heard) = (Level::of(&noise), Level::of(&made[1_600..]));
                    assert!((said.rms_dbfs - heard.rms_dbfs).abs() < 1.5, "{pole} {rms}: {said:?} {heard:?}");
                    let (said, heard) = (correlation(&noise), correlation(&made[1_600..]));
                    assert!((said - heard).abs() < 0.1, "{pole} {rms} {order}: {said} {heard}");
                }
            }
        }
    }

    #[test]
    fn the_payload_is_that_of_rfc_3389() {
        let mut analyser = NoiseAnalyser::new(2);
        let mut payload = [9; 3];
        assert_eq!(analyser.describe(&mut payload), Ok(3));
        assert_eq!(payload, [127, 127, 127], "digital silence, white");
        // A square of full scale is 0 dBov; of alternate signs, its first coefficient is nearly 1.
        analyser.push(&[i16::MIN, i16::MAX].repeat(80));
        assert_eq!(analyser.describe(&mut payload), Ok(3));
        assert_eq!((payload[0], payload[1] >= 252), (0, true), "{payload:?}");
        assert_eq!(
            analyser.describe(&mut payload[..2]),
            Err(CodecError::OutputTooSmall { needed: 3, available: 2 })
        );
        let mut generator = NoiseGenerator::new();
        assert!(generator.update(&[]).is_err() && generator.update(&[128]).is_err());
        let mut made = [7; 80];
        generator.fill(&mut made);
        assert_eq!(made, [0; 80]);
    }

    #[test]
    fn no_payload_makes_it_unstable() {
        let mut state = 3u32;
        let mut generator = NoiseGenerator::new();
        let mut made = [0; 160];
        for _ in 0..2_000 {
            let payload: Vec<u8> = (0..=(state >> 27) as usize)
                .map(|n| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let octet = (state >> 24) as u8;
                    if n == 0 {
                        octet & 127
                    } else if octet > 200 {
                        255
                    } else {
                        octet
                    }
                })
                .collect();
            generator.update(&payload).unwrap();
            generator.fill(&mut made);
        }
        generator.update(&[60]).unwrap();
        (0..20).for_each(|_| generator.fill(&mut made));
        let rms_dbfs = Level::of(&made).rms_dbfs;
        assert!((rms_dbfs + 60.0).abs() < 3.0, "{rms_dbfs}");
    }
}
