//! The control side of a mixer bus: who takes part, how loud, and how it goes.
//! In: joins, leaves, gains. Out: [`BusControl`], a [`BusProcessor`] for a ticker, a port for each participant.
//!
//! A port is a sink and a source: the sink goes to the call's receiving half
//! ([`Control::add_sink`](crate::Control::add_sink)), the source to its sending half.
//! Not here: the mixing (`rt/bus.rs`), who drives it (`ticker.rs`).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use offhook_codecs::{Level, LevelMeter, UnsupportedRate};

use crate::command::{CommandRing, CommandSender, Full, commands};
use crate::config::{MAX_BLOCK, MAX_COMMANDS, MAX_RATE, ms_to_samples};
use crate::rt::bus::{BusOrder, BusProcessor, BusShared, Seat, Share};
use crate::rt::elastic::{ElasticCounts, elastic_for_bursts};
use crate::rt::gain::{Gain, Ramp};
use crate::rt::mix::MOST;
use crate::rt::node::{NodeMeter, Sink, Source};
use crate::rt::resampled::{ResampledSink, ResampledSource};
use crate::trash::{TrashHeap, trash};

/// The longest period of a sound card that takes part: `offhook-device` tries none beyond 100 ms.
const LONGEST_PERIOD_MS: u32 = 120;

/// How a bus is built. Everything that costs memory is decided here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusConfig {
    /// Rate that it mixes at, Hz, 768 kHz at most; calls of other rates are resampled at their ports.
    pub sample_rate: u32,
    /// Participants at most; 1 to 1024.
    pub max_participants: usize,
    /// Samples worked on at once, at the bus' rate; 65536 at most.
    pub max_block: usize,
    /// Milliseconds that a participant's sound may wait, each way, for a clock that is out of step with the bus'. More
    /// than that is dropped, oldest first, but for a sound card's whole period of up to 120 ms. Ten seconds at most.
    pub max_wait_ms: u32,
    /// Commands that may wait; 65536 at most.
    pub commands: usize,
    /// Commands carried out in one block.
    pub commands_per_block: usize,
    /// Milliseconds of sound between two new values of a level meter.
    pub meter_ms: u32,
}

impl BusConfig {
    /// The usual sizes at `sample_rate` Hz: 32 participants, 20 ms blocks, 40 ms of waiting.
    pub const fn new(sample_rate: u32) -> BusConfig {
        BusConfig {
            sample_rate,
            max_participants: 32,
            max_block: (sample_rate / 50) as usize,
            max_wait_ms: 40,
            commands: 64,
            commands_per_block: 8,
            meter_ms: 100,
        }
    }

    fn checked(self) -> BusConfig {
        BusConfig {
            sample_rate: self.sample_rate.clamp(1, MAX_RATE),
            max_participants: self.max_participants.clamp(1, MOST),
            max_block: self.max_block.clamp(1, MAX_BLOCK),
            max_wait_ms: self.max_wait_ms.min(10_000),
            commands: self.commands.clamp(1, MAX_COMMANDS),
            commands_per_block: self.commands_per_block.max(1),
            meter_ms: self.meter_ms.max(1),
        }
    }
}

/// A participant's name within its bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ParticipantId(u32);

/// A participant's two ends, for the halves of its call.
pub struct BusPort {
    /// Its name.
    pub id: ParticipantId,
    /// What it says: hears the call's peer.
    pub sink: Box<dyn Sink>,
    /// What it hears: everybody but itself.
    pub source: Box<dyn Source>,
}

/// Why nobody joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// `BusConfig::max_participants` take part.
    #[error("{0} take part in the conference already")]
    TooMany(usize),
    /// The call's rate cannot be resampled to the bus'.
    #[error(transparent)]
    Rate(#[from] UnsupportedRate),
    /// The command ring is full.
    #[error("the command ring is full: the bus is not being driven, or is behind")]
    RingFull,
}

/// What one participant does. Samples at the bus' rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParticipantMeters {
    /// How loud the others hear it, over the last `BusConfig::meter_ms`.
    pub level: Level,
    /// What it says, on the way to the bus.
    pub said: PortMeters,
    /// What it hears, on the way from the bus.
    pub heard: PortMeters,
}

/// One way of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortMeters {
    /// Samples that passed.
    pub samples: u64,
    /// Samples dropped because they waited too long.
    pub dropped: u64,
    /// Times that sound was followed by a lack of it.
    pub gaps: u64,
    /// Samples of silence in such gaps.
    pub starved: u64,
}

/// What a bus does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusMeters {
    /// Blocks mixed.
    pub blocks: u64,
    /// Samples mixed.
    pub samples: u64,
    /// Samples left out after stalls of the driver.
    pub skipped: u64,
    /// Participants, those that are fading out included.
    pub participants: u64,
    /// Blocks in which commands waited because the trash ring was full.
    pub trash_stalls: u64,
}

/// The control handle of one bus. Every method returns at once.
pub struct BusControl {
    config: BusConfig,
    orders: CommandSender<BusOrder>,
    trash: TrashHeap,
    shared: Arc<BusShared>,
    participants: Vec<Known>,
    next_id: u32,
}

struct Known {
    id: ParticipantId,
    meter: Arc<NodeMeter>,
    said: Arc<ElasticCounts>,
    heard: Arc<ElasticCounts>,
}

/// Builds a bus: its control handle and what a driver runs.
pub fn bus(config: BusConfig) -> (BusControl, BusProcessor) {
    let config = config.checked();
    let (sender, orders) = commands(config.commands, CommandRing::Bus);
    let (bin, heap) = trash(config.commands);
    let shared = Arc::new(BusShared::default());
    let processor = BusProcessor::new(config, orders, bin, Arc::clone(&shared));
    let control =
        BusControl { config, orders: sender, trash: heap, shared, participants: Vec::new(), next_id: 0 };
    (control, processor)
}

impl BusControl {
    /// Somebody takes part, in a call of `call_rate` Hz: heard by the others at `gain` from the bus' next block on.
    ///
    /// # Errors
    ///
    /// [`JoinError`].
    pub fn join(&mut self, call_rate: u32, gain: Gain) -> Result<BusPort, JoinError> {
        self.collect();
        let BusConfig { sample_rate, max_participants, max_block, .. } = self.config;
        if self.participants.len() >= max_participants {
            return Err(JoinError::TooMany(max_participants));
        }
        let max_wait = ms_to_samples(self.config.max_wait_ms, sample_rate);
        let burst = ms_to_samples(LONGEST_PERIOD_MS, sample_rate);
        let (says, input) = elastic_for_bursts(max_wait, max_block, burst, sample_rate);
        let (output, hears) = elastic_for_bursts(max_wait, max_block, burst, sample_rate);
        let id = ParticipantId(self.next_id);
        let meter = Arc::new(NodeMeter::new());
        let known = Known {
            id,
            meter: Arc::clone(&meter),
            said: Arc::clone(says.counts()),
            heard: Arc::clone(output.counts()),
        };
        let sink = ResampledSink::wrap(Box::new(says), sample_rate, call_rate)?;
        let source = ResampledSource::wrap(Box::new(hears), sample_rate, call_rate)?;
        let seat = Seat {
            id,
            input,
            output,
            said: Ramp::new(gain),
            heard: Ramp::new(Gain::UNITY),
            meter,
            level: LevelMeter::new(),
            own: vec![0; max_block].into(),
            amplified: vec![0; max_block].into(),
            share: Share::Nothing,
            is_leaving: false,
        };
        self.orders.send(BusOrder::Join(Box::new(seat))).map_err(|_| JoinError::RingFull)?;
        self.next_id = self.next_id.wrapping_add(1);
        self.participants.push(known);
        Ok(BusPort { id, sink, source })
    }

    /// Somebody leaves: fades within 5 ms both ways. Its port may be removed at any time. An unknown one is no error.
    ///
    /// # Errors
    ///
    /// [`Full`] with the name: try again after a block.
    pub fn leave(&mut self, id: ParticipantId) -> Result<(), Full<ParticipantId>> {
        self.send(id, BusOrder::Leave(id))?;
        self.participants.retain(|known| known.id != id);
        Ok(())
    }

    /// How loud the others hear a participant, within 5 ms.
    ///
    /// # Errors
    ///
    /// [`Full`] with the name: try again after a block.
    pub fn set_said(&mut self, id: ParticipantId, gain: Gain) -> Result<(), Full<ParticipantId>> {
        self.send(id, BusOrder::SetSaid(id, gain))
    }

    /// How loud a participant hears the others, within 5 ms. Unity until told.
    ///
    /// # Errors
    ///
    /// [`Full`] with the name: try again after a block.
    pub fn set_heard(&mut self, id: ParticipantId, gain: Gain) -> Result<(), Full<ParticipantId>> {
        self.send(id, BusOrder::SetHeard(id, gain))
    }

    fn send(&mut self, id: ParticipantId, order: BusOrder) -> Result<(), Full<ParticipantId>> {
        self.collect();
        self.orders.send(order).map_err(|full| Full { value: id, ring: full.ring })
    }

    /// What a participant does; `None` once it has left.
    pub fn participant(&self, id: ParticipantId) -> Option<ParticipantMeters> {
        let known = self.participants.iter().find(|known| known.id == id)?;
        let port = |counts: &ElasticCounts| PortMeters {
            samples: counts.taken.load(Ordering::Relaxed),
            dropped: counts.dropped.load(Ordering::Relaxed),
            gaps: counts.gaps.load(Ordering::Relaxed),
            starved: counts.starved.load(Ordering::Relaxed),
        };
        Some(ParticipantMeters {
            level: known.meter.level(),
            said: port(&known.said),
            heard: port(&known.heard),
        })
    }

    /// What the bus does.
    pub fn meters(&self) -> BusMeters {
        let shared = &*self.shared;
        BusMeters {
            blocks: shared.blocks.load(Ordering::Relaxed),
            samples: shared.samples.load(Ordering::Relaxed),
            skipped: shared.skipped.load(Ordering::Relaxed),
            participants: shared.participants.load(Ordering::Relaxed),
            trash_stalls: shared.trash_stalls.load(Ordering::Relaxed),
        }
    }

    /// Whether every command sent so far was carried out.
    pub fn is_settled(&self) -> bool {
        self.shared.commands.load(Ordering::Acquire) == self.orders.sent()
    }

    /// Drops what the bus has retired, and tells how many objects that were. Every command does so as well; call it
    /// from time to time all the same.
    pub fn collect(&mut self) -> usize {
        self.trash.empty()
    }

    /// What the bus was built with.
    pub fn config(&self) -> &BusConfig {
        &self.config
    }
}

impl std::fmt::Debug for BusControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BusControl").field("config", &self.config).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for BusPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BusPort").field("id", &self.id).finish_non_exhaustive()
    }
}
