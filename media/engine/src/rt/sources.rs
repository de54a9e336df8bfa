//! What the peer hears: sources that come and go without a click, and their sum.
//! In: blocks of the microphone's, sources with their gains. Out: one mixed block; retired sources; levels.
//!
//! ```text
//! microphone ─ gain ─┐
//! source ─ seam ─ gain ─┼─▶ sum (32 bits), saturated once
//! source ─ seam ─ gain ─┘
//! ```
//!
//! A source that is added begins with a seam (`seam.rs`): nothing is changed if it begins at zero. One that is removed
//! from a running half fades within 5 ms before it is retired; it takes no new source's place meanwhile.
//! Not here: packets (`tx.rs`).
//! RT: no allocation, lock, syscall, log or panic. (`new` allocates and is called by control.)

use std::sync::Arc;

use offhook_codecs::{Level, LevelMeter};

use crate::command::{SourceId, TxOrder};
use crate::config::EngineConfig;
use crate::rt::gain::{Gain, Ramp, saturate};
use crate::rt::node::{NodeMeter, Source, amplified};
use crate::rt::orders::Orders;
use crate::rt::seam::Seam;
use crate::trash::Trash;

/// The sources of a sending half.
pub(crate) struct Sources {
    slots: Vec<Slot>,
    sum: Box<[i32]>,
    rate: u32,
}

struct Slot {
    id: SourceId,
    source: Box<dyn Source>,
    gain: Ramp,
    seam: Seam,
    is_leaving: bool,
    level: LevelMeter,
    /// Whether `level` heard anything since it was told.
    is_measured: bool,
    meter: Arc<NodeMeter>,
}

impl Sources {
    pub(crate) fn new(config: &EngineConfig) -> Sources {
        Sources {
            // As many again may be fading.
            slots: Vec::with_capacity(config.max_nodes.saturating_mul(2)),
            sum: vec![0; config.max_block].into(),
            rate: config.sample_rate,
        }
    }

    /// Adds a source; what had to go for it.
    pub(crate) fn add(
        &mut self,
        id: SourceId,
        source: Box<dyn Source>,
        gain: Gain,
        meter: Arc<NodeMeter>,
    ) -> Option<Trash> {
        let mut gone = None;
        if self.slots.len() == self.slots.capacity() {
            // Control keeps to its bound: whatever is beyond it is fading already.
            let Some(fading) = self.slots.iter().position(|slot| slot.is_leaving) else {
                return Some(Trash::Source(source, meter));
            };
            gone = Some(self.slots.swap_remove(fading).into_trash());
        }
        let mut seam = Seam::new(self.rate);
        seam.cut();
        self.slots.push(Slot {
            id,
            source,
            gain: Ramp::new(gain),
            seam,
            is_leaving: false,
            level: LevelMeter::new(),
            is_measured: false,
            meter,
        });
        gone
    }

    /// Lets a source go: at once if nothing is heard, else when it has faded.
    pub(crate) fn remove(&mut self, id: SourceId, is_heard: bool) -> Option<Trash> {
        let index = self.slots.iter().position(|slot| slot.id == id && !slot.is_leaving)?;
        if !is_heard {
            return Some(self.slots.swap_remove(index).into_trash());
        }
        if let Some(slot) = self.slots.get_mut(index) {
            slot.is_leaving = true;
            slot.gain.set(Gain::MUTE, self.rate);
        }
        None
    }

    pub(crate) fn set_gain(&mut self, id: SourceId, gain: Gain) {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.id == id && !slot.is_leaving) {
            slot.gain.set(gain, self.rate);
        }
    }

    /// Retires what has faded, or everything that was to fade once nothing is heard any more.
    pub(crate) fn retire(&mut self, is_heard: bool, orders: &mut Orders<TxOrder>) {
        let is_gone = |slot: &Slot| slot.is_leaving && (slot.gain.is_mute() || !is_heard);
        while let Some(index) = self.slots.iter().position(is_gone) {
            if !orders.has_room() {
                return;
            }
            orders.retire(Some(self.slots.swap_remove(index).into_trash()));
        }
    }

    /// Mixes everything into `out`, which is at most a block long. One sound at unity gain is copied and no more.
    pub(crate) fn mix(
        &mut self,
        captured_ns: u64,
        microphone: Option<&[i16]>,
        microphone_gain: &mut Ramp,
        out: &mut [i16],
    ) {
        if let (Some(input), []) = (microphone, self.slots.as_slice()) {
            out.copy_from_slice(input);
            microphone_gain.apply(out);
            return;
        }
        if let (None, [only]) = (microphone, self.slots.as_mut_slice()) {
            let filled = only.fill(captured_ns, out);
            out.get_mut(filled..).unwrap_or_default().fill(0);
            only.gain.apply(out);
            return;
        }
        let Some(sum) = self.sum.get_mut(..out.len()) else { return };
        sum.fill(0);
        if let Some(input) = microphone {
            microphone_gain.add(input, sum);
        }
        for slot in &mut self.slots {
            let filled = slot.fill(captured_ns, out);
            // The whole block, so that a gain under way moves on though its source is silent.
            out.get_mut(filled..).unwrap_or_default().fill(0);
            slot.level.push(out);
            slot.is_measured = true;
            slot.gain.add(out, sum);
        }
        for (out, sum) in out.iter_mut().zip(sum) {
            *out = saturate(*sum);
        }
    }

    /// Tells each source's level; `whole` is that of the sum.
    pub(crate) fn tell_levels(&mut self, whole: Level) {
        for slot in &mut self.slots {
            // What was alone was not measured apart.
            let level = match std::mem::take(&mut slot.is_measured) {
                true => amplified(slot.level.take(), slot.gain.target_db()),
                false => whole,
            };
            slot.meter.set(level);
        }
    }
}

impl Slot {
    fn fill(&mut self, captured_ns: u64, out: &mut [i16]) -> usize {
        let filled = self.source.fill(captured_ns, out).min(out.len());
        if !self.seam.is_settled() {
            self.seam.join(out.get_mut(..filled).unwrap_or_default());
        }
        filled
    }

    fn into_trash(self) -> Trash {
        Trash::Source(self.source, self.meter)
    }
}
