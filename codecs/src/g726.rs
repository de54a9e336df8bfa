//! G.726: ADPCM of 8 kHz at 16, 24, 32 and 40 kbit/s. Integer arithmetic as the Recommendation fixes it.
//! In: linear samples, or code words packed into octets. Out: the other.
//! Packed by RFC 3551 §4.5.4 (the first code word lowest) or by I.366.2 Annex E (AAL2: the first one highest).
//! Not here: the conversion from and to G.711 that G.726 adds for tandems (COMPRESS, EXPAND, SYNC): telephones that talk
//! linear samples have no use for it. Concealment (`jitter`).
//! RT: no allocation, lock, syscall, log or panic.
//!
//! The functions bear the names of the blocks of G.726 §4; its sign-magnitude words are two's complement here.

use crate::CodecKind;
use crate::codec::{CodecError, Decoder, Encoder};

/// Bits of a code word, eight thousand times a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum G726Rate {
    /// 2 bits.
    Kbit16,
    /// 3 bits.
    Kbit24,
    /// 4 bits: what G.721 was.
    Kbit32,
    /// 5 bits.
    Kbit40,
}

/// Which end of an octet the first code word is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum G726Packing {
    /// The low bits: `G726-32` and its like (RFC 3551), also X.420's order.
    Rfc3551,
    /// The high bits: `AAL2-G726-32` and its like.
    Aal2,
}

/// What differs between the rates, by the magnitude of a code word, smallest first.
struct Tables {
    bits: u32,
    /// Decision levels between magnitudes, logarithmic (tables 5 to 8).
    decisions: &'static [i32],
    /// The quantizer's output, logarithmic; −2048 is nothing.
    outputs: &'static [i32],
    /// W(I), the scale factor's multiplier (§4.2.5), in sixteenths.
    w: &'static [i32],
    /// F(I), how fast that adapts (§4.2.6).
    f: &'static [i32],
}

const KBIT16: Tables =
    Tables { bits: 2, decisions: &[261], outputs: &[116, 365], w: &[-22, 439], f: &[0, 7] };
const KBIT24: Tables = Tables {
    bits: 3,
    decisions: &[8, 218, 331],
    outputs: &[-2_048, 135, 273, 373],
    w: &[-4, 30, 137, 582],
    f: &[0, 1, 2, 7],
};
const KBIT32: Tables = Tables {
    bits: 4,
    decisions: &[-124, 80, 178, 246, 300, 349, 400],
    outputs: &[-2_048, 4, 135, 213, 273, 323, 373, 425],
    w: &[-12, 18, 41, 64, 112, 198, 355, 1_122],
    f: &[0, 0, 0, 1, 1, 1, 3, 7],
};
const KBIT40: Tables = Tables {
    bits: 5,
    decisions: &[-122, -16, 68, 139, 198, 250, 298, 339, 378, 413, 445, 475, 502, 528, 553],
    outputs: &[-2_048, -66, 28, 104, 169, 224, 274, 318, 358, 395, 429, 459, 488, 514, 539, 566],
    w: &[14, 14, 24, 39, 40, 41, 58, 100, 141, 179, 219, 280, 358, 440, 529, 696],
    f: &[0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 6],
};

impl G726Rate {
    const fn tables(self) -> &'static Tables {
        match self {
            G726Rate::Kbit16 => &KBIT16,
            G726Rate::Kbit24 => &KBIT24,
            G726Rate::Kbit32 => &KBIT32,
            G726Rate::Kbit40 => &KBIT40,
        }
    }
}

/// A word of G.726's floating point: 4 bits of exponent, 6 of mantissa (FLOATA, FLOATB).
#[derive(Debug, Clone, Copy)]
struct Float {
    negative: bool,
    exponent: i32,
    mantissa: i32,
}

impl Float {
    const ZERO: Float = Float { negative: false, exponent: 0, mantissa: 32 };

    const fn new(x: i32) -> Float {
        let magnitude = if x < 0 { -x } else { x };
        let exponent = (32 - magnitude.leading_zeros()) as i32;
        let mantissa = if magnitude == 0 { 32 } else { magnitude << 6 >> exponent };
        Float { negative: x < 0, exponent, mantissa }
    }

    /// FMULT: the product with a predictor's coefficient, whose two lowest bits do not count.
    const fn times(self, coefficient: i32) -> i32 {
        let magnitude = if coefficient < 0 { -(coefficient >> 2) & 0x1FFF } else { coefficient >> 2 };
        let factor = Float::new(magnitude);
        let exponent = self.exponent + factor.exponent;
        let mantissa = (self.mantissa * factor.mantissa + 48) >> 4;
        let product = if exponent <= 26 {
            (mantissa << 7) >> (26 - exponent)
        } else {
            ((mantissa << 7) << (exponent - 26)) & 0x7FFF
        };
        if self.negative != (coefficient < 0) { -product } else { product }
    }
}

/// All that a coder remembers; alike at both ends.
#[derive(Debug, Clone)]
struct State {
    /// Unlocked and locked scale factors of the quantizer.
    yu: i32,
    yl: i32,
    /// Short and long averages of F(I).
    dms: i32,
    dml: i32,
    /// How much the unlocked scale factor counts.
    ap: i32,
    /// Coefficients of the poles and of the zeros.
    a: [i32; 2],
    b: [i32; 6],
    /// Signs of the last two partially reconstructed signals: −1, 0 or 1.
    pk: [i32; 2],
    /// The last six quantized differences and two reconstructed signals.
    dq: [Float; 6],
    sr: [Float; 2],
    /// A tone is being followed.
    td: bool,
}

impl State {
    /// RESET (table 20).
    const fn new() -> State {
        State {
            yu: 544,
            yl: 34_816,
            dms: 0,
            dml: 0,
            ap: 0,
            a: [0; 2],
            b: [0; 6],
            pk: [0; 2],
            dq: [Float::ZERO; 6],
            sr: [Float::ZERO; 2],
            td: false,
        }
    }

    /// FMULT and ACCUM: what the zeros estimate, and the whole signal estimate, both halved. The sums are words of 16
    /// bits that wrap; only signals far beyond full scale make them.
    fn estimate(&self) -> (i32, i32) {
        let zeros: i32 = self.b.iter().zip(self.dq).map(|(b, dq)| dq.times(*b)).sum();
        let poles: i32 = self.a.iter().zip(self.sr).map(|(a, sr)| sr.times(*a)).sum();
        (word(zeros) >> 1, word(zeros + poles) >> 1)
    }

    /// LIMA and MIX: the scale factor.
    fn scale(&self) -> i32 {
        if self.ap >= 256 {
            return self.yu;
        }
        let (y, al) = (self.yl >> 6, self.ap >> 2);
        let difference = self.yu - y;
        // Sign and magnitude are multiplied: it truncates towards zero.
        y + if difference < 0 { -((-difference * al) >> 6) } else { (difference * al) >> 6 }
    }

    /// One linear sample to one code word.
    fn encode(&mut self, sample: i16, tables: &Tables) -> u32 {
        let (sez, se) = self.estimate();
        let y = self.scale();
        // 14 bits are coded.
        let code = quantize((i32::from(sample) >> 2) - se, y, tables);
        self.follow(code, y, sez, se, tables);
        code
    }

    /// One code word to one linear sample.
    fn decode(&mut self, code: u32, tables: &Tables) -> i16 {
        let (sez, se) = self.estimate();
        let y = self.scale();
        let sr = self.follow(code, y, sez, se, tables);
        (sr << 2).clamp(-32_768, 32_767) as i16
    }

    /// Reconstructs the signal and adapts everything by a code word.
    fn follow(&mut self, code: u32, y: i32, sez: i32, se: i32, tables: &Tables) -> i32 {
        let negative = code >> (tables.bits - 1) & 1 == 1;
        let magnitude = magnitude_of(code, tables);
        let lookup = |table: &[i32]| table.get(magnitude).copied().unwrap_or(0);
        // RECONST, ADDA, ANTILOG.
        let log = lookup(tables.outputs) + (y >> 2);
        let dq = if log < 0 { 0 } else { ((128 + (log & 127)) << 7) >> (14 - (log >> 7)) };
        let dq = if negative { -dq } else { dq };
        // TRANS, by the scale factor before it adapts: a difference beyond it while a tone is followed.
        let integer = self.yl >> 15;
        let fraction = self.yl >> 10 & 31;
        let threshold = if integer > 9 { 31 << 10 } else { (32 + fraction) << integer };
        let transition = self.td && dq.abs() > (threshold + (threshold >> 1)) >> 1;
        // FUNCTW, FILTD, LIMB, FILTE.
        let w = lookup(tables.w) << 5;
        self.yu = (y + ((w - y) >> 5)).clamp(544, 5_120);
        self.yl += self.yu + ((-self.yl) >> 6);
        let (sr, p) = (word(se + dq), word(sez + dq));
        let pk0 = i32::from(p < 0);
        if transition {
            // TRIGB.
            self.a = [0; 2];
            self.b = [0; 6];
        } else {
            self.adapt_poles(pk0, p);
            self.adapt_zeros(dq, tables);
        }
        self.dq.copy_within(..5, 1);
        self.dq[0] = Float { negative, ..Float::new(dq) };
        self.sr = [Float::new(sr), self.sr[0]];
        self.pk = [pk0, self.pk[0]];
        // TONE: 11776 is 0.71875.
        self.td = !transition && self.a[1] < -11_776;
        // FUNCTF, FILTA, FILTB, SUBTC, FILTC, TRIGA.
        let f = lookup(tables.f) << 9;
        self.dms += (f - self.dms) >> 5;
        self.dml += ((f << 2) - self.dml) >> 7;
        if transition {
            self.ap = 256;
        } else {
            let fast = y < 1_536 || self.td || ((self.dms << 2) - self.dml).abs() >= self.dml >> 3;
            self.ap += ((if fast { 0x200 } else { 0 }) - self.ap) >> 4;
        }
        sr
    }

    /// UPA2, LIMC, UPA1, LIMD.
    fn adapt_poles(&mut self, pk0: i32, p: i32) {
        let [a1, a2] = self.a;
        let (same1, same2) = (pk0 == self.pk[0], pk0 == self.pk[1]);
        let mut up2 = a2 - (a2 >> 7);
        let mut up1 = a1 - (a1 >> 8);
        if p != 0 {
            let fa1 = if same1 { -a1 } else { a1 };
            up2 += (fa1.clamp(-8_192, 8_191) >> 5) + if same2 { 128 } else { -128 };
            up1 += if same1 { 192 } else { -192 };
        }
        let a2 = up2.clamp(-12_288, 12_288);
        let limit = 15_360 - a2;
        self.a = [up1.clamp(-limit, limit), a2];
    }

    /// UPB: leaks faster at 40 kbit/s.
    fn adapt_zeros(&mut self, dq: i32, tables: &Tables) {
        let leak = if tables.bits == 5 { 9 } else { 8 };
        for (b, old) in self.b.iter_mut().zip(self.dq) {
            *b -= *b >> leak;
            if dq != 0 {
                *b += if old.negative == (dq < 0) { 128 } else { -128 };
            }
        }
    }
}

/// The value of a word of 16 bits.
const fn word(x: i32) -> i32 {
    x as i16 as i32
}

/// LOG, SUBTB and QUAN: the code word of a difference.
fn quantize(d: i32, y: i32, tables: &Tables) -> u32 {
    let magnitude = d.abs();
    let exponent = (32 - (magnitude >> 1).leading_zeros()) as i32;
    let mantissa = ((magnitude << 7) >> exponent) & 127;
    let log = (exponent << 7) + mantissa - (y >> 2);
    let interval = tables.decisions.partition_point(|level| *level <= log) as u32;
    let all_ones = (1 << tables.bits) - 1;
    match (d < 0, interval) {
        (true, _) => all_ones - interval,
        // The all-zero word is not sent, except at 16 kbit/s.
        (false, 0) if tables.bits != 2 => all_ones,
        (false, _) => interval,
    }
}

/// The magnitude of a code word: negative ones count down from all ones.
const fn magnitude_of(code: u32, tables: &Tables) -> usize {
    let all_ones = (1u32 << tables.bits) - 1;
    let magnitude = if code >> (tables.bits - 1) & 1 == 1 { all_ones - (code & all_ones) } else { code };
    magnitude as usize
}

/// One direction at one rate as [`Encoder`] or [`Decoder`].
#[derive(Debug, Clone)]
pub struct Codec {
    rate: G726Rate,
    packing: G726Packing,
    state: State,
}

impl Codec {
    /// A coder at the start of a stream.
    pub const fn new(rate: G726Rate, packing: G726Packing) -> Codec {
        Codec { rate, packing, state: State::new() }
    }

    const fn codec_kind(&self) -> CodecKind {
        match (self.packing, self.rate) {
            (G726Packing::Rfc3551, G726Rate::Kbit16) => CodecKind::G726_16,
            (G726Packing::Rfc3551, G726Rate::Kbit24) => CodecKind::G726_24,
            (G726Packing::Rfc3551, G726Rate::Kbit32) => CodecKind::G726_32,
            (G726Packing::Rfc3551, G726Rate::Kbit40) => CodecKind::G726_40,
            (G726Packing::Aal2, G726Rate::Kbit16) => CodecKind::Aal2G726_16,
            (G726Packing::Aal2, G726Rate::Kbit24) => CodecKind::Aal2G726_24,
            (G726Packing::Aal2, G726Rate::Kbit32) => CodecKind::Aal2G726_32,
            (G726Packing::Aal2, G726Rate::Kbit40) => CodecKind::Aal2G726_40,
        }
    }

    /// The fewest samples whose code words fill whole octets.
    const fn unit(&self) -> usize {
        match self.rate {
            G726Rate::Kbit16 => 4,
            G726Rate::Kbit32 => 2,
            G726Rate::Kbit24 | G726Rate::Kbit40 => 8,
        }
    }
}

impl Encoder for Codec {
    fn kind(&self) -> CodecKind {
        self.codec_kind()
    }

    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        let (tables, unit) = (self.rate.tables(), self.unit());
        if !pcm.len().is_multiple_of(unit) {
            return Err(CodecError::PartialFrame { samples: pcm.len(), frame: unit });
        }
        let octets = unit * tables.bits as usize / 8;
        let (needed, available) = (pcm.len() / unit * octets, out.len());
        let out = out.get_mut(..needed).ok_or(CodecError::OutputTooSmall { needed, available })?;
        for (octets, samples) in out.chunks_exact_mut(octets).zip(pcm.chunks_exact(unit)) {
            let mut word = 0u64;
            for (n, sample) in samples.iter().enumerate() {
                let code = u64::from(self.state.encode(*sample, tables));
                match self.packing {
                    G726Packing::Rfc3551 => word |= code << (n as u32 * tables.bits),
                    G726Packing::Aal2 => word = word << tables.bits | code,
                }
            }
            for octet in octets.iter_mut() {
                *octet = word as u8;
                word >>= 8;
            }
            if self.packing == G726Packing::Aal2 {
                octets.reverse();
            }
        }
        Ok(needed)
    }

    fn reset(&mut self) {
        self.state = State::new();
    }
}

impl Decoder for Codec {
    fn kind(&self) -> CodecKind {
        self.codec_kind()
    }

    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        let (tables, unit) = (self.rate.tables(), self.unit());
        let octets = unit * tables.bits as usize / 8;
        if !payload.len().is_multiple_of(octets) {
            return Err(CodecError::MalformedPayload { octets: payload.len() });
        }
        let (needed, available) = (payload.len() / octets * unit, out.len());
        let out = out.get_mut(..needed).ok_or(CodecError::OutputTooSmall { needed, available })?;
        let mask = (1 << tables.bits) - 1;
        for (octets, samples) in payload.chunks_exact(octets).zip(out.chunks_exact_mut(unit)) {
            let high_first = octets.iter().fold(0u64, |word, octet| word << 8 | u64::from(*octet));
            let low_first = octets.iter().rev().fold(0u64, |word, octet| word << 8 | u64::from(*octet));
            for (n, sample) in samples.iter_mut().enumerate() {
                let n = n as u32;
                let word = match self.packing {
                    G726Packing::Rfc3551 => low_first >> (n * tables.bits),
                    G726Packing::Aal2 => high_first >> ((unit as u32 - 1 - n) * tables.bits),
                };
                *sample = self.state.decode((word & mask) as u32, tables);
            }
        }
        Ok(needed)
    }

    /// Encodes what was heard: the predictor and scale factor are then about where the sender's are.
    fn concealed(&mut self, pcm: &[i16]) {
        for sample in pcm {
            let _ = self.state.encode(*sample, self.rate.tables());
        }
    }

    fn reset(&mut self) {
        self.state = State::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_packings_hold_the_same_code_words_from_either_end() {
        let said: Vec<i16> = (0..800).map(|n| (7_000.0 * (f64::from(n) * 0.2).sin()) as i16).collect();
        for rate in [G726Rate::Kbit16, G726Rate::Kbit24, G726Rate::Kbit32, G726Rate::Kbit40] {
            let bits = rate.tables().bits as usize;
            let [low, high] = [G726Packing::Rfc3551, G726Packing::Aal2].map(|packing| {
                let mut octets = vec![0; said.len() * bits / 8];
                Codec::new(rate, packing).encode(&said, &mut octets).unwrap();
                octets
            });
            let bit = |octets: &[u8], at: usize| octets[at / 8] >> (at % 8) & 1;
            for word in 0..said.len() {
                for n in 0..bits {
                    let from_high =
                        high[(word * bits + bits - 1 - n) / 8] >> (7 - (word * bits + bits - 1 - n) % 8) & 1;
                    assert_eq!(bit(&low, word * bits + n), from_high, "{rate:?} word {word} bit {n}");
                }
            }
        }
    }

    #[test]
    fn what_fills_no_octets_is_refused() {
        let (mut octets, mut pcm) = ([0; 8], [0; 16]);
        for (rate, unit) in
            [(G726Rate::Kbit16, 4), (G726Rate::Kbit24, 8), (G726Rate::Kbit32, 2), (G726Rate::Kbit40, 8)]
        {
            let mut coder = Codec::new(rate, G726Packing::Rfc3551);
            let partial = CodecError::PartialFrame { samples: unit + 1, frame: unit };
            assert_eq!(coder.encode(&pcm[..unit + 1], &mut octets), Err(partial));
            let written = coder.encode(&pcm[..unit], &mut octets).unwrap();
            assert!(coder.decode(&octets[..written], &mut pcm[..unit - 1]).is_err());
            assert!(coder.encode(&pcm[..unit], &mut []).is_err());
        }
        let malformed = Err(CodecError::MalformedPayload { octets: 4 });
        assert_eq!(Codec::new(G726Rate::Kbit24, G726Packing::Aal2).decode(&octets[..4], &mut pcm), malformed);
    }
}
