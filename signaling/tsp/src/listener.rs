//! Takes call-signalling connections and starts a call's task for each.
//!
//! In: an address. Out: tasks. Accept errors (no descriptors left, for one) are waited out, not fatal.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use offhook_spi::{HdLine, HtLine, LineError};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::call;
use crate::provider::Inner;

/// Connections that may wait to be accepted; the kernel may hold fewer.
const BACKLOG: i32 = 1024;

/// A listening socket and its task.
pub(crate) struct Listening {
    task: AbortHandle,
    pub(crate) address: SocketAddr,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Binds and listens. The error names the address and what to do.
pub(crate) fn listen(inner: &Arc<Inner>, hd: HdLine, ht: HtLine) -> Result<Listening, LineError> {
    let wanted = inner.config.listen;
    let failed = |why: std::io::Error| {
        let hint = match why.kind() {
            std::io::ErrorKind::AddrInUse => "; another program listens there: choose another port",
            std::io::ErrorKind::PermissionDenied => "; choose a port above 1023 or run with more rights",
            std::io::ErrorKind::AddrNotAvailable => "; this machine does not have that address",
            _ => "",
        };
        LineError::ResourceUnavail(format!("cannot listen on {wanted}: {why}{hint}"))
    };
    let _runtime = inner.runtime.enter();
    let listener = bind(wanted).and_then(TcpListener::from_std).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let task = inner.runtime.spawn(accept(Arc::clone(inner), listener, hd, ht)).abort_handle();
    tracing::info!(%address, "listening for H.225.0 call signalling");
    Ok(Listening { task, address })
}

/// A listening socket. `[::]` takes both families, whatever the system's default is, and is `0.0.0.0` where there is no
/// IPv6.
fn bind(wanted: SocketAddr) -> io::Result<StdListener> {
    bind_with(wanted, socket)
}

fn bind_with(
    wanted: SocketAddr,
    socket: impl Fn(SocketAddr) -> io::Result<StdListener>,
) -> io::Result<StdListener> {
    let anywhere = wanted.is_ipv6() && wanted.ip().is_unspecified();
    match socket(wanted) {
        Err(error) if anywhere && !is_about_the_port(&error) => {
            tracing::info!(%error, "no IPv6 here; listening on IPv4 alone");
            socket(SocketAddr::from((Ipv4Addr::UNSPECIFIED, wanted.port())))
        }
        bound => bound,
    }
}

fn is_about_the_port(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

fn socket(address: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // As std does: a port that a closed connection still holds can be bound again.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

async fn accept(inner: Arc<Inner>, listener: TcpListener, hd: HdLine, ht: HtLine) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                // Information, no warning: a scan of the port must not flood a log.
                if let Err(error) = call::incoming(&inner, hd, ht, stream, from) {
                    tracing::info!(%from, %error, "connection refused");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed; trying again");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_ipv6_listens_on_ipv4_alone() {
        let refused = |kind: io::ErrorKind| {
            bind_with("[::]:0".parse().unwrap(), move |address| match address {
                SocketAddr::V4(_) => socket(address),
                SocketAddr::V6(_) => Err(kind.into()),
            })
        };
        for kind in [io::ErrorKind::Unsupported, io::ErrorKind::AddrNotAvailable, io::ErrorKind::Other] {
            let listener = refused(kind).unwrap();
            assert!(listener.local_addr().unwrap().ip().is_unspecified(), "{kind:?}");
            assert!(listener.local_addr().unwrap().is_ipv4(), "{kind:?}");
        }
        // A port that is taken is taken: half of what was asked for would be a surprise.
        assert_eq!(refused(io::ErrorKind::AddrInUse).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        // Nor is one IPv6 address another.
        let lost = bind_with("[::1]:0".parse().unwrap(), |_| Err(io::ErrorKind::AddrNotAvailable.into()));
        assert_eq!(lost.unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);
    }
}
