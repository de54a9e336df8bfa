//! What all calls of a provider share: configuration, the headless clock, the sound host, conferences.
//! In: a checked configuration. Out: engines, playouts and offers made to it.
//! Not here: any call's state (`call.rs`), threads (`service.rs`).

use std::sync::{Arc, OnceLock};

use offhook_codecs::CodecKind;
use offhook_device::{Sound, StreamRequest};
use offhook_engine::{
    Control, EngineConfig, FormatError, RxFormat, RxProcessor, SenderIdentity, Ticker, TxProcessor, split,
};
use offhook_jitter::{Playout, PlayoutConfig};
use offhook_net::PortRange;
use offhook_pair::{Codec, CodecOffer};
use offhook_rtp::PayloadTypes;

use crate::MspConfig;
use crate::terminal::Conferences;

/// The most sound in a packet that a peer may send, in milliseconds.
const MAX_PACKET_MS: u16 = 60;

/// Shared by every address and call.
pub(crate) struct Media {
    pub(crate) config: MspConfig,
    pub(crate) ports: PortRange,
    pub(crate) ticker: Ticker,
    pub(crate) conferences: Conferences,
    sound: OnceLock<Arc<Sound>>,
}

impl Media {
    pub(crate) fn new(config: MspConfig, ports: PortRange, ticker: Ticker) -> Self {
        Self { config, ports, ticker, conferences: Conferences::default(), sound: OnceLock::new() }
    }

    /// The rate of every call, Hz.
    pub(crate) fn sample_rate(&self) -> u32 {
        self.config.sample_rate()
    }

    /// The sound host, opened when it is first needed.
    pub(crate) fn sound(&self) -> &Sound {
        self.sound.get_or_init(|| self.config.sound.clone().unwrap_or_else(|| Arc::new(Sound::new())))
    }

    /// The sound host, if it was needed.
    pub(crate) fn sound_if_any(&self) -> Option<&Sound> {
        self.sound.get().map(Arc::as_ref)
    }

    /// What calls ask of a sound card.
    pub(crate) fn stream_request(&self) -> StreamRequest {
        StreamRequest { period_us: self.config.card_period_us, ..StreamRequest::new(self.sample_rate()) }
    }

    /// An engine for one call.
    pub(crate) fn engine(&self, sender: SenderIdentity) -> (Control, TxProcessor, RxProcessor) {
        split(EngineConfig { sender, ..EngineConfig::new(self.sample_rate()) })
    }

    /// What is offered to the peer, most wanted first.
    pub(crate) fn offers(&self) -> Vec<CodecOffer> {
        let offer = |kind: &CodecKind| {
            Some(CodecOffer {
                codec: to_pair(*kind)?,
                payload_type: kind.payload_type()?,
                packet_ms: self.config.packet_ms,
                max_packet_ms: MAX_PACKET_MS.max(self.config.packet_ms),
            })
        };
        self.config.codecs.iter().filter_map(offer).collect()
    }

    /// A playout for `kind`.
    pub(crate) fn rx_format(
        &self,
        kind: CodecKind,
        payload_types: PayloadTypes,
    ) -> Result<RxFormat, FormatError> {
        let usual = PlayoutConfig::for_codec(kind);
        let longest_ms = self.config.max_playout_ms as usize;
        let config = PlayoutConfig {
            // Twice what G.711 needs, in packets of 10 ms or longer.
            max_packets: usual.max_packets.max(longest_ms / 10),
            max_octets: usual.max_octets.max(longest_ms * 16),
            min_delay_ms: self.config.min_playout_ms,
            max_delay_ms: self.config.max_playout_ms,
            ..usual
        };
        Ok(RxFormat::with_playout(Playout::new(config, kind.decoder()?)?, payload_types))
    }
}

/// The pair's name for a codec.
fn to_pair(kind: CodecKind) -> Option<Codec> {
    match kind {
        CodecKind::Pcmu => Some(Codec::Pcmu),
        CodecKind::Pcma => Some(Codec::Pcma),
        _ => None,
    }
}

/// The codec that the pair's name means, if this build has it.
pub(crate) fn from_pair(codec: Codec) -> Option<CodecKind> {
    match codec {
        Codec::Pcmu => Some(CodecKind::Pcmu),
        Codec::Pcma => Some(CodecKind::Pcma),
        _ => None,
    }
}
