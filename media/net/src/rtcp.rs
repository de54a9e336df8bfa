//! The RTCP socket of a call, for the control side.
//! In: compound packets. Out: the same from the peer's host alone, with their source and arrival time.
//! Not here: RTCP itself (`offhook_rtp::RtcpSession`), which tells when and what to send.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use offhook_engine::SendOutcome;

use crate::rtp::{Reader, reachable, send_to};

/// Datagrams of strangers that one `receive` drops before it returns.
const MAX_STRANGERS: usize = 64;

/// A non-blocking RTCP socket that listens to one host.
#[derive(Debug)]
pub struct RtcpSocket {
    socket: Arc<UdpSocket>,
    reader: Reader,
    local: SocketAddr,
    peer: Option<IpAddr>,
    strangers: u64,
}

/// An RTCP datagram that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtcpReceived {
    /// Octets written to the buffer; a longer datagram is cut.
    pub len: usize,
    /// Who sent it.
    pub source: SocketAddr,
    /// When it arrived, by the kernel's stamp, or else was read: nanoseconds of the monotonic clock.
    pub arrival_ns: u64,
}

impl RtcpSocket {
    pub(crate) fn new(socket: UdpSocket, local: SocketAddr, has_stamps: bool) -> RtcpSocket {
        let socket = Arc::new(socket);
        let reader = Reader::new(Arc::clone(&socket), has_stamps);
        RtcpSocket { socket, reader, local, peer: None, strangers: 0 }
    }

    /// Where RTCP is received.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The host that is listened to; `None`, as in the beginning, is nobody.
    pub fn set_peer(&mut self, peer: Option<IpAddr>) {
        self.peer = peer.map(|peer| peer.to_canonical());
    }

    /// Datagrams from other hosts that were dropped.
    pub fn strangers(&self) -> u64 {
        self.strangers
    }

    /// Sends one compound packet, or tells at once why not.
    pub fn send(&self, packet: &[u8], remote: SocketAddr) -> SendOutcome {
        send_to(&self.socket, packet, reachable(self.local, remote))
    }

    /// Takes the peer's next packet into `buffer`, or `None` if none waits. What strangers sent is dropped and counted
    /// on the way; a flood of it also ends in `None`, until the next call.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Option<RtcpReceived> {
        for _ in 0..MAX_STRANGERS {
            let received = self.reader.receive(buffer)?;
            if self.peer == Some(received.source.ip().to_canonical()) {
                let len = received.len.min(buffer.len());
                return Some(RtcpReceived { len, source: received.source, arrival_ns: received.arrival_ns });
            }
            self.strangers += 1;
        }
        None
    }
}
