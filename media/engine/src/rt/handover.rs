//! How one format of the receiving half follows another: at once, or with the first packet that is its own.
//! In: formats and decoders from control; each packet of the peer's. Out: which of them plays it; what is retired.
//!
//! A peer that changes its codec goes on sending the old one until it has heard that we take the new one, and its last
//! packets are on their way even then. Both payload types are taken meanwhile, and the old format plays until the new
//! one's first packet is here. Formats that share a payload type cannot be told apart: the new one plays at once.
//! Not here: what a format is (`command.rs`), what happens to playing at the change (`rx.rs`).
//! RT: no allocation, lock, syscall, log or panic.

use offhook_codecs::Decoder;
use offhook_rtp::PayloadTypes;

use crate::command::RxFormat;
use crate::trash::Trash;

/// A format, or a decoder of the same rates, that is to follow the one that plays.
pub(crate) enum Next {
    Format(Box<RxFormat>),
    Decoder(Box<dyn Decoder + Send>, PayloadTypes),
}

impl Next {
    /// Payload types of its sound.
    pub(crate) fn sound(&self) -> PayloadTypes {
        match self {
            Next::Format(format) => format.payload_types,
            Next::Decoder(_, payload_types) => *payload_types,
        }
    }

    /// Payload types of everything that it plays.
    pub(crate) fn all(&self) -> PayloadTypes {
        match self {
            Next::Format(format) => format.all_payload_types(),
            Next::Decoder(_, payload_types) => *payload_types,
        }
    }

    /// Whether it could take over from `format`, which may be none.
    pub(crate) fn suits(&self, format: Option<&RxFormat>) -> bool {
        match (self, format) {
            (Next::Format(_), _) => true,
            (Next::Decoder(..), None) => false,
            (Next::Decoder(decoder, _), Some(format)) => {
                let (kind, other) = (decoder.kind(), format.kind());
                (kind.sample_rate(), kind.clock_rate()) == (other.sample_rate(), other.clock_rate())
            }
        }
    }

    /// On its way to be dropped.
    pub(crate) fn into_trash(self) -> Trash {
        match self {
            Next::Format(format) => Trash::RxFormat(format),
            Next::Decoder(decoder, _) => Trash::Decoder(decoder),
        }
    }
}
