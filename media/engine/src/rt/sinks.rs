//! What hears the peer: sinks that come and go, each as loud as it likes.
//! In: blocks of playout. Out: the same to every sink, after its gain; retired sinks; levels.
//! Not here: the speaker, which is the driver's (`rx.rs`).
//! RT: no allocation, lock, syscall, log or panic. (`new` allocates and is called by control.)

use std::sync::Arc;

use offhook_codecs::Level;

use crate::command::SinkId;
use crate::config::EngineConfig;
use crate::rt::gain::{Gain, Ramp};
use crate::rt::node::{NodeMeter, Sink, amplified};
use crate::trash::Trash;

/// The sinks of a receiving half.
pub(crate) struct Sinks {
    slots: Vec<Slot>,
    scaled: Box<[i16]>,
    rate: u32,
}

struct Slot {
    id: SinkId,
    sink: Box<dyn Sink>,
    gain: Ramp,
    meter: Arc<NodeMeter>,
}

impl Sinks {
    pub(crate) fn new(config: &EngineConfig) -> Sinks {
        Sinks {
            slots: Vec::with_capacity(config.max_nodes),
            scaled: vec![0; config.max_block].into(),
            rate: config.sample_rate,
        }
    }

    /// Adds a sink, or hands it back if there is no room.
    pub(crate) fn add(&mut self, id: SinkId, sink: Box<dyn Sink>, meter: Arc<NodeMeter>) -> Option<Trash> {
        if self.slots.len() == self.slots.capacity() {
            return Some(Trash::Sink(sink, meter));
        }
        self.slots.push(Slot { id, sink, gain: Ramp::new(Gain::UNITY), meter });
        None
    }

    pub(crate) fn remove(&mut self, id: SinkId) -> Option<Trash> {
        let index = self.slots.iter().position(|slot| slot.id == id)?;
        let Slot { sink, meter, .. } = self.slots.swap_remove(index);
        Some(Trash::Sink(sink, meter))
    }

    pub(crate) fn set_gain(&mut self, id: SinkId, gain: Gain) {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.id == id) {
            slot.gain.set(gain, self.rate);
        }
    }

    /// Hands a block of at most `max_block` samples to every sink.
    pub(crate) fn write(&mut self, played_ns: u64, block: &[i16]) {
        for slot in &mut self.slots {
            match self.scaled.get_mut(..block.len()).filter(|_| !slot.gain.is_unity()) {
                None => slot.sink.write(played_ns, block),
                Some(scaled) => {
                    scaled.copy_from_slice(block);
                    slot.gain.apply(scaled);
                    slot.sink.write(played_ns, scaled);
                }
            }
        }
    }

    /// Tells each sink's level; `whole` is that of what all of them heard.
    pub(crate) fn tell_levels(&mut self, whole: Level) {
        for slot in &self.slots {
            slot.meter.set(amplified(whole, slot.gain.target_db()));
        }
    }
}
