//! Sans-IO H.323 call control: told the time, handed bytes.
//!
//! ```text
//!  driver ── handle_connected / handle_bytes / handle_closed / handle_timeout ──▶ ┌──────┐
//!  application ── accept, answer, set_media, send_digits, release ─────────────▶  │ Call │
//!  driver ◀── poll_transmit (bytes), poll_action (sockets), poll_timeout (clock) ─│      │
//!  application ◀── poll_event ─────────────────────────────────────────────────── └──────┘
//! ```
//!
//! [`Call`] is one call: H.225.0 (Q.931) signalling, fast connect,
//! H.245 tunnelled or on its own connection, H.245's procedures. It owns no socket and no clock; time
//! is a `Duration` since an epoch of the driver's choice, randomness is a seed.
//!
//! A call has its call signalling connection to itself, unless the driver puts a [`Connection`] between them: that one
//! tells the messages of several calls apart (H.323 7.3).
//!
//! Call order: after **every** `handle_*` and every command, drain `poll_transmit`, `poll_action` and
//! `poll_event` until they return `None`, then ask `poll_timeout` when to call `handle_timeout`. When
//! `is_finished` is true and the queues are drained, drop the call.
//!
//! Beside the call stand [`Ras`], an endpoint's dealings with its gatekeeper, and [`Gatekeeper`], a small gatekeeper: the
//! same order of calls, datagrams in place of connections; how a driver uses them stands with them.
//!
//! Not here: sockets (the driver: `offhook-tsp`), RTP (the media side).

mod address;
mod call;
mod capability;
pub mod catalogue;
mod cause;
mod config;
mod connection;
mod event;
mod fast_connect;
mod gatekeeper;
mod h235;
mod h245;
mod information;
mod media;
mod number;
mod product;
mod quirks;
mod random;
mod ras;
mod timer;
mod tunnel;

pub use address::Alias;
pub use call::{Call, CallState, Channel, Closed, IncomingParams, OutgoingParams};
pub use capability::{RemoteMedia, TelephoneEvents};
pub use cause::{Release, ReleaseReason};
pub use config::{Config, FastConnectAnswer, H245Counters, Limits, LimitsHit, SetupUnanswered, Vendor};
pub use connection::{CallSlot, Connection, ConnectionCounters, ConnectionEvent, PlaceError, SignalMessage};
pub use event::{
    Action, ConnectInfo, DigitVia, Event, Loop, MediaCommand, ModeResponse, Origin, PeerInfo, ReleaseInfo,
    SetupInfo, Transmit,
};
pub use gatekeeper::{
    AlternateGatekeeper, CallEnd, CallLeg, CallRow, DuplicateAliases, EndpointRow, Gatekeeper,
    GatekeeperConfig, GatekeeperCounters, GatekeeperEvent, GatekeeperLimits, GatekeeperParams, Leaving,
    RerouteError, Routing, reroute,
};
pub use h235::{
    Method, Password, Security, SecurityFailure, SignalSecurity, UnsignedReplies, UnsignedSignals,
};
pub use information::{ConferenceGoal, Forward, ForwardKind, Forwarding, UserUser};
pub use media::{
    AudioCodec, ChannelPlan, CodecOffer, CodecPreference, DescribedCodec, Description, DtmfWay, Flow,
    GenericId, LocalMedia, LocalSession, NonStandardCapability, NonStandardId, Parameter, Redundancy,
};
pub use number::{Number, Redirecting};
pub use offhook_wire::per::Oid;
pub use offhook_wire::q931::{Cause, NumberingPlan, Presentation, Screening, TypeOfNumber};
pub use offhook_wire::tpkt::TpktError;
pub use quirks::Quirks;
pub use ras::{
    Admission, AdmissionReason, AdmissionRejection, AdmissionRequest, AlternateEndpoint, AudioReport,
    BandwidthRejection, CallModel, CallReport, Discovery, EndpointKind, G711_BANDWIDTH, LocateBy, Located,
    LocationRejection, MULTICAST_GROUP, NewCalls, PreGranted, Question, RAS_PORT, Ras, RasAction, RasCall,
    RasConfig, RasCounters, RasEvent, RasFailure, RasLimits, RasParams, RasState, RasTimers, RasTransmit,
    Registration, ReleaseOrder, Retry, RunningCalls, ServiceReason, ServiceSession,
};
pub use timer::{Timer, TimerError, Timers};
