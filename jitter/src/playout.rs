//! The engine of playout: keeps the stream's place and carries out what the decision says.
//! In: packets ([`Playout::insert`]) and pulls ([`Playout::pull`]), each with its time. Out: samples.
//!
//! ```text
//!  Waiting ──deadline of the first packet──▶ Playing ◀──packet (merge)──▶ Concealing ──80 ms──▶ Muted
//!     ▲                                                                                          │
//!     └────────────────── reset ────────────────      Muted ──deadline of the next packet──▶ Playing
//! ```
//!
//! Places in the stream are samples since its start. While sound is made up because nothing has come, the place
//! stands still: what comes late is played late, and the extra delay is stretched away. A packet that is *known*
//! to be lost (later ones are here) is concealed for exactly its length.
//! Not here: the policy (`decision.rs`, `estimator.rs`), the operations (`ops/`), the packets (`store.rs`).
//! RT: no allocation, lock, syscall, log or panic (except in [`Playout::new`]).

use offhook_codecs::{CodecKind, Decoder};

use crate::decision::{Operation, Situation};
use crate::estimator::Estimator;
use crate::grid::Grid;
use crate::ops::{
    accelerate::accelerate, expand::Expand, merge::merge, normal::normal, preemptive::preemptive_expand,
};
use crate::pitch::{Look, PitchFinder};
use crate::sequence::{extend_sequence, extend_timestamp};
use crate::sound::Sound;
use crate::store::{Entry, Store};
use crate::stream::{Phase, Stream};
use crate::{ConfigError, Insert, PlayoutConfig, PlayoutPacket, PlayoutStats, Pulled, ResetReason};

/// Sequence numbers that may be missing, and by how many a packet may come after younger ones (RFC 3550 A.1).
const MAX_DROPOUT: i64 = 3_000;
const MAX_MISORDER: i64 = 100;
/// A transit that differs this much from the base is another stream's.
const MAX_TRANSIT_CHANGE_MS: u32 = 2_000;
/// Sound kept behind the play point: four longest pitch periods, milliseconds.
const HISTORY_MS: u32 = 61;
/// How long made-up and true sound overlap: at least, and more the longer the concealment, milliseconds.
const MERGE_LEAST_MS: u32 = 3;
const MERGE_MOST_MS: u32 = 6;

/// Adaptive playout of one RTP stream.
pub struct Playout {
    config: PlayoutConfig,
    decoder: Box<dyn Decoder + Send>,
    store: Store,
    sound: Sound,
    estimator: Estimator,
    expand: Expand,
    finder: PitchFinder,
    grid: Grid,
    stream: Option<Stream>,
    stats: PlayoutStats,
}

/// What the samples at hand are.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Decoded,
    Concealed,
    Silence,
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
        let future = 2 * config.samples(config.max_packet_ms) + config.samples(60);
        Ok(Playout {
            store: Store::new(config.max_packets, config.max_payload, config.max_octets),
            sound: Sound::new(history, future),
            estimator: Estimator::new(config.min_delay_ms, config.initial_delay_ms, config.max_delay_ms),
            expand: Expand::new(config.sample_rate, history),
            finder: PitchFinder::new(config.sample_rate),
            grid: Grid::new(),
            stream: None,
            stats: PlayoutStats::default(),
            config,
            decoder,
        })
    }

    /// Takes a packet in. Its arrival is when the network brought it, which may be before now.
    pub fn insert(&mut self, packet: PlayoutPacket<'_>) -> Insert {
        self.stats.packets_received += 1;
        let samples = self.decoder.payload_samples(packet.payload);
        // One octet is no speech, but what some senders keep their port mappings alive with.
        if packet.payload.len() < 2
            || samples == 0
            || samples > self.config.samples(self.config.max_packet_ms)
            || packet.payload.len() > self.config.max_payload
        {
            self.stats.packets_malformed += 1;
            return Insert::Malformed;
        }
        let Some(mut stream) = self.stream else {
            return self.begin(&packet, samples, Insert::Queued);
        };

        let sequence = extend_sequence(stream.newest, packet.sequence);
        let ahead = sequence - stream.newest;
        if !(-MAX_MISORDER..=MAX_DROPOUT).contains(&ahead) {
            // One stray packet is dropped; a second one next to it is a new stream.
            if stream.suspect == Some(packet.sequence) {
                return self.restart(&packet, samples, ResetReason::Sequence);
            }
            stream.suspect = Some(packet.sequence.wrapping_add(1));
            self.stream = Some(stream);
            self.stats.packets_late += 1;
            return Insert::Late;
        }
        let ticks = extend_timestamp(stream.ticks, packet.timestamp);
        let position = self.samples_of(ticks - stream.origin);
        let transit = (packet.arrival_ns as i64).saturating_sub(self.ns(position));
        let change = transit.saturating_sub(self.estimator.base()).saturating_abs();
        let most = MAX_TRANSIT_CHANGE_MS.max(2 * self.config.max_delay_ms);
        if change > i64::from(most) * 1_000_000 {
            return self.restart(&packet, samples, ResetReason::Timestamp);
        }
        if !stream.see(ahead) {
            self.stats.packets_duplicate += 1;
            return Insert::Duplicate;
        }
        stream.suspect = None;
        stream.ticks = ticks;
        stream.newest = stream.newest.max(sequence);
        self.stream = Some(stream);
        self.estimator.arrived(transit, packet.arrival_ns);
        if sequence < stream.next {
            if stream.phase != Phase::Waiting {
                self.stats.packets_late += 1;
                return Insert::Late;
            }
            // Older than the first, and nothing has played: playing begins with it.
            if stream.newest - sequence < self.store.capacity() as i64 {
                stream.next = sequence;
                stream.position = position;
                self.stream = Some(stream);
            }
        }
        self.queue(sequence, position, samples, &packet)
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

    fn begin(&mut self, packet: &PlayoutPacket<'_>, samples: usize, fate: Insert) -> Insert {
        let sequence = i64::from(packet.sequence);
        let ticks = i64::from(packet.timestamp);
        self.stream = Some(Stream {
            newest: sequence,
            ticks,
            origin: ticks,
            suspect: None,
            next: sequence,
            position: 0,
            packet: samples,
            phase: Phase::Waiting,
            rest: 0,
            seen: 1,
            seam: false,
        });
        self.estimator.arrived(packet.arrival_ns as i64, packet.arrival_ns);
        match self.queue(sequence, 0, samples, packet) {
            Insert::Queued => fate,
            other => other,
        }
    }

    fn restart(&mut self, packet: &PlayoutPacket<'_>, samples: usize, reason: ResetReason) -> Insert {
        self.reset();
        self.begin(packet, samples, Insert::Reset(reason))
    }

    fn queue(&mut self, sequence: i64, position: i64, samples: usize, packet: &PlayoutPacket<'_>) -> Insert {
        let mut fate = Insert::Queued;
        if !self.store.takes(packet.payload.len()) {
            self.stats.packets_malformed += 1;
            return Insert::Malformed;
        }
        if let Some(stream) = &mut self.stream {
            let over = sequence - stream.next - self.store.capacity() as i64 + 1;
            if over > 0 {
                // The store's window moves on; what falls out of it is lost.
                let first = stream.next + over;
                let lost = self.store.remove_before(first);
                self.stats.packets_discarded += lost as u64;
                // The place follows when the next packet is taken.
                stream.next = first;
                if lost > 0 {
                    fate = Insert::Overflow;
                }
            }
            while !self.store.has_room(sequence, packet.payload.len()) {
                fate = Insert::Overflow;
                self.stats.packets_discarded += 1;
                match self.store.first_from(stream.next) {
                    Some(oldest) if oldest.sequence < sequence => {
                        self.store.remove(oldest.sequence);
                        stream.next = oldest.sequence + 1;
                    }
                    // It is older than all that wait.
                    _ => return fate,
                }
            }
        }
        if !self.store.insert(sequence, position, samples, packet.arrival_ns, packet.payload) {
            self.stats.packets_malformed += 1;
            return Insert::Malformed;
        }
        fate
    }

    /// Stretches or drops what waits, if the policy says so.
    fn steer(&mut self, now_ns: u64, pulled: &mut Pulled) {
        let Some(situation) = self.situation(now_ns) else { return };
        let Some(stream) = &mut self.stream else { return };
        if stream.rest > 0 {
            stream.rest = stream.rest.saturating_sub(self.grid.longest);
            if stream.rest > 0 {
                return;
            }
        }
        match situation.decide() {
            Operation::Normal => {}
            Operation::Accelerate { most_ns } => {
                let most = self.samples_in(most_ns);
                let removed = self.shorten(&situation, most);
                pulled.accelerated += removed as u32;
                self.rest_after(removed, &situation);
            }
            Operation::PreemptiveExpand { most_ns } => {
                let most = self.samples_in(most_ns);
                let inserted = self.lengthen(&situation, most);
                pulled.expanded += inserted as u32;
                self.rest_after(inserted, &situation);
            }
            Operation::Skip { by_ns } => self.skip(self.samples_in(by_ns)),
        }
    }

    /// What the policy has to know, while sound plays.
    fn situation(&self, now_ns: u64) -> Option<Situation> {
        let stream = self.stream.filter(|stream| stream.phase == Phase::Playing)?;
        let future = self.sound.future_len();
        let offset = (now_ns as i64).saturating_sub(self.ns(stream.position - future as i64));
        let border = self.grid.latest_border(future, stream.packet);
        Some(Situation {
            excess_ns: offset
                .saturating_sub(self.ns(border as i64))
                .saturating_sub(self.estimator.deadline()),
            pull_ns: self.ns(self.grid.longest as i64),
            target_ns: self.estimator.target(),
            waited_ns: offset.saturating_sub(self.estimator.base()),
            max_ns: i64::from(self.config.max_delay_ms) * 1_000_000,
        })
    }

    fn shorten(&mut self, situation: &Situation, most: usize) -> usize {
        let overlap = self.finder.template();
        self.decode_ahead(overlap + self.finder.longest());
        let future = self.sound.future_len();
        let packet = self.stream.map_or(1, |stream| stream.packet);
        let border = self.grid.latest_border(future, packet);
        let Some(lag) = self.finder.find(self.sound.future(), 0, Look::Ahead, most) else { return 0 };
        if lag.quiet {
            // Any lag will do: the one that brings packets' borders onto the pulls' grid, where they cost least.
            let (grid, phase) = self.grid.phase(future, packet);
            let top = (most + phase).min(self.finder.longest()).min(future.saturating_sub(overlap));
            let lag = top.checked_sub(phase).map_or(0, |over| top - over % grid);
            return accelerate(&mut self.sound, lag, overlap);
        }
        // Borders that move off the grid cost up to a pull: then a shorter lag.
        let keeps =
            |lag: usize| lag + self.grid.latest_border(future.saturating_sub(lag), packet) <= most + border;
        let lag = if keeps(lag.samples) {
            lag
        } else {
            let most = most.saturating_sub(self.grid.longest);
            let Some(lag) = self.finder.find(self.sound.future(), 0, Look::Ahead, most) else { return 0 };
            lag
        };
        if lag.likeness < situation.least_likeness() {
            return 0;
        }
        accelerate(&mut self.sound, lag.samples, overlap)
    }

    fn lengthen(&mut self, situation: &Situation, most: usize) -> usize {
        let overlap = self.finder.template();
        self.decode_ahead(overlap);
        let (signal, now) = self.sound.both();
        let Some(lag) = self.finder.find(signal, now, Look::Back, most) else { return 0 };
        if !lag.quiet && lag.likeness < situation.least_likeness() {
            return 0;
        }
        preemptive_expand(&mut self.sound, lag.samples, overlap)
    }

    fn rest_after(&mut self, stretched: usize, situation: &Situation) {
        if let Some(stream) = &mut self.stream
            && stretched > 0
        {
            stream.rest = if situation.is_urgent() { stretched } else { 3 * stretched };
        }
    }

    /// Drops packets that wait, up to `samples`; the seam is merged as after a loss.
    fn skip(&mut self, samples: usize) {
        let Some(mut stream) = self.stream else { return };
        let until = stream.position + samples as i64;
        let mut dropped = 0;
        while let Some(entry) = self.store.first_from(stream.next) {
            if entry.position + entry.samples as i64 > until {
                break;
            }
            self.store.remove(entry.sequence);
            stream.next = entry.sequence + 1;
            stream.position = entry.position + entry.samples as i64;
            dropped += 1;
        }
        if dropped > 0 {
            self.stats.packets_discarded += dropped;
            // What was decoded is heard; then the sound goes on elsewhere.
            stream.seam = true;
            self.stream = Some(stream);
        }
    }

    /// Decodes following packets until so many samples wait, as far as they are here and without a gap.
    fn decode_ahead(&mut self, wanted: usize) {
        while self.sound.future_len() < wanted {
            let Some(entry) = self.stream.and_then(|stream| {
                self.store.entry(stream.next).filter(|entry| entry.position == stream.position)
            }) else {
                return;
            };
            if self.decode(&entry) == 0 {
                return;
            }
        }
    }

    /// Decodes a packet behind the sound that waits.
    fn decode(&mut self, entry: &Entry) -> usize {
        let decoded =
            normal(&mut self.sound, self.decoder.as_mut(), self.store.payload(entry), entry.samples);
        self.store.remove(entry.sequence);
        if let Some(stream) = &mut self.stream {
            stream.next = entry.sequence + 1;
            stream.position = entry.position + decoded as i64;
            stream.packet = entry.samples;
        }
        decoded
    }

    /// Hears, decodes or makes up samples: at least one, at most `out`.
    fn next_samples(&mut self, now_ns: u64, filled: usize, out: &mut [i16]) -> (usize, Kind) {
        if self.sound.future_len() > 0 {
            return (self.sound.play(out), Kind::Decoded);
        }
        let Some(stream) = self.stream else { return self.wait(out) };
        let next = self.store.first_from(stream.next);
        let due = |entry: &Entry, lead: i64| {
            let heard_at = (now_ns as i64).saturating_add(self.ns(filled as i64));
            let border = self.grid.latest_border(0, entry.samples);
            heard_at.saturating_sub(self.ns(entry.position + border as i64)).saturating_add(lead)
                >= self.estimator.deadline()
        };
        match (stream.phase, next) {
            (Phase::Waiting | Phase::Muted(_), Some(entry)) if filled == 0 && due(&entry, 0) => {
                // Where nothing fades out there is nothing to join the first packet to.
                let joined = stream.phase != Phase::Waiting || !self.expand.is_mute();
                self.take_up(&entry, joined, 0);
            }
            (Phase::Waiting, _) => return self.wait(out),
            (Phase::Playing, Some(entry)) if entry.position <= stream.position => {
                if stream.seam {
                    self.expand.begin(self.sound.history(), &mut self.finder);
                }
                self.take_up(&entry, stream.seam, 0);
            }
            (Phase::Concealing(made), Some(entry)) if entry.position - stream.position <= made as i64 => {
                self.take_up(&entry, true, made);
            }
            (Phase::Playing, next) => {
                self.stats.concealment_events += 1;
                self.expand.begin(self.sound.history(), &mut self.finder);
                return self.conceal(&stream, 0, next, out);
            }
            (Phase::Concealing(made) | Phase::Muted(made), next) => {
                return self.conceal(&stream, made, next, out);
            }
        }
        if self.sound.future_len() == 0 {
            // The decoder gave nothing: as if the packet were lost.
            if stream.phase == Phase::Playing {
                self.stats.concealment_events += 1;
                self.expand.begin(self.sound.history(), &mut self.finder);
            }
            return self.conceal(&stream, 0, None, out);
        }
        (self.sound.play(out), Kind::Decoded)
    }

    /// Goes on with a packet, joined to what was made up before it.
    fn take_up(&mut self, entry: &Entry, joined: bool, made: usize) {
        self.decode(entry);
        if joined {
            let least = self.config.samples(MERGE_LEAST_MS);
            let count = (least + made / 16).min(self.config.samples(MERGE_MOST_MS));
            merge(&mut self.sound, &mut self.expand, count);
        }
        if let Some(stream) = &mut self.stream {
            stream.phase = Phase::Playing;
            stream.seam = false;
        }
    }

    /// Silence before a stream has begun to sound; what sounded before it fades out.
    fn wait(&mut self, out: &mut [i16]) -> (usize, Kind) {
        self.expand.fill(out);
        self.remember(out);
        (out.len(), Kind::Silence)
    }

    /// Makes up samples: all of `out`, or as many as are known to be missing.
    fn conceal(
        &mut self,
        stream: &Stream,
        made: usize,
        next: Option<Entry>,
        out: &mut [i16],
    ) -> (usize, Kind) {
        let missing = next
            .and_then(|entry| usize::try_from(entry.position - stream.position).ok())
            .and_then(|gap| gap.checked_sub(made))
            .filter(|missing| *missing > 0 && !self.expand.is_mute());
        let count = missing.map_or(out.len(), |missing| missing.min(out.len()));
        let out = out.get_mut(..count).unwrap_or_default();
        let mute = self.expand.is_mute();
        if mute || !self.decoder.conceal(out) {
            self.expand.fill(out);
            // Codecs that predict go on from what was heard.
            self.decoder.concealed(out);
        }
        self.remember(out);
        let made = made.saturating_add(count);
        if let Some(stream) = &mut self.stream {
            stream.phase = if self.expand.is_mute() { Phase::Muted(made) } else { Phase::Concealing(made) };
        }
        (count, if mute && next.is_none() { Kind::Silence } else { Kind::Concealed })
    }

    /// Makes history of samples that were made up.
    fn remember(&mut self, made: &[i16]) {
        let space = self.sound.space(made.len());
        if space.len() == made.len() {
            space.copy_from_slice(made);
            self.sound.commit(made.len());
            self.sound.hear(made.len());
        } else if let Some(tail) = made.get(made.len().saturating_sub(self.config.samples(HISTORY_MS))..)
            && tail.len() < made.len()
        {
            self.remember(tail);
        }
    }

    /// RTP timestamp of the sample so many before the next.
    fn timestamp(&self, before: usize) -> Option<u32> {
        let stream = self.stream.filter(|stream| stream.phase != Phase::Waiting)?;
        let made = match stream.phase {
            Phase::Concealing(made) | Phase::Muted(made) => made as i64,
            Phase::Waiting | Phase::Playing => 0,
        };
        let position = stream.position - self.sound.future_len() as i64 + made - before as i64;
        let (clock, rate) = (i64::from(self.config.clock_rate), i64::from(self.config.sample_rate));
        Some((stream.origin + (position * clock).div_euclid(rate)) as u32)
    }

    fn count(&mut self, pulled: &Pulled, length: usize) {
        let stats = &mut self.stats;
        stats.samples_total += length as u64;
        stats.samples_decoded += u64::from(pulled.decoded);
        stats.samples_concealed += u64::from(pulled.concealed);
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
