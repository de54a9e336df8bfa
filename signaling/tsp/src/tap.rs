//! A look at the wire: every octet of call signalling and H.245 connections as it is sent and received.
//!
//! Called on the call's task; an implementation must not block.

use std::net::SocketAddr;

/// Sees the provider's TCP connections.
pub trait WireTap: Send + Sync {
    /// A connection stands; `client` is the end that connected.
    fn opened(&self, client: SocketAddr, server: SocketAddr);

    /// Octets went from `source` to `destination`.
    fn octets(&self, source: SocketAddr, destination: SocketAddr, octets: &[u8]);

    /// `source` closed its side.
    fn closed(&self, source: SocketAddr, destination: SocketAddr);
}
