//! When RTCP is sent (RFC 3550 §6.2, §6.3, §A.7).
//! In: members, senders, packet sizes, BYEs, times, a seed. Out: the next deadline and whether it holds.
//! Not here: what is sent, and who the members are (`session.rs`).

use crate::rng::Rng;

/// Corrects for timer reconsideration converging below the average: e − 3/2 (RFC 3550 §6.3.1).
const COMPENSATION: f64 = std::f64::consts::E - 1.5;
/// The senders' share of the RTCP bandwidth (RFC 3550 §6.2).
const SENDER_SHARE: f64 = 0.25;

/// The group as the interval rules see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group {
    /// Participants, ourselves included.
    pub(crate) members: usize,
    /// Those of them that sent RTP lately, ourselves included.
    pub(crate) senders: usize,
    /// Whether we are one of these.
    pub(crate) we_sent: bool,
}

/// The variables of RFC 3550 §6.3: `tp`, `tn`, `pmembers`, `avg_rtcp_size`, `initial`, `rtcp_bw`.
#[derive(Debug)]
pub(crate) struct Timing {
    rng: Rng,
    /// Octets a second for all RTCP of the session.
    rtcp_bandwidth: f64,
    minimum_ns: u64,
    last_ns: u64,
    next_ns: u64,
    members_then: usize,
    average_size: f64,
    is_initial: bool,
}

impl Timing {
    /// Schedules the first report (§6.3.2).
    pub(crate) fn new(now_ns: u64, rtcp_bandwidth: f64, minimum_ns: u64, first_size: f64, rng: Rng) -> Self {
        let mut timing = Self {
            rng,
            rtcp_bandwidth: rtcp_bandwidth.max(1.0),
            minimum_ns,
            last_ns: now_ns,
            next_ns: now_ns,
            members_then: 1,
            average_size: first_size,
            is_initial: true,
        };
        let group = Group { members: 1, senders: 0, we_sent: false };
        timing.next_ns = now_ns.saturating_add(timing.interval(group));
        timing
    }

    /// `tn`: when [`Self::expire`] is next to be asked.
    pub(crate) fn next_ns(&self) -> u64 {
        self.next_ns
    }

    /// The timer's expiry with forward reconsideration (§6.3.6): whether a packet is to be sent now.
    pub(crate) fn expire(&mut self, now_ns: u64, group: Group) -> bool {
        let due = self.last_ns.saturating_add(self.interval(group));
        self.members_then = group.members;
        if due > now_ns {
            self.next_ns = due;
            return false;
        }
        true
    }

    /// After a packet was sent: the average moves, the next deadline is drawn (§6.3.6).
    pub(crate) fn sent(&mut self, now_ns: u64, size: f64, group: Group) {
        self.observe(size);
        self.last_ns = now_ns;
        self.is_initial = false;
        self.next_ns = now_ns.saturating_add(self.interval(group));
    }

    /// A compound of `size` octets, lower layers included, was sent or received (§6.3.3).
    pub(crate) fn observe(&mut self, size: f64) {
        self.average_size = size / 16.0 + self.average_size * (15.0 / 16.0);
    }

    /// Members left: the deadline comes nearer in proportion (reverse reconsideration, §6.3.4).
    pub(crate) fn members_left(&mut self, now_ns: u64, members: usize) {
        if members >= self.members_then {
            return;
        }
        let ratio = members as f64 / self.members_then as f64;
        let ahead = self.next_ns.saturating_sub(now_ns) as f64 * ratio;
        let behind = now_ns.saturating_sub(self.last_ns) as f64 * ratio;
        self.next_ns = now_ns.saturating_add(ahead as u64);
        self.last_ns = now_ns.saturating_sub(behind as u64);
        self.members_then = members;
    }

    /// We leave a large group: BYE packets alone are counted from now on (§6.3.7).
    pub(crate) fn leave(&mut self, now_ns: u64, bye_size: f64) {
        self.last_ns = now_ns;
        self.members_then = 1;
        self.is_initial = true;
        self.average_size = bye_size;
        let group = Group { members: 1, senders: 0, we_sent: false };
        self.next_ns = now_ns.saturating_add(self.interval(group));
    }

    /// The interval without randomness, for ageing members out: T_d with the full minimum (§6.3.5).
    pub(crate) fn deterministic_ns(&self, group: Group) -> u64 {
        self.calculated(group, self.minimum_ns as f64) as u64
    }

    /// `rtcp_interval` of §A.7.
    fn interval(&mut self, group: Group) -> u64 {
        let minimum = self.minimum_ns as f64 / if self.is_initial { 2.0 } else { 1.0 };
        let random = 0.5 + self.rng.next_unit();
        (self.calculated(group, minimum) * random / COMPENSATION) as u64
    }

    fn calculated(&self, group: Group, minimum_ns: f64) -> f64 {
        let mut bandwidth = self.rtcp_bandwidth;
        let mut sharing = group.members;
        if group.senders as f64 <= group.members as f64 * SENDER_SHARE {
            if group.we_sent {
                bandwidth *= SENDER_SHARE;
                sharing = group.senders;
            } else {
                bandwidth *= 1.0 - SENDER_SHARE;
                sharing = group.members - group.senders;
            }
        }
        (self.average_size * sharing as f64 / bandwidth * 1e9).max(minimum_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn timing(seed: u64) -> Timing {
        Timing::new(100 * SECOND, 500.0, 5 * SECOND, 100.0, Rng::new(seed))
    }

    fn listening(members: usize) -> Group {
        Group { members, senders: 0, we_sent: false }
    }

    #[test]
    fn a_group_that_grew_puts_the_first_report_off() {
        // §6.3.6: a thousand joined since the timer was set.
        let mut timing = timing(1);
        let due_ns = timing.next_ns();
        assert!(!timing.expire(due_ns, listening(1000)));
        // 1000 members of 100 octets at three quarters of 500 octets a second: 267 s, halved at most by the draw.
        assert!(timing.next_ns() > 100 * SECOND + 109 * SECOND, "{}", timing.next_ns());
    }

    #[test]
    fn a_report_goes_out_when_nothing_changed_meanwhile_and_time_has_passed() {
        let mut timing = timing(2);
        assert!(timing.expire(100 * SECOND + 4 * SECOND, listening(1)));
        timing.sent(104 * SECOND, 100.0, listening(1));
        assert!(timing.next_ns() > 106 * SECOND);
        assert!(!timing.expire(105 * SECOND, listening(1)));
    }

    #[test]
    fn members_that_leave_bring_the_deadline_nearer_in_proportion() {
        let mut timing = timing(3);
        timing.expire(101 * SECOND, listening(1000));
        let due_ns = timing.next_ns();
        timing.members_left(101 * SECOND, 10);
        let expected = (due_ns - 101 * SECOND) / 100;
        assert!((timing.next_ns() - 101 * SECOND).abs_diff(expected) < 1000);
        assert_eq!(timing.last_ns, 101 * SECOND - SECOND / 100);
        // More members than then change nothing (§6.3.4).
        let before_ns = timing.next_ns();
        timing.members_left(102 * SECOND, 11);
        assert_eq!(timing.next_ns(), before_ns);
    }

    #[test]
    fn a_few_senders_share_a_quarter_and_the_listeners_the_rest() {
        let timing = timing(4);
        let seconds = |group| timing.deterministic_ns(group) as f64 / 1e9;
        let close = |is: f64, should: f64| assert!((is - should).abs() < 1e-6, "{is} for {should}");
        // §6.2: 100 octets each; 500 octets a second in all.
        close(seconds(Group { members: 200, senders: 40, we_sent: true }), 40.0 * 100.0 / 125.0);
        close(seconds(Group { members: 200, senders: 40, we_sent: false }), 160.0 * 100.0 / 375.0);
        close(seconds(Group { members: 200, senders: 60, we_sent: true }), 200.0 * 100.0 / 500.0);
        // And never less than the minimum.
        close(seconds(Group { members: 2, senders: 2, we_sent: true }), 5.0);
    }

    #[test]
    fn the_average_size_moves_by_a_sixteenth() {
        let mut timing = timing(5);
        timing.observe(260.0);
        assert!((timing.average_size - 110.0).abs() < 1e-9);
    }

    #[test]
    fn intervals_spread_from_half_to_one_and_a_half_of_the_mean_over_e_minus_three_halves() {
        let mut timing = timing(6);
        timing.is_initial = false;
        let draws = (0..10_000).map(|_| timing.interval(listening(1)) as f64 / 1e9).collect::<Vec<_>>();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        assert!((mean - 5.0 / COMPENSATION).abs() < 0.05, "{mean}");
        let bounds = 2.5 / COMPENSATION..7.5 / COMPENSATION;
        assert!(draws.iter().all(|draw| bounds.contains(draw)));
    }
}
