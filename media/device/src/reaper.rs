//! Drops cpal streams where a drop may hang.
//!
//! Dropping a PulseAudio playback stream whose sink has vanished blocks until the daemon dies; a caller that releases
//! a call must not. Each stream is dropped on a thread of its own, and waited for only a short while.

use std::sync::mpsc;
use std::time::Duration;

/// How long a drop is waited for before it is left to itself.
const PATIENCE: Duration = Duration::from_millis(500);

/// Drops `stream`; returns whether the drop ended in time.
pub(crate) fn reap(stream: cpal::Stream) -> bool {
    let (done, wait) = mpsc::channel();
    let spawned = std::thread::Builder::new().name("offhook-reaper".into()).spawn(move || {
        drop(stream);
        // The waiter may have given up; then nobody wants to know.
        let _ = done.send(());
    });
    match spawned {
        Ok(_) => wait.recv_timeout(PATIENCE).is_ok(),
        Err(error) => {
            tracing::warn!(%error, "no thread to drop a sound stream on; it was dropped in place");
            false
        }
    }
}
