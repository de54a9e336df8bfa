//! The frames of both directions, and the numbers that both sides agree on.

use std::fmt;
use std::time::Duration;

use crate::pipe::Direction;
use crate::proto::{self as p, client_frame, server_frame};

/// The contract version of this crate.
pub const VERSION: u32 = 1;

/// The most octets of a client's frame.
pub const MAX_CLIENT_FRAME: usize = 1 << 20;

/// The most octets of a broker's frame: the lines and hubs of a large one have room.
pub const MAX_SERVER_FRAME: usize = 16 << 20;

/// The most octets of a client's name.
pub const MAX_NAME: usize = 256;

/// Items that may come before the other side is told that they have.
pub(crate) const ACKNOWLEDGE_EVERY: u64 = 64;

/// How many pings may be missing before a connection is taken for lost.
const PINGS_MISSED: u32 = 3;

/// From client to broker.
pub(crate) struct Requests;

impl Direction for Requests {
    type Item = p::Request;
    type What = client_frame::Frame;
    type Frame = p::ClientFrame;

    fn item(item: p::Request) -> Self::What {
        client_frame::Frame::Request(item)
    }

    fn frame(sequence: u64, received: u64, what: Self::What) -> p::ClientFrame {
        p::ClientFrame { sequence, received, frame: Some(what) }
    }

    fn replaces(newer: &Self::What, older: &Self::What) -> bool {
        std::mem::discriminant(newer) == std::mem::discriminant(older)
    }
}

/// From broker to client.
pub(crate) struct Events;

impl Direction for Events {
    type Item = p::Event;
    type What = server_frame::Frame;
    type Frame = Result<p::ServerFrame, tonic::Status>;

    fn item(item: p::Event) -> Self::What {
        server_frame::Frame::Event(item)
    }

    fn frame(sequence: u64, received: u64, what: Self::What) -> Self::Frame {
        Ok(p::ServerFrame { sequence, received, frame: Some(what) })
    }

    fn replaces(newer: &Self::What, older: &Self::What) -> bool {
        std::mem::discriminant(newer) == std::mem::discriminant(older)
    }
}

/// Why a session ended by the broker's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// The reason.
    pub why: p::farewell::Why,
    /// In one line.
    pub text: String,
}

impl Farewell {
    pub(crate) fn new(why: p::farewell::Why, text: impl Into<String>) -> Self {
        Self { why, text: text.into() }
    }

    pub(crate) fn message(&self) -> p::Farewell {
        p::Farewell { why: self.why.into(), text: self.text.clone() }
    }

    pub(crate) fn read(message: p::Farewell) -> Self {
        Self { why: message.why(), text: message.text }
    }
}

impl fmt::Display for Farewell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The longest silence on a connection that is pinged so often.
pub(crate) fn silence(keep_alive: Duration) -> Duration {
    keep_alive * PINGS_MISSED
}
