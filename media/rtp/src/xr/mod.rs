//! Extended reports: the blocks of RFC 3611 that telephones exchange, octet by octet.
//! In: a packet's body, blocks to be sent. Out: blocks in their order; octets.
//! Not here: what the numbers are made of (`voip.rs`), when they are sent (`session`).
//!
//! `rtcp-types` 0.3 has no VoIP metrics, and gives up a packet at the first block that it does not know.

mod emodel;
mod quality;
mod voip;

pub use emodel::Transmission;
pub use quality::{CodecImpairment, Quality};
pub use voip::{Concealment, JitterBuffer, VoiceConditions, VoipMetrics};

use crate::ntp::NtpTime;

/// The packet type of extended reports (RFC 3611 §2).
pub(crate) const PACKET_TYPE: u8 = 207;
/// Block types (RFC 3611 §4).
const RECEIVER_REFERENCE_TIME: u8 = 4;
const DLRR: u8 = 5;
const VOIP_METRICS: u8 = 7;
/// Octets of a block's header.
const HEADER: usize = 4;

/// One report block of an XR packet (RFC 3611 §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum XrBlock {
    /// Our wall clock, for participants that send nothing and want to know the round trip (§4.4).
    ReceiverReferenceTime(NtpTime),
    /// Answers to others' reference times (§4.5).
    Dlrr(Vec<DlrrReport>),
    /// How a call is heard (§4.7).
    VoipMetrics(VoipMetrics),
    /// A block of another type, or of a known type and a wrong length, as it came.
    Other {
        /// BT.
        block_type: u8,
        /// The octet after it.
        type_specific: u8,
        /// What follows the length: a multiple of four octets, at most 65535 words of them.
        data: Vec<u8>,
    },
}

/// One sub-block of DLRR: when a receiver's reference time was heard (RFC 3611 §4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DlrrReport {
    /// The receiver.
    pub ssrc: u32,
    /// LRR: the middle 32 bits of its last reference time, 0 without one.
    pub last_rr: u32,
    /// DLRR: since it arrived, in 1/65536 s, 0 without one.
    pub delay_since_last_rr: u32,
}

impl DlrrReport {
    const LEN: usize = 12;

    fn to_bytes(self) -> impl Iterator<Item = u8> {
        [self.ssrc, self.last_rr, self.delay_since_last_rr].into_iter().flat_map(u32::to_be_bytes)
    }
}

/// Appends an XR packet with these blocks. Blocks that do not fit a packet's length are left out.
pub(crate) fn append(out: &mut Vec<u8>, ssrc: u32, blocks: &[XrBlock]) {
    /// The length of an RTCP packet counts words in sixteen bits.
    const LONGEST: usize = 4 * 0x1_0000;
    let start = out.len();
    out.extend([0x80, PACKET_TYPE, 0, 0]);
    out.extend(ssrc.to_be_bytes());
    for block in blocks {
        let (block_type, type_specific, body) = match block {
            XrBlock::ReceiverReferenceTime(ntp) => {
                (RECEIVER_REFERENCE_TIME, 0, ntp.to_bits().to_be_bytes().to_vec())
            }
            XrBlock::Dlrr(reports) => {
                (DLRR, 0, reports.iter().copied().flat_map(DlrrReport::to_bytes).collect())
            }
            XrBlock::VoipMetrics(metrics) => (VOIP_METRICS, 0, metrics.to_bytes().to_vec()),
            XrBlock::Other { block_type, type_specific, data } => {
                let mut data = data.clone();
                data.resize(data.len().next_multiple_of(4), 0);
                (*block_type, *type_specific, data)
            }
        };
        let Ok(words) = u16::try_from(body.len() / 4) else { continue };
        if out.len() - start + HEADER + body.len() > LONGEST {
            continue;
        }
        let [high, low] = words.to_be_bytes();
        out.extend([block_type, type_specific, high, low]);
        out.extend(body);
    }
    let words = u16::try_from((out.len() - start) / 4 - 1).unwrap_or(u16::MAX).to_be_bytes();
    if let Some(length) = out.get_mut(start + 2..start + 4) {
        length.copy_from_slice(&words);
    }
}

/// The sender and the blocks of a whole XR packet without padding; `None` if a block reaches past its end.
pub(crate) fn read(packet: &[u8]) -> Option<(u32, Vec<XrBlock>)> {
    let (_, body) = packet.split_first_chunk::<4>()?;
    let (ssrc, mut rest) = body.split_first_chunk::<4>()?;
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let (&[block_type, type_specific, l0, l1], after) = rest.split_first_chunk::<HEADER>()?;
        let (data, after) = after.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])) * 4)?;
        // A receiver leaves alone what it does not know, and a block whose length is not its type's (§3, §4.4, §4.7).
        let known = match block_type {
            RECEIVER_REFERENCE_TIME => read_reference(data),
            DLRR => read_dlrr(data),
            VOIP_METRICS => VoipMetrics::from_bytes(data).map(XrBlock::VoipMetrics),
            _ => None,
        };
        blocks.push(known.unwrap_or_else(|| XrBlock::Other {
            block_type,
            type_specific,
            data: data.to_vec(),
        }));
        rest = after;
    }
    Some((u32::from_be_bytes(*ssrc), blocks))
}

fn read_reference(data: &[u8]) -> Option<XrBlock> {
    let bits = u64::from_be_bytes(data.try_into().ok()?);
    Some(XrBlock::ReceiverReferenceTime(NtpTime::from_bits(bits)))
}

fn read_dlrr(data: &[u8]) -> Option<XrBlock> {
    let (reports, rest) = data.as_chunks::<{ DlrrReport::LEN }>();
    let word = |report: &[u8; DlrrReport::LEN], at: usize| {
        report.get(at..at + 4)?.first_chunk().map(|word| u32::from_be_bytes(*word))
    };
    let read = |report: &[u8; DlrrReport::LEN]| {
        Some(DlrrReport {
            ssrc: word(report, 0)?,
            last_rr: word(report, 4)?,
            delay_since_last_rr: word(report, 8)?,
        })
    };
    rest.is_empty().then(|| reports.iter().map(read).collect::<Option<_>>().map(XrBlock::Dlrr))?
}
