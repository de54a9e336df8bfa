//! What coders do: the traits, their errors and their settings.
//! In: samples, or the payload of one packet. Out: the other.
//! Not here: which codecs there are (`kind.rs`), the algorithms (one file each).
//! RT: no allocation, lock, syscall, log or panic.

use crate::CodecKind;
use crate::g722::G722Mode;
use crate::opus::OpusSettings;

/// What an encoder or decoder is to be, where its codec leaves a choice.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CodecSettings {
    /// How Opus is encoded.
    pub opus: OpusSettings,
    /// How many bits of an octet of G.722 are sound: 64 kbit/s unless told otherwise, as all of RTP has it.
    pub g722_mode: G722Mode,
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
    /// This build knows the codec but has no code for it: its packets can be passed on, not heard.
    #[error("{kind} is known to this build but cannot be encoded or decoded by it")]
    NotRunnable {
        /// The codec.
        kind: CodecKind,
    },
    /// A setting is out of its range.
    #[error("unusable setting: {0}")]
    Settings(&'static str),
    /// The codec's library failed.
    #[error("the codec failed: {0}")]
    Library(&'static str),
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
    fn payload_samples(&self, payload: &[u8]) -> usize {
        self.kind().payload_samples(payload)
    }

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

    /// Hears what was played in place of a packet that is lost and that [`Self::conceal`] did not make up: codecs that
    /// predict (G.722, G.726) go on from there, and not from where the loss began.
    fn concealed(&mut self, pcm: &[i16]) {
        let _ = pcm;
    }

    /// Forgets the past, as for a new stream.
    fn reset(&mut self) {}
}
