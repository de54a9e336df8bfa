//! The gatekeeper's task: the machine, its UDP sockets, its operator.
//!
//! In: datagrams, time, the operator's wishes, questions of routed calls. Out: datagrams, a [`Snapshot`], events.
//! Not here: what is decided (`h323`), connections of routed calls (`routed.rs`).

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket as StdSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use offhook_h323::{
    Alias, CallEnd, CallModel, CallRow, EndpointRow, Gatekeeper, GatekeeperConfig, GatekeeperCounters,
    GatekeeperEvent, GatekeeperParams, MULTICAST_GROUP, Release, ReleaseReason, Routing,
};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep_until;

use crate::routed;

/// The largest datagram that UDP carries.
const MAX_DATAGRAM: usize = 65_535;

/// Events that wait for a slow listener; more are dropped.
const MAX_EVENTS: usize = 4_096;

/// Where the gatekeeper is and what it does.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// What it lets happen.
    pub gatekeeper: GatekeeperConfig,
    /// Where RAS is taken: UDP; port 0 takes a free one.
    pub ras: SocketAddr,
    /// Where routed call signalling is taken: TCP; port 0 takes a free one. Used with [`CallModel::GatekeeperRouted`].
    pub signal: SocketAddr,
    /// Our address as endpoints reach it, where `ras` names none; without, that of the default route's interface.
    pub advertise: Option<IpAddr>,
    /// Answer discovery by multicast too (224.0.1.41:1718).
    pub multicast: bool,
}

impl ServerConfig {
    /// A gatekeeper on `ras`, with call signalling, if routed, on a free port of the same address.
    #[must_use]
    pub fn new(gatekeeper: GatekeeperConfig, ras: SocketAddr) -> Self {
        let signal = SocketAddr::new(ras.ip(), 0);
        Self { gatekeeper, ras, signal, advertise: None, multicast: false }
    }
}

/// Why a gatekeeper cannot be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {address}: {why}")]
pub struct StartError {
    what: &'static str,
    address: SocketAddr,
    why: io::Error,
}

/// What the gatekeeper knows at a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The gatekeeper's age.
    pub at: Duration,
    /// Registered endpoints, by their first alias.
    pub endpoints: Vec<EndpointRow>,
    /// Calls, the oldest first.
    pub calls: Vec<CallRow>,
    /// What has happened so far.
    pub counters: GatekeeperCounters,
}

/// What is asked of the task.
pub(crate) enum Wish {
    /// Where a call goes; dropping the first sender closes it.
    Route([u8; 16], Vec<Alias>, oneshot::Sender<()>, oneshot::Sender<Routing>),
    /// A call that was routed has ended.
    Ended([u8; 16]),
    Unregister(Alias, oneshot::Sender<bool>),
    Disconnect([u8; 16], oneshot::Sender<bool>),
    Bandwidth([u8; 16], u32, oneshot::Sender<bool>),
    Query(Alias, oneshot::Sender<bool>),
}

/// A running gatekeeper. Dropping it ends it; endpoints find that out by themselves.
#[derive(Debug)]
pub struct Server {
    wishes: mpsc::UnboundedSender<Wish>,
    snapshot: watch::Receiver<Snapshot>,
    ras: SocketAddr,
    signal: Option<SocketAddr>,
    tasks: Vec<tokio::task::AbortHandle>,
}

impl Drop for Server {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Server {
    /// Starts a gatekeeper on the current tokio runtime; what happens goes to the receiver as well as into the snapshot.
    ///
    /// # Errors
    ///
    /// Which address could not be used, and why.
    pub fn start(config: ServerConfig) -> Result<(Self, mpsc::Receiver<GatekeeperEvent>), StartError> {
        let failed = |what, address| move |why| StartError { what, address, why };
        let socket = udp(config.ras).map_err(failed("take RAS at", config.ras))?;
        let bound = socket.local_addr().map_err(failed("take RAS at", config.ras))?;
        let multicast = config.multicast.then(group).transpose();
        let multicast = multicast.map_err(failed("take discovery by multicast at", MULTICAST_GROUP))?;
        let listener = match config.gatekeeper.model {
            CallModel::Direct => None,
            CallModel::GatekeeperRouted => {
                Some(listen(config.signal).map_err(failed("take call signalling at", config.signal))?)
            }
        };
        let signal = match &listener {
            Some(listener) => Some(listener.local_addr().map_err(failed("listen at", config.signal))?),
            None => None,
        };
        let mut seed = [0; 8];
        getrandom::fill(&mut seed)
            .map_err(|why| failed("draw random numbers for", bound)(io::Error::other(why)))?;
        let at = |address: SocketAddr| {
            let ip = if address.ip().is_unspecified() { own_address() } else { address.ip() };
            SocketAddr::new(config.advertise.unwrap_or(ip), address.port())
        };
        let params = GatekeeperParams {
            ras_address: at(bound),
            signal_address: signal.map(at),
            unix_epoch: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            seed: u64::from_ne_bytes(seed),
        };
        let (ras, advertised) = (params.ras_address, params.signal_address);
        let (wishes, wanted) = mpsc::unbounded_channel();
        let (snapshots, snapshot) = watch::channel(Snapshot::default());
        let (told, events) = mpsc::channel(MAX_EVENTS);
        let task = Task {
            machine: Gatekeeper::new(config.gatekeeper, params),
            began: Instant::now(),
            socket,
            multicast,
            snapshots,
            events: told,
            routed: Vec::new(),
        };
        let mut tasks = vec![tokio::spawn(task.run(wanted)).abort_handle()];
        if let Some(listener) = listener {
            tasks.push(tokio::spawn(routed::accept(listener, wishes.clone())).abort_handle());
        }
        Ok((Self { wishes, snapshot, ras, signal: advertised, tasks }, events))
    }

    /// Where RAS is taken, as endpoints reach it.
    #[must_use]
    pub fn ras_address(&self) -> SocketAddr {
        self.ras
    }

    /// Where routed call signalling is taken.
    #[must_use]
    pub fn signal_address(&self) -> Option<SocketAddr> {
        self.signal
    }

    /// What it knows now, and every change.
    #[must_use]
    pub fn snapshot(&self) -> watch::Receiver<Snapshot> {
        self.snapshot.clone()
    }

    /// Ends the registration of whoever has `alias` (URQ); false if nobody has it.
    pub async fn unregister(&self, alias: Alias) -> bool {
        self.wish(|done| Wish::Unregister(alias, done)).await
    }

    /// Ends a call (DRQ to its endpoints); false if there is none.
    pub async fn disconnect(&self, call: [u8; 16]) -> bool {
        self.wish(|done| Wish::Disconnect(call, done)).await
    }

    /// Gives a call another bandwidth, in 100 bit/s (BRQ); false if there is none.
    pub async fn set_bandwidth(&self, call: [u8; 16], bandwidth: u32) -> bool {
        self.wish(|done| Wish::Bandwidth(call, bandwidth, done)).await
    }

    /// Asks whoever has `alias` for its calls (IRQ); the answer is an event. False if nobody has it.
    pub async fn query(&self, alias: Alias) -> bool {
        self.wish(|done| Wish::Query(alias, done)).await
    }

    async fn wish(&self, wish: impl FnOnce(oneshot::Sender<bool>) -> Wish) -> bool {
        let (done, answer) = oneshot::channel();
        // The task ends with this handle, not before.
        self.wishes.send(wish(done)).is_ok() && answer.await.unwrap_or(false)
    }
}

struct Task {
    machine: Gatekeeper,
    began: Instant,
    socket: UdpSocket,
    multicast: Option<UdpSocket>,
    snapshots: watch::Sender<Snapshot>,
    events: mpsc::Sender<GatekeeperEvent>,
    /// Calls whose signalling passes through us.
    routed: Vec<([u8; 16], oneshot::Sender<()>)>,
}

impl Task {
    async fn run(mut self, mut wanted: mpsc::UnboundedReceiver<Wish>) {
        let (mut unicast, mut group) = (vec![0; MAX_DATAGRAM], vec![0; MAX_DATAGRAM]);
        loop {
            self.drain().await;
            let deadline = self.machine.poll_timeout().map(|at| self.began + at);
            tokio::select! {
                wish = wanted.recv() => match wish {
                    Some(wish) => self.grant(wish),
                    None => return,
                },
                received = self.socket.recv_from(&mut unicast) => self.heard(received, &unicast).await,
                received = receive(self.multicast.as_ref(), &mut group) => self.heard(received, &group).await,
                () = until(deadline) => self.machine.handle_timeout(self.began.elapsed()),
            }
        }
    }

    async fn heard(&mut self, received: io::Result<(usize, SocketAddr)>, datagram: &[u8]) {
        match received {
            Ok((length, from)) => {
                let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                let octets = datagram.get(..length).unwrap_or_default();
                // The system's clock may have been set since.
                let now = self.began.elapsed();
                let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                self.machine.set_unix_epoch(unix.saturating_sub(now));
                self.machine.handle_datagram(now, from, octets);
            }
            // An endpoint that is gone: its host says so, and its registration will end by itself.
            Err(error) => {
                tracing::debug!(%error, "RAS socket");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    fn grant(&mut self, wish: Wish) {
        let now = self.began.elapsed();
        // Who has asked and does not wait any more needs no answer.
        match wish {
            // One call passes once: a second Setup of its name would end the first, or come round in a circle.
            Wish::Route(call, _, close, answer) if self.routed.iter().any(|(of, _)| *of == call) => {
                drop(close);
                let _ = answer.send(Routing::Refuse(Release::with_reason(ReleaseReason::UndefinedReason)));
            }
            Wish::Route(call, destination, close, answer) => {
                let routing = self.machine.route(call, &destination);
                if matches!(routing, Routing::To { .. }) {
                    self.routed.push((call, close));
                }
                let _ = answer.send(routing);
            }
            Wish::Ended(call) => {
                self.routed.retain(|(of, _)| *of != call);
                self.machine.call_ended(call);
            }
            Wish::Unregister(alias, answer) => {
                let endpoint = self.endpoint(&alias);
                let _ = answer.send(endpoint.is_some_and(|endpoint| self.machine.unregister(now, &endpoint)));
            }
            Wish::Disconnect(call, answer) => {
                let _ = answer.send(self.machine.disconnect(now, call));
            }
            Wish::Bandwidth(call, bandwidth, answer) => {
                let _ = answer.send(self.machine.set_bandwidth(now, call, bandwidth));
            }
            Wish::Query(alias, answer) => {
                let endpoint = self.endpoint(&alias);
                let _ =
                    answer.send(endpoint.is_some_and(|endpoint| self.machine.query(now, &endpoint, None)));
            }
        }
    }

    fn endpoint(&self, alias: &Alias) -> Option<String> {
        let rows = self.machine.endpoints();
        rows.into_iter().find(|row| row.aliases.contains(alias)).map(|row| row.identifier)
    }

    async fn drain(&mut self) {
        while let Some(transmit) = self.machine.poll_transmit() {
            if let Err(error) = self.socket.send_to(&transmit.bytes, transmit.destination).await {
                tracing::info!(to = %transmit.destination, %error, "a RAS message did not leave");
            }
        }
        let mut news = false;
        while let Some(event) = self.machine.poll_event() {
            news = true;
            if let GatekeeperEvent::CallEnded(row, CallEnd::Ordered) = &event {
                // Dropped, it tells the connections' task.
                self.routed.retain(|(of, _)| *of != row.call_identifier);
            }
            if self.events.try_send(event).is_err() {
                tracing::debug!("nobody reads the gatekeeper's events");
            }
        }
        if news {
            self.snapshots.send_replace(Snapshot {
                at: self.began.elapsed(),
                endpoints: self.machine.endpoints(),
                calls: self.machine.calls(),
                counters: self.machine.counters(),
            });
        }
    }
}

fn udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = StdSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

fn group() -> io::Result<UdpSocket> {
    let socket = udp((Ipv4Addr::UNSPECIFIED, MULTICAST_GROUP.port()).into())?;
    if let IpAddr::V4(group) = MULTICAST_GROUP.ip() {
        socket.join_multicast_v4(group, Ipv4Addr::UNSPECIFIED)?;
    }
    Ok(socket)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// The address of the default route's interface. Nothing is sent: RFC 5737 keeps that network for documents.
fn own_address() -> IpAddr {
    let found = StdSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    });
    found.map_or(Ipv4Addr::LOCALHOST.into(), |address| address.ip())
}

async fn receive(socket: Option<&UdpSocket>, datagram: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    match socket {
        Some(socket) => socket.recv_from(datagram).await,
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
