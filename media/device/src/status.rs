//! What a running stream tells: counters that its callbacks raise and anybody may read.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Shared by a stream's callbacks and its owner.
#[derive(Debug, Default)]
pub struct StreamStatus {
    pub(crate) callbacks: AtomicU64,
    pub(crate) frames: AtomicU64,
    pub(crate) errors: AtomicU64,
    failed: AtomicBool,
    // Written by cpal's error callback and read by control: neither is the sample path.
    why: Mutex<Option<String>>,
}

/// A reading of a [`StreamStatus`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamStatusSnapshot {
    /// Callbacks so far.
    pub callbacks: u64,
    /// Frames (samples of one channel, at the device's rate) so far.
    pub frames: u64,
    /// Errors the host reported, overruns and underruns among them.
    pub errors: u64,
    /// The error that ended the stream, if one did.
    pub failed: Option<String>,
}

impl StreamStatus {
    /// Reads it.
    pub fn snapshot(&self) -> StreamStatusSnapshot {
        let failed = self.failed.load(Relaxed).then(|| {
            let why = self.why.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            why.clone().unwrap_or_else(|| "unknown error".to_owned())
        });
        StreamStatusSnapshot {
            callbacks: self.callbacks.load(Relaxed),
            frames: self.frames.load(Relaxed),
            errors: self.errors.load(Relaxed),
            failed,
        }
    }

    /// Notes an error of the host; one that the stream does not survive marks it failed.
    pub(crate) fn report(&self, error: &cpal::Error) {
        self.errors.fetch_add(1, Relaxed);
        let survives = matches!(
            error.kind(),
            cpal::ErrorKind::Xrun | cpal::ErrorKind::RealtimeDenied | cpal::ErrorKind::DeviceChanged
        );
        if survives {
            return;
        }
        let mut why = self.why.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        why.get_or_insert_with(|| error.to_string());
        self.failed.store(true, Relaxed);
    }
}
