//! What a compound that came means for the session (RFC 3550 §6.3.3–6.3.4, §6.4–6.6, §8.2; RFC 3611 §4).
//! In: parsed packets with time and address. Out: members, round trips, conflicts, `RtcpEvent`s.
//! Not here: parsing (`rtcp.rs`, `xr`), deadlines.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::{RtcpEvent, RtcpSession, State};
use crate::conflicts::{Conflict, Name, Path};
use crate::members::{Member, SeenReport};
use crate::ntp::{NtpTime, ns_from_short};
use crate::reception::ReportBlock;
use crate::rtcp::{RtcpPacket, SdesChunk, SdesKind};
use crate::xr::{DlrrReport, XrBlock};

/// Intervals for which a conflict is remembered (RFC 3550 §8.2).
const CONFLICT_INTERVALS: u64 = 10;
/// Intervals without a word from a member's address, after which another may take its place.
const ADDRESS_INTERVALS: u64 = 3;
/// A negative round trip up to this is the two clocks' drift and granularity and counts as zero.
const ROUND_TRIP_SLACK_NS: u64 = 2_000_000;

impl RtcpSession {
    pub(super) fn handle_packet(
        &mut self,
        now_ns: u64,
        ntp: NtpTime,
        source: Option<SocketAddr>,
        packet: RtcpPacket,
    ) {
        match packet {
            RtcpPacket::SenderReport { ssrc, info, reports } => {
                if let Some(member) = self.hear(now_ns, source, ssrc) {
                    member.sent_rtp_ns = Some(now_ns);
                    member.last_sr = Some(SeenReport { middle_32: info.ntp.middle_32(), at_ns: now_ns });
                    self.push(RtcpEvent::SenderReport { ssrc, info, arrival_ns: now_ns, arrival_ntp: ntp });
                    self.handle_reports(now_ns, ssrc, &reports);
                }
            }
            RtcpPacket::ReceiverReport { ssrc, reports } => {
                if self.hear(now_ns, source, ssrc).is_some() {
                    self.handle_reports(now_ns, ssrc, &reports);
                }
            }
            RtcpPacket::SourceDescription(chunks) => {
                for SdesChunk { ssrc, items } in chunks {
                    self.handle_description(now_ns, source, ssrc, items);
                }
            }
            RtcpPacket::ExtendedReport { ssrc, blocks } => {
                if self.hear(now_ns, source, ssrc).is_some() {
                    blocks.iter().for_each(|block| self.handle_block(now_ns, ssrc, block));
                }
            }
            RtcpPacket::Bye { ssrcs, reason } => self.handle_bye(now_ns, source, &ssrcs, reason.as_deref()),
            RtcpPacket::Other { .. } => self.stats.unread_packets += 1,
            RtcpPacket::Malformed { .. } => self.stats.malformed_packets += 1,
        }
    }

    /// The member that a packet is of; `None` while its BYE lingers, or if another address is its (§8.2: a third
    /// party's collision or loop). An address that has said nothing for a while gives way: translators forget.
    fn hear(&mut self, now_ns: u64, source: Option<SocketAddr>, ssrc: u32) -> Option<&mut Member> {
        if self.is_third_party(now_ns, source, ssrc) {
            return None;
        }
        let member = self.members.hear(now_ns, ssrc)?;
        if let Some(source) = source {
            member.control = Some((source, now_ns));
        }
        Some(member)
    }

    fn is_third_party(&mut self, now_ns: u64, source: Option<SocketAddr>, ssrc: u32) -> bool {
        let span_ns = self.receiver_interval_ns().saturating_mul(ADDRESS_INTERVALS);
        let (Some(source), Some(member)) = (source, self.members.find(ssrc)) else { return false };
        let is_other = member
            .control
            .is_some_and(|(known, at_ns)| known != source && now_ns.saturating_sub(at_ns) < span_ns);
        if is_other {
            self.stats.third_party += 1;
            if !std::mem::replace(&mut member.has_conflict, true) {
                self.push(RtcpEvent::RemoteCollision { ssrc });
            }
        }
        is_other
    }

    fn handle_reports(&mut self, now_ns: u64, reporter: u32, reports: &[ReportBlock]) {
        let own = self.config.ssrc;
        for block in reports.iter().filter(|block| block.ssrc == own) {
            self.push(RtcpEvent::ReceptionReport { reporter, block: *block });
            let trip = round_trip(&self.sent_reports, now_ns, block.last_sr, block.delay_since_last_sr);
            self.note_round_trip(reporter, block.last_sr, trip);
        }
    }

    fn handle_block(&mut self, now_ns: u64, reporter: u32, block: &XrBlock) {
        let own = self.config.ssrc;
        match block {
            XrBlock::ReceiverReferenceTime(ntp) => {
                if let Some(member) = self.members.find(reporter) {
                    member.last_rr = Some(SeenReport { middle_32: ntp.middle_32(), at_ns: now_ns });
                }
            }
            XrBlock::Dlrr(reports) => {
                for DlrrReport { last_rr, delay_since_last_rr, .. } in
                    reports.iter().filter(|report| report.ssrc == own)
                {
                    let trip = round_trip(&self.sent_references, now_ns, *last_rr, *delay_since_last_rr);
                    self.note_round_trip(reporter, *last_rr, trip);
                }
            }
            XrBlock::VoipMetrics(metrics) if metrics.ssrc == own => {
                self.push(RtcpEvent::VoipMetrics { reporter, metrics: *metrics });
            }
            XrBlock::VoipMetrics(_) | XrBlock::Other { .. } => {}
        }
    }

    /// `last`: LSR or LRR, 0 before any.
    fn note_round_trip(&mut self, ssrc: u32, last: u32, trip: Option<u64>) {
        match trip {
            _ if last == 0 => {}
            Some(round_trip_ns) => {
                self.round_trip_ns = Some(round_trip_ns);
                self.push(RtcpEvent::RoundTrip { ssrc, round_trip_ns });
            }
            None => self.stats.impossible_round_trips += 1,
        }
    }

    fn handle_description(
        &mut self,
        now_ns: u64,
        source: Option<SocketAddr>,
        ssrc: u32,
        items: Vec<(SdesKind, Vec<u8>)>,
    ) {
        let mut has_cname = false;
        for (kind, text) in items {
            match kind {
                SdesKind::Cname if !has_cname => {
                    has_cname = true;
                    self.handle_cname(now_ns, source, ssrc, text);
                }
                SdesKind::Cname | SdesKind::Priv | SdesKind::Other(_) => {}
                kind => {
                    let Some(member) = self.hear(now_ns, source, ssrc) else { return };
                    if member.describe(kind, &text) {
                        let text = String::from_utf8_lossy(&text).into_owned();
                        self.push(RtcpEvent::Description { ssrc, kind, text });
                    }
                }
            }
        }
    }

    fn handle_cname(&mut self, now_ns: u64, source: Option<SocketAddr>, ssrc: u32, cname: Vec<u8>) {
        let Some(member) = self.hear(now_ns, source, ssrc) else { return };
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

    fn handle_bye(&mut self, now_ns: u64, source: Option<SocketAddr>, ssrcs: &[u32], reason: Option<&[u8]>) {
        if self.is_waiting_to_leave() {
            self.byes_heard += 1;
        }
        for &ssrc in ssrcs {
            if self.is_third_party(now_ns, source, ssrc) || !self.members.leave(now_ns, ssrc) {
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
    pub(super) fn refuse_own(
        &mut self,
        now_ns: u64,
        source: Option<SocketAddr>,
        packets: &[RtcpPacket],
    ) -> bool {
        let own = self.config.ssrc;
        let mut is_own = false;
        let mut name = Name::Untold;
        for packet in packets {
            match packet {
                RtcpPacket::SenderReport { ssrc, .. }
                | RtcpPacket::ReceiverReport { ssrc, .. }
                | RtcpPacket::ExtendedReport { ssrc, .. } => is_own |= *ssrc == own,
                RtcpPacket::SourceDescription(chunks) => {
                    for chunk in chunks.iter().filter(|chunk| chunk.ssrc == own) {
                        is_own = true;
                        name = match chunk.cname() {
                            Some(cname) if cname == self.config.cname.as_bytes() => Name::Ours,
                            Some(_) if name == Name::Untold => Name::Other,
                            _ => name,
                        };
                    }
                }
                RtcpPacket::Bye { .. } | RtcpPacket::Other { .. } | RtcpPacket::Malformed { .. } => {}
            }
        }
        if is_own {
            self.stats.own_source += 1;
            self.note_conflict(now_ns, Path::Rtcp, source, name);
        }
        is_own
    }

    /// Somebody's packet bears our SSRC.
    pub(super) fn note_conflict(&mut self, now_ns: u64, path: Path, address: Option<SocketAddr>, name: Name) {
        let ssrc = self.config.ssrc;
        let span_ns = self.receiver_interval_ns().saturating_mul(CONFLICT_INTERVALS);
        match self.conflicts.judge(now_ns, span_ns, path, address, name) {
            Conflict::Collision => self.push(RtcpEvent::SsrcCollision { ssrc }),
            Conflict::Loop { is_new: true } => self.push(RtcpEvent::Loop { ssrc }),
            Conflict::Loop { is_new: false } => {}
        }
    }
}

/// A − LSR − DLSR of RFC 3550 §6.4.1, but on the monotonic clock: the wall clock may step between report and reply.
/// `None`: it cannot be.
fn round_trip(sent: &VecDeque<SeenReport>, now_ns: u64, last: u32, delay: u32) -> Option<u64> {
    let report = sent.iter().rev().find(|report| report.middle_32 == last)?;
    let passed = now_ns.checked_sub(report.at_ns)?;
    let held = ns_from_short(delay);
    if held > passed.saturating_add(ROUND_TRIP_SLACK_NS) {
        return None;
    }
    Some(passed.saturating_sub(held))
}
