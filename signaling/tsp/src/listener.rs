//! Takes call-signalling connections and starts a call's task for each.
//!
//! In: a bound socket. Out: tasks. Accept errors (no descriptors left, for one) are waited out, not fatal.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use offhook_spi::{HdLine, HtLine, LineError};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::call;
use crate::provider::Inner;

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
    let listener = StdListener::bind(wanted)
        .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
        .and_then(TcpListener::from_std)
        .map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let task = inner.runtime.spawn(accept(Arc::clone(inner), listener, hd, ht)).abort_handle();
    tracing::info!(%address, "listening for H.225.0 call signalling");
    Ok(Listening { task, address })
}

async fn accept(inner: Arc<Inner>, listener: TcpListener, hd: HdLine, ht: HtLine) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                // Information, no warning: a scan of the port must not flood a log.
                if let Err(error) = call::incoming(&inner, hd, ht, stream) {
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
