//! A seat at a running card, held by control.
//! In: a hub. Out: [`SoundStream`], whose callbacks run until it is dropped.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::fader::Knob;
use crate::hub::Hub;
use crate::open::Seat;
use crate::status::StreamStatus;
use crate::{DeviceError, StreamMeter, StreamStatusSnapshot};

/// How long a fade is waited for, and how long without a callback: a card with long periods is alive, a dead one holds
/// nobody up.
const FADE: Duration = Duration::from_millis(500);
const NO_CALLBACK: Duration = Duration::from_millis(250);

/// One that hears a card or is played by it, among others that may share it. It starts muted: see
/// [`set_gain`](Self::set_gain). Dropping it fades out, leaves the card, and closes it behind the last one.
pub struct SoundStream {
    chair: Box<dyn Chair>,
    knob: Arc<Knob>,
    status: Arc<StreamStatus>,
    name: String,
    id: String,
    resampling_delay_ns: u64,
}

trait Chair: Send + Sync {
    fn leave(&mut self);
}

struct Taken<T: Seat> {
    hub: Option<Arc<Hub<T>>>,
    seat: usize,
}

impl<T: Seat> Chair for Taken<T> {
    fn leave(&mut self) {
        let Some(hub) = self.hub.take() else { return };
        if hub.seats.leave(self.seat).is_none() {
            tracing::warn!(device = %hub.id, "a sound callback does not end; its seat is lost");
        }
        hub.status.sharers.store(hub.seats.count() as u32, Relaxed);
    }
}

impl SoundStream {
    pub(crate) fn new<T: Seat>(
        hub: Arc<Hub<T>>,
        (seat, name): (usize, String),
        knob: Arc<Knob>,
        resampling_delay_ns: u64,
    ) -> Self {
        let (status, id) = (Arc::clone(&hub.status), hub.id.clone());
        Self { chair: Box::new(Taken { hub: Some(hub), seat }), knob, status, name, id, resampling_delay_ns }
    }

    /// The device's name.
    pub fn device_name(&self) -> &str {
        &self.name
    }

    /// What tells the device from others.
    pub fn device_id(&self) -> &str {
        &self.id
    }

    /// What tells what the card does, also when this stream has gone.
    pub fn meter(&self) -> StreamMeter {
        StreamMeter(Arc::clone(&self.status))
    }

    /// What the card has done, for all who share it.
    pub fn status(&self) -> StreamStatusSnapshot {
        self.status.snapshot()
    }

    /// The resampler's delay in nanoseconds.
    pub fn resampling_delay_ns(&self) -> u64 {
        self.resampling_delay_ns
    }

    /// Amplifies this one's sound by a factor: 0 mutes, 1 leaves it as it is, 32 is the most. Changes take 5 ms and do
    /// not click; whoever else shares the card is not touched.
    pub fn set_gain(&self, factor: f32) {
        self.knob.turn(factor);
    }

    /// Waits until the card calls: a card can open and never run.
    ///
    /// # Errors
    ///
    /// [`DeviceError::Silent`] after `patience`.
    pub fn wait_for_life(&self, patience: Duration) -> Result<(), DeviceError> {
        let (before, begun) = (self.status.callbacks.load(Relaxed), Instant::now());
        while self.status.callbacks.load(Relaxed) == before {
            if begun.elapsed() > patience {
                return Err(DeviceError::Silent(self.name.clone()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Mutes and waits until that is heard: half a second at most, half of that if the card does not call.
    pub fn fade_out(&self) {
        self.knob.turn(0.0);
        let callbacks = || self.status.callbacks.load(Relaxed);
        let (begun, mut called, mut last) = (Instant::now(), Instant::now(), callbacks());
        while !self.knob.is_reached() && self.status.failure().is_none() {
            if callbacks() != last {
                (last, called) = (callbacks(), Instant::now());
            }
            if begun.elapsed() > FADE || called.elapsed() > NO_CALLBACK {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for SoundStream {
    fn drop(&mut self) {
        self.fade_out();
        self.chair.leave();
    }
}
