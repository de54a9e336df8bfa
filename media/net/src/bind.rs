//! Finds and binds a pair of ports: RTP on an even one, RTCP on the odd one above (RFC 3550 §11).
//! In: a local address, a range, socket options. Out: two non-blocking sockets, or which range is exhausted.
//!
//! A port is taken by binding it, and in no other way: nothing can come between a look and the use. The search starts
//! at a random pair and goes on from the pair after the last one found, so that a port just freed, to which an old
//! peer may still be sending, is the last to be used again.
//! Not here: what the sockets do afterwards (`rtp.rs`, `rtcp.rs`).

use std::hash::{BuildHasher, Hasher};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use socket2::{Domain, Protocol, Socket, Type};

use crate::rtcp::RtcpSocket;
use crate::rtp::{UdpPacketRx, UdpPacketTx};
use crate::stamp;
use crate::tap::TapWriter;

/// The ports that media may use, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    first_even: u16,
    pairs: u16,
}

/// A range without a single even port that is followed by an odd one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("ports {first} to {last} hold no pair of an even port and the odd one above it")]
pub struct PortRangeError {
    /// The first port asked for.
    pub first: u16,
    /// The last port asked for.
    pub last: u16,
}

impl PortRange {
    /// The pairs within `first..=last`. Port 0 is none.
    ///
    /// # Errors
    ///
    /// [`PortRangeError`] if there is no pair.
    pub const fn new(first: u16, last: u16) -> Result<PortRange, PortRangeError> {
        let start = if first < 2 { 2 } else { first as u32 + first as u32 % 2 };
        let end = last as u32 + 1;
        if start + 2 > end {
            return Err(PortRangeError { first, last });
        }
        Ok(PortRange { first_even: start as u16, pairs: ((end - start) / 2) as u16 })
    }

    /// Pairs in the range.
    pub const fn pairs(self) -> u16 {
        self.pairs
    }

    /// The lowest RTP port.
    pub const fn first(self) -> u16 {
        self.first_even
    }

    /// The highest RTCP port.
    pub const fn last(self) -> u16 {
        self.first_even + (self.pairs - 1) * 2 + 1
    }

    /// The RTP port of pair `n`, counted round and round.
    const fn rtp_port(self, n: u32) -> u16 {
        self.first_even + (n % self.pairs as u32) as u16 * 2
    }
}

impl Default for PortRange {
    /// 16384 to 32767: below the ephemeral ports of every common system.
    fn default() -> PortRange {
        PortRange { first_even: 16_384, pairs: 8_192 }
    }
}

impl std::fmt::Display for PortRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.first(), self.last())
    }
}

/// How media sockets are bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BindConfig {
    /// The local address; unspecified binds all of its family (of both, for IPv6).
    pub local: IpAddr,
    /// Where ports are looked for.
    pub ports: PortRange,
    /// Differentiated services code point of what is sent, 0 to 63; 46 is Expedited Forwarding (RFC 3246).
    pub dscp: u8,
    /// Octets of the kernel's receive buffer; `None` leaves the system's.
    pub receive_buffer: Option<usize>,
    /// Octets of the kernel's send buffer; `None` leaves the system's.
    pub send_buffer: Option<usize>,
    /// Whether the kernel stamps arrivals. Otherwise the time of reading is taken.
    pub kernel_stamps: bool,
}

impl BindConfig {
    /// The usual settings at `local`: ports 16384 to 32767, DSCP 46, the system's buffers, kernel stamps.
    pub fn new(local: IpAddr) -> BindConfig {
        BindConfig {
            local,
            ports: PortRange::default(),
            dscp: 46,
            receive_buffer: None,
            send_buffer: None,
            kernel_stamps: true,
        }
    }
}

/// Why no sockets were bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Every pair of the range is in use at this address.
    #[error("no free pair of media ports in {ports} at {local}: end calls, or widen the range")]
    Exhausted {
        /// The range.
        ports: PortRange,
        /// The local address.
        local: IpAddr,
    },
    /// The system refuses for another reason than a port in use, such as an address that is not ours, or too many
    /// open files.
    #[error("media sockets cannot be bound at {local}: {source}")]
    System {
        /// The local address.
        local: IpAddr,
        /// The system's words.
        source: io::Error,
    },
}

/// A bound pair of sockets, not yet in use.
#[derive(Debug)]
pub struct MediaSockets {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    rtp_address: SocketAddr,
    rtcp_address: SocketAddr,
    has_stamps: bool,
}

/// Binds a free pair of the range.
///
/// # Errors
///
/// [`BindError`]; nothing stays bound.
pub fn bind(config: &BindConfig) -> Result<MediaSockets, BindError> {
    let system = |source| BindError::System { local: config.local, source };
    let start = next_start().fetch_add(1, Ordering::Relaxed);
    for n in 0..u32::from(config.ports.pairs) {
        let port = config.ports.rtp_port(start.wrapping_add(n));
        let Some(rtp) = bind_one(config, port).map_err(system)? else { continue };
        let Some(rtcp) = bind_one(config, port + 1).map_err(system)? else { continue };
        // The next search begins behind this pair.
        next_start().fetch_add(n, Ordering::Relaxed);
        let has_stamps = config.kernel_stamps && stamp::enable(&rtp) && stamp::enable(&rtcp);
        let rtp_address = rtp.local_addr().map_err(system)?;
        let rtcp_address = rtcp.local_addr().map_err(system)?;
        return Ok(MediaSockets { rtp, rtcp, rtp_address, rtcp_address, has_stamps });
    }
    Err(BindError::Exhausted { ports: config.ports, local: config.local })
}

impl MediaSockets {
    /// Where RTP is received.
    pub fn rtp_address(&self) -> SocketAddr {
        self.rtp_address
    }

    /// Where RTCP is received.
    pub fn rtcp_address(&self) -> SocketAddr {
        self.rtcp_address
    }

    /// Whether the kernel stamps arrivals.
    pub fn has_kernel_stamps(&self) -> bool {
        self.has_stamps
    }

    /// The three that use the pair. `tap`: where copies of what is sent and received go. The RTP port is free again
    /// once both of its halves are dropped.
    pub fn split(self, tap: Option<[TapWriter; 2]>) -> (UdpPacketTx, UdpPacketRx, RtcpSocket) {
        let [tx_tap, rx_tap] = match tap {
            Some([sent, received]) => [Some(sent), Some(received)],
            None => [None, None],
        };
        let rtp = Arc::new(self.rtp);
        (
            UdpPacketTx::new(Arc::clone(&rtp), self.rtp_address, tx_tap),
            UdpPacketRx::new(rtp, self.rtp_address, self.has_stamps, rx_tap),
            RtcpSocket::new(self.rtcp, self.rtcp_address, self.has_stamps),
        )
    }
}

/// The pair at which the next search starts.
fn next_start() -> &'static AtomicU32 {
    static NEXT: OnceLock<AtomicU32> = OnceLock::new();
    NEXT.get_or_init(|| {
        // The standard library's hasher is keyed at random.
        let random = std::hash::RandomState::new().build_hasher().finish();
        AtomicU32::new(random as u32)
    })
}

/// `None`: the port is in use, or not for us.
fn bind_one(config: &BindConfig, port: u16) -> io::Result<Option<UdpSocket>> {
    let address = SocketAddr::new(config.local, port);
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!config.local.is_unspecified())?;
    }
    match socket.bind(&address.into()) {
        Ok(()) => {}
        Err(taken) if matches!(taken.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => {
            return Ok(None);
        }
        Err(other) => return Err(other),
    }
    socket.set_nonblocking(true)?;
    // None of these is worth a call: without them it sounds the same on an idle network.
    let tos = u32::from(config.dscp.min(63)) << 2;
    let marked = if address.is_ipv6() {
        // A dual-stack socket marks its IPv4 packets by the other option.
        if config.local.is_unspecified() {
            let _ = socket.set_tos_v4(tos);
        }
        socket.set_tclass_v6(tos)
    } else {
        socket.set_tos_v4(tos)
    };
    let received = config.receive_buffer.map_or(Ok(()), |size| socket.set_recv_buffer_size(size));
    let sent = config.send_buffer.map_or(Ok(()), |size| socket.set_send_buffer_size(size));
    for (what, result) in [("DSCP", marked), ("receive buffer", received), ("send buffer", sent)] {
        if let Err(error) = result {
            tracing::debug!(%address, %error, "{what} was not set");
        }
    }
    Ok(Some(socket.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_counts_only_whole_pairs() {
        let range = |first, last| PortRange::new(first, last).map(|r| (r.first(), r.last(), r.pairs()));
        assert_eq!(range(5_004, 5_005), Ok((5_004, 5_005, 1)));
        assert_eq!(range(5_003, 5_008), Ok((5_004, 5_007, 2)));
        assert_eq!(range(0, 3), Ok((2, 3, 1)));
        assert_eq!(range(65_534, 65_535), Ok((65_534, 65_535, 1)));
        assert_eq!(range(0, 65_535).map(|r| r.2), Ok(32_767));
        for (first, last) in [(5_004, 5_004), (5_005, 5_006), (9, 3), (65_535, 65_535), (0, 1)] {
            assert_eq!(range(first, last), Err(PortRangeError { first, last }));
        }
        assert_eq!(PortRange::new(16_384, 32_767), Ok(PortRange::default()));
        assert_eq!(PortRange::default().to_string(), "16384-32767");
    }
}
