//! The engine of playout: keeps the stream's place and carries out what the decision says.
//! In: packets ([`Playout::insert`]) and pulls ([`Playout::pull`]), each with its time. Out: samples.
//!
//! ```text
//!  Waiting ──deadline of the first packet──▶ Playing ◀──packet (merge)──▶ Concealing ──300 ms─▶ Muted
//!     ▲                                                                                          │
//!     └────────────────── reset ────────────────      Muted ──deadline of the next packet──▶ Playing
//! ```
//!
//! Places in the stream are samples since its start. While sound is made up because nothing has come, the place
//! stands still: what comes late is played late, and the extra delay is stretched away. A packet that is *known*
//! to be lost (later ones are here) is concealed for exactly its length.
//! Of what comes late, the part for which sound was made up is left out if nothing else will be late. A sender that
//! describes its silence (RFC 3389) is heard as noise until it speaks again.
//!
//! Packets come in by `playout/intake.rs`, delay is steered in `playout/steer.rs`, samples are found in
//! `playout/hear.rs`.
//! Not here: the policy (`decision.rs`, `estimator.rs`), the operations (`ops/`), the packets (`store.rs`).
//! RT: no allocation, lock, syscall, log or panic (except in [`Playout::new`]).

mod hear;
mod intake;
mod steer;

use offhook_codecs::{CodecKind, Decoder, NoiseGenerator};

use crate::estimator::Estimator;
use crate::grid::Grid;
use crate::ops::expand::Expand;
use crate::pitch::PitchFinder;
use crate::sound::Sound;
use crate::store::Store;
use crate::stream::{Phase, Stream};
use crate::ticks::TickRate;
use crate::{ConfigError, PlayoutConfig, PlayoutStats, Pulled};
use hear::Kind;

/// Sound kept behind the play point: four longest pitch periods, milliseconds.
const HISTORY_MS: u32 = 61;
/// Adaptive playout of one RTP stream.
pub struct Playout {
    config: PlayoutConfig,
    decoder: Box<dyn Decoder + Send>,
    store: Store,
    sound: Sound,
    estimator: Estimator,
    expand: Expand,
    noise: NoiseGenerator,
    finder: PitchFinder,
    grid: Grid,
    stream: Option<Stream>,
    ticks: TickRate,
    stats: PlayoutStats,
}

impl Playout {
    /// A playout that decodes with `decoder`, whose rates must be the configuration's.
    pub fn new(config: PlayoutConfig, decoder: Box<dyn Decoder + Send>) -> Result<Playout, ConfigError> {
        config.check()?;
        if !fits(&config, decoder.kind()) {
            return Err(ConfigError::Decoder);
        }
        let history = config.samples(HISTORY_MS);
        // A packet being decoded, what stretching looks at, and what it inserts.
        let future = 2 * config.samples(config.max_packet_ms) + config.samples(40);
        Ok(Playout {
            store: Store::new(config.max_packets, config.max_payload, config.max_octets),
            sound: Sound::new(history, future),
            estimator: Estimator::new(config.min_delay_ms, config.initial_delay_ms, config.max_delay_ms),
            expand: Expand::new(config.sample_rate, history),
            noise: NoiseGenerator::new(),
            finder: PitchFinder::new(config.sample_rate),
            grid: Grid::new(),
            stream: None,
            ticks: TickRate::new(config.sample_rate, config.clock_rate),
            stats: PlayoutStats::default(),
            config,
            decoder,
        })
    }

    /// Fills `out` with the next samples, of which the first is heard at `now_ns`. Any length.
    pub fn pull(&mut self, now_ns: u64, out: &mut [i16]) -> Pulled {
        let mut pulled = Pulled::default();
        if out.is_empty() {
            return pulled;
        }
        self.grid.pulled(out.len());
        self.steer(now_ns, &mut pulled);
        pulled.timestamp = self.timestamp(0);
        let mut filled = 0;
        while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            // Time goes on within the pull, though packets do not arrive in it.
            let (count, kind) = self.next_samples(now_ns, filled, rest);
            let Some(made) = rest.get_mut(..count).filter(|made| !made.is_empty()) else {
                // Cannot be; and if it were, silence is better than a standstill.
                rest.fill(0);
                pulled.silence += rest.len() as u32;
                break;
            };
            let made = made.len();
            if filled == 0 && matches!(kind, Kind::Decoded) {
                pulled.timestamp = self.timestamp(made);
            }
            match kind {
                Kind::Decoded => pulled.decoded += made as u32,
                Kind::Concealed => pulled.concealed += made as u32,
                Kind::Noise => pulled.noise += made as u32,
                Kind::Silence => pulled.silence += made as u32,
            }
            filled += made;
        }
        self.count(&pulled, out.len());
        pulled
    }

    /// Counts so far.
    pub fn stats(&self) -> PlayoutStats {
        self.stats
    }

    /// Forgets the stream, as for a new one (another SSRC): what waits is discarded, what the network has taught
    /// is forgotten. Counts go on.
    pub fn reset(&mut self) {
        self.stats.packets_discarded += self.store.len() as u64;
        self.stats.resets += 1;
        if self.stream.is_some_and(|stream| stream.phase == Phase::Playing) {
            self.expand.begin(self.sound.history(), &mut self.finder);
        }
        self.store.clear();
        self.sound.cut();
        self.decoder.reset();
        self.estimator.reset();
        self.stream = None;
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
        self.stats.packets_discarded += self.store.len() as u64;
        self.store.clear();
        Ok(std::mem::replace(&mut self.decoder, decoder))
    }

    /// What the present decoder decodes.
    pub fn codec(&self) -> CodecKind {
        self.decoder.kind()
    }

    /// The clock that the sender counts its timestamps by, in hertz: the codec's, or twice that where it is found to.
    pub fn sender_clock_rate(&self) -> u32 {
        self.config.clock_rate.saturating_mul(if self.ticks.is_double() { 2 } else { 1 })
    }

    fn count(&mut self, pulled: &Pulled, length: usize) {
        let stats = &mut self.stats;
        stats.samples_total += length as u64;
        stats.samples_decoded += u64::from(pulled.decoded);
        stats.samples_concealed += u64::from(pulled.concealed);
        stats.samples_noise += u64::from(pulled.noise);
        stats.samples_silence += u64::from(pulled.silence);
        stats.samples_expanded += u64::from(pulled.expanded);
        stats.samples_accelerated += u64::from(pulled.accelerated);
        let Some(stream) = self.stream.filter(|stream| stream.phase != Phase::Waiting) else { return };
        stats.samples_muted += u64::from(pulled.silence);
        let end = match self.store.entry(stream.newest) {
            Some(entry) => entry.position + entry.samples as i64,
            None => stream.position,
        };
        let waits = (end - stream.position).max(0) as u64 + self.sound.future_len() as u64;
        let us = waits * 1_000_000 / u64::from(self.config.sample_rate);
        let first = stats.max_delay_us == 0 && stats.min_delay_us == 0;
        stats.min_delay_us = if first { us } else { stats.min_delay_us.min(us) };
        stats.max_delay_us = stats.max_delay_us.max(us);
        stats.delay_us = us;
        stats.target_us = (self.estimator.target() / 1_000) as u64;
    }

    fn samples_of(&self, ticks: i64) -> i64 {
        let (clock, rate) = (i64::from(self.config.clock_rate), i64::from(self.config.sample_rate));
        ticks.saturating_mul(rate).div_euclid(clock)
    }

    fn ns(&self, samples: i64) -> i64 {
        let rate = i64::from(self.config.sample_rate);
        let rest = samples % rate * 1_000_000_000 / rate;
        (samples / rate).saturating_mul(1_000_000_000).saturating_add(rest)
    }

    fn samples_in(&self, ns: i64) -> usize {
        let rate = i64::from(self.config.sample_rate);
        usize::try_from(ns.saturating_mul(rate) / 1_000_000_000).unwrap_or(0)
    }
}

fn fits(config: &PlayoutConfig, kind: CodecKind) -> bool {
    kind.sample_rate() == config.sample_rate && kind.clock_rate() == config.clock_rate
}

impl std::fmt::Debug for Playout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Playout")
            .field("config", &self.config)
            .field("stream", &self.stream)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}
