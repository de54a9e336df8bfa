//! Which codec: its names, rates and packet arithmetic.
//! In: a [`CodecKind`], or the name or payload type that a peer gave. Out: numbers, and boxed coders built once, off
//! the real-time path.
//! Not here: the algorithms (one file each), how long a payload of a variable codec lasts (`payload.rs`), which codec
//! a call agrees on (`signaling`).
//! RT: no allocation, lock, syscall, log or panic (except in the four factories).

use crate::codec::{CodecError, CodecSettings, Decoder, Encoder};
use crate::g726::{G726Packing, G726Rate};
use crate::l16::L16;
use crate::opus::{OpusDecoder, OpusEncoder};
use crate::{g711, g722, g726, gsm, payload};

/// An audio codec: one that this build runs ([`CodecKind::ALL`]), or one that it only knows, to negotiate it and pass
/// its packets on ([`CodecKind::is_runnable`] tells).
///
/// A kind is mono and has one rate on the PCM side. Opus has three: on the wire they are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum CodecKind {
    /// G.711 µ-law, 64 kbit/s.
    #[doc(alias = "g711Ulaw64k")]
    Pcmu,
    /// G.711 A-law, 64 kbit/s.
    #[doc(alias = "g711Alaw64k")]
    Pcma,
    /// G.722, 7 kHz of sound in 64 kbit/s; 16 kHz samples, 8 kHz clock (RFC 3551 §4.5.2).
    #[doc(alias = "g722_64k")]
    G722,
    /// GSM 06.10 full rate, 13 kbit/s.
    #[doc(alias = "gsmFullRate")]
    Gsm,
    /// G.726 at 16 kbit/s, packed as RFC 3551 §4.5.4 says: the first code word in the low bits.
    G726_16,
    /// G.726 at 24 kbit/s, packed as RFC 3551 says.
    G726_24,
    /// G.726 at 32 kbit/s, packed as RFC 3551 says.
    #[doc(alias = "G721")]
    G726_32,
    /// G.726 at 40 kbit/s, packed as RFC 3551 says.
    G726_40,
    /// G.726 at 16 kbit/s, packed as I.366.2 Annex E says: the first code word in the high bits.
    Aal2G726_16,
    /// G.726 at 24 kbit/s, packed as I.366.2 Annex E says.
    Aal2G726_24,
    /// G.726 at 32 kbit/s, packed as I.366.2 Annex E says.
    Aal2G726_32,
    /// G.726 at 40 kbit/s, packed as I.366.2 Annex E says.
    Aal2G726_40,
    /// Linear 16-bit samples in network order, 8 kHz (RFC 3551 §4.5.11).
    L16_8,
    /// Linear 16-bit samples, 16 kHz.
    L16_16,
    /// Linear 16-bit samples, 44.1 kHz.
    L16_44,
    /// Linear 16-bit samples, 48 kHz.
    L16_48,
    /// Opus (RFC 6716, RFC 7587) with 48 kHz samples: all of its 20 kHz of sound.
    Opus,
    /// Opus with 16 kHz samples: 8 kHz of sound, whatever the peer sends.
    OpusWideband,
    /// Opus with 8 kHz samples: 4 kHz of sound, whatever the peer sends.
    OpusNarrowband,
    /// G.729 and its annexes A and B, 8 kbit/s. Known only.
    #[doc(alias = "g729wAnnexB")]
    G729,
    /// G.723.1, 6.3 or 5.3 kbit/s. Known only.
    #[doc(alias = "g7231")]
    G7231,
    /// iLBC (RFC 3951) in frames of 20 ms, 15.2 kbit/s. Known only.
    Ilbc20,
    /// iLBC in frames of 30 ms, 13.33 kbit/s. Known only.
    Ilbc30,
    /// G.722.1 at 24 kbit/s (RFC 5577). Known only.
    G7221_24,
    /// G.722.1 at 32 kbit/s. Known only.
    G7221_32,
    /// Speex narrowband (RFC 5574). Known only.
    Speex,
    /// Speex wideband. Known only.
    SpeexWideband,
}

/// How many of [`CodecKind::KNOWN`] run: the first ones.
const RUNNABLE: usize = 19;

/// What is fixed for a codec.
struct Facts {
    name: &'static str,
    payload_type: Option<u8>,
    sample_rate: u32,
    clock_rate: u32,
    frame_samples: usize,
    frame_octets: usize,
    frames_per_packet: usize,
}

impl CodecKind {
    /// Every codec that this build runs, in the order of preference unless the caller has one: G.711 first, since
    /// everybody has it.
    pub const ALL: &'static [CodecKind] = Self::KNOWN.split_at(RUNNABLE).0;

    /// Every codec that this build knows: those of [`Self::ALL`], then those whose packets it can only pass on.
    pub const KNOWN: &'static [CodecKind] = &[
        CodecKind::Pcmu,
        CodecKind::Pcma,
        CodecKind::G722,
        CodecKind::Opus,
        CodecKind::OpusWideband,
        CodecKind::OpusNarrowband,
        CodecKind::Gsm,
        CodecKind::G726_32,
        CodecKind::G726_40,
        CodecKind::G726_24,
        CodecKind::G726_16,
        CodecKind::Aal2G726_32,
        CodecKind::Aal2G726_40,
        CodecKind::Aal2G726_24,
        CodecKind::Aal2G726_16,
        CodecKind::L16_16,
        CodecKind::L16_8,
        CodecKind::L16_48,
        CodecKind::L16_44,
        CodecKind::G729,
        CodecKind::G7231,
        CodecKind::Ilbc20,
        CodecKind::Ilbc30,
        CodecKind::G7221_24,
        CodecKind::G7221_32,
        CodecKind::Speex,
        CodecKind::SpeexWideband,
    ];

    const fn facts(self) -> Facts {
        /// A codec of constant rate that H.245 counts in milliseconds: `octets` for each.
        const fn by_ms(name: &'static str, payload_type: Option<u8>, rate: u32, octets: usize) -> Facts {
            let frame_samples = rate as usize / 1_000;
            let (sample_rate, clock_rate) = (rate, rate);
            Facts {
                name,
                payload_type,
                sample_rate,
                clock_rate,
                frame_samples,
                frame_octets: octets,
                frames_per_packet: 20,
            }
        }
        /// A codec of frames, sampled at the rate of its clock.
        const fn framed(name: &'static str, rate: u32, ms: usize, octets: usize) -> Facts {
            let frame_samples = rate as usize / 1_000 * ms;
            Facts {
                name,
                payload_type: None,
                sample_rate: rate,
                clock_rate: rate,
                frame_samples,
                frame_octets: octets,
                frames_per_packet: 1,
            }
        }
        /// Opus at one of its rates, in units of 2.5 ms.
        const fn opus(sample_rate: u32) -> Facts {
            Facts {
                name: "opus",
                payload_type: None,
                sample_rate,
                clock_rate: 48_000,
                frame_samples: sample_rate as usize / 400,
                frame_octets: payload::MAX_OPUS_OCTETS,
                frames_per_packet: 8,
            }
        }
        match self {
            CodecKind::Pcmu => by_ms("PCMU", Some(0), 8_000, 8),
            CodecKind::Pcma => by_ms("PCMA", Some(8), 8_000, 8),
            CodecKind::G722 => {
                Facts { sample_rate: 16_000, frame_samples: 16, ..by_ms("G722", Some(9), 8_000, 8) }
            }
            CodecKind::Gsm => Facts { payload_type: Some(3), ..framed("GSM", 8_000, 20, 33) },
            CodecKind::G726_16 => by_ms("G726-16", None, 8_000, 2),
            CodecKind::G726_24 => by_ms("G726-24", None, 8_000, 3),
            CodecKind::G726_32 => by_ms("G726-32", None, 8_000, 4),
            CodecKind::G726_40 => by_ms("G726-40", None, 8_000, 5),
            CodecKind::Aal2G726_16 => by_ms("AAL2-G726-16", None, 8_000, 2),
            CodecKind::Aal2G726_24 => by_ms("AAL2-G726-24", None, 8_000, 3),
            CodecKind::Aal2G726_32 => by_ms("AAL2-G726-32", None, 8_000, 4),
            CodecKind::Aal2G726_40 => by_ms("AAL2-G726-40", None, 8_000, 5),
            CodecKind::L16_8 => by_ms("L16", None, 8_000, 16),
            CodecKind::L16_16 => by_ms("L16", None, 16_000, 32),
            // 10 ms a packet: 20 would not pass an Ethernet whole. 44.1 kHz has no whole milliseconds; 441 samples
            // are ten.
            CodecKind::L16_44 => {
                Facts { frame_samples: 441, frames_per_packet: 1, ..by_ms("L16", Some(11), 44_100, 882) }
            }
            CodecKind::L16_48 => Facts { frames_per_packet: 10, ..by_ms("L16", None, 48_000, 96) },
            CodecKind::Opus => opus(48_000),
            CodecKind::OpusWideband => opus(16_000),
            CodecKind::OpusNarrowband => opus(8_000),
            CodecKind::G729 => {
                Facts { payload_type: Some(18), frames_per_packet: 2, ..framed("G729", 8_000, 10, 10) }
            }
            CodecKind::G7231 => Facts { payload_type: Some(4), ..framed("G723", 8_000, 30, 24) },
            CodecKind::Ilbc20 => framed("iLBC", 8_000, 20, 38),
            CodecKind::Ilbc30 => framed("iLBC", 8_000, 30, 50),
            CodecKind::G7221_24 => framed("G7221", 16_000, 20, 60),
            CodecKind::G7221_32 => framed("G7221", 16_000, 20, 80),
            // The largest modes: 492 bits, and 352 more of the upper band.
            CodecKind::Speex => framed("speex", 8_000, 20, 62),
            CodecKind::SpeexWideband => framed("speex", 16_000, 20, 106),
        }
    }

    /// Whether this build codes it: [`Self::encoder`] and [`Self::decoder`] succeed.
    pub const fn is_runnable(self) -> bool {
        let mut at = 0;
        while at < Self::ALL.len() {
            if Self::ALL[at] as u8 == self as u8 {
                return true;
            }
            at += 1;
        }
        false
    }

    /// The RTP encoding name (RFC 3551 §6 and the codecs' own RFCs), as SDP and logs spell it. Kinds that differ only
    /// in rate or mode share theirs.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// The codec of that name, whatever its case: `PCMU`, or with the clock's rate as in SDP, `L16/16000`. Where kinds
    /// share a name, the rate decides and then the order of [`Self::KNOWN`]; `L16` without a rate is no codec.
    pub fn from_name(name: &str) -> Option<CodecKind> {
        let (name, rate) = match name.split_once('/') {
            Some((name, rate)) => (name, Some(rate.parse::<u32>().ok()?)),
            None => (name, None),
        };
        Self::KNOWN.iter().copied().find(|kind| {
            kind.name().eq_ignore_ascii_case(name)
                && rate.map_or(kind.name() != "L16", |rate| rate == kind.clock_rate())
        })
    }

    /// The static RTP payload type (RFC 3551 table 4), if the codec has one.
    pub const fn payload_type(self) -> Option<u8> {
        self.facts().payload_type
    }

    /// The codec that owns a static RTP payload type, if it is known here.
    pub fn from_payload_type(payload_type: u8) -> Option<CodecKind> {
        Self::KNOWN.iter().copied().find(|kind| kind.payload_type() == Some(payload_type))
    }

    /// Samples a second of the PCM side, Hz.
    pub const fn sample_rate(self) -> u32 {
        self.facts().sample_rate
    }

    /// Ticks a second of the RTP timestamp, Hz. Not always the sample rate: G.722 samples at 16 kHz and
    /// counts at 8 kHz (RFC 3551 §4.5.2), Opus counts at 48 kHz whatever its samples (RFC 7587 §4.1).
    pub const fn clock_rate(self) -> u32 {
        self.facts().clock_rate
    }

    /// RTP timestamp ticks that `samples` PCM samples last, rounded down.
    pub const fn samples_to_ticks(self, samples: usize) -> u32 {
        let facts = self.facts();
        (samples as u128 * facts.clock_rate as u128 / facts.sample_rate as u128) as u32
    }

    /// PCM samples that `ticks` RTP timestamp ticks last, rounded down.
    pub const fn ticks_to_samples(self, ticks: u32) -> usize {
        let facts = self.facts();
        (ticks as u64 * facts.sample_rate as u64 / facts.clock_rate as u64) as usize
    }

    /// PCM samples in one frame, the unit in which packets are sized and H.245 counts
    /// (`maxAl-sduAudioFrames`). Codecs of single samples have no frames; H.245 and H.225.0 count them in units of one
    /// millisecond (L16 at 44.1 kHz: ten). Opus is counted in its shortest frame, 2.5 ms.
    pub const fn frame_samples(self) -> usize {
        self.facts().frame_samples
    }

    /// Payload octets of one frame; for a codec of variable size, the most that one takes.
    pub const fn frame_octets(self) -> usize {
        self.facts().frame_octets
    }

    /// Frames in a packet unless the call agrees otherwise: 20 ms (RFC 3551 §4.2), 30 ms where a frame is that long,
    /// 10 ms of L16 above 16 kHz.
    pub const fn default_frames_per_packet(self) -> usize {
        self.facts().frames_per_packet
    }

    /// PCM samples in a packet of `frames` frames.
    pub const fn packet_samples(self, frames: usize) -> usize {
        self.frame_samples().saturating_mul(frames)
    }

    /// The longest packet of at most `samples` PCM samples that the codec can make, one frame at least. Opus packs
    /// 2.5, 5, 10, 20, 40, 60, 80, 100 or 120 ms (RFC 7587 §4.2); the others any number of frames.
    pub const fn whole_packet(self, samples: usize) -> usize {
        let frame = self.frame_samples();
        let frames = samples / frame;
        if !self.is_opus() {
            return if frames == 0 { frame } else { frames * frame };
        }
        let mut at = payload::OPUS_FRAMES.len();
        while at > 1 {
            at -= 1;
            if payload::OPUS_FRAMES[at] <= frames {
                return payload::OPUS_FRAMES[at] * frame;
            }
        }
        frame
    }

    /// Payload octets that `samples` PCM samples become, a frame begun counted whole (at most, for a codec of variable
    /// size; Opus packets of this crate have no more than 1275 octets, whatever they last).
    pub const fn samples_to_octets(self, samples: usize) -> usize {
        let facts = self.facts();
        if self.is_opus() {
            return if samples == 0 { 0 } else { facts.frame_octets };
        }
        samples.div_ceil(facts.frame_samples).saturating_mul(facts.frame_octets)
    }

    /// PCM samples that `payload` lasts; 0 if it is no legal payload of this codec. It is parsed, not decoded: that
    /// works for the codecs of pass-through too.
    pub fn payload_samples(self, payload: &[u8]) -> usize {
        payload::samples(self, payload)
    }

    pub(crate) const fn is_opus(self) -> bool {
        matches!(self, CodecKind::Opus | CodecKind::OpusWideband | CodecKind::OpusNarrowband)
    }

    /// Builds an encoder with [`CodecSettings::default`]. Allocates: not for the real-time path.
    ///
    /// # Errors
    ///
    /// [`CodecError::NotRunnable`] for a codec that is known only.
    pub fn encoder(self) -> Result<Box<dyn Encoder + Send>, CodecError> {
        self.encoder_with(&CodecSettings::default())
    }

    /// Builds an encoder. Allocates: not for the real-time path.
    ///
    /// # Errors
    ///
    /// [`CodecError::NotRunnable`] for a codec that is known only; [`CodecError::Settings`] for settings out of range.
    pub fn encoder_with(self, settings: &CodecSettings) -> Result<Box<dyn Encoder + Send>, CodecError> {
        if self.is_opus() {
            if settings.opus.stereo {
                return Err(CodecError::Settings("a CodecKind is mono; OpusEncoder makes stereo"));
            }
            return Ok(Box::new(OpusEncoder::new(self, &settings.opus)?));
        }
        if let Some((rate, packing)) = self.g726() {
            return Ok(Box::new(g726::Codec::new(rate, packing)));
        }
        match self {
            CodecKind::Pcmu => Ok(Box::new(g711::Codec::new(g711::Law::Mu))),
            CodecKind::Pcma => Ok(Box::new(g711::Codec::new(g711::Law::A))),
            CodecKind::G722 => Ok(Box::new(g722::G722Encoder::new())),
            CodecKind::Gsm => Ok(Box::new(gsm::GsmEncoder::new())),
            CodecKind::L16_8 | CodecKind::L16_16 | CodecKind::L16_44 | CodecKind::L16_48 => {
                Ok(Box::new(L16::new(self)))
            }
            _ => Err(CodecError::NotRunnable { kind: self }),
        }
    }

    /// Builds a decoder with [`CodecSettings::default`]. Allocates: not for the real-time path.
    ///
    /// # Errors
    ///
    /// [`CodecError::NotRunnable`] for a codec that is known only.
    pub fn decoder(self) -> Result<Box<dyn Decoder + Send>, CodecError> {
        self.decoder_with(&CodecSettings::default())
    }

    /// Builds a decoder. Allocates: not for the real-time path.
    ///
    /// # Errors
    ///
    /// [`CodecError::NotRunnable`] for a codec that is known only.
    pub fn decoder_with(self, settings: &CodecSettings) -> Result<Box<dyn Decoder + Send>, CodecError> {
        if self.is_opus() {
            return Ok(Box::new(OpusDecoder::new(self, false)?));
        }
        if let Some((rate, packing)) = self.g726() {
            return Ok(Box::new(g726::Codec::new(rate, packing)));
        }
        match self {
            CodecKind::Pcmu => Ok(Box::new(g711::Codec::new(g711::Law::Mu))),
            CodecKind::Pcma => Ok(Box::new(g711::Codec::new(g711::Law::A))),
            CodecKind::G722 => Ok(Box::new(g722::G722Decoder::new(settings.g722_mode))),
            CodecKind::Gsm => Ok(Box::new(gsm::GsmDecoder::new())),
            CodecKind::L16_8 | CodecKind::L16_16 | CodecKind::L16_44 | CodecKind::L16_48 => {
                Ok(Box::new(L16::new(self)))
            }
            _ => Err(CodecError::NotRunnable { kind: self }),
        }
    }

    const fn g726(self) -> Option<(G726Rate, G726Packing)> {
        Some(match self {
            CodecKind::G726_16 => (G726Rate::Kbit16, G726Packing::Rfc3551),
            CodecKind::G726_24 => (G726Rate::Kbit24, G726Packing::Rfc3551),
            CodecKind::G726_32 => (G726Rate::Kbit32, G726Packing::Rfc3551),
            CodecKind::G726_40 => (G726Rate::Kbit40, G726Packing::Rfc3551),
            CodecKind::Aal2G726_16 => (G726Rate::Kbit16, G726Packing::Aal2),
            CodecKind::Aal2G726_24 => (G726Rate::Kbit24, G726Packing::Aal2),
            CodecKind::Aal2G726_32 => (G726Rate::Kbit32, G726Packing::Aal2),
            CodecKind::Aal2G726_40 => (G726Rate::Kbit40, G726Packing::Aal2),
            _ => return None,
        })
    }
}

impl std::fmt::Display for CodecKind {
    /// The name, with the clock's rate where that decides (`L16/16000`): what [`CodecKind::from_name`] reads.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name() {
            name @ ("L16" | "speex") => write!(f, "{name}/{}", self.clock_rate()),
            name => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_is_found_by_its_name_and_by_its_payload_type() {
        for &kind in CodecKind::KNOWN {
            let found = CodecKind::from_name(&kind.to_string().to_lowercase()).unwrap();
            assert_eq!((found.name(), found.clock_rate()), (kind.name(), kind.clock_rate()));
            let found = CodecKind::from_name(&format!("{}/{}", kind.name(), kind.clock_rate())).unwrap();
            assert_eq!((found.name(), found.clock_rate()), (kind.name(), kind.clock_rate()));
            if let Some(payload_type) = kind.payload_type() {
                assert_eq!(CodecKind::from_payload_type(payload_type), Some(kind));
            }
        }
        assert_eq!(CodecKind::from_name("opus"), Some(CodecKind::Opus));
        assert_eq!(CodecKind::from_name("L16/48000"), Some(CodecKind::L16_48));
        assert_eq!(CodecKind::from_name("g729/8000"), Some(CodecKind::G729));
        for unknown in ["L16", "L16/11025", "G722/16000", "AMR", "PCMU/", "PCMU/8000/1", ""] {
            assert_eq!(CodecKind::from_name(unknown), None, "{unknown}");
        }
        assert_eq!(CodecKind::from_payload_type(9), Some(CodecKind::G722));
        assert_eq!(CodecKind::from_payload_type(2), None);
    }

    #[test]
    fn those_that_run_are_built_and_the_others_say_that_they_do_not() {
        assert!(CodecKind::KNOWN.starts_with(&[CodecKind::Pcmu, CodecKind::Pcma]), "G.711 first");
        assert!(CodecKind::ALL.iter().all(|kind| CodecKind::KNOWN.contains(kind)));
        for &kind in CodecKind::KNOWN {
            assert_eq!(kind.is_runnable(), CodecKind::ALL.contains(&kind), "{kind}");
            if kind.is_runnable() {
                assert_eq!(kind.encoder().unwrap().kind(), kind);
                assert_eq!(kind.decoder().unwrap().kind(), kind);
            } else {
                assert_eq!(kind.encoder().err(), Some(CodecError::NotRunnable { kind }));
                assert_eq!(kind.decoder().err(), Some(CodecError::NotRunnable { kind }));
            }
        }
        let why = CodecKind::G729.encoder().err().unwrap().to_string();
        assert!(why.contains("G729") && why.contains("cannot be encoded or decoded"), "{why}");
    }

    #[test]
    fn packet_arithmetic_agrees_with_itself() {
        for &kind in CodecKind::KNOWN {
            let samples = kind.packet_samples(kind.default_frames_per_packet());
            let ms = samples * 1_000 / kind.sample_rate() as usize;
            let long = kind.sample_rate() > 16_000 && kind.name() == "L16";
            let want = if long { 10 } else { if kind.frame_samples() == 240 { 30 } else { 20 } };
            assert_eq!(ms, want, "{kind:?}");
            assert_eq!(kind.samples_to_ticks(samples) as usize * 1_000, ms * kind.clock_rate() as usize);
            assert_eq!(kind.ticks_to_samples(kind.samples_to_ticks(samples)), samples);
            assert_eq!(kind.whole_packet(samples), samples);
            assert_eq!(kind.whole_packet(0), kind.frame_samples());
            let octets = kind.samples_to_octets(samples);
            assert!(octets <= 1_460, "{kind:?} passes an Ethernet whole");
            if !kind.is_opus() {
                assert_eq!(octets, kind.frame_octets() * kind.default_frames_per_packet());
                assert_eq!(kind.whole_packet(samples + kind.frame_samples() - 1), samples);
            }
        }
    }

    #[test]
    fn opus_packets_have_the_lengths_that_opus_has() {
        for (ms, whole) in [(0, 2.5), (3, 2.5), (5, 5.0), (19, 10.0), (30, 20.0), (90, 80.0), (500, 120.0)] {
            for kind in [CodecKind::Opus, CodecKind::OpusWideband, CodecKind::OpusNarrowband] {
                let per_ms = kind.sample_rate() as usize / 1_000;
                assert_eq!(kind.whole_packet(ms * per_ms), (whole * per_ms as f64) as usize, "{ms} ms");
            }
        }
    }
}
