//! The application's session with a broker: [`Tapi`], requests in flight, and the tables that the pump works on.
//!
//! In: requests of the objects. Out: submissions to the [`Link`], answers to whoever waits.
//! Every lock here is held for a table look-up only, never across a call into broker or MSP; the one exception is
//! the table of MSP calls (`address.rs`), which says so.
//! Not here: what an event means (`pump.rs`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use offhook_spi::{
    AppEvent, AppReply, AppRequest, AppSink, DeviceId, HCall, HHub, HLine, HPhone, LineError, Link, Mspi,
    Privilege, RequestId,
};
use tokio::sync::oneshot;

use crate::address::AddressShared;
use crate::call::{Call, CallShared};
use crate::event::Subscribers;
use crate::hub::{HeldBack, HubShared};
use crate::phone::PhoneShared;
use crate::pump;
use crate::{Address, EventFilter, EventStream, TapiError};

/// How long the synchronous forms wait.
pub(crate) const SYNCHRONOUS_LIMIT: Duration = Duration::from_secs(120);

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A session with a broker. Alias `ITTAPI`.
///
/// Cheap to clone. The session ends when the last object of it (this, an [`Address`], a [`crate::Call`]) has been
/// dropped; [`close`](Self::close) ends it at once and waits until everything is released.
///
/// The async methods of this crate use tokio's timers: poll them on a tokio runtime that has time enabled.
#[doc(alias = "ITTAPI")]
#[derive(Clone)]
pub struct Tapi {
    pub(crate) session: Arc<Session>,
}

impl Tapi {
    /// Joins a broker. `connector` is given the sink that the broker reports to and answers with the link;
    /// `msp` stands behind every line that has media.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use offhook_spi::{AppSink, Link};
    /// fn join(broker: impl FnOnce(Arc<dyn AppSink>) -> Arc<dyn Link>) -> Result<(), offhook_tapi::TapiError> {
    ///     let tapi = offhook_tapi::Tapi::connect(broker, None)?;
    ///     Ok(drop(tapi))
    /// }
    /// ```
    #[doc(alias = "ITTAPI::Initialize")]
    pub fn connect(
        connector: impl FnOnce(Arc<dyn AppSink>) -> Arc<dyn Link>,
        msp: Option<Arc<dyn Mspi>>,
    ) -> Result<Self, TapiError> {
        let (tx, rx) = mpsc::channel();
        let core = Arc::new(Core {
            link: Mutex::new(None),
            next_request: AtomicU32::new(1),
            next_call: AtomicU64::new(1),
            pending: Mutex::default(),
            registry: Mutex::default(),
            subscribers: Subscribers::default(),
            counts: Counts::default(),
            msp,
            pump: tx.clone(),
            session: OnceLock::new(),
        });
        let session = Arc::new(Session { core: core.clone() });
        // The cell is fresh, so this cannot fail.
        let _ = core.session.set(Arc::downgrade(&session));
        let worker = core.clone();
        std::thread::Builder::new()
            .name("tapi-pump".to_owned())
            .spawn(move || pump::run(&worker, &rx))
            .map_err(|e| TapiError::Resource(format!("cannot start a thread: {e}")))?;
        let link = connector(Arc::new(Sink { pump: tx }));
        *lock(&core.link) = Some(link);
        Ok(Self { session })
    }

    /// The addresses: one a line device of the broker. Asking again answers the same objects, and those that came
    /// since.
    #[doc(alias = "ITTAPI::EnumerateAddresses")]
    pub async fn addresses(&self) -> Result<Vec<Address>, TapiError> {
        let core = &self.session.core;
        let AppReply::Lines(lines) = core.request(AppRequest::Lines).await? else {
            return Err(unexpected_reply());
        };
        let mut registry = lock(&core.registry);
        Ok(lines
            .into_iter()
            .map(|caps| {
                let shared = registry
                    .addresses
                    .entry(caps.device)
                    .or_insert_with(|| Arc::new(AddressShared::new(core.clone(), caps)));
                Address::new(shared.clone(), self.session.clone())
            })
            .collect())
    }

    /// Delivers what `filter` lets through, from now on, to the stream returned. Any number of streams may exist.
    #[doc(alias = "ITTAPI::put_EventFilter")]
    #[doc(alias = "ITTAPIEventNotification")]
    pub fn events(&self, filter: EventFilter) -> EventStream {
        self.session.core.subscribe(filter)
    }

    /// What went by unseen so far.
    pub fn diagnostics(&self) -> Diagnostics {
        self.session.core.counts.snapshot()
    }

    /// Waits until everything that the broker and the MSP had reported before has been handled, and every call released
    /// before is shut down.
    pub async fn settled(&self) -> Result<(), TapiError> {
        let (done, wait) = oneshot::channel();
        self.session.core.tell(Msg::Settle(done));
        wait.await.map_err(|_| TapiError::BrokerGone)
    }

    /// Ends the session: calls are dropped and released, addresses closed, event streams ended.
    #[doc(alias = "ITTAPI::Shutdown")]
    pub async fn close(self) {
        let (done, wait) = oneshot::channel();
        self.session.core.tell(Msg::Leave(Some(done)));
        // An error says that the session had ended before.
        let _ = wait.await;
    }
}

/// What happened that no caller was told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    /// Buffers of the MSP that were handed to the broker.
    pub msp_data_sent: u64,
    /// Buffers of the MSP that failed: before the provider knew the call or opened the exchange, or refused by it.
    pub msp_data_failed: u64,
    /// Buffers of the TSP that had no MSP call to go to, or that the MSP refused.
    pub tsp_data_undelivered: u64,
    /// Events for calls that this session does not hold (any more).
    pub stray_events: u64,
    /// Call states that may not follow the one before.
    pub illegal_states: u64,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) msp_data_sent: AtomicU64,
    pub(crate) msp_data_failed: AtomicU64,
    pub(crate) tsp_data_undelivered: AtomicU64,
    pub(crate) stray_events: AtomicU64,
    pub(crate) illegal_states: AtomicU64,
}

impl Counts {
    fn snapshot(&self) -> Diagnostics {
        let read = |n: &AtomicU64| n.load(Ordering::Relaxed);
        Diagnostics {
            msp_data_sent: read(&self.msp_data_sent),
            msp_data_failed: read(&self.msp_data_failed),
            tsp_data_undelivered: read(&self.tsp_data_undelivered),
            stray_events: read(&self.stray_events),
            illegal_states: read(&self.illegal_states),
        }
    }
}

pub(crate) fn count(n: &AtomicU64) {
    n.fetch_add(1, Ordering::Relaxed);
}

/// What the application's objects hold on to; the session ends with the last of them.
pub(crate) struct Session {
    pub(crate) core: Arc<Core>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.core.tell(Msg::Leave(None));
    }
}

/// What the pump is told.
pub(crate) enum Msg {
    Broker(AppEvent),
    BrokerGone,
    MspReady(Weak<AddressShared>),
    Release(Arc<CallShared>, Option<oneshot::Sender<()>>),
    Settle(oneshot::Sender<()>),
    /// What those who settle waited for has ended.
    Reaped(Vec<oneshot::Sender<()>>),
    Leave(Option<oneshot::Sender<()>>),
}

/// Who waits for a reply.
pub(crate) enum Pending {
    Nobody,
    Caller(oneshot::Sender<Result<AppReply, LineError>>),
    /// The pump enters the line before later events name it.
    OpenLine {
        address: Arc<AddressShared>,
        privilege: Privilege,
        tx: oneshot::Sender<Result<AppReply, LineError>>,
    },
    /// The pump ends what was on the line before the caller goes on.
    CloseLine(HLine, oneshot::Sender<Result<AppReply, LineError>>),
    /// The pump binds the call to its handle before later events name it.
    MakeCall(Arc<CallShared>, oneshot::Sender<Result<AppReply, LineError>>),
    /// The same for the two calls of a conference that begins.
    Conference {
        conference: Arc<CallShared>,
        consult: Arc<CallShared>,
        tx: oneshot::Sender<Result<AppReply, LineError>>,
    },
    /// The pump forgets the hubs that are not in the answer before later events name others.
    Hubs(oneshot::Sender<Result<AppReply, LineError>>),
    /// The pump gives the handle of a busy call to the one that waits on in its place.
    CampOn {
        from: Arc<CallShared>,
        to: Arc<CallShared>,
        tx: oneshot::Sender<Result<AppReply, LineError>>,
    },
    /// The pump enters the phone before later events name it.
    OpenPhone(Arc<PhoneShared>, oneshot::Sender<Result<AppReply, LineError>>),
    /// A buffer of the MSP: a failure is counted.
    MspData,
}

impl Pending {
    /// The calls that wait for their handles.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &Arc<CallShared>> {
        let (one, other) = match self {
            Self::MakeCall(call, _) => (Some(call), None),
            Self::Conference { conference, consult, .. } => (Some(conference), Some(consult)),
            Self::CampOn { to, .. } => (Some(to), None),
            _ => (None, None),
        };
        one.into_iter().chain(other)
    }
}

#[derive(Default)]
struct Waiting {
    closed: bool,
    table: BTreeMap<RequestId, Pending>,
}

#[derive(Default)]
pub(crate) struct Registry {
    pub(crate) addresses: BTreeMap<DeviceId, Arc<AddressShared>>,
    pub(crate) lines: BTreeMap<HLine, Arc<AddressShared>>,
    pub(crate) calls: BTreeMap<HCall, Arc<CallShared>>,
    pub(crate) phones: BTreeMap<HPhone, Arc<PhoneShared>>,
    /// Calls that arrived and whose first state, the next thing the broker says of them, has not come.
    pub(crate) announced: BTreeMap<HCall, (Call, Privilege)>,
    /// Hubs that are tracked.
    pub(crate) hubs: BTreeMap<HHub, Arc<HubShared>>,
    /// What the broker said of hubs just before it announces a call.
    pub(crate) held_back: Option<HeldBack>,
}

pub(crate) struct Core {
    pub(crate) link: Mutex<Option<Arc<dyn Link>>>,
    next_request: AtomicU32,
    pub(crate) next_call: AtomicU64,
    pending: Mutex<Waiting>,
    pub(crate) registry: Mutex<Registry>,
    pub(crate) subscribers: Subscribers,
    pub(crate) counts: Counts,
    pub(crate) msp: Option<Arc<dyn Mspi>>,
    pub(crate) pump: Sender<Msg>,
    session: OnceLock<Weak<Session>>,
}

impl Core {
    /// Tells the pump; nothing if the session has ended.
    pub(crate) fn tell(&self, msg: Msg) {
        let _ = self.pump.send(msg);
    }

    /// Events that `filter` lets through, from now on.
    pub(crate) fn subscribe(&self, filter: EventFilter) -> EventStream {
        let session = self.session.get().cloned().unwrap_or_default();
        self.subscribers.subscribe(filter, session)
    }

    /// The application's hold on the session, while it has one.
    pub(crate) fn session(&self) -> Option<Arc<Session>> {
        self.session.get()?.upgrade()
    }

    /// Submits a request; its reply goes to `pending`.
    pub(crate) fn submit(&self, what: AppRequest, pending: Pending) -> Result<(), TapiError> {
        let link = lock(&self.link).clone().ok_or(TapiError::BrokerGone)?;
        let request = {
            let Waiting { closed, table } = &mut *lock(&self.pending);
            if *closed {
                return Err(TapiError::BrokerGone);
            }
            let mut id = RequestId(self.next_request.fetch_add(1, Ordering::Relaxed));
            while id.0 == 0 || table.contains_key(&id) {
                id = RequestId(self.next_request.fetch_add(1, Ordering::Relaxed));
            }
            table.insert(id, pending);
            id
        };
        link.submit(request, what).map_err(|_| {
            self.answered(request);
            TapiError::BrokerGone
        })
    }

    /// Takes out who waits for a reply.
    pub(crate) fn answered(&self, request: RequestId) -> Option<Pending> {
        lock(&self.pending).table.remove(&request)
    }

    /// Takes out everyone who waits: there will be no reply, and no request is taken from now on.
    pub(crate) fn abandon(&self) -> impl Iterator<Item = Pending> {
        let waiting = {
            let mut pending = lock(&self.pending);
            pending.closed = true;
            std::mem::take(&mut pending.table)
        };
        waiting.into_values()
    }

    /// Submits a request and waits for its reply, two minutes at most.
    pub(crate) async fn request(&self, what: AppRequest) -> Result<AppReply, TapiError> {
        self.request_with(what, Pending::Caller).await
    }

    /// The same, with the pump's help when the reply comes.
    pub(crate) async fn request_with(
        &self,
        what: AppRequest,
        pending: impl FnOnce(oneshot::Sender<Result<AppReply, LineError>>) -> Pending,
    ) -> Result<AppReply, TapiError> {
        let (tx, rx) = oneshot::channel();
        self.submit(what, pending(tx))?;
        answer(rx).await
    }
}

/// Waits for the answer to a request, two minutes at most.
pub(crate) async fn answer(
    rx: oneshot::Receiver<Result<AppReply, LineError>>,
) -> Result<AppReply, TapiError> {
    match tokio::time::timeout(SYNCHRONOUS_LIMIT, rx).await {
        Err(_) => Err(TapiError::Timeout),
        Ok(Err(_)) => Err(TapiError::BrokerGone),
        Ok(Ok(reply)) => reply.map_err(TapiError::from),
    }
}

/// A broker that answers something else than was asked.
pub(crate) fn unexpected_reply() -> TapiError {
    TapiError::Line(LineError::failed("the broker's reply does not fit the request"))
}

/// Where the broker reports to.
struct Sink {
    pump: Sender<Msg>,
}

impl AppSink for Sink {
    fn deliver(&self, event: AppEvent) {
        let _ = self.pump.send(Msg::Broker(event));
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.pump.send(Msg::BrokerGone);
    }
}
