//! A codec whose packets only pass through: it sends nothing of its own and hears nothing in what comes.
//! In: samples, payloads. Out: no octets; silence as long as the payload lasts, so that the stream keeps its time.
//! Not here: the packets themselves (`packet_tap.rs`).
//! RT: no allocation, lock, syscall, log or panic.

use offhook_codecs::{CodecError, CodecKind, Decoder, Encoder};

/// Stands in for the encoder or decoder of a codec that this build cannot run, beside an injector or a tap of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassedThrough {
    kind: CodecKind,
}

impl PassedThrough {
    /// In the place of `kind`.
    pub const fn new(kind: CodecKind) -> PassedThrough {
        PassedThrough { kind }
    }
}

impl Encoder for PassedThrough {
    fn kind(&self) -> CodecKind {
        self.kind
    }

    fn encode(&mut self, _: &[i16], _: &mut [u8]) -> Result<usize, CodecError> {
        Ok(0)
    }
}

impl Decoder for PassedThrough {
    fn kind(&self) -> CodecKind {
        self.kind
    }

    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        let needed = self.kind.payload_samples(payload);
        let available = out.len();
        let silence = out.get_mut(..needed).ok_or(CodecError::OutputTooSmall { needed, available })?;
        silence.fill(0);
        Ok(needed)
    }
}
