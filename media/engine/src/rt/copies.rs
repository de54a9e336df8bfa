//! Which packet a redundant copy is a copy of: RFC 2198 tells its timestamp, playout asks for its number.
//! In: numbers and timestamps of the packets that came. Out: the number that belongs to a timestamp, if only one can.
//! Not here: taking packets apart (`offhook-rtp`), whether the copy is needed (`offhook-jitter`).
//! RT: no allocation, lock, syscall, log or panic.

/// Packets remembered: as far back as the copies in one packet can reach.
const REMEMBERED: usize = offhook_rtp::MAX_BLOCKS;

/// The packets that came last, by the lower half of the extended number and timestamp.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    packets: [(u32, u32); REMEMBERED],
    /// Packets noted; the next one's place is this, taken round.
    count: usize,
}

impl Heard {
    /// A packet of sound or noise came.
    pub(crate) fn note(&mut self, extended_sequence: u64, timestamp: u32) {
        if let Some(slot) = self.packets.get_mut(self.count % REMEMBERED) {
            *slot = (extended_sequence as u32, timestamp);
        }
        // Once all places are taken only the place matters.
        self.count = if self.count + 1 < 2 * REMEMBERED { self.count + 1 } else { REMEMBERED };
    }

    /// Another numbering.
    pub(crate) fn forget(&mut self) {
        *self = Heard::default();
    }

    /// The extended number of the packet with `timestamp` that lasts `ticks`, of which `carrier`, noted, has a copy.
    ///
    /// The packets on either side of it say between which numbers it is. If more than one is missing there, it is as many
    /// before the later one as its timestamp says, where packets follow one another without pauses.
    pub(crate) fn number(&self, carrier: (u64, u32), timestamp: u32, ticks: u32) -> Option<u64> {
        let ahead = |of: u32| i64::from(of.wrapping_sub(timestamp) as i32);
        // The carrier and those before it, whole.
        let known = || {
            self.packets.iter().take(self.count).filter_map(|(low, at)| {
                let back = (carrier.0 as u32).wrapping_sub(*low);
                let number = carrier.0.checked_sub(back.into()).filter(|_| back < 1 << 31)?;
                Some((number, *at))
            })
        };
        if let Some((number, _)) = known().find(|(_, at)| *at == timestamp) {
            return Some(number);
        }
        let (later, later_at) = known().filter(|(_, at)| ahead(*at) > 0).min_by_key(|(number, _)| *number)?;
        let before = known().filter(|(_, at)| ahead(*at) < 0).map(|(number, _)| number).max();
        let missing = before.map(|before| later.saturating_sub(before).saturating_sub(1));
        if missing == Some(1) {
            return later.checked_sub(1);
        }
        let ticks = i64::from(ticks.max(1));
        let back = u64::try_from(ahead(later_at) / ticks).ok()?;
        let is_whole = ahead(later_at) % ticks == 0 && back > 0;
        if !is_whole || missing.is_some_and(|missing| back > missing) {
            return None;
        }
        later.checked_sub(back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(packets: &[(u64, u32)]) -> Heard {
        let mut heard = Heard::default();
        packets.iter().for_each(|(number, timestamp)| heard.note(*number, *timestamp));
        heard
    }

    #[test]
    fn a_copy_belongs_to_the_one_number_that_is_missing() {
        let there = heard(&[(100, 0u32.wrapping_sub(160)), (102, 160)]);
        assert_eq!(there.number((102, 160), 0, 160), Some(101));
        assert_eq!(there.number((102, 160), 0u32.wrapping_sub(160), 160), Some(100), "it came");
        // After a pause of 2000 ticks, which no number shows.
        let there = heard(&[(100, 0), (102, 2_160)]);
        assert_eq!(there.number((102, 2_160), 160, 160), Some(101));
        assert_eq!(there.number((102, 2_160), 2_000, 160), Some(101));
        // Nothing is missing: whatever that is a copy of.
        let there = heard(&[(100, 0), (101, 160)]);
        assert_eq!(there.number((101, 160), 80, 160), None);
    }

    #[test]
    fn of_several_missing_packets_its_timestamp_tells_which() {
        let there = heard(&[(100, 0), (104, 640)]);
        let numbers = [160, 320, 480, 400].map(|at| there.number((104, 640), at, 160));
        assert_eq!(numbers, [Some(101), Some(102), Some(103), None]);
        // A pause lies somewhere between: nobody can tell.
        let there = heard(&[(100, 0), (103, 3_200)]);
        assert_eq!(there.number((103, 3_200), 160, 160), None);
        assert_eq!(there.number((103, 3_200), 3_040, 160), Some(102));
        // Nothing came before.
        let there = heard(&[(100, 640)]);
        assert_eq!(there.number((100, 640), 320, 160), Some(98));
        // What a later one has shown is no help to an earlier carrier's copy, nor in its way.
        let there = heard(&[(100, 0), (103, 480), (102, 320)]);
        assert_eq!(there.number((102, 320), 160, 160), Some(101));
        assert_eq!(Heard::default().number((100, 640), 320, 160), None, "not even its carrier");
    }
}
