//! Each key of the peer once, however many ways it comes.
//! In: digits with their way and times. Out: whether a digit is a new one.
//!
//! The policy: what was told first stands. The same digit by another way is the same press if the two overlap, give or
//! take [`SLACK`]: from the first packet of a telephone-event to its last (RFC 4733), as long as a tone is heard, from
//! the arrival of a UserInputIndication for as long as it says, the arrival alone of a keypad element. One press matches
//! once a way, so that a digit that is really pressed twice is told twice. The same digit twice by one way is never a
//! double.
//!
//! Not here: two kinds of H.245 user input for one key, and keys that the peer says are in RTP too (`h323`).

use std::collections::VecDeque;

/// How far apart the ways of one press may be, in nanoseconds.
const SLACK: u64 = 200_000_000;

/// How long a press is remembered after its end: no telephone-event is told later than that after its beginning.
const MEMORY: u64 = 60_000_000_000;

/// Presses remembered.
const MAX_TOLD: usize = 64;

/// A way by which digits come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    TelephoneEvent = 1,
    Signal = 2,
    Alphanumeric = 4,
    Keypad = 8,
    InBand = 16,
}

/// The presses told so far.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    told: VecDeque<Told>,
}

#[derive(Debug)]
struct Told {
    digit: char,
    began: u64,
    ended: u64,
    /// Ways by which it has come.
    ways: u8,
}

impl Heard {
    /// Whether a digit is to be told, that was pressed from `began` to `ended`, nanoseconds of one clock.
    pub(crate) fn is_new(&mut self, digit: char, way: Way, began: u64, ended: u64) -> bool {
        let digit = digit.to_ascii_uppercase();
        self.told.retain(|told| told.ended.saturating_add(MEMORY) > began);
        let double = self.told.iter_mut().find(|told| {
            told.digit == digit
                && told.ways & way as u8 == 0
                && began <= told.ended.saturating_add(SLACK)
                && told.began <= ended.saturating_add(SLACK)
        });
        if let Some(told) = double {
            told.ways |= way as u8;
            return false;
        }
        if self.told.len() >= MAX_TOLD {
            self.told.pop_front();
        }
        self.told.push_back(Told { digit, began, ended, ways: way as u8 });
        true
    }

    /// The last press by H.245 signal lasts until then.
    pub(crate) fn lasts(&mut self, digit: char, until: u64) {
        let signal = |told: &&mut Told| told.digit == digit && told.ways & Way::Signal as u8 != 0;
        if let Some(told) = self.told.iter_mut().rev().find(signal) {
            told.ended = told.ended.max(until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Way::{Alphanumeric, Keypad, Signal, TelephoneEvent};
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_press_by_two_ways_is_one_digit_whichever_is_told_first() {
        let mut heard = Heard::default();
        assert!(heard.is_new('5', Signal, 1_000 * MS, 1_000 * MS));
        assert!(!heard.is_new('5', TelephoneEvent, 990 * MS, 1_090 * MS));
        assert!(heard.is_new('5', TelephoneEvent, 2_000 * MS, 2_100 * MS));
        assert!(!heard.is_new('5', Alphanumeric, 2_290 * MS, 2_290 * MS));
        assert!(!heard.is_new('5', Keypad, 2_010 * MS, 2_010 * MS), "a third way");
        // Held for ten seconds: the event is told when it is over.
        assert!(heard.is_new('a', Signal, 5_000 * MS, 5_000 * MS));
        assert!(!heard.is_new('A', TelephoneEvent, 5_020 * MS, 15_020 * MS));
    }

    #[test]
    fn a_key_pressed_twice_is_told_twice() {
        let mut heard = Heard::default();
        assert!(heard.is_new('1', TelephoneEvent, 0, 50 * MS));
        assert!(heard.is_new('1', TelephoneEvent, 100 * MS, 150 * MS));
        assert!(!heard.is_new('1', Signal, 10 * MS, 10 * MS));
        assert!(!heard.is_new('1', Signal, 110 * MS, 110 * MS));
        assert!(heard.is_new('1', Signal, 120 * MS, 120 * MS), "a third press by one way only");
        assert!(heard.is_new('2', Signal, 120 * MS, 120 * MS));
    }

    #[test]
    fn presses_that_do_not_overlap_are_two() {
        let mut heard = Heard::default();
        assert!(heard.is_new('#', Signal, 1_000 * MS, 1_000 * MS));
        assert!(heard.is_new('#', TelephoneEvent, 1_201 * MS, 1_300 * MS));
        let mut heard = Heard::default();
        assert!(heard.is_new('#', Signal, 1_000 * MS, 1_100 * MS));
        heard.lasts('#', 3_000 * MS);
        assert!(!heard.is_new('#', TelephoneEvent, 2_900 * MS, 3_300 * MS), "it was held for longer");
    }

    #[test]
    fn no_peer_makes_us_remember_more_than_so_much() {
        let mut heard = Heard::default();
        for n in 0..1_000 {
            assert!(heard.is_new('7', Alphanumeric, n, n));
        }
        assert_eq!(heard.told.len(), MAX_TOLD);
    }
}
