//! offhook: an H.323/RTP telephone.
//!
//! This crate composes the rooms of the house into one process: broker, H.323 provider (TSP) and media provider (MSP)
//! behind the application's API.
//!
//! ```no_run
//! use offhook::{Direction, DisconnectCode, Embedded, EmbeddedConfig, MediaTypes, Privilege, TerminalClass};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let phone = Embedded::start(EmbeddedConfig::default()).await?;
//! let address = phone.address();
//! address.open(Privilege::None, MediaTypes::AUDIO).await?;
//! let call = address.create_call("h323:bob@192.0.2.7", MediaTypes::AUDIO)?;
//! let record = address.create_terminal(TerminalClass::FileRecord { path: "bob.wav".into() }, Direction::Render)?;
//! for stream in call.streams()?.iter().filter(|s| s.direction() == Direction::Render) {
//!     stream.select_terminal(&record)?;
//! }
//! call.connect().await?;
//! tokio::time::sleep(std::time::Duration::from_secs(5)).await;
//! call.disconnect(DisconnectCode::Normal).await?;
//! phone.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! In: a configuration. Out: [`Embedded`], whose [`Address`] places and takes calls; [`capture`] writes what went over
//! the wire; [`measure`] says how long sound took.
//! Not here: any behaviour of a call. The `offhook` command (`src/cli`) is an application of this API like any other.

pub mod arrivals;
mod attached;
pub mod capture;
mod embedded;
pub mod measure;
pub mod tapisrv;

pub use attached::{Attached, AttachedConfig, join};
pub use embedded::{Embedded, EmbeddedConfig, StartError};
pub use offhook_codecs::{CodecKind, CodecSettings, OpusSettings};
pub use offhook_device as device;
pub use offhook_gatekeeper as gatekeeper;
pub use offhook_h323_ext as h323_ext;
pub use offhook_modem as modem;
pub use offhook_msp::{Latch, MspConfig};
pub use offhook_tapi::*;
pub use offhook_tsp::{
    Alias, CallConfig, CodecPreference, Counters, DigitsVia, Discovery, FastConnectAnswer, Forwarding,
    H323Config, H323Provider, Password, RAS_PORT, RasConfig, RasState, RegistrationConfig,
    RegistrationStatus, Security, SetupUnanswered, Timers, UnsignedReplies, UnsignedSignals,
};
