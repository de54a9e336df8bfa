//! H.225.0 v7 (`H323-MESSAGES`): call signalling and RAS.
//! Top types: [`H323UserInformation`] in a Q.931 User-user IE, [`RasMessage`] in a UDP datagram.

mod address;
mod admission;
mod call;
mod capacity;
mod common;
mod discovery;
mod disengage;
mod endpoint;
mod gatekeeper;
mod generic;
mod information;
mod location;
mod message;
mod ras;
mod registration;
mod resources;
mod security;
mod service;

pub use address::*;
pub use admission::*;
pub use call::*;
pub use capacity::*;
pub use common::*;
pub use discovery::*;
pub use disengage::*;
pub use endpoint::*;
pub use gatekeeper::*;
pub use generic::*;
pub use information::*;
pub use location::*;
pub use message::*;
pub use ras::*;
pub use registration::*;
pub use resources::*;
pub use security::*;
pub use service::*;
