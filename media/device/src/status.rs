//! What a running card tells: counters that its callbacks raise and anybody may read.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// Shared by a card's callbacks, its hub and everybody who sits there.
#[derive(Debug, Default)]
pub(crate) struct StreamStatus {
    pub(crate) callbacks: AtomicU64,
    pub(crate) frames: AtomicU64,
    pub(crate) errors: AtomicU64,
    host_xruns: AtomicU64,
    pub(crate) breaks: AtomicU64,
    pub(crate) lost_frames: AtomicU64,
    pub(crate) drift_ppb: AtomicI64,
    pub(crate) period_frames: AtomicU32,
    pub(crate) latency_ns: AtomicU64,
    pub(crate) sharers: AtomicU32,
    failed: AtomicBool,
    // Written by cpal's error callback and control, read by control: none of them is the sample path.
    why: Mutex<Option<String>>,
    facts: Mutex<Facts>,
}

/// What the last opening brought.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) device: String,
    pub(crate) rate: u32,
    pub(crate) channels: u16,
    pub(crate) format: String,
    pub(crate) requested_us: u32,
    pub(crate) buffer_frames: Option<u32>,
    pub(crate) openings: u32,
}

/// A reading of a card's one direction, which all that share it have in common. Counts are since it was first opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamStatusSnapshot {
    /// The device's name.
    pub device: String,
    /// Its own rate, Hz.
    pub rate: u32,
    /// Its channels.
    pub channels: u16,
    /// Its sample type, as cpal calls it.
    pub format: String,
    /// Callbacks so far.
    pub callbacks: u64,
    /// Frames (samples of one channel, at the device's rate) so far.
    pub frames: u64,
    /// Errors that the host reported, its overruns and underruns among them.
    pub errors: u64,
    /// Overruns (capture) or underruns (playback): the breaks that time against frames shows, or those that the host
    /// reported if it has seen more.
    pub xruns: u64,
    /// Frames that time shows were lost in breaks.
    pub lost_frames: u64,
    /// How much faster than nominal the card's clock runs, in millionths; 0 until it is known (some seconds).
    pub drift_ppm: f64,
    /// The period that is asked for, µs: what the caller wished, doubled each time the card did not keep up.
    pub requested_period_us: u32,
    /// The largest of the last callbacks, µs: the period that came of it. 0 before the first.
    pub period_us: u32,
    /// The host's own word on the size of a callback, µs, if it has one.
    pub buffer_us: Option<u32>,
    /// From the card's ear to the callback, or from the callback to the card's mouth, by the device's time stamps, µs;
    /// `None` where they are not to be believed (some hosts say 0, or count from another epoch).
    pub latency_us: Option<u32>,
    /// How many share it.
    pub sharers: u32,
    /// How often the device was opened: once more for every larger period.
    pub openings: u32,
    /// The error that ended the stream, if one did.
    pub failed: Option<String>,
}

/// Reads a card's counters, also after one has left it.
#[derive(Clone, Debug)]
pub struct StreamMeter(pub(crate) Arc<StreamStatus>);

impl StreamMeter {
    /// What the card has done so far, for all who share it.
    pub fn status(&self) -> StreamStatusSnapshot {
        self.0.snapshot()
    }
}

impl StreamStatus {
    pub(crate) fn snapshot(&self) -> StreamStatusSnapshot {
        let facts = lock(&self.facts).clone();
        let us = |frames: u64| (frames * 1_000_000 / u64::from(facts.rate.max(1))) as u32;
        let latency_us = (self.latency_ns.load(Relaxed) / 1_000) as u32;
        StreamStatusSnapshot {
            callbacks: self.callbacks.load(Relaxed),
            frames: self.frames.load(Relaxed),
            errors: self.errors.load(Relaxed),
            xruns: self.xruns(),
            lost_frames: self.lost_frames.load(Relaxed),
            drift_ppm: self.drift_ppb.load(Relaxed) as f64 / 1e3,
            requested_period_us: facts.requested_us,
            period_us: us(u64::from(self.period_frames.load(Relaxed))),
            buffer_us: facts.buffer_frames.map(|frames| us(u64::from(frames))),
            latency_us: (latency_us > 0).then_some(latency_us),
            sharers: self.sharers.load(Relaxed),
            openings: facts.openings,
            failed: self.failure(),
            device: facts.device,
            rate: facts.rate,
            channels: facts.channels,
            format: facts.format,
        }
    }

    pub(crate) fn xruns(&self) -> u64 {
        self.breaks.load(Relaxed).max(self.host_xruns.load(Relaxed))
    }

    pub(crate) fn failure(&self) -> Option<String> {
        let why = || lock(&self.why).clone().unwrap_or_else(|| "unknown error".to_owned());
        self.failed.load(Relaxed).then(why)
    }

    /// Notes an error of the host; one that the stream does not survive marks it failed.
    pub(crate) fn report(&self, error: &cpal::Error) {
        self.errors.fetch_add(1, Relaxed);
        match error.kind() {
            cpal::ErrorKind::Xrun => {
                self.host_xruns.fetch_add(1, Relaxed);
            }
            cpal::ErrorKind::RealtimeDenied | cpal::ErrorKind::DeviceChanged => {}
            _ => self.fail(error.to_string()),
        }
    }

    pub(crate) fn fail(&self, why: String) {
        lock(&self.why).get_or_insert(why);
        self.failed.store(true, Relaxed);
    }

    /// The device was opened (again).
    pub(crate) fn opened(&self, facts: Facts) {
        let mut known = lock(&self.facts);
        *known = Facts { openings: known.openings + 1, ..facts };
        self.period_frames.store(0, Relaxed);
        self.latency_ns.store(0, Relaxed);
        *lock(&self.why) = None;
        self.failed.store(false, Relaxed);
    }
}

/// A panic under one of these locks leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
