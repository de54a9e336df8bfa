//! The headless clock's loop: wakes at absolute deadlines and drives the two halves of many calls.
//! In: legs through a ring, a stop flag. Out: blocks at the right times, legs that leave, lateness.
//!
//! Deadlines are start + n × period, so that nothing drifts. A tick that comes late is caught up at once, block by
//! block, up to `catch_up` missed ticks; older ones are left out and counted, and the RTP timestamp moves on by them.
//! Tick n of a sending half stands for a block captured during the period before its deadline: `captured_ns` is the
//! deadline less one period, free of jitter. A receiving half is told the actual time, which is what playout needs.
//!
//! Each leg receives and then sends, so that an echo leaves in the same tick. With a mixer bus among them all receive
//! first, then the buses mix, then all send.
//! Not here: threads, priorities and handles (`control/ticker.rs`).
//! RT: no allocation, lock, log or panic; the one syscall that waits is the sleep between ticks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ringbuf::traits::{Consumer, Producer};
use ringbuf::{HeapCons, HeapProd};

use crate::control::clock::monotonic_ns;
use crate::control::ticker::Leg;
use crate::rt::bus::BusProcessor;
use crate::rt::rx::RxProcessor;
use crate::rt::tx::TxProcessor;

/// Upper bounds of the lateness histogram's bins, nanoseconds; the last bin is everything beyond.
pub(crate) const BOUNDS_NS: [u64; 13] = [
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
];

/// What a ticker's thread and control share.
#[derive(Debug, Default)]
pub(crate) struct TickShared {
    pub(crate) stop: AtomicBool,
    pub(crate) is_finished: AtomicBool,
    pub(crate) legs: AtomicU64,
    pub(crate) wakes: AtomicU64,
    pub(crate) ticks: AtomicU64,
    pub(crate) caught_up: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) busy_ns: AtomicU64,
    pub(crate) max_busy_ns: AtomicU64,
    pub(crate) max_late_ns: AtomicU64,
    pub(crate) late: [AtomicU64; BOUNDS_NS.len() + 1],
}

/// What a handle and its leg share.
#[derive(Debug, Default)]
pub(crate) struct LegFlags {
    /// The handle wants the leg back.
    pub(crate) is_leaving: AtomicBool,
    /// Nobody will ask for it: drop it where it arrives.
    pub(crate) is_abandoned: AtomicBool,
}

/// One call's halves, or a bus, as the loop sees them.
pub(crate) struct TickLeg {
    pub(crate) id: u64,
    pub(crate) tx: Option<TxProcessor>,
    pub(crate) rx: Option<RxProcessor>,
    pub(crate) bus: Option<BusProcessor>,
    pub(crate) flags: Arc<LegFlags>,
    pub(crate) tx_pace: Pace,
    pub(crate) rx_pace: Pace,
    pub(crate) bus_pace: Pace,
}

impl TickLeg {
    pub(crate) fn of_call(leg: Leg) -> TickLeg {
        TickLeg::new(leg, None)
    }

    pub(crate) fn of_bus(bus: BusProcessor) -> TickLeg {
        TickLeg::new(Leg::default(), Some(bus))
    }

    fn new(Leg { tx, rx }: Leg, bus: Option<BusProcessor>) -> TickLeg {
        let (tx_pace, rx_pace, bus_pace) = Default::default();
        TickLeg { id: 0, tx, rx, bus, flags: Arc::default(), tx_pace, rx_pace, bus_pace }
    }

    fn receive(&mut self, period_ns: u64) {
        if let Some(rx) = &mut self.rx {
            let samples = self.rx_pace.step(rx.sample_rate(), period_ns);
            rx.process_without_output(monotonic_ns(), samples);
        }
    }

    fn mix(&mut self, period_ns: u64) {
        if let Some(bus) = &mut self.bus {
            let samples = self.bus_pace.step(bus.sample_rate(), period_ns);
            bus.process(samples);
        }
    }

    fn send(&mut self, deadline_ns: u64, period_ns: u64) {
        if let Some(tx) = &mut self.tx {
            let samples = self.tx_pace.step(tx.sample_rate(), period_ns);
            tx.process_without_input(deadline_ns.saturating_sub(period_ns), samples);
        }
    }

    fn skip(&mut self, skipped_ns: u64) {
        if let Some(rx) = &self.rx {
            self.rx_pace.step(rx.sample_rate(), skipped_ns);
        }
        if let Some(bus) = &mut self.bus {
            let samples = self.bus_pace.step(bus.sample_rate(), skipped_ns);
            bus.skip(samples);
        }
        if let Some(tx) = &mut self.tx {
            let samples = self.tx_pace.step(tx.sample_rate(), skipped_ns);
            tx.skip(samples);
        }
    }
}

/// Whole samples of each span of time, the fraction carried to the next.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    carried: u64,
}

impl Pace {
    /// Samples of the next `span_ns` nanoseconds at `rate` Hz.
    pub(crate) fn step(&mut self, rate: u32, span_ns: u64) -> usize {
        const SECOND: u128 = 1_000_000_000;
        let due = u128::from(self.carried) + u128::from(rate) * u128::from(span_ns);
        self.carried = (due % SECOND) as u64;
        usize::try_from(due / SECOND).unwrap_or(usize::MAX)
    }
}

/// The loop's own state. `legs` never grows beyond its capacity.
pub(crate) struct TickLoop {
    pub(crate) period_ns: u64,
    pub(crate) catch_up: u64,
    pub(crate) arriving: HeapCons<Box<TickLeg>>,
    pub(crate) leaving: HeapProd<Box<TickLeg>>,
    #[allow(clippy::vec_box, reason = "the boxes travel: unpacking one frees memory")]
    pub(crate) legs: Vec<Box<TickLeg>>,
    /// Whether one of `legs` is a bus.
    pub(crate) has_bus: bool,
    pub(crate) shared: Arc<TickShared>,
}

impl TickLoop {
    /// Runs until told to stop; what is left then is handed back.
    #[allow(clippy::vec_box, reason = "the boxes travel: unpacking one frees memory")]
    pub(crate) fn run(mut self) -> Vec<Box<TickLeg>> {
        let mut deadline_ns = monotonic_ns().saturating_add(self.period_ns);
        while !self.shared.stop.load(Ordering::Acquire) {
            sleep_until(deadline_ns);
            deadline_ns = self.wake(monotonic_ns(), deadline_ns);
        }
        // No longer real time.
        while let Some(leg) = self.arriving.try_pop() {
            self.legs.push(leg);
        }
        self.legs
    }

    /// Runs the ticks that are due at `now_ns`; the next deadline.
    #[cfg_attr(rtsan, sanitize(realtime = "nonblocking"))]
    pub(crate) fn wake(&mut self, now_ns: u64, mut deadline_ns: u64) -> u64 {
        let Some(late_ns) = now_ns.checked_sub(deadline_ns) else { return deadline_ns };
        self.exchange();
        let due = late_ns / self.period_ns + 1;
        let missed = due - 1;
        let skipped = missed.saturating_sub(self.catch_up);
        if skipped > 0 {
            // All at once: a machine that slept for a day does not owe its calls a million steps.
            let skipped_ns = skipped.saturating_mul(self.period_ns);
            self.legs.iter_mut().for_each(|leg| leg.skip(skipped_ns));
            deadline_ns = deadline_ns.saturating_add(skipped_ns);
        }
        for _ in skipped..due {
            self.tick(deadline_ns);
            deadline_ns = deadline_ns.saturating_add(self.period_ns);
        }
        self.count(late_ns, due - skipped, missed - skipped, skipped, monotonic_ns().saturating_sub(now_ns));
        deadline_ns
    }

    /// One tick of everybody.
    fn tick(&mut self, deadline_ns: u64) {
        let period_ns = self.period_ns;
        if self.has_bus {
            self.legs.iter_mut().for_each(|leg| leg.receive(period_ns));
            self.legs.iter_mut().for_each(|leg| leg.mix(period_ns));
            self.legs.iter_mut().for_each(|leg| leg.send(deadline_ns, period_ns));
        } else {
            for leg in &mut self.legs {
                leg.receive(period_ns);
                leg.send(deadline_ns, period_ns);
            }
        }
    }

    /// Takes legs in and hands legs out.
    fn exchange(&mut self) {
        while self.legs.len() < self.legs.capacity() {
            let Some(leg) = self.arriving.try_pop() else { break };
            self.legs.push(leg);
        }
        let mut index = 0;
        while let Some(leg) = self.legs.get(index) {
            if !leg.flags.is_leaving.load(Ordering::Acquire) {
                index += 1;
                continue;
            }
            if let Err(leg) = self.leaving.try_push(self.legs.swap_remove(index)) {
                // No room to leave: it stays, served, and tries again at the next tick.
                self.legs.push(leg);
                break;
            }
        }
        self.has_bus = self.legs.iter().any(|leg| leg.bus.is_some());
        self.shared.legs.store(self.legs.len() as u64, Ordering::Relaxed);
    }

    fn count(&self, late_ns: u64, run: u64, caught_up: u64, skipped: u64, busy_ns: u64) {
        let shared = &*self.shared;
        shared.wakes.fetch_add(1, Ordering::Relaxed);
        shared.ticks.fetch_add(run, Ordering::Relaxed);
        shared.caught_up.fetch_add(caught_up, Ordering::Relaxed);
        shared.skipped.fetch_add(skipped, Ordering::Relaxed);
        shared.busy_ns.fetch_add(busy_ns, Ordering::Relaxed);
        shared.max_busy_ns.fetch_max(busy_ns, Ordering::Relaxed);
        shared.max_late_ns.fetch_max(late_ns, Ordering::Relaxed);
        let bin = BOUNDS_NS.iter().position(|bound| late_ns < *bound).unwrap_or(BOUNDS_NS.len());
        if let Some(bin) = shared.late.get(bin) {
            bin.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn sleep_until(deadline_ns: u64) {
    use rustix::thread::{ClockId, clock_nanosleep_absolute};
    let deadline = crate::control::clock::timespec_of(deadline_ns);
    // A signal wakes early: sleep on. Anything else cannot be helped here; the caller looks at the clock anyway.
    while matches!(clock_nanosleep_absolute(ClockId::Monotonic, &deadline), Err(rustix::io::Errno::INTR)) {}
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn sleep_until(deadline_ns: u64) {
    let left = deadline_ns.saturating_sub(monotonic_ns());
    std::thread::sleep(std::time::Duration::from_nanos(left));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EngineConfig, split};
    use assert_no_alloc::assert_no_alloc;
    use ringbuf::HeapRb;
    use ringbuf::traits::Split;

    const MS: u64 = 1_000_000;

    fn one_leg_loop(
        catch_up: u64,
    ) -> (TickLoop, crate::Control, HeapProd<Box<TickLeg>>, HeapCons<Box<TickLeg>>) {
        let (mut to, arriving) = HeapRb::new(4).split();
        let (leaving, from) = HeapRb::new(4).split();
        let (control, tx, rx) = split(EngineConfig::new(8_000));
        let leg = TickLeg { id: 1, ..TickLeg::of_call(Leg { tx: Some(tx), rx: Some(rx) }) };
        assert!(to.try_push(Box::new(leg)).is_ok());
        let ticks = TickLoop {
            period_ns: 10 * MS,
            catch_up,
            arriving,
            leaving,
            legs: Vec::with_capacity(4),
            has_bus: false,
            shared: Arc::default(),
        };
        (ticks, control, to, from)
    }

    #[test]
    fn deadlines_stay_on_their_grid_however_late_each_wake_is() {
        let (mut ticks, control, _to, _from) = one_leg_loop(20);
        let mut deadline = 10 * MS;
        for n in 1..=1_000u64 {
            assert_eq!(deadline, n * 10 * MS);
            deadline = assert_no_alloc(|| ticks.wake(deadline + n * 7_919 % (9 * MS), deadline));
        }
        assert_eq!(control.meters().rx().blocks, 1_000);
        assert_eq!(ticks.shared.ticks.load(Ordering::Relaxed), 1_000);
        assert_eq!(ticks.shared.skipped.load(Ordering::Relaxed), 0);
        assert_eq!(ticks.wake(deadline - 1, deadline), deadline, "too early: nothing happens");
    }

    #[test]
    fn a_stall_is_caught_up_as_far_as_allowed_and_the_rest_is_skipped_and_counted() {
        let (mut ticks, control, _to, _from) = one_leg_loop(5);
        let deadline = ticks.wake(10 * MS, 10 * MS);
        assert_eq!(deadline, 20 * MS);
        // 120 ms late: 13 ticks are due, 12 missed, 5 of those caught up, 7 left out.
        assert_eq!(assert_no_alloc(|| ticks.wake(140 * MS, deadline)), 150 * MS);
        assert_eq!(ticks.shared.ticks.load(Ordering::Relaxed), 1 + 6);
        assert_eq!(ticks.shared.caught_up.load(Ordering::Relaxed), 5);
        assert_eq!(ticks.shared.skipped.load(Ordering::Relaxed), 7);
        assert_eq!(control.meters().tx().samples_skipped, 7 * 80);
        assert_eq!(control.meters().rx().blocks, 7);
    }

    #[test]
    fn a_year_of_standing_still_is_left_out_at_once_and_the_timestamp_knows_it() {
        let (mut ticks, control, _to, _from) = one_leg_loop(5);
        let deadline = ticks.wake(10 * MS, 10 * MS);
        let year = 365 * 86_400_000 * MS;
        let (mut left_out, mut pace) = (0, Pace::default());
        for (n, late) in [year, u64::MAX - 2 * year].into_iter().enumerate() {
            let now = deadline.saturating_add(late);
            assert!(assert_no_alloc(|| ticks.wake(now, deadline)) > now - 10 * MS);
            left_out += pace.step(8_000, (late / (10 * MS) - 5) * 10 * MS) as u64;
            assert_eq!(control.meters().tx().samples_skipped, left_out);
            assert_eq!(control.meters().rx().blocks, 1 + 6 * (n as u64 + 1));
        }
    }

    #[test]
    fn a_leg_that_cannot_leave_stays_and_is_served() {
        let (mut ticks, control, mut to, mut from) = one_leg_loop(5);
        let (leaving, mut full_from) = HeapRb::new(1).split();
        ticks.leaving = leaving;
        let (_, tx, _) = split(EngineConfig::new(8_000));
        let other = TickLeg { id: 2, ..TickLeg::of_call(Leg { tx: Some(tx), rx: None }) };
        other.flags.is_leaving.store(true, Ordering::Release);
        assert!(to.try_push(Box::new(other)).is_ok());
        assert_no_alloc(|| ticks.wake(10 * MS, 10 * MS));
        assert_eq!(ticks.legs.len(), 1, "the second has left");
        ticks.legs[0].flags.is_leaving.store(true, Ordering::Release);
        ticks.wake(20 * MS, 20 * MS);
        assert_eq!((ticks.legs.len(), control.meters().rx().blocks), (1, 2));
        assert_eq!(full_from.try_pop().map(|leg| leg.id), Some(2));
        assert_no_alloc(|| ticks.wake(30 * MS, 30 * MS));
        assert_eq!((ticks.legs.len(), control.meters().rx().blocks), (0, 2));
        assert_eq!(full_from.try_pop().map(|leg| leg.id), Some(1));
        assert!(from.try_pop().is_none());
    }

    #[test]
    fn rates_that_do_not_divide_a_period_lose_no_sample() {
        let mut pace = Pace::default();
        assert_eq!((0..100).map(|_| pace.step(11_025, 10 * MS)).sum::<usize>(), 11_025);
        assert_eq!(pace.step(8_000, 10 * MS), 80);
    }
}
