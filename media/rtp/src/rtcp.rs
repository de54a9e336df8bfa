//! RTCP compound packets as owned values (RFC 3550 §6.4–6.6, §A.2), over `rtcp-types`.
//! In: any bytes; what is to be sent. Out: packets in their order, or why the datagram is refused; bytes.
//! Not here: when to send and what it means (`timing.rs`, `session.rs`); XR and feedback, which are kept as `Other`.
//!
//! `rtcp-types` 0.3 writes everything and reads reports and BYE. Kept from it: splitting (one packet that does not parse ends
//! its iteration; here a bad one is [`RtcpPacket::Malformed`] among good ones), padding (its BYE and SDES parsers take it
//! for content) and reading SDES (a PRIV prefix beyond its item panics; alignment octets that are not zero, as pion and
//! webrtc-rs send them, or a second chunk whose SSRC begins with a zero octet, lose the packet).

use rtcp_types::{
    Bye, ReceiverReport, RtcpPacket as _, RtcpPacketParser, RtcpPacketWriterExt, Sdes, SdesChunk, SdesItem,
    SenderReport,
};

use crate::ntp::NtpTime;
use crate::reception::ReportBlock;

/// The longest CNAME and BYE reason: their length is one octet (RFC 3550 §6.5, §6.6).
const MAX_TEXT: usize = 255;

/// Why a datagram is not an RTCP compound packet (RFC 3550 §A.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RtcpError {
    /// No more than one octet: what some stacks send to wake their own reader. Not worth a warning.
    #[error("a datagram of {0} octets, which some stacks send to wake themselves")]
    Runt(usize),
    /// A packet's version is not 2.
    #[error("RTCP version {version} at octet {offset}")]
    Version {
        /// The version.
        version: u8,
        /// Where the packet begins.
        offset: usize,
    },
    /// The compound does not begin with a sender or receiver report.
    #[error("the compound begins with packet type {0}")]
    FirstPacket(u8),
    /// A packet's length reaches past the datagram.
    #[error("the packet at octet {offset} needs {need} octets and has {have}")]
    Truncated {
        /// Where the packet begins.
        offset: usize,
        /// Octets that it needs.
        need: usize,
        /// Octets that are left.
        have: usize,
    },
    /// The first packet is padded; only the last may be, and the first is never the last.
    #[error("the compound begins with a padded packet")]
    Padding,
}

/// The sender's part of a sender report (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SenderInfo {
    /// Wall-clock time of the report.
    pub ntp: NtpTime,
    /// The same instant on the RTP clock.
    pub rtp_timestamp: u32,
    /// Packets sent, modulo 2^32.
    pub packet_count: u32,
    /// Payload octets sent, modulo 2^32.
    pub octet_count: u32,
}

/// The canonical name of one source (RFC 3550 §6.5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SdesCname {
    /// The source.
    pub ssrc: u32,
    /// Its CNAME as it came; UTF-8 by the standard. `None` if the chunk has none.
    pub cname: Option<Vec<u8>>,
}

/// One packet of a compound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RtcpPacket {
    /// SR.
    SenderReport {
        /// The sender of the report.
        ssrc: u32,
        /// What it sent.
        info: SenderInfo,
        /// What it received.
        reports: Vec<ReportBlock>,
    },
    /// RR.
    ReceiverReport {
        /// The sender of the report.
        ssrc: u32,
        /// What it received.
        reports: Vec<ReportBlock>,
    },
    /// SDES, of which the CNAMEs are kept.
    SourceDescription(Vec<SdesCname>),
    /// BYE.
    Bye {
        /// The sources that leave.
        ssrcs: Vec<u32>,
        /// Why, as it came.
        reason: Option<Vec<u8>>,
    },
    /// A packet type that is not read here.
    Other {
        /// The packet type.
        packet_type: u8,
    },
    /// A packet of a known type whose inside is wrong; its neighbours are not affected.
    Malformed {
        /// The packet type.
        packet_type: u8,
    },
}

/// Splits a datagram into its RTCP packets, after the checks of RFC 3550 §A.2.
///
/// # Errors
///
/// [`RtcpError`] if the datagram as a whole is not a compound packet.
pub fn parse_compound(bytes: &[u8]) -> Result<Vec<RtcpPacket>, RtcpError> {
    if bytes.len() < 2 {
        return Err(RtcpError::Runt(bytes.len()));
    }
    let mut packets = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let offset = bytes.len() - rest.len();
        let have = rest.len();
        let Some(&[first, packet_type, l0, l1]) = rest.first_chunk::<4>() else {
            return Err(RtcpError::Truncated { offset, need: 4, have });
        };
        if first >> 6 != 2 {
            return Err(RtcpError::Version { version: first >> 6, offset });
        }
        if offset == 0 && !matches!(packet_type, SenderReport::PACKET_TYPE | ReceiverReport::PACKET_TYPE) {
            return Err(RtcpError::FirstPacket(packet_type));
        }
        let need = (usize::from(u16::from_be_bytes([l0, l1])) + 1) * 4;
        let Some((packet, after)) = rest.split_at_checked(need) else {
            return Err(RtcpError::Truncated { offset, need, have });
        };
        let parsed = match first & 0x20 {
            0 => parse_packet(packet_type, packet),
            _ if offset == 0 => return Err(RtcpError::Padding),
            _ => without_padding(packet)
                .map_or(RtcpPacket::Malformed { packet_type }, |plain| parse_packet(packet_type, &plain)),
        };
        packets.push(parsed);
        rest = after;
    }
    Ok(packets)
}

/// Builds a compound packet of our own: SR or RR, SDES with the CNAME, and a BYE if `bye` is given (its reason may be
/// empty). Names and reasons beyond 255 octets are cut at a character's end; report blocks beyond 31 are left out.
pub fn build_compound(
    ssrc: u32,
    info: Option<SenderInfo>,
    reports: &[ReportBlock],
    cname: &str,
    bye: Option<&str>,
) -> Vec<u8> {
    let reports = reports.iter().take(usize::from(SenderReport::MAX_COUNT));
    let mut out = Vec::new();
    match info {
        Some(info) => {
            let mut report = SenderReport::builder(ssrc)
                .ntp_timestamp(info.ntp.to_bits())
                .rtp_timestamp(info.rtp_timestamp)
                .packet_count(info.packet_count)
                .octet_count(info.octet_count);
            for block in reports {
                report = report.add_report_block(block_builder(block));
            }
            append(&mut out, &report);
        }
        None => {
            let mut report = ReceiverReport::builder(ssrc);
            for block in reports {
                report = report.add_report_block(block_builder(block));
            }
            append(&mut out, &report);
        }
    }
    let item = SdesItem::builder(SdesItem::CNAME, cut(cname));
    append(&mut out, &Sdes::builder().add_chunk(SdesChunk::builder(ssrc).add_item(item)));
    if let Some(reason) = bye {
        append(&mut out, &Bye::builder().add_source(ssrc).reason(cut(reason)));
    }
    out
}

fn append(out: &mut Vec<u8>, packet: &impl RtcpPacketWriterExt) {
    // All limits are kept by the callers, so that a size is always known; otherwise the packet is left out.
    if let Ok(size) = packet.calculate_size() {
        let start = out.len();
        out.resize(start + size, 0);
        packet.write_into_unchecked(&mut out[start..]);
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT)]
}

fn block_builder(block: &ReportBlock) -> rtcp_types::ReportBlockBuilder {
    rtcp_types::ReportBlock::builder(block.ssrc)
        .fraction_lost(block.fraction_lost)
        .cumulative_lost(block.cumulative_lost as u32 & 0xFF_FFFF)
        .extended_sequence_number(block.extended_highest_sequence)
        .interarrival_jitter(block.jitter)
        .last_sender_report_timestamp(block.last_sr)
        .delay_since_last_sender_report_timestamp(block.delay_since_last_sr)
}

/// The packet without its padding, with length and flag put right.
///
/// A count below four is no padding by RFC 3550 §6.4.1, but pion and its descendants announce the alignment of SDES and
/// BYE so: there nothing is cut.
fn without_padding(packet: &[u8]) -> Option<Vec<u8>> {
    let count = usize::from(*packet.last()?);
    let keep = packet.len().checked_sub(count).filter(|keep| *keep >= 4)?;
    let mut plain = packet.to_vec();
    plain[0] &= !0x20;
    match count {
        1..=3 => {}
        _ if count > 0 && count % 4 == 0 => {
            let words = u16::try_from(keep / 4 - 1).ok()?.to_be_bytes();
            plain[2..4].copy_from_slice(&words);
            plain.truncate(keep);
        }
        _ => return None,
    }
    Some(plain)
}

fn parse_packet(packet_type: u8, packet: &[u8]) -> RtcpPacket {
    let parsed = match packet_type {
        SenderReport::PACKET_TYPE => SenderReport::parse(packet).map(|report| RtcpPacket::SenderReport {
            ssrc: report.ssrc(),
            info: SenderInfo {
                ntp: NtpTime::from_bits(report.ntp_timestamp()),
                rtp_timestamp: report.rtp_timestamp(),
                packet_count: report.packet_count(),
                octet_count: report.octet_count(),
            },
            reports: report.report_blocks().map(|block| read_block(&block)).collect(),
        }),
        ReceiverReport::PACKET_TYPE => {
            ReceiverReport::parse(packet).map(|report| RtcpPacket::ReceiverReport {
                ssrc: report.ssrc(),
                reports: report.report_blocks().map(|block| read_block(&block)).collect(),
            })
        }
        Sdes::PACKET_TYPE => {
            let names = read_names(packet).map(RtcpPacket::SourceDescription);
            return names.unwrap_or(RtcpPacket::Malformed { packet_type });
        }
        Bye::PACKET_TYPE => Bye::parse(packet).map(|bye| RtcpPacket::Bye {
            ssrcs: bye.ssrcs().collect(),
            reason: bye.reason().map(<[u8]>::to_vec),
        }),
        _ => Ok(RtcpPacket::Other { packet_type }),
    };
    parsed.unwrap_or(RtcpPacket::Malformed { packet_type })
}

/// The CNAMEs of an SDES packet (RFC 3550 §6.5): as many chunks as its count says, each aligned to four octets.
fn read_names(packet: &[u8]) -> Option<Vec<SdesCname>> {
    let (&[first, ..], body) = packet.split_first_chunk::<4>()?;
    let mut names = Vec::new();
    let mut at = 0;
    for _ in 0..first & 0x1F {
        let ssrc = u32::from_be_bytes(*body.get(at..)?.first_chunk::<4>()?);
        let mut cname = None;
        at += 4;
        // A type of zero ends the chunk; so does the packet's end, though it should not.
        while let Some(&item) = body.get(at)
            && item != 0
        {
            let len = usize::from(*body.get(at + 1)?);
            let value = body.get(at + 2..at + 2 + len)?;
            if item == SdesItem::CNAME && cname.is_none() {
                cname = Some(value.to_vec());
            }
            at += 2 + len;
        }
        at = (at + 1).next_multiple_of(4);
        names.push(SdesCname { ssrc, cname });
    }
    Some(names)
}

fn read_block(block: &rtcp_types::ReportBlock<'_>) -> ReportBlock {
    ReportBlock {
        ssrc: block.ssrc(),
        fraction_lost: block.fraction_lost(),
        // Sign extension of 24 bits.
        cumulative_lost: (block.cumulative_lost() << 8) as i32 >> 8,
        extended_highest_sequence: block.extended_sequence_number(),
        jitter: block.interarrival_jitter(),
        last_sr: block.last_sender_report_timestamp(),
        delay_since_last_sr: block.delay_since_last_sender_report_timestamp(),
    }
}
