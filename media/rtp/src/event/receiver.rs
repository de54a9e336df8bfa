//! Makes events of packets of telephone-event (RFC 4733 §2.5.2): each event once, in order, with its duration.
//! In: payloads with their extended timestamps and arrivals; the time. Out: [`ReceivedEvent`]s, counts.
//! Unknown → pending (packets come) → over (E, a later event, or silence) → delivered, remembered by its place.
//! Not here: RTP headers and sources (`receiver.rs` of the crate), tones.
//! RT: no allocation, lock, syscall, log or panic.
//!
//! An event is known by the timestamp at which it began, so that any one of its packets suffices. It is over with its
//! E bit, [`EventReceiverConfig::hold_ns`] after a later event was heard of, or after
//! [`EventReceiverConfig::timeout_ns`] without a packet. It is delivered `hold_ns` after it was known to be over:
//! packets that were overtaken by less than that still find their place. What comes later than its successor's
//! delivery is dropped and counted: digits in the wrong order are worse than a missing one.

use super::{EventBlock, EventCode, FULL_SEGMENT};

/// Events that may be under way at once; more are dropped and counted.
const MAX_PENDING: usize = 8;
/// Units of the RTP clock behind the last event, beyond which a timestamp is no straggler's but of a new numbering.
const STRAGGLERS: u64 = 10 * 8_000;

/// How long an [`EventReceiver`] waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventReceiverConfig {
    /// From when an event is known to be over until it is delivered: packets may be overtaken for so long, nanoseconds.
    pub hold_ns: u64,
    /// From an event's last packet until it is taken for over without an E bit, nanoseconds.
    pub timeout_ns: u64,
}

impl Default for EventReceiverConfig {
    /// 60 ms and 300 ms.
    fn default() -> Self {
        Self { hold_ns: 60_000_000, timeout_ns: 300_000_000 }
    }
}

/// An event that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceivedEvent {
    /// Which.
    pub code: EventCode,
    /// Power level of the tone: so many dB below 0 dBm0, 0 to 63.
    pub volume: u8,
    /// How long it lasted, in units of the RTP clock; at least so long if its end was lost.
    pub duration: u64,
    /// When it began, on the RTP clock.
    pub timestamp: u32,
    /// Arrival of its first packet, nanoseconds.
    pub arrival_ns: u64,
    /// Whether its E bit came.
    pub has_ended: bool,
}

/// Counts of an [`EventReceiver`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventReceiverStats {
    /// Packets handed in.
    pub packets: u64,
    /// Packets whose length is not that of one to sixteen blocks.
    pub malformed: u64,
    /// Blocks of events that are neither digits nor flash.
    pub unknown: u64,
    /// Blocks that told nothing new: repeats, old durations, events delivered already.
    pub repeated: u64,
    /// Blocks of events that came after a later one was delivered.
    pub stale: u64,
    /// Blocks for which there was no room.
    pub overflow: u64,
    /// Events delivered.
    pub delivered: u64,
    /// … of them without their E bit.
    pub without_end: u64,
}

/// Receives the events of one RTP source.
#[derive(Debug, Clone)]
pub struct EventReceiver {
    config: EventReceiverConfig,
    pending: [Option<Pending>; MAX_PENDING],
    last: Option<Delivered>,
    /// Counts the numberings of the stream.
    epoch: u32,
    stats: EventReceiverStats,
}

/// An event of which packets have come.
#[derive(Debug, Clone, Copy)]
struct Pending {
    epoch: u32,
    code: EventCode,
    volume: u8,
    /// Extended timestamps of the event and of its newest segment.
    start: u64,
    segment: u64,
    segment_duration: u32,
    has_marker: bool,
    first_ns: u64,
    heard_ns: u64,
    /// When its E bit came.
    ended_ns: Option<u64>,
}

/// The event delivered last, in this epoch.
#[derive(Debug, Clone, Copy)]
struct Delivered {
    code: EventCode,
    start: u64,
    end: u64,
    has_ended: bool,
}

impl Pending {
    fn duration(&self) -> u64 {
        self.segment - self.start + u64::from(self.segment_duration)
    }

    /// Whether `later` is a further segment of this event (§2.5.1.3).
    fn is_continued_by(&self, later: &Pending) -> bool {
        self.epoch == later.epoch
            && self.code == later.code
            && self.ended_ns.is_none()
            && !later.has_marker
            && later.start == self.segment.saturating_add(u64::from(FULL_SEGMENT))
    }
}

impl EventReceiver {
    /// A receiver that has heard nothing.
    pub const fn new(config: EventReceiverConfig) -> Self {
        Self {
            config,
            pending: [None; MAX_PENDING],
            last: None,
            epoch: 0,
            stats: EventReceiverStats {
                packets: 0,
                malformed: 0,
                unknown: 0,
                repeated: 0,
                stale: 0,
                overflow: 0,
                delivered: 0,
                without_end: 0,
            },
        }
    }

    /// Takes the payload of a packet of the source, with its extended timestamp
    /// ([`Accepted`](crate::Accepted)`::extended_timestamp`) and marker bit.
    pub fn receive(&mut self, extended_timestamp: u64, marker: bool, arrival_ns: u64, payload: &[u8]) {
        self.stats.packets += 1;
        let Some(blocks) = EventBlock::read(payload) else {
            self.stats.malformed += 1;
            return;
        };
        let mut start = extended_timestamp;
        let mut marker = marker;
        for block in blocks {
            match EventCode::new(block.event) {
                Some(code) => self.take(start, std::mem::take(&mut marker), arrival_ns, code, block),
                None => self.stats.unknown += 1,
            }
            start = start.saturating_add(u64::from(block.duration));
        }
    }

    /// The source numbers anew, or is another one: what is pending is over, earlier timestamps mean nothing.
    pub fn restart(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        self.last = None;
    }

    /// The next event that is to be delivered at `now_ns`.
    pub fn poll(&mut self, now_ns: u64) -> Option<ReceivedEvent> {
        loop {
            let (at, first) = self.earliest(None)?;
            let second = self.earliest(Some(at));
            if let Some((next, later)) = second
                && first.is_continued_by(&later)
            {
                let joined = Pending {
                    segment: later.segment,
                    segment_duration: later.segment_duration,
                    ended_ns: later.ended_ns,
                    first_ns: first.first_ns.min(later.first_ns),
                    heard_ns: first.heard_ns.max(later.heard_ns),
                    ..first
                };
                *self.pending.get_mut(at)? = Some(joined);
                *self.pending.get_mut(next)? = None;
                continue;
            }
            let passed = |at_ns: u64, wait_ns: u64| now_ns.saturating_sub(at_ns) >= wait_ns;
            let is_over = first.epoch != self.epoch
                || first.ended_ns.is_some_and(|at_ns| passed(at_ns, self.config.hold_ns))
                || second.is_some_and(|(_, later)| passed(later.first_ns, self.config.hold_ns))
                || passed(first.heard_ns, self.config.timeout_ns);
            if !is_over {
                return None;
            }
            *self.pending.get_mut(at)? = None;
            return Some(self.deliver(&first));
        }
    }

    /// The counts so far.
    pub const fn stats(&self) -> EventReceiverStats {
        self.stats
    }

    fn deliver(&mut self, event: &Pending) -> ReceivedEvent {
        let has_ended = event.ended_ns.is_some();
        self.stats.delivered += 1;
        self.stats.without_end += u64::from(!has_ended);
        if event.epoch == self.epoch {
            let end = event.start.saturating_add(event.duration());
            self.last = Some(Delivered { code: event.code, start: event.start, end, has_ended });
        }
        ReceivedEvent {
            code: event.code,
            volume: event.volume,
            duration: event.duration(),
            timestamp: event.start as u32,
            arrival_ns: event.first_ns,
            has_ended,
        }
    }

    /// The earliest event pending, other than the one in place `but`.
    fn earliest(&self, but: Option<usize>) -> Option<(usize, Pending)> {
        let all = self.pending.iter().enumerate().filter_map(|(at, event)| Some((at, (*event)?)));
        // Older epochs first: they differ by one, or everything of the one before is long over.
        let age = |epoch: u32| self.epoch.wrapping_sub(epoch);
        all.filter(|(at, _)| Some(*at) != but)
            .min_by_key(|(_, event)| (std::cmp::Reverse(age(event.epoch)), event.start))
    }

    fn take(&mut self, start: u64, has_marker: bool, arrival_ns: u64, code: EventCode, block: EventBlock) {
        if self.last.is_some_and(|last| start.saturating_add(STRAGGLERS) < last.start) {
            self.restart();
        }
        let duration = u32::from(block.duration);
        let epoch = self.epoch;
        let known = self.pending.iter_mut().flatten().find(|event| {
            event.epoch == epoch
                && event.code == code
                && (event.start..=event.segment).contains(&start)
                && (start - event.start).is_multiple_of(u64::from(FULL_SEGMENT))
        });
        if let Some(event) = known {
            event.heard_ns = event.heard_ns.max(arrival_ns);
            event.has_marker |= has_marker && start == event.start;
            let is_news = start == event.segment
                && event.ended_ns.is_none()
                && (block.end || duration > event.segment_duration);
            if !is_news {
                self.stats.repeated += 1;
                return;
            }
            event.segment_duration = event.segment_duration.max(duration);
            if block.end {
                event.ended_ns = Some(arrival_ns);
            }
            return;
        }
        if let Some(last) = self.last {
            // A further segment of an event that was taken for over is told no second time.
            let is_rest = last.code == code
                && !last.has_ended
                && !has_marker
                && start > last.start
                && (start - last.start).is_multiple_of(u64::from(FULL_SEGMENT))
                && start <= last.end.saturating_add(u64::from(FULL_SEGMENT));
            if is_rest {
                self.last = Some(Delivered {
                    end: last.end.max(start.saturating_add(u64::from(duration))),
                    has_ended: block.end,
                    ..last
                });
                self.stats.repeated += 1;
                return;
            }
            if start == last.start || (start < last.end && last.code == code) {
                self.stats.repeated += 1;
                return;
            }
            if start < last.start {
                self.stats.stale += 1;
                return;
            }
        }
        let event = Pending {
            epoch,
            code,
            volume: block.volume,
            start,
            segment: start,
            segment_duration: duration,
            has_marker,
            first_ns: arrival_ns,
            heard_ns: arrival_ns,
            ended_ns: block.end.then_some(arrival_ns),
        };
        match self.pending.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) => *slot = Some(event),
            None => self.stats.overflow += 1,
        }
    }
}
