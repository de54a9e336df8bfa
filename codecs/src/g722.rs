//! G.722: 7 kHz of sound in 64 kbit/s, as two sub-bands of ADPCM. Integer arithmetic as the Recommendation fixes it.
//! In: 16-bit samples at 16 kHz, two for each octet, or octets. Out: the other. Modes 1 (64), 2 (56) and 3 (48 kbit/s)
//! differ in what of the lower band's six bits the decoder may believe.
//! Not here: concealment (`jitter`); but the decoder can be told what was heard instead of a lost packet.
//! RT: no allocation, lock, syscall, log or panic.
//!
//! The functions bear the names of the blocks of G.722 §6; `(a * b) >> 15` is its fractional multiplication.

use crate::CodecKind;
use crate::codec::{CodecError, Decoder, Encoder};

/// How many of an octet's bits are the decoder's (G.722 table 1). The encoder always writes all eight; in modes 2 and 3
/// the lowest carry something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum G722Mode {
    /// Mode 1: 64 kbit/s, eight bits.
    #[default]
    #[doc(alias = "g722_64k")]
    Kbit64,
    /// Mode 2: 56 kbit/s, the upper seven.
    #[doc(alias = "g722_56k")]
    Kbit56,
    /// Mode 3: 48 kbit/s, the upper six.
    #[doc(alias = "g722_48k")]
    Kbit48,
}

/// Half of the 24 coefficients of the quadrature mirror filters (table 11), which are symmetric.
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3_876, -805, 362, -156, 53, -11];
/// Decision levels of the lower band's quantizer, one for each magnitude (table 14).
const Q6: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1_023, 1_121,
    1_219, 1_339, 1_458, 1_612, 1_765, 1_980, 2_195, 2_557, 2_919,
];
/// Outputs of the lower band's inverse quantizers by the code's 4, 5 or 6 bits (tables 15 to 17).
const QM4: [i32; 16] = [
    0, -20_456, -12_896, -8_968, -6_288, -4_240, -2_584, -1_200, 20_456, 12_896, 8_968, 6_288, 4_240, 2_584,
    1_200, 0,
];
const QM5: [i32; 32] = [
    -280, -280, -23_352, -17_560, -14_120, -11_664, -9_752, -8_184, -6_864, -5_712, -4_696, -3_784, -2_960,
    -2_208, -1_520, -880, 23_352, 17_560, 14_120, 11_664, 9_752, 8_184, 6_864, 5_712, 4_696, 3_784, 2_960,
    2_208, 1_520, 880, 280, -280,
];
const QM6: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192, -10_232,
    -9_360, -8_576, -7_856, -7_192, -6_576, -6_000, -5_456, -4_944, -4_464, -4_008, -3_576, -3_168, -2_776,
    -2_400, -2_032, -1_688, -1_360, -1_040, -728, 24_808, 21_904, 19_008, 16_704, 14_984, 13_512, 12_280,
    11_192, 10_232, 9_360, 8_576, 7_856, 7_192, 6_576, 6_000, 5_456, 4_944, 4_464, 4_008, 3_576, 3_168,
    2_776, 2_400, 2_032, 1_688, 1_360, 1_040, 728, 432, 136, -432, -136,
];
/// Outputs of the upper band's inverse quantizer (table 18).
const QM2: [i32; 4] = [-7_408, -1_616, 7_408, 1_616];
/// Logarithmic multipliers of the lower band by its code's 4 upper bits (tables 19 and 21).
const WL: [i32; 16] = [-60, 3_042, 1_198, 538, 334, 172, 58, -30, 3_042, 1_198, 538, 334, 172, 58, -30, -60];
/// Logarithmic multipliers of the upper band by its code.
const WH: [i32; 4] = [798, -214, 798, -214];
/// 2¹¹ to 2¹² in 32 steps of equal ratio (table 20).
const ILB: [i32; 32] = [
    2_048, 2_093, 2_139, 2_186, 2_233, 2_282, 2_332, 2_383, 2_435, 2_489, 2_543, 2_599, 2_656, 2_714, 2_774,
    2_834, 2_896, 2_960, 3_025, 3_091, 3_158, 3_228, 3_298, 3_371, 3_444, 3_520, 3_597, 3_676, 3_756, 3_838,
    3_922, 4_008,
];

const fn saturate(x: i32) -> i32 {
    clamp(x, -32_768, 32_767)
}

const fn clamp(x: i32, low: i32, high: i32) -> i32 {
    if x < low {
        low
    } else if x > high {
        high
    } else {
        x
    }
}

/// One sub-band's predictor and scale factor, alike in encoder and decoder.
#[derive(Debug, Clone)]
struct Band {
    /// The signal estimate for the next sample.
    s: i32,
    /// The quantizer's scale factor, linear and logarithmic.
    det: i32,
    nb: i32,
    /// The part of `s` that the zeros give.
    sz: i32,
    /// The last two reconstructed signals and partially reconstructed signals.
    r: [i32; 2],
    p: [i32; 2],
    /// The last six quantized differences.
    d: [i32; 6],
    /// Coefficients of the poles and of the zeros.
    a: [i32; 2],
    b: [i32; 6],
}

impl Band {
    /// Reset, with the scale factor that the band has then.
    const fn new(det: i32) -> Band {
        Band { s: 0, det, nb: 0, sz: 0, r: [0; 2], p: [0; 2], d: [0; 6], a: [0; 2], b: [0; 6] }
    }

    /// LOGSCL, LOGSCH, SCALEL and SCALEH: the scale factor for the next sample. `shift` is 8 for the lower band, 10 for
    /// the upper.
    fn scale(&mut self, multiplier: i32, limit: i32, shift: i32) {
        self.nb = clamp(((self.nb * 127) >> 7) + multiplier, 0, limit);
        let mantissa = ILB[(self.nb >> 6) as usize & 31];
        let shift = shift - (self.nb >> 11);
        self.det = (if shift < 0 { mantissa << -shift } else { mantissa >> shift }) << 2;
    }

    /// Block 4: adapts both predictors by the quantized difference `d`, and predicts.
    fn predict(&mut self, d: i32) {
        // RECONS, PARREC.
        let r = saturate(self.s + d);
        let p = saturate(d + self.sz);
        let same_sign = |a: i32, b: i32| (a ^ b) >= 0;
        // UPPOL2: 32512 is 127/128.
        let up = saturate(self.a[0] << 2);
        let up = if same_sign(p, self.p[0]) { saturate(-up) } else { up };
        let step = if same_sign(p, self.p[1]) { 128 } else { -128 };
        let a2 = clamp((up >> 7) + step + ((self.a[1] * 32_512) >> 15), -12_288, 12_288);
        // UPPOL1: 32640 is 255/256.
        let step = if same_sign(p, self.p[0]) { 192 } else { -192 };
        let limit = 15_360 - a2;
        let a1 = clamp(saturate(step + ((self.a[0] * 32_640) >> 15)), -limit, limit);
        self.a = [a1, a2];
        // UPZERO.
        let step = if d == 0 { 0 } else { 128 };
        for (b, old) in self.b.iter_mut().zip(self.d) {
            *b = saturate((if same_sign(old, d) { step } else { -step }) + ((*b * 32_640) >> 15));
        }
        // DELAYA.
        self.d.copy_within(..5, 1);
        self.d[0] = d;
        self.r = [r, self.r[0]];
        self.p = [p, self.p[0]];
        // FILTEP, FILTEZ, PREDIC.
        let product = |coefficient: i32, x: i32| (coefficient * saturate(x + x)) >> 15;
        let sp = saturate(product(self.a[0], self.r[0]) + product(self.a[1], self.r[1]));
        self.sz = saturate(self.b.iter().zip(self.d).map(|(b, d)| product(*b, d)).sum());
        self.s = saturate(sp + self.sz);
    }
}

/// Both sub-bands.
#[derive(Debug, Clone)]
struct Bands {
    low: Band,
    high: Band,
}

impl Bands {
    const fn new() -> Bands {
        Bands { low: Band::new(32), high: Band::new(8) }
    }

    /// Quantizes one sample of each band and follows with the predictors: the octet.
    fn encode(&mut self, low: i32, high: i32) -> u8 {
        let low_code = quantize_low(saturate(low - self.low.s), self.low.det);
        let high_code = quantize_high(saturate(high - self.high.s), self.high.det);
        self.follow(low_code >> 2, high_code);
        (high_code << 6 | low_code) as u8
    }

    /// Reconstructs one sample of each band from an octet and follows with the predictors.
    fn decode(&mut self, octet: u8, mode: G722Mode) -> (i32, i32) {
        let (low_code, high_code) = (usize::from(octet & 63), usize::from(octet >> 6));
        let quantized = match mode {
            G722Mode::Kbit64 => QM6[low_code],
            G722Mode::Kbit56 => QM5[low_code >> 1],
            G722Mode::Kbit48 => QM4[low_code >> 2],
        };
        // INVQBL, RECONS, LIMIT; INVQAH, RECONS, LIMIT.
        let low = clamp(self.low.s + ((self.low.det * quantized) >> 15), -16_384, 16_383);
        let high = clamp(self.high.s + ((self.high.det * QM2[high_code]) >> 15), -16_384, 16_383);
        self.follow(low_code >> 2, high_code);
        (low, high)
    }

    /// Adapts by the bits that every mode has.
    fn follow(&mut self, low_code: usize, high_code: usize) {
        let d = (self.low.det * QM4[low_code & 15]) >> 15;
        self.low.scale(WL[low_code & 15], 18_432, 8);
        self.low.predict(d);
        let d = (self.high.det * QM2[high_code & 3]) >> 15;
        self.high.scale(WH[high_code & 3], 22_528, 10);
        self.high.predict(d);
    }
}

/// QUANTL.
fn quantize_low(el: i32, det: i32) -> usize {
    let magnitude = if el < 0 { !el } else { el };
    let interval = Q6.partition_point(|level| (level * det) >> 12 <= magnitude);
    // Table 14: negative ones count down from 63, 62 and then 31; positive ones from 61.
    match (el < 0, interval) {
        (true, 0 | 1) => 63 - interval,
        (true, _) => 33 - interval,
        (false, _) => 61 - interval,
    }
}

/// QUANTH.
fn quantize_high(eh: i32, det: i32) -> usize {
    let magnitude = if eh < 0 { !eh } else { eh };
    let outer = magnitude >= (564 * det) >> 12;
    match (eh < 0, outer) {
        (true, false) => 1,
        (true, true) => 0,
        (false, false) => 3,
        (false, true) => 2,
    }
}

/// The transmitting quadrature mirror filter: two samples to one of each band.
#[derive(Debug, Clone)]
struct Analysis {
    past: [i32; 24],
}

impl Analysis {
    const fn new() -> Analysis {
        Analysis { past: [0; 24] }
    }

    fn split(&mut self, pair: [i16; 2]) -> (i32, i32) {
        self.past.copy_within(2.., 0);
        [self.past[22], self.past[23]] = pair.map(i32::from);
        let (odd, even) = halves(&self.past);
        ((even + odd) >> 14, (even - odd) >> 14)
    }
}

/// The sums over every second of 24 values, with the filter's halves.
fn halves(past: &[i32; 24]) -> (i32, i32) {
    let (mut first, mut second) = (0, 0);
    for (n, pair) in past.as_chunks::<2>().0.iter().enumerate() {
        first += pair[0] * QMF[n];
        second += pair[1] * QMF[11 - n];
    }
    (first, second)
}

/// Encodes at 64 kbit/s; the decoder may take fewer of the bits.
#[derive(Debug, Clone)]
pub struct G722Encoder {
    analysis: Analysis,
    bands: Bands,
}

impl G722Encoder {
    /// An encoder at the start of a stream.
    pub const fn new() -> G722Encoder {
        G722Encoder { analysis: Analysis::new(), bands: Bands::new() }
    }
}

impl Default for G722Encoder {
    fn default() -> G722Encoder {
        G722Encoder::new()
    }
}

impl Encoder for G722Encoder {
    fn kind(&self) -> CodecKind {
        CodecKind::G722
    }

    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        let (pairs, []) = pcm.as_chunks::<2>() else {
            return Err(CodecError::PartialFrame { samples: pcm.len(), frame: 2 });
        };
        let (needed, available) = (pairs.len(), out.len());
        let out = out.get_mut(..needed).ok_or(CodecError::OutputTooSmall { needed, available })?;
        for (octet, pair) in out.iter_mut().zip(pairs) {
            let (low, high) = self.analysis.split(*pair);
            *octet = self.bands.encode(low, high);
        }
        Ok(needed)
    }

    fn reset(&mut self) {
        *self = G722Encoder::new();
    }
}

/// Decodes one mode.
#[derive(Debug, Clone)]
pub struct G722Decoder {
    mode: G722Mode,
    bands: Bands,
    /// Sums and differences of the bands: the receiving quadrature mirror filter's delay line.
    past: [i32; 24],
    /// Follows what is heard in place of lost packets, until one comes.
    analysis: Option<Analysis>,
}

impl G722Decoder {
    /// A decoder at the start of a stream.
    pub const fn new(mode: G722Mode) -> G722Decoder {
        G722Decoder { mode, bands: Bands::new(), past: [0; 24], analysis: None }
    }
}

impl Decoder for G722Decoder {
    fn kind(&self) -> CodecKind {
        CodecKind::G722
    }

    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        let (needed, available) = (payload.len() * 2, out.len());
        let out = out.get_mut(..needed).ok_or(CodecError::OutputTooSmall { needed, available })?;
        if !payload.is_empty() {
            self.analysis = None;
        }
        for (pair, octet) in out.as_chunks_mut::<2>().0.iter_mut().zip(payload) {
            let (low, high) = self.bands.decode(*octet, self.mode);
            self.past.copy_within(2.., 0);
            [self.past[22], self.past[23]] = [low + high, low - high];
            let (second, first) = halves(&self.past);
            *pair = [first, second].map(|sum| saturate(sum >> 11) as i16);
        }
        Ok(needed)
    }

    /// Encodes what was heard: the predictors and scale factors are then about where the sender's are.
    fn concealed(&mut self, pcm: &[i16]) {
        let analysis = self.analysis.get_or_insert(Analysis::new());
        for pair in pcm.as_chunks::<2>().0 {
            let (low, high) = analysis.split(*pair);
            let _ = self.bands.encode(low, high);
            self.past.copy_within(2.., 0);
            [self.past[22], self.past[23]] = [low + high, low - high];
        }
    }

    fn reset(&mut self) {
        *self = G722Decoder::new(self.mode);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_pairs_and_short_slices_are_refused() {
        let (mut octets, mut pcm) = ([0; 4], [0; 8]);
        let partial = CodecError::PartialFrame { samples: 7, frame: 2 };
        assert_eq!(G722Encoder::new().encode(&pcm[..7], &mut octets), Err(partial));
        let small = CodecError::OutputTooSmall { needed: 4, available: 3 };
        assert_eq!(G722Encoder::new().encode(&pcm, &mut octets[..3]), Err(small));
        let small = CodecError::OutputTooSmall { needed: 8, available: 7 };
        assert_eq!(G722Decoder::new(G722Mode::Kbit56).decode(&octets, &mut pcm[..7]), Err(small));
    }

    #[test]
    fn fewer_bits_are_more_noise_and_a_reset_starts_anew() {
        let said: Vec<i16> = (0..6_400).map(|n| (9_000.0 * (f64::from(n) * 0.31).sin()) as i16).collect();
        let mut octets = vec![0; said.len() / 2];
        let mut encoder = G722Encoder::new();
        encoder.encode(&said, &mut octets).unwrap();
        let noise = |mode: G722Mode| {
            let mut decoder = G722Decoder::new(mode);
            let (mut heard, mut again) = (vec![0; said.len()], vec![0; said.len()]);
            decoder.decode(&octets, &mut heard).unwrap();
            decoder.reset();
            decoder.decode(&octets, &mut again).unwrap();
            assert_eq!(heard, again);
            // Both filters together delay by 22 samples.
            let pairs = heard[1_000..].iter().zip(&said[1_000 - 22..]);
            pairs.map(|(heard, said)| (f64::from(*heard) - f64::from(*said)).powi(2)).sum::<f64>()
        };
        let [most, middle, least] = [G722Mode::Kbit48, G722Mode::Kbit56, G722Mode::Kbit64].map(noise);
        assert!(most > middle && middle > least, "{most} {middle} {least}");
        let mut again = vec![0; octets.len()];
        encoder.reset();
        encoder.encode(&said, &mut again).unwrap();
        assert_eq!(octets, again);
    }
}
