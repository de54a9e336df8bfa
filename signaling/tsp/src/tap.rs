//! A look at the wire: every octet of call signalling and H.245 connections, and every RAS message, as it is sent and
//! received.
//!
//! Called on the task of the call or of the registration; an implementation must not block.

use std::net::SocketAddr;

/// Sees the provider's TCP connections and its RAS socket.
pub trait WireTap: Send + Sync {
    /// A connection stands; `client` is the end that connected.
    fn opened(&self, client: SocketAddr, server: SocketAddr);

    /// Octets went from `source` to `destination`.
    fn octets(&self, source: SocketAddr, destination: SocketAddr, octets: &[u8]);

    /// A RAS message went from `source` to `destination`.
    fn ras(&self, source: SocketAddr, destination: SocketAddr, message: &[u8]);

    /// `source` closed its side.
    fn closed(&self, source: SocketAddr, destination: SocketAddr);
}
