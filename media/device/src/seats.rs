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
            if let Some(cell) = self.cells.get(seat)
                && let Some(mut value) = cell.take()
            {
                work(&mut value);
                cell.put(value);
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
}
