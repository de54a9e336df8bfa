//! What the session puts into its compounds (RFC 3550 §6.1, §6.3.9, §6.4, §6.5; RFC 3611 §4).
//! In: snapshots of sender and receiver, the time. Out: octets.
//! Not here: when they are due (`timing.rs`), how they are written (`rtcp.rs`, `xr`).

use std::collections::VecDeque;

use super::RtcpSession;
use crate::members::SeenReport;
use crate::ntp::{NtpTime, short_from_ns};
use crate::receiver::ReceiverStats;
use crate::reception::ReportBlock;
use crate::rtcp::{Compound, SdesKind, SenderInfo};
use crate::sender::SenderStats;
use crate::xr::{DlrrReport, VoipMetrics, XrBlock};

/// Own reports remembered for round-trip times.
const REPORTS_REMEMBERED: usize = 16;
/// LSR and DLSR cover 2^16 seconds; older reports are not referred to.
const LSR_SPAN_NS: u64 = 65_535 * 1_000_000_000;
/// One report in so many has an item beside the CNAME (RFC 3550 §6.3.9).
const ITEM_REPORTS: u64 = 3;
/// One such item in so many is another than NAME (RFC 3550 §6.3.9).
const NAME_TURNS: u64 = 8;

impl RtcpSession {
    pub(super) fn compound(
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
            remember(&mut self.sent_reports, now_ns, ntp);
        }
        self.packets_then = [sender.packets, self.packets_then[0]];
        self.has_spoken = true;
        let block = if self.interval.has_news(receiver) { self.interval.report(receiver) } else { None };
        let block = block.map(|block| self.with_last_sr(now_ns, block));
        let blocks =
            if self.config.extended_reports { self.extended(now_ns, ntp, receiver) } else { Vec::new() };
        let compound = Compound {
            info,
            reports: block.as_slice(),
            item: self.item(),
            blocks: &blocks,
            bye,
            ..Compound::new(self.config.ssrc, &self.config.cname)
        };
        let bytes = compound.to_bytes();
        self.reports_made += 1;
        bytes
    }

    /// The item that goes with this report beside the CNAME (§6.3.9): one in every third, seven of eight times NAME.
    fn item(&self) -> Option<(SdesKind, &str)> {
        if !self.reports_made.is_multiple_of(ITEM_REPORTS) {
            return None;
        }
        let turn = self.reports_made / ITEM_REPORTS;
        let items = self.config.description.iter().filter(|(kind, _)| *kind != SdesKind::Cname);
        let is_name = |item: &&(SdesKind, String)| item.0 == SdesKind::Name;
        let name = items.clone().find(is_name);
        let others = items.filter(|item| !is_name(item));
        let others_turn = match name {
            Some(_) => (turn % NAME_TURNS == NAME_TURNS - 1).then_some(turn / NAME_TURNS),
            None => Some(turn),
        };
        let count = others.clone().count();
        let other = others_turn
            .filter(|_| count > 0)
            .and_then(|turn| others.clone().nth(usize::try_from(turn % count as u64).unwrap_or(0)));
        other.or(name).map(|(kind, text)| (*kind, text.as_str()))
    }

    /// The blocks of our extended report.
    fn extended(&mut self, now_ns: u64, ntp: NtpTime, receiver: &ReceiverStats) -> Vec<XrBlock> {
        remember(&mut self.sent_references, now_ns, ntp);
        let mut blocks = vec![XrBlock::ReceiverReferenceTime(ntp)];
        let answers: Vec<_> = self
            .members
            .references()
            .filter_map(|(ssrc, reference)| {
                let passed = now_ns.saturating_sub(reference.at_ns);
                (passed <= LSR_SPAN_NS).then_some(DlrrReport {
                    ssrc,
                    last_rr: reference.middle_32,
                    delay_since_last_rr: short_from_ns(passed),
                })
            })
            .collect();
        if !answers.is_empty() {
            blocks.push(XrBlock::Dlrr(answers));
        }
        let voice = self.voice.as_ref();
        let metrics = voice.and_then(|voice| VoipMetrics::measure(receiver, self.round_trip_ns, voice));
        blocks.extend(metrics.map(XrBlock::VoipMetrics));
        blocks
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
}

fn remember(sent: &mut VecDeque<SeenReport>, now_ns: u64, ntp: NtpTime) {
    if sent.len() == REPORTS_REMEMBERED {
        sent.pop_front();
    }
    sent.push_back(SeenReport { middle_32: ntp.middle_32(), at_ns: now_ns });
}
