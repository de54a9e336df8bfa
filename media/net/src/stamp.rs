//! When a datagram arrived, by the monotonic clock.
//! In: the kernel's wall-clock stamp, both clocks now. Out: nanoseconds of CLOCK_MONOTONIC.
//!
//! The kernel stamps arrivals by the wall clock, which can be set at any moment. Only the *age* of the datagram is
//! taken from it, wall now less wall then, and only within bounds that the monotonic clock gives: it cannot have
//! arrived after it was read, nor before the socket was last found empty. A step of the wall clock between arrival and
//! reading can therefore move one arrival by no more than the time between two looks at the socket, and no other.
//! Linux begins to stamp a moment after the first socket of the machine has asked for it; a datagram that arrives before
//! is stamped when it is read, which is what happens without stamps anyway.
//! Not here: reading sockets (`rtp.rs`).
//! RT (all but `enable`): no allocation, lock, log or panic; reading the clocks is no syscall on Linux.

use std::net::UdpSocket;

use offhook_engine::monotonic_ns;
use rustix::time::{ClockId, clock_gettime};

/// Asks the kernel to stamp arrivals; whether it will.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn enable(socket: &UdpSocket) -> bool {
    use nix::sys::socket::{setsockopt, sockopt};
    match setsockopt(socket, sockopt::ReceiveTimestampns, &true) {
        Ok(()) => true,
        Err(error) => {
            tracing::debug!(%error, "the kernel does not stamp arrivals");
            false
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn enable(_socket: &UdpSocket) -> bool {
    false
}

/// Where the time comes from; tests bring their own.
pub(crate) trait Clocks {
    /// The monotonic clock, nanoseconds.
    fn monotonic_ns(&self) -> u64;

    /// The wall clock (nanoseconds since 1970) and the monotonic one, of the same moment.
    fn both_ns(&self) -> (u64, u64);
}

/// The system's clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClocks;

impl Clocks for SystemClocks {
    fn monotonic_ns(&self) -> u64 {
        monotonic_ns()
    }

    fn both_ns(&self) -> (u64, u64) {
        clocks_ns()
    }
}

/// Tells when the datagrams of one socket arrived.
#[derive(Debug)]
pub(crate) struct Arrivals<C> {
    clocks: C,
    /// When the socket was last found empty, monotonic.
    empty_ns: u64,
}

impl<C: Clocks> Arrivals<C> {
    pub(crate) const fn new(clocks: C) -> Arrivals<C> {
        Arrivals { clocks, empty_ns: 0 }
    }

    /// The socket was found empty just now.
    pub(crate) fn note_empty(&mut self) {
        self.empty_ns = self.clocks.monotonic_ns();
    }

    /// When the datagram arrived that was read just now, monotonic; without a stamp that is now.
    pub(crate) fn arrival_ns(&self, stamp_wall_ns: Option<u64>) -> u64 {
        let Some(stamp_wall_ns) = stamp_wall_ns else { return self.clocks.monotonic_ns() };
        let (wall_ns, now_ns) = self.clocks.both_ns();
        arrival_ns(stamp_wall_ns, wall_ns, now_ns, self.empty_ns)
    }
}

/// Both clocks: read again if the thread was interrupted in between, twice at most.
fn clocks_ns() -> (u64, u64) {
    const CLOSE_NS: u64 = 20_000;
    let mut pair = (0, 0);
    for _ in 0..3 {
        let before = monotonic_ns();
        let wall = clock_gettime(ClockId::Realtime);
        let after = monotonic_ns();
        let seconds = u64::try_from(wall.tv_sec).unwrap_or(0);
        let rest = u64::try_from(wall.tv_nsec).unwrap_or(0);
        pair = (seconds.saturating_mul(1_000_000_000).saturating_add(rest), before.midpoint(after));
        if after.saturating_sub(before) < CLOSE_NS {
            break;
        }
    }
    pair
}

/// The monotonic time of a wall-clock stamp. `empty_ns`: when the socket was last found empty, or 0.
fn arrival_ns(stamp_wall_ns: u64, now_wall_ns: u64, now_ns: u64, empty_ns: u64) -> u64 {
    let age_ns = now_wall_ns.saturating_sub(stamp_wall_ns);
    now_ns.saturating_sub(age_ns).clamp(empty_ns.min(now_ns), now_ns)
}

/// The wall-clock time of a monotonic one, by how far the two clocks are apart now: nanoseconds since 1970. For
/// capture files and sender reports.
pub fn wall_of_monotonic(at_ns: u64) -> u64 {
    let (wall, now) = clocks_ns();
    if at_ns >= now { wall.saturating_add(at_ns - now) } else { wall.saturating_sub(now - at_ns) }
}

/// The monotonic time of a wall-clock one (nanoseconds since 1970), by how far the two clocks are apart now.
pub fn monotonic_of_wall(at_wall_ns: u64) -> u64 {
    let (wall, now) = clocks_ns();
    if at_wall_ns >= wall {
        now.saturating_add(at_wall_ns - wall)
    } else {
        now.saturating_sub(wall - at_wall_ns)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use offhook_rtp::InterarrivalJitter;

    use super::*;

    #[test]
    fn an_age_by_the_wall_clock_becomes_a_monotonic_time() {
        assert_eq!(arrival_ns(1_000_400, 1_000_900, 7_000, 6_000), 6_500);
        assert_eq!(arrival_ns(1_000_900, 1_000_900, 7_000, 6_000), 7_000);
    }

    #[test]
    fn a_step_of_the_wall_clock_moves_an_arrival_no_further_than_the_last_look() {
        let hour = 3_600_000_000_000;
        // Set forward after the arrival: the age seems huge.
        assert_eq!(arrival_ns(1_000_400, 1_000_900 + hour, 7_000, 6_000), 6_000);
        // Set back: it seems to come from the future.
        assert_eq!(arrival_ns(1_000_400 + hour, 1_000_900, 7_000, 6_000), 7_000);
        // Nonsense bounds do not panic.
        assert_eq!(arrival_ns(0, u64::MAX, 7_000, 9_000), 7_000);
    }

    /// Clocks that a test moves; the wall clock is set at will.
    #[derive(Default)]
    struct Watch {
        monotonic_ns: Cell<u64>,
        wall_ahead_ns: Cell<i64>,
    }

    impl Watch {
        fn wall_ns(&self, monotonic_ns: u64) -> u64 {
            (1_800_000_000_000_000_000 + monotonic_ns).saturating_add_signed(self.wall_ahead_ns.get())
        }
    }

    impl Clocks for &Watch {
        fn monotonic_ns(&self) -> u64 {
            self.monotonic_ns.get()
        }

        fn both_ns(&self) -> (u64, u64) {
            (self.wall_ns(self.monotonic_ns.get()), self.monotonic_ns.get())
        }
    }

    #[test]
    fn a_wall_clock_that_is_set_again_and_again_does_not_show_in_arrivals_and_jitter() {
        const MS: u64 = 1_000_000;
        const HOUR: i64 = 3_600_000_000_000;
        let watch = Watch::default();
        let mut arrivals = Arrivals::new(&watch);
        let mut jitter = InterarrivalJitter::new(8_000);
        let (mut wrong, mut steps) = (0, 0);
        for n in 0..1_000_u64 {
            // A packet every 20 ms, 7 ms before the tick that reads it.
            let arrived_ns = (n + 1) * 20 * MS + 13 * MS;
            watch.monotonic_ns.set(arrived_ns);
            let stamp_wall_ns = watch.wall_ns(arrived_ns);
            // Set between arrival and reading: forward, back, by a little.
            let step = match n % 100 {
                30 => HOUR,
                60 => -HOUR,
                90 => 3 * MS as i64,
                _ => 0,
            };
            watch.wall_ahead_ns.set(watch.wall_ahead_ns.get() + step);
            watch.monotonic_ns.set(arrived_ns + 7 * MS);
            let told_ns = arrivals.arrival_ns(Some(stamp_wall_ns));
            arrivals.note_empty();
            steps += u64::from(step != 0);
            wrong += u64::from(told_ns != arrived_ns);
            // No further than between two looks.
            assert!(told_ns.abs_diff(arrived_ns) <= 13 * MS, "packet {n}");
            jitter.update(told_ns, (n * 160) as u32);
        }
        assert_eq!((wrong, steps), (30, 30), "one arrival a step");
        assert!(jitter.nanoseconds() < 4 * MS, "{}", jitter.nanoseconds());
    }

    #[test]
    fn without_a_stamp_the_time_of_reading_is_taken() {
        let watch = Watch::default();
        watch.monotonic_ns.set(77);
        watch.wall_ahead_ns.set(-5);
        assert_eq!(Arrivals::new(&watch).arrival_ns(None), 77);
    }

    #[test]
    fn the_two_clocks_convert_there_and_back() {
        let now = monotonic_ns();
        let back = monotonic_of_wall(wall_of_monotonic(now));
        // Apart by the time between the readings, which a busy machine stretches.
        assert!(back.abs_diff(now) < 1_000_000_000);
    }
}
