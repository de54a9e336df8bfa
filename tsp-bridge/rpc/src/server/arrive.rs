//! Connections that are taken, and how long one may be there without a session.
//!
//! In: a listener's stream, how many may be without a Hello and for how long. Out: the same connections as [`Guarded`]
//! streams, each with an [`Arrival`] that `Session` finds in its request. Not here: sockets, sessions.
//!
//! ```text
//! room? ─▶ accept ─▶ no session yet ──Stay──▶ session ──its frames end──▶ no session
//!   ▲                     │   └── holds a place      └── the place is free       │ too long
//!   └─────────────────────┴── too long: closed                                   └──▶ closed
//! ```

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tokio_stream::Stream;
use tonic::Request;
use tonic::transport::server::{Connected, TcpConnectInfo, UdsConnectInfo};

/// After a connection could not be taken.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection as its sessions see it.
pub(crate) struct Arrival {
    /// Its place among those that have not said Hello.
    place: Mutex<Option<OwnedSemaphorePermit>>,
    sessions: AtomicUsize,
    /// Whether it had a session since it was last looked at.
    used: AtomicBool,
}

impl Arrival {
    /// The connection that brought a request.
    pub(super) fn of<T>(request: &Request<T>) -> Option<Arc<Self>> {
        let extensions = request.extensions();
        extensions
            .get::<Guest<UdsConnectInfo>>()
            .map(|guest| guest.arrival.clone())
            .or_else(|| extensions.get::<Guest<TcpConnectInfo>>().map(|guest| guest.arrival.clone()))
    }

    fn leave(&self) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A session has this connection, until dropped.
pub(crate) struct Stay(Arc<Arrival>);

impl Stay {
    pub(super) fn new(arrival: Arc<Arrival>) -> Self {
        arrival.sessions.fetch_add(1, Ordering::AcqRel);
        arrival.used.store(true, Ordering::Release);
        arrival.leave();
        Self(arrival)
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.0.used.store(true, Ordering::Release);
        self.0.sessions.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a request knows of its connection.
#[derive(Clone)]
pub(crate) struct Guest<C> {
    pub(super) info: C,
    arrival: Arc<Arrival>,
}

/// A connection that ends if it has had no session for `patience`; it may be twice as long after one.
pub(super) struct Guarded<T> {
    stream: T,
    arrival: Arc<Arrival>,
    patience: Duration,
    look: Pin<Box<Sleep>>,
}

impl<T> Guarded<T> {
    fn new(stream: T, place: OwnedSemaphorePermit, patience: Duration) -> Self {
        let arrival = Arrival {
            place: Mutex::new(Some(place)),
            sessions: AtomicUsize::new(0),
            used: AtomicBool::new(false),
        };
        Self { stream, arrival: Arc::new(arrival), patience, look: Box::pin(tokio::time::sleep(patience)) }
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        self.arrival.leave();
    }
}

impl<T: Connected> Connected for Guarded<T> {
    type ConnectInfo = Guest<T::ConnectInfo>;

    fn connect_info(&self) -> Self::ConnectInfo {
        Guest { info: self.stream.connect_info(), arrival: self.arrival.clone() }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.look.as_mut().poll(context).is_ready() {
            let used = this.arrival.used.swap(false, Ordering::AcqRel);
            if !used && this.arrival.sessions.load(Ordering::Acquire) == 0 {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "no session in time")));
            }
            this.look.as_mut().reset(Instant::now() + this.patience);
        }
        Pin::new(&mut this.stream).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, octets)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, octets)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

type Place = Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>;

/// Connections. As many as there are places may be without a Hello, more wait in the system's queue; a failure to take
/// one (no file descriptors left) is followed by a pause.
pub(super) struct Patient<S> {
    stream: S,
    places: Arc<Semaphore>,
    coming: Option<Place>,
    place: Option<OwnedSemaphorePermit>,
    patience: Duration,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S, places: usize, patience: Duration) -> Self {
        let places = Arc::new(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS)));
        Self { stream, places, coming: None, place: None, patience, pause: None }
    }
}

impl<T, S: Stream<Item = io::Result<T>> + Unpin> Stream for Patient<S> {
    type Item = io::Result<Guarded<T>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(pause) = &mut this.pause {
                ready!(pause.as_mut().poll(context));
                this.pause = None;
            }
            if this.place.is_none() {
                let places = &this.places;
                let coming = this.coming.get_or_insert_with(|| {
                    let places = places.clone();
                    // Nobody closes the semaphore.
                    Box::pin(async move { places.acquire_owned().await.ok() })
                });
                this.place = ready!(coming.as_mut().poll(context));
                this.coming = None;
            }
            match ready!(Pin::new(&mut this.stream).poll_next(context)) {
                Some(Err(error)) => {
                    tracing::warn!(%error, "a connection cannot be taken");
                    this.pause = Some(Box::pin(tokio::time::sleep(PAUSE)));
                }
                Some(Ok(stream)) => {
                    let taken = this.place.take().map(|place| Guarded::new(stream, place, this.patience));
                    return Poll::Ready(taken.map(Ok));
                }
                None => return Poll::Ready(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::{Duration, Instant};

    use tokio_stream::StreamExt;

    use super::{PAUSE, Patient};

    #[tokio::test]
    async fn a_failure_to_take_a_connection_is_followed_by_a_pause() {
        let failed = || Err(io::Error::other("no file descriptors left"));
        let stream = tokio_stream::iter([failed(), failed(), failed(), Ok(7)]);
        let start = Instant::now();
        let mut patient = Patient::new(stream, 1, Duration::from_secs(5));
        let taken = patient.next().await.and_then(Result::ok).map(|guarded| guarded.stream);
        assert_eq!(taken, Some(7));
        assert!(start.elapsed() >= 3 * PAUSE);
    }
}
