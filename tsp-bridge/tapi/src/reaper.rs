//! The reapers: a few threads that end what may take its time to end, so that the pump need not wait for it.
//!
//! In: calls given up, terminals let go, from the pump. Out: calls of the MSP; word to whoever waits for them.
//! A shutdown waits until nothing of the call runs: for the next tick of a clock, or for a disk. Every call has to wait
//! for itself only.
//! Not here: when a call is given up (`pump.rs`).
//!
//! Threads are started when there is work for one more, [`MAX_THREADS`] at most, and end with the session. When
//! [`MAX_WAITING`] jobs wait, the pump does the next one itself: what is not shut down yet cannot grow without bound.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::Terminal;
use crate::call::CallShared;
use crate::core::{Msg, lock};

/// Threads of one session. Each waits most of the time.
pub(crate) const MAX_THREADS: usize = 16;
/// Jobs that no thread has begun.
const MAX_WAITING: usize = 1024;

/// Who is told.
pub(crate) type Done = oneshot::Sender<()>;

/// Something to end.
pub(crate) enum Job {
    /// The MSP's half of a call, and the call's hold on its terminals.
    Call(Arc<CallShared>),
    /// What may be the last handle.
    Terminal(Terminal),
}

/// The pump's end of it.
pub(crate) struct Reaper {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    pump: Sender<Msg>,
    state: Mutex<State>,
    /// There is work, or there will be none.
    work: Condvar,
    /// A job is done.
    done: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<(u64, Job)>,
    /// Jobs not done, by number: of which call, who waits for it.
    open: BTreeMap<u64, (Option<u64>, Vec<Done>)>,
    /// Who waits for every job below a number.
    settling: Vec<(u64, Vec<Done>)>,
    next: u64,
    /// Threads that wait for work.
    idle: usize,
    is_over: bool,
}

impl Reaper {
    pub(crate) fn new(pump: Sender<Msg>) -> Self {
        let (state, work, done) = Default::default();
        Self { shared: Arc::new(Shared { pump, state, work, done }), threads: Vec::new() }
    }

    /// Ends it, soon, and tells when that is done.
    pub(crate) fn reap(&mut self, job: Job, done: Option<Done>) {
        let call = match &job {
            Job::Call(call) => Some(call.id),
            Job::Terminal(_) => None,
        };
        let mut state = lock(&self.shared.state);
        let number = state.next;
        state.next += 1;
        state.open.insert(number, (call, done.into_iter().collect()));
        state.queue.push_back((number, job));
        let (is_short_of_threads, is_full) =
            (state.queue.len() > state.idle, state.queue.len() > MAX_WAITING);
        drop(state);
        self.shared.work.notify_one();
        if is_short_of_threads && self.threads.len() < MAX_THREADS {
            self.hire();
        }
        if is_full || self.threads.is_empty() {
            let next = lock(&self.shared.state).queue.pop_front();
            if let Some((number, job)) = next {
                self.shared.work_on(number, job);
            }
        }
    }

    fn hire(&mut self) {
        let shared = self.shared.clone();
        let name = format!("tapi-reaper-{}", self.threads.len());
        match std::thread::Builder::new().name(name).spawn(move || shared.run()) {
            Ok(thread) => self.threads.push(thread),
            Err(error) => tracing::warn!(%error, "one thread less to end calls"),
        }
    }

    /// Tells when the call, given up before, is shut down.
    pub(crate) fn when_reaped(&self, call: u64, done: Done) {
        let mut state = lock(&self.shared.state);
        if let Some((_, waiting)) = state.open.values_mut().find(|(of, _)| *of == Some(call)) {
            waiting.push(done);
            return;
        }
        drop(state);
        let _ = done.send(());
    }

    /// Tells these when everything given up so far has ended: at once, or by way of the pump ([`Msg::Reaped`]), for
    /// there may be reports of it.
    pub(crate) fn when_settled(&self, waiting: Vec<Done>) {
        let mut state = lock(&self.shared.state);
        if !state.open.is_empty() {
            let before = state.next;
            state.settling.push((before, waiting));
            return;
        }
        drop(state);
        for done in waiting {
            let _ = done.send(());
        }
    }

    /// Waits until everything given up so far has ended.
    pub(crate) fn settle(&self) {
        let mut state = lock(&self.shared.state);
        while !state.open.is_empty() {
            state = wait(&self.shared.done, state);
        }
    }

    /// Waits for that, and until no thread runs any more.
    pub(crate) fn finish(mut self) {
        self.settle();
        let threads = mem::take(&mut self.threads);
        drop(self);
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread that ends calls died");
            }
        }
    }
}

/// Threads end once there is nothing left to do.
impl Drop for Reaper {
    fn drop(&mut self) {
        lock(&self.shared.state).is_over = true;
        self.shared.work.notify_all();
    }
}

impl Shared {
    fn run(&self) {
        while let Some((number, job)) = self.take() {
            self.work_on(number, job);
        }
    }

    fn take(&self) -> Option<(u64, Job)> {
        let mut state = lock(&self.state);
        loop {
            if let Some(next) = state.queue.pop_front() {
                return Some(next);
            }
            if state.is_over {
                return None;
            }
            state.idle += 1;
            state = wait(&self.work, state);
            state.idle -= 1;
        }
    }

    /// Does it, and tells whoever waits for it.
    fn work_on(&self, number: u64, job: Job) {
        // An MSP that panics ends nobody else's calls.
        if catch_unwind(AssertUnwindSafe(|| job.run())).is_err() {
            tracing::error!("the MSP panicked while it ended something");
        }
        let mut state = lock(&self.state);
        let told = state.open.remove(&number);
        let first_open = state.open.keys().next().copied().unwrap_or(u64::MAX);
        let settled: Vec<_> =
            state.settling.extract_if(.., |(before, _)| *before <= first_open).flat_map(|(_, w)| w).collect();
        drop(state);
        for done in told.into_iter().flat_map(|(_, waiting)| waiting) {
            let _ = done.send(());
        }
        if !settled.is_empty() {
            // If the pump has gone they learn it by the end of their channels.
            let _ = self.pump.send(Msg::Reaped(settled));
        }
        self.done.notify_all();
    }
}

impl Job {
    fn run(self) {
        match self {
            Self::Call(call) => {
                if let Ok(half) = call.media()
                    && let Err(error) = half.msp.shutdown_msp_call(half.id)
                {
                    tracing::warn!(%error, "the MSP call was not shut down cleanly");
                }
                let selections = mem::take(&mut *lock(&call.selections));
                let parts = mem::take(&mut *lock(&call.substreams));
                for part in parts.into_values().flatten() {
                    part.let_go();
                }
                drop(selections);
            }
            Self::Terminal(terminal) => drop(terminal),
        }
    }
}

fn wait<'a, T>(signal: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    signal.wait(guard).unwrap_or_else(PoisonError::into_inner)
}
