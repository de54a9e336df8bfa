//! One TCP connection without blocking: what is read, and a bounded queue of what is to be written.
//!
//! In: octets to send. Out: octets received, or the end. Cancel-safe: [`Connection::drive`] may be dropped at any await.
//! Not here: framing (`wire::tpkt`, inside the call machine).

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
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
    Read(Bytes),
    /// The peer closed its side, or the connection broke.
    Closed(Option<io::Error>),
}

impl Connection {
    /// A connection that we made.
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        let remote = stream.peer_addr()?;
        Self::accepted(stream, remote)
    }

    /// A connection that came from `remote`.
    pub(crate) fn accepted(stream: TcpStream, remote: SocketAddr) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let (local, remote) = (canonical(stream.local_addr()?), canonical(remote));
        Ok(Self { stream, queued: BytesMut::new(), local, remote })
    }

    /// Queues octets: they leave with [`flush`](Self::flush), or while the connection is driven.
    pub(crate) fn queue(&mut self, octets: &[u8]) -> io::Result<()> {
        if self.queued.len() + octets.len() > MAX_QUEUED {
            return Err(io::Error::new(io::ErrorKind::WriteZero, "the peer does not read"));
        }
        self.queued.extend_from_slice(octets);
        Ok(())
    }

    /// Queues octets and writes what the kernel takes at once.
    pub(crate) fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.queue(octets)?;
        self.flush()
    }

    /// Writes what the kernel takes at once.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
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
        let progress = poll_fn(|context| self.poll_drive(context)).await;
        progress.unwrap_or_else(|error| Progress::Closed(Some(error)))
    }

    fn poll_drive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Progress>> {
        let mut stream = Pin::new(&mut self.stream);
        while !self.queued.is_empty() {
            match stream.as_mut().poll_write(context, &self.queued)? {
                Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(n) => self.queued.advance(n),
                Poll::Pending => break,
            }
        }
        // On the stack: a connection on which nothing is said holds no buffer.
        let mut space = [MaybeUninit::uninit(); READ_SIZE];
        let mut buffer = ReadBuf::uninit(&mut space);
        // After a short read it waits without asking the kernel again.
        ready!(stream.poll_read(context, &mut buffer))?;
        Poll::Ready(Ok(match buffer.filled() {
            [] => Progress::Closed(None),
            octets => Progress::Read(Bytes::copy_from_slice(octets)),
        }))
    }

    /// Writes what is left and closes our side; gives up after `patience`.
    pub(crate) async fn finish(mut self, patience: std::time::Duration) {
        let flush = async {
            while !self.flushed() {
                if self.stream.writable().await.is_err() || self.flush().is_err() {
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
        let (stream, from) = listener.accept().await?;
        let connection = Connection::accepted(stream, from)?;
        assert_eq!((connection.local, connection.remote), (caller.peer_addr()?, caller.local_addr()?));
        Ok(())
    }
}
