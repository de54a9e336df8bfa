//! Who takes part in an RTCP session besides us (RFC 3550 §6.2.1, §6.3.3–6.3.5).
//! In: identifiers as they are heard, BYEs, the interval. Out: members, senders, who timed out.
//! Unknown → heard once → Confirmed → left (BYE lingers) or timed out.
//! Not here: our own place (`session.rs`). Bounded, for identifiers come from the network.

use std::net::SocketAddr;

use crate::rtcp::SdesKind;

/// Members remembered; a flood of identifiers evicts the ones not heard for longest.
const MAX_MEMBERS: usize = 64;
/// For so long a BYE outlives its sender, so that stragglers do not revive it (RFC 3550 §6.2.1).
const BYE_LINGERS_NS: u64 = 2_000_000_000;
/// Intervals without a word after which a member is gone (RFC 3550 §6.3.5).
const MEMBER_INTERVALS: u64 = 5;
/// Intervals without RTP after which a sender is only a member (RFC 3550 §6.3.5).
const SENDER_INTERVALS: u64 = 2;

/// The members other than ourselves.
#[derive(Debug, Default)]
pub(crate) struct Members {
    table: Vec<Member>,
}

/// One member.
#[derive(Debug)]
pub(crate) struct Member {
    ssrc: u32,
    heard_ns: u64,
    /// Heard twice, or named, or heard in RTP (§6.2.1).
    pub(crate) is_confirmed: bool,
    /// The last sign that it sends RTP.
    pub(crate) sent_rtp_ns: Option<u64>,
    pub(crate) is_heard_in_rtp: bool,
    pub(crate) cname: Option<Vec<u8>>,
    pub(crate) has_conflict: bool,
    /// The address of its RTCP, and when it was last heard from there.
    pub(crate) control: Option<(SocketAddr, u64)>,
    pub(crate) last_sr: Option<SeenReport>,
    /// Its last receiver reference time (RFC 3611 §4.4).
    pub(crate) last_rr: Option<SeenReport>,
    /// What else it told of itself.
    description: Vec<(SdesKind, Vec<u8>)>,
    left_ns: Option<u64>,
}

/// A sender report or reference time, ours or another's: the NTP time's middle 32 bits and the monotonic time beside it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SeenReport {
    pub(crate) middle_32: u32,
    pub(crate) at_ns: u64,
}

impl Members {
    /// Members that count.
    pub(crate) fn count(&self) -> usize {
        self.table.iter().filter(|member| member.counts()).count()
    }

    /// Those of them that sent RTP within the last intervals.
    pub(crate) fn senders(&self) -> usize {
        self.table.iter().filter(|member| member.counts() && member.sent_rtp_ns.is_some()).count()
    }

    /// The last sender report of a member.
    pub(crate) fn last_sr(&self, ssrc: u32) -> Option<SeenReport> {
        self.table.iter().find(|member| member.ssrc == ssrc)?.last_sr
    }

    /// Reference times of members, by their SSRC.
    pub(crate) fn references(&self) -> impl Iterator<Item = (u32, SeenReport)> + '_ {
        let present = self.table.iter().filter(|member| member.counts());
        present.filter_map(|member| Some((member.ssrc, member.last_rr?)))
    }

    /// Whether anybody has, or just had, this SSRC.
    pub(crate) fn knows(&self, ssrc: u32) -> bool {
        self.table.iter().any(|member| member.ssrc == ssrc)
    }

    /// The member with this SSRC, if it has not left.
    pub(crate) fn find(&mut self, ssrc: u32) -> Option<&mut Member> {
        self.table.iter_mut().find(|member| member.ssrc == ssrc && member.left_ns.is_none())
    }

    /// The member with this SSRC, made if need be; `None` while its BYE lingers.
    pub(crate) fn hear(&mut self, now_ns: u64, ssrc: u32) -> Option<&mut Member> {
        let known = self.table.iter().position(|member| member.ssrc == ssrc);
        let index = match known {
            Some(index) => {
                let member = &mut self.table[index];
                if let Some(left_ns) = member.left_ns {
                    if now_ns.saturating_sub(left_ns) < BYE_LINGERS_NS {
                        return None;
                    }
                    *member = Member::new(ssrc, now_ns);
                } else {
                    member.is_confirmed = true;
                    member.heard_ns = member.heard_ns.max(now_ns);
                }
                index
            }
            None => {
                if self.table.len() >= MAX_MEMBERS {
                    let silent = self.table.iter().enumerate().filter(|(_, member)| !member.is_heard_in_rtp);
                    let (index, _) = silent.min_by_key(|(_, member)| member.heard_ns)?;
                    self.table.swap_remove(index);
                }
                self.table.push(Member::new(ssrc, now_ns));
                self.table.len() - 1
            }
        };
        self.table.get_mut(index)
    }

    /// Marks a member as gone by its BYE; whether it was one.
    pub(crate) fn leave(&mut self, now_ns: u64, ssrc: u32) -> bool {
        let known = self.table.iter_mut().find(|member| member.ssrc == ssrc && member.left_ns.is_none());
        known.map(|member| member.left_ns = Some(now_ns)).is_some()
    }

    /// Removes a member without a trace.
    pub(crate) fn forget(&mut self, ssrc: u32) {
        self.table.retain(|member| member.ssrc != ssrc);
    }

    /// Drops members and senders that were silent for too long (§6.3.5) and returns the members dropped.
    pub(crate) fn age(&mut self, now_ns: u64, interval_ns: u64) -> Vec<u32> {
        let member_span = interval_ns.saturating_mul(MEMBER_INTERVALS);
        let sender_span = interval_ns.saturating_mul(SENDER_INTERVALS);
        let mut timed_out = Vec::new();
        self.table.retain_mut(|member| {
            member.sent_rtp_ns = member.sent_rtp_ns.filter(|at| now_ns.saturating_sub(*at) <= sender_span);
            if let Some(left_ns) = member.left_ns {
                return now_ns.saturating_sub(left_ns) < BYE_LINGERS_NS;
            }
            let stays = now_ns.saturating_sub(member.heard_ns) <= member_span;
            if !stays {
                timed_out.push(member.ssrc);
            }
            stays
        });
        timed_out
    }
}

impl Member {
    fn new(ssrc: u32, now_ns: u64) -> Self {
        Self {
            ssrc,
            heard_ns: now_ns,
            is_confirmed: false,
            sent_rtp_ns: None,
            is_heard_in_rtp: false,
            cname: None,
            has_conflict: false,
            control: None,
            last_sr: None,
            last_rr: None,
            description: Vec::new(),
            left_ns: None,
        }
    }

    /// Remembers what it told of itself; whether that is news. The six kinds of RFC 3550 only, so that it is bounded.
    pub(crate) fn describe(&mut self, kind: SdesKind, text: &[u8]) -> bool {
        if matches!(kind, SdesKind::Cname | SdesKind::Priv | SdesKind::Other(_)) {
            return false;
        }
        match self.description.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, known)) if known == text => return false,
            Some((_, known)) => *known = text.to_vec(),
            None => self.description.push((kind, text.to_vec())),
        }
        true
    }

    fn counts(&self) -> bool {
        self.is_confirmed && self.left_ns.is_none()
    }
}
