//! A mixer bus: everybody hears the sum of all the others.
//! In: what each participant says, through the ring that its port's sink feeds; orders. Out: what each hears, through
//! the ring that its port's source empties; levels; retired seats.
//!
//! ```text
//! rx of call 1 ─ port sink ─ (resampler) ─▶ ring ─▶ gain ─┐        ┌─▶ sum − own ─ gain ─▶ ring ─ (resampler) ─ port source ─ tx of 1
//! rx of call 2 ─ port sink ─ (resampler) ─▶ ring ─▶ gain ─┼─▶ sum ─┼─▶ sum − own ─ gain ─▶ ring ─ (resampler) ─ port source ─ tx of 2
//! …                                                       ┘        └─▶ …
//! ```
//!
//! A ticker that drives a bus drives all receiving halves first, then the buses, then all sending halves: what is heard
//! in a tick is said in the same tick. Participants that others drive (a sound card, another thread) are taken as they
//! come: their rings wait a bounded while and make up for the rest (`elastic.rs`).
//! Not here: the arithmetic (`mix.rs`), who joins (`control/bus.rs`).
//! RT: no allocation, lock, syscall, log or panic. (`new` allocates and is called by control.)

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use offhook_codecs::LevelMeter;

use crate::command::CommandReceiver;
use crate::config::ms_to_samples;
use crate::control::bus::{BusConfig, ParticipantId};
use crate::rt::elastic::{ElasticReader, ElasticWriter};
use crate::rt::gain::{Gain, Ramp};
use crate::rt::mix::{add, whole, without};
use crate::rt::node::{NodeMeter, amplified};
use crate::rt::orders::Orders;
use crate::trash::{Trash, TrashBin};

/// What travels to a bus.
pub(crate) enum BusOrder {
    Join(Box<Seat>),
    Leave(ParticipantId),
    SetSaid(ParticipantId, Gain),
    SetHeard(ParticipantId, Gain),
}

/// What a bus tells, beside its participants.
#[derive(Debug, Default)]
pub(crate) struct BusShared {
    pub(crate) blocks: AtomicU64,
    pub(crate) samples: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) participants: AtomicU64,
    pub(crate) commands: AtomicU64,
    pub(crate) trash_stalls: AtomicU64,
}

/// A participant as the bus sees it.
pub(crate) struct Seat {
    pub(crate) id: ParticipantId,
    pub(crate) input: ElasticReader,
    pub(crate) output: ElasticWriter,
    /// How loud the others hear it.
    pub(crate) said: Ramp,
    /// How loud it hears the others.
    pub(crate) heard: Ramp,
    pub(crate) meter: Arc<NodeMeter>,
    pub(crate) level: LevelMeter,
    /// What it says in this block: as it came, or after a gain, which may be louder than 16 bits.
    pub(crate) own: Box<[i16]>,
    pub(crate) amplified: Box<[i32]>,
    pub(crate) share: Share,
    pub(crate) is_leaving: bool,
}

/// What a seat has put into the sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    Nothing,
    Own,
    Amplified,
}

/// A mixer bus: N participants, each of whom hears the other N − 1. Belongs to a ticker.
///
/// Dropping it frees memory: not to be done in a callback.
pub struct BusProcessor {
    orders: Orders<BusOrder>,
    shared: Arc<BusShared>,
    config: BusConfig,
    #[allow(clippy::vec_box, reason = "the boxes travel: unpacking one frees memory")]
    seats: Vec<Box<Seat>>,
    sum: Box<[i32]>,
    mixed: Box<[i16]>,
    level_samples: usize,
}

impl BusProcessor {
    pub(crate) fn new(
        config: BusConfig,
        orders: CommandReceiver<BusOrder>,
        trash: TrashBin,
        shared: Arc<BusShared>,
    ) -> BusProcessor {
        BusProcessor {
            orders: Orders::new(orders, trash, config.commands_per_block),
            shared,
            config,
            // As many again may be fading.
            seats: Vec::with_capacity(config.max_participants.saturating_mul(2)),
            sum: vec![0; config.max_block].into(),
            mixed: vec![0; config.max_block].into(),
            level_samples: 0,
        }
    }

    /// Mixes the next `samples` samples, any number.
    #[cfg_attr(rtsan, sanitize(realtime = "nonblocking"))]
    pub fn process(&mut self, samples: usize) {
        self.obey();
        let mut done = 0;
        while done < samples {
            let len = (samples - done).min(self.config.max_block);
            self.block(len);
            done += len;
        }
        self.retire();
        self.publish(samples);
    }

    /// Leaves out samples that a driver could not deliver after a stall: what waits in the ports is dropped if it is too
    /// much, and counted there.
    pub fn skip(&mut self, samples: usize) {
        self.shared.skipped.fetch_add(samples as u64, Ordering::Relaxed);
    }

    /// The rate that it mixes at, Hz.
    pub fn sample_rate(&self) -> u32 {
        self.config.sample_rate
    }

    fn obey(&mut self) {
        self.orders.begin();
        while let Some(order) = self.orders.next() {
            let retired = self.carry_out(order);
            self.orders.retire(retired);
        }
    }

    /// Carries out one order; what it retires.
    fn carry_out(&mut self, order: BusOrder) -> Option<Trash> {
        let rate = self.config.sample_rate;
        match order {
            BusOrder::Join(seat) => return self.join(seat),
            BusOrder::Leave(id) => {
                if let Some(seat) = self.seat(id) {
                    seat.is_leaving = true;
                    seat.said.set(Gain::MUTE, rate);
                    seat.heard.set(Gain::MUTE, rate);
                }
            }
            BusOrder::SetSaid(id, gain) => {
                if let Some(seat) = self.seat(id) {
                    seat.said.set(gain, rate);
                }
            }
            BusOrder::SetHeard(id, gain) => {
                if let Some(seat) = self.seat(id) {
                    seat.heard.set(gain, rate);
                }
            }
        }
        None
    }

    /// What had to go for it.
    fn join(&mut self, seat: Box<Seat>) -> Option<Trash> {
        let mut gone = None;
        if self.seats.len() == self.seats.capacity() {
            // Control keeps to its bound: whatever is beyond it is fading already.
            let Some(fading) = self.seats.iter().position(|seat| seat.is_leaving) else {
                return Some(Trash::Seat(seat));
            };
            gone = Some(Trash::Seat(self.seats.swap_remove(fading)));
        }
        self.seats.push(seat);
        gone
    }

    fn seat(&mut self, id: ParticipantId) -> Option<&mut Box<Seat>> {
        self.seats.iter_mut().find(|seat| seat.id == id && !seat.is_leaving)
    }

    /// One block of at most `max_block` samples.
    fn block(&mut self, len: usize) {
        let (Some(sum), Some(mixed)) = (self.sum.get_mut(..len), self.mixed.get_mut(..len)) else { return };
        sum.fill(0);
        for seat in &mut self.seats {
            seat.say(sum);
        }
        for seat in &mut self.seats {
            seat.hear(sum, mixed);
        }
        self.level_samples += len;
        if self.level_samples >= ms_to_samples(self.config.meter_ms, self.config.sample_rate) {
            self.level_samples = 0;
            for seat in &mut self.seats {
                seat.meter.set(amplified(seat.level.take(), seat.said.target_db()));
            }
        }
    }

    /// Retires those that have faded.
    fn retire(&mut self) {
        while let Some(index) = self.seats.iter().position(|seat| seat.is_gone()) {
            if !self.orders.has_room() {
                return;
            }
            let seat = self.seats.swap_remove(index);
            self.orders.retire(Some(Trash::Seat(seat)));
        }
    }

    fn publish(&mut self, samples: usize) {
        let shared = &*self.shared;
        shared.blocks.fetch_add(1, Ordering::Relaxed);
        shared.samples.fetch_add(samples as u64, Ordering::Relaxed);
        shared.participants.store(self.seats.len() as u64, Ordering::Relaxed);
        shared.trash_stalls.store(self.orders.stalls(), Ordering::Relaxed);
        shared.commands.store(self.orders.taken(), Ordering::Release);
    }
}

impl Seat {
    /// Whether it has left and faded.
    fn is_gone(&self) -> bool {
        self.is_leaving && self.said.is_mute() && self.heard.is_mute()
    }

    /// Takes what the participant says and adds it.
    fn say(&mut self, sum: &mut [i32]) {
        let (Some(own), Some(amplified)) =
            (self.own.get_mut(..sum.len()), self.amplified.get_mut(..sum.len()))
        else {
            return;
        };
        let filled = self.input.fill(own);
        self.level.push(own.get(..filled).unwrap_or_default());
        self.share = if self.said.is_mute() || (filled == 0 && self.said.is_still()) {
            Share::Nothing
        } else if self.said.is_unity() {
            own.get_mut(filled..).unwrap_or_default().fill(0);
            add(own, sum);
            Share::Own
        } else {
            own.get_mut(filled..).unwrap_or_default().fill(0);
            amplified.fill(0);
            self.said.add(own, amplified);
            add(amplified, sum);
            Share::Amplified
        };
    }

    /// Hands the participant what it hears.
    fn hear(&mut self, sum: &[i32], mixed: &mut [i16]) {
        match self.share {
            Share::Nothing => whole(sum, mixed),
            Share::Own => without(&self.own, sum, mixed),
            Share::Amplified => without(&self.amplified, sum, mixed),
        }
        self.heard.apply(mixed);
        self.output.write(mixed);
    }
}

impl std::fmt::Debug for BusProcessor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BusProcessor").field("config", &self.config).finish_non_exhaustive()
    }
}
