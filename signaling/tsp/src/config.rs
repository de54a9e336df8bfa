//! What the provider is told once.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use offhook_h323::Config;

use crate::WireTap;
use crate::destination::SIGNALLING_PORT;

/// Configuration of an [`H323Provider`](crate::H323Provider).
#[derive(Clone)]
pub struct H323Config {
    /// Where calls are taken, once an application wants calls. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// How calls behave: name, aliases, start modes, timers, limits.
    pub call: Config,
    /// How long the MSP may take to say what it has.
    pub prepare_timeout: Duration,
    /// How long a name may take to resolve.
    pub resolve_timeout: Duration,
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

impl Default for H323Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, SIGNALLING_PORT)),
            call: Config::default(),
            prepare_timeout: Duration::from_secs(5),
            resolve_timeout: Duration::from_secs(5),
            max_calls: 2_000,
            max_silent: 1_000,
            connections_per_second: 1_000,
            max_refusals: 64,
            max_silent_per_host: 100,
            tap: None,
        }
    }
}
