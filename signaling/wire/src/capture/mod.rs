//! Packet captures: what a wire carried, as files that Wireshark shares.
//! In: the octets of a pcap or pcapng file. Out: UDP datagrams and reassembled TCP streams in time order
//! ([`Capture`]). And back: payloads in, a pcap file out ([`CaptureWriter`]).
//!
//! ```text
//! pcap ─ link ─ IP ─┬ UDP ─────────────► Datagram
//!                   └ TCP ─ reassembly ► TcpConnection ─ [Segment]      no octet twice, in order
//! ```
//!
//! Pure on octets: no file is opened, no clock read. Time is what the records say.
//!
//! Not here: IP fragments (counted, not reassembled); what the payloads mean (`tpkt`, `q931`, `h225`, `h245`).

mod reader;
mod records;
mod tcp;
mod writer;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

pub use writer::CaptureWriter;

/// The most records that [`Capture::parse`] reads; what follows is not looked at and
/// [`Capture::is_truncated`] says so.
pub const MAX_RECORDS: usize = 4_000_000;

/// How many octets, per direction of a connection, wait for an earlier segment before the missing
/// ones count as lost.
pub const MAX_OUT_OF_ORDER_OCTETS: usize = 1 << 20;

/// How many segments, per direction of a connection, wait for an earlier one before the missing
/// octets count as lost.
pub const MAX_OUT_OF_ORDER_SEGMENTS: usize = 1024;

/// Octets before the frame in each pcap record: seconds, fraction, length in the file, length on
/// the wire, four octets each.
const RECORD_HEADER: usize = 16;

/// Why octets are no capture that can be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// Neither a pcap header nor a pcapng section header.
    #[error("this is no pcap or pcapng file: {0}")]
    NotPcap(String),
    /// Nothing but frames of link layers other than Ethernet, Linux cooked (SLL, SLL2), raw IP and BSD loopback.
    #[error("link type {0} is not supported; Ethernet, Linux cooked, raw IP and loopback are")]
    LinkType(u32),
}

/// A capture, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capture {
    start: Duration,
    udp: Vec<Datagram>,
    tcp: Vec<TcpConnection>,
    records: usize,
    skipped: usize,
    truncated: bool,
}

impl Capture {
    /// Takes the pcap or pcapng file in `octets` apart. The payloads share one copy of `octets`, and memory
    /// beyond it is proportional to the number of records.
    ///
    /// # Errors
    ///
    /// When the file header is of neither form, or no frame of a link layer that can be read. Records in error
    /// are skipped and counted; a file that ends inside a record is [truncated](Self::is_truncated).
    pub fn parse(octets: &[u8]) -> Result<Self, CaptureError> {
        reader::parse(octets)
    }

    /// When the first record was captured, since the Unix epoch. Every `at` counts from here.
    #[must_use]
    pub fn start(&self) -> Duration {
        self.start
    }

    /// UDP datagrams in the order of their records.
    #[must_use]
    pub fn udp(&self) -> &[Datagram] {
        &self.udp
    }

    /// TCP connections in the order of their first packets.
    #[must_use]
    pub fn tcp_connections(&self) -> &[TcpConnection] {
        &self.tcp
    }

    /// How many records were read.
    #[must_use]
    pub fn records(&self) -> usize {
        self.records
    }

    /// How many records hold neither UDP nor TCP over IP, or are fragments of it.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Whether the file ends inside a record or has more than [`MAX_RECORDS`].
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }
}

/// One UDP datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// When, since the start of the capture.
    pub at: Duration,
    /// From where.
    pub source: SocketAddr,
    /// To where.
    pub destination: SocketAddr,
    /// Its payload.
    pub payload: Bytes,
}

/// Which side of a TCP connection sent something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The side that opened the connection.
    FromClient,
    /// The side that was connected to.
    FromServer,
}

/// One TCP connection, reassembled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpConnection {
    /// The side that sent SYN; without SYN in the capture, the side with the higher port.
    pub client: SocketAddr,
    /// The other side.
    pub server: SocketAddr,
    /// When its first packet was captured, since the start of the capture.
    pub opened: Duration,
    /// What was sent, in both directions: each direction in stream order without repeated octets,
    /// the whole in time order.
    pub segments: Vec<Segment>,
    /// Who ended the connection first, by FIN or RST.
    pub closed_by: Option<Direction>,
}

impl TcpConnection {
    /// The address that `direction` comes from.
    #[must_use]
    pub fn source(&self, direction: Direction) -> SocketAddr {
        match direction {
            Direction::FromClient => self.client,
            Direction::FromServer => self.server,
        }
    }

    /// Octets that `direction` sent and the capture lacks.
    #[must_use]
    pub fn missing(&self, direction: Direction) -> u64 {
        self.segments
            .iter()
            .filter(|segment| segment.direction == direction)
            .map(|segment| segment.missing_before)
            .sum()
    }
}

/// New octets of one direction, as one TCP packet brought them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// When they became readable, since the start of the capture.
    pub at: Duration,
    /// Who sent them.
    pub direction: Direction,
    /// The octets.
    pub bytes: Bytes,
    /// How many octets before them the capture lacks. Not zero breaks the framing above TCP.
    pub missing_before: u64,
}
