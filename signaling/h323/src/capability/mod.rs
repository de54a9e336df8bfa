//! Capabilities and channel proposals: the media model ⇄ H.245's types.
//!
//! ```text
//!   codec     one codec ⇄ AudioCapability, AudioMode
//!   local     LocalMedia ─▶ our TerminalCapabilitySet
//!   remote    the peer's TerminalCapabilitySets ─▶ what both have, at the same time
//!   channel   OpenLogicalChannel ─▶ what is asked for
//!   events    RFC 4733 events ⇄ their list
//! ```
//!
//! Not here: which message carries them (`h245::pdu`, `fast_connect`), when channels open (`h245::lcse`).

mod channel;
mod codec;
mod events;
mod local;
mod remote;

pub(crate) use channel::{DataType, OpenChannel, Proposal};
#[cfg(test)]
pub(crate) use codec::describes;
pub(crate) use codec::{
    audio_mode, data_type, dynamic_payload_type, mode_is, packet_ms, packetization, redundant_data_type,
    redundant_packetization,
};
pub use events::TelephoneEvents;
pub(crate) use local::{Table, table};
pub use remote::RemoteMedia;
pub(crate) use remote::{RemoteCapabilities, SetRefused};
