//! The records of a capture file: frames with their time and what they begin with.
//! In: a pcap or a pcapng file. Out: [`Record`]s in the order of the file, up to the first place that is neither.
//! Not here: what is in a frame (`reader`).
//!
//! ```text
//! pcap    header(link, resolution) ─ record ─ record …
//! pcapng  section ─ interface(link, resolution, offset) ─ packet(interface) ─ … ─ section ─ …
//! ```

use std::borrow::Cow;
use std::time::Duration;

use pcap_file::pcap::{PcapHeader, PcapParser};
use pcap_file::pcapng::PcapNgParser;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::{DataLink, Endianness, TsResolution};

use super::{CaptureError, RECORD_HEADER};

/// The first octets of pcapng, in both byte orders.
const PCAPNG_MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// Block types of pcapng that hold a frame.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// A frame as it was captured.
#[derive(Debug)]
pub(super) struct Record<'a> {
    /// Since the Unix epoch.
    pub(super) at: Duration,
    pub(super) link: DataLink,
    pub(super) frame: &'a [u8],
}

/// The records of a file.
pub(super) struct Records<'a> {
    rest: &'a [u8],
    form: Form,
    truncated: bool,
}

enum Form {
    /// The parser, and its header once more.
    Pcap(PcapParser, PcapHeader),
    /// The parser, and the time of the last record: simple packets have none of their own.
    PcapNg(PcapNgParser, Duration),
}

impl<'a> Records<'a> {
    pub(super) fn new(file: &'a [u8]) -> Result<Self, CaptureError> {
        let not_pcap = |error: pcap_file::PcapError| CaptureError::NotPcap(error.to_string());
        let (rest, form) = if file.starts_with(&PCAPNG_MAGIC) {
            let (rest, parser) = PcapNgParser::new(file).map_err(not_pcap)?;
            (rest, Form::PcapNg(parser, Duration::ZERO))
        } else {
            let (rest, parser) = PcapParser::new(file).map_err(not_pcap)?;
            let header = parser.header();
            (rest, Form::Pcap(parser, header))
        };
        Ok(Self { rest, form, truncated: false })
    }

    /// Whether the file ended inside a record, or went on with what is none.
    pub(super) fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Whether nothing follows.
    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        while !self.rest.is_empty() && !self.truncated {
            let record = match &mut self.form {
                Form::Pcap(parser, header) => pcap_record(&mut self.rest, parser, header).map(Some),
                Form::PcapNg(parser, last) => pcapng_block(&mut self.rest, parser, last),
            };
            match record {
                Some(Some(record)) => return Some(record),
                Some(None) => {}
                None => self.truncated = true,
            }
        }
        None
    }
}

/// The next record; `None` where none is.
fn pcap_record<'a>(rest: &mut &'a [u8], parser: &PcapParser, header: &PcapHeader) -> Option<Record<'a>> {
    let here = *rest;
    // A raw record fails only by ending early.
    let (behind, record) = parser.next_raw_packet(here).ok()?;
    *rest = behind;
    let nanoseconds = match header.ts_resolution {
        TsResolution::MicroSecond => u64::from(record.ts_frac) * 1000,
        TsResolution::NanoSecond => u64::from(record.ts_frac),
    };
    Some(Record {
        at: Duration::from_secs(record.ts_sec.into()) + Duration::from_nanos(nanoseconds),
        link: header.datalink,
        frame: here.get(RECORD_HEADER..here.len() - behind.len())?,
    })
}

/// The next block, and the record if it is one; `None` where no block is.
fn pcapng_block<'a>(
    rest: &mut &'a [u8],
    parser: &mut PcapNgParser,
    last: &mut Duration,
) -> Option<Option<Record<'a>>> {
    let (behind, block) = parser.next_raw_block(rest).ok()?;
    *rest = behind;
    let Cow::Borrowed(body) = block.body else { return None };
    let record = packet(block.type_, body, parser, *last);
    if let Some(record) = &record {
        *last = record.at;
    }
    Some(record)
}

/// The record in the body of a block.
fn packet<'a>(kind: u32, body: &'a [u8], parser: &PcapNgParser, last: Duration) -> Option<Record<'a>> {
    let big = parser.section().endianness == Endianness::Big;
    let word = |at: usize| {
        let octets = *body.get(at..)?.first_chunk::<4>()?;
        Some(if big { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) })
    };
    if kind == SIMPLE_PACKET {
        let interface = parser.interfaces().first()?;
        let longest = if interface.snaplen == 0 { usize::MAX } else { interface.snaplen as usize };
        let frame = body.get(4..)?;
        let length = (word(0)? as usize).min(longest).min(frame.len());
        return Some(Record { at: last, link: interface.linktype, frame: frame.get(..length)? });
    }
    let interface = match kind {
        ENHANCED_PACKET => word(0)?,
        // The interface has half of the word, the one that comes first.
        PACKET if big => word(0)? >> 16,
        PACKET => word(0)? & 0xffff,
        _ => return None,
    };
    let interface = parser.interfaces().get(interface as usize)?;
    let units = u64::from(word(4)?) << 32 | u64::from(word(8)?);
    let length = word(12)? as usize;
    Some(Record {
        at: time(units, interface),
        link: interface.linktype,
        frame: body.get(20..)?.get(..length)?,
    })
}

/// Time stamps count in microseconds, unless the interface has another resolution.
fn time(units: u64, interface: &InterfaceDescriptionBlock<'_>) -> Duration {
    let (mut resolution, mut offset) = (6, 0);
    for option in &interface.options {
        match option {
            InterfaceDescriptionOption::IfTsResol(code) => resolution = *code,
            InterfaceDescriptionOption::IfTsOffset(seconds) => offset = *seconds as i64,
            _ => {}
        }
    }
    let exponent = u32::from(resolution & 0x7f);
    let per_second =
        if resolution & 0x80 != 0 { 1u128.checked_shl(exponent) } else { 10u128.checked_pow(exponent) };
    // A finer resolution than that leaves nothing of 64 bits.
    let nanoseconds = per_second.map_or(0, |per_second| u128::from(units) * 1_000_000_000 / per_second);
    let seconds = u64::try_from(nanoseconds / 1_000_000_000).unwrap_or(u64::MAX);
    let at = Duration::new(seconds, (nanoseconds % 1_000_000_000) as u32);
    let shift = Duration::from_secs(offset.unsigned_abs());
    if offset < 0 { at.saturating_sub(shift) } else { at.saturating_add(shift) }
}
