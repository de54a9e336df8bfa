//! The RAS client: one endpoint and its gatekeeper (H.225.0 clause 7.7 on, H.323 clause 7.2 and 8).
//! In: datagrams, time, answers of the DNS, calls. Out: datagrams, questions to the DNS, events.
//!
//! | file | messages |
//! |---|---|
//! | `discovery` | GRQ GCF GRJ |
//! | `registration`, `unregistration` | RRQ RCF RRJ, URQ UCF URJ |
//! | `admission`, `outcome` | ARQ ACF ARJ |
//! | `bandwidth` | BRQ BCF BRJ |
//! | `disengage` | DRQ DCF DRJ |
//! | `information` | IRQ IRR IACK INAK |
//! | `location` | LRQ LCF LRJ |
//! | `resources` | RAI RAC |
//! | `service` | SCI SCR, NSM, XRS |
//! | `transaction` | numbers, repetitions, RIP, signing |
//! | `receive` | who sent it, is it proved, whose answer is it |
//! | `gatekeepers` | which gatekeeper is next |
//! | `calls` | what the gatekeeper knows of our calls |
//! | `endpoint`, `message` | what our messages say about us; what all messages share |
//!
//! The machine bounds what it holds by [`RasLimits`] and answers nobody but its gatekeeper.

mod admission;
mod bandwidth;
mod calls;
mod config;
mod discovery;
mod disengage;
pub(crate) mod endpoint;
mod event;
mod gatekeepers;
mod information;
mod location;
pub(crate) mod message;
mod outcome;
mod receive;
mod registration;
mod resources;
mod service;
mod transaction;
mod unregistration;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use offhook_wire::per::BmpString;

pub use admission::{
    Admission, AdmissionRejection, AdmissionRequest, AlternateEndpoint, CallModel, G711_BANDWIDTH,
};
pub use bandwidth::BandwidthRejection;
pub use calls::{AudioReport, CallReport};
pub use config::{
    Discovery, EndpointKind, MULTICAST_GROUP, NewCalls, RAS_PORT, RasConfig, RasLimits, RasParams, RasTimers,
    Retry, RunningCalls,
};
pub use event::{
    PreGranted, Question, RasAction, RasCall, RasCounters, RasEvent, RasFailure, RasState, RasTransmit,
    Registration, ReleaseOrder, ServiceReason, ServiceSession,
};
pub use location::{LocateBy, Located, LocationRejection};
pub use outcome::AdmissionReason;

use crate::Alias;
use crate::h235::{Authenticator, Method, SecurityFailure, UnsignedReplies};
use crate::random::Random;
use calls::CallRecord;
use gatekeepers::{Gatekeeper, Gatekeepers};
use location::Search;
use transaction::Pending;

/// What a question to the DNS is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Gatekeeper,
    Location(u32),
}

/// The registration that holds.
#[derive(Debug)]
struct Registered {
    /// endpointIdentifier, as the gatekeeper writes it.
    identifier: BmpString,
    since: Duration,
    info: Registration,
}

/// One endpoint's RAS client.
///
/// # How a driver uses it
///
/// 1. Bind one UDP socket (any port; 1719 is the gatekeepers'), listen for calls, then [`Ras::new`] with both addresses
///    as the gatekeeper can reach them, and [`Ras::start`].
/// 2. After **every** call of this machine: send each [`Ras::poll_transmit`] from that socket (to 224.0.1.41 with the
///    multicast time to live of your choice; nothing is received by multicast, so no group is joined), look up each
///    [`RasAction::Resolve`] and say [`Ras::resolved`], hand on each [`Ras::poll_event`]; then wait for a datagram
///    ([`Ras::handle_datagram`]), an answer of the DNS, or [`Ras::poll_timeout`] ([`Ras::handle_timeout`]).
/// 3. A call that we make: [`Ras::admit`] **before** the Call is made. On [`RasEvent::Admitted`] connect to
///    `Admission::address`, hand the admission to `Call::apply_admission` (it changes whom Setup asks for and what it
///    carries) and let the call use no more than `Admission::bandwidth`. On [`RasEvent::NotAdmitted`] the call ends
///    with `AdmissionRejection::release`, without a Setup.
/// 4. A call that comes: [`Ras::admit`] with `answer` and the identifiers of its Setup, before Alerting and Connect. On
///    [`RasEvent::NotAdmitted`] release it with `AdmissionRejection::release`; when `route_to` is there, send it away
///    there instead.
/// 5. While it runs: [`Ras::call_alerting`], [`Ras::call_connected`], [`Ras::set_call_report`] once addresses are known;
///    [`Ras::change_bandwidth`] before more is used than granted; if `Admission::wants_signals`, the octets of its
///    signalling connection to [`Ras::report_signal`].
/// 6. At its end, whoever ended it: [`Ras::disengage`]. On [`RasEvent::Release`] release the call; `disengage` is then
///    not needed, and does no harm.
/// 7. [`Ras::stop`] when the endpoint goes: it takes leave (URQ) once the last call has, and says [`RasEvent::Stopped`].
#[derive(Debug)]
pub struct Ras {
    config: RasConfig,
    params: RasParams,
    state: RasState,
    /// Our aliases, with those that were added since.
    aliases: Vec<Alias>,
    /// `start` was said.
    wanted: bool,
    /// `stop` was said, and calls still run.
    stop_wanted: bool,

    gatekeepers: Gatekeepers,
    /// Who serves us, or is being asked.
    gatekeeper: Gatekeeper,
    /// The first gatekeeper, while it is being asked to take us back.
    home_found: Gatekeeper,
    /// Where GCF came from, if it names another address: for when nobody answers there.
    confirmed_from: Option<SocketAddr>,
    registered: Option<Registered>,
    has_registered: bool,
    keep_alive_at: Option<Duration>,
    go_home_at: Option<Duration>,
    /// The end of a pause.
    resume_at: Option<Duration>,
    /// Pauses since a registration has settled: the next is twice as long.
    pauses: u32,
    /// A rejection that only people can cure.
    denied: bool,
    /// discoveryRequired was answered by another GRQ already.
    asked_again: bool,
    failure: Option<RasFailure>,
    unproved_since_request: Option<SecurityFailure>,

    authenticator: Option<Authenticator>,
    random: Random,
    number: u16,
    last_id: u32,
    pending: Vec<Pending>,
    questions: Vec<(u32, Asked, Duration)>,
    searches: Vec<Search>,
    calls: Vec<CallRecord>,
    xrs_at: Option<Duration>,
    last_service: Option<(SocketAddr, u16)>,
    /// The gatekeeper's URQ that was obeyed last.
    last_leave: Option<(SocketAddr, u16, Duration)>,

    counters: RasCounters,
    transmits: VecDeque<RasTransmit>,
    actions: VecDeque<RasAction>,
    events: VecDeque<RasEvent>,
}

impl Ras {
    /// A client that does nothing until `start`.
    #[must_use]
    pub fn new(mut config: RasConfig, params: RasParams) -> Self {
        // A GCF is not signed: if it could choose another method, whoever forges one could have proof given up.
        if let Some(security) = config.security.as_mut().filter(|s| s.replies == UnsignedReplies::Strict) {
            security.methods = vec![Method::H2351];
        }
        let mut random = Random::new(params.seed);
        let authenticator = config.security.as_ref().map(|security| {
            let password = security.password.clone();
            Authenticator::new(&security.user, password, security.time_window, random.next())
        });
        Self {
            state: RasState::Stopped,
            aliases: config.aliases.clone(),
            wanted: false,
            stop_wanted: false,
            gatekeepers: Gatekeepers::default(),
            gatekeeper: Gatekeeper::default(),
            home_found: Gatekeeper::default(),
            confirmed_from: None,
            registered: None,
            has_registered: false,
            keep_alive_at: None,
            go_home_at: None,
            resume_at: None,
            pauses: 0,
            denied: false,
            asked_again: false,
            failure: None,
            unproved_since_request: None,
            authenticator,
            // An answer cannot be invented by who does not know where the numbers begin.
            number: (random.next() >> 48) as u16,
            random,
            last_id: 0,
            pending: Vec::new(),
            questions: Vec::new(),
            searches: Vec::new(),
            calls: Vec::new(),
            xrs_at: None,
            last_service: None,
            last_leave: None,
            counters: RasCounters::default(),
            transmits: VecDeque::new(),
            actions: VecDeque::new(),
            events: VecDeque::new(),
            config,
            params,
        }
    }

    /// Registers, and keeps registering until `stop`.
    pub fn start(&mut self, now: Duration) {
        self.stop_wanted = false;
        if !self.wanted {
            self.wanted = true;
            self.pauses = 0;
            self.begin(now);
        }
    }

    /// Takes leave (URQ), after the last call has; [`RasEvent::Stopped`] follows.
    pub fn stop(&mut self, now: Duration) {
        if self.state == RasState::Stopped && !self.wanted {
            return self.tell(RasEvent::Stopped);
        }
        self.stop_wanted = true;
        self.try_stop(now);
    }

    /// A datagram that came to the RAS socket.
    pub fn handle_datagram(&mut self, now: Duration, source: SocketAddr, octets: &[u8]) {
        self.on_datagram(now, source, octets);
    }

    /// The answer to [`RasAction::Resolve`] with this `id`, best first; none if there are none.
    pub fn resolved(&mut self, now: Duration, id: u32, addresses: &[SocketAddr]) {
        let Some(at) = self.questions.iter().position(|(asked, ..)| *asked == id) else {
            return;
        };
        match self.questions.remove(at).1 {
            Asked::Gatekeeper => self.on_gatekeeper_resolved(now, addresses),
            Asked::Location(id) => self.on_location_resolved(now, id, addresses),
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Duration) {
        let due = |at: Option<Duration>| at.is_some_and(|at| at <= now);
        self.expire_pending(now);
        while let Some((id, ..)) = self.questions.iter().find(|(_, _, deadline)| *deadline <= now).copied() {
            self.resolved(now, id, &[]);
        }
        if due(self.resume_at) {
            self.begin(now);
        }
        if due(self.keep_alive_at) {
            self.keep_alive(now);
        }
        if due(self.go_home_at) {
            self.probe_home(now);
        }
        self.report_due(now);
    }

    /// When to call `handle_timeout`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let questions = self.questions.iter().map(|(_, _, deadline)| *deadline).min();
        [
            self.earliest_pending(),
            questions,
            self.resume_at,
            self.keep_alive_at,
            self.go_home_at,
            self.earliest_report(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<RasTransmit> {
        self.transmits.pop_front()
    }

    /// The next thing for the driver to do.
    pub fn poll_action(&mut self) -> Option<RasAction> {
        self.actions.pop_front()
    }

    /// The next thing for the application to know.
    pub fn poll_event(&mut self) -> Option<RasEvent> {
        self.events.pop_front()
    }

    /// Where the registration stands.
    #[must_use]
    pub fn state(&self) -> RasState {
        self.state
    }

    /// The registration, if there is one.
    #[must_use]
    pub fn registration(&self) -> Option<&Registration> {
        self.registered.as_ref().map(|registered| &registered.info)
    }

    /// What has happened so far.
    #[must_use]
    pub fn counters(&self) -> RasCounters {
        self.counters
    }

    /// The endpoint's configuration.
    #[must_use]
    pub fn config(&self) -> &RasConfig {
        &self.config
    }

    /// The last thing that went wrong, until a registration succeeds.
    #[must_use]
    pub fn failure(&self) -> Option<&RasFailure> {
        self.failure.as_ref()
    }

    /// Why we are not registered, in one line; `None` when we are.
    #[must_use]
    pub fn why_not(&self, now: Duration) -> Option<String> {
        if self.state == RasState::Registered {
            return None;
        }
        let doing = match self.state {
            RasState::Stopped if self.has_registered => "unregistered on request".to_owned(),
            RasState::Stopped => "not started".to_owned(),
            RasState::Resolving => "looking up the gatekeeper's name".to_owned(),
            RasState::Discovering => "asking for a gatekeeper".to_owned(),
            RasState::Registering => format!("asking {} to register us", self.gatekeeper_name()),
            RasState::Unregistering => format!("taking leave of {}", self.gatekeeper_name()),
            RasState::Waiting | RasState::Registered => {
                let left = self.resume_at.unwrap_or(now).saturating_sub(now);
                format!("next attempt in {} s", left.as_secs_f32().ceil())
            }
        };
        Some(match &self.failure {
            Some(failure) => format!("{failure}; {doing}"),
            None => doing,
        })
    }

    /// Registers further aliases: by an additive RRQ where the gatekeeper can, else by a new registration.
    pub fn add_aliases(&mut self, now: Duration, aliases: Vec<Alias>) {
        self.add(now, aliases);
    }

    /// Gives aliases up, and keeps the rest registered.
    pub fn remove_aliases(&mut self, now: Duration, aliases: &[Alias]) {
        self.remove(now, aliases);
    }

    /// The driver's clock has been set anew: `unix_epoch` is the time since 1970 at which `now` stood at zero.
    pub fn set_unix_epoch(&mut self, unix_epoch: Duration) {
        self.params.unix_epoch = unix_epoch;
    }

    /// Seconds since 1970; never 0, which TimeStamp has no room for.
    fn unix(&self, now: Duration) -> u32 {
        let seconds = self.params.unix_epoch.saturating_add(now).as_secs();
        u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
    }

    fn tell(&mut self, event: RasEvent) {
        if self.events.len() < self.config.limits.queue {
            self.events.push_back(event);
        } else {
            self.counters.limited = self.counters.limited.saturating_add(1);
        }
    }

    fn set_state(&mut self, state: RasState) {
        if state == RasState::Registering {
            self.unproved_since_request = None;
        }
        if self.state != state {
            self.state = state;
            self.tell(RasEvent::State(state));
        }
    }

    fn note_failure(&mut self, why: RasFailure) {
        self.failure = Some(why.clone());
        self.tell(RasEvent::NotRegistered(why));
    }

    /// An attempt has failed as a whole, for this reason.
    fn fail(&mut self, now: Duration, why: RasFailure) {
        self.note_failure(why);
        self.pause(now);
    }

    /// An attempt has failed as a whole: the next one after a pause, twice as long as the one before, give or take a
    /// quarter, so that a thousand endpoints do not come back in one second.
    fn pause(&mut self, now: Duration) {
        if self.stop_wanted || !self.wanted {
            return self.on_unregistered(now);
        }
        let timers = &self.config.timers;
        let least = if self.denied { timers.back_off_denied } else { timers.back_off };
        let doubled = least.saturating_mul(1u32.checked_shl(self.pauses.min(20)).unwrap_or(1));
        let length = doubled.min(timers.back_off_most.max(least));
        let jitter = self.random.next() % 512;
        let length = length.saturating_mul(768 + jitter as u32) / 1024;
        self.pauses = self.pauses.saturating_add(1);
        self.denied = false;
        self.resume_at = Some(now.saturating_add(length));
        self.set_state(RasState::Waiting);
        self.fail_waiting_calls(now);
    }
}
