//! One RTCP session of one call: reports out, reports in, who is there, who left (RFC 3550 §6, §8.2).
//! In: RTCP datagrams, snapshots of sender and receiver, times. Out: compound packets, `RtcpEvent`, the next deadline.
//! Active → Leaving (BYE, at once or after back-off) → Left.
//! Not here: what a packet that came means (`inbound.rs`), what is put into one (`outbound.rs`); the interval's
//! arithmetic (`timing.rs`); the tables of members and conflicts (`members.rs`, `conflicts.rs`); octets (`rtcp.rs`, `xr`);
//! strangers, whose datagrams are to be dropped before they come here. Control side: these files may allocate.
//!
//! Order of calls: `handle_rtcp` for each datagram; `poll_event` until `None`; when `poll_timeout` is reached (or at any
//! other time) `poll_transmit` until `None`; then `poll_timeout` again. All times come from one monotonic clock.

mod event;
mod inbound;
mod outbound;

pub use event::{RtcpEvent, RtcpStats};

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::conflicts::{Conflicts, Name, Path};
use crate::members::{Members, SeenReport};
use crate::ntp::NtpTime;
use crate::receiver::ReceiverStats;
use crate::reception::ReceptionInterval;
use crate::rng::Rng;
use crate::rtcp::{Compound, RtcpError, RtcpPacket, SdesKind, parse_compound};
use crate::sender::SenderStats;
use crate::timing::{Group, Timing};
use crate::xr::VoiceConditions;

/// Octets of IPv4 and UDP, which RFC 3550 §6.2 counts into the RTCP bandwidth.
const LOWER_LAYERS: usize = 28;
/// The share of the session's bandwidth that RTCP takes (RFC 3550 §6.2).
const RTCP_SHARE: f64 = 0.05;
/// Above this many members a BYE waits for its turn (RFC 3550 §6.3.7).
const BYE_AT_ONCE: usize = 50;
/// Events kept until they are polled; the oldest give way.
const MAX_EVENTS: usize = 256;

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
    /// What else is told of us, at most one item a report (§6.3.9): NAME most often, if it is among them.
    pub description: Vec<(SdesKind, String)>,
    /// Whether extended reports (RFC 3611) go with ours: VoIP metrics, reference times and the answers to them. What
    /// others send is read in any case.
    pub extended_reports: bool,
}

impl SessionConfig {
    /// 64 kbit/s audio with its headers, reports about every 5 s, nothing told but the CNAME, no extended reports.
    pub fn new(ssrc: u32, cname: impl Into<String>, seed: u64) -> Self {
        Self {
            ssrc,
            cname: cname.into(),
            bandwidth: 80_000,
            minimum_interval_ns: 5_000_000_000,
            seed,
            description: Vec::new(),
            extended_reports: false,
        }
    }
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
    /// Reference times that were sent in extended reports.
    sent_references: VecDeque<SeenReport>,
    /// The last round trip measured.
    round_trip_ns: Option<u64>,
    voice: Option<VoiceConditions>,
    /// Reports made, for the turns of description items.
    reports_made: u64,
    /// Packets sent when the last report was made, and when the one before was.
    packets_then: [u64; 2],
    we_sent: bool,
    /// Whether anything was ever sent under our SSRC: only then a BYE is allowed (§6.3.7).
    has_spoken: bool,
    /// An SSRC that is to be given up with a BYE.
    retired_ssrc: Option<u32>,
    conflicts: Conflicts,
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
            sent_references: VecDeque::new(),
            round_trip_ns: None,
            voice: None,
            reports_made: 0,
            packets_then: [0; 2],
            we_sent: false,
            has_spoken: false,
            retired_ssrc: None,
            conflicts: Conflicts::default(),
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

    /// Whether a participant known has this SSRC: another is to be chosen (RFC 3550 §8.1).
    pub fn is_taken(&self, ssrc: u32) -> bool {
        ssrc == self.config.ssrc || self.members.knows(ssrc)
    }

    /// What the next extended report tells of the call beside RTP; nothing, no VoIP metrics.
    pub fn set_voice(&mut self, voice: Option<VoiceConditions>) {
        self.voice = voice;
    }

    /// Takes a datagram of the call's RTCP peer, whose address does not matter: [`Self::handle_rtcp_from`] tells
    /// collisions from loops by it.
    pub fn handle_rtcp(&mut self, now_ns: u64, ntp: NtpTime, bytes: &[u8]) {
        self.handle(now_ns, ntp, None, bytes);
    }

    /// Takes a datagram of the call's RTCP peer with the address that it came from.
    pub fn handle_rtcp_from(&mut self, source: SocketAddr, now_ns: u64, ntp: NtpTime, bytes: &[u8]) {
        self.handle(now_ns, ntp, Some(source), bytes);
    }

    fn handle(&mut self, now_ns: u64, ntp: NtpTime, source: Option<SocketAddr>, bytes: &[u8]) {
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
        if self.refuse_own(now_ns, source, &packets) {
            return;
        }
        let has_bye = packets.iter().any(|packet| matches!(packet, RtcpPacket::Bye { .. }));
        if !self.is_waiting_to_leave() || has_bye {
            self.timing.observe((bytes.len() + LOWER_LAYERS) as f64);
        }
        for packet in packets {
            self.handle_packet(now_ns, ntp, source, packet);
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
            let farewell = Compound { bye: Some("SSRC collision"), ..Compound::new(old, &self.config.cname) };
            let bytes = farewell.to_bytes();
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
                // The end of time is never: reports after it would have no end.
                if now_ns < self.timing.next_ns() || self.timing.next_ns() == u64::MAX {
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
        self.sent_references.clear();
        self.members.forget(ssrc);
    }

    /// What the snapshots say of senders and members.
    fn note_rtp(&mut self, now_ns: u64, sender: &SenderStats, receiver: &ReceiverStats) {
        if sender.ssrc == self.config.ssrc {
            self.we_sent = sender.packets > self.packets_then[1];
            self.has_spoken |= sender.packets > 0;
        }
        // Fewer than before means a new receiver.
        let own_source_then = std::mem::replace(&mut self.own_source_then, receiver.own_source);
        // The real-time side learns of a new SSRC a moment later: what it still refuses is of the old conflict.
        if receiver.own_source > own_source_then && receiver.own_source_ssrc == self.config.ssrc {
            self.note_conflict(now_ns, Path::Rtp, receiver.own_source_from, Name::Untold);
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
        let interval_ns = self.receiver_interval_ns();
        for ssrc in self.members.age(now_ns, interval_ns) {
            self.push(RtcpEvent::TimedOut { ssrc });
        }
        let members = self.members();
        self.timing.members_left(now_ns, members);
    }

    /// Td of §6.3.5: the interval of a participant that does not send, without randomness.
    fn receiver_interval_ns(&self) -> u64 {
        self.timing.deterministic_ns(Group { we_sent: false, ..self.group() })
    }

    fn group(&self) -> Group {
        let senders = self.members.senders() + usize::from(self.we_sent);
        Group { members: self.members(), senders, we_sent: self.we_sent }
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
