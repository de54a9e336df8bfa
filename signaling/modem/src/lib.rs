//! The stand-alone TAPI service provider: AT-command modems on serial ports (FEATURES A5, what Unimodem was).
//!
//! ```text
//! broker ── Tspi ──▶ provider ── commands ──▶ one task a line ── octets ──▶ serial port ── modem
//!        ◀─ TspEvents ──────────────────────    machine (sans-IO)
//! ```
//!
//! Call control is whole: place, ring, answer, caller's number, digits both ways, hang up, why a call ended. There is
//! no MSP and there are no streams: the sound stays between the modem and what is plugged into it, and an application
//! that asks for streams hears that there are none.
//!
//! In: TSPI requests, what modems say. Out: TSPI events, AT commands.
//! The machine (`machine/`), what it reads (`line`, `code`, `caller_id`) and what it says (`profile`) are told the time
//! and the octets; only `port` and `driver` know a clock and a serial port.
//! Not here: sound; who may do what with a call (`broker`).
//!
//! What "connected" means with which kind of modem, and which word of a modem ends a call how: docs/modem.md.

mod caller_id;
mod code;
mod config;
mod driver;
mod extension;
mod line;
mod machine;
mod number;
mod port;
mod profile;
mod provider;
mod raw;

pub use config::{ConfigError, Dialling, ModemConfig, PortConfig, Profile, Rejecting};
pub use provider::ModemProvider;
