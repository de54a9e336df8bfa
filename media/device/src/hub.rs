//! One open stream of one device and direction, and everybody who shares it.
//! In: a device, seats. Out: a running stream while anybody sits there; larger periods where the card does not keep up.
//!
//! ```text
//! closed ─ first seat ─▶ open ─ breaks ─▶ open with twice the period ─ last seat gone ─▶ closed
//!    ▲                    │ the host ends it: failed
//!    └──── next seat ─────┘
//! ```
//!
//! Control only; the callbacks are in `rt.rs` and meet this side in `seats.rs` and `status.rs`.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cpal::traits::StreamTrait;

use crate::open::{self, Seat, StreamRequest};
use crate::seats::Seats;
use crate::sound::Clock;
use crate::status::{Facts, StreamStatus};
use crate::{DeviceError, reaper};

/// Breaks within [`JUDGED_NS`] that make a period too short.
const TOO_MANY: u64 = 3;
const JUDGED_NS: u64 = 10_000_000_000;
/// The longest period that is tried, µs.
const LONGEST_US: u32 = 100_000;
/// How often, and how far apart, a busy device is tried: its last stream may still be closing.
const BUSY_TRIES: u32 = 6;
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// One direction of one device.
pub(crate) struct Hub<T: Seat> {
    pub(crate) id: String,
    pub(crate) seats: Arc<Seats<T>>,
    pub(crate) status: Arc<StreamStatus>,
    clock: Clock,
    line: Mutex<Line>,
}

/// The stream to the device.
#[derive(Default)]
struct Line {
    device: Option<cpal::Device>,
    name: String,
    stream: Option<cpal::Stream>,
    rate: u32,
    request: Option<StreamRequest>,
    /// Breaks at the last judgement, and when it was.
    judged: (u64, u64),
}

impl<T: Seat> Hub<T> {
    pub(crate) fn new(id: String, clock: Clock) -> Self {
        let (seats, status) = (Arc::new(Seats::new()), Arc::default());
        Self { id, seats, status, clock, line: Mutex::default() }
    }

    /// Sits down in what `make` makes for the device's rate. Opens the device if it is not open or has failed; the
    /// period is that of whoever opens it.
    pub(crate) fn join(
        &self,
        device: &cpal::Device,
        request: StreamRequest,
        make: impl FnOnce(u32) -> Result<T, DeviceError>,
    ) -> Result<Joined, DeviceError> {
        let mut line = self.line();
        if line.stream.is_none() || self.status.failure().is_some() {
            line.device = Some(device.clone());
            line.name = open::name_of(device);
            self.open(&mut line, request)?;
        }
        let seat = self.seats.join(Box::new(make(line.rate)?));
        let full = || DeviceError::Full { name: line.name.clone(), most: crate::seats::SEATS };
        self.status.sharers.store(self.seats.count() as u32, Ordering::Relaxed);
        Ok(Joined { seat: seat.ok_or_else(full)?, name: line.name.clone(), rate: line.rate })
    }

    /// Gives the card a longer period if it breaks too often.
    pub(crate) fn tend(&self) {
        let mut line = self.line();
        let (breaks, now_ns) = (self.status.xruns(), (self.clock)());
        let (before, since_ns) = line.judged;
        let Some(request) = line.request.filter(|_| line.stream.is_some()) else { return };
        if breaks.saturating_sub(before) >= TOO_MANY {
            let period_us = request.period_us.saturating_mul(2).min(LONGEST_US);
            if period_us > request.period_us && self.status.failure().is_none() {
                tracing::info!(device = %line.name, period_us, "a sound device breaks: it gets a longer period");
                if let Err(error) = self.open(&mut line, StreamRequest { period_us, ..request }) {
                    self.status.fail(error.to_string());
                }
            }
            line.judged = (self.status.xruns(), now_ns);
        } else if now_ns.saturating_sub(since_ns) > JUDGED_NS {
            line.judged = (breaks, now_ns);
        }
    }

    /// Opens, or opens anew.
    fn open(&self, line: &mut Line, request: StreamRequest) -> Result<(), DeviceError> {
        if let Some(old) = line.stream.take()
            && !reaper::reap(old)
        {
            tracing::warn!(device = %line.name, "the sound host did not close the stream in time");
        }
        let Some(device) = &line.device else { return Ok(()) };
        let chosen = open::choose::<T>(device, &line.name, &request)?;
        let mut tries = 0;
        let stream = loop {
            tries += 1;
            let clock = Arc::clone(&self.clock);
            let opened = T::open(device, chosen, Arc::clone(&self.seats), Arc::clone(&self.status), clock);
            match opened.and_then(|stream| stream.play().map(|()| stream)) {
                Err(why) if why.kind() == cpal::ErrorKind::DeviceBusy && tries < BUSY_TRIES => {
                    std::thread::sleep(BUSY_PAUSE);
                }
                other => break other,
            }
        };
        let stream =
            stream.map_err(|why| DeviceError::Open { name: line.name.clone(), why: why.to_string() })?;
        let (config, format) = chosen;
        self.status.opened(Facts {
            device: line.name.clone(),
            rate: config.sample_rate,
            channels: config.channels,
            format: format.to_string(),
            requested_us: request.period_us,
            buffer_frames: stream.buffer_size().ok(),
            openings: 0,
        });
        if line.rate != config.sample_rate {
            let mut failed = None;
            self.seats.visit_each(|seat| failed = seat.retune(config.sample_rate).err().or(failed.take()));
            if let Some(why) = failed {
                return Err(DeviceError::Format { name: line.name.clone(), why: why.to_string() });
            }
        }
        line.rate = config.sample_rate;
        line.request = Some(request);
        line.judged = (self.status.xruns(), (self.clock)());
        line.stream = Some(stream);
        Ok(())
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // A panic under it leaves a stream open or closed, and both can be.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Seat> Drop for Hub<T> {
    fn drop(&mut self) {
        let line = self.line.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(stream) = line.stream.take()
            && !reaper::reap(stream)
        {
            tracing::warn!(device = %line.name, "the sound host did not close the stream in time");
        }
    }
}

/// Where somebody sat down.
pub(crate) struct Joined {
    pub(crate) seat: usize,
    pub(crate) name: String,
    pub(crate) rate: u32,
}
