//! GSM 06.10 full rate (RPE-LTP), 13 kbit/s: bit-exact integer arithmetic as ETS 300 961 (GSM 06.10) §5 fixes it.
//! In: frames of 160 samples at 8 kHz, or of 33 octets (RFC 3551 §4.5.8). Out: the other. Lost frames are replaced as
//! GSM 06.11 does: repeated, then muted.
//! Not here: the half and the enhanced full rate; comfort noise of GSM 06.12.
//! RT: no allocation, lock, syscall, log or panic.
//!
//! The section numbers below are those of §5.2 (the encoder) and §5.3 (the decoder).

use crate::CodecKind;
use crate::codec::{CodecError, Decoder, Encoder};
use crate::spare::Spare;

/// Samples and octets of a frame.
const SAMPLES: usize = 160;
const OCTETS: usize = 33;
/// What RFC 3551 puts into the first four bits.
const SIGNATURE: u32 = 0xD;

/// Bits of the eight coded log-area ratios.
const LAR_BITS: [u32; 8] = [6, 6, 5, 5, 4, 4, 3, 3];
/// Table 5.1: quantization of the log-area ratios.
const LAR_A: [i32; 8] = [20_480, 20_480, 20_480, 20_480, 13_964, 15_360, 8_534, 9_036];
const LAR_B: [i32; 8] = [0, 0, 2_048, -2_560, 94, -1_792, -341, -1_144];
const LAR_MIN: [i32; 8] = [-32, -32, -16, -16, -8, -8, -4, -4];
/// Table 5.2: 1/A.
const LAR_INVERSE_A: [i32; 8] = [13_107, 13_107, 13_107, 13_107, 19_223, 17_476, 31_454, 29_708];
/// Tables 5.3a and 5.3b: decision levels and values of the LTP gain.
const GAIN_LEVELS: [i32; 3] = [6_554, 16_384, 26_214];
const GAINS: [i32; 4] = [3_277, 11_469, 21_299, 32_767];
/// Table 5.4: the weighting filter.
const WEIGHTING: [i32; 11] = [-134, -374, 0, 2_054, 5_741, 8_192, 5_741, 2_054, 0, -374, -134];
/// Tables 5.5 and 5.6: normalized inverse mantissas and mantissas.
const INVERSE_MANTISSAS: [i32; 8] = [29_128, 26_215, 23_832, 21_846, 20_165, 18_725, 17_476, 16_384];
const MANTISSAS: [i32; 8] = [18_431, 20_479, 22_527, 24_575, 26_623, 28_671, 30_719, 32_767];

fn sat(x: i32) -> i32 {
    x.clamp(-32_768, 32_767)
}

fn add(a: i32, b: i32) -> i32 {
    sat(a + b)
}

/// Fractional product, truncated.
fn mult(a: i32, b: i32) -> i32 {
    sat((a * b) >> 15)
}

/// Fractional product, rounded.
fn mult_r(a: i32, b: i32) -> i32 {
    sat((a * b + 16_384) >> 15)
}

/// Left shifts until bit 30 differs from the sign; the argument is positive.
fn norm(x: i32) -> u32 {
    x.leading_zeros().saturating_sub(1)
}

/// A coded frame.
#[derive(Debug, Clone, Copy, Default)]
struct Frame {
    lar: [i32; 8],
    sub: [SubFrame; 4],
}

/// A coded quarter of it, 40 samples.
#[derive(Debug, Clone, Copy, Default)]
struct SubFrame {
    /// Long-term lag and gain.
    lag: i32,
    gain: i32,
    /// Which of the four grids the pulses are on, their size and themselves.
    grid: i32,
    xmax: i32,
    pulses: [i32; 13],
}

impl Frame {
    fn pack(&self, out: &mut [u8; OCTETS]) {
        let (mut word, mut held, mut at) = (0u64, 0, 0);
        let mut put = |value: i32, bits: u32| {
            word = word << bits | (value as u64 & ((1 << bits) - 1));
            held += bits;
            while held >= 8 {
                held -= 8;
                if let Some(octet) = out.get_mut(at) {
                    *octet = (word >> held) as u8;
                }
                at += 1;
            }
        };
        put(SIGNATURE as i32, 4);
        for (lar, bits) in self.lar.iter().zip(LAR_BITS) {
            put(*lar, bits);
        }
        for sub in &self.sub {
            put(sub.lag, 7);
            put(sub.gain, 2);
            put(sub.grid, 2);
            put(sub.xmax, 6);
            for pulse in sub.pulses {
                put(pulse, 3);
            }
        }
    }

    fn unpack(octets: &[u8; OCTETS]) -> Option<Frame> {
        let mut at = 0u32;
        let mut get = |bits: u32| {
            let value = (at..at + bits).fold(0, |value, bit| {
                let octet = octets.get(bit as usize / 8).copied().unwrap_or(0);
                value << 1 | i32::from(octet >> (7 - bit % 8) & 1)
            });
            at += bits;
            value
        };
        if get(4) as u32 != SIGNATURE {
            return None;
        }
        let lar = LAR_BITS.map(&mut get);
        let sub = [(); 4].map(|()| SubFrame {
            lag: get(7),
            gain: get(2),
            grid: get(2),
            xmax: get(6),
            pulses: [(); 13].map(|()| get(3)),
        });
        Some(Frame { lar, sub })
    }
}

/// §5.2.8: coded log-area ratios to values.
fn decode_lar(coded: &[i32; 8]) -> [i32; 8] {
    let mut lar = [0; 8];
    for (n, lar) in lar.iter_mut().enumerate() {
        let value = sat(sat((coded[n] + LAR_MIN[n]) << 10) - (LAR_B[n] << 1));
        let value = mult_r(LAR_INVERSE_A[n], value);
        *lar = add(value, value);
    }
    lar
}

/// §5.2.9: the reflection coefficients of four parts of a frame, between the last frame's ratios and this one's, and
/// the samples at which the parts end.
fn reflections(last: &[i32; 8], now: &[i32; 8]) -> [([i32; 8], usize); 4] {
    let part = |mix: fn(i32, i32) -> i32| {
        let mut rp = [0; 8];
        for (n, rp) in rp.iter_mut().enumerate() {
            let lar = mix(last[n], now[n]);
            let magnitude = sat(lar.abs());
            let value = match magnitude {
                0..11_059 => magnitude << 1,
                11_059..20_070 => magnitude + 11_059,
                _ => add(magnitude >> 2, 26_112),
            };
            *rp = if lar < 0 { -value } else { value };
        }
        rp
    };
    [
        (part(|last, now| add(add(last >> 2, now >> 2), last >> 1)), 13),
        (part(|last, now| add(last >> 1, now >> 1)), 27),
        (part(|last, now| add(add(last >> 2, now >> 2), now >> 1)), 40),
        (part(|_, now| now), SAMPLES),
    ]
}

/// §5.2.15: exponent and mantissa of a coded block maximum.
fn exponent_mantissa(xmax: i32) -> (i32, usize) {
    let mut exponent = if xmax > 15 { (xmax >> 3) - 1 } else { 0 };
    let mut mantissa = xmax - (exponent << 3);
    if mantissa == 0 {
        return (-4, 7);
    }
    while mantissa <= 7 {
        mantissa = mantissa << 1 | 1;
        exponent -= 1;
    }
    (exponent, (mantissa - 8) as usize & 7)
}

/// §5.2.16 and 5.2.17: the pulses of a quarter on their grid.
fn excitation(sub: &SubFrame) -> [i32; 40] {
    let (exponent, mantissa) = exponent_mantissa(sub.xmax);
    let shift = 6 - exponent;
    let round = if shift > 0 { 1 << (shift - 1) } else { 0 };
    let mut ep = [0; 40];
    for (n, pulse) in sub.pulses.iter().enumerate() {
        let value = mult_r(MANTISSAS[mantissa], ((pulse << 1) - 7) << 12);
        if let Some(ep) = ep.get_mut((sub.grid & 3) as usize + 3 * n) {
            *ep = add(value, round) >> shift;
        }
    }
    ep
}

/// Encodes GSM full rate.
#[derive(Debug, Clone)]
pub struct GsmEncoder {
    /// §5.2.2 and 5.2.3: offset compensation and pre-emphasis.
    z1: i32,
    z2: i32,
    mp: i32,
    /// The short-term filter and the ratios of the last frame.
    u: [i32; 8],
    lar: [i32; 8],
    /// The last 120 samples of the reconstructed short-term residual.
    dp: [i32; 120],
}

impl GsmEncoder {
    /// An encoder at the start of a stream.
    pub const fn new() -> GsmEncoder {
        GsmEncoder { z1: 0, z2: 0, mp: 0, u: [0; 8], lar: [0; 8], dp: [0; 120] }
    }

    fn frame(&mut self, pcm: &[i16; SAMPLES]) -> Frame {
        let mut s = self.preprocess(pcm);
        let lar = quantize_lar(&reflection_coefficients(&mut s));
        self.short_term_residual(&mut s, &lar);
        let mut frame = Frame { lar, ..Frame::default() };
        for (sub, d) in frame.sub.iter_mut().zip(s.as_chunks::<40>().0) {
            *sub = self.quarter(d);
        }
        frame
    }

    /// §5.2.1 to 5.2.3.
    fn preprocess(&mut self, pcm: &[i16; SAMPLES]) -> [i32; SAMPLES] {
        pcm.map(|sample| {
            let so = i32::from(sample) >> 3 << 2;
            let s1 = so - self.z1;
            self.z1 = so;
            let (msp, lsp) = (self.z2 >> 15, self.z2 & 0x7FFF);
            let s2 = (s1 << 15) + mult_r(lsp, 32_735);
            self.z2 = (msp * 32_735).saturating_add(s2);
            let sof = sat(self.z2.saturating_add(16_384) >> 15);
            let emphasized = add(sof, mult_r(self.mp, -28_180));
            self.mp = sof;
            emphasized
        })
    }

    /// §5.2.8 to 5.2.10, in place.
    fn short_term_residual(&mut self, s: &mut [i32; SAMPLES], coded: &[i32; 8]) {
        let now = decode_lar(coded);
        let last = std::mem::replace(&mut self.lar, now);
        let mut from = 0;
        for (rp, to) in reflections(&last, &now) {
            for s in s.get_mut(from..to).unwrap_or_default() {
                let (mut di, mut saved) = (*s, *s);
                for (u, rp) in self.u.iter_mut().zip(rp) {
                    let next = add(*u, mult_r(rp, di));
                    di = add(di, mult_r(rp, *u));
                    *u = std::mem::replace(&mut saved, next);
                }
                *s = di;
            }
            from = to;
        }
    }

    /// §5.2.11 to 5.2.18.
    fn quarter(&mut self, d: &[i32; 40]) -> SubFrame {
        let (lag, gain) = self.long_term(d);
        let past = |n: usize| self.dp.get(120 + n - lag).copied().unwrap_or(0);
        let mut dpp = [0; 40];
        let mut weighted = [0; 50];
        for n in 0..40 {
            dpp[n] = mult_r(GAINS[gain], past(n));
            weighted[5 + n] = sat(d[n] - dpp[n]);
        }
        // §5.2.13.
        let mut x = [0; 40];
        for (x, e) in x.iter_mut().zip(weighted.windows(11)) {
            let sum: i32 = e.iter().zip(WEIGHTING).map(|(e, h)| e * h).sum();
            *x = sat((sum + 4_096) >> 13);
        }
        let mut sub = quantize_grid(&x);
        (sub.lag, sub.gain) = (lag as i32, gain as i32);
        // §5.2.18.
        let ep = excitation(&sub);
        self.dp.copy_within(40.., 0);
        for ((dp, ep), dpp) in self.dp[80..].iter_mut().zip(ep).zip(dpp) {
            *dp = add(ep, dpp);
        }
        sub
    }

    /// §5.2.11: lag and coded gain.
    fn long_term(&self, d: &[i32; 40]) -> (usize, usize) {
        let max = d.iter().map(|d| sat(d.abs())).max().unwrap_or(0);
        let scale = if max == 0 { 6 } else { 6u32.saturating_sub(norm(max << 16)) };
        let wt = d.map(|d| d >> scale);
        let (mut best, mut lag) = (0, 40);
        for candidate in 40..=120 {
            let past = self.dp.get(120 - candidate..).unwrap_or_default();
            let sum: i32 = wt.iter().zip(past).map(|(a, b)| a * b).sum();
            if sum > best {
                (best, lag) = (sum, candidate);
            }
        }
        let best = best << 1 >> (6 - scale);
        let past = self.dp.get(120 - lag..).unwrap_or_default();
        let power: i32 = past.iter().take(40).map(|dp| (dp >> 3) * (dp >> 3)).sum::<i32>() << 1;
        if best <= 0 {
            return (lag, 0);
        }
        if best >= power {
            return (lag, 3);
        }
        let shift = norm(power);
        let (r, s) = (best << shift >> 16, power << shift >> 16);
        (lag, GAIN_LEVELS.iter().take_while(|level| r > mult(s, **level)).count())
    }
}

/// §5.2.4 and 5.2.5. The scaling for the autocorrelation costs the samples their lowest bits.
fn reflection_coefficients(s: &mut [i32; SAMPLES]) -> [i32; 8] {
    let max = s.iter().map(|s| sat(s.abs())).max().unwrap_or(0);
    let scale = if max == 0 { 0 } else { 4u32.saturating_sub(norm(max << 16)) };
    if scale > 0 {
        s.iter_mut().for_each(|s| *s = mult_r(*s, 16_384 >> (scale - 1)));
    }
    let mut acf = [0i32; 9];
    for (lag, acf) in acf.iter_mut().enumerate() {
        let late = s.get(lag..).unwrap_or_default();
        *acf = late.iter().zip(s.iter()).map(|(a, b)| a * b).sum::<i32>() << 1;
    }
    if scale > 0 {
        s.iter_mut().for_each(|s| *s <<= scale);
    }
    let mut r = [0; 8];
    if acf[0] == 0 {
        return r;
    }
    let shift = norm(acf[0]);
    let mut p = acf.map(|acf| acf << shift >> 16);
    let mut k = p;
    for (n, r) in r.iter_mut().enumerate() {
        let magnitude = sat(p[1].abs());
        if p[0] < magnitude {
            break;
        }
        let quotient = (magnitude << 15).checked_div(p[0]).map_or(0, sat);
        *r = if p[1] > 0 { -quotient } else { quotient };
        p[0] = add(p[0], mult_r(p[1], *r));
        for m in 1..8 - n {
            let next = add(p[m + 1], mult_r(k[m], *r));
            k[m] = add(k[m], mult_r(p[m + 1], *r));
            p[m] = next;
        }
    }
    r
}

/// §5.2.6 and 5.2.7.
fn quantize_lar(r: &[i32; 8]) -> [i32; 8] {
    let mut coded = [0; 8];
    for (n, coded) in coded.iter_mut().enumerate() {
        let magnitude = sat(r[n].abs());
        let lar = match magnitude {
            0..22_118 => magnitude >> 1,
            22_118..31_130 => magnitude - 11_059,
            _ => (magnitude - 26_112) << 2,
        };
        let lar = if r[n] < 0 { -lar } else { lar };
        let value = add(add(mult(LAR_A[n], lar), LAR_B[n]), 256) >> 9;
        *coded = value.clamp(LAR_MIN[n], -LAR_MIN[n] - 1) - LAR_MIN[n];
    }
    coded
}

/// §5.2.14 and 5.2.15.
fn quantize_grid(x: &[i32; 40]) -> SubFrame {
    let on_grid = |grid: usize, n: usize| x.get(grid + 3 * n).copied().unwrap_or(0);
    let energy = |grid: usize| (0..13).map(|n| on_grid(grid, n) >> 2).map(|x| x * x).sum::<i32>();
    let (mut grid, mut most) = (0, 0);
    for candidate in 0..4 {
        let energy = energy(candidate);
        if energy > most {
            (grid, most) = (candidate, energy);
        }
    }
    let max = (0..13).map(|n| sat(on_grid(grid, n).abs())).max().unwrap_or(0);
    let exponent = (max >> 9).checked_ilog2().map_or(0, |log| log + 1).min(6);
    let xmax = add(max >> (exponent + 5), (exponent << 3) as i32);
    let (exponent, mantissa) = exponent_mantissa(xmax);
    let shift = 6 - exponent;
    let mut pulses = [0; 13];
    for (n, pulse) in pulses.iter_mut().enumerate() {
        // A 16-bit word loses what it shifts out.
        let scaled = i32::from((on_grid(grid, n) << shift) as i16);
        *pulse = (mult(scaled, INVERSE_MANTISSAS[mantissa]) >> 12) + 4;
    }
    SubFrame { lag: 0, gain: 0, grid: grid as i32, xmax, pulses }
}

impl Default for GsmEncoder {
    fn default() -> GsmEncoder {
        GsmEncoder::new()
    }
}

impl Encoder for GsmEncoder {
    fn kind(&self) -> CodecKind {
        CodecKind::Gsm
    }

    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        let (frames, []) = pcm.as_chunks::<SAMPLES>() else {
            return Err(CodecError::PartialFrame { samples: pcm.len(), frame: SAMPLES });
        };
        let (needed, available) = (frames.len() * OCTETS, out.len());
        let out = out.get_mut(..needed).ok_or(CodecError::OutputTooSmall { needed, available })?;
        for (octets, pcm) in out.as_chunks_mut::<OCTETS>().0.iter_mut().zip(frames) {
            self.frame(pcm).pack(octets);
        }
        Ok(needed)
    }

    fn reset(&mut self) {
        *self = GsmEncoder::new();
    }
}

/// Decodes GSM full rate.
#[derive(Debug, Clone)]
pub struct GsmDecoder {
    /// The last 120 samples of the reconstructed short-term residual, and the last lag that was legal.
    drp: [i32; 120],
    lag: usize,
    /// The short-term filter, the ratios of the last frame, and de-emphasis.
    v: [i32; 9],
    lar: [i32; 8],
    msr: i32,
    /// What a lost frame repeats, how many were lost, and where the grid is thrown to.
    last: Frame,
    lost: u32,
    dice: u32,
    /// The rest of a frame that was made up.
    spare: Spare<SAMPLES>,
}

impl GsmDecoder {
    /// A decoder at the start of a stream.
    pub const fn new() -> GsmDecoder {
        // The silence frame of GSM 06.11 (table 1).
        const PULSES: [i32; 13] = [3, 4, 3, 4, 4, 3, 3, 3, 3, 4, 4, 3, 3];
        const SILENT: SubFrame = SubFrame { lag: 40, gain: 0, grid: 1, xmax: 0, pulses: PULSES };
        GsmDecoder {
            drp: [0; 120],
            lag: 40,
            v: [0; 9],
            lar: [0; 8],
            msr: 0,
            last: Frame { lar: [42, 39, 21, 10, 9, 4, 3, 2], sub: [SILENT; 4] },
            lost: 0,
            dice: 1,
            spare: Spare::new(),
        }
    }

    fn frame(&mut self, frame: &Frame, out: &mut [i16; SAMPLES]) {
        let mut s = [0; SAMPLES];
        for (sub, wt) in frame.sub.iter().zip(s.as_chunks_mut::<40>().0) {
            // §5.3.2.
            if (40..=120).contains(&sub.lag) {
                self.lag = sub.lag as usize;
            }
            let gain = GAINS[(sub.gain & 3) as usize];
            *wt = excitation(sub);
            for (n, wt) in wt.iter_mut().enumerate() {
                let past = self.drp.get(120 + n - self.lag).copied().unwrap_or(0);
                *wt = add(*wt, mult_r(gain, past));
            }
            self.drp.copy_within(40.., 0);
            self.drp[80..].copy_from_slice(wt);
        }
        let now = decode_lar(&frame.lar);
        let last = std::mem::replace(&mut self.lar, now);
        let mut from = 0;
        for (rp, to) in reflections(&last, &now) {
            let (s, out) = (s.get(from..to).unwrap_or_default(), out.get_mut(from..to).unwrap_or_default());
            for (s, out) in s.iter().zip(out) {
                // §5.3.4.
                let mut sri = *s;
                for n in (0..8).rev() {
                    sri = sat(sri - mult_r(rp[n], self.v[n]));
                    self.v[n + 1] = add(self.v[n], mult_r(rp[n], sri));
                }
                self.v[0] = sri;
                // §5.3.5 to 5.3.7.
                self.msr = add(sri, mult_r(self.msr, 28_180));
                *out = (add(self.msr, self.msr) & !7) as i16;
            }
            from = to;
        }
    }
}

impl GsmDecoder {
    fn lost_frame(&mut self, pcm: &mut [i16; SAMPLES]) {
        if self.lost > 0 {
            for sub in &mut self.last.sub {
                sub.xmax = (sub.xmax - 4).max(0);
                self.dice = self.dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                sub.grid = (self.dice >> 30) as i32;
            }
        }
        if self.lost >= 16 {
            self.last = GsmDecoder::new().last;
        }
        self.lost = self.lost.saturating_add(1);
        let frame = self.last;
        self.frame(&frame, pcm);
    }
}

impl Default for GsmDecoder {
    fn default() -> GsmDecoder {
        GsmDecoder::new()
    }
}

impl Decoder for GsmDecoder {
    fn kind(&self) -> CodecKind {
        CodecKind::Gsm
    }

    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        let malformed = CodecError::MalformedPayload { octets: payload.len() };
        let (frames, []) = payload.as_chunks::<OCTETS>() else { return Err(malformed) };
        if frames.iter().any(|frame| u32::from(frame[0] >> 4) != SIGNATURE) {
            return Err(malformed);
        }
        let (needed, available) = (frames.len() * SAMPLES, out.len());
        let out = out.get_mut(..needed).ok_or(CodecError::OutputTooSmall { needed, available })?;
        for (octets, pcm) in frames.iter().zip(out.as_chunks_mut::<SAMPLES>().0) {
            let frame = Frame::unpack(octets).ok_or(malformed)?;
            self.frame(&frame, pcm);
            (self.last, self.lost) = (frame, 0);
        }
        self.spare.clear();
        Ok(needed)
    }

    /// Any length. As GSM 06.11 has it: the first frame is the last good one again; then its block maxima fall by 4 a
    /// frame on grids thrown at random, until after 320 ms at most nothing is left.
    fn conceal(&mut self, out: &mut [i16]) -> bool {
        let mut spare = std::mem::replace(&mut self.spare, Spare::new());
        let done = spare.fill(out, SAMPLES, |pcm| {
            <&mut [i16; SAMPLES]>::try_from(pcm).map(|pcm| self.lost_frame(pcm)).is_ok()
        });
        self.spare = spare;
        done
    }

    fn reset(&mut self) {
        *self = GsmDecoder::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hum(samples: usize) -> Vec<i16> {
        (0..samples).map(|n| if n % 64 < 4 { 12_000 } else { (n % 64) as i16 * 20 - 900 }).collect()
    }

    fn energy(samples: &[i16]) -> f64 {
        samples.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / samples.len() as f64
    }

    #[test]
    fn a_frame_survives_packing() {
        let sub = |n: i32| SubFrame { lag: 40 + n, gain: n, grid: 3 - n, xmax: 60 + n, pulses: [7 - n; 13] };
        let frame = Frame { lar: [63, 1, 31, 2, 15, 3, 7, 4], sub: [sub(0), sub(1), sub(2), sub(3)] };
        let mut octets = [0; OCTETS];
        frame.pack(&mut octets);
        // RFC 3551 figure 1: the signature, the six bits of LARc1, then the upper ones of LARc2.
        assert_eq!(octets[..2], [0b1101_1111, 0b1100_0001]);
        let back = Frame::unpack(&octets).unwrap();
        assert_eq!((back.lar, back.sub[3].pulses, back.sub[1].lag), (frame.lar, [4; 13], 41));
        let mut again = [0; OCTETS];
        back.pack(&mut again);
        assert_eq!(again, octets);
    }

    #[test]
    fn lost_frames_are_repeated_and_then_muted() {
        let said = hum(SAMPLES * 20);
        let mut octets = vec![0; OCTETS * 20];
        GsmEncoder::new().encode(&said, &mut octets).unwrap();
        let mut decoder = GsmDecoder::new();
        let mut heard = vec![0; said.len()];
        decoder.decode(&octets, &mut heard).unwrap();
        let before = energy(&heard[SAMPLES * 18..]);
        let mut lost = vec![0; SAMPLES * 24];
        for out in lost.chunks_mut(77) {
            assert!(decoder.conceal(out));
        }
        let first = energy(&lost[..SAMPLES]);
        assert!((0.3..3.0).contains(&(first / before)), "{first} after {before}");
        let last = energy(&lost[SAMPLES * 20..]);
        assert!(last < before / 10_000.0, "silence: {last} after {before}");
        decoder.decode(&octets, &mut heard).unwrap();
        assert!(energy(&heard[SAMPLES * 18..]) > 0.5 * before);
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let (mut octets, mut pcm) = ([0; OCTETS], [5; SAMPLES]);
        let partial = CodecError::PartialFrame { samples: 159, frame: SAMPLES };
        assert_eq!(GsmEncoder::new().encode(&pcm[..159], &mut octets), Err(partial));
        let small = CodecError::OutputTooSmall { needed: 33, available: 32 };
        assert_eq!(GsmEncoder::new().encode(&pcm, &mut octets[..32]), Err(small));
        let malformed = Err(CodecError::MalformedPayload { octets: 33 });
        assert_eq!(GsmDecoder::new().decode(&octets, &mut pcm), malformed, "no signature");
        assert_eq!(pcm, [5; SAMPLES]);
    }
}
