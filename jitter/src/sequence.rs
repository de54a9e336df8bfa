//! Unwraps counters of 16 and 32 bits into numbers that only the stream's length limits.
//! In: RTP sequence numbers and timestamps. Out: extended ones, near the last.
//! Not here: whether a jump means a new stream (`playout.rs`).
//! RT: no allocation, lock, syscall, log or panic.

/// The number near `last` whose low 16 bits are `sequence`.
pub(crate) fn extend_sequence(last: i64, sequence: u16) -> i64 {
    last.saturating_add(i64::from(sequence.wrapping_sub(last as u16) as i16))
}

/// The number near `last` whose low 32 bits are `timestamp`.
pub(crate) fn extend_timestamp(last: i64, timestamp: u32) -> i64 {
    last.saturating_add(i64::from(timestamp.wrapping_sub(last as u32) as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_go_on_over_their_wrap_in_both_directions() {
        assert_eq!(extend_sequence(65_535, 0), 65_536);
        assert_eq!(extend_sequence(65_536, 65_535), 65_535);
        assert_eq!(extend_sequence(0, 65_535), -1);
        assert_eq!(extend_timestamp(u32::MAX.into(), 159), 1 << 32 | 159);
        assert_eq!(extend_timestamp(1 << 32, u32::MAX), u32::MAX.into());
    }
}
