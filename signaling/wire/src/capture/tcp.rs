//! Puts the octets of TCP connections in order (RFC 9293 3.4, sequence numbers).
//! In: TCP packets as captured. Out: connections whose segments hold each octet once.
//!
//! ```text
//!           expected
//!  ─ known ────┼──── new ────          overlap with known octets is cut off (retransmission)
//!                 ┌ hole ┐┌ waits ┐    until the hole is filled, or counts as lost
//! ```
//!
//! Not here: acknowledgements and windows; the capture shows what was sent.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::{Direction, MAX_OUT_OF_ORDER_OCTETS, MAX_OUT_OF_ORDER_SEGMENTS, Segment, TcpConnection};

/// What matters of one captured TCP packet.
#[derive(Debug)]
pub(super) struct TcpPacket {
    pub(super) at: Duration,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) sequence: u32,
    pub(super) syn: bool,
    pub(super) ack: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    pub(super) payload: Bytes,
}

/// All connections of a capture.
#[derive(Debug, Default)]
pub(super) struct Connections {
    connections: Vec<Assembly>,
    /// The latest connection between two addresses, lower address first.
    latest: HashMap<(SocketAddr, SocketAddr), usize>,
}

impl Connections {
    pub(super) fn handle_packet(&mut self, packet: TcpPacket) {
        let key = if packet.source <= packet.destination {
            (packet.source, packet.destination)
        } else {
            (packet.destination, packet.source)
        };
        let known = self.latest.get(&key).copied().filter(|&index| match self.connections.get(index) {
            Some(assembly) => !assembly.is_reopened_by(&packet),
            None => false,
        });
        let index = known.unwrap_or_else(|| {
            let index = self.connections.len();
            self.connections.push(Assembly::new(&packet));
            self.latest.insert(key, index);
            index
        });
        if let Some(assembly) = self.connections.get_mut(index) {
            assembly.handle_packet(packet);
        }
    }

    pub(super) fn finish(self) -> Vec<TcpConnection> {
        self.connections.into_iter().map(Assembly::finish).collect()
    }
}

#[derive(Debug)]
struct Assembly {
    connection: TcpConnection,
    from_client: Stream,
    from_server: Stream,
}

impl Assembly {
    fn new(first: &TcpPacket) -> Self {
        let source_is_client = match (first.syn, first.ack) {
            (true, false) => true,
            (true, true) => false,
            (false, _) => first.source.port() > first.destination.port(),
        };
        let (client, server) = if source_is_client {
            (first.source, first.destination)
        } else {
            (first.destination, first.source)
        };
        Self {
            connection: TcpConnection {
                client,
                server,
                opened: first.at,
                segments: Vec::new(),
                closed_by: None,
            },
            from_client: Stream::default(),
            from_server: Stream::default(),
        }
    }

    /// Whether `packet` opens a later connection between the same addresses: a SYN that is no
    /// repetition of the one that opened this.
    fn is_reopened_by(&self, packet: &TcpPacket) -> bool {
        if !packet.syn || packet.ack {
            return false;
        }
        packet.source != self.connection.client
            || self.from_client.initial != Some(packet.sequence.wrapping_add(1))
    }

    fn handle_packet(&mut self, packet: TcpPacket) {
        let (direction, stream) = if packet.source == self.connection.client {
            (Direction::FromClient, &mut self.from_client)
        } else {
            (Direction::FromServer, &mut self.from_server)
        };
        if packet.fin || packet.rst {
            self.connection.closed_by.get_or_insert(direction);
        }
        // SYN takes one sequence number; what RST carries is a reason, not data (RFC 9293 3.5.2).
        let sequence = packet.sequence.wrapping_add(u32::from(packet.syn));
        if packet.syn {
            stream.open(sequence);
        }
        if !packet.rst && !packet.payload.is_empty() {
            stream.handle_octets(
                packet.at,
                sequence,
                packet.payload,
                direction,
                &mut self.connection.segments,
            );
        }
    }

    fn finish(mut self) -> TcpConnection {
        let segments = &mut self.connection.segments;
        self.from_client.flush(Direction::FromClient, segments);
        self.from_server.flush(Direction::FromServer, segments);
        // Stable, so each direction keeps its order; flushed segments go where their time says.
        segments.sort_by_key(|segment| segment.at);
        self.connection
    }
}

/// One direction of a connection.
#[derive(Debug, Default)]
struct Stream {
    /// The sequence number of the first octet.
    initial: Option<u32>,
    /// The sequence number of the next octet to deliver.
    expected: u32,
    /// Octets delivered or lost so far: the stream offset of `expected`.
    offset: u64,
    /// Segments behind a hole by stream offset.
    waiting: BTreeMap<u64, (Duration, Bytes)>,
    waiting_octets: usize,
    /// The latest time delivered: later octets were not readable before.
    latest: Duration,
}

impl Stream {
    fn open(&mut self, first: u32) {
        if self.initial.is_none() {
            self.initial = Some(first);
            self.expected = first;
        }
    }

    fn handle_octets(
        &mut self,
        at: Duration,
        sequence: u32,
        octets: Bytes,
        direction: Direction,
        out: &mut Vec<Segment>,
    ) {
        self.open(sequence);
        // Sequence numbers wrap; the nearer way round is the meant one.
        let distance = sequence.wrapping_sub(self.expected).cast_signed();
        if distance <= 0 {
            let known = distance.unsigned_abs() as usize;
            if known < octets.len() {
                self.deliver(at, octets.slice(known..), 0, direction, out);
                self.drain(at, direction, out);
            }
            return;
        }
        let offset = self.offset + u64::from(distance.unsigned_abs());
        let length = octets.len();
        let slot = self.waiting.entry(offset).or_insert((at, Bytes::new()));
        if slot.1.len() < length {
            self.waiting_octets = self.waiting_octets - slot.1.len() + length;
            slot.1 = octets;
        }
        // Too much waits: the hole will not be filled.
        while self.waiting_octets > MAX_OUT_OF_ORDER_OCTETS || self.waiting.len() > MAX_OUT_OF_ORDER_SEGMENTS
        {
            self.skip_hole(at, direction, out);
            self.drain(at, direction, out);
        }
    }

    /// Delivers what has waited for the octets that came before it.
    fn drain(&mut self, at: Duration, direction: Direction, out: &mut Vec<Segment>) {
        while let Some(entry) = self.waiting.first_entry() {
            if *entry.key() > self.offset {
                break;
            }
            let (offset, (_, octets)) = entry.remove_entry();
            self.waiting_octets -= octets.len();
            let known = usize::try_from(self.offset - offset).unwrap_or(usize::MAX);
            if known < octets.len() {
                self.deliver(at, octets.slice(known..), 0, direction, out);
            }
        }
    }

    /// Gives the octets up that the first waiting segment waits for.
    fn skip_hole(&mut self, at: Duration, direction: Direction, out: &mut Vec<Segment>) {
        if let Some((offset, (_, octets))) = self.waiting.pop_first() {
            self.waiting_octets -= octets.len();
            let missing = offset.saturating_sub(self.offset);
            self.deliver(at, octets, missing, direction, out);
        }
    }

    fn deliver(
        &mut self,
        at: Duration,
        bytes: Bytes,
        missing_before: u64,
        direction: Direction,
        out: &mut Vec<Segment>,
    ) {
        let advance = missing_before + bytes.len() as u64;
        self.offset += advance;
        // Modulo 2^32, as sequence numbers count.
        self.expected = self.expected.wrapping_add(advance as u32);
        self.latest = self.latest.max(at);
        out.push(Segment { at: self.latest, direction, bytes, missing_before });
    }

    /// At the end of the capture: holes are lost, what waits is delivered at its own time.
    fn flush(&mut self, direction: Direction, out: &mut Vec<Segment>) {
        while let Some((&offset, &(at, _))) = self.waiting.first_key_value() {
            if offset <= self.offset {
                self.drain(at, direction, out);
            } else {
                self.skip_hole(at, direction, out);
            }
        }
    }
}
