//! What a media provider is told when it is made.
//! In: the application's wishes. Out: a checked [`MspConfig`], or [`StartError`].
//! Not here: what a call agrees on (`media.rs`).

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use offhook_codecs::{CodecError, CodecKind, CodecSettings};
use offhook_device::Sound;
use offhook_engine::TickerError;
use offhook_net::{PortRange, PortRangeError};
use offhook_rtp::{MAX_COPIES, SdesKind};

use crate::PacketTap;

/// Packet lengths that can be sent, in milliseconds.
const PACKET_MS: RangeInclusive<u16> = 3..=120;
/// Dynamic payload types (RFC 3551 §6; dynamicRTPPayloadType of H.245).
pub(crate) const DYNAMIC: RangeInclusive<u8> = 96..=127;
/// The rate of calls that only pass packets on.
const G711_RATE: u32 = 8_000;
/// Periods that sound cards can be asked for, in microseconds.
const CARD_PERIOD_US: RangeInclusive<u32> = 500..=100_000;
/// Silences that can be told of, in milliseconds: shorter ones are pauses of packets.
const MEDIA_TIMEOUT_MS: RangeInclusive<u32> = 100..=3_600_000;
/// The longest playout delay that can be asked for, in milliseconds.
const LONGEST_PLAYOUT_MS: u32 = 5_000;

/// Whose media a call hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Latch {
    /// The host that signalling tells, from the port that proves itself.
    #[default]
    Negotiated,
    /// Any host, for peers behind address translation: whoever proves itself first, until it falls silent for two
    /// seconds; and media go back to where they come from. A stranger that guesses the port in time is heard.
    Any,
}

/// How a media provider is made.
#[derive(Clone)]
pub struct MspConfig {
    /// The local address of media; `None` chooses, call by call, the one that reaches the peer.
    pub bind: Option<IpAddr>,
    /// Codecs, most wanted first. One that cannot run here ([`CodecKind::is_runnable`]) is offered to calls whose
    /// streams carry the application's own packets: an RTP injector, an RTP tap.
    pub codecs: Vec<CodecKind>,
    /// Whether G.711 is offered last where `codecs` does not name it. Every H.323 endpoint has G.711 (H.323 6.2.5): a call
    /// without it fails where nothing else is common.
    pub g711_fallback: bool,
    /// How codecs encode, where they leave a choice.
    pub codec_settings: CodecSettings,
    /// Whether nothing is sent while nothing is said (discontinuous transmission): Opus by its own means, the others by
    /// comfort noise of RFC 3389 now and then where the far end takes that, else not at all.
    pub silence_suppression: bool,
    /// Copies of the packets before it that each packet holds (RFC 2198), up to 4, where the far end takes such packets; we
    /// take them too then. 0 takes them and sends none; `None` does neither. A copy costs as much as the packet, and makes
    /// good what the network loses at the price of playing a packet later.
    pub redundancy: Option<u8>,
    /// Milliseconds of sound in a packet that is sent, unless the call agrees otherwise: 3 to 120, rounded down to
    /// what the codec can make. 3 is 2.5 ms of Opus.
    pub packet_ms: u16,
    /// The RTP payload type, 96 to 127, under which digits are taken as telephone-events (RFC 4733); `None`: they are
    /// not taken, and the TSP sends its own by other ways.
    pub telephone_event: Option<u8>,
    /// Whether digits are also found as tones in the sound. Speech and music may be taken for some now and then.
    pub inband_digits: bool,
    /// Ports for RTP (even) and RTCP (odd).
    pub ports: RangeInclusive<u16>,
    /// Differentiated services code point of what is sent, 0 to 63.
    pub dscp: u8,
    /// Least playout delay, in milliseconds.
    pub min_playout_ms: u32,
    /// Greatest playout delay, in milliseconds.
    pub max_playout_ms: u32,
    /// The period that sound cards are asked for, in microseconds. A card that does not keep up gets longer ones.
    pub card_period_us: u32,
    /// Milliseconds without a packet after which a render stream is told to be inactive (`MEDIA_TIMEOUT`), until one comes
    /// again (`MEDIA_RECOVERED`): 100 to an hour's, or 0 for never.
    pub media_timeout_ms: u32,
    /// Whose media are heard.
    pub latch: Latch,
    /// Whether RTCP carries extended reports (RFC 3611): how we hear the far end, and reference times for the round trip
    /// of ends that do not send. What the far end tells is read in any case.
    pub extended_reports: bool,
    /// What RTCP tells of us beside a random CNAME (RFC 3550 §6.5).
    pub description: Vec<(SdesKind, String)>,
    /// Where sound cards are looked for; `None` is the system's default host.
    pub sound: Option<Arc<Sound>>,
    /// Hears every datagram sent and received.
    pub tap: Option<Arc<dyn PacketTap>>,
}

impl Default for MspConfig {
    /// G.711, 20 ms packets, telephone-events of payload type 101, ports 16384 to 32767, Expedited Forwarding,
    /// playout of up to half a second, five seconds of patience with a peer that sends nothing, only the negotiated host
    /// heard, no extended reports, nothing told of us.
    fn default() -> Self {
        Self {
            bind: None,
            codecs: vec![CodecKind::Pcmu, CodecKind::Pcma],
            g711_fallback: true,
            codec_settings: CodecSettings::default(),
            silence_suppression: false,
            redundancy: None,
            packet_ms: 20,
            telephone_event: Some(101),
            inband_digits: false,
            ports: 16_384..=32_767,
            dscp: 46,
            min_playout_ms: 0,
            max_playout_ms: 500,
            card_period_us: 10_000,
            media_timeout_ms: 5_000,
            latch: Latch::Negotiated,
            extended_reports: false,
            description: Vec::new(),
            sound: None,
            tap: None,
        }
    }
}

impl fmt::Debug for MspConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MspConfig")
            .field("bind", &self.bind)
            .field("codecs", &self.codecs)
            .field("packet_ms", &self.packet_ms)
            .field("ports", &self.ports)
            .field("latch", &self.latch)
            .finish_non_exhaustive()
    }
}

/// Why there is no media provider: the configuration, or a system without threads.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The list of codecs is empty.
    #[error("no codec is configured")]
    NoCodec,
    /// The settings of codecs are out of range.
    #[error("codec {0}: {1}")]
    CodecSettings(CodecKind, CodecError),
    /// The packet length is out of range.
    #[error("packets of {0} ms cannot be sent; 3 to 120 ms can")]
    PacketLength(u16),
    /// More copies than a packet may hold.
    #[error("{0} copies in a packet cannot be sent; up to {MAX_COPIES} can")]
    Redundancy(u8),
    /// The payload type of telephone-events is not dynamic.
    #[error("telephone-events of payload type {0} cannot be taken; 96 to 127 can")]
    EventPayloadType(u8),
    /// The bounds of playout delay are out of order or too large.
    #[error("playout delays from {0} to {1} ms are out of order or beyond 5000 ms")]
    Playout(u32, u32),
    /// The period of sound cards is out of range.
    #[error("sound cards cannot be asked for periods of {0} µs; 500 to 100000 µs can")]
    CardPeriod(u32),
    /// The patience with a silent peer is out of range.
    #[error("silence of {0} ms cannot be told of; 100 to 3600000 ms can, and 0 is never")]
    MediaTimeout(u32),
    /// The range of ports holds no pair.
    #[error(transparent)]
    Ports(#[from] PortRangeError),
    /// The clock of calls without a sound card did not start.
    #[error(transparent)]
    Ticker(#[from] TickerError),
    /// The system gave no thread.
    #[error("no thread for the media provider: {0}")]
    Thread(#[from] std::io::Error),
}

impl MspConfig {
    /// The ports, if everything is in order.
    pub(crate) fn check(&self) -> Result<PortRange, StartError> {
        if self.codecs.is_empty() {
            return Err(StartError::NoCodec);
        }
        for kind in self.codecs.iter().filter(|kind| kind.is_runnable()) {
            if let Err(why) = kind.encoder_with(&self.codec_settings) {
                return Err(StartError::CodecSettings(*kind, why));
            }
        }
        if !PACKET_MS.contains(&self.packet_ms) {
            return Err(StartError::PacketLength(self.packet_ms));
        }
        if let Some(copies) = self.redundancy.filter(|copies| usize::from(*copies) > MAX_COPIES) {
            return Err(StartError::Redundancy(copies));
        }
        if let Some(payload_type) = self.telephone_event.filter(|pt| !DYNAMIC.contains(pt)) {
            return Err(StartError::EventPayloadType(payload_type));
        }
        if !CARD_PERIOD_US.contains(&self.card_period_us) {
            return Err(StartError::CardPeriod(self.card_period_us));
        }
        if self.media_timeout_ms != 0 && !MEDIA_TIMEOUT_MS.contains(&self.media_timeout_ms) {
            return Err(StartError::MediaTimeout(self.media_timeout_ms));
        }
        if self.min_playout_ms > self.max_playout_ms || self.max_playout_ms > LONGEST_PLAYOUT_MS {
            return Err(StartError::Playout(self.min_playout_ms, self.max_playout_ms));
        }
        Ok(PortRange::new(*self.ports.start(), *self.ports.end())?)
    }

    /// The codecs that are offered, most wanted first.
    pub(crate) fn offered(&self) -> impl Iterator<Item = CodecKind> + '_ {
        let g711 = [CodecKind::Pcma, CodecKind::Pcmu];
        let has_g711 = self.codecs.iter().any(|kind| g711.contains(kind));
        let fallback = g711.into_iter().filter(move |_| self.g711_fallback && !has_g711);
        self.codecs.iter().copied().chain(fallback)
    }

    /// The rate at which calls run: the highest of the codecs'. Codecs of lower rates resample.
    pub(crate) fn sample_rate(&self) -> u32 {
        let runnable = self.offered().filter(|kind| kind.is_runnable());
        runnable.map(CodecKind::sample_rate).max().unwrap_or(G711_RATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_configuration_is_in_order() {
        let config = MspConfig::default();
        assert_eq!(config.check().ok(), Some(PortRange::default()));
        assert_eq!(config.sample_rate(), 8_000);
    }

    #[test]
    fn g711_is_offered_last_unless_it_is_named_or_refused() {
        use CodecKind::{G722, G729, Pcma, Pcmu};
        let offered = |codecs: &[CodecKind], g711_fallback| {
            let config = MspConfig { codecs: codecs.to_vec(), g711_fallback, ..MspConfig::default() };
            (config.offered().collect::<Vec<_>>(), config.sample_rate())
        };
        assert_eq!(offered(&[G722], true), (vec![G722, Pcma, Pcmu], 16_000));
        assert_eq!(offered(&[Pcmu, G722], true), (vec![Pcmu, G722], 16_000));
        assert_eq!(offered(&[G722], false), (vec![G722], 16_000));
        assert_eq!(offered(&[G729], false), (vec![G729], 8_000), "packets alone need no rate");
    }

    #[test]
    fn each_mistake_is_told_by_its_own_words() {
        let usual = MspConfig::default;
        let why =
            |config: MspConfig| config.check().map_or_else(|error| error.to_string(), |_| String::new());
        assert!(why(MspConfig { codecs: Vec::new(), ..usual() }).contains("no codec"));
        assert!(why(MspConfig { packet_ms: 0, ..usual() }).contains("0 ms"));
        assert!(why(MspConfig { packet_ms: 2, ..usual() }).contains("2 ms"));
        assert!(why(MspConfig { packet_ms: 500, ..usual() }).contains("500 ms"));
        assert!(why(MspConfig { redundancy: Some(5), ..usual() }).contains("5 copies"));
        assert!(why(MspConfig { telephone_event: Some(95), ..usual() }).contains("type 95"));
        assert!(why(MspConfig { card_period_us: 1, ..usual() }).contains("1 µs"));
        assert!(why(MspConfig { media_timeout_ms: 99, ..usual() }).contains("99 ms"));
        assert!(why(MspConfig { min_playout_ms: 9, max_playout_ms: 8, ..usual() }).contains("9 to 8 ms"));
        assert!(why(MspConfig { ports: 5_005..=5_005, ..usual() }).contains("5005"));
    }
}
