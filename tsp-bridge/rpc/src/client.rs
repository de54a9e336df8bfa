//! The application's side: a session with a broker in another process or on another machine.
//!
//! In: where the broker is. Out: a [`Link`] for `Tapi::connect`, events at its sink.
//!
//! Over a Unix socket the session ends with the connection: the sink is dropped, which is how an application learns that
//! its broker is gone. Over TCP a lost connection is made again and the session taken up where it was, within the time
//! that the broker states; who wants to know meanwhile gives a [`Watcher`].

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper_util::rt::TokioIo;
use offhook_spi::{AppEvent, AppRequest, AppSink, LineError, Link, LinkClosed, RequestId, Timestamp};
use prost::Message;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Streaming};

use crate::convert::Word;
use crate::pipe::{Bounds, Pipe};
use crate::proto::{self as p, client_frame, server_frame};
use crate::tls::{TlsIdentity, causes};
use crate::wire::{
    ACKNOWLEDGE_EVERY, Farewell, MAX_CLIENT_FRAME, MAX_SERVER_FRAME, Requests, VERSION, silence,
};

/// How long making a connection may take, its first answer included.
const CONNECT: Duration = Duration::from_secs(5);

/// Between attempts to make a lost connection again: the first, and the longest.
const AGAIN: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

/// How long a client that leaves waits for the broker to close.
const LEAVE: Duration = Duration::from_secs(5);

/// Where a broker is.
#[derive(Clone, Debug)]
pub enum Target {
    /// On this machine.
    Unix(PathBuf),
    /// On another.
    Tls {
        /// `host:port`.
        address: String,
        /// The name that its certificate has to have.
        machine: String,
        /// Who we are.
        identity: TlsIdentity,
    },
}

impl From<&Path> for Target {
    fn from(path: &Path) -> Self {
        Self::Unix(path.to_owned())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Tls { address, machine, .. } => write!(f, "{machine} at {address}"),
        }
    }
}

/// Why there is no session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Nobody serves there, or the way is blocked.
    #[error("no broker at {0}: {1}")]
    Unreachable(String, String),
    /// The broker does not let us in.
    #[error("the broker at {0} refuses: {1}")]
    Refused(String, Farewell),
    /// What answers there is no broker of ours.
    #[error("{0} does not speak the contract: {1}")]
    Contract(String, String),
}

/// What to go by at the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// An application.
    Application,
    /// A provider in another broker.
    RemoteTsp,
}

/// Is told how the connection of a session that survives its loss stands. Called in order, by one task; must not block.
pub trait Watcher: Send + Sync {
    /// It is lost, and is being made again.
    fn lost(&self, why: &str);
    /// It is there again; nothing was lost.
    fn resumed(&self);
    /// The session is over; why. No event follows.
    fn ended(&self, why: &str);
}

struct Nobody;

impl Watcher for Nobody {
    fn lost(&self, _: &str) {}
    fn resumed(&self) {}
    fn ended(&self, _: &str) {}
}

/// A session that nobody is told of yet.
pub struct Connection {
    shared: Arc<Shared>,
    inbound: Streaming<p::ServerFrame>,
    welcome: p::Welcome,
}

struct Shared {
    target: Target,
    name: String,
    kind: ClientKind,
    pipe: Arc<Pipe<Requests>>,
    clock: Clock,
    left: AtomicBool,
    gone: AtomicBool,
    over: watch::Sender<bool>,
    refused: Mutex<Option<mpsc::UnboundedSender<AppEvent>>>,
}

/// Joins the broker of a Unix socket as an application. Hand the connection to `Tapi::connect`:
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let broker = offhook_rpc::connect(&offhook_rpc::default_socket(), "my telephone").await?;
/// let tapi = offhook_tapi::Tapi::connect(|sink| broker.attach(sink), None)?;
/// # Ok(())
/// # }
/// ```
///
/// It lives on the current tokio runtime.
pub async fn connect(socket: &Path, name: &str) -> Result<Connection, ConnectError> {
    Connection::new(Target::from(socket), name, ClientKind::Application).await
}

impl Connection {
    /// Joins the broker that `target` names.
    pub async fn new(target: Target, name: &str, kind: ClientKind) -> Result<Self, ConnectError> {
        let shared = Arc::new(Shared {
            target,
            name: name.to_owned(),
            kind,
            pipe: Pipe::new(Bounds::default()),
            clock: Clock::default(),
            left: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            over: watch::Sender::new(false),
            refused: Mutex::default(),
        });
        let (inbound, welcome) = shared.open(None).await?;
        if welcome.resume_seconds > 0 {
            shared.pipe.keep();
        }
        Ok(Self { shared, inbound, welcome })
    }

    /// The 16 octets that this run of the broker alone has.
    pub fn broker(&self) -> &[u8] {
        &self.welcome.broker
    }

    /// How long the session survives the loss of its connection.
    pub fn resumes_within(&self) -> Duration {
        Duration::from_secs(self.welcome.resume_seconds.into())
    }

    /// Is true once the session, attached, has ended: after its link was dropped, once the broker has heard so. A process
    /// that leaves earlier is taken for one that died, which on a Unix socket is the same but for the broker's log.
    pub fn over(&self) -> watch::Receiver<bool> {
        self.shared.over.subscribe()
    }

    /// The session's link; `sink` is told what the broker reports, until it is dropped.
    pub fn attach(self, sink: Arc<dyn AppSink>) -> Arc<dyn Link> {
        self.attach_watched(sink, Arc::new(Nobody)).0
    }

    /// The same, with somebody who is told how the connection stands, and the broker's clock.
    pub fn attach_watched(
        self,
        sink: Arc<dyn AppSink>,
        watcher: Arc<dyn Watcher>,
    ) -> (Arc<dyn Link>, BrokerClock) {
        let (refused, refusals) = mpsc::unbounded_channel();
        *self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(refused);
        let link = Arc::new(SessionLink { shared: self.shared.clone() });
        let clock = BrokerClock(self.shared.clone());
        tokio::spawn(run(self.shared, self.inbound, self.welcome, sink, watcher, refusals));
        (link, clock)
    }
}

/// The application's end.
struct SessionLink {
    shared: Arc<Shared>,
}

impl Link for SessionLink {
    fn submit(&self, request: RequestId, what: AppRequest) -> Result<(), LinkClosed> {
        if self.shared.gone.load(Ordering::Acquire) {
            return Err(LinkClosed);
        }
        let message = p::Request { id: request.0, what: what.say() };
        let refusal = if message.encoded_len() > MAX_CLIENT_FRAME - 64 {
            "the request is too large for a frame"
        } else if self.shared.pipe.push(message).is_ok() {
            return Ok(());
        } else {
            "too many requests wait for the broker"
        };
        // The answer takes the way of all others, so that it is not told on the caller's stack.
        let result = Err(LineError::ResourceUnavail(refusal.to_owned()));
        let refused = self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner);
        match refused.as_ref() {
            Some(refused) => refused.send(AppEvent::Reply { request, result }).map_err(|_| LinkClosed),
            None => Err(LinkClosed),
        }
    }
}

impl Drop for SessionLink {
    fn drop(&mut self) {
        self.shared.left.store(true, Ordering::Release);
        // What was asked before goes first.
        self.shared.pipe.finish(Some(client_frame::Frame::Goodbye(p::Goodbye {})), false);
    }
}

/// The broker's clock as seen from here.
#[derive(Clone)]
pub struct BrokerClock(Arc<Shared>);

impl BrokerClock {
    /// A time of the broker in our own clock, never later than now. As exact as half the shortest round trip so far.
    pub fn local(&self, at: Timestamp) -> Timestamp {
        self.0.clock.local(at, Timestamp::now())
    }

    /// The shortest round trip so far, once one has been measured.
    pub fn round_trip(&self) -> Option<Duration> {
        let shortest = self.0.clock.shortest.load(Ordering::Relaxed);
        (shortest > 0).then(|| Duration::from_nanos(shortest))
    }
}

/// The difference of two machines' clocks, by the shortest of the round trips.
#[derive(Default)]
struct Clock {
    /// Theirs minus ours.
    offset: AtomicI64,
    /// Nanoseconds; 0: none yet.
    shortest: AtomicU64,
}

impl Clock {
    fn measured(&self, sent: u64, at: u64, now: u64) {
        let round_trip = now.saturating_sub(sent).max(1);
        let shortest = self.shortest.load(Ordering::Relaxed);
        // Clocks drift apart: an old measurement counts for less, a little with each newer one.
        let aged = shortest.saturating_add(shortest / 64);
        if shortest == 0 || round_trip <= aged {
            self.shortest.store(round_trip, Ordering::Relaxed);
            let middle = i128::from(sent) + i128::from(round_trip / 2);
            let offset = i64::try_from(i128::from(at) - middle).unwrap_or_default();
            self.offset.store(offset, Ordering::Relaxed);
        } else {
            self.shortest.store(aged, Ordering::Relaxed);
        }
    }

    fn local(&self, at: Timestamp, now: Timestamp) -> Timestamp {
        let local = i128::from(at.0) - i128::from(self.offset.load(Ordering::Relaxed));
        Timestamp(u64::try_from(local).unwrap_or(0).min(now.0))
    }
}

impl Shared {
    /// Makes a connection and says Hello.
    async fn open(
        &self,
        resume: Option<&Bytes>,
    ) -> Result<(Streaming<p::ServerFrame>, p::Welcome), ConnectError> {
        let at = self.target.to_string();
        match tokio::time::timeout(CONNECT, self.open_in_time(&at, resume)).await {
            Ok(opened) => opened,
            Err(_) => Err(ConnectError::Unreachable(at, "no answer in time".to_owned())),
        }
    }

    async fn open_in_time(
        &self,
        at: &str,
        resume: Option<&Bytes>,
    ) -> Result<(Streaming<p::ServerFrame>, p::Welcome), ConnectError> {
        let unreachable =
            |why: tonic::transport::Error| ConnectError::Unreachable(at.to_owned(), causes(&why));
        let channel = self.channel().await.map_err(unreachable)?;
        let mut client = p::tapisrv_client::TapisrvClient::new(channel)
            .max_decoding_message_size(MAX_SERVER_FRAME)
            .max_encoding_message_size(MAX_CLIENT_FRAME);
        let kind = match self.kind {
            ClientKind::Application => p::ClientKind::Application,
            ClientKind::RemoteTsp => p::ClientKind::RemoteTsp,
        };
        let hello = p::Hello {
            lowest: VERSION,
            highest: VERSION,
            name: self.name.clone(),
            kind: kind.into(),
            resume: resume.map(|token| p::Resume { token: token.clone() }),
        };
        let contract = |why: String| ConnectError::Contract(at.to_owned(), why);
        let broken = |status: tonic::Status| match status.code() {
            Code::Unavailable | Code::Unknown | Code::Cancelled => {
                ConnectError::Unreachable(at.to_owned(), causes(&status))
            }
            _ => contract(causes(&status)),
        };
        // The frames that wait are put on the way once the broker has said what it had received.
        let outgoing =
            Outgoing { hello: Some((hello, self.pipe.received())), pipe: self.pipe.clone(), frames: None };
        let (outgoing, start) = outgoing.gated();
        let mut inbound = client.session(outgoing).await.map_err(broken)?.into_inner();
        let first =
            inbound.message().await.map_err(broken)?.ok_or_else(|| contract("it said nothing".to_owned()))?;
        match first.frame {
            Some(server_frame::Frame::Welcome(welcome)) if welcome.version == VERSION => {
                if resume.is_some() != welcome.resumed {
                    return Err(contract("it gives a session that was not asked for".to_owned()));
                }
                // Nobody waits for it any more if the connection has broken.
                let _ = start.send(first.received);
                Ok((inbound, welcome))
            }
            Some(server_frame::Frame::Welcome(welcome)) => {
                Err(contract(format!("it speaks version {}", welcome.version)))
            }
            Some(server_frame::Frame::Farewell(farewell)) => {
                Err(ConnectError::Refused(at.to_owned(), Farewell::read(farewell)))
            }
            _ => Err(contract("its first word is no Welcome".to_owned())),
        }
    }

    async fn channel(&self) -> Result<Channel, tonic::transport::Error> {
        match &self.target {
            Target::Unix(path) => {
                let path = path.clone();
                // The URI is not used: there is one way to a socket.
                Endpoint::from_static("http://tapisrv.invalid")
                    .connect_with_connector(tower::service_fn(move |_: Uri| {
                        let path = path.clone();
                        async move { join(&path).await.map(TokioIo::new) }
                    }))
                    .await
            }
            Target::Tls { address, machine, identity } => {
                let keep_alive = Duration::from_secs(2);
                Endpoint::from_shared(format!("https://{address}"))?
                    .tls_config(identity.client(machine))?
                    .tcp_nodelay(true)
                    .connect_timeout(CONNECT)
                    .http2_keep_alive_interval(keep_alive)
                    .keep_alive_timeout(silence(keep_alive))
                    .keep_alive_while_idle(true)
                    .connect()
                    .await
            }
        }
    }
}

/// Connects to a socket that this user or root serves. Others may have been first to make the directory that
/// `default_socket` falls back to.
async fn join(path: &Path) -> std::io::Result<tokio::net::UnixStream> {
    let stream = tokio::net::UnixStream::connect(path).await?;
    trusted(stream.peer_cred()?.uid(), rustix::process::geteuid().as_raw())?;
    Ok(stream)
}

/// Whether the user who serves a socket may be told what we dial.
fn trusted(server: u32, own: u32) -> std::io::Result<()> {
    if server == own || server == 0 {
        return Ok(());
    }
    let text = format!("user {server} serves this socket, who is neither this user ({own}) nor root");
    Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, text))
}

/// Hello, then, after the broker's Welcome, the session's frames.
struct Outgoing {
    hello: Option<(p::Hello, u64)>,
    pipe: Arc<Pipe<Requests>>,
    frames: Option<crate::pipe::Frames<Requests>>,
}

struct Gated {
    outgoing: Outgoing,
    start: tokio::sync::oneshot::Receiver<u64>,
}

impl Outgoing {
    fn gated(self) -> (Gated, tokio::sync::oneshot::Sender<u64>) {
        let (start, started) = tokio::sync::oneshot::channel();
        (Gated { outgoing: self, start: started }, start)
    }
}

impl tokio_stream::Stream for Gated {
    type Item = p::ClientFrame;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<p::ClientFrame>> {
        use std::task::Poll;
        let Self { outgoing, start } = self.get_mut();
        if let Some((hello, received)) = outgoing.hello.take() {
            let frame = Some(client_frame::Frame::Hello(hello));
            return Poll::Ready(Some(p::ClientFrame { sequence: 0, received, frame }));
        }
        if outgoing.frames.is_none() {
            match std::task::ready!(std::pin::Pin::new(start).poll(context)) {
                Ok(received) => outgoing.frames = Some(outgoing.pipe.attach(received)),
                // The handshake failed.
                Err(_) => return Poll::Ready(None),
            }
        }
        outgoing.frames.as_mut().map_or(Poll::Ready(None), |frames| frames.poll(context))
    }
}

/// How a connection ended.
enum Turn {
    Lost(String),
    Over(String),
}

/// The session's task: from connection to connection, to its end.
async fn run(
    shared: Arc<Shared>,
    mut inbound: Streaming<p::ServerFrame>,
    welcome: p::Welcome,
    sink: Arc<dyn AppSink>,
    watcher: Arc<dyn Watcher>,
    mut refusals: mpsc::UnboundedReceiver<AppEvent>,
) {
    let resume = Duration::from_secs(welcome.resume_seconds.into());
    let why = loop {
        let why = match listen(&shared, &welcome, inbound, &*sink, &mut refusals).await {
            Turn::Over(why) => break why,
            Turn::Lost(why) if resume.is_zero() || shared.left.load(Ordering::Acquire) => break why,
            Turn::Lost(why) => why,
        };
        tracing::info!(at = %shared.target, why, "connection lost");
        watcher.lost(&why);
        match again(&shared, &welcome.token, resume).await {
            Ok(newer) => inbound = newer,
            Err(late) => break format!("{why}; {late}"),
        }
        tracing::info!(at = %shared.target, "connection made again, nothing lost");
        watcher.resumed();
    };
    shared.gone.store(true, Ordering::Release);
    shared.pipe.finish(None, true);
    let refused = shared.refused.lock().unwrap_or_else(PoisonError::into_inner).take();
    drop(refused);
    // Requests refused between the last event and now.
    while let Ok(event) = refusals.try_recv() {
        sink.deliver(event);
    }
    tracing::debug!(at = %shared.target, why, "session over");
    watcher.ended(&why);
    drop(sink);
    shared.over.send_replace(true);
}

/// Makes a lost connection again.
async fn again(
    shared: &Shared,
    token: &Bytes,
    patience: Duration,
) -> Result<Streaming<p::ServerFrame>, String> {
    let until = Instant::now() + patience;
    // An attempt that a half-dead link swallows must leave time for others.
    let attempt = CONNECT.min(patience / 4);
    let mut pause = AGAIN.0;
    loop {
        let give_up = until.min(Instant::now() + attempt);
        match tokio::time::timeout_at(give_up, shared.open(Some(token))).await {
            Ok(Ok((inbound, _))) => return Ok(inbound),
            Ok(Err(refused @ (ConnectError::Refused(..) | ConnectError::Contract(..)))) => {
                return Err(refused.to_string());
            }
            Ok(Err(error)) => tracing::debug!(%error, "not yet"),
            Err(_) => tracing::debug!("no answer in time"),
        }
        if shared.left.load(Ordering::Acquire) {
            return Err("left meanwhile".to_owned());
        }
        if Instant::now() + pause >= until {
            return Err(format!("not made again within {} s", patience.as_secs()));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(AGAIN.1);
    }
}

/// Serves one connection.
async fn listen(
    shared: &Shared,
    welcome: &p::Welcome,
    mut inbound: Streaming<p::ServerFrame>,
    sink: &dyn AppSink,
    refusals: &mut mpsc::UnboundedReceiver<AppEvent>,
) -> Turn {
    let keep_alive = Duration::from_millis(welcome.keep_alive_ms.into());
    let period = if keep_alive.is_zero() { Duration::from_secs(1) } else { keep_alive };
    let mut tick = tokio::time::interval(period);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    let mut leaving: Option<Instant> = None;
    loop {
        tokio::select! {
            biased;
            frame = inbound.message() => {
                let frame = match frame {
                    Ok(Some(frame)) => frame,
                    Ok(None) => return Turn::Lost("the broker closed the connection".to_owned()),
                    Err(status) => return Turn::Lost(causes(&status)),
                };
                heard = Instant::now();
                shared.pipe.acknowledged(frame.received);
                match frame.frame {
                    Some(server_frame::Frame::Event(event)) => match shared.pipe.receive(frame.sequence) {
                        Ok(true) => tell(sink, event),
                        Ok(false) => {}
                        Err(last) => {
                            return Turn::Over(format!("event {} follows event {last}", frame.sequence));
                        }
                    },
                    Some(server_frame::Frame::Pong(p::Pong { sent, at })) => {
                        shared.clock.measured(sent, at, Timestamp::now().0);
                    }
                    Some(server_frame::Frame::Farewell(farewell)) => {
                        return Turn::Over(Farewell::read(farewell).to_string());
                    }
                    // A second Welcome, or a frame of a newer contract, says nothing here.
                    Some(server_frame::Frame::Welcome(_) | server_frame::Frame::Acknowledge(_)) | None => {}
                }
                if !keep_alive.is_zero() && shared.pipe.untold() >= ACKNOWLEDGE_EVERY {
                    shared.pipe.control(client_frame::Frame::Acknowledge(p::Acknowledge {}));
                }
            }
            Some(refusal) = refusals.recv() => sink.deliver(refusal),
            () = tokio::time::sleep_until(heard + silence(keep_alive)), if !keep_alive.is_zero() => {
                return Turn::Lost(format!("silent for {} ms", heard.elapsed().as_millis()));
            }
            _ = tick.tick() => {
                if shared.left.load(Ordering::Acquire)
                    && leaving.get_or_insert_with(Instant::now).elapsed() > LEAVE
                {
                    return Turn::Over("left".to_owned());
                }
                if !keep_alive.is_zero() {
                    shared.pipe.control(client_frame::Frame::Ping(p::Ping { sent: Timestamp::now().0 }));
                }
            }
        }
    }
}

fn tell(sink: &dyn AppSink, event: p::Event) {
    match AppEvent::read(event) {
        Ok(event) => sink.deliver(event),
        Err(why) => tracing::warn!(%why, "an event of the broker cannot be read and is skipped"),
    }
}

/// `host:port`, or an error that says so.
pub fn check_address(text: &str) -> Result<(), String> {
    let (host, port) = text.rsplit_once(':').ok_or("HOST:PORT")?;
    let literal = text.parse::<SocketAddr>().is_ok();
    let name = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    if port.parse::<u16>().is_ok_and(|port| port != 0) && (literal || name) {
        Ok(())
    } else {
        Err("HOST:PORT".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use offhook_spi::Timestamp;

    use super::{Clock, check_address, trusted};

    #[test]
    fn times_of_another_clock_are_moved_by_the_shortest_round_trip() {
        const MS: u64 = 1_000_000;
        let clock = Clock::default();
        // Their clock is 1000 s ahead; a slow, lopsided round trip first.
        clock.measured(10 * MS, 1_000_000 * MS + 90 * MS, 100 * MS);
        clock.measured(200 * MS, 1_000_000 * MS + 201 * MS, 202 * MS);
        clock.measured(300 * MS, 1_000_000 * MS + 390 * MS, 400 * MS);
        assert_eq!(clock.local(Timestamp(1_000_500 * MS), Timestamp(900 * MS)), Timestamp(500 * MS));
        assert_eq!(
            clock.local(Timestamp(1_000_950 * MS), Timestamp(900 * MS)),
            Timestamp(900 * MS),
            "not later than now"
        );
        assert_eq!(clock.local(Timestamp(5), Timestamp(900 * MS)), Timestamp(0), "nor before all time");
    }

    #[test]
    fn only_this_user_and_root_are_trusted_to_serve() {
        assert!(trusted(1_000, 1_000).is_ok());
        assert!(trusted(0, 1_000).is_ok());
        for (server, own) in [(1_001, 1_000), (1_000, 0)] {
            let refused = trusted(server, own).err().map(|why| why.to_string()).unwrap_or_default();
            assert!(refused.contains(&format!("user {server} serves this socket")), "{refused}");
        }
    }

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for good in ["192.0.2.1:7", "[2001:db8::1]:70", "far.example:8000", "localhost:1"] {
            assert_eq!(check_address(good), Ok(()), "{good}");
        }
        for bad in ["192.0.2.1", "host:", ":7", "a b:7", "host:0", "host:70000", "http://x:7"] {
            assert!(check_address(bad).is_err(), "{bad}");
        }
    }
}
