//! The time window: a message counts once, and only while it is fresh (H.235.1).
//! In: timeStamp and random of a token whose hash was right. Out: whether it is new.

use std::collections::VecDeque;

use super::SecurityFailure;

/// Tokens remembered. Beyond them the oldest time becomes the floor below which nothing is taken.
const REMEMBERED: usize = 512;

/// What was seen of one sender.
#[derive(Debug, Clone, Default)]
pub(super) struct ReplayWindow {
    seen: VecDeque<(u32, u64)>,
    /// Tokens of this time or before are too old to be told from replays.
    floor: Option<u32>,
}

impl ReplayWindow {
    /// Notes a token of `time` (seconds since 1970) and `mark`; `now` and `window` in seconds.
    pub(super) fn admit(
        &mut self,
        time: u32,
        mark: u64,
        now: u32,
        window: u32,
    ) -> Result<(), SecurityFailure> {
        in_window(time, now, window)?;
        let known = self.seen.contains(&(time, mark));
        if known || self.floor.is_some_and(|floor| time <= floor) {
            return Err(SecurityFailure::Replay);
        }
        // What the window no longer admits need not be remembered.
        self.seen.retain(|(time, _)| in_window(*time, now, window).is_ok());
        if self.seen.len() >= REMEMBERED {
            if let Some(oldest) = self.seen.iter().map(|(time, _)| *time).min() {
                self.floor = self.floor.max(Some(oldest));
                self.seen.retain(|(time, _)| *time > oldest);
            }
            // All of one second: nothing older is left to drop, and this one may be that old itself.
            if self.floor.is_some_and(|floor| time <= floor) {
                return Ok(());
            }
        }
        self.seen.push_back((time, mark));
        Ok(())
    }
}

/// Whether `time` is within `window` seconds of `now`.
pub(super) fn in_window(time: u32, now: u32, window: u32) -> Result<(), SecurityFailure> {
    if time.abs_diff(now) > window { Err(SecurityFailure::WrongSyncTime) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_counts_once_and_only_while_it_is_fresh() {
        let mut window = ReplayWindow::default();
        assert_eq!(window.admit(1000, 1, 1000, 300), Ok(()));
        assert_eq!(window.admit(1000, 2, 1000, 300), Ok(()));
        assert_eq!(window.admit(1000, 1, 1001, 300), Err(SecurityFailure::Replay));
        assert_eq!(window.admit(999, 9, 1001, 300), Ok(()));
        assert_eq!(window.admit(1302, 1, 1001, 300), Err(SecurityFailure::WrongSyncTime));
        assert_eq!(window.admit(700, 1, 1001, 300), Err(SecurityFailure::WrongSyncTime));
    }

    #[test]
    fn a_flood_makes_nothing_old_new_again() {
        let mut window = ReplayWindow::default();
        for mark in 0..10_000 {
            let time = 1000 + mark as u32 / 100;
            assert_eq!(window.admit(time, mark, 1100, 300), Ok(()));
            assert!(window.seen.len() <= REMEMBERED);
        }
        for mark in 0..10_000 {
            let time = 1000 + mark as u32 / 100;
            assert_eq!(window.admit(time, mark, 1100, 300), Err(SecurityFailure::Replay), "{mark}");
        }
    }
}
