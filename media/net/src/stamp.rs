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

/// The wall clock (nanoseconds since 1970) and the monotonic one, of the same moment: read again if the thread was
/// interrupted in between, twice at most.
pub(crate) fn clocks_ns() -> (u64, u64) {
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
pub(crate) fn arrival_ns(stamp_wall_ns: u64, now_wall_ns: u64, now_ns: u64, empty_ns: u64) -> u64 {
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

    #[test]
    fn the_two_clocks_convert_there_and_back() {
        let now = monotonic_ns();
        let back = monotonic_of_wall(wall_of_monotonic(now));
        // Apart by the time between the readings, which a busy machine stretches.
        assert!(back.abs_diff(now) < 1_000_000_000);
    }
}
