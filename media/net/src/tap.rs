//! Copies of what passes a socket, for a capture file.
//! In: datagrams, from real time, through preallocated rings. Out: the same to control, in the order of time.
//!
//! One ring a direction (each half has its own thread), filled with records of a fixed head and the datagram. A record
//! that does not fit is left out and counted: the call never waits for a disk.
//! Not here: the capture file's format; RTCP, which control sends and receives itself.
//! RT (`TapWriter`): no allocation, lock, syscall, log or panic.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

/// Octets of a record before its datagram: time, family, two addresses, two ports, length.
const HEAD: usize = 8 + 1 + 2 * 18 + 2;
/// Octets of the longest datagram that is copied.
const MAX_DATAGRAM: usize = 2_048;

/// Which way a datagram went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the network.
    Sent,
    /// From the network.
    Received,
}

/// A datagram that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TapRecord<'a> {
    /// When: nanoseconds of the monotonic clock.
    pub at_ns: u64,
    /// Which way.
    pub direction: Direction,
    /// Our address.
    pub local: SocketAddr,
    /// The other one.
    pub remote: SocketAddr,
    /// The whole datagram.
    pub bytes: &'a [u8],
}

/// The real-time end of one direction's ring.
pub struct TapWriter {
    direction: Direction,
    ring: HeapProd<u8>,
    lost: Arc<AtomicU64>,
}

/// The control end of both rings.
pub struct TapReader {
    rings: [Ring; 2],
    lost: Arc<AtomicU64>,
}

struct Ring {
    ring: HeapCons<u8>,
    /// The record at the front, once read.
    next: Option<Head>,
    bytes: Box<[u8]>,
}

#[derive(Clone, Copy)]
struct Head {
    at_ns: u64,
    direction: Direction,
    local: SocketAddr,
    remote: SocketAddr,
    len: usize,
}

/// A tap: the writers for sent and received datagrams, in this order, and their reader. Each direction's ring has room
/// for `datagrams` G.711 packets of 20 ms, fewer if they are longer.
pub fn tap(datagrams: usize) -> ([TapWriter; 2], TapReader) {
    // One of the longest fits in any case.
    let capacity = (datagrams.saturating_mul(HEAD + 172)).max(HEAD + MAX_DATAGRAM);
    let lost = Arc::new(AtomicU64::new(0));
    let (sent, sent_out) = HeapRb::new(capacity).split();
    let (received, received_out) = HeapRb::new(capacity).split();
    let writer = |direction, ring| TapWriter { direction, ring, lost: Arc::clone(&lost) };
    let ring = |ring| Ring { ring, next: None, bytes: vec![0; MAX_DATAGRAM].into() };
    let writers = [writer(Direction::Sent, sent), writer(Direction::Received, received)];
    (writers, TapReader { rings: [ring(sent_out), ring(received_out)], lost })
}

impl TapWriter {
    /// Copies a datagram, or counts it as lost if there is no room.
    pub fn write(&mut self, at_ns: u64, local: SocketAddr, remote: SocketAddr, bytes: &[u8]) {
        if bytes.len() > MAX_DATAGRAM || self.ring.vacant_len() < HEAD + bytes.len() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let head = Head { at_ns, direction: self.direction, local, remote, len: bytes.len() };
        self.ring.push_slice(&head.to_bytes());
        self.ring.push_slice(bytes);
    }
}

impl TapReader {
    /// Hands every record so far to `write`, those of both directions in the order of their times; how many.
    ///
    /// Arrivals are stamped by the kernel before they are read: a record may be a period older than one handed over by
    /// the call before.
    pub fn drain(&mut self, write: &mut dyn FnMut(TapRecord<'_>)) -> usize {
        let mut drained = 0;
        loop {
            let [sent, received] = &mut self.rings;
            let ring = match (sent.peek(), received.peek()) {
                (None, None) => return drained,
                (Some(_), None) => sent,
                (None, Some(_)) => received,
                (Some(out), Some(back)) if out <= back => sent,
                (Some(_), Some(_)) => received,
            };
            if let Some(head) = ring.next.take() {
                let bytes = ring.bytes.get_mut(..head.len).unwrap_or_default();
                ring.ring.pop_slice(bytes);
                let Head { at_ns, direction, local, remote, .. } = head;
                write(TapRecord { at_ns, direction, local, remote, bytes });
                drained += 1;
            }
        }
    }

    /// Datagrams that were not copied because the reader was late, or that were too long.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Ring {
    /// The time of the record at the front, once it is there as a whole.
    fn peek(&mut self) -> Option<u64> {
        if self.next.is_none() && self.ring.occupied_len() >= HEAD {
            let mut head = [0; HEAD];
            self.ring.pop_slice(&mut head);
            self.next = Some(Head::from_bytes(&head));
        }
        self.next.filter(|head| self.ring.occupied_len() >= head.len).map(|head| head.at_ns)
    }
}

impl Head {
    fn to_bytes(self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        let mut room = bytes.as_mut_slice();
        let mut put = |octets: &[u8]| {
            if let Some((front, rest)) = std::mem::take(&mut room).split_at_mut_checked(octets.len()) {
                front.copy_from_slice(octets);
                room = rest;
            }
        };
        put(&self.at_ns.to_be_bytes());
        let families = u8::from(self.local.is_ipv6()) << 2 | u8::from(self.remote.is_ipv6()) << 1;
        put(&[families | u8::from(self.direction == Direction::Sent)]);
        for address in [self.local, self.remote] {
            let ip = match address.ip() {
                IpAddr::V4(v4) => v4.to_ipv6_mapped(),
                IpAddr::V6(v6) => v6,
            };
            put(&ip.octets());
            put(&address.port().to_be_bytes());
        }
        put(&u16::try_from(self.len).unwrap_or(0).to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; HEAD]) -> Head {
        let mut left = bytes.as_slice();
        fn take<const N: usize>(left: &mut &[u8]) -> [u8; N] {
            match left.split_first_chunk::<N>() {
                Some((front, rest)) => {
                    *left = rest;
                    *front
                }
                None => [0; N],
            }
        }
        let at_ns = u64::from_be_bytes(take(&mut left));
        let [flags] = take::<1>(&mut left);
        let mut address = |is_v6: bool| {
            let ip = Ipv6Addr::from(take::<16>(&mut left));
            let port = u16::from_be_bytes(take(&mut left));
            let ip = match ip.to_ipv4_mapped() {
                Some(v4) if !is_v6 => IpAddr::V4(v4),
                _ => IpAddr::V6(ip),
            };
            SocketAddr::new(ip, port)
        };
        let (local, remote) = (address(flags & 4 != 0), address(flags & 2 != 0));
        let len = usize::from(u16::from_be_bytes(take(&mut left)));
        let direction = if flags & 1 != 0 { Direction::Sent } else { Direction::Received };
        Head { at_ns, direction, local, remote, len }
    }
}

impl std::fmt::Debug for TapWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TapWriter").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TapReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TapReader").field("lost", &self.lost()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_goes_in_comes_out_whole_and_in_the_order_of_time() {
        let ([mut sent, mut received], mut reader) = tap(8);
        let (v4, v6, mapped) = (at("192.0.2.1:5004"), at("[2001:db8::1]:5006"), at("[::ffff:1.2.3.4]:1"));
        sent.write(10, v4, at("198.51.100.2:6000"), b"first");
        sent.write(30, v6, mapped, &[7; 1_000]);
        received.write(20, v4, v4, b"");
        let mut seen = Vec::new();
        assert_eq!(
            reader.drain(&mut |record| {
                seen.push((
                    record.at_ns,
                    record.direction,
                    record.local,
                    record.remote,
                    record.bytes.to_vec(),
                ));
            }),
            3
        );
        assert_eq!(
            seen,
            [
                (10, Direction::Sent, v4, at("198.51.100.2:6000"), b"first".to_vec()),
                (20, Direction::Received, v4, v4, Vec::new()),
                (30, Direction::Sent, v6, mapped, vec![7; 1_000]),
            ]
        );
        assert_eq!((reader.drain(&mut |_| {}), reader.lost()), (0, 0));
    }

    #[test]
    fn a_late_reader_loses_whole_datagrams_and_knows_how_many() {
        let ([mut sent, _received], mut reader) = tap(1);
        let (here, there) = (at("192.0.2.1:5004"), at("192.0.2.2:5004"));
        let mut kept = 0;
        for round in 0..200u64 {
            sent.write(round, here, there, &[round as u8; 500]);
            if round % 7 == 0 {
                reader.drain(&mut |record| {
                    assert_eq!(record.bytes, [record.at_ns as u8; 500]);
                    kept += 1;
                });
            }
        }
        reader.drain(&mut |_| kept += 1);
        sent.write(0, here, there, &[0; MAX_DATAGRAM + 1]);
        assert_eq!(reader.drain(&mut |_| {}), 0);
        assert!(kept < 200);
        assert_eq!(kept + reader.lost(), 201);
    }
}
