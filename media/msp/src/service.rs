//! Threads that look after things from time to time, off the real-time path.
//! In: what is to be served, weakly held. Out: a turn for each, every period, until the thread is dropped.
//!
//! Three of them run: one for calls (RTCP, taps, events), one for files, one for sound cards, so that a disk or a sound
//! server that stalls holds no call up.
//! Not here: what a turn does (`call.rs`, `terminal/file.rs`, `terminal/record.rs`).

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::lock;

/// How long the end of a thread is waited for: a disk may stall for ever.
const PATIENCE: Duration = Duration::from_secs(3);

/// Something that needs a turn from time to time.
pub(crate) trait Served: Send + Sync {
    /// One turn.
    fn turn(&self);
}

/// A thread that serves. Dropping it ends it.
pub(crate) struct Worker {
    roster: Arc<Roster>,
    thread: Option<JoinHandle<()>>,
    ended: Mutex<mpsc::Receiver<()>>,
}

#[derive(Default)]
struct Roster {
    served: Mutex<Vec<Weak<dyn Served>>>,
    is_over: AtomicBool,
}

impl Worker {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// The system's, if there is no thread.
    pub(crate) fn start(name: &str, period: Duration) -> io::Result<Self> {
        let roster = Arc::new(Roster::default());
        let served = Arc::clone(&roster);
        let (tell_ended, ended) = mpsc::channel();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            while !served.is_over.load(Ordering::Acquire) {
                served.round();
                std::thread::park_timeout(period);
            }
            // Whoever drops the worker waits for this, or has given up.
            let _ = tell_ended.send(());
        })?;
        Ok(Self { roster, thread: Some(thread), ended: Mutex::new(ended) })
    }

    /// Serves this from now on, as long as it is alive.
    pub(crate) fn serve(&self, served: &Arc<dyn Served>) {
        lock(&self.roster.served).push(Arc::downgrade(served));
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.roster.is_over.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return };
        thread.thread().unpark();
        match lock(&self.ended).recv_timeout(PATIENCE) {
            Err(mpsc::RecvTimeoutError::Timeout) => {
                tracing::warn!("a media thread does not end; it is left behind");
            }
            // It has ended, or died: a join is over at once.
            Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => {
                if thread.join().is_err() {
                    tracing::error!("a media thread died");
                }
            }
        }
    }
}

impl Roster {
    fn round(&self) {
        let mut alive = Vec::new();
        lock(&self.served).retain(|served| match served.upgrade() {
            Some(served) => {
                alive.push(served);
                true
            }
            None => false,
        });
        for served in alive {
            if self.is_over.load(Ordering::Acquire) {
                return;
            }
            served.turn();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    struct Count(AtomicU32);

    impl Served for Count {
        fn turn(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_is_alive_gets_turns_until_the_worker_goes() {
        let worker = Worker::start("test", Duration::from_millis(1)).unwrap();
        let count = Arc::new(Count(AtomicU32::new(0)));
        worker.serve(&(count.clone() as _));
        worker.serve(&(Arc::new(Count(AtomicU32::new(0))) as _));
        while count.0.load(Ordering::Relaxed) < 3 {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(lock(&worker.roster.served).len(), 1, "the dead one is forgotten");
        drop(worker);
        let turns = count.0.load(Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(10));
        assert_eq!(count.0.load(Ordering::Relaxed), turns);
    }
}
