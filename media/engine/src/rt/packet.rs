//! The network as the processors see it: two objects that never wait.
//! In and out: whole datagrams in the engine's own buffers.
//! Not here: sockets (`offhook-net`), the virtual network (`simulate`), RTP (`offhook-rtp`).
//! RT: no allocation, lock, log or panic; the one syscall is non-blocking.

use std::net::SocketAddr;

/// Where packets leave. Implementations never wait and never allocate in these methods.
pub trait PacketTx: Send {
    /// Sends one datagram to the remote address, or tells at once why not.
    fn send(&mut self, packet: &[u8]) -> SendOutcome;

    /// Another remote address from now on.
    fn set_remote(&mut self, remote: SocketAddr);
}

/// What became of a datagram that was to be sent. None of them is retried: sound that waits is worse than lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOutcome {
    /// The network has it.
    Sent,
    /// The network would have made us wait: dropped.
    WouldBlock,
    /// The remote host says that nobody listens (an ICMP error of an earlier datagram): dropped.
    Refused,
    /// No remote address, or any other error: dropped.
    Failed,
}

/// Where packets come from. Implementations never wait and never allocate in this method.
pub trait PacketRx: Send {
    /// Takes the next datagram into `buffer`, or `None` if none waits.
    fn receive(&mut self, buffer: &mut [u8]) -> Option<Received>;
}

/// A datagram that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Octets written to the buffer. A datagram longer than the buffer is told with `len > buffer.len()` if the
    /// implementation knows its length, and counts as malformed.
    pub len: usize,
    /// Who sent it.
    pub source: SocketAddr,
    /// When it arrived: nanoseconds of the monotonic clock that the driver hands to the processors.
    pub arrival_ns: u64,
}
