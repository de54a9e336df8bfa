//! Drives processors by virtual time, as the ticker does by real time: receive, then send, at each deadline.
//! In: parties with their period, phase and drift. Out: their blocks, in the order of virtual time.
//! Not here: the network (`link.rs`).

use super::Clock;
use crate::control::ticker::Leg;
use crate::rt::tick::Pace;

/// A driver's hand on one or several parties, all in one thread.
#[derive(Debug)]
pub struct Driver {
    clock: Clock,
    parties: Vec<Driven>,
}

/// How one party's device behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Party {
    /// Time between blocks by the party's own clock, nanoseconds.
    pub period_ns: u64,
    /// When its first block's period begins, nanoseconds after it was added.
    pub phase_ns: u64,
    /// How much its clock is slow (its blocks come later than they should), parts in a million.
    pub drift_ppm: i32,
}

impl Default for Party {
    /// 10 ms, at once, no drift.
    fn default() -> Party {
        Party { period_ns: 10_000_000, phase_ns: 0, drift_ppm: 0 }
    }
}

#[derive(Debug)]
struct Driven {
    leg: Leg,
    party: Party,
    start_ns: u64,
    /// Blocks done.
    done: u64,
    tx_pace: Pace,
    rx_pace: Pace,
}

impl Driver {
    /// A driver of nobody yet. It moves `clock`.
    pub fn new(clock: &Clock) -> Driver {
        Driver { clock: clock.clone(), parties: Vec::new() }
    }

    /// Drives a party from now on; its number.
    pub fn add(&mut self, leg: Leg, party: Party) -> usize {
        let start_ns = self.clock.now_ns().saturating_add(party.phase_ns);
        let driven =
            Driven { leg, party, start_ns, done: 0, tx_pace: Pace::default(), rx_pace: Pace::default() };
        self.parties.push(driven);
        self.parties.len() - 1
    }

    /// The processors of a party.
    pub fn leg(&mut self, number: usize) -> Option<&mut Leg> {
        self.parties.get_mut(number).map(|driven| &mut driven.leg)
    }

    /// Does the next block of whoever is next and returns its time, or `None` without parties. Allocates nothing.
    pub fn step(&mut self) -> Option<u64> {
        let next = self.parties.iter_mut().min_by_key(|driven| driven.deadline_ns())?;
        let deadline_ns = next.deadline_ns();
        self.clock.advance_to(deadline_ns);
        next.block(deadline_ns);
        Some(deadline_ns)
    }

    /// Runs for `duration_ns`; `between` is called after every block with the time.
    pub fn run_for(&mut self, duration_ns: u64, between: &mut dyn FnMut(u64)) {
        let end_ns = self.clock.now_ns().saturating_add(duration_ns);
        while self.parties.iter().any(|driven| driven.deadline_ns() <= end_ns) {
            if let Some(now_ns) = self.step() {
                between(now_ns);
            }
        }
        self.clock.advance_to(end_ns);
    }
}

impl Driven {
    fn period_end(&self, blocks: u64) -> u64 {
        let ideal = u128::from(blocks) * u128::from(self.party.period_ns);
        let scaled = ideal * (1_000_000 + i128::from(self.party.drift_ppm)).unsigned_abs() / 1_000_000;
        self.start_ns.saturating_add(u64::try_from(scaled).unwrap_or(u64::MAX))
    }

    fn deadline_ns(&self) -> u64 {
        self.period_end(self.done + 1)
    }

    fn block(&mut self, deadline_ns: u64) {
        let (period_ns, captured_ns) = (self.party.period_ns, self.period_end(self.done));
        if let Some(rx) = &mut self.leg.rx {
            let samples = self.rx_pace.step(rx.sample_rate(), period_ns);
            rx.process_without_output(deadline_ns, samples);
        }
        if let Some(tx) = &mut self.leg.tx {
            let samples = self.tx_pace.step(tx.sample_rate(), period_ns);
            tx.process_without_input(captured_ns, samples);
        }
        self.done += 1;
    }
}
