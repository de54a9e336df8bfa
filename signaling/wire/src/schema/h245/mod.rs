//! H.245 v16 (`MULTIMEDIA-SYSTEM-CONTROL`): capabilities, logical channels, user input.
//! Top types: [`MultimediaSystemControlMessage`]; [`OpenLogicalChannel`] alone in fast start.

mod address;
mod audio;
mod capability;
mod channel;
mod channel_parameters;
mod command;
mod conference;
mod data;
mod generic;
mod indication;
mod link;
mod master_slave;
mod message;
mod mode;
mod multiplex;
mod multiplex_table;
mod security;
mod transport;
mod video;

pub use address::*;
pub use audio::*;
pub use capability::*;
pub use channel::*;
pub use channel_parameters::*;
pub use command::*;
pub use conference::*;
pub use data::*;
pub use generic::*;
pub use indication::*;
pub use link::*;
pub use master_slave::*;
pub use message::*;
pub use mode::*;
pub use multiplex::*;
pub use multiplex_table::*;
pub use security::*;
pub use transport::*;
pub use video::*;
