//! The line's registration: the RAS client with its socket, in a task of its own.
//!
//! ```text
//! calls' tasks ══ Ask ═════════▶ task: h323::Ras, UDP socket, DNS ── LINE_LINEDEVSTATE ──▶ broker
//!              ◀══ Command ═════╡                                 ── watch ──▶ RegistrationStatus
//! ```
//!
//! In: what calls ask of the gatekeeper, datagrams, time. Out: the same to and from the RAS client; its answers as
//! commands of the calls that asked.
//! Not here: what RAS is (`h323`), when a call asks (`call/admit.rs`).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use offhook_h323::{
    AdmissionRejection, AdmissionRequest, CallModel, CallReport, Cause, Discovery, G711_BANDWIDTH,
    MULTICAST_GROUP, Question, Ras, RasAction, RasCall, RasConfig, RasCounters, RasEvent, RasParams,
    RasState, Registration, UnsignedSignals,
};
use offhook_spi::{HdCall, HtLine, LineDevState, LineError};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::call::{Command, expire};
use crate::provider::Inner;
use crate::resolve;

/// The largest datagram that UDP carries.
const MAX_DATAGRAM: usize = 65_535;

/// How a line lives behind a gatekeeper.
#[derive(Clone, Debug)]
pub struct RegistrationConfig {
    /// The endpoint as the gatekeeper shall see it. Without aliases it registers those of the calls.
    pub ras: RasConfig,
    /// Where the RAS socket is bound; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Our address as the gatekeeper can reach it; without, that of the interface towards the gatekeeper.
    pub advertise: Option<IpAddr>,
    /// How far a multicast GRQ travels, in hops.
    pub multicast_ttl: u32,
    /// What a call asks for: both directions, in 100 bit/s.
    pub bandwidth: u32,
    /// The call model that is asked for; the gatekeeper decides.
    pub model: Option<CallModel>,
    /// Sign the signalling of calls that go through the gatekeeper (H.235.1), and what to think of its unsigned
    /// messages. Needs [`RasConfig::security`].
    pub sign_calls: Option<UnsignedSignals>,
}

impl RegistrationConfig {
    /// The usual settings.
    #[must_use]
    pub fn new(ras: RasConfig) -> Self {
        let bind: IpAddr = match &ras.discovery {
            Discovery::Address(address) if address.is_ipv6() => Ipv6Addr::UNSPECIFIED.into(),
            _ => Ipv4Addr::UNSPECIFIED.into(),
        };
        Self {
            ras,
            bind: SocketAddr::new(bind, 0),
            advertise: None,
            multicast_ttl: 1,
            bandwidth: G711_BANDWIDTH,
            model: None,
            sign_calls: None,
        }
    }
}

/// Where a line's registration stands.
#[derive(Clone, Debug, PartialEq)]
pub struct RegistrationStatus {
    /// The RAS client's state.
    pub state: RasState,
    /// The registration, if there is one.
    pub registration: Option<Registration>,
    /// Why there is none, in one line.
    pub why_not: Option<String>,
    /// What has happened so far.
    pub counters: RasCounters,
}

impl Default for RegistrationStatus {
    fn default() -> Self {
        Self {
            state: RasState::Stopped,
            registration: None,
            why_not: Some("no line with a gatekeeper is open".to_owned()),
            counters: RasCounters::default(),
        }
    }
}

/// What a call asks of the gatekeeper.
pub(crate) enum Ask {
    /// May it be made, or answered? The answer is [`Command::Admission`].
    Admit(HdCall, Box<AdmissionRequest>),
    /// What becomes of a call that was asked about, by the same one.
    Tell(HdCall, RasCall, News),
    /// The line closes.
    Stop,
}

/// What becomes of a call.
pub(crate) enum News {
    /// It rings.
    Alerting,
    /// It is up.
    Connected,
    /// Its addresses.
    Report(Box<CallReport>),
    /// Octets of its signalling connection; true: we sent them.
    Signal(bool, Bytes),
    /// It is over.
    Disengage(Option<Cause>),
}

/// The registration of an open line. Clones are the same; calls hold one.
#[derive(Clone)]
pub(crate) struct Registrar {
    asks: mpsc::UnboundedSender<Ask>,
    pub(crate) config: Arc<RegistrationConfig>,
}

impl Registrar {
    /// Binds the socket and registers `signal`, where the line listens. The error names the address.
    pub(crate) fn start(
        inner: &Arc<Inner>,
        signal: SocketAddr,
        line: HtLine,
    ) -> Result<Option<Self>, LineError> {
        let Some(mut config) = inner.config.gatekeeper.clone() else { return Ok(None) };
        if config.ras.aliases.is_empty() {
            config.ras.aliases.clone_from(&inner.config.call.aliases);
        }
        let failed = |why: std::io::Error| {
            LineError::ResourceUnavail(format!("no RAS socket at {}: {why}", config.bind))
        };
        let _runtime = inner.runtime.enter();
        let socket = StdSocket::bind(config.bind)
            .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
            .and_then(UdpSocket::from_std)
            .map_err(failed)?;
        if config.bind.is_ipv4() {
            socket.set_multicast_ttl_v4(config.multicast_ttl).map_err(failed)?;
        }
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|why| LineError::failed(format!("no random numbers: {why}")))?;
        let (asks, asked) = mpsc::unbounded_channel();
        let config = Arc::new(config);
        let task = Task {
            inner: Arc::clone(inner),
            config: Arc::clone(&config),
            socket,
            signal,
            line,
            seed: u64::from_ne_bytes(seed),
            calls: HashMap::new(),
            lookups: JoinSet::new(),
            said: None,
            stopping: false,
            stopped: false,
        };
        inner.begin();
        inner.registrars.fetch_add(1, Ordering::AcqRel);
        inner.runtime.spawn(task.run(asked));
        Ok(Some(Self { asks, config }))
    }

    pub(crate) fn ask(&self, ask: Ask) {
        // Nobody waits for an answer to these.
        if self.asks.send(ask).is_err() {
            tracing::debug!("the registration has ended");
        }
    }

    /// Asks for a call's admission; it is told by [`Command::Admission`], whatever happens.
    pub(crate) fn admit(&self, inner: &Inner, call: HdCall, request: AdmissionRequest) {
        let key = request.call;
        if self.asks.send(Ask::Admit(call, Box::new(request))).is_err() {
            let gone = Command::Admission(key, Err(Box::new(AdmissionRejection::unreachable())));
            // The call is the one that asks.
            let _ = inner.command(call, gone);
        }
    }
}

struct Task {
    inner: Arc<Inner>,
    config: Arc<RegistrationConfig>,
    socket: UdpSocket,
    signal: SocketAddr,
    line: HtLine,
    seed: u64,
    /// Who is asking for each call.
    calls: HashMap<RasCall, HdCall>,
    lookups: JoinSet<(u32, Vec<SocketAddr>)>,
    said: Option<LineDevState>,
    /// The line has closed.
    stopping: bool,
    stopped: bool,
}

impl Drop for Task {
    fn drop(&mut self) {
        // Of a line that was opened anew meanwhile another speaks.
        if self.inner.registrars.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.inner.registered(RegistrationStatus::default());
        }
        self.inner.end();
    }
}

impl Task {
    async fn run(mut self, mut asked: mpsc::UnboundedReceiver<Ask>) {
        let host = self.own_address().await;
        let at = |address: SocketAddr| {
            let ip = if address.ip().is_unspecified() { host } else { address.ip() };
            SocketAddr::new(self.config.advertise.unwrap_or(ip), address.port())
        };
        let ras_address = match self.socket.local_addr() {
            Ok(bound) => at(bound),
            Err(error) => return tracing::error!(%error, "the RAS socket has no address"),
        };
        let unix_epoch = self.inner.unix_epoch();
        let params =
            RasParams { ras_address, signal_addresses: vec![at(self.signal)], unix_epoch, seed: self.seed };
        tracing::info!(ras = %ras_address, signal = %at(self.signal), "registering");
        let mut ras = Ras::new(self.config.ras.clone(), params);
        ras.start(self.inner.now());
        let mut datagram = vec![0; MAX_DATAGRAM];
        loop {
            self.drain(&mut ras).await;
            if self.stopped {
                return;
            }
            let deadline = ras.poll_timeout().map(|at| self.inner.deadline(at));
            tokio::select! {
                ask = asked.recv() => self.obey(&mut ras, ask.unwrap_or(Ask::Stop)),
                received = self.socket.recv_from(&mut datagram) => match received {
                    Ok((length, from)) => {
                        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                        // The system's clock may have been set since.
                        ras.set_unix_epoch(self.inner.unix_epoch());
                        let octets = datagram.get(..length).unwrap_or_default();
                        self.inner.tap_ras(from, ras_address, octets);
                        ras.handle_datagram(self.inner.now(), from, octets);
                    }
                    // A gatekeeper that is not there: its host says so. The request's own timer decides.
                    Err(error) => {
                        tracing::debug!(%error, "RAS socket");
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                },
                Some(Ok((id, mut addresses))) = self.lookups.join_next() => {
                    // The socket is of one family.
                    addresses.retain(|address| address.is_ipv4() == ras_address.is_ipv4());
                    ras.resolved(self.inner.now(), id, &addresses);
                }
                () = expire(deadline) => {
                    ras.set_unix_epoch(self.inner.unix_epoch());
                    ras.handle_timeout(self.inner.now());
                }
            }
        }
    }

    fn obey(&mut self, ras: &mut Ras, ask: Ask) {
        let now = self.inner.now();
        match ask {
            Ask::Admit(hd, request) => {
                let key = request.call;
                if self.calls.contains_key(&key) {
                    // A Setup that came twice, or two that claim to be one call: the gatekeeper knows the first.
                    let refused = Command::Admission(key, Err(Box::new(AdmissionRejection::unreachable())));
                    if self.inner.command(hd, refused).is_err() {
                        tracing::debug!(?key, "the call is over");
                    }
                    return;
                }
                self.calls.insert(key, hd);
                ras.set_unix_epoch(self.inner.unix_epoch());
                ras.admit(now, *request);
            }
            Ask::Tell(hd, call, news) if self.calls.get(&call) == Some(&hd) => match news {
                News::Alerting => ras.call_alerting(now, call),
                News::Connected => ras.call_connected(now, call),
                News::Report(report) => ras.set_call_report(call, *report),
                News::Signal(sent, octets) => ras.report_signal(now, call, sent, &octets),
                News::Disengage(cause) => {
                    self.calls.remove(&call);
                    ras.disengage(now, call, cause);
                }
            },
            // Not admitted, or not the one that was.
            Ask::Tell(..) => {}
            Ask::Stop => {
                self.stopping = true;
                ras.stop(now);
            }
        }
    }

    /// Carries out everything that the client wants.
    async fn drain(&mut self, ras: &mut Ras) {
        while let Some(transmit) = ras.poll_transmit() {
            if let Ok(local) = self.socket.local_addr() {
                self.inner.tap_ras(local, transmit.destination, &transmit.bytes);
            }
            if let Err(error) = self.socket.send_to(&transmit.bytes, transmit.destination).await {
                tracing::info!(to = %transmit.destination, %error, "a RAS message did not leave");
            }
        }
        while let Some(RasAction::Resolve { id, question }) = ras.poll_action() {
            let inner = Arc::clone(&self.inner);
            self.lookups.spawn(async move {
                let found = match &question {
                    Question::Host { name, port } => resolve::host(&inner.config, name, *port).await,
                    Question::Service { name } => resolve::service(&inner.config, name).await,
                };
                (
                    id,
                    found.unwrap_or_else(|why| {
                        tracing::info!(?question, why, "not resolved");
                        Vec::new()
                    }),
                )
            });
        }
        let mut news = false;
        while let Some(event) = ras.poll_event() {
            tracing::debug!(?event, "RAS");
            news = true;
            self.happened(event);
        }
        // After the line has closed only who opens it anew has something to say.
        let is_last = self.inner.registrars.load(Ordering::Acquire) == 1;
        if news && (!self.stopping || is_last) {
            self.inner.registered(RegistrationStatus {
                state: ras.state(),
                registration: ras.registration().cloned(),
                why_not: ras.why_not(self.inner.now()),
                counters: ras.counters(),
            });
        }
    }

    fn happened(&mut self, event: RasEvent) {
        match event {
            RasEvent::Registered(registration) => {
                let name = registration.gatekeeper_identifier.clone().unwrap_or_default();
                let with = format!("{name} {}", registration.gatekeeper).trim_start().to_owned();
                tracing::info!(gatekeeper = with, aliases = ?registration.aliases, "registered");
                self.say(LineDevState::InService { with });
            }
            RasEvent::NotRegistered(why) => {
                tracing::warn!(%why, "not registered");
                self.say(LineDevState::OutOfService { why: why.to_string() });
            }
            RasEvent::Stopped => self.stopped = true,
            RasEvent::Admitted(call, admission) => self.tell(call, Command::Admission(call, Ok(admission))),
            RasEvent::NotAdmitted(call, rejection) => {
                self.tell(call, Command::Admission(call, Err(rejection)));
                self.calls.remove(&call);
            }
            RasEvent::Bandwidth(call, bandwidth) => self.tell(call, Command::Bandwidth(call, bandwidth)),
            RasEvent::Release(call, order, release) => {
                tracing::info!(?call, ?order, "the gatekeeper ends a call");
                self.tell(call, Command::Release(call, order, release));
            }
            RasEvent::Suspicious(from, failure) => {
                tracing::warn!(%from, %failure, "a RAS message is not proved")
            }
            RasEvent::ServiceControl(call, sessions) => tracing::info!(?call, ?sessions, "service control"),
            // State goes out with every event; the others answer what this driver does not ask.
            other => tracing::debug!(event = ?other, "not acted on"),
        }
    }

    fn tell(&self, call: RasCall, command: Command) {
        if let Some(hd) = self.calls.get(&call)
            && self.inner.command(*hd, command).is_err()
        {
            tracing::debug!(?call, "the call is over");
        }
    }

    fn say(&mut self, state: LineDevState) {
        if self.said.as_ref() != Some(&state)
            && let Some(events) = self.inner.events()
        {
            events.line_dev_state(self.line, state.clone());
            self.said = Some(state);
        }
    }

    /// The address of the interface towards the gatekeeper, as far as it is known where that is.
    async fn own_address(&self) -> IpAddr {
        let towards = match &self.config.ras.discovery {
            Discovery::Address(address) => vec![*address],
            Discovery::Host { name, port } => {
                resolve::host(&self.inner.config, name, *port).await.unwrap_or_default()
            }
            Discovery::Domain(domain) => {
                let name = format!("_h323rs._udp.{domain}");
                resolve::service(&self.inner.config, &name).await.unwrap_or_default()
            }
            Discovery::Multicast => vec![MULTICAST_GROUP],
        };
        let family = |address: &SocketAddr| address.is_ipv4() == self.config.bind.is_ipv4();
        let found = towards.into_iter().filter(family).find_map(interface_towards);
        // An address that RFC 5737 keeps for documents: no packet goes there, but the default route's interface would be
        // the one.
        let usual = || interface_towards(SocketAddr::from(([192, 0, 2, 1], 9)));
        found.or_else(usual).unwrap_or(Ipv4Addr::LOCALHOST.into())
    }
}

/// Our address on the way to `address`: what the system would send from. Nothing is sent.
fn interface_towards(address: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr =
        if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = StdSocket::bind((any, 0)).ok()?;
    socket.connect(address).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified()).then_some(ip)
}
