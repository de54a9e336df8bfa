//! Builds a capture from payloads: nanosecond pcap, raw IP, addresses as they were.
//! In: what was sent, when and between whom. Out: records on any [`Write`]r.
//!
//! A socket API shows payloads, not packets, so headers are made up, consistently: TCP gets its
//! handshake, sequence and acknowledgement numbers, FIN; every checksum is right. Wireshark follows
//! such a stream as if it had been captured.
//!
//! Not here: when and what to write (the caller); reading (`reader`).

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use etherparse::{IpHeaders, IpNumber, Ipv4Header, Ipv6Header, PacketBuilder, TcpOptionElement};
use pcap_file::pcap::PcapHeader;
use pcap_file::{DataLink, Endianness, PcapError, TsResolution};

use super::RECORD_HEADER;

/// The longest data of one TCP packet: 65,535 less the IPv4 and TCP headers. Longer payloads are
/// split.
const MAX_SEGMENT: u16 = 65_495;

/// The longest data of one UDP datagram over IPv4.
const MAX_DATAGRAM: usize = 65_507;

/// After so many octets in one direction the other side acknowledges, so that its window of
/// 65,535 never looks full.
const ACKNOWLEDGE_AFTER: u32 = 16_384;

const WINDOW: u16 = 65_535;
const HOP_LIMIT: u8 = 64;

/// Room for any IP packet.
const SNAP_LENGTH: u32 = 262_144;

/// Writes payloads as a capture.
///
/// Call order: any of [`udp`](Self::udp), [`tcp_connect`](Self::tcp_connect),
/// [`tcp`](Self::tcp), [`tcp_close`](Self::tcp_close); then [`finish`](Self::finish). Times count
/// from the Unix epoch and should not go back. An error of the writer below is returned as it is;
/// [`io::ErrorKind::InvalidInput`] says that the caller asked for something no packet can be.
#[derive(Debug)]
pub struct CaptureWriter<W: Write> {
    writer: W,
    connections: HashMap<(SocketAddr, SocketAddr), TcpState>,
    opened: u32,
    /// The record under construction, its allocation kept.
    record: Vec<u8>,
}

/// Both sides of an open connection; the key names the client first.
#[derive(Debug, Clone, Copy)]
struct TcpState {
    client: TcpSide,
    server: TcpSide,
}

#[derive(Debug, Clone, Copy)]
struct TcpSide {
    next_sequence: u32,
    unacknowledged: u32,
    finished: bool,
}

impl TcpSide {
    fn new(initial: u32) -> Self {
        Self { next_sequence: initial, unacknowledged: 0, finished: false }
    }
}

/// The flags of a TCP packet; ACK is set in all but the first SYN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flags {
    Syn,
    Ack,
    Data,
    Fin,
}

/// One TCP packet to be.
struct TcpHead {
    source: SocketAddr,
    destination: SocketAddr,
    sequence: u32,
    acknowledgement: Option<u32>,
    flags: Flags,
}

impl<W: Write> CaptureWriter<W> {
    /// Writes the file header to `writer`. Each packet will be one `write_all`.
    ///
    /// # Errors
    ///
    /// What `writer` returns.
    pub fn new(mut writer: W) -> io::Result<Self> {
        let header = PcapHeader {
            snaplen: SNAP_LENGTH,
            datalink: DataLink::RAW,
            ts_resolution: TsResolution::NanoSecond,
            endianness: Endianness::Little,
            ..PcapHeader::default()
        };
        header.write_to(&mut writer).map_err(into_io)?;
        Ok(Self { writer, connections: HashMap::new(), opened: 0, record: Vec::new() })
    }

    /// One UDP datagram.
    ///
    /// # Errors
    ///
    /// What the writer returns; invalid input for a payload over 65,507 octets, or addresses of
    /// two families.
    pub fn udp(
        &mut self,
        at: Duration,
        source: SocketAddr,
        destination: SocketAddr,
        payload: &[u8],
    ) -> io::Result<()> {
        if payload.len() > MAX_DATAGRAM {
            return Err(invalid("a UDP payload over 65,507 octets"));
        }
        let builder = PacketBuilder::ip(ip_header(source, destination, IpNumber::UDP)?)
            .udp(source.port(), destination.port());
        self.begin_record();
        builder.write_to_vec(&mut self.record, payload).map_err(|error| invalid(error.to_string()))?;
        self.end_record(at)
    }

    /// The three packets that open a connection. Opening an open one again does nothing.
    ///
    /// # Errors
    ///
    /// What the writer returns; invalid input for addresses of two families.
    pub fn tcp_connect(&mut self, at: Duration, client: SocketAddr, server: SocketAddr) -> io::Result<()> {
        if self.find(client, server).is_some() {
            return Ok(());
        }
        // Initial sequence numbers differ for each connection, so that ports used again are seen
        // as another stream.
        let initial = self.opened.wrapping_mul(0x0100_0193).wrapping_add(1);
        self.opened = self.opened.wrapping_add(1);
        let mut state = TcpState {
            client: TcpSide::new(initial),
            server: TcpSide::new(initial.wrapping_add(0x8000_0000)),
        };
        let mut head = TcpHead {
            source: client,
            destination: server,
            sequence: state.client.next_sequence,
            acknowledgement: None,
            flags: Flags::Syn,
        };
        self.tcp_packet(at, &head, &[])?;
        state.client.next_sequence = state.client.next_sequence.wrapping_add(1);
        head = TcpHead {
            source: server,
            destination: client,
            sequence: state.server.next_sequence,
            acknowledgement: Some(state.client.next_sequence),
            flags: Flags::Syn,
        };
        self.tcp_packet(at, &head, &[])?;
        state.server.next_sequence = state.server.next_sequence.wrapping_add(1);
        head = TcpHead {
            source: client,
            destination: server,
            sequence: state.client.next_sequence,
            acknowledgement: Some(state.server.next_sequence),
            flags: Flags::Ack,
        };
        self.tcp_packet(at, &head, &[])?;
        self.connections.insert((client, server), state);
        Ok(())
    }

    /// Octets that `source` sent to `destination` on their connection; opens it with `source` as
    /// the client when there is none.
    ///
    /// # Errors
    ///
    /// What the writer returns; invalid input for addresses of two families, or when `source` has
    /// closed its side.
    pub fn tcp(
        &mut self,
        at: Duration,
        source: SocketAddr,
        destination: SocketAddr,
        payload: &[u8],
    ) -> io::Result<()> {
        let key = match self.find(source, destination) {
            Some(key) => key,
            None => {
                self.tcp_connect(at, source, destination)?;
                (source, destination)
            }
        };
        for chunk in payload.chunks(usize::from(MAX_SEGMENT)) {
            self.tcp_send(at, key, source, destination, chunk, Flags::Data)?;
        }
        Ok(())
    }

    /// `source` closes its side of the connection. When both sides have, it is forgotten; closing
    /// what is not open does nothing.
    ///
    /// # Errors
    ///
    /// What the writer returns.
    pub fn tcp_close(&mut self, at: Duration, source: SocketAddr, destination: SocketAddr) -> io::Result<()> {
        let Some(key) = self.find(source, destination) else {
            return Ok(());
        };
        let Some(state) = self.connections.get(&key).copied() else {
            return Ok(());
        };
        let (mine, other) = sides(&state, key.0 == source);
        if mine.finished {
            return Ok(());
        }
        let both = other.finished;
        self.tcp_send(at, key, source, destination, &[], Flags::Fin)?;
        if both {
            self.connections.remove(&key);
        }
        Ok(())
    }

    /// Closes what is open, both sides, at `at`; flushes; returns the writer.
    ///
    /// # Errors
    ///
    /// What the writer returns.
    pub fn finish(mut self, at: Duration) -> io::Result<W> {
        let mut open: Vec<_> = self.connections.keys().copied().collect();
        open.sort_unstable();
        for (client, server) in open {
            self.tcp_close(at, client, server)?;
            self.tcp_close(at, server, client)?;
        }
        self.writer.flush()?;
        Ok(self.writer)
    }

    /// Lets what has been written reach its destination, for a capture that is read while it grows.
    ///
    /// # Errors
    ///
    /// What the writer returns.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    fn find(&self, a: SocketAddr, b: SocketAddr) -> Option<(SocketAddr, SocketAddr)> {
        [(a, b), (b, a)].into_iter().find(|key| self.connections.contains_key(key))
    }

    /// One packet of an open connection, and the acknowledgement that follows it.
    fn tcp_send(
        &mut self,
        at: Duration,
        key: (SocketAddr, SocketAddr),
        source: SocketAddr,
        destination: SocketAddr,
        data: &[u8],
        flags: Flags,
    ) -> io::Result<()> {
        let Some(mut state) = self.connections.get(&key).copied() else {
            return Err(invalid("the connection is not open"));
        };
        let from_client = key.0 == source;
        let (mine, other) = sides(&state, from_client);
        if mine.finished {
            return Err(invalid("data behind FIN"));
        }
        let head = TcpHead {
            source,
            destination,
            sequence: mine.next_sequence,
            acknowledgement: Some(other.next_sequence),
            flags,
        };
        self.tcp_packet(at, &head, data)?;

        let fin = flags == Flags::Fin;
        // A segment has at most MAX_SEGMENT octets.
        let advance = (data.len() as u32).wrapping_add(u32::from(fin));
        let (mine, other) = if from_client {
            (&mut state.client, &mut state.server)
        } else {
            (&mut state.server, &mut state.client)
        };
        mine.next_sequence = mine.next_sequence.wrapping_add(advance);
        mine.unacknowledged = mine.unacknowledged.saturating_add(advance);
        mine.finished = fin;
        other.unacknowledged = 0;
        if fin || mine.unacknowledged >= ACKNOWLEDGE_AFTER {
            mine.unacknowledged = 0;
            let head = TcpHead {
                source: destination,
                destination: source,
                sequence: other.next_sequence,
                acknowledgement: Some(mine.next_sequence),
                flags: Flags::Ack,
            };
            self.tcp_packet(at, &head, &[])?;
        }
        self.connections.insert(key, state);
        Ok(())
    }

    fn tcp_packet(&mut self, at: Duration, head: &TcpHead, data: &[u8]) -> io::Result<()> {
        let (source, destination) = (head.source, head.destination);
        let mut builder = PacketBuilder::ip(ip_header(source, destination, IpNumber::TCP)?).tcp(
            source.port(),
            destination.port(),
            head.sequence,
            WINDOW,
        );
        builder = match head.flags {
            Flags::Syn => builder
                .syn()
                .options(&[TcpOptionElement::MaximumSegmentSize(MAX_SEGMENT)])
                .map_err(|error| invalid(format!("{error:?}")))?,
            Flags::Ack => builder,
            Flags::Data => builder.psh(),
            Flags::Fin => builder.fin(),
        };
        if let Some(acknowledgement) = head.acknowledgement {
            builder = builder.ack(acknowledgement);
        }
        self.begin_record();
        builder.write_to_vec(&mut self.record, data).map_err(|error| invalid(error.to_string()))?;
        self.end_record(at)
    }

    fn begin_record(&mut self) {
        self.record.clear();
        self.record.resize(RECORD_HEADER, 0);
    }

    /// Fills the record's header in and writes the record: seconds, nanoseconds, length in the
    /// file, length on the wire.
    fn end_record(&mut self, at: Duration) -> io::Result<()> {
        let seconds = u32::try_from(at.as_secs())
            .map_err(|_| invalid("a time that pcap's 32 bits of seconds cannot express"))?;
        let length = u32::try_from(self.record.len() - RECORD_HEADER).map_err(invalid)?;
        let fields = [seconds, at.subsec_nanos(), length, length];
        for (octets, field) in self.record.chunks_exact_mut(4).zip(fields) {
            octets.copy_from_slice(&field.to_le_bytes());
        }
        self.writer.write_all(&self.record)
    }
}

/// The sender's side and the other.
fn sides(state: &TcpState, from_client: bool) -> (TcpSide, TcpSide) {
    if from_client { (state.client, state.server) } else { (state.server, state.client) }
}

/// The IP header between two addresses of one family; IPv4-mapped IPv6, which dual-stack sockets
/// report, counts as IPv4.
fn ip_header(source: SocketAddr, destination: SocketAddr, protocol: IpNumber) -> io::Result<IpHeaders> {
    // Lengths and checksums are filled in by the builder.
    match (source.ip().to_canonical(), destination.ip().to_canonical()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            Ipv4Header::new(0, HOP_LIMIT, protocol, source.octets(), destination.octets())
                .map(|header| IpHeaders::Ipv4(header, Default::default()))
                .map_err(|error| invalid(error.to_string()))
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => Ok(IpHeaders::Ipv6(
            Ipv6Header {
                next_header: protocol,
                hop_limit: HOP_LIMIT,
                source: source.octets(),
                destination: destination.octets(),
                ..Ipv6Header::default()
            },
            Default::default(),
        )),
        _ => Err(invalid("source and destination are of two address families")),
    }
}

fn invalid(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

fn into_io(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => invalid(other.to_string()),
    }
}
