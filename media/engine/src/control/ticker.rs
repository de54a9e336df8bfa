//! The clock of calls that have no sound card: a few threads, many calls each.
//! In: the halves of calls. Out: the same, driven every period until their handle wants them back; a report.
//!
//! Starting, adding and removing may wait; the threads themselves only run `rt/tick.rs`.
//! Not here: the loop and its catch-up policy (`rt/tick.rs`); the virtual driver (`simulate`).

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

use crate::rt::bus::BusProcessor;
use crate::rt::rx::RxProcessor;
use crate::rt::tick::{BOUNDS_NS, LegFlags, TickLeg, TickLoop, TickShared};
use crate::rt::tx::TxProcessor;

/// How long a leg may take to come back.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a ticker is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TickerConfig {
    /// Threads; calls are spread over them. One a core is usual.
    pub threads: usize,
    /// Time between ticks.
    pub period: Duration,
    /// Calls that one thread serves at most; 65536 itself at most.
    pub max_calls: usize,
    /// Missed ticks that are caught up after a stall; older ones are skipped and counted.
    pub catch_up: u32,
    /// Real-time priority wished for, 1 to 99 (SCHED_FIFO), if the system permits it; `None` does not ask.
    pub priority: Option<u8>,
}

impl Default for TickerConfig {
    /// One thread a core, 10 ms, 4096 calls a thread, 200 ms of catching up, priority 60.
    fn default() -> TickerConfig {
        TickerConfig {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            period: Duration::from_millis(10),
            max_calls: 4_096,
            catch_up: 20,
            priority: Some(60),
        }
    }
}

/// Threads that drive calls. Dropping it stops them; what they still drove waits for its handles.
#[derive(Debug)]
pub struct Ticker {
    workers: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    desk: Arc<Desk>,
    #[allow(clippy::vec_box, reason = "the boxes travel: unpacking one frees memory")]
    thread: Option<JoinHandle<Vec<Box<TickLeg>>>>,
    scheduling: Scheduling,
}

/// Where control meets one thread.
struct Desk {
    shared: Arc<TickShared>,
    max_calls: usize,
    inner: Mutex<Inner>,
}

struct Inner {
    arriving: HeapProd<Box<TickLeg>>,
    leaving: HeapCons<Box<TickLeg>>,
    /// Legs that came back and were not asked for yet.
    back: HashMap<u64, TickLeg>,
    /// Legs over there.
    out: usize,
    next_id: u64,
}

/// A call's two halves, either of which may be missing.
#[derive(Debug, Default)]
pub struct Leg {
    /// The sending half.
    pub tx: Option<TxProcessor>,
    /// The receiving half.
    pub rx: Option<RxProcessor>,
}

/// A leg being driven. Dropping it takes the leg from the ticker (waiting a tenth of a second at most) and drops it.
#[derive(Debug)]
pub struct TickerHandle {
    desk: Arc<Desk>,
    id: u64,
    flags: Arc<LegFlags>,
    is_claimed: bool,
}

/// A bus being driven. Dropping it takes the bus from the ticker as dropping a [`TickerHandle`] does.
#[derive(Debug)]
pub struct BusHandle(TickerHandle);

/// How a thread is scheduled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheduling {
    /// SCHED_FIFO at this priority.
    RealTime {
        /// 1 to 99.
        priority: u8,
    },
    /// As any other thread, and why.
    Ordinary {
        /// For people: what was refused and what would help.
        why: String,
    },
}

/// A ticker that could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TickerError {
    /// A period of less than a millisecond or more than a second.
    #[error("a ticker's period must be 1 ms to 1 s, not {0:?}")]
    Period(Duration),
    /// The system gave no thread.
    #[error("no thread for the media ticker: {0}")]
    Spawn(#[from] std::io::Error),
}

/// A leg (or a bus) that was not added; here it is again.
#[derive(Debug, thiserror::Error)]
pub enum AddError<T = Leg> {
    /// Every thread serves as many as it may.
    #[error("the media ticker serves its {max} calls already")]
    TooMany {
        /// What was not added.
        leg: Box<T>,
        /// How many there can be.
        max: usize,
    },
    /// The threads have stopped, or do not keep up.
    #[error("the media ticker does not take calls: its thread has stopped or stalled")]
    Stalled(Box<T>),
}

impl From<TickLeg> for Leg {
    fn from(leg: TickLeg) -> Leg {
        Leg { tx: leg.tx, rx: leg.rx }
    }
}

/// A leg that did not come back in time. It will be dropped when it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the media ticker's thread did not answer within {0:?}")]
pub struct RemoveError(pub Duration);

/// What a ticker's threads have done so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TickerReport {
    /// Legs being driven.
    pub legs: u64,
    /// Times that a thread woke.
    pub wakes: u64,
    /// Ticks run, those caught up included.
    pub ticks: u64,
    /// Ticks run late, together with others, after a stall.
    pub caught_up: u64,
    /// Ticks left out.
    pub skipped: u64,
    /// Time spent in ticks, nanoseconds.
    pub busy_ns: u64,
    /// The longest time between a wake and the end of its ticks, nanoseconds.
    pub max_busy_ns: u64,
    /// How late the threads woke.
    pub lateness: Lateness,
    /// How each thread is scheduled.
    pub scheduling: Vec<Scheduling>,
}

/// A histogram of how late wakes were after their deadlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lateness {
    /// Wakes a bin; bin i is below [`Self::BOUNDS_NS`]`[i]`, the last one is everything beyond.
    pub counts: [u64; BOUNDS_NS.len() + 1],
    /// The latest, nanoseconds.
    pub max_ns: u64,
}

impl Lateness {
    /// Upper bounds of the bins, nanoseconds.
    pub const BOUNDS_NS: [u64; BOUNDS_NS.len()] = BOUNDS_NS;

    /// The bound below which the `quantile` (0 to 1) of wakes stayed, nanoseconds; the maximum for the last bin; 0
    /// without any.
    pub fn quantile_ns(&self, quantile: f64) -> u64 {
        let total: u64 = self.counts.iter().sum();
        let wanted = (quantile.clamp(0.0, 1.0) * total as f64).ceil() as u64;
        let mut seen = 0;
        for (bin, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted && seen > 0 {
                return BOUNDS_NS.get(bin).map_or(self.max_ns, |bound| self.max_ns.min(*bound));
            }
        }
        0
    }
}

impl Ticker {
    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// [`TickerError`]. A refused real-time priority is none: [`TickerReport::scheduling`] tells.
    pub fn start(config: TickerConfig) -> Result<Ticker, TickerError> {
        let period_ns = u64::try_from(config.period.as_nanos()).unwrap_or(u64::MAX);
        if !(1_000_000..=1_000_000_000).contains(&period_ns) {
            return Err(TickerError::Period(config.period));
        }
        let mut ticker = Ticker { workers: Vec::new() };
        for n in 0..config.threads.max(1) {
            ticker.workers.push(Worker::start(n, period_ns, &config)?);
        }
        Ok(ticker)
    }

    /// Drives these halves from the next tick on.
    ///
    /// # Errors
    ///
    /// [`AddError`] with the halves.
    pub fn add(&self, tx: Option<TxProcessor>, rx: Option<RxProcessor>) -> Result<TickerHandle, AddError> {
        self.seat(Leg { tx, rx }, TickLeg::of_call)
    }

    /// Drives a mixer bus from the next tick on. Calls that are added beside it ([`Self::add_beside`]) are heard and
    /// hear within one tick; any other call may take part as well, at the price of its clock's phase.
    ///
    /// # Errors
    ///
    /// [`AddError`] with the bus.
    pub fn add_bus(&self, bus: BusProcessor) -> Result<BusHandle, AddError<BusProcessor>> {
        self.seat(bus, TickLeg::of_bus).map(BusHandle)
    }

    /// Like [`Self::add`], on the thread that drives `bus`.
    ///
    /// # Errors
    ///
    /// [`AddError`] with the halves; the bus' thread may be full though others are not.
    pub fn add_beside(
        &self,
        bus: &BusHandle,
        tx: Option<TxProcessor>,
        rx: Option<RxProcessor>,
    ) -> Result<TickerHandle, AddError> {
        bus.0.desk.add(Leg { tx, rx }, TickLeg::of_call)
    }

    /// Seats something on the thread that has least to do.
    fn seat<T>(&self, what: T, leg_of: impl FnOnce(T) -> TickLeg) -> Result<TickerHandle, AddError<T>> {
        let idlest = self.workers.iter().map(|worker| &worker.desk).min_by_key(|desk| desk.lock().out);
        match idlest {
            Some(desk) => desk.add(what, leg_of),
            None => Err(AddError::Stalled(Box::new(what))),
        }
    }

    /// What the threads have done, all together.
    pub fn report(&self) -> TickerReport {
        let mut report = TickerReport::default();
        for worker in &self.workers {
            let shared = &worker.desk.shared;
            report.legs += shared.legs.load(Ordering::Relaxed);
            report.wakes += shared.wakes.load(Ordering::Relaxed);
            report.ticks += shared.ticks.load(Ordering::Relaxed);
            report.caught_up += shared.caught_up.load(Ordering::Relaxed);
            report.skipped += shared.skipped.load(Ordering::Relaxed);
            report.busy_ns += shared.busy_ns.load(Ordering::Relaxed);
            report.max_busy_ns = report.max_busy_ns.max(shared.max_busy_ns.load(Ordering::Relaxed));
            for (count, bin) in report.lateness.counts.iter_mut().zip(&shared.late) {
                *count += bin.load(Ordering::Relaxed);
            }
            let latest = shared.max_late_ns.load(Ordering::Relaxed);
            report.lateness.max_ns = report.lateness.max_ns.max(latest);
            report.scheduling.push(worker.scheduling.clone());
        }
        report
    }
}

impl Worker {
    fn start(n: usize, period_ns: u64, config: &TickerConfig) -> Result<Worker, TickerError> {
        let max_calls = config.max_calls.clamp(1, 1 << 16);
        let (to_thread, arriving) = HeapRb::new(max_calls).split();
        let (leaving, from_thread) = HeapRb::new(max_calls).split();
        let shared = Arc::new(TickShared::default());
        let ticks = TickLoop {
            period_ns,
            catch_up: u64::from(config.catch_up),
            arriving,
            leaving,
            legs: Vec::with_capacity(max_calls),
            has_bus: false,
            shared: Arc::clone(&shared),
        };
        let (told, scheduled) = mpsc::channel();
        let priority = config.priority;
        let thread = std::thread::Builder::new().name(format!("offhook-tick-{n}")).spawn(move || {
            let finished = Finished(Arc::clone(&ticks.shared));
            // The receiver waits below; if it has gone, nobody wants to know.
            let _ = told.send(schedule(priority));
            drop(told);
            let left = ticks.run();
            drop(finished);
            left
        })?;
        let scheduling = scheduled
            .recv()
            .unwrap_or_else(|_| Scheduling::Ordinary { why: "the thread did not tell".to_owned() });
        let inner =
            Inner { arriving: to_thread, leaving: from_thread, back: HashMap::new(), out: 0, next_id: 0 };
        let desk = Arc::new(Desk { shared, max_calls, inner: Mutex::new(inner) });
        Ok(Worker { desk, thread: Some(thread), scheduling })
    }
}

/// Tells that the thread has ended, also if it unwinds.
struct Finished(Arc<TickShared>);

impl Drop for Finished {
    fn drop(&mut self) {
        self.0.is_finished.store(true, Ordering::Release);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        for worker in &self.workers {
            worker.desk.shared.stop.store(true, Ordering::Release);
        }
        for worker in &mut self.workers {
            let left = worker.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
            let mut inner = worker.desk.lock();
            inner.collect();
            for leg in left {
                inner.take_back(*leg);
            }
        }
    }
}

impl Desk {
    /// Control's own lock; a panic under it leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add<T>(
        self: &Arc<Desk>,
        what: T,
        leg_of: impl FnOnce(T) -> TickLeg,
    ) -> Result<TickerHandle, AddError<T>> {
        let mut inner = self.lock();
        inner.collect();
        if inner.out >= self.max_calls {
            return Err(AddError::TooMany { leg: Box::new(what), max: self.max_calls });
        }
        if self.shared.is_finished.load(Ordering::Acquire) || inner.arriving.is_full() {
            return Err(AddError::Stalled(Box::new(what)));
        }
        let (id, flags) = (inner.next_id, Arc::<LegFlags>::default());
        let leg = TickLeg { id, flags: Arc::clone(&flags), ..leg_of(what) };
        // There is room: only this end takes it, under this lock.
        let _ = inner.arriving.try_push(Box::new(leg));
        inner.next_id += 1;
        inner.out += 1;
        Ok(TickerHandle { desk: Arc::clone(self), id, flags, is_claimed: false })
    }

    /// Waits for a leg to come back.
    fn await_back(&self, id: u64, patience: Duration) -> Option<TickLeg> {
        let give_up = Instant::now() + patience;
        loop {
            let mut inner = self.lock();
            inner.collect();
            if let Some(leg) = inner.back.remove(&id) {
                return Some(leg);
            }
            drop(inner);
            if Instant::now() >= give_up {
                return None;
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }
}

impl Inner {
    fn collect(&mut self) {
        while let Some(leg) = self.leaving.try_pop() {
            self.take_back(*leg);
        }
    }

    fn take_back(&mut self, leg: TickLeg) {
        self.out = self.out.saturating_sub(1);
        if !leg.flags.is_abandoned.load(Ordering::Acquire) {
            self.back.insert(leg.id, leg);
        }
    }
}

impl TickerHandle {
    /// Takes the halves back; waits for the next tick, five seconds at most.
    ///
    /// # Errors
    ///
    /// [`RemoveError`] if the thread does not answer.
    pub fn remove(mut self) -> Result<Leg, RemoveError> {
        self.take(PATIENCE).map(Leg::from).ok_or(RemoveError(PATIENCE))
    }

    fn take(&mut self, patience: Duration) -> Option<TickLeg> {
        self.is_claimed = true;
        self.flags.is_leaving.store(true, Ordering::Release);
        let leg = self.desk.await_back(self.id, patience);
        if leg.is_none() {
            self.flags.is_abandoned.store(true, Ordering::Release);
            // It may have come back between the last look and the flag.
            let late = self.desk.lock().back.remove(&self.id);
            return late;
        }
        leg
    }
}

impl BusHandle {
    /// Takes the bus back; waits for the next tick, five seconds at most.
    ///
    /// # Errors
    ///
    /// [`RemoveError`] if the thread does not answer.
    pub fn remove(mut self) -> Result<BusProcessor, RemoveError> {
        self.0.take(PATIENCE).and_then(|leg| leg.bus).ok_or(RemoveError(PATIENCE))
    }
}

impl Drop for TickerHandle {
    fn drop(&mut self) {
        if !self.is_claimed {
            drop(self.take(Duration::from_millis(100)));
        }
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("shared", &self.shared).finish_non_exhaustive()
    }
}

/// Schedules the calling thread.
fn schedule(priority: Option<u8>) -> Scheduling {
    let why = match priority {
        None => "real-time scheduling was not asked for".to_owned(),
        Some(priority) => match ask_for_real_time(priority) {
            Ok(()) => return Scheduling::RealTime { priority },
            Err(why) => why,
        },
    };
    // Ordinary threads are woken up to 50 µs late on purpose unless they say that they mind.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
    Scheduling::Ordinary { why }
}

fn ask_for_real_time(priority: u8) -> Result<(), String> {
    let value =
        ThreadPriorityValue::try_from(priority).map_err(|why| format!("priority {priority}: {why}"))?;
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(value), policy).map_err(
        |why| {
            format!(
                "real-time priority {priority} was refused ({why:?}): grant CAP_SYS_NICE or raise the limit \
             (ulimit -r, or rtprio in limits.conf)"
            )
        },
    )
}
