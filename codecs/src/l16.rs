//! Linear 16-bit samples in network order (RFC 3551 §4.5.11), mono.
//! In: samples or octets. Out: the other.
//! RT: no allocation, lock, syscall, log or panic.

use crate::CodecKind;
use crate::codec::{CodecError, Decoder, Encoder};

/// L16 at one of its rates as [`Encoder`] and [`Decoder`]; it keeps no state.
#[derive(Debug, Clone)]
pub(crate) struct L16 {
    kind: CodecKind,
}

impl L16 {
    /// A coder of `kind`.
    pub(crate) const fn new(kind: CodecKind) -> L16 {
        L16 { kind }
    }
}

impl Encoder for L16 {
    fn kind(&self) -> CodecKind {
        self.kind
    }

    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        let (needed, available) = (pcm.len() * 2, out.len());
        let out = out.get_mut(..needed).ok_or(CodecError::OutputTooSmall { needed, available })?;
        for (octets, sample) in out.as_chunks_mut::<2>().0.iter_mut().zip(pcm) {
            *octets = sample.to_be_bytes();
        }
        Ok(needed)
    }
}

impl Decoder for L16 {
    fn kind(&self) -> CodecKind {
        self.kind
    }

    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        let (samples, []) = payload.as_chunks::<2>() else {
            return Err(CodecError::MalformedPayload { octets: payload.len() });
        };
        let (needed, available) = (samples.len(), out.len());
        let out = out.get_mut(..needed).ok_or(CodecError::OutputTooSmall { needed, available })?;
        for (sample, octets) in out.iter_mut().zip(samples) {
            *sample = i16::from_be_bytes(*octets);
        }
        Ok(needed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_travel_high_octet_first() {
        let mut coder = L16::new(CodecKind::L16_16);
        let mut octets = [0; 6];
        assert_eq!(coder.encode(&[0x1234, -2, i16::MIN], &mut octets), Ok(6));
        assert_eq!(octets, [0x12, 0x34, 0xFF, 0xFE, 0x80, 0x00]);
        let mut pcm = [0; 3];
        assert_eq!(coder.decode(&octets, &mut pcm), Ok(3));
        assert_eq!(pcm, [0x1234, -2, i16::MIN]);
        assert_eq!(coder.decode(&octets[..5], &mut pcm), Err(CodecError::MalformedPayload { octets: 5 }));
        let too_small = Err(CodecError::OutputTooSmall { needed: 3, available: 2 });
        assert_eq!(coder.decode(&octets, &mut pcm[..2]), too_small);
        assert!(coder.encode(&pcm, &mut octets[..5]).is_err());
    }
}
