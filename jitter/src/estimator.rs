//! Learns from arrivals how long to wait: the transit time that nearly all packets keep.
//! In: for each packet, its transit (arrival less media time, nanoseconds; only differences matter).
//! Out: the *deadline*: the transit that a packet may take and still be in time.
//!
//! ```text
//!  transit ─▶ least of the last seconds (base) ─▶ excess over it ─▶ histogram, forgetting ─▶ least cost ─▶ deadline
//! ```
//!
//! Late packets come in clumps: a link that stalls lets go of all that it held at once. Only the first of a clump makes
//! the sound run out; the others find the delay grown already. So what is weighed against waiting is not late packets
//! but *events*, each by how far it exceeds the wait. Both sides are in points of the R scale: of waiting by the
//! E-model's impairment by delay (ITU-T G.107), of events by what PESQ was measured to lose.
//!
//! The first packets weigh most (their histogram is small), so it is fast to start. The histogram moves with the base,
//! so that a change of route or a drifting clock is not taken for jitter.
//! Not here: what is done to reach it (`decision.rs`).
//! RT: no allocation, lock, syscall, log or panic (except in [`Estimator::new`]).

/// Width of a bin of the histogram, nanoseconds.
const BIN_NS: i64 = 1_000_000;
/// A packet whose transit is that much shorter than the one's before it was held with it.
const DRAINING_NS: i64 = 5_000_000;
/// Packets after which an arrival weighs 1/e.
const MEMORY: f64 = 2_000.0;
/// A fall of the base by this much that lasts for [`FALL_PACKETS`] is a shorter route: what the longer one took was no
/// jitter.
const FALL_NS: i64 = 10 * BIN_NS;
const FALL_PACKETS: u32 = 50;
/// What an event costs in speech quality (PESQ, of 4.5), by how many milliseconds sound is missing: from
/// `EVENT_MOST - EVENT_SPAN` for a moment up to `EVENT_MOST`, nearly all of it within a few `EVENT_FADE_MS`. Measured
/// with speech of which one stretch in nine seconds was made up and what came late was left out.
const EVENT_MOST: f64 = 0.75;
const EVENT_SPAN: f64 = 0.5;
const EVENT_FADE_MS: f64 = 80.0;
/// The part of all packets that are events, times this, is the number of them heard in speech in nine seconds.
const EVENTS_HEARD: f64 = 150.0;
/// However many events there are, not more than this is lost.
const QUALITY_MOST: f64 = 10.0;
/// Points of R (G.107) that quality is worth, and those that go with the first blemish.
const POINTS: f64 = 22.0;
const FIRST_POINTS: f64 = 5.0;
const FIRST_QUALITY: f64 = 0.08;
/// Delay of everything but playout, milliseconds, and the points that a millisecond costs where G.107 rates none.
const OTHER_DELAY_MS: f64 = 120.0;
const WAIT_POINTS: f64 = 0.02;
/// Packets from one weighing of the costs to the next, once the stream is this many packets old.
const WEIGH_EVERY: u32 = 4;
const YOUNG: u32 = 50;
/// The base is the least transit of this many spans.
const SPANS: usize = 8;
const SPAN_NS: u64 = 500_000_000;
/// No more than the greatest excess of these many spans is waited for.
const PEAK_SPANS: usize = 64;

/// The estimator of one stream.
#[derive(Debug)]
pub(crate) struct Estimator {
    bins: Vec<f32>,
    /// What each bin's wait costs, points of R.
    waits: Vec<f32>,
    total: f64,
    /// What an event's nearness keeps over one bin.
    fade: f64,
    /// Weight of the next arrival; grows instead of all others shrinking.
    weight: f64,
    /// Least transit of each of the last spans, the youngest first.
    least: [i64; SPANS],
    /// Greatest transit of each of the last spans, the youngest first.
    greatest: [i64; PEAK_SPANS],
    span_start_ns: u64,
    base: i64,
    /// The wait of least cost, nanoseconds.
    jitter: i64,
    /// Bins from here on are empty.
    used: usize,
    packets: u32,
    /// Transit of the last packet.
    last: i64,
    /// The base before a fall, and the packets since, all of them below it.
    fall: Option<(i64, u32)>,
    initial: i64,
    least_wait: i64,
    most_wait: i64,
    started: bool,
}

impl Estimator {
    /// Waits between `min_ms` and `max_ms` beyond the base; `initial_ms` at least until the network is known.
    pub(crate) fn new(min_ms: u32, initial_ms: u32, max_ms: u32) -> Estimator {
        let ns = |ms: u32| i64::from(ms) * 1_000_000;
        let bins = max_ms.max(20) as usize + 2;
        let mut estimator = Estimator {
            bins: vec![0.0; bins],
            waits: (0..bins).map(|ms| wait_cost(ms as f64) as f32).collect(),
            total: 0.0,
            fade: (-1.0 / EVENT_FADE_MS).exp(),
            weight: 1.0,
            least: [i64::MAX; SPANS],
            greatest: [i64::MIN; PEAK_SPANS],
            span_start_ns: 0,
            base: 0,
            jitter: 0,
            used: 0,
            packets: 0,
            last: 0,
            fall: None,
            initial: ns(initial_ms),
            least_wait: ns(min_ms).max(BIN_NS),
            most_wait: ns(max_ms).max(BIN_NS),
            started: false,
        };
        estimator.reset();
        estimator
    }

    pub(crate) fn reset(&mut self) {
        self.bins.fill(0.0);
        self.total = 0.0;
        self.weight = 1.0;
        self.least = [i64::MAX; SPANS];
        self.greatest = [i64::MIN; PEAK_SPANS];
        self.jitter = 0;
        self.used = 0;
        self.packets = 0;
        self.fall = None;
        self.started = false;
    }

    /// Learns from one arrival.
    pub(crate) fn arrived(&mut self, transit: i64, arrival_ns: u64) {
        if !self.started {
            self.started = true;
            self.base = transit;
            self.last = transit;
            self.span_start_ns = arrival_ns;
        }
        self.turn_spans(arrival_ns);
        let ([least, ..], [greatest, ..]) = (&mut self.least, &mut self.greatest);
        *least = transit.min(*least);
        *greatest = transit.max(*greatest);
        let base = self.least.iter().copied().min().unwrap_or(transit);
        self.note_fall(base, transit);
        self.move_base(base);

        // What comes faster than the packet before it, which was held, is no event of its own.
        let is_event = transit > self.last.saturating_sub(DRAINING_NS);
        self.last = transit;
        let bin = if is_event { transit.saturating_sub(self.base) / BIN_NS } else { 0 };
        let bin = usize::try_from(bin).unwrap_or(0).min(self.bins.len() - 1);
        if let Some(bin) = self.bins.get_mut(bin) {
            *bin += self.weight as f32;
        }
        self.used = self.used.max(bin + 1);
        self.total += self.weight;
        self.weight *= 1.0 + 1.0 / MEMORY;
        if self.weight > 1e9 {
            let scale = 1.0 / self.weight;
            self.bins.iter_mut().for_each(|bin| *bin *= scale as f32);
            self.total *= scale;
            self.weight = 1.0;
        }
        self.packets = self.packets.saturating_add(1);
        if self.packets < YOUNG || self.packets.is_multiple_of(WEIGH_EVERY) {
            self.jitter = self.least_cost();
        }
    }

    /// The wait beyond the base, nanoseconds.
    pub(crate) fn target(&self) -> i64 {
        let peak = self.greatest.iter().copied().max().unwrap_or(0).saturating_sub(self.base);
        let wait = self.jitter.min(peak.saturating_add(BIN_NS));
        let wait = if self.packets < YOUNG { wait.max(self.initial) } else { wait };
        wait.clamp(self.least_wait, self.most_wait)
    }

    /// The transit up to which a packet is in time.
    pub(crate) fn deadline(&self) -> i64 {
        self.base.saturating_add(self.target())
    }

    /// The transit of the packet that arrived last.
    pub(crate) fn last(&self) -> i64 {
        self.last
    }

    /// Whether hardly a second of the network is known.
    pub(crate) fn is_young(&self) -> bool {
        self.packets < YOUNG
    }

    /// The least transit of late.
    pub(crate) fn base(&self) -> i64 {
        self.base
    }

    /// Spans in which nothing arrives (a sender's silence) do not count: what was learnt before them holds.
    fn turn_spans(&mut self, arrival_ns: u64) {
        if arrival_ns.saturating_sub(self.span_start_ns) >= SPAN_NS {
            self.least.rotate_right(1);
            self.greatest.rotate_right(1);
            let ([least, ..], [greatest, ..]) = (&mut self.least, &mut self.greatest);
            (*least, *greatest) = (i64::MAX, i64::MIN);
            self.span_start_ns = arrival_ns;
        }
    }

    /// Tells a shorter route from a packet that was lucky.
    fn note_fall(&mut self, base: i64, transit: i64) {
        self.fall = match self.fall {
            Some((before, _)) if transit >= before => None,
            Some((before, packets)) if packets >= FALL_PACKETS => {
                // The histogram goes back to where it was above the base of the longer route.
                let now = self.base;
                self.base = self.base.saturating_sub(before.saturating_sub(now));
                self.move_base(now);
                let [_, older @ ..] = &mut self.greatest;
                older.fill(i64::MIN);
                None
            }
            Some((before, packets)) => Some((before, packets + 1)),
            None if self.base.saturating_sub(base) >= FALL_NS => Some((self.base, 0)),
            None => None,
        };
    }

    /// Follows the base, and moves the histogram against it, so that what was learnt stays where it was.
    fn move_base(&mut self, base: i64) {
        let last = self.bins.len() - 1;
        let shift = base.saturating_sub(self.base) / BIN_NS;
        if shift > 0 {
            let shift = usize::try_from(shift).unwrap_or(last).min(last);
            let fallen: f32 = self.bins.iter().take(shift).sum();
            self.bins.copy_within(shift.., 0);
            self.bins.iter_mut().rev().take(shift).for_each(|bin| *bin = 0.0);
            if let Some(first) = self.bins.first_mut() {
                *first += fallen;
            }
            self.used = self.used.saturating_sub(shift).max(1);
            self.base = self.base.saturating_add(shift as i64 * BIN_NS);
        } else if base < self.base {
            let shift = usize::try_from(-shift).unwrap_or(last).min(last);
            let risen: f32 = self.bins.iter().rev().take(shift).sum();
            self.bins.copy_within(..=last - shift, shift);
            self.bins.iter_mut().take(shift).for_each(|bin| *bin = 0.0);
            if let Some(bin) = self.bins.last_mut() {
                *bin += risen;
            }
            self.used = (self.used + shift).min(last + 1);
            self.base = base;
        }
    }

    /// The wait at which its own cost and that of the events beyond it are least.
    fn least_cost(&mut self) -> i64 {
        let forgotten = self.total * 1e-5;
        while self.used > 1
            && self.bins.get(self.used - 1).is_some_and(|weight| f64::from(*weight) < forgotten)
        {
            self.used -= 1;
        }
        let scale = EVENTS_HEARD / self.total;
        // From the longest wait down: events beyond it, and the same less the farther they are.
        let (mut events, mut near) = (0.0, 0.0);
        let (mut least, mut wait) = (f64::INFINITY, 0);
        let bins = self.bins.iter().zip(&self.waits).enumerate().take(self.used).rev();
        for (bin, (weight, wait_cost)) in bins {
            let heard = scale * (EVENT_MOST * events - EVENT_SPAN * near);
            let lost = heard / (1.0 + heard / QUALITY_MOST);
            let cost = f64::from(*wait_cost) + POINTS * lost + FIRST_POINTS * lost / (lost + FIRST_QUALITY);
            // The last bin holds what no wait would catch.
            if cost <= least && bin + 1 < self.bins.len() {
                (least, wait) = (cost, bin);
            }
            events += f64::from(*weight);
            near = (near + f64::from(*weight)) * self.fade;
        }
        (wait as i64 + 1) * BIN_NS
    }
}

/// What waiting costs: Idd of ITU-T G.107 (7-27) with the delay of everything else, and a little for each millisecond.
fn wait_cost(ms: f64) -> f64 {
    let x = ((OTHER_DELAY_MS + ms) / 100.0).log2().max(0.0);
    let root = |x: f64| (1.0 + x.powi(6)).powf(1.0 / 6.0);
    25.0 * (root(x) - 3.0 * root(x / 3.0) + 2.0) + WAIT_POINTS * ms
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;
    const PACKET_NS: u64 = 20_000_000;

    fn feed(estimator: &mut Estimator, from: u64, transits: impl IntoIterator<Item = i64>) -> u64 {
        let mut n = from;
        for transit in transits {
            let arrival = (n * PACKET_NS).saturating_add_signed(transit);
            estimator.arrived(transit, arrival);
            n += 1;
        }
        n
    }

    #[test]
    fn a_perfect_network_needs_one_millisecond() {
        let mut estimator = Estimator::new(0, 0, 500);
        feed(&mut estimator, 0, (0..1_000).map(|_| 50 * MS));
        assert_eq!(estimator.target(), MS);
        assert_eq!(estimator.deadline(), 51 * MS);
    }

    #[test]
    fn jitter_is_known_within_a_second() {
        let mut estimator = Estimator::new(0, 0, 500);
        feed(&mut estimator, 0, (0..50).map(|n| 50 * MS + (n * 7 % 31) * MS));
        assert!((28 * MS..=31 * MS).contains(&estimator.target()), "{}", estimator.target());
    }

    #[test]
    fn a_longer_route_is_a_new_base_and_not_jitter() {
        let mut estimator = Estimator::new(0, 0, 500);
        let n = feed(&mut estimator, 0, (0..500).map(|_| 50 * MS));
        let n = feed(&mut estimator, n, (0..500).map(|_| 110 * MS));
        assert_eq!(estimator.deadline(), 111 * MS);
        feed(&mut estimator, n, (0..600).map(|_| 50 * MS));
        assert_eq!(estimator.deadline(), 51 * MS, "back to the shorter route");
    }

    #[test]
    fn a_drifting_clock_moves_the_deadline_and_not_the_wait() {
        for ppm in [-200, 200] {
            let mut estimator = Estimator::new(0, 0, 500);
            feed(&mut estimator, 0, (0..6_000).map(|n| 50 * MS + n * 20 * ppm));
            assert!(estimator.target() <= 3 * MS, "{ppm}: {}", estimator.target());
            let end = 50 * MS + 6_000 * 20 * ppm;
            assert!((estimator.deadline() - end).abs() <= 3 * MS);
        }
    }

    #[test]
    fn bounds_are_kept() {
        let mut estimator = Estimator::new(10, 0, 40);
        feed(&mut estimator, 0, (0..100).map(|_| 0));
        assert_eq!(estimator.target(), 10 * MS);
        feed(&mut estimator, 100, (0..100).map(|n| n % 10 * 100 * MS));
        assert_eq!(estimator.target(), 40 * MS);
    }
}
