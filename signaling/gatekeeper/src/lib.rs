//! A small gatekeeper on real sockets: `offhook gatekeeper`, and what tests register with.
//!
//! ```text
//! endpoints ── RAS, UDP ──▶ server: h323::Gatekeeper ── watch ──▶ Snapshot (endpoints, calls, counters)
//!           ── Setup, TCP ─▶ routed: asks where to, forwards      ── events ──▶ whoever listens
//! ```
//!
//! It is modest on purpose: no neighbours, no accounting, no rules for numbers, no proxy for media, no database. Routed
//! calls pass as they are but for the destination in Setup; it does not sign call signalling. Where one needs more, one
//! deploys GNU Gatekeeper. What it does it does on the wire like any other.
//!
//! In: a [`ServerConfig`]. Out: a running [`Server`].
//! Not here: what a gatekeeper decides (`h323`).

mod routed;
mod server;

pub use offhook_h323::{
    Alias, CallEnd, CallLeg, CallModel, CallRow, DuplicateAliases, EndpointRow, GatekeeperConfig,
    GatekeeperCounters, GatekeeperEvent, Leaving, Password,
};
pub use server::{Server, ServerConfig, Snapshot, StartError};
