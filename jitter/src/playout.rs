//! The engine of playout: packets in, samples out. First, plain form: in order, without adaptation.
//! RT: no allocation, lock, syscall, log or panic (except in [`Playout::new`]).

use offhook_codecs::{CodecKind, Decoder};

use crate::store::Store;
use crate::{ConfigError, Insert, PlayoutConfig, PlayoutPacket, PlayoutStats, Pulled};

/// Adaptive playout of one RTP stream.
pub struct Playout {
    config: PlayoutConfig,
    decoder: Box<dyn Decoder + Send>,
    store: Store,
    next: Option<i64>,
    pcm: Vec<i16>,
    ready: std::ops::Range<usize>,
    timestamp: u32,
    stats: PlayoutStats,
}

impl Playout {
    /// A playout that decodes with `decoder`, whose rates must be the configuration's.
    pub fn new(config: PlayoutConfig, decoder: Box<dyn Decoder + Send>) -> Result<Playout, ConfigError> {
        config.check()?;
        if !fits(&config, decoder.kind()) {
            return Err(ConfigError::Decoder);
        }
        Ok(Playout {
            store: Store::new(config.max_packets, config.max_payload),
            pcm: vec![0; config.samples(config.max_packet_ms)],
            config,
            decoder,
            next: None,
            ready: 0..0,
            timestamp: 0,
            stats: PlayoutStats::default(),
        })
    }

    /// Takes a packet in.
    pub fn insert(&mut self, packet: PlayoutPacket<'_>) -> Insert {
        self.stats.packets_received += 1;
        let samples = self.decoder.payload_samples(packet.payload);
        let near = self.next.unwrap_or(i64::from(packet.sequence));
        let sequence = near + i64::from(packet.sequence.wrapping_sub(near as u16) as i16);
        if samples < 2 || samples > self.pcm.len() {
            self.stats.packets_malformed += 1;
            return Insert::Malformed;
        }
        if sequence < near {
            self.stats.packets_late += 1;
            return Insert::Late;
        }
        if self.store.contains(sequence) {
            self.stats.packets_duplicate += 1;
            return Insert::Duplicate;
        }
        let position = i64::from(packet.timestamp);
        if !self.store.insert(sequence, position, samples, packet.arrival_ns, packet.payload) {
            self.stats.packets_malformed += 1;
            return Insert::Malformed;
        }
        self.next.get_or_insert(sequence);
        Insert::Queued
    }

    /// Fills `out` with the next samples, to be heard from `now_ns` on.
    pub fn pull(&mut self, now_ns: u64, out: &mut [i16]) -> Pulled {
        let _ = now_ns;
        let mut pulled =
            Pulled { timestamp: self.next.is_some().then_some(self.timestamp), ..Pulled::default() };
        for sample in out {
            if self.ready.is_empty()
                && let Some(entry) = self.next.and_then(|next| self.store.first_from(next))
            {
                let decoded = self.decoder.decode(self.store.payload(&entry), &mut self.pcm).unwrap_or(0);
                self.store.remove(entry.sequence);
                self.next = Some(entry.sequence + 1);
                self.ready = 0..decoded;
                self.timestamp = entry.position as u32;
            }
            *sample = match self.ready.next() {
                Some(at) => {
                    self.timestamp = self.timestamp.wrapping_add(1);
                    pulled.decoded += 1;
                    self.pcm.get(at).copied().unwrap_or(0)
                }
                None => {
                    pulled.silence += 1;
                    0
                }
            };
        }
        pulled
    }

    /// Counts so far.
    pub fn stats(&self) -> PlayoutStats {
        self.stats
    }

    /// Forgets the stream, as for a new one (another SSRC): what waits is discarded, what the network has taught
    /// is forgotten. Counts go on.
    pub fn reset(&mut self) {
        self.store.clear();
        self.decoder.reset();
        self.next = None;
        self.ready = 0..0;
        self.stats.resets += 1;
    }

    /// Exchanges the decoder and hands the old one back, to be dropped off the real-time path. What waits undecoded
    /// is discarded. A decoder of other rates than the configuration's is handed back as the error.
    pub fn set_decoder(
        &mut self,
        decoder: Box<dyn Decoder + Send>,
    ) -> Result<Box<dyn Decoder + Send>, Box<dyn Decoder + Send>> {
        if !fits(&self.config, decoder.kind()) {
            return Err(decoder);
        }
        self.store.clear();
        Ok(std::mem::replace(&mut self.decoder, decoder))
    }

    /// What the present decoder decodes.
    pub fn codec(&self) -> CodecKind {
        self.decoder.kind()
    }
}

fn fits(config: &PlayoutConfig, kind: CodecKind) -> bool {
    kind.sample_rate() == config.sample_rate && kind.clock_rate() == config.clock_rate
}

impl std::fmt::Debug for Playout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Playout")
            .field("config", &self.config)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}
