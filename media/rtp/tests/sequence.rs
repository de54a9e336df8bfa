//! Sequence validation (RFC 3550 §A.1) as its clauses say.

use offhook_rtp::{MAX_DROPOUT, MAX_MISORDER, SEQUENCE_EPOCH, SequenceTracker, SequenceVerdict::*};

fn valid_from(first: u16) -> SequenceTracker {
    let mut tracker = SequenceTracker::new();
    tracker.update(first);
    assert!(matches!(tracker.update(first.wrapping_add(1)), Started { .. }));
    tracker
}

#[test]
fn two_packets_in_sequence_end_the_probation_and_both_count() {
    let mut tracker = SequenceTracker::new();
    assert_eq!(tracker.update(10), Probation { extended: SEQUENCE_EPOCH + 10 });
    assert_eq!((tracker.is_valid(), tracker.expected(), tracker.received()), (false, 0, 0));
    assert_eq!(tracker.update(11), Started { extended: SEQUENCE_EPOCH + 11 });
    assert_eq!((tracker.is_valid(), tracker.expected(), tracker.received()), (true, 2, 2));
}

#[test]
fn a_gap_during_probation_begins_it_anew() {
    let mut tracker = SequenceTracker::new();
    tracker.update(10);
    assert!(matches!(tracker.update(12), Probation { .. }));
    assert!(matches!(tracker.update(12), Probation { .. }));
    assert!(matches!(tracker.update(13), Started { .. }));
    assert_eq!((tracker.base(), tracker.expected()), (SEQUENCE_EPOCH + 12, 2));
}

#[test]
fn numbers_wrap_into_the_next_cycle() {
    let mut tracker = valid_from(65_534);
    assert_eq!(tracker.update(0), InOrder { extended: SEQUENCE_EPOCH + 65_536, gap: 0 });
    assert_eq!(tracker.update(65_533), Late { extended: SEQUENCE_EPOCH + 65_533 });
    for number in 1..=u16::MAX {
        tracker.update(number);
    }
    assert_eq!(tracker.update(0), InOrder { extended: SEQUENCE_EPOCH + 2 * 65_536, gap: 0 });
    assert_eq!(tracker.highest() as u32, 2 << 16);
}

#[test]
fn probation_itself_may_wrap() {
    let mut tracker = SequenceTracker::new();
    tracker.update(65_535);
    assert_eq!(tracker.update(0), Started { extended: SEQUENCE_EPOCH + 65_536 });
    assert_eq!(tracker.expected(), 2);
}

#[test]
fn packets_older_than_the_first_do_not_underflow() {
    let mut tracker = valid_from(0);
    assert_eq!(tracker.update(65_530), Late { extended: SEQUENCE_EPOCH - 6 });
    assert_eq!((tracker.expected(), tracker.received()), (2, 3));
}

#[test]
fn a_gap_below_the_dropout_limit_is_loss_and_one_above_is_suspicious() {
    let mut tracker = valid_from(100);
    let edge = 101 + MAX_DROPOUT - 1;
    assert_eq!(
        tracker.update(edge),
        InOrder { extended: SEQUENCE_EPOCH + u64::from(edge), gap: MAX_DROPOUT - 2 }
    );
    assert_eq!(tracker.expected() - tracker.received(), u64::from(MAX_DROPOUT) - 2);
    assert!(matches!(tracker.update(edge + MAX_DROPOUT), Suspicious { .. }));
}

#[test]
fn a_packet_behind_by_less_than_the_limit_is_late_and_one_beyond_is_suspicious() {
    let mut tracker = valid_from(1000);
    assert!(matches!(tracker.update(1001 - (MAX_MISORDER - 1)), Late { .. }));
    assert!(matches!(tracker.update(1001 - MAX_MISORDER), Suspicious { .. }));
}

#[test]
fn two_packets_in_sequence_after_a_jump_are_a_restart_and_counts_begin_anew() {
    let mut tracker = valid_from(100);
    let before = tracker.received();
    assert_eq!(tracker.update(40_000), Suspicious { extended: SEQUENCE_EPOCH + 40_000 });
    assert_eq!(tracker.received(), before);
    assert_eq!(tracker.update(40_001), Restarted { extended: SEQUENCE_EPOCH + 40_001 });
    assert_eq!((tracker.expected(), tracker.received()), (2, 2));
    assert_eq!(tracker.update(40_002), InOrder { extended: SEQUENCE_EPOCH + 40_002, gap: 0 });
}

#[test]
fn a_restart_across_the_wrap_keeps_its_two_packets_together() {
    let mut tracker = valid_from(30_000);
    assert_eq!(tracker.update(65_535), Suspicious { extended: SEQUENCE_EPOCH + 65_535 });
    assert_eq!(tracker.update(0), Restarted { extended: SEQUENCE_EPOCH + 65_536 });
    assert_eq!(tracker.expected(), 2);
}

#[test]
fn a_stray_number_far_off_changes_nothing() {
    let mut tracker = valid_from(100);
    tracker.update(40_000);
    assert_eq!(tracker.update(102), InOrder { extended: SEQUENCE_EPOCH + 102, gap: 0 });
    assert_eq!((tracker.expected(), tracker.received()), (3, 3));
}

#[test]
fn duplicates_are_found_in_and_out_of_order_and_count_as_received() {
    let mut tracker = valid_from(100);
    tracker.update(105);
    assert_eq!(tracker.update(105), Duplicate);
    assert_eq!(tracker.update(101), Duplicate);
    assert_eq!(tracker.update(103), Late { extended: SEQUENCE_EPOCH + 103 });
    assert_eq!(tracker.update(103), Duplicate);
    assert_eq!((tracker.expected(), tracker.received()), (6, 7));
}

#[test]
fn a_window_shifted_out_by_a_great_gap_remembers_nothing_false() {
    let mut tracker = valid_from(100);
    tracker.update(101 + 2000);
    assert!(matches!(tracker.update(101 + 1950), Late { .. }));
    tracker.update(101 + 2000 + 127);
    assert_eq!(tracker.update(101 + 2000 + 127 - 99), Late { extended: SEQUENCE_EPOCH + 2129 });
}
