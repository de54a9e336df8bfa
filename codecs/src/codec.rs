//! What a codec is: its names, rates and packet arithmetic, and the traits that do the work.
//! In: a [`CodecKind`]. Out: boxed [`Encoder`]s and [`Decoder`]s, built once, off the real-time path.
//! Not here: the algorithms (one file each); payload-type negotiation (`signaling`).
//! RT: no allocation, lock, syscall, log or panic (except in the two factories).

use crate::g711;

/// An audio codec that offhook can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CodecKind {
    /// G.711 µ-law, 64 kbit/s.
    #[doc(alias = "g711Ulaw64k")]
    Pcmu,
    /// G.711 A-law, 64 kbit/s.
    #[doc(alias = "g711Alaw64k")]
    Pcma,
}

impl CodecKind {
    /// Every codec of this build, in the order of preference.
    pub const ALL: &'static [CodecKind] = &[CodecKind::Pcmu, CodecKind::Pcma];

    /// The RTP encoding name (RFC 3551 §6), as SDP and logs spell it.
    pub const fn name(self) -> &'static str {
        match self {
            CodecKind::Pcmu => "PCMU",
            CodecKind::Pcma => "PCMA",
        }
    }

    /// The codec of that name, whatever its case.
    pub fn from_name(name: &str) -> Option<CodecKind> {
        Self::ALL.iter().copied().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// The static RTP payload type (RFC 3551 table 4), if the codec has one.
    pub const fn payload_type(self) -> Option<u8> {
        match self {
            CodecKind::Pcmu => Some(0),
            CodecKind::Pcma => Some(8),
        }
    }

    /// The codec that owns a static RTP payload type.
    pub fn from_payload_type(payload_type: u8) -> Option<CodecKind> {
        Self::ALL.iter().copied().find(|kind| kind.payload_type() == Some(payload_type))
    }

    /// Samples a second of the PCM side, Hz.
    pub const fn sample_rate(self) -> u32 {
        match self {
            CodecKind::Pcmu | CodecKind::Pcma => 8_000,
        }
    }

    /// Ticks a second of the RTP timestamp, Hz. Not always the sample rate: G.722 samples at 16 kHz and
    /// counts at 8 kHz (RFC 3551 §4.5.2).
    pub const fn clock_rate(self) -> u32 {
        match self {
            CodecKind::Pcmu | CodecKind::Pcma => 8_000,
        }
    }

    /// RTP timestamp ticks that `samples` PCM samples last, rounded down.
    pub const fn samples_to_ticks(self, samples: usize) -> u32 {
        (samples as u128 * self.clock_rate() as u128 / self.sample_rate() as u128) as u32
    }

    /// PCM samples that `ticks` RTP timestamp ticks last, rounded down.
    pub const fn ticks_to_samples(self, ticks: u32) -> usize {
        (ticks as u64 * self.sample_rate() as u64 / self.clock_rate() as u64) as usize
    }

    /// PCM samples in one frame, the unit in which packets are sized and H.245 counts
    /// (`maxAl-sduAudioFrames`). G.711 has no frames; H.245 and H.225.0 count it in units of one millisecond.
    pub const fn frame_samples(self) -> usize {
        match self {
            CodecKind::Pcmu | CodecKind::Pcma => 8,
        }
    }

    /// Payload octets of one frame; for a codec of variable size, the most that one takes.
    pub const fn frame_octets(self) -> usize {
        match self {
            CodecKind::Pcmu | CodecKind::Pcma => 8,
        }
    }

    /// Frames in a packet unless the call agrees otherwise (20 ms, RFC 3551 §4.2).
    pub const fn default_frames_per_packet(self) -> usize {
        match self {
            CodecKind::Pcmu | CodecKind::Pcma => 20,
        }
    }

    /// PCM samples in a packet of `frames` frames.
    pub const fn packet_samples(self, frames: usize) -> usize {
        self.frame_samples() * frames
    }

    /// Payload octets that `samples` PCM samples become (at most, for a codec of variable size).
    pub const fn samples_to_octets(self, samples: usize) -> usize {
        match self {
            CodecKind::Pcmu | CodecKind::Pcma => samples,
        }
    }

    /// PCM samples that `octets` payload octets hold, for a codec of constant rate.
    pub const fn octets_to_samples(self, octets: usize) -> usize {
        match self {
            CodecKind::Pcmu | CodecKind::Pcma => octets,
        }
    }

    /// Builds an encoder. Allocates: not for the real-time path.
    pub fn encoder(self) -> Box<dyn Encoder + Send> {
        match self {
            CodecKind::Pcmu => Box::new(g711::Codec::new(g711::Law::Mu)),
            CodecKind::Pcma => Box::new(g711::Codec::new(g711::Law::A)),
        }
    }

    /// Builds a decoder. Allocates: not for the real-time path.
    pub fn decoder(self) -> Box<dyn Decoder + Send> {
        match self {
            CodecKind::Pcmu => Box::new(g711::Codec::new(g711::Law::Mu)),
            CodecKind::Pcma => Box::new(g711::Codec::new(g711::Law::A)),
        }
    }
}

impl std::fmt::Display for CodecKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a block was not coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The caller's output slice cannot hold the result; nothing was written.
    #[error("output too small: {needed} needed, {available} available")]
    OutputTooSmall {
        /// Elements that the result takes.
        needed: usize,
        /// Elements that the slice has.
        available: usize,
    },
    /// The caller's block is not a whole number of frames.
    #[error("{samples} samples are not whole frames of {frame}")]
    PartialFrame {
        /// Samples handed in.
        samples: usize,
        /// Samples of one frame.
        frame: usize,
    },
    /// The peer's payload is not this codec's.
    #[error("malformed payload of {octets} octets")]
    MalformedPayload {
        /// Octets handed in.
        octets: usize,
    },
}

/// Turns samples into the payload of one packet. One a direction of a call: it may keep state.
pub trait Encoder {
    /// What this encodes.
    fn kind(&self) -> CodecKind;

    /// Encodes `pcm` (whole frames, at [`CodecKind::sample_rate`]) into the start of `out`; returns the octets
    /// written. No octets (discontinuous transmission) is a legal result.
    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError>;

    /// Forgets the past, as for a new stream.
    fn reset(&mut self) {}
}

/// Turns the payload of one packet into samples. One a stream: it may keep state.
pub trait Decoder {
    /// What this decodes.
    fn kind(&self) -> CodecKind;

    /// PCM samples that `decode` would write for `payload`; 0 if it is not a legal payload.
    fn payload_samples(&self, payload: &[u8]) -> usize;

    /// Decodes one packet into the start of `out`; returns the samples written.
    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError>;

    /// Fills `out` with the codec's own concealment of the packet that follows the last one, and tells that it
    /// did. `false` (no such means; `out` untouched): the caller conceals from the waveform.
    fn conceal(&mut self, out: &mut [i16]) -> bool {
        let _ = out;
        false
    }

    /// Fills `out` with the packet that was lost before `next_payload`, from what that carries of it (Opus in-band
    /// FEC), and tells that it did; `next_payload` is decoded afterwards as usual. `false` (it carries nothing;
    /// `out` untouched): the packet is concealed.
    fn recover_lost(&mut self, next_payload: &[u8], out: &mut [i16]) -> bool {
        let _ = (next_payload, out);
        false
    }

    /// Forgets the past, as for a new stream.
    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_is_found_by_its_name_and_by_its_payload_type() {
        for &kind in CodecKind::ALL {
            assert_eq!(CodecKind::from_name(&kind.name().to_lowercase()), Some(kind));
            if let Some(payload_type) = kind.payload_type() {
                assert_eq!(CodecKind::from_payload_type(payload_type), Some(kind));
            }
            assert_eq!(kind.encoder().kind(), kind);
            assert_eq!(kind.decoder().kind(), kind);
        }
        assert_eq!(CodecKind::from_name("opus"), None);
        assert_eq!(CodecKind::from_payload_type(9), None);
    }

    #[test]
    fn packet_arithmetic_agrees_with_itself() {
        for &kind in CodecKind::ALL {
            let samples = kind.packet_samples(kind.default_frames_per_packet());
            assert_eq!(samples * 50, kind.sample_rate() as usize, "20 ms");
            assert_eq!(kind.samples_to_ticks(samples) * 50, kind.clock_rate());
            assert_eq!(kind.ticks_to_samples(kind.samples_to_ticks(samples)), samples);
            assert_eq!(kind.octets_to_samples(kind.samples_to_octets(samples)), samples);
            assert_eq!(
                kind.samples_to_octets(samples),
                kind.frame_octets() * kind.default_frames_per_packet()
            );
        }
    }
}
