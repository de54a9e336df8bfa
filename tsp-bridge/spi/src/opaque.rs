//! The opaque buffer: bytes that TSP and MSP exchange and nobody between them reads.
//!
//! In and out: [`Opaque`], at most [`Opaque::MAX`] octets, shared without copying.
//! Not here: any parser. `offhook-pair` has the words of our own pair; another pair has others.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::LineError;

/// An opaque buffer of 0 to [`Opaque::MAX`] octets. Alias `LINE_SENDMSPDATA`, `MSP_TSP_DATA`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct Opaque(Bytes);

impl Opaque {
    /// The most octets that one buffer may hold.
    pub const MAX: usize = 64 * 1024;

    /// Wraps `bytes`; [`LineError::StructureTooLarge`] if there are too many.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, LineError> {
        let bytes = bytes.into();
        if bytes.len() > Self::MAX {
            return Err(LineError::StructureTooLarge);
        }
        Ok(Self(bytes))
    }

    /// The octets, for the provider at the far end.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many octets there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Shows the length only: what is opaque stays so in logs.
impl std::fmt::Debug for Opaque {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opaque({} octets)", self.0.len())
    }
}

impl TryFrom<Vec<u8>> for Opaque {
    type Error = LineError;

    fn try_from(bytes: Vec<u8>) -> Result<Self, LineError> {
        Self::new(bytes)
    }
}

impl From<Opaque> for Bytes {
    fn from(opaque: Opaque) -> Self {
        opaque.0
    }
}

impl From<Opaque> for Vec<u8> {
    fn from(opaque: Opaque) -> Self {
        opaque.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_holds_up_to_64_kib_and_not_an_octet_more() {
        assert_eq!(Opaque::new(vec![7; Opaque::MAX]).map(|o| o.len()), Ok(Opaque::MAX));
        assert_eq!(Opaque::new(vec![7; Opaque::MAX + 1]), Err(LineError::StructureTooLarge));
    }

    #[test]
    fn a_log_line_does_not_show_what_is_inside() {
        let o = Opaque::new(&b"secret key"[..]);
        assert_eq!(o.map(|o| format!("{o:?}")), Ok("Opaque(10 octets)".to_owned()));
    }
}
