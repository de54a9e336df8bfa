//! Drives processors by virtual time, as the ticker does by real time: receive, then send, at each deadline.
//! In: parties with their period, phase and drift. Out: their blocks, in the order of virtual time.
//! With a mixer bus among them, all whose block is due at one time receive first, then the buses mix, then all send.
//! Not here: the network (`link.rs`).

use super::Clock;
use crate::control::ticker::Leg;
use crate::rt::bus::BusProcessor;
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
    bus: Option<BusProcessor>,
    party: Party,
    start_ns: u64,
    /// Blocks done.
    done: u64,
    is_due: bool,
    tx_pace: Pace,
    rx_pace: Pace,
    bus_pace: Pace,
}

impl Driver {
    /// A driver of nobody yet. It moves `clock`.
    pub fn new(clock: &Clock) -> Driver {
        Driver { clock: clock.clone(), parties: Vec::new() }
    }

    /// Drives a party from now on; its number.
    pub fn add(&mut self, leg: Leg, party: Party) -> usize {
        self.seat(leg, None, party)
    }

    /// Drives a mixer bus from now on; its number.
    pub fn add_bus(&mut self, bus: BusProcessor, party: Party) -> usize {
        self.seat(Leg::default(), Some(bus), party)
    }

    fn seat(&mut self, leg: Leg, bus: Option<BusProcessor>, party: Party) -> usize {
        let start_ns = self.clock.now_ns().saturating_add(party.phase_ns);
        let (tx_pace, rx_pace, bus_pace) = Default::default();
        self.parties.push(Driven {
            leg,
            bus,
            party,
            start_ns,
            done: 0,
            is_due: false,
            tx_pace,
            rx_pace,
            bus_pace,
        });
        self.parties.len() - 1
    }

    /// The processors of a party.
    pub fn leg(&mut self, number: usize) -> Option<&mut Leg> {
        self.parties.get_mut(number).map(|driven| &mut driven.leg)
    }

    /// Does the next block of whoever is next (with a bus: of all whose time is the same) and returns its time, or
    /// `None` without parties. Allocates nothing.
    pub fn step(&mut self) -> Option<u64> {
        let has_bus = self.parties.iter().any(|driven| driven.bus.is_some());
        let next = self.parties.iter_mut().min_by_key(|driven| driven.deadline_ns())?;
        let deadline_ns = next.deadline_ns();
        self.clock.advance_to(deadline_ns);
        if !has_bus {
            next.receive(deadline_ns);
            next.send();
            return Some(deadline_ns);
        }
        for driven in &mut self.parties {
            driven.is_due = driven.deadline_ns() == deadline_ns;
        }
        let due = || |driven: &&mut Driven| driven.is_due;
        self.parties.iter_mut().filter(due()).for_each(|driven| driven.receive(deadline_ns));
        self.parties.iter_mut().filter(due()).for_each(Driven::mix);
        self.parties.iter_mut().filter(due()).for_each(Driven::send);
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

    fn receive(&mut self, deadline_ns: u64) {
        if let Some(rx) = &mut self.leg.rx {
            let samples = self.rx_pace.step(rx.sample_rate(), self.party.period_ns);
            rx.process_without_output(deadline_ns, samples);
        }
    }

    fn mix(&mut self) {
        if let Some(bus) = &mut self.bus {
            let samples = self.bus_pace.step(bus.sample_rate(), self.party.period_ns);
            bus.process(samples);
        }
    }

    /// The end of the block.
    fn send(&mut self) {
        let captured_ns = self.period_end(self.done);
        if let Some(tx) = &mut self.leg.tx {
            let samples = self.tx_pace.step(tx.sample_rate(), self.party.period_ns);
            tx.process_without_input(captured_ns, samples);
        }
        self.done += 1;
    }
}
