//! Every datagram of a call, in the order of time, to whoever captures.
//! In: copies of RTP from the real-time side's rings, RTCP from the service thread. Out: [`PacketTap::datagram`].
//!
//! The kernel stamps an arrival before the packet is read, up to a tick later: what is newer than [`HOLD_NS`] waits
//! for the next turn, so that nothing is handed on after something younger.
//! Not here: capture files; the rings (`offhook_net::tap`).

use std::net::SocketAddr;
use std::sync::Arc;

pub use offhook_net::Direction as PacketDirection;
use offhook_net::{TapReader, TapRecord};

/// How long a datagram may be overtaken, in nanoseconds.
const HOLD_NS: u64 = 50_000_000;

/// Hears every datagram of RTP and RTCP that is sent or received.
pub trait PacketTap: Send + Sync {
    /// One datagram, and which way it went. `at_ns`: when, on the monotonic clock; arrivals by the kernel's stamp. Not
    /// called in real time, but soon after it: must not block for long.
    fn datagram(
        &self,
        at_ns: u64,
        way: PacketDirection,
        source: SocketAddr,
        destination: SocketAddr,
        payload: &[u8],
    );
}

/// One call's tap.
pub(crate) struct CallTap {
    reader: TapReader,
    out: Arc<dyn PacketTap>,
    /// Where RTP is received, as the peer knows it: sockets bound to every address do not know it.
    local: SocketAddr,
    held: Vec<Record>,
    lost: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Record {
    at_ns: u64,
    way: PacketDirection,
    source: SocketAddr,
    destination: SocketAddr,
    bytes: Vec<u8>,
}

impl CallTap {
    pub(crate) fn new(reader: TapReader, out: Arc<dyn PacketTap>, local: SocketAddr) -> Self {
        Self { reader, out, local, held: Vec::new(), lost: 0 }
    }

    /// A datagram of RTCP.
    pub(crate) fn note(
        &mut self,
        at_ns: u64,
        way: PacketDirection,
        source: SocketAddr,
        destination: SocketAddr,
        bytes: &[u8],
    ) {
        self.held.push(Record { at_ns, way, source, destination, bytes: bytes.to_vec() });
    }

    /// Hands on what can no longer be overtaken at `now_ns`; everything for `u64::MAX`.
    pub(crate) fn drain(&mut self, now_ns: u64) {
        let (held, local) = (&mut self.held, self.local);
        self.reader.drain(&mut |TapRecord { at_ns, direction, local: own, remote, bytes }| {
            let own = if own.ip().is_unspecified() { local } else { own };
            let (source, destination) = match direction {
                PacketDirection::Sent => (own, remote),
                PacketDirection::Received => (remote, own),
            };
            held.push(Record { at_ns, way: direction, source, destination, bytes: bytes.to_vec() });
        });
        self.held.sort_by_key(|record| record.at_ns);
        let horizon_ns = if now_ns == u64::MAX { now_ns } else { now_ns.saturating_sub(HOLD_NS) };
        let ripe = self.held.partition_point(|record| record.at_ns <= horizon_ns);
        for Record { at_ns, way, source, destination, bytes } in self.held.drain(..ripe) {
            self.out.datagram(at_ns, way, source, destination, &bytes);
        }
        let lost = self.reader.lost();
        if lost > self.lost {
            tracing::warn!(lost = lost - self.lost, total = lost, "datagrams are missing in the capture");
            self.lost = lost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Heard(Mutex<Vec<Record>>);

    impl PacketTap for Heard {
        fn datagram(
            &self,
            at_ns: u64,
            way: PacketDirection,
            source: SocketAddr,
            destination: SocketAddr,
            payload: &[u8],
        ) {
            crate::lock(&self.0).push(Record { at_ns, way, source, destination, bytes: payload.to_vec() });
        }
    }

    #[test]
    fn what_is_read_late_still_comes_in_the_order_of_time() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let (any, own, peer) = (at("0.0.0.0:5004"), at("192.0.2.1:5004"), at("192.0.2.2:6000"));
        let heard = Arc::new(Heard::default());
        let ([mut sent, mut received], reader) = offhook_net::tap(16);
        let mut tap = CallTap::new(reader, heard.clone(), own);
        let ms = 1_000_000;
        sent.write(9 * ms, any, peer, b"sent");
        tap.note(10 * ms, PacketDirection::Sent, own, peer, b"rtcp");
        tap.drain(20 * ms);
        received.write(5 * ms, any, peer, b"received");
        tap.drain(58 * ms);
        tap.drain(59 * ms);
        let way = |source| if source == peer { PacketDirection::Received } else { PacketDirection::Sent };
        let record = |at_ms, source, destination, bytes: &[u8]| Record {
            at_ns: at_ms * ms,
            way: way(source),
            source,
            destination,
            bytes: bytes.to_vec(),
        };
        let mut expected = vec![record(5, peer, own, b"received"), record(9, own, peer, b"sent")];
        assert_eq!(*crate::lock(&heard.0), expected);
        tap.drain(u64::MAX);
        expected.push(record(10, own, peer, b"rtcp"));
        assert_eq!(*crate::lock(&heard.0), expected);
    }
}
