//! What the small gatekeeper is and lets happen.
//! Not here: what it knows at the moment (`table`).

use std::net::SocketAddr;
use std::time::Duration;

use crate::h235::{Method, Password, TIME_WINDOW};
use crate::ras::{CallModel, PreGranted, RasTimers};

/// Whose an alias is that two endpoints want.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DuplicateAliases {
    /// The one that has it: RRJ duplicateAlias.
    #[default]
    Reject,
    /// The newer one's; the older one is unregistered (URQ). As GNU Gatekeeper can be told to do.
    Replace,
}

/// Another gatekeeper that is told to endpoints (alternateGatekeeper).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlternateGatekeeper {
    /// Its RAS address.
    pub address: SocketAddr,
    /// Its name.
    pub identifier: Option<String>,
    /// It does not share our registrations.
    pub need_to_register: bool,
    /// 0 is tried first, 127 last.
    pub priority: u8,
}

/// Bounds on what endpoints can make the gatekeeper hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatekeeperLimits {
    /// Registered endpoints; one more is rejected (resourceUnavailable).
    pub endpoints: usize,
    /// Aliases of one endpoint.
    pub aliases: usize,
    /// Calls at once; one more is rejected (resourceUnavailable).
    pub calls: usize,
    /// Answers kept for requests that are repeated.
    pub answers: usize,
    /// Requests of ours that wait for an answer.
    pub requests: usize,
    /// Datagrams and events waiting for the driver, counted as entries of each queue; more are dropped.
    pub queue: usize,
}

impl Default for GatekeeperLimits {
    fn default() -> Self {
        Self { endpoints: 4096, aliases: 32, calls: 4096, answers: 4096, requests: 4096, queue: 16_384 }
    }
}

/// How the gatekeeper behaves.
#[derive(Debug, Clone)]
pub struct GatekeeperConfig {
    /// gatekeeperIdentifier, 1 to 128 characters.
    pub identifier: String,
    /// Whether call signalling goes straight or through the gatekeeper; the latter needs a driver that forwards it.
    pub model: CallModel,
    /// The longest registration; an endpoint may ask for less, but for no less than `least_time_to_live`.
    pub time_to_live: Duration,
    /// The shortest registration.
    pub least_time_to_live: Duration,
    /// Names and passwords. Without any, everybody may register; with some, only who proves to be one of them.
    pub users: Vec<(String, Password)>,
    /// The methods that are accepted, best first.
    pub methods: Vec<Method>,
    /// How far clocks may be apart.
    pub time_window: Duration,
    /// Under H.235.1, our messages are signed too. Off, it behaves as GNU Gatekeeper 5.15 does.
    pub sign: bool,
    /// The bandwidth of all calls together, in 100 bit/s; `None` is no bound.
    pub total_bandwidth: Option<u32>,
    /// The bandwidth of one call; `None` is no bound.
    pub call_bandwidth: Option<u32>,
    /// Endpoints report on calls at this interval (irrFrequency).
    pub irr_interval: Option<Duration>,
    /// Whose an alias is that two endpoints want.
    pub duplicates: DuplicateAliases,
    /// Calls to addresses that nobody has registered are admitted (direct model).
    pub unregistered_destinations: bool,
    /// Calls that need no ARQ.
    pub pre_granted: PreGranted,
    /// Other gatekeepers that endpoints may turn to.
    pub alternates: Vec<AlternateGatekeeper>,
    /// Timeouts of our requests.
    pub timers: RasTimers,
    /// How much to hold.
    pub limits: GatekeeperLimits,
}

impl GatekeeperConfig {
    /// A gatekeeper of this name that lets everybody in, direct model, 60 s of registration.
    #[must_use]
    pub fn new(identifier: impl Into<String>) -> Self {
        Self {
            identifier: identifier.into(),
            model: CallModel::Direct,
            time_to_live: Duration::from_secs(60),
            least_time_to_live: Duration::from_secs(10),
            users: Vec::new(),
            methods: Method::ALL.to_vec(),
            time_window: TIME_WINDOW,
            sign: true,
            total_bandwidth: None,
            call_bandwidth: None,
            irr_interval: None,
            duplicates: DuplicateAliases::default(),
            unregistered_destinations: true,
            pre_granted: PreGranted::default(),
            alternates: Vec::new(),
            timers: RasTimers::default(),
            limits: GatekeeperLimits::default(),
        }
    }
}

/// What only the driver knows.
#[derive(Debug, Clone)]
pub struct GatekeeperParams {
    /// Where the RAS socket can be reached.
    pub ras_address: SocketAddr,
    /// Where the driver takes call signalling to forward it; `None` for the direct model.
    pub signal_address: Option<SocketAddr>,
    /// The time since 1970 at which the driver's clock stood at zero.
    pub unix_epoch: Duration,
    /// Seed of identifiers and of H.235's random values.
    pub seed: u64,
}
