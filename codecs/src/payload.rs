//! How long a payload lasts, from its octets alone.
//! In: a [`CodecKind`] and the payload of one packet. Out: PCM samples, 0 for what is no payload of that codec.
//! Opus by RFC 6716 §3, G.729 by RFC 3551 §4.5.6, G.723.1 by §4.5.3, iLBC by RFC 3952, Speex by its manual §9 and §10.
//! Not here: decoding.
//! RT: no allocation, lock, syscall, log or panic.

use crate::CodecKind;

/// Octets of the largest Opus frame (RFC 6716 §3.2.1), and the most that this crate puts into a packet.
pub(crate) const MAX_OPUS_OCTETS: usize = 1_275;
/// What an Opus packet may last, in units of 2.5 ms.
pub(crate) const OPUS_FRAMES: [usize; 9] = [1, 2, 4, 8, 16, 24, 32, 40, 48];
/// The longest Opus packet, in units of 2.5 ms.
const MAX_OPUS_UNITS: usize = 48;

/// PCM samples of `payload`.
pub(crate) fn samples(kind: CodecKind, payload: &[u8]) -> usize {
    let frames = match kind {
        CodecKind::Opus | CodecKind::OpusWideband | CodecKind::OpusNarrowband => opus_units(payload),
        CodecKind::G729 => g729_frames(payload.len()),
        CodecKind::G7231 => g7231_frames(payload),
        CodecKind::Speex => speex_frames(payload, false),
        CodecKind::SpeexWideband => speex_frames(payload, true),
        CodecKind::Ilbc20 | CodecKind::Ilbc30 => return ilbc_samples(payload.len()),
        _ if payload.len().is_multiple_of(kind.frame_octets()) => Some(payload.len() / kind.frame_octets()),
        _ => return part_of_a_frame(kind, payload.len()),
    };
    kind.packet_samples(frames.unwrap_or(0))
}

/// Codecs of single samples may end within a millisecond, at the octet where a sample ends.
fn part_of_a_frame(kind: CodecKind, octets: usize) -> usize {
    match kind {
        CodecKind::Pcmu | CodecKind::Pcma => octets,
        CodecKind::G722 => octets * 2,
        CodecKind::G726_16 | CodecKind::Aal2G726_16 => octets * 4,
        CodecKind::G726_32 | CodecKind::Aal2G726_32 => octets * 2,
        CodecKind::L16_8 | CodecKind::L16_16 | CodecKind::L16_44 | CodecKind::L16_48
            if octets.is_multiple_of(2) =>
        {
            octets / 2
        }
        _ => 0,
    }
}

/// Units of 2.5 ms in one frame of an Opus packet. RFC 6716 table 2: SILK 10, 20, 40, 60 ms; hybrid 10, 20; CELT 2.5,
/// 5, 10, 20.
const fn opus_frame_units(toc: u8) -> usize {
    match toc >> 3 {
        config @ 0..=11 => [4, 8, 16, 24][config as usize & 3],
        config @ 12..=15 => [4, 8][config as usize & 1],
        config => 1 << (config & 3),
    }
}

/// Units of 2.5 ms in an Opus packet.
fn opus_units(payload: &[u8]) -> Option<usize> {
    let toc = *payload.first()?;
    let unit = opus_frame_units(toc);
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => usize::from(*payload.get(1)? & 0x3F),
    };
    let units = unit * frames;
    (1..=MAX_OPUS_UNITS).contains(&units).then_some(units)
}

/// Units of 2.5 ms of the frame before this Opus packet that it repeats (LBRR); `None` if it repeats nothing.
pub(crate) fn opus_redundancy(payload: &[u8]) -> Option<usize> {
    opus_units(payload)?;
    let toc = *payload.first()?;
    // CELT has none.
    if toc >> 3 >= 16 {
        return None;
    }
    let units = opus_frame_units(toc);
    // RFC 6716 §4.2.3: a flag of voice activity for each 20 ms, then the flag of redundancy; in stereo, once more.
    let header = *payload.get(first_opus_frame(payload)?)?;
    let flags = units.div_ceil(8);
    let mid = header >> (7 - flags) & 1 == 1;
    let side = toc & 4 != 0 && flags <= 3 && header >> (6 - 2 * flags) & 1 == 1;
    (mid || side).then_some(units)
}

/// Where the first frame of an Opus packet begins (RFC 6716 §3.2).
fn first_opus_frame(payload: &[u8]) -> Option<usize> {
    /// Octets of a length that begins at `at`.
    fn of_length(payload: &[u8], at: usize) -> Option<usize> {
        Some(if *payload.get(at)? < 252 { 1 } else { 2 })
    }
    match payload.first()? & 3 {
        0 | 1 => Some(1),
        2 => Some(1 + of_length(payload, 1)?),
        _ => {
            let count = *payload.get(1)?;
            let mut at = 2;
            if count & 0x40 != 0 {
                // The padding's length: 255 is 254 and goes on.
                while *payload.get(at)? == 255 {
                    at += 1;
                }
                at += 1;
            }
            if count & 0x80 != 0 {
                for _ in 1..count & 0x3F {
                    at += of_length(payload, at)?;
                }
            }
            Some(at)
        }
    }
}

/// Frames of 38 octets last 20 ms, of 50 octets 30 ms: which they are shows in the payload, whatever was agreed. (H323Plus
/// agrees on nothing and sends the former; what both divide, from 950 octets on, is taken for the latter.)
const fn ilbc_samples(octets: usize) -> usize {
    match (octets % 50, octets % 38) {
        (0, _) => octets / 50 * 240,
        (_, 0) => octets / 38 * 160,
        _ => 0,
    }
}

/// Frames of ten octets; a last one of two is a silence descriptor (Annex B).
fn g729_frames(octets: usize) -> Option<usize> {
    match octets % 10 {
        0 => Some(octets / 10),
        2 => Some(octets / 10 + 1),
        _ => None,
    }
}

/// The two low bits of a frame's first octet tell its size: 24 octets at 6.3 kbit/s, 20 at 5.3, 4 of silence.
fn g7231_frames(mut payload: &[u8]) -> Option<usize> {
    let mut frames = 0;
    while let Some(first) = payload.first() {
        let octets = match first & 3 {
            0 => 24,
            1 => 20,
            2 => 4,
            // Not sent again: one octet that says so (Annex A).
            _ => 1,
        };
        payload = payload.get(octets..)?;
        frames += 1;
    }
    Some(frames)
}

/// Bits of a narrowband frame with its wideband flag and submode.
const SPEEX_BITS: [usize; 9] = [5, 43, 119, 160, 220, 300, 364, 492, 79];
/// Bits of the layer that makes a frame wide, with its flag and submode.
const SPEEX_WIDE_BITS: [usize; 5] = [4, 36, 112, 192, 352];

/// Frames of a Speex payload: bits without alignment, to the terminator or to the padding of a last octet.
fn speex_frames(payload: &[u8], wide: bool) -> Option<usize> {
    let bits = payload.len() * 8;
    let read = |at: usize, count: usize| {
        (at..at + count).try_fold(0usize, |value, bit| {
            let octet = payload.get(bit / 8)?;
            Some(value << 1 | usize::from(octet >> (7 - bit % 8) & 1))
        })
    };
    let (mut at, mut frames) = (0, 0);
    while bits - at >= 5 {
        if read(at, 1)? == 1 {
            // A layer without the frame below it.
            return None;
        }
        match read(at + 1, 4)? {
            15 => break,
            // In-band requests and a user's own data: a code of 4 bits and what it says, or a length in octets.
            14 => at += 9 + [1, 1, 4, 4, 4, 4, 4, 4, 8, 8, 16, 16, 32, 32, 64, 64][read(at + 5, 4)?],
            13 => at += 10 + 8 * read(at + 5, 5)?,
            mode => {
                at += SPEEX_BITS.get(mode)?;
                if wide && bits.checked_sub(at)? >= 4 && read(at, 1)? == 1 {
                    at += SPEEX_WIDE_BITS.get(read(at + 1, 3)?)?;
                }
                frames += 1;
            }
        }
        if at > bits {
            return None;
        }
    }
    Some(frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_of_constant_rate_last_as_long_as_their_octets_say() {
        for (kind, octets, samples) in [
            (CodecKind::Pcmu, 160, 160),
            (CodecKind::Pcma, 3, 3),
            (CodecKind::G722, 160, 320),
            (CodecKind::G722, 3, 6),
            (CodecKind::Gsm, 66, 320),
            (CodecKind::Gsm, 65, 0),
            (CodecKind::G726_40, 100, 160),
            (CodecKind::G726_40, 101, 0),
            (CodecKind::Aal2G726_24, 60, 160),
            (CodecKind::G726_32, 81, 162),
            (CodecKind::G726_16, 1, 4),
            (CodecKind::L16_48, 960, 480),
            (CodecKind::L16_44, 6, 3),
            (CodecKind::L16_8, 7, 0),
            (CodecKind::Ilbc20, 76, 320),
            (CodecKind::Ilbc30, 50, 240),
            (CodecKind::Ilbc30, 38, 160),
            (CodecKind::Ilbc20, 190, 800),
            (CodecKind::Ilbc20, 950, 4_560),
            (CodecKind::Ilbc20, 39, 0),
            (CodecKind::G7221_24, 60, 320),
            (CodecKind::G7221_32, 60, 0),
            (CodecKind::G729, 20, 160),
            (CodecKind::G729, 12, 160),
            (CodecKind::G729, 2, 80),
            (CodecKind::G729, 7, 0),
        ] {
            assert_eq!(kind.payload_samples(&vec![0; octets]), samples, "{kind:?} {octets}");
        }
        assert!(CodecKind::KNOWN.iter().all(|kind| kind.payload_samples(&[]) == 0));
    }

    #[test]
    fn an_opus_packet_lasts_as_its_first_octets_say() {
        for (payload, ms) in [
            // RFC 6716 table 2: narrowband SILK of 60 ms, hybrid of 20, CELT of 2.5 ms; codes 0 to 3.
            (&[3 << 3, 0][..], 60),
            (&[15 << 3 | 1, 0, 0], 40),
            (&[31 << 3 | 2, 1, 0, 0], 40),
            (&[31 << 3 | 3, 6, 0], 120),
            (&[31 << 3 | 3, 7, 0], 0),
            (&[31 << 3 | 3, 0], 0),
            (&[31 << 3 | 3], 0),
            (&[17 << 3], 5),
        ] {
            assert_eq!(CodecKind::Opus.payload_samples(payload), ms * 48, "{payload:?}");
            assert_eq!(CodecKind::OpusNarrowband.payload_samples(payload), ms * 8, "{payload:?}");
        }
        assert_eq!(CodecKind::OpusWideband.payload_samples(&[16 << 3]), 40);
    }

    #[test]
    fn frames_of_g7231_tell_their_size_one_by_one() {
        let mut payload = vec![0; 24];
        payload.extend([1; 20]);
        payload.extend([2, 0, 0, 0]);
        assert_eq!(CodecKind::G7231.payload_samples(&payload), 3 * 240);
        assert_eq!(CodecKind::G7231.payload_samples(&payload[..43]), 0);
    }

    #[test]
    fn speex_frames_are_counted_bit_by_bit() {
        // Mode 5 narrowband: 300 bits, then a terminator (RFC 5574 §3.3).
        let mut payload = vec![0b0010_1000u8];
        payload.resize(37, 0);
        // Bits 296 to 299 end the frame, 300 to 303 begin padding: 0111.
        payload.push(0b0000_0111);
        assert_eq!(CodecKind::Speex.payload_samples(&payload), 160);
        assert_eq!(CodecKind::Speex.payload_samples(&payload[..30]), 0);
        // Wideband mode 1 over narrowband silence: 5 bits, then a layer of 36.
        let wide = [0b0000_0100, 0b1000_0000, 0, 0, 0, 0b0011_1111];
        assert_eq!(CodecKind::SpeexWideband.payload_samples(&wide), 320);
        assert_eq!(CodecKind::Speex.payload_samples(&[0x80; 10]), 0);
    }
}
