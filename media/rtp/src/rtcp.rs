//! RTCP compound packets as owned values (RFC 3550 §6.4–6.6, §A.2), over `rtcp-types`.
//! In: any bytes; what is to be sent. Out: packets in their order, or why the datagram is refused; bytes.
//! Not here: when to send and what it means (`timing.rs`, `session`); XR's blocks (`xr`); feedback, which is kept as
//! `Other`.
//!
//! `rtcp-types` 0.3 writes everything but XR and reads reports and BYE. Kept from it: splitting (one packet that does not parse ends
//! its iteration; here a bad one is [`RtcpPacket::Malformed`] among good ones), padding (its BYE and SDES parsers take it
//! for content) and reading SDES (a PRIV prefix beyond its item panics; alignment octets that are not zero, as pion and
//! webrtc-rs send them, or a second chunk whose SSRC begins with a zero octet, lose the packet).

use rtcp_types::{
    Bye, ReceiverReport, RtcpPacket as _, RtcpPacketParser, RtcpPacketWriterExt, Sdes, SenderReport,
};

use crate::ntp::NtpTime;
use crate::reception::ReportBlock;
use crate::xr::{self, XrBlock};

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

/// What an item of a source description tells (RFC 3550 §6.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SdesKind {
    /// CNAME: the source's canonical name.
    Cname,
    /// NAME: who it is.
    Name,
    /// EMAIL.
    Email,
    /// PHONE.
    Phone,
    /// LOC: where it is.
    Loc,
    /// TOOL: the program and its version.
    Tool,
    /// NOTE: a notice or status.
    Note,
    /// PRIV: a private extension; its text begins with the length of a prefix.
    Priv,
    /// Another type.
    Other(u8),
}

impl SdesKind {
    /// The item type's number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Cname => 1,
            Self::Name => 2,
            Self::Email => 3,
            Self::Phone => 4,
            Self::Loc => 5,
            Self::Tool => 6,
            Self::Note => 7,
            Self::Priv => 8,
            Self::Other(code) => code,
        }
    }

    const fn of(code: u8) -> Self {
        match code {
            1 => Self::Cname,
            2 => Self::Name,
            3 => Self::Email,
            4 => Self::Phone,
            5 => Self::Loc,
            6 => Self::Tool,
            7 => Self::Note,
            8 => Self::Priv,
            other => Self::Other(other),
        }
    }
}

/// What one source tells of itself (RFC 3550 §6.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SdesChunk {
    /// The source.
    pub ssrc: u32,
    /// Its items in their order, as they came: UTF-8 by the standard.
    pub items: Vec<(SdesKind, Vec<u8>)>,
}

impl SdesChunk {
    /// The CNAME, if it is told.
    pub fn cname(&self) -> Option<&[u8]> {
        let item = self.items.iter().find(|(kind, _)| *kind == SdesKind::Cname)?;
        Some(&item.1)
    }
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
    /// SDES.
    SourceDescription(Vec<SdesChunk>),
    /// BYE.
    Bye {
        /// The sources that leave.
        ssrcs: Vec<u32>,
        /// Why, as it came.
        reason: Option<Vec<u8>>,
    },
    /// XR (RFC 3611).
    ExtendedReport {
        /// The sender of the report.
        ssrc: u32,
        /// Its blocks.
        blocks: Vec<XrBlock>,
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

/// A compound packet of our own: SR or RR, SDES, and, if given, XR and BYE, in this order (RFC 3550 §6.1).
#[derive(Debug, Clone, Copy)]
pub struct Compound<'a> {
    /// Our SSRC.
    pub ssrc: u32,
    /// What we sent; without it the report is an RR.
    pub info: Option<SenderInfo>,
    /// What we received; blocks beyond 31 are left out.
    pub reports: &'a [ReportBlock],
    /// Our CNAME.
    pub cname: &'a str,
    /// One more item of our description.
    pub item: Option<(SdesKind, &'a str)>,
    /// Blocks of an XR packet; none, no packet.
    pub blocks: &'a [XrBlock],
    /// Why we leave, which may be empty.
    pub bye: Option<&'a str>,
}

impl<'a> Compound<'a> {
    /// An RR without blocks, and our name.
    pub const fn new(ssrc: u32, cname: &'a str) -> Self {
        Self { ssrc, info: None, reports: &[], cname, item: None, blocks: &[], bye: None }
    }

    /// The datagram. Texts beyond 255 octets are cut at a character's end.
    pub fn to_bytes(&self) -> Vec<u8> {
        let ssrc = self.ssrc;
        let reports = self.reports.iter().take(usize::from(SenderReport::MAX_COUNT));
        let mut out = Vec::new();
        match self.info {
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
        let mut chunk = rtcp_types::SdesChunk::builder(ssrc)
            .add_item(rtcp_types::SdesItem::builder(SdesKind::Cname.code(), cut(self.cname)));
        if let Some((kind, text)) = self.item {
            chunk = chunk.add_item(rtcp_types::SdesItem::builder(kind.code(), cut(text)));
        }
        append(&mut out, &Sdes::builder().add_chunk(chunk));
        if !self.blocks.is_empty() {
            xr::append(&mut out, ssrc, self.blocks);
        }
        if let Some(reason) = self.bye {
            append(&mut out, &Bye::builder().add_source(ssrc).reason(cut(reason)));
        }
        out
    }
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
            let chunks = read_chunks(packet).map(RtcpPacket::SourceDescription);
            return chunks.unwrap_or(RtcpPacket::Malformed { packet_type });
        }
        Bye::PACKET_TYPE => Bye::parse(packet).map(|bye| RtcpPacket::Bye {
            ssrcs: bye.ssrcs().collect(),
            reason: bye.reason().map(<[u8]>::to_vec),
        }),
        xr::PACKET_TYPE => {
            let report = xr::read(packet).map(|(ssrc, blocks)| RtcpPacket::ExtendedReport { ssrc, blocks });
            return report.unwrap_or(RtcpPacket::Malformed { packet_type });
        }
        _ => Ok(RtcpPacket::Other { packet_type }),
    };
    parsed.unwrap_or(RtcpPacket::Malformed { packet_type })
}

/// The chunks of an SDES packet (RFC 3550 §6.5, §A.5): as many as its count says, each aligned to four octets.
fn read_chunks(packet: &[u8]) -> Option<Vec<SdesChunk>> {
    let (&[first, ..], body) = packet.split_first_chunk::<4>()?;
    let mut chunks = Vec::new();
    let mut at = 0;
    for _ in 0..first & 0x1F {
        let ssrc = u32::from_be_bytes(*body.get(at..)?.first_chunk::<4>()?);
        let mut items = Vec::new();
        at += 4;
        // A type of zero ends the chunk; so does the packet's end, though it should not.
        while let Some(&kind) = body.get(at)
            && kind != 0
        {
            let len = usize::from(*body.get(at + 1)?);
            items.push((SdesKind::of(kind), body.get(at + 2..at + 2 + len)?.to_vec()));
            at += 2 + len;
        }
        at = (at + 1).next_multiple_of(4);
        chunks.push(SdesChunk { ssrc, items });
    }
    Some(chunks)
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
