//! One TCP connection without blocking: what is read, and a bounded queue of what is to be written.
//!
//! In: octets to send. Out: octets received, or the end. Cancel-safe: [`Connection::drive`] may be dropped at any await.
//! Not here: framing (`wire::tpkt`, inside the call machine).

use std::io;
use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Octets that may wait for a peer that does not read before the connection is given up.
const MAX_QUEUED: usize = 1 << 20;

/// The most octets read at once.
const READ_SIZE: usize = 16 * 1024;

/// A connection and what waits to be written to it.
pub(crate) struct Connection {
    stream: TcpStream,
    queued: BytesMut,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

/// What [`Connection::drive`] saw.
pub(crate) enum Progress {
    /// Octets arrived.
    Read(BytesMut),
    /// The peer closed its side, or the connection broke.
    Closed(Option<io::Error>),
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let (local, remote) = (canonical(stream.local_addr()?), canonical(stream.peer_addr()?));
        Ok(Self { stream, queued: BytesMut::new(), local, remote })
    }

    /// Queues octets and writes what the kernel takes at once.
    pub(crate) fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        if self.queued.len() + octets.len() > MAX_QUEUED {
            return Err(io::Error::new(io::ErrorKind::WriteZero, "the peer does not read"));
        }
        self.queued.extend_from_slice(octets);
        self.flush_some()
    }

    fn flush_some(&mut self) -> io::Result<()> {
        while !self.queued.is_empty() {
            match self.stream.try_write(&self.queued) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.queued.advance(n),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Whether everything was handed to the kernel.
    pub(crate) fn flushed(&self) -> bool {
        self.queued.is_empty()
    }

    /// Waits for octets, writing meanwhile what is queued.
    pub(crate) async fn drive(&mut self) -> Progress {
        loop {
            let interest = if self.queued.is_empty() {
                Interest::READABLE
            } else {
                Interest::READABLE | Interest::WRITABLE
            };
            let ready = match self.stream.ready(interest).await {
                Ok(ready) => ready,
                Err(e) => return Progress::Closed(Some(e)),
            };
            if ready.is_writable()
                && let Err(e) = self.flush_some()
            {
                return Progress::Closed(Some(e));
            }
            if ready.is_readable() || ready.is_read_closed() {
                let mut buffer = BytesMut::with_capacity(READ_SIZE);
                match self.stream.try_read_buf(&mut buffer) {
                    Ok(0) => return Progress::Closed(None),
                    Ok(_) => return Progress::Read(buffer),
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Progress::Closed(Some(e)),
                }
            }
        }
    }

    /// Writes what is left and closes our side; gives up after `patience`.
    pub(crate) async fn finish(mut self, patience: std::time::Duration) {
        let flush = async {
            while !self.flushed() {
                if self.stream.writable().await.is_err() || self.flush_some().is_err() {
                    return;
                }
            }
            // A half close first: an RST would take the last message with it if unread octets are left here.
            let _ = tokio::io::AsyncWriteExt::shutdown(&mut self.stream).await;
            let mut rest = [0; 1024];
            while let Ok(()) = self.stream.readable().await {
                match self.stream.try_read(&mut rest) {
                    Ok(0) => return,
                    Ok(_) => {}
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => return,
                }
            }
        };
        let _ = tokio::time::timeout(patience, flush).await;
    }
}

/// An IPv4 peer of a dual-stack socket is an IPv4 peer: media and H.245 are to be had at its address as such.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn an_ipv4_peer_of_a_dual_stack_listener_has_ipv4_addresses() -> io::Result<()> {
        let listener = TcpListener::bind("[::]:0").await?;
        let caller = TcpStream::connect(("127.0.0.1", listener.local_addr()?.port())).await?;
        let connection = Connection::new(listener.accept().await?.0)?;
        assert_eq!((connection.local, connection.remote), (caller.peer_addr()?, caller.local_addr()?));
        Ok(())
    }
}
