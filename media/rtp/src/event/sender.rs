//! Plays a queue of events as packets of telephone-event (RFC 4733 §2.5.1).
//! In: events with their lengths, packet times as they pass. Out: packets' timestamps, marker bits and payloads.
//! Not here: sequence numbers and headers (`RtpSender::packetize_event`), what the audio does meanwhile.
//! RT: no allocation, lock, syscall, log or panic.
//!
//! ```text
//! packet times   |    |    |    |    |    |    |    |
//! event of 2½    M1   2    E    E    E
//! the next, at once         M1  2    3   …              its timestamp is where the first ended
//! ```
//!
//! Every packet of an event bears the timestamp of its beginning and the duration so far; the first has the marker bit,
//! the last the E bit and is sent three times in all. An event longer than 65535 units goes on in another segment, whose
//! timestamp is that much later; the full segment's last packet is sent three times too, without E (§2.5.1.3).
//! Repeats go on beside what follows.

use super::{EventBlock, EventCode, FULL_SEGMENT};

/// Events that can wait.
pub const MAX_QUEUED_EVENTS: usize = 64;
/// Last packets that are being repeated at once; the oldest give way.
const MAX_REPEATS: usize = 8;
/// How often a last packet is sent after the first time (§2.5.1.4).
const REPEATS: u8 = 2;
/// The longest pause: beyond, a timestamp ahead cannot be told from one that has passed.
const LONGEST_PAUSE: u32 = 1 << 30;

/// An event to be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedEvent {
    /// Which.
    pub code: EventCode,
    /// Power level of the tone: so many dB below 0 dBm0, 0 to 63.
    pub volume: u8,
    /// Its length, in units of the RTP clock; 0 counts as 1.
    pub duration: u32,
    /// The least time until the next event begins, in units of the RTP clock; 2³⁰ is the most.
    pub pause: u32,
}

/// The queue is full: here is the event back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_QUEUED_EVENTS} telephone events are waiting already")]
pub struct EventQueueFull(pub PlannedEvent);

/// What a packet of telephone-event consists of, but for its sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPacket {
    /// When the event or segment began, on the RTP clock.
    pub timestamp: u32,
    /// The marker bit: this is the first packet of an event.
    pub marker: bool,
    /// The payload.
    pub payload: [u8; EventBlock::LEN],
}

/// Plays events one after the other.
///
/// Order of calls: [`Self::push`] at any time; [`Self::tick`] once for every packet time, then [`Self::next_packet`]
/// until `None`.
#[derive(Debug, Clone)]
pub struct EventSender {
    queue: [Option<PlannedEvent>; MAX_QUEUED_EVENTS],
    first: usize,
    waiting: usize,
    current: Option<Current>,
    /// Before this the next event may not begin.
    not_before: Option<u32>,
    repeats: [Option<Repeat>; MAX_REPEATS],
    start: u32,
    end: u32,
}

/// The event under way.
#[derive(Debug, Clone, Copy)]
struct Current {
    event: PlannedEvent,
    /// When its segment began.
    timestamp: u32,
    /// Its length from there.
    left: u32,
    is_first: bool,
    /// It was told of in this packet time.
    is_told: bool,
}

#[derive(Debug, Clone, Copy)]
struct Repeat {
    packet: EventPacket,
    left: u8,
    is_due: bool,
}

impl EventSender {
    /// A sender with nothing to play.
    pub const fn new() -> Self {
        Self {
            queue: [None; MAX_QUEUED_EVENTS],
            first: 0,
            waiting: 0,
            current: None,
            not_before: None,
            repeats: [None; MAX_REPEATS],
            start: 0,
            end: 0,
        }
    }

    /// Plays `event` after those before it.
    ///
    /// # Errors
    ///
    /// [`EventQueueFull`] with the event if [`MAX_QUEUED_EVENTS`] wait.
    pub fn push(&mut self, event: PlannedEvent) -> Result<(), EventQueueFull> {
        let place = (self.first + self.waiting) % MAX_QUEUED_EVENTS;
        match self.queue.get_mut(place) {
            Some(slot) if self.waiting < MAX_QUEUED_EVENTS => {
                let (duration, pause) = (event.duration.max(1), event.pause.min(LONGEST_PAUSE));
                *slot = Some(PlannedEvent { duration, pause, ..event });
                self.waiting += 1;
                Ok(())
            }
            _ => Err(EventQueueFull(event)),
        }
    }

    /// Whether an event is under way or waits: audio is to keep silent.
    pub const fn is_playing(&self) -> bool {
        self.current.is_some() || self.waiting > 0
    }

    /// Forgets what waits and ends what is under way with the next packet time.
    pub fn cancel(&mut self) {
        self.waiting = 0;
        if let Some(current) = &mut self.current {
            current.left = self.end.wrapping_sub(current.timestamp).clamp(1, current.left);
            current.is_told = false;
        }
    }

    /// Forgets everything: the stream has another source or clock, to which timestamps so far mean nothing.
    pub const fn reset(&mut self) {
        *self = Self::new();
    }

    /// A packet time of `ticks` units that began at `timestamp` has passed.
    pub fn tick(&mut self, timestamp: u32, ticks: u32) {
        self.start = timestamp;
        self.end = timestamp.wrapping_add(ticks);
        // What has passed is forgotten, lest it lie ahead again when the timestamp has wrapped.
        self.not_before = self.not_before.filter(|at| (at.wrapping_sub(timestamp) as i32) > 0);
        for repeat in self.repeats.iter_mut().flatten() {
            repeat.is_due = true;
        }
        if let Some(current) = &mut self.current {
            current.is_told = false;
        }
    }

    /// The next packet that is due in this packet time.
    pub fn next_packet(&mut self) -> Option<EventPacket> {
        if let Some(packet) = self.repeated() {
            return Some(packet);
        }
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.begin()?,
        };
        let elapsed = self.end.wrapping_sub(current.timestamp);
        if current.is_told || elapsed == 0 {
            self.current = Some(current);
            return None;
        }
        let is_split = current.left > FULL_SEGMENT && elapsed >= FULL_SEGMENT;
        let is_over = !is_split && elapsed >= current.left;
        let duration = elapsed.min(current.left).min(FULL_SEGMENT);
        let block = EventBlock {
            event: current.event.code.code(),
            end: is_over,
            volume: current.event.volume,
            duration: duration as u16,
        };
        let marker = std::mem::take(&mut current.is_first);
        let packet = EventPacket { timestamp: current.timestamp, marker, payload: block.to_bytes() };
        if is_over || is_split {
            // The marker is the first packet's alone (§2.5.1.1), however short the event.
            self.repeat(EventPacket { marker: false, ..packet });
        }
        if is_over {
            self.not_before =
                Some(current.timestamp.wrapping_add(duration).wrapping_add(current.event.pause));
        } else {
            if is_split {
                current.timestamp = current.timestamp.wrapping_add(FULL_SEGMENT);
                current.left -= FULL_SEGMENT;
            } else {
                current.is_told = true;
            }
            self.current = Some(current);
        }
        Some(packet)
    }

    /// The next event, if it begins in this packet time.
    fn begin(&mut self) -> Option<Current> {
        if self.waiting == 0 {
            return None;
        }
        let is_ahead = |at: u32| (at.wrapping_sub(self.start) as i32) > 0;
        let timestamp = self.not_before.filter(|at| is_ahead(*at)).unwrap_or(self.start);
        if timestamp.wrapping_sub(self.start) >= self.end.wrapping_sub(self.start) {
            return None;
        }
        let event = self.queue.get_mut(self.first)?.take()?;
        self.first = (self.first + 1) % MAX_QUEUED_EVENTS;
        self.waiting -= 1;
        Some(Current { event, timestamp, left: event.duration, is_first: true, is_told: false })
    }

    fn repeat(&mut self, packet: EventPacket) {
        let vacant = self.repeats.iter().position(Option::is_none);
        let at = vacant.unwrap_or_else(|| {
            self.repeats.rotate_left(1);
            MAX_REPEATS - 1
        });
        if let Some(slot) = self.repeats.get_mut(at) {
            *slot = Some(Repeat { packet, left: REPEATS, is_due: false });
        }
    }

    fn repeated(&mut self) -> Option<EventPacket> {
        let slot = self.repeats.iter_mut().find(|slot| slot.is_some_and(|repeat| repeat.is_due))?;
        let repeat = slot.as_mut()?;
        repeat.is_due = false;
        repeat.left -= 1;
        let packet = repeat.packet;
        if repeat.left == 0 {
            *slot = None;
        }
        Some(packet)
    }
}

impl Default for EventSender {
    fn default() -> Self {
        Self::new()
    }
}
