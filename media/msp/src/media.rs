//! What all calls of a provider share: configuration, the headless clock, the sound host, conferences.
//! In: a checked configuration. Out: engines, playouts and offers made to it.
//! Not here: any call's state (`call.rs`), threads (`service.rs`).

use std::sync::{Arc, OnceLock};

use offhook_codecs::{CodecKind, CodecSettings, Decoder};
use offhook_device::{Sound, StreamRequest};
use offhook_engine::{
    Control, EngineConfig, PassedThrough, RxFormat, RxProcessor, SenderIdentity, Ticker, TxFormat,
    TxProcessor, split,
};
use offhook_jitter::{Playout, PlayoutConfig};
use offhook_net::PortRange;
use offhook_pair::{Codec, CodecOffer, Redundancy};
use offhook_rtp::PayloadTypes;

use crate::MspConfig;
use crate::config::DYNAMIC;
use crate::terminal::Conferences;

/// The most sound in a packet that a peer may send, in milliseconds; of Opus, what RFC 7587 §4.2 allows.
const MAX_PACKET_MS: u16 = 60;
const MAX_OPUS_PACKET_MS: u16 = 120;
/// The least bit rate of Opus (RFC 6716 §2.1.1).
const LEAST_OPUS_BIT_RATE: u32 = 6_000;
/// The static payload type of comfort noise, and its clock, Hz (RFC 3389 §4).
const COMFORT_NOISE: u8 = 13;
const COMFORT_NOISE_CLOCK: u32 = 8_000;
/// The most octets of a payload, so that its datagram passes an Ethernet whole: 1500 without IPv6, UDP and RTP.
const MAX_PAYLOAD: usize = 1_500 - 40 - 8 - 12;

/// What the peer says of what it takes in a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PeerTakes {
    /// Bits a second at most, if it said.
    pub(crate) max_bit_rate: Option<u32>,
    /// Comfort noise of RFC 3389 beside the codec.
    pub(crate) comfort_noise: bool,
    /// Copies of packets within later ones (RFC 2198).
    pub(crate) redundancy: Option<Redundancy>,
}

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
        let usual = EngineConfig::new(self.sample_rate());
        // What listens for digits takes a place beside the terminals'.
        let max_nodes = usual.max_nodes + usize::from(self.config.inband_digits);
        split(EngineConfig { sender, max_nodes, ..usual })
    }

    /// What is offered to the peer, most wanted first. `passes_packets`: the call's streams may carry packets of
    /// codecs that do not run here.
    pub(crate) fn offers(&self, passes_packets: bool) -> Vec<CodecOffer> {
        let mut free = DYNAMIC.filter(|payload_type| Some(*payload_type) != self.config.telephone_event);
        let mut offers: Vec<CodecOffer> = Vec::new();
        for kind in self.config.offered().filter(|kind| passes_packets || kind.is_runnable()) {
            let Some(codec) = to_pair(kind) else { continue };
            if offers.iter().any(|offer| offer.codec == codec) {
                // The same on the wire.
                continue;
            }
            let Some(payload_type) = kind.payload_type().or_else(|| free.next()) else { break };
            let max_packet_ms = whole_ms(kind, longest_packet_ms(kind).max(self.config.packet_ms));
            let packet_ms = whole_ms(kind, self.config.packet_ms);
            offers.push(CodecOffer { codec, payload_type, packet_ms, max_packet_ms });
        }
        offers
    }

    /// Packets with copies that we take and send, beside what else is offered: the highest payload type that is free. Not
    /// where the application's own packets may pass through, which it would have to take apart.
    pub(crate) fn redundancy(&self, codecs: &[CodecOffer]) -> Option<Redundancy> {
        let runs = |offer: &CodecOffer| self.codec(offer.codec).is_ok_and(CodecKind::is_runnable);
        let copies = self.config.redundancy.filter(|_| codecs.iter().all(runs))?;
        let taken = |number: &u8| {
            Some(*number) == self.config.telephone_event
                || codecs.iter().any(|offer| offer.payload_type == *number)
        };
        let payload_type = DYNAMIC.rev().find(|number| !taken(number))?;
        Some(Redundancy { payload_type, copies })
    }

    /// The codec that the pair's name means, if it is among ours.
    pub(crate) fn codec(&self, codec: Codec) -> Result<CodecKind, String> {
        let kind = self.config.offered().find(|kind| to_pair(*kind) == Some(codec));
        kind.ok_or_else(|| format!("codec {codec:?} is not ours"))
    }

    /// What sends `kind` in packets of `packet_ms` milliseconds, within what the peer takes.
    pub(crate) fn tx_format(
        &self,
        kind: CodecKind,
        payload_type: u8,
        packet_ms: u16,
        peer: PeerTakes,
    ) -> Result<TxFormat, String> {
        let samples = u64::from(packet_ms) * u64::from(kind.sample_rate()) / 1_000;
        let samples = usize::try_from(samples).unwrap_or(usize::MAX);
        if !kind.is_runnable() {
            let format = TxFormat::passed_through(kind, payload_type, samples);
            return format.at_rate(self.sample_rate()).map_err(|why| why.to_string());
        }
        let settings = within(self.config.codec_settings, peer.max_bit_rate);
        let encoder = kind.encoder_with(&settings).map_err(|why| why.to_string())?;
        let mut format = TxFormat::with_encoder(encoder, payload_type, samples);
        // Opus has its own means; payload type 13 has a clock of 8 kHz.
        if self.config.silence_suppression && peer.comfort_noise && kind.clock_rate() == COMFORT_NOISE_CLOCK {
            format = format.with_comfort_noise(COMFORT_NOISE).map_err(|why| why.to_string())?;
        }
        if let Some(Redundancy { payload_type, copies }) = peer.redundancy {
            format = format.with_redundancy(payload_type, usize::from(copies), MAX_PAYLOAD);
        }
        format.at_rate(self.sample_rate()).map_err(|why| why.to_string())
    }

    /// A decoder for `kind`; of a codec that does not run here one that knows how long packets last and nothing more.
    pub(crate) fn decoder(&self, kind: CodecKind) -> Result<Box<dyn Decoder + Send>, String> {
        if kind.is_runnable() {
            return kind.decoder_with(&self.config.codec_settings).map_err(|why| why.to_string());
        }
        Ok(Box::new(PassedThrough::new(kind)))
    }

    /// A playout for `kind`, with room for every other codec of ours that has its rates.
    pub(crate) fn rx_format(&self, kind: CodecKind, payload_types: PayloadTypes) -> Result<RxFormat, String> {
        let usual = PlayoutConfig::for_codec(kind);
        let longest_ms = self.config.max_playout_ms as usize;
        let rates = |kind: CodecKind| (kind.sample_rate(), kind.clock_rate());
        let alike = || self.config.offered().filter(|other| rates(*other) == rates(kind)).chain([kind]);
        let octets = |kind: CodecKind, ms: u16| {
            kind.samples_to_octets(kind.ticks_to_samples(u32::from(ms) * (kind.clock_rate() / 1_000)))
        };
        let largest = alike().map(|kind| octets(kind, longest_packet_ms(kind)).min(MAX_PAYLOAD)).max();
        let a_second = alike().map(|kind| match to_pair(kind) {
            // What a codec of variable size may take is far from what it does: 128 kbit/s.
            Some(Codec::Opus) => 16_000,
            _ => octets(kind, 1_000),
        });
        let config = PlayoutConfig {
            // Packets of 10 ms or longer; of Opus, of 2.5 ms.
            max_packets: usual.max_packets.max(match to_pair(kind) {
                Some(Codec::Opus) => longest_ms * 2 / 5,
                _ => longest_ms / 10,
            }),
            max_payload: usual.max_payload.max(largest.unwrap_or_default()),
            // Twice what is needed.
            max_octets: usual.max_octets.max(a_second.max().unwrap_or_default() * longest_ms / 500),
            min_delay_ms: self.config.min_playout_ms,
            max_delay_ms: self.config.max_playout_ms,
            ..usual
        };
        let playout = Playout::new(config, self.decoder(kind)?).map_err(|why| why.to_string())?;
        let mut format = RxFormat::with_playout(playout, payload_types);
        if kind.clock_rate() == COMFORT_NOISE_CLOCK {
            format = format.with_comfort_noise(COMFORT_NOISE);
        }
        format.at_rate(self.sample_rate()).map_err(|why| why.to_string())
    }
}

/// The settings, with no more than a peer takes.
fn within(mut settings: CodecSettings, max_bit_rate: Option<u32>) -> CodecSettings {
    if let Some(most) = max_bit_rate {
        settings.opus.bitrate = settings.opus.bitrate.min(most).max(LEAST_OPUS_BIT_RATE);
    }
    settings
}

/// The longest packet of a codec that we take, in milliseconds.
fn longest_packet_ms(kind: CodecKind) -> u16 {
    if to_pair(kind) == Some(Codec::Opus) { MAX_OPUS_PACKET_MS } else { MAX_PACKET_MS }
}

/// At most `ms` milliseconds of a codec, whole packets that pass an Ethernet whole.
fn whole_ms(kind: CodecKind, ms: u16) -> u16 {
    let rate = kind.sample_rate().max(1) as usize;
    let mut samples = kind.whole_packet(usize::from(ms) * rate / 1_000);
    while samples > kind.frame_samples() && kind.samples_to_octets(samples) > MAX_PAYLOAD {
        samples = kind.whole_packet(samples - kind.frame_samples());
    }
    // 2.5 ms are told as 3.
    u16::try_from((samples * 1_000).div_ceil(rate)).unwrap_or(u16::MAX)
}

/// The pair's name for a codec. Opus is one codec on the wire whatever its samples here.
pub(crate) fn to_pair(kind: CodecKind) -> Option<Codec> {
    Some(match kind {
        CodecKind::Pcmu => Codec::Pcmu,
        CodecKind::Pcma => Codec::Pcma,
        CodecKind::G722 => Codec::G722,
        CodecKind::Gsm => Codec::Gsm,
        CodecKind::G726_16 => Codec::G726_16,
        CodecKind::G726_24 => Codec::G726_24,
        CodecKind::G726_32 => Codec::G726_32,
        CodecKind::G726_40 => Codec::G726_40,
        CodecKind::Aal2G726_16 => Codec::Aal2G726_16,
        CodecKind::Aal2G726_24 => Codec::Aal2G726_24,
        CodecKind::Aal2G726_32 => Codec::Aal2G726_32,
        CodecKind::Aal2G726_40 => Codec::Aal2G726_40,
        CodecKind::L16_8 => Codec::L16_8,
        CodecKind::L16_16 => Codec::L16_16,
        CodecKind::L16_44 => Codec::L16_44,
        CodecKind::L16_48 => Codec::L16_48,
        CodecKind::Opus | CodecKind::OpusWideband | CodecKind::OpusNarrowband => Codec::Opus,
        CodecKind::G729 => Codec::G729,
        CodecKind::G7231 => Codec::G7231,
        CodecKind::Ilbc20 => Codec::Ilbc20,
        CodecKind::Ilbc30 => Codec::Ilbc30,
        CodecKind::G7221_24 => Codec::G7221_24,
        CodecKind::G7221_32 => Codec::G7221_32,
        CodecKind::Speex => Codec::Speex,
        CodecKind::SpeexWideband => Codec::SpeexWideband,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_has_a_name_of_its_own_in_the_pair() {
        let mut names: Vec<Codec> = CodecKind::KNOWN.iter().filter_map(|kind| to_pair(*kind)).collect();
        assert_eq!(names.len(), CodecKind::KNOWN.len());
        names.dedup();
        // The three rates of Opus are one.
        assert_eq!(names.len(), CodecKind::KNOWN.len() - 2);
    }

    #[test]
    fn packets_are_what_the_codec_makes_and_pass_an_ethernet_whole() {
        for (kind, asked, got) in [
            (CodecKind::Pcmu, 20, 20),
            (CodecKind::Gsm, 50, 40),
            (CodecKind::Gsm, 3, 20),
            (CodecKind::Opus, 3, 3),
            (CodecKind::Opus, 30, 20),
            (CodecKind::Opus, 120, 120),
            (CodecKind::L16_16, 60, 45),
            (CodecKind::L16_48, 20, 15),
            (CodecKind::L16_44, 20, 10),
            (CodecKind::G722, 60, 60),
        ] {
            assert_eq!(whole_ms(kind, asked), got, "{kind:?} {asked}");
        }
    }
}
