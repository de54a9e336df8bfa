//! One direction of a call's sound: what decides whether it streams.
//! In: the channel that the TSP opened, selections, the application's verbs. Out: whether the half is to run.
//!
//! ```text
//! Idle ─ channel ∧ terminal ∧ ¬stopped ─▶ Starting ─ the half runs ─▶ Active    (STREAM_ACTIVE)
//!   ▲──────────────── one of them goes ──────┴──────────────────────────┤       (STREAM_INACTIVE, from Active)
//!   └────────── one of them goes ── TimedOut ⇄ render only: packets stop and come again (INACTIVE, ACTIVE)
//! ```
//!
//! Not here: commands to the engine and events (`call.rs`).

use std::net::SocketAddr;
use std::sync::Arc;

use offhook_codecs::CodecKind;
use offhook_engine::{SinkId, SourceId};
use offhook_pair::Channel;
use offhook_spi::mspi::{Direction, StreamInfo};
use offhook_spi::{MspCallId, MspEventCause, StreamId};

use crate::clocks::Watched;
use crate::terminal::{Kind, Terminal};

/// A stream.
pub(crate) struct Stream {
    pub(crate) info: StreamInfo,
    /// What is open, if anything is.
    pub(crate) channel: Option<Channel>,
    pub(crate) selected: Vec<Selected>,
    /// The last verb was stop.
    pub(crate) is_stopped: bool,
    pub(crate) phase: Phase,
    /// Breaks of cards that are no longer selected.
    pub(crate) xruns_before: u64,
    /// For statistics, which outlive the channel.
    pub(crate) codec: Option<CodecKind>,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) local: Option<SocketAddr>,
}

/// Where a stream is between silence and sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The half stands still.
    Idle,
    /// It was told to run; why.
    Starting(MspEventCause),
    /// It runs.
    Active,
    /// It runs, and nothing has come for long.
    TimedOut,
}

/// A terminal and what stands for it in the engine.
pub(crate) struct Selected {
    pub(crate) terminal: Arc<Terminal>,
    pub(crate) node: Node,
    /// The card that a bridge feeds or empties.
    pub(crate) bridged: Option<Watched>,
}

/// What stands for a terminal in the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Source(SourceId),
    Sink(SinkId),
    /// The tap of the half's packets.
    Tap,
    /// What sends packets in place of sound.
    Injector,
    /// The card that drives this half.
    Card,
    /// A card that died.
    Gone,
}

impl Stream {
    pub(crate) fn new(id: StreamId, direction: Direction) -> Self {
        Self {
            info: StreamInfo { id, direction },
            channel: None,
            selected: Vec::new(),
            is_stopped: false,
            phase: Phase::Idle,
            xruns_before: 0,
            codec: None,
            remote: None,
            local: None,
        }
    }

    /// Breaks of its cards while they were selected.
    pub(crate) fn xruns(&self) -> u64 {
        let xruns = |selected: &Selected| match &selected.terminal.kind {
            Kind::Card(card) => card.xruns(),
            _ => 0,
        };
        self.xruns_before + self.selected.iter().map(xruns).sum::<u64>()
    }

    /// The numbers of call n's streams.
    pub(crate) fn ids(call: MspCallId) -> [StreamId; 2] {
        let n = call.0.saturating_mul(2);
        [StreamId(n), StreamId(n.saturating_add(1))]
    }

    /// Whether the application's own packets go out, or what comes in goes to it as packets.
    pub(crate) fn carries_packets(&self) -> bool {
        let end = match self.info.direction {
            Direction::Capture => Node::Injector,
            Direction::Render => Node::Tap,
        };
        self.selected.iter().any(|selected| selected.node == end)
    }

    /// Whether the half is to run: the rule of automatic starts.
    pub(crate) fn is_wanted(&self) -> bool {
        let is_ready = match (self.info.direction, &self.channel) {
            (_, None) => false,
            // The far end may have us send nothing for a while (flow control).
            (Direction::Capture, Some(channel)) => {
                channel.remote_rtp.and_then(usable).is_some() && channel.max_bit_rate != Some(0)
            }
            (Direction::Render, Some(_)) => true,
        };
        is_ready && !self.selected.is_empty() && !self.is_stopped
    }
}

/// An address that packets can go to.
pub(crate) fn usable(address: SocketAddr) -> Option<SocketAddr> {
    (!address.ip().is_unspecified() && address.port() != 0).then_some(address)
}
