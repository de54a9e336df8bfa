//! The H.323 TAPI service provider: call machines and their TCP sockets behind the SPI.
//!
//! ```text
//! broker ── Tspi ──▶ provider ── commands ──▶ one task a call ── TCP ──▶ peer
//!        ◀─ TspEvents ──────────────────────    h323::Call
//! MSP    ◀═ opaque: Prepare, Start, Stop, digits ═══╡
//!        ══ opaque: Prepared, Failed, digits ══════▶╡
//! ```
//!
//! A call has its call signalling connection to itself, unless the configuration lets calls share one
//! (`CallConfig::multiple_calls`): then a task of the connection's stands between it and its calls (`trunk.rs`).
//!
//! In: TSPI requests, opaque buffers of our MSP, octets of peers. Out: TSPI events, opaque buffers, octets.
//! Not here: what a message means (`h323`), media ports and codecs (the MSP says them), who may do what (`broker`).

mod call;
mod config;
mod connection;
mod destination;
mod dial;
mod extension;
mod gate;
mod hub;
mod info;
mod listener;
mod media;
mod mode;
mod provider;
mod refuse;
mod registrar;
mod resolve;
mod tap;
mod trunk;

pub use config::{DigitsVia, H323Config};
pub use destination::{Destination, SIGNALLING_PORT};
pub use gate::Counters;
pub use offhook_h323::{
    Alias, CallModel, CodecPreference, Config as CallConfig, Discovery, EndpointKind, FastConnectAnswer,
    Forwarding, Limits, Method, NewCalls, Number, Password, Presentation, RAS_PORT, RasConfig, RasCounters,
    RasFailure, RasState, RasTimers, Registration, RunningCalls, Screening, Security, SetupUnanswered,
    TimerError, Timers, UnsignedReplies, UnsignedSignals, Vendor,
};
pub use provider::H323Provider;
pub use registrar::{RegistrationConfig, RegistrationStatus};
pub use tap::WireTap;
