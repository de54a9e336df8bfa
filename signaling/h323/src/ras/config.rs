//! What an endpoint is to a gatekeeper and how it behaves towards one.
//! Not here: one call's admission (`admission`), H.235's secrets (`h235`).

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::h235::Security;
use crate::{Alias, Vendor};

/// Where gatekeepers listen for multicast GRQ and LRQ: 224.0.1.41:1718 (H.225.0).
pub const MULTICAST_GROUP: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(224, 0, 1, 41)), 1718);

/// The well-known port of RAS.
pub const RAS_PORT: u16 = 1719;

/// How the gatekeeper is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discovery {
    /// At this address.
    Address(SocketAddr),
    /// At this host, whose addresses the driver looks up.
    Host {
        /// Its name.
        name: String,
        /// Its RAS port, usually [`RAS_PORT`].
        port: u16,
    },
    /// By the SRV records `_h323rs._udp` of this domain (H.323 Annex O), which the driver looks up.
    Domain(String),
    /// Whichever answers a GRQ to [`MULTICAST_GROUP`] first.
    Multicast,
}

/// What kind of endpoint registers (H.225.0 EndpointType).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EndpointKind {
    /// A terminal.
    #[default]
    Terminal,
    /// A gateway to telephones.
    Gateway {
        /// Prefixes of numbers that it takes (supportedPrefixes).
        prefixes: Vec<String>,
    },
}

/// New calls while no gatekeeper has registered us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NewCalls {
    /// Refused: [`AdmissionReason::Unreachable`](crate::AdmissionReason). H.323 wants an endpoint with a gatekeeper to
    /// ask it.
    #[default]
    Refuse,
    /// Admitted without asking, for destinations whose address is known.
    Allow,
}

/// Running calls when the registration is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RunningCalls {
    /// They go on; the next gatekeeper that registers us hears of them (IRR).
    #[default]
    Keep,
    /// They are to be released: [`RasEvent::Release`](crate::RasEvent).
    Release,
}

/// One request's timeout and how often it is sent again (H.225.0 clause 7.19, "RAS timers").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// From a request to the next, or to giving up.
    pub timeout: Duration,
    /// Repetitions after the first request.
    pub retries: u32,
}

impl Retry {
    /// A timeout in seconds, repetitions after the first request.
    #[must_use]
    pub const fn new(seconds: u64, retries: u32) -> Self {
        Self { timeout: Duration::from_secs(seconds), retries }
    }

    /// From the first request until it is given up.
    #[must_use]
    pub fn span(self) -> Duration {
        self.timeout.saturating_mul(self.retries.saturating_add(1))
    }
}

/// How long each request waits: as made, the values of H.225.0.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the request's name in H.225.0")]
pub struct RasTimers {
    pub grq: Retry,
    pub rrq: Retry,
    pub urq: Retry,
    pub arq: Retry,
    pub brq: Retry,
    pub irr: Retry,
    pub drq: Retry,
    pub lrq: Retry,
    pub rai: Retry,
    pub sci: Retry,
    /// IRQ: gatekeepers ask, so it is the small gatekeeper that uses it.
    pub irq: Retry,
    /// The driver's answer to [`RasAction::Resolve`](crate::RasAction).
    pub resolve: Duration,
    /// The first pause before trying to register again; each further one doubles, up to `back_off_most`.
    pub back_off: Duration,
    /// The longest pause.
    pub back_off_most: Duration,
    /// A pause at least this long after a rejection that only people can cure: wrong password, alias in use.
    pub back_off_denied: Duration,
    /// A registration that held so long was a good one: pauses start small again.
    pub settled: Duration,
    /// Between lightweight RRQs when the gatekeeper names no timeToLive; `None` sends none then.
    pub keep_alive: Option<Duration>,
    /// Between attempts to return from an alternate gatekeeper to the first; `None` stays.
    pub go_home: Option<Duration>,
}

impl Default for RasTimers {
    fn default() -> Self {
        Self {
            grq: Retry::new(5, 2),
            rrq: Retry::new(3, 2),
            urq: Retry::new(3, 1),
            arq: Retry::new(5, 2),
            brq: Retry::new(3, 2),
            irr: Retry::new(5, 2),
            drq: Retry::new(3, 2),
            lrq: Retry::new(5, 2),
            rai: Retry::new(3, 2),
            sci: Retry::new(3, 2),
            irq: Retry::new(3, 1),
            resolve: Duration::from_secs(10),
            back_off: Duration::from_secs(1),
            back_off_most: Duration::from_secs(300),
            back_off_denied: Duration::from_secs(30),
            settled: Duration::from_secs(60),
            keep_alive: Some(Duration::from_secs(300)),
            go_home: Some(Duration::from_secs(60)),
        }
    }
}

/// Bounds on what a gatekeeper, or somebody who plays one, can make us hold or do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RasLimits {
    /// Calls that are known at once.
    pub calls: usize,
    /// Requests that wait for an answer.
    pub requests: usize,
    /// Addresses and alternate gatekeepers that are remembered.
    pub gatekeepers: usize,
    /// Datagrams, actions and events waiting for the driver, counted as entries of each queue; more are dropped.
    pub queue: usize,
    /// How long RequestInProgress can hold a request up in all.
    pub in_progress: Duration,
    /// Calls told in one InfoRequestResponse.
    pub calls_per_response: usize,
}

impl Default for RasLimits {
    fn default() -> Self {
        Self {
            calls: 1024,
            requests: 1024,
            gatekeepers: 32,
            queue: 4096,
            in_progress: Duration::from_secs(120),
            calls_per_response: 8,
        }
    }
}

/// How an endpoint deals with gatekeepers.
#[derive(Debug, Clone)]
pub struct RasConfig {
    /// How the gatekeeper is found.
    pub discovery: Discovery,
    /// Ask by GRQ whether it wants us, before RRQ: what negotiates H.235 and tells of alternates. Without it the first
    /// message is RRQ; multicast always asks.
    pub ask_first: bool,
    /// Only a gatekeeper of this name will do (gatekeeperIdentifier).
    pub gatekeeper_identifier: Option<String>,
    /// Under what to register. At most 32.
    pub aliases: Vec<Alias>,
    /// What we are.
    pub kind: EndpointKind,
    /// Who made us.
    pub vendor: Vendor,
    /// The lifetime that we ask for; the gatekeeper decides. `None` asks for none.
    pub time_to_live: Option<Duration>,
    /// Refresh by lightweight RRQ (keepAlive), not by full ones.
    pub lightweight: bool,
    /// The password and how to use it.
    pub security: Option<Security>,
    /// willSupplyUUIEs: call signalling is reported when the gatekeeper asks for it.
    pub supply_uuies: bool,
    /// New calls while not registered.
    pub new_calls: NewCalls,
    /// Running calls when the registration is lost.
    pub running_calls: RunningCalls,
    /// Timeouts and pauses.
    pub timers: RasTimers,
    /// How much to take.
    pub limits: RasLimits,
}

impl RasConfig {
    /// Registers `aliases` with the gatekeeper that `discovery` finds.
    #[must_use]
    pub fn new(discovery: Discovery, aliases: Vec<Alias>) -> Self {
        Self {
            discovery,
            ask_first: true,
            gatekeeper_identifier: None,
            aliases,
            kind: EndpointKind::default(),
            vendor: Vendor::default(),
            time_to_live: Some(Duration::from_secs(300)),
            lightweight: true,
            security: None,
            supply_uuies: true,
            new_calls: NewCalls::default(),
            running_calls: RunningCalls::default(),
            timers: RasTimers::default(),
            limits: RasLimits::default(),
        }
    }
}

/// What only the driver knows.
#[derive(Debug, Clone)]
pub struct RasParams {
    /// Where our RAS socket can be reached.
    pub ras_address: SocketAddr,
    /// Where we listen for calls.
    pub signal_addresses: Vec<SocketAddr>,
    /// The time since 1970 at which the driver's clock (`now`) stood at zero: time stamps of H.235 and of usage reports.
    pub unix_epoch: Duration,
    /// Seed of sequence numbers, jitter of pauses, random values of H.235.
    pub seed: u64,
}
