//! The broker's side: sessions over any number of listeners.
//!
//! In: connections (`listen.rs`), frames. Out: requests to the broker by a [`Link`] a client, its events back.
//! Not here: the broker, which is behind [`Server::new`]'s connector; sockets.
//!
//! One task a session (`session.rs`) holds the link, so a client's requests are worked on in order and its end is in one
//! place. Events are queued by whoever reports them (`AppSink::deliver` never waits) and taken out by the connection.

mod arrive;
mod listen;
mod session;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use offhook_spi::{AppSink, Link};
use tokio::sync::watch;
use tokio_stream::StreamExt;
use tonic::{Request, Response, Status, Streaming};

pub use listen::{ListenError, Listening, default_socket};

use crate::pipe::{Bounds, Frames};
use crate::proto::farewell::Why;
use crate::proto::{self as p, client_frame, server_frame};
use crate::wire::{Events, Farewell, MAX_NAME, VERSION};
use arrive::{Arrival, Stay};
use session::{Caller, Session};

/// How a client joins the broker: its name, where it is told things; the link that it submits to.
pub type Connector = dyn Fn(&str, Arc<dyn AppSink>) -> Arc<dyn Link> + Send + Sync;

/// Limits of a [`Server`].
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Sessions at once.
    pub max_sessions: usize,
    /// Connections of one listener that have not said Hello; more wait until some have, or have gone.
    pub max_arriving: usize,
    /// What may wait for one client to read it; a client that lets more come is cut off.
    pub backlog: Bounds,
    /// A client that takes nothing for so long, though something waits, is cut off.
    pub stuck: Duration,
    /// How long a connection may take to say Hello. One without a session is closed a moment later.
    pub hello: Duration,
    /// How often a client over TCP pings; three missed pings are a lost connection.
    pub keep_alive: Duration,
    /// How long a session over TCP waits for its client after a loss of connection.
    pub resume: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            max_sessions: 1_024,
            max_arriving: 128,
            backlog: Bounds::default(),
            stuck: Duration::from_secs(30),
            hello: Duration::from_secs(5),
            keep_alive: Duration::from_secs(2),
            resume: Duration::from_secs(10),
        }
    }
}

/// A session as the server's owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientStatus {
    /// The name that the client goes by.
    pub name: String,
    /// Whether it is another machine's broker.
    pub remote_tsp: bool,
    /// Where it comes from: a process and its user, or an address. Not the name in its certificate.
    pub from: String,
    /// Whether it has a connection now.
    pub connected: bool,
}

/// What the server does, for logs and status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// A client has come.
    Joined(ClientStatus),
    /// One has lost its connection and may come back.
    Lost(ClientStatus),
    /// It has come back.
    Resumed(ClientStatus),
    /// A client has gone; why.
    Left(ClientStatus, String),
}

/// The broker's end of the RPC. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    config: ServerConfig,
    connector: Box<Connector>,
    /// What this run of the broker alone has.
    id: [u8; 16],
    sessions: Mutex<BTreeMap<u64, Arc<Session>>>,
    last_session: Mutex<u64>,
    /// How many sessions are served; changes are seen by who waits for the last.
    served: watch::Sender<usize>,
    closing: watch::Sender<bool>,
    watcher: Box<dyn Fn(ServerEvent) + Send + Sync>,
}

impl Server {
    /// A server for the broker behind `connector`; nothing listens yet. `watcher` is told who comes and goes; it must not
    /// block. An error is the system's: no random numbers.
    pub fn new(
        config: ServerConfig,
        connector: impl Fn(&str, Arc<dyn AppSink>) -> Arc<dyn Link> + Send + Sync + 'static,
        watcher: impl Fn(ServerEvent) + Send + Sync + 'static,
    ) -> Result<Self, std::io::Error> {
        let inner = Inner {
            config,
            connector: Box::new(connector),
            id: random()?,
            sessions: Mutex::default(),
            last_session: Mutex::new(0),
            served: watch::Sender::new(0),
            closing: watch::Sender::new(false),
            watcher: Box::new(watcher),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Who has a session.
    pub fn clients(&self) -> Vec<ClientStatus> {
        self.inner.lock().values().map(|session| session.status()).collect()
    }

    /// Says good-bye to every client and returns when they have gone, or after `patience`. New ones are refused. What the
    /// clients had is given up, as if they had left.
    pub async fn shutdown(&self, patience: Duration) {
        self.inner.closing.send_replace(true);
        let sessions: Vec<_> = self.inner.lock().values().cloned().collect();
        for session in &sessions {
            session.end(&Farewell::new(Why::Shutdown, "the broker ends"), false);
        }
        let mut served = self.inner.served.subscribe();
        if tokio::time::timeout(patience, served.wait_for(|n| *n == 0)).await.is_err() {
            tracing::warn!("some clients did not hear that the broker ends");
        }
    }
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], std::io::Error> {
    let mut octets = [0; N];
    getrandom::fill(&mut octets).map_err(std::io::Error::other)?;
    Ok(octets)
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: ServerEvent) {
        (self.watcher)(event);
    }
}

/// The frames of one call of `Session`: a session's, or a refusal alone.
pub(crate) enum Outgoing {
    Frames {
        frames: Frames<Events>,
        /// Keeps the connection.
        _stay: Option<Stay>,
    },
    Refusal(Option<Farewell>),
}

impl tokio_stream::Stream for Outgoing {
    type Item = Result<p::ServerFrame, Status>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        match self.get_mut() {
            Self::Frames { frames, .. } => frames.poll(context),
            Self::Refusal(farewell) => std::task::Poll::Ready(farewell.take().map(|farewell| {
                let frame = Some(server_frame::Frame::Farewell(farewell.message()));
                Ok(p::ServerFrame { sequence: 0, received: 0, frame })
            })),
        }
    }
}

/// The service on one kind of listener.
#[derive(Clone)]
struct Tapisrv {
    server: Arc<Inner>,
    /// Whether sessions survive their connections here.
    resumes: bool,
}

#[tonic::async_trait]
impl p::tapisrv_server::Tapisrv for Tapisrv {
    type SessionStream = Outgoing;

    async fn session(
        &self,
        request: Request<Streaming<p::ClientFrame>>,
    ) -> Result<Response<Outgoing>, Status> {
        let caller = Caller::of(&request);
        let arrival = Arrival::of(&request);
        let mut inbound = request.into_inner();
        let first = tokio::time::timeout(self.server.config.hello, inbound.next()).await;
        let outgoing = match first {
            Ok(Some(Ok(frame))) => match read_hello(frame) {
                Ok((hello, received)) => self
                    .greet(caller, &hello, received, inbound)
                    .map(|frames| Outgoing::Frames { frames, _stay: arrival.map(Stay::new) }),
                Err(farewell) => Err(farewell),
            },
            Ok(Some(Err(status))) => Err(Farewell::new(
                Why::Protocol,
                format!("the first frame cannot be read: {}", status.message()),
            )),
            Ok(None) => return Err(Status::cancelled("nothing was said")),
            Err(_) => Err(Farewell::new(Why::Protocol, "no Hello in time")),
        };
        Ok(Response::new(outgoing.unwrap_or_else(|farewell| {
            tracing::info!(why = %farewell, "a client is refused");
            Outgoing::Refusal(Some(farewell))
        })))
    }
}

fn read_hello(frame: p::ClientFrame) -> Result<(p::Hello, u64), Farewell> {
    let Some(client_frame::Frame::Hello(hello)) = frame.frame else {
        return Err(Farewell::new(Why::Protocol, "the first frame is not Hello"));
    };
    if hello.lowest > VERSION || hello.highest < VERSION {
        let text = format!(
            "this broker speaks version {VERSION} of the contract, the client {} to {}",
            hello.lowest, hello.highest
        );
        return Err(Farewell::new(Why::Version, text));
    }
    if hello.name.len() > MAX_NAME || hello.name.contains(char::is_control) {
        return Err(Farewell::new(Why::Protocol, "the name is too long, or steers terminals"));
    }
    if !matches!(hello.kind(), p::ClientKind::Application | p::ClientKind::RemoteTsp) {
        return Err(Farewell::new(Why::Protocol, "a kind of client that is not known here"));
    }
    Ok((hello, frame.received))
}

impl Tapisrv {
    /// Takes a session up again, or begins one.
    fn greet(
        &self,
        caller: Caller,
        hello: &p::Hello,
        received: u64,
        inbound: Streaming<p::ClientFrame>,
    ) -> Result<Frames<Events>, Farewell> {
        if *self.server.closing.borrow() {
            return Err(Farewell::new(Why::Shutdown, "the broker ends"));
        }
        let Some(resume) = &hello.resume else {
            return Session::begin(&self.server, self.resumes, caller, hello, inbound);
        };
        let known = self
            .server
            .lock()
            .values()
            .find(|session| session.is_resumed_by(&resume.token, &caller))
            .cloned();
        known
            .and_then(|session| session.resume(received, inbound, &self.server))
            .ok_or_else(|| Farewell::new(Why::UnknownSession, "the session is over, or never was"))
    }
}
