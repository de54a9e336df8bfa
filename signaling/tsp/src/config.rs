//! What the provider is told once.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use offhook_h323::Config;

use crate::WireTap;
use crate::destination::SIGNALLING_PORT;
use crate::registrar::RegistrationConfig;

/// Configuration of an [`H323Provider`](crate::H323Provider).
#[derive(Clone)]
pub struct H323Config {
    /// What the provider is called in its lines' capabilities. Two of one broker have different names, by which who watches
    /// call hubs tells them apart.
    pub provider: String,
    /// Where calls are taken, once an application wants calls. Port 0 takes a free one. `[::]`, as made, takes them over
    /// IPv4 as well; on a machine without IPv6 it is `0.0.0.0`.
    pub listen: SocketAddr,
    /// The gatekeeper to live behind. With one the line listens, registered, from its opening on, and every call asks
    /// for admission.
    pub gatekeeper: Option<RegistrationConfig>,
    /// How calls behave: name, aliases, start modes, timers, limits.
    pub call: Config,
    /// Which way digits go.
    pub digits_via: DigitsVia,
    /// How long digits wait for H.245 to say what the far end takes, before they go the best way that is known.
    pub digits_patience: Duration,
    /// How long the MSP may take to say what it has.
    pub prepare_timeout: Duration,
    /// How long a name may take to resolve.
    pub resolve_timeout: Duration,
    /// DNS servers to ask in place of the system's (`/etc/resolv.conf`), over UDP, and over TCP for what does not fit.
    /// With one given, names of one label and `.local` are asked there too.
    pub name_servers: Vec<SocketAddr>,
    /// Calls and connections without a call yet, together; more are refused with gatewayResources (cause 42).
    pub max_calls: usize,
    /// Connections of all hosts together that may stand without having said what call they are for; more are closed.
    pub max_silent: usize,
    /// Connections that one host may make in a second, and twice as many at once; more are refused with adaptiveBusy
    /// (cause 41).
    pub connections_per_second: u32,
    /// Refusals under way at once: each waits for the Setup that it answers. More connections are closed without a word.
    pub max_refusals: usize,
    /// Connections of one host that may stand without having said what call they are for; more are refused. Without
    /// it a host that connects and says nothing could keep every other caller out.
    pub max_silent_per_host: usize,
    /// Sees every octet on signalling connections.
    pub tap: Option<Arc<dyn WireTap>>,
}

/// Which way digits go to the far end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DigitsVia {
    /// The first that both sides have of [`Config::dtmf`](crate::CallConfig): usually telephone-events, H.245 signal,
    /// H.245 alphanumeric, Q.931 keypad.
    #[default]
    Auto,
    /// RFC 4733 telephone-events in RTP; also where the far end is known to announce them and not to hear them.
    TelephoneEvent,
    /// H.245 UserInputIndication signal.
    Signal,
    /// H.245 UserInputIndication alphanumeric.
    Alphanumeric,
    /// Q.931 Information with Keypad facility.
    Keypad,
    /// Tones in the sound: the last resort, for what only listens. Whatever else is sent is mixed with them.
    InBand,
}

impl Default for H323Config {
    fn default() -> Self {
        Self {
            provider: "offhook H.323".to_owned(),
            listen: SocketAddr::from((Ipv6Addr::UNSPECIFIED, SIGNALLING_PORT)),
            gatekeeper: None,
            call: Config::default(),
            digits_via: DigitsVia::Auto,
            digits_patience: Duration::from_secs(2),
            prepare_timeout: Duration::from_secs(5),
            resolve_timeout: Duration::from_secs(5),
            name_servers: Vec::new(),
            max_calls: 2_000,
            max_silent: 1_000,
            connections_per_second: 1_000,
            max_refusals: 64,
            max_silent_per_host: 100,
            tap: None,
        }
    }
}
