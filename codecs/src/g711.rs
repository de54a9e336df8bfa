//! G.711 µ-law and A-law, bit-exact with the software tools of ITU-T G.191.
//! In: 16-bit samples or octets. Out: the other.
//! G.191 takes the magnitude of a negative sample as its one's complement and truncates to 14 (µ) or 13 (A) bits:
//! that decides the ties on which other implementations differ.
//! Not here: packet-loss concealment (`jitter`), comfort noise.
//! RT: no allocation, lock, syscall, log or panic.
//!
//! Both laws are a tiny floating-point format (sign, 3 bits of exponent, 4 of mantissa), so a conversion to `f32`
//! does the search for the segment: its bits *are* the code, and the loops have no branch and no table to gather
//! from, so that the compiler turns them into vector code.

use crate::CodecKind;
use crate::codec::{CodecError, Decoder, Encoder};

/// Which of the two laws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// µ-law (G.711 table 2).
    Mu,
    /// A-law (G.711 table 1), even bits inverted.
    A,
}

/// Bits of `1.0f32`'s exponent, aligned with a 4-bit mantissa.
const F32_ONE: u32 = 127 << 4;
/// Adding this to an `f32` of less than 2²² leaves its integer in the low bits of the sum.
const F32_TO_INT: f32 = 12_582_912.0;

/// One sample to one µ-law octet.
#[inline]
pub const fn mu_encode(sample: i16) -> u8 {
    // `x ^ (x >> 15)` is x or its one's complement; 33 is the bias of 14-bit magnitudes, 8191 where they clip.
    let negative = (sample >> 15) as u16;
    let biased = ((sample as u16 ^ negative) >> 2) + 33;
    let biased = if biased > 8191 { 8191 } else { biased };
    // 2⁵ opens segment 0.
    let code = ((biased as i16 as f32).to_bits() >> 19).wrapping_sub(F32_ONE + (5 << 4));
    !(code as u8 | (negative as u8 & 0x80))
}

/// One sample to one A-law octet.
#[inline]
pub const fn a_encode(sample: i16) -> u8 {
    let negative = (sample >> 15) as u16;
    let magnitude = (sample as u16 ^ negative) >> 4;
    // 2⁴ opens segment 1; the first two segments share one slope, so below 32 the code is the magnitude.
    let curved = ((magnitude as i16 as f32).to_bits() >> 19).wrapping_sub(F32_ONE + (3 << 4));
    let code = if magnitude < 32 { magnitude as u8 } else { curved as u8 };
    (code | (!(negative as u8) & 0x80)) ^ 0x55
}

/// What each µ-law octet means.
pub const MU_DECODE: [i16; 256] = table(Law::Mu);
/// What each A-law octet means.
pub const A_DECODE: [i16; 256] = table(Law::A);

const fn table(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = match law {
            Law::Mu => mu_decode(octet as u8),
            Law::A => a_decode(octet as u8),
        };
        octet += 1;
    }
    table
}

/// One µ-law octet to one sample.
#[inline]
pub const fn mu_decode(octet: u8) -> i16 {
    let code = !octet as u32;
    // The middle of the interval: mantissa bits m, then a one. 33 × 4 takes the bias away.
    let bits = ((code & 0x7F) + F32_ONE + (7 << 4)) << 19 | 1 << 18;
    let magnitude = (f32::from_bits(bits) + F32_TO_INT).to_bits() as i16 - 132;
    negate_if(magnitude, code & 0x80)
}

/// One A-law octet to one sample.
#[inline]
pub const fn a_decode(octet: u8) -> i16 {
    let code = octet as u32 ^ 0x55;
    let bits = ((code & 0x7F) + F32_ONE + (7 << 4)) << 19 | 1 << 18;
    let curved = (f32::from_bits(bits) + F32_TO_INT).to_bits() as i16;
    let straight = ((code & 0x1F) as i16) << 4 | 8;
    let magnitude = if code & 0x7F < 32 { straight } else { curved };
    negate_if(magnitude, !code & 0x80)
}

/// `-magnitude` where `flag` is 0x80, without a branch.
#[inline]
const fn negate_if(magnitude: i16, flag: u32) -> i16 {
    let mask = -((flag >> 7) as i16);
    (magnitude ^ mask).wrapping_sub(mask)
}

/// Either law as [`Encoder`] and [`Decoder`]; it keeps no state between packets.
#[derive(Debug, Clone)]
pub struct Codec {
    law: Law,
}

impl Codec {
    /// A coder of that law.
    pub const fn new(law: Law) -> Codec {
        Codec { law }
    }

    const fn codec_kind(&self) -> CodecKind {
        match self.law {
            Law::Mu => CodecKind::Pcmu,
            Law::A => CodecKind::Pcma,
        }
    }
}

impl Encoder for Codec {
    fn kind(&self) -> CodecKind {
        self.codec_kind()
    }

    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        let out = room(out, pcm.len())?;
        match self.law {
            Law::Mu => map(pcm, out, mu_encode),
            Law::A => map(pcm, out, a_encode),
        }
        Ok(pcm.len())
    }
}

impl Decoder for Codec {
    fn kind(&self) -> CodecKind {
        self.codec_kind()
    }

    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        let out = room(out, payload.len())?;
        match self.law {
            Law::Mu => map(payload, out, mu_decode),
            Law::A => map(payload, out, a_decode),
        }
        Ok(payload.len())
    }
}

fn room<T>(out: &mut [T], needed: usize) -> Result<&mut [T], CodecError> {
    let available = out.len();
    out.get_mut(..needed).ok_or(CodecError::OutputTooSmall { needed, available })
}

#[inline]
fn map<A: Copy, B>(from: &[A], to: &mut [B], code: impl Fn(A) -> B) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = code(*from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// G.711 tables 1a and 2a hold decision values; this walks them instead of computing with bits.
    /// Segment `s` has 16 intervals; µ: steps of 2 << s (14-bit scale) after a first of 1; A: 2, 2, 4, 8 … (13-bit).
    fn by_decision_values(law: Law, sample: i16) -> u8 {
        // G.191: one's complement magnitude, 14 or 13 significant bits with sign.
        let negative = sample < 0;
        let magnitude = if negative { -(i32::from(sample) + 1) } else { i32::from(sample) };
        let (magnitude, mut bound, steps): (i32, i32, [i32; 8]) = match law {
            // Decision values of table 2a: 0, 1, 3, 5 … 31, 35 … 95, 103 … 8159.
            Law::Mu => (magnitude >> 2, -1, [2, 4, 8, 16, 32, 64, 128, 256]),
            // Decision values of table 1a: 0, 2, 4 … 64, 68 … 128 … 4096, halved.
            Law::A => (magnitude >> 4, 0, [1, 1, 2, 4, 8, 16, 32, 64]),
        };
        let mut code = 127;
        'walk: for (segment, step) in steps.iter().enumerate() {
            for interval in 0..16 {
                bound += step;
                if magnitude < bound {
                    code = segment * 16 + interval;
                    break 'walk;
                }
            }
        }
        let code = code as u8;
        match law {
            Law::Mu => !(code | if negative { 0x80 } else { 0 }),
            Law::A => (code | if negative { 0 } else { 0x80 }) ^ 0x55,
        }
    }

    fn fnv1a(octets: impl IntoIterator<Item = u8>) -> u64 {
        octets.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
            (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }

    #[test]
    fn all_65536_inputs_agree_with_the_decision_values_of_g711() {
        for sample in i16::MIN..=i16::MAX {
            assert_eq!(mu_encode(sample), by_decision_values(Law::Mu, sample), "µ {sample}");
            assert_eq!(a_encode(sample), by_decision_values(Law::A, sample), "A {sample}");
        }
    }

    /// FNV-1a over the whole tables, made by a program apart from this crate that walks the arithmetic of the G.191
    /// software tools (`alaw_compress`, `ulaw_compress` and their inverses, version 3.01) sample by sample. Python
    /// 3.11's `audioop` agrees on both decoders and on A-law; its µ-law encoder differs on 508 negative ties,
    /// because it truncates before it takes the magnitude.
    #[test]
    fn complete_tables_are_those_of_g191() {
        assert_eq!(fnv1a((i16::MIN..=i16::MAX).map(mu_encode)), 0x04ec_1f08_3fd7_8c2d);
        assert_eq!(fnv1a((i16::MIN..=i16::MAX).map(a_encode)), 0xf030_666e_b780_cf25);
        assert_eq!(fnv1a(MU_DECODE.iter().flat_map(|x| x.to_le_bytes())), 0xb91e_65d6_8481_a1a8);
        assert_eq!(fnv1a(A_DECODE.iter().flat_map(|x| x.to_le_bytes())), 0x693a_40ca_62a3_d2a5);
        // The tie at −4: its one's complement is 3, still within the first interval.
        assert_eq!(mu_encode(-4), 0x7F);
    }

    #[test]
    fn every_octet_survives_decoding_and_encoding() {
        for octet in 0..=255u8 {
            // µ-law has two zeros; +0 (0xFF) is the one that comes back.
            let back = if octet == 0x7F { 0xFF } else { octet };
            assert_eq!(mu_encode(MU_DECODE[usize::from(octet)]), back, "µ {octet:#04x}");
            assert_eq!(a_encode(A_DECODE[usize::from(octet)]), octet, "A {octet:#04x}");
        }
    }

    #[test]
    fn output_values_are_those_of_g711() {
        assert_eq!(MU_DECODE[0xFF], 0);
        assert_eq!(MU_DECODE[0x7F], 0);
        assert_eq!(MU_DECODE[0x80], 32_124);
        assert_eq!(MU_DECODE[0x00], -32_124);
        assert_eq!(MU_DECODE[0xFE], 8);
        assert_eq!(A_DECODE[0xD5], 8);
        assert_eq!(A_DECODE[0x55], -8);
        assert_eq!(A_DECODE[0xAA], 32_256);
        assert_eq!(A_DECODE[0x2A], -32_256);
    }

    #[test]
    fn slices_agree_with_single_samples_and_short_output_is_refused() {
        for (law, kind) in [(Law::Mu, CodecKind::Pcmu), (Law::A, CodecKind::Pcma)] {
            let pcm: Vec<i16> = (i16::MIN..=i16::MAX).collect();
            let mut octets = vec![0; pcm.len()];
            let (mut encoder, mut decoder) = (kind.encoder().unwrap(), kind.decoder().unwrap());
            assert_eq!(encoder.encode(&pcm, &mut octets), Ok(65_536));
            let mut back = vec![0; pcm.len()];
            assert_eq!(decoder.decode(&octets, &mut back), Ok(65_536));
            for ((sample, octet), back) in pcm.iter().zip(&octets).zip(&back) {
                let (want, table) = match law {
                    Law::Mu => (mu_encode(*sample), MU_DECODE),
                    Law::A => (a_encode(*sample), A_DECODE),
                };
                assert_eq!(*octet, want);
                assert_eq!(*back, table[usize::from(*octet)]);
            }
            assert_eq!(
                decoder.decode(&octets[..4], &mut back[..3]),
                Err(CodecError::OutputTooSmall { needed: 4, available: 3 })
            );
            assert_eq!(decoder.decode(&[], &mut back), Ok(0));
            assert!(!decoder.conceal(&mut back), "G.711 has no concealment of its own");
        }
    }
}
