//! Timestamps that count at twice the rate they should.
//!
//! G.722 samples at 16 kHz and counts at 8 kHz (RFC 3551 4.5.2); some senders count at 16. Packets that follow each other
//! show it: the one is as many ticks behind the other as it lasts, or twice as many.
//! In: sequence numbers, timestamps, what packets last. Out: timestamps of the codec's clock.
//! Not here: any other clock, and jitter as RTCP has it (`media/rtp`).
//! RT: no allocation, lock, syscall, log or panic.

/// How many packets in a row, on balance, show that the sender counts otherwise than was thought.
const CERTAIN: i8 = 4;

/// How a sender counts.
#[derive(Debug)]
pub(crate) struct TickRate {
    /// The codec is one of which that is known.
    possible: bool,
    is_double: bool,
    votes: i8,
    /// Timestamp of the last packet, extended.
    extended: i64,
    /// Sequence number of the last packet, and the ticks that it lasts.
    last: Option<(u16, i32)>,
}

impl TickRate {
    pub(crate) fn new(sample_rate: u32, clock_rate: u32) -> TickRate {
        let possible = sample_rate == clock_rate.saturating_mul(2);
        TickRate { possible, is_double: false, votes: 0, extended: 0, last: None }
    }

    /// Whether the sender counts at twice the rate.
    pub(crate) fn is_double(&self) -> bool {
        self.is_double
    }

    /// The timestamp as the codec's clock has it, and whether the sender is understood otherwise from this packet on.
    pub(crate) fn read(&mut self, sequence: u16, timestamp: u32, ticks: i32) -> (u32, bool) {
        if !self.possible {
            return (timestamp, false);
        }
        let step = timestamp.wrapping_sub(self.extended as u32) as i32;
        self.extended = self.extended.wrapping_add(i64::from(step));
        let before = self.last.replace((sequence, ticks));
        let was = self.is_double;
        if let Some((number, lasted)) = before
            && sequence == number.wrapping_add(1)
            && lasted > 0
        {
            let vote = i8::from(step == lasted.saturating_mul(2)) - i8::from(step == lasted);
            self.votes = (self.votes + vote).clamp(-CERTAIN, CERTAIN);
            self.is_double = match self.votes {
                CERTAIN => true,
                votes if votes == -CERTAIN => false,
                _ => was,
            };
        }
        let read = if self.is_double { (self.extended >> 1) as u32 } else { timestamp };
        (read, self.is_double != was)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_that_counts_twice_is_understood_and_one_that_pauses_is_not_mistaken() {
        let mut ticks = TickRate::new(16_000, 8_000);
        let start = u32::MAX - 1_000;
        let mut changes = 0;
        for n in 0..100u32 {
            changes += u32::from(ticks.read(n as u16, start.wrapping_add(n * 320), 160).1);
        }
        assert_eq!(changes, 1);
        let (one, _) = ticks.read(100, start.wrapping_add(32_000), 160);
        let (two, _) = ticks.read(101, start.wrapping_add(32_320), 160);
        assert_eq!(two.wrapping_sub(one), 160);

        let mut ticks = TickRate::new(16_000, 8_000);
        for n in 0..100u32 {
            // Every third packet after a pause as long as a packet.
            let timestamp = n * 160 + n / 3 * 160;
            assert_eq!(ticks.read(n as u16, timestamp, 160), (timestamp, false));
        }
        let mut other = TickRate::new(8_000, 8_000);
        for n in 0..20u32 {
            assert_eq!(
                other.read(n as u16, n * 320, 160),
                (n * 320, false),
                "only where it is known of the codec"
            );
        }
    }
}
