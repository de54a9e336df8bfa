//! The remote TSP: a provider in this broker that is a client of another machine's broker.
//!
//! In: where that broker is and who we are ([`RemoteConfig`]). Out: a [`Tspi`](offhook_spi::Tspi): that machine's lines and
//! phones, its signalling there, the MSP here.
//!
//! ```text
//! this broker ─ Tspi ─ RemoteProvider ─ SessionLink ═ mTLS ═ Server ─ that broker ─ its providers
//!                         │ one thread of its own: events, reconnecting                (far)
//! ```
//!
//! What is decided here:
//!
//! - A line that is open here is open there: once to place calls, once more while somebody here listens, and once for each
//!   MSP instance, so that the far broker names the instances by opening. Opaque buffers cross unread.
//! - **Lost connection.** Lines are OutOfService, calls stay, what is asked of a call waits. Back within the far broker's
//!   resume time (10 s unless configured there): nothing was lost, the lines are as before. Later: every call is
//!   Disconnected with TempFailure and Idle, every outstanding request fails, phones are closed; the far broker drops the
//!   calls as those of an application that died. The connection is tried for on and on, and the lines are opened again.
//! - **New calls while the connection is lost** are refused at once with ResourceUnavail.
//! - **Times** of the far machine's clock are moved by an offset that pings measure, and are never later than now. They are
//!   as exact as half the shortest round trip.
//! - Verbs that have to answer at once (opening, negotiating, a phone's status) wait for the far broker, some seconds at
//!   most, on the caller's thread; never inside an event.
//! - `call_id` is one of this provider's own for each pair of far provider (by its name) and id: a key within this
//!   provider, as TAPI wants it.

mod events;
mod provider;
mod session;
mod tables;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use offhook_spi::{AppReply, AppRequest, LineError, RequestId};
use tokio::sync::{oneshot, watch};

use crate::client::{ClientKind, ConnectError, Connection, Target};
use crate::tls::TlsIdentity;
use tables::{Pending, State};

/// How long a verb that answers at once waits for the far broker.
const ANSWER: Duration = Duration::from_secs(6);

/// How long a reply that has come may take from the provider's thread to the caller's.
const HANDOVER: Duration = Duration::from_secs(1);

/// Another machine's broker, and who we are to it.
#[derive(Clone, Debug)]
pub struct RemoteConfig {
    /// The name that the machine goes by here, which its certificate has to have.
    pub name: String,
    /// `host:port`.
    pub address: String,
    /// Our certificate and key, and the CA that signs both machines'.
    pub identity: TlsIdentity,
    /// What to be called there.
    pub application: String,
}

/// The remote TSP. Dropping the last handle, like `provider_shutdown`, leaves the far broker.
pub struct RemoteProvider {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    name: String,
    state: Mutex<State>,
    /// The thread that events come on.
    thread: Mutex<Option<ThreadId>>,
    stop: watch::Sender<bool>,
}

impl RemoteProvider {
    /// Joins the far broker and asks for its lines. An error says that it cannot be reached or does not let us in.
    pub async fn connect(config: RemoteConfig) -> Result<Arc<Self>, ConnectError> {
        let at = format!("{} at {}", config.name, config.address);
        let inner = Arc::new(Inner {
            name: config.name.clone(),
            state: Mutex::default(),
            thread: Mutex::default(),
            stop: watch::Sender::new(false),
        });
        let (ready, started) = oneshot::channel();
        let worker = inner.clone();
        let failed = |why: String| ConnectError::Unreachable(at.clone(), why);
        std::thread::Builder::new()
            .name("offhook-remote".to_owned())
            .spawn(move || work(&worker, config, ready))
            .map_err(|why| failed(format!("cannot start a thread: {why}")))?;
        started.await.map_err(|_| failed("its thread has ended".to_owned()))??;
        Ok(Arc::new(Self { inner }))
    }

    /// The shortest round trip to the far broker so far.
    pub fn round_trip(&self) -> Option<Duration> {
        self.inner.lock().clock.as_ref()?.round_trip()
    }
}

impl Drop for RemoteProvider {
    fn drop(&mut self) {
        self.inner.stop.send_replace(true);
    }
}

/// The provider's thread.
fn work(inner: &Arc<Inner>, config: RemoteConfig, ready: oneshot::Sender<Result<(), ConnectError>>) {
    *inner.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(std::thread::current().id());
    let target = Target::Tls {
        address: config.address.clone(),
        machine: config.name.clone(),
        identity: config.identity.clone(),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => {
            // Nobody listens any more if `connect` was given up.
            let _ = ready.send(Err(ConnectError::Unreachable(target.to_string(), why.to_string())));
            return;
        }
    };
    runtime.block_on(async {
        let joined = Connection::new(target.clone(), &config.application, ClientKind::RemoteTsp).await;
        match joined {
            Ok(connection) => session::run(inner, &target, &config.application, connection, ready).await,
            Err(error) => {
                let _ = ready.send(Err(error));
            }
        }
    });
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of others runs under it, and every update is complete before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unreachable(&self, why: &str) -> LineError {
        LineError::ResourceUnavail(format!("{} cannot be reached: {why}", self.name))
    }

    /// Submits a request; its reply goes to `pending`.
    fn submit(&self, what: AppRequest, pending: Pending) -> Result<(), LineError> {
        self.submit_named(what, pending).map(drop)
    }

    /// The same; answers the request's number.
    fn submit_named(&self, what: AppRequest, pending: Pending) -> Result<RequestId, LineError> {
        let (link, id) = {
            let mut state = self.lock();
            let link = state.link.clone().ok_or_else(|| self.unreachable(state.why()))?;
            (link, state.pend(pending))
        };
        link.submit(id, what).map_err(|_| {
            let mut state = self.lock();
            state.pending.remove(&id);
            self.unreachable(state.why())
        })?;
        Ok(id)
    }

    /// Submits one that nobody waits for.
    fn tell(&self, what: AppRequest) {
        if let Err(error) = self.submit(what, Pending::Nobody) {
            // The session is over: what was to be given up is.
            tracing::debug!(%error, "not told");
        }
    }

    /// Whether this is inside an event.
    fn is_own_thread(&self) -> bool {
        let own = *self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        own == Some(std::thread::current().id())
    }

    /// Submits one and waits for its reply; not from inside an event.
    fn ask(&self, what: AppRequest) -> Result<AppReply, LineError> {
        if self.is_own_thread() {
            return Err(LineError::failed("another machine cannot be asked from inside an event"));
        }
        if let Some(why) = self.lock().lost.clone() {
            return Err(self.unreachable(&why));
        }
        let (tx, rx) = std::sync::mpsc::sync_channel(1);
        let id = self.submit_named(what, Pending::Caller(tx))?;
        let waiting = || {
            rx.recv_timeout(ANSWER).or_else(|why| {
                // What comes from now on is given back. If it is being handed over this moment, it is still taken.
                match self.lock().pending.get_mut(&id) {
                    Some(pending) => *pending = Pending::Nobody,
                    None => return rx.recv_timeout(HANDOVER),
                }
                Err(why)
            })
        };
        // On a thread that carries tasks, others get another one meanwhile.
        let multi_threaded = tokio::runtime::Handle::try_current()
            .is_ok_and(|here| here.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread);
        let answer = if multi_threaded { tokio::task::block_in_place(waiting) } else { waiting() };
        answer.unwrap_or_else(|_| Err(self.unreachable("no answer in time")))
    }

    /// The same on the provider's own thread.
    async fn ask_later(&self, what: AppRequest) -> Result<AppReply, LineError> {
        let (tx, rx) = oneshot::channel();
        self.submit(what, Pending::Task(tx))?;
        match tokio::time::timeout(ANSWER, rx).await {
            Ok(Ok(answer)) => answer,
            _ => Err(self.unreachable("no answer in time")),
        }
    }
}

/// A reply that does not fit its request.
fn unexpected(_: AppReply) -> LineError {
    LineError::failed("the far broker's reply does not fit the request")
}

/// The request's number as the far broker knows it; never 0.
fn next_request(last: &mut u32) -> RequestId {
    *last = last.wrapping_add(1).max(1);
    RequestId(*last)
}
