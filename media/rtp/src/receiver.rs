//! Judges the packets that arrive for one call and keeps the statistics of their source (RFC 3550 §6.4, §8, §A.1).
//! In: datagrams with arrival times. Out: `Receipt` for each, `ReceiverStats`.
//! No source → Probation → Latched → (silence or an announced change) → Probation of another → Latched.
//! Not here: which address may send at all and which port takes over from which (the caller drops and counts
//! strangers); playout.
//! RT: no allocation, lock, syscall, log or panic.
//!
//! # A source is an SSRC and the address it comes from
//!
//! From the latched source's own address, another SSRC has to wait until the source has been silent for
//! [`ReceiverConfig::source_timeout_ns`] or a change was announced. From another address, any SSRC (the latched one's
//! too) is a source of its own that goes on probation at once: the caller hands in only those that may take over.
//!
//! # The first packet is not lost
//!
//! A source is valid after [`MIN_SEQUENTIAL`](crate::MIN_SEQUENTIAL) packets in sequence. The packet before comes back
//! as [`Receipt::Probation`] with its view: the caller holds the last one of each kind in a slot, and on an
//! [`Accepted`] whose continuity is not [`Continuity::Continuous`] resets playout and queues the held packet first, if
//! it has the same SSRC and the extended sequence number just below. A caller that already trusts the address may queue
//! it at once. Both packets count as received.

use std::net::SocketAddr;

use crate::burst::{LossRuns, LossTracker};
use crate::header::{HeaderError, RtpView};
use crate::reception::InterarrivalJitter;
use crate::sequence::{SEQUENCE_EPOCH, SequenceTracker, SequenceVerdict};

/// Sources that may be on probation at once; a flood of identifiers evicts the one not heard for longest.
const CANDIDATES: usize = 4;

/// The set of payload types that a receiver takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PayloadTypes(u128);

impl PayloadTypes {
    /// No payload type.
    pub const NONE: Self = Self(0);
    /// Every payload type but 72 to 76, which are RTCP packets that went astray (RFC 3550 §A.1, RFC 5761 §4).
    pub const ANY: Self = Self(!(0b1_1111 << 72));

    /// This set and `payload_type`; values beyond 127 change nothing.
    #[must_use]
    pub const fn with(self, payload_type: u8) -> Self {
        if payload_type < 128 { Self(self.0 | 1 << payload_type) } else { self }
    }

    /// Those of both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether some payload type is in both sets.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the set has `payload_type`.
    pub const fn contains(self, payload_type: u8) -> bool {
        payload_type < 128 && self.0 & 1 << payload_type != 0
    }
}

/// How a receiver is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiverConfig {
    /// The payload types agreed, telephone-event and comfort noise included.
    pub payload_types: PayloadTypes,
    /// The RTP clock, in hertz.
    pub clock_rate: u32,
    /// Those of them whose timestamps say nothing of transit: telephone-event repeats the one of its beginning.
    pub untimed: PayloadTypes,
    /// Our own SSRC: a packet that bears it is a collision or a loop (RFC 3550 §8.2).
    pub own_ssrc: Option<u32>,
    /// Silence of the latched source after which another of the same address may take its place, in nanoseconds.
    pub source_timeout_ns: u64,
}

impl Default for ReceiverConfig {
    /// Any payload type, 8 kHz, no own SSRC, 200 ms.
    fn default() -> Self {
        Self {
            payload_types: PayloadTypes::ANY,
            clock_rate: 8000,
            untimed: PayloadTypes::NONE,
            own_ssrc: None,
            source_timeout_ns: 200_000_000,
        }
    }
}

/// What becomes of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt<'a> {
    /// To be played.
    Accept(Accepted<'a>),
    /// Perhaps to be played: hold it until an [`Self::Accept`] with the next number (see the module's map).
    Probation(Accepted<'a>),
    /// To be dropped; it is counted.
    Reject(Reject),
}

/// A packet of the source listened to, or of one on probation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted<'a> {
    /// The packet.
    pub view: RtpView<'a>,
    /// The sequence number extended by its cycles, from [`SEQUENCE_EPOCH`] up; comparable within one source until the
    /// next [`Continuity`] other than `Continuous`.
    pub extended_sequence: u64,
    /// The timestamp extended by its cycles, likewise from 2^32 up.
    pub extended_timestamp: u64,
    /// How the packet joins those before it.
    pub continuity: Continuity,
    /// Whether a packet with a higher sequence number came before.
    pub is_late: bool,
}

/// How an accepted packet joins those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuity {
    /// The same source and numbering.
    Continuous,
    /// The first accepted packet of a new source: playout starts afresh.
    NewSource,
    /// The same SSRC with a new numbering (RFC 3550 §A.1): playout starts afresh.
    Restarted,
}

/// Why a datagram is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reject {
    /// One octet or none; expected of some peers.
    Runt,
    /// Not an RTP packet.
    Malformed(HeaderError),
    /// A payload type that was not agreed.
    PayloadType(u8),
    /// Another SSRC from the latched source's address, while that source is heard.
    ForeignSource(u32),
    /// Our own SSRC (RFC 3550 §8.2).
    OwnSource,
    /// A packet seen before.
    Duplicate,
}

/// The receiving side of one call. Lives in the playback callback.
#[derive(Debug)]
pub struct RtpReceiver {
    config: ReceiverConfig,
    current: Option<Source>,
    candidates: [Option<Source>; CANDIDATES],
    change_announced: bool,
    /// A beginning that fell on a packet which was not accepted: the next accepted one tells it.
    untold: Option<Continuity>,
    stats: ReceiverStats,
}

impl RtpReceiver {
    /// A receiver that has latched no source.
    pub fn new(config: ReceiverConfig) -> Self {
        Self {
            config,
            current: None,
            candidates: [None; CANDIDATES],
            change_announced: false,
            untold: None,
            stats: ReceiverStats { clock_rate: config.clock_rate, ..ReceiverStats::default() },
        }
    }

    /// Judges a datagram from the call's peer, whose address does not matter: [`Self::receive_from`] for one address.
    pub fn receive<'a>(&mut self, arrival_ns: u64, datagram: &'a [u8]) -> Receipt<'a> {
        self.judge(None, arrival_ns, datagram)
    }

    /// Judges a datagram from the call's peer, from an address that may be heard, or may take over (see the module's
    /// map).
    ///
    /// A packet of the latched source with a payload type that was not agreed still counts as received, so that a
    /// peer's comfort noise is not reported back as loss.
    pub fn receive_from<'a>(
        &mut self,
        address: SocketAddr,
        arrival_ns: u64,
        datagram: &'a [u8],
    ) -> Receipt<'a> {
        self.judge(Some(address), arrival_ns, datagram)
    }

    fn judge<'a>(&mut self, address: Option<SocketAddr>, arrival_ns: u64, datagram: &'a [u8]) -> Receipt<'a> {
        let view = match RtpView::parse(datagram) {
            Ok(view) => view,
            Err(HeaderError::Runt(_)) => {
                self.stats.runts += 1;
                return Receipt::Reject(Reject::Runt);
            }
            Err(error) => {
                self.stats.malformed += 1;
                return Receipt::Reject(Reject::Malformed(error));
            }
        };
        let ssrc = view.ssrc();
        if self.config.own_ssrc == Some(ssrc) {
            self.stats.own_source += 1;
            self.stats.own_source_ssrc = ssrc;
            self.stats.own_source_from = address;
            return Receipt::Reject(Reject::OwnSource);
        }
        let is_agreed = self.config.payload_types.contains(view.payload_type());
        if !is_agreed {
            self.stats.wrong_payload_type += 1;
        }
        match &mut self.current {
            Some(current) if (current.ssrc, current.address) == (ssrc, address) => {
                let is_timed = is_agreed && !self.config.untimed.contains(view.payload_type());
                let judged = current.judge(arrival_ns, view, is_agreed, is_timed);
                self.count(judged, is_agreed)
            }
            current => {
                let is_vacant = match current {
                    None => true,
                    Some(heard) => {
                        heard.address != address
                            || self.change_announced
                            || arrival_ns.saturating_sub(heard.last_ns) >= self.config.source_timeout_ns
                    }
                };
                if !is_vacant {
                    self.stats.foreign_source += 1;
                    Receipt::Reject(Reject::ForeignSource(ssrc))
                } else if !is_agreed {
                    Receipt::Reject(Reject::PayloadType(view.payload_type()))
                } else {
                    self.audition(address, arrival_ns, view)
                }
            }
        }
    }

    /// Other payload types or another clock, as renegotiated; the source stays.
    pub fn set_format(&mut self, payload_types: PayloadTypes, clock_rate: u32) {
        self.config.payload_types = payload_types;
        self.config.clock_rate = clock_rate;
        self.stats.clock_rate = clock_rate;
        for source in self.current.iter_mut().chain(self.candidates.iter_mut().flatten()) {
            source.jitter.set_clock_rate(clock_rate);
        }
    }

    /// Other payload types among those agreed whose timestamps say nothing of transit.
    pub const fn set_untimed(&mut self, untimed: PayloadTypes) {
        self.config.untimed = untimed;
    }

    /// A packet that was accepted came too late to be played: it counts as discarded in burst and gap metrics
    /// (RFC 3611 §4.7.1). To be told before the next packet is handed in.
    pub fn discard(&mut self, extended_sequence: u64) {
        if let Some(current) = &mut self.current {
            current.runs.discard(extended_sequence);
        }
    }

    /// A packet that was lost came again as a copy within a later one (RFC 2198): burst and gap metrics are of what error
    /// protection left missing (RFC 3611 §4.7.1); report blocks go on telling what the network lost.
    pub fn recover(&mut self, extended_sequence: u64) {
        if let Some(current) = &mut self.current {
            current.runs.recover(extended_sequence);
        }
    }

    /// The source turns out to count its timestamps by another clock than was agreed (G.722 at 16 kHz, RFC 3551 §4.5.2):
    /// jitter, which was told in that clock's error, begins anew.
    pub fn set_clock_rate(&mut self, clock_rate: u32) {
        if clock_rate == self.stats.clock_rate {
            return;
        }
        self.config.clock_rate = clock_rate;
        self.stats.clock_rate = clock_rate;
        for source in self.current.iter_mut().chain(self.candidates.iter_mut().flatten()) {
            source.jitter = InterarrivalJitter::new(clock_rate);
        }
    }

    /// Our own SSRC, after it changed.
    pub const fn set_own_ssrc(&mut self, own_ssrc: u32) {
        self.config.own_ssrc = Some(own_ssrc);
    }

    /// Signalling announced that the peer's source may change (a new channel, a transfer, a BYE): the next other SSRC
    /// goes on probation without waiting for the source to fall silent.
    pub const fn expect_source_change(&mut self) {
        self.change_announced = true;
    }

    /// The statistics as of now.
    pub fn stats(&self) -> ReceiverStats {
        let mut stats = self.stats;
        if let Some(source) = &self.current {
            stats.ssrc = Some(source.ssrc);
            stats.base_sequence = source.sequence.base();
            stats.highest_sequence = source.sequence.highest();
            stats.received = source.sequence.received();
            stats.jitter = source.jitter.value();
            stats.jitter_ns = source.jitter.nanoseconds();
            stats.runs = source.runs.runs();
            stats.packet_ticks = source.packet_ticks;
            stats.first_packet_ns = source.first_ns;
            stats.last_packet_ns = source.last_ns;
        }
        stats
    }

    /// Puts a source other than the latched one on probation, or latches it.
    fn audition<'a>(
        &mut self,
        address: Option<SocketAddr>,
        arrival_ns: u64,
        view: RtpView<'a>,
    ) -> Receipt<'a> {
        let ssrc = view.ssrc();
        let is_it = |c: &Source| (c.ssrc, c.address) == (ssrc, address);
        let known = self.candidates.iter().position(|c| c.as_ref().is_some_and(is_it));
        // The empty slot, or else the candidate not heard for longest.
        let index = known.unwrap_or_else(|| {
            let oldest =
                self.candidates.iter().enumerate().min_by_key(|(_, c)| c.as_ref().map(|c| c.last_ns));
            oldest.map_or(0, |(index, _)| index)
        });
        let Some(slot) = self.candidates.get_mut(index) else {
            return Receipt::Reject(Reject::ForeignSource(ssrc));
        };
        if known.is_none() {
            *slot = None;
        }
        let candidate = slot
            .get_or_insert_with(|| Source::new(ssrc, address, arrival_ns, view.timestamp(), &self.config));
        let is_timed = !self.config.untimed.contains(view.payload_type());
        let judged = candidate.judge(arrival_ns, view, true, is_timed);
        if candidate.sequence.is_valid() {
            self.current = slot.take();
            self.candidates = [None; CANDIDATES];
            self.change_announced = false;
            self.stats.sources += 1;
        }
        self.count(judged, true)
    }

    fn count<'a>(&mut self, judged: Judged<'a>, is_agreed: bool) -> Receipt<'a> {
        match judged {
            Judged::Held(held) if !is_agreed => reject_type(held.view),
            Judged::Held(held) => {
                self.stats.probation += 1;
                Receipt::Probation(held)
            }
            Judged::Duplicate => {
                self.stats.duplicates += 1;
                Receipt::Reject(Reject::Duplicate)
            }
            Judged::Played { mut accepted, gap, confirmed } => {
                if accepted.continuity != Continuity::Continuous {
                    self.stats.epoch = self.stats.epoch.wrapping_add(1);
                    self.untold = Some(accepted.continuity);
                    if let Some(octets) = confirmed {
                        self.stats.confirmed += 1;
                        self.stats.octets += octets;
                    }
                }
                self.stats.restarts += u64::from(accepted.continuity == Continuity::Restarted);
                self.stats.out_of_order += u64::from(accepted.is_late);
                self.stats.gaps += u64::from(gap > 0);
                if !is_agreed {
                    return reject_type(accepted.view);
                }
                accepted.continuity = self.untold.take().unwrap_or(Continuity::Continuous);
                self.stats.accepted += 1;
                self.stats.octets += accepted.view.payload().len() as u64;
                Receipt::Accept(accepted)
            }
        }
    }
}

fn reject_type<'a>(view: RtpView<'_>) -> Receipt<'a> {
    Receipt::Reject(Reject::PayloadType(view.payload_type()))
}

/// One synchronization source.
#[derive(Debug, Clone, Copy)]
struct Source {
    ssrc: u32,
    address: Option<SocketAddr>,
    sequence: SequenceTracker,
    jitter: InterarrivalJitter,
    /// The newest extended timestamp.
    timestamp: u64,
    /// The extended timestamp of a packet that may begin a restart.
    suspicious_timestamp: u64,
    runs: LossTracker,
    packet_ticks: u32,
    /// Payload octets of the last packet held, if its payload type was agreed.
    held_octets: Option<u64>,
    first_ns: u64,
    last_ns: u64,
}

/// A packet as its source sees it.
enum Judged<'a> {
    Held(Accepted<'a>),
    /// `confirmed`: payload octets of the packet held before, if it was one to be played.
    Played {
        accepted: Accepted<'a>,
        gap: u16,
        confirmed: Option<u64>,
    },
    Duplicate,
}

impl Source {
    fn new(
        ssrc: u32,
        address: Option<SocketAddr>,
        arrival_ns: u64,
        timestamp: u32,
        config: &ReceiverConfig,
    ) -> Self {
        let timestamp = SEQUENCE_EPOCH + u64::from(timestamp);
        Self {
            ssrc,
            address,
            sequence: SequenceTracker::new(),
            jitter: InterarrivalJitter::new(config.clock_rate),
            timestamp,
            suspicious_timestamp: timestamp,
            runs: LossTracker::new(),
            packet_ticks: 0,
            held_octets: None,
            first_ns: arrival_ns,
            last_ns: arrival_ns,
        }
    }

    fn judge<'a>(
        &mut self,
        arrival_ns: u64,
        view: RtpView<'a>,
        is_agreed: bool,
        is_timed: bool,
    ) -> Judged<'a> {
        self.last_ns = self.last_ns.max(arrival_ns);
        let mut accepted = Accepted {
            view,
            extended_sequence: 0,
            extended_timestamp: extend(self.timestamp, view.timestamp()),
            continuity: Continuity::Continuous,
            is_late: false,
        };
        let mut missing = 0;
        let octets = is_agreed.then_some(view.payload().len() as u64);
        match self.sequence.update(view.sequence_number()) {
            SequenceVerdict::Duplicate => return Judged::Duplicate,
            SequenceVerdict::Suspicious { extended } => {
                self.suspicious_timestamp = SEQUENCE_EPOCH + u64::from(view.timestamp());
                accepted.extended_sequence = extended;
                accepted.extended_timestamp = self.suspicious_timestamp;
                accepted.continuity = Continuity::Restarted;
                self.held_octets = octets;
                return Judged::Held(accepted);
            }
            SequenceVerdict::Probation { extended } => {
                if is_timed {
                    self.jitter.update(arrival_ns, view.timestamp());
                }
                self.timestamp = SEQUENCE_EPOCH + u64::from(view.timestamp());
                self.runs = LossTracker::new();
                self.runs.receive(extended);
                accepted.extended_sequence = extended;
                accepted.extended_timestamp = self.timestamp;
                accepted.continuity = Continuity::NewSource;
                self.held_octets = octets;
                return Judged::Held(accepted);
            }
            SequenceVerdict::Started { extended } => {
                accepted.extended_sequence = extended;
                accepted.continuity = Continuity::NewSource;
            }
            SequenceVerdict::Restarted { extended } => {
                self.timestamp = self.suspicious_timestamp;
                self.jitter.rebase();
                self.runs = LossTracker::new();
                self.runs.receive(extended.saturating_sub(1));
                accepted.extended_sequence = extended;
                accepted.extended_timestamp = extend(self.timestamp, view.timestamp());
                accepted.continuity = Continuity::Restarted;
            }
            SequenceVerdict::InOrder { extended, gap } => {
                accepted.extended_sequence = extended;
                missing = gap;
                let step = accepted.extended_timestamp.saturating_sub(self.timestamp);
                if gap == 0
                    && is_timed
                    && let Ok(step @ 1..) = u32::try_from(step)
                {
                    self.packet_ticks = step;
                }
            }
            SequenceVerdict::Late { extended } => {
                accepted.extended_sequence = extended;
                accepted.is_late = true;
            }
        }
        if is_timed {
            self.jitter.update(arrival_ns, view.timestamp());
        }
        self.runs.receive(accepted.extended_sequence);
        self.timestamp = self.timestamp.max(accepted.extended_timestamp);
        Judged::Played { accepted, gap: missing, confirmed: self.held_octets.take() }
    }
}

/// The extended timestamp nearest to `newest` whose low 32 bits are `timestamp`.
fn extend(newest: u64, timestamp: u32) -> u64 {
    let step = timestamp.wrapping_sub(newest as u32) as i32;
    newest.wrapping_add_signed(i64::from(step))
}

/// A snapshot of [`RtpReceiver`]; plain data that crosses to the control side.
///
/// The first group is of the latched source and begins anew with `epoch`; the second is of the receiver's whole life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReceiverStats {
    /// The latched source.
    pub ssrc: Option<u32>,
    /// Counts the beginnings: it changes with the source and with each restart of its numbering.
    pub epoch: u32,
    /// The first extended sequence number that counts.
    pub base_sequence: u64,
    /// The highest extended sequence number; its low 32 bits go into report blocks.
    pub highest_sequence: u64,
    /// Packets received, late ones and duplicates included (RFC 3550 §6.4.1).
    pub received: u64,
    /// Interarrival jitter, in units of the RTP clock (RFC 3550 §A.8).
    pub jitter: u32,
    /// The same in nanoseconds, which a report block has no room for.
    pub jitter_ns: u64,
    /// Its packets by their fate, for burst and gap metrics (RFC 3611 §4.7.2).
    pub runs: LossRuns,
    /// Between the timestamps of its last two packets in a row, in units of the RTP clock; 0 before there were two.
    pub packet_ticks: u32,
    /// The RTP clock, in hertz.
    pub clock_rate: u32,
    /// Arrival of the source's first packet, probation included, in nanoseconds.
    pub first_packet_ns: u64,
    /// Arrival of the source's last packet, in nanoseconds.
    pub last_packet_ns: u64,

    /// Packets accepted.
    pub accepted: u64,
    /// Payload octets accepted, those of [`Self::confirmed`] included.
    pub octets: u64,
    /// Packets returned as [`Receipt::Probation`].
    pub probation: u64,
    /// Those of them that the next packet confirmed: with [`Self::accepted`], what was received to be played.
    pub confirmed: u64,
    /// Packets that came after one with a higher sequence number.
    pub out_of_order: u64,
    /// Times that a sequence number was skipped.
    pub gaps: u64,
    /// Packets seen before, among the last 128 numbers.
    pub duplicates: u64,
    /// Datagrams that are not RTP.
    pub malformed: u64,
    /// Datagrams of one octet or none.
    pub runts: u64,
    /// Packets with a payload type that was not agreed.
    pub wrong_payload_type: u64,
    /// Packets of another SSRC from the latched source's address while it was heard.
    pub foreign_source: u64,
    /// Packets with our own SSRC: a collision or a loop.
    pub own_source: u64,
    /// Our SSRC, as the last of them bore it.
    pub own_source_ssrc: u32,
    /// Where the last of them came from, if an address was told.
    pub own_source_from: Option<SocketAddr>,
    /// Sources latched.
    pub sources: u64,
    /// Restarts of a source's numbering.
    pub restarts: u64,
}

impl ReceiverStats {
    /// Packets expected of the source (RFC 3550 §A.3).
    pub const fn expected(&self) -> u64 {
        match self.ssrc {
            Some(_) => self.highest_sequence.saturating_sub(self.base_sequence).saturating_add(1),
            None => 0,
        }
    }

    /// Packets of the source lost so far (RFC 3550 §A.3); duplicates make it smaller, even negative.
    pub const fn lost(&self) -> i64 {
        (self.expected() as i64).saturating_sub(self.received as i64)
    }
}
