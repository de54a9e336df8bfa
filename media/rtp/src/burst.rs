//! How losses and discards of one source are spread: bursts and gaps (RFC 3611 §4.7.2, Gmin 16).
//! In: extended sequence numbers as packets come, and of those that playout discarded. Out: [`LossRuns`].
//! Not here: rates and durations made of the counts (`xr/voip.rs`).
//! RT: no allocation, lock, syscall, log or panic.
//!
//! A packet's fate is settled [`WINDOW`] numbers later, so that one that was overtaken is not taken for lost. Unlike
//! the sample program of RFC 3611 §A.2, which estimates densities from the transitions of a Markov chain, the packets
//! of bursts and gaps are counted themselves, as §4.7.2 defines them.

/// Packets received in a row that end a burst (RFC 3611 §4.7.2).
pub const GMIN: u8 = 16;
/// Numbers between the newest packet and the one whose fate is settled.
const WINDOW: u64 = 32;

/// Counts of a source's packets by their fate, since its numbering began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LossRuns {
    /// Packets whose fate is settled.
    pub packets: u64,
    /// … of them never received.
    pub lost: u64,
    /// … of them received and not played, for they came too late.
    pub discarded: u64,
    /// Bursts: from one lost or discarded packet to another with fewer than [`GMIN`] good ones in a row between.
    pub bursts: u64,
    /// Packets in them.
    pub burst_packets: u64,
    /// … of them lost or discarded.
    pub burst_bad: u64,
    /// Gaps: what is between bursts, before the first and after the last.
    pub gaps: u64,
    /// Packets in them.
    pub gap_packets: u64,
    /// … of them lost or discarded, each by itself.
    pub gap_bad: u64,
}

/// Settles packets and sorts them into bursts and gaps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LossTracker {
    /// The lowest number that is not settled; `None` before the first packet.
    next: Option<u64>,
    /// Bit i: number `next + i` was received.
    received: u64,
    /// Bit i: number `next + i` was discarded.
    discarded: u64,
    runs: LossRuns,
    cluster: Cluster,
    is_gap: bool,
}

/// What may become a burst: from a bad packet on, until [`GMIN`] good ones follow.
#[derive(Debug, Clone, Copy, Default)]
struct Cluster {
    bad: u64,
    /// Packets from the first bad one to the last.
    span: u64,
    /// Good ones since.
    good: u64,
}

impl LossTracker {
    pub(crate) const fn new() -> Self {
        Self {
            next: None,
            received: 0,
            discarded: 0,
            runs: LossRuns {
                packets: 0,
                lost: 0,
                discarded: 0,
                bursts: 0,
                burst_packets: 0,
                burst_bad: 0,
                gaps: 0,
                gap_packets: 0,
                gap_bad: 0,
            },
            cluster: Cluster { bad: 0, span: 0, good: 0 },
            is_gap: false,
        }
    }

    /// A packet came.
    pub(crate) fn receive(&mut self, extended: u64) {
        let next = *self.next.get_or_insert(extended);
        let Some(ahead) = extended.checked_sub(next) else { return };
        if ahead >= WINDOW {
            self.settle(ahead - WINDOW + 1);
        }
        if let Some(bit) = self.bit(extended) {
            self.received |= bit;
        }
    }

    /// A packet that came was not played.
    pub(crate) fn discard(&mut self, extended: u64) {
        if let Some(bit) = self.bit(extended) {
            self.discarded |= bit & self.received;
        }
    }

    /// A packet that did not come was made good by a copy.
    pub(crate) fn recover(&mut self, extended: u64) {
        if let Some(bit) = self.bit(extended) {
            self.received |= bit;
        }
    }

    /// The counts; what may be a burst yet is counted as it stands.
    pub(crate) fn runs(&self) -> LossRuns {
        let mut now = *self;
        let good = std::mem::take(&mut now.cluster.good);
        now.close();
        if good > 0 && self.cluster.bad > 0 {
            now.pass(good);
        }
        now.runs
    }

    fn bit(&self, extended: u64) -> Option<u64> {
        let ahead = extended.checked_sub(self.next?)?;
        (ahead < u64::BITS.into()).then(|| 1 << ahead)
    }

    /// Settles the next `count` packets.
    fn settle(&mut self, count: u64) {
        let known = count.min(u64::BITS.into());
        for _ in 0..known {
            let (is_received, is_discarded) = (self.received & 1 != 0, self.discarded & 1 != 0);
            self.received >>= 1;
            self.discarded >>= 1;
            if is_received && !is_discarded {
                self.good();
            } else {
                self.bad(1);
                self.runs.lost += u64::from(!is_received);
                self.runs.discarded += u64::from(is_discarded);
            }
        }
        let beyond = count - known;
        if beyond > 0 {
            self.bad(beyond);
            self.runs.lost += beyond;
        }
        self.runs.packets += count;
        self.next = self.next.map(|next| next.saturating_add(count));
    }

    fn good(&mut self) {
        if self.cluster.bad == 0 {
            self.pass(1);
            return;
        }
        self.cluster.good += 1;
        if self.cluster.good >= u64::from(GMIN) {
            let good = self.cluster.good;
            self.close();
            self.pass(good);
        }
    }

    fn bad(&mut self, count: u64) {
        let cluster = &mut self.cluster;
        cluster.span += std::mem::take(&mut cluster.good) + count;
        cluster.bad += count;
    }

    /// Good packets of a gap.
    fn pass(&mut self, count: u64) {
        if !self.is_gap {
            self.is_gap = true;
            self.runs.gaps += 1;
        }
        self.runs.gap_packets += count;
    }

    /// What began with a bad packet is over: a burst, or one loss in a gap.
    fn close(&mut self) {
        let Cluster { bad, span, .. } = std::mem::take(&mut self.cluster);
        match bad {
            0 => {}
            1 => {
                self.pass(1);
                self.runs.gap_bad += 1;
            }
            _ => {
                self.is_gap = false;
                self.runs.bursts += 1;
                self.runs.burst_packets += span;
                self.runs.burst_bad += bad;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// `.` good, `x` lost, `d` discarded; then enough good ones to settle them all.
    fn runs(fates: &str) -> LossRuns {
        let mut tracker = LossTracker::new();
        let mut number = 1 << 32;
        for fate in fates.chars() {
            if fate != 'x' {
                tracker.receive(number);
            }
            if fate == 'd' {
                tracker.discard(number);
            }
            number += 1;
        }
        // Only moves the window on.
        tracker.settle(number - tracker.next.unwrap());
        tracker.runs()
    }

    #[test]
    fn a_single_loss_among_good_packets_belongs_to_the_gap() {
        let good = ".".repeat(16);
        let counts = runs(&format!("{good}x{good}"));
        let expected =
            LossRuns { packets: 33, lost: 1, gaps: 1, gap_packets: 33, gap_bad: 1, ..LossRuns::default() };
        assert_eq!(counts, expected);
    }

    #[test]
    fn fifteen_good_packets_do_not_end_a_burst_and_sixteen_do() {
        let (fifteen, sixteen) = (".".repeat(15), ".".repeat(16));
        let one = runs(&format!("{sixteen}x{fifteen}d{sixteen}"));
        let expected = LossRuns {
            packets: 49,
            lost: 1,
            discarded: 1,
            bursts: 1,
            burst_packets: 17,
            burst_bad: 2,
            gaps: 2,
            gap_packets: 32,
            gap_bad: 0,
        };
        assert_eq!(one, expected);
        let none = runs(&format!("{sixteen}x{sixteen}d{sixteen}"));
        assert_eq!((none.bursts, none.gaps, none.gap_bad), (0, 1, 2));
    }

    #[test]
    fn a_burst_that_is_not_over_counts_as_it_stands() {
        let counts = runs(&format!("{}xx.x..", ".".repeat(20)));
        assert_eq!((counts.bursts, counts.burst_packets, counts.burst_bad), (1, 4, 3));
        assert_eq!((counts.gaps, counts.gap_packets), (2, 22));
    }

    #[test]
    fn overtaken_packets_are_not_lost_and_those_beyond_the_window_are() {
        let mut tracker = LossTracker::new();
        for number in [100, 102, 101, 104, 103].into_iter().chain(105..300) {
            tracker.receive(number);
        }
        assert_eq!(tracker.runs().lost, 0);
        tracker.receive(340);
        tracker.receive(300);
        tracker.receive(400);
        let counts = tracker.runs();
        assert_eq!((counts.packets, counts.lost), (269, 68), "{counts:?}");
        // A jump beyond every window.
        tracker.receive(400 + 3_000);
        assert_eq!(tracker.runs().packets, 3_269);
    }

    #[test]
    fn every_packet_is_in_a_burst_or_a_gap_and_the_appendixs_durations_agree() {
        for (seed, loss) in [(1, 0.01), (2, 0.05), (3, 0.1), (4, 0.3)] {
            let mut rng = Rng::new(seed);
            let fates: String = (0..20_000)
                .map(|_| match rng.next_unit() {
                    bad if bad < loss / 2.0 => 'x',
                    bad if bad < loss => 'd',
                    _ => '.',
                })
                .collect();
            let counts = runs(&format!("{}{fates}", ".".repeat(16)));
            assert_eq!(counts.packets, counts.burst_packets + counts.gap_packets);
            assert_eq!(counts.lost + counts.discarded, counts.burst_bad + counts.gap_bad);
            // RFC 3611 §A.2, transition by transition.
            let (mut c11, mut c13, mut c14, mut c22, mut c23, mut c33) = (0_u64, 0, 0, 0, 0, 0);
            let (mut good, mut lost) = (16_u64, 0);
            for fate in fates.chars() {
                if fate == '.' {
                    good += 1;
                    continue;
                }
                if good >= 16 {
                    match lost {
                        1 => c14 += 1,
                        _ => c13 += 1,
                    }
                    lost = 1;
                    c11 += good;
                } else {
                    lost += 1;
                    if good == 0 {
                        c33 += 1;
                    } else {
                        c23 += 1;
                        c22 += good - 1;
                    }
                }
                good = 0;
            }
            let total = c11 + c14 + c13 + c22 + c23 + c13 + c23 + c33;
            let gap = (c11 + c14 + c13) as f64 / c13 as f64;
            let burst = total as f64 / c13 as f64 - gap;
            let ours = counts.burst_packets as f64 / counts.bursts as f64;
            // The appendix counts each burst's first packet to the gap before it, and c23 twice.
            assert!((ours - burst).abs() < 2.0 + 0.1 * burst, "loss {loss}: {ours} for {burst}");
            let ours = counts.gap_packets as f64 / counts.gaps as f64;
            assert!((ours / gap - 1.0).abs() < 0.1, "loss {loss}: {ours} for {gap}");
        }
    }
}
