//! The seats of one card's direction: taken and left by control while the callback runs whoever sits there.
//! In: boxes. Out: the same boxes.
//! RT (`run_each`): no allocation, lock, syscall, log or panic.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::cell::Driven;

/// How many can share a card's one direction.
pub(crate) const SEATS: usize = 64;

pub(crate) struct Seats<T> {
    /// A bit for each seat that is taken.
    taken: AtomicU64,
    cells: Box<[Driven<T>]>,
}

impl<T> Seats<T> {
    pub(crate) fn new() -> Self {
        Self { taken: AtomicU64::new(0), cells: (0..SEATS).map(|_| Driven::empty()).collect() }
    }

    /// Runs everybody. One callback at a time; a second one finds the seats empty that the first has in hand.
    pub(crate) fn run_each(&self, mut work: impl FnMut(&mut T)) {
        let mut left = self.taken.load(Ordering::Acquire);
        while left != 0 {
            let seat = left.trailing_zeros() as usize;
            left &= left - 1;
            if let Some(cell) = self.cells.get(seat) {
                cell.run(&mut work);
            }
        }
    }

    /// Sits down; where, or `None` if every seat is taken. Control only, one at a time (the hub's lock).
    pub(crate) fn join(&self, value: Box<T>) -> Option<usize> {
        let seat = self.taken.load(Ordering::Acquire).trailing_ones() as usize;
        self.cells.get(seat)?.put(value);
        self.taken.fetch_or(1 << seat, Ordering::AcqRel);
        Some(seat)
    }

    /// Gets up. A seat that a stuck callback keeps is never used again.
    pub(crate) fn leave(&self, seat: usize) -> Option<Box<T>> {
        let value = self.cells.get(seat)?.take()?;
        self.taken.fetch_and(!(1 << seat), Ordering::AcqRel);
        Some(value)
    }

    /// Works on everybody from the control side, one after the other out of the callback's reach.
    pub(crate) fn visit_each(&self, mut work: impl FnMut(&mut T)) {
        let mut left = self.taken.load(Ordering::Acquire);
        while left != 0 {
            let seat = left.trailing_zeros() as usize;
            left &= left - 1;
            let Some(cell) = self.cells.get(seat) else { continue };
            match cell.take() {
                Some(mut value) => {
                    work(&mut value);
                    cell.put(value);
                }
                // A callback hangs with it: it stays as it is, and is heard again once that goes on.
                None => cell.give_up(),
            }
        }
    }

    /// How many are taken.
    pub(crate) fn count(&self) -> usize {
        self.taken.load(Ordering::Acquire).count_ones() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seat_can_be_taken_once_and_again_after_it_was_left() {
        let seats = Seats::new();
        let taken: Vec<_> = (0..SEATS).map(|n| seats.join(Box::new(n))).collect();
        assert_eq!(taken, (0..SEATS).map(Some).collect::<Vec<_>>());
        assert_eq!(seats.join(Box::new(99)), None);
        assert_eq!(seats.leave(7).as_deref(), Some(&7));
        assert_eq!(seats.leave(SEATS), None);
        assert_eq!(seats.join(Box::new(77)), Some(7));
        let mut sum = 0;
        seats.run_each(|n| sum += *n);
        assert_eq!(sum, (0..SEATS).sum::<usize>() + 70);
        assert_eq!(seats.count(), SEATS);
    }

    #[test]
    fn a_seat_that_a_callback_hangs_with_is_not_lost_when_control_worked_on_the_others() {
        let seats = std::sync::Arc::new(Seats::new());
        seats.join(Box::new(0u64));
        seats.join(Box::new(0));
        let (begun, has_begun) = std::sync::mpsc::channel();
        let (go_on, hangs) = std::sync::mpsc::channel::<()>();
        let callback = {
            let seats = std::sync::Arc::clone(&seats);
            std::thread::spawn(move || {
                let mut first = Some(begun);
                seats.run_each(|_| {
                    if let Some(begun) = first.take() {
                        assert!(begun.send(()).is_ok());
                        let _ = hangs.recv();
                    }
                });
            })
        };
        assert!(has_begun.recv().is_ok());
        seats.visit_each(|n| *n += 10);
        drop(go_on);
        assert!(callback.join().is_ok());
        let mut met = Vec::new();
        seats.run_each(|n| met.push(*n));
        assert_eq!(met, [0, 10]);
    }
}
