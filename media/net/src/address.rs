//! Which of our addresses a peer should send to.
//! In: the peer's address. Out: the local address that the system's routes choose for it.
//! Not here: binding (`bind.rs`); addresses behind a translator, which only that translator knows.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// The local address from which datagrams to `peer` leave. Sends nothing: connecting a UDP socket only asks for the
/// route.
///
/// # Errors
///
/// The system's, if there is no route or no socket.
pub fn local_address_towards(peer: IpAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match peer {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    // Any port will do but zero.
    socket.connect((peer, 9))?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_reached_from_the_loopback() {
        for peer in ["127.0.0.1", "::1"] {
            let peer: IpAddr = peer.parse().unwrap();
            match local_address_towards(peer) {
                Ok(local) => assert!(local.is_loopback(), "{local}"),
                // A machine without IPv6.
                Err(_) => assert!(peer.is_ipv6()),
            }
        }
    }
}
