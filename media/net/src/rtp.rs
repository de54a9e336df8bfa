//! One RTP socket as the engine's two halves see it.
//! In: datagrams. Out: the same, with their source and arrival time; copies for a tap.
//! Not here: who is listened to (`offhook-engine`), ports (`bind.rs`).
//! RT: no allocation, lock, log or panic; the one syscall never waits. (`new` is called by control.)

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use offhook_engine::{PacketRx, PacketTx, Received, SendOutcome, monotonic_ns};

use crate::stamp::{Arrivals, SystemClocks};
use crate::tap::TapWriter;

/// Reads of the socket that one `receive` tries when errors of earlier sends come first.
const ATTEMPTS: usize = 4;

/// The sending half of an RTP socket. Without a remote address every packet fails.
#[derive(Debug)]
pub struct UdpPacketTx {
    socket: Arc<UdpSocket>,
    local: SocketAddr,
    remote: Option<SocketAddr>,
    tap: Option<TapWriter>,
}

impl UdpPacketTx {
    pub(crate) fn new(socket: Arc<UdpSocket>, local: SocketAddr, tap: Option<TapWriter>) -> UdpPacketTx {
        UdpPacketTx { socket, local, remote: None, tap }
    }

    /// Where packets come from.
    pub fn local(&self) -> SocketAddr {
        self.local
    }
}

impl PacketTx for UdpPacketTx {
    fn send(&mut self, packet: &[u8]) -> SendOutcome {
        let Some(remote) = self.remote else { return SendOutcome::Failed };
        let outcome = send_to(&self.socket, packet, remote);
        if outcome == SendOutcome::Sent
            && let Some(tap) = &mut self.tap
        {
            tap.write(monotonic_ns(), self.local, remote, packet);
        }
        outcome
    }

    fn set_remote(&mut self, remote: SocketAddr) {
        self.remote = Some(reachable(self.local, remote));
    }
}

/// The receiving half of an RTP socket.
#[derive(Debug)]
pub struct UdpPacketRx {
    reader: Reader,
    local: SocketAddr,
    tap: Option<TapWriter>,
}

impl UdpPacketRx {
    pub(crate) fn new(
        socket: Arc<UdpSocket>,
        local: SocketAddr,
        has_stamps: bool,
        tap: Option<TapWriter>,
    ) -> UdpPacketRx {
        UdpPacketRx { reader: Reader::new(socket, has_stamps), local, tap }
    }

    /// Where packets arrive.
    pub fn local(&self) -> SocketAddr {
        self.local
    }
}

impl PacketRx for UdpPacketRx {
    fn receive(&mut self, buffer: &mut [u8]) -> Option<Received> {
        let received = self.reader.receive(buffer)?;
        if let Some(tap) = &mut self.tap
            && let Some(packet) = buffer.get(..received.len.min(buffer.len()))
        {
            tap.write(received.arrival_ns, self.local, received.source, packet);
        }
        Some(received)
    }
}

/// Reads a non-blocking socket with arrival times.
#[derive(Debug)]
pub(crate) struct Reader {
    socket: Arc<UdpSocket>,
    has_stamps: bool,
    arrivals: Arrivals<SystemClocks>,
    /// Room for one time stamp of the kernel.
    control: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(socket: Arc<UdpSocket>, has_stamps: bool) -> Reader {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let control = nix::cmsg_space!(nix::sys::time::TimeSpec);
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let control = Vec::new();
        Reader { socket, has_stamps, arrivals: Arrivals::new(SystemClocks), control }
    }

    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Option<Received> {
        for _ in 0..ATTEMPTS {
            match self.read(buffer) {
                Read::Datagram { len, source, stamp_wall_ns } => {
                    let arrival_ns = self.arrivals.arrival_ns(stamp_wall_ns);
                    return Some(Received { len, source, arrival_ns });
                }
                Read::Empty => {
                    self.arrivals.note_empty();
                    return None;
                }
                // An earlier send's error, reported here, or a signal: the datagrams are behind it.
                Read::Error => {}
            }
        }
        None
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn read(&mut self, buffer: &mut [u8]) -> Read {
        use std::io::IoSliceMut;
        use std::os::fd::AsRawFd;

        use nix::errno::Errno;
        use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};

        let fd = self.socket.as_raw_fd();
        let mut slices = [IoSliceMut::new(buffer)];
        let control = self.has_stamps.then_some(self.control.as_mut_slice());
        // MSG_TRUNC: the real length is told, also of what does not fit.
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
        let message = match recvmsg::<SockaddrStorage>(fd, &mut slices, control, flags) {
            Ok(message) => message,
            Err(Errno::EAGAIN) => return Read::Empty,
            Err(_) => return Read::Error,
        };
        let Some(source) = message.address.as_ref().and_then(socket_address) else { return Read::Error };
        let stamp_wall_ns = message.cmsgs().ok().and_then(|mut controls| {
            controls.find_map(|control| match control {
                ControlMessageOwned::ScmTimestampns(at) => {
                    let seconds = u64::try_from(at.tv_sec()).ok()?;
                    let rest = u64::try_from(at.tv_nsec()).ok()?;
                    Some(seconds.saturating_mul(1_000_000_000).saturating_add(rest))
                }
                _ => None,
            })
        });
        Read::Datagram { len: message.bytes, source, stamp_wall_ns }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn read(&mut self, buffer: &mut [u8]) -> Read {
        match self.socket.recv_from(buffer) {
            Ok((len, source)) => Read::Datagram { len, source, stamp_wall_ns: None },
            Err(error) if error.kind() == ErrorKind::WouldBlock => Read::Empty,
            Err(_) => Read::Error,
        }
    }
}

/// What one read of a socket gave.
enum Read {
    Datagram { len: usize, source: SocketAddr, stamp_wall_ns: Option<u64> },
    Empty,
    Error,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn socket_address(address: &nix::sys::socket::SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|at| SocketAddr::V4((*at).into()));
    v4.or_else(|| address.as_sockaddr_in6().map(|at| SocketAddr::V6((*at).into())))
}

/// Sends without waiting.
pub(crate) fn send_to(socket: &UdpSocket, packet: &[u8], remote: SocketAddr) -> SendOutcome {
    match socket.send_to(packet, remote) {
        Ok(_) => SendOutcome::Sent,
        Err(error) => outcome_of(error.kind()),
    }
}

/// What becomes of a packet that the socket did not take: it is dropped in every case, and counted by its reason.
fn outcome_of(error: ErrorKind) -> SendOutcome {
    match error {
        ErrorKind::WouldBlock => SendOutcome::WouldBlock,
        ErrorKind::ConnectionRefused => SendOutcome::Refused,
        _ => SendOutcome::Failed,
    }
}

/// `remote` as a socket bound to `local` can reach it: IPv4 through a dual-stack socket is written as IPv6.
pub(crate) fn reachable(local: SocketAddr, remote: SocketAddr) -> SocketAddr {
    match (local.ip(), remote.ip()) {
        (IpAddr::V6(_), IpAddr::V4(v4)) => SocketAddr::new(v4.to_ipv6_mapped().into(), remote.port()),
        (IpAddr::V4(_), v6) => SocketAddr::new(v6.to_canonical(), remote.port()),
        _ => remote,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_that_would_have_to_wait_is_told_apart_from_other_failures() {
        assert_eq!(outcome_of(ErrorKind::WouldBlock), SendOutcome::WouldBlock);
        assert_eq!(outcome_of(ErrorKind::ConnectionRefused), SendOutcome::Refused);
        for other in [ErrorKind::PermissionDenied, ErrorKind::NetworkUnreachable, ErrorKind::InvalidInput] {
            assert_eq!(outcome_of(other), SendOutcome::Failed);
        }
    }
}
