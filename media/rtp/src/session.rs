//! One RTCP session of one call: reports out, reports in, who is there, who left (RFC 3550 §6, §8.2).
//! In: RTCP datagrams, snapshots of sender and receiver, times. Out: compound packets, `RtcpEvent`, the next deadline.
//! Active → Leaving (BYE, at once or after back-off) → Left.
//! Not here: the interval's arithmetic (`timing.rs`); the table of members (`members.rs`); octets (`rtcp.rs`); addresses: strangers' datagrams are to be
//! dropped before they come here. Control side: this file may allocate.
//!
//! Order of calls: `handle_rtcp` for each datagram; `poll_event` until `None`; when `poll_timeout` is reached (or at any
//! other time) `poll_transmit` until `None`; then `poll_timeout` again. All times come from one monotonic clock.

use std::collections::VecDeque;

use crate::members::{Members, SeenReport};
use crate::ntp::{NtpTime, ns_from_short, short_from_ns};
use crate::receiver::ReceiverStats;
use crate::reception::{ReceptionInterval, ReportBlock};
use crate::rng::Rng;
use crate::rtcp::{RtcpError, RtcpPacket, SdesCname, SenderInfo, build_compound, parse_compound};
use crate::sender::SenderStats;
use crate::timing::{Group, Timing};

/// Octets of IPv4 and UDP, which RFC 3550 §6.2 counts into the RTCP bandwidth.
const LOWER_LAYERS: usize = 28;
/// The share of the session's bandwidth that RTCP takes (RFC 3550 §6.2).
const RTCP_SHARE: f64 = 0.05;
/// Above this many members a BYE waits for its turn (RFC 3550 §6.3.7).
const BYE_AT_ONCE: usize = 50;
/// Events kept until they are polled; the oldest give way.
const MAX_EVENTS: usize = 256;
/// Own sender reports remembered for round-trip times.
const REPORTS_REMEMBERED: usize = 16;
/// Intervals for which a conflict is remembered (RFC 3550 §8.2).
const CONFLICT_INTERVALS: u64 = 10;
/// A negative round trip up to this is the two clocks' drift and granularity and counts as zero.
const ROUND_TRIP_SLACK_NS: u64 = 2_000_000;
/// LSR and DLSR cover 2^16 seconds; older reports are not referred to.
const LSR_SPAN_NS: u64 = 65_535 * 1_000_000_000;

/// How a session is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionConfig {
    /// Our SSRC, the sender's.
    pub ssrc: u32,
    /// Our CNAME: the same for all media of the endpoint (RFC 3550 §6.5.1, RFC 7022).
    pub cname: String,
    /// Bandwidth of the media with headers, in bits a second; RTCP takes 5 % of it.
    pub bandwidth: u32,
    /// The least interval between reports, in nanoseconds; RFC 3550 §6.2 recommends 5 s.
    pub minimum_interval_ns: u64,
    /// Seeds the spreading of the interval; any number that other participants do not share.
    pub seed: u64,
}

impl SessionConfig {
    /// 64 kbit/s audio with its headers, reports about every 5 s.
    pub fn new(ssrc: u32, cname: impl Into<String>, seed: u64) -> Self {
        Self { ssrc, cname: cname.into(), bandwidth: 80_000, minimum_interval_ns: 5_000_000_000, seed }
    }
}

/// What the session learned.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RtcpEvent {
    /// A sender report came.
    SenderReport {
        /// Its sender.
        ssrc: u32,
        /// Its contents: with wall clock and RTP clock side by side.
        info: SenderInfo,
        /// Its arrival on the monotonic clock, in nanoseconds.
        arrival_ns: u64,
        /// Its arrival on our wall clock.
        arrival_ntp: NtpTime,
    },
    /// A member reported on what it hears of us.
    ReceptionReport {
        /// Who reports.
        reporter: u32,
        /// What it hears.
        block: ReportBlock,
    },
    /// A round trip was measured from LSR and DLSR (RFC 3550 §6.4.1).
    RoundTrip {
        /// To whom.
        ssrc: u32,
        /// Nanoseconds.
        round_trip_ns: u64,
    },
    /// A member told its name, for the first time.
    Cname {
        /// The member.
        ssrc: u32,
        /// Its CNAME, as UTF-8 with replacement characters.
        cname: String,
    },
    /// A member said BYE.
    Bye {
        /// The member.
        ssrc: u32,
        /// Its reason, as UTF-8 with replacement characters.
        reason: Option<String>,
    },
    /// A member was silent for five intervals (RFC 3550 §6.3.5).
    TimedOut {
        /// The member.
        ssrc: u32,
    },
    /// Somebody else uses our SSRC: answer with [`RtcpSession::change_ssrc`] and restart the sender (§8.2).
    SsrcCollision {
        /// The SSRC in conflict.
        ssrc: u32,
    },
    /// Our own packets come back, or a conflict goes on although we changed: reported once a conflict (§8.2).
    Loop {
        /// The SSRC that came back.
        ssrc: u32,
    },
    /// Two others use one SSRC, seen by their CNAMEs: reported once a member (§8.2).
    RemoteCollision {
        /// Their SSRC.
        ssrc: u32,
    },
}

/// Counts of a session; plain data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RtcpStats {
    /// Compounds sent.
    pub sent: u64,
    /// Octets of them.
    pub sent_octets: u64,
    /// Compounds received.
    pub received: u64,
    /// Datagrams that are not compounds (RFC 3550 §A.2).
    pub malformed: u64,
    /// Datagrams of one octet or none.
    pub runts: u64,
    /// Packets inside good compounds that did not parse.
    pub malformed_packets: u64,
    /// Packets of types that are not read.
    pub unread_packets: u64,
    /// Round trips that cannot be: a LSR that we never sent, a DLSR longer than the time that passed.
    pub impossible_round_trips: u64,
    /// Compounds from our own SSRC.
    pub own_source: u64,
    /// Events lost because nobody polled.
    pub events_lost: u64,
}

/// RTCP of one call, on the control side.
#[derive(Debug)]
pub struct RtcpSession {
    config: SessionConfig,
    state: State,
    timing: Timing,
    members: Members,
    interval: ReceptionInterval,
    sent_reports: VecDeque<SeenReport>,
    /// Packets sent when the last report was made, and when the one before was.
    packets_then: [u64; 2],
    we_sent: bool,
    /// Whether anything was ever sent under our SSRC: only then a BYE is allowed (§6.3.7).
    has_spoken: bool,
    /// An SSRC that is to be given up with a BYE.
    retired_ssrc: Option<u32>,
    conflict: Option<Conflict>,
    own_source_then: u64,
    /// Source, epoch and count of the RTP last heard of.
    rtp_then: Option<(u32, u32, u64)>,
    /// When something is to be sent out of turn.
    urgent_ns: Option<u64>,
    byes_heard: usize,
    events: VecDeque<RtcpEvent>,
    stats: RtcpStats,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Active,
    Leaving { reason: String, waits: bool },
    Left,
}

#[derive(Debug, Clone, Copy)]
struct Conflict {
    last_ns: u64,
    is_loop_reported: bool,
}

impl RtcpSession {
    /// A session that begins now; the first report is due after about half the least interval (§6.2).
    pub fn new(config: SessionConfig, now_ns: u64) -> Self {
        let bandwidth = f64::from(config.bandwidth) / 8.0 * RTCP_SHARE;
        // The probable size of the first packet: RR with one block, SDES with the name.
        let first_size = (LOWER_LAYERS + 32 + 12 + config.cname.len()) as f64;
        let rng = Rng::new(config.seed);
        let timing = Timing::new(now_ns, bandwidth, config.minimum_interval_ns, first_size, rng);
        Self {
            config,
            state: State::Active,
            timing,
            members: Members::default(),
            interval: ReceptionInterval::default(),
            sent_reports: VecDeque::new(),
            packets_then: [0; 2],
            we_sent: false,
            has_spoken: false,
            retired_ssrc: None,
            conflict: None,
            own_source_then: 0,
            rtp_then: None,
            urgent_ns: None,
            byes_heard: 0,
            events: VecDeque::new(),
            stats: RtcpStats::default(),
        }
    }

    /// Our SSRC.
    pub fn ssrc(&self) -> u32 {
        self.config.ssrc
    }

    /// Participants, ourselves included.
    pub fn members(&self) -> usize {
        1 + self.members.count()
    }

    /// Counts since the beginning.
    pub fn stats(&self) -> RtcpStats {
        self.stats
    }

    /// Takes a datagram of the call's RTCP peer.
    pub fn handle_rtcp(&mut self, now_ns: u64, ntp: NtpTime, bytes: &[u8]) {
        let packets = match parse_compound(bytes) {
            Ok(packets) => packets,
            Err(RtcpError::Runt(_)) => {
                self.stats.runts += 1;
                return;
            }
            Err(_) => {
                self.stats.malformed += 1;
                return;
            }
        };
        self.stats.received += 1;
        if self.refuse_own(now_ns, &packets) {
            return;
        }
        let has_bye = packets.iter().any(|packet| matches!(packet, RtcpPacket::Bye { .. }));
        if !self.is_waiting_to_leave() || has_bye {
            self.timing.observe((bytes.len() + LOWER_LAYERS) as f64);
        }
        for packet in packets {
            self.handle_packet(now_ns, ntp, packet);
        }
    }

    /// The next compound packet, if one is due at `now_ns`. `ntp` is the wall clock of the same instant; the snapshots
    /// are the latest that came from the real-time side.
    pub fn poll_transmit(
        &mut self,
        now_ns: u64,
        ntp: NtpTime,
        sender: &SenderStats,
        receiver: &ReceiverStats,
    ) -> Option<Vec<u8>> {
        self.note_rtp(now_ns, sender, receiver);
        if let Some(old) = self.retired_ssrc.take() {
            self.urgent_ns = self.urgent_ns.filter(|_| self.state != State::Active);
            let bytes = build_compound(old, None, &[], &self.config.cname, Some("SSRC collision"));
            return Some(self.account(bytes));
        }
        match &self.state {
            State::Left => None,
            State::Leaving { .. } if !self.has_spoken => {
                self.state = State::Left;
                self.urgent_ns = None;
                None
            }
            State::Leaving { reason, waits } => {
                let reason = reason.clone();
                if *waits {
                    let group = Group { members: 1 + self.byes_heard, senders: 0, we_sent: false };
                    if now_ns < self.timing.next_ns() || !self.timing.expire(now_ns, group) {
                        return None;
                    }
                }
                self.state = State::Left;
                self.urgent_ns = None;
                let bytes = self.compound(now_ns, ntp, sender, receiver, Some(&reason));
                Some(self.account(bytes))
            }
            State::Active => {
                if now_ns < self.timing.next_ns() {
                    return None;
                }
                self.age(now_ns);
                let group = self.group();
                if !self.timing.expire(now_ns, group) {
                    return None;
                }
                let bytes = self.compound(now_ns, ntp, sender, receiver, None);
                self.timing.sent(now_ns, (bytes.len() + LOWER_LAYERS) as f64, group);
                Some(self.account(bytes))
            }
        }
    }

    /// When [`Self::poll_transmit`] is next to be called, on the monotonic clock; `u64::MAX` for never again.
    pub fn poll_timeout(&self) -> u64 {
        match (self.urgent_ns, &self.state) {
            (Some(urgent_ns), _) => urgent_ns,
            (None, State::Left) => u64::MAX,
            (None, _) => self.timing.next_ns(),
        }
    }

    /// What the session learned since the last call.
    pub fn poll_event(&mut self) -> Option<RtcpEvent> {
        self.events.pop_front()
    }

    /// Leaves the session: the next [`Self::poll_transmit`] gives the BYE, unless more than fifty members are present
    /// (then it waits its turn) or nothing was ever sent (then there is none, RFC 3550 §6.3.7). `reason` may be empty.
    pub fn bye(&mut self, now_ns: u64, reason: &str) {
        if self.state != State::Active {
            return;
        }
        let waits = self.members() > BYE_AT_ONCE;
        if waits {
            let size = (LOWER_LAYERS + 8 + 12 + self.config.cname.len() + 12 + reason.len()) as f64;
            self.timing.leave(now_ns, size);
        } else {
            self.urgent_ns = Some(now_ns);
        }
        self.state = State::Leaving { reason: reason.to_owned(), waits };
    }

    /// Gives up our SSRC for another (RFC 3550 §8.2): a BYE of the old one is sent next, if it was ever used. The
    /// caller restarts the sender with the same SSRC and tells the receiver.
    pub fn change_ssrc(&mut self, now_ns: u64, ssrc: u32) {
        if ssrc == self.config.ssrc || self.state != State::Active {
            return;
        }
        if self.has_spoken {
            self.retired_ssrc = Some(self.config.ssrc);
            self.urgent_ns = Some(now_ns);
        }
        self.config.ssrc = ssrc;
        self.has_spoken = false;
        self.we_sent = false;
        self.packets_then = [0; 2];
        self.sent_reports.clear();
        self.members.forget(ssrc);
    }

    fn handle_packet(&mut self, now_ns: u64, ntp: NtpTime, packet: RtcpPacket) {
        match packet {
            RtcpPacket::SenderReport { ssrc, info, reports } => {
                if let Some(member) = self.members.hear(now_ns, ssrc) {
                    member.sent_rtp_ns = Some(now_ns);
                    member.last_sr = Some(SeenReport { middle_32: info.ntp.middle_32(), at_ns: now_ns });
                    self.push(RtcpEvent::SenderReport { ssrc, info, arrival_ns: now_ns, arrival_ntp: ntp });
                    self.handle_reports(now_ns, ssrc, &reports);
                }
            }
            RtcpPacket::ReceiverReport { ssrc, reports } => {
                if self.members.hear(now_ns, ssrc).is_some() {
                    self.handle_reports(now_ns, ssrc, &reports);
                }
            }
            RtcpPacket::SourceDescription(chunks) => {
                for SdesCname { ssrc, cname } in chunks {
                    if let Some(cname) = cname {
                        self.handle_cname(now_ns, ssrc, cname);
                    }
                }
            }
            RtcpPacket::Bye { ssrcs, reason } => self.handle_bye(now_ns, &ssrcs, reason.as_deref()),
            RtcpPacket::Other { .. } => self.stats.unread_packets += 1,
            RtcpPacket::Malformed { .. } => self.stats.malformed_packets += 1,
        }
    }

    fn handle_reports(&mut self, now_ns: u64, reporter: u32, reports: &[ReportBlock]) {
        let own = self.config.ssrc;
        for block in reports.iter().filter(|block| block.ssrc == own) {
            self.push(RtcpEvent::ReceptionReport { reporter, block: *block });
            if block.last_sr == 0 {
                continue;
            }
            match self.round_trip(now_ns, block) {
                Some(round_trip_ns) => self.push(RtcpEvent::RoundTrip { ssrc: reporter, round_trip_ns }),
                None => self.stats.impossible_round_trips += 1,
            }
        }
    }

    /// A − LSR − DLSR of §6.4.1, but on the monotonic clock: the wall clock may step between report and reply.
    fn round_trip(&self, now_ns: u64, block: &ReportBlock) -> Option<u64> {
        let report = self.sent_reports.iter().rev().find(|report| report.middle_32 == block.last_sr)?;
        let passed = now_ns.checked_sub(report.at_ns)?;
        let held = ns_from_short(block.delay_since_last_sr);
        if held > passed.saturating_add(ROUND_TRIP_SLACK_NS) {
            return None;
        }
        Some(passed.saturating_sub(held))
    }

    fn handle_cname(&mut self, now_ns: u64, ssrc: u32, cname: Vec<u8>) {
        let Some(member) = self.members.hear(now_ns, ssrc) else { return };
        member.is_confirmed = true;
        match &member.cname {
            None => {
                let text = String::from_utf8_lossy(&cname).into_owned();
                member.cname = Some(cname);
                self.push(RtcpEvent::Cname { ssrc, cname: text });
            }
            Some(known) if *known != cname && !member.has_conflict => {
                member.has_conflict = true;
                self.push(RtcpEvent::RemoteCollision { ssrc });
            }
            Some(_) => {}
        }
    }

    fn handle_bye(&mut self, now_ns: u64, ssrcs: &[u32], reason: Option<&[u8]>) {
        if self.is_waiting_to_leave() {
            self.byes_heard += 1;
        }
        for &ssrc in ssrcs {
            if !self.members.leave(now_ns, ssrc) {
                continue;
            }
            let reason = reason.map(|reason| String::from_utf8_lossy(reason).into_owned());
            self.push(RtcpEvent::Bye { ssrc, reason });
        }
        if self.state == State::Active {
            let members = self.members();
            self.timing.members_left(now_ns, members);
        }
    }

    /// Whether a compound is from our own SSRC, and so to be ignored but for the conflict that it shows (§8.2).
    fn refuse_own(&mut self, now_ns: u64, packets: &[RtcpPacket]) -> bool {
        let own = self.config.ssrc;
        let mut is_own = false;
        let mut has_our_name = false;
        for packet in packets {
            match packet {
                RtcpPacket::SenderReport { ssrc, .. } | RtcpPacket::ReceiverReport { ssrc, .. } => {
                    is_own |= *ssrc == own
                }
                RtcpPacket::SourceDescription(chunks) => {
                    for chunk in chunks.iter().filter(|chunk| chunk.ssrc == own) {
                        is_own = true;
                        has_our_name |= chunk.cname.as_deref() == Some(self.config.cname.as_bytes());
                    }
                }
                _ => {}
            }
        }
        if is_own {
            self.stats.own_source += 1;
            self.note_conflict(now_ns, has_our_name);
        }
        is_own
    }

    /// Tells a collision from a loop: our own name, or a conflict within ten intervals of the last, is a loop (§8.2).
    fn note_conflict(&mut self, now_ns: u64, is_ours: bool) {
        let ssrc = self.config.ssrc;
        let span = self.timing.deterministic_ns(self.group()).saturating_mul(CONFLICT_INTERVALS);
        let recent = self.conflict.filter(|conflict| now_ns.saturating_sub(conflict.last_ns) < span);
        let is_loop = is_ours || recent.is_some();
        let was_reported = recent.is_some_and(|conflict| conflict.is_loop_reported);
        self.conflict = Some(Conflict { last_ns: now_ns, is_loop_reported: is_loop });
        if !is_loop {
            self.push(RtcpEvent::SsrcCollision { ssrc });
        } else if !was_reported {
            self.push(RtcpEvent::Loop { ssrc });
        }
    }

    /// What the snapshots say of senders and members.
    fn note_rtp(&mut self, now_ns: u64, sender: &SenderStats, receiver: &ReceiverStats) {
        if sender.ssrc == self.config.ssrc {
            self.we_sent = sender.packets > self.packets_then[1];
            self.has_spoken |= sender.packets > 0;
        }
        // Fewer than before means a new receiver.
        let own_source_then = std::mem::replace(&mut self.own_source_then, receiver.own_source);
        if receiver.own_source > own_source_then {
            self.note_conflict(now_ns, false);
        }
        let Some(ssrc) = receiver.ssrc.filter(|ssrc| *ssrc != self.config.ssrc) else { return };
        let heard = Some((ssrc, receiver.epoch, receiver.received));
        if self.rtp_then == heard {
            return;
        }
        self.rtp_then = heard;
        let last_ns = receiver.last_packet_ns;
        if let Some(member) = self.members.hear(last_ns, ssrc) {
            member.is_confirmed = true;
            member.is_heard_in_rtp = true;
            member.sent_rtp_ns = member.sent_rtp_ns.max(Some(last_ns));
        }
    }

    /// Drops members and senders that were silent for too long (§6.3.5).
    fn age(&mut self, now_ns: u64) {
        let interval_ns = self.timing.deterministic_ns(self.group());
        for ssrc in self.members.age(now_ns, interval_ns) {
            self.push(RtcpEvent::TimedOut { ssrc });
        }
        let members = self.members();
        self.timing.members_left(now_ns, members);
    }

    fn group(&self) -> Group {
        let senders = self.members.senders() + usize::from(self.we_sent);
        Group { members: self.members(), senders, we_sent: self.we_sent }
    }

    fn compound(
        &mut self,
        now_ns: u64,
        ntp: NtpTime,
        sender: &SenderStats,
        receiver: &ReceiverStats,
        bye: Option<&str>,
    ) -> Vec<u8> {
        let info = (self.we_sent && sender.ssrc == self.config.ssrc).then(|| SenderInfo {
            ntp,
            rtp_timestamp: sender.timestamp_at(now_ns),
            packet_count: sender.packets as u32,
            octet_count: sender.octets as u32,
        });
        if info.is_some() {
            if self.sent_reports.len() == REPORTS_REMEMBERED {
                self.sent_reports.pop_front();
            }
            self.sent_reports.push_back(SeenReport { middle_32: ntp.middle_32(), at_ns: now_ns });
        }
        self.packets_then = [sender.packets, self.packets_then[0]];
        self.has_spoken = true;
        let block = if self.interval.has_news(receiver) { self.interval.report(receiver) } else { None };
        let block = block.map(|block| self.with_last_sr(now_ns, block));
        build_compound(self.config.ssrc, info, block.as_slice(), &self.config.cname, bye)
    }

    fn with_last_sr(&self, now_ns: u64, mut block: ReportBlock) -> ReportBlock {
        if let Some(report) = self.members.last_sr(block.ssrc) {
            let passed = now_ns.saturating_sub(report.at_ns);
            if passed <= LSR_SPAN_NS {
                block.last_sr = report.middle_32;
                block.delay_since_last_sr = short_from_ns(passed);
            }
        }
        block
    }

    fn account(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        self.stats.sent += 1;
        self.stats.sent_octets += bytes.len() as u64;
        bytes
    }

    fn is_waiting_to_leave(&self) -> bool {
        matches!(self.state, State::Leaving { waits: true, .. })
    }

    fn push(&mut self, event: RtcpEvent) {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
            self.stats.events_lost += 1;
        }
        self.events.push_back(event);
    }
}
